"""Images without a place in the patient: ultrasound, mammography, radiographs, secondary captures.

Sources: DICOM PS3.3 10.7 (pixel spacing, and why ImagerPixelSpacing is not it), C.8.5.5 (ultrasound regions),
C.7.6.5 (cine), C.7.6.3.1.7 (pixel aspect ratio).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.frames import Frame
from braggbook.imaging.dicom.images import plain, tag_name

_CENTIMETRES = 3  # PhysicalUnitsXDirection (PS3.3 C.8.5.5.1.15)
_TISSUE = 1  # RegionSpatialFormat: two-dimensional
_SAME = 1e-6  # relative, of two regions' calibrations


@dataclass(frozen=True)
class PixelSize:
    """How large a pixel is.

    Attributes:
        spacing: Of rows (y) and of columns (x), in ``units``.
        units: ``"mm"``, or ``"pixel"`` when nothing calibrates the image.
        source: The tag that says so, and of what plane it holds.
    """

    spacing: tuple[float, float]
    units: str
    source: str


def pixel_size(frame: Frame, *, region: int | None = None) -> PixelSize:
    """Returns how large a pixel of an image without a place in the patient is.

    Args:
        frame: The image.
        region: Which of the ultrasound regions calibrates it, from 0; needed only when they differ.

    Raises:
        DicomError: Ultrasound regions are calibrated differently, or there is none of this number.
    """
    dataset = frame.header.dataset
    regions = dataset.get("SequenceOfUltrasoundRegions")
    if regions:
        return _ultrasound(frame, list(regions), region)
    if region is not None:
        wanted = tag_name("SequenceOfUltrasoundRegions")
        raise DicomError("no ultrasound regions", where=str(frame), wanted=wanted, got=f"region={region}")
    how = plain(dataset.get("PixelSpacingCalibrationType"))
    at_detector = "at the detector, larger than in the patient by the magnification"
    for keyword, meaning in (
        ("PixelSpacing", how),
        ("ImagerPixelSpacing", at_detector),
        ("NominalScannedPixelSpacing", ""),
    ):
        value = frame.get(keyword) or plain(dataset.get(keyword))
        if isinstance(value, list) and len(value) == 2 and all(0 < each < np.inf for each in value):
            source = tag_name(keyword) + (f": {meaning}" if meaning else "")
            return PixelSize((float(value[0]), float(value[1])), "mm", source)
    ratio = plain(dataset.get("PixelAspectRatio"))
    if isinstance(ratio, list) and len(ratio) == 2 and all(0 < each < np.inf for each in ratio):
        source = f"{tag_name('PixelAspectRatio')}: in widths of a pixel, for the image is not calibrated"
        return PixelSize((ratio[0] / ratio[1], 1.0), "pixel", source)
    return PixelSize((1.0, 1.0), "pixel", "nothing: the image is not calibrated")


def _ultrasound(frame: Frame, regions: list[Any], region: int | None) -> PixelSize:
    sizes = {}
    for number, item in enumerate(regions):
        lengths = {int(item.get(f"PhysicalUnits{axis}Direction", 0)) for axis in "XY"}
        if int(item.get("RegionSpatialFormat", 0)) == _TISSUE and lengths == {_CENTIMETRES}:
            sizes[number] = tuple(abs(float(item.get(f"PhysicalDelta{axis}", 0))) * 10 for axis in "YX")
    if region is not None and region not in sizes:
        wanted = f"one of {sorted(sizes)}, which are two-dimensional and in cm"
        raise DicomError("not a calibrated ultrasound region", where=str(frame), wanted=wanted, got=str(region))
    usable = {number: size for number, size in sizes.items() if min(size) > 0 and region in (None, number)}
    if not usable:
        return PixelSize((1.0, 1.0), "pixel", "nothing: no region is two-dimensional and in cm")
    found = np.array(list(usable.values()))
    if np.abs(found / found[0] - 1).max() > _SAME:
        issues = [Issue(f"{size[0]:.5g} x {size[1]:.5g} mm", f"region {number}") for number, size in usable.items()]
        command = f"read_dicom(..., region={min(usable)})"
        what = "ultrasound regions with different calibrations"
        raise DicomError(what, where=str(frame), wanted="one of them", next_command=command, issues=issues)
    dy, dx = found[0]
    number = min(usable)
    return PixelSize((float(dy), float(dx)), "mm", f"{tag_name('SequenceOfUltrasoundRegions')}, region {number}")


def cine_times(frame: Frame, count: int) -> tuple[list[float], str]:
    """Returns when the frames of a cine loop were taken, and the unit: seconds, or frame numbers if it is not said."""
    dataset = frame.header.dataset
    steps = plain(dataset.get("FrameTimeVector"))
    if isinstance(steps, list) and len(steps) == count:
        return (np.cumsum(steps) / 1000).tolist(), "s"
    if (step := plain(dataset.get("FrameTime"))) and isinstance(step, float) and step > 0:
        return (np.arange(count) * step / 1000).tolist(), "s"
    rate = plain(dataset.get("CineRate")) or plain(dataset.get("RecommendedDisplayFrameRate"))
    if rate and rate > 0:
        return (np.arange(count) / rate).tolist(), "s"
    return np.arange(count, dtype=float).tolist(), "1"
