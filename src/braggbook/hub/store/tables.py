"""The tables, as they are after the last migration.

A change here needs a migration beside it in ``migrations/versions``: a test compares the two.
"""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# names of constraints, so that migrations can change them on both databases
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """A time with a time zone, kept as UTC: SQLite has no such type of its own."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Returns what is kept.

        Raises:
            ValueError: The time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:  # noqa: ARG002 - the same
        """Returns the time in UTC."""
        return None if value is None else value.replace(tzinfo=datetime.UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime.datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON}


class Person(Base):
    """Somebody who may sign in."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    login: Mapped[str | None] = mapped_column(String(64), unique=True)  # of a local account, in small letters
    password: Mapped[str | None] = mapped_column(String(255))  # Argon2's own text
    organiser: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime.datetime]
    failures: Mapped[int] = mapped_column(default=0)  # wrong passwords in a row
    locked_until: Mapped[datetime.datetime | None]


class Identity(Base):
    """How a person is known to an OpenID provider."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created: Mapped[datetime.datetime]
    person: Mapped[Person] = relationship(lazy="joined")


class WebSession(Base):
    """A browser that is here, signed in or not."""

    __tablename__ = "session"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the cookie
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime.datetime]
    seen: Mapped[datetime.datetime]
    expires: Mapped[datetime.datetime] = mapped_column(index=True)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)  # messages to show once, a sign-in that was begun
    person: Mapped[Person | None] = relationship(lazy="joined")


class Token(Base):
    """A personal token, for programs."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created: Mapped[datetime.datetime]
    expires: Mapped[datetime.datetime | None]
    used: Mapped[datetime.datetime | None]
    revoked: Mapped[datetime.datetime | None]
    person: Mapped[Person] = relationship(lazy="joined")


class Invitation(Base):
    """A link that works once: to join, to choose a new password, or to enter a team."""

    __tablename__ = "invitation"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))  # account, recovery, team
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)  # of a recovery
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    organiser: Mapped[bool] = mapped_column(default=False)  # whether who joins is one
    note: Mapped[str] = mapped_column(String(200), default="")
    created: Mapped[datetime.datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    expires: Mapped[datetime.datetime]
    used: Mapped[datetime.datetime | None]


class Team(Base):
    """People who hand in together; its name stands on boards."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    folded: Mapped[str] = mapped_column(String(180), unique=True)  # names that people would take for the same are
    created: Mapped[datetime.datetime]


class Member(Base):
    """Somebody in a team."""

    __tablename__ = "member"
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    leader: Mapped[bool] = mapped_column(default=False)
    joined: Mapped[datetime.datetime]
    team: Mapped[Team] = relationship(lazy="joined")
    person: Mapped[Person] = relationship(lazy="joined")


class Entry(Base):
    """A submission as the hub follows it; what was handed in lies in the vault under the same id."""

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("person_id", "key"),
        Index("ix_entry_challenge_phase_state", "challenge", "phase", "state"),
    )
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    challenge: Mapped[str] = mapped_column(String(100))
    phase: Mapped[str] = mapped_column(String(100))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)  # None: came by the command line
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    team: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(200), default="")
    kind: Mapped[str] = mapped_column(String(16), default="")
    key: Mapped[str] = mapped_column(String(100))  # what a client calls it, so that asking twice makes one
    upload: Mapped[str] = mapped_column(String(255), default="")  # name of the file
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    received: Mapped[datetime.datetime] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text, default="")
    until: Mapped[datetime.datetime | None]
    changed: Mapped[datetime.datetime]
    evaluation: Mapped[str | None] = mapped_column(String(16))  # the last one that ended


class Event(Base):
    """Something that happened to a submission."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"), index=True)
    at: Mapped[datetime.datetime]
    state: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)


class Job(Base):
    """Work that is to be done once, by whoever holds the lease."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state_not_before", "state", "not_before", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # evaluate, board
    challenge: Mapped[str] = mapped_column(String(100))
    phase: Mapped[str] = mapped_column(String(100))
    entry_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"), index=True)
    evaluation: Mapped[str | None] = mapped_column(String(16))  # the id that the evaluation gets, whoever makes it
    state: Mapped[str] = mapped_column(String(16))  # queued, leased, done, dead
    not_before: Mapped[datetime.datetime]
    created: Mapped[datetime.datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None] = mapped_column(String(32))  # changes with every taking, so that a late worker is noticed
    worker: Mapped[str | None] = mapped_column(String(120))
    leased_until: Mapped[datetime.datetime | None] = mapped_column(index=True)
    started: Mapped[datetime.datetime | None]
    ended: Mapped[datetime.datetime | None]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(String(200), default="")
    error: Mapped[str] = mapped_column(Text, default="")


class MadeBoard(Base):
    """The board of a phase as it was last made: all of it, of which each viewer sees a part."""

    __tablename__ = "board"
    challenge: Mapped[str] = mapped_column(String(100), primary_key=True)
    phase: Mapped[str] = mapped_column(String(100), primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    made: Mapped[datetime.datetime]
    board: Mapped[str] = mapped_column(Text)  # JSON, as board.json
    changes: Mapped[str] = mapped_column(Text, default="[]")  # JSON, what moved against the version before


class Worker(Base):
    """A worker that is or was here."""

    __tablename__ = "worker"
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    started: Mapped[datetime.datetime]
    seen: Mapped[datetime.datetime]
    jobs: Mapped[int] = mapped_column(default=0)


class Deed(Base):
    """What an organiser did, or what was done to an account: who, when, what."""

    __tablename__ = "deed"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime.datetime] = mapped_column(index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    what: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(255), default="")
    text: Mapped[str] = mapped_column(Text, default="")


class Kept(Base):
    """A value that the hub keeps for itself, such as which schema made it."""

    __tablename__ = "kept"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
