"""What a check says when something is not as it must be: AssertionError, with any runner and with ``python -O``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_LONGEST = 1000  # characters of a value in a message
_Error = TypeVar("_Error", bound=Exception)


def expect(condition: bool, what: str) -> None:  # noqa: FBT001 - reads as the sentence that it is
    """Fails with ``what`` unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def equal(got: Any, wanted: Any, what: str) -> None:
    """Fails unless both are the same, and says what they are of."""
    if got != wanted:
        expect(False, f"{what}: wanted {repr(wanted)[:_LONGEST]}, got {repr(got)[:_LONGEST]}")


def raises(kind: type[_Error] | tuple[type[_Error], ...], call: Callable[[], Any]) -> _Error:
    """Returns the error that a call raises, and fails unless it is of the kind."""
    names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
    try:
        got = call()
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} instead of {names}: {error}") from error
    raise AssertionError(f"no {names}, but {repr(got)[:_LONGEST]}")
