"""A run as a record: its files in one zip, its metadata from its own notebook and cards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import InputError, Issue
from braggbook.files import canonical_json
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.notebook import FrontMatter
from braggbook.formats.record import PublishPlan, RecordMetadata, Relation
from braggbook.formats.run import RunRecord
from braggbook.notebooks.source import read_notebook
from braggbook.records.binder import binder_files
from braggbook.records.bundle import write_bundle
from braggbook.records.metadata import bare_identifier, checked_metadata, funding_facts, metadata_issues, one_line
from braggbook.records.people import creators_of, missing_of
from braggbook.records.traces import find_traces
from braggbook.runs.folder import RECORD, changed_files, read_record
from braggbook.runs.record import SOURCE_FOLDER
from braggbook.runs.scrub import Scrubber

RECORDS = "records"  # beside the runs: deposits and receipts, which outlast a repetition of the run
# Archives of data by what is in their DOIs; a card's sources are mostly papers.
_DATA = re.compile(
    r"(?i)zenodo|figshare|dryad|tcia|pangaea|dataverse|mendeley|osf\.io|10\.(?:17632|5072/braggbook|7910|18710|11583)/"
)
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
    relations: Sequence[Relation] = (),
) -> Planned:
    """Plans to publish a run.

    Args:
        folder: The run.
        target: The folder to write its zip to.
        scrubber: What must not be in it.
        software: DOI or address of Braggbook, which the run is compiled by.
        version_of: DOI of the record whose next version this is.
        relations: What else it stands in a relation to, such as the earlier run that it is a variant of.

    Raises:
        InputError: The run is not complete, files of it changed, or something in it would identify a person or a
            machine; all findings are listed.
        RecordError: It is no run.
    """
    record = read_record(folder)
    _publishable(folder, record)
    content = run_content(folder, record)
    front = front_of(folder, record)
    compiled_by, unknown = software_relation(software)
    stands_on, missing = relations_of(folder, record, front)
    facts = _facts(front, run_id=record.id, parameters=record.parameters)
    facts["relations"] = unique_relations([*compiled_by, *stands_on, *(one.model_dump() for one in relations)])
    require_sendable(content, facts, where=folder.name, scrubber=scrubber, own_words=own_words_of(folder, record))
    metadata = checked_metadata(facts)
    zipped = write_bundle(content, target / f"{record.notebook}-{record.id}.zip")
    plan = PublishPlan(
        kind="run",
        source=record.id,
        metadata=metadata,
        files=[zipped],
        missing=[*unknown, *missing, *missing_of(metadata.creators)],
        version_of=version_of,
        doi=record.doi,
    )
    return Planned(plan, {zipped.name: target / zipped.name})


def front_of(folder: Path, record: RunRecord) -> FrontMatter:
    """Returns what the notebook of a run says about itself."""
    return read_notebook(folder / SOURCE_FOLDER / f"{record.notebook}.ipynb").front


def own_words_of(folder: Path, record: RunRecord) -> str:
    """Returns what a person has written for all to read: the notebook, and the cards of its datasets."""
    cards = [folder / DATASETS / one.reference.partition("@")[0] / CARD_NAME for one in record.datasets]
    paths = [folder / SOURCE_FOLDER / f"{record.notebook}.ipynb", *cards]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())


def require_sendable(
    content: Mapping[str, Path | bytes],
    facts: Mapping[str, Any],
    *,
    where: str,
    scrubber: Scrubber,
    own_words: str = "",
) -> None:
    """Refuses what must not leave, and metadata that an archive would refuse: both at once.

    Args:
        content: What would be sent, by name.
        facts: Its metadata.
        where: What it is of.
        scrubber: What must not be in it.
        own_words: What its authors wrote for all to read; an e-mail address there is meant to be seen.

    Raises:
        InputError: All findings are listed.
    """
    told = canonical_json(facts)
    traces = find_traces({**content, "(metadata)": told}, scrubber=scrubber, own_words=own_words)
    if issues := [*metadata_issues(facts), *traces]:
        what = "it would tell more than it should" if traces else "metadata that an archive would refuse"
        raise InputError(what, where=where, issues=issues)


def _publishable(folder: Path, record: RunRecord) -> None:
    if record.verdict != "complete":
        wanted, command = "a complete run", f"braggbook run {record.notebook}"
        raise InputError(
            "the run is not complete", where=folder.name, wanted=wanted, got=record.verdict, next_command=command
        )
    if issues := changed_files(folder, record):
        command = f"braggbook verify {folder.name}"
        raise InputError("the run is not as it was", where=folder.name, issues=issues, next_command=command)


def run_content(folder: Path, record: RunRecord) -> dict[str, Path | bytes]:
    """Returns exactly the files that a run's record lists, the record, and ``binder/``.

    Raises:
        InputError: One of them is a link.
    """
    files: dict[str, Path | bytes] = {name: folder / name for name in (*record.files, RECORD)}
    refuse_links(folder, files)
    return {**files, **binder_files(folder, record)}


def refuse_links(folder: Path, files: Mapping[str, Path | bytes]) -> None:
    """Refuses files that are links, or lie behind one.

    Raises:
        InputError: They are listed.
    """
    real = folder.resolve()
    issues = []
    for name, path in files.items():
        if isinstance(path, Path) and path.resolve() != real / path.relative_to(folder):
            issues.append(Issue("a link is not sent", name))
    if issues:
        raise InputError("links among the files", where=folder.name, issues=issues)


def metadata_of_run(
    front: FrontMatter, *, run_id: str, parameters: Mapping[str, Any], relations: Sequence[Relation] = ()
) -> RecordMetadata:
    """Returns what is known of a run from its notebook and parameters, also before it was executed.

    Raises:
        InputError: An archive would refuse it; all findings are listed.
    """
    facts = _facts(front, run_id=run_id, parameters=parameters)
    return checked_metadata({**facts, "relations": [relation.model_dump() for relation in relations]}, where=run_id)


def _facts(front: FrontMatter, *, run_id: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    values = ", ".join(f"{name} = {value}" for name, value in parameters.items()) or "none"
    return {
        **facts_of_front(front),
        "title": f"Run of: {one_line(front.title)}",
        "description": "\n\n".join([about(front), f"Parameters: {values}.", f"Run {run_id}. {_HOW}"]),
        "version": run_id[:12],
    }


def about(front: FrontMatter) -> str:
    """Returns what a notebook is about, in its author's words."""
    return (front.abstract or front.description or front.title).strip()


def facts_of_front(front: FrontMatter) -> dict[str, Any]:
    """Returns what every record that comes from a notebook has in common."""
    return {
        "resource_type": "dataset",
        "creators": creators_of(front.authors),
        "license": front.license,
        "keywords": list(front.keywords),
        "subjects": [front.subject] if front.subject else [],
        "language": front.language,
        "funding": funding_facts(front.funding),
    }


def software_relation(software: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns what computed it, and what is missing to say so."""
    if software is None:
        return [], ["the software's DOI or address: doi or repository-code in CITATION.cff"]
    return [_relation("isCompiledBy", software, "software")], []


def relations_of(folder: Path, record: RunRecord, front: FrontMatter) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns what a run stands on, and what has no identifier to say it by."""
    found, missing = [], []
    for dataset in record.datasets:
        card = open_dataset(folder / DATASETS / dataset.reference.partition("@")[0]).card
        known = [source.doi or source.url for source in card.sources]
        identifiers = [bare_identifier(identifier) for identifier in known if identifier]
        found += [_relation("isDerivedFrom", identifier, kind_of(identifier)) for identifier in identifiers]
        if not identifiers:
            missing.append(f"a DOI or address of any source of {dataset.reference}")
    if front.doi:
        found.append(_relation("isSupplementTo", front.doi, "publication"))
    return found, missing


def kind_of(identifier: str) -> str:
    """Returns what stands behind an identifier: of an archive of data, data; of another DOI, a publication."""
    if _DATA.search(identifier):
        return "dataset"
    return "publication" if identifier.startswith("10.") else "other"


def _relation(relation: str, identifier: str, resource_type: str) -> dict[str, Any]:
    return {"relation": relation, "identifier": bare_identifier(identifier), "resource_type": resource_type}


def unique_relations(relations: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns relations without those that are said twice, in their order."""
    return list({(one["relation"], one["identifier"]): one for one in reversed([*relations])}.values())[::-1]


def software_identifier(citation: Path) -> str | None:
    """Returns the DOI, or else the address, that a CITATION.cff states for its software.

    Raises:
        InputError: It is not YAML, or states something that is no text.
    """
    if not citation.is_file():
        return None
    command = f"edit {citation.name}: https://citation-file-format.github.io"
    try:
        stated = yaml.safe_load(citation.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        got = str(error).splitlines()[0]
        raise InputError("cannot be read", where=citation.name, wanted="YAML", got=got, next_command=command) from None
    if not isinstance(stated, dict):
        raise InputError("not a citation file", where=citation.name, wanted="a table of keys", next_command=command)
    found = stated.get("doi") or stated.get("repository-code") or stated.get("url")
    return bare_identifier(str(found)) if found else None


def place_of(folder: Path, archive: str) -> Path:
    """Returns where the deposit of a run in an archive lies.

    Args:
        folder: The run's, there or to come.
        archive: As a person names it.
    """
    return folder.parent / RECORDS / folder.name / re.sub(r"[^A-Za-z0-9._-]+", "_", archive)
