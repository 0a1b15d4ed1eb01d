"""The JSON of a result: what is read back, and what is refused from any program that writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from braggbook.formats.common import issues_from
from braggbook.formats.result import (
    ResultInterval,
    ResultsFile,
    ScalarResult,
    TableColumn,
    TableResult,
    result_adapter,
)

SCALAR = {"kind": "scalar", "name": "d10", "value": 4.6, "unit": "Gy"}
TABLE = {"kind": "table", "name": "plates", "columns": [{"name": "n", "type": "integer", "values": [1, 2]}]}
ARRAY = {"dims": ["x"], "shape": [1], "dtype": "<f8", "data": "eJxjYACBD/YABKUBvw=="}
DATASET = {"kind": "dataset", "name": "curves", "variables": {"a": ARRAY}}
FIGURE = {"kind": "figure", "name": "plot", "axes": [{"marks": []}]}


def _issues(payload: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        result_adapter.validate_python(payload)
    return [str(issue) for issue in issues_from(caught.value, where="result")]


@pytest.mark.parametrize("payload", [SCALAR, TABLE, DATASET, FIGURE], ids=lambda payload: payload["kind"])
def test_every_kind_reads_back_from_its_json(payload: dict[str, Any]) -> None:
    result = result_adapter.validate_python(payload)
    assert result.kind == payload["kind"]
    assert result_adapter.validate_json(json.dumps(result.model_dump(mode="json"))) == result


@pytest.mark.parametrize(
    ("payload", "issue"),
    [
        ({**SCALAR, "kind": "number"}, "result: Input tag 'number' found using 'kind' does not match"),
        ({**SCALAR, "name": "D10"}, "result scalar.name: not a slug"),
        ({**SCALAR, "unit": "Gray"}, "result scalar.unit: unknown unit 'Gray'; did you mean Grad or Gy?"),
        ({**SCALAR, "value": float("nan")}, "result scalar.value"),
        ({**SCALAR, "value": None}, "result scalar.value"),
        ({**SCALAR, "value": "4.6"}, "result scalar.value"),
        ({**SCALAR, "value": "yes"}, "result scalar.value"),
        ({**SCALAR, "uncertainty": -0.1}, "result scalar.uncertainty: not a possible value; wanted greater than or"),
        ({**SCALAR, "note": "x"}, "result scalar.note: unknown key 'note'"),
        ({**SCALAR, "interval": {"lower": 2, "upper": 1}}, "the lower limit 2.0 is above the upper limit 1.0"),
        (
            {**SCALAR, "interval": {"level": 1}},
            "result scalar.interval.level: not a possible value; wanted less than 1",
        ),
        ({**SCALAR, "interval": {"lower": float("inf")}}, "result scalar.interval.lower: a value of another type"),
        ({**DATASET, "variables": {"a": {**ARRAY, "shape": [-1]}}}, "wanted greater than or equal to 0, got -1"),
        ({"kind": "figure", "name": "plot"}, "result figure: the key 'axes' is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(payload: dict[str, Any], issue: str) -> None:
    issues = _issues(payload)
    assert any(issue in text for text in issues), issues


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", [1, 2.5, None]),
        ("number", []),
        ("integer", [1, -2, None]),
        ("boolean", [True, False, None]),
        ("text", ["a", "", None]),
    ],
)
def test_cells_of_their_columns_type_pass(kind: str, values: list[Any]) -> None:
    column = TableColumn.model_validate({"name": "c", "type": kind, "values": values})
    assert column.values == values
    assert [type(value) for value in column.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "1"), ("number", True), ("integer", 1.5), ("integer", 2.0), ("integer", False), ("boolean", 1),
        ("boolean", "true"), ("text", 1), ("text", True),
    ],
)  # fmt: skip
def test_a_cell_of_another_type_is_refused(kind: str, value: Any) -> None:
    columns = [{"name": "c", "type": kind, "values": [None, value]}]
    assert _issues({**TABLE, "columns": columns}) == [
        f"result table.columns[0]: a cell of column 'c' is no {kind}: {value!r}"
    ]


def test_columns_have_one_length_and_names_of_their_own() -> None:
    one, two = {"name": "a", "type": "integer", "values": [1]}, {"name": "b", "type": "integer", "values": [1, 2]}
    assert _issues({**TABLE, "columns": [one, two]}) == ["result table: the columns differ in length"]
    assert _issues({**TABLE, "columns": [one, one]}) == ["result table: two columns have one name"]


def test_an_interval_may_be_open_on_either_side() -> None:
    assert ResultInterval(lower=1).upper is None
    assert ResultInterval(upper=1).lower is None
    assert ResultInterval().level == 0.95
    assert ResultInterval(lower=1, upper=1).lower == 1


def test_the_results_file_names_its_format_and_each_result() -> None:
    file = ResultsFile.model_validate({"results": {"d10": SCALAR, "plates": TABLE}})
    assert file.format == "braggbook.results/1"
    assert ResultsFile.model_validate_json(file.model_dump_json()) == file
    with pytest.raises(ValidationError, match=r"braggbook\.results/1"):
        ResultsFile.model_validate({"format": "braggbook.results/2", "results": {}})


finite = st.floats(allow_nan=False, allow_infinity=False)
intervals = (
    st.lists(finite, min_size=2, max_size=2).map(sorted).map(lambda pair: ResultInterval(lower=pair[0], upper=pair[1]))
)
scalars = st.builds(
    ScalarResult, name=st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), value=finite | st.integers(-(10**18), 10**18) | st.booleans(),
    unit=st.sampled_from(["1", "Gy", "1/Gy2", "%"]), uncertainty=st.none() | finite.map(abs), interval=st.none() | intervals,
)  # fmt: skip
cells = st.lists(st.none() | finite | st.integers(-(2**53), 2**53), min_size=3, max_size=3)
columns = st.builds(TableColumn, name=st.text(min_size=1, max_size=5), type=st.just("number"), values=cells)
tables = st.builds(TableResult, name=st.just("t"), columns=st.lists(columns, max_size=3, unique_by=lambda c: c.name))


@given(scalars | tables)
def test_any_result_reads_back_to_the_last_digit_and_type(result: ScalarResult | TableResult) -> None:
    text = json.dumps(result.model_dump(mode="json", exclude_none=True), allow_nan=False)
    back = result_adapter.validate_python(json.loads(text))
    assert repr(back) == repr(result)
