"""The u test: published values, its distribution, and samples that it cannot judge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.biodosimetry import (
    CaseCounts,
    case_counts,
    dispersion,
    dispersion_table,
    read_calibration_counts,
    read_cases,
)


def test_published_case(case_1: CaseCounts) -> None:
    found = dispersion(case_1)
    assert found.mean == pytest.approx(0.277008, abs=5e-7)
    assert found.index == pytest.approx(1.767889, abs=5e-7)
    assert found.u == pytest.approx(10.354212, abs=5e-7)
    assert found.verdict == "overdispersed"


def test_published_indices(co60: pd.DataFrame) -> None:
    table = dispersion_table(read_calibration_counts(co60))
    printed = [0.999, 0.997, 1.08, 0.973, 1.03, 0.999, 1.06, 1.14, 0.834, 0.882, 1.15]  # biodosetools, three digits
    np.testing.assert_allclose(table["dispersion_index"], printed, atol=5e-3)
    assert list(np.flatnonzero(table["verdict"] == "overdispersed")) == [2]


def test_a_plain_table_will_do(co60: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(dispersion_table(co60), dispersion_table(read_calibration_counts(co60)))
    with pytest.raises(ScienceError, match="not a table of counts"):
        dispersion_table([1, 2])  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="not the counts of a case"):
        dispersion([302, 28])  # type: ignore[arg-type]


def test_moments_are_those_of_the_cells() -> None:
    counts = np.repeat([0, 1, 2, 3], [20, 9, 4, 1])
    found = dispersion(case_counts([20, 9, 4, 1]))
    assert found.mean == pytest.approx(counts.mean())
    assert found.variance == pytest.approx(counts.var(ddof=1))


def test_underdispersed() -> None:
    found = dispersion(case_counts([5, 90, 5]))
    assert found.u < -1.96
    assert found.verdict == "underdispersed"


def test_what_cannot_be_tested() -> None:
    cases = pd.DataFrame({"c0": [50, 49, 0], "c1": [0, 1, 0], "c2": [0, 0, 1]})
    table = dispersion_table(read_cases(cases))
    assert list(table["verdict"]) == ["not testable: fewer than two aberrations"] * 3
    assert table["u"].isna().all()
    totals = dispersion_table(read_cases(pd.DataFrame({"cells": [50], "aberrations": [9]})))
    assert list(totals["verdict"]) == ["not testable: totals only"]
    with pytest.raises(ScienceError, match="no dispersion without a distribution"):
        dispersion(case_counts(cells=50, aberrations=9))
    with pytest.raises(ScienceError, match="the dispersion cannot be tested"):
        dispersion(case_counts([49, 1]))


@pytest.mark.full
@pytest.mark.parametrize("mean", [0.1, 0.5, 2.0])
def test_u_is_about_normal_for_poisson_cells(mean: float) -> None:
    rng = np.random.default_rng(20260301)
    cells = rng.poisson(mean, size=(4000, 300))
    u = np.array([dispersion(case_counts(np.bincount(row))).u for row in cells])
    assert np.mean(np.abs(u) > 1.96) == pytest.approx(0.05, abs=0.012)
    assert u.std() == pytest.approx(1.0, abs=0.03)
