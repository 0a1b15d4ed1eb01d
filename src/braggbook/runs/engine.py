"""The papermill engine that runs are executed with, and that papermill's own users can name: ``--engine braggbook``.

It is papermill's own nbclient engine with four things changed: the kernel gets a private environment, bounded memory
and local sockets; the outputs are bounded; every cell's end is noted as it really was, because papermill's saved
notebook calls every cell completed after a kernel's death or a timeout; and nothing waits out a fixed time. Kernels
can be forked from a template (:mod:`braggbook.kernels.warm`) or left out (:mod:`braggbook.runs.shell`).
"""

from __future__ import annotations

import contextvars
import os
from typing import Any

from papermill.engines import NBClientEngine

from braggbook.notebooks.imports import imported_modules
from braggbook.runs.client import Client
from braggbook.runs.job import Job
from braggbook.runs.quick import QuickKernelManager, SavedOnTime, WarmKernelManager, write_whole
from braggbook.runs.shell_client import ShellClient


class RunEngine(NBClientEngine):
    """``papermill --engine braggbook``; Braggbook itself passes a :class:`Job`."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
        """Executes a notebook for papermill, which calls this."""
        if "job" not in options:
            write_whole(nb.metadata.papermill.get("output_path"))
        return super().execute_notebook(nb, kernel_name, output_path=output_path, **options)

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, job: Job | None = None, **options: Any) -> None:
        """Executes the notebook that papermill prepared."""
        if job is None:
            _execute_for_papermill(nb_man, kernel_name, **options)
            return
        job.node = nb_man.nb
        client = (ShellClient if job.shell else Client)(
            nb_man,
            job=job,
            kernel_name=kernel_name,
            timeout=max(1, round(job.cell_timeout_s)),
            startup_timeout=max(1, round(job.start_timeout_s)),
            record_timing=False,
            raise_on_iopub_timeout=True,
            iopub_timeout=60,
        )
        job.kernel_log.parent.mkdir(parents=True, exist_ok=True)
        with job.kernel_log.open("wb") as log:
            try:
                # nbclient keeps its event loop in the context, and a pool's threads have that of whoever started them
                alone = contextvars.Context()
                alone.run(client.execute, env=job.variables, cwd=str(job.folder), stdout=log, stderr=log)
            finally:
                client.close()


_SAVE_EVERY_S = 5.0
_started: set[int] = set()


def _execute_for_papermill(nb_man: Any, kernel_name: str, **options: Any) -> None:
    """papermill's own engine without its waits; from a process's second notebook on, with forked kernels.

    A template costs as much as one cold kernel: it pays from the second notebook on.
    """
    saved = SavedOnTime(nb_man, every_s=_SAVE_EVERY_S)
    parts: dict[str, Any] = {"in_cell": staticmethod(saved.in_cell)}
    base: type = QuickKernelManager
    if os.getpid() in _started:
        base = WarmKernelManager
        parts["modules"] = imported_modules(nb_man.nb.cells)
    _started.add(os.getpid())
    ours = {
        "kernel_manager_class": type("Manager", (base,), parts),
        "on_cell_execute": saved.cell_begins,
        "on_cell_executed": saved.cell_ends,
    }
    NBClientEngine.execute_managed_notebook(nb_man, kernel_name, **{**ours, **options})
