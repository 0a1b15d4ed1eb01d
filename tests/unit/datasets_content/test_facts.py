"""The facts of the first two datasets: they equal their source, and no number stands without its definition.

Plain ``csv`` and ``tomllib``: these tests hold whatever the package makes of the cards.
"""

from __future__ import annotations

import csv
import hashlib
import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

DATASETS = Path(__file__).parents[3] / "datasets"
COUNTS, RBE = "colony_counts_cal33_okf6", "rbe_measurements"
ORIGINAL = "clonogenic/cfassay_expl1_cellsurvcurves.txt"  # below the folder of BRAGGBOOK_DATA_MIRROR
NAMES = {"cal33": "CAL 33", "okf6TERT1": "OKF6/TERT1"}  # spelling of the file, spelling of its vignette
SIZE_LIMIT = 1_000_000  # bytes; HOUSE.md keeps dataset folders in the repository at or below 1 MB
NUMERIC = {"number", "integer"}
RBE_QUANTITIES = {"RBE at survival level", "RBE at dose", "RBEmax", "RBE, level not stated"}


def card(slug: str) -> dict[str, Any]:
    with (DATASETS / slug / "dataset.toml").open("rb") as stream:
        return tomllib.load(stream)


def table(slug: str) -> list[dict[str, str]]:
    with (DATASETS / slug / card(slug)["files"][0]["path"]).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def half_digit(text: str) -> Decimal:
    """Half a unit of the last printed digit."""
    return Decimal(1).scaleb(int(Decimal(text).as_tuple().exponent)) / 2


COUNT_ROWS, RBE_ROWS = table(COUNTS), table(RBE)
rbe_row = pytest.mark.parametrize("row", RBE_ROWS, ids=[row["row_id"] for row in RBE_ROWS])


@pytest.mark.parametrize("slug", [COUNTS, RBE])
class TestCard:
    def test_hash_and_size_are_those_of_the_file(self, slug: str) -> None:
        for entry in card(slug)["files"]:
            content = (DATASETS / slug / entry["path"]).read_bytes()
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
            assert entry["bytes"] == len(content) <= SIZE_LIMIT

    def test_files_are_utf8_with_unix_line_ends(self, slug: str) -> None:
        for path in (DATASETS / slug).iterdir():
            text = path.read_bytes().decode("utf-8")
            assert "\r" not in text
            assert text.endswith("\n")

    def test_columns_are_described_in_the_order_of_the_file(self, slug: str) -> None:
        columns = card(slug)["files"][0]["columns"]
        assert list(columns) == list(table(slug)[0])
        assert all(described["type"] and described["meaning"] for described in columns.values())
        assert all(("unit" in described) == (described["type"] in NUMERIC) for described in columns.values())

    def test_cells_obey_their_column(self, slug: str) -> None:
        columns = card(slug)["files"][0]["columns"]
        for place, row in enumerate(table(slug), start=2):
            for name, text in row.items():
                assert obeys(text, columns[name]), f"line {place}, {name}: {text!r}"

    def test_every_source_id_exists_once_and_is_used(self, slug: str) -> None:
        ids = [source["id"] for source in card(slug)["sources"]]
        assert len(set(ids)) == len(ids)
        assert {row["source"] for row in table(slug)} <= set(ids)

    def test_licence_is_that_of_the_compilation(self, slug: str) -> None:
        assert card(slug)["license"] == "CC0-1.0"


def obeys(text: str, column: dict[str, Any]) -> bool:
    if not text:
        return bool(column.get("missing", False))
    if text != text.strip():
        return False
    if column["type"] == "boolean":
        return text in {"true", "false"}
    if column["type"] in NUMERIC:
        value = Decimal(text)
        whole = column["type"] == "number" or value == value.to_integral_value()
        above = "minimum" not in column or value >= Decimal(str(column["minimum"]))
        below = "maximum" not in column or value <= Decimal(str(column["maximum"]))
        return value.is_finite() and whole and above and below
    return "values" not in column or text in column["values"]


def test_rbe_sources_are_all_used() -> None:
    assert {source["id"] for source in card(RBE)["sources"]} == {row["source"] for row in RBE_ROWS}


def test_rbe_rows_carry_the_doi_of_their_source() -> None:
    dois = {source["id"]: source.get("doi", "") for source in card(RBE)["sources"]}
    assert all(row["doi"] == dois[row["source"]] for row in RBE_ROWS)
    assert sum(bool(row["doi"]) for row in RBE_ROWS) == 47


# --- colony counts ---------------------------------------------------------------------------------------------------


def test_counts_equal_the_original_file() -> None:
    mirror = os.environ.get("BRAGGBOOK_DATA_MIRROR")
    if not mirror:
        pytest.skip("BRAGGBOOK_DATA_MIRROR is not set: the original CFAssay file is not here to compare with")
    with (Path(mirror) / ORIGINAL).open(encoding="utf-8", newline="") as stream:
        original = [
            (NAMES[line["cline"]], line["Exp"], line["dose"], line["ncells"], line["ncolonies"])
            for line in csv.DictReader(stream, delimiter="\t")
        ]
    fields = ("cell_line", "replicate", "dose_gy", "cells_seeded", "colonies")
    assert [tuple(row[field] for field in fields) for row in COUNT_ROWS] == original


@pytest.mark.parametrize(
    ("cell_line", "replicates", "cells", "colonies"),
    [("CAL 33", 4, 159_450, 3_544), ("OKF6/TERT1", 8, 235_500, 3_366)],
)
def test_totals_of_the_counts(cell_line: str, replicates: int, cells: int, colonies: int) -> None:
    rows = [row for row in COUNT_ROWS if row["cell_line"] == cell_line]
    assert {row["replicate"] for row in rows} == {f"e{place}" for place in range(1, replicates + 1)}
    assert len(rows) == 6 * replicates
    assert sum(int(row["cells_seeded"]) for row in rows) == cells
    assert sum(int(row["colonies"]) for row in rows) == colonies


def test_every_replicate_has_every_dose_once() -> None:
    for key in {(row["cell_line"], row["replicate"]) for row in COUNT_ROWS}:
        doses = [row["dose_gy"] for row in COUNT_ROWS if (row["cell_line"], row["replicate"]) == key]
        assert doses == ["0", "1", "2", "3", "4", "6"]


# --- RBE -------------------------------------------------------------------------------------------------------------


def test_row_ids_are_unique() -> None:
    assert len({row["row_id"] for row in RBE_ROWS}) == len(RBE_ROWS)


@rbe_row
def test_no_rbe_without_its_definition(row: dict[str, str]) -> None:
    has_rbe = any(row[name] for name in ("rbe", "rbe_lower", "rbe_upper"))
    assert has_rbe == (row["quantity"] in RBE_QUANTITIES)
    if has_rbe:
        defined = (
            "endpoint",
            "effect_level",
            "reference_radiation",
            "let_kind",
            "particle",
            "cell_line",
            "interval_kind",
        )
        assert all(row[name] for name in defined)
        assert row["effect_level"] != "not applicable"
        assert (row["quantity"] == "RBE at survival level") == bool(row["survival_level"])
        assert (row["quantity"] == "RBE, level not stated") == (row["effect_level"] == "not stated")
        assert (row["reference_radiation"] == "not stated") == (row["reference_is_photon"] == "")


@rbe_row
def test_survival_level_is_the_effect_level(row: dict[str, str]) -> None:
    level = number(row["survival_level"])
    if level is not None:
        assert row["effect_level"].startswith(f"{(100 * level).normalize():f} % survival")


@rbe_row
def test_intervals_are_ordered_and_hold_their_value(row: dict[str, str]) -> None:
    lower, value, upper = number(row["rbe_lower"]), number(row["rbe"]), number(row["rbe_upper"])
    ends = [end for end in (lower, value, upper) if end is not None]
    assert ends == sorted(ends)
    kind = row["interval_kind"]
    assert (kind == "none published") == (lower is None and upper is None)
    if kind.startswith("range"):
        assert value is None
        assert lower is not None
        assert upper is not None
    if kind == "upper bound":
        assert value is None
        assert lower is None


@rbe_row
def test_let_is_a_value_or_a_range_and_its_kind_is_not_claimed_without_it(row: dict[str, str]) -> None:
    value, lower, upper = (number(row[name]) for name in ("let_kev_um", "let_lower_kev_um", "let_upper_kev_um"))
    assert value is None or (lower is None and upper is None)
    assert lower is None or upper is None or lower < upper
    assert value is not None or lower is not None or row["let_kind"] == "not stated"
    assert row["let_particles"]


@rbe_row
def test_rbe_max_is_the_ratio_of_the_alphas(row: dict[str, str]) -> None:
    alpha, reference, value = number(row["alpha_per_gy"]), number(row["alpha_reference_per_gy"]), number(row["rbe"])
    if row["quantity"] == "RBEmax" and alpha and reference and value:
        assert abs(alpha / reference - value) <= half_digit(row["rbe"])


def test_rbe_max_of_20_mev_helium() -> None:
    (row,) = (row for row in RBE_ROWS if row["row_id"] == "R032")
    assert row["rbe"] == "15.59"  # alpha of the Radica 4He counts over alpha of the 60Co counts of row R031
    (gamma,) = (other for other in RBE_ROWS if other["row_id"] == "R031")
    assert row["alpha_reference_per_gy"] == gamma["alpha_reference_per_gy"]


@rbe_row
def test_rbe_at_a_level_is_the_ratio_of_the_printed_doses(row: dict[str, str]) -> None:
    dose, reference, value = (number(row[name]) for name in ("isoeffect_dose_gy", "isoeffect_dose_reference_gy", "rbe"))
    if dose and reference and value:
        rounding = value * (
            half_digit(row["isoeffect_dose_gy"]) / dose + half_digit(row["isoeffect_dose_reference_gy"]) / reference
        )
        assert abs(reference / dose - value) <= half_digit(row["rbe"]) + rounding


@rbe_row
def test_uncertainties_stand_beside_a_value_and_have_a_kind(row: dict[str, str]) -> None:
    pairs = {
        "alpha_sd_per_gy": "alpha_per_gy",
        "beta_sd_per_gy2": "beta_per_gy2",
        "alpha_reference_sd_per_gy": "alpha_reference_per_gy",
        "beta_reference_sd_per_gy2": "beta_reference_per_gy2",
        "isoeffect_dose_sd_gy": "isoeffect_dose_gy",
    }
    for uncertainty, value in pairs.items():
        assert row[value] or not row[uncertainty]
        assert not row[uncertainty] or Decimal(row[uncertainty]) > 0  # a printed zero would weigh a fit infinitely
    has_lq = any(row[name] for name in ("alpha_per_gy", "alpha_reference_per_gy"))
    assert has_lq == (row["lq_uncertainty_kind"] != "no LQ parameters")


@rbe_row
def test_same_data_points_to_a_row(row: dict[str, str]) -> None:
    assert not row["same_data_as"] or row["same_data_as"] in {other["row_id"] for other in RBE_ROWS} - {row["row_id"]}


def test_rows_relative_to_a_proton_plateau_are_marked() -> None:
    marked = {row["row_id"] for row in RBE_ROWS if row["reference_is_photon"] == "false"}
    assert marked == {"R002", "R003", "R004", "R006", "R007", "R008"}


def test_nothing_comes_from_pide() -> None:
    assert all("PIDE" not in source["citation"] for source in card(RBE)["sources"])
