"""Files on disk: whole or not at all, and named by what is in them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from braggbook.errors import StorageError

_BLOCK_BYTES = 1 << 20
_LONGEST_REASON = 300  # characters; shutil lists every file that it could not copy
_LONGEST_BASE = 60  # characters; a socket's whole path may have 107 (Linux, unix(7)), 103 on macOS
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sha256_bytes(data: bytes) -> str:
    """Returns the SHA-256 digest of ``data`` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 digest of a file as 64 hexadecimal digits, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def canonical_json(value: Any) -> bytes:
    """Returns the one JSON spelling of ``value`` that digests are taken of: sorted keys, no blanks, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def write_bytes(path: Path, data: bytes) -> None:
    """Writes ``data`` to a temporary neighbour, syncs it and renames it to ``path``.

    Raises:
        StorageError: The disk is full, read-only or otherwise refuses; ``path`` is then as it was.
    """
    with storage(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` as UTF-8, whole or not at all; see :func:`write_bytes`."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as indented JSON without NaN, whole or not at all; see :func:`write_bytes`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns an operating system's refusal to write into a :class:`StorageError` that names ``path``."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        raise StorageError(
            "the disk is full" if full else "cannot write",
            where=str(path),
            got=error.strerror or str(error)[:_LONGEST_REASON],
            next_command=f"df -h {path.parent}" if full else f"ls -ld {path.parent}",
        ) from error


def sync_tree(folder: Path) -> None:
    """Asks the system to put every file and folder below ``folder`` on the disk (before a rename shows it)."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def short_temporary_folder() -> Path:
    """Returns a temporary folder of the system whose path is short enough for sockets in it.

    Raises:
        StorageError: There is none.
    """
    places = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]  # noqa: S108 - mkstemp makes the name
    for place in places:
        if len(place) <= _LONGEST_BASE and os.access(place, os.W_OK):
            return Path(place)
    raise StorageError(
        "no temporary folder has a short path",
        where=places[0],
        wanted=f"at most {_LONGEST_BASE} characters, since the kernel's sockets lie there",
        next_command="TMPDIR=/tmp braggbook ...",
    )
