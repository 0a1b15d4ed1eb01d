"""Dose protraction: the factor G(x) on the quadratic term of the yield.

Two lesions make a dicentric only if the second comes before the first is repaired. For a constant dose rate over
the time t, and breaks that live t0 on average, the quadratic term is multiplied by

    G(x) = 2 (x - 1 + exp(-x)) / x^2,   x = t / t0,

which is 1 for an acute exposure and 0 for a very long one. t0 is a mean lifetime, not a half-time: it is the
half-time divided by ln 2.

Source: D. E. Lea and D. G. Catcheside, J Genet 44 (1942) 216-245, doi:10.1007/BF02982830.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.constants import Source, constant

Floats = NDArray[np.float64]

_MANUAL = Source(
    "IAEA 2011",
    "IAEA, Cytogenetic Dosimetry: Applications in Preparedness for and Response to Radiation Emergencies, "
    "EPR-Biodosimetry 2011, Vienna 2011 (as the help of biodosetools cites it: of the order of 2 h)",
)
_BIODOSETOOLS = Source("biodosetools", "R package biodosetools 3.7.2, default of protracted_g_function")
BREAK_LIFETIME = constant(
    "dicentrics.break_lifetime_h",
    unit="h",
    readings={_MANUAL: 2.0, _BIODOSETOOLS: 2.0},
    note="Mean lifetime of the breaks, not their half-time (which would be 1.39 h).",
)

# Below this x the closed form loses more digits by cancellation (1e-16 / x) than its series leaves out (x^5 / 2520).
_SMALL = 5e-3


def protraction_factor(exposure_h: ArrayLike, *, break_lifetime_h: float | None = None) -> Floats:
    """Returns Lea and Catcheside's G(x) for a constant dose rate.

    Args:
        exposure_h: Duration of the exposure in hours, 0 or more; ``inf`` is allowed. Any shape.
        break_lifetime_h: Mean lifetime of the breaks in hours; the constant ``dicentrics.break_lifetime_h`` (2 h)
            unless given.

    Returns:
        G, between 0 and 1, in the shape of ``exposure_h``.

    Raises:
        ScienceError: A time is negative or not a number.
    """
    lifetime = BREAK_LIFETIME.value if break_lifetime_h is None else break_lifetime_h
    time = number_array(exposure_h, name="exposure_h")
    issues = []
    if not (isinstance(lifetime, int | float | np.number) and math.isfinite(lifetime) and lifetime > 0):
        issues.append(Issue("not usable", where="break_lifetime_h", wanted="hours above 0", got=repr(lifetime)))
    if not np.all(time >= 0):
        issues.append(Issue("not usable", where="exposure_h", wanted="hours, 0 or more", got=str(time)))
    if issues:
        raise ScienceError("the exposure is not usable", issues=issues)
    x = np.asarray(time / lifetime)
    with np.errstate(over="ignore", invalid="ignore"):
        series = 1.0 - x / 3.0 + x**2 / 12.0 - x**3 / 60.0 + x**4 / 360.0
    with np.errstate(divide="ignore", invalid="ignore"):
        closed = 2.0 * (x + np.expm1(-x)) / x / x
    return np.asarray(np.where(np.isinf(x), 0.0, np.where(x < _SMALL, series, closed)))[()]


def check_protraction(value: float) -> float:
    """Returns a protraction factor, or raises ScienceError when it is not between 0 and 1."""
    if isinstance(value, bool) or not (isinstance(value, int | float | np.number) and 0 <= float(value) <= 1):
        raise ScienceError("not a protraction factor G", wanted="a number from 0 to 1", got=repr(value))
    return float(value)


def number_array(value: ArrayLike, *, name: str) -> Floats:
    """Returns a number or array of numbers as floats, or raises ScienceError for text and the like."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScienceError("not numbers", where=name, wanted="numbers", got=repr(value)) from None
