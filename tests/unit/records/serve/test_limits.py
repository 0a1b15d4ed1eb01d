"""Limits of speed and the headers that tell them."""

from __future__ import annotations

from braggbook.records.serve import ArchiveServer

from .conftest import Start
from .serve_helpers import OTHER_TOKEN, Client, Clock


def test_without_a_limit_there_is_no_header(client: Client) -> None:
    assert not [name for name in client("GET", "/records").headers if name.lower().startswith("x-ratelimit")]


def test_requests_are_counted_down_and_then_refused(start: Start, clock: Clock) -> None:
    client = Client(start(requests_per_minute=3))
    left = [client("GET", "/records").headers["X-RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    answer = client("GET", "/records")
    assert answer.status_code == 429
    assert answer.json() == {"status": 429, "message": "3 per 1 minute"}
    assert answer.headers["X-RateLimit-Limit"] == "3"
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    reset = int(answer.headers["X-RateLimit-Reset"])
    assert clock.now + 60 <= reset <= clock.now + 62
    assert "Retry-After" not in answer.headers
    clock.now = reset
    assert client("GET", "/records").status_code == 200


def test_a_refused_request_does_nothing_and_does_not_count(start: Start, clock: Clock) -> None:
    client = Client(start(requests_per_minute=1))
    client("POST", "/deposit/depositions", json={})
    clock.now += 50
    assert client("POST", "/deposit/depositions", json={}).status_code == 429
    clock.now += 10
    assert len(client.ok("GET", "/deposit/depositions")) == 1


def test_a_refusal_may_say_when_to_come_back(start: Start, clock: Clock) -> None:
    client = Client(start(requests_per_minute=1, retry_after=True))
    client("GET", "/records")
    clock.now += 10
    wait = int(client("GET", "/records").headers["Retry-After"])
    assert 50 <= wait <= 52
    clock.now += wait
    assert client("GET", "/records").status_code == 200


def test_everybody_has_a_limit_of_their_own(start: Start) -> None:
    server = start(requests_per_minute=1, guest_requests_per_minute=1)
    for token in (None, OTHER_TOKEN, "a-token-that-nobody-may-see"):
        who = Client(server, token)
        assert [who("GET", "/records").status_code for _ in range(2)] == [200, 429]


def test_an_hour_has_a_limit_too(start: Start, clock: Clock) -> None:
    client = Client(start(requests_per_minute=2, requests_per_hour=3))
    assert [client("GET", "/records").status_code for _ in range(3)] == [200, 200, 429]
    clock.now += 60
    assert [client("GET", "/records").status_code for _ in range(2)] == [200, 429]
    assert client("GET", "/records").json()["message"] == "3 per 1 hour"
    clock.now += 3600
    assert client("GET", "/records").status_code == 200


def test_a_large_upload_over_the_limit_gets_its_answer(start: Start, server: ArchiveServer) -> None:
    client = Client(start(requests_per_minute=1))
    deposition = client.deposit()
    assert client.upload(deposition, "a.bin", bytes(8_000_000)).status_code == 429
