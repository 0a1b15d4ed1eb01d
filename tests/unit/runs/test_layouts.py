"""Tables and datasets of a sweep's points: what they are called, and what is left out because it differs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from braggbook.runs import collect

from .sweep_helpers import ARRAYS, RUN, SCALAR, TABLE, Sweep, a_sweep, continued, encoded, grid, number, parameters

NAN = math.nan


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "sweep.zarr"


def curves(values: Any, **coords: Any) -> xr.Dataset:
    return xr.Dataset({"s": (("dose",), np.asarray(values), {"units": "1"})}, coords=coords)


def test_arrays_keep_their_dimensions_coordinates_and_units(store: Path) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    for i in (2, 0):
        dose = xr.Variable("dose", [0.0, 5.0], {"units": "Gy"})
        data = curves([1.0, i / 10], dose=dose, line="CAL 33")
        data["fit"] = (("dose", "side"), np.full((2, 2), i, dtype="f4"))
        sweep.complete(i, encoded("curves", data))
    read = sweep.flushed()
    assert read.curves_s.dims == ("dose_gy", "dose")
    assert np.array_equal(read.curves_s, [[1, 0], [NAN, NAN], [1, 0.2]], equal_nan=True)
    assert read.curves_s.attrs == {"units": "1", "result": "curves", "part": "s", "declared_type": "<f8"}
    assert (read.curves_fit.dims, read.curves_fit.dtype) == (("dose_gy", "dose", "side"), np.float32)
    assert (read.dose.values.tolist(), read.dose.attrs["units"]) == ([0, 5], "Gy")
    assert (read.line.item(), set(read.coords)) == ("CAL 33", {"dose_gy", "dose", "line"})


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ([1, -2], [1.0, -2.0]),
        ([True, False], [1.0, 0.0]),
        (["µ", ""], ["µ", ""]),
        ([1 + 2j, 0j], [1 + 2j, 0j]),
        (np.array([7, 255], dtype="u1"), [7.0, 255.0]),
    ],
    ids=["integers", "booleans", "texts", "complex", "bytes"],
)
def test_arrays_of_each_type_can_say_that_a_point_is_missing(store: Path, values: Any, stored: list[Any]) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    sweep.complete(1, encoded("curves", curves(values)))
    read = sweep.flushed().curves_s
    assert read.values[1].tolist() == stored
    gaps = read.values[[0, 2]].ravel().tolist()
    assert gaps == [""] * 4 if isinstance(stored[0], str) else all(map(np.isnan, gaps))


def test_an_array_with_the_result_s_own_name_keeps_it(store: Path) -> None:
    sweep = a_sweep(store, survival=ARRAYS)
    sweep.complete(0, encoded("survival", xr.DataArray([1.0, 0.5], dims="dose")))
    assert sweep.flushed().survival.dims == ("dose_gy", "dose")


def test_large_arrays_are_a_chunk_for_each_point_and_are_not_kept(store: Path) -> None:
    sweep = a_sweep(store, dose=ARRAYS)
    volume = np.linspace(0, 1, 300_000).reshape(3, 100_000)
    for i in (0, 2):
        sweep.complete(i, encoded("dose", xr.Dataset({"d": (("z", "x"), volume + i)})))
    assert sweep.collector._structured.waiting_bytes == 2 * volume.nbytes
    sweep.collector.flush()
    assert sweep.collector._structured.waiting_bytes == 0
    sweep.collector.add(sweep.points[2], run_id=RUN.format(2), status="failed")
    read = sweep.flushed().dose_d
    assert read.encoding["chunks"] == (1, 3, 100_000)
    assert np.array_equal(read.values[0], volume)
    assert np.isnan(read.values[1:]).all()
    continued(sweep).complete(0, encoded("dose", xr.Dataset({"d": (("z", "x"), volume)})))
    assert not sweep.collector._fresh, "the stored point is the same"


def test_what_waits_does_not_fill_the_memory(store: Path) -> None:
    sweep = Sweep(store, grid(dose_gy=tuple(range(10))), given=parameters("dose_gy: int = 0"), dose=ARRAYS)
    volume = xr.Dataset({"d": ("x", np.zeros(4_500_000))})
    result = encoded("dose", volume)
    for i in range(2):
        sweep.complete(i, result)
    assert sweep.collector._structured.waiting_bytes < collect._WAITING_BYTES
    assert (sweep.read().status == "complete").sum() == 2


def test_tables_are_columns_over_rows(store: Path) -> None:
    sweep = a_sweep(store, plates=TABLE)
    frame = {
        "dose (Gy)": [0.0, 2.0],
        "n": pd.array([124, None], dtype="Int64"),
        "fed": [True, False],
        "line": ["a", None],
    }
    sweep.complete(1, encoded("plates", pd.DataFrame(frame), units={"dose (Gy)": "Gy"}))
    read = sweep.flushed()
    assert read.plates_dose__Gy_.dims == ("dose_gy", "plates_row")
    assert (read.plates_dose__Gy_.attrs["part"], read.plates_dose__Gy_.attrs["units"]) == ("dose (Gy)", "Gy")
    assert np.array_equal(read.plates_n.values[1], [124, NAN], equal_nan=True)
    assert np.array_equal(read.plates_fed, [[NAN, NAN], [1, 0], [NAN, NAN]], equal_nan=True)
    assert read.plates_line.values.tolist() == [["", ""], ["a", ""], ["", ""]]


def test_empty_tables_and_arrays_are_results(store: Path) -> None:
    sweep = a_sweep(store, plates=TABLE, curves=ARRAYS)
    sweep.complete(0, encoded("plates", pd.DataFrame({"a": []})), encoded("curves", curves([])))
    read = sweep.flushed()
    assert (read.plates_a.shape, read.curves_s.shape) == ((3, 0), (3, 0))
    assert read.status.values[0] == "complete"


DOSE = [0.0, 1.0]
DIFFER = {
    "rows": (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 2]}), "shape of a: (1) in run {}, (2) in run {}"),
    "columns": (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), "a in run {}; b in run {}"),
    "column types": (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": ["x"]}), "type of a: number in run {}, text in run {}"),
    "shapes": (curves([1.0]), curves([1.0, 2.0]), "shape of s: (1) in run {}, (2) in run {}"),
    "types": (curves([1.0]), curves(np.float32([1])), "type of s: <f8 in run {}, <f4 in run {}"),
    "coordinates": (
        curves([1.0, 2.0], dose=DOSE), curves([1.0, 2.0], dose=[0.0, 1.5]),
        "coordinate dose has other values in run {} than in run {}",
    ),
    "variables": (curves([1.0, 2.0]), curves([1.0, 2.0], dose=DOSE), "s in run {}; s, dose in run {}"),
    "units": (
        curves([1.0]), curves([1.0]).assign(s=("dose", [1.0], {"units": "Gy"})), "units of s: 1 in run {}, Gy in run {}",
    ),
    "dimensions": (curves([1.0]), curves([1.0]).rename(dose="let"), "dims of s: (dose) in run {}, (let) in run {}"),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFER)
@pytest.mark.parametrize("between", ["nothing", "another process"])
def test_a_result_that_differs_between_points_is_left_out_with_the_reason(store: Path, case: str, between: str) -> None:
    first, second, reason = DIFFER[case]
    spec = TABLE if isinstance(first, pd.DataFrame) else ARRAYS
    sweep = a_sweep(store, odd=spec, d10=SCALAR)
    sweep.complete(0, encoded("odd", first), number("d10", 1.0))
    if between != "nothing":
        assert any(name.startswith("odd") for name in sweep.flushed().data_vars)
    if between == "another process":
        continued(sweep)
    sweep.complete(1, encoded("odd", second), number("d10", 2.0))
    sweep.complete(2, encoded("odd", first), number("d10", 3.0))
    told = {"odd": reason.format(RUN.format(0), RUN.format(1))}
    assert sweep.collector.left_out == told
    read = sweep.flushed()
    assert read.attrs["left_out"] == told
    assert set(read.variables) == {"dose_gy", "d10", "run_id", "status", "reason"}
    assert read.d10.values.tolist() == [1.0, 2.0, 3.0]
    assert continued(sweep).collector.left_out == told


@pytest.mark.parametrize("flush", [False, True])
def test_a_coordinate_stays_while_another_result_has_it(store: Path, flush: bool) -> None:
    sweep = a_sweep(store, odd=ARRAYS, even=ARRAYS)
    sweep.complete(0, encoded("odd", curves([1.0, 2.0], dose=DOSE)), encoded("even", curves([1.0, 2.0], dose=DOSE)))
    if flush:
        sweep.collector.flush()
    sweep.complete(1, encoded("odd", curves([1.0])), encoded("even", curves([3.0, 4.0], dose=[-0.0, 1.0])))
    read = sweep.flushed()
    assert set(read.attrs["left_out"]) == {"odd"}
    assert read.indexes["dose"].tolist() == DOSE
    assert read.even_s.values[:2].tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (curves([2**53 + 1]), "s has the whole number 9007199254740993, which float64 cannot hold to the last digit"),
        (curves(np.array(["2026-01-01"], dtype="M8[s]")), "s is of type datetime64[s], which the store does not hold"),
        (pd.DataFrame({"s": [2**60]}), "s has the whole number 1152921504606846976, which float64 cannot hold to the last digit"),
    ],
    ids=["whole numbers", "dates", "whole numbers of a table"],
)  # fmt: skip
def test_what_the_store_cannot_hold_is_left_out_with_the_reason(store: Path, value: Any, reason: str) -> None:
    sweep = a_sweep(store, odd=TABLE if isinstance(value, pd.DataFrame) else ARRAYS)
    sweep.complete(0, encoded("odd", value))
    read = sweep.flushed()
    assert read.attrs["left_out"] == {"odd": f"{reason} (run {RUN.format(0)})"}
    assert read.status.values[0] == "complete"


def test_dates_may_be_a_coordinate_and_a_unit_that_reads_as_one_is_no_date(store: Path) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    days = pd.date_range("2026-01-01", periods=2, unit="s")
    data = curves([1.0, 2.0], dose=days)
    data["late"] = ("dose", [1.0, 2.0], {"units": "days since 2026-01-01"})
    data["long"] = ("dose", [1.0, 2.0], {"units": "days"})
    sweep.complete(0, encoded("curves", data))
    sweep.collector.flush()
    read = continued(sweep).flushed()
    assert (read.dose.values == days.values).all()
    assert read.curves_late.values[0].tolist() == read.curves_long.values[0].tolist() == [1.0, 2.0]
    assert read.curves_late.attrs["units_text"] == "days since 2026-01-01"


def test_attributes_that_xarray_would_act_on_do_not_change_a_number(store: Path) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    data = curves([1.0, 2.0])
    data.s.attrs.update(scale_factor=10.0, add_offset=1.0, dtype="bool", coordinates="x", _FillValue=2.0)
    sweep.complete(0, encoded("curves", data))
    assert sweep.flushed().curves_s.values[0].tolist() == [1.0, 2.0]
