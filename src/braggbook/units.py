"""Units of measurement: which spellings are accepted, what they measure, how they convert.

Standard library only, so that it also runs in a browser. A unit is written the way SI brochures and UDUNITS do:
factors separated by blanks, ``*`` or ``.``, one or more ``/``, and integer powers as ``Gy2``, ``Gy^2``, ``Gy**2``
or ``Gy-2``. ``1`` is the unit of a pure number. Everything after a slash up to the next factor sign divides:
``keV/um``, ``1/Gy^2``, ``MeV cm2/g``.

Sources: SI brochure (9th edition, 2019) for the SI and the units accepted with it; CODATA 2018 for the electron volt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from braggbook.errors import UnitError, closest

# Exponents of: length, mass, time, current, temperature, amount, angle, absorbed dose, activity, count of things.
# Absorbed dose, dose equivalent and activity get dimensions of their own on purpose: a gray is not a sievert and a
# becquerel is not a hertz, whatever their SI base units say.
_BASES = (
    "length",
    "mass",
    "time",
    "current",
    "temperature",
    "amount",
    "angle",
    "dose",
    "equivalent",
    "activity",
)
_ELECTRON_VOLT_J = 1.602176634e-19  # CODATA 2018, exact


def _dimension(**powers: int) -> tuple[int, ...]:
    return tuple(powers.get(base, 0) for base in _BASES)


_ENERGY = _dimension(length=2, mass=1, time=-2)
_UNITS: dict[str, tuple[float, tuple[int, ...]]] = {
    "1": (1.0, _dimension()),
    "%": (0.01, _dimension()),
    "m": (1.0, _dimension(length=1)),
    "g": (1e-3, _dimension(mass=1)),
    "u": (1.66053906660e-27, _dimension(mass=1)),
    "s": (1.0, _dimension(time=1)),
    "min": (60.0, _dimension(time=1)),
    "h": (3600.0, _dimension(time=1)),
    "d": (86400.0, _dimension(time=1)),
    "A": (1.0, _dimension(current=1)),
    "K": (1.0, _dimension(temperature=1)),
    "mol": (1.0, _dimension(amount=1)),
    "rad": (1.0, _dimension(angle=1)),
    "deg": (0.017453292519943295, _dimension(angle=1)),
    "Gy": (1.0, _dimension(dose=1)),
    "Sv": (1.0, _dimension(equivalent=1)),
    "Bq": (1.0, _dimension(activity=1)),
    "Hz": (1.0, _dimension(time=-1)),
    "N": (1.0, _dimension(length=1, mass=1, time=-2)),
    "Pa": (1.0, _dimension(length=-1, mass=1, time=-2)),
    "mmHg": (133.322387415, _dimension(length=-1, mass=1, time=-2)),
    "J": (1.0, _ENERGY),
    "eV": (_ELECTRON_VOLT_J, _ENERGY),
    "W": (1.0, _dimension(length=2, mass=1, time=-3)),
    "C": (1.0, _dimension(time=1, current=1)),
    "V": (1.0, _dimension(length=2, mass=1, time=-3, current=-1)),
    "T": (1.0, _dimension(mass=1, time=-2, current=-1)),
    "L": (1e-3, _dimension(length=3)),
    "l": (1e-3, _dimension(length=3)),  # the SI has both; DICOM and UCUM write g/ml
    "HU": (1.0, _dimension()),
}
_PREFIXES = {
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "c": 1e-2,
    "d": 1e-1,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
}
_PREFIXED = {
    "m",
    "g",
    "s",
    "A",
    "K",
    "mol",
    "rad",
    "Gy",
    "Sv",
    "Bq",
    "Hz",
    "N",
    "Pa",
    "J",
    "eV",
    "W",
    "C",
    "V",
    "T",
    "L",
    "l",
}
_FACTOR = re.compile(r"(?P<symbol>%|1(?!\d)|[A-Za-z]+)(?:(?:\^|\*\*)?(?P<power>[+-]?\d)(?!\d))?")  # "10 Gy" is no unit
_SIZES = (1e-150, 1e150)  # of a unit in SI; between any two of them a factor is a finite number
_SPELLINGS = str.maketrans({"µ": "u", "μ": "u", "·": "*", "⋅": "*", "−": "-", "²": "2", "³": "3", "⁻": "-", "¹": "1"})


@dataclass(frozen=True)
class Unit:
    """A unit: its spelling, its size in coherent SI units and its dimension (exponents of the base quantities)."""

    text: str
    scale: float
    dimension: tuple[int, ...]


def parse_unit(text: str) -> Unit:
    """Reads a unit.

    Raises:
        UnitError: The spelling is not understood; the message names the part and the closest known symbols.
    """
    if not isinstance(text, str):
        raise UnitError("not a unit", wanted="a text, for example Gy, 1/Gy, keV/um, 1", got=repr(text))
    return _parsed(text)


@lru_cache(maxsize=512)
def _parsed(text: str) -> Unit:
    rest = text.translate(_SPELLINGS).strip()
    scale, dimension, sign, position = 1.0, list(_dimension()), 1, 0
    while position < len(rest):
        if rest[position] in " *./":
            sign = -1 if rest[position] == "/" else sign
            position += 1
            continue
        match = _FACTOR.match(rest, position)
        if match is None:
            raise UnitError(
                "not a unit", where=repr(text), wanted="for example Gy, 1/Gy, keV/um, 1", got=rest[position:]
            )
        size, powers = _symbol(match["symbol"], text)
        exponent = sign * int(match["power"] or 1)
        scale *= size**exponent
        dimension = [have + exponent * power for have, power in zip(dimension, powers, strict=True)]
        sign, position = 1, match.end()
    if sign < 0 or not rest.strip(" *./"):
        raise UnitError("not a unit", where=repr(text), wanted="for example Gy, 1/Gy, keV/um; 1 for a pure number")
    if not _SIZES[0] < scale < _SIZES[1]:
        raise UnitError("a unit of no possible size", where=repr(text), wanted="for example Gy, 1/Gy, keV/um, 1")
    return Unit(text, scale, tuple(dimension))


def _symbol(symbol: str, text: str) -> tuple[float, tuple[int, ...]]:
    if symbol in _UNITS:
        return _UNITS[symbol]
    prefix, base = symbol[:1], symbol[1:]
    if prefix in _PREFIXES and base in _PREFIXED:
        size, dimension = _UNITS[base]
        return _PREFIXES[prefix] * size, dimension
    known = [*_UNITS, *(p + b for p in _PREFIXES for b in _PREFIXED)]
    raise UnitError(f"unknown unit {symbol!r}", where=repr(text), wanted=closest(symbol, known))


def same_dimension(first: str, second: str) -> bool:
    """Returns whether two units measure the same kind of quantity."""
    return parse_unit(first).dimension == parse_unit(second).dimension


def same_unit(first: str, second: str) -> bool:
    """Returns whether two spellings mean the same unit (``1/Gy`` and ``Gy-1``, but not ``Gy`` and ``cGy``)."""
    one, other = parse_unit(first), parse_unit(second)
    return one.dimension == other.dimension and abs(one.scale / other.scale - 1) < _ROUNDING


_ROUNDING = 1e-12  # two spellings multiply the same factors in another order


def conversion_factor(source: str, target: str) -> float:
    """Returns the number by which a value in ``source`` is multiplied to be in ``target``.

    Raises:
        UnitError: One of them is unknown, or they measure different quantities.
    """
    one, other = parse_unit(source), parse_unit(target)
    if one.dimension != other.dimension:
        raise UnitError("cannot convert between different quantities", wanted=target, got=source)
    factor = one.scale / other.scale
    rounded = round(factor) if factor >= 1 else 1 / round(1 / factor)
    return float(rounded) if abs(factor / rounded - 1) < _ROUNDING else factor
