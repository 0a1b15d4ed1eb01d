"""Declaring results: what is carried, read back to the last digit, and what is refused in clear words."""

from __future__ import annotations

import decimal
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ResultError
from braggbook.formats.result import ScalarResult, result_adapter
from braggbook.notebooks.decode import decode_result
from braggbook.notebooks.results import result

from .notebook_helpers import encode, through_json


def _back(value: Any, **options: Any) -> Any:
    return decode_result(through_json(encode(value, **options)))


def _refusal(value: Any, **options: Any) -> str:
    with pytest.raises(ResultError) as caught:
        encode(value, **options)
    assert str(caught.value).startswith("bb.result('x', ...)")
    return "; ".join([caught.value.what, *map(str, caught.value.issues)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, 0.1), (3, 3), (True, True), (np.float32(0.1), float(np.float32(0.1))), (np.int64(3), 3), (np.bool_(False), False),
        (np.array(0.1), 0.1), (np.array([[0.1]]), 0.1), (5e-324, 5e-324), (-0.0, -0.0), (2**60, 2**60),
    ],
    ids=repr,
)  # fmt: skip
def test_a_number_comes_back_as_it_was(value: Any, expected: Any) -> None:
    back = _back(value, unit="Gy")
    assert repr(back) == repr(expected)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_comes_back_to_the_last_digit(value: float) -> None:
    assert repr(_back(value, unit="1")) == repr(value)


def test_a_number_carries_unit_uncertainty_and_interval() -> None:
    declared = through_json(encode(0.27, unit="1/Gy", uncertainty=np.float64(0.06), interval=(0.15, 0.39)))
    assert isinstance(declared, ScalarResult)
    assert (declared.unit, declared.uncertainty) == ("1/Gy", 0.06)
    assert declared.interval is not None
    assert (declared.interval.lower, declared.interval.upper, declared.interval.level) == (0.15, 0.39, 0.95)


@pytest.mark.parametrize(
    ("interval", "limits"),
    [
        ((1, 2), (1.0, 2.0)),
        ([1, None], (1.0, None)),
        ((None, 2), (None, 2.0)),
        ((-math.inf, 2), (None, 2.0)),
        ((1, math.inf), (1.0, None)),
        ((-math.inf, math.inf), (None, None)),
        (np.array([1.0, 2.0]), (1.0, 2.0)),
        (SimpleNamespace(lower=1, upper=math.inf), (1.0, None)),
    ],
    ids=repr,
)
def test_an_interval_may_be_unbounded(interval: Any, limits: tuple[float | None, float | None]) -> None:
    declared = through_json(encode(1.5, unit="Gy", interval=interval))
    assert isinstance(declared, ScalarResult)
    assert declared.interval is not None
    assert (declared.interval.lower, declared.interval.upper) == limits


def test_an_interval_object_brings_level_and_method() -> None:
    interval = SimpleNamespace(lower=1.0, upper=2.0, level=0.9, method="profile", note="why", other="ignored")
    declared = encode(1.5, unit="Gy", interval=interval)
    assert isinstance(declared, ScalarResult)
    assert declared.interval is not None
    assert (declared.interval.level, declared.interval.method, declared.interval.note) == (0.9, "profile", "why")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((2, 1), "the lower limit 2.0 is above the upper limit 1.0"),
        ((math.inf, 2), "not an interval"),
        ((1, -math.inf), "not an interval"),
        ((math.nan, 1), "not an interval"),
        ((1,), "not an interval"),
        ((1, 2, 3), "not an interval"),
        (5, "not an interval"),
        (("a", "b"), "not a number: a limit of the interval"),
    ],
    ids=repr,
)
def test_what_is_no_interval_is_refused(interval: Any, words: str) -> None:
    assert words in _refusal(1.5, unit="Gy", interval=interval)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "a number without a unit"),
        ({"unit": "Gray"}, "unknown unit 'Gray'"),
        ({"unit": 5}, "wanted a text, got 5"),
        ({"unit": "Gy", "uncertainty": -1}, "wanted greater than or equal to 0, got -1.0"),
        ({"unit": "Gy", "uncertainty": math.nan}, "wanted a finite number, got nan"),
        ({"unit": "Gy", "uncertainty": "small"}, "not a number: the uncertainty"),
    ],
    ids=repr,
)
def test_a_number_without_a_proper_unit_or_uncertainty_is_refused(options: dict[str, Any], words: str) -> None:
    assert words in _refusal(1.5, **options)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    assert _refusal(value, unit="Gy") == "a result that is not finite"


@pytest.mark.parametrize(
    "value",
    [
        "0.1",
        None,
        [1.0],
        {"a": 1},
        1 + 2j,
        decimal.Decimal("0.1"),
        np.array([1.0, 2.0]),
        pd.NA,
        pd.Timestamp(0),
        object,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_result_is_refused(value: Any) -> None:
    assert _refusal(value, unit="1") == "not a result's value"


@pytest.mark.parametrize("name", ["X", "1x", "_x", "x y", "", "x.y", "ä", "x\n"])
def test_a_name_is_a_slug(name: str) -> None:
    with pytest.raises(ResultError, match="not a result's name; wanted lower-case letters, digits, _"):
        result(name, 1.0, unit="1")


def test_a_table_comes_back_with_its_types_and_units() -> None:
    frame = pd.DataFrame({"dose": [0.1, np.nan], "n": [1, 2], "ok": [True, False], "line": ["CAL 33", None]})
    frame.attrs["units"] = {"dose": "cGy", "n": "1", "dropped": "Gy"}
    back = _back(frame, units={"dose": "Gy"})
    assert back.dtypes.astype(str).to_dict() == {"dose": "float64", "n": "Int64", "ok": "boolean", "line": "object"}
    assert back["dose"][0] == 0.1
    assert math.isnan(back["dose"][1])
    assert back["line"].tolist() == ["CAL 33", None]
    assert back.attrs["units"] == {"dose": "Gy", "n": "1"}


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pd.array([1, None], dtype="Int64"), "integer", [1, None]),
        (pd.array([True, None], dtype="boolean"), "boolean", [True, None]),
        (pd.array([0.5, None], dtype="Float64"), "number", [0.5, None]),
        (np.array([0.5], dtype="f4"), "number", [0.5]),
        (np.array([7], dtype="u1"), "integer", [7]),
        (pd.Series([1.5, None], dtype=object), "number", [1.5, None]),
        (pd.Series([1, 2], dtype=object), "integer", [1, 2]),
        (pd.Series(["a", None], dtype=object), "text", ["a", None]),
        (pd.Series([1, "range only"], dtype=object), "text", ["1", "range only"]),
        (pd.Categorical(["b", "a"]), "text", ["b", "a"]),
        (pd.to_datetime(["2024-02-29", None]), "text", ["2024-02-29 00:00:00", None]),
        (pd.Series([], dtype=float), "number", []),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")) or None,
)
def test_every_kind_of_column_has_its_type(values: Any, kind: str, expected: list[Any]) -> None:
    (column,) = through_json(encode(pd.DataFrame({"a": values}))).columns
    assert (column.type, column.values) == (kind, expected)


def test_an_index_with_meaning_becomes_a_column() -> None:
    frame = pd.DataFrame({"alpha": [0.1, 0.2]}, index=pd.Index(["CAL 33", "OKF6"], name="line"))
    assert _back(frame).to_dict("list") == {"line": ["CAL 33", "OKF6"], "alpha": [0.1, 0.2]}
    assert list(_back(pd.Series([1.0], name="dose"))) == ["dose"]
    assert list(_back(frame.reset_index()[1:])) == ["line", "alpha"], "rows that were dropped leave no new column"


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        (pd.DataFrame({"a": [math.inf]}), {}, "a result that is not finite"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "two columns have one name"),
        (pd.DataFrame({"a": [1]}, index=pd.Index(["p"], name="a")), {}, "not a table"),
        (pd.DataFrame({"a": [1]}), {"units": {"b": "Gy", "c": "1"}}, "units of columns that are not there"),
        (pd.DataFrame({"a": [1]}), {"units": {"a": "Gray"}}, "unknown unit 'Gray'"),
        (pd.DataFrame({"a": [1]}), {"unit": "Gy"}, "only a number has a unit, an uncertainty or an interval"),
        (pd.DataFrame({"a": [1]}), {"uncertainty": 1}, "only a number has a unit, an uncertainty or an interval"),
    ],
    ids=["inf", "names", "index", "unknown units", "bad unit", "unit", "uncertainty"],
)
def test_a_table_that_cannot_be_carried_is_refused(frame: pd.DataFrame, options: dict[str, Any], words: str) -> None:
    assert words in _refusal(frame, **options)


def test_an_empty_table_comes_back() -> None:
    assert _back(pd.DataFrame()).shape == (0, 0)
    assert _back(pd.DataFrame({"a": pd.Series([], dtype=int)})).shape == (0, 1)


ARRAYS = {
    "float64": np.array([0.1, np.nan]),
    "float32": np.array([0.1, 2], dtype="f4"),
    "int8": np.array([-1, 2], dtype="i1"),
    "uint16": np.array([1, 65535], dtype="u2"),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j, -1j]),
    "text": np.array(["CAL 33", "µ"], dtype=object),
    "fixed text": np.array(["a", "bcd"]),
    "dates": np.array(["2024-02-29", "NaT"], dtype="M8[ns]"),
    "days": np.array(["2024-02-29", "2024-03-01"], dtype="M8[s]"),
    "durations": np.array([1, -2], dtype="m8[s]"),
    "empty": np.array([]),
}


@pytest.mark.parametrize("values", ARRAYS.values(), ids=ARRAYS)
def test_arrays_come_back_bit_by_bit(values: np.ndarray[Any, Any]) -> None:
    dataset = xr.Dataset({"a": ("x", values, {"units": "1"})}, attrs={"plating": "fitted"})
    back = _back(dataset)
    assert back.identical(dataset)
    assert back["a"].dtype.kind == (dataset["a"].dtype.kind if values.dtype.kind != "U" else "O")


def test_a_dataset_keeps_coordinates_dimensions_and_attributes() -> None:
    grid = np.arange(6.0).reshape(2, 3)
    dataset = xr.Dataset(
        {"dose": (("line", "depth"), grid, {"units": "Gy", "levels": np.array([1, 2])}), "total": 15.0},
        coords={"line": ["a", "b"], "depth": ("depth", [1.0, 2.0, 3.0], {"units": "mm"}), "label": "phantom"},
    )
    back = _back(dataset)
    assert list(back.coords) == list(dataset.coords)
    assert back["dose"].dims == ("line", "depth")
    assert back["dose"].attrs == {"units": "Gy", "levels": [1, 2]}
    np.testing.assert_array_equal(back["dose"].to_numpy(), grid)
    assert back["total"].item() == 15.0
    assert back["label"].item() == "phantom"


def test_any_memory_order_and_byte_order_is_the_same_array() -> None:
    plain = np.arange(6.0).reshape(2, 3)
    for values in (plain, np.asfortranarray(plain), plain.astype(">f8"), plain[::-1][::-1]):
        declared = encode(xr.Dataset({"a": (("x", "y"), values)}))
        assert declared == encode(xr.Dataset({"a": (("x", "y"), plain)}))


def test_an_array_alone_is_a_dataset_of_its_name() -> None:
    assert list(_back(xr.DataArray([1.0], dims="t", name="survival"))) == ["survival"]
    assert list(_back(xr.DataArray([1.0], dims="t"))) == ["x"]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, None], dtype=object),
        np.array([b"a"]),
        np.array([(1, 2.0)], dtype="i4,f8"),
        np.array([{}], dtype=object),
    ],
    ids=["mixed", "bytes", "records", "objects"],
)
def test_an_array_of_objects_is_refused(values: np.ndarray[Any, Any]) -> None:
    assert _refusal(xr.Dataset({"a": ("x", values)})) == "not an array"


def test_a_unit_of_a_whole_dataset_is_refused_rather_than_lost() -> None:
    assert "only a number has a unit" in _refusal(xr.DataArray(1.5), unit="Gy")


def test_outside_jupyter_a_result_is_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    result("alpha", 0.27, unit="1/Gy", uncertainty=0.06)
    assert capsys.readouterr().out == "alpha = 0.270 ± 0.060 1/Gy\n"


def test_a_program_without_displays_appends_to_the_results_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    code = "import braggbook as bb\nbb.result('a', 1.5, unit='Gy')\nbb.result('b', 2, unit='1')"
    env = {**os.environ, "BRAGGBOOK_RESULTS": str(path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "a = 1.5 Gy\nb = 2\n"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [result_adapter.validate_python(line).name for line in lines] == ["a", "b"]
    assert lines[0] == {"kind": "scalar", "name": "a", "value": 1.5, "unit": "Gy"}
