"""Contours as a stack of parallel planes, each standing for a slab of space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from braggbook.errors import ImagingError
from braggbook.imaging.structures.contours import Contour, Structure

Floats = npt.NDArray[np.float64]

FLAT_MM = 0.1  # planning systems write one to three decimals; a plane's points within this are in the plane
SAME_PLANE_MM = 0.01  # contours nearer along the normal are of one plane and combine by even-odd
GAP_SHARE = 1.5  # planes farther apart than this many thicknesses have nothing between them
THICKEST_MM = 10.0  # planes farther apart are parts of their own: no planning image has thicker slices


@dataclass(frozen=True, eq=False)
class Planes:
    """Contours of one structure by plane.

    Attributes:
        normal: (3,) unit vector in LPS, its largest component positive.
        positions_mm: (P,) float64 of the planes along the normal, growing.
        rings: For each plane, its closed contours' points, each (n, 3) LPS mm.
    """

    normal: Floats
    positions_mm: Floats
    rings: tuple[tuple[Floats, ...], ...]


def contour_planes(structure: Structure) -> Planes | None:
    """Sorts a structure's closed contours into planes.

    Returns:
        The planes; None for a structure without an area.

    Raises:
        ImagingError: Contours could not be read, are not flat, or lie in planes of several directions.
    """
    if structure.blocking:
        what = "a structure whose contours are not usable"
        raise ImagingError(what, where=_where(structure), issues=structure.blocking)
    points = [contour.points_mm for contour in structure.closed]
    if not points:
        return None
    normal = _common_normal(points, structure)
    if normal is None:
        return None
    along = np.concatenate(points) @ normal
    positions = np.add.reduceat(along, _firsts(points)) / [len(ring) for ring in points]
    order = np.argsort(positions, kind="stable")
    groups: list[list[int]] = []
    for i in order:
        if groups and positions[i] - positions[groups[-1][0]] <= SAME_PLANE_MM:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    where = np.array([float(np.mean(positions[group])) for group in groups])
    return Planes(normal, where, tuple(tuple(points[i] for i in group) for group in groups))


def thickness_mm(planes: Planes, structure: Structure, *, default_mm: float) -> float:
    """Returns the thickness of the slab that a plane stands for.

    The first that is known: what all contours say themselves (Contour Slab Thickness); the usual distance of the
    structure's planes, which is the lower median of those up to 10 mm; for a single plane that of the structure set;
    ``default_mm``.
    """
    told = {contour.slab_thickness_mm for contour in structure.closed}
    if len(told) == 1 and (own := told.pop()):
        return own
    usual = usual_gap_mm(planes.positions_mm)
    return usual or structure.plane_spacing_mm or default_mm


def usual_gap_mm(positions_mm: Floats) -> float | None:
    """Returns the lower median of the distances of neighbouring planes up to 10 mm; None where there are none."""
    gaps = np.diff(np.sort(positions_mm))
    gaps = np.sort(gaps[(gaps > SAME_PLANE_MM) & (gaps <= THICKEST_MM)])
    return float(gaps[(len(gaps) - 1) // 2]) if len(gaps) else None


def slabs_mm(positions_mm: Floats, thickness: float) -> Floats:
    """Returns where each plane's slab begins and ends along the normal.

    Neighbours share the middle between them; the first and the last plane, and those at a gap, reach half a thickness.

    Args:
        positions_mm: (P,) growing.
        thickness: mm.

    Returns:
        (P, 2) mm.
    """
    gaps = np.diff(positions_mm)
    half = np.where(gaps <= GAP_SHARE * thickness, gaps / 2, thickness / 2)
    below, above = np.r_[thickness / 2, half], np.r_[half, thickness / 2]
    return np.stack([positions_mm - below, positions_mm + above], axis=1)


def flatness(points_mm: Floats) -> tuple[Floats, float, float]:
    """Fits a plane.

    Args:
        points_mm: (n, 3).

    Returns:
        Its unit normal (3,), the largest distance of a point from it, and the points' width across it, all mm; a width
        of nothing means that they lie on a line, which has no normal.
    """
    centred = points_mm - points_mm.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    normal: Floats = np.asarray(vectors[:, 0], dtype=np.float64)
    normal *= np.sign(normal[np.argmax(np.abs(normal))])
    return normal, float(np.abs(centred @ normal).max()), float(np.abs(centred @ vectors[:, 1]).max())


def ring_extents(rings: Sequence[Floats]) -> Floats:
    """Returns how far each of some rings, (n, 3) each, reaches along x, y and z: (M, 3)."""
    points, firsts = np.concatenate(rings), _firsts(rings)
    return np.maximum.reduceat(points, firsts) - np.minimum.reduceat(points, firsts)


def _firsts(rings: Sequence[Floats]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *(len(ring) for ring in rings[:-1])], dtype=np.int64)


def _common_normal(points: Sequence[Floats], structure: Structure) -> Floats | None:
    """Returns the direction in which every contour is flat; None where all of them are lines."""
    flat = (ring_extents(points) <= SAME_PLANE_MM).all(axis=0)
    if flat.sum() == 1:
        axis: Floats = np.eye(3)[int(np.argmax(flat))]
        return axis
    fitted = [flatness(ring) for ring in points]
    widest = max(range(len(points)), key=lambda i: fitted[i][2])
    normal, _, width = fitted[widest]
    if width <= SAME_PLANE_MM:
        return None
    for number, (ring, (_, own, _)) in enumerate(zip(points, fitted, strict=True)):
        off = float(np.abs((ring - ring.mean(axis=0)) @ normal).max())
        if off > FLAT_MM:
            bent = own > FLAT_MM
            what = "a closed contour that is not flat" if bent else "contours in planes of several directions"
            wanted = f"points within {FLAT_MM} mm of {'a' if bent else 'one'} plane"
            got = f"contour {number + 1} is {max(own, 0) if bent else off:.3g} mm off"
            raise ImagingError(what, where=_where(structure), wanted=wanted, got=got)
    return normal


def _where(structure: Structure) -> str:
    return f"ROI {structure.number} {structure.name!r}"


def contours_of(planes: Planes) -> tuple[Contour, ...]:
    """Returns the contours of a stack of planes, from the lowest position up."""
    return tuple(Contour(ring) for rings in planes.rings for ring in rings)
