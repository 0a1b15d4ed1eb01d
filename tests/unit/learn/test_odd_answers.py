"""What a bored student hands in: nothing hangs, nothing raises, nothing is told, no markup comes through."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import threading
import time
from collections import namedtuple
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest

from braggbook import learn
from braggbook.errors import BraggbookError, InputError, UnknownName
from braggbook.learn import answers, counting
from braggbook.learn.answers import plain
from braggbook.learn.base import short
from braggbook.learn.counting import EnoughError, OddError, counted, looked_at
from braggbook.learn.verdict import box


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look takes fewer lines and numbers than in earnest, so that thirty endless loops take seconds."""
    monkeypatch.setattr(counting, "_LINES_OF_A_LOOK", 30_000)
    monkeypatch.setattr(answers, "_MOST", 10_000)


EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def forever(*_: Any, **__: Any) -> Any:
    while True:
        pass


def raises(*_: Any, **__: Any) -> Any:
    raise SystemExit("out")


class Own(BaseException):
    pass


def raises_own(*_: Any, **__: Any) -> Any:
    raise Own


def made(name: str, **methods: Any) -> Any:
    """An object whose class has these methods."""
    return type(name, (), methods)()


class Vicious(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError

    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError


class OddText(str):
    __slots__ = ()

    def split(self, *_: Any) -> Any:  # type: ignore[override]
        return forever()

    strip = casefold = __str__ = __len__ = split  # type: ignore[assignment]


class OddList(list[Any]):
    __iter__ = __len__ = __getitem__ = forever  # type: ignore[assignment]


def itself() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def doubled() -> Any:
    found: Any = 1.0
    for _ in range(30):
        found = [found, found]
    return found


def chain() -> Any:
    """An object whose tolist gives another one, and so on."""

    class Link:
        def tolist(self) -> Any:
            return Link()

    return Link()


ODD: dict[str, Any] = {
    "not a number": float("nan"), "infinity": -np.inf, "complex": 1j, "None": None, "true": True, "huge": 10**400,
    "beyond str": 10**5000, "deep": json.loads("[" * 500 + "]" * 500), "itself": itself(), "doubled": doubled(),
    "ragged": [[1.0], [1.0, 3.0]], "markup": EVIL, "long text": EVIL * 100_000, "surrogate": "\ud800\x1b[31m",
    "bytes": b"\xff" * 1000, "generator": (x for x in [1.0]), "endless": itertools.count(), "module": sys,
    "class": Own, "function": forever, "lambda": lambda: 0, "dictionary": {EVIL: [1.0] * 10}, "set": {1.0},
    "huge range": range(10**30), "object array": np.array([object(), 1.0], dtype=object), "0-d": np.array("x"),
    "0-d object": np.array(made("O", __float__=forever), dtype=object), "huge array": np.broadcast_to(1.0, (10**9,)),
    "date": np.datetime64("2026-01-01"), "missing": pd.NA, "frame": pd.DataFrame({EVIL: ["x"]}), "type": int,
    "index": pd.MultiIndex.from_tuples([(1, 2)]), "mock": MagicMock(), "lock": threading.Lock(), "error": Own(EVIL),
    "float forever": made("F", __float__=forever, __repr__=forever),
    "list forever": made("L", tolist=forever, __repr__=forever),
    "list exits": made("E", tolist=raises, __repr__=raises),
    "own error": made("B", tolist=raises_own, __repr__=raises_own, _repr_html_=raises_own),
    "list of itself": made("S", tolist=lambda self: self),
    "chain": chain(),
    "size lies": made("Z", size=property(forever), tolist=lambda self: [1.0]),
    "size is less": made("M", size=-(10**12), tolist=lambda self: "x"),
    "attributes forever": made("A", __getattribute__=forever),
    "attributes raise": made("R", __getattr__=raises_own),
    "class forever": made("C", __class__=property(forever)),
    "equal to all": made("Q", __eq__=lambda *_: True, __hash__=lambda _: 1),
    "equal forever": made("P", __eq__=forever, __hash__=forever),
    "named": namedtuple("named", "a b")(EVIL, 2),  # noqa: PYI024
    "html": made("H", _repr_html_=lambda _: EVIL, __repr__=lambda _: EVIL),
    "no text": made("N", __repr__=lambda _: 7),
    "vicious": Vicious("V", (), {})(),
    "odd text": OddText("a"), "odd list": OddList([1.0, 0.5]),
    "marked class": type(EVIL, (), {})(),
    "quantity": made("Quantity", magnitude=2.0, units="Gy", __float__=raises),
    "coroutine": asyncio.sleep,
    "values forever": made("X", values=property(forever)),
    "units forever": made("U", attrs=property(forever), tolist=lambda self: 7.0),
}  # fmt: skip


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_handed_in_is_judged(lesson: Path, name: str) -> None:
    begun = time.process_time()
    for question in ("q1", "q2", "q3", "q4", "q5", "q6", "q7"):
        if question == "q3" and callable(ODD[name]):
            continue  # called in a child: test_functions.py and test_odd_functions.py
        verdict = learn.check(question, ODD[name])
        assert verdict.state == "wrong", question
        assert len(verdict.message) < 500
        assert read(verdict._repr_html_()).tags <= {"div", "strong", "p", "br"}
        json.dumps(str(verdict), ensure_ascii=False).encode()
        assert not re.search(r"\b(?:2\.0|0\.25|drifted|D = E)\b", verdict.message.replace("f(2.0)", "")), question
    assert time.process_time() - begun < 60
    assert sys.gettrace() is None or "coverage" in sys.modules


def test_the_count_of_attempts_goes_on(lesson: Path) -> None:
    for name in ("list forever", "own error", "attributes forever"):
        learn.check("q1", ODD[name])
    assert "q1: 3 attempts" in str(learn.progress())


def test_a_right_number_is_right_whoever_holds_it(lesson: Path) -> None:
    assert learn.check("q1", made("Holder", tolist=lambda self: [[2.0]]))
    assert learn.check("q1", made("Real", values=np.array(200.0), attrs={"units": "cGy"}))
    assert learn.check("q4", namedtuple("three", "a b c")(1.0, 0.5, 0.25))  # noqa: PYI024
    assert learn.check("q4", pd.Series([1.0, 0.5, 0.25], dtype=object))
    assert learn.check("q6", {"a", "c"})


@pytest.mark.parametrize("question", [["q1"], None, 3, forever, "Q1", "", EVIL, ODD["vicious"], ODD["list forever"]])
def test_questions_that_are_none(lesson: Path, question: Any) -> None:
    for call in (learn.check, learn.hint):
        with pytest.raises(UnknownName, match="no question") as caught:
            call(question)
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("unit", [3, ["Gy"], made("U", __str__=forever, __repr__=forever), b"Gy"])
def test_units_that_are_none(lesson: Path, unit: Any) -> None:
    with pytest.raises(InputError, match="not a unit"):
        learn.check("q1", 2.0, unit=unit)
    assert "not understood" in learn.check("q1", 2.0, unit=EVIL * 100).message
    assert (
        "<" not in learn.check("q1", 2.0, unit=EVIL)._repr_html_().replace("<div", "").split("img")[0].split("not")[1]
    )


@pytest.mark.parametrize("seed", ["x", 1.5, True, [1], made("S", __index__=forever, __repr__=forever)])
def test_seeds_that_are_none(lesson: Path, seed: Any) -> None:
    with pytest.raises(InputError, match="not a seed"):
        learn.check("q3", lambda: 0, seed=seed)


def test_errors_show_their_message_where_a_notebook_would_show_a_traceback(lesson: Path) -> None:
    for call in (lambda: learn.check("q77"), lambda: learn.begin("none"), lambda: learn.take_away("none"),
                 lambda: learn.export(""), lambda: learn.resume("none.json")):  # fmt: skip
        with pytest.raises(BraggbookError) as caught:
            call()
        assert caught.value._render_traceback_() == str(caught.value).split("\n")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["import nothing_like_it", "raise SystemExit(3)", "1/0", "LESSON = 3", "def", "LESSON ="]
)
def test_a_lesson_with_an_error_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(InputError, match=r"bad\.py"):
        learn.begin(tmp_path / "bad.py")


def test_an_endless_loop_is_left_even_where_it_catches_errors() -> None:
    def stubborn() -> None:
        while True:
            try:
                len([])
            except Exception:
                continue

    for loop in (forever, stubborn):
        with pytest.raises(EnoughError), counted(10_000):
            loop()
        with pytest.raises(OddError):
            looked_at(loop)


def test_a_person_may_still_interrupt() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        looked_at(interrupted)
    assert looked_at(lambda: looked_at(lambda: 3)) == 3


def test_numbers_are_read_to_the_last_and_not_beyond() -> None:
    assert plain([[1], (2.0, range(2))]) == [[1.0], [2.0, [0.0, 1.0]]]
    assert plain(10**400) == np.inf
    assert plain({"a": 1}) is None


def test_text_that_cannot_be_shown_is_replaced() -> None:
    assert short("a\ud800\x1b[31m b\u202ec\n d") == "a\ufffd\ufffd[31m b\ufffdc d"
    assert len(short("x" * 10**7)) < 70


def test_lines_and_blanks_stay_where_styles_are_taken_out() -> None:
    html = box("note", "a & b", "if x:\n    return <y>  # z", "")
    assert "if x:<br>&nbsp;&nbsp;&nbsp;&nbsp;return &lt;y&gt;&nbsp;&nbsp;# z" in html
    assert "white-space" not in html
    assert read(html).text == "a & bif x:\xa0\xa0\xa0\xa0return <y>\xa0\xa0# z"
