"""The interval type, Fieller's theorem and exact count limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.intervals import (
    Interval,
    cutoff,
    delta_interval,
    fieller_interval,
    poisson_count_intervals,
    profile_end,
)


def test_an_interval_unpacks_and_contains() -> None:
    interval = Interval(1.0, 2.0, 0.95, "delta, z")
    lower, upper = interval
    assert (lower, upper) == (1.0, 2.0)
    assert 1.5 in interval
    assert 2.5 not in interval
    assert "1.5" not in interval


def test_cutoffs() -> None:
    assert cutoff(0.95, df=10, reference="chi2") == pytest.approx(1.959964**2, rel=1e-6)
    assert cutoff(0.95, df=10, reference="f") == pytest.approx(2.228139**2, rel=1e-6)
    assert delta_interval(1.0, 0.1, level=0.95).method == "delta, z"
    with pytest.raises(UnknownName):
        cutoff(0.95, df=10, reference="t")  # type: ignore[arg-type]


def test_fieller_equals_its_textbook_form() -> None:
    x, y, vx, vy, z = 3.0, 2.0, 0.04, 0.09, 1.959963984540054
    r, g = x / y, z**2 * vy / y**2
    half = z / y * math.sqrt(vx + r**2 * vy - g * vx)
    found = fieller_interval(x, y, variance_numerator=vx, variance_denominator=vy, level=0.95)
    assert tuple(found) == pytest.approx(((r - half) / (1 - g), (r + half) / (1 - g)), rel=1e-9)


def test_fieller_says_when_it_is_unbounded() -> None:
    some = fieller_interval(3.0, 0.5, variance_numerator=0.04, variance_denominator=0.09, level=0.95)
    assert not some.bounded
    assert "except those between" in some.note
    none = fieller_interval(0.1, 0.1, variance_numerator=0.04, variance_denominator=0.09, level=0.95)
    assert not none.bounded
    assert "except" not in none.note


def test_count_limits_have_their_exact_tails() -> None:
    counts = np.array([0.0, 1.0, 7.0, 250.0])
    lower, upper = poisson_count_intervals(counts, level=0.9)
    assert lower[0] == 0.0
    assert stats.poisson.sf(counts[1:] - 1, lower[1:]) == pytest.approx(np.full(3, 0.05))
    assert stats.poisson.cdf(counts, upper) == pytest.approx(np.full(4, 0.05))
    with pytest.raises(ScienceError):
        poisson_count_intervals(counts, level=90)


def test_profile_end_is_infinite_when_nothing_is_excluded() -> None:
    assert profile_end(lambda _: -1.0, start=0.0, step=-1.0) == -math.inf
    assert profile_end(lambda x: x - 50.0, start=0.0, step=1.0, furthest=10.0) == math.inf
    assert profile_end(lambda x: x - 50.0, start=0.0, step=1.0) == pytest.approx(50.0)


@pytest.mark.parametrize("level", ["0.95", None, True, 0.5j])
def test_a_level_is_a_number(level: object) -> None:
    with pytest.raises(ScienceError, match="not a confidence level"):
        cutoff(level, df=10)  # type: ignore[arg-type]


def test_intervals_refuse_what_is_no_estimate() -> None:
    with pytest.raises(ScienceError, match="value: not a finite number"):
        delta_interval(math.nan, 0.1, level=0.95)
    with pytest.raises(ScienceError, match="standard_error: not a measure of spread"):
        delta_interval(1.0, -0.1, level=0.95)
    with pytest.raises(ScienceError, match="denominator") as caught:
        fieller_interval(math.nan, math.inf, variance_numerator=0.1, variance_denominator=0.1, level=0.95)
    assert len(caught.value.issues) == 2
    with pytest.raises(ScienceError, match="variance_denominator"):
        fieller_interval(1.0, 2.0, variance_numerator=0.1, variance_denominator=-0.1, level=0.95)
    with pytest.raises(ScienceError, match=r"at most 0\.06 in size"):
        fieller_interval(3.0, 2.0, variance_numerator=0.04, variance_denominator=0.09, covariance=0.07, level=0.95)


def test_fieller_of_correlated_estimates_holds_its_level() -> None:
    """Both ends solve (x - r y)^2 = q (v_x - 2 r c + r^2 v_y)."""
    x, y, vx, vy, c = 3.0, 2.0, 0.04, 0.09, -0.05
    for r in fieller_interval(x, y, variance_numerator=vx, variance_denominator=vy, covariance=c, level=0.95):
        assert (x - r * y) ** 2 == pytest.approx(1.959963984540054**2 * (vx - 2 * r * c + r * r * vy), rel=1e-9)


def test_counts_below_zero_have_no_limits() -> None:
    with pytest.raises(ScienceError, match="element 1: not a count; got -1"):
        poisson_count_intervals(np.array([3.0, -1.0, math.nan]))


def test_profile_end_of_a_perfect_fit_is_the_estimate() -> None:
    def excess(value: float) -> float:
        return 1e-12 + (value - 0.3) ** 2  # rounding leaves the estimate itself above the limit

    assert profile_end(excess, start=0.3, step=1e-9) == 0.3
    assert profile_end(excess, start=0.3, step=-1e-9) == 0.3


@pytest.mark.parametrize("df", [0.0, -1.0, math.nan, "5"])
def test_degrees_of_freedom_are_above_zero(df: object) -> None:
    with pytest.raises(ScienceError, match="not degrees of freedom"):
        cutoff(0.95, df=df)  # type: ignore[arg-type]


def test_estimates_too_large_to_divide_are_named() -> None:
    with pytest.raises(ScienceError, match="too large to divide"):
        fieller_interval(1e300, 2.0, variance_numerator=1.0, variance_denominator=1.0, level=0.95)


@pytest.mark.parametrize("counts", ["5", ["a"], True, None])
def test_text_is_no_count(counts: object) -> None:
    with pytest.raises(ScienceError, match="not counts; wanted finite numbers, 0 or more"):
        poisson_count_intervals(counts)  # type: ignore[arg-type]
