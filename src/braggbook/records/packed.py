"""Opening what is packed, to look through it: never more than a bounded part of it in memory."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import lzma
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

# What damaged archives make the standard library raise.
DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError,
    NotImplementedError, KeyError, IndexError,
)  # fmt: skip
_IN_MEMORY = 16 << 20  # of an unpacked member; what is larger goes to a temporary file
_MOST_BYTES = 64 << 30  # of one member
_BOMB = 2000  # times: no compression of ordinary data gains so much
_BOMB_FROM = 256 << 20
_BLOCK = 1 << 20
_MOST_MEMBERS = 1_000_000
_BASE64 = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{76,}+(?:(?:\\[nr]|[\r\n])++[ \t]*+[A-Za-z0-9+/]{4,}+)*+={0,2}")
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = (b"tEXt", b"iTXt", b"zTXt", b"eXIf")
_LARGEST_CHUNK = 4 << 20
_PDF_STREAM = re.compile(rb"stream\r?\n")
_JPEG_LIKE = (b"\xff\xd8\xff", b"GIF8")


class TooMuch(Exception):
    """It unpacks to more than anybody would have packed."""


def members(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields what is packed in a file, by name; nothing when it is not packed.

    Raises:
        TooMuch: It is a bomb.
        DAMAGE: It is damaged, or behind a password.
    """
    stream.seek(0)
    head = stream.read(512)
    stream.seek(0)
    if zipfile.is_zipfile(stream):
        stream.seek(0)
        yield from _of_zip(stream)
    elif head[257:262] == b"ustar":
        stream.seek(0)
        yield from _of_tar(stream)
    elif opener := _opener(head):
        stream.seek(0)
        with opener(stream) as packed:
            yield "unpacked", _spooled(packed, size=_size(stream))


def _opener(head: bytes) -> Any:
    if head.startswith(b"\x1f\x8b\x08"):
        return lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return bz2.BZ2File
    return lzma.LZMAFile if head.startswith(b"\xfd7zXZ\x00") else None


def _size(stream: IO[bytes]) -> int:
    at = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(at)
    return size


def _of_zip(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_MEMBERS:
            raise TooMuch
        for entry in entries:
            # a stored member has been looked through with the file; but it may be packed itself
            if not entry.filename.endswith("/"):
                with archive.open(entry) as packed:
                    yield entry.filename, _spooled(packed, size=max(entry.compress_size, 1))


def _of_tar(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for entry in archive:
            packed = archive.extractfile(entry) if entry.isfile() else None
            if packed is not None:
                with packed:
                    yield entry.name, _spooled(packed, size=max(entry.size, 1))


def _spooled(packed: IO[bytes], *, size: int) -> IO[bytes]:
    """Returns a copy of something unpacked that can be read twice.

    Raises:
        TooMuch: It is far larger than what it was packed in.
    """
    copy: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - whoever asked closes it
    done = 0
    while block := packed.read(_BLOCK):
        done += len(block)
        if done > _MOST_BYTES or (done > _BOMB_FROM and done > size * _BOMB):
            copy.close()
            raise TooMuch
        copy.write(block)
    copy.seek(0)
    return copy


def base64_in(data: bytes) -> Iterator[bytes]:
    """Yields what stands in a text as base64, such as the pictures of a notebook."""
    for match in _BASE64.finditer(data):
        letters = re.sub(rb"\\[nr]|\s", b"", match[0]).rstrip(b"=")
        if len(set(letters[:4096])) < 17:  # digits of a digest, or an ornament
            continue
        # a run that begins at the edge of a block may begin anywhere in its four signs
        for shift in range(4) if match.start() == 0 else (0,):
            part = letters[shift:]
            try:
                yield base64.b64decode(part + b"=" * (-len(part) % 4) if len(part) % 4 != 1 else part[:-1])
            except binascii.Error:
                continue


def pictured(data: bytes) -> Iterator[bytes]:
    """Yields the texts in pictures (PNG) that are packed, and so cannot be seen from outside."""
    at = data.find(_PNG)
    while at >= 0:
        yield from _chunks(data, at + len(_PNG))
        at = data.find(_PNG, at + len(_PNG))


def _chunks(data: bytes, at: int) -> Iterator[bytes]:
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if not kind.isalpha():
            return
        if kind in _TEXT_CHUNKS and length <= _LARGEST_CHUNK:
            body = data[at + 8 : at + 8 + length]
            yield body
            yield from _inflated(body)
        if kind == b"IEND":
            return
        at += length + 12


def _inflated(body: bytes) -> Iterator[bytes]:
    for place in (match.start() for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", body)):
        try:
            yield zlib.decompressobj().decompress(body[place:], _LARGEST_CHUNK)
        except zlib.error:
            continue


def streams_in(data: bytes) -> Iterator[bytes]:
    """Yields the packed streams of a PDF."""
    if b"%PDF-" not in data[:1024]:
        return
    for match in _PDF_STREAM.finditer(data):
        try:
            yield zlib.decompressobj().decompress(data[match.end() :], _LARGEST_CHUNK)
        except zlib.error:
            continue


def texts_of(folder: Path) -> Iterator[bytes]:
    """Yields the texts in a Zarr array, chunk by chunk; nothing when it is none, or holds numbers."""
    import numpy as np  # noqa: PLC0415 - few records have arrays
    import zarr  # noqa: PLC0415 - the same

    try:
        array = zarr.open_array(folder, mode="r")
    except Exception:  # zarr raises many classes for what is a group, damaged, or of another version
        return
    if array.dtype.kind not in "OSUT" and "string" not in str(array.dtype).lower():
        return
    for chunk in _regions(array.shape, array.chunks):
        yield "\n".join(map(str, np.ravel(np.asarray(array[chunk])))).encode("utf-8", "surrogateescape")


def _regions(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    import itertools  # noqa: PLC0415 - only here

    ranges = [range(0, length, max(1, step)) for length, step in zip(shape, chunks, strict=True)]
    for corner in itertools.product(*ranges):
        yield tuple(slice(at, at + step) for at, step in zip(corner, chunks, strict=True))
