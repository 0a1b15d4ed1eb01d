"""How the checks get at an archive, and the few things that all of them do."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from braggbook.errors import BraggbookError
from braggbook.formats.record import Creator, RecordMetadata
from braggbook.progress import Silent
from braggbook.records.archive import Archive, Draft, Record, RemoteFile

LARGE_BYTES = 24_000_000  # many blocks of any archive, and soon sent
MEMORY_BYTES = 12_000_000  # that sending and getting a file of any size may take: a few blocks, and what HTTP needs
BLOCK = 1 << 20
ORCID = "0000-0002-1825-0097"  # ORCID's own example


@dataclass(frozen=True)
class Bench:
    """How to get at an archive.

    Attributes:
        make: Returns an archive; a new and empty one, if ``apart``.
        folder: Of the check's own, for files.
        again: Returns the same archive as another process would see it, which knows nothing of what this one did.
        apart: Whether each call of ``make`` gives an archive of its own.
        said: Returns the metadata of a published record in the words of Zenodo's JSON, if there is a way.
        damage: Spoils a byte of a published file where the archive keeps it, if there is a way.
        garble: Makes the archive say a wrong checksum of the next file that arrives, if there is a way.
        search_lag_s: How long a search may not know yet what was published.
        large_bytes: Size of the file that is sent and got within :data:`MEMORY_BYTES`.
        begun: Drafts that the check has made, with their archives; those that are left are discarded at its end.
    """

    make: Callable[[], Archive]
    folder: Path
    again: Callable[[Archive], Archive] = lambda archive: archive
    apart: bool = True
    said: Callable[[Archive, Record], Mapping[str, Any]] | None = None
    damage: Callable[[Archive, Record, str], None] | None = None
    garble: Callable[[Archive], None] | None = None
    search_lag_s: float = 0.0
    large_bytes: int = LARGE_BYTES
    begun: list[tuple[Archive, str]] = field(default_factory=list, repr=False)


Check = Callable[[Bench], None]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Adds a check to all others, and has its drafts discarded when it ends."""

    @functools.wraps(function)
    def run(bench: Bench) -> None:
        try:
            function(bench)
        finally:
            _discard_drafts(bench)

    CHECKS[function.__name__] = run
    return run


def _discard_drafts(bench: Bench) -> None:
    """Leaves an archive that others use without drafts that nobody wants."""
    for archive, id in bench.begun:
        with suppress(BraggbookError):
            draft = archive.look(id)
            if draft is not None and draft.state == "draft":
                archive.discard(id)
    bench.begun.clear()


def make_metadata(**changes: Any) -> RecordMetadata:
    """Returns metadata of a record that no archive has, with changes."""
    told: dict[str, Any] = {
        "title": f"Survival of cells {secrets.token_hex(4)}",
        "description": "A record of the contract suite.\n\nIts second paragraph.",
        "resource_type": "dataset",
        "creators": [Creator(name="Lovelace, Ada", orcid=ORCID, affiliation="Analytical Engine Institute")],
        "license": "CC-BY-4.0",
        "version": "1",
    }
    return RecordMetadata(**(told | changes))


def make_plan() -> str:
    """Returns a digest that no plan has."""
    return secrets.token_hex(32)


class Steps(Silent):
    """Remembers how many bytes were reported."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def step(self, done: int, note: str = "") -> None:  # noqa: ARG002
        """Remembers a step."""
        self.done.append(done)


class Stopped(Exception):
    """A person interrupted the work."""


class StopAt(Steps):
    """Interrupts the work, as a person does, when so many bytes are done."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def step(self, done: int, note: str = "") -> None:
        """Remembers a step, and interrupts."""
        super().step(done, note)
        if done >= self._limit:
            raise Stopped


def begin(
    bench: Bench, archive: Archive, metadata: RecordMetadata, *, plan: str, version_of: str | None = None
) -> Draft:
    """Makes a draft that is discarded at the end of the check if it still is one."""
    draft = archive.create(metadata, plan=plan, version_of=version_of)
    bench.begun.append((archive, draft.id))
    return draft


def there(archive: Archive, id: str) -> Draft:
    """Returns a draft or record of one's own that must be there."""
    draft = archive.look(id)
    if draft is None:
        raise AssertionError(f"{id} is not there")
    return draft


def files_of(archive: Archive, id: str) -> list[RemoteFile]:
    """Returns the files of a draft by name."""
    return sorted(there(archive, id).files, key=lambda file: file.name)


def send(bench: Bench, archive: Archive, id: str, content: Mapping[str, bytes]) -> list[RemoteFile]:
    """Sends files into a draft, and returns what the archive says of each."""
    return [archive.upload(id, name, write_file(bench, data), progress=Silent()) for name, data in content.items()]


def publish(
    bench: Bench, archive: Archive, content: Mapping[str, bytes], *, version_of: str | None = None, **changes: Any
) -> Record:
    """Publishes a record of some files, with metadata that differ so from others."""
    draft = begin(bench, archive, make_metadata(**changes), plan=make_plan(), version_of=version_of)
    send(bench, archive, draft.id, content)
    return archive.publish(draft.id)


def contents(bench: Bench, archive: Archive, record: Record) -> dict[str, bytes]:
    """Downloads all files of a record."""
    content = {}
    for number, file in enumerate(record.files):
        target = bench.folder / f"got_{record.id}_{number}"
        archive.download(record, file.name, target, progress=Silent())
        content[file.name] = target.read_bytes()
    return content


def one_large(bench: Bench) -> tuple[Archive, Record, bytes]:
    """Publishes a record of one file of four blocks."""
    archive, content = bench.make(), os.urandom(4 * BLOCK)
    return archive, publish(bench, archive, {"a.bin": content}), content


def listed(name: str, data: bytes) -> RemoteFile:
    """Returns how an archive lists a file."""
    return RemoteFile(name, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def write_file(bench: Bench, data: bytes) -> Path:
    """Makes a file to be sent."""
    path = bench.folder / f"sent_{secrets.token_hex(8)}"
    path.write_bytes(data)
    return path
