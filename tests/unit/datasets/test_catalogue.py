"""Which datasets there are, and how a notebook opens one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from braggbook.datasets.catalogue import Dataset, find_dataset, list_datasets
from braggbook.datasets.load import load, locate
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import DatasetError, DatasetMissing, HashMismatch, InputError, UnknownName
from braggbook.files import sha256_bytes
from braggbook.formats.dataset import Column

from .dataset_helpers import COLUMNS, COUNTS, Make, Server, entry

OTHER = COUNTS.replace(b"131", b"132")


def test_a_broken_card_does_not_hide_the_others(make: Make, project: Path) -> None:
    make(entry(COUNTS), slug="b_good")
    broken = make(entry(COUNTS), slug="a_broken")
    (broken.folder / "dataset.toml").write_text("format = ")
    for name in ("no_card", "Not A Slug", ".hidden"):
        (project / "datasets" / name).mkdir()
    (project / "datasets" / "README.md").write_text("not a dataset")
    found = list_datasets(project)
    assert {slug: type(item) for slug, item in found.items()} == {
        "Not A Slug": DatasetError, "a_broken": DatasetError, "b_good": Dataset, "no_card": DatasetError,
    }  # fmt: skip
    assert list_datasets(project / "elsewhere") == {}


def test_a_dataset_is_found_by_slug_and_version(make: Make, project: Path) -> None:
    make(entry(COUNTS), version=3)
    assert find_dataset("counts", project=project).reference == "counts@3"
    assert find_dataset("counts@3", project=project).card.version == 3
    with pytest.raises(UnknownName, match="dataset 'counts' has another version; wanted counts@1, got counts@3"):
        find_dataset("counts@1", project=project)
    with pytest.raises(UnknownName, match=r"no dataset named 'count'; did you mean counts\?\nnext: braggbook list"):
        find_dataset("count@1", project=project)
    for reference in ("counts@", "counts@0", "counts@v1", "../counts", "Counts", "", "counts@1@2"):
        with pytest.raises(InputError, match="not the name of a dataset; wanted slug or slug@version"):
            find_dataset(reference, project=project)


def test_the_broken_card_of_the_wanted_dataset_is_the_error(make: Make, project: Path) -> None:
    (make(entry(COUNTS)).folder / "dataset.toml").unlink()
    with pytest.raises(DatasetError, match="no dataset card"):
        find_dataset("counts", project=project)


def test_the_digest_changes_with_what_a_computation_can_see(make: Make) -> None:
    digest = make(entry(COUNTS), slug="a").digest
    unit = COLUMNS | {"dose_gy": COLUMNS["dose_gy"].model_copy(update={"unit": "cGy"})}
    meaning = COLUMNS | {"dose_gy": COLUMNS["dose_gy"].model_copy(update={"meaning": "other words"})}
    digests = [
        make(entry(COUNTS, columns=meaning), slug="a1", title="other words"),
        make(entry(COUNTS, columns=unit), slug="a2"),
        make(entry(OTHER), slug="a3"),
    ]
    same, *others = [Dataset("a", dataset.card, dataset.folder).digest for dataset in digests]
    assert same == digest
    assert digest not in others


def test_one_of_several_files_must_be_named(make: Make) -> None:
    dataset = make(entry(COUNTS), entry(OTHER, path="other.csv"))
    assert dataset.file("other.csv").path == "other.csv"
    with pytest.raises(InputError, match=r"counts@1: the dataset has several files; wanted file= one of counts.csv, o"):
        dataset.file()
    with pytest.raises(
        UnknownName, match=r"no file of counts@1 named 'othr.csv'; did you mean other.csv or counts.csv\?"
    ):
        dataset.file("othr.csv")


def test_load_finds_the_project_from_the_working_directory(
    make: Make, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(entry(COUNTS), beside={"counts.csv": COUNTS})
    monkeypatch.chdir(project / "notebooks")
    table = load("counts@1")
    assert table.attrs == {
        "units": {"dose_gy": "Gy", "cells": "1", "colonies": "1"},
        "meanings": {"dose_gy": "absorbed dose", "cells": "cells seeded", "colonies": "colonies counted"},
        "dataset": "counts@1",
    }
    assert load("counts", to="xarray")["dose_gy"].attrs["units"] == "Gy"
    with pytest.raises(InputError, match="wanted to='pandas', 'xarray' or 'paths', got 'polars'"):
        load("counts@1", to="polars")  # type: ignore[call-overload]


def test_load_uses_the_mirror_and_the_cache_of_the_settings(
    make: Make, server: Server, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(entry(COUNTS, urls=(server.serve("/x", COUNTS),)))
    monkeypatch.setenv("BRAGGBOOK_PROJECT", str(project))
    monkeypatch.setenv("BRAGGBOOK_CACHE", str(tmp_path / "cache"))
    assert len(load("counts@1")) == 3
    assert list((tmp_path / "cache").rglob("*"))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "y").write_bytes(COUNTS)
    monkeypatch.setenv("BRAGGBOOK_DATA_MIRROR", str(tmp_path / "mirror"))
    assert locate("counts@1")[2] == tmp_path / "mirror" / "y"


def test_load_says_where_files_are(make: Make, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(entry(COUNTS), entry(b"other", path="deep/slice.dcm"))
    monkeypatch.setenv("BRAGGBOOK_PROJECT", str(project))
    (tmp_path / "mirror").mkdir()
    for name, data in {"a": COUNTS, "b": b"other", "c": b"thero"}.items():
        (tmp_path / "mirror" / name).write_bytes(data)
    monkeypatch.setenv("BRAGGBOOK_DATA_MIRROR", str(tmp_path / "mirror"))
    places = {"counts.csv": tmp_path / "mirror" / "a", "deep/slice.dcm": tmp_path / "mirror" / "b"}
    assert load("counts@1", to="paths") == places
    assert load("counts@1", file="deep/slice.dcm", to="paths") == {"deep/slice.dcm": tmp_path / "mirror" / "b"}
    (tmp_path / "mirror" / "b").write_bytes(b"OTHER")
    with pytest.raises(DatasetMissing):
        load("counts@1", to="paths")


@pytest.fixture
def prepared(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the runner prepares it, with one dataset that the project does not have any more."""
    dataset = make(entry(COUNTS, urls=("http://127.0.0.1:9/x",)), beside={"counts.csv": COUNTS})
    shutil.move(dataset.folder.parent, tmp_path / "prepared")
    monkeypatch.setenv("BRAGGBOOK_DATASETS", str(tmp_path / "prepared"))
    monkeypatch.setenv("BRAGGBOOK_DATA_MIRROR", str(tmp_path))
    return tmp_path / "prepared"


def test_in_a_run_only_the_prepared_folder_is_looked_at(prepared: Path) -> None:
    assert len(load("counts@1")) == 3
    assert load("counts@1", to="paths") == {"counts.csv": prepared / "counts" / "counts.csv"}
    (prepared / "counts" / "counts.csv").unlink()
    with pytest.raises(DatasetMissing, match=r"counts\.csv of counts@1 is not among the run's datasets"):
        load("counts@1")
    with pytest.raises(UnknownName, match=r"no dataset named 'other'; wanted one of counts"):
        load("other@1")


def test_a_changed_file_is_opened_only_where_verify_has_reported_it(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prepared / "counts" / "counts.csv").write_bytes(OTHER)
    with pytest.raises(HashMismatch):
        load("counts@1")
    monkeypatch.setenv("BRAGGBOOK_DATASETS_CHANGED", "reported")
    assert load("counts@1")["colonies"].tolist() == [124, 132, 118]


def test_arrays_are_not_a_table(prepared: Path, make: Make) -> None:
    make(entry(b"x", path="a.nc", columns={}), slug="arrays", beside={"a.nc": b"x"}).folder.rename(prepared / "arrays")
    with pytest.raises(InputError, match=r'a.nc: a file of arrays is not a table; wanted bb.load\("arrays@1", to="xa'):
        load("arrays@1")
    with pytest.raises(DatasetError, match=r"a\.nc: xarray cannot read the file"):
        load("arrays@1", to="xarray")


def test_verify_reports_what_is_wrong_and_goes_on(make: Make, tmp_path: Path) -> None:
    columns = COLUMNS | {"source": Column(type="text", meaning="source")}
    rows = b"dose_gy,cells,colonies,source\n0,1,1,doe2020\n1,1,1,roe2021\n"
    dataset = make(
        entry(COUNTS, path="good.csv"),
        entry(COUNTS, path="gone.csv"),
        entry(COUNTS, path="changed.csv"),
        entry(b"dose_gy,cells,colonies\nx,1,1\n", path="bad.csv"),
        entry(rows, path="sources.csv", columns=columns),
        entry(COUNTS, path="bare.csv", columns={}),
        entry(b"any", path="notes.txt", columns={}),
        sources=[{"id": "doe2020", "citation": "Doe 2020"}],
        beside={
            "good.csv": COUNTS, "changed.csv": OTHER, "bad.csv": b"dose_gy,cells,colonies\nx,1,1\n",
            "sources.csv": rows, "bare.csv": COUNTS, "notes.txt": b"any",
        },
    )  # fmt: skip
    issues = verify_dataset(dataset, cache=tmp_path / "cache")
    sha256, other = sha256_bytes(COUNTS), sha256_bytes(OTHER)
    looked = (
        "beside the card (counts/gone.csv): no such file; "
        "the mirror folder: not set (BRAGGBOOK_DATA_MIRROR); the cache: not there"
    )
    changed = f"wanted sha256 {sha256} (54 bytes), got {other} (54 bytes), in {dataset.folder}/changed.csv"
    wanted = "wanted [files.columns.<name>] with type, unit and meaning"
    assert [str(issue) for issue in issues] == [
        f"gone.csv of counts@1: no source has the file; wanted sha256 {sha256}, got {looked}",
        f"changed.csv of counts@1: the file is not the one that the card names; {changed}",
        "bad.csv: row 2, column dose_gy: a cell of another type; wanted a number, got 'x'",
        "counts/sources.csv: column source: no source with the id 'roe2021' in the card; did you mean doe2020?",
        f"bare.csv: the card does not describe the columns of this table; {wanted}",
    ]
    assert verify_dataset(make(entry(COUNTS), slug="good", beside={"counts.csv": COUNTS}), cache=tmp_path) == []


PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("slug", sorted(list_datasets(PROJECT)))
def test_the_projects_own_datasets_are_as_their_cards_say(slug: str, tmp_path: Path) -> None:
    dataset, mirror = find_dataset(slug, project=PROJECT), os.environ.get("BRAGGBOOK_DATA_MIRROR")
    if mirror is None and not all((dataset.folder / file.path).exists() for file in dataset.card.files):
        pytest.skip("BRAGGBOOK_DATA_MIRROR is not set: its files are not in the repository")
    folder = None if mirror is None else Path(mirror)
    assert verify_dataset(dataset, cache=tmp_path, mirror=folder, download=False) == []
