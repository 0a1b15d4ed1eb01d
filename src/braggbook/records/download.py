"""A file from the net: resumed where it was left, checked, and only then where it belongs.

What has come so far lies in ``<target>.part`` beside the target; it is never taken for the file. A part is gone on
with only while it belongs to the same bytes: its name has the checksum that the record lists, or else what the server
last said of the file (``ETag`` or ``Last-Modified``) is asked for again (``If-Range``, RFC 9110 section 13.1.5).
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import requests

from braggbook.errors import ArchiveError, HashMismatch, NetworkError
from braggbook.files import sha256_bytes, storage, write_text
from braggbook.progress import Progress
from braggbook.records.archive import RemoteFile
from braggbook.records.transport import Transport

_BLOCK_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16  # is written at once, so that little is lost of a line that breaks
_FUTILE = 4  # tries in a row that brought no byte
_PAUSE_S = 0.2  # after a break, and twice as long after each further futile one
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_LONGEST_BYTES = 100 << 30  # of a file whose size nobody said


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
    part = _part(target, file.md5)
    coming = _Coming(transport, address, part, progress, name=file.name, most=file.bytes)
    if not (part.is_file() and part.stat().st_size >= file.bytes):
        coming.complete(file.bytes)
    _check(part, file, address)
    with storage(target):
        os.replace(part, target)


def fetch_plain(transport: Transport, address: str, target: Path, *, progress: Progress) -> None:
    """Downloads an address of which no checksum is known; what came is as long as the server said.

    Args:
        transport: The server.
        address: On it.
        target: Where the file shall be.
        progress: Is told how many bytes there are.

    Raises:
        ArchiveError: There is a page and not a file, or it is too large.
        NetworkError: The connection broke more often than is worth trying; what came is kept.
    """
    part = _part(target, address)
    coming = _Coming(transport, address, part, progress, name=target.name, most=_LONGEST_BYTES, marked=True)
    coming.complete(None)
    with storage(target):
        os.replace(part, target)
        _mark(part).unlink(missing_ok=True)


def _part(target: Path, of: str) -> Path:
    return target.with_name(f".{sha256_bytes(target.name.encode())[:16]}.{sha256_bytes(of.encode())[:12]}.part")


def _mark(part: Path) -> Path:
    """Where stands which version of the file a part is of."""
    return part.with_suffix(".of")


class _Coming:
    """A file on its way here."""

    def __init__(
        self,
        transport: Transport,
        address: str,
        part: Path,
        progress: Progress,
        *,
        name: str,
        most: int,
        marked: bool = False,
    ) -> None:
        self._transport, self._address, self._part, self._progress = transport, address, part, progress
        self._name, self._most, self._marked = name, most, marked

    def complete(self, wanted: int | None) -> None:
        """Asks until everything is here; a try that brought something does not count as one."""
        futile = 0
        while True:
            before = self._have()
            failure: Exception | None = None
            try:
                wanted = self._go_on(before, wanted)
            except (requests.RequestException, NetworkError) as error:
                failure = error
            have = self._have()
            if failure is None and (wanted is None or have >= wanted):
                return
            futile = 0 if have > before else futile + 1
            if futile >= _FUTILE:
                raise self._broken(failure, have, wanted)
            self._transport.clock.sleep(_PAUSE_S * 2**futile)

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _broken(self, failure: Exception | None, have: int, wanted: int | None) -> NetworkError:
        said = str(failure.got if isinstance(failure, NetworkError) else failure or "the file ends too early")
        return NetworkError(
            "the download broke off",
            where=self._transport.clean(self._address),
            wanted=f"{wanted:,} bytes" if wanted is not None else "",
            got=f"{have:,} bytes, then {self._transport.clean(said)}",
            next_command="the same command again, which goes on where it stopped",
        )

    def _go_on(self, have: int, wanted: int | None) -> int | None:
        """Asks once, and returns how long the file is, as far as anybody said."""
        headers = {"Accept-Encoding": "identity"}
        mark = self._marked_as() if self._marked else ""
        if have and (mark or not self._marked):
            headers |= {"Range": f"bytes={have}-"} | ({"If-Range": mark} if mark else {})
        answer = self._transport.ask("GET", self._address, headers=headers, expect=(416,), stream=True)
        with answer:
            if answer.status_code == 416:  # what is here is longer than the file, or of another one
                self._begin_anew()
                return wanted
            start = _start(answer)
            if start not in (0, have):
                raise ArchiveError("the server sends another part than was asked for", where=answer.url, got=str(start))
            whole = _whole(answer, start)
            self._accept(answer, start)
            self._write(answer, start)
        return wanted if wanted is not None else whole

    def _accept(self, answer: requests.Response, start: int) -> None:
        """Looks at what is to come, and notes which version of the file it is."""
        if not self._marked:
            return
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            wanted = "the address of the zip itself"
            raise ArchiveError("a page, not a file", where=self._address, wanted=wanted, got=kind)
        if start == 0:
            etag = answer.headers.get("ETag", "")  # a weak one does not mean the same bytes
            told = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
            write_text(_mark(self._part), told)

    def _marked_as(self) -> str:
        mark = _mark(self._part)
        return mark.read_text(encoding="utf-8") if mark.is_file() else ""

    def _begin_anew(self) -> None:
        with storage(self._part):
            self._part.unlink(missing_ok=True)

    def _write(self, answer: requests.Response, start: int) -> None:
        done = start
        with storage(self._part):
            out = self._part.open("ab" if start else "wb", buffering=0)
        with out:
            try:
                for block in answer.iter_content(_PIECE_BYTES):
                    done += len(block)
                    with storage(self._part):
                        out.write(block)
                    self._progress.step(done, self._name)
                    if done > self._most:
                        return  # more than there may be: the check will say so
            finally:
                with storage(self._part):
                    os.fsync(out.fileno())


def _start(answer: requests.Response) -> int:
    """Returns at which byte of the file an answer begins."""
    if answer.status_code != requests.codes.partial_content:
        return 0
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _whole(answer: requests.Response, start: int) -> int | None:
    """Returns how long the whole file is, if the server says so."""
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match and match[3] != "*":
        return int(match[3])
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isascii() and length.isdecimal() else None


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
