"""``braggbook publish plan|push|mint``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError
from braggbook.files import write_text
from braggbook.formats.record import Deposit, PublishPlan
from braggbook.records.archives import Shelf
from braggbook.records.citation import bibtex, citation_cff
from braggbook.records.deposit import Job, mint, push
from braggbook.records.run_plan import Planned, place_of, plan_run, software_identifier
from braggbook.runs.folder import find_run
from braggbook.runs.scrub import make_scrubber


@click.group("publish")
def group() -> None:
    """Give a run a DOI, in three steps that can each be looked at."""


_to = click.option(
    "--to",
    "archive",
    default="folder",
    show_default=True,
    metavar="ARCHIVE",
    help="folder, zenodo, zenodo_sandbox, the address of a server like Zenodo, or invenio+ and an address.",
)
_version = click.option("--new-version-of", metavar="DOI", help="Make it the next version of a record of yours.")


@group.command("plan")
@click.argument("what")
@_to
@_version
@verb
def plan_command(face: Face, what: str, archive: str, new_version_of: str | None) -> None:
    """Show exactly what would be sent of the run WHAT (an id, its beginning, or a folder). Sends nothing."""
    planned, _ = _planned(face, what, archive, new_version_of)
    plan = planned.plan
    face.emit({**plan.model_dump(mode="json"), "digest": plan.digest, "to": archive}, *shown(plan, archive))


@group.command("push")
@click.argument("what")
@_to
@_version
@verb
def push_command(face: Face, what: str, archive: str, new_version_of: str | None) -> None:
    """Send the run WHAT to an archive as a draft, which only you can see.

    The same command after a crash goes on where it stopped, and sends no file that has arrived.
    """
    planned, place = _planned(face, what, archive, new_version_of)
    job = Job(planned.plan, planned.paths, _shelf(face).open(archive), place)
    deposit = push(job, progress=face.bar)
    _emit(face, deposit, f"braggbook publish mint {what} --to {archive}")


@group.command("mint")
@click.argument("what")
@_to
@_version
@click.option("--yes", is_flag=True, help="Do not ask for the title.")
@verb
def mint_command(face: Face, what: str, archive: str, new_version_of: str | None, yes: bool) -> None:
    """Publish the draft of the run WHAT, for good: a DOI cannot be taken back.

    Then every file is downloaded again and compared byte by byte.
    """
    planned, place = _planned(face, what, archive, new_version_of)
    job = Job(planned.plan, planned.paths, _shelf(face).open(archive), place)
    if not yes:
        _confirm(face, planned.plan, archive)
    deposit = mint(job, progress=face.bar)
    write_text(place / "record.bib", bibtex(planned.plan.metadata, deposit))
    write_text(place / "CITATION.cff", citation_cff(planned.plan.metadata, deposit))
    for path in planned.paths.values():
        path.unlink(missing_ok=True)
    _emit(face, deposit, f"braggbook verify {deposit.doi}")


def _planned(face: Face, what: str, archive: str, version_of: str | None) -> tuple[Planned, Path]:
    folder = find_run(what, runs=face.settings.runs)
    place = place_of(folder, archive)
    scrubber = make_scrubber({"project": face.settings.project}, vocabulary="")
    software = software_identifier(face.settings.project / "CITATION.cff")
    return plan_run(folder, place, scrubber=scrubber, software=software, version_of=version_of), place


def _shelf(face: Face) -> Shelf:
    return Shelf(face.settings.archive, os.environ)


def _confirm(face: Face, plan: PublishPlan, archive: str) -> None:
    """Asks for the title to be typed: what cannot be undone must not be done in passing."""
    for line in shown(plan, archive):
        face.talk.print(line)
    typed = click.prompt(
        "This cannot be undone. Type the title to publish it", err=True, default="", show_default=False
    )
    if typed.strip() != plan.metadata.title.strip():
        raise InputError("not published: the title was not typed", wanted=plan.metadata.title, got=repr(typed))


def _emit(face: Face, deposit: Deposit, next_command: str) -> None:
    data = {**deposit.model_dump(mode="json"), "next": next_command}
    words = {"uploaded": "draft", "published": "published", "checked": "published, and read back identical"}
    lines = [f"{words.get(deposit.step, deposit.step)}: {deposit.doi or deposit.id}", deposit.url or ""]
    face.emit(data, *(Text(line) for line in lines if line), Text(f"next: {next_command}"))


def shown(plan: PublishPlan, archive: str) -> list[Any]:
    """Returns a plan for a terminal."""
    said = plan.metadata
    about = [
        ("title", said.title),
        ("creators", "; ".join(creator.name for creator in said.creators)),
        ("licence", said.license),
        ("keywords", ", ".join(said.keywords)),
        ("version", said.version),
        ("to", archive),
        ("digest", plan.digest),
    ]
    files = [(file.name, f"{file.bytes:,}", file.sha256) for file in plan.files]
    relations = [(one.relation, one.identifier) for one in said.relations]
    lines: list[Any] = [
        table("metadata", "", rows=about),
        Text(""),
        table("file", "bytes", "sha256", rows=files),
        Text(""),
    ]
    if relations:
        lines += [table("relation", "to", rows=relations), Text("")]
    return [*lines, *(Text(f"missing  {text}", style="yellow") for text in plan.missing)]


COMMANDS: dict[str, click.Command] = {"publish": group}
