"""Dose and size of a partial-body exposure: Dolphin's contaminated Poisson distribution, and Qdr.

A fraction f of the scored cells was irradiated and has Poisson counts of mean Y; the others have none. Then

    Y / (1 - exp(-Y)) = X / (N - n0),     f = X / (N Y),

with n0 cells free of aberrations: the maximum of the likelihood. Irradiated cells reach metaphase less often, with
probability p = exp(-D / D0), so that the fraction F of cells that were irradiated is larger than f:

    F = (f / p) / (1 - f + f / p).

Sources: G. W. Dolphin, in Handling of Radiation Accidents, IAEA, Vienna 1969, 215-224 (method); IAEA,
EPR-Biodosimetry 2011, Vienna 2011; M. S. Sasaki and H. Miyata, Nature 220 (1968) 1189-1193 (Qdr). The covariance
of (Y, f) is the inverse of the expected information of this distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.biodosimetry.counts import CaseCounts, check_case
from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve, check_curve
from braggbook.radiobiology.biodosimetry.dispersion import U_LIMIT, dispersion
from braggbook.radiobiology.biodosimetry.exposure import check_protraction
from braggbook.radiobiology.biodosimetry.whole_body import curve_notes, delta_variance
from braggbook.radiobiology.constants import Source, constant
from braggbook.radiobiology.intervals import Interval, check_level, delta_interval

Floats = NDArray[np.float64]

_MANUAL = Source(
    "IAEA 2011",
    "IAEA, EPR-Biodosimetry 2011, Vienna 2011; also the default of biodosetools' examples (gamma = 1 / 2.7)",
)
_UPPER = Source(
    "upper", "documentation of biodosetools: experimental values lie between 2.7 and 3.5 Gy (citing Lloyd et al. 1973)"
)
_BARQUINERO = Source(
    "Barquinero 1997", "J. F. Barquinero et al., Int J Radiat Biol 71 (1997) 435-440, doi:10.1080/095530097144058"
)
SURVIVAL_DOSE = constant(
    "partial_body.d0_gy",
    unit="Gy",
    readings={_MANUAL: 2.7, _UPPER: 3.5, _BARQUINERO: 3.8},
    ruling="the manual's value, which other programs take too; the fraction, not the dose, depends on it: the "
    "smaller D0, the larger the fraction. State the value with the fraction.",
    note="Dose that leaves 1/e of irradiated lymphocytes to reach metaphase.",
)

_WANTED = "cells with two or more aberrations, overdispersed"


@dataclass(frozen=True)
class PartialBodyEstimate:
    """Dose to the irradiated part, and how large the part is.

    Attributes:
        dose_gy: Dose to the irradiated part in Gy.
        interval: Its delta interval.
        yield_per_cell: Y, aberrations per irradiated cell (equivalent).
        yield_interval: Its interval.
        scored_fraction: f, share of the scored cells that was irradiated.
        scored_fraction_interval: Its interval, within 0 and 1.
        irradiated_fraction: F, share of the cells that was irradiated.
        irradiated_fraction_interval: Its interval, within 0 and 1.
        d0_gy: D0 behind F.
        u: u of the distribution; partial exposure is likely above 1.96.
        protraction: G of the exposure.
        warnings: What a reader must know, one sentence each.
    """

    dose_gy: float
    interval: Interval
    yield_per_cell: float
    yield_interval: Interval
    scored_fraction: float
    scored_fraction_interval: Interval
    irradiated_fraction: float
    irradiated_fraction_interval: Interval
    d0_gy: float
    u: float
    protraction: float
    warnings: tuple[str, ...] = ()


def estimate_partial_body(
    case: CaseCounts,
    curve: CalibrationCurve,
    *,
    d0_gy: float | None = None,
    level: float = 0.95,
    protraction: float = 1.0,
) -> PartialBodyEstimate:
    """Estimates dose and size of a partial-body exposure by Dolphin's method.

    Args:
        case: Counts of the case, with their distribution.
        curve: Calibration curve.
        d0_gy: D0 in Gy; the constant ``partial_body.d0_gy`` (2.7) unless given.
        level: Level of the intervals, by the delta method.
        protraction: G of the exposure.

    Raises:
        ScienceError: An argument is not usable, or there is no distribution.
        FitError: No cell has two aberrations, or the cells are not overdispersed: nothing tells a part from the whole.
    """
    check_case(case)
    check_curve(curve)
    check_level(level)
    check_protraction(protraction)
    survival = check_d0(SURVIVAL_DOSE.value if d0_gy is None else d0_gy)
    rate, fraction = zero_inflated_poisson(case)
    covariance = zero_inflated_covariance(rate, fraction, cells=case.cells)
    share = case.genome_factor
    yielded = rate / share
    if yielded <= curve.background_per_cell:
        raise FitError(
            "the yield of the irradiated part is not above the background of the curve",
            where=case.name,
            wanted=f"above {curve.background_per_cell:.4g} per cell",
            got=f"{yielded:.4g}",
        )
    dose = float(curve.dose_at(yielded, protraction=protraction))
    variance = delta_variance(dose, curve, yield_variance=float(covariance[0, 0]) / share**2, protraction=protraction)
    slope = curve.slope_at(dose, protraction=protraction)
    dose_fraction = float(covariance[0, 1]) / (share * slope)
    irradiated = float(irradiated_fraction(fraction, dose, d0_gy=survival))
    spread = irradiated * (1.0 - irradiated)
    by_fraction, by_dose = spread / (fraction * (1.0 - fraction)), spread / survival
    error = math.sqrt(
        by_fraction**2 * float(covariance[1, 1]) + by_dose**2 * variance + 2.0 * by_fraction * by_dose * dose_fraction
    )
    u = dispersion(case).u
    return PartialBodyEstimate(
        dose_gy=dose,
        interval=within(delta_interval(dose, math.sqrt(variance), level=level), high=math.inf),
        yield_per_cell=yielded,
        yield_interval=within(delta_interval(yielded, math.sqrt(covariance[0, 0]) / share, level=level), high=math.inf),
        scored_fraction=fraction,
        scored_fraction_interval=within(delta_interval(fraction, math.sqrt(covariance[1, 1]), level=level), high=1.0),
        irradiated_fraction=irradiated,
        irradiated_fraction_interval=within(delta_interval(irradiated, error, level=level), high=1.0),
        d0_gy=survival,
        u=u,
        protraction=float(protraction),
        warnings=(*curve_notes(curve, dose), *_warnings(case, u)),
    )


def zero_inflated_poisson(case: CaseCounts) -> tuple[float, float]:
    """Returns (Y, f): mean of the irradiated cells and their share of the scored ones, of maximum likelihood.

    Raises:
        ScienceError: There is no distribution.
        FitError: No cell has two aberrations, or the cells are not overdispersed.
    """
    if case.distribution is None:
        raise ScienceError("no partial-body estimate without a distribution", where=case.name, wanted="c0, c1, c2 ...")
    damaged = case.cells - case.distribution[0]
    if case.aberrations <= damaged:
        got = f"{case.aberrations:g} aberrations in {damaged:g} damaged cells"
        raise FitError("no cell has two aberrations", where=case.name, wanted=_WANTED, got=got)
    mean = case.aberrations / damaged
    rate = float(
        optimize.brentq(lambda y: y + mean * math.expm1(-y), (mean - 1.0) / mean, mean, xtol=1e-300, rtol=1e-15)
    )
    fraction = case.aberrations / (case.cells * rate)
    if fraction >= 1.0:
        raise FitError(
            "the cells are not overdispersed: no part of them is told from the whole",
            where=case.name,
            wanted="more cells without aberrations than a Poisson distribution has; use a whole-body estimate",
            got=f"{case.distribution[0]:g} of {case.cells:g} cells, mean {case.aberrations / case.cells:.4g}",
        )
    return rate, fraction


def zero_inflated_covariance(rate: float, fraction: float, *, cells: float) -> Floats:
    """Returns the covariance of (Y, f), shape (2, 2): the inverse of the expected information of N cells."""
    empty = 1.0 - fraction + fraction * math.exp(-rate)  # probability of a cell without aberrations
    rate_rate = fraction / rate - fraction * (1.0 - fraction) * math.exp(-rate) / empty
    rate_fraction = math.exp(-rate) / empty
    fraction_fraction = -math.expm1(-rate) / (fraction * empty)
    information = cells * np.array([[rate_rate, rate_fraction], [rate_fraction, fraction_fraction]])
    return np.asarray(np.linalg.inv(information))


def irradiated_fraction(scored_fraction: float, dose_gy: float, *, d0_gy: float) -> float:
    """Returns F = (f / p) / (1 - f + f / p) with p = exp(-D / D0)."""
    return scored_fraction / (scored_fraction + (1.0 - scored_fraction) * math.exp(-dose_gy / d0_gy))


def estimate_qdr(
    aberrations: float,
    damaged_cells: float,
    *,
    curve: CalibrationCurve,
    fragment_curve: CalibrationCurve,
    protraction: float = 1.0,
) -> float:
    """Returns the dose in Gy to the irradiated part by the Qdr method.

    Qdr, dicentrics and rings per cell with any unstable aberration, does not depend on how many cells were not
    irradiated: Qdr = Y1 / (1 - exp(-Y1 - Y2)), with the yields of dicentrics and rings (Y1) and of excess acentrics
    (Y2) at the dose.

    Args:
        aberrations: Dicentrics and centric rings, above 0.
        damaged_cells: Cells with a dicentric, a ring or an excess acentric.
        curve: Calibration of dicentrics and rings.
        fragment_curve: Calibration of excess acentrics.
        protraction: G of the exposure.

    Raises:
        ScienceError: The counts are not usable.
        FitError: No dose from 0 to 50 Gy has this Qdr.

    Source: M. S. Sasaki and H. Miyata, Nature 220 (1968) 1189-1193.
    """
    check_curve(curve)
    check_curve(fragment_curve)
    for name, value in (("aberrations", aberrations), ("damaged_cells", damaged_cells)):
        if not (isinstance(value, int | float | np.number) and math.isfinite(value) and value > 0):
            raise ScienceError("not a count", where=name, wanted="a number above 0", got=repr(value))
    ratio = float(aberrations) / float(damaged_cells)

    def excess(dose: float) -> float:
        first = float(curve.yield_at(dose, protraction=protraction))
        second = float(fragment_curve.yield_at(dose, protraction=protraction))
        return first - ratio * -math.expm1(-first - second)

    doses = np.linspace(0.0, 50.0, 2001)  # fine enough that no two crossings fall between neighbours
    above = np.array([excess(dose) for dose in doses]) >= 0
    if above[0] or not above.any():
        raise FitError("no dose has this Qdr", wanted="a ratio that the curves reach", got=f"{ratio:.4g}")
    first = int(np.argmax(above))
    return float(optimize.brentq(excess, doses[first - 1], doses[first], xtol=1e-13))


def check_d0(d0_gy: float) -> float:
    """Returns D0, or raises ScienceError when it is not a number of Gy above 0."""
    if isinstance(d0_gy, bool) or not (isinstance(d0_gy, int | float | np.number) and 0 < d0_gy < math.inf):
        raise ScienceError("not a D0", where="d0_gy", wanted="a number of Gy above 0", got=repr(d0_gy))
    return float(d0_gy)


def within(interval: Interval, *, high: float) -> Interval:
    """Returns an interval without what lies below 0 or above ``high``, where the quantity cannot be; a note says so."""
    lower, upper = max(interval.lower, 0.0), min(interval.upper, high)
    if (lower, upper) == (interval.lower, interval.upper):
        return interval
    note = f"cut to the possible values, from {interval.lower:.4g} to {interval.upper:.4g}"
    return Interval(lower, upper, interval.level, interval.method, interval.bounded, note)


def _warnings(case: CaseCounts, u: float) -> list[str]:
    if u > U_LIMIT:
        return []
    name = f"{case.name}: " if case.name else ""
    return [f"{name}u {u:.2f} is not above 1.96: the cells do not show a partial exposure"]
