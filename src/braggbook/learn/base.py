"""What every kind of question shares: id, hints, slips, and values that are worked out when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

from braggbook.learn.verdict import Verdict

HINT_LEVELS = ("nudge", "formula", "code")
_ID = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Slip:
    """A wrong answer that one can come to, and what to say about it.

    Attributes:
        value: The wrong answer itself, or a function without arguments that gives it (for a question about a
            function: the function with the wrong formula).
        says: Names the misconception, never the right answer.
        name: Short name for the lecturer's table; the first words of ``says`` where it is empty.
    """

    _: KW_ONLY
    value: Any
    says: str
    name: str = ""

    @property
    def label(self) -> str:
        """What the lecturer's table calls it."""
        return self.name or short(self.says)


@dataclass(frozen=True)
class Asked:
    """How an answer was given.

    Attributes:
        unit: Given beside it.
        seed: Of random inputs; None for fresh ones.
        lesson: The lesson's file.
    """

    unit: str | None = None
    seed: int | None = None
    lesson: str = ""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: Unique in its lesson, as ``q1``.
        hints: Three of them: a nudge, the formula, the code.
        asks: The question in a line, for the view of progress and the lecturer.
        because: Shown with a right answer: why it is so.
        read: What to read again, for the feedback of somebody who did not get it.
    """

    id: str
    _: KW_ONLY
    hints: tuple[str, ...] = ()
    asks: str = ""
    because: str = ""
    read: str = ""

    def judge(self, answer: Any, asked: Asked) -> Verdict:
        """Returns the verdict on an answer that is not ``...``."""
        raise NotImplementedError

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        if not _ID.fullmatch(self.id):
            yield f"id {self.id!r} is not of the form q1: small letters, digits and _"
        texts = [hint for hint in self.hints if isinstance(hint, str) and hint.strip()]
        if isinstance(self.hints, str) or not len(texts) == len(self.hints) == len(HINT_LEVELS):
            yield f"hints: wanted three texts ({', '.join(HINT_LEVELS)}), got {len(self.hints)}"

    def advice(self, slip: str) -> str:
        """Returns what to say about a slip by its name, "" when the question does not list it."""
        slips: tuple[Slip, ...] = getattr(self, "slips", ())
        return next((each.says for each in slips if each.label == slip), "")

    def missing(self) -> str:
        """Returns what to say while there is no answer."""
        return self.asks


def value_of(source: Any) -> Any:
    """Returns a value, or what a function without arguments gives (worked out once)."""
    return _called(source) if callable(source) else source


@cache
def _called(source: Callable[[], Any]) -> Any:
    return source()


def short(text: str, *, limit: int = 60) -> str:
    """Returns the first words of a text, cut at a word; letters that cannot be shown are replaced."""
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text[: 100 * limit].split()))
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " …"
