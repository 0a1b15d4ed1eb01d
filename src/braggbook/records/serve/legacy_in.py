"""The deposit API's metadata, read into InvenioRDM's.

Follows zenodo-rdm's legacy deserializers: unknown keys are dropped without a word, few things are refused at
once, and what is missing is only asked for when the record is published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .identifiers import scheme_of
from .legacy_fields import COMMUNITIES, GROUPS, SUBJECTS, TEXTS, THESIS
from .model import PUBLIC, Content, Json
from .problems import bad_request, invalid, server_error
from .schemas import DEPOSIT, UNKNOWN, fit
from .vocabularies import license_in

_THREE_LETTERS = {
    "cs": "ces", "de": "deu", "en": "eng", "es": "spa", "fr": "fra", "it": "ita", "ja": "jpn", "nl": "nld",
    "pl": "pol", "pt": "por", "ru": "rus", "sv": "swe", "zh": "zho",
}  # fmt: skip


def read_deposit(body: Any, *, today: str, own_prefix: str) -> Content:
    """Reads the body of a POST or PUT of the deposit API.

    Args:
        body: Its JSON.
        today: The date, which is the publication's where none is given.
        own_prefix: The prefix of the archive's own DOIs; another one belongs to somebody else.

    Raises:
        ApiError: There are unknown keys at the top, or values that cannot be read at all.
    """
    if not isinstance(body, Mapping):
        raise bad_request("Invalid input type.")
    if unknown := [name for name in body if name not in ("metadata", "files")]:
        raise invalid(*((name, UNKNOWN) for name in unknown))
    metadata, issues = fit(body.get("metadata", {}), DEPOSIT, "metadata")
    if wrong := [issue for issue in issues if issue[1] != UNKNOWN]:
        raise invalid(*wrong)
    return Content(
        metadata=_metadata(metadata, today=today),
        access=_access(metadata),
        custom_fields=_custom_fields(metadata),
        pids=_pids(metadata, own_prefix),
    )


def _metadata(metadata: Mapping[str, Any], *, today: str) -> Json:
    found: Json = {name: metadata[name] for name in TEXTS if metadata.get(name)}
    found["publication_date"] = metadata.get("publication_date") or today
    found["publisher"] = "Zenodo"  # the real server does not let a depositor say another
    readers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "resource_type": _resource_type,
        "creators": lambda given: [_person(person) for person in given.get("creators") or []],
        "contributors": _contributors,
        "rights": _rights,
        "funding": _funding,
        "additional_descriptions": _descriptions,
        "locations": _locations,
        "subjects": lambda given: [{"subject": word} for word in given.get("keywords") or []],
        "dates": _dates,
        "references": lambda given: [{"reference": text} for text in given.get("references") or []],
        "languages": _languages,
        "related_identifiers": _related,
        "identifiers": _alternate,
    }
    return {**found, **{name: value for name, read in readers.items() if (value := read(metadata))}}


def _resource_type(metadata: Mapping[str, Any]) -> Json | None:
    kind = metadata.get("upload_type")
    subtype = metadata.get(f"{kind}_type")
    return {"id": f"{kind}-{subtype}" if subtype else kind} if kind else None


def _person(person: Mapping[str, Any]) -> Json:
    family, comma, given = str(person.get("name") or "").partition(",")
    whole = not comma or "," in given  # only exactly one comma parts a name; so an organisation may be a creator
    names: Json = {"family_name": str(person.get("name") or "") if whole else family.strip()}
    if not whole:
        names["given_name"] = given.strip()
    known = [(scheme, str(person[scheme])) for scheme in ("orcid", "gnd") if person.get(scheme)]
    who: Json = {"type": "personal", **names}
    if known:
        who["identifiers"] = [{"scheme": scheme, "identifier": identifier} for scheme, identifier in known]
    read: Json = {"person_or_org": who}
    if person.get("affiliation"):
        read["affiliations"] = [{"name": person["affiliation"]}]
    return read


def _contributors(metadata: Mapping[str, Any]) -> list[Json]:
    supervisors = [{**person, "type": "Supervisor"} for person in metadata.get("thesis_supervisors") or []]
    people = [*supervisors, *(metadata.get("contributors") or [])]
    roles = [{"role": {"id": str(person["type"]).lower()}} if person.get("type") else {} for person in people]
    return [{**_person(person), **role} for person, role in zip(people, roles, strict=True)]


def _rights(metadata: Mapping[str, Any]) -> list[Json]:
    name = metadata.get("license")
    if not name and metadata.get("upload_type") and metadata.get("access_right", "open") in ("open", "embargoed"):
        name = "cc-zero" if metadata["upload_type"] == "dataset" else "cc-by-4.0"
    return [{"id": license_in(name)}] if name else []


def _funding(metadata: Mapping[str, Any]) -> list[Json]:
    funding = []
    for grant in metadata.get("grants") or []:
        funder, parted, award = str(grant.get("id", "")).partition("::")
        if not parted:
            raise server_error()  # the real server asserts the shape, and so fails instead of refusing
        funding.append({"funder": {"id": funder}, "award": {"id": f"{funder}::{award}", "number": award}})
    return funding


def _descriptions(metadata: Mapping[str, Any]) -> list[Json]:
    kinds = {"notes": "other", "method": "methods"}
    return [{"description": metadata[name], "type": {"id": kind}} for name, kind in kinds.items() if metadata.get(name)]


def _locations(metadata: Mapping[str, Any]) -> Json | None:
    features = []
    for place in metadata.get("locations") or []:
        feature = {name: place[name] for name in ("place", "description") if place.get(name)}
        if place.get("lat") and place.get("lon"):
            feature["geometry"] = {"type": "Point", "coordinates": [place["lon"], place["lat"]]}
        features.append(feature)
    return {"features": features} if features else None


def _dates(metadata: Mapping[str, Any]) -> list[Json]:
    dates = []
    for date in metadata.get("dates") or []:
        if not (date.get("start") and date.get("end")):
            raise invalid(("metadata.dates", "Invalid date provided."))
        described = {"description": date["description"]} if date.get("description") else {}
        kind = {"id": str(date.get("type", "other")).lower()}
        dates.append({"date": f"{date['start']}/{date['end']}", "type": kind, **described})
    return dates


def _languages(metadata: Mapping[str, Any]) -> list[Json]:
    language = metadata.get("language")
    if language and len(language) not in (2, 3):
        raise invalid(("metadata.language", "Language must be either ISO-639-1 or 639-2 compatible."))
    return [{"id": _THREE_LETTERS.get(language or "", language)}] if language else []


def _related(metadata: Mapping[str, Any]) -> list[Json]:
    given = metadata.get("related_identifiers") or []
    related = []
    for entry in given:
        if entry.get("relation") == "isAlternateIdentifier":
            continue
        read = {**_identifier(entry), "relation_type": {"id": str(entry.get("relation", "")).lower()}}
        if entry.get("resource_type"):
            read["resource_type"] = {"id": entry["resource_type"]}
        related.append(read)
    return related


def _alternate(metadata: Mapping[str, Any]) -> list[Json]:
    given = metadata.get("related_identifiers") or []
    return [_identifier(entry) for entry in given if entry.get("relation") == "isAlternateIdentifier"]


def _identifier(entry: Mapping[str, Any]) -> Json:
    scheme, identifier = scheme_of(str(entry.get("identifier") or ""))
    if not scheme:
        raise invalid(("metadata.related_identifiers.scheme", "No valid scheme recognized for identifier."))
    return {"identifier": identifier, "scheme": scheme}


def _access(metadata: Mapping[str, Any]) -> Json:
    right = metadata.get("access_right") or "open"
    if right == "open":
        return dict(PUBLIC)
    restricted: Json = {"record": "public", "files": "restricted"}
    if right in ("restricted", "closed"):
        return restricted
    if right == "embargoed" and metadata.get("embargo_date"):
        return {**restricted, "embargo": {"active": True, "until": metadata["embargo_date"]}}
    raise invalid(("access", "Unknown access type."))


def _custom_fields(metadata: Mapping[str, Any]) -> Json:
    fields: Json = {}
    for field, names in GROUPS.items():
        if found := {name: metadata[key] for key, name in names.items() if metadata.get(key)}:
            fields[field] = found
    if metadata.get("thesis_university"):
        fields[THESIS] = metadata["thesis_university"]
    if communities := [entry["identifier"] for entry in metadata.get("communities") or [] if "identifier" in entry]:
        fields[COMMUNITIES] = communities
    if metadata.get("subjects"):
        fields[SUBJECTS] = metadata["subjects"]
    return {**metadata.get("custom", {}), **fields}


def _pids(metadata: Mapping[str, Any], own_prefix: str) -> Json:
    doi = metadata.get("doi")
    if not doi:
        return {}
    provider = "datacite" if doi.startswith(f"{own_prefix}/") else "external"
    return {"doi": {"identifier": doi, "provider": provider}}
