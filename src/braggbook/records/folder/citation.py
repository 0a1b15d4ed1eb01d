"""How to cite a record of a folder archive: a line in APA's manner, and an entry for BibTeX."""

from __future__ import annotations

from braggbook.formats.record import Creator, Deposit
from braggbook.records.citation import bibtex
from braggbook.records.folder.model import ArchiveCard, Entry

_NOT_REGISTERED = "test identifier, not registered"
_MOST_NAMES = 20  # APA's Publication Manual, 7th edition, section 9.8: of more, the first 19 and the last
_KINDS = {  # section 10.9: what a thing is stands in brackets
    "dataset": "Data set", "software": "Computer software", "workflow": "Workflow", "publication": "Publication",
    "image": "Image", "lesson": "Lesson", "other": "Research record",
}  # fmt: skip


def bibtex_entry(entry: Entry, *, card: ArchiveCard) -> str:
    """Returns a record as an entry of a BibTeX file."""
    doi = card.doi(entry.number)
    said = Deposit(
        archive=_publisher(card), plan=entry.plan, step="published", doi=doi, published=(entry.published or "")[:10]
    )
    return bibtex(entry.metadata, said)


def apa(entry: Entry, *, card: ArchiveCard) -> str:
    """Returns a line to cite a record by: creators, year, title, version, kind, archive, identifier."""
    told = entry.metadata
    who = _names([_initials(creator) for creator in told.creators])
    year, kind = (entry.published or "n.d.")[:4], _KINDS[told.resource_type]
    what = f"{who}{'' if who.endswith('.') else '.'} ({year}). {told.title} (Version {told.version}) [{kind}]"
    return f"{what}. {_publisher(card)}. doi:{card.doi(entry.number)} ({_NOT_REGISTERED})"


def _publisher(card: ArchiveCard) -> str:
    return f"Braggbook archive {card.id}"


def _names(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[: _MOST_NAMES - 1])}, … {names[-1]}"
    return f"{', '.join(names[:-1])}, & {names[-1]}"


def _initials(creator: Creator) -> str:
    family, _, given = creator.name.partition(",")
    if creator.type == "organizational":
        return creator.name.strip()
    if not given.strip():
        return family.strip()
    parts = ["-".join(f"{part[0]}." for part in word.split("-") if part) for word in given.split()]
    return f"{family.strip()}, {' '.join(parts)}"
