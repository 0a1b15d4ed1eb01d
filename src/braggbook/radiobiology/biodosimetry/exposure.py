"""Dose protraction: the factor G(x) on the quadratic term of the yield.

Two lesions make a dicentric only if the second comes before the first is repaired. For a constant dose rate over
the time t, and breaks that live t0 on average, the quadratic term is multiplied by

    G(x) = 2 (x - 1 + exp(-x)) / x^2,   x = t / t0,

which is 1 for an acute exposure and 0 for a very long one. t0 is a mean lifetime, not a half-time: it is the
half-time divided by ln 2.

Source: D. E. Lea and D. G. Catcheside, J Genet 44 (1942) 216-245, doi:10.1007/BF02982830.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import ABOVE_ZERO, FRACTION, Rule, as_numbers, checked, checked_scalars, shortened
from braggbook.radiobiology.constants import Source, constant
from braggbook.radiobiology.linear_quadratic import protraction_at_constant_rate

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

_DURATION = Rule("hours, 0 or more, which may be infinite", lambda x: x >= 0)


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
    time, mean = checked({"exposure_h": (exposure_h, _DURATION), "break_lifetime_h": (lifetime, ABOVE_ZERO)})
    return protraction_at_constant_rate(time / mean)[()]


def check_protraction(value: float) -> float:
    """Returns a protraction factor, or raises ScienceError when it is not a number from 0 to 1."""
    return checked_scalars({"protraction": (value, FRACTION)})[0]


def number_array(value: ArrayLike, *, name: str) -> Floats:
    """Returns a number or array of numbers as floats, or raises ScienceError for text and the like."""
    array = as_numbers(value)
    if array is None:
        raise ScienceError("not numbers", where=name, wanted="numbers", got=shortened(value))
    return array
