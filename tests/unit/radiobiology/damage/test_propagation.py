"""The uncertainty of damage and survival, carried through repair: against the delta method and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.damage import RepairUncertainty, propagate_yields
from braggbook.radiobiology.linear_quadratic import LqParameters

PHOTONS = LqParameters(0.30, 0.05, 0.02, 0.003, -4e-5)
CASE = RepairUncertainty(PHOTONS, 25.0, 0.5, 40.0, 1.0, specific_energy_gy=0.2)


def test_best_values_are_the_formulas() -> None:
    found = propagate_yields(CASE, seed=1)
    ratio = 1.6
    assert found.best["rbe_dsb"] == pytest.approx(ratio)
    assert found.best["rbe_max"] == pytest.approx(ratio * (1 + 2 * 0.2 * ratio / 6.0))
    assert found.best["rbe_min"] == pytest.approx(ratio)
    alpha, beta = found.best["alpha_per_gy"], found.best["beta_per_gy2"]
    effect = math.log(10.0)
    dose_x = (-0.3 + math.sqrt(0.09 + 4 * 0.05 * effect)) / 0.1
    dose = (-alpha + math.sqrt(alpha**2 + 4 * beta * effect)) / (2 * beta)
    assert found.best["rbe_at_survival"] == pytest.approx(dose_x / dose)
    assert (found.lq.alpha_per_gy, found.lq.beta_per_gy2) == (alpha, beta)


def test_errors_agree_with_the_delta_method() -> None:
    found = propagate_yields(CASE, seed=2, draws=200_000)
    relative = math.hypot(0.5 / 25.0, 1.0 / 40.0)
    assert found.standard_errors["rbe_dsb"] / 1.6 == pytest.approx(relative, rel=0.02)
    assert found.standard_errors["rbe_min"] == pytest.approx(found.standard_errors["rbe_dsb"], rel=1e-9)
    # RBEmax = R + 2 z R^2 beta / alpha, by hand.
    z, r, a, b = 0.2, 1.6, 0.30, 0.05
    gradient = np.array([-2 * z * r**2 * b / a**2, 2 * z * r**2 / a, 1 + 4 * z * r * b / a])
    covariance = np.zeros((3, 3))
    covariance[:2, :2] = PHOTONS.covariance
    covariance[2, 2] = (relative * r) ** 2
    assert found.standard_errors["rbe_max"] == pytest.approx(math.sqrt(gradient @ covariance @ gradient), rel=0.03)
    interval = found.intervals["rbe_max"]
    assert interval.lower < found.best["rbe_max"] < interval.upper
    assert interval.method == "percentiles of 200000 draws, seed 2"


def test_a_seed_gives_the_same_numbers() -> None:
    one, two, three = (propagate_yields(CASE, seed=seed) for seed in (5, 5, 6))
    assert dict(one.intervals) == dict(two.intervals)
    assert dict(one.intervals) != dict(three.intervals)


def test_tied_yields_have_a_ratio_without_error() -> None:
    found = propagate_yields(CASE, seed=1, tied=True)
    assert found.standard_errors["rbe_dsb"] == pytest.approx(0.0, abs=1e-12)
    assert found.standard_errors["rbe_max"] > 0


def test_certainty_in_certainty_out() -> None:
    sure = RepairUncertainty(LqParameters(0.3, 0.05, 0.0, 0.0), 25.0, 0.0, 40.0, 0.0)
    found = propagate_yields(sure, seed=1)
    assert max(found.standard_errors.values()) < 1e-12
    assert found.failed == 0


def test_failed_draws_are_counted_and_said() -> None:
    loose = RepairUncertainty(LqParameters(0.3, 0.02, 0.05, 0.02), 25.0, 0.5, 40.0, 1.0)
    found = propagate_yields(loose, seed=1, draws=10_000)
    assert 1400 < found.failed < 1800  # beta is negative in 16 % of the draws
    assert found.warnings == (f"{found.failed} of 10000 draws have no answer: the intervals are those of the others",)
    assert found.intervals["rbe_max"].note == f"{found.failed} of 10000 draws have no answer"


@pytest.mark.parametrize(
    ("call", "messages"),
    [
        (lambda: RepairUncertainty(PHOTONS, 0, 1, 40, 1), ["dsb_reference_per_gy: not usable; wanted above 0, got 0"]),
        (
            lambda: RepairUncertainty(LqParameters(0.3, 0.05), 25, -1, math.nan, 1),
            [
                "dsb_per_gy: not usable; wanted above 0, got nan",
                "dsb_reference_se_per_gy: not usable; wanted 0 or more, got -1",
                "reference: no standard errors; wanted of alpha and beta",
            ],
        ),
        (lambda: propagate_yields(CASE, seed=-1), ["not a seed; wanted a whole number, 0 or more, got -1"]),
        (lambda: propagate_yields(CASE, seed=1, draws=10), ["too few draws; wanted 100 or more, got 10"]),
        (lambda: propagate_yields(CASE, seed=1, survival=0), ["not a survival level; wanted between 0 and 1, got 0"]),
    ],
)
def test_bad_input_is_named(call: object, messages: list[str]) -> None:
    with pytest.raises(ScienceError) as caught:
        call()  # type: ignore[operator]
    assert [str(issue) for issue in caught.value.issues] == messages


def test_photons_without_an_rbe() -> None:
    flat = RepairUncertainty(LqParameters(-0.1, 0.05, 0.02, 0.003), 25, 1, 40, 1)
    with pytest.raises(ScienceError, match=r"the best values have no RBE.*got alpha -0.1/Gy, beta 0.05"):
        propagate_yields(flat, seed=1)
