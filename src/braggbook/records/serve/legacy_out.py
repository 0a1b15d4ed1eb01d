"""InvenioRDM's metadata, written as the deposit API and its records have it."""

from __future__ import annotations

from .legacy_fields import COMMUNITIES, GROUPS, SUBJECTS, TEXTS, THESIS
from .model import Content, Entry, Json
from .vocabularies import RELATION_OF, ROLE_OF, license_out

_RECID_PREFIX = "10.5281"  # the real server writes it whatever its own prefix is, its sandbox too
_DESCRIPTIONS = {"other": "notes", "methods": "method"}


def common_metadata(content: Content) -> Json:
    """Returns the metadata that depositions and records of the deposit API share."""
    metadata = content.metadata
    found: Json = {name: metadata[name] for name in (*TEXTS, "publication_date") if name in metadata}
    if content.doi:
        found["doi"] = content.doi
    found["access_right"] = access_right(content)
    if until := content.access.get("embargo", {}).get("until"):
        found["embargo_date"] = until
    for name in ("creators", "contributors"):
        if name in metadata:
            found[name] = [_person(person) for person in metadata[name]]
    found.update({name: value for name, value in _lists(content).items() if value})
    for description in metadata.get("additional_descriptions", []):
        kind = description.get("type", {}).get("id")
        if kind in _DESCRIPTIONS:
            found[_DESCRIPTIONS[kind]] = description["description"]
    return found


def access_right(content: Content) -> str:
    """Returns the deposit API's word for who may have the files; "closed" does not come back."""
    if content.access.get("files") == "public":
        return "open"
    return "embargoed" if content.access.get("embargo", {}).get("active") else "restricted"


def _lists(content: Content) -> Json:
    metadata = content.metadata
    related = [_related(one, one.get("relation_type", {}).get("id", "")) for one in
               metadata.get("related_identifiers", [])]  # fmt: skip
    languages = metadata.get("languages", [])
    return {
        "keywords": [one["subject"] for one in metadata.get("subjects", []) if "id" not in one and one.get("subject")],
        "subjects": content.custom_fields.get(SUBJECTS, []),
        "related_identifiers": related,
        "references": [one["reference"] for one in metadata.get("references", [])],
        "language": languages[0]["id"] if languages else "",
        "locations": [_location(one) for one in metadata.get("locations", {}).get("features", [])],
        "dates": [_date(one) for one in metadata.get("dates", []) if "/" in one.get("date", "")],
    }


def _person(person: Json) -> Json:
    who = person["person_or_org"]
    given = who.get("given_name", "")
    name = who.get("name") or (f"{who.get('family_name', '')}, {given}" if given else who.get("family_name", ""))
    affiliations = person.get("affiliations", [])
    found: Json = {"name": name, "affiliation": affiliations[0].get("name") if affiliations else None}
    for known in who.get("identifiers", []):
        if known.get("scheme") in ("orcid", "gnd"):
            found[known["scheme"]] = known["identifier"].removeprefix(f"{known['scheme']}:")
    if person.get("role"):
        found["type"] = ROLE_OF.get(person["role"]["id"], person["role"]["id"].capitalize())
    return found


def _related(one: Json, relation: str) -> Json:
    found: Json = {"identifier": one["identifier"]}
    if relation in RELATION_OF:
        found["relation"] = RELATION_OF[relation]
    if "resource_type" in one:
        found["resource_type"] = one["resource_type"]["id"]
    return {**found, "scheme": one.get("scheme", "")}


def _location(feature: Json) -> Json:
    found: Json = {name: feature[name] for name in ("place", "description") if name in feature}
    coordinates = feature.get("geometry", {}).get("coordinates", [])
    if len(coordinates) == 2:
        found["lon"], found["lat"] = coordinates
    return found


def _date(one: Json) -> Json:
    start, _, end = one["date"].partition("/")
    described = {"description": one["description"]} if "description" in one else {}
    return {"start": start, "end": end, "type": one.get("type", {}).get("id", "other"), **described}


def deposit_metadata(entry: Entry, content: Content) -> Json:
    """Returns the metadata of a deposition."""
    metadata, fields = content.metadata, content.custom_fields
    found = {**common_metadata(content), **_groups(fields), **_kind(metadata)}
    alternate = [_related(one, "isalternateidentifier") for one in metadata.get("identifiers", [])]
    own = {name for name in fields if name in (*GROUPS, THESIS, COMMUNITIES, SUBJECTS)}
    rest = {
        "related_identifiers": found.get("related_identifiers", []) + alternate,
        "license": license_out(metadata["rights"][0].get("id", "")) if metadata.get("rights") else "",
        "grants": [{"id": one["award"]["id"]} for one in metadata.get("funding", []) if "id" in one.get("award", {})],
        "imprint_publisher": metadata.get("publisher", ""),
        "communities": [{"identifier": name} for name in communities(content)],
        "custom": {name: value for name, value in fields.items() if name not in own},
    }
    found |= {name: value for name, value in rest.items() if value}
    return {**found, "prereserve_doi": {"doi": f"{_RECID_PREFIX}/zenodo.{entry.id}", "recid": int(entry.id)}}


def _groups(fields: Json) -> Json:
    found: Json = {"thesis_university": fields[THESIS]} if THESIS in fields else {}
    for group, names in GROUPS.items():
        found.update({key: fields[group][name] for key, name in names.items() if name in fields.get(group, {})})
    return found


def _kind(metadata: Json) -> Json:
    kind, _, subtype = str(metadata.get("resource_type", {}).get("id", "")).partition("-")
    found = {"upload_type": kind} if kind else {}
    return {**found, f"{kind}_type": subtype} if subtype else found


def communities(content: Content) -> list[str]:
    """Returns the communities that a record was given to."""
    return list(content.custom_fields.get(COMMUNITIES, []))
