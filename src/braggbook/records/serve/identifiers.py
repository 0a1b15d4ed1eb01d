"""Which kind of identifier a text is, and how that kind is spelled."""

from __future__ import annotations

import re

_DOI = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(10\.[0-9]{3,9}(?:\.[0-9]+)*/\S+)", re.IGNORECASE)
_ORCID = re.compile(r"(?:https?://orcid\.org/)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])", re.IGNORECASE)
_OTHERS = (
    ("arxiv", re.compile(r"(?:arxiv:)\S+", re.IGNORECASE)),
    ("urn", re.compile(r"urn:[a-z0-9][a-z0-9-]+:\S+", re.IGNORECASE)),
    ("swh", re.compile(r"swh:1:[a-z]{3}:[0-9a-f]{40}\S*")),
    ("handle", re.compile(r"(?:hdl:|https?://hdl\.handle\.net/)\S+/\S+", re.IGNORECASE)),
    ("url", re.compile(r"(?:https?|ftps?)://\S+", re.IGNORECASE)),
    ("pmid", re.compile(r"(?:pmid:)\s*[0-9]+", re.IGNORECASE)),
    ("isbn", re.compile(r"(?:97[89][- ]?)?(?:[0-9][- ]?){9}[0-9X]")),
    ("issn", re.compile(r"[0-9]{4}-[0-9]{3}[0-9X]")),
)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, 32 of them
_MIXER = 0x9E3779B97F4A7C15  # so that neighbours do not look alike


def doi_of(text: str) -> str:
    """Returns a DOI without its decoration, or an empty text where it is none."""
    match = _DOI.fullmatch(text.strip())
    return match[1] if match else ""


def orcid_of(text: str) -> str:
    """Returns an ORCID iD whose check digit holds (ISO 7064 MOD 11-2), or an empty text."""
    match = _ORCID.fullmatch(text.strip())
    if match is None:
        return ""
    digits = match[1].upper().replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return match[1].upper() if digits[-1] == ("X" if check == 10 else str(check)) else ""


def scheme_of(text: str) -> tuple[str, str]:
    """Returns the kind of an identifier and its bare spelling; the kind is empty where none fits."""
    if doi := doi_of(text):
        return "doi", doi
    for scheme, pattern in _OTHERS:
        if pattern.fullmatch(text.strip()):
            return scheme, text.strip()
    return "", text


def spelled(number: int) -> str:
    """Returns a number as InvenioRDM spells its identifiers, as ``4d0ns-ntd89``."""
    mixed = number * _MIXER % len(_ALPHABET) ** 10  # one to one, since the factor is odd
    letters = []
    for _ in range(10):
        mixed, digit = divmod(mixed, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return f"{''.join(letters[:5])}-{''.join(letters[5:])}"
