"""Compares two survival curves: an F test of both coefficients, and the ratio of isoeffective doses.

Both treat the two sets of plates as independent and share one dispersion, pooled over both.

Source of the test: H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from braggbook.errors import FitError, ScienceError, unknown_name
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.intervals import (
    Interval,
    Reference,
    cutoff,
    delta_interval,
    fieller_interval,
    profile_end,
    profile_label,
)
from braggbook.radiobiology.survival import profile
from braggbook.radiobiology.survival.bootstrap import LimitMethod
from braggbook.radiobiology.survival.colony_counts import read_colony_counts
from braggbook.radiobiology.survival.curve_model import Method, Plating, curve_model, join
from braggbook.radiobiology.survival.fit import SurvivalFit
from braggbook.radiobiology.survival.intervals import IntervalMethod, check_survival
from braggbook.radiobiology.survival.quantities import dose_quantity
from braggbook.radiobiology.survival.ratio_resampling import RatioBootstrap, combine_bootstraps, ratio_influence_table
from braggbook.radiobiology.survival.weighted_fits import leave_one_out

Floats = NDArray[np.float64]

_INTERVAL_METHODS: tuple[IntervalMethod, ...] = ("profile", "delta", "fieller")

# Whole counts that are not fitted exactly scatter far more than this; below it stands rounding.
_NO_SCATTER = 1e-9
# Accuracy in ln dose of the inner search, which finds the dose of one curve when the ratio is held; the
# profile is flat there, so that its own error is of the order of this squared.
_INNER_ACCURACY = 1e-9
# A ratio a million times the estimate counts as infinite (natural logarithm).
_FURTHEST = math.log(1e6)


@dataclass(frozen=True)
class SurvivalComparison:
    """F test of "both curves have one alpha and one beta" against "each has its own".

    Attributes:
        f: (difference of deviances / df_numerator) / dispersion.
        df_numerator: Number of coefficients tested, 2.
        df_denominator: Residual degrees of freedom of the fit with four coefficients.
        p: Probability of an F this large or larger.
        deviance_difference: Deviance of the common fit minus that of the separate fits.
        dispersion: Dispersion of the separate fits, pooled.
        common_alpha_per_gy: alpha of the common fit, 1/Gy.
        common_beta_per_gy2: beta of the common fit, 1/Gy^2.
        plating: How plating efficiency was treated.
        method: How the curves were fitted.
    """

    f: float
    df_numerator: int
    df_denominator: int
    p: float
    deviance_difference: float
    dispersion: float
    common_alpha_per_gy: float
    common_beta_per_gy2: float
    plating: Plating
    method: Method


def compare_survival(
    counts_a: pd.DataFrame, counts_b: pd.DataFrame, *, plating: Plating = "fitted", method: Method = "ml"
) -> SurvivalComparison:
    """Tests whether two survival curves have the same alpha and beta.

    Arguments and errors are those of :func:`~braggbook.radiobiology.survival.fit_survival`; replicates of the
    two tables are different experiments even when their labels agree.
    """
    a, b = (curve_model(read_colony_counts(counts), plating=plating, method=method) for counts in (counts_a, counts_b))
    both = join(a, b)
    linear, quadratic = -both.dose_gy, -(both.dose_gy**2)
    first = np.arange(len(both.dose_gy)) < len(a.dose_gy)
    common = both.regress(linear, quadratic)
    separate = both.regress(*(np.where(own, x, 0.0) for own in (first, ~first) for x in (linear, quadratic)))
    if not separate.dispersion > _NO_SCATTER:
        raise FitError("the curves cannot be compared", wanted="plates that scatter", got="a perfect fit")
    df = common.df - separate.df
    difference = common.deviance - separate.deviance
    f = difference / df / separate.dispersion
    return SurvivalComparison(
        f=f,
        df_numerator=df,
        df_denominator=separate.df,
        p=float(stats.f.sf(f, df, separate.df)),
        deviance_difference=difference,
        dispersion=separate.dispersion,
        common_alpha_per_gy=float(common.coefficients[-2]),
        common_beta_per_gy2=float(common.coefficients[-1]),
        plating=plating,
        method=method,
    )


@dataclass(frozen=True, eq=False)
class IsoeffectiveDoseRatio:
    """The ratio of the doses at which two curves come down to one survival level.

    Attributes:
        value: numerator_dose_gy / denominator_dose_gy.
        standard_error: Delta-method standard error of the ratio.
        survival: The survival level.
        numerator_dose_gy: Dose of the first curve in Gy.
        denominator_dose_gy: Dose of the second curve in Gy.
        numerator_variance_gy2: Delta-method variance of the first dose, Gy^2.
        denominator_variance_gy2: Delta-method variance of the second dose, Gy^2.
        dispersion: Pooled dispersion, weighted by degrees of freedom; it scales the profile.
        df: Sum of the residual degrees of freedom.
        level: Confidence level of the intervals.
        numerator: The first fit.
        denominator: The second fit.
    """

    value: float
    standard_error: float
    survival: float
    numerator_dose_gy: float
    denominator_dose_gy: float
    numerator_variance_gy2: float
    denominator_variance_gy2: float
    dispersion: float
    df: int
    level: float
    numerator: SurvivalFit
    denominator: SurvivalFit

    @cached_property
    def interval(self) -> Interval:
        """Profile quasi-likelihood interval, cut off by F(1, df)."""
        return self.interval_by("profile")

    def interval_by(self, method: IntervalMethod, *, reference: Reference = "f") -> Interval:
        """Returns the "profile", "fieller" or "delta" interval with the cut-off that ``reference`` names."""
        if method == "profile":
            return self._profile(reference)
        if method == "fieller":
            return fieller_interval(
                self.numerator_dose_gy,
                self.denominator_dose_gy,
                variance_numerator=self.numerator_variance_gy2,
                variance_denominator=self.denominator_variance_gy2,
                level=self.level,
                df=self.df,
                reference=reference,
            )
        if method == "delta":
            return delta_interval(self.value, self.standard_error, level=self.level, df=self.df, reference=reference)
        raise unknown_name("interval method for this quantity", str(method), _INTERVAL_METHODS)

    def bootstrap(self, *, draws: int | None = None, seed: int = 0) -> RatioBootstrap:
        """Draws whole replicates of both curves, each for itself.

        Args:
            draws: How many random draws; None for all different ones where these are few enough.
            seed: Seed of the random draws.

        Raises:
            ScienceError: A curve has one replicate only, or ``draws`` or ``seed`` is not usable.
        """
        first, second = (fit.bootstrap(draws=draws, seed=seed) for fit in (self.numerator, self.denominator))
        return combine_bootstraps(first, second, dose=dose_quantity(self.survival), level=self.level)

    def influence(self) -> pd.DataFrame:
        """Returns the ratio without each replicate of either curve in turn.

        Columns: curve ("numerator", "denominator"), replicate, ratio, shift (change in standard errors),
        changes_the_answer.

        Raises:
            ScienceError: A curve has one replicate only.
        """
        fits, dose = (self.numerator, self.denominator), dose_quantity(self.survival)
        without = [leave_one_out(fit.model, estimate=(fit.alpha_per_gy, fit.beta_per_gy2)) for fit in fits]
        first, second = (dose.function(each[:, 0], each[:, 1]) for each in without)
        return ratio_influence_table(
            (self.numerator_dose_gy, self.denominator_dose_gy),
            (first, second),
            standard_error=self.standard_error,
            labels=(fits[0].counts.replicates, fits[1].counts.replicates),
        )

    def intervals(self, *, reference: Reference = "f", draws: int | None = None, seed: int = 0) -> pd.DataFrame:
        """Returns every interval of the ratio, a row each: profile, delta, Fieller, bootstrap percentile and BCa.

        Columns: kind, lower, upper, bounded, method, note. The bootstrap is left out, with the reason as its
        note, when a curve has one replicate only.
        """
        found: dict[str, Interval | str] = {
            kind: self.interval_by(kind, reference=reference) for kind in _INTERVAL_METHODS
        }
        kinds: tuple[LimitMethod, ...] = ("percentile", "bca")
        try:
            resampled = self.bootstrap(draws=draws, seed=seed)
            found |= {f"bootstrap {kind}": resampled.interval(method=kind) for kind in kinds}
        except ScienceError as problem:
            found |= {f"bootstrap {kind}": problem.what for kind in kinds}
        rows = [
            (kind, math.nan, math.nan, False, "", each)
            if isinstance(each, str)
            else (kind, each.lower, each.upper, each.bounded, each.method, each.note)
            for kind, each in found.items()
        ]
        return pd.DataFrame(rows, columns=["kind", "lower", "upper", "bounded", "method", "note"])

    def _profile(self, reference: Reference) -> Interval:
        excess = self._excess(reference)
        start = math.log(self.value)
        if excess(start) >= 0:  # a perfect fit leaves no width
            return Interval(self.value, self.value, self.level, profile_label(self.df, reference))
        step = math.sqrt(cutoff(self.level, df=self.df, reference=reference)) * self.standard_error / self.value
        lower, upper = (
            math.exp(profile_end(excess, start=start, step=side * step, furthest=_FURTHEST)) for side in (-1, 1)
        )
        bounded = lower > 0 and math.isfinite(upper)
        note = "" if bounded else "the data allow a curve that never comes down to this survival"
        return Interval(lower, upper, self.level, profile_label(self.df, reference), bounded=bounded, note=note)

    def _excess(self, reference: Reference) -> Callable[[float], float]:
        """Returns the joint profile deviance of ln ratio, minus its limit."""
        limit = self.numerator.deviance + self.denominator.deviance
        limit += self.dispersion * cutoff(self.level, df=self.df, reference=reference)
        first, second = math.log(self.numerator_dose_gy), math.log(self.denominator_dose_gy)

        def excess(log_ratio: float) -> float:
            def joint(log_dose: float) -> float:
                return self._deviance(math.exp(log_dose + log_ratio), math.exp(log_dose))

            # Each curve's profile has one minimum, at its own estimate, so the joint one lies between them.
            ends = sorted((second, first - log_ratio))
            if ends[1] - ends[0] < _INNER_ACCURACY:
                return joint(ends[0]) - limit
            found = optimize.minimize_scalar(
                joint, bounds=(ends[0], ends[1]), method="bounded", options={"xatol": _INNER_ACCURACY}
            )
            return float(found.fun) - limit

        return excess

    def _deviance(self, numerator_dose_gy: float, denominator_dose_gy: float) -> float:
        return profile.deviance_with_dose(
            self.numerator.model, numerator_dose_gy, survival=self.survival
        ) + profile.deviance_with_dose(self.denominator.model, denominator_dose_gy, survival=self.survival)


def isoeffective_dose_ratio(
    numerator: SurvivalFit, denominator: SurvivalFit, *, survival: float = 0.1
) -> IsoeffectiveDoseRatio:
    """Returns D_numerator / D_denominator at one survival level, for two independent fits.

    With the reference radiation as numerator and the test radiation as denominator this is the RBE.

    Raises:
        ScienceError: The survival level is not between 0 and 1, a curve never comes down to it, or the fits
            were not made in one way (plating, method, level), so that they have no common dispersion.
    """
    check_survival(survival)
    for name, fit in (("numerator", numerator), ("denominator", denominator)):
        if not isinstance(fit, SurvivalFit):
            raise ScienceError(f"not a fit: {name}", wanted="what fit_survival returns", got=type(fit).__name__)
    for name in ("plating", "method", "level"):
        values = getattr(numerator, name), getattr(denominator, name)
        if values[0] != values[1]:
            raise ScienceError(f"the fits differ in {name}", wanted="two fits made in one way", got=repr(values))
    doses = [float(fit.dose_at(survival)) for fit in (numerator, denominator)]
    variances = [
        fit.intervals.standard_error(lq.dose_gradient(dose, fit.parameters)) ** 2
        for fit, dose in zip((numerator, denominator), doses, strict=True)
    ]
    df = numerator.df + denominator.df
    ratio = doses[0] / doses[1]
    return IsoeffectiveDoseRatio(
        value=ratio,
        standard_error=math.sqrt(variances[0] + ratio**2 * variances[1]) / doses[1],
        survival=survival,
        numerator_dose_gy=doses[0],
        denominator_dose_gy=doses[1],
        numerator_variance_gy2=variances[0],
        denominator_variance_gy2=variances[1],
        dispersion=(numerator.dispersion * numerator.df + denominator.dispersion * denominator.df) / df,
        df=df,
        level=numerator.level,
        numerator=numerator,
        denominator=denominator,
    )
