"""The main property: a score falls with the strength of a damage, and only in the dimensions declared for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.formats.quality import DIMENSIONS, Quality
from braggbook.imaging.quality import assess
from braggbook.testing.image_damage import DAMAGES, make_study, write_study

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def _hurt(name: str, strength: float, folder: Path) -> Quality:
    return assess(write_study(DAMAGES[name].inject(make_study(), strength), folder))


def test_study_without_damage_has_no_finding(tmp_path: Path) -> None:
    found = assess(write_study(make_study(), tmp_path))
    assert found.scores == dict.fromkeys(DIMENSIONS, 1.0)
    assert (found.grade, found.grade_name) == ("A", "clean")
    assert [check.id for check in found.checks if check.status == "not assessed"] == ["conformance.validator"]


def test_every_dimension_has_a_damage() -> None:
    assert set().union(*(each.dimensions for each in DAMAGES.values())) == set(DIMENSIONS)


@pytest.mark.parametrize(
    "name",
    ["missing_slices", "duplicated_series", "swapped_labels", "wrong_spacing", "clipped_hu", "mixed_manufacturers",
     "leaked_names", "truncated_pixels", "noise", "empty_masks"],
)  # fmt: skip
def test_damage_shows_in_its_dimensions_only(name: str, tmp_path: Path) -> None:
    found = _hurt(name, 1.0, tmp_path)
    fallen = {dimension for dimension, score in found.scores.items() if score != 1.0}
    assert fallen == DAMAGES[name].dimensions
    for check in found.failed:
        assert check.findings, check.id
        assert all(finding.where and finding.wanted and finding.found for finding in check.findings)


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_scores_fall_monotonically_with_damage(name: str, tmp_path: Path) -> None:
    before: dict[str, float | None] = dict.fromkeys(DIMENSIONS, 1.0)
    for strength in STRENGTHS:
        found = _hurt(name, strength, tmp_path / str(strength)).scores
        for dimension in DIMENSIONS:
            score, earlier = found[dimension], before[dimension]
            assert score is not None, dimension
            assert earlier is not None
            if dimension in DAMAGES[name].dimensions:
                assert score < 1.0, (dimension, strength)
                assert score <= earlier, (dimension, strength)
            else:
                assert score == 1.0, (dimension, strength)
        before = found
