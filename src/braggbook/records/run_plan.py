"""A run as a record: its files in one zip, its metadata from its own notebook and cards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import InputError, Issue
from braggbook.formats.notebook import FrontMatter
from braggbook.formats.record import Funding, PublishPlan, RecordMetadata, Relation
from braggbook.formats.run import RunRecord
from braggbook.notebooks.source import read_notebook
from braggbook.records.binder import binder_files
from braggbook.records.bundle import write_bundle
from braggbook.records.people import creators_of, missing_of
from braggbook.records.traces import find_traces
from braggbook.runs.folder import RECORD, changed_files, read_record
from braggbook.runs.record import SOURCE_FOLDER
from braggbook.runs.scrub import Scrubber

RECORDS = "records"  # beside the runs: deposits and receipts, which outlast a repetition of the run
_HOW = (
    "To repeat it and compare: pip install braggbook, then braggbook verify with the DOI of this record. "
    "The zip is a Workflow Run RO-Crate; README.txt in it says what each file is."
)


@dataclass(frozen=True)
class Planned:
    """A plan, and where its files are."""

    plan: PublishPlan
    paths: dict[str, Path]


def plan_run(
    folder: Path,
    target: Path,
    *,
    scrubber: Scrubber,
    software: str | None = None,
    version_of: str | None = None,
) -> Planned:
    """Plans to publish a run.

    Args:
        folder: The run.
        target: The folder to write its zip to.
        scrubber: What must not be in it.
        software: DOI or address of Braggbook, which the run is compiled by.
        version_of: DOI of the record whose next version this is.

    Raises:
        InputError: The run is not complete, files of it changed, or something in it would identify a person or a
            machine; all findings are listed.
        RecordError: It is no run.
    """
    record = read_record(folder)
    _publishable(folder, record)
    content = _content(folder, record)
    if issues := find_traces(content, scrubber=scrubber):
        command = f"braggbook run {record.notebook}"
        raise InputError("it would tell more than it should", where=str(folder), issues=issues, next_command=command)
    zipped = write_bundle(content, target / f"{record.notebook}-{record.id}.zip")
    front = read_notebook(folder / SOURCE_FOLDER / f"{record.notebook}.ipynb").front
    relations, missing = _relations(folder, record, front, software)
    metadata = metadata_of_run(front, run_id=record.id, parameters=record.parameters, relations=relations)
    plan = PublishPlan(
        kind="run",
        source=record.id,
        metadata=metadata,
        files=[zipped],
        missing=[*missing, *missing_of(metadata.creators)],
        version_of=version_of,
        doi=record.doi,
    )
    return Planned(plan, {zipped.name: target / zipped.name})


def _publishable(folder: Path, record: RunRecord) -> None:
    if record.verdict != "complete":
        wanted, command = "a complete run", f"braggbook run {record.notebook}"
        raise InputError(
            "the run is not complete", where=folder.name, wanted=wanted, got=record.verdict, next_command=command
        )
    if issues := changed_files(folder, record):
        command = f"braggbook verify {folder.name}"
        raise InputError("the run is not as it was", where=folder.name, issues=issues, next_command=command)


def _content(folder: Path, record: RunRecord) -> dict[str, Path | bytes]:
    """Returns exactly the files that the record lists, and ``binder/``."""
    files: dict[str, Path | bytes] = {name: folder / name for name in (*record.files, RECORD)}
    if links := [Issue("a link is not sent", name) for name, path in files.items() if Path(str(path)).is_symlink()]:
        raise InputError("links in the run", where=folder.name, issues=links)
    return {**files, **binder_files(folder, record)}


def metadata_of_run(
    front: FrontMatter, *, run_id: str, parameters: Mapping[str, Any], relations: Sequence[Relation] = ()
) -> RecordMetadata:
    """Returns what is known of a run from its notebook and parameters, also before it was executed."""
    values = ", ".join(f"{name} = {value}" for name, value in parameters.items()) or "none"
    about = front.abstract or front.description or front.title
    return RecordMetadata(
        title=f"Run of: {front.title}",
        description="\n\n".join([about, f"Parameters: {values}.", f"Run {run_id}. {_HOW}"]),
        resource_type="dataset",
        creators=creators_of(front.authors),
        license=front.license,
        keywords=front.keywords,
        subjects=[front.subject] if front.subject else [],
        version=run_id[:12],
        relations=list(relations),
        funding=[Funding(funder=text) for text in _funding(front)],
    )


def _funding(front: FrontMatter) -> list[str]:
    return [front.funding] if isinstance(front.funding, str) else front.funding or []


def _relations(
    folder: Path, record: RunRecord, front: FrontMatter, software: str | None
) -> tuple[list[Relation], list[str]]:
    """Returns what the run stands on, and what has no identifier to say it by."""
    found, missing = [], []
    if software:
        found.append(Relation(relation="isCompiledBy", identifier=software, resource_type="software"))
    else:
        missing.append("the software's DOI or address: doi or repository-code in CITATION.cff")
    for dataset in record.datasets:
        card = open_dataset(folder / DATASETS / dataset.reference.partition("@")[0]).card
        known = [source.doi or source.url for source in card.sources]
        identifiers = [identifier for identifier in known if identifier]
        found += [Relation(relation="isDerivedFrom", identifier=i, resource_type="dataset") for i in identifiers]
        if not identifiers:
            missing.append(f"a DOI or address of any source of {dataset.reference}")
    if front.doi:
        found.append(Relation(relation="isSupplementTo", identifier=front.doi, resource_type="publication"))
    unique = {(one.relation, one.identifier): one for one in found}
    return list(unique.values()), missing


def software_identifier(citation: Path) -> str | None:
    """Returns the DOI, or else the address, that a CITATION.cff states for its software."""
    if not citation.is_file():
        return None
    stated = yaml.safe_load(citation.read_text(encoding="utf-8")) or {}
    return stated.get("doi") or stated.get("repository-code") or stated.get("url")


def place_of(folder: Path, archive: str) -> Path:
    """Returns where the deposit of a run in an archive lies.

    Args:
        folder: The run's, there or to come.
        archive: As a person names it.
    """
    return folder.parent / RECORDS / folder.name / re.sub(r"[^A-Za-z0-9._-]+", "_", archive)
