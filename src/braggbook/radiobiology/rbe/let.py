"""What kind of LET a number is, what unit it is in, and whether it can be one.

Without averaging, particles and medium an LET is ambiguous: two legal definitions can differ by a fifth at one
point of one beam (dose-averaged over primary protons in water, or over all protons in tissue), which moves an
RBE as much as the choice of a model does.

The unit is the other trap. Stopping power tables and Monte Carlo codes print MeV/cm or MeV cm2/g, radiobiology
means keV/um, and 1 keV/um = 10 MeV/cm: :func:`let_in_kev_um` converts, :func:`let_warnings` tells which numbers
no beam of these particles can have.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError, UnitError, closest
from braggbook.radiobiology.arguments import ABOVE_ZERO, checked
from braggbook.units import conversion_factor, same_dimension

Floats = NDArray[np.float64]

NOT_STATED = "not stated"
AVERAGES = ("dose-averaged", "track-averaged", NOT_STATED)

# keV/um in water: the least that a particle of unit charge loses (minimum ionisation, 2 MeV cm2/g) and a bit more than
# it loses at most (protons 82, helium ions about 230 at the Bragg maximum; ICRU Report 49, 1993); the last number is
# what the mean LET of a therapeutic beam stays below.
_POSSIBLE = {"1H": (0.2, 100.0, 30.0), "4He": (0.8, 250.0, 150.0)}


@dataclass(frozen=True)
class LetKind:
    """How an LET was averaged, over which particles and in what medium.

    All three must be said; "not stated" is an answer, silence is not. ``LetKind("not stated")`` alone says that
    nothing is known.

    Attributes:
        average: "dose-averaged", "track-averaged" or "not stated".
        particles: For example "primary protons", "all protons", "all charged particles", or "not stated".
        medium: For example "water, unit density", or "not stated".
    """

    average: str
    particles: str = ""
    medium: str = ""

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when a part is missing or the average is not known."""
        issues = []
        for name in ("particles", "medium"):
            value = getattr(self, name)
            if (value, str(self.average)) == ("", NOT_STATED):
                object.__setattr__(self, name, NOT_STATED)
            elif not (isinstance(value, str) and value.strip()):
                issues.append(Issue("missing", where=name, wanted=f"a text, or {NOT_STATED!r}"))
        if not isinstance(self.average, str) or self.average not in AVERAGES:
            wanted = closest(str(self.average), AVERAGES)
            issues.append(Issue("not a kind of average", where="average", wanted=wanted, got=repr(self.average)))
        if issues:
            raise ScienceError("not a kind of LET", issues=issues)

    def __str__(self) -> str:
        """Returns the kind in one line."""
        return f"{self.average} LET, particles: {self.particles}, medium: {self.medium}"

    @property
    def unstated(self) -> tuple[str, ...]:
        """The parts that are "not stated"."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) == NOT_STATED)

    def conflicts(self, other: LetKind) -> tuple[str, ...]:
        """Returns the parts that both kinds state, and state differently."""
        return tuple(
            field.name
            for field in fields(self)
            if NOT_STATED not in (getattr(self, field.name), getattr(other, field.name))
            and getattr(self, field.name) != getattr(other, field.name)
        )


def let_in_kev_um(let: ArrayLike, *, unit: str, density_g_cm3: float | None = None) -> Floats:
    """Returns LET in keV/um.

    Args:
        let: Numbers above 0 in ``unit``.
        unit: A unit of energy per length (``keV/um``, ``MeV/cm``, ``MeV/mm``) or of mass stopping power
            (``MeV cm2/g``), which needs the density.
        density_g_cm3: Density of the medium in g/cm3, with mass stopping power only.

    Raises:
        ScienceError: A number is not above 0; a density is missing, or given where it has no place.
        UnitError: The unit is unknown or measures something else.
    """
    (numbers,) = checked({"let": (let, ABOVE_ZERO)})
    if same_dimension(unit, "keV/um"):
        if density_g_cm3 is not None:
            raise ScienceError("a density has no place here", wanted="none with energy per length", got=unit)
        return np.asarray(numbers * conversion_factor(unit, "keV/um"))[()]
    if not same_dimension(unit, "MeV cm2/g"):
        raise UnitError("not a unit of LET", wanted="for example keV/um, MeV/cm, MeV cm2/g", got=unit)
    if density_g_cm3 is None:
        raise ScienceError("mass stopping power needs the density of its medium", where="density_g_cm3", got="none")
    (density,) = checked({"density_g_cm3": (density_g_cm3, ABOVE_ZERO)})
    return np.asarray(numbers * conversion_factor(unit, "MeV cm2/g") * density * 0.1)[()]  # MeV/cm to keV/um


def let_warnings(let_kev_um: ArrayLike, *, particle: str) -> tuple[str, ...]:
    """Returns what is implausible about LET in keV/um of a particle ("1H", "4He"; no limits are known of others).

    A tenfold error leaves protons of a treatment beam at 4 to 250 "keV/um" where 0.4 to 25 is meant. What no
    proton can have is told apart from what only a stopping one has.

    Raises:
        ScienceError: An LET is not a number above 0.
    """
    let = np.atleast_1d(checked({"let_kev_um": (let_kev_um, ABOVE_ZERO)})[0])
    if not isinstance(particle, str) or particle not in _POSSIBLE:
        return ()
    lowest, highest, usual = _POSSIBLE[particle]
    found = []
    for bad, words in (
        (let < lowest, f"below {lowest:g} keV/um, the least that {particle} has at any energy"),
        (let > highest, f"above {highest:g} keV/um, more than {particle} has at any energy"),
        ((let > usual) & (let <= highest), f"above {usual:g} keV/um, more than a treatment beam of {particle} has"),
    ):
        rows = np.flatnonzero(bad.ravel())
        if len(rows):
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            row = f" (row {rows[0] + 1}){more}" if let.size > 1 else ""
            value = f"LET {let.ravel()[rows[0]]:g} keV/um{row}"
            found.append(f"{value} is {words}: is it in MeV/cm? 1 keV/um = 10 MeV/cm")
    return tuple(found)
