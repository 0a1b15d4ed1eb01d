"""What somebody may see of a board, and what changed between two."""

from __future__ import annotations

from dataclasses import dataclass

from braggbook.errors import InputError
from braggbook.formats.board import Board, Row
from braggbook.formats.challenge import Phase, Viewer

_SEES: dict[Viewer, int] = {"everyone": 0, "team": 1, "organiser": 2}
_HIDDEN_RANKS = "The ranks are shown when the phase is closed."
_HIDDEN_SCORES = "Scores that are not shown here are shown when the phase is closed."


def visible(board: Board, phase: Phase, *, viewer: Viewer, team: str | None = None) -> Board:
    """Returns what somebody may see of a board; all of it, once the phase is closed.

    While it is open, ``phase.shows`` says who sees what. What is the team's is seen in the row of that team alone. Who
    may not see the ranks gets no rows, who may not see the scores no groups of significance either, and what became of
    a submission is told to its own team.

    Args:
        board: The organiser's.
        phase: Whose board it is.
        viewer: Who looks.
        team: Which team, where it is one.

    Raises:
        InputError: The board is of another phase.
    """
    if board.phase != phase.id:
        raise InputError("the board of another phase", wanted=phase.id, got=board.phase)
    if board.closed or viewer == "organiser":
        return board
    seen = [
        _row_seen(row, phase, viewer if row.team == team else "everyone")
        for row in board.rows
        if _may(phase.shows.rank, viewer if row.team == team else "everyone")
    ]
    scores, ranks = (_may(who, "everyone") for who in (phase.shows.score, phase.shows.rank))
    left = [one for one in board.left if viewer == "team" and one.team == team]
    hidden = _HIDDEN_SCORES if ranks else _HIDDEN_RANKS
    return board.model_copy(
        update={
            "rows": seen,
            "left": left,
            "groups": board.groups if scores and ranks else {},
            "better_than": board.better_than if scores and ranks else {},
            "methods_agree": board.methods_agree if ranks else {},
            "tau": board.tau if ranks else None,
            "tau_undefined": board.tau_undefined if ranks else 0,
            "notes": board.notes if scores and ranks else [hidden],
        }
    )


def _may(who: Viewer, viewer: Viewer) -> bool:
    return _SEES[viewer] >= _SEES[who]


def _row_seen(row: Row, phase: Phase, viewer: Viewer) -> Row:
    if not _may(phase.shows.score, viewer):
        return row.model_copy(update={"scores": {}})
    if _may(phase.shows.cases, viewer):
        return row
    bare = {name: score.model_copy(update={"spread": None}) for name, score in row.scores.items()}
    return row.model_copy(update={"scores": bare})


@dataclass(frozen=True)
class Change:
    """What became of a team between two boards.

    Attributes:
        team: Its name.
        before: Its rank; None where it did not stand on the board.
        after: Its rank; None where it does not stand on the board.
        other_submission: Whether another submission of the team stands there now.
    """

    team: str
    before: float | None
    after: float | None
    other_submission: bool

    @property
    def moved(self) -> bool:
        """Whether the rank is another one."""
        return self.before != self.after


def changes(before: Board, after: Board) -> list[Change]:
    """Returns the ranks of every team on two boards of the same phase: by rank after, then before, then by name.

    Raises:
        InputError: They are boards of different phases.
    """
    of = [(board.challenge, board.phase) for board in (before, after)]
    if of[0] != of[1]:
        raise InputError("boards of different phases", wanted=" ".join(of[0]), got=" ".join(of[1]))
    old, new = ({row.team: row for row in board.rows} for board in (before, after))
    found = [
        Change(
            team,
            old[team].rank if team in old else None,
            new[team].rank if team in new else None,
            team in old and team in new and old[team].submission != new[team].submission,
        )
        for team in {**new, **old}
    ]
    last = float("inf")
    return sorted(
        found,
        key=lambda one: (
            last if one.after is None else one.after,
            last if one.before is None else one.before,
            one.team.casefold(),
            one.team,
        ),
    )
