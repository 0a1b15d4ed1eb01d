"""Reading what a student hands in: numbers, arrays and their units, without importing what made them.

An object of anybody's making may raise anything when it is looked at, or never come to an end: see counting.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from reprlib import Repr
from typing import Any

from braggbook.learn.base import short
from braggbook.learn.counting import OddError, looked_at
from braggbook.learn.verdict import Verdict, wrong

_MOST = 1_000_000  # numbers; no exercise asks for more, and each is compared in Python
_DEEPEST = 32  # lists within lists; NumPy has no more dimensions either
_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60


class TooManyError(Exception):
    """More numbers than any exercise asks for."""


@dataclass(frozen=True)
class Numbers:
    """Numbers in the order of a nested list, with its shape and the unit that came with them (None: none did)."""

    flat: tuple[float, ...]
    shape: tuple[int, ...]
    unit: str | None = None


def read_number(answer: Any) -> Numbers | Verdict:
    """Returns one finite number, or the verdict on what is none."""
    read = _read(answer, "a number")
    if isinstance(read, Verdict):
        return read
    if len(read.flat) != 1:
        size = " x ".join(map(str, read.shape))
        return wrong(f"This is an array ({size}); the question asks for one number.", "array instead of a number")
    return _finite(read)


def read_values(answer: Any) -> Numbers | Verdict:
    """Returns finite numbers, or the verdict on what is none."""
    read = _read(answer, "a list or an array of numbers")
    if isinstance(read, Verdict):
        return read
    if not read.shape:
        return wrong("This is one number; the question asks for a list or an array.", "number instead of an array")
    return _finite(read)


def read_plain(rows: Any) -> Numbers | Verdict:
    """Returns finite numbers of what :func:`plain` gave: one number or nested lists; or the verdict on what is none."""
    shape = _shape(rows)
    if shape is None:
        return wrong("This is no number and no regular array of numbers.", "not numbers")
    return _finite(Numbers(tuple(_flat(rows)), shape))


def plain(answer: Any) -> Any:
    """Returns numbers and nested lists of them from whatever holds them, or None for anything else.

    Raises:
        OddError: An object did something else than answer when it was looked at.
        TooManyError: There are more numbers than any exercise asks for.
    """
    return _plain(answer, _Room(_MOST))


@dataclass
class _Room:
    left: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise TooManyError


def _plain(answer: Any, room: _Room, deep: int = 0) -> Any:
    if deep > _DEEPEST or type(answer) is bool:
        return None
    if type(answer) in (list, tuple, range):
        room.take(_length(answer))
        rows: list[Any] = []
        for item in answer:
            rows.append(_plain(item, room, deep + 1))
            if rows[-1] is None:
                return None
        return rows
    if type(answer) in (float, int):
        return _float(answer)
    found = _opened(answer) if _is_known(answer) else looked_at(lambda: _opened(answer))
    return found if found is None or type(found) is float else _plain(found, room, deep + 1)


def _length(answer: Any) -> int:
    try:
        return len(answer)
    except OverflowError:  # a range can be longer than any list
        raise TooManyError from None


def _is_known(answer: Any) -> bool:
    return type(answer).__module__ in ("builtins", "numpy")


def _opened(answer: Any) -> Any:
    """Returns a number, what an object holds (to be looked at in turn), or None."""
    if isinstance(answer, Real) or type(answer).__name__ == "Decimal":
        return _float(answer)
    if isinstance(size := getattr(answer, "size", None), int):
        _Room(_MOST).take(size)  # before NumPy makes a list of it, which is counted then
    for name in ("tolist", "to_list"):
        if callable(method := getattr(answer, name, None)):
            return method()
    if hasattr(answer, "values") and not isinstance(answer, Mapping) and not callable(answer.values):
        return answer.values  # xarray and pandas
    if isinstance(answer, (list, tuple)):  # a class of somebody's own, or a named tuple
        return list(answer[:_MOST])
    return None


def _float(answer: Any) -> float:
    try:
        return float(answer)
    except OverflowError:
        return math.inf


def _read(answer: Any, wanted: str) -> Numbers | Verdict:
    try:
        if (verdict := looked_at(lambda: _no_numbers(answer, wanted))) is not None:
            return verdict
        rows = plain(answer)
        shape = _shape(rows)
        unit = looked_at(lambda: _unit(answer))
    except TooManyError:
        return wrong(f"This holds more than {_MOST} numbers; the question asks for {wanted}.", "too many numbers")
    except (OddError, TypeError, ValueError, RecursionError, MemoryError):
        rows = shape = unit = None
    if shape is None:
        return wrong(f"This is {described(answer)}; the question asks for {wanted}.", "not a number")
    return Numbers(tuple(_flat(rows)), shape, unit)


def _shape(rows: Any) -> tuple[int, ...] | None:
    if isinstance(rows, float):
        return ()
    if not isinstance(rows, list):
        return None
    inner = {_shape(row) for row in rows}
    if len(inner) > 1 or None in inner:
        return None
    return (len(rows), *(inner.pop() or () if inner else ()))


def _flat(rows: Any) -> list[float]:
    if isinstance(rows, float):
        return [rows]
    return [number for row in rows for number in _flat(row)]


def _unit(answer: Any) -> str | None:
    attributes = getattr(answer, "attrs", None)
    unit = attributes.get("units") if isinstance(attributes, Mapping) else None
    return unit if isinstance(unit, str) else None


def _no_numbers(answer: Any, wanted: str) -> Verdict | None:
    if answer is None:
        return wrong(
            f"The answer is None; the question asks for {wanted}. Does the function `return` its value, and did the "
            "cell above run?",
            "None",
        )
    if isinstance(answer, bool):
        return wrong(f"The answer is {answer}; the question asks for {wanted}.", "true or false")
    if isinstance(answer, str):
        return wrong(f"The answer is a text; the question asks for {wanted}: leave off the quotes.", "text")
    if isinstance(answer, complex):
        return wrong(f"The answer is a complex number; the question asks for {wanted}.", "complex number")
    if any(hasattr(answer, unit) and hasattr(answer, size) for unit, size in _QUANTITIES):
        return wrong(
            f"This is a quantity of a package for units; the question asks for {wanted}. Hand in the number, and name "
            'its unit: `check(..., answer.magnitude, unit="Gy")`, or `answer.value`.',
            "quantity",
        )
    if callable(answer) and not hasattr(answer, "tolist"):
        return wrong(
            f"The answer is a function; the question asks for {wanted}: call it, as in f(2.0).",
            "function instead of its value",
        )
    return None


_QUANTITIES = (("units", "magnitude"), ("unit", "value"))  # Pint; Astropy


def _finite(read: Numbers) -> Numbers | Verdict:
    bad = next((place for place, number in enumerate(read.flat) if not math.isfinite(number)), None)
    if bad is None:
        return read
    where = f" (first at place {bad})" if len(read.flat) > 1 else ""
    if math.isnan(read.flat[bad]):
        return wrong(
            f"The answer holds NaN, not a number{where}: look for 0/0, a logarithm of a negative number or an empty "
            "mean.",
            "NaN",
        )
    return wrong(f"The answer is infinite{where}: look for a division by zero or an overflow.", "infinite")


def text_of(answer: Any) -> str | None:
    """Returns a text as a plain one, whatever its class does with it, or None for what is no text."""
    # not `isinstance`, which asks an object for its class
    return str.__str__(answer) if issubclass(type(answer), str) else None


def kind_of(answer: Any) -> str:
    """Returns the name of a thing's type, whatever its metaclass says."""
    return short(type.__dict__["__name__"].__get__(type(answer)))


def shown(answer: Any, *, limit: int) -> str:
    """Returns a thing as text, not longer than about ``limit``."""
    try:
        return looked_at(lambda: short(_REPR.repr(answer), limit=limit))
    except OddError:
        return "something that cannot be shown"


def described(answer: Any) -> str:
    """Returns what a thing is, in words."""
    return f"of type {kind_of(answer)} ({shown(answer, limit=40)})"
