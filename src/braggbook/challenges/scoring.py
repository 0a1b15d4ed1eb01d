"""Scoring: the scoring notebook, run like any other on truth and checked predictions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from braggbook.challenges.cases import cases_of
from braggbook.challenges.design import Challenge
from braggbook.datasets.catalogue import Dataset
from braggbook.errors import BraggbookError, InputError, Issue, RunError
from braggbook.formats.challenge import Metric
from braggbook.formats.result import Result, ScalarResult, TableResult
from braggbook.formats.run import Engine
from braggbook.formats.submission import Scorer
from braggbook.kernels.catalogue import find_kernel
from braggbook.kernels.install import choose_environment
from braggbook.kernels.lock import require_locked
from braggbook.notebooks.source import Notebook
from braggbook.progress import Progress
from braggbook.runs.folder import read_results
from braggbook.runs.plan import RunPlan
from braggbook.runs.run import run
from braggbook.runs.wheel import build_wheel
from braggbook.settings import Settings

SCORES = "scores"  # the scoring notebook's result: a table with a row for each case


@dataclass(frozen=True)
class Scored:
    """What a scoring notebook said.

    Attributes:
        scorer: What scored it.
        folder: The scoring run.
        cases: metric -> case -> score; None where the metric does not apply.
        overall: Scores of all cases together.
    """

    scorer: Scorer
    folder: Path
    cases: dict[str, dict[str, float | None]]
    overall: dict[str, float]


def score(
    challenge: Challenge,
    datasets: Mapping[str, Dataset],
    *,
    runs: Path,
    settings: Settings,
    progress: Progress | None = None,
    engine: Engine = "kernel",
) -> Scored:
    """Scores checked predictions.

    Args:
        challenge: Whose scoring notebook is run.
        datasets: Its inputs, truth and estimate, by their slug.
        runs: Where the run goes.
        settings: Limits and places.
        progress: Told of every cell.
        engine: Many scorings in one process are faster with forked kernels.

    Raises:
        RunError: The scoring notebook failed, or what it said are no scores of this challenge; that is never the
            participant's fault.
    """
    plan = plan_scoring(challenge, datasets, settings=settings)
    done = run(plan, settings=dataclasses.replace(settings, runs=runs), progress=progress, engine=engine)
    if done.record.verdict != "complete":
        message = done.record.failure.message if done.record.failure else done.record.verdict
        raise RunError("the scoring notebook failed", where=str(done.folder), got=message)
    cases = cases_of(datasets["truth"], rules=challenge.design.submission)
    tables, overall = read_scores(challenge.design.metrics, read_results(done.folder).results, cases=cases)
    identity = done.record.identity
    scorer = Scorer(
        notebook=identity.notebook, kernel_lock=identity.kernel_lock, braggbook=identity.braggbook, run=done.record.id
    )
    return Scored(scorer, done.folder, tables, overall)


def plan_scoring(challenge: Challenge, datasets: Mapping[str, Dataset], *, settings: Settings) -> RunPlan:
    """Plans the scoring run; see :func:`score`."""
    notebook = challenge.scorer
    kernel = find_kernel(notebook.front.braggbook.kernel, project=settings.project)
    require_locked(kernel, project=settings.project)
    named = tuple(_laid_out(reference, datasets, notebook) for reference in notebook.front.braggbook.datasets)
    environment = choose_environment(kernel, cache=settings.cache)
    return RunPlan(notebook, notebook.parameters.resolve({}), named, kernel, environment, build_wheel(), seed=0)


def _laid_out(reference: str, datasets: Mapping[str, Dataset], notebook: Notebook) -> tuple[Dataset, dict[str, Path]]:
    dataset = datasets.get(reference.partition("@")[0])
    if dataset is None:
        wanted = ", ".join(f"{slug}@1" for slug in datasets)
        raise InputError("the scoring notebook asks for more", where=notebook.path.name, wanted=wanted, got=reference)
    return dataset, {file.path: dataset.folder / file.path for file in dataset.card.files}


def read_scores(
    metrics: tuple[Metric, ...], results: Mapping[str, Result], *, cases: list[str]
) -> tuple[dict[str, dict[str, float | None]], dict[str, float]]:
    """Reads what a scoring notebook declared.

    Args:
        metrics: Of the design.
        results: Of the run.
        cases: Exactly these must have a row.

    Returns:
        metric -> case -> score, and the scores of all cases together.

    Raises:
        RunError: A score is missing, is none, has another unit or lies outside of the design's bounds.
    """
    issues: list[Issue] = []
    rows = _rows(results.get(SCORES), cases, issues) if any(metric.scope == "case" for metric in metrics) else {}
    tables: dict[str, dict[str, float | None]] = {}
    overall: dict[str, float] = {}
    for metric in metrics:
        if metric.scope == "case":
            tables[metric.id] = _column(metric, results.get(SCORES), rows, issues)
        elif (number := _number(metric, results.get(metric.id), issues)) is not None:
            overall[metric.id] = number
    if issues:
        raise RunError("the scoring notebook did not give the scores of the design", issues=issues)
    return tables, overall


def _rows(table: Result | None, cases: list[str], issues: list[Issue]) -> dict[str, int]:
    """Returns which row each case has."""
    if not isinstance(table, TableResult):
        issues.append(Issue("no table of scores", SCORES, f'bb.result("{SCORES}", table)'))
        return {}
    column = next((one for one in table.columns if one.name == "case"), None)
    names = [] if column is None else [str(value) for value in column.values]
    if sorted(names) != cases:
        odd = sorted(set(names) ^ set(cases)) or sorted({name for name in names if names.count(name) > 1})
        issues.append(Issue("not one row for each case", f"{SCORES}.case", f"{len(cases)} cases", ", ".join(odd[:10])))
    return {name: row for row, name in enumerate(names)}


def _column(
    metric: Metric, table: Result | None, rows: Mapping[str, int], issues: list[Issue]
) -> dict[str, float | None]:
    columns = table.columns if isinstance(table, TableResult) else []
    column = next((one for one in columns if one.name == metric.id), None)
    if column is None:
        issues.append(Issue("a metric without a column", f"{SCORES}.{metric.id}"))
        return {}
    if (column.unit or "1") != metric.unit:
        issues.append(Issue("another unit", f"{SCORES}.{metric.id}", metric.unit, column.unit or "none"))
    found: dict[str, float | None] = {}
    for case, row in rows.items():
        value = column.values[row]
        found[case] = None if value is None else _within(metric, value, f"{SCORES}.{metric.id}, {case}", issues)
    return found


def _number(metric: Metric, result: Result | None, issues: list[Issue]) -> float | None:
    if not isinstance(result, ScalarResult):
        issues.append(Issue("a metric without a result", metric.id, f'bb.result("{metric.id}", ...)'))
        return None
    if result.unit != metric.unit:
        issues.append(Issue("another unit", metric.id, metric.unit, result.unit))
    return _within(metric, result.value, metric.id, issues)


def _within(metric: Metric, value: object, where: str, issues: list[Issue]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        issues.append(Issue("not a number", where, got=repr(value)))
        return metric.worst
    if not metric.minimum <= value <= metric.maximum:
        wanted = f"{metric.minimum:g} to {metric.maximum:g}, as the design says"
        issues.append(Issue("a score out of its bounds", where, wanted, f"{value:g}"))
    return float(value)


def as_platform(error: BraggbookError) -> str:
    """Returns what a participant is told of an organiser's own failure: nothing of what it was about."""
    return f"the evaluation failed, and not through your fault ({type(error).__name__}); nothing is charged"
