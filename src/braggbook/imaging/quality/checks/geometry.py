"""Geometry: do the slices make a volume? By positions and orientations, never by numbers or names.

Source of order and distance: DICOM PS3.3 C.7.6.2.1.1. Tolerances are those of reading
(:mod:`braggbook.imaging.dicom.findings`), so that what is called even here is what is read there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from braggbook.imaging.dicom.findings import EVEN_MM, EVEN_SHARE, GAP_STEPS
from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.quality.evidence import Evidence, SeriesEvidence, Slice
from braggbook.imaging.quality.extents import extent_of_images, images_of, larger_than_images
from braggbook.imaging.quality.registry import PLACED, Finding, NotApplicable, check

_SAME_MM = 1e-3  # two positions nearer than this are one
_COSINE = 1e-3  # files write cosines with six digits; 0.06 degrees
_UNIT = 1e-2  # files may write three digits
_TILT_DEG = 0.5  # gantries are set in steps of half a degree
_LENGTH_SHARE = 0.02  # two statements of one length that are rounded differently
_TOLD_APART = (
    "TemporalPositionIdentifier", "TriggerTime", "EchoTime", "DiffusionBValue", "AcquisitionNumber", "InversionTime",
    "FlipAngle", "ImageType", "FrameReferenceTime", "NominalPercentageOfCardiacPhase",
)  # fmt: skip
_SOURCE = "DICOM PS3.3 C.7.6.2.1.1"


def _images(series: SeriesEvidence) -> list[Slice]:
    """Returns the frames that should be slices: localisers are not."""
    found = [each for each in series.slices if "LOCALIZER" not in (each.tags.get("ImageType") or ())]
    if not found:
        raise NotApplicable
    return found


def _stack(series: SeriesEvidence) -> list[tuple[float, list[Slice]]]:
    """Returns the different places along the normal, ascending, with the frames at each."""
    wanted = {id(each) for each in _images(series)}
    places: list[tuple[float, list[Slice]]] = []
    for each in series.placed:
        if id(each) in wanted:
            along = series.along(each)
            if places and along - places[-1][0] <= _SAME_MM:
                places[-1][1].append(each)
            else:
                places.append((along, [each]))
    return places


def _steps(series: SeriesEvidence) -> tuple[list[tuple[float, list[Slice]]], np.ndarray[Any, np.dtype[np.float64]]]:
    places = _stack(series)
    if len(places) < 3:
        raise NotApplicable
    return places, np.diff([along for along, _ in places])


def _at(place: tuple[float, list[Slice]]) -> str:
    return f"{place[1][0].where}, at {place[0]:.2f} mm"


@check(
    "geometry.placed",
    "Every slice says where it is and how it lies",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    blocking=True,
    source=_SOURCE,
)
def _check_placed(series: SeriesEvidence) -> Iterable[Finding]:
    for each in _images(series):
        if each.position_mm is None:
            yield Finding(each.where, "three numbers", "none", tag_name("ImagePositionPatient"))
        if each.cosines is None:
            yield Finding(each.where, "six numbers", "none", tag_name("ImageOrientationPatient"))


@check(
    "geometry.directions",
    "Rows and columns are unit vectors at right angles",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    source=_SOURCE,
)
def _check_directions(series: SeriesEvidence) -> Iterable[Finding]:
    for each in _images(series):
        if each.cosines is not None:
            row, column = each.cosines[:3], each.cosines[3:]
            lengths = (float(np.linalg.norm(row)), float(np.linalg.norm(column)))
            if max(abs(x - 1) for x in lengths) > _UNIT or abs(float(row @ column)) > _UNIT:
                found = f"lengths {lengths[0]:.4f} and {lengths[1]:.4f}, product {float(row @ column):.4f}"
                yield Finding(each.where, "1, 1 and 0", found, tag_name("ImageOrientationPatient"))


@check(
    "geometry.orientation",
    "All slices lie alike",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    blocking=True,
    source=_SOURCE,
)
def _check_orientation(series: SeriesEvidence) -> Iterable[Finding]:
    known = [each for each in _images(series) if each.cosines is not None]
    if not known:
        raise NotApplicable
    usual = np.median([each.cosines for each in known if each.cosines is not None], axis=0)
    for each in known:
        if each.cosines is not None and float(np.abs(each.cosines - usual).max()) > _COSINE:
            found = "\\".join(f"{x:.4g}" for x in each.cosines)
            wanted = "\\".join(f"{x:.4g}" for x in usual)
            yield Finding(each.where, wanted, found, tag_name("ImageOrientationPatient"))


@check(
    "geometry.gap",
    "No slice is missing",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    blocking=True,
    source=f"{_SOURCE}; a step of {GAP_STEPS} usual ones or more",
)
def _check_gap(series: SeriesEvidence) -> Iterable[Finding]:
    places, steps = _steps(series)
    usual = float(np.median(steps))
    for place, step in zip(places, steps, strict=False):
        if step > GAP_STEPS * usual:
            yield Finding(f"after {_at(place)}", f"a step of {usual:.3f} mm", f"{step:.3f} mm", _POSITION)


_POSITION = tag_name("ImagePositionPatient")


@check(
    "geometry.even",
    "Slices are at even distances",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    source=f"{_SOURCE}; positions of real series are rounded: within {EVEN_MM} mm or {EVEN_SHARE:.0%}",
)
def _check_even(series: SeriesEvidence) -> Iterable[Finding]:
    places, steps = _steps(series)
    usual = float(np.median(steps))
    allowed = max(EVEN_MM, EVEN_SHARE * usual)
    for place, step in zip(places, steps, strict=False):
        if abs(step - usual) > allowed:
            yield Finding(f"after {_at(place)}", f"{usual:.3f} mm within {allowed:.3f}", f"{step:.3f} mm", _POSITION)


@check(
    "geometry.repeated",
    "No two slices are at one place, unless a tag tells them apart",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    blocking=True,
    source="DICOM PS3.3 C.7.6.2.1.1; times, echoes and b-values make volumes of their own",
)
def _check_repeated(series: SeriesEvidence) -> Iterable[Finding]:
    for along, members in _stack(series):
        if len(members) > 1 and len({_label(each) for each in members}) < len(members):
            others = ", ".join(each.where for each in members[1:4])
            yield Finding(f"{members[0].where}, at {along:.2f} mm", "one slice", f"also {others}", _POSITION)


def _label(one: Slice) -> str:
    return repr([one.tags.get(name) for name in _TOLD_APART])


@check(
    "geometry.tilt",
    "Slices stand at right angles to the line of their positions",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    source=f"{_SOURCE}; a tilted gantry shears the volume, from {_TILT_DEG} degrees",
)
def _check_tilt(series: SeriesEvidence) -> Iterable[Finding]:
    places = _stack(series)
    if len(places) < 2:
        raise NotApplicable
    first, last = places[0][1][0].position_mm, places[-1][1][0].position_mm
    if first is None or last is None:
        raise NotApplicable
    way = last - first
    sideways = float(np.linalg.norm(way - (way @ series.normal) * series.normal))
    angle = float(np.degrees(np.arctan2(sideways, abs(way @ series.normal))))
    if angle > _TILT_DEG:
        where = f"{series.modality} series {series.series.uid}"
        yield Finding(where, f"within {_TILT_DEG} degrees", f"{angle:.2f} degrees", _POSITION)


def _mixed(series: SeriesEvidence, keywords: tuple[str, ...]) -> Iterable[Finding]:
    values = [(each, tuple(_rounded(each.tags.get(name)) for name in keywords)) for each in _images(series)]
    counts = Counter(value for _, value in values)
    usual = counts.most_common(1)[0][0]
    for each, value in values:
        if value != usual:
            names = " and ".join(map(tag_name, keywords))
            yield Finding(each.where, _shown(usual), _shown(value), names)


def _rounded(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_rounded(each) for each in value)
    return round(value, 5) if isinstance(value, float) else value


def _shown(values: tuple[Any, ...]) -> str:
    return " x ".join("none" if each is None else str(each) for each in values)


@check(
    "geometry.pixel_spacing",
    "All slices have the same size of pixels",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    blocking=True,
    source="DICOM PS3.3 10.7.1.3: one grid has one spacing",
)
def _check_pixel_spacing(series: SeriesEvidence) -> Iterable[Finding]:
    return _mixed(series, ("PixelSpacing",))


@check(
    "geometry.matrix",
    "All slices have the same number of rows and columns",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    blocking=True,
    source="DICOM PS3.3 C.7.6.3: one grid has one shape",
)
def _check_matrix(series: SeriesEvidence) -> Iterable[Finding]:
    return _mixed(series, ("Rows", "Columns"))


@check(
    "geometry.stated_step",
    "The stated distance of slices is the real one",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    source="DICOM PS3.3 C.8.3.1: SpacingBetweenSlices; where it is absent, slices thinner than their step leave gaps",
)
def _check_stated_step(series: SeriesEvidence) -> Iterable[Finding]:
    places, steps = _steps(series)
    real = float(np.median(steps))
    first = places[0][1][0]
    stated, thickness = first.tags.get("SpacingBetweenSlices"), first.tags.get("SliceThickness")
    allowed = max(EVEN_MM, EVEN_SHARE * real)
    if isinstance(stated, float) and abs(abs(stated) - real) > allowed:
        yield Finding(first.where, f"{real:.3f} mm", f"{stated:.3f} mm", tag_name("SpacingBetweenSlices"))
    elif stated is None and isinstance(thickness, float) and thickness > 0 and real > GAP_STEPS * thickness:
        yield Finding(first.where, f"a step near {thickness:.3f} mm", f"{real:.3f} mm", tag_name("SliceThickness"))


@check(
    "geometry.number_order",
    "Instance numbers follow the positions, up or down",
    dimension="geometry",
    scope="series",
    modalities=PLACED,
    source="DICOM PS3.3 C.7.6.1: no rule, but whoever sorts by numbers gets another volume",
)
def _check_number_order(series: SeriesEvidence) -> Iterable[Finding]:
    places = _stack(series)
    numbers = [members[0].tags.get("InstanceNumber") for _, members in places if len(members) == 1]
    known = [int(each) for each in numbers if each is not None]
    if len(known) < 3 or any(len(members) > 1 for _, members in places):
        raise NotApplicable
    steps = np.sign(np.diff(known))
    usual = 1 if (steps > 0).sum() >= (steps < 0).sum() else -1
    for place, step in zip(places, steps, strict=False):
        if step != usual:
            yield Finding(f"after {_at(place)}", "the next number", "a step back", tag_name("InstanceNumber"))


@check(
    "geometry.dose_planes",
    "Planes of the dose grid are at even distances",
    dimension="geometry",
    scope="instance",
    modalities=("RTDOSE",),
    blocking=True,
    source="DICOM PS3.3 C.8.8.3.2: GridFrameOffsetVector",
)
def _check_dose_planes(head: Any) -> Iterable[Finding]:
    offsets = np.asarray(head.dataset.get("GridFrameOffsetVector") or (), dtype=np.float64)
    frames = int(head.dataset.get("NumberOfFrames") or 1)
    name = tag_name("GridFrameOffsetVector")
    if frames < 2:
        raise NotApplicable
    if len(offsets) != frames:
        yield Finding(head.where, f"{frames} offsets", str(len(offsets)), name)
    elif float(np.ptp(np.diff(offsets))) > EVEN_MM or not np.diff(offsets).all():
        steps = np.diff(offsets)
        yield Finding(head.where, "even steps", f"{steps.min():.3f} to {steps.max():.3f} mm", name)


@check(
    "geometry.diameter",
    "Pixels times their size is the stated diameter of reconstruction",
    dimension="geometry",
    scope="series",
    modalities=("CT",),
    source="DICOM PS3.3 C.8.2.1: ReconstructionDiameter; a cropped matrix is smaller, none is larger",
)
def _check_diameter(series: SeriesEvidence) -> Iterable[Finding]:
    known = False
    for each in _images(series):
        stated, spacing, rows = (each.tags.get(name) for name in ("ReconstructionDiameter", "PixelSpacing", "Rows"))
        if isinstance(stated, float) and stated > 0 and spacing and rows:
            known = True
            width = float(spacing[0]) * int(rows)
            if width > stated * (1 + _LENGTH_SHARE):
                wanted = f"at most {stated:.1f} mm"
                yield Finding(each.where, wanted, f"{width:.1f} mm", tag_name("PixelSpacing"))
    if not known:
        raise NotApplicable


@check(
    "geometry.extent",
    "Images are as large as the structures that were drawn on them",
    dimension="geometry",
    scope="all",
    blocking=True,
    source="DICOM PS3.3 C.8.8.6: contours are drawn on images; larger ones mean another pixel size or slice distance",
)
def _check_extent(evidence: Evidence) -> Iterable[Finding]:
    sets = [where for where in evidence.structures if extent_of_images(evidence, where) is not None]
    if not sets:
        raise NotApplicable
    for where in sets:
        if (sizes := larger_than_images(evidence, where)) is not None:
            names = ", ".join(f"{one.modality} series {one.series.uid}" for one in images_of(evidence, where))
            drawn, images = (" x ".join(f"{value:.1f}" for value in size) + " mm" for size in sizes)
            yield Finding(names, f"at least {drawn} (x, y, z), as the structures of {where}", images, _SPACING)


_SPACING = tag_name("PixelSpacing")
