"""A verified board as people read it in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from braggbook.cli.record_shown import grid, plain

if TYPE_CHECKING:
    from braggbook.challenges.verify import BoardVerification, Check

_MOST_ISSUES = 20  # lines of one check; --json has all


def board_lines(found: BoardVerification) -> list[Any]:
    """Returns the checks, the rows, what is wrong, and notes; the verdict is said by who asks."""
    checks = [(check.name, check.outcome, _said(check)) for check in found.checks]
    lines: list[Any] = [grid("check", "outcome", "", rows=checks), ""]
    for check in found.checks:
        lines += _issues(check)
    if found.rows:
        rows = [
            (row.team, row.phase, row.verdict, row.scoring.verdict if row.scoring else "", row.predictions, row.reason)
            for row in found.rows
        ]
        lines += [grid("team", "phase", "row", "scoring", "predictions", "", rows=rows), ""]
    lines += [f"note  {plain(note)}" for note in found.notes]
    return [Text(line) if isinstance(line, str) else line for line in lines]


def _said(check: Check) -> str:
    said = {"passed": check.what, "withheld": "the hidden cases were not published", "failed": "see below"}
    return said[check.outcome]


def _issues(check: Check) -> list[str]:
    shown = [f"{check.name}  {plain(issue)}" for issue in check.issues[:_MOST_ISSUES]]
    more = len(check.issues) - _MOST_ISSUES
    return [*shown, f"{check.name}  and {more} more; --json has all"] if more > 0 else shown
