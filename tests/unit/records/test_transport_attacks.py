"""A server, a network or a machine that means harm: the token stays where it is, and nothing hangs."""

from __future__ import annotations

import copy
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from braggbook.errors import ArchiveError, BraggbookError, HashMismatch, InputError
from braggbook.progress import Silent
from braggbook.records.invenio import InvenioArchive
from braggbook.records.serve import Account, Answer, ArchiveServer, Fault, Rewrite
from braggbook.records.serve.wire import Reply
from braggbook.records.transport import LARGEST_ANSWER, Clock, Transport
from braggbook.records.zenodo import ZenodoArchive
from braggbook.testing.archive import make_metadata, make_plan

pytestmark = pytest.mark.full  # each starts servers
TOKEN = "zz-token-that-must-not-be-read-9876543210"
DEPOSITIONS = "/api/deposit/depositions"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ArchiveServer]:
    with ArchiveServer(tmp_path / "server", {TOKEN: Account()}) as started:
        yield started


@pytest.fixture
def thief(tmp_path: Path) -> Iterator[ArchiveServer]:
    """Another server, which would like to have the token."""
    with ArchiveServer(tmp_path / "thief", {TOKEN: Account()}) as started:
        yield started


def asking(server: ArchiveServer, token: str | None = TOKEN) -> Transport:
    return Transport(server.url, token, clock=Clock(sleep=lambda _: None))


def all_of(error: BaseException | None) -> str:
    """Everything that an exception and those before it say."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(getattr(error, "__dict__", ""))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_redirect_elsewhere_is_not_followed(
    server: ArchiveServer, thief: ArchiveServer, status: int, method: str
) -> None:
    server.faults.add(Fault(Answer(status, headers={"Location": f"{thief.url}{DEPOSITIONS}"}), times=None))
    with pytest.raises(ArchiveError, match="the archive points to another server") as caught:
        asking(server).ask(method, DEPOSITIONS)
    assert (len(server.calls), len(thief.calls)) == (1, 0)
    assert TOKEN not in all_of(caught.value)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_is_not_followed_on_the_same_server_either(server: ArchiveServer, method: str) -> None:
    server.faults.add(Fault(Answer(307, headers={"Location": "/api/elsewhere"})))
    with pytest.raises(ArchiveError, match="another server"):
        asking(server).ask(method, DEPOSITIONS)
    assert len(server.calls) == 1


def test_a_download_elsewhere_goes_without_the_token(server: ArchiveServer, thief: ArchiveServer) -> None:
    """An InvenioRDM that keeps files in an object store answers with an address there."""
    server.faults.add(Fault(Answer(302, headers={"Location": f"{thief.url}/api/records"})))
    with asking(server).ask("GET", "/api/records/1/files/a/content", stream=True) as answer:
        assert answer.status_code == 200
    assert [call.token_in for call in thief.calls] == [""]


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "//[", "http://example.org/x", "file:///etc/passwd", "\\\\x"])
def test_a_download_goes_to_no_odd_address(server: ArchiveServer, target: str) -> None:
    server.faults.add(Fault(Answer(302, headers={"Location": target}), times=None))
    with pytest.raises(BraggbookError) as caught:
        asking(server).ask("GET", "/api/records/1/files/a/content", stream=True)
    assert caught.value.exit_code == 4


def test_redirects_have_an_end(server: ArchiveServer) -> None:
    server.faults.add(Fault(Answer(302, headers={"Location": "/api/records/1"}), times=None))
    with pytest.raises(ArchiveError, match="from one address to the next"):
        asking(server).ask("GET", "/api/records/1")
    assert len(server.calls) == 5


@pytest.mark.parametrize(
    "elsewhere", ["{thief}/api/files/x", "{own}/x", "{own}/api/files/x?a=1", "{own}/api/../x", "x"]
)
def test_a_place_for_files_elsewhere_is_refused(
    server: ArchiveServer, thief: ArchiveServer, tmp_path: Path, elsewhere: str
) -> None:
    def change(reply: Reply) -> Reply:
        reply.json["links"]["bucket"] = elsewhere.format(thief=thief.url, own=server.url)
        return reply

    server.faults.add(Fault(Rewrite(change), path=f"{DEPOSITIONS}*", times=None))
    archive = ZenodoArchive(asking(server))
    (tmp_path / "a").write_bytes(b"x")

    def work() -> None:
        draft = archive.create(make_metadata(), plan=make_plan())
        archive.upload(draft.id, "a", tmp_path / "a", progress=Silent())

    with pytest.raises(ArchiveError):
        work()
    assert len(thief.calls) == 0
    assert [call for call in server.calls if call.method == "PUT"] == []


def test_an_echo_of_the_token_goes_no_further(server: ArchiveServer) -> None:
    def change(reply: Reply) -> Reply:
        reply.json["links"]["html"] = reply.json["metadata"]["prereserve_doi"]["doi"] = f"https://x/?t={TOKEN}"
        return reply

    server.faults.add(Fault(Rewrite(change), method="POST"))
    draft = ZenodoArchive(asking(server)).create(make_metadata(), plan=make_plan())
    assert TOKEN not in repr(draft)
    server.faults.add(Fault(Answer(400, f'{{"message": "{TOKEN}", "errors": [{{"field": "{TOKEN}"}}]}}'.encode())))
    with pytest.raises(ArchiveError) as caught:
        asking(server).ask("GET", DEPOSITIONS)
    assert TOKEN not in all_of(caught.value)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "a\x00b", "täken", "a\nb", "a;b"])
def test_what_cannot_stand_in_a_header_is_no_token(server: ArchiveServer, token: str) -> None:
    with pytest.raises(InputError, match="not a token") as caught:
        Transport(server.url, token)
    assert token not in all_of(caught.value)


@pytest.mark.parametrize(
    "base",
    [
        "https://name:secret@zenodo.org", "https://zenodo.org?token=secret", "https://zenodo.org#secret", "https://",
        "https://zenodo.org\r\nX: 1", "https://zenodo.org/../x", "http://127.0.0.1.example.org", "http://[::2]",
        "https://zen odo.org", "https://zenodo.org\\@evil.org", "http://localhost@evil.org", "https://x:99999999",
    ],
)  # fmt: skip
def test_an_address_with_more_in_it_is_refused(base: str) -> None:
    with pytest.raises(InputError, match="not an archive's address") as caught:
        Transport(base, TOKEN)
    assert "name:secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x", "https://127.0.0.1/x", "//evil.org/x", "http://127.0.0.1@evil.org/x"]
)
def test_an_address_on_another_server_is_not_asked(server: ArchiveServer, address: str) -> None:
    if address.startswith("//"):  # a path below the base, whatever it looks like
        with pytest.raises(ArchiveError):
            asking(server).ask("GET", address)
        assert [call.path.lstrip("/") for call in server.calls] == ["evil.org/x"]
        return
    with pytest.raises(ArchiveError, match="another server"):
        asking(server).ask("GET", address)
    assert len(server.calls) == 0


def test_neither_netrc_nor_a_proxy_sees_what_is_local(
    server: ArchiveServer, thief: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    netrc.chmod(0o600)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, thief.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(netrc))
    asking(server).ask("GET", DEPOSITIONS)
    asking(server, None).ask("GET", "/api/records")
    assert len(thief.calls) == 0
    assert [call.token_in for call in server.calls] == ["header", ""]


def test_nothing_that_can_be_copied_or_kept_holds_the_token(server: ArchiveServer) -> None:
    transport = Transport(server.url, TOKEN)
    for keep in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            keep(transport)
        assert TOKEN not in all_of(caught.value)
    assert TOKEN not in repr(transport) + repr(transport._session.auth) + repr(transport._session.headers)
    assert TOKEN.encode() not in pickle.dumps(transport._session.auth)
    assert TOKEN not in repr(vars(ZenodoArchive(transport))) + repr(vars(InvenioArchive(transport)))


DEBUG = """
    import http.client, logging, os, sys
    http.client.HTTPConnection.debuglevel = 1
    logging.basicConfig(level=logging.DEBUG)
    from braggbook.records.archives import Shelf
    from braggbook.testing.archive import make_metadata, make_plan
    from pathlib import Path
    archive = Shelf(Path("nothing"), os.environ).open(sys.argv[1])
    archive.create(make_metadata(), plan=make_plan())
    archive.record("1")
"""


@pytest.mark.parametrize("kind", ["", "invenio+"])
def test_no_log_and_no_traceback_holds_the_token(server: ArchiveServer, kind: str) -> None:
    """With all that a person switches on to see what is sent."""
    command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(DEBUG), f"{kind}{server.url}"]
    env = {**os.environ, "BRAGGBOOK_ARCHIVE_TOKEN": TOKEN}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert "UnknownName" in done.stderr
    assert "urllib3" in done.stderr  # the log was on
    assert server.calls[0].token_in == "header"
    assert TOKEN not in done.stdout + done.stderr
    assert "Bearer" not in done.stdout + done.stderr


class Raw:
    """A server that answers each connection with bytes, for as long as somebody reads them."""

    def __init__(self, *blocks: bytes, ever: bytes = b"") -> None:
        self.blocks, self.ever = blocks, ever
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    for block in self.blocks:
                        connection.sendall(block)
                    while self.ever:
                        connection.sendall(self.ever)
                except OSError:
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BAD: dict[str, dict[str, Any]] = {
    "a body without end": {"blocks": [OK + b"\r\n"], "ever": b" " * 65536},
    "chunks without end": {"blocks": [OK + b"Transfer-Encoding: chunked\r\n\r\n"], "ever": b"1000\r\n" + b" " * 4096 + b"\r\n"},
    "headers without end": {"blocks": [OK], "ever": b"X-A: b\r\n"},
    "a header without end": {"blocks": [OK + b"X-A: "], "ever": b"a" * 65536},
    "interim answers without end": {"blocks": [], "ever": b"HTTP/1.1 100 Continue\r\n\r\n"},
    "no HTTP": {"blocks": [b"SSH-2.0-OpenSSH_9.2\r\n"]},
    "nothing": {"blocks": []},
    "an odd status": {"blocks": [b"HTTP/1.1 abc OK\r\n\r\n"]},
    "a negative length": {"blocks": [OK + b"Content-Length: -5\r\n\r\n{}"]},
    "two lengths": {"blocks": [OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"]},
    "more than comes": {"blocks": [OK + b"Content-Length: 50\r\n\r\n{}"]},
    "a bad chunk": {"blocks": [OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"]},
    "a chunk of a negative length": {"blocks": [OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n"]},
    "packed": {"blocks": [OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"]},
    "letters that are none": {"blocks": [b"HTTP/1.1 400 \xff\xfe\r\nX: \xff\r\nContent-Length: 2\r\n\r\n\xff\xfe"]},
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", [ZenodoArchive, InvenioArchive])
def test_no_answer_hangs_or_surprises(name: str, kind: Any) -> None:
    bad = BAD[name]
    with Raw(*bad["blocks"], ever=bad.get("ever", b"")) as raw:
        archive = kind(Transport(raw.url, TOKEN, clock=Clock(sleep=lambda _: None)))
        with pytest.raises(BraggbookError) as caught:
            archive.look("1")
    assert caught.value.exit_code == 4
    assert TOKEN not in all_of(caught.value)
    f"{caught.value}".encode()


def test_an_answer_has_an_end_in_time_too() -> None:
    """A byte now and then keeps every connection alive."""
    now = [0.0]

    def later() -> float:
        now[0] += 200.0
        return now[0]

    with Raw(OK + b"\r\n", ever=b" ") as raw:
        transport = Transport(raw.url, TOKEN, clock=Clock(now=later, sleep=lambda _: None))
        with pytest.raises(ArchiveError, match="an answer without an end"):
            transport.ask("GET", "/api/records")


def test_the_largest_answer_is_much_larger_than_a_page() -> None:
    assert LARGEST_ANSWER > 100 * 100 * 500


@pytest.mark.parametrize("kind", [ZenodoArchive, InvenioArchive])
def test_a_file_that_becomes_shorter_while_it_is_sent(server: ArchiveServer, kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(2_000_000))

    class Cuts(Silent):
        def step(self, done: int, note: str = "") -> None:
            os.truncate(path, 1)

    archive = kind(asking(server))
    draft = archive.create(make_metadata(), plan=make_plan())
    with pytest.raises(HashMismatch, match="became shorter"):
        archive.upload(draft.id, "a.bin", path, progress=Cuts())
    assert archive.look(draft.id).files == ()
