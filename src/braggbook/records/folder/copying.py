"""Bytes into an archive and out of it: block by block, hashed on the way, and gone on with where they were left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from braggbook.errors import ArchiveError, HashMismatch
from braggbook.files import sha256_bytes, storage
from braggbook.formats.record import PlanFile

_BLOCK_BYTES = 1 << 20


class _Digests:
    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.bytes = 0

    def take(self, block: bytes) -> None:
        self.sha256.update(block)
        self.md5.update(block)
        self.bytes += len(block)

    def file(self, name: str) -> PlanFile:
        return PlanFile(name=name, sha256=self.sha256.hexdigest(), md5=self.md5.hexdigest(), bytes=self.bytes)


def copy_in(source: Path, stream: IO[bytes], *, name: str, step: Callable[[int], None]) -> PlanFile:
    """Copies a file into an archive's open file, and returns what was copied.

    Args:
        source: The file.
        stream: Where it goes; synced to the disk at the end.
        name: What it is called in the archive.
        step: Is told how many bytes there are.

    Raises:
        ArchiveError: It cannot be read.
        HashMismatch: It changed meanwhile.
        StorageError: The archive cannot be written.
    """
    digests = _Digests()
    with _opened(source) as reader:
        before = os.fstat(reader.fileno())
        while digests.bytes <= before.st_size and (block := _read(reader, source)):  # a file may grow for ever
            with storage(Path(stream.name)):
                stream.write(block)
            digests.take(block)
            step(digests.bytes)
        after = os.fstat(reader.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or digests.bytes != after.st_size:
        raise HashMismatch(
            "the file changed while it was being sent", where=str(source), wanted=f"{before.st_size} bytes, as it was",
            got=f"{digests.bytes} bytes read of {after.st_size}", next_command="the same command again",
        )  # fmt: skip
    with storage(Path(stream.name)):
        stream.flush()
        os.fsync(stream.fileno())
    return digests.file(name)


def copy_out(source: Path, target: Path, *, file: PlanFile, step: Callable[[int], None]) -> None:
    """Copies a file out of an archive by way of a partial file beside ``target``, which a next call goes on with.

    Args:
        source: In the archive.
        target: Where it goes.
        file: What it must be.
        step: Is told how many bytes there are.

    Raises:
        ArchiveError: The archive's file cannot be read.
        HashMismatch: It is not what it must be; nothing of it is left.
        StorageError: The target cannot be written.
    """
    part = target.with_name(
        f".{sha256_bytes(target.name.encode())[:16]}.{file.md5[:12]}.part"
    )  # however long names are
    left = part.is_file()
    found = _complete(source, part, step=step)
    if left and found.sha256 != file.sha256:  # what was left was of something else
        _remove(part)
        found = _complete(source, part, step=step)
    if (found.sha256, found.md5, found.bytes) != (file.sha256, file.md5, file.bytes):
        _remove(part)
        raise HashMismatch(
            "the archive's file is not the one that its record lists", where=str(source),
            wanted=f"sha256 {file.sha256}, md5 {file.md5}, {file.bytes} bytes",
            got=f"sha256 {found.sha256}, md5 {found.md5}, {found.bytes} bytes",
        )  # fmt: skip
    with storage(target):
        os.replace(part, target)


def _complete(source: Path, part: Path, *, step: Callable[[int], None]) -> PlanFile:
    """Adds to a partial file what ``source`` has beyond it, and returns what it is then."""
    digests = _Digests()
    with _opened(source) as reader, storage(part), part.open("ab+") as writer:
        writer.seek(0)
        while block := writer.read(_BLOCK_BYTES):
            digests.take(block)
        reader.seek(digests.bytes)
        while block := _read(reader, source):
            writer.write(block)
            digests.take(block)
            step(digests.bytes)
        writer.flush()
        os.fsync(writer.fileno())
    return digests.file(part.name)


def _remove(part: Path) -> None:
    with storage(part):
        part.unlink()


def _opened(path: Path) -> IO[bytes]:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ArchiveError("not a file", where=str(path), wanted="a file; put a folder into a zip")
    try:
        return path.open("rb")
    except OSError as error:
        raise ArchiveError("cannot read the file", where=str(path), got=error.strerror or "") from None


def _read(reader: IO[bytes], path: Path) -> bytes:
    try:
        return reader.read(_BLOCK_BYTES)
    except OSError as error:
        raise ArchiveError("cannot read the file", where=str(path), got=error.strerror or "") from None
