"""LET in one unit: keV/um, whatever unit a program wrote it in.

SHIELD-HIT12A and many tables have MeV/cm (ten times the number), TOPAS has MeV/mm/(g/cm3) (times the density, times
one), stopping power tables have MeV cm2/g (times the density, a tenth). A number without its unit is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from braggbook.errors import ScienceError, UnitError
from braggbook.radiobiology.arguments import ABOVE_ZERO, FINITE, NOT_NEGATIVE, Floats, checked, checked_scalars
from braggbook.units import conversion_factor, parse_unit, same_dimension

LET_UNIT = "keV/um"
_MASS_UNIT = "MeV cm2/g"
_KEV_UM_AT_UNIT_DENSITY = 0.1  # 1 MeV cm2/g at 1 g/cm3 is 1 MeV/cm
# The maximum of the stopping power of water for protons in PSTAR (817 MeV cm2/g near 80 keV) and its value at 1 GeV.
_LARGEST_PROTON_LET = 82.0
_SMALLEST_PROTON_LET = 0.22


def let_in_kev_um(values: Any, *, unit: str, density_g_cm3: float | None = None) -> Floats:
    """Returns LET or mass stopping power as LET in keV/um.

    Args:
        values: Numbers in ``unit``, any shape, none negative.
        unit: A unit of energy per length (``MeV/cm``), or of mass stopping power (``MeV cm2/g``).
        density_g_cm3: Density of the medium that the LET refers to; for mass stopping power only, and needed there.

    Raises:
        ScienceError: A value is negative or not a number; a density is missing, or given where it has no meaning.
        UnitError: The unit is neither of the two kinds.
    """
    (numbers,) = checked({f"LET in {unit}": (values, NOT_NEGATIVE)})
    if same_dimension(unit, LET_UNIT):
        if density_g_cm3 is not None:
            raise ScienceError(
                "a density for a LET per length", wanted="none: it is per length already", got=f"{density_g_cm3} g/cm3"
            )
        return np.asarray(numbers * conversion_factor(unit, LET_UNIT))[()]
    if not same_dimension(unit, _MASS_UNIT):
        raise UnitError("not a unit of LET", wanted=f"{LET_UNIT}, MeV/cm or {_MASS_UNIT}", got=unit)
    if density_g_cm3 is None:
        raise ScienceError(
            "a mass stopping power has no LET without a density", where=unit, wanted="density_g_cm3= of the medium"
        )
    (density,) = checked_scalars({"density_g_cm3": (density_g_cm3, ABOVE_ZERO)})
    return np.asarray(numbers * conversion_factor(unit, _MASS_UNIT) * density * _KEV_UM_AT_UNIT_DENSITY)[()]


def proton_let_warnings(let_kev_um: Any, *, what: str) -> tuple[str, ...]:
    """Returns what is suspicious about the LET of protons in water: values that no proton has.

    Args:
        let_kev_um: LET in keV/um, any shape; 0 (no proton there) is passed over.
        what: What they are, for the text.
    """
    (numbers,) = checked({what: (let_kev_um, FINITE)})
    scored = numbers[numbers > 0]
    found = []
    if np.any(scored > _LARGEST_PROTON_LET):
        found.append(
            f"{what}: up to {scored.max():.4g} keV/um, where no proton in water has more than "
            f"{_LARGEST_PROTON_LET:g}; heavier particles, a denser medium, or MeV/cm read as keV/um?"
        )
    if np.any(scored < _SMALLEST_PROTON_LET):
        found.append(
            f"{what}: down to {scored.min():.4g} keV/um, where no proton below 1 GeV in water has less than "
            f"{_SMALLEST_PROTON_LET:g}; MeV/mm read as keV/um, or a wrong density?"
        )
    return tuple(found)


def dose_factor(source: str, target: str) -> float:
    """Returns the factor between two units, energy per mass being dose: ``MeV/g`` to ``Gy`` is 1.602e-10.

    Raises:
        UnitError: One is unknown, or they measure different quantities.
    """
    if same_dimension(source, target):
        return conversion_factor(source, target)
    if same_dimension(source, "J/kg") and same_dimension(target, "Gy"):
        return conversion_factor(source, "J/kg") * conversion_factor("Gy", target)
    if same_dimension(source, "Gy") and same_dimension(target, "J/kg"):
        return conversion_factor(source, "Gy") * conversion_factor("J/kg", target)
    raise UnitError(
        "cannot convert between different quantities", wanted=parse_unit(target).text, got=parse_unit(source).text
    )
