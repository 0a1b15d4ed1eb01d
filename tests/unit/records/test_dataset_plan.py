"""A dataset as a record, and back."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from braggbook.datasets.catalogue import Dataset, open_dataset
from braggbook.datasets.doi import add_doi
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import DuplicateName, HashMismatch, InputError
from braggbook.formats.common import Author, Grant
from braggbook.formats.dataset import CARD_NAME, Source, write_card
from braggbook.progress import Silent
from braggbook.records.dataset_plan import plan_dataset
from braggbook.records.dataset_source import FolderSource
from braggbook.records.folder import FolderArchive
from braggbook.records.run_plan import Planned
from braggbook.settings import Settings

from ..datasets.dataset_helpers import COUNTS, card_of, entry
from .plan_helpers import HOME, SCRUBBER

FACTS: dict[str, Any] = {
    "authors": (Author(name="Ada Lovelace", orcid="0000-0002-1825-0097"),),
    "abstract": "Colonies after <2 Gy>.",
    "keywords": ("colonies",),
    "subject": "Radiobiology",
    "funding": (Grant(funder="A foundation", funder_id="10.13039/501100001659", award="ABC-1"),),
    "sources": (
        Source(id="paper", citation="A paper", doi="10.1234/paper", relation="isSupplementTo"),
        Source(id="table", citation="A table", doi="10.5281/zenodo.5"),
        Source(id="page", citation="A page", url="https://example.org/page"),
    ),
}


def make(project: Path, *files: Any, data: bytes = COUNTS, **more: Any) -> Dataset:
    folder = project / "datasets" / "counts"
    folder.mkdir(parents=True)
    (folder / "counts.csv").write_bytes(data)
    write_card(folder / CARD_NAME, card_of(*(files or (entry(data),)), **{**FACTS, **more}))
    return open_dataset(folder)


def plan(dataset: Dataset, target: Path) -> Planned:
    cache = target / "cache"
    settings = Settings(
        project=target, runs=target / "runs", cache=cache, archive=target / "archive", vault=target / "vault"
    )
    return plan_dataset(dataset, target / "out", settings=settings, scrubber=SCRUBBER)


def test_card_and_files_are_sent_with_what_the_card_says(tmp_path: Path) -> None:
    planned = plan(make(tmp_path / "p"), tmp_path)
    with zipfile.ZipFile(planned.paths["counts-1.zip"]) as archive:
        assert archive.namelist() == ["README.txt", "counts.csv", "dataset.toml"]
        assert archive.read("counts.csv") == COUNTS
    metadata = planned.plan.metadata
    assert (metadata.title, metadata.version, metadata.license, metadata.subjects) == (
        "Counts",
        "1",
        "CC0-1.0",
        ["Radiobiology"],
    )
    assert metadata.description.startswith("Colonies after <2 Gy>.")
    assert [one.award for one in metadata.funding] == ["ABC-1"]
    assert [(one.relation, one.identifier, one.resource_type) for one in metadata.relations] == [
        ("isSupplementTo", "10.1234/paper", "publication"),
        ("isDerivedFrom", "10.5281/zenodo.5", "dataset"),
        ("isDerivedFrom", "https://example.org/page", "other"),
    ]
    assert planned.plan.source == "counts@1"
    assert plan(open_dataset(tmp_path / "p" / "datasets" / "counts"), tmp_path).plan == planned.plan


def test_a_file_that_may_not_be_handed_on_is_named_and_left_out(tmp_path: Path) -> None:
    url = "https://example.org/secret.csv"
    kept_back = entry(b"x", path="secret.csv", urls=(url,), copy_allowed=False, columns={})
    planned = plan(make(tmp_path / "p", entry(COUNTS), kept_back), tmp_path)
    with zipfile.ZipFile(planned.paths["counts-1.zip"]) as archive:
        assert archive.namelist() == ["README.txt", "counts.csv", "dataset.toml"]
        readme = archive.read("README.txt").decode()
    for text in (readme, planned.plan.metadata.description):
        assert kept_back.sha256 in text
        assert url in text


def test_nothing_that_may_be_handed_on_or_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of it may be handed on"):
        plan(make(tmp_path / "p", entry(COUNTS, copy_allowed=False, urls=("https://example.org/a",))), tmp_path)
    lost = entry(b"x", path="lost.csv", copy_allowed=False, columns={})
    with pytest.raises(InputError, match="files that nobody could find"):
        plan(make(tmp_path / "q", entry(COUNTS), lost), tmp_path)


def test_bad_cards_and_traces_are_said_together(tmp_path: Path) -> None:
    data = COUNTS + b"0,1,1\n"
    dataset = make(tmp_path / "p", data=data, authors=(), license="LicenseRef-not-stated", abstract=f"from {HOME}/x")
    with pytest.raises(InputError) as caught:
        plan(dataset, tmp_path)
    told = [f"{issue.where}: {issue.what}" for issue in caught.value.issues]
    assert "metadata creators: nobody is named as its creator" in told
    assert "metadata license: a licence that archives do not know" in told
    assert [text for text in told if text.startswith("dataset.toml:") and text.endswith(": a path in somebody's home")]


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    dataset = make(tmp_path / "p")
    (dataset.folder / "counts.csv").write_bytes(COUNTS.replace(b"124", b"125"))
    with pytest.raises(InputError, match="the dataset is not as its card says"):
        plan(dataset, tmp_path)


def publish(planned: Planned, archive: FolderArchive) -> str:
    draft = archive.create(planned.plan.metadata, plan=planned.plan.digest)
    for name, path in planned.paths.items():
        archive.upload(draft.id, name, path, progress=Silent())
    return archive.publish(draft.id).doi


def test_a_published_dataset_comes_back_by_its_doi(tmp_path: Path) -> None:
    dataset = make(tmp_path / "p")
    archive = FolderArchive(tmp_path / "archive")
    doi = publish(plan(dataset, tmp_path), archive)
    (tmp_path / "other" / "datasets").mkdir(parents=True)
    options = {"project": tmp_path / "other", "cache": tmp_path / "cache", "source": FolderSource(archive)}
    added = add_doi(doi, **options).dataset
    assert (added.slug, added.reference, added.digest) == ("counts", "counts@1", dataset.digest)
    assert added.card.files == dataset.card.files
    assert [(one.doi, one.relation) for one in added.card.sources][-1] == (doi, "isIdenticalTo")
    assert verify_dataset(added, cache=tmp_path / "cache") == []
    with pytest.raises(DuplicateName):
        add_doi(doi, **options)
    with pytest.raises(InputError, match=r"no such record|no record"):
        add_doi(doi.rpartition(".")[0] + ".999", **options)


def test_files_of_a_folder_archive_become_a_dataset_and_damage_is_seen(tmp_path: Path) -> None:
    planned = plan(make(tmp_path / "p"), tmp_path)
    archive = FolderArchive(tmp_path / "archive")
    (tmp_path / "big.bin").write_bytes(bytes(1_000_001))
    draft = archive.create(planned.plan.metadata, plan=planned.plan.digest)
    for name, path in {
        "counts.csv": tmp_path / "p/datasets/counts/counts.csv",
        "big.bin": tmp_path / "big.bin",
    }.items():
        archive.upload(draft.id, name, path, progress=Silent())
    doi = archive.publish(draft.id).doi
    (tmp_path / "other" / "datasets").mkdir(parents=True)
    options = {"project": tmp_path / "other", "cache": tmp_path / "cache", "source": FolderSource(archive)}
    added = add_doi(doi, slug="back", **options).dataset
    assert verify_dataset(added, cache=tmp_path / "nothing") == []  # what no server has lies beside the card
    stored = next(
        path for path in (tmp_path / "archive").rglob("*") if path.is_file() and path.stat().st_size == 1_000_001
    )
    stored.chmod(0o644)
    stored.write_bytes(b"\1" + bytes(1_000_000))
    with pytest.raises(HashMismatch):
        add_doi(doi, slug="again", **options)
    assert not (tmp_path / "other" / "datasets" / "again").exists()
