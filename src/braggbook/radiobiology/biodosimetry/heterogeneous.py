"""Two doses in one sample: the counts of aberrations per cell as a mixture of two Poisson distributions.

A fraction w of the scored cells has mean Y1, the others Y2 < Y1. The likelihood is maximised by expectation and
maximisation from several starts, then by Newton's method with the observed information, whose inverse is the
covariance of (w, Y1, Y2). A lower yield that ends at 0 is Dolphin's partial-body exposure, and is reported as such.

Source: M. Pujol et al., Radiat Res 185 (2016) 151-162, doi:10.1667/RR14145.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.biodosimetry.counts import CaseCounts, check_case
from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve, check_curve
from braggbook.radiobiology.biodosimetry.dispersion import U_LIMIT, dispersion
from braggbook.radiobiology.biodosimetry.exposure import check_protraction
from braggbook.radiobiology.biodosimetry.partial_body import (
    SURVIVAL_DOSE,
    check_d0,
    within,
    zero_inflated_covariance,
    zero_inflated_poisson,
)
from braggbook.radiobiology.biodosimetry.projection import doses_of_yields
from braggbook.radiobiology.biodosimetry.whole_body import curve_notes
from braggbook.radiobiology.intervals import Interval, check_level, delta_interval

Floats = NDArray[np.float64]

_EM_STEPS = 300
_NEWTON_STEPS = 60
_SETTLED = 1e-11
# Twice the log-likelihood gain over one Poisson distribution below which two are not told apart: 5.99, the 95 %
# quantile of chi-squared with the two parameters that the mixture adds. The true reference is narrower (the null
# lies on the edge), so that this asks for a little more than 5 %.
_GAIN = 5.991
# A lower yield below this share of the mean is on its way to 0.
_NO_YIELD = 1e-6


@dataclass(frozen=True)
class Part:
    """One of the two parts.

    Attributes:
        yield_per_cell: Aberrations per cell (equivalent) of this part.
        yield_interval: Its interval.
        dose_gy: Dose of this part in Gy; 0 when its yield is not above the background.
        dose_interval: Its delta interval.
        scored_fraction: Its share of the scored cells.
        scored_fraction_interval: Its interval, within 0 and 1.
        irradiated_fraction: Its share of the cells before selection by dose.
        irradiated_fraction_interval: Its interval, within 0 and 1.
    """

    yield_per_cell: float
    yield_interval: Interval
    dose_gy: float
    dose_interval: Interval
    scored_fraction: float
    scored_fraction_interval: Interval
    irradiated_fraction: float
    irradiated_fraction_interval: Interval


@dataclass(frozen=True)
class HeterogeneousEstimate:
    """Two parts with two doses.

    Attributes:
        high: The part with the higher yield.
        low: The other part.
        likelihood_ratio: Twice the log-likelihood gained over one Poisson distribution.
        d0_gy: D0 behind the irradiated fractions.
        u: u of the distribution.
        protraction: G of the exposure.
        warnings: What a reader must know, one sentence each.
    """

    high: Part
    low: Part
    likelihood_ratio: float
    d0_gy: float
    u: float
    protraction: float
    warnings: tuple[str, ...] = ()


def estimate_heterogeneous(
    case: CaseCounts,
    curve: CalibrationCurve,
    *,
    d0_gy: float | None = None,
    level: float = 0.95,
    protraction: float = 1.0,
) -> HeterogeneousEstimate:
    """Estimates two doses and the sizes of the two parts.

    Args:
        case: Counts of the case, with their distribution.
        curve: Calibration curve.
        d0_gy: D0 in Gy of the survival to metaphase; the constant ``partial_body.d0_gy`` (2.7) unless given.
        level: Level of the intervals, by the delta method.
        protraction: G of the exposure.

    Raises:
        ScienceError: An argument is not usable, or there is no distribution.
        FitError: The counts are those of one Poisson distribution, or do not determine two.
    """
    check_case(case)
    check_curve(curve)
    check_level(level)
    check_protraction(protraction)
    survival = check_d0(SURVIVAL_DOSE.value if d0_gy is None else d0_gy)
    theta, covariance, gain = two_poissons(case)
    share = case.genome_factor
    scale = np.array([1.0, 1.0 / share, 1.0 / share])
    theta, covariance = theta * scale, covariance * np.outer(scale, scale)
    doses, gradient = _doses(theta, curve, protraction=protraction)
    joint = _joint_covariance(covariance, doses, gradient, curve=curve, protraction=protraction)
    high, low = _parts(theta, doses, covariance=covariance, joint=joint, d0_gy=survival, level=level)
    if theta[2] == 0:
        ceiling = _profile_ceiling(theta, case, level=level) / share
        low = _unexposed(low, ceiling, curve, level=level, protraction=protraction)
    u = dispersion(case).u
    return HeterogeneousEstimate(
        high=high,
        low=low,
        likelihood_ratio=gain,
        d0_gy=survival,
        u=u,
        protraction=float(protraction),
        warnings=(*curve_notes(curve, doses), *_warnings(theta, doses, u=u)),
    )


def _joint_covariance(
    covariance: Floats, doses: Floats, gradient: Floats, *, curve: CalibrationCurve, protraction: float
) -> Floats:
    """Returns the covariance of (w, D1, D2), shape (3, 3); both doses share the curve and its errors."""
    powers = np.array([[1.0, dose, protraction * dose**2] for dose in doses])
    slopes = gradient[[0, 1], [1, 2]]  # dD/dY of each part, 0 where the dose is 0
    joint = np.zeros((3, 3))
    joint[0, 0] = covariance[0, 0]
    joint[0, 1:] = joint[1:, 0] = gradient @ covariance[:, 0]
    joint[1:, 1:] = gradient @ covariance @ gradient.T + np.outer(slopes, slopes) * (
        powers @ curve.covariance @ powers.T
    )
    return joint


def _parts(
    theta: Floats, doses: Floats, *, covariance: Floats, joint: Floats, d0_gy: float, level: float
) -> tuple[Part, Part]:
    weight = float(theta[0])
    total = weight / (weight + (1.0 - weight) * math.exp(-(doses[0] - doses[1]) / d0_gy))
    slope = total * (1.0 - total) * np.array([1.0 / (weight * (1.0 - weight)), 1.0 / d0_gy, -1.0 / d0_gy])
    variance = float(slope @ joint @ slope)

    def part(place: int, scored: float, irradiated: float) -> Part:
        return Part(
            yield_per_cell=float(theta[1 + place]),
            yield_interval=_interval(theta[1 + place], covariance[1 + place, 1 + place], level=level),
            dose_gy=float(doses[place]),
            dose_interval=_interval(doses[place], joint[1 + place, 1 + place], level=level),
            scored_fraction=scored,
            scored_fraction_interval=_interval(scored, covariance[0, 0], level=level, high=1.0),
            irradiated_fraction=irradiated,
            irradiated_fraction_interval=_interval(irradiated, variance, level=level, high=1.0),
        )

    return part(0, weight, total), part(1, 1.0 - weight, 1.0 - total)


def _unexposed(part: Part, ceiling: float, curve: CalibrationCurve, *, level: float, protraction: float) -> Part:
    """Returns a part without aberrations with the upper limits of its yield and dose."""
    dose = float(doses_of_yields(np.array([ceiling]), curve, protraction=protraction)[0])
    method = "profile likelihood, chi2(1)"
    return replace(
        part,
        yield_interval=Interval(0.0, ceiling, level, method),
        dose_interval=Interval(0.0, dose, level, f"{method} of the yield, on the curve"),
    )


def _profile_ceiling(theta: Floats, case: CaseCounts, *, level: float) -> float:
    """Returns the largest lower yield that the counts allow when its best value is 0.

    It may lie above the mean of all cells, where one cell with two aberrations is all that tells the parts apart.
    """
    counts = np.asarray(case.distribution)
    best = theta * np.array([1.0, case.genome_factor, 1.0])
    limit = _log_likelihood(best, counts) - 0.5 * stats.chi2.ppf(level, 1)

    def loss(low: float) -> float:
        start = np.array([best[0], max(best[1], 2.0 * low), low])
        found, value = _expectation_maximisation(counts, start, low_is_known=True)
        if found[2] < low:  # the other part came out lower: none is higher, and all cells have this yield
            value = _log_likelihood(np.array([0.5, low, low]), counts)
        return float(limit - value)

    ceiling = case.aberrations / case.cells
    while loss(ceiling) <= 0:
        ceiling *= 2.0
    return float(optimize.brentq(loss, 0.0, ceiling, xtol=1e-10))


def two_poissons(case: CaseCounts) -> tuple[Floats, Floats, float]:
    """Returns (w, Y1, Y2) with Y1 > Y2, their covariance (3, 3), and twice the log-likelihood gain over one Poisson.

    Where the lower yield is 0 its variance is 0: the maximum is on the edge.

    Raises:
        ScienceError: There is no distribution.
        FitError: The counts are those of one Poisson distribution, or do not determine two.
    """
    if case.distribution is None:
        raise ScienceError("no two doses without a distribution", where=case.name, wanted="c0, c1, c2 ...")
    counts = np.asarray(case.distribution)
    mean = case.aberrations / case.cells
    single = _log_likelihood(np.array([0.5, mean, mean]), counts) if mean > 0 else 0.0
    best = max((_expectation_maximisation(counts, start) for start in _starts(counts)), key=lambda found: found[1])
    theta, value = best
    gain = 2.0 * (value - single)
    if mean == 0 or gain < _GAIN:
        raise FitError(
            "the counts are those of one Poisson distribution: two doses are not told apart",
            where=case.name,
            wanted=f"a likelihood ratio above {_GAIN}",
            got=f"{gain:.3g}",
        )
    if theta[2] <= _NO_YIELD * mean or _edge_is_better(case, counts, value):
        rate, fraction = zero_inflated_poisson(case)
        covariance = np.zeros((3, 3))
        covariance[:2, :2] = zero_inflated_covariance(rate, fraction, cells=case.cells)[::-1, ::-1]
        theta = np.array([fraction, rate, 0.0])
        return theta, covariance, 2.0 * (_log_likelihood(theta, counts) - single)
    theta, covariance = _newton(theta, counts, name=case.name)
    return theta, covariance, 2.0 * (_log_likelihood(theta, counts) - single)


def _edge_is_better(case: CaseCounts, counts: Floats, value: float) -> bool:
    try:
        rate, fraction = zero_inflated_poisson(case)
    except FitError:
        return False
    edge = np.array([fraction, rate, 0.0])
    inside = edge + np.array([0.0, 0.0, 1e-7])  # the likelihood falls from the edge inwards: the edge is the maximum
    at_edge = _log_likelihood(edge, counts)
    return at_edge >= value - 1e-9 and at_edge > _log_likelihood(inside, counts)


def _starts(counts: Floats) -> list[Floats]:
    classes = np.arange(len(counts))
    mean = float(counts @ classes / counts.sum())
    top = float(classes[counts > 0].max(initial=1))
    return [np.array([w, high, low * mean]) for w in (0.2, 0.5, 0.8) for high in (2 * mean, top) for low in (0.1, 0.7)]


def _expectation_maximisation(counts: Floats, start: Floats, *, low_is_known: bool = False) -> tuple[Floats, float]:
    theta = start
    classes = np.arange(len(counts))
    for _ in range(_EM_STEPS):
        first, second = _components(theta, len(counts))
        total = theta[0] * first + (1.0 - theta[0]) * second
        belongs = np.where(total > 0, theta[0] * first / np.where(total > 0, total, 1.0), 0.0)
        high, low = counts * belongs, counts * (1.0 - belongs)
        if high.sum() <= 0 or low.sum() <= 0:
            break
        second_mean = theta[2] if low_is_known else low @ classes / low.sum()
        theta = np.array([high.sum() / counts.sum(), high @ classes / high.sum(), second_mean])
    if theta[1] < theta[2]:
        theta = np.array([1.0 - theta[0], theta[2], theta[1]])
    return theta, _log_likelihood(theta, counts)


def _newton(theta: Floats, counts: Floats, *, name: str) -> tuple[Floats, Floats]:
    """Returns the maximum near theta and the inverse of the observed information there."""
    value = _log_likelihood(theta, counts)
    for _ in range(_NEWTON_STEPS):
        gradient, information = _derivatives(theta, counts)
        spread, directions = np.linalg.eigh(information)
        step = directions @ ((directions.T @ gradient) / np.maximum(np.abs(spread), 1e-8 * np.abs(spread).max()))
        size = 1.0
        while size > 1e-12:
            new = theta + size * step
            if 0 < new[0] < 1 and new[1] > 0 and new[2] > 0 and _log_likelihood(new, counts) >= value - 1e-12:
                break
            size /= 2.0
        theta = theta + size * step
        value = _log_likelihood(theta, counts)
        if np.all(np.abs(size * step) <= _SETTLED * (1.0 + np.abs(theta))):
            break
    gradient, information = _derivatives(theta, counts)
    spread = np.linalg.eigvalsh(information)
    if spread.min() <= 1e-10 * spread.max():
        raise FitError(
            "the counts do not determine two doses", where=name, wanted="a maximum of the likelihood with a curvature"
        )
    return theta, np.asarray(np.linalg.inv(information))


def _derivatives(theta: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Returns gradient and observed information of the log-likelihood in (w, Y1, Y2)."""
    weight, high, low = theta
    first, second = _components(theta, len(counts))
    total = weight * first + (1.0 - weight) * second
    classes = np.arange(len(counts))

    def slopes(mean: float, density: Floats) -> tuple[Floats, Floats]:
        score = classes / mean - 1.0
        return density * score, density * (score**2 - classes / mean**2)

    (d1, dd1), (d2, dd2) = slopes(high, first), slopes(low, second)
    jacobian = np.stack([first - second, weight * d1, (1.0 - weight) * d2])
    hessian = np.zeros((3, 3, len(counts)))
    hessian[0, 1] = hessian[1, 0] = d1
    hessian[0, 2] = hessian[2, 0] = -d2
    hessian[1, 1], hessian[2, 2] = weight * dd1, (1.0 - weight) * dd2
    ratio = np.where(counts > 0, counts / np.where(total > 0, total, 1.0), 0.0)
    gradient = jacobian @ ratio
    squares = (jacobian * np.where(counts > 0, counts / np.where(total > 0, total, 1.0) ** 2, 0.0)) @ jacobian.T
    return gradient, squares - hessian @ ratio


def _components(theta: Floats, size: int) -> tuple[Floats, Floats]:
    classes = np.arange(size)
    logs = [special.xlogy(classes, mean) - mean - special.gammaln(classes + 1.0) for mean in theta[1:]]
    return np.exp(logs[0]), np.exp(logs[1])


def _log_likelihood(theta: Floats, counts: Floats) -> float:
    first, second = _components(theta, len(counts))
    total = theta[0] * first + (1.0 - theta[0]) * second
    if np.any((counts > 0) & (total <= 0)):
        return -math.inf
    return float(np.sum(special.xlogy(counts, np.where(counts > 0, total, 1.0))))


def _doses(theta: Floats, curve: CalibrationCurve, *, protraction: float) -> tuple[Floats, Floats]:
    """Returns both doses and their derivatives by (w, Y1, Y2), shape (2, 3)."""
    doses, gradient = np.zeros(2), np.zeros((2, 3))
    for place, yielded in enumerate(theta[1:]):
        if yielded > curve.background_per_cell:
            doses[place] = float(curve.dose_at(yielded, protraction=protraction))
            gradient[place, 1 + place] = 1.0 / curve.slope_at(doses[place], protraction=protraction)
    return doses, gradient


def _interval(value: float, variance: float, *, level: float, high: float = math.inf) -> Interval:
    if variance <= 0:
        note = "at the edge of the possible values, where the delta method has no interval"
        return Interval(0.0, high, level, "none", bounded=False, note=note)
    return within(delta_interval(value, math.sqrt(variance), level=level), high=high)


def _warnings(theta: Floats, doses: Floats, *, u: float) -> list[str]:
    found = []
    if theta[2] == 0:
        found.append("the lower yield is 0: this is a partial-body exposure, see estimate_partial_body")
    elif doses[1] == 0:
        found.append("the lower yield is not above the background of the curve: its dose is 0 with no lower limit")
    if u <= U_LIMIT:
        found.append(f"u {u:.2f} is not above 1.96: the cells are not overdispersed")
    return found
