"""Deposits killed inside a request, lists that lag behind, several processes: still one record and no stray draft."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from braggbook.errors import ArchiveError, BraggbookError, InputError, NetworkError
from braggbook.formats.record import STEPS
from braggbook.records.deposit import DEPOSIT, Job, mint, push, read_deposit, reserve
from braggbook.records.serve import Call, Do, DropReply, Fault, gateway_timeout
from braggbook.records.transport import Transport
from braggbook.records.zenodo import ZenodoArchive

from .deposit_helpers import METADATA, TOKEN, Place, assert_one_record, killed, plan_of

pytestmark = pytest.mark.full  # each starts a server
LAG_S = 1.5
HTTP = ("zenodo", "invenio")


@pytest.fixture(params=HTTP)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A server whose lists are behind, as Zenodo's are."""
    made = Place(request.param, tmp_path, listing_delay_s=LAG_S, search_delay_s=30.0)
    yield made
    made.stop()


def killed_in(place: Place, work: Callable[[], object], *, method: str, path: str, after: bool, nth: int = 1) -> None:
    """Does work in a process that is killed while the server holds the reply to a request."""
    child: list[int] = []
    known, dead = threading.Event(), threading.Event()

    def kill(_: Call) -> None:
        known.wait(10)
        os.kill(child[0], signal.SIGKILL)
        dead.wait(10)

    assert place.server is not None
    fault = place.server.faults.add(Fault(Do(kill, after=after), method=method, path=path, nth=nth))
    number = os.fork()
    if number == 0:
        try:
            work()
        finally:
            os._exit(1)
    child.append(number)
    known.set()
    _, status = os.waitpid(number, 0)
    dead.set()
    assert os.WIFSIGNALED(status), "it was not killed"
    assert fault.fired == 1


MOMENTS = {
    "before the draft is made": ("POST", {"zenodo": "*/depositions", "invenio": "/api/records"}, False, 1),
    "draft made, reply never read": ("POST", {"zenodo": "*/depositions", "invenio": "/api/records"}, True, 1),
    "before a file is kept": ("PUT", {"zenodo": "/api/files/*", "invenio": "*/content"}, False, 1),
    "file kept, reply never read": ("PUT", {"zenodo": "/api/files/*", "invenio": "*/content"}, True, 2),
    "before publishing": ("POST", {"zenodo": "*/publish", "invenio": "*/publish"}, False, 1),
    "published, reply never read": ("POST", {"zenodo": "*/publish", "invenio": "*/publish"}, True, 1),
    "while it is read back": ("GET", {"zenodo": "*/content", "invenio": "*/content"}, True, 1),
    "file named": ("POST", {"invenio": "*/draft/files"}, True, 1),
    "file complete, reply never read": ("POST", {"invenio": "*/commit"}, True, 1),
    "DOI reserved, reply never read": ("POST", {"invenio": "*/pids/doi"}, True, 1),
}
"""In which request the process dies, and whether the server has done it."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_inside_a_request_it_ends_as_one_record(place: Place, moment: str) -> None:
    method, paths, after, nth = MOMENTS[moment]
    if place.kind not in paths:
        return  # a request that only the other API has
    job = place.job()

    def work() -> None:
        push(job)
        mint(job)

    killed_in(place, work, method=method, path=paths[place.kind], after=after, nth=nth)
    again = replace(job, archive=place.archive())
    push(again)
    assert mint(again).step == "checked"
    assert_one_record(place, job)


def test_killed_in_the_middle_of_a_file(place: Place) -> None:
    job = place.job("one.zip", size=4_000_000)

    class Dies(type(job.archive)):  # type: ignore[misc]
        def upload(self, id: str, name: str, path: Path, *, progress: object) -> object:
            class Last:
                def step(self, done: int, note: str = "") -> None:
                    if done > 1_000_000:
                        os.kill(os.getpid(), signal.SIGKILL)

            return super().upload(id, name, path, progress=Last())

    dies = place.archive()
    dies.__class__ = Dies
    killed(lambda: push(replace(job, archive=dies)))
    push(job)
    mint(job)
    assert_one_record(place, job)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_while_lists_lag(place: Place, step: str) -> None:
    job = place.job()
    stop = replace(job, at=lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None)
    killed(lambda: (push(stop), mint(stop)))
    again = replace(job, archive=place.archive())
    push(again)
    assert mint(again).step == "checked"
    assert_one_record(place, job)


def test_a_draft_that_no_list_shows_yet_is_waited_for(place: Place) -> None:
    """Without the wait there would be two: the list is behind when the second call asks."""
    assert place.server is not None
    place.server.faults.add(Fault(DropReply(), method="POST"))
    job = place.job()
    with pytest.raises(NetworkError):
        push(job)
    assert (place.states(), place.time.slept) == (["draft"], [])
    push(job)
    assert sum(place.time.slept) >= LAG_S
    assert place.states() == ["draft"]
    mint(job)
    assert_one_record(place, job)


def test_a_first_push_waits_for_nothing(place: Place) -> None:
    job = place.job()
    push(job)
    mint(job)
    assert place.time.slept == []


def test_a_draft_of_another_plan_that_nobody_knew_of_is_taken_over(place: Place) -> None:
    """The reply was lost, then something in the notebook was changed: what is there becomes the new plan's."""
    assert place.server is not None
    place.server.faults.add(Fault(DropReply(), method="POST"))
    first = place.job()
    with pytest.raises(NetworkError):
        push(first)
    other = METADATA.model_copy(update={"title": "Another title"})
    plan, paths = plan_of(place.folder / "files", "one.zip", metadata=other)
    job = replace(first, plan=plan, paths=paths)
    push(job)
    assert place.states() == ["draft"]
    mint(job)
    assert_one_record(place, job)


def test_a_stray_draft_of_the_plan_is_discarded_by_push(place: Place) -> None:
    job = place.job()
    digest = job.plan.digest
    mine = job.archive.create(METADATA, plan=digest)
    place.time.now += 10.0
    job.archive.create(METADATA, plan=digest)
    place.time.now += 10.0
    pushed = push(job)
    assert (place.states(), pushed.id) == (["draft"], mine.id)
    mint(job)
    assert_one_record(place, job)


def test_a_stray_draft_that_appears_later_is_discarded_by_mint(place: Place) -> None:
    job = place.job()
    push(job)
    place.time.now += 10.0
    job.archive.create(METADATA, plan=job.plan.digest)
    place.time.now += 10.0
    mint(job)
    assert_one_record(place, job)


def test_a_record_is_never_discarded_for_a_stray_draft(place: Place) -> None:
    """Two places that know nothing of each other: who comes second takes the record that is there."""
    first = place.job()
    push(first)
    second = replace(first, archive=place.archive(), place=place.folder / "elsewhere")
    place.time.now += 10.0
    one, two = push(first), push(second)
    assert one.id == two.id
    done = mint(first)
    assert mint(second).doi == done.doi
    assert_one_record(place, first)


def test_an_older_draft_of_another_place_is_the_one(place: Place) -> None:
    """Its list was behind when this place looked: afterwards both agree on the older one."""
    first = place.job()
    push(first)
    second = replace(first, archive=place.archive(), place=place.folder / "elsewhere")
    pushed = push(second)  # the clock has not moved: no list shows the first
    assert pushed.step == "uploaded"
    place.time.now += 10.0
    (second.place / DEPOSIT).unlink()
    assert push(second).id == push(first).id
    mint(second)
    mint(first)
    assert_one_record(place, first)


def test_two_processes_that_push_the_same_plan_make_one_draft(place: Place) -> None:
    job = place.job()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                push(replace(job, archive=place.archive()))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert place.states() == ["draft"]
    assert place.sent() == len(job.plan.files)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_reservation_is_found_again(place: Place, after: bool) -> None:
    def work() -> None:
        reserve("abc", METADATA, archive=place.archive(), place=place.folder / "place", clock=place.time.clock())

    paths = {"zenodo": "*/depositions", "invenio": "/api/records"}
    killed_in(place, work, method="POST", path=paths[place.kind], after=after)
    archive, where = place.archive(), place.folder / "place"
    deposit = reserve("abc", METADATA, archive=archive, place=where, clock=place.time.clock())
    assert reserve("abc", METADATA, archive=archive, place=where, clock=place.time.clock()) == deposit
    assert place.states() == ["draft"]
    job = place.job()
    job = replace(job, plan=job.plan.model_copy(update={"doi": deposit.doi}))
    assert push(job).doi == deposit.doi
    assert mint(job).doi == deposit.doi
    assert_one_record(place, job)


def test_what_a_server_only_announces_is_not_reserved(place: Place) -> None:
    """Zenodo's code announces Zenodo's own prefix wherever it runs; the DOI that comes then is another one."""
    transport = Transport(place.server.url, TOKEN)
    if place.kind == "zenodo":
        with pytest.raises(ArchiveError, match="reserves no DOI before publication"):
            reserve("abc", METADATA, archive=ZenodoArchive(transport), place=place.folder / "place")
        assert place.states() == []
        job = replace(place.job(), archive=ZenodoArchive(transport))
        assert push(job).doi is None
        assert mint(job).doi is not None


def test_a_next_version_killed_after_its_draft_was_made(place: Place) -> None:
    first = place.job()
    push(first)
    doi = mint(first).doi
    plan, paths = plan_of(place.folder / "files", "three.bin")
    job = Job(
        plan.model_copy(update={"version_of": doi}), paths, place.archive(), place.folder / "next",
        clock=place.time.clock(),
    )  # fmt: skip
    path = {"zenodo": "*/newversion", "invenio": "*/versions"}[place.kind]
    killed_in(place, lambda: push(job), method="POST", path=path, after=True)
    place.time.now += 10.0
    push(job)
    minted = mint(job)
    assert place.states() == ["published", "published"]
    assert [file.name for file in place.archive().record(str(minted.doi)).files] == ["three.bin"]


def test_a_publication_under_way_is_not_repeated(place: Place) -> None:
    assert place.server is not None
    fault = place.server.faults.add(Fault(gateway_timeout(after=True), path="*/publish"))
    job = place.job()
    push(job)
    mint(job)
    assert fault.fired == 1
    published = [call for call in place.server.calls if call.path.endswith("/publish")]
    assert len(published) == 1
    assert_one_record(place, job)


def test_a_draft_whose_metadata_somebody_changed_is_not_minted(place: Place) -> None:
    job = place.job()
    deposit = push(job)
    job.archive.describe(str(deposit.id), METADATA, plan="0" * 64)
    with pytest.raises(InputError, match="another plan"):
        mint(job)
    assert place.states() == ["draft"]


def test_a_failure_of_one_file_stops_the_others_and_says_its_reason(place: Place) -> None:
    assert place.server is not None
    names = [f"{number}.bin" for number in range(20)]
    place.server.faults.add(Fault(DropReply(), method="PUT", path="*/5.bin*", times=None))
    job = place.job(*names)
    with pytest.raises(BraggbookError, match=r"5\.bin"):
        push(job)
    assert read_deposit(job.place).step == "drafted"  # type: ignore[union-attr]
    place.server.faults.clear()
    before = place.sent()
    push(job)
    assert before <= place.sent() <= len(names) + 5  # the fifth file arrived each time, its reply did not
    mint(job)
    assert_one_record(place, job)
