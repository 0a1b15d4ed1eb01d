"""What keeps a challenge from being closed, and what is in the folder when nothing does."""

from __future__ import annotations

import datetime
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from braggbook.challenges.closing import board_of, close, record_of_run, write_board
from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.vault import Vault
from braggbook.challenges.verify import check_closed
from braggbook.errors import InputError, RecordError, StorageError
from braggbook.files import sha256_file
from braggbook.formats.board import Closed

from .desk import DAY, HOUR, NOW, Desk, make_desk

OVER = NOW + 2 * DAY


def scored_none(desk: Desk, team: str = "One") -> None:
    """Takes predictions that are refused, and evaluates them: no kernel is needed for that."""
    one = desk.submit(desk.predictions(k1="nan"), team=team)
    evaluate_submission(desk.challenge, desk.vault, one, settings=desk.settings, clock=lambda: NOW + HOUR)


def shut(desk: Desk, *, now: datetime.datetime = OVER, early: bool = False) -> Closed:
    target = desk.folder / "closed"
    return close(desk.challenge, desk.vault, target, settings=desk.settings, now=now, early=early)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.open()
    scored_none(desk)
    return desk


def test_a_phase_that_goes_on(ready: Desk) -> None:
    with pytest.raises(InputError, match="a phase goes on") as caught:
        shut(ready, now=NOW)
    phase = ready.challenge.phase()
    assert caught.value.wanted == f"closed at {phase.closes.isoformat()}"
    assert caught.value.next_command == "braggbook challenge close signals --early"
    assert not (ready.folder / "closed").exists()
    assert shut(ready, now=phase.closes).phases == ["final"]  # the last moment is out of it


def test_who_wants_to_may_close_early(ready: Desk) -> None:
    assert shut(ready, now=NOW, early=True).closed == NOW.isoformat(timespec="seconds")


def test_it_waits_for_what_is_just_arriving(ready: Desk) -> None:
    with ThreadPoolExecutor(1) as pool:
        with ready.vault.alone():  # as somebody who hands in holds it
            closing = pool.submit(shut, ready)
            with pytest.raises(TimeoutError):
                closing.result(0.3)
            assert not (ready.folder / "closed").exists()
        assert closing.result(60).phases == ["final"]


def test_submissions_that_wait(ready: Desk) -> None:
    one = ready.submit(team="Late")
    with pytest.raises(InputError, match="submissions wait for their score") as caught:
        shut(ready)
    assert caught.value.got == one.id
    assert caught.value.next_command == "braggbook challenge score signals"


def test_a_submission_that_failed_through_our_fault_waits(ready: Desk) -> None:
    kernels = ready.settings.project / "kernels"
    kernels.rename(ready.folder / "kernels")
    one = ready.submit(team="Unlucky")
    evaluate_submission(ready.challenge, ready.vault, one, settings=ready.settings, clock=lambda: NOW)
    (ready.folder / "kernels").rename(kernels)
    with pytest.raises(InputError, match="submissions wait for their score"):
        shut(ready)


def test_nothing_to_close(desk: Desk) -> None:
    for _ in ("never opened", "opened, and nobody came"):
        with pytest.raises(InputError, match="nothing to close"):
            shut(desk)
        if desk.challenge.sealed is None:
            desk.open()
    assert not (desk.folder / "closed").exists()


def test_a_folder_that_is_there_is_not_touched(ready: Desk) -> None:
    (ready.folder / "closed").mkdir()
    (ready.folder / "closed" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="there is a closed folder already") as caught:
        shut(ready)
    assert "--out" in caught.value.wanted
    assert [path.name for path in (ready.folder / "closed").iterdir()] == ["mine.txt"]


def test_what_is_missing_in_the_vault_leaves_no_half_a_folder(ready: Desk) -> None:
    shutil.rmtree(ready.vault.hidden_folder("final", 1) / "truth")
    with pytest.raises(StorageError):
        shut(ready)
    assert [path.name for path in ready.folder.iterdir() if "closed" in path.name] == []


def test_what_a_process_that_was_killed_left_is_no_hindrance(ready: Desk) -> None:
    (ready.folder / ".closed.part" / "runs").mkdir(parents=True)
    assert shut(ready).challenge == "signals"
    assert not (ready.folder / ".closed.part").exists()


def test_everything_is_listed_with_what_is_in_it(ready: Desk) -> None:
    closed, folder = shut(ready), ready.folder / "closed"
    assert Closed.model_validate_json((folder / "closed.json").read_bytes()) == closed
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {*closed.files, "closed.json"} == set(there)
    assert {name: one.sha256 for name, one in closed.files.items()} == {
        name: sha256_file(path) for name, path in there.items() if name != "closed.json"
    }
    tops = {name.partition("/")[0] for name in there}
    assert tops >= {"index.html", "board.json", "bias.html", "README.txt", "design", "boards", "hidden", "software"}


def test_the_folder_of_a_challenge_that_nobody_passed_can_be_checked(ready: Desk) -> None:
    shut(ready)
    found, _ = check_closed(ready.folder / "closed")
    assert [(check.name, check.outcome) for check in found.checks] == [
        (name, "passed") for name in ("files", "design", "seal", "signatures", "board")
    ], found.as_json()


def test_what_had_no_score_is_not_published(ready: Desk) -> None:
    shut(ready)
    (submission,) = (ready.folder / "closed" / "submissions").iterdir()
    assert [path.name for path in submission.iterdir()] == ["submission.json"]
    (made,) = (ready.folder / "closed" / "evaluations").iterdir()
    assert sorted(path.name for path in made.iterdir()) == ["evaluation.json", "receipt.json"]


def test_secrets_that_are_nobodys_stay_in_the_vault(ready: Desk) -> None:
    """The key signs other things; the canary and what went wrong inside are of no use to anybody."""
    shut(ready)
    key = ready.vault.key.read_bytes()
    canary = ready.vault.hidden("final", 1).canary
    paths = [path for path in (ready.folder / "closed").rglob("*") if path.is_file()]
    assert not any(key in path.read_bytes() for path in paths)
    assert {path.name for path in paths} & {"key.pem", "canary", "error.txt"} == set()
    assert canary in (ready.folder / "closed" / "hidden" / "final@1" / "inputs" / "dataset.toml").read_text()


def test_a_board_before_anybody_came(desk: Desk) -> None:
    with pytest.raises(InputError, match="the challenge was not opened") as caught:
        board_of(desk.challenge, desk.vault, desk.challenge.phase())
    assert caught.value.next_command.startswith("braggbook challenge open signals --split final")
    desk.open()
    board = board_of(desk.challenge, desk.vault, desk.challenge.phase())
    assert (board.rows, board.left, board.closed, board.truth) == ([], [], False, "sealed")


def test_a_board_says_who_is_not_on_it_and_is_written_as_a_page(ready: Desk) -> None:
    board = board_of(ready.challenge, ready.vault, ready.challenge.phase())
    assert [(one.team, one.why) for one in board.left] == [("One", "refused: the predictions were refused")]
    page = write_board(board, ready.folder / "board", design=ready.challenge.design)
    assert page == ready.folder / "board" / "index.html"
    assert "the predictions were refused" in page.read_text(encoding="utf-8")
    assert json.loads((ready.folder / "board" / "board.json").read_text())["challenge"] == "signals"


def test_a_run_without_a_record_has_no_doi(desk: Desk) -> None:
    assert record_of_run(desk.vault, "0" * 24) is None


def test_an_evaluation_that_cannot_be_read_is_named(ready: Desk) -> None:
    (made,) = ready.vault.evaluations()
    path = ready.vault.evaluation_folder(made.submission, made.id) / "evaluation.json"
    path.write_text("{")
    with pytest.raises(RecordError, match="a file that cannot be read") as caught:
        shut(ready)
    assert caught.value.where == str(path)


def test_another_vault_has_no_evaluations(ready: Desk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to close"):
        close(ready.challenge, Vault(tmp_path / "none"), ready.folder / "closed", settings=ready.settings, now=OVER)


def test_the_last_phase_to_end_is_named(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, closes=NOW + 5 * DAY)
    desk.open()
    scored_none(desk)
    with pytest.raises(InputError, match="a phase goes on") as caught:
        shut(desk)
    assert (caught.value.where, caught.value.got) == ("final", OVER.isoformat(timespec="seconds"))
