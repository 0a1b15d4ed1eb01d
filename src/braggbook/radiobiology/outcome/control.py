"""Tumour control probability: no clonogen survives.

Survivors are Poisson, so TCP = exp(-sum_i N v_i S_i), with S_i = exp[-alpha D_i (1 + d_i / (a/b))] of each bin by the
linear-quadratic model. Doses are total physical doses in Gy, given in equal fractions.

Sources: T. R. Munro and C. W. Gilbert, Br J Radiol 34 (1961) 246-251; S. Webb and A. E. Nahum, Phys Med Biol 38 (1993)
653-666 (histograms, and radiosensitivity that differs between patients).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    ABOVE_ZERO_OR_INFINITE,
    NOT_NEGATIVE,
    WHOLE_ABOVE_ZERO,
    Floats,
    checked,
    checked_scalars,
)
from braggbook.radiobiology.outcome.dvh import Dvh, check_dvh, voxel_dvh

# The trapezoidal rule of a normal density times exp(-exp(x)) converges exponentially: at these steps, in standard
# deviations of alpha and in units of 1/BED, what it leaves out is below 1e-10.
_STEP_IN_SD = 0.25
_STEP_IN_EFFECT = 0.4
_TAILS_SD = 8.0  # 1e-15 of a normal distribution lies outside
_MOST_NODES = 200_000


def poisson_tcp(
    total_dose_gy: ArrayLike,
    *,
    fractions: ArrayLike,
    clonogens: ArrayLike,
    alpha_per_gy: ArrayLike,
    alpha_beta_gy: ArrayLike,
) -> Floats:
    """Returns TCP = exp{-N exp[-alpha D (1 + (D/n) / (a/b))]} of a uniform dose.

    Args:
        total_dose_gy: Total dose D in Gy, 0 or more.
        fractions: Number n of equal fractions, whole.
        clonogens: Number N of clonogens, above 0.
        alpha_per_gy: alpha in 1/Gy, 0 or more.
        alpha_beta_gy: a/b in Gy, above 0; infinite for beta = 0.

    Returns:
        TCP in the common shape.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    dose, n, number, alpha, ratio = checked(
        {
            "total_dose_gy": (total_dose_gy, NOT_NEGATIVE),
            "fractions": (fractions, WHOLE_ABOVE_ZERO),
            "clonogens": (clonogens, ABOVE_ZERO),
            "alpha_per_gy": (alpha_per_gy, NOT_NEGATIVE),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    return np.asarray(np.exp(-np.exp(np.log(number) - alpha * dose * (1.0 + dose / n / ratio))))[()]


def poisson_tcp_of_dvh(
    dvh: Dvh, *, fractions: int, clonogens: float, alpha_per_gy: float, alpha_beta_gy: float
) -> float:
    """Returns the TCP of a histogram; clonogens are spread evenly over the volume.

    Args:
        dvh: Histogram of the total physical dose.
        fractions: Number of equal fractions, whole.
        clonogens: Number of clonogens in the whole volume, above 0.
        alpha_per_gy: alpha in 1/Gy, 0 or more.
        alpha_beta_gy: a/b in Gy, above 0; infinite for beta = 0.

    Raises:
        ScienceError: An argument is out of its range.
    """
    check_dvh(dvh)
    (alpha,) = checked_scalars({"alpha_per_gy": (alpha_per_gy, NOT_NEGATIVE)})
    beds, logs = _beds(dvh, fractions=fractions, clonogens=clonogens, alpha_beta_gy=alpha_beta_gy)
    return float(_tcp(np.atleast_1d(alpha), beds=beds, logs=logs)[0])


def population_tcp(
    dose: Dvh | float,
    *,
    fractions: int,
    clonogens: float,
    alpha_per_gy: float,
    alpha_sd_per_gy: float,
    alpha_beta_gy: float,
) -> float:
    """Returns the mean TCP of patients whose alpha is normally distributed; a/b is the same in all.

    The mean is the trapezoidal rule over alpha +- 8 standard deviations, with a step that follows the steepness of
    TCP; Gauss-Hermite quadrature would need hundreds of nodes where TCP(alpha) is a step. Negative alpha, which a wide
    distribution contains, counts as it comes: no control.

    Args:
        dose: Histogram of the total physical dose, or a uniform total dose in Gy.
        fractions: Number of equal fractions, whole.
        clonogens: Number of clonogens in the whole volume, above 0.
        alpha_per_gy: Mean of alpha in 1/Gy, above 0.
        alpha_sd_per_gy: Its standard deviation between patients in 1/Gy, 0 or more.
        alpha_beta_gy: a/b in Gy, above 0; infinite for beta = 0.

    Raises:
        ScienceError: An argument is out of its range, or TCP is so steep in alpha that the rule has no step for it.
    """
    mean, sd = checked_scalars(
        {"alpha_per_gy": (alpha_per_gy, ABOVE_ZERO), "alpha_sd_per_gy": (alpha_sd_per_gy, NOT_NEGATIVE)}
    )
    dvh = dose if isinstance(dose, Dvh) else voxel_dvh(checked_scalars({"dose": (dose, NOT_NEGATIVE)})[0])
    beds, logs = _beds(dvh, fractions=fractions, clonogens=clonogens, alpha_beta_gy=alpha_beta_gy)
    steepest = float(np.max(beds)) * sd
    if sd == 0.0 or steepest == 0.0:
        return float(_tcp(np.atleast_1d(mean), beds=beds, logs=logs)[0])
    step = min(_STEP_IN_SD, _STEP_IN_EFFECT / steepest)
    nodes = 2 * math.ceil(_TAILS_SD / step) + 1
    if nodes > _MOST_NODES:
        raise ScienceError(
            "TCP is too steep in alpha",
            wanted=f"a product of BED and standard deviation below {_MOST_NODES * _STEP_IN_EFFECT / 2 / _TAILS_SD:g}",
            got=f"{steepest:g}",
        )
    z = np.linspace(-_TAILS_SD, _TAILS_SD, nodes)
    weights = np.exp(-(z**2) / 2.0)
    return float(np.sum(weights * _tcp(mean + sd * z, beds=beds, logs=logs)) / np.sum(weights))


def _beds(dvh: Dvh, *, fractions: int, clonogens: float, alpha_beta_gy: float) -> tuple[Floats, Floats]:
    """Returns BED in Gy and logarithm of the number of clonogens of each bin that is not empty."""
    n, number, ratio = checked_scalars(
        {
            "fractions": (fractions, WHOLE_ABOVE_ZERO),
            "clonogens": (clonogens, ABOVE_ZERO),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    filled = dvh.volume > 0
    dose = dvh.dose_gy[filled]
    return dose * (1.0 + dose / n / ratio), np.log(number * dvh.volume[filled])


def _tcp(alpha: Floats, *, beds: Floats, logs: Floats) -> Floats:
    """Returns TCP for each alpha, shape (alphas,)."""
    survivors = np.zeros_like(alpha)
    with np.errstate(over="ignore"):  # a negative alpha grows clonogens without limit: TCP 0
        for bed, log in zip(beds, logs, strict=True):
            survivors += np.exp(log - alpha * bed)
    return np.asarray(np.exp(-survivors))
