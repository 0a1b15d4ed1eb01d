"""Bad tables: every issue is named, with its row, before anything is fitted."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology import fit_survival


def _issues(table: object, **options: str) -> list[str]:
    with pytest.raises(ScienceError) as caught:
        fit_survival(table, **options)  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return [str(issue) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("colonies", -1, "whole number, 0 or more"),
        ("colonies", 2.5, "whole number"),
        ("colonies", math.inf, "whole number"),
        ("colonies", "many", "whole number"),
        ("colonies", 1801, "at most as many colonies as cells"),
        ("cells_seeded", 0, "above 0"),
        ("cells_seeded", -5, "above 0"),
        ("cells_seeded", math.nan, "above 0"),
        ("dose_gy", math.nan, "a number, 0 or more"),
        ("dose_gy", -2.0, "a number, 0 or more"),
        ("dose_gy", "two", "a number, 0 or more"),
        ("replicate", None, "a label"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(cal33: pd.DataFrame, column: str, value: object, wanted: str) -> None:
    table = cal33.astype(object)
    table.loc[1, column] = value
    issues = _issues(table)
    assert len(issues) == 1
    assert issues[0].startswith(f"row 2: {column} is not usable")
    assert wanted in issues[0]


def test_all_issues_come_at_once(cal33: pd.DataFrame) -> None:
    table = cal33.astype(object)
    table.loc[0, "dose_gy"] = -1.0
    table.loc[3, "colonies"] = 1.5
    table.loc[3, "cells_seeded"] = 0
    table.loc[5, "replicate"] = None
    assert [issue.split(":")[0] for issue in _issues(table)] == ["row 1", "row 4", "row 4", "row 6"]


def test_missing_columns_come_with_the_closest(cal33: pd.DataFrame) -> None:
    issues = _issues(cal33.rename(columns={"colonies": "colonys", "cells_seeded": "ncells", "replicate": "Exp"}))
    assert issues == [
        "no column 'cells_seeded'; did you mean ncells? name it 'cells_seeded'",
        "no column 'colonies'; did you mean colonys?",
        "no column 'replicate'; did you mean Exp? name it 'replicate'",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dose_cgy", "multiply 'dose_cgy' by 0.01 and name it 'dose_gy'"),
        ("Dose (cGy)", "multiply 'Dose (cGy)' by 0.01 and name it 'dose_gy'"),
        ("dose_mGy", "multiply 'dose_mGy' by 0.001"),
        ("rad", "multiply 'rad' by 0.01"),
        ("dose", "'dose' does not state one; name it 'dose_gy' if it is in Gy"),
        ("Dose", "'Dose' does not state one"),
        ("Dose (Gy)", "did you mean Dose (Gy)? name it 'dose_gy'"),
        ("DOSE_GY", "did you mean DOSE_GY? name it 'dose_gy'"),
    ],
)
def test_a_dose_column_of_another_name_or_unit(cal33: pd.DataFrame, name: str, hint: str) -> None:
    issues = _issues(cal33.rename(columns={"dose_gy": name}))
    assert len(issues) == 1
    assert issues[0].startswith("no column 'dose_gy'")
    assert hint in issues[0]


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, 1 + 2j, pd.Timestamp("2020-01-01")])
def test_things_that_are_no_counts_are_named(cal33: pd.DataFrame, value: object) -> None:
    table = cal33.astype(object)
    table.at[1, "colonies"] = value
    assert [issue.split(":")[0] for issue in _issues(table)] == ["row 2"]


def test_counts_may_be_text_or_nullable(cal33: pd.DataFrame) -> None:
    expected = fit_survival(cal33).alpha_per_gy
    as_text = cal33.assign(colonies=cal33["colonies"].astype(str), dose_gy=cal33["dose_gy"].map("{:.1f}".format))
    assert fit_survival(as_text).alpha_per_gy == expected
    nullable = cal33.astype({"colonies": "Int64"})
    assert fit_survival(nullable).alpha_per_gy == expected
    nullable.loc[3, "colonies"] = pd.NA
    assert fit_survival(nullable).counts.dropped == (4,)


def test_a_column_that_is_there_twice_is_an_issue(cal33: pd.DataFrame) -> None:
    table = pd.concat([cal33, cal33[["colonies"]]], axis=1)
    assert _issues(table) == ["column 'colonies' is there twice"]


def test_two_cell_lines_are_two_curves(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    table = pd.concat([cal33.assign(cell_line="CAL 33"), okf6.assign(cell_line="OKF6/TERT1")])
    issues = _issues(table)
    assert "more than one curve" in issues[0]
    assert "CAL 33, OKF6/TERT1" in issues[0]
    assert fit_survival(table[table["cell_line"] == "CAL 33"]).df == 18


@pytest.mark.parametrize("name", ["cline", "Cell line", "cell line ", "Line"])
def test_cell_lines_are_seen_under_other_names(cal33: pd.DataFrame, okf6: pd.DataFrame, name: str) -> None:
    table = pd.concat([cal33.assign(**{name: "CAL 33"}), okf6.assign(**{name: "OKF6/TERT1"})]).drop(columns="cell_line")
    wanted = f"the rows of one line, for example counts[counts[{name!r}] == ...]"
    assert _issues(table) == [
        f"column {name}: more than one curve in the table; wanted {wanted}, got CAL 33, OKF6/TERT1"
    ]


def test_one_line_written_with_blanks_and_a_column_of_numbers_are_one_curve(cal33: pd.DataFrame) -> None:
    expected = fit_survival(cal33)
    for column in ({"cell_line": ["CAL 33", "CAL 33 "] * 12}, {"cells": np.arange(24)}):
        found = fit_survival(cal33.assign(**column))
        assert (found.alpha_per_gy, found.warnings) == (expected.alpha_per_gy, expected.warnings)


def test_several_radiations_in_one_table_are_flagged(cal33: pd.DataFrame) -> None:
    assert fit_survival(cal33.assign(radiation="x rays")).warnings == fit_survival(cal33).warnings
    mixed = fit_survival(cal33.assign(Radiation=["x rays", "protons"] * 12))
    assert mixed.warnings == ("column 'Radiation' has 2 values (protons, x rays): one curve is fitted to them all",)


def test_truth_values_are_no_counts(cal33: pd.DataFrame) -> None:
    assert sum("got True" in issue for issue in _issues(cal33.assign(colonies=cal33["colonies"] > 0))) == 24
    table = cal33.astype(object)
    table.at[1, "colonies"] = True
    assert _issues(table) == [
        'row 2: colonies is not usable; wanted a whole number, 0 or more, empty or "TNTC", got True'
    ]


def test_no_rows_and_no_table(cal33: pd.DataFrame) -> None:
    assert _issues(cal33.iloc[:0]) == ["the table has no rows"]
    with pytest.raises(ScienceError, match="DataFrame"):
        fit_survival([1, 2, 3])  # type: ignore[arg-type]


def test_all_plates_empty(cal33: pd.DataFrame) -> None:
    assert "no plate has a colony" in _issues(cal33.assign(colonies=0))[0]
    assert "no plate has a colony" in _issues(cal33.assign(colonies=np.nan))[0]


def test_one_dose_only_is_a_fit_error(cal33: pd.DataFrame) -> None:
    with pytest.raises(FitError, match=r"one dose only.*got 2 Gy"):
        fit_survival(cal33[cal33["dose_gy"] == 2])


@pytest.mark.parametrize(("plating", "doses"), [("fitted", [0, 2]), ("pooled", [0, 2])])
def test_too_few_doses(cal33: pd.DataFrame, plating: str, doses: list[int]) -> None:
    issues = _issues(cal33[cal33["dose_gy"].isin(doses)], plating=plating)
    assert "too few doses for alpha and beta" in issues[0]
    assert "0, 2 Gy" in issues[0]


def test_too_few_plates(cal33: pd.DataFrame) -> None:
    table = cal33[(cal33["replicate"] == "e1") & cal33["dose_gy"].isin([0, 2, 6])]
    assert "too few plates" in _issues(table)[0]


def test_pooled_plating_needs_zero_dose_plates_with_colonies(cal33: pd.DataFrame) -> None:
    table = cal33.copy()
    table.loc[0, "colonies"] = 0  # replicate e1
    table = table.drop(index=6)  # replicate e2
    issues = _issues(table, plating="pooled")
    assert [issue.split(":")[0] for issue in issues] == ["replicate e1", "replicate e2"]


def test_a_replicate_without_colonies(cal33: pd.DataFrame) -> None:
    table = cal33.copy()
    table.loc[table["replicate"] == "e3", "colonies"] = 0
    assert _issues(table) == ["replicate e3: no colony on any plate"]


def test_least_squares_cannot_take_empty_plates(cal33: pd.DataFrame) -> None:
    table = cal33.copy()
    table.loc[[4, 9], "colonies"] = 0
    issues = _issues(table, method="ls")
    assert [issue.split(":")[0] for issue in issues] == ["row 5", "row 10"]


def test_replicates_that_share_no_dose(cal33: pd.DataFrame) -> None:
    table = cal33.copy()
    table["dose_gy"] = table["replicate"].map({"e1": 0.0, "e2": 1.0, "e3": 2.0, "e4": 4.0})
    with pytest.raises(FitError, match="apart"):
        fit_survival(table)


def test_a_curve_that_only_gets_steeper_has_no_answer(cal33: pd.DataFrame) -> None:
    table = cal33.copy()
    table.loc[table["dose_gy"] >= 2, "colonies"] = 0
    with pytest.raises(FitError, match="too many plates are empty"):
        fit_survival(table)
