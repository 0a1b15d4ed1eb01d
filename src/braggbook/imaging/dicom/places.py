"""What a person names to be read: a folder, a file, a DICOMDIR, a zip, or several of these; and what is in it.

A link that a person names is followed; those that are found in a folder are not (:func:`sources.walk`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from braggbook.errors import DicomError, Issue, StorageError
from braggbook.imaging.dicom.archives import MAGIC, ZipSource, list_zip
from braggbook.imaging.dicom.header import Header
from braggbook.imaging.dicom.scan import issue_of, read_file
from braggbook.imaging.dicom.sources import open_plain, printable, walk

Place = str | os.PathLike[str]
Listed = str | ZipSource | Issue  # a file's path, a member of a zip, or what is wrong with a place

DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_MOST_NAMED = 10  # missing paths in one message


def paths_of(place: Any) -> list[str]:
    """Returns the paths that are meant: one, several, or the values of a mapping.

    Raises:
        DicomError: It is something else.
    """
    several = place.values() if isinstance(place, Mapping) else place
    try:
        if isinstance(several, (str, bytes, os.PathLike)):
            return [os.fsdecode(several)]
        return [os.fsdecode(each) for each in several]
    except TypeError:
        wanted = "a path, several paths, or a mapping of names to paths"
        raise DicomError("not a place with DICOM", wanted=wanted, got=repr(place)[:60]) from None


def named(paths: list[str]) -> str:
    """Returns what messages call one or several paths."""
    shown = printable(paths[0]) if paths else "nothing"
    return shown if len(paths) < 2 else f"{len(paths)} paths from {shown}"


def list_places(paths: list[str]) -> Iterator[Listed]:
    """Lists what is in one or several places, each file once; what is refused comes as an issue.

    Raises:
        DicomError: A path leads nowhere, or the only one is no plain file or folder, or a damaged zip.
    """
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing:
        also = missing[1:_MOST_NAMED]
        issues = [Issue("no such file or folder", printable(path)) for path in also]
        command = f"ls {printable(os.path.dirname(missing[0]) or '.')}"  # noqa: PTH120 - paths as text, as all here
        raise DicomError("no such file or folder", where=printable(missing[0]), next_command=command, issues=issues)
    if len(paths) == 1:
        yield from walk(Path(paths[0])) if os.path.isdir(paths[0]) else _one_file(paths[0])  # noqa: PTH112 - as above
        return
    seen: set[str] = set()
    for path in paths:
        for each in _one_of_several(path):
            key = str(each)
            if key not in seen:
                seen.add(key)
                yield each


def _one_of_several(path: str) -> Iterable[Listed]:
    real = os.path.realpath(path)
    if os.path.isdir(real):  # noqa: PTH112 - as above
        return walk(Path(real))
    try:
        return list(list_zip(Path(real))) if _begins(real) in MAGIC else [real]
    except (DicomError, StorageError) as error:
        return [issue_of(error)]


def _one_file(path: str) -> Iterable[Listed]:
    real = os.path.realpath(path)
    if _begins(real) in MAGIC:
        return list_zip(Path(real))
    found = read_file(real)
    if isinstance(found, Header) and is_directory(found):
        from braggbook.imaging.dicom.dicomdir import list_dicomdir  # noqa: PLC0415 - pydicom is slow to import

        return list_dicomdir(Path(real))
    return [real]


def _begins(path: str) -> bytes:
    descriptor, _ = open_plain(path)
    try:
        return os.read(descriptor, len(MAGIC[0]))
    finally:
        os.close(descriptor)


def is_directory(header: Header) -> bool:
    """Whether an object is a DICOMDIR."""
    kind = header.values.get("MediaStorageSOPClassUID", "")
    return bool((kind[0] if isinstance(kind, tuple) else kind) == DIRECTORY_CLASS)
