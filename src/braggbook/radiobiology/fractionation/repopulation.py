"""Repopulation: the dose that is spent on cells that grow while treatment lasts.

From the kick-off time on, clonogens double every T_d, which costs ln 2 / (alpha T_d) of BED each day.

Sources: J. F. Fowler, Br J Radiol 62 (1989) 679-694 (the term); H. R. Withers, J. M. G. Taylor and B. Maciejewski,
Acta Oncol 27 (1988) 131-146 (the kick-off); R. G. Dale, Br J Radiol 62 (1989) 241-244 (permanent implants).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    ABOVE_ZERO_OR_INFINITE,
    FINITE,
    NOT_NEGATIVE,
    Floats,
    checked,
    checked_scalars,
)


def repopulation_loss(
    overall_time_d: ArrayLike, *, kick_off_d: ArrayLike, doubling_time_d: ArrayLike, alpha_per_gy: ArrayLike
) -> Floats:
    """Returns the BED in Gy that repopulation costs: ln 2 (T - T_k) / (alpha T_d), 0 until the kick-off.

    Args:
        overall_time_d: Overall treatment time T in d, 0 or more.
        kick_off_d: Time T_k at which repopulation begins, in d, 0 or more.
        doubling_time_d: Effective doubling time T_d in d, above 0; infinite for none.
        alpha_per_gy: alpha in 1/Gy, above 0.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    time, start, doubling, alpha = checked(
        {
            "overall_time_d": (overall_time_d, NOT_NEGATIVE),
            "kick_off_d": (kick_off_d, NOT_NEGATIVE),
            "doubling_time_d": (doubling_time_d, ABOVE_ZERO_OR_INFINITE),
            "alpha_per_gy": (alpha_per_gy, ABOVE_ZERO),
        }
    )
    return np.asarray(math.log(2.0) * np.maximum(time - start, 0.0) / (alpha * doubling))[()]


def bed_with_repopulation(
    bed_gy: ArrayLike,
    *,
    overall_time_d: ArrayLike,
    kick_off_d: ArrayLike,
    doubling_time_d: ArrayLike,
    alpha_per_gy: ArrayLike,
) -> Floats:
    """Returns a BED less what repopulation costs, in Gy; below 0, as computed, where cells outgrow the dose.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    loss = repopulation_loss(
        overall_time_d, kick_off_d=kick_off_d, doubling_time_d=doubling_time_d, alpha_per_gy=alpha_per_gy
    )
    effective, lost = checked({"bed_gy": (bed_gy, NOT_NEGATIVE), "loss": (loss, FINITE)})
    return np.asarray(effective - lost)[()]


def implant_effective_time(
    initial_rate_gy_h: float, *, source_half_life_h: float, doubling_time_d: float, alpha_per_gy: float
) -> float:
    """Returns when a decaying implant stops to win over repopulation, in h; what it gives later is wasted.

    It is the time at which alpha R(t) has fallen to the growth rate ln 2 / T_d, linear term alone:
    T_eff = ln(alpha R_0 T_d / ln 2) / lambda.

    Raises:
        ScienceError: An argument is out of its range, or the implant loses from the beginning.
    """
    rate, half_life, doubling, alpha = checked_scalars(
        {
            "initial_rate_gy_h": (initial_rate_gy_h, ABOVE_ZERO),
            "source_half_life_h": (source_half_life_h, ABOVE_ZERO),
            "doubling_time_d": (doubling_time_d, ABOVE_ZERO),
            "alpha_per_gy": (alpha_per_gy, ABOVE_ZERO),
        }
    )
    kill, growth = alpha * rate, math.log(2.0) / (24.0 * doubling)
    if kill <= growth:
        raise ScienceError(
            "repopulation outruns the implant from the beginning",
            wanted="alpha times initial rate above ln 2 / doubling time",
            got=f"{kill:g} and {growth:g} per h",
        )
    return math.log(kill / growth) * half_life / math.log(2.0)
