"""Dolphin's method and Qdr: published output, the likelihood that they maximise, recovery, and cases without answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, special

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.biodosimetry import (
    CalibrationCurve,
    CaseCounts,
    calibration_curve,
    case_counts,
    estimate_partial_body,
    estimate_qdr,
)
from braggbook.radiobiology.biodosimetry.partial_body import (
    irradiated_fraction,
    zero_inflated_covariance,
    zero_inflated_poisson,
)
from braggbook.radiobiology.constants import find_constant, taking


def _zip_log_likelihood(parameters: np.ndarray, counts: np.ndarray) -> float:
    rate, fraction = parameters
    classes = np.arange(len(counts))
    p = fraction * np.exp(special.xlogy(classes, rate) - rate - special.gammaln(classes + 1))
    p[0] += 1 - fraction
    return float(np.sum(special.xlogy(counts, p)))


class TestPublished:
    """What biodosetools prints for its two example cases."""

    def test_case_1(self, curve: CalibrationCurve, case_1: CaseCounts) -> None:
        found = estimate_partial_body(case_1, curve)
        assert found.yield_per_cell == pytest.approx(1.167612, abs=5e-7)
        assert tuple(found.yield_interval) == pytest.approx((0.835, 1.500), abs=5e-4)
        assert found.scored_fraction == pytest.approx(0.237244, abs=5e-7)
        assert found.dose_gy == pytest.approx(4.137934, abs=2e-6)
        assert tuple(found.interval) == pytest.approx((3.493, 4.783), abs=5e-4)
        assert found.irradiated_fraction == pytest.approx(0.590182, abs=1e-6)
        assert found.d0_gy == 2.7

    def test_case_2(self, curve: CalibrationCurve, case_2: CaseCounts) -> None:
        found = estimate_partial_body(case_2, curve)
        assert found.yield_per_cell == pytest.approx(1.489414, abs=5e-7)
        assert tuple(found.yield_interval) == pytest.approx((1.215, 1.764), abs=5e-4)
        assert found.dose_gy == pytest.approx(4.694884, abs=2e-6)
        assert tuple(found.interval) == pytest.approx((4.191, 5.199), abs=5e-4)
        assert found.irradiated_fraction == pytest.approx(0.854881, abs=1e-6)


@given(
    counts=st.tuples(
        st.integers(50, 900), st.integers(0, 80), st.integers(1, 60), st.integers(0, 30), st.integers(0, 9)
    )
)
def test_it_is_the_maximum_of_the_likelihood(counts: tuple[int, ...]) -> None:
    case = case_counts(counts)
    try:
        found = zero_inflated_poisson(case)
    except FitError:
        assume(False)
    best = _zip_log_likelihood(np.array(found), np.array(counts))
    for step in ([1e-3, 0], [-1e-3, 0], [0, 1e-3], [0, -1e-3], [1e-3, -1e-3]):
        near = np.array(found) * (1 + np.array(step))
        if near[1] < 1:
            assert _zip_log_likelihood(near, np.array(counts)) <= best + 1e-12


def test_the_covariance_is_the_curvature_at_expected_counts() -> None:
    rate, fraction, cells = 1.2, 0.3, 500.0
    classes = np.arange(40)
    expected = cells * fraction * np.exp(special.xlogy(classes, rate) - rate - special.gammaln(classes + 1))
    expected[0] += cells * (1 - fraction)
    hessian = np.zeros((2, 2))
    h = 1e-4
    for i in range(2):
        for j in range(2):
            for a in (-1, 1):
                for b in (-1, 1):
                    at = np.array([rate, fraction])
                    at[i] += a * h
                    at[j] += b * h
                    hessian[i, j] += a * b * _zip_log_likelihood(at, expected) / (4 * h * h)
    np.testing.assert_allclose(
        zero_inflated_covariance(rate, fraction, cells=cells), np.linalg.inv(-hessian), rtol=1e-4
    )


def test_errors_of_the_irradiated_fraction_are_first_order(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    found = estimate_partial_body(case_1, curve, protraction=0.7)
    covariance = np.zeros((5, 5))
    covariance[:3, :3] = curve.covariance
    covariance[3:, 3:] = zero_inflated_covariance(found.yield_per_cell, found.scored_fraction, cells=361)

    def fraction(values: np.ndarray) -> float:
        c, a, b, y, f = values
        dose = (-a + math.sqrt(a * a + 4 * 0.7 * b * (y - c))) / (2 * 0.7 * b)
        return irradiated_fraction(f, dose, d0_gy=2.7)

    theta = np.array([*curve.coefficients, found.yield_per_cell, found.scored_fraction])
    gradient = optimize.approx_fprime(theta, fraction, 1e-8)
    half = 1.959963985 * math.sqrt(gradient @ covariance @ gradient)
    assert found.irradiated_fraction_interval.upper - found.irradiated_fraction == pytest.approx(half, rel=1e-5)


def test_d0_is_in_the_court_and_moves_the_fraction_only(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    first = estimate_partial_body(case_1, curve)
    with taking({"partial_body.d0_gy": "upper"}):
        second = estimate_partial_body(case_1, curve)
    third = estimate_partial_body(case_1, curve, d0_gy=3.5)
    assert second.d0_gy == 3.5
    assert second.irradiated_fraction == third.irradiated_fraction < first.irradiated_fraction
    assert second.dose_gy == first.dose_gy
    assert find_constant("partial_body.d0_gy").status == "ruled"


def test_painted_cells_show_a_share_of_the_yield(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    painted = case_counts(case_1.distribution, genome_factor=0.5)
    found, whole = estimate_partial_body(painted, curve), estimate_partial_body(case_1, curve)
    assert found.yield_per_cell == pytest.approx(2 * whole.yield_per_cell)
    assert found.scored_fraction == whole.scored_fraction


def test_a_poisson_case_is_flagged_or_refused(curve: CalibrationCurve) -> None:
    found = estimate_partial_body(case_counts([105, 30, 6, 1]), curve)
    assert found.warnings[0].endswith("is not above 1.96: the cells do not show a partial exposure")
    with pytest.raises(FitError, match="the cells are not overdispersed: no part of them is told from the whole"):
        estimate_partial_body(case_counts([100, 60, 12, 1]), curve)


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        ([100, 5, 0], "no cell has two aberrations"),
        ([100, 0, 0], "no cell has two aberrations"),
        ([0, 3, 5], "the cells are not overdispersed"),
    ],
)
def test_no_answer(curve: CalibrationCurve, distribution: list[int], message: str) -> None:
    with pytest.raises(FitError, match=message):
        estimate_partial_body(case_counts(distribution), curve)


def test_below_the_background(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    with pytest.raises(FitError, match="not above the background of the curve"):
        estimate_partial_body(case_1, curve.with_background(2.0))


def test_bad_arguments(curve: CalibrationCurve, case_1: CaseCounts) -> None:
    with pytest.raises(ScienceError, match="no partial-body estimate without a distribution"):
        estimate_partial_body(case_counts(cells=100, aberrations=20), curve)
    for d0 in (0.0, -2.7, math.nan, "2.7 Gy"):
        with pytest.raises(ScienceError, match="not a D0"):
            estimate_partial_body(case_1, curve, d0_gy=d0)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="protraction: not usable; wanted a number from 0 to 1"):
        estimate_partial_body(case_1, curve, protraction=2)
    with pytest.raises(ScienceError, match="not a confidence level"):
        estimate_partial_body(case_1, curve, level=95)


class TestQdr:
    @pytest.fixture
    def fragments(self) -> CalibrationCurve:
        return calibration_curve(background_per_cell=0.003, alpha_per_gy=0.05, beta_per_gy2=0.05)

    @pytest.mark.parametrize("dose", [0.5, 2.0, 5.0])
    def test_it_does_not_depend_on_unexposed_cells(
        self, curve: CalibrationCurve, fragments: CalibrationCurve, dose: float
    ) -> None:
        first, second = float(curve.yield_at(dose)), float(fragments.yield_at(dose))
        for irradiated in (1000.0, 250.0):
            damaged = irradiated * -math.expm1(-first - second)
            found = estimate_qdr(irradiated * first, damaged, curve=curve, fragment_curve=fragments)
            assert found == pytest.approx(dose, rel=1e-9)

    def test_no_answer(self, curve: CalibrationCurve, fragments: CalibrationCurve) -> None:
        with pytest.raises(FitError, match="no dose has this Qdr"):
            estimate_qdr(1, 100, curve=curve, fragment_curve=fragments)
        with pytest.raises(ScienceError, match="damaged_cells: not a count"):
            estimate_qdr(1, 0, curve=curve, fragment_curve=fragments)


@pytest.mark.full
@pytest.mark.parametrize(("dose", "share"), [(3.0, 0.4), (5.0, 0.7)])
def test_it_recovers_dose_and_fraction(curve: CalibrationCurve, dose: float, share: float) -> None:
    rng = np.random.default_rng(20260305)
    scored = share * math.exp(-dose / 2.7) / (1 - share + share * math.exp(-dose / 2.7))
    rate = float(curve.yield_at(dose))
    doses, fractions, covered = [], [], 0
    for _ in range(400):
        exposed = rng.binomial(1000, scored)
        counts = np.bincount(np.concatenate([rng.poisson(rate, exposed), np.zeros(1000 - exposed, int)]))
        found = estimate_partial_body(case_counts(counts), curve)
        doses.append(found.dose_gy)
        fractions.append(found.irradiated_fraction)
        covered += dose in found.interval
    assert np.mean(doses) == pytest.approx(dose, rel=0.02)
    assert np.mean(fractions) == pytest.approx(share, rel=0.04)
    assert covered / 400 >= 0.93
