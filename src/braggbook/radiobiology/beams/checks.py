"""Checks of what the beam functions are given: numbers, in range, with the row of each that is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError

Floats = NDArray[np.float64]


def real_numbers(
    values: Any, *, name: str, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf
) -> Floats:
    """Returns values as an array of finite floats of any shape.

    Args:
        values: A number or an array of any shape.
        name: What they are, with the unit, for the message.
        above: Every value must be above this.
        at_least: Every value must be this or more.
        at_most: Every value must be this or less.

    Raises:
        ScienceError: A value is not a finite number or not in the range; each is named with its row, the first is 1.
    """
    try:
        raw = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise ScienceError(f"{name} is not usable", wanted="numbers in a regular array", got="nested lists") from error
    if raw.dtype.kind in "fiu":
        numbers = raw.astype(np.float64)
        issues: list[Issue] = []
    else:
        issues = [
            Issue("not a number", where=place(row), got=repr(value))
            for row, value in enumerate(np.asarray(values, dtype=object).ravel().tolist(), 1)
            if isinstance(value, bool | complex) or not isinstance(value, int | float)
        ]
        numbers = np.full(raw.shape, np.nan) if issues else raw.astype(np.float64)
    if not issues:
        good = np.isfinite(numbers) & (numbers > above) & (numbers >= at_least) & (numbers <= at_most)
        issues = [
            Issue("not usable", where=place(row), got=repr(float(value)))
            for row, (value, fine) in enumerate(zip(numbers.ravel(), good.ravel(), strict=True), 1)
            if not fine
        ]
    if not issues:
        return numbers
    raise ScienceError(
        f"{name} is not usable", wanted=_wanted(above, at_least, at_most), got=issues[0].got, issues=issues
    )


def one_number(value: Any, *, name: str, **limits: float) -> float:
    """Returns one finite number; the limits are those of :func:`real_numbers`.

    Raises:
        ScienceError: It is not one number, or not in the range.
    """
    numbers = real_numbers(value, name=name, **limits)
    if numbers.ndim:
        raise ScienceError(f"{name} is not usable", wanted="one number", got=f"{numbers.size} of them")
    return float(numbers)


def same_length(columns: dict[str, Floats], *, at_least: int) -> None:
    """Checks that columns are one-dimensional and equally long.

    Raises:
        ScienceError: They are not, or they are too short.
    """
    flat = [name for name, values in columns.items() if values.ndim != 1]
    if flat:
        shapes = ", ".join(f"{name} {columns[name].shape}" for name in flat)
        raise ScienceError("not a curve", wanted="one-dimensional arrays", got=shapes)
    sizes = {name: len(values) for name, values in columns.items()}
    if len(set(sizes.values())) > 1:
        got = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ScienceError("the columns of a curve are not equally long", wanted="one value per depth", got=got)
    if min(sizes.values()) < at_least:
        raise ScienceError("too few points", wanted=f"at least {at_least}", got=str(min(sizes.values())))


def increasing(values: Floats, *, name: str) -> Floats:
    """Returns values that increase strictly, or raises ScienceError with the rows that do not."""
    wrong = np.flatnonzero(np.diff(values) <= 0)
    if not wrong.size:
        return values
    issues = [
        Issue(
            "not deeper than the row before", where=f"row {row + 2}", got=f"{values[row + 1]:g} after {values[row]:g}"
        )
        for row in wrong
    ]
    raise ScienceError(f"{name} does not increase", wanted="each once, shallow to deep", issues=issues)


def place(row: int) -> str:
    """Returns what an issue calls a row; the first is row 1."""
    return f"row {row}"


def listed(names: Sequence[str]) -> str:
    """Returns names in one line, as messages have them."""
    return ", ".join(names) if names else "none"


def _wanted(above: float, at_least: float, at_most: float) -> str:
    limits = []
    if math.isfinite(above):
        limits.append(f"above {above:g}")
    if math.isfinite(at_least):
        limits.append(f"{at_least:g} or more")
    if math.isfinite(at_most):
        limits.append(f"at most {at_most:g}")
    return "finite numbers" + (", " + " and ".join(limits) if limits else "")
