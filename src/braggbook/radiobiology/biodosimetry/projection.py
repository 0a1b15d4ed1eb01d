"""Where a yield crosses a calibration curve or its confidence band: the geometry behind every dose interval.

A band crosses a yield y where Y(D) - y = -+ R s(D). Squared, (Y(D) - y)^2 = R^2 s^2(D) is a polynomial of degree 4
in D (degree 2 for a linear curve), whose roots are found exactly, for many yields at once.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve

Floats = NDArray[np.float64]
Side = Literal["lower", "upper"]

# A root of the quartic counts as real when its imaginary part is rounding (a double root splits by sqrt(epsilon)).
_REAL = 1e-7
# A protraction factor below this (an exposure of centuries) leaves no quadratic term that any dose could show.
_NO_CURVATURE = 1e-12
# A root belongs to the other band when the curve there is on the wrong side of the yield by more than rounding.
_SIDE = 1e-9
# Newton steps that take the last digits back which the companion matrix lost.
_POLISH = 4


def doses_of_yields(yields: Floats, curve: CalibrationCurve, *, protraction: float) -> Floats:
    """Returns the dose of each yield on the curve, shape (n,); 0 at or below the background, inf above all of it."""
    excess = np.maximum(yields - curve.background_per_cell, 0.0)
    curvature = curve.beta_per_gy2 * protraction
    denominator = curve.alpha_per_gy + np.sqrt(curve.alpha_per_gy**2 + 4.0 * curvature * excess)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(excess == 0, 0.0, 2.0 * excess / denominator)


def band_crossings(yields: Floats, curve: CalibrationCurve, *, side: Side, factor: float, protraction: float) -> Floats:
    """Returns the dose at which the lower or upper band first has each yield, shape (n,).

    The band is the curve -+ factor times its standard error. Where it lies above the yield already at dose 0 the
    dose is 0; where it never reaches the yield, it is inf.

    Args:
        yields: Yields per cell, shape (n,), finite.
        curve: The curve.
        side: Which limit of the band.
        factor: Multiple of the standard error, 0 or more.
        protraction: G, from 0 to 1.
    """
    sign = -1.0 if side == "lower" else 1.0
    if factor == 0 or curve.estimated == 0:
        return doses_of_yields(yields, curve, protraction=protraction)
    if protraction < _NO_CURVATURE:
        protraction = 0.0
    line = curve.coefficients * np.array([1.0, 1.0, protraction])  # in powers of D
    scaled = curve.covariance * np.outer([1.0, 1.0, protraction], [1.0, 1.0, protraction])
    variance = np.array([np.fliplr(scaled).trace(offset) for offset in range(2, -3, -1)])
    roots = _real_roots(yields, line, factor**2 * variance)
    middle = np.polynomial.polynomial.polyval(np.where(np.isfinite(roots), roots, 0.0), line)
    other_side = sign * (yields[:, None] - middle) < -_SIDE * yields[:, None]
    roots = np.where(other_side, np.inf, roots).min(axis=1)
    start = line[0] + sign * factor * np.sqrt(variance[0])
    crossed = _polished(roots, yields, line=line, variance=variance, shift=sign * factor)
    return np.where(start >= yields, 0.0, crossed)


def _real_roots(yields: Floats, line: Floats, spread: Floats) -> Floats:
    """Returns the roots of (line(D) - y)^2 - spread(D) that are real and not negative, others as inf."""
    square = np.convolve(line, line) - spread
    polynomial = np.tile(square, (len(yields), 1))
    polynomial[:, :3] -= 2.0 * yields[:, None] * line
    polynomial[:, 0] += yields**2
    degree = 4 if np.any(polynomial[:, 3:] != 0) else 2
    polynomial = polynomial[:, : degree + 1]
    leading = polynomial[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        monic = polynomial[:, :-1] / leading
    good = np.all(np.isfinite(monic), axis=1)
    companion = np.zeros((len(yields), degree, degree))
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1.0
    companion[good, :, -1] = -monic[good]
    roots = np.linalg.eigvals(companion)
    real = np.where(np.abs(roots.imag) <= _REAL * np.maximum(1.0, np.abs(roots)), roots.real, np.inf)
    return np.where((real >= 0) & good[:, None], real, np.inf)


def _polished(doses: Floats, yields: Floats, *, line: Floats, variance: Floats, shift: float) -> Floats:
    """Improves finite crossings by Newton's method on line(D) + shift s(D) - y, where that makes them better."""
    known = np.isfinite(doses)
    polynomial = np.polynomial.polynomial
    x = np.where(known, doses, 1.0)
    slope, change = polynomial.polyder(line), polynomial.polyder(variance)

    def miss(dose: Floats) -> Floats:
        error = np.sqrt(np.maximum(polynomial.polyval(dose, variance), 0.0))
        return np.asarray(polynomial.polyval(dose, line) + shift * error - yields)

    for _ in range(_POLISH):
        error = np.sqrt(np.maximum(polynomial.polyval(x, variance), np.finfo(np.float64).tiny))
        gradient = polynomial.polyval(x, slope) + shift * polynomial.polyval(x, change) / (2.0 * error)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = miss(x) / gradient
        new = np.where(np.isfinite(step), x - step, x)
        better = (new >= 0) & (np.abs(miss(np.maximum(new, 0.0))) < np.abs(miss(x)))
        x = np.where(better, new, x)
    return np.where(known, x, np.inf)
