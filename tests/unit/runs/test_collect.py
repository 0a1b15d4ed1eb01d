"""The results of a sweep as one dataset in a Zarr store: names, units, gaps, and what a kill or a full disk leaves."""

from __future__ import annotations

import json
import math
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import InputError, ResultError, StorageError
from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import ScalarResult
from braggbook.runs import collect
from braggbook.runs.collect import Collector
from braggbook.runs.design import Axis, Design
from braggbook.runs.labels import coordinates, scalar_variables

from .sweep_helpers import (
    ARRAYS,
    CHANGED,
    RUN,
    SCALAR,
    TABLE,
    Sweep,
    changes,
    encoded,
    grid,
    number,
    parameters,
    read_store,
    results_of,
)

DOSES = (1.0, 2.0, 4.0)
NAN = math.nan


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "sweep.zarr"


def a_sweep(store: Path, **specs: ResultSpec) -> Sweep:
    return Sweep(store, grid(dose_gy=DOSES), given=parameters(dose_gy="Gy"), **specs or {"d10": SCALAR})


# Scalars, statuses, coordinates


def test_numbers_lie_over_the_parameters_with_their_units(store: Path) -> None:
    cell = "let_kev_um: float = 1.0  # dose-averaged\nmodel: str = 'w'"
    design = grid(let_kev_um=(1.0, 10.0, 100.0), model=("wedenberg", "mcnamara"))
    spec = ResultSpec(unit="Gy", help="dose for 10 % survival")
    sweep = Sweep(store, design, given=parameters(cell, let_kev_um="keV/um"), d10=spec)
    for position in range(6):
        sweep.complete(position, number("d10", 10.0 + position))
    read = sweep.flushed()
    assert read.d10.dims == ("let_kev_um", "model")
    assert read.d10.values.tolist() == [[10, 11], [12, 13], [14, 15]]
    assert read.d10.attrs == {
        "units": "Gy", "long_name": "dose for 10 % survival", "result": "d10", "part": "value", "declared_type": "number",
    }  # fmt: skip
    assert read.let_kev_um.attrs == {"units": "keV/um", "long_name": "dose-averaged"}
    assert float(read.d10.sel(let_kev_um=10.0, model="mcnamara")) == 13
    assert (read.attrs["sweep"], read.attrs["notebook"]) == ("s1", "survival")
    assert set(read.data_vars) == {"d10", "run_id", "status", "reason"}


def test_every_status_is_kept_with_its_run_and_reason(store: Path) -> None:
    statuses = ("complete", "failed", "timed out", "killed", "interrupted")
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)), d10=SCALAR)
    for point, status in zip(sweep.points, statuses, strict=False):
        run = {"status": status, "reason": f"was {status}", "results": {"d10": number("d10", 3.0)}}
        sweep.collector.add(point, run_id=RUN.format(point.index[0]), **run)
    read = sweep.flushed()
    assert read.status.values.tolist() == [*statuses, "missing"]
    assert read.reason.values.tolist() == [*(f"was {status}" for status in statuses), ""]
    assert read.run_id.values.tolist() == [*(RUN.format(i) for i in range(5)), ""]
    assert np.array_equal(read.d10, [3, NAN, NAN, NAN, NAN, NAN], equal_nan=True), "only a complete run has results"


def test_points_come_in_any_order_and_replace_what_was_there(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.complete(2, number("d10", 5.0))
    sweep.collector.add(sweep.points[0], run_id=RUN.format(0), status="killed", reason="signal 9")
    sweep.collector.flush()
    sweep.complete(0, number("d10", 1.0, uncertainty=0.5))
    sweep.collector.add(sweep.points[2], run_id=RUN.format(2), status="failed")
    read = sweep.flushed()
    assert read.status.values.tolist() == ["complete", "missing", "failed"]
    assert read.reason.values.tolist() == ["", "", ""]
    assert np.array_equal(read.d10, [1, NAN, NAN], equal_nan=True)
    assert np.array_equal(read.d10_uncertainty, [0.5, NAN, NAN], equal_nan=True)


def test_uncertainty_and_interval_may_come_late(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.complete(0, number("d10", 4.0))
    assert set(sweep.flushed().data_vars) == {"d10", "run_id", "status", "reason"}
    sweep.complete(1, number("d10", 5.0, uncertainty=0.5, interval=(4.0, 6.0)))
    read = sweep.flushed()
    for part, value in {"uncertainty": 0.5, "lower": 4.0, "upper": 6.0}.items():
        assert np.array_equal(read[f"d10_{part}"], [NAN, value, NAN], equal_nan=True)
        assert read[f"d10_{part}"].attrs["units"] == "Gy"
    assert read.d10_lower.attrs["interval_level"] == 0.95
    assert "d10_level" not in read


def test_a_limit_that_does_not_exist_is_infinite_and_no_interval_is_a_gap(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.complete(0, number("d10", 4.0, interval=(None, 6.0)))
    sweep.complete(1, number("d10", 4.0, interval=(1.0, None)))
    sweep.complete(2, number("d10", 4.0))
    read = sweep.flushed()
    assert np.array_equal(read.d10_lower, [-math.inf, 1, NAN], equal_nan=True)
    assert np.array_equal(read.d10_upper, [6, math.inf, NAN], equal_nan=True)


def with_interval(value: float, **about: Any) -> ScalarResult:
    interval = {"lower": value - 1, "upper": value + 1, **about}
    return ScalarResult.model_validate({"name": "d10", "value": value, "unit": "Gy", "interval": interval})


def test_what_all_intervals_share_is_an_attribute_and_what_differs_a_variable(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.complete(0, with_interval(4.0, level=0.9, method="profile"))
    read = sweep.flushed()
    assert (read.d10_upper.attrs["interval_level"], read.d10_upper.attrs["interval_method"]) == (0.9, "profile")
    sweep.complete(2, with_interval(5.0, level=0.99, method="profile", note="beta may be zero"))
    for read in (sweep.flushed(), continued(sweep).flushed()):
        assert np.array_equal(read.d10_level, [0.9, NAN, 0.99], equal_nan=True)
        assert read.d10_note.values.tolist() == ["", "", "beta may be zero"]
        assert read.d10_lower.attrs["interval_level"] == "see d10_level"
        assert read.d10_lower.attrs["interval_method"] == "profile"
        assert "d10_method" not in read


def continued(sweep: Sweep) -> Sweep:
    """Returns the same sweep in the next process."""
    sweep.collector = sweep.another()
    return sweep


def test_a_process_that_goes_on_still_tells_levels_apart(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.complete(0, with_interval(4.0, level=0.9))
    sweep.collector.flush()
    continued(sweep).complete(1, with_interval(5.0, level=0.99))
    assert np.array_equal(sweep.flushed().d10_level, [0.9, 0.99, NAN], equal_nan=True)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((1, 2), "integer"),
        ((True, False), "boolean"),
        ((1.5, 2.0), "number"),
        ((1, 2.5), "integer or number"),
    ],
)
def test_the_type_that_was_declared_is_said(store: Path, values: tuple[Any, Any], kind: str) -> None:
    sweep = a_sweep(store, n=ResultSpec(unit="1"))
    sweep.complete(0, number("n", values[0], "1"))
    sweep.collector.flush()
    continued(sweep).complete(1, number("n", values[1], "1"))
    read = sweep.flushed()
    assert read.n.dtype == np.float64
    assert np.array_equal(read.n, [*map(float, values), NAN], equal_nan=True)
    assert read.n.attrs["declared_type"] == kind


def test_no_digit_of_a_large_whole_number_is_lost(store: Path) -> None:
    sweep = a_sweep(store, n=ResultSpec(unit="1"))
    sweep.complete(0, number("n", 2**53, "1"))
    assert "n_exact" not in sweep.flushed()
    sweep.complete(1, number("n", 2**53 + 1, "1"))
    sweep.complete(2, ScalarResult(name="n", value=10**400, unit="1"))
    read = sweep.flushed()
    assert read.n_exact.values.tolist() == ["", str(2**53 + 1), str(10**400)]
    assert np.array_equal(read.n, [2.0**53, 2.0**53, NAN], equal_nan=True)


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


def test_a_sweep_of_one_point_has_no_dimensions(store: Path) -> None:
    sweep = Sweep(store, Design({"dose_gy": 3.0}, ()), **CHANGED)
    sweep.collector.add(sweep.points[0], run_id=RUN.format(0), status="complete", results=results_of(4.0))
    read = sweep.flushed()
    assert (read.d10.item(), read.status.item(), read.dose_gy.item()) == (4.0, "complete", 3.0)
    assert read.curves_s.values.tolist() == [4.0, 4.0, 4.0]


def test_scalars_lie_in_chunks_of_at_most_a_megabyte(store: Path) -> None:
    design = grid(a=tuple(range(700)), b=tuple(range(300)))
    sweep = Sweep(store, design, given=parameters("a: int = 0\nb: int = 0"), d10=SCALAR)
    sweep.complete(len(sweep.points) - 1, number("d10", 1.0))
    read = sweep.flushed()
    for name in ("d10", "run_id"):
        size = 8 if name == "d10" else 32
        assert 2**19 < math.prod(read[name].encoding["chunks"]) * size <= 2**20
    assert read.status.values[-1, -1] == "complete"
    assert (read.status == "missing").sum() == len(sweep.points) - 1


def test_a_long_or_odd_reason_is_cut_and_stored(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.collector.add(sweep.points[0], run_id=RUN.format(0), status="failed", reason="x" * 1000)
    sweep.collector.add(sweep.points[1], run_id=RUN.format(1), status="failed", reason="not \ud800 text\0")
    assert sweep.flushed().reason.values.tolist() == ["x" * 299 + "…", "not ? text\0", ""]


def test_a_result_that_was_not_declared_so_is_refused_and_nothing_is_kept_of_its_point(store: Path) -> None:
    sweep = a_sweep(store, d10=SCALAR, plates=TABLE)
    with pytest.raises(ResultError) as caught:
        sweep.complete(0, number("d10", 1.0, "mm"), number("d11", 1.0), number("plates", 1.0))
    assert [str(issue) for issue in caught.value.issues] == [
        "d10: result in another unit; wanted Gy, got mm",
        "d11: result is not declared in the front matter; did you mean d10?",
        "plates: result of another kind; wanted table, got scalar",
    ]
    assert sweep.flushed().status.values.tolist() == ["missing"] * 3


def test_the_dataset_is_lazy_and_in_a_fixed_order(store: Path) -> None:
    sweep = Sweep(store, grid(dose_gy=DOSES), **CHANGED)
    changes(sweep.collector, sweep.points)
    lazy = sweep.collector.dataset()
    assert list(lazy.data_vars) == [
        "d10", "d10_uncertainty", "d10_lower", "d10_upper", "plates_n", "plates_line", "curves_s",
        "run_id", "reason", "status",
    ]  # fmt: skip
    assert lazy.d10.chunks is not None
    assert lazy.load().identical(sweep.read())


# Tables and datasets


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
    volume = xr.Dataset({"d": ("x", np.ones(2_000_000))})
    for i in range(5):
        sweep.complete(i, encoded("dose", volume))
    assert sweep.collector._structured.waiting_bytes < collect._WAITING_BYTES
    assert (sweep.read().status == "complete").sum() == 5


def test_tables_are_columns_over_rows(store: Path) -> None:
    sweep = a_sweep(store, plates=TABLE)
    frame = {"dose (Gy)": [0.0, 2.0], "n": pd.array([124, None], dtype="Int64"), "fed": [True, False], "line": ["a", None]}
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
@pytest.mark.parametrize("between", ["nothing", "a flush", "another process"])
def test_a_result_that_differs_between_points_is_left_out_with_the_reason(
    store: Path, case: str, between: str
) -> None:
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
    read = continued(sweep).flushed() if sweep.flushed() else None
    assert read is not None
    assert read.dose.values.tolist() == days.values.tolist()
    assert read.curves_late.values[0].tolist() == read.curves_long.values[0].tolist() == [1.0, 2.0]
    assert read.curves_late.attrs["units_text"] == "days since 2026-01-01"


def test_attributes_that_xarray_would_act_on_do_not_change_a_number(store: Path) -> None:
    sweep = a_sweep(store, curves=ARRAYS)
    data = curves([1.0, 2.0])
    data.s.attrs.update(scale_factor=10.0, add_offset=1.0, dtype="bool", coordinates="x", _FillValue=2.0)
    sweep.complete(0, encoded("curves", data))
    assert sweep.flushed().curves_s.values[0].tolist() == [1.0, 2.0]


def test_figures_are_not_in_the_store(store: Path) -> None:
    sweep = a_sweep(store, d10=SCALAR, plot=ResultSpec(kind="figure"))
    figure = {"plot": encoded("d10", 1.0, unit="Gy").model_copy()}
    figure = {"plot": collect.Result.__origin__.__args__[-1](name="plot", axes=[])}
    point = sweep.points[0]
    sweep.collector.add(point, run_id=RUN.format(0), status="complete", results={"d10": number("d10", 1.0), **figure})
    assert set(sweep.flushed().data_vars) == {"d10", "run_id", "status", "reason"}
