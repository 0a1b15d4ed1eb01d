"""Where the archive keeps its records, and the one way of keeping them that comes with it.

A folder holds::

    archive.json        {"format": 1, "next": the next number that nobody has}
    entries/<id>.json   one version of a record, as `Entry.as_json` has it
    blobs/<32 hex>      the bytes of a file; versions share them
    blobs/<32 hex>.part bytes that are still arriving, removed at the next start
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from braggbook.errors import RecordError
from braggbook.files import storage, sync_tree, write_json

from .model import Entry, StoredFile

_FORMAT = 1
_Read = TypeVar("_Read")
_FIRST = 1000001  # seven digits, as real record numbers have


class Receiver(Protocol):
    """Bytes of a file on their way in: nothing is kept unless :meth:`keep` is called."""

    size: int

    def write(self, block: memoryview | bytes) -> None:
        """Takes the next bytes."""

    @property
    def md5(self) -> str:
        """The digest of what was written so far, as 32 hexadecimal digits."""

    def keep(self) -> str:
        """Makes the bytes stay and returns their name in the store."""


class Store(Protocol):
    """Keeps versions of records and the bytes of their files; safe to use from several threads."""

    read_only: bool

    def number(self) -> int:
        """Returns a number that was never returned before."""

    def load(self, id: str) -> Entry | None:
        """Returns a version, or None."""

    def entries(self) -> list[Entry]:
        """Returns all versions, oldest first."""

    def save(self, entry: Entry) -> None:
        """Keeps a version as it is now, whole or not at all."""

    def delete(self, id: str) -> None:
        """Forgets a version."""

    def receive(self) -> AbstractContextManager[Receiver]:
        """Opens a place for bytes that arrive."""

    def open(self, file: StoredFile) -> BinaryIO:
        """Opens the bytes of a file for reading; the system must know it as a file."""

    def damage(self, blob: str) -> None:
        """Flips a bit of stored bytes, for tests of what a reader notices."""


class FolderStore:
    """Keeps records in a folder; a second server on the same folder, later, finds them all.

    Args:
        folder: Made where it is missing.
        durable: Whether to wait for the disk at each write, as an archive should that outlives the machine's
            power. Without, a crash of the process loses nothing, a crash of the machine may.

    Raises:
        RecordError: The folder has files that are not an archive's.
        StorageError: It cannot be made.
    """

    read_only = False

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._entries, self._blobs, self._about = folder / "entries", folder / "blobs", folder / "archive.json"
        self._durable = durable
        self._lock = threading.RLock()
        for place in (self._entries, self._blobs):
            with storage(place):
                place.mkdir(parents=True, exist_ok=True)
        self._next = _read(self._about, lambda about: _checked(about)["next"]) if self._about.exists() else _FIRST
        read = (_read(path, Entry.from_json) for path in self._entries.glob("*.json"))
        self._known = {entry.id: entry for entry in sorted(read, key=lambda entry: (entry.created, entry.id))}
        self._uses = Counter(blob for entry in self._known.values() for blob in entry.blobs)
        self._clean()

    def number(self) -> int:
        """Returns the next number, and remembers that it is taken."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._write(self._about, {"format": _FORMAT, "next": self._next})
            return number

    def load(self, id: str) -> Entry | None:
        """Returns a version, or None."""
        with self._lock:
            return self._known.get(id)

    def entries(self) -> list[Entry]:
        """Returns all versions, oldest first."""
        with self._lock:
            return list(self._known.values())

    def save(self, entry: Entry) -> None:
        """Writes a version by a rename, then lets go of bytes that nothing holds any more."""
        with self._lock:
            self._write(self._entries / f"{entry.id}.json", entry.as_json())
            before = self._known.get(entry.id)
            self._known[entry.id] = entry
            self._count(entry.blobs, before.blobs if before else set())

    def delete(self, id: str) -> None:
        """Forgets a version and the bytes that only it had."""
        with self._lock:
            entry = self._known.pop(id)
            (self._entries / f"{id}.json").unlink()
            self._count(set(), entry.blobs)

    @contextmanager
    def receive(self) -> Iterator[Receiver]:
        """Opens a file beside the others under a name of its own."""
        path = self._blobs / f"{uuid.uuid4().hex}.part"
        with storage(path), path.open("wb", buffering=0) as stream:
            receiver = _FolderReceiver(path, stream, durable=self._durable)
            try:
                yield receiver
            finally:
                path.unlink(missing_ok=True)

    def open(self, file: StoredFile) -> BinaryIO:
        """Opens the bytes of a file."""
        return (self._blobs / file.blob).open("rb")

    def damage(self, blob: str) -> None:
        """Flips the lowest bit of the byte in the middle."""
        path = self._blobs / blob
        with path.open("r+b") as stream:
            stream.seek(path.stat().st_size // 2)
            byte = stream.read(1)
            stream.seek(-len(byte), os.SEEK_CUR)
            stream.write(bytes(value ^ 1 for value in byte))

    def _count(self, now: set[str], before: set[str]) -> None:
        self._uses.update(now - before)
        self._uses.subtract(before - now)
        for blob in before - now:
            if self._uses[blob] <= 0:
                del self._uses[blob]
                (self._blobs / blob).unlink(missing_ok=True)

    def _write(self, path: Path, value: object) -> None:
        if self._durable:
            write_json(path, value)
            return
        part = path.with_suffix(f".{threading.get_ident()}.part")
        with storage(path):
            part.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False))
            os.replace(part, path)

    def _clean(self) -> None:
        for path in itertools.chain(self._blobs.iterdir(), self._entries.glob("*.part")):
            if path.name not in self._uses:
                path.unlink()
        if self._durable:
            sync_tree(self._entries)


def _read(path: Path, build: Callable[[dict[str, Any]], _Read]) -> _Read:
    try:
        return build(json.loads(path.read_bytes()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(
            "not a file of an archive",
            where=str(path),
            wanted=f"JSON of format {_FORMAT}",
            got=str(error) or type(error).__name__,
            next_command=f"mv {path} elsewhere, or choose another folder",
        ) from error


def _checked(about: dict[str, Any]) -> dict[str, Any]:
    if about["format"] != _FORMAT:
        raise ValueError(f"format {about['format']}")
    return about


class _FolderReceiver:
    def __init__(self, path: Path, stream: FileIO, *, durable: bool) -> None:
        self._path, self._stream, self._durable = path, stream, durable
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, block: memoryview | bytes) -> None:
        self._digest.update(block)
        left = memoryview(block)
        while left:  # a raw write may take less than it was given
            left = left[self._stream.write(left) :]
        self.size += len(block)

    @property
    def md5(self) -> str:
        return self._digest.hexdigest()

    def keep(self) -> str:
        blob = self._path.with_suffix("")
        if self._durable:
            os.fsync(self._stream.fileno())
        os.replace(self._path, blob)
        return blob.name
