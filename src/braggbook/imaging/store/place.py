"""Folders and files that appear whole: written beside their place, put on the disk, then renamed."""

from __future__ import annotations

import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from braggbook.errors import ImagingError
from braggbook.files import storage, sync_tree

_PART, _OLD = ".part", ".old"


@contextmanager
def new_folder(path: Path, *, overwrite: bool, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Gives a folder to write into, which gets the name ``path`` when the block ends well, and goes when it does not.

    Args:
        path: Where the folder is to be. What is in its place stays until the new one is whole.
        overwrite: Whether something may be in its place.
        ours: Whether what is in its place is of the kind that may be replaced; anything else never is.

    Raises:
        ImagingError: Something is there that may not be replaced.
        StorageError: The disk is full or refuses.
    """
    check_free(path, overwrite=overwrite, ours=ours)
    part, lock = _part_of(path), None
    try:
        with storage(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _clean(path)
            lock = _owned(part, lambda: part.mkdir(0o700))
        yield part
        with storage(path):
            os.chmod(part, 0o777 & ~_umask())
            sync_tree(part)
            check_free(path, overwrite=overwrite, ours=ours)
            _swap(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Gives the name of a file to write, which becomes ``path`` when the block ends well; see :func:`new_folder`."""
    check_free(path, overwrite=overwrite, ours=Path.is_file)
    part, lock = _part_of(path), None
    try:
        with storage(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _clean(path)
            lock = _owned(part, lambda: os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)))
        yield part
        with storage(path):
            os.fsync(lock)
            os.chmod(part, 0o666 & ~_umask())
            check_free(path, overwrite=overwrite, ours=Path.is_file)
            os.replace(part, path)
    finally:
        with suppress(OSError):
            os.unlink(part)
        if lock is not None:
            os.close(lock)


def _part_of(path: Path) -> Path:
    """Returns the name to write under: known before anything is there, so that it is taken away whenever one stops."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{_PART}")


def _owned(part: Path, make: Callable[[], object]) -> int:
    """Makes a part and locks it, which says to later writers that its writer lives; returns the lock."""
    while True:
        make()
        with suppress(FileNotFoundError):  # another writer may have taken it for a dead one's before it was locked
            lock = os.open(part, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if part.exists():
                return lock
            os.close(lock)


def check_free(path: Path, *, overwrite: bool, ours: Callable[[Path], bool]) -> None:
    """Checks that something may be written at ``path``.

    Raises:
        ImagingError: Something is there that may not be replaced.
    """
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
        return
    if not overwrite:
        raise ImagingError(
            "there is something already",
            where=str(path),
            wanted="a new name, or overwrite=True",
            next_command=f"ls -ld {path}",
        )
    if path.is_symlink() or not ours(path):
        raise ImagingError(
            "what is there is not replaced: it is not of this kind",
            where=str(path),
            wanted="a new name",
            next_command=f"ls -ld {path}",
        )


def _swap(folder: Path, path: Path) -> None:
    old = folder.with_suffix(_OLD)
    if path.exists():
        os.rename(path, old)
    os.rename(folder, path)
    shutil.rmtree(old, ignore_errors=True)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clean(path: Path) -> None:
    """Takes away what writers left that were killed, and puts back what one of them had just moved aside."""
    beside = f".{glob.escape(path.name)}.*"
    for old in path.parent.glob(beside + _OLD):
        if not path.exists():
            os.rename(old, path)
        shutil.rmtree(old, ignore_errors=True)
    for left in path.parent.glob(beside + _PART):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
                shutil.rmtree(left) if left.is_dir() else os.unlink(left)
            finally:
                os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
