"""What is kept in the folder, and what a second server finds there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from braggbook.errors import RecordError
from braggbook.records.serve import ArchiveServer, Content, Entry, FolderStore, StoredFile

from .conftest import Start
from .serve_helpers import TOKENS, Client


def entry_of(id: str, *files: StoredFile) -> Entry:
    return Entry(id, "1", 7, 1, f"bucket-{id}", created="2026", updated="2026", draft=Content(files=files))


def keep(store: FolderStore, content: bytes, key: str = "a.txt") -> StoredFile:
    with store.receive() as receiver:
        receiver.write(content)
        blob = receiver.keep()
        return StoredFile(key, "id", "version", "2026", "2026", receiver.size, receiver.md5, blob)


def blobs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs").iterdir())


@pytest.fixture(params=[False, True], ids=["quick", "durable"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path, durable=request.param)


def test_what_was_saved_is_there_again(store: FolderStore, tmp_path: Path) -> None:
    file = keep(store, b"hello")
    entry = entry_of("2", file)
    store.save(entry)
    again = FolderStore(tmp_path)
    assert again.load("2") == entry
    assert again.entries() == [entry]
    with again.open(file) as stream:
        assert stream.read() == b"hello"
    assert file.md5 == "5d41402abc4b2a76b9719d911017c592"


def test_numbers_are_never_given_twice(store: FolderStore, tmp_path: Path) -> None:
    numbers = [store.number() for _ in range(3)]
    numbers.append(FolderStore(tmp_path).number())
    assert len(set(numbers)) == 4


def test_numbers_from_many_threads(store: FolderStore) -> None:
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.append(store.number())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 16


def test_bytes_that_nobody_kept_are_gone(store: FolderStore, tmp_path: Path) -> None:
    with store.receive() as receiver:
        receiver.write(b"half")
        assert len(blobs(tmp_path)) == 1
    assert blobs(tmp_path) == []


def test_bytes_go_with_the_last_record_that_has_them(store: FolderStore, tmp_path: Path) -> None:
    file = keep(store, b"hello")
    for id in ("2", "3"):
        store.save(entry_of(id, file))
    store.save(entry_of("2"))
    assert blobs(tmp_path) == [file.blob]
    store.delete("3")
    assert blobs(tmp_path) == []
    assert store.load("3") is None


def test_a_start_sweeps_up_what_a_crash_left(store: FolderStore, tmp_path: Path) -> None:
    file = keep(store, b"hello")
    store.save(entry_of("2", file))
    keep(store, b"kept, but in no record")
    (tmp_path / "blobs" / "0123.part").write_bytes(b"half")
    (tmp_path / "entries" / "2.1.part").write_bytes(b"{")
    again = FolderStore(tmp_path)
    assert blobs(tmp_path) == [file.blob]
    assert [path.name for path in (tmp_path / "entries").iterdir()] == ["2.json"]
    assert again.entries() == [entry_of("2", file)]


def test_the_files_are_plain(store: FolderStore, tmp_path: Path) -> None:
    store.number()
    store.save(entry_of("2"))
    assert set(json.loads((tmp_path / "archive.json").read_text())) == {"format", "next"}
    assert json.loads((tmp_path / "entries" / "2.json").read_text())["bucket"] == "bucket-2"


def test_damage_is_one_bit(store: FolderStore) -> None:
    file, empty = keep(store, b"hello"), keep(store, b"")
    store.damage(file.blob)
    store.damage(empty.blob)
    with store.open(file) as stream:
        assert stream.read() == b"hemlo"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("archive.json", '{"format": 2, "next": 3}'),
        ("archive.json", "{"),
        ("entries/2.json", "{}"),
        ("entries/2.json", "[]"),
    ],
)
def test_a_folder_that_is_no_archive(store: FolderStore, tmp_path: Path, name: str, text: str) -> None:
    store.save(entry_of("2"))
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordError, match=f"{name}: not a file of an archive"):
        FolderStore(tmp_path)


# Through the server


def test_a_second_server_has_everything(start: Start, tmp_path: Path) -> None:
    first = start()
    client = Client(first)
    done, draft = client.published(), client.deposit(title="A draft")
    client.upload(draft, "b.txt", b"world")
    first.stop()
    client = Client(start())
    assert client.server.url != first.url
    assert client.ok("GET", f"/records/{done['id']}")["doi"] == done["doi"]
    found = client.ok("GET", f"/deposit/depositions/{draft['id']}")
    assert found["title"] == "A draft"
    assert found["links"]["bucket"].startswith(client.server.url)
    assert client("GET", found["files"][0]["links"]["download"]).content == b"world"
    assert len(client.ok("GET", "/deposit/depositions", params={"q": "draft"})) == 1
    assert client.deposit()["id"] > draft["id"]


def test_versions_share_their_bytes(client: Client, tmp_path: Path) -> None:
    done = client.published({"a.txt": b"hello"})
    draft = client.act(done["id"], "newversion").json()
    assert len(blobs(tmp_path / "archive")) == 1
    client("DELETE", f"{draft['links']['bucket']}/a.txt")
    assert client("GET", f"/records/{done['id']}/files/a.txt/content").content == b"hello"
    client.upload(draft, "a.txt", b"world")
    client("DELETE", draft["links"]["self"])
    assert len(blobs(tmp_path / "archive")) == 1


def test_many_uploads_at_once(client: Client, server: ArchiveServer, tmp_path: Path) -> None:
    deposition = client.deposit()
    keys = [f"{number}.txt" for number in range(12)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda key=key: statuses.append(Client(server).upload(deposition, key, key.encode()).status_code))
        for key in [*keys, *keys]
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 24
    assert sorted(file["key"] for file in client.ok("GET", deposition["links"]["bucket"])) == sorted(keys)
    assert len(blobs(tmp_path / "archive")) == 12


def test_many_publications_at_once_are_one(client: Client, server: ArchiveServer) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"x")
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(Client(server).act(deposition["id"], "publish").status_code))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202, *[404] * 5]


@pytest.mark.parametrize("then", ["publish", "discard"])
def test_a_draft_that_goes_while_a_file_arrives(
    client: Client, server: ArchiveServer, tmp_path: Path, then: str
) -> None:
    deposition = client.deposit()
    client.upload(deposition, "a.txt", b"hello")

    def body() -> Iterator[bytes]:
        yield b"late"
        assert Client(server).act(deposition["id"], then).ok
        if then == "publish":
            assert Client(server).act(deposition["id"], "edit").ok
        yield b"r"

    assert client.upload(deposition, "b.txt", body()).status_code == (403 if then == "publish" else 404)
    assert len(blobs(tmp_path / "archive")) == (then == "publish")


def test_another_store_may_take_the_place(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "elsewhere")
    with ArchiveServer(tmp_path / "unused", TOKENS, store=store) as server:
        Client(server).published()
    assert len(store.entries()) == 1
    assert not (tmp_path / "unused").exists()
