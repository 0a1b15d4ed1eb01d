"""What the tests of engines, templates and sweeps build with: runs in this very process, and a look at what is left."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil

from braggbook.formats.run import Engine
from braggbook.notebooks.source import read_notebook
from braggbook.runs.execute import Execution, execute
from braggbook.runs.plan import RunPlan, plan_run
from braggbook.runs.run import Run, run
from braggbook.runs.shared import SharedCells
from braggbook.settings import Settings, load_settings
from braggbook.testing.experiments import make_project

from ..conftest import ROOT, Project

ENGINES: tuple[Engine, ...] = ("kernel", "warm", "shell")
FORKED: tuple[Engine, ...] = ("warm", "shell")
GOOD = 'import braggbook as bb\nbb.result("x", 1.5, unit="1")'


@dataclass(frozen=True)
class Bench:
    """A project whose notebooks run in this process, so that they share its templates."""

    project: Project
    settings: Settings

    def plan(self, path: Path, *, seed: int = 0, values: Mapping[str, Any] | None = None, **limits: Any) -> RunPlan:
        return plan_run(read_notebook(path), values or {}, settings=self.limited(**limits), seed=seed)

    def limited(self, **limits: Any) -> Settings:
        return dataclasses.replace(self.settings, **limits)

    def write(self, slug: str, code: Sequence[str], *, may_raise: bool = False, **parts: Any) -> Path:
        path = self.project.experiment(slug, code=code, **parts)
        if may_raise:
            node = nbformat.read(path, as_version=4)
            for cell in node.cells[2:]:
                cell.metadata["tags"] = ["raises-exception"]
            nbformat.write(node, path)
        return path

    def execute(
        self,
        path: Path,
        engine: Engine,
        *,
        seed: int = 0,
        values: Mapping[str, Any] | None = None,
        shared: SharedCells | None = None,
        **limits: Any,
    ) -> Execution:
        """Executes a notebook without keeping a run."""
        plan = self.plan(path, seed=seed, values=values, **limits)
        with tempfile.TemporaryDirectory(dir=self.project.folder) as folder:
            return execute(plan, Path(folder), settings=self.limited(**limits), engine=engine, shared=shared)

    def run(self, path: Path, engine: Engine, *, seed: int = 0, **limits: Any) -> Run:
        """Executes a notebook and keeps the run."""
        plan = self.plan(path, seed=seed, **limits)
        return run(plan, settings=self.limited(**limits), engine=engine, force=True)


def make_bench(folder: Path, **settings: Any) -> Bench:
    """Makes a project with a kernel and no notebook."""
    project = Project(make_project(folder))
    return Bench(project, load_settings({"project": project.folder, **settings})[0])


def make_shipped(folder: Path) -> Bench:
    """Makes a copy of the notebooks that ship, with all that they need."""
    for part in ("notebooks", "datasets", "kernels"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copyfile(ROOT / "requirements.lock", folder / "requirements.lock")
    return Bench(Project(folder), load_settings({"project": folder})[0])


# What no two executions of anything have in common: addresses, the moment a figure was drawn, how long it took.
_FLEETING = re.compile(
    r"(?<=0x)[0-9a-f]{6,}|(?<= at )[0-9a-f]{9,}|(?<=<dc:date>)[^<]*|(?<=CPU times: ).*|(?<=Wall time: ).*|\b[\d.]+it/s"
)


def seen(execution: Execution) -> list[dict[str, Any]]:
    """Returns what a reader sees of each code cell: its number, and its outputs with types, MIME keys and texts."""
    cells = [cell for cell in execution.node.cells if cell.cell_type == "code"]
    return [{"source": c.source, "count": c.execution_count, "outputs": calm(c.outputs)} for c in cells]


def calm(outputs: Any) -> Any:
    """Returns outputs without what no two executions have in common."""
    if isinstance(outputs, str):
        return _FLEETING.sub("", outputs)
    if isinstance(outputs, Mapping):
        return {key: calm(value) for key, value in outputs.items()}
    return [calm(value) for value in outputs] if isinstance(outputs, list) else outputs


def texts(execution: Execution) -> list[str]:
    """Returns what the cells' last expressions were, as text."""
    outputs = (output for cell in execution.node.cells for output in cell.get("outputs", []))
    return [output["data"]["text/plain"] for output in outputs if output["output_type"] == "execute_result"]


def within(seconds: float, found: Callable[[], Any], *, wanted: Any = True) -> bool:
    """Waits until something is as it should be; returns whether it ever was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found() == wanted:
            return True
        time.sleep(0.05)
    return bool(found() == wanted)


def processes_of(mark: str | Path) -> list[str]:
    """Returns the processes that have a text in their command, environment or working directory, this one left out.

    A fork has its parent's environment there, whatever it sets later; so has what it executes.
    """
    found = []
    for process in psutil.process_iter():
        try:
            about = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(mark) in text for text in about):
            found.append(f"{process.pid} {' '.join(about[:3])}")
    return found


def children_of(pids: Iterable[int]) -> list[int]:
    """Returns what runs below processes, zombies left out."""
    found = [child for pid in pids if psutil.pid_exists(pid) for child in psutil.Process(pid).children(recursive=True)]
    return [child.pid for child in found if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def record_of(folder: Path) -> Any:
    """Reads a run's record as plain JSON."""
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))
