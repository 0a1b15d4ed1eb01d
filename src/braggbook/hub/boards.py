"""Boards of phases: made by a worker when something has changed, kept by version, read quickly."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import datetime

from braggbook.challenges.closing import board_of, with_records
from braggbook.challenges.seen import changes
from braggbook.formats.board import Board
from braggbook.hub.desk import Desk
from braggbook.hub.store import boards

_Key = tuple[str, str]


@dataclass(frozen=True)
class Current:
    """A board as it was last made: all of it, of which each viewer sees a part."""

    version: int
    made: datetime
    board: Board
    moved: list[dict[str, object]]


@dataclass
class Shelf:
    """The boards of a hub, kept in memory until there is a newer version."""

    desk: Desk
    _kept: dict[_Key, Current] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def version(self, challenge: str, phase: str) -> int | None:
        """Returns the version of a board; None if it was never made."""
        with self.desk.database.read() as session:
            return boards.version_of(session, challenge, phase)

    def current(self, challenge: str, phase: str, *, version: int | None = None) -> Current | None:
        """Returns a board; None if it was never made. Who knows the newest version says it."""
        version = version or self.version(challenge, phase)
        if version is None:
            return None
        with self._lock:
            known = self._kept.get((challenge, phase))
        if known is not None and known.version == version:
            return known
        with self.desk.database.read() as session:
            found = boards.find_board(session, challenge, phase)
        if found is None:
            return None
        made = Current(found.version, found.made, Board.model_validate_json(found.board), json.loads(found.changes))
        with self._lock:
            self._kept[challenge, phase] = made
        return made


def make_now(desk: Desk, challenge: str, phase: str) -> int:
    """Makes a board from the evaluations that the vault has, and keeps it; returns its version."""
    found, vault = desk.challenge(challenge), desk.vault(challenge)
    board = board_of(found, vault, found.phase(phase), closed=vault.ended is not None)
    board = with_records(board, vault)
    with desk.database.read() as session:
        before = boards.find_board(session, challenge, phase)
    moved = changes(Board.model_validate_json(before.board), board) if before else []
    said = [{"team": one.team, "before": one.before, "after": one.after} for one in moved if one.moved]
    with desk.database.write() as session:
        return boards.keep_board(
            session, challenge=challenge, phase=phase, board=board.model_dump_json(), changes=json.dumps(said),
            now=desk.clock(),
        )  # fmt: skip
