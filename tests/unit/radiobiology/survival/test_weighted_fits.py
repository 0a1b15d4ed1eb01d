"""Fits with weights on replicates: each must be the fit of a table in which the replicates are copied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import FitError
from braggbook.radiobiology import fit_survival
from braggbook.radiobiology.survival.weighted_fits import fit_weighted, leave_one_out


def _copies(counts: pd.DataFrame, weights: list[int]) -> pd.DataFrame:
    tables = []
    for label, weight in zip(counts["replicate"].unique(), weights, strict=True):
        rows = counts[counts["replicate"] == label]
        tables += [rows.assign(replicate=f"{label} copy {copy}") for copy in range(weight)]
    return pd.concat(tables)


@pytest.mark.parametrize("plating", ["fitted", "pooled"])
@pytest.mark.parametrize("method", ["ml", "ls"])
def test_weights_are_copies(cal33: pd.DataFrame, plating: str, method: str) -> None:
    fit = fit_survival(cal33, plating=plating, method=method)
    draws = [[1, 1, 1, 1], [2, 0, 1, 1], [0, 0, 4, 0], [1, 3, 0, 0]]
    start = np.array([fit.alpha_per_gy, fit.beta_per_gy2])
    found = fit_weighted(fit.model, np.array(draws, dtype=float), start=start)
    for weights, pair in zip(draws, found, strict=True):
        copied = fit_survival(_copies(cal33, weights), plating=plating, method=method)
        assert pair == pytest.approx([copied.alpha_per_gy, copied.beta_per_gy2], rel=1e-6)


def test_a_start_far_away_comes_to_the_same_answer(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    for start in ([5.0, 1.0], [-2.0, -0.2], [0.0, 0.0]):
        found = fit_weighted(fit.model, np.ones((1, 4)), start=np.array(start))
        assert found[0] == pytest.approx([fit.alpha_per_gy, fit.beta_per_gy2], rel=1e-7)


def test_leaving_one_out(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    found = leave_one_out(fit.model, estimate=(fit.alpha_per_gy, fit.beta_per_gy2))
    for label, pair in zip(fit.counts.replicates, found, strict=True):
        without = fit_survival(cal33[cal33["replicate"] != label])
        assert pair == pytest.approx([without.alpha_per_gy, without.beta_per_gy2], rel=1e-6)


def test_weights_without_an_answer_are_nan(cal33: pd.DataFrame) -> None:
    """Replicate e1 has two doses here, and e2 no colonies above 1 Gy: alone neither determines a curve."""
    table = cal33.drop(index=[2, 3, 4, 5])
    table.loc[(table["replicate"] == "e2") & (table["dose_gy"] > 1), "colonies"] = 0
    fit = fit_survival(table)
    draws = np.array([[4.0, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [2, 2, 0, 0]])
    found = fit_weighted(fit.model, draws, start=np.array([0.3, 0.05]))
    assert np.isnan(found).tolist() == [[True, True], [True, True], [False, False], [True, True]]


def test_weights_belong_to_the_replicates(cal33: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="one for each of 4"):
        fit_weighted(fit_survival(cal33).model, np.ones((2, 3)), start=np.zeros(2))
