"""Where a student's function is called: in a forked child, in a new Python, or in counted steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

from braggbook.errors import BraggbookError
from braggbook.learn.calls import Limits, Outcome, Work, not_from_within
from braggbook.learn.child import call_in_fork, can_fork
from braggbook.learn.elsewhere import call_in_new_python
from braggbook.learn.spare import start_ahead
from braggbook.learn.stepped import call_in_steps

Way = Literal["fork", "new python", "steps"]


def way_here() -> Way:
    """Returns the safest way that this system has."""
    if sys.platform == "emscripten":
        return "steps"
    return "fork" if can_fork() else "new python"


def prepare(lesson: str) -> None:
    """Starts ahead what the first check of a function would have to wait for; ``lesson`` is its file."""
    if way_here() == "new python":
        start_ahead(lesson)


def call(
    function: Callable[..., Any], work: Work, limits: Limits, *, lesson: str, way: Way | None = None
) -> list[Outcome]:
    """Returns the outcomes of all calls, the last of which may be a limit that was reached.

    Raises:
        BraggbookError: The system starts no process, or it is a checked function that asks.
    """
    not_from_within()
    try:
        match way or way_here():
            case "fork":
                return call_in_fork(function, work, limits)
            case "new python":
                return call_in_new_python(function, work, limits, lesson=lesson)
            case _:
                return call_in_steps(function, work, limits)
    except OSError as error:
        raise BraggbookError(
            "no process could be started to call the function in",
            got=error.strerror or str(error),
            next_command="close other notebooks, and check again",
        ) from error
