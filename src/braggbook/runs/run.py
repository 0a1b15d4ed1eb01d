"""Running a plan: answered from the folder when it is there, executed and recorded when it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from braggbook.errors import Interrupted, RecordError
from braggbook.formats.run import Engine, RunRecord
from braggbook.progress import Progress
from braggbook.runs.compare import compare_results
from braggbook.runs.execute import Execution, execute
from braggbook.runs.folder import FAILED, changed_files, only_one, read_record, read_results, show, staging
from braggbook.runs.plan import RunPlan
from braggbook.runs.record import write_run
from braggbook.runs.shared import SharedCells
from braggbook.settings import Settings


@dataclass(frozen=True)
class Run:
    """A recorded run and where it lies.

    Attributes:
        cached: It was answered from its folder, not executed now.
        changed: Results that a forced repetition gave another value than the earlier execution.
    """

    record: RunRecord
    folder: Path
    cached: bool
    changed: tuple[str, ...] = ()


def run(
    plan: RunPlan,
    *,
    settings: Settings,
    force: bool = False,
    progress: Progress | None = None,
    on_wait: Callable[[], None] = lambda: None,
    engine: Engine = "kernel",
    shared: SharedCells | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Run:
    """Answers a plan from its run's folder, or executes it and records how it ended.

    A run that completes is shown at ``runs/<id>`` by one rename. One that does not is shown at ``runs/failed/<id>``,
    and never takes the place of one that did.

    Args:
        plan: What to run.
        settings: Limits and places.
        force: Execute even if the run is there.
        progress: Told of every cell.
        on_wait: Called when another process is executing the same run and this one waits for it.
        engine, shared: See :func:`braggbook.runs.execute.execute`.
        cancelled: Whether somebody stopped the work that this run is part of.

    Raises:
        Interrupted: It was cancelled.
        RecordError: The run is there, but a file of it is not as it was.
        StorageError: The disk refuses; nothing is then left under the run's name that was not there before.
    """
    target = settings.runs / plan.id
    with only_one(settings.runs, plan.id, on_wait=on_wait):
        if not force and (known := _complete(target)) and plan.doi in (None, known.doi):
            _require_unchanged(target, known, plan.notebook.slug)
            return Run(known, target, cached=True)
        with staging(settings.runs) as staged:
            execution, work = _execute(plan, staged, settings, progress, engine, shared, cancelled)
            record = write_run(work, plan, execution, settings=settings)
            if record.verdict != "complete":
                target = settings.runs / FAILED / plan.id
            changed = _changes(target, plan, execution) if record.verdict == "complete" else ()
            show(work, target, runs=settings.runs)
    return Run(record, target, cached=False, changed=changed)


def _execute(
    plan: RunPlan,
    staged: Path,
    settings: Settings,
    progress: Progress | None,
    engine: Engine,
    shared: SharedCells | None,
    cancelled: Callable[[], bool],
) -> tuple[Execution, Path]:
    """Executes a plan, once more if the process died that its kernel was forked from."""
    for attempt in ("first", "second"):
        work = staged / attempt / plan.id
        work.mkdir(parents=True)
        execution = execute(plan, work, settings=settings, progress=progress, engine=engine, shared=shared)
        if not execution.lost:
            break
        if cancelled():
            raise Interrupted("the run was stopped", where=plan.notebook.slug)
        shared = None  # it went with its template
    return execution, work


def _require_unchanged(folder: Path, record: RunRecord, slug: str) -> None:
    if issues := changed_files(folder, record):
        raise RecordError(
            "the run is there, but its folder was changed since",
            where=folder.name,
            issues=issues,
            next_command=f"braggbook verify {folder.name}, or braggbook run {slug} ... --force to execute it again",
        )


def _changes(earlier: Path, plan: RunPlan, execution: Execution) -> tuple[str, ...]:
    if _complete(earlier) is None:
        return ()
    specs = plan.notebook.front.braggbook.results
    rows = compare_results(read_results(earlier).results, execution.results, specs)
    return tuple(f"{row.name} ({row.difference})" for row in rows if not row.identical)


def _complete(folder: Path) -> RunRecord | None:
    try:
        record = read_record(folder)
    except RecordError:
        return None
    return record if record.verdict == "complete" else None
