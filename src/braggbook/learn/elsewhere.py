"""Calling a student's function in a new Python, which gets its source; for systems where a fork is not safe.

What the function needs of the notebook goes with it: modules by name, functions and classes of the notebook as source,
other values pickled. What cannot be handed on is not there, and Python says so when the function asks for it.
"""

from __future__ import annotations

import ast
import base64
import inspect
import io
import os
import pickle
import sys
import textwrap
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from braggbook.learn.calls import Limits, Outcome, Work, from_line
from braggbook.learn.child import ended
from braggbook.learn.counting import looked_at
from braggbook.learn.spare import start_ahead, taken

_START_S = 60.0  # a new Python on a slow laptop, with the libraries that the function needs
_LARGEST_VALUE = 100_000_000  # bytes of one value of the notebook that a function uses
_GO_ON = ("value", "none", "blank", "holds", "broken")


class NoSourceError(Exception):
    """The function's source is not known."""


def call_in_new_python(function: Callable[..., Any], work: Work, limits: Limits, *, lesson: str) -> list[Outcome]:
    """Returns the outcomes of all calls; ``lesson`` is the file of the lesson and the question, as ``FILE:q1``.

    Raises:
        OSError: The system starts no process.
    """
    try:
        order = _order(function, work, limits, lesson)
    except NoSourceError as error:
        return [Outcome("source", shown=str(error))]
    file = lesson.rpartition(":")[0]
    python = taken(file)
    try:
        code = python.order(order, seconds=_START_S + limits.waiting_s)
        last = Outcome("time") if code is None else ended(code)
        outcomes = [from_line(line) for line in python.said()][: len(work)]
    finally:
        python.end()
        start_ahead(file, [name for name in order["modules"].values() if _is_installed(name)])
    done = len(outcomes) == len(work) or (outcomes and outcomes[-1].kind not in _GO_ON)
    return outcomes if done else [*outcomes, last]


def _order(function: Callable[..., Any], work: Work, limits: Limits, lesson: str) -> dict[str, Any]:
    return {
        **packed(function),
        "limits": [limits.seconds, limits.megabytes],
        "lesson": lesson,
        "seed": work.seed,
        "calls": _pickled([dict(call) for call in work.calls]),
        "path": [entry for entry in sys.path if isinstance(entry, str)],
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
    }


def _is_installed(module: str) -> bool:
    """Returns whether a module is not the student's own, who may change it before the next check."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is None or Path(file).is_relative_to(_INSTALLED) or "site-packages" in Path(file).parts


_INSTALLED = Path(os.__file__).parent


def packed(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns a function's source with all that it needs of its notebook.

    Raises:
        NoSourceError: It was not written with ``def`` in a place that Python can read.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise NoSourceError("write it with `def`")
    found: dict[str, Any] = {"sources": [], "modules": {}, "values": {}}
    return {**found, "name": _gather(function, found, set())}


def _gather(thing: Any, found: dict[str, Any], seen: set[str]) -> str:
    """Adds the source of a thing, and all that it needs; returns the name that the source defines."""
    source, tree = _source(thing)
    known = _names_of(thing)
    for name in sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - seen):
        seen.add(name)
        if name not in known or known[name] is thing:
            continue
        value = known[name]
        if issubclass(type(value), ModuleType):  # not `isinstance`, which asks an object of anybody's for its class
            found["modules"][name] = value.__name__
        elif issubclass(type(value), (FunctionType, type)) and value.__module__ == getattr(thing, "__module__", None):
            with suppress(NoSourceError):
                _gather(value, found, seen)
        else:
            with suppress(Exception):  # what cannot be pickled stays here
                found["values"][name] = looked_at(lambda value=value: _pickled(value))  # type: ignore[misc]
    found["sources"].append(source)
    return str(tree.body[0].name)


def _source(thing: Any) -> tuple[str, Any]:
    try:
        source = textwrap.dedent(inspect.getsource(thing))
        tree = ast.parse(source)
        if isinstance(tree.body[0], (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return source, tree
        raise NoSourceError("write it with `def`")
    except (OSError, TypeError, SyntaxError):
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
    buffer = _Bounded()
    pickle.Pickler(buffer, protocol=5).dump(value)  # 5: a large array is handed to the buffer as it is, without a copy
    return base64.b64encode(buffer.getvalue()).decode()


class _Bounded(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > _LARGEST_VALUE:
            raise ValueError("too large to be handed on")
        return super().write(data)
