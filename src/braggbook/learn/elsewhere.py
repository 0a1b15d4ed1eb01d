"""Calling a student's function in a new Python, which gets its source; for systems where a fork is not safe.

What the function needs of the notebook goes with it: modules by name, functions and classes of the notebook as source,
other values pickled. What cannot be handed on is not there, and Python says so when the function asks for it.
"""

from __future__ import annotations

import ast
import base64
import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any

from braggbook.learn.calls import Limits, Outcome, Work, from_line
from braggbook.learn.child import ended

_START_S = 60.0  # a new Python on a slow laptop, with the libraries that the function needs
_PROGRAM = "from braggbook.learn.new_python import answer; answer()"


class NoSourceError(Exception):
    """The function's source is not known."""


def call_in_new_python(function: Callable[..., Any], work: Work, limits: Limits, *, lesson: str) -> list[Outcome]:
    """Returns the outcomes of all calls; ``lesson`` is the file of the lesson and the question, as ``FILE:q1``."""
    try:
        order = {**packed(function), "limits": [limits.seconds, limits.megabytes], "lesson": lesson, "seed": work.seed}
    except NoSourceError as error:
        return [Outcome("source", shown=str(error))]
    order["calls"] = _pickled([dict(call) for call in work.calls])
    order["path"] = [entry for entry in sys.path if isinstance(entry, str)]
    with tempfile.TemporaryFile() as answers:
        last = _run(json.dumps(order).encode(), answers, limits)
        answers.seek(0)
        outcomes = [from_line(line) for line in answers.read().split(b"\n")[:-1]][: len(work)]
    done = len(outcomes) == len(work) or (outcomes and outcomes[-1].kind not in _GO_ON)
    return outcomes if done else [*outcomes, last]


_GO_ON = ("value", "none", "blank", "holds", "broken")


def _run(order: bytes, answers: Any, limits: Limits) -> Outcome:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=answers,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(order)
        return ended(process.wait(_START_S + limits.waiting_s))
    except subprocess.TimeoutExpired:
        return Outcome("time")
    finally:
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def packed(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns a function's source with all that it needs of its notebook.

    Raises:
        NoSourceError: It was not written with ``def`` in a place that Python can read.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise NoSourceError("write it with `def`")
    found: dict[str, Any] = {"sources": [], "modules": {}, "values": {}, "name": function.__name__}
    _gather(function, found, set())
    return found


def _gather(thing: Any, found: dict[str, Any], seen: set[str]) -> None:
    source = _source(thing)
    known = _names_of(thing)
    for name in sorted({node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)} - seen):
        seen.add(name)
        if name not in known or known[name] is thing:
            continue
        value = known[name]
        if isinstance(value, ModuleType):
            found["modules"][name] = value.__name__
        elif isinstance(value, (FunctionType, type)) and value.__module__ == getattr(thing, "__module__", None):
            with suppress(NoSourceError):
                _gather(value, found, seen)
        else:
            with suppress(Exception):  # what cannot be pickled stays here
                found["values"][name] = _pickled(value)
    found["sources"].append(source)


def _source(thing: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError, IndentationError):
        raise NoSourceError("its source is not known: run the cell that defines it once more") from None


def _names_of(thing: Any) -> Mapping[str, Any]:
    if not isinstance(thing, FunctionType):
        return vars(sys.modules[thing.__module__]) if thing.__module__ in sys.modules else {}
    inner = {}
    for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that nothing was put into yet
            inner[name] = cell.cell_contents
    return {**thing.__globals__, **inner}


def _pickled(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()
