"""A sweep as one record: whole, or not at all; and every point of it is a run again."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from braggbook.errors import InputError, RecordError
from braggbook.files import write_json
from braggbook.formats.sweep import SweepDesign
from braggbook.formats.sweep_record import AxisRecord, SweepRecord, sweep_id
from braggbook.records.folder.report import has_run, read_report
from braggbook.records.run_plan import Planned
from braggbook.records.sweep_plan import design_toml, gather_point, plan_sweep_record
from braggbook.runs.folder import changed_files, read_record

from .plan_helpers import HOME, SCRUBBER, published_run, settle

FACTORS = (1.0, 2.5)


def make_sweep(runs: Path, *, ended: dict[str, int] | None = None, order: int = 1) -> Path:
    """Makes a sweep of two points with their runs."""
    shared = {"software/braggbook.whl": b"PK\x05\x06" + bytes(18), "datasets/a/a.csv": b"a\n1\n"}
    folders = [published_run(runs, parameters={"factor": factor}, files=shared) for factor in FACTORS]
    identity = read_record(folders[0]).identity.model_copy(update={"parameters": {"factor": 2.0}})
    axes = [AxisRecord(dim="factor", values={"factor": list(FACTORS)})]
    record = SweepRecord(
        id=sweep_id(identity, {}, axes), notebook="experiment", title="A test experiment", identity=identity, fixed={},
        axes=axes, points=2, ended=ended or {"complete": 2}, engine="shell",
        started="2026-05-04T10:00:00+00:00", updated="2026-05-04T10:00:00+00:00",
    )  # fmt: skip
    folder = runs / "sweeps" / record.id
    folder.mkdir(parents=True)
    write_json(folder / "sweep.json", record.model_dump(mode="json"))
    text = np.dtypes.StringDType()
    variables = {
        "x": ("factor", np.array(FACTORS) * 2), "run_id": ("factor", np.array([one.name for one in folders], dtype=text)),
        "status": ("factor", np.array(["complete"] * 2, dtype=text)), "curve": (("factor", "t"), np.zeros((2, 3))),
    }  # fmt: skip
    store = xr.Dataset(dict(list(variables.items())[::order]), {"factor": list(FACTORS)}, {"sweep": record.id})
    store.to_zarr(folder / "results.zarr", consolidated=False, zarr_format=3)
    return folder


def plan(folder: Path, target: Path, **more: Any) -> Planned:
    return plan_sweep_record(folder, target, scrubber=SCRUBBER, **{"software": "https://example.org/code", **more})


def unpacked(planned: Planned, target: Path) -> Path:
    (path,) = planned.paths.values()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(target)
    return target


def test_design_results_and_every_point_are_in_it(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs")
    planned = plan(folder, tmp_path / "out")
    there = unpacked(planned, tmp_path / "there")
    runs = xr.open_zarr(folder / "results.zarr", consolidated=False)["run_id"].values
    assert sorted(path.name for path in there.iterdir()) == [
        "README.txt", "binder", "datasets", "design.toml", "kernel", "notebook", "points", "report.html",
        "results.csv", "results.zarr", "ro-crate-metadata.json", "software", "sweep.json",
    ]  # fmt: skip
    assert sorted(path.name for path in (there / "points").iterdir()) == sorted(map(str, runs))
    assert (there / "results.csv").read_text(encoding="utf-8").splitlines()[:2] == [
        "factor,run_id,status,x", f"1.0,{runs[0]},complete,2.0",
    ]  # fmt: skip
    zipped = next(iter(planned.paths.values()))
    assert read_report(zipped) is not None  # the archive's page may show it
    assert not has_run(zipped)
    metadata = planned.plan.metadata
    assert (metadata.title, planned.plan.kind, planned.plan.source) == (
        "Sweep of: A test experiment",
        "sweep",
        folder.name,
    )
    assert "2 points. Swept: factor: 1.0, 2.5." in metadata.description


def test_a_point_is_a_whole_run_again(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs")
    there = unpacked(plan(folder, tmp_path / "out"), tmp_path / "there")
    for run in (there / "points").iterdir():
        assert not (run / "software").exists()  # what all have lies once
        gather_point(there, run.name, tmp_path / "again" / run.name)
        assert changed_files(tmp_path / "again" / run.name, read_record(tmp_path / "again" / run.name)) == []
    (there / "kernel" / "requirements.lock").unlink()
    with pytest.raises(RecordError, match="the point is not whole"):
        gather_point(there, run.name, tmp_path / "third")


def test_the_design_asks_for_the_same_points() -> None:
    axes = [
        AxisRecord(dim="dose_gy", values={"dose_gy": [1.0, 2.5e-7]}),
        AxisRecord(dim="pair", values={"a": [1, 2], "b": ['x "y"', "z"]}),
    ]  # fmt: skip
    design = SweepDesign.model_validate(tomllib.loads(design_toml({"mode": "fast", "on": True}, axes)))
    assert design.fixed == {"mode": "fast", "on": True}
    assert design.grid == {"dose_gy": [1.0, 2.5e-7]}
    assert design.zip == {"pair": {"a": [1, 2], "b": ['x "y"', "z"]}}


def test_the_same_sweep_gives_the_same_bytes(tmp_path: Path) -> None:
    first = plan(make_sweep(tmp_path / "a"), tmp_path / "one")
    folder = make_sweep(tmp_path / "b", order=-1)
    shutil.rmtree(folder / "results.zarr")
    shutil.copytree(next((tmp_path / "a" / "sweeps").iterdir()) / "results.zarr", folder / "results.zarr")
    for path in folder.rglob("*"):
        os.utime(path, (5, 5))
    assert plan(folder, tmp_path / "two").plan == first.plan


@pytest.mark.parametrize("ended", [{"complete": 1}, {"complete": 1, "failed": 1}, {}])
def test_only_a_complete_sweep_is_published(tmp_path: Path, ended: dict[str, int]) -> None:
    folder = make_sweep(tmp_path / "runs")
    record = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    write_json(folder / "sweep.json", {**record, "ended": ended})
    with pytest.raises(InputError, match="the sweep is not complete; wanted 2 complete points"):
        plan(folder, tmp_path / "out")


def test_missing_and_changed_runs_are_all_listed(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs")
    first, second = sorted(path for path in (tmp_path / "runs").iterdir() if (path / "run.json").is_file())
    shutil.rmtree(first)
    (second / "report.html").write_text("other", encoding="utf-8")
    with pytest.raises(InputError, match="runs of the sweep") as caught:
        plan(folder, tmp_path / "out")
    assert {issue.where for issue in caught.value.issues} == {first.name, f"{second.name}/report.html"}
    assert not (tmp_path / "out").exists()


def test_traces_in_one_point_refuse_all(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs")
    run = next(path for path in sorted((tmp_path / "runs").iterdir()) if (path / "run.json").is_file())
    (run / "log.jsonl").write_text(f"{HOME}/x", encoding="utf-8")
    settle(run)
    with pytest.raises(InputError, match="it would tell more than it should") as caught:
        plan(folder, tmp_path / "out")
    assert {issue.where for issue in caught.value.issues} == {f"points/{run.name}/log.jsonl:1"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "braggbook.sweep/1"}', "{" * 9, "[" * 100_000],
    ids=["empty", "list", "no keys", "one key", "cut", "nested"],
)
def test_what_is_no_sweep_is_refused(tmp_path: Path, text: str) -> None:
    folder = make_sweep(tmp_path / "runs")
    (folder / "sweep.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecordError):
        plan(folder, tmp_path / "out")


def test_results_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs")
    shutil.rmtree(folder / "results.zarr" / "run_id")
    with pytest.raises(RecordError, match="the sweep's results cannot be read"):
        plan(folder, tmp_path / "out")
