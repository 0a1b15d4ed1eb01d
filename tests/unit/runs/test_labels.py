"""Parameters as coordinates, and the names of a sweep's variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from braggbook.formats.notebook import ResultSpec
from braggbook.runs.design import Axis, Design
from braggbook.runs.labels import coordinates, scalar_variables

from .sweep_helpers import ARRAYS, SCALAR, TABLE, Sweep, a_sweep, continued, encoded, grid, number, parameters


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "sweep.zarr"


def test_every_parameter_is_a_coordinate(store: Path) -> None:
    cell = (
        "alpha: float = 0.1\nbeta: float = 0.02\nn: int = 3\nseen: bool = True\nfit: str | None = None\n"
        "doses: list[float] = [1.0, 2.0]\nlevel: float = 0.95"
    )
    axes = (
        Axis("cells", {"alpha": (0.1, 0.2), "beta": (0.01, 0.02)}),
        Axis("n", {"n": (1, 2, 3)}),
        Axis("seen", {"seen": (True, False)}),
        Axis("fit", {"fit": (None, "null", "wls")}),
    )
    design = Design({"doses": [0.5, 2.0]}, axes)
    sweep = Sweep(store, design, given=parameters(cell, alpha="1/Gy", doses="Gy"), d10=SCALAR)
    read = sweep.flushed()
    assert read.d10.dims == ("cells", "n", "seen", "fit")
    assert read.alpha.dims == read.beta.dims == ("cells",)
    assert read.alpha.values.tolist() == [0.1, 0.2]
    assert (read.n.dtype, read.seen.dtype) == (np.int64, np.bool_)
    assert read.seen.values.tolist() == [True, False]
    assert [json.loads(text) for text in read.fit.values] == [None, "null", "wls"]
    assert read.fit.attrs["value_format"] == "json"
    assert (read.doses.item(), read.doses.attrs) == ("[0.5,2.0]", {"units": "Gy", "value_format": "json"})
    assert read.level.item() == 0.95
    assert set(read.coords) == {"alpha", "beta", "n", "seen", "fit", "doses", "level"}


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ((1, 2.5), [1.0, 2.5]),
        ((True, 1), ["true", "1"]),
        ((2**53 + 1, 0.5), [str(2**53 + 1), "0.5"]),
        ((2**70, 1), [str(2**70), "1"]),
        ((2**53 + 1, 1), [2**53 + 1, 1]),
        (([1.0], [2.0, 3.0]), ["[1.0]", "[2.0,3.0]"]),
        (({"b": 1, "a": 2}, {}), ['{"a":2,"b":1}', "{}"]),
        (("µ", ""), ["µ", ""]),
    ],
    ids=str,
)
def test_values_are_kept_or_written_out(store: Path, values: tuple[Any, ...], stored: list[Any]) -> None:
    sweep = Sweep(store, grid(x=values), given=parameters("x: Any = 0"), d10=SCALAR)
    assert sweep.flushed().x.values.tolist() == stored


def test_what_is_known_before_any_run_is_what_the_store_has(store: Path) -> None:
    sweep = a_sweep(store, d10=ResultSpec(unit="Gy", help="a dose"), dose_gy=SCALAR, plates=TABLE)
    known = scalar_variables(sweep.design, sweep.given, specs=sweep.specs)
    read = sweep.flushed()
    assert list(known) == ["d10", "dose_gy"]
    for name, attrs in known.values():
        assert read[name].attrs == attrs
    for name, variable in coordinates(sweep.design, sweep.given).items():
        assert read[name].variable.identical(variable)


# Names that two things want


def test_parameters_keep_their_names_and_results_give_way(store: Path) -> None:
    cell = "dose_gy: float = 1.0\nstatus: str = 'new'\nD10: int = 1"
    specs = {"dose_gy": SCALAR, "d10": SCALAR, "run_id": SCALAR}
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0)), given=parameters(cell), **specs)
    sweep.complete(0, number("dose_gy", 7.0), number("d10", 8.0), number("run_id", 9.0))
    read = sweep.flushed()
    assert read.dose_gy.values.tolist() == [1.0, 2.0]
    assert (read.status.item(), read.D10.item()) == ("new", 1)
    assert read.status_result.values.tolist() == ["complete", "missing"]
    for name, value in {"dose_gy_result": 7.0, "d10_result": 8.0, "run_id_result": 9.0}.items():
        assert read[name].values[0] == value
        assert read[name].attrs["result"] == name.removesuffix("_result")


def test_a_declared_result_keeps_its_name_before_a_limit_of_another(store: Path) -> None:
    sweep = a_sweep(store, d10=SCALAR, d10_lower=SCALAR)
    sweep.complete(0, number("d10", 5.0, interval=(4.0, 6.0)), number("d10_lower", 1.0))
    read = sweep.flushed()
    assert (read.d10_lower.values[0], read.d10_lower_result.values[0]) == (1.0, 4.0)
    assert [read.d10_lower_result.attrs[key] for key in ("result", "part")] == ["d10", "lower"]


def test_a_dimension_of_a_result_gives_way_to_one_of_the_sweep(store: Path) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    data = xr.Dataset({"s": ("dose_gy", [1.0, 0.5])}, coords={"dose_gy": [0.0, 9.0], "line": ("dose_gy", ["a", "b"])})
    sweep.complete(0, encoded("curves", data))
    read = sweep.flushed()
    assert read.curves_s.dims == ("dose_gy", "curves_dose_gy")
    assert read.curves_dose_gy.values.tolist() == [0.0, 9.0]
    assert read.line.dims == ("curves_dose_gy",)
    assert read.dose_gy.values.tolist() == [1.0, 2.0, 4.0]


def test_results_share_a_dimension_only_where_its_coordinate_is_the_same(store: Path) -> None:
    sweep = a_sweep(store, a=ARRAYS, b=ARRAYS, c=ARRAYS, d=ARRAYS)

    def over(*dose: float) -> xr.Dataset:
        return xr.Dataset({"s": ("dose", np.ones(len(dose)))}, coords={"dose": list(dose)})

    bare = xr.Dataset({"s": ("dose", [1.0, 1.0])})
    results = [encoded("a", over(1, 2)), encoded("b", over(1, 2)), encoded("c", over(1, 3)), encoded("d", bare)]
    sweep.complete(1, *results)
    for read in (sweep.flushed(), continued(sweep).flushed()):
        assert [read[f"{name}_s"].dims[1] for name in "abcd"] == ["dose", "dose", "c_dose", "d_dose"]
        assert read.c_dose.values.tolist() == [1, 3]
    sweep.complete(2, encoded("a", over(1)), *results[1:])
    read = sweep.flushed()
    assert "a_s" not in read
    assert read.b_s.values[2].tolist() == [1, 1]
    assert read.indexes["dose"].tolist() == [1, 2], "it is still b's"


def test_parts_that_want_one_name_are_told_apart_by_their_attributes(store: Path) -> None:
    sweep = a_sweep(store, a=TABLE, a_b=TABLE)
    sweep.complete(
        0, encoded("a", pd.DataFrame({"b_c": [1.0]})), encoded("a_b", pd.DataFrame({"c": [2.0], "C": [3.0]}))
    )
    sweep.collector.flush()
    read = continued(sweep).flushed()
    found = {(v.attrs["result"], v.attrs["part"]): v.values[0].item() for v in read.values() if "part" in v.attrs}
    assert len({name.casefold() for name in read.variables}) == len(read.variables), "some disks know no capitals"
    assert found == {("a", "b_c"): 1.0, ("a_b", "c"): 2.0, ("a_b", "C"): 3.0}


@pytest.mark.parametrize("name", ["a/b", "", "..", "__x", "zarr.json", "x" * 300, "µ (1/Gy)", "a b"])
def test_any_name_of_a_column_can_be_stored(store: Path, name: str) -> None:
    sweep = a_sweep(store, plates=TABLE)
    sweep.complete(0, encoded("plates", pd.DataFrame({name: [1.0]})))
    read = sweep.flushed()
    (variable,) = [v for v in read.values() if v.attrs.get("result") == "plates"]
    assert (variable.attrs["part"], variable.values[0].tolist()) == (name, [1.0])


@pytest.mark.parametrize("name", ["a/b", "..", "__x", "a b"])
def test_any_name_of_a_dimension_can_be_stored(store: Path, name: str) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    sweep.complete(0, encoded("curves", xr.Dataset({"s": (name, [1.0, 2.0])}, coords={name: [5.0, 6.0]})))
    read = sweep.flushed()
    coordinate = read[read.curves_s.dims[1]]
    assert coordinate.values.tolist() == [5.0, 6.0]
    assert coordinate.attrs["part"] == name
