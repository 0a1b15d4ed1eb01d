"""Series of single-frame images: CT, MR and PET on any grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, PositronEmissionTomographyImageStorage

from braggbook.imaging.geometry import Grid
from braggbook.testing.dicom.common import (
    DATE,
    Tags,
    code,
    decimals,
    frame_of_reference,
    item,
    new_object,
    set_pixels,
    set_tags,
    write_dicom,
)
from braggbook.testing.dicom.radiotherapy import make_rtdose

_CLASSES = {
    "CT": (CTImageStorage, "CT"),
    "MR": (MRImageStorage, "MR"),
    "PET": (PositronEmissionTomographyImageStorage, "PT"),
    "PT": (PositronEmissionTomographyImageStorage, "PT"),
}
PerSlice = Sequence[Tags] | Callable[[int], Tags] | None

_OBLIQUE = np.array(((0.8, 0.6, 0.0), (-0.48, 0.64, 0.6), (0.36, -0.48, 0.8)))  # exact in decimal strings
_DIRECTIONS: dict[str, npt.ArrayLike] = {
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "descending": ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "prone": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "feet_first": ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "oblique": _OBLIQUE,
    "tilted": ((1, 0, 0), (0, 0.96, -0.28), (0, 0, 1)),
}


def example_grid(
    kind: str = "axial",
    *,
    shape: tuple[int, int, int] = (5, 6, 8),
    spacing_mm: tuple[float, float, float] = (3.0, 1.5, 1.25),
    origin_mm: tuple[float, float, float] = (-12.5, 7.25, 40.0),
) -> Grid:
    """Returns a small grid of one of the orientations that scanners write.

    Args:
        kind: ``axial``, ``descending`` (axial, slices towards the feet), ``prone``, ``feet_first``, ``sagittal``,
            ``coronal``, ``oblique``, or ``tilted`` (a gantry tilt of 16.26 degrees shears its slices).
        shape: Number of slices, rows and columns (z, y, x).
        spacing_mm: Distance of neighbours along z, y and x.
        origin_mm: Patient position (x, y, z) of the first voxel's centre.
    """
    return Grid.from_axes(shape, spacing_mm=spacing_mm, origin_mm=origin_mm, directions=_DIRECTIONS[kind])


def make_series(
    array: npt.NDArray[Any],
    grid: Grid,
    *,
    modality: str = "CT",
    per_slice: PerSlice = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    seed: int = 1,
    series: object = None,
    **tags: Any,
) -> list[Dataset]:
    """Returns the images of a series, one per slice, in the grid's order.

    Args:
        array: (z, y, x) stored values: 8, 16 or 32-bit integers, signed or not. The real-world value is stored value
            x ``RescaleSlope`` + ``RescaleIntercept``, which are 1 and 0 unless they are among the tags.
        grid: Where its voxels are, in LPS mm.
        modality: ``CT``, ``MR`` or ``PET``.
        per_slice: More tags of each slice: one mapping per slice, or a function of the slice's index.
        transfer_syntax: Any that pydicom writes; JPEG 2000 needs slices of 32 x 32 or more.
        seed: Of all identifiers; objects of one seed are one study in one frame of reference.
        series: Tells series of one modality and seed apart.
        **tags: Elements by keyword, which replace the defaults; ``None`` empties one, ``...`` removes it.
            ``BitsStored`` may be less than the array's own.
    """
    if array.shape != grid.shape:
        message = f"an array of {array.shape} does not fit a grid of {grid.shape}"
        raise ValueError(message)
    make = per_slice if callable(per_slice) else lambda index: per_slice[index] if per_slice else {}
    return [
        _image(array[k], grid, k, {**tags, **make(k)}, modality=modality, syntax=transfer_syntax, key=(seed, series))
        for k in range(grid.shape[0])
    ]


def write_series(
    folder: Path | str,
    array: npt.NDArray[Any],
    grid: Grid,
    *,
    modality: str = "CT",
    names: Sequence[str] | None = None,
    edit: Callable[[Dataset, int], Any] | None = None,
    **options: Any,
) -> list[Path]:
    """Writes a series, one file per slice (one for all of an RTDOSE), and returns their paths in the grid's order.

    Args:
        folder: Is made if needed.
        array: (z, y, x) stored values; of an RTDOSE the dose in Gy.
        grid: Where its voxels are, in LPS mm.
        modality: ``CT``, ``MR``, ``PET`` or ``RTDOSE``.
        names: Of the files; ``CT0000.dcm`` and so on without it.
        edit: Called with each object and its index before it is written, for private tags and damage.
        **options: As :func:`make_series`, or :func:`~braggbook.testing.dicom.radiotherapy.make_rtdose`, takes them.
    """
    if modality == "RTDOSE":
        objects = [make_rtdose(array, grid, **options)]
    else:
        objects = make_series(array, grid, modality=modality, **options)
    paths = []
    for index, dataset in enumerate(objects):
        if edit:
            edit(dataset, index)
        name = names[index] if names else f"{modality}{index:04d}.dcm"
        paths.append(write_dicom(dataset, Path(folder) / name))
    return paths


def plane(grid: Grid, index: int) -> dict[str, Any]:
    """Returns the elements of the image plane module of one slice (PS3.3 C.7.6.2)."""
    thickness, row_spacing, column_spacing = grid.spacing_mm
    return {
        "ImagePositionPatient": decimals(grid.to_patient((0, 0, index))),
        "ImageOrientationPatient": decimals(grid.directions[:2]),
        "PixelSpacing": decimals((row_spacing, column_spacing)),
        "SliceThickness": decimals(thickness)[0],
    }


def _image(
    stored: npt.NDArray[Any],
    grid: Grid,
    index: int,
    tags: dict[str, Any],
    *,
    modality: str,
    syntax: str,
    key: tuple[int, object],
) -> Dataset:
    sop_class, name = _CLASSES[modality]
    seed, series = key
    dataset = new_object(sop_class, name, seed=seed, instance=index, series=series)
    defaults = {"CT": _ct, "MR": _mr, "PT": _pet}[name](index, grid)
    set_tags(dataset, {**frame_of_reference(seed), **plane(grid, index), "InstanceNumber": str(index + 1), **defaults})
    bits = tags.pop("BitsStored", None)
    set_pixels(dataset, stored, transfer_syntax=syntax, bits_stored=bits)
    return set_tags(dataset, tags)


def _image_common(name: str) -> dict[str, Any]:
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", name],
        "PatientPosition": "HFS",
        "AcquisitionNumber": "1",
        "InstitutionName": "Generated Clinic",
    }


def _ct(_index: int, _grid: Grid) -> dict[str, Any]:
    return {
        **_image_common("AXIAL"),
        "KVP": "120",
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "RescaleType": "HU",
    }


def _mr(_index: int, _grid: Grid) -> dict[str, Any]:
    return {
        **_image_common("OTHER"),
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": "500",
        "EchoTime": "12",
        "EchoTrainLength": "1",
        "MagneticFieldStrength": "1.5",
    }


def _pet(index: int, grid: Grid) -> dict[str, Any]:
    drug = item(
        Radiopharmaceutical="FDG",
        RadiopharmaceuticalVolume="5",
        RadiopharmaceuticalStartTime="091112",
        RadiopharmaceuticalStartDateTime=f"{DATE}091112",
        RadionuclideTotalDose="370000000",
        RadionuclideHalfLife="6586.2",
        RadionuclidePositronFraction="0.967",
        RadionuclideCodeSequence=[code("77004003", "SCT", "^18^Fluorine")],
        RadiopharmaceuticalCodeSequence=[code("35321007", "SCT", "Fluorodeoxyglucose F^18^")],
    )
    return {
        **_image_common("AXIAL"),
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "PatientPosition": ...,  # said by the orientation codes below
        "PatientWeight": "70",
        "PatientSize": "1.75",
        "Units": "BQML",
        "CountsSource": "EMISSION",
        "SeriesType": ["WHOLE BODY", "IMAGE"],
        "NumberOfSlices": grid.shape[0],
        "CorrectedImage": ["DECY", "ATTN", "SCAT", "NORM"],
        "DecayCorrection": "START",
        "CollimatorType": "NONE",
        "AttenuationCorrectionMethod": "measured",
        "ScatterCorrectionMethod": "model",
        "RandomsCorrectionMethod": "DLYD",
        "ReconstructionMethod": "OSEM",
        "FrameReferenceTime": "0",
        "ActualFrameDuration": "120000",
        "DecayFactor": "1",
        "ImageIndex": index + 1,
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "RadiopharmaceuticalInformationSequence": [drug],
        "PatientOrientationCodeSequence": [
            item(
                CodeValue="102538003",
                CodingSchemeDesignator="SCT",
                CodeMeaning="recumbent",
                PatientOrientationModifierCodeSequence=[code("40199007", "SCT", "supine")],
            )
        ],
        "PatientGantryRelationshipCodeSequence": [code("102540008", "SCT", "headfirst")],
    }
