"""InvenioRDM's records API: drafts, files in three requests, versions, searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .archive import Archive
from .content import receive_body, send_file
from .legacy_shapes import record
from .model import Content, Entry, Json, StoredFile
from .problems import ApiError, Issue, bad_request, does_not_exist, forbidden, invalid, no_such_file
from .rdm_shapes import rdm_file, rdm_files, rdm_hits, rdm_record, read_record
from .routing import Request, Route, revision_headers
from .search import flag, in_order, matching, page_of
from .settings import ACTIONS, WRITE
from .validation import metadata_issues
from .wire import Reply

_JSON, _LEGACY_JSON, _RDM_JSON = (
    "application/json",
    "application/vnd.zenodo.v1+json",
    "application/vnd.inveniordm.v1+json",
)


class RdmApi:
    """Answers the records API's requests."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self._settings = archive, archive.settings

    def routes(self) -> list[Route]:
        """Returns the addresses, most particular first: a file's name may have slashes."""
        one = "/api/records/{id}"
        draft, files, drafted = f"{one}/draft", f"{one}/files", f"{one}/draft/files"
        return [
            Route("GET", "/api/records", self.search),
            Route("POST", "/api/records", self.create),
            Route("GET", "/api/user/records", self.search_own),
            Route("GET", one, self.read),
            Route("GET", f"{one}/versions", self.versions),
            Route("POST", f"{one}/versions", self.new_version),
            Route("GET", f"{one}/versions/latest", self.read_latest),
            Route("GET", draft, self.read_draft),
            Route("POST", draft, self.edit),
            Route("PUT", draft, self.rewrite),
            Route("DELETE", draft, self.discard),
            Route("POST", f"{draft}/actions/publish", self.publish),
            Route("POST", f"{draft}/actions/files-import", self.import_files),
            Route("POST", f"{draft}/pids/doi", self.reserve_doi),
            Route("DELETE", f"{draft}/pids/doi", self.drop_doi),
            Route("GET", drafted, self.draft_files),
            Route("POST", drafted, self.init_files),
            Route("GET", f"{drafted}/{{key:path}}/content", self.download_draft),
            Route("PUT", f"{drafted}/{{key:path}}/content", self.upload, streams=True),
            Route("POST", f"{drafted}/{{key:path}}/commit", self.commit),
            Route("GET", f"{drafted}/{{key:path}}", self.draft_file),
            Route("DELETE", f"{drafted}/{{key:path}}", self.delete_file),
            Route("GET", files, self.files),
            Route("GET", f"{files}/{{key:path}}/content", self.download),
            Route("GET", f"{files}/{{key:path}}", self.file),
        ]

    def create(self, request: Request) -> Reply:
        """Makes the draft of a new record."""
        account = request.who(WRITE)
        content, issues = read_record(request.json())
        return self._draft_reply(201, self._archive.create(account, content), request, issues)

    def read_draft(self, request: Request) -> Reply:
        """Shows a draft to its owner."""
        return self._draft_reply(200, self._archive.drafted(request["id"], request.who(WRITE)), request)

    def rewrite(self, request: Request) -> Reply:
        """Replaces what a draft says, wholly."""
        entry = self._archive.drafted(request["id"], request.who(WRITE))
        content, issues = read_record(request.json())
        if_match = request.headers.get("If-Match", "").strip('"')
        return self._draft_reply(200, self._archive.rewrite(entry, content, if_match=if_match), request, issues)

    def discard(self, request: Request) -> Reply:
        """Throws a draft away."""
        self._archive.delete_draft(request["id"], request.who(WRITE))
        return Reply(204)

    def edit(self, request: Request) -> Reply:
        """Opens a published record for changes of its metadata."""
        return self._draft_reply(201, self._archive.edit(request["id"], request.who(WRITE)), request)

    def publish(self, request: Request) -> Reply:
        """Publishes a draft."""
        entry = self._archive.publish(request["id"], request.who(ACTIONS), strict=False)
        return self._record_reply(202, entry, request)

    def import_files(self, request: Request) -> Reply:
        """Links the files of the latest published version into a draft without files."""
        entry = self._archive.import_files(request["id"], request.who(WRITE))
        return Reply(201, json=rdm_files(entry.content, entry, own=self._own(entry, request, draft=True)))

    def reserve_doi(self, request: Request) -> Reply:
        """Reserves the DOI of a draft."""
        entry = self._archive.set_doi(request["id"], request.who(WRITE), reserved=True)
        return self._draft_reply(201, entry, request)

    def drop_doi(self, request: Request) -> Reply:
        """Lets the reserved DOI of a draft go."""
        entry = self._archive.set_doi(request["id"], request.who(WRITE), reserved=False)
        return self._draft_reply(200, entry, request)

    def new_version(self, request: Request) -> Reply:
        """Makes the draft of the next version without files, or returns the one that is there."""
        entry = self._archive.new_version(request["id"], request.who(WRITE), legacy=False)
        return self._draft_reply(201, entry, request)

    def read(self, request: Request) -> Reply:
        """Shows a record to everybody; the identifier of all versions leads to the latest."""
        try:
            return self._record_reply(200, self._archive.published(request["id"]), request)
        except ApiError as error:
            versions = self._archive.versions(request["id"]) if error.status == 404 else []
            if not versions:
                raise
        location = f"{request.api}/records/{versions[-1].id}"
        moved = {"status": 301, "message": "Moved Permanently.", "location": location}
        return Reply(301, json=moved, headers={"Location": location})

    def read_latest(self, request: Request) -> Reply:
        """Shows the latest version of a record."""
        return self._record_reply(200, self._archive.latest(self._concept(request)), request)

    def versions(self, request: Request) -> Reply:
        """Lists the published versions of a record, the latest first; a search, which may lag behind."""
        concept = self._concept(request)
        there = self._archive.seen(by_search=True)
        found = [entry for entry in there if entry.concept == concept and entry.published]
        entries = sorted(found, key=lambda entry: -entry.index)
        return self._hits(entries, request, f"{request.api}/records/{request['id']}/versions")

    def _concept(self, request: Request) -> str:
        if self._archive.versions(request["id"]):
            return request["id"]
        return self._archive.find(request["id"]).concept

    def search(self, request: Request) -> Reply:
        """Searches the published records."""
        every = flag(request.query, "allversions", "all_versions")
        there = (entry for entry in self._archive.seen(by_search=True) if entry.published)
        found = [entry for entry in there if every or self._archive.is_latest(entry)]
        entries = in_order(matching(found, request.query.get("q", "")), request.query)
        return self._hits(entries, request, f"{request.api}/records")

    def search_own(self, request: Request) -> Reply:
        """Searches one's own drafts and records."""
        account = request.who(WRITE)
        q = request.query.get("q", "")
        mine = [
            entry
            for entry in self._archive.seen(by_search=bool(q))
            if entry.owner == account.id and not entry.tombstone
        ]
        if flag(request.query, "is_published"):
            mine = [entry for entry in mine if entry.published]
        entries = in_order(matching(mine, q), request.query)
        return self._hits(entries, request, f"{request.api}/user/records", own=True)

    def _hits(self, entries: Sequence[Entry], request: Request, address: str, *, own: bool = False) -> Reply:
        largest = self._settings.page_size if request.account else self._settings.page_size_guest
        page = page_of(entries, request.query, largest=largest)
        kind = self._kind(request)
        hits = [self._shape(entry, self._seen(entry, own=own), request, kind) for entry in page.entries]
        return Reply(200, json=rdm_hits(hits, page, address=address, query=request.query), content_type=kind)

    @staticmethod
    def _seen(entry: Entry, *, own: bool) -> Content:
        return entry.content if own or entry.published is None else entry.published

    def draft_files(self, request: Request) -> Reply:
        """Lists the files of a draft."""
        entry = self._archive.drafted(request["id"], request.who(WRITE))
        return Reply(200, json=rdm_files(entry.content, entry, own=self._own(entry, request, draft=True)))

    def init_files(self, request: Request) -> Reply:
        """Announces files."""
        entry = self._writable(request)
        keys = _keys(request.json())
        entry = self._archive.init_files(entry, keys)
        return Reply(201, json=rdm_files(entry.content, entry, own=self._own(entry, request, draft=True)))

    def upload(self, request: Request) -> Reply:
        """Takes the bytes of an announced file in."""
        entry = self._writable(request)
        request.expect("application/octet-stream", default="application/octet-stream")
        key = request["key"]
        file = entry.content.file(key)
        if file is None:
            raise no_such_file(entry.id, key)
        if file.committed:
            raise bad_request(f"The file '{key}' is already committed.")
        others = sum(other.size for other in entry.content.files if other.key != key)
        with self._archive.store.receive() as receiver:
            receive_body(request, receiver, room=self._settings.bytes_per_record - others)
            entry, file = self._archive.keep_file(entry.id, key, receiver, committed=False)
        request.stored.append(file.blob)
        return self._file_reply(file, entry, request)

    def commit(self, request: Request) -> Reply:
        """Ends the upload of a file."""
        entry = self._writable(request)
        entry, file = self._archive.commit_file(entry.id, request["key"])
        return self._file_reply(file, entry, request)

    def draft_file(self, request: Request) -> Reply:
        """Shows a file of a draft."""
        entry = self._archive.drafted(request["id"], request.who(WRITE))
        return self._file_reply(_named(entry.content, entry, request["key"]), entry, request)

    def delete_file(self, request: Request) -> Reply:
        """Takes a file out of a draft."""
        self._archive.delete_file(self._writable(request), request.account, request["key"])
        return Reply(204)

    def download_draft(self, request: Request) -> Reply:
        """Sends a file of a draft to its owner."""
        entry = self._archive.drafted(request["id"], request.who(WRITE))
        file = _named(entry.content, entry, request["key"])
        if not file.blob:
            raise no_such_file(entry.id, file.key)
        return send_file(self._archive, file, request)

    def _writable(self, request: Request) -> Entry:
        return self._archive.writable(self._archive.drafted(request["id"], request.who(WRITE)), request.account)

    def _file_reply(self, file: StoredFile, entry: Entry, request: Request) -> Reply:
        return Reply(200, json=rdm_file(file, entry, own=self._own(entry, request, draft=True)))

    def files(self, request: Request) -> Reply:
        """Lists the files of a record."""
        entry, content = self._readable(request)
        return Reply(200, json=rdm_files(content, entry, own=self._own(entry, request, draft=False)))

    def file(self, request: Request) -> Reply:
        """Shows a file of a record."""
        entry, content = self._readable(request)
        file = _named(content, entry, request["key"])
        return Reply(200, json=rdm_file(file, entry, own=self._own(entry, request, draft=False)))

    def download(self, request: Request) -> Reply:
        """Sends a file of a record."""
        entry, content = self._readable(request)
        return send_file(self._archive, _named(content, entry, request["key"]), request)

    def _readable(self, request: Request) -> tuple[Entry, Content]:
        entry = self._archive.published(request["id"])
        if entry.published is None:
            raise does_not_exist()
        if not self._archive.readable(entry.published, entry, request.account):
            raise forbidden()
        return entry, entry.published

    def _kind(self, request: Request) -> str:
        offered = (_JSON, _RDM_JSON, _LEGACY_JSON) if self._settings.legacy else (_JSON, _RDM_JSON)
        return request.accepts(*offered)

    def _shape(self, entry: Entry, content: Content, request: Request, kind: str, errors: Iterable[Issue] = ()) -> Json:
        is_latest = self._archive.is_latest(entry)
        if self._settings.legacy and kind != _RDM_JSON:
            return record(entry, content, base=request.base, settings=self._settings, is_latest=is_latest)
        return rdm_record(
            entry, content, base=request.base, settings=self._settings, is_latest=is_latest, errors=tuple(errors)
        )

    def _draft_reply(self, status: int, entry: Entry, request: Request, issues: Sequence[Issue] = ()) -> Reply:
        kind = self._kind(request)
        errors = [*issues, *metadata_issues(entry.content.metadata)]
        shape = self._shape(entry, entry.content, request, kind, errors)
        return Reply(status, json=shape, content_type=kind, headers=revision_headers(entry))

    def _record_reply(self, status: int, entry: Entry, request: Request) -> Reply:
        kind = self._kind(request)
        shape = self._shape(entry, entry.published or entry.content, request, kind)
        return Reply(status, json=shape, content_type=kind, headers=revision_headers(entry))

    @staticmethod
    def _own(entry: Entry, request: Request, *, draft: bool) -> str:
        return f"{request.api}/records/{entry.id}{'/draft' if draft else ''}"


def _keys(body: object) -> list[str]:
    if not isinstance(body, list) or not body:
        raise invalid(("_schema", "Invalid input type."))
    keys = [entry.get("key") if isinstance(entry, dict) else None for entry in body]
    if wrong := [number for number, key in enumerate(keys) if not isinstance(key, str) or not key]:
        raise invalid(*((f"{number}.key", "Missing data for required field.") for number in wrong))
    return [str(key) for key in keys]


def _named(content: Content, entry: Entry, key: str) -> StoredFile:
    file = content.file(key)
    if file is None:
        raise no_such_file(entry.id, key)
    return file
