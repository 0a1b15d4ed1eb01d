"""Requests as bytes: what a library would not send, and what a socket alone can show."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from braggbook.errors import InputError, StorageError
from braggbook.records.serve import Account, ArchiveServer, Fault, Slow, check_host, open_server

from .serve_helpers import TOKEN, TOKENS, Client, talk

HEAD = f"Host: archive\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
LAST = HEAD + b"Connection: close\r\n"


def path_of(url: str) -> bytes:
    return urlsplit(url).path.encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(None, 2)[1])


def test_two_requests_on_one_connection(server: ArchiveServer) -> None:
    one = b"GET /api/records HTTP/1.1\r\n"
    answer = talk(server, one + HEAD + b"\r\n" + one + LAST + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_an_old_client_is_answered_and_left(server: ArchiveServer) -> None:
    assert status_of(talk(server, b"GET /api/records HTTP/1.0\r\n\r\n")) == 200


def test_chunks_with_extensions_and_trailers(client: Client, server: ArchiveServer) -> None:
    bucket = client.deposit()["links"]["bucket"]
    body = b'3;name="value"\r\nhel\r\n02\r\nlo\r\n0\r\nChecksum: x\r\n\r\n'
    head = b"PUT " + path_of(bucket) + b"/a.txt HTTP/1.1\r\n" + LAST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = talk(server, head + body)
    assert status_of(answer) == 201
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["size"] == 5


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_are_none(client: Client, server: ArchiveServer, body: bytes) -> None:
    bucket = client.deposit()["links"]["bucket"]
    head = b"PUT " + path_of(bucket) + b"/a.txt HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = talk(server, head + body, half_close=True)
    assert status_of(answer) == 400
    assert b"Connection: close" in answer
    assert client.ok("GET", bucket) == []


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: five\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: +5\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ],
)
def test_lengths_that_are_none(client: Client, server: ArchiveServer, headers: bytes) -> None:
    bucket = client.deposit()["links"]["bucket"]
    head = b"PUT " + path_of(bucket) + b"/a.txt HTTP/1.1\r\n" + HEAD + headers + b"\r\n"
    answer = talk(server, head + b"hello", half_close=True)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1  # what follows is not taken for a request
    assert client.ok("GET", bucket) == []


@pytest.mark.parametrize(
    "coding", [b"Content-Length: 10\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\na\r\nhello"]
)
def test_a_client_that_goes_in_the_middle_leaves_nothing(
    client: Client, server: ArchiveServer, tmp_path: Path, coding: bytes
) -> None:
    bucket = client.deposit()["links"]["bucket"]
    assert talk(server, b"PUT " + path_of(bucket) + b"/a.txt HTTP/1.1\r\n" + HEAD + coding, half_close=True) == b""
    assert client.ok("GET", bucket) == []
    assert list((tmp_path / "archive" / "blobs").iterdir()) == []
    assert (server.calls[-2].method, server.calls[-2].status, server.calls[-2].received) == ("PUT", 0, 5)


def test_a_client_that_waits_to_be_told_to_go_on(client: Client, server: ArchiveServer) -> None:
    bucket = client.deposit()["links"]["bucket"]
    split = urlsplit(server.url)
    with socket.create_connection((split.hostname, split.port), timeout=10) as connection:
        connection.sendall(
            b"PUT "
            + path_of(bucket)
            + b"/a.txt HTTP/1.1\r\n"
            + HEAD
            + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n"]
)
def test_what_is_no_request(server: ArchiveServer, sent: bytes) -> None:
    talk(server, sent, half_close=True)
    assert Client(server)("GET", "/records").status_code == 200


def test_a_body_that_is_too_large_to_be_json(client: Client) -> None:
    answer = client(
        "POST", "/deposit/depositions", data=b" " * 17_000_000, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_the_server_hides_its_name(client: Client) -> None:
    assert client("GET", "/records").headers["Server"] == "nginx"


@pytest.mark.parametrize(
    "target", [b"http://archive/api/records", b"/api/records#x", b"/api/records?", b"//api/records", b"/api/%72ecords"]
)
def test_ways_to_write_an_address(server: ArchiveServer, target: bytes) -> None:
    assert status_of(talk(server, b"GET " + target + b" HTTP/1.1\r\n" + LAST + b"\r\n")) == 200


@pytest.mark.parametrize(
    "target", [b"/api/records/", b"http://[/x", b"*", b"/api/../etc/passwd", b"/%00", b"/api/records/%FF"]
)
def test_addresses_that_are_none(server: ArchiveServer, target: bytes) -> None:
    assert status_of(talk(server, b"GET " + target + b" HTTP/1.1\r\n" + LAST + b"\r\n")) == 404


# Starting and stopping


def test_a_stopped_server_drops_its_connections(tmp_path: Path) -> None:
    server = ArchiveServer(tmp_path, TOKENS).start()
    split = urlsplit(server.url)
    with socket.create_connection((split.hostname, split.port), timeout=10) as connection:
        connection.sendall(b"GET /api/records HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(10_000)
        server.stop()
        assert connection.recv(1) == b""
    with pytest.raises(OSError):
        socket.create_connection((split.hostname, split.port), timeout=1)
    server.stop()


def test_what_waits_when_a_server_stops_is_not_done(tmp_path: Path) -> None:
    with ArchiveServer(tmp_path, TOKENS) as server:
        server.faults.add(Fault(Slow(latency_s=0.2)))
        split = urlsplit(server.url)
        with socket.create_connection((split.hostname, split.port), timeout=10) as connection:
            connection.sendall(
                b"POST /api/deposit/depositions HTTP/1.1\r\n" + HEAD
                + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            )  # fmt: skip
            while not len(server.calls):
                time.sleep(0.001)
            server.stop()
            assert connection.recv(1000) == b""
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)
        assert server.archive.store.entries() == []


def test_a_port_that_is_taken(server: ArchiveServer, tmp_path: Path) -> None:
    port = urlsplit(server.url).port
    with pytest.raises(StorageError, match=f"127.0.0.1:{port}: cannot listen"):
        ArchiveServer(tmp_path / "other", TOKENS, port=port).start()


def test_a_server_on_the_port_of_one_that_stopped(tmp_path: Path) -> None:
    with ArchiveServer(tmp_path, TOKENS) as server:
        url = server.url
        Client(server).published()
    with ArchiveServer(tmp_path, TOKENS, port=urlsplit(url).port) as server:
        assert server.url == url
        assert len(Client(server).ok("GET", "/deposit/depositions")) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_hosts_of_this_machine(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.3", "archive.example", ""])
def test_hosts_that_others_reach(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="open to other machines"):
        open_server(tmp_path, host=host)
    check_host(host, allow_remote=True)


def test_an_address_of_the_newer_kind(tmp_path: Path) -> None:
    try:
        server = ArchiveServer(tmp_path, TOKENS, host="::1").start()
    except StorageError:
        pytest.skip("needs IPv6 on this machine")
    try:
        assert server.url.startswith("http://[::1]:")
        assert Client(server).published()["links"]["self"].startswith(server.url)
    finally:
        server.stop()


def test_a_server_for_demonstrations(tmp_path: Path) -> None:
    server = open_server(tmp_path, tokens={TOKEN: Account()})
    try:
        assert Client(server).published()["doi"].startswith("10.5072/")
    finally:
        server.stop()
