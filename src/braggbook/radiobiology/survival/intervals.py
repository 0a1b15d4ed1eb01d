"""Confidence intervals of what a survival curve says: alpha, beta, alpha/beta, doses, survival.

``method`` names how an interval is made:

- ``"profile"`` (the default): all values that the best curve having them fits not much worse than the best
  curve of all, that is with (deviance - minimum) / dispersion up to the cut-off. It needs no linearisation,
  follows the skewness of doses and ratios and does not depend on how the curve is parametrised.
- ``"delta"``: estimate -+ quantile * standard error (Wald).
- ``"fieller"``: for alpha/beta, exact for a ratio of two normal estimates.

``reference`` names the distribution behind the cut-off, see :mod:`braggbook.radiobiology.intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
    unbounded_interval,
)
from braggbook.radiobiology.survival import profile
from braggbook.radiobiology.survival.curve_model import CurveModel

Floats = NDArray[np.float64]
IntervalMethod = Literal["profile", "delta", "fieller"]

_HALF_TURN = math.pi
# Steps of the search over the half turn that holds every alpha/beta.
_ANGLES = 180
# A dose interval that reaches a million times the estimate has no upper end (natural logarithm).
_FURTHEST = math.log(1e6)
# Whole counts that are not fitted exactly scatter far more than this; below it stands rounding.
_NO_SCATTER = 1e-9
# Survival at a lower effect -ln S than this is more than a number can hold.
_LOWEST_EFFECT = -700.0


@dataclass(frozen=True, eq=False)
class CurveIntervals:
    """A fitted curve with what its intervals need.

    Attributes:
        model: The plates as a regression problem.
        parameters: The estimates with their standard errors and covariance.
        dispersion: Dispersion of the fit.
        df: Its residual degrees of freedom.
        deviance: Deviance of the fit.
        level: Confidence level of every interval, unless the call says otherwise.
    """

    model: CurveModel
    parameters: lq.LqParameters
    dispersion: float
    df: int
    deviance: float
    level: float

    def alpha(
        self, *, method: IntervalMethod = "profile", reference: Reference = "f", level: float | None = None
    ) -> Interval:
        """Returns the interval of alpha in 1/Gy ("profile" or "delta")."""
        return self._of_coefficient(0, profile.deviance_with_alpha, method=method, reference=reference, level=level)

    def beta(
        self, *, method: IntervalMethod = "profile", reference: Reference = "f", level: float | None = None
    ) -> Interval:
        """Returns the interval of beta in 1/Gy^2 ("profile" or "delta")."""
        return self._of_coefficient(1, profile.deviance_with_beta, method=method, reference=reference, level=level)

    def alpha_beta(
        self, *, method: IntervalMethod = "profile", reference: Reference = "f", level: float | None = None
    ) -> Interval:
        """Returns the interval of alpha/beta in Gy ("profile", "fieller" or "delta").

        When beta = 0 is possible at this level, alpha/beta has no finite limit: the profile and Fieller's
        interval then say so (``bounded`` is False); the delta interval cannot.

        Raises:
            ScienceError: beta is exactly 0 and the delta interval was asked for.
        """
        _check(method, ("profile", "fieller", "delta"))
        level = self._level(level)
        p = self.parameters
        if method == "profile":
            return self._alpha_beta_profile(reference, level)
        if method == "fieller":
            return fieller_interval(
                p.alpha_per_gy,
                p.beta_per_gy2,
                variance_numerator=self.covariance[0, 0],
                variance_denominator=self.covariance[1, 1],
                covariance=self.covariance[0, 1],
                level=level,
                df=self.df,
                reference=reference,
            )
        error = self.alpha_beta_se()
        return delta_interval(p.alpha_per_gy / p.beta_per_gy2, error, level=level, df=self.df, reference=reference)

    def dose(
        self,
        survival: float,
        *,
        method: IntervalMethod = "profile",
        reference: Reference = "f",
        level: float | None = None,
    ) -> Interval:
        """Returns the interval of the dose in Gy at which survival is ``survival`` ("profile" or "delta").

        Raises:
            ScienceError: The fitted curve never comes down to this survival.
        """
        _check(method, ("profile", "delta"))
        level = self._level(level)
        dose, error = self._dose(check_survival(survival)), self.dose_se(survival)
        if method == "delta":
            return delta_interval(dose, error, level=level, df=self.df, reference=reference)
        excess = self._excess(
            partial(_deviance_at_log_dose, self.model, survival=survival), reference=reference, level=level
        )
        step = max(error / dose, 1e-6) * math.sqrt(cutoff(level, df=self.df, reference=reference))
        ends = [math.exp(end) for end in self._ends(excess, math.log(dose), step=step, furthest=_FURTHEST)]
        note = "the data allow a curve that never comes down to this survival" if math.isinf(ends[1]) else ""
        return Interval(
            ends[0],
            ends[1],
            level,
            profile_label(self.df, reference),
            bounded=math.isfinite(ends[1]),
            note=note,
        )

    def survival(
        self,
        dose_gy: float,
        *,
        method: IntervalMethod = "profile",
        reference: Reference = "f",
        level: float | None = None,
    ) -> Interval:
        """Returns the interval of survival at a dose ("profile" or "delta", both made on ln S).

        Raises:
            ScienceError: The dose is not above 0, or both ends are more than a number can hold.
        """
        _check(method, ("profile", "delta"))
        level = self._level(level)
        if not (lq.is_number(dose_gy) and math.isfinite(dose_gy) and dose_gy > 0):
            raise ScienceError("no interval of survival here", wanted="a dose above 0 Gy", got=repr(dose_gy))
        effect = dose_gy * (self.parameters.alpha_per_gy + self.parameters.beta_per_gy2 * dose_gy)
        error = self.standard_error(np.array([dose_gy, dose_gy**2]))
        if method == "delta":
            found = delta_interval(effect, error, level=level, df=self.df, reference=reference)
            label = f"{found.method} on ln S"
        else:
            deviance = partial(profile.deviance_with_effect, self.model, dose_gy=dose_gy)
            found = self._search(deviance, effect, error=error, reference=reference, level=level)
            label = found.method
        if found.upper < _LOWEST_EFFECT:
            wanted = "a dose at which the curve has not risen beyond all bounds"
            raise ScienceError("survival is more than a number can hold", wanted=wanted, got=f"{dose_gy:g} Gy")
        upper = math.exp(-found.lower) if found.lower > _LOWEST_EFFECT else math.inf
        note = "" if math.isfinite(upper) else "no dose near this one limits survival"
        return Interval(math.exp(-found.upper), upper, level, label, bounded=math.isfinite(upper), note=note)

    def mean_inactivation_dose(
        self, *, method: IntervalMethod = "delta", reference: Reference = "f", level: float | None = None
    ) -> Interval:
        """Returns the interval of the mean inactivation dose in Gy ("delta" or "profile").

        When a negative beta is possible at this level, the profile interval has no upper end and says so.

        Raises:
            ScienceError: The fitted curve has no finite mean inactivation dose.
            FitError: The profile does not settle.
        """
        _check(method, ("profile", "delta"))
        p, level = self.parameters, self._level(level)
        mean = float(lq.mean_inactivation_dose(alpha_per_gy=p.alpha_per_gy, beta_per_gy2=p.beta_per_gy2))
        error = self.mean_inactivation_dose_se()
        if method == "delta":
            return delta_interval(mean, error, level=level, df=self.df, reference=reference)
        deviance = partial(profile.deviance_with_mean_inactivation_dose, self.model)
        excess = self._excess(lambda log_mean: deviance(math.exp(log_mean)), reference=reference, level=level)
        step = max(error / mean, 1e-6) * math.sqrt(cutoff(level, df=self.df, reference=reference))
        label, start = profile_label(self.df, reference), math.log(mean)
        if excess(start) >= 0:
            if self.dispersion < _NO_SCATTER:  # a perfect fit leaves no width
                return Interval(mean, mean, level, label)
            raise FitError("the profile of the mean inactivation dose has no end", wanted='method="delta"')
        low, high = (math.exp(profile_end(excess, start=start, step=x * step, furthest=_FURTHEST)) for x in (-1, 1))
        limit = self.deviance + self.dispersion * cutoff(level, df=self.df, reference=reference)
        if profile.deviance_with_beta(self.model, 0.0) < limit:
            note = "a beta below 0, for which it is infinite, is possible at this level"
            return Interval(low, math.inf, level, label, bounded=False, note=note)
        return Interval(low, high, level, label, bounded=math.isfinite(high))

    def alpha_beta_se(self) -> float:
        """Returns the delta-method standard error of alpha/beta in Gy.

        Raises:
            ScienceError: beta is exactly 0.
        """
        p = self.parameters
        if p.beta_per_gy2 == 0:
            raise ScienceError("alpha/beta is infinite", wanted='a beta other than 0, or method="profile"')
        ratio = p.alpha_per_gy / p.beta_per_gy2
        return self.standard_error(np.array([1.0, -ratio]) / p.beta_per_gy2)

    def dose_se(self, survival: float) -> float:
        """Returns the delta-method standard error of the dose in Gy at a survival level."""
        return self.standard_error(lq.dose_gradient(self._dose(check_survival(survival)), self.parameters))

    def survival_se(self, dose_gy: float) -> float:
        """Returns the delta-method standard error of survival at a dose in Gy."""
        dose = float(lq.checked_doses(dose_gy))
        return self._survival(dose) * self.standard_error(np.array([dose, dose**2]))

    def mean_inactivation_dose_se(self) -> float:
        """Returns the delta-method standard error of the mean inactivation dose in Gy."""
        return self.standard_error(lq.mean_inactivation_dose_gradient(self.parameters))

    @property
    def covariance(self) -> Floats:
        """Covariance of (alpha, beta), shape (2, 2)."""
        covariance = self.parameters.covariance
        return np.zeros((2, 2)) if covariance is None else covariance

    def standard_error(self, gradient: Floats) -> float:
        """Returns the delta-method standard error of a quantity with this gradient in (alpha, beta)."""
        return math.sqrt(float(gradient @ self.covariance @ gradient))

    def _survival(self, dose_gy: float) -> float:
        p = self.parameters
        return float(lq.surviving_fraction(dose_gy, alpha_per_gy=p.alpha_per_gy, beta_per_gy2=p.beta_per_gy2))

    def _dose(self, survival: float) -> float:
        p = self.parameters
        return float(lq.dose_at_survival(survival, alpha_per_gy=p.alpha_per_gy, beta_per_gy2=p.beta_per_gy2))

    def _level(self, level: float | None) -> float:
        return self.level if level is None else level

    def _of_coefficient(
        self,
        index: int,
        deviance: Callable[[CurveModel, float], float],
        *,
        method: IntervalMethod,
        reference: Reference,
        level: float | None,
    ) -> Interval:
        _check(method, ("profile", "delta"))
        level = self._level(level)
        value = (self.parameters.alpha_per_gy, self.parameters.beta_per_gy2)[index]
        error = math.sqrt(self.covariance[index, index])
        if method == "delta":
            return delta_interval(value, error, level=level, df=self.df, reference=reference)
        return self._search(partial(deviance, self.model), value, error=error, reference=reference, level=level)

    def _search(
        self,
        deviance: Callable[[float], float],
        value: float,
        *,
        error: float,
        reference: Reference,
        level: float,
    ) -> Interval:
        excess = self._excess(deviance, reference=reference, level=level)
        step = error * math.sqrt(cutoff(level, df=self.df, reference=reference))
        lower, upper = self._ends(excess, value, step=step)
        return Interval(
            lower,
            upper,
            level,
            profile_label(self.df, reference),
            bounded=math.isfinite(lower) and math.isfinite(upper),
        )

    def _excess(
        self, deviance: Callable[[float], float], *, reference: Reference, level: float
    ) -> Callable[[float], float]:
        limit = self.deviance + self.dispersion * cutoff(level, df=self.df, reference=reference)
        return lambda value: deviance(value) - limit

    def _ends(
        self, excess: Callable[[float], float], value: float, *, step: float, furthest: float = math.inf
    ) -> tuple[float, float]:
        if excess(value) >= 0:  # a perfect fit leaves no width
            return value, value
        return (
            profile_end(excess, start=value, step=-step, furthest=furthest),
            profile_end(excess, start=value, step=step, furthest=furthest),
        )

    def _alpha_beta_profile(self, reference: Reference, level: float) -> Interval:
        """Searches the half turn of directions alpha : beta for those that the data allow."""
        label = profile_label(self.df, reference)
        scale = float(self.model.dose_gy.max())
        best = math.atan2(self.parameters.beta_per_gy2 * scale, self.parameters.alpha_per_gy)
        deviance = partial(profile.deviance_with_angle, self.model, scale_gy=scale)
        excess = self._excess(deviance, reference=reference, level=level)
        steps = np.linspace(0.0, _HALF_TURN, _ANGLES + 1)[1:]
        low, high = (_angle_end(excess, best, steps=side * steps) for side in (-1.0, 1.0))
        if low is None or high is None:
            return unbounded_interval(level, method=label)
        ends = sorted(scale / math.tan(angle) for angle in (low, high))
        if math.floor(low / _HALF_TURN) == math.floor(high / _HALF_TURN):
            return Interval(ends[0], ends[1], level, label)
        return unbounded_interval(level, method=label, excluded=(ends[0], ends[1]))


def check_survival(survival: float) -> float:
    """Returns a survival level, or raises ScienceError when it is not between 0 and 1 (both excluded)."""
    if not (lq.is_number(survival) and 0.0 < survival < 1.0):
        raise ScienceError("not a survival level", wanted="a number between 0 and 1", got=repr(survival))
    return float(survival)


def _deviance_at_log_dose(model: CurveModel, log_dose: float, *, survival: float) -> float:
    return profile.deviance_with_dose(model, math.exp(log_dose), survival=survival)


def _angle_end(excess: Callable[[float], float], start: float, *, steps: Floats) -> float | None:
    """Returns the first angle along ``steps`` at which the profile leaves its limit, or None if none does."""
    inside = 0.0
    for step in steps:
        if excess(start + float(step)) > 0:
            first = abs(float(step) - inside)
            return profile_end(excess, start=start + inside, step=math.copysign(first, float(step)))
        inside = float(step)
    return None


def _check(method: str, known: tuple[str, ...]) -> None:
    if method not in known:
        raise unknown_name("interval method for this quantity", str(method), known)
