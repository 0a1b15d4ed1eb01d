"""A scalar result of a sweep's points: its values, and what some points know besides, as grids over all points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import ScalarResult
from braggbook.runs.labels import SCALAR_PARTS, TEXT, exact_in_float, scalar_attrs
from braggbook.runs.sweep_store import Grid, Index, SweepStore

_LIMITS = ("lower", "upper")
_ABOUT_INTERVAL = ("level", "method", "note")  # attributes of the limits while all points agree, then variables
_TEXTS = ("method", "note", "exact")


class ScalarGrids:
    """One scalar result of all points. Variables that no point needs are not made; they may come late.

    Args:
        name: Of the result.
        spec: Its declaration.
        names: Of the variable of each of its parts.
        axes: The length of each of the sweep's dimensions.
    """

    def __init__(self, name: str, spec: ResultSpec, *, names: Mapping[str, str], axes: Mapping[str, int]) -> None:
        self._name, self._spec = name, spec
        self._names, self._axes = names, axes
        self._kinds: set[str] = set()  # boolean, integer, number: what the points declared
        self._about: dict[str, set[Any]] = {part: set() for part in _ABOUT_INTERVAL}
        self._grids: dict[str, Grid] = {"value": self._grid("value")}

    def put(self, index: Index, result: ScalarResult | None) -> bool:
        """Takes what a point has, ``None`` for nothing; returns whether it had something else before."""
        if result is not None and result.interval is not None:
            for part in _ABOUT_INTERVAL:
                self._learn(part, getattr(result.interval, part))
        if result is not None:
            self._kinds.add(_kind(result.value))
        values = scalar_parts(result)
        for part, value in values.items():
            if value is not None and part not in self._grids and part not in _ABOUT_INTERVAL:
                self._grids[part] = self._grid(part)
        changes = [grid.put(index, values.get(part)) for part, grid in self._grids.items()]
        return any(changes)

    def flush(self, store: SweepStore) -> None:
        """Writes what is new."""
        if self._kinds:
            self._grids["value"].attrs["declared_type"] = " or ".join(sorted(self._kinds))
        for part in _LIMITS:
            if part in self._grids:
                self._grids[part].attrs.update(self._interval_attrs())
        for grid in self._grids.values():
            grid.flush(store)

    def load(self, store: SweepStore, *, there: set[str]) -> None:
        """Takes over what an earlier process stored."""
        for part in SCALAR_PARTS:
            if self._names[part] in there:
                grid = self._grids.setdefault(part, self._grid(part))
                grid.load(store)
        self._kinds = set(filter(None, self._grids["value"].attrs.get("declared_type", "").split(" or ")))
        if "lower" in self._grids and self._bounded().any():
            attrs = self._grids["lower"].attrs
            self._about = {part: {attrs.get(f"interval_{part}", "")} for part in _ABOUT_INTERVAL}

    @property
    def names(self) -> list[str]:
        """The names of its variables."""
        return [self._names[part] for part in SCALAR_PARTS if part in self._grids]

    def _grid(self, part: str) -> Grid:
        fill = np.array("", dtype=TEXT) if part in _TEXTS else np.array(math.nan)
        return Grid(
            self._names[part],
            dims=list(self._axes),
            shape=list(self._axes.values()),
            points=len(self._axes),
            fill=fill,
            attrs=scalar_attrs(self._name, self._spec, part=part),
        )

    def _bounded(self) -> np.ndarray[Any, Any]:
        bounded: np.ndarray[Any, Any] = ~np.isnan(self._grids["lower"].values)
        return bounded

    def _learn(self, part: str, value: Any) -> None:
        """Makes a variable of what all points had in common until now, if this one differs."""
        known = self._about[part]
        if part not in self._grids and known and value not in known:
            self._grids[part] = self._grid(part)
            for index in np.argwhere(self._bounded()):
                self._grids[part].put(tuple(index.tolist()), next(iter(known)))
        known.add(value)

    def _interval_attrs(self) -> dict[str, Any]:
        attrs: dict[str, Any] = {}
        for part, known in self._about.items():
            if part in self._grids:
                attrs[f"interval_{part}"] = f"see {self._names[part]}"
            elif known and (value := next(iter(known))) != "":
                attrs[f"interval_{part}"] = value
        return attrs


def _kind(value: float) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "number"


def scalar_parts(result: ScalarResult | None) -> dict[str, Any]:
    """Returns the parts that a point has; a limit that does not exist is infinite, which NaN (no interval) is not."""
    if result is None:
        return {}
    values: dict[str, Any] = {"value": _float(result.value), "uncertainty": result.uncertainty}
    if not exact_in_float(result.value):
        values["exact"] = str(result.value)
    if result.interval is not None:
        lower, upper = result.interval.lower, result.interval.upper
        values["lower"] = -math.inf if lower is None else lower
        values["upper"] = math.inf if upper is None else upper
        values |= {part: getattr(result.interval, part) for part in _ABOUT_INTERVAL}
    return values


def _float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits; `exact` has it
        return None
