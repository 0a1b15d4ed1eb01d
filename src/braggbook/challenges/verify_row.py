"""One row of a closed board, repeated: its scoring run, and the notebook that was handed in.

What stands on the board is bound to what is executed here by digests that the organiser signed: the evaluation names
the scoring run by its id, the id is the digest of the scoring notebook, its environment and its three datasets, and
these are looked at before anything is executed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from braggbook.challenges.cases import cases_of
from braggbook.challenges.closed_folder import ClosedChallenge, dataset_issues, named_dataset, received_issues
from braggbook.challenges.design import ESTIMATE, INPUTS, TRUTH
from braggbook.challenges.evaluate import Bench, Cases, predict, score_checked
from braggbook.challenges.scoring import SCORES, Scored, read_scores
from braggbook.challenges.signing import verify_signature
from braggbook.challenges.submissions import RECEIVED
from braggbook.challenges.vault import SUBMISSIONS
from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.fetch import fetch_file
from braggbook.errors import BraggbookError, Issue, NotVerifiable, OutsideError
from braggbook.files import sha256_file, storage
from braggbook.formats.board import Row
from braggbook.formats.run import RunRecord
from braggbook.formats.submission import Evaluation, Scorer
from braggbook.kernels.catalogue import find_kernel, read_kernel
from braggbook.notebooks.source import read_notebook
from braggbook.progress import Progress
from braggbook.records.board_plan import DESIGN
from braggbook.records.repeat import Say, fit_environment, repeat_run
from braggbook.runs.folder import read_record, read_results, scratch
from braggbook.runs.record import KERNEL_FOLDER, SOURCE_FOLDER
from braggbook.runs.verify import Verdict, Verification
from braggbook.settings import Settings

WITHHELD = "truth withheld"
WORSE: tuple[Verdict, ...] = ("identical", "within tolerance", "not verifiable", "drifted")


@dataclass
class RowVerification:
    """What came of verifying one row.

    Attributes:
        phase: On whose board it stands.
        verdict: identical, within tolerance, drifted or not verifiable.
        reason: Why, when it is not one of the first two.
        issues: What is not what the organiser signed; nothing of the row is executed then.
        scoring: The scoring run, repeated.
        predictions: The same of the predictions that the notebook makes; empty where predictions were handed in.
    """

    phase: str
    team: str
    evaluation: str
    verdict: Verdict = "identical"
    reason: str = ""
    issues: list[Issue] = field(default_factory=list)
    scoring: Verification | None = None
    predictions: str = ""

    def worsen(self, verdict: Verdict, reason: str = "") -> None:
        """Takes a verdict on a part of the row in."""
        self.verdict = max(self.verdict, verdict, key=WORSE.index)
        self.reason = "; ".join(filter(None, (self.reason, reason)))

    def as_json(self) -> dict[str, Any]:
        """Returns the verification for ``--json``."""
        return {
            "phase": self.phase,
            "team": self.team,
            "evaluation": self.evaluation,
            "verdict": self.verdict,
            "reason": self.reason,
            "issues": [issue.as_json() for issue in self.issues],
            "scoring": self.scoring.as_json() if self.scoring else None,
            "predictions": self.predictions,
        }


def verify_row(
    opened: ClosedChallenge,
    row: Row,
    *,
    phase: str,
    settings: Settings,
    progress: Progress | None = None,
    say: Say = lambda _: None,
) -> RowVerification:
    """Repeats what one row rests on.

    Args:
        opened: The closed challenge.
        row: Of one of its boards.
        phase: Of that board.
        settings: Limits and places.
        progress: Told of what takes time.
        say: Told what is about to be executed, and when an environment is made.

    Raises:
        OutsideError: The disk refuses, or a dataset that was not copied cannot be downloaded.
    """
    found = RowVerification(phase, row.team, row.evaluation)
    made = opened.evaluations.get(row.evaluation)
    if made is None or not verify_signature(opened.sealed.key, made.message, made.signature):
        found.issues = [Issue("no evaluation that the organiser signed", row.evaluation)]
    elif (made.team, made.phase, made.submission) != (row.team, phase, row.submission):
        found.issues = [Issue("the evaluation of another submission", row.evaluation, row.team, made.team)]
    elif made.scorer is None or made.predictions is None or made.split == "twin":
        found.issues = [Issue("an evaluation without a score of hidden cases", row.evaluation)]
    else:
        return _verify(opened, made, made.scorer, found, settings=settings, progress=progress, say=say)
    found.worsen("drifted", str(found.issues[0]))
    return found


def _verify(
    opened: ClosedChallenge,
    made: Evaluation,
    scorer: Scorer,
    found: RowVerification,
    *,
    settings: Settings,
    progress: Progress | None,
    say: Say,
) -> RowVerification:
    hidden, run = opened.hidden(made.split, made.truth_version), opened.run(scorer.run)
    if hidden is None or run is None:
        gone = "its hidden cases are missing" if hidden is None else "its scoring run is missing"
        found.worsen("not verifiable", WITHHELD if opened.closed.truth == "withheld" else gone)
        return found
    estimate = opened.estimate(made.id)
    found.issues = [
        *_other_design(opened, made, scorer),
        *_unbound(made, scorer, run, hidden, estimate),
        *_other_scores(opened, made, run, hidden),
    ]
    if found.issues:
        found.worsen("drifted", "; ".join(map(str, found.issues[:5])))
        return found
    try:
        say(f"{found.team} ({found.phase}): scoring again")
        with scratch() as work:
            beside = {INPUTS: hidden / INPUTS, TRUTH: hidden / TRUTH, ESTIMATE: estimate}
            found.scoring = repeat_run(
                run, settings=_with_data(run, beside, work, settings), progress=progress, say=say
            )
        found.worsen(found.scoring.verdict, f"scoring: {found.scoring.reason}" if found.scoring.reason else "")
        if made.kind == "notebook":
            say(f"{found.team} ({found.phase}): its notebook again, in the sandbox")
            _predict_again(opened, made, hidden, found, settings=settings, progress=progress, say=say)
    except OutsideError:
        raise
    except BraggbookError as error:
        found.worsen("not verifiable", str(error))
    return found


def _other_design(opened: ClosedChallenge, made: Evaluation, scorer: Scorer) -> list[Issue]:
    """Returns what of the design is not what the evaluation was made by."""
    challenge = opened.challenge
    try:
        parts = {
            "design": (made.design, challenge.digest),
            "scoring notebook of the design": (scorer.notebook, challenge.scorer.identity),
        }
    except BraggbookError as error:
        return [Issue(error.what, DESIGN, got=error.got)]
    return [
        Issue(f"another {name}", DESIGN, f"{wanted[:12]}…", f"{got[:12]}…")
        for name, (wanted, got) in parts.items()
        if wanted != got
    ]


def _unbound(made: Evaluation, scorer: Scorer, run: Path, hidden: Path, estimate: Path) -> list[Issue]:
    """Returns what of a scoring run is not what the evaluation names."""
    try:
        record = read_record(run)
    except BraggbookError as error:
        return [Issue(error.what, f"runs/{run.name}", got=error.got)]
    identity, issues = record.identity, _other_parts(run, record)
    for what, wanted, got in (
        ("another run", scorer.run, identity.run_id),
        ("a run under another's id", scorer.run, record.id),
        ("another scoring notebook", scorer.notebook, identity.notebook),
        ("another environment", scorer.kernel_lock, identity.kernel_lock),
        ("another Braggbook", scorer.braggbook, identity.braggbook),
        ("other predictions", made.predictions, identity.datasets.get(f"{ESTIMATE}@1", made.predictions)),
    ):
        if wanted != got:
            issues.append(Issue(what, f"runs/{run.name}", f"{str(wanted)[:12]}…", f"{str(got)[:12]}…"))
    for slug, folder in ((INPUTS, hidden / INPUTS), (TRUTH, hidden / TRUTH), (ESTIMATE, estimate)):
        where = f"evaluations/{made.id}/{slug}" if slug == ESTIMATE else f"hidden/{hidden.name}/{slug}"
        issues += dataset_issues(folder, slug, wanted=identity.datasets.get(f"{slug}@1"), where=where)
    return issues


def _other_parts(run: Path, record: RunRecord) -> list[Issue]:
    """Returns which parts of a run are not those that its id is the digest of."""
    identity = record.identity
    try:
        parts = {
            "notebook": (identity.notebook, read_notebook(run / SOURCE_FOLDER / f"{record.notebook}.ipynb").identity),
            "lock": (identity.kernel_lock, read_kernel(run / KERNEL_FOLDER).lock_sha256),
            "wheel": (identity.braggbook, sha256_file(run / record.braggbook.wheel)),
            "seed": (str(identity.seed), str(record.determinism.seed)),
        }
        for reference, wanted in identity.datasets.items():
            slug = reference.partition("@")[0]
            parts[f"dataset {reference}"] = (wanted, named_dataset(run / DATASETS / slug, slug).digest)
    except BraggbookError as error:
        return [Issue(error.what, f"runs/{run.name}", got=error.got)]
    except OSError as error:
        return [Issue("unreadable", f"runs/{run.name}", got=error.strerror or "")]
    return [
        Issue(f"not the {name} of its id", f"runs/{run.name}", f"{wanted[:12]}…", f"{got[:12]}…")
        for name, (wanted, got) in parts.items()
        if wanted != got
    ]


def _other_scores(opened: ClosedChallenge, made: Evaluation, run: Path, hidden: Path) -> list[Issue]:
    """Returns in what a run's scores differ from those that were signed."""
    where, design = f"runs/{run.name}", opened.challenge.design
    try:
        cases = cases_of(named_dataset(hidden / TRUTH, TRUTH), rules=design.submission)
        by_case, overall = read_scores(design.metrics, read_results(run).results, cases=cases)
    except BraggbookError as error:
        return list(error.issues) or [Issue(error.what, where, error.wanted, error.got)]
    issues = [
        Issue("another score than the evaluation's", f"{where} {name}, {case}", f"{score}", f"{got}")
        for name, scores in made.cases.items()
        for case, score in scores.items()
        if (got := by_case.get(name, {}).get(case)) != score
    ]
    if by_case.keys() != made.cases.keys() or overall != made.overall:
        issues.append(Issue("other scores of all cases than the evaluation's", where, f"{made.overall}", f"{overall}"))
    return issues


def _with_data(run: Path, datasets: dict[str, Path], work: Path, settings: Settings) -> Settings:
    """Returns settings by which a run finds what was too large to lie in it: that lies once, beside all runs."""
    lacking = [(one.reference.partition("@")[0], name) for one in read_record(run).datasets for name in one.not_copied]
    if not lacking:
        return settings
    for slug, name in lacking:
        dataset = named_dataset(run / DATASETS / slug, slug)
        file = dataset.file(name)
        path = datasets[slug] / name if slug in datasets else None
        path = path or fetch_file(dataset, file, cache=settings.cache, mirror=settings.data_mirror)
        with storage(work):
            (work / file.sha256).unlink(missing_ok=True)
            (work / file.sha256).symlink_to(path.resolve())
    return dataclasses.replace(settings, data_mirror=work)


def _predict_again(
    opened: ClosedChallenge,
    made: Evaluation,
    hidden: Path,
    found: RowVerification,
    *,
    settings: Settings,
    progress: Progress | None,
    say: Say,
) -> None:
    """Executes a participant's notebook as it was evaluated: in the sandbox, on the hidden inputs."""
    received = opened.folder / SUBMISSIONS / made.submission / RECEIVED
    receipt = opened.receipts.get(made.id)
    if receipt is None or not verify_signature(opened.sealed.key, receipt.message, receipt.signature):
        raise NotVerifiable("no signed receipt says what was handed in", where=made.submission)
    if issues := received_issues(received, receipt.files, where=f"{SUBMISSIONS}/{made.submission}/{RECEIVED}"):
        found.issues += issues
        found.worsen("drifted", "; ".join(map(str, issues[:5])))
        return
    inside = dataclasses.replace(settings, project=opened.folder / DESIGN)  # kernels and public datasets lie there
    kernel = read_notebook(next(received.glob("*.ipynb"))).front.braggbook.kernel
    fit_environment(find_kernel(kernel, project=inside.project), settings=settings, say=say)
    cases = Cases(named_dataset(hidden / INPUTS, INPUTS), named_dataset(hidden / TRUTH, TRUTH))
    with scratch() as work:
        bench = Bench(work, work / "runs", inside, progress=progress)
        outcome = predict(opened.challenge, received, kind="notebook", cases=cases, bench=bench)
        if outcome.estimate is not None and outcome.estimate.digest != made.predictions:
            score_checked(opened.challenge, outcome, cases=cases, bench=bench)
    if outcome.error is not None:
        raise outcome.error
    if outcome.estimate is None:
        what = outcome.problem.what if outcome.problem else outcome.verdict
        raise NotVerifiable("the notebook gave no predictions when it was executed again", got=what)
    if outcome.scored is None:
        found.predictions = "identical"
        return
    apart = _apart(opened, _scores(made), _scores(outcome.scored))
    found.predictions = "drifted" if apart else "within tolerance"
    found.worsen(*(("drifted", apart) if apart else ("within tolerance", "")))


def _scores(said: Evaluation | Scored) -> dict[tuple[str, str], float | None]:
    """Returns all scores by metric and case; those of all cases together without a case."""
    found = {(metric, case): score for metric, scores in said.cases.items() for case, score in scores.items()}
    return {**found, **{(metric, ""): score for metric, score in said.overall.items()}}


def _apart(
    opened: ClosedChallenge, wanted: dict[tuple[str, str], float | None], got: dict[tuple[str, str], float | None]
) -> str:
    """Returns the first score that differs by more than the scoring notebook's tolerance; nothing if none does."""
    specs = opened.challenge.scorer.front.braggbook.results
    for (metric, case), score in wanted.items():
        spec, other = specs[SCORES if case else metric], got.get((metric, case))
        if score is None or other is None:
            same = score == other
        else:
            same = abs(other - score) <= spec.atol + spec.rtol * abs(score)
        if not same:
            return f"predictions made again score otherwise: {metric} {case}: {score} against {other}"
    return ""
