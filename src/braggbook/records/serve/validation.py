"""What a draft must say and hold before it can be published."""

from __future__ import annotations

import datetime
import re

from .identifiers import doi_of, orcid_of
from .model import Content, Json
from .problems import MISSING, MISSING_FILES, Issue
from .vocabularies import RELATION_OF, is_resource_type

_SHORTEST_TITLE = 3
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{1,60}")
_NO_DATE = "Please provide a valid date or interval."
_PENDING = "One or more files have not completed their transfer, please wait."


def publication_issues(content: Content, *, strict: bool, today: str) -> list[Issue]:
    """Returns all that keeps a draft from being published.

    Args:
        content: The draft.
        strict: With what the deposit API's documentation asks for beyond InvenioRDM: a description, and the
            kind of a publication or of an image.
        today: The date, which an embargo must be after.
    """
    issues = metadata_issues(content.metadata)
    if strict:
        issues += _deposit_issues(content.metadata)
    return [*issues, *_access_issues(content, today), *_pid_issues(content), *file_issues(content)]


def metadata_issues(metadata: Json) -> list[Issue]:
    """Returns what InvenioRDM finds missing or wrong in metadata; a draft may have all of it."""
    needed = ("title", "resource_type", "creators", "publication_date")
    issues = [(f"metadata.{name}", MISSING) for name in needed if not metadata.get(name)]
    if 0 < len(metadata.get("title", "")) < _SHORTEST_TITLE:
        issues.append(("metadata.title", f"Shorter than minimum length {_SHORTEST_TITLE}."))
    if (date := metadata.get("publication_date")) and not _is_date(date):
        issues.append(("metadata.publication_date", _NO_DATE))
    if (kind := _kind(metadata)) and not is_resource_type(kind):
        issues.append(("metadata.resource_type", f"Invalid value {kind}."))
    for role in ("creators", "contributors"):
        for number, person in enumerate(metadata.get(role, [])):
            issues += _person_issues(f"metadata.{role}.{number}", person)
    issues += _related_issues(metadata)
    for right in metadata.get("rights", []):
        if "id" in right and not _LICENSE.fullmatch(right["id"]):
            issues.append(("metadata.rights", f"Invalid value {right['id']}."))
    return issues


def _kind(metadata: Json) -> str:
    return str(metadata.get("resource_type", {}).get("id", ""))


def _is_date(text: str) -> bool:
    parts = text.split("/")
    return len(parts) in (1, 2) and all(_is_day(part) for part in parts)


def _is_day(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        datetime.date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return False
    return True


def _person_issues(where: str, person: Json) -> list[Issue]:
    who = person["person_or_org"]
    issues: list[Issue] = []
    if who.get("type", "personal") == "personal":
        if not who.get("family_name"):
            issues.append((f"{where}.person_or_org.family_name", "Family name cannot be blank."))
    elif not who.get("name"):
        issues.append((f"{where}.person_or_org.name", "Name cannot be blank."))
    for known in who.get("identifiers", []):
        if known.get("scheme") == "orcid" and not orcid_of(known["identifier"]):
            issues.append((f"{where}.person_or_org.identifiers", "Invalid ORCID identifier."))
    return issues


def _related_issues(metadata: Json) -> list[Issue]:
    issues: list[Issue] = []
    for number, one in enumerate(metadata.get("related_identifiers", [])):
        where, relation = f"metadata.related_identifiers.{number}", one.get("relation_type", {}).get("id")
        if not relation:
            issues.append((f"{where}.relation_type", MISSING))
        elif relation not in RELATION_OF:
            issues.append((f"{where}.relation_type", f"Invalid value {relation}."))
        kind = one.get("resource_type", {}).get("id")
        if kind is not None and not is_resource_type(kind):
            issues.append((f"{where}.resource_type", f"Invalid value {kind}."))
    return issues


def _deposit_issues(metadata: Json) -> list[Issue]:
    issues: list[Issue] = []
    if not metadata.get("description"):
        issues.append(("metadata.description", MISSING))
    kind = _kind(metadata)
    if kind in ("publication", "image"):
        issues.append((f"metadata.{kind}_type", MISSING))
    return issues


def _access_issues(content: Content, today: str) -> list[Issue]:
    embargo = content.access.get("embargo", {})
    if not embargo.get("active"):
        return []
    until = embargo.get("until", "")
    if not (_is_day(until) and len(until) == len(today)):
        return [("access.embargo.until", "Not a valid date.")]
    return [] if until > today else [("access.embargo.until", "Embargo end date must be in the future.")]


def _pid_issues(content: Content) -> list[Issue]:
    if content.pids and doi_of(content.doi) != content.doi:
        return [("pids.doi", f"Invalid DOI: {content.doi}")]
    if not content.metadata.get("publisher"):
        return [("metadata.publisher", "Missing publisher field required for DOI registration.")]
    return []


def file_issues(content: Content) -> list[Issue]:
    """Returns what is wrong with the files of a draft."""
    if not content.files_enabled:
        return []
    if not content.files:
        return [("files.enabled", MISSING_FILES)]
    return [] if all(file.committed for file in content.files) else [("files", _PENDING)]
