"""Who is killed and begins again with the same id makes nothing twice, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.parts import part_of, show
from braggbook.challenges.submissions import left, submit
from braggbook.challenges.vault import Vault
from braggbook.errors import InputError, StorageError
from braggbook.formats.submission import Evaluation, Receipt, Submission

from .desk import DAY, HOUR, NOW, Desk, make_desk

ID = "0123456789abcdef"
OTHER = "fedcba9876543210"


def came(desk: Desk, *, id: str | None = ID, team: str = "One", now: datetime.datetime = NOW) -> Submission:
    phase = desk.challenge.phase()
    return submit(
        desk.challenge, desk.vault, desk.predictions(k1="nan"), phase=phase, team=team, accepted=True, now=now, id=id
    )


def evaluated(
    desk: Desk, one: Submission, *, id: str | None = None, now: datetime.datetime = NOW
) -> tuple[Evaluation, Receipt]:
    return evaluate_submission(desk.challenge, desk.vault, one, settings=desk.settings, clock=lambda: now, id=id)


def hidden_names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_submission_has_the_id_that_is_given(desk: Desk) -> None:
    desk.open()
    made = came(desk)
    assert made.id == ID
    assert desk.vault.submission_folder(ID).is_dir()
    assert desk.vault.received(ID) == made


def test_a_known_id_is_returned_as_it_is(tmp_path: Path) -> None:
    """Even where nothing would be taken in any more, for it was."""
    desk = make_desk(tmp_path, quota={"total": 1})
    desk.open()
    made = came(desk)
    assert came(desk, team="Two", now=NOW + 2 * DAY) == made
    assert desk.vault.submissions() == [made]
    with pytest.raises(InputError, match="no submission left"):
        came(desk, id=OTHER)


@pytest.mark.parametrize("id", ["", "0123", ID.upper(), f"{ID}0", "../../../../../x", f"{ID}\n"])
def test_what_is_no_id_is_refused_before_anything_is_written(desk: Desk, id: str) -> None:
    desk.open()
    with pytest.raises(InputError, match="not the id of a submission"):
        came(desk, id=id)
    one = came(desk)
    with pytest.raises(InputError, match="not the id of an evaluation"):
        evaluated(desk, one, id=id)
    assert desk.vault.submissions() == [one]
    assert desk.vault.evaluations() == []


def test_what_a_killed_process_left_of_a_submission_is_removed(desk: Desk) -> None:
    desk.open()
    left_over = desk.vault.folder / "submissions" / f".{ID}.part" / "received"
    left_over.mkdir(parents=True)
    (left_over / "predictions.csv").write_text("half a fi")
    made = came(desk)
    assert made.refused == []
    assert hidden_names(left_over.parents[1]) == []


def test_an_evaluation_has_the_id_that_is_given_and_is_made_once(desk: Desk) -> None:
    desk.open()
    one = came(desk)
    made, receipt = evaluated(desk, one, id=OTHER)
    assert (made.id, receipt.evaluation) == (OTHER, OTHER)
    desk.vault.key.unlink()  # nothing could be evaluated any more
    assert evaluated(desk, one, id=OTHER, now=NOW + HOUR) == (made, receipt)
    assert desk.vault.evaluations() == [made]


def test_whoever_is_first_makes_the_evaluation(desk: Desk) -> None:
    """The clock is looked at in the midst of it: there another process does the whole of it."""
    desk.open()
    one = came(desk)
    first: list[tuple[Evaluation, Receipt]] = []

    def clock() -> datetime.datetime:
        first.append(evaluated(desk, one, id=OTHER))
        return NOW + HOUR

    late = evaluate_submission(desk.challenge, desk.vault, one, settings=desk.settings, clock=clock, id=OTHER)
    assert late == first[0]
    assert desk.vault.evaluations() == [first[0][0]]
    assert hidden_names(desk.vault.evaluation_folder(one.id, OTHER).parent) == []


def test_many_at_once_make_one_evaluation(desk: Desk) -> None:
    desk.open()
    one = came(desk)
    found: list[tuple[Evaluation, Receipt]] = []
    threads = [threading.Thread(target=lambda: found.append(evaluated(desk, one, id=OTHER))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert desk.vault.evaluations() == [found[0][0]]
    assert all(pair == found[0] for pair in found)


def test_who_asks_at_the_same_time_gets_the_same_next_id(desk: Desk) -> None:
    desk.open()
    one = came(desk)
    next_id = desk.vault.next_evaluation(one.id)
    assert desk.vault.next_evaluation(one.id) == next_id != desk.vault.next_evaluation(OTHER)
    made, _ = evaluated(desk, one)
    assert made.id == next_id != desk.vault.next_evaluation(one.id)


_HOLDS = """
import sys
from contextlib import nullcontext
from pathlib import Path
from braggbook.challenges.parts import part_of
with part_of(Path(sys.argv[1]), alone=nullcontext()) as part:
    (part / "half").write_text("a fi")
    print(part.name, flush=True)
    sys.stdin.read()
"""


def test_remains_are_removed_and_what_lives_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "made" / ID
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    name = holder.stdout.readline().strip()
    with part_of(target, alone=contextlib.nullcontext()) as part:
        assert part.name != name
        assert (target.parent / name / "half").is_file()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    assert (target.parent / name).is_dir()
    with part_of(target, alone=contextlib.nullcontext()) as part:
        assert not (target.parent / name).exists()
        assert show(part, target, card="half")
    assert [path.name for path in target.parent.iterdir()] == [ID]


def test_parts_of_earlier_releases_are_remains(tmp_path: Path) -> None:
    (tmp_path / f".{ID}.part").mkdir()
    with part_of(tmp_path / ID, alone=contextlib.nullcontext()):
        assert not (tmp_path / f".{ID}.part").exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / ID
    target.mkdir()
    (target / "first").touch()
    with part_of(target, alone=contextlib.nullcontext()) as part:
        (part / "second").touch()
        assert not show(part, target, card="first")
        with pytest.raises(StorageError):
            show(part, target, card="card")  # what is there is not whole
    assert [path.name for path in target.iterdir()] == ["first"]


def test_a_disk_that_refuses_the_rename_is_told(tmp_path: Path) -> None:
    (tmp_path / ID).write_text("a file where the folder should be")
    with part_of(tmp_path / ID, alone=contextlib.nullcontext()) as part, pytest.raises(StorageError):
        show(part, tmp_path / ID, card="card")


class Counting(Vault):
    """A vault that counts how often all of its submissions are read."""

    reads = 0

    def submissions(self) -> list[Submission]:
        type(self).reads += 1
        return super().submissions()


def test_who_submits_reads_the_vault_twice(desk: Desk) -> None:
    """Before a large file is unpacked, and again when nobody else can come in between."""
    desk.open()
    vault = Counting(desk.vault.folder)
    phase = desk.challenge.phase()
    for number in range(3):
        one = submit(desk.challenge, vault, desk.predictions(), phase=phase, team="One", accepted=True, now=NOW)
        assert vault.reads == 2 * (number + 1)
    assert vault.submission(one.id) == one
    assert vault.reads == 6
    assert left(vault, phase=phase, team="One", now=NOW) == 2
    assert vault.reads == 7


def test_many_at_once_get_no_more_than_their_quota(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, quota={"total": 3})
    desk.open()
    source = desk.predictions()
    phase = desk.challenge.phase()
    refused: list[str] = []

    def one() -> None:
        try:
            submit(desk.challenge, desk.vault, source, phase=phase, team="One", accepted=True, now=NOW)
        except InputError as error:
            refused.append(error.what)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["no submission left"] * 5
    assert len(desk.vault.submissions()) == 3
    assert hidden_names(desk.vault.folder / "submissions") == []


def test_many_at_once_with_one_id_are_one_submission(desk: Desk) -> None:
    desk.open()
    source = desk.predictions()
    phase = desk.challenge.phase()
    found: list[Submission] = []

    def one() -> None:
        found.append(submit(desk.challenge, desk.vault, source, phase=phase, team="One", accepted=True, now=NOW, id=ID))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each == found[0] for each in found)
    assert desk.vault.submissions() == [found[0]]
