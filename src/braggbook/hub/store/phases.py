"""What changes of a phase while people look at its board, asked at once since every look asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BindParameter, ScalarSelect, bindparam, func, select
from sqlalchemy.orm import Session

from braggbook.hub.store.tables import Job, MadeBoard

_CHALLENGE: BindParameter[str] = bindparam("challenge")
_PHASE: BindParameter[str] = bindparam("phase")


@dataclass(frozen=True)
class Standing:
    """Where the board of a phase is.

    Attributes:
        version: Of the board; None if it was never made.
        being_made: Whether another one is about to be made.
        failed: Whether the last try to make it came to nothing.
        scoring: Whether submissions of the phase wait for a score, or are being scored.
    """

    version: int | None
    being_made: bool
    failed: bool
    scoring: bool


def _job(kind: str, *states: str) -> ScalarSelect[int | None]:
    chosen = select(func.max(Job.id)).where(
        Job.state.in_(states), Job.kind == kind, Job.challenge == _CHALLENGE, Job.phase == _PHASE
    )
    return chosen.scalar_subquery()


_VERSION = select(MadeBoard.version).where(MadeBoard.challenge == _CHALLENGE, MadeBoard.phase == _PHASE)
_STANDING = select(
    _VERSION.scalar_subquery(),
    _job("board", "queued", "leased"),
    _job("board", "dead"),
    _job("evaluate", "queued", "leased"),
)
_LATER = (
    select(Job.id)
    .where(
        Job.id > bindparam("dead"),
        Job.state == "done",
        Job.kind == "board",
        Job.challenge == _CHALLENGE,
        Job.phase == _PHASE,
    )
    .limit(1)
)


def standing_of(session: Session, challenge: str, phase: str) -> Standing:
    """Returns where the board of a phase is."""
    here = {"challenge": challenge, "phase": phase}
    version, making, dead, scoring = session.execute(_STANDING, here).one()
    failed = dead is not None and session.scalar(_LATER, {"dead": dead, **here}) is None
    return Standing(version, making is not None, failed, scoring is not None)
