"""Checks of what the track-structure models are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import as_numbers

Floats = NDArray[np.float64]


def require_positive(**arguments: ArrayLike) -> list[Floats]:
    """Returns the arguments as arrays, or raises ScienceError that names each one not finite and above 0."""
    arrays, issues = [], []
    for name, value in arguments.items():
        array = as_numbers(value)
        good = array is not None and array.size > 0 and bool(np.all(np.isfinite(array) & (array > 0)))
        arrays.append(np.zeros(0) if array is None else array)
        if not good:
            issues.append(Issue("not usable", where=name, wanted="a finite number above 0", got=repr(value)))
    if issues:
        raise ScienceError("the arguments are not usable", issues=issues)
    return arrays


def not_negative(values: ArrayLike, name: str, *, what: str, unit: str = "") -> Floats:
    """Returns numbers as an array, or raises ScienceError that names each one negative or not finite.

    Args:
        values: The numbers, any shape.
        name: Name of the argument.
        what: What is not usable, for the message.
        unit: Its unit, for the message.
    """
    array = as_numbers(values)
    wanted = f"finite, 0 {unit} or more" if unit else "finite, 0 or more"
    if array is None or not array.size:
        raise ScienceError(what, where=name, wanted=wanted, got=repr(values))
    good = np.isfinite(array) & (array >= 0)
    if np.all(good):
        return array
    if not array.ndim:
        raise ScienceError(what, where=name, wanted=wanted, got=f"{float(array):g}")
    issues = [
        Issue("not usable", where=f"element {', '.join(map(str, index + 1))}", wanted=wanted, got=f"{value:g}")
        for index, value in zip(np.argwhere(~good), array[~good], strict=True)
    ]
    raise ScienceError(what, where=name, issues=issues)


def impacts(impact_um: ArrayLike) -> Floats:
    """Returns impact parameters in um as an array of one dimension, or raises ScienceError."""
    array = np.atleast_1d(not_negative(impact_um, "impact_um", what="an impact parameter is not usable", unit="um"))
    if array.ndim > 1:
        raise ScienceError("not a row of impact parameters", where="impact_um", got=f"shape {array.shape}")
    return array


def survival_level(level: float) -> float:
    """Returns a surviving fraction, or raises ScienceError unless it is above 0 and below 1."""
    if isinstance(level, bool) or not (isinstance(level, int | float | np.number) and 0.0 < float(level) < 1.0):
        raise ScienceError("a survival level is not usable", wanted="above 0 and below 1", got=repr(level))
    return float(level)
