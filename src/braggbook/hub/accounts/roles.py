"""What organisers do with accounts."""

from __future__ import annotations

from braggbook.errors import InputError
from braggbook.hub.accounts.turns import alone, is_last, known_person, note, require_organiser
from braggbook.hub.desk import Desk
from braggbook.hub.store import people
from braggbook.hub.store.tables import Person


def disable(desk: Desk, person: int, *, by: Person | None) -> None:
    """Keeps a person out; the sessions end.

    Raises:
        NotAllowed: Only organisers may.
        UnknownName: There is no such person.
        InputError: It is the last organiser.
    """
    with desk.database.write() as session:
        alone(session)
        require_organiser(session, by)
        found = known_person(session, person)
        if is_last(session, found):
            raise InputError("the last organiser cannot be disabled", where=found.name, wanted="another one first")
        found.disabled = True
        people.end_sessions(session, person=person)
        note(session, desk, by, what="disable", about=found)


def enable(desk: Desk, person: int, *, by: Person | None) -> None:
    """Lets a person in again.

    Raises:
        NotAllowed: Only organisers may.
        UnknownName: There is no such person.
        InputError: The account was deleted.
    """
    with desk.database.write() as session:
        alone(session)
        require_organiser(session, by)
        found = known_person(session, person)
        if found.login is None and not people.identities(session, person):
            raise InputError("the account was deleted", where=found.name, wanted="an invitation for a new one")
        found.disabled = False
        note(session, desk, by, what="enable", about=found)


def set_organiser(desk: Desk, person: int, on: bool, *, by: Person | None) -> None:  # noqa: FBT001 - what it becomes
    """Makes a person an organiser, or no longer one.

    Raises:
        NotAllowed: Only organisers may.
        UnknownName: There is no such person.
        InputError: It is the last one, or the account is disabled.
    """
    with desk.database.write() as session:
        alone(session)
        require_organiser(session, by)
        found = known_person(session, person)
        if on and found.disabled:
            raise InputError("the account is disabled", where=found.name, next_command="enable it first")
        if not on and is_last(session, found):
            raise InputError("the last organiser stays one", where=found.name, wanted="another one first")
        found.organiser = on
        note(session, desk, by, what="make organiser" if on else "unmake organiser", about=found)
