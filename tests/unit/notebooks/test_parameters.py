"""The values of parameters: converted, or refused with all that is wrong, before any kernel starts."""

from __future__ import annotations

import datetime
import json
import math
import pathlib
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ParameterError
from braggbook.notebooks.parameters import Parameters, plain

from .notebook_helpers import default_issues, parameters

CELL = """
dose: float = 2
doses: list[float] = [1.0, 2.0]
cells: int = 200
line: str = "CAL 33"
log: bool = False
level: float | None = None
plating: Literal["fitted", "pooled"] = "fitted"
order: Literal[1, 2] = 1
day: date = "2024-02-29"
moment: datetime = "2024-02-29T12:00:00"
table: Path = "data/counts.csv"
exact: Decimal = 1
pair: tuple[int, str] = (1, "a")
weights: dict[str, float] = {}
mixed: float | str = 1.0
free: Any = None
"""


@pytest.fixture(scope="module")
def known() -> Parameters:
    gray = {"unit": "Gy", "minimum": 0, "maximum": 10}
    return parameters(CELL, dose=gray, doses=gray, weights={"minimum": 0, "maximum": 1}, exact={"unit": "mm"})


def _refusals(known: Parameters, **given_values: Any) -> list[str]:
    with pytest.raises(ParameterError) as caught:
        known.resolve(given_values)
    return [str(issue) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(2.5), 2.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (np.datetime64("2024-02-29T12:00", "ns"), "2024-02-29T12:00:00"),
        (np.array(["2024-02-29"], dtype="M8[ns]"), ["2024-02-29T00:00:00"]),
        (pd.Series([1.5, 2.5]), [1.5, 2.5]),
        (pd.Timestamp("2024-02-29"), "2024-02-29T00:00:00"),
        ((1, (2, 3)), [1, [2, 3]]),
        ({3, 1, 2}, [1, 2, 3]),
        pytest.param(frozenset({"b", "a"}), ["a", "b"], id="frozenset"),
        ({1: (2,)}, {"1": [2]}),
        (pathlib.Path("a/b"), "a/b"),
        (pathlib.PureWindowsPath("a\\b"), "a/b"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC), "2024-02-29T12:00:00+00:00"),
        (datetime.time(12, 30), "12:30:00"),
        (Decimal("0.1"), 0.1),
        (Fraction(1, 4), 0.25),
        (None, None),
    ],
    ids=repr,
)
def test_everything_that_json_can_carry_is_made_plain(value: Any, expected: Any) -> None:
    converted = plain(value)
    assert converted == expected
    assert json.loads(json.dumps(converted, allow_nan=False)) == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    "value", [1 + 2j, b"a", object(), datetime.timedelta(1), np.timedelta64(1, "ns"), range(3), pd.NA]
)
def test_what_has_no_form_in_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        plain([value])


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.array([1, np.inf]), Decimal("NaN")]
)
def test_numbers_that_are_not_finite_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not finite"):
        plain({"x": value})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dose", np.int64(3), 3.0),
        ("dose", Decimal("0.5"), 0.5),
        ("dose", np.array(2), 2.0),
        ("doses", np.array([1, 2]), [1.0, 2.0]),
        ("doses", (1, 2), [1.0, 2.0]),
        ("doses", pd.Series([0.5]), [0.5]),
        ("doses", [], []),
        ("cells", np.uint8(7), 7),
        ("log", np.bool_(True), True),
        ("line", np.str_("x"), "x"),
        ("level", None, None),
        ("day", datetime.date(2024, 5, 1), "2024-05-01"),
        ("day", np.datetime64("2024-05-01"), "2024-05-01"),
        ("moment", pd.Timestamp("2024-05-01 12:00"), "2024-05-01T12:00:00"),
        ("table", pathlib.Path("other.csv"), "other.csv"),
        ("exact", Decimal("0.1"), 0.1),
        ("pair", (2, "b"), [2, "b"]),
        ("weights", {"a": np.float64(0.5)}, {"a": 0.5}),
        ("mixed", "a", "a"),
        ("free", {"a": [1, None]}, {"a": [1, None]}),
    ],
)  # fmt: skip
def test_values_of_a_program_reach_the_type_that_is_declared(
    known: Parameters, name: str, value: Any, expected: Any
) -> None:
    resolved = known.resolve({name: value})[name]
    assert resolved == expected
    assert type(resolved) is type(expected)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("dose", "0.1", 0.1),
        ("dose", " 2 ", 2.0),
        ("dose", ".5", 0.5),
        ("dose", "1.", 1.0),
        ("dose", "+2", 2.0),
        ("dose", "1e-3", 0.001),
        ("doses", "[1, 2.5]", [1.0, 2.5]),
        ("cells", "300", 300),
        ("log", "true", True),
        ("log", "True", True),
        ("level", "null", None),
        ("level", "None", None),
        ("level", "0.1", 0.1),
        ("line", "0.1", "0.1"),
        ("line", "null", "null"),
        ("line", "NaN", "NaN"),
        ("line", "1e999", "1e999"),
        ("line", "200 cGy", "200 cGy"),
        ("line", "", ""),
        ("plating", "pooled", "pooled"),
        ("order", "2", 2),
        ("day", "2024-05-01", "2024-05-01"),
        ("moment", "2024-05-01T12:00:00", "2024-05-01T12:00:00"),
        ("table", "2024/counts.csv", "2024/counts.csv"),
        ("exact", "0.1", 0.1),
        ("pair", '[2, "b"]', [2, "b"]),
        ("weights", '{"a": 1}', {"a": 1.0}),
        ("mixed", "5", 5.0),
        ("mixed", "five", "five"),
    ],
)
def test_text_from_the_command_line_is_read_by_the_type(known: Parameters, name: str, text: str, expected: Any) -> None:
    resolved = known.resolve({name: text})[name]
    assert resolved == expected
    assert type(resolved) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dose", "200 cGy", 2.0),
        ("dose", "2Gy", 2.0),
        ("dose", "2e3 mGy", 2.0),
        ("dose", {"value": 200, "unit": "cGy"}, 2.0),
        ("dose", "30 cGy", 0.3),  # 30 * 0.01 is 0.3, and not 0.30000000000000004 or a neighbour
        ("dose", "7 cGy", 0.07),
        ("doses", "[100, 250] cGy", [1.0, 2.5]),
        ("doses", {"value": (100, 250), "unit": "cGy"}, [1.0, 2.5]),
        ("exact", "1 cm", 10.0),
    ],
)
def test_a_number_with_a_unit_is_converted(known: Parameters, name: str, value: Any, expected: Any) -> None:
    assert known.resolve({name: value})[name] == expected


@pytest.mark.parametrize(
    ("name", "value", "issue"),
    [
        ("dose", "5 s", "dose: wrong unit; wanted Gy, got '5 s'"),
        ("dose", "5 gy", "dose: unknown unit 'gy'; wanted Gy, got '5 gy'"),
        ("dose", "5 Gy/", "dose: not a unit; wanted Gy, got '5 Gy/'"),
        ("dose", "1,5", "dose: wrong type; wanted float, got '1,5'"),
        (
            "dose",
            {"value": "two", "unit": "cGy"},
            "dose: wrong type; wanted float, got {'value': 'two', 'unit': 'cGy'}",
        ),
        ("dose", {"value": True, "unit": "cGy"}, "dose: wrong type; wanted float, got {'value': True, 'unit': 'cGy'}"),
        ("dose", {"value": 1}, "dose: wrong type; wanted float, got {'value': 1}"),
        ("cells", "200 1", "cells: wrong type; wanted int, got '200 1'"),
        ("cells", "200 Gy", "cells: wrong unit; wanted no unit, got '200 Gy'"),
        ("doses", "[1, 2] s", "doses: wrong unit; wanted Gy, got '[1, 2] s'"),
    ],
)
def test_wrong_units_are_refused(known: Parameters, name: str, value: Any, issue: str) -> None:
    assert _refusals(known, **{name: value}) == [issue]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dose", "two"),
        ("dose", None),
        ("dose", [1.0]),
        ("dose", ""),
        ("dose", "nan"),
        ("dose", "Infinity"),
        ("dose", "1e999"),
        ("dose", "1e308 GGy"),
        ("dose", 10**400),
        ("doses", 1.0),
        ("doses", "[1e999]"),
        ("doses", "[" * 5000),
        ("cells", 2.0),
        ("cells", "2.0"),
        ("cells", np.float64(2)),
        ("log", 1),
        ("log", "yes"),
        ("line", 5),
        ("level", "low"),
        ("day", "2024-02-30"),
        ("day", "tomorrow"),
        ("day", 20240501),
        ("day", datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)),
        ("moment", "2024-05"),
        ("table", 5),
        ("pair", (1, "a", 2)),
        ("weights", [1.0]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_another_type_is_refused(known: Parameters, name: str, value: Any) -> None:
    (issue,) = _refusals(known, **{name: value})
    assert issue.startswith(f"{name}: wrong type; wanted ")


def test_a_number_that_is_not_finite_is_named_as_such(known: Parameters) -> None:
    assert _refusals(known, dose=math.nan) == ["dose: a number that is not finite: nan; wanted float, got nan"]
    assert _refusals(known, free=[math.inf]) == ["free: a number that is not finite: inf; wanted Any, got [inf]"]


def test_what_json_cannot_carry_is_named_with_its_type(known: Parameters) -> None:
    assert _refusals(known, dose=1j) == [
        "dose: a value of type complex cannot be written as JSON; wanted float, got 1j"
    ]


def test_a_choice_that_is_not_there_lists_those_that_are(known: Parameters) -> None:
    assert _refusals(known, plating="fited") == [
        "plating: not one of its choices; wanted 'fitted', 'pooled', got 'fited'"
    ]
    assert _refusals(known, order="3") == ["order: not one of its choices; wanted 1, 2, got '3'"]


@pytest.mark.parametrize("value", [True, "true", np.bool_(True), "True"])
def test_a_truth_value_is_never_a_number(known: Parameters, value: Any) -> None:
    for name in ("dose", "cells", "level", "exact"):
        (issue,) = _refusals(known, **{name: value})
        assert "wrong type" in issue
    (issue,) = _refusals(known, doses=[value])
    assert "wrong type" in issue


@pytest.mark.parametrize(
    ("name", "value", "issues"),
    [
        ("dose", -0.1, ["dose: out of bounds; wanted 0 to 10 Gy, got -0.1 Gy"]),
        ("dose", "1001 cGy", ["dose: out of bounds; wanted 0 to 10 Gy, got 10.01 Gy"]),
        ("doses", [1, 11, -1], [f"doses: out of bounds; wanted 0 to 10 Gy, got {x} Gy" for x in (11, -1)]),
        ("weights", {"a": 2, "b": 0.5}, ["weights: out of bounds; wanted 0 to 1, got 2"]),
    ],
)
def test_bounds_hold_for_every_number(known: Parameters, name: str, value: Any, issues: list[str]) -> None:
    assert _refusals(known, **{name: value}) == issues


def test_bounds_are_inclusive_and_may_be_open() -> None:
    closed = parameters("x: float = 1", x={"minimum": 0, "maximum": 1})
    assert [closed.resolve({"x": x})["x"] for x in (0, 1)] == [0, 1]
    opened = parameters("x: float = 1", x={"minimum": 0})
    assert opened.resolve({"x": 1e300})["x"] == 1e300
    assert _refusals(opened, x=-1) == ["x: out of bounds; wanted 0 to inf, got -1"]


def test_an_unknown_name_is_answered_with_the_closest(known: Parameters) -> None:
    assert _refusals(known, dosis=1) == ["dosis: unknown parameter; did you mean doses or dose?"]
    (issue,) = _refusals(known, zzz=1)
    assert issue.startswith("zzz: unknown parameter; wanted one of cells, day, dose, doses")


def test_all_issues_come_at_once_and_name_the_notebook(known: Parameters) -> None:
    with pytest.raises(ParameterError) as caught:
        known.resolve({"dosis": 1, "dose": "5 s", "cells": 1.5, "doses": [11]}, where="survival.ipynb")
    assert str(caught.value) == (
        "survival.ipynb: parameters that the notebook does not accept\n"
        "  - dosis: unknown parameter; did you mean doses or dose?\n"
        "  - dose: wrong unit; wanted Gy, got '5 s'\n"
        "  - cells: wrong type; wanted int, got 1.5\n"
        "  - doses: out of bounds; wanted 0 to 10 Gy, got 11 Gy"
    )
    assert caught.value.exit_code == 2


def test_what_is_not_given_has_its_default(known: Parameters) -> None:
    values = known.resolve({})
    assert values == known.defaults
    assert list(values) == [item.name for item in known.items]
    assert values["pair"] == [1, "a"]


def test_a_default_is_spelled_as_the_same_value_is_when_given(known: Parameters) -> None:
    assert repr(known.resolve({"dose": 2})["dose"]) == repr(known.resolve({})["dose"]) == "2.0"
    assert repr(known.defaults["cells"]) == "200"


@pytest.mark.parametrize(
    ("source", "issue"),
    [
        ("x: int = 1.5", "the default of x: wrong type; wanted int, got 1.5"),
        ("x: float = '0.1'", "the default of x: wrong type; wanted float, got '0.1'"),
        ("x: float = True", "the default of x: wrong type; wanted float, got True"),
        ("x: list[float] = ['1']", "the default of x: wrong type; wanted list[float], got ['1']"),
        ("x: date = 'someday'", "the default of x: wrong type; wanted date, got 'someday'"),
        ("x: Literal['a'] = 'b'", "the default of x: not one of its choices; wanted 'a', got 'b'"),
        ("x = 1e999", "the default of x: a number that is not finite: inf; wanted float, got inf"),
        ("x = b'a'", "the default of x: a value of type bytes cannot be written as JSON; wanted bytes, got b'a'"),
        ("x: float = 7", "the default of x: out of bounds; wanted 0 to 1, got 7"),
    ],
)
def test_a_default_keeps_to_its_own_type_and_bounds(source: str, issue: str) -> None:
    assert default_issues(source, x={"minimum": 0, "maximum": 1}) == [f"parameters cell, line 1: {issue}"]


def test_a_description_of_a_parameter_that_is_not_there_is_a_finding() -> None:
    assert default_issues("dose: float = 1", dosis={"minimum": 0}) == [
        "braggbook.parameters.dosis: described in the front matter but not declared in the parameters cell; did you mean dose?"
    ]


def test_the_schema_is_json_schema_with_units() -> None:
    cell = "dose: float = 2  # absorbed dose\nplating: Literal['fitted', 'pooled'] = 'fitted'\nn: int | None = None"
    schema = parameters(cell, dose={"unit": "Gy", "minimum": 0, "maximum": 10}, n={"help": "cells"}).schema
    assert schema == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "dose": {"type": "number", "default": 2.0, "description": "absorbed dose", "unit": "Gy", "minimum": 0, "maximum": 10},
            "plating": {"type": "string", "enum": ["fitted", "pooled"], "default": "fitted"},
            "n": {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "cells"},
        },
    }  # fmt: skip
    json.dumps(schema, allow_nan=False)


def test_help_in_the_front_matter_goes_before_the_comment() -> None:
    schema = parameters("x = 1  # comment", x={"help": "front matter"}).items[0].schema
    assert schema["description"] == "front matter"


numbers = st.floats(allow_nan=False, allow_infinity=False)
ANY_FLOAT = parameters("x: float = 0\nn: int = 0\nxs: list[float] = []")
GRAY = parameters("x: float = 0", x={"unit": "Gy"})


@given(numbers)
def test_the_text_of_a_number_is_the_number(number: float) -> None:
    assert repr(ANY_FLOAT.resolve({"x": repr(number)})["x"]) == repr(number)
    assert ANY_FLOAT.resolve({"x": number}) == ANY_FLOAT.resolve({"x": str(number)})
    assert ANY_FLOAT.resolve({"xs": f"[{number!r}]"})["xs"] == [number]
    assert GRAY.resolve({"x": f"{number!r} Gy"})["x"] == number


@given(st.integers(-(2**63), 2**63))
def test_the_text_of_a_whole_number_is_the_number(number: int) -> None:
    assert ANY_FLOAT.resolve({"n": str(number)})["n"] == number


@given(st.integers(-(10**6), 10**6), st.sampled_from([("cGy", 100), ("mGy", 1000), ("Gy", 1)]))
def test_a_converted_number_is_the_nearest_to_the_exact_one(number: int, unit: tuple[str, int]) -> None:
    assert GRAY.resolve({"x": f"{number} {unit[0]}"})["x"] == number / unit[1]


anything = (
    st.text(max_size=20) | numbers | st.booleans() | st.none() | st.lists(numbers | st.text(max_size=5), max_size=3)
)


def _resolved(name: str, value: Any) -> Any:
    try:
        return ANY_FLOAT.resolve({name: value})[name]
    except ParameterError:
        return None


@given(anything, st.sampled_from([("x", float), ("n", int), ("xs", list)]))
def test_any_value_becomes_the_declared_type_or_is_refused(value: Any, declared: tuple[str, type]) -> None:
    name, kind = declared
    assert type(_resolved(name, value)) in (kind, type(None))  # any other error would come through


def test_a_whole_number_beyond_every_float_is_refused_without_a_fault() -> None:
    bounded = parameters("cells: int = 200\n", cells={"minimum": 0})
    (issue,) = _refusals(bounded, cells="-" + "9" * 400)
    assert "out of bounds" in issue
    assert "beyond what a float holds" in issue
