"""A record of the folder archive in Zenodo's JSON: what reads one reads the other."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urljoin

from braggbook.datasets.record import parse_record
from braggbook.formats.record import Creator, Funding, Relation
from braggbook.records import legacy
from braggbook.records.answers import LegacyRecord
from braggbook.records.archive import Record
from braggbook.records.folder import FolderArchive
from braggbook.records.folder.zenodo_json import record_json

from .archive_helpers import open_archive, publish

# Of a record at https://zenodo.org/api/records/{id}; doi_url, owners and stats are left out on purpose.
TOP = {"created", "modified", "id", "recid", "conceptrecid", "doi", "conceptdoi", "title", "metadata", "files", "links"}
TOP |= {"revision", "state", "status", "submitted"}


def full_record(archive: FolderArchive, folder: Path) -> Record:
    return publish(
        archive, folder, title="A title", version="1.2", keywords=["RBE"], subjects=["Physics"], notes="A note.",
        content={"ä #1?.txt": b"first"}, resource_type="publication",
        creators=[Creator(name="Lovelace, Ada", orcid="0000-0002-1825-0097", affiliation="Institute"),
                  Creator(name="A Group", type="organizational")],
        relations=[Relation(relation="isCompiledBy", identifier="10.5281/zenodo.1", resource_type="software"),
                   Relation(relation="cites", identifier="https://example.org", resource_type="publication")],
        funding=[Funding(funder="A Funder", funder_id="10.13039/1", award="42"), Funding(funder="Another")],
    )  # fmt: skip


def test_it_has_zenodo_s_fields(tmp_path: Path) -> None:
    archive = open_archive(tmp_path / "archive")
    record = full_record(archive, tmp_path)
    said = json.loads((archive.root / "records/2/record.json").read_text())
    assert set(said) == TOP | {"braggbook"}
    assert (said["id"], said["recid"], said["conceptrecid"]) == (2, "2", "1")
    assert (said["doi"], said["conceptdoi"]) == (record.doi, record.concept_doi)
    assert said["braggbook"] == {"archive": archive.card and archive.card.id, "registered": False, "plan": record.plan}
    assert said["metadata"] == {
        "title": "A title",
        "doi": record.doi,
        "publication_date": "2026-11-22",
        "description": "<p>A record of the contract suite.</p><p>Its second paragraph.</p>",
        "access_right": "open",
        "creators": [
            {"name": "Lovelace, Ada", "affiliation": "Institute", "orcid": "0000-0002-1825-0097"},
            {"name": "A Group", "affiliation": None},
        ],
        "version": "1.2",
        "language": "eng",
        "license": {"id": "cc-by-4.0"},
        "resource_type": {"title": "Publication", "type": "publication", "subtype": "other"},
        "notes": f"A note.\nBraggbook plan sha256:{record.plan}",
        "relations": {
            "version": [{"index": 0, "is_last": True, "parent": {"pid_type": "recid", "pid_value": "1"}}],
        },
        "keywords": ["RBE"],
        "subjects": [{"term": "Physics"}],
        "related_identifiers": [
            {"identifier": "10.5281/zenodo.1", "relation": "isCompiledBy", "resource_type": "software", "scheme": "doi"},
            {"identifier": "https://example.org", "relation": "cites", "resource_type": "publication-other", "scheme": "url"},
        ],
        "grants": [{"funder": {"name": "A Funder", "doi": "10.13039/1"}, "code": "42"}, {"funder": {"name": "Another"}}],
    }  # fmt: skip


def test_what_reads_zenodo_reads_it(tmp_path: Path) -> None:
    archive = open_archive(tmp_path / "archive")
    record = full_record(archive, tmp_path)
    assert legacy.record_of(LegacyRecord.model_validate(archive.json(record.doi))) == record
    entry = archive._store.published(record.id)
    assert entry is not None
    assert archive.card is not None
    read = parse_record(
        record_json(entry, card=archive.card, versions=[entry], base="https://example.org/archive/records/2/")
    )
    assert (read.doi, read.title, read.license, read.year) == (record.doi, "A title", "CC-BY-4.0", "2026")
    assert [(author.name, author.orcid) for author in read.authors] == [
        ("Lovelace, Ada", "0000-0002-1825-0097"),
        ("A Group", None),
    ]
    assert read.notes == ()
    file = read.file("ä #1?.txt")
    assert file.checksum == f"md5:{record.files[0].md5}"
    assert file.url.startswith("https://example.org/archive/records/2/files/")


def test_links_lead_to_files_on_the_disk_wherever_it_lies(tmp_path: Path) -> None:
    archive = open_archive(tmp_path / "archive")
    record = full_record(archive, tmp_path)
    publish(archive, tmp_path, version_of=record.doi)
    folder = archive.root / "records/2"
    relative = json.loads((folder / "record.json").read_text())
    absolute = archive.json(record.id)
    for said, base in ((relative, ""), (absolute, "file://")):
        for link in [*said["links"].values(), *(file["links"]["self"] for file in said["files"])]:
            path = unquote(urljoin(f"file://{folder}/", link).removeprefix("file://"))
            assert link.startswith(base)
            assert Path(path).is_file(), link


def test_the_place_among_versions_moves(tmp_path: Path) -> None:
    archive = open_archive(tmp_path / "archive")
    first = publish(archive, tmp_path)
    second = publish(archive, tmp_path, version_of=first.doi)
    for record, index in ((first, 0), (second, 1)):
        said = json.loads((archive.root / "records" / record.id / "record.json").read_text())
        assert said == archive.json(record.doi) | {"links": said["links"], "files": said["files"]}
        place = said["metadata"]["relations"]["version"][0]
        assert (place["index"], place["is_last"]) == (index, index == 1)
        assert said["links"]["latest"] == f"../{second.id}/record.json"
