"""Dose-response curves: the probability of an outcome at a dose that stands for the whole histogram.

The dose may be a gEUD, a mean dose or a uniform dose, physical or EQD2, as the parameters were fitted. gamma50 is the
normalised slope D dP/dD at 50 %: by how many percentage points P grows for 1 % more dose. All functions take numbers or
arrays, broadcast them and return an array of the common shape.

Sources: J. T. Lyman, Radiat Res 104 (1985) S13-S19; G. J. Kutcher and C. Burman, Int J Radiat Oncol Biol Phys 16
(1989) 1623-1630 (probit); H. A. Gay and A. Niemierko, Phys Med 23 (2007) 115-125 (log-logistic); S. M. Bentzen and
S. L. Tucker, Int J Radiat Biol 71 (1997) 531-542 (slopes); P. Källman, A. Ågren and A. Brahme, Int J Radiat Biol 62
(1992) 249-262 (Poisson, relative seriality).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    BETWEEN_ZERO_AND_ONE,
    FINITE,
    NOT_NEGATIVE,
    Floats,
    checked,
    checked_scalars,
)
from braggbook.radiobiology.outcome.dvh import Dvh, check_dvh
from braggbook.radiobiology.outcome.eud import generalised_eud

# Below this x, e^x and -ln(1 - e^x) are the same number.
_NO_DIFFERENCE = -40.0


def probit_response(dose_gy: ArrayLike, *, td50_gy: ArrayLike, m: ArrayLike) -> Floats:
    """Returns Phi(t), t = (D - TD50) / (m TD50), as in the Lyman-Kutcher-Burman model.

    It is not 0 without dose, but Phi(-1/m).

    Raises:
        ScienceError: A dose is negative, TD50 or m not above 0, or one not a number; with its row.
    """
    dose, middle, slope = checked(
        {"dose_gy": (dose_gy, NOT_NEGATIVE), "td50_gy": (td50_gy, ABOVE_ZERO), "m": (m, ABOVE_ZERO)}
    )
    return np.asarray(special.ndtr((dose - middle) / (slope * middle)))[()]


def log_logistic_response(dose_gy: ArrayLike, *, d50_gy: ArrayLike, gamma50: ArrayLike) -> Floats:
    """Returns 1 / (1 + (D50 / D)^(4 gamma50)), the logistic curve in ln D; 0 without dose.

    Raises:
        ScienceError: A dose is negative, D50 or gamma50 not above 0, or one not a number; with its row.
    """
    dose, middle, slope = _dose_and_slope(dose_gy, d50_gy=d50_gy, gamma50=gamma50)
    with np.errstate(divide="ignore"):
        return np.asarray(special.expit(4.0 * slope * (np.log(dose) - np.log(middle))))[()]


def logistic_response(dose_gy: ArrayLike, *, d50_gy: ArrayLike, gamma50: ArrayLike) -> Floats:
    """Returns 1 / (1 + exp[4 gamma50 (1 - D / D50)]), the logistic curve in D.

    Raises:
        ScienceError: A dose is negative, D50 or gamma50 not above 0, or one not a number; with its row.
    """
    dose, middle, slope = _dose_and_slope(dose_gy, d50_gy=d50_gy, gamma50=gamma50)
    return np.asarray(special.expit(4.0 * slope * (dose / middle - 1.0)))[()]


def logistic_of_coefficients(dose_gy: ArrayLike, *, intercept: ArrayLike, slope_per_gy: ArrayLike) -> Floats:
    """Returns 1 / (1 + exp(-b0 - b1 D)), with the coefficients of a logistic regression.

    Raises:
        ScienceError: A dose is negative, or a number is not finite; with its row.
    """
    dose, constant, slope = checked(
        {
            "dose_gy": (dose_gy, NOT_NEGATIVE),
            "intercept": (intercept, FINITE),
            "slope_per_gy": (slope_per_gy, FINITE),
        }
    )
    return np.asarray(special.expit(constant + slope * dose))[()]


def poisson_response(dose_gy: ArrayLike, *, d50_gy: ArrayLike, gamma: ArrayLike) -> Floats:
    """Returns 2^(-exp[e gamma (1 - D / D50)]), the Poisson curve; gamma is its largest normalised slope, at 37 %.

    Raises:
        ScienceError: A dose is negative, D50 or gamma not above 0, or one not a number; with its row.
    """
    dose, middle, slope = checked(
        {"dose_gy": (dose_gy, NOT_NEGATIVE), "d50_gy": (d50_gy, ABOVE_ZERO), "gamma": (gamma, ABOVE_ZERO)}
    )
    with np.errstate(over="ignore"):
        return np.asarray(np.exp2(-np.exp(math.e * slope * (1.0 - dose / middle))))[()]


def lkb_ntcp(dvh: Dvh, *, td50_gy: float, m: float, n: float) -> float:
    """Returns the complication probability of the Lyman-Kutcher-Burman model: the probit curve at gEUD, a = 1/n.

    Args:
        dvh: The histogram, in the dose (physical or EQD2) that the parameters were fitted with.
        td50_gy: Uniform dose for 50 % in Gy, above 0.
        m: Inverse slope, above 0.
        n: Volume effect, 0 (the largest dose counts) or more; 1 is the mean dose.

    Raises:
        ScienceError: A parameter is out of its range.
    """
    volume_effect, middle, slope = checked_scalars(
        {"n": (n, NOT_NEGATIVE), "td50_gy": (td50_gy, ABOVE_ZERO), "m": (m, ABOVE_ZERO)}
    )
    a = 1.0 / volume_effect if volume_effect > 0 else math.inf
    return float(probit_response(generalised_eud(dvh, a=a), td50_gy=middle, m=slope))


def relative_seriality_ntcp(dvh: Dvh, *, d50_gy: float, gamma: float, seriality: float) -> float:
    """Returns {1 - prod_i [1 - P(D_i)^s]^v_i}^(1/s), P being the Poisson curve.

    Args:
        dvh: The histogram.
        d50_gy: Uniform dose for 50 % in Gy, above 0.
        gamma: Largest normalised slope of P, above 0.
        seriality: s, above 0: near 0 parallel, 1 serial.

    Raises:
        ScienceError: A parameter is out of its range.

    Source: P. Källman, A. Ågren and A. Brahme, Int J Radiat Biol 62 (1992) 249-262.
    """
    check_dvh(dvh)
    s, middle, slope = checked_scalars(
        {"seriality": (seriality, ABOVE_ZERO), "d50_gy": (d50_gy, ABOVE_ZERO), "gamma": (gamma, ABOVE_ZERO)}
    )
    filled = dvh.volume > 0
    # In logarithms throughout: P^s of a large s, and 1 - P^s of a small one, lose all their digits.
    with np.errstate(over="ignore", divide="ignore"):
        log_local = -s * math.log(2.0) * np.exp(math.e * slope * (1.0 - dvh.dose_gy[filled] / middle))
        log_loss = np.where(log_local < _NO_DIFFERENCE, log_local, np.log(-_log_rest(log_local)))
    if np.any(np.isposinf(log_loss)):  # a bin with P = 1 to all digits makes the organ fail
        return 1.0
    log_sum = float(special.logsumexp(log_loss, b=dvh.volume[filled]))
    log_power = log_sum if log_sum < _NO_DIFFERENCE else float(_log_rest(np.asarray(-math.exp(log_sum))))
    return math.exp(log_power / s)


def _log_rest(log: Floats) -> Floats:
    """Returns ln(1 - e^x) of x = ``log``, 0 or less, to all digits."""
    with np.errstate(divide="ignore"):
        return np.where(log > -math.log(2.0), np.log(-np.expm1(log)), np.log1p(-np.exp(log)))


def gamma50_of_m(m: ArrayLike) -> Floats:
    """Returns the normalised slope at 50 % of a probit curve: 1 / (m sqrt(2 pi))."""
    (slope,) = checked({"m": (m, ABOVE_ZERO)})
    return np.asarray(1.0 / (slope * math.sqrt(2.0 * math.pi)))[()]


def m_of_gamma50(gamma50: ArrayLike) -> Floats:
    """Returns the m of the probit curve with this normalised slope at 50 %: 1 / (gamma50 sqrt(2 pi))."""
    (slope,) = checked({"gamma50": (gamma50, ABOVE_ZERO)})
    return np.asarray(1.0 / (slope * math.sqrt(2.0 * math.pi)))[()]


def gamma_of_gamma50(gamma50: ArrayLike) -> Floats:
    """Returns the largest normalised slope of the Poisson curve with this one at 50 %: 2 gamma50 / (e ln 2)."""
    (slope,) = checked({"gamma50": (gamma50, ABOVE_ZERO)})
    return np.asarray(2.0 * slope / (math.e * math.log(2.0)))[()]


def coefficients_of_gamma50(d50_gy: float, gamma50: float) -> tuple[float, float]:
    """Returns intercept and slope (1/Gy) of the logistic curve with this D50 and gamma50: -4 g, 4 g / D50."""
    middle, slope = checked_scalars({"d50_gy": (d50_gy, ABOVE_ZERO), "gamma50": (gamma50, ABOVE_ZERO)})
    return -4.0 * slope, 4.0 * slope / middle


def gamma50_of_coefficients(intercept: float, slope_per_gy: float) -> tuple[float, float]:
    """Returns D50 (Gy) and gamma50 of logistic coefficients: -b0 / b1 and -b0 / 4.

    Raises:
        ScienceError: There is no dose of 50 % above 0: the intercept is not negative or the slope not positive.
    """
    constant, slope = checked_scalars({"intercept": (intercept, FINITE), "slope_per_gy": (slope_per_gy, FINITE)})
    if not (constant < 0 < slope):
        raise ScienceError(
            "no dose of 50 % above 0",
            wanted="a negative intercept and a slope above 0",
            got=f"{constant:g} and {slope:g} per Gy",
        )
    return -constant / slope, -constant / 4.0


def probit_dose(probability: ArrayLike, *, td50_gy: ArrayLike, m: ArrayLike) -> Floats:
    """Returns the dose in Gy at which the probit curve has a probability: TD50 [1 + m Phi^-1(p)].

    Raises:
        ScienceError: A probability is not between 0 and 1, or no dose of 0 or more has it.
    """
    p, middle, slope = checked(
        {"probability": (probability, BETWEEN_ZERO_AND_ONE), "td50_gy": (td50_gy, ABOVE_ZERO), "m": (m, ABOVE_ZERO)}
    )
    dose = np.asarray(middle * (1.0 + slope * special.ndtri(p)))
    if np.any(dose < 0):
        raise ScienceError(
            "the probability is already exceeded without dose",
            wanted="above Phi(-1/m)",
            got=f"{float(np.ravel(p)[np.argmin(np.ravel(dose))]):g}",
        )
    return dose[()]


def _dose_and_slope(dose_gy: ArrayLike, *, d50_gy: ArrayLike, gamma50: ArrayLike) -> tuple[Floats, ...]:
    return checked(
        {"dose_gy": (dose_gy, NOT_NEGATIVE), "d50_gy": (d50_gy, ABOVE_ZERO), "gamma50": (gamma50, ABOVE_ZERO)}
    )
