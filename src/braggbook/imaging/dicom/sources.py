"""Where the bytes of DICOM objects are: files of a folder, members of a zip, what a DICOMDIR refers to.

Whatever lies in a folder is somebody else's: a link that leads out of it, a pipe, a device, a loop of links, a member
with a hostile name or a bomb is named as an :class:`~braggbook.errors.Issue` and left alone; nothing is ever unpacked
by its own name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from braggbook.errors import DicomError, Issue, StorageError

_DEEPEST = 200  # folders within folders; deeper trees are made by loops of mounts or by malice
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would wait for ever
_BINARY = getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
}


@runtime_checkable
class Source(Protocol):
    """Where the bytes of one DICOM object are; ``str`` names it in messages."""

    def open(self) -> BinaryIO:
        """Opens it for reading: a seekable binary file.

        Raises:
            DicomError: What is there is not what was listed.
            StorageError: It cannot be read.
        """


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file on disk."""

    path: Path

    def __str__(self) -> str:
        return printable(os.fspath(self.path))

    def open(self) -> BinaryIO:
        """Opens the file, unless it is (or has become) a link, a pipe or a device."""
        return os.fdopen(open_plain(os.fspath(self.path))[0], "rb")


def open_plain(path: str) -> tuple[int, int]:
    """Opens a plain file for reading and returns its descriptor and its size in bytes.

    Raises:
        DicomError: It is no plain file.
        StorageError: It is not there, or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT | _BINARY)
    except OSError as error:
        raise _refused(path, error) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise DicomError("not a plain file", where=printable(path), got=kind_of(found.st_mode))
    return descriptor, found.st_size


def _refused(path: str, error: OSError) -> DicomError | StorageError:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode):
        return DicomError("not a plain file", where=printable(path), got=kind_of(mode))
    return StorageError("cannot be read", where=printable(path), got=error.strerror or str(error))


def kind_of(mode: int) -> str:
    """Returns what a file's mode says that it is."""
    return _KINDS.get(stat.S_IFMT(mode), "something that is no file")


def printable(text: str) -> str:
    """Returns text with nothing in it that a terminal obeys: control characters and lone surrogates are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def walk(root: Path) -> Iterator[str | Issue]:
    """Lists every plain file below a folder, by path, in the order of names; what is refused comes as an issue.

    A link to something within the folder is passed over, for what it leads to is listed itself.
    """
    inside = os.path.realpath(root)
    waiting: list[tuple[str, int]] = [(os.fspath(root), 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Issue("the folder cannot be read", printable(folder), got=error.strerror or str(error))
            continue
        below: list[tuple[str, int]] = []
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield entry.path
            elif entry.is_dir(follow_symlinks=False):
                below.append((entry.path, depth + 1))
            elif problem := _not_followed(entry, inside):
                yield problem
        if below and depth >= _DEEPEST:
            yield Issue("folders are nested too deep", printable(folder), wanted=f"at most {_DEEPEST} levels")
        else:
            waiting += reversed(below)


def _not_followed(entry: os.DirEntry[str], inside: str) -> Issue | None:
    where = printable(entry.path)
    if not entry.is_symlink():
        return Issue("not a plain file", where, got=_kind_at(entry))
    target = os.path.realpath(entry.path)
    if not is_below(target, inside):
        return Issue("a link that leads out of the folder", where, "files within the folder", printable(target))
    if not os.path.lexists(target) or os.path.islink(target):  # noqa: PTH114 - a path as text, as all here
        return Issue("a link that leads nowhere", where, got=printable(target))
    return None


def _kind_at(entry: os.DirEntry[str]) -> str:
    try:
        return kind_of(entry.stat(follow_symlinks=False).st_mode)
    except OSError as error:
        return error.strerror or str(error)


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or something in it; both without links."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
