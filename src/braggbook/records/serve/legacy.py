"""Zenodo's deposit API: depositions, buckets, and the old-style files below a deposition."""

from __future__ import annotations

from .archive import Archive
from .content import receive_body, send_file
from .legacy_in import read_deposit
from .legacy_shapes import bucket_file, deposition, deposition_file, deposition_links
from .model import Content, Entry, StoredFile
from .multipart import Form, read_form, secure_filename
from .problems import TRANSFER_FAILED, HtmlError, bad_request, forbidden, no_such_file, no_such_page
from .routing import Request, Route, revision_headers
from .search import flag, in_order, matching, page_of
from .settings import ACTIONS, WRITE
from .store import Receiver
from .wire import Reply

_JSON = "application/json"


class LegacyApi:
    """Answers the deposit API's requests."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self._settings = archive, archive.settings

    def routes(self) -> list[Route]:
        """Returns the addresses, most particular first."""
        all_, one = "/api/deposit/depositions", "/api/deposit/depositions/{id}"
        return [
            Route("GET", all_, self.search),
            Route("POST", all_, self.create),
            Route("GET", one, self.read),
            Route("PUT", one, self.rewrite),
            Route("DELETE", one, self.discard),
            Route("POST", f"{one}/actions/publish", self.publish),
            Route("POST", f"{one}/actions/edit", self.edit),
            Route("POST", f"{one}/actions/discard", self.discard),
            Route("POST", f"{one}/actions/newversion", self.new_version),
            Route("GET", f"{one}/files", self.files),
            Route("POST", f"{one}/files", self.upload_form, streams=True),
            Route("GET", f"{one}/files/{{file}}", self.file),
            Route("DELETE", f"{one}/files/{{file}}", self.delete_file),
            Route("GET", "/api/files/{bucket}", self.bucket),
            Route("GET", "/api/files/{bucket}/{key}", self.download),
            Route("PUT", "/api/files/{bucket}/{key}", self.upload, streams=True),
            Route("DELETE", "/api/files/{bucket}/{key}", self.delete_object),
        ]

    def search(self, request: Request) -> Reply:
        """Lists one's own depositions."""
        account = request.who(WRITE)
        request.accepts(_JSON)
        q = request.query.get("q", "")
        mine = [
            entry
            for entry in self._archive.seen(by_search=bool(q))
            if entry.owner == account.id and not entry.tombstone
        ]
        found = [entry for entry in mine if self._is_wanted(entry, request)]
        page = page_of(in_order(matching(found, q), request.query), request.query, largest=self._settings.page_size)
        return Reply(200, json=[self._json(entry, request, hit=True) for entry in page.entries])

    def _is_wanted(self, entry: Entry, request: Request) -> bool:
        status = request.query.get("status", "")
        if status == "draft":
            return entry.draft is not None
        if status == "published" and (entry.published is None or entry.draft is not None):
            return False
        every = flag(request.query, "all_versions", "allversions")
        return every or entry.draft is not None or self._archive.is_latest(entry)

    def create(self, request: Request) -> Reply:
        """Makes a deposition."""
        account = request.who(WRITE)
        entry = self._archive.create(account, self._content(request))
        return self._reply(201, entry, request)

    def read(self, request: Request) -> Reply:
        """Shows a deposition to its owner."""
        account = request.who(WRITE)
        request.accepts(_JSON)
        return self._reply(200, self._archive.owned(request["id"], account), request)

    def rewrite(self, request: Request) -> Reply:
        """Replaces what a draft says, wholly."""
        entry = self._archive.drafted(request["id"], request.who(WRITE))
        if_match = request.headers.get("If-Match", "").strip('"')
        return self._reply(200, self._archive.rewrite(entry, self._content(request), if_match=if_match), request)

    def discard(self, request: Request) -> Reply:
        """Throws a draft away."""
        self._archive.delete_draft(request["id"], request.who(WRITE))
        return Reply(204)

    def publish(self, request: Request) -> Reply:
        """Publishes a draft."""
        entry = self._archive.publish(request["id"], request.who(ACTIONS), strict=True)
        return self._reply(202, entry, request)

    def edit(self, request: Request) -> Reply:
        """Opens a published deposition for changes of its metadata."""
        return self._reply(201, self._archive.edit(request["id"], request.who(ACTIONS)), request)

    def new_version(self, request: Request) -> Reply:
        """Makes the draft of the next version, with the files of the latest, and answers with it."""
        entry = self._archive.new_version(request["id"], request.who(ACTIONS), legacy=True)
        return self._reply(201, entry, request)

    def _content(self, request: Request) -> Content:
        return read_deposit(request.json(), today=self._archive.today(), own_prefix=self._settings.doi_prefix)

    def _json(self, entry: Entry, request: Request, *, hit: bool = False) -> object:
        return deposition(entry, base=request.base, settings=self._settings, hit=hit)

    def _reply(self, status: int, entry: Entry, request: Request) -> Reply:
        return Reply(status, json=self._json(entry, request), headers=revision_headers(entry))

    def files(self, request: Request) -> Reply:
        """Lists the files of a deposition."""
        entry = self._archive.owned(request["id"], request.who(WRITE))
        return Reply(200, json=[self._file_json(file, entry, request) for file in entry.content.files])

    def file(self, request: Request) -> Reply:
        """Shows one file of a deposition."""
        entry = self._archive.owned(request["id"], request.who(WRITE))
        return Reply(200, json=self._file_json(self._by_id(entry, request["file"]), entry, request))

    def delete_file(self, request: Request) -> Reply:
        """Takes a file out of a draft (403 once it is published)."""
        entry = self._archive.owned(request["id"], request.who(WRITE))
        self._archive.delete_file(entry, request.account, self._by_id(entry, request["file"]).key)
        return Reply(204)

    def upload_form(self, request: Request) -> Reply:
        """Takes a file from a form, its name made harmless."""
        entry = self._archive.drafted(request["id"], request.who(WRITE))
        self._archive.writable(entry, request.account)
        request.expect("multipart/form-data")
        with self._archive.store.receive() as receiver:
            form = self._form(request, receiver)
            key = secure_filename(form.fields.get("name", form.filename or ""))
            if not key:
                raise bad_request(TRANSFER_FAILED)
            entry, file = self._archive.keep_file(entry.id, key, receiver, committed=True)
        request.stored.append(file.blob)
        return Reply(201, json=self._file_json(file, entry, request))

    def _form(self, request: Request, receiver: Receiver) -> Form:
        limit = self._settings.bytes_per_form
        if request.body is None or (request.body.length or 0) > limit:
            raise HtmlError(413)

        def write(block: memoryview | bytes) -> None:
            if receiver.size + len(block) > limit:
                raise HtmlError(413)
            receiver.write(block)

        form = read_form(request.body.blocks(), request.headers["Content-Type"], write=write)
        if form.filename is None:
            raise bad_request("The browser (or proxy) sent a request that this server could not understand.")
        return form

    def _file_json(self, file: StoredFile, entry: Entry, request: Request) -> object:
        return deposition_file(file, deposition_links(entry, base=request.base, settings=self._settings))

    def _by_id(self, entry: Entry, file_id: str) -> StoredFile:
        for file in entry.content.files:
            if file.file_id == file_id:
                return file
        raise no_such_page()

    def bucket(self, request: Request) -> Reply:
        """Lists the files of a bucket."""
        entry = self._archive.in_bucket(request["bucket"])
        self._may_read(entry, request)
        return Reply(200, json=[bucket_file(file, entry, base=request.base) for file in entry.content.files])

    def download(self, request: Request) -> Reply:
        """Sends a file of a bucket."""
        entry = self._archive.in_bucket(request["bucket"])
        self._may_read(entry, request)
        return send_file(self._archive, self._named(entry, request["key"]), request)

    def upload(self, request: Request) -> Reply:
        """Takes the bytes of a file in, in place of those of the same name."""
        entry = self._archive.in_bucket(request["bucket"])
        self._archive.writable(entry, request.who(WRITE))
        request.expect("application/octet-stream", default="application/octet-stream")
        key = request["key"]
        self._archive.check_count(entry, [key])
        others = sum(file.size for file in entry.content.files if file.key != key)
        with self._archive.store.receive() as receiver:
            receive_body(request, receiver, room=self._settings.bytes_per_record - others)
            entry, file = self._archive.keep_file(entry.id, key, receiver, committed=True)
        request.stored.append(file.blob)
        return Reply(201, json=bucket_file(file, entry, base=request.base))

    def delete_object(self, request: Request) -> Reply:
        """Takes a file out of a bucket."""
        entry = self._archive.in_bucket(request["bucket"])
        self._archive.writable(entry, request.who(WRITE))
        self._archive.delete_file(entry, request.account, request["key"])
        return Reply(204)

    def _may_read(self, entry: Entry, request: Request) -> None:
        published = entry.published
        if published is not None and self._archive.readable(published, entry, request.account):
            return
        if request.who(WRITE).id != entry.owner:
            raise forbidden()

    def _named(self, entry: Entry, key: str) -> StoredFile:
        file = entry.content.file(key)
        if file is None or not file.blob:
            raise no_such_file(entry.id, key)
        return file
