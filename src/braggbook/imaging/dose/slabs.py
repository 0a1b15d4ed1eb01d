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

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.geometry import Floats
from braggbook.imaging.structures.contours import Structure

EndCaps = Literal["auto", "half_slice", "taper", "none"]
Between = Literal["shape", "slabs"]
END_CAPS: tuple[EndCaps, ...] = ("auto", "half_slice", "taper", "none")
BETWEEN: tuple[Between, ...] = ("shape", "slabs")

SAME_PLANE_MM = 0.01  # contours nearer than this are on one plane: a tenth of what any scanner resolves, at most
FLAT_MM = 0.1  # how far a point may lie off its contour's plane: what planning systems round to
PARALLEL = 1e-3  # of normals; contours of 100 mm are then flat to 0.1 mm
GAP = 1.5  # usual distances: more is an end on both sides and not one thick slab
_CLOSING = 0.99  # of the neighbour's area: an outline of less is one that closes; a cylinder's differ by rounding
_SMALLEST_MM2 = 1e-6  # area of a contour that has a normal


@dataclass(frozen=True, eq=False)
class Layer:
    """A part of a body between two heights.

    Attributes:
        edges: (n, 4) u, v of the start and of the end of every edge of every contour at ``from_mm``, in mm.
        to_edges: The same at ``to_mm``: ``edges`` itself where nothing changes, and none where it shrinks to nothing.
        from_mm: Height along w.
        to_mm: Height along w, above or below.
    """

    edges: Floats
    to_edges: Floats
    from_mm: float
    to_mm: float


@dataclass(frozen=True, eq=False)
class Layers:
    """A body.

    Attributes:
        name: Of the structure.
        axes: (3, 3) unit vectors u, v, w in LPS; w is the planes' normal.
        layers: Its parts.
        notes: What a reader should know.
    """

    name: str
    axes: Floats
    layers: tuple[Layer, ...]
    notes: tuple[str, ...] = ()


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
        thickness_mm: Of a structure drawn on one plane; usually the image's slice distance.

    Raises:
        ImagingError: A structure that reading it blocked; no closed contour; contours that are not flat or not parallel
            (all are named); one plane and no thickness; no such rule.
    """
    for name, value, known in (("between", between, BETWEEN), ("end_caps", end_caps, END_CAPS)):
        if value not in known:
            raise ImagingError("no such rule", where=name, wanted=" or ".join(known), got=str(value))
    if structure.blocking:
        raise ImagingError("a structure that cannot be used", where=structure.name, issues=structure.blocking)
    closed, notes = _closed(structure)
    axes = _axes([points for _, points in closed])
    planes = _planes([(number, points @ axes.T) for number, points in closed], structure.name)
    heights = np.array([plane.height_mm for plane in planes])
    usual = float(np.median(np.diff(heights))) if len(planes) > 1 else thickness_mm
    if usual is None or not 0 < usual < np.inf:
        wanted = "a thickness above 0 for a structure on one plane"
        raise ImagingError("no thickness", where=structure.name, wanted=wanted, got=str(usual))
    layers: list[Layer] = []
    for run in _runs(planes, largest=GAP * usual, notes=notes):
        layers += _within(run, between)
        layers += _caps(run, between=between, end_caps=end_caps, beyond=usual / 2)
    return Layers(structure.name, axes, tuple(layers), tuple(notes))


@dataclass(frozen=True, eq=False)
class _Plane:
    height_mm: float
    edges: Floats
    area_mm2: float


def _runs(planes: list[_Plane], *, largest: float, notes: list[str]) -> list[list[_Plane]]:
    """Returns planes without a gap between them, and notes each gap."""
    runs = [[planes[0]]]
    for below, above in pairwise(planes):
        if above.height_mm - below.height_mm > largest:
            notes.append(f"no contour between {below.height_mm:g} and {above.height_mm:g} mm: an end on both sides")
            runs.append([])
        runs[-1].append(above)
    return runs


def _within(run: list[_Plane], between: Between) -> list[Layer]:
    layers = []
    for below, above in pairwise(run):
        if between == "shape":
            layers.append(Layer(below.edges, above.edges, below.height_mm, above.height_mm))
        else:
            middle = (below.height_mm + above.height_mm) / 2
            layers.append(Layer(below.edges, below.edges, below.height_mm, middle))
            layers.append(Layer(above.edges, above.edges, above.height_mm, middle))
    return layers


def _caps(run: list[_Plane], *, between: Between, end_caps: EndCaps, beyond: float) -> list[Layer]:
    if end_caps == "none":
        return []
    layers = []
    for end, neighbour, step in ((run[0], run[min(1, len(run) - 1)], -beyond), (run[-1], run[-2:][0], beyond)):
        closing = end_caps == "auto" and between == "shape" and end.area_mm2 < _CLOSING * neighbour.area_mm2
        target = end.edges[:0] if closing or end_caps == "taper" else end.edges
        layers.append(Layer(end.edges, target, end.height_mm, end.height_mm + step))
    return layers


def _closed(structure: Structure) -> tuple[list[tuple[int, Floats]], list[str]]:
    """Returns number and points of the contours that bound an area, and notes on the others."""
    good, other, small = [], 0, 0
    for number, contour in enumerate(structure.contours, start=1):
        if not contour.is_closed:
            other += 1
            continue
        points = np.asarray(contour.points_mm, dtype=np.float64).reshape(-1, 3)
        if np.linalg.norm(_area(points)) < _SMALLEST_MM2:
            small += 1
            continue
        good.append((number, points))
    notes = [f"{other} contours that are not closed left out"] if other else []
    notes += [f"{small} contours without an area left out"] if small else []
    if not good:
        got = "; ".join(notes) or "no contour"
        raise ImagingError("a structure without a volume", where=structure.name, wanted="closed contours", got=got)
    return good, notes


def _area(points: Floats) -> Floats:
    """Returns a polygon's vector area (Newell): its length is the area, its direction the normal."""
    x, y, z = (points - points.mean(axis=0)).T
    (next_x, next_y, next_z) = np.concatenate([[x, y, z], [[x[0]], [y[0]], [z[0]]]], axis=1)[:, 1:]
    twice = (y @ next_z - z @ next_y, z @ next_x - x @ next_z, x @ next_y - y @ next_x)
    return np.array(twice) / 2


def _axes(contours: Iterable[Floats]) -> Floats:
    """Returns u, v, w: w is the largest contour's normal, towards the head if it can be; u is near x."""
    normal = max((_area(points) for points in contours), key=lambda area: float(np.linalg.norm(area)))
    w = normal / np.linalg.norm(normal)
    nearest = np.zeros(3)
    nearest[int(np.argmax(np.abs(w)))] = 1
    if abs(w @ nearest) > 1 - PARALLEL**2 / 2:  # on the patient's own planes: not tilted by rounded points
        w = nearest
    w = w if w[np.argmax(np.abs(w))] > 0 else -w
    start = np.eye(3)[0 if abs(w[0]) < 0.9 else 1]
    u = start - (start @ w) * w
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(w, u), w])


def _planes(contours: list[tuple[int, Floats]], name: str) -> list[_Plane]:
    """Returns planes by height."""
    issues = []
    for number, points in contours:
        off = float(np.ptp(points[:, 2]))
        if off > FLAT_MM:
            where = f"{name}, contour {number}"
            wanted = f"contours on parallel planes, flat to {FLAT_MM:g} mm"
            issues.append(Issue("off the planes", where=where, wanted=wanted, got=f"{off:.3g} mm"))
    if issues:
        raise ImagingError("contours that do not lie on parallel planes", where=name, issues=issues)
    groups: list[tuple[float, list[Floats]]] = []
    for height, points in sorted(((float(p[:, 2].mean()), p) for _, p in contours), key=lambda each: each[0]):
        if groups and height - groups[-1][0] <= SAME_PLANE_MM:
            groups[-1][1].append(points)
        else:
            groups.append((height, [points]))
    return [_Plane(height, _edges(group), _net_area(group)) for height, group in groups]


def _edges(contours: list[Floats]) -> Floats:
    parts = [np.hstack([points[:, :2], np.roll(points[:, :2], -1, axis=0)]) for points in contours]
    return np.ascontiguousarray(np.vstack(parts))


def _net_area(contours: list[Floats]) -> float:
    """Returns the area of outlines less their holes: of contours whose first point lies in an odd number of others."""
    total = 0.0
    for number, points in enumerate(contours):
        around = sum(_is_inside(points[0], other) for n, other in enumerate(contours) if n != number)
        total += (-1) ** around * float(np.linalg.norm(_area(points)))
    return total


def _is_inside(point: Floats, contour: Floats) -> bool:
    u, v = contour[:, 0], contour[:, 1]
    next_u, next_v = np.roll(u, -1), np.roll(v, -1)
    crossed = (v <= point[1]) != (next_v <= point[1])
    rise = np.where(crossed, next_v - v, 1.0)
    return bool(np.sum(crossed & (u + (point[1] - v) / rise * (next_u - u) > point[0])) % 2)
