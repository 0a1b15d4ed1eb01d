"""The program that executes a notebook inside the walls, as an ordinary run, and hands out what came of it.

It and the kernel are the same user: what it says is worth no more than what the notebook says. It is neither traced nor
written to by the notebook all the same, so that an honest one's outcome arrives.

    python -P -m braggbook.runs.sandbox.inside GIVEN
"""

from __future__ import annotations

import builtins
import ctypes
import json
import os
import re
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import nbformat

from braggbook.datasets.catalogue import find_dataset
from braggbook.errors import BraggbookError
from braggbook.kernels.catalogue import read_kernel
from braggbook.kernels.install import KernelEnvironment
from braggbook.notebooks.source import read_notebook
from braggbook.runs.execute import WRITTEN, Execution, execute
from braggbook.runs.plan import RunPlan
from braggbook.runs.sandbox import frames
from braggbook.runs.sandbox.walls import ENTRY, WORK
from braggbook.runs.wheel import Wheel
from braggbook.settings import Settings, load_settings

TASK, NOTEBOOK, WHEEL, FONTS = "task.json", "submission.ipynb", "software.whl", "matplotlib"
_PR_SET_DUMPABLE = 4  # linux/prctl.h: whether others of the same user may look into this process
_WORK = Path(WORK)
_SPARE_S, _SPARE = 2.0, 0.1  # kept from a cell's time for its end to be reported, at most this part of the whole
_LINE = re.compile(r"\bIn\[\d+\], line (\d+)")  # IPython's tracebacks
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BLOCK_BYTES = 1 << 20
_DEEPEST = 20  # folders in folders; what is below is not accepted outside anyway


def main(given: Path) -> None:
    """Executes what lies in a folder, and writes the stream to what was the standard output."""
    began = time.monotonic()
    _require_walls()
    stream = _own_output()
    task = json.loads((given / TASK).read_text(encoding="utf-8"))
    settings = _settings(given, task)
    wheel = Wheel(task["wheel"], (given / WHEEL).read_bytes())
    _prepare(settings, given, Path(task["software"]))
    frames.write_frame(stream, frames.READING)
    try:
        plan = _plan(given, task, wheel)
    except (BraggbookError, ValueError, RecursionError) as error:
        sys.stderr.write(f"{error}\n")
        frames.write_frame(stream, frames.OUTCOME, data=_json(verdict="failed", kind="notebook"))
        return
    frames.write_frame(stream, frames.STARTING)
    folder = _WORK / "run"
    folder.mkdir()
    settings = _with_time(settings, task["wall_s"], began)
    execution = execute(plan, folder, settings=settings, progress=_Told(stream))
    with suppress(OSError):
        os.kill(-1, signal.SIGKILL)  # whatever the notebook left running; not this process, nor the first one
    if execution.verdict == "complete":
        for path, name in _walk(folder / WRITTEN, ""):
            _hand_out(stream, path, name)
    if task["logs"]:
        _hand_out_logs(stream, execution)
    frames.write_frame(stream, frames.OUTCOME, data=_json(**outcome(execution)))


def _require_walls() -> None:
    # outside, the end of all that a notebook left running would be the end of everything this user has
    if os.getppid() != 1 or os.getuid() == 0 or not Path(ENTRY).is_file():
        sys.exit("only to be run inside the walls: braggbook.runs.sandbox.run starts it there")


def outcome(execution: Execution) -> dict[str, Any]:
    """Returns how it ended, in words that hold nothing of the notebook's own."""
    failure = execution.failure
    found: dict[str, Any] = {"verdict": execution.verdict, "kind": failure.kind if failure else None}
    if failure is None or failure.cell is None:
        return found
    cells = execution.node.cells
    found["cell"] = sum(cell.cell_type == "code" for cell in cells[: failure.cell + 1])
    for output in cells[failure.cell].get("outputs", []):
        if output.output_type == "error":
            found["exception"] = built_in(output.ename)
            lines = [_LINE.search(_COLOUR.sub("", text)) for text in output.traceback]
            first = next((int(match[1]) for match in lines if match), None)
            found["line"] = None if first is None else first + _blank_lines(cells[failure.cell].source)
    return found


def _blank_lines(source: str) -> int:
    """Returns how many lines at a cell's beginning are blank: IPython takes them away before it counts."""
    lines = source.splitlines()
    return next((number for number, line in enumerate(lines) if line.strip()), 0)


def built_in(name: str) -> str:
    """Returns an exception's name if it is Python's own, else ``other``: the stranger's own could say anything."""
    kind = getattr(builtins, name, None)
    return name if isinstance(kind, type) and issubclass(kind, BaseException) else "other"


class _Told:
    """Tells of each code cell before it runs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def start(self, title: str, total: int) -> None:
        """Tells nothing."""

    def step(self, done: int, note: str = "") -> None:  # noqa: ARG002 - the protocol's
        """Tells how many code cells are behind."""
        frames.write_frame(self._stream, frames.CELL, name=str(done))

    def stop(self) -> None:
        """Tells nothing."""


def _own_output() -> BinaryIO:
    """Returns what was the standard output, which no process started from here inherits."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    kept = os.dup(1)  # closed in whatever is executed, as all that Python opens
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return open(kept, "wb")  # noqa: PTH123 - a descriptor, open to the end


def _settings(given: Path, task: dict[str, Any]) -> Settings:
    values = {
        "project": given, "runs": _WORK / "runs", "cache": _WORK / "cache", "start_timeout_s": task["start_timeout_s"],
        "memory_limit_mb": task["address_mb"], "output_limit_mb": task["output_limit_mb"],
    }  # fmt: skip
    return load_settings(values, environment={}, start=given)[0]


def _with_time(settings: Settings, wall_s: float, began: float) -> Settings:
    left = wall_s - (time.monotonic() - began) - min(_SPARE_S, _SPARE * wall_s)
    return replace(settings, cell_timeout_s=max(1.0, left))


def _prepare(settings: Settings, given: Path, software: Path) -> None:
    """Fills the cache with what was made outside: Braggbook's code, and matplotlib's list of fonts."""
    (settings.cache / "software").mkdir(parents=True)
    (settings.cache / "software" / software.name).symlink_to(software)
    (settings.cache / FONTS).mkdir()
    for path in (given / FONTS).glob("*.json"):
        shutil.copyfile(path, settings.cache / FONTS / path.name)


def _plan(given: Path, task: dict[str, Any], wheel: Wheel) -> RunPlan:
    notebook = read_notebook(given / NOTEBOOK)
    values = notebook.parameters.resolve({}, where=NOTEBOOK)
    datasets = [find_dataset(reference, project=given) for reference in notebook.front.braggbook.datasets]
    found = tuple((one, {file.path: one.folder / file.path for file in one.card.files}) for one in datasets)
    kernel = read_kernel(given / "kernels" / task["kernel"])
    about = task["environment"]
    environment = KernelEnvironment(
        Path(about["python"]), Path(about["prefix"]), about["python_version"], about["packages"], about["origin"]
    )
    return RunPlan(notebook, values, found, kernel, environment, wheel, seed=0)


def _walk(folder: Path, before: str) -> Iterator[tuple[Path, str]]:
    """Gives what lies in a folder; what begins with a dot or is bytecode is a program's litter, not a result."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # a folder that may not be looked into
        yield folder, before
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        name = before + entry.name
        if entry.is_dir(follow_symlinks=False) and name.count("/") < _DEEPEST:
            yield from _walk(Path(entry.path), f"{name}/")
        else:
            yield Path(entry.path), name


def _hand_out(stream: BinaryIO, path: Path, name: str) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        frames.write_frame(stream, frames.LEFT_OUT, name=name)
        return
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        frames.write_frame(stream, frames.LEFT_OUT, name=name)
        return
    stream.write(frames.heading(frames.FILE, name=name, size=state.st_size))
    left = state.st_size
    while left and (block := os.read(handle, min(_BLOCK_BYTES, left))):
        stream.write(block)
        left -= len(block)
    os.close(handle)


def _hand_out_logs(stream: BinaryIO, execution: Execution) -> None:
    text = nbformat.writes(execution.node)
    frames.write_frame(stream, frames.LOG, name="executed.ipynb", data=text.encode("utf-8", "replace"))
    frames.write_frame(stream, frames.LOG, name="kernel.log", data=execution.kernel_log.encode("utf-8", "replace"))


def _json(**values: Any) -> bytes:
    return json.dumps(values).encode()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
