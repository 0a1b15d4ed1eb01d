"""Finds the smallest gamma of each point: the compiled loops below :mod:`braggbook.imaging.dose.gamma`.

The estimate between its voxels is trilinear. Around each reference point the cells between voxels are visited from the
nearest outwards, until what is farther cannot be better. A cell is left out when what it promises, a lower bound of
gamma there, is not below the best so far: first its distance and how far the reference dose lies outside the cell's
doses, then what its slopes allow from its nearest place on. Of the nearest cells the most promising one is searched
first. In a cell, gamma^2 is a sum of a diagonal quadratic form and a squared dose difference: with the dose made linear
its minimum in the box is one root of a rising piecewise linear function, and a few such steps from the last place
follow the trilinear dose (Gauss-Newton).
An estimate of one plane is that plane: its cells have no extent across it.

Every value found is gamma at some place of the estimate: it is never below the true minimum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from braggbook.imaging.geometry import Floats

_FEW = 8  # nearest cells, of which the likeliest is searched first: as many touch a voxel centre
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


def shells(
    spacing: Floats, *, reach: float, fractions: npt.ArrayLike = ((0.0, 0.5),) * 3
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Returns offsets (x, y, z) of cells by distance, and the squared distance that the later ones have at least.

    Args:
        spacing: (3,) of voxels along x, y and z, in units of the distance criterion; infinite where there is one voxel.
        reach: How far to look, in these units.
        fractions: (3, 2) where points lie in their cells at least and at most, in voxels from the nearer end, which is
            the side of the negative offsets.
    """
    counts = [0 if np.isinf(step) else int(np.ceil(reach / step)) + 1 for step in spacing]
    axes = [np.arange(-count, count + 1) for count in counts]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    sizes = np.where(np.isinf(spacing), 0.0, spacing)
    low, high = np.asarray(fractions, dtype=np.float64).T
    near = np.maximum(np.maximum(offsets - high, low - offsets - 1), 0.0) * sizes
    distance = (near**2).sum(axis=1)
    kept = distance < reach**2
    middle = ((offsets + 0.5 - (low + high) / 2) * sizes) ** 2  # of those equally near, the likeliest comes first
    order = np.lexsort((middle.sum(axis=1)[kept], distance[kept]))
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
    height, width = doses.shape[1:]
    size = _size(estimate[0].shape, scales)
    kept, promises, best = np.empty(width, np.int64), np.empty((width, _FEW)), np.empty(width)
    line = np.empty((width, 3)), np.empty((width, 2))
    for k in range(len(doses)):
        for j in range(height):
            out[k, j] = np.nan
            count = _gather(doses[k, j], (float(j), float(first + k)), matrix, rule, kept, line)
            best[:count] = scales[3] ** 2
            _search_nearest(count, line, estimate, around[0], size, promises, best)
            _search_others(count, line, estimate, around, size, promises, best)
            for n in range(count):
                out[k, j, kept[n]] = np.sqrt(best[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _size(shape: Any, scales: Any) -> Any:
    """Returns along x, y, z: scales, their inverses, extents of cells, values from end to end of a cell, strides."""
    depth, height, width = shape
    x, y, z = scales[0], scales[1], scales[2]
    extent = (1.0 if width > 1 else 0.0, 1.0 if height > 1 else 0.0, 1.0 if depth > 1 else 0.0)
    ahead = (1 if width > 1 else 0, width if height > 1 else 0, height * width if depth > 1 else 0)
    return (x, y, z), (1 / x, 1 / y, 1 / z), extent, ahead, (1, width, height * width)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(doses: Any, index: Any, matrix: Any, rule: Any, kept: Any, line: Any) -> Any:
    """Writes where along a line of the reference there are doses to look for, their places (x, y, z) in the estimate's
    voxels, and the doses themselves with the inverse of their criterion; returns how many.
    """
    places, wanted = line
    least, criterion, local = rule
    count = 0
    for i in range(len(doses)):
        dose = doses[i]
        if dose >= least and (dose > 0 or not local):
            for axis in range(3):
                start = matrix[axis, 1] * index[0] + matrix[axis, 2] * index[1] + matrix[axis, 3]
                place = matrix[axis, 0] * i + start
                near = np.floor(place + 0.5)
                places[count, axis] = near if abs(place - near) < _ON_CENTRE else place
            kept[count] = i
            wanted[count, 0] = dose
            wanted[count, 1] = 1 / (criterion * dose if local else criterion)
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _search_nearest(count: Any, line: Any, estimate: Any, offsets: Any, size: Any, promises: Any, best: Any) -> None:
    """Searches the one of the nearest cells that promises most; writes what the others promise, and the best gamma^2.

    Loops over cells are in the function that loops over points, and what they call has none over arrays: such a
    function would count references to its arrays at every call, and threads would wait for one another's counts.
    """
    places, wanteds = line
    values, bounds = estimate[0].reshape(-1), estimate[1]
    few = min(_FEW, len(offsets))
    for n in range(count):
        point = places[n, 0], places[n, 1], places[n, 2]
        wanted = wanteds[n, 0], wanteds[n, 1]
        nearest, lowest, start = best[n], best[n], _base(point, bounds.shape, size[2])
        first, likeliest = -1, start[0]
        for m in range(few):
            cell = _moved(start, offsets[m, 0], offsets[m, 1], offsets[m, 2])
            promises[n, m] = np.inf
            if _inside(cell, bounds.shape):
                i, j, k = cell
                least = _least(_apart(cell, point, size), bounds[k, j, i, 0], bounds[k, j, i, 1], wanted)
                if least < nearest:
                    corners = _corners(values, cell, size)
                    promise, found = _promise(corners, cell, point, wanted, size)
                    nearest = min(nearest, found)
                    promises[n, m] = max(least, promise)
                    if promises[n, m] < lowest:
                        first, likeliest, lowest = m, cell, promises[n, m]
        if first >= 0:
            nearest = min(nearest, _in_cell(_corners(values, likeliest, size), likeliest, point, wanted, size))
            promises[n, first] = np.inf
        best[n] = nearest


@njit(cache=True, nogil=True, error_model="numpy")
def _search_others(count: Any, line: Any, estimate: Any, around: Any, size: Any, promises: Any, best: Any) -> None:
    """Searches the cells that promise more than the best gamma^2 so far; writes it."""
    places, wanteds = line
    values, bounds = estimate[0].reshape(-1), estimate[1]
    offsets, distances = around
    for n in range(count):
        point = places[n, 0], places[n, 1], places[n, 2]
        wanted = wanteds[n, 0], wanteds[n, 1]
        nearest, start = best[n], _base(point, bounds.shape, size[2])
        for m in range(len(offsets)):
            if distances[m] >= nearest:
                break
            if m < _FEW and promises[n, m] >= nearest:
                continue
            cell = _moved(start, offsets[m, 0], offsets[m, 1], offsets[m, 2])
            if not _inside(cell, bounds.shape):
                continue
            i, j, k = cell
            least = _least(_apart(cell, point, size), bounds[k, j, i, 0], bounds[k, j, i, 1], wanted)
            if least < nearest:
                corners = _corners(values, cell, size)
                if m < _FEW or _promise(corners, cell, point, wanted, size)[0] < nearest:
                    nearest = min(nearest, _in_cell(corners, cell, point, wanted, size))
        best[n] = nearest


@njit(cache=True, nogil=True, error_model="numpy")
def _base(point: Any, shape: Any, extent: Any) -> Any:
    """Returns the cell of a point, and in which direction (1 or -1) along each axis its farther end lies."""
    x = _cell(point[0], shape[2], extent[0])
    y = _cell(point[1], shape[1], extent[1])
    z = _cell(point[2], shape[0], extent[2])
    return (x[0], y[0], z[0]), (x[1], y[1], z[1])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _moved(start: Any, x: Any, y: Any, z: Any) -> Any:
    cell, toward = start
    return cell[0] + toward[0] * x, cell[1] + toward[1] * y, cell[2] + toward[2] * z


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _inside(cell: Any, shape: Any) -> Any:
    i, j, k = cell
    return i >= 0 and j >= 0 and k >= 0 and i < shape[2] and j < shape[1] and k < shape[0]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _apart(cell: Any, point: Any, size: Any) -> Any:
    """Returns how far outside a cell a point lies along x, y and z."""
    scale, _, extent, _, _ = size
    x, y, z = point[0] - cell[0], point[1] - cell[1], point[2] - cell[2]
    return (
        max(-x, x - extent[0], 0.0) * scale[0],
        max(-y, y - extent[1], 0.0) * scale[1],
        max(-z, z - extent[2], 0.0) * scale[2],
    )


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _least(apart: Any, low: Any, high: Any, wanted: Any) -> Any:
    """Returns what gamma^2 in a cell is at least, from its doses; NaN where it has none."""
    x, y, z = apart
    gap = max(low - wanted[0], wanted[0] - high, 0.0) * wanted[1]
    return x * x + y * y + z * z + gap * gap + 0.0 * low


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(place: Any, cells: Any, extent: Any) -> Any:
    """Returns the cell of a place along an axis, and the direction (1 or -1) in which its farther end lies."""
    if extent == 0.0:
        return 0, 1
    # A point on the far face lies in the last cell, not in the one that would begin there.
    cell = cells - 1 if place == cells else int(np.floor(place))
    return cell, (1 if place - cell <= 0.5 else -1)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _promise(corners: Any, cell: Any, point: Any, wanted: Any, size: Any) -> Any:
    """Returns what gamma^2 in a cell is at least, and gamma^2 at its place that is nearest to the point.

    There the dose is off by e. Along w from there it nears the wanted dose by m.|w| at most, m being the steepest
    slopes of the ways that the cell has from there; and (e - m.|w|)^2 is at least 2 t e - t^2 - 2 t m.|w| for
    every t. With d for how far outside the cell the point lies, the sum of that and (d + |w|)^2 is smallest where
    |w| = t m - d, or 0. The t that makes most of it is between 0 and e; one step of Newton's from e is near it.
    """
    _, per_scale, extent, _, _ = size
    x, y, z = _apart(cell, point, size)
    u = _nearest_place(cell, point, extent)
    least = x * x + y * y + z * z
    excess, slopes = _steepest(corners, wanted, u, extent)
    e = abs(excess)
    found = least + e * e
    a, b, c = slopes[0] * per_scale[0], slopes[1] * per_scale[1], slopes[2] * per_scale[2]
    on_x, on_y, on_z = (a if e * a > x else 0.0), (b if e * b > y else 0.0), (c if e * c > z else 0.0)
    t = (e + on_x * x + on_y * y + on_z * z) / (1 + on_x * on_x + on_y * on_y + on_z * on_z)
    a, b, c = max(t * a - x, 0.0), max(t * b - y, 0.0), max(t * c - z, 0.0)
    return least + t * (2 * e - t) - a * a - b * b - c * c, found


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _nearest_place(cell: Any, point: Any, extent: Any) -> Any:
    """Returns the place in a cell that is nearest to a point, as seen from the cell's lower corner."""
    return (
        _clamped(point[0] - cell[0], extent[0]),
        _clamped(point[1] - cell[1], extent[1]),
        _clamped(point[2] - cell[2], extent[2]),
    )


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _clamped(place: Any, extent: Any) -> Any:
    return min(max(place, 0.0), extent)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _steepest(corners: Any, wanted: Any, u: Any, extent: Any) -> Any:
    """Returns how far the dose at u is off, and the steepest slopes along x, y, z that lead from u to less.

    To any place in the cell leads a way along x, then y, then z: along x through u there is one slope, along y one
    between two, along z one between four.
    """
    v000, v001, v010, v011, v100, v101, v110, v111 = corners
    d00, d01, d10, d11 = v100 - v000, v101 - v001, v110 - v010, v111 - v011
    e00, e01, e10, e11 = v000 + u[2] * d00, v001 + u[2] * d01, v010 + u[2] * d10, v011 + u[2] * d11
    d0, d1 = e10 - e00, e11 - e01
    f0, f1 = e00 + u[1] * d0, e01 + u[1] * d1
    d = f1 - f0
    excess = (f0 + u[0] * d - wanted[0]) * wanted[1]
    sign = np.copysign(wanted[1], excess)
    x = _downhill(sign * d, sign * d, u[0], extent[0])
    y = _downhill(sign * d0, sign * d1, u[1], extent[1])
    z = _downhill(sign * min(d00, d01, d10, d11), sign * max(d00, d01, d10, d11), u[2], extent[2])
    return excess, (x, y, z)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _downhill(one: Any, other: Any, u: Any, extent: Any) -> Any:
    """Returns the steepest way down along an axis with slopes between two, from a place that may be at an end, or 0."""
    forward = max(-one, -other) if u < extent else 0.0
    backward = max(one, other) if u > 0 else 0.0
    return max(forward, backward, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _in_cell(corners: Any, cell: Any, point: Any, wanted: Any, size: Any) -> Any:
    """Returns the smallest gamma^2 in a cell."""
    scale, extent = size[0], size[2]
    at = point[0] - cell[0], point[1] - cell[1], point[2] - cell[2]
    u = _nearest_place(cell, point, extent)
    best = np.inf
    for _ in range(_STEPS):
        value, a, b, c = _dose_and_slopes(corners, u)
        excess = (value - wanted[0]) * wanted[1]
        found = excess * excess + _square(u, at, scale)
        if not found < best:
            break
        best = found
        enough = (1.0 - _STILL) * best
        reached, u = _solve(excess, (a * wanted[1], b * wanted[1], c * wanted[1]), at, u, size, enough)
        if reached >= enough:  # were the dose linear
            break
    return best


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _square(u: Any, at: Any, scale: Any) -> Any:
    x, y, z = (u[0] - at[0]) * scale[0], (u[1] - at[1]) * scale[1], (u[2] - at[2]) * scale[2]
    return x * x + y * y + z * z


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _solve(excess: Any, slopes: Any, at: Any, start: Any, size: Any, enough: Any) -> Any:
    """Minimises |s (u - at)|^2 + (excess + g.(u - start))^2 over the cell; returns the minimum, and u there.

    With t = excess + g.(u - start), the minimum has u_i = clamp(at_i - t g_i / s_i^2): a function of t that falls, so
    that t = excess + g.(u(t) - start) has one root. It is a line between places where a clamp begins: Newton's steps,
    halved where they leave the bracket, end on it. Every t on the way shows what the minimum is at least (its dual):
    where that is enough, the search ends, and returns it.
    """
    scale, per_scale, extent, _, _ = size
    a, b, c = slopes[0] * per_scale[0] ** 2, slopes[1] * per_scale[1] ** 2, slopes[2] * per_scale[2] ** 2
    low, high, t = -np.inf, np.inf, excess
    u, least = start, 0.0
    for _ in range(_TURNS):
        x, y, z = at[0] - t * a, at[1] - t * b, at[2] - t * c
        u = _clamped(x, extent[0]), _clamped(y, extent[1]), _clamped(z, extent[2])
        rise = 1.0 + (slopes[0] * a if u[0] == x else 0.0)
        rise += (slopes[1] * b if u[1] == y else 0.0) + (slopes[2] * c if u[2] == z else 0.0)
        left = t - excess
        left -= slopes[0] * (u[0] - start[0]) + slopes[1] * (u[1] - start[1]) + slopes[2] * (u[2] - start[2])
        least = _square(u, at, scale) + t * (t - 2 * left)
        if abs(left) <= _ROOT * (1.0 + abs(t)) or least >= enough:
            break
        low, high = (t, high) if left < 0 else (low, t)
        t -= left / rise
        if not low < t < high:
            t = (low + high) / 2
    return least, u


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _corners(values: Any, cell: Any, size: Any) -> Any:
    _, _, _, (x, y, z), strides = size
    n = cell[0] + cell[1] * strides[1] + cell[2] * strides[2]
    near = values[n], values[n + x], values[n + y], values[n + x + y]
    far = values[n + z], values[n + z + x], values[n + z + y], values[n + z + x + y]
    return near + far


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _dose_and_slopes(corners: Any, u: Any) -> Any:
    """Returns the trilinear value in a cell and its derivatives along x, y, z per cell."""
    v000, v001, v010, v011, v100, v101, v110, v111 = corners
    a, b, c = u
    d00, d01, d10, d11 = v001 - v000, v011 - v010, v101 - v100, v111 - v110
    e00, e01, e10, e11 = v000 + a * d00, v010 + a * d01, v100 + a * d10, v110 + a * d11
    f0, f1 = e00 + b * (e01 - e00), e10 + b * (e11 - e10)
    slope_x = (d00 * (1 - b) + d01 * b) * (1 - c) + (d10 * (1 - b) + d11 * b) * c
    slope_y = (e01 - e00) * (1 - c) + (e11 - e10) * c
    return f0 + c * (f1 - f0), slope_x, slope_y, f1 - f0
