"""Calling a student's function where there are no processes (in the browser): so many lines, and no more.

Memory cannot be limited there, and a single call into compiled code cannot be stopped; an endless loop can.
"""

from __future__ import annotations

import contextlib
import copy
import io
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

from braggbook.learn.calls import Limits, Outcome, Work, do, raised

_INSTRUCTIONS_A_LINE = 5  # about; a limit need not be more exact


class _Enough(BaseException):
    """The limit was reached; no ``except Exception`` of the student's catches it."""


class _Silence(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def call_in_steps(function: Callable[..., Any], work: Work, limits: Limits) -> list[Outcome]:
    """Returns the outcomes of all calls, the last of which may be the limit."""
    outcomes: list[Outcome] = []
    inputs = Work([copy.deepcopy(dict(call)) for call in work.calls], work.invariants, work.seed)
    silence = _Silence()
    try:
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), _counted(limits.steps):
            do(inputs, function, outcomes.append)
    except _Enough:
        outcomes.append(Outcome("steps"))
    except KeyboardInterrupt:
        raise  # a person's own
    except BaseException as error:
        outcomes.append(raised(error))
    return outcomes


def _counted(steps: int) -> contextlib.AbstractContextManager[None]:
    # Python 3.12 and later: a trace function that raises is switched off, so that `while True: try: ... except: pass`
    # would go on for ever; a monitoring callback raises again and again.
    return _monitored(steps) if hasattr(sys, "monitoring") else _traced(steps)


@contextlib.contextmanager
def _traced(steps: int) -> Iterator[None]:
    left = steps * _INSTRUCTIONS_A_LINE

    def count(frame: FrameType, event: str, value: Any) -> Any:  # noqa: ARG001 - the signature of trace functions
        nonlocal left
        frame.f_trace_opcodes = True  # Python 3.11 tells of no new line in `while True: pass`
        left -= 1
        if left < 0:
            raise _Enough
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def _monitored(steps: int) -> Iterator[None]:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    events = monitoring.events
    tool = next(number for number in range(6) if monitoring.get_tool(number) is None)
    left = steps

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            # From now on each instruction raises. The callback of a jump may not: CPython then goes on at a wrong place
            # (https://github.com/python/cpython/issues/152375).
            monitoring.set_events(tool, events.INSTRUCTION)

    def stop(code: CodeType, _: int) -> None:
        if code.co_filename not in _OURS:
            raise _Enough

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


_OURS = {__file__, contextlib.__file__, do.__code__.co_filename}
