"""A folder archive (docs/formats/archive.md) as a server shows it: its records by both APIs, and its own pages."""

from __future__ import annotations

import json
import uuid
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from braggbook.errors import RecordError
from braggbook.formats.archive import ARCHIVE_FORMAT, PREFIX

from .archive import Archive
from .content import media_type
from .legacy_in import read_deposit
from .model import Entry, StoredFile
from .pages import Pages
from .problems import ApiError, forbidden, no_such_page
from .routing import Request, Route
from .settings import Settings
from .store import Receiver
from .wire import Part, Reply

_NOBODY = 0  # no account has this number, so that nobody owns what is shown


def is_folder_archive(folder: Path) -> bool:
    """Whether a folder is one that :class:`braggbook.records.folder.FolderArchive` made."""
    try:
        return bool(json.loads((folder / "archive.json").read_bytes())["format"] == ARCHIVE_FORMAT)
    except (OSError, ValueError, TypeError, KeyError):
        return False


class ShownFolder:
    """The published records of a folder archive, as they are at each request; nothing can be changed.

    Args:
        root: The archive's folder.

    Raises:
        RecordError: It is not one.
    """

    read_only = True

    def __init__(self, root: Path) -> None:
        if not is_folder_archive(root):
            raise RecordError(
                "not a folder archive",
                where=str(root),
                wanted=f"archive.json of format {ARCHIVE_FORMAT}",
                next_command="braggbook publish push RUN",
            )
        self.root = root.absolute()
        self.card: dict[str, Any] = json.loads((root / "archive.json").read_bytes())
        self._read: dict[Path, tuple[int, Entry]] = {}

    def settings(self) -> Settings:
        """Returns the settings under which the records have the identifiers that the archive gave them."""
        return Settings(doi_prefix=PREFIX, doi_name=f"braggbook.{self.card['id']}.{{id}}")

    def number(self) -> int:
        """Refuses."""
        raise forbidden()

    def load(self, id: str) -> Entry | None:
        """Returns a record, or None."""
        path = self.root / "records" / id / "record.json"
        return self._entry(path) if id.isascii() and id.isdecimal() and path.exists() else None

    def entries(self) -> list[Entry]:
        """Returns all records, oldest first."""
        entries = [self._entry(path) for path in self.root.glob("records/*/record.json")]
        return sorted(entries, key=lambda entry: int(entry.id))

    def save(self, entry: Entry) -> None:  # noqa: ARG002 - as every store
        """Refuses."""
        raise forbidden()

    def delete(self, id: str) -> None:  # noqa: ARG002
        """Refuses."""
        raise forbidden()

    def receive(self) -> AbstractContextManager[Receiver]:
        """Refuses."""
        raise forbidden()

    def open(self, file: StoredFile) -> BinaryIO:
        """Opens the bytes of a file."""
        return (self.root / "records" / file.blob).open("rb")

    def damage(self, blob: str) -> None:  # noqa: ARG002
        """Refuses."""
        raise forbidden()

    def _entry(self, path: Path) -> Entry:
        changed = path.stat().st_mtime_ns
        known = self._read.get(path)
        if known is None or known[0] != changed:
            try:
                known = self._read[path] = changed, entry_of(json.loads(path.read_bytes()))
            except (ValueError, TypeError, KeyError, AttributeError, ApiError) as error:
                raise RecordError("not a record's JSON", where=str(path), got=str(error)) from error
        return known[1]


def entry_of(record: dict[str, Any]) -> Entry:
    """Returns a record as the server keeps it, from its ``record.json``."""
    told = record["metadata"]
    kind = told["resource_type"]
    grants = [_grant(grant) for grant in told.get("grants", [])]
    deposit = {
        **told,
        "upload_type": kind["type"],
        f"{kind['type']}_type": kind.get("subtype"),
        "license": told["license"]["id"],
        "grants": [grant for grant in grants if grant],
    }
    content = read_deposit({"metadata": deposit}, today=told["publication_date"], own_prefix=PREFIX)
    metadata = {**content.metadata, "publisher": f"Folder archive {record['braggbook']['archive']}"}
    files = tuple(_file(file, record) for file in record["files"])
    return Entry(
        id=str(record["id"]),
        concept=record["conceptrecid"],
        owner=_NOBODY,
        index=told["relations"]["version"][0]["index"] + 1,
        bucket=str(uuid.uuid5(uuid.NAMESPACE_URL, record["doi"])),
        created=record["created"],
        updated=record["modified"],
        revision=record["revision"],
        published=replace(content, metadata=metadata, files=files),
    )


def _grant(grant: dict[str, Any]) -> dict[str, str] | None:
    funder, code = grant["funder"].get("doi"), grant.get("code")
    return {"id": f"{funder}::{code}"} if funder and code else None


def _file(file: dict[str, Any], record: dict[str, Any]) -> StoredFile:
    return StoredFile(
        key=file["key"],
        file_id=file["id"],
        version_id=file["id"],
        created=record["created"],
        updated=record["modified"],
        size=file["size"],
        md5=file["checksum"].removeprefix("md5:"),
        blob=f"{record['id']}/files/{file['sha256']}/{Path(file['key']).name}",
    )


class ShownPages:
    """The archive's own pages, as they lie in its folder."""

    def __init__(self, archive: Archive, root: Path) -> None:
        self._pages, self._root = Pages(archive), root.resolve()

    def routes(self) -> list[Route]:
        """Returns the addresses, most particular first."""
        return [
            Route("GET", "/", self.index),
            Route("GET", "/doi/{doi:path}", self._pages.doi),
            Route("GET", "/records/{id}", self.record),
            Route("GET", "/{path:path}", self.file),
        ]

    def index(self, request: Request) -> Reply:  # noqa: ARG002 - every page takes its request
        """Shows the page of all records."""
        return self._send("index.html")

    def record(self, request: Request) -> Reply:
        """Leads to the page of a record, whose links are relative to it; what was sent to the server has another."""
        if not (self._root / "records" / request["id"]).is_dir():
            return self._pages.record(request)
        location = f"{request.base}/records/{request['id']}/index.html"
        return Reply(302, content_type="text/html", headers={"Location": location})

    def file(self, request: Request) -> Reply:
        """Sends what lies in the folder, but for drafts and hidden files."""
        return self._send(request["path"])

    def _send(self, name: str) -> Reply:
        parts = name.split("/")
        if "\0" in name or parts[0] == "drafts" or any(part.startswith(".") for part in parts):
            raise no_such_page()
        path = (self._root / name).resolve()
        if not (path.is_relative_to(self._root) and path.is_file()):
            raise no_such_page()
        kind = media_type(path.name) + ("; charset=utf-8" if path.suffix == ".html" else "")
        return Reply(200, content_type=kind, part=Part(path.open("rb"), 0, path.stat().st_size))
