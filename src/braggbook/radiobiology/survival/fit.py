"""Fits the linear-quadratic model to colony counts: one cell line, one radiation, any number of replicates.

>>> fit = fit_survival(counts, plating="fitted")             # doctest: +SKIP
>>> fit.alpha_per_gy, fit.alpha_interval, fit.dose_at(0.1)   # doctest: +SKIP

Sources: E. L. Frome and J. J. Beauchamp, Biometrics 24 (1968) 595-605 (maximum likelihood of survival
curves); H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y (the model with an
intercept per replicate, the R package CFAssay that these numbers agree with).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from braggbook.errors import FitError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.intervals import Interval, Reference, check_level
from braggbook.radiobiology.survival.bootstrap import SurvivalBootstrap, bootstrap_curve
from braggbook.radiobiology.survival.bounded import BoundedSurvivalFit, refit_bounded
from braggbook.radiobiology.survival.colony_counts import ColonyCounts, read_colony_counts
from braggbook.radiobiology.survival.count_regression import Regression
from braggbook.radiobiology.survival.curve_model import (
    CurveModel,
    Method,
    Plating,
    curve_model,
    pooled_plating_efficiency,
)
from braggbook.radiobiology.survival.derived import derived_table, standard_errors
from braggbook.radiobiology.survival.influence import (
    SurvivalInfluence,
    influence_of_replicates,
    replicate_fit_table,
    residual_table,
)
from braggbook.radiobiology.survival.intervals import CurveIntervals
from braggbook.radiobiology.survival.judgement import (
    DISPERSION_LIMITS,
    dispersion_rule,
    dispersion_warnings,
    plate_warnings,
    sign_warnings,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SurvivalFit:
    """A fitted survival curve. Negative coefficients are reported as estimated, never clipped.

    Attributes:
        parameters: alpha (1/Gy) and beta (1/Gy^2) with their standard errors and covariance. The errors are
            scaled by sqrt(dispersion), also when it is below 1, as R's quasi-Poisson family does.
        plating: "fitted" or "pooled", see :mod:`braggbook.radiobiology.survival.curve_model`.
        method: "ml", "ls" or "franken".
        dispersion: Pearson chi-squared / df ("ml"), residual variance of ln S (others).
        dispersion_limit: Dispersion above which the data are suspicious; None but for "ml".
        df: Residual degrees of freedom.
        deviance: Deviance ("ml"), residual sum of squares of ln S (others).
        level: Confidence level of the intervals.
        replicates: Table with a row per replicate: replicate, plates, log_plating_efficiency,
            standard_error (NaN when pooled, where it is not estimated), observed_plating_efficiency (pooled
            zero-dose plates, NaN without any), pearson_chi2 (its share of the misfit).
        plates: Table with a row per plate in the likelihood: row, replicate, dose_gy, cells_seeded, colonies,
            fitted_colonies, pearson_residual (divided by sqrt(dispersion) it is about standard normal). For
            "ls" the last is the residual of ln S.
        warnings: What a reader must know, one sentence each.
        counts: All plates that have a count.
        model: The plates as a regression problem.
    """

    parameters: lq.LqParameters
    plating: Plating
    method: Method
    dispersion: float
    dispersion_limit: float | None
    df: int
    deviance: float
    level: float
    replicates: pd.DataFrame
    plates: pd.DataFrame
    warnings: tuple[str, ...]
    counts: ColonyCounts
    model: CurveModel

    @property
    def alpha_per_gy(self) -> float:
        """Linear coefficient, 1/Gy."""
        return self.parameters.alpha_per_gy

    @property
    def beta_per_gy2(self) -> float:
        """Quadratic coefficient, 1/Gy^2."""
        return self.parameters.beta_per_gy2

    @property
    def alpha_se_per_gy(self) -> float:
        """Standard error of alpha, 1/Gy."""
        return math.sqrt(self.covariance[0, 0])

    @property
    def beta_se_per_gy2(self) -> float:
        """Standard error of beta, 1/Gy^2."""
        return math.sqrt(self.covariance[1, 1])

    @property
    def covariance(self) -> Floats:
        """Covariance of (alpha, beta), shape (2, 2), in 1/Gy^2, 1/Gy^3, 1/Gy^4."""
        return self.intervals.covariance

    @property
    def log_plating_efficiencies(self) -> dict[str, float]:
        """Natural logarithm of each replicate's plating efficiency, fitted or pooled."""
        labels = self.replicates["replicate"]
        return dict(zip(labels, self.replicates["log_plating_efficiency"].astype(float), strict=True))

    @property
    def dispersion_rule(self) -> str:
        """What the dispersion is held against, in words."""
        if self.dispersion_limit is None:
            return "residual variance of ln S; no rule"
        return dispersion_rule(self.plating)

    @property
    def alpha_beta_gy(self) -> float:
        """alpha / beta in Gy; infinite when beta is 0, negative when one of them is."""
        return float(lq.alpha_beta_ratio(self.alpha_per_gy, self.beta_per_gy2))

    @property
    def mean_inactivation_dose_gy(self) -> float:
        """Integral of S over all doses, in Gy; ScienceError when beta is negative."""
        return float(lq.mean_inactivation_dose(alpha_per_gy=self.alpha_per_gy, beta_per_gy2=self.beta_per_gy2))

    def survival_at(self, dose_gy: ArrayLike) -> Floats:
        """Returns the fitted surviving fraction at doses in Gy, in their shape."""
        return lq.surviving_fraction(dose_gy, alpha_per_gy=self.alpha_per_gy, beta_per_gy2=self.beta_per_gy2)

    def dose_at(self, survival: ArrayLike) -> Floats:
        """Returns the doses in Gy at which the curve comes down to survival levels, in their shape.

        Raises:
            ScienceError: It never comes down to one of them.
        """
        return lq.dose_at_survival(survival, alpha_per_gy=self.alpha_per_gy, beta_per_gy2=self.beta_per_gy2)

    @property
    def intervals(self) -> CurveIntervals:
        """Every interval in every variant: ``fit.intervals.dose(0.1, method="delta", reference="chi2")``."""
        return CurveIntervals(
            self.model, self.parameters, self.dispersion, df=self.df, deviance=self.deviance, level=self.level
        )

    @cached_property
    def alpha_interval(self) -> Interval:
        """Profile quasi-likelihood interval of alpha in 1/Gy, cut off by F(1, df)."""
        return self.intervals.alpha()

    @cached_property
    def beta_interval(self) -> Interval:
        """Profile quasi-likelihood interval of beta in 1/Gy^2, cut off by F(1, df)."""
        return self.intervals.beta()

    @cached_property
    def alpha_beta_interval(self) -> Interval:
        """Profile quasi-likelihood interval of alpha/beta in Gy, cut off by F(1, df); may be unbounded."""
        return self.intervals.alpha_beta()

    @cached_property
    def mean_inactivation_dose_interval(self) -> Interval:
        """Delta interval of the mean inactivation dose in Gy, with t(df)."""
        return self.intervals.mean_inactivation_dose()

    def dose_interval(self, survival: float) -> Interval:
        """Returns the profile interval of the dose in Gy at a survival level, cut off by F(1, df)."""
        return self.intervals.dose(survival)

    def survival_interval(self, dose_gy: float) -> Interval:
        """Returns the profile interval of survival at a dose, cut off by F(1, df)."""
        return self.intervals.survival(dose_gy)

    @property
    def alpha_beta_se_gy(self) -> float:
        """Delta-method standard error of alpha/beta in Gy; ScienceError when beta is exactly 0."""
        return self.intervals.alpha_beta_se()

    @property
    def mean_inactivation_dose_se_gy(self) -> float:
        """Delta-method standard error of the mean inactivation dose in Gy."""
        return self.intervals.mean_inactivation_dose_se()

    def dose_se_gy(self, survival: float) -> float:
        """Returns the delta-method standard error of the dose in Gy at a survival level."""
        return self.intervals.dose_se(survival)

    def survival_se(self, dose_gy: float) -> float:
        """Returns the delta-method standard error of survival at a dose in Gy."""
        return self.intervals.survival_se(dose_gy)

    def bootstrap(self, *, draws: int | None = None, seed: int = 0) -> SurvivalBootstrap:
        """Draws whole replicates with replacement, see :mod:`braggbook.radiobiology.survival.bootstrap`.

        Args:
            draws: How many random draws; None for all different ones where these are at most 10,000 (up to eight
                replicates), and else 10,000 random ones.
            seed: Seed of the random draws.

        Raises:
            ScienceError: There is one replicate only, or ``draws`` or ``seed`` is not usable.
        """
        return bootstrap_curve(
            self.model, (self.alpha_per_gy, self.beta_per_gy2), draws=draws, seed=seed, level=self.level
        )

    def derived(self, *, reference: Reference = "f", draws: int | None = None, seed: int = 0) -> pd.DataFrame:
        """Returns alpha, beta, alpha/beta, SF2, D10, D37 and mean inactivation dose with every interval.

        The kinds stand side by side, a row each: profile, delta, Fieller for the ratio, bootstrap percentile and
        BCa; see :func:`~braggbook.radiobiology.survival.derived.derived_table` for the columns, and
        :meth:`bootstrap` for ``draws`` and ``seed``.
        """
        several = len(self.counts.replicates) > 1
        resampled = self.bootstrap(draws=draws, seed=seed) if several else "one replicate cannot be resampled"
        return derived_table(self.intervals, resampled, reference=reference)

    def residuals(self) -> pd.DataFrame:
        """Returns Pearson, deviance and standardised residuals and leverage of every plate.

        See :func:`~braggbook.radiobiology.survival.influence.residual_table` for the columns.
        """
        return residual_table(self.counts, self.model, dispersion=self.dispersion)

    def replicate_fit(self) -> pd.DataFrame:
        """Returns how well each replicate fits, and whether one is suspicious.

        See :func:`~braggbook.radiobiology.survival.influence.replicate_fit_table` for the columns.
        """
        return replicate_fit_table(self.counts, self.model)

    def influence(self) -> SurvivalInfluence:
        """Leaves out each replicate in turn and tells which one changes the answer.

        Raises:
            ScienceError: There is one replicate only.
        """
        errors = standard_errors(self.intervals)
        return influence_of_replicates(self.model, self.parameters, labels=self.counts.replicates, errors=errors)

    def bounded(self) -> BoundedSurvivalFit:
        """Returns the best curve with alpha >= 0 and beta >= 0 beside this one, with what the bounds cost."""
        return refit_bounded(
            self.model, self.parameters, deviance=self.deviance, dispersion=self.dispersion, df=self.df
        )

    def coefficients(self) -> pd.DataFrame:
        """Returns a table of alpha and beta: parameter, unit, estimate, standard_error, t, p (by t(df))."""
        estimates = np.array([self.alpha_per_gy, self.beta_per_gy2])
        errors = np.sqrt(np.diag(self.covariance))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = estimates / errors
        return pd.DataFrame(
            {
                "parameter": ["alpha", "beta"],
                "unit": ["1/Gy", "1/Gy^2"],
                "estimate": estimates,
                "standard_error": errors,
                "t": t,
                "p": 2.0 * stats.t.sf(np.abs(t), self.df),
            }
        )


def fit_survival(
    counts: pd.DataFrame, *, plating: Plating = "fitted", method: Method = "ml", level: float = 0.95
) -> SurvivalFit:
    """Fits ln S = -(alpha D + beta D^2) to the plates of one survival curve.

    Args:
        counts: One row per plate, columns ``dose_gy``, ``cells_seeded``, ``colonies``, ``replicate`` (see
            :mod:`braggbook.radiobiology.survival.colony_counts`). Rows without a count are left out with a warning.
        plating: "fitted": an intercept per replicate; "pooled": plating efficiency held at the replicate's
            pooled zero-dose plates.
        method: "ml": quasi-Poisson maximum likelihood; "ls": least squares on ln S, for comparison;
            "franken": the same with weights C n / (n - C), pooled plating only.
        level: Confidence level of the intervals.

    Raises:
        ScienceError: The table is not usable; all issues are named with their rows (the first row is 1).
        FitError: The plates cannot determine the parameters.
        UnknownName: ``plating`` or ``method`` is not known.
    """
    check_level(level)
    plates = read_colony_counts(counts)
    model = curve_model(plates, plating=plating, method=method)
    found = model.fit()
    if not math.isfinite(found.dispersion):
        raise FitError("the fit has no dispersion", wanted="more plates than parameters")
    errors = np.sqrt(np.diag(found.covariance))
    parameters = lq.LqParameters(
        alpha_per_gy=float(found.coefficients[-2]),
        beta_per_gy2=float(found.coefficients[-1]),
        alpha_se_per_gy=float(errors[-2]),
        beta_se_per_gy2=float(errors[-1]),
        alpha_beta_covariance=float(found.covariance[-2, -1]),
    )
    limit = DISPERSION_LIMITS[plating] if method == "ml" else None
    return SurvivalFit(
        parameters=parameters,
        plating=plating,
        method=method,
        dispersion=found.dispersion,
        dispersion_limit=limit,
        df=found.df,
        deviance=found.deviance,
        level=level,
        replicates=_replicate_table(plates, model, found=found),
        plates=_plate_table(plates, model, found=found),
        warnings=(
            *plate_warnings(plates),
            *sign_warnings({"alpha": parameters.alpha_per_gy, "beta": parameters.beta_per_gy2}),
            *(() if limit is None else dispersion_warnings(found.dispersion, plating=plating)),
        ),
        counts=plates,
        model=model,
    )


def _replicate_table(counts: ColonyCounts, model: CurveModel, *, found: Regression) -> pd.DataFrame:
    size = len(counts.replicates)
    observed = pooled_plating_efficiency(counts)
    if model.plating == "fitted":
        logs, errors = found.coefficients[:size], np.sqrt(np.diag(found.covariance))[:size]
    else:
        logs, errors = np.log(observed), np.full(size, np.nan)
    replicate = counts.replicate[model.used]
    return pd.DataFrame(
        {
            "replicate": list(counts.replicates),
            "plates": np.bincount(replicate, minlength=size),
            "log_plating_efficiency": logs,
            "standard_error": errors,
            "observed_plating_efficiency": observed,
            "pearson_chi2": np.bincount(replicate, weights=found.residuals**2, minlength=size),
        }
    )


def _plate_table(counts: ColonyCounts, model: CurveModel, *, found: Regression) -> pd.DataFrame:
    labels = np.array(counts.replicates, dtype=object)
    return pd.DataFrame(
        {
            "row": counts.row[model.used],
            "replicate": labels[counts.replicate[model.used]],
            "dose_gy": model.dose_gy,
            "cells_seeded": counts.cells_seeded[model.used],
            "colonies": counts.colonies[model.used],
            "fitted_colonies": found.fitted if model.method == "ml" else np.exp(found.fitted),
            "pearson_residual": found.residuals,
        }
    )
