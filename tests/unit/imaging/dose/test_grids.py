"""RTDOSE in and out, and what may not be added."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from braggbook.errors import DicomError, ImagingError, StorageError
from braggbook.imaging.dose.encode import encode_dose
from braggbook.imaging.dose.grids import decode_dose, dose_to_grid, read_dose, read_prescriptions, sum_doses, write_dose
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import grid_of, make_volume
from braggbook.testing.dicom import standard_errors

GRID = Grid.from_axes((4, 5, 6), spacing_mm=(3, 2.5, 2), origin_mm=(-10.5, 20.25, -30))
PLAN = ["1.2.3.4"]
FRAME = "1.2.3.9"


def dose(values=None, grid: Grid = GRID, *, units: str = "Gy", **attrs):
    values = np.random.default_rng(4).uniform(0, 14.68, grid.shape) if values is None else values
    described = {"dose_type": "PHYSICAL", "summation_type": "PLAN", "frame_of_reference_uid": FRAME}
    return make_volume(
        np.broadcast_to(np.asarray(values, dtype=float), grid.shape).copy(),
        grid,
        name="dose",
        units=units,
        attrs={**described, "referenced_plan_uids": PLAN, **attrs},
    )


def dataset(volume=None, **tags) -> pydicom.Dataset:
    made = encode_dose(dose() if volume is None else volume, like=None, bits=32)
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_rle.dcm"])
def test_the_relative_dose_that_pydicom_ships(name) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of a UID in it that is none
        found = read_dose(get_testdata_file(name))
    assert found.shape == (15, 10, 10)
    assert float(found.sum()) == pytest.approx(1519.91)
    assert float(found.max()) == pytest.approx(1.254)
    assert found.attrs["units"] == "1"
    assert grid_of(found).spacing_mm == (5, 10, 10)


@pytest.mark.parametrize(("bits", "step"), [(16, 2.3e-4 / 2), (32, 4e-9 / 2)])
def test_a_round_trip_returns_within_half_a_step(tmp_path, bits, step) -> None:
    written = dose()
    written[0, 0, 0], written[1, 1, 1] = 0, 14.68
    write_dose(written, tmp_path / "dose.dcm", bits=bits)
    read = read_dose(tmp_path / "dose.dcm")
    assert float(abs(read - written).max()) <= step
    assert grid_of(read).is_same(GRID)
    for key in ("units", "dose_type", "summation_type", "frame_of_reference_uid", "referenced_plan_uids"):
        assert read.attrs[key] == written.attrs[key]


@pytest.mark.parametrize(
    "directions",
    [
        ((1, 0, 0), (0, 1, 0), (0, 0, -1)),  # slices from head to feet
        ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),  # sagittal
        ((0.8, 0.6, 0), (-0.6, 0.8, 0), (0, 0, 1)),  # turned
        ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),  # prone
    ],
)
def test_every_orientation_comes_back_to_its_place(tmp_path, directions) -> None:
    grid = Grid.from_axes((4, 5, 6), spacing_mm=(3, 2.5, 2), origin_mm=(1, 2, 3), directions=directions)
    written = dose(grid=grid)
    write_dose(written, tmp_path / "dose.dcm")
    read = read_dose(tmp_path / "dose.dcm")
    index = np.argwhere(np.ones(grid.shape, dtype=bool))
    there = np.rint(grid_of(read).to_index(grid.to_patient(index[:, ::-1])))[:, ::-1].astype(int)
    np.testing.assert_allclose(read.values[tuple(there.T)], written.values[tuple(index.T)], atol=4e-9)


def test_differences_are_signed(tmp_path) -> None:
    written = dose(np.linspace(-1, 2, 120).reshape(GRID.shape), dose_type="ERROR")
    write_dose(written, tmp_path / "dose.dcm")
    assert float(abs(read_dose(tmp_path / "dose.dcm") - written).max()) < 1e-9


def test_no_dose_at_all_comes_back_as_none(tmp_path) -> None:
    write_dose(dose(0.0), tmp_path / "dose.dcm")
    assert float(abs(read_dose(tmp_path / "dose.dcm")).max()) == 0


@pytest.mark.full
def test_dciodvfy_finds_no_error(tmp_path) -> None:
    """With 16 bits: dciodvfy itself stops at any file with 32 allocated, the planning system's own included."""
    found = shutil.which("dciodvfy") or str(Path(pydicom.__file__).parents[4] / "bin" / "dciodvfy")
    if not Path(found).exists():
        pytest.skip("needs the system tool dciodvfy")
    write_dose(dose(tissue_heterogeneity=["IMAGE"]), tmp_path / "dose.dcm", bits=16)
    said = subprocess.run(
        [found, "-new", tmp_path / "dose.dcm"], capture_output=True, text=True, check=False, timeout=60
    )
    assert "RTDose" in said.stderr
    assert "Error" not in said.stderr
    for bits in (16, 32):
        write_dose(dose(tissue_heterogeneity=["IMAGE"]), tmp_path / f"{bits}.dcm", bits=bits)
        assert standard_errors(tmp_path / f"{bits}.dcm") == []


def test_offsets_relative_absolute_and_descending_are_one_dose() -> None:
    made = dataset()
    wanted = decode_dose(made)
    made.GridFrameOffsetVector = [-30, -27, -24, -21]
    np.testing.assert_array_equal(decode_dose(made).values, wanted.values)
    assert grid_of(decode_dose(made)).is_same(GRID)
    made.GridFrameOffsetVector = [0, -3, -6, -9]
    made.ImagePositionPatient = [-10.5, 20.25, -21]
    falling = decode_dose(made)
    np.testing.assert_array_equal(falling.values, wanted.values[::-1])
    assert grid_of(falling).is_same(GRID)
    assert list(falling["z"].values) == [-30, -27, -24, -21]


@pytest.mark.parametrize(
    ("offsets", "what"),
    [
        ([0, 3, 7, 9], "planes at uneven distances"),
        ([0, 3, 3, 6], "planes that are not in order"),
        ([5, 8, 11, 14], "neither relative nor absolute"),
        ([0, 3, 6], "not usable"),
        (None, "missing"),
    ],
)
def test_offsets_that_mean_nothing_are_refused(offsets, what) -> None:
    with pytest.raises(DicomError, match=what) as caught:
        decode_dose(dataset(GridFrameOffsetVector=offsets), where="a.dcm")
    assert "a.dcm: (3004,000C) GridFrameOffsetVector" in str(caught.value)


def test_uneven_planes_are_resampled_when_asked_and_recorded() -> None:
    values = np.broadcast_to(np.array([0.0, 3, 7, 9]).reshape(4, 1, 1), GRID.shape)
    made = dataset(dose(values), GridFrameOffsetVector=[0, 3, 7, 9])
    found = decode_dose(made, irregular="resample")
    assert grid_of(found).spacing_mm[0] == 2
    np.testing.assert_allclose(found.values[:, 0, 0], [0, 2, 4, 6, 8], atol=1e-8)
    assert "from 4 planes at uneven distances to 5 every 2 mm" in found.attrs["resampled"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    made = dataset(DoseUnits="CGY", DoseType="", DoseGridScaling="0", PixelSpacing=None)
    with pytest.raises(DicomError) as caught:
        decode_dose(made, where="a.dcm")
    assert [issue.where for issue in caught.value.issues] == [
        "a.dcm: (3004,0002) DoseUnits",
        "a.dcm: (3004,0004) DoseType",
        "a.dcm: (3004,000E) DoseGridScaling",
        "a.dcm: (0028,0030) PixelSpacing",
    ]


def test_truncated_pixels_and_other_files_are_refused(tmp_path) -> None:
    short = dataset()
    short.PixelData = short.PixelData[:100]
    with pytest.raises(DicomError, match=r"\(7FE0,0010\) PixelData: cannot be decoded"):
        decode_dose(short, where="a.dcm")
    (tmp_path / "a.dcm").write_text("not DICOM")
    with pytest.raises(DicomError, match="not a DICOM file"):
        read_dose(tmp_path / "a.dcm")
    with pytest.raises(DicomError, match=r"cannot be read.*No such file"):
        read_dose(tmp_path / "none.dcm")
    with pytest.raises(DicomError, match=r"another kind of DICOM object.*wanted an RTDOSE file, got CT"):
        read_dose(get_testdata_file("CT_small.dcm"))
    write_dose(dose(), tmp_path / "dose.dcm")
    with pytest.raises(DicomError, match="wanted an RTPLAN file, got RTDOSE"):
        read_prescriptions(tmp_path / "dose.dcm")


def test_what_rtdose_cannot_hold_is_refused_and_nothing_is_written(tmp_path) -> None:
    target = tmp_path / "dose.dcm"
    for wrong, what in (
        (dose(np.nan), "voxels without a dose"),
        (dose(-1.0), "a dose below 0"),
        (dose(units="HU"), "not a dose that RTDOSE holds"),
        (dose(dose_type="RBE"), "not a type of dose"),
        (dose(referenced_plan_uids=[]), "a dose of no plan"),
    ):
        with pytest.raises(ImagingError, match=what):
            write_dose(wrong, target)
    assert not target.exists()
    with pytest.raises(StorageError):
        write_dose(dose(), tmp_path / "no" / "folder" / "dose.dcm")


def test_like_gives_patient_study_and_plan_and_must_share_the_frame(tmp_path) -> None:
    template = dataset(PatientName="Doe^Jane", PatientID="7", StudyInstanceUID="1.5")
    template.save_as(tmp_path / "like.dcm", enforce_file_format=True)
    write_dose(dose(referenced_plan_uids=[]), tmp_path / "dose.dcm", like=tmp_path / "like.dcm")
    read = pydicom.dcmread(tmp_path / "dose.dcm")
    assert (read.PatientName, read.PatientID, read.StudyInstanceUID) == ("Doe^Jane", "7", "1.5")
    assert read.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == PLAN[0]
    assert read.SOPInstanceUID != template.SOPInstanceUID
    with pytest.raises(ImagingError, match="two frames of reference"):
        write_dose(dose(frame_of_reference_uid="1.7"), tmp_path / "dose.dcm", like=tmp_path / "like.dcm")


def test_sums_cannot_overflow_what_files_hold() -> None:
    stored = [decode_dose(dataset(dose(60.0))) for _ in range(5)]
    total = sum_doses(stored)
    assert total.dtype == np.float64
    np.testing.assert_allclose(total.values, 300, rtol=1e-9)
    assert total.attrs["summation_type"] == "MULTI_PLAN"
    assert total.attrs["sum_of"] == 5


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"units": "1"}, "different units"),
        ({"dose_type": "EFFECTIVE"}, "different dose_type"),
        ({"summation_type": "BEAM"}, "different summation_type"),
        ({"frame_of_reference_uid": "1.2.3.10"}, "different frame_of_reference_uid"),
    ],
)
def test_what_does_not_go_together_is_never_added(other, what) -> None:
    with pytest.raises(ImagingError, match="may not be added") as caught:
        sum_doses([dose(), dose(**other)])
    assert [issue.what for issue in caught.value.issues] == [what]


def test_beams_stay_beams() -> None:
    total = sum_doses([dose(1.0, summation_type="BEAM"), dose(2.0, summation_type="BEAM")])
    assert total.attrs["summation_type"] == "BEAM"


def test_doses_on_two_grids_need_a_third_to_be_named() -> None:
    shifted = Grid.from_axes((4, 5, 6), spacing_mm=(3, 2.5, 2), origin_mm=(-8.5, 20.25, -30))
    with pytest.raises(ImagingError, match="doses on different grids"):
        sum_doses([dose(1.0), dose(2.0, shifted)])
    total = sum_doses([dose(1.0), dose(2.0, shifted)], grid=GRID, outside=0)
    np.testing.assert_array_equal(total.values[0, 0], [1, 3, 3, 3, 3, 3])
    assert np.isnan(sum_doses([dose(1.0), dose(2.0, shifted)], grid=GRID).values[0, 0, 0])
    with pytest.raises(ImagingError, match="nothing to sum"):
        sum_doses([])


def test_dose_goes_to_an_images_grid_and_only_dose_does() -> None:
    image = Grid.from_axes((8, 10, 12), spacing_mm=(1, 1, 1), origin_mm=(-10, 21, -29))
    found = dose_to_grid(dose(3.0), image)
    assert grid_of(found).is_same(image)
    assert np.nanmax(abs(found.values - 3)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ImagingError, match="not a dose"):
        dose_to_grid(dose(units="HU"), image)
