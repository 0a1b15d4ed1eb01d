"""The list of datasets, and a dataset."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from braggbook.datasets.arrays import is_arrays
from braggbook.datasets.catalogue import Dataset, find_dataset
from braggbook.datasets.catalogue import list_datasets as datasets_by_slug
from braggbook.datasets.sheets import TABLES
from braggbook.errors import BraggbookError
from braggbook.formats.common import Author
from braggbook.formats.dataset import Column, DatasetFile, Experiment, FileOrigin
from braggbook.hub.look.kinds import kind_of
from braggbook.hub.look.paging import Page
from braggbook.hub.look.places import place_of
from braggbook.hub.look.previews import preview, preview_names
from braggbook.hub.look.published import Published, records_of
from braggbook.hub.look.runs import RunLine, runs_of_dataset
from braggbook.hub.look.shown import Preview
from braggbook.runs.links import doi_link
from braggbook.settings import Settings

_SPDX = "https://spdx.org/licenses/"
_IDENTIFIER = re.compile(r"[A-Za-z0-9.+-]+")
_JOINING = ("AND", "OR", "WITH")
PREVIEWS = 6  # files that a dataset's page shows; others are asked for one by one
_ADDRESSES = ("https://", "http://")


@dataclass(frozen=True)
class DatasetLine:
    """A line of the list; of a dataset whose card cannot be used only the slug and what is wrong.

    Attributes:
        kinds: What its files are, the most frequent first: ``(("volume", 12), ("table", 1))``.
        issues: What is wrong with its card.
    """

    slug: str
    version: int | None = None
    title: str = ""
    license: str = ""
    files: int = 0
    bytes: int = 0
    kinds: tuple[tuple[str, int], ...] = ()
    issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class LicenseShown:
    """A licence of the SPDX list, or a word between two; only the former has a page."""

    text: str
    link: str | None


@dataclass(frozen=True)
class SourceShown:
    """A publication or record that facts of the dataset come from."""

    id: str
    citation: str
    doi: str
    link: str | None
    relation: str


@dataclass(frozen=True)
class ColumnMeaning:
    """A column as the card describes it."""

    name: str
    header: str
    type: str
    unit: str
    meaning: str
    allowed: str
    missing: bool


@dataclass(frozen=True)
class FileShown:
    """A file: what it is, where it can be had, and whether it is here."""

    path: str
    kind: str
    bytes: int
    sha256: str
    here: bool
    place: str
    origins: tuple[str, ...]
    columns: tuple[ColumnMeaning, ...]


@dataclass(frozen=True)
class DatasetShown:
    """Everything that a dataset's page says.

    Attributes:
        previews: Of the first files; :func:`preview_file` shows others.
        not_previewed: Names of the others, for :func:`preview_file`.
        runs: Those that used this version, the newest first.
        commands: For a terminal.
        load: For a notebook: how it is opened.
    """

    slug: str
    version: int
    reference: str
    digest: str
    title: str
    abstract: str
    provenance: str
    keywords: tuple[str, ...]
    authors: tuple[Author, ...]
    license: str
    licenses: tuple[LicenseShown, ...]
    sources: tuple[SourceShown, ...]
    experiment: Experiment | None
    records: tuple[Published, ...]
    files: tuple[FileShown, ...]
    bytes: int
    previews: tuple[Preview, ...]
    not_previewed: tuple[str, ...]
    runs: Page[RunLine]
    commands: tuple[str, ...]
    load: tuple[str, ...]


def list_datasets(settings: Settings) -> list[DatasetLine]:
    """Returns every dataset of the project by its slug; a card that cannot be used is listed with what is wrong."""
    return [
        _line(found) if isinstance(found, Dataset) else DatasetLine(slug, issues=_issues(found, settings))
        for slug, found in datasets_by_slug(settings.project).items()
    ]


def _line(dataset: Dataset) -> DatasetLine:
    card = dataset.card
    kinds = tuple(Counter(kind_of(file.path) for file in card.files).most_common())
    size = sum(file.bytes for file in card.files)
    return DatasetLine(dataset.slug, card.version, card.title, card.license, len(card.files), size, kinds)


def _issues(error: BraggbookError, settings: Settings) -> tuple[str, ...]:
    """Returns what is wrong, without where on this machine the project lies."""
    found = [str(issue) for issue in error.issues] or [str(error).partition("\nnext:")[0]]
    return tuple(text.replace(f"{settings.project}/", "") for text in found)


def show_dataset(reference: str, settings: Settings, *, page: int = 1) -> DatasetShown:
    """Returns all that a dataset's page says.

    Args:
        reference: ``slug`` or ``slug@version``.
        settings: Where datasets, runs and downloads are.
        page: Of the runs that used it.

    Raises:
        InputError: The reference is not spelled so.
        UnknownName: There is no such dataset, or it has another version.
        DatasetError: Its card cannot be used.
    """
    dataset = find_dataset(reference, project=settings.project)
    card = dataset.card
    names = preview_names(dataset, cache=settings.cache)
    files = tuple(_file(dataset, file, settings) for file in card.files)
    return DatasetShown(
        dataset.slug, card.version, dataset.reference, dataset.digest,
        title=card.title, abstract=card.abstract, provenance=card.provenance, keywords=card.keywords,
        authors=card.authors, license=card.license, licenses=_licenses(card.license),
        sources=tuple(
            SourceShown(one.id, one.citation, one.doi or "", _link(one.doi, one.url), one.relation)
            for one in card.sources
        ),
        experiment=card.experiment,
        records=records_of(dataset.reference, runs=settings.runs),
        files=files, bytes=sum(file.bytes for file in files),
        previews=tuple(preview(dataset, name, cache=settings.cache) for name in names[:PREVIEWS]),
        not_previewed=tuple(names[PREVIEWS:]),
        runs=runs_of_dataset(dataset.reference, settings, page=page),
        commands=(f"braggbook dataset verify {dataset.reference}", f"braggbook show dataset {dataset.reference}"),
        load=_load(dataset),
    )  # fmt: skip


def preview_file(reference: str, path: str, settings: Settings) -> Preview:
    """Looks at one file of a dataset, or the folder of a Zarr store in it.

    Raises:
        InputError, UnknownName, DatasetError: As :func:`show_dataset`; UnknownName also where it has no such file.
    """
    return preview(find_dataset(reference, project=settings.project), path, cache=settings.cache)


def _licenses(expression: str) -> tuple[LicenseShown, ...]:
    """Divides an SPDX expression, each identifier with its page; ``LicenseRef-`` names none of the list's."""
    shown = []
    for part in re.findall(r"[A-Za-z0-9.+-]+|[()]", expression):
        listed = _IDENTIFIER.fullmatch(part) and part not in _JOINING and not part.startswith("LicenseRef-")
        shown.append(LicenseShown(part, f"{_SPDX}{part.removesuffix('+')}.html" if listed else None))
    return tuple(shown)


def _link(doi: str | None, url: str | None) -> str | None:
    if doi and (link := doi_link(doi)):
        return link
    return url if url and url.startswith(_ADDRESSES) else None


def _file(dataset: Dataset, file: DatasetFile, settings: Settings) -> FileShown:
    place = place_of(dataset, file, cache=settings.cache)
    columns = tuple(_column(name, column) for name, column in file.columns.items())
    origins = tuple(_origin(origin) for origin in file.origins)
    here = place.path is not None
    return FileShown(file.path, kind_of(file.path), file.bytes, file.sha256, here, place.says, origins, columns)


def _origin(origin: FileOrigin) -> str:
    if origin.url:
        return origin.url
    return f"{origin.path} in the package {origin.package}{f' {origin.version}' if origin.version else ''}"


def _column(name: str, column: Column) -> ColumnMeaning:
    low, high = column.minimum, column.maximum
    ends = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
    listed = f"one of {', '.join(map(str, column.values))}" if column.values else ""
    allowed = ", ".join(text for text in (*ends, listed) if text)
    header = column.header or name
    return ColumnMeaning(name, header, column.type, column.unit or "", column.meaning, allowed, column.missing)


def _load(dataset: Dataset) -> tuple[str, ...]:
    """Returns how a notebook opens it: a table, arrays, or else where its files are."""
    files, several = dataset.card.files, len(dataset.card.files) > 1
    lines = []
    for file in files:
        name = f', file="{file.path}"' if several else ""
        if is_arrays(file):
            lines.append(f'bb.load("{dataset.reference}"{name}, to="xarray")')
        elif file.columns or file.path.lower().endswith(TABLES):
            lines.append(f'bb.load("{dataset.reference}"{name})')
    return tuple(lines) or (f'bb.load("{dataset.reference}", to="paths")',)
