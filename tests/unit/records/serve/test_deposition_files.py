"""Files of depositions: buckets, forms, names, digests, limits, locks."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from braggbook.records.serve import ArchiveServer

from .conftest import Start
from .serve_helpers import Client, errors_of

HELLO = hashlib.md5(b"hello").hexdigest()


def files_of(client: Client, deposition: Any) -> dict[str, str]:
    found = client.ok("GET", f"/deposit/depositions/{deposition['id']}")
    return {file["filename"]: file["checksum"] for file in found.get("files", [])}


def test_a_bucket_says_which_digest_and_a_deposition_does_not(client: Client) -> None:
    deposition = client.deposit()
    answer = client.upload(deposition, "a.csv", b"hello")
    file = answer.json()
    assert answer.status_code == 201
    assert (file["key"], file["size"], file["checksum"]) == ("a.csv", 5, f"md5:{HELLO}")
    assert (file["mimetype"], file["is_head"], file["delete_marker"]) == ("text/csv", True, False)
    assert {"self", "version", "uploads"} == set(file["links"])
    assert {"version_id", "created", "updated"} <= set(file)
    assert client("GET", file["links"]["self"]).content == b"hello"
    (listed,) = client.ok("GET", f"/deposit/depositions/{deposition['id']}")["files"]
    assert (listed["filename"], listed["filesize"], listed["checksum"]) == ("a.csv", 5, HELLO)
    assert client("GET", listed["links"]["download"]).content == b"hello"
    assert client.ok("GET", listed["links"]["self"])["id"] == listed["id"]
    assert client.ok("GET", deposition["links"]["files"]) == [listed]
    assert client.ok("GET", deposition["links"]["bucket"]) == [file]


def test_the_same_name_again_takes_the_place_of_the_first(client: Client) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"first")
    client.upload(deposition, "b.txt", b"other")
    assert client.upload(deposition, "a.txt", b"hello").status_code == 201
    assert files_of(client, deposition)["a.txt"] == HELLO
    assert len(files_of(client, deposition)) == 2


@pytest.mark.parametrize("address", ["folder/a.txt", "folder%2Fa.txt"])
def test_a_slash_is_not_part_of_a_name(client: Client, address: str) -> None:
    deposition = client.deposit()
    answer = client("PUT", f"{deposition['links']['bucket']}/{address}", data=b"x")
    assert answer.status_code == 404
    assert files_of(client, deposition) == {}


@pytest.mark.parametrize("key", ["b c#1.txt", "what?.txt", "µ Gy.txt", "100%.txt", "+.txt", "..txt"])
def test_other_characters_are(client: Client, key: str) -> None:
    deposition = client.deposit()
    file = client.upload(deposition, key, b"hello").json()
    assert file["key"] == key
    assert client("GET", file["links"]["self"]).content == b"hello"
    record = client.ok("POST", deposition["links"]["publish"])["links"]["record"]
    assert client("GET", client.ok("GET", record)["files"][0]["links"]["self"]).content == b"hello"


def test_an_empty_file_and_one_in_chunks(client: Client) -> None:
    deposition = client.deposit()
    chunks = [b"h", b"", b"el", b"lo"]
    assert client.upload(deposition, "empty.txt", iter([b""])).json()["size"] == 0
    assert client.upload(deposition, "nothing.txt", b"").json()["size"] == 0
    assert (
        client.upload(deposition, "chunks.txt", iter([chunk for chunk in chunks if chunk])).json()["checksum"]
        == f"md5:{HELLO}"
    )


def test_a_bucket_takes_bytes_and_nothing_that_says_it_is_something_else(client: Client) -> None:
    bucket = client.deposit()["links"]["bucket"]
    for kind, status in (("application/json", 415), ("application/octet-stream", 201)):
        answer = client("PUT", f"{bucket}/a.txt", data=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == status


def test_deleting_files(client: Client) -> None:
    deposition = client.deposit()
    one = client.upload(deposition, "1.txt", b"1").json()
    client.upload(deposition, "2.txt", b"2")
    (file,) = (file for file in client.ok("GET", deposition["links"]["files"]) if file["filename"] == "2.txt")
    for address in (one["links"]["self"], file["links"]["self"]):
        answer = client("DELETE", address)
        assert (answer.status_code, answer.content) == (204, b"")
        assert client("DELETE", address).status_code == 404
    assert files_of(client, deposition) == {}


def test_files_can_neither_be_sorted_nor_renamed(client: Client) -> None:
    deposition = client.deposit()
    client.upload(deposition, "1.txt", b"1")
    (file,) = client.ok("GET", deposition["links"]["files"])
    assert client("PUT", deposition["links"]["files"], json=[{"id": file["id"]}]).status_code == 405
    assert client("PUT", file["links"]["self"], json={"filename": "2.txt"}).status_code == 405


def test_a_bucket_that_is_not_there(client: Client) -> None:
    assert client("PUT", "/files/6e8f6f0a-0000-4000-8000-000000000000/a.txt", data=b"x").status_code == 404


# By a form


def test_a_form(client: Client) -> None:
    deposition = client.deposit()
    answer = client("POST", deposition["links"]["files"], data={"name": "one.txt"}, files={"file": ("x.txt", b"hello")})
    file = answer.json()
    assert answer.status_code == 201
    assert (file["filename"], file["filesize"], file["checksum"]) == ("one.txt", 5, HELLO)
    assert {"self", "download"} == set(file["links"])
    assert client("GET", file["links"]["download"]).content == b"hello"


def test_a_form_in_which_the_name_comes_last_or_never(client: Client) -> None:
    deposition = client.deposit()
    parts = [("file", ("x.txt", b"hello")), ("name", (None, "late.txt"))]
    assert client("POST", deposition["links"]["files"], files=parts).json()["filename"] == "late.txt"
    assert (
        client("POST", deposition["links"]["files"], files={"file": ("own.txt", b"")}).json()["filename"] == "own.txt"
    )


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("My cool movie.mov", "My_cool_movie.mov"),
        ("../../../etc/passwd", "etc_passwd"),
        ("i contain cool ümläuts.txt", "i_contain_cool_umlauts.txt"),
        (".hidden", "hidden"),
        ("a/b.txt", "a_b.txt"),
    ],
)
def test_a_form_makes_names_harmless(client: Client, name: str, kept: str) -> None:
    # the first three are werkzeug's own examples of secure_filename
    deposition = client.deposit()
    answer = client("POST", deposition["links"]["files"], data={"name": name}, files={"file": ("x", b"x")})
    assert answer.json()["filename"] == kept


def test_a_form_whose_name_leaves_nothing(client: Client) -> None:
    deposition = client.deposit()
    assert (
        client("POST", deposition["links"]["files"], data={"name": "線量"}, files={"file": ("x", b"x")}).status_code
        == 400
    )
    assert files_of(client, deposition) == {}


def test_what_looks_like_a_boundary_is_content(client: Client) -> None:
    deposition = client.deposit()
    content = b"\r\n--X\r\n\r\n-\r\n--XY"  # the boundary is XX
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=XX"}
    answer = client("POST", deposition["links"]["files"], data=head + content + b"\r\n--XX--\r\n", headers=kind)
    assert answer.json()["checksum"] == hashlib.md5(content).hexdigest()


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"--X\r\n", 400),
        ("multipart/form-data; boundary=X", b"--X\r\nContent-Dis", 400),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="name"\r\n\r\na\r\n--X--',
            400,
        ),
        ("application/json", b"{}", 415),
    ],
)
def test_forms_that_are_none(client: Client, kind: str, body: bytes, status: int) -> None:
    deposition = client.deposit()
    answer = client("POST", deposition["links"]["files"], data=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert files_of(client, deposition) == {}


def test_a_form_that_is_too_large_for_the_proxy(start: Start) -> None:
    client = Client(start(bytes_per_form=1000))
    deposition = client.deposit()
    answer = client("POST", deposition["links"]["files"], files={"file": ("x.txt", b"x" * 2000)})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "text/html"


# Limits


def test_a_record_holds_so_many_bytes(start: Start) -> None:
    client = Client(start(bytes_per_record=10))
    deposition = client.deposit()
    assert client.upload(deposition, "a.txt", b"123456").status_code == 201
    for content in (b"12345", iter([b"12", b"345"])):  # with its length said before, and without
        answer = client.upload(deposition, "b.txt", content)
        assert (answer.status_code, answer.json()["message"]) == (400, "Bucket quota exceeded.")
    assert client.upload(deposition, "a.txt", b"1234567890").status_code == 201  # in place of the first
    assert list(files_of(client, deposition)) == ["a.txt"]


def test_a_record_holds_so_many_files(start: Start) -> None:
    client = Client(start(files_per_record=2))
    deposition = client.deposit()
    for key in ("a", "b", "a"):
        assert client.upload(deposition, key, b"").status_code == 201
    answer = client.upload(deposition, "c", b"")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Uploading selected files will result in exceeding the max amount")


# Locks


def test_files_of_a_published_record_are_locked(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"hello")
    (file,) = client.ok("GET", deposition["links"]["files"])
    client.ok("POST", deposition["links"]["publish"])
    assert client.upload(deposition, "b.txt", b"x").status_code == 403
    assert client("DELETE", f"{deposition['links']['bucket']}/a.txt").status_code == 403
    assert client("DELETE", file["links"]["self"]).status_code == 403
    assert client("POST", deposition["links"]["files"], files={"file": ("b.txt", b"x")}).status_code == 404
    client.ok("POST", deposition["links"]["edit"])
    assert client.upload(deposition, "b.txt", b"x").status_code == 403
    assert client("POST", deposition["links"]["files"], files={"file": ("b.txt", b"x")}).status_code == 403
    assert files_of(client, deposition) == {"a.txt": HELLO}


def test_a_draft_without_files_cannot_be_published(client: Client) -> None:
    answer = client.act(client.deposit()["id"], "publish")
    assert answer.status_code == 400
    (message,) = errors_of(answer)["files.enabled"]
    assert message.startswith("Missing uploaded files.")
