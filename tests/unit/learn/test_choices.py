"""Options and words."""

from __future__ import annotations

from typing import Any

import pytest

from braggbook.learn import Choice, Several, Text
from braggbook.learn.base import Asked

HINTS = ("one", "two", "three")
OPTIONS = {"a": "It doubles.", "b": "It halves.", "c": "It stays"}
ONE = Choice("q1", asks="What?", options=OPTIONS, right="b", slips={"a": "Look again."}, hints=HINTS)
MORE = Several("q1", options=OPTIONS, right={"a", "c"}, slips={"b": "Not b."}, hints=HINTS)
DOI = Text("q1", right=lambda text: text.startswith("10.5072"), shape=r"10\.\d{4,}/\S+", wanted="a DOI", hints=HINTS)
WORD = Text("q1", right=("drifted",), slips={"identical": "Not to the digit."}, hints=HINTS)


@pytest.mark.parametrize("answer", ["b", "B", " b) ", "It halves.", "it  halves"])
def test_a_key_or_the_text_is_right(answer: str) -> None:
    assert ONE.judge(answer, Asked())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("a", "Look again."),
        ("c", "Not this one."),
        ("d", "none of the options"),
        (2, "none of the options"),
        (None, "none"),
    ],
)
def test_wrong_options(answer: Any, says: str) -> None:
    verdict = ONE.judge(answer, Asked())
    assert not verdict
    assert says in verdict.message


def test_without_an_answer_the_options_are_shown() -> None:
    assert ONE.missing() == "What?\n  a) It doubles.\n  b) It halves.\n  c) It stays"


@pytest.mark.parametrize("answer", ["ac", "ca", "a, c", "a c", ["a", "c"], {"c", "a"}, ("C", "A")])
def test_several_in_any_spelling(answer: Any) -> None:
    assert MORE.judge(answer, Asked())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("a", "not all"),
        ("abc", "Not b."),
        ("b", "Not b."),
        ("ax", "none of the options"),
        (3, "none of the options"),
        ("", "not all"),
    ],
)
def test_several_wrong(answer: Any, says: str) -> None:
    verdict = MORE.judge(answer, Asked())
    assert not verdict
    assert says in verdict.message


def test_words() -> None:
    assert WORD.judge(" Drifted ", Asked())
    assert WORD.judge("identical", Asked()).message == "Not to the digit."
    assert "quotes" in WORD.judge(3, Asked()).message
    assert "empty" in WORD.judge("  ", Asked()).message
    assert DOI.judge("10.5072/braggbook.abc", Asked())
    assert "form" in DOI.judge("doi", Asked()).message
    assert "Not this one" in DOI.judge("10.1000/1", Asked()).message


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        (Choice("q1", options={"a": "x"}, right="a", hints=HINTS), "at least two"),
        (Choice("q1", options=OPTIONS, right="d", hints=HINTS), "'d' is none of the options"),
        (Choice("q1", options=OPTIONS, right="a", slips={"a": "no"}, hints=HINTS), "is the right option"),
        (Choice("q1", options=OPTIONS, right="a", slips={"z": "no"}, hints=HINTS), "'z' is none"),
        (Choice("q1", options={"a": "x", "b": " X"}, right="a", hints=HINTS), "same text"),
        (Several("q1", options=OPTIONS, right="", hints=HINTS), "at least one"),
        (Text("q1", right=("Drifted",), slips={"drifted": "no"}, hints=HINTS), "is a right answer"),
        (Text("q1", right="drifted", hints=HINTS), "a tuple of texts"),
        (Text("q1", right=("x",), shape="(", hints=HINTS), "not a regular expression"),
        (Text("q1", right=("x",), shape="y", hints=HINTS), "does not match"),
    ],
)
def test_a_question_that_is_wrong_itself_is_found(question: Any, fault: str) -> None:
    assert fault in "\n".join(question.faults())
