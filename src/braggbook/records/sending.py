"""A file on its way to an archive: in blocks, and with the checksum of the very bytes that went."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from braggbook.errors import HashMismatch, UnknownName

_BLOCK_BYTES = 1 << 18  # each must go within the time that a connection may be silent, on slow lines too


class Sending:
    """A file to be sent: opened anew for every try.

    Args:
        path: Where it is.
        step: Is told how many bytes went.

    Raises:
        UnknownName: It is not there.
    """

    def __init__(self, path: Path, step: Callable[[int], None]) -> None:
        if not path.is_file():
            raise UnknownName("no such file here", where=str(path))
        self._path, self._step = path, step
        self._md5 = hashlib.md5(usedforsecurity=False)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Gives what requests sends, with its length known beforehand: an empty file is not sent in chunks."""
        self._md5 = hashlib.md5(usedforsecurity=False)
        size = self._path.stat().st_size
        with self._path.open("rb", buffering=0) as file:
            yield _Blocks(file, size, self._took) if size else b""

    def _took(self, block: bytes, sent: int) -> None:
        self._md5.update(block)
        self._step(sent)

    def check(self, md5: str, *, where: str) -> None:
        """Compares with what the archive says has arrived.

        Raises:
            HashMismatch: It is something else.
        """
        if md5 != self._md5.hexdigest():
            wanted = f"md5 {self._md5.hexdigest()}"
            raise HashMismatch("the archive has not what was sent", where=where, wanted=wanted, got=f"md5 {md5}")


class _Blocks:
    """What http.client reads from, in blocks of our size: its own are 16 kB."""

    def __init__(self, file: Any, size: int, took: Callable[[bytes, int], None]) -> None:
        self._file, self._left, self._sent, self._took = file, size, 0, took

    def __len__(self) -> int:
        return self._left

    def read(self, _count: int = -1) -> bytes:
        """Returns the next block, and none beyond the length that was announced."""
        if not self._left:
            return b""
        block: bytes = self._file.read(min(_BLOCK_BYTES, self._left))
        if not block:  # the server would wait for the rest for ever
            raise HashMismatch("a file became shorter while it was sent", where=str(self._file.name))
        self._left -= len(block)
        self._sent += len(block)
        self._took(block, self._sent)
        return block
