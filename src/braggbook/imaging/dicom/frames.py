"""Frames: the planes that instances hold, one each or many, with the place and the meaning of every one.

Sources: DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16 (functional groups of enhanced multi-frame images and
concatenations), C.7.6.17 (dimensions), C.8.4.8 to C.8.4.15 (nuclear medicine).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.datadict import keyword_for_tag
from pydicom.multival import MultiValue

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.findings import FARTHEST_MM
from braggbook.imaging.dicom.images import ImageHeader, plain, tag_name
from braggbook.imaging.dicom.pixels import check_frames

Floats = npt.NDArray[np.float64]

_COSINE = 1e-2  # of a row's and a column's length and of their product; files write three digits and more
_SPATIAL = ("ImagePositionPatient", "ImageOrientationPatient", "InStackPositionNumber", "StackID", "SliceVector")

# Functional groups (PS3.3 C.7.6.16.2): sequence, the tag in its item, the name that it has in classic images.
_GROUPS = (
    ("PlanePositionSequence", "ImagePositionPatient", "ImagePositionPatient"),
    ("PlaneOrientationSequence", "ImageOrientationPatient", "ImageOrientationPatient"),
    ("PixelMeasuresSequence", "PixelSpacing", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
    ("PixelValueTransformationSequence", "RescaleSlope", "RescaleSlope"),
    ("PixelValueTransformationSequence", "RescaleIntercept", "RescaleIntercept"),
    ("PixelValueTransformationSequence", "RescaleType", "RescaleType"),
    ("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    ("FrameContentSequence", "FrameAcquisitionNumber", "AcquisitionNumber"),
    ("FrameContentSequence", "FrameAcquisitionDateTime", "AcquisitionDateTime"),
    ("FrameContentSequence", "StackID", "StackID"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRTimingAndRelatedParametersSequence", "FlipAngle", "FlipAngle"),
    ("MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase", "NominalPercentageOfCardiacPhase"),
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "TriggerTime"),
    ("TemporalPositionSequence", "TemporalPositionTimeOffset", "FrameReferenceTime"),
    ("MRImageFrameTypeSequence", "FrameType", "ImageType"),
    ("MRImageFrameTypeSequence", "ComplexImageComponent", "ComplexImageComponent"),
    ("CTImageFrameTypeSequence", "FrameType", "ImageType"),
    ("PETFrameTypeSequence", "FrameType", "ImageType"),
    ("CTReconstructionSequence", "ConvolutionKernel", "ConvolutionKernel"),
    ("UnassignedSharedConvertedAttributesSequence", "EchoTime", "EchoTime"),
    ("UnassignedPerFrameConvertedAttributesSequence", "EchoTime", "EchoTime"),
    ("UnassignedPerFrameConvertedAttributesSequence", "AcquisitionNumber", "AcquisitionNumber"),
    ("UnassignedPerFrameConvertedAttributesSequence", "TriggerTime", "TriggerTime"),
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One plane of voxels.

    Attributes:
        header: The instance that holds it.
        number: Which frame of its instance, from 0.
        tags: Values that this frame has, over those of its instance.
        groups: Its functional groups (its own over the shared ones), sequence keyword to first item.
    """

    header: ImageHeader
    number: int
    tags: Mapping[str, Any]
    groups: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def get(self, keyword: str, default: Any = None) -> Any:
        """Returns a value of the frame, or of its instance, or ``default``."""
        value = self.tags.get(keyword)
        return self.header.get(keyword, default) if value is None else value

    def __str__(self) -> str:
        name = str(self.header.source)
        return f"{name} frame {self.number + 1}" if self.header.frames > 1 else name

    @property
    def has_place(self) -> bool:
        """Whether it says where in the patient it is."""
        return self.get("ImagePositionPatient") is not None and self.get("ImageOrientationPatient") is not None

    @property
    def position_mm(self) -> Floats:
        """(3,) LPS of the centre of its first voxel."""
        position = self._numbers("ImagePositionPatient", 3)
        if np.abs(position).max() > FARTHEST_MM:
            raise self._wrong("ImagePositionPatient", f"mm, at most {FARTHEST_MM:.0e}")
        return position

    @property
    def orientation(self) -> Floats:
        """(2, 3) unit vectors: along a row (growing column), along a column (growing row)."""
        axes = self._numbers("ImageOrientationPatient", 6).reshape(2, 3)
        lengths = np.linalg.norm(axes, axis=1)
        if np.abs(lengths - 1).max() > _COSINE or abs(float(axes[0] @ axes[1])) > _COSINE:
            raise self._wrong("ImageOrientationPatient", "two unit vectors at right angles")
        unit: Floats = axes / lengths[:, None]
        return unit

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Distance of neighbouring rows (along y) and of neighbouring columns (along x)."""
        dy, dx = self._numbers("PixelSpacing", 2)
        if min(dy, dx) <= 0:
            raise self._wrong("PixelSpacing", "two lengths above 0")
        return float(dy), float(dx)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return int(self.header.need("Rows")), int(self.header.need("Columns"))

    def _numbers(self, keyword: str, count: int) -> Floats:
        value = self.get(keyword)
        if value is None:
            raise DicomError(
                "a plane without its geometry", where=str(self), wanted=tag_name(keyword), got="no such tag"
            )
        try:
            numbers = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            numbers = np.empty(0)
        if numbers.shape != (count,) or not np.isfinite(numbers).all():
            raise self._wrong(keyword, f"{count} finite numbers")
        return numbers

    def _wrong(self, keyword: str, wanted: str) -> DicomError:
        got = str(self.get(keyword))
        return DicomError(f"{tag_name(keyword)} is not usable", where=str(self), wanted=wanted, got=got)


def frames_of(headers: Sequence[ImageHeader]) -> list[Frame]:
    """Returns every frame of some instances, in the order that the instances have.

    Raises:
        DicomError: Parts of a concatenation are missing, or functional groups do not fit the number of frames.
    """
    _check_concatenations(headers)
    return [frame for header in headers for frame in _frames_of_one(header)]


def _frames_of_one(header: ImageHeader) -> Iterator[Frame]:
    if header.get("NumberOfFrames") is None:
        return iter([Frame(header, 0, {})])
    check_frames(header)
    dataset = header.dataset
    if "PerFrameFunctionalGroupsSequence" in dataset or "SharedFunctionalGroupsSequence" in dataset:
        return _enhanced(header)
    if "DetectorInformationSequence" in dataset and header.get("Modality") == "NM":
        return _nuclear(header)
    return (Frame(header, number, {}) for number in range(header.frames))


def _enhanced(header: ImageHeader) -> Iterator[Frame]:
    """Yields the frames of an enhanced image, whose geometry is per frame or shared (PS3.3 C.7.6.16)."""
    dataset = header.dataset
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(own) != header.frames:
        wanted = f"{header.frames} items, as {tag_name('NumberOfFrames')} says"
        what = "functional groups that do not fit the frames"
        raise DicomError(what, where=str(header.source), wanted=wanted, got=f"{len(own)} items")
    shared = _first_items((dataset.get("SharedFunctionalGroupsSequence") or [{}])[0])
    shared_tags = _group_tags(shared)
    pointers = _dimension_names(dataset)
    for number, item in enumerate(own):
        groups = _first_items(item)
        tags = {**shared_tags, **_group_tags(groups), **_dimensions(groups, pointers)}
        yield Frame(header, number, tags, {**shared, **groups})


def _first_items(item: Any) -> dict[str, Any]:
    return {each.keyword: each.value[0] for each in item if each.VR == "SQ" and each.keyword and each.value}


def _group_tags(groups: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for sequence, keyword, name in _GROUPS:
        if sequence in groups and (value := plain(groups[sequence].get(keyword))) is not None:
            found[name] = value
    diffusion = groups.get("MRDiffusionSequence")
    if diffusion is not None and diffusion.get("DiffusionGradientDirectionSequence"):
        direction = diffusion.DiffusionGradientDirectionSequence[0].get("DiffusionGradientOrientation")
        found["DiffusionGradientOrientation"] = plain(direction)
    return found


def _dimension_names(dataset: Any) -> list[str]:
    """Returns the names of the dimensions that DimensionIndexValues counts in; spatial ones are empty."""
    names = []
    for number, item in enumerate(dataset.get("DimensionIndexSequence") or []):
        keyword = keyword_for_tag(item.get("DimensionIndexPointer", 0)) or f"private{number}"
        names.append("" if keyword in _SPATIAL else f"index of {keyword}")
    return names


def _dimensions(groups: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    content = groups.get("FrameContentSequence")
    values = plain(content.get("DimensionIndexValues")) if content is not None else None
    values = values if isinstance(values, list) else [values]
    return {name: value for name, value in zip(names, values, strict=False) if name and value is not None}


def _nuclear(header: ImageHeader) -> Iterator[Frame]:
    """Yields the frames of a reconstructed nuclear medicine image: the first one's place, and steps along the normal.

    Source: PS3.3 C.8.4.10 (detector), C.8.4.8 (SliceVector, TimeSlotVector); the sign of SpacingBetweenSlices is the
    direction (C.8.4.15).
    """
    dataset = header.dataset
    detector = dataset.DetectorInformationSequence[0]
    first, axes = plain(detector.get("ImagePositionPatient")), plain(detector.get("ImageOrientationPatient"))
    step, slices = plain(dataset.get("SpacingBetweenSlices")), plain(dataset.get("SliceVector"))
    if first is None or axes is None or step is None or slices is None:
        yield from (Frame(header, number, {}) for number in range(header.frames))
        return
    normal = np.cross(axes[:3], axes[3:])
    times = plain(dataset.get("TimeSlotVector"))
    slices = slices if isinstance(slices, list) else [slices]
    times = times if isinstance(times, list) and len(times) == len(slices) else None
    if len(slices) != header.frames:
        wanted = f"{header.frames} values of {tag_name('SliceVector')}"
        raise DicomError(
            "slices that do not fit the frames", where=str(header.source), wanted=wanted, got=str(len(slices))
        )
    for number, place in enumerate(slices):
        position = (np.asarray(first) + (place - 1) * step * normal).tolist()
        tags = {"ImagePositionPatient": position, "ImageOrientationPatient": axes}
        yield Frame(header, number, {**tags, **({"TemporalPositionIdentifier": times[number]} if times else {})})


# b-values that vendors write without DiffusionBValue: group, creator, element (pydicom's private dictionary; Philips'
# and Siemens' conformance statements). Of GE's numbers the digits above 100,000 are flags.
_B_VALUES = (
    (0x0019, "SIEMENS MR HEADER", 0x0C),
    (0x2001, "Philips Imaging DD 001", 0x03),
    (0x0043, "GEMS_PARM_01", 0x39),
)
_GE_FLAGS = 100_000


def with_private_b_value(frame: Frame) -> Frame:
    """Returns a frame of MR with the DiffusionBValue that its vendor wrote into a private element, if there is one."""
    for group, creator, element in _B_VALUES:
        try:
            value = frame.header.dataset.private_block(group, creator)[element].value
            first = value[0] if isinstance(value, (list, MultiValue)) else value
            number = float(first.decode("ascii") if isinstance(first, bytes) else first)
        except (KeyError, TypeError, ValueError, IndexError):
            continue
        if np.isfinite(number) and number >= 0:
            number = number % _GE_FLAGS if creator.startswith("GEMS") else number
            return replace(frame, tags={**frame.tags, "DiffusionBValue": number})
    return frame


def _check_concatenations(headers: Sequence[ImageHeader]) -> None:
    """Refuses a multi-frame object of which parts are missing (PS3.3 C.7.6.16.2.2.4)."""
    parts: dict[str, list[ImageHeader]] = {}
    for header in headers:
        if header.get("NumberOfFrames") is not None and (uid := header.dataset.get("ConcatenationUID")):
            parts.setdefault(str(uid), []).append(header)
    issues = []
    for uid, found in parts.items():
        numbers = sorted(int(header.dataset.get("InConcatenationNumber", 0)) for header in found)
        total = int(found[0].dataset.get("InConcatenationTotalNumber") or max(numbers))
        if numbers != list(range(1, total + 1)):
            wanted = f"parts 1 to {total}"
            issues.append(Issue(f"concatenation {uid} is not whole", str(found[0].source), wanted, str(numbers)))
    if issues:
        raise DicomError("parts of a multi-frame image are missing", wanted="every part", issues=issues)
