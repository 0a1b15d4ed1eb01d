"""Characteristic limits: published tables, their definition by simulation of both errors, bad arguments."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from braggbook.errors import BraggbookError, FitError, ScienceError, UnknownName
from braggbook.radiobiology.biodosimetry import (
    CalibrationCurve,
    calibration_curve,
    cells_needed,
    characteristic_limits,
    compare_with_control,
)


@pytest.mark.parametrize(
    ("cells", "threshold", "limit", "decision", "detection"),
    [
        (20, 1, 3.88972, 1.0956559, 1.5918121),
        (50, 1, 3.88972, 0.6344613, 0.9474389),
        (100, 2, 5.32232, 0.5284423, 0.7560874),
        (200, 3, 6.680783, 0.4030546, 0.5662469),
        (500, 7, 11.77091, 0.3443595, 0.4503848),
        (1000, 12, 17.78159, 0.2954731, 0.3712934),
    ],
)
def test_published_table(
    curve: CalibrationCurve, cells: int, threshold: int, limit: float, decision: float, detection: float
) -> None:
    # biodosetools, control of 4 in 1000 cells, two-sided; its threshold is the largest count that is not significant,
    # and its doses come from a root finder that stops within 1.2e-4 Gy
    found = characteristic_limits(
        cells, background=4, control_cells=1000, curve=curve, alpha=0.05, beta=0.1, test="two-sided"
    )
    assert found.decision_threshold == threshold + 1
    assert found.detection_limit == pytest.approx(limit, rel=1e-6)
    assert found.decision_dose_gy == pytest.approx(decision, abs=1.2e-4)
    assert found.detection_dose_gy == pytest.approx(detection, abs=1.2e-4)


def test_published_comparison() -> None:
    # what R prints for 13 and 1 in 1000 cells each
    p = compare_with_control(aberrations=13, cells=1000, control_aberrations=1, control_cells=1000)
    assert p == pytest.approx(0.001831055, abs=5e-10)


@settings(max_examples=50)
@given(
    cells=st.integers(10, 5000), background=st.floats(0, 0.05), alpha=st.floats(0.001, 0.2), beta=st.floats(0.001, 0.2)
)
def test_both_errors_are_what_they_say(cells: int, background: float, alpha: float, beta: float) -> None:
    found = characteristic_limits(cells, background=background, alpha=alpha, beta=beta)
    y = found.decision_threshold
    assert stats.poisson.sf(y - 1, background * cells) < alpha
    assert y == 1 or stats.poisson.sf(y - 2, background * cells) >= alpha or y - 1 <= background * cells
    assert stats.poisson.cdf(y - 1, found.detection_limit) == pytest.approx(beta, rel=1e-9)


def test_a_counted_background_costs_sensitivity() -> None:
    known = characteristic_limits(500, background=0.004)
    counted = characteristic_limits(500, background=4, control_cells=1000)
    assert known.decision_threshold < counted.decision_threshold
    assert characteristic_limits(500, background=0.0).decision_threshold == 1


def test_no_curve_no_dose() -> None:
    found = characteristic_limits(500, background=0.001)
    assert (found.decision_dose_gy, found.detection_dose_gy) == (None, None)


@pytest.mark.parametrize("dose", [0.1, 0.3, 1.0, 3.0])
def test_cells_needed_is_the_first_that_is_enough(curve: CalibrationCurve, dose: float) -> None:
    cells = cells_needed(dose, curve=curve)
    enough = characteristic_limits(cells, background=curve.background_per_cell, curve=curve)
    assert enough.detection_dose_gy is not None
    assert enough.detection_dose_gy <= dose
    for fewer in {cells - 1, cells // 2, max(cells // 5, 1)} - {0}:
        missed = characteristic_limits(fewer, background=curve.background_per_cell, curve=curve)
        assert missed.detection_dose_gy is not None
        assert missed.detection_dose_gy > dose


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cells": 0}, ScienceError, "cells: not a number of cells"),
        ({"cells": "many"}, ScienceError, "cells: not a number of cells"),
        ({"background": -0.1}, ScienceError, "background: not a yield"),
        ({"background": 4}, ScienceError, "a yield per cell; give control_cells with a count"),
        ({"background": math.nan}, ScienceError, "background: not a yield"),
        ({"background": 1.5, "control_cells": 1000}, ScienceError, "background: not a count"),
        ({"control_cells": 0, "background": 4}, ScienceError, "control_cells: not a number of cells"),
        ({"alpha": 5}, ScienceError, "alpha: not a probability of error"),
        ({"beta": 0.0}, ScienceError, "beta: not a probability of error"),
        ({"test": "both"}, UnknownName, "no test named 'both'"),
        ({"protraction": 3.0}, ScienceError, "protraction: not usable; wanted a number from 0 to 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], error: type[BraggbookError], message: str) -> None:
    good = {"cells": 500, "background": 0.001}
    with pytest.raises(error) as caught:
        characteristic_limits(**good | arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_bad_counts_and_doses(curve: CalibrationCurve) -> None:
    with pytest.raises(ScienceError) as caught:
        compare_with_control(aberrations=-1, cells=10, control_aberrations=0.5, control_cells=0)
    assert len(caught.value.issues) == 3
    assert compare_with_control(aberrations=0, cells=10, control_aberrations=0, control_cells=10) == 1.0
    with pytest.raises(ScienceError, match="not a dose to be found"):
        cells_needed(0.0, curve=curve)
    flat = calibration_curve(background_per_cell=0.01, alpha_per_gy=1e-9)
    with pytest.raises(FitError, match="no number of cells is enough"):
        cells_needed(0.001, curve=flat)


@pytest.mark.parametrize("test", ["one-sided", "two-sided"])
def test_a_threshold_far_above_what_is_expected_is_found_at_once(test: str) -> None:
    found = characteristic_limits(1e7, background=0.9, test=test).decision_threshold  # type: ignore[arg-type]
    tail = 0.05 if test == "one-sided" else 0.025
    assert found == pytest.approx(9e6 + stats.norm.isf(tail) * 3000.0, abs=3)


def test_more_cells_than_anybody_scores_are_not_enough() -> None:
    with pytest.raises(FitError, match="no number of cells is enough"):
        cells_needed(1e-9, curve=calibration_curve(background_per_cell=0.0, alpha_per_gy=0.3))
