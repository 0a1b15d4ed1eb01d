"""``braggbook dicom quality``, called in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from braggbook.cli.main import main
from braggbook.errors import DicomError, InputError
from braggbook.formats.quality import DIMENSIONS, Quality
from braggbook.testing.image_damage import DAMAGES, make_study, write_study


def call(*words: object, code: int = 0, fails: type[Exception] | None = None) -> Result:
    answer = CliRunner().invoke(main, ["dicom", "quality", *map(str, words)])
    if fails:
        assert isinstance(answer.exception, fails), answer.output
    else:
        assert answer.exit_code == code, (answer.output, answer.exception)
    return answer


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_study(make_study(), tmp_path / "in")


@pytest.fixture
def gap(tmp_path: Path) -> Path:
    return write_study(DAMAGES["missing_slices"].inject(make_study(), 0.5), tmp_path / "in")


def test_a_clean_study(clean: Path) -> None:
    lines = call(clean).stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:9]] == list(DIMENSIONS)
    assert not any(line.startswith(("failed", "BLOCKING")) for line in lines)
    assert lines[-1].startswith("A (clean): no blocking finding")


def test_a_blocking_finding_ends_with_1_and_names_the_slice_and_the_tag(gap: Path) -> None:
    out = call(gap, code=1).stdout
    assert "BLOCKING  geometry.gap (2): No slice is missing" in out
    assert (
        "  after CT001.dcm, at 10.00 mm (0020,0032) ImagePositionPatient: wanted a step of 10.000 mm, found 20.000 mm"
        in out
    )
    assert out.index("BLOCKING") < out.index("failed  ")
    assert out.splitlines()[-1].startswith("E (blocked): blocking: geometry.gap")


def test_json_and_reports_are_the_same(gap: Path, tmp_path: Path) -> None:
    found = Quality.model_validate_json(call(gap, "--json", "--report", tmp_path / "q.json", code=1).stdout)
    assert found.grade == "E"
    assert Quality.model_validate_json((tmp_path / "q.json").read_text()) == found
    assert "wrote" in call(gap, "--report", tmp_path / "q.html", code=1).stderr
    assert "geometry.gap" in (tmp_path / "q.html").read_text()


def test_one_series_and_one_use(clean: Path) -> None:
    found = json.loads(call(clean, "--series", "RTDOSE", "--use", "dvh", "--json").stdout)
    assert [series["modality"] for series in found["series"]] == ["RTDOSE"]
    assert found["uses"] == ["dvh"]


def test_not_assessed_is_said(clean: Path) -> None:
    rows = call(clean, "--series", "RTDOSE").stdout.splitlines()
    assert next(row for row in rows if row.startswith("labels")).split(maxsplit=3)[1:] == [
        "not", "assessed", "no structure set is here",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--use", "astrology"], InputError),
        (["--report", "q.pdf"], InputError),
        (["--series", "none"], DicomError),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    clean: Path, tmp_path: Path, words: list[str], error: type[Exception]
) -> None:
    call(clean, "--report", tmp_path / "q.html", *words, fails=error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
