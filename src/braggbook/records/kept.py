"""What was downloaded, kept in the cache by what is in it: a second time, nothing has to come.

::

    <cache>/records/by_sha256/<sha256>/<name>.zip     whole files only; they get here by one rename
    <cache>/records/by_sha256/<sha256>/unpacked/      the zip's files; looked at again before each use
    <cache>/records/seen/<digest>                     the SHA-256 of a file that a record lists, or that an address gave
    <cache>/records/coming/<digest>/                  what is on its way
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from braggbook.files import canonical_json, sha256_bytes, sha256_file, storage, write_text
from braggbook.records.unpack import is_unpacked, unpack

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 100  # characters


class Kept:
    """The downloaded files of one cache; several processes may use it at once."""

    def __init__(self, cache: Path) -> None:
        self._root = cache / "records"

    @contextmanager
    def alone(self, key: str) -> Iterator[Path]:
        """Gives the folder where the file with a key may be on its way, once nobody else is fetching it."""
        folder = self._root / "coming" / key
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / ".lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder

    def find(self, key: str) -> Path | None:
        """Returns the whole file with a key, if it is here and has not changed."""
        note = self._root / "seen" / key
        sha256 = note.read_bytes().decode("ascii", "replace").strip() if note.is_file() else ""
        if not _SHA256.fullmatch(sha256):
            return None
        found = [path for path in (self._root / "by_sha256" / sha256).glob("*.zip") if path.is_file()]
        return found[0] if found and sha256_file(found[0]) == sha256 else None

    def keep(self, path: Path, key: str, *, name: str) -> Path:
        """Takes a whole file in, and returns where it is now.

        Args:
            path: The file; it is moved.
            key: What it will be asked for by.
            name: Of the file, as its record says.
        """
        sha256 = sha256_file(path)
        target = self._root / "by_sha256" / sha256 / file_name(name)
        with storage(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            for other in target.parent.glob("*.zip"):  # one is enough; a damaged one is gone thereby
                other.unlink()
            os.replace(path, target)
            (self._root / "seen").mkdir(exist_ok=True)
        write_text(self._root / "seen" / key, sha256)
        return target

    def unpacked(self, path: Path) -> Path:
        """Returns the folder with the files of a zip, exactly as they are in it.

        Args:
            path: The zip, kept here or somewhere else.

        Raises:
            RecordError: It is not safe to unpack; nothing of it is left.
            StorageError: The disk refuses.
        """
        home = self._root / "by_sha256" / sha256_file(path)
        with storage(home):
            home.mkdir(parents=True, exist_ok=True)
            lock = (home / ".lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder, part = home / "unpacked", home / ".unpacked.part"
            if not is_unpacked(path, folder):
                with storage(home):
                    for left in (folder, part):
                        if left.exists():
                            shutil.rmtree(left)
                unpack(path, part)
                with storage(home):
                    os.rename(part, folder)
        return folder


def key_of(*facts: object) -> str:
    """Returns what a file is asked for by: a digest of what is known of it before it is here."""
    return sha256_bytes(canonical_json([str(fact) for fact in facts]))[:32]


def file_name(name: str) -> str:
    """Returns a name that every disk takes, and that ends in ``.zip``."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name.removesuffix(".zip")).lstrip(".")[:_LONGEST_NAME]
    return f"{stem or 'record'}.zip"
