"""Generalised equivalent uniform dose: one number for a histogram.

Source: A. Niemierko, Med Phys 26 (1999) 1100 (abstract); it is the effective dose of the histogram reduction of
G. J. Kutcher and C. Burman, Int J Radiat Oncol Biol Phys 16 (1989) 1623-1630, with a = 1/n.
"""

from __future__ import annotations

import math

import numpy as np

from braggbook.errors import ScienceError
from braggbook.radiobiology.outcome.dvh import Dvh, check_dvh


def generalised_eud(dvh: Dvh, *, a: float) -> float:
    """Returns gEUD = (sum v d^a)^(1/a) in Gy.

    a = 1 is the mean dose, a = 0 (the limit) the geometric mean, a = +-inf the largest or smallest dose. A bin without
    dose makes the gEUD 0 for every a <= 0, which is its limit.

    Args:
        dvh: The histogram.
        a: Volume parameter: large for serial organs, 1 for parallel ones, negative for tumours; may be infinite.

    Raises:
        ScienceError: ``a`` is not a number.
    """
    check_dvh(dvh)
    if not isinstance(a, int | float | np.number) or isinstance(a, bool) or math.isnan(a):
        raise ScienceError("not a volume parameter", where="a", wanted="a number, which may be infinite", got=repr(a))
    if math.isinf(a):
        return dvh.maximum_gy if a > 0 else dvh.minimum_gy
    filled = dvh.volume > 0
    dose, volume = dvh.dose_gy[filled], dvh.volume[filled]
    if np.any(dose == 0):
        if a <= 0:
            return 0.0
        volume, dose = volume[dose > 0], dose[dose > 0]
        if dose.size == 0:
            return 0.0
        # The empty part adds nothing to the sum: the mean over the rest, times the rest's volume to the 1/a.
        rest = float(volume.sum())
        return _power_mean(np.log(dose), weights=volume / rest, a=float(a)) * math.pow(rest, 1.0 / float(a))
    return _power_mean(np.log(dose), weights=volume, a=float(a))


def _power_mean(log_dose: np.ndarray, *, weights: np.ndarray, a: float) -> float:
    """Returns exp of ln(sum w e^(a x)) / a, without overflow for a large a and without cancellation for a small one."""
    spread = abs(a) * float(np.ptp(log_dose))
    centre = float(np.sum(weights * log_dose))
    if spread < 1.0:
        excess = float(np.sum(weights * np.expm1(a * (log_dose - centre))))
        return math.exp(centre + (math.log1p(excess) / a if a != 0 else 0.0))
    top = float(np.max(log_dose) if a > 0 else np.min(log_dose))
    return math.exp(top + math.log(float(np.sum(weights * np.exp(a * (log_dose - top))))) / a)
