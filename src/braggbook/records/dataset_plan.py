"""A dataset as a record: its card and files in one zip, its metadata from the card.

A file whose card says ``copy = false`` is not ours to hand on: it is left out, and the record names it by its hash and
where it can be had. A dataset of nothing else is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.fetch import fetch_file
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import InputError, Issue
from braggbook.formats.dataset import CARD_NAME, DatasetFile, FileOrigin, Source
from braggbook.formats.record import PublishPlan, Relation
from braggbook.progress import Progress
from braggbook.records.bundle import write_bundle
from braggbook.records.metadata import bare_identifier, checked_metadata, funding_facts, one_line
from braggbook.records.people import creators_of, missing_of
from braggbook.records.run_plan import Planned, kind_of, require_sendable, unique_relations
from braggbook.runs.scrub import Scrubber
from braggbook.settings import Settings

_README, _OTHER_README = "README.txt", "README-of-the-record.txt"


def plan_dataset(
    dataset: Dataset,
    target: Path,
    *,
    settings: Settings,
    scrubber: Scrubber,
    version_of: str | None = None,
    relations: Iterable[Relation] = (),
    progress: Progress | None = None,
) -> Planned:
    """Plans to publish a dataset.

    Args:
        dataset: Which.
        target: The folder to write its zip to.
        settings: Where its files are looked for.
        scrubber: What must not be in it.
        version_of: DOI of the record whose next version this is.
        relations: What else it stands in a relation to.
        progress: Is told which file is looked at.

    Raises:
        InputError: A file is not what the card says, none may be handed on, something in it would identify a person or
            a machine, or the metadata lack something; all findings are listed.
        DatasetMissing, NetworkError: A file cannot be had.
    """
    sent = [file for file in dataset.card.files if file.copy_allowed]
    left = [file for file in dataset.card.files if not file.copy_allowed]
    _require_rights(dataset, sent, left)
    ours = replace(dataset, card=dataset.card.model_copy(update={"files": tuple(sent)}))
    if issues := verify_dataset(ours, cache=settings.cache, mirror=settings.data_mirror, progress=progress):
        command = f"braggbook dataset verify {dataset.slug}"
        raise InputError("the dataset is not as its card says", where=dataset.slug, issues=issues, next_command=command)
    content: dict[str, Path | bytes] = {CARD_NAME: (dataset.folder / CARD_NAME).read_bytes()}
    for file in sent:
        content[file.path] = fetch_file(dataset, file, cache=settings.cache, mirror=settings.data_mirror).resolve()
    content[_README if _README not in content else _OTHER_README] = _readme(dataset, left).encode()
    facts = _facts(dataset, left)
    facts["relations"] = unique_relations([*facts["relations"], *(one.model_dump() for one in relations)])
    own_words = (dataset.folder / CARD_NAME).read_text(encoding="utf-8")
    require_sendable(content, facts, where=dataset.reference, scrubber=scrubber, own_words=own_words)
    metadata = checked_metadata(facts)
    zipped = write_bundle(content, target / f"{dataset.slug}-{dataset.card.version}.zip")
    plan = PublishPlan(
        kind="dataset",
        source=dataset.reference,
        metadata=metadata,
        files=[zipped],
        missing=[*_missing(dataset), *missing_of(metadata.creators)],
        version_of=version_of,
    )
    return Planned(plan, {zipped.name: target / zipped.name})


def _require_rights(dataset: Dataset, sent: list[DatasetFile], left: list[DatasetFile]) -> None:
    """Refuses a dataset of which nothing may be handed on, or something that nobody could find again."""
    if not sent:
        wanted = "at least one file with copy = true, where its licence allows it"
        issues = [Issue("its card says copy = false", file.path) for file in left]
        raise InputError("no file of it may be handed on", where=dataset.reference, wanted=wanted, issues=issues)
    if lost := [file for file in left if not file.origins]:
        issues = [Issue("may not be handed on, and nothing says where it can be had", file.path) for file in lost]
        raise InputError(
            "files that nobody could find", where=dataset.reference, wanted="from in [[files]]", issues=issues
        )


def _facts(dataset: Dataset, left: list[DatasetFile]) -> dict[str, Any]:
    card = dataset.card
    parts = [card.abstract.strip() or card.title, card.provenance.strip()]
    if left:
        named = "; ".join(f"{file.path} (sha256 {file.sha256}) from {_places(file)}" for file in left)
        parts.append(f"Not in this record, because their licence forbids it: {named}.")
    parts.append(
        f"In a notebook of Braggbook: bb.load({dataset.reference!r}). {CARD_NAME} says what every column means."
    )
    return {
        "title": one_line(card.title),
        "description": "\n\n".join(part for part in parts if part),
        "resource_type": "dataset",
        "creators": creators_of(card.authors),
        "license": card.license,
        "keywords": list(card.keywords),
        "subjects": [card.subject] if card.subject else [],
        "language": card.language,
        "version": str(card.version),
        "relations": [relation for source in card.sources if (relation := _relation(source))],
        "funding": funding_facts(card.funding),
    }


def _relation(source: Source) -> dict[str, Any] | None:
    identifier = source.doi or source.url
    if not identifier:
        return None
    identifier = bare_identifier(identifier)
    kind = "dataset" if source.relation == "isIdenticalTo" else kind_of(identifier)
    return {"relation": source.relation, "identifier": identifier, "resource_type": kind}


def _missing(dataset: Dataset) -> list[str]:
    card = dataset.card
    found = [f"a DOI or address of the source {one.id}" for one in card.sources if not (one.doi or one.url)]
    return [*([] if card.abstract.strip() else ["an abstract"]), *([] if card.keywords else ["keywords"]), *found]


def _places(file: DatasetFile) -> str:
    return " or ".join(map(_place, file.origins))


def _place(origin: FileOrigin) -> str:
    if origin.url:
        return origin.url
    version = f" {origin.version}" if origin.version else ""
    return f"{origin.path} in the Python package {origin.package}{version}"


def _readme(dataset: Dataset, left: list[DatasetFile]) -> str:
    lines = [dataset.card.title, "", f"Dataset {dataset.reference} of Braggbook, {dataset.card.license}.", ""]
    lines += [f"{CARD_NAME}: what every file and column is, where it comes from, and its digest (SHA-256)."]
    lines += [
        f"{file.path}: {file.bytes} bytes, sha256 {file.sha256}" for file in dataset.card.files if file.copy_allowed
    ]
    for file in left:
        lines.append(f"{file.path}: not here, its licence forbids it; sha256 {file.sha256}, from {_places(file)}")
    return "\n".join([*lines, "", f"To use it, put this folder into datasets/{dataset.slug} of a project.", ""])
