"""Whatever a server answers: something of the right types, or an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braggbook.errors import ArchiveError, HashMismatch, NetworkError, UnknownName
from braggbook.progress import Silent
from braggbook.records.answers import Deposition, Listed, RdmRecord, read
from braggbook.records.archive import Archive, Draft, Record
from braggbook.records.serve import Fault, Rewrite
from braggbook.records.serve.wire import Reply
from braggbook.testing.archive import make_metadata, make_plan

from .deposit_helpers import Place

OURS = (ArchiveError, NetworkError, HashMismatch)


def answered(content: bytes) -> requests.Response:
    answer = requests.Response()
    answer._content, answer.url = content, "https://archive.example/api"
    return answer


DEPOSITION = {"id": 7, "submitted": False, "metadata": {}, "links": {}, "files": []}
BAD = {
    "nothing": b"",
    "a page": b"<html>504</html>",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "cut": b'{"id": 7, "subm',
    "too deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "a number of many digits": b'{"id": ' + b"9" * 10_000 + b"}",
    "no id": b'{"submitted": false}',
    "an id of another type": b'{"id": {"a": 1}, "submitted": false}',
    "an id that is a truth": b'{"id": true, "submitted": false}',
    "an id with a path": b'{"id": "../../x", "submitted": false}',
    "an id with a question": b'{"id": "7?x=1", "submitted": false}',
    "an id that has a line's end": b'{"id": "7\\n", "submitted": false}',
    "submitted as a text": b'{"id": 7, "submitted": "no"}',
    "metadata as a list": b'{"id": 7, "submitted": false, "metadata": []}',
    "files as an object": b'{"id": 7, "submitted": false, "files": {"a": 1}}',
    "a negative size": b'{"id": 7, "submitted": false, "files": [{"filename": "a", "filesize": -1, "checksum": "%s"}]}'
    % (b"0" * 32),
    "a size without end": b'{"id": 7, "submitted": false, "files": [{"filename": "a", "filesize": Infinity, '
    b'"checksum": "%s"}]}' % (b"0" * 32),
    "half a checksum": b'{"id": 7, "submitted": false, "files": [{"filename": "a", "filesize": 1, "checksum": "0"}]}',
    "half a letter": b'{"id": 7, "submitted": false, "links": {"html": "\\ud800"}}',
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_said_in_our_words(name: str) -> None:
    with pytest.raises(ArchiveError, match="an answer that") as caught:
        read(answered(BAD[name]), Deposition)
    assert caught.value.exit_code == 4
    assert caught.value.__cause__ is None
    f"{caught.value}".encode()  # it can be printed
    assert len(str(caught.value)) < 5000


def test_all_that_is_wrong_is_listed() -> None:
    with pytest.raises(ArchiveError) as caught:
        read(answered(b'{"id": [], "metadata": 3, "files": 4}'), Deposition)
    assert len(caught.value.issues) == 4


def test_numbers_and_texts_are_both_identifiers() -> None:
    assert read(answered(b'{"id": 7, "submitted": false}'), Deposition).id == "7"
    assert read(answered(b'{"id": "7", "submitted": false, "links": null, "files": null}'), Deposition).id == "7"
    assert read(answered(b'{"id": "abcde-12345"}'), RdmRecord).id == "abcde-12345"


def test_what_moves_a_cursor_is_taken_out() -> None:
    told = json.dumps({"id": 7, "submitted": True, "metadata": {"title": "A\x1b[2J\nB"}}).encode()
    assert read(answered(told), Deposition).metadata.title == "A [2J B"


def test_a_listing_does_not_look_at_files() -> None:
    told = json.dumps([{**DEPOSITION, "files": [{"filename": None}]}]).encode()
    assert [one.id for one in read(answered(told), list[Listed])] == ["7"]


# Everything that the server answers, changed somewhere

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**30), st.floats(), st.text(max_size=5),
    st.just("\ud800"), st.just("http://127.0.0.1:9/api/files/x"), st.just("../.."), st.just([]), st.just({}),
    st.just([[]]), st.just({"a": {}}), st.just([None]), st.just("x" * 200_000),
)  # fmt: skip
VERBS: dict[str, Callable[[Archive, Draft, Record, Path], Any]] = {
    "own": lambda archive, draft, record, path: archive.own(str(draft.plan)),
    "create": lambda archive, draft, record, path: archive.create(make_metadata(), plan=make_plan()),
    "next version": lambda archive, draft, record, path: archive.create(
        make_metadata(), plan=make_plan(), version_of=record.doi
    ),
    "look": lambda archive, draft, record, path: archive.look(draft.id),
    "look at a record": lambda archive, draft, record, path: archive.look(record.id),
    "describe": lambda archive, draft, record, path: archive.describe(draft.id, make_metadata(), plan=str(draft.plan)),
    "upload": lambda archive, draft, record, path: archive.upload(draft.id, "b.txt", path, progress=Silent()),
    "remove": lambda archive, draft, record, path: archive.remove(draft.id, "b.txt"),
    "publish": lambda archive, draft, record, path: archive.publish(draft.id),
    "discard": lambda archive, draft, record, path: archive.discard(draft.id),
    "record": lambda archive, draft, record, path: archive.record(record.doi, latest=True),
    "download": lambda archive, draft, record, path: archive.download(
        record, "a.txt", path.with_name("got"), progress=Silent()
    ),
    "search": lambda archive, draft, record, path: archive.search("a", most=3),
}


def changed(value: Any, where: list[int], junk: Any, *, remove: bool) -> Any:
    """Returns JSON with one place of it replaced or removed; ``where`` leads there."""
    if not where or not isinstance(value, (dict, list)) or not value:
        return junk
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key, rest = keys[where[0] % len(keys)], where[1:]
    copy = dict(value) if isinstance(value, dict) else list(value)
    if remove and not rest:
        del copy[key]
    else:
        copy[key] = changed(value[key], rest, junk, remove=remove)
    return copy


class Bench:
    """A server with a draft and a record, and archives that ask it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.known: str | None = None
        self.path = place.folder / "sent"
        self.path.write_bytes(b"something to be sent")
        archive = place.archive()
        draft = archive.create(make_metadata(), plan=make_plan())
        archive.upload(draft.id, "a.txt", self.path, progress=Silent())
        self.record = archive.publish(draft.id)

    def draft(self) -> Draft:
        """Returns one draft again and again, until it was published or discarded."""
        archive = self.place.archive()
        there = archive.look(self.known) if self.known is not None else None
        if there is not None and (there.state, len(there.files)) == ("draft", 1) and there.plan is not None:
            return there
        draft = archive.create(make_metadata(), plan=make_plan())
        archive.upload(draft.id, "a.txt", self.path, progress=Silent())
        self.known = draft.id
        return draft


@pytest.fixture(scope="module", params=("zenodo", "invenio"))
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = Place(request.param, tmp_path_factory.mktemp("bench"))
    yield Bench(place)
    place.stop()


@pytest.mark.full
@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.lists(st.integers(0, 40), max_size=5),
    junk=JUNK,
    remove=st.booleans(),
    nth=st.integers(1, 4),
    ever=st.booleans(),
)
def test_a_changed_answer_gives_no_error_but_ours(
    bench: Bench, verb: str, where: list[int], junk: Any, remove: bool, nth: int, ever: bool
) -> None:
    def change(reply: Reply) -> Reply:
        if reply.json is None:
            return reply
        told = changed(reply.json, where, junk, remove=remove)
        return Reply(reply.status, content=json.dumps(told).encode("utf-8", "replace"))

    _fails_in_our_words(bench, verb, Fault(Rewrite(change), nth=nth, times=None if ever else 1))


@pytest.mark.full
@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=st.sampled_from([100, 200, 201, 202, 204, 301, 304, 400, 401, 404, 409, 410, 413, 418, 429, 500, 504]),
    content=st.one_of(st.binary(max_size=50), st.sampled_from(list(BAD.values()))),
    headers=st.dictionaries(
        st.sampled_from(["Content-Length", "Location", "Content-Encoding", "Retry-After", "X-RateLimit-Reset"]),
        st.sampled_from(["-1", "0", "5", "99999999999999999999", "x", "gzip", "/api", "http://127.0.0.1:9/", "nan"]),
        max_size=2,
    ),
    nth=st.integers(1, 3),
)
def test_another_answer_gives_no_error_but_ours(
    bench: Bench, verb: str, status: int, content: bytes, headers: dict[str, str], nth: int
) -> None:
    def change(_: Reply) -> Reply:
        return Reply(status, content=content, headers={"Connection": "close", **headers})

    _fails_in_our_words(bench, verb, Fault(Rewrite(change), nth=nth), may_miss=True)


def _fails_in_our_words(bench: Bench, verb: str, fault: Fault, *, may_miss: bool = False) -> None:
    server = bench.place.server
    assert server is not None
    draft, archive = bench.draft(), bench.place.archive()
    server.faults.add(fault)
    try:
        outcome = VERBS[verb](archive, draft, bench.record, bench.path)
    except OURS as error:
        f"{error}{error.as_json()}".encode()
    except UnknownName:
        if not may_miss:  # 404 is "no such record"
            raise
    else:
        repr(outcome).encode()
    finally:
        server.faults.clear()
        (bench.path.with_name("got")).unlink(missing_ok=True)
