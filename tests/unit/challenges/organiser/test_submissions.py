"""Who may submit what, when, and how often."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.signing import verify_signature
from braggbook.challenges.submissions import left, quota_text, same_team, submit, waiting
from braggbook.challenges.vault import Vault
from braggbook.errors import InputError
from braggbook.files import write_json
from braggbook.formats.submission import Evaluation, Submission, Verdict

from .desk import DAY, HOUR, NOW, Desk, make_desk


def _evaluated(vault: Vault, one: Submission, verdict: Verdict, *, charged: bool) -> None:
    made = Evaluation(
        id="0" * 16,
        submission=one.id,
        challenge=one.challenge,
        design="0" * 64,
        phase=one.phase,
        split="final",
        truth_version=1,
        team=one.team,
        kind=one.kind,
        received=one.received,
        evaluated=one.received,
        verdict=verdict,
        charged=charged,
    )
    folder = vault.evaluation_folder(one.id, made.id)
    folder.mkdir(parents=True)
    write_json(folder / "evaluation.json", made.model_dump(mode="json"))


def test_what_came_is_kept_as_it_came(desk: Desk) -> None:
    desk.open()
    made = desk.submit(team="  One   Team ")
    assert desk.vault.submission(made.id[:6]) == made
    kept = desk.vault.submission_folder(made.id) / "received" / "predictions.csv"
    assert kept.read_bytes() == (desk.folder / "predictions.csv").read_bytes()
    assert (made.kind, made.phase, made.received) == ("predictions", "final", NOW.isoformat(timespec="milliseconds"))
    assert list(made.files) == ["predictions.csv"]


@pytest.mark.parametrize(
    ("now", "words"),
    [(NOW - DAY - HOUR, "not open yet"), (NOW + DAY, "closed"), (NOW + 2 * DAY, "closed")],
)
def test_a_phase_has_a_beginning_and_an_end(desk: Desk, now: datetime.datetime, words: str) -> None:
    desk.open()
    with pytest.raises(InputError, match=f"the phase is {words}"):
        desk.submit(now=now)
    assert desk.submit(now=NOW - DAY).received  # the first moment is in, the last is not
    assert len(desk.vault.submissions()) == 1


def test_the_time_zone_of_the_deadline_counts(tmp_path: Path) -> None:
    """Midnight in Tokyo is nine hours before midnight in Greenwich."""
    tokyo = datetime.timezone(9 * HOUR)
    desk = make_desk(tmp_path, closes=datetime.datetime(2027, 3, 2, 0, 0, tzinfo=tokyo))
    desk.open()
    assert desk.submit(now=datetime.datetime(2027, 3, 1, 14, 59, 59, tzinfo=datetime.UTC))
    with pytest.raises(InputError, match="closed"):
        desk.submit(now=datetime.datetime(2027, 3, 1, 15, 0, tzinfo=datetime.UTC))


def test_terms_are_accepted_or_nothing_is_kept(desk: Desk) -> None:
    desk.open()
    phase = desk.challenge.phase()
    with pytest.raises(InputError, match="the terms of the phase are not accepted") as caught:
        submit(desk.challenge, desk.vault, desk.predictions(), phase=phase, team="One", accepted=False, now=NOW)
    assert phase.terms in str(caught.value)
    assert desk.vault.submissions() == []


def test_nothing_is_taken_before_the_challenge_is_open(desk: Desk) -> None:
    with pytest.raises(InputError, match="the challenge was not opened"):
        desk.submit()


def test_what_is_not_asked_for_gets_a_receipt_and_costs_nothing(desk: Desk) -> None:
    desk.open()
    odd = desk.folder / "predictions.csv"
    odd.write_bytes(b"\x80\x04N.")
    made = desk.submit(odd)
    assert made.refused
    assert made.files == {}
    assert not any((desk.vault.submission_folder(made.id) / "received").iterdir())
    evaluation, receipt = evaluate_submission(
        desk.challenge, desk.vault, made, settings=desk.settings, clock=lambda: NOW
    )
    assert (receipt.verdict, receipt.charged, receipt.left) == ("refused", False, 5)
    assert receipt.problem is not None
    assert receipt.problem.issues == made.refused
    sealed = desk.challenge.sealed
    assert sealed is not None
    for signed in (evaluation, receipt):
        assert verify_signature(sealed.key, signed.message, signed.signature)
    assert waiting(desk.vault) == []


def test_a_team_has_so_many_submissions_however_it_is_spelled(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, quota={"total": 2})
    desk.open()
    desk.submit(team="Équipe 1")
    desk.submit(team="e\u0301QUIPE  1")
    with pytest.raises(InputError, match="no submission left") as caught:
        desk.submit(team="équipe 1")
    assert "2 in all" in str(caught.value)
    assert desk.submit(team="Two")


def test_only_what_was_scored_or_was_the_participants_fault_counts(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, quota={"total": 3})
    desk.open()
    phase = desk.challenge.phase()
    for verdict, charged in (("platform", False), ("refused", False), ("scored", True)):
        _evaluated(desk.vault, desk.submit(), verdict, charged=charged)  # type: ignore[arg-type]
    assert left(desk.vault, phase=phase, team="One", now=NOW) == 2


def test_a_day_is_a_day_of_the_phases_own_zone(tmp_path: Path) -> None:
    zone = datetime.timezone(2 * HOUR)
    desk = make_desk(tmp_path, quota={"per_day": 1}, opens=datetime.datetime(2027, 2, 1, tzinfo=zone))
    desk.open()
    desk.submit(now=datetime.datetime(2027, 3, 1, 21, 30, tzinfo=datetime.UTC))  # half past eleven at night
    with pytest.raises(InputError, match="no submission left"):
        desk.submit(now=datetime.datetime(2027, 3, 1, 21, 59, tzinfo=datetime.UTC))
    assert desk.submit(now=datetime.datetime(2027, 3, 1, 22, 0, tzinfo=datetime.UTC))
    assert quota_text(desk.challenge.phase()) == "at most 1 a day (UTC+02:00)"


def test_what_waits_is_what_has_no_answer_or_failed_through_our_fault(desk: Desk) -> None:
    desk.open()
    new, ours, done = (desk.submit(team=name, now=NOW + at * HOUR) for at, name in enumerate("abc"))
    _evaluated(desk.vault, ours, "platform", charged=False)
    _evaluated(desk.vault, done, "scored", charged=True)
    assert waiting(desk.vault) == [new, ours]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada", "ada", True),
        ("Ada", "Ada ", True),
        ("ﬁt", "fit", True),
        ("Ada", "Adah", False),
        ("Straße", "STRASSE", True),
    ],
)
def test_one_team_has_one_name(one: str, other: str, same: bool) -> None:
    assert same_team(one, other) is same


def test_a_team_is_called_what_it_was_called_first(desk: Desk) -> None:
    desk.open()
    desk.submit(team="North")
    assert desk.submit(team="NORTH").team == "North"
