"""Checks of what models are given: numbers in the right range, all faults named at once, each with its row.

A name with its rule and value goes in, arrays of one shape come out::

    dose, ratio = checked({"dose_gy": (dose_gy, NOT_NEGATIVE), "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO)})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NUMBER_KINDS = "iuf"  # whole and floating-point numbers: no text, no truth values, no dates


@dataclass(frozen=True)
class Rule:
    """What an argument must be.

    Attributes:
        wanted: The rule in words, for the message.
        holds: Tells for each number whether it keeps the rule; NaN must not, nor what is too large to be meant.
    """

    wanted: str
    holds: Callable[[Floats], Bools]


# No dose, time, rate or ratio is of such a size; within, squares and quotients of arguments stay numbers.
_LARGEST, _SMALLEST = 1e60, 1e-60

FINITE = Rule("a finite number", lambda x: np.abs(x) <= _LARGEST)
NOT_NEGATIVE = Rule("a finite number, 0 or more", lambda x: (x >= 0) & (x <= _LARGEST))
ABOVE_ZERO = Rule("a finite number above 0", lambda x: (x >= _SMALLEST) & (x <= _LARGEST))
ABOVE_ZERO_OR_INFINITE = Rule(
    "a number above 0, which may be infinite", lambda x: (x >= _SMALLEST) & ((x <= _LARGEST) | np.isinf(x))
)
WHOLE_ABOVE_ZERO = Rule("a whole number, 1 or more", lambda x: (x >= 1) & (x <= _LARGEST) & (x == np.floor(x)))
BETWEEN_ZERO_AND_ONE = Rule("a number between 0 and 1, both excluded", lambda x: (x > 0) & (x < 1))


def within(low: float, high: float, *, of: str = "") -> Rule:
    """Returns the rule of a range, both ends included; ``of`` is the unit, and why, for the message."""
    return Rule(f"a number from {low:g} to {high:g} {of}".rstrip(), lambda x: (x >= low) & (x <= high))


FRACTION = within(0, 1)


def checked(arguments: Mapping[str, tuple[ArrayLike, Rule]]) -> tuple[Floats, ...]:
    """Returns the arguments as arrays of one shape.

    Args:
        arguments: Value and rule by the name of the argument.

    Raises:
        ScienceError: An argument is empty, is not made of numbers or breaks its rule (every row is named, 1-based), or
            the shapes do not go together.
    """
    arrays: dict[str, Floats] = {}
    issues: list[Issue] = []
    for name, (value, rule) in arguments.items():
        array = as_numbers(value)
        if array is None:
            issues += _not_numbers(name, value, wanted=rule.wanted)
        elif array.size == 0:
            issues.append(Issue("empty", where=name, wanted="at least one number"))
        else:
            issues += refused(name, array, good=rule.holds(array), wanted=rule.wanted)
            arrays[name] = array
    if issues:
        raise ScienceError("the arguments are not usable", issues=issues)
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ScienceError(
            "the arguments do not go together", wanted="one shape, or shapes that broadcast", got=shapes
        ) from None


def checked_scalars(arguments: Mapping[str, tuple[float, Rule]]) -> tuple[float, ...]:
    """Returns the arguments as floats.

    Raises:
        ScienceError: As :func:`checked`; or an argument is not one number.
    """
    arrays = {name: as_numbers(value) for name, (value, _) in arguments.items()}
    issues = [
        Issue("not one number", where=name, wanted=arguments[name][1].wanted, got=shortened(arguments[name][0]))
        for name, array in arrays.items()
        if array is not None and array.ndim > 0
    ]
    if issues:
        raise ScienceError("the arguments are not usable", issues=issues)
    return tuple(float(array) for array in checked(arguments))


def checked_table(columns: Mapping[str, tuple[ArrayLike, Rule]], *, at_least: int = 1) -> tuple[Floats, ...]:
    """Returns the arguments as arrays of one length, shape (rows,); a single number is not stretched.

    Raises:
        ScienceError: As :func:`checked`; or a column is not one-dimensional, the lengths differ, or there are fewer
            than ``at_least`` rows.
    """
    arrays = {name: as_numbers(value) for name, (value, _) in columns.items()}
    lengths = {name: array.shape for name, array in arrays.items() if array is not None}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        raise ScienceError("the columns do not go together", wanted="one-dimensional, of one length", got=got)
    found = checked(columns)
    if len(found[0]) < at_least:
        raise ScienceError(
            "too few rows", where=", ".join(columns), wanted=f"{at_least} or more", got=f"{len(found[0])}"
        )
    return found


def increasing(values: Floats, *, name: str) -> Floats:
    """Returns values, shape (n,), that increase strictly.

    Raises:
        ScienceError: Some do not; every row is named, 1-based.
    """
    wrong = np.flatnonzero(np.diff(values) <= 0)
    if not wrong.size:
        return values
    issues = [
        Issue(
            "not above the row before", where=f"{name}, row {row + 2}", got=f"{values[row + 1]:g} after {values[row]:g}"
        )
        for row in wrong
    ]
    raise ScienceError(f"{name} does not increase", issues=issues)


def refused(name: str, array: Floats, *, good: Bools, wanted: str) -> list[Issue]:
    """Returns an issue for every number that is not good, with its row."""
    return [
        Issue("not usable", where=_place(name, index), wanted=wanted, got=f"{array[index]:g}")
        for index in map(tuple, np.argwhere(~good).tolist())
    ]


def as_numbers(value: ArrayLike) -> Floats | None:
    """Returns a value as an array of floats, or None when it is not made of numbers.

    A masked value stands for none, and what lies below the mask is nobody's number: such an array is refused.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return None
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # as pandas holds numbers beside None
            if not all(_is_number(item) for item in array.ravel()):
                return None
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return array.astype(np.float64) if array.dtype.kind in _NUMBER_KINDS or array.size == 0 else None


def shortened(value: object) -> str:
    """Returns what a value looks like, in one line of at most 60 characters."""
    text = " ".join(repr(value.item() if isinstance(value, np.generic) else value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(item: object) -> bool:
    return isinstance(item, int | float | np.number) and not isinstance(item, bool | np.complexfloating)


def _not_numbers(name: str, value: ArrayLike, *, wanted: str) -> list[Issue]:
    try:
        items = np.asarray(value, dtype=object)
    except ValueError:  # of no shape
        items = np.asarray(None)
    bad = [(index, item) for index, item in np.ndenumerate(items) if index and not _is_number(item)]
    return [
        Issue("not a number", where=_place(name, index), wanted=wanted, got=shortened(item)) for index, item in bad
    ] or [Issue("not numbers", where=name, wanted=wanted, got=shortened(value))]


def _place(name: str, index: Sequence[int]) -> str:
    row = ", ".join(str(i + 1) for i in index)
    return f"{name}, row {row}" if row else name
