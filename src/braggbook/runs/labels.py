"""What labels the results of a sweep: its parameters as coordinates, and the names and attributes of its variables.

Known before any point has run, so that a dataset that is still to be computed is described as the stored one is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from braggbook.files import canonical_json
from braggbook.formats.notebook import ResultSpec
from braggbook.notebooks.parameters import Parameter, Parameters

if TYPE_CHECKING:
    from braggbook.runs.design import Design

# not a fixed-width type: Zarr 3 has no specification of one, and warns
TEXT = np.dtypes.StringDType()
RUN_ID, STATUS, REASON = FACTS = ("run_id", "status", "reason")
SCALAR_PARTS = ("value", "uncertainty", "lower", "upper", "level", "method", "note", "exact")
LARGEST_EXACT = 2**53  # float64 holds every whole number up to this one
_LARGEST_INT = 2**63
_LONGEST_NAME = 60  # characters of one part of a name: a file of that name must be possible


class Names:
    """Names that are taken. A second thing of one name gets another, and never takes the first one's place."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}  # some disks take "Dose" and "dose" for one file

    def free(self, name: str) -> bool:
        """Returns whether nobody has the name."""
        return name.casefold() not in self._taken

    def take(self, name: str) -> None:
        """Says that a name is taken."""
        self._taken.add(name.casefold())

    def give(self, wanted: str) -> str:
        """Returns ``wanted``, or where it is taken ``wanted_result`` (and again), which is taken from now on."""
        name = wanted
        while not self.free(name):
            name += "_result"
        self.take(name)
        return name


def plain_name(text: str) -> str:
    """Returns ``text`` as a name that Zarr, disks and xarray's list of coordinates can have."""
    name = re.sub(r"[^\w-]", "_", text)[:_LONGEST_NAME]
    return name if name and not name.startswith("__") else f"x{name}"


@dataclass(frozen=True)
class Labels:
    """The names of the variables that are known before any run; ``names`` holds all that are taken."""

    facts: dict[str, str]  # run_id, status and reason
    results: dict[str, str]  # of each declared result: a scalar's own variable, the first part of any other's
    scalars: dict[str, dict[str, str]]  # of each scalar: the name of each of its parts
    names: Names


def label(design: Design, parameters: Parameters, *, specs: Mapping[str, ResultSpec]) -> Labels:
    """Names the variables of a sweep's dataset.

    Dimensions and parameters keep their names. Then come ``run_id``, ``status`` and ``reason``, then the declared
    results, then the parts of scalars; what finds its name taken gets ``_result`` behind it.
    """
    names = Names([*(axis.dim for axis in design.axes), *coordinates(design, parameters)])
    facts = {fact: names.give(fact) for fact in FACTS}
    results = {name: names.give(name) for name in specs}
    scalars: dict[str, dict[str, str]] = {}
    for name, spec in specs.items():
        if spec.kind == "scalar":
            parts = {part: names.give(f"{results[name]}_{part}") for part in SCALAR_PARTS[1:]}
            scalars[name] = {"value": results[name], **parts}
    return Labels(facts, results, scalars, names)


def scalar_variables(
    design: Design, parameters: Parameters, *, specs: Mapping[str, ResultSpec]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns the name and the attributes of the variable of each scalar result, as they are before any run."""
    labels = label(design, parameters, specs=specs)
    return {name: (parts["value"], scalar_attrs(name, specs[name])) for name, parts in labels.scalars.items()}


_PART_NAMES = {
    "uncertainty": "standard uncertainty (k = 1) of {}",
    "lower": "lower limit of {}",
    "upper": "upper limit of {}",
    "level": "coverage probability of the interval of {}",
    "method": "how the interval of {} was made",
    "note": "what else to know about the interval of {}",
    "exact": "{} to the last digit, where float64 cannot hold it",
}


def scalar_attrs(name: str, spec: ResultSpec, *, part: str = "value") -> dict[str, Any]:
    """Returns the attributes of one variable of a scalar result."""
    attrs: dict[str, Any] = {}
    if part in ("value", "uncertainty", "lower", "upper", "exact"):
        attrs["units"] = spec.unit
    if part == "level":
        attrs["units"] = "1"
    if text := _PART_NAMES[part].format(name) if part in _PART_NAMES else spec.help:
        attrs["long_name"] = text
    return {**attrs, "result": name, "part": part}


def coordinates(design: Design, parameters: Parameters) -> dict[str, xr.Variable]:
    """Returns every parameter of the notebook as a coordinate, in its unit.

    A parameter on an axis lies along the axis's dimension; one that the sweep does not vary has no dimension. Values
    that arrays cannot hold (lists, None, a mixture) are their canonical JSON texts, and the attribute
    ``value_format`` says so.
    """
    along = {name: (axis.dim, values) for axis in design.axes for name, values in axis.values.items()}
    found = {}
    for parameter in parameters.items:
        if parameter.name in along:
            dim, values = along[parameter.name]
            found[parameter.name] = _coordinate(parameter, values, dims=(dim,))
        else:
            value = design.fixed.get(parameter.name, parameter.default)
            found[parameter.name] = _coordinate(parameter, [value], dims=())
    return found


def _coordinate(parameter: Parameter, values: Sequence[Any], *, dims: tuple[str, ...]) -> xr.Variable:
    array = _array(values)
    attrs = {"units": parameter.spec.unit, "long_name": parameter.spec.help or parameter.declaration.help}
    if array is None:
        array = np.array([canonical_json(value).decode() for value in values], dtype=TEXT)
        attrs["value_format"] = "json"
    known = {key: value for key, value in attrs.items() if value}
    return xr.Variable(dims, array if dims else array.reshape(()), known)


def _array(values: Sequence[Any]) -> np.ndarray[Any, Any] | None:
    """Returns values as an array that holds exactly them, or None where there is none."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if kinds == {str}:
        return np.array(values, dtype=TEXT)
    if kinds == {int} and all(-_LARGEST_INT <= value < _LARGEST_INT for value in values):
        return np.array(values, dtype=np.int64)
    if kinds in ({float}, {int, float}) and all(exact_in_float(value) for value in values):
        return np.array(values, dtype=np.float64)
    return None


def exact_in_float(value: float) -> bool:
    """Returns whether float64 holds the number to its last digit."""
    return isinstance(value, float) or abs(value) <= LARGEST_EXACT
