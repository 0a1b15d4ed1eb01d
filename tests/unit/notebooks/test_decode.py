"""Reading results back from a notebook or a file, and telling what is damaged or not as declared."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from braggbook.errors import ResultError
from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import MIME, ArrayVariable, FigureResult, result_adapter
from braggbook.notebooks.decode import check_results, decode_array, decode_result, read_results

from .notebook_helpers import encode

SCALAR = {"kind": "scalar", "name": "dose", "value": 1.5, "unit": "Gy"}


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


ARRAY: dict[str, Any] = {"dims": ["x"], "shape": [2], "dtype": "<f8", "data": _packed(np.array([1.0, 2.0]).tobytes())}


def _notebook(*bundles: dict[str, Any]) -> NotebookNode:
    outputs = [new_output("display_data", data=data) for data in bundles]
    stream = new_output("stream", text="talk")
    return new_notebook(
        cells=[new_markdown_cell("prose"), new_code_cell("", outputs=[stream, *outputs]), new_code_cell("")]
    )


def _read(*bundles: dict[str, Any], extra: Path | None = None) -> tuple[list[str], list[str]]:
    found, issues = read_results(_notebook(*bundles), extra)
    return list(found), [str(issue) for issue in issues]


def _check(results: dict[str, Any], **specs: dict[str, Any]) -> list[str]:
    declared = {name: encode(value[0], name=name, **value[1]) for name, value in results.items()}
    return [str(issue) for issue in check_results(declared, {name: ResultSpec(**spec) for name, spec in specs.items()})]


def test_results_are_found_among_other_outputs() -> None:
    names, issues = _read(
        {"text/plain": "x"}, {MIME: SCALAR, "text/plain": "dose"}, {MIME: {**SCALAR, "name": "level"}}
    )
    assert (names, issues) == (["dose", "level"], [])


def test_a_notebook_without_results_has_none() -> None:
    assert _read() == ([], [])


def test_the_picture_beside_a_figure_is_taken_into_it() -> None:
    figure = {"kind": "figure", "name": "plot", "axes": []}
    found, _ = read_results(_notebook({MIME: figure, "image/png": "cGl4ZWxz"}))
    assert isinstance(found["plot"], FigureResult)
    assert found["plot"].png == "cGl4ZWxz"


def test_one_value_declared_twice_is_fine_and_two_are_not() -> None:
    assert _read({MIME: SCALAR}, {MIME: SCALAR}) == (["dose"], [])
    assert _read({MIME: SCALAR}, {MIME: {**SCALAR, "value": 2}})[1] == ["cell 2: dose: declared twice, with two values"]


def test_a_payload_that_is_no_result_is_named_with_its_cell() -> None:
    names, issues = _read({MIME: {**SCALAR, "unit": "Gray"}}, {MIME: {}})
    assert names == []
    assert issues[0] == "cell 2 scalar.unit: unknown unit 'Gray'; did you mean Grad or Gy?"
    assert issues[1].startswith("cell 2")
    assert len(issues) == 2


def test_the_file_of_other_languages_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(json.dumps(SCALAR).encode() + b'\nnot JSON\n{"kind": "scalar"}\n\xff\n')
    names, issues = _read({MIME: {**SCALAR, "name": "level"}}, extra=path)
    assert names == ["level", "dose"]
    assert {issue.partition(" scalar")[0].partition(":")[0] for issue in issues} == {
        f"results file, line {number}" for number in (2, 3, 4)
    }
    assert _read(extra=tmp_path / "none") == ([], [])


DAMAGE = {
    "truncated base64": ({"data": ARRAY["data"][:-6]}, "Incorrect padding"),
    "truncated stream": (
        {"data": base64.b64encode(zlib.compress(bytes(range(16)))[:12]).decode()},
        " bytes of data for an array of 16",
    ),
    "no base64": ({"data": "µ"}, "string argument should contain only ASCII characters"),
    "no zlib": ({"data": "AAAA"}, "Error -3 while decompressing data"),
    "too few": ({"shape": [3]}, "16 bytes of data for an array of 24 bytes"),
    "too many": ({"shape": [1]}, "9 bytes of data for an array of 8 bytes"),
    "bomb": ({"data": _packed(b"\0" * 10**7)}, "17 bytes of data for an array of 16 bytes"),
    "too large": ({"shape": [1 << 28]}, "an array of 2147483648 bytes is too large to be embedded"),
    "overflow": ({"shape": [1 << 40, 1 << 40], "dims": ["x", "y"]}, "is too large to be embedded"),
    "dimensions": ({"dims": ["x", "y"]}, "2 dimensions for a shape of 1"),
    "unknown type": ({"dtype": "float99"}, "data type 'float99' not understood"),
    "objects": ({"dtype": "|O"}, "arrays of type |O cannot be embedded"),
    "records": ({"dtype": "V8"}, "arrays of type V8 cannot be embedded"),
    "texts": ({"dtype": "text"}, "texts must be a list"),
    "list": ({"data": ["1", "2"]}, "binary data must be a base64 text"),
    "text shape": ({"dtype": "text", "data": ["a"]}, "cannot reshape array of size 1 into shape (2,)"),
}


@pytest.mark.parametrize(("change", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_array_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ResultError, match="an array that cannot be read") as caught:
        decode_array(ArrayVariable.model_validate({**ARRAY, **change}), where="a")
    assert words in caught.value.got
    assert caught.value.where == "a"


@pytest.mark.parametrize(("change", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_array_in_a_notebook_is_an_issue(change: dict[str, Any], words: str) -> None:
    payload = {"kind": "dataset", "name": "curves", "variables": {"ok": ARRAY, "a": {**ARRAY, **change}}}
    names, (issue,) = _read({MIME: payload}, {MIME: SCALAR})
    assert names == ["dose"]
    assert issue.startswith("cell 2: curves: cannot be read; got a: ")
    assert words in issue


def test_arrays_that_do_not_fit_together_are_an_issue() -> None:
    longer = {**ARRAY, "shape": [3], "data": _packed(b"\0" * 24)}
    names, (issue,) = _read({MIME: {"kind": "dataset", "name": "curves", "variables": {"a": ARRAY, "b": longer}}})
    assert names == []
    assert issue.startswith("cell 2: curves: cannot be read; got conflicting sizes for dimension 'x'")


def test_a_whole_number_too_large_for_a_table_is_an_issue() -> None:
    columns = [{"name": "n", "type": "integer", "values": [2**70]}]
    names, (issue,) = _read({MIME: {"kind": "table", "name": "t", "columns": columns}})
    assert names == []
    assert issue.startswith("cell 2: t: cannot be read")


def test_a_bomb_is_not_unpacked_before_it_is_refused() -> None:
    bomb = ArrayVariable.model_validate({**ARRAY, "shape": [4], "data": _packed(b"\0" * 50_000_000)})
    with pytest.raises(ResultError) as caught:
        decode_array(bomb)
    assert caught.value.got == "33 bytes of data for an array of 32 bytes"


def test_an_attribute_cannot_turn_numbers_into_something_else() -> None:
    variable = ArrayVariable.model_validate({**ARRAY, "attrs": {"numpy_dtype": "<i4"}})
    assert decode_array(variable).tolist() == [1.0, 2.0]


def test_a_figure_comes_back_as_its_axes() -> None:
    figure = result_adapter.validate_python({"kind": "figure", "name": "plot", "axes": [{"marks": []}]})
    assert decode_result(figure) == [{"marks": []}]


def test_results_as_declared_have_no_issue() -> None:
    frame = pd.DataFrame({"dose": [1.0], "line": ["a"]})
    dataset = xr.Dataset({"a": ("x", [1.0], {"units": "Gy-1"}), "b": ("x", ["text"])})
    results = {"d": (1.0, {"unit": "Gy-1"}), "t": (frame, {"units": {"dose": "Gy"}}), "s": (dataset, {})}
    specs = {
        "d": {"unit": "1/Gy"},
        "t": {"kind": "table", "units": {"dose": "Gy"}},
        "s": {"kind": "dataset", "units": {"a": "1/Gy", "b": "1"}},
    }
    assert _check(results, **specs) == []


@pytest.mark.parametrize(
    ("results", "specs", "issue"),
    [
        ({}, {"d": {"unit": "Gy"}}, "d: declared result is missing; wanted bb.result('d', ...)"),
        ({"d": (1.0, {"unit": "cGy"})}, {"d": {"unit": "Gy"}}, "d: result in another unit; wanted Gy, got cGy"),
        (
            {"d": (1.0, {"unit": "1"})},
            {"d": {"kind": "figure"}},
            "d: result of another kind; wanted figure, got scalar",
        ),
    ],
)
def test_what_is_not_as_declared_is_named(results: dict[str, Any], specs: dict[str, Any], issue: str) -> None:
    assert _check(results, **specs) == [issue]


def test_a_result_that_was_not_declared_is_answered_with_the_closest() -> None:
    assert _check({"dosis": (1.0, {"unit": "Gy"})}, dose={"unit": "Gy"}) == [
        "dose: declared result is missing; wanted bb.result('dose', ...)",
        "dosis: result is not declared in the front matter; did you mean dose?",
    ]


@pytest.mark.parametrize("kind", ["table", "dataset"])
def test_missing_values_must_be_allowed(kind: str) -> None:
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": [1.0, 2.0]})
    value = frame if kind == "table" else xr.Dataset.from_dataframe(frame)
    wanted = "finite values, or `missing: true` in the front matter"
    assert _check({"t": (value, {})}, t={"kind": kind}) == [f"t.a: missing or not finite; wanted {wanted}"]
    assert _check({"t": (value, {})}, t={"kind": kind, "missing": True}) == []


@pytest.mark.parametrize(
    "values",
    [
        np.array([np.inf]),
        np.array([complex("nan")]),
        np.array(["NaT"], dtype="M8[ns]"),
        np.array(["NaT"], dtype="m8[s]"),
    ],
    ids=["inf", "complex", "date", "duration"],
)
def test_every_kind_of_gap_in_an_array_is_found(values: np.ndarray[Any, Any]) -> None:
    (issue,) = _check({"s": (xr.Dataset({"a": ("x", values)}), {})}, s={"kind": "dataset"})
    assert issue.startswith("s.a: missing or not finite")


@pytest.mark.parametrize("kind", ["table", "dataset"])
def test_units_of_parts_are_compared(kind: str) -> None:
    frame = pd.DataFrame({"dose": [1.0], "n": [1]})
    table = (frame, {"units": {"dose": "cGy"}})
    arrays = (xr.Dataset({"dose": ("x", [1.0], {"units": "cGy"}), "n": ("x", [1])}), {})
    spec = {"kind": kind, "units": {"dose": "Gy", "n": "1", "doze": "Gy"}}
    assert _check({"t": table if kind == "table" else arrays}, t=spec) == [
        "t.dose: result in another unit; wanted Gy, got cGy",
        "t.doze: declared part is missing; did you mean dose?",
    ]


@pytest.mark.parametrize("units", ["Gray", 1, "counts per plate", None, ["Gy"]])
def test_an_attribute_that_is_no_unit_is_another_unit(units: Any) -> None:
    dataset = xr.Dataset({"a": ("x", [1.0], {"units": units})})
    got = units or "no unit"
    assert _check({"s": (dataset, {})}, s={"kind": "dataset", "units": {"a": "Gy"}}) == [
        f"s.a: result in another unit; wanted Gy, got {got}"
    ]
