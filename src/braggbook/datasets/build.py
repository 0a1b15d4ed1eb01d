"""Makes datasets: from a person's own table, or an empty one to begin with.

Nothing is written before everything is known to be usable, an existing dataset is never touched, and a new
one appears by one rename of its whole folder.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from braggbook.datasets.catalogue import FOLDER, Dataset, open_dataset
from braggbook.datasets.guess import Ask, Choices, GuessedColumn, Guesses, guess_columns
from braggbook.datasets.headers import slugify
from braggbook.datasets.sheets import TABLES, WORKBOOKS, Sheet, decoded, read_sheet
from braggbook.datasets.tables import open_table
from braggbook.errors import DatasetError, DuplicateName, InputError
from braggbook.files import sha256_bytes, storage, sync_tree, write_bytes
from braggbook.formats.common import Author, check_license, check_slug, shown
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, write_card
from braggbook.formats.placeholders import AUTHOR, DATASET_ABSTRACT

UNLICENSED = "LicenseRef-not-stated"
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Proposal:
    """A dataset that could be added: print it, then hand it to :func:`add_dataset`."""

    slug: str
    card: DatasetCard
    data: bytes  # the table as UTF-8 CSV
    columns: tuple[GuessedColumn, ...]
    notes: tuple[str, ...]  # guesses and gaps that a person should look at


def propose_card(  # noqa: PLR0913 - each is an option of `braggbook dataset add`
    table: Path,
    *,
    slug: str | None = None,
    title: str | None = None,
    license: str | None = None,
    authors: Sequence[Author] = (),
    units: Mapping[str, str] | None = None,
    types: Mapping[str, str] | None = None,
    sheet: str | None = None,
    decimal: str = ".",
    ask: Ask | None = None,
) -> Proposal:
    """Makes a dataset of a table: guesses what is not said, or asks.

    Args:
        table: A CSV, TSV or XLSX file.
        slug: The dataset's name; by default the file's.
        title: By default the slug in words.
        license: An SPDX identifier; by default the card says that none was stated.
        authors: Who compiled the table.
        units: Unit by column (its header or its name).
        types: Type by column: number, integer, text, boolean or date.
        sheet: Which sheet of a workbook.
        decimal: The decimal sign of the table, ``.`` or ``,``.
        ask: Called as ``ask(question, guess)`` for what can be guessed but not known; None takes the guesses.

    Raises:
        DatasetError: The table cannot be used as it is; everything is listed, cells by their row.
        InputError: The slug or the licence is not one.
    """
    slug = _checked_slug(slug if slug is not None else slugify(table.stem))
    read = _read(table, sheet)
    guesses = guess_columns(read, Choices(units or {}, types or {}, decimal), ask=ask)
    if guesses.issues:
        command = f"braggbook dataset add {table} ..."
        raise DatasetError(
            "the table cannot be used as it is", where=table.name, issues=guesses.issues, next_command=command
        )
    asked = ask or (lambda question, guess: guess)
    title = title or asked("title", slug.replace("_", " ").capitalize()) or slug
    license = license or asked("licence (SPDX identifier)", UNLICENSED) or UNLICENSED
    if ask and not authors:
        authors = [Author(name=name.strip()) for name in ask("authors, divided by ;", "").split(";") if name.strip()]
    data = _csv(guesses.columns, len(read.rows))
    file = _file(f"{slugify(table.stem) or slug}.csv", data, guesses=guesses)
    card = DatasetCard(
        title=title, version=1, license=_checked_license(license), authors=tuple(authors),
        provenance=f"Taken from the table {table.name} by `braggbook dataset add`.", files=(file,),
    )  # fmt: skip
    return Proposal(slug, card, data, guesses.columns, (*guesses.notes, *_gaps(card)))


def _gaps(card: DatasetCard) -> list[str]:
    gaps = ["the card has no abstract", "the card's provenance says only which file the table came from"]
    if not card.authors:
        gaps.append("the card names no author (--author NAME)")
    if card.license == UNLICENSED:
        gaps.append("the card states no licence (--license SPDX), so nobody else may use the table")
    return gaps


def _checked_slug(slug: str) -> str:
    try:
        return check_slug(slug)
    except ValueError:
        wanted = "small letters, digits and _, beginning with a letter (--slug NAME)"
        raise InputError("not a name for a dataset", wanted=wanted, got=shown(slug)) from None


def _checked_license(text: str) -> str:
    try:
        return check_license(text)
    except ValueError:
        wanted = "an SPDX identifier, for example CC-BY-4.0 or CC0-1.0 (--license SPDX)"
        raise InputError("unknown licence", wanted=wanted, got=shown(text)) from None


def _read(table: Path, sheet: str | None) -> Sheet:
    if not table.is_file():
        got = "a folder" if table.is_dir() else ""
        raise DatasetError("no such table", where=str(table), wanted=f"a file: {', '.join(TABLES)}", got=got)
    if table.suffix.lower() in WORKBOOKS:
        return read_sheet(table, sheet=sheet)
    if table.suffix.lower() not in (*TABLES, ".txt"):
        wanted = ", ".join((*TABLES, ".txt"))
        raise DatasetError("not a table that can be read", where=table.name, wanted=wanted, got=shown(table.suffix))
    return read_sheet(table, delimiter=sniff_delimiter(table))


def sniff_delimiter(table: Path) -> str:
    """Returns what divides the cells of a text table: the sign that its first line has most of."""
    with storage(table):
        data = table.read_bytes()
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError("not a text table", where=table.name, wanted="text as UTF-8", got="binary data")
    first = decoded(data, table.name).partition("\n")[0]
    plain = "".join(part for number, part in enumerate(first.split('"')) if number % 2 == 0)
    return max(_DELIMITERS, key=plain.count)


def _csv(columns: Sequence[GuessedColumn], rows: int) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows([column.cells[row] for column in columns] for row in range(rows))
    return stream.getvalue().encode()


def _file(path: str, data: bytes, *, guesses: Guesses) -> DatasetFile:
    columns: dict[str, Column] = {column.name: column.column for column in guesses.columns}
    return DatasetFile(path=path, sha256=sha256_bytes(data), bytes=len(data), columns=columns)


def add_dataset(proposal: Proposal, *, project: Path) -> Dataset:
    """Writes a proposed dataset into a project.

    Raises:
        DuplicateName: The project has one of that name; it is left as it is.
        StorageError: The disk refuses; nothing is left behind.
    """
    file = proposal.card.files[0]

    def fill(folder: Path) -> None:
        write_bytes(folder / file.path, proposal.data)
        write_card(folder / CARD_NAME, proposal.card)
        open_table(folder / file.path, open_dataset(folder).card.files[0])  # what was written can be opened

    return publish_folder(proposal.slug, project=project, fill=fill)


def publish_folder(slug: str, *, project: Path, fill: Callable[[Path], None]) -> Dataset:
    """Makes ``datasets/<slug>``: ``fill`` writes into a folder beside it, which gets its name by one rename.

    Raises:
        DuplicateName: There is one already.
        StorageError: The disk refuses; nothing is left behind.
    """
    target = check_new(slug, project=project)
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{slug}.", suffix=".part"))
    try:
        with storage(target):
            work = scratch / slug
            work.mkdir()
            fill(work)
            sync_tree(work)
            check_new(slug, project=project)  # somebody may have been faster
            os.rename(work, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return open_dataset(target)


def check_new(slug: str, *, project: Path) -> Path:
    """Returns where a new dataset would go.

    Raises:
        InputError: ``slug`` is not one.
        DuplicateName: There is one already.
    """
    target = project / FOLDER / _checked_slug(slug)
    if os.path.lexists(target):
        raise DuplicateName(
            f"there is a dataset named {slug!r}", where=str(target), wanted="another name (--slug NAME)",
            next_command=f"braggbook show dataset {slug}",
        )  # fmt: skip
    return target


_EXAMPLE = b"dose_gy,cells_seeded,colonies\n0,200,124\n2,400,131\n4,1200,118\n6,4000,87\n"


def new_dataset(slug: str, *, project: Path) -> Dataset:
    """Makes a small dataset that can be loaded at once, to be filled with real numbers.

    Raises:
        InputError: ``slug`` is not one.
        DuplicateName: There is one already.
    """
    columns = {
        "dose_gy": Column(type="number", unit="Gy", meaning="absorbed dose to water at the cells", minimum=0.0),
        "cells_seeded": Column(type="integer", unit="1", meaning="cells seeded in the dish", minimum=1.0),
        "colonies": Column(type="integer", unit="1", meaning="colonies of at least 50 cells", minimum=0.0),
    }
    file = DatasetFile(path="counts.csv", sha256=sha256_bytes(_EXAMPLE), bytes=len(_EXAMPLE), columns=columns)
    card = DatasetCard(
        title=slug.replace("_", " ").capitalize() or slug, version=1, license="CC0-1.0", files=(file,),
        authors=(Author(name=AUTHOR),), keywords=("clonogenic assay",),
        abstract=DATASET_ABSTRACT,
        provenance="Made-up numbers of `braggbook new dataset`: replace them, then say here how yours came.",
    )  # fmt: skip
    proposal = Proposal(_checked_slug(slug), card, _EXAMPLE, (), ())
    return add_dataset(proposal, project=project)
