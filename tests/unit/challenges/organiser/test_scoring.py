"""What a scoring notebook may say, and what is no score."""

from __future__ import annotations

from typing import Any

import pytest

from braggbook.challenges.scoring import read_scores
from braggbook.errors import RunError
from braggbook.formats.challenge import Metric
from braggbook.formats.result import Result, result_adapter

CASES = ["a", "b"]
ERROR: dict[str, Any] = {
    "id": "error", "definition": "absolute_error@1", "why": "why", "unit": "Gy", "better": "smaller", "minimum": 0.0,
    "maximum": 10.0, "worst": 10.0,
}  # fmt: skip
COVERAGE = {**ERROR, "id": "coverage", "unit": "1", "better": "larger", "maximum": 1.0, "worst": 0.0, "scope": "all"}


def _metrics(*facts: dict[str, Any]) -> tuple[Metric, ...]:
    return tuple(Metric.model_validate(one) for one in facts)


def _table(
    values: list[Any], *, cases: list[str] | None = None, unit: str | None = "Gy", name: str = "error"
) -> Result:
    columns = [
        {"name": "case", "type": "text", "values": CASES if cases is None else cases},
        {"name": name, "type": "number", "unit": unit, "values": values},
    ]
    return result_adapter.validate_python({"kind": "table", "name": "scores", "columns": columns})


def _number(value: float, unit: str = "1") -> Result:
    return result_adapter.validate_python({"kind": "scalar", "name": "coverage", "value": value, "unit": unit})


def test_scores_by_case_and_of_all_cases() -> None:
    results = {"scores": _table([0.5, None]), "coverage": _number(0.9)}
    tables, overall = read_scores(_metrics(ERROR, COVERAGE), results, cases=CASES)
    assert tables == {"error": {"a": 0.5, "b": None}}
    assert overall == {"coverage": 0.9}


def test_rows_may_come_in_any_order() -> None:
    tables, _ = read_scores(_metrics(ERROR), {"scores": _table([1.0, 2.0], cases=["b", "a"])}, cases=CASES)
    assert tables == {"error": {"a": 2.0, "b": 1.0}}


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ({}, "no table of scores"),
        ({"scores": _number(1.0)}, "no table of scores"),
        ({"scores": _table([1.0], cases=["a"])}, "not one row for each case"),
        ({"scores": _table([1.0, 1.0, 1.0], cases=["a", "b", "c"])}, "not one row for each case"),
        ({"scores": _table([1.0, 1.0], cases=["a", "a"])}, "not one row for each case"),
        ({"scores": _table([1.0, 11.0])}, "a score out of its bounds"),
        ({"scores": _table([-0.1, 1.0])}, "a score out of its bounds"),
        ({"scores": _table([1.0, 1.0], unit="cGy")}, "another unit"),
        ({"scores": _table([1.0, 1.0], unit=None)}, "another unit"),
        ({"scores": _table([1.0, 1.0], name="other")}, "a metric without a column"),
    ],
)
def test_what_is_no_score_of_the_design_is_refused(results: dict[str, Result], words: str) -> None:
    with pytest.raises(RunError, match="did not give the scores") as caught:
        read_scores(_metrics(ERROR), results, cases=CASES)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("results", "words"), [({}, "without a result"), ({"coverage": _number(0.9, "Gy")}, "another unit")]
)
def test_a_score_of_all_cases_must_be_there_in_its_unit(results: dict[str, Result], words: str) -> None:
    with pytest.raises(RunError) as caught:
        read_scores(_metrics(COVERAGE), results, cases=CASES)
    assert words in str(caught.value)
