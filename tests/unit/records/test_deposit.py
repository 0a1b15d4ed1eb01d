"""Deposits: interrupted anywhere, they end as one record, with no stray draft and no file sent twice."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import ArchiveError, HashMismatch, InputError, NetworkError
from braggbook.formats.record import STEPS, Creator, PublishPlan, RecordMetadata
from braggbook.records.archive import Archive
from braggbook.records.bundle import describe
from braggbook.records.deposit import DEPOSIT, Job, mint, push, read_deposit
from braggbook.records.folder import FolderArchive
from braggbook.records.invenio import InvenioArchive
from braggbook.records.serve import (
    Account,
    ArchiveServer,
    DropReply,
    DropRequest,
    Fault,
    WrongChecksum,
    gateway_timeout,
    internal_error,
    too_many_requests,
)
from braggbook.records.transport import Clock, Transport
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


def plan_of(folder: Path, *names: str, metadata: RecordMetadata = METADATA, size: int = 5000) -> tuple[Any, Any]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(hashlib.sha256(name.encode()).digest() * (size // 32))
    files = [describe(folder / name, name=name) for name in names]
    return PublishPlan(kind="run", source="abc", metadata=metadata, files=files), {n: folder / n for n in names}


class Place:
    """One archive of each kind, and what was asked of it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.server = ArchiveServer(folder / "server", {TOKEN: Account()}).start() if kind != "folder" else None

    def archive(self) -> Archive:
        if self.server is None:
            return FolderArchive(self.folder / "archive")
        transport = Transport(self.server.url, TOKEN, clock=Clock(sleep=lambda _: None))
        return ZenodoArchive(transport) if self.kind == "zenodo" else InvenioArchive(transport, today="2026-11-22")

    def sent(self) -> int:
        """How many files' contents have been sent."""
        assert self.server is not None
        paths = [call.path for call in self.server.calls if call.method == "PUT" and call.status < 300]
        return sum("/files/" in path for path in paths)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path)
    yield made
    if made.server is not None:
        made.server.stop()
        assert list(made.server.failures) == []


@pytest.fixture
def job(place: Place, tmp_path: Path) -> Job:
    plan, paths = plan_of(tmp_path / "files", "one.zip", "two.bin")
    return Job(plan, paths, place.archive(), tmp_path / "place")


def assert_one_record(place: Place, job: Job) -> None:
    own = place.archive().own(job.plan.digest)
    assert [draft.state for draft in own] == ["published"]
    assert {file.name: file.md5 for file in own[0].files} == {file.name: file.md5 for file in job.plan.files}


def test_a_plan_becomes_a_record_once(place: Place, job: Job) -> None:
    pushed = push(job)
    assert (pushed.step, read_deposit(job.place)) == ("uploaded", pushed)
    minted = mint(job)
    assert minted.step == "checked"
    assert minted.doi == job.archive.record(str(minted.doi)).doi
    assert push(job) == mint(job) == minted
    assert_one_record(place, job)


def test_a_second_push_sends_no_file(place: Place, job: Job) -> None:
    push(job)
    before = place.sent() if place.server else 0
    push(replace(job, archive=place.archive()))
    assert before == (place.sent() if place.server else 0)


def test_a_draft_whose_deposit_was_lost_is_adopted(place: Place, job: Job) -> None:
    first = push(job)
    (job.place / DEPOSIT).unlink()
    assert push(replace(job, archive=place.archive())).id == first.id
    mint(job)
    assert_one_record(place, job)


def test_a_record_whose_deposit_was_lost_is_found(place: Place, job: Job) -> None:
    push(job)
    minted = mint(job)
    (job.place / DEPOSIT).unlink()
    again = push(replace(job, archive=place.archive()))
    assert (again.step, again.doi) == ("published", minted.doi)
    assert mint(job).step == "checked"
    assert_one_record(place, job)


def test_another_plan_takes_the_draft_over(place: Place, job: Job, tmp_path: Path) -> None:
    first = push(job)
    plan, paths = plan_of(
        tmp_path / "files", "one.zip", "three.bin", metadata=METADATA.model_copy(update={"title": "Other"})
    )
    other = replace(job, plan=plan, paths=paths)
    assert push(other).id == first.id
    minted = mint(other)
    record = job.archive.record(str(minted.doi))
    assert (record.title, {file.name for file in record.files}) == ("Other", {"one.zip", "three.bin"})
    assert_one_record(place, other)
    assert job.archive.own(job.plan.digest) == ()


def test_another_plan_does_not_replace_what_is_published(job: Job, tmp_path: Path) -> None:
    push(job)
    mint(job)
    plan, paths = plan_of(tmp_path / "files", "one.zip")
    with pytest.raises(InputError, match="something else has been published of it"):
        push(replace(job, plan=plan, paths=paths))


def test_what_was_not_pushed_is_not_minted(job: Job) -> None:
    with pytest.raises(InputError, match="not pushed yet"):
        mint(job)


def test_a_draft_that_somebody_changed_is_not_minted(place: Place, job: Job) -> None:
    deposit = push(job)
    place.archive().remove(str(deposit.id), "two.bin")
    with pytest.raises(InputError, match="the draft is not the plan"):
        mint(job)
    push(job)
    mint(job)
    assert_one_record(place, job)


def test_a_file_that_changed_after_the_plan_is_not_minted(place: Place, job: Job) -> None:
    job.paths["one.zip"].write_bytes(b"something else")
    with pytest.raises(HashMismatch, match="a file changed after it was planned"):
        push(job)
    assert [draft.state for draft in place.archive().own(job.plan.digest)] == ["draft"]


def _interrupted_at(job: Job, step: str) -> None:
    """Runs push and mint in a process of its own that is killed as soon as a step has been written down."""
    child = os.fork()
    if child == 0:
        try:
            stop = replace(job, at=lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None)
            push(stop)
            mint(stop)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"was not killed at {step}"


@pytest.mark.full
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_ends_as_one_record(place: Place, job: Job, step: str) -> None:
    _interrupted_at(replace(job, archive=place.archive()), step)
    push(job)
    assert mint(job).step == "checked"
    assert_one_record(place, job)
    if place.server is not None:
        assert place.sent() == len(job.plan.files)


FAULTS = {
    "request dropped in a file": ("PUT", DropRequest(1000)),
    "reply to a file dropped": ("PUT", DropReply(0)),
    "500 to a file": ("PUT", internal_error()),
    "429 to a file": ("PUT", too_many_requests()),
    "wrong checksum of a file": ("PUT", WrongChecksum()),
    "504 to the draft": ("POST", gateway_timeout(after=True)),
    "429 to the draft": ("POST", too_many_requests(retry_after=1)),
    "reply to the draft dropped": ("POST", DropReply(0)),
    "504 after publishing": ("publish", gateway_timeout(after=True)),
    "504 before publishing": ("publish", gateway_timeout(after=False)),
    "500 to publishing": ("publish", internal_error()),
    "reply to publishing dropped": ("publish", DropReply(0)),
}
"""What goes wrong, once, and with which request."""


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_it_ends_as_one_record(name: str, kind: str, tmp_path: Path) -> None:
    place = Place(kind, tmp_path)
    assert place.server is not None
    with place.server:
        plan, paths = plan_of(tmp_path / "files", "one.zip", "two.bin")
        job = Job(plan, paths, place.archive(), tmp_path / "place")
        method, answer = FAULTS[name]
        pattern = "*/actions/publish" if method == "publish" else "*"
        method = "POST" if method == "publish" else method
        fault = place.server.faults.add(Fault(answer, method=method, path=pattern))
        said: list[str] = []
        for _ in range(3):
            try:
                push(job)
                minted = mint(job)
                break
            except (NetworkError, ArchiveError, HashMismatch) as error:
                said.append(f"{error}{error.as_json()}{error!r}")
        assert minted.step == "checked"
        assert not [text for text in said if TOKEN in text]
        assert_one_record(place, job)
        assert fault.fired == 1
