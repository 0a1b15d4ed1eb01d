"""What the tests of a sweep's results build with: parameters, designs, results, and collectors of them.

Run as a program it makes the same changes to a store that :func:`changes` describes, and copies the store before each
step on the disk: what a process killed at that moment would leave.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from braggbook.formats.notebook import ParameterSpec, ResultSpec
from braggbook.formats.result import Result
from braggbook.notebooks.declarations import read_declarations
from braggbook.notebooks.parameters import Parameters, build_parameters
from braggbook.notebooks.results import encode_result
from braggbook.runs.collect import Collector
from braggbook.runs.design import Axis, Design, Point

RUN = "0123456789abcdef{:08x}"


def parameters(cell: str = "dose_gy: float = 2.0", **units: str) -> Parameters:
    """Reads a parameters cell."""
    declared, issues = read_declarations(cell)
    found, more = build_parameters(declared, {name: ParameterSpec(unit=unit) for name, unit in units.items()})
    assert not issues
    assert not more
    return found


def grid(**values: Any) -> Design:
    """Returns the design of a full grid."""
    return Design({}, tuple(Axis(name, {name: tuple(column)}) for name, column in values.items()))


def encoded(name: str, value: Any, **options: Any) -> Result:
    """Declares a result as a notebook does."""
    nothing: dict[str, Any] = {"unit": None, "uncertainty": None, "interval": None, "units": {}, "alt": ""}
    return encode_result(name, value, **{**nothing, **options}).model_copy(update={"constants": None})


def number(name: str, value: float, unit: str = "Gy", **options: Any) -> Result:
    """Declares a number."""
    return encoded(name, value, unit=unit, **options)


def by_name(*results: Result) -> dict[str, Result]:
    """Returns results as a run has them."""
    return {result.name: result for result in results}


class Sweep:
    """A sweep in a folder, and its collector."""

    def __init__(self, path: Path, design: Design, *, given: Parameters | None = None, **specs: ResultSpec) -> None:
        self.path = path
        self.design = design
        self.points = list(design.points())
        self.given = given or parameters()
        self.specs = specs
        self.collector = self.another()

    def another(self, **changes: Any) -> Collector:
        """Returns a collector as the next process would make it."""
        usual = {"parameters": self.given, "specs": self.specs, "sweep": "s1", "attrs": {"notebook": "survival"}}
        return Collector(self.path, self.design, **{**usual, **changes})

    def complete(self, position: int, *results: Result) -> None:
        """Adds a complete point; the run's id ends with its position."""
        point = self.points[position]
        self.collector.add(point, run_id=RUN.format(position), status="complete", results=by_name(*results))

    def flushed(self) -> xr.Dataset:
        """Returns all that is in the store after a flush, in memory."""
        self.collector.flush()
        return self.read()

    def read(self) -> xr.Dataset:
        """Returns what any reader finds in the store."""
        return read_store(self.path)


def a_sweep(store: Path, **specs: ResultSpec) -> Sweep:
    """Returns a sweep of three doses."""
    return Sweep(store, grid(dose_gy=DOSES), given=parameters(dose_gy="Gy"), **specs or {"d10": SCALAR})


def continued(sweep: Sweep) -> Sweep:
    """Returns the same sweep in the next process."""
    sweep.collector = sweep.another()
    return sweep


def read_store(path: Path) -> xr.Dataset:
    """Opens a store as any reader does, and loads it."""
    with xr.open_zarr(path, consolidated=False) as dataset:
        return dataset.load()


DOSES = (1.0, 2.0, 4.0)
SCALAR, TABLE, ARRAYS = ResultSpec(unit="Gy"), ResultSpec(kind="table"), ResultSpec(kind="dataset")
WRITTEN = "written.txt"
CHANGED = {"d10": SCALAR, "plates": TABLE, "curves": ARRAYS, "ragged": ARRAYS}


def results_of(value: float, *, length: int = 2, **options: Any) -> dict[str, Result]:
    """Returns results of every kind that belong to ``value``."""
    curve = xr.Dataset({"s": ("dose", value * np.ones(3))}, coords={"dose": [0.0, 2.0, 6.0], "line": "CAL 33"})
    return by_name(
        number("d10", value, **options),
        encoded("plates", pd.DataFrame({"n": [value, value], "line": [str(value)] * 2})),
        encoded("curves", curve),
        encoded("ragged", xr.Dataset({"r": ("i", value * np.ones(length))})),
    )


def changes(collector: Collector, points: list[Point]) -> None:
    """Fills a store in three flushes: with late variables, a result that is left out, and a point that is replaced."""
    collector.add(points[0], run_id=RUN.format(0), status="complete", results=results_of(1.0))
    collector.add(points[1], run_id=RUN.format(1), status="failed", reason="cell 3")
    collector.flush()
    late: Mapping[str, Any] = {"uncertainty": 0.5, "interval": (1.0, 3.0)}
    collector.add(points[1], run_id=RUN.format(1), status="complete", results=results_of(2.0, **late))
    collector.flush()
    collector.add(points[0], run_id=RUN.format(9), status="complete", results=results_of(5.0, length=4, **late))
    collector.add(points[2], run_id=RUN.format(2), status="timed out")
    collector.flush()


def _copy_before_each_step(path: Path, copies: Path) -> None:
    """Copies a store before each step on the disk, and lists the files that are opened to be written."""
    count, lock, busy = itertools.count(), threading.Lock(), threading.local()
    written = copies.with_name(WRITTEN).open("w")

    def before(event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(busy, "now", False) or event not in ("open", "os.rename", "os.mkdir", "os.remove"):
            return
        if event == "open" and (not isinstance(arguments[1], str) or arguments[1].startswith("r")):
            return
        busy.now = True
        with lock:
            if event == "open":
                written.write(f"{arguments[0]}\n")
            if path.exists():
                shutil.copytree(path, copies / f"{next(count):04}" / path.name)
        busy.now = False

    sys.addaudithook(before)


def main() -> None:
    """Makes the changes in the first folder, and the copies in the second."""
    store, copies = Path(sys.argv[1]), Path(sys.argv[2])
    _copy_before_each_step(store, copies)
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0, 4.0)), **CHANGED)
    changes(sweep.collector, sweep.points)


if __name__ == "__main__":
    main()
