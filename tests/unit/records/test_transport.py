"""HTTP with a token: never shown, never sent elsewhere, patient where that does no harm."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import ArchiveError, BraggbookError, InputError, NetworkError
from braggbook.records.serve import (
    Account,
    ArchiveServer,
    DropReply,
    Fault,
    gateway_timeout,
    internal_error,
    too_many_requests,
)
from braggbook.records.transport import Clock, Transport

TOKEN = "zz-token-that-must-not-be-read-9876543210"
DEPOSITIONS = "/api/deposit/depositions"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ArchiveServer]:
    with ArchiveServer(tmp_path / "server", {TOKEN: Account()}) as started:
        yield started


class Time:
    """A clock that is only moved by those who sleep."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def asking(server: ArchiveServer, time: Time | None = None) -> Transport:
    return Transport(server.url, TOKEN, clock=(time or Time()).clock())


def test_the_token_is_a_header_and_the_user_agent_says_who_asks(server: ArchiveServer) -> None:
    asking(server).ask("GET", DEPOSITIONS)
    (call,) = server.calls
    assert call.token_in == "header"
    assert call.user_agent.startswith("braggbook/")


@pytest.mark.parametrize(
    "fault",
    [DropReply(0), gateway_timeout(), internal_error(), too_many_requests()],
    ids=["dropped", "504", "500", "429"],
)
def test_no_message_and_no_log_holds_the_token(
    server: ArchiveServer, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults.add(Fault(fault, times=None))
    with pytest.raises(BraggbookError) as caught:
        asking(server).ask("GET", f"{DEPOSITIONS}?access_token={TOKEN}")
    error: BaseException | None = caught.value
    while error is not None:
        assert TOKEN not in f"{error} {error!r} {vars(error)}" if isinstance(error, BraggbookError) else True
        error = error.__cause__
    assert TOKEN not in str(pickle.loads(pickle.dumps(caught.value)).as_json())
    assert TOKEN not in repr(asking(server))


def test_the_token_goes_to_no_other_server(server: ArchiveServer) -> None:
    with pytest.raises(ArchiveError, match="the archive points to another server"):
        asking(server).ask("GET", "http://127.0.0.1:9/api/records")
    assert len(server.calls) == 0


@pytest.mark.parametrize("base", ["http://zenodo.example", "ftp://127.0.0.1", "zenodo.org"])
def test_a_token_is_not_sent_in_the_clear(base: str) -> None:
    with pytest.raises(InputError, match="not an archive's address"):
        Transport(base, TOKEN)


def test_reading_is_tried_again(server: ArchiveServer) -> None:
    time = Time()
    server.faults.add(Fault(internal_error(), times=2))
    assert asking(server, time).ask("GET", DEPOSITIONS).json() == []
    assert time.slept == [0.5, 1.0]


def test_a_post_whose_outcome_is_unknown_is_not_repeated(server: ArchiveServer) -> None:
    server.faults.add(Fault(gateway_timeout(after=True), method="POST"))
    with pytest.raises(NetworkError, match="cannot answer now"):
        asking(server).ask("POST", DEPOSITIONS, json={})
    assert [call.method for call in server.calls] == ["POST"]


def test_a_post_that_was_refused_for_haste_is_repeated(server: ArchiveServer) -> None:
    time = Time()
    server.faults.add(Fault(too_many_requests(retry_after=7), method="POST"))
    assert asking(server, time).ask("POST", DEPOSITIONS, json={}).status_code == 201
    assert time.slept == [7.0]


def test_a_refusal_lists_what_the_server_found(server: ArchiveServer) -> None:
    with pytest.raises(ArchiveError) as caught:
        asking(server).ask("POST", DEPOSITIONS, json={"unknown": 1})
    assert "status 400" in caught.value.got
    assert caught.value.exit_code == 4


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with ArchiveServer(tmp_path, {}) as server:
        address = server.url
    with pytest.raises(NetworkError, match="the archive did not answer"):
        Transport(address, TOKEN, clock=Time().clock()).ask("GET", DEPOSITIONS)
