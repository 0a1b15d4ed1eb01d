"""What a DICOMDIR refers to (DICOM PS3.10 chapter 8, PS3.3 annex F)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.multival import MultiValue

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.odd import DAMAGE
from braggbook.imaging.dicom.sources import is_below, open_plain, printable

DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_MOST_BYTES = 1 << 28
_FILE_ID = "(0004,1500) ReferencedFileID"


def list_dicomdir(path: Path) -> Iterator[str | Issue]:
    """Lists the files that a DICOMDIR refers to, by path; what is missing or leads elsewhere comes as an issue.

    Raises:
        DicomError: It is not readable, or larger than 256 MB.
    """
    folder = os.path.realpath(path.parent)
    known: dict[str, dict[str, str]] = {}
    for number, parts in _references(path):
        where = f"{printable(str(path))}, record {number}, {_FILE_ID}"
        name = printable("/".join(parts))
        if any(part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part for part in parts):
            yield Issue("a name that leads out of the folder", where, got=name)
            continue
        place = os.fspath(path.parent)
        for part in parts:
            place = os.path.join(place, _as_on_disk(place, part, known))  # noqa: PTH118 - ten thousand of them
        if not is_below(os.path.realpath(place), folder):
            yield Issue("a link that leads out of the folder", where, got=name)
        elif not os.path.lexists(place):
            yield Issue("the file that it refers to is not there", where, got=name)
        else:
            yield place


def _as_on_disk(folder: str, name: str, known: dict[str, dict[str, str]]) -> str:
    """Returns how a name is spelt on the disk: copies of discs often have small letters, or a version ``;1``."""
    if folder not in known:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted
        except OSError:
            names = []
        known[folder] = {other.upper().removesuffix(";1"): other for other in names} | {other: other for other in names}
    spelt = known[folder]
    return spelt.get(name) or spelt.get(name.upper(), name)


def _references(path: Path) -> list[tuple[int, list[str]]]:
    where = printable(str(path))
    descriptor, size = open_plain(os.fspath(path))
    with os.fdopen(descriptor, "rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if size > _MOST_BYTES:
            raise DicomError(
                "a DICOMDIR that is too large", where=where, wanted=f"at most {_MOST_BYTES:,} bytes", got=f"{size:,}"
            )
        try:
            records = pydicom.dcmread(stream).get("DirectoryRecordSequence") or []
            found = [(number, record.get("ReferencedFileID")) for number, record in enumerate(records, start=1)]
        except DAMAGE as error:
            raise DicomError("a damaged DICOMDIR", where=where, got=f"{type(error).__name__}: {error}") from error
    return [(number, _parts(value)) for number, value in found if value]


def _parts(value: object) -> list[str]:
    return [str(part).strip() for part in value] if isinstance(value, MultiValue) else [str(value).strip()]
