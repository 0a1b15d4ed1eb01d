"""The oxygen-effect-incorporated stochastic microdosimetric kinetic model (OSMK): the SMK at an oxygen pressure.

A relative radioresistance R, 1 at full oxygen, weakens what sublethal lesions do:

    alpha = alpha_L + alpha_S / R + beta0 z*_d / R^2,    beta = (z*_d / z_d) beta0 / R^2,
    R = (p + K) / (p + K / R_max),

and survival is that of the SMK. The two versions differ in R_max, the radioresistance without oxygen:

- 2021: R_max falls with the specific energy, R_max = [(z_d/z_R)^gamma + R_m] / [(z_d/z_R)^gamma + 1];
- 2023: R_max is a constant, and hypoxia changes the geometry instead: domain radius r_d / f_r and saturation parameter
  z0 f_z^2, with f = 1 + (R - 1) (f_max - 1) / (R_max - 1).

Sources: T. Inaniwa et al., Phys Med Biol 66 (2021), doi:10.1088/1361-6560/ac29cc;
T. Inaniwa et al., J Radiat Res 64 (2023), doi:10.1093/jrr/rrad049. The formulas were read in pymkm 1.0.0, not in the
papers, and hold against the digitised curves of both; so does the square of f_z in the 2023 version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError, unknown_name
from braggbook.radiobiology.arguments import ABOVE_ZERO, NOT_NEGATIVE, Rule, checked, checked_scalars
from braggbook.radiobiology.constants import Constant, Source, constant
from braggbook.radiobiology.rbe.kinetic_response import KineticResponse, require_geometry
from braggbook.radiobiology.rbe.mkm import READ_IN_CURVES
from braggbook.radiobiology.rbe.specific_energy import SpecificEnergies, specific_energies

Floats = NDArray[np.float64]

INANIWA_2021 = Source("Inaniwa 2021", "T. Inaniwa et al., Phys Med Biol 66 (2021), doi:10.1088/1361-6560/ac29cc")
INANIWA_2023 = Source("Inaniwa 2023", "T. Inaniwa et al., J Radiat Res 64 (2023), doi:10.1093/jrr/rrad049")


@dataclass(frozen=True, kw_only=True)
class OsmkParameters:
    """Parameters of the OSMK for a cell line; a version 2021 or 2023 by what is given.

    Attributes:
        cell_line: The cells.
        alpha_lethal_per_gy: alpha_L, of lesions that are lethal at once, 1/Gy.
        alpha_sublethal_per_gy: alpha_S, of sublethal lesions that become lethal, 1/Gy.
        beta0_per_gy2: Quadratic coefficient, 1/Gy^2.
        domain_radius_um: Radius of the domain in um, at full oxygen.
        nucleus_radius_um: Radius of the nucleus in um.
        z0_gy: Saturation parameter in Gy, at full oxygen.
        half_effect_mmhg: K, the oxygen pressure of half the effect, in mmHg.
        resistance_without_oxygen: R_m (2021, at the limit of low LET) or R_max (2023).
        resistance_scale_gy: z_R in Gy (2021).
        resistance_exponent: gamma (2021).
        domain_factor: f_max of the domain radius (2023).
        saturation_factor: f_max of the saturation parameter (2023).
        citation: Where they come from.
    """

    cell_line: str
    alpha_lethal_per_gy: float
    alpha_sublethal_per_gy: float
    beta0_per_gy2: float
    domain_radius_um: float
    nucleus_radius_um: float
    z0_gy: float
    half_effect_mmhg: float
    resistance_without_oxygen: float
    resistance_scale_gy: float | None = None
    resistance_exponent: float | None = None
    domain_factor: float | None = None
    saturation_factor: float | None = None
    citation: str = "given"

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when a parameter is not usable or the versions are mixed."""
        of_2021 = {n: getattr(self, n) for n in ("resistance_scale_gy", "resistance_exponent")}
        of_2023 = {n: getattr(self, n) for n in ("domain_factor", "saturation_factor")}
        given = [{n: v for n, v in group.items() if v is not None} for group in (of_2021, of_2023)]
        if sorted(map(len, given)) != [0, 2]:
            raise ScienceError(
                "neither the version of 2021 nor that of 2023",
                wanted=f"{' and '.join(of_2021)}, or {' and '.join(of_2023)}",
                got=", ".join([*given[0], *given[1]]) or "none of them",
            )
        names = ("beta0_per_gy2", "domain_radius_um", "nucleus_radius_um", "z0_gy", "half_effect_mmhg")
        rules = {
            **dict.fromkeys((*names, *given[0], *given[1]), ABOVE_ZERO),
            "alpha_lethal_per_gy": NOT_NEGATIVE,
            "alpha_sublethal_per_gy": NOT_NEGATIVE,
            "resistance_without_oxygen": Rule("a finite number above 1", lambda x: (x > 1.0) & np.isfinite(x)),
        }
        checked_scalars({name: (getattr(self, name), rule) for name, rule in rules.items()})

    @property
    def version(self) -> str:
        """ "2021" or "2023"."""
        return "2021" if self.domain_factor is None else "2023"

    def geometry(self, oxygen_mmhg: float) -> tuple[float, float]:
        """Returns domain radius in um and saturation parameter in Gy at an oxygen pressure (2021: unchanged)."""
        checked_scalars({"oxygen_mmhg": (oxygen_mmhg, NOT_NEGATIVE)})
        if self.domain_factor is None or self.saturation_factor is None:
            return self.domain_radius_um, self.z0_gy
        most = self.resistance_without_oxygen
        share = (
            float(relative_radioresistance(oxygen_mmhg, maximum=most, half_effect_mmhg=self.half_effect_mmhg)) - 1
        ) / (most - 1)
        radius = self.domain_radius_um / (1.0 + share * (self.domain_factor - 1.0))
        return radius, self.z0_gy * (1.0 + share * (self.saturation_factor - 1.0)) ** 2

    def specific_energies(
        self,
        ion: str | int,
        energy_mev_u: ArrayLike,
        *,
        oxygen_mmhg: float,
        track_model: str = "kiefer_chatterjee",
        let_kev_um: ArrayLike | None = None,
    ) -> SpecificEnergies:
        """Returns the specific energies of an ion in these cells at an oxygen pressure.

        See :func:`braggbook.radiobiology.rbe.specific_energy.specific_energies` for arguments and errors.
        """
        radius, z0 = self.geometry(oxygen_mmhg)
        return specific_energies(
            ion,
            energy_mev_u,
            domain_radius_um=radius,
            nucleus_radius_um=self.nucleus_radius_um,
            z0_gy=z0,
            track_model=track_model,
            let_kev_um=let_kev_um,
        )


_FIGURES = Source(
    "figures",
    "the curves of Inaniwa et al. (2021) themselves, doi:10.1088/1361-6560/ac29cc, as digitised in pymkm 1.0.0",
)
_V79_DOMAIN = constant(
    "osmk.v79_inaniwa_2021.domain_radius",
    unit="um",
    readings={_FIGURES: 0.25, INANIWA_2021: 0.29},
    ruling="all 15 digitised V79 curves, with and without oxygen, are those of 0.25 (OER within 0.01, survival within "
    "11 %); 0.24 and 0.26 are several times worse, and 0.29 fits none of them unless every LET is multiplied by 1.3, "
    "which is what pymkm does; 1.3 is about (0.29/0.25)^2",
    note=f"0.29 is {READ_IN_CURVES}",
)
_HSG_RESISTANCE = constant(
    "osmk.hsg_inaniwa_2021.resistance_without_oxygen",
    unit="1",
    readings={INANIWA_2021: 2.9, _FIGURES: 2.8},
    ruling="the six survival curves without oxygen are those of 2.9; the three OER curves were drawn with 2.8",
    note=f"2.9 is {READ_IN_CURVES}",
)
_V79_Z0 = constant(
    "osmk.v79_inaniwa_2021.z0",
    unit="Gy",
    readings={
        INANIWA_2021: 98.0,
        Source("pymkm curves", "pymkm 1.0.0, file names of two of the V79 reference curves (carbon, 142 keV/um)"): 88.0,
    },
    ruling="the headers inside those two files say 98 like all others; 88 is the value of HSG in the same paper",
    note=READ_IN_CURVES,
)


def _declare(name: str, **values: float) -> dict[str, Constant]:
    units = dict.fromkeys(("alpha_lethal", "alpha_sublethal"), "1/Gy") | {"beta0": "1/Gy^2", "z0": "Gy"}
    units |= {"domain_radius": "um", "nucleus_radius": "um", "half_effect": "mmHg", "resistance_scale": "Gy"}
    source = INANIWA_2021 if "2021" in name else INANIWA_2023
    return {
        key: constant(f"osmk.{name}.{key}", unit=units.get(key, "1"), readings={source: value}, note=READ_IN_CURVES)
        for key, value in values.items()
    }


_SETS: dict[str, tuple[str, Source, Mapping[str, Constant]]] = {
    "hsg_inaniwa_2021": (
        "HSG",
        INANIWA_2021,
        _declare(
            "hsg_inaniwa_2021",
            alpha_lethal=0.0,
            alpha_sublethal=0.21,
            beta0=0.043,
            domain_radius=0.23,
            nucleus_radius=8.1,
            z0=88.0,
            resistance_scale=28.0,
            resistance_exponent=1.30,
            half_effect=3.0,
        )
        | {"resistance_without_oxygen": _HSG_RESISTANCE},
    ),
    "v79_inaniwa_2021": (
        "V79",
        INANIWA_2021,
        _declare(
            "v79_inaniwa_2021",
            alpha_lethal=0.0,
            alpha_sublethal=0.10,
            beta0=0.026,
            nucleus_radius=8.1,
            resistance_scale=29.0,
            resistance_exponent=1.60,
            resistance_without_oxygen=2.5,
            half_effect=3.0,
        )
        | {"z0": _V79_Z0, "domain_radius": _V79_DOMAIN},
    ),
    "cho_inaniwa_2021": (
        "CHO",
        INANIWA_2021,
        _declare(
            "cho_inaniwa_2021",
            alpha_lethal=0.01,
            alpha_sublethal=0.17,
            beta0=0.045,
            domain_radius=0.35,
            nucleus_radius=8.1,
            z0=46.0,
            resistance_scale=9.7,
            resistance_exponent=1.31,
            resistance_without_oxygen=3.1,
            half_effect=3.0,
        ),
    ),
    "cho_inaniwa_2023": (
        "CHO",
        INANIWA_2023,
        _declare(
            "cho_inaniwa_2023",
            alpha_lethal=0.0,
            alpha_sublethal=0.132,
            beta0=0.0591,
            domain_radius=0.41,
            nucleus_radius=8.1,
            z0=37.0,
            domain_factor=2.69,
            saturation_factor=3.23,
            resistance_without_oxygen=3.51,
            half_effect=3.0,
        ),
    ),
}


def osmk_parameter_sets() -> tuple[str, ...]:
    """Returns the names of the published parameter sets of the OSMK."""
    return tuple(sorted(_SETS))


def osmk_parameters(name: str) -> OsmkParameters:
    """Returns a published parameter set of the OSMK.

    Raises:
        UnknownName: There is no such set; the closest names are given.
    """
    if not isinstance(name, str) or name not in _SETS:
        raise unknown_name("parameter set of the OSMK", str(name), _SETS)
    cell_line, source, constants = _SETS[name]
    value = {key: item.value for key, item in constants.items()}
    return OsmkParameters(
        cell_line=cell_line,
        alpha_lethal_per_gy=value["alpha_lethal"],
        alpha_sublethal_per_gy=value["alpha_sublethal"],
        beta0_per_gy2=value["beta0"],
        domain_radius_um=value["domain_radius"],
        nucleus_radius_um=value["nucleus_radius"],
        z0_gy=value["z0"],
        half_effect_mmhg=value["half_effect"],
        resistance_without_oxygen=value["resistance_without_oxygen"],
        resistance_scale_gy=value.get("resistance_scale"),
        resistance_exponent=value.get("resistance_exponent"),
        domain_factor=value.get("domain_factor"),
        saturation_factor=value.get("saturation_factor"),
        citation=source.citation,
    )


def relative_radioresistance(oxygen_mmhg: float, *, maximum: ArrayLike, half_effect_mmhg: float) -> Floats:
    """Returns R = (p + K) / (p + K / R_max): R_max without oxygen, 1 at full oxygen, (1 + R_max)/2 at p = K / R_max.

    1/R is the oxygen enhancement of Alper and Howard-Flanders over its maximum, (R_max p + K) / [R_max (p + K)].

    Raises:
        ScienceError: The pressure is below 0, or R_max or K is not a finite number above 0.
    """
    checked_scalars({"oxygen_mmhg": (oxygen_mmhg, NOT_NEGATIVE)})
    most, half = checked({"maximum": (maximum, ABOVE_ZERO), "half_effect_mmhg": (half_effect_mmhg, ABOVE_ZERO)})
    return np.asarray((oxygen_mmhg + half) / (oxygen_mmhg + half / most))[()]


def osmk_response(field: SpecificEnergies, parameters: OsmkParameters, *, oxygen_mmhg: float) -> KineticResponse:
    """Returns what the OSMK says of cells in a field at an oxygen pressure in mmHg.

    Raises:
        ScienceError: The pressure is negative or not a finite number, or the specific energies were calculated for
            another geometry than that of the parameters at this pressure.
    """
    radius, z0 = parameters.geometry(oxygen_mmhg)
    nucleus = parameters.nucleus_radius_um
    require_geometry(field, domain_radius_um=radius, nucleus_radius_um=nucleus, z0_gy=z0)
    most: ArrayLike = parameters.resistance_without_oxygen
    if parameters.resistance_scale_gy is not None and parameters.resistance_exponent is not None:
        power = (field.domain_gy / parameters.resistance_scale_gy) ** parameters.resistance_exponent
        most = (power + parameters.resistance_without_oxygen) / (power + 1.0)
    resistance = relative_radioresistance(oxygen_mmhg, maximum=most, half_effect_mmhg=parameters.half_effect_mmhg)
    beta0 = parameters.beta0_per_gy2 / np.square(resistance)
    alpha = parameters.alpha_lethal_per_gy + parameters.alpha_sublethal_per_gy / resistance + beta0 * field.saturated_gy
    return KineticResponse(
        model=f"OSMK {parameters.version}",
        cell_line=parameters.cell_line,
        citation=parameters.citation,
        field=field,
        alpha_per_gy=alpha,
        beta_per_gy2=beta0 * field.saturated_gy / field.domain_gy,
        nucleus_gy=field.nucleus_gy,
        oxygen_mmhg=float(oxygen_mmhg),
    )
