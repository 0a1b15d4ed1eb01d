"""Outlines on planes: where scan lines cross them, how far points are from them, and one blended into another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def merged(edges: Any, others: Any, v: Any, ends: Any, marks: Any) -> Any:
    """Writes where a scan line crosses two outlines, in order, and which of them (0 or 1); returns how many.

    Of its ends, an edge has the lower one: a line through a corner crosses once, or not at all, or twice.
    """
    count = 0
    for outline in range(2):
        of = edges if outline == 0 else others
        for n in range(len(of)):
            u0, v0, u1, v1 = of[n]
            if (v0 <= v) != (v1 <= v):
                found = u0 + (v - v0) / (v1 - v0) * (u1 - u0)
                at = count
                while at > 0 and ends[at - 1] > found:  # lines cross a few edges: insertion is the fastest sort
                    ends[at], marks[at] = ends[at - 1], marks[at - 1]
                    at -= 1
                ends[at], marks[at] = found, outline
                count += 1
    return count


@njit(cache=True, nogil=True)
def _square_to_edge(u: Any, v: Any, edge: Any) -> Any:
    u0, v0, u1, v1 = edge
    du, dv = u1 - u0, v1 - v0
    square = du * du + dv * dv
    along = min(max(((u - u0) * du + (v - v0) * dv) / square, 0.0), 1.0) if square > 0 else 0.0
    off_u, off_v = u0 + along * du - u, v0 + along * dv - v
    return off_u * off_u + off_v * off_v


@njit(cache=True, nogil=True)
def distance(u: Any, v: Any, edges: Any, near: Any) -> Any:
    """Returns how far a point is from the nearest of some edges, and which that is.

    Args:
        u: Of the point.
        v: Of the point.
        edges: (n, 4), one at least.
        near: The edge to begin with: with the last point's nearest one, most others are seen to be farther at once.
    """
    best = _square_to_edge(u, v, edges[near])
    for n in range(len(edges)):
        u0, v0, u1, v1 = edges[n]
        off_u = max(min(u0, u1) - u, u - max(u0, u1), 0.0)
        off_v = max(min(v0, v1) - v, v - max(v0, v1), 0.0)
        if off_u * off_u + off_v * off_v >= best:
            continue
        found = _square_to_edge(u, v, edges[n])
        if found < best:
            best, near = found, n
    return np.sqrt(best), near


@njit(cache=True, nogil=True)
def heights(u: Any, v: Any, shape: Any, here: Any, nearest: Any) -> Any:
    """Returns from where to where, as parts of the way from one outline to the other, a point is inside.

    The signed distances of both are blended linearly; where the other outline is nothing, it is the first one's
    distance less that of its deepest point.
    """
    edges, others, deepest = shape
    near, nearest[0] = distance(u, v, edges, nearest[0])
    if deepest > 0:
        return 0.0, min(near / deepest, 1.0)
    far, nearest[1] = distance(u, v, others, nearest[1])
    change = near / (near + far) if near + far > 0 else 0.5
    return (0.0, change) if here else (change, 1.0)


@njit(cache=True, nogil=True)
def deepest_point(edges: Any, lines: Any) -> Any:
    """Returns the largest distance from the outline of a point inside, among the pieces of scan lines."""
    low_v, step_v, rows, _, _, _, pitch, _ = lines
    ends, marks = np.empty(len(edges)), np.empty(len(edges))
    deepest, near = 0.0, 0
    for row in range(int(rows)):
        v = low_v + (row + 0.5) * step_v
        count = merged(edges, edges[:0], v, ends, marks)
        for pair in range(0, count - 1, 2):
            length = ends[pair + 1] - ends[pair]
            pieces = max(1, int(np.ceil(length / pitch)))
            for piece in range(pieces):
                found, near = distance(ends[pair] + (piece + 0.5) * length / pieces, v, edges, near)
                deepest = max(deepest, found)
    return deepest
