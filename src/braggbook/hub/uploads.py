"""Uploads: streamed to the disk block by block, hashed on the way, taken in once, and never left lying about.

Every attempt to send a file has a folder of its own below ``spool/<submission>/``, so that two attempts under one key
do not meet. Which of them wins is decided where their files are complete: one at a time hands over, and who comes
second finds that the submission has its file.
"""

from __future__ import annotations

import asyncio
import datetime
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from braggbook.challenges.design import Challenge
from braggbook.challenges.submissions import left, quota_text
from braggbook.challenges.vault import Vault
from braggbook.errors import BraggbookError, InputError, NetworkError, StorageError, TooLarge
from braggbook.formats.challenge import Phase, SubmissionRules
from braggbook.hub import entries
from braggbook.hub.config import HubConfig
from braggbook.hub.desk import Desk
from braggbook.hub.entries import ARRIVES_WITHIN, Wanted
from braggbook.hub.store import entries as rows
from braggbook.hub.store.tables import Entry

BLOCK_BYTES = 1 << 20  # written and hashed at once
SILENT_S = 60.0  # a client that sends nothing for so long is gone
SUFFIXES = (".csv", ".ipynb", ".nii.gz", ".zip")  # by which the airlock tells what came
_ZIP_MB = 4  # lists and headers of a zip, beyond the files in it
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MB = 1 << 20
_STARTED_AGAIN = "the hub was started again while its file was on the way; nothing was kept: send it again"


@dataclass(frozen=True)
class Came:
    """A file that is complete on the disk."""

    path: Path
    size: int
    sha256: str


def most_bytes(config: HubConfig, rules: SubmissionRules) -> int:
    """Returns what a file may have: what the hub takes, or what the design does, with a zip's own parts."""
    return min(config.upload_mb, rules.max_mb + _ZIP_MB) * _MB


def accepted_suffixes(rules: SubmissionRules, phase: Phase) -> tuple[str, ...]:
    """Returns how a file may end that a phase takes."""
    own = (".csv",) if rules.form == "table" else (".nii.gz",)
    predictions = own if "predictions" in phase.kinds else ()
    notebook = (".ipynb",) if "notebook" in phase.kinds else ()
    return (*predictions, *notebook, ".zip")


def safe_name(name: str) -> str:
    """Returns the name that a file gets on the disk: the person's own one where it is plain.

    Raises:
        InputError: It does not end as anything that is taken in.
    """
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    suffix = next((one for one in SUFFIXES if last.lower().endswith(one)), None)
    if suffix is None:
        raise InputError(
            "not a kind of file that is taken in", where="name", wanted=f"a name that ends with {', '.join(SUFFIXES)}",
            got=ascii(last[-40:]),
        )  # fmt: skip
    stem = last[: -len(suffix)]
    return f"{stem}{suffix}" if _SAFE.fullmatch(f"{stem}{suffix}") else f"submission{suffix}"


def why_not(challenge: Challenge, vault: Vault, phase: Phase, *, now: datetime.datetime) -> str:
    """Returns why a phase takes nothing in; "" where it does."""
    if vault.ended is not None:
        return "the challenge is closed"
    sealed = challenge.sealed
    if sealed is None or sealed.latest(phase.split) is None:
        return "its organiser has not put the hidden cases in yet"
    if now < phase.opens:
        return "it is not open yet"
    return "it is closed" if now >= phase.closes else ""


def require_room(desk: Desk, wanted: Wanted, *, accepted: bool) -> None:
    """Finds before a file is read what would keep it from being taken in.

    Raises:
        InputError: The phase takes nothing, no submission is left, or the terms were not accepted.
    """
    phase, vault, now = wanted.challenge.phase(wanted.phase), desk.vault(wanted.challenge.slug), desk.clock()
    if why := why_not(wanted.challenge, vault, phase, now=now):
        raise InputError(
            "the phase takes nothing now", where=phase.id, got=why,
            wanted=f"from {phase.opens.isoformat()} to before {phase.closes.isoformat()}",
        )  # fmt: skip
    if not accepted:
        raise InputError(
            "the terms of the phase are not accepted", where=phase.id, wanted=phase.terms,
            next_command="the same with accept_terms=true",
        )  # fmt: skip
    if left(vault, phase=phase, team=wanted.team.name, now=now) == 0:
        raise InputError("no submission left", where=f"{wanted.team.name}, {phase.id}", wanted=quota_text(phase))


def prepare(desk: Desk, wanted: Wanted, *, accepted: bool) -> tuple[Entry, bool]:
    """Makes room for a submission, or finds the one that this key stands for.

    Returns:
        The submission, and whether its file is to be sent: also where an earlier attempt broke off.

    Raises:
        InputError: As :func:`require_room`, or the key was used for something else.
    """
    known = _by_key(desk, wanted)
    if known is not None and not _lacks_file(desk, known):
        return _settled(desk, known), False
    require_room(desk, wanted, accepted=accepted)
    entry, fresh = entries.begin(desk, wanted)
    if fresh:
        return entry, True
    if not _lacks_file(desk, _same(entry, wanted)):
        return _settled(desk, entry), False
    return _once_more(desk, entry.id), True


def _by_key(desk: Desk, wanted: Wanted) -> Entry | None:
    if not wanted.key:
        return None
    with desk.database.read() as session:
        known = rows.by_key(session, person=wanted.person.id, key=wanted.key)
    return None if known is None else _same(known, wanted)


def _same(entry: Entry, wanted: Wanted) -> Entry:
    if (entry.challenge, entry.phase, entry.team_id) != (wanted.challenge.slug, wanted.phase, wanted.team.id):
        raise InputError(
            "this key stands for another submission", where="Idempotency-Key",
            wanted="a new key for each submission", got=f"{entry.id}, {entry.challenge}, {entry.phase}, {entry.team}",
        )  # fmt: skip
    return entry


def _lacks_file(desk: Desk, entry: Entry) -> bool:
    """Tells whether no file of a submission was ever complete here: it is on the way, or its sender went away."""
    return entry.state in ("arriving", "refused") and desk.vault(entry.challenge).received(entry.id) is None


def _settled(desk: Desk, entry: Entry) -> Entry:
    """Returns a submission that has its file; if a process was killed before it was put into the queue, it is now."""
    if entry.state != "arriving":
        return entry
    return entries.arrive(desk, entry.id, desk.config.spool, accepted=True)  # its file is in the vault: none is read


def _once_more(desk: Desk, id: str) -> Entry:
    now = desk.clock()
    with desk.database.write() as session:
        entry = _found(rows.find_entry(session, id), id)
        if entry.state in ("arriving", "refused") and not entry.kind:
            rows.move(
                session, entry, "arriving", why="its file is on the way, once more", now=now, until=now + ARRIVES_WITHIN
            )
        return entry


class Attempt:
    """One attempt to send a file: blocks go in, and at the end the vault has it or nothing is left."""

    def __init__(self, desk: Desk, entry: Entry, *, name: str, most: int) -> None:
        """Begins it.

        Raises:
            InputError: The name is of no kind that is taken in.
            StorageError: The disk refuses.
        """
        self._desk, self._id, self._challenge, self._most = desk, entry.id, entry.challenge, most
        self._name, self._began = name[:255], desk.clock()
        self._home = desk.config.spool / entry.id
        self._folder = self._home / secrets.token_hex(4)
        self._path = self._folder / safe_name(name)
        self._hash, self.size = hashlib.sha256(), 0
        with _ours():
            self._folder.mkdir(parents=True, mode=0o700)
            self._stream: IO[bytes] = self._path.open("xb", buffering=0)

    def take(self, block: bytes) -> None:
        """Writes a block.

        Raises:
            TooLarge: It is more than the file may have.
            StorageError: The disk refuses.
        """
        self.size += len(block)
        if self.size > self._most:
            raise TooLarge("the file is larger than the hub takes", wanted=f"at most {self._most // _MB} MB")
        if self._desk.clock() - self._began > ARRIVES_WITHIN:
            raise NetworkError("the file takes too long to arrive", wanted=f"less than {ARRIVES_WITHIN}")
        self._hash.update(block)
        with _ours():
            view = memoryview(block)
            while view:
                view = view[self._stream.write(view) :]

    def hand_over(self) -> Entry:
        """Gives the complete file to the vault, unless another attempt was first.

        Raises:
            InputError: It is empty, the phase is not open any more, or no submission is left.
            StorageError: The disk refuses.
        """
        if not self.size:
            raise InputError("nothing was sent", wanted="a file that is not empty")
        came = self._finish()
        with _alone(self._desk.config.spool, self._challenge):
            with self._desk.database.write() as session:
                entry = _found(rows.find_entry(session, self._id), self._id)
                if not _lacks_file(self._desk, entry):
                    return entry
                entry.size, entry.sha256, entry.upload = came.size, came.sha256, self._name
                entry.received = self._began
                if entry.state == "refused":  # another attempt broke off while this one went on
                    rows.move(session, entry, "arriving", why="its file has come", now=self._desk.clock())
            return entries.arrive(self._desk, self._id, came.path, accepted=True)

    def clear(self, why: str = "") -> None:
        """Removes what is left.

        Args:
            why: The file did not come: unless another attempt goes on, the submission says so.
        """
        with suppress(OSError):
            self._stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._home.rmdir()
        except OSError:
            return  # another attempt goes on
        if why:
            entries.interrupted(self._desk, self._id, why)  # where the file has come after all, it stays as it is

    def _finish(self) -> Came:
        with _ours():
            os.fsync(self._stream.fileno())
            self._stream.close()
        return Came(self._path, self.size, self._hash.hexdigest())


def copy_in(attempt: Attempt, stream: IO[bytes]) -> Entry:
    """Reads a file that the web framework has put on the disk, and hands it over; raises as :func:`stream_in`."""
    why = "the hub stopped while its file was on the way; nothing was kept: send it again"
    try:
        while block := stream.read(BLOCK_BYTES):
            attempt.take(block)
        entry = attempt.hand_over()
        why = ""
        return entry
    except BraggbookError as error:
        why = f"{error.what}; nothing was kept"
        raise
    finally:
        attempt.clear(why)


async def stream_in(attempt: Attempt, body: AsyncIterator[bytes], *, silent_s: float = SILENT_S) -> Entry:
    """Reads a file from a client while it comes, and hands it over.

    Args:
        attempt: Just begun.
        body: Blocks of any size.
        silent_s: A client that sends nothing for so long is given up.

    Raises:
        ClientDisconnect: The client is gone; the submission says so.
        TooLarge, InputError, StorageError: As :class:`Attempt`.
        NetworkError: Nothing came for too long.
    """
    why = "the hub stopped while its file was on the way; nothing was kept: send it again"
    try:
        await _fill(attempt, body, silent_s=silent_s)
        entry = await run_in_threadpool(attempt.hand_over)
        why = ""
        return entry
    except ClientDisconnect:
        why = f"the connection broke after {attempt.size:,} bytes; nothing was kept: send it again"
        raise
    except BraggbookError as error:
        why = f"{error.what}; nothing was kept"
        raise
    finally:
        with CancelScope(shield=True):
            await run_in_threadpool(attempt.clear, why)


async def _fill(attempt: Attempt, body: AsyncIterator[bytes], *, silent_s: float) -> None:
    waiting = bytearray()
    while True:
        try:
            async with asyncio.timeout(silent_s):
                block = await anext(body, None)
        except TimeoutError:
            raise NetworkError("nothing came for too long", wanted=f"a block within {silent_s:g} s") from None
        waiting += block or b""
        if len(waiting) >= BLOCK_BYTES or (block is None and waiting):
            await run_in_threadpool(attempt.take, bytes(waiting))
            waiting.clear()
        if block is None:
            return


def sweep(desk: Desk) -> None:
    """Removes what a process that was killed left of uploads; to be called before the hub takes any in."""
    if not desk.config.spool.is_dir():
        return
    for folder in [one for one in desk.config.spool.iterdir() if one.is_dir()]:
        shutil.rmtree(folder, ignore_errors=True)
        with desk.database.read() as session:
            entry = rows.find_entry(session, folder.name)
        if entry is not None and _lacks_file(desk, entry):
            entries.interrupted(desk, entry.id, _STARTED_AGAIN)


@contextmanager
def _alone(spool: Path, challenge: str) -> Iterator[None]:
    """Waits until nobody else hands over to a challenge."""
    with _ours():
        lock = (spool / f".{challenge}.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _ours() -> Iterator[None]:
    """Says what the disk refuses, without the machine's folders."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        raise StorageError(
            "the hub's disk is full" if full else "the hub cannot write", wanted="an organiser who makes room"
            if full else "an organiser who looks at the hub's log", got=error.strerror or "",
            next_command="the same again later",
        ) from error  # fmt: skip


def _found(entry: Entry | None, id: str) -> Entry:
    if entry is None:
        raise InputError("no such submission", got=id)
    return entry
