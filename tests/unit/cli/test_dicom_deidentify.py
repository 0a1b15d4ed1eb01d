"""``braggbook dicom deidentify``: what it prints, what it leaves, its exit codes and its errors."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner, Result
from pydicom.data import get_testdata_file

from braggbook.cli.main import main
from braggbook.errors import ImagingError, InputError, StorageError
from braggbook.formats.deidentification import DeidentificationReport

COMPLETE, OPEN, USAGE = 0, 1, 2


def call(*words: object) -> Result:
    return CliRunner().invoke(main, ["dicom", "deidentify", *map(str, words)], obj=None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in/Quarrington"
    folder.mkdir(parents=True)
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName, dataset.BodyPartExamined = "Quarrington^Ezekiel", "CHEST"
    dataset.save_as(folder / "a.dcm")
    return tmp_path / "in"


def test_a_complete_run_ends_with_0_and_says_where_everything_is(source: Path, tmp_path: Path) -> None:
    done = call(source, "-o", tmp_path / "out")
    assert done.exit_code == COMPLETE, done.output
    for word in ("written", "out.key.json", "keep it secret", "out.report.html", "complete"):
        assert word in done.stdout.replace("\n", "")
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1
    report = DeidentificationReport.model_validate_json((tmp_path / "out.report.json").read_text())
    assert report.complete
    assert b"Quarrington" not in (tmp_path / "out.report.html").read_bytes()


def test_the_same_as_json(source: Path, tmp_path: Path) -> None:
    done = call(source, "-o", tmp_path / "out", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == COMPLETE
    assert told["complete"] is True
    assert told["outcomes"] == {"written": 1}
    assert Path(told["report"]).exists()
    assert Path(told["key"]).exists()


def test_open_findings_end_with_1_and_are_listed_with_paths(source: Path, tmp_path: Path) -> None:
    (source / "cut.dcm").write_bytes((source / "Quarrington/a.dcm").read_bytes()[:3000])
    (source / "notes.txt").write_text("a note")
    done = call(source, "-o", tmp_path / "out", "--json")
    assert done.exit_code == OPEN
    told = {
        Path(record["source"]).name: (record["outcome"], record["why"]) for record in json.loads(done.stdout)["files"]
    }
    assert told["cut.dcm"][0] == "not readable"
    assert "truncated" in told["cut.dcm"][1]
    assert told["notes.txt"][0] == "skipped"
    assert "cut.dcm" not in (tmp_path / "out.report.html").read_text()


def test_a_second_run_with_the_key_adds_nothing(source: Path, tmp_path: Path) -> None:
    call(source, "-o", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    again = call(source, "-o", tmp_path / "out", "--key", tmp_path / "out.key.json", "--json")
    other = call(source, "-o", tmp_path / "other", "--key", tmp_path / "other.json", "--json")
    assert json.loads(again.stdout)["outcomes"] == {"there already": 1}
    assert json.loads(other.stdout)["outcomes"] == {"written": 1}
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == names
    assert not set(names) & {path.name for path in (tmp_path / "other").rglob("*")}


def test_errors_say_what_and_what_next(source: Path, tmp_path: Path) -> None:
    cases: list[tuple[list[object], type[Exception], str]] = [
        ([source, "-o", source / "out"], ImagingError, "inside each other"),
        ([tmp_path / "gone", "-o", tmp_path / "out"], ImagingError, "no such file or folder"),
        ([source, "-o", tmp_path / "out", "--option", "retain-uid"], ImagingError, "retain-uids"),
        ([source, "-o", tmp_path / "out", "--blank", "1,2,3"], InputError, "LEFT,TOP,WIDTH,HEIGHT"),
        ([source, "-o", tmp_path / "out", "--option", "clean-pixel-data"], ImagingError, "--blank"),
        ([source, "-o", tmp_path / "out", "--key", tmp_path / "out/key.json"], ImagingError, "inside the output"),
        ([source, "-o", tmp_path / "out", "--report", source / "r.html"], ImagingError, "inside the"),
        ([source, "-o", source / "Quarrington/a.dcm/out"], (ImagingError, StorageError), ""),  # type: ignore[list-item]
    ]
    for words, error, text in cases:
        done = call(*words)
        assert isinstance(done.exception, error), (words, done.output, done.exception)
        assert text in str(done.exception)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob("*.key.json"))


def test_an_archive_is_not_taken_for_a_clean_result(source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.write(source / "Quarrington/a.dcm", "a.dcm")
    done = call(tmp_path / "scans.zip", "-o", tmp_path / "out", "--json")
    assert done.exit_code == OPEN
    assert "unpack it first" in done.stdout


@pytest.mark.full
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{in}", "-o", "{out}"], COMPLETE),
        (["{gone}", "-o", "{out}"], USAGE),
        (["{in}", "-o", "{in}/x"], USAGE),
        (["{in}"], USAGE),
    ],
)
def test_the_program_ends_without_a_traceback(source: Path, tmp_path: Path, words: list[str], code: int) -> None:
    places = {"{in}": str(source), "{out}": str(tmp_path / "out"), "{gone}": str(tmp_path / "gone")}
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    command = [sys.executable, "-m", "braggbook", "dicom", "deidentify", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    assert code == COMPLETE or done.stderr.strip()


def test_help_says_what_each_option_does() -> None:
    done = call("--help")
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    for word in (
        "PS3.15",
        "retain-patient-characteristics",
        "--remove-dates",
        "--pixels-reviewed",
        "--faces-removed",
        "Exit code 1",
    ):
        assert word in text
