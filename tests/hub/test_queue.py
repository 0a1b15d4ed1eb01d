"""The queue: every job is done once, whoever dies."""

from __future__ import annotations

import datetime
import threading

import pytest

from braggbook.hub.store import entries, jobs
from braggbook.hub.store.database import Database
from braggbook.hub.store.tables import Entry, Job

NOW = datetime.datetime(2027, 3, 1, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def _entry(database: Database, id: str = "0" * 16) -> str:
    with database.write() as session:
        entry = Entry(id=id, challenge="c", phase="p", team="T", key=id, received=NOW, changed=NOW, state="queued")
        entries.add_entry(session, entry, why="")
        jobs.add_evaluation(session, challenge="c", phase="p", entry=id, now=NOW)
    return id


def _take(database: Database, worker: str = "A", now: datetime.datetime = NOW) -> Job | None:
    with database.write() as session:
        return jobs.take(session, worker=worker, now=now)


def test_what_came_first_is_taken_first_and_once(database: Database) -> None:
    for number in range(3):
        _entry(database, f"{number:016}")
    taken = [_take(database) for _ in range(4)]
    assert [job.entry_id for job in taken if job] == [f"{number:016}" for number in range(3)]
    assert taken[3] is None


def test_a_lease_that_has_ended_is_taken_by_another_and_the_late_one_changes_nothing(database: Database) -> None:
    _entry(database)
    first = _take(database, "A")
    assert first is not None
    assert first.lease is not None
    assert _take(database, "B", NOW + jobs.LEASE) is None
    second = _take(database, "B", NOW + jobs.LEASE + SECOND)
    assert second is not None
    assert (second.id, second.evaluation, second.attempts) == (first.id, first.evaluation, 2)
    with database.write() as session:
        assert not jobs.beat(session, first.id, lease=first.lease, now=NOW)
        assert not jobs.finish(session, first.id, lease=first.lease, now=NOW)
        assert not jobs.again(session, first.id, lease=first.lease, not_before=NOW, fresh=True, error="")
        assert jobs.finish(session, second.id, lease=second.lease or "", now=NOW)
    with database.read() as session:
        assert jobs.depth(session) == {"done": 1}


def test_a_heartbeat_keeps_the_lease(database: Database) -> None:
    _entry(database)
    job = _take(database)
    assert job is not None
    for number in range(1, 5):
        with database.write() as session:
            assert jobs.beat(session, job.id, lease=job.lease or "", now=NOW + number * 20 * SECOND, done=number)
    assert _take(database, "B", NOW + 100 * SECOND) is None


def test_what_is_put_back_waits_its_time_and_has_another_evaluation(database: Database) -> None:
    _entry(database)
    job = _take(database)
    assert job is not None
    before = job.evaluation
    with database.write() as session:
        assert jobs.again(session, job.id, lease=job.lease or "", not_before=NOW + 9 * SECOND, fresh=True, error="x")
    assert _take(database, now=NOW + 8 * SECOND) is None
    again = _take(database, now=NOW + 9 * SECOND)
    assert again is not None
    assert again.evaluation != before


def test_a_board_waits_once_and_goes_first(database: Database) -> None:
    with database.write() as session:
        for _ in range(3):
            jobs.add_board(session, challenge="c", phase="p", now=NOW)
    _entry(database)
    kinds = [job.kind for job in (_take(database) for _ in range(3)) if job]
    assert kinds == ["board", "evaluate"]


def test_boards_are_made_with_pauses_while_evaluations_wait(database: Database) -> None:
    ids = [_entry(database, f"{number:016}") for number in range(3)]
    kinds = []
    for seconds in (0, 1, 2, 3, 4):
        now = NOW + seconds * SECOND
        with database.write() as session:
            jobs.add_board(session, challenge="c", phase="p", now=now)
        job = _take(database, now=now)
        assert job is not None
        with database.write() as session:
            assert jobs.finish(session, job.id, lease=job.lease or "", now=now)
        kinds.append(job.kind)
    assert kinds == ["board", "evaluate", "board", "evaluate", "board"]
    assert len(ids) == 3


def test_a_board_does_not_wait_when_nothing_else_does(database: Database) -> None:
    for _ in range(2):
        with database.write() as session:
            jobs.add_board(session, challenge="c", phase="p", now=NOW)
        job = _take(database)
        assert job is not None
        with database.write() as session:
            assert jobs.finish(session, job.id, lease=job.lease or "", now=NOW)


def test_how_many_are_ahead(database: Database) -> None:
    ids = [_entry(database, f"{number:016}") for number in range(4)]
    _take(database)
    with database.read() as session:
        found = [jobs.job_of(session, id) for id in ids[1:]]
        assert [jobs.ahead(session, job) for job in found if job] == [1, 2, 3]


@pytest.mark.full
def test_many_workers_at_once_take_every_job_once(database: Database) -> None:
    for number in range(60):
        _entry(database, f"{number:016}")
    taken: list[int] = []

    def work(name: str) -> None:
        while (job := _take(database, name)) is not None:
            taken.append(job.id)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 60
    assert len(set(taken)) == 60
