"""Metadata before they are sent: everything that an archive or a librarian would refuse, said at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from braggbook.errors import InputError, Issue
from braggbook.formats.common import (
    Grant,
    check_doi,
    check_license,
    check_orcid,
    check_ror,
    issues_from,
    refusal,
    shown,
)
from braggbook.formats.languages import check_language
from braggbook.formats.placeholders import AUTHOR, DATASET_ABSTRACT, NOTEBOOK_ABSTRACT
from braggbook.formats.record import RecordMetadata
from braggbook.records.people import family_first

WHERE = "metadata"
_PLACEHOLDERS = (NOTEBOOK_ABSTRACT, DATASET_ABSTRACT)
_SHORTEST_TITLE = 3  # characters, that InvenioRDM wants
_LINES = ("description", "notes")  # the only texts of several lines
_BARE = re.compile(r"(?:doi:\s*|https?://(?:dx\.)?doi\.org/)(10\..+)", re.IGNORECASE)
# Signs that turn the direction of what follows: a name could be shown as another one (Unicode TR 36, 2.10.2).
_TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def checked_metadata(facts: Mapping[str, Any], *, where: str = WHERE) -> RecordMetadata:
    """Returns metadata that every archive takes.

    Args:
        facts: As :class:`RecordMetadata` has them.
        where: What they are of.

    Raises:
        InputError: They are not; all findings are listed.
    """
    if issues := metadata_issues(facts):
        raise InputError("metadata that an archive would refuse", where=where, issues=issues)
    return RecordMetadata.model_validate(facts)


def metadata_issues(facts: Mapping[str, Any]) -> list[Issue]:
    """Returns everything that an archive or a librarian would refuse."""
    found = [
        *_texts(facts),
        *_title(facts),
        *_description(facts),
        *_creators(facts.get("creators") or []),
        *_one("license", facts.get("license"), check_archived_license),
        *_one("language", facts.get("language", "eng"), _language),
        *_relations(facts.get("relations") or []),
        *_funders(facts.get("funding") or []),
    ]
    if not found:
        try:
            RecordMetadata.model_validate(facts)
        except ValidationError as error:
            found += issues_from(error, where=WHERE, known=RecordMetadata)
    return found


def check_archived_license(text: str) -> str:
    """Returns a licence that archives know: one of SPDX's list, in its canonical spelling.

    Raises:
        ValueError: It is not.
    """
    license = check_license(text)
    if license.startswith("LicenseRef-") or " " in license:
        wanted = "one identifier of https://spdx.org/licenses, such as CC-BY-4.0"
        raise refusal("a licence that archives do not know", wanted=wanted, got=shown(text))
    return license


def bare_identifier(text: str) -> str:
    """Returns a DOI without what resolvers put before it, or an address as it is."""
    match = _BARE.fullmatch(text.strip())
    return match[1] if match else text.strip()


def funding_facts(grants: Sequence[Grant]) -> list[dict[str, Any]]:
    """Returns who paid, as :class:`RecordMetadata` has it."""
    return [grant.model_dump(exclude_none=True) for grant in grants]


def one_line(text: str) -> str:
    """Returns a text without line breaks, such as a title that YAML has folded."""
    return " ".join(text.split())


def _one(place: str, value: Any, check: Callable[[str], object]) -> list[Issue]:
    """Returns what one check says to one value."""
    try:
        check("" if value is None else str(value))
    except PydanticCustomError as error:
        said = error.context or {}
        return [Issue(said.get("what", str(error)), f"{WHERE} {place}", said.get("wanted", ""), said.get("got", ""))]
    return []


def _texts(facts: Mapping[str, Any]) -> Iterator[Issue]:
    for place, text in _leaves(facts, ""):
        allowed = "\n\t" if place in _LINES else ""
        odd = sorted({sign for sign in text if _unsendable(sign) and sign not in allowed})
        if odd:
            got = ", ".join(f"U+{ord(sign):04X}" for sign in odd[:5])
            yield Issue("a control character", f"{WHERE} {place}", "text that can be seen", got)


def _unsendable(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cs") or sign in _TURNING or sign in "\u2028\u2029\ufffe\uffff"


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, Sequence):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{place}[{number}]")


def _title(facts: Mapping[str, Any]) -> Iterator[Issue]:
    title = str(facts.get("title") or "").strip()
    if len(title) < _SHORTEST_TITLE:
        wanted = f"at least {_SHORTEST_TITLE} characters"
        yield Issue("the title is too short", f"{WHERE} title", wanted, shown(title))


def _description(facts: Mapping[str, Any]) -> Iterator[Issue]:
    description = str(facts.get("description") or "")
    if not description.strip():
        yield Issue("the description is empty", f"{WHERE} description", "what it is, in a few sentences")
    for text in _PLACEHOLDERS:
        if text in description:
            yield Issue("still what `braggbook new` wrote", f"{WHERE} description", "what it is", shown(text))
    for key in ("keywords", "subjects"):
        for number, word in enumerate(facts.get(key) or []):
            if not str(word).strip():
                yield Issue("an empty text", f"{WHERE} {key}[{number}]")


def _creators(creators: Sequence[Mapping[str, Any]]) -> Iterator[Issue]:
    if not creators:
        wanted = "authors, each with a name and, of a person, an ORCID iD"
        yield Issue("nobody is named as its creator", f"{WHERE} creators", wanted)
    for number, creator in enumerate(creators):
        place = f"creators[{number}]"
        name = str(creator.get("name") or "")
        if not re.search(r"\w", name):
            yield Issue("a creator without a name", f"{WHERE} {place}.name")
        if name in (AUTHOR, family_first(AUTHOR)):
            yield Issue("still what `braggbook new` wrote", f"{WHERE} {place}.name", "a name", shown(name))
        if creator.get("orcid"):
            yield from _one(f"{place}.orcid", creator["orcid"], check_orcid)
        if creator.get("ror"):
            yield from _one(f"{place}.ror", creator["ror"], check_ror)


def _language(text: str) -> None:
    if check_language(text) != text:
        raise refusal("not a language's code", wanted=f"three letters of ISO 639-3: {check_language(text)}", got=text)


def _relations(relations: Sequence[Mapping[str, Any]]) -> Iterator[Issue]:
    for number, relation in enumerate(relations):
        identifier = str(relation.get("identifier") or "")
        if not _is_identifier(identifier):
            wanted = "a DOI as 10.<number>/<name>, or an address as https://..."
            yield Issue("neither a DOI nor an address", f"{WHERE} relations[{number}]", wanted, shown(identifier))


def _is_identifier(text: str) -> bool:
    if any(sign.isspace() for sign in text):
        return False
    if text.startswith("10."):
        return not _one("", text, check_doi)
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def _funders(funding: Sequence[Mapping[str, Any]]) -> Iterator[Issue]:
    for number, one in enumerate(funding):
        place = f"funding[{number}]"
        if not str(one.get("funder") or "").strip():
            yield Issue("an empty text", f"{WHERE} {place}.funder")
        identifier = str(one.get("funder_id") or "")
        if identifier and not identifier.startswith("10."):
            yield from _one(f"{place}.funder_id", identifier, check_ror)
        elif identifier:
            yield from _one(f"{place}.funder_id", identifier, check_doi)
