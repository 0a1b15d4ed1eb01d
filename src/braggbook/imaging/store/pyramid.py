"""Smaller copies of a volume, each half of the one before, for viewers that show a part at a time.

The rule: of z, y and x, those axes are halved whose spacing is below twice the smallest, so that voxels become cubes;
an axis of one voxel stays. It ends when no axis has more than 128 voxels. A voxel of the smaller copy is

- ``mean``: the mean of the voxels that it covers, whole numbers rounded half to even;
- ``majority``, for masks: whether at least half of them are in;
- ``stride``, for labels: the first of them.

At the end of an axis of odd length the last voxel counts twice. Time points and channels are never mixed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from braggbook.imaging.store.layout import Index, Region
from braggbook.imaging.store.lazy import LazyArray
from braggbook.imaging.store.shards import Array

Method = Literal["mean", "majority", "stride"]
_SMALLEST = 128  # voxels along the longest axis of the last copy: it fits one chunk
_PIECE_BYTES = 8 << 20  # of the larger copy that are in memory at once, for each thread; sums take as much again


@dataclass(frozen=True)
class Level:
    """One copy.

    Attributes:
        shape: Slices, rows and columns (z, y, x).
        factors: By how much it is smaller than the whole volume (z, y, x).
    """

    shape: tuple[int, int, int]
    factors: tuple[int, int, int]


def plan_levels(shape: Sequence[int], spacing_mm: Sequence[float]) -> list[Level]:
    """Returns the copies of a volume, the whole one first.

    Args:
        shape: Slices, rows and columns (z, y, x).
        spacing_mm: Of neighbours along z, y and x.
    """
    levels = [Level((shape[0], shape[1], shape[2]), (1, 1, 1))]
    while max(levels[-1].shape) > _SMALLEST:
        last = levels[-1]
        spacing = [s * f for s, f in zip(spacing_mm, last.factors, strict=True)]
        smallest = min(s for s, n in zip(spacing, last.shape, strict=True) if n > 1)
        by = [2 if n > 1 and s < 2 * smallest else 1 for s, n in zip(spacing, last.shape, strict=True)]
        z, y, x = (-(-n // f) for n, f in zip(last.shape, by, strict=True))
        fz, fy, fx = (f * g for f, g in zip(last.factors, by, strict=True))
        levels.append(Level((z, y, x), (fz, fy, fx)))
    return levels


class HalvedSource:
    """A copy, computed from the one before as that lies on the disk.

    Args:
        before: The larger copy.
        by: 1 or 2 for each of its dimensions.
        method: How.
    """

    def __init__(self, before: LazyArray, *, by: Index, method: Method) -> None:
        self._before = before
        self._by = by
        self._method = method

    @property
    def shape(self) -> Index:
        """Lengths, of all dimensions."""
        return tuple(-(-n // f) for n, f in zip(self._before.shape, self._by, strict=True))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the larger copy."""
        return self._before.dtype

    def block(self, region: Region) -> Array:
        """Returns a part, by pieces of a few slices."""
        out = np.empty(tuple(s.stop - s.start for s in region), dtype=self.dtype)
        z = len(region) - 3
        row = int(np.prod([n * f for n, f in zip(out.shape[z + 1 :], self._by[z + 1 :], strict=True)]))
        step = max(1, _PIECE_BYTES // max(1, row * self._by[z] * self.dtype.itemsize))
        for first in range(0, out.shape[z], step):
            last = min(first + step, out.shape[z])
            start = region[z].start
            part = (*region[:z], slice(start + first, start + last), *region[z + 1 :])
            out[(*(slice(None),) * z, slice(first, last))] = self._halved(part)
        return out

    def _halved(self, part: Region) -> Array:
        shape = self._before.shape
        wanted = tuple(slice(s.start * f, min(s.stop * f, n)) for s, f, n in zip(part, self._by, shape, strict=True))
        values = self._before[wanted]
        short = [(0, (s.stop - s.start) * f - n) for s, f, n in zip(part, self._by, values.shape, strict=True)]
        if any(after for _, after in short):
            values = np.pad(values, short, mode="edge")
        return halve(values, by=self._by, method=self._method)


def halve(values: Array, *, by: Index, method: Method) -> Array:
    """Returns an array halved along some of its dimensions.

    Args:
        values: Lengths are multiples of ``by``.
        by: 1 or 2 for each dimension.
        method: How; see the module.
    """
    starts = list(itertools.product(*map(range, by)))
    cells = [values[tuple(slice(i, None, f) for i, f in zip(start, by, strict=True))] for start in starts]
    if method == "stride":
        return np.ascontiguousarray(cells[0])
    total = cells[0].astype(np.int64 if values.dtype.kind in "biu" and values.dtype.itemsize < 8 else np.float64)
    for cell in cells[1:]:
        total += cell
    if method == "majority":
        return np.asarray(2 * total >= len(cells), dtype=values.dtype)
    mean = total / len(cells)
    if values.dtype.kind not in "biu":
        return mean.astype(values.dtype)
    rounded: Array = np.rint(mean)
    return rounded.astype(values.dtype)
