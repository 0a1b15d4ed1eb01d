"""PET for SUV: what the header says must be there, be plausible, and agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from braggbook.formats.quality import Quality
from braggbook.imaging.geometry import Grid
from braggbook.imaging.quality import assess
from braggbook.testing.dicom import make_series, write_dicom

SHAPE = (6, 40, 40)


def series() -> list[Dataset]:
    """A cylinder of 3 kBq/ml with a hot sphere."""
    rng = np.random.default_rng(3)
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    body = (x - 20) ** 2 + (y - 20) ** 2 < 15**2
    hot = (x - 25) ** 2 + (y - 20) ** 2 + (3 * (z - 3)) ** 2 < 30
    activity = np.where(body, rng.normal(3000, 150, SHAPE), rng.normal(20, 5, SHAPE)) + 20_000 * hot
    grid = Grid.from_axes(SHAPE, spacing_mm=(4.0, 5.0, 5.0))
    stored = np.clip(activity, 0, 32_000).round().astype(np.int16)
    return make_series(stored, grid, modality="PET", PatientWeight="70", BodyPartExamined="CHEST")


def changed(folder: Path, change: Callable[[Dataset, Any], object]) -> Quality:
    images = series()
    for each in images:
        change(each, each.RadiopharmaceuticalInformationSequence[0])
    for number, each in enumerate(images):
        write_dicom(each, folder / f"{number}.dcm")
    return assess(folder)


def test_a_series_without_damage(tmp_path: Path) -> None:
    found = changed(tmp_path, lambda image, drug: None)
    assert not found.failed
    assert found.uses == ["suv", "volume"]
    assert {each.unit for each in found.measurements if each.name in ("noise", "low", "high")} == {"Bq/ml"}
    assert {check.id for check in found.checks if check.status == "passed"} >= {
        "plausibility.suv", "plausibility.suv_header", "completeness.suv.PatientWeight",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "tag", "says"),
    [
        (lambda image, drug: setattr(drug, "RadionuclideTotalDose", "370"), "RadionuclideTotalDose", "in MBq"),
        (lambda image, drug: setattr(drug, "RadionuclideHalfLife", "110"), "RadionuclideHalfLife", "in min"),
        (lambda image, drug: setattr(image, "PatientWeight", "70000"), "PatientWeight", "in g"),
        (lambda image, drug: setattr(image, "CorrectedImage", ["DECY"]), "CorrectedImage", "DECY"),
        (
            lambda image, drug: setattr(drug, "RadiopharmaceuticalStartDateTime", "20260102235900"),
            "RadiopharmaceuticalStartDateTime",
            "23:59",
        ),
    ],
)
def test_what_makes_suv_wrong_is_named(tmp_path: Path, change: Any, tag: str, says: str) -> None:
    found = changed(tmp_path, change)
    assert {name for name, score in found.scores.items() if score not in (None, 1.0)} == {"plausibility"}
    check = found.check("plausibility.suv_header")
    assert check is not None
    assert any(tag in finding.tag and says in finding.found for finding in check.findings), check.findings


def test_what_is_missing_is_the_business_of_completeness(tmp_path: Path) -> None:
    found = changed(tmp_path, lambda image, drug: setattr(image, "PatientWeight", None))
    assert [check.id for check in found.failed] == ["completeness.suv.PatientWeight"]
    assert found.grade == "E"
    skipped = {check.id: check.reason for check in found.checks if check.status == "not assessed"}
    assert skipped["plausibility.suv_header"] == "tags that it needs are missing, or differ between slices"


def test_mixed_units_are_the_business_of_consistency(tmp_path: Path) -> None:
    found = changed(tmp_path, lambda image, drug: setattr(image, "Units", "GML") if image.InstanceNumber == 2 else None)
    assert [check.id for check in found.failed] == ["consistency.settings"]
