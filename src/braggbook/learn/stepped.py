"""Calling a student's function where there are no processes (in the browser): so many lines, and no more.

Memory cannot be limited there, and a single call into compiled code cannot be stopped; an endless loop can.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Callable
from typing import Any

from braggbook.learn.calls import Limits, Outcome, Work, do, raised
from braggbook.learn.counting import EnoughError, counted


class _Silence(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def call_in_steps(function: Callable[..., Any], work: Work, limits: Limits) -> list[Outcome]:
    """Returns the outcomes of all calls, the last of which may be the limit."""
    outcomes: list[Outcome] = []
    inputs = Work([copy.deepcopy(dict(call)) for call in work.calls], work.invariants, work.seed)
    silence = _Silence()
    try:
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), counted(limits.steps):
            do(inputs, function, outcomes.append)
    except EnoughError:
        outcomes.append(Outcome("steps"))
    except KeyboardInterrupt:
        raise  # a person's own
    except BaseException as error:
        outcomes.append(raised(error))
    return outcomes
