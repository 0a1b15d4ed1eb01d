"""Zenodo's legacy JSON: our metadata in its words, its answers in ours.

Source: https://developers.zenodo.org, and the legacy resources and serializers of zenodo-rdm where they differ.
"""

from __future__ import annotations

import html
import re
from typing import Any

from braggbook.formats.record import Creator, Funding, RecordMetadata
from braggbook.records.answers import Deposition, LegacyRecord
from braggbook.records.archive import Draft, Record, by_name

_UPLOAD_TYPES = {
    "dataset": {"upload_type": "dataset"},
    "software": {"upload_type": "software"},
    "lesson": {"upload_type": "lesson"},
    "publication": {"upload_type": "publication", "publication_type": "other"},
    "image": {"upload_type": "image", "image_type": "other"},
}
_MARK = "Braggbook plan sha256:"
_PLAN = re.compile(re.escape(_MARK) + r"([0-9a-f]{64})")


def metadata_json(metadata: RecordMetadata, *, plan: str) -> dict[str, Any]:
    """Returns metadata as the deposit API takes them; the plan's digest is in the notes.

    Args:
        metadata: Of the record.
        plan: Digest of the plan.
    """
    said: dict[str, Any] = {
        **_UPLOAD_TYPES.get(metadata.resource_type, {"upload_type": "other"}),
        "title": metadata.title,
        "creators": [_creator(creator) for creator in metadata.creators],
        "description": paragraphs(metadata.description),
        "access_right": "open",
        "license": metadata.license.lower(),
        "version": metadata.version,
        "language": metadata.language,
        "notes": f"{metadata.notes}\n{mark(plan)}".strip(),
    }
    if words := [*metadata.keywords, *metadata.subjects]:
        said["keywords"] = words
    if metadata.relations:
        said["related_identifiers"] = [
            {"identifier": one.identifier, "relation": one.relation, "resource_type": _resource(one.resource_type)}
            for one in metadata.relations
        ]
    if grants := [grant for one in metadata.funding if (grant := _grant(one))]:
        said["grants"] = grants
    return said


def mark(plan: str) -> str:
    """Returns the line that says which plan a record was made for."""
    return f"{_MARK}{plan}"


def plan_of(text: str) -> str | None:
    """Returns the digest that :func:`mark` wrote into a text."""
    found = _PLAN.search(text)
    return found[1] if found else None


def paragraphs(text: str) -> str:
    """Returns plain text as the HTML that archives want."""
    return "".join(f"<p>{html.escape(part.strip(), quote=False)}</p>" for part in text.split("\n\n") if part.strip())


def _creator(creator: Creator) -> dict[str, str]:
    said = {"name": creator.name, "affiliation": creator.affiliation, "orcid": creator.orcid}
    return {key: value for key, value in said.items() if value}


def _resource(kind: str) -> str:
    found = _UPLOAD_TYPES.get(kind, {"upload_type": "other"})
    detail = next((value for key, value in found.items() if key != "upload_type"), "")
    return "-".join(filter(None, (found["upload_type"], detail)))


def _grant(funding: Funding) -> dict[str, str] | None:
    if not funding.award or not (funding.funder_id or "").startswith("10."):
        return None  # Zenodo knows grants by the funder's DOI alone
    return {"id": f"{funding.funder_id}::{funding.award}"}


def draft_of(answer: Deposition) -> Draft:
    """Returns a deposition in our words; without the DOI that it only says to reserve, which not every server keeps."""
    told, links = answer.metadata, answer.links
    return Draft(
        id=answer.id,
        state="published" if answer.submitted else "draft",
        doi=answer.doi or told.doi or None,
        plan=plan_of(told.notes),
        files=by_name(file.remote for file in answer.files),
        url=links.record_html or links.html or "",
    )


def record_of(answer: LegacyRecord) -> Record | None:
    """Returns a record in our words; None where it has no DOI of its own."""
    told, doi = answer.metadata, answer.doi or answer.metadata.doi
    if not doi:
        return None
    return Record(
        id=answer.id,
        doi=doi,
        concept_doi=answer.conceptdoi or None,
        version=told.version,
        title=told.title or answer.title,
        published=told.publication_date,
        plan=plan_of(told.notes),
        files=by_name(file.remote for file in answer.files),
        url=answer.links.self_html or answer.links.html or "",
    )
