"""The JSON of InvenioRDM's records API, in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from .content import media_type
from .legacy_shapes import record_links
from .model import PUBLIC, Content, Entry, Json, StoredFile
from .problems import Issue, bad_request, invalid
from .schemas import RDM_ACCESS, RDM_CUSTOM_FIELDS, RDM_FILES, RDM_METADATA, RDM_PIDS, fit
from .search import Page
from .settings import Settings
from .vocabularies import resource_title

_SCHEMAS = {
    "metadata": RDM_METADATA,
    "access": RDM_ACCESS,
    "files": RDM_FILES,
    "custom_fields": RDM_CUSTOM_FIELDS,
    "pids": RDM_PIDS,
}


def read_record(body: Any) -> tuple[Content, list[Issue]]:
    """Reads the body of a POST or PUT of the records API.

    Returns:
        What it says, and what of it was dropped; a draft is kept nevertheless.

    Raises:
        ApiError: It is not an object, or says how the record is found in a way that there is not (400).
    """
    if not isinstance(body, Mapping):
        raise bad_request("Invalid input type.")
    given = {name: {} if body.get(name) is None else body[name] for name in _SCHEMAS}
    if wrong := [name for name, part in given.items() if not isinstance(part, Mapping)]:
        raise invalid(*((name, "Invalid input type.") for name in wrong))
    fitted = {name: fit(part, _SCHEMAS[name], name) for name, part in given.items()}
    parts, issues = (
        {name: part for name, (part, _) in fitted.items()},
        [one for _, some in fitted.values() for one in some],
    )
    access = {**PUBLIC, **{name: value for name, value in parts["access"].items() if name != "status"}}
    for name in ("record", "files"):
        if access[name] not in ("public", "restricted"):
            raise invalid((f"access.{name}", "Must be one of: public, restricted."))
    content = Content(
        metadata=parts["metadata"],
        access=access,
        custom_fields=parts["custom_fields"],
        pids={name: pid for name, pid in parts["pids"].items() if pid.get("identifier")},
        files_enabled=parts["files"].get("enabled", True),
    )
    return content, issues


def rdm_record(
    entry: Entry, content: Content, *, base: str, settings: Settings, is_latest: bool, errors: Sequence[Issue] = ()
) -> Json:
    """Returns a record or draft.

    Args:
        entry: The version.
        content: Its draft, or what is published of it.
        base: The address of the server.
        settings: With the prefix of DOIs.
        is_latest: Whether it is the last published version.
        errors: What is missing in a draft, or was dropped from it.
    """
    is_draft = content is entry.draft
    concept = {"doi": {"identifier": settings.doi(entry.concept), "provider": "datacite", "client": "datacite"}}
    found: Json = {
        "created": entry.created,
        "updated": entry.updated,
        "id": entry.id,
        "links": record_links(entry, content, base=base, settings=settings),
        "revision_id": entry.revision,
        "parent": {
            "id": entry.concept,
            "access": {"owned_by": {"user": str(entry.owner)}, "links": []},
            "communities": {},
            "pids": concept if entry.published else {},
        },
        "versions": {"index": entry.index, "is_latest": is_latest, "is_latest_draft": is_draft or is_latest},
        "is_published": entry.published is not None,
        "is_draft": is_draft,
        "status": "draft" if is_draft else "published",
        "pids": content.pids,
        "metadata": _metadata(content.metadata),
        "custom_fields": content.custom_fields,
        "access": _access(content),
        "files": _files(content),
        "media_files": {"enabled": False, "order": [], "count": 0, "total_bytes": 0, "entries": {}},
    }
    if errors:
        fields: dict[str, list[str]] = {}
        for field, message in errors:
            fields.setdefault(field, []).append(message)
        found["errors"] = [{"field": field, "messages": messages} for field, messages in fields.items()]
    return found


def _metadata(metadata: Json) -> Json:
    found = dict(metadata)
    for role in ("creators", "contributors"):
        if role in found:
            found[role] = [_person(person) for person in found[role]]
    kind = found.get("resource_type", {}).get("id")
    if kind:
        found["resource_type"] = {"id": kind, "title": {"en": resource_title(kind)}}
    return found


def _person(person: Json) -> Json:
    who = person["person_or_org"]
    if who.get("type", "personal") != "personal":
        return person
    names = [who[name] for name in ("family_name", "given_name") if who.get(name)]
    return {**person, "person_or_org": {**who, "name": ", ".join(names)}}


def _access(content: Content) -> Json:
    embargo = {"active": False, "reason": None, **(content.access.get("embargo") or {})}
    if content.access.get("files") == "public":
        status = "open" if content.files_enabled else "metadata-only"
    else:
        status = "embargoed" if embargo["active"] else "restricted"
    return {**content.access, "embargo": embargo, "status": status}


def _files(content: Content) -> Json:
    there = [file for file in content.files if file.committed]
    return {
        "enabled": content.files_enabled,
        "order": [],
        "count": len(there),
        "total_bytes": sum(file.size for file in there),
        "entries": {
            file.key: {
                "id": file.file_id,
                "checksum": file.checksum,
                "ext": file.key.rpartition(".")[2],
                "size": file.size,
                "mimetype": media_type(file.key),
                "storage_class": "L",
                "key": file.key,
            }
            for file in there
        },
    }


def rdm_file(file: StoredFile, entry: Entry, *, own: str) -> Json:
    """Returns a file as the records API gives it.

    Args:
        file: The file.
        entry: The version that has it.
        own: The address of the record or draft.
    """
    address = f"{own}/files/{quote(file.key)}"
    links = {"self": address, "content": f"{address}/content"}
    if own.endswith("/draft"):
        links["commit"] = f"{address}/commit"
    found: Json = {
        "key": file.key,
        "created": file.created,
        "updated": file.updated,
        "metadata": {} if file.committed else None,
        "access": {"hidden": False},
        "transfer": {"type": "L"},
        "status": "completed" if file.committed else "pending",
        "links": links,
    }
    if file.committed:
        found |= {
            "checksum": file.checksum,
            "size": file.size,
            "mimetype": media_type(file.key),
            "file_id": file.file_id,
            "version_id": file.version_id,
            "bucket_id": entry.bucket,
            "storage_class": "L",
        }
    return found


def rdm_files(content: Content, entry: Entry, *, own: str) -> Json:
    """Returns the list of a record's or draft's files."""
    return {
        "enabled": content.files_enabled,
        "default_preview": None,
        "order": [],
        "entries": [rdm_file(file, entry, own=own) for file in content.files],
        "links": {"self": f"{own}/files"},
    }


def rdm_hits(hits: list[Any], page: Page, *, address: str, query: Mapping[str, str]) -> Json:
    """Returns a page of results, with links to its neighbours."""

    def link(number: int) -> str:
        return f"{address}?{urlencode({**query, 'page': number, 'size': page.size})}"

    links = {"self": link(page.number)}
    if page.number > 1:
        links["prev"] = link(page.number - 1)
    if page.number * page.size < page.total:
        links["next"] = link(page.number + 1)
    return {"hits": {"hits": hits, "total": page.total}, "aggregations": {}, "sortBy": "newest", "links": links}
