"""Handing in over HTTP: real servers on loopback, one that breaks connections, one that sends elsewhere."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from braggbook.cli.face import Face
from braggbook.cli.remote import HandIn, Hub, checked_address, find_token, hand_in, key_of, packed
from braggbook.errors import HubError, InputError, NetworkError, SignInNeeded
from braggbook.settings import load_settings

ID = "0123456789abcdef"
TOKEN = "bb_" + "a" * 43 + "01234567"
Answer = tuple[int, dict[str, Any], dict[str, str]]


class Server(ThreadingHTTPServer):
    """Answers what a test has laid down, in turn; None breaks the connection."""

    def __init__(self, answers: list[Answer | None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen = answers, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.connection.close()
            return
        code, said, headers = answer
        data = json.dumps(said).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    made: list[tuple[Server, threading.Thread]] = []

    def start(*answers: Answer | None) -> Server:
        server = Server(list(answers))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.append((server, thread))
        return server

    yield start
    for server, thread in made:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def face() -> Face:
    settings, origins = load_settings()
    return Face(settings, origins, Console(file=io.StringIO(), width=200), Console(file=io.StringIO(), width=200))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_text("case,dose_gy\na,1\n")
    return path


class Time:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def _hub(server: Server, time: Time | None = None, *, patience_s: float = 60.0) -> Hub:
    time = time or Time()
    return Hub(server.address, TOKEN, lambda _: None, patience_s, time.sleep, lambda: time.now)


def _said(state: str = "queued", **more: Any) -> dict[str, Any]:
    return {
        "id": ID, "state": state, "why": "it waits", "ahead": 2, "expected": None, "done": 0, "total": 0, "note": "",
        "links": {"page": f"/submissions/{ID}"}, **more,
    }  # fmt: skip


def _receipt(verdict: str = "scored") -> dict[str, Any]:
    return {
        "format": "braggbook.receipt/1", "submission": ID, "evaluation": ID, "challenge": "tiny_dose",
        "phase": "practice", "team": "Anna", "received": "2027-01-04", "evaluated": "2027-01-04", "verdict": verdict,
        "charged": True, "files": {}, "scores": {"error": 0.5} if verdict == "scored" else None,
    }  # fmt: skip


def _text(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[union-attr]


def test_the_file_is_sent_with_key_and_token(serve: Callable[..., Server], face: Face, file: Path) -> None:
    server = serve((202, _said(), {}))
    wanted = HandIn("tiny_dose", file, phase="practice", team="Anna & Co", title="first", accepted=True)
    hand_in(face, wanted, _hub(server), wait=False)
    path, headers, body = server.seen[0]
    assert path == (
        "/api/v1/challenges/tiny_dose/submissions"
        "?phase=practice&team=Anna+%26+Co&title=first&name=predictions.csv&accept_terms=true"
    )
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Idempotency-Key"] == key_of(wanted, file)
    assert body == file.read_bytes()
    assert f"page   {server.address}/submissions/{ID}" in _text(face.out)


def test_a_broken_connection_is_tried_again_under_the_same_key(serve: Callable[..., Server], file: Path) -> None:
    busy = (503, {"error": "StorageError", "what": "the hub's disk is full"}, {})
    server, time = (
        serve(None, busy, (429, {"what": "asked too often"}, {"Retry-After": "40"}), (202, _said(), {})),
        Time(),
    )
    assert _hub(server, time, patience_s=100).send(HandIn("tiny_dose", file), file).id == ID
    assert time.slept == [1, 2, 40]
    assert len({headers["Idempotency-Key"] for _, headers, _ in server.seen}) == 1
    assert {body for _, _, body in server.seen} == {file.read_bytes()}


def test_patience_ends_with_what_the_hub_says(serve: Callable[..., Server], file: Path) -> None:
    down = (503, {"error": "StorageError", "what": "the hub's disk is full", "next": "the same again later"}, {})
    server = serve(*[down] * 10)
    with pytest.raises(NetworkError, match="the hub's disk is full") as caught:
        _hub(server, patience_s=20).send(HandIn("tiny_dose", file), file)
    assert caught.value.next_command == "the same again later"
    assert len(server.seen) == 5


def test_nobody_there(face: Face, file: Path) -> None:
    time = Time()
    hub = Hub("http://127.0.0.1:9", TOKEN, lambda _: None, 5, time.sleep, lambda: time.now)
    with pytest.raises(NetworkError, match="does not answer"):
        hub.send(HandIn("tiny_dose", file), file)


def test_what_the_hub_refuses_is_shown_as_it_is(serve: Callable[..., Server], file: Path) -> None:
    issue = {"what": "it is empty", "where": "title", "wanted": "", "got": ""}
    said = {"error": "SignInNeeded", "what": "the token does not work\x1b[2J", "wanted": "a new one", "issues": [issue]}
    server = serve((401, said, {}))
    with pytest.raises(SignInNeeded) as caught:
        _hub(server).send(HandIn("tiny_dose", file), file)
    assert str(caught.value) == "the token does not work?[2J; wanted a new one\n  - title: it is empty"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_the_token_is_never_sent_on(serve: Callable[..., Server], file: Path, code: int) -> None:
    other = serve((202, _said(), {}))
    server = serve((code, {}, {"Location": f"{other.address}/elsewhere"}))
    with pytest.raises(HubError, match="sends elsewhere") as caught:
        _hub(server).send(HandIn("tiny_dose", file), file)
    assert caught.value.got == f"{other.address}/elsewhere"
    assert other.seen == []


def test_a_netrc_does_not_replace_the_token(
    serve: Callable[..., Server], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve((202, _said(), {}))
    _hub(server).send(HandIn("tiny_dose", file), file)
    assert server.seen[0][1]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("answer", [(200, {"hello": "world"}, {}), (200, {}, {"Content-Type": "text/html"})])
def test_what_is_no_hub(serve: Callable[..., Server], file: Path, answer: Answer) -> None:
    with pytest.raises(NetworkError, match="not a hub"):
        _hub(serve(answer)).send(HandIn("tiny_dose", file), file)


def test_waiting_ends_with_the_receipt(serve: Callable[..., Server], face: Face, file: Path) -> None:
    running = _said("running", done=3, total=12, note="scoring")
    server = serve((202, _said(), {}), (200, running, {}), (200, _said("scored"), {}), (200, _receipt(), {}))
    hand_in(face, HandIn("tiny_dose", file), _hub(server), wait=True)
    assert [path.partition("/api/v1/")[2] for path, _, _ in server.seen[1:]] == [
        f"submissions/{ID}?wait=20&state=queued", f"submissions/{ID}?wait=2&state=running",
        f"submissions/{ID}/receipt",
    ]  # fmt: skip
    assert "scored" in _text(face.out)
    assert "error 0.5" in _text(face.out)
    assert "2 before it" in _text(face.talk)


@pytest.mark.parametrize(("verdict", "code"), [("refused", 2), ("failed", 3), ("timed out", 3), ("platform", 3)])
def test_without_a_score_the_exit_code_says_so(
    serve: Callable[..., Server], face: Face, file: Path, verdict: str, code: int
) -> None:
    server = serve((200, _said(verdict), {}), (200, _receipt(verdict), {}))
    with pytest.raises(click.exceptions.Exit) as caught:
        hand_in(face, HandIn("tiny_dose", file), _hub(server), wait=True)
    assert caught.value.exit_code == code


def test_a_folder_is_packed_the_same_every_time(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    (folder / "b.nii.gz").write_bytes(b"2")
    (folder / "a.nii.gz").write_bytes(b"1")
    (folder / "link").symlink_to("/etc/passwd")
    with packed(folder) as first, packed(folder) as second:
        assert first.name == "submission.zip"
        assert first.read_bytes() == second.read_bytes()
        assert b"link" not in first.read_bytes()
    assert not first.exists()
    with pytest.raises(InputError, match="no such file"), packed(tmp_path / "nothing"):
        pass


def test_other_content_phase_or_team_is_another_key(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("case,dose_gy\na,2\n")
    wanted = HandIn("tiny_dose", file)
    keys = {
        key_of(wanted, file), key_of(wanted, other), key_of(HandIn("tiny_dose", file, phase="a"), file),
        key_of(HandIn("tiny_dose", file, team="a"), file), key_of(HandIn("other", file), file),
    }  # fmt: skip
    assert len(keys) == 5


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://hub.example.org/", "https://hub.example.org"),
        ("https://hub.example.org:8443/lab/", "https://hub.example.org:8443/lab"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.9:8000", "http://127.0.0.9:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_addresses_that_may_have_the_token(given: str, kept: str) -> None:
    assert checked_address(given, insecure=False) == kept


@pytest.mark.parametrize(
    "given",
    ["hub.example.org", "ftp://hub", "https://", "https://anna:secret@hub", "https://hub/?a=b", "https://hub:port", ""],
)
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(InputError, match="not the address of a hub"):
        checked_address(given, insecure=True)


@pytest.mark.parametrize("given", ["http://hub.example.org", "http://127.0.0.1.example.org", "http://10.0.0.1"])
def test_the_token_does_not_go_unprotected(given: str) -> None:
    with pytest.raises(InputError, match="unprotected"):
        checked_address(given, insecure=False)
    assert checked_address(given, insecure=True) == given


def test_where_the_token_comes_from(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o644)
    assert find_token(path, {"BRAGGBOOK_HUB_TOKEN": "another one"}, face=face) == TOKEN
    assert "others on this machine may read" in _text(face.talk)
    assert find_token(None, {"BRAGGBOOK_HUB_TOKEN": TOKEN}, face=face) == TOKEN
    with pytest.raises(InputError, match="no token"):
        find_token(None, {}, face=face)
    with pytest.raises(InputError, match="cannot be read"):
        find_token(tmp_path / "nothing", {}, face=face)
    path.write_text("two\nlines of it\n")
    with pytest.raises(InputError, match="not a token") as caught:
        find_token(path, {}, face=face)
    assert "lines of it" not in str(caught.value)
