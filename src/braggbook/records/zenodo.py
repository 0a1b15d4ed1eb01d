"""Zenodo, its sandbox, and every server with its deposit API, through the package zenodo-client.

zenodo-client 0.4.2 sends the token in addresses, uploads under the default user agent, asks nothing twice, leaves
drafts behind, never compares a checksum and cuts names; :class:`Client` mends each of these below the package's own
verbs, and :class:`ZenodoArchive` puts them together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import requests

from braggbook.errors import ArchiveError, UnknownName
from braggbook.formats.record import RecordMetadata
from braggbook.progress import Progress
from braggbook.records import legacy
from braggbook.records.answers import Deposition, KeyedFile, LegacyFound, LegacyRecord, Listed, read
from braggbook.records.archive import Draft, Record, RemoteFile
from braggbook.records.download import fetch_checked
from braggbook.records.sending import Sending
from braggbook.records.transport import Transport
from braggbook.records.zenodo_package import Zenodo

ZENODO, SANDBOX = "https://zenodo.org", "https://sandbox.zenodo.org"
_PREFIX, _SANDBOX_PREFIX = "10.5281", "10.5072"  # of DOIs
_PAGE = 100  # entries that an authenticated listing gives at most
_PAGES = 20  # of one's own depositions that are looked through for a draft that a crash left; the newest first
_STALE = "Please remove all files first."
_ID = re.compile(r"(?:.*[/.])?(\d{1,18})/?", re.ASCII)
_GONE = (404, 410)  # not 403: what somebody else has is no reason to make another


class Client(Zenodo):
    """zenodo-client's verbs over our transport: any server, the token in a header, names kept whole."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(access_token="held by the transport")  # noqa: S106 - a text that nothing sends
        self.transport = transport
        self.base = transport.base
        self.api_base = f"{self.base}/api"
        self.depositions_base = f"{self.api_base}/deposit/depositions"

    def _action(self, deposition_id: str, action: str, sleep: bool = False) -> requests.Response:  # noqa: ARG002, FBT001, FBT002 - its signature
        expect = (400,) if action == "newversion" else ()
        return self.transport.ask("POST", f"{self.depositions_base}/{deposition_id}/actions/{action}", expect=expect)

    def deposition(self, id: str) -> requests.Response:
        """Asks for a draft or record of one's own; the caller deals with 404 and 410."""
        return self._get_deposition(id)

    def _get_deposition(self, deposition_id: str) -> requests.Response:
        return self.transport.ask("GET", f"{self.depositions_base}/{deposition_id}", expect=_GONE)

    def get_record(self, record_id: int | str, *, authenticate: bool = True) -> requests.Response:  # noqa: ARG002
        """Asks for a published record; the caller deals with 404 and 410."""
        return self.transport.ask("GET", f"{self.api_base}/records/{record_id}", expect=(404, 410))

    def own(self) -> Iterator[Listed]:
        """Gives one's own depositions, the newest first."""
        for page in range(1, _PAGES + 1):
            params = {"page": page, "size": _PAGE, "sort": "mostrecent", "all_versions": "true"}
            listed = read(self.transport.ask("GET", self.depositions_base, params=params), list[Listed])
            yield from listed
            if len(listed) < _PAGE:
                return

    def upload(self, bucket: str, name: str, path: Path, *, step: Callable[[int], None]) -> RemoteFile:
        """Sends a file as it is called, in blocks, and compares what arrived with what was sent.

        Raises:
            HashMismatch: They differ.
        """
        sent = Sending(path, step)
        address, headers = f"{bucket}/{quote(name, safe='')}", {"Content-Type": "application/octet-stream"}
        arrived = read(self.transport.ask("PUT", address, body=sent.opened, headers=headers), KeyedFile).remote
        sent.check(arrived.md5, where=name)
        return arrived


class ZenodoArchive:
    """A server with Zenodo's deposit API.

    Attributes:
        name: ``zenodo``, ``zenodo_sandbox`` or the server's address.
        simultaneous: Files that are sent at a time.
        reserves: Whether the DOI is known that a draft will get.
    """

    def __init__(self, transport: Transport, *, reserves: bool | None = None) -> None:
        """Takes a server; ``reserves`` says of one that is not Zenodo whether it keeps the DOIs that it announces."""
        names = {ZENODO: "zenodo", SANDBOX: "zenodo_sandbox"}
        self.name = names.get(transport.base, transport.base)
        self.simultaneous = transport.simultaneous
        self.reserves = transport.base in names if reserves is None else reserves
        self._client = Client(transport)
        self._transport = transport
        self._buckets: dict[str, str] = {}

    def own(self, plan: str) -> tuple[Draft, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        found = [one for one in self._client.own() if legacy.plan_of(one.metadata.notes) == plan]
        found.sort(key=lambda one: (one.created, len(one.id), one.id))
        # a listing has no files and no bucket
        whole = [self.look(one.id) for one in found]
        return tuple(draft for draft in whole if draft is not None and draft.plan == plan)

    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        if version_of is not None:
            return self._next_version(version_of, metadata, plan=plan)
        said = {"metadata": legacy.metadata_json(metadata, plan=plan)}
        return self._draft(self._transport.ask("POST", self._client.depositions_base, json=said))

    def _next_version(self, identifier: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        """Makes or takes over the draft of the next version, empties it and describes it anew."""
        latest = self.record(identifier, latest=True)
        answer = self._client.new_version(latest.id, sleep=False)
        if answer.status_code == 400:
            if _STALE not in answer.text:
                got = self._transport.clean(answer.text)
                raise ArchiveError("the archive makes no new version", where=latest.doi, got=got)
            id = self._begun_version(latest.id)
        else:
            id = (read(answer, Deposition).links.latest_draft or "").rstrip("/").rpartition("/")[2]
            if not _ID.fullmatch(id):
                raise ArchiveError("the archive does not say which draft it made", where=latest.doi)
        draft = self._must_be_there(id)
        for file in draft.files:
            self.remove(id, file.name)
        return self.describe(id, metadata, plan=plan)

    def _begun_version(self, id: str) -> str:
        """Returns the draft of a record's next version that somebody began before."""
        concept = read(self._client.deposition(id), Listed).conceptrecid
        found = (one.id for one in self._client.own() if not one.submitted and one.conceptrecid == concept)
        if concept is None or (begun := next(found, None)) is None:
            raise ArchiveError("the draft of the next version is not among your own", where=f"{self.name}, {id}")
        return begun

    def look(self, id: str) -> Draft | None:
        """See :class:`braggbook.records.archive.Archive`."""
        answer = self._client.deposition(id)
        return None if answer.status_code in _GONE else self._draft(answer)

    def describe(self, id: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        said = {"metadata": legacy.metadata_json(metadata, plan=plan)}
        return self._draft(self._transport.ask("PUT", f"{self._client.depositions_base}/{id}", json=said))

    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        """See :class:`braggbook.records.archive.Archive`."""
        if "/" in name or name in (".", ".."):
            wanted = "a name without /, for Zenodo's deposit API has no folders"
            raise ArchiveError("a name that the archive cannot have", where=name, wanted=wanted)
        return self._client.upload(self._bucket(id), name, path, step=lambda sent: progress.step(sent, name))

    def remove(self, id: str, name: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        self._transport.ask("DELETE", f"{self._bucket(id)}/{quote(name, safe='')}", expect=(404,))

    def publish(self, id: str) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        self._client.publish(id, sleep=False)
        return self.record(id)

    def discard(self, id: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        draft = self.look(id)
        if draft is None:
            return
        if draft.state == "published":
            raise ArchiveError("a published record stays", where=draft.url or id)
        self._transport.ask("DELETE", f"{self._client.depositions_base}/{id}", expect=(404,))

    def record(self, identifier: str, *, latest: bool = False) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        match = _ID.fullmatch(identifier.strip())
        if match is None:
            raise UnknownName("not a record's identifier", got=repr(identifier), wanted="a DOI, an id or an address")
        answer = self._client.get_record(f"{match[1]}/versions/latest" if latest else match[1])
        if answer.status_code == 404:
            raise UnknownName("no such record", where=self.name, got=identifier)
        if answer.status_code == 410:
            raise ArchiveError("the record was withdrawn", where=identifier)
        return self._published(read(answer, LegacyRecord))

    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        file = next((file for file in record.files if file.name == name), None)
        if file is None:
            raise UnknownName(f"no file of that name in {record.doi}", got=name)
        address = f"{self._client.api_base}/records/{record.id}/files/{quote(name, safe='')}/content"
        fetch_checked(self._transport, address, file, target, progress=progress)

    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        answer = self._transport.ask("GET", f"{self._client.api_base}/records", params={"q": text, "size": most})
        return tuple(self._published(entry) for entry in read(answer, LegacyFound).hits.hits)

    def _published(self, answer: LegacyRecord) -> Record:
        record = legacy.record_of(answer)
        if record is None:
            raise ArchiveError("a record without a DOI", where=f"{self.name}, {answer.id}")
        return record

    def _must_be_there(self, id: str) -> Draft:
        draft = self.look(id)
        if draft is None:
            raise ArchiveError("the draft is gone", where=f"{self.name}, {id}")
        return draft

    def _bucket(self, id: str) -> str:
        if id not in self._buckets:
            self._must_be_there(id)
        if id not in self._buckets:
            raise ArchiveError("the archive says no place for files", where=f"{self.name}, {id}")
        return self._buckets[id]

    def _draft(self, answer: requests.Response) -> Draft:
        told = read(answer, Deposition)
        bucket = (told.links.bucket or "").rstrip("/")
        if bucket:
            if not bucket.startswith(f"{self._client.api_base}/") or set("?#") & set(bucket):
                where, got = f"{self.name}, {told.id}", self._transport.clean(bucket)
                raise ArchiveError("the archive's place for files is elsewhere", where=where, wanted=self.name, got=got)
            self._buckets[told.id] = bucket
        draft = legacy.draft_of(told)
        return draft if draft.doi is not None else replace(draft, doi=self._reserved(told.metadata.prereserve_doi.doi))

    def _reserved(self, doi: str | None) -> str | None:
        """Returns the DOI that a draft will get.

        Zenodo's code says Zenodo's own prefix on every server that runs it. The sandbox's is known; on another server
        such an announcement means nothing.
        """
        if not doi or not self.reserves:
            return None
        return re.sub(f"^{_PREFIX}/", f"{_SANDBOX_PREFIX}/", doi) if self.name == "zenodo_sandbox" else doi
