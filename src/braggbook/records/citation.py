"""How a record is cited: in a line, as BibTeX, and as CITATION.cff; and in each of them how a name is written.

BibTeX is for both of its readers. biber knows ``@dataset`` with publisher, version and DOI; the old bibtex takes what
it does not know for ``@misc``, of which it shows ``howpublished`` and ``note``. A title stands in braces of its own, so
that no style makes ``CAL 33`` small. CITATION.cff is of version 1.2.0 (https://citation-file-format.github.io).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit

import yaml

from braggbook.formats.archive import is_registered, parse_doi
from braggbook.formats.record import Creator, Deposit, RecordMetadata

_UNREGISTERED = "test identifier, not registered"
_MOST_NAMES = 20  # APA's Publication Manual, 7th edition, section 9.8: of more, the first 19 and the last
_KINDS = {  # section 10.9: what a thing is stands in brackets
    "dataset": "Data set", "software": "Computer software", "workflow": "Workflow", "publication": "Publication",
    "image": "Image", "lesson": "Lesson", "other": "Research record",
}  # fmt: skip
_PUBLISHERS = {"zenodo": "Zenodo", "zenodo_sandbox": "Zenodo Sandbox"}
# BibTeX counts braces whatever stands before them, so none may stand for itself.
_TEX = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "&": r"\&", "%": r"\%",
    "$": r"\$", "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': '{"}',
}  # fmt: skip
_PARTING = re.compile(r",|\band\b", re.IGNORECASE)  # what BibTeX would part a name at
_CFF_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+")  # of the schema of CFF 1.2.0
_ONE_LICENSE = re.compile(r"(?!LicenseRef-)[A-Za-z0-9.+-]+")


def citation_line(metadata: RecordMetadata, deposit: Deposit) -> str:
    """Returns a line to cite a record by, in APA's manner.

    Args:
        metadata: As published.
        deposit: What came of it.
    """
    who = _listed([_initials(creator) for creator in metadata.creators])
    what = f"{_plain(metadata.title)} (Version {_plain(metadata.version)}) [{_KINDS[metadata.resource_type]}]"
    line = f"{who}{'' if who.endswith('.') else '.'} ({_year(deposit) or 'n.d.'}). {what}. {_publisher(deposit)}."
    if deposit.doi is None:
        return line
    return f"{line} {f'https://doi.org/{deposit.doi}' if is_registered(deposit.doi) else _identifier(deposit.doi)}"


def bibtex(metadata: RecordMetadata, deposit: Deposit) -> str:
    """Returns an entry for a BibTeX file.

    Args:
        metadata: As published.
        deposit: What came of it.
    """
    fields = {
        "author": " and ".join(_tex_name(creator) for creator in metadata.creators),
        "title": f"{{{_tex(metadata.title)}}}",
        "year": _year(deposit),
        "publisher": _tex(_publisher(deposit)),
        "version": _tex(metadata.version),
        "doi": (deposit.doi or "").replace("{", "%7B").replace("}", "%7D"),
        "url": _address(deposit) or "",
        "howpublished": _tex(f"{_publisher(deposit)}{f', doi:{deposit.doi}' if deposit.doi else ''}"),
        "note": "" if deposit.doi is None or is_registered(deposit.doi) else _UNREGISTERED,
    }
    lines = [f"  {key:<12} = {{{value}}}," for key, value in fields.items() if value]
    kind = "software" if metadata.resource_type == "software" else "dataset"
    return "\n".join([f"@{kind}{{{_key(metadata, deposit)},", *lines, "}"]) + "\n"


def citation_cff(metadata: RecordMetadata, deposit: Deposit) -> str:
    """Returns a CITATION.cff of a record.

    Args:
        metadata: As published.
        deposit: What came of it.
    """
    doi, concept = (doi if _CFF_DOI.fullmatch(doi or "") else None for doi in (deposit.doi, deposit.concept_doi))
    said = "If you use this record, please cite it."
    content: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": said if doi is None or is_registered(doi) else f"{said} Its DOI is a {_UNREGISTERED}.",
        "type": "software" if metadata.resource_type == "software" else "dataset",
        "title": _plain(metadata.title),
        "authors": [_cff_author(creator) for creator in metadata.creators],
        "version": _plain(metadata.version),
        "date-released": deposit.published,
        "license": metadata.license if _ONE_LICENSE.fullmatch(metadata.license) else None,
        "keywords": list(dict.fromkeys(word for text in metadata.keywords if (word := _plain(text)))),
        "doi": doi,
        "identifiers": concept
        and [{"type": "doi", "value": concept, "description": "All versions; leads to the latest"}],
        "url": _address(deposit),
    }
    kept = {key: value for key, value in content.items() if value}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=120)


def names_of(creator: Creator) -> tuple[str, str]:
    """Returns family name and given names; an organisation has none of these."""
    family, _, given = _plain(creator.name).partition(",")
    return (family.strip(), given.strip()) if creator.type == "personal" else (_plain(creator.name), "")


def _plain(text: str) -> str:
    """Returns a text on one line, without what is not seen."""
    seen = "".join(character for character in text if character.isspace() or unicodedata.category(character) != "Cc")
    return " ".join(seen.split())


def _year(deposit: Deposit) -> str:
    return (deposit.published or "")[:4]


def _publisher(deposit: Deposit) -> str:
    if own := parse_doi(deposit.doi or ""):
        return f"Braggbook archive {own[0]}"
    return _PUBLISHERS.get(deposit.archive) or urlsplit(deposit.archive).hostname or deposit.archive


def _address(deposit: Deposit) -> str | None:
    """Returns the page of a record where there is one for everybody; a path of this machine is of no use to others."""
    address = re.sub(r"[{}\\\s]", "", deposit.url or "")
    return address if address.startswith(("https://", "http://")) else None


def _identifier(doi: str) -> str:
    return f"doi:{doi} ({_UNREGISTERED})"


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[: _MOST_NAMES - 1])}, … {names[-1]}"
    return f"{', '.join(names[:-1])}, & {names[-1]}"


def _initials(creator: Creator) -> str:
    family, given = names_of(creator)
    parts = ["-".join(f"{part[0]}." for part in word.split("-") if part) for word in given.split()]
    return ", ".join(part for part in (family, " ".join(part for part in parts if part)) if part)


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in _plain(text))


def _tex_name(creator: Creator) -> str:
    if creator.type == "organizational":
        return f"{{{_tex(creator.name)}}}"
    return ", ".join(_tex_part(part) for part in names_of(creator) if part)


def _tex_part(part: str) -> str:
    return f"{{{_tex(part)}}}" if _PARTING.search(part) else _tex(part)


def _key(metadata: RecordMetadata, deposit: Deposit) -> str:
    """Returns ``family2026word-7``: by the end of the DOI, two records of one title have keys of their own."""
    family = "".join(_ascii_words(names_of(metadata.creators[0])[0])) or "record"
    title = _ascii_words(re.sub(r"^\w+ of: ", "", metadata.title))
    word = next((word for word in title if len(word) > 3 and word.isalpha()), "record")
    own = parse_doi(deposit.doi or "")
    number = [own[0], str(own[1])] if own else _ascii_words(re.split(r"[/.]", deposit.doi or "")[-1])
    return "-".join([f"{family}{_year(deposit)}{word}", *number])


def _ascii_words(text: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z0-9]+", letters.lower())


def _cff_author(creator: Creator) -> dict[str, str]:
    family, given = names_of(creator)
    orcid = f"https://orcid.org/{creator.orcid}" if creator.orcid else ""
    if creator.type == "organizational":
        said = {"name": family, "orcid": orcid}
    else:
        affiliation = _plain(creator.affiliation or "")
        said = {"family-names": family, "given-names": given, "orcid": orcid, "affiliation": affiliation}
    return {key: value for key, value in said.items() if value}
