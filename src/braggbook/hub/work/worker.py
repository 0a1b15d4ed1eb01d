"""A worker: takes a job, keeps its lease by a heartbeat, does it, says how it ended."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

from braggbook.challenges.design import Challenge
from braggbook.challenges.evaluate import evaluate_submission
from braggbook.challenges.vault import Vault
from braggbook.errors import BraggbookError, StorageError
from braggbook.formats.run import Engine
from braggbook.formats.submission import Evaluation, Receipt, Submission
from braggbook.hub import boards, entries
from braggbook.hub.desk import Clock, Desk
from braggbook.hub.store import jobs, people
from braggbook.hub.store.tables import Job
from braggbook.progress import Progress
from braggbook.settings import Settings

BEAT_S = 5.0
_IDLE_S = 0.2
_SWEEP_S = 10.0  # between looks for what others have left
_SPARE_S = 60.0  # beyond the limits of notebook and scoring, before an evaluation is taken for stuck
_DOWN_S = 2.0  # before the database is asked again that did not answer
_SILENT = "its workers ended without a word"
_STUCK = 70  # exit code of a worker that gives up on itself; it is started again
log = logging.getLogger(__name__)


class Evaluator(Protocol):
    """What makes an evaluation: :func:`evaluate_submission`, or something quicker in a test."""

    def __call__(
        self, challenge: Challenge, vault: Vault, submission: Submission, *, settings: Settings, clock: Clock,
        progress: Progress | None = None, engine: Engine = "kernel", id: str | None = None,
    ) -> tuple[Evaluation, Receipt]:  # fmt: skip
        """Evaluates a submission under the id that the evaluation is to have."""


def worker_name() -> str:
    """Returns a name for this process that no other has."""
    return f"{socket.gethostname()}/{os.getpid()}"


@dataclass
class Worker:
    """One worker.

    Attributes:
        desk: The hub's.
        evaluator: What makes an evaluation.
        engine: Of the scoring notebook; a participant's own always has a cold kernel.
        name: Of this worker.
        stop: Set from outside to end after the job that goes on.
        patience_s: After which a job is taken for stuck; None reckons it from the challenge's limits.
        give_up: Ends this process, which is stuck.
    """

    desk: Desk
    evaluator: Evaluator = evaluate_submission
    engine: Engine = "warm"
    name: str = field(default_factory=worker_name)
    stop: threading.Event = field(default_factory=threading.Event)
    patience_s: float | None = None
    give_up: Callable[[int], object] = os._exit
    _done: int = 0
    _swept: float = float("-inf")

    def run(self, *, until_idle: bool = False) -> int:
        """Works until it is told to stop; returns how many jobs were done.

        Args:
            until_idle: End when nothing waits any more.
        """
        while not self.stop.is_set():
            try:
                self._sweep()
                if not self.step():
                    if until_idle:
                        break
                    self.stop.wait(_IDLE_S)
            except StorageError as error:
                log.warning("the database or the disk does not answer", extra={"error": str(error)})
                self.stop.wait(_DOWN_S)
        return self._done

    def step(self) -> bool:
        """Does one job; False if there is none."""
        now = self.desk.clock()
        with self.desk.database.read() as session:
            if not jobs.any_waits(session, now=now):
                return False
        with self.desk.database.write() as session:
            job = jobs.take(session, worker=self.name, now=now)
            if job is None:
                return False
            given_up = job.attempts > jobs.ATTEMPTS
            if job.kind == "evaluate" and not given_up:
                entries.started(session, job, until=now + self.longest(job), now=now)
        if given_up:
            self._broke(job, _SILENT)
            return True
        began = time.monotonic()
        with _Heart(self, job) as heart:
            self._do(job, heart)
        self._done += 1
        log.info(
            "job ended",
            extra={"job": job.id, "kind": job.kind, "entry": job.entry_id, "seconds": time.monotonic() - began},
        )
        return True

    def _do(self, job: Job, heart: _Heart) -> None:
        try:
            if job.kind == "board":
                boards.make_now(self.desk, job.challenge, job.phase)
                with self.desk.database.write() as session:
                    jobs.finish(session, job.id, lease=job.lease or "", now=self.desk.clock())
                return
            self._evaluate(job, heart)
        except StorageError:
            raise  # the lease ends, and somebody does it again
        except Exception as error:
            log.exception("a job went wrong", extra={"job": job.id, "entry": job.entry_id})
            said = "its files cannot be read" if isinstance(error, BraggbookError) else "an unforeseen fault"
            self._broke(job, str(error), told=said)

    def _evaluate(self, job: Job, heart: _Heart) -> None:
        challenge, vault = self.desk.challenge(job.challenge), self.desk.vault(job.challenge)
        settings = dataclasses.replace(self.desk.settings, cell_timeout_s=self.desk.config.scoring_timeout_s)
        made, receipt = self.evaluator(
            challenge, vault, vault.submission(job.entry_id or ""), settings=settings, clock=self.desk.clock,
            progress=heart, engine=self.engine, id=job.evaluation,
        )  # fmt: skip
        if not entries.ended(self.desk, job, made, receipt):
            log.warning("another worker has ended this job", extra={"job": job.id})

    def _broke(self, job: Job, what: str, *, told: str | None = None) -> None:
        """Keeps that a job went wrong; ``told`` is what a participant may hear of it: nothing of hidden data."""
        if job.kind == "evaluate":
            entries.broke(self.desk, job, told or what)
            return
        with self.desk.database.write() as session:
            now, lease = self.desk.clock(), job.lease or ""
            if job.attempts < jobs.ATTEMPTS:
                later = now + datetime.timedelta(seconds=_SWEEP_S)
                jobs.again(session, job.id, lease=lease, not_before=later, fresh=False, error=what)
            else:
                jobs.finish(session, job.id, lease=lease, now=now, error=what)

    def longest(self, job: Job) -> datetime.timedelta:
        """Returns how long a job may take before it is taken for stuck."""
        if self.patience_s is not None:
            return datetime.timedelta(seconds=self.patience_s)
        limits = self.desk.challenge(job.challenge).design.limits
        return datetime.timedelta(seconds=2 * limits.wall_s + self.desk.config.scoring_timeout_s + _SPARE_S)

    def _sweep(self) -> None:
        if time.monotonic() - self._swept < _SWEEP_S:
            return
        self._swept = time.monotonic()
        now = self.desk.clock()
        with self.desk.database.write() as session:
            jobs.say_alive(session, self.name, now=now, jobs=self._done)
            people.sweep_sessions(session, now=now)
        entries.recover(self.desk)


class _Heart:
    """Keeps the lease of a job, and says how far it is (:class:`braggbook.progress.Progress`)."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker, self._job = worker, job
        self._done, self._total, self._note = 0, 0, ""
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heart of job {job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._changed.set()
        self._thread.join()

    def start(self, title: str, total: int) -> None:
        """Says what begins."""
        self._done, self._total, self._note = 0, total, title
        self._changed.set()

    def step(self, done: int, note: str = "") -> None:
        """Says how far it is."""
        self._done, self._note = done, note
        self._changed.set()

    def stop(self) -> None:
        """Says nothing: what comes next will."""

    def _beat(self) -> None:
        worker, job = self._worker, self._job
        latest = time.monotonic() + worker.longest(job).total_seconds()
        while not self._ended.is_set():
            self._changed.wait(min(BEAT_S, max(latest - time.monotonic(), 0.0)))
            self._changed.clear()
            if self._ended.is_set():
                return
            if time.monotonic() >= latest:
                log.error("a job is stuck; this worker ends", extra={"job": job.id})
                worker.give_up(_STUCK)
                return
            self._say(worker, job)
            self._ended.wait(0.5)  # no more than two words a second

    def _say(self, worker: Worker, job: Job) -> None:
        now = worker.desk.clock()
        try:
            with worker.desk.database.write() as session:
                jobs.beat(
                    session, job.id, lease=job.lease or "", now=now,
                    done=self._done, total=self._total, note=self._note,
                )  # fmt: skip
                jobs.say_alive(session, worker.name, now=now, jobs=worker._done)  # noqa: SLF001 - the same
        except StorageError as error:
            log.warning("a heartbeat did not arrive", extra={"job": job.id, "error": str(error)})
