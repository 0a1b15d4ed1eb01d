"""Every fault at every kind of request, and exactly what is asked afterwards, of both APIs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import ArchiveError, BraggbookError, HashMismatch, NetworkError
from braggbook.records.deposit import Job, mint, push
from braggbook.records.serve import (
    Answer,
    DropReply,
    DropRequest,
    Fault,
    Slow,
    WrongChecksum,
    denied,
    gateway_timeout,
    internal_error,
    too_large,
    too_many_requests,
)

from .http_helpers import (
    LISTED,
    LOOK,
    LOOK_PUBLISHED,
    RECORD,
    TOKEN,
    Place,
    mint_calls,
    push_calls,
)

pytestmark = pytest.mark.full  # each starts servers
KINDS = ("zenodo", "invenio")
QUOTA = Answer(400, b'{"status": 400, "message": "Bucket quota exceeded."}')
DELETED = Answer(410, b'{"status": 410, "message": "The record has been deleted."}')


@dataclass(frozen=True)
class Wrong:
    """What goes wrong with one request."""

    action: Any
    status: int | None = None  # of the call; None is that of the right reply
    only: str = ""  # part of the requests that it can happen to
    passing: bool = True  # whether it may be otherwise next time
    done: bool = False  # whether the server has done what was asked for
    hasty: bool = False  # refused for haste: nothing was done, and even a POST is repeated
    error: type[BraggbookError] = NetworkError


FAULTS = {
    "request dropped at its first byte": Wrong(DropRequest(0), 0),
    "request dropped in its middle": Wrong(DropRequest(2000), 0, only="PUT"),
    "reply dropped before its head": Wrong(DropReply(), done=True),
    "reply dropped after its head": Wrong(DropReply(0), done=True),
    "reply dropped in its middle": Wrong(DropReply(1), done=True),
    "429 with Retry-After": Wrong(too_many_requests(retry_after=7), 429, hasty=True),
    "429 without": Wrong(too_many_requests(), 429, hasty=True),
    "500 before": Wrong(internal_error(), 500),
    "500 after": Wrong(internal_error(after=True), 500, done=True),
    "504 page before": Wrong(gateway_timeout(), 504),
    "504 page after": Wrong(gateway_timeout(after=True), 504, done=True),
    "wrong checksum, zenodo": Wrong(WrongChecksum(), only="PUT /api/files", passing=False, error=HashMismatch),
    "wrong checksum, invenio": Wrong(WrongChecksum(), only="/commit", passing=False, error=HashMismatch),
    "quota": Wrong(QUOTA, 400, only="PUT", passing=False, error=ArchiveError),
    "413": Wrong(too_large(), 413, only="P", passing=False, error=ArchiveError),
    "403": Wrong(denied(), 403, passing=False, error=ArchiveError),
    "410": Wrong(DELETED, 410, only="GET /api/records/{id} ", passing=False, error=ArchiveError),
}


def whole(kind: str) -> list[str]:
    """All that push and mint ask."""
    return [*push_calls(kind), *mint_calls(kind)]


def kinds_of_request(kind: str) -> Iterator[int]:
    """Where in the list each kind of request stands first; the second file's are as the first's."""
    seen = set()
    for index, line in enumerate(whole(kind)):
        if line not in seen and "two.bin" not in line and not line.endswith("404"):
            yield index
        seen.add(line)


def expected(kind: str, index: int, wrong: Wrong) -> tuple[list[str], bool]:
    """Returns what is asked when one request goes wrong, and whether it still ends well at once."""
    plain = whole(kind)
    before, line, after = plain[:index], plain[index], plain[index + 1 :]
    verb, path, _ = line.split()
    bad = line if wrong.status is None else f"{verb} {path} {wrong.status}"
    if wrong.hasty or (wrong.passing and verb in ("GET", "PUT")):
        return [*before, bad, line, *after], True
    published = plain.index(next(line for line in plain if "/publish" in line))
    if not wrong.passing and 0 <= index - published - 1 < len(RECORD[kind]):  # the record is there: it is looked at
        return [*before, bad, *LOOK_PUBLISHED[kind], *RECORD[kind], *plain[published + 1 + len(RECORD[kind]) :]], True
    if not path.endswith("/publish"):
        return [*before, bad], False
    if not wrong.passing:
        return [*before, bad, *LOOK[kind], LISTED[kind], *LOOK[kind]], False
    if wrong.done:
        found = [*LOOK_PUBLISHED[kind], *RECORD[kind]]
        return [*before, bad, *found, *after[len(RECORD[kind]) :]], True
    return [*before, bad, *LOOK[kind], LISTED[kind], *LOOK[kind], line, *after], True


def attempt(job: Job) -> BraggbookError | None:
    try:
        push(job)
        mint(job)
    except BraggbookError as error:
        return error
    return None


def nth_of(kind: str, index: int) -> tuple[str, str, int]:
    """Returns method, pattern and number of a call for a fault."""
    verb, path, _ = whole(kind)[index].split()
    pattern = path.replace("{uuid}", "*").replace("{id}", "*")
    same = [line for line in whole(kind)[: index + 1] if line.split()[:2] == [verb, path]]
    return verb, pattern, len(same)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_each_kind_of_request(kind: str, name: str, tmp_path: Path) -> None:
    wrong, places = FAULTS[name], itertools.count()
    for index in kinds_of_request(kind):
        if wrong.only not in whole(kind)[index]:
            continue
        place = Place(kind, tmp_path / str(next(places)))
        try:
            place.folder.mkdir(exist_ok=True)
            _one(place, index, wrong)
        finally:
            place.stop()


def _one(place: Place, index: int, wrong: Wrong) -> None:
    where = f"at {whole(place.kind)[index]}"
    method, path, _ = nth_of(place.kind, index)
    exact = _Exactly(place, method, path, index)
    fault = place.server.faults.add(exact.fault(wrong.action))
    job = place.job()
    error = attempt(job)
    calls, ends_well = expected(place.kind, index, wrong)
    assert fault.fired == 1, where
    assert place.calls() == calls, where
    if ends_well:
        assert error is None, where
    else:
        assert isinstance(error, wrong.error), where
        assert TOKEN not in f"{error}{error!r}{error.as_json()}"
        place.now += 60.0
        assert attempt(job) is None, where
    assert place.states() == ["published"], where


class _Exactly:
    """Finds the call by its place in the list: patterns match slashes, so that some match other calls too."""

    def __init__(self, place: Place, method: str, path: str, index: int) -> None:
        self.place, self.method, self.path, self.index = place, method, path, index

    def fault(self, action: Any) -> Fault:
        place, index = self.place, self.index

        class ByNumber(Fault):
            def strikes(self, call: Any) -> bool:
                struck = len(place.server.calls) == index + 1 and not self.fired
                self.fired += struck
                return struck

        return ByNumber(action, method=self.method, path=self.path)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path)
    yield made
    made.stop()


def test_what_push_and_mint_ask(place: Place) -> None:
    job = place.job()
    push(job)
    assert place.calls() == push_calls(place.kind)
    mint(job)
    assert place.calls() == mint_calls(place.kind)
    push(job)
    mint(job)
    assert place.calls() == []


def test_a_second_push_sends_no_file(place: Place) -> None:
    push(place.job())
    place.calls()
    push(place.job())
    listing = [LISTED[place.kind], *LOOK[place.kind]]
    files = {"zenodo": [], "invenio": ["GET /api/records/{id}/draft/files 200"]}[place.kind]
    assert place.calls() == [*LOOK[place.kind], *files, *listing]


def test_only_the_file_that_changed_is_sent_again(place: Place) -> None:
    push(place.job())
    place.calls()
    job = place.job("one.zip", "three.bin")
    push(job)
    sent = [line for line in place.calls() if line.startswith(("PUT", "DELETE")) and "/files/" in line]
    assert len(sent) == 2
    assert [("two.bin" in line, "three.bin" in line) for line in sent] == [(True, False), (False, True)]


def test_a_download_that_breaks_off_goes_on_where_it_was(place: Place) -> None:
    place.server.faults.add(Fault(DropReply(200_000), path="*/one.zip/content", method="GET"))
    job = place.job("one.zip", size=1_000_000)
    push(job)
    mint(job)
    got = [call for call in place.server.calls if call.method == "GET" and call.path.endswith("/content")]
    assert [call.status for call in got] == [200, 206]
    assert got[1].sent < 1_000_000


def test_slow_replies_change_nothing(place: Place) -> None:
    place.server.faults.add(Fault(Slow(latency_s=0.02), times=None))
    assert attempt(place.job()) is None
    assert place.calls() == whole(place.kind)


def test_the_wait_that_a_server_asks_for(place: Place) -> None:
    place.server.faults.add(Fault(too_many_requests(retry_after=7), method="PUT"))
    push(place.job())
    assert place.slept == [7.0]


def test_a_server_that_never_lets_anybody_in(place: Place) -> None:
    place.server.faults.add(Fault(too_many_requests(retry_after=30), times=None))
    assert isinstance(attempt(place.job()), NetworkError)
    assert sum(place.slept) < 3600.0


def test_two_hundred_files_at_a_hundred_requests_a_minute(tmp_path: Path) -> None:
    """Eight at a time, and the limit counts all: nothing fails, and hardly anything is refused."""
    names = [f"{number:03}.txt" for number in range(200)]
    limited = Place("zenodo", tmp_path, requests_per_minute=100, files_per_record=1000)
    try:
        job = limited.job(*names, size=32, simultaneous=8)
        push(job)
        refused = [call for call in limited.server.calls if call.status == 429]
        assert len(refused) <= 40
        limited.calls()
        mint(job)
        assert limited.states() == ["published"]
    finally:
        limited.stop()
