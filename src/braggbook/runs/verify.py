"""Verifying a run: every digest, then the whole execution again from the record alone, then the comparison."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import Dataset, open_dataset
from braggbook.datasets.fetch import fetch_file
from braggbook.errors import BraggbookError, Issue, KernelUnavailable, NotVerifiable, OutsideError, RecordError
from braggbook.files import sha256_bytes, storage
from braggbook.formats.result import Result
from braggbook.formats.run import RunRecord
from braggbook.kernels.catalogue import read_kernel
from braggbook.kernels.install import choose_environment
from braggbook.notebooks.decode import check_results
from braggbook.notebooks.decode import read_results as read_declared
from braggbook.notebooks.source import read_node, read_notebook
from braggbook.progress import Progress
from braggbook.runs.compare import Comparison, compare_results
from braggbook.runs.execute import execute
from braggbook.runs.folder import CHANGED, RECORD, RESULTS, changed_files, read_record, read_results, scratch
from braggbook.runs.plan import RunPlan
from braggbook.runs.record import ARRAYS, EXECUTED, FIGURES, KERNEL_FOLDER, SOURCE_FOLDER, TABLES
from braggbook.runs.wheel import Wheel
from braggbook.settings import Settings

Verdict = Literal["identical", "within tolerance", "drifted", "not verifiable"]
_BESIDE = "binder/"  # what a record adds for Binder; no part of the run
_RESULT_FOLDERS = (FIGURES, ARRAYS, TABLES)


@dataclass
class Verification:
    """What came of verifying a run.

    Attributes:
        verdict: identical, within tolerance, drifted or not verifiable.
        reason: Why, when it is not one of the first two.
        files: Files of the record that are not as they were.
        held: Results that a changed file holds, by its name.
        rows: Every declared result beside its repetition.
        notes: What else differs without counting, such as the version of Python.
    """

    run: str
    verdict: Verdict = "identical"
    reason: str = ""
    files: list[Issue] = field(default_factory=list)
    held: dict[str, list[str]] = field(default_factory=dict)
    rows: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Returns the verification for ``--json``."""
        rows = [row.as_json() for row in self.rows]
        files = [{**issue.as_json(), "results": self.held.get(issue.where, [])} for issue in self.files]
        return {
            "run_id": self.run,
            "verdict": self.verdict,
            "reason": self.reason,
            "files": files,
            "results": rows,
            "notes": self.notes,
        }


def verify(folder: Path, *, settings: Settings, progress: Progress | None = None) -> Verification:
    """Repeats the run in ``folder`` from what lies there and compares; ``folder`` is only read.

    Raises:
        RecordError: ``folder`` is no run.
        OutsideError: The disk refuses the repetition, or a dataset that was not copied cannot be downloaded.
    """
    try:
        record = read_record(folder)
    except RecordError as error:
        if not (folder / RESULTS).is_file():
            raise
        return _cannot(Verification(folder.name), str(error))  # a run whose own record was lost or damaged
    found = Verification(record.id, files=changed_files(folder, record), notes=_extra_files(folder, record))
    if record.verdict != "complete":
        return _cannot(
            found,
            f"the run itself is not complete: {record.failure.message if record.failure else record.verdict}",
        )
    if gone := [issue for issue in found.files if issue.what != CHANGED]:
        return _cannot(found, f"{gone[0].where} is {gone[0].what}")
    try:
        with scratch() as work:
            expected, actual, specs = _repeat(folder, record, work, found, settings=settings, progress=progress)
        found.rows = compare_results(expected, actual, specs)
        found.held = {issue.where: _held_results(folder, issue.where, expected) for issue in found.files}
    except OutsideError:
        raise
    except KernelUnavailable as error:
        error.next_command = f"braggbook kernel install {folder}"
        return _cannot(found, str(error))
    except BraggbookError as error:
        return _cannot(found, str(error))
    return _judge(found)


def _held_results(folder: Path, name: str, expected: dict[str, Result]) -> list[str]:
    """Returns which results a changed file holds: one drawn or tabled there, or those that the notebook now says."""
    place, _, rest = name.partition("/")
    if place in (FIGURES, TABLES, ARRAYS):
        return [rest.partition("/")[0].partition(".")[0]]
    if name != EXECUTED:
        return []
    declared, _ = read_declared(read_node(folder / EXECUTED))
    return [row.name for row in compare_results(expected, declared, {}) if not row.identical]


def _extra_files(folder: Path, record: RunRecord) -> list[str]:
    known = {*record.files, RECORD}
    there = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    extra = [name for name in there if name not in known and not name.startswith(_BESIDE)]
    return (
        [f"not part of the record, and ignored: {', '.join(extra[:5])}{' …' if len(extra) > 5 else ''}"]
        if extra
        else []
    )


def _repeat(
    folder: Path,
    record: RunRecord,
    work: Path,
    found: Verification,
    *,
    settings: Settings,
    progress: Progress | None,
) -> tuple[dict[str, Result], dict[str, Result], dict[str, Any]]:
    copy = work / "record"
    with storage(copy):
        shutil.copytree(folder, copy, ignore=lambda parent, names: {n for n in names if n.endswith(".part")})
    plan = _plan(copy, record, settings)
    _note_differences(plan, record, found)
    inside = work / "repetition"
    inside.mkdir()
    timeout_s = max(settings.cell_timeout_s, record.determinism.cell_timeout_s)
    limits = dataclasses.replace(settings, cell_timeout_s=timeout_s)
    execution = execute(plan, inside, settings=limits, progress=progress, changed=True)
    if execution.verdict == "interrupted":
        raise KeyboardInterrupt
    specs = plan.notebook.front.braggbook.results
    if execution.verdict != "complete" and not (execution.failure and execution.failure.kind == "results"):
        message = execution.failure.message if execution.failure else execution.verdict
        raise NotVerifiable("the repetition did not complete", got=message)
    if not execution.results and check_results(execution.results, specs):
        raise NotVerifiable("the repetition declared no results")
    return read_results(folder).results, execution.results, specs


def _plan(copy: Path, record: RunRecord, settings: Settings) -> RunPlan:
    """Builds the plan of the repetition from the record's copy alone."""
    notebook = read_notebook(copy / SOURCE_FOLDER / f"{record.notebook}.ipynb")
    kernel = dataclasses.replace(read_kernel(copy / KERNEL_FOLDER), slug=record.kernel.slug)
    if kernel.lock_sha256 != record.kernel.lock_sha256:
        where = f"{KERNEL_FOLDER}/{kernel.lock_path.name}"
        raise NotVerifiable(
            "the lock is not the one that the run used",
            where=where,
            wanted=record.kernel.lock_sha256[:12],
            got=kernel.lock_sha256[:12],
        )
    wheel = Wheel(Path(record.braggbook.wheel).name, (copy / record.braggbook.wheel).read_bytes())
    environment = choose_environment(kernel, cache=settings.cache)
    datasets = tuple(_dataset(copy, item.reference, item.not_copied, settings) for item in record.datasets)
    seed = record.determinism.seed
    return RunPlan(notebook, record.parameters, datasets, kernel, environment, wheel, seed, doi=record.doi)


def _dataset(copy: Path, reference: str, not_copied: list[str], settings: Settings) -> tuple[Dataset, dict[str, Path]]:
    dataset = open_dataset(copy / DATASETS / reference.partition("@")[0])
    paths = {}
    for file in dataset.card.files:
        if file.path in not_copied:
            paths[file.path] = fetch_file(dataset, file, cache=settings.cache, mirror=settings.data_mirror)
        else:
            paths[file.path] = dataset.folder / file.path
    return dataset, paths


def _note_differences(plan: RunPlan, record: RunRecord, found: Verification) -> None:
    if plan.environment.python_version != record.python:
        found.notes.append(f"Python {plan.environment.python_version} instead of {record.python}")
    if sha256_bytes(plan.wheel.data) != record.braggbook.sha256:
        found.notes.append("Braggbook's wheel is not the one that the run used")


def _judge(found: Verification) -> Verification:
    drifted = [row for row in found.rows if not row.same]
    if found.files or drifted:
        found.verdict = "drifted"
        named = [_named(issue.where, found.held.get(issue.where, [])) for issue in found.files] + [
            f"{row.name} ({row.where}: {row.difference})".replace("(: ", "(") for row in drifted
        ]
        found.reason = "; ".join(named)
    elif not all(row.identical for row in found.rows):
        found.verdict = "within tolerance"
    return found


def _named(file: str, results: list[str]) -> str:
    return f"{file} ({', '.join(results)})" if results else file


def _cannot(found: Verification, reason: str) -> Verification:
    found.verdict, found.reason = "not verifiable", reason
    return found
