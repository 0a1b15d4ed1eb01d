"""A file of a record: resumed where it was left, checked, and only then where it belongs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import requests

from braggbook.errors import HashMismatch, NetworkError
from braggbook.files import storage
from braggbook.progress import Progress
from braggbook.records.archive import RemoteFile
from braggbook.records.transport import Transport

_BLOCK_BYTES = 1 << 20
_TRIES = 5


def fetch_checked(transport: Transport, address: str, file: RemoteFile, target: Path, *, progress: Progress) -> None:
    """Downloads ``address`` to ``target``, by way of ``<target>.part``, which a next call goes on with.

    Args:
        transport: The server.
        address: On it.
        file: What the record lists: size and checksum.
        target: Where the file shall be.
        progress: Is told how many bytes there are.

    Raises:
        HashMismatch: What came is not what the record lists; nothing is left of it.
        NetworkError: The connection broke more often than is worth trying; what came is kept.
    """
    part = target.with_name(f".{target.name}.{file.md5[:12]}.part")
    for _ in range(_TRIES):
        have = part.stat().st_size if part.is_file() else 0
        if have >= file.bytes and part.is_file():
            break
        before = have
        try:
            _go_on(transport, address, part, have, file, progress)
        except (requests.RequestException, NetworkError):
            if (part.stat().st_size if part.is_file() else 0) <= before:
                raise
    _check(part, file, address)
    with storage(target):
        os.replace(part, target)


def _go_on(transport: Transport, address: str, part: Path, have: int, file: RemoteFile, progress: Progress) -> None:
    headers = {"Range": f"bytes={have}-"} if have else {}
    answer = transport.ask("GET", address, headers={**headers, "Accept-Encoding": "identity"}, stream=True)
    with answer, storage(part), part.open("ab" if answer.status_code == 206 else "wb") as out:
        done = have if answer.status_code == 206 else 0
        for block in answer.iter_content(_BLOCK_BYTES):
            done += len(block)
            if done > file.bytes:
                break  # more than the record lists: the check will say so
            out.write(block)
            progress.step(done, file.name)
        out.flush()
        os.fsync(out.fileno())


def _check(part: Path, file: RemoteFile, address: str) -> None:
    md5 = hashlib.md5(usedforsecurity=False)
    with storage(part), part.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            md5.update(block)
    size = part.stat().st_size
    if (size, md5.hexdigest()) == (file.bytes, file.md5):
        return
    part.unlink()
    raise HashMismatch(
        "the file that came is not the one that the record lists",
        where=address,
        wanted=f"md5 {file.md5}, {file.bytes} bytes",
        got=f"md5 {md5.hexdigest()}, {size} bytes",
    )
