"""The linear-quadratic model itself: limits, roots, integrals and what has no answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from braggbook.errors import ScienceError
from braggbook.radiobiology import linear_quadratic as lq

ALPHA = st.floats(0.01, 2.0)
BETA = st.floats(0.0, 0.3)
DOSE = st.floats(0.0, 20.0)


@given(ALPHA, BETA)
def test_survival_is_one_without_dose(alpha: float, beta: float) -> None:
    assert lq.surviving_fraction(0.0, alpha_per_gy=alpha, beta_per_gy2=beta) == 1.0


@given(ALPHA, BETA, DOSE, DOSE)
def test_survival_falls_with_dose(alpha: float, beta: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    first, second = lq.surviving_fraction([low, high], alpha_per_gy=alpha, beta_per_gy2=beta)
    assert first >= second


@given(ALPHA, st.floats(-0.05, 0.3), st.floats(0.01, 0.2))
def test_dose_at_survival_is_the_first_root(alpha: float, beta: float, fraction: float) -> None:
    # Any dose before the turning point alpha / (-2 beta) of a curve that bends up is on its way down.
    dose = fraction * min(50.0, alpha / (-2 * beta) if beta < 0 else 50.0)
    effect = alpha * dose + beta * dose**2
    level = math.exp(-effect)
    found = lq.dose_at_survival(level, alpha_per_gy=alpha, beta_per_gy2=beta)
    assert found == pytest.approx(dose, rel=1e-6, abs=1e-9)


def test_dose_at_survival_has_the_linear_limit() -> None:
    doses = lq.dose_at_survival(0.1, alpha_per_gy=0.4, beta_per_gy2=[0.0, 1e-18, 1e-9, -1e-9])
    assert doses == pytest.approx(math.log(10) / 0.4, rel=1e-7)


def test_negative_alpha_has_one_root() -> None:
    dose = lq.dose_at_survival(0.5, alpha_per_gy=-0.1, beta_per_gy2=0.05)
    assert lq.surviving_fraction(dose, alpha_per_gy=-0.1, beta_per_gy2=0.05) == pytest.approx(0.5, rel=1e-12)
    assert lq.dose_at_survival(1.0, alpha_per_gy=-0.1, beta_per_gy2=0.05) == 0.0


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [(0.2, -0.02), (0.0, 0.0), (-0.1, 0.0), (-0.1, -0.1)],
    ids=["bends up", "flat", "up", "both"],
)
def test_a_level_that_is_never_reached_is_an_error(alpha: float, beta: float) -> None:
    with pytest.raises(ScienceError, match="never comes down"):
        lq.dose_at_survival(0.01, alpha_per_gy=alpha, beta_per_gy2=beta)


def test_every_unreached_level_is_named() -> None:
    with pytest.raises(ScienceError) as caught:
        lq.dose_at_survival([0.9, 0.2, 0.1], alpha_per_gy=0.2, beta_per_gy2=-0.02)
    assert [issue.where for issue in caught.value.issues] == ["element 1", "element 2"]


@pytest.mark.parametrize("level", [0.0, -0.1, 1.1, math.nan])
def test_a_survival_level_is_above_zero_and_at_most_one(level: float) -> None:
    with pytest.raises(ScienceError, match="survival level"):
        lq.dose_at_survival(level, alpha_per_gy=0.2, beta_per_gy2=0.02)


@pytest.mark.parametrize("dose", [-1.0, math.nan])
def test_a_dose_is_not_negative(dose: float) -> None:
    with pytest.raises(ScienceError, match="dose"):
        lq.surviving_fraction(dose, alpha_per_gy=0.2, beta_per_gy2=0.02)


@given(st.floats(-0.2, 2.0), st.floats(1e-3, 0.3))
def test_mean_inactivation_dose_is_the_integral(alpha: float, beta: float) -> None:
    integral, _ = integrate.quad(lambda d: math.exp(-alpha * d - beta * d * d), 0, np.inf, epsrel=1e-10)
    assert lq.mean_inactivation_dose(alpha_per_gy=alpha, beta_per_gy2=beta) == pytest.approx(integral, rel=1e-7)


def test_mean_inactivation_dose_without_curvature() -> None:
    doses = lq.mean_inactivation_dose(alpha_per_gy=0.4, beta_per_gy2=[0.0, 1e-15])
    assert doses == pytest.approx(2.5, rel=1e-10)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, -0.01), (0.0, 0.0), (-5.0, 1e-4)])
def test_a_divergent_mean_inactivation_dose_is_an_error(alpha: float, beta: float) -> None:
    with pytest.raises(ScienceError, match="infinite"):
        lq.mean_inactivation_dose(alpha_per_gy=alpha, beta_per_gy2=beta)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.02), (0.5, 1e-6), (0.5, 0.0), (-0.1, 0.05)])
def test_gradients_match_differences(alpha: float, beta: float) -> None:
    pair = lq.LqParameters(alpha, beta)
    step = 1e-6
    dose = float(lq.dose_at_survival(0.1, alpha_per_gy=alpha, beta_per_gy2=beta))

    def dose_at(a: float, b: float) -> float:
        return float(lq.dose_at_survival(0.1, alpha_per_gy=a, beta_per_gy2=b))

    def mean(a: float, b: float) -> float:
        return float(lq.mean_inactivation_dose(alpha_per_gy=a, beta_per_gy2=b))

    for function, gradient in (
        (dose_at, lq.dose_gradient(dose, pair)),
        (mean, lq.mean_inactivation_dose_gradient(pair)),
    ):
        in_alpha = (function(alpha + step, beta) - function(alpha - step, beta)) / (2 * step)
        in_beta = (function(alpha, beta + step) - function(alpha, beta)) / step
        assert gradient == pytest.approx([in_alpha, in_beta], rel=3e-4)


def test_alpha_beta_ratio() -> None:
    assert lq.alpha_beta_ratio([0.3, 0.3, -0.3], [0.03, 0.0, 0.1]) == pytest.approx([10.0, math.inf, -3.0])
    with pytest.raises(ScienceError):
        lq.alpha_beta_ratio(0.0, 0.0)


def test_a_pair_names_all_that_is_wrong_with_it() -> None:
    with pytest.raises(ScienceError) as caught:
        lq.LqParameters(math.nan, 0.1, alpha_se_per_gy=-1.0)
    text = str(caught.value)
    assert "alpha_per_gy" in text
    assert "alpha_se_per_gy" in text
    assert "without the other" in text


@pytest.mark.parametrize("value", ["two", [1, [2, 3]], {"a": 1}])
def test_what_is_no_number_is_named(value: object) -> None:
    with pytest.raises(ScienceError, match="not numbers that go together"):
        lq.surviving_fraction(value, alpha_per_gy=0.3, beta_per_gy2=0.03)  # type: ignore[arg-type]


def test_shapes_that_do_not_go_together_are_named() -> None:
    with pytest.raises(ScienceError, match="not numbers that go together"):
        lq.surviving_fraction([1.0, 2.0], alpha_per_gy=[0.1, 0.2, 0.3], beta_per_gy2=0.0)


@pytest.mark.parametrize(("alpha", "beta"), [(math.nan, 0.1), (0.1, math.inf)])
def test_coefficients_are_finite(alpha: float, beta: float) -> None:
    with pytest.raises(ScienceError, match="is not usable"):
        lq.surviving_fraction(2.0, alpha_per_gy=alpha, beta_per_gy2=beta)


@pytest.mark.parametrize("dose", [-1.0, math.nan, math.inf])
def test_doses_are_finite_and_not_negative(dose: float) -> None:
    with pytest.raises(ScienceError, match="a dose is not usable"):
        lq.checked_doses([0.0, dose])


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"alpha_per_gy": "0.3"}, "alpha_per_gy: not a finite number"),
        ({"beta_per_gy2": None}, "beta_per_gy2: not a finite number"),
        ({"alpha_se_per_gy": "0.1", "beta_se_per_gy2": 0.1}, "alpha_se_per_gy: not a standard error"),
        ({"alpha_beta_covariance": math.nan}, "alpha_beta_covariance: not a finite number"),
        (
            {"alpha_se_per_gy": 0.1, "beta_se_per_gy2": 0.01, "alpha_beta_covariance": -0.002},
            "more covariance than the standard errors allow",
        ),
    ],
)
def test_a_pair_that_cannot_be_is_named(fields: dict[str, object], what: str) -> None:
    with pytest.raises(ScienceError, match=what):
        lq.LqParameters(**{"alpha_per_gy": 0.3, "beta_per_gy2": 0.03, **fields})  # type: ignore[arg-type]


def test_survival_beyond_all_bounds_is_an_error() -> None:
    assert lq.surviving_fraction(3.0, alpha_per_gy=-200.0, beta_per_gy2=0.0) == pytest.approx(math.exp(600.0))
    with pytest.raises(ScienceError, match=r"more than a number can hold; wanted .*, got 4") as caught:
        lq.surviving_fraction([1.0, 4.0], alpha_per_gy=-200.0, beta_per_gy2=0.0)
    assert [issue.where for issue in caught.value.issues] == ["element 1"]


@pytest.mark.parametrize("value", ["2", True, None, b"2", [1.0, None], 1j])
def test_text_and_truth_values_are_no_numbers(value: object) -> None:
    with pytest.raises(ScienceError, match="not numbers that go together"):
        lq.surviving_fraction(value, alpha_per_gy=0.3, beta_per_gy2=0.03)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="not numbers that go together"):
        lq.dose_at_survival(0.1, alpha_per_gy=value, beta_per_gy2=0.03)  # type: ignore[arg-type]


@pytest.mark.parametrize(("alpha", "beta"), [(math.inf, 0.1), (-math.inf, 0.1), (math.nan, 0.1), (1e300, 0.1)])
def test_a_dose_needs_finite_coefficients(alpha: float, beta: float) -> None:
    with pytest.raises(ScienceError, match="alpha is not usable"):
        lq.dose_at_survival(0.1, alpha_per_gy=alpha, beta_per_gy2=beta)


def test_a_dose_that_no_number_can_hold_is_an_error() -> None:
    with pytest.raises(ScienceError, match="never comes down"):
        lq.dose_at_survival(0.1, alpha_per_gy=5e-324, beta_per_gy2=0.0)
