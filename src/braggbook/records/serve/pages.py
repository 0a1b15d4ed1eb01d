"""The pages for people: an index, a page per record, and the addresses that DOIs lead to."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from .archive import Archive
from .content import send_file
from .model import Content, Entry
from .problems import does_not_exist, forbidden, no_such_file
from .routing import Request, Route
from .wire import Reply

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem .8rem .2rem 0;text-align:left}}</style></head>
<body>{body}</body></html>
"""


class Pages:
    """Answers a browser."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def routes(self) -> list[Route]:
        """Returns the addresses."""
        return [
            Route("GET", "/", self.index),
            Route("GET", "/records/{id}", self.record),
            Route("GET", "/record/{id}", self.record),
            Route("GET", "/records/{id}/latest", self.latest),
            Route("GET", "/records/{id}/files/{key:path}", self.download),
            Route("GET", "/doi/{doi:path}", self.doi),
        ]

    def index(self, request: Request) -> Reply:  # noqa: ARG002 - every page takes its request
        """Lists what is published."""
        entries = [entry for entry in self._archive.store.entries() if self._is_shown(entry)]
        rows = "".join(
            f'<tr><td><a href="/records/{entry.id}">{escape(_title(entry))}</a></td><td>{escape(_doi(entry))}</td></tr>'
            for entry in reversed(entries)
        )
        note = "<p>An archive on this machine. Its identifiers are not registered.</p>"
        return _page("Records", f"<h1>Records</h1>{note}<table>{rows or '<tr><td>None yet.</td></tr>'}</table>")

    def record(self, request: Request) -> Reply:
        """Shows a record."""
        entry = self._entry(request["id"])
        content = entry.published or Content()
        rows = "".join(
            f'<tr><td><a href="/records/{entry.id}/files/{quote(file.key)}">{escape(file.key)}</a></td>'
            f"<td>{file.size} bytes</td><td><code>{file.checksum}</code></td></tr>"
            for file in content.files
        )
        versions = ", ".join(
            f'<a href="/records/{other.id}">{other.index}</a>' for other in self._archive.versions(entry.concept)
        )
        # A description is HTML that somebody sent, so it is shown as text.
        description = escape(str(content.metadata.get("description", "")))
        body = (
            f"<h1>{escape(_title(entry))}</h1><p>{escape(_doi(entry))}</p><p>Versions: {versions}</p>"
            f"<p>{description}</p><table>{rows}</table>"
        )
        return _page(_title(entry), body)

    def latest(self, request: Request) -> Reply:
        """Leads to the latest version."""
        return self._to(self._archive.latest(self._entry(request["id"]).concept), request)

    def doi(self, request: Request) -> Reply:
        """Leads from a DOI to its record, from that of all versions to the latest."""
        settings = self._archive.settings
        for entry in reversed(self._archive.store.entries()):
            if self._is_shown(entry) and request["doi"] in (_doi(entry), settings.doi(entry.concept)):
                is_concept = request["doi"] != _doi(entry)
                return self._to(self._archive.latest(entry.concept) if is_concept else entry, request)
        raise does_not_exist()

    def download(self, request: Request) -> Reply:
        """Sends a file."""
        entry = self._entry(request["id"])
        content = entry.published or Content()
        file = content.file(request["key"])
        if file is None:
            raise no_such_file(entry.id, request["key"])
        if not self._archive.readable(content, entry, request.account):
            raise forbidden()
        return send_file(self._archive, file, request)

    def _entry(self, id: str) -> Entry:
        versions = self._archive.versions(id)  # where it is the identifier of all versions
        return versions[-1] if versions else self._archive.published(id)

    @staticmethod
    def _is_shown(entry: Entry) -> bool:
        return entry.published is not None and not entry.tombstone

    @staticmethod
    def _to(entry: Entry, request: Request) -> Reply:
        return Reply(302, content_type="text/html", headers={"Location": f"{request.base}/records/{entry.id}"})


def _title(entry: Entry) -> str:
    return str((entry.published or Content()).metadata.get("title") or entry.id)


def _doi(entry: Entry) -> str:
    return (entry.published or Content()).doi


def _page(title: str, body: str) -> Reply:
    content = _PAGE.format(title=escape(title), body=body).encode()
    return Reply(200, content=content, content_type="text/html; charset=utf-8")
