"""Deposits on their way to each kind of archive, and what is there afterwards."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from braggbook.formats.record import Creator, PublishPlan, RecordMetadata
from braggbook.records.archive import Archive
from braggbook.records.bundle import describe
from braggbook.records.deposit import Job
from braggbook.records.folder import FolderArchive
from braggbook.records.invenio import InvenioArchive
from braggbook.records.pace import Clock
from braggbook.records.serve import Account, ArchiveServer, Settings
from braggbook.records.transport import Transport
from braggbook.records.zenodo import ZenodoArchive

TOKEN = "a-very-secret-token-0123456789"
KINDS = ("folder", "zenodo", "invenio")
METADATA = RecordMetadata(
    title="Runs of a test",
    description="Some.\n\nMore.",
    resource_type="dataset",
    creators=[Creator(name="Curie, Marie", orcid="0000-0002-1825-0097"), Creator(name="A team", type="organizational")],
    license="CC-BY-4.0",
    version="1",
)
STARTED = 1_780_000_000.0


class Time:
    """A clock that only those move who sleep; the server's too."""

    def __init__(self) -> None:
        self.now = STARTED
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def plan_of(folder: Path, *names: str, metadata: RecordMetadata = METADATA, size: int = 5000) -> tuple[Any, Any]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(hashlib.sha256(name.encode()).digest() * (size // 32))
    files = [describe(folder / name, name=name) for name in names]
    return PublishPlan(kind="run", source="abc", metadata=metadata, files=files), {n: folder / n for n in names}


class Place:
    """One archive of each kind, and what was asked of it."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        self.kind, self.folder, self.time = kind, folder, Time()
        self.server: ArchiveServer | None = None
        if kind != "folder":
            known = Settings(**settings)
            tokens = {TOKEN: Account()}
            made = ArchiveServer(folder / "server", tokens, settings=known, clock=lambda: self.time.now)
            self.server = made.start()

    def archive(self) -> Archive:
        if self.server is None:
            return FolderArchive(self.folder / "archive")
        transport = Transport(self.server.url, TOKEN, clock=self.time.clock())
        return (
            ZenodoArchive(transport, reserves=True)
            if self.kind == "zenodo"
            else InvenioArchive(transport, today="2026-11-22")
        )

    def job(self, *names: str, **more: Any) -> Job:
        plan, paths = plan_of(self.folder / "files", *(names or ("one.zip", "two.bin")), **more)
        return Job(plan, paths, self.archive(), self.folder / "place", clock=self.time.clock())

    def sent(self) -> int:
        """How many files' contents have been sent."""
        assert self.server is not None
        paths = [call.path for call in self.server.calls if call.method == "PUT" and call.status < 300]
        return sum("/files/" in path for path in paths)

    def states(self) -> list[str]:
        """What is in the whole archive: a word per draft and record."""
        if self.server is None:
            root = self.folder / "archive"
            records = sorted((root / "records").glob("*/")) if (root / "records").is_dir() else []
            drafts = sorted((root / "drafts").glob("*/")) if (root / "drafts").is_dir() else []
            return [*("published" for _ in records), *("draft" for _ in drafts)]
        entries = self.server.archive.store.entries()
        published = [entry for entry in entries if entry.published is not None]
        drafts = [entry for entry in entries if entry.draft is not None]
        return [*("published" for _ in published), *("draft" for _ in drafts)]

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            assert list(self.server.failures) == []


def assert_one_record(place: Place, job: Job) -> None:
    """One record of the plan with its files, and nothing else in the whole archive."""
    assert place.states() == ["published"]
    place.time.now += 60.0
    own = place.archive().own(job.plan.digest)
    assert [draft.state for draft in own] == ["published"]
    assert {file.name: file.md5 for file in own[0].files} == {file.name: file.md5 for file in job.plan.files}


def killed(work: Callable[[], object]) -> None:
    """Does work in a process of its own, which is killed before it ends."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was not killed"
    assert os.WTERMSIG(status) == signal.SIGKILL
