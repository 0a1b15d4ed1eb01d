"""A dataset that was published by Braggbook, and comes back: its own card is in its record's zip."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from braggbook.datasets.record import Record
from braggbook.errors import DatasetError, HashMismatch, Issue
from braggbook.files import storage
from braggbook.formats.dataset import CARD_NAME, DatasetCard, DatasetFile, Source, read_card, write_card

_ZIP = re.compile(r"([a-z][a-z0-9_]*)-[1-9][0-9]*\.zip")
_LARGEST_CARD_BYTES = 50_000_000
_BLOCK = 1 << 20
# What a damaged zip makes the standard library raise.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


@dataclass(frozen=True)
class Repacked:
    """A zip with a dataset in it."""

    slug: str
    path: Path
    record: Record

    def fill(self, folder: Path) -> None:
        """Writes the card and the files that the zip has into a new folder; every file is checked by its hash.

        Raises:
            DatasetError: The card cannot be used, or the zip is damaged or lacks files.
            HashMismatch: A file is not the one that the card names.
            StorageError: The disk refuses.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._fill(archive, folder)
        except _DAMAGE as error:
            raise DatasetError("the zip is damaged", where=self.record.doi, got=type(error).__name__) from None

    def _fill(self, archive: zipfile.ZipFile, folder: Path) -> None:
        with storage(folder):
            (folder / CARD_NAME).write_bytes(_bounded(archive, CARD_NAME, self.record.doi))
        card = read_card(folder / CARD_NAME)
        names = set(archive.namelist())
        lost = [file.path for file in card.files if file.path not in names and not file.origins]
        if lost:
            issues = [Issue("not in the zip, and nothing says where it can be had", path) for path in lost]
            raise DatasetError("the record lacks files of the dataset", where=self.record.doi, issues=issues)
        for file in card.files:
            if file.path in names:
                _take(archive, file, folder=folder)
        write_card(folder / CARD_NAME, _with_record(card, self.record))


def repacked(path: Path, name: str, record: Record) -> Repacked | None:
    """Returns the dataset in a record's only file; None when it is something else."""
    match = _ZIP.fullmatch(name)
    if match is None or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            there = CARD_NAME in archive.namelist()
    except _DAMAGE:
        return None
    return Repacked(match[1], path, record) if there else None


def _bounded(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    with archive.open(name) as stream:
        data = stream.read(_LARGEST_CARD_BYTES + 1)
    if len(data) > _LARGEST_CARD_BYTES:
        raise DatasetError("a card without end", where=where, wanted=f"at most {_LARGEST_CARD_BYTES} bytes")
    return data


def _take(archive: zipfile.ZipFile, file: DatasetFile, *, folder: Path) -> None:
    """Takes out one file, never more of it than the card announces."""
    target = folder / file.path
    digest, left = hashlib.sha256(), file.bytes + 1
    with storage(target), archive.open(file.path) as stream:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while left > 0 and (block := stream.read(min(_BLOCK, left))):
                digest.update(block)
                out.write(block)
                left -= len(block)
    if digest.hexdigest() != file.sha256 or left != 1:
        got = digest.hexdigest() if left else f"more than {file.bytes} bytes"
        raise HashMismatch("not the file that the card names", where=file.path, wanted=f"sha256 {file.sha256}", got=got)


def _with_record(card: DatasetCard, record: Record) -> DatasetCard:
    """Returns the card with the record that it came from among its sources."""
    if any(source.doi == record.doi for source in card.sources):
        return card
    used = {source.id for source in card.sources}
    id = next(name for name in ("record", *(f"record_{number}" for number in range(2, 10**6))) if name not in used)
    source = Source(id=id, citation=record.citation, doi=record.doi, url=record.page or None, relation="isIdenticalTo")
    return card.model_copy(update={"sources": (*card.sources, source)})
