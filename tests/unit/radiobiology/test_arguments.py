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


@pytest.mark.parametrize("bad", ["2", None, [1.0, "2"], True, [[1.0], [1.0, 2.0]], {"a": 1}, 1 + 2j, [None, 1.0]])
def test_what_is_not_numbers_is_said(bad: object) -> None:
    with pytest.raises(ScienceError, match="dose_gy: not numbers"):
        checked({"dose_gy": (bad, ABOVE_ZERO)})  # type: ignore[dict-item]


def test_nothing_is_an_error() -> None:
    with pytest.raises(ScienceError, match="dose_gy: empty"):
        checked({"dose_gy": ([], ABOVE_ZERO)})


def test_shapes_must_go_together() -> None:
    with pytest.raises(ScienceError, match=r"do not go together.*a \(2,\), b \(3,\)"):
        checked({"a": ([1.0, 2.0], ABOVE_ZERO), "b": ([1.0, 2.0, 3.0], ABOVE_ZERO)})
    with pytest.raises(ScienceError, match=r"columns do not go together.*a \(2,\), b \(\)"):
        checked_table({"a": ([1.0, 2.0], ABOVE_ZERO), "b": (1.0, ABOVE_ZERO)})


def test_arrays_broadcast_and_objects_of_numbers_are_numbers() -> None:
    a, b = checked({"a": (np.array([1, 2], dtype=object), ABOVE_ZERO), "b": (pd.Series([3.0]), ABOVE_ZERO)})
    assert a.tolist() == [1.0, 2.0]
    assert b.tolist() == [3.0, 3.0]


def test_a_scalar_is_one_number() -> None:
    assert checked_scalars({"a": (2, ABOVE_ZERO)}) == (2.0,)
    with pytest.raises(ScienceError, match=r"a: not one number; wanted a finite number above 0, got \[1.0, 2.0\]"):
        checked_scalars({"a": ([1.0, 2.0], ABOVE_ZERO)})  # type: ignore[dict-item]
