"""Authors as archives want them: people as ``Family, Given``, organisations as they call themselves.

A name does not say which of its words is the family's. A comma does, and is what front matter should have; without one
the usual Western order is assumed, particles counted to the family, and the plan shows it before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from braggbook.formats.common import Author
from braggbook.formats.record import Creator

_PARTICLES = {
    "af", "al", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "el", "la", "le",
    "san", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur",
}  # fmt: skip
_GROUPS = re.compile(
    r"\b(collaboration|committee|community|consortium|contributors|department|foundation|group|hospital|institut\w*|"
    r"laborator\w+|maintainers|network|organi[sz]ation|project|society|team|universit\w+|working group)\b",
    re.IGNORECASE,
)


def creators_of(authors: Iterable[Author]) -> list[dict[str, Any]]:
    """Returns authors as the facts of :class:`braggbook.formats.record.Creator`, in their order."""
    return [_creator(author) for author in authors]


def _creator(author: Author) -> dict[str, Any]:
    plain = " ".join(author.name.split())
    group = author.orcid is None and bool(_GROUPS.search(plain) or len(plain.split()) < 2)
    facts = {
        "name": plain if group or "," in plain else family_first(plain),
        "type": "organizational" if group else "personal",
        "orcid": author.orcid,
        "affiliation": author.affiliation,
        "ror": author.ror,
    }
    return {key: value for key, value in facts.items() if value is not None}


def family_first(name: str) -> str:
    """Returns ``Given van der Family`` as ``van der Family, Given``."""
    words = name.split()
    start = len(words) - 1
    while start > 1 and words[start - 1].lower().rstrip(".") in _PARTICLES:
        start -= 1
    return f"{' '.join(words[start:])}, {' '.join(words[:start])}" if start > 0 else name


def missing_of(creators: Iterable[Creator]) -> list[str]:
    """Returns what a librarian would ask for."""
    found = []
    for creator in creators:
        if creator.type == "personal" and creator.orcid is None:
            found.append(f"the ORCID iD of {creator.name}")
        if creator.affiliation is None:
            found.append(f"the affiliation of {creator.name}")
        if creator.affiliation is not None and creator.ror is None:
            found.append(f"the ROR of {creator.affiliation}")
    return found
