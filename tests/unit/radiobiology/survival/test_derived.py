"""All quantities with all intervals in one table."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from braggbook.radiobiology import fit_survival

QUANTITIES = ["alpha_per_gy", "beta_per_gy2", "alpha_beta_gy", "sf2", "d10_gy", "d37_gy", "mean_inactivation_dose_gy"]


def test_every_interval_stands_beside_the_others(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    table = fit.derived()
    assert list(dict.fromkeys(table["quantity"])) == QUANTITIES
    kinds = ["profile", "delta", "bootstrap percentile", "bootstrap bca"]
    for name, rows in table.groupby("quantity"):
        expected = kinds if name != "alpha_beta_gy" else [*kinds[:2], "fieller", *kinds[2:]]
        assert list(rows["kind"]) == expected
        inside = (rows["lower"] < rows["estimate"]) & (rows["estimate"] < rows["upper"])
        assert inside.all(), name
    by = table.set_index(["quantity", "kind"])
    assert tuple(by.loc[("alpha_per_gy", "profile"), ["lower", "upper"]]) == pytest.approx(tuple(fit.alpha_interval))
    assert tuple(by.loc[("d10_gy", "profile"), ["lower", "upper"]]) == pytest.approx(tuple(fit.dose_interval(0.1)))
    assert by.loc[("d10_gy", "delta"), "standard_error"] == pytest.approx(0.153587, rel=1e-5)
    assert by.loc[("alpha_beta_gy", "delta"), "standard_error"] == pytest.approx(2.44106, rel=1e-5)
    assert by.loc[("sf2", "bootstrap bca"), "standard_error"] == pytest.approx(fit.bootstrap().standard_error("sf2"))
    assert by.loc[("sf2", "bootstrap bca"), "method"] == "bootstrap bca, all 35 draws of 4 replicates"
    assert set(table["unit"]) == {"1/Gy", "1/Gy^2", "Gy", "1"}


def test_the_reference_distribution_is_named(cal33: pd.DataFrame) -> None:
    table = fit_survival(cal33).derived(reference="chi2", draws=500, seed=9).set_index(["quantity", "kind"])
    assert table.loc[("d10_gy", "profile"), "method"] == "profile, chi2(1)"
    assert table.loc[("alpha_beta_gy", "fieller"), "method"] == "Fieller, z"
    assert table.loc[("d10_gy", "bootstrap bca"), "method"] == "bootstrap bca, 500 draws of 4 replicates, seed 9"


def test_unbounded_intervals_say_so(okf6: pd.DataFrame) -> None:
    table = fit_survival(okf6, plating="pooled").derived().set_index(["quantity", "kind"])
    for kind in ("profile", "fieller"):
        row = table.loc[("alpha_beta_gy", kind)]
        assert not row["bounded"]
        assert (row["lower"], row["upper"]) == (-math.inf, math.inf)
        assert "the denominator may be zero" in row["note"]
    assert "beta below 0" in table.loc[("mean_inactivation_dose_gy", "profile"), "note"]


def test_quantities_that_a_curve_does_not_have_are_named() -> None:
    doses = np.array([0.0, 1, 2, 3, 4, 6])
    survival = np.exp(-0.6 * doses + 0.04 * doses**2)
    table = pd.DataFrame({"dose_gy": doses, "cells_seeded": 2000, "colonies": np.round(1000 * survival)})
    fit = fit_survival(pd.concat([table.assign(replicate=label) for label in "abc"]))
    found = fit.derived()
    missing = found[found["quantity"] == "mean_inactivation_dose_gy"].iloc[0]
    assert math.isnan(missing["estimate"])
    assert missing["note"] == "the mean inactivation dose is infinite"
    assert not missing["bounded"]
    deep = found[found["quantity"] == "d10_gy"].iloc[0]
    assert deep["note"] == "the curve never comes down to a survival level"


def test_one_replicate_has_all_but_the_bootstrap(cal33: pd.DataFrame) -> None:
    table = fit_survival(cal33[cal33["replicate"] == "e2"]).derived().set_index(["quantity", "kind"])
    row = table.loc[("d10_gy", "bootstrap bca")]
    assert math.isnan(row["lower"])
    assert row["note"] == "one replicate cannot be resampled"
    assert table.loc[("d10_gy", "profile"), "bounded"]


def test_a_perfect_fit_has_no_width_in_any_quantity() -> None:
    doses = np.array([0.0, 1.0, 2.0, 3.0])
    table = pd.DataFrame({"dose_gy": doses, "cells_seeded": 4.0**doses * 1000, "colonies": [64, 64, 64, 64]})
    found = fit_survival(pd.concat([table.assign(replicate=label) for label in "ab"])).derived()
    known = found[(found["note"] == "") & (found["quantity"] != "alpha_beta_gy")]  # beta is 0 but for rounding
    assert {"alpha_per_gy", "sf2", "d10_gy"} <= set(known["quantity"])
    assert (known["upper"] - known["lower"]).abs().max() < 1e-4
