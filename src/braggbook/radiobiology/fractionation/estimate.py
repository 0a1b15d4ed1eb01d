"""EQD2 and BED with what is not known of alpha/beta carried through.

Both are monotone in a/b: BED falls with it; EQD2 falls for schedules with sum d^2 above 2 sum d (large fractions)
and rises for the others. An interval of a/b therefore maps onto an interval of the same level, end to end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import ABOVE_ZERO, NOT_NEGATIVE, Floats, checked_scalars, checked_table, shortened
from braggbook.radiobiology.fractionation.isoeffect import STANDARD_FRACTION_GY, check_fraction_doses
from braggbook.radiobiology.intervals import Interval

# Above this dose per fraction it is debated whether the quadratic form still holds: J. P. Kirkpatrick, J. J. Meyer
# and L. B. Marks, Semin Radiat Oncol 18 (2008) 240-243, against D. J. Brenner in the same issue, 234-239.
_DEBATED_FRACTION_GY = 10.0
# Half of what is refused as cGy: single fractions of up to 90 Gy are given (trigeminal neuralgia), schedules are not.
_DOUBTFUL_TOTAL_GY = 150.0


@dataclass(frozen=True)
class IsoeffectEstimate:
    """BED and EQD2 of a schedule, with the interval that a/b leaves.

    Attributes:
        bed_gy: BED at the central a/b, in Gy.
        bed_interval: Its interval.
        eqd2_gy: EQD2 at the central a/b, in Gy.
        eqd2_interval: Its interval.
        alpha_beta_gy: The central a/b, in Gy.
        warnings: What a reader should know of the schedule, in sentences.
    """

    bed_gy: float
    bed_interval: Interval
    eqd2_gy: float
    eqd2_interval: Interval
    alpha_beta_gy: float
    warnings: tuple[str, ...]


def estimate_isoeffect(
    doses_gy: ArrayLike, *, alpha_beta_gy: float, alpha_beta_interval: Interval
) -> IsoeffectEstimate:
    """Returns BED and EQD2 of a schedule with intervals, complete repair between fractions.

    At the ends of what a/b may be, EQD2 is still finite: sum d^2 / 2 for a/b = 0, sum d for an infinite one. BED is not
    for a/b = 0, and its interval then says so.

    Args:
        doses_gy: Dose of each fraction in Gy, shape (fractions,), for example ``[3.0] * 20``.
        alpha_beta_gy: a/b in Gy, above 0.
        alpha_beta_interval: Its interval; the lower end 0 or more, the upper one may be infinite.

    Raises:
        ScienceError: A dose or a/b is out of its range, or a/b lies outside its interval.
    """
    (doses,) = checked_table({"doses_gy": (doses_gy, NOT_NEGATIVE)})
    check_fraction_doses(doses)
    (ratio,) = checked_scalars({"alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO)})
    if not isinstance(alpha_beta_interval, Interval):
        raise ScienceError("not an interval", where="alpha_beta_interval", got=shortened(alpha_beta_interval))
    low, high = alpha_beta_interval
    if not 0 <= low <= ratio <= high:
        issue = Issue(
            "not an interval around alpha/beta",
            where="alpha_beta_interval",
            wanted="0 <= lower <= alpha/beta <= upper",
            got=f"{low:g} to {high:g} around {ratio:g}",
        )
        raise ScienceError("alpha/beta is not usable", issues=[issue])
    return IsoeffectEstimate(
        _bed(doses, ratio),
        _through([_bed(doses, end) for end in (low, high)], alpha_beta_interval),
        _eqd2(doses, ratio),
        _through([_eqd2(doses, end) for end in (low, high)], alpha_beta_interval),
        ratio,
        _warnings(doses),
    )


def _bed(doses: Floats, ratio: float) -> float:
    squares = float(np.sum(doses**2))
    return float(doses.sum()) + (squares / ratio if ratio > 0 else math.copysign(math.inf, squares) if squares else 0.0)


def _eqd2(doses: Floats, ratio: float) -> float:
    total = float(doses.sum())
    if math.isinf(ratio):
        return total
    return (float(np.sum(doses**2)) + ratio * total) / (STANDARD_FRACTION_GY + ratio)


def _through(ends: list[float], interval: Interval) -> Interval:
    lower, upper = sorted(ends)
    bounded = math.isfinite(upper)
    note = "" if bounded else "alpha/beta may be 0, where BED has no limit"
    method = f"monotone in alpha/beta ({interval.method})"
    return Interval(lower, upper, interval.level, method, bounded=bounded, note=note)


def _warnings(doses: Floats) -> tuple[str, ...]:
    found = []
    if float(np.max(doses)) > _DEBATED_FRACTION_GY:
        found.append(
            f"{float(np.max(doses)):g} Gy per fraction: above {_DEBATED_FRACTION_GY:g} Gy it is debated whether the "
            "linear-quadratic form holds; compare bed_linear_quadratic_linear"
        )
    if math.fsum(doses.tolist()) > _DOUBTFUL_TOTAL_GY:
        found.append(f"{math.fsum(doses.tolist()):g} Gy in total: are the doses in cGy, or is a fraction typed twice?")
    return tuple(found)
