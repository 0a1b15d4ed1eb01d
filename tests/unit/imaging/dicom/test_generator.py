"""The generators of DICOM: what they write is what was asked for, the same each time, and valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from braggbook.testing.dicom import (
    concatenation,
    example_grid,
    make_enhanced,
    make_mammography,
    make_rdsr,
    make_rtdose,
    make_rtplan,
    make_rtstruct,
    make_series,
    make_uid,
    make_us,
    standard_errors,
    write_dicom,
    write_series,
)
from braggbook.testing.dicom.common import decimal

KINDS = ("axial", "descending", "prone", "feet_first", "sagittal", "coronal", "oblique", "tilted")
SYNTAXES = (
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless,
    JPEGLSLossless, JPEG2000Lossless,
)  # fmt: skip
AS_WRITTEN_MM = 1e-9  # decimal strings hold sixteen characters


def counts(*shape: int, dtype: Any = np.int16, low: int = 0, high: int = 1000) -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).integers(low, high, shape).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("modality", ["CT", "MR", "PET"])
def test_series_are_where_the_grid_says(kind: str, modality: str) -> None:
    grid = example_grid(kind)
    stored = counts(*grid.shape)
    for k, image in enumerate(make_series(stored, grid, modality=modality)):
        np.testing.assert_array_equal(image.pixel_array, stored[k])
        row, column = np.reshape(np.asarray(image.ImageOrientationPatient, float), (2, 3))
        dy, dx = map(float, image.PixelSpacing)
        found = np.asarray(image.ImagePositionPatient, float) + row * dx * 7 + column * dy * 5
        np.testing.assert_allclose(found, grid.to_patient((7, 5, k)), atol=AS_WRITTEN_MM)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8])
def test_transfer_syntaxes(tmp_path: Path, syntax: str, dtype: Any) -> None:
    grid = example_grid(shape=(1, 33, 40))
    low = -1000 if dtype is np.int16 else 0
    stored = counts(1, 33, 40, dtype=dtype, low=low, high=250)
    (path,) = write_series(tmp_path, stored, grid, transfer_syntax=syntax)
    found = dcmread(path)
    assert found.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(found.pixel_array, stored[0])


def test_same_bytes_each_time(tmp_path: Path) -> None:
    grid = example_grid()
    one = [p.read_bytes() for p in write_series(tmp_path / "1", counts(*grid.shape), grid)]
    other = [p.read_bytes() for p in write_series(tmp_path / "2", counts(*grid.shape), grid)]
    assert one == other
    assert make_uid("a", 1) == make_uid("a", 1) != make_uid("a", 2)
    assert make_uid("a").is_valid
    seeds = [make_series(counts(*grid.shape), grid, seed=seed)[0] for seed in (1, 2)]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert seeds[0][keyword].value != seeds[1][keyword].value


def test_tags_by_slice_and_edits(tmp_path: Path) -> None:
    grid = example_grid()
    slopes = [{"RescaleSlope": f"{k + 1}"} for k in range(grid.shape[0])]
    paths = write_series(
        tmp_path,
        counts(*grid.shape),
        grid,
        names=[f"x{k}" for k in range(grid.shape[0])],
        per_slice=slopes,
        edit=lambda dataset, k: setattr(dataset, "InstanceNumber", str(100 - k)),
        KVP="80",
        StudyDescription=None,
        RescaleType=...,
    )
    assert [path.name for path in paths] == ["x0", "x1", "x2", "x3", "x4"]
    found = [dcmread(path) for path in paths]
    assert [int(image.RescaleSlope) for image in found] == [1, 2, 3, 4, 5]
    assert [int(image.InstanceNumber) for image in found] == [100, 99, 98, 97, 96]
    assert found[0].KVP == 80
    assert found[0].StudyDescription in ("", None)
    assert "RescaleType" not in found[0]


def test_wrong_shapes_and_types_are_refused() -> None:
    grid = example_grid()
    with pytest.raises(ValueError, match="does not fit"):
        make_series(counts(1, 2, 3), grid)
    with pytest.raises(TypeError, match="integers"):
        make_series(np.zeros(grid.shape), grid)


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("shared", [True, False])
def test_enhanced(modality: str, shared: bool) -> None:
    grid = example_grid("oblique")
    stored = counts(2, *grid.shape, dtype=np.uint16)
    order = [7, 0, 3, 9]
    found = make_enhanced(stored, grid, modality=modality, shared=shared, order=order)
    flat = stored.reshape(-1, *grid.shape[1:])
    np.testing.assert_array_equal(found.pixel_array, flat[order])
    for frame, number in zip(found.PerFrameFunctionalGroupsSequence, order, strict=True):
        t, z = divmod(number, grid.shape[0])
        assert list(frame.FrameContentSequence[0].DimensionIndexValues) == [1, z + 1, t + 1]
        place = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        np.testing.assert_allclose(place, grid.to_patient((0, 0, z)), atol=AS_WRITTEN_MM)
        assert ("PixelMeasuresSequence" in frame) is not shared
    assert ("PixelMeasuresSequence" in found.SharedFunctionalGroupsSequence[0]) is shared


def test_enhanced_transforms_and_concatenations() -> None:
    grid = example_grid()
    stored = counts(*grid.shape, dtype=np.uint16)
    found = make_enhanced(stored, grid, transforms=[(k + 1.0, -k) for k in range(5)])
    slopes = [f.PixelValueTransformationSequence[0].RescaleSlope for f in found.PerFrameFunctionalGroupsSequence]
    assert slopes == [1, 2, 3, 4, 5]
    parts = concatenation(found, parts=2)
    assert [int(part.NumberOfFrames) for part in parts] == [2, 3]
    assert [part.ConcatenationFrameOffsetNumber for part in parts] == [0, 2]
    np.testing.assert_array_equal(np.concatenate([part.pixel_array for part in parts]), stored)


@pytest.mark.parametrize("kind", ["axial", "feet_first", "oblique"])
@pytest.mark.parametrize("bits", [16, 32])
def test_rtdose(kind: str, bits: int) -> None:
    grid = example_grid(kind)
    dose = np.random.default_rng(3).random(grid.shape) * 14.68
    found = make_rtdose(dose, grid, bits=bits)
    back = found.pixel_array * float(found.DoseGridScaling)
    np.testing.assert_allclose(back, dose, rtol=0, atol=14.68 / 2**bits)  # half a step, and the scaling's rounding
    offsets = np.asarray(found.GridFrameOffsetVector, float)
    step = grid.spacing_mm[0]
    np.testing.assert_allclose(offsets, step * np.arange(grid.shape[0]), atol=AS_WRITTEN_MM)


def test_rtdose_offsets_that_are_positions_or_descend() -> None:
    grid = example_grid("descending")
    dose = np.ones(grid.shape)
    assert list(make_rtdose(dose, grid).GridFrameOffsetVector) == [0, -3, -6, -9, -12]
    assert list(make_rtdose(dose, grid, absolute_offsets=True).GridFrameOffsetVector) == [40, 37, 34, 31, 28]
    assert make_rtdose(0 * dose, grid).pixel_array.max() == 0


def test_radiotherapy_objects_refer_to_each_other() -> None:
    grid = example_grid()
    images = make_series(counts(*grid.shape), grid)
    square = np.array([(-10, 8, 0), (-5, 8, 0), (-5, 12, 0), (-10, 12, 0)], float)
    square[:, 2] = grid.to_patient((0, 0, 2))[2]
    structures = make_rtstruct({"Target": [square], "Empty": [], "Point": [("POINT", square[0])]}, images=images)
    contour = structures.ROIContourSequence[0].ContourSequence[0]
    assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == images[2].SOPInstanceUID
    assert "ContourSequence" not in structures.ROIContourSequence[1]
    assert structures.ROIContourSequence[2].ContourSequence[0].ContourGeometricType == "POINT"
    assert structures.FrameOfReferenceUID == images[0].FrameOfReferenceUID
    plan = make_rtplan(structures=structures)
    assert plan.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == structures.SOPInstanceUID
    for dose in (make_rtdose(np.ones(grid.shape), grid, plan=plan), make_rtdose(np.ones(grid.shape), grid)):
        assert dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID


def test_ultrasound_and_mammography() -> None:
    clip = make_us(counts(3, 20, 30, 3, dtype=np.uint8, high=255), spacing_mm=(0.5, 0.25), regions=[(0, 0, 9, 9)])
    assert clip.pixel_array.shape == (3, 20, 30, 3)
    region = clip.SequenceOfUltrasoundRegions[0]
    assert (region.PhysicalDeltaY, region.PhysicalDeltaX) == (0.05, 0.025)
    assert "SequenceOfUltrasoundRegions" not in make_us(counts(20, 30, dtype=np.uint8), regions=[])
    image = make_mammography(counts(20, 30, high=4096))
    assert "PixelSpacing" not in image
    assert [float(value) for value in image.ImagerPixelSpacing] == [0.1, 0.1]


@pytest.mark.parametrize("value", [1 / 3, -1 / 3, 1e-12 / 7, 123456.7890123456789, -1e22 / 3, 0.0, 5.0])
def test_decimal_strings_hold_sixteen_characters(value: float) -> None:
    text = decimal(value)
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-8)


def valid_objects() -> dict[str, Callable[[], Dataset]]:
    grid = example_grid(shape=(3, 33, 40))
    stored = counts(*grid.shape, dtype=np.uint16)
    triangle = np.array([(0, 0, 40.0), (10, 0, 40), (10, 10, 40)])
    images = make_series(stored, grid)
    bytes_ = counts(3, 20, 30, 3, dtype=np.uint8, high=255)
    found: dict[str, Callable[[], Dataset]] = {
        "structures": lambda: make_rtstruct({"Body": [triangle], "Empty": []}, images=images),
        "plan": make_rtplan,
        "plan of structures": lambda: make_rtplan(structures=make_rtstruct({"Body": [triangle]}, images=images)),
        "dose": lambda: make_rtdose(stored / 100, grid),
        "dose of 16 bits": lambda: make_rtdose(stored / 100, grid, bits=16),
        "clip": lambda: make_us(bytes_),
        "image": lambda: make_us(bytes_[0]),
        "grey clip": lambda: make_us(bytes_[..., 0]),
        "mammogram": lambda: make_mammography(counts(20, 30, high=4096)),
        "oblique mammogram": lambda: make_mammography(counts(20, 30, high=4096), laterality="R", view="MLO"),
    }
    for modality in ("CT", "MR"):
        for shared in (True, False):
            name = f"enhanced {modality}, shared {shared}"
            found[name] = lambda m=modality, s=shared: make_enhanced(stored, grid, modality=m, shared=s)
    found["concatenation"] = lambda: concatenation(make_enhanced(stored, grid), parts=2)[1]
    for kind in ("ct", "projection", "radiopharmaceutical"):
        found[f"report {kind}"] = lambda k=kind: make_rdsr(k)
    for modality in ("CT", "MR", "PET"):
        for kind in KINDS:
            place = example_grid(kind)
            found[f"{modality} {kind}"] = lambda m=modality, g=place: make_series(counts(*g.shape), g, modality=m)[0]
    for syntax in SYNTAXES:
        found[f"CT in {syntax.name}"] = lambda s=syntax: make_series(stored, grid, transfer_syntax=s)[0]
    return found


@pytest.mark.full
@pytest.mark.parametrize("name", list(valid_objects()))
def test_valid(name: str) -> None:
    assert standard_errors(valid_objects()[name]()) == []


@pytest.mark.full
def test_what_is_not_valid_is_found(tmp_path: Path) -> None:
    grid = example_grid(shape=(1, 4, 4))
    image = make_series(counts(1, 4, 4), grid, ImagePositionPatient=...)[0]
    assert any("ImagePositionPatient" in error for error in standard_errors(image))
    assert standard_errors(write_dicom(image, tmp_path / "a.dcm")) == standard_errors(image)
