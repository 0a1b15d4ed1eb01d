"""Dose rate: what protraction does to the quadratic term.

Everything here follows from the dose-protraction factor

    G = (2 / D^2) int_0^T R(t) int_0^t R(s) K(t - s) ds dt,    K(t) = sum_k w_k exp(-mu_k t),

with dose rate R and the repair pools of ``repair``, so that BED = D (1 + G D / (a/b)). It is computed exactly for
pulses of constant rate; fractions of any size, length and spacing are pulses.

Times are in hours, doses in Gy, dose rates in Gy/h.

Sources: D. E. Lea and D. G. Catcheside, J Genet 44 (1942) 216-245 (G); R. G. Dale, Br J Radiol 58 (1985) 515-528
(continuous and decaying sources).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    ABOVE_ZERO_OR_INFINITE,
    FINITE,
    NOT_NEGATIVE,
    Floats,
    checked,
    checked_scalars,
    checked_table,
    increasing,
)
from braggbook.radiobiology.fractionation.isoeffect import check_fraction_doses
from braggbook.radiobiology.fractionation.repair import Repair, check_repair
from braggbook.radiobiology.linear_quadratic import protraction_at_constant_rate

# Below this x the closed forms of G lose digits by cancellation (1e-16 / x^2); the series is then exact to 1e-16.
_SMALL = 0.5
_SERIES_TERMS = 16
# Nodes of the mean of a smooth derivative over an interval of |x| <= 1: exact to rounding.
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)


def bed_of_schedule(
    doses_gy: ArrayLike,
    *,
    alpha_beta_gy: float,
    times_h: ArrayLike | None = None,
    durations_h: ArrayLike = 0.0,
    repair: Repair | None = None,
) -> float:
    """Returns the BED in Gy of fractions of any sizes, at any times and of any lengths.

    Args:
        doses_gy: Dose of each fraction in Gy, shape (fractions,).
        alpha_beta_gy: a/b in Gy, above 0.
        times_h: When each fraction begins, in h, increasing, shape (fractions,); None for complete repair between
            fractions.
        durations_h: How long each fraction lasts, in h, at a constant rate; a number for all or shape (fractions,).
        repair: How the damage disappears; None (with ``times_h`` None) for complete repair.

    Raises:
        ScienceError: An argument is out of its range, with its row; fractions overlap in time, with their rows; or
            only one of ``times_h`` and ``repair`` is given.
    """
    (doses,) = checked_table({"doses_gy": (doses_gy, NOT_NEGATIVE)})
    check_fraction_doses(doses)
    (ratio,) = checked_scalars({"alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE)})
    if (times_h is None) != (repair is None):
        raise ScienceError("half a description of repair", wanted="times_h and repair, or neither of them")
    if times_h is None or repair is None:
        return float(doses.sum() + np.sum(doses**2) / ratio)
    check_repair(repair)
    times, durations = _times(doses, times_h=times_h, durations_h=durations_h)
    return float(doses.sum() + _pair_dose(doses, times=times, durations=durations, repair=repair) / ratio)


def protraction_factor(duration_h: ArrayLike, *, repair: Repair) -> Floats:
    """Returns the Lea-Catcheside G of a constant dose rate over ``duration_h``: 2 (e^-x - 1 + x) / x^2, x = mu T.

    Args:
        duration_h: Duration in h, 0 or more; any shape.
        repair: How the damage disappears.

    Returns:
        G in the shape of ``duration_h``: 1 for an instant, towards 0 for ever.

    Raises:
        ScienceError: A duration is negative or not a number.
    """
    (duration,) = checked({"duration_h": (duration_h, NOT_NEGATIVE)})
    check_repair(repair)
    pools = zip(repair.rates_per_h, repair.weights, strict=True)
    return np.asarray(sum(w * protraction_at_constant_rate(mu * duration) for mu, w in pools))[()]


def protraction_factor_of_profile(rates_gy_h: ArrayLike, *, edges_h: ArrayLike, repair: Repair) -> float:
    """Returns the Lea-Catcheside G of a dose rate that is constant between given times; exact.

    Args:
        rates_gy_h: Dose rate between two edges in Gy/h, 0 or more, shape (steps,); 0 is a pause.
        edges_h: Times in h, increasing, shape (steps + 1,).
        repair: How the damage disappears.

    Raises:
        ScienceError: An argument is out of its range, with its row; the edges do not increase; no dose is given.
    """
    check_repair(repair)
    (rates,) = checked_table({"rates_gy_h": (rates_gy_h, NOT_NEGATIVE)})
    (edges,) = checked_table({"edges_h": (edges_h, FINITE)})
    if edges.size != rates.size + 1:
        raise ScienceError(
            "the edges do not fit the rates",
            wanted=f"{rates.size + 1} edges for {rates.size} rates",
            got=f"{edges.size}",
        )
    increasing(edges, name="edges_h")
    durations = np.diff(edges)
    doses = rates * durations
    if not doses.sum() > 0:
        raise ScienceError("no dose", where="rates_gy_h", wanted="a rate above 0 somewhere")
    pairs = _pair_dose(doses, times=edges[:-1], durations=durations, repair=repair)
    return float(pairs / doses.sum() ** 2)


def protraction_factor_of_decay(duration_h: float, *, source_half_life_h: float, repair: Repair) -> float:
    """Returns the Lea-Catcheside G of an exponentially decaying source.

    With decay rate l and repair rate mu it is 2 l^2 [f(2 l) - f(l + mu)] / [(mu - l) (1 - e^(-l T))^2],
    f(x) = (1 - e^(-x T)) / x; for ever (a permanent implant) it is l / (l + mu).

    Args:
        duration_h: How long the source stays, in h, above 0; infinite for a permanent implant.
        source_half_life_h: Half-life of the source in h, above 0.
        repair: How the damage disappears.

    Raises:
        ScienceError: An argument is out of its range.

    Source: R. G. Dale, Br J Radiol 58 (1985) 515-528.
    """
    check_repair(repair)
    duration, half_life = checked_scalars(
        {
            "duration_h": (duration_h, ABOVE_ZERO_OR_INFINITE),
            "source_half_life_h": (source_half_life_h, ABOVE_ZERO),
        }
    )
    decay = math.log(2.0) / half_life
    pools = zip(repair.rates_per_h, repair.weights, strict=True)
    if math.isinf(duration):
        return float(sum(w * decay / (decay + mu) for mu, w in pools))
    total = -math.expm1(-decay * duration) / decay
    return float(sum(w * 2.0 * _decay_difference(decay, mu, duration=duration) for mu, w in pools) / total**2)


def bed_continuous(
    total_dose_gy: ArrayLike, *, duration_h: ArrayLike, alpha_beta_gy: ArrayLike, repair: Repair
) -> Floats:
    """Returns BED = D (1 + G D / (a/b)) in Gy of a constant dose rate.

    Args:
        total_dose_gy: Total dose D in Gy, 0 or more.
        duration_h: Duration in h, 0 or more.
        alpha_beta_gy: a/b in Gy, above 0.
        repair: How the damage disappears.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    dose, duration, ratio = checked(
        {
            "total_dose_gy": (total_dose_gy, NOT_NEGATIVE),
            "duration_h": (duration_h, NOT_NEGATIVE),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    return np.asarray(dose * (1.0 + protraction_factor(duration, repair=repair) * dose / ratio))[()]


def bed_of_implant(
    initial_rate_gy_h: float,
    *,
    source_half_life_h: float,
    alpha_beta_gy: float,
    repair: Repair,
    duration_h: float = math.inf,
) -> float:
    """Returns the BED in Gy of a decaying source, left for ``duration_h`` or for ever; no repopulation.

    Args:
        initial_rate_gy_h: Dose rate when the source is put in, in Gy/h, above 0.
        source_half_life_h: Half-life of the source in h, above 0.
        alpha_beta_gy: a/b in Gy, above 0.
        repair: How the damage disappears.
        duration_h: How long the source stays, in h; infinite for a permanent implant.

    Raises:
        ScienceError: An argument is out of its range.

    Source: R. G. Dale, Br J Radiol 58 (1985) 515-528.
    """
    rate, ratio = checked_scalars(
        {"initial_rate_gy_h": (initial_rate_gy_h, ABOVE_ZERO), "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE)}
    )
    factor = protraction_factor_of_decay(duration_h, source_half_life_h=source_half_life_h, repair=repair)
    decay = math.log(2.0) / source_half_life_h
    dose = rate / decay * -math.expm1(-decay * duration_h)
    return dose * (1.0 + factor * dose / ratio)


def _times(doses: Floats, *, times_h: ArrayLike, durations_h: ArrayLike) -> tuple[Floats, Floats]:
    """Returns begin and length of each fraction, none of which overlap."""
    (times,) = checked_table({"times_h": (times_h, FINITE)})
    (durations,) = checked({"durations_h": (durations_h, NOT_NEGATIVE)})
    if times.size != doses.size or durations.size not in (1, doses.size):
        raise ScienceError(
            "the columns do not go together",
            wanted=f"{doses.size} times, and one duration or {doses.size}",
            got=f"{times.size} times, {durations.size} durations",
        )
    increasing(times, name="times_h")
    durations = np.broadcast_to(durations.ravel(), doses.shape)
    late = np.flatnonzero(times[:-1] + durations[:-1] > times[1:])
    if late.size:
        raise ScienceError(
            "fractions overlap in time",
            issues=[
                Issue(
                    "begins before the one above has ended",
                    where=f"row {i + 2}",
                    wanted=f"{times[i] + durations[i]:g} h or later",
                    got=f"{times[i + 1]:g} h",
                )
                for i in late
            ],
        )
    return times, durations


def _pair_dose(doses: Floats, *, times: Floats, durations: Floats, repair: Repair) -> float:
    """Returns G D^2: the sum over all pairs of doses, each pair as far as it is unrepaired, in Gy^2.

    One pass suffices: what earlier pulses left decays by one factor from pulse to pulse.
    """
    total = 0.0
    for mu, weight in zip(repair.rates_per_h, repair.weights, strict=True):
        left, at = 0.0, float(times[0])
        for dose, time, duration in zip(doses.tolist(), times.tolist(), durations.tolist(), strict=True):
            left *= math.exp(-mu * (time - at))
            mean = _mean_decay(mu * duration)
            total += weight * (
                2.0 * dose * left * mean + dose**2 * float(protraction_at_constant_rate(np.asarray(mu * duration)))
            )
            left = left * math.exp(-mu * duration) + dose * mean
            at = time + duration
    return total


def _mean_decay(x: float) -> float:
    """Returns (1 - e^-x) / x, and 1 at 0."""
    return -math.expm1(-x) / x if x > 0 else 1.0


def _decay_difference(decay: float, mu: float, *, duration: float) -> float:
    """Returns [f(2 l) - f(l + mu)] / (mu - l) with f(x) = (1 - e^(-x T)) / x, also where mu is near l."""
    first, second = 2.0 * decay, decay + mu
    gap = (second - first) * duration
    if abs(gap) > 1.0:
        return (-math.expm1(-first * duration) / first + math.expm1(-second * duration) / second) / (second - first)
    # The divided difference is the mean of -f' between the two; f(x) = T h(x T) with h' below.
    x = (0.5 * (first + second) + 0.5 * (second - first) * _NODES) * duration
    return float(np.sum(_NODE_WEIGHTS * _slope(x)) / 2.0 * duration**2)


def _slope(x: Floats) -> Floats:
    """Returns -h'(x) = [1 - e^-x (1 + x)] / x^2 of h(x) = (1 - e^-x) / x, which is 1/2 at 0."""
    small = np.minimum(x, _SMALL)
    series, term = np.zeros_like(small), np.ones_like(small)
    for k in range(_SERIES_TERMS):  # sum of (-x)^k / (k! (k + 2))
        series = series + term / (math.factorial(k) * (k + 2))
        term = -term * small
    large = np.maximum(x, _SMALL)
    closed = (-np.expm1(-large) - large * np.exp(-large)) / large**2
    return np.asarray(np.where(x < _SMALL, series, closed))
