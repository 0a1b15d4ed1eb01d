"""Tables and datasets of a sweep's points as arrays of one layout over all points.

The first complete point says what a result looks like. A result that looks different in another point is left out of
the store for good, with a note; nothing is padded, cut or converted to make it fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.result import DatasetResult, TableColumn, TableResult
from braggbook.notebooks.decode import decode_result
from braggbook.runs.labels import LARGEST_EXACT, TEXT, Names, plain_name
from braggbook.runs.sweep_store import Array, Index, StoredArray, SweepStore, make_array

_ROW = "row"
_FLOATS = {"f2", "f4", "f8", "c8", "c16"}  # with which Zarr can store a gap
_TIME = re.compile(r"\bsince\b|^(nano|micro|milli)?seconds?$|^(minute|hour|day)s?$")
_DIGITS = 16  # of a digest: enough to tell two coordinates apart


class Unstorable(Exception):
    """Why a result cannot be kept in the store, in words."""


@dataclass(frozen=True)
class Part:
    """One array of a point's table or dataset; ``kind`` is what the point declared it as."""

    name: str
    dims: tuple[str, ...]
    values: Array
    kind: str
    units: str | None
    coordinate: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """What has to be the same in every point."""
        facts = {"dims": list(self.dims), "shape": list(self.values.shape), "type": self.kind, "units": self.units}
        return {**facts, "values": _digest(self.values)} if self.coordinate else facts


@dataclass(frozen=True)
class Layout:
    """What a result looks like in every point: ``facts`` of each part by its name, as ``run`` had them."""

    run: str
    facts: dict[str, dict[str, Any]]
    names: dict[str, str]  # of the variables in the store
    dims: dict[str, str]  # of a result's own dimensions in the store

    def difference(self, facts: Mapping[str, Mapping[str, Any]], *, run: str) -> str:
        """Returns in words how another point's result differs, or nothing."""
        if set(facts) != set(self.facts):
            return f"{', '.join(self.facts)} in run {self.run}; {', '.join(facts)} in run {run}"
        for name, known in self.facts.items():
            for fact, value in known.items():
                if facts[name].get(fact) == value:
                    continue
                if fact == "values":
                    return f"coordinate {name} has other values in run {self.run} than in run {run}"
                return (
                    f"{fact} of {name}: {_words(value)} in run {self.run}, {_words(facts[name].get(fact))} in run {run}"
                )
        return ""


def _words(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)


def parts_of(result: TableResult | DatasetResult) -> list[Part]:
    """Returns a point's table by columns or its dataset by arrays, in the types that the store has.

    Raises:
        Unstorable: Something in it has no type there.
    """
    try:
        if isinstance(result, TableResult):
            return [_column(column) for column in result.columns]
        dataset: xr.Dataset = decode_result(result)
        return [_variable(str(n), v, coordinate=n in dataset.coords) for n, v in dataset.variables.items()]
    except UnicodeEncodeError as error:
        raise Unstorable(f"it has a text that is not Unicode: {error.reason}") from None


def _column(column: TableColumn) -> Part:
    kind = "number" if column.type == "integer" else column.type  # a column with a gap is of floats in most programs
    cells = column.values
    if column.type == "text":
        values = np.array(["" if cell is None else cell for cell in cells], dtype=TEXT)
    else:
        _check_exact(column.name, [cell for cell in cells if isinstance(cell, int)])
        values = np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return Part(column.name, (_ROW,), values, kind, column.unit)


def _variable(name: str, variable: xr.Variable, *, coordinate: bool) -> Part:
    values, kind = np.asarray(variable.values), variable.dtype.str
    units = variable.attrs.get("units")
    if values.dtype.kind in "OTU":
        values, kind = np.array(values.tolist(), dtype=TEXT), "text"
    elif not coordinate:
        values = _with_gaps(name, values)
    return Part(name, tuple(map(str, variable.dims)), values, kind, str(units) if units else None, coordinate)


def _with_gaps(name: str, values: Array) -> Array:
    """Returns numbers in a type that can say that a point is missing."""
    if values.dtype.kind in "iub":
        _check_exact(name, values[np.abs(values.astype(np.float64)) >= LARGEST_EXACT].ravel().tolist())
        return values.astype(np.float64)
    if values.dtype.str[1:] not in _FLOATS:
        raise Unstorable(f"{name} is of type {values.dtype}, which the store does not hold")
    return values


def _check_exact(name: str, values: Sequence[int]) -> None:
    for value in values:
        if abs(value) > LARGEST_EXACT:
            raise Unstorable(f"{name} has the whole number {value}, which float64 cannot hold to the last digit")


def _digest(values: Array) -> str:
    if values.dtype == TEXT:
        data = canonical_json(values.tolist())
    elif values.dtype.kind in "fc":
        data = (values + 0).tobytes()  # -0.0 is 0.0
    else:
        data = values.tobytes()
    return sha256_bytes(data)[:_DIGITS]


class Structured:
    """The tables and datasets of all points.

    Args:
        axes: The length of each of the sweep's dimensions.
        bases: Of each declared table or dataset, what the names of its variables begin with.
        names: Names that are taken.
    """

    def __init__(self, axes: Mapping[str, int], *, bases: Mapping[str, str], names: Names) -> None:
        self.layouts: dict[str, Layout] = {}
        self.left_out: dict[str, str] = {}
        self._axes = dict(axes)
        self.bases = dict(bases)
        self._names = names
        self._dims: dict[str, Any] = {}  # of dimensions in the store: what two results must share to share one
        self._arrays: dict[str, StoredArray] = {}
        self._coordinates: dict[str, xr.Variable] = {}  # not yet in the store

    @property
    def waiting_bytes(self) -> int:
        """How much waits for the next flush."""
        return sum(array.waiting_bytes for array in self._arrays.values())

    @property
    def names(self) -> list[str]:
        """All variables of the results that are in the store."""
        return [name for layout in self.layouts.values() for name in layout.names.values()]

    @property
    def coordinate_names(self) -> list[str]:
        """The coordinates of the results that are in the store."""
        parts = [(layout, name) for layout in self.layouts.values() for name in layout.names]
        return [layout.names[name] for layout, name in parts if "values" in layout.facts[name]]

    def add(self, index: Index, result: TableResult | DatasetResult, *, run: str) -> bool:
        """Takes what a complete point has; returns whether that is new."""
        if result.name in self.left_out:
            return False
        try:
            parts = parts_of(result)
        except Unstorable as problem:
            return self._leave_out(result.name, f"{problem} (run {run})")
        layout = self.layouts.get(result.name)
        if layout is None:
            layout = self._begin(result, parts, run=run)
        if difference := layout.difference({part.name: part.facts for part in parts}, run=run):
            return self._leave_out(result.name, difference)
        changes = [self._arrays[layout.names[p.name]].put(index, p.values) for p in parts if not p.coordinate]
        return any(changes)

    def clear(self, index: Index, result: str) -> bool:
        """Takes away what a point had of a result; returns whether it had anything."""
        layout = self.layouts.get(result)
        names = layout.names.values() if layout else ()
        changes = [self._arrays[name].put(index, None) for name in names if name in self._arrays]
        return any(changes)

    def flush(self, store: SweepStore) -> None:
        """Writes what is new. Coordinates come first, so that no array is ever without its own."""
        if self._coordinates:
            store.add_variables(self._coordinates)
            self._coordinates = {}
        for array in self._arrays.values():
            array.flush(store)

    def state(self) -> dict[str, Any]:
        """Returns the layouts as JSON, for the process that goes on after a kill."""
        return {name: asdict(layout) for name, layout in self.layouts.items()}

    def load(self, store: SweepStore, *, state: Mapping[str, Any], left_out: Mapping[str, str]) -> None:
        """Takes over what an earlier process stored."""
        self.left_out = dict(left_out)
        for result, fields in state.items():
            layout = self.layouts[result] = Layout(**fields)
            for dim, name in layout.dims.items():
                self._dims[name] = _extent(dim, layout.facts)
            for name in (*layout.dims.values(), *layout.names.values()):
                self._names.take(name)
            self._add_arrays(result)
        for array in self._arrays.values():
            array.load(store)

    def _leave_out(self, result: str, reason: str) -> bool:
        self.left_out[result] = reason
        layout = self.layouts.pop(result, None)
        if layout is not None:
            for name in layout.names.values():
                self._arrays.pop(name, None)
            kept = self.coordinate_names
            self._coordinates = {name: v for name, v in self._coordinates.items() if name in kept}
        return False

    def _begin(self, result: TableResult | DatasetResult, parts: Sequence[Part], *, run: str) -> Layout:
        facts = {part.name: part.facts for part in parts}
        base = self.bases[result.name]
        table = result.kind == "table"
        dims = self._dim_names(base, facts, table=table)
        alone = not table and [part.name for part in parts if not part.coordinate] == [result.name]
        names = {p.name: base if alone and not p.coordinate else self._name(p, base, dims=dims) for p in parts}
        there = self.coordinate_names
        self.layouts[result.name] = Layout(run, facts, names, dims)
        self._add_arrays(result.name)
        for part in parts:
            if part.coordinate and names[part.name] not in there:
                own = [dims[dim] for dim in part.dims]
                attrs = {**_unit_attrs(part.units), "result": result.name, "part": part.name}
                self._coordinates[names[part.name]] = xr.Variable(own, part.values, attrs)
        return self.layouts[result.name]

    def _dim_names(self, base: str, facts: Mapping[str, Mapping[str, Any]], *, table: bool) -> dict[str, str]:
        found: dict[str, str] = {}
        for dim in dict.fromkeys(dim for fact in facts.values() for dim in fact["dims"]):
            extent = _extent(dim, facts)
            wanted = [f"{base}_{plain_name(dim)}"] if table else [plain_name(dim), f"{base}_{plain_name(dim)}"]
            shared = [w for w in wanted if self._dims.get(w) == extent and w not in found.values()]
            free = [w for w in wanted if self._names.free(w)]
            name = shared[0] if shared else self._names.give([*free, wanted[-1]][0])
            found[dim], self._dims[name] = name, extent
        return found

    def _name(self, part: Part, base: str, *, dims: Mapping[str, str]) -> str:
        own = plain_name(part.name)
        if part.coordinate and part.dims == (part.name,):
            return dims[part.name]
        if part.coordinate and self._names.free(own):
            return self._names.give(own)
        return self._names.give(f"{base}_{own}")

    def _add_arrays(self, result: str) -> None:
        layout = self.layouts[result]
        for part, facts in layout.facts.items():
            if "values" in facts:
                continue
            dims = [*self._axes, *(layout.dims[dim] for dim in facts["dims"])]
            attrs = {**_unit_attrs(facts["units"]), "result": result, "part": part, "declared_type": facts["type"]}
            name = layout.names[part]
            shape = [*self._axes.values(), *facts["shape"]]
            fill = _fill(facts["type"])
            points = len(self._axes)
            self._arrays[name] = make_array(name, dims=dims, shape=shape, points=points, fill=fill, attrs=attrs)


def _extent(dim: str, facts: Mapping[str, Mapping[str, Any]]) -> tuple[Any, ...]:
    """Returns what two results must have in common to share a dimension: its length and its coordinate."""
    length = next(f["shape"][f["dims"].index(dim)] for f in facts.values() if dim in f["dims"])
    along = facts.get(dim, {})
    return (length, *(along.get(fact) for fact in ("type", "units", "values")))


def _fill(kind: str) -> Array:
    """Returns what stands for a missing point, in the type that the store has for values declared as ``kind``."""
    if kind == "text":
        return np.array("", dtype=TEXT)
    given = np.dtype(np.float64 if kind in ("number", "boolean") else kind)
    gap = complex(math.nan, math.nan) if given.kind == "c" else math.nan
    return np.array(gap, dtype=given if given.kind in "fc" else np.float64)


def _unit_attrs(units: str | None) -> dict[str, str]:
    """Returns a unit as an attribute; what xarray would take for dates ("days since ...") under another name."""
    if not units:
        return {}
    return {"units_text" if _TIME.search(units) else "units": units}
