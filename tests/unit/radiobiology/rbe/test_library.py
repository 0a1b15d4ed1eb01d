"""A table of measured RBE becomes RBE that say what they are of; what cannot is kept apart, with the reason."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.rbe import rbe_library

MEASUREMENTS = Path(__file__).parents[4] / "datasets" / "rbe_measurements" / "rbe.csv"
ROW: dict[str, Any] = {
    "row_id": "A1",
    "particle": "1H",
    "cell_line": "V79",
    "endpoint": "clonogenic survival",
    "quantity": "RBE at survival level",
    "effect_level": "10 % survival",
    "survival_level": 0.1,
    "isoeffect_dose_gy": 4.0,
    "reference_radiation": "60Co gamma rays",
    "rbe": 1.2,
    "rbe_lower": 1.1,
    "rbe_upper": 1.3,
    "interval_kind": "95 %",
    "let_kev_um": 5.0,
    "let_kind": "dose-averaged",
    "let_particles": "all protons",
    "let_medium": "water",
    "source": "somebody 2020",
    "doi": "10.1000/1",
}


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{**ROW, "row_id": f"A{number}", **row} for number, row in enumerate(rows, start=1)])


def test_a_complete_row_is_an_rbe() -> None:
    (entry,) = rbe_library(table({})).entries
    rbe = entry.rbe
    assert (rbe.value, rbe.effect_level, rbe.dose_gy, rbe.let_kev_um, rbe.particle) == (1.2, 0.1, 4.0, 5.0, "1H")
    assert str(rbe.let_kind) == "dose-averaged LET, particles: all protons, medium: water"
    assert rbe.interval is not None
    assert (tuple(rbe.interval), rbe.interval.level) == ((1.1, 1.3), 0.95)
    assert (entry.row, entry.row_id, entry.cell_line, entry.doi, rbe.unstated) == (1, "A1", "V79", "10.1000/1", ())


def test_seven_columns_are_enough() -> None:
    names = ["particle", "endpoint", "quantity", "effect_level", "reference_radiation", "rbe", "let_kind"]
    bare = table({"quantity": "RBEmax", "effect_level": "limit of low dose"})[names]
    (entry,) = rbe_library(bare).entries
    assert (entry.row_id, entry.cell_line, entry.rbe.dose_gy, entry.rbe.let_kev_um) == ("1", "not stated", 0.0, None)


@pytest.mark.parametrize(
    ("row", "lacks", "reason"),
    [
        ({"isoeffect_dose_gy": None}, "dose_gy", "dose_gy is not stated"),
        ({"let_kind": "not stated"}, "let_kind", "let_kind is not stated"),
        ({"let_kind": "mean, kind not stated"}, "let_kind", "let_kind is not stated"),
        ({"reference_radiation": None}, "reference_radiation", "reference_radiation is not stated"),
        ({"endpoint": " "}, "endpoint", "endpoint is not stated"),
        (
            {"quantity": "RBE, level not stated", "effect_level": "not stated"},
            "effect_level",
            "effect_level is not stated",
        ),
        ({"rbe": None}, "", "a range, no value"),
        ({"rbe": None, "rbe_lower": None}, "", "a bound, no value"),
        ({"rbe": None, "rbe_lower": None, "rbe_upper": None}, "", "no value"),
    ],
)
def test_an_incomplete_row_is_kept_apart(row: dict[str, Any], lacks: str, reason: str) -> None:
    found = rbe_library(table({}, row))
    assert [entry.row_id for entry in found.entries] == ["A1"]
    assert found.apart.to_dict("records") == [{"row": 2, "row_id": "A2", "lacks": lacks, "reason": reason}]


def test_what_is_not_stated_is_accepted_only_by_name_and_never_filled() -> None:
    rows = table({"isoeffect_dose_gy": None, "let_kind": "not stated"})
    assert len(rbe_library(rows, accept_unstated=["dose_gy"])) == 0
    (entry,) = rbe_library(rows, accept_unstated=["dose_gy", "let_kind"]).entries
    assert entry.rbe.dose_gy == "not stated"
    assert entry.rbe.unstated == ("dose_gy", "let_kind.average")
    with pytest.raises(UnknownName, match="did you mean dose_gy"):
        rbe_library(rows, accept_unstated="dose")


def test_coefficients_are_no_rbe() -> None:
    pairs = {"alpha_per_gy": 0.3, "beta_per_gy2": 0.03, "alpha_reference_per_gy": 0.2, "beta_reference_per_gy2": 0.03}
    errors = {"alpha_sd_per_gy": 0.02, "beta_sd_per_gy2": 0.004}
    found = rbe_library(table({**pairs, **errors}, {"quantity": "LQ parameters", "rbe": None}))
    assert found.coefficients["row_id"].tolist() == ["A2"]
    (entry,) = found.entries
    assert entry.beam is not None
    assert entry.reference is not None
    assert (entry.beam.alpha_se_per_gy, entry.reference.alpha_se_per_gy) == (0.02, None)


def test_filters() -> None:
    found = rbe_library(
        table(
            {},
            {"particle": "12C", "let_kev_um": 70.0, "let_kind": "track-averaged"},
            {"let_kev_um": None, "cell_line": "HSG"},
        )
    )
    ids = lambda **how: [entry.row_id for entry in found.where(**how).entries]  # noqa: E731
    assert ids() == ["A1", "A2", "A3"]
    assert ids(particle="1H") == ["A1", "A3"]
    assert ids(let_kev_um=(1.0, 10.0)) == ["A1"]
    assert ids(let_average="track-averaged") == ["A2"]
    assert ids(cell_line="HSG", endpoint="clonogenic survival", effect_level=0.1) == ["A3"]
    assert ids(keep=lambda entry: entry.rbe.value > 2) == []
    with pytest.raises(UnknownName, match="did you mean dose-averaged"):
        found.where(let_average="dose averaged")
    with pytest.raises(ScienceError, match="not a window of LET"):
        found.where(let_kev_um=(10.0, 1.0))


def test_back_to_a_table() -> None:
    flat = rbe_library(table({}, {"let_kev_um": None})).to_table()
    assert flat.attrs["units"] == {
        "dose_gy": "Gy",
        "let_kev_um": "keV/um",
        "rbe": "1",
        "rbe_lower": "1",
        "rbe_upper": "1",
    }
    assert flat["rbe"].tolist() == [1.2, 1.2]
    assert math.isnan(flat["let_kev_um"][1])


def test_a_tenfold_let_is_told_with_its_row() -> None:
    found = rbe_library(table({}, {"let_kev_um": 50.0}))
    (warning,) = found.warnings
    assert warning.startswith("A2 (row 2): LET 50 keV/um is above 30 keV/um, more than a treatment beam of 1H has: is")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"rbe": -1.0}, "row 2, rbe: not usable; wanted a finite number, 0 or more, got -1.0"),
        ({"rbe": "1.2"}, "row 2, rbe: not usable; wanted a finite number, 0 or more, got '1.2'"),
        ({"let_kev_um": math.inf}, "row 2, let_kev_um: not usable; wanted a finite number, 0 or more, got inf"),
        ({"let_kev_um": 0.0}, "row 2, let_kev_um: not usable; wanted above 0, got 0"),
        ({"rbe_lower": 1.25}, "row 2: not in order; wanted rbe_lower <= rbe <= rbe_upper, got 1.25 > 1.2 > 1.3"),
        ({"survival_level": 10.0}, "row 2: not a surviving fraction; wanted below 1, got 10"),
        ({"survival_level": None}, "row 2: no survival level; wanted survival_level, got RBE at survival level"),
        (
            {"let_kind": "dose averaged"},
            "row 2, let_kind: not a kind of average; got 'dose averaged'; did you mean dose-averaged?",
        ),
        ({"alpha_per_gy": math.inf}, "row 2, alpha_per_gy: not usable; wanted a finite number, got inf"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(row: dict[str, Any], message: str) -> None:
    rows = table({}, row)
    for name, value in row.items():  # one text makes a column of objects, as a real table has it
        rows[name] = rows[name].astype(object)
        rows.loc[1, name] = value
    with pytest.raises(ScienceError) as caught:
        rbe_library(rows)
    assert [str(issue) for issue in caught.value.issues] == [message]


def test_a_table_that_is_none() -> None:
    with pytest.raises(ScienceError, match="wanted a pandas DataFrame, got list"):
        rbe_library([])  # type: ignore[arg-type]
    with pytest.raises(ScienceError) as caught:
        rbe_library(table({}).drop(columns=["rbe", "let_kind"]))
    assert [str(issue) for issue in caught.value.issues] == ["rbe: missing column", "let_kind: missing column"]
    with pytest.raises(ScienceError, match="no rows"):
        rbe_library(table({}).iloc[:0])
    wrong = table({})
    wrong.attrs["units"] = {"let_kev_um": "MeV/cm", "isoeffect_dose_gy": "cGy"}
    with pytest.raises(ScienceError) as caught:
        rbe_library(wrong)
    assert [str(issue) for issue in caught.value.issues] == [
        "let_kev_um: another unit; wanted keV/um, got MeV/cm",
        "isoeffect_dose_gy: another unit; wanted Gy, got cGy",
    ]


def test_the_dataset_is_read_whole() -> None:
    rows = pd.read_csv(MEASUREMENTS)
    found = rbe_library(rows)
    assert len(found) + len(found.apart) + len(found.coefficients) == len(rows)
    accepted = rbe_library(rows, accept_unstated=["effect_level", "reference_radiation", "dose_gy", "let_kind"])
    assert set(accepted.apart["lacks"]) == {""}
    printed = rows[rows["quantity"].str.startswith("RBE") & rows["rbe"].notna()]
    assert [entry.row_id for entry in accepted.entries] == printed["row_id"].tolist()
    assert [entry.rbe.value for entry in accepted.entries] == printed["rbe"].tolist()
