"""A deposit of two files on the offline server, one request after the other, and the list of what was asked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from braggbook.formats.record import PublishPlan
from braggbook.records.archive import Archive
from braggbook.records.bundle import describe
from braggbook.records.deposit import Job
from braggbook.records.invenio import InvenioArchive
from braggbook.records.pace import Clock
from braggbook.records.serve import Account, ArchiveServer, Settings
from braggbook.records.transport import Transport
from braggbook.records.zenodo import ZenodoArchive
from braggbook.testing.archive import make_metadata

TOKEN = "of-a-server-on-this-machine"
DRAFT, FILES = "/api/records/{id}/draft", "/api/records/{id}/draft/files"
LISTED = {"zenodo": "GET /api/deposit/depositions 200", "invenio": "GET /api/user/records 200"}
LOOK = {
    "zenodo": ["GET /api/deposit/depositions/{id} 200"],
    "invenio": [f"GET {DRAFT} 200", f"GET {FILES} 200"],
}
LOOK_PUBLISHED = {
    "zenodo": ["GET /api/deposit/depositions/{id} 200"],
    "invenio": [f"GET {DRAFT} 404", "GET /api/records/{id} 200", "GET /api/records/{id}/files 200"],
}
CREATE = {
    "zenodo": ["POST /api/deposit/depositions 201"],
    "invenio": ["POST /api/records 201", f"POST {DRAFT}/pids/doi 201"],
}
ANNOUNCE = {"zenodo": [], "invenio": [f"GET {FILES} 200", f"POST {FILES} 201"]}
SEND = {
    "zenodo": ["PUT /api/files/{uuid}/one.zip 201", "PUT /api/files/{uuid}/two.bin 201"],
    "invenio": [
        f"PUT {FILES}/one.zip/content 200", f"POST {FILES}/one.zip/commit 200",
        f"PUT {FILES}/two.bin/content 200", f"POST {FILES}/two.bin/commit 200",
    ],
}  # fmt: skip
PUBLISH = {
    "zenodo": ["POST /api/deposit/depositions/{id}/actions/publish 202"],
    "invenio": [f"POST {DRAFT}/actions/publish 202"],
}
RECORD = {
    "zenodo": ["GET /api/records/{id} 200"],
    "invenio": ["GET /api/records/{id} 200", "GET /api/records/{id}/files 200"],
}
CONTENT = [f"GET /api/records/{{id}}/files/{name}/content 200" for name in ("one.zip", "two.bin")]


def push_calls(kind: str) -> list[str]:
    """What a first push asks."""
    look = [LISTED[kind], *LOOK[kind]]
    return [LISTED[kind], *CREATE[kind], *ANNOUNCE[kind], *SEND[kind], *look]


def mint_calls(kind: str) -> list[str]:
    """What a mint after that asks."""
    before = [*LOOK[kind], LISTED[kind], *LOOK[kind]]
    return [*before, *PUBLISH[kind], *RECORD[kind], *RECORD[kind], *CONTENT, LISTED[kind], *LOOK_PUBLISHED[kind]]


class Place:
    """A server, a plan of two files, and archives that ask one thing after the other."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        self.kind, self.folder, self.slept = kind, folder, []  # type: ignore[var-annotated]
        self.now = 1_780_000_000.0
        known, tokens = Settings(**settings), {TOKEN: Account()}
        self.server = ArchiveServer(folder / "server", tokens, settings=known, clock=lambda: self.now).start()
        self.clock = Clock(now=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def archive(self, *, simultaneous: int = 1) -> Archive:
        transport = Transport(self.server.url, TOKEN, simultaneous=simultaneous, clock=self.clock)
        return ZenodoArchive(transport) if self.kind == "zenodo" else InvenioArchive(transport, today="2026-11-22")

    def job(self, *names: str, size: int = 5000, simultaneous: int = 1) -> Job:
        files = self.folder / "files"
        files.mkdir(exist_ok=True)
        for name in names or ("one.zip", "two.bin"):
            (files / name).write_bytes(hashlib.sha256(name.encode()).digest() * (size // 32))
        described = [describe(files / name, name=name) for name in names or ("one.zip", "two.bin")]
        metadata = make_metadata(title="Two files")
        plan = PublishPlan(kind="run", source="abc", metadata=metadata, files=described)
        paths = {file.name: files / file.name for file in described}
        archive = self.archive(simultaneous=simultaneous)
        return Job(plan, paths, archive, self.folder / "place", clock=self.clock)

    def calls(self) -> list[str]:
        """What was asked since the last time."""
        outline = self.server.calls.outline()
        self.server.calls.clear()
        return outline

    def states(self) -> list[str]:
        """A word for each draft and record of the whole server."""
        entries = self.server.archive.store.entries()
        published = ["published" for entry in entries if entry.published is not None]
        return published + ["draft" for entry in entries if entry.draft is not None]

    def stop(self) -> None:
        self.server.stop()
        assert list(self.server.failures) == []
