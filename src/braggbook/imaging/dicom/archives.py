"""DICOM objects in a zip, read where they are: nothing is unpacked by its own name, nor beyond the size it declares."""

from __future__ import annotations

import functools
import io
import os
import stat
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.sources import open_plain, printable

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # a zip, and one without members
_MOST_MEMBERS = 1_000_000
_MOST_DIRECTORY = 1 << 28  # bytes of the central directory; a million members with long names
# What unpacks to more than both is a bomb: even an empty mask, deflated, is rarely a 200th of itself and large
BOMB_RATIO = 200
BOMB_BYTES = 1 << 28
_IN_MEMORY = 1 << 26  # bytes of a member; a larger one goes through an unnamed temporary file
_BLOCK = 1 << 16
_LOCAL = struct.Struct("<4s22xHH")  # signature, length of name, length of extra (APPNOTE 4.3.7)
_END = struct.Struct("<4s4H2IH")  # end of central directory (APPNOTE 4.3.16)
_LONGEST_COMMENT = 65_535
_NOTHING_ENCRYPTED = 0x1  # bit 0 of the general purpose flags
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@dataclass(frozen=True, slots=True)
class ZipSource:
    """A member of a zip.

    Attributes:
        archive: The zip.
        member: The name in it, for messages only.
        offset: Where its local header begins.
        packed: Bytes in the zip.
        size: Bytes unpacked, as declared.
        method: 0 stored, 8 deflated.
        crc: CRC-32 of the unpacked bytes, as declared.
    """

    archive: Path
    member: str
    offset: int
    packed: int
    size: int
    method: int
    crc: int

    def __str__(self) -> str:
        return printable(f"{self.archive}!{self.member}")

    def open(self) -> BinaryIO:
        """Unpacks the member, in memory or into a temporary file without a name.

        The last ones stay unpacked, for the frames of one object are asked for one after the other.

        Raises:
            DicomError: It is damaged, or not what the zip declares.
        """
        with _UNPACKING:
            return io.BufferedReader(_View(_unpacked(self), self.size))

    def blocks(self) -> Iterator[bytes]:
        """Unpacks the member piece by piece.

        Raises:
            DicomError: It is damaged, or larger or smaller than the zip declares.
        """
        done = 0
        try:
            for block in self._unpacked():
                done += len(block)
                if done > self.size:
                    break
                yield block
        except zlib.error as error:
            raise DicomError("a damaged member of a zip", where=str(self), got=str(error)) from error
        if done != self.size:
            got = "more" if done > self.size else f"{done:,}"
            raise DicomError(
                "a member of a zip is not of its declared size", where=str(self), wanted=f"{self.size:,} bytes", got=got
            )

    def _unpacked(self) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if self.method else None
        for packed in self._packed():
            if inflate is None:
                yield packed
                continue
            rest = packed
            while rest and not inflate.eof:
                yield inflate.decompress(rest, _BLOCK)
                rest = inflate.unconsumed_tail
        while inflate is not None and not inflate.eof:
            block = inflate.decompress(inflate.unconsumed_tail, _BLOCK)
            if not block:
                return
            yield block

    def _packed(self) -> Iterator[bytes]:
        descriptor, _ = open_plain(os.fspath(self.archive))
        with os.fdopen(descriptor, "rb") as archive:
            archive.seek(self.offset)
            head = archive.read(_LOCAL.size)
            signature, name, extra = _LOCAL.unpack(head) if len(head) == _LOCAL.size else (b"", 0, 0)
            if signature != MAGIC[0]:
                raise DicomError("a damaged zip: no member where its directory says", where=str(self))
            archive.seek(name + extra, os.SEEK_CUR)
            left = self.packed
            while left and (block := archive.read(min(left, _BLOCK))):
                left -= len(block)
                yield block


_UNPACKING = threading.Lock()


class _Unpacked:
    """An unpacked member, for as long as somebody reads it."""

    def __init__(self) -> None:
        self.file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 - see below
        self.lock = threading.Lock()  # its readers would move each other's place

    def __del__(self) -> None:
        self.file.close()


@functools.lru_cache(maxsize=2)
def _unpacked(source: ZipSource) -> _Unpacked:
    unpacked, crc = _Unpacked(), 0
    for block in source.blocks():
        crc = zlib.crc32(block, crc)
        unpacked.file.write(block)
    if crc != source.crc:
        wanted, got = f"CRC {source.crc:08x}", f"{crc:08x}"
        raise DicomError("a damaged member of a zip", where=str(source), wanted=wanted, got=got)
    return unpacked


class _View(io.RawIOBase):
    """An unpacked member as a file with a place of its own."""

    def __init__(self, unpacked: _Unpacked, size: int) -> None:
        self._unpacked, self._size, self._at = unpacked, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._unpacked.lock:
            self._unpacked.file.seek(self._at)
            found = self._unpacked.file.read(len(buffer))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at


class Head:
    """Reads a member from its beginning, as far as it is asked to; behind :func:`read_header`."""

    def __init__(self, source: ZipSource) -> None:
        self._source = source
        self._restart()

    def _restart(self) -> None:
        self._blocks = self._source.blocks()
        self._start, self._held = 0, b""

    def __call__(self, at: int, most: int) -> bytes:
        """Returns bytes from a position on, fewer at the end only."""
        if at < self._start:
            self._restart()
        parts: list[bytes] = []
        need = most
        while need > 0:
            skip = at - self._start
            piece = self._held[skip : skip + need] if skip < len(self._held) else b""
            if piece:
                parts.append(piece)
                at, need = at + len(piece), need - len(piece)
                continue
            following = next(self._blocks, None)
            if following is None:
                break
            self._start, self._held = self._start + len(self._held), following
        return b"".join(parts)


def list_zip(path: Path) -> Iterator[ZipSource | Issue]:
    """Lists the members of a zip; what is refused comes as an issue.

    Raises:
        DicomError: It is no zip, damaged, or a bomb.
    """
    size = path.stat().st_size
    _check_directory(path, size)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, struct.error, OSError, NotImplementedError) as error:
        raise DicomError("a damaged zip", where=printable(str(path)), got=str(error)) from error
    _check_members(path, members, size)
    for member in members:
        if member.is_dir():
            continue
        problem = _problem(path, member)
        yield problem or ZipSource(
            path, member.filename, member.header_offset, member.compress_size, member.file_size,
            member.compress_type, member.CRC,
        )  # fmt: skip


def _check_directory(path: Path, size: int) -> None:
    """Looks at how long the zip's directory is before anything reads it into memory."""
    with path.open("rb") as archive:
        archive.seek(max(0, size - _END.size - _LONGEST_COMMENT))
        tail = archive.read()
    at = tail.rfind(MAGIC[1])
    if at < 0 or len(tail) - at < _END.size:
        raise DicomError("a damaged zip", where=printable(str(path)), got="no directory at its end: cut off?")
    _, _, _, _, members, length, _, _ = _END.unpack_from(tail, at)
    zip64 = members == 0xFFFF or length == 0xFFFFFFFF  # APPNOTE 4.4.1.4
    length = min(size, length) if not zip64 else _zip64_length(tail, at, size)
    if length > _MOST_DIRECTORY:
        wanted = f"a directory of at most {_MOST_DIRECTORY:,} bytes"
        raise DicomError("a zip with too many members", where=printable(str(path)), wanted=wanted, got=f"{length:,}")


def _zip64_length(tail: bytes, before: int, size: int) -> int:
    """Returns the length of the directory of a large zip (APPNOTE 4.3.14), or the most that it can be."""
    at = tail.rfind(b"PK\x06\x06", 0, before)
    return int.from_bytes(tail[at + 40 : at + 48], "little") if at >= 0 else size


def _check_members(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    where = printable(str(path))
    if len(members) > _MOST_MEMBERS:
        raise DicomError(
            "a zip with too many members", where=where, wanted=f"at most {_MOST_MEMBERS:,}", got=f"{len(members):,}"
        )
    total = sum(member.file_size for member in members)
    if total > BOMB_BYTES and total > BOMB_RATIO * size:
        wanted = f"at most {BOMB_RATIO} times its {size:,} bytes"
        raise DicomError(
            "a zip that unpacks to far more than it is: a bomb?", where=where, wanted=wanted, got=f"{total:,} bytes"
        )
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < end:
            raise DicomError("a zip whose members overlap: a bomb?", where=where, got=printable(member.filename))
        end = member.header_offset + _LOCAL.size + member.compress_size


def _problem(path: Path, member: zipfile.ZipInfo) -> Issue | None:
    where = printable(f"{path}!{member.filename}")
    parts = PurePosixPath(member.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
        return Issue("a name that leads out of the zip", where)
    if stat.S_ISLNK(member.external_attr >> 16):
        return Issue("a link in a zip", where)
    if member.flag_bits & _NOTHING_ENCRYPTED:
        return Issue("an encrypted member of a zip", where, "unpack it with its password first")
    if member.compress_type not in _METHODS:
        return Issue(
            "a member packed in a way that is not read", where, "stored or deflated", f"method {member.compress_type}"
        )
    if member.file_size > BOMB_BYTES and member.file_size > BOMB_RATIO * max(1, member.compress_size):
        return Issue("a member that unpacks to far more than it is: a bomb?", where, got=f"{member.file_size:,} bytes")
    return None
