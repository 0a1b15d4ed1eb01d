"""The counts of aberrations equal the files that they were taken from, and add up.

Plain ``csv`` and ``tomllib``: these tests hold whatever the package makes of the cards.
"""

from __future__ import annotations

import csv
import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "datasets" / "aberration_counts"
CLASSES = [f"c{number}" for number in range(8)]
ORIGINALS = {
    "dicentrics_co60": ("count-data-barquinero-1995.csv", "D", "C"),
    "dicentrics_he4": ("radica_20MeV_4He.csv", "doses", "X"),
    "translocations_co60": ("count-data-rodriguez-2004.csv", "D", "C"),
    "micronuclei_photons": ("count-data-mayakannan-2018.csv", "D", "C"),
}


def card() -> dict[str, Any]:
    with (FOLDER / "dataset.toml").open("rb") as stream:
        return tomllib.load(stream)


def table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def original(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "biodosimetry" / name).open(encoding="utf-8-sig", newline="") as stream:
        return [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(stream)]


def counts(row: dict[str, str], prefix: str, size: int) -> list[int]:
    texts = [row.get(f"{prefix}{number}", "0") for number in range(size)]
    return [0 if text in ("", "NA") else int(text) for text in texts]


ROWS, CASES = table("calibration.csv"), table("cases.csv")


def test_hashes_and_sizes() -> None:
    for entry in card()["files"]:
        content = (FOLDER / entry["path"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
        assert b"\r" not in content
        assert content.endswith(b"\n")


@pytest.mark.parametrize("rows", [ROWS, CASES])
def test_columns_and_sources_are_those_of_the_card(rows: list[dict[str, str]]) -> None:
    entry = card()["files"][0 if rows is ROWS else 1]
    assert list(entry["columns"]) == list(rows[0])
    assert {row["source"] for row in rows} <= {source["id"] for source in card()["sources"]}


def test_every_source_is_used() -> None:
    assert {row["source"] for row in ROWS + CASES} == {source["id"] for source in card()["sources"]}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['series']} {row['dose_gy']}" for row in ROWS])
def test_totals_follow_from_the_classes(row: dict[str, str]) -> None:
    found = counts(row, "c", 8)
    assert int(row["cells"]) == sum(found)
    assert int(row["aberrations"]) == sum(number * count for number, count in enumerate(found))


@pytest.mark.parametrize("series", list(ORIGINALS))
def test_counts_equal_the_original_file(series: str, mirror: Path) -> None:
    name, dose, prefix = ORIGINALS[series]
    mine = [(float(row["dose_gy"]), counts(row, "c", 8)) for row in ROWS if row["series"] == series]
    assert mine == [(float(row[dose]), counts(row, prefix, 8)) for row in original(mirror, name)]


def test_totals_equal_the_printed_totals(mirror: Path) -> None:
    printed = original(mirror, "count-data-barquinero-1995-aggr.csv")
    mine = [(row["cells"], row["aberrations"]) for row in ROWS if row["series"] == "dicentrics_co60"]
    assert mine == [(row["N"], row["X"]) for row in printed]


def test_the_slip_of_the_other_copy(mirror: Path) -> None:
    copy = original(mirror, "radica_Cobalt60.csv")
    mine = [row for row in ROWS if row["series"] == "dicentrics_co60"]
    assert [counts(row, "X", 8) for row in copy] == [counts(row, "c", 8) for row in mine]
    differing = [
        (row["dose_gy"], other["cell"]) for row, other in zip(mine, copy, strict=True) if row["cells"] != other["cell"]
    ]
    assert differing == [("2", "332")]


def test_cases_equal_the_original_file(mirror: Path) -> None:
    rows = original(mirror, "cases-data-partial.csv")
    mine = [counts(row, "c", 6) for row in CASES if row["source"] == "biodosetools_cases"]
    assert mine == [counts(row, "C", 6) for row in rows]
