"""Numbers between two ends: the ends exactly, the right count, each the float nearest to the true value."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from braggbook.runs.spacing import (
    Interval,
    between,
    latin_hypercube,
    linear,
    logarithmic,
    read_decimal,
    step_count,
    stepped,
)

ends = st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: Decimal(repr(number)))
sizes = st.floats(1e-9, 1e9).map(lambda number: Decimal(repr(number)))
counts = st.integers(2, 60)


def _monotonic(values: list[Any], start: Decimal, stop: Decimal) -> bool:
    ordered = [one <= other for one, other in itertools.pairwise(values if start < stop else values[::-1])]
    return all(ordered)


@given(ends, ends, counts)
def test_evenly_spaced_numbers_are_the_nearest_to_the_true_ones(start: Decimal, stop: Decimal, count: int) -> None:
    values = list(linear(start, stop, count=count))
    assert len(values) == count
    assert (values[0], values[-1]) == (float(start), float(stop))
    assert _monotonic(values, start, stop)
    for index, value in enumerate(values):
        assert value == float(Fraction(start) + (Fraction(stop) - Fraction(start)) * index / (count - 1))


@given(sizes, sizes, counts, st.sampled_from([1, -1]))
def test_numbers_at_equal_ratios_keep_their_ends_and_order(
    start: Decimal, stop: Decimal, count: int, sign: int
) -> None:
    values = list(logarithmic(sign * start, sign * stop, count=count))
    assert len(values) == count
    assert (values[0], values[-1]) == (float(sign * start), float(sign * stop))
    assert _monotonic(values, sign * start, sign * stop)
    np.testing.assert_allclose(values, np.geomspace(float(sign * start), float(sign * stop), count), rtol=1e-12)


@given(ends, sizes, st.integers(0, 60))
def test_steps_end_at_the_end_that_they_hit(start: Decimal, step: Decimal, number: int) -> None:
    stop = Fraction(start) + number * Fraction(step)
    assume(Fraction(Decimal(stop.numerator) / Decimal(stop.denominator)) == stop)  # as a person could have typed it
    end = Decimal(stop.numerator) / Decimal(stop.denominator)
    values = list(stepped(start, end, step=step))
    assert len(values) == number + 1 == step_count(start, end, step=step)
    assert (values[0], values[-1]) == (float(start), float(end))
    assert values == [float(Fraction(start) + index * Fraction(step)) for index in range(number + 1)]


@pytest.mark.parametrize(
    ("start", "stop", "step", "expected"),
    [
        ("0", "1", "0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("0", "1", "0.3", [0, 0.3, 0.6, 0.9]),
        ("1", "0", "-0.5", [1, 0.5, 0]),
        ("0", "1", "0.333333333333", [0, 0.333333333333, 0.666666666666, 1]),  # the last is the end, not beside it
        ("0", "1", "0.333333333334", [0, 0.333333333334, 0.666666666668, 1]),
        ("0", "1", "0.3333", [0, 0.3333, 0.6666, 0.9999]),
        ("0", "0.5", "1", [0]),
        ("2", "2", "1", [2]),
    ],
)
def test_steps_go_up_to_the_end(start: str, stop: str, step: str, expected: list[float]) -> None:
    assert list(stepped(Decimal(start), Decimal(stop), step=Decimal(step))) == expected


def test_whole_numbers_are_whole_and_powers_of_ten_are_exact() -> None:
    values = list(logarithmic(Decimal("0.001"), Decimal(10**6), count=10))
    assert values == [0.001, 0.01, 0.1, 1, 10, 100, 1000, 10**4, 10**5, 10**6]
    assert [type(value) for value in values] == [float] * 3 + [int] * 7
    assert [type(value) for value in linear(Decimal("1.0"), Decimal("2.0"), count=3)] == [int, float, int]


def test_a_large_power_is_a_float_for_its_last_digits_are_not_known() -> None:
    middle = between(Decimal("1e200"), Decimal("1e300"), part=Decimal("0.5"))
    assert isinstance(middle, float)
    assert middle == 1e250


def test_the_context_of_whoever_calls_changes_nothing() -> None:
    import decimal

    plain = list(logarithmic(Decimal(1), Decimal(100), count=7))
    with decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact])):
        assert list(logarithmic(Decimal(1), Decimal(100), count=7)) == plain


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", Decimal(1)),
        ("-.5e-3", Decimal("-0.0005")),
        ("1.", Decimal(1)),
        ("0e99999999999999999999999", Decimal(0)),
        ("1e308", Decimal("1e308")),
        ("1e309", None),
        ("1e-400", None),
        ("1e-999999999999999999999999", None),
        ("1" * 401, None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("1_000", None),
        ("٣", None),
        ("1 ", None),
    ],
)
def test_only_what_a_float_can_hold_is_a_number(text: str, number: Decimal | None) -> None:
    assert read_decimal(text) == number


@given(st.lists(st.sampled_from([Interval(0.5, 2.0), Interval(1e-3, 10.0, log=True), Interval(-10.0, -1e-3, log=True)])
                , min_size=1, max_size=3), st.integers(1, 40), st.integers(0, 2**32))  # fmt: skip
def test_each_part_of_an_interval_holds_one_point(intervals: list[Interval], points: int, seed: int) -> None:
    for interval, values in zip(intervals, latin_hypercube(intervals, points=points, seed=seed), strict=True):
        low, high = interval.low, interval.high
        if interval.log:
            parts = [math.log(value / low) / math.log(high / low) for value in values]
        else:
            parts = [(value - low) / (high - low) for value in values]
        assert sorted(math.floor(min(part, 1 - 1e-12) * points + 1e-9) for part in parts) == list(range(points))


def test_the_seed_decides_and_nothing_else() -> None:
    intervals = [Interval(0.0, 1.0), Interval(1, 100, log=True, whole=True)]
    first = latin_hypercube(intervals, points=20, seed=7)
    assert latin_hypercube(intervals, points=20, seed=7) == first
    assert latin_hypercube(intervals, points=20, seed=8) != first


def test_whole_numbers_have_equal_shares() -> None:
    (values,) = latin_hypercube([Interval(-1, 2, whole=True)], points=40, seed=1)
    assert sorted(values) == [-1] * 10 + [0] * 10 + [1] * 10 + [2] * 10
    assert {type(value) for value in values} == {int}


@given(st.integers(1, 1000), st.integers(1, 1000), st.floats(0, 1, exclude_max=True), st.sampled_from([1, -1]))
def test_whole_numbers_stay_in_their_interval(low: int, width: int, part: float, sign: int) -> None:
    interval = Interval(*sorted([sign * low, sign * (low + width)]), log=True, whole=True)
    value = interval.at(part)
    assert isinstance(value, int)
    assert interval.low <= value <= interval.high
    assert interval.low <= Interval(interval.low, interval.high, whole=True).at(part) <= interval.high


def test_an_interval_of_all_floats_does_not_overflow() -> None:
    assert Interval(-1.7e308, 1.7e308).at(0.5) == 0.0
