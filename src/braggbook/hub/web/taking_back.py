"""Who may take a submission back, and with which words."""

from __future__ import annotations

from braggbook.errors import InputError, NotAllowed
from braggbook.hub.desk import Desk
from braggbook.hub.store import teams
from braggbook.hub.store.tables import Entry
from braggbook.hub.web.visitor import Visitor

LONGEST_REASON = 500  # characters, of which a table shows all


def require_may_withdraw(desk: Desk, visitor: Visitor, entry: Entry) -> None:
    """Refuses who may not take a submission back.

    Raises:
        NotAllowed: It is neither a leader of its team nor an organiser.
    """
    if not may_withdraw(desk, visitor, entry):
        raise NotAllowed("only a leader of the team or an organiser takes a submission back", where=entry.id)


def may_withdraw(desk: Desk, visitor: Visitor, entry: Entry) -> bool:
    """Tells whether somebody may take a submission back."""
    if visitor.organiser:
        return True
    if visitor.person is None or entry.team_id is None:
        return False
    with desk.database.read() as session:
        found = teams.member(session, team=entry.team_id, person=visitor.person.id)
    return found is not None and found.leader


def checked_reason(text: str) -> str:
    """Returns a reason in one line.

    Raises:
        InputError: There is none, or it is too long.
    """
    said = " ".join(text.split())
    if not 1 <= len(said) <= LONGEST_REASON or not said.isprintable():
        raise InputError(
            "a reason is needed", where="because", wanted=f"1 to {LONGEST_REASON} characters that can be shown"
        )
    return said
