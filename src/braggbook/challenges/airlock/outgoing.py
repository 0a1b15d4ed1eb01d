"""Files on their way through: opened without following anything, and a folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from braggbook.errors import DuplicateName
from braggbook.files import storage, sync_tree

# Neither a link is followed, nor a pipe waited for; systems without these flags have no such pipes.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def open_regular(path: Path) -> IO[bytes]:
    """Opens a file to be read, if it is an ordinary one.

    Raises:
        OSError: It is a link, a pipe, a device or a folder, or cannot be read.
    """
    handle = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not an ordinary file")
    return os.fdopen(handle, "rb")


def check_free(target: Path) -> None:
    """Makes sure that a folder can be written: it is absent, or empty.

    Raises:
        DuplicateName: Something is there.
    """
    if os.path.lexists(target) and not (target.is_dir() and not target.is_symlink() and not any(target.iterdir())):
        raise DuplicateName("something is there already", where=str(target), wanted="an empty folder, or none")


def publish(target: Path, fill: Callable[[Path], None]) -> None:
    """Makes a folder: ``fill`` writes into one beside it, which gets its name by one rename.

    Raises:
        DuplicateName: Something is there already.
        StorageError: The disk refuses; ``target`` is then as it was.
    """
    check_free(target)
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    try:
        with storage(target):
            work = scratch / target.name
            work.mkdir()
            fill(work)
            sync_tree(work)
            if target.is_dir():
                target.rmdir()
            os.rename(work, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
