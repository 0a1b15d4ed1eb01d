"""Amorphous tracks: the mean radial dose that one ion deposits around its path in water.

Both models have a core of constant dose and a penumbra in which dose falls as 1/r^2 up to the reach of the fastest
delta electrons, and both are normalised so that the dose integrated over the plane is the LET:

    integral of D(r) 2 pi r dr = LET / density,    1 keV/um is 0.1602 Gy um2 at 1 g/cm3.

- ``"kiefer_chatterjee"``: core radius 0.0116 beta um, penumbra radius 0.0616 E^1.7 um, dose in the penumbra
  1.25e-4 (z/beta)^2 / r^2 Gy with Barkas' effective charge z; the core gets what is left of the LET. J. Kiefer and
  H. Straaten, Phys Med Biol 31 (1986) 1201-1209; A. Chatterjee and H. J. Schaefer, Radiat Environ Biophys 13 (1976)
  215-227; as combined by Y. Kase et al., Phys Med Biol 53 (2008) 37-59, doi:10.1088/0031-9155/53/1/003. The track of
  the microdosimetric kinetic models.
- ``"scholz_kraft"``: core radius 0.01 um, penumbra radius 0.05 E^1.7 um, dose continuous at the core's edge.
  M. Scholz and G. Kraft, Adv Space Res 18 (1996) 5-14. The track of the Local Effect Model.

Energies E are in MeV/u, radii in um, doses in Gy, LET in keV/um.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError, unknown_name
from braggbook.radiobiology.arguments import NOT_NEGATIVE, checked
from braggbook.radiobiology.beams.ion_stopping import (
    ION_SYMBOLS,
    PYMKM,
    SURVIVAL,
    atomic_number,
    check_let,
    effective_charge,
    ion_stopping_power,
    relative_velocity,
)
from braggbook.radiobiology.constants import Source, constant

Floats = NDArray[np.float64]

# 1 keV/um spread over 1 um2 of water of 1 g/cm3: 1.602176634e-10 J/m over 1e-9 kg/m (CODATA 2018, exact).
GY_UM2_PER_KEV_UM = 0.1602176634

KASE = Source("Kase 2008", "Y. Kase et al., Phys Med Biol 53 (2008) 37-59, doi:10.1088/0031-9155/53/1/003")
SCHOLZ_KRAFT = Source("Scholz and Kraft 1996", "M. Scholz and G. Kraft, Adv Space Res 18 (1996) 5-14")
SURVIVAL_SCHOLZ = Source(
    "Survival", "Survival (INFN Torino), src/Track_Scholz2000.cpp, https://github.com/batuff/Survival"
)
_READ_IN = "the paper was not read; its values are those of the two programs, which name it"

_KC_CORE = constant(
    "kiefer_chatterjee.core_radius", unit="um", readings={KASE: 0.0116, PYMKM: 0.0116, SURVIVAL: 0.0116}, note=_READ_IN
)
_KC_REACH = constant(
    "kiefer_chatterjee.penumbra_radius",
    unit="um",
    readings={KASE: 0.0616, PYMKM: 0.0616, SURVIVAL: 0.0616},
    note=f"at 1 MeV/u; {_READ_IN}",
)
_KC_EXPONENT = constant(
    "kiefer_chatterjee.penumbra_exponent",
    unit="1",
    readings={KASE: 1.7, PYMKM: 1.7, SURVIVAL: 1.7},
    note=_READ_IN,
)
_KC_DOSE = constant(
    "kiefer_chatterjee.penumbra_dose",
    unit="Gy um2",
    readings={KASE: 1.25e-4, PYMKM: 1.25e-4, SURVIVAL: 1.25e-4},
    note=f"times (z/beta)^2 / r^2; {_READ_IN}",
)
_SK_CORE = constant(
    "scholz_kraft.core_radius",
    unit="um",
    readings={SCHOLZ_KRAFT: 0.01, PYMKM: 0.01, SURVIVAL_SCHOLZ: 0.01},
    note=_READ_IN,
)
_SK_REACH = constant(
    "scholz_kraft.penumbra_radius",
    unit="um",
    readings={SCHOLZ_KRAFT: 0.05, PYMKM: 0.05, SURVIVAL_SCHOLZ: 0.062},
    ruling="the track of Scholz and Kraft that Kase et al. (2008) draw ends at 29.8 um at 43 MeV/u, which is "
    "0.05 E^1.7; 0.062 is the value of the track that the program names after the LEM of 2000",
    note="at 1 MeV/u",
)
_SK_EXPONENT = constant(
    "scholz_kraft.penumbra_exponent",
    unit="1",
    readings={SCHOLZ_KRAFT: 1.7, PYMKM: 1.7, SURVIVAL_SCHOLZ: 1.7},
    note=_READ_IN,
)


@dataclass(frozen=True, eq=False)
class AmorphousTrack:
    """Radial dose of one ion in water, at one energy or at several.

    Attributes:
        model: "kiefer_chatterjee" or "scholz_kraft".
        ion: Symbol of the ion.
        energy_mev_u: Kinetic energy in MeV/u, shape (n,).
        let_kev_um: LET in keV/um, shape (n,).
        core_radius_um: Radius of the core in um, shape (n,).
        penumbra_radius_um: Radius beyond which the dose is 0, in um, shape (n,), not less than the core's.
        core_dose_gy: Dose in the core in Gy, shape (n,).
        penumbra_gy_um2: Dose in the penumbra times r^2, in Gy um2, shape (n,).
        let_source: Where the LET comes from.
    """

    model: str
    ion: str
    energy_mev_u: Floats
    let_kev_um: Floats
    core_radius_um: Floats
    penumbra_radius_um: Floats
    core_dose_gy: Floats
    penumbra_gy_um2: Floats
    let_source: str

    def __len__(self) -> int:
        """Returns the number of energies."""
        return len(self.energy_mev_u)

    def local_dose(self, radius_um: ArrayLike) -> Floats:
        """Returns the local dose in Gy at distances from the track, shape (number of energies, shape of radii).

        Raises:
            ScienceError: A distance is negative or not a finite number.
        """
        (radius,) = checked({"radius_um": (radius_um, NOT_NEGATIVE)})
        core, reach, plateau, penumbra = (
            value.reshape((-1,) + (1,) * radius.ndim)
            for value in (self.core_radius_um, self.penumbra_radius_um, self.core_dose_gy, self.penumbra_gy_um2)
        )
        outside = penumbra / np.maximum(radius, core) ** 2
        return np.asarray(np.where(radius < core, plateau, np.where(radius < reach, outside, 0.0)))

    @property
    def integral_gy_um2(self) -> Floats:
        """The dose integrated over the plane, Gy um2, shape (n,), from the radial dose itself: 0.1602 times the LET."""
        ratio = np.log(self.penumbra_radius_um / self.core_radius_um)
        return np.asarray(np.pi * (self.core_dose_gy * self.core_radius_um**2 + 2.0 * self.penumbra_gy_um2 * ratio))


def amorphous_track(
    model: str, *, ion: str | int, energy_mev_u: ArrayLike, let_kev_um: ArrayLike | None = None
) -> AmorphousTrack:
    """Returns the track of an ion at one or several energies.

    Args:
        model: One of :func:`track_models`.
        ion: Symbol, isotope, name or atomic number, hydrogen to neon.
        energy_mev_u: Kinetic energy in MeV/u, a number or shape (n,).
        let_kev_um: LET in keV/um where it is known better than from the table (MSTAR); the same shape, or one number.

    Raises:
        UnknownName: There is no such model or ion.
        ScienceError: An energy is not usable or outside the table, a LET is not usable or not that of the ion (in
            MeV/cm, say), or so small that the penumbra alone has more.
    """
    if not isinstance(model, str) or model not in _MODELS:
        raise unknown_name("track model", str(model), _MODELS)
    z = atomic_number(ion)
    if let_kev_um is None:
        let, source = np.atleast_1d(ion_stopping_power(z, energy_mev_u)), "MSTAR 3.12"
    else:
        let, source = np.atleast_1d(check_let(z, energy_mev_u, let_kev_um=let_kev_um)), "given"
    energy = np.atleast_1d(np.asarray(energy_mev_u, dtype=np.float64))
    if energy.ndim > 1 or energy.shape != let.shape:
        raise ScienceError(
            "not one energy per track", wanted="one dimension, and a LET for each", got=f"{energy.shape}"
        )
    radii, penumbra = _MODELS[model](z, energy, GY_UM2_PER_KEV_UM * let)
    core, reach = radii
    rest = GY_UM2_PER_KEV_UM * let / np.pi - 2.0 * penumbra * np.log(reach / core)
    _require_core(rest, energy=energy, let=let, symbol=ION_SYMBOLS[z - 1])
    return AmorphousTrack(
        model=model,
        ion=ION_SYMBOLS[z - 1],
        energy_mev_u=energy,
        let_kev_um=let,
        core_radius_um=core,
        penumbra_radius_um=reach,
        core_dose_gy=rest / core**2,
        penumbra_gy_um2=penumbra,
        let_source=source,
    )


TrackShape = Callable[[int, Floats, Floats], tuple[tuple[Floats, Floats], Floats]]


def _kiefer_chatterjee(z: int, energy: Floats, total_gy_um2: Floats) -> tuple[tuple[Floats, Floats], Floats]:
    """Returns (core radius, penumbra radius) in um and the penumbra's dose times r^2 in Gy um2."""
    beta = relative_velocity(energy)
    core = _KC_CORE.value * beta
    reach = np.maximum(_KC_REACH.value * energy**_KC_EXPONENT.value, core)
    return (core, reach), _KC_DOSE.value * (effective_charge(z, energy) / beta) ** 2 * np.ones_like(total_gy_um2)


def _scholz_kraft(z: int, energy: Floats, total_gy_um2: Floats) -> tuple[tuple[Floats, Floats], Floats]:
    """Returns (core radius, penumbra radius) in um and the penumbra's dose times r^2 in Gy um2."""
    del z  # charge enters through the LET alone
    core = np.full_like(energy, _SK_CORE.value)
    reach = np.maximum(_SK_REACH.value * energy**_SK_EXPONENT.value, core)
    return (core, reach), total_gy_um2 / (np.pi * (1.0 + 2.0 * np.log(reach / core)))


_MODELS: dict[str, TrackShape] = {"kiefer_chatterjee": _kiefer_chatterjee, "scholz_kraft": _scholz_kraft}


def track_models() -> Mapping[str, TrackShape]:
    """Returns the track models by name (a read-only view)."""
    return MappingProxyType(_MODELS)


def _require_core(rest: Floats, *, energy: Floats, let: Floats, symbol: str) -> None:
    if np.all(rest > 0):
        return
    issues = [
        Issue(
            "the penumbra alone has more than the LET",
            where=f"element {row + 1}",
            wanted="a LET in keV/um that leaves the core a dose",
            got=f"{let[row]:g} keV/um for {symbol} at {energy[row]:g} MeV/u",
        )
        for row in np.flatnonzero(~(rest > 0))
    ]
    raise ScienceError("not a track", issues=issues)
