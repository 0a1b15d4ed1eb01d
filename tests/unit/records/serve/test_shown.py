"""A folder archive behind the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from braggbook.errors import RecordError
from braggbook.progress import Silent
from braggbook.records.archive import Record
from braggbook.records.folder import FolderArchive
from braggbook.records.serve import Account, ArchiveServer, ShownFolder, open_server
from braggbook.testing.archive import make_metadata, make_plan

from .serve_helpers import RDM_JSON, TOKEN, Client


def publish(
    archive: FolderArchive, tmp_path: Path, *, title: str = "Survival", version_of: str | None = None
) -> Record:
    draft = archive.create(make_metadata(title=title), plan=make_plan(), version_of=version_of)
    (tmp_path / "a b.txt").write_text(f"hello {title}")
    archive.upload(draft.id, "a b.txt", tmp_path / "a b.txt", progress=Silent())
    return archive.publish(draft.id)


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    archive = FolderArchive(tmp_path / "shelf")
    publish(archive, tmp_path)
    return archive


@pytest.fixture
def shown(archive: FolderArchive) -> Iterator[ArchiveServer]:
    server = open_server(archive.root, tokens={TOKEN: Account()})
    yield server
    server.stop()
    assert server.failures == []


def test_a_record_is_what_the_archive_says(archive: FolderArchive, shown: ArchiveServer) -> None:
    record, theirs = archive.record("2"), archive.json("2")
    guest = Client(shown, None)
    ours = guest.ok("GET", f"/records/{record.id}")
    assert (ours["doi"], ours["conceptdoi"]) == (record.doi, record.concept_doi)
    told = set(theirs["metadata"]) - {"grants"}  # a grant needs the number of its funder here
    assert {name: ours["metadata"].get(name) for name in told} == {name: theirs["metadata"][name] for name in told}
    assert [(file["key"], file["size"], file["checksum"]) for file in ours["files"]] == [
        (file["key"], file["size"], file["checksum"]) for file in theirs["files"]
    ]
    assert guest("GET", ours["files"][0]["links"]["self"]).content == b"hello Survival"
    rdm = guest.ok("GET", f"/records/{record.id}", headers={"Accept": RDM_JSON})
    assert rdm["pids"]["doi"]["identifier"] == record.doi
    assert rdm["parent"]["pids"]["doi"]["identifier"] == record.concept_doi


def test_what_is_published_meanwhile_is_there(archive: FolderArchive, shown: ArchiveServer, tmp_path: Path) -> None:
    guest = Client(shown, None)
    assert guest.ok("GET", "/records")["hits"]["total"] == 1
    second = publish(archive, tmp_path, title="Second", version_of="2")
    (hit,) = guest.ok("GET", "/records", params={"q": "second"})["hits"]["hits"]
    assert hit["doi"] == second.doi
    assert guest.ok("GET", "/records/2/versions/latest")["doi"] == second.doi
    assert guest.ok("GET", "/records/2/versions")["hits"]["total"] == 2
    assert guest.ok("GET", "/records/2")["metadata"]["relations"]["version"][0]["is_last"] is False


def test_nothing_can_be_changed(shown: ArchiveServer) -> None:
    client = Client(shown)
    assert client("POST", "/deposit/depositions", json={}).status_code == 403
    assert client.act(2, "newversion").status_code == 403
    assert client.act(2, "edit").status_code == 403
    assert client("POST", "/records/2/draft").status_code == 403
    assert client.ok("GET", "/deposit/depositions") == []


def test_the_pages_of_the_archive(archive: FolderArchive, shown: ArchiveServer) -> None:
    guest = Client(shown, None)
    for address, name in (("/", "index.html"), ("/records/2/index.html", "records/2/index.html")):
        page = guest("GET", shown.url + address)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.content == (archive.root / name).read_bytes()
    assert guest("GET", f"{shown.url}/records/2").headers["Location"] == f"{shown.url}/records/2/index.html"
    doi = archive.record("2").doi
    assert guest("GET", f"{shown.url}/doi/{doi}").headers["Location"] == f"{shown.url}/records/2"
    (path,) = archive.root.glob("records/2/files/*/*")
    relative = path.relative_to(archive.root).as_posix()
    assert guest("GET", f"{shown.url}/{relative}").content == b"hello Survival"


@pytest.mark.parametrize(
    "address",
    [
        "/drafts/4/entry.json",
        "/.lock",
        "/.last",
        "/records/../.last",
        "/%2e%2e/secret",
        "/records/2/%00",
        "/records",
        "/no.html",
        "//etc/passwd",
    ],
)
def test_what_is_not_shown(archive: FolderArchive, shown: ArchiveServer, address: str) -> None:
    archive.create(make_metadata(), plan=make_plan())
    (archive.root.parent / "secret").write_text("x")
    assert (archive.root / "drafts/4/entry.json").exists()
    assert Client(shown, None)("GET", shown.url + address).status_code == 404
    assert Client(shown, None)("GET", "/records/4").status_code == 404


def test_a_link_out_of_the_archive_leads_nowhere(archive: FolderArchive, shown: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (archive.root / "link.html").symlink_to(tmp_path / "secret")
    assert Client(shown, None)("GET", f"{shown.url}/link.html").status_code == 404


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not a folder archive"):
        ShownFolder(tmp_path)


def test_a_record_that_cannot_be_read(archive: FolderArchive) -> None:
    (archive.root / "records/2/record.json").write_text(json.dumps({"id": 2}))
    with pytest.raises(RecordError, match=r"records/2/record\.json: not a record's JSON"):
        ShownFolder(archive.root).entries()
