"""Comparing a result with its repetition: identical, within tolerance, or how far beyond and where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import Result
from braggbook.runs.compare import Comparison, compare_results

from .run_helpers import array, figure, scalar, table


def _compare(expected: Result, actual: Result, **tolerance: float) -> Comparison:
    kinds = {"unit": "1"} if expected.kind == "scalar" else {"kind": expected.kind}
    (row,) = compare_results({"x": expected}, {"x": actual}, {"x": ResultSpec(**kinds, **tolerance)})
    return row


def _verdict(row: Comparison) -> str:
    return "identical" if row.identical else "within" if row.same else "beyond"


@pytest.mark.parametrize(
    "make",
    [
        lambda: scalar(0.1, uncertainty=0.01, interval=(None, 0.2)),
        lambda: table({"a": [1.0, None], "b": ["x", None], "c": [True, False], "d": [1, 2]}),
        lambda: array([[0.1, np.nan], [np.inf, -np.inf]]),
        lambda: array(["a", "b"]),
        lambda: array(np.array(["2024-02-29", "NaT"], dtype="M8[ns]")),
        lambda: array(np.array([1, 2], dtype="m8[s]")),
        lambda: array(np.array([1 + 2j, complex("nan")])),
        lambda: array(np.array(0.1)),
        lambda: array(np.array([])),
        lambda: array([True, False]),
        lambda: figure({"type": "line", "x": [1.0, None], "y": [2.0, 3.0]}),
    ],
)
def test_the_same_result_twice_is_identical(make: Any) -> None:
    row = _compare(make(), make(), rtol=0, atol=0)
    assert _verdict(row) == "identical"
    assert (row.where, row.difference) == ("", "")


@pytest.mark.parametrize(
    ("actual", "verdict"), [(1.0, "identical"), (1 + 9e-7, "within"), (1 - 9e-7, "within"), (1 + 2e-6, "beyond")]
)
def test_the_tolerance_divides_within_from_beyond(actual: float, verdict: str) -> None:
    assert _verdict(_compare(scalar(1.0), scalar(actual))) == verdict
    assert _verdict(_compare(array([1.0]), array([actual]))) == verdict
    assert _verdict(_compare(table({"a": [1.0]}), table({"a": [actual]}))) == verdict
    one, other = ({"type": "line", "x": [x], "y": [0.0]} for x in (1.0, actual))
    assert _verdict(_compare(figure(one), figure(other))) == verdict


def test_zero_is_compared_by_the_absolute_tolerance() -> None:
    for make in (scalar, lambda value: array([value])):
        assert _verdict(_compare(make(0.0), make(1e-13))) == "within"
        assert _verdict(_compare(make(0.0), make(1e-11))) == "beyond"
        assert _verdict(_compare(make(0.0), make(1e-13), atol=0)) == "beyond"
        assert _verdict(_compare(make(0.0), make(-0.0), rtol=0, atol=0)) == "identical"


def test_no_tolerance_means_to_the_last_digit() -> None:
    after = math.nextafter(0.1, 1)
    assert _verdict(_compare(scalar(0.1), scalar(after), rtol=0, atol=0)) == "beyond"
    assert _verdict(_compare(array([0.1]), array([after]), rtol=0, atol=0)) == "beyond"
    assert _verdict(_compare(array([1e300]), array([-1e300]), rtol=0, atol=0)) == "beyond"


@given(
    st.floats(-1e100, 1e100),
    st.floats(-1e100, 1e100),
    st.sampled_from([0.0, 1e-6, 0.1]),
    st.sampled_from([0.0, 1e-12, 1.0]),
)
def test_every_kind_of_number_is_judged_alike(expected: float, actual: float, rtol: float, atol: float) -> None:
    makers = (scalar, lambda value: array([value]), lambda value: table({"a": [value]}))
    verdicts = {_verdict(_compare(make(expected), make(actual), rtol=rtol, atol=atol)) for make in makers}
    inside = abs(actual - expected) <= atol + rtol * abs(expected)
    assert verdicts == {"identical" if actual == expected else "within" if inside else "beyond"}


def test_a_whole_number_and_its_float_are_the_same_in_a_table_and_not_in_an_array() -> None:
    assert _verdict(_compare(scalar(2), scalar(2.0))) == "identical"
    assert _verdict(_compare(table({"a": [2]}), table({"a": [2.0]}))) == "identical"
    row = _compare(array(np.array([2])), array(np.array([2.0])))
    assert (_verdict(row), row.difference) == ("beyond", "int64[1] against float64[1]")


def test_precision_alone_is_no_other_type() -> None:
    assert _verdict(_compare(array(np.array([0.5], dtype="f4")), array(np.array([0.5])))) == "identical"


@pytest.mark.parametrize(
    ("expected", "actual", "where", "difference"),
    [
        ([1.0, 2.0], [1.0, np.nan], "a.values[1]", "missing in one of the two"),
        ([np.nan, 2.0], [1.0, 2.0], "a.values[0]", "missing in one of the two"),
        ([np.inf, 2.0], [-np.inf, 2.0], "a.values[0]", "np.float64(inf) against np.float64(-inf)"),
        ([np.inf, 2.0], [1.0, 2.0], "a.values[0]", "np.float64(inf) against np.float64(1.0)"),
        ([1.0, 2.0], [np.inf, 2.0], "a.values[0]", "np.float64(1.0) against np.float64(inf)"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "a.values", "float64[2] against float64[3]"),
        ([[1.0, 2.0]], [[1.0], [2.0]], "a.values", "float64[1, 2] against float64[2, 1]"),
        ([1.0, 2.0], [1.0, 2.5], "a.values[1]", "2.0 against 2.5: differs by 0.25 of it"),
        ([0.0], [0.5], "a.values[0]", "0.0 against 0.5: differs by 0.5"),
        (
            [[1.0, 2.0], [3.0, 4.0]],
            [[1.0, 2.1], [3.5, 4.0]],
            "a.values[1, 0]",
            "3.0 against 3.5: differs by 0.17 of it",
        ),
        (["a", "b"], ["a", "c"], "a.values[1]", "'b' against 'c'"),
        ([True, False], [True, True], "a.values[1]", "np.False_ against np.True_"),
        ([1, 2], [1, 3], "a.values[1]", "np.int64(2) against np.int64(3)"),
        (np.array([1 + 1j]), np.array([1 + 2j]), "a.values[0]", "(1+1j) against (1+2j): differs by 0.71 of it"),
        ([1.0], ["a"], "a.values", "float64[1] against object[1]"),
    ],
)
def test_the_place_and_the_size_of_a_difference_in_arrays(
    expected: Any, actual: Any, where: str, difference: str
) -> None:
    row = _compare(array(expected), array(actual))
    assert (_verdict(row), row.where, row.difference) == ("beyond", where, difference)


def test_dates_are_compared_to_the_last_tick() -> None:
    one, other = (array(np.array([day, "NaT"], dtype="M8[ns]")) for day in ("2024-02-28", "2024-02-29"))
    row = _compare(one, other)
    assert (_verdict(row), row.where) == ("beyond", "a.values[0]")
    assert _verdict(_compare(one, array(np.array(["2024-02-28", "2024-02-28"], dtype="M8[ns]")))) == "beyond"


def test_the_worst_of_many_differences_is_named() -> None:
    row = _compare(array([1.0, 10.0, 100.0]), array([1.1, 10.5, 100.1]))
    assert row.where == "a.values[0]"
    row = _compare(table({"a": [1.0, 1.0], "b": [1.0, 1.0]}), table({"a": [1.0, 1.01], "b": [1.5, 1.0]}))
    assert row.where == "b.values[0]"
    row = _compare(table({"a": [1.0], "b": ["x"]}), table({"a": [9.0], "b": ["y"]}))
    assert (row.where, row.difference) == ("b.values[0]", "'x' against 'y'"), "what no number can tell is the worst"


def test_a_difference_within_is_named_too() -> None:
    row = _compare(scalar(1.0), scalar(1 + 1e-9))
    assert (row.same, row.identical, row.where) == (True, False, "value")
    assert row.difference.startswith("1.0 against 1.000000001: differs by 1e-09 of it")
    assert row.tolerance == "rtol 1e-06, atol 1e-12"


@pytest.mark.parametrize(
    ("expected", "actual", "where"),
    [
        (scalar(1.0, "Gy"), scalar(1.0, "cGy"), "unit"),
        (scalar(1.0, uncertainty=0.1), scalar(1.0, uncertainty=0.2), "uncertainty"),
        (scalar(1.0, uncertainty=0.1), scalar(1.0), "uncertainty"),
        (scalar(1.0, interval=(0, 2)), scalar(1.0, interval=(0, 3)), "interval.upper"),
        (scalar(1.0, interval=(0, 2)), scalar(1.0, interval=(0, None)), "interval.upper"),
        (scalar(1.0, interval=(0, 2)), scalar(1.0), "interval"),
        (table({"a": [1.0]}, units={"a": "Gy"}), table({"a": [1.0]}), "a.unit"),
        (table({"a": [1.0]}), table({"b": [1.0]}), "a"),
        (table({"a": [1.0]}), table({"a": [1.0], "b": [1.0]}), "b"),
        (table({"a": [1.0]}), table({"a": [1.0, 2.0]}), "a.values"),
        (table({"a": [1.0, None]}), table({"a": [1.0, 0.0]}), "a.values[1]"),
        (table({"a": ["x"]}), table({"a": ["X"]}), "a.values[0]"),
        (array([1.0], dims=["t"]), array([1.0], dims=["depth"]), "a.dims[0]"),
        (array([1.0], units="Gy"), array([1.0], units="cGy"), "a.units"),
        (array([1.0], units="Gy"), array([1.0], units=None), "a.units"),
        (array([1.0]), array([1.0], name="b"), "a"),
        (figure({"type": "line", "x": [1.0]}), figure({"type": "line", "x": [1.0, 2.0]}), "axes[0].marks[0].x"),
        (figure({"type": "line", "x": [1.0]}), figure({"type": "line", "x": [None]}), "axes[0].marks[0].x[0]"),
        (figure({"type": "line", "label": "a"}), figure({"type": "line", "label": "b"}), "axes[0].marks[0].label"),
        (figure({"type": "line"}), figure(), "axes[0].marks"),
        (figure(title="one"), figure(title="two"), "axes[0].title"),
    ],
)
def test_everything_that_counts_is_compared(expected: Result, actual: Result, where: str) -> None:
    row = _compare(expected, actual)
    assert (_verdict(row), row.where) == ("beyond", where)
    assert row.difference


def test_a_drawing_and_its_words_do_not_count() -> None:
    row = _compare(figure(svg="<svg>1</svg>", alt="one", png="AAAA"), figure(svg="<svg>2</svg>", alt="two"))
    assert _verdict(row) == "identical"


def test_another_kind_is_beyond() -> None:
    assert _verdict(_compare(scalar(1.0), table({"a": [1.0]}))) == "beyond"
    assert _verdict(_compare(array([1.0]), table({"a": [1.0]}))) == "beyond"


def test_missing_and_extra_results_are_rows_of_their_own() -> None:
    specs = {"gone": ResultSpec(unit="1"), "never": ResultSpec(unit="1")}
    rows = compare_results({"gone": scalar(1.0)}, {"extra": scalar(2.0)}, specs)
    assert [(row.name, row.expected, row.actual, row.same, row.difference) for row in rows] == [
        ("gone", "1", "–", False, "not there after repeating"),
        ("extra", "–", "2", False, "not there in the record"),
    ]


def test_rows_stand_in_the_order_of_the_declaration() -> None:
    results = {name: scalar(1.0) for name in ("b", "undeclared", "a")}
    rows = compare_results(results, results, {"a": ResultSpec(unit="1"), "b": ResultSpec(unit="1")})
    assert len(rows) == 3
    assert all(row.identical for row in rows)
