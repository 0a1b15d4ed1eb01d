"""Servers that fail or mislead, and what nobody can use: no fault shows the token, none ends in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from braggbook.records.serve import (
    Account,
    Answer,
    ArchiveServer,
    DropReply,
    DropRequest,
    Fault,
    Settings,
    WrongChecksum,
    denied,
    gateway_timeout,
    internal_error,
)

from .desk import TOKEN, Desk, assert_nobody_saw_the_token, assert_one_record

pytestmark = pytest.mark.full


ECHO = json.dumps({"status": 400, "message": f"bad token {TOKEN}", "errors": [{"field": TOKEN, "messages": [TOKEN]}]})
PAGE = f"<html>Bearer {TOKEN}</html>".encode()
FAULTS: dict[str, tuple[str, Fault, int]] = {
    "the token is repeated in a refusal": ("push", Fault(Answer(400, ECHO.encode()), method="POST"), 4),
    "and in the reason of a page": ("push", Fault(Answer(403, PAGE, "text/html"), method="POST"), 4),
    "and in an answer that should be JSON": ("push", Fault(Answer(201, PAGE, "text/html"), method="POST"), 4),
    "and in an answer of another shape": ("push", Fault(Answer(201, ECHO.encode()), method="POST"), 4),
    "and in an address to go to": (
        "push", Fault(Answer(302, headers={"Location": f"http://127.0.0.1:1/?{TOKEN}"}), method="POST"), 4,
    ),
    "the token is refused": ("push", Fault(denied(), method="POST"), 4),
    "a request is dropped": ("push", Fault(DropRequest(10), method="PUT"), 0),
    "a reply is dropped": ("push", Fault(DropReply(), method="POST"), 4),
    "an error of the server": ("push", Fault(internal_error(after=True), method="POST"), 4),
    "another checksum": ("push", Fault(WrongChecksum(), method="PUT"), 2),
    "a publication without an answer": ("mint", Fault(gateway_timeout(after=True), path="*/actions/publish"), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_shows_the_token(desk: Desk, server: ArchiveServer, served: Path, name: str) -> None:
    verb, fault, code = FAULTS[name]
    desk.more["BRAGGBOOK_TRACEBACK"] = "1"
    if verb == "mint":
        assert desk.publish("push", server.url).code == 0
    server.faults.add(Fault(fault.action, method=fault.method, path=fault.path))
    answer = desk.publish(verb, server.url, *(("--yes",) if verb == "mint" else ()))
    assert answer.code == code, answer.err
    assert "Traceback" not in answer.err
    assert answer.code == 0 or verb == "mint" or desk.publish("push", server.url).code == 0
    assert desk.publish("mint", server.url, "--yes").code == 0
    assert_one_record(server)
    assert_nobody_saw_the_token(desk, served)


def test_a_full_quota_is_the_archive_s_refusal(desk: Desk, tmp_path: Path) -> None:
    settings = Settings(bytes_per_record=1000)
    with ArchiveServer(tmp_path / "small", {TOKEN: Account()}, settings=settings) as server:
        for to in (server.url, f"invenio+{server.url}"):
            answer = desk.publish("push", to)
            assert (answer.code, answer.json["error"]) == (4, "ArchiveError"), answer.err
    assert_nobody_saw_the_token(desk)


def test_a_server_that_nobody_reaches(desk: Desk, tmp_path: Path) -> None:
    with ArchiveServer(tmp_path / "gone", {TOKEN: Account()}) as server:
        url = server.url
    answer = desk.publish("push", url)
    assert (answer.code, answer.json["error"]) == (4, "NetworkError")
    assert_nobody_saw_the_token(desk)


@pytest.mark.parametrize(
    "token", ["two halves", "before\nbehind", "Schl\N{LATIN SMALL LETTER U WITH DIAERESIS}ssel", "   "]
)
def test_what_is_no_token_is_refused_and_not_repeated(desk: Desk, server: ArchiveServer, token: str) -> None:
    desk.more["BRAGGBOOK_ARCHIVE_TOKEN"] = token
    answer = desk.publish("push", server.url)
    assert answer.code == 2
    assert "BRAGGBOOK_ARCHIVE_TOKEN" in answer.err
    assert not [word for word in token.split() if word in answer.out + answer.err]
    assert list(server.calls) == []


def test_an_archive_that_cannot_be_written(desk: Desk) -> None:
    desk.archive = Path("/proc/braggbook")
    answer = desk.publish("push", "folder")
    assert (answer.code, answer.json["error"]) == (4, "StorageError")
    desk.archive = desk.runs.parent / "photos"
    desk.archive.mkdir()
    (desk.archive / "sea.jpg").touch()
    answer = desk.publish("push", "folder")
    assert (answer.code, answer.json["what"]) == (4, "not an archive's folder")
    assert [path.name for path in desk.archive.iterdir()] == ["sea.jpg"]
