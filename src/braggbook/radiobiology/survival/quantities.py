"""What an LQ curve says, as functions of many (alpha, beta) at once: for resampling and leaving out.

A quantity that a curve does not have is infinite, not missing, where that is what the curve means: a dose that it
never comes down to, a mean inactivation dose that does not converge. Order, and so percentiles, then still hold.
alpha/beta has no order across beta = 0; it is carried as the angle of (alpha, beta), see :func:`angle`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from braggbook.errors import unknown_name
from braggbook.radiobiology.linear_quadratic import checked_doses
from braggbook.radiobiology.survival.intervals import check_survival

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """Something that an LQ curve says.

    Attributes:
        name: Its name, with the unit at the end.
        unit: Its unit, "1" for a pure number.
        function: From alpha (1/Gy) and beta (1/Gy^2), each of shape (n,), to values of shape (n,).
    """

    name: str
    unit: str
    function: Callable[[Floats, Floats], Floats]


def quantity(name: str) -> Quantity:
    """Returns alpha_per_gy, beta_per_gy2, alpha_beta_gy, sf2, d10_gy, d37_gy or mean_inactivation_dose_gy.

    Raises:
        UnknownName: There is no such quantity.
    """
    if not isinstance(name, str) or name not in QUANTITIES:
        raise unknown_name("quantity", str(name), QUANTITIES)
    return QUANTITIES[name]


def dose_quantity(survival: float) -> Quantity:
    """Returns the dose in Gy at a survival level, infinite for a curve that never comes down to it."""
    effect = -math.log(check_survival(survival))

    def doses(alpha: Floats, beta: Floats) -> Floats:
        with np.errstate(all="ignore"):
            root = np.sqrt(alpha**2 + 4.0 * beta * effect)
            dose = np.where(alpha > 0, 2.0 * effect / (alpha + root), (root - alpha) / (2.0 * beta))
        reached = np.isfinite(dose) & ((alpha > 0) | (beta > 0))
        return np.where(np.isnan(alpha + beta), np.nan, np.where(reached, dose, np.inf))

    return Quantity(f"dose_at_{survival:g}_gy", "Gy", doses)


def survival_quantity(dose_gy: float) -> Quantity:
    """Returns survival at a dose in Gy, infinite where it is more than a number can hold."""
    dose = float(checked_doses(dose_gy))

    def survival(alpha: Floats, beta: Floats) -> Floats:
        with np.errstate(over="ignore"):  # infinite for a curve that rises beyond what a number can hold
            return np.asarray(np.exp(-(alpha + beta * dose) * dose))

    return Quantity(f"survival_at_{dose:g}_gy", "1", survival)


def angle(alpha: Floats, beta: Floats, *, centre: tuple[float, float], scale_gy: float) -> Floats:
    """Returns the direction of (alpha, beta * scale) in radians, within half a half turn of the centre's.

    alpha/beta is scale / tan(angle): a direction and its opposite are one ratio, hence a half turn in all.
    """
    middle = math.atan2(centre[1] * scale_gy, centre[0])
    found = np.arctan2(beta * scale_gy, alpha)
    return np.asarray(middle + np.mod(found - middle + 0.5 * math.pi, math.pi) - 0.5 * math.pi)


def _alpha_beta(alpha: Floats, beta: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(alpha / beta)


def _mean_inactivation_dose(alpha: Floats, beta: Floats) -> Floats:
    with np.errstate(all="ignore"):
        root = np.sqrt(beta)
        curved = 0.5 * math.sqrt(math.pi) / root * special.erfcx(alpha / (2.0 * root))
        dose = np.where(beta > 0, curved, np.where((beta == 0) & (alpha > 0), 1.0 / alpha, np.inf))
    return np.where(np.isnan(alpha + beta), np.nan, dose)


QUANTITIES = {
    found.name: found
    for found in (
        Quantity("alpha_per_gy", "1/Gy", lambda alpha, beta: alpha),
        Quantity("beta_per_gy2", "1/Gy^2", lambda alpha, beta: beta),
        Quantity("alpha_beta_gy", "Gy", _alpha_beta),
        Quantity("sf2", "1", survival_quantity(2.0).function),
        Quantity("d10_gy", "Gy", dose_quantity(0.1).function),
        Quantity("d37_gy", "Gy", dose_quantity(math.exp(-1.0)).function),
        Quantity("mean_inactivation_dose_gy", "Gy", _mean_inactivation_dose),
    )
}
