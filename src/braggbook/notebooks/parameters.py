"""The parameters of a notebook: checking the values that a person gives, and writing them as JSON can carry them.

papermill turns what it does not know into text (``np.int64(3)`` becomes ``"3"``) and only warns of a misspelt name,
so every value is checked and made plain here, before a kernel starts.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from pydantic import PydanticUserError, TypeAdapter

from braggbook.errors import Issue, ParameterError, UnitError, closest
from braggbook.formats.notebook import ParameterSpec
from braggbook.notebooks.declarations import Declaration
from braggbook.units import conversion_factor

_QUANTITY = re.compile(
    r"^\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|\[.*\])\s*(?P<unit>[^\d\s,\]].*?)\s*$"
)


@dataclass(frozen=True)
class Parameter:
    """One parameter: what the cell declares and what the front matter adds."""

    declaration: Declaration
    spec: ParameterSpec

    @property
    def name(self) -> str:
        """Its name in the cell."""
        return self.declaration.name

    @property
    def default(self) -> Any:
        """Its default as a plain JSON value, spelled as the same value is when it is given (2 is 2.0 for a float)."""
        default = plain(self.declaration.default)
        typed, _ = _typed(self, [default], default)
        return typed if typed == default else default

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema, with ``unit`` beside the standard words."""
        schema = TypeAdapter(self.declaration.type).json_schema()
        extra = {
            "default": self.default,
            "description": self.spec.help or self.declaration.help,
            "unit": self.spec.unit,
            "minimum": self.spec.minimum,
            "maximum": self.spec.maximum,
        }
        return schema | {key: value for key, value in extra.items() if value not in (None, "")}


@dataclass(frozen=True)
class Parameters:
    """All parameters of a notebook, in the order of its cell."""

    items: tuple[Parameter, ...]

    @property
    def defaults(self) -> dict[str, Any]:
        """Every default as plain JSON values."""
        return {item.name: item.default for item in self.items}

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a whole set of values."""
        properties = {item.name: item.schema for item in self.items}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def resolve(self, given: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
        """Returns every parameter's value, given or default, as plain JSON values.

        Text that a command line passed (``"0.1"``, ``"[1, 2]"``, ``"200 cGy"``) is read by the parameter's type; a
        number with a unit is converted to the parameter's unit.

        Raises:
            ParameterError: Unknown names, wrong types, values out of bounds, wrong units: all of them at once.
        """
        known = {item.name: item for item in self.items}
        issues = [Issue("unknown parameter", name, closest(name, known)) for name in given if name not in known]
        values = self.defaults
        for name, value in given.items():
            if name in known:
                values[name], found = check_value(known[name], value)
                issues += found
        if issues:
            raise ParameterError("parameters that the notebook does not accept", where=where, issues=issues)
        return values


def check_value(parameter: Parameter, value: Any) -> tuple[Any, list[Issue]]:
    """Returns a value as plain JSON in the parameter's unit, or what is wrong with it."""
    try:
        return _typed(parameter, _candidates(parameter, value), value)
    except UnitError as error:
        return None, [Issue(error.what, parameter.name, parameter.spec.unit or "no unit", repr(value))]
    except (TypeError, ValueError) as error:
        return None, [Issue(str(error), parameter.name, parameter.declaration.type_text, repr(value))]


def _adapter(parameter: Parameter) -> TypeAdapter[Any]:
    kind = parameter.declaration.type
    try:
        return _adapter_of(kind, parameter.declaration.type_text)
    except TypeError:  # a type that has no hash
        return TypeAdapter(kind)


@lru_cache(maxsize=256)
def _adapter_of(kind: Any, text: str) -> TypeAdapter[Any]:  # noqa: ARG001 - int | float equals float | int
    return TypeAdapter(kind)


def _typed(parameter: Parameter, candidates: Iterable[Any], value: Any) -> tuple[Any, list[Issue]]:
    """Returns the first candidate that is of the parameter's type, or says that ``value`` is not."""
    adapter = _adapter(parameter)
    for candidate in candidates:
        try:
            result = plain(adapter.validate_json(json.dumps(candidate), strict=True))
        except (ValueError, PydanticUserError):  # pydantic's ValidationError, or a number that is not finite
            continue
        return result, _bounds(parameter, result)
    if get_origin(parameter.declaration.type) is Literal:
        wanted = ", ".join(map(repr, get_args(parameter.declaration.type)))
        return None, [Issue("not one of its choices", parameter.name, wanted, repr(value))]
    return None, [Issue("wrong type", parameter.name, parameter.declaration.type_text, repr(value))]


def _candidates(parameter: Parameter, value: Any) -> Iterator[Any]:
    """Gives what a value may mean; a later meaning only matters when no earlier one is of the parameter's type."""
    value = plain(value)
    if isinstance(value, dict) and set(value) == {"value", "unit"}:
        yield _converted(value["value"], str(value["unit"]), parameter)
        return
    if not isinstance(value, str):
        yield value
        return
    read = _read(value)
    if read is not _UNREAD:
        yield read
    yield value
    match = _QUANTITY.match(value)
    if read is _UNREAD and match and _takes_numbers(parameter) and not _NUMBER.fullmatch(value.strip()):
        number = _read(match["number"])
        if number is not _UNREAD:
            yield _converted(number, match["unit"], parameter)


def _takes_numbers(parameter: Parameter) -> bool:
    # only then can a text be a number with a unit: "2024-05-01" is a date, not 2024 of the unit "-05-01"
    text = parameter.declaration.type_text
    literal = get_origin(parameter.declaration.type) is Literal
    return not literal and "str" not in text and re.search(r"\b(int|float|Decimal)\b", text) is not None


_UNREAD = object()
_WORDS = {"True": True, "False": False, "None": None}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _read(text: str) -> Any:
    """Returns what a text means as JSON, a Python word or a number, or ``_UNREAD``."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return plain(json.loads(text))
    except (ValueError, RecursionError):
        # JSON knows neither ".5" nor "1." nor "+2"; people type them
        number = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
        return number if math.isfinite(number) else _UNREAD


def _converted(number: Any, unit: str, parameter: Parameter) -> Any:
    if parameter.spec.unit is None:
        raise UnitError("wrong unit")
    try:
        factor = conversion_factor(unit, parameter.spec.unit)
    except UnitError as error:
        raise UnitError("wrong unit" if not error.where else error.what) from error
    return number if factor == 1 else _scaled(number, factor)


def _scaled(number: Any, factor: float) -> Any:
    if isinstance(number, list):
        return [_scaled(item, factor) for item in number]
    if isinstance(number, bool) or not isinstance(number, int | float):
        return number  # which no parameter with a unit accepts
    return float(decimal.Decimal(repr(number)) * decimal.Decimal(repr(factor)))


def _bounds(parameter: Parameter, value: Any) -> list[Issue]:
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return [issue for item in items for issue in _bounds(parameter, item)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    low, high = parameter.spec.minimum, parameter.spec.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = f"{'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
        unit = f" {parameter.spec.unit}" if parameter.spec.unit not in (None, "1") else ""
        return [Issue("out of bounds", parameter.name, wanted + unit, _shown(value) + unit)]
    return []


def _shown(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return "a whole number beyond what a float holds"


def plain(value: Any) -> Any:
    """Returns ``value`` as JSON's own types: NumPy scalars and arrays, tuples, paths, dates and decimals included.

    Raises:
        TypeError: There is no such form for the value's type.
        ValueError: A number is not finite.
    """
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays, pandas' series; some are str or float too
        if str(getattr(value, "dtype", "")) in ("datetime64[ns]", "timedelta64[ns]"):
            value = value.astype(str(value.dtype).replace("[ns]", "[us]"))  # tolist makes bare whole numbers of ns
        return plain(value.tolist())
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) or hasattr(value, "__float__"):
        return _number(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, pathlib.PurePath):
        return value.as_posix()
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def _number(value: Any) -> int | float:
    if isinstance(value, int):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a number that is not finite: {value!r}")
    return number


def build_parameters(
    declarations: list[Declaration], specs: Mapping[str, ParameterSpec]
) -> tuple[Parameters, list[Issue]]:
    """Joins the parameters cell and the front matter, and checks that the defaults keep to both."""
    names = [declaration.name for declaration in declarations]
    issues = [
        Issue(
            "described in the front matter but not declared in the parameters cell",
            f"braggbook.parameters.{name}",
            closest(name, names),
        )
        for name in specs
        if name not in names
    ]
    items = tuple(Parameter(declared, specs.get(declared.name, ParameterSpec())) for declared in declarations)
    for item in items:
        found = _check_default(item)
        where = f"parameters cell, line {item.declaration.line}"
        issues += [Issue(f"the default of {item.name}: {i.what}", where, i.wanted, i.got) for i in found]
    return Parameters(items), issues


def _check_default(parameter: Parameter) -> list[Issue]:
    default = parameter.declaration.default
    try:
        # not through `_candidates`: the cell gives the default itself to the notebook, so "3" is no number there
        return _typed(parameter, [plain(default)], default)[1]
    except (TypeError, ValueError) as error:
        return [Issue(str(error), parameter.name, parameter.declaration.type_text, repr(default))]
