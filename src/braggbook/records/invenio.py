"""InvenioRDM's records API, for institutes that run their own repository.

Source: https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/. A file takes three requests: its name, its
content, and that it is complete. Names may hold ``/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from braggbook.errors import ArchiveError, UnknownName
from braggbook.formats.record import Creator, Funding, RecordMetadata, Relation
from braggbook.progress import Progress
from braggbook.records.archive import Draft, Record, RemoteFile, by_name
from braggbook.records.download import fetch_checked
from braggbook.records.legacy import mark, paragraphs, plan_of
from braggbook.records.transport import Sending, Transport

_RDM = {"Accept": "application/vnd.inveniordm.v1+json"}
_PAGE, _PAGES = 100, 20
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
    """

    simultaneous = 4

    def __init__(self, transport: Transport, *, today: str | None = None) -> None:
        self.name = transport.base
        self._transport = transport
        self._day = today

    def own(self, plan: str) -> tuple[Draft, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        found: list[Draft] = []
        for page in range(1, _PAGES + 1):
            params = {"page": page, "size": _PAGE, "sort": "updated-desc"}
            hits = self._get("/api/user/records", params=params)["hits"]["hits"]
            found += [draft for hit in hits if (draft := self._draft(hit)).plan == plan]
            if len(hits) < _PAGE:
                break
        whole = [self.look(draft.id) for draft in reversed(found)]
        return tuple(draft for draft in whole if draft is not None)

    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        if version_of is None:
            answer = self._transport.ask("POST", "/api/records", json=self._said(metadata, plan), headers=_RDM)
            return self._reserved(answer.json())
        latest = self.record(version_of, latest=True)
        answer = self._transport.ask("POST", f"/api/records/{latest.id}/versions", headers=_RDM)
        draft = self._draft(answer.json())
        for file in self._files(draft.id, "draft"):
            self.remove(draft.id, file.name)
        return self.describe(draft.id, metadata, plan=plan)

    def _reserved(self, answer: Mapping[str, Any]) -> Draft:
        """Reserves the DOI, so that it is known before publication; a server without DOIs of its own has none."""
        if not _doi(answer):
            told = self._transport.ask(
                "POST", f"/api/records/{answer['id']}/draft/pids/doi", headers=_RDM, expect=(400, 404, 405)
            )
            answer = told.json() if told.status_code < 400 else answer
        return self._draft(answer)

    def look(self, id: str) -> Draft | None:
        """See :class:`braggbook.records.archive.Archive`."""
        told = self._transport.ask("GET", f"/api/records/{id}/draft", headers=_RDM, expect=(403, 404, 410))
        if told.status_code < 400:
            answer = told.json()
            if not answer.get("is_published"):
                return self._draft(answer, files=self._files(id, "draft"))
        told = self._transport.ask("GET", f"/api/records/{id}", headers=_RDM, expect=(403, 404, 410))
        if told.status_code >= 400:
            return None
        return self._draft(told.json(), files=self._files(id, ""))

    def describe(self, id: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        """See :class:`braggbook.records.archive.Archive`."""
        before = self._get(f"/api/records/{id}/draft")
        said = {**self._said(metadata, plan), **({"pids": before["pids"]} if before.get("pids") else {})}
        answer = self._transport.ask("PUT", f"/api/records/{id}/draft", json=said, headers=_RDM).json()
        described = self._reserved(answer)
        return self._with_files(described)

    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        """See :class:`braggbook.records.archive.Archive`."""
        files = f"/api/records/{id}/draft/files"
        one = f"{files}/{quote(name)}"
        told = self._transport.ask("POST", files, json=[{"key": name}], expect=(400,))
        if told.status_code == 400:  # a try before this one has named it
            self.remove(id, name)
            self._transport.ask("POST", files, json=[{"key": name}])
        sent = Sending(path, lambda count: progress.step(count, name))
        octets = {"Content-Type": "application/octet-stream"}
        self._transport.ask("PUT", f"{one}/content", body=sent.opened, headers=octets)
        entry = self._transport.ask("POST", f"{one}/commit").json()
        arrived = _file(entry)
        sent.check(arrived.md5, where=name)
        return arrived

    def remove(self, id: str, name: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        told = self._transport.ask("DELETE", f"/api/records/{id}/draft/files/{quote(name)}", expect=(404,))
        if told.status_code == 404 and (draft := self.look(id)) is not None and draft.state == "published":
            raise ArchiveError("a published record stays", where=draft.url or id)

    def publish(self, id: str) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        self._transport.ask("POST", f"/api/records/{id}/draft/actions/publish", headers=_RDM)
        return self.record(id)

    def discard(self, id: str) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        draft = self.look(id)
        if draft is None:
            return
        if draft.state == "published":
            raise ArchiveError("a published record stays", where=draft.url or id)
        self._transport.ask("DELETE", f"/api/records/{id}/draft", expect=(404,))

    def record(self, identifier: str, *, latest: bool = False) -> Record:
        """See :class:`braggbook.records.archive.Archive`."""
        id = identifier.strip().rstrip("/").rpartition("/")[2].rpartition(".")[2]
        address = f"/api/records/{id}" + ("/versions/latest" if latest else "")
        told = self._transport.ask("GET", address, headers=_RDM, expect=(404, 410))
        if told.status_code == 404:
            raise UnknownName("no such record", where=self.name, got=identifier)
        if told.status_code == 410:
            raise ArchiveError("the record was withdrawn", where=identifier)
        answer = told.json()
        return self._record(answer, self._files(str(answer["id"]), ""))

    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        """See :class:`braggbook.records.archive.Archive`."""
        file = next((file for file in record.files if file.name == name), None)
        if file is None:
            raise UnknownName(f"no file of that name in {record.doi}", got=name)
        address = f"{self.name}/api/records/{record.id}/files/{quote(name)}/content"
        fetch_checked(self._transport, address, file, target, progress=progress)

    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        """See :class:`braggbook.records.archive.Archive`."""
        hits = self._get("/api/records", params={"q": text, "size": most})["hits"]["hits"]
        return tuple(self._record(hit, self._files(str(hit["id"]), "")) for hit in hits)

    def _said(self, metadata: RecordMetadata, plan: str) -> dict[str, Any]:
        day = self._day or date.today().isoformat()  # noqa: DTZ011 - the day where the person is
        access = {"record": "public", "files": "public"}
        return {"access": access, "files": {"enabled": True}, "metadata": metadata_json(metadata, plan=plan, day=day)}

    def _get(self, address: str, *, params: Mapping[str, Any] | None = None) -> Any:
        return self._transport.ask("GET", address, params=params, headers=_RDM).json()

    def _files(self, id: str, part: str) -> tuple[RemoteFile, ...]:
        middle = f"{part}/" if part else ""
        entries = self._get(f"/api/records/{id}/{middle}files").get("entries") or []
        return by_name(_file(entry) for entry in entries if entry.get("status", "completed") == "completed")

    def _with_files(self, draft: Draft) -> Draft:
        return Draft(draft.id, draft.state, draft.doi, draft.plan, self._files(draft.id, "draft"), draft.url)

    def _draft(self, answer: Mapping[str, Any], *, files: tuple[RemoteFile, ...] = ()) -> Draft:
        published = bool(answer.get("is_published")) and not answer.get("is_draft")
        return Draft(
            id=str(answer["id"]),
            state="published" if published else "draft",
            doi=_doi(answer),
            plan=_plan(answer),
            files=files,
            url=str((answer.get("links") or {}).get("self_html") or ""),
        )

    def _record(self, answer: Mapping[str, Any], files: tuple[RemoteFile, ...]) -> Record:
        metadata = answer["metadata"]
        parent = ((answer.get("parent") or {}).get("pids") or {}).get("doi") or {}
        return Record(
            id=str(answer["id"]),
            doi=_doi(answer) or "",
            concept_doi=parent.get("identifier"),
            version=str(metadata.get("version") or ""),
            title=str(metadata["title"]),
            published=str(metadata.get("publication_date") or ""),
            plan=_plan(answer),
            files=files,
            url=str((answer.get("links") or {}).get("self_html") or ""),
        )


def _doi(answer: Mapping[str, Any]) -> str | None:
    return ((answer.get("pids") or {}).get("doi") or {}).get("identifier")


def _plan(answer: Mapping[str, Any]) -> str | None:
    described = (answer.get("metadata") or {}).get("additional_descriptions") or []
    return next((plan for one in described if (plan := plan_of(str(one.get("description"))))), None)


def _file(entry: Mapping[str, Any]) -> RemoteFile:
    return RemoteFile(str(entry["key"]), int(entry["size"]), str(entry["checksum"]).removeprefix("md5:"))
