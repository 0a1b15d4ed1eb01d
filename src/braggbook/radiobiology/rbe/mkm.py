"""The microdosimetric kinetic model (MKM): alpha from the saturation-corrected specific energy of single events.

    alpha = alpha0 + beta0 z*_1D,    beta = beta0,    S = exp(-alpha D - beta D^2).

alpha0 is the limit of low LET, beta0 that of photons; z*_1D comes from a track model and the radii of domain and
nucleus (:mod:`braggbook.radiobiology.rbe.specific_energy`), or from a measured spectrum of lineal energy
(:func:`saturated_lineal_energy` and :func:`specific_energy_from_lineal_energy`).

Sources: R. B. Hawkins, Radiat Res 140 (1994) 366-374; Y. Kase et al., Radiat Res 166 (2006) 629-638 (lineal energy)
and Phys Med Biol 53 (2008) 37-59, doi:10.1088/0031-9155/53/1/003 (track structure); T. Inaniwa et al., Phys Med Biol 55
(2010) 6721-6737, doi:10.1088/0031-9155/55/22/008 (treatment planning).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError, unknown_name
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    NOT_NEGATIVE,
    checked,
    checked_scalars,
    checked_table,
    increasing,
)
from braggbook.radiobiology.constants import Constant, Source, constant
from braggbook.radiobiology.rbe.kinetic_response import KineticResponse, require_geometry
from braggbook.radiobiology.rbe.specific_energy import SpecificEnergies, saturation_parameter, specific_energies
from braggbook.radiobiology.rbe.tracks import GY_UM2_PER_KEV_UM

Floats = NDArray[np.float64]

INANIWA_2010 = Source(
    "Inaniwa 2010", "T. Inaniwa et al., Phys Med Biol 55 (2010) 6721-6737, doi:10.1088/0031-9155/55/22/008"
)
INANIWA_2018 = Source(
    "Inaniwa 2018", "T. Inaniwa and N. Kanematsu, Phys Med Biol 63 (2018) 095011, doi:10.1088/1361-6560/aabede"
)
READ_IN_CURVES = "as the reference curves of pymkm 1.0.0, digitised from the paper's figures, state it"


@dataclass(frozen=True, kw_only=True)
class MkmParameters:
    """Parameters of the MKM, or of the stochastic SMK, for a cell line.

    Attributes:
        cell_line: The cells.
        alpha0_per_gy: Linear coefficient at the limit of low LET, 1/Gy, 0 or more.
        beta0_per_gy2: Quadratic coefficient, 1/Gy^2, above 0.
        domain_radius_um: Radius of the domain in um.
        nucleus_radius_um: Radius of the nucleus in um.
        z0_gy: Saturation parameter in Gy; from the radii and beta0 when left out.
        citation: Where they come from.
    """

    cell_line: str
    alpha0_per_gy: float
    beta0_per_gy2: float
    domain_radius_um: float
    nucleus_radius_um: float
    z0_gy: float = 0.0
    citation: str = "given"

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when a parameter is not usable."""
        above_zero = ("beta0_per_gy2", "domain_radius_um", "nucleus_radius_um")
        checked_scalars(
            {
                **{name: (getattr(self, name), ABOVE_ZERO) for name in above_zero},
                "alpha0_per_gy": (self.alpha0_per_gy, NOT_NEGATIVE),
                "z0_gy": (self.z0_gy, NOT_NEGATIVE),
            }
        )
        if self.domain_radius_um >= self.nucleus_radius_um:
            got = f"{self.domain_radius_um:g} um in {self.nucleus_radius_um:g} um"
            raise ScienceError("a domain is a small part of the nucleus", where="domain_radius_um", got=got)
        if self.z0_gy == 0.0:
            z0 = saturation_parameter(
                domain_radius_um=self.domain_radius_um,
                nucleus_radius_um=self.nucleus_radius_um,
                beta0_per_gy2=self.beta0_per_gy2,
            )
            object.__setattr__(self, "z0_gy", float(z0))

    def specific_energies(
        self,
        ion: str | int,
        energy_mev_u: ArrayLike,
        *,
        track_model: str = "kiefer_chatterjee",
        let_kev_um: ArrayLike | None = None,
    ) -> SpecificEnergies:
        """Returns the specific energies of an ion in these cells.

        See :func:`braggbook.radiobiology.rbe.specific_energy.specific_energies` for arguments and errors.
        """
        return specific_energies(
            ion,
            energy_mev_u,
            domain_radius_um=self.domain_radius_um,
            nucleus_radius_um=self.nucleus_radius_um,
            z0_gy=self.z0_gy,
            track_model=track_model,
            let_kev_um=let_kev_um,
        )


def declare_set(
    name: str, source: Source, *, note: str = READ_IN_CURVES, **values: tuple[str, float]
) -> Mapping[str, Constant]:
    """Enters a parameter set into the constants court: unit and value of each parameter."""
    return {
        key: constant(f"{name}.{key}", unit=unit, readings={source: value}, note=note)
        for key, (unit, value) in values.items()
    }


_SETS: dict[str, tuple[str, Source, Mapping[str, Constant]]] = {
    "hsg_inaniwa_2010": (
        "HSG",
        INANIWA_2010,
        declare_set(
            "mkm.hsg_inaniwa_2010",
            INANIWA_2010,
            alpha0=("1/Gy", 0.172),
            beta0=("1/Gy^2", 0.0615),
            domain_radius=("um", 0.32),
            nucleus_radius=("um", 3.9),
        ),
    ),
    "hsg_inaniwa_2018": (
        "HSG",
        INANIWA_2018,
        declare_set(
            "mkm.hsg_inaniwa_2018",
            INANIWA_2018,
            alpha0=("1/Gy", 0.150),
            beta0=("1/Gy^2", 0.0593),
            domain_radius=("um", 0.29),
            nucleus_radius=("um", 3.9),
            z0=("Gy", 55.0),
        ),
    ),
    "v79_inaniwa_2018": (
        "V79",
        INANIWA_2018,
        declare_set(
            "mkm.v79_inaniwa_2018",
            INANIWA_2018,
            note=f"{READ_IN_CURVES}; the nine V79 curves of the paper do not follow from this set (survival off by up "
            "to 40 %), but from about alpha0 0.07, beta0 0.027, domain radius 0.27 um and z0 87 Gy (within 4 %)",
            alpha0=("1/Gy", 0.136),
            beta0=("1/Gy^2", 0.0200),
            domain_radius=("um", 0.24),
            nucleus_radius=("um", 3.6),
            z0=("Gy", 105.8),
        ),
    ),
}


def mkm_parameter_sets() -> tuple[str, ...]:
    """Returns the names of the published parameter sets of the MKM."""
    return tuple(sorted(_SETS))


def mkm_parameters(name: str) -> MkmParameters:
    """Returns a published parameter set of the MKM.

    Raises:
        UnknownName: There is no such set; the closest names are given.
    """
    if not isinstance(name, str) or name not in _SETS:
        raise unknown_name("parameter set of the MKM", str(name), _SETS)
    return read_set(*_SETS[name])


def read_set(cell_line: str, source: Source, values: Mapping[str, Constant]) -> MkmParameters:
    """Returns the parameters that a set of constants holds."""
    return MkmParameters(
        cell_line=cell_line,
        alpha0_per_gy=values["alpha0"].value,
        beta0_per_gy2=values["beta0"].value,
        domain_radius_um=values["domain_radius"].value,
        nucleus_radius_um=values["nucleus_radius"].value,
        z0_gy=values["z0"].value if "z0" in values else 0.0,
        citation=source.citation,
    )


def mkm_response(field: SpecificEnergies, parameters: MkmParameters) -> KineticResponse:
    """Returns what the MKM says of cells in a field: alpha = alpha0 + beta0 z*_1D, beta = beta0.

    Raises:
        ScienceError: The specific energies were calculated for another geometry than that of the parameters.
    """
    require_geometry(
        field,
        domain_radius_um=parameters.domain_radius_um,
        nucleus_radius_um=parameters.nucleus_radius_um,
        z0_gy=parameters.z0_gy,
    )
    return KineticResponse(
        model="MKM",
        cell_line=parameters.cell_line,
        citation=parameters.citation,
        field=field,
        alpha_per_gy=mkm_alpha(
            field.saturated_gy, alpha0_per_gy=parameters.alpha0_per_gy, beta0_per_gy2=parameters.beta0_per_gy2
        ),
        beta_per_gy2=np.full(len(field), parameters.beta0_per_gy2),
        nucleus_gy=np.zeros(len(field)),
    )


def mkm_alpha(saturated_gy: ArrayLike, *, alpha0_per_gy: float, beta0_per_gy2: float) -> Floats:
    """Returns alpha = alpha0 + beta0 z*_1D in 1/Gy from z*_1D in Gy, however that was found.

    Raises:
        ScienceError: z*_1D or beta0 is not a finite number above 0, or alpha0 is below 0.
    """
    saturated, alpha0, beta0 = checked(
        {
            "saturated_gy": (saturated_gy, ABOVE_ZERO),
            "alpha0_per_gy": (alpha0_per_gy, NOT_NEGATIVE),
            "beta0_per_gy2": (beta0_per_gy2, ABOVE_ZERO),
        }
    )
    return np.asarray(alpha0 + beta0 * saturated)[()]


def specific_energy_from_lineal_energy(lineal_energy_kev_um: ArrayLike, *, domain_radius_um: float) -> Floats:
    """Returns z = y / (rho pi r_d^2) in Gy, 0.051 y / r_d^2 for y in keV/um and r_d in um.

    So z*_1D from y*: Y. Kase et al., Radiat Res 166 (2006) 629-638. It holds for a sphere (mean chord over mass) and
    for a cylinder along the track.

    Raises:
        ScienceError: An argument is not a finite number above 0.
    """
    lineal, radius = checked(
        {
            "lineal_energy_kev_um": (lineal_energy_kev_um, ABOVE_ZERO),
            "domain_radius_um": (domain_radius_um, ABOVE_ZERO),
        }
    )
    return np.asarray(GY_UM2_PER_KEV_UM * lineal / (np.pi * radius**2))[()]


def saturated_lineal_energy(
    lineal_energy_kev_um: ArrayLike, frequency: ArrayLike, *, y0_kev_um: float = 150.0
) -> float:
    """Returns y* = y0^2 integral of [1 - exp(-y^2/y0^2)] f(y) dy / integral of y f(y) dy, in keV/um.

    Args:
        lineal_energy_kev_um: Lineal energies y in keV/um, ascending, shape (n,), two or more.
        frequency: Frequency density f(y) per keV/um (any normalisation), 0 or more, shape (n,).
        y0_kev_um: Saturation parameter; 150 keV/um in Kase et al. (2006).

    Raises:
        ScienceError: The spectrum is not usable.
    """
    (y0,) = checked_scalars({"y0_kev_um": (y0_kev_um, ABOVE_ZERO)})
    y, f = checked_table(
        {"lineal_energy_kev_um": (lineal_energy_kev_um, ABOVE_ZERO), "frequency": (frequency, NOT_NEGATIVE)},
        at_least=2,
    )
    increasing(y, name="lineal_energy_kev_um")
    if not np.any(f > 0):
        raise ScienceError("not a spectrum", where="frequency", wanted="not all 0")
    first = np.trapezoid(y * f, y)
    return float(y0**2 * np.trapezoid(-np.expm1(-np.square(y / y0)) * f, y) / first)
