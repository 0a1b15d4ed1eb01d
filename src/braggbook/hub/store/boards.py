"""Boards as they were last made."""

from __future__ import annotations

import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from braggbook.hub.store.tables import MadeBoard


def version_of(session: Session, challenge: str, phase: str) -> int | None:
    """Returns the version of a board; None if it was never made."""
    return session.scalar(select(MadeBoard.version).where(MadeBoard.challenge == challenge, MadeBoard.phase == phase))


def find_board(session: Session, challenge: str, phase: str) -> MadeBoard | None:
    """Returns a board."""
    return session.get(MadeBoard, (challenge, phase))


def keep_board(
    session: Session, *, challenge: str, phase: str, board: str, changes: str, now: datetime.datetime
) -> int:
    """Keeps a board; its version goes up only if it is another one. Returns the version."""
    found = session.get(MadeBoard, (challenge, phase), with_for_update=True)
    if found is None:
        session.add(MadeBoard(challenge=challenge, phase=phase, version=1, made=now, board=board, changes=changes))
        return 1
    if found.board != board:
        found.version, found.board, found.changes = found.version + 1, board, changes
    found.made = now
    return found.version
