"""Checks of arguments: every fault named, with its row."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    NOT_NEGATIVE,
    WHOLE_ABOVE_ZERO,
    checked,
    checked_scalars,
    checked_table,
    increasing,
    within,
)


def test_all_faults_are_named_at_once_with_their_rows() -> None:
    with pytest.raises(ScienceError) as caught:
        checked({"dose_gy": ([1.0, -2.0, math.nan], NOT_NEGATIVE), "fractions": (2.5, WHOLE_ABOVE_ZERO)})
    assert str(caught.value).splitlines() == [
        "the arguments are not usable",
        "  - dose_gy, row 2: not usable; wanted a finite number, 0 or more, got -2",
        "  - dose_gy, row 3: not usable; wanted a finite number, 0 or more, got nan",
        "  - fractions: not usable; wanted a whole number, 1 or more, got 2.5",
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("2", "dose_gy: not numbers; wanted a finite number above 0, got '2'"),
        (None, "dose_gy: not numbers; wanted a finite number above 0, got None"),
        (True, "dose_gy: not numbers; wanted a finite number above 0, got True"),
        ({"a": 1}, "dose_gy: not numbers; wanted a finite number above 0, got {'a': 1}"),
        (1 + 2j, "dose_gy: not numbers; wanted a finite number above 0, got (1+2j)"),
        ([10**400], "dose_gy: not numbers; wanted a finite number above 0, got [100000"),
        ([[1.0, 2.0], np.zeros((2, 2))], "dose_gy: not numbers"),
        ([1.0, "2"], "dose_gy, row 2: not a number; wanted a finite number above 0, got '2'"),
        ([None, 1.0], "dose_gy, row 1: not a number; wanted a finite number above 0, got None"),
        ([[1.0, 2.0], [3.0, "4"]], "dose_gy, row 2, 2: not a number; wanted a finite number above 0, got '4'"),
        ([[1.0], [1.0, 2.0]], "dose_gy, row 2: not a number; wanted a finite number above 0, got [1.0, 2.0]"),
        (np.array([1 + 2j, None]), "dose_gy, row 1: not a number; wanted a finite number above 0, got (1+2j)"),
        (np.array([np.complex128(1), 2.0], dtype=object), "dose_gy, row 1: not a number"),
    ],
)
def test_what_is_not_numbers_is_said(bad: object, message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        checked({"dose_gy": (bad, ABOVE_ZERO)})  # type: ignore[dict-item]
    assert message in str(caught.value)


def test_nothing_is_an_error() -> None:
    with pytest.raises(ScienceError, match="dose_gy: empty"):
        checked({"dose_gy": ([], ABOVE_ZERO)})


def test_shapes_must_go_together() -> None:
    with pytest.raises(ScienceError, match=r"do not go together.*a \(2,\), b \(3,\)"):
        checked({"a": ([1.0, 2.0], ABOVE_ZERO), "b": ([1.0, 2.0, 3.0], ABOVE_ZERO)})
    with pytest.raises(ScienceError, match=r"columns do not go together.*a \(2,\), b \(\)"):
        checked_table({"a": ([1.0, 2.0], ABOVE_ZERO), "b": (1.0, ABOVE_ZERO)})


def test_a_table_has_rows_enough() -> None:
    with pytest.raises(ScienceError, match=r"^a, b: too few rows; wanted 3 or more, got 2$"):
        checked_table({"a": ([1.0, 2.0], ABOVE_ZERO), "b": ([1.0, 2.0], ABOVE_ZERO)}, at_least=3)


def test_a_range_includes_its_ends() -> None:
    (found,) = checked({"energy_mev": ([0.5, 2.0], within(0.5, 2, of="MeV"))})
    assert found.tolist() == [0.5, 2.0]
    with pytest.raises(
        ScienceError, match=r"energy_mev, row 2: not usable; wanted a number from 0.5 to 2 MeV, got nan"
    ):
        checked({"energy_mev": ([0.5, math.nan], within(0.5, 2, of="MeV"))})


def test_rows_that_do_not_increase_are_named() -> None:
    assert increasing(np.array([1.0, 2.0]), name="depth_mm").tolist() == [1.0, 2.0]
    with pytest.raises(ScienceError) as caught:
        increasing(np.array([1.0, 2.0, 2.0, 1.5, 3.0]), name="depth_mm")
    assert str(caught.value).splitlines() == [
        "depth_mm does not increase",
        "  - depth_mm, row 3: not above the row before; got 2 after 2",
        "  - depth_mm, row 4: not above the row before; got 1.5 after 2",
    ]


def test_arrays_broadcast_and_objects_of_numbers_are_numbers() -> None:
    a, b = checked({"a": (np.array([1, 2], dtype=object), ABOVE_ZERO), "b": (pd.Series([3.0]), ABOVE_ZERO)})
    assert a.tolist() == [1.0, 2.0]
    assert b.tolist() == [3.0, 3.0]


def test_a_scalar_is_one_number() -> None:
    assert checked_scalars({"a": (2, ABOVE_ZERO)}) == (2.0,)
    with pytest.raises(ScienceError, match=r"a: not one number; wanted a finite number above 0, got \[1.0, 2.0\]"):
        checked_scalars({"a": ([1.0, 2.0], ABOVE_ZERO)})  # type: ignore[dict-item]


def test_a_masked_value_is_not_a_number_but_a_mask_over_nothing_is_no_matter() -> None:
    masked = np.ma.MaskedArray([1.0, 2.0], mask=[False, True])
    with pytest.raises(ScienceError, match="dose_gy: not numbers"):
        checked({"dose_gy": (masked, NOT_NEGATIVE)})
    (whole,) = checked({"dose_gy": (np.ma.MaskedArray([1.0, 2.0], mask=False), NOT_NEGATIVE)})
    assert whole.tolist() == [1.0, 2.0]
