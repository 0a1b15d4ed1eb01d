"""From a submission to a score, or to the reason why there is none; a signed receipt comes of it either way.

Three processes that know nothing of one another: the participant's notebook behind the sandbox's walls, where only the
inputs are; this one, which reads what came out; and the scoring notebook's kernel, where the truth is.
"""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from braggbook.challenges.airlock import check_predictions
from braggbook.challenges.airlock.names import is_wanted
from braggbook.challenges.cases import cases_of
from braggbook.challenges.design import ESTIMATE, INPUTS, TRUTH, Challenge
from braggbook.challenges.parts import part_of, show
from braggbook.challenges.scoring import Scored, as_platform, score
from braggbook.challenges.signing import sign
from braggbook.challenges.submissions import RECEIVED, counts, left
from braggbook.challenges.vault import Vault, require_id
from braggbook.datasets.catalogue import Dataset, find_dataset, open_dataset
from braggbook.errors import BraggbookError, Interrupted
from braggbook.files import write_json, write_text
from braggbook.formats.challenge import Phase, Split, SubmissionKind, SubmissionRules
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.run import Engine
from braggbook.formats.submission import (
    EVALUATION_NAME,
    FAULT_OF_PARTICIPANT,
    RECEIPT_NAME,
    Evaluation,
    Problem,
    Receipt,
    Submission,
    Used,
    Verdict,
)
from braggbook.kernels.catalogue import find_kernel
from braggbook.notebooks.source import Notebook, read_notebook
from braggbook.progress import Progress
from braggbook.runs.folder import scratch
from braggbook.runs.sandbox.run import Outcome as SandboxOutcome
from braggbook.runs.sandbox.run import run_untrusted
from braggbook.runs.sandbox.walls import Limits
from braggbook.settings import Settings

ERROR = "error.txt"  # in an evaluation's folder: what went wrong in the organiser's part; never handed on
_LINES_AROUND = 2  # of the participant's own notebook, shown with a failure
_LONGEST_LINE = 160
Clock = Callable[[], datetime.datetime]


@dataclass(frozen=True)
class Cases:
    """What a submission is evaluated on.

    Attributes:
        inputs, truth: Datasets of the same cases.
        canaries: Texts of the inputs that must not come out.
        split: Which cases these are.
        version: Of their truth.
        sealed: The salted hash of the truth, as it was sealed.
    """

    inputs: Dataset
    truth: Dataset
    canaries: tuple[str, ...] = ()
    split: Split | Literal["twin"] = "twin"
    version: int = 1
    sealed: str | None = None


@dataclass(frozen=True)
class Bench:
    """Where an evaluation works, and with what.

    Attributes:
        work: An empty folder; ``work/estimate`` is where the checked predictions are afterwards.
        runs: Where the scoring run goes.
        settings: Limits and places.
        logs: Where a notebook's full logs go: on public cases only.
        progress: Told of what takes time.
        engine: Of the scoring run, which is the organiser's own; a participant's notebook always has a cold kernel.
    """

    work: Path
    runs: Path
    settings: Settings
    logs: Path | None = None
    progress: Progress | None = None
    engine: Engine = "kernel"


@dataclass
class Outcome:
    """What came of evaluating a submission.

    Attributes:
        verdict: How it ended.
        problem: Why there is no score.
        estimate: The checked predictions, as a dataset.
        scored: What the scoring notebook said.
        error: What went wrong in the organiser's part; for the organiser alone.
    """

    verdict: Verdict
    problem: Problem | None = None
    used: Used = field(default_factory=Used)
    walls: list[str] = field(default_factory=list)
    estimate: Dataset | None = None
    scored: Scored | None = None
    error: BraggbookError | None = None


def twin_cases(challenge: Challenge) -> Cases:
    """Returns the public cases, on which anybody can try a submission."""
    return Cases(challenge.twin(INPUTS), challenge.twin(TRUTH))


def hidden_cases(challenge: Challenge, vault: Vault, phase: Phase) -> Cases:
    """Returns the hidden cases of a phase, in the newest version of their truth.

    Raises:
        InputError: They were never opened, or are not in this vault.
    """
    seal = challenge.opened(phase.split).latest(phase.split)
    assert seal is not None
    hidden = vault.hidden(phase.split, seal.version)
    canaries = (hidden.canary,) if phase.inputs == "hidden" else ()
    return Cases(hidden.inputs, hidden.truth, canaries, phase.split, seal.version, seal.truth)


def evaluate(challenge: Challenge, received: Path, *, kind: SubmissionKind, cases: Cases, bench: Bench) -> Outcome:
    """Evaluates what was received, on some cases.

    Args:
        challenge: By whose design and scoring notebook.
        received: The folder of what came, as the airlock has let it in.
        kind: Predictions, or a notebook that makes them.
        cases: Hidden ones, or the twin's.
        bench: Where and with what.

    Returns:
        How it ended. What a participant does wrong is no exception here, nor is what goes wrong in a scoring notebook.
    """
    outcome = predict(challenge, received, kind=kind, cases=cases, bench=bench)
    score_checked(challenge, outcome, cases=cases, bench=bench)
    return outcome


def predict(challenge: Challenge, received: Path, *, kind: SubmissionKind, cases: Cases, bench: Bench) -> Outcome:
    """Does all of :func:`evaluate` but the scoring: afterwards there are checked predictions, or the reason why not."""
    outcome, predictions = Outcome("scored"), received
    with _own_faults(outcome, cases):
        if kind == "notebook":
            predictions = bench.work / "collected"
            predictions.mkdir()
            ended, problem = _execute(challenge, received, cases, predictions, bench)
            outcome.verdict = "scored" if ended.verdict == "complete" else ended.verdict
            outcome.problem = problem
            _drop_others(predictions, challenge.design.submission)
            outcome.used, outcome.walls = _used(ended, hidden=bool(cases.canaries)), list(ended.layers)
        if outcome.verdict == "scored":
            _check(challenge, predictions, cases, bench.work, outcome)
    return outcome


def score_checked(challenge: Challenge, outcome: Outcome, *, cases: Cases, bench: Bench) -> None:
    """Scores the checked predictions of an outcome, if there are any, and puts into it what came of that."""
    if outcome.estimate is None:
        return
    with _own_faults(outcome, cases):
        datasets = {INPUTS: cases.inputs, TRUTH: cases.truth, ESTIMATE: outcome.estimate}
        outcome.scored = score(
            challenge, datasets, runs=bench.runs, settings=bench.settings, progress=bench.progress, engine=bench.engine
        )


def evaluate_again(challenge: Challenge, estimate: Path, *, cases: Cases, bench: Bench) -> Outcome:
    """Scores predictions that were checked before; see :func:`evaluate`."""
    shutil.copytree(estimate, bench.work / ESTIMATE)
    outcome = Outcome("scored", estimate=open_dataset(bench.work / ESTIMATE))
    score_checked(challenge, outcome, cases=cases, bench=bench)
    return outcome


@contextmanager
def _own_faults(outcome: Outcome, cases: Cases) -> Iterator[None]:
    """Lets what goes wrong in the organiser's part be an outcome, of which a participant hears nothing more."""
    try:
        yield
    except Interrupted:
        raise
    except BraggbookError as error:
        said = str(error) if cases.split == "twin" else as_platform(error)
        outcome.verdict, outcome.problem, outcome.scored = "platform", Problem(what=said), None
        outcome.error = error


def _execute(
    challenge: Challenge, received: Path, cases: Cases, collected: Path, bench: Bench
) -> tuple[SandboxOutcome, Problem | None]:
    """Executes a participant's notebook behind the walls."""
    notebook = read_notebook(next(received.glob("*.ipynb")))
    settings, limits = bench.settings, challenge.design.limits
    ended = run_untrusted(
        notebook.path,
        datasets=_datasets(challenge, notebook, cases.inputs, settings.project),
        kernel=find_kernel(notebook.front.braggbook.kernel, project=settings.project),
        settings=settings,
        limits=Limits(
            wall_s=limits.wall_s,
            cpu_s=limits.cpu_s,
            memory_mb=limits.memory_mb,
            processes=limits.processes,
            work_mb=limits.work_mb,
            output_mb=limits.output_mb,
        ),
        collect=collected,
        logs=bench.logs,
        progress=bench.progress,
    )
    return ended, _problem(notebook, ended)


def _used(ended: SandboxOutcome, *, hidden: bool) -> Used:
    """Returns what was used; on hidden cases only roughly, since a notebook could tell by it what it saw."""
    used = dataclasses.asdict(ended.used)
    if hidden:
        used = {name: None if value is None else float(f"{value:.1g}") for name, value in used.items()}
        used["processes"] = None
    return Used(**used)


def _drop_others(collected: Path, rules: SubmissionRules) -> None:
    """Removes what a notebook wrote besides its predictions, such as figures: it is never let out, and no fault."""
    for path in [one for one in collected.rglob("*") if one.is_file()]:
        if not is_wanted(path.relative_to(collected).as_posix(), rules=rules):
            path.unlink()


def _datasets(challenge: Challenge, notebook: Notebook, inputs: Dataset, project: Path) -> dict[str, Path]:
    """Returns the folders of what a participant's notebook may see: the inputs, and public datasets that it names."""
    named = [name for name in notebook.front.braggbook.datasets if name in challenge.design.data.training]
    public = [find_dataset(name, project=project) for name in named]
    return {INPUTS: inputs.folder, **{dataset.slug: dataset.folder for dataset in public}}


_AT_THE_DOOR = "what came is not what the design asks for; nothing of it was kept"
_SAID = {
    "failed": "the notebook raised an exception",
    "timed out": "the notebook took longer than it may",
    "killed": "the notebook used more than it may, or ended its own kernel",
    "refused": "what the notebook wrote was not let out",
    "platform": "the sandbox did not start; nothing is charged",
}


def _problem(notebook: Notebook, ended: SandboxOutcome) -> Problem | None:
    if ended.verdict == "complete":
        return None
    return Problem(
        what=_SAID[ended.verdict],
        cell=ended.cell,
        line=ended.line,
        exception=ended.exception,
        source=_own_lines(notebook, ended.cell, ended.line),
        issues=[*map(str, ended.issues), *([f"next: {ended.next_command}"] if ended.next_command else [])],
    )


def _own_lines(notebook: Notebook, cell: int | None, line: int | None) -> list[str]:
    """Returns lines of the notebook that was handed in: they hold nothing that its author does not know."""
    if cell is None or line is None or not 1 <= cell <= len(notebook.code_cells):
        return []
    lines = notebook.code_cells[cell - 1].source.splitlines()
    first = max(line - 1 - _LINES_AROUND, 0)
    return [text[:_LONGEST_LINE] for text in lines[first : line + _LINES_AROUND]]


def _check(challenge: Challenge, predictions: Path, cases: Cases, work: Path, outcome: Outcome) -> None:
    """Lets predictions through the airlock."""
    rules = challenge.design.submission
    checked = check_predictions(
        predictions,
        work / ESTIMATE,
        rules=rules,
        inputs=cases.inputs,
        cases=cases_of(cases.truth, rules=rules),
        canaries=cases.canaries,
    )
    if checked.issues:
        outcome.verdict = "refused"
        outcome.problem = Problem(what="the predictions are not what the design asks for", issues=list(checked.issues))
        return
    outcome.estimate = open_dataset(work / ESTIMATE)


def evaluate_submission(
    challenge: Challenge,
    vault: Vault,
    submission: Submission,
    *,
    settings: Settings,
    clock: Clock,
    progress: Progress | None = None,
    engine: Engine = "kernel",
    id: str | None = None,
) -> tuple[Evaluation, Receipt]:
    """Evaluates a submission on the hidden cases of its phase, and keeps what came of it, signed.

    Predictions that a notebook made of the same inputs before are scored again, and not made again.

    There is never a second evaluation of one id: the one that is there is returned and nothing is executed; and if
    another process was faster, its evaluation stands.

    Args:
        challenge: Which.
        vault: The organiser's.
        submission: Which.
        settings: Limits and places.
        clock: Says when it was evaluated.
        progress: Told of what takes time.
        engine: Of the scoring run.
        id: Of the evaluation, 16 hexadecimal digits [default: :meth:`Vault.next_evaluation`].

    Returns:
        The evaluation, and the receipt for the team.

    Raises:
        InputError: The challenge was not opened, its hidden cases are not here, or the id is none.
        StorageError: The disk refuses; nothing is left then.
    """
    id = vault.next_evaluation(submission.id) if id is None else require_id(id, what="an evaluation")
    if (known := _made(vault, submission, id)) is not None:
        return known
    phase = challenge.phase(submission.phase)
    cases = hidden_cases(challenge, vault, phase)
    target = vault.evaluation_folder(submission.id, id)
    with part_of(target, alone=vault.alone()) as part:
        bench = Bench(part, vault.runs, settings, progress=progress, engine=engine)
        outcome = _outcome(challenge, vault, submission, cases=cases, bench=bench)
        evaluation = _evaluation(challenge, vault, submission, cases, outcome, id=id, now=clock())
        write_json(part / EVALUATION_NAME, evaluation.model_dump(mode="json"))
        shutil.rmtree(part / "collected", ignore_errors=True)
        receipt = _receipt(challenge, vault, submission, evaluation, phase)
        write_json(part / RECEIPT_NAME, receipt.model_dump(mode="json"))
        shown = show(part, target, card=EVALUATION_NAME)
    first = None if shown else _made(vault, submission, id)
    return first or (evaluation, receipt)


def _made(vault: Vault, submission: Submission, id: str) -> tuple[Evaluation, Receipt] | None:
    """Returns an evaluation that is there already, with its receipt."""
    made = vault.evaluation(submission.id, id)
    return None if made is None else (made, vault.receipt(made))


def _outcome(challenge: Challenge, vault: Vault, submission: Submission, *, cases: Cases, bench: Bench) -> Outcome:
    """Evaluates a submission in the work folder of a bench, with what the organiser and the team want to know."""
    received = vault.submission_folder(submission.id) / RECEIVED
    if submission.refused:
        return Outcome("refused", Problem(what=_AT_THE_DOOR, issues=submission.refused))
    if (known := _known_estimate(vault, submission, cases)) is not None:
        outcome = evaluate_again(challenge, known[1], cases=cases, bench=bench)
        outcome.used, outcome.walls = known[0].used, known[0].walls
    else:
        outcome = evaluate(challenge, received, kind=submission.kind, cases=cases, bench=bench)
    if outcome.verdict in FAULT_OF_PARTICIPANT and submission.kind == "notebook":
        _replay(challenge, received, bench.work, bench.settings)
    if outcome.error is not None:
        write_text(bench.work / ERROR, f"{outcome.error}\n")
    return outcome


def _known_estimate(vault: Vault, submission: Submission, cases: Cases) -> tuple[Evaluation, Path] | None:
    """Returns the predictions that a notebook made of these very inputs, and the evaluation that it was in."""
    if submission.kind != "notebook":
        return None
    for made in reversed(vault.evaluations(submission.id)):
        folder = vault.evaluation_folder(submission.id, made.id)
        same = made.split == cases.split and _inputs_of(vault, made) == cases.inputs.digest
        if made.predictions and same and (folder / ESTIMATE / CARD_NAME).is_file():
            return made, folder / ESTIMATE
    return None


def _inputs_of(vault: Vault, made: Evaluation) -> str:
    return "" if made.split == "twin" else vault.hidden(made.split, made.truth_version).inputs.digest


def _replay(challenge: Challenge, received: Path, part: Path, settings: Settings) -> None:
    """Does the same on public cases, where all that it says may be seen."""
    with scratch() as work:
        (part / "replay").mkdir()
        bench = Bench(work, work / "runs", settings, logs=part / "replay")
        predict(challenge, received, kind="notebook", cases=twin_cases(challenge), bench=bench)


def _evaluation(
    challenge: Challenge,
    vault: Vault,
    submission: Submission,
    cases: Cases,
    outcome: Outcome,
    *,
    id: str,
    now: datetime.datetime,
) -> Evaluation:
    scored = outcome.scored
    made = Evaluation(
        id=id,
        submission=submission.id,
        challenge=challenge.slug,
        design=challenge.digest,
        phase=submission.phase,
        split=cases.split,
        truth_version=cases.version,
        sealed=cases.sealed,
        team=submission.team,
        title=submission.title,
        kind=submission.kind,
        received=submission.received,
        evaluated=now.isoformat(timespec="microseconds"),
        verdict=outcome.verdict,
        charged=_charged(submission, outcome.verdict),
        problem=outcome.problem,
        used=outcome.used,
        walls=outcome.walls,
        predictions=outcome.estimate.digest if outcome.estimate else None,
        scorer=scored.scorer if scored else None,
        cases=scored.cases if scored else {},
        overall=scored.overall if scored else {},
    )
    return made.signed(sign(vault.key, made.message))


def _charged(submission: Submission, verdict: Verdict) -> bool:
    """A score counts, and so does the fault of a participant's code; a file that is refused gave nothing away."""
    executed = submission.kind == "notebook" and not submission.refused
    return verdict == "scored" or (executed and verdict in FAULT_OF_PARTICIPANT)


def _receipt(challenge: Challenge, vault: Vault, submission: Submission, made: Evaluation, phase: Phase) -> Receipt:
    shows = phase.shows
    scored = made.verdict == "scored"
    counted = counts([*vault.evaluations(submission.id), made])
    receipt = Receipt(
        submission=submission.id,
        evaluation=made.id,
        challenge=challenge.slug,
        phase=phase.id,
        team=submission.team,
        received=made.received,
        evaluated=made.evaluated,
        verdict=made.verdict,
        charged=made.charged,
        problem=made.problem,
        used=made.used,
        files=submission.files,
        predictions=made.predictions,
        scorer=made.scorer,
        sealed=made.sealed,
        scores=means_of(made.cases, made.overall) if scored and shows.score != "organiser" else None,
        cases=made.cases if scored and shows.cases != "organiser" else None,
        left=left(vault, phase=phase, team=submission.team, now=_when(made), told={submission.id: counted}),
        next=_next(challenge, made),
    )
    return receipt.signed(sign(vault.key, receipt.message))


def _when(made: Evaluation) -> datetime.datetime:
    return datetime.datetime.fromisoformat(made.evaluated)


def means_of(cases: Mapping[str, Mapping[str, float | None]], overall: Mapping[str, float]) -> dict[str, float]:
    """Returns the mean of each metric over the cases that have a score, and the scores of all cases together."""
    means = {}
    for metric, scores in cases.items():
        values = [value for value in scores.values() if value is not None]
        if values:
            means[metric] = statistics.fmean(values)
    return {**means, **overall}


def _next(challenge: Challenge, made: Evaluation) -> str:
    if made.verdict == "scored":
        return f"braggbook challenge board {challenge.slug}{challenge.option(made.phase)}"
    if made.verdict == "platform":
        return "nothing: it will be evaluated again"
    what = "NOTEBOOK" if made.kind == "notebook" else "PREDICTIONS"
    return f"braggbook challenge try {challenge.slug} {what}   (the same checks on public cases, with all logs)"
