"""Numbers and lists of them: units, tolerance, generic slips, and what is no number."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from braggbook.learn import Number, Slip, Values, Verdict
from braggbook.learn.base import Asked
from braggbook.units import same_dimension

HINTS = ("one", "two", "three")


def judge(expected: Any, answer: Any, *, unit: str = "Gy", given: str | None = None, **more: Any) -> Verdict:
    question = Number("q1", expected=expected, unit=unit, hints=HINTS, **more)
    assert not list(question.faults())
    return question.judge(answer, Asked(given))


def judge_list(expected: Any, answer: Any, *, unit: str = "1", **more: Any) -> Verdict:
    return Values("q1", expected=expected, unit=unit, hints=HINTS, **more).judge(answer, Asked())


@pytest.mark.parametrize(
    "answer",
    [2, 2.0, 2.019, 1.981, np.float32(2), np.array(2.0), np.array([2.0]), [2], Decimal(2), Fraction(2), xr.DataArray(2.0),
     pd.Series([2.0])],
    ids=str,
)  # fmt: skip
def test_whatever_holds_the_right_number_is_right(answer: Any) -> None:
    assert judge(2.0, answer).state == "right"


def test_another_unit_of_the_same_quantity_is_as_good() -> None:
    assert judge(2.0, 200, given="cGy")
    assert judge(2.0, 0.002, given="kGy")
    assert judge(2.0, xr.DataArray(200.0, attrs={"units": "cGy"}))
    assert not judge(2.0, 2, given="cGy")


@pytest.mark.parametrize(
    ("answer", "unit", "expected", "says"),
    [
        (200, "Gy", 2.0, "looks like cGy"),
        (2000, "Gy", 2.0, "looks like mGy"),
        (20, "1", 0.2, "looks like percent"),
        (0.2, "%", 20, "looks like a fraction"),
        (3, "1/Gy", 300, "looks like 1/cGy"),
        (0.0003, "1/Gy2", 3, "looks like 1/cGy2"),
        (180, "rad", math.pi, "looks like deg"),
        (3.0, "h", 0.05, "looks like min"),
        (25, "keV/um", 2.5, "looks like MeV/cm"),
        (-2, "Gy", 2.0, "sign"),
        (2 * math.log(10), "Gy", 2.0, "log10"),
        (2 / math.log(10), "Gy", 2.0, "log10"),
        (0.5, "Gy", 2.0, "reciprocal: its unit would be 1/Gy"),
        (0.5, "1/Gy", 2.0, "reciprocal: its unit would be Gy"),
        (2.1, "Gy", 2.0, "Close, but not within 1 %"),
        (3.7, "Gy", 2.0, "Not within 1 % of the value asked for, in Gy"),
        ([2, 3], "Gy", 2.0, "array (2)"),
        ([[2, 3]], "Gy", 2.0, "array (1 x 2)"),
        (None, "Gy", 2.0, "return"),
        ("2", "Gy", 2.0, "quotes"),
        (True, "Gy", 2.0, "The answer is True"),
        (np.True_, "Gy", 2.0, "asks for a number"),
        (2 + 1j, "Gy", 2.0, "complex"),
        (float("nan"), "Gy", 2.0, "NaN"),
        (float("inf"), "Gy", 2.0, "infinite"),
        (math.sin, "Gy", 2.0, "call it"),
        ({"a": 2}, "Gy", 2.0, "of type dict"),
        (np.array(["2"]), "Gy", 2.0, "of type ndarray"),
        ([1, [2, 3]], "Gy", 2.0, "of type list"),
        ([], "Gy", 2.0, "array (0)"),
    ],
)
def test_each_slip_has_its_message(answer: Any, unit: str, expected: float, says: str) -> None:
    verdict = judge(expected, answer, unit=unit)
    assert verdict.state == "wrong"
    assert says in verdict.message


def test_what_a_unit_given_says() -> None:
    assert "another quantity" in judge(2.0, 2, given="mm").message
    assert "another quantity" in judge(2.0, 2, given="Sv").message
    assert "not understood" in judge(2.0, 2, given="grays").message
    assert "looks like" not in judge(2.0, 200, given="Gy").message  # the unit was named: it is not guessed


def test_hounsfield_units_are_never_taken_for_percent() -> None:
    assert "percent" not in judge(10, 1000, unit="HU").message


def test_a_listed_slip_wins_over_a_generic_one() -> None:
    slips = (Slip(value=200.0, says="You forgot the hundred."),)
    assert judge(2.0, 200, slips=slips).message == "You forgot the hundred."


def test_zero_has_no_generic_slips_and_needs_an_absolute_tolerance() -> None:
    assert judge(0.0, 0.0)
    assert judge(0.0, 0.001, atol=0.01)
    assert judge(0.0, -3.0).slip == ""


@given(
    st.floats(1.5, 1e6),
    st.sampled_from(["Gy", "mm", "keV/um", "%", "s", "MeV"]),
    st.sampled_from([0.0, -1.0, 0.01, 100.0, 0.1, 0.5, 1.03, math.log(10), 1 / math.log(10), 1e3]) | st.floats(-10, 10),
)
def test_no_message_tells_the_value_wanted(expected: float, unit: str, factor: float) -> None:
    verdict = judge(expected, expected * factor, unit=unit)
    numbers = {float(text) for text in re.findall(r"\d+(?:\.\d+)?", verdict.message)} - {1, 0, 10, 2.303}
    assert not numbers or all(abs(number / expected - 1) > 0.01 for number in numbers)


@given(st.floats(1e-3, 1e3), st.sampled_from([("Gy", "cGy"), ("mm", "cm"), ("s", "min"), ("MeV", "keV"), ("1", "%")]))
def test_any_value_in_any_unit_is_right_with_it_and_recognised_without(value: float, units: tuple[str, str]) -> None:
    asked, worked_in = units
    assert same_dimension(asked, worked_in)
    from braggbook.units import conversion_factor

    answer = value * conversion_factor(asked, worked_in)
    assert judge(value, answer, unit=asked, given=worked_in)
    assert judge(value, answer, unit=asked).slip in (f"unit {worked_in}", "percent")


@pytest.mark.parametrize(
    "answer", [[1.0, 0.5, 0.25], (1, 0.5, 0.25), np.array([1, 0.5, 0.25]), pd.Series([1, 0.5, 0.25])]
)
def test_a_list_is_as_good_as_an_array(answer: Any) -> None:
    assert judge_list([1.0, 0.5, 0.25], answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([0.25, 0.5, 1.0], "reverse order"),
        ([0.5, 1.0, 0.25], "another order"),
        ([1.0, 0.5], "has 2 numbers, the question asks for 3"),
        ([1.0, 0.5, 0.3], "2 of 3 values are within 1 %"),
        ([100, 50, 25], "percent"),
        ([-1.0, -0.5, -0.25], "sign"),
        ([1.0, 2.0, 4.0], "reciprocal"),
        ([1.0, float("nan"), 0.25], "at place 1"),
        (1.0, "one number"),
        ("1 0.5", "text"),
        ([1.0, None, 0.25], "array of numbers"),
    ],
)
def test_slips_of_lists(answer: Any, says: str) -> None:
    verdict = judge_list([1.0, 0.5, 0.25], answer)
    assert not verdict
    assert says in verdict.message


def test_rows_and_columns() -> None:
    expected = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert judge_list(expected, np.array(expected))
    assert "exchanged" in judge_list(expected, np.array(expected).T).message


def test_an_object_that_raises_when_it_is_looked_at_is_no_number() -> None:
    class Bad:
        def tolist(self) -> None:
            raise RuntimeError

        def __repr__(self) -> str:
            raise RuntimeError

    assert "Bad" in judge(2.0, Bad()).message
