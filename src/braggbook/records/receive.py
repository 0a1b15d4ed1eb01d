"""From an identifier back to a run's folder: downloaded with its checksum, unpacked safely."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from braggbook.errors import RecordError, UnknownName
from braggbook.files import sha256_file, storage
from braggbook.progress import Progress, Silent
from braggbook.records.archive import Record
from braggbook.records.archives import Shelf
from braggbook.records.unpack import unpack
from braggbook.runs.folder import RECORD

_ZIP = ".zip"


def is_record(text: str) -> bool:
    """Whether a text is meant as a record (a DOI, an address, a zip) and not as a run's id or folder."""
    return bool(re.match(r"(?:doi:\s*)?10\.\d+/|https?://", text.strip(), re.IGNORECASE)) or text.endswith(_ZIP)


def receive_run(what: str, *, shelf: Shelf, cache: Path, progress: Progress | None = None) -> Path:
    """Brings a published run here.

    Args:
        what: DOI, address of a record, or path of its zip.
        shelf: The archives that there are.
        cache: Where downloads go; the folder of the run is below it.
        progress: Is told how many bytes have come.

    Returns:
        The run's folder.

    Raises:
        UnknownName: There is no such record, or no run in it.
        RecordError: Its zip is not safe, or holds no run.
        HashMismatch: What came is not what the record lists.
        NetworkError: The archive does not answer; the same call goes on where it stopped.
    """
    if what.endswith(_ZIP) and "://" not in what:
        path = Path(what)
        if not path.is_file():
            raise UnknownName("no such file", where=what)
        return _opened(path, cache)
    archive, name = shelf.of(what)
    record = archive.record(name)
    zipped = _its_zip(record)
    folder = cache / "records" / _slug(record.doi or record.id)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    target = folder / _slug(zipped)
    file = next(file for file in record.files if file.name == zipped)
    progress = progress or Silent()
    progress.start(f"from {archive.name}", file.bytes)
    try:
        archive.download(record, zipped, target, progress=progress)
    finally:
        progress.stop()
    return _opened(target, cache)


def _its_zip(record: Record) -> str:
    zips = [file.name for file in record.files if file.name.endswith(_ZIP)]
    if len(zips) == 1:
        return zips[0]
    got = ", ".join(file.name for file in record.files) or "no file"
    raise UnknownName("no run in the record", where=record.doi or record.url, wanted="one zip of a run", got=got)


def _opened(path: Path, cache: Path) -> Path:
    """Unpacks a zip below the cache, once for the same bytes, and returns where its run is."""
    folder = cache / "records" / "unpacked" / sha256_file(path)[:24]
    if not folder.is_dir():
        part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        unpack(path, part)
        with storage(folder):
            try:
                part.rename(folder)
            except OSError:  # another process was faster: its folder is the same
                shutil.rmtree(part, ignore_errors=True)
    inside = [folder, *(entry for entry in sorted(folder.iterdir()) if entry.is_dir())]
    for place in inside:
        if (place / RECORD).is_file():
            return place
    raise RecordError("no run in the zip", where=path.name, wanted=f"{RECORD} at its top or in its only folder")


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".") or "record"
