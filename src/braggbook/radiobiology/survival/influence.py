"""Residuals of every plate, the fit of every replicate, and what the answer would be without each replicate.

Sources: P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. 1989, sections 2.4 (residuals) and 12.7
(leverage); R. D. Cook, Technometrics 19 (1977) 15-18 (distance), here for whole replicates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from braggbook.errors import ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.survival.colony_counts import ColonyCounts
from braggbook.radiobiology.survival.count_regression import Regression
from braggbook.radiobiology.survival.curve_model import CurveModel
from braggbook.radiobiology.survival.quantities import QUANTITIES
from braggbook.radiobiology.survival.weighted_fits import leave_one_out

Floats = NDArray[np.float64]

# A replicate changes the answer when the answer moves by more than its own standard error without it ...
_SHIFT = 1.0
# ... and by more than twice what a usual one of n does: leaving out one of n moves an answer by SE / sqrt(n - 1).
_UNUSUAL = 2.0
# A replicate fits badly when chance alone would give so bad a one in less than this share of all experiments.
_BAD_FIT = 0.05
# A residual this large, in standard deviations, is expected once in some 400 plates.
_LARGE_RESIDUAL = 3.0
# What is left of 1 - leverage where a plate is fitted exactly, by rounding.
_NO_FREEDOM = 1e-9


def residual_table(counts: ColonyCounts, model: CurveModel, *, dispersion: float) -> pd.DataFrame:
    """Returns a row per plate in the likelihood.

    Columns: row, replicate, dose_gy, colonies, fitted_colonies; pearson_residual, deviance_residual (both of
    variance ``dispersion``); leverage (between 0 and 1); standardised_residual, the Pearson residual over
    sqrt(dispersion (1 - leverage)), 0 where a plate has leverage 1 and so no residual at all; large (its size is
    above 3). For least squares both residuals are those of ln S.
    """
    found = model.fit()
    leverage = _leverage(model, found)
    free = 1.0 - leverage
    spread = np.sqrt(dispersion * np.where(free > _NO_FREEDOM, free, 1.0))
    standardised = np.where(
        (free > _NO_FREEDOM) & (spread > 0), found.residuals / np.where(spread > 0, spread, 1.0), 0.0
    )
    return pd.DataFrame(
        {
            "row": counts.row[model.used],
            "replicate": np.array(counts.replicates, dtype=object)[model.replicate],
            "dose_gy": model.dose_gy,
            "colonies": counts.colonies[model.used],
            "fitted_colonies": found.fitted if model.method == "ml" else np.exp(found.fitted),
            "pearson_residual": found.residuals,
            "deviance_residual": _deviance_residuals(model, found),
            "leverage": leverage,
            "standardised_residual": standardised,
            "large": np.abs(standardised) > _LARGE_RESIDUAL,
        }
    )


def replicate_fit_table(counts: ColonyCounts, model: CurveModel) -> pd.DataFrame:
    """Returns a row per replicate with its share of the misfit, and whether it is too large.

    Columns: replicate, plates, df (plates less their leverage), pearson_chi2, deviance, mean_square (chi2 / df),
    f (mean square over that of all other replicates), p (of an F so large, by F(df, rest)), suspicious (p below
    0.05 / replicates). A replicate without a degree of freedom of its own has f 0 and p 1; so has the only one.
    """
    found = model.fit()
    size = len(counts.replicates)

    def per_replicate(values: Floats) -> Floats:
        return np.bincount(model.replicate, weights=values, minlength=size).astype(np.float64)

    df = per_replicate(1.0 - _leverage(model, found))
    chi2 = per_replicate(found.residuals**2)
    rest_df, rest = df.sum() - df, chi2.sum() - chi2
    judged = (df > _NO_FREEDOM) & (rest_df > _NO_FREEDOM) & (rest > 0)
    mean_square = np.where(df > _NO_FREEDOM, chi2 / np.where(df > _NO_FREEDOM, df, 1.0), 0.0)
    others = np.where(judged, rest / np.where(judged, rest_df, 1.0), 1.0)
    f = np.where(judged, mean_square / others, 0.0)
    p = np.where(judged, stats.f.sf(f, np.where(judged, df, 1.0), np.where(judged, rest_df, 1.0)), 1.0)
    return pd.DataFrame(
        {
            "replicate": list(counts.replicates),
            "plates": np.bincount(model.replicate, minlength=size),
            "df": df,
            "pearson_chi2": chi2,
            "deviance": per_replicate(_deviance_residuals(model, found) ** 2),
            "mean_square": mean_square,
            "f": f,
            "p": p,
            "suspicious": p < _BAD_FIT / size,
        }
    )


@dataclass(frozen=True, eq=False)
class SurvivalInfluence:
    """What the answer would be without each replicate.

    Attributes:
        table: Row per replicate: replicate; alpha_per_gy, beta_per_gy2, alpha_beta_gy, sf2, d10_gy, d37_gy,
            mean_inactivation_dose_gy of the fit without it (infinite where that curve has none, NaN where the
            rest determine no curve); the same names with ``_shift``: change against the whole fit, in standard
            errors of the whole fit; cook_distance; changes_the_answer; note.
        limit: Shift above which a replicate changes the answer: one standard error, and more than twice the
            usual shift, 2 / sqrt(n - 1).
        warnings: A sentence per replicate that changes the answer.
    """

    table: pd.DataFrame
    limit: float
    warnings: tuple[str, ...]


def influence_of_replicates(
    model: CurveModel, parameters: lq.LqParameters, *, labels: Sequence[str], errors: dict[str, float]
) -> SurvivalInfluence:
    """Leaves out each replicate in turn.

    Args:
        model: The plates as a regression problem.
        parameters: The fit of all replicates.
        labels: Name of each replicate.
        errors: Standard error per quantity, for those that the fit has.

    Raises:
        ScienceError: There is one replicate only.
    """
    size = len(labels)
    if size < 2:
        raise ScienceError("one replicate cannot be left out", wanted="at least 2 replicates", got="1")
    estimate = np.array([parameters.alpha_per_gy, parameters.beta_per_gy2])
    without = leave_one_out(model, estimate=(parameters.alpha_per_gy, parameters.beta_per_gy2))
    limit = shift_limit(size)
    table = pd.DataFrame({"replicate": list(labels)})
    shifts: dict[str, Floats] = {}
    for name, chosen in QUANTITIES.items():
        table[name] = chosen.function(without[:, 0], without[:, 1])
        if name in errors:
            whole = float(chosen.function(estimate[:1], estimate[1:])[0])
            shifts[name] = _in_errors(table[name].to_numpy() - whole, errors[name])
            table[f"{name}_shift"] = shifts[name]
    table["cook_distance"] = _cook(without - estimate, parameters.covariance)
    lost = np.isnan(without[:, 0])
    largest = np.nanmax(np.abs(np.column_stack([*shifts.values(), np.zeros(size)])), axis=1)
    table["changes_the_answer"] = lost | (largest > limit)
    table["note"] = np.where(lost, "the other replicates determine no curve", "")
    return SurvivalInfluence(table, limit, _influence_warnings(table, shifts, limit=limit))


def shift_limit(replicates: int) -> float:
    """Returns the shift, in standard errors, above which leaving out one of so many replicates is remarkable."""
    return max(_SHIFT, _UNUSUAL / math.sqrt(replicates - 1.0))


def _influence_warnings(table: pd.DataFrame, shifts: dict[str, Floats], *, limit: float) -> tuple[str, ...]:
    found = []
    for place, row in enumerate(table.itertuples(index=False)):
        if row.note:
            found.append(f"without replicate {row.replicate} the plates determine no curve")
        elif row.changes_the_answer:
            moved = ", ".join(
                f"{name} by {values[place]:+.2g}" for name, values in shifts.items() if abs(values[place]) > limit
            )
            found.append(f"replicate {row.replicate} changes the answer: without it, in standard errors, {moved}")
    return tuple(found)


def _in_errors(change: Floats, error: float) -> Floats:
    if error > 0:
        return np.asarray(change / error)
    return np.where(np.abs(change) > 0, np.copysign(np.inf, change), 0.0)


def _cook(change: Floats, covariance: Floats | None) -> Floats:
    """Returns change' covariance^-1 change / 2; infinite where a fit without scatter changes all the same."""
    if covariance is None or not np.linalg.det(covariance) > 0:
        return np.where(np.abs(change).sum(axis=1) > 0, np.inf, 0.0)
    return np.asarray(0.5 * np.einsum("ni,ij,nj->n", change, np.linalg.inv(covariance), change))


def _leverage(model: CurveModel, found: Regression) -> Floats:
    design = np.column_stack([model.intercepts, -model.dose_gy, -(model.dose_gy**2)])
    weights = found.fitted if model.method == "ml" else model.weights
    leverage = weights * np.einsum("ni,ij,nj->n", design, found.covariance_unscaled, design)
    return np.asarray(np.clip(leverage, 0.0, 1.0))


def _deviance_residuals(model: CurveModel, found: Regression) -> Floats:
    if model.method != "ml":
        return found.residuals
    counts, mean = model.response, found.fitted
    share = 2.0 * (special.xlogy(counts, counts / mean) - (counts - mean))
    return np.asarray(np.sign(counts - mean) * np.sqrt(np.maximum(share, 0.0)))
