"""The life of a submission in the hub: it arrives, waits, runs, ends; it is scored again or withdrawn.

Nothing is lost and nothing is done twice however a process ends, because every step can be repeated: the id of a
submission is fixed before its upload is read, the id of an evaluation before it begins, and the vault takes each once.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from braggbook.challenges.airlock.labels import clean_label
from braggbook.challenges.design import Challenge
from braggbook.challenges.submissions import submit, withdraw
from braggbook.errors import BraggbookError, InputError
from braggbook.formats.submission import Evaluation, Receipt, Submission, Verdict
from braggbook.hub.desk import Desk
from braggbook.hub.store import entries, jobs, people
from braggbook.hub.store.database import Session
from braggbook.hub.store.entries import State
from braggbook.hub.store.tables import Entry, Job, Person, Team

ARRIVES_WITHIN = datetime.timedelta(hours=2)  # an upload that takes longer was given up
_ID_BYTES = 8
_RETRY = datetime.timedelta(seconds=20)  # after a fault of ours, times the attempts so far
_WAITS = "it waits for a worker"
_SAYS: dict[Verdict, str] = {
    "scored": "it has a score; the receipt says which",
    "refused": "what was handed in is not what the design asks for; the receipt says why",
    "failed": "the notebook raised an exception; the receipt says where",
    "timed out": "the notebook took longer than it may; the receipt says where it was",
    "killed": "the notebook used more than it may, or ended its own kernel; the receipt says where",
}


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to hand in.

    Attributes:
        challenge, phase: Where.
        team: Whose it is.
        person: Who does it.
        title: What the team calls it.
        key: What the client calls it: asked twice with one key, there is one submission.
        upload: The file's name, as the person has it.
    """

    challenge: Challenge
    phase: str
    team: Team
    person: Person
    title: str
    key: str
    upload: str


def begin(desk: Desk, wanted: Wanted) -> tuple[Entry, bool]:
    """Makes room for a submission before its file is read.

    Returns:
        The submission, and whether it is a new one; otherwise this key was used before, and nothing is to be done.

    Raises:
        InputError: The title cannot be shown, or there is no such phase.
    """
    phase = wanted.challenge.phase(wanted.phase)
    title = clean_label(wanted.title, what="title") if wanted.title else ""
    now = desk.clock()
    made = Entry(
        id=secrets.token_hex(_ID_BYTES), challenge=wanted.challenge.slug, phase=phase.id, team_id=wanted.team.id,
        person_id=wanted.person.id, team=wanted.team.name, title=title, key=wanted.key or secrets.token_hex(16),
        upload=wanted.upload[:255], received=now, changed=now, state="arriving", until=now + ARRIVES_WITHIN,
    )  # fmt: skip
    known = entries.add_once(desk.database, made, why="its file is on the way")
    return (made, True) if known is None else (known, False)


def arrive(desk: Desk, id: str, file: Path, *, accepted: bool) -> Entry:
    """Takes the file of a submission in, and puts it in the queue.

    Args:
        desk: The hub's.
        id: Of the submission that :func:`begin` made.
        file: What was uploaded, complete; whoever calls removes it.
        accepted: Whether the phase's terms were.

    Raises:
        InputError: The phase is not open, no submission is left, or the terms were not accepted; the submission's state
            says so too.
    """
    with desk.database.read() as session:
        entry = _known(session, id, alone=False)
    challenge = desk.challenge(entry.challenge)
    vault = desk.vault(entry.challenge)
    try:
        taken = submit(
            challenge, vault, file, phase=challenge.phase(entry.phase), team=entry.team, accepted=accepted,
            now=entry.received, title=entry.title, id=id,
        )  # fmt: skip
    except InputError as error:
        with desk.database.write() as session:
            entries.move(session, _known(session, id), "refused", why=_said(error), now=desk.clock())
        raise
    return _queue(desk, taken)


def interrupted(desk: Desk, id: str, why: str) -> None:
    """Says that the file of a submission did not come."""
    with desk.database.write() as session:
        entry = entries.find_entry(session, id, alone=True)
        if entry is not None and entry.state == "arriving":
            entries.move(session, entry, "refused", why=why, now=desk.clock())


def recover(desk: Desk) -> None:
    """Takes up what a process left that was killed, and what came into the vault by the command line."""
    now = desk.clock()
    with desk.database.read() as session:
        left = entries.in_state(session, "arriving", before=now - ARRIVES_WITHIN)
        pending = entries.in_state(session, "arriving", before=now)
    for entry in pending:
        folder = desk.vault(entry.challenge).submission_folder(entry.id)
        if folder.is_dir():
            _queue(desk, desk.vault(entry.challenge).submission(entry.id))
        elif any(entry.id == one.id for one in left):
            interrupted(desk, entry.id, "its file did not come; nothing was kept: hand it in again")
    for found in desk.challenges():
        if isinstance(found, Challenge):
            _adopt(desk, found.slug)


def _adopt(desk: Desk, slug: str) -> None:
    """Follows submissions that the hub did not take in itself."""
    vault = desk.vault(slug)
    with desk.database.read() as session:
        known = entries.known_ids(session, slug)
    for id in vault.submission_ids() - known:
        taken = vault.submission(id)
        made = vault.evaluations(id)
        came = datetime.datetime.fromisoformat(taken.received)
        entry = Entry(
            id=id, challenge=slug, phase=taken.phase, team=taken.team, title=taken.title, kind=taken.kind, key=id,
            received=came, changed=desk.clock(), state="queued",
        )  # fmt: skip
        entries.add_once(
            desk.database, entry, why="it came by the command line", then=_follow(taken, made, desk.clock())
        )


def _follow(taken: Submission, made: list[Evaluation], now: datetime.datetime) -> Callable[[Session, Entry], None]:
    def follow(session: Session, entry: Entry) -> None:
        if made:
            entry.evaluation = made[-1].id
            why = _SAYS.get(made[-1].verdict) or _given_up("it could not be evaluated")
            entries.move(session, entry, made[-1].verdict, why=why, now=now)
            jobs.add_board(session, challenge=taken.challenge, phase=taken.phase, now=now)
        else:
            jobs.add_evaluation(session, challenge=taken.challenge, phase=taken.phase, entry=entry.id, now=now)
            entries.move(session, entry, "queued", why=_WAITS, now=now)

    return follow


def _queue(desk: Desk, taken: Submission) -> Entry:
    """Puts a submission that the vault has into the queue; done twice, it is there once."""
    now = desk.clock()
    with desk.database.write() as session:
        entry = _known(session, taken.id)
        if entry.state != "arriving":
            return entry
        entry.kind = taken.kind
        jobs.add_evaluation(session, challenge=entry.challenge, phase=entry.phase, entry=entry.id, now=now)
        entries.move(session, entry, "queued", why=_WAITS, now=now)
        return entry


def started(session: Session, job: Job, *, until: datetime.datetime, now: datetime.datetime) -> None:
    """Says that a submission is being evaluated."""
    attempt = f", attempt {job.attempts} of {jobs.ATTEMPTS}" if job.attempts > 1 else ""
    entry = _known(session, job.entry_id or "")
    entries.move(session, entry, "running", why=f"it is being evaluated{attempt}", now=now, until=until)


def ended(desk: Desk, job: Job, evaluation: Evaluation, receipt: Receipt) -> bool:
    """Keeps how an evaluation ended; False if another worker has done so.

    After a fault of ours it goes back into the queue, until it was tried often enough.
    """
    now, lease = desk.clock(), job.lease or ""
    with desk.database.write() as session:
        if evaluation.verdict == "platform" and job.attempts < jobs.ATTEMPTS:
            return _once_more(session, job, lease=lease, now=now, said=_ours(receipt), fresh=True)
        error = _ours(receipt) if evaluation.verdict == "platform" else ""
        if not jobs.finish(session, job.id, lease=lease, now=now, error=error):
            return False
        entry = _known(session, evaluation.submission)
        entry.evaluation = evaluation.id
        why = _SAYS.get(evaluation.verdict) or _given_up(error)
        entries.move(session, entry, evaluation.verdict, why=why, now=now)
        jobs.add_board(session, challenge=entry.challenge, phase=entry.phase, now=now)
    return True


def broke(desk: Desk, job: Job, what: str) -> bool:
    """Keeps that an evaluation did not come to an end through a fault of ours; False if another worker has it."""
    now, lease = desk.clock(), job.lease or ""
    with desk.database.write() as session:
        if job.attempts < jobs.ATTEMPTS:
            return _once_more(session, job, lease=lease, now=now, said=what, fresh=False)
        if not jobs.finish(session, job.id, lease=lease, now=now, error=what):
            return False
        entries.move(session, _known(session, job.entry_id or ""), "platform", why=_given_up(what), now=now)
    return True


def _once_more(session: Session, job: Job, *, lease: str, now: datetime.datetime, said: str, fresh: bool) -> bool:
    when = now + _RETRY * job.attempts
    if not jobs.again(session, job.id, lease=lease, not_before=when, fresh=fresh, error=said):
        return False
    why = f"a fault of this hub, not yours ({said}); it is tried again, {job.attempts + 1} of {jobs.ATTEMPTS}"
    entries.move(session, _known(session, job.entry_id or ""), "queued", why=why, now=now)
    return True


def rescore(desk: Desk, challenge: Challenge, *, phase: str | None, by: Person, because: str) -> int:
    """Has all submissions scored again that were not withdrawn; returns how many. Their scores stand until then."""
    now = desk.clock()
    with desk.database.write() as session:
        found, _ = entries.list_entries(session, challenge=challenge.slug, phase=phase, limit=1_000_000)
        chosen = [one for one in found if one.state not in ("arriving", "queued", "running", "withdrawn") and one.kind]
        for entry in chosen:
            score_again(session, entry, now=now, because=because)
        people.note_deed(session, person=by.id, what="rescore", about=challenge.slug, text=because, now=now)
    return len(chosen)


def score_again(session: Session, entry: Entry, *, now: datetime.datetime, because: str) -> None:
    """Puts a submission that has ended back into the queue."""
    jobs.add_evaluation(session, challenge=entry.challenge, phase=entry.phase, entry=entry.id, now=now)
    entries.move(session, entry, "queued", why=f"it is scored again: {because}", now=now)


def withdraw_entry(desk: Desk, entry: Entry, *, by: Person, because: str) -> None:
    """Takes a submission off the board, for good.

    Raises:
        InputError: It is not at rest, or was withdrawn.
    """
    if entry.state in entries.MOVING or entry.state == "withdrawn":
        raise InputError(
            "the submission cannot be withdrawn now", where=entry.id, wanted="one that has ended", got=entry.state
        )
    vault, now = desk.vault(entry.challenge), desk.clock()
    withdraw(vault, vault.submission(entry.id), now=now, by=by.name, because=because)
    with desk.database.write() as session:
        fresh = _known(session, entry.id)
        entries.move(session, fresh, "withdrawn", why=f"withdrawn by {by.name}: {because}", now=now)
        jobs.add_board(session, challenge=fresh.challenge, phase=fresh.phase, now=now)
        people.note_deed(session, person=by.id, what="withdraw", about=entry.id, text=because, now=now)


@dataclass(frozen=True)
class Standing:
    """Where a submission is, in numbers.

    Attributes:
        state: One of the states.
        why: A sentence.
        until: When the state ends at the latest; None where it lasts.
        ahead: How many evaluations come before it; None unless it waits.
        expected: When its turn is probably over; None where nobody can tell.
        workers: How many workers are here.
        done, total, note: How far its evaluation is.
    """

    state: State
    why: str
    until: datetime.datetime | None
    ahead: int | None = None
    expected: datetime.datetime | None = None
    workers: int = 0
    done: int = 0
    total: int = 0
    note: str = ""


def standing(session: Session, entry: Entry, *, now: datetime.datetime) -> Standing:
    """Returns where a submission is."""
    state: State = entry.state  # type: ignore[assignment]
    if state not in ("queued", "running"):
        return Standing(state, entry.why, entry.until)
    job, workers = jobs.job_of(session, entry.id), len(jobs.alive(session, now=now))
    if job is None:
        return Standing(state, entry.why, entry.until, workers=workers)
    if state == "running":
        return Standing(
            state, entry.why, entry.until, workers=workers, done=job.done, total=job.total, note=job.note
        )  # fmt: skip
    before, each = jobs.ahead(session, job), jobs.seconds_each(session, entry.challenge)
    expected = None
    if each is not None and workers:
        expected = max(now, job.not_before) + datetime.timedelta(seconds=each * (before // workers + 1))
    why = entry.why if workers else f"{entry.why}; no worker is here now, an organiser has to start one"
    return Standing(state, why, entry.until, ahead=before, expected=expected, workers=workers)


def _known(session: Session, id: str, *, alone: bool = True) -> Entry:
    """Returns a submission; ``alone`` keeps others from changing it meanwhile."""
    entry = entries.find_entry(session, id, alone=alone)
    if entry is None:
        raise InputError("no such submission", got=id)
    return entry


def _said(error: BraggbookError) -> str:
    return str(error).splitlines()[0]


def _ours(receipt: Receipt) -> str:
    return receipt.problem.what if receipt.problem else "it could not be evaluated"


def _given_up(what: str) -> str:
    return f"a fault of this hub, not yours: {what}; nothing is charged, and an organiser has to look"
