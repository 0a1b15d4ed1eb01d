"""Images that have no patient coordinates: ultrasound and mammography."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from braggbook.testing.dicom.common import code, decimals, item, new_object, set_pixels, set_tags

_CENTIMETRES = 3  # physical units of an ultrasound region (PS3.3 C.8.5.5.1.15)
_TISSUE, _TWO_DIMENSIONAL = 1, 1


def make_us(
    frames: npt.NDArray[Any],
    *,
    spacing_mm: tuple[float, float] = (0.5, 0.25),
    regions: Sequence[tuple[int, int, int, int]] | None = None,
    frame_time_ms: float = 40.0,
    transfer_syntax: str = ExplicitVRLittleEndian,
    seed: int = 1,
    **tags: Any,
) -> Dataset:
    """Returns an ultrasound image or clip, whose pixels are calibrated by region only.

    Args:
        frames: (y, x) or (frames, y, x) grey, or with a last axis of 3 for RGB; uint8.
        spacing_mm: Of rows and columns, within each region.
        regions: Calibrated regions as x0, y0, x1, y1, both ends included; the whole image without them; none if empty.
        frame_time_ms: Between frames of a clip.
        transfer_syntax: Any that pydicom writes.
        seed: Of the study.
        **tags: Elements by keyword; ``None`` empties one, ``...`` removes it.
    """
    colour = frames.ndim > 2 and frames.shape[-1] == 3
    clip = frames.ndim == (4 if colour else 3)
    dataset = new_object(UltrasoundMultiFrameImageStorage if clip else UltrasoundImageStorage, "US", seed=seed)
    rows, columns = frames.shape[-3:-1] if colour else frames.shape[-2:]
    places = [(0, 0, columns - 1, rows - 1)] if regions is None else regions
    common = {
        "ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"],
        "LossyImageCompression": "00",
        "SamplesPerPixel": 3 if colour else 1,
        "SequenceOfUltrasoundRegions": [_region(place, spacing_mm) for place in places] if places else ...,
        "PatientOrientation": "",
    }
    set_tags(dataset, common)
    if clip:
        set_tags(dataset, {"NumberOfFrames": str(len(frames)), "FrameTime": str(frame_time_ms)})
        set_tags(dataset, {"FrameIncrementPointer": 0x00181063, "StartTrim": "1", "StopTrim": str(len(frames))})
    set_pixels(dataset, frames, transfer_syntax=transfer_syntax, bits_stored=None)
    return set_tags(dataset, tags)


def _region(place: tuple[int, int, int, int], spacing_mm: tuple[float, float]) -> Dataset:
    rows_mm, columns_mm = spacing_mm
    x0, y0, x1, y1 = place
    return item(
        RegionSpatialFormat=_TWO_DIMENSIONAL,
        RegionDataType=_TISSUE,
        RegionFlags=0,
        RegionLocationMinX0=x0,
        RegionLocationMinY0=y0,
        RegionLocationMaxX1=x1,
        RegionLocationMaxY1=y1,
        PhysicalUnitsXDirection=_CENTIMETRES,
        PhysicalUnitsYDirection=_CENTIMETRES,
        PhysicalDeltaX=columns_mm / 10,
        PhysicalDeltaY=rows_mm / 10,
    )


def make_mammography(
    stored: npt.NDArray[Any],
    *,
    laterality: str = "L",
    view: str = "CC",
    imager_spacing_mm: tuple[float, float] = (0.1, 0.1),
    magnification: float = 1.05,
    transfer_syntax: str = ExplicitVRLittleEndian,
    seed: int = 1,
    **tags: Any,
) -> Dataset:
    """Returns a digital mammogram for presentation, whose spacing is the detector's and not the breast's.

    Args:
        stored: (y, x) uint16, of which 12 bits are used.
        laterality: ``L`` or ``R``.
        view: ``CC`` or ``MLO``.
        imager_spacing_mm: Of rows and columns at the detector.
        magnification: EstimatedRadiographicMagnificationFactor.
        transfer_syntax: Any that pydicom writes.
        seed: Of the study.
        **tags: Elements by keyword; ``None`` empties one, ``...`` removes it.
    """
    dataset = new_object(DigitalMammographyXRayImageStorageForPresentation, "MG", seed=seed)
    anatomy = code("76752008", "SCT", "Breast")
    views = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
    value, meaning = views[view]
    position = set_tags(code(value, "SCT", meaning), {"ViewModifierCodeSequence": []})
    found = {
        "BodyPartExamined": "BREAST",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageLaterality": laterality,
        "PatientOrientation": ["A", "R"] if laterality == "L" else ["P", "L"],
        "ViewPosition": view,
        "PositionerType": "MAMMOGRAPHIC",
        "OrganExposed": "BREAST",
        "ImagerPixelSpacing": decimals(imager_spacing_mm),
        "EstimatedRadiographicMagnificationFactor": str(magnification),
        "DetectorType": "DIRECT",
        "DetectorID": "1",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": -1,
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "RescaleType": "US",
        "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
        "AcquisitionContextSequence": [],
        "AnatomicRegionSequence": [anatomy],
        "ViewCodeSequence": [position],
    }
    set_tags(dataset, found)
    set_pixels(dataset, stored.astype(np.uint16), transfer_syntax=transfer_syntax, bits_stored=12)
    return set_tags(dataset, tags)
