"""Questions whose answer is chosen or written: one of several, several of several, a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from braggbook.learn.answers import kind_of, shown, text_of
from braggbook.learn.base import Asked, Question, short
from braggbook.learn.verdict import Verdict, right, wrong

_LONGEST_TEXT = 10_000  # letters of an answer
_MOST_CHOSEN = 1000


@dataclass(frozen=True)
class _Options(Question):
    _: KW_ONLY
    options: Mapping[str, str]
    right: Any
    slips: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str:
        """Returns the options."""
        listed = "\n".join(f"  {key}) {text}" for key, text in self.options.items())
        return f"{self.asks}\n{listed}".strip("\n")

    def _key(self, answer: Any) -> str | None:
        if type(answer) is int and abs(answer) <= len(self.options):
            answer = str(answer)  # keys may be digits
        text = text_of(answer)
        if text is None or len(text) > _LONGEST_TEXT:
            return None
        text = " ".join(text.split()).casefold().rstrip(").")
        for key, option in self.options.items():
            if text in (key.casefold(), " ".join(option.split()).casefold().rstrip(").")):
                return key
        return None

    def _unknown(self, answer: Any) -> Verdict:
        keys = ", ".join(repr(key) for key in self.options)
        return wrong(f"{shown(answer, limit=40)} is none of the options: choose from {keys}.", "not an option")

    def advice(self, slip: str) -> str:
        """Returns what to say about a slip by its name, "" when the question does not list it."""
        return self.slips.get(slip.rpartition(" ")[2], "")

    def _option_faults(self, rights: set[str]) -> Iterator[str]:
        if len(self.options) < 2:
            yield f"options: wanted at least two, got {len(self.options)}"
        for key in sorted(rights - set(self.options)):
            yield f"right: {key!r} is none of the options"
        for key in sorted(set(self.slips) - set(self.options)):
            yield f"slips: {key!r} is none of the options"
        texts = [" ".join(text.split()).casefold() for text in self.options.values()]
        if len(set(texts)) < len(texts):
            yield "options: two have the same text"


@dataclass(frozen=True)
class Choice(_Options):
    """A question with one right option.

    Attributes:
        options: Text by key, as ``{"a": "it doubles", "b": "it halves"}``.
        right: Key of the right one.
        slips: By key, what to say to those who chose it.
    """

    def judge(self, answer: Any, asked: Asked) -> Verdict:  # noqa: ARG002 - an option has no unit
        """Returns the verdict on a key, or on an option's text."""
        key = self._key(answer)
        if key is None:
            return self._unknown(answer)
        if key == self.right:
            return right(self.because)
        return wrong(self.slips.get(key, "Not this one."), f"chose {key}")

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        yield from super().faults()
        yield from self._option_faults({self.right})
        if self.right in self.slips:
            yield f"slips: {self.right!r} is the right option"


@dataclass(frozen=True)
class Several(_Options):
    """A question with several right options, given as ``"ac"``, ``"a, c"``, ``["a", "c"]`` or ``{"a", "c"}``.

    Attributes:
        options: Text by key.
        right: Keys of the right ones.
        slips: By key, what to say to those who have it where it is wrong, or lack it where it is right.
    """

    def judge(self, answer: Any, asked: Asked) -> Verdict:  # noqa: ARG002 - the same
        """Returns the verdict on keys."""
        chosen: set[str] = set()
        for item in self._split(answer):
            if (key := self._key(item)) is None:
                return self._unknown(item)
            chosen.add(key)
        wanted = set(self.right)
        if chosen == wanted:
            return right(self.because)
        for key in sorted(chosen ^ wanted):
            if key in self.slips:
                return wrong(self.slips[key], f"{'with' if key in chosen else 'without'} {key}")
        if chosen < wanted:
            return wrong("All that you chose is right, but it is not all.", "some are missing")
        if chosen > wanted:
            return wrong("All that is right is among them, but something wrong as well.", "too many")
        return wrong("Something wrong is among them, and something right is missing.", "some wrong, some missing")

    def _split(self, answer: Any) -> list[Any]:
        text = text_of(answer)
        if text is None:
            return list(answer)[:_MOST_CHOSEN] if type(answer) in (list, tuple, set, frozenset) else [answer]
        parts = [part for part in re.split(r"[\s,;+]+", text[:_LONGEST_TEXT]) if part]
        if len(parts) == 1 and self._key(parts[0]) is None and all(self._key(letter) for letter in parts[0]):
            return list(parts[0])
        return parts

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        yield from super().faults()
        yield from self._option_faults(set(self.right))
        if not self.right:
            yield "right: wanted at least one option"


@dataclass(frozen=True)
class Text(Question):
    """A question whose answer is a word or a name: case and blanks do not count.

    Attributes:
        right: Accepted answers, or a function that says whether a text is right.
        shape: Regular expression that every possible answer matches, such as the shape of a DOI.
        wanted: The shape in words: ``a DOI, as in 10.5281/zenodo.1234``.
        slips: What to say, by the wrong answer.
    """

    _: KW_ONLY
    right: tuple[str, ...] | Callable[[str], bool]
    shape: str = ""
    wanted: str = "a word"
    slips: Mapping[str, str] = field(default_factory=dict)

    def judge(self, answer: Any, asked: Asked) -> Verdict:  # noqa: ARG002 - the same
        """Returns the verdict on a text."""
        text = text_of(answer)
        if text is None:
            kind = "None" if answer is None else f"of type {kind_of(answer)}"
            return wrong(f"The answer is {kind}; the question asks for {self.wanted}, in quotes.", "not a text")
        text = text.strip()
        if len(text) > _LONGEST_TEXT:
            return wrong(f"This is far longer than what is asked for: {self.wanted}.", "too long")
        if not text:
            return wrong(f"The answer is empty; the question asks for {self.wanted}.", "empty")
        for slip, says in self.slips.items():
            if _folded(text) == _folded(slip):
                return wrong(says, short(slip))
        if self._is_right(text):
            return right(self.because)
        if self.shape and not re.fullmatch(self.shape, text):
            return wrong(f"This does not have the form that is asked for: {self.wanted}.", "other form")
        return wrong(f"Not this one; the question asks for {self.wanted}.")

    def advice(self, slip: str) -> str:
        """Returns what to say about a slip by its name, "" when the question does not list it."""
        return next((says for text, says in self.slips.items() if short(text) == slip), "")

    def _is_right(self, text: str) -> bool:
        if callable(self.right):
            return bool(self.right(text))
        return _folded(text) in {_folded(each) for each in self.right}

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        yield from super().faults()
        try:
            re.compile(self.shape)
        except re.error as error:
            yield f"shape: not a regular expression: {error}"
            return
        if callable(self.right):
            return
        if not self.right or isinstance(self.right, str):
            yield "right: wanted a tuple of texts"
            return
        folded = [_folded(slip) for slip in self.slips]
        if len(set(folded)) < len(folded):
            yield "slips: two are the same text"
        for text in self.right:
            if _folded(text) in folded:
                yield f"slips: {text!r} is a right answer"
            if self.shape and not re.fullmatch(self.shape, text):
                yield f"shape: the right answer {text!r} does not match it"


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
