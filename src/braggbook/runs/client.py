"""papermill's client with true cell statuses and bounded outputs, and the kernel manager of a job."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient

from braggbook.errors import KernelUnavailable
from braggbook.formats.result import MIME
from braggbook.formats.run import CellStatus
from braggbook.kernels.process import launch
from braggbook.kernels.warm import ForkedProcess, Forks
from braggbook.runs.job import Cell, Job
from braggbook.runs.quick import QuickKernelManager

_LAUNCH = launch.__file__


class KernelManager(QuickKernelManager):
    """Starts the kernel that a job describes; nothing has to be registered with Jupyter for that."""

    job: Job

    @property
    def template(self) -> Forks | None:
        """What the provisioner forks the kernel from."""
        return self.job.template

    @property
    def fork_options(self) -> dict[str, Any]:
        """What a forked kernel must be told, because nobody launches it."""
        return {"memory_limit_mb": self.job.memory_limit_mb, "seed": self.job.seed}

    @classmethod
    def for_job(cls, job: Job) -> KernelManager:
        """Builds a manager whose connection file and sockets lie in the job's private folder."""
        connection = job.sockets / "kernel.json"
        manager = cls(connection_file=str(connection), transport="ipc", ip=str(job.sockets / "k"))
        manager.job = job
        return manager

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernelspec, with the launcher in front of the kernel's own command."""
        python = str(self.job.python_path)
        argv = [python if part in ("python", "python3") else part for part in self.job.argv]
        if self.job.template is not None:
            warm = {"kernel_provisioner": {"provisioner_name": "braggbook"}}
            return KernelSpec(argv=argv, language=self.job.language, display_name="braggbook", env={}, metadata=warm)
        before = [python, _LAUNCH, str(self.job.memory_limit_mb), str(os.getpid()), str(self.job.seed)]
        return KernelSpec(argv=[*before, *argv], language=self.job.language, display_name="braggbook", env={})


class Client(PapermillNotebookClient):
    """papermill's client with true cell statuses and bounded outputs."""

    def __init__(self, nb_man: Any, *, job: Job, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self._job = job
        self._kept_bytes = 0
        self._manager: Any = None
        self._process: Any = None

    def create_kernel_manager(self) -> KernelManager:
        """Builds the job's own kernel manager in place of a registered one."""
        self._manager = self.km = KernelManager.for_job(self._job)
        return self.km

    def start_new_kernel(self, **options: Any) -> None:
        """Starts the kernel and remembers its process."""
        with self._template_needed():
            super().start_new_kernel(**options)
        self._process = self._manager.provisioner.process

    @contextmanager
    def _template_needed(self) -> Iterator[None]:
        try:
            yield
        except KernelUnavailable:
            self._job.lost = True
            raise

    def close(self) -> None:
        """Ends whatever a failed start or a failed shutdown left.

        A kernel that lives on would hold the machine, and a context with open sockets would block for ever when it is
        collected, wherever that happens to be.
        """
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # the kernel leads a group of its own
            self._process.wait()
        if self._process is not None and self._job.template is None:  # a template looks after its own
            _end_what_is_left(self._job.variables["HOME"])
        self._job.lost |= isinstance(self._process, ForkedProcess) and self._process.template_died
        if self._manager is not None:
            self._manager.context.destroy(linger=0)

    def papermill_execute_cells(self) -> None:
        """Executes the cells in order, up to the first that does not end well."""
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            record = self._job.cells[index] = Cell(status="interrupted")
            self._job.on_cell(index, record)
            began = time.monotonic()
            try:
                self.execute_cell(cell, index)
                record.status = "failed" if _stopped(cell) else "complete"
            except BaseException as error:
                record.status = _status_of(error)
                self._note_failure(index, error)
                if not isinstance(error, CellExecutionError):
                    raise
            finally:
                record.seconds = round(time.monotonic() - began, 3)
                self._finish(cell, index, record)
            if record.status != "complete":
                self._job.failed_cell = index
                return

    def _note_failure(self, index: int, error: BaseException) -> None:
        self._job.failure, self._job.failed_cell = error, index
        self.shutdown_kernel = "immediate"  # a kernel that hangs or is gone would not hear a polite request
        self._job.exit_code = self._process.poll() if self._process is not None else None

    def _finish(self, cell: Any, index: int, record: Cell) -> None:
        self._join_texts(cell, index)
        if record.status != "complete":
            self.nb_man.cell_exception(cell, cell_index=index)
        self._job.on_cell(index, record)

    def _join_texts(self, cell: Any, index: int) -> None:
        before, cell.outputs = cell.outputs, coalesce(cell.outputs)
        places = {id(output): place for place, output in enumerate(cell.outputs)}
        for shown in self._display_id_map.values():  # where a later cell finds what it updates
            if index in shown:
                shown[index] = [places[id(before[place])] for place in shown[index]]

    async def _async_poll_kernel_alive(self) -> None:
        with suppress(AssertionError):  # a cell that ended in an error has left no client to ask
            await super()._async_poll_kernel_alive()

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str, cell_index: int) -> Any:
        """Keeps an output until the run's outputs grow past the limit, then only results and errors; says so once."""
        content = msg["content"]
        text, data = content.get("text", ""), content.get("data", {})
        size = len(text) or sum(len(str(part)) for part in data.values())
        if MIME in data or msg["msg_type"] == "error" or (not self._job.dropped_bytes and size <= self._room):
            self._kept_bytes += size
            return super().output(outs, msg, display_id, cell_index)
        if not self._job.dropped_bytes:
            if text:
                super().output(outs, _stream(msg, content["name"], text[: self._room]), None, cell_index)
                size -= self._room
            limit = self._job.output_limit_bytes >> 20
            note = f"\n[braggbook: the run's outputs grew past {limit} MB; the rest is left out]\n"
            super().output(outs, _stream(msg, "stderr", note), None, cell_index)
        self._job.dropped_bytes += size
        return None

    @property
    def _room(self) -> int:
        return max(0, self._job.output_limit_bytes - self._kept_bytes)


def _stream(msg: dict[str, Any], name: str, text: str) -> dict[str, Any]:
    return {**msg, "msg_type": "stream", "content": {"name": name, "text": text}}


def _end_what_is_left(home: str) -> None:
    """Ends what a notebook started and what has left its kernel's group: it has the kernel's own environment."""
    mark = f"HOME={home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def _stopped(cell: Any) -> bool:
    # sys.exit(0) ends the kernel's cell with an "error" that papermill lets pass as success
    return any(
        output.output_type == "error" for output in cell.outputs
    ) and "raises-exception" not in cell.metadata.get("tags", [])


def _status_of(error: BaseException) -> CellStatus:
    if isinstance(error, CellTimeoutError):
        return "timed out"
    if isinstance(error, DeadKernelError):
        return "killed"
    return "failed" if isinstance(error, CellExecutionError) else "interrupted"


def coalesce(outputs: list[Any]) -> list[Any]:
    """Joins a cell's printed texts: one output for each stream, standard output first.

    The outcome is nbclient's own, whose expression for carriage returns takes minutes for a line of a megabyte.
    """
    joined: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output["output_type"] == "stream" and output["name"] in streams:
            streams[output["name"]]["text"] += output["text"]
            continue
        if output["output_type"] == "stream":
            streams[output["name"]] = output
        joined.append(output)
    for output in streams.values():
        output["text"] = "\n".join(map(_begun_anew, output["text"].split("\n")))
    for i in range(len(joined) - 1):
        names = [output.get("name") if output["output_type"] == "stream" else None for output in joined[i : i + 2]]
        if names == ["stderr", "stdout"]:
            joined[i], joined[i + 1] = joined[i + 1], joined[i]
    return joined


def _begun_anew(line: str) -> str:
    """Returns what is left of a line where carriage returns begin it anew; one at its very end does not."""
    return line[line.rfind("\r", 0, max(0, len(line) - 1)) + 1 :]
