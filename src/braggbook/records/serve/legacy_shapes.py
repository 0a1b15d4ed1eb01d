"""The JSON of the deposit API and of the records that it makes, with links to this server."""

from __future__ import annotations

from urllib.parse import quote

from .content import media_type
from .legacy_out import common_metadata, communities, deposit_metadata
from .model import Content, Entry, Json, StoredFile
from .settings import Settings
from .vocabularies import license_out, resource_title


def deposition(entry: Entry, *, base: str, settings: Settings, hit: bool = False) -> Json:
    """Returns a deposition: the draft, or the published record where there is none.

    Args:
        entry: The version.
        base: The address of the server.
        settings: With the prefix of DOIs.
        hit: Whether it is in a list; the real server leaves the bucket out there.
    """
    content = entry.content
    links = deposition_links(entry, base=base, settings=settings)
    if hit:
        del links["bucket"]
    found: Json = {
        "created": entry.created,
        "modified": entry.updated,
        "id": int(entry.id),
        "conceptrecid": entry.concept,
        "record_id": int(entry.id),
        "metadata": deposit_metadata(entry, content),
        "title": content.metadata.get("title", ""),
        "links": links,
        "owner": entry.owner,
        "state": _state(entry),
        "submitted": entry.published is not None,
    }
    if content.doi:
        found |= {"doi": content.doi, "doi_url": f"https://doi.org/{content.doi}"}
    if entry.published is not None:
        found["conceptdoi"] = settings.doi(entry.concept)
    if files := [deposition_file(file, links) for file in content.files]:
        found["files"] = files
    return found


def _state(entry: Entry) -> str:
    if entry.published is None:
        return "unsubmitted"
    return "inprogress" if entry.draft else "done"


def deposition_links(entry: Entry, *, base: str, settings: Settings) -> Json:
    """Returns the links of a deposition; those of a published one without a draft lead to the record."""
    id, own = entry.id, f"{base}/api/deposit/depositions/{entry.id}"
    is_record = entry.draft is None
    doi = entry.content.doi
    links = {
        "self": f"{base}/api/records/{id}" if is_record else own,
        "html": f"{base}/records/{id}" if is_record else f"{base}/deposit/{id}",
        "badge": f"{base}/badge/doi/{quote(doi, safe='')}.svg",
        "files": f"{base}/api/records/{id}/files" if is_record else f"{own}/files",
        "bucket": f"{base}/api/files/{entry.bucket}",
        "latest_draft": own,
        "latest_draft_html": f"{base}/deposit/{id}",
        **{action: f"{own}/actions/{action}" for action in ("publish", "edit", "discard", "newversion")},
        "registerconceptdoi": f"{own}/actions/registerconceptdoi",
    }
    if doi:
        links["doi"] = f"https://doi.org/{doi}"
    if entry.published is not None:
        links |= {
            "record": f"{base}/api/records/{id}",
            "record_html": f"{base}/record/{id}",
            "latest": f"{base}/api/records/{id}/versions/latest",
            "latest_html": f"{base}/record/{id}/versions/latest",
        }
    if is_record:
        concept = settings.doi(entry.concept)
        links["parent_doi"] = f"{base}/doi/{concept}"
        links["conceptbadge"] = f"{base}/badge/doi/{quote(concept, safe='')}.svg"
    return links


def deposition_file(file: StoredFile, links: Json) -> Json:
    """Returns a file of a deposition: the digest is bare here."""
    found = {"self": f"{links['files']}/{file.file_id}"}
    if "bucket" in links:
        found["download"] = f"{links['bucket']}/{quote(file.key, safe='')}"
    return {
        "id": file.file_id,
        "filename": file.key,
        "filesize": float(file.size),
        "checksum": file.md5,
        "links": found,
    }


def bucket_file(file: StoredFile, entry: Entry, *, base: str) -> Json:
    """Returns a file as a bucket gives it: the digest says its kind here."""
    own = f"{base}/api/files/{entry.bucket}/{quote(file.key, safe='')}"
    return {
        "created": file.created,
        "updated": file.updated,
        "version_id": file.version_id,
        "key": file.key,
        "size": file.size,
        "mimetype": media_type(file.key),
        "checksum": file.checksum,
        "is_head": True,
        "delete_marker": False,
        "links": {"self": own, "version": f"{own}?versionId={file.version_id}", "uploads": f"{own}?uploads"},
    }


def record(entry: Entry, content: Content, *, base: str, settings: Settings, is_latest: bool) -> Json:
    """Returns a record as ``/api/records/{id}`` gives it without a wish for another kind.

    Args:
        entry: The version.
        content: Its draft, or what is published of it.
        base: The address of the server.
        settings: With the prefix of DOIs.
        is_latest: Whether it is the last published version.
    """
    is_draft = content is entry.draft
    own = f"{base}/api/records/{entry.id}" + ("/draft" if is_draft else "")
    concept = settings.doi(entry.concept)
    found: Json = {
        "created": entry.created,
        "modified": entry.updated,
        "id": int(entry.id),
        "conceptrecid": entry.concept,
        "metadata": _record_metadata(entry, content, is_latest=is_latest),
        "title": content.metadata.get("title", ""),
        "links": record_links(entry, content, base=base, settings=settings),
        "updated": entry.updated,
        "recid": entry.id,
        "revision": entry.revision,
        "files": [_record_file(file, own) for file in content.files],
        "swh": {},
        "owners": [{"id": str(entry.owner)}],
        "status": "draft" if is_draft else "published",
        "stats": dict.fromkeys(_STATISTICS, 0),
        "state": _state(entry),
        "submitted": entry.published is not None,
    }
    if content.doi:
        found |= {"doi": content.doi, "doi_url": f"https://doi.org/{content.doi}"}
    if entry.published is not None:
        found["conceptdoi"] = concept
    return found


_STATISTICS = tuple(
    f"{span}{what}"
    for span in ("", "version_")
    for what in ("downloads", "unique_downloads", "views", "unique_views", "volume")
)


def _record_file(file: StoredFile, own: str) -> Json:
    return {
        "id": file.file_id,
        "key": file.key,
        "size": file.size,
        "checksum": file.checksum,
        "links": {"self": f"{own}/files/{quote(file.key)}/content"},
    }


def _record_metadata(entry: Entry, content: Content, *, is_latest: bool) -> Json:
    found = common_metadata(content)
    metadata = content.metadata
    kind, _, subtype = str(metadata.get("resource_type", {}).get("id", "")).partition("-")
    if kind:
        found["resource_type"] = {"title": resource_title(f"{kind}-{subtype}".strip("-")), "type": kind}
        if subtype:
            found["resource_type"]["subtype"] = subtype
    if metadata.get("rights"):
        found["license"] = {"id": license_out(metadata["rights"][0].get("id", ""))}
    if metadata.get("funding"):
        found["grants"] = [_grant(one) for one in metadata["funding"] if "award" in one]
    if names := communities(content):
        found["communities"] = [{"id": name} for name in names]
    if metadata.get("identifiers"):
        found["alternate_identifiers"] = [dict(one) for one in metadata["identifiers"]]
    for field in ("journal", "meeting", "imprint"):
        if f"{field}:{field}" in content.custom_fields:
            found[field] = content.custom_fields[f"{field}:{field}"]
    parent = {"pid_type": "recid", "pid_value": entry.concept}
    found["relations"] = {"version": [{"index": entry.index - 1, "is_last": is_latest, "parent": parent}]}
    return found


def _grant(one: Json) -> Json:
    funder, award = one.get("funder", {}).get("id", ""), one["award"]
    return {"code": award.get("number", ""), "internal_id": award.get("id", ""), "funder": {"doi": funder}}


def record_links(entry: Entry, content: Content, *, base: str, settings: Settings) -> Json:
    """Returns the links of a record or draft of the records API."""
    is_draft = content is entry.draft
    record, page = f"{base}/api/records/{entry.id}", f"{base}/records/{entry.id}"
    own = f"{record}/draft" if is_draft else record
    links = {
        "self": own,
        "self_html": f"{base}/uploads/{entry.id}" if is_draft else page,
        "files": f"{own}/files",
        "latest": f"{record}/versions/latest",
        "latest_html": f"{page}/latest",
        "versions": f"{record}/versions",
        "draft": f"{record}/draft",
        "reserve_doi": f"{record}/draft/pids/doi",
        "access_links": f"{record}/access/links",
    }
    if is_draft:
        links["publish"] = f"{own}/actions/publish"
        links["record"], links["record_html"] = record, page
    if content.doi:
        links |= {"doi": f"https://doi.org/{content.doi}", "self_doi": f"https://doi.org/{content.doi}"}
    if entry.published is not None:
        links |= {
            "parent": f"{base}/api/records/{entry.concept}",
            "parent_html": f"{base}/records/{entry.concept}",
            "parent_doi": f"https://doi.org/{settings.doi(entry.concept)}",
        }
    return links
