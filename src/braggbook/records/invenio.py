"""InvenioRDM's records API, for institutes that run their own repository.

Source: https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/. A file takes two requests: its content, and
that it is complete; before that its name, which :meth:`InvenioArchive.announce` sends for all files at once. Names may
hold ``/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import requests

from braggbook.errors import ArchiveError, UnknownName
from braggbook.formats.record import Creator, Funding, RecordMetadata, Relation
from braggbook.progress import Progress
from braggbook.records.answers import KeyedFile, RdmFiles, RdmFound, RdmRecord, read
from braggbook.records.archive import Draft, Record, RemoteFile
from braggbook.records.download import fetch_checked
from braggbook.records.legacy import mark, paragraphs, plan_of
from braggbook.records.sending import Sending
from braggbook.records.transport import Transport

_RDM = {"Accept": "application/vnd.inveniordm.v1+json"}
_PAGE, _PAGES = 100, 20
_GONE = (404, 410)  # not 403: what somebody else has is no reason to make another
_TYPES = {"publication": "publication-other", "image": "image-other"}


def metadata_json(metadata: RecordMetadata, *, plan: str, day: str) -> dict[str, Any]:
    """Returns metadata as the records API takes them; the plan's digest is in an additional description.

    Args:
        metadata: Of the record.
        plan: Digest of the plan.
        day: Of publication (ISO 8601), which this API does not fill in.
    """
    notes = f"{metadata.notes}\n{mark(plan)}".strip()
    said: dict[str, Any] = {
        "resource_type": {"id": _TYPES.get(metadata.resource_type, metadata.resource_type)},
        "title": metadata.title,
        "publication_date": day,
        "creators": [{"person_or_org": _who(one), **_affiliated(one)} for one in metadata.creators],
        "description": paragraphs(metadata.description),
        "additional_descriptions": [{"description": notes, "type": {"id": "notes"}}],
        "rights": [{"id": metadata.license.lower()}],
        "languages": [{"id": metadata.language}],
        "version": metadata.version,
        "publisher": "Braggbook",
        "subjects": [{"subject": word} for word in (*metadata.keywords, *metadata.subjects)],
        "related_identifiers": [_related(one) for one in metadata.relations],
        "funding": [_funded(one) for one in metadata.funding],
    }
    return {key: value for key, value in said.items() if value}


def _who(creator: Creator) -> dict[str, Any]:
    if creator.type == "organizational":
        return {"type": "organizational", "name": creator.name}
    family, _, given = creator.name.partition(",")
    identifiers = [{"scheme": "orcid", "identifier": creator.orcid}] if creator.orcid else []
    return {
        "type": "personal", "family_name": family.strip(), "given_name": given.strip(), "identifiers": identifiers,
    }  # fmt: skip


def _affiliated(creator: Creator) -> dict[str, Any]:
    if not creator.affiliation:
        return {}
    return {"affiliations": [{"name": creator.affiliation}]}


def _related(relation: Relation) -> dict[str, Any]:
    scheme = "doi" if relation.identifier.startswith("10.") else "url"
    return {
        "identifier": relation.identifier,
        "scheme": scheme,
        "relation_type": {"id": relation.relation.lower()},
        "resource_type": {"id": _TYPES.get(relation.resource_type, relation.resource_type)},
    }


def _funded(funding: Funding) -> dict[str, Any]:
    award = {"award": {"title": {"en": funding.award}, "number": funding.award}} if funding.award else {}
    return {"funder": {"name": funding.funder}, **award}


class InvenioArchive:
    """A server with InvenioRDM's records API.

    Attributes:
        name: Its address.
        simultaneous: Files that are sent at a time.
        reserves: True: a draft has its DOI.
    """

    reserves = True

    def __init__(self, transport: Transport, *, today: str | None = None) -> None:
        self.name = transport.base
        self.simultaneous = transport.simultaneous
        self._transport = transport
        self._day = today
        self._announced: set[tuple[str, str]] = set()  # drafts and names whose content may come at once

    def own(self, plan: str) -> tuple[Draft, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        found = [one for one in self._listed() if _plan(one) == plan]
        found.sort(key=lambda one: (one.created, one.id))
        whole = [self.look(one.id) for one in found]
        return tuple(draft for draft in whole if draft is not None and draft.plan == plan)

    def _listed(self) -> Iterator[RdmRecord]:
        for page in range(1, _PAGES + 1):
            params = {"page": page, "size": _PAGE, "sort": "updated-desc"}
            hits = read(self._ask("GET", "/api/user/records", params=params), RdmFound).hits.hits
            yield from hits
            if len(hits) < _PAGE:
                return

    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        if version_of is None:
            return self._reserved(self._ask("POST", "/api/records", json=self._said(metadata, plan)))
        latest = self.record(version_of, latest=True)
        begun = read(self._ask("POST", f"/api/records/{latest.id}/versions"), RdmRecord)
        files = read(self._ask("GET", f"/api/records/{begun.id}/draft/files"), RdmFiles)
        for file in files.entries:
            self.remove(begun.id, file.key)
        return self.describe(begun.id, metadata, plan=plan)

    def _reserved(self, answer: requests.Response) -> Draft:
        """Reserves the DOI, so that it is known before publication; a server without DOIs of its own has none."""
        draft = read(answer, RdmRecord)
        if draft.doi is None:
            told = self._ask("POST", f"/api/records/{draft.id}/draft/pids/doi", expect=(400, 404, 405))
            draft = read(told, RdmRecord) if told.status_code < 300 else draft
        return _draft(draft)

    def look(self, id: str) -> Draft | None:
        """See :class:`braggbook.records.archive.Archive`."""
        told = self._ask("GET", f"/api/records/{id}/draft", expect=_GONE)
        if told.status_code < 300:
            draft = read(told, RdmRecord)
            if not draft.is_published:
                return replace(_draft(draft), files=self._files(id, "draft/"))
        told = self._ask("GET", f"/api/records/{id}", expect=_GONE)
        if told.status_code >= 300:
            return None
        return replace(_draft(read(told, RdmRecord), published=True), files=self._files(id))

    def describe(self, id: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        before = read(self._ask("GET", f"/api/records/{id}/draft"), RdmRecord)
        pids = before.pids.model_dump(mode="json", exclude_unset=True)  # a PUT without them drops a reserved DOI
        said = {**self._said(metadata, plan), **({"pids": pids} if before.doi else {})}
        described = self._reserved(self._ask("PUT", f"/api/records/{id}/draft", json=said))
        return replace(described, files=self._files(id, "draft/"))

    def announce(self, id: str, names: Sequence[str]) -> None:
        """See :class:`braggbook.records.archive.Announcing`."""
        files = f"/api/records/{id}/draft/files"
        there = read(self._ask("GET", files), RdmFiles)
        for name in there.pending:  # an earlier try named it; a draft with such a file cannot be published
            self.remove(id, name)
        known = {file.name for file in there.arrived}
        for name in known & set(names):  # it is to be replaced
            self.remove(id, name)
        if names:
            self._ask("POST", files, json=[{"key": name} for name in names])
            self._announced |= {(id, name) for name in names}

    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        """See :class:`braggbook.records.archive.Archive`."""
        sent = Sending(path, lambda count: progress.step(count, name))
        files, octets = f"/api/records/{id}/draft/files", {"Content-Type": "application/octet-stream"}
        if (id, name) in self._announced:
            self._announced.discard((id, name))
        else:
            self._name(id, name)
        self._transport.ask("PUT", f"{files}/{quote(name)}/content", body=sent.opened, headers=octets)
        arrived = read(self._transport.ask("POST", f"{files}/{quote(name)}/commit"), KeyedFile).remote
        sent.check(arrived.md5, where=name)
        return arrived

    def _name(self, id: str, name: str) -> None:
        """Says that a file of this name will come."""
        files, said = f"/api/records/{id}/draft/files", [{"key": name}]
        if self._transport.ask("POST", files, json=said, expect=(400,)).status_code == 400:
            self.remove(id, name)  # a try before this one has named it
            self._transport.ask("POST", files, json=said)

    def remove(self, id: str, name: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        told = self._ask("DELETE", f"/api/records/{id}/draft/files/{quote(name)}", expect=(404,))
        if told.status_code == 404 and (draft := self.look(id)) is not None and draft.state == "published":
            raise ArchiveError("a published record stays", where=draft.url or id)

    def publish(self, id: str) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        self._ask("POST", f"/api/records/{id}/draft/actions/publish")
        return self.record(id)

    def discard(self, id: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        draft = self.look(id)
        if draft is None:
            return
        if draft.state == "published":
            raise ArchiveError("a published record stays", where=draft.url or id)
        self._ask("DELETE", f"/api/records/{id}/draft", expect=(404,))

    def record(self, identifier: str, *, latest: bool = False) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        id = identifier.strip().rstrip("/").rpartition("/")[2].rpartition(".")[2]
        address = f"/api/records/{quote(id, safe='')}" + ("/versions/latest" if latest else "")
        told = self._ask("GET", address, expect=(404, 410))
        if told.status_code == 404:
            raise UnknownName("no such record", where=self.name, got=identifier)
        if told.status_code == 410:
            raise ArchiveError("the record was withdrawn", where=identifier)
        return self._record(read(told, RdmRecord))

    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        file = next((file for file in record.files if file.name == name), None)
        if file is None:
            raise UnknownName(f"no file of that name in {record.doi}", got=name)
        address = f"{self.name}/api/records/{record.id}/files/{quote(name)}/content"
        fetch_checked(self._transport, address, file, target, progress=progress)

    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        found = read(self._ask("GET", "/api/records", params={"q": text, "size": most}), RdmFound)
        return tuple(self._record(hit) for hit in found.hits.hits)

    def _said(self, metadata: RecordMetadata, plan: str) -> dict[str, Any]:
        day = self._day or date.today().isoformat()  # noqa: DTZ011 - the day where the person is
        access = {"record": "public", "files": "public"}
        return {"access": access, "files": {"enabled": True}, "metadata": metadata_json(metadata, plan=plan, day=day)}

    def _ask(
        self,
        method: str,
        address: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        expect: tuple[int, ...] = (),
    ) -> requests.Response:
        return self._transport.ask(method, address, json=json, params=params, headers=_RDM, expect=expect)

    def _files(self, id: str, part: str = "") -> tuple[RemoteFile, ...]:
        return read(self._ask("GET", f"/api/records/{id}/{part}files"), RdmFiles).arrived

    def _record(self, answer: RdmRecord) -> Record:
        parent = answer.parent.pids.doi
        return Record(
            id=answer.id,
            doi=answer.doi or "",
            concept_doi=parent.identifier if parent else None,
            version=answer.metadata.version,
            title=answer.metadata.title,
            published=answer.metadata.publication_date,
            plan=_plan(answer),
            files=self._files(answer.id),
            url=answer.links.self_html or "",
        )


def _draft(answer: RdmRecord, *, published: bool = False) -> Draft:
    state: Literal["draft", "published"] = "published" if published else "draft"
    return Draft(answer.id, state, answer.doi, _plan(answer), (), answer.links.self_html or "")


def _plan(answer: RdmRecord) -> str | None:
    described = answer.metadata.additional_descriptions
    return next((plan for one in described if (plan := plan_of(one.description))), None)
