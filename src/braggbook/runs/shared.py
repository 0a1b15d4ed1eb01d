"""Cells that many runs share: executed once, in a process that every run is then forked from."""

from __future__ import annotations

import ast
import copy
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from braggbook.errors import KernelUnavailable
from braggbook.kernels.warm import ForkedProcess, Forks, Template, ask, ask_to_import
from braggbook.notebooks.source import INJECTED_TAG, PARAMETERS_TAG
from braggbook.runs.shell import ShellEnded, ShellProcess

_START_S = 60.0


class CannotShare(Exception):
    """Why the first cells of a notebook cannot be executed once for many runs."""


class SharedCells:
    """A process that has executed the first cells of a notebook; each run goes on in a fork of it.

    Attributes:
        outputs: What each of these cells printed and showed, by its index in the notebook's source.
        places: Folders that the outputs may name.
        learned: Modules that its forks have imported since, in that order.
    """

    def __init__(
        self,
        process: ShellProcess,
        socket: str,
        outputs: dict[int, list[Any]],
        *,
        swept: Collection[str],
        places: Mapping[str, Path],
    ) -> None:
        self._process, self._socket, self._swept = process, socket, frozenset(swept)
        self.outputs, self.places = outputs, places
        self.learned: dict[str, None] = {}

    @property
    def alive(self) -> bool:
        """Whether it can be forked."""
        return self._process.process.poll() is None

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> ForkedProcess:
        """Returns a process that has executed the shared cells; see :func:`braggbook.kernels.warm.ask`."""
        return ask(self._socket, request, files, learn=self._learn)

    def _learn(self, modules: Sequence[str]) -> None:
        self.learned |= dict.fromkeys(modules)

    def teach(self, template: Callable[[], Template]) -> None:
        """Lets it import what its forks had to, if a template could import that without harm.

        Args:
            template: Gives the living template that it was forked from, or one like it, when that has learned too.
        """
        template().learned |= self.learned
        taught = template()
        fit = [name for name in self.learned if name not in taught.left_out]
        self.learned.clear()
        answer = ask_to_import(self._socket, fit)
        if answer is None or answer["left_out"]:
            self._process.close()

    def assignments(self, source: str) -> str:
        """Returns the assignments of swept parameters in the cell that papermill puts in.

        The others were made before the shared cells ran, which may have changed their values since.
        """
        kept = [node for node in ast.parse(source).body if _target(node) in self._swept]
        return "\n".join(ast.unparse(node) for node in kept) or "pass"


def _target(node: ast.stmt) -> str | None:
    return node.targets[0].id if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) else None


@contextmanager
def shared_cells(
    node: Any, *, count: int, fixed: Mapping[str, Any], swept: Collection[str], template: Forks,
    request: Mapping[str, Any], places: Mapping[str, Path], cell_timeout_s: float,
) -> Iterator[SharedCells]:  # fmt: skip
    """Executes the first cells of a notebook and keeps the process for others to be forked from.

    Args:
        node: The notebook's source.
        count: How many of its cells are shared.
        fixed: Parameters that have one value, other than their default, in all runs.
        swept: Names of the others.
        template: What the process itself is forked from.
        request: See :func:`braggbook.kernels.warm.ask`.
        places: Folders that their outputs may name, ``scratch`` (private, with a short path) among them.
        cell_timeout_s: For each cell.

    Raises:
        CannotShare: A cell fails, takes too long, or leaves what a fork does not have: threads, open files, processes.
    """
    try:
        process = ShellProcess(template, request)
    except KernelUnavailable as error:
        raise CannotShare(str(error)) from None
    try:
        outputs = _execute(process, _first_cells(node, count, fixed), cell_timeout_s)
        socket = _serve(process, places["scratch"] / "shared.sock")
        yield SharedCells(process, socket, outputs, swept=swept, places=places)
    finally:
        process.close()


def _first_cells(node: Any, count: int, fixed: Mapping[str, Any]) -> list[tuple[int | None, Any]]:
    """Returns the shared code cells by their index in the source; the cell of fixed parameters has none."""
    first = node
    if fixed:
        known = load_notebook_node(copy.deepcopy(node))  # with what papermill adds to the metadata
        first = parameterize_notebook(known, dict(fixed), kernel_name="python3", language="python")
    cells: list[tuple[int | None, Any]] = []
    index = 0
    for cell in first.cells:
        injected = INJECTED_TAG in cell.metadata.get("tags", [])
        if not injected and index >= count:
            break
        if cell.cell_type == "code" and cell.source.strip():
            cells.append((None if injected else index, cell))
        index += not injected
    return cells


def _execute(process: ShellProcess, cells: list[tuple[int | None, Any]], timeout_s: float) -> dict[int, list[Any]]:
    outputs: dict[int, list[Any]] = {}
    _until(process, "language_info", _START_S)
    count = 0
    for index, cell in cells:
        count += 1
        process.tell({"source": cell.source, "count": count})
        found = _until(process, "ended", timeout_s)
        if not found[-1]["ok"]:
            raise CannotShare(f"a shared cell raised {found[-1]['ename']}: {found[-1]['evalue']}")
        if index is not None:
            outputs[index] = found
        if PARAMETERS_TAG in cell.metadata.get("tags", []) and all(place is not None for place, _ in cells):
            count += 1  # papermill's cell stands there in the runs, and tracebacks name cells by their numbers
    return outputs


def _serve(process: ShellProcess, socket: Path) -> str:
    process.tell({"become_template": str(socket)})
    answer = _until(process, ("serving", "refused"), _START_S)[-1]
    if "refused" in answer:
        raise CannotShare(answer["refused"])
    return str(socket)


def _until(process: ShellProcess, keys: str | tuple[str, ...], timeout_s: float) -> list[Any]:
    """Returns what comes, up to the message that has one of the keys."""
    wanted = {keys} if isinstance(keys, str) else set(keys)
    found = []
    try:
        for message in process.messages(deadline=time.monotonic() + timeout_s):
            found.append(message)
            if isinstance(message, Mapping) and wanted & set(message):
                return found
    except ShellEnded:
        raise CannotShare("the process of the shared cells ended") from None
    except TimeoutError:
        raise CannotShare(f"the shared cells took longer than {timeout_s:g} s") from None
    raise CannotShare("the process of the shared cells ended")
