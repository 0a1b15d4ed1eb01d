"""The facts of damage by radiation: each has a unit, a kind and a source, and the printed numbers agree among themselves.

Plain ``csv`` and ``tomllib``: these tests hold whatever the package makes of the card.
"""

from __future__ import annotations

import csv
import hashlib
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "datasets" / "damage_by_radiation"


def card() -> dict[str, Any]:
    with (FOLDER / "dataset.toml").open("rb") as stream:
        return tomllib.load(stream)


with (FOLDER / "damage.csv").open(encoding="utf-8", newline="") as _stream:
    ROWS = {row["row_id"]: row for row in csv.DictReader(_stream)}


def test_hash_and_size_are_those_of_the_file() -> None:
    (entry,) = card()["files"]
    content = (FOLDER / entry["path"]).read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert entry["bytes"] == len(content)
    assert b"\r" not in content
    assert content.endswith(b"\n")


def test_columns_and_sources_are_those_of_the_card() -> None:
    (entry,) = card()["files"]
    assert list(entry["columns"]) == list(ROWS["Y01"])
    assert {source["id"] for source in card()["sources"]} == {row["source"] for row in ROWS.values()}
    assert all(source["url"].startswith("https://") for source in card()["sources"])


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_row_has_a_value_or_a_range_and_says_of_what(row: dict[str, str]) -> None:
    assert bool(row["value"]) != bool(row["value_lower"])
    assert bool(row["value_lower"]) == bool(row["value_upper"]) == (row["relation"] == "range")
    if row["value_lower"]:
        assert float(row["value_lower"]) < float(row["value_upper"])
    assert all(row[name] for name in ("quantity", "unit_of_value", "kind", "cells", "radiation", "citation_place"))
    is_ratio = row["unit_of_value"] == "1"
    assert is_ratio == bool(row["reference_radiation"])
    assert is_ratio == row["quantity"].startswith(("ratio", "RBE"))


def test_the_printed_ratio_is_that_of_the_printed_yields() -> None:
    """12.5 / 5.8 = 2.16, which also shows that the abstract's "per cent" means per cell."""
    photons, alphas, ratio = (ROWS[name] for name in ("Y01", "Y02", "Y03"))
    value = float(alphas["value"]) / float(photons["value"])
    assert round(value, 2) == float(ratio["value"]) == 2.16
    error = value * math.hypot(
        float(alphas["plus_minus"]) / float(alphas["value"]), float(photons["plus_minus"]) / float(photons["value"])
    )
    assert round(error, 2) == float(ratio["plus_minus"]) == 0.13


def test_rows_that_rbe_measurements_holds_too_agree_with_it() -> None:
    with (FOLDER.parent / "rbe_measurements" / "rbe.csv").open(encoding="utf-8", newline="") as stream:
        others = {row["row_id"]: row for row in csv.DictReader(stream)}
    for mine, theirs in (("S02", "B008"), ("S03", "B014")):
        row, other = ROWS[mine], others[theirs]
        assert row["source"] == other["source"]
        assert float(row["let_kev_um"]) == float(other["let_kev_um"])
        assert [float(row[f"value_{end}"]) for end in ("lower", "upper")] == [
            float(other[f"rbe_{end}"]) for end in ("lower", "upper")
        ]
    assert float(ROWS["S04"]["value"]) == float(others["B004"]["rbe"])
