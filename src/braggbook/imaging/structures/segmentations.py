"""Segmentation objects (SEG) as masks.

Frames are placed by their Plane Position, whatever their order, and frames that are not there are empty. Bits are
unpacked across frames, since a frame need not begin at a byte. Source: DICOM PS3.3 A.51 and C.8.20 (binary and
fractional; label maps since 2024); PS3.5 8.1.1 (packing of bits).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import xarray as xr
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from braggbook.errors import BraggbookError, DicomError, ImagingError, Issue, unknown_name
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.reading import check_class, items_of, number_of, open_dataset, quiet_pydicom, text_of
from braggbook.imaging.volumes import make_volume

Floats = npt.NDArray[np.float64]

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"

_UNEVEN = 0.02  # of a slice's distance; positions are decimal strings
_ON_VOXEL = 0.01  # of a voxel, by which two grids may differ and still share their voxels
_MOST_SLICES = 20_000  # between the first frame and the last
_MOST_VOXELS = 1 << 33  # of a mask: 8 GB
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Code:
    """A coded concept: value, scheme (``SCT``, ``DCM``, ...) and what it means."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Segment:
    """One segment: what its voxels are.

    Attributes:
        number: From 1.
        label: Free text, at most 64 characters.
        category: Such as tissue or anatomical structure (DICOM CID 7150).
        kind: What it is, such as liver or neoplasm (CID 7151 and following).
        algorithm_type: AUTOMATIC, SEMIAUTOMATIC or MANUAL.
        algorithm_name: Of what is not manual.
        tracking_id: The same lesion's name in other objects, if it has one.
        tracking_uid: Likewise, as a UID.
    """

    number: int
    label: str
    category: Code | None = None
    kind: Code | None = None
    algorithm_type: str = ""
    algorithm_name: str = ""
    tracking_id: str = ""
    tracking_uid: str = ""


@dataclass(frozen=True, eq=False)
class Segmentations:
    """A segmentation object.

    Attributes:
        segments: As declared, with or without frames.
        grid: That all frames lie on; its slices grow along the frames' normal, empty ones between them included.
        kind: BINARY, FRACTIONAL or LABELMAP.
        fractional_type: PROBABILITY or OCCUPANCY of a fractional one.
        frame_of_reference_uid: Of the patient space.
        sop_instance_uid: Of the file.
        issues: What is odd but has an answer.
    """

    segments: tuple[Segment, ...]
    grid: Grid
    kind: str
    fractional_type: str = ""
    frame_of_reference_uid: str | None = None
    sop_instance_uid: str = ""
    issues: tuple[Issue, ...] = ()
    places: Mapping[int, Mapping[int, int]] = field(default_factory=dict, repr=False)  # segment -> slice -> frame
    frames: Any = field(default=None, repr=False)

    def __getitem__(self, name: str | int) -> Segment:
        """Returns the segment of a label or number.

        Raises:
            UnknownName: There is none.
            ImagingError: Several have that label; ask by number.
        """
        found = [segment for segment in self.segments if name in (segment.number, segment.label)]
        if not found:
            raise unknown_name("segment", str(name), [segment.label for segment in self.segments])
        if len(found) > 1:
            numbers = ", ".join(str(each.number) for each in found)
            raise ImagingError(f"several segments are labelled {name!r}", wanted="one of the numbers", got=numbers)
        return found[0]

    def as_table(self) -> Any:
        """Returns a :class:`pandas.DataFrame` with one row a segment."""
        import pandas as pd  # noqa: PLC0415 - heavy, and only tables need it

        rows = [
            {
                "number": each.number,
                "label": each.label,
                "category": each.category.meaning if each.category else "",
                "type": each.kind.meaning if each.kind else "",
                "algorithm": each.algorithm_type,
                "frames": len(self.places.get(each.number, {})),
            }
            for each in self.segments
        ]
        return pd.DataFrame(rows, columns=["number", "label", "category", "type", "algorithm", "frames"])


def read_segmentations(source: Any) -> Segmentations:
    """Reads a segmentation object; masks come from :func:`segment_mask`.

    Args:
        source: As :func:`braggbook.imaging.structures.reading.read_structures` takes it.

    Raises:
        DicomError: Not a segmentation, cut off, not in patient space (a slide, a projection), or frames that do not lie
            on one grid.
    """
    dataset, where = open_dataset(source)
    check_class(dataset, where, (SEGMENTATION_STORAGE, LABELMAP_STORAGE), "a segmentation")
    try:
        with quiet_pydicom():
            return _read(dataset, where)
    except BraggbookError:
        raise
    except Exception as error:  # pydicom raises nearly anything on a value that breaks its rules
        got = f"{type(error).__name__}: {str(error)[:_LONGEST_TEXT]}"
        raise DicomError("a segmentation that cannot be read", where=where, got=got) from error


def segment_mask(segmentations: Segmentations, segment: str | int, *, grid: Grid | None = None) -> xr.DataArray:
    """Returns the mask of one segment.

    Args:
        segmentations: From :func:`read_segmentations`.
        segment: Its label or number.
        grid: To place it on; by default the segmentation's own, which begins at its first frame and ends at its last.

    Returns:
        (z, y, x) bool; of a fractional segmentation float32, 0 to 1. ``attrs`` has ``structure``, ``number`` and
        ``issues`` (texts), such as voxels outside ``grid``.

    Raises:
        UnknownName: No such segment.
        ImagingError: Voxels of the segmentation are not voxels of ``grid``.
        DicomError: Pixels that cannot be read.
    """
    chosen = segmentations[segment]
    own = segmentations.grid
    size = own.shape[0] * own.shape[1] * own.shape[2]
    if size > _MOST_VOXELS:
        raise DicomError("a segmentation too large for a mask", wanted=f"at most {_MOST_VOXELS} voxels", got=str(size))
    fractional = segmentations.kind == "FRACTIONAL"
    data: Any = np.zeros(own.shape, np.float32 if fractional else np.bool_)
    frames = segmentations.frames
    for index, frame in segmentations.places.get(chosen.number, {}).items():
        pixels = frames.frame(frame)
        if fractional:
            data[index] = pixels / np.float32(frames.maximum)
        else:
            data[index] = pixels == chosen.number if segmentations.kind == "LABELMAP" else pixels != 0
    issues = [str(issue) for issue in segmentations.issues]
    attrs = {"structure": chosen.label, "number": chosen.number, "method": segmentations.kind.lower(), "issues": issues}
    if fractional:
        attrs["fractional_type"] = segmentations.fractional_type
    if grid is not None:
        data, outside = _placed(data, own, grid)
        if outside:
            issues.append(f"{outside} voxels lie outside the grid")
    return make_volume(data, grid or own, name="mask", units="1", attrs=attrs)


def _placed(data: Any, own: Grid, grid: Grid) -> tuple[Any, int]:
    """Returns a mask on another grid of the same voxels, and how many set voxels are outside that."""
    step = grid.inverse @ own.affine
    whole = np.rint(step)
    ends = own.corner_indices()
    off = np.abs(ends @ (step - whole)[:3, :3].T + (step - whole)[:3, 3]).max()
    if off > _ON_VOXEL or not (np.abs(whole[:3, :3]).sum(axis=0) == 1).all():
        what = "a grid with other voxels than the segmentation's"
        wanted = "a grid of the same spacing and directions, or none; then resample"
        raise ImagingError(what, wanted=wanted, got=f"{off:.3g} voxels apart")
    out = np.zeros(grid.shape, data.dtype)
    set_voxels = np.argwhere(data)
    target = (set_voxels[:, ::-1] @ whole[:3, :3].T + whole[:3, 3]).astype(np.int64)[:, ::-1]
    inside = ((target >= 0) & (target < np.array(grid.shape))).all(axis=1)
    out[tuple(target[inside].T)] = data[tuple(set_voxels[inside].T)]
    return out, int((~inside).sum())


class _Frames:
    """The frames of a segmentation, unpacked one at a time."""

    def __init__(self, dataset: pydicom.Dataset, where: str) -> None:
        self.dataset, self.where = dataset, where
        self.rows, self.columns = number_of(dataset, "Rows") or 0, number_of(dataset, "Columns") or 0
        self.bits = number_of(dataset, "BitsAllocated") or 0
        self.count = number_of(dataset, "NumberOfFrames") or 1
        self.maximum = number_of(dataset, "MaximumFractionalValue") or 255
        if min(self.rows, self.columns, self.count) < 1 or self.bits not in (1, 8, 16):
            got = f"{self.count} frames of {self.rows} x {self.columns} with {self.bits} bits"
            raise DicomError("not the frames of a segmentation", where=where, wanted="1, 8 or 16 bits", got=got)

    @cached_property
    def native(self) -> npt.NDArray[np.uint8] | None:
        """The bytes of little-endian frames that are not encapsulated; None of others."""
        syntax = self.dataset.file_meta.TransferSyntaxUID
        data = self.dataset.get("PixelData")
        if syntax.is_encapsulated or not isinstance(data, bytes):
            return None
        deflated = syntax.is_deflated
        if not (deflated or syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)):
            return None
        return np.frombuffer(data, np.uint8)

    def check(self) -> None:
        """Compares the bytes with what the frames need.

        Raises:
            DicomError: There are fewer.
        """
        if self.dataset.get("PixelData") is None:
            raise DicomError("a segmentation without pixels", where=f"{self.where} (7FE0,0010) PixelData")
        if self.native is not None:
            needed = -(-self.count * self.rows * self.columns * self.bits // 8)
            if len(self.native) < needed:
                tag = f"{self.where} (7FE0,0010) PixelData"
                raise DicomError(
                    "fewer pixels than frames", where=tag, wanted=f"{needed} bytes", got=str(len(self.native))
                )

    def frame(self, index: int) -> Any:
        """Returns (rows, columns) of one frame as they are stored."""
        if self.native is None:
            return self._decoded(index)
        size = self.rows * self.columns
        if self.bits == 1:
            first = index * size
            part = self.native[first // 8 : -(-(first + size) // 8)]
            bits = np.unpackbits(part, bitorder="little")[first % 8 : first % 8 + size]
            return bits.reshape(self.rows, self.columns)
        kind = np.dtype("<u2" if self.bits == 16 else "u1")
        begin = index * size * kind.itemsize
        return self.native[begin : begin + size * kind.itemsize].view(kind).reshape(self.rows, self.columns)

    def _decoded(self, index: int) -> Any:
        from pydicom.pixels.utils import pixel_array  # noqa: PLC0415 - decoders, which native frames do without

        try:
            with quiet_pydicom():
                decoded = pixel_array(self.dataset, index=index)
        except Exception as error:  # decoders raise nearly anything on a damaged stream
            where, got = f"{self.where} frame {index + 1}", f"{type(error).__name__}: {str(error)[:_LONGEST_TEXT]}"
            raise DicomError("a frame that cannot be decoded", where=where, got=got) from error
        if decoded.shape != (self.rows, self.columns):
            where, wanted = f"{self.where} frame {index + 1}", f"{self.rows} x {self.columns}"
            raise DicomError("a frame of another size", where=where, wanted=wanted, got=str(decoded.shape))
        return decoded


def _read(dataset: pydicom.Dataset, where: str) -> Segmentations:
    frames = _Frames(dataset, where)
    frames.check()
    labelled = dataset.SOPClassUID == LABELMAP_STORAGE or text_of(dataset, "SegmentationType") == "LABELMAP"
    kind = "LABELMAP" if labelled else text_of(dataset, "SegmentationType")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP") or (kind == "BINARY") != (frames.bits == 1):
        got = f"{kind or 'nothing'} with {frames.bits} bits"
        wanted = "BINARY with 1 bit, FRACTIONAL with 8, LABELMAP with 8 or 16"
        raise DicomError("not a kind of segmentation", where=f"{where} (0062,0001)", wanted=wanted, got=got)
    groups = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    if len(groups) < frames.count:
        wanted, got = f"{frames.count} items", str(len(groups))
        tag = f"{where} (5200,9230) PerFrameFunctionalGroupsSequence"
        raise DicomError("frames without functional groups", where=tag, wanted=wanted, got=got)
    issues = []
    if len(groups) > frames.count:
        what, got = "more functional groups than frames; the last are left out", f"{len(groups)} for {frames.count}"
        issues.append(Issue(what, f"{where} (5200,9230)", got=got))
    shared = (items_of(dataset, "SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    grid, slices, odd = _grid_of_frames(groups[: frames.count], shared, frames, where)
    segments = tuple(_segment(item) for item in items_of(dataset, "SegmentSequence"))
    every: Mapping[int, Iterable[int]]
    if labelled:
        every = {segment.number: range(frames.count) for segment in segments}
    else:
        every = _frames_by_segment(groups[: frames.count], shared, where)
        unknown = sorted(set(every) - {segment.number for segment in segments})
        issues += [Issue("frames of a segment that is not declared", where, got=str(number)) for number in unknown]
    return Segmentations(
        segments,
        grid,
        kind,
        fractional_type=text_of(dataset, "SegmentationFractionalType"),
        frame_of_reference_uid=text_of(dataset, "FrameOfReferenceUID") or None,
        sop_instance_uid=text_of(dataset, "SOPInstanceUID"),
        issues=(*issues, *odd),
        places={number: _by_slice(chosen, slices, f"{where} segment {number}") for number, chosen in every.items()},
        frames=frames,
    )


def _group(item: Any, shared: Any, keyword: str) -> Any:
    """Returns a functional group of a frame, or else the one that all frames share."""
    return (items_of(item, keyword) or items_of(shared, keyword) or [None])[0]


def _frames_by_segment(groups: list[Any], shared: Any, where: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for frame, item in enumerate(groups):
        identified = _group(item, shared, "SegmentIdentificationSequence")
        number = number_of(identified, "ReferencedSegmentNumber") if identified is not None else None
        if number is None:
            tag = "(0062,000B) ReferencedSegmentNumber"
            raise DicomError("a frame of no segment", where=f"{where} frame {frame + 1}", wanted=tag)
        found.setdefault(number, []).append(frame)
    return found


def _by_slice(chosen: Any, slices: list[int], where: str) -> dict[int, int]:
    placed: dict[int, int] = {}
    for frame in chosen:
        if slices[frame] in placed:
            got = f"frames {placed[slices[frame]] + 1} and {frame + 1}"
            raise DicomError("two frames of one segment at one place", where=where, wanted="one", got=got)
        placed[slices[frame]] = frame
    return placed


def _grid_of_frames(groups: list[Any], shared: Any, frames: _Frames, where: str) -> tuple[Grid, list[int], list[Issue]]:
    """Returns the grid that the frames lie on, the slice of each, and what is odd."""
    corners, cosines, measures = [], [], []
    for frame, item in enumerate(groups):
        place = _numbers(_group(item, shared, "PlanePositionSequence"), "ImagePositionPatient", 3)
        turn = _numbers(_group(item, shared, "PlaneOrientationSequence"), "ImageOrientationPatient", 6)
        pixel = _numbers(_group(item, shared, "PixelMeasuresSequence"), "PixelSpacing", 2)
        if place is None or turn is None or pixel is None or pixel.min() <= 0:
            wanted = "(0020,0032) ImagePositionPatient, (0020,0037) ImageOrientationPatient, (0028,0030) PixelSpacing"
            raise DicomError(
                "a frame that is nowhere in the patient", where=f"{where} frame {frame + 1}", wanted=wanted
            )
        corners.append(place)
        cosines.append(turn)
        measures.append(pixel)
    if np.ptp(cosines, axis=0).max() > 1e-4 or np.ptp(measures, axis=0).max() > 1e-4:
        raise DicomError("frames of several orientations or pixel sizes", where=where, wanted="one grid")
    right, down = cosines[0][:3], cosines[0][3:]
    measure = _group(groups[0], shared, "PixelMeasuresSequence")
    places = np.array(corners)
    slices, step, odd = _slices(places, np.cross(right, down), measure, where)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = right * measures[0][1], down * measures[0][0], step
    affine[:3, 3] = places[int(np.argmin(slices))]
    return Grid((max(slices) + 1, frames.rows, frames.columns), affine), slices, odd


def _numbers(item: Any, keyword: str, count: int) -> Floats | None:
    try:
        values = np.asarray([float(value) for value in item.get(keyword)], dtype=np.float64)
    except (TypeError, ValueError, AttributeError):
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def _slices(places: Floats, normal: Floats, measure: Any, where: str) -> tuple[list[int], Floats, list[Issue]]:
    """Returns the slice of each frame, from 0, the step from slice to slice as a vector, and what is odd."""
    along = places @ normal
    gaps = np.diff(np.unique(np.round(along, 4)))
    told = _positive(measure, "SpacingBetweenSlices")
    thick = _positive(measure, "SliceThickness")
    if not len(gaps):
        issues = [] if told or thick else [Issue("a single slice of unknown thickness, taken as 1 mm", where)]
        return [0] * len(places), normal * (told or thick or 1.0), issues
    # Where empty frames were left out the distances are multiples of what the file says, if that fits.
    fits = told and (np.abs(gaps / told - np.rint(gaps / told)) <= _UNEVEN).all() and np.rint(gaps / told).min() >= 1
    spacing = float(told if fits else gaps.min())  # type: ignore[arg-type]
    number = (along - along.min()) / spacing
    slices = np.rint(number).astype(np.int64)
    if np.abs(number - slices).max() > _UNEVEN * max(1, slices.max() / 10) or slices.max() >= _MOST_SLICES:
        got = ", ".join(f"{gap:g}" for gap in np.unique(gaps)[:5])
        raise DicomError(
            "frames at uneven distances", where=where, wanted=f"multiples of {spacing:g} mm", got=f"{got} mm"
        )
    first, last = int(np.argmin(along)), int(np.argmax(along))
    step = (places[last] - places[first]) / slices[last]
    off = np.abs(places - places[first] - slices[:, None] * step).max()
    if off > _UNEVEN * spacing:
        wanted, got = "positions on one line", f"{off:.3g} mm beside it"
        raise DicomError("frames that are not above one another", where=where, wanted=wanted, got=got)
    return slices.tolist(), step, []


def _positive(item: Any, keyword: str) -> float | None:
    try:
        value = float(item.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None


def _code(item: Any, keyword: str) -> Code | None:
    found = items_of(item, keyword)
    if not found:
        return None
    return Code(*(text_of(found[0], word) for word in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")))


def _segment(item: Any) -> Segment:
    return Segment(
        number_of(item, "SegmentNumber") or 0,
        text_of(item, "SegmentLabel"),
        category=_code(item, "SegmentedPropertyCategoryCodeSequence"),
        kind=_code(item, "SegmentedPropertyTypeCodeSequence"),
        algorithm_type=text_of(item, "SegmentAlgorithmType"),
        algorithm_name=text_of(item, "SegmentAlgorithmName"),
        tracking_id=text_of(item, "TrackingID"),
        tracking_uid=text_of(item, "TrackingUID"),
    )
