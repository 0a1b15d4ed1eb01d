"""What can be done with records, whichever API asks for it: drafts, files, versions, publication."""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import BinaryIO

from .identifiers import spelled
from .model import Content, Entry, Json, StoredFile
from .problems import (
    QUOTA_EXCEEDED,
    REMOVE_FILES_FIRST,
    TOO_MANY_FILES,
    bad_request,
    does_not_exist,
    forbidden,
    gone,
    invalid,
    no_such_file,
    not_found,
    not_registered,
    revision_differs,
)
from .search import Index
from .settings import Account, Settings
from .store import Receiver, Store
from .validation import publication_issues

Clock = Callable[[], float]


class Archive:
    """The records of a store, and the rules for changing them.

    Args:
        store: Where they are kept.
        settings: How the archive behaves.
        clock: Gives the time as seconds since 1970.
    """

    def __init__(self, store: Store, *, settings: Settings, clock: Clock = time.time) -> None:
        self.store, self.settings, self._clock = store, settings, clock
        self._lock = threading.RLock()
        entries = store.entries()
        self._searches = Index(entries, clock=clock, delay_s=settings.search_delay_s)
        self._listings = Index(entries, clock=clock, delay_s=settings.listing_delay_s)

    def find(self, id: str) -> Entry:
        """Returns a version as it is.

        Raises:
            ApiError: There is none (404), or it was deleted (410).
        """
        entry = self.store.load(id)
        if entry is None:
            raise does_not_exist()
        if entry.tombstone:
            raise gone(entry.tombstone)
        return entry

    def owned(self, id: str, account: Account | None) -> Entry:
        """Returns a version to its owner (403 to others)."""
        entry = self.find(id)
        if account is None or entry.owner != account.id:
            raise forbidden()
        return entry

    def drafted(self, id: str, account: Account | None) -> Entry:
        """Returns a version that is being drafted to its owner (404 where nothing is)."""
        entry = self.find(id)
        if entry.draft is None:
            raise does_not_exist()
        return self.owned(id, account)

    def published(self, id: str) -> Entry:
        """Returns a version that everybody may see (404 while it is only a draft)."""
        entry = self.find(id)
        if entry.published is None:
            raise not_registered()
        return entry

    def versions(self, concept: str) -> list[Entry]:
        """Returns the published versions of a concept, first to last."""
        entries = [entry for entry in self.store.entries() if entry.concept == concept]
        there = [entry for entry in entries if entry.published and not entry.tombstone]
        return sorted(there, key=lambda entry: entry.index)

    def latest(self, concept: str) -> Entry:
        """Returns the last published version of a concept (404 where none is)."""
        versions = self.versions(concept)
        if not versions:
            raise does_not_exist()
        return versions[-1]

    def is_latest(self, entry: Entry) -> bool:
        """Whether no later version is published."""
        versions = self.versions(entry.concept)
        return bool(versions) and versions[-1].id == entry.id

    def next_draft(self, concept: str) -> Entry | None:
        """Returns the draft of a version that is not published yet, or None."""
        for entry in self.store.entries():
            if entry.concept == concept and entry.published is None and entry.draft is not None:
                return entry
        return None

    def seen(self, *, by_search: bool, owner: int | None = None) -> list[Entry]:
        """Returns what a search or a list of one's own finds, which may be some time behind.

        A store that can only be read may be changed by somebody else, and is asked itself.
        """
        index = self._searches if by_search else self._listings
        entries = self.store.entries() if self.store.read_only else index.entries()
        return [entry for entry in entries if not entry.tombstone and owner in (None, entry.owner)]

    def in_bucket(self, bucket: str) -> Entry:
        """Returns the version whose files are in a bucket (404 where none is)."""
        for entry in self.store.entries():
            if entry.bucket == bucket and not entry.tombstone:
                return entry
        raise not_found()

    def readable(self, content: Content, entry: Entry, account: Account | None) -> bool:
        """Whether somebody may have the files of a published record."""
        if account is not None and account.id == entry.owner:
            return True
        embargo = content.access.get("embargo") or {}
        over = embargo.get("active") and str(embargo.get("until")) <= self.today()
        return bool(content.access.get("files") == "public" or over)

    def open(self, file: StoredFile) -> BinaryIO:
        """Opens the bytes of a file."""
        return self.store.open(file)

    def create(self, account: Account, content: Content) -> Entry:
        """Makes the draft of a new record."""
        with self._writing():
            concept, id = self._new_id(), self._new_id()
            now = self.now()
            bucket = str(uuid.uuid4())
            entry = Entry(id, concept, account.id, 1, bucket, created=now, updated=now, draft=content)
            return self._save(entry, touched=False)

    def rewrite(self, entry: Entry, content: Content, *, if_match: str = "") -> Entry:
        """Puts what a draft says in place of what it said, wholly: a DOI that is not named is not reserved any
        more. The files stay.

        Raises:
            ApiError: ``if_match`` names another revision (412).
        """
        with self._writing():
            entry = self.find(entry.id)
            if entry.draft is None:
                raise does_not_exist()
            if if_match and if_match != str(entry.revision):
                raise revision_differs(if_match, entry.revision)
            pids = entry.published.pids if entry.published else content.pids
            return self._save(replace(entry, draft=replace(content, files=entry.content.files, pids=pids)))

    def delete_draft(self, id: str, account: Account | None) -> None:
        """Throws a draft away, with its record where that was never published."""
        with self._writing():
            entry = self.drafted(id, account)
            if entry.published is not None:
                self._save(replace(entry, draft=None))
                return
            self.store.delete(id)
            self._note(id, None)

    def edit(self, id: str, account: Account | None) -> Entry:
        """Opens a published record for changes of what it says; a draft stays as it is."""
        with self._writing():
            entry = self.owned(id, account)
            return entry if entry.draft else self._save(replace(entry, draft=entry.published), touched=False)

    def publish(self, id: str, account: Account | None, *, strict: bool) -> Entry:
        """Publishes a draft.

        Raises:
            ApiError: There is no draft (404), or it lacks something (400).
        """
        with self._writing():
            entry = self.drafted(id, account)
            draft = entry.content
            issues = publication_issues(draft, strict=strict, today=self.today())
            issues += [("pids.doi", f"doi:{draft.doi} already exists.")] if self._is_taken(draft.doi, entry) else []
            if issues:
                raise invalid(*issues)
            return self._save(replace(entry, draft=None, published=self._with_doi(draft, id)))

    def new_version(self, id: str, account: Account | None, *, legacy: bool) -> Entry:
        """Returns the draft of the version after the latest one, made where there is none yet.

        Args:
            id: Any published version.
            account: Who asks.
            legacy: As the deposit API does it: dated today, with the latest version's files, which it
                refuses (400) where the draft has files already.
        """
        with self._writing():
            if self.owned(id, account).published is None:
                raise not_registered()
            latest = self.latest(self.find(id).concept)
            draft = self.next_draft(latest.concept) or self._next_version(latest, dated=legacy)
            return self.import_files(draft.id, account) if legacy else draft

    def import_files(self, id: str, account: Account | None) -> Entry:
        """Links the latest published version's files into a draft without files (400 where it has any)."""
        with self._writing():
            entry = self.drafted(id, account)
            if entry.content.files:
                raise invalid(("files.enabled", REMOVE_FILES_FIRST))
            published = self.latest(entry.concept).published or Content()
            files = tuple(replace(file, version_id=str(uuid.uuid4())) for file in published.files)
            return self._save(replace(entry, draft=replace(entry.content, files=files)))

    def set_doi(self, id: str, account: Account | None, *, reserved: bool) -> Entry:
        """Reserves the DOI of a draft, or lets it go again.

        Raises:
            ApiError: It has one already, or none to let go (400).
        """
        with self._writing():
            entry = self.drafted(id, account)
            if reserved and entry.content.doi:
                raise invalid(("pids.doi", "A PID already exists for type doi"))
            if not reserved and (not entry.content.doi or entry.published):
                raise invalid(("pids.doi", "No PID found for type doi"))
            pids = self._managed_doi(id) if reserved else {}
            return self._save(replace(entry, draft=replace(entry.content, pids=pids)))

    def tombstone(self, id: str) -> None:
        """Deletes a published record, as a curator would."""
        with self._writing():
            self._save(replace(self.published(id), tombstone=self.now(), draft=None))

    def check_space(self, entry: Entry, key: str, size: int) -> None:
        """Refuses (400) bytes that would not fit into a draft, in place of those of the same name."""
        others = sum(file.size for file in entry.content.files if file.key != key)
        if others + size > self.settings.bytes_per_record:
            raise bad_request(QUOTA_EXCEEDED)

    def check_count(self, entry: Entry, keys: Iterable[str]) -> None:
        """Refuses (400) files that would be too many for a draft."""
        if len({*(file.key for file in entry.content.files), *keys}) > self.settings.files_per_record:
            raise bad_request(TOO_MANY_FILES)

    def writable(self, entry: Entry, account: Account | None) -> Entry:
        """Returns a version whose files its owner may change (403 once they are published)."""
        self.owned(entry.id, account)
        if entry.draft is None or entry.published is not None:
            raise forbidden()
        return entry

    def init_files(self, entry: Entry, keys: Sequence[str]) -> Entry:
        """Announces files whose bytes are to come (400 where a name is taken)."""
        with self._writing():
            entry = self._open_for_files(entry.id)
            for key in keys:
                if entry.content.file(key):
                    raise bad_request(f"File with key {key} already exists.")
            self.check_count(entry, keys)
            content = entry.content
            for key in keys:
                content = content.with_file(self._new_file(key))
            return self._save(replace(entry, draft=content))

    def keep_file(self, id: str, key: str, receiver: Receiver, *, committed: bool) -> tuple[Entry, StoredFile]:
        """Takes received bytes into a draft, in place of what was there under that name."""
        with self._writing():
            entry = self._open_for_files(id)
            self.check_count(entry, [key])
            self.check_space(entry, key, receiver.size)
            known = entry.content.file(key)
            new = known if known and not committed else self._new_file(key)
            file = replace(new, md5=receiver.md5, size=receiver.size, blob=receiver.keep(), committed=committed)
            return self._save(replace(entry, draft=entry.content.with_file(file))), file

    def commit_file(self, id: str, key: str) -> tuple[Entry, StoredFile]:
        """Ends the upload of a file whose bytes are there (400 where they are not)."""
        with self._writing():
            entry = self._open_for_files(id)
            file = entry.content.file(key)
            if file is None:
                raise no_such_file(id, key)
            if not file.blob:
                raise bad_request(f"The file '{key}' has no content.")
            file = replace(file, committed=True, updated=self.now())
            return self._save(replace(entry, draft=entry.content.with_file(file))), file

    def delete_file(self, entry: Entry, account: Account | None, key: str) -> Entry:
        """Takes a file out of a draft."""
        with self._writing():
            entry = self.writable(self.find(entry.id), account)
            if entry.content.file(key) is None:
                raise no_such_file(entry.id, key)
            return self._save(replace(entry, draft=entry.content.without_file(key)))

    def now(self) -> str:
        """Returns the time as records spell it."""
        return datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).isoformat(timespec="microseconds")

    def today(self) -> str:
        """Returns the date."""
        return self.now()[:10]

    def _writing(self) -> threading.RLock:
        if self.store.read_only:
            raise forbidden()
        return self._lock

    def _open_for_files(self, id: str) -> Entry:
        entry = self.find(id)  # while bytes came in, somebody may have published or deleted the draft
        if entry.published is not None:
            raise forbidden()
        return entry

    def _save(self, entry: Entry, *, touched: bool = True) -> Entry:
        if touched:
            entry = replace(entry, updated=self.now(), revision=entry.revision + 1)
        self.store.save(entry)
        self._note(entry.id, entry)
        return entry

    def _note(self, id: str, entry: Entry | None) -> None:
        for index in (self._searches, self._listings):
            index.note(id, entry)

    def _new_id(self) -> str:
        number = self.store.number()
        return str(number) if self.settings.legacy else spelled(number)

    def _next_version(self, latest: Entry, *, dated: bool) -> Entry:
        published = latest.published or Content()
        dropped = ("version", "publication_date")
        metadata = {name: value for name, value in published.metadata.items() if name not in dropped}
        metadata |= {"publication_date": self.today()} if dated else {}
        now = self.now()
        id, bucket = self._new_id(), str(uuid.uuid4())
        draft = replace(published, metadata=metadata, pids={}, files=())
        entry = Entry(id, latest.concept, latest.owner, latest.index + 1, bucket, created=now, updated=now, draft=draft)
        return self._save(entry, touched=False)

    def _new_file(self, key: str) -> StoredFile:
        now = self.now()
        return StoredFile(key, str(uuid.uuid4()), str(uuid.uuid4()), created=now, updated=now, committed=False)

    def _managed_doi(self, id: str) -> Json:
        return {"doi": {"client": "datacite", "identifier": self.settings.doi(id), "provider": "datacite"}}

    def _with_doi(self, content: Content, id: str) -> Content:
        return content if content.doi else replace(content, pids=self._managed_doi(id))

    def _is_taken(self, doi: str, entry: Entry) -> bool:
        others = (other for other in self.store.entries() if other.id != entry.id)
        return bool(doi) and any(other.published and other.published.doi == doi for other in others)
