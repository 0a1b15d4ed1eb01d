"""What a record says about itself where an archive answers in InvenioRDM's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from braggbook.datasets.record import Record, parse_record


def is_rdm(answer: Mapping[str, Any]) -> bool:
    """Returns whether an answer is in InvenioRDM's words, and not in Zenodo's older ones."""
    metadata = answer.get("metadata")
    return "pids" in answer or (
        isinstance(metadata, Mapping)
        and isinstance(metadata.get("resource_type"), Mapping)
        and "id" in metadata["resource_type"]
    )


def lists_files(answer: Mapping[str, Any]) -> bool:
    """Returns whether an answer has all files of its record; some servers leave them to another question."""
    files = answer.get("files") or {}
    return "entries" in files and len(files["entries"]) >= int(files.get("count") or 0)


def parse_rdm_record(answer: Mapping[str, Any], entries: Any, *, base: str) -> Record:
    """Reads the answer of an InvenioRDM server to a question for a record.

    Args:
        answer: Its JSON.
        entries: Its files, a list or a table by name.
        base: The server.

    Raises:
        KeyError, TypeError, ValueError: It is not a record.
    """
    metadata = answer["metadata"]
    rights = metadata.get("rights") or [{}]
    listed = entries.values() if isinstance(entries, Mapping) else entries
    said = {
        "id": answer["id"],
        "doi": answer["pids"]["doi"]["identifier"],
        "links": answer.get("links", {}),
        "metadata": {
            "title": metadata["title"],
            **{key: metadata.get(key) for key in ("description", "publication_date", "version")},
            "license": {"id": rights[0].get("id", "") if len(rights) == 1 else ""},
            "creators": [_creator(one) for one in metadata.get("creators") or ()],
        },
        "files": [_file(entry, f"{base}/api/records/{quote(str(answer['id']))}/files") for entry in listed],
    }
    return parse_record(said)


def _creator(creator: Mapping[str, Any]) -> dict[str, Any]:
    who = creator["person_or_org"]
    names = [str(who[key]) for key in ("family_name", "given_name") if who.get(key)]
    orcid = [one["identifier"] for one in who.get("identifiers") or () if one.get("scheme") == "orcid"]
    places = [one["name"] for one in creator.get("affiliations") or () if one.get("name")]
    return {
        "name": who.get("name") or ", ".join(names),
        "orcid": orcid[0] if orcid else None,
        "affiliation": "; ".join(places) or None,
    }


def _file(entry: Mapping[str, Any], address: str) -> dict[str, Any]:
    link = f"{address}/{quote(str(entry['key']))}/content"
    return {"key": entry["key"], "size": entry["size"], "checksum": entry["checksum"], "links": {"self": link}}
