"""Where a student's function is called: in a forked child, in a new Python, or in counted steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

from braggbook.learn.calls import Limits, Outcome, Work
from braggbook.learn.child import call_in_fork, can_fork
from braggbook.learn.elsewhere import call_in_new_python
from braggbook.learn.stepped import call_in_steps

Way = Literal["fork", "new python", "steps"]


def way_here() -> Way:
    """Returns the safest way that this system has."""
    if sys.platform == "emscripten":
        return "steps"
    return "fork" if can_fork() else "new python"


def call(
    function: Callable[..., Any], work: Work, limits: Limits, *, lesson: str, way: Way | None = None
) -> list[Outcome]:
    """Returns the outcomes of all calls, the last of which may be a limit that was reached."""
    match way or way_here():
        case "fork":
            return call_in_fork(function, work, limits)
        case "new python":
            return call_in_new_python(function, work, limits, lesson=lesson)
        case _:
            return call_in_steps(function, work, limits)
