"""``braggbook dataset add <DOI>``: a card for the files of a published record."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from braggbook.datasets.build import check_new, publish_folder, sniff_delimiter
from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.fetch import ZENODO, download_record_file, read_record, steps
from braggbook.datasets.guess import guess_columns
from braggbook.datasets.record import Record, RecordFile
from braggbook.datasets.repacked import repacked
from braggbook.datasets.sheets import DELIMITERS, TABLES, read_sheet
from braggbook.datasets.tables import check_table
from braggbook.errors import DatasetError, Issue, closest
from braggbook.formats.common import shown
from braggbook.formats.dataset import (
    CARD_NAME,
    DatasetCard,
    DatasetFile,
    FileOrigin,
    Source,
    check_file_name,
    write_card,
)
from braggbook.progress import Progress, Silent

_ZENODO_DOI = re.compile(r"10\.5281/zenodo\.[0-9]+")
KEPT_BYTES = 1_000_000  # a file up to this size lies beside the card; larger ones stay in the cache


@dataclass(frozen=True)
class Added:
    """A dataset that was made of a record, and what a person should look at."""

    dataset: Dataset
    notes: tuple[str, ...]


class RecordSource(Protocol):
    """Where records are read from."""

    def read(self, identifier: str) -> Record:
        """Returns what a record says about itself."""
        ...

    def get(self, record: Record, file: RecordFile, *, cache: Path, step: Callable[[int], None]) -> tuple[Path, str]:
        """Puts a file of it into the cache, checked by its checksum; returns where, and its SHA-256."""
        ...

    def address(self, record: Record, file: RecordFile) -> str | None:
        """Returns where the file can be had again, as a card says it; None where nobody can ask for it."""
        ...


@dataclass(frozen=True)
class _Web:
    """Servers."""

    archive: str

    def read(self, identifier: str) -> Record:
        return read_record(identifier, archive=self.archive)

    def get(self, record: Record, file: RecordFile, *, cache: Path, step: Callable[[int], None]) -> tuple[Path, str]:  # noqa: ARG002
        return download_record_file(file, cache=cache, step=step)

    def address(self, record: Record, file: RecordFile) -> str | None:
        return f"doi:{record.doi}/{file.name}" if _ZENODO_DOI.fullmatch(record.doi) else file.url


def add_doi(
    doi: str,
    *,
    project: Path,
    cache: Path,
    slug: str | None = None,
    files: Sequence[str] | None = None,
    archive: str = ZENODO,
    source: RecordSource | None = None,
    progress: Progress | None = None,
) -> Added:
    """Makes a dataset of a record: downloads its files, checks them, and writes the card.

    A record whose only file is the zip of a dataset of Braggbook's becomes that dataset again, with its own card.

    Args:
        doi: ``10.5281/zenodo.<number>``, or the page of a record on any server like Zenodo or InvenioRDM.
        project: Where the dataset goes.
        cache: Where downloads go.
        slug: By default ``zenodo_<number>`` or ``record_<id>``; of a dataset of Braggbook's, its own.
        files: Which of the record's files; by default all.
        archive: The server that Zenodo's DOIs are looked up at.
        source: Where else records are read from; by default, over the network.
        progress: Is told how many bytes have come.

    Raises:
        DuplicateName: There is a dataset of that name.
        DatasetMissing: No such record, or it has no such files.
        HashMismatch: A file is not the one that the record lists.
        NetworkError: The server could not be reached.
    """
    if slug is not None:
        check_new(slug, project=project)
    source = source or _Web(archive)
    record = source.read(doi)
    own = slug or _slug(record)
    check_new(own, project=project)
    chosen = _chosen(record, files)
    arrived = _download(record, chosen, source=source, cache=cache, progress=progress or Silent())
    if len(record.files) == 1 and (found := repacked(arrived[0].path, arrived[0].listed.name, record)):
        return Added(publish_folder(slug or found.slug, project=project, fill=found.fill), record.notes)
    slug = own
    described = [_describe(record, file, source.address(record, file.listed)) for file in arrived]
    card = _card(record, tuple(entry for entry, _ in described))

    def fill(folder: Path) -> None:
        for file in arrived:
            if file.listed.bytes <= KEPT_BYTES or source.address(record, file.listed) is None:
                (folder / file.listed.name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.path, folder / file.listed.name)
        write_card(folder / CARD_NAME, card)

    notes = (*record.notes, *(note for _, note in described if note))
    return Added(publish_folder(slug, project=project, fill=fill), notes)


def _chosen(record: Record, names: Sequence[str] | None) -> list[RecordFile]:
    where = f"record {record.doi}"
    if not record.files:
        raise DatasetError("the record has no files that anyone may download", where=where)
    known = [file.name for file in record.files]
    issues = [
        Issue(f"no file named {name!r}", where, closest(name, known)) for name in names or () if name not in known
    ]
    chosen = [file for file in record.files if names is None or file.name in names]
    for file in chosen:
        try:
            check_file_name(file.name)
        except ValueError:
            issues.append(Issue("a file name that cannot be used", where, "a plain name", shown(file.name)))
    if issues:
        raise DatasetError("the record's files cannot be taken over", where=where, issues=issues)
    return chosen


@dataclass(frozen=True)
class _Arrived:
    listed: RecordFile
    path: Path
    sha256: str


def _slug(record: Record) -> str:
    kind = "zenodo" if _ZENODO_DOI.fullmatch(record.doi) else "record"
    return f"{kind}_{re.sub(r'[^a-z0-9]+', '_', record.id.lower())}"


def _download(
    record: Record, files: Sequence[RecordFile], *, source: RecordSource, cache: Path, progress: Progress
) -> list[_Arrived]:
    progress.start(f"download {record.doi}", sum(file.bytes for file in files))
    arrived, done = [], 0
    try:
        for file in files:
            path, sha256 = source.get(record, file, cache=cache, step=steps(progress, done, note=file.name))
            arrived.append(_Arrived(file, path, sha256))
            done += file.bytes
    finally:
        progress.stop()
    return arrived


def _describe(record: Record, file: _Arrived, address: str | None) -> tuple[DatasetFile, str]:
    """Returns the card's entry for a file, and a note when it is a table whose columns cannot be guessed."""
    name = file.listed.name
    entry = DatasetFile(
        path=name, sha256=file.sha256, bytes=file.listed.bytes,
        copy_allowed=not record.license.startswith("LicenseRef-"),
        origins=(FileOrigin(url=address),) if address else (),
    )  # fmt: skip
    if not name.lower().endswith(TABLES):
        return entry, ""
    try:
        return _with_columns(entry, file.path), ""
    except DatasetError as error:
        return entry, f"{name}: its columns are not described yet: {(error.issues or (error.what,))[0]}"


def _with_columns(entry: DatasetFile, path: Path) -> DatasetFile:
    """Describes the columns of a table whose bytes must stay as they are.

    Raises:
        DatasetError: They cannot be guessed.
    """
    suffix = Path(entry.path).suffix.lower()
    delimiter = sniff_delimiter(path) if suffix in DELIMITERS else None
    guesses = guess_columns(read_sheet(path, name=entry.path, delimiter=delimiter))
    if guesses.issues:
        raise DatasetError("the columns cannot be guessed", where=entry.path, issues=guesses.issues)
    columns = {}
    for column in guesses.columns:
        header = column.header if column.header != column.name else None
        columns[column.name] = column.column.model_copy(update={"header": header})
    described = entry.model_copy(
        update={
            "columns": columns,
            "delimiter": delimiter if delimiter != DELIMITERS.get(suffix) else None,
            "missing_as": tuple(dict.fromkeys(text for column in guesses.columns for text in column.empty_as)),
        }
    )
    _, issues = check_table(path, described)
    if issues:
        raise DatasetError("the columns cannot be guessed", where=entry.path, issues=issues)
    return described


def _card(record: Record, entries: tuple[DatasetFile, ...]) -> DatasetCard:
    version = f", version {record.version}" if record.version else ""
    source = Source(
        id=_slug(record), citation=record.citation, doi=record.doi, url=record.page or None, relation="isIdenticalTo"
    )
    return DatasetCard(
        title=record.title, version=1, license=record.license, abstract=record.description,
        provenance=f"Taken unchanged from the record doi:{record.doi}{version} by `braggbook dataset add`.",
        authors=record.authors, sources=(source,), files=entries,
    )  # fmt: skip
