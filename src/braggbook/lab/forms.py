"""The form of a notebook: one field for every parameter, made from its schema, and what is wrong with its values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from braggbook.errors import Issue, ParameterError
from braggbook.notebooks.parameters import Parameter
from braggbook.notebooks.source import Notebook

Widget = Literal["choice", "switch", "number", "text"]
_NUMBERS = ("number", "integer")


def form_of(notebook: Notebook) -> dict[str, Any]:
    """Returns what a panel shows of a notebook before it runs."""
    front = notebook.front
    return {
        "slug": notebook.slug,
        "identity": notebook.identity,  # a run that has another one is of an earlier state of the notebook
        "title": front.title,
        "abstract": (front.abstract or front.description or "").strip(),
        "kernel": front.braggbook.kernel,
        "datasets": list(front.braggbook.datasets),
        "goals": [{"text": goal.text, "status": goal.status} for goal in front.braggbook.goals],
        "fields": [field_of(item) for item in notebook.parameters.items],
        "results": [
            {"name": name, "kind": spec.kind, "unit": spec.unit, "help": spec.help}
            for name, spec in front.braggbook.results.items()
        ],
    }


def field_of(parameter: Parameter) -> dict[str, Any]:
    """Returns one field: what it is called, how it is filled, in which unit, between which bounds."""
    schema = parameter.schema
    return {
        "name": parameter.name,
        "type": parameter.declaration.type_text,
        "widget": _widget(schema),
        "choices": [{"value": value, "text": typed(value)} for value in schema.get("enum", _constant(schema))],
        "default": parameter.default,
        "text": typed(parameter.default),
        "unit": None if parameter.spec.unit in (None, "1") else parameter.spec.unit,
        "bounds": _bounds(parameter),
        "help": schema.get("description", ""),
    }


def _constant(schema: Mapping[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else []


def _widget(schema: Mapping[str, Any]) -> Widget:
    if "enum" in schema or "const" in schema:
        return "choice"
    if schema.get("type") == "boolean":
        return "switch"
    return "number" if schema.get("type") in _NUMBERS else "text"


def typed(value: Any) -> str:
    """Returns a value as a person types it: texts without quotes, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _bounds(parameter: Parameter) -> str:
    """Returns the bounds in words, with the unit."""
    low, high = parameter.spec.minimum, parameter.spec.maximum
    unit = f" {parameter.spec.unit}" if parameter.spec.unit not in (None, "1") else ""
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {high:g}{unit}"
    return f"at least {low:g}{unit}" if high is None else f"{low:g} to {high:g}{unit}"


def findings(notebook: Notebook, given: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns what is wrong with values, by the field that it belongs to; nothing is executed.

    It is the check of ``braggbook run``: a number may carry a unit, a list is typed as JSON.
    """
    try:
        notebook.parameters.resolve(given, where=notebook.path.name)
    except ParameterError as error:
        return [{"field": issue.where, "text": sentence(issue)} for issue in error.issues]
    return []


def sentence(issue: Issue) -> str:
    """Returns a finding without the field that it stands beside."""
    text = str(Issue(issue.what, "", issue.wanted, issue.got))
    return text[:1].upper() + text[1:]
