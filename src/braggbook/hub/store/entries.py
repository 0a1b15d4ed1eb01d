"""Submissions as the hub follows them, and what happened to each."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Entry, Event

State = Literal[
    "arriving", "queued", "running", "scored", "refused", "failed", "timed out", "killed", "platform", "withdrawn"
]
MOVING: tuple[State, ...] = ("arriving", "queued", "running")  # the others last until somebody does something


def find_entry(session: Session, id: str, *, alone: bool = False) -> Entry | None:
    """Returns a submission; ``alone`` keeps others from changing it until the transaction ends."""
    return session.get(Entry, id, with_for_update=True if alone else None, populate_existing=alone)


def by_key(session: Session, *, person: int, key: str) -> Entry | None:
    """Returns the submission that a person has called so."""
    return session.scalar(select(Entry).where(Entry.person_id == person, Entry.key == key))


def add_once(
    database: Database, entry: Entry, *, why: str, then: Callable[[Session, Entry], None] | None = None
) -> Entry | None:
    """Adds a submission, unless it is there or its person has one with its key: that one is returned.

    Args:
        database: Where.
        entry: The new one.
        why: Of its first state.
        then: What is done with it in the same transaction, if it is new.
    """
    try:
        with database.write() as session:
            known = _same(session, entry)
            if known is None:
                add_entry(session, entry, why=why)
                if then is not None:
                    then(session, entry)
            return known
    except IntegrityError:  # two at once, on PostgreSQL
        with database.read() as session:
            known = _same(session, entry)
        if known is None:
            raise
        return known


def _same(session: Session, entry: Entry) -> Entry | None:
    return find_entry(session, entry.id) or by_key(session, person=entry.person_id or 0, key=entry.key)


def add_entry(session: Session, entry: Entry, *, why: str) -> None:
    """Adds a submission, with its first event."""
    entry.why = why
    session.add(entry)
    session.flush()
    session.add(Event(entry_id=entry.id, at=entry.changed, state=entry.state, text=why))


def move(
    session: Session,
    entry: Entry,
    state: State,
    *,
    why: str,
    now: datetime.datetime,
    until: datetime.datetime | None = None,
) -> None:
    """Puts a submission into a state; nothing is ever said twice."""
    if (entry.state, entry.why) == (state, why):
        entry.until = until
        return
    entry.state, entry.why, entry.until, entry.changed = state, why, until, now
    session.add(Event(entry_id=entry.id, at=now, state=state, text=why))


def events(session: Session, id: str) -> Sequence[Event]:
    """Returns what happened to a submission, the first first."""
    return session.scalars(select(Event).where(Event.entry_id == id).order_by(Event.id)).all()


def list_entries(
    session: Session,
    *,
    teams: Iterable[int] | None = None,
    challenge: str | None = None,
    phase: str | None = None,
    states: Iterable[State] | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[Entry], int]:
    """Returns submissions, the newest first, and how many there are in all."""
    chosen = select(Entry)
    for column, values in ((Entry.team_id, teams), (Entry.state, states)):
        if values is not None:
            chosen = chosen.where(column.in_(list(values)))
    for name, value in ((Entry.challenge, challenge), (Entry.phase, phase)):
        if value is not None:
            chosen = chosen.where(name == value)
    total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
    found = session.scalars(chosen.order_by(Entry.received.desc(), Entry.id).offset(offset).limit(limit)).all()
    return found, total


def in_state(session: Session, state: State, *, before: datetime.datetime) -> Sequence[Entry]:
    """Returns submissions that have been in a state since before a time."""
    return session.scalars(select(Entry).where(Entry.state == state, Entry.changed < before)).all()


def known_ids(session: Session, challenge: str) -> set[str]:
    """Returns the ids of all submissions of a challenge."""
    return set(session.scalars(select(Entry.id).where(Entry.challenge == challenge)))


def states(session: Session) -> dict[str, int]:
    """Returns how many submissions are in each state."""
    counted = session.execute(select(Entry.state, func.count()).group_by(Entry.state))
    return {row[0]: row[1] for row in counted}
