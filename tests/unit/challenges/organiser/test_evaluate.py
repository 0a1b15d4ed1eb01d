"""Evaluating: what can be known before a kernel is needed."""

from __future__ import annotations

import datetime
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from braggbook.challenges.evaluate import (
    Bench,
    evaluate,
    evaluate_submission,
    hidden_cases,
    means_of,
    twin_cases,
)
from braggbook.challenges.signing import verify_signature
from braggbook.challenges.submissions import left, waiting
from braggbook.errors import InputError, StorageError
from braggbook.files import write_json
from braggbook.formats.submission import Evaluation, Receipt, Submission

from .desk import HOUR, NOW, Desk, make_desk

_HOURS = itertools.count()


def clock() -> datetime.datetime:
    """An hour later with every look."""
    return NOW + next(_HOURS) * HOUR


def evaluated(desk: Desk, one: Submission) -> tuple[Evaluation, Receipt]:
    return evaluate_submission(desk.challenge, desk.vault, one, settings=desk.settings, clock=clock)


def bench(desk: Desk) -> Bench:
    work = desk.folder / "work"
    work.mkdir()
    return Bench(work, desk.folder / "runs", desk.settings)


@pytest.fixture
def refused(desk: Desk) -> tuple[Desk, Submission, Evaluation, Receipt]:
    """Predictions of which two are none."""
    desk.open()
    one = desk.submit(desk.predictions(k2="nan", k3=99))
    return desk, one, *evaluated(desk, one)


def test_a_refusal_says_where_and_repeats_no_value(refused: tuple[Desk, Submission, Evaluation, Receipt]) -> None:
    _, _, made, receipt = refused
    assert (made.verdict, made.predictions, made.scorer, made.cases, made.overall) == ("refused", None, None, {}, {})
    assert receipt.problem is not None
    assert receipt.problem.what == "the predictions are not what the design asks for"
    assert [issue.partition(";")[0].rpartition(":")[0] for issue in receipt.problem.issues] == [
        "predictions.csv: row 3, column value", "predictions.csv: row 4, column value",
    ]  # fmt: skip
    assert "99" not in " ".join(receipt.problem.issues)


def test_what_was_refused_unread_costs_nothing(refused: tuple[Desk, Submission, Evaluation, Receipt]) -> None:
    desk, one, made, receipt = refused
    assert (made.charged, receipt.charged, receipt.left) == (False, False, 5)
    assert left(desk.vault, phase=desk.challenge.phase(), team=one.team, now=NOW) == 5
    assert waiting(desk.vault) == []
    assert receipt.next.startswith("braggbook challenge try signals PREDICTIONS")


def test_evaluation_and_receipt_are_kept_and_signed(refused: tuple[Desk, Submission, Evaluation, Receipt]) -> None:
    desk, one, made, receipt = refused
    sealed = desk.challenge.sealed
    assert sealed is not None
    assert desk.vault.evaluations(one.id) == [made]
    assert desk.vault.receipt(made) == receipt
    assert (made.design, made.truth_version, made.split) == (desk.challenge.digest, 1, "final")
    assert (receipt.files, receipt.team, receipt.received) == (one.files, one.team, one.received)
    for signed in (made, receipt):
        assert verify_signature(sealed.key, signed.message, signed.signature)
        assert not verify_signature("0" * 64, signed.message, signed.signature)
        assert not verify_signature(sealed.key, signed.message + b" ", signed.signature)
    folder = desk.vault.evaluation_folder(one.id, made.id)
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.json", "receipt.json"]
    assert [path for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_a_second_evaluation_stands_beside_the_first(refused: tuple[Desk, Submission, Evaluation, Receipt]) -> None:
    desk, one, made, _ = refused
    again, _ = evaluated(desk, one)
    assert again.id != made.id
    assert desk.vault.evaluations() == [made, again]


def test_what_the_organiser_lacks_is_no_fault_of_the_team(desk: Desk) -> None:
    desk.open()
    one = desk.submit()
    shutil.rmtree(desk.settings.project / "kernels")
    made, receipt = evaluated(desk, one)
    assert (made.verdict, made.charged, receipt.left) == ("platform", False, 5)
    assert receipt.problem is not None
    assert receipt.problem.what == (
        "the evaluation failed, and not through your fault (UnknownName); nothing is charged"
    )
    assert receipt.next == "nothing: it will be evaluated again"
    assert waiting(desk.vault) == [one]
    assert made.predictions is not None  # they were read, and need not be again


def test_on_the_twin_the_whole_reason_is_told(desk: Desk) -> None:
    kernels = desk.settings.project / "kernels"
    kernels.rename(desk.folder / "kernels")
    outcome = evaluate(
        desk.challenge,
        desk.challenge.folder / "example_submission",
        kind="predictions",
        cases=twin_cases(desk.challenge),
        bench=bench(desk),
    )
    assert (outcome.verdict, outcome.scored) == ("platform", None)
    assert outcome.problem is not None
    assert outcome.problem.what == str(outcome.error)
    assert "no kernel named" in outcome.problem.what


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,0.3\nb,0.7\nc,0.9\nd,1.2\n", "a case is missing: e"),
        ("a,0.3\nb,0.7\nc,0.9\nd,1.2\ne,1.7\na,0.3\n", "too many rows"),
        ("a,0.3\nb,0.7\nc,0.9\nd,1.2\ne,inf\n", "row 6, column value"),
        ("a,0.3\nb,0.7\nc,0.9\nd,1.2\nz,1.7\n", "row 6"),
    ],
)
def test_predictions_are_checked_before_anything_is_scored(desk: Desk, rows: str, words: str) -> None:
    received = desk.folder / "received"
    received.mkdir()
    (received / "predictions.csv").write_text(f"case,value\n{rows}")
    outcome = evaluate(
        desk.challenge, received, kind="predictions", cases=twin_cases(desk.challenge), bench=bench(desk)
    )
    assert (outcome.verdict, outcome.estimate, outcome.error) == ("refused", None, None)
    assert outcome.problem is not None
    assert words in " ".join(outcome.problem.issues)
    assert not (desk.settings.runs / "failed").exists()


def test_the_cases_of_a_phase_are_the_newest(desk: Desk) -> None:
    phase = desk.challenge.phase()
    with pytest.raises(InputError, match="the challenge was not opened"):
        hidden_cases(desk.challenge, desk.vault, phase)
    desk.open()
    first = hidden_cases(desk.challenge, desk.vault, phase)
    desk.open(k4=1.5)
    newest = hidden_cases(desk.challenge, desk.vault, phase)
    assert (newest.version, first.version, newest.split) == (2, 1, "final")
    assert newest.truth.digest != first.truth.digest
    assert newest.inputs.digest == first.inputs.digest


@pytest.mark.parametrize(("inputs", "kinds", "there"), [("hidden", ["notebook"], 1), ("released", ["predictions"], 0)])
def test_only_hidden_inputs_have_a_canary(tmp_path: Path, inputs: str, kinds: list[str], there: int) -> None:
    """Who has the released ones may say what stands in them."""
    desk = make_desk(tmp_path, inputs=inputs, kinds=kinds)
    desk.open()
    assert len(hidden_cases(desk.challenge, desk.vault, desk.challenge.phase()).canaries) == there


def test_the_twin_has_none(desk: Desk) -> None:
    cases = twin_cases(desk.challenge)
    assert (cases.split, cases.version, cases.canaries) == ("twin", 1, ())


def test_means_are_of_cases_that_have_a_score() -> None:
    cases: dict[str, dict[str, float | None]] = {"dice": {"a": 0.5, "b": None, "c": 1.0}, "hd": {"a": None}}
    assert means_of(cases, {"coverage": 0.9}) == {"dice": 0.75, "coverage": 0.9}


def test_means_are_exact_sums() -> None:
    """0.1 ten times is 1 only if it is summed exactly: means of equal scores must be equal."""
    assert means_of({"error": {str(number): 0.1 for number in range(10)}}, {}) == {"error": 0.1}


def _no_vault(desk: Desk) -> None:
    shutil.rmtree(desk.vault.hidden_folder("final", 1))


def _no_key(desk: Desk) -> None:
    desk.vault.key.unlink()


@pytest.mark.parametrize(("lost", "words"), [(_no_vault, "no hidden cases"), (_no_key, "no key")])
def test_without_its_vault_nothing_is_evaluated_and_nothing_left(
    desk: Desk, lost: Callable[[Desk], None], words: str
) -> None:
    desk.open()
    one = desk.submit(desk.predictions(k1="nan"))
    lost(desk)
    with pytest.raises(InputError, match=words):
        evaluated(desk, one)
    assert desk.vault.evaluations() == []
    assert waiting(desk.vault) == [one]


def test_a_disk_that_refuses_leaves_nothing(desk: Desk) -> None:
    desk.open()
    one = desk.submit(desk.predictions(k1="nan"))
    (desk.vault.folder / "evaluations").write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        evaluated(desk, one)
    (desk.vault.folder / "evaluations").unlink()
    assert waiting(desk.vault) == [one]


def test_what_was_refused_at_the_door_gets_a_receipt_and_costs_nothing(desk: Desk) -> None:
    desk.open()
    odd = desk.folder / "odd.pkl"
    odd.write_bytes(b"\x80\x04N.")
    made, receipt = evaluated(desk, desk.submit(odd))
    assert (made.verdict, made.charged, receipt.left, receipt.files) == ("refused", False, 5, {})
    assert receipt.problem is not None
    assert receipt.problem.what == "what came is not what the design asks for; nothing of it was kept"
    assert any("odd.pkl" in issue for issue in receipt.problem.issues)


def test_why_an_evaluation_failed_is_told_to_the_organiser_alone(desk: Desk) -> None:
    desk.open()
    shutil.rmtree(desk.settings.project / "kernels")
    made, receipt = evaluated(desk, desk.submit())
    folder = desk.vault.evaluation_folder(made.submission, made.id)
    assert "no kernel named" in (folder / "error.txt").read_text()
    assert "no kernel named" not in receipt.model_dump_json() + made.model_dump_json()


def test_an_evaluation_says_which_seal_it_was_scored_against(desk: Desk) -> None:
    first = desk.open()
    one = desk.submit(desk.predictions(k1="nan"))
    made, receipt = evaluated(desk, one)
    assert made.sealed == receipt.sealed == first.truth
    second = desk.open(k4=1.5)
    assert evaluated(desk, one)[0].sealed == second.truth != first.truth


def test_a_later_fault_of_ours_gives_no_submission_back(desk: Desk) -> None:
    """Else a team could submit once more while the scoring notebook is broken."""
    desk.open()
    one = desk.submit()
    shutil.rmtree(desk.settings.project / "kernels")
    made, receipt = evaluated(desk, one)
    assert receipt.left == 5
    scored = made.model_copy(update={"id": "0" * 16, "verdict": "scored", "charged": True})
    folder = desk.vault.evaluation_folder(one.id, scored.id)
    folder.mkdir()
    write_json(folder / "evaluation.json", scored.model_dump(mode="json"))
    made, receipt = evaluated(desk, one)
    assert (made.verdict, receipt.charged, receipt.left) == ("platform", False, 4)
    assert left(desk.vault, phase=desk.challenge.phase(), team="One", now=NOW) == 4
