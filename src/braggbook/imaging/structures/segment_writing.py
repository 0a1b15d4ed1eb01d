"""Masks as segmentation objects (SEG), written by highdicom."""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import xarray as xr

from braggbook.errors import DicomError, ImagingError, Issue
from braggbook.files import write_bytes
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.reading import open_dataset, quiet_pydicom
from braggbook.imaging.structures.segmentations import Code, Segment
from braggbook.imaging.structures.writing import COPIED, conforms, make_uid
from braggbook.imaging.volumes import grid_of

_TISSUE = Code("85756007", "SCT", "Tissue")
_KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")
_FRACTIONS = ("PROBABILITY", "OCCUPANCY")
_MAXIMUM = 255  # of a fraction: the most that 8 bits hold
_RIGHT_ANGLES = "a grid with right angles"


def write_segmentations(
    masks: Mapping[str, xr.DataArray],
    path: Path | str,
    *,
    images: Sequence[Any],
    kind: str = "BINARY",
    fractional_type: str = "PROBABILITY",
    segments: Mapping[str, Segment] | None = None,
    written_at: datetime | None = None,
) -> Path:
    """Writes masks of one grid as a segmentation object that refers to the images they were made from.

    Args:
        masks: By label: (z, y, x) volumes of one grid, bool or 0 and 1; for FRACTIONAL 0 to 1, which comes back within
            1/510. They may overlap, unless for LABELMAP.
        path: Of the file; replaced where it is there.
        images: Of one series: datasets, paths, or instances of an index. Patient, study and frame of reference are
            taken from them.
        kind: BINARY, FRACTIONAL or LABELMAP (of the standard's 2024 edition, which older programs cannot read).
        fractional_type: PROBABILITY or OCCUPANCY.
        segments: Codes and algorithm of each label; tissue, made automatically by braggbook, where there are none.
        written_at: Date and time of the content, which a segmentation must have; by default now.

    Returns:
        ``path``.

    Raises:
        ImagingError: Masks that cannot be written; ``issues`` lists all of them.
        DicomError: Images that cannot be read, or that highdicom does not accept.
        StorageError: The file cannot be written; ``path`` is then as it was.
    """
    grid = _check(masks, kind, fractional_type)
    with quiet_pydicom():
        headers = [_header(image) for image in images]
        if not headers:
            raise DicomError("no images to refer to", where="images", wanted="the series that masks were made from")
        dataset = _segmentation(masks, grid, headers, kind, fractional_type, dict(segments or {}))
        _stamp(dataset, written_at or datetime.now().astimezone())
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    write_bytes(Path(path), buffer.getvalue())
    return Path(path)


def _header(image: Any) -> pydicom.Dataset:
    """Returns an image's header without values that the standard does not allow, which would be copied."""
    header = copy.copy(image if isinstance(image, pydicom.Dataset) else open_dataset(image, pixels=False)[0])
    for keyword in COPIED:
        if keyword in header and not conforms(header[keyword]):
            setattr(header, keyword, "")
    return header


def _check(masks: Mapping[str, xr.DataArray], kind: str, fractional_type: str) -> Grid:
    issues = []
    if kind not in _KINDS:
        issues.append(Issue("not a kind of segmentation", "kind", ", ".join(_KINDS), str(kind)))
    if fractional_type not in _FRACTIONS:
        issues.append(Issue("not a kind of fraction", "fractional_type", ", ".join(_FRACTIONS), str(fractional_type)))
    if not masks:
        raise ImagingError("no masks to write", wanted="one or more", issues=issues)
    grid = grid_of(next(iter(masks.values())))
    if grid.is_skewed:
        issues.append(Issue("a skewed grid", "masks", _RIGHT_ANGLES))
    for label, mask in masks.items():
        issues += _mask_issues(label, mask, grid, kind)
    if not issues and kind == "LABELMAP":
        issues += _overlaps(masks)
    if issues:
        raise ImagingError("masks that cannot be written", issues=issues)
    return grid


def _mask_issues(label: str, mask: xr.DataArray, grid: Grid, kind: str) -> list[Issue]:
    issues = []
    if not 0 < len(label) <= 64 or "\\" in label:
        issues.append(Issue("a label that does not fit", repr(label), "1 to 64 characters without a backslash"))
    if mask.ndim != 3 or not grid_of(mask).is_same(grid):
        issues.append(Issue("another grid than the first mask's", label))
    elif not _in_range(np.asarray(mask.values), kind):
        issues.append(Issue("values that do not fit", label, "0 to 1" if kind == "FRACTIONAL" else "only 0 and 1"))
    return issues


def _overlaps(masks: Mapping[str, xr.DataArray]) -> list[Issue]:
    taken: Any = False
    overlap = 0
    for mask in masks.values():
        chosen = np.asarray(mask.values) != 0
        overlap += int((chosen & taken).sum())
        taken = chosen | taken
    wanted = "kind BINARY, or no voxel in common"
    return [Issue("masks that overlap", "masks", wanted, f"{overlap} voxels")] if overlap else []


def _in_range(values: Any, kind: str) -> bool:
    if kind == "FRACTIONAL":
        return bool(((values >= 0) & (values <= 1)).all())
    return bool(((values == 0) | (values == 1)).all())


def _segmentation(
    masks: Mapping[str, xr.DataArray],
    grid: Grid,
    headers: list[pydicom.Dataset],
    kind: str,
    fractional_type: str,
    segments: dict[str, Segment],
) -> Any:
    import highdicom as hd  # noqa: PLC0415 - takes a second, and only writing needs it

    descriptions = [_description(number, label, segments.get(label)) for number, label in enumerate(masks, start=1)]
    pixels = _pixels(masks, kind)
    said = repr((kind, fractional_type, [(label, segments.get(label)) for label in masks], headers[0].SOPInstanceUID))
    digest = hashlib.sha256(pixels.tobytes() + grid.affine.tobytes() + said.encode()).digest()
    affine = grid.affine[:, [2, 1, 0, 3]]  # highdicom's first index is the slice
    channels: Any = {"SegmentNumber": list(range(1, len(masks) + 1))} if pixels.ndim == 4 else None
    volume = hd.Volume(pixels, affine, "PATIENT", headers[0].get("FrameOfReferenceUID"), channels)
    try:
        return hd.seg.Segmentation(
            headers,
            volume,
            kind,
            descriptions,
            series_instance_uid=make_uid(digest[:16]),
            series_number=1,
            sop_instance_uid=make_uid(digest[16:]),
            instance_number=1,
            manufacturer="Braggbook",
            manufacturer_model_name="braggbook",
            software_versions="braggbook",
            device_serial_number="0",
            fractional_type=fractional_type,
            max_fractional_value=_MAXIMUM,
            omit_empty_frames=bool(pixels.any()),
            content_label="SEGMENTATION",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        got = f"{type(error).__name__}: {str(error)[:200]}"
        raise DicomError("images that a segmentation cannot refer to", where="images", got=got) from error


def _pixels(masks: Mapping[str, xr.DataArray], kind: str) -> Any:
    """Returns (z, y, x) of segment numbers where masks have no voxel in common, else (z, y, x, segment)."""
    values = [np.asarray(mask.values) for mask in masks.values()]
    if kind == "FRACTIONAL":
        return np.stack([value.astype(np.float32) for value in values], axis=-1)
    labels = np.zeros(values[0].shape, np.uint8 if len(values) < 256 else np.uint16)
    for number, value in enumerate(values, start=1):
        chosen = value != 0
        if labels[chosen].any():
            return np.stack([each != 0 for each in values], axis=-1).astype(np.uint8)
        labels[chosen] = number
    return labels


def _description(number: int, label: str, segment: Segment | None) -> Any:
    import highdicom as hd  # noqa: PLC0415 - likewise

    given = segment or Segment(number, label)
    category, kind = (
        hd.sr.CodedConcept(c.value, c.scheme, c.meaning) for c in (given.category or _TISSUE, given.kind or _TISSUE)
    )
    how = given.algorithm_type or "AUTOMATIC"
    family = hd.sr.CodedConcept("123109", "DCM", "Manual Processing")
    name = given.algorithm_name or "braggbook"
    algorithm = hd.AlgorithmIdentificationSequence(name=name, family=family, version="1") if how != "MANUAL" else None
    tracked = bool(given.tracking_id and given.tracking_uid)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type=how,
        algorithm_identification=algorithm,
        tracking_uid=given.tracking_uid if tracked else None,
        tracking_id=given.tracking_id if tracked else None,
    )


def _stamp(dataset: Any, at: datetime) -> None:
    for date, time in (("ContentDate", "ContentTime"), ("InstanceCreationDate", "InstanceCreationTime")):
        setattr(dataset, date, at.strftime("%Y%m%d"))
        setattr(dataset, time, at.strftime("%H%M%S"))
