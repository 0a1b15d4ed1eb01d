"""Finds the smallest gamma of each point: the compiled loops below :mod:`braggbook.imaging.dose.gamma`.

The estimate between its voxels is trilinear. Around each reference point the cells between voxels are visited from the
nearest outwards, until what is farther cannot be better. A cell is left out when its distance, and how far the
reference dose lies outside the cell's doses, already give more. In a cell, gamma^2 is a sum of a diagonal quadratic
form and a squared dose difference: with the dose made linear its minimum in the box is one root of a rising
piecewise linear function, and a few such steps from the last place follow the trilinear dose (Gauss-Newton).
An estimate of one plane is that plane: its cells have no extent across it.

Every value found is gamma at some place of the estimate: it is never below the true minimum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from braggbook.imaging.geometry import Floats

_STEPS = 8  # of Gauss-Newton in a cell at most
_STILL = 1e-5  # of gamma^2: a step that would gain less is not made
_TURNS = 60  # towards the root at most: a few do
_ROOT = 1e-10  # relative
_ON_CENTRE = 1e-9  # of a voxel: two affine maps in floating point


@njit(cache=True, nogil=True, error_model="numpy")
def cell_bounds(values: Any, bounds: Any, first: Any) -> None:
    """Writes smallest and largest value of the corners of some cells; NaN where a corner is.

    Args:
        values: (z, y, x) estimate.
        bounds: (cells along z, y, x; 2), some slices of it.
        first: Slice that these begin with.
    """
    depth, height, width = values.shape
    for k in range(len(bounds)):
        far_k = min(first + k + 1, depth - 1)
        for j in range(bounds.shape[1]):
            far_j = min(j + 1, height - 1)
            before_low, before_high = np.inf, -np.inf
            for i in range(bounds.shape[2] + 1):
                here = min(i, width - 1)
                a, b = values[first + k, j, here], values[first + k, far_j, here]
                c, d = values[far_k, j, here], values[far_k, far_j, here]
                smallest, largest = min(a, b, c, d), max(a, b, c, d)
                if np.isnan(a + b + c + d):
                    smallest = largest = np.nan
                if i > 0:
                    # Sums carry a NaN of either side, which min and max need not.
                    odd = np.isnan(before_low + smallest)
                    bounds[k, j, i - 1, 0] = np.nan if odd else min(before_low, smallest)
                    bounds[k, j, i - 1, 1] = np.nan if odd else max(before_high, largest)
                before_low, before_high = smallest, largest


def shells(spacing: Floats, *, reach: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """Returns offsets (x, y, z) of cells by distance, and the squared distance that the later ones have at least.

    Args:
        spacing: (3,) of voxels along x, y and z, in units of the distance criterion; infinite where there is one voxel.
        reach: How far to look, in these units.
    """
    counts = [0 if np.isinf(step) else int(np.ceil(reach / step)) + 1 for step in spacing]
    axes = [np.arange(-count, count + 1) for count in counts]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    sizes = np.where(np.isinf(spacing), 0.0, spacing)
    near = np.where(offsets == 0, 0.0, (np.abs(offsets) - 1) * sizes)
    distance = (near**2).sum(axis=1)
    kept = distance < reach**2
    middle = ((offsets * sizes) ** 2).sum(axis=1)  # of those that could be equally near, the likeliest comes first
    order = np.lexsort((middle[kept], distance[kept]))
    return np.ascontiguousarray(offsets[kept][order]), np.ascontiguousarray(distance[kept][order])


@njit(cache=True, nogil=True, error_model="numpy")
def gamma_slices(
    doses: Any, first: Any, matrix: Any, estimate: Any, around: Any, scales: Any, rule: Any, out: Any
) -> None:
    """Writes gamma of some slices of the reference.

    Args:
        doses: (z, y, x) reference doses of these slices.
        first: Number of the first of them.
        matrix: (3, 4) from a reference index (x, y, z, 1) to the estimate's (x, y, z).
        estimate: Values (z, y, x), and bounds of its cells, of :func:`cell_bounds`.
        around: Offsets of cells and their squared distances, of :func:`shells`.
        scales: (4,) spacing of the estimate along x, y, z in units of the distance criterion, and the largest gamma.
        rule: Smallest dose that has a gamma; dose criterion, or its part of each dose; whether it is a part.
        out: (z, y, x) gamma; NaN below the smallest dose, the largest gamma where there is no better.
    """
    least, criterion, local = rule
    point, extent = np.empty(3), np.empty(3)
    for axis in range(3):
        extent[axis] = 1.0 if estimate[0].shape[2 - axis] > 1 else 0.0
    room = np.empty((2, 3))
    for k in range(doses.shape[0]):
        for j in range(doses.shape[1]):
            for i in range(doses.shape[2]):
                dose = doses[k, j, i]
                out[k, j, i] = np.nan
                if not dose >= least or (local and not dose > 0):
                    continue
                for axis in range(3):
                    place = matrix[axis, 0] * i + matrix[axis, 1] * j + matrix[axis, 2] * (first + k) + matrix[axis, 3]
                    near = np.floor(place + 0.5)
                    point[axis] = near if abs(place - near) < _ON_CENTRE else place
                tolerance = criterion * dose if local else criterion
                out[k, j, i] = _of_point(dose, tolerance, point, estimate, around, (scales, extent), room)


@njit(cache=True, nogil=True, error_model="numpy")
def _of_point(dose: Any, tolerance: Any, point: Any, estimate: Any, around: Any, size: Any, room: Any) -> Any:
    values, bounds = estimate
    offsets, distances = around
    scales, extent = size
    depth, height, width, _ = bounds.shape
    at, u = room[0], room[1]
    # A point on the far face lies in the last cell, not in the one that would begin there.
    i0 = _cell(point[0], width, extent[0])
    j0 = _cell(point[1], height, extent[1])
    k0 = _cell(point[2], depth, extent[2])
    best = scales[3] ** 2
    for m in range(len(offsets)):
        if distances[m] >= best:
            break
        i, j, k = i0 + offsets[m, 0], j0 + offsets[m, 1], k0 + offsets[m, 2]
        if i < 0 or j < 0 or k < 0 or i >= width or j >= height or k >= depth:
            continue
        least = _beyond(point[0] - i, extent[0], scales[0]) + _beyond(point[1] - j, extent[1], scales[1])
        least += _beyond(point[2] - k, extent[2], scales[2])
        if not least < best:
            continue
        gap = max(bounds[k, j, i, 0] - dose, dose - bounds[k, j, i, 1], 0.0) / tolerance
        if least + gap * gap < best and not np.isnan(bounds[k, j, i, 0]):
            at[0], at[1], at[2] = point[0] - i, point[1] - j, point[2] - k
            best = min(best, _in_cell(values, (k, j, i), at, dose, tolerance, size, u))
    return np.sqrt(best)


@njit(cache=True, nogil=True, error_model="numpy")
def _beyond(place: Any, extent: Any, scale: Any) -> Any:
    """Returns the squared distance along one axis of a place from the cell that begins at 0."""
    beyond = max(-place, place - extent, 0.0) * scale
    return beyond * beyond


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(place: Any, cells: Any, extent: Any) -> Any:
    if extent == 0.0:
        return 0
    if place == cells:
        return cells - 1
    return int(np.floor(place))


@njit(cache=True, nogil=True, error_model="numpy")
def _in_cell(values: Any, cell: Any, at: Any, dose: Any, tolerance: Any, size: Any, u: Any) -> Any:
    """Returns the smallest gamma^2 in a cell; ``at`` is the point as seen from its lower corner."""
    scales, extent = size
    for axis in range(3):
        u[axis] = min(max(at[axis], 0.0), extent[axis])
    best = np.inf
    for _ in range(_STEPS):
        value, a, b, c = _dose_and_slopes(values, cell, u)
        excess = (value - dose) / tolerance
        found = excess * excess + _square(u, at, scales)
        if not found < best:
            break
        best = found
        left = _solve(excess, (a / tolerance, b / tolerance, c / tolerance), at, size, u)
        if left * left + _square(u, at, scales) >= (1.0 - _STILL) * best:  # were the dose linear
            break
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _square(u: Any, at: Any, scales: Any) -> Any:
    x, y, z = (u[0] - at[0]) * scales[0], (u[1] - at[1]) * scales[1], (u[2] - at[2]) * scales[2]
    return x * x + y * y + z * z


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(excess: Any, slopes: Any, at: Any, size: Any, u: Any) -> Any:
    """Moves u to the minimum over the cell of |s (u - at)|^2 + (excess + g.(u - u0))^2, u0 being where it was.

    Returns the second term's root there.

    With t = excess + g.(u - u0), the minimum has u_i = clamp(at_i - t g_i / s_i^2): a function of t that falls, so that
    t = excess + g.(u(t) - u0) has one root. It is a line between places where a clamp begins: Newton's steps, halved
    where they leave the bracket, end on it.
    """
    scales, extent = size
    start = (u[0], u[1], u[2])
    low, high, t = -np.inf, np.inf, excess
    for _ in range(_TURNS):
        left, rise = t - excess, 1.0
        for axis in range(3):
            free = at[axis] - t * slopes[axis] / scales[axis] ** 2
            u[axis] = min(max(free, 0.0), extent[axis])
            if u[axis] == free:
                rise += (slopes[axis] / scales[axis]) ** 2
            left -= slopes[axis] * (u[axis] - start[axis])
        if abs(left) <= _ROOT * (1.0 + abs(t)):
            break
        low, high = (t, high) if left < 0 else (low, t)
        t -= left / rise
        if not low < t < high:
            t = (low + high) / 2
    return t


@njit(cache=True, nogil=True, error_model="numpy")
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
