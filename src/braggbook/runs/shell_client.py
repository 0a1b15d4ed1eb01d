"""The in-process engine: cells in a forked shell, without a kernel between. See docs/explain/performance.md.

What comes back from the shell goes through the same nbclient code as a kernel's messages do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from braggbook.notebooks.source import INJECTED_TAG
from braggbook.runs.client import Client
from braggbook.runs.shell import ShellEnded, ShellProcess


class ShellClient(Client):
    """A client whose cells run in a forked shell."""

    _shell: ShellProcess | None = None

    def execute(self, **_: Any) -> Any:
        """Forks the shell, executes all cells in it and lets it end."""
        job = self._job
        if job.template is None:
            raise ValueError("a shell is forked from a template")
        self.reset_execution_trackers()
        request = {
            "cwd": str(job.folder), "env": job.variables, "memory_limit_mb": job.memory_limit_mb, "seed": job.seed,
        }  # fmt: skip
        with self._template_needed():
            self._shell = ShellProcess(job.template, request)
        self._process = self._shell.process
        self.nb.metadata["language_info"] = self._greeting(self._shell)["language_info"]
        self.papermill_execute_cells()
        if job.failure is None:
            self._shell.leave()
        return self.nb

    def _greeting(self, shell: ShellProcess) -> Mapping[str, Any]:
        printed = []
        try:
            for message in shell.messages(deadline=time.monotonic() + self._job.start_timeout_s):
                if isinstance(message, Mapping):
                    return message
                printed.append(message[1])
        except (ShellEnded, TimeoutError):
            pass
        self._job.kernel_log.write_text("".join(printed), encoding="utf-8")
        raise DeadKernelError("the shell did not start")

    def close(self) -> None:
        """Ends the shell if it still runs."""
        if self._shell is not None:
            self._shell.close()
            self._job.lost = self._shell.process.template_died

    def execute_cell(self, cell: Any, cell_index: int, **_: Any) -> Any:
        """Executes one cell, or gives it the outputs that it had when it was executed for many runs.

        Raises:
            CellExecutionError: It failed, and is not tagged that it may.
            CellTimeoutError: It took too long.
            DeadKernelError: The shell ended in it.
        """
        if cell.cell_type != "code" or not cell.source.strip():
            return cell
        self.code_cells_executed += 1
        cell.outputs, self.clear_before_next_output = [], False
        shared = None
        if self._job.shared is not None and (index := _source_index(self.nb.cells, cell_index)) is not None:
            shared = self._job.shared.outputs.get(index)
        ended = self._take(cell, cell_index, shared or self._live(cell))
        cell.execution_count = self.code_cells_executed
        if not ended["ok"] and "raises-exception" not in cell.metadata.get("tags", []):
            raise CellExecutionError.from_cell_and_msg(cell, ended)
        return cell

    def _live(self, cell: Any) -> Iterator[Any]:
        assert self._shell is not None
        source = cell.source
        if self._job.shared is not None and INJECTED_TAG in cell.metadata.get("tags", []):
            source = self._job.shared.assignments(source)
        try:
            self._shell.tell({"source": source, "count": self.code_cells_executed})
            yield from self._shell.messages(deadline=time.monotonic() + self._job.cell_timeout_s)
        except ShellEnded:
            raise DeadKernelError("Kernel died") from None
        except TimeoutError:
            seconds = round(self._job.cell_timeout_s)
            raise CellTimeoutError.error_from_timeout_and_cell("Cell execution timed out", seconds, cell) from None

    def _take(self, cell: Any, cell_index: int, messages: Iterable[Any]) -> dict[str, Any]:
        """Gives a cell its outputs; returns how it ended."""
        for message in messages:
            if isinstance(message, dict) and "ended" in message:
                return message
            self.process_message(self._as_kernel(message), cell, cell_index)
        raise DeadKernelError("Kernel died")

    def _as_kernel(self, message: Any) -> dict[str, Any]:
        if isinstance(message, Mapping):
            kind, content = message["msg_type"], dict(message["content"])
            if "execution_count" in content:
                content["execution_count"] = self.code_cells_executed
        else:
            kind, content = "stream", {"name": message[0], "text": message[1]}
        return {
            "msg_type": kind, "header": {"msg_type": kind}, "parent_header": {"msg_id": "shell"}, "metadata": {},
            "content": content,
        }  # fmt: skip


def _source_index(cells: list[Any], index: int) -> int | None:
    """Returns a cell's place in the notebook's source; None for the cell that papermill put in."""
    injected = [i for i, cell in enumerate(cells) if INJECTED_TAG in cell.metadata.get("tags", [])]
    return None if index in injected else index - sum(i < index for i in injected)
