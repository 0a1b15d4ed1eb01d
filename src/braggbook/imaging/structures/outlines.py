"""Masks as contours: the exact outlines of voxels.

An outline runs along the edges of voxels, so that its area is that of the voxels and a mask of the contours on the same
grid is the mask they came from, bit by bit. Voxels that touch at a corner only are apart (4-neighbours).
"""

from __future__ import annotations

import itertools
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.contours import Contour, Structure
from braggbook.imaging.volumes import grid_of

Floats = npt.NDArray[np.float64]
_BRIDGE = 0.25  # of a pixel: where on an edge a keyhole's channel starts, away from centres and corners
_STEP = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])  # column and row, by direction: right, down, left, up
_AHEAD = np.array([[-1, 0], [0, 0], [0, -1], [-1, -1]])  # row and column of the pixel ahead on the left hand
_HOLES = ("keyhole", "xor", "contours")


def structure_from_mask(
    mask: xr.DataArray,
    *,
    name: str,
    number: int = 1,
    holes: str = "keyhole",
    color: tuple[int, int, int] | None = None,
    interpreted_type: str = "",
    frame_of_reference_uid: str | None = None,
) -> Structure:
    """Returns a mask as a structure whose contours are the outlines of its voxels, slice by slice.

    Args:
        mask: (z, y, x) volume of bool, or of numbers that are 0 or 1.
        name: Of the structure.
        number: Of the region in its structure set.
        holes: How a hole is written (PS3.3 C.8.8.6.3): ``"keyhole"``, joined to its surrounding by a channel of no
            width; ``"xor"``, as a contour of its own of kind CLOSEDPLANAR_XOR; ``"contours"``, as a contour of its own
            of kind CLOSED_PLANAR, which the standard does not foresee but most programs take.
        color: Red, green and blue, 0 to 255.
        interpreted_type: Such as ORGAN or PTV.
        frame_of_reference_uid: Of the patient space.

    Raises:
        ImagingError: No volume, or values other than 0 and 1, or another word for holes.
    """
    if holes not in _HOLES:
        raise ImagingError("not a way to write holes", where="holes", wanted=", ".join(_HOLES), got=str(holes))
    grid, data = grid_of(mask), np.asarray(mask.values)
    if data.ndim != 3 or not ((data == 0) | (data == 1)).all():
        got = f"{data.ndim} dimensions, {data.dtype}"
        raise ImagingError("not a mask", where=name, wanted="(z, y, x), of False and True or 0 and 1", got=got)
    contours = [
        each for index in np.flatnonzero(data.any(axis=(1, 2))) for each in _slice(data, grid, int(index), holes)
    ]
    spacing = abs(float(np.cross(grid.directions[0], grid.directions[1]) @ grid.affine[:3, 2]))
    return Structure(
        name,
        number,
        tuple(contours),
        color=color,
        interpreted_type=interpreted_type,
        frame_of_reference_uid=frame_of_reference_uid,
        algorithm="AUTOMATIC",
        plane_spacing_mm=spacing,
    )


def _slice(data: Any, grid: Grid, index: int, holes: str) -> list[Contour]:
    rings = mask_outlines(data[index])
    outer = [ring for ring in rings if _area(ring) > 0]
    inner = [ring for ring in rings if _area(ring) < 0]
    if inner and holes == "keyhole":
        outer, inner = _with_keyholes(outer, inner), []
    kind = "CLOSEDPLANAR_XOR" if holes == "xor" else "CLOSED_PLANAR"
    return [Contour(grid.to_patient(np.c_[ring, np.full(len(ring), index)]), kind) for ring in (*outer, *inner)]


def mask_outlines(pixels: npt.ArrayLike) -> list[Floats]:
    """Returns the outlines of the pixels that are set.

    Args:
        pixels: (rows, columns) bool.

    Returns:
        Rings, each (n, 2) float64 of columns and rows, whose corners are at half pixels. With rows counted downwards
        an outer ring runs clockwise (positive area by the shoelace formula), a hole's the other way.
    """
    padded = np.pad(np.asarray(pixels) != 0, 1).astype(np.uint8)
    points, starts = _trace(padded)
    return [points[begin:end] - 1.5 for begin, end in itertools.pairwise(starts)]


@numba.njit(cache=True, nogil=True)
def _starts_of_rings(padded):  # type: ignore[no-untyped-def]
    """Marks set pixels below an unset one, whose upper crack a ring passes just once, and counts all cracks."""
    rows, columns = padded.shape
    waiting = np.zeros((rows, columns), np.uint8)
    cracks = 0
    for row in range(1, rows):
        for column in range(1, columns):
            above, below = padded[row - 1, column], padded[row, column]
            waiting[row, column] = below and not above
            cracks += (above != below) + (below != padded[row, column - 1])
    return waiting, cracks


@numba.njit(cache=True, nogil=True)
def _turn(padded, x, y, direction):  # type: ignore[no-untyped-def]
    """Returns where a ring goes on from a corner: 0 right, 1 down, 2 left, 3 up; right first, so that corners part."""
    right = (direction + 1) % 4
    if not padded[y + _AHEAD[right, 0], x + _AHEAD[right, 1]]:
        return right
    if padded[y + _AHEAD[direction, 0], x + _AHEAD[direction, 1]]:
        return (direction + 3) % 4
    return direction


@numba.njit(cache=True, nogil=True)
def _trace(padded):  # type: ignore[no-untyped-def]
    """Follows the cracks between set and unset pixels, the set ones on the right hand; corners only.

    Returns (n, 2) float64 corners as columns and rows of the padded lattice, and (M + 1,) starts of rings.
    """
    waiting, cracks = _starts_of_rings(padded)
    points = np.empty((cracks, 2))
    starts = [0]
    count = 0
    for row, column in np.argwhere(waiting):
        x, y, direction = column, row, 0  # at the corner left of the crack
        while direction != 0 or waiting[y, x]:
            if direction == 0:
                waiting[y, x] = 0
            x += _STEP[direction, 0]
            y += _STEP[direction, 1]
            before, direction = direction, _turn(padded, x, y, direction)
            if direction != before:
                points[count, 0], points[count, 1] = x, y
                count += 1
        if count > starts[-1]:
            starts.append(count)
    return points[:count], np.array(starts)


def _area(ring: Floats) -> float:
    u, v = ring[:, 0], ring[:, 1]
    return float(0.5 * (u * np.roll(v, -1) - v * np.roll(u, -1)).sum())


def _with_keyholes(outer: list[Floats], inner: list[Floats]) -> list[Floats]:
    """Joins each hole to the ring left of it by a channel of no width, the leftmost hole first.

    Whatever the channel meets first is the hole's surrounding, or a hole that has been joined to it already.
    """
    rings = list(outer)
    for hole in sorted(inner, key=lambda ring: float(ring[:, 0].min())):
        start = _leftmost_edge(hole)
        u, v = float(hole[start, 0]), float(min(hole[start, 1], hole[(start + 1) % len(hole), 1])) + _BRIDGE
        target, edge, at = _nearest_left(rings, u, v)
        ring = rings[target]
        round_hole = np.roll(hole, -(start + 1), axis=0)
        channel = np.array([[at, v], [u, v]])
        rings[target] = np.concatenate([ring[: edge + 1], channel, round_hole, channel[::-1], ring[edge + 1 :]])
    return rings


def _leftmost_edge(ring: Floats) -> int:
    """Returns where a ring's leftmost edge along v starts."""
    following = np.roll(ring, -1, axis=0)
    upright = np.flatnonzero((ring[:, 0] == following[:, 0]) & (ring[:, 1] != following[:, 1]))
    return int(upright[np.argmin(ring[upright, 0])])


def _nearest_left(rings: list[Floats], u: float, v: float) -> tuple[int, int, float]:
    """Returns which ring and which edge of it a ray from (u, v) to the left meets first, and its column there."""
    best = (-1, -1, -np.inf)
    for number, ring in enumerate(rings):
        following = np.roll(ring, -1, axis=0)
        low, high = np.minimum(ring[:, 1], following[:, 1]), np.maximum(ring[:, 1], following[:, 1])
        met = np.flatnonzero((ring[:, 0] == following[:, 0]) & (low < v) & (v < high) & (ring[:, 0] < u))
        if len(met):
            edge = int(met[np.argmax(ring[met, 0])])
            if ring[edge, 0] > best[2]:
                best = (number, edge, float(ring[edge, 0]))
    return best
