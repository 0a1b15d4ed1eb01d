"""What metrics of segmentations take: two masks on one grid.

Conventions: masks are boolean arrays, (y, x) or (z, y, x), true inside; the spacing has one positive number of mm for
each axis, in the same order. Outside of the array is background: a structure that touches the edge has a surface there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.errors import InputError, Issue

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_DIMENSIONS = (2, 3)


class NoValue(InputError):
    """A metric has no value for these masks: one of them is empty, or both."""


def check_masks(
    reference: Any, estimate: Any, spacing_mm: Sequence[float] | Floats | None = None
) -> tuple[Mask, Mask, Floats]:
    """Returns both masks and the spacing, checked.

    Args:
        reference: Boolean, or of numbers that are all 0 or 1.
        estimate: The same, of the same shape.
        spacing_mm: One number for each axis; 1 mm where the metric needs none.

    Raises:
        InputError: With everything that is wrong.
    """
    issues: list[Issue] = []
    first = _mask(reference, "reference", issues)
    second = _mask(estimate, "estimate", issues)
    if first.shape != second.shape:
        issues.append(Issue("of another shape", "estimate", str(first.shape), str(second.shape)))
    spacing = np.ones(first.ndim) if spacing_mm is None else np.asarray(spacing_mm, float)
    if spacing.shape != (first.ndim,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        issues.append(Issue("not a spacing", "spacing_mm", f"{first.ndim} positive numbers", str(spacing_mm)))
    if issues:
        raise InputError("not two masks on one grid", issues=issues)
    return first, second, spacing


def _mask(given: Any, what: str, issues: list[Issue]) -> Mask:
    array = np.asarray(given)
    if array.ndim not in _DIMENSIONS:
        issues.append(Issue("not a mask", what, "(y, x) or (z, y, x)", f"{array.ndim} axes"))
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "uif" or not np.isin(array, (0, 1)).all():
        issues.append(Issue("not a mask", what, "true and false, or 0 and 1", str(array.dtype)))
        return np.zeros(array.shape, np.bool_)
    return array.astype(np.bool_)


def cropped(reference: Mask, estimate: Mask) -> tuple[Mask, Mask]:
    """Returns both masks in the box around what is in either; empty ones have no voxel."""
    box = []
    for axis in range(reference.ndim):
        others = tuple(other for other in range(reference.ndim) if other != axis)
        there = np.flatnonzero(reference.any(axis=others) | estimate.any(axis=others))
        if not len(there):
            return reference[(slice(0, 0),) * reference.ndim], estimate[(slice(0, 0),) * estimate.ndim]
        box.append(slice(there[0], there[-1] + 1))
    return reference[tuple(box)], estimate[tuple(box)]
