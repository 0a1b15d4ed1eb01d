"""Finds the smallest gamma of each point: the compiled loops below :mod:`braggbook.imaging.dose.gamma`.

The estimate between its voxels is trilinear. Around each reference point the cells between voxels are visited from the
nearest outwards, until what is farther cannot be better. A cell is left out when its distance, and how far the
reference dose lies outside the cell's doses, already give more. In a cell, gamma^2 is a sum of a diagonal quadratic
form and a squared dose difference: with the dose made linear its minimum in the box is one root of a rising
piecewise linear function, and a few such steps from the last place follow the trilinear dose (Gauss-Newton).

Every value found is gamma at some place of the estimate: it is never below the true minimum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from braggbook.imaging.geometry import Floats

_STEPS = 8  # of Gauss-Newton in a cell at most
_STILL = 1e-6  # of gamma: a step that gains less is the last
_HALVINGS = 60  # of the interval of the root: to the last bit
_ROOT = 1e-10  # relative


def cell_bounds(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns smallest and largest value of every cell's corners, (z-1, y-1, x-1), at least one along each axis."""
    low, high = values, values
    for axis in range(3):
        if values.shape[axis] == 1:
            continue
        first, last = [slice(None)] * 3, [slice(None)] * 3
        first[axis], last[axis] = slice(None, -1), slice(1, None)
        low = np.minimum(low[tuple(first)], low[tuple(last)])
        high = np.maximum(high[tuple(first)], high[tuple(last)])
    return np.ascontiguousarray(low), np.ascontiguousarray(high)


def shells(spacing: Floats, *, reach: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """Returns offsets (x, y, z) of cells by distance, and the distance below which none of the later ones lies.

    Args:
        spacing: (3,) of voxels along x, y and z, in units of the distance criterion; infinite where there is one voxel.
        reach: How far to look, in these units.
    """
    counts = [0 if np.isinf(step) else int(np.ceil(reach / step)) + 1 for step in spacing]
    axes = [np.arange(-count, count + 1) for count in counts]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    near = np.where(offsets == 0, 0.0, (np.abs(offsets) - 1) * np.where(np.isinf(spacing), 0.0, spacing))
    distance = np.sqrt((near**2).sum(axis=1))
    kept = distance < reach
    order = np.argsort(distance[kept], kind="stable")
    return np.ascontiguousarray(offsets[kept][order]), np.ascontiguousarray(distance[kept][order])


@njit(cache=True, nogil=True)
def gamma_points(doses: Any, places: Any, values: Any, low: Any, high: Any, around: Any, scales: Any, out: Any) -> None:
    """Writes gamma of points.

    Args:
        doses: (n,) reference doses; NaN are skipped.
        places: (n, 4) indices (x, y, z) of the points in the estimate's grid, and the dose criterion of each.
        values: (z, y, x) estimate.
        low: Smallest value of each cell.
        high: Largest.
        around: Offsets of cells and their distances, of :func:`shells`.
        scales: (4,) spacing along x, y, z in units of the distance criterion (0 where there is one voxel), and the
            largest gamma.
        out: (n,) gamma; the largest gamma where there is no better.
    """
    offsets, distances = around
    depth, height, width = low.shape
    at, best_at = np.zeros(3), np.zeros(3)
    for n in range(len(doses)):
        if np.isnan(doses[n]):
            out[n] = np.nan
            continue
        tolerance = places[n, 3]
        x, y, z = places[n, 0], places[n, 1], places[n, 2]
        i0, j0, k0 = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
        best = scales[3] ** 2
        for m in range(len(offsets)):
            if distances[m] ** 2 >= best:
                break
            i, j, k = i0 + offsets[m, 0], j0 + offsets[m, 1], k0 + offsets[m, 2]
            # A point on the grid's far face lies in the last cell, not in the one that would begin there.
            if i < 0 or j < 0 or k < 0 or i >= width or j >= height or k >= depth:
                continue
            gap = max(low[k, j, i] - doses[n], doses[n] - high[k, j, i], 0.0) / tolerance
            if not gap * gap + _box(x - i, scales[0]) + _box(y - j, scales[1]) + _box(z - k, scales[2]) < best:
                continue
            at[0], at[1], at[2] = x - i, y - j, z - k
            best = min(best, _in_cell(values, (k, j, i), at, doses[n], tolerance, scales, best_at))
        out[n] = np.sqrt(best)


@njit(cache=True, nogil=True)
def _box(place: Any, scale: Any) -> Any:
    """Returns the squared distance along one axis of a place from the cell from 0 to 1."""
    beyond = max(-place, place - 1.0, 0.0) * scale
    return beyond * beyond


@njit(cache=True, nogil=True)
def _in_cell(values: Any, cell: Any, at: Any, dose: Any, tolerance: Any, scales: Any, u: Any) -> Any:
    """Returns the smallest gamma^2 in a cell; ``at`` is the point as seen from its lower corner."""
    for axis in range(3):
        u[axis] = min(max(at[axis], 0.0), 1.0)
    best = np.inf
    for _ in range(_STEPS):
        value, a, b, c = _dose_and_slopes(values, cell, u)
        found = ((value - dose) / tolerance) ** 2
        for axis in range(3):
            found += ((u[axis] - at[axis]) * scales[axis]) ** 2
        if not found < best - _STILL * found:
            return min(best, found)
        best = found
        slopes = (a / tolerance, b / tolerance, c / tolerance)
        _solve((value - dose) / tolerance, slopes, at, scales, u)
    return best


@njit(cache=True, nogil=True)
def _solve(excess: Any, slopes: Any, at: Any, scales: Any, u: Any) -> None:
    """Moves u to the minimum over the cell of |s (u - at)|^2 + (excess + g.(u - u0))^2, u0 being where it was.

    With t = excess + g.(u - u0), the minimum has u_i = clamp(at_i - t g_i / s_i^2): a function of t that falls, so that
    t = excess + g.(u(t) - u0) has one root. Between 0 and where it starts it is found by halving and regula falsi.
    """
    start = (u[0], u[1], u[2])
    low, high = -1.0, 1.0
    while _residual(low, excess, slopes, at, scales, start, u) > 0:
        low *= 4.0
    while _residual(high, excess, slopes, at, scales, start, u) < 0:
        high *= 4.0
    below = _residual(low, excess, slopes, at, scales, start, u)
    above = _residual(high, excess, slopes, at, scales, start, u)
    for turn in range(_HALVINGS):
        share = below / (below - above) if above > below else 0.5
        middle = low + (high - low) * (share if turn % 3 else 0.5)
        now = _residual(middle, excess, slopes, at, scales, start, u)
        if abs(now) <= _ROOT * (1.0 + abs(middle)):
            return
        if now < 0:
            low, below = middle, now
        else:
            high, above = middle, now


@njit(cache=True, nogil=True)
def _residual(t: Any, excess: Any, slopes: Any, at: Any, scales: Any, start: Any, u: Any) -> Any:
    total = t - excess
    for axis in range(3):
        if scales[axis] > 0:
            u[axis] = min(max(at[axis] - t * slopes[axis] / scales[axis] ** 2, 0.0), 1.0)
        total -= slopes[axis] * (u[axis] - start[axis])
    return total


@njit(cache=True, nogil=True)
def _dose_and_slopes(values: Any, cell: Any, u: Any) -> Any:
    """Returns the trilinear value in a cell and its derivatives along x, y, z per cell."""
    k, j, i = cell
    depth, height, width = values.shape
    far_k, far_j, far_i = min(k + 1, depth - 1), min(j + 1, height - 1), min(i + 1, width - 1)
    a, b, c = u[0], u[1], u[2]
    v000, v001 = values[k, j, i], values[k, j, far_i]
    v010, v011 = values[k, far_j, i], values[k, far_j, far_i]
    v100, v101 = values[far_k, j, i], values[far_k, j, far_i]
    v110, v111 = values[far_k, far_j, i], values[far_k, far_j, far_i]
    d00, d01, d10, d11 = v001 - v000, v011 - v010, v101 - v100, v111 - v110
    e00, e01, e10, e11 = v000 + a * d00, v010 + a * d01, v100 + a * d10, v110 + a * d11
    f0, f1 = e00 + b * (e01 - e00), e10 + b * (e11 - e10)
    slope_x = (d00 * (1 - b) + d01 * b) * (1 - c) + (d10 * (1 - b) + d11 * b) * c
    slope_y = (e01 - e00) * (1 - c) + (e11 - e10) * c
    return f0 + c * (f1 - f0), slope_x, slope_y, f1 - f0
