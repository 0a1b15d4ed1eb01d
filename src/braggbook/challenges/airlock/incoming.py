"""What somebody hands in, as names and streams: a file, a folder, or a zip of either; nothing in it is trusted.

Sizes are those that are counted while a file is copied, not those that a zip announces.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from braggbook.challenges.airlock.names import printable
from braggbook.challenges.airlock.outgoing import open_regular
from braggbook.errors import InputError, Issue, RecordError
from braggbook.files import storage
from braggbook.formats.common import shown
from braggbook.records.unpack import check_zip

MOST_FILES = 10_000  # of one submission: a mask a case, and no challenge has so many
_MOST_LIST_BYTES = 4 << 20  # of a zip's list: 10,000 names of 350 bytes; zipfile reads it as a whole
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\5\6", 22, 0xFFFF
_LOCATOR64 = b"PK\6\7"
_DEEPEST = 20  # folders inside of folders
# What zipfile raises at files that are none, or were made to look like one.
UNREADABLE = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error)


@dataclass(frozen=True)
class Entry:
    """A file that was handed in."""

    name: str  # parts divided by /
    size: int  # bytes, as announced
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Parcel:
    """All that was handed in, and what is wrong with how it was packed."""

    entries: list[Entry]
    issues: list[Issue]


@contextmanager
def opened(source: Path, *, most_bytes: int) -> Iterator[Parcel]:
    """Opens what was handed in.

    Args:
        source: A file, a folder or a zip.
        most_bytes: What all of it may have.

    Raises:
        InputError: There is no such thing, it is too large to be opened, or a zip that cannot be read.
    """
    if source.is_dir():
        yield _folder(source)
    elif not source.is_file():
        what = "neither a file nor a folder" if os.path.lexists(source) else "no such file"
        raise InputError(what, where=str(source), wanted="predictions, a notebook, a folder or a zip")
    elif source.stat().st_size > most_bytes:
        wanted, got = f"at most {most_bytes >> 20} MB", f"{source.stat().st_size / (1 << 20):.1f} MB"
        raise InputError("too large", where=source.name, wanted=wanted, got=got)
    elif source.suffix.lower() == ".zip":
        with _zip(source) as parcel:
            yield parcel
    else:
        yield Parcel([_entry(source, source.name)], [])


def _entry(path: Path, name: str) -> Entry:
    return Entry(name, path.stat().st_size, partial(open_regular, path.resolve()))


def walk(folder: Path) -> Iterator[tuple[str, int | None]]:
    """Yields what lies below a folder, as it is found; links are not followed.

    Yields:
        The name below ``folder`` and the bytes of a file; 0 for a folder, whose name ends with ``/``; None for what is
        no ordinary file, cannot be looked at, or lies too deep.
    """
    waiting = [("", 0)]
    while waiting:
        inner, depth = waiting.pop()
        try:
            with os.scandir(folder / inner) as listed:
                for entry in listed:
                    name, found = f"{inner}{entry.name}", entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode) and depth < _DEEPEST:
                        waiting.append((f"{name}/", depth + 1))
                        yield f"{name}/", 0
                    else:
                        yield name, found.st_size if stat.S_ISREG(found.st_mode) else None
        except OSError:
            yield inner.removesuffix("/"), None


def _folder(source: Path) -> Parcel:
    listed = sorted(islice(walk(source), MOST_FILES + 1))
    issues = [Issue("a link or a device", printable(name), "ordinary files") for name, size in listed if size is None]
    if len(listed) > MOST_FILES:
        issues.append(Issue("too many files", source.name, f"at most {MOST_FILES:,}"))
    entries = [
        Entry(name, size, partial(open_regular, source / name))
        for name, size in listed
        if size is not None and not name.endswith("/")
    ]
    return Parcel(entries, issues)


@contextmanager
def _zip(source: Path) -> Iterator[Parcel]:
    """Opens a zip, once its list is known to be short; everything unsafe in the list becomes an issue."""
    _check_list(source)
    with source.open("rb") as stream, _listed(source, stream) as archive:
        files = [info for info in archive.infolist() if not info.filename.endswith("/")]
        if len(files) > MOST_FILES:
            raise InputError(
                "too many files", where=source.name, wanted=f"at most {MOST_FILES:,}", got=f"{len(files):,}"
            )
        entries = [Entry(info.filename, info.file_size, partial(archive.open, info)) for info in files]
        yield Parcel(entries, _unsafe(source))


def _listed(source: Path, stream: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except UNREADABLE as error:
        raise InputError("not a zip that can be read", where=source.name, got=reason(error)) from None


def _unsafe(source: Path) -> list[Issue]:
    try:
        check_zip(source)
    except RecordError as error:
        return list(error.issues) or [Issue(error.what, source.name, error.wanted, error.got)]
    return []


def _check_list(source: Path) -> None:
    """Refuses a zip whose list is long: at every place where its end could be, since programs differ in which it is."""
    with source.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT))
        tail = stream.read()
    at, longest = tail.find(_END), 0
    while 0 <= at <= len(tail) - _END_BYTES:
        longest = max(longest, struct.unpack_from("<I", tail, at + 12)[0])
        at = tail.find(_END, at + 1)
    if longest > _MOST_LIST_BYTES or _LOCATOR64 in tail:
        wanted = f"at most {MOST_FILES:,} files, packed with an ordinary program"
        raise InputError("a zip with too long a list of files", where=source.name, wanted=wanted)


def copied(entry: Entry, place: Path, *, most: int) -> int | None:
    """Copies a file to a new place and counts; stops and returns None where it is longer than ``most``.

    Raises:
        StorageError: The disk refuses.
        OSError: The file cannot be read.
        zipfile.BadZipFile: Or another of :data:`UNREADABLE`: it is damaged.
    """
    total = 0
    with storage(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        out = place.open("xb")
    with out, entry.open() as stream:
        while block := stream.read(1 << 20):
            total += len(block)
            if total > most:
                return None
            with storage(place):
                out.write(block)
    return total


def reason(error: BaseException) -> str:
    """Returns why a file cannot be read, short and printable."""
    return shown(getattr(error, "strerror", None) or str(error) or type(error).__name__)
