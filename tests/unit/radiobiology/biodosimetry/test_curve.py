"""The curve: inversion, bands, a published curve, and curves that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ScienceError
from braggbook.radiobiology.biodosimetry import CalibrationCurve, calibration_curve
from braggbook.radiobiology.biodosimetry.projection import band_crossings, doses_of_yields

_COVARIANCE = [[2.2e-7, -1e-6, 4.4e-7], [-1e-6, 2.66e-5, -1.5e-5], [4.4e-7, -1.5e-5, 1.6e-5]]


@given(
    dose=st.floats(0, 20),
    alpha=st.floats(1e-4, 1),
    beta=st.one_of(st.just(0.0), st.floats(1e-9, 0.3)),
    protraction=st.floats(0, 1),
)
def test_dose_and_yield_are_inverse(dose: float, alpha: float, beta: float, protraction: float) -> None:
    curve = calibration_curve(background_per_cell=0.001, alpha_per_gy=alpha, beta_per_gy2=beta)
    yielded = curve.yield_at(dose, protraction=protraction)
    assert curve.dose_at(yielded, protraction=protraction) == pytest.approx(dose, rel=1e-9, abs=1e-9)


def test_band_is_scheffes(curve: CalibrationCurve) -> None:
    dose = np.array([0.0, 1.0, 4.0])
    low, high = curve.band(dose, level=0.95)
    np.testing.assert_allclose((high - low) / 2, math.sqrt(7.814727903) * curve.yield_se_at(dose), rtol=1e-9)
    np.testing.assert_allclose((high + low) / 2, curve.yield_at(dose))
    assert curve.band_factor(0.83) == pytest.approx(math.sqrt(5.0177), rel=1e-3)


def test_standard_error_of_the_curve_is_the_quadratic_form(curve: CalibrationCurve) -> None:
    x = np.array([1.0, 3.0, 0.4 * 9.0])
    assert curve.yield_se_at(3.0, protraction=0.4) == pytest.approx(math.sqrt(x @ curve.covariance @ x))


@settings(max_examples=50)
@given(yielded=st.floats(0.0, 3.0), factor=st.floats(0.01, 4.0), protraction=st.floats(0, 1), side=st.booleans())
def test_crossings_lie_on_the_band(yielded: float, factor: float, protraction: float, side: bool) -> None:
    curve = calibration_curve(
        background_per_cell=0.0013, alpha_per_gy=0.021, beta_per_gy2=0.063, covariance=_COVARIANCE
    )
    sign = 1.0 if side else -1.0
    name = "upper" if side else "lower"
    dose = band_crossings(np.array([yielded]), curve, side=name, factor=factor, protraction=protraction)[0]  # type: ignore[arg-type]

    def limit(at: float) -> float:
        return float(
            curve.yield_at(at, protraction=protraction) + sign * factor * curve.yield_se_at(at, protraction=protraction)
        )

    if dose == 0:
        assert limit(0.0) >= yielded
    elif math.isinf(dose):
        assert all(limit(at) < yielded for at in np.linspace(0, 500, 50))
    else:
        assert limit(dose) == pytest.approx(yielded, rel=1e-9, abs=1e-12)
        before = np.linspace(0.0, dose, 20)[1:-1]
        assert all(limit(at) <= yielded + 1e-9 for at in before)


def test_crossings_without_uncertainty_are_doses() -> None:
    curve = calibration_curve(background_per_cell=0.001, alpha_per_gy=0.03, beta_per_gy2=0.06)
    yields = np.array([0.0, 0.001, 0.1, 1.0])
    for side in ("lower", "upper"):
        found = band_crossings(yields, curve, side=side, factor=2.0, protraction=1.0)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, doses_of_yields(yields, curve, protraction=1.0))


def test_a_band_that_never_comes_up() -> None:
    curve = calibration_curve(background_per_cell=0.001, alpha_per_gy=0.03, standard_errors=[0.0005, 0.02])
    found = band_crossings(np.array([0.1]), curve, side="lower", factor=2.0, protraction=1.0)
    assert math.isinf(found[0])


def test_linear_curve_crossings(curve: CalibrationCurve) -> None:
    straight = calibration_curve(background_per_cell=0.001, alpha_per_gy=0.3, standard_errors=[0.0005, 0.02])
    dose = band_crossings(np.array([0.5]), straight, side="upper", factor=2.0, protraction=1.0)[0]
    assert 0.001 + 0.3 * dose + 2.0 * math.hypot(0.0005, 0.02 * dose) == pytest.approx(0.5, rel=1e-12)
    # a very long exposure makes any curve straight
    dose = band_crossings(np.array([0.5]), curve, side="upper", factor=2.0, protraction=0.0)[0]
    assert curve.yield_at(dose, protraction=0.0) + 2 * curve.yield_se_at(dose, protraction=0.0) == pytest.approx(0.5)


def test_background_of_a_person_replaces_that_of_the_curve(curve: CalibrationCurve) -> None:
    other = curve.with_background(0.01, standard_error=0.002)
    assert other.dose_at(0.01) == 0
    np.testing.assert_allclose(other.standard_errors, [0.002, *curve.standard_errors[1:]])
    assert other.yield_at(1.0) - other.background_per_cell == pytest.approx(
        curve.yield_at(1.0) - curve.background_per_cell
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"background_per_cell": -0.001}, "background_per_cell: a negative yield at dose 0"),
        ({"alpha_per_gy": -0.02}, "alpha_per_gy: negative; wanted 0 or more; a curve that falls at low dose"),
        ({"beta_per_gy2": -0.01}, "beta_per_gy2: negative; wanted 0 or more; fit a linear curve instead"),
        ({"alpha_per_gy": 0.0, "beta_per_gy2": 0.0}, "the yield does not depend on dose"),
        ({"alpha_per_gy": math.nan}, "alpha_per_gy: not a finite number"),
        ({"alpha_per_gy": "0.02"}, "alpha_per_gy: not a finite number"),
        ({"beta_per_gy2": None}, "beta_per_gy2: not a finite number"),
        ({"standard_errors": [0.1]}, "not standard errors"),
        ({"standard_errors": [0.1, -0.1, 0.1]}, "not standard errors"),
        ({"covariance": [[1.0]]}, "wanted shape (3, 3), or (2, 2)"),
        ({"covariance": [[1e-7, 0, 0], [1e-8, 1e-5, 0], [0, 0, 1e-5]]}, "the covariance is not symmetric"),
        ({"covariance": np.diag([1e-7, -1e-5, 1e-5])}, "a variance is negative"),
        ({"covariance": [[1e-7, 0, 0], [0, 1e-5, 2e-5], [0, 2e-5, 1e-5]]}, "would have a negative variance"),
        ({"covariance": [[0, 1e-7, 0], [1e-7, 1e-5, 0], [0, 0, 1e-5]]}, "a covariance without its variances"),
    ],
)
def test_curves_that_are_none(arguments: dict[str, object], message: str) -> None:
    good = {"background_per_cell": 0.001, "alpha_per_gy": 0.02, "beta_per_gy2": 0.06}
    with pytest.raises(ScienceError) as caught:
        calibration_curve(**good | arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_all_issues_of_a_curve_come_at_once() -> None:
    with pytest.raises(ScienceError) as caught:
        calibration_curve(background_per_cell=-1, alpha_per_gy=-1, beta_per_gy2=-1)
    assert len(caught.value.issues) == 3


def test_what_a_curve_cannot_say(curve: CalibrationCurve) -> None:
    with pytest.raises(ScienceError, match="a yield is below the background of the curve"):
        curve.dose_at(0.0)
    with pytest.raises(ScienceError, match="a dose is not usable"):
        curve.yield_at(-1.0)
    with pytest.raises(ScienceError, match="protraction: not usable; wanted a number from 0 to 1"):
        curve.yield_at(1.0, protraction=2.0)
    with pytest.raises(ScienceError, match="not numbers"):
        curve.dose_at("high")
    with pytest.raises(ScienceError, match="not a standard error"):
        curve.with_background(0.01, standard_error=-1.0)
    with pytest.raises(ScienceError, match="background_per_cell: not a finite number"):
        curve.with_background([0.01, 0.02])  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="the curve never comes up to a yield"):
        curve.dose_at(math.inf)
