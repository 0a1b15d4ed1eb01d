"""Slips that anybody makes with any number: the unit, percent, the sign, the logarithm, the reciprocal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from braggbook.learn.verdict import Verdict, wrong
from braggbook.units import conversion_factor, parse_unit, same_dimension

# Units that a student may have worked in; where two have the same size, the first one is named.
_WORKED_IN = (
    "Gy", "cGy", "mGy", "kGy", "Sv", "mSv", "uSv",
    "1/Gy", "1/cGy", "1/mGy", "1/Gy2", "1/cGy2", "1/mGy2", "Gy2", "cGy2",
    "Gy/s", "Gy/min", "Gy/h", "cGy/min", "mGy/h",
    "m", "cm", "mm", "um", "nm", "1/m", "1/cm", "1/mm", "1/um", "m2", "cm2", "mm2", "um2",
    "m3", "cm3", "mm3", "um3", "L", "mL",
    "s", "ms", "min", "h", "d", "1/s", "1/min", "1/h", "1/d",
    "J", "eV", "keV", "MeV", "GeV", "keV/um", "MeV/mm", "MeV/cm", "eV/nm", "MeV/m", "J/m",
    "MeV cm2/g", "keV/u", "MeV/u",
    "kg", "g", "mg", "ug", "g/cm3", "kg/m3", "Bq", "kBq", "MBq", "GBq", "Bq/mL", "kBq/mL",
    "deg", "rad", "mrad", "Hz", "kHz", "MHz", "Pa", "kPa", "mmHg", "V", "kV", "A", "mA", "C", "nC", "pC",
    "1", "%",
)  # fmt: skip
_PLAIN = ("1", "%")


def near(answer: float, expected: float, *, rtol: float, atol: float) -> bool:
    """Returns whether a number is within ``atol`` plus ``rtol`` times the expected value."""
    return abs(answer - expected) <= atol + rtol * abs(expected)


def all_near(answer: Sequence[float], expected: Sequence[float], *, rtol: float, atol: float) -> bool:
    """Returns whether all numbers are near their counterparts."""
    return len(answer) == len(expected) and all(
        near(a, e, rtol=rtol, atol=atol) for a, e in zip(answer, expected, strict=True)
    )


def recognise(
    answer: Sequence[float], expected: Sequence[float], *, unit: str, given: bool, rtol: float
) -> Verdict | None:
    """Returns the verdict on a slip that turns ``expected`` into ``answer``, or None.

    Args:
        answer: What was handed in, in ``unit`` or, with ``given``, converted to it.
        expected: The right values, in ``unit``.
        unit: What the question asks for.
        given: The student named a unit, so that it is not to be guessed.
        rtol: The question's tolerance.
    """
    if not any(expected):
        return None

    def same(values: Sequence[float | None]) -> bool:
        known = [value for value in values if value is not None]
        return len(known) == len(answer) and all_near(answer, known, rtol=rtol, atol=0.0)

    if not given and (verdict := _other_unit(answer, expected, unit=unit, rtol=rtol)) is not None:
        return verdict
    if same([-value for value in expected]):
        return wrong("The size is right, the sign is not.", "sign")
    log = math.log(10)
    if same([value * log for value in expected]) or same([value / log for value in expected]):
        return wrong(
            "This is off by ln 10 = 2.303: a natural logarithm (`log`) stands where a decimal one (`log10`) belongs, "
            "or the other way round.",
            "natural or decimal logarithm",
        )
    if same([1 / value if value else None for value in expected]):
        return wrong(f"This looks like the reciprocal: its unit would be {_inverse(unit)}.", "reciprocal")
    return None


def _other_unit(answer: Sequence[float], expected: Sequence[float], *, unit: str, rtol: float) -> Verdict | None:
    for other in units_beside(unit):
        factor = conversion_factor(other, unit)
        if all_near([value * factor for value in answer], expected, rtol=rtol, atol=0.0):
            return _said(unit, other)
    return None


def _said(unit: str, other: str) -> Verdict:
    if unit == "1":
        return wrong("This looks like percent; the question asks for a fraction (between 0 and 1).", "percent")
    if unit == "%":
        return wrong("This looks like a fraction; the question asks for percent.", "fraction")
    return wrong(f"This looks like {other}; the question asks for {unit}.", f"unit {other}")


def units_beside(unit: str) -> list[str]:
    """Returns the units of the same quantity and of another size that students work in."""
    size = parse_unit(unit).scale
    pool = _PLAIN if unit in _PLAIN else [other for other in _WORKED_IN if other not in _PLAIN]
    if unit == "HU":  # a pure number by its dimension, but nobody gives it in percent
        return []
    return [u for u in pool if same_dimension(u, unit) and not math.isclose(parse_unit(u).scale, size, rel_tol=1e-9)]


def _inverse(unit: str) -> str:
    if unit in _PLAIN:
        return "1 as well"
    return unit[2:] if unit.startswith("1/") else f"1/({unit})" if any(c in unit for c in " /*.") else f"1/{unit}"
