"""The results of a sweep's points as one dataset over its parameters, in a Zarr store that grows as points finish.

See docs/formats/sweep_results.md for what the store holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from braggbook.errors import InputError, Issue, ResultError, closest
from braggbook.files import storage
from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import DatasetResult, Result, ScalarResult, TableResult
from braggbook.formats.run import Verdict
from braggbook.notebooks.parameters import Parameters
from braggbook.runs.labels import REASON, RUN_ID, STATUS, TEXT, coordinates, label
from braggbook.runs.layouts import Structured
from braggbook.runs.scalars import ScalarGrids
from braggbook.runs.sweep_store import Flushable, Grid, Index, SweepStore
from braggbook.units import same_unit

if TYPE_CHECKING:
    from braggbook.runs.design import Design, Point

SWEEP_RESULTS_FORMAT = "braggbook.sweep_results/1"
MISSING = "missing"
_FACT_TEXTS = {
    RUN_ID: "id of the run of the point",
    REASON: "why the run of the point is not complete",
    STATUS: "how the run of the point ended; missing: it has not ended yet",
}
_LONGEST_REASON = 300  # characters; the run's folder has all of it
_WAITING_BYTES = 64 << 20  # of arrays that wait for the next flush
_NOTHING: Mapping[str, Result] = MappingProxyType({})


class Collector:
    """Gathers what the points of one sweep gave. For one thread of one process at a time.

    Args:
        path: The store. One that an earlier process of the same sweep left is continued in place.
        design: The sweep's points.
        parameters: Of the notebook; every one of them becomes a coordinate.
        specs: The declared results.
        sweep: The sweep's id; a store belongs to one sweep.
        attrs: More attributes of the dataset, as JSON has them.

    Raises:
        InputError: The path holds something else than results of this sweep.
        StorageError: The store cannot be made or read.
    """

    def __init__(
        self,
        path: Path,
        design: Design,
        *,
        parameters: Parameters,
        specs: Mapping[str, ResultSpec],
        sweep: str,
        attrs: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        labels = label(design, parameters, specs=specs)
        axes = design.shape
        self._specs = dict(specs)
        self._attrs = {**attrs, "format": SWEEP_RESULTS_FORMAT, "sweep": sweep}
        self._written_attrs: dict[str, Any] = {}
        self._coordinates = coordinates(design, parameters)
        self._facts = {fact: _fact_grid(fact, labels.facts[fact], axes) for fact in _FACT_TEXTS}
        self._scalars = {
            name: ScalarGrids(name, specs[name], names=names, axes=axes) for name, names in labels.scalars.items()
        }
        bases = {name: base for name, base in labels.results.items() if name not in labels.scalars}
        self._structured = Structured(axes, bases=bases, names=labels.names)
        self._stored = np.zeros(tuple(axes.values()), dtype=bool)  # whose status is in the store
        self._fresh: set[Index] = set()  # what the next flush writes
        with storage(path):
            self._store = SweepStore(path)
            if self._store.exists:
                self._continue()
            else:
                arrays: tuple[Flushable, ...] = (*self._scalars.values(), *self._facts.values())
                self._store.create(self._coordinates, attrs=self._all_attrs(), arrays=arrays)
        self.flush()

    @property
    def left_out(self) -> dict[str, str]:
        """The results that the store does not hold, each with the reason."""
        return dict(self._structured.left_out)

    def add(
        self,
        point: Point,
        *,
        run_id: str,
        status: Verdict,
        reason: str = "",
        results: Mapping[str, Result] = _NOTHING,
    ) -> None:
        """Takes in how a point ended, in any order; one that is given again replaces what was there.

        Only a complete run has results: those of any other are not kept, for nobody has checked them.

        Raises:
            ResultError: A result is not the one that was declared.
            StorageError: Much waits to be written, and the disk does not take it; the point is in all the same.
        """
        index = tuple(point.index)
        complete = results if status == "complete" else {}
        self._check(complete, run_id)
        changes = [grid.put(index, _scalar(complete, name)) for name, grid in self._scalars.items()]
        changes += [self._add_structured(index, complete, run_id)]
        facts = {RUN_ID: run_id, STATUS: status, REASON: _one_text(reason)}
        changes += [self._facts[fact].put(index, text) for fact, text in facts.items()]
        if any(changes):
            self._fresh.add(index)
        if self._structured.waiting_bytes > _WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is new. A process killed meanwhile leaves each point as it was, as it is now, or missing.

        Raises:
            StorageError: The disk is full or refuses; the next call tries again, nothing is lost.
        """
        with storage(self._store.path):
            self._hide_replaced()
            self._structured.flush(self._store)
            for scalar in self._scalars.values():
                scalar.flush(self._store)
            self._flush_attrs()
            for fact in self._facts.values():  # status is the last: a point that has one has everything
                fact.flush(self._store)
        for index in self._fresh:
            self._stored[index] = True
        self._fresh.clear()

    def close(self) -> None:
        """Writes what is new and asks the system to put all of it on the disk.

        Raises:
            StorageError: The disk is full or refuses.
        """
        self.flush()
        with storage(self._store.path):
            self._store.sync()

    def dataset(self) -> xr.Dataset:
        """Opens what has been written so far, lazily."""
        dataset = self._store.open()
        order = [*self._result_names(), *(fact.name for fact in self._facts.values())]
        known = [name for name in order if name in dataset.data_vars]
        return dataset[known + [str(name) for name in dataset.data_vars if name not in known]]

    def _check(self, results: Mapping[str, Result], run_id: str) -> None:
        issues = []
        for name, result in results.items():
            spec = self._specs.get(name)
            if spec is None:
                issues.append(Issue("result is not declared in the front matter", name, closest(name, self._specs)))
            elif result.kind != spec.kind:
                issues.append(Issue("result of another kind", name, spec.kind, result.kind))
            elif isinstance(result, ScalarResult) and not same_unit(result.unit, str(spec.unit)):
                issues.append(Issue("result in another unit", name, str(spec.unit), result.unit))
        if issues:
            raise ResultError("the results are not what the front matter declares", where=run_id, issues=issues)

    def _add_structured(self, index: Index, results: Mapping[str, Result], run_id: str) -> bool:
        changes = []
        for name in self._specs:  # in their order, which names that two results want go by
            result = results.get(name)
            if isinstance(result, TableResult | DatasetResult):
                changes.append(self._structured.add(index, result, run=run_id))
            else:
                changes.append(self._structured.clear(index, name))
        return any(changes)

    def _hide_replaced(self) -> None:
        """Makes points that the store has otherwise missing there, before a part of them is written."""
        replaced = [index for index in self._fresh if self._stored[index]]
        if not replaced:
            return
        status, shown = self._facts[STATUS], self._stored.copy()
        for index in self._fresh:
            shown[index] = False
        values = np.where(shown, status.values, MISSING)
        for chunk in sorted({status.chunk_of(index) for index in replaced}):
            status.write_chunk(self._store, chunk, values=values[status.region(chunk)])
        for index in replaced:
            self._stored[index] = False

    def _flush_attrs(self) -> None:
        attrs = self._all_attrs()
        if attrs == self._written_attrs:
            return
        self._store.set_attrs(attrs)
        left = self._store.names - {*self._coordinates, *self._structured.names}
        for name in left:
            if self._store.array(name).attrs.get("result") in self._structured.bases:  # what a person added stays
                self._store.remove(name)
        self._written_attrs = attrs

    def _all_attrs(self) -> dict[str, Any]:
        attrs = dict(self._attrs)
        attrs["coordinates"] = " ".join(sorted({*self._coordinates, *self._structured.coordinate_names}))
        if self._structured.layouts:
            attrs["layouts"] = json.dumps(self._structured.state(), ensure_ascii=False)
        if self._structured.left_out:
            attrs["left_out"] = dict(self._structured.left_out)
        return attrs

    def _result_names(self) -> list[str]:
        return [n for scalar in self._scalars.values() for n in scalar.names] + self._structured.names

    def _continue(self) -> None:
        attrs = self._own_attrs()
        try:
            self._load(attrs)
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:  # RuntimeError: of a damaged chunk
            raise InputError(
                "results of a sweep that cannot be continued",
                where=str(self._store.path),
                got=str(error),
                next_command=f"mv {self._store.path} {self._store.path}.old   (the runs themselves are not in it)",
            ) from None

    def _own_attrs(self) -> dict[str, Any]:
        try:
            attrs = self._store.attrs
        except (OSError, KeyError, TypeError, ValueError):
            attrs = {}
        wanted = [self._attrs["format"], self._attrs["sweep"]]
        if [attrs.get("format"), attrs.get("sweep")] != wanted:
            raise InputError(
                "there is something else where the results of the sweep should go",
                where=str(self._store.path),
                wanted=f"a new folder, or results of sweep {self._attrs['sweep']}",
                got=f"results of sweep {attrs['sweep']}" if "sweep" in attrs else "no results of a sweep",
            )
        return attrs

    def _load(self, attrs: Mapping[str, Any]) -> None:
        for name, variable in self._coordinates.items():
            if not np.array_equal(np.asarray(self._store.array(name)[...]), variable.values):
                raise ValueError(f"{name} has other values")
        there = self._store.names
        for fact in self._facts.values():
            if fact.name in there:
                fact.load(self._store)
        for scalar in self._scalars.values():
            scalar.load(self._store, there=there)
        layouts = json.loads(attrs.get("layouts", "{}"))
        self._structured.load(self._store, state=layouts, left_out=attrs.get("left_out", {}))
        self._stored = self._facts[STATUS].values != MISSING


def _scalar(results: Mapping[str, Result], name: str) -> ScalarResult | None:
    result = results.get(name)
    return result if isinstance(result, ScalarResult) else None


def _fact_grid(fact: str, name: str, axes: Mapping[str, int]) -> Grid:
    fill = np.array(MISSING if fact == STATUS else "", dtype=TEXT)
    attrs = {"long_name": _FACT_TEXTS[fact]}
    return Grid(name, dims=list(axes), shape=list(axes.values()), points=len(axes), fill=fill, attrs=attrs)


def _one_text(reason: str) -> str:
    text = reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 1] + "…"
    return text.encode("utf-8", "replace").decode()  # what is not Unicode cannot be stored
