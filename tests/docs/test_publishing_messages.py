"""What "Troubleshooting" says of publishing, against an archive on this machine that is made to fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from braggbook.errors import BraggbookError
from braggbook.formats.record import Creator, PublishPlan, RecordMetadata
from braggbook.records.archive import Archive
from braggbook.records.archives import Shelf
from braggbook.records.bundle import describe
from braggbook.records.deposit import Job, mint, push
from braggbook.records.metadata import checked_metadata
from braggbook.records.serve import (
    WRITE,
    Account,
    Answer,
    ArchiveServer,
    CorruptStored,
    Fault,
    Settings,
    WrongChecksum,
    gateway_timeout,
)
from braggbook.records.transport import Clock, Transport
from braggbook.records.zenodo import ZenodoArchive

from .pages import DOCS

TOKEN, HALF = "t-0123456789abcdef", "t-fedcba9876543210"
QUOTA = 10_000
SECTION = re.compile(r"^## Publishing$(.*?)^## ", re.MULTILINE | re.DOTALL)
# Shown where they happen: by the page that publishes, or by pages about runs
SHOWN_ELSEWHERE = {
    "the run is not complete": "a run's verdict",
    "the run is not as it was": "a file of a run that somebody changed",
    "it would tell more than it should": "how-to/publish.md",
    "not published: that is not the title": "how-to/publish.md",
    "the title must be typed": "the command line without a terminal",
}


@dataclass
class Desk:
    """Somebody who publishes a file through a server on this machine."""

    folder: Path
    server: ArchiveServer

    def shelf(self, **tokens: str) -> Shelf:
        return Shelf(self.folder / "archive", tokens)

    def archive(self, token: str | None = TOKEN) -> Archive:
        return ZenodoArchive(Transport(self.server.url, token, clock=Clock(sleep=lambda _: None)))

    def job(self, archive: Archive | None = None, *, size: int = 100, title: str = "Counts") -> Job:
        (self.folder / "counts.zip").write_bytes(b"0" * size)
        file = describe(self.folder / "counts.zip", name="counts.zip")
        metadata = RecordMetadata(
            title=title,
            description="Some.",
            resource_type="dataset",
            version="1",
            license="CC-BY-4.0",
            creators=[Creator(name="Lovelace, Ada")],
        )
        plan = PublishPlan(kind="run", source="abc", metadata=metadata, files=[file])
        return Job(plan, {file.name: self.folder / file.name}, archive or self.archive(), self.folder / "place")

    def fails(self, fault: object, **calls: str) -> Desk:
        self.server.faults.add(Fault(fault, times=None, **calls))  # type: ignore[arg-type]
        return self


def _published(desk: Desk) -> Job:
    job = desk.job()
    push(job)
    mint(job)
    return job


def _mint_what_is_gone(desk: Desk) -> None:
    job = desk.job()
    job.archive.discard(str(push(job).id))
    mint(job)


def _mint_another_plan(desk: Desk) -> None:
    push(desk.job())
    mint(desk.job(title="Other counts"))


def _push_without_the_reserved_doi(desk: Desk) -> None:
    job = desk.job()
    push(replace(job, plan=job.plan.model_copy(update={"doi": "10.5281/zenodo.1"})))


def _mint_what_was_damaged(desk: Desk) -> None:
    job = desk.fails(CorruptStored(), method="PUT").job()
    push(job)
    mint(job)


def _push_and_mint(desk: Desk, archive: Archive | None = None) -> None:
    push(desk.job(archive))
    mint(desk.job(archive))


FAILURES: dict[str, Callable[[Desk], object]] = {
    "metadata that nobody takes": lambda _: checked_metadata({"title": "x"}),
    "an archive that is not known": lambda desk: desk.shelf().open("zenodoo"),
    "an address that others can read": lambda desk: desk.shelf().open("http://repository.example.org"),
    "no token": lambda desk: desk.shelf().open("zenodo_sandbox", own=True),
    "a wrong token": lambda desk: push(desk.job(desk.archive("t-of-somebody-else"))),
    "a token that may not publish": lambda desk: _push_and_mint(desk, desk.archive(HALF)),
    "nobody listens": lambda desk: desk.server.stop() or push(desk.job()),
    "a proxy gives up": lambda desk: push(desk.fails(gateway_timeout(), method="PUT").job()),
    "too much": lambda desk: push(desk.job(size=QUOTA + 1)),
    "metadata refused": lambda desk: push(desk.fails(_invalid(), method="POST").job()),
    "damaged on the way": lambda desk: push(desk.fails(WrongChecksum(), method="PUT").job()),
    "damaged in the archive": _mint_what_was_damaged,
    "minted before pushed": lambda desk: mint(desk.job()),
    "minted something else": _mint_another_plan,
    "published something else": lambda desk: _published(desk) and push(desk.job(title="Other counts")),
    "the draft was deleted": _mint_what_is_gone,
    "the draft has another DOI": _push_without_the_reserved_doi,
    "no such record": lambda desk: desk.archive().record("10.5281/zenodo.99"),
    "not a record": lambda desk: desk.shelf().of("10.1234/abc"),
    "a record of another folder": lambda desk: _published_in_folder(desk).record("10.5072/braggbook.aaaaaa.2"),
}


def _invalid() -> Answer:
    errors = b'[{"field": "metadata.license", "messages": ["Invalid license provided: x"]}]'
    return Answer(400, b'{"status": 400, "message": "A validation error occurred.", "errors": ' + errors + b"}")


def _published_in_folder(desk: Desk) -> Archive:
    archive = desk.shelf().open("folder")
    push(desk.job(archive))
    return archive


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each failure says; each has a server of its own."""
    found = {}
    for name, fail in FAILURES.items():
        folder = tmp_path_factory.mktemp("desk")
        accounts = {TOKEN: Account(), HALF: Account(scopes=frozenset({WRITE}))}
        server = ArchiveServer(folder / "server", accounts, settings=Settings(bytes_per_record=QUOTA))
        with server, pytest.raises(BraggbookError) as caught:
            fail(Desk(folder, server))
        found[name] = str(caught.value)
    return found


def told() -> list[str]:
    """Returns the messages that the page lists."""
    match = SECTION.search((DOCS / "how-to" / "troubleshooting.md").read_text(encoding="utf-8"))
    assert match
    return list(re.findall(r"^\| `([^`]+)` \|", match[1], re.MULTILINE))


def _is(message: str, said: str) -> bool:
    return bool(re.search(".*".join(re.escape(part) for part in message.split("...")), said, re.DOTALL))


@pytest.mark.full
@pytest.mark.parametrize("name", FAILURES)
def test_the_page_has_what_is_said(name: str, said: dict[str, str]) -> None:
    assert [message for message in told() if _is(message, said[name])], said[name]
    assert TOKEN not in said[name]


@pytest.mark.full
def test_every_message_of_the_page_is_one_of_these(said: dict[str, str]) -> None:
    real = [*SHOWN_ELSEWHERE, *said.values()]
    assert not [message for message in told() if not any(_is(message, one) for one in real)]
