"""Counts how much of a body gets which dose: the compiled loops below :mod:`braggbook.imaging.dose.dvh`.

Between contours, a scan line's part within the structure is exact (its crossings are calculated), and where one
outline blends into another each piece's part of the height; scan lines are midpoints of rows. Each line is cut into
pieces no longer than the pitch, each piece's height into parts likewise, and each part has the dose of one point in it.
These points are spread over their parts by an additive recurrence, so that a dose that is constant along an axis does
not fall into a few values (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018: multiples of
powers of 1/1.2207, modulo 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from braggbook.imaging.dose.outlines import crossings, deepest_point, distance, edges_by_row
from braggbook.imaging.dose.slabs import Layers
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.resample import in_order, trilinear

_LEAST_ROWS = 4  # of a body, however small
_ROUNDING = 1e-9  # of a part of the height: a layer of exactly two parts is not three
_MASK_VOXELS = 4096  # in one task
_TASKS = 8  # of many samples
_FEW_SAMPLES = 100_000  # that one task counts before threads have begun
_SPREAD = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)  # x, x^2, x^3 of 1/x^4 = 1/x + 1
_TINY = 1e-300  # mm: how deep an outline without an inside is, as nothing is divided by 0
_OUTSIDE = 0  # places in the totals
_SAMPLES = 1
_MINIMUM = 2
_MAXIMUM = 3
_TOTALS = 4


@dataclass(frozen=True, eq=False)
class Counts:
    """Sums over samples.

    Attributes:
        volume_mm3: (bins,) in each bin of dose.
        dose_volume: (bins,) sum of dose x volume in each bin, Gy mm3.
        outside_mm3: Volume of samples where there is no dose.
        minimum_gy: Smallest dose of a sample; infinite if there is none.
        maximum_gy: Largest.
        samples: How many.
    """

    volume_mm3: Floats
    dose_volume: Floats
    outside_mm3: float
    minimum_gy: float
    maximum_gy: float
    samples: int


@dataclass(frozen=True)
class Bins:
    """Bins of dose: from ``first_gy``, ``count`` of ``width_gy`` each; the last takes what is above, too."""

    first_gy: float
    width_gy: float
    count: int


def count_layers(dose: Any, grid: Grid, body: Layers, *, bins: Bins, factor: float) -> Counts:
    """Returns how much of a body between contours gets which dose.

    Args:
        dose: (z, y, x) float64 Gy, NaN where there is none.
        grid: Where the dose is.
        body: The structure.
        bins: Of dose.
        factor: Samples per dose voxel along each axis, about.
    """
    place = np.column_stack([grid.inverse[:3, :3] @ body.axes.T, grid.inverse[:3, 3]])  # (u, v, w, 1) to (x, y, z)
    per_mm = np.sqrt((place[:, :3] ** 2).sum(axis=0)) * factor
    low, high = float(body.edges[:, 1].min()), float(body.edges[:, 1].max())
    rows = max(_LEAST_ROWS, int(np.ceil((high - low) * per_mm[1])))
    step = (high - low) / rows
    outlines = (body.edges, body.starts, *edges_by_row(body.edges, body.starts, low, step, rows))
    lines = (low, step, 1 / per_mm[0], per_mm[2])
    scale = (bins.first_gy, 1 / bins.width_gy)
    wide = float(np.ptp(body.edges[:, 0])) * per_mm[0] * rows
    samples = wide * float(np.abs(np.diff(body.heights_mm, axis=1)).sum()) * per_mm[2]  # of the box around it
    size = len(body.planes) if samples < _FEW_SAMPLES else -(-len(body.planes) // _TASKS)
    tasks = [
        (dose, place, outlines, body.planes[n : n + size], body.heights_mm[n : n + size], lines, scale, _empty(bins))
        for n in range(0, len(body.planes), size)
    ]
    in_order(_scan, tasks)
    return _sum([task[-1] for task in tasks])


def count_voxels(
    dose: Any, grid: Grid, *, index: npt.NDArray[np.int64], part: Floats, of: Grid, bins: Bins, divide: int
) -> Counts:
    """Returns how much of a body of voxels gets which dose.

    Args:
        dose: (z, y, x) float64 Gy, NaN where there is none.
        grid: Where the dose is.
        index: (n, 3) voxels (x, y, z) of the body.
        part: (n,) how much of each voxel belongs to it.
        of: The grid of these voxels.
        bins: Of dose.
        divide: Samples along each axis of a voxel.
    """
    matrix = np.ascontiguousarray((grid.inverse @ of.affine)[:3])
    size = part * (of.voxel_mm3 / divide**3)
    scale = (bins.first_gy, 1 / bins.width_gy)
    tasks = [
        (dose, matrix, index[n : n + _MASK_VOXELS], size[n : n + _MASK_VOXELS], divide, scale, _empty(bins))
        for n in range(0, len(index), _MASK_VOXELS)
    ]
    in_order(_divide, tasks)
    return _sum([task[-1] for task in tasks])


def _empty(bins: Bins) -> tuple[Floats, Floats]:
    """Returns sums of volume and of dose x volume, (2, bins), and the totals."""
    totals = np.zeros(_TOTALS)
    totals[_MINIMUM], totals[_MAXIMUM] = np.inf, -np.inf
    return np.zeros((2, bins.count)), totals


def _sum(parts: list[tuple[Floats, Floats]]) -> Counts:
    sums, totals = parts[0]
    for more_sums, more in parts[1:]:
        sums += more_sums
        low, high = min(totals[_MINIMUM], more[_MINIMUM]), max(totals[_MAXIMUM], more[_MAXIMUM])
        totals += more
        totals[_MINIMUM], totals[_MAXIMUM] = low, high
    return Counts(
        volume_mm3=sums[0],
        dose_volume=sums[1],
        outside_mm3=float(totals[_OUTSIDE]),
        minimum_gy=float(totals[_MINIMUM]),
        maximum_gy=float(totals[_MAXIMUM]),
        samples=int(totals[_SAMPLES]),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(number: Any, step: Any) -> Any:
    """Returns from -1/2 to 1/2, evenly over growing numbers; the first is 0."""
    place = number * step + 0.5
    return place - np.floor(place) - 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def _add(dose: Any, size: Any, scale: Any, sums: Any) -> None:
    place = min(max(int((dose - scale[0]) * scale[1]), 0), sums.shape[1] - 1)
    sums[0, place] += size
    sums[1, place] += size * dose


@njit(cache=True, nogil=True, error_model="numpy")
def _add_totals(outside: Any, samples: Any, smallest: Any, largest: Any, totals: Any) -> None:
    totals[_OUTSIDE] += outside
    totals[_SAMPLES] += samples
    totals[_MINIMUM] = min(totals[_MINIMUM], smallest)
    totals[_MAXIMUM] = max(totals[_MAXIMUM], largest)


@njit(cache=True, nogil=True, error_model="numpy")
def _scan(
    values: Any, place: Any, outlines: Any, planes: Any, heights: Any, lines: Any, scale: Any, counted: Any
) -> None:
    """Counts some layers; see :func:`count_layers`."""
    edges, starts, places, numbers = outlines
    low, step, pitch, per_w = lines
    rows, longest = places.shape[1] - 1, np.max(places[:, 1:] - places[:, :-1])
    ends, marks = np.empty(2 * longest), np.empty(2 * longest, dtype=np.int64)
    cells = np.empty((2 * longest + int(np.ptp(edges[:, 0]) / pitch) + 1, 4))
    nearest = np.zeros(2, dtype=np.int64)
    number = 0
    for layer in range(len(planes)):
        first, second = planes[layer, 0], max(planes[layer, 1], 0)
        outline, other = (edges, places[first], numbers, low, step), (edges, places[second], numbers, low, step)
        nearest[0], nearest[1] = starts[first], starts[second]
        closing, changing = planes[layer, 1] < 0, planes[layer, 1] >= 0 and first != second
        deepest = _deepest(outline, pitch, ends, marks, starts[first]) if closing else 0.0
        for row in range(rows):
            v = low + (row + 0.5) * step
            count = crossings(edges, numbers[outline[1][row] : outline[1][row + 1]], v, 0, 0, ends, marks)
            if changing:
                count = crossings(edges, numbers[other[1][row] : other[1][row + 1]], v, 1, count, ends, marks)
            if count == 0:
                continue
            kind = (closing, changing, deepest, pitch)
            filled = _cut(v, outline, other, ends[:count], marks, kind, nearest, cells)
            where = (v, step, heights[layer, 0], heights[layer, 1], per_w)
            number = _sample(values, place, cells[:filled], where, number, scale, counted)


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(v: Any, outline: Any, other: Any, ends: Any, marks: Any, kind: Any, nearest: Any, cells: Any) -> Any:
    """Cuts a scan line inside either outline into cells: middle, width, and from where to where they are in the body.

    Args:
        v: Of the line.
        outline: The one that a layer begins with; see :func:`braggbook.imaging.dose.outlines.distance`.
        other: The one that it ends with.
        ends: Where the line crosses them, in order.
        marks: Which of them, 0 or 1.
        kind: Whether the layer shrinks to nothing, whether it changes, its deepest point, and the longest cell.
        nearest: Edges of both that were the nearest to the last cell.
        cells: (n, 4) to fill.

    Returns:
        How many.
    """
    closing, changing, deepest, pitch = kind
    here = there = False
    filled = 0
    for n in range(len(ends) - 1):
        here, there = here != (marks[n] == 0), there != (marks[n] == 1)
        if not (here or there) or ends[n + 1] <= ends[n]:
            continue
        whole = not closing and (here == there or not changing)
        pieces = max(1, int(np.ceil((ends[n + 1] - ends[n]) / pitch)))
        wide = (ends[n + 1] - ends[n]) / pieces
        for piece in range(pieces):
            u = ends[n] + (piece + 0.5) * wide
            bottom, top = 0.0, 1.0
            if not whole:
                bottom, top = _part(u, v, outline, other, here, deepest, nearest)
            cells[filled, 0], cells[filled, 1], cells[filled, 2], cells[filled, 3] = u, wide, bottom, top
            filled += 1
    return filled


@njit(cache=True, nogil=True, error_model="numpy")
def _part(u: Any, v: Any, outline: Any, other: Any, here: Any, deepest: Any, nearest: Any) -> Any:
    """Returns from where to where, as parts of the way from one outline to the other, a point is inside.

    The signed distances of both are blended linearly; where the other outline is nothing, it is the first one's
    distance less that of its deepest point.
    """
    near, nearest[0] = distance(u, v, outline, nearest[0])
    if deepest > 0:
        return 0.0, min(near / deepest, 1.0)
    far, nearest[1] = distance(u, v, other, nearest[1])
    change = near / (near + far) if near + far > 0 else 0.5
    return (0.0, change) if here else (change, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _deepest(outline: Any, pitch: Any, ends: Any, marks: Any, near: Any) -> Any:
    """Returns the largest distance from the outline of a point inside: near the deepest cell of scan lines."""
    edges, places, numbers, low, step = outline
    deepest, deepest_u, deepest_v = 0.0, 0.0, 0.0
    for row in range(len(places) - 1):
        v = low + (row + 0.5) * step
        count = crossings(edges, numbers[places[row] : places[row + 1]], v, 0, 0, ends, marks)
        for pair in range(0, count - 1, 2):
            pieces = max(1, int(np.ceil((ends[pair + 1] - ends[pair]) / pitch)))
            for piece in range(pieces):
                u = ends[pair] + (piece + 0.5) * (ends[pair + 1] - ends[pair]) / pieces
                found, near = distance(u, v, outline, near)
                if found > deepest:
                    deepest, deepest_u, deepest_v = found, u, v
    return deepest_point(deepest_u, deepest_v, outline, near) if deepest > 0 else _TINY


@njit(cache=True, nogil=True, error_model="numpy")
def _sample(values: Any, place: Any, cells: Any, where: Any, number: Any, scale: Any, counted: Any) -> Any:
    """Adds the samples of a scan line's cells; returns the next number.

    Args:
        values: (z, y, x) Gy.
        place: (3, 4) from (u, v, w, 1) to the index (x, y, z).
        cells: (n, 4) of :func:`_cut`.
        where: v, height of the row, from where to where the layer reaches along w, and samples per mm of it.
        number: Of the first sample.
        scale: First dose of the bins, and how many there are per Gy.
        counted: Sums and totals.
    """
    v, deep, start, end, per_w = where
    first, outside, smallest, largest = number, 0.0, np.inf, -np.inf
    for n in range(len(cells)):
        low, high = start + cells[n, 2] * (end - start), start + cells[n, 3] * (end - start)
        parts = max(1, int(np.ceil(abs(high - low) * per_w - _ROUNDING)))
        size = cells[n, 1] * deep * abs(high - low) / parts
        for part in range(parts):
            a = cells[n, 0] + cells[n, 1] * _spread(number, _SPREAD[0])
            b = v + deep * _spread(number, _SPREAD[1])
            c = low + (high - low) * (part + 0.5 + _spread(number, _SPREAD[2])) / parts
            x = place[0, 0] * a + place[0, 1] * b + place[0, 2] * c + place[0, 3]
            y = place[1, 0] * a + place[1, 1] * b + place[1, 2] * c + place[1, 3]
            z = place[2, 0] * a + place[2, 1] * b + place[2, 2] * c + place[2, 3]
            dose = trilinear(values, z, y, x, np.nan)
            number += 1
            if np.isnan(dose):
                outside += size
                continue
            _add(dose, size, scale, counted[0])
            smallest, largest = min(smallest, dose), max(largest, dose)
    _add_totals(outside, number - first, smallest, largest, counted[1])
    return number


@njit(cache=True, nogil=True, error_model="numpy")
def _divide(values: Any, matrix: Any, index: Any, size: Any, divide: Any, scale: Any, counted: Any) -> None:
    wide, number = 1.0 if divide > 1 else 0.0, 0  # whole voxels have the dose of their centres
    outside, smallest, largest = 0.0, np.inf, -np.inf
    for n in range(len(index)):
        for piece in range(divide**3):
            i = index[n, 0] + (piece % divide + 0.5 + wide * _spread(number, _SPREAD[0])) / divide - 0.5
            j = index[n, 1] + (piece // divide % divide + 0.5 + wide * _spread(number, _SPREAD[1])) / divide - 0.5
            k = index[n, 2] + (piece // divide**2 + 0.5 + wide * _spread(number, _SPREAD[2])) / divide - 0.5
            number += 1
            x = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3]
            y = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3]
            z = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3]
            dose = trilinear(values, z, y, x, np.nan)
            if np.isnan(dose):
                outside += size[n]
                continue
            _add(dose, size[n], scale, counted[0])
            smallest, largest = min(smallest, dose), max(largest, dose)
    _add_totals(outside, number, smallest, largest, counted[1])
