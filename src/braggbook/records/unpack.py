"""A zip from somewhere, unpacked so that it cannot do harm: no way out of its folder, no links, no bombs."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path

from braggbook.errors import Issue, RecordError
from braggbook.files import storage
from braggbook.formats.common import check_inner_path

_MOST_FILES = 100_000
_MOST_BYTES = 100 << 30  # twice what Zenodo takes in a record
_MOST_GROWTH = 200  # times the zip's size; deflate reaches 1032 on zeros, and no honest run comes near
_SMALL_BYTES = 64 << 20  # below this it may grow as it likes
_BLOCK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip into a folder that does not exist yet.

    Raises:
        RecordError: It is no zip, or something in it is unsafe; all findings are listed, and nothing is left.
        StorageError: The disk refuses.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if issues := _unsafe(entries, archive.stat().st_size):
                raise RecordError("a zip that is not safe to unpack", where=archive.name, issues=issues)
            _extract(opened, entries, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise RecordError("not a zip that can be read", where=archive.name, got=str(error)) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unsafe(entries: list[zipfile.ZipInfo], size: int) -> list[Issue]:
    found: list[Issue] = []
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if "\\" in name or ":" in name.split("/")[0] or "\0" in entry.orig_filename or not _inside(name):
            found.append(Issue("a name that leads out of the folder", name))
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            found.append(Issue("a link or a device", name))
        if name.casefold() in seen:
            found.append(Issue("a name that stands twice", name))
        seen.add(name.casefold())
    total = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_FILES:
        found.append(Issue("too many files", wanted=f"at most {_MOST_FILES:,}", got=f"{len(entries):,}"))
    if total > _limit(size):
        found.append(Issue("it would grow too much", wanted=f"at most {_limit(size):,} bytes", got=f"{total:,}"))
    return found


def _inside(name: str) -> bool:
    try:
        check_inner_path(name)
    except ValueError:
        return False
    return True


def _limit(size: int) -> int:
    return min(_MOST_BYTES, max(_SMALL_BYTES, size * _MOST_GROWTH))


def _extract(opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path) -> None:
    """Writes every file, none longer than it was announced."""
    with storage(folder):
        folder.mkdir(parents=True)
        for entry in entries:
            target = folder / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, target.open("xb") as out:
                left = entry.file_size
                while block := source.read(_BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        raise RecordError("a file that is longer than it was announced", where=entry.filename)
                    out.write(block)
