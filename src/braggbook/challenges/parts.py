"""Folders in the making: shown by a rename when they are whole, and never mistaken for what a killed process left."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from braggbook.files import storage, sync_tree

_TOKEN_BYTES = 4  # tells apart the processes that make one folder


@contextmanager
def part_of(target: Path, *, alone: AbstractContextManager[None]) -> Iterator[Path]:
    """Gives an empty folder beside ``target`` to work in, and removes it afterwards if it is still there.

    Several processes may make the same folder: each has a part of its own, with a locked file beside it. The system
    takes the lock from a process that dies, so that the next one knows its part for remains and removes it.

    Args:
        target: The folder that shall be made.
        alone: Held while remains are looked for.

    Raises:
        StorageError: The disk refuses.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(_TOKEN_BYTES)}.part")
    with alone, storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_remains(target)
        lock = _lock_of(part).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.mkdir()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _lock_of(part).unlink(missing_ok=True)
        lock.close()


def show(part: Path, target: Path, *, card: str) -> bool:
    """Renames a whole folder to its name, and tells whether it did: what is there already stays.

    Args:
        part: The folder.
        target: Its name.
        card: A file by which a whole folder is known.

    Raises:
        StorageError: The disk refuses, or something else is in the way.
    """
    with storage(target):
        sync_tree(part)
        try:
            os.rename(part, target)
        except OSError:
            if not (target / card).is_file():
                raise
            return False
        return True


def _remove_remains(target: Path) -> None:
    left = {path.with_suffix(".part") for path in target.parent.glob(f".{target.name}.*")}
    for part in left:
        path = _lock_of(part)
        with path.open("a") as lock:
            if _was_left(lock):
                shutil.rmtree(part, ignore_errors=True)
                path.unlink(missing_ok=True)


def _was_left(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_of(part: Path) -> Path:
    return part.with_suffix(".lock")
