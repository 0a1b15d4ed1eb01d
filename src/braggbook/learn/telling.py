"""Errors of what a notebook calls show their message alone: a traceback through Braggbook helps no student."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from braggbook.errors import BraggbookError, InputError
from braggbook.learn.answers import shown

_LONGEST_PATH, _LONGEST_PART = 4000, 255  # what systems take
_Given = ParamSpec("_Given")
_Back = TypeVar("_Back")


def plainly(call: Callable[_Given, _Back]) -> Callable[_Given, _Back]:
    """Lets the errors of a call show themselves as their message, where IPython would print a traceback."""

    @wraps(call)
    def told(*arguments: _Given.args, **named: _Given.kwargs) -> _Back:
        try:
            return call(*arguments, **named)
        except BraggbookError as error:
            # IPython asks an error for it: https://ipython.readthedocs.io/en/stable/config/integrating.html
            setattr(error, "_render_traceback_", partial(list, str(error).split("\n")))  # noqa: B010 - not declared
            raise

    return told


def as_path(given: str | Path) -> Path:
    """Returns a path that was typed, with ``~`` for the person's own folder.

    Raises:
        InputError: No system has such a path.
    """
    try:
        path = Path(given).expanduser()
        parts = [os.fsencode(part) for part in path.parts]
    except (TypeError, ValueError, RuntimeError):  # no text; half a letter; the folder of nobody
        parts = [b"\0"]
    if any(b"\0" in part or len(part) > _LONGEST_PART for part in parts) or sum(map(len, parts)) > _LONGEST_PATH:
        raise InputError("not a path", wanted='a text, as "folder/file"', got=shown(given, limit=60))
    return path
