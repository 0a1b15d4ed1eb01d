"""Whole-body doses: published intervals, coverage, yields at and below the background, bad arguments."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from braggbook.errors import BraggbookError, ScienceError, UnknownName
from braggbook.radiobiology.biodosimetry import (
    CalibrationCurve,
    CaseCounts,
    calibration_curve,
    case_counts,
    estimate_heterogeneous,
    estimate_partial_body,
    estimate_whole_body,
    estimate_whole_body_many,
    fit_calibration,
    protraction_factor,
)


class TestPublished:
    """Numbers that biodosetools prints for its example cases, with the 60Co curve of the manual."""

    def test_estimate(self, curve: CalibrationCurve, case_1: CaseCounts, case_2: CaseCounts) -> None:
        assert estimate_whole_body(case_1, curve).dose_gy == pytest.approx(1.931261, abs=5e-6)
        assert estimate_whole_body(case_2, curve).dose_gy == pytest.approx(3.301, abs=5e-4)

    def test_delta(self, curve: CalibrationCurve, case_1: CaseCounts, case_2: CaseCounts) -> None:
        found = estimate_whole_body(case_1, curve, method="delta")
        # biodosetools prints 2.214 for what is 2.21451: its root finder stops within 1.2e-4 Gy
        assert tuple(found.interval) == pytest.approx((1.648, 2.2145), abs=1e-4)
        assert tuple(found.yield_interval) == pytest.approx((0.205, 0.349), abs=5e-4)
        found = estimate_whole_body(case_2, curve, method="delta")
        assert tuple(found.interval) == pytest.approx((2.939, 3.663), abs=5e-4)
        assert tuple(found.yield_interval) == pytest.approx((0.613, 0.902), abs=5e-4)

    def test_merkle(self, curve: CalibrationCurve, case_1: CaseCounts) -> None:
        found = estimate_whole_body(case_1, curve, merkle_levels=(0.83, 0.83))
        assert tuple(found.yield_interval) == pytest.approx((0.239866, 0.318740), abs=5e-7)
        assert tuple(found.interval) == pytest.approx((1.711727, 2.186731), abs=2e-6)
        assert found.interval.level == 0.95
        assert found.yield_interval.level == 0.83

    def test_merkle_overdispersed(self, curve: CalibrationCurve, case_1: CaseCounts, case_2: CaseCounts) -> None:
        found = estimate_whole_body(case_1, curve, yield_limits="overdispersed")
        assert tuple(found.yield_interval) == pytest.approx((0.198, 0.384), abs=5e-4)
        assert tuple(found.interval) == pytest.approx((1.541, 2.421), abs=5e-4)
        found = estimate_whole_body(case_2, curve, yield_limits="overdispersed")
        assert tuple(found.yield_interval) == pytest.approx((0.597, 0.958), abs=5e-4)
        assert tuple(found.interval) == pytest.approx((2.778, 3.952), abs=5e-4)

    def test_the_case_is_flagged(self, curve: CalibrationCurve, case_1: CaseCounts) -> None:
        (warning,) = estimate_whole_body(case_1, curve).warnings
        assert warning.startswith("u 10.35 is above 1.96: the cells are overdispersed, for which Poisson limits")
        assert "Poisson limits" not in estimate_whole_body(case_1, curve, method="delta").warnings[0]


def test_delta_is_the_numerical_first_order(curve: CalibrationCurve) -> None:
    case = case_counts(cells=500, aberrations=90)
    found = estimate_whole_body(case, curve, method="delta", protraction=0.6)
    theta = np.array([*curve.coefficients, 0.18])

    def dose(values: np.ndarray) -> float:
        c, a, b, y = values
        return float((-a + math.sqrt(a * a + 4 * 0.6 * b * (y - c))) / (2 * 0.6 * b))

    gradient = optimize.approx_fprime(theta, dose, 1e-8)
    covariance = np.zeros((4, 4))
    covariance[:3, :3], covariance[3, 3] = curve.covariance, 90 / 500**2
    half = 1.959963985 * math.sqrt(gradient @ covariance @ gradient)
    assert found.dose_gy == pytest.approx(dose(theta), rel=1e-12)
    assert found.interval.upper - found.dose_gy == pytest.approx(half, rel=1e-5)


def test_merkle_limits_lie_on_the_bands(curve: CalibrationCurve) -> None:
    found = estimate_whole_body(case_counts(cells=300, aberrations=40), curve, merkle_levels=(0.9, 0.8))
    low, high = stats.chi2.ppf(0.05, 80) / 2, stats.chi2.ppf(0.95, 82) / 2
    assert tuple(found.yield_interval) == pytest.approx((low / 300, high / 300))
    assert curve.band(found.interval.lower, level=0.8)[1] == pytest.approx(low / 300, rel=1e-10)
    assert curve.band(found.interval.upper, level=0.8)[0] == pytest.approx(high / 300, rel=1e-10)
    wide = estimate_whole_body(case_counts(cells=300, aberrations=40), curve, merkle_levels=(0.95, 0.95))
    assert wide.interval.level == 0.99
    assert wide.interval.lower < found.interval.lower < found.dose_gy < found.interval.upper < wide.interval.upper


def test_protracted_exposures_need_more_dose(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    factors = [float(protraction_factor(hours)) for hours in (0.0, 2.0, 24.0, math.inf)]
    doses = [estimate_whole_body(case_1, curve, protraction=g).dose_gy for g in factors]
    assert doses == sorted(doses)
    assert doses[-1] == pytest.approx((case_1.yield_per_cell - curve.background_per_cell) / curve.alpha_per_gy)


class TestLowYields:
    @pytest.mark.parametrize("method", ["merkle", "delta"])
    def test_nothing_found(self, curve: CalibrationCurve, method: str) -> None:
        found = estimate_whole_body(case_counts(cells=500, aberrations=0), curve, method=method)  # type: ignore[arg-type]
        assert (found.dose_gy, found.interval.lower, found.status) == (0.0, 0.0, "not above background")
        assert 0 < found.interval.upper < 0.5
        assert math.isfinite(found.interval.upper)

    def test_delta_upper_limit_at_dose_0_is_the_exact_one(self, curve: CalibrationCurve) -> None:
        found = estimate_whole_body(case_counts(cells=500, aberrations=0), curve, method="delta")
        assert curve.yield_at(found.interval.upper) == pytest.approx(stats.chi2.ppf(0.975, 2) / 2 / 500)
        assert found.interval.method == "exact Poisson upper limit of the yield, on the curve"

    @pytest.mark.parametrize("method", ["merkle", "delta"])
    def test_one_found(self, curve: CalibrationCurve, method: str) -> None:
        found = estimate_whole_body(case_counts(cells=500, aberrations=1), curve, method=method)  # type: ignore[arg-type]
        assert found.status == "not told from zero"
        assert found.dose_gy > 0
        assert found.interval.lower == 0.0

    def test_exactly_the_background(self) -> None:
        curve = calibration_curve(background_per_cell=0.002, alpha_per_gy=0.03, beta_per_gy2=0.06)
        found = estimate_whole_body(case_counts(cells=500, aberrations=1), curve)
        assert (found.dose_gy, found.status) == (0.0, "not above background")

    def test_a_personal_background(self, curve: CalibrationCurve) -> None:
        case = case_counts(cells=1000, aberrations=8)
        assert estimate_whole_body(case, curve).status == "estimated"
        assert estimate_whole_body(case, curve.with_background(0.008)).status == "not above background"


def test_no_upper_limit_is_named(curve: CalibrationCurve) -> None:
    vague = calibration_curve(background_per_cell=0.001, alpha_per_gy=0.03, standard_errors=[0.0005, 0.02])
    found = estimate_whole_body(case_counts(cells=100, aberrations=10), vague)
    assert not found.interval.bounded
    assert math.isinf(found.interval.upper)
    assert found.interval.note == "the lower band of the curve never comes up to the upper limit of the yield"
    assert any("covariances of the curve are not known" in warning for warning in found.warnings)


def test_warnings_about_the_curve(curve: CalibrationCurve) -> None:
    high = estimate_whole_body(case_counts(cells=50, aberrations=140), curve)
    assert "a dose lies above the calibrated range of 0 to 5 Gy" in high.warnings
    bare = calibration_curve(background_per_cell=0.001, alpha_per_gy=0.03, beta_per_gy2=0.06)
    found = estimate_whole_body(case_counts(cells=500, aberrations=100), bare)
    assert found.warnings == ("the uncertainty of the curve is not known: dose intervals hold that of the case alone",)


def test_genome_factor_is_that_many_cells(curve: CalibrationCurve) -> None:
    painted = case_counts(cells=1000, aberrations=60, genome_factor=0.5)
    whole = case_counts(cells=500, aberrations=60)
    for method in ("merkle", "delta"):
        a, b = (estimate_whole_body(case, curve, method=method) for case in (painted, whole))  # type: ignore[arg-type]
        assert (a.dose_gy, *a.interval) == pytest.approx((b.dose_gy, *b.interval), rel=1e-12)


class TestMany:
    def test_rows_equal_single_estimates(self, curve: CalibrationCurve) -> None:
        table = pd.DataFrame(
            {"case": ["a", "b", "c"], "c0": [302, 160, 50], "c1": [28, 55, 0], "c2": [22, 19, 0], "c3": [8, 17, 0]}
        )
        for method in ("merkle", "delta"):
            many = estimate_whole_body_many(table, curve, method=method)  # type: ignore[arg-type]
            for place in range(3):
                one = estimate_whole_body(
                    case_counts(table.iloc[place, 1:].tolist()),
                    curve,
                    method=method,  # type: ignore[arg-type]
                )
                row = many.iloc[place]
                assert (row["dose_gy"], row["dose_lower_gy"], row["dose_upper_gy"]) == (one.dose_gy, *one.interval)
                assert (row["status"], row["warnings"]) == (one.status, one.warnings)

    def test_bad_rows_are_named(self, curve: CalibrationCurve) -> None:
        table = pd.DataFrame({"cells": [50, 0, 50], "aberrations": [3, 1, -2]})
        with pytest.raises(ScienceError) as caught:
            estimate_whole_body_many(table, curve)
        assert [issue.where for issue in caught.value.issues] == ["row 2", "row 3"]

    def test_genome_factor(self, curve: CalibrationCurve) -> None:
        table = pd.DataFrame({"cells": [50], "aberrations": [3]})
        with pytest.raises(ScienceError, match="not a genome factor"):
            estimate_whole_body_many(table, curve, genome_factor=2.0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "bayes"}, UnknownName, "no method named 'bayes'"),
        ({"yield_limits": "exact"}, UnknownName, "no kind of yield limits named 'exact'"),
        ({"level": 95, "method": "delta"}, ScienceError, "not a confidence level"),
        ({"merkle_levels": (0.83, 83)}, ScienceError, "not a confidence level"),
        ({"merkle_levels": 0.83}, ScienceError, "not Merkle's two levels"),
        ({"protraction": -0.1}, ScienceError, "protraction: not usable; wanted a number from 0 to 1"),
        ({"protraction": math.nan}, ScienceError, "protraction: not usable; wanted a number from 0 to 1"),
    ],
)
def test_bad_arguments(
    curve: CalibrationCurve,
    case_1: CaseCounts,
    arguments: dict[str, object],
    error: type[BraggbookError],
    message: str,
) -> None:
    with pytest.raises(error) as caught:
        estimate_whole_body(case_1, curve, **arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_quadratic_curve_says_nothing_about_a_very_long_exposure(case_1: CaseCounts) -> None:
    curve = calibration_curve(background_per_cell=0.001, alpha_per_gy=0.0, beta_per_gy2=0.06)
    with pytest.raises(ScienceError, match="does not depend on dose"):
        estimate_whole_body(case_1, curve, protraction=0.0)


@pytest.mark.parametrize("estimate", [estimate_whole_body, estimate_partial_body, estimate_heterogeneous])
def test_a_fit_is_not_a_curve_and_a_list_is_not_a_case(
    co60: pd.DataFrame, curve: CalibrationCurve, case_1: CaseCounts, estimate: Any
) -> None:
    with pytest.raises(ScienceError, match="not a calibration curve; wanted fit"):
        estimate(case_1, fit_calibration(co60))
    with pytest.raises(ScienceError, match="not the counts of a case; wanted case_counts"):
        estimate([302, 28, 22, 8, 1, 0], curve)


def test_an_estimate_is_frozen(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate_whole_body(case_1, curve).dose_gy = 0.0  # type: ignore[misc]


@pytest.mark.full
@pytest.mark.parametrize("dose", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("cells", [50, 500])
def test_intervals_cover_when_curve_and_case_are_drawn_anew(co60: pd.DataFrame, dose: float, cells: int) -> None:
    truth = fit_calibration(co60).curve
    levels, means = co60["dose_gy"].to_numpy(), co60["cells"].to_numpy() * truth.yield_at(co60["dose_gy"])
    rng = np.random.default_rng(20260303)
    hits = {"merkle": 0, "delta": 0}
    for _ in range(250):
        counts = pd.DataFrame({"dose_gy": levels, "cells": co60["cells"], "aberrations": rng.poisson(means)})
        fit = fit_calibration(counts, family="poisson", bounds="all")
        case = case_counts(cells=cells, aberrations=int(rng.poisson(cells * truth.yield_at(dose))))
        for method in hits:
            hits[method] += dose in estimate_whole_body(case, fit.curve, method=method).interval  # type: ignore[arg-type]
    assert 0.92 <= hits["merkle"] / 250 <= 1.0  # Scheffe's band makes it cautious, most so where the curve dominates
    # The normal interval of a count of less than ten is what it is, and falls short
    assert hits["delta"] / 250 >= (0.92 if cells * truth.yield_at(dose) > 10 else 0.55)


@pytest.mark.full
def test_overdispersed_limits_cover_a_mixed_exposure(curve: CalibrationCurve) -> None:
    rng = np.random.default_rng(20260304)
    means = np.repeat([0.1, 0.9], [150, 150])
    hits = {"poisson": 0, "quasi-poisson": 0, "overdispersed": 0}
    for _ in range(800):
        case = case_counts(np.bincount(rng.poisson(rng.permutation(means))))
        for kind in hits:
            found = estimate_whole_body(case, curve, yield_limits=kind, merkle_levels=(0.95, 0.95))  # type: ignore[arg-type]
            hits[kind] += 0.5 in found.yield_interval
    shares = {kind: count / 800 for kind, count in hits.items()}
    assert shares["poisson"] < shares["quasi-poisson"] < shares["overdispersed"]
    assert shares["quasi-poisson"] >= 0.95


@pytest.mark.parametrize("method", ["merkle", "delta"])
def test_a_yield_far_below_the_background_says_that_the_interval_is_empty(method: Any, curve: CalibrationCurve) -> None:
    found = estimate_whole_body(case_counts(cells=100_000, aberrations=0), curve, method=method)
    assert (found.status, tuple(found.interval)) == ("not above background", (0.0, 0.0))
    assert found.warnings[-1].startswith("even the upper limit of the yield is below the background of the curve")
    assert not estimate_whole_body(case_counts(cells=1000, aberrations=0), curve, method=method).warnings
