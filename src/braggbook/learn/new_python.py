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
from typing import Any

from braggbook.learn.calls import Limits, Outcome, Work, as_line, do, raised
from braggbook.learn.child import set_limits
from braggbook.learn.functions import Function
from braggbook.learn.lesson import executed

_FILE = "<exercise>"
_LOOK_S = 0.02


def answer() -> None:
    """The new Python's whole life: reads the order, calls the function, writes outcomes."""
    order = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path[:] = order["path"]
    lock = threading.Lock()

    own = os.getpid()

    def send(outcome: Outcome) -> None:
        if os.getpid() != own:
            os._exit(0)  # the function has forked: only its first process answers
        with lock:
            out.write(as_line(outcome))

    def watch(limits: Limits) -> None:
        ends = time.monotonic() + limits.waiting_s
        used = time.process_time() + limits.seconds
        while time.monotonic() < ends and time.process_time() < used:
            time.sleep(_LOOK_S)
        send(Outcome("time"))
        os._exit(0)

    limits = Limits(*order["limits"])
    try:
        work, function = _work(order), _unpacked(order)
        set_limits(limits)
        threading.Thread(target=watch, args=(limits,), daemon=True).start()
        do(work, function, send)
    except BaseException as error:
        send(raised(error))
    os._exit(0)


def _work(order: dict[str, Any]) -> Work:
    calls = pickle.loads(base64.b64decode(order["calls"]))  # noqa: S301 - written by the process that started this one
    file, _, name = order["lesson"].rpartition(":")
    question = executed(Path(file)).LESSON.question(name)
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
