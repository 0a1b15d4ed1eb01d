"""How a record is cited: BibTeX and CITATION.cff."""

from __future__ import annotations

import re
import unicodedata

import yaml

from braggbook.formats.record import Creator, Deposit, RecordMetadata

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def bibtex(metadata: RecordMetadata, deposit: Deposit) -> str:
    """Returns a BibTeX entry, in the form ``@dataset`` that biblatex and Zenodo use."""
    year = (deposit.published or "")[:4]
    fields = {
        "author": " and ".join(_bibtex_name(creator) for creator in metadata.creators),
        "title": _bibtex_text(metadata.title),
        "year": year,
        "publisher": _bibtex_text(deposit.archive),
        "version": _bibtex_text(metadata.version),
        "doi": deposit.doi or "",
        "url": deposit.url or "",
    }
    lines = [f"  {key:<9} = {{{value}}}," for key, value in fields.items() if value]
    kind = "software" if metadata.resource_type == "software" else "dataset"
    return "\n".join([f"@{kind}{{{_key(metadata, year)},", *lines, "}"]) + "\n"


def _key(metadata: RecordMetadata, year: str) -> str:
    family = metadata.creators[0].name.partition(",")[0]
    ascii_only = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode()
    word = next((word for word in re.findall(r"[A-Za-z]{4,}", metadata.title)), "record")
    return f"{re.sub(r'[^A-Za-z]', '', ascii_only).lower() or 'record'}{year}{word.lower()}"


def _bibtex_name(creator: Creator) -> str:
    text = _bibtex_text(creator.name)
    return text if creator.type == "personal" else f"{{{text}}}"


def _bibtex_text(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def citation_cff(metadata: RecordMetadata, deposit: Deposit) -> str:
    """Returns a CITATION.cff (Citation File Format 1.2.0) of the record."""
    content = {
        "cff-version": "1.2.0",
        "message": "If you use this record, please cite it.",
        "type": "software" if metadata.resource_type == "software" else "dataset",
        "title": metadata.title,
        "authors": [_cff_author(creator) for creator in metadata.creators],
        "version": metadata.version,
        "date-released": deposit.published or None,
        "license": metadata.license,
        "keywords": metadata.keywords or None,
        "doi": deposit.doi,
        "url": deposit.url if (deposit.url or "").startswith("http") else None,
    }
    kept = {key: value for key, value in content.items() if value}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=120)


def _cff_author(creator: Creator) -> dict[str, str]:
    more = {
        "affiliation": creator.affiliation,
        "orcid": f"https://orcid.org/{creator.orcid}" if creator.orcid else None,
    }
    known = {key: value for key, value in more.items() if value}
    if creator.type == "organizational":
        return {"name": creator.name, **({"orcid": known["orcid"]} if "orcid" in known else {})}
    family, _, given = creator.name.partition(",")
    return {"family-names": family.strip(), **({"given-names": given.strip()} if given.strip() else {}), **known}
