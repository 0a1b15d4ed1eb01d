"""``braggbook dicom inspect`` and ``convert``: called in this process, and as a person calls them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
import xarray as xr
from click.testing import CliRunner, Result

from braggbook.cli.dicom import _listing
from braggbook.cli.main import main
from braggbook.errors import DicomError, ImagingError, InputError
from braggbook.imaging.dicom.index import index_dicom
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.store.ome_read import read_ome
from braggbook.imaging.store.zarr_store import read_volume
from braggbook.imaging.volumes import grid_of
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
    assert "patient P1, study of 2026-01-02: Generated" in out
    assert re.search(r"^\w+  CT +5 +4 x 5 x 6  3 x 1.5 x 1.25  axial  Thorax$", out, re.MULTILINE)
    assert "1 patient, 1 study, 2 series, 9 objects" in out
    assert "not a DICOM file: notes.txt\n" in out
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
    found = re.search(
        r"^not a DICOM file: (.*) and 6 more \(--json has all\)$", call("inspect", folder).stdout, re.MULTILINE
    )
    assert found
    assert found[1].split(", ") == [*(f"junk{number:02d}" for number in range(10))]
    assert len(json.loads(call("inspect", folder, "--json").stdout)["issues"]) == 16


def test_a_narrow_terminal_gets_descriptions_on_lines_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "in", SeriesDescription="Thorax with contrast agent, venous phase")
    index = index_dicom(tmp_path / "in")
    uid = index.series[0].uid
    narrow, wide = ([line.plain for line in _listing(index.studies, {uid: uid[-6:]}, width=w)] for w in (80, 120))
    assert max(map(len, narrow)) <= 80
    assert narrow[-1] == "        Thorax with contrast agent, venous phase"
    assert len(wide) == len(narrow) - 1
    assert wide[-1].endswith("axial  Thorax with contrast agent, venous phase")


def test_nothing_to_inspect_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    call("inspect", tmp_path, fails=DicomError)
    call("inspect", tmp_path / "gone", fails=DicomError)
    call("inspect", tmp_path, "--series", "1.2", fails=DicomError)


def test_convert_to_nifti(folder: Path, tmp_path: Path) -> None:
    answer = call("convert", folder, "-o", tmp_path / "a.nii.gz", "--series", "CT", "--json")
    found = json.loads(answer.stdout)
    assert found.pop("decisions") == []
    assert found == {
        "output": str(tmp_path / "a.nii.gz"),
        "format": "nifti",
        "variable": "image",
        "dims": ["z", "y", "x"],
        "shape": [4, 5, 6],
        "spacing_mm": [3.0, 1.5, 1.25],
        "units": "HU",
        "nifti_version": 1,
        "position_error_mm": 0.0,
    }
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


def test_positions_that_nifti_rounds_are_said(tmp_path: Path) -> None:
    grid = example_grid(shape=GRID.shape, origin_mm=(-12.5, 7.25, -629.04))
    (tmp_path / "in").mkdir()
    write_series(tmp_path / "in", PIXELS, grid)
    out = call("convert", tmp_path / "in", "-o", tmp_path / "a.nii.gz").stdout
    assert "NIfTI-1, positions within 2e-05 mm; exact in a.json" in out
    assert SimpleITK.ReadImage(tmp_path / "a.nii.gz").GetSize() == (6, 5, 4)
    assert np.array_equal(grid_of(read_nifti(tmp_path / "a.nii.gz")["image"]).affine, grid.affine)
    out = call("convert", tmp_path / "in", "-o", tmp_path / "b.nii", "--nifti-version", 2).stdout
    assert "NIfTI-2, positions exact" in out
    assert type(nibabel.load(tmp_path / "b.nii")) is nibabel.Nifti2Image
    call("convert", tmp_path / "in", "-o", tmp_path / "c.zarr", "--nifti-version", 2, fails=InputError)


def test_every_series_by_the_name_that_inspect_shows(folder: Path, tmp_path: Path) -> None:
    out = call("inspect", folder).stdout
    for name, modality in re.findall(r"^(\S+)  (CT|MR) ", out, re.MULTILINE):
        found = json.loads(
            call("convert", folder, "-o", tmp_path / f"{modality}.zarr", "--series", name, "--json").stdout
        )
        assert found["units"] == {"CT": "HU", "MR": "1"}[modality]
    assert len(list(tmp_path.glob("*.zarr"))) == 2


# As a person calls them


def started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "braggbook", "dicom", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(*words: object) -> tuple[int, str, str]:
    process = started(*words)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.full
def test_exit_codes_and_what_is_left(folder: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated"
    write(truncated)
    for path in sorted(truncated.iterdir())[:1]:
        path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / "locked").mkdir()
    calls = (
        (0, ["inspect", folder]),
        (0, ["convert", folder, "--series", "CT", "-o", tmp_path / "fine.nii.gz"]),
        (2, ["inspect", tmp_path / "gone"]),
        (2, ["inspect", folder, "--series", "none"]),
        (2, ["convert", folder, "-o", tmp_path / "a.zarr"]),
        (2, ["convert", truncated, "-o", tmp_path / "a.zarr"]),
        (2, ["convert", truncated, "-o", tmp_path / "a.ome.zarr"]),
        (2, ["convert", truncated, "-o", tmp_path / "a.nii"]),
        (2, ["convert", folder, "--series", "CT", "-o", tmp_path / "fine.nii.gz"]),
        (2, ["convert", folder, "--gaps", "squeeze", "-o", tmp_path / "a.nii"]),
    )
    before = sorted(path.name for path in tmp_path.iterdir())
    for code, words in calls:
        got, out, err = ended(*words, "--json")
        assert got == code, (words, out, err)
        assert "Traceback" not in out + err
        assert json.loads(out).get("exit_code", 0) == code
        assert err.startswith("braggbook: ") if code else not err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "fine.json", "fine.nii.gz"])


@pytest.mark.full
@pytest.mark.parametrize("ending", ["zarr", "ome.zarr", "nii.gz"])
def test_an_interrupted_convert_leaves_nothing(tmp_path: Path, ending: str) -> None:
    """Slices are small and many, so that there is time to interrupt their conversion."""
    grid = example_grid(shape=(300, 256, 256))
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(3).integers(-1000, 1000, grid.shape, dtype=np.int16)
    write_series(tmp_path / "in", pixels, grid)
    process = started("convert", tmp_path / "in", "-o", tmp_path / f"a.{ending}")
    deadline = time.monotonic() + 60
    while process.poll() is None and not list(tmp_path.glob(".a.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, "it ended before it could be interrupted"
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.strip().endswith("braggbook: interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
