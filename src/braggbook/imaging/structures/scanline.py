"""Compiled loops of the rasteriser: which pixel centres a set of rings encloses, and how much of each pixel.

A plane's rings are given as columns u, rows v of a pixel grid whose centres are whole numbers, with ``starts`` (M + 1)
telling where each of M rings begins; the last point of a ring joins its first. Insideness is even-odd over all rings
of the plane together (DICOM PS3.3 C.8.8.6.3: keyholes and exclusive disjunction), so that neither winding nor the
order of rings or points matters.

:func:`fill` works on a lattice of 1/65536 pixel in whole numbers: its answer is exact, also for centres on an edge.
"""

from __future__ import annotations

import numba
import numpy as np

LATTICE_BITS = 16  # 1/65536 pixel: 15 nm for 1 mm, far below the decimals of a contour's file
ONE = 1 << LATTICE_BITS
REACH = 1 << 14  # pixels from the grid's first within which products of lattice numbers fit 64 bits
_LEAST_STEP = 1e-12  # rows; crossings of edges nearer than this are one


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _toggle_edge(u0, v0, u1, v1, mask):  # type: ignore[no-untyped-def]
    """Marks where a scan of each row passes the edge; rows from the upper end (in) to the lower (out)."""
    if v0 > v1:
        u0, v0, u1, v1 = u1, v1, u0, v0
    rows, columns = mask.shape
    first = max((v0 + ONE - 1) >> LATTICE_BITS, 0)
    last = min(((v1 + ONE - 1) >> LATTICE_BITS) - 1, rows - 1)
    for row in range(first, last + 1):
        # The smallest whole number not left of the crossing; // rounds down, hence the two signs.
        crossing = u0 - ((v0 - (row << LATTICE_BITS)) * (u1 - u0)) // (v1 - v0)
        column = (crossing + ONE - 1) >> LATTICE_BITS
        if column < columns:
            mask[row, max(column, 0)] ^= 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill(u, v, starts, mask):  # type: ignore[no-untyped-def]
    """Sets the pixels whose centres are inside.

    A centre on an edge is inside when the inside is towards larger u, or for an edge along u towards larger v: of two
    shapes that share an edge exactly one gets it.

    Args:
        u: (N,) int64 columns in 1/65536.
        v: (N,) int64 rows in 1/65536.
        starts: (M + 1,) int64.
        mask: (rows, columns) uint8, zeros; becomes 1 inside.
    """
    if len(u) == 0:
        return
    for ring in range(len(starts) - 1):
        before = starts[ring + 1] - 1
        for point in range(starts[ring], starts[ring + 1]):
            _toggle_edge(u[before], v[before], u[point], v[point], mask)
            before = point
    rows, columns = mask.shape
    top, bottom = max(v.min() >> LATTICE_BITS, 0), min((v.max() >> LATTICE_BITS) + 1, rows)
    left, right = max(u.min() >> LATTICE_BITS, 0), min((u.max() >> LATTICE_BITS) + 2, columns)
    for row in range(top, bottom):
        inside = np.uint8(0)
        for column in range(left, right):
            inside ^= mask[row, column]
            mask[row, column] = inside


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _below(x, low, high, height):  # type: ignore[no-untyped-def]
    """Area between an edge that runs from low to high over a height, and the line u = x right of it."""
    if x <= low:
        return 0.0
    if x >= high:
        return height * (x - 0.5 * (low + high))
    return 0.5 * height * (x - low) ** 2 / (high - low)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_piece(ua, ub, height, sign, line):  # type: ignore[no-untyped-def]
    """Adds the area right of a piece of an edge within one row, as differences of neighbouring pixels."""
    low, high = min(ua, ub), max(ua, ub)
    columns = len(line)
    first, last = max(int(np.floor(low)), 0), min(int(np.floor(high)), columns - 1)
    if first >= columns:
        return
    before = 0.0
    area_left = _below(float(first), low, high, height)
    for column in range(first, last + 1):
        area = _below(column + 1.0, low, high, height)
        line[column] += sign * (area - area_left - before)
        before, area_left = area - area_left, area
    if last + 1 < columns:
        line[max(last + 1, 0)] += sign * (height - before)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _order(keys, active, count):  # type: ignore[no-untyped-def]
    """Sorts the active edges by their keys; they nearly are, from the interval before."""
    moves = 0
    for i in range(1, count):
        key, edge, j = keys[i], active[i], i - 1
        while j >= 0 and keys[j] > key:
            keys[j + 1], active[j + 1] = keys[j], active[j]
            j -= 1
            moves += 1
        keys[j + 1], active[j + 1] = key, edge
    return moves


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _next_crossing(edges, active, count, low, high):  # type: ignore[no-untyped-def]
    """Returns the first row after ``low`` where two neighbours cross, or ``high``."""
    nearest = high
    for i in range(count - 1):
        one, two = edges[active[i]], edges[active[i + 1]]
        gap_low = (two[0] + (low - two[1]) * two[4]) - (one[0] + (low - one[1]) * one[4])
        closing = one[4] - two[4]
        if closing > 0.0 and gap_low >= 0.0:
            at = low + gap_low / closing
            if low + _LEAST_STEP < at < nearest:
                nearest = at
    return nearest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _edges(u, v, starts):  # type: ignore[no-untyped-def]
    """Returns (E, 5) edges that are not along u: upper u and v, lower u and v, du/dv; in order of upper v."""
    edges = np.empty((len(u), 5))
    count = 0
    for ring in range(len(starts) - 1):
        before = starts[ring + 1] - 1
        for point in range(starts[ring], starts[ring + 1]):
            a, b = (before, point) if v[before] < v[point] else (point, before)
            if v[a] < v[b]:
                edges[count, 0], edges[count, 1], edges[count, 2], edges[count, 3] = u[a], v[a], u[b], v[b]
                edges[count, 4] = (u[b] - u[a]) / (v[b] - v[a])
                count += 1
            before = point
    edges = edges[:count]
    return edges[np.argsort(edges[:, 1])]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _stops(edges, rows):  # type: ignore[no-untyped-def]
    """Returns the rows at which an edge begins or ends or a row of pixels does, once each."""
    first, last = max(0, int(np.floor(edges[:, 1].min()))), min(rows, int(np.ceil(edges[:, 3].max())))
    stops = np.concatenate((edges[:, 1], edges[:, 3], np.arange(first, max(last, first) + 1).astype(np.float64)))
    return np.unique(np.minimum(np.maximum(stops, 0.0), float(rows)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _advance(edges, active, count, waiting, low):  # type: ignore[no-untyped-def]
    """Leaves out edges that end at ``low`` and takes in those that begin; returns how many are active and were."""
    kept = 0
    for i in range(count):
        if edges[active[i], 3] > low:
            active[kept] = active[i]
            kept += 1
    while waiting < len(edges) and edges[waiting, 1] <= low:
        if edges[waiting, 3] > low:
            active[kept] = waiting
            kept += 1
        waiting += 1
    return kept, waiting


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _cover_between(edges, active, keys, low, end, line):  # type: ignore[no-untyped-def]
    """Adds the area between active edges from ``low`` to where two of them cross or ``end``; returns that, and work."""
    count = len(active)
    just_below = low + min(1e-9, 0.5 * (end - low))  # where edges that meet at `low` have parted
    for i in range(count):
        edge = edges[active[i]]
        keys[i] = edge[0] + (just_below - edge[1]) * edge[4]
    work = _order(keys, active, count) + count
    high = _next_crossing(edges, active, count, low, end)
    for i in range(count):
        edge = edges[active[i]]
        ua, ub = edge[0] + (low - edge[1]) * edge[4], edge[0] + (high - edge[1]) * edge[4]
        _add_piece(ua, ub, high - low, 1.0 - 2.0 * (i % 2), line)
    return high, work


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sum_rows(out):  # type: ignore[no-untyped-def]
    """Turns differences of neighbouring pixels into their values."""
    for row in range(out.shape[0]):
        covered = 0.0
        for column in range(out.shape[1]):
            covered += out[row, column]
            out[row, column] = covered


@numba.njit(cache=True, nogil=True, error_model="numpy")
def cover(u, v, starts, out, budget):  # type: ignore[no-untyped-def]
    """Adds up which share of each pixel is inside: exact, by a sweep over trapezoids between edges.

    Args:
        u: (N,) float64 columns, of pixels whose first begins at 0 (not its centre).
        v: (N,) float64 rows, likewise.
        starts: (M + 1,) int64.
        out: (rows, columns) float64, zeros; becomes the covered share.
        budget: How many edges may be visited, over all intervals.

    Returns:
        Whether it was done within the budget; if not, ``out`` is of no use.
    """
    edges = _edges(u, v, starts)
    if len(edges) == 0:
        return True
    stops = _stops(edges, out.shape[0])
    active, keys = np.empty(len(edges), np.int64), np.empty(len(edges))
    count = waiting = spent = 0
    for stop in range(len(stops) - 1):
        low, end = stops[stop], stops[stop + 1]
        count, waiting = _advance(edges, active, count, waiting, low)
        while low < end and count:
            low, work = _cover_between(edges, active[:count], keys, low, end, out[int(np.floor(stops[stop]))])
            spent += work
            if spent > budget:
                return False
    _sum_rows(out)
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bin_edges(edges, low, width, bins):  # type: ignore[no-untyped-def]
    """Returns which edges touch each of equal bins along v: (bins + 1,) starts and the edges' numbers.

    Args:
        edges: (E, 5) float64 as :func:`plane_edges` returns them.
        low: v at which the first bin begins.
        width: Of a bin.
        bins: How many.
    """
    starts = np.zeros(bins + 1, np.int64)
    for edge in edges:
        first, last = int((edge[1] - low) / width), min(int((edge[3] - low) / width), bins - 1)
        for i in range(max(first, 0), last + 1):
            starts[i + 1] += 1
    starts = np.cumsum(starts)
    where, numbers = starts[:-1].copy(), np.empty(starts[-1], np.int64)
    for number in range(len(edges)):
        first, last = int((edges[number, 1] - low) / width), min(int((edges[number, 3] - low) / width), bins - 1)
        for i in range(max(first, 0), last + 1):
            numbers[where[i]] = number
            where[i] += 1
    return starts, numbers


@numba.njit(cache=True, nogil=True, error_model="numpy")
def plane_edges(u, v, starts):  # type: ignore[no-untyped-def]
    """Returns (E, 5) float64 edges of a plane's rings that are not along u; see :func:`_edges`."""
    return _edges(u, v, starts)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_row(edges, starts, numbers, bins, row, line):  # type: ignore[no-untyped-def]
    """Sets the voxels of one row of a grid that lie in one slab and inside its plane's rings.

    Args:
        edges: (E, 5) float64 of the plane.
        starts: From :func:`bin_edges`.
        numbers: Likewise.
        bins: (2,) float64, where the first bin begins and a bin's width.
        row: (5,) float64: v of the row, u of its first voxel, u from voxel to voxel (positive), and the first and the
            one past the last voxel in the slab.
        line: (voxels,) uint8, zeros between the two.
    """
    v, origin, step, begin, end = row[0], row[1], row[2], int(row[3]), int(row[4])
    place = int(np.floor((v - bins[0]) / bins[1]))
    if place < 0 or place >= len(starts) - 1:
        return
    for i in range(starts[place], starts[place + 1]):
        edge = edges[numbers[i]]
        if edge[1] <= v < edge[3]:
            crossing = (edge[0] + (v - edge[1]) * edge[4] - origin) / step
            column = max(int(np.ceil(min(max(crossing, -1.0), float(end)))), begin)
            if column < end:
                line[column] ^= 1
    inside = np.uint8(0)
    for column in range(begin, end):
        inside ^= line[column]
        line[column] = inside


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_oblique(edges, starts, numbers, bins, frame, slab, mask):  # type: ignore[no-untyped-def]
    """Sets the voxels that lie in one slab and inside its plane's rings, for planes at any angle to the grid.

    Args:
        edges: (E, 5) float64 of the plane, mm in its own u and v.
        starts: From :func:`bin_edges`.
        numbers: Likewise.
        bins: (2,) float64, where the first bin begins and a bin's width.
        frame: (3, 4) float64: u, v and the distance s along the normal as they grow with the last, the middle and the
            first index of ``mask``, and at its first voxel. v does not grow with the last index.
        slab: (2,) float64, mm along the normal: from (in) and to (out).
        mask: (..., ..., scanned) uint8; rows are replaced where the slab is.
    """
    u, v, s = frame[0], frame[1], frame[2]
    depth, height, width = mask.shape
    row = np.empty(5)
    row[2] = u[0]
    for i in range(depth):
        for j in range(height):
            at = s[3] + i * s[2] + j * s[1]
            low, high = 0.0, float(width)
            if s[0] != 0.0:
                a, b = (slab[0] - at) / s[0], (slab[1] - at) / s[0]
                # On a growing s the first voxel at or after `from`; on a falling one the first after `to`.
                low, high = (np.ceil(a), np.ceil(b)) if s[0] > 0 else (np.floor(b) + 1, np.floor(a) + 1)
            elif not slab[0] <= at < slab[1]:
                continue
            row[3], row[4] = max(low, 0.0), min(high, float(width))
            if row[3] >= row[4]:
                continue
            row[0] = v[3] + i * v[2] + j * v[1]
            row[1] = u[3] + i * u[2] + j * u[1]
            fill_row(edges, starts, numbers, bins, row, mask[i, j])
