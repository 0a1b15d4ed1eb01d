"""Sending a plan to an archive so that nothing is lost and nothing is there twice.

``push`` and ``mint`` may be interrupted anywhere, by a broken line or ``kill -9``: the same call again goes on. What
has been done stands in ``deposit.json``, written before and after every step that others can see; what is not in it is
looked for in the archive, by the plan's digest, before anything is made.
"""

from __future__ import annotations

import fcntl
import filecmp
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from braggbook.errors import ArchiveError, HashMismatch, InputError, Issue, NetworkError, RecordError
from braggbook.files import canonical_json, sha256_bytes, storage, write_json
from braggbook.formats.common import issues_from
from braggbook.formats.record import STEPS, Deposit, PublishPlan, RecordMetadata, Step
from braggbook.progress import Progress, Silent
from braggbook.records.archive import Archive, Draft, Record

DEPOSIT = "deposit.json"
_PUBLISH_TRIES = 3


@dataclass(frozen=True)
class Job:
    """One plan on its way to one archive.

    Attributes:
        plan: What is sent.
        paths: Where its files are, by name.
        archive: Where to.
        place: The folder of ``deposit.json``, beside what is published.
        at: Is told of every step when it has been written down; for tests that stop there.
    """

    plan: PublishPlan
    paths: Mapping[str, Path]
    archive: Archive
    place: Path
    at: Callable[[Step], None] = lambda _: None

    def write(self, deposit: Deposit) -> Deposit:
        """Puts a deposit on the disk."""
        return _write(self.place, deposit, self.at)


def reserve(
    source: str, metadata: RecordMetadata, *, archive: Archive, place: Path, at: Callable[[Step], None] = lambda _: None
) -> Deposit:
    """Makes a draft for something that is not there yet, so that it can carry its own DOI; :func:`push` takes it over.

    Args:
        source: What will be published, such as a run's id; asked for again, the same draft is found.
        metadata: What is known already.
        archive: Where.
        place: As in :class:`Job`.
        at: As in :class:`Job`.

    Returns:
        Its deposit, with a DOI.

    Raises:
        ArchiveError: The archive refuses, or reserves no DOI before publication.
        NetworkError: It does not answer; the same call goes on.
    """
    plan = sha256_bytes(canonical_json({"reserved": source, "archive": archive.name}))
    with _alone(place):
        found = read_deposit(place)
        draft = archive.look(found.id) if found is not None and found.id is not None else None
        if draft is None:
            found = _write(place, Deposit(archive=archive.name, plan=plan, step="begun"), at)
            own = archive.own(plan)
            draft = own[0] if own else archive.create(metadata, plan=plan)
        if draft.state == "published":
            raise InputError("it has been published already", where=draft.url, got=str(draft.doi))
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
        deposit = _begun(job)
        if deposit.step in ("published", "checked"):
            return deposit
        draft = _draft(job, deposit)
        deposit = job.write(_known(deposit, draft))
        if draft.state == "published":
            return job.write(_said(deposit, job.archive.record(draft.id)))
        _has_doi(job.plan, draft)
        if draft.plan != job.plan.digest:
            draft = job.archive.describe(draft.id, job.plan.metadata, plan=job.plan.digest)
        _send(job, draft, progress or Silent())
        return job.write(deposit.model_copy(update={"step": "uploaded", "files": job.plan.files}))


def mint(job: Job, *, progress: Progress | None = None) -> Deposit:
    """Publishes what :func:`push` has sent, for good, and reads it back.

    Returns:
        Its deposit at step ``checked``: every file was downloaded again and is what was sent, byte by byte.

    Raises:
        InputError: This plan has not been pushed.
        HashMismatch: The archive has not what was sent; it is published all the same, and the deposit says so.
        ArchiveError, NetworkError: As for :func:`push`.
    """
    with _alone(job.place):
        deposit = _pushed(job)
        if deposit.step in ("uploaded", "publishing"):
            deposit = job.write(deposit.model_copy(update={"step": "publishing"}))
            deposit = job.write(_said(deposit, _publish(job, str(deposit.id))))
        if deposit.step == "published":
            _read_back(job, deposit, progress or Silent())
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
    except (OSError, ValueError) as error:
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


def _begun(job: Job) -> Deposit:
    """Returns the deposit that goes on, or a new one."""
    found = read_deposit(job.place)
    if found is None:
        return job.write(Deposit(archive=job.archive.name, plan=job.plan.digest, step="begun"))
    if found.archive != job.archive.name:
        raise RecordError(
            "a deposit of another archive", where=str(job.place), wanted=job.archive.name, got=found.archive
        )
    if found.plan == job.plan.digest:
        return found
    if STEPS.index(found.step) >= STEPS.index("publishing"):
        raise InputError(
            "something else has been published of it",
            where=found.doi or found.id or str(job.place),
            wanted=f"the plan {found.plan[:12]}",
            got=f"the plan {job.plan.digest[:12]}",
            next_command="braggbook publish plan --new-version ...",
        )
    # its draft is taken over: described anew, its files exchanged
    return job.write(found.model_copy(update={"plan": job.plan.digest, "step": "begun"}))


def _draft(job: Job, deposit: Deposit) -> Draft:
    """Returns the draft that is known, one that a crash left in the archive, or a new one."""
    if deposit.id is not None and (known := job.archive.look(deposit.id)) is not None:
        return known
    found = job.archive.own(job.plan.digest)
    if published := next((draft for draft in found if draft.state == "published"), None):
        return published
    for stray in found[1:]:
        job.archive.discard(stray.id)
    if found:
        return found[0]
    return job.archive.create(job.plan.metadata, plan=job.plan.digest, version_of=job.plan.version_of)


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
    together = Together(progress)
    progress.start(f"to {job.archive.name}", sum(file.bytes for file in missing))
    try:
        with ThreadPoolExecutor(max_workers=max(1, min(job.archive.simultaneous, len(missing)))) as pool:
            sent = [
                pool.submit(job.archive.upload, draft.id, file.name, job.paths[file.name], progress=together.one())
                for file in missing
            ]
            try:
                arrived = [task.result() for task in sent]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        progress.stop()
    for file, remote in zip(missing, arrived, strict=True):
        if remote.md5 != file.md5:
            raise HashMismatch(
                "a file changed after it was planned",
                where=file.name,
                wanted=f"md5 {file.md5}",
                got=f"md5 {remote.md5}",
            )


class Together:
    """One progress of several files that travel at the same time."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock, self._done = progress, threading.Lock(), {}  # type: ignore[var-annotated]

    def one(self) -> Progress:
        """Returns the progress of one of the files."""
        return _Part(self)

    def step(self, part: object, done: int, note: str) -> None:
        """Adds up."""
        with self._lock:
            self._done[id(part)] = done
            self._progress.step(sum(self._done.values()), note)


class _Part(Silent):
    def __init__(self, together: Together) -> None:
        self._together = together

    def step(self, done: int, note: str = "") -> None:
        """Tells the whole."""
        self._together.step(self, done, note)


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
    failure: Exception | None = None
    for _ in range(_PUBLISH_TRIES):
        draft = job.archive.look(id)
        if draft is None:
            raise ArchiveError("the draft is gone", where=f"{job.archive.name}, {id}")
        if draft.state == "published":
            return job.archive.record(id)
        _complete(job, draft)
        try:
            return job.archive.publish(id)
        except NetworkError as error:
            failure = error
    raise failure or NetworkError("not published", where=job.archive.name)


def _complete(job: Job, draft: Draft) -> None:
    """Refuses to publish a draft that is not the plan."""
    there = {file.name: file.md5 for file in draft.files}
    wanted = {file.name: file.md5 for file in job.plan.files}
    if there != wanted:
        issues = [Issue("not in the draft as it was planned", name) for name in sorted(wanted.keys() ^ there.keys())]
        command = f"braggbook publish push {job.plan.source} --to {job.archive.name}"
        raise InputError("the draft is not the plan", where=draft.url or draft.id, issues=issues, next_command=command)


def _read_back(job: Job, deposit: Deposit, progress: Progress) -> None:
    """Downloads every file and compares it byte by byte with what was sent."""
    record = job.archive.record(str(deposit.id))
    wrong: list[Issue] = []
    total = sum(file.bytes for file in job.plan.files)
    progress.start(f"back from {job.archive.name}", total)
    try:
        for file in job.plan.files:
            copy = job.place / f".{file.sha256[:12]}.back"
            try:
                job.archive.download(record, file.name, copy, progress=progress)
                if not filecmp.cmp(copy, job.paths[file.name], shallow=False):
                    wrong.append(Issue("other bytes than were sent", file.name))
            finally:
                copy.unlink(missing_ok=True)
    finally:
        progress.stop()
    if wrong:
        raise HashMismatch("the archive has not what was sent", where=record.doi, issues=wrong)
