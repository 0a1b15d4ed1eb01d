"""``braggbook dicom inspect`` and ``convert``, called in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from braggbook.cli.main import main
from braggbook.errors import DicomError, ImagingError, InputError
from braggbook.imaging.store.ome_read import read_ome
from braggbook.imaging.store.zarr_store import read_volume
from braggbook.testing.dicom import example_grid, write_series

GRID = example_grid(shape=(4, 5, 6))
PIXELS = np.arange(120, dtype=np.int16).reshape(GRID.shape)


def call(*words: object, fails: type[Exception] | None = None) -> Result:
    answer = CliRunner().invoke(main, ["dicom", *map(str, words)], obj=None)
    if fails:
        assert isinstance(answer.exception, fails), answer.output
    else:
        assert answer.exit_code == 0, (answer.output, answer.exception)
    return answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "in/ct", SeriesDescription="Thorax", PatientID="P1", PatientName="Äpfel^Anna")
    write(tmp_path / "in/mr", modality="MR", PatientID="P1", PatientName="Äpfel^Anna")
    (tmp_path / "in/notes.txt").write_text("x")
    return tmp_path / "in"


def write(folder: Path, **options: Any) -> None:
    folder.mkdir(parents=True)
    write_series(folder, PIXELS, GRID, **options)


def test_inspect_shows_series_and_what_is_wrong(folder: Path) -> None:
    (folder / "ct/z").write_bytes(next((folder / "ct").iterdir()).read_bytes())
    out = call("inspect", folder).stdout
    assert "Thorax" in out
    assert re.search(r"^\w+  CT +5 +4 x 5 x 6  3 x 1.5 x 1.25  axial  Thorax$", out, re.MULTILINE)


    assert "1 patient, 1 study, 2 series, 9 objects" in out
    assert "notes.txt: not a DICOM file" in out
    assert "the same object again" in out
    assert "1 images at positions of others" in out


def test_inspect_gives_the_same_as_json(folder: Path) -> None:
    found = json.loads(call("inspect", folder, "--json").stdout)
    [patient] = found["patients"]
    assert (patient["id"], patient["name"]) == ("P1", "Äpfel^Anna")
    listed = {one["modality"]: one for one in patient["studies"][0]["series"]}
    assert listed["CT"]["instances"] == listed["MR"]["frames"] == 4
    assert listed["CT"]["spacing_mm"] == "3 x 1.5 x 1.25"
    assert [issue["what"] for issue in found["issues"]] == ["not a DICOM file"]


def test_one_series_in_full(folder: Path) -> None:
    out = call("inspect", folder, "--series", "Thorax").stdout
    assert "ImagePositionPatient" in out
    assert "-12.5\\7.25\\40.0" in out
    found = json.loads(call("inspect", folder, "--series", "CT", "--json").stdout)
    assert len(found["files"]) == 4
    assert found["files"][0]["tags"]["PixelSpacing"] == [1.5, 1.25]


def test_what_a_file_says_is_text_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "in", SeriesDescription="[bold]x[/red] \x1b[2J", PatientID="[/]")
    out = call("inspect", tmp_path / "in").stdout
    assert "[bold]x[/red] \\x1b[2J" in out
    assert "[/]" in out
    assert "\x1b[2J" not in call("inspect", tmp_path / "in", "--series", "CT").stdout


def test_many_findings_of_a_kind_are_counted(folder: Path) -> None:
    for number in range(15):
        (folder / f"junk{number:02d}").write_text("x")
    out = call("inspect", folder).stdout
    assert out.count("not a DICOM file") == 11
    assert "and 6 more: not a DICOM file" in out


def test_nothing_to_inspect_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    call("inspect", tmp_path, fails=DicomError)
    call("inspect", tmp_path / "gone", fails=DicomError)
    call("inspect", tmp_path, "--series", "1.2", fails=DicomError)


def test_convert_to_nifti(folder: Path, tmp_path: Path) -> None:
    answer = call("convert", folder, "-o", tmp_path / "a.nii.gz", "--series", "CT", "--json")
    found = json.loads(answer.stdout)
    assert (found["format"], found["dims"], found["shape"], found["units"]) == (
        "nifti",
        ["z", "y", "x"],
        [4, 5, 6],
        "HU",
    )
    image = nibabel.load(tmp_path / "a.nii.gz")
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    for index in np.ndindex(4, 5, 6):
        at = np.rint(np.linalg.inv(affine) @ [*GRID.to_patient(index[::-1]), 1])[:3].astype(int)
        assert image.dataobj[tuple(at)] == PIXELS[index]


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.zarr"])
def test_convert_to_zarr(folder: Path, tmp_path: Path, name: str) -> None:
    call("convert", folder, "-o", tmp_path / name, "--series", "CT")
    found = read_ome(tmp_path / name) if "ome" in name else read_volume(tmp_path / name)
    image = found.image if isinstance(found, xr.Dataset) else found
    assert np.array_equal(np.squeeze(image.values), PIXELS)


def test_convert_wants_one_series(folder: Path, tmp_path: Path) -> None:
    error = call("convert", folder, "-o", tmp_path / "a.zarr", fails=InputError).exception
    assert "2 series of images" in str(error)
    assert "--series" in str(error)
    assert "CT Thorax" in str(error)
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.mhd", []),
        ("a.nii", ["--to", "zarr"]),
        ("a.zarr", ["--to", "nifti"]),
        ("a", ["--to", "nifti"]),
        ("no/a.nii", []),
    ],
)
def test_convert_refuses_a_target_before_it_reads(folder: Path, tmp_path: Path, name: str, words: list[str]) -> None:
    call("convert", folder, "-o", tmp_path / name, "--series", "CT", *words, fails=InputError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_convert_replaces_only_when_told(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.nii"
    target.write_text("mine")
    call("convert", folder, "-o", target, "--series", "CT", fails=ImagingError)
    assert target.read_text() == "mine"
    call("convert", folder, "-o", target, "--series", "CT", "--overwrite")
    assert target.stat().st_size > 352


def test_a_gap_is_refused_until_it_is_decided(folder: Path, tmp_path: Path) -> None:
    sorted((folder / "ct").iterdir())[1].unlink()
    call("convert", folder, "-o", tmp_path / "a.nii", "--series", "CT", fails=DicomError)
    out = call("convert", folder, "-o", tmp_path / "a.nii", "--series", "CT", "--gaps", "mark").stdout
    assert "look" in out
    assert np.isnan(nibabel.load(tmp_path / "a.nii").get_fdata()).sum() == 30
