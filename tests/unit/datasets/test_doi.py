"""A dataset made of a published record, from a real server with Zenodo's documented answers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from braggbook.datasets.doi import KEPT_BYTES, add_doi
from braggbook.datasets.fetch import fetch
from braggbook.datasets.record import plain_text
from braggbook.datasets.sources import cache_path
from braggbook.datasets.tables import open_table
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import DatasetError, DatasetMissing, DuplicateName, HashMismatch, InputError, NetworkError
from braggbook.files import sha256_bytes

from .dataset_helpers import Server

TABLE = b"Dose (Gy);colonies\n0;124\n2;NA\n"
BIG = bytes(KEPT_BYTES + 1)
DOI = "10.5281/zenodo.123"
METADATA = {
    "title": "Colony counts",
    "description": "<p>Counts of <b>CAL&nbsp;33</b>.</p><script>alert(1)</script>",
    "publication_date": "2020-03-04",
    "version": "v2",
    "license": {"id": "cc-by-4.0"},
    "creators": [
        {"name": "Carberry, Josiah", "orcid": "0000-0002-1825-0097", "affiliation": "Brown University"},
        {"name": "Doe, Jane", "orcid": "0000-0002-1825-0098", "affiliation": None},
    ],
}


def publish(server: Server, contents: dict[str, bytes], **changes: Any) -> None:
    """Serves a record with the shapes that Zenodo's API answers with."""
    listed = []
    for name, data in contents.items():
        link = server.serve(f"/api/records/123/files/{name.replace(' ', '%20')}/content", data)
        checksum = "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()
        listed.append({"id": "uuid", "key": name, "size": len(data), "checksum": checksum, "links": {"self": link}})
    record = {
        "id": 123, "recid": "123", "conceptrecid": "122", "conceptdoi": "10.5281/zenodo.122", "doi": DOI,
        "metadata": METADATA | changes.pop("metadata", {}), "files": listed, "status": "published", "submitted": True,
        "links": {"self_html": "https://zenodo.org/records/123"},
    }  # fmt: skip
    server.serve("/api/records/123", json.dumps(record | changes).encode())


def add(server: Server, project: Path, doi: str = DOI, **more: Any) -> Any:
    return add_doi(doi, project=project, cache=project / "cache", archive=server.url, **more)


def test_a_record_becomes_a_dataset(server: Server, project: Path) -> None:
    publish(server, {"counts raw.csv": TABLE, "big.bin": BIG, "readme.txt": b"hello"})
    added = add(server, project)
    card, folder = added.dataset.card, added.dataset.folder
    assert added.dataset.reference == "zenodo_123@1"
    assert (card.title, card.license, card.abstract) == ("Colony counts", "CC-BY-4.0", "Counts of CAL 33.")
    assert [(author.name, author.orcid) for author in card.authors] == [
        ("Carberry, Josiah", "0000-0002-1825-0097"), ("Doe, Jane", None),
    ]  # fmt: skip
    assert added.notes == ("the record's ORCID iD of Doe, Jane is not one and was left out: 0000-0002-1825-0098",)
    assert card.provenance == f"Taken unchanged from the record doi:{DOI}, version v2 by `braggbook dataset add`."
    assert card.sources[0].citation == f"Carberry, Josiah; Doe, Jane (2020). Colony counts. doi:{DOI}"
    table, big, readme = card.files
    assert table.origins[0].url == f"doi:{DOI}/counts raw.csv"
    assert (table.delimiter, table.missing_as) == (";", ("NA",))
    assert (table.columns["dose_gy"].header, table.columns["dose_gy"].unit) == ("Dose (Gy)", "Gy")
    assert (big.columns, readme.columns) == ({}, {})
    assert sorted(path.name for path in folder.iterdir()) == ["counts raw.csv", "dataset.toml", "readme.txt"]
    paths = fetch(added.dataset, cache=project / "cache", download=False)
    assert paths["big.bin"] == cache_path(project / "cache", sha256_bytes(BIG))
    frame = open_table(paths["counts raw.csv"], table)
    assert frame["dose_gy"].tolist() == [0.0, 2.0]
    assert frame["colonies"].isna().tolist() == [False, True]
    assert verify_dataset(added.dataset, cache=project / "cache", archive=server.url) == []
    with pytest.raises(DuplicateName, match="there is a dataset named 'zenodo_123'"):
        add(server, project)


def test_another_machine_downloads_what_is_not_kept(server: Server, project: Path, tmp_path: Path) -> None:
    publish(server, {"big.bin": BIG})
    dataset = add(server, project, slug="big").dataset
    assert fetch(dataset, cache=tmp_path / "other", archive=server.url)["big.bin"].read_bytes() == BIG


def test_only_the_named_files_are_taken(server: Server, project: Path) -> None:
    publish(server, {"a.txt": b"a", "b.txt": b"b"})
    added = add(server, project, slug="only_b", files=["b.txt"])
    assert [file.path for file in added.dataset.card.files] == ["b.txt"]
    assert not any("a.txt" in path for path, _ in server.asked)
    with pytest.raises(DatasetError, match=r"record 10.5281/zenodo.123: no file named 'c.txt'; did you mean"):
        add(server, project, slug="none", files=["c.txt"])


def test_columns_that_cannot_be_guessed_are_left_open(server: Server, project: Path) -> None:
    publish(server, {"t.csv": b"dose,n\n1,2\n", "u.csv": b"flag\nyes\n", "v.csv": b"\xb5\n"})
    added = add(server, project)
    assert [bool(file.columns) for file in added.dataset.card.files] == [False, False, False]
    assert [note.partition(": ")[0] for note in added.notes if "not described yet" in note] == [
        "t.csv",
        "u.csv",
        "v.csv",
    ]


@pytest.mark.parametrize(
    ("stated", "license", "copied"),
    [
        ({"id": "cc-zero"}, "CC0-1.0", True),
        ({"id": "other-open"}, "LicenseRef-other-open", False),
        (None, "LicenseRef-not-stated", False),
    ],
)
def test_a_licence_that_is_not_known_forbids_copies(
    server: Server, project: Path, stated: Any, license: str, copied: bool
) -> None:
    publish(server, {"a.txt": b"a"}, metadata={"license": stated})
    card = add(server, project).dataset.card
    assert (card.license, card.files[0].copy_allowed) == (license, copied)


def test_what_does_not_arrive_whole_is_refused_and_nothing_is_added(server: Server, project: Path) -> None:
    publish(server, {"a.txt": b"abc"})
    address = "/api/records/123/files/a.txt/content"
    server.serve(address, b"abd")
    with pytest.raises(HashMismatch, match="the file that arrived is not the one that the record lists"):
        add(server, project)
    server.serve(address, b"gone", status=404)
    with pytest.raises(DatasetMissing, match="the server does not have it; got the server answers 404"):
        add(server, project)
    server.serve(address, b"a", promised=3)
    with pytest.raises(NetworkError, match="the download failed"):
        add(server, project)
    assert list((project / "datasets").iterdir()) == []
    assert [path for path in (project / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["../evil.txt", "dataset.toml", "a\\b.txt"])
def test_names_that_leave_the_folder_are_refused(server: Server, project: Path, name: str) -> None:
    publish(server, {name: b"x"})
    with pytest.raises(DatasetError, match="a file name that cannot be used"):
        add(server, project)
    assert list((project / "datasets").iterdir()) == []


def test_other_dois_records_without_files_and_bad_slugs_are_refused(server: Server, project: Path) -> None:
    publish(server, {})
    with pytest.raises(DatasetError, match="the record has no files that anyone may download"):
        add(server, project)
    with pytest.raises(InputError, match="not the DOI of a Zenodo record"):
        add(server, project, doi="10.1000/182")
    with pytest.raises(InputError, match="not a name for a dataset"):
        add(server, project, slug="Not A Slug")


def test_links_to_other_kinds_of_places_are_not_followed(server: Server, project: Path) -> None:
    entry = {"key": "a", "size": 1, "checksum": "md5:" + "0" * 32, "links": {"self": "file:///etc/passwd"}}
    publish(server, {}, files=[entry])
    with pytest.raises(NetworkError, match=r"did not answer with a record; got .*not an address"):
        add(server, project)
    publish(server, {}, files=[entry | {"checksum": "crc32:00000000"}])
    with pytest.raises(NetworkError, match="the checksum of a is not one that can be checked"):
        add(server, project)


def test_markup_becomes_text() -> None:
    assert plain_text("a<br>b &amp; c<style>x</style> <i>d</i> < e") == "a b & c d < e"


def publish_rdm(server: Server, contents: dict[str, bytes], *, listed_apart: bool = False, **changes: Any) -> str:
    """Serves a record as InvenioRDM answers, and returns its page."""
    entries = {}
    for name, data in contents.items():
        server.serve(f"/api/records/abcd1-ef234/files/{name}/content", data)
        checksum = "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()
        entries[name] = {"key": name, "size": len(data), "checksum": checksum, "ext": "csv"}
    record = {
        "id": "abcd1-ef234",
        "pids": {"doi": {"identifier": "10.1234/abcd1-ef234", "provider": "datacite"}},
        "links": {"self_html": f"{server.url}/records/abcd1-ef234"},
        "metadata": {
            "resource_type": {"id": "dataset", "title": {"en": "Dataset"}},
            "title": "Colony counts", "description": "<p>Counts.</p>", "publication_date": "2020-03-04", "version": "v2",
            "rights": [{"id": "cc-by-4.0", "title": {"en": "CC BY 4.0"}}],
            "creators": [{
                "person_or_org": {
                    "type": "personal", "family_name": "Carberry", "given_name": "Josiah",
                    "identifiers": [{"scheme": "orcid", "identifier": "0000-0002-1825-0097"}],
                },
                "affiliations": [{"id": "05gq02987", "name": "Brown University"}],
            }],
        },
        "files": {"enabled": True, "count": len(entries), "entries": {} if listed_apart else entries},
    }  # fmt: skip
    server.serve("/api/records/abcd1-ef234", json.dumps(record | changes).encode())
    server.serve("/api/records/abcd1-ef234/files", json.dumps({"entries": list(entries.values())}).encode())
    return f"{server.url}/records/abcd1-ef234"


@pytest.mark.parametrize("listed_apart", [False, True])
def test_a_record_of_an_institute_becomes_a_dataset(server: Server, project: Path, listed_apart: bool) -> None:
    page = publish_rdm(server, {"counts.csv": TABLE, "big.bin": BIG}, listed_apart=listed_apart)
    added = add_doi(page, project=project, cache=project / "cache")
    card = added.dataset.card
    assert (added.dataset.slug, card.title, card.license) == ("record_abcd1_ef234", "Colony counts", "CC-BY-4.0")
    author = card.authors[0]
    assert (author.name, author.orcid, author.affiliation) == (
        "Carberry, Josiah",
        "0000-0002-1825-0097",
        "Brown University",
    )
    assert [(one.doi, one.relation) for one in card.sources] == [("10.1234/abcd1-ef234", "isIdenticalTo")]
    assert [file.origins[0].url for file in card.files] == [
        f"{server.url}/api/records/abcd1-ef234/files/{name}/content" for name in ("counts.csv", "big.bin")
    ]
    assert fetch(added.dataset, cache=project / "another")["big.bin"].read_bytes() == BIG


def test_a_page_names_its_own_server(server: Server, project: Path) -> None:
    publish(server, {"counts.csv": TABLE})
    added = add_doi(f"{server.url}/records/123?preview=1#files", project=project, cache=project / "cache")
    assert added.dataset.card.sources[0].doi == DOI
    with pytest.raises(InputError, match="not the page of a record"):
        add_doi("http://example.org/records/123", project=project, cache=project / "cache")


def test_a_damaged_record_of_an_institute_is_refused(server: Server, project: Path) -> None:
    for changes in ({"pids": {}}, {"metadata": {}}, {"files": 3}):
        page = publish_rdm(server, {"counts.csv": TABLE}, **changes)
        with pytest.raises(NetworkError, match="the server did not answer with a record"):
            add_doi(page, project=project, cache=project / "cache")
    page = publish_rdm(server, {"counts.csv": TABLE})
    server.serve("/api/records/abcd1-ef234/files/counts.csv/content", TABLE[:-1] + b"9")
    with pytest.raises(HashMismatch):
        add_doi(page, project=project, cache=project / "cache")
