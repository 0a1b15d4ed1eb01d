"""RTSTRUCT files as structures.

What has no answer (numbers that cannot be read, contours that are not flat) blocks the structure it belongs to and no
other; what has one is reported as an issue beside it. Source: DICOM PS3.3 A.19 and C.8.8.5 to C.8.8.8.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.uid import RTStructureSetStorage

from braggbook.errors import BraggbookError, DicomError, Issue
from braggbook.imaging.dicom.bounded import read_dataset
from braggbook.imaging.dicom.sources import FileSource
from braggbook.imaging.structures.contours import CLOSED, OPEN, Contour, Structure, Structures
from braggbook.imaging.structures.planes import FLAT_MM, flatness, usual_gap_mm

Floats = npt.NDArray[np.float64]

_CONTOUR_DATA = 0x30060050
_NUMBER_CHARACTERS = b"0123456789+-.eE \\\0\r\n\t"
_LONGEST_TEXT = 200
_PREFIX_END = 132  # bytes of the preamble and DICM
_MOST_BYTES = 1 << 31  # of a file: a structure set has megabytes, a segmentation of a whole body some hundred


@dataclass(frozen=True)
class _Images:
    """What contours may refer to; None where nobody said."""

    uids: Collection[str] | None
    frames: Collection[str] | None


def read_structures(source: Any, *, images: Iterable[Any] | None = None) -> Structures:
    """Reads a structure set.

    Args:
        source: A path, a :class:`pydicom.Dataset`, or anything with ``open()`` or a ``source`` that has it, such as an
            instance of an index.
        images: The images that are at hand, to check references against: datasets or instances of an index. By default
            those that the file itself lists.

    Returns:
        Its structures in the file's order, empty ones too, each with its issues.

    Raises:
        DicomError: Not a DICOM file, cut off, or no structure set.
    """
    dataset, where = open_dataset(source)
    check_class(dataset, where, {RTStructureSetStorage}, "a structure set")
    try:
        with quiet_pydicom():
            return _read(dataset, where, _at_hand(images))
    except BraggbookError:
        raise
    except Exception as error:  # pydicom raises nearly anything on a value that breaks its rules
        got = f"{type(error).__name__}: {str(error)[:_LONGEST_TEXT]}"
        raise DicomError("a structure set that cannot be read", where=where, got=got) from error


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silences the warnings of pydicom and highdicom: about values that our own checks name, or that nobody reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)
        yield


def open_dataset(source: Any, *, pixels: bool = True) -> tuple[pydicom.Dataset, str]:
    """Returns a source's dataset and its name for messages.

    Args:
        source: As :func:`read_structures` takes it.
        pixels: Read all of it, and not its header alone.

    Raises:
        DicomError: There is no DICOM file, or one too large to be what is asked for.
    """
    if isinstance(source, pydicom.Dataset):
        return source, str(getattr(source, "filename", None) or "dataset")
    by_path = isinstance(source, str | os.PathLike)
    if not by_path and not hasattr(source, "open"):
        source = getattr(source, "source", source)
    where = str(source)
    try:
        opened = FileSource(Path(source).resolve()) if by_path else source
        with quiet_pydicom(), opened.open() as stream:
            if pixels and (size := stream.seek(0, os.SEEK_END)) > _MOST_BYTES:
                raise DicomError("too large a file", where=where, wanted=f"at most {_MOST_BYTES} bytes", got=str(size))
            stream.seek(0)
            # An index has found out that it is DICOM, perhaps without a preamble; of a path nobody knows.
            if by_path and not stream.read(_PREFIX_END).endswith(b"DICM"):
                raise DicomError(
                    "cannot be read as DICOM", where=where, wanted="a DICOM file", got="no DICM at byte 128"
                )
            return read_dataset(stream, pixels=pixels, most=_MOST_BYTES), where
    except BraggbookError:
        raise
    except Exception as error:  # likewise
        got = str(error)[:_LONGEST_TEXT] or type(error).__name__
        raise DicomError("cannot be read as DICOM", where=where, wanted="a DICOM file", got=got) from error


def check_class(dataset: pydicom.Dataset, where: str, uids: Collection[str], what: str) -> None:
    """Asks for an object of some SOP classes.

    Args:
        dataset: The object.
        where: Its name for messages.
        uids: Of the classes.
        what: They are, such as "a structure set".

    Raises:
        DicomError: It is something else.
    """
    try:
        with quiet_pydicom():
            found = str(dataset.get("SOPClassUID", "nothing"))
    except Exception as error:  # likewise
        found = str(error)[:_LONGEST_TEXT]
    if found not in uids:
        wanted = " or ".join(uids)
        raise DicomError(f"not {what}", where=f"{where} (0008,0016) SOPClassUID", wanted=wanted, got=found)


def _at_hand(images: Iterable[Any] | None) -> _Images:
    if images is None:
        return _Images(None, None)
    uids, frames = set(), set()
    for image in images:
        of_dataset = isinstance(image, pydicom.Dataset)
        uids.add(str(image.SOPInstanceUID if of_dataset else image.sop_instance_uid))
        frame = image.get("FrameOfReferenceUID") if of_dataset else image.frame_of_reference_uid
        if frame:
            frames.add(str(frame))
    return _Images(uids, frames)


def items_of(dataset: Any, keyword: str) -> list[Any]:
    """Returns a sequence's items; none where it is missing, empty or no sequence."""
    value = dataset.get(keyword)
    return list(value) if isinstance(value, pydicom.Sequence) else []


def text_of(dataset: Any, keyword: str) -> str:
    """Returns a value as text without blanks around it; empty where there is none."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def number_of(dataset: Any, keyword: str) -> int | None:
    """Returns a whole number; None where there is none."""
    try:
        return int(dataset.get(keyword))
    except (TypeError, ValueError):
        return None


def _read(dataset: pydicom.Dataset, where: str, images: _Images) -> Structures:
    frames, referenced = _references(dataset)
    known = _Images(images.uids if images.uids is not None else referenced or None, images.frames or frames or None)
    observations = {
        number_of(item, "ReferencedROINumber"): item for item in items_of(dataset, "RTROIObservationsSequence")
    }
    drawn: dict[int | None, list[Any]] = {}
    for item in items_of(dataset, "ROIContourSequence"):
        drawn.setdefault(number_of(item, "ReferencedROINumber"), []).append(item)
    issues, structures = [], []
    for order, roi in enumerate(items_of(dataset, "StructureSetROISequence"), start=1):
        number = number_of(roi, "ROINumber")
        if number is None:
            issues.append(Issue("a region without a number", f"(3006,0020) item {order}", "(3006,0022) ROINumber"))
            continue
        structures.append(_structure(roi, number, drawn.pop(number, []), observations.get(number), known))
    issues += [Issue("contours of a region that is not declared", "(3006,0039)", got=str(key)) for key in drawn]
    if not structures:
        issues.append(Issue("a structure set without a region", where, "(3006,0020) StructureSetROISequence"))
    issues += _twice(structures)
    return Structures(
        _with_spacing(structures),
        label=text_of(dataset, "StructureSetLabel"),
        sop_instance_uid=text_of(dataset, "SOPInstanceUID"),
        frame_of_reference_uids=tuple(frames),
        image_uids=tuple(referenced),
        issues=tuple(issues),
    )


def _twice(structures: list[Structure]) -> list[Issue]:
    issues = []
    for what, keys in (("name", [s.name for s in structures]), ("number", [s.number for s in structures])):
        many = sorted({str(key) for key in keys if keys.count(key) > 1})  # type: ignore[arg-type]
        issues += [Issue(f"several regions have one {what}", "(3006,0020)", got=key) for key in many]
    return issues


def _references(dataset: pydicom.Dataset) -> tuple[list[str], list[str]]:
    """Returns the frames of reference and the images that the set as a whole refers to."""
    frames, uids = [], []
    for frame in items_of(dataset, "ReferencedFrameOfReferenceSequence"):
        frames.append(text_of(frame, "FrameOfReferenceUID"))
        for study in items_of(frame, "RTReferencedStudySequence"):
            for series in items_of(study, "RTReferencedSeriesSequence"):
                uids += [
                    text_of(image, "ReferencedSOPInstanceUID") for image in items_of(series, "ContourImageSequence")
                ]
    return frames, uids


def _with_spacing(structures: list[Structure]) -> tuple[Structure, ...]:
    """Gives each structure the usual distance of axial contour planes in the set."""
    places = {
        round(float(contour.points_mm[0, 2]), 2)
        for structure in structures
        for contour in structure.closed
        if np.ptp(contour.points_mm[:, 2]) <= FLAT_MM
    }
    spacing = usual_gap_mm(np.array(sorted(places)))
    return tuple(replace(structure, plane_spacing_mm=spacing) for structure in structures)


def _structure(roi: Any, number: int, drawn: list[Any], observation: Any, known: _Images) -> Structure:
    name, frame = text_of(roi, "ROIName"), text_of(roi, "ReferencedFrameOfReferenceUID") or None
    where = f"ROI {number} {name!r}"
    contours, blocking = [], []
    for order, item in enumerate(
        (each for roi_item in drawn for each in items_of(roi_item, "ContourSequence")), start=1
    ):
        found = _contour(item, f"{where} contour {order}")
        if isinstance(found, Issue):
            blocking.append(found)
        else:
            contours.append(found)
    color = drawn[0].get("ROIDisplayColor") if drawn else None
    structure = Structure(
        name,
        number,
        tuple(contours),
        color=_color(color),
        interpreted_type=text_of(observation, "RTROIInterpretedType") if observation is not None else "",
        frame_of_reference_uid=frame,
        description=text_of(roi, "ROIDescription"),
        algorithm=text_of(roi, "ROIGenerationAlgorithm"),
    )
    bent = _bent(contours, where)
    return replace(
        structure,
        blocking=(*blocking, *bent),
        issues=(*_shape_issues(structure, where, bool(drawn)), *_reference_issues(structure, where, known)),
    )


def _color(value: Any) -> tuple[int, int, int] | None:
    try:
        red, green, blue = (int(part) for part in value)
    except (TypeError, ValueError):
        return None
    return (red, green, blue) if all(0 <= part <= 255 for part in (red, green, blue)) else None


def _contour(item: Any, where: str) -> Contour | Issue:
    kind = text_of(item, "ContourGeometricType")
    if kind not in CLOSED + OPEN:
        wanted = "one of " + ", ".join(CLOSED + OPEN)
        return Issue("not a kind of contour", f"{where} (3006,0042) ContourGeometricType", wanted, kind or "nothing")
    tag = f"{where} (3006,0050) ContourData"
    try:
        values = _numbers(item)
    except ValueError as error:
        return Issue("cannot be read as numbers", tag, "decimal strings", str(error)[:_LONGEST_TEXT])
    if len(values) % 3:
        return Issue("not whole points", tag, "a multiple of 3 numbers", str(len(values)))
    if not np.isfinite(values).all():
        return Issue("a point that is nowhere", tag, "finite numbers", str(values[~np.isfinite(values)][0]))
    declared = number_of(item, "NumberOfContourPoints")
    if declared is not None and declared != len(values) // 3:
        got = f"{len(values) // 3} points"
        return Issue("fewer or more points than it says", tag, f"{declared}, from (3006,0046)", got)
    uids = tuple(text_of(image, "ReferencedSOPInstanceUID") for image in items_of(item, "ContourImageSequence"))
    return Contour(values.reshape(-1, 3), kind, uids, _thickness(item))


def _thickness(item: Any) -> float | None:
    try:
        value = float(item.get("ContourSlabThickness"))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None


def _numbers(item: Any) -> Floats:
    """Returns a contour's numbers; from the raw bytes where they are at hand, as pydicom takes a second per 100,000."""
    element = item.get_item(_CONTOUR_DATA)
    value = None if element is None else element.value
    if value is None:
        return np.empty(0)
    if not isinstance(value, bytes):
        return np.asarray(value, dtype=np.float64).ravel()
    if odd := value.translate(None, _NUMBER_CHARACTERS):
        raise ValueError(repr(odd[:20])[1:])
    text = value.strip(b" \0")
    return np.array([float(part.strip(b" \0")) for part in text.split(b"\\")]) if text else np.empty(0)


def _bent(contours: list[Contour], where: str) -> list[Issue]:
    issues = []
    for order, contour in enumerate(contours, start=1):
        if contour.is_closed and len(contour.points_mm) > 3 and np.ptp(contour.points_mm, axis=0).min() > 0:
            off = flatness(contour.points_mm)[1]
            if off > FLAT_MM:
                wanted, got = f"points within {FLAT_MM} mm of a plane", f"{off:.3g} mm off"
                issues.append(Issue("a closed contour that is not flat", f"{where} contour {order}", wanted, got))
    return issues


def _shape_issues(structure: Structure, where: str, listed: bool) -> list[Issue]:  # noqa: FBT001 - a fact about the file
    """Names what is odd about a structure's contours; each kind once, with how many there are."""
    contours = structure.contours
    if not contours:
        got = "no contour" if listed else "no item in (3006,0039) ROIContourSequence"
        return [Issue("an empty region", where, "contours", got)]
    closed = [contour for contour in contours if contour.is_closed]
    short = sum(len(contour.points_mm) < 3 for contour in closed)
    repeated = sum(_repeats(contour.points_mm) for contour in closed)
    open_kinds = sorted({contour.kind for contour in contours if not contour.is_closed})
    issues = []
    if open_kinds:
        issues.append(
            Issue(f"{len(contours) - len(closed)} contours enclose no area", where, got=", ".join(open_kinds))
        )
    if short:
        issues.append(Issue(f"{short} closed contours of fewer than 3 points enclose no area", where))
    if repeated:
        issues.append(Issue(f"{repeated} points repeat the one before", where))
    if _winds_both_ways(structure):
        issues.append(Issue("contours wind both ways, which even-odd does not mind", where))
    return issues


def _repeats(points: Floats) -> int:
    return int((points == np.roll(points, 1, axis=0)).all(axis=1).sum()) if len(points) > 1 else 0


def _winds_both_ways(structure: Structure) -> bool:
    vectors = []
    for contour in structure.closed:
        points = contour.points_mm - contour.points_mm[0]
        vectors.append(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0))
    along = [float(vector @ vectors[0]) for vector in vectors]
    return bool(along) and min(along) < 0 < max(along)


def _reference_issues(structure: Structure, where: str, known: _Images) -> list[Issue]:
    issues = []
    frame = structure.frame_of_reference_uid
    if known.frames is not None and frame not in known.frames:
        wanted, got = ", ".join(sorted(known.frames)[:3]), frame or "nothing"
        issues.append(Issue("another frame of reference", f"{where} (3006,0024)", wanted, got))
    if known.uids is not None:
        missing = {uid for contour in structure.contours for uid in contour.image_uids if uid not in known.uids}
        if missing:
            what = f"{len(missing)} referenced images are not there"
            issues.append(Issue(what, f"{where} (3006,0016) ContourImageSequence", got=min(missing)))
    return issues
