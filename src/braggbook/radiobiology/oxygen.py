"""Oxygen enhancement: how much less dose the same effect takes when oxygen is there.

Sources: T. Alper and P. Howard-Flanders, Nature 178 (1956) 978-979, doi:10.1038/178978a0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from braggbook.radiobiology.arguments import ABOVE_ZERO, ABOVE_ZERO_OR_INFINITE, NOT_NEGATIVE, Floats, Rule, checked
from braggbook.radiobiology.constants import Source, constant

__all__ = ["oxygen_dose_factor", "oxygen_enhancement"]

_COMMON = Source(
    "common use",
    "rounded value in common use with the form of T. Alper and P. Howard-Flanders, Nature 178 (1956) 978-979, "
    "doi:10.1038/178978a0, whose own fit was not read",
)

MAXIMUM = constant(
    "alper.oer_maximum",
    unit="1",
    readings={_COMMON: 3.0},
    note="mammalian cells have about 2.5 to 3.5, less at low dose and high LET",
)
HALF_PRESSURE = constant(
    "alper.half_pressure",
    unit="mmHg",
    readings={_COMMON: 3.0},
    note="the pressure at which the OER is half way between 1 and its maximum",
)

_AT_LEAST_ONE = Rule("a number from 1 to 1000", lambda x: (x >= 1) & (x <= 1e3))


def oxygen_enhancement(
    pressure_mmhg: ArrayLike, *, maximum: ArrayLike | None = None, half_pressure_mmhg: ArrayLike | None = None
) -> Floats:
    """Returns OER(p) = (m p + K) / (p + K): the dose without oxygen over the dose with it, at equal effect.

    Args:
        pressure_mmhg: Partial pressure p of oxygen at the cells in mmHg, 0 or more, any shape; may be infinite.
        maximum: m, the OER at full oxygen, 1 or more; None for ``alper.oer_maximum``.
        half_pressure_mmhg: K, at which the OER is half way between 1 and m, above 0; None for
            ``alper.half_pressure``.

    Returns:
        OER in the common shape: 1 without oxygen.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    pressure, largest, half = checked(
        {
            "pressure_mmhg": (pressure_mmhg, Rule(NOT_NEGATIVE.wanted, lambda x: x >= 0)),
            "maximum": (MAXIMUM.value if maximum is None else maximum, _AT_LEAST_ONE),
            "half_pressure_mmhg": (
                HALF_PRESSURE.value if half_pressure_mmhg is None else half_pressure_mmhg,
                ABOVE_ZERO,
            ),
        }
    )
    return np.asarray(largest - (largest - 1.0) * half / (pressure + half))[()]


def oxygen_dose_factor(
    pressure_mmhg: ArrayLike, *, maximum: ArrayLike | None = None, half_pressure_mmhg: ArrayLike | None = None
) -> Floats:
    """Returns OER(p) / m: what a dose at this pressure counts, relative to full oxygen; 1/m to 1.

    Multiplied into the dose, it gives the survival of hypoxic cells from coefficients of well-oxygenated ones:
    alpha is modified once and beta by the square.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    at = oxygen_enhancement(pressure_mmhg, maximum=maximum, half_pressure_mmhg=half_pressure_mmhg)
    enough = MAXIMUM.value if maximum is None else maximum
    ratio, full = checked({"oer": (at, ABOVE_ZERO), "maximum": (enough, ABOVE_ZERO_OR_INFINITE)})
    return np.asarray(ratio / full)[()]
