"""Grades, what is not assessed, what a finding shows, bad input, and the two reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from braggbook.errors import BraggbookError, DicomError, DuplicateName
from braggbook.formats.quality import Quality
from braggbook.imaging.quality import assess, registry, statistics
from braggbook.imaging.quality.report import as_html, write_report
from braggbook.testing.image_damage import DAMAGES, make_study, write_study


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(DAMAGES["lost_positions"].inject(make_study(), 0.2), tmp_path_factory.mktemp("damaged"))


@pytest.fixture(scope="module")
def found(damaged: Path) -> Quality:
    return assess(damaged)


def test_blocking_finding_sets_the_grade(found: Quality) -> None:
    assert found.grade == "E"
    assert "geometry.placed" in found.grade_reason


def test_finding_names_file_tag_wanted_and_found(found: Quality) -> None:
    check = found.check("geometry.placed")
    assert check is not None
    assert [(f.where, f.tag, f.wanted, f.found) for f in check.findings] == [
        ("CT002.dcm", "(0020,0032) ImagePositionPatient", "three numbers", "none")
    ]


def test_score_is_checks_passed_of_checks_assessed(found: Quality) -> None:
    for dimension in found.dimensions:
        own = [check for check in found.checks if check.dimension == dimension.name]
        assert dimension.passed == sum(check.status == "passed" for check in own)
        assert dimension.applicable == dimension.passed + sum(check.status == "failed" for check in own)
        assert dimension.score == dimension.passed / dimension.applicable


def test_what_was_not_assessed_is_said_and_not_passed(tmp_path: Path) -> None:
    images = [each for each in make_study() if each.Modality == "CT"]
    for each in images:
        del each.PatientIdentityRemoved
    found = assess(write_study(images, tmp_path), pixels=False)
    by_name = {each.name: each for each in found.dimensions}
    for name, reason in (
        ("labels", "no structure set"), ("identity leakage", "do not claim"), ("image", "pixels were not read"),
    ):  # fmt: skip
        assert by_name[name].score is None
        assert by_name[name].applicable == 0
        assert reason in by_name[name].reason
    assert "not assessed: identity leakage, image, labels" in found.grade_reason


def test_sharing_asks_for_a_claim(tmp_path: Path) -> None:
    images = [each for each in make_study() if each.Modality == "CT"][:3]
    for each in images:
        del each.PatientIdentityRemoved
    found = assess(write_study(images, tmp_path), use="sharing", pixels=False)
    check = found.check("identity.claim")
    assert check is not None
    assert (check.status, check.count) == ("failed", 3)


def test_report_repeats_no_identifying_value(tmp_path: Path) -> None:
    objects = make_study()
    for name in ("leaked_names", "mixed_patients", "full_birth_date"):
        objects = DAMAGES[name].inject(objects, 1.0)
    objects[3].PatientName = "Secretperson^Sam"
    found = assess(write_study(objects, tmp_path))
    text = found.model_dump_json() + as_html(found)
    for secret in ("Mustermann", "Erika", "Secretperson", "P002", "P001", "19760304"):
        assert secret not in text, text[max(0, text.find(secret) - 300) : text.find(secret) + 60]


def test_json_round_trip(found: Quality, tmp_path: Path) -> None:
    write_report(found, tmp_path / "quality.json")
    assert Quality.model_validate_json((tmp_path / "quality.json").read_text()) == found


def test_html_shows_every_finding_and_loads_nothing(found: Quality) -> None:
    page = as_html(found)
    assert "CT002.dcm" in page
    assert "(0020,0032) ImagePositionPatient" in page
    assert "src=" not in page
    assert "//" not in page.replace("default-src", "")
    assert "<script" not in page


def test_hostile_names_are_shown_not_obeyed(tmp_path: Path) -> None:
    objects = make_study()
    structures = next(each for each in objects if each.Modality == "RTSTRUCT")
    structures.StructureSetROISequence[2].ROIName = "<script>alert(1)</script>"
    page = as_html(assess(write_study(objects, tmp_path)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_one_series_only(damaged: Path) -> None:
    uid = next(each for each in make_study() if each.Modality == "RTDOSE").SeriesInstanceUID
    assert [each.modality for each in assess(damaged, series=str(uid)).series] == ["RTDOSE"]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no image")
    with pytest.raises(DicomError, match="no DICOM object"):
        assess(tmp_path)
    write_study(make_study()[:2], tmp_path)
    with pytest.raises(BraggbookError, match="no such use"):
        assess(tmp_path, use="art")
    with pytest.raises(DicomError, match="no series"):
        assess(tmp_path, series="9.9.9")


def test_files_that_are_named_dicom_and_are_none(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path)
    (tmp_path / "README.txt").write_text("x")
    assert assess(tmp_path).scores["conformance"] == 1.0
    (tmp_path / "CT900.dcm").write_bytes(b"")
    (tmp_path / "CT901.DCM").write_text("<html>")
    check = assess(tmp_path).check("conformance.files")
    assert check is not None
    assert sorted(finding.where for finding in check.findings) == ["CT900.dcm", "CT901.DCM"]


def test_every_check_has_a_source_and_an_id_of_its_dimension() -> None:
    for check in registry.checks():
        assert check.source
        assert check.id.split(".", maxsplit=1)[0] in check.dimension
    with pytest.raises(DuplicateName):
        registry.add(registry.checks()[0])


@pytest.mark.parametrize("sigma", [5.0, 20.0, 80.0])
def test_noise_is_found_as_made(sigma: float) -> None:
    values = np.random.default_rng(1).normal(1000.0, sigma, (128, 128)).astype(np.float32)
    values[:20] = -1000.0  # an edge and a background without noise
    made = statistics.measure(values, stored=values, limit=1e9, key="", quota=1000, is_ct=True)
    assert made.noise == pytest.approx(sigma, rel=0.03)


def test_entropy_focus_has_its_closed_forms() -> None:
    even = np.ones((8, 8), np.float32)
    one = np.zeros((8, 8), np.float32)
    one[3, 3] = 7.0
    for values, wanted in ((even, 1.0), (one, 0.0)):
        made = statistics.measure(values, stored=values, limit=1e9, key="", quota=99, is_ct=False)
        assert statistics.entropy_focus([made]) == pytest.approx(wanted, abs=1e-9)


def test_energy_ratio_is_that_of_medians() -> None:
    sample = np.array([1, 1, 1, 10, 10, 10], np.float32)
    assert statistics.energy_ratio(sample, 5.0) == pytest.approx(100.0)


def test_samples_are_bounded() -> None:
    values = np.random.default_rng(1).normal(0, 1, (300, 300)).astype(np.float32)
    made = statistics.measure(values, stored=values, limit=1e9, key="", quota=500, is_ct=False)
    assert made.sample.size <= 500
