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
    issues = _issues(cal33.rename(columns={"colonies": "colonys", "dose_gy": "dose"}))
    assert len(issues) == 2
    assert "'dose_gy'" in issues[0]
    assert "did you mean dose?" in issues[0]
    assert "did you mean colonys?" in issues[1]


def test_a_column_that_is_there_twice_is_an_issue(cal33: pd.DataFrame) -> None:
    table = pd.concat([cal33, cal33[["colonies"]]], axis=1)
    assert _issues(table) == ["column 'colonies' is there twice"]


def test_two_cell_lines_are_two_curves(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    table = pd.concat([cal33.assign(cell_line="CAL 33"), okf6.assign(cell_line="OKF6/TERT1")])
    issues = _issues(table)
    assert "more than one curve" in issues[0]
    assert "CAL 33, OKF6/TERT1" in issues[0]
    assert fit_survival(table[table["cell_line"] == "CAL 33"]).df == 18


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
