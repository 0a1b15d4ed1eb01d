"""Tables of counts: totals that follow from the distribution, and every bad row by its number."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.biodosimetry import case_counts, read_calibration_counts, read_cases


def _issues(table: object) -> list[str]:
    with pytest.raises(ScienceError) as caught:
        read_calibration_counts(table)  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return [str(issue) for issue in caught.value.issues] or [str(caught.value)]


def test_totals_follow_from_the_distribution(co60: pd.DataFrame) -> None:
    counts = read_calibration_counts(co60.drop(columns=["cells", "aberrations"]))
    np.testing.assert_array_equal(counts.cells, [5000, 5002, 2008, 2002, 1832, 1168, 562, 333, 193, 103, 59])
    np.testing.assert_array_equal(counts.aberrations, [8, 14, 22, 55, 100, 109, 100, 103, 108, 103, 107])


def test_totals_alone_are_enough(co60: pd.DataFrame) -> None:
    assert read_calibration_counts(co60[["dose_gy", "cells", "aberrations"]]).distribution is None


def test_capital_classes_are_the_same(co60: pd.DataFrame) -> None:
    capital = co60.rename(columns={f"c{k}": f"C{k}" for k in range(8)})
    np.testing.assert_array_equal(
        read_calibration_counts(capital).distribution, read_calibration_counts(co60).distribution
    )


def test_332_cells_where_the_classes_add_up_to_333(co60: pd.DataFrame) -> None:
    co60.loc[7, "cells"] = 332
    assert _issues(co60) == [
        "row 8: cells and the distribution disagree; wanted 333 = c0 + c1 + ..., got 332",
    ]


def test_aberrations_that_do_not_follow_from_the_classes(co60: pd.DataFrame) -> None:
    co60.loc[2, "aberrations"] = 21
    assert _issues(co60) == [
        "row 3: aberrations and the distribution disagree; wanted 22 = c1 + 2 c2 + ..., got 21",
    ]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("c1", -1, "row 2: c1 is not usable; wanted a whole number, 0 or more, got -1"),
        ("c1", 2.5, "row 2: c1 is not usable; wanted a whole number, 0 or more, got 2.5"),
        ("c1", "many", "row 2: c1 is not usable; wanted a whole number, 0 or more, got 'many'"),
        ("cells", 0, "row 2: cells is not usable; wanted a whole number, 1 or more, got 0"),
        ("cells", math.nan, "row 2: cells is not usable; wanted a whole number, 1 or more, got nan"),
        ("aberrations", math.inf, "row 2: aberrations is not usable; wanted a whole number, 0 or more, got inf"),
        ("aberrations", None, "row 2: aberrations is not usable; wanted a whole number, 0 or more, got None"),
        ("dose_gy", -0.1, "row 2: dose_gy is not usable; wanted a number of Gy, 0 or more, got -0.1"),
        ("dose_gy", "low", "row 2: dose_gy is not usable; wanted a number of Gy, 0 or more, got 'low'"),
        ("dose_gy", math.nan, "row 2: dose_gy is not usable; wanted a number of Gy, 0 or more, got nan"),
        (
            "dose_gy",
            100.0,
            "row 2: dose_gy is not usable; wanted at most 50 Gy; is the column in cGy or mGy?, got 100.0",
        ),
    ],
)
def test_a_bad_cell_is_named_with_its_row(co60: pd.DataFrame, column: str, value: object, message: str) -> None:
    table = co60.astype(object)
    table.loc[1, column] = value
    assert _issues(table) == [message]


def test_all_issues_come_at_once(co60: pd.DataFrame) -> None:
    table = co60.astype(object)
    table.loc[0, "dose_gy"] = -1
    table.loc[3, "cells"] = 0
    table.loc[5, "c2"] = 0.5
    assert [issue.split(":")[0] for issue in _issues(table)] == ["row 1", "row 4", "row 6"]


def test_doses_in_another_unit(co60: pd.DataFrame) -> None:
    issues = _issues(co60.assign(dose_cgy=co60["dose_gy"] * 100).drop(columns="dose_gy"))
    assert issues[0].startswith("no column 'dose_gy'; did you mean dose_cgy?")
    assert issues[1] == "column dose_cgy: a dose in another unit; wanted column dose_gy, in Gy"
    in_cgy = _issues(co60.assign(dose_gy=co60["dose_gy"] * 100))
    assert [issue.split(":")[0] for issue in in_cgy] == [f"row {row}" for row in range(5, 12)]  # 75 cGy and more
    assert all("is the column in cGy or mGy?" in issue for issue in in_cgy)


def test_an_empty_class_is_zero_only_where_the_cells_confirm_it(helium: pd.DataFrame) -> None:
    sparse = helium.astype({"c7": float})
    sparse.loc[:7, "c7"] = math.nan
    np.testing.assert_array_equal(
        read_calibration_counts(sparse).distribution, read_calibration_counts(helium).distribution
    )
    issues = _issues(sparse.drop(columns="cells"))
    assert len(issues) == 8
    assert "empty means 0 only beside a column cells" in issues[0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"dose_gy": [1.0], "c0": [1], "c2": [1]}), "the distribution has a gap; wanted columns c0 to c2"),
        (pd.DataFrame({"dose_gy": [1.0], "cells": [10]}), "no column 'aberrations'; wanted columns c0, c1, c2"),
        (pd.DataFrame({"dose_gy": [], "c0": [], "c1": []}), "the table has no rows"),
        (pd.DataFrame([[1.0, 2.0, 5]], columns=["dose_gy", "dose_gy", "c0"]), "column 'dose_gy' is there twice"),
        (pd.DataFrame({"dose_gy": [1.0], "c0": [0], "c1": [0]}), "row 1: no cells"),
        ([[1.0, 2.0]], "not a table of counts; wanted a pandas DataFrame, got list"),
        (None, "not a table of counts; wanted a pandas DataFrame, got NoneType"),
    ],
)
def test_tables_that_are_none(table: object, message: str) -> None:
    assert _issues(table)[0].startswith(message)


def test_cases() -> None:
    counts = read_cases(pd.DataFrame({"case": ["a", "b"], "c0": [40, 30], "c1": [8, 15], "c2": [2, 5]}))
    assert counts.labels == ("a", "b")
    assert counts.dose_gy is None
    np.testing.assert_array_equal(counts.aberrations, [12, 25])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distribution": [10, -1]}, "row 1: c1 is not usable"),
        ({"distribution": [10, 2], "cells": 13}, "row 1: cells and the distribution disagree"),
        ({"distribution": [0, 0]}, "row 1: no cells"),
        ({"distribution": []}, "not a distribution"),
        ({"distribution": "302, 28"}, "not a distribution"),
        ({"distribution": 302}, "not a distribution"),
        ({"cells": 100}, "no column 'aberrations'"),
        ({"cells": 0, "aberrations": 0}, "row 1: cells is not usable"),
        ({"cells": 10, "aberrations": 1, "genome_factor": 0.0}, "not a genome factor"),
        ({"cells": 10, "aberrations": 1, "genome_factor": 1.2}, "not a genome factor"),
        ({"cells": 10, "aberrations": 1, "genome_factor": None}, "not a genome factor"),
        ({}, "no column 'cells'"),
    ],
)
def test_cases_that_are_none(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        case_counts(**arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_cell_equivalents() -> None:
    case = case_counts([288, 52, 9, 1], genome_factor=0.5)
    assert (case.cells, case.aberrations, case.cell_equivalents) == (350, 73, 175)
    assert case.yield_per_cell == 73 / 175


def test_a_number_beyond_whole_numbers_is_no_count() -> None:
    with pytest.raises(ScienceError) as caught:
        read_cases(pd.DataFrame({"case": ["a"], "cells": [1e290], "aberrations": [-1]}))
    assert [str(issue) for issue in caught.value.issues] == [
        "row 1: cells is not usable; wanted a whole number, 1 or more, got 1e+290",
        "row 1: aberrations is not usable; wanted a whole number, 0 or more, got -1",
    ]
