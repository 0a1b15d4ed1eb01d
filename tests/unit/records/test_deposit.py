"""Deposits: interrupted anywhere, they end as one record, with no stray draft and no file sent twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from braggbook.errors import ArchiveError, HashMismatch, InputError, NetworkError, RecordError
from braggbook.formats.record import STEPS
from braggbook.records.deposit import DEPOSIT, Job, mint, push, read_deposit
from braggbook.records.serve import (
    DropReply,
    DropRequest,
    Fault,
    WrongChecksum,
    gateway_timeout,
    internal_error,
    too_many_requests,
)

from .deposit_helpers import KINDS, METADATA, TOKEN, Place, assert_one_record, killed, plan_of

pytestmark = pytest.mark.full  # each starts a server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path)
    yield made
    made.stop()


@pytest.fixture
def job(place: Place) -> Job:
    return place.job()


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


def test_the_same_thing_can_have_a_next_version(job: Job, tmp_path: Path) -> None:
    push(job)
    first = mint(job)
    plan, paths = plan_of(tmp_path / "files", "three.bin")
    later = replace(job, plan=plan.model_copy(update={"version_of": first.doi}), paths=paths)
    push(later)
    second = mint(later)
    assert second.doi != first.doi
    assert second.concept_doi == first.concept_doi
    assert job.archive.record(str(first.doi), latest=True).doi == second.doi
    kept = later.place / f"deposit-{first.id}.json"
    assert read_deposit(later.place) == second
    assert str(first.doi) in kept.read_text(encoding="utf-8")


def test_a_deposit_of_lists_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / DEPOSIT).write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(RecordError, match="not readable as a deposit"):
        read_deposit(tmp_path)


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
    stop = replace(job, at=lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None)
    killed(lambda: (push(stop), mint(stop)))


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


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_it_ends_as_one_record(name: str, kind: str, tmp_path: Path) -> None:
    place = Place(kind, tmp_path)
    assert place.server is not None
    with place.server:
        job = place.job()
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
