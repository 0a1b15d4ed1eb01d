"""A challenge from the first submission to the closed folder, with real kernels and the real sandbox.

Three challenges are played once each: one with released inputs, whose scoring notebook fails, whose truth is corrected
and whose scores are changed; one with hidden inputs, whose participants misbehave; one whose truth is withheld.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tomlkit
from click.testing import CliRunner

from braggbook.challenges.closing import board_of, close
from braggbook.challenges.design import open_challenge
from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.sealing import open_split
from braggbook.challenges.signing import verify_signature
from braggbook.challenges.submissions import left, submit, waiting
from braggbook.challenges.verify import verify_closed
from braggbook.cli.main import main
from braggbook.errors import InputError
from braggbook.files import write_json
from braggbook.formats.board import Board
from braggbook.formats.submission import Evaluation, Receipt, Submission
from braggbook.testing.experiments import write_experiment

from ..unit.challenges.organiser.desk import DAY, Desk, make_desk, write_table

pytestmark = pytest.mark.full

SIGNALS = {  # by names and numbers that stand nowhere by chance
    "patient_7f3a9c_one": 0.25173,
    "patient_7f3a9c_two": 1.00419,
    "patient_7f3a9c_six": 2.25861,
    "patient_7f3a9c_ten": 4.00237,
}
CASES = tuple(SIGNALS)
WRONG, RIGHT = (0.8, 1.0, 1.5, 1.0), (0.8, 1.0, 1.5, 2.0)  # the truth as it was opened, and as it was corrected
FIRST_CASE = """errors = {case: error if case.endswith("one") else 0.0 for case, error in errors.items()}
scores = pd.DataFrame"""  # another way to score: only the first case counts


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def dataset(desk: Desk, name: str, values: Sequence[float]) -> Path:
    """Writes hidden inputs or truth."""
    folder = desk.folder / f"drawn{len(list(desk.folder.iterdir()))}"
    shutil.copytree(desk.challenge.folder / "twin" / name, folder)
    file, column = {"inputs": ("cases.csv", "signal"), "truth": ("truth.csv", "value")}[name]
    rows = [f"{case},{value}" for case, value in zip(CASES, values, strict=True)]
    write_table(folder, file, "\n".join([f"case,{column}", *rows, ""]))
    return folder


def opened(folder: Path, **phase: Any) -> Desk:
    """Makes a challenge that is open from yesterday to tomorrow."""
    desk = make_desk(folder, opens=now() - DAY, closes=now() + DAY, **phase)
    inputs, truth = dataset(desk, "inputs", list(SIGNALS.values())), dataset(desk, "truth", WRONG)
    open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=now())
    return desk


def predictions(desk: Desk, *values: Any) -> Path:
    path = desk.folder / "predictions.csv"
    rows = [f"{case},{value}" for case, value in zip(CASES, values, strict=True)]
    path.write_text("\n".join(["case,value", *rows, ""]), encoding="utf-8")
    return path


def hand_in(desk: Desk, team: str, source: Path) -> Submission:
    phase = desk.challenge.phase()
    return submit(desk.challenge, desk.vault, source, phase=phase, team=team, accepted=True, now=now())


def evaluated(desk: Desk, one: Submission) -> tuple[Evaluation, Receipt]:
    challenge = open_challenge(desk.challenge.folder)  # its scoring notebook is read once
    return evaluate_submission(challenge, desk.vault, one, settings=desk.settings, clock=now)


def board(desk: Desk) -> Board:
    return board_of(open_challenge(desk.challenge.folder), desk.vault, desk.challenge.phase())


def ranks(board: Board) -> dict[str, float]:
    return {row.team: row.rank for row in board.rows}


def scorer(desk: Desk, old: str, new: str) -> None:
    """Changes the scoring notebook."""
    path = desk.challenge.folder / "score.ipynb"
    node = nbformat.read(path, as_version=4)
    assert old in node.cells[-1].source
    node.cells[-1].source = node.cells[-1].source.replace(old, new)
    path.write_text(nbformat.writes(node) + "\n", encoding="utf-8")


def say(desk: Desk, *words: str | Path) -> dict[str, Any]:
    """What the command line says to an organiser."""
    settings = desk.settings
    given = ["--project", str(settings.project), "--runs", str(settings.runs), "challenge", *map(str, words)]
    places = {f"BRAGGBOOK_{name.upper()}": str(getattr(settings, name)) for name in ("vault", "cache", "archive")}
    answer = CliRunner().invoke(main, [*given, "--json"], env=places)
    assert answer.exit_code == 0, (answer.output, answer.exception)
    return dict(json.loads(answer.stdout))


def of_team(desk: Desk, team: str) -> list[Evaluation]:
    return [one for one in desk.vault.evaluations() if one.team == team]


# A challenge with released inputs


@dataclass
class Played:
    """What was seen on the way."""

    desk: Desk
    broken: tuple[Evaluation, Receipt]
    waited: list[str]
    first: dict[str, tuple[Evaluation, Receipt]]
    boards: list[Board]
    answers: list[dict[str, Any]] = field(default_factory=list)
    closed: Path = Path()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Four teams: the files of one are those of another, one has a notebook, one says nothing."""
    desk = opened(tmp_path_factory.mktemp("played"), quota={"total": 3})
    right = "errors = bb.metrics"
    wrong = f'assert len(truth) == 5, f"cases {{list(truth.index)}}"\n{right}'
    files = hand_in(desk, "Files", predictions(desk, 0.8, 1.2, 1.7, 1.0))
    scorer(desk, right, wrong)
    broken = evaluated(desk, files)
    scorer(desk, wrong, right)
    sent = {
        "Book": hand_in(desk, "Book", desk.challenge.folder / "baseline.ipynb"),
        "Twins": hand_in(desk, "Twins", predictions(desk, "8e-1", "1.20", "+1.7", "1.000")),
        "Nobody": hand_in(desk, "Nobody", predictions(desk, 0.8, "nan", 1.7, "")),
    }
    waited = [one.team for one in waiting(desk.vault)]
    first = {team: evaluated(desk, one) for team, one in {"Files": files, **sent}.items()}
    made = Played(desk, broken, waited, first, [board(desk)])
    inputs, truth = dataset(desk, "inputs", list(SIGNALS.values())), dataset(desk, "truth", RIGHT)
    open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=now(), because="a slip of the pen")
    made.answers.append(say(desk, "score", "signals", "--all"))
    made.boards.append(board(desk))
    scorer(desk, "scores = pd.DataFrame", FIRST_CASE)
    made.answers.append(say(desk, "score", "signals", "--all"))
    made.boards.append(board(desk))
    evaluated(desk, hand_in(desk, "Files", predictions(desk, 9, 9, 9, 9)))
    made.boards.append(board(desk))
    made.closed = desk.folder / "closed"
    close(open_challenge(desk.challenge.folder), desk.vault, made.closed, settings=desk.settings, now=now(), early=True)
    return made


def test_a_scoring_notebook_that_fails_is_no_fault_of_the_team(played: Played) -> None:
    made, receipt = played.broken
    assert (made.verdict, made.charged, made.scorer, made.cases) == ("platform", False, None, {})
    assert receipt.problem is not None
    assert receipt.problem.what == ("the evaluation failed, and not through your fault (RunError); nothing is charged")
    assert (receipt.left, receipt.next) == (3, "nothing: it will be evaluated again")
    assert not any(case in receipt.model_dump_json() for case in CASES)
    assert played.waited == ["Files", "Book", "Twins", "Nobody"]


def test_predictions_and_a_notebook_are_scored(played: Played) -> None:
    """By hand: |0.8 - 0.8|, |1 - 1.2|, |1.5 - 1.7|, |1 - 1|; the notebook says the root of the signal."""
    made, receipt = played.first["Files"]
    by_hand = dict(zip(CASES, (0.0, 0.2, 0.2, 0.0), strict=True))
    assert made.cases == {"absolute_error": pytest.approx(by_hand)}
    assert receipt.scores is not None
    assert receipt.scores["absolute_error"] == pytest.approx(0.1)
    assert receipt.cases is None  # which the phase keeps from the team
    said = [round(signal**0.5, 3) for signal in SIGNALS.values()]
    made, _ = played.first["Book"]
    by_hand = {case: abs(true - guess) for case, true, guess in zip(CASES, WRONG, said, strict=True)}
    assert made.cases == {"absolute_error": pytest.approx(by_hand)}
    assert made.used.wall_s is not None
    assert len(made.walls) >= 2


def test_every_receipt_and_evaluation_is_signed(played: Played) -> None:
    sealed = played.desk.challenge.sealed
    assert sealed is not None
    for made in played.desk.vault.evaluations():
        receipt = played.desk.vault.receipt(made)
        for one in (made, receipt):
            assert verify_signature(sealed.key, one.message, one.signature)
        forged = receipt.model_copy(update={"charged": not receipt.charged})
        assert not verify_signature(sealed.key, forged.message, forged.signature)


def test_what_is_no_number_gets_no_score_and_costs_nothing(played: Played) -> None:
    made, receipt = played.first["Nobody"]
    assert (made.verdict, made.charged, receipt.left) == ("refused", False, 3)
    assert receipt.problem is not None
    told = "\n".join(receipt.problem.issues)
    assert "row 3, column value" in told
    assert "row 5, column value" in told
    assert "Nobody" not in ranks(played.boards[0])
    assert [one.why for one in played.boards[0].left] == ["refused: the predictions were refused"]


def test_a_score_is_charged(played: Played) -> None:
    assert {team: receipt.left for team, (_, receipt) in played.first.items()} == {
        "Files": 2, "Book": 2, "Twins": 2, "Nobody": 3,
    }  # fmt: skip
    desk = played.desk
    assert left(desk.vault, phase=desk.challenge.phase(), team="files", now=now()) == 1


def test_the_board_says_who_is_ahead_and_who_is_the_same(played: Played) -> None:
    shown = played.boards[0]
    assert ranks(shown) == {"Files": 1.0, "Twins": 1.0, "Book": 3.0}
    assert {row.team: row.same_as for row in shown.rows} == {"Files": ["Twins"], "Twins": ["Files"], "Book": []}
    rows = {row.team: row for row in shown.rows}
    assert rows["Files"].predictions == rows["Twins"].predictions
    assert rows["Files"].scorer.run == rows["Twins"].scorer.run  # which was executed once


def test_a_corrected_truth_is_a_new_version_and_changes_ranks(played: Played) -> None:
    (moved,) = played.answers[0]["changes"].values()
    assert {row["team"]: (row["before"], row["after"]) for row in moved} == {
        "Book": (3.0, 1.0), "Files": (1.0, 2.0), "Twins": (1.0, 2.0),
    }  # fmt: skip
    sealed = played.desk.challenge.sealed
    assert sealed is not None
    assert [(one.version, one.because) for one in sealed.splits] == [(1, ""), (2, "a slip of the pen")]
    assert [one.truth_version for one in played.boards[:2]] == [1, 2]
    assert ranks(played.boards[1]) == {"Book": 1.0, "Files": 2.0, "Twins": 2.0}
    assert {one.truth_version for one in of_team(played.desk, "Book")} == {1, 2}


def test_another_scoring_notebook_scores_everything_again(played: Played) -> None:
    (moved,) = played.answers[1]["changes"].values()
    assert {row["team"]: (row["before"], row["after"]) for row in moved} == {
        "Files": (2.0, 1.0), "Twins": (2.0, 1.0), "Book": (1.0, 3.0),
    }  # fmt: skip
    said = {receipt["team"]: receipt["verdict"] for receipt in played.answers[1]["receipts"]}
    assert said == {"Files": "scored", "Book": "scored", "Twins": "scored", "Nobody": "refused"}
    scorers = [one.scorer for one in of_team(played.desk, "Book")]
    assert len({one.run for one in scorers if one}) == 3
    assert len({one.notebook for one in scorers if one}) == 2


def test_predictions_of_a_notebook_are_made_once(played: Played) -> None:
    """What it used is what was counted the first time, to the digit, since there was no second."""
    made = of_team(played.desk, "Book")
    assert len(made) == 3
    assert len({one.predictions for one in made}) == 1
    assert len({one.used.model_dump_json() for one in made}) == 1
    assert len({tuple(one.walls) for one in made}) == 1
    assert all(one.charged for one in made)


def test_the_best_or_the_last_submission_of_a_team_stands_on_the_board(played: Played) -> None:
    desk, phase = played.desk, played.desk.challenge.phase()
    assert ranks(played.boards[3]) == ranks(played.boards[2])
    assert "Files" in [one.team for one in played.boards[3].left]
    last = board_of(open_challenge(desk.challenge.folder), desk.vault, phase.model_copy(update={"board": "last"}))
    assert ranks(last) == {"Twins": 1.0, "Book": 2.0, "Files": 3.0}


def test_the_closed_board_can_be_repeated_by_anybody(played: Played, tmp_path: Path) -> None:
    """Without the vault, and without the project that it was made in."""
    settings = dataclasses.replace(
        played.desk.settings, project=tmp_path, vault=tmp_path / "vault", runs=tmp_path / "runs"
    )
    found = verify_closed(played.closed, settings=settings, row="Book")
    assert [(check.name, check.outcome) for check in found.checks] == [
        (name, "passed") for name in ("files", "design", "seal", "signatures", "board")
    ], found.as_json()
    (row,) = found.rows
    assert (row.verdict, row.predictions, found.verdict) == ("identical", "identical", "identical"), found.as_json()


def test_the_closed_folder_has_both_truths_and_opens_from_disk(played: Played) -> None:
    hidden = played.closed / "hidden"
    assert sorted(path.name for path in hidden.iterdir()) == ["final@1", "final@2"]
    assert (hidden / "final@2" / "salt").read_text() == played.desk.vault.hidden("final", 2).salt.hex()
    page = (played.closed / "index.html").read_text(encoding="utf-8")
    assert "Twins" in page
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//(?!doi\.org|mybinder\.org)""", page)
    links = re.findall(r"""href=["'](?!https?:|#|data:)([^"']+)["']""", page)
    assert links
    assert [link for link in links if not (played.closed / link.partition("#")[0]).exists()] == []


def test_a_score_that_was_changed_in_a_copy_is_found(played: Played, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(played.closed, tmp_path / "copy"))
    made = of_team(played.desk, "Book")[-1]
    path = copy / "evaluations" / made.id / "evaluation.json"
    data = json.loads(path.read_text())
    data["cases"]["absolute_error"][CASES[0]] = 0.0
    write_json(path, data)
    found = verify_closed(copy, settings=played.desk.settings, row="Book")
    assert found.verdict == "drifted"
    failed = {check.name: " ".join(map(str, check.issues)) for check in found.checks if check.outcome == "failed"}
    assert failed.keys() == {"files", "signatures", "board"}
    assert all(made.id in failed[name] for name in ("files", "signatures"))
    assert [row.verdict for row in found.rows] == ["drifted"]


# A challenge with hidden inputs

_CARD = """import os
from pathlib import Path
import braggbook as bb

inputs = bb.load("inputs@1")
cards = [path.read_text() for path in Path(os.environ["BRAGGBOOK_DATASETS"]).rglob("dataset.toml")]
"""
LEAK = f"""{_CARD}
case = inputs["case"][0]
raise type(f"{{case}}_{{inputs['signal'][0]}}", (Exception,), {{}})(cards[0])"""
ECHO = f"""{_CARD}
canary = cards[0][cards[0].index("canary-"):][:39]
answers = inputs[["case"]].assign(value=1.0)
answers.loc[0, "case"] = canary
answers.to_csv("predictions.csv", index=False)
bb.result("x", 1.0, unit="1")"""
ROWS = f"""{_CARD}
inputs.rename(columns={{"signal": "value"}}).to_csv("predictions.csv", index=False)
bb.result("x", 1.0, unit="1")"""


@dataclass
class Misbehaved:
    """Receipts of those that look at what they may not."""

    desk: Desk
    made: dict[str, tuple[Evaluation, Receipt]]

    def replay(self, team: str) -> Path:
        one, _ = self.made[team]
        return self.desk.vault.evaluation_folder(one.submission, one.id) / "replay"


@pytest.fixture(scope="module")
def misbehaved(tmp_path_factory: pytest.TempPathFactory) -> Misbehaved:
    folder = tmp_path_factory.mktemp("misbehaved")
    desk = opened(folder, kinds=["notebook"], inputs="hidden", quota={"total": 1})
    sources = {"Leak": LEAK, "Echo": ECHO, "Rows": ROWS}
    made = {}
    for team, code in sources.items():
        source = write_experiment(folder / "made", team.lower(), code=[code], front={"datasets": ["inputs@1"]})
        made[team] = evaluated(desk, hand_in(desk, team, source))
    return Misbehaved(desk, made)


def test_hidden_inputs_are_nowhere_in_the_project(misbehaved: Misbehaved) -> None:
    desk = misbehaved.desk
    assert not (desk.challenge.folder / "inputs").exists()
    paths = [path for path in desk.settings.project.rglob("*") if path.is_file()]
    assert paths
    assert [path for path in paths if b"7f3a9c" in path.read_bytes()] == []


def test_predictions_for_hidden_inputs_are_refused_by_their_kind(misbehaved: Misbehaved) -> None:
    desk = misbehaved.desk
    one = hand_in(desk, "Guess", predictions(desk, 1, 1, 1, 1))
    assert one.files == {}
    made, receipt = evaluated(desk, one)
    assert (made.verdict, made.charged, receipt.left) == ("refused", False, 1)
    assert receipt.problem is not None
    assert "notebook" in " ".join(receipt.problem.issues)


def test_an_exception_of_ones_own_is_another(misbehaved: Misbehaved) -> None:
    made, receipt = misbehaved.made["Leak"]
    assert (made.verdict, receipt.verdict) == ("failed", "failed")
    problem = receipt.problem
    assert problem is not None
    assert (problem.what, problem.cell, problem.exception) == ("the notebook raised an exception", 2, "other")
    assert problem.source[-1] == LEAK.splitlines()[-1]
    assert LEAK.splitlines()[(problem.line or 0) - 1] == problem.source[-1]


@pytest.mark.parametrize("team", ["Leak", "Echo", "Rows"])
def test_nothing_hidden_is_in_a_receipt(misbehaved: Misbehaved, team: str) -> None:
    made, _ = misbehaved.made[team]
    hidden = misbehaved.desk.vault.hidden("final", 1)
    secrets = [
        *CASES, *map(str, SIGNALS.values()), hidden.canary, hidden.canary[7:], hidden.salt.hex(), hidden.truth.digest,
        hidden.inputs.digest,
    ]  # fmt: skip
    folder = misbehaved.desk.vault.evaluation_folder(made.submission, made.id)
    text = (folder / "receipt.json").read_text(encoding="utf-8")
    assert [secret for secret in secrets if secret.casefold() in text.casefold()] == []
    replayed = "".join(path.read_text(errors="replace") for path in folder.rglob("replay/*") if path.is_file())
    assert [secret for secret in secrets if secret in replayed] == []


def test_the_same_failure_on_the_twin_has_all_its_logs(misbehaved: Misbehaved) -> None:
    node = nbformat.read(misbehaved.replay("Leak") / "executed.ipynb", as_version=4)
    (error,) = [one for cell in node.cells for one in cell.get("outputs", []) if one.output_type == "error"]
    assert error.ename == "a_0.1"  # of the twin's first case
    assert "Inputs of the public twin" in error.evalue
    assert (misbehaved.replay("Leak") / "stderr.log").is_file()


def test_a_canary_that_comes_out_is_refused(misbehaved: Misbehaved) -> None:
    made, receipt = misbehaved.made["Echo"]
    assert (made.verdict, made.charged, made.predictions, made.scorer) == ("refused", True, None, None)
    assert receipt.problem is not None
    (issue,) = receipt.problem.issues
    assert "echoes its inputs" in issue


def test_rows_of_the_inputs_that_come_out_are_refused(misbehaved: Misbehaved) -> None:
    made, receipt = misbehaved.made["Rows"]
    assert (made.verdict, made.charged) == ("refused", True)
    assert receipt.problem is not None
    (issue,) = receipt.problem.issues
    assert "a whole line of them stands there" in issue


def test_what_was_used_on_hidden_cases_is_told_roughly(misbehaved: Misbehaved) -> None:
    """To one digit: by how long it computes a notebook could tell what it saw."""
    for _, receipt in misbehaved.made.values():
        numbers = [number for number in receipt.used.model_dump().values() if number is not None]
        assert numbers
        assert [float(f"{number:.1g}") for number in numbers] == numbers
        assert receipt.used.processes is None


def test_the_fault_of_ones_own_code_is_charged(misbehaved: Misbehaved) -> None:
    assert {receipt.left for _, receipt in misbehaved.made.values()} == {0}
    source = misbehaved.desk.challenge.folder / "baseline.ipynb"
    with pytest.raises(InputError, match="no submission left"):
        hand_in(misbehaved.desk, "LEAK", source)


def test_who_has_no_score_is_not_on_the_board(misbehaved: Misbehaved) -> None:
    shown = board(misbehaved.desk)
    assert shown.rows == []
    assert {"Echo", "Leak", "Rows"} <= {one.team for one in shown.left}


# A challenge whose truth is withheld


@pytest.fixture(scope="module")
def withheld(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Path]:
    desk = make_desk(tmp_path_factory.mktemp("withheld"), opens=now() - DAY, closes=now() + DAY)
    path = desk.challenge.folder / "challenge.toml"
    design = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    path.write_text(tomlkit.dumps(design | {"truth": "withheld", "why_withheld": "they are patients"}))
    desk.challenge = open_challenge(desk.challenge.folder)
    inputs, truth = dataset(desk, "inputs", list(SIGNALS.values())), dataset(desk, "truth", RIGHT)
    open_split(desk.challenge, desk.vault, "final", inputs=inputs, truth=truth, now=now())
    for team, last in (("Anna", 2.0), ("Ben", 1.5)):
        evaluated(desk, hand_in(desk, team, predictions(desk, 0.7, 1.1, 1.6, last)))
    closed = desk.folder / "closed"
    close(desk.challenge, desk.vault, closed, settings=desk.settings, now=now(), early=True)
    return desk, closed


def test_a_withheld_truth_is_not_in_the_closed_folder(withheld: tuple[Desk, Path]) -> None:
    desk, closed = withheld
    assert not (closed / "hidden").exists()
    assert not (closed / "runs").exists()
    hidden = desk.vault.hidden("final", 1)
    secrets = [hidden.salt.hex(), hidden.truth.digest, (hidden.folder / "truth" / "truth.csv").read_text().split()[1]]
    texts = {path: path.read_bytes() for path in closed.rglob("*") if path.is_file() and path.suffix != ".whl"}
    assert [path for path, data in texts.items() for secret in secrets if secret.encode() in data] == []


def test_a_stranger_can_make_the_board_and_cannot_repeat_a_row(withheld: tuple[Desk, Path], tmp_path: Path) -> None:
    desk, closed = withheld
    settings = dataclasses.replace(desk.settings, project=tmp_path, vault=tmp_path / "vault")
    found = verify_closed(closed, settings=settings, vault=settings.vault)
    assert {check.name: check.outcome for check in found.checks} == {
        "files": "passed", "design": "passed", "seal": "withheld", "signatures": "passed", "board": "passed",
    }  # fmt: skip
    assert [(row.verdict, row.reason) for row in found.rows] == [("not verifiable", "truth withheld")] * 2
    assert found.verdict == "identical"
    one = verify_closed(closed, settings=settings, vault=settings.vault, row="anna")
    assert (one.verdict, one.rows[0].reason) == ("not verifiable", "truth withheld")


def test_the_organiser_can_verify_a_row_of_it(withheld: tuple[Desk, Path]) -> None:
    desk, closed = withheld
    found = verify_closed(closed, settings=desk.settings, vault=desk.settings.vault, row="Ben")
    assert (found.verdict, [row.verdict for row in found.rows]) == ("identical", ["identical"]), found.as_json()
    assert [check.outcome for check in found.checks] == ["passed"] * 5


# Before anything is handed in


def test_a_notebook_is_tried_as_it_will_be_evaluated(tmp_path: Path) -> None:
    """In the same sandbox with the same limits, on public cases, where its logs may be seen."""
    desk = make_desk(tmp_path)
    said = say(desk, "try", "signals", desk.challenge.folder / "baseline.ipynb")
    assert (said["verdict"], said["kind"], said["problem"]) == ("scored", "notebook", None)
    twin = {"a": 0.016, "b": 0.068, "c": 0.049, "d": 0.065, "e": 0.119}  # |root of the signal - value|, by hand
    assert said["cases"]["absolute_error"] == pytest.approx(twin)
    assert said["used"]["wall_s"] > 0
    assert said["walls"]
    assert Path(said["logs"], "executed.ipynb").is_file()
    assert Path(said["scoring_run"], "report.html").is_file()
    assert not desk.settings.vault.exists()
