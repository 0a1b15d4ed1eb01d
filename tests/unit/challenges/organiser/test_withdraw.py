"""A submission that is withdrawn: off the board, not scored again, still counted, and said so for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from braggbook.challenges.closing import board_of, close
from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.signing import new_key, sign, verify_signature
from braggbook.challenges.submissions import left, standing, waiting, withdraw
from braggbook.challenges.verify import check_closed
from braggbook.errors import InputError, RecordError
from braggbook.files import write_json
from braggbook.formats.submission import Submission, Withdrawal
from braggbook.testing.challenges import ANNA, BEN, LATE, NET, Made, closed_challenge, relist

from .desk import DAY, HOUR, NOW, Desk, make_desk

WHY = "the file of another challenge was sent"


def gone(desk: Desk, one: Submission, *, by: str = "the team", because: str = WHY) -> Withdrawal:
    return withdraw(desk.vault, one, now=NOW + HOUR, by=by, because=because)


def test_it_is_written_beside_the_submission_and_signed(desk: Desk) -> None:
    desk.open()
    one, other = desk.submit(team="One"), desk.submit(team="Two")
    made = gone(desk, one, by=" the team ")
    assert (made.submission, made.phase, made.team, made.by, made.because) == (one.id, "final", "One", "the team", WHY)
    assert json.loads((desk.vault.submission_folder(one.id) / "withdrawn.json").read_text())["because"] == WHY
    sealed = desk.challenge.sealed
    assert sealed is not None
    assert verify_signature(sealed.key, made.message, made.signature)
    assert desk.vault.withdrawal(one.id) == made
    assert desk.vault.withdrawal(other.id) is None
    assert desk.vault.withdrawals() == [made]
    assert standing(desk.vault) == [other]


def test_who_withdraws_again_hears_what_was_said_first(desk: Desk) -> None:
    desk.open()
    one = desk.submit()
    made = gone(desk, one)
    assert gone(desk, one, by="the organiser", because="something else") == made


@pytest.mark.parametrize(("by", "because"), [("", WHY), ("me", ""), ("me", "a" * 301), ("me", "a\nb"), ("a" * 61, WHY)])
def test_who_and_why_can_be_shown(desk: Desk, by: str, because: str) -> None:
    desk.open()
    one = desk.submit()
    with pytest.raises(InputError, match="that can be shown"):
        gone(desk, one, by=by, because=because)
    assert desk.vault.withdrawal(one.id) is None


def test_a_reason_may_be_longer_than_a_name(desk: Desk) -> None:
    desk.open()
    assert gone(desk, desk.submit(), because="a" * 300).because == "a" * 300


def test_it_waits_for_nothing(desk: Desk) -> None:
    desk.open()
    one, other = desk.submit(team="One"), desk.submit(team="Two")
    gone(desk, one)
    assert waiting(desk.vault) == [other]


def test_it_counts_as_it_counted(tmp_path: Path) -> None:
    """One that waited and one that was charged go on counting; one that cost nothing goes on costing nothing."""
    desk = make_desk(tmp_path, quota={"total": 2})
    desk.open()
    phase = desk.challenge.phase()
    one = desk.submit(desk.predictions(k1="nan"))
    evaluate_submission(desk.challenge, desk.vault, one, settings=desk.settings, clock=lambda: NOW)
    gone(desk, one)
    assert left(desk.vault, phase=phase, team="One", now=NOW) == 2
    gone(desk, desk.submit())
    assert left(desk.vault, phase=phase, team="One", now=NOW) == 1


def test_after_the_end_nothing_is_withdrawn(desk: Desk) -> None:
    desk.open()
    one = desk.submit()
    desk.vault.end("2027-04-01T00:00:00+00:00")
    with pytest.raises(InputError, match="the challenge was closed"):
        gone(desk, one)


def test_a_damaged_one_is_no_submission_that_stands(desk: Desk) -> None:
    desk.open()
    one = desk.submit()
    gone(desk, one)
    (desk.vault.submission_folder(one.id) / "withdrawn.json").write_text("{}")
    with pytest.raises(RecordError, match="a file that is not valid"):
        standing(desk.vault)


def test_the_board_says_who_withdrew_it_and_why(desk: Desk) -> None:
    desk.open()
    one = desk.submit(desk.predictions(k1="nan"))
    evaluate_submission(desk.challenge, desk.vault, one, settings=desk.settings, clock=lambda: NOW)
    other = desk.submit(team="Two")  # never evaluated
    gone(desk, one)
    gone(desk, other, by="Ada Lovelace", because="it broke the terms")
    board = board_of(desk.challenge, desk.vault, desk.challenge.phase())
    assert [(row.team, row.why) for row in board.left] == [
        ("One", f"withdrawn by the team: {WHY}"), ("Two", "withdrawn by Ada Lovelace: it broke the terms"),
    ]  # fmt: skip


def test_it_is_no_reason_to_wait_with_closing(desk: Desk) -> None:
    """Not even if it was never scored, or by another design: nobody can score it again."""
    desk.open()
    one, other = desk.submit(desk.predictions(k1="nan")), desk.submit(desk.predictions(k1="nan"), team="Two")
    evaluate_submission(desk.challenge, desk.vault, other, settings=desk.settings, clock=lambda: NOW)
    gone(desk, one)
    target = desk.folder / "closed"
    closed = close(desk.challenge, desk.vault, target, settings=desk.settings, now=NOW + 2 * DAY)
    assert f"submissions/{one.id}/withdrawn.json" in closed.files
    assert (target / "submissions" / one.id / "withdrawn.json").is_file()


# The closed folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A closed challenge, in whose last phase Ben withdrew."""
    made = closed_challenge(tmp_path_factory.mktemp("withdrawn"))
    shutil.rmtree(made.folder)
    (made.vault.folder / "ended").unlink()
    one = _of(made, BEN)
    withdraw(made.vault, one, now=NOW, by="the team", because=WHY)
    close(made.challenge, made.vault, made.folder, settings=made.settings, now=NOW + 2000 * DAY)
    return made


def _of(made: Made, team: str) -> Submission:
    return next(one for one in made.vault.submissions() if (one.team, one.phase) == (team, "last"))


def findings(folder: Path) -> dict[str, str]:
    found, _ = check_closed(folder)
    return {check.name: "\n".join(map(str, check.issues)) for check in found.checks if check.outcome == "failed"}


def test_a_stranger_makes_the_same_board(made: Made) -> None:
    assert findings(made.folder) == {}
    _, opened = check_closed(made.folder)
    assert opened is not None
    board = opened.boards["board.json"]
    assert [row.team for row in board.rows] == [NET, ANNA]
    assert [(row.team, row.why.partition(":")[0]) for row in board.left] == [
        (BEN, "withdrawn by the team"), (LATE, "refused"),
    ]  # fmt: skip
    practice = opened.boards["boards/practice.json"]
    assert BEN in [row.team for row in practice.rows]


def test_of_what_was_withdrawn_nothing_is_published_but_what_was_signed(made: Made) -> None:
    one = _of(made, BEN)
    (evaluation,) = made.vault.evaluations(one.id)
    assert evaluation.scorer is not None
    names = [path.name for path in (made.folder / "submissions" / one.id).iterdir()]
    assert sorted(names) == ["submission.json", "withdrawn.json"]
    names = [path.name for path in (made.folder / "evaluations" / evaluation.id).iterdir()]
    assert sorted(names) == ["evaluation.json", "receipt.json"]
    assert not (made.folder / "runs" / evaluation.scorer.run).exists()
    assert (made.vault.folder / "runs" / evaluation.scorer.run).is_dir()


def test_nobody_else_takes_a_row_off(made: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made.folder, tmp_path / "copy"))
    one = _of(made, ANNA)
    forged = Withdrawal(
        submission=one.id, challenge=one.challenge, phase=one.phase, team=one.team, withdrawn="2027-01-01T00:00:00Z",
        by="the organiser", because="no reason",
    )  # fmt: skip
    new_key(tmp_path / "key.pem")
    forged = forged.signed(sign(tmp_path / "key.pem", forged.message))
    write_json(folder / "submissions" / one.id / "withdrawn.json", forged.model_dump(mode="json"))
    relist(folder)
    found = findings(folder)
    assert "the withdrawal is not signed by the organiser" in found["signatures"]
    assert "board.json rows" in found["board"]


def test_a_withdrawal_belongs_to_its_submission(made: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made.folder, tmp_path / "copy"))
    one, other = _of(made, BEN), _of(made, ANNA)
    (folder / "submissions" / one.id / "withdrawn.json").rename(folder / "submissions" / other.id / "withdrawn.json")
    relist(folder)
    found = findings(folder)
    assert "another id than its submission's" in found["signatures"]
    assert "another team than its submission's" in found["signatures"]
