"""The trials of prostate fractionation: what was typed is consistent with itself, and says where it is not."""

from __future__ import annotations

import csv
import math
import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "datasets" / "prostate_fractionation_trials"
ROWS = list(csv.DictReader((FOLDER / "comparisons.csv").open(encoding="utf-8", newline="")))
WITH_RATIO = [row for row in ROWS if row["hazard_ratio"]]


def test_every_source_is_used_and_named() -> None:
    card = tomllib.loads((FOLDER / "dataset.toml").read_text(encoding="utf-8"))
    assert {row["source"] for row in ROWS} == {source["id"] for source in card["sources"]}
    assert all(source.get("doi") or source.get("url") for source in card["sources"])
    assert all(row["reading"] for row in ROWS)
    assert all(row["remark"] for row in ROWS if row["role"] != "fit")


@pytest.mark.parametrize("row", WITH_RATIO, ids=[row["row_id"] for row in WITH_RATIO])
def test_an_interval_lies_around_its_ratio_or_is_not_used(row: dict[str, str]) -> None:
    ratio, low, high = (float(row[name]) for name in ("hazard_ratio", "hr_lower", "hr_upper"))
    assert low < ratio < high
    off_centre = abs(math.log(ratio) - math.log(low * high) / 2) / math.log(high / low)
    rounding = 0.01 / low / math.log(high / low)
    assert (off_centre > 2 * rounding) == (row["basis"] == "events"), off_centre


@pytest.mark.parametrize("row", ROWS, ids=[row["row_id"] for row in ROWS])
def test_survivals_agree_with_the_ratio(row: dict[str, str]) -> None:
    if not (row["survival_reference"] and row["hazard_ratio"]):
        assert row["row_id"] in {"T04", "T05"}
        return
    reference, test = float(row["survival_reference"]), float(row["survival_test"])
    from_survival = math.log(test) / math.log(reference)  # at one time; the hazard ratio is of the whole follow-up
    assert from_survival == pytest.approx(float(row["hazard_ratio"]), rel=0.12)


def test_fractions_are_of_a_size_that_is_given() -> None:
    for row in ROWS:
        for arm in ("reference", "test"):
            if row[f"{arm}_dose_gy"]:
                assert 1.7 < float(row[f"{arm}_dose_gy"]) / int(row[f"{arm}_fractions"]) < 7.5
