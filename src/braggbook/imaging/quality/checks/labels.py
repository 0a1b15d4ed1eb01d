"""Labels: can the outlines of structures be used as they are?

Structures are looked at as contours; masks are made only of pairs whose boxes meet, on a coarse grid of bounded size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from braggbook.errors import BraggbookError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.quality.evidence import Evidence, SegmentEvidence
from braggbook.imaging.quality.extents import OUTSIDE_MM, extent_of_images, larger_than_images, points_of
from braggbook.imaging.quality.names import side_of, volume_range_cc
from braggbook.imaging.quality.registry import Finding, NotApplicable, NotAssessed, check
from braggbook.imaging.structures.contours import Structure
from braggbook.imaging.structures.names import is_standard, map_names
from braggbook.imaging.structures.planes import contour_planes
from braggbook.imaging.structures.rasterise import structure_mask

Floats = npt.NDArray[np.float64]

_GAP_STEPS = 1.5
_OVERLAP = (0.1, 0.95)  # share of the smaller organ: below it is rounding of outlines, above one is part of the other
_VOXELS = 200_000  # of the grid that an overlap is measured on: 1 % of a volume of some thousand voxels
_NOT_ORGANS = re.compile(r"(?i)^(x|z)?_?(gtv|ctv|ptv|itv|boost|body|external|couch|bolus|ring|iso|dose|\d+%)")
_TARGETS = {"GTV", "CTV", "PTV", "EXTERNAL", "SUPPORT", "BOLUS", "CONTROL", "DOSE_REGION", "TREATED_VOLUME", "MARKER"}
_POINTS = {"ISOCENTER", "MARKER", "REGISTRATION"}  # kinds of structures that are points


def _structures(evidence: Evidence) -> list[tuple[str, Structure]]:
    found = [(where, each) for where, structures in evidence.structures.items() for each in structures]
    if not found:
        raise NotAssessed("a segmentation has no outlines" if evidence.segments else "no structure set is here")
    return found


def _segments(evidence: Evidence) -> list[tuple[str, SegmentEvidence]]:
    return [(where, each) for where, segments in evidence.segments.items() for each in segments]


def _drawn(evidence: Evidence) -> list[tuple[str, Structure]]:
    found = [(where, each) for where, each in _structures(evidence) if not each.is_empty]
    if not found:
        raise NotApplicable
    return found


def _named(where: str, structure: Structure | SegmentEvidence) -> str:
    kind = "structure" if isinstance(structure, Structure) else "segment"
    return f"{where}, {kind} {structure.number} {structure.name!r}"


@check(
    "labels.empty",
    "Every structure encloses something, and every segment has a voxel",
    dimension="labels",
    scope="all",
    source="DICOM PS3.3 C.8.8.6, C.8.20.2: a structure without a closed contour has no volume",
)
def _check_empty(evidence: Evidence) -> Iterable[Finding]:
    segments = _segments(evidence)
    for where, one in segments:
        if not one.voxels:
            yield Finding(_named(where, one), "a voxel", "none", "(0062,0002) SegmentSequence")
    for where, each in _structures(evidence) if evidence.structures or not segments else ():
        points = each.contours and all(contour.kind == "POINT" for contour in each.contours)
        if each.is_empty and not points and each.interpreted_type not in _POINTS:
            yield Finding(_named(where, each), "a closed contour", "none", "(3006,0040) ContourSequence")


@check(
    "labels.readable",
    "Every contour can be read and is flat",
    dimension="labels",
    scope="all",
    source="DICOM PS3.3 C.8.8.6.1",
)
def _check_readable(evidence: Evidence) -> Iterable[Finding]:
    for where, each in _structures(evidence):
        for issue in each.blocking:
            yield Finding(_named(where, each), issue.wanted or "a flat contour", issue.what, "(3006,0050) ContourData")


@check(
    "labels.names_once",
    "No two structures of a set have one name",
    dimension="labels",
    scope="all",
    source="AAPM TG-263: a name stands for one structure",
)
def _check_names_once(evidence: Evidence) -> Iterable[Finding]:
    if not evidence.segments:
        _structures(evidence)
    sets: list[tuple[str, Iterable[Structure | SegmentEvidence]]] = [*evidence.structures.items()]
    for where, members in [*sets, *evidence.segments.items()]:
        seen: dict[str, int] = {}
        for each in members:
            key = each.name.strip().casefold()
            if key in seen:
                yield Finding(_named(where, each), "a name of its own", f"that of structure {seen[key]}")
            seen.setdefault(key, each.number)


@check(
    "labels.names",
    "Names of structures are those of TG-263 or targets of ICRU 83",
    dimension="labels",
    scope="all",
    source="AAPM TG-263 (2018); ICRU 83 for targets",
)
def _check_names(evidence: Evidence) -> Iterable[Finding]:
    for where, each in _structures(evidence):
        if not is_standard(each.name):
            proposed = str(map_names([each.name])["proposed"].iloc[0])
            wanted = "a name of TG-263" + (f", perhaps {proposed}" if proposed else "")
            yield Finding(_named(where, each), wanted, "another", "(3006,0026) ROIName")


@check(
    "labels.plane_gap",
    "No contour plane is missing within a structure",
    dimension="labels",
    scope="all",
    source=f"a step of {_GAP_STEPS} usual ones or more between the contour planes of one structure",
)
def _check_plane_gap(evidence: Evidence) -> Iterable[Finding]:
    for where, each in _drawn(evidence):
        for at, step, usual in _gaps(each):
            yield Finding(f"{_named(where, each)}, after {at:.2f} mm", f"a step of {usual:.2f} mm", f"{step:.2f} mm")


def _gaps(structure: Structure) -> Iterator[tuple[float, float, float]]:
    places = _planes(structure)
    steps = np.diff(places)
    if len(steps) > 1:
        usual = float(np.median(steps))
        for at in np.flatnonzero(steps > _GAP_STEPS * usual):
            yield float(places[at]), float(steps[at]), usual


def _planes(structure: Structure) -> Floats:
    try:
        found = contour_planes(structure)
    except BraggbookError:
        return np.empty(0)
    return np.empty(0) if found is None else np.unique(np.asarray(found.positions_mm, dtype=np.float64).round(3))


@check(
    "labels.outside",
    "Structures lie within the images",
    dimension="labels",
    scope="all",
    source="DICOM PS3.3 C.8.8.6: contours are drawn on images",
)
def _check_outside(evidence: Evidence) -> Iterable[Finding]:
    assessed = False
    for where, each in _drawn(evidence):
        found = extent_of_images(evidence, where)
        if found is None or larger_than_images(evidence, where) is not None:
            continue  # the images are wrong, not the structures: geometry.extent says so
        assessed = True
        low, high = found
        points = points_of([each])
        beyond = max(float((low - points.min(axis=0)).max()), float((points.max(axis=0) - high).max()))
        if beyond > OUTSIDE_MM:
            yield Finding(_named(where, each), "within the images", f"{beyond:.1f} mm beyond them")
    if not assessed:
        raise NotAssessed("no images, or not all of those that the structures refer to, make a volume here")


def volume_cc(structure: Structure) -> float | None:
    """Returns the volume of a structure in cm3, from a mask on a coarse grid (1 % of a compact shape).

    None if it cannot be filled, which ``labels.readable`` says.
    """
    mask = _mask(structure, _box(structure))
    return None if mask is None else float(mask[0].sum()) * mask[1].voxel_mm3 / 1000.0


def _box(structure: Structure) -> tuple[Floats, Floats]:
    points = points_of([structure])
    return points.min(axis=0), points.max(axis=0)


def _mask(structure: Structure, box: tuple[Floats, Floats]) -> tuple[npt.NDArray[np.bool_], Grid] | None:
    """Returns a structure on a coarse axial grid over a box; None when it cannot be filled."""
    low, high = box
    places = _planes(structure)
    gap = float(np.median(np.diff(places))) if len(places) > 1 else (structure.plane_spacing_mm or 1.0)
    size = np.maximum(high - low, 1e-3)
    slices = max(1, int(np.ceil(size[2] / gap)) + 1)
    pixel = max(0.5, float(np.sqrt(size[0] * size[1] / max(1.0, _VOXELS / slices))))
    shape = (slices, int(size[1] / pixel) + 1, int(size[0] / pixel) + 1)
    grid = Grid.from_axes(
        shape, spacing_mm=(gap, pixel, pixel), origin_mm=(low[0] + pixel / 2, low[1] + pixel / 2, low[2])
    )
    try:
        return np.asarray(structure_mask(structure, grid).values, dtype=bool), grid
    except BraggbookError:
        return None


@check(
    "labels.volume",
    "Volumes of organs are those of people",
    dimension="labels",
    scope="all",
    source="ICRP 89 reference values, from a quarter of the newborn's to four times the adult's; names of TG-263",
)
def _check_volume(evidence: Evidence) -> Iterable[Finding]:
    known = False
    for where, each, found in _volumes(evidence):
        if (limits := volume_range_cc(each.name)) is not None and found is not None:
            known = True
            if not limits[0] <= found <= limits[1]:
                yield Finding(_named(where, each), f"{limits[0]:g} to {limits[1]:g} cm3", f"{found:.3g} cm3")
    if not known:
        raise NotAssessed("no structure has a name with a stated range of volumes")


def _volumes(evidence: Evidence) -> Iterator[tuple[str, Structure | SegmentEvidence, float | None]]:
    for where, segment in _segments(evidence):
        if segment.voxels:
            yield where, segment, segment.volume_cc
    for where, structure in _drawn(evidence) if evidence.structures or not evidence.segments else ():
        if volume_range_cc(structure.name) is not None:
            yield where, structure, volume_cc(structure)


@check(
    "labels.side",
    "What is named left lies left of what is named right",
    dimension="labels",
    scope="all",
    blocking=True,
    source="AAPM TG-263: _L and _R; DICOM PS3.3 C.7.6.2.1.1: x grows to the patient's left",
)
def _check_side(evidence: Evidence) -> Iterable[Finding]:
    pairs = list(_pairs(evidence))
    if not pairs:
        raise NotApplicable
    for where, left, right in pairs:
        middle_left, middle_right = (float(np.mean(_box(each), axis=0)[0]) for each in (left, right))
        if middle_left <= middle_right:
            found = f"at x = {middle_left:.1f} mm, {right.name!r} at {middle_right:.1f} mm"
            yield Finding(_named(where, left), "larger x than its right partner", found, "(3006,0026) ROIName")


def _pairs(evidence: Evidence) -> Iterator[tuple[str, Structure, Structure]]:
    found: dict[tuple[str, str], dict[str, Structure]] = {}
    for where, each in _drawn(evidence):
        if (named := side_of(each.name)) is not None:
            found.setdefault((where, named[0]), {})[named[1]] = each
    for (where, _), sides in found.items():
        if len(sides) == 2:
            yield where, sides["L"], sides["R"]


@check(
    "labels.overlap",
    "Organs do not overlap, unless one is part of the other",
    dimension="labels",
    scope="all",
    source=f"two organs cannot be in one place; {_OVERLAP[0]:.0%} to {_OVERLAP[1]:.0%} of the smaller; no targets",
)
def _check_overlap(evidence: Evidence) -> Iterable[Finding]:
    assessed = False
    organs = [(where, each) for where, each in _drawn(evidence) if _is_organ(each)]
    for (where, one), (other_where, other) in combinations(organs, 2):
        if where != other_where:
            continue
        assessed = True
        share = _shared(one, other)
        if _OVERLAP[0] < share < _OVERLAP[1]:
            wanted = f"at most {_OVERLAP[0]:.0%} of the smaller shared with {other.name!r}"
            yield Finding(_named(where, one), wanted, f"{share:.0%}")
    if not assessed:
        raise NotApplicable


def _is_organ(structure: Structure) -> bool:
    return structure.interpreted_type not in _TARGETS and not _NOT_ORGANS.match(structure.name)


def _shared(one: Structure, other: Structure) -> float:
    """Returns which share of the smaller of two structures is in both."""
    first, second = _box(one), _box(other)
    if (np.minimum(first[1], second[1]) <= np.maximum(first[0], second[0])).any():
        return 0.0
    box = np.minimum(first[0], second[0]), np.maximum(first[1], second[1])
    masks = [_mask(each, box) for each in (one, other)]
    if masks[0] is None or masks[1] is None:
        return 0.0
    planes = min(masks[0][0].shape[0], masks[1][0].shape[0])
    if masks[0][0].shape != masks[1][0].shape:  # planes at other distances: not on one grid
        return 0.0 if planes == 0 else _on_one_grid(one, other, masks[0][1])
    return _share(masks[0][0], masks[1][0])


def _on_one_grid(one: Structure, other: Structure, grid: Grid) -> float:
    try:
        masks = [np.asarray(structure_mask(each, grid).values, dtype=bool) for each in (one, other)]
    except BraggbookError:
        return 0.0
    return _share(masks[0], masks[1])


def _share(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    smaller = min(int(one.sum()), int(other.sum()))
    return float((one & other).sum()) / smaller if smaller else 0.0
