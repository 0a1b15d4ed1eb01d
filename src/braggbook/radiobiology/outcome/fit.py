"""Dose-response curves fitted to patients: maximum likelihood with profile intervals.

A patient has a dose (gEUD, mean dose) and an event or none. The likelihood is binomial. Profile intervals hold every
value whose best curve loses at most half the chi-squared quantile of log-likelihood; they follow the skewness of small
series, and say when an end does not exist.

Source: P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. 1989, chapters 4 (binary data) and 7.2
(profiles).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from braggbook.errors import FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    NOT_NEGATIVE,
    Floats,
    checked,
    checked_scalars,
    checked_table,
    shortened,
)
from braggbook.radiobiology.intervals import Interval, check_level, cutoff, profile_end
from braggbook.radiobiology.outcome.binary_regression import BinaryData

Curve = Literal["probit", "logistic", "log-logistic"]

_CURVES = ("probit", "logistic", "log-logistic")
# Fewer events than this leave the chi-squared limit of the profile doubtful: P. Peduzzi et al., J Clin Epidemiol 49
# (1996) 1373-1379, ten events for each coefficient, of which one is the intercept.
_FEW_EVENTS = 10
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_FURTHEST_FOLD = 1000.0  # an end of D50 beyond this many times the estimate is none


@dataclass(frozen=True, eq=False)
class ResponseFit:
    """A dose-response curve fitted to patients.

    Attributes:
        curve: "probit", "logistic" or "log-logistic".
        d50_gy: Dose of 50 % in Gy.
        d50_interval: Its profile interval.
        gamma50: Normalised slope at 50 %.
        gamma50_interval: Its profile interval.
        n: Volume parameter of the Lyman-Kutcher-Burman model; None when the doses were given.
        n_interval: Its profile interval, if it was fitted.
        log_likelihood: At the maximum.
        patients: Number of patients.
        events: Number of events.
        level: Confidence level of the intervals.
        warnings: What a reader should know, in sentences.
    """

    curve: Curve
    d50_gy: float
    d50_interval: Interval
    gamma50: float
    gamma50_interval: Interval
    log_likelihood: float
    patients: int
    events: int
    level: float
    warnings: tuple[str, ...]
    n: float | None = None
    n_interval: Interval | None = None
    _data: BinaryData = field(repr=False, kw_only=True)
    _coefficients: Floats = field(repr=False, kw_only=True)

    @property
    def m(self) -> float:
        """The slope parameter of the probit curve with this gamma50: 1 / (gamma50 sqrt(2 pi))."""
        return 1.0 / (self.gamma50 * _ROOT_TWO_PI)

    @property
    def m_interval(self) -> Interval:
        """Profile interval of m."""
        low, high = self.gamma50_interval
        upper = 1.0 / (low * _ROOT_TWO_PI) if low > 0 else math.inf
        return profile_interval(1.0 / (high * _ROOT_TWO_PI), upper, level=self.level)

    def response(self, dose_gy: ArrayLike) -> Floats:
        """Returns the fitted probability at doses in Gy (with ``n``, at gEUD), in their shape.

        Raises:
            ScienceError: A dose is negative or not a number.
        """
        (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
        with np.errstate(divide="ignore"):
            x = np.log(dose) if self.curve == "log-logistic" else dose
        return np.asarray(_inverse_link(self._data, self._coefficients[0] + self._coefficients[1] * x))[()]

    def response_interval(self, dose_gy: float) -> Interval:
        """Returns the profile interval of the probability at a dose in Gy (with ``n`` fixed at its estimate).

        Raises:
            ScienceError: The dose is not above 0.
        """
        (dose,) = checked_scalars({"dose_gy": (dose_gy, ABOVE_ZERO)})
        x = math.log(dose) if self.curve == "log-logistic" else dose
        low, high = profile_ends(
            lambda eta: self._data.maximum_at(x, predictor=eta),
            best=self.log_likelihood,
            start=float(self._coefficients[0] + self._coefficients[1] * x),
            step=0.25,
            level=self.level,
        )
        ends = _inverse_link(self._data, np.array([low, high]))
        return profile_interval(float(ends[0]), float(ends[1]), level=self.level)


def fit_response(dose_gy: ArrayLike, *, events: ArrayLike, curve: Curve = "probit", level: float = 0.95) -> ResponseFit:
    """Fits a dose-response curve to one dose and one outcome for each patient.

    Args:
        dose_gy: gEUD, mean dose or another dose of each patient in Gy, shape (patients,); above 0 for "log-logistic".
        events: 1 or True where the event happened, else 0 or False, shape (patients,).
        curve: "probit" (as in the Lyman-Kutcher-Burman model), "logistic" or "log-logistic".
        level: Confidence level of the intervals.

    Raises:
        ScienceError: A dose or event is not usable, with its row.
        UnknownName: There is no such curve.
        FitError: The maximum does not exist, or lies where the curve has no D50: the risk does not rise with dose, or
            is above 50 % without any.
    """
    check_level(level)
    if curve not in _CURVES:
        raise unknown_name("dose-response curve", str(curve), _CURVES)
    rule = ABOVE_ZERO if curve == "log-logistic" else NOT_NEGATIVE
    (dose,) = checked_table({"dose_gy": (dose_gy, rule)})
    x = np.log(dose) if curve == "log-logistic" else dose
    data = BinaryData(x, checked_events(events, patients=dose.size), "probit" if curve == "probit" else "logit")
    beta, best = data.maximum()
    return response_fit(
        curve,
        data,
        coefficients=beta,
        best=best,
        profiles=(lambda x50: data.maximum_at(x50, predictor=0.0), gamma50_profile(curve, data)),
        level=level,
    )


Profile = Callable[[float], float]


def response_fit(
    curve: Curve,
    data: BinaryData,
    *,
    coefficients: Floats,
    best: float,
    profiles: tuple[Profile, Profile],
    level: float,
) -> ResponseFit:
    """Builds the result from the maximum and the profile log-likelihoods of D50 (ln D50 if log-logistic) and gamma50.

    Raises:
        FitError: The curve has no D50 above 0.
    """
    x50, gamma50 = _d50_and_gamma50(curve, coefficients)
    logarithmic = curve == "log-logistic"
    low, high = profile_ends(
        profiles[0],
        best=best,
        start=x50,
        step=0.05 if logarithmic else 0.05 * x50,
        level=level,
        furthest=math.log(_FURTHEST_FOLD) if logarithmic else _FURTHEST_FOLD * x50,
    )
    gamma_ends = profile_ends(profiles[1], best=best, start=gamma50, step=0.05 * gamma50, level=level)
    return ResponseFit(
        curve,
        math.exp(x50) if logarithmic else x50,
        profile_interval(math.exp(low), math.exp(high), level=level)
        if logarithmic
        else profile_interval(max(low, 0.0), high, level=level, lowest=0.0),
        gamma50,
        profile_interval(*gamma_ends, level=level),
        best,
        data.x.size,
        int(np.count_nonzero(data.events)),
        level,
        _warnings(data),
        _data=data,
        _coefficients=coefficients,
    )


def gamma50_profile(curve: Curve, data: BinaryData) -> Profile:
    """Returns the profile log-likelihood of gamma50: a linear constraint on the coefficients, whichever the curve."""
    if curve == "log-logistic":
        return lambda gamma50: data.maximum_of_slope(4.0 * gamma50)
    return lambda gamma50: data.maximum_at(0.0, predictor=-gamma50 * _steepness(curve))


def checked_events(events: ArrayLike, *, patients: int) -> NDArray[np.bool_]:
    """Returns outcomes as truth values, shape (patients,).

    Raises:
        ScienceError: An outcome is neither 0 nor 1, with its row; or there are more or fewer than patients.
    """
    array = np.array(events, dtype=object)
    if array.shape != (patients,):
        raise ScienceError(
            "the outcomes do not go with the patients",
            where="events",
            wanted=f"{patients} outcomes",
            got=f"{array.shape}",
        )
    bad = [(i, item) for i, item in enumerate(array) if not _is_outcome(item)]
    if bad:
        raise ScienceError(
            "not an outcome",
            issues=[Issue("neither 0 nor 1", where=f"events, row {i + 1}", got=shortened(item)) for i, item in bad],
        )
    return array.astype(bool)


def _is_outcome(item: object) -> bool:
    return isinstance(item, bool | np.bool_) or (
        isinstance(item, int | float | np.number) and float(item) in (0.0, 1.0)
    )


def profile_ends(
    profile: Profile, *, best: float, start: float, step: float, level: float, furthest: float = math.inf
) -> tuple[float, float]:
    """Returns where a profile log-likelihood falls half the chi-squared quantile below its maximum, on both sides."""
    limit = cutoff(level, df=math.inf, reference="chi2")

    def excess(value: float) -> float:
        return 2.0 * (best - profile(value)) - limit

    below = profile_end(excess, start=start, step=-step, furthest=furthest)
    return below, profile_end(excess, start=start, step=step, furthest=furthest)


def profile_interval(lower: float, upper: float, *, level: float, lowest: float = -math.inf) -> Interval:
    """Returns a profile interval; an end that is infinite, or at the lowest value that means something, is none."""
    bounded = math.isfinite(upper) and lower > lowest
    note = "" if bounded else "the data do not limit it on this side: the risk may not rise with dose"
    return Interval(lower, upper, level, "profile, chi2(1)", bounded=bounded, note=note)


def _d50_and_gamma50(curve: Curve, coefficients: Floats) -> tuple[float, float]:
    """Returns D50 (its logarithm for a log-logistic curve) and gamma50."""
    intercept, slope = (float(b) for b in coefficients)
    if slope <= 0:
        raise FitError(
            "the risk does not rise with dose",
            wanted="a slope above 0",
            got=f"{slope:g} per {'unit of ln D' if curve == 'log-logistic' else 'Gy'}",
        )
    if curve == "log-logistic":
        return -intercept / slope, slope / 4.0
    if intercept >= 0:
        raise FitError(
            "there is no dose of 50 %",
            wanted="a risk below 50 % without dose",
            got=f"a linear predictor of {intercept:g} at 0 Gy",
        )
    return -intercept / slope, -intercept / _steepness(curve)


def _steepness(curve: Curve) -> float:
    """Returns -intercept / gamma50 of a curve that is linear in dose."""
    return _ROOT_TWO_PI if curve == "probit" else 4.0


def _inverse_link(data: BinaryData, eta: Floats) -> Floats:
    return np.asarray(special.ndtr(eta) if data.link == "probit" else special.expit(eta))


def _warnings(data: BinaryData) -> tuple[str, ...]:
    events = int(np.count_nonzero(data.events))
    rarer, what = min((events, "events"), (data.x.size - events, "patients without the event"))
    if rarer >= _FEW_EVENTS:
        return ()
    return (f"{rarer} {what}: below {_FEW_EVENTS} the profile intervals may not hold their level",)
