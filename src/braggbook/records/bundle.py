"""One zip for one record: the same files give the same bytes, on every machine.

Zenodo's deposit API has no folders, and Binder opens a record by its DOI only when its one file is a zip; so everything
goes into one. Nothing is compressed, because zlib's output differs between its builds, and what is large in a run
(Zarr, PNG, wheels) is compressed already.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from braggbook.errors import ArchiveError
from braggbook.files import storage
from braggbook.formats.record import PlanFile

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
_BLOCK_BYTES = 1 << 20
_EXECUTABLE = {"binder/postBuild", "binder/start"}


def write_bundle(files: Mapping[str, Path | bytes], target: Path) -> PlanFile:
    """Writes files into a zip, by one rename.

    Args:
        files: Where each is, or what is in it, by its name in the zip.
        target: The zip.

    Returns:
        The zip by its digests.

    Raises:
        ArchiveError: A file is a link, or changes while it is read.
        StorageError: The disk refuses.
    """
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out:
                with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                    for name in sorted(files):
                        _add(archive, name, files[name])
                out.flush()
                os.fsync(out.fileno())
            described = describe(Path(part), name=target.name)
            os.replace(part, target)
        finally:
            Path(part).unlink(missing_ok=True)
    return described


def _add(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3  # Unix, wherever it is made
    entry.external_attr = (0o100755 if name in _EXECUTABLE else 0o100644) << 16
    if isinstance(content, bytes):
        entry.file_size = len(content)
        archive.writestr(entry, content)
        return
    if content.is_symlink():
        raise ArchiveError("a link is not sent", where=name, wanted="the file itself")
    announced = entry.file_size = content.stat().st_size
    with content.open("rb") as source, archive.open(entry, "w") as out:
        shutil.copyfileobj(source, out, _BLOCK_BYTES)
    if entry.file_size != announced:
        raise ArchiveError("a file changed while it was read", where=name)


def describe(path: Path, *, name: str) -> PlanFile:
    """Returns a file by its name, size and digests."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with storage(path), path.open("rb") as stream:
        size = _digest(stream, sha256, md5)
    return PlanFile(name=name, sha256=sha256.hexdigest(), md5=md5.hexdigest(), bytes=size)


def _digest(stream: IO[bytes], *digests: hashlib._Hash) -> int:
    size = 0
    while block := stream.read(_BLOCK_BYTES):
        size += len(block)
        for digest in digests:
            digest.update(block)
    return size
