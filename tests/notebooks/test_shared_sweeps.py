"""Points that go on from one process: what one of them, or somebody else, does to it; and the same with every engine."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import xarray as xr

from braggbook.formats.run import Engine
from braggbook.kernels.warm import TEMPLATES
from braggbook.notebooks.source import read_notebook
from braggbook.runs.design import build_design
from braggbook.runs.plan import plan_run
from braggbook.runs.sweep import Sweep, plan_sweep, run_sweep

from .engine_helpers import ENGINES, Bench, children_of, make_bench, processes_of, record_of, within

pytestmark = pytest.mark.full

PARAMETERS = "dose_gy: float = 1.0\n"
RESULT = 'import braggbook as bb\nbb.result("x", 2.0 * dose_gy + heavy, unit="1")'


@pytest.fixture(autouse=True)
def _templates_end_each() -> Iterator[None]:
    yield
    TEMPLATES.close()


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("shared") / "project")


def swept(
    bench: Bench, code: list[str], values: str, *, engine: Engine | None = None, **limits: Any
) -> tuple[xr.Dataset, Sweep]:
    """Runs a sweep in this process and returns its store and how it ended."""
    settings = bench.limited(**limits)
    notebook = read_notebook(bench.write("swept", code, parameters=PARAMETERS))
    design = build_design(notebook.parameters, [f"dose_gy={values}"], where="swept")
    plan = plan_sweep(plan_run(notebook, {}, settings=settings), design, engine=engine)
    done = run_sweep(plan, settings=settings, workers=2)
    with xr.open_zarr(done.store, consolidated=False) as found:
        return found.load(), done


def nothing_left(bench: Bench) -> bool:
    templates = [template.pid for template in TEMPLATES._known.values()]
    return within(10, lambda: [*processes_of(bench.project.folder), *children_of(templates)], wanted=[])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same(bench: Bench, engine: Engine) -> None:
    code = ["import random\nheavy = random.random()", "print(random.random())", RESULT]
    found, done = swept(bench, code, "1,2", engine=engine)
    heavy = 0.8444218515250481  # the first number of Python's stream after random.seed(0)
    np.testing.assert_array_equal(found.x, [2 + heavy, 4 + heavy])
    assert (done.engine, done.shared_cells > 0) == (engine, engine == "shell")
    for run_id in found.run_id.values:
        record = record_of(bench.settings.runs / str(run_id))
        assert (record["engine"], record["shared_cells"]) == (engine, 3 if engine == "shell" else 0)
    assert nothing_left(bench)


def test_points_that_break_their_process_break_no_other(bench: Bench) -> None:
    faults = {2: "os._exit(3)", 3: "os.kill(os.getpid(), 11)", 4: "time.sleep(60)", 5: "os.killpg(0, 9)", 6: "1 / 0"}
    code = "\n".join(["import os, time", *(f"if dose_gy == {dose}: {fault}" for dose, fault in faults.items())])
    found, done = swept(bench, ["heavy = 0.5", code, RESULT], "1:8:lin8", cell_timeout_s=3)
    assert found.status.values.tolist() == [
        "complete", "killed", "killed", "timed out", "killed", "failed", "complete", "complete",
    ]  # fmt: skip
    for reason, words in zip(found.reason.values[1:6], ["code 3", "signal 11", "3 s", "signal 9", "Zero"], strict=True):
        assert words in reason
    np.testing.assert_array_equal(found.x[[0, 6, 7]], [2.5, 14.5, 16.5])
    assert done.shared_cells > 0
    assert nothing_left(bench)


def test_the_process_of_the_shared_cells_is_killed(bench: Bench) -> None:
    begun = bench.project.folder / "begun"
    waits = f"import time\nwith open({str(begun)!r}, 'a') as stream: stream.write('x')\ntime.sleep(0.4)\ndose_gy"

    def kill() -> None:
        assert within(60, lambda: begun.is_file() and len(begun.read_text()) >= 3)
        (template,) = (known for known in TEMPLATES._known.values() if known.alive)
        (process,) = (child for child in psutil.Process(template.pid).children() if child.children())
        os.kill(process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found, done = swept(bench, ["heavy = 0.5", waits, RESULT], "1:10:lin10")
    killer.join(60)
    assert done.ended == {"complete": 10}, done.reasons
    np.testing.assert_array_equal(found.x, 2 * np.arange(1, 11) + 0.5)
    shared = [record_of(bench.settings.runs / str(run_id))["shared_cells"] for run_id in found.run_id.values]
    assert set(shared) == {0, 2}, "those it took with it were begun again, without it"
    assert 10 < len(begun.read_text()) <= 12
    assert nothing_left(bench)
