"""Zenodo's legacy JSON: our metadata in its words, its answers in ours.

Source: https://developers.zenodo.org, and the legacy resources and serializers of zenodo-rdm where they differ.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from braggbook.formats.record import Creator, Funding, RecordMetadata
from braggbook.records.archive import Draft, Record, RemoteFile, by_name

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


def draft_of(answer: Mapping[str, Any]) -> Draft:
    """Reads a deposition.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    metadata = answer.get("metadata") or {}
    submitted = bool(answer["submitted"])
    reserved = (metadata.get("prereserve_doi") or {}).get("doi")
    links = answer.get("links") or {}
    return Draft(
        id=str(answer["id"]),
        state="published" if submitted else "draft",
        doi=answer.get("doi") or metadata.get("doi") or reserved,
        plan=plan_of(str(metadata.get("notes") or "")),
        files=by_name(_deposited(entry) for entry in answer.get("files") or ()),
        url=str(links.get("record_html") or links.get("html") or ""),
    )


def _deposited(entry: Mapping[str, Any]) -> RemoteFile:
    checksum = str(entry["checksum"]).removeprefix("md5:")
    return RemoteFile(str(entry["filename"]), int(entry["filesize"]), checksum)


def record_of(answer: Mapping[str, Any]) -> Record:
    """Reads a record.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    metadata = answer["metadata"]
    links = answer.get("links") or {}
    return Record(
        id=str(answer["id"]),
        doi=str(answer.get("doi") or metadata["doi"]),
        concept_doi=answer.get("conceptdoi"),
        version=str(metadata.get("version") or ""),
        title=str(metadata.get("title") or answer.get("title") or ""),
        published=str(metadata.get("publication_date") or ""),
        plan=plan_of(str(metadata.get("notes") or "")),
        files=by_name(_listed(entry) for entry in answer.get("files") or ()),
        url=str(links.get("self_html") or links.get("html") or ""),
    )


def _listed(entry: Mapping[str, Any]) -> RemoteFile:
    return RemoteFile(str(entry["key"]), int(entry["size"]), str(entry["checksum"]).removeprefix("md5:"))
