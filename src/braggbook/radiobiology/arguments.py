"""Checks of what models are given: numbers in the right range, all faults named at once, each with its row.

A name with its rule and value goes in, arrays of one shape come out::

    dose, ratio = checked({"dose_gy": (dose_gy, NOT_NEGATIVE), "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO)})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
FRACTION = Rule("a number from 0 to 1", lambda x: (x >= 0) & (x <= 1))
BETWEEN_ZERO_AND_ONE = Rule("a number between 0 and 1", lambda x: (x > 0) & (x < 1))


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
            issues.append(Issue("not numbers", where=name, wanted=rule.wanted, got=shortened(value)))
        elif array.size == 0:
            issues.append(Issue("empty", where=name, wanted="at least one number"))
        else:
            issues += _broken(name, array, rule=rule)
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


def checked_table(columns: Mapping[str, tuple[ArrayLike, Rule]]) -> tuple[Floats, ...]:
    """Returns the arguments as arrays of one length, shape (rows,); a single number is not stretched.

    Raises:
        ScienceError: As :func:`checked`; or a column is not one-dimensional, or the lengths differ.
    """
    arrays = {name: as_numbers(value) for name, (value, _) in columns.items()}
    lengths = {name: array.shape for name, array in arrays.items() if array is not None}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        raise ScienceError("the columns do not go together", wanted="one-dimensional, of one length", got=got)
    return checked(columns)


def as_numbers(value: ArrayLike) -> Floats | None:
    """Returns a value as an array of floats, or None when it is not made of numbers."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # as pandas holds numbers beside None
            array = np.asarray([_number(item) for item in array.ravel()]).reshape(array.shape)
    except (TypeError, ValueError):
        return None
    return array.astype(np.float64) if array.dtype.kind in _NUMBER_KINDS or array.size == 0 else None


def shortened(value: object) -> str:
    """Returns what a value looks like, in one line of at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _number(item: object) -> float:
    if isinstance(item, int | float | np.number) and not isinstance(item, bool):
        return float(item)
    raise TypeError


def _broken(name: str, array: Floats, *, rule: Rule) -> list[Issue]:
    bad = np.argwhere(~rule.holds(array))
    found = []
    for index in bad:
        row = ", ".join(str(i + 1) for i in index)
        found.append(
            Issue(
                "not usable",
                where=f"{name}, row {row}" if row else name,
                wanted=rule.wanted,
                got=f"{array[tuple(index)]:g}",
            )
        )
    return found
