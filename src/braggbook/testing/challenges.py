"""A whole closed challenge made by code: three teams, two phases, every signature and digest real.

Nothing is executed unless it is asked for: the scores are computed here as the scoring notebook would, and put into run
folders that are like real ones but for a stand-in for Braggbook's wheel.
"""

from __future__ import annotations

import datetime
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import tomlkit

from braggbook.challenges.airlock import check_predictions
from braggbook.challenges.cases import cases_of
from braggbook.challenges.closing import close
from braggbook.challenges.design import ESTIMATE, INPUTS, TRUTH, Challenge, open_challenge
from braggbook.challenges.evaluate import Clock, evaluate_submission, means_of
from braggbook.challenges.scoring import SCORES, Scored, plan_scoring
from braggbook.challenges.sealing import commitment, open_split
from braggbook.challenges.signing import sign
from braggbook.challenges.submissions import submit
from braggbook.challenges.vault import Hidden, Vault, open_vault
from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import TWIN, Dataset, open_dataset
from braggbook.files import sha256_bytes, sha256_file, write_bytes, write_json, write_text
from braggbook.formats.board import CLOSED_NAME, Closed
from braggbook.formats.challenge import Split
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, write_card
from braggbook.formats.result import Result, ScalarResult, TableColumn, TableResult
from braggbook.formats.run import Engine, FileRecord
from braggbook.formats.submission import EVALUATION_NAME, RECEIPT_NAME, Evaluation, Receipt, Scorer, Submission
from braggbook.progress import Progress
from braggbook.runs.execute import WRITTEN, Execution
from braggbook.runs.plan import RunPlan
from braggbook.runs.record import write_run
from braggbook.runs.scrub import Scrubber
from braggbook.runs.wheel import Wheel
from braggbook.settings import Settings
from braggbook.testing.experiments import make_project, write_experiment

SLUG = "tiny_dose"
ANNA, BEN, NET, LATE = "Anna", "Ben & Co.", "Net", "Late"  # the last hands in what is refused
_CASES = 12
_NOON = datetime.timezone(datetime.timedelta(hours=1))
_OPENS, _CLOSES = datetime.datetime(2027, 1, 1, tzinfo=_NOON), datetime.datetime(2027, 2, 1, tzinfo=_NOON)
_IN_TIME, _AFTER = _OPENS + datetime.timedelta(days=3), _CLOSES + datetime.timedelta(days=1)
_BIAS = {ANNA: 0.05, BEN: 0.2, NET: -0.1}  # Gy; by how much a team's doses are off, besides what changes by case
_SCORER = """
import braggbook as bb

truth = bb.load("truth@1").set_index("case").dose_gy
said = bb.load("estimate@1").set_index("case").dose_gy
error = (said - truth).abs().rename("error").sort_index()
bb.result("scores", error.reset_index(), units={"error": "Gy"})
bb.result("mean_error", float(error.mean()), unit="Gy")
""".strip()
_BASELINE = f"""
import braggbook as bb

cells = bb.load("inputs@1").set_index("case")
dose = (cells.signal / 2 + {_BIAS[NET]}).clip(0, 10).round(6).rename("dose_gy")
dose.reset_index().to_csv("predictions.csv", index=False)
bb.result("mean_dose", float(dose.mean()), unit="Gy")
""".strip()


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        folder: The closed challenge.
        challenge: As it lies in the project.
        vault: The organiser's.
        settings: Of the organiser.
    """

    folder: Path
    challenge: Challenge
    vault: Vault
    settings: Settings


def closed_challenge(
    folder: Path,
    *,
    truth: Literal["published", "withheld"] = "published",
    teams: tuple[str, ...] = (ANNA, BEN, NET, LATE),
    execute: bool = False,
    embed_limit_mb: int = 100,
) -> Made:
    """Makes a challenge, opens it, takes submissions, scores and closes it.

    Args:
        folder: An empty folder, for the project, the vault and the rest.
        truth: What becomes of it.
        teams: Who takes part; of them Net hands in a notebook, and Late what is refused.
        execute: Run the scoring notebook (and the notebook of Net, in the sandbox), as a real evaluation does.
        embed_limit_mb: Larger files are not copied into the scoring runs; 0 is as large challenges are.
    """
    settings = replace(_settings(folder), embed_limit_mb=embed_limit_mb)
    challenge, vault = _opened(settings, folder / "prepared", _design(truth))
    bench = _Bench(challenge, vault, settings, _plan(challenge, settings))
    for phase in challenge.design.phases:
        for team in teams:
            source = _hand_in(challenge, team, phase.split, folder / "handed_in" / phase.id / team)
            sent = submit(challenge, vault, source, phase=phase, team=team, accepted=True, now=_IN_TIME)
            if execute:
                evaluate_submission(challenge, vault, sent, settings=settings, clock=lambda: _IN_TIME)
            else:
                _evaluate(bench, sent, vault.hidden(phase.split, 1))
    target = settings.runs / "boards" / SLUG
    target.parent.mkdir(parents=True)
    close(challenge, vault, target, settings=settings, now=_AFTER)
    return Made(target, challenge, vault, settings)


@dataclass(frozen=True)
class Open:
    """A challenge that takes submissions."""

    challenge: Challenge
    vault: Vault
    settings: Settings


def open_challenge_now(
    folder: Path,
    *,
    opens: datetime.datetime,
    closes: datetime.datetime,
    truth: Literal["published", "withheld"] = "published",
    phase: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    max_mb: int = 64,
) -> Open:
    """Makes a project with a challenge whose phases ``practice`` and ``last`` are open.

    Args:
        folder: An empty folder.
        opens, closes: Of both phases.
        truth: What becomes of it.
        phase: What else both phases say, such as their quota.
        limits: Of a participant's notebook.
        max_mb: Of a submission.
    """
    settings = _settings(folder)
    design = _design(truth)
    for one in design["phases"]:
        one |= {"opens": opens, "closes": closes, **(phase or {})}
    design["submission"]["max_mb"] = max_mb
    if limits:
        design["limits"] = dict(limits)
    challenge, vault = _opened(settings, folder / "prepared", design)
    return Open(challenge, vault, settings)


def hand_in(challenge: Challenge, team: str, split: Split, folder: Path) -> Path:
    """Returns what a team hands in, as a file: predictions; of Net a notebook; of Late what is refused."""
    return _hand_in(challenge, team, split, folder)


class QuickEvaluator:
    """Evaluates as :func:`evaluate_submission` does, in this process, and executes nothing."""

    def __init__(self, opened: Open) -> None:
        self._bench = _Bench(
            opened.challenge, opened.vault, opened.settings, _plan(opened.challenge, opened.settings), runs=False
        )

    def __call__(
        self,
        challenge: Challenge,
        vault: Vault,
        submission: Submission,
        *,
        settings: Settings,  # noqa: ARG002 - as the real one
        clock: Clock,  # noqa: ARG002 - the same
        progress: Progress | None = None,  # noqa: ARG002 - the same
        engine: Engine = "kernel",  # noqa: ARG002 - the same
        id: str | None = None,
    ) -> tuple[Evaluation, Receipt]:
        """Evaluates a submission under an id, once."""
        id = id or sha256_bytes(submission.id.encode())[:16]
        folder = vault.evaluation_folder(submission.id, id)
        if not folder.is_dir():
            part = folder.with_name(f".{id}.{secrets.token_hex(4)}.part")
            part.mkdir(parents=True)
            hidden = vault.hidden(challenge.phase(submission.phase).split, 1)
            _evaluate_into(part, self._bench, submission, hidden, id=id)
            with suppress(OSError):  # another one was quicker
                part.rename(folder)
            shutil.rmtree(part, ignore_errors=True)
        made = Evaluation.model_validate_json((folder / EVALUATION_NAME).read_bytes())
        return made, Receipt.model_validate_json((folder / RECEIPT_NAME).read_bytes())


def _settings(folder: Path) -> Settings:
    return Settings(
        project=make_project(folder / "project"),
        runs=folder / "project" / "runs",
        cache=folder / "cache",
        archive=folder / "archive",
        vault=folder / "vault",
    )


def _opened(settings: Settings, prepared: Path, design: dict[str, Any]) -> tuple[Challenge, Vault]:
    challenge = _make_challenge(settings.project / "challenges" / SLUG, design)
    vault = open_vault(SLUG, settings=settings)
    for split in ("public", "final"):
        _open(challenge, vault, split, prepared / split)
    return challenge, vault


@dataclass(frozen=True)
class _Bench:
    """What stands for an evaluation."""

    challenge: Challenge
    vault: Vault
    settings: Settings
    plan: RunPlan  # of scoring the twin
    runs: bool = True  # whether scoring runs are written


def _plan(challenge: Challenge, settings: Settings) -> RunPlan:
    twin = {name: challenge.twin(name) for name in (INPUTS, TRUTH, ESTIMATE)}
    wheel = Wheel("braggbook-0.1.0-py3-none-any.whl", b"stands for Braggbook's own code")
    return replace(plan_scoring(challenge, twin, settings=settings), wheel=wheel)


def resign(made: Made, path: Path, **changes: Any) -> None:
    """Changes an evaluation or a receipt of a closed challenge, and signs it again, as only the organiser can."""
    model = Evaluation if path.name == EVALUATION_NAME else Receipt
    changed = model.model_validate_json(path.read_bytes()).model_copy(update=changes)
    write_json(path, changed.signed(sign(made.vault.key, changed.message)).model_dump(mode="json"))


def relist(folder: Path) -> None:
    """Writes into ``closed.json`` what lies there now, as somebody does who wants no change to be seen."""
    closed = Closed.model_validate_json((folder / CLOSED_NAME).read_bytes())
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / CLOSED_NAME]
    files = {
        path.relative_to(folder).as_posix(): FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)
        for path in paths
    }
    write_json(folder / CLOSED_NAME, closed.model_copy(update={"files": files}).model_dump(mode="json"))


def _make_challenge(folder: Path, design: dict[str, Any]) -> Challenge:
    results = {SCORES: {"kind": "table"}, "mean_error": {"unit": "Gy"}}
    datasets = [f"{name}@1" for name in (INPUTS, TRUTH, ESTIMATE)]
    write_experiment(folder, "score", code=[_SCORER], results=results, front={"datasets": datasets})
    write_experiment(
        folder, "baseline", code=[_BASELINE], results={"mean_dose": {"unit": "Gy"}}, front={"datasets": datasets[:1]}
    )
    write_text(folder / CHALLENGE_NAME, tomlkit.dumps(design))
    doses = _doses("twin")
    for name, table in _tables(doses).items():
        write_dataset(folder / TWIN / name, f"{name}.csv", table)
    write_dataset(folder / TWIN / ESTIMATE, "predictions.csv", _predictions(doses, ANNA))
    return open_challenge(folder)


def _doses(what: str) -> pd.Series[float]:
    """Returns doses in Gy by case; others for each split."""
    shift = {"twin": 0.0, "public": 0.3, "final": 0.7}[what]
    names = pd.Index([f"{what}_{number:02}" for number in range(_CASES)], name="case")
    return pd.Series([round(0.5 + shift + 0.25 * number, 3) for number in range(_CASES)], names, name="dose_gy")


def _tables(doses: pd.Series[float]) -> dict[str, pd.DataFrame]:
    signal = (2 * doses + 0.01).round(3).rename("signal")
    return {INPUTS: signal.reset_index(), TRUTH: doses.reset_index()}


def _predictions(doses: pd.Series[float], team: str) -> pd.DataFrame:
    off = pd.Series([_BIAS.get(team, 0.0) * (1 + (7 * number) % 5) for number in range(len(doses))], doses.index)
    said = (doses + 0.005 + _BIAS[NET] if team == NET else doses + off).clip(0, 10).round(6)
    return said.rename("dose_gy").reset_index()


def write_dataset(folder: Path, name: str, table: pd.DataFrame) -> Dataset:
    """Writes a table of cases as a dataset of its own: the column ``case``, and numbers in Gy."""
    folder.mkdir(parents=True)
    data = table.to_csv(index=False, lineterminator="\n").encode()
    write_bytes(folder / name, data)
    columns = {"case": Column(type="text", meaning="the case")}
    columns |= {str(one): Column(type="number", unit="Gy", meaning="a dose") for one in table.columns if one != "case"}
    file = DatasetFile(path=name, sha256=sha256_bytes(data), bytes=len(data), columns=columns)
    card = DatasetCard(title="Cases", version=1, license="CC-BY-4.0", provenance="made by code", files=(file,))
    write_card(folder / CARD_NAME, card)
    return open_dataset(folder)


def _open(challenge: Challenge, vault: Vault, split: Split, prepared: Path) -> None:
    tables = _tables(_doses(split))
    for name, table in tables.items():
        write_dataset(prepared / name, f"{name}.csv", table)
    open_split(challenge, vault, split, inputs=prepared / INPUTS, truth=prepared / TRUTH, now=_OPENS)


def _hand_in(challenge: Challenge, team: str, split: Split, folder: Path) -> Path:
    """Returns what a team hands in."""
    folder.mkdir(parents=True)
    if team == NET:
        shutil.copyfile(challenge.folder / "baseline.ipynb", folder / "net.ipynb")
        return folder / "net.ipynb"
    table = _predictions(_doses(split), team)
    _write_predictions(table.iloc[1:] if team == LATE else table, folder)
    return folder / "predictions.csv"


def _write_predictions(table: pd.DataFrame, folder: Path) -> None:
    write_text(folder / "predictions.csv", table.to_csv(index=False, lineterminator="\n"))


def _evaluate(bench: _Bench, sent: Submission, hidden: Hidden) -> None:
    """Does what an evaluation does, and executes nothing."""
    id = sha256_bytes(sent.id.encode())[:16]
    folder = bench.vault.evaluation_folder(sent.id, id)
    folder.mkdir(parents=True)
    _evaluate_into(folder, bench, sent, hidden, id=id)


def _evaluate_into(folder: Path, bench: _Bench, sent: Submission, hidden: Hidden, *, id: str) -> None:
    challenge, vault = bench.challenge, bench.vault
    came = vault.submission_folder(sent.id) / "received"
    if sent.kind == "notebook":
        came = folder / "collected"
        came.mkdir()
        _write_predictions(_predictions(_doses(hidden.split), sent.team), came)
    rules = challenge.design.submission
    cases = cases_of(hidden.truth, rules=rules)
    checked = check_predictions(came, folder / ESTIMATE, rules=rules, inputs=hidden.inputs, cases=cases)
    shutil.rmtree(folder / "collected", ignore_errors=True)
    scored = None
    if checked.digest is not None:
        datasets = {INPUTS: hidden.inputs, TRUTH: hidden.truth, ESTIMATE: open_dataset(folder / ESTIMATE)}
        scored = _scored(bench, datasets)
    _sign(challenge, vault, sent, hidden, folder, scored, checked.digest, id=id)


def _scored(bench: _Bench, datasets: Mapping[str, Dataset]) -> Scored:
    named = tuple((one, {file.path: one.folder / file.path for file in one.card.files}) for one in datasets.values())
    plan = replace(bench.plan, datasets=named)
    truth, said = (
        pd.read_csv(datasets[name].folder / datasets[name].card.files[0].path).set_index("case").dose_gy
        for name in (TRUTH, ESTIMATE)
    )
    error = (said - truth).abs().sort_index()
    columns = [
        TableColumn(name="case", type="text", values=[str(name) for name in error.index]),
        TableColumn(name="error", type="number", unit="Gy", values=[float(value) for value in error]),
    ]
    mean = ScalarResult(name="mean_error", value=float(error.mean()), unit="Gy")
    results: dict[str, Result] = {SCORES: TableResult(name=SCORES, columns=columns), mean.name: mean}
    folder = _write_run(bench.vault.runs, plan, results, bench.settings) if bench.runs else bench.vault.runs
    identity = plan.identity
    scorer = Scorer(
        notebook=identity.notebook, kernel_lock=identity.kernel_lock, braggbook=identity.braggbook, run=plan.id
    )
    by_case: dict[str, float | None] = {str(case): float(value) for case, value in error.items()}
    return Scored(scorer, folder, {"error": by_case}, {"mean_error": float(mean.value)})


def _write_run(runs: Path, plan: RunPlan, results: dict[str, Result], settings: Settings) -> Path:
    """Writes the folder of a run that was not executed."""
    folder = runs / plan.id
    if folder.is_dir():
        return folder
    (folder / WRITTEN).mkdir(parents=True)
    for dataset, _ in plan.datasets:
        shutil.copytree(dataset.folder, folder / DATASETS / dataset.slug)
    when = _IN_TIME.isoformat(timespec="seconds")
    execution = Execution(
        node=plan.notebook.node, verdict="complete", failure=None, cells=[], results=results, started=when, ended=when,
        determinism={}, cell_timeout_s=60.0, memory_limit_mb=1024, scrubber=Scrubber((), (), ()),
    )  # fmt: skip
    write_run(folder, plan, execution, settings=settings)
    return folder


def _sign(
    challenge: Challenge,
    vault: Vault,
    sent: Submission,
    hidden: Hidden,
    folder: Path,
    scored: Scored | None,
    predictions: str | None,
    *,
    id: str,
) -> None:
    """Writes the evaluation and the receipt."""
    common: dict[str, Any] = {
        "submission": sent.id, "challenge": SLUG, "phase": sent.phase, "team": sent.team, "received": sent.received,
        "evaluated": _IN_TIME.isoformat(timespec="microseconds"), "verdict": "scored" if scored else "refused",
        "charged": scored is not None, "predictions": predictions, "scorer": scored.scorer if scored else None,
        "sealed": commitment(hidden.truth.digest, salt=hidden.salt),
    }  # fmt: skip
    scores = {"cases": scored.cases, "overall": scored.overall} if scored else {}
    made = Evaluation(
        id=id, design=challenge.digest, split=hidden.split, truth_version=hidden.version, kind=sent.kind,
        **common, **scores,
    )  # fmt: skip
    told = means_of(scored.cases, scored.overall) if scored else None
    receipt = Receipt(evaluation=made.id, files=sent.files, scores=told, **common)
    for name, one in ((EVALUATION_NAME, made), (RECEIPT_NAME, receipt)):
        write_json(folder / name, one.signed(sign(vault.key, one.message)).model_dump(mode="json"))


def _design(truth: str) -> dict[str, Any]:
    said = "made by code, to test with"
    phase = {
        "opens": _OPENS, "closes": _CLOSES, "kinds": ["predictions", "notebook"], "inputs": "released", "terms": said,
    }  # fmt: skip
    metric = {"why": said, "unit": "Gy", "better": "smaller", "minimum": 0.0, "maximum": 20.0, "worst": 20.0}
    return {
        "format": "braggbook.challenge/1",
        "title": "A tiny challenge",
        "version": 1,
        "abstract": "Dose from a signal that is twice as large.",
        "license": "CC-BY-4.0",
        "keywords": ["test"],
        "truth": truth,
        **({"why_withheld": "The cases are wanted again."} if truth == "withheld" else {}),
        "organisation": {
            "organisers": [{"name": "Lovelace, Ada", "orcid": "0000-0002-1825-0097"}],
            "contact": "challenge@example.org",
            **dict.fromkeys(
                ("participation", "code_availability", "conflicts_of_interest", "ethics"), said
            ),
        },
        "mission": dict.fromkeys(
            (
                "field", "task", "aim", "target_cohort", "challenge_cohort", "modality", "context", "target_entity",
            ),
            said,
        ),
        "data": dict.fromkeys(("case", "acquisition", "annotation", "preprocessing", "error_sources", "twin"), said),
        "submission": {
            "form": "table",
            "columns": {"dose_gy": {"unit": "Gy", "minimum": 0.0, "maximum": 10.0, "meaning": "the dose"}},
        },
        "phases": [
            {"id": "practice", "title": "Practice", "split": "public", **phase},
            {"id": "last", "title": "The last phase", "split": "final", "board": "last", **phase},
        ],
        "metrics": [
            {"id": "error", "definition": "absolute_error@1", "of": "dose_gy", **metric},
            {"id": "mean_error", "definition": "mean_absolute_error@1", "of": "dose_gy", "scope": "all", **metric},
        ],
        "ranking": {"method": "mean_then_rank", "why": said, "draws": 100},
    }  # fmt: skip
