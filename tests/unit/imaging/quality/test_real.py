"""Real data gives a vector whose every finding is explained in docs/how-to/assess_quality.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.imaging.quality import assess

pytestmark = pytest.mark.full


def test_breast_boost(mirror: Path) -> None:
    found = assess(mirror / "rt_breast_boost")
    assert {check.id for check in found.failed} == {
        "completeness.any.BodyPartExamined", "conformance.type2", "consistency.references", "labels.empty",
        "labels.names",
    }  # fmt: skip
    assert found.scores["identity leakage"] is None
    empty = found.check("labels.empty")
    assert empty is not None
    assert "structure 2 'Areola'" in empty.findings[0].where


def test_sts_002(mirror: Path) -> None:
    found = assess(mirror / "sts002_ct_mr_pet")
    assert {check.id for check in found.failed} == {
        "conformance.type2", "conformance.values", "consistency.dates", "consistency.references", "labels.names",
        "plausibility.air",
    }  # fmt: skip
    assert found.grade == "C"
    assert found.scores["geometry"] == found.scores["image"] == found.scores["identity leakage"] == 1.0
