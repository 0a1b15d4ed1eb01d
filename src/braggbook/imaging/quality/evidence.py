"""What checks look at: headers one by one, frames as a few numbers, references of objects; never a whole volume."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement

from braggbook.errors import BraggbookError, DicomError
from braggbook.imaging.dicom.bounded import read_dataset
from braggbook.imaging.dicom.frames import Frame, frames_of
from braggbook.imaging.dicom.images import ImageHeader, header_of, plain, tag_name
from braggbook.imaging.dicom.index import Index
from braggbook.imaging.dicom.instances import Instance, Series
from braggbook.imaging.dicom.pixels import check_pixels, read_raw, stored_range, without_unused_bits
from braggbook.imaging.dicom.rescale import scale_of
from braggbook.imaging.quality.statistics import SAMPLED, Statistics, measure
from braggbook.imaging.structures.contours import Structures
from braggbook.imaging.structures.reading import read_structures
from braggbook.imaging.structures.segmentations import read_segmentations

Floats = npt.NDArray[np.float64]

_DEEPEST = 16  # sequences in sequences that are looked into; the standard's own reports stay below
_DETACHED = "1.2.840.10008.3.1.2.3."  # objects of study management, which nobody stores
_NUMBERS = frozenset(("DS", "IS", "FL", "FD", "US", "SS", "UL", "SL", "UV", "SV", "OB", "OW", "OF", "OD", "OL", "AT"))
_KEPT = (
    "PixelSpacing", "InstanceNumber", "SliceThickness", "SpacingBetweenSlices", "ReconstructionDiameter", "Rows",
    "Columns", "TemporalPositionIdentifier", "TriggerTime", "EchoTime", "DiffusionBValue", "AcquisitionNumber",
    "InversionTime", "FlipAngle", "ImageType", "FrameReferenceTime", "NominalPercentageOfCardiacPhase",
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "KVP", "ConvolutionKernel", "MagneticFieldStrength",
    "RepetitionTime", "ReconstructionMethod", "Units", "StudyDate", "SeriesDate", "AcquisitionDate", "NumberOfSlices",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Head:
    """One instance without its pixels.

    Attributes:
        instance: As the index has it.
        dataset: Everything but the pixels.
        where: Its file, relative to what was assessed.
        pixel_issue: What is wrong with the length of its pixels; None when nothing is, or it has none.
        uses: What the images are for.
    """

    instance: Instance
    dataset: pydicom.Dataset
    where: str
    pixel_issue: BraggbookError | None = None
    uses: frozenset[str] = frozenset()

    @cached_property
    def elements(self) -> tuple[tuple[pydicom.DataElement, str], ...]:
        """Every element that is no number, with the path of sequences that it is in."""
        return tuple(elements(self.dataset))


@dataclass(frozen=True, eq=False)
class Slice:
    """One frame.

    Attributes:
        where: Its file, and its number where there are several.
        position_mm: (3,) LPS; None where the file does not say.
        cosines: (6,) of row and column; None likewise.
        tags: Keyword to value.
        statistics: Of its pixels; None where they could not be read, or nobody asked.
    """

    where: str
    position_mm: Floats | None
    cosines: Floats | None
    tags: Mapping[str, Any]
    statistics: Statistics | None = None


@dataclass(eq=False)
class SeriesEvidence:
    """One series: its frames, and what could not be read of it."""

    series: Series
    slices: list[Slice] = field(default_factory=list)
    unreadable: list[tuple[str, BraggbookError]] = field(default_factory=list)
    pixels_read: bool = False

    @property
    def modality(self) -> str:
        """Of the first instance."""
        return self.series.modality

    @property
    def measured(self) -> list[tuple[Slice, Statistics]]:
        """Frames whose pixels were read and hold a value."""
        return [(each, each.statistics) for each in self.slices if each.statistics and each.statistics.count]

    @cached_property
    def placed(self) -> list[Slice]:
        """Frames with position and orientation of the most frequent kind, by their place along the normal."""
        found = [each for each in self.slices if each.position_mm is not None and each.cosines is not None]
        return sorted(found, key=lambda each: float(self.along(each)))

    @cached_property
    def normal(self) -> Floats:
        """Unit vector at right angles to the first placed frame."""
        cosines = next((each.cosines for each in self.slices if each.cosines is not None), None)
        if cosines is None:
            return np.array((0.0, 0.0, 1.0))
        normal = np.cross(cosines[:3], cosines[3:])
        length = float(np.linalg.norm(normal))
        return normal / length if length > 0 else np.array((0.0, 0.0, 1.0))

    def along(self, one: Slice) -> float:
        """Returns where a placed frame is along the normal, in mm (PS3.3 C.7.6.2.1.1)."""
        return float(one.position_mm @ self.normal) if one.position_mm is not None else 0.0


@dataclass(frozen=True, slots=True)
class Reference:
    """That one object names another."""

    where: str
    modality: str
    uid: str
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class SegmentEvidence:
    """One segment of a segmentation.

    Attributes:
        number: From 1.
        name: Its label.
        voxels: That are in it; of a fractional one those above zero.
        volume_cc: Of these.
    """

    number: int
    name: str
    voxels: int
    volume_cc: float


@dataclass(eq=False)
class Evidence:
    """Everything that was found, without pixels.

    Attributes:
        root: What was assessed.
        index: Of it.
        uses: What the images are for.
        series: One for each series of the index.
        references: From radiotherapy objects and segmentations to others.
        structures: By the where of their file.
        segments: Likewise.
        prescriptions_gy: Of the plans that are here.
        claims: Whether an object says that identity was removed, by the where of its file.
    """

    root: str
    index: Index
    uses: frozenset[str]
    series: list[SeriesEvidence] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    structures: dict[str, Structures] = field(default_factory=dict)
    segments: dict[str, list[SegmentEvidence]] = field(default_factory=dict)
    prescriptions_gy: list[float] = field(default_factory=list)
    claims: dict[str, bool] = field(default_factory=dict)

    def of(self, *modalities: str) -> list[SeriesEvidence]:
        """Returns the series of some modalities."""
        return [each for each in self.series if each.modality in modalities]


def read_head(instance: Instance, *, root: str, uses: frozenset[str]) -> Head:
    """Reads one instance without its pixels.

    Raises:
        DicomError: It cannot be read.
    """
    where = short(str(instance.source), root)
    with _readable(where), instance.source.open() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_dataset(stream)
    return Head(instance, dataset, where, _pixel_issue(instance, where), uses)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Makes every error of reading ours: pydicom raises whatever a wrong byte leads to."""
    try:
        yield
    except (BraggbookError, MemoryError):
        raise
    except Exception as error:
        raise DicomError("a value that cannot be read", where=where, got=type(error).__name__) from error


def _pixel_issue(instance: Instance, where: str) -> BraggbookError | None:
    if not instance.frames:
        return None
    try:
        with _readable(where):
            check_pixels(header_of(instance))
    except BraggbookError as error:
        return error
    return None


def short(path: str, root: str) -> str:
    """Returns a path relative to what was assessed, when it is below it."""
    inside = root.rstrip(os.sep) + os.sep
    return path.removeprefix(inside) if path.startswith(inside) else path.rsplit(os.sep, 1)[-1]


def slices_of(head: Head, *, frames: int, pixels: bool) -> Iterator[Slice | tuple[str, BraggbookError]]:
    """Yields the frames of one instance, one in memory at a time, and what of it could not be read.

    Args:
        head: The instance.
        frames: Of the whole series, among which samples are shared out.
        pixels: Whether to read them.
    """
    try:
        with _readable(head.where):
            found = frames_of([header_of(head.instance)])
    except BraggbookError as error:
        yield head.where, error
        yield Slice(head.where, *_place(head.instance.tags), head.instance.tags)
        return
    for frame in found:
        where = f"{head.where} frame {frame.number + 1}" if len(found) > 1 else head.where
        statistics = None
        if pixels and head.pixel_issue is None:
            try:
                with _readable(where):
                    statistics = _statistics(frame, quota=max(1, SAMPLED // max(1, frames)))
            except BraggbookError as error:
                yield where, error
        tags = {keyword: value for keyword in _KEPT if (value := _tag(frame, head, keyword)) is not None}
        yield Slice(where, *_place(frame), tags, statistics)


def _tag(frame: Frame, head: Head, keyword: str) -> Any:
    value = frame.get(keyword, head.instance.tags.get(keyword))
    return value if value is not None else value_of(head.dataset, keyword)


def _place(frame: Any) -> tuple[Floats | None, Floats | None]:
    return _vector(frame, "ImagePositionPatient", 3), _vector(frame, "ImageOrientationPatient", 6)


def _vector(frame: Any, keyword: str, count: int) -> Floats | None:
    value = frame.get(keyword)
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return found if found.shape == (count,) and np.isfinite(found).all() else None


def _statistics(frame: Frame, *, quota: int) -> Statistics | None:
    header: ImageHeader = frame.header
    if int(header.get("SamplesPerPixel", 1)) != 1:
        return None
    raw = read_raw(header, frame.number)
    stored = without_unused_bits(raw, header)
    is_dose = header.get("Modality") == "RTDOSE"
    scale = scale_of(frame, rescale="stored" if is_dose else "modality")
    values = scale.apply(raw, stored, dtype=np.float32)
    key = f"{scale.slope!r} {scale.intercept!r}"
    if is_dose:
        values = values * np.float32(float(plain(header.dataset.get("DoseGridScaling")) or 0))
    limit = stored_range(header)[1] if raw.dtype.kind in "iu" else float("inf")
    is_ct = header.get("Modality") == "CT"
    return measure(np.asarray(values, np.float32), stored=stored, limit=limit, key=key, quota=quota, is_ct=is_ct)


def value_of(dataset: pydicom.Dataset, path: str) -> Any:
    """Returns a plain value (of a sequence the number of its items), or None when absent, empty or unreadable.

    Args:
        dataset: Of one instance; functional groups of enhanced images are looked into.
        path: A keyword, or ``SequenceKeyword/Keyword``.
    """
    try:
        for name in path.split("/")[:-1]:
            items = dataset.get(name) or []
            if not items:
                return None
            dataset = items[0]
        keyword = path.rsplit("/", maxsplit=1)[-1]
        found = dataset.get(keyword)
        if isinstance(found, pydicom.Sequence):
            return len(found) or None
        value = plain(found)
        return value if value is not None else _grouped(dataset, keyword)
    except Exception:  # pydicom raises nearly anything on a value that breaks its rules
        return None


def _grouped(dataset: pydicom.Dataset, keyword: str) -> Any:
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in (dataset.get(name) or [])[:1]:
            for element in item:
                if element.VR == "SQ" and element.value and keyword in element.value[0]:
                    return plain(element.value[0].get(keyword))
    return None


def elements(dataset: pydicom.Dataset) -> Iterator[tuple[pydicom.DataElement, str]]:
    """Yields every element that can be read and is no public number, down to depth 16, with its path of sequences."""
    waiting: list[tuple[pydicom.Dataset, str, int]] = [(dataset, "", 0)]
    while waiting:
        found, inside, depth = waiting.pop()
        for tag in list(found.keys()):
            raw = found.get_item(tag)
            if isinstance(raw, RawDataElement) and raw.VR in _NUMBERS and not tag.is_private:
                continue  # contours are a million of them
            try:
                element = found[tag]
            except Exception:  # noqa: S112 - likewise; conformance names it
                continue
            yield element, inside
            if element.VR == "SQ" and depth < _DEEPEST:
                name = element.keyword or str(element.tag)
                waiting += [(item, f"{inside}{name} > ", depth + 1) for item in element.value or []]


def label(element: pydicom.DataElement, inside: str = "") -> str:
    """Returns ``Sequence > (gggg,eeee) Keyword``."""
    keyword = element.keyword
    if keyword and tag_for_keyword(keyword) is not None:
        return inside + tag_name(keyword)
    return f"{inside}({element.tag.group:04X},{element.tag.element:04X})"


def references_of(head: Head) -> Iterator[Reference]:
    """Yields the stored objects that an object names."""
    for element, _ in head.elements:
        if element.VR != "SQ":
            continue
        for item in element.value or []:
            uid, kind = str(item.get("ReferencedSOPInstanceUID", "")), str(item.get("ReferencedSOPClassUID", ""))
            if uid and not kind.startswith(_DETACHED):
                yield Reference(head.where, head.instance.modality, uid, kind)


def claims(head: Head) -> bool:
    """Whether the file says that identity was removed."""
    return str(value_of(head.dataset, "PatientIdentityRemoved") or "").upper() == "YES"


def add_object(evidence: Evidence, head: Head) -> None:
    """Takes in what checks of the whole need of one object: its claim, references, structures, prescriptions."""
    modality = head.instance.modality
    evidence.claims[head.where] = claims(head)
    if modality in ("RTSTRUCT", "RTPLAN", "RTDOSE", "SEG"):
        evidence.references += references_of(head)
    if modality == "RTSTRUCT":
        evidence.structures[head.where] = read_structures(head.dataset)
    if modality == "SEG":
        evidence.segments[head.where] = list(_segments(head))
    if modality == "RTPLAN":
        evidence.prescriptions_gy += _prescriptions(head.dataset)


def _segments(head: Head) -> Iterator[SegmentEvidence]:
    """Counts the voxels of each segment, one frame in memory at a time."""
    found = read_segmentations(head.instance.source)
    labelled = found.kind == "LABELMAP"
    for each in found.segments:
        frames = map(found.frames.frame, found.places.get(each.number, {}).values())
        voxels = sum(int(np.count_nonzero(one == each.number if labelled else one)) for one in frames)
        yield SegmentEvidence(each.number, each.label, voxels, voxels * found.grid.voxel_mm3 / 1000.0)


def _prescriptions(dataset: pydicom.Dataset) -> Iterator[float]:
    for item in dataset.get("DoseReferenceSequence") or []:
        if isinstance(value := plain(item.get("TargetPrescriptionDose")), float):
            yield value
