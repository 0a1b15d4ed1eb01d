"""Structures as RTSTRUCT files.

Source: DICOM PS3.3 A.19.3 (the modules of an RT Structure Set) and C.8.8.5 to C.8.8.8; numbers as PS3.5 6.2 wants
decimal strings: sixteen characters at most.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.config import RAISE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RTStructureSetStorage
from pydicom.valuerep import format_number_as_ds, validate_value

from braggbook.errors import DicomError, ImagingError, Issue
from braggbook.files import write_bytes
from braggbook.imaging.structures.contours import Contour, Structure, Structures
from braggbook.imaging.structures.reading import open_dataset, quiet_pydicom

_IMPLEMENTATION_UID = UID("2.25.164021398271243720391842230427340712081")
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, which the Referenced Study item names
_LONGEST_EXPLICIT = 65_534  # bytes of a decimal string in explicit VR (PS3.5 7.1.2)
_PATIENT = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
)
_STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "StudyDescription",
)
COPIED = (*_PATIENT, *_STUDY)  # from the images, where the standard allows the value
_NEAR_MM = 0.1  # a contour belongs to the image whose plane is nearest, and no farther than this or half a slice
_COLORS = (
    (230, 80, 60),
    (60, 140, 230),
    (60, 180, 90),
    (240, 180, 50),
    (160, 90, 200),
    (60, 190, 190),
    (240, 130, 180),
)


def write_structures(
    structures: Structures | Iterable[Structure],
    path: Path | str,
    *,
    images: Sequence[Any],
    label: str = "BRAGGBOOK",
    written_at: datetime | None = None,
) -> Path:
    """Writes structures as an RTSTRUCT file that refers to the images they were drawn on.

    Args:
        structures: Whose points are in the images' patient space.
        path: Of the file; replaced where it is there.
        images: Of one series: datasets, paths, or instances of an index. Patient, study and frame of reference are
            taken from them; a text that the standard does not allow, such as a Study ID of 17 characters, stays empty.
        label: Of the set, at most 16 characters.
        written_at: Date and time of the set; empty by default, as nothing else in the file depends on a clock.

    Returns:
        ``path``.

    Raises:
        ImagingError: Structures that cannot be written; ``issues`` lists all of them.
        DicomError: Images that cannot be read, of several series, or without a frame of reference.
        StorageError: The file cannot be written; ``path`` is then as it was.
    """
    dataset = structure_set(structures, images=images, label=label, written_at=written_at)
    buffer = io.BytesIO()
    with quiet_pydicom():
        dataset.save_as(buffer, enforce_file_format=True)
    write_bytes(Path(path), buffer.getvalue())
    return Path(path)


def structure_set(
    structures: Structures | Iterable[Structure],
    *,
    images: Sequence[Any],
    label: str = "BRAGGBOOK",
    written_at: datetime | None = None,
) -> Dataset:
    """Returns structures as an RTSTRUCT dataset; see :func:`write_structures`.

    Its instance UIDs follow from what is in it: the same structures on the same images give the same file.
    """
    with quiet_pydicom():
        return _structure_set(tuple(structures), [_header(image) for image in images], label, written_at)


def _structure_set(
    written: tuple[Structure, ...], headers: list[Dataset], label: str, written_at: datetime | None
) -> Dataset:
    _check_images(headers)
    _check(written, label, headers[0].FrameOfReferenceUID)
    dataset = Dataset()
    _add_general(dataset, headers[0], label, written_at)
    dataset.ReferencedFrameOfReferenceSequence = Items([_referenced_frame(headers)])
    dataset.StructureSetROISequence = Items([_roi(each, headers[0].FrameOfReferenceUID) for each in written])
    planes = _ImagePlanes(headers)
    drawn = [_roi_contour(each, planes) for each in written]
    dataset.ROIContourSequence = Items(drawn)
    dataset.RTROIObservationsSequence = Items([_observation(i, each) for i, each in enumerate(written, start=1)])
    _add_uids(dataset, written)
    longest = max((len(c.ContourData) * 17 for roi in drawn for c in roi.get("ContourSequence", [])), default=0)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if longest > _LONGEST_EXPLICIT else ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "BRAGGBOOK"
    dataset.file_meta = meta
    return dataset


def _header(image: Any) -> Dataset:
    return image if isinstance(image, pydicom.Dataset) else open_dataset(image, pixels=False)[0]


def _check_images(headers: Sequence[Dataset]) -> None:
    if not headers:
        raise DicomError("no images to refer to", where="images", wanted="the series that structures were drawn on")
    needed = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    issues = [
        Issue(f"no {keyword}", f"image {number}")
        for number, header in enumerate(headers, start=1)
        for keyword in needed
        if not header.get(keyword)
    ]
    if issues:
        raise DicomError("images that cannot be referred to", where="images", issues=issues)
    for keyword in needed[2:]:
        found = sorted({str(header.get(keyword)) for header in headers})
        if len(found) > 1:
            raise DicomError(f"images of several {keyword}", where="images", wanted="one", got=", ".join(found[:3]))


def _check(structures: Sequence[Structure], label: str, frame: str) -> None:
    issues = [issue for each in structures for issue in each.blocking]
    numbers = [each.number for each in structures]
    if not structures:
        issues.append(Issue("no structure", "structures", "one or more"))
    if not 0 < len(label) <= 16:
        issues.append(Issue("a label that does not fit", "(3006,0002)", "1 to 16 characters", repr(label)))
    issues += [
        Issue("a number that comes twice", f"ROI {number}") for number in set(numbers) if numbers.count(number) > 1
    ]
    for each in structures:
        where = f"ROI {each.number} {each.name!r}"
        if not 0 < len(each.name) <= 64 or "\\" in each.name:
            issues.append(Issue("a name that does not fit", where, "1 to 64 characters without a backslash"))
        if each.frame_of_reference_uid not in (None, frame):
            issues.append(Issue("another frame of reference", where, frame, str(each.frame_of_reference_uid)))
        if any(not len(contour.points_mm) for contour in each.contours):
            issues.append(Issue("a contour without a point", where))
    if issues:
        raise ImagingError("structures that cannot be written", issues=issues)


def _add_general(dataset: Dataset, image: Dataset, label: str, written_at: datetime | None) -> None:
    """Adds patient, study, series and equipment: the parts that say whose and by what."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = RTStructureSetStorage
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(dataset, keyword, "")
    for keyword in ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"):
        setattr(dataset, keyword, "")
    for keyword in COPIED:
        if keyword in image and conforms(image[keyword]):
            setattr(dataset, keyword, image[keyword].value)
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesNumber = None
    dataset.OperatorsName = ""
    dataset.Manufacturer = "Braggbook"
    dataset.ManufacturerModelName = "braggbook"
    dataset.SoftwareVersions = "braggbook"
    dataset.FrameOfReferenceUID = image.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = image.get("PositionReferenceIndicator", "")
    dataset.StructureSetLabel = label
    dataset.StructureSetDate = written_at.strftime("%Y%m%d") if written_at else ""
    dataset.StructureSetTime = written_at.strftime("%H%M%S") if written_at else ""
    dataset.ApprovalStatus = "UNAPPROVED"


def conforms(element: Any) -> bool:
    """Whether a value may be copied into a file of ours: the standard allows it for its value representation."""
    values = element.value if element.VM > 1 else [element.value]
    try:
        for value in values:
            validate_value(element.VR, value, RAISE)
    except ValueError:
        return False
    return element.value is not None


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def _referenced_frame(headers: Sequence[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = headers[0].SeriesInstanceUID
    series.ContourImageSequence = Items([_reference(header) for header in headers])
    study = Dataset()
    study.ReferencedSOPClassUID = UID(_DETACHED_STUDY)
    study.ReferencedSOPInstanceUID = headers[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = Items([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = headers[0].FrameOfReferenceUID
    frame.RTReferencedStudySequence = Items([study])
    return frame


def _roi(structure: Structure, frame: str) -> Dataset:
    item = Dataset()
    item.ROINumber = structure.number
    item.ReferencedFrameOfReferenceUID = frame
    item.ROIName = structure.name
    if structure.description:
        item.ROIDescription = structure.description
    item.ROIGenerationAlgorithm = structure.algorithm
    return item


def _observation(number: int, structure: Structure) -> Dataset:
    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = structure.number
    item.RTROIInterpretedType = structure.interpreted_type
    item.ROIInterpreter = ""
    return item


class _ImagePlanes:
    """Finds the image that a contour lies on."""

    def __init__(self, headers: Sequence[Dataset]) -> None:
        placed = [h for h in headers if h.get("ImagePositionPatient") and h.get("ImageOrientationPatient")]
        self.headers = placed
        if placed:
            cosines = np.array(placed[0].ImageOrientationPatient, dtype=np.float64)
            self.normal = np.cross(cosines[:3], cosines[3:])
            self.places = np.array([np.array(h.ImagePositionPatient, dtype=np.float64) @ self.normal for h in placed])
            gaps = np.diff(np.unique(self.places))
            self.reach = max(_NEAR_MM, float(np.median(gaps)) / 2 if len(gaps) else 0.0)

    def image_of(self, contour: Contour) -> Dataset | None:
        """Returns the header of the image nearest to a contour that is parallel to it; None where none is near."""
        if not self.headers:
            return None
        along = contour.points_mm @ self.normal
        if np.ptp(along) > 2 * _NEAR_MM:
            return None
        distance = np.abs(self.places - along.mean())
        nearest = int(np.argmin(distance))
        return self.headers[nearest] if distance[nearest] <= self.reach else None


def _roi_contour(structure: Structure, planes: _ImagePlanes) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(structure.color or _COLORS[structure.number % len(_COLORS)])
    if structure.contours:
        item.ContourSequence = Items([_contour(contour, planes) for contour in structure.contours])
    item.ReferencedROINumber = structure.number
    return item


def _contour(contour: Contour, planes: _ImagePlanes) -> Dataset:
    item = Dataset()
    if (image := planes.image_of(contour)) is not None:
        item.ContourImageSequence = Items([_reference(image)])
    item.ContourGeometricType = contour.kind
    if contour.slab_thickness_mm is not None:
        item.ContourSlabThickness = format_number_as_ds(contour.slab_thickness_mm)
    item.NumberOfContourPoints = len(contour.points_mm)
    item.ContourData = [_decimal(value) for value in contour.points_mm.ravel().tolist()]
    return item


def _decimal(value: float) -> str:
    """Returns the shortest decimal string of a number that sixteen characters can hold."""
    text = repr(round(value, 9))
    if "e" in text or len(text) > 16:
        text = str(format_number_as_ds(round(value, 9)))
    return text.removesuffix(".0")


def _add_uids(dataset: Dataset, structures: Sequence[Structure]) -> None:
    """Names the instance and its series by what is in them (PS3.5 B.2: UUID-derived)."""
    digest = hashlib.sha256(dataset.ReferencedFrameOfReferenceSequence[0].to_json().encode())
    digest.update(dataset.to_json().encode())
    for each in structures:
        for contour in each.contours:
            digest.update(contour.points_mm.tobytes())
    dataset.SOPInstanceUID = make_uid(digest.digest()[:16])
    dataset.SeriesInstanceUID = make_uid(digest.digest()[16:])


def make_uid(digest: bytes) -> str:
    """Returns a UID that follows from 16 bytes (PS3.5 B.2: a UUID as a number below 2.25)."""
    number = int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) | (0x5 << 76)  # the version of a name-based UUID
    number = number & ~(0x3 << 62) | (0x2 << 62)  # its variant
    return f"2.25.{number}"
