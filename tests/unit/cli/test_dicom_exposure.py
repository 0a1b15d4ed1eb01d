"""``braggbook dicom exposure``, called in this process."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from braggbook.cli.main import main
from braggbook.errors import DicomError, InputError
from braggbook.imaging.dicom.exposure import COLUMNS
from braggbook.testing.dicom import make_rdsr, write_dicom


def call(*words: object, fails: type[Exception] | None = None) -> Result:
    answer = CliRunner().invoke(main, ["dicom", "exposure", *map(str, words)])
    if fails:
        assert isinstance(answer.exception, fails), answer.output
    else:
        assert answer.exit_code == 0, (answer.output, answer.exception)
    return answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("ct", "projection", "radiopharmaceutical"):
        write_dicom(make_rdsr(kind), tmp_path / f"in/{kind}.dcm")
    return tmp_path / "in"


def test_events_of_each_kind_stand_with_their_units_and_sums(folder: Path) -> None:
    lines = call(folder).stdout.splitlines()
    assert "patient GEN1, CT" in lines
    assert any(line.split() == ["Chest", "Spiral", "Acquisition", "120", "8", "240"] for line in lines)
    assert any(line.split()[-5:] == ["CTDIvol", "mGy", "DLP", "mGy", "cm"] for line in lines)
    assert "2 events; DLP 245 mGy cm" in lines
    assert "2 events; DAP 0.7 Gy cm2; dose at RP 7 mGy" in lines
    assert "1 event; activity 370 MBq" in lines


def test_json_has_every_column_and_null_for_what_is_not_said(folder: Path) -> None:
    found = json.loads(call(folder, "--json").stdout)
    assert {frozenset(event) for event in found["events"]} == {frozenset(COLUMNS)}
    spiral = found["events"][1]
    assert (spiral["ctdi_vol_mgy"], spiral["dlp_mgy_cm"], spiral["dap_gy_cm2"]) == (8.0, 240.0, None)
    assert found["events"][2]["started"] == "2026-01-02T10:11:12"
    assert spiral["started"] is None
    assert [total["reported"] for total in found["totals"]][:2] == [245.0, 2.0]
    assert found["issues"] == []


def test_csv_is_the_whole_table(folder: Path, tmp_path: Path) -> None:
    answer = call(folder, "--csv", tmp_path / "t.csv")
    assert "5 events written to" in answer.stderr
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(COLUMNS)
    assert [float(row["dlp_mgy_cm"]) for row in rows if row["kind"] == "CT"] == [5.0, 240.0]
    assert rows[0]["dap_gy_cm2"] == ""


def test_what_does_not_add_up_is_said(tmp_path: Path) -> None:
    write_dicom(make_rdsr("ct", totals={"dlp_mgy_cm": 300.0, "events": 2}), tmp_path / "in/ct.dcm")
    assert "wanted the sum of 2 events, 245, got 300" in call(tmp_path / "in").stdout


def test_a_sum_of_some_events_says_so(tmp_path: Path) -> None:
    report = make_rdsr("ct")
    remove(report, "113838")  # DLP, of the first event
    write_dicom(report, tmp_path / "in/ct.dcm")
    assert "2 events; DLP 240 mGy cm of 1 that say it" in call(tmp_path / "in").stdout


def remove(item: Any, code: str) -> bool:
    """Takes the first content item with a code out of a tree."""
    for child in item.get("ContentSequence", ()):
        if child.ConceptNameCodeSequence[0].CodeValue == code:
            item.ContentSequence.remove(child)
            return True
        if remove(child, code):
            return True
    return False


def test_what_a_report_says_is_text_and_nothing_else(tmp_path: Path) -> None:
    write_dicom(make_rdsr("ct", PatientID="[bold]\x1b[2J"), tmp_path / "in/ct.dcm")
    out = call(tmp_path / "in").stdout
    assert "[bold]" in out
    assert "\x1b[2J" not in out


def test_what_cannot_be_done_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    call(folder, "--csv", tmp_path / "t.xlsx", fails=InputError)
    (tmp_path / "empty").mkdir()
    call(tmp_path / "empty", "--csv", tmp_path / "t.csv", fails=DicomError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "in"]
