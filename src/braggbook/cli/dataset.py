"""``braggbook dataset fetch|add|verify``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.datasets.build import add_dataset, propose_card
from braggbook.datasets.catalogue import Dataset, find_dataset
from braggbook.datasets.doi import RecordSource, add_doi
from braggbook.datasets.fetch import fetch
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import InputError
from braggbook.formats.common import Author

_FOLDER_DOI = re.compile(r"10\.5072/braggbook\.")
_RECORD = re.compile(r"https?://\S+|(?:doi:)?10\.\d{4,9}/\S+")  # a DOI, or a record's page


@click.group("dataset")
def group() -> None:
    """Fetch, add and verify datasets."""


@group.command("fetch")
@click.argument("reference", metavar="SLUG[@VERSION]")
@verb
def fetch_command(face: Face, reference: str) -> None:
    """Get every file of a dataset, from where its card says, and check its hash."""
    settings = face.settings
    dataset = find_dataset(reference, project=settings.project)
    paths = fetch(dataset, cache=settings.cache, mirror=settings.data_mirror, progress=face.bar)
    data = {"dataset": dataset.reference, "files": {name: str(path) for name, path in paths.items()}}
    face.emit(data, table("file", "place", rows=[(name, str(path)) for name, path in paths.items()]))


@group.command("add")
@click.argument("source", metavar="TABLE|DOI")
@click.option("--slug", help="The dataset's name [default: from the file's name].")
@click.option("--title", help="What it is, in one line.")
@click.option("--license", "license_", metavar="SPDX", help="For example CC-BY-4.0 or CC0-1.0.")
@click.option("--author", "authors", multiple=True, metavar="NAME", help="Who compiled it; may be given several times.")
@click.option("--unit", "units", multiple=True, metavar="COLUMN=UNIT", help="Unit of a column that does not say it.")
@click.option("--type", "types", multiple=True, metavar="COLUMN=TYPE", help="number, integer, text, boolean or date.")
@click.option("--sheet", help="Which sheet of a workbook.")
@click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    default=".",
    show_default=True,
    help="The table's decimal sign.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="NAME",
    help="Of a DOI: only this file; may be given several times.",
)
@click.option("--ask/--no-ask", default=None, help="Ask about every guess [default: when a person is there].")
@verb
def add_command(
    face: Face,
    source: str,
    slug: str | None,
    title: str | None,
    license_: str | None,
    authors: tuple[str, ...],
    units: tuple[str, ...],
    types: tuple[str, ...],
    sheet: str | None,
    decimal: str,
    files: tuple[str, ...],
    ask: bool | None,
) -> None:
    """Make a dataset of your own TABLE (.csv, .tsv, .xlsx) or of a public record's DOI or page.

    What the columns mean and measure is guessed from their headers ("Dose (Gy)", "let_kev_um"); what cannot be
    guessed is asked, or refused with the option that says it. Nothing that exists is overwritten.
    """
    settings = face.settings
    if _RECORD.fullmatch(source):
        added = add_doi(
            source,
            project=settings.project,
            cache=settings.cache,
            slug=slug,
            files=files or None,
            source=_folder_source(source, face),
            progress=face.bar,
        )
        _show_added(face, added.dataset, added.notes)
        return
    interactive = sys.stdin.isatty() and not face.json if ask is None else ask
    proposal = propose_card(
        Path(source), slug=slug, title=title, license=license_, authors=[Author(name=name) for name in authors],
        units=_pairs(units, "--unit"), types=_pairs(types, "--type"), sheet=sheet, decimal=decimal,
        ask=_ask if interactive else None,
    )  # fmt: skip
    _show_added(face, add_dataset(proposal, project=settings.project), proposal.notes)


def _folder_source(identifier: str, face: Face) -> RecordSource | None:
    """Returns the embedded archive, if a DOI is one of an archive in a directory."""
    if _FOLDER_DOI.search(identifier) is None:
        return None
    from braggbook.records.dataset_source import FolderSource  # noqa: PLC0415 - help must not wait for it
    from braggbook.records.folder import FolderArchive  # noqa: PLC0415 - the same

    return FolderSource(FolderArchive(face.settings.archive))


def _ask(question: str, guess: str) -> str:
    return str(click.prompt(question, default=guess, err=True))


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError("not a pair", wanted=f"{option} column=value", got=text)
        pairs[name.strip()] = value.strip()
    return pairs


def _show_added(face: Face, dataset: Dataset, notes: tuple[str, ...]) -> None:
    columns = [
        (file.path, name, c.type, c.unit, c.meaning) for file in dataset.card.files for name, c in file.columns.items()
    ]
    data = {
        "dataset": dataset.reference,
        "folder": str(dataset.folder),
        "notes": list(notes),
        "card": dataset.card.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    face.emit(
        data,
        table("file", "column", "type", "unit", "meaning", rows=columns),
        *(Text(f"look  {note}") for note in notes),
        Text(f"made  {dataset.folder}"),
        Text(f'next: read dataset.toml there; in a notebook: bb.load("{dataset.reference}")'),
    )


@group.command("verify")
@click.argument("reference", metavar="SLUG[@VERSION]")
@verb
def verify_command(face: Face, reference: str) -> None:
    """Check every file, hash, column and row of a dataset. Findings end with exit code 1."""
    settings = face.settings
    dataset = find_dataset(reference, project=settings.project)
    issues = verify_dataset(dataset, cache=settings.cache, mirror=settings.data_mirror, progress=face.bar)
    lines = [Text(str(issue)) for issue in issues] or [
        Text(f"{dataset.reference}: every file, column and row is as the card says", style="bold green")
    ]
    face.emit({"dataset": dataset.reference, "issues": [issue.as_json() for issue in issues]}, *lines)
    if issues:
        raise click.exceptions.Exit(1)


COMMANDS: dict[str, click.Command] = {"dataset": group}
