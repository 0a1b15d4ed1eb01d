"""The worker's side of a sweep: executes one point, in a process that keeps what many points need."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from braggbook.errors import BraggbookError, Interrupted, KernelUnavailable, RecordError, StorageError
from braggbook.formats.run import Engine, Verdict
from braggbook.runs.execute import share_cells, template_for
from braggbook.runs.folder import FAILED, read_record
from braggbook.runs.plan import RunPlan
from braggbook.runs.run import run
from braggbook.runs.shared import CannotShare, SharedCells
from braggbook.settings import Settings

CANCELLED = threading.Event()  # set when a person stops the sweep that this very process runs
_LASTING = ("failed",)  # a cell that raised raises again; what was killed or took too long may not be next time


@dataclass(frozen=True)
class PointsJob:
    """What all points of a sweep have in common.

    Attributes:
        id: The sweep's.
        plan: A run with every parameter that is not swept.
        shared: How many of the notebook's cells are executed once for all points.
        fixed: Parameters that have one value, other than their default, in all points.
        swept: Names of the others.
        retry_failed: Execute points again that have failed before.
    """

    id: str
    plan: RunPlan
    settings: Settings
    engine: Engine
    shared: int
    fixed: Mapping[str, Any]
    swept: frozenset[str]
    retry_failed: bool


@dataclass(frozen=True)
class Outcome:
    """How one point ended.

    Attributes:
        folder: Its run's; None when there is none.
        cached: It was answered from its folder.
        note: Why cells were not shared, when they were to be.
    """

    run_id: str
    status: Verdict
    reason: str = ""
    folder: Path | None = None
    cached: bool = False
    note: str = ""


class _Bench:
    """What this process keeps for the points of one sweep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._shared: SharedCells | None = None
        self.note = ""

    def shared(self, job: PointsJob) -> SharedCells | None:
        """Returns the process that has executed the shared cells, made now if there is none."""
        with self._lock:
            if not job.shared or self.note or CANCELLED.is_set():
                return None
            if self._shared is None or not self._shared.alive:
                self._stack.close()
                cells = share_cells(job.plan, count=job.shared, fixed=job.fixed, swept=job.swept, settings=job.settings)
                try:
                    self._shared = self._stack.enter_context(cells)
                except CannotShare as error:
                    self._shared, self.note = None, str(error)
            elif self._shared.learned:
                with suppress(KernelUnavailable):
                    self._shared.teach(lambda: template_for(job.plan, settings=job.settings))
            return self._shared

    def close(self) -> None:
        with self._lock:
            self._stack.close()
            self._shared = None


_benches: dict[str, _Bench] = {}
_benches_lock = threading.Lock()


def run_point(job: PointsJob, values: Mapping[str, Any]) -> Outcome:
    """Executes one point of a sweep, or answers it from its run's folder.

    Raises:
        Interrupted: The sweep was stopped.
        StorageError: The disk is full or refuses.
    """
    if CANCELLED.is_set():
        raise Interrupted("the sweep was stopped")
    plan = job.plan.at(values)
    if not job.retry_failed and (known := _failed_before(plan.id, job.settings.runs)) is not None:
        return known
    with _benches_lock:
        bench = _benches.setdefault(job.id, _Bench())
    try:
        shared = None if (job.settings.runs / plan.id).is_dir() else bench.shared(job)
        done = run(plan, settings=job.settings, engine=job.engine, shared=shared, cancelled=CANCELLED.is_set)
    except (Interrupted, StorageError):
        raise
    except KernelUnavailable:
        if CANCELLED.is_set():
            raise Interrupted("the sweep was stopped") from None
        raise
    except BraggbookError as error:
        return Outcome(plan.id, "failed", str(error), note=bench.note)
    failure = done.record.failure
    reason = failure.message if failure is not None else ""
    return Outcome(plan.id, done.record.verdict, reason, done.folder, cached=done.cached, note=bench.note)


def _failed_before(run_id: str, runs: Path) -> Outcome | None:
    folder = runs / FAILED / run_id
    if not folder.is_dir() or (runs / run_id).is_dir():
        return None
    try:
        record = read_record(folder)
    except RecordError:
        return None
    if record.verdict not in _LASTING or record.failure is None:
        return None
    return Outcome(run_id, record.verdict, record.failure.message, folder, cached=True)


def _leave_all() -> None:
    for sweep in list(_benches):
        leave_sweep(sweep)


def leave_sweep(sweep_id: str) -> None:
    """Ends what this process keeps for a sweep."""
    with _benches_lock:
        bench = _benches.pop(sweep_id, None)
    if bench is not None:
        bench.close()


atexit.register(_leave_all)
