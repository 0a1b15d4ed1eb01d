"""Counting the lines that Python executes, and stopping what goes beyond a limit; one thread, no process needed."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, TypeVar

_INSTRUCTIONS_A_LINE = 5  # about; a limit need not be more exact
_LINES_OF_A_LOOK = 1_000_000  # an array that is read from a disk now takes many; an endless loop takes some seconds
_Given = TypeVar("_Given")
_looking = threading.local()


class EnoughError(BaseException):
    """The limit was reached; no ``except Exception`` of the student's catches it."""


class OddError(Exception):
    """An object of somebody's own did something else than answer when it was looked at."""


def looked_at(look: Callable[[], _Given]) -> _Given:
    """Returns what a look at an object of anybody's making gives; its methods may loop for ever, or raise anything.

    Raises:
        OddError: It did one of those.
    """
    if getattr(_looking, "on", False):  # the limit of the look outside of this one holds
        return look()
    _looking.on = True
    try:
        with counted(_LINES_OF_A_LOOK):
            return look()
    except KeyboardInterrupt:
        raise  # a person's own
    except BaseException as error:
        raise OddError from error
    finally:
        _looking.on = False


def counted(lines: int) -> contextlib.AbstractContextManager[None]:
    """Raises :class:`EnoughError` within, once this thread has executed so many lines."""
    # Python 3.12 and later: a trace function that raises is switched off, so that `while True: try: ... except: pass`
    # would go on for ever; a monitoring callback raises again and again.
    return _monitored(lines) if hasattr(sys, "monitoring") else _traced(lines)


@contextlib.contextmanager
def _traced(lines: int) -> Iterator[None]:
    left = lines * _INSTRUCTIONS_A_LINE

    def count(frame: FrameType, event: str, value: Any) -> Any:  # noqa: ARG001 - the signature of trace functions
        nonlocal left
        frame.f_trace_opcodes = True  # Python 3.11 tells of no new line in `while True: pass`
        left -= 1
        if left < 0:
            raise EnoughError
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def _monitored(lines: int) -> Iterator[None]:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    events = monitoring.events
    tool = next(number for number in range(6) if monitoring.get_tool(number) is None)
    left, own = lines, threading.get_ident()

    def count(*_: Any) -> None:
        nonlocal left
        if threading.get_ident() != own:
            return  # a kernel's other threads are seen as well
        left -= 1
        if left == 0:
            # From now on each instruction raises. The callback of a jump may not: CPython then goes on at a wrong place
            # (https://github.com/python/cpython/issues/152375).
            monitoring.set_events(tool, events.INSTRUCTION)

    def stop(code: CodeType, _: int) -> None:
        if threading.get_ident() == own and not _is_ours(code.co_filename):
            raise EnoughError

    monitoring.use_tool_id(tool, "braggbook.learn")
    for event in (events.LINE, events.JUMP, events.PY_START):
        monitoring.register_callback(tool, event, count)
    monitoring.register_callback(tool, events.INSTRUCTION, stop)
    monitoring.set_events(tool, events.LINE | events.JUMP | events.PY_START)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        for event in (events.LINE, events.JUMP, events.PY_START, events.INSTRUCTION):
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)


def _is_ours(file: str) -> bool:
    return file == contextlib.__file__ or os.path.dirname(file) == _HERE  # noqa: PTH120 - at each instruction


_HERE = os.path.dirname(__file__)  # noqa: PTH120 - as above
