"""Reading what a student hands in: numbers, arrays and their units, without importing what made them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from braggbook.learn.base import short
from braggbook.learn.verdict import Verdict, wrong

_TOO_LONG = 1_000_000  # elements; no exercise asks for more, and each is compared in Python


@dataclass(frozen=True)
class Numbers:
    """Numbers in the order of a nested list, with its shape and the unit that came with them (None: none did)."""

    flat: tuple[float, ...]
    shape: tuple[int, ...]
    unit: str | None = None


def read_number(answer: Any) -> Numbers | Verdict:
    """Returns one finite number, or the verdict on what is none."""
    if (verdict := _no_numbers(answer, "a number")) is not None:
        return verdict
    read = _read(answer)
    if read is None:
        return wrong(f"This is {_described(answer)}; the question asks for a number.", "not a number")
    if len(read.flat) != 1:
        size = " x ".join(map(str, read.shape))
        return wrong(f"This is an array ({size}); the question asks for one number.", "array instead of a number")
    return _finite(read)


def read_values(answer: Any) -> Numbers | Verdict:
    """Returns finite numbers, or the verdict on what is none."""
    if (verdict := _no_numbers(answer, "a list or an array of numbers")) is not None:
        return verdict
    read = _read(answer)
    if read is None:
        return wrong(f"This is {_described(answer)}; the question asks for numbers.", "not numbers")
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
    """Returns numbers and nested lists of them from whatever holds them, or None for anything else."""
    if isinstance(answer, bool):
        return None
    if isinstance(answer, Real) or type(answer).__name__ == "Decimal":
        return float(answer)
    for name in ("tolist", "to_list"):
        if callable(method := getattr(answer, name, None)):
            return plain(method())
    if hasattr(answer, "values") and not isinstance(answer, Mapping) and not callable(answer.values):
        return plain(answer.values)  # xarray and pandas
    if isinstance(answer, (list, tuple, range)):
        rows = [plain(item) for item in answer[:_TOO_LONG]]
        return None if any(row is None for row in rows) else rows
    return None


def _read(answer: Any) -> Numbers | None:
    try:
        rows = plain(answer)
        shape = _shape(rows)
    except Exception:  # an object of anybody's making may raise anything when it is looked at
        return None
    if rows is None or shape is None:
        return None
    return Numbers(tuple(_flat(rows)), shape, _unit(answer))


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
    if callable(answer) and not hasattr(answer, "tolist"):
        return wrong(
            f"The answer is a function; the question asks for {wanted}: call it, as in f(2.0).",
            "function instead of its value",
        )
    return None


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


def _described(answer: Any) -> str:
    try:
        shown = short(repr(answer), limit=40)
    except Exception:  # the same
        shown = "something that cannot be shown"
    return f"of type {type(answer).__name__} ({shown})"
