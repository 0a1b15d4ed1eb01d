"""What a check says: right, not yet or not answered, in words and as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

_BLANKS = re.compile(r"^ +| {2,}")
State = Literal["right", "wrong", "unanswered"]
_HEADS = {"right": "✓ Right", "wrong": "✗ Not yet", "unanswered": "○ Not answered yet"}
# Okabe and Ito's bluish green, vermillion and sky blue; text keeps the page's own colour, so both themes can be read
_EDGES = {"right": "#009E73", "wrong": "#D55E00", "unanswered": "#56B4E9", "note": "#56B4E9"}


@dataclass(frozen=True)
class Verdict:
    """What a check found; true when the answer is right.

    Attributes:
        state: ``right``, ``wrong`` or ``unanswered``.
        message: What to know or to look at; never the value that was wanted.
        slip: Name of the misconception, or "" when none was recognised.
        question: Id of the question.
        note: What else should be known, such as progress that could not be saved.
    """

    state: State
    message: str
    slip: str = ""
    question: str = ""
    note: str = ""

    def __bool__(self) -> bool:
        return self.state == "right"

    def __str__(self) -> str:
        head = f"{self.question}: {_HEADS[self.state]}" if self.question else _HEADS[self.state]
        text = f"{head}. {self.message}" if self.message else f"{head}."
        return f"{text}\n{self.note}" if self.note else text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return box(self.state, f"{self.question} {_HEADS[self.state]}".strip(), self.message, self.note)


def right(message: str = "") -> Verdict:
    """Returns the verdict on a right answer."""
    return Verdict("right", message)


def wrong(message: str, slip: str = "") -> Verdict:
    """Returns the verdict on a wrong answer, with the name of the misconception where one was recognised."""
    return Verdict("wrong", message, slip)


def unanswered(message: str = "") -> Verdict:
    """Returns the verdict on the skeleton's ``...``."""
    return Verdict("unanswered", message)


def box(kind: str, head: str, *paragraphs: str) -> str:
    """Returns a box with a heading, as HTML that needs no style sheet; all texts are escaped, line ends are kept.

    It reads as well where styles are taken out, as in a run's report.
    """
    style = f"border-left:0.4em solid {_EDGES[kind]};padding:0.3em 0.8em;margin:0.4em 0"
    body = "".join(f'<p style="margin:0.3em 0">{_lines(text)}</p>' for text in paragraphs if text)
    return f'<div role="status" style="{style}"><strong>{escape(head)}</strong>{body}</div>'


def _lines(text: str) -> str:
    """Returns lines that keep their ends and their blanks without a style (a hint may be code)."""
    return "<br>".join(_BLANKS.sub(lambda found: "&nbsp;" * len(found[0]), escape(line)) for line in text.split("\n"))
