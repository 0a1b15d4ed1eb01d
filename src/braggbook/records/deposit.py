"""Sending a plan to an archive so that nothing is lost and nothing is there twice.

``push`` and ``mint`` may be interrupted anywhere, by a broken line or ``kill -9``: the same call again goes on. What
has been done stands in ``deposit.json``, written before and after every step that others can see; what is not in it is
looked for in the archive, by the plan's digest, before anything is made. An archive's list of one's own drafts may be
seconds behind: after an interruption it is looked at more than once, and at the end again, for drafts of the same plan
that nobody needs. Of several the oldest is the one, so that two processes which know nothing of each other agree.
"""

from __future__ import annotations

import fcntl
import filecmp
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import ArchiveError, HashMismatch, InputError, Issue, NetworkError, OutsideError, RecordError
from braggbook.files import canonical_json, sha256_bytes, storage, write_json
from braggbook.formats.common import issues_from
from braggbook.formats.record import STEPS, Deposit, PlanFile, PublishPlan, RecordMetadata, Step
from braggbook.progress import Progress, Silent
from braggbook.records.archive import Announcing, Archive, Draft, Record
from braggbook.records.pace import Clock

DEPOSIT = "deposit.json"
_PUBLISH_TRIES = 3
_LOOK_AGAIN_S = (1.0, 3.0)  # Zenodo's list of one's own is about a second behind
_ROUNDS = 3  # of sending, when the draft turns out to be another one


@dataclass(frozen=True)
class Job:
    """One plan on its way to one archive.

    Attributes:
        plan: What is sent.
        paths: Where its files are, by name.
        archive: Where to.
        place: The folder of ``deposit.json``, beside what is published.
        at: Is told of every step when it has been written down; for tests that stop there.
        clock: Waits for an archive's lists.
    """

    plan: PublishPlan
    paths: Mapping[str, Path]
    archive: Archive
    place: Path
    at: Callable[[Step], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)

    def write(self, deposit: Deposit) -> Deposit:
        """Puts a deposit on the disk."""
        return _write(self.place, deposit, self.at)


def reserve(
    source: str,
    metadata: RecordMetadata,
    *,
    archive: Archive,
    place: Path,
    at: Callable[[Step], None] = lambda _: None,
    clock: Clock | None = None,
) -> Deposit:
    """Makes a draft for something that is not there yet, so that it can carry its own DOI; :func:`push` takes it over.

    Args:
        source: What will be published, such as a run's id; asked for again, the same draft is found.
        metadata: What is known already.
        archive: Where.
        place: As in :class:`Job`.
        at: As in :class:`Job`.
        clock: As in :class:`Job`.

    Returns:
        Its deposit, with a DOI.

    Raises:
        InputError: It has been published already.
        ArchiveError: The archive refuses, or reserves no DOI before publication.
        NetworkError: It does not answer; the same call goes on.
    """
    if not archive.reserves:
        raise ArchiveError("the archive reserves no DOI before publication", where=archive.name)
    plan = sha256_bytes(canonical_json({"reserved": source, "archive": archive.name}))
    with _alone(place):
        found = read_deposit(place)
        draft = archive.look(found.id) if found is not None and found.id is not None else None
        if draft is None:
            begun = found is not None and found.id is None
            found = _write(place, Deposit(archive=archive.name, plan=plan, step="begun"), at)
            own = _own(archive, plan, clock=clock or Clock(), again=begun)
            draft = own[0] if own else archive.create(metadata, plan=plan)
        if draft.state == "published":
            raise InputError("it has been published already", where=draft.url, got=str(draft.doi))
        if draft.doi is None:  # an interruption came between the draft and its DOI
            draft = archive.describe(draft.id, metadata, plan=plan)
        if draft.doi is None:
            raise ArchiveError("the archive reserves no DOI before publication", where=archive.name)
        known = found or Deposit(archive=archive.name, plan=plan, step="begun")
        return _write(place, _known(known, draft), at)


def push(job: Job, *, progress: Progress | None = None) -> Deposit:
    """Makes the draft of a plan, or goes on with the one that is there, until it holds exactly the plan's files.

    Returns:
        Its deposit at step ``uploaded``; or at ``published`` or ``checked`` when it had been minted already.

    Raises:
        InputError: Something else of the same thing has been published.
        ArchiveError: The archive refuses.
        NetworkError: It does not answer; the same call goes on.
    """
    with _alone(job.place):
        deposit, again = _begun(job)
        if deposit.step in ("published", "checked"):
            return deposit
        draft = _draft(job, deposit, again=again)
        for _ in range(_ROUNDS):
            deposit = job.write(_known(deposit, draft))
            if draft.state == "published":
                return job.write(_said(deposit, job.archive.record(draft.id)))
            _has_doi(job.plan, draft)
            if draft.plan != job.plan.digest or (draft.doi is None and job.archive.reserves):
                draft = job.archive.describe(draft.id, job.plan.metadata, plan=job.plan.digest)
            _send(job, draft, progress or Silent())
            sent, draft = draft, _only(job, draft)
            if draft.id == sent.id:
                break
        else:
            raise ArchiveError("others are making drafts of the same plan", where=job.archive.name)
        return job.write(deposit.model_copy(update={"step": "uploaded", "files": job.plan.files}))


def mint(job: Job, *, progress: Progress | None = None) -> Deposit:
    """Publishes what :func:`push` has sent, for good, and reads it back.

    Returns:
        Its deposit at step ``checked``: every file was downloaded again and is what was sent, byte by byte.

    Raises:
        InputError: This plan has not been pushed.
        ArchiveError: The archive refuses, or gave another DOI than the one it reserved.
        HashMismatch: The archive has not what was sent; it is published all the same, and the deposit says so.
        NetworkError: As for :func:`push`.
    """
    with _alone(job.place):
        deposit = _pushed(job)
        if deposit.step in ("uploaded", "publishing"):
            deposit = job.write(deposit.model_copy(update={"step": "publishing"}))
            deposit = job.write(_said(deposit, _publish(job, str(deposit.id))))
        if job.plan.doi is not None and deposit.doi != job.plan.doi:
            wanted, got = f"{job.plan.doi}, which is in what was sent", str(deposit.doi)
            raise ArchiveError(
                "published under another DOI than it reserved", where=job.archive.name, wanted=wanted, got=got
            )
        if deposit.step == "published":
            _read_back(job, deposit, progress or Silent())
            for stray in job.archive.own(job.plan.digest):
                if stray.state == "draft":
                    job.archive.discard(stray.id)
            deposit = job.write(deposit.model_copy(update={"step": "checked"}))
        return deposit


def read_deposit(place: Path) -> Deposit | None:
    """Reads ``deposit.json``, if there is one.

    Raises:
        RecordError: It cannot be read as one.
    """
    path = place / DEPOSIT
    if not path.is_file():
        return None
    try:
        return Deposit.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        issues = issues_from(error, where=str(path))
        raise RecordError("not a deposit", where=str(path), issues=issues) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("not readable as a deposit", where=str(path), got=str(error)) from error


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Waits until no other process works on this deposit."""
    with storage(place):
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / ".lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _begun(job: Job) -> tuple[Deposit, bool]:
    """Returns the deposit that goes on, or a new one, and whether a draft may have been made that it does not know."""
    found = read_deposit(job.place)
    if found is None:
        return job.write(Deposit(archive=job.archive.name, plan=job.plan.digest, step="begun")), False
    if found.archive != job.archive.name:
        raise RecordError(
            "a deposit of another archive", where=str(job.place), wanted=job.archive.name, got=found.archive
        )
    unknown = found.id is None
    if found.plan == job.plan.digest:
        return found, unknown
    if unknown:  # what an interruption left of the other plan becomes this one's
        own = _own(job.archive, found.plan, clock=job.clock, again=True)
        found = found.model_copy(update={"id": own[0].id if own else None})
    if STEPS.index(found.step) >= STEPS.index("published") and job.plan.version_of is not None:
        with storage(job.place):
            os.replace(job.place / DEPOSIT, job.place / f"deposit-{found.id}.json")  # the earlier version's
        return job.write(Deposit(archive=job.archive.name, plan=job.plan.digest, step="begun")), False
    if STEPS.index(found.step) >= STEPS.index("publishing"):
        raise InputError(
            "something else has been published of it",
            where=found.doi or found.id or str(job.place),
            wanted=f"the plan {found.plan[:12]}",
            got=f"the plan {job.plan.digest[:12]}",
            next_command=f"braggbook publish plan {job.plan.source} --new-version-of DOI --to {job.archive.name}",
        )
    # its draft is taken over: described anew, its files exchanged
    return job.write(found.model_copy(update={"plan": job.plan.digest, "step": "begun"})), False


def _own(archive: Archive, plan: str, *, clock: Clock, again: bool) -> tuple[Draft, ...]:
    """Returns the drafts and records of a plan; looks ``again`` after a while where there must be none in vain."""
    for pause_s in (0.0, *(_LOOK_AGAIN_S if again else ())):
        if pause_s:
            clock.sleep(pause_s)
        if found := archive.own(plan):
            return found
    return ()


def _draft(job: Job, deposit: Deposit, *, again: bool) -> Draft:
    """Returns the draft that is known, one that a crash left in the archive, or a new one."""
    if deposit.id is not None and (known := job.archive.look(deposit.id)) is not None:
        return known
    if found := _own(job.archive, job.plan.digest, clock=job.clock, again=again):
        return _first(job.plan, found)
    return job.archive.create(job.plan.metadata, plan=job.plan.digest, version_of=job.plan.version_of)


def _first(plan: PublishPlan, drafts: Sequence[Draft]) -> Draft:
    """Returns the one of several that counts: published, else with the DOI that was reserved, else the oldest."""
    return min(drafts, key=lambda draft: (draft.state != "published", plan.doi is not None and draft.doi != plan.doi))


def _only(job: Job, mine: Draft) -> Draft:
    """Discards all drafts of the plan but one, and returns that."""
    own = job.archive.own(job.plan.digest)
    if mine.id not in {draft.id for draft in own}:  # the list is behind: all that it has is older
        own = (*own, mine)
    first = _first(job.plan, own)
    for stray in own:
        if stray.id != first.id and stray.state == "draft":
            job.archive.discard(stray.id)
    return mine if first.id == mine.id else first


def _has_doi(plan: PublishPlan, draft: Draft) -> None:
    """Refuses a draft that would get another DOI than the one in what is sent."""
    if plan.doi is not None and draft.doi != plan.doi:
        where, wanted = draft.url or draft.id, f"the DOI that was reserved, {plan.doi}"
        raise InputError("the draft has another DOI", where=where, wanted=wanted, got=str(draft.doi))


def _write(place: Path, deposit: Deposit, at: Callable[[Step], None]) -> Deposit:
    write_json(place / DEPOSIT, deposit.model_dump(mode="json"))
    at(deposit.step)
    return deposit


def _known(deposit: Deposit, draft: Draft) -> Deposit:
    """Returns a deposit that knows its draft."""
    update = {"step": "drafted", "id": draft.id, "doi": draft.doi, "url": draft.url or None}
    return deposit.model_copy(update=update)


def _said(deposit: Deposit, record: Record) -> Deposit:
    update = {
        "step": "published",
        "id": record.id,
        "doi": record.doi,
        "concept_doi": record.concept_doi,
        "url": record.url or None,
        "published": record.published,
    }
    return deposit.model_copy(update=update)


def _send(job: Job, draft: Draft, progress: Progress) -> None:
    """Makes the draft's files those of the plan: nothing that is there already is sent."""
    there = {file.name: (file.bytes, file.md5) for file in draft.files}
    wanted = {file.name: file for file in job.plan.files}
    for name in there.keys() - wanted.keys():
        job.archive.remove(draft.id, name)
    missing = [file for name, file in wanted.items() if there.get(name) != (file.bytes, file.md5)]
    if isinstance(job.archive, Announcing):
        job.archive.announce(draft.id, [file.name for file in missing])

    def send(file: PlanFile, part: Progress) -> None:
        remote = job.archive.upload(draft.id, file.name, job.paths[file.name], progress=part)
        if remote.md5 != file.md5:
            wanted, got = f"md5 {file.md5}", f"md5 {remote.md5}"
            raise HashMismatch("a file changed after it was planned", where=file.name, wanted=wanted, got=got)

    _several(job, missing, send, title=f"to {job.archive.name}", progress=progress)


def _several(
    job: Job, files: Sequence[PlanFile], work: Callable[[PlanFile, Progress], None], *, title: str, progress: Progress
) -> None:
    """Works on as many files at a time as the archive likes; one failure stops all, soon."""
    together = Together(progress)
    progress.start(title, sum(file.bytes for file in files))
    try:
        with ThreadPoolExecutor(max_workers=max(1, min(job.archive.simultaneous, len(files)))) as pool:
            tasks = [pool.submit(together.run, work, file) for file in files]
            try:
                errors = [error for task in tasks if (error := task.exception())]
            except BaseException:  # a person interrupts
                together.stop()
                raise
    finally:
        progress.stop()
    for error in errors:
        if not isinstance(error, Stopped):
            raise error


class Stopped(Exception):
    """Another file failed, or a person interrupted: this one need not go on."""


class Together:
    """One progress of several files that travel at the same time."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock = progress, threading.Lock()
        self._done: dict[int, int] = {}
        self._parts = 0
        self._stopped = False

    def run(self, work: Callable[[PlanFile, Progress], None], file: PlanFile) -> None:
        """Works on a file, unless another has failed."""
        if self._stopped:
            raise Stopped
        try:
            work(file, self.one())
        except BaseException:
            self.stop()
            raise

    def one(self) -> Progress:
        """Returns the progress of one of the files."""
        with self._lock:
            self._parts += 1
            return _Part(self, self._parts)

    def stop(self) -> None:
        """Ends the travel of each at its next step."""
        self._stopped = True

    def step(self, part: int, done: int, note: str) -> None:
        """Adds up."""
        if self._stopped:
            raise Stopped
        with self._lock:
            self._done[part] = done
            self._progress.step(sum(self._done.values()), note)


class _Part(Silent):
    def __init__(self, together: Together, number: int) -> None:
        self._together, self._number = together, number

    def step(self, done: int, note: str = "") -> None:
        """Tells the whole."""
        self._together.step(self._number, done, note)


def _pushed(job: Job) -> Deposit:
    deposit = read_deposit(job.place)
    command = f"braggbook publish push {job.plan.source} --to {job.archive.name}"
    if deposit is None or deposit.step in ("begun", "drafted"):
        raise InputError("not pushed yet", where=str(job.place), next_command=command)
    if deposit.plan != job.plan.digest:
        wanted, got = f"the plan {deposit.plan[:12]}", f"the plan {job.plan.digest[:12]}"
        raise InputError("not what was pushed", where=str(job.place), wanted=wanted, got=got, next_command=command)
    return deposit


def _publish(job: Job, id: str) -> Record:
    """Publishes once: whenever nobody knows whether it was done, it is looked up before it is asked for again."""
    failure: OutsideError | None = None
    for number in range(_PUBLISH_TRIES):
        draft = _to_publish(job, id)
        if draft.state == "published":
            return job.archive.record(draft.id)
        if failure is not None and not isinstance(failure, NetworkError):
            break
        _complete(job, draft)
        try:
            return job.archive.publish(id)
        except (NetworkError, ArchiveError) as error:
            failure = error
        if isinstance(failure, NetworkError):
            job.clock.sleep(2.0**number)  # what timed out may still be under way there
    raise failure or NetworkError("not published", where=job.archive.name)


def _to_publish(job: Job, id: str) -> Draft:
    """Returns the draft, or a record of the same plan that is there already."""
    draft = job.archive.look(id)
    if draft is not None and draft.state == "published":
        return draft
    published = [own for own in job.archive.own(job.plan.digest) if own.state == "published"]
    if published:
        return published[0]
    if draft is None:
        command = f"braggbook publish push {job.plan.source} --to {job.archive.name}"
        raise ArchiveError("the draft is gone", where=f"{job.archive.name}, {id}", next_command=command)
    return draft


def _complete(job: Job, draft: Draft) -> None:
    """Refuses to publish a draft that is not the plan."""
    there = {file.name: file.md5 for file in draft.files}
    wanted = {file.name: file.md5 for file in job.plan.files}
    names = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    issues = [Issue("not in the draft as it was planned", name) for name in names]
    if draft.plan != job.plan.digest:
        issues.append(Issue("another plan", "metadata", job.plan.digest[:12], (draft.plan or "none")[:12]))
    if issues:
        command = f"braggbook publish push {job.plan.source} --to {job.archive.name}"
        raise InputError("the draft is not the plan", where=draft.url or draft.id, issues=issues, next_command=command)


def _read_back(job: Job, deposit: Deposit, progress: Progress) -> None:
    """Downloads every file and compares it byte by byte with what was sent."""
    record = job.archive.record(str(deposit.id))
    wrong: list[Issue] = []

    def compare(file: PlanFile, part: Progress) -> None:
        copy = job.place / f".{file.sha256[:12]}.{sha256_bytes(file.name.encode())[:12]}.back"
        try:
            job.archive.download(record, file.name, copy, progress=part)
            if not filecmp.cmp(copy, job.paths[file.name], shallow=False):
                wrong.append(Issue("other bytes than were sent", file.name))
        finally:
            copy.unlink(missing_ok=True)

    _several(job, job.plan.files, compare, title=f"back from {job.archive.name}", progress=progress)
    if wrong:
        raise HashMismatch("the archive has not what was sent", where=record.doi, issues=wrong)
