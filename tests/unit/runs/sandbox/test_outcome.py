"""What is passed on of what the inside says: a verdict, a place in the notebook, and a name of Python's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from braggbook.errors import InputError
from braggbook.runs.sandbox.inside import built_in
from braggbook.runs.sandbox.receive import Receiver
from braggbook.runs.sandbox.run import Outcome, _outcome, _read
from braggbook.runs.sandbox.session import Ending, Refused
from braggbook.runs.sandbox.usage import Used
from braggbook.runs.sandbox.walls import Limits

LINES = [1, 3]  # of the code cells


def _ended(tmp_path: Path, *, said: Any = None, cells: int | None = 0, reading: bool = True, **ending: Any) -> Outcome:
    receiver = Receiver(tmp_path, Limits(), reading=reading, starting=cells is not None, cells=cells, outcome=said)
    usual = {"cause": "ended", "code": 0, "used": Used(), "layers": (), "landlock": 0, "stderr": ""}
    return _outcome(Ending(**{**usual, **ending}), receiver, LINES)


def test_a_failure_says_where(tmp_path: Path) -> None:
    said = {"verdict": "failed", "kind": "cell", "cell": 2, "line": 3, "exception": "KeyError"}
    outcome = _ended(tmp_path, said=said)
    assert (outcome.verdict, outcome.cell, outcome.line, outcome.exception, outcome.kind) == (
        "failed", 2, 3, "KeyError", "cell",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("part", "value", "wanted"),
    [
        ("cell", 3, None), ("cell", 0, None), ("cell", 10**30, None), ("cell", "2", None), ("cell", None, None),
        ("line", 4, None), ("line", -1, None), ("line", 2.5, None), ("line", "text", None),
        ("exception", "Secret", "other"), ("exception", ["x"], "other"), ("exception", "print", "other"),
        ("exception", "__import__", "other"), ("exception", "OSError", "OSError"), ("exception", "IOError", "OSError"),
    ],
)  # fmt: skip
def test_what_says_more_than_it_may_is_dropped(tmp_path: Path, part: str, value: Any, wanted: Any) -> None:
    said = {"verdict": "failed", "kind": "cell", "cell": 2, "line": 1, "exception": "KeyError", part: value}
    outcome = _ended(tmp_path, said=said)
    assert getattr(outcome, part) == wanted
    assert (outcome.verdict, outcome.kind) == ("failed", "cell")


@pytest.mark.parametrize(
    ("parts", "verdict", "kind"),
    [
        ({"reading": False, "cells": None}, "platform", "platform"),
        ({"cells": None}, "killed", "notebook"),  # it died while the notebook was being read
        ({"cells": None, "cause": "wall clock"}, "timed out", "timeout"),
        ({"cells": None, "said": {"verdict": "failed", "kind": "notebook"}}, "failed", "notebook"),
        ({}, "killed", "kernel"),
        ({"out_of_memory": True}, "killed", "memory"),
        ({"cause": "memory"}, "killed", "memory"),
        ({"cause": "wall clock"}, "timed out", "timeout"),
        ({"cause": "processor time"}, "timed out", "processor time"),
        ({"problem": Refused("x"), "cause": "refused"}, "refused", "output"),
        ({"said": {"verdict": "killed", "kind": "kernel"}, "out_of_memory": True}, "killed", "memory"),
        ({"said": {"verdict": "platform", "kind": "platform"}}, "killed", "kernel"),  # nobody inside can say that
        ({"said": {"verdict": "failed", "kind": "kernel start"}}, "killed", "kernel"),
        ({"said": {"verdict": "complete"}}, "complete", None),
        ({"said": {}}, "killed", "kernel"),
    ],
)
def test_verdicts(tmp_path: Path, parts: dict[str, Any], verdict: str, kind: str | None) -> None:
    outcome = _ended(tmp_path, **parts)
    assert (outcome.verdict, outcome.kind) == (verdict, kind)


def test_a_kernel_that_does_not_start_is_our_fault(tmp_path: Path) -> None:
    said = {"verdict": "failed", "kind": "kernel start"}
    receiver = Receiver(tmp_path, Limits(), reading=True, starting=True, cells=None, outcome=said)
    ending = Ending("ended", 0, Used(), (), 0, "no module named x")
    outcome = _outcome(ending, receiver, LINES)
    assert outcome.verdict == "platform"
    assert outcome.issues[0].got == "no module named x"


def test_the_cell_that_ran_when_the_time_was_over(tmp_path: Path) -> None:
    assert _ended(tmp_path, cells=1, cause="wall clock").cell == 2
    assert _ended(tmp_path, cells=2, cause="wall clock").cell is None


@pytest.mark.parametrize("name", ["ZeroDivisionError", "KeyboardInterrupt", "BaseExceptionGroup"])
def test_pythons_own_exceptions_are_named(name: str) -> None:
    assert built_in(name) == name


@pytest.mark.parametrize("name", ["CaseA", "print", "True", "", "__doc__", "object"])
def test_other_names_are_not(name: str) -> None:
    assert built_in(name) == "other"


def test_lines_of_code_cells(tmp_path: Path) -> None:
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("a\nb"), v4.new_code_cell("x = 1"), v4.new_code_cell("a\nb\nc")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    assert _read(tmp_path / "a.ipynb")[1] == LINES


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"cells": 1}', '{"cells": [{"cell_type": "code"}]}', "[" * 100_000, json.dumps({"cells": None})],
)
def test_what_is_no_notebook(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="not a notebook"):
        _read(tmp_path / "a.ipynb")


def test_a_notebook_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "a.ipynb").open("wb") as stream:
        stream.truncate(21 << 20)
    with pytest.raises(InputError, match="too large"):
        _read(tmp_path / "a.ipynb")
