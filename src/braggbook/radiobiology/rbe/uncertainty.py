"""RBE with its uncertainty, from two linear-quadratic pairs with standard errors.

The two pairs (test and reference radiation) are independent of each other; alpha and beta of one pair are
independent unless their covariance is given. The degrees of freedom behind published standard errors are
seldom known, so that the normal deviate is used. From plates, use
:func:`~braggbook.radiobiology.rbe.from_fits.rbe_from_fits`, which knows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.arguments import shortened
from braggbook.radiobiology.intervals import Interval, delta_interval, fieller_interval
from braggbook.radiobiology.linear_quadratic import LqParameters
from braggbook.radiobiology.rbe import definition as rbe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RbeEstimate:
    """An RBE-like ratio with its uncertainty.

    Attributes:
        value: The ratio.
        standard_error: Delta-method standard error; None when no standard errors were given.
        delta: Delta-method interval; None when no standard errors were given.
        fieller: Fieller's interval; None when no standard errors were given, or when the quantity is not a
            ratio of two independent estimates.
    """

    value: float
    standard_error: float | None = None
    delta: Interval | None = None
    fieller: Interval | None = None


def estimate_rbe_max(test: LqParameters, reference: LqParameters, *, level: float = 0.95) -> RbeEstimate:
    """Returns RBEmax = alpha / alpha_reference with its uncertainty.

    Raises:
        ScienceError: alpha is negative or alpha_reference is not above 0.
    """
    _require_pairs(test=test, reference=reference)
    value = rbe.rbe_max(alpha_per_gy=test.alpha_per_gy, alpha_reference_per_gy=reference.alpha_per_gy)
    if test.covariance is None or reference.covariance is None:
        return RbeEstimate(float(value))
    return _ratio(
        test.alpha_per_gy,
        reference.alpha_per_gy,
        variances=(test.covariance[0, 0], reference.covariance[0, 0]),
        level=level,
    )


def estimate_rbe_min(test: LqParameters, reference: LqParameters, *, level: float = 0.95) -> RbeEstimate:
    """Returns RBEmin = sqrt(beta / beta_reference) with its uncertainty.

    Fieller's limits are the square roots of those of beta / beta_reference; a limit below 0 becomes 0, as a
    root has no other.

    Raises:
        ScienceError: beta is not above 0 or beta_reference is not above 0.
    """
    _require_pairs(test=test, reference=reference)
    value = float(rbe.rbe_min(beta_per_gy2=test.beta_per_gy2, beta_reference_per_gy2=reference.beta_per_gy2))
    if test.covariance is None or reference.covariance is None:
        return RbeEstimate(value)
    if value == 0:
        raise ScienceError("RBEmin has no standard error at 0", wanted="a beta above 0", got="0")
    squared = _ratio(
        test.beta_per_gy2,
        reference.beta_per_gy2,
        variances=(test.covariance[1, 1], reference.covariance[1, 1]),
        level=level,
    )
    error = (squared.standard_error or 0.0) / (2.0 * value)
    return RbeEstimate(value, error, delta_interval(value, error, level=level), _root(squared.fieller))


def estimate_rbe_at_survival(
    test: LqParameters, reference: LqParameters, *, survival: float, level: float = 0.95
) -> RbeEstimate:
    """Returns RBE = D_reference / D_test at one survival level with its uncertainty.

    Raises:
        ScienceError: The level is not between 0 and 1, or a curve never comes down to it.
    """
    _require_pairs(test=test, reference=reference)
    if not lq.is_number(survival):
        raise ScienceError("not a survival level", wanted="a number between 0 and 1", got=shortened(survival))
    value = rbe.rbe_at_survival(
        survival,
        alpha_per_gy=test.alpha_per_gy,
        beta_per_gy2=test.beta_per_gy2,
        alpha_reference_per_gy=reference.alpha_per_gy,
        beta_reference_per_gy2=reference.beta_per_gy2,
    )
    if test.covariance is None or reference.covariance is None:
        return RbeEstimate(float(value))
    doses, variances = [], []
    for pair, covariance in ((reference, reference.covariance), (test, test.covariance)):
        dose = float(lq.dose_at_survival(survival, alpha_per_gy=pair.alpha_per_gy, beta_per_gy2=pair.beta_per_gy2))
        doses.append(dose)
        variances.append(_variance(lq.dose_gradient(dose, pair), covariance))
    return _ratio(doses[0], doses[1], variances=(variances[0], variances[1]), level=level)


def estimate_rbe_at_dose(
    test: LqParameters, reference: LqParameters, *, dose_gy: float, level: float = 0.95
) -> RbeEstimate:
    """Returns the RBE at a dose of the test radiation with its uncertainty (delta only).

    The reference dose D_r has the effect E = alpha D + beta D^2; by the chain rule
    d D_r = [(D, D^2) d(alpha, beta) - (D_r, D_r^2) d(alpha_r, beta_r)] / (alpha_r + 2 beta_r D_r). It shares
    the test radiation's coefficients with E, so that Fieller's theorem does not apply.

    Raises:
        ScienceError: The dose is not above 0, or the reference radiation never reaches this effect.
    """
    _require_pairs(test=test, reference=reference)
    if not (lq.is_number(dose_gy) and math.isfinite(dose_gy) and dose_gy > 0):
        raise ScienceError("the dose is not usable", wanted="a number above 0 Gy", got=repr(dose_gy))
    effect = dose_gy * (test.alpha_per_gy + test.beta_per_gy2 * dose_gy)
    dose_reference = float(
        lq.dose_at_effect(effect, alpha_per_gy=reference.alpha_per_gy, beta_per_gy2=reference.beta_per_gy2)
    )
    value = dose_reference / dose_gy
    if test.covariance is None or reference.covariance is None:
        return RbeEstimate(value)
    slope = reference.alpha_per_gy + 2.0 * reference.beta_per_gy2 * dose_reference
    variance = _variance(np.array([dose_gy, dose_gy**2]) / slope, test.covariance)
    variance += _variance(lq.dose_gradient(dose_reference, reference), reference.covariance)
    error = math.sqrt(variance) / dose_gy
    return RbeEstimate(value, error, delta_interval(value, error, level=level))


def _require_pairs(**pairs: object) -> None:
    issues = [
        Issue("not a linear-quadratic pair", where=name, wanted="LqParameters", got=shortened(pair))
        for name, pair in pairs.items()
        if not isinstance(pair, LqParameters)
    ]
    if issues:
        raise ScienceError("an RBE cannot be estimated of these", issues=issues)


def _ratio(numerator: float, denominator: float, *, variances: tuple[float, float], level: float) -> RbeEstimate:
    value = numerator / denominator
    error = math.sqrt(variances[0] + value**2 * variances[1]) / abs(denominator)
    fieller = fieller_interval(
        numerator,
        denominator,
        variance_numerator=variances[0],
        variance_denominator=variances[1],
        level=level,
    )
    return RbeEstimate(value, error, delta_interval(value, error, level=level), fieller)


def _root(squared: Interval | None) -> Interval | None:
    """Returns the interval of the square root of a ratio of two betas."""
    if squared is None:
        return None
    method = f"{squared.method}, square root"
    if not squared.bounded:
        note = "beta of the reference radiation may be zero at this level"
        return Interval(0.0, math.inf, squared.level, method, bounded=False, note=note)
    lower, upper = (math.sqrt(max(end, 0.0)) for end in squared)
    return Interval(lower, upper, squared.level, method)


def _variance(gradient: Floats, covariance: Floats) -> float:
    return float(gradient @ covariance @ gradient)
