"""The values that a program gives a sweep: single ones, lists, and arrays that may know their unit."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from braggbook.errors import Issue
from braggbook.notebooks.parameters import Parameter, check_value, plain
from braggbook.runs.expressions import POINT_LIMIT, Place, Values, listed_values, one_value, read_text, takes_text


def read_value(parameter: Parameter, value: Any) -> tuple[Values | None, list[Issue]]:
    """Returns the values that an object of Python stands for, or what is wrong with it.

    A value of the parameter's own type is one value; otherwise a list, tuple, range or 1-D array is several.
    """
    name = parameter.name
    if isinstance(value, str):
        place = Place.in_expression(name, value)
        return read_text(parameter, value, place=place, separate=not takes_text(parameter))
    dimensions = getattr(value, "ndim", None)
    if (dimensions == 1 or isinstance(value, list | tuple | range)) and _length(value) > POINT_LIMIT:
        return Values(name, _length(value), lambda: ()), []  # counted, and refused before anything is copied
    whole = _with_unit(parameter, value)
    result, issues = check_value(parameter, whole)
    if not issues or result is not None:
        return one_value(whole, where=name), []
    if dimensions is not None and dimensions > 1:
        got = f"{dimensions} of shape {tuple(value.shape)}"
        return None, [Issue("an array of several dimensions", name, "one dimension", got)]
    if dimensions == 1 or isinstance(value, list | tuple | range):
        return listed_values(parameter, _items(parameter, value), where=name)
    return one_value(whole, where=name), []


def _length(value: Any) -> int:
    try:
        return len(value)
    except OverflowError:  # of a range
        return sys.maxsize


def _items(parameter: Parameter, value: Any) -> list[Any]:
    unit = _array_unit(parameter, value)
    items = [_with_unit(parameter, item) for item in _each(_bare(value))]
    return [{"value": item, "unit": unit} for item in items] if unit else items


def _each(value: Any) -> list[Any]:
    if not hasattr(value, "ndim"):
        return list(value)
    try:
        return list(plain(value))  # of an array in one go: ten times faster
    except (TypeError, ValueError):
        return list(value)  # for the check of each to name the one that has no plain form


def _with_unit(parameter: Parameter, value: Any) -> Any:
    unit = _array_unit(parameter, value)
    return {"value": _bare(value), "unit": unit} if unit else _bare(value)


def _bare(value: Any) -> Any:
    """Returns the NumPy array of an xarray object, whose items would be arrays again."""
    return value.values if hasattr(value, "dims") and hasattr(value, "ndim") else value


def _array_unit(parameter: Parameter, value: Any) -> str | None:
    """Returns the unit that an array names in its attributes, if it has one that the parameter may have too."""
    attributes = getattr(value, "attrs", None)
    unit = attributes.get("units") if isinstance(attributes, Mapping) else None
    if isinstance(unit, Mapping):  # of a table's columns, as `bb.load` gives them
        unit = unit.get(getattr(value, "name", None))
    if not isinstance(unit, str) or not unit.strip():
        return None
    return None if unit.strip() == "1" and parameter.spec.unit is None else unit
