"""Survival with repair kinetics: lethal-potentially lethal (LPL) and repair-misrepair (RMR) models.

Both let lesions U appear with the dose and go by linear repair and by reactions in pairs,

    dU/dt = delta R - a U - b U^2,

solved here in closed form during irradiation at a constant rate R and after it. At low dose both are
linear-quadratic, with the Lea-Catcheside G of the repair rate a; at high dose their curves straighten.

Sources: S. B. Curtis, Radiat Res 106 (1986) 252-270 (LPL); C. A. Tobias, Radiat Res 104 (1985) S77-S95 (RMR).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from braggbook.radiobiology.arguments import ABOVE_ZERO, ABOVE_ZERO_OR_INFINITE, FRACTION, NOT_NEGATIVE, Floats, checked

_INSTANT_H = 1e-30  # no repair happens in it, and a rate over it would overflow


def lpl_survival_at_rate(
    dose_gy: ArrayLike,
    *,
    duration_h: ArrayLike,
    lethal_per_gy: float,
    potentially_lethal_per_gy: float,
    repair_rate_per_h: float,
    misrepair_rate_per_h: float,
    repair_time_h: float = math.inf,
) -> Floats:
    """Returns the surviving fraction of the LPL model after irradiation at a constant rate.

    Args:
        dose_gy: Dose in Gy, 0 or more.
        duration_h: Duration of the irradiation in h, 0 or more; 0 is acute.
        lethal_per_gy: eta_L, lethal lesions per Gy, 0 or more.
        potentially_lethal_per_gy: eta_PL, potentially lethal lesions per Gy, above 0.
        repair_rate_per_h: eps_PL, linear repair, 1/h, above 0.
        misrepair_rate_per_h: eps_2PL, reactions in pairs, 1/h, above 0.
        repair_time_h: Time for repair after the irradiation in h; what is left then is lethal.

    Returns:
        Survival in the common shape of dose and duration. At low dose and complete repair it is linear-quadratic with
        alpha = eta_L and beta = eta_PL^2 eps_2PL / (2 eps_PL).

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    dose, duration, lethal = checked(
        {
            "dose_gy": (dose_gy, NOT_NEGATIVE),
            "duration_h": (duration_h, NOT_NEGATIVE),
            "lethal_per_gy": (lethal_per_gy, NOT_NEGATIVE),
        }
    )
    repaired = _repaired(
        dose,
        duration=duration,
        lesions_per_gy=potentially_lethal_per_gy,
        repair_rate_per_h=repair_rate_per_h,
        misrepair_rate_per_h=misrepair_rate_per_h,
        repair_time_h=repair_time_h,
    )
    return np.asarray(np.exp(-(lethal + potentially_lethal_per_gy) * dose + repaired))[()]


def rmr_survival_at_rate(
    dose_gy: ArrayLike,
    *,
    duration_h: ArrayLike,
    lesions_per_gy: float,
    repair_rate_per_h: float,
    misrepair_rate_per_h: float,
    faithful: float = 1.0,
    repair_time_h: float = math.inf,
) -> Floats:
    """Returns the surviving fraction of the RMR model after irradiation at a constant rate.

    Args:
        dose_gy: Dose in Gy, 0 or more.
        duration_h: Duration of the irradiation in h, 0 or more; 0 is acute, where
            S = e^-U0 [1 + U0 (1 - e^(-lambda t)) / eps]^(eps phi), U0 = delta D, eps = lambda / kappa.
        lesions_per_gy: delta, uncommitted lesions per Gy, above 0.
        repair_rate_per_h: lambda, linear repair, 1/h, above 0.
        misrepair_rate_per_h: kappa, reactions in pairs, 1/h, above 0.
        faithful: phi, the part of linear repair that is faithful, 0 to 1.
        repair_time_h: Time t for repair after the irradiation in h; what is left then is lethal.

    Returns:
        Survival in the common shape of dose and duration.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    dose, duration, part = checked(
        {
            "dose_gy": (dose_gy, NOT_NEGATIVE),
            "duration_h": (duration_h, NOT_NEGATIVE),
            "faithful": (faithful, FRACTION),
        }
    )
    repaired = _repaired(
        dose,
        duration=duration,
        lesions_per_gy=lesions_per_gy,
        repair_rate_per_h=repair_rate_per_h,
        misrepair_rate_per_h=misrepair_rate_per_h,
        repair_time_h=repair_time_h,
    )
    return np.asarray(np.exp(-lesions_per_gy * dose + part * repaired))[()]


def _repaired(
    dose: Floats,
    *,
    duration: Floats,
    lesions_per_gy: float,
    repair_rate_per_h: float,
    misrepair_rate_per_h: float,
    repair_time_h: float,
) -> Floats:
    """Returns how many lesions linear repair takes away, a times the integral of U, during irradiation and after.

    The lesions that appear are repaired, react in pairs, or are left at the end; so what is not repaired is lethal.
    """
    yields, a, b, rest = checked(
        {
            "lesions_per_gy": (lesions_per_gy, ABOVE_ZERO),
            "repair_rate_per_h": (repair_rate_per_h, ABOVE_ZERO),
            "misrepair_rate_per_h": (misrepair_rate_per_h, ABOVE_ZERO),
            "repair_time_h": (repair_time_h, ABOVE_ZERO_OR_INFINITE),
        }
    )
    acute = duration < _INSTANT_H
    time = np.where(acute, 1.0, duration)
    rate = yields * dose / time
    # U = v' / (b v) with v(0) = 1: v'' + a v' = rate b v, whose roots are (-a +- q) / 2.
    q = np.sqrt(a**2 + 4.0 * rate * b)
    slow = 2.0 * rate * b / (q + a)  # (q - a) / 2 without cancellation
    decay = -np.expm1(-q * time)
    left = np.where(acute, yields * dose, 2.0 * rate * decay / ((q + a) + 2.0 * slow * np.exp(-q * time)))
    during = np.where(acute, 0.0, a / b * (slow * time + np.log1p(-slow / q * decay)))
    after = a / b * np.log1p(left * b / a * -np.expm1(-a * rest))
    return np.asarray(during + after)
