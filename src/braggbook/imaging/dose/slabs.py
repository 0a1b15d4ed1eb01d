"""A structure's contours as the body that they bound: layers between and around parallel planes.

Rules, which :mod:`braggbook.imaging.dose.dvh` counts by:

- Contours lie on parallel planes, of any orientation. In one plane a point belongs to the structure when a ray from it
  crosses an odd number of contour edges: a contour inside another is a hole, an island is one more contour, and a
  keyhole's channel has no area.
- Between planes (``between``): ``"shape"`` blends one outline into the next by their signed distances, linearly in
  height (S. Raya and J. Udupa, IEEE Trans Med Imaging 9 (1990) 32-42); ``"slabs"`` takes each outline up to half way
  to its neighbours, as a mask on the image's slices does.
- Beyond the outermost planes (``end_caps``), and on both sides of a gap of more than 1.5 usual distances:
  ``"half_slice"`` goes on half the usual distance; ``"taper"`` shrinks to nothing over that distance; ``"none"`` ends
  at the plane; ``"auto"`` tapers where the last outline is smaller than its neighbour and goes on where it is not, as a
  structure that closes is to be told from one that is cut off.
- Only closed planar contours (DICOM PS3.3 C.8.8.6.1) bound a volume; others are left out, and said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Literal

import numpy as np
import numpy.typing as npt

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.dose.outlines import area, ring_areas, ring_edges
from braggbook.imaging.geometry import Floats
from braggbook.imaging.structures.contours import Structure
from braggbook.imaging.structures.planes import FLAT_MM, GAP_SHARE, SAME_PLANE_MM, usual_gap_mm

EndCaps = Literal["auto", "half_slice", "taper", "none"]
Between = Literal["shape", "slabs"]
END_CAPS: tuple[EndCaps, ...] = ("auto", "half_slice", "taper", "none")
BETWEEN: tuple[Between, ...] = ("shape", "slabs")

NOTHING = -1  # in the place of a plane: what shrinks to nothing
PARALLEL = 1e-3  # of normals; contours of 100 mm are then flat to 0.1 mm
_CLOSING = 0.99  # of the neighbour's area: an outline of less is one that closes; a cylinder's differ by rounding
_SMALLEST_MM2 = 1e-6  # area of a contour that has a normal
_CORNERS = np.indices((2, 2, 2)).reshape(3, -1).T.astype(np.bool_)


@dataclass(frozen=True, eq=False)
class Layers:
    """A body, as layers between two heights each.

    Attributes:
        name: Of the structure.
        axes: (3, 3) unit vectors u, v, w in LPS; w is the planes' normal.
        edges: (E, 4) u, v of the start and of the end of every edge of every contour, plane after plane, in mm.
        starts: (P + 1,) where each plane's edges begin.
        planes: (L, 2) the plane whose outline a layer begins with, and the one into which it is blended: the same where
            nothing changes, ``NOTHING`` where it shrinks to nothing.
        heights_mm: (L, 2) along w: where a layer begins, and where it ends, above or below.
        notes: What a reader should know.
    """

    name: str
    axes: Floats
    edges: Floats
    starts: npt.NDArray[np.int64]
    planes: npt.NDArray[np.int64]
    heights_mm: Floats
    notes: tuple[str, ...] = ()

    @property
    def corners_mm(self) -> Floats:
        """(8, 3) LPS mm of the box around the body."""
        flat = self.edges[:, :2]
        low = np.append(flat.min(axis=0), self.heights_mm.min())
        return box_corners(low, np.append(flat.max(axis=0), self.heights_mm.max())) @ self.axes


def layers_of(
    structure: Structure,
    *,
    between: Between = "shape",
    end_caps: EndCaps = "auto",
    thickness_mm: float | None = None,
) -> Layers:
    """Returns the body that a structure's contours bound.

    Args:
        structure: With its contours.
        between: What lies between planes.
        end_caps: What lies beyond the outermost planes.
        thickness_mm: Of a plane without neighbours, none being within 10 mm; usually the image's slice distance.

    Raises:
        ImagingError: A structure that reading it blocked; no closed contour; contours that are not flat or not parallel
            (all are named); planes without neighbours and no thickness; no such rule.
    """
    for name, value, known in (("between", between, BETWEEN), ("end_caps", end_caps, END_CAPS)):
        if value not in known:
            raise ImagingError("no such rule", where=name, wanted=" or ".join(known), got=str(value))
    if structure.blocking:
        raise ImagingError("a structure that cannot be used", where=structure.name, issues=structure.blocking)
    rings, notes = _closed(structure)
    axes, heights, order, firsts = _planes(rings, structure.name)
    usual = usual_gap_mm(heights) or thickness_mm
    if not (isinstance(usual, Real) and 0 < usual < np.inf):
        wanted = "a thickness above 0 for a plane without neighbours"
        raise ImagingError("no thickness", where=structure.name, wanted=wanted, got=str(usual))
    edges = ring_edges(rings.points @ axes[:2].T, rings.starts, order)
    sizes = np.diff(rings.starts)[order]
    starts = np.append(0, np.cumsum(sizes))[np.append(firsts, len(sizes))]
    outlines = _Outlines(edges, starts, heights, between=between, end_caps=end_caps)
    layers: list[_Layer] = []
    for run in _runs(heights, largest=GAP_SHARE * usual, notes=notes):
        layers += _layers(outlines, run, beyond=usual / 2)
    if not layers:
        wanted = 'two planes or more, or other end_caps than "none"'
        raise ImagingError("a structure without a volume", where=structure.name, wanted=wanted, got="one plane")
    planes = np.array([(each.plane, each.to_plane) for each in layers], dtype=np.int64)
    bounds = np.array([(each.from_mm, each.to_mm) for each in layers])
    return Layers(structure.name, axes, edges, starts, planes, bounds, tuple(notes))


def box_corners(low: Floats, high: Floats) -> Floats:
    """Returns the corners (8, 3) of the box between two of them, each (3,)."""
    return np.where(_CORNERS, high, low)


@dataclass(frozen=True, eq=False)
class _Rings:
    points: Floats  # (N, 3) of all closed contours
    starts: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]  # among all contours, from 1
    areas: Floats  # (M, 3)


@dataclass(frozen=True)
class _Layer:
    plane: int
    to_plane: int
    from_mm: float
    to_mm: float


class _Outlines:
    """The outlines of a structure, and by which rules they bound a body."""

    def __init__(
        self, edges: Floats, starts: npt.NDArray[np.int64], heights: Floats, *, between: Between, end_caps: EndCaps
    ) -> None:
        self.edges, self.starts, self.heights = edges, starts, heights
        self.between, self.end_caps = between, end_caps

    def closes(self, plane: int, neighbour: int) -> bool:
        """Returns whether the body shrinks to nothing beyond a plane."""
        if self.end_caps != "auto":
            return self.end_caps == "taper"
        if self.between == "slabs" or plane == neighbour:
            return False
        return self._area(plane) < _CLOSING * self._area(neighbour)

    def _area(self, plane: int) -> float:
        return float(area(self.edges[self.starts[plane] : self.starts[plane + 1]]))


def _runs(heights: Floats, *, largest: float, notes: list[str]) -> list[range]:
    """Returns planes without a gap between them, and notes each gap."""
    runs, first = [], 0
    for above in range(1, len(heights)):
        if heights[above] - heights[above - 1] > largest:
            between = f"{heights[above - 1]:g} and {heights[above]:g} mm"
            notes.append(f"no contour between {between}: an end on both sides")
            runs.append(range(first, above))
            first = above
    return [*runs, range(first, len(heights))]


def _layers(outlines: _Outlines, run: range, *, beyond: float) -> list[_Layer]:
    layers, heights = [], outlines.heights
    for below, above in pairwise(run):
        low, high = heights[below], heights[above]
        if outlines.between == "shape":
            layers.append(_Layer(below, above, low, high))
        else:
            layers += [_Layer(below, below, low, (low + high) / 2), _Layer(above, above, (low + high) / 2, high)]
    if outlines.end_caps == "none":
        return layers
    for end, neighbour, step in ((run[0], run[:2][-1], -beyond), (run[-1], run[-2:][0], beyond)):
        to_plane = NOTHING if outlines.closes(end, neighbour) else end
        layers.append(_Layer(end, to_plane, heights[end], heights[end] + step))
    return layers


def _closed(structure: Structure) -> tuple[_Rings, list[str]]:
    """Returns the contours that bound an area, and notes on the others."""
    numbers = [number for number, contour in enumerate(structure.contours, start=1) if contour.is_closed]
    other = len(structure.contours) - len(numbers)
    notes = [f"{other} contours that are not closed left out"] if other else []
    rings = _rings(structure, numbers)
    good = np.hypot(np.hypot(rings.areas[:, 0], rings.areas[:, 1]), rings.areas[:, 2]) >= _SMALLEST_MM2
    if not good.all():
        notes.append(f"{np.count_nonzero(~good)} contours without an area left out")
        rings = _rings(structure, [int(number) for number in rings.numbers[good]])
    if not good.any():
        got = "; ".join(notes) or "no contour"
        raise ImagingError("a structure without a volume", where=structure.name, wanted="closed contours", got=got)
    return rings, notes


def _rings(structure: Structure, numbers: list[int]) -> _Rings:
    parts = [structure.contours[number - 1].points_mm for number in numbers]
    starts = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    points = np.concatenate(parts) if parts else np.zeros((0, 3))
    return _Rings(points, starts, np.array(numbers, dtype=np.int64), ring_areas(points, starts))


def _axes(areas: Floats) -> Floats:
    """Returns u, v, w: w is the largest contour's normal, towards growing x, y or z."""
    normal = areas[np.argmax((areas**2).sum(axis=1))]
    w = normal / np.sqrt(normal @ normal)
    largest = int(np.argmax(np.abs(w)))
    if abs(w[largest]) > 1 - PARALLEL**2 / 2:  # on the patient's own planes: not tilted by rounded points
        return np.eye(3)[[(largest + 1) % 3, (largest + 2) % 3, largest]]
    w = w if w[largest] > 0 else -w
    start = np.eye(3)[0 if abs(w[0]) < 0.9 else 1]
    u = start - (start @ w) * w
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(w, u), w])


def _planes(rings: _Rings, name: str) -> tuple[Floats, Floats, npt.NDArray[np.int64], list[int]]:
    """Returns axes; heights of the planes, rising; rings in their order; and the first of each plane in it."""
    axes = _axes(rings.areas)
    along = rings.points @ axes[2]
    first = rings.starts[:-1]
    off = np.maximum.reduceat(along, first) - np.minimum.reduceat(along, first)
    if off.max() > FLAT_MM:
        wanted = f"contours on parallel planes, flat to {FLAT_MM:g} mm"
        issues = [
            Issue("off the planes", f"{name}, contour {rings.numbers[n]}", wanted, f"{off[n]:.3g} mm")
            for n in np.flatnonzero(off > FLAT_MM)
        ]
        raise ImagingError("contours that do not lie on parallel planes", where=name, issues=issues)
    middle = np.add.reduceat(along, first) / np.diff(rings.starts)
    order = np.argsort(middle, kind="stable")
    firsts: list[int] = []
    for place, height in enumerate(middle[order].tolist()):
        if not firsts or height - middle[order[firsts[-1]]] > SAME_PLANE_MM:
            firsts.append(place)
    return axes, middle[order[firsts]], order, firsts
