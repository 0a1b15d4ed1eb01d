"""Outlines on planes: their areas, where scan lines cross them, how far points are from them, one blended into another.

An outline is the edges of all closed contours on a plane, even-odd. Distances and crossings are looked up by rows:
bands of one height along v, the same on all planes, each with the edges that touch it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_AREA_ROWS = 256  # of an outline whose area is compared with another's
_DEEP = 1e-3  # of the depth: the last step to the deepest point
_AROUND = ((1.0, 0.0), (0.7, 0.7), (0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0), (0.7, -0.7))


@njit(cache=True, nogil=True, error_model="numpy")
def ring_areas(points: Any, starts: Any) -> Any:
    """Returns the vector areas (M, 3) of M rings (Newell): the length is the area, the direction the normal.

    Args:
        points: (N, 3) of all rings.
        starts: (M + 1,) where each begins.
    """
    areas = np.zeros((len(starts) - 1, 3))
    for ring in range(len(areas)):
        first = starts[ring]
        for n in range(first + 1, starts[ring + 1] - 1):  # of triangles at the first point
            a, b, c = points[n, 0] - points[first, 0], points[n, 1] - points[first, 1], points[n, 2] - points[first, 2]
            d, e, f = (
                points[n + 1, 0] - points[first, 0],
                points[n + 1, 1] - points[first, 1],
                points[n + 1, 2] - points[first, 2],
            )
            areas[ring, 0] += (b * f - c * e) / 2
            areas[ring, 1] += (c * d - a * f) / 2
            areas[ring, 2] += (a * e - b * d) / 2
    return areas


@njit(cache=True, nogil=True, error_model="numpy")
def ring_edges(points: Any, starts: Any, order: Any) -> Any:
    """Returns (N, 4) u, v of the start and of the end of every edge, ring by ring in an order.

    Args:
        points: (N, 2 or more) u, v of all rings.
        starts: (M + 1,) where each begins.
        order: (M,) of the rings.
    """
    edges = np.empty((len(points), 4))
    count = 0
    for ring in order:
        before = starts[ring + 1] - 1
        for n in range(starts[ring], starts[ring + 1]):
            edges[count, 0], edges[count, 1] = points[before, 0], points[before, 1]
            edges[count, 2], edges[count, 3] = points[n, 0], points[n, 1]
            before = n
            count += 1
    return edges


@njit(cache=True, nogil=True, error_model="numpy")
def area(edges: Any) -> Any:
    """Returns the area inside an outline, by scan lines: islands add, holes do not count."""
    low = min(edges[:, 1].min(), edges[:, 3].min())
    step = (max(edges[:, 1].max(), edges[:, 3].max()) - low) / _AREA_ROWS
    ends, total = np.empty(len(edges)), 0.0
    for row in range(_AREA_ROWS):
        v, count = low + (row + 0.5) * step, 0
        for n in range(len(edges)):
            if (edges[n, 1] <= v) != (edges[n, 3] <= v):
                ends[count] = _crossing(edges[n], v)
                count += 1
        ends[:count].sort()
        for n in range(0, count - 1, 2):
            total += (ends[n + 1] - ends[n]) * step
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def edges_by_row(edges: Any, starts: Any, low: Any, step: Any, rows: Any) -> Any:
    """Returns which edges touch each row of each plane.

    Args:
        edges: (E, 4) of all planes.
        starts: (P + 1,) where each plane's begin.
        low: v at which the first row begins.
        step: Height of a row.
        rows: How many.

    Returns:
        (P, rows + 1) where each row's edges begin, and the numbers of the edges.
    """
    places = np.zeros((len(starts) - 1, rows + 1), dtype=np.int64)
    spans = np.empty((len(edges), 2), dtype=np.int64)
    for plane in range(len(places)):
        for n in range(starts[plane], starts[plane + 1]):
            spans[n, 0] = max(int((min(edges[n, 1], edges[n, 3]) - low) / step), 0)
            spans[n, 1] = min(int((max(edges[n, 1], edges[n, 3]) - low) / step), rows - 1)
            spans[n, 0] = min(spans[n, 0], rows - 1)
            for row in range(spans[n, 0], spans[n, 1] + 1):
                places[plane, row] += 1
    total = 0
    for plane in range(len(places)):
        for row in range(rows + 1):
            here, places[plane, row] = places[plane, row], total
            total += here
    numbers, filled = np.empty(total, dtype=np.int64), places.copy()
    for plane in range(len(places)):
        for n in range(starts[plane], starts[plane + 1]):
            for row in range(spans[n, 0], spans[n, 1] + 1):
                numbers[filled[plane, row]] = n
                filled[plane, row] += 1
    return places, numbers


@njit(cache=True, nogil=True, error_model="numpy")
def _crossing(edge: Any, v: Any) -> Any:
    return edge[0] + (v - edge[1]) / (edge[3] - edge[1]) * (edge[2] - edge[0])


@njit(cache=True, nogil=True, error_model="numpy")
def crossings(edges: Any, numbers: Any, v: Any, mark: Any, count: Any, ends: Any, marks: Any) -> Any:
    """Adds where a scan line crosses an outline to what it crosses already, in order; returns how many there are.

    Of its ends, an edge has the lower one: a line through a corner crosses once, or not at all, or twice.
    """
    for n in numbers:
        if (edges[n, 1] <= v) != (edges[n, 3] <= v):
            found = _crossing(edges[n], v)
            at = count
            while at > 0 and ends[at - 1] > found:  # lines cross a few edges: insertion is the fastest sort
                ends[at], marks[at] = ends[at - 1], marks[at - 1]
                at -= 1
            ends[at], marks[at] = found, mark
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _square_to_edge(u: Any, v: Any, edge: Any) -> Any:
    u0, v0, u1, v1 = edge
    du, dv = u1 - u0, v1 - v0
    square = du * du + dv * dv
    along = min(max(((u - u0) * du + (v - v0) * dv) / square, 0.0), 1.0) if square > 0 else 0.0
    off_u, off_v = u0 + along * du - u, v0 + along * dv - v
    return off_u * off_u + off_v * off_v


@njit(cache=True, nogil=True, error_model="numpy")
def distance(u: Any, v: Any, outline: Any, near: Any) -> Any:
    """Returns how far a point is from the nearest edge of an outline, and which that is.

    Args:
        u: Of the point.
        v: Of the point.
        outline: Edges of all planes; where each row's begin, of this plane; numbers of edges; v at which the first row
            begins; height of a row.
        near: An edge of the outline to begin with: best the one that was nearest to the last point.
    """
    edges, starts, numbers, low, step = outline
    best = _square_to_edge(u, v, edges[near])
    rows = len(starts) - 1
    row = min(max(int((v - low) / step), 0), rows - 1)
    for away in range(rows):
        below, above = v - low - (row - away + 1) * step, low + (row + away) * step - v
        for side in range(1 if away == 0 else 2):
            other, beyond = (row - away, below) if side == 0 else (row + away, above)
            if other < 0 or other >= rows or (away > 0 and beyond > 0 and beyond * beyond >= best):
                continue
            for m in range(starts[other], starts[other + 1]):
                n = numbers[m]
                off = max(min(edges[n, 0], edges[n, 2]) - u, u - max(edges[n, 0], edges[n, 2]), 0.0)
                if off * off >= best:
                    continue
                found = _square_to_edge(u, v, edges[n])
                if found < best:
                    best, near = found, n
        if min(below, above) > 0 and min(below, above) ** 2 >= best:
            break
    return np.sqrt(best), near


@njit(cache=True, nogil=True, error_model="numpy")
def deepest_point(u: Any, v: Any, outline: Any, near: Any) -> Any:
    """Returns how far inside an outline the deepest point near a point inside is, by steps that halve.

    No step is longer than the distance from the outline, so that none leads out.
    """
    deepest, near = distance(u, v, outline, near)
    step = deepest / 2
    while step > _DEEP * deepest:
        moved = False
        for n in range(8):
            to_u, to_v = u + step * _AROUND[n][0], v + step * _AROUND[n][1]
            found, edge = distance(to_u, to_v, outline, near)
            if found > deepest:
                u, v, deepest, near, moved = to_u, to_v, found, edge, True
        if not moved:
            step /= 2
    return deepest
