"""The queue: work is leased, kept by a heartbeat, and taken by another when its worker falls silent."""

from __future__ import annotations

import datetime
import secrets
import statistics
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from braggbook.hub.store.tables import Job, Worker

JobKind = Literal["evaluate", "board"]
LEASE = datetime.timedelta(seconds=30)  # a worker that says nothing for so long is taken for dead
ATTEMPTS = 3  # then a person has to look
_BOARD_PAUSE = datetime.timedelta(seconds=2)  # between boards, while evaluations wait
_RECENT = 20  # ended jobs by which the time of the next ones is guessed
_ALIVE = datetime.timedelta(seconds=30)


def add_evaluation(session: Session, *, challenge: str, phase: str, entry: str, now: datetime.datetime) -> Job:
    """Adds the evaluation of a submission; whoever makes it, and however often, it gets the id that is fixed here."""
    job = Job(
        kind="evaluate", challenge=challenge, phase=phase, entry_id=entry, evaluation=secrets.token_hex(8),
        state="queued", not_before=now, created=now,
    )  # fmt: skip
    session.add(job)
    session.flush()
    return job


def add_board(session: Session, *, challenge: str, phase: str, now: datetime.datetime) -> None:
    """Adds the making of a board, unless it waits already."""
    mine = (Job.kind == "board", Job.challenge == challenge, Job.phase == phase, Job.state == "queued")
    if session.scalar(select(Job.id).where(*mine).limit(1)) is None:
        session.add(Job(kind="board", challenge=challenge, phase=phase, state="queued", not_before=now, created=now))


def take(session: Session, *, worker: str, now: datetime.datetime) -> Job | None:
    """Leases the next job: boards first, which are quick, then what has waited longest. None if nothing waits.

    A job whose lease has ended is taken like one that waits. While evaluations wait, boards are made with pauses: each
    would be of the past at once.
    """
    made = select(Job.id).where(Job.kind == "board", Job.state == "done", Job.ended > now - _BOARD_PAUSE).limit(1)
    first = "evaluate" if session.scalar(made) is not None else "board"
    order = (Job.kind != first, Job.id)
    job = session.scalar(select(Job).where(_free(now)).order_by(*order).limit(1).with_for_update(skip_locked=True))
    if job is None:
        return None
    job.state, job.worker, job.lease = "leased", worker, secrets.token_hex(16)
    job.attempts += 1
    job.started, job.leased_until = now, now + LEASE
    job.done, job.total, job.note = 0, 0, ""
    session.flush()
    return job


def any_waits(session: Session, *, now: datetime.datetime) -> bool:
    """Returns whether there is a job to take; asked without keeping others from writing."""
    return session.scalar(select(Job.id).where(_free(now)).limit(1)) is not None


def _free(now: datetime.datetime) -> ColumnElement[bool]:
    return or_(and_(Job.state == "queued", Job.not_before <= now), and_(Job.state == "leased", Job.leased_until < now))


def beat(
    session: Session, job: int, *, lease: str, now: datetime.datetime, done: int = 0, total: int = 0, note: str = ""
) -> bool:
    """Says that a job goes on, and how far it is; False if it is somebody else's by now."""
    said = (
        update(Job)
        .where(Job.id == job, Job.lease == lease, Job.state == "leased")
        .values(leased_until=now + LEASE, done=done, total=total, note=note[:200])
    )
    return _touched(session, said)


def finish(session: Session, job: int, *, lease: str, now: datetime.datetime, error: str = "") -> bool:
    """Ends a job; False, and nothing is changed, if it is somebody else's by now."""
    said = (
        update(Job)
        .where(Job.id == job, Job.lease == lease, Job.state == "leased")
        .values(state="dead" if error else "done", ended=now, lease=None, leased_until=None, error=error)
    )
    return _touched(session, said)


def again(session: Session, job: int, *, lease: str, not_before: datetime.datetime, fresh: bool, error: str) -> bool:
    """Puts a job back; ``fresh`` gives its evaluation another id, since one with the old id exists."""
    values = {"state": "queued", "lease": None, "leased_until": None, "not_before": not_before, "error": error}
    if fresh:
        values["evaluation"] = secrets.token_hex(8)
    said = update(Job).where(Job.id == job, Job.lease == lease, Job.state == "leased").values(**values)
    return _touched(session, said)


def job_of(session: Session, entry: str) -> Job | None:
    """Returns the job of a submission that waits or goes on; the last one if none does."""
    order = (Job.state.in_(("queued", "leased")).desc(), Job.id.desc())
    return session.scalar(select(Job).where(Job.entry_id == entry).order_by(*order).limit(1))


def ahead(session: Session, job: Job) -> int:
    """Returns how many evaluations come before one that waits, those that go on included."""
    waits = or_(Job.state == "leased", and_(Job.state == "queued", Job.id < job.id))
    return session.scalar(select(func.count(Job.id)).where(Job.kind == "evaluate", waits, Job.id != job.id)) or 0


def depth(session: Session) -> dict[str, int]:
    """Returns how many jobs are in each state."""
    counted = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {row[0]: row[1] for row in counted}


def oldest(session: Session) -> datetime.datetime | None:
    """Returns since when the job that has waited longest waits."""
    return session.scalar(select(func.min(Job.created)).where(Job.state == "queued"))


def seconds_each(session: Session, challenge: str) -> float | None:
    """Returns the median time that the last evaluations of a challenge took; None if there was none."""
    last = (
        select(Job.started, Job.ended)
        .where(Job.challenge == challenge, Job.kind == "evaluate", Job.state == "done")
        .order_by(Job.id.desc())
        .limit(_RECENT)
    )
    took = [(end - begin).total_seconds() for begin, end in session.execute(last) if begin and end]
    return statistics.median(took) if took else None


def say_alive(session: Session, name: str, *, now: datetime.datetime, jobs: int) -> None:
    """Says that a worker is here."""
    worker = session.get(Worker, name)
    if worker is None:
        session.add(Worker(name=name, started=now, seen=now, jobs=jobs))
    else:
        worker.seen, worker.jobs = now, jobs


def alive(session: Session, *, now: datetime.datetime) -> Sequence[Worker]:
    """Returns the workers that were heard of lately."""
    return session.scalars(select(Worker).where(Worker.seen >= now - _ALIVE).order_by(Worker.name)).all()


def _touched(session: Session, said: object) -> bool:
    return bool(session.execute(said).rowcount)  # type: ignore[call-overload]
