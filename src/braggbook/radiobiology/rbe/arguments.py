"""Reads numbers and arrays that callers give: every argument that is not usable is named, with its first row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError

Floats = NDArray[np.float64]

_RANGES: dict[str, tuple[str, Callable[[Floats], NDArray[np.bool_]]]] = {
    "zero_or_more": ("finite numbers, 0 or more", lambda values: values >= 0),
    "above_zero": ("finite numbers above 0", lambda values: values > 0),
    "fractions": ("numbers between 0 and 1, both excluded", lambda values: (values > 0) & (values < 1)),
}


def read_numbers(
    *,
    zero_or_more: Mapping[str, ArrayLike] | None = None,
    above_zero: Mapping[str, ArrayLike] | None = None,
    fractions: Mapping[str, ArrayLike] | None = None,
) -> dict[str, Floats]:
    """Returns the named arguments as arrays of one common shape.

    Args:
        zero_or_more: Arguments by name that may be 0.
        above_zero: Arguments by name that may not.

    Raises:
        ScienceError: An argument is not a number, not finite or outside its range, or the shapes do not go
            together; every one of them is named, with its first offending number and its row (from 1).
    """
    found: dict[str, Floats] = {}
    issues = []
    for kind, arguments in (("zero_or_more", zero_or_more), ("above_zero", above_zero), ("fractions", fractions)):
        for name, value in (arguments or {}).items():
            array = _array(value)
            if array is None:
                issues.append(Issue("not usable", where=name, wanted=_RANGES[kind][0], got=repr(value)[:60]))
                continue
            found[name] = array
            issues += _range_issues(name, array, kind=kind)
    if not issues:
        try:
            return dict(zip(found, np.broadcast_arrays(*found.values()), strict=True))
        except ValueError:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in found.items())
            issues.append(Issue("the shapes do not go together", wanted="shapes that broadcast", got=shapes))
    raise ScienceError("the arguments are not usable", issues=issues)


def _array(value: ArrayLike) -> Floats | None:
    """Returns the numbers, or None when they are none."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "OUS":  # text is never a number, not even "2"
            if any(isinstance(item, str | bytes | bool) or item is None for item in array.ravel()):
                return None
            array = array.astype(np.float64)
        if array.dtype.kind not in "iuf":
            return None
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _range_issues(name: str, array: Floats, *, kind: str) -> list[Issue]:
    wanted, inside = _RANGES[kind]
    if array.size == 0:
        return [Issue("empty", where=name, wanted=wanted)]
    good = np.isfinite(array) & inside(array)
    if np.all(good):
        return []
    bad = np.flatnonzero(~good.ravel())
    got = f"{array.ravel()[bad[0]]:g}" + (f" and {len(bad) - 1} more" if len(bad) > 1 else "")
    row = f", row {bad[0] + 1}" if array.ndim else ""
    return [Issue("not usable", where=f"{name}{row}", wanted=wanted, got=got)]
