"""The stochastic microdosimetric kinetic model (SMK): the MKM with the spread of specific energy among nuclei.

    alpha = alpha0 + beta0 z*_d,    beta = beta0 z*_d / z_d,
    S(D) = exp(-alpha D - beta D^2) {1 + D [-beta + (alpha + 2 beta D)^2 / 2] z_n},

with z_d and z*_d the dose-mean specific energies of single events in the domain (plain and saturation-corrected) and
z_n that in the nucleus, whose radius here is that of the whole nucleus.

Source: T. Inaniwa and N. Kanematsu, Phys Med Biol 63 (2018) 095011, doi:10.1088/1361-6560/aabede; the stochastic model
that it adapts: T. Sato and Y. Furusawa, Radiat Res 178 (2012) 341-356.
"""

from __future__ import annotations

from collections.abc import Mapping

from braggbook.errors import unknown_name
from braggbook.radiobiology.constants import Constant
from braggbook.radiobiology.rbe.kinetic_response import KineticResponse, require_geometry
from braggbook.radiobiology.rbe.mkm import INANIWA_2018, MkmParameters, declare_set, read_set
from braggbook.radiobiology.rbe.specific_energy import SpecificEnergies

_SETS: dict[str, tuple[str, Mapping[str, Constant]]] = {
    "hsg_inaniwa_2018": (
        "HSG",
        declare_set(
            "smk.hsg_inaniwa_2018",
            INANIWA_2018,
            alpha0=("1/Gy", 0.174),
            beta0=("1/Gy^2", 0.0568),
            domain_radius=("um", 0.28),
            nucleus_radius=("um", 8.1),
            z0=("Gy", 66.0),
        ),
    ),
    "v79_inaniwa_2018": (
        "V79",
        declare_set(
            "smk.v79_inaniwa_2018",
            INANIWA_2018,
            alpha0=("1/Gy", 0.103),
            beta0=("1/Gy^2", 0.0210),
            domain_radius=("um", 0.23),
            nucleus_radius=("um", 8.1),
            z0=("Gy", 122.0),
        ),
    ),
}


def smk_parameter_sets() -> tuple[str, ...]:
    """Returns the names of the published parameter sets of the SMK."""
    return tuple(sorted(_SETS))


def smk_parameters(name: str) -> MkmParameters:
    """Returns a published parameter set of the SMK.

    Raises:
        UnknownName: There is no such set; the closest names are given.
    """
    if not isinstance(name, str) or name not in _SETS:
        raise unknown_name("parameter set of the SMK", str(name), _SETS)
    cell_line, values = _SETS[name]
    return read_set(cell_line, INANIWA_2018, values)


def smk_response(field: SpecificEnergies, parameters: MkmParameters) -> KineticResponse:
    """Returns what the SMK says of cells in a field.

    Raises:
        ScienceError: The specific energies were calculated for another geometry than that of the parameters.
    """
    require_geometry(
        field,
        domain_radius_um=parameters.domain_radius_um,
        nucleus_radius_um=parameters.nucleus_radius_um,
        z0_gy=parameters.z0_gy,
    )
    beta0 = parameters.beta0_per_gy2
    return KineticResponse(
        model="SMK",
        cell_line=parameters.cell_line,
        citation=parameters.citation,
        field=field,
        alpha_per_gy=parameters.alpha0_per_gy + beta0 * field.saturated_gy,
        beta_per_gy2=beta0 * field.saturated_gy / field.domain_gy,
        nucleus_gy=field.nucleus_gy,
    )
