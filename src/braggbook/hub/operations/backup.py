"""A backup of all that a hub has, in one file, while it runs.

The vault is taken, then the rows of the database as they are at one moment, then what the vault got meanwhile: since
the hub puts everything into the vault first and into its database after, the vault has all that the rows speak of.
Submissions that began after that moment are left out, with all of theirs: a backup is of one moment.
:mod:`braggbook.hub.operations.restore` brings it back; docs/formats/hub_backup.md says what is in it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from braggbook import __version__
from braggbook.challenges.vault import EVALUATIONS, SUBMISSIONS, is_id
from braggbook.errors import InputError
from braggbook.files import storage
from braggbook.formats.common import SLUG
from braggbook.formats.hub_backup import BACKUP_NAME, ROWS_NAME, BackupCard
from braggbook.hub.desk import Desk
from braggbook.hub.store.dump import dump

VAULT, CHALLENGES = "vault", "challenges"
_ONLY_ME = 0o600
_LEVEL = 6  # of gzip; more takes long and saves little
_BY_ID = (SUBMISSIONS, EVALUATIONS)
_ENTRY = "entry"  # the table with the submissions
_HALF = re.compile(r"\.part$|^\.(.+\.)?lock$")  # in the making, and what says that somebody makes it
_Stamp = tuple[int, int]


def back_up(desk: Desk, target: Path) -> BackupCard:
    """Writes a backup, also while the hub runs; returns its card.

    Raises:
        InputError: There is a file of this name, or it would lie in what is backed up.
        StorageError: The disk refuses; nothing is left then.
    """
    target = target.expanduser().resolve()
    if target.exists():
        raise InputError("there is a file of this name", where=str(target), wanted="another name")
    for place in (desk.settings.vault, _public(desk)):
        if target.is_relative_to(place.resolve()):
            raise InputError("a backup in what it is of", where=str(target), wanted="another folder")
    part = target.with_name(f".{target.name}.part")
    with storage(target):
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _ONLY_ME)  # keys of challenges are in it
        try:
            with os.fdopen(handle, "wb") as stream:
                card = _write(desk, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(part, target)  # never over a file that came meanwhile
        finally:
            part.unlink(missing_ok=True)
    return card


def _public(desk: Desk) -> Path:
    return desk.settings.project / CHALLENGES


def _write(desk: Desk, stream: IO[bytes]) -> BackupCard:
    packed = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=_LEVEL, mtime=0)
    with tempfile.TemporaryFile() as rows, packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        taker = _Taker(archive)
        for folder in _folders(desk.settings.vault):
            taker.take(folder, f"{VAULT}/{folder.name}")
        there = _submissions(desk)
        card, known = _rows(desk, rows)
        for folder in _folders(desk.settings.vault):
            taker.take(folder, f"{VAULT}/{folder.name}", only=known | there)
        for folder in _folders(_public(desk)):
            taker.take(folder, f"{CHALLENGES}/{folder.name}")
        _add(archive, ROWS_NAME, rows)
        _add(archive, BACKUP_NAME, io.BytesIO(card.model_dump_json(indent=2).encode()))
    return card


def _submissions(desk: Desk) -> set[str]:
    return {id for folder in _folders(desk.settings.vault) for id in _names(folder / SUBMISSIONS) if is_id(id)}


def _rows(desk: Desk, rows: IO[bytes]) -> tuple[BackupCard, set[str]]:
    """Writes all rows; returns the card, and the ids of the submissions among them."""
    made, count = desk.clock(), 0
    known: set[str] = set()
    for table, row in dump(desk.database):
        rows.write(json.dumps([table, row], ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        count += 1
        if table == _ENTRY:
            known.add(row["id"])
    card = BackupCard(
        braggbook=__version__, revision=desk.database.newest, made=made.isoformat(timespec="seconds"), rows=count
    )
    return card, known


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = stream.seek(0, io.SEEK_END), _ONLY_ME
    stream.seek(0)
    archive.addfile(info, stream)


class _Taker:
    """Takes files into a backup, each once unless it has changed."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._taken: dict[str, _Stamp] = {}

    def take(self, folder: Path, name: str, *, only: set[str] | None = None) -> None:
        """Takes a folder and all in it.

        Args:
            folder: Where it is.
            name: In the backup.
            only: Submissions that are taken; all of them where it is None.

        Raises:
            InputError: There is a link or something else that cannot be brought back as it is.
        """
        if name not in self._taken:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            self._archive.addfile(info)
            self._taken[name] = (0, 0)
        for one in _entries(folder):
            if only is not None and folder.name in _BY_ID and is_id(one.name) and one.name not in only:
                continue
            if one.is_dir(follow_symlinks=False):
                self.take(folder / one.name, f"{name}/{one.name}", only=only)
            elif one.is_file(follow_symlinks=False):
                self._take_file(folder / one.name, f"{name}/{one.name}")
            else:
                raise InputError("neither a file nor a folder", where=one.path, wanted="no links in a vault")

    def _take_file(self, path: Path, name: str) -> None:
        with suppress(FileNotFoundError), path.open("rb") as stream:  # it was renamed or removed meanwhile
            found = os.fstat(stream.fileno())
            stamp = (found.st_mtime_ns, found.st_size)
            if self._taken.get(name) == stamp:
                return
            info = self._archive.gettarinfo(arcname=name, fileobj=stream)
            info.type, info.linkname, info.size = tarfile.REGTYPE, "", found.st_size  # a second name is a file too
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            self._archive.addfile(info, stream)
            self._taken[name] = stamp


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Gives what a folder holds but what is half-written, by name."""
    try:
        with os.scandir(folder) as found:
            listed = sorted(found, key=lambda one: one.name)
    except FileNotFoundError:
        return
    for one in listed:
        if not _HALF.search(one.name):
            yield one


def _names(folder: Path) -> list[str]:
    return [one.name for one in _entries(folder)]


def _folders(parent: Path) -> list[Path]:
    return [parent / one.name for one in _entries(parent) if one.is_dir() and SLUG.fullmatch(one.name)]
