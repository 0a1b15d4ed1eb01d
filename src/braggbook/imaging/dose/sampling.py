"""Counts how much of a body gets which dose: the compiled loops below :mod:`braggbook.imaging.dose.dvh`.

Between contours, a scan line's part within the structure is exact (its crossings are calculated), and where one
outline blends into another each piece's part of the height; lines and sheets are midpoints. Each line is cut into
pieces no longer than the pitch, and each piece has the dose of one point in it. Finer than one sample a voxel, these
points are spread over their cells by an additive recurrence, so that a dose that is constant along lines or sheets does
not fall into a few values (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018: multiples of
powers of 1/1.3247 and 1/1.2207, modulo 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from braggbook.imaging.dose.outlines import deepest_point, heights, merged
from braggbook.imaging.dose.slabs import Layer, Layers
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.resample import in_order, trilinear

_LEAST_ROWS = 4  # of a contour, however small
_ROUNDING = 1e-9  # of a layer: a slab of exactly two layers is not three
_MASK_VOXELS = 4096  # in one task
_TWO = (0.7548776662466927, 0.5698402909980532)  # x, x^2 of 1/x^3 = 1/x + 1
_THREE = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)  # x, x^2, x^3 of 1/x^4 = 1/x + 1
_OUTSIDE = 0  # places in the totals
_SAMPLES = 1
_MINIMUM = 2
_MAXIMUM = 3
_SQUARES = 4
_TOTALS = 5


@dataclass(frozen=True, eq=False)
class Counts:
    """Sums over samples.

    Attributes:
        volume_mm3: (bins,) in each bin of dose.
        dose_volume: (bins,) sum of dose x volume in each bin, Gy mm3.
        squares: Sum of dose^2 x volume, Gy2 mm3.
        outside_mm3: Volume of samples where there is no dose.
        minimum_gy: Smallest dose of a sample; infinite if there is none.
        maximum_gy: Largest.
        samples: How many.
    """

    volume_mm3: Floats
    dose_volume: Floats
    squares: float
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
    per_mm = np.linalg.norm(place[:, :3], axis=0) * factor
    spread = 1.0 if factor > 1 else 0.0
    layers = [layer for layer in body.layers if layer.from_mm != layer.to_mm]
    tasks = [(dose, place, layer, _lines(layer, per_mm, spread), bins) for layer in layers]
    return _sum(in_order(_one_layer, tasks), bins)


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
    tasks = [
        (dose, matrix, index[n : n + _MASK_VOXELS], size[n : n + _MASK_VOXELS], divide, bins)
        for n in range(0, len(index), _MASK_VOXELS)
    ]
    return _sum(in_order(_some_voxels, tasks), bins)


def _lines(layer: Layer, per_mm: Floats, spread: float) -> Floats:
    """Returns where samples lie: first v, step, rows; first w, step, sheets; longest piece along u; how far spread."""
    edges = layer.edges if layer.to_edges is layer.edges else np.vstack([layer.edges, layer.to_edges])
    low, high = edges[:, 1].min(), edges[:, 1].max()
    rows = max(_LEAST_ROWS, np.ceil((high - low) * per_mm[1]))
    thick = layer.to_mm - layer.from_mm
    sheets = max(1.0, np.ceil(abs(thick) * per_mm[2] - _ROUNDING))
    return np.array([low, (high - low) / rows, rows, layer.from_mm, thick / sheets, sheets, 1 / per_mm[0], spread])


def _one_layer(dose: Any, place: Floats, layer: Layer, lines: Floats, bins: Bins) -> tuple[Floats, Floats]:
    sums, totals = _empty(bins)
    deepest = 0.0
    other = layer.to_edges
    if other is layer.edges:
        other = other[:0]
    elif not len(other):
        deepest = deepest_point(layer.edges, lines)
    _scan(dose, place, (layer.edges, other, deepest), lines, (bins.first_gy, bins.width_gy), sums, totals)
    return sums, totals


def _some_voxels(dose: Any, matrix: Floats, index: Any, size: Floats, divide: int, bins: Bins) -> tuple[Floats, Floats]:
    sums, totals = _empty(bins)
    _divide(dose, matrix, index, size, divide, (bins.first_gy, bins.width_gy), sums, totals)
    return sums, totals


def _empty(bins: Bins) -> tuple[Floats, Floats]:
    """Returns sums of volume and of dose x volume, (2, bins), and the totals."""
    totals = np.zeros(_TOTALS)
    totals[_MINIMUM], totals[_MAXIMUM] = np.inf, -np.inf
    return np.zeros((2, bins.count)), totals


def _sum(parts: list[tuple[Floats, Floats]], bins: Bins) -> Counts:
    sums, totals = _empty(bins)
    for more_sums, more in parts:
        sums += more_sums
        low, high = min(totals[_MINIMUM], more[_MINIMUM]), max(totals[_MAXIMUM], more[_MAXIMUM])
        totals += more
        totals[_MINIMUM], totals[_MAXIMUM] = low, high
    return Counts(
        volume_mm3=sums[0],
        dose_volume=sums[1],
        squares=float(totals[_SQUARES]),
        outside_mm3=float(totals[_OUTSIDE]),
        minimum_gy=float(totals[_MINIMUM]),
        maximum_gy=float(totals[_MAXIMUM]),
        samples=int(totals[_SAMPLES]),
    )


@njit(cache=True, nogil=True)
def _spread(number: Any, step: Any) -> Any:
    """Returns from -1/2 to 1/2, evenly over growing numbers; the first is 0."""
    return (0.5 + number * step) % 1.0 - 0.5


@njit(cache=True, nogil=True)
def _add(dose: Any, size: Any, scale: Any, sums: Any, totals: Any) -> None:
    totals[_SAMPLES] += 1
    if np.isnan(dose):
        totals[_OUTSIDE] += size
        return
    place = min(max(int((dose - scale[0]) / scale[1]), 0), sums.shape[1] - 1)
    sums[0, place] += size
    sums[1, place] += size * dose
    totals[_SQUARES] += size * dose * dose
    totals[_MINIMUM] = min(totals[_MINIMUM], dose)
    totals[_MAXIMUM] = max(totals[_MAXIMUM], dose)


@njit(cache=True, nogil=True)
def _scan(values: Any, place: Any, shape: Any, lines: Any, scale: Any, sums: Any, totals: Any) -> None:
    edges, others, deepest = shape
    low_v, step_v, rows, low_w, step_w, sheets, pitch, spread = lines
    ends, marks = np.empty(len(edges) + len(others)), np.empty(len(edges) + len(others))
    nearest = np.zeros(2, dtype=np.int64)
    number = 0
    for row in range(int(rows)):
        v = low_v + (row + 0.5) * step_v
        count = merged(edges, others, v, ends, marks)
        here = there = False
        for n in range(count - 1):
            here, there = here != (marks[n] == 0), there != (marks[n] == 1)
            length = ends[n + 1] - ends[n]
            if not (here or there) or length <= 0:
                continue
            pieces = max(1, int(np.ceil(length / pitch)))
            step_u = length / pieces
            for piece in range(pieces):
                near_u = ends[n] + (piece + 0.5) * step_u
                start, end = 0.0, 1.0
                if deepest > 0 or (len(others) and here != there):
                    start, end = heights(near_u, v, shape, here, nearest)
                for sheet in range(int(sheets)):
                    part = min(end * sheets, sheet + 1.0) - max(start * sheets, float(sheet))
                    if part <= 0:
                        continue
                    near_v = v + spread * step_v * _spread(number, _TWO[0])
                    near_w = low_w + (sheet + 0.5 + spread * _spread(number, _TWO[1])) * step_w
                    number += 1
                    x = place[0, 0] * near_u + place[0, 1] * near_v + place[0, 2] * near_w + place[0, 3]
                    y = place[1, 0] * near_u + place[1, 1] * near_v + place[1, 2] * near_w + place[1, 3]
                    z = place[2, 0] * near_u + place[2, 1] * near_v + place[2, 2] * near_w + place[2, 3]
                    size = step_u * step_v * abs(step_w) * part
                    _add(trilinear(values, z, y, x, np.nan), size, scale, sums, totals)


@njit(cache=True, nogil=True)
def _divide(values: Any, matrix: Any, index: Any, size: Any, divide: Any, scale: Any, sums: Any, totals: Any) -> None:
    spread = 1.0 if divide > 1 else 0.0
    number = 0
    for n in range(len(index)):
        for piece in range(divide**3):
            i = index[n, 0] + (piece % divide + 0.5 + spread * _spread(number, _THREE[0])) / divide - 0.5
            j = index[n, 1] + (piece // divide % divide + 0.5 + spread * _spread(number, _THREE[1])) / divide - 0.5
            k = index[n, 2] + (piece // divide**2 + 0.5 + spread * _spread(number, _THREE[2])) / divide - 0.5
            number += 1
            x = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3]
            y = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3]
            z = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3]
            _add(trilinear(values, z, y, x, np.nan), size[n], scale, sums, totals)
