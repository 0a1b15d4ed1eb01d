"""An archive in a directory: the verbs of every archive, kept whole under one lock."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from braggbook.errors import ArchiveError, HashMismatch, Issue, UnknownName, closest
from braggbook.files import sha256_file
from braggbook.formats.archive import PREFIX, ArchiveCard, Entry, parse_doi, unfit
from braggbook.formats.record import PlanFile, RecordMetadata
from braggbook.progress import Progress
from braggbook.records.archive import Draft, Record, RemoteFile
from braggbook.records.folder.copying import copy_in, copy_out
from braggbook.records.folder.pages import PAGE, Pages, lowered, searched_text
from braggbook.records.folder.store import Store, path_of, utc_now
from braggbook.records.folder.zenodo_json import record_json

_IN_ADDRESS = re.compile(r"records/([0-9]+)(?:/[^/]*)?/?")
_LONGEST_NUMBER = 18  # digits that are looked at


class FolderArchive:
    """Records in a directory: no network, no account. It is made when something is first put into it.

    Attributes:
        name: ``folder``.
        simultaneous: How many files may be sent at a time.
        reserves: True: a draft has its DOI.
        root: The directory.
    """

    name = "folder"
    simultaneous = 2
    reserves = True

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Names the directory.

        Args:
            root: It need not be there yet.
            clock: What time it is.
        """
        self.root = root.absolute()
        self._store = Store(self.root, clock=clock)
        self._pages = Pages(self._store)

    @property
    def card(self) -> ArchiveCard | None:
        """What the archive is; None when nothing was ever put into it."""
        return self._store.card()

    def own(self, plan: str) -> tuple[Draft, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        return tuple(self._as_draft(entry) for entry in self._store.all() if entry.plan == plan)

    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        refuse(findings(metadata), what="the archive refuses the metadata", where=metadata.title)
        concept = None if version_of is None else self._find(version_of, latest=True).concept
        with self._store.locked():
            self._pages.mend()
            begun = [draft for draft in self._store.drafts() if draft.concept == concept]
            if begun:
                taken = begun[0].model_copy(update={"metadata": metadata, "plan": plan, "files": []})
                self._store.save_draft(taken)
                return self._as_draft(taken)
            numbers = self._store.next_numbers(1 if concept else 2)
            entry = Entry(
                number=numbers[-1],
                concept=concept or numbers[0],
                plan=plan,
                created=self._store.now(),
                metadata=metadata,
            )
            self._store.add_draft(entry)
        return self._as_draft(entry)

    def look(self, id: str) -> Draft | None:
        """See :class:`braggbook.records.archive.Archive`."""
        entry = self._store.draft(id) or self._store.published(id)
        return None if entry is None else self._as_draft(entry)

    def describe(self, id: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        refuse(findings(metadata), what="the archive refuses the metadata", where=metadata.title)
        with self._store.locked():
            entry = self._draft(id).model_copy(update={"metadata": metadata, "plan": plan})
            self._store.save_draft(entry)
        return self._as_draft(entry)

    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        """See :class:`braggbook.records.archive.Archive`."""
        if wanted := unfit(name):
            raise ArchiveError("a name that the archive cannot have", where=repr(name), wanted=wanted)
        self._draft(id)
        with self._store.incoming() as stream:
            file = copy_in(path, stream, name=name, step=lambda done: progress.step(done, name))
            with self._store.locked():
                self._store.keep(stream.name, self._draft(id), file=file)
        return _remote(file)

    def remove(self, id: str, name: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        with self._store.locked():
            entry = self._draft(id)
            self._store.save_draft(entry.with_files([file for file in entry.files if file.name != name]))

    def publish(self, id: str) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        entry = self._draft(id)
        self._refuse_unready(entry)
        with self._store.locked():
            self._pages.mend()
            if self._draft(id) != entry:
                what = "the draft changed while it was being published"
                raise ArchiveError(what, where=f"draft {id}", next_command="the same command again")
            entry = entry.model_copy(update={"published": self._store.now()})
            self._store.save_draft(entry)
            self._pages.prepare(entry)
            with self._pages.redrawn(entry.concept):
                self._store.show(entry)
        return self._as_record(entry)

    def discard(self, id: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        with self._store.locked():
            if self._store.published(id) is not None:
                raise ArchiveError("a published record stays", where=f"record {id}")
            if self._store.draft(id) is not None:
                self._store.drop_draft(id)

    def record(self, identifier: str, *, latest: bool = False) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        return self._as_record(self._find(identifier, latest=latest))

    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        entry = self._store.published(record.id)
        if entry is None or self._card().doi(entry.number) != record.doi:
            raise UnknownName("no such record", where=str(self.root), got=record.doi)
        file = entry.file(name)
        if file is None:
            known = [file.name for file in entry.files]
            raise UnknownName(f"no file of that name in {record.doi}", wanted=closest(name, known), got=repr(name))
        if _remote(file) not in record.files:
            wanted = ", ".join(f"md5 {listed.md5}" for listed in record.files if listed.name == name) or "no such file"
            got = f"md5 {file.md5}"
            raise HashMismatch(
                "the archive's file is another one", where=f"{record.doi}/{name}", wanted=wanted, got=got
            )
        source = path_of(self._store.folder(entry.id, published=True), file)
        copy_out(source, target, file=file, step=lambda done: progress.step(done, name))

    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        """See :class:`braggbook.records.archive.Archive`; the latest versions only, the newest first."""
        words = lowered(text).split()
        latest = {entry.concept: entry for entry in self._store.records()}  # by number: the last one stays
        newest = sorted(latest.values(), key=lambda entry: entry.number, reverse=True)
        found = [entry for entry in newest if all(word in searched_text(entry) for word in words)]
        return tuple(self._as_record(entry) for entry in found[:most])

    def json(self, identifier: str) -> dict[str, Any]:
        """Returns a record as Zenodo's API would, with ``file:`` addresses.

        Args:
            identifier: As in :meth:`record`.

        Raises:
            UnknownName: There is none.
        """
        entry = self._find(identifier)
        base = self._store.folder(entry.id, published=True).as_uri() + "/"
        return record_json(entry, card=self._card(), versions=self._store.versions(entry.concept), base=base)

    def redraw(self) -> None:
        """Draws all pages and writes all record JSON anew, as after an update of this package."""
        with self._store.locked():
            self._pages.draw_all()

    def _card(self) -> ArchiveCard:
        card = self._store.card()
        if card is None:
            raise UnknownName("no archive", where=str(self.root), next_command="braggbook publish push RUN")
        return card

    def _draft(self, id: str) -> Entry:
        entry = self._store.draft(id)
        if entry is not None:
            return entry
        published = self._store.published(id) is not None
        what = "a published record cannot be changed" if published else "no such draft"
        wanted = "a new version of it" if published else "the id of a draft"
        raise ArchiveError(what, where=str(self.root), wanted=wanted, got=repr(id))

    def _find(self, identifier: str, *, latest: bool = False) -> Entry:
        self._pages.mend_if_possible()
        id = str(self._number(identifier))
        entry = self._store.published(id)
        if entry is None or latest:
            versions = self._store.versions(entry.concept if entry else int(id))
            entry = versions[-1] if versions else None
        if entry is None:
            what = "not published yet" if self._store.draft(id) else "no such record"
            raise UnknownName(what, where=str(self.root), got=repr(identifier), next_command="braggbook archive list")
        return entry

    def _number(self, identifier: str) -> int:
        text = identifier.strip()
        if doi := parse_doi(text):
            card = self._card()
            if doi[0] != card.id:
                wanted = f"{PREFIX}/braggbook.{card.id}.<number>"
                raise UnknownName("a record of another archive", where=str(self.root), wanted=wanted, got=repr(text))
            return doi[1]
        path = unquote(urlsplit(text).path) if text.startswith("file:") else text
        for root in (self.root, self.root.resolve()):
            path = path.removeprefix(f"{root}/")
        inside = _IN_ADDRESS.fullmatch(path)
        number = inside[1] if inside else path
        if not (number.isascii() and number.isdecimal()):
            wanted = f"{PREFIX}/braggbook.<archive>.<number>, a number, or the address of a record's page"
            raise UnknownName("not a record's identifier", where=str(self.root), wanted=wanted, got=repr(identifier))
        return int(number[:_LONGEST_NUMBER])

    def _refuse_unready(self, entry: Entry) -> None:
        """Refuses a draft with everything that keeps it from being published; a damaged file is no longer listed."""
        issues = findings(entry.metadata)
        if not entry.files:
            issues.append(Issue("there are no files", "files", "at least one"))
        folder = self._store.folder(entry.id, published=False)
        damage = {file.name: issue for file in entry.files if (issue := _damage(path_of(folder, file), file))}
        if damage:
            with self._store.locked():
                now = self._draft(entry.id)
                self._store.save_draft(now.with_files([file for file in now.files if file.name not in damage]))
        refuse([*issues, *damage.values()], what="the archive refuses to publish the draft", where=f"draft {entry.id}")

    def _as_draft(self, entry: Entry) -> Draft:
        folder = self._store.folder(entry.id, published=True)
        published = folder.is_dir()
        return Draft(
            id=entry.id,
            state="published" if published else "draft",
            doi=self._card().doi(entry.number),
            plan=entry.plan,
            files=tuple(_remote(file) for file in entry.files),
            url=(folder / PAGE if published else self._store.folder(entry.id, published=False)).as_uri(),
        )

    def _as_record(self, entry: Entry) -> Record:
        card = self._card()
        return Record(
            id=entry.id,
            doi=card.doi(entry.number),
            concept_doi=card.doi(entry.concept),
            version=entry.metadata.version,
            title=entry.metadata.title,
            published=(entry.published or "")[:10],
            plan=entry.plan,
            files=tuple(_remote(file) for file in entry.files),
            url=(self._store.folder(entry.id, published=True) / PAGE).as_uri(),
        )


def findings(metadata: RecordMetadata) -> list[Issue]:
    """Returns what an archive refuses in metadata that are complete by form."""
    texts = {"title": metadata.title, "description": metadata.description, "version": metadata.version}
    texts |= {f"creators[{index}].name": creator.name for index, creator in enumerate(metadata.creators)}
    texts |= {f"relations[{index}].identifier": one.identifier for index, one in enumerate(metadata.relations)}
    return [Issue("an empty text", f"metadata.{name}") for name, text in texts.items() if not text.strip()]


def refuse(issues: list[Issue], *, what: str, where: str) -> None:
    """Raises when there is something to refuse.

    Raises:
        ArchiveError: With all issues.
    """
    if issues:
        raise ArchiveError(what, where=where, issues=issues)


def _damage(path: Path, file: PlanFile) -> Issue | None:
    try:
        got = sha256_file(path)
    except OSError as error:
        return Issue("the file cannot be read", file.name, got=error.strerror or "")
    wanted = f"sha256 {file.sha256}"
    return None if got == file.sha256 else Issue("the file is damaged; send it again", file.name, wanted, got)


def _remote(file: PlanFile) -> RemoteFile:
    return RemoteFile(file.name, file.bytes, file.md5)
