"""Repair of sublethal damage, and what several fractions a day leave of it.

Damage disappears exponentially, in one pool or several. Pools are added, each with its weight, as is usual; damage that
passes from one pool to another is not described. Times are in hours.

Source: H. D. Thames, Int J Radiat Biol 47 (1985) 319-339.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    ABOVE_ZERO_OR_INFINITE,
    NOT_NEGATIVE,
    WHOLE_ABOVE_ZERO,
    Floats,
    as_numbers,
    checked,
    checked_scalars,
    shortened,
)
from braggbook.radiobiology.fractionation.isoeffect import check_fraction_doses

# What rounding leaves when weights are added that sum to 1 on paper.
_WEIGHT_TOLERANCE = 1e-9
_HOURS_PER_DAY = 24.0


@dataclass(frozen=True)
class Repair:
    """Exponential repair of sublethal damage in one pool or several.

    Attributes:
        half_times_h: Half-time of repair of each pool in h, above 0; one number for one pool.
        weights: Part of the damage in each pool, above 0, summing to 1.
    """

    half_times_h: tuple[float, ...]
    weights: tuple[float, ...] = (1.0,)

    def __init__(self, half_times_h: float | Sequence[float], weights: Sequence[float] = (1.0,)) -> None:
        times, parts = as_numbers(half_times_h), as_numbers(weights)
        issues = [
            Issue("not usable", where=name, wanted="finite numbers above 0", got=shortened(given))
            for name, given, array in (("half_times_h", half_times_h, times), ("weights", weights, parts))
            if array is None or array.size == 0 or not np.all(ABOVE_ZERO.holds(array))
        ]
        if not issues and times is not None and parts is not None:
            if times.size != parts.size:
                got = f"{times.size} half-times and {parts.size} weights"
                issues.append(Issue("pools do not match", wanted="a weight for each half-time", got=got))
            elif abs(float(parts.sum()) - 1.0) > _WEIGHT_TOLERANCE:
                issues.append(Issue("weights do not sum to 1", where="weights", got=f"{float(parts.sum()):g}"))
        if issues or times is None or parts is None:
            raise ScienceError("not a description of repair", issues=issues)
        object.__setattr__(self, "half_times_h", tuple(float(x) for x in times.ravel()))
        object.__setattr__(self, "weights", tuple(float(x) for x in parts.ravel()))

    @property
    def rates_per_h(self) -> tuple[float, ...]:
        """Repair rate of each pool, mu = ln 2 / half-time, in 1/h."""
        return tuple(math.log(2.0) / half_time for half_time in self.half_times_h)

    def unrepaired(self, time_h: ArrayLike) -> Floats:
        """Returns the part of the damage that is left after a time in h, in the shape of ``time_h``."""
        (time,) = checked({"time_h": (time_h, NOT_NEGATIVE)})
        return np.asarray(sum(w * np.exp(-mu * time) for mu, w in self._pools()))[()]

    def _pools(self) -> tuple[tuple[float, float], ...]:
        return tuple(zip(self.rates_per_h, self.weights, strict=True))


def check_repair(repair: Repair) -> None:
    """Raises ScienceError when a description of repair is something else, a bare half-time for example."""
    if not isinstance(repair, Repair):
        raise ScienceError(
            "not a description of repair", where="repair", wanted="Repair(half_time_h)", got=shortened(repair)
        )


def incomplete_repair_factor(fractions_per_day: int, *, interval_h: float, repair: Repair) -> float:
    """Returns H_m, by which the quadratic term of m fractions a day grows: 1 + H_m.

    H_m = [2 phi / (m (1 - phi))] [m - (1 - phi^m) / (1 - phi)] with phi = exp(-mu interval), which is
    (2/m) sum_{k=1}^{m-1} (m - k) phi^k. The damage is taken as repaired over night; :func:`bed_of_schedule` is not so
    simple.

    Raises:
        ScienceError: An argument is out of its range, or the fractions do not fit into a day.

    Source: H. D. Thames, Int J Radiat Biol 47 (1985) 319-339.
    """
    m_float, interval = checked_scalars(
        {"fractions_per_day": (fractions_per_day, WHOLE_ABOVE_ZERO), "interval_h": (interval_h, ABOVE_ZERO)}
    )
    check_repair(repair)
    m = int(m_float)
    if (m - 1) * interval >= _HOURS_PER_DAY:
        raise ScienceError(
            "the fractions do not fit into a day",
            wanted=f"{m} fractions within {_HOURS_PER_DAY:g} h",
            got=f"{interval:g} h between them",
        )
    steps = np.arange(1, m)
    return float(np.sum((m - steps) * repair.unrepaired(steps * interval)) * 2.0 / m) if m > 1 else 0.0


def bed_with_incomplete_repair(
    total_dose_gy: ArrayLike,
    *,
    fractions: ArrayLike,
    alpha_beta_gy: ArrayLike,
    fractions_per_day: int,
    interval_h: float,
    repair: Repair,
) -> Floats:
    """Returns BED = D [1 + (1 + H_m) d / (a/b)] in Gy of m equal fractions a day, repaired over night.

    Args:
        total_dose_gy: Total dose D in Gy, 0 or more.
        fractions: Number of fractions, whole and a multiple of ``fractions_per_day``.
        alpha_beta_gy: a/b in Gy, above 0.
        fractions_per_day: m, whole.
        interval_h: Time between fractions of one day in h.
        repair: How the damage disappears.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    dose, n, ratio = checked(
        {
            "total_dose_gy": (total_dose_gy, NOT_NEGATIVE),
            "fractions": (fractions, WHOLE_ABOVE_ZERO),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    check_fraction_doses(np.atleast_1d(dose / n))
    factor = incomplete_repair_factor(fractions_per_day, interval_h=interval_h, repair=repair)
    if np.any(n % fractions_per_day):
        raise ScienceError(
            "the last day is not full",
            wanted=f"a multiple of {fractions_per_day} fractions (bed_of_schedule takes any times)",
            got=f"{float(np.ravel(n[n % fractions_per_day != 0])[0]):g}",
        )
    return np.asarray(dose * (1.0 + (1.0 + factor) * dose / n / ratio))[()]
