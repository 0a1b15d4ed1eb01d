"""What can be known of a challenge without running anything of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from braggbook.challenges.airlock import Checked, check_predictions, receive_submission
from braggbook.challenges.cases import cases_of
from braggbook.challenges.design import BASELINE, ESTIMATE, EXAMPLE, INPUTS, SCORER, TRUTH, Challenge
from braggbook.challenges.scoring import SCORES
from braggbook.challenges.submissions import allowed_datasets
from braggbook.datasets.catalogue import TWIN, find_dataset
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import BraggbookError, InputError, Issue
from braggbook.files import storage
from braggbook.formats.challenge import Metric
from braggbook.formats.notebook import FrontMatter
from braggbook.kernels.catalogue import find_kernel
from braggbook.metrics.definitions import OF_DATA, OF_DATA_SQUARED, Definition, EmptyPolicy, definition
from braggbook.notebooks.check import check_notebook
from braggbook.notebooks.source import read_notebook

_SECRETS = ("key.pem", "salt", "canary")


def check_challenge(challenge: Challenge, *, project: Path) -> list[Issue]:
    """Returns every finding: design, metrics, notebooks, twin, example submission, and what must not lie there.

    Args:
        challenge: Which.
        project: Where its kernels and public datasets are.
    """
    checks: tuple[Callable[[], Iterator[Issue]], ...] = (
        lambda: _metrics(challenge),
        lambda: _training(challenge, project),
        lambda: _notebooks(challenge, project),
        lambda: _twin(challenge),
        lambda: _example(challenge),
        lambda: _secrets(challenge),
        lambda: _seal(challenge),
    )
    issues: list[Issue] = []
    for check in checks:
        try:
            issues += check()
        except BraggbookError as error:
            issues += error.issues or [Issue(error.what, error.where, error.wanted, error.got)]
    return issues


def _metrics(challenge: Challenge) -> Iterator[Issue]:
    for metric in challenge.design.metrics:
        where = f"metrics {metric.id}"
        try:
            known = definition(metric.definition)
        except BraggbookError as error:
            yield Issue(error.what, where, error.wanted)
            continue
        chosen = known.issues(metric.options, empty=_policy(metric))
        for issue in chosen:
            yield Issue(issue.what, f"{where}: {issue.where}", issue.wanted, issue.got)
        yield from _contradictions(metric, known, _unit(challenge, metric, known), where)
        if metric.better == known.better == "target" and not chosen:
            perfect = known.perfect_for(metric.options)
            if metric.target != perfect:
                yield Issue("another target", where, f"{perfect:g}", f"{metric.target:g}")
        if metric.empty is None and known.kind == "masks":
            yield Issue("no policy for empty masks", where, "empty = {both = ..., only_reference = ..., ...}")
    yield from _several(challenge)


def _policy(metric: Metric) -> EmptyPolicy | None:
    return None if metric.empty is None else EmptyPolicy(**metric.empty.model_dump())


def _unit(challenge: Challenge, metric: Metric, known: Definition) -> str:
    """Returns the unit that scores must have; where it is that of the data, that of the column that is judged."""
    column = challenge.design.submission.columns.get(metric.of or "")
    return column.unit if column is not None and known.unit == OF_DATA else known.unit


def _contradictions(metric: Metric, known: Definition, unit: str, where: str) -> Iterator[Issue]:
    """Compares what the design says of a metric with what its definition says."""
    if metric.better != known.better:
        yield Issue("the other direction", where, known.better, metric.better)
    if metric.scope != known.scope:
        yield Issue("another scope", where, known.scope, metric.scope)
    if unit not in (OF_DATA, OF_DATA_SQUARED, metric.unit):
        yield Issue("another unit", where, unit, metric.unit)
    least, most = known.bounds
    if least is not None and metric.minimum < least:
        yield Issue("a minimum that the metric cannot have", where, f"{least:g}", f"{metric.minimum:g}")
    if most is not None and metric.maximum > most:
        yield Issue("a maximum that the metric cannot have", where, f"{most:g}", f"{metric.maximum:g}")


def _several(challenge: Challenge) -> Iterator[Issue]:
    design = challenge.design
    ranked = [metric for metric in design.metrics if metric.ranked]
    if design.ranking.method == "test_then_rank" and any(metric.scope == "all" for metric in ranked):
        yield Issue("a test by cases of a number of all cases", "ranking.method", "metrics of scope case")
    last: dict[str, object] = {}
    for phase in design.phases:
        if (before := last.get(phase.split)) is not None and before != phase.inputs:
            yield Issue("one split, released in one phase and hidden in another", f"phases {phase.id}")
        last[phase.split] = phase.inputs


def _training(challenge: Challenge, project: Path) -> Iterator[Issue]:
    for reference in challenge.design.data.training:
        try:
            find_dataset(reference, project=project)
        except BraggbookError as error:
            yield Issue(error.what, f"data.training {reference}", error.wanted, error.got)


def _notebooks(challenge: Challenge, project: Path) -> Iterator[Issue]:
    allowed = {BASELINE: allowed_datasets(challenge), SCORER: (f"{INPUTS}@1", f"{TRUTH}@1", f"{ESTIMATE}@1")}
    for name, datasets in allowed.items():
        try:
            front = read_notebook(challenge.folder / name).front
            language = find_kernel(front.braggbook.kernel, project=project).card.language
        except BraggbookError as error:
            yield from error.issues or [Issue(error.what, name, error.wanted, error.got)]
            continue
        for issue in check_notebook(challenge.folder / name, language=language):
            yield Issue(issue.what, f"{name}: {issue.where}", issue.wanted, issue.got)
        for reference in front.braggbook.datasets:
            if reference not in datasets:
                yield Issue("a dataset that it may not use", f"{name}: {reference}", ", ".join(datasets))
        if name == SCORER:
            yield from _promises(challenge.design.metrics, front)


def _promises(metrics: Sequence[Metric], front: FrontMatter) -> Iterator[Issue]:
    declared = front.braggbook.results
    if any(metric.scope == "case" for metric in metrics) and (
        SCORES not in declared or declared[SCORES].kind != "table"
    ):
        yield Issue("no table of scores", f"{SCORER}: results", f"{SCORES}: {{kind: table}}")
    for metric in metrics:
        spec, promise = declared.get(metric.id), f"{metric.id}: {{unit: {metric.unit}}}"
        if metric.scope == "all" and spec is None:
            yield Issue("a metric without a result", f"{SCORER}: results", promise)
        elif metric.scope == "all" and spec is not None and spec.unit != metric.unit:
            yield Issue("another unit", f"{SCORER}: results", promise, spec.unit or "none")


def _twin(challenge: Challenge) -> Iterator[Issue]:
    rules = challenge.design.submission
    with tempfile.TemporaryDirectory() as cache:
        for name in (INPUTS, TRUTH, ESTIMATE):
            for issue in verify_dataset(challenge.twin(name), cache=Path(cache), download=False):
                yield Issue(issue.what, f"twin/{name}: {issue.where}", issue.wanted, issue.got)
    inputs, truth = (cases_of(challenge.twin(name), rules=rules) for name in (INPUTS, TRUTH))
    if inputs != truth:
        odd = sorted(set(inputs) ^ set(truth))
        yield Issue("cases of the inputs that are not those of the truth", "twin", got=", ".join(odd[:10]))


def _example(challenge: Challenge) -> Iterator[Issue]:
    """The example must be let in, and be the estimate that the scoring notebook is tried with."""
    with tempfile.TemporaryDirectory() as place:
        checked = _checked_example(challenge, Path(place))
        for issue in checked.issues:
            yield Issue("the example would be refused", EXAMPLE, got=issue)
        if not checked.issues and checked.digest != challenge.twin(ESTIMATE).digest:
            wanted = f"braggbook challenge check {challenge.slug} --mend"
            yield Issue("the twin's estimate is not the example", f"twin/{ESTIMATE}", wanted)


def _checked_example(challenge: Challenge, place: Path) -> Checked:
    """Lets the example submission through the airlock; its estimate is then in ``place``."""
    rules = challenge.design.submission
    received = place / "received"
    received.mkdir()
    receive_submission(challenge.folder / EXAMPLE, received, rules=rules, kinds=("predictions",))
    cases = cases_of(challenge.twin(TRUTH), rules=rules)
    inputs = challenge.twin(INPUTS)
    return check_predictions(received, place / ESTIMATE, rules=rules, inputs=inputs, cases=cases, canaries=())


def write_estimate(challenge: Challenge) -> None:
    """Makes the twin's estimate anew from the example submission.

    Raises:
        InputError: The example would be refused.
    """
    target = challenge.folder / TWIN / ESTIMATE
    with tempfile.TemporaryDirectory() as place:
        checked = _checked_example(challenge, Path(place))
        if checked.issues:
            issues = [Issue(issue, EXAMPLE) for issue in checked.issues]
            raise InputError("the example would be refused", where=challenge.slug, issues=issues)
        with storage(target):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(place) / ESTIMATE, target)


def _secrets(challenge: Challenge) -> Iterator[Issue]:
    for path in sorted(challenge.folder.rglob("*")):
        if path.name in _SECRETS:
            yield Issue("a secret in the project", path.relative_to(challenge.folder).as_posix(), "it in the vault")


def _seal(challenge: Challenge) -> Iterator[Issue]:
    sealed = challenge.sealed
    if sealed is not None and sealed.challenge != challenge.slug:
        yield Issue("the seal of another challenge", "sealed.json", challenge.slug, sealed.challenge)
