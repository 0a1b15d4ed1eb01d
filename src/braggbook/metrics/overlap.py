"""Overlap of two masks: how many voxels they share, whatever their distance.

Conventions are those of :mod:`braggbook.metrics.masks`. Two empty masks share everything that there is to share and
nothing at all: the metrics raise :class:`~braggbook.errors.NoValue`, and a definition says what that counts as.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.errors import InputError, NoValue
from braggbook.metrics.masks import check_masks

_MM3_PER_CC = 1000.0


@dataclass(frozen=True)
class Counts:
    """Voxels of two masks.

    Attributes:
        both: In both (true positives).
        only_reference: Missed (false negatives).
        only_estimate: Too many (false positives).
        neither: Background of both (true negatives).
    """

    both: int
    only_reference: int
    only_estimate: int
    neither: int


def count_voxels(reference: Any, estimate: Any) -> Counts:
    """Counts the voxels that two masks share and do not.

    Raises:
        InputError: They are not two masks on one grid.
    """
    first, second, _ = check_masks(reference, estimate)
    both = int(np.count_nonzero(first & second))
    ours, theirs = int(np.count_nonzero(first)), int(np.count_nonzero(second))
    return Counts(both, ours - both, theirs - both, first.size - ours - theirs + both)


def dice(reference: Any, estimate: Any) -> float:
    """Dice's coefficient, 2 |A and B| / (|A| + |B|) (Dice, Ecology 26, 297 (1945), doi:10.2307/1932409).

    Raises:
        InputError: They are not two masks on one grid.
        NoValue: Both are empty.
    """
    counts = count_voxels(reference, estimate)
    return _ratio(2 * counts.both, 2 * counts.both + counts.only_reference + counts.only_estimate)


def iou(reference: Any, estimate: Any) -> float:
    """Intersection over union (Jaccard's index), |A and B| / |A or B| (Jaccard, New Phytol. 11, 37 (1912)).

    Raises:
        InputError: They are not two masks on one grid.
        NoValue: Both are empty.
    """
    counts = count_voxels(reference, estimate)
    return _ratio(counts.both, counts.both + counts.only_reference + counts.only_estimate)


def volume_difference_cc(reference: Any, estimate: Any, *, spacing_mm: Sequence[float] | None = None) -> float:
    """Volume of the estimate less that of the reference, in cm3; positive where there is too much.

    Args:
        reference: (z, y, x).
        estimate: (z, y, x).
        spacing_mm: Of the voxels; not needed for volumes of :mod:`braggbook.imaging`.

    Raises:
        InputError: They are not two masks on one grid, or have two axes.
    """
    first, second, spacing = check_masks(reference, estimate, spacing_mm, needs_spacing=True)
    if first.ndim != 3:
        raise InputError("a plane has no volume", wanted="(z, y, x)", got=f"{first.ndim} axes")
    difference = int(np.count_nonzero(second)) - int(np.count_nonzero(first))
    return difference * float(np.prod(spacing)) / _MM3_PER_CC


def relative_volume_difference(reference: Any, estimate: Any) -> float:
    """Volume of the estimate less that of the reference, as a part of the latter.

    Raises:
        InputError: They are not two masks on one grid.
        NoValue: The reference is empty.
    """
    counts = count_voxels(reference, estimate)
    return _ratio(counts.only_estimate - counts.only_reference, counts.both + counts.only_reference)


def _ratio(part: int, whole: int) -> float:
    if whole == 0:
        raise NoValue("the metric has no value", wanted="masks that are not empty", got="empty ones")
    return part / whole
