"""Of which kind each value in a request must be; what is not is named, and left out of what is kept.

A schema is ``str``, ``bool``, ``float`` (any number), ``object`` (anything), a list with the schema of its items, or
a mapping of names to schemas, where a name that ends in ``!`` must be there and ``*`` lets any other name pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .legacy_fields import COMMUNITIES, GROUPS, SUBJECTS, THESIS
from .problems import MISSING, Issue

UNKNOWN = "Unknown field."
_MESSAGES = {str: "Not a valid string.", bool: "Not a valid boolean.", float: "Not a valid number."}

Schema = Any  # a recursive type of types, which the checker cannot spell


def fit(value: Any, schema: Schema, where: str) -> tuple[Any, list[Issue]]:
    """Returns what of a value fits, None where nothing does, and what does not.

    Args:
        value: From a request's JSON.
        schema: Of which kind it must be.
        where: Its name in the request.
    """
    if isinstance(schema, Mapping):
        return _object(value, schema, where)
    if isinstance(schema, list):
        return _list(value, schema[0], where)
    if schema is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        fits = isinstance(value, schema)
    return (value, []) if fits else (None, [(where, _MESSAGES[schema])])


def _list(value: Any, schema: Schema, where: str) -> tuple[Any, list[Issue]]:
    if not isinstance(value, list):
        return None, [(where, "Not a valid list.")]
    pairs = [fit(item, schema, f"{where}.{number}") for number, item in enumerate(value)]
    return [item for item, _ in pairs if item is not None], [issue for _, issues in pairs for issue in issues]


def _object(value: Any, schema: Mapping[str, Schema], where: str) -> tuple[Any, list[Issue]]:
    if not isinstance(value, Mapping):
        return None, [(where, "Invalid input type.")]
    known = {name.rstrip("!"): kind for name, kind in schema.items()}
    found: dict[str, Any] = {}
    issues: list[Issue] = []
    for name, item in value.items():
        if name not in known and "*" not in known:
            issues.append((f"{where}.{name}", UNKNOWN))
        elif item is not None:
            found[name], more = fit(item, known.get(name, object), f"{where}.{name}")
            issues += more
    found = {name: item for name, item in found.items() if item is not None}
    missing = [name[:-1] for name in schema if name.endswith("!") and name[:-1] not in found]
    issues += [(f"{where}.{name}", MISSING) for name in missing]
    return (None if missing else found), issues


_PERSON = dict.fromkeys(("name", "affiliation", "orcid", "gnd", "type"), str)
DEPOSIT: Schema = {
    **dict.fromkeys(
        ("title", "description", "version", "publication_date", "upload_type", "publication_type", "image_type",
         "software_type", "language", "license", "access_right", "access_conditions", "embargo_date", "doi", "notes",
         "method", "thesis_university", *(name for group in GROUPS.values() for name in group)),
        str,
    ),
    **{role: [_PERSON] for role in ("creators", "contributors", "thesis_supervisors")},
    "keywords": [str],
    "references": [str],
    "related_identifiers": [dict.fromkeys(("identifier", "relation", "scheme", "resource_type"), str)],
    "grants": [{"id": str}],
    "communities": [{"identifier": str}],
    "dates": [dict.fromkeys(("start", "end", "type", "description"), str)],
    "locations": [{"place": str, "description": str, "lat": float, "lon": float}],
    "subjects": [{"*": object}],
    "custom": {"*": object},
}  # fmt: skip

_ID = {"id!": str, "*": object}
_IDENTIFIER = {"identifier!": str, "scheme": str}
_NAMES = dict.fromkeys(("type", "name", "family_name", "given_name"), str)
_RDM_PERSON = {
    "person_or_org!": {**_NAMES, "identifiers": [_IDENTIFIER]},
    "affiliations": [{"id": str, "name": str, "identifiers": object}],
    "role": _ID,
}
RDM_METADATA: Schema = {
    **dict.fromkeys(("title", "publication_date", "publisher", "description", "copyright", "version"), str),
    "sizes": [str],
    "formats": [str],
    "creators": [_RDM_PERSON],
    "contributors": [_RDM_PERSON],
    "resource_type": _ID,
    "additional_titles": [{"title!": str, "type": _ID, "lang": object}],
    "additional_descriptions": [{"description!": str, "type": _ID, "lang": object}],
    "rights": [{"id": str, "*": object}],
    "subjects": [{"id": str, "subject": str, "scheme": str, "*": object}],
    "dates": [{"date!": str, "type": _ID, "description": str}],
    "languages": [_ID],
    "identifiers": [_IDENTIFIER],
    "related_identifiers": [{**_IDENTIFIER, "relation_type": _ID, "resource_type": _ID}],
    "locations": {
        "features": [
            {"place": str, "description": str, "identifiers": object, "geometry": {"type": str, "coordinates": [float]}}
        ]
    },
    "funding": [{"funder": {"id": str, "*": object}, "award": {"id": str, "number": str, "*": object}}],
    "references": [{"reference!": str, "scheme": str, "identifier": str}],
}
RDM_ACCESS: Schema = {
    "record": str,
    "files": str,
    "embargo": {"active": bool, "until": str, "reason": str},
    "status": object,
}
RDM_FILES: Schema = {"enabled": bool, "*": object}
RDM_PIDS: Schema = {"doi": {"identifier": str, "provider": str, "client": str}}
RDM_CUSTOM_FIELDS: Schema = {
    **{group: dict.fromkeys((*names.values(), "*"), str) for group, names in GROUPS.items()},
    THESIS: str,
    COMMUNITIES: [str],
    SUBJECTS: [{"*": object}],
    "*": object,
}
