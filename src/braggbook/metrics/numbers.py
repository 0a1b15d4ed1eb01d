"""What metrics of numbers take: lists of the same length, all finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.errors import InputError, Issue

Floats = npt.NDArray[np.float64]


def check_lists(least: int = 1, **lists: Any) -> tuple[Floats, ...]:
    """Returns lists of numbers as arrays, checked.

    Args:
        least: How many numbers each must have.
        lists: By name, for messages.

    Raises:
        InputError: With everything that is wrong: not numbers, not finite, of other lengths, too few.
    """
    issues: list[Issue] = []
    arrays = [_list(given, name, issues) for name, given in lists.items()]
    lengths = {name: len(array) for name, array in zip(lists, arrays, strict=True)}
    if not issues and len(set(lengths.values())) > 1:
        issues.append(Issue("of different lengths", ", ".join(lengths), got=", ".join(map(str, lengths.values()))))
    if not issues and min(lengths.values()) < least:
        issues.append(Issue("too few", ", ".join(lengths), f"{least} or more", str(min(lengths.values()))))
    if issues:
        raise InputError("not numbers that can be compared", issues=issues)
    return tuple(arrays)


def check_part(name: str, value: Any) -> float:
    """Returns a part of a whole, such as a confidence, checked to lie between 0 and 1.

    Raises:
        InputError: It does not.
    """
    if not (isinstance(value, int | float) and 0 < value < 1):
        raise InputError(f"not a {name}", where=name, wanted="between 0 and 1", got=str(value))
    return float(value)


def _list(given: Any, name: str, issues: list[Issue]) -> Floats:
    try:
        if np.asarray(given).dtype.kind in "USc":  # NumPy would read "1.5" as a number
            raise TypeError
        array = np.asarray(given, float)
    except (TypeError, ValueError):
        array = np.zeros(0)
        issues.append(Issue("not numbers", name, got=type(given).__name__))
        return array
    if array.ndim != 1:
        issues.append(Issue("not a list", name, "one axis", f"{array.ndim} axes"))
        return array.ravel()
    if not np.isfinite(array).all():
        issues.append(Issue("not finite", name, "numbers", f"{np.count_nonzero(~np.isfinite(array))} that are not"))
    return array
