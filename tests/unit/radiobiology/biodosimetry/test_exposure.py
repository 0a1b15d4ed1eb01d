"""Lea and Catcheside's G: closed form, limits, and its integral definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from braggbook.errors import ScienceError
from braggbook.radiobiology.biodosimetry import protraction_factor
from braggbook.radiobiology.constants import supposing


def test_limits() -> None:
    np.testing.assert_array_equal(protraction_factor([0.0, math.inf]), [1.0, 0.0])
    assert protraction_factor(2.0) == pytest.approx(2 * math.exp(-1))  # x = 1: 2 (1 - 1 + 1/e)


@pytest.mark.parametrize("hours", [1e-6, 1e-3, 0.0099, 0.0101, 0.5, 3.0, 48.0])
def test_it_is_the_chance_that_two_breaks_of_one_exposure_meet(hours: float) -> None:
    x = hours / 2.0
    inner = integrate.quad(lambda v: 2.0 * (1.0 - v) * math.exp(-x * v), 0.0, 1.0, epsabs=1e-14, epsrel=1e-13)[0]
    assert protraction_factor(hours) == pytest.approx(inner, rel=1e-12)


def test_a_half_time_is_not_a_lifetime() -> None:
    # A repair half-time of 1.5 h is a lifetime of 1.5 / ln 2 h: 10 min give 0.974814658 (radiotherapy's G)
    assert protraction_factor(1 / 6, break_lifetime_h=1.5 / math.log(2)) == pytest.approx(0.974814658, abs=5e-10)


def test_the_lifetime_is_a_constant_of_the_court() -> None:
    with supposing({"dicentrics.break_lifetime_h": 1.0}):
        assert protraction_factor(1.0) == pytest.approx(2 * math.exp(-1))


@pytest.mark.parametrize("hours", [-1.0, math.nan, "two", None])
def test_times_that_are_none(hours: object) -> None:
    with pytest.raises(ScienceError):
        protraction_factor(hours)  # type: ignore[arg-type]


@pytest.mark.parametrize("lifetime", [0.0, -2.0, math.nan, math.inf, "2 h"])
def test_lifetimes_that_are_none(lifetime: object) -> None:
    with pytest.raises(ScienceError, match="break_lifetime_h"):
        protraction_factor(1.0, break_lifetime_h=lifetime)  # type: ignore[arg-type]
