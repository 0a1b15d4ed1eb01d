"""Specific energy of single events in a domain and in a nucleus: what the microdosimetric kinetic models live on.

One ion that passes the axis of a cylinder of radius R at the impact parameter b leaves in it the specific energy
z1(b), the mean over its disc of the track's local dose. Averaged over where ions pass, weighted by dose,

    z_1D  = integral of z1^2 2 pi b db / integral of z1 2 pi b db,
    z*_1D = integral of z0^2 [1 - exp(-z1^2/z0^2)] 2 pi b db / integral of z1 2 pi b db     (overkill: saturation).

The denominator is known: every ion leaves its LET, so it is 0.1602 Gy um2 per keV/um, whatever the disc.

Sources: R. B. Hawkins, Radiat Res 140 (1994) 366-374, and 160 (2003) 61-69 (saturation, z0); Y. Kase et al., Radiat
Res 166 (2006) 629-638, and Phys Med Biol 53 (2008) 37-59, doi:10.1088/0031-9155/53/1/003; T. Inaniwa et al., Phys Med
Biol 55 (2010) 6721-6737, doi:10.1088/0031-9155/55/22/008.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import ABOVE_ZERO, NOT_NEGATIVE, checked, checked_scalars
from braggbook.radiobiology.rbe.disc_average import disc_mean, impact_rule, impacts
from braggbook.radiobiology.rbe.tracks import GY_UM2_PER_KEV_UM, AmorphousTrack, amorphous_track

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # of dose fractions that must sum to 1


@dataclass(frozen=True, eq=False)
class SpecificEnergies:
    """Dose-mean specific energies of single events, per energy of an ion or of one mixed field.

    Attributes:
        radiation: The ion's symbol, or the symbols of a mixed field.
        let_kev_um: LET in keV/um, dose-averaged in a mixed field, shape (n,).
        domain_gy: z_1D in the domain, Gy, shape (n,).
        saturated_gy: z*_1D in the domain, corrected for saturation, Gy, shape (n,).
        nucleus_gy: z_1D in the nucleus, Gy, shape (n,).
        domain_radius_um: Radius of the domain in um.
        nucleus_radius_um: Radius of the nucleus in um.
        z0_gy: Saturation parameter in Gy.
        track_model: Track model.
        energy_mev_u: Kinetic energies in MeV/u, shape (n,); None for a mixed field.
    """

    radiation: str
    let_kev_um: Floats
    domain_gy: Floats
    saturated_gy: Floats
    nucleus_gy: Floats
    domain_radius_um: float
    nucleus_radius_um: float
    z0_gy: float
    track_model: str
    energy_mev_u: Floats | None = None

    def __len__(self) -> int:
        """Returns the number of energies (1 for a mixed field)."""
        return len(self.let_kev_um)

    @property
    def geometry(self) -> tuple[float, float, float, str]:
        """Domain radius and nucleus radius in um, saturation parameter in Gy, track model."""
        return self.domain_radius_um, self.nucleus_radius_um, self.z0_gy, self.track_model


def saturation_parameter(
    *, domain_radius_um: ArrayLike, nucleus_radius_um: ArrayLike, beta0_per_gy2: ArrayLike
) -> Floats:
    """Returns the saturation parameter z0 = (R_n/r_d)^2 / sqrt(beta0 [1 + (R_n/r_d)^2]) in Gy.

    Source: Y. Kase et al., Phys Med Biol 53 (2008) 37-59, after Hawkins (2003).

    Raises:
        ScienceError: An argument is not a finite number above 0; all of them are named.
    """
    domain, nucleus, beta0 = checked(
        {
            "domain_radius_um": (domain_radius_um, ABOVE_ZERO),
            "nucleus_radius_um": (nucleus_radius_um, ABOVE_ZERO),
            "beta0_per_gy2": (beta0_per_gy2, ABOVE_ZERO),
        }
    )
    ratio = np.square(nucleus / domain)
    return np.asarray(ratio / np.sqrt(beta0 * (1.0 + ratio)))[()]


def saturated(specific_energy_gy: ArrayLike, *, z0_gy: float) -> Floats:
    """Returns z' = z0 sqrt(1 - exp(-z^2/z0^2)), which never exceeds z0, in Gy.

    Raises:
        ScienceError: A specific energy is negative or not a finite number, or z0 is not above 0.
    """
    (z0,) = checked_scalars({"z0_gy": (z0_gy, ABOVE_ZERO)})
    (z,) = checked({"specific_energy_gy": (specific_energy_gy, NOT_NEGATIVE)})
    return np.asarray(z0 * np.sqrt(-np.expm1(-np.square(z / z0))))[()]


def single_event_specific_energy(track: AmorphousTrack, impact_um: ArrayLike, *, radius_um: float) -> Floats:
    """Returns z1(b), the specific energy in Gy that one ion leaves in a cylinder, shape (energies, impact parameters).

    Args:
        track: The track.
        impact_um: Distances b between track and axis in um, shape (m,) or a number, 0 or more.
        radius_um: Radius of the cylinder in um.

    Raises:
        ScienceError: A distance is negative or not a finite number, or the radius is not above 0.
    """
    (radius,) = checked_scalars({"radius_um": (radius_um, ABOVE_ZERO)})
    return disc_mean(track, impacts(impact_um), radius_um=radius)


def dose_mean_specific_energy(track: AmorphousTrack, *, radius_um: float, z0_gy: float | None = None) -> Floats:
    """Returns z_1D in a cylinder, or z*_1D where a saturation parameter is given, in Gy, shape (energies,).

    Raises:
        ScienceError: The radius or z0 is not a finite number above 0.
    """
    given = {"radius_um": radius_um} if z0_gy is None else {"radius_um": radius_um, "z0_gy": z0_gy}
    checked_scalars({name: (value, ABOVE_ZERO) for name, value in given.items()})
    plain, corrected = _dose_means(track, float(radius_um), z0_gy)
    return plain if corrected is None else corrected


def specific_energies(
    ion: str | int,
    energy_mev_u: ArrayLike,
    *,
    domain_radius_um: float,
    nucleus_radius_um: float,
    z0_gy: float,
    track_model: str = "kiefer_chatterjee",
    let_kev_um: ArrayLike | None = None,
) -> SpecificEnergies:
    """Returns z_1D and z*_1D in the domain and z_1D in the nucleus for an ion at one or several energies.

    Args:
        ion: Symbol, isotope, name or atomic number, hydrogen to neon.
        energy_mev_u: Kinetic energies in MeV/u, a number or shape (n,).
        domain_radius_um: Radius of the domain in um.
        nucleus_radius_um: Radius of the nucleus in um.
        z0_gy: Saturation parameter in Gy (:func:`saturation_parameter`, or a published value).
        track_model: One of :func:`~braggbook.radiobiology.rbe.tracks.track_models`.
        let_kev_um: LET in keV/um where it is known better than from the table.

    Raises:
        UnknownName: There is no such ion or track model.
        ScienceError: An argument is not usable; see :func:`~braggbook.radiobiology.rbe.tracks.amorphous_track`.
    """
    checked_scalars(
        {
            "domain_radius_um": (domain_radius_um, ABOVE_ZERO),
            "nucleus_radius_um": (nucleus_radius_um, ABOVE_ZERO),
            "z0_gy": (z0_gy, ABOVE_ZERO),
        }
    )
    track = amorphous_track(track_model, ion=ion, energy_mev_u=energy_mev_u, let_kev_um=let_kev_um)
    domain, corrected = _dose_means(track, float(domain_radius_um), float(z0_gy))
    nucleus, _ = _dose_means(track, float(nucleus_radius_um), None)
    assert corrected is not None
    return SpecificEnergies(
        radiation=track.ion,
        let_kev_um=track.let_kev_um,
        domain_gy=domain,
        saturated_gy=corrected,
        nucleus_gy=nucleus,
        domain_radius_um=float(domain_radius_um),
        nucleus_radius_um=float(nucleus_radius_um),
        z0_gy=float(z0_gy),
        track_model=track_model,
        energy_mev_u=track.energy_mev_u,
    )


def mixed_field(parts: Sequence[SpecificEnergies], *, dose_fractions: ArrayLike) -> SpecificEnergies:
    """Returns the dose-mean specific energies of a mixed field: those of its parts, weighted by their share of dose.

    Args:
        parts: Specific energies of the parts, of one geometry; every energy of every part counts.
        dose_fractions: Share of each energy in the dose, in the order of the parts and of the energies in them.

    Raises:
        ScienceError: There is no part, the parts have different geometries, or the shares are not one for each
            energy, not negative, with the sum 1.

    Source: T. Inaniwa et al., Phys Med Biol 55 (2010) 6721-6737; T. Inaniwa and N. Kanematsu, Phys Med Biol 63 (2018)
    095011, doi:10.1088/1361-6560/aabede.
    """
    if not parts or not all(isinstance(part, SpecificEnergies) for part in parts):
        raise ScienceError("a field of no part", wanted="one or more SpecificEnergies", got=repr(parts))
    if len({part.geometry for part in parts}) > 1:
        got = "; ".join(f"{part.radiation}: {part.geometry}" for part in parts)
        raise ScienceError("the parts of a field have different geometries", wanted="one for all", got=got)
    weights = _checked_fractions(dose_fractions, count=sum(len(part) for part in parts))
    first = parts[0]

    def mean(name: str) -> Floats:
        return np.atleast_1d(weights @ np.concatenate([getattr(part, name) for part in parts]))

    return SpecificEnergies(
        radiation=" + ".join(dict.fromkeys(part.radiation for part in parts)),
        let_kev_um=mean("let_kev_um"),
        domain_gy=mean("domain_gy"),
        saturated_gy=mean("saturated_gy"),
        nucleus_gy=mean("nucleus_gy"),
        domain_radius_um=first.domain_radius_um,
        nucleus_radius_um=first.nucleus_radius_um,
        z0_gy=first.z0_gy,
        track_model=first.track_model,
    )


def _dose_means(track: AmorphousTrack, radius_um: float, z0_gy: float | None) -> tuple[Floats, Floats | None]:
    rule = impact_rule(track, radius_um)
    z = disc_mean(track, rule.impact_um, radius_um=radius_um)
    total = GY_UM2_PER_KEV_UM * track.let_kev_um
    plain = rule.integrate(np.square(z)) / total
    if z0_gy is None:
        return plain, None
    return plain, rule.integrate(-np.expm1(-np.square(z / z0_gy)) * z0_gy**2) / total


def _checked_fractions(values: ArrayLike, *, count: int) -> Floats:
    (weights,) = checked({"dose_fractions": (values, NOT_NEGATIVE)})
    if weights.shape != (count,):
        raise ScienceError(
            "not one share per energy", where="dose_fractions", wanted=f"{count}", got=f"{weights.shape}"
        )
    total = math.fsum(weights)
    if abs(total - 1.0) > _ROUNDING * count:
        raise ScienceError("the shares of dose do not sum to 1", where="dose_fractions", wanted="1", got=f"{total:.9g}")
    return weights
