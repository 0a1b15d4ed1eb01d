"""The store of a sweep on a real disk: going on after a kill, what a kill leaves, and a disk that is full."""

from __future__ import annotations

import math
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from braggbook.errors import InputError, StorageError

from . import sweep_helpers
from .sweep_helpers import (  # fmt: skip
    ARRAYS,
    CHANGED,
    RUN,
    SCALAR,
    Sweep,
    a_sweep,
    changes,
    continued,
    encoded,
    grid,
    number,
    read_store,
    results_of,
)

NAN = math.nan


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "sweep.zarr"


def changed_sweep(store: Path) -> Sweep:
    """Returns a sweep to which :func:`changes` was done."""
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0, 4.0)), **CHANGED)
    changes(sweep.collector, sweep.points)
    return sweep


def files(store: Path) -> dict[str, tuple[int, bytes]]:
    """Returns what lies in a folder; an inode of a file changes when it is written again."""
    paths = [path for path in store.rglob("*") if path.is_file()]
    return {path.relative_to(store).as_posix(): (path.stat().st_ino, path.read_bytes()) for path in paths}


# Going on


def test_a_store_is_continued_with_everything_in_it(store: Path) -> None:
    sweep = changed_sweep(store)
    before = sweep.read()
    assert continued(sweep).read().identical(before)
    sweep.complete(2, *results_of(7.0, uncertainty=0.5).values())
    read = sweep.flushed()
    assert read.status.values.tolist() == ["complete"] * 3
    assert read.d10.values.tolist() == [5.0, 2.0, 7.0]
    assert read.curves_s.values[:, 0].tolist() == [5.0, 2.0, 7.0]
    assert np.array_equal(read.d10_lower, [1.0, 1.0, NAN], equal_nan=True)
    assert read.attrs["left_out"] == before.attrs["left_out"]


def test_points_that_are_added_again_as_they_were_write_nothing(store: Path) -> None:
    sweep = changed_sweep(store)
    written = files(store)
    sweep = continued(sweep)
    late = {"uncertainty": 0.5, "interval": (1.0, 3.0)}
    add = sweep.collector.add
    add(sweep.points[0], run_id=RUN.format(9), status="complete", results=results_of(5.0, **late))
    add(sweep.points[1], run_id=RUN.format(1), status="complete", results=results_of(2.0, **late))
    add(sweep.points[2], run_id=RUN.format(2), status="timed out")
    sweep.collector.flush()
    again = files(store)
    assert {name for name in again if again[name] != written.get(name)} <= {"zarr.json"}
    assert again.keys() == written.keys()


def test_attributes_of_the_newer_process_are_taken_over(store: Path) -> None:
    sweep = changed_sweep(store)
    sweep.another(attrs={"braggbook": "9"})
    assert (sweep.read().attrs["braggbook"], "notebook" in sweep.read().attrs) == ("9", False)


def test_what_a_person_added_to_the_store_stays(store: Path) -> None:
    sweep = changed_sweep(store)
    half = zarr.create_array(store / "half", shape=(3,), dtype="f8", zarr_format=3, dimension_names=("dose_gy",))
    half[...] = 2.5
    sweep = continued(sweep)
    sweep.complete(2, *results_of(7.0).values())
    assert sweep.flushed().half.values[0] == 2.5


def test_results_of_another_sweep_are_refused_and_stay(store: Path) -> None:
    sweep = changed_sweep(store)
    written = files(store)
    with pytest.raises(InputError) as caught:
        sweep.another(sweep="s2")
    assert "wanted a new folder, or results of sweep s2, got results of sweep s1" in str(caught.value)
    assert files(store) == written


@pytest.mark.parametrize("kind", ["a file", "a folder of other things", "another Zarr group", "not JSON"])
def test_something_else_is_never_written_over(store: Path, kind: str) -> None:
    if kind == "a file":
        store.write_text("mine")
    elif kind == "another Zarr group":
        xr.Dataset({"a": ("x", [1.0])}).to_zarr(store, zarr_format=3, consolidated=False)
    else:
        store.mkdir()
        (store / ("zarr.json" if kind == "not JSON" else "notes.txt")).write_text("mine")
    written = files(store) if store.is_dir() else store.read_bytes()
    with pytest.raises(InputError, match="something else"):
        a_sweep(store)
    assert written == (files(store) if store.is_dir() else store.read_bytes())


def test_an_empty_folder_is_filled(store: Path) -> None:
    store.mkdir()
    assert a_sweep(store).read().status.values.tolist() == ["missing"] * 3


@pytest.mark.parametrize("damage", ["array gone", "chunk cut short", "other coordinates"])
def test_a_damaged_store_says_what_to_do(store: Path, damage: str) -> None:
    sweep = changed_sweep(store)
    if damage == "array gone":
        shutil.rmtree(store / "curves_s")
    elif damage == "chunk cut short":
        (store / "status" / "c" / "0").write_bytes(b"x")
    else:
        sweep.design = grid(dose_gy=(1.0, 2.0, 5.0))
    with pytest.raises(InputError) as caught:
        sweep.another()
    assert "cannot be continued" in str(caught.value)
    assert f"next: mv {store} {store}.old" in str(caught.value)


# A killed process


@pytest.mark.full
def test_a_process_killed_at_any_step_leaves_a_store_that_is_right(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    store = tmp_path / "sweep.zarr"
    command = [sys.executable, "-W", "error", sweep_helpers.__file__, str(store), str(copies)]
    subprocess.run(command, check=True)
    snapshots = sorted(copies.iterdir())
    assert len(snapshots) > 100
    statuses = [check_snapshot(folder / store.name) for folder in snapshots]
    assert statuses[0] == ["missing"] * 3
    assert ["complete", "failed", "missing"] in statuses
    assert ["missing", "complete", "missing"] in statuses, "a point that is replaced is missing meanwhile"
    written = (tmp_path / sweep_helpers.WRITTEN).read_text().splitlines()
    in_place = [path for path in written if Path(path).is_relative_to(store) and not path.endswith(".partial")]
    assert written
    assert not in_place, "a file is renamed to its place when it is whole"
    for folder in snapshots[::17]:
        assert_same_after_going_on(folder / store.name, read_store(store))


def check_snapshot(store: Path) -> list[str]:
    """Asserts that every point that has a status is whole; returns the statuses."""
    read = read_store(store)
    statuses = [str(status) for status in read.status.values]
    for i, status in enumerate(statuses):
        if status == "missing":
            continue
        value = {0: 1.0, 1: 2.0, 9: 5.0}[int(str(read.run_id.values[i])[-1])] if status == "complete" else NAN
        numbers = [read.d10.values[i]]
        numbers += [*read.plates_n.values[i], *read.curves_s.values[i]] if "curves_s" in read else []
        assert np.array_equal(numbers, [value] * len(numbers), equal_nan=True), status
        uncertainty = 0.5 if value > 1 else NAN
        assert np.array_equal(read.get("d10_uncertainty", read.d10 * NAN).values[i], uncertainty, equal_nan=True)
        assert read.reason.values[i] == ("cell 3" if status == "failed" else "")
    if "curves_s" in read:
        assert read.dose.values.tolist() == [0.0, 2.0, 6.0]
        assert "dose" in read.indexes
    return statuses


def assert_same_after_going_on(store: Path, wanted: xr.Dataset) -> None:
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0, 4.0)), **CHANGED)
    changes(sweep.collector, sweep.points)
    sweep.collector.close()
    read = sweep.read()
    assert read.drop_attrs().identical(wanted.drop_attrs())
    assert set(read.attrs["left_out"]) == {"ragged"}
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_what_a_killed_process_left_beside_the_store_is_removed(store: Path) -> None:
    left = store.with_name(f".{store.name}.abc.part")
    left.mkdir(parents=True)
    (left / "zarr.json").write_text("{")
    a_sweep(store)
    assert [path.name for path in store.parent.iterdir()] == [store.name]


# A disk that is full


@contextmanager
def full_disk(largest: int = 0) -> Iterator[None]:
    """Lets this process write no file of more bytes than ``largest``: the system answers as it does when a limit of the disk is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_stops_a_flush_and_the_next_one_writes_all(store: Path) -> None:
    sweep = Sweep(store, grid(dose_gy=(1.0, 2.0, 4.0)), **CHANGED)
    sweep.complete(0, *results_of(1.0).values())
    before = sweep.flushed()
    late = {"uncertainty": 0.5, "interval": (1.0, 3.0)}
    sweep.complete(0, *results_of(5.0, length=4, **late).values())
    sweep.complete(1, *results_of(2.0, **late).values())
    with full_disk():
        for _ in range(2):
            with pytest.raises(StorageError, match="the disk is full") as caught:
                sweep.collector.flush()
    assert caught.value.where == str(store)
    read = sweep.read()
    assert read.status.values.tolist() == ["missing"] * 3, "the point that is replaced is missing meanwhile"
    assert read.drop_vars("status").identical(before.drop_vars("status"))
    sweep.collector.add(sweep.points[2], run_id=RUN.format(2), status="timed out")
    read = sweep.flushed()
    assert read.status.values.tolist() == ["complete", "complete", "timed out"]
    assert np.array_equal(read.d10, [5, 2, NAN], equal_nan=True)
    assert np.array_equal(read.plates_n[:, 0], [5, 2, NAN], equal_nan=True)
    assert "ragged_r" not in read


@pytest.mark.parametrize("free", [1000, 10_000, 100_000])
def test_a_disk_that_fills_up_in_the_middle_leaves_whole_points(store: Path, free: int) -> None:
    sweep = a_sweep(store, d10=SCALAR, small=ARRAYS, large=ARRAYS)
    noise = np.random.default_rng(1).random(200_000)
    arrays = {"small": noise[:4000], "large": noise}
    results = [encoded(name, xr.DataArray(values, dims=f"{name}_x")) for name, values in arrays.items()]
    sweep.complete(0, number("d10", 1.0), *results)
    with full_disk(largest=free), pytest.raises(StorageError, match="the disk is full"):
        sweep.collector.flush()
    assert sweep.read().status.values.tolist() == ["missing"] * 3
    read = sweep.flushed()
    assert read.status.values[0] == "complete"
    for name, values in arrays.items():
        assert np.array_equal(read[name].values[0], values)


def test_a_place_that_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        a_sweep(tmp_path / "file" / "sweep.zarr")


def test_closing_writes_what_is_new(store: Path) -> None:
    sweep = a_sweep(store)
    sweep.complete(0, number("d10", 1.0))
    sweep.collector.close()
    assert sweep.read().status.values[0] == "complete"
