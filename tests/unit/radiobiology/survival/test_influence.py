"""Residuals, leverage and the fit of replicates against statsmodels, and leaving replicates out against refits."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from braggbook.errors import ScienceError
from braggbook.radiobiology import fit_survival
from braggbook.radiobiology.survival.influence import shift_limit


def _oracle(counts: pd.DataFrame) -> sm.genmod.generalized_linear_model.GLMResultsWrapper:
    dose = counts["dose_gy"].to_numpy(dtype=float)
    design = np.column_stack([pd.get_dummies(counts["replicate"]).to_numpy(dtype=float), -dose, -(dose**2)])
    offset = np.log(counts["cells_seeded"].to_numpy(dtype=float))
    colonies = counts["colonies"].to_numpy(dtype=float)
    return sm.GLM(colonies, design, family=sm.families.Poisson(), offset=offset).fit(scale="X2", tol=1e-14)


def test_residuals_equal_statsmodels(okf6: pd.DataFrame) -> None:
    table, oracle = fit_survival(okf6).residuals(), _oracle(okf6)
    assert table["pearson_residual"].to_numpy() == pytest.approx(oracle.resid_pearson, abs=1e-4)
    assert table["deviance_residual"].to_numpy() == pytest.approx(oracle.resid_deviance, abs=1e-4)
    assert table["leverage"].to_numpy() == pytest.approx(oracle.get_influence().hat_matrix_diag, rel=1e-4)
    assert table["standardised_residual"].to_numpy() == pytest.approx(
        oracle.get_influence().resid_studentized, rel=1e-3, abs=1e-4
    )
    assert table["leverage"].sum() == pytest.approx(10.0, rel=1e-4)  # eight plating efficiencies, alpha, beta
    assert (table["deviance_residual"] ** 2).sum() == pytest.approx(oracle.deviance, rel=1e-6)
    assert list(table["row"]) == list(range(1, 49))
    assert not table["large"].any()


def test_a_wrong_plate_has_a_large_residual(okf6: pd.DataFrame) -> None:
    table = okf6.copy()
    table.loc[10, "colonies"] *= 4
    found = fit_survival(table).residuals()
    assert found.loc[found["large"], "row"].to_list() == [11]


def test_residuals_of_pooled_and_least_squares_fits(cal33: pd.DataFrame) -> None:
    pooled = fit_survival(cal33, plating="pooled").residuals()
    assert len(pooled) == 20
    assert pooled["leverage"].sum() == pytest.approx(2.0, rel=1e-4)
    logs = fit_survival(cal33, method="ls").residuals()
    assert logs["deviance_residual"].to_list() == logs["pearson_residual"].to_list()
    assert logs["leverage"].sum() == pytest.approx(6.0)


def test_a_plate_that_is_alone_has_no_residual() -> None:
    """The one plate at 6 Gy decides beta; its leverage is 1."""
    table = pd.DataFrame(
        {
            "replicate": "a",
            "dose_gy": [0.0, 0.0, 2.0, 2.0, 6.0],
            "cells_seeded": [200, 200, 400, 400, 4000],
            "colonies": [100, 90, 95, 110, 60],
        }
    )
    found = fit_survival(table).residuals()
    assert found["leverage"].iloc[-1] == pytest.approx(1.0)
    assert found["standardised_residual"].iloc[-1] == 0.0


def test_fit_of_each_replicate(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6)
    table = fit.replicate_fit()
    assert table["df"].sum() == pytest.approx(fit.df, rel=1e-4)
    assert table["pearson_chi2"].to_numpy() == pytest.approx(fit.replicates["pearson_chi2"].to_numpy())
    assert table["deviance"].sum() == pytest.approx(fit.deviance, rel=1e-6)
    assert not table["suspicious"].any()
    one = table.set_index("replicate").loc["e6"]
    rest = table[table["replicate"] != "e6"]
    assert one["f"] == pytest.approx(one["mean_square"] / (rest["pearson_chi2"].sum() / rest["df"].sum()))


def test_a_replicate_that_does_not_fit_is_suspicious(okf6: pd.DataFrame) -> None:
    table = okf6.copy()
    rows = table["replicate"] == "e4"
    table.loc[rows, "colonies"] = np.round(table.loc[rows, "colonies"] * [1.0, 2.0, 0.5, 2.0, 0.5, 2.0])
    found = fit_survival(table).replicate_fit()
    assert found.loc[found["suspicious"], "replicate"].to_list() == ["e4"]


def test_one_replicate_is_not_compared_with_itself(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33[cal33["replicate"] == "e2"])
    row = fit.replicate_fit().iloc[0]
    assert (row["f"], row["p"], row["suspicious"]) == (0.0, 1.0, False)
    with pytest.raises(ScienceError, match="at least 2 replicates"):
        fit.influence()


def test_influence_is_the_change_without_a_replicate(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    found = fit.influence()
    for row in found.table.itertuples(index=False):
        without = fit_survival(cal33[cal33["replicate"] != row.replicate])
        assert row.d10_gy == pytest.approx(float(without.dose_at(0.1)), rel=1e-6)
        assert row.alpha_beta_gy == pytest.approx(without.alpha_beta_gy, rel=1e-6)
        assert row.mean_inactivation_dose_gy == pytest.approx(without.mean_inactivation_dose_gy, rel=1e-6)
        shift = (row.d10_gy - float(fit.dose_at(0.1))) / fit.dose_se_gy(0.1)
        assert row.d10_gy_shift == pytest.approx(shift, rel=1e-6)
        change = np.array([row.alpha_per_gy - fit.alpha_per_gy, row.beta_per_gy2 - fit.beta_per_gy2])
        assert row.cook_distance == pytest.approx(change @ np.linalg.solve(fit.covariance, change) / 2, rel=1e-6)
    # CAL 33's first experiment moves D10 by 1.7 standard errors; the limit for four replicates is 2 / sqrt(3)
    assert found.limit == pytest.approx(2 / math.sqrt(3))
    assert found.table["changes_the_answer"].to_list() == [True, False, False, False]
    assert found.warnings == ("replicate e1 changes the answer: without it, in standard errors, d10_gy by +1.7",)


def test_nothing_is_flagged_where_nothing_stands_out(okf6: pd.DataFrame) -> None:
    found = fit_survival(okf6).influence()
    assert not found.table["changes_the_answer"].any()
    assert (found.limit, found.warnings) == (1.0, ())


def test_a_replicate_without_which_there_is_no_curve(cal33: pd.DataFrame) -> None:
    table = cal33[(cal33["replicate"] == "e1") | cal33["dose_gy"].isin([0, 2])]
    found = fit_survival(table).influence()
    row = found.table.iloc[0]
    assert math.isnan(row["alpha_per_gy"])
    assert row["note"] == "the other replicates determine no curve"
    assert bool(row["changes_the_answer"])
    assert found.warnings[0] == "without replicate e1 the plates determine no curve"


def test_limits_of_shifts() -> None:
    assert [shift_limit(n) for n in (2, 3, 5, 50)] == pytest.approx([2.0, math.sqrt(2), 1.0, 1.0])
