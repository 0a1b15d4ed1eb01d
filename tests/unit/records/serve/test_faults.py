"""Faults: each happens where it was ordered, and nowhere else."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.request
from typing import Any

import pytest
import requests

from braggbook.records.serve import (
    Answer,
    ArchiveServer,
    Call,
    CorruptStored,
    Do,
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

from .conftest import Start
from .serve_helpers import Client

CONTENT = bytes(range(256)) * 4096  # 1 MiB
UPLOADS, PUBLISH = "/api/files/*", "*/actions/publish"


@pytest.mark.parametrize("at_byte", [0, 1, 100_000, len(CONTENT), 2 * len(CONTENT)])
def test_the_connection_goes_while_a_body_arrives(client: Client, server: ArchiveServer, at_byte: int) -> None:
    fault = server.faults.add(Fault(DropRequest(at_byte), method="PUT", path=UPLOADS))
    deposition = client.deposit()
    with pytest.raises(requests.ConnectionError):
        client.upload(deposition, "a.bin", CONTENT)
    assert fault.fired == 1
    assert server.calls[-1].status == 0
    assert server.calls[-1].received == min(at_byte, len(CONTENT))
    assert client.ok("GET", deposition["links"]["bucket"]) == []
    assert client.upload(deposition, "a.bin", CONTENT).status_code == 201


def test_the_connection_goes_while_a_body_in_chunks_arrives(client: Client, server: ArchiveServer) -> None:
    server.faults.add(Fault(DropRequest(100), method="PUT"))
    deposition = client.deposit()
    with pytest.raises(requests.ConnectionError):
        client.upload(deposition, "a.bin", iter([b"x" * 70, b"x" * 70]))
    assert client.ok("GET", deposition["links"]["bucket"]) == []


def test_the_connection_goes_before_a_request_without_a_body_is_answered(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"x")
    server.faults.add(Fault(DropRequest(), path=PUBLISH))
    with pytest.raises(requests.ConnectionError):
        client.act(deposition["id"], "publish")
    assert client.ok("GET", deposition["links"]["self"])["submitted"] is False


def test_what_was_asked_for_is_done_and_the_reply_is_lost(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"x")
    server.faults.add(Fault(DropReply(), path=PUBLISH))
    with pytest.raises(requests.ConnectionError):
        client.act(deposition["id"], "publish")
    assert client.ok("GET", f"/deposit/depositions/{deposition['id']}")["submitted"] is True


@pytest.mark.parametrize("at_byte", [0, 1, 500_000])
def test_a_download_breaks_off_and_is_resumed(client: Client, server: ArchiveServer, at_byte: int) -> None:
    done = client.published({"a.bin": CONTENT})
    address = client.ok("GET", f"/records/{done['id']}")["files"][0]["links"]["self"]
    server.faults.add(Fault(DropReply(at_byte), path="*/content"))
    with urllib.request.urlopen(address) as answer:
        assert answer.headers["Content-Length"] == str(len(CONTENT))
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
    assert broken.value.partial == CONTENT[:at_byte]
    assert (server.calls[-1].status, server.calls[-1].sent) == (200, at_byte)
    rest = client("GET", address, headers={"Range": f"bytes={at_byte}-"})
    assert CONTENT[:at_byte] + rest.content == CONTENT


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (internal_error(), 500),
        (denied(), 403),
        (too_many_requests(), 429),
        (gateway_timeout(), 504),
        (too_large(), 413),
        (Answer(503, b"back soon", "text/plain"), 503),
    ],
)
def test_another_answer_and_nothing_done(client: Client, server: ArchiveServer, answer: Answer, status: int) -> None:
    server.faults.add(Fault(answer, method="POST", path="/api/deposit/depositions"))
    assert client("POST", "/deposit/depositions", json={}).status_code == status
    assert client.ok("GET", "/deposit/depositions") == []
    assert client("POST", "/deposit/depositions", json={}).status_code == 201


def test_a_large_body_that_is_refused_gets_its_answer(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    server.faults.add(Fault(too_large(), method="PUT"))
    answer = client.upload(deposition, "a.bin", CONTENT * 8)
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")


def test_the_shapes_of_refusals(client: Client, server: ArchiveServer) -> None:
    server.faults.add(Fault(internal_error()))
    assert client("GET", "/records").json()["error_id"]
    server.faults.add(Fault(too_many_requests()))
    answer = client("GET", "/records")
    assert (answer.json()["status"], "Retry-After" in answer.headers) == (429, False)
    server.faults.add(Fault(too_many_requests(retry_after=3)))
    assert client("GET", "/records").headers["Retry-After"] == "3"
    server.faults.add(Fault(gateway_timeout()))
    answer = client("GET", "/records")
    assert answer.headers["Content-Type"] == "text/html"
    assert "504 Gateway Time-out" in answer.text


@pytest.mark.parametrize("after", [False, True])
def test_a_gateway_gives_up_before_or_after_the_publication(client: Client, server: ArchiveServer, after: bool) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"x")
    server.faults.add(Fault(gateway_timeout(after=after), path=PUBLISH))
    assert client.act(deposition["id"], "publish").status_code == 504
    found = client.ok("GET", f"/deposit/depositions/{deposition['id']}")
    assert found["submitted"] is after
    assert client.act(deposition["id"], "publish").status_code == (404 if after else 202)


def test_a_wrong_digest_in_the_reply(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    right = hashlib.md5(b"hello").hexdigest()
    server.faults.add(Fault(WrongChecksum(), method="PUT"))
    told = client.upload(deposition, "a.txt", b"hello").json()["checksum"]
    assert told.startswith("md5:")
    assert told != f"md5:{right}"
    assert len(told) == len(f"md5:{right}")
    assert client.ok("GET", deposition["links"]["bucket"])[0]["checksum"] == f"md5:{right}"
    server.faults.add(Fault(WrongChecksum(), method="GET"))
    assert client.ok("GET", deposition["links"]["self"])["files"][0]["checksum"] != right


def test_bytes_that_rot_where_they_are_kept(client: Client, server: ArchiveServer) -> None:
    server.faults.add(Fault(CorruptStored(), method="PUT", path="*/b.bin"))
    done = client.published({"a.bin": CONTENT, "b.bin": CONTENT})
    files = {file["key"]: file for file in client.ok("GET", f"/records/{done['id']}")["files"]}
    assert files["a.bin"]["checksum"] == files["b.bin"]["checksum"]
    assert client("GET", files["a.bin"]["links"]["self"]).content == CONTENT
    rotten = client("GET", files["b.bin"]["links"]["self"]).content
    assert len(rotten) == len(CONTENT)
    assert sum(one != other for one, other in zip(rotten, CONTENT, strict=True)) == 1


def test_a_slow_connection(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    server.faults.add(Fault(Slow(bytes_per_second=10 * len(CONTENT)), path=UPLOADS, times=2))
    for method in ("PUT", "GET"):
        begun = time.monotonic()
        answer = client(method, f"{deposition['links']['bucket']}/a.bin", data=CONTENT if method == "PUT" else None)
        assert time.monotonic() - begun >= 0.1  # 1/10 s is the least that it may take
        assert answer.ok
    assert answer.content == CONTENT


def test_a_late_answer(client: Client, server: ArchiveServer) -> None:
    server.faults.add(Fault(Slow(latency_s=0.5), method="GET"))
    with pytest.raises(requests.Timeout):
        requests.get(f"{server.url}/api/records", timeout=0.1)
    assert client("GET", "/records").status_code == 200


def test_the_test_is_called_at_a_point_that_it_knows(client: Client, server: ArchiveServer) -> None:
    seen: list[tuple[str, bool]] = []
    deposition = client.deposit()
    id = str(deposition["id"])
    client.upload(deposition, "a.txt", b"x")

    def look(call: Call) -> None:
        seen.append((call.path.rpartition("/")[2], server.archive.find(id).published is not None))

    server.faults.add(Fault(Do(look), path=PUBLISH))
    server.faults.add(Fault(Do(look, after=True), path=PUBLISH))
    client.act(deposition["id"], "publish")
    assert seen == [("publish", False), ("publish", True)]


@pytest.mark.parametrize(
    ("nth", "times", "statuses"),
    [
        (1, 1, [500, 200, 200, 200]),
        (3, 1, [200, 200, 500, 200]),
        (2, 2, [200, 500, 500, 200]),
        (2, None, [200, 500, 500, 500]),
    ],
)
def test_which_calls_suffer(client: Client, server: ArchiveServer, nth: int, times: Any, statuses: list[int]) -> None:
    fault = server.faults.add(Fault(internal_error(), method="GET", path="/api/records", nth=nth, times=times))
    client("POST", "/deposit/depositions", json={})
    assert [client("GET", "/records").status_code for _ in statuses] == statuses
    assert (fault.seen, fault.fired) == (4, statuses.count(500))
    server.faults.clear()
    assert client("GET", "/records").status_code == 200


# The log of calls


def test_the_log_of_calls(client: Client, guest: Client, server: ArchiveServer) -> None:
    done = client.published({"a file.txt": b"hello"})
    guest("GET", f"/records/{done['id']}/files/a file.txt/content")
    guest("GET", "/records", params={"q": "x", "access_token": client.token})
    assert server.calls.outline() == [
        "POST /api/deposit/depositions 201",
        "PUT /api/files/{uuid}/a file.txt 201",
        "POST /api/deposit/depositions/{id}/actions/publish 202",
        "GET /api/records/{id}/files/a file.txt/content 200",
        "GET /api/records 200",
    ]
    created, put, publish, download, search = server.calls
    assert (put.received, publish.received, download.sent) == (5, 0, 5)
    assert [call.token_in for call in server.calls] == ["header", "header", "header", "", "query"]
    assert search.query == {"q": "x"}
    assert created.user_agent.startswith("python-requests/")
    assert created.headers["content-type"] == "application/json"
    assert str(client.token) not in repr(list(server.calls))
    server.calls.clear()
    assert len(server.calls) == 0


def test_latency_holds_for_every_request(start: Start) -> None:
    slow = Client(start(latency_s=0.05))
    begun = time.monotonic()
    slow.ok("GET", "/records")
    assert time.monotonic() - begun >= 0.05
