"""Executing a stranger's notebook: the one door to the sandbox.

What is known for certain is what was seen from outside: whether the walls stood, whether the stranger's code had begun,
which limit was reached, what was used. All else is what the inside says, and only what cannot hold more than a few bits
is passed on: a verdict, a cell and a line that the notebook has, the name of one of Python's own exceptions.
"""

from __future__ import annotations

import builtins
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from braggbook.errors import InputError, Issue, KernelUnavailable
from braggbook.files import storage, write_text
from braggbook.kernels.catalogue import Kernel
from braggbook.kernels.install import choose_environment
from braggbook.progress import Progress, Silent
from braggbook.runs.folder import staging
from braggbook.runs.sandbox.given import Given, Task, hand_in
from braggbook.runs.sandbox.places import environment_places
from braggbook.runs.sandbox.receive import Receiver
from braggbook.runs.sandbox.selftest import require_walls
from braggbook.runs.sandbox.session import Ending, run_inside
from braggbook.runs.sandbox.usage import Used
from braggbook.runs.sandbox.walls import WORK, WRITABLE, Limits, Walls
from braggbook.runs.wheel import build_wheel
from braggbook.settings import Settings

Verdict = Literal["complete", "failed", "timed out", "killed", "refused", "platform"]
Kind = Literal[
    "cell", "results", "notebook", "kernel", "timeout", "processor time", "memory", "output", "stream", "platform"
]  # fmt: skip
_GIVEN = "/braggbook/given"
_COMMAND = (sys.executable, "-P", "-s", "-m", "braggbook.runs.sandbox.inside", _GIVEN)
_NOTEBOOK_BYTES = 20 << 20
_STOPPED: dict[str, tuple[Verdict, Kind]] = {
    "wall clock": ("timed out", "timeout"),
    "processor time": ("timed out", "processor time"),
    "memory": ("killed", "memory"),
}
_SAID: dict[str, tuple[Verdict, Kind]] = {  # by the engine's own kinds of failure
    "cell": ("failed", "cell"),
    "results": ("failed", "results"),
    "notebook": ("failed", "notebook"),
    "timeout": ("timed out", "timeout"),
    "kernel": ("killed", "kernel"),
}


@dataclass(frozen=True)
class Outcome:
    """How a stranger's notebook ended.

    Attributes:
        verdict: ``platform`` is our own fault, and never the stranger's; ``refused`` says that its outputs were not
            accepted.
        cell: The code cell that it ended in, from 1, where it did not complete.
        line: The line of that cell.
        exception: One of Python's own, or ``other``.
        kind: What ended it.
        used: What was used, counted outside.
        layers: Which walls stood.
        issues: What was not accepted, or did not start.
        files: Names of what lies in the folder for outputs, which is empty unless the verdict is ``complete``.
        next_command: What helps where the fault is ours.
    """

    verdict: Verdict
    cell: int | None = None
    line: int | None = None
    exception: str | None = None
    kind: Kind | None = None
    used: Used = field(default_factory=Used)
    layers: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    files: tuple[str, ...] = ()
    next_command: str = ""


def run_untrusted(
    notebook: Path,
    *,
    datasets: Mapping[str, Path],
    kernel: Kernel,
    settings: Settings,
    limits: Limits,
    collect: Path,
    logs: Path | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Executes a stranger's notebook inside the walls, and takes out the files that it wrote.

    Args:
        notebook: An experiment notebook; it gets its parameters' defaults.
        datasets: By slug, the folder of each dataset that it may see: its card, and the files that the card names.
        kernel: Its kernel; an environment that satisfies its lock must be installed.
        settings: Places and limits of ordinary runs.
        limits: What it may use.
        collect: An empty folder that gets the files; every name and byte in it is the stranger's.
        logs: A folder that gets the executed notebook and the logs. They may hold whatever the datasets hold: None
            where these are hidden.
        progress: Told of every code cell.

    Returns:
        How it ended. Walls that do not stand are no exception, but the verdict ``platform``.

    Raises:
        InputError: The file is no notebook at all, or the folder for outputs is not empty.
        KernelUnavailable: No environment satisfies the kernel's lock.
        DatasetError: A dataset is not as its card says.
        StorageError: The disk refuses.
    """
    data, lines = _read(notebook)
    if any(collect.iterdir()):
        raise InputError("the folder for outputs is not empty", where=str(collect))
    environment = choose_environment(kernel, cache=settings.cache)
    task = Task(data, datasets, kernel, environment, build_wheel(), limits, logs=logs is not None)
    told = _Progress(progress or Silent(), title=notebook.stem, total=len(lines))
    receiver = Receiver(collect=collect, limits=limits, logs=logs, on_cell=told.begins)
    outcome = None
    try:
        ending = _run(task, settings, receiver, told)
        outcome = _outcome(ending, receiver, lines)
    except KernelUnavailable as error:
        issue = Issue(error.what, error.where, error.wanted, error.got)
        return Outcome("platform", kind="platform", issues=(*error.issues, issue), next_command=error.next_command)
    finally:
        receiver.close()
        told.stop()
        if outcome is None or outcome.verdict != "complete":
            _empty(collect)
    if logs is not None:
        write_text(logs / "stderr.log", ending.stderr)
    return outcome


def _run(task: Task, settings: Settings, receiver: Receiver, told: _Progress) -> Ending:
    require_walls()
    with staging(settings.cache / "sandbox") as private:
        given = hand_in(private / "given", task, settings=settings)
        told.start()
        walls = _walls(given, task.environment.python, task.limits)
        return run_inside(walls, _COMMAND, receive=receiver.feed)


def _read(notebook: Path) -> tuple[bytes, list[int]]:
    """Returns a notebook's bytes and how many lines each code cell has; the rest is read inside."""
    try:
        with notebook.open("rb") as stream:
            data = stream.read(_NOTEBOOK_BYTES + 1)
    except OSError as error:
        raise InputError("the notebook cannot be read", where=notebook.name, got=error.strerror or "") from None
    if len(data) > _NOTEBOOK_BYTES:
        raise InputError(
            "the notebook is too large", where=notebook.name, wanted=f"at most {_NOTEBOOK_BYTES >> 20} MiB"
        )
    try:
        cells = json.loads(data)["cells"]
        code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        return data, [len("".join(source).splitlines()) for source in code]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("not a notebook", where=notebook.name, wanted="a Jupyter notebook (.ipynb)") from None


def _walls(given: Given, python: Path, limits: Limits) -> Walls:
    readable = environment_places(Path(sys.executable)) | environment_places(python)
    readable |= {str(given.software): given.software, _GIVEN: given.folder}
    variables = {
        "HOME": WORK, "TMPDIR": WRITABLE[1], "PATH": "/usr/bin:/bin", "PYTHONPATH": str(given.software),
        "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "TZ": "UTC", "USER": "braggbook",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    }  # fmt: skip
    return Walls(readable, variables, limits)


class _Progress:
    """Hands what the inside tells on, within what can be."""

    def __init__(self, progress: Progress, *, title: str, total: int) -> None:
        self._progress, self._title, self._total, self._started = progress, title, total, False

    def start(self) -> None:
        self._started = True
        self._progress.start(self._title, self._total)

    def begins(self, done: int) -> None:
        done = min(done, self._total)
        self._progress.step(done, f"code cell {done + 1}" if done < self._total else "")

    def stop(self) -> None:
        if self._started:
            self._progress.stop()


def _outcome(ending: Ending, receiver: Receiver, lines: list[int]) -> Outcome:
    seen: dict[str, Any] = {"used": ending.used, "layers": ending.layers, "issues": tuple(receiver.issues)}
    said = receiver.outcome
    if _is_ours(receiver):
        issue = Issue("the run did not begin inside", got=ending.stderr.strip()[-500:] or ending.cause)
        return Outcome("platform", kind="platform", **{**seen, "issues": (*receiver.issues, issue)})
    if ending.problem is not None:
        return Outcome("refused", kind="output", **seen)
    running = receiver.cells + 1 if receiver.cells is not None and receiver.cells < len(lines) else None
    if ending.cause in _STOPPED:
        verdict, kind = _STOPPED[ending.cause]
        return Outcome(verdict, running, kind=kind, **seen)
    if said is None:
        kind = "memory" if ending.out_of_memory else "notebook" if not receiver.starting else "kernel"
        return Outcome("killed", running, kind=kind, **seen)
    return _as_said(said, lines, files=tuple(receiver.files), out_of_memory=ending.out_of_memory, seen=seen)


def _is_ours(receiver: Receiver) -> bool:
    """Returns whether it went wrong where nothing of the stranger's was being looked at."""
    if receiver.cells is not None:
        return False
    if not receiver.reading:
        return True
    said = receiver.outcome or {}
    return receiver.starting and said.get("verdict") != "complete"


def _as_said(
    said: dict[str, Any], lines: list[int], *, files: tuple[str, ...], out_of_memory: bool, seen: dict[str, Any]
) -> Outcome:
    if said.get("verdict") == "complete":
        return Outcome("complete", files=files, **seen)
    verdict, kind = _SAID.get(str(said.get("kind")), ("killed", "kernel"))
    if out_of_memory and kind == "kernel":
        kind = "memory"
    cell = said.get("cell")
    if not isinstance(cell, int) or not 1 <= cell <= len(lines):
        return Outcome(verdict, kind=kind, **seen)
    line, name = said.get("line"), said.get("exception")
    known = isinstance(line, int) and 1 <= line <= lines[cell - 1]
    return Outcome(verdict, cell, line if known else None, _exception(name), kind, **seen)


def _exception(name: object) -> str | None:
    if name is None:
        return None
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    return kind.__name__ if isinstance(kind, type) and issubclass(kind, BaseException) else "other"


def _empty(folder: Path) -> None:
    with storage(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
