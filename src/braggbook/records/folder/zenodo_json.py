"""A record of a folder archive in Zenodo's JSON, so that what reads ``/api/records/{id}`` reads it too.

Source: the legacy serializer of zenodo-rdm, as its answers are on zenodo.org. There are no ``doi_url`` and
``links.doi``, since no resolver knows the identifier, and nothing about owners and visits.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urljoin

from braggbook.formats.archive import ArchiveCard, Entry
from braggbook.formats.record import Creator, Funding, PlanFile, RecordMetadata, Relation
from braggbook.records.legacy import mark, paragraphs

RESOURCE_TITLES = {
    "dataset": "Dataset", "software": "Software", "workflow": "Workflow", "publication": "Publication",
    "image": "Image", "lesson": "Lesson", "other": "Other",
}  # fmt: skip
_SUBTYPES = ("publication", "image")  # Zenodo wants to know of which kind; ours are of the kind "other"


def record_json(entry: Entry, *, card: ArchiveCard, versions: Sequence[Entry], base: str = "") -> dict[str, Any]:
    """Returns a record as Zenodo's API answers.

    Args:
        entry: The record.
        card: Of its archive.
        versions: All published versions of the same thing, the latest last.
        base: Address of the record's folder, with a slash at the end; links are relative to it without one.
    """

    def link(relative: str) -> str:
        return urljoin(base, relative) if base else relative

    doi, latest = card.doi(entry.number), versions[-1].number
    return {
        "created": entry.created,
        "modified": entry.published,
        "id": entry.number,
        "recid": entry.id,
        "conceptrecid": str(entry.concept),
        "doi": doi,
        "conceptdoi": card.doi(entry.concept),
        "title": entry.metadata.title,
        "metadata": _metadata(entry, doi=doi, versions=versions),
        "files": [_file(file, link(file_link(file))) for file in entry.files],
        "links": {
            "self": link("record.json"),
            "self_html": link("index.html"),
            "latest": link(f"../{latest}/record.json"),
            "latest_html": link(f"../{latest}/index.html"),
        },
        "revision": 1,
        "state": "done",
        "status": "published",
        "submitted": True,
        "braggbook": {"archive": card.id, "registered": False, "plan": entry.plan},
    }


def file_link(file: PlanFile) -> str:
    """Returns the address of a file, relative to its record's folder."""
    return f"files/{file.sha256}/{quote(file.name, safe='')}"


def _metadata(entry: Entry, *, doi: str, versions: Sequence[Entry]) -> dict[str, Any]:
    told: RecordMetadata = entry.metadata
    said: dict[str, Any] = {
        "title": told.title,
        "doi": doi,
        "publication_date": (entry.published or "")[:10],
        "description": paragraphs(told.description),
        "access_right": "open",
        "creators": [_creator(creator) for creator in told.creators],
        "version": told.version,
        "language": told.language,
        "license": {"id": told.license.lower()},
        "resource_type": _resource_type(told.resource_type),
        "notes": f"{told.notes}\n{mark(entry.plan)}".strip(),
        "relations": {"version": [_place(entry, versions)]},
    }
    more = {
        "keywords": list(told.keywords),
        "subjects": [{"term": subject} for subject in told.subjects],
        "related_identifiers": [_related(relation) for relation in told.relations],
        "grants": [_grant(funding) for funding in told.funding],
    }
    return said | {key: value for key, value in more.items() if value}


def _place(entry: Entry, versions: Sequence[Entry]) -> dict[str, Any]:
    index = [version.number for version in versions].index(entry.number)
    parent = {"pid_type": "recid", "pid_value": str(entry.concept)}
    return {"index": index, "is_last": index == len(versions) - 1, "parent": parent}


def _creator(creator: Creator) -> dict[str, str | None]:
    said: dict[str, str | None] = {"name": creator.name, "affiliation": creator.affiliation}
    return said | ({"orcid": creator.orcid} if creator.orcid else {})


def _resource_type(kind: str) -> dict[str, str]:
    said = {"title": RESOURCE_TITLES[kind], "type": kind}
    return said | ({"subtype": "other"} if kind in _SUBTYPES else {})


def _related(relation: Relation) -> dict[str, str]:
    scheme = "doi" if relation.identifier.startswith("10.") else "url"
    kind = f"{relation.resource_type}-other" if relation.resource_type in _SUBTYPES else relation.resource_type
    return {
        "identifier": relation.identifier,
        "relation": relation.relation,
        "resource_type": kind,
        "scheme": scheme,
    }


def _grant(funding: Funding) -> dict[str, Any]:
    funder = {"name": funding.funder} | ({"doi": funding.funder_id} if funding.funder_id else {})
    return {"funder": funder} | ({"code": funding.award} if funding.award else {})


def _file(file: PlanFile, address: str) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(file.sha256[:32])),
        "key": file.name,
        "size": file.bytes,
        "checksum": f"md5:{file.md5}",
        "sha256": file.sha256,
        "links": {"self": address},
    }
