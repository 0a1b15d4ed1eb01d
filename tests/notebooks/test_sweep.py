"""Sweeps from the command line: the right values at the right places, whatever happens to points, workers and parents."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import xarray as xr

from ..conftest import Answer, Project

pytestmark = pytest.mark.full

RESULT = 'import braggbook as bb\nbb.result("x", 2 * dose_gy + offset, unit="1", uncertainty=0.25)'
PARAMETERS = "dose_gy: float = 1.0\noffset: float = 0.0\n"


def _count(project: Project, name: str) -> str:
    """Returns code that leaves a line behind, outside of every run, each time it is executed."""
    path = str(project.folder / name)
    return f"with open({path!r}, 'a') as stream:\n    stream.write(f'{{dose_gy}}\\n')"


def _counted(project: Project, name: str) -> list[float]:
    path = project.folder / name
    return sorted(map(float, path.read_text().split())) if path.is_file() else []


def _sweep(project: Project, slug: str, *options: str, **more: Any) -> Answer:
    return project.call("sweep", slug, "--json", *options, **more)


def _store(answer: Answer) -> xr.Dataset:
    with xr.open_zarr(answer.json["store"], consolidated=False) as found:
        return found.load()


def _alive(project: Project) -> list[str]:
    """Returns the processes whose working directory, command line or environment names the project."""
    mark, found = str(project.folder), []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd(), *process.environ().values()]
            ended = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if process.pid != os.getpid() and not ended and any(mark in word for word in words):
            found.append(" ".join(words[:4]))
    return found


def _all_gone(project: Project) -> bool:
    end = time.monotonic() + 10
    while _alive(project) and time.monotonic() < end:
        time.sleep(0.1)
    return not _alive(project)


def _wait(found: Any, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_values_stand_at_their_parameters_with_units(project: Project) -> None:
    units = {"parameters": {"dose_gy": {"unit": "Gy", "help": "dose of the beam"}}}
    project.experiment("grid", parameters=PARAMETERS, code=[RESULT], front=units)
    answer = _sweep(project, "grid", "-p", "dose_gy=100:300:lin3 cGy", "-p", "offset=0,10")
    assert answer.code == 0, answer.err
    assert answer.json["ended"] == {"complete": 6}
    found = _store(answer)
    assert found.x.dims == ("dose_gy", "offset")
    np.testing.assert_array_equal(found.dose_gy, [1, 2, 3])
    np.testing.assert_array_equal(found.x, [[2, 12], [4, 14], [6, 16]])
    np.testing.assert_array_equal(found.x_uncertainty, np.full((3, 2), 0.25))
    assert (found.dose_gy.attrs["units"], found.x.attrs["units"]) == ("Gy", "1")
    for run_id in found.run_id.values.ravel():
        assert (project.runs / str(run_id) / "run.json").is_file()


def test_a_point_is_the_run_that_the_verb_run_makes(project: Project) -> None:
    project.experiment("same", parameters=PARAMETERS, code=["import numpy as np\ny = np.random.rand()", RESULT])
    found = _store(_sweep(project, "same", "-p", "dose_gy=1,2"))
    answer = project.run("same", "-p", "dose_gy=2")
    assert answer.json["cached"]
    assert answer.json["run_id"] == str(found.run_id.sel(dose_gy=2).values)
    forced = project.run("same", "-p", "dose_gy=2", "--force")
    assert forced.json["changed"] == []
    assert project.call("verify", answer.json["run_id"]).code == 0


def test_values_go_together_and_come_from_a_file(project: Project, tmp_path: Path) -> None:
    project.experiment("pairs", parameters=PARAMETERS, code=[RESULT])
    together = _store(_sweep(project, "pairs", "-p", "dose_gy=1,2", "-p", "offset=5,7", "--together", "dose_gy,offset"))
    np.testing.assert_array_equal(together.x, [7, 11])
    design = tmp_path / "design.toml"
    design.write_text(
        'format = "braggbook.sweep_design/1"\n[latin_hypercube.sample]\npoints = 4\nseed = 1\n'
        "[latin_hypercube.sample.ranges]\ndose_gy = [0, 4]\n"
    )
    found = _store(_sweep(project, "pairs", "--design", str(design)))
    assert found.x.dims == ("sample",)
    np.testing.assert_allclose(found.x, 2 * found.dose_gy)


def test_a_wrong_expression_says_where(project: Project) -> None:
    project.experiment("wrong", parameters=PARAMETERS, code=[RESULT])
    answer = project.call("sweep", "wrong", "-p", "dose_gy=1:100:20", "-p", "ofset=1,2")
    assert answer.code == 2
    assert "lin20" in answer.err
    assert "offset" in answer.err
    assert not project.runs.exists()


def test_points_that_end_badly_hurt_nobody_else(project: Project) -> None:
    code = """
import ctypes, os, signal, subprocess, threading, time
if dose_gy == 2: raise ValueError("no such dose")
if dose_gy == 3: os.kill(os.getpid(), signal.SIGKILL)
if dose_gy == 4: time.sleep(60)
if dose_gy == 5: ballast = bytearray(3 << 30)
if dose_gy == 6: threading.Thread(target=time.sleep, args=(600,)).start()
if dose_gy == 7: os.chdir("/")
if dose_gy == 8: subprocess.Popen(["sleep", "600"], start_new_session=True)
if dose_gy == 9 and os.fork() == 0: time.sleep(600)
"""
    project.experiment("bad", parameters=PARAMETERS, code=[code, RESULT])
    options = ["-p", "dose_gy=1:9:step1", "--cell-timeout", "5", "--memory-limit", "2500"]
    answer = _sweep(project, "bad", *options)
    assert answer.code == 3, answer.err
    found = _store(answer)
    status = dict(zip(found.dose_gy.values.tolist(), found.status.values.tolist(), strict=True))
    wrong = {2: "failed", 3: "killed", 4: "timed out", 5: "failed"}
    assert status == {float(dose): wrong.get(dose, "complete") for dose in range(1, 10)}
    reasons = dict(zip(found.dose_gy.values.tolist(), found.reason.values.tolist(), strict=True))
    for dose, words in {2: "no such dose", 3: "signal 9", 4: "longer than 5 s", 5: "MemoryError"}.items():
        assert words in reasons[dose]
    np.testing.assert_array_equal(found.x[[0, 5, 6, 7, 8]], [2, 12, 14, 16, 18])
    assert np.isnan(found.x[1:5]).all()
    assert _all_gone(project), _alive(project)


def test_failed_points_are_answered_until_they_are_to_be_tried_again(project: Project) -> None:
    count = _count(project, "executed")
    project.experiment("fails", parameters=PARAMETERS, code=[count, "if dose_gy == 2: 1 / 0", RESULT])
    first = _sweep(project, "fails", "-p", "dose_gy=1,2,3")
    assert first.code == 3
    assert "division by zero" in next(iter(first.json["failures"]))
    again = _sweep(project, "fails", "-p", "dose_gy=1,2,3")
    assert (again.code, again.json["cached"]) == (3, 3)
    assert _counted(project, "executed") == [1, 2, 3]
    _sweep(project, "fails", "-p", "dose_gy=1,2,3", "--retry-failed")
    assert _counted(project, "executed") == [1, 2, 2, 3]


def test_a_failure_can_stop_the_rest(project: Project) -> None:
    project.experiment("stops", parameters=PARAMETERS, code=["1 / 0", RESULT])
    answer = _sweep(project, "stops", "-p", "dose_gy=1:50:lin50", "--stop-on-failure", "--workers", "1")
    assert answer.code == 3
    assert answer.json["ended"]["failed"] < 10
    assert set(_store(answer).status.values) == {"failed", "missing"}


def _slow(project: Project, slug: str) -> list[str]:
    project.experiment(
        slug, parameters=PARAMETERS, code=["import time\ntime.sleep(0.4)", _count(project, "executed"), RESULT]
    )
    return ["-p", "dose_gy=1:16:lin16", "--no-share"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["kill", "ctrl-c", "term"])
def test_a_sweep_that_is_stopped_leaves_nothing_and_goes_on_later(project: Project, number: signal.Signals) -> None:
    options = _slow(project, "slow")
    process = project.start("sweep", "slow", *options)
    _wait(lambda: len(_counted(project, "executed")) >= 4)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    assert _all_gone(project), _alive(project)
    complete = [path for path in project.runs.glob("*") if len(path.name) == 24]
    assert 2 <= len(complete) < 16
    assert not (project.runs / "failed").exists()
    answer = _sweep(project, "slow", *options)
    assert answer.code == 0, answer.err
    assert answer.json["cached"] == len(complete)
    assert len(_counted(project, "executed")) <= 16 + 4  # what was under way is executed once more
    np.testing.assert_array_equal(_store(answer).x, 2 * np.arange(1, 17))


def test_a_template_that_dies_is_replaced_and_its_points_tried_again(project: Project) -> None:
    options = _slow(project, "slow")
    process = project.start("sweep", "slow", "--json", *options)
    _wait(lambda: len(_counted(project, "executed")) >= 3)
    children = psutil.Process(process.pid).children()
    templates = [child for child in children if any(word.endswith("template.py") for word in child.cmdline())]
    assert templates
    for template in templates:
        template.kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    np.testing.assert_array_equal(_store(Answer(0, out, err)).x, 2 * np.arange(1, 17))


def test_one_sweep_at_a_time_writes_a_store(project: Project) -> None:
    go_on = project.folder / "go_on"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.05)"
    project.experiment("slow", parameters=PARAMETERS, code=[_count(project, "executed"), waits, RESULT])
    options = ["-p", "dose_gy=1:16:lin16", "--no-share"]
    first = project.start("sweep", "slow", "--json", *options)
    _wait(lambda: len(_counted(project, "executed")) >= 1)
    second = _sweep(project, "slow", *options)
    assert second.code == 3
    assert "another process" in second.err
    go_on.touch()
    out, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    np.testing.assert_array_equal(_store(Answer(0, out, err)).x, 2 * np.arange(1, 17))


SHARED = """
import random, numpy as np
np.random.seed(3) if seeded else None
table = np.random.rand(1000)
drawn = [random.random(), float(np.random.rand())]
"""
REST = """
import braggbook as bb
bb.result("x", dose_gy * table.sum() + random.random() + np.random.rand() + bb.rng().random() + sum(fixed), unit="1")
"""
SHARED_PARAMETERS = "dose_gy: float = 1.0\nseeded: bool = False\nfixed: list[float] = [1.0]\n"


def _values(project: Project, *options: str) -> tuple[Any, dict[str, Any]]:
    runs = str(project.folder / f"runs-{len(list(project.folder.glob('runs-*')))}")
    answer = project.call("--runs", runs, "sweep", "shared", "--json", *options)
    assert answer.code == 0, answer.err
    return _store(answer), answer.json


def test_shared_cells_change_no_digit(project: Project) -> None:
    code = [
        "fixed.append(2.0)",
        SHARED,
        _count(project, "first").replace("{dose_gy}", "1"),
        "print('shared', drawn)",
        REST,
    ]
    project.experiment("shared", parameters=SHARED_PARAMETERS, code=code)
    options = ["-p", "dose_gy=1,2,3", "-p", "fixed=[5.0]", "--seed", "7"]
    shared, said = _values(project, *options)
    assert said["shared_cells"] > 0, said
    assert len(_counted(project, "first")) == 1
    plain, said = _values(project, *options, "--no-share")
    assert said["shared_cells"] == 0
    assert len(_counted(project, "first")) == 4
    np.testing.assert_array_equal(shared.x, plain.x)
    for shared_id, plain_id in zip(shared.run_id.values, plain.run_id.values, strict=True):
        nodes = [
            json.loads((project.folder / f"runs-{i}" / str(run_id) / "executed.ipynb").read_text())
            for i, run_id in enumerate((shared_id, plain_id))
        ]
        shown = [[(c["execution_count"], c["outputs"]) for c in n["cells"] if c["cell_type"] == "code"] for n in nodes]
        assert shown[0] == shown[1]
    record = json.loads((project.folder / "runs-0" / str(shared.run_id[0].values) / "run.json").read_text())
    assert (record["engine"], record["shared_cells"] > 0) == ("shell", True)
    cold = project.call("--runs", str(project.folder / "runs-0"), "run", "shared", "--json", "--force",
                        "-p", "dose_gy=2", "-p", "fixed=[5.0]", "--seed", "7")  # fmt: skip
    assert (cold.code, cold.json["changed"]) == (0, [])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from helper import start\nstart()", "threads"),
        ("from helper import leave_open\nkept = leave_open()", "open"),
        ("from helper import write\nwrite()", "write"),
        ("from helper import run\nkept = run()", "process"),
        ("from helper import fail\nfail()", "raised"),
    ],
    ids=["thread", "file", "writes", "process", "raises"],
)
def test_what_a_fork_does_not_have_is_not_shared(project: Project, code: str, words: str) -> None:
    modules = project.folder / "modules"
    modules.mkdir()
    (modules / "helper.py").write_text(
        "import subprocess, threading, time\nfrom pathlib import Path\n"
        "def start(): threading.Thread(target=time.sleep, args=(5,), daemon=True).start()\n"
        "def leave_open(): return open('kept.txt', 'w')\n"
        "def write(): Path('left.txt').write_text('x')\n"
        "def run(): return subprocess.Popen(['sleep', '5'])\n"
        "def fail(): return int('no number')\n"
    )
    head = f"import sys\nsys.path.insert(0, {str(modules)!r})"
    project.experiment("unshared", parameters=PARAMETERS, code=[head, code, "y = 1", RESULT])
    answer = _sweep(project, "unshared", "-p", "dose_gy=1,2")
    assert "cells are not shared" in answer.err
    assert words in answer.err
    if words == "raised":
        assert answer.json["ended"] == {"failed": 2}
    else:
        assert answer.code == 0, answer.err
        np.testing.assert_array_equal(_store(answer).x, [2, 4])
    assert _all_gone(project), _alive(project)


@contextmanager
def _cluster(project: Project) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Gives the address of a scheduler and its two workers."""
    file = project.folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": project.folder}
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    processes = [subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common], **quiet)]
    try:
        _wait(file.is_file)
        more = ["--nthreads", "1", "--no-nanny", "--local-directory", str(project.folder / "dask")]
        processes += [subprocess.Popen([*dask, "worker", *common, *more], **quiet) for _ in range(2)]
        yield json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait(20)


def test_points_of_a_lost_worker_are_done_elsewhere(project: Project) -> None:
    options = _slow(project, "slow")
    with _cluster(project) as (address, workers):
        process = project.start("sweep", "slow", "--json", *options, "--cluster", address)
        _wait(lambda: len(_counted(project, "executed")) >= 4)
        workers[0].kill()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    np.testing.assert_array_equal(_store(Answer(0, out, err)).x, 2 * np.arange(1, 17))
    assert _all_gone(project), _alive(project)


def test_a_scheduler_that_is_not_there_is_named(project: Project) -> None:
    project.experiment("alone", parameters=PARAMETERS, code=[RESULT])
    answer = project.call("sweep", "alone", "-p", "dose_gy=1,2", "--cluster", "tcp://127.0.0.1:9")
    assert answer.code == 4
    assert "tcp://127.0.0.1:9" in answer.err


def test_a_full_disk_stops_the_sweep_and_keeps_what_is_there(project: Project) -> None:
    big = "import numpy as np\nopen('big.bin', 'wb').write(np.random.bytes(6 << 20)) if dose_gy == 3 else None"
    project.experiment("full", parameters=PARAMETERS, code=[RESULT, big])
    mount = project.folder / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(mount)], check=True)
    try:
        answer = project.call(
            "--runs", str(mount), "sweep", "full", "--workers", "1", "-p", "dose_gy=1:9:step1", "--no-share"
        )
        assert answer.code == 4, answer.err
        assert "disk is full" in answer.err
        complete = [path for path in mount.glob("*") if len(path.name) == 24]
        assert complete
        (store,) = (mount / "sweeps").glob("*/results.zarr")
        with xr.open_zarr(store, consolidated=False) as found:
            assert set(found.status.values) <= {"complete", "missing"}
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_dry_run_does_nothing(project: Project) -> None:
    project.experiment("dry", parameters=PARAMETERS, code=[RESULT])
    answer = _sweep(project, "dry", "-p", "dose_gy=1,2", "--dry-run")
    assert (answer.code, answer.json["points"], answer.json["there"]) == (0, 2, 0)
    assert not project.runs.exists()
