"""People, how they sign in, and the links that work once."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from braggbook.hub.store.tables import Deed, Identity, Invitation, Kept, Person, Token, WebSession


def find_person(session: Session, id: int) -> Person | None:
    """Returns a person."""
    return session.get(Person, id)


def by_login(session: Session, login: str, *, alone: bool = False) -> Person | None:
    """Returns the person of a local account; ``alone`` keeps others from changing it meanwhile."""
    chosen = select(Person).where(Person.login == login)
    return session.scalar(chosen.with_for_update() if alone else chosen)


def by_identity(session: Session, *, issuer: str, subject: str) -> Person | None:
    """Returns the person whom an OpenID provider knows so."""
    found = session.scalar(select(Identity).where(Identity.issuer == issuer, Identity.subject == subject))
    return found.person if found else None


def identities(session: Session, person: int) -> Sequence[Identity]:
    """Returns how a person is known to providers."""
    return session.scalars(select(Identity).where(Identity.person_id == person).order_by(Identity.id)).all()


def list_people(session: Session, *, offset: int = 0, limit: int = 100) -> tuple[Sequence[Person], int]:
    """Returns people by name, and how many there are."""
    total = session.scalar(select(func.count(Person.id))) or 0
    return session.scalars(select(Person).order_by(Person.name, Person.id).offset(offset).limit(limit)).all(), total


def organisers(session: Session) -> int:
    """Returns how many organisers can sign in."""
    chosen = select(func.count(Person.id)).where(Person.organiser.is_(True), Person.disabled.is_(False))
    return session.scalar(chosen) or 0


def add(session: Session, row: Any) -> None:
    """Adds a row, and lets it have its id."""
    session.add(row)
    session.flush()


def find_session(session: Session, digest: str, *, now: datetime.datetime) -> WebSession | None:
    """Returns a browser's session, unless it has ended."""
    found = session.get(WebSession, digest)
    return found if found is not None and found.expires > now else None


def seen_session(session: Session, digest: str, *, now: datetime.datetime) -> None:
    """Keeps that a session was used; one that has ended meanwhile stays so."""
    session.execute(update(WebSession).where(WebSession.digest == digest).values(seen=now))


def keep_in_session(session: Session, digest: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps values with a session, None removes one; returns all that it has now, nothing if it has ended."""
    found = session.get(WebSession, digest, with_for_update={"of": WebSession})  # not of the person beside it
    if found is None:
        return {}
    found.data = {name: value for name, value in {**found.data, **values}.items() if value is not None}
    return found.data


def used_token(session: Session, id: int, *, now: datetime.datetime) -> None:
    """Keeps that a token was used."""
    session.execute(update(Token).where(Token.id == id).values(used=now))


def end_sessions(session: Session, *, person: int | None = None, digest: str | None = None) -> None:
    """Ends one session, or all of a person."""
    which = WebSession.digest == digest if digest is not None else WebSession.person_id == person
    session.execute(delete(WebSession).where(which))


def sweep_sessions(session: Session, *, now: datetime.datetime) -> int:
    """Removes sessions that have ended; returns how many."""
    return session.execute(delete(WebSession).where(WebSession.expires <= now)).rowcount  # type: ignore[attr-defined, no-any-return]


def find_token(session: Session, digest: str, *, now: datetime.datetime) -> Token | None:
    """Returns a token that still works."""
    found = session.scalar(select(Token).where(Token.digest == digest, Token.revoked.is_(None)))
    return found if found is not None and (found.expires is None or found.expires > now) else None


def tokens(session: Session, person: int) -> Sequence[Token]:
    """Returns a person's tokens, revoked ones too."""
    return session.scalars(select(Token).where(Token.person_id == person).order_by(Token.id.desc())).all()


def revoke_tokens(session: Session, *, person: int, now: datetime.datetime, id: int | None = None) -> int:
    """Revokes one token of a person, or all; returns how many."""
    said = update(Token).where(Token.person_id == person, Token.revoked.is_(None))
    if id is not None:
        said = said.where(Token.id == id)
    return session.execute(said.values(revoked=now)).rowcount  # type: ignore[attr-defined, no-any-return]


def find_invitation(session: Session, digest: str, *, now: datetime.datetime, alone: bool = False) -> Invitation | None:
    """Returns an invitation that was not used and has not ended; ``alone`` lets nobody else use it meanwhile."""
    chosen = select(Invitation).where(Invitation.digest == digest, Invitation.used.is_(None), Invitation.expires > now)
    return session.scalar(chosen.with_for_update() if alone else chosen)


def open_invitations(session: Session, *, now: datetime.datetime) -> Sequence[Invitation]:
    """Returns invitations that can still be used, the newest first."""
    chosen = select(Invitation).where(Invitation.used.is_(None), Invitation.expires > now)
    return session.scalars(chosen.order_by(Invitation.id.desc())).all()


def note_deed(
    session: Session, *, person: int | None, what: str, now: datetime.datetime, about: str = "", text: str = ""
) -> None:
    """Notes what somebody did."""
    session.add(Deed(at=now, person_id=person, what=what, about=about[:255], text=text))


def deeds(session: Session, *, limit: int = 100) -> Sequence[Deed]:
    """Returns what was done last, the newest first."""
    return session.scalars(select(Deed).order_by(Deed.id.desc()).limit(limit)).all()


def kept(session: Session, name: str) -> str | None:
    """Returns a value that the hub keeps."""
    found = session.get(Kept, name)
    return found.value if found else None


def keep(session: Session, name: str, value: str) -> None:
    """Keeps a value."""
    found = session.get(Kept, name)
    if found is None:
        session.add(Kept(name=name, value=value))
    else:
        found.value = value
