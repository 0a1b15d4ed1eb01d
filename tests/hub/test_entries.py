"""The life of a submission: nothing lost, nothing twice, always a state with a reason."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from braggbook.challenges.submissions import submit
from braggbook.errors import InputError
from braggbook.hub import boards, entries
from braggbook.hub.store import entries as rows
from braggbook.hub.store import jobs
from braggbook.hub.store.tables import Entry
from braggbook.hub.work.worker import Worker
from braggbook.testing.challenges import LATE, NET

from .conftest import Hub


def _begin(hub: Hub, team: str = "Anna", key: str = "") -> Entry:
    with hub.desk.database.read() as session:
        known = rows.list_entries(session)[1]
    person, mine = hub.person(f"{team} {known}", team=f"{team} {known}" if known else team)
    assert mine is not None
    wanted = entries.Wanted(hub.opened.challenge, "practice", mine, person, "", key, "predictions.csv")
    entry, new = entries.begin(hub.desk, wanted)
    assert new
    return entry


def _hand_in(hub: Hub, team: str = "Anna", file: str | None = None) -> Entry:
    return entries.arrive(hub.desk, _begin(hub, team).id, hub.file(file or team), accepted=True)


def _state(hub: Hub, id: str) -> str:
    with hub.desk.database.read() as session:
        entry = rows.find_entry(session, id)
        assert entry is not None
        assert entry.why
        return entry.state


def _states(hub: Hub, id: str) -> list[str]:
    with hub.desk.database.read() as session:
        return [event.state for event in rows.events(session, id)]


def test_from_upload_to_board(either_hub: Hub) -> None:
    entry = _hand_in(either_hub)
    assert either_hub.work() == 2
    assert _states(either_hub, entry.id) == ["arriving", "queued", "running", "scored"]
    board = boards.Shelf(either_hub.desk).current("tiny_dose", "practice")
    assert board is not None
    assert [(row.team, row.submission) for row in board.board.rows] == [("Anna", entry.id)]
    assert len(either_hub.opened.vault.evaluations()) == 1


def test_one_key_is_one_submission(either_hub: Hub) -> None:
    hub = either_hub
    person, team = hub.person("Anna", team="Anna")
    assert team is not None
    wanted = entries.Wanted(hub.opened.challenge, "practice", team, person, "", "the same", "predictions.csv")
    (first, new), (second, again) = (entries.begin(hub.desk, wanted) for _ in range(2))
    assert (new, again) == (True, False)
    assert first.id == second.id


def test_taking_a_file_in_twice_makes_one_submission(hub: Hub) -> None:
    entry = _begin(hub)
    for _ in range(2):
        entries.arrive(hub.desk, entry.id, hub.file("Anna"), accepted=True)
    assert hub.work() == 2
    assert len(hub.opened.vault.submissions()) == 1


def test_what_the_phase_does_not_take_says_so(hub: Hub) -> None:
    entry = _begin(hub)
    with pytest.raises(InputError, match="terms"):
        entries.arrive(hub.desk, entry.id, hub.file("Anna"), accepted=False)
    assert _states(hub, entry.id) == ["arriving", "refused"]
    assert hub.opened.vault.submissions() == []


def test_what_is_not_wanted_is_refused_with_a_receipt(hub: Hub) -> None:
    entry = _hand_in(hub, "Anna", LATE)
    hub.work()
    assert _state(hub, entry.id) == "refused"
    (made,) = hub.opened.vault.evaluations(entry.id)
    assert hub.opened.vault.receipt(made).verdict == "refused"


def test_a_hub_killed_after_the_vault_took_it_loses_nothing(either_hub: Hub) -> None:
    """The vault has it, the queue has not: as if the process ended between the two."""
    hub = either_hub
    entry = _begin(hub)
    phase = hub.opened.challenge.phase("practice")
    submit(
        hub.opened.challenge, hub.opened.vault, hub.file("Anna"), phase=phase, team="Anna", accepted=True,
        now=entry.received, id=entry.id,
    )  # fmt: skip
    hub.time.later(seconds=1)
    entries.recover(hub.desk)
    entries.recover(hub.desk)
    assert _state(hub, entry.id) == "queued"
    assert hub.work() == 2
    assert _state(hub, entry.id) == "scored"


def test_an_upload_that_never_came_is_said_after_a_while(hub: Hub) -> None:
    entry = _begin(hub)
    hub.time.later(hours=1)
    entries.recover(hub.desk)
    assert _state(hub, entry.id) == "arriving"
    hub.time.later(hours=2)
    entries.recover(hub.desk)
    assert _states(hub, entry.id) == ["arriving", "refused"]


def test_a_worker_killed_after_the_evaluation_makes_no_second_one(either_hub: Hub) -> None:
    hub = either_hub
    entry = _hand_in(hub)
    with hub.desk.database.write() as session:
        job = jobs.take(session, worker="killed", now=hub.time())
    assert job is not None
    vault = hub.opened.vault
    hub.evaluator(
        hub.opened.challenge, vault, vault.submission(entry.id), settings=hub.desk.settings, clock=hub.time,
        id=job.evaluation,
    )  # fmt: skip
    assert hub.work() == 0
    hub.time.later(seconds=31)
    assert hub.work() == 2
    assert len(vault.evaluations(entry.id)) == 1
    assert _states(hub, entry.id)[-1] == "scored"


def test_a_submission_by_the_command_line_is_followed(hub: Hub) -> None:
    phase = hub.opened.challenge.phase("practice")
    sent = submit(
        hub.opened.challenge, hub.opened.vault, hub.file("Ben & Co."), phase=phase, team="Ben & Co.", accepted=True,
        now=hub.time(),
    )  # fmt: skip
    hub.work()
    assert _state(hub, sent.id) == "scored"


class _Broken:
    """Goes wrong as often as it is told, then works."""

    def __init__(self, hub: Hub, times: int) -> None:
        self._hub, self.times = hub, times

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.times > 0:
            self.times -= 1
            raise RuntimeError("what hidden data may be in")
        return self._hub.evaluator(*args, **options)


@pytest.mark.parametrize(("times", "state"), [(1, "scored"), (2, "scored"), (3, "platform")])
def test_our_own_faults_are_tried_again_and_never_tell(hub: Hub, times: int, state: str) -> None:
    entry = _hand_in(hub)
    worker = Worker(hub.desk, evaluator=_Broken(hub, times), name="w")
    for _ in range(4):
        worker.run(until_idle=True)
        hub.time.later(minutes=5)
    assert _state(hub, entry.id) == state
    with hub.desk.database.read() as session:
        said = " ".join(event.text for event in rows.events(session, entry.id))
    assert "not yours" in said
    assert "hidden" not in said


def test_scoring_again_keeps_the_place_until_it_is_done(hub: Hub) -> None:
    entry = _hand_in(hub)
    hub.work()
    by, _ = hub.person("Olga", organiser=True)
    assert entries.rescore(hub.desk, hub.opened.challenge, phase=None, by=by, because="a better metric") == 1
    assert _state(hub, entry.id) == "queued"
    shelf = boards.Shelf(hub.desk)
    before = shelf.current("tiny_dose", "practice")
    assert before is not None
    assert len(before.board.rows) == 1
    hub.work()
    assert len(hub.opened.vault.evaluations(entry.id)) == 2
    assert _state(hub, entry.id) == "scored"


def test_a_withdrawn_submission_leaves_the_board(hub: Hub) -> None:
    entry = _hand_in(hub)
    by, _ = hub.person("Olga", organiser=True)
    with pytest.raises(InputError, match="cannot be withdrawn now"):
        entries.withdraw_entry(hub.desk, entry, by=by, because="wrong file")
    hub.work()
    with hub.desk.database.read() as session:
        ended = rows.find_entry(session, entry.id)
    assert ended is not None
    entries.withdraw_entry(hub.desk, ended, by=by, because="wrong file")
    hub.work()
    board = boards.Shelf(hub.desk).current("tiny_dose", "practice")
    assert board is not None
    assert board.board.rows == []
    assert _state(hub, entry.id) == "withdrawn"
    assert entries.rescore(hub.desk, hub.opened.challenge, phase=None, by=by, because="x") == 0


def test_a_queue_says_its_length_and_whether_anybody_works(hub: Hub) -> None:
    first, second = _hand_in(hub), _hand_in(hub, "Ben", "Anna")
    with hub.desk.database.read() as session:
        found = [entries.standing(session, one, now=hub.time()) for one in (first, second)]
    assert [one.ahead for one in found] == [0, 1]
    assert all("no worker is here" in one.why for one in found)
    hub.work()
    third = _hand_in(hub, "Cem", "Anna")
    with hub.desk.database.read() as session:
        one = entries.standing(session, third, now=hub.time())
    assert (one.ahead, one.workers) == (0, 1)
    assert one.expected is not None
    assert one.expected >= hub.time()


def test_a_worker_ends_itself_when_a_job_is_stuck(hub: Hub) -> None:
    _hand_in(hub)
    codes: list[int] = []
    ended = threading.Event()

    def stuck(*args: Any, **options: Any) -> Any:
        assert ended.wait(20)
        return hub.evaluator(*args, **options)

    def give_up(code: int) -> None:
        codes.append(code)
        ended.set()

    worker = Worker(hub.desk, evaluator=stuck, name="w", patience_s=0.2, give_up=give_up)
    worker.step()
    assert codes == [70]


def test_patience_is_longer_than_what_the_design_allows(hub: Hub) -> None:
    entry = _hand_in(hub)
    with hub.desk.database.read() as session:
        job = jobs.job_of(session, entry.id)
    assert job is not None
    limits = hub.opened.challenge.design.limits
    assert Worker(hub.desk, name="w").longest(job).total_seconds() > limits.wall_s + hub.desk.config.scoring_timeout_s


def test_a_notebook_of_a_team(hub: Hub) -> None:
    entry = _hand_in(hub, NET)
    hub.work()
    assert _state(hub, entry.id) == "scored"
    with hub.desk.database.read() as session:
        found = rows.find_entry(session, entry.id)
        assert found is not None
        assert found.kind == "notebook"
