"""Sending files: ranges, tags, heads."""

from __future__ import annotations

from typing import Any

import pytest

from .serve_helpers import Client

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def address(client: Client) -> str:
    done = client.published({"a.bin": CONTENT})
    return str(client.ok("GET", f"/records/{done['id']}")["files"][0]["links"]["self"])


def test_a_whole_file(guest: Client, address: str) -> None:
    answer = guest("GET", address)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    headers = answer.headers
    assert headers["Content-Length"] == str(len(CONTENT))
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["ETag"].startswith('"md5:')
    assert "a.bin" in headers["Content-Disposition"]


def test_only_its_head(guest: Client, address: str) -> None:
    answer = guest("HEAD", address)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("wanted", "part", "first"),
    [
        ("bytes=0-", CONTENT, 0),
        ("bytes=1000-", CONTENT[1000:], 1000),
        ("bytes=3-9", CONTENT[3:10], 3),
        ("bytes=0-0", CONTENT[:1], 0),
        ("bytes=-10", CONTENT[-10:], len(CONTENT) - 10),
        ("bytes=1000-99999", CONTENT[1000:], 1000),
        ("bytes=-99999", CONTENT, 0),
    ],
)
def test_a_part(guest: Client, address: str, wanted: str, part: bytes, first: int) -> None:
    answer = guest("GET", address, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(CONTENT)}"


@pytest.mark.parametrize("wanted", [f"bytes={len(CONTENT)}-", "bytes=-0", "bytes=9-3"])
def test_a_part_that_is_not_there(guest: Client, address: str, wanted: str) -> None:
    answer = guest("GET", address, headers={"Range": wanted})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("wanted", ["bytes=0-1,4-5", "lines=1-2", "bytes=x"])
def test_a_wish_that_is_not_understood_gets_everything(guest: Client, address: str, wanted: str) -> None:
    assert guest("GET", address, headers={"Range": wanted}).content == CONTENT


def test_a_part_of_another_file_than_the_client_began_with(guest: Client, address: str) -> None:
    tag = guest("HEAD", address).headers["ETag"]
    for given, status in ((tag, 206), ('"md5:other"', 200)):
        assert guest("GET", address, headers={"Range": "bytes=5-", "If-Range": given}).status_code == status


def test_a_file_that_the_client_has(guest: Client, address: str) -> None:
    tag = guest("HEAD", address).headers["ETag"]
    answer = guest("GET", address, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert guest("GET", address, headers={"If-None-Match": '"md5:other"'}).status_code == 200


def test_an_empty_file(client: Client, guest: Client) -> None:
    done = client.published({"empty.txt": b""})
    answer = guest("GET", f"/records/{done['id']}/files/empty.txt/content")
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "0")


def test_a_file_that_is_not_there(guest: Client, client: Client) -> None:
    done: Any = client.published()
    answer = guest("GET", f"/records/{done['id']}/files/b.txt/content")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
