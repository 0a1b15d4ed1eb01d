"""What runs in the new Python that elsewhere.py starts: reads an order, calls the function, writes outcomes."""

from __future__ import annotations

import base64
import importlib
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from braggbook.errors import InputError
from braggbook.learn.calls import Limits, Outcome, Work, as_line, do, raised
from braggbook.learn.child import set_limits
from braggbook.learn.functions import Function
from braggbook.learn.lesson import executed

_FILE = "<exercise>"
_LOOK_S = 0.02


def answer() -> None:
    """The new Python's whole life: imports ahead, waits for the order, calls the function, writes outcomes."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lesson = _ahead(json.loads(sys.stdin.buffer.readline()))
    read = sys.stdin.buffer.read()
    if not read:
        os._exit(0)  # the kernel has ended, and nothing was asked
    order = json.loads(read)
    sys.path[:] = order["path"]
    os.environ.clear()
    os.environ.update(order["environment"])
    with suppress(OSError):
        os.chdir(order["folder"])
    lock = threading.Lock()

    own, leave = os.getpid(), os._exit  # whatever the function makes of the module's own

    def send(outcome: Outcome) -> None:
        if os.getpid() != own:
            leave(0)  # the function has forked: only its first process answers
        with lock:
            out.write(as_line(outcome))

    def watch(limits: Limits) -> None:
        ends = time.monotonic() + limits.waiting_s
        used = time.process_time() + limits.seconds
        while time.monotonic() < ends and time.process_time() < used:
            time.sleep(_LOOK_S)
        send(Outcome("time"))
        leave(0)

    limits = Limits(*order["limits"])
    try:
        work, function = _work(order, lesson), _unpacked(order)
        set_limits(limits)
        threading.Thread(target=watch, args=(limits,), daemon=True).start()
        do(work, function, send)
    except BaseException as error:
        send(raised(error))
    leave(0)


def _ahead(first: dict[str, Any]) -> ModuleType | None:
    """Imports what will be needed; what cannot be imported is told of when it is needed."""
    for module in first["modules"]:
        with suppress(Exception):
            importlib.import_module(module)
    with suppress(InputError):
        return executed(Path(first["lesson"]))
    return None


def _work(order: dict[str, Any], lesson: ModuleType | None) -> Work:
    calls = pickle.loads(base64.b64decode(order["calls"]))  # noqa: S301 - written by the process that started this one
    file, _, name = order["lesson"].rpartition(":")
    question = (lesson or executed(Path(file))).LESSON.question(name)
    assert isinstance(question, Function)
    return Work(calls, [each.holds for each in question.invariants], order["seed"])


def _unpacked(order: dict[str, Any]) -> Callable[..., Any]:
    space: dict[str, Any] = {"__name__": "__exercise__"}
    for name, module in order["modules"].items():
        with suppress(ImportError):
            space[name] = importlib.import_module(module)
    for name, value in order["values"].items():
        with suppress(Exception):  # made by a class of the notebook
            space[name] = pickle.loads(base64.b64decode(value))  # noqa: S301 - the same
    for source in order["sources"]:
        exec(compile("from __future__ import annotations\n" + source, _FILE, "exec"), space)  # noqa: S102 - see above
    function = space[order["name"]]
    assert callable(function)
    return function  # type: ignore[no-any-return]
