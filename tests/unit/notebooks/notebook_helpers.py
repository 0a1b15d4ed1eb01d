"""What the tests of notebooks build with."""

from __future__ import annotations

import json
from typing import Any

from braggbook.formats.notebook import ParameterSpec
from braggbook.formats.result import Result, result_adapter
from braggbook.notebooks.declarations import read_declarations
from braggbook.notebooks.parameters import Parameters, build_parameters
from braggbook.notebooks.results import encode_result


def parameters(source: str, **specs: dict[str, Any]) -> Parameters:
    """Reads a parameters cell that has nothing wrong with it."""
    declarations, issues = read_declarations(source)
    built, found = build_parameters(declarations, {name: ParameterSpec(**spec) for name, spec in specs.items()})
    assert [str(issue) for issue in [*issues, *found]] == []
    return built


def default_issues(source: str, **specs: dict[str, Any]) -> list[str]:
    """Returns what is wrong with a parameters cell."""
    declarations, issues = read_declarations(source)
    _, found = build_parameters(declarations, {name: ParameterSpec(**spec) for name, spec in specs.items()})
    return [str(issue) for issue in [*issues, *found]]


def encode(value: Any, *, name: str = "x", **options: Any) -> Result:
    """Declares a value as a result."""
    nothing = {"unit": None, "uncertainty": None, "interval": None, "units": {}, "alt": ""}
    # parameters of tests are made while they are collected, when other tests may have read constants
    return encode_result(name, value, **{**nothing, **options}).model_copy(update={"constants": None})


def through_json(result: Result) -> Result:
    """Returns a result after its way through an executed notebook."""
    text = json.dumps(result.model_dump(mode="json", exclude_none=True), allow_nan=False)
    return result_adapter.validate_python(json.loads(text))
