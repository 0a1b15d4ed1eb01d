"""Two doses: an independent maximum, published output, recovery, and counts that hold one dose only."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.biodosimetry import (
    CalibrationCurve,
    CaseCounts,
    case_counts,
    estimate_heterogeneous,
    estimate_partial_body,
)
from braggbook.radiobiology.biodosimetry.heterogeneous import two_poissons


def _loss(parameters: np.ndarray, counts: np.ndarray) -> float:
    weight, high, low = parameters
    classes = np.arange(len(counts))
    p = weight * stats.poisson.pmf(classes, high) + (1 - weight) * stats.poisson.pmf(classes, low)
    return -float(np.sum(special.xlogy(counts, p)))


def test_an_independent_maximum(case_2: CaseCounts) -> None:
    theta, covariance, gain = two_poissons(case_2)
    counts = np.array(case_2.distribution)
    found = optimize.minimize(
        _loss, [0.4, 1.8, 0.3], args=(counts,), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13}
    )
    np.testing.assert_allclose(theta, found.x, rtol=1e-5)
    single = -float(np.sum(counts * stats.poisson.logpmf(np.arange(6), 200 / 264)))
    assert gain == pytest.approx(2 * (single - found.fun), rel=1e-9)
    hessian = np.zeros((3, 3))
    h = 1e-4
    for i in range(3):
        for j in range(3):
            for a in (-1, 1):
                for b in (-1, 1):
                    at = theta.copy()
                    at[i] += a * h
                    at[j] += b * h
                    hessian[i, j] += a * b * _loss(at, counts) / (4 * h * h)
    np.testing.assert_allclose(covariance, np.linalg.inv(hessian), rtol=1e-4)


def test_published_case_stops_at_a_bound_where_the_likelihood_does_not(
    curve: CalibrationCurve, case_1: CaseCounts
) -> None:
    # biodosetools prints yields 1.210 and 0.010 for this case: 0.010 is the lower bound of its search
    counts = np.array(case_1.distribution)
    bounded = optimize.minimize(lambda x: _loss(np.array([x[0], x[1], 0.01]), counts), [0.3, 1.0], method="Nelder-Mead")
    assert bounded.x[1] == pytest.approx(1.210, abs=1e-3)
    found = estimate_heterogeneous(case_1, curve)
    theta = np.array([found.high.scored_fraction, found.high.yield_per_cell, 0.0])
    assert _loss(theta, counts) < bounded.fun
    assert found.low.yield_per_cell == 0.0


def test_no_lower_yield_is_dolphins_answer(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    found, part = estimate_heterogeneous(case_1, curve), estimate_partial_body(case_1, curve)
    assert found.warnings == ("the lower yield is 0: this is a partial-body exposure, see estimate_partial_body",)
    assert found.high.dose_gy == part.dose_gy
    assert found.high.irradiated_fraction == pytest.approx(part.irradiated_fraction, rel=1e-12)
    assert tuple(found.high.interval if hasattr(found.high, "interval") else found.high.dose_interval) == pytest.approx(
        tuple(part.interval), rel=1e-9
    )
    assert tuple(found.high.irradiated_fraction_interval) == pytest.approx(tuple(part.irradiated_fraction_interval))


def test_the_unexposed_part_has_an_upper_limit(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    low = estimate_heterogeneous(case_1, curve).low
    counts = np.array(case_1.distribution)
    at_limit = optimize.minimize(
        lambda x: _loss(np.array([x[0], x[1], low.yield_interval.upper]), counts), [0.2, 1.2], method="Nelder-Mead"
    )
    best = _loss(np.array([0.237243505534, 1.167611773508, 0.0]), counts)
    assert 2 * (at_limit.fun - best) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-3)
    assert curve.yield_at(low.dose_interval.upper) == pytest.approx(low.yield_interval.upper)


def test_fractions_and_doses(curve: CalibrationCurve, case_2: CaseCounts) -> None:
    found = estimate_heterogeneous(case_2, curve)
    high, low = found.high, found.low
    assert high.dose_gy == pytest.approx(float(curve.dose_at(high.yield_per_cell)))
    assert high.scored_fraction + low.scored_fraction == pytest.approx(1.0)
    share = high.scored_fraction
    expected = share / (share + (1 - share) * math.exp((low.dose_gy - high.dose_gy) / 2.7))
    assert high.irradiated_fraction == pytest.approx(expected)
    assert high.irradiated_fraction + low.irradiated_fraction == pytest.approx(1.0)
    assert low.dose_gy in low.dose_interval
    assert found.warnings == ("a dose lies above the calibrated range of 0 to 5 Gy",)


def test_errors_of_the_fraction_are_first_order(curve: CalibrationCurve, case_2: CaseCounts) -> None:
    theta, mixed, _ = two_poissons(case_2)
    covariance = np.zeros((6, 6))
    covariance[:3, :3], covariance[3:, 3:] = curve.covariance, mixed

    def fraction(values: np.ndarray) -> float:
        c, a, b, w, high, low = values
        first, second = ((-a + math.sqrt(a * a + 4 * b * (y - c))) / (2 * b) for y in (high, low))
        return w / (w + (1 - w) * math.exp(-(first - second) / 2.7))

    gradient = optimize.approx_fprime(np.array([*curve.coefficients, *theta]), fraction, 1e-8)
    half = 1.959963985 * math.sqrt(gradient @ covariance @ gradient)
    found = estimate_heterogeneous(case_2, curve).high
    assert found.irradiated_fraction_interval.upper - found.irradiated_fraction == pytest.approx(half, rel=1e-5)


@pytest.mark.parametrize("distribution", [[100, 60, 20, 3], [9, 24, 8, 15, 6, 0, 0], [200, 0, 0], [60, 30, 8, 1]])
def test_counts_of_one_poisson_distribution(curve: CalibrationCurve, distribution: list[int]) -> None:
    with pytest.raises(FitError, match="the counts are those of one Poisson distribution"):
        estimate_heterogeneous(case_counts(distribution), curve)


def test_totals_are_not_enough(curve: CalibrationCurve) -> None:
    with pytest.raises(ScienceError, match="no two doses without a distribution"):
        estimate_heterogeneous(case_counts(cells=100, aberrations=50), curve)


@pytest.mark.full
def test_it_recovers_both_doses(curve: CalibrationCurve) -> None:
    rng = np.random.default_rng(20260306)
    high, low = (float(curve.yield_at(dose)) for dose in (5.0, 1.5))
    found = []
    for _ in range(200):
        first = rng.binomial(2000, 0.4)
        cells = np.concatenate([rng.poisson(high, first), rng.poisson(low, 2000 - first)])
        estimate = estimate_heterogeneous(case_counts(np.bincount(cells)), curve)
        found.append(
            (
                estimate.high.dose_gy,
                estimate.low.dose_gy,
                estimate.high.scored_fraction,
                5.0 in estimate.high.dose_interval,
                1.5 in estimate.low.dose_interval,
            )
        )
    means = np.mean(np.array(found, dtype=float), axis=0)
    np.testing.assert_allclose(means[:3], [5.0, 1.5, 0.4], rtol=0.04)
    assert np.all(means[3:] >= 0.92)


@pytest.mark.parametrize("cells", [[100, 0, 1], [998, 1, 1], [2000, 3, 2]])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_one_cell_with_two_leaves_the_lower_yield_a_ceiling(
    cells: list[int], level: float, curve: CalibrationCurve
) -> None:
    low = estimate_heterogeneous(case_counts(cells), curve, level=level).low
    ceiling = low.yield_interval.upper
    assert low.yield_interval.lower == 0.0 < ceiling
    # The definition: with this lower yield the best mixture has lost half the quantile of log-likelihood.
    counts = np.array(cells, dtype=float)
    start = np.array([-4.0, 0.3])
    best = optimize.minimize(
        lambda x: _loss(np.array([special.expit(x[0]), math.exp(x[1]), 1e-300]), counts), start, method="Nelder-Mead"
    )
    high, weight = np.meshgrid(ceiling + np.geomspace(1e-9, 5.0, 300), np.append(0.0, np.geomspace(1e-9, 0.5, 300)))
    kinds = (weight * stats.poisson.pmf(k, high) + (1 - weight) * stats.poisson.pmf(k, ceiling) for k in range(3))
    there = sum(n * np.log(p) for n, p in zip(counts, kinds, strict=True)).max()
    assert -best.fun - there == pytest.approx(0.5 * stats.chi2.ppf(level, 1), abs=0.02)
