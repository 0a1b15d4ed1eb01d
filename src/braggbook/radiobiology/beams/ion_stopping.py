"""Stopping power (LET) of ions from hydrogen to neon in liquid water, and the energies that have a given LET.

Energy is per atomic mass unit (MeV/u); LET is the unrestricted electronic stopping power in liquid water of
1 g/cm3, in keV/um. Two sources, by name:

- ``"mstar"`` (the default): the tables of MSTAR 3.12 (H. Paul and A. Schinner), 0.1 to 1000 MeV/u, 89 energies per ion,
  as the package pymkm 1.0.0 distributes them. Nodes are reproduced as they are; between them the logarithm of LET
  follows a monotone cubic (PCHIP) of the logarithm of energy. Nothing is extrapolated.
- ``"barkas"``: the stopping power of the proton at the same velocity times the squared ratio of effective charges,
  z = Z [1 - exp(-125 beta Z^(-2/3))] (W. H. Barkas, Nuclear Research Emulsions, vol. 1, 1963). For comparison.

The unit trap: such tables are distributed in MeV/cm, which is a tenth of a keV/um, and a hundred MeV/cm looks like a
plausible LET. :func:`let_kev_um_from_mev_cm` converts, and :func:`check_let` refuses a LET that no such ion has.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import interpolate

from braggbook.errors import Issue, ScienceError, unknown_name
from braggbook.radiobiology.arguments import ABOVE_ZERO, checked, checked_scalars, within
from braggbook.radiobiology.constants import Source, constant

Floats = NDArray[np.float64]

ION_SYMBOLS = ("H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne")
SOURCES = ("mstar", "barkas")
KEV_UM_PER_MEV_CM = 0.1
ATOMIC_MASS_UNIT_MEV = 931.494  # CODATA 2018, 931.494 102 42; more digits than any track model has

_NAMES = (
    "hydrogen",
    "helium",
    "lithium",
    "beryllium",
    "boron",
    "carbon",
    "nitrogen",
    "oxygen",
    "fluorine",
    "neon",
)
_OTHER_NAMES = {"p": 1, "proton": 1, "alpha": 2}
_MASS_NUMBERS = (1, 4, 7, 9, 10, 12, 14, 16, 19, 20)  # of the isotopes that the tables are for
_FILE = "ion_stopping_mstar.csv"
# Published tables of one ion differ by some per cent, at the peak by up to 15 per cent; a slip of the unit is tenfold.
_LARGEST_FACTOR = 1.5

BARKAS = Source("Barkas 1963", "W. H. Barkas, Nuclear Research Emulsions, vol. 1, Academic Press (1963)")
PYMKM = Source(
    "pymkm", "pymkm 1.0.0, pymkm/physics/particle_track.py, https://github.com/BeppeMagro/pymkm (MIT licence)"
)
SURVIVAL = Source(
    "Survival", "Survival (INFN Torino), src/Track_KieferChatterjee.cpp, https://github.com/batuff/Survival"
)

_EFFECTIVE_CHARGE = constant(
    "effective_charge.velocity_factor",
    unit="1",
    readings={BARKAS: 125.0, PYMKM: 125.0, SURVIVAL: 125.0},
    note="z = Z [1 - exp(-125 beta Z^(-2/3))]; the book was not read, the two programs name it or its formula",
)


def atomic_number(ion: str | int) -> int:
    """Returns the atomic number, 1 to 10, of an ion: its symbol ("C"), isotope ("12C"), name ("carbon") or number.

    Raises:
        UnknownName: It is none of the ions from hydrogen to neon that the tables are for.
    """
    known = {symbol.lower(): number for number, symbol in enumerate(ION_SYMBOLS, start=1)}
    known |= {name: number for number, name in enumerate(_NAMES, start=1)}
    known |= {f"{_MASS_NUMBERS[number - 1]}{ION_SYMBOLS[number - 1].lower()}": number for number in known.values()}
    known |= _OTHER_NAMES
    if isinstance(ion, int | np.integer) and not isinstance(ion, bool) and 1 <= ion <= len(ION_SYMBOLS):
        return int(ion)
    if isinstance(ion, str) and ion.strip().lower() in known:
        return known[ion.strip().lower()]
    raise unknown_name("ion", str(ion), [*ION_SYMBOLS, *_NAMES, "12C"])


def relative_velocity(energy_mev_u: ArrayLike) -> Floats:
    """Returns v/c at a kinetic energy in MeV/u: sqrt(1 - 1 / (1 + E / 931.494)^2).

    Raises:
        ScienceError: An energy is not a finite number above 0.
    """
    (energy,) = checked({"energy_mev_u": (energy_mev_u, ABOVE_ZERO)})
    tau = energy / ATOMIC_MASS_UNIT_MEV
    return np.asarray(np.sqrt(tau * (tau + 2.0)) / (1.0 + tau))[()]


def effective_charge(ion: str | int, energy_mev_u: ArrayLike) -> Floats:
    """Returns the effective charge Z [1 - exp(-125 beta Z^(-2/3))] of an ion at an energy in MeV/u (Barkas 1963).

    Raises:
        UnknownName: There is no such ion.
        ScienceError: An energy is not a finite number above 0.
    """
    z = atomic_number(ion)
    beta = relative_velocity(energy_mev_u)
    return np.asarray(-z * np.expm1(-_EFFECTIVE_CHARGE.value * beta * z ** (-2.0 / 3.0)))[()]


def ion_stopping_power(ion: str | int, energy_mev_u: ArrayLike, *, source: str = "mstar") -> Floats:
    """Returns the stopping power (unrestricted LET) of an ion in liquid water, in keV/um.

    Args:
        ion: Symbol, isotope, name or atomic number, hydrogen to neon.
        energy_mev_u: Kinetic energy in MeV/u, any shape, within the table (0.1 to 1000 MeV/u).
        source: "mstar" (the table of the ion) or "barkas" (the proton's table scaled by effective charge).

    Raises:
        UnknownName: There is no such ion or source.
        ScienceError: An energy is not a finite number above 0, or outside the table; each is named.
    """
    z = atomic_number(ion)
    if not isinstance(source, str) or source not in SOURCES:
        raise unknown_name("source of ion stopping powers", str(source), SOURCES)
    nodes = ion_energies_mev_u()
    in_table = within(nodes[0], nodes[-1], of="MeV/u, the range of the table")
    (energy,) = checked({"energy_mev_u": (energy_mev_u, in_table)})
    if source == "mstar":
        return np.asarray(np.exp(_log_let(z)(np.log(energy))), dtype=np.float64)[()]
    proton = np.exp(_log_let(1)(np.log(energy)))
    return np.asarray(proton * (effective_charge(z, energy) / effective_charge(1, energy)) ** 2)[()]


def energies_at_let(ion: str | int, let_kev_um: float) -> Floats:
    """Returns every energy in MeV/u, ascending, at which an ion has this LET in liquid water (source "mstar").

    Stopping power rises to a peak and falls again: a LET may belong to two energies, one on either side.

    Raises:
        UnknownName: There is no such ion.
        ScienceError: The LET is not a finite number above 0, or the ion nowhere has it between 0.1 and 1000 MeV/u.
    """
    z = atomic_number(ion)
    (let,) = checked_scalars({"let_kev_um": (let_kev_um, ABOVE_ZERO)})  # one: each may have several energies
    _require_let_in_table(z, let)
    roots = np.sort(_log_let(z).solve(np.log(let), extrapolate=False))
    found = np.exp(roots[np.isfinite(roots)])
    distinct = np.concatenate([[True], np.diff(found) > 1e-9 * found[:-1]])  # a node belongs to the two pieces it joins
    return np.asarray(found[distinct], dtype=np.float64)


def ion_energies_mev_u() -> Floats:
    """Returns the energies of the table's nodes in MeV/u, ascending, shape (89,)."""
    return _table().index.to_numpy(dtype=np.float64).copy()


def let_kev_um_from_mev_cm(let_mev_cm: ArrayLike) -> Floats:
    """Converts LET from MeV/cm to keV/um: divides by ten.

    Raises:
        ScienceError: A LET is not a finite number above 0.
    """
    (let,) = checked({"let_mev_cm": (let_mev_cm, ABOVE_ZERO)})
    return np.asarray(KEV_UM_PER_MEV_CM * let)[()]


def check_let(ion: str | int, energy_mev_u: ArrayLike, *, let_kev_um: ArrayLike) -> Floats:
    """Returns a LET that was measured or taken from elsewhere, if an ion of this energy can have it.

    The table is the yardstick. A LET that differs from it by more than half is refused; one of the wrong unit is
    ten times too large or too small, and the message says so. Outside the table there is no yardstick.

    Raises:
        UnknownName: There is no such ion.
        ScienceError: A LET is not a finite number above 0, or not that of the ion; each is named.
    """
    z = atomic_number(ion)
    energy, let = checked({"energy_mev_u": (energy_mev_u, ABOVE_ZERO), "let_kev_um": (let_kev_um, ABOVE_ZERO)})
    nodes = ion_energies_mev_u()
    expected = np.exp(_log_let(z)(np.log(np.clip(energy, nodes[0], nodes[-1]))))
    ratio = let / expected
    inside = (energy >= nodes[0]) & (energy <= nodes[-1])
    bad = inside & (np.maximum(ratio, 1.0 / ratio) > _LARGEST_FACTOR)
    if np.any(bad):
        issues = []
        for index in np.argwhere(np.atleast_1d(bad)):
            at, found, x, times = (float(np.atleast_1d(a)[tuple(index)]) for a in (energy, let, expected, ratio))
            slip = " (is it in MeV/cm?)" if 10 / _LARGEST_FACTOR < times < 10 * _LARGEST_FACTOR else ""
            where = f"element {', '.join(map(str, index + 1))}" if np.ndim(bad) else "let_kev_um"
            issues.append(
                Issue(
                    f"not the LET of {ION_SYMBOLS[z - 1]} at {at:g} MeV/u",
                    where=where,
                    wanted=f"about {x:.4g} keV/um",
                    got=f"{found:g} keV/um{slip}",
                )
            )
        raise ScienceError("a LET does not belong to its ion and energy", issues=issues)
    return np.asarray(let, dtype=np.float64)[()]


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    """Returns the table in keV/um: one row per energy in MeV/u, one column per ion."""
    with resources.files("braggbook.radiobiology.beams").joinpath(_FILE).open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#", index_col="energy_mev_u")


@lru_cache(maxsize=len(ION_SYMBOLS))
def _log_let(z: int) -> interpolate.PchipInterpolator:
    """Returns ln(LET in keV/um) as a function of ln(energy in MeV/u)."""
    table = _table()[ION_SYMBOLS[z - 1]]
    return interpolate.PchipInterpolator(np.log(table.index.to_numpy()), np.log(table.to_numpy()), extrapolate=False)


def _require_let_in_table(z: int, let: float) -> None:
    column = _table()[ION_SYMBOLS[z - 1]].to_numpy()
    low, high = float(column.min()), float(column.max())
    if not low <= let <= high:
        hint = " (is it in MeV/cm?)" if low <= let * KEV_UM_PER_MEV_CM <= high else ""
        raise ScienceError(
            f"{ION_SYMBOLS[z - 1]} has no such LET in the table",
            where="let_kev_um",
            wanted=f"{low:g} to {high:g} keV/um",
            got=f"{let:g} keV/um{hint}",
        )
