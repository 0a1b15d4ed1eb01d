"""Dose of a uniform exposure from the yield of aberrations, with its interval.

Two methods, both of the manual:

- ``"merkle"``: exact Poisson limits of the yield are projected on the confidence band of the curve, the lower limit
  on the upper band and the upper on the lower. With 83 % for both (the default), the dose interval is about a 95 %
  one; with 95 % for both, the older habit, it is wider than that.
- ``"delta"``: the variances of yield and curve are carried through the inversion of the curve to first order.

No answer is a bare 0: ``status`` says whether the dose is estimated, not told from zero, or whether the yield is not
above the background; the upper limit stands in each case.

Sources: W. Merkle, Radiat Environ Biophys 21 (1983) 217-233, doi:10.1007/BF01323412; IAEA, EPR-Biodosimetry 2011,
Vienna 2011; F. Garwood, Biometrika 28 (1936) 437-442 (Poisson limits).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from braggbook.errors import ScienceError, unknown_name
from braggbook.radiobiology.biodosimetry.counts import AberrationCounts, CaseCounts, check_case, is_fraction, read_cases
from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve, check_curve
from braggbook.radiobiology.biodosimetry.dispersion import U_LIMIT, dispersion_table
from braggbook.radiobiology.biodosimetry.exposure import check_protraction
from braggbook.radiobiology.biodosimetry.projection import band_crossings, doses_of_yields
from braggbook.radiobiology.intervals import Interval, check_level, poisson_count_intervals

Floats = NDArray[np.float64]
Method = Literal["merkle", "delta"]
YieldLimits = Literal["poisson", "quasi-poisson", "overdispersed"]
Status = Literal["estimated", "not told from zero", "not above background"]

ESTIMATED: Status = "estimated"
NOT_TOLD: Status = "not told from zero"
NOT_ABOVE: Status = "not above background"
_BELOW = (
    "even the upper limit of the yield is below the background of the curve: it is not the background of this person, "
    "or of this scoring, and the interval is empty"
)


@dataclass(frozen=True)
class DoseEstimate:
    """A dose with its interval.

    Attributes:
        dose_gy: Dose in Gy; 0 when the yield is not above the background.
        interval: Interval of the dose in Gy; its upper end is infinite when the curve's band never comes up to the
            yield's upper limit.
        yield_per_cell: Aberrations per cell (equivalent).
        yield_interval: Its interval.
        status: "estimated"; "not told from zero" (the interval reaches 0 Gy); "not above background".
        method: "merkle" or "delta".
        protraction: G, 1 for an acute exposure.
        warnings: What a reader must know, one sentence each.
    """

    dose_gy: float
    interval: Interval
    yield_per_cell: float
    yield_interval: Interval
    status: Status
    method: Method
    protraction: float
    warnings: tuple[str, ...] = ()


def estimate_whole_body(
    case: CaseCounts,
    curve: CalibrationCurve,
    *,
    method: Method = "merkle",
    level: float = 0.95,
    merkle_levels: tuple[float, float] = (0.83, 0.83),
    yield_limits: YieldLimits = "poisson",
    protraction: float = 1.0,
) -> DoseEstimate:
    """Estimates the dose of a uniform exposure.

    Args:
        case: Counts of the case.
        curve: Calibration curve.
        method: "merkle" or "delta".
        level: "delta" only: level of the interval.
        merkle_levels: "merkle" only: level of the yield limits and level of the curve's band.
        yield_limits: "merkle" only. "poisson": exact limits; "quasi-poisson": exact limits of X / d times d, with the
            dispersion index d where it exceeds 1; "overdispersed": those of biodosetools, (x / N)(x / X)^sqrt(d).
        protraction: G of the exposure, from ``protraction_factor``; 1 for acute, 0 for very long exposures.

    Raises:
        ScienceError: An argument is not usable.
        UnknownName: ``method`` or ``yield_limits`` is not known.
    """
    check_case(case)
    table, notes = _estimates(
        _samples(case),
        curve,
        method=method,
        levels=_levels(method, level, merkle_levels),
        yield_limits=yield_limits,
        protraction=protraction,
    )
    row = table.iloc[0]
    levels = _levels(method, level, merkle_levels)
    dose_level, label = _dose_level(method, levels, yield_limits)
    if method == "delta" and row["dose_gy"] == 0:
        label = "exact Poisson upper limit of the yield, on the curve"
    unbounded = math.isinf(row["dose_upper_gy"])
    interval = Interval(
        float(row["dose_lower_gy"]),
        float(row["dose_upper_gy"]),
        dose_level,
        label,
        bounded=not unbounded,
        note="the lower band of the curve never comes up to the upper limit of the yield" if unbounded else "",
    )
    return DoseEstimate(
        dose_gy=float(row["dose_gy"]),
        interval=interval,
        yield_per_cell=float(row["yield_per_cell"]),
        yield_interval=Interval(
            float(row["yield_lower"]), float(row["yield_upper"]), levels[0], _yield_label(method, yield_limits)
        ),
        status=row["status"],
        method=method,
        protraction=float(protraction),
        warnings=tuple(notes) + row["warnings"],
    )


def estimate_whole_body_many(
    cases: pd.DataFrame,
    curve: CalibrationCurve,
    *,
    method: Method = "merkle",
    level: float = 0.95,
    merkle_levels: tuple[float, float] = (0.83, 0.83),
    yield_limits: YieldLimits = "poisson",
    protraction: float = 1.0,
    genome_factor: float = 1.0,
) -> pd.DataFrame:
    """Estimates the doses of many cases at once, for triage.

    Args:
        cases: One row per case, columns ``case`` (may be missing) and ``c0``, ``c1`` ... and/or ``cells``,
            ``aberrations``.
        curve: Calibration curve.
        method: As for :func:`estimate_whole_body`, like the arguments that follow.
        level: Level of the interval ("delta").
        merkle_levels: Level of the yield limits and level of the curve's band ("merkle").
        yield_limits: Which limits of the yield.
        protraction: G of the exposure.
        genome_factor: Genome factor of all cases.

    Returns:
        A row per case: case, cells, aberrations, yield_per_cell, yield_lower, yield_upper, dose_gy, dose_lower_gy,
        dose_upper_gy (inf when there is none), dispersion_index, u, verdict (NaN where it cannot be told), status,
        warnings.

    Raises:
        ScienceError: The table or an argument is not usable; every row at fault is named.
        UnknownName: ``method`` or ``yield_limits`` is not known.
    """
    data = read_cases(cases)
    if not is_fraction(genome_factor):
        raise ScienceError("not a genome factor", wanted="a number above 0, at most 1", got=repr(genome_factor))
    table, notes = _estimates(
        (data, np.full(len(data.cells), float(genome_factor))),
        curve,
        method=method,
        levels=_levels(method, level, merkle_levels),
        yield_limits=yield_limits,
        protraction=protraction,
    )
    return table.assign(warnings=[tuple(notes) + found for found in table["warnings"]])


def delta_variance(dose_gy: float, curve: CalibrationCurve, *, yield_variance: float, protraction: float) -> float:
    """Returns the first-order variance of the dose of a yield, in Gy^2: (var y + var Y(D)) / (dY/dD)^2."""
    slope = curve.slope_at(dose_gy, protraction=protraction)
    if slope <= 0:
        raise ScienceError(
            "the delta method has no variance where the curve is flat", got=f"dose {dose_gy:g} Gy", wanted="merkle"
        )
    error = float(curve.yield_se_at(dose_gy, protraction=protraction))
    return (yield_variance + error**2) / slope**2


def curve_notes(curve: CalibrationCurve, dose_gy: Floats | float) -> list[str]:
    """Returns what the curve has to say about doses read from it."""
    notes = [note for note in curve.warnings if "of the curve" in note]
    if curve.dose_range_gy is not None:
        low, high = curve.dose_range_gy
        if np.any(np.asarray(dose_gy) > high):
            notes.append(f"a dose lies above the calibrated range of {low:g} to {high:g} Gy")
    return notes


def _samples(case: CaseCounts) -> tuple[AberrationCounts, Floats]:
    spread = None if case.distribution is None else np.array([case.distribution])
    data = AberrationCounts((case.name,), None, np.array([case.cells]), np.array([case.aberrations]), spread)
    return data, np.array([case.genome_factor])


def _check_choices(curve: CalibrationCurve, *, method: Method, yield_limits: YieldLimits, protraction: float) -> None:
    check_curve(curve)
    if method not in get_args(Method):
        raise unknown_name("method", str(method), get_args(Method))
    if yield_limits not in get_args(YieldLimits):
        raise unknown_name("kind of yield limits", str(yield_limits), get_args(YieldLimits))
    check_protraction(protraction)
    if curve.alpha_per_gy == 0 and curve.beta_per_gy2 * protraction == 0:
        raise ScienceError("the yield of this curve does not depend on dose", wanted="alpha, or a protraction above 0")


def _estimates(
    samples: tuple[AberrationCounts, Floats],
    curve: CalibrationCurve,
    *,
    method: Method,
    levels: tuple[float, float],
    yield_limits: YieldLimits,
    protraction: float,
) -> tuple[pd.DataFrame, list[str]]:
    _check_choices(curve, method=method, yield_limits=yield_limits, protraction=protraction)
    data, share = samples
    spread = dispersion_table(data)
    equivalents = data.cells * share
    yields = data.aberrations / equivalents
    doses = doses_of_yields(yields, curve, protraction=protraction)
    index = np.asarray(spread["dispersion_index"], dtype=np.float64)
    if method == "merkle":
        limits = _yield_limits(data.aberrations, equivalents, index=index, level=levels[0], kind=yield_limits)
        factor = curve.band_factor(levels[1])
        low = band_crossings(limits[0], curve, side="upper", factor=factor, protraction=protraction)
        high = band_crossings(limits[1], curve, side="lower", factor=factor, protraction=protraction)
    else:
        variance = _yield_variance(data, equivalents, spread)
        limits = _normal_limits(data.aberrations, equivalents, variance=variance, level=levels[0])
        low, high = _delta_limits(doses, curve, variance=variance, level=levels[0], protraction=protraction)
        exact = poisson_count_intervals(data.aberrations, level=levels[0])[1] / equivalents
        high = np.where(doses > 0, high, doses_of_yields(exact, curve, protraction=protraction))
    above = yields > curve.background_per_cell
    status = np.where(~above, NOT_ABOVE, np.where(low > 0, ESTIMATED, NOT_TOLD))
    table = pd.DataFrame(
        {
            "case": list(data.labels),
            "cells": data.cells,
            "aberrations": data.aberrations,
            "yield_per_cell": yields,
            "yield_lower": limits[0],
            "yield_upper": limits[1],
            "dose_gy": doses,
            "dose_lower_gy": np.where(above, low, 0.0),
            "dose_upper_gy": high,
            "dispersion_index": index,
            "u": spread["u"],
            "verdict": spread["verdict"],
            "status": status,
        }
    )
    table["warnings"] = [
        _case_warnings(u, yield_limits, method) + ((_BELOW,) if upper == 0 else ())
        for u, upper in zip(spread["u"], high, strict=True)
    ]
    return table, curve_notes(curve, doses)


def _normal_limits(
    aberrations: Floats, equivalents: Floats, *, variance: Floats, level: float
) -> tuple[Floats, Floats]:
    """Returns yield -+ z standard errors, not below 0; the exact upper limit where nothing was found."""
    half = float(stats.norm.ppf(0.5 + level / 2.0)) * np.sqrt(variance)
    yields, exact = aberrations / equivalents, poisson_count_intervals(aberrations, level=level)[1]
    return np.maximum(yields - half, 0.0), np.where(aberrations == 0, exact / equivalents, yields + half)


def _delta_limits(
    doses: Floats, curve: CalibrationCurve, *, variance: Floats, level: float, protraction: float
) -> tuple[Floats, Floats]:
    """Returns dose -+ z standard errors, not below 0; (0, 0) where the dose is 0, which has no delta interval."""
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    half = np.array(
        [
            z * math.sqrt(delta_variance(dose, curve, yield_variance=noise, protraction=protraction)) if dose > 0 else 0
            for dose, noise in zip(doses.tolist(), variance.tolist(), strict=True)
        ]
    )
    return np.maximum(doses - half, 0.0), doses + half


def _yield_variance(data: AberrationCounts, equivalents: Floats, spread: pd.DataFrame) -> Floats:
    """Returns the variance of the yield: the empirical one of overdispersed cells, else Poisson's."""
    poisson = data.aberrations / equivalents**2
    index = np.asarray(spread["dispersion_index"], dtype=np.float64)
    return poisson * np.where(index > 1.0, index, 1.0)  # an index that cannot be told (NaN) counts as 1


def _yield_limits(
    aberrations: Floats, equivalents: Floats, *, index: Floats, level: float, kind: YieldLimits
) -> tuple[Floats, Floats]:
    over = np.where(index > 1.0, index, 1.0)  # an index that cannot be told (NaN) counts as 1
    if kind == "quasi-poisson":
        low, high = poisson_count_intervals(aberrations / over, level=level)
        return over * low / equivalents, over * high / equivalents
    low, high = poisson_count_intervals(aberrations, level=level)
    if kind == "overdispersed":
        counted = np.where(aberrations > 0, aberrations, 1.0)
        power = np.where((index > 1.0) & (aberrations > 0), np.sqrt(over), 0.0)
        return low / equivalents * (low / counted) ** power, high / equivalents * (high / counted) ** power
    return low / equivalents, high / equivalents


def _levels(method: Method, level: float, merkle_levels: tuple[float, float]) -> tuple[float, float]:
    if method == "delta":
        return check_level(level), check_level(level)
    if not isinstance(merkle_levels, tuple | list) or len(merkle_levels) != 2:
        raise ScienceError("not Merkle's two levels", wanted="(of the yield, of the curve)", got=repr(merkle_levels))
    return check_level(merkle_levels[0]), check_level(merkle_levels[1])


def _case_warnings(u: float, kind: YieldLimits, method: Method) -> tuple[str, ...]:
    if u > U_LIMIT:
        narrow = ", for which Poisson limits are too narrow" if method == "merkle" and kind == "poisson" else ""
        return (f"u {u:.2f} is above 1.96: the cells are overdispersed{narrow}; the exposure may be partial",)
    if u < -U_LIMIT:
        return (f"u {u:.2f} is below -1.96: the cells are underdispersed; look at the scoring",)
    return ()


def _dose_level(method: Method, levels: tuple[float, float], kind: YieldLimits) -> tuple[float, str]:
    """Returns the nominal level of the dose interval and what to call it.

    Two equal normal errors whose limits at levels p1 and p2 are added have the joint level
    2 Phi((z1 + z2) / sqrt(2)) - 1: 0.95 for 83 % and 83 %, 0.99 for 95 % and 95 %.
    """
    if method == "delta":
        return float(levels[0]), "delta, z"
    z = sum(stats.norm.ppf(0.5 + level / 2.0) for level in levels) / math.sqrt(2.0)
    nominal = round(float(2.0 * stats.norm.cdf(z) - 1.0), 2)
    return nominal, f"Merkle, {kind} yield {100 * levels[0]:g} %, curve {100 * levels[1]:g} %"


def _yield_label(method: Method, kind: YieldLimits) -> str:
    if method == "delta":
        return "normal; exact Poisson upper limit at 0 aberrations"
    return {
        "poisson": "exact Poisson",
        "quasi-poisson": "exact Poisson of X / d, times d",
        "overdispersed": "biodosetools, overdispersed",
    }[kind]
