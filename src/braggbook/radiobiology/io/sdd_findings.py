"""What a check of an SDD file says: one finding per kind of fault, with every line that it is true of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from braggbook.errors import Issue

Level = Literal["error", "warning"]

_SHOWN_LINES = 8


@dataclass(frozen=True)
class SddFinding:
    """One thing that is wrong with a file.

    Attributes:
        level: "error" or "warning".
        what: What is wrong.
        lines: Every line number that it is true of; empty when it is true of the file.
        wanted: What was wanted.
        got: What was found (in the first of the lines).
    """

    level: Level
    what: str
    lines: tuple[int, ...] = ()
    wanted: str = ""
    got: str = ""

    @property
    def where(self) -> str:
        """The lines in words, the first eight of many."""
        if not self.lines:
            return ""
        shown = ", ".join(map(str, self.lines[:_SHOWN_LINES]))
        more = f" and {len(self.lines) - _SHOWN_LINES} more" if len(self.lines) > _SHOWN_LINES else ""
        return f"{'line' if len(self.lines) == 1 else 'lines'} {shown}{more}"

    def __str__(self) -> str:
        """Returns the finding in one line."""
        return f"{self.level}: {Issue(self.what, self.where, self.wanted, self.got)}"


def finding_of(issue: Issue) -> SddFinding:
    """Returns the finding of an issue of the reader."""
    word, _, number = issue.where.rpartition(" ")
    lines = (int(number),) if word == "line" and number.isdigit() else ()
    return SddFinding("error", issue.what, lines, issue.wanted, issue.got)
