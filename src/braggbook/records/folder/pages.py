"""The pages of a folder archive: one for each record and one for all, which open from disk and ask nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from braggbook.errors import ArchiveError, StorageError
from braggbook.files import storage, write_json, write_text
from braggbook.formats.archive import ArchiveCard, Entry, parse_doi
from braggbook.formats.record import Creator, Deposit, Relation
from braggbook.records.citation import bibtex, citation_cff, citation_line
from braggbook.records.folder.report import REPORT, copy_report, has_run
from braggbook.records.folder.store import Store, path_of
from braggbook.records.folder.zenodo_json import RESOURCE_TITLES, file_link, record_json
from braggbook.runs.links import doi_link

PAGE, RECORD_JSON = "index.html", "record.json"
_SAFE = ("https://", "http://")


class Pages:
    """Draws what people and programs read of an archive; all of it can be drawn again from the entries."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mark = store.root / ".stale"

    def mend(self) -> None:
        """Ends a drawing that a killed process had begun; to be called under the lock."""
        if self._mark.exists() or not (self._store.root / PAGE).exists():
            self.draw_all()

    def mend_if_possible(self) -> None:
        """Does the same from outside the lock, where the archive can be written and all of it be read."""
        with suppress(OSError, StorageError, ArchiveError):
            if self._mark.exists():
                with self._store.locked():
                    self.mend()

    def prepare(self, entry: Entry) -> None:
        """Puts the pages of a draft that is about to be published into its folder."""
        folder = self._store.folder(entry.id, published=False)
        copy_report([path_of(folder, file) for file in entry.files], folder)
        self._draw(entry, folder, versions=[*self._store.versions(entry.concept), entry])

    @contextmanager
    def redrawn(self, concept: int) -> Iterator[None]:
        """Draws anew what a publication changes: the pages of all versions, and that of all records."""
        write_text(self._mark, f"{concept}\n")
        yield
        self._draw_versions(self._store.versions(concept))
        self._draw_index()
        self._unmark()

    def draw_all(self) -> None:
        """Draws everything anew; to be called under the lock."""
        write_text(self._mark, "all\n")
        records = self._store.records()
        for concept in sorted({entry.concept for entry in records}):
            self._draw_versions([entry for entry in records if entry.concept == concept])
        self._draw_index()
        self._unmark()

    def _unmark(self) -> None:
        with storage(self._mark):
            self._mark.unlink()

    def _draw_versions(self, versions: Sequence[Entry]) -> None:
        for entry in versions:
            self._draw(entry, self._store.folder(entry.id, published=True), versions=versions)

    def _draw(self, entry: Entry, folder: Path, *, versions: Sequence[Entry]) -> None:
        card = self._card()
        write_json(folder / RECORD_JSON, record_json(entry, card=card, versions=versions))
        report = REPORT if (folder / REPORT).is_file() else None
        runnable = any(has_run(path_of(folder, file)) for file in entry.files if file.name.lower().endswith(".zip"))
        page = record_page(entry, card=card, versions=versions, report=report, runnable=runnable)
        write_text(folder / PAGE, page)

    def _draw_index(self) -> None:
        write_text(self._store.root / PAGE, index_page(self._store.records(), card=self._card()))

    def _card(self) -> ArchiveCard:
        card = self._store.card()
        assert card is not None
        return card


def record_page(
    entry: Entry, *, card: ArchiveCard, versions: Sequence[Entry], report: str | None, runnable: bool
) -> str:
    """Returns the landing page of a record.

    Args:
        entry: The record.
        card: Of its archive.
        versions: All published versions of the same thing, the latest last.
        report: Address of its report, relative to the page.
        runnable: Whether it holds a run, which can be verified.
    """
    told, deposit = entry.metadata, _deposit(entry, card)
    return _page(
        "record.html",
        entry=entry,
        told=told,
        card=card,
        doi=card.doi(entry.number),
        kind=RESOURCE_TITLES[told.resource_type],
        license_page=_license_page(told.license),
        creators=[_creator(creator) for creator in told.creators],
        paragraphs=[part.strip() for part in told.description.split("\n\n") if part.strip()],
        files=[{"link": file_link(file), "size": size_text(file.bytes), "file": file} for file in entry.files],
        versions=list(reversed(versions)),
        latest=versions[-1],
        relations=[_relation(relation, card) for relation in told.relations],
        runnable=runnable,
        sums="".join(f"{file.sha256}  files/{file.sha256}/{file.name}\n" for file in entry.files),
        line=citation_line(told, deposit),
        bibtex=bibtex(told, deposit),
        cff=citation_cff(told, deposit),
        report=report,
    )


def _deposit(entry: Entry, card: ArchiveCard) -> Deposit:
    """Returns what somebody who published a record here has of it."""
    doi, concept = card.doi(entry.number), card.doi(entry.concept)
    day = (entry.published or "")[:10]
    return Deposit(archive="folder", plan=entry.plan, step="published", doi=doi, concept_doi=concept, published=day)


def index_page(records: Sequence[Entry], *, card: ArchiveCard) -> str:
    """Returns the page of all records: the latest version of each, the newest first.

    Args:
        records: All that are published.
        card: Of the archive.
    """
    latest = {entry.concept: entry for entry in sorted(records, key=lambda entry: entry.number)}
    count = {concept: sum(entry.concept == concept for entry in records) for concept in latest}
    rows = [
        {
            "entry": entry,
            "doi": card.doi(entry.number),
            "kind": RESOURCE_TITLES[entry.metadata.resource_type],
            "versions": count[entry.concept],
            "words": searched_text(entry),
        }
        for entry in sorted(latest.values(), key=lambda entry: entry.number, reverse=True)
    ]
    return _page("index.html", rows=rows, card=card, script=Markup(_text("search.js")))  # noqa: S704 - our own file


def searched_text(entry: Entry) -> str:
    """Returns what a search looks through: title, description, creators and keywords, without capitals."""
    told = entry.metadata
    names = [word for one in told.creators for word in (one.name, one.affiliation) if word]
    parts = [told.title, told.description, *names, *told.keywords, *told.subjects]
    return lowered(" ".join(parts))


def lowered(text: str) -> str:
    """Returns a text as it is compared: without capitals, as JavaScript's ``toLowerCase`` too sees them."""
    return " ".join(text.lower().split())


def size_text(size: int) -> str:
    """Returns a number of bytes as people read it: ``1.2 MB`` (10**6 bytes)."""
    if size < 1000:
        return f"{size} byte" if size == 1 else f"{size} bytes"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"


def _creator(creator: Creator) -> dict[str, str | None]:
    ror = creator.ror if (creator.ror or "").startswith("https://ror.org/") else None
    return {"name": creator.name, "orcid": creator.orcid, "affiliation": creator.affiliation, "ror": ror}


def _license_page(license: str) -> str | None:
    simple = " " not in license and not license.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{license}.html" if simple else None


def _relation(relation: Relation, card: ArchiveCard) -> dict[str, str | None]:
    kind = None if relation.resource_type == "other" else RESOURCE_TITLES[relation.resource_type]
    link = _address(relation.identifier, card)
    return {"relation": relation.relation, "identifier": relation.identifier, "kind": kind, "link": link}


def _address(identifier: str, card: ArchiveCard) -> str | None:
    if (own := parse_doi(identifier)) is not None:
        return f"../{own[1]}/{PAGE}" if own[0] == card.id else None
    if identifier.startswith("10."):
        return doi_link(identifier)
    return identifier if identifier.lower().startswith(_SAFE) else None


def _page(name: str, **parts: Any) -> str:
    """Draws a template under a policy that allows our style and script by their digests, and nothing else."""
    style = Markup(_text("style.css"))  # noqa: S704 - our own file
    policy = [
        "default-src 'none'",
        f"style-src {_allowed(style)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if "script" in parts:
        policy.append(f"script-src {_allowed(parts['script'])}")
    return _environment().get_template(name).render(style=style, policy="; ".join(policy), **parts)


def _allowed(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.records", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


@cache
def _text(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]
