"""The list of datasets, and a dataset."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from braggbook.errors import DatasetError, InputError, UnknownName
from braggbook.hub.look.datasets import LicenseShown, _licenses, list_datasets, preview_file, show_dataset
from braggbook.settings import Settings

from ...runs.run_helpers import digest, make_run
from .look_helpers import COLUMNS, ROWS, make_dataset, settings_of

ROOT = Path(__file__).parents[4]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
def ours(tmp_path: Path) -> Settings:
    """The datasets of this repository, with nothing downloaded."""
    return dataclasses.replace(settings_of(tmp_path), project=ROOT)


def test_no_datasets(settings: Settings) -> None:
    assert list_datasets(settings) == []


def test_lines(settings: Settings) -> None:
    make_dataset(settings, {"counts.csv": ROWS, "a.nii.gz": b"1", "b.nii": b"2", "scan.zarr/zarr.json": b"{}"})
    (line,) = list_datasets(settings)
    assert (line.slug, line.version, line.title, line.license) == ("counts", 1, "Counts", "CC0-1.0")
    assert (line.files, line.bytes, line.kinds) == (4, len(ROWS) + 4, (("volume", 3), ("table", 1)))


def test_broken_cards_are_listed(settings: Settings, tmp_path: Path) -> None:
    make_dataset(settings, {"counts.csv": ROWS})
    datasets = settings.project / "datasets"
    for slug, text in (("cut", "title = "), ("empty", None), ("future", 'format = "braggbook.dataset/9"'),
                       ("Wrong", 'format = "braggbook.dataset/1"\ntitle = 3')):  # fmt: skip
        (datasets / slug).mkdir()
        if text is not None:
            (datasets / slug / "dataset.toml").write_text(text)
    issues = {line.slug: line.issues for line in list_datasets(settings)}
    assert issues.pop("counts") == ()
    assert all(issues.values())
    assert any("not a slug" in text for text in issues["Wrong"])
    assert any("newer Braggbook" in text for text in issues["future"])
    assert str(tmp_path) not in str(issues)
    with pytest.raises(DatasetError):
        show_dataset("cut", settings)


def test_shown(settings: Settings) -> None:
    sources = [
        {"id": "paper", "citation": "A paper", "doi": "10.1000/xyz"},
        {"id": "page", "citation": "A page", "url": "https://example.org"},
        {"id": "odd", "citation": "A script", "url": "javascript:alert(1)"},
    ]
    authors = [{"name": "Ada Lovelace", "orcid": "0000-0002-1825-0097"}]
    make_dataset(settings, {"counts.csv": ROWS}, columns=COLUMNS, sources=sources, authors=authors, abstract="Cells.")
    used = make_run(settings.runs)
    make_run(settings.runs, datasets={"counts@2": digest("other version")})
    shown = show_dataset("counts@1", settings)
    assert (shown.reference, shown.title, shown.abstract, shown.provenance) == (
        "counts@1",
        "Counts",
        "Cells.",
        "made up",
    )
    assert [author.orcid for author in shown.authors] == ["0000-0002-1825-0097"]
    assert [one.link for one in shown.sources] == ["https://doi.org/10.1000/xyz", "https://example.org", None]
    (file,) = shown.files
    assert (file.path, file.kind, file.bytes, file.here, file.place) == (
        "counts.csv",
        "table",
        len(ROWS),
        True,
        "beside the card",
    )
    assert [(one.name, one.unit, one.meaning) for one in file.columns] == [
        ("dose_gy", "Gy", "absorbed dose"), ("cells", "1", "cells seeded"), ("note", "", "remark")
    ]  # fmt: skip
    assert [run.id for run in shown.runs.items] == [used.name]
    assert shown.commands[0] == "braggbook dataset verify counts@1"
    assert shown.load == ('bb.load("counts@1")',)
    assert [one.kind for one in shown.previews] == ["table"]
    assert shown.not_previewed == ()


def test_unknown(settings: Settings) -> None:
    make_dataset(settings, {"counts.csv": ROWS})
    for wrong, error in (
        ("count", UnknownName),
        ("counts@2", UnknownName),
        ("../counts", InputError),
        ("a\0b", InputError),
    ):
        with pytest.raises(error):
            show_dataset(wrong, settings)
    with pytest.raises(UnknownName):
        preview_file("counts", "../dataset.toml", settings)
    with pytest.raises(UnknownName):
        preview_file("counts", "dataset.toml", settings)


def test_only_some_previews(settings: Settings) -> None:
    make_dataset(settings, {f"part{number}.csv": ROWS for number in range(9)}, columns=COLUMNS)
    (settings.project / "datasets" / "counts" / "part0.csv").unlink()
    shown = show_dataset("counts", settings)
    assert [one.path for one in shown.previews] == [f"part{number}.csv" for number in range(1, 7)]
    assert shown.not_previewed == ("part7.csv", "part8.csv", "part0.csv")
    assert preview_file("counts", "part8.csv", settings).kind == "table"


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("CC-BY-4.0", [("CC-BY-4.0", True)]),
        ("MIT OR Apache-2.0", [("MIT", True), ("OR", False), ("Apache-2.0", True)]),
        ("(MIT AND LicenseRef-own)", [("(", False), ("MIT", True), ("AND", False), ("LicenseRef-own", False), (")", False)]),
    ],
)  # fmt: skip
def test_licences(expression: str, parts: list[tuple[str, bool]]) -> None:
    expected = [LicenseShown(text, f"https://spdx.org/licenses/{text}.html" if link else None) for text, link in parts]
    assert list(_licenses(expression)) == expected


def test_every_dataset_of_ours(ours: Settings) -> None:
    lines = list_datasets(ours)
    assert len(lines) >= 8
    for line in lines:
        assert line.issues == ()
        shown = show_dataset(f"{line.slug}@{line.version}", ours)
        assert len(shown.files) == line.files
        for one, file in zip(shown.previews, shown.files, strict=False):
            if file.here and file.kind == "table":
                assert one.kind == "table"
                assert one.plot is not None
                assert "not what the card says" not in one.says
            else:
                assert one.says == "No preview: not here; the card says where to get it."


def test_a_real_table(ours: Settings) -> None:
    shown = show_dataset("colony_counts_cal33_okf6@1", ours)
    (seen,) = shown.previews
    assert seen.table is not None
    assert seen.table.cells[0] == ("CAL 33", "e1", "0", "900", "182", "braselmann2015")
    assert (seen.table.rows, len(seen.table.cells)) == (72, 20)
    assert seen.plot is not None
    assert (seen.plot.x, seen.plot.y, seen.plot.points) == ("dose_gy (Gy)", "cells_seeded", 72)
    assert "72 points: 72 rows of counts.csv. dose_gy (Gy) runs from 0 to 6; cells_seeded runs from" in seen.plot.svg
