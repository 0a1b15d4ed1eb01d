"""The results of a sweep as one dataset in a Zarr store: scalars, statuses and gaps, as any reader finds them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ResultError
from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import FigureResult, ScalarResult
from braggbook.runs.design import Axis, Design

from .sweep_helpers import (
    ARRAYS,
    CHANGED,
    RUN,
    SCALAR,
    TABLE,
    Sweep,
    a_sweep,
    changes,
    continued,
    encoded,
    grid,
    number,
    parameters,
    results_of,
)

NAN = math.nan


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "sweep.zarr"


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


def test_a_sweep_of_one_point_has_no_dimensions(store: Path) -> None:
    sweep = Sweep(store, Design({"dose_gy": 3.0}, ()), **CHANGED)
    sweep.collector.add(sweep.points[0], run_id=RUN.format(0), status="complete", results=results_of(4.0))
    read = sweep.flushed()
    assert (read.d10.item(), read.status.item(), read.dose_gy.item()) == (4.0, "complete", 3.0)
    assert read.curves_s.values.tolist() == [4.0, 4.0, 4.0]


def test_scalars_lie_in_chunks_of_at_most_a_megabyte(store: Path) -> None:
    design = grid(a=tuple(range(500)), b=tuple(range(300)))
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
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0, 4.0)), **CHANGED)
    changes(sweep.collector, sweep.points)
    lazy = sweep.collector.dataset()
    assert list(lazy.data_vars) == [
        "d10", "d10_uncertainty", "d10_lower", "d10_upper", "plates_n", "plates_line", "curves_s",
        "run_id", "reason", "status",
    ]  # fmt: skip
    assert lazy.d10.chunks is not None
    assert lazy.load().identical(sweep.read())


def test_figures_are_not_in_the_store(store: Path) -> None:
    sweep = a_sweep(store, d10=SCALAR, plot=ResultSpec(kind="figure"))
    sweep.complete(0, number("d10", 1.0), FigureResult(name="plot", axes=[]))
    assert set(sweep.flushed().data_vars) == {"d10", "run_id", "status", "reason"}


# Any design, in any order, with points that are run again


@st.composite
def histories(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[int, float | None, float | None, bool]]]:
    """The lengths of the axes, and what happened: which point, its number (None: it failed), its uncertainty, a flush."""
    lengths = draw(st.lists(st.integers(1, 4), max_size=3).map(tuple))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    points = st.integers(0, math.prod(lengths) - 1)
    event = st.tuples(points, st.none() | numbers, st.none() | numbers.map(abs), st.booleans())
    return lengths, draw(st.lists(event, max_size=12))


@settings(max_examples=20)
@given(history=histories())
def test_the_dataset_is_what_the_points_gave_last(
    history: tuple[tuple[int, ...], list[tuple[int, float | None, float | None, bool]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lengths, events = history
    names = [f"p{i}" for i in range(len(lengths))]
    axes = tuple(Axis(n, {n: tuple(range(length))}) for n, length in zip(names, lengths, strict=True))
    given = parameters("\n".join(f"{name}: int = 0" for name in names))
    sweep = Sweep(tmp_path_factory.mktemp("any") / "s", Design({}, axes), given=given, d10=SCALAR, curve=ARRAYS)
    last: dict[tuple[int, ...], tuple[float | None, float | None]] = {}
    for position, value, uncertainty, flush in events:
        point = sweep.points[position]
        last[point.index] = (value, uncertainty)
        if value is None:
            sweep.collector.add(point, run_id="", status="failed")
        else:
            curve = encoded("curve", xr.DataArray([value, -value], dims="x"))
            sweep.complete(position, number("d10", value, uncertainty=uncertainty), curve)
        if flush:
            sweep.collector.flush()
    read = sweep.flushed()
    for point in sweep.points:
        value, uncertainty = last.get(point.index, (None, None))
        status = "missing" if point.index not in last else "failed" if value is None else "complete"
        assert read.status.values[point.index] == status
        assert same(read.d10.values[point.index], value)
        if "d10_uncertainty" in read or (value is not None and uncertainty is not None):
            assert same(read.d10_uncertainty.values[point.index], None if value is None else uncertainty)
        if "curve" in read:
            pair = read.curve.values[point.index]
            assert same(pair[0], value)
            assert same(pair[1], None if value is None else -value)
    assert ("curve" in read) == any(event[1] is not None for event in events)


def same(stored: float, given: float | None) -> bool:
    return bool(np.isnan(stored)) if given is None else stored == given
