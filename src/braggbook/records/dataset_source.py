"""Records of an archive in a directory, for ``braggbook dataset add``."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from braggbook.datasets.record import Record, RecordFile, parse_record
from braggbook.datasets.sources import cache_path
from braggbook.errors import DatasetMissing, HashMismatch, UnknownName
from braggbook.files import sha256_file, storage
from braggbook.progress import Silent
from braggbook.records.folder import FolderArchive


class FolderSource:
    """See :class:`braggbook.datasets.doi.RecordSource`."""

    def __init__(self, archive: FolderArchive) -> None:
        """Names the archive."""
        self._archive = archive

    def read(self, identifier: str) -> Record:
        """Returns what a record says about itself.

        Raises:
            DatasetMissing: The archive has no such record.
        """
        try:
            said = self._archive.json(identifier)
        except UnknownName as error:
            raise DatasetMissing(error.what, where=error.where or identifier, wanted=error.wanted) from None
        doi = said["doi"]
        files = [{**file, "links": {"self": f"doi:{doi}/{file['key']}"}} for file in said["files"]]
        return parse_record({**said, "files": files, "links": {}})

    def get(self, record: Record, file: RecordFile, *, cache: Path, step: Callable[[int], None]) -> tuple[Path, str]:
        """Copies a file into the cache, checked by its checksum; returns where it is, and its SHA-256.

        Raises:
            HashMismatch: The archive has another file than its record says.
            StorageError: The disk refuses.
        """
        with storage(cache):
            (cache / "files").mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=cache / "files", prefix=".", suffix=".part")
            os.close(handle)
        part = Path(name)
        try:
            self._archive.download(self._archive.record(record.doi), file.name, part, progress=Silent())
            _check(part, file)
            sha256 = sha256_file(part)
            target = cache_path(cache, sha256)
            with storage(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.chmod(part, 0o644)
                os.replace(part, target)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        step(file.bytes)
        return target, sha256

    def address(self, record: Record, file: RecordFile) -> str | None:  # noqa: ARG002 - of no record
        """Returns None: no server knows such an identifier, so that the file itself is kept."""
        return None


def _check(path: Path, file: RecordFile) -> None:
    algorithm, _, wanted = file.checksum.partition(":")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, algorithm).hexdigest()
    if digest != wanted or path.stat().st_size != file.bytes:
        got = f"{algorithm}:{digest} ({path.stat().st_size} bytes)"
        wanted = f"{file.checksum} ({file.bytes} bytes)"
        raise HashMismatch("not the file that the record lists", where=file.name, wanted=wanted, got=got)
