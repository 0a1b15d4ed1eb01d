"""A zip from somewhere, unpacked so that it cannot do harm: no way out of its folder, no links, no bombs.

Everything is looked at before the first byte is written, in the zip's own list; while it is written, nothing may turn
out longer than that list says.
"""

from __future__ import annotations

import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from braggbook.errors import Issue, RecordError, StorageError
from braggbook.files import storage
from braggbook.formats.common import check_inner_path, shown

_MOST_FILES = 100_000
_MOST_LIST_BYTES = 64 << 20  # of the zip's list of files, which is read as a whole; 100,000 long names fit
_MOST_BYTES = 100 << 30  # twice what Zenodo takes in a record
_MOST_GROWTH = 200  # times the zip's size; deflate reaches 1032 on zeros, and no honest run comes near
_SMALL_BYTES = 64 << 20  # below this it may grow as it likes
_LONGEST_PART, _LONGEST_NAME = 255, 1000  # bytes of UTF-8: of most file systems; below Linux's 4096 with the folder
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # lzma may ask for gigabytes of memory before its first byte
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # APPNOTE.TXT 4.4.4: traditional, strong, and a masked list
_BLOCK_BYTES = 1 << 20
# What zipfile raises at files that are none, or were made to look like one.
_UNREADABLE = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error)
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\5\6", 22, 0xFFFF
_END64, _LOCATOR, _LOCATOR_BYTES = b"PK\6\6", b"PK\6\7", 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip into a folder that does not exist yet.

    Args:
        archive: The zip.
        folder: To be made.

    Raises:
        RecordError: It is no zip, or something in it is unsafe; all findings are listed, and nothing is left.
        StorageError: The disk refuses, or has not the room.
    """
    with _opened(archive) as (opened, entries):
        try:
            _has_room(folder, sum(entry.file_size for entry in entries))
            _extract(opened, entries, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def check_zip(archive: Path) -> None:
    """Looks whether a zip is safe to unpack, and unpacks nothing.

    Args:
        archive: The zip; a wheel is one.

    Raises:
        RecordError: It is no zip, or something in it is unsafe; all findings are listed.
    """
    with _opened(archive):
        pass


def is_unpacked(archive: Path, folder: Path) -> bool:
    """Tells whether a folder holds exactly the files of a zip, as they are in it.

    Args:
        archive: A zip that :func:`unpack` takes.
        folder: Where it may have been unpacked before.
    """
    if not folder.is_dir():
        return False
    with _opened(archive) as (_, entries):
        wanted = {entry.filename: (entry.file_size, entry.CRC) for entry in entries}
    there = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    if {path.relative_to(folder).as_posix() for path in there} != wanted.keys():
        return False
    return all(not path.is_symlink() and _sum(path) == wanted[path.relative_to(folder).as_posix()] for path in there)


def _sum(path: Path) -> tuple[int, int]:
    size = crc = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            size, crc = size + len(block), zlib.crc32(block, crc)
    return size, crc


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """Opens a zip and gives its files, once nothing in its list is unsafe."""
    try:
        with archive.open("rb") as stream:
            _list_is_small(stream, archive.name)
            with zipfile.ZipFile(stream) as opened:
                if issues := _unsafe(opened.infolist(), archive.stat().st_size):
                    raise RecordError("a zip that is not safe to unpack", where=archive.name, issues=issues)
                yield opened, [entry for entry in opened.infolist() if not entry.filename.endswith("/")]
    except _UNREADABLE as error:
        raise RecordError("not a zip that can be read", where=archive.name, got=str(error)) from None
    except OSError as error:
        raise RecordError("not a zip that can be read", where=archive.name, got=error.strerror or str(error)) from None


def _list_is_small(stream: IO[bytes], name: str) -> None:
    """Refuses a zip whose list alone would fill the memory: zipfile reads it as a whole."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES))
    tail = stream.read()
    listed, at = 0, tail.find(_END)
    while 0 <= at <= len(tail) - _END_BYTES:  # each place that could be the end: what looks like one may be part of it
        listed = max(listed, _listed_at(stream, tail, at, size=size))
        at = tail.find(_END, at + 1)
    stream.seek(0)
    if listed > _MOST_LIST_BYTES:
        wanted, got = f"a list of at most {_MOST_LIST_BYTES:,} bytes", f"{listed:,}"
        raise RecordError("a zip that is not safe to unpack", where=name, wanted=wanted, got=got)


def _listed_at(stream: IO[bytes], tail: bytes, at: int, *, size: int) -> int:
    """Returns how many bytes the list has, if the zip's end is at a place of its tail."""
    listed = int(struct.unpack_from("<I", tail, at + 12)[0])
    locator = tail[at - _LOCATOR_BYTES : at] if at >= _LOCATOR_BYTES else b""
    if not locator.startswith(_LOCATOR):
        return listed
    stream.seek(min(size, struct.unpack_from("<Q", locator, 8)[0]))
    return max(listed if listed < 0xFFFFFFFF else 0, _listed64(stream.read(56)))


def _listed64(end: bytes) -> int:
    whole = len(end) == 56 and end.startswith(_END64)
    return int(struct.unpack_from("<Q", end, 40)[0]) if whole else 0


def _unsafe(entries: list[zipfile.ZipInfo], size: int) -> list[Issue]:
    """Returns everything in a zip's list that could do harm."""
    found = [issue for entry in entries for issue in _unsafe_entry(entry)]
    found += _clashes([entry.filename for entry in entries if not entry.filename.endswith("/")])
    total = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_FILES:
        found.append(Issue("too many files", wanted=f"at most {_MOST_FILES:,}", got=f"{len(entries):,}"))
    if total > _limit(size):
        found.append(Issue("it would grow too much", wanted=f"at most {_limit(size):,} bytes", got=f"{total:,}"))
    return found


def _unsafe_entry(entry: zipfile.ZipInfo) -> Iterator[Issue]:
    name, where = entry.filename, _printable(entry.orig_filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\\" in name or ":" in name.split("/")[0] or "\0" in entry.orig_filename or not _inside(name.removesuffix("/")):
        yield Issue("a name that leads out of the folder", where)
    elif not name.isprintable():
        yield Issue("a name with control characters", where)
    elif len(name.encode()) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in name.split("/")):
        yield Issue("a name that is too long", where[:_LONGEST_PART])
    if kind not in (0, stat.S_IFREG) and not (kind == stat.S_IFDIR and entry.filename.endswith("/")):
        yield Issue("a link or a device", where)
    if entry.flag_bits & _ENCRYPTED:
        yield Issue("it is encrypted", where)
    if entry.compress_type not in _METHODS:
        got = str(zipfile.compressor_names.get(entry.compress_type, entry.compress_type))  # type: ignore[attr-defined]
        yield Issue("a compression that is not taken", where, "stored or deflate", got)


def _clashes(names: list[str]) -> Iterator[Issue]:
    """Finds names that are one on some disks: those of Windows and macOS see neither case nor Unicode's spellings."""
    same = [unicodedata.normalize("NFC", name).casefold() for name in names]
    files = Counter(same)
    folders = {part for name in same for part in _folders_of(name)}
    for name, spelled in zip(names, same, strict=True):
        if files[spelled] > 1:
            yield Issue("a name that stands twice", _printable(name))
        if spelled in folders:
            yield Issue("a file that is also a folder", _printable(name))


def _folders_of(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _printable(name: str) -> str:
    return name if name.isprintable() else shown(name)


def _inside(name: str) -> bool:
    try:
        check_inner_path(name)
    except ValueError:
        return False
    return True


def _limit(size: int) -> int:
    return min(_MOST_BYTES, max(_SMALL_BYTES, size * _MOST_GROWTH))


def _has_room(folder: Path, total: int) -> None:
    """Refuses what would not fit, before the disk is full for everybody else."""
    with storage(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
    if total > free:
        wanted, got = f"{total:,} bytes", f"{free:,}"
        command = f"df -h {folder.parent}"
        raise StorageError("not enough room", where=str(folder.parent), wanted=wanted, got=got, next_command=command)


def _extract(opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path) -> None:
    """Writes every file, none longer than it was announced."""
    with storage(folder):
        folder.mkdir()
    for entry in entries:
        target = folder / entry.filename
        with storage(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            out = target.open("xb")
        with out, opened.open(entry) as source:
            left = entry.file_size
            while block := source.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise RecordError("a file that is longer than it was announced", where=entry.filename)
                with storage(target):
                    out.write(block)
