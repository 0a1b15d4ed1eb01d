"""A sweep: one notebook at many points of its parameters, each point a run like any other, on a Dask cluster."""

from __future__ import annotations

import fcntl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import distributed
from dask.system import CPU_COUNT

from braggbook.errors import BraggbookError, Interrupted, StorageError, SweepBusy
from braggbook.files import storage, write_json
from braggbook.formats.run import Engine, Verdict
from braggbook.formats.sweep_record import AxisRecord, SweepRecord, sweep_id
from braggbook.kernels.warm import can_fork
from braggbook.notebooks.reach import needs_a_kernel, shared_prefix
from braggbook.progress import Progress, Silent
from braggbook.runs.cluster import ended_points, local_cluster, running_cluster
from braggbook.runs.collect import Collector
from braggbook.runs.design import Design, Point
from braggbook.runs.execute import now, template_for
from braggbook.runs.folder import read_results
from braggbook.runs.job import default_memory_limit_mb
from braggbook.runs.plan import RunPlan, require_no_kernel
from braggbook.runs.points import Outcome, PointsJob
from braggbook.runs.sweep_folder import RECORD, STORE, SWEEPS
from braggbook.settings import Settings

_FLUSH_S = 2.0
_LEAST_MB = 2048  # of address space for each point, of which libraries take much
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class SweepPlan:
    """A sweep to come.

    Attributes:
        base: A run of the notebook with every parameter at its default.
        design: The points.
        engine: What their runs are executed with.
        shared: How many of the notebook's cells are executed once for all points; 0 for none.
        why: Why no more cells are shared, and why the engine is what it is, for people.
    """

    base: RunPlan
    design: Design
    engine: Engine
    shared: int
    why: tuple[str, ...]

    @property
    def axes(self) -> list[AxisRecord]:
        """The design's axes as the record has them."""
        return [AxisRecord(dim=a.dim, values={k: list(v) for k, v in a.values.items()}) for a in self.design.axes]

    @property
    def id(self) -> str:
        """The sweep's id."""
        return sweep_id(self.base.identity, self.design.fixed, self.axes)

    def run_id(self, point: Point) -> str:
        """The id of a point's run."""
        return self.base.at(point.values).id


@dataclass
class Sweep:
    """How a sweep ended, and where its results are.

    Attributes:
        folder: Holds the record and the store of results.
        ended: How many points ended how.
        cached: How many of them were answered from their runs' folders.
        reasons: Points that did not complete, by the reason, with their run ids.
        left_out: Results that the store does not hold, each with the reason.
        dims: The dimensions of its points.
    """

    id: str
    folder: Path
    points: int
    engine: Engine
    shared_cells: int
    dims: tuple[str, ...]
    ended: Counter[Verdict] = field(default_factory=Counter)
    cached: int = 0
    reasons: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """The Zarr store of its results."""
        return self.folder / STORE

    @property
    def done(self) -> int:
        """How many points have ended."""
        return sum(self.ended.values())

    @property
    def failed(self) -> int:
        """How many points have ended without results."""
        return self.done - self.ended["complete"]


def plan_sweep(base: RunPlan, design: Design, *, engine: Engine | None = None, share: bool = True) -> SweepPlan:
    """Chooses how a sweep's points are executed.

    Args:
        base: A run of the notebook with every parameter at its default.
        design: The points.
        engine: None takes the quickest that has what the notebook needs.
        share: Execute cells that no swept parameter can reach once for all points.

    Raises:
        KernelUnavailable: The engine that was asked for lacks what the notebook needs.
    """
    cells = base.notebook.node.cells
    lacking = needs_a_kernel(cells)
    if engine == "shell":
        require_no_kernel(base.notebook)
    why = []
    if engine is None:
        engine = "warm" if lacking else "shell"
        if lacking:
            why.append(f"real kernels, since the notebook needs one: {lacking[0]}")
    if not can_fork():
        engine = "kernel"
        why.append("cold kernels, since this system cannot fork a process that has loaded libraries")
    prefix = shared_prefix(cells, design.swept)
    shared = prefix.count if share and engine == "shell" and prefix.code_cells else 0
    if share and engine == "shell" and prefix.reason:
        count = prefix.code_cells
        head = f"{count} code cells are shared; the next is not" if count else "no cells are shared"
        why.append(f"{head}: {prefix.reason}")
    return SweepPlan(base, design, engine, shared, tuple(why))


def points_job(plan: SweepPlan, *, settings: Settings, retry_failed: bool) -> PointsJob:
    """Returns what all points of a sweep have in common, for their workers."""
    fixed = {name: value for name, value in plan.design.fixed.items() if value != plan.base.values[name]}
    return PointsJob(
        plan.id, plan.base, settings, plan.engine, plan.shared, fixed, frozenset(plan.design.swept), retry_failed
    )


def run_sweep(
    plan: SweepPlan,
    *,
    settings: Settings,
    workers: int | None = None,
    cluster: str | None = None,
    retry_failed: bool = False,
    stop_on_failure: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Sweep:
    """Executes what is missing of a sweep and gathers all of it.

    Args:
        plan: The sweep.
        settings: Limits and places; on a cluster, all machines must see them under the same paths.
        workers: Points at a time on this machine, which share its memory; None is one for each processor.
        cluster: Address of a running Dask scheduler, in place of this machine.
        retry_failed: Execute points again that have failed before.
        stop_on_failure: Begin no more points after one that fails.
        progress: Told of every point.
        say: Told what a person should know meanwhile.

    Raises:
        SweepBusy: Another process is running this very sweep.
        Interrupted: A person stopped it; what has ended is kept.
        NetworkError: The cluster does not answer.
        StorageError: The disk is full or refuses; what was written is kept.
    """
    folder = settings.runs / SWEEPS / plan.id
    if cluster is None:
        workers = workers or CPU_COUNT
        limit = settings.memory_limit_mb or max(_LEAST_MB, default_memory_limit_mb() // workers)
        settings = replace(settings, memory_limit_mb=limit)
    with _only_one(folder), ExitStack() as stack:
        if cluster is None:
            _begin_template(plan, settings)
        work = _Work(plan, folder, settings, progress or Silent(), say)
        stack.callback(work.close)
        client = stack.enter_context(
            local_cluster(workers or CPU_COUNT, plan.id) if cluster is None else running_cluster(cluster, plan.id)
        )
        return work.run(client, retry_failed=retry_failed, stop_on_failure=stop_on_failure)


def _begin_template(plan: SweepPlan, settings: Settings) -> None:
    """Starts the template while this process prepares the rest; where the first point is there, maybe all are."""
    first = plan.run_id(next(plan.design.points()))
    if plan.engine != "kernel" and not (settings.runs / first).is_dir():
        threading.Thread(target=_make_template, args=(plan.base, settings), daemon=True).start()


def _make_template(plan: RunPlan, settings: Settings) -> None:
    with suppress(BraggbookError):  # the first point says it
        template_for(plan, settings=settings)


class _Work:
    """One process's turn at a sweep."""

    def __init__(
        self, plan: SweepPlan, folder: Path, settings: Settings, progress: Progress, say: Callable[[str], None]
    ) -> None:
        self._plan, self._folder, self._settings = plan, folder, settings
        self._progress, self._say = progress, say
        self._told = False
        self._started, self._began, self._flushed = now(), time.monotonic(), time.monotonic()
        dims = tuple(plan.design.shape)
        self._sweep = Sweep(plan.id, folder, len(plan.design), plan.engine, plan.shared, dims)
        notebook = plan.base.notebook
        version = plan.base.wheel.name.split("-")[1]
        attrs = {"title": notebook.front.title, "notebook": notebook.slug, "braggbook": version}
        self._collector = Collector(
            folder / STORE,
            plan.design,
            parameters=notebook.parameters,
            specs=notebook.front.braggbook.results,
            sweep=plan.id,
            attrs=attrs,
        )
        self._write_record()

    def run(self, client: distributed.Client, *, retry_failed: bool, stop_on_failure: bool) -> Sweep:
        plan = self._plan
        job = points_job(plan, settings=self._settings, retry_failed=retry_failed)
        self._progress.start(plan.base.notebook.slug, len(plan.design))
        try:
            for point, future in ended_points(client, job, plan.design.points(), meanwhile=self._meanwhile):
                self._take(point, future)
                if stop_on_failure and self._sweep.failed:
                    self._say("stopped at the first point that failed")
                    break
        finally:
            self._progress.stop()
        return self._sweep

    def _take(self, point: Point, future: distributed.Future) -> None:
        outcome = self._outcome(point, future)
        sweep = self._sweep
        sweep.ended[outcome.status] += 1
        sweep.cached += outcome.cached
        if outcome.note and outcome.note not in sweep.notes:
            sweep.notes[outcome.note] = None
            sweep.shared_cells = 0
            self._say(f"cells are not shared: {outcome.note}")
        if outcome.status != "complete":
            sweep.reasons.setdefault(outcome.reason, []).append(outcome.run_id)
        results = {}
        if outcome.status == "complete" and outcome.folder is not None:
            results = read_results(outcome.folder).results
        self._collector.add(point, run_id=outcome.run_id, status=outcome.status, reason=outcome.reason, results=results)
        self._progress.step(sweep.done, self._pace())

    def _outcome(self, point: Point, future: distributed.Future) -> Outcome:
        run_id = self._plan.run_id(point)
        try:
            outcome: Outcome = future.result()
        except (StorageError, Interrupted):
            raise
        except distributed.KilledWorker:
            return Outcome(run_id, "killed", "the workers that executed it died, one after the other")
        except BraggbookError as error:
            return Outcome(run_id, "failed", str(error))
        return outcome

    def _pace(self) -> str:
        """Returns what failed, how fast it goes and how long the rest will take."""
        sweep = self._sweep
        executed = sweep.done - sweep.cached
        elapsed = time.monotonic() - self._began
        parts = [f"{sweep.failed} failed"] if sweep.failed else []
        if executed:
            rate = executed / elapsed
            parts += [f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"]
            parts += [f"{_duration((sweep.points - sweep.done) / rate)} left"]
        return ", ".join(parts)

    def _meanwhile(self, workers: int) -> None:
        if not workers and not self._told and time.monotonic() - self._began > _PATIENCE_S:
            self._told = True
            self._say("waiting for a worker: the scheduler has none yet")
        if time.monotonic() - self._flushed > _FLUSH_S:
            self._flush()

    def _flush(self) -> None:
        self._collector.flush()
        self._write_record()
        self._flushed = time.monotonic()

    def _write_record(self) -> None:
        plan, sweep = self._plan, self._sweep
        sweep.left_out = self._collector.left_out
        record = SweepRecord(
            id=plan.id, notebook=plan.base.notebook.slug, title=plan.base.notebook.front.title,
            identity=plan.base.identity, fixed=plan.design.fixed, axes=plan.axes, points=len(plan.design),
            ended=dict(sweep.ended), engine=plan.engine, shared_cells=sweep.shared_cells,
            left_out=sweep.left_out, started=self._started, updated=now(),
        )  # fmt: skip
        with storage(self._folder):
            write_json(self._folder / RECORD, record.model_dump(mode="json"))

    def close(self) -> None:
        """Writes what is there, however the sweep went."""
        self._flush()
        self._collector.close()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keeps other processes from the sweep's folder."""
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepBusy(
                "another process is running this very sweep",
                where=folder.name,
                next_command="wait for it, or stop it and run the same command again: it does only what is missing",
            ) from None
        yield


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
