"""The Local Effect Model, version I (LEM I): the photon curve applied to the local dose in the nucleus.

Photons kill by alpha_x D + beta_x D^2 up to a threshold dose D_t, and with a constant slope beyond:

    E_x(D) = alpha_x D + beta_x D^2                          for D <= D_t,
    E_x(D) = E_x(D_t) + s_max (D - D_t),  s_max = alpha_x + 2 beta_x D_t    above.

The model takes E_x for the density of lethal events at the local dose d of an ion's track and averages it over the area
of the nucleus: N(b) = <E_x(d)> at the impact parameter b. A cell survives with probability exp(-N).

From the lethal events of single ions to the linear-quadratic coefficients there are two ways, both named in the
result (d1 = LET / (density x area of the nucleus) is the dose of one ion per nucleus):

- ``"low_dose"``: alpha = integral of (1 - e^{-N(b)}) 2 pi b db / (LET/density), the exact initial slope of the
  model, in which ions that miss the nucleus and reach it with their penumbra count;
- ``"kraemer_scholz_2006"``: the rapid approach, alpha = (1 - e^{-N(0)}) / d1, from the central traversal alone.

Both take beta from the slope that the curve must reach at D_t: with the coefficient of single hits without
saturation, alpha_z = N / d1 (averaged over b in the first), beta_z = (s_max - alpha_z) / (2 D_t) and
beta = (alpha / alpha_z)^2 beta_z.

Sources: M. Scholz and G. Kraft, Adv Space Res 18 (1996) 5-14; M. Scholz, A. M. Kellerer, W. Kraft-Weyrather and
G. Kraft, Radiat Environ Biophys 36 (1997) 59-66; M. Krämer and M. Scholz, Phys Med Biol 45 (2000) 3319-3330 and 51
(2006) 1959-1970 (rapid; its formulas were read in the documentation of the program Survival,
https://github.com/batuff/Survival).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError, unknown_name
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    BETWEEN_ZERO_AND_ONE,
    NOT_NEGATIVE,
    checked,
    checked_scalars,
    checked_table,
)
from braggbook.radiobiology.constants import Constant, Source, constant
from braggbook.radiobiology.rbe.definition import Rbe
from braggbook.radiobiology.rbe.disc_average import disc_mean, impact_rule, impacts
from braggbook.radiobiology.rbe.let import LetKind
from braggbook.radiobiology.rbe.tracks import GY_UM2_PER_KEV_UM, AmorphousTrack

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # of shares of the dose that must sum to 1
METHODS = ("low_dose", "kraemer_scholz_2006")

_FRIEDRICH = Source(
    "Friedrich 2013", "T. Friedrich et al., J Radiat Res 54 (2013) 494-514, doi:10.1093/jrr/rrs114, caption of figure 8"
)
_NOTE = "input of the authors' LEM curves; the caption does not say which version of the model"


@dataclass(frozen=True, kw_only=True)
class LemParameters:
    """Photon response and nucleus of a cell line.

    Attributes:
        cell_line: The cells.
        alpha_per_gy: alpha_x of the photon curve, 1/Gy, above 0.
        beta_per_gy2: beta_x of the photon curve, 1/Gy^2, above 0.
        threshold_gy: D_t in Gy, beyond which the photon curve is straight.
        nucleus_radius_um: Radius of the nucleus in um.
        citation: Where they come from.
    """

    cell_line: str
    alpha_per_gy: float
    beta_per_gy2: float
    threshold_gy: float
    nucleus_radius_um: float
    citation: str = "given"

    def __post_init__(self) -> None:
        """Raises ScienceError that names every parameter which is not a finite number above 0."""
        names = ("alpha_per_gy", "beta_per_gy2", "threshold_gy", "nucleus_radius_um")
        checked_scalars({name: (getattr(self, name), ABOVE_ZERO) for name in names})

    @property
    def largest_slope_per_gy(self) -> float:
        """s_max = alpha_x + 2 beta_x D_t, 1/Gy."""
        return self.alpha_per_gy + 2.0 * self.beta_per_gy2 * self.threshold_gy

    def photon_effect(self, dose_gy: ArrayLike) -> Floats:
        """Returns E_x(D) = -ln S of photons: linear-quadratic up to D_t, straight beyond.

        Raises:
            ScienceError: A dose is negative or not a finite number.
        """
        (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
        return np.asarray(self._effect(dose))[()]

    def _effect(self, dose: Floats) -> Floats:
        low = np.minimum(dose, self.threshold_gy)
        return (self.alpha_per_gy + self.beta_per_gy2 * low) * low + self.largest_slope_per_gy * (dose - low)


_SETS: dict[str, tuple[str, Mapping[str, Constant]]] = {
    name: (
        name.upper(),
        {
            key: constant(f"lem.{name}.{key}", unit=unit, readings={_FRIEDRICH: value}, note=_NOTE)
            for key, unit, value in (
                ("alpha", "1/Gy", values[0]),
                ("beta", "1/Gy^2", values[1]),
                ("threshold", "Gy", values[2]),
            )
        },
    )
    for name, values in {"v79": (0.184, 0.02, 17.0), "hsg": (0.313, 0.0615, 7.5)}.items()
}


def lem_parameter_sets() -> tuple[str, ...]:
    """Returns the names of the published photon inputs of the LEM."""
    return tuple(sorted(_SETS))


def lem_parameters(name: str, *, nucleus_radius_um: float) -> LemParameters:
    """Returns a published photon input of the LEM: alpha_x, beta_x, D_t; the source gives no radius of the nucleus.

    Raises:
        UnknownName: There is no such set; the closest names are given.
        ScienceError: The radius is not a finite number above 0.
    """
    if not isinstance(name, str) or name not in _SETS:
        raise unknown_name("parameter set of the LEM", str(name), _SETS)
    cell_line, values = _SETS[name]
    return LemParameters(
        cell_line=cell_line,
        alpha_per_gy=values["alpha"].value,
        beta_per_gy2=values["beta"].value,
        threshold_gy=values["threshold"].value,
        nucleus_radius_um=nucleus_radius_um,
        citation=_FRIEDRICH.citation,
    )


@dataclass(frozen=True, eq=False)
class LemResponse:
    """Response of a cell line to an ion at one or several energies, by LEM I.

    Attributes:
        method: "low_dose" or "kraemer_scholz_2006".
        parameters: Photon response and nucleus.
        track: The ion's track.
        alpha_per_gy: Linear coefficient, 1/Gy, shape (n,).
        beta_per_gy2: Quadratic coefficient, 1/Gy^2, shape (n,).
        alpha_z_per_gy: Lethal events of single ions per dose, before they saturate in a cell, 1/Gy, shape (n,).
    """

    method: str
    parameters: LemParameters
    track: AmorphousTrack
    alpha_per_gy: Floats
    beta_per_gy2: Floats
    alpha_z_per_gy: Floats

    def surviving_fraction(self, dose_gy: ArrayLike) -> Floats:
        """Returns the surviving fraction, shape (n, shape of the doses): straight in ln S beyond D_t, as photons.

        Raises:
            ScienceError: A dose is negative or not a finite number.
        """
        (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
        shape = (-1,) + (1,) * dose.ndim
        alpha, beta = self.alpha_per_gy.reshape(shape), self.beta_per_gy2.reshape(shape)
        low = np.minimum(dose, self.parameters.threshold_gy)
        slope = alpha + 2.0 * beta * self.parameters.threshold_gy
        return np.asarray(np.exp(-(alpha + beta * low) * low - slope * (dose - low)))

    def dose_at_survival(self, level: float) -> Floats:
        """Returns the dose in Gy with this surviving fraction, shape (n,).

        Raises:
            ScienceError: The level is not above 0 and below 1.
        """
        (level,) = checked_scalars({"level": (level, BETWEEN_ZERO_AND_ONE)})
        alpha, beta, edge = self.alpha_per_gy, self.beta_per_gy2, self.parameters.threshold_gy
        effect = -float(np.log(level))
        at_edge = (alpha + beta * edge) * edge
        curved = lq.dose_at_effect(np.minimum(effect, at_edge), alpha_per_gy=alpha, beta_per_gy2=beta)
        return np.asarray(np.where(effect <= at_edge, curved, edge + (effect - at_edge) / (alpha + 2.0 * beta * edge)))

    def rbe_at_survival(self, level: float, *, reference_radiation: str) -> tuple[Rbe, ...]:
        """Returns the RBE at a surviving fraction, one record per energy; the reference is the photon response.

        Raises:
            ScienceError: The level is not above 0 and below 1.
        """
        doses = self.dose_at_survival(level)
        reference = float(self._photons().dose_at_survival(level)[0])
        kind = LetKind("dose-averaged", self.track.ion, "liquid water, unit density")
        return tuple(
            Rbe(
                value=reference / float(dose),
                endpoint=f"clonogenic survival of {self.parameters.cell_line} cells, LEM I ({self.method})",
                effect_level=float(level),
                reference_radiation=reference_radiation,
                dose_gy=float(dose),
                let_kind=kind,
                let_kev_um=float(let),
                particle=self.track.ion,
            )
            for dose, let in zip(doses, self.track.let_kev_um, strict=True)
        )

    def _photons(self) -> LemResponse:
        alpha, beta = np.array([self.parameters.alpha_per_gy]), np.array([self.parameters.beta_per_gy2])
        return LemResponse("photons", self.parameters, self.track, alpha, beta, alpha)


def lethal_events(track: AmorphousTrack, impact_um: ArrayLike, *, parameters: LemParameters) -> Floats:
    """Returns N(b), the mean number of lethal events that one ion leaves in the nucleus, shape (energies, m).

    Args:
        track: The track.
        impact_um: Distances b between track and centre of the nucleus in um, a number or shape (m,), 0 or more.
        parameters: Photon response and nucleus.

    Raises:
        ScienceError: A distance is negative or not a finite number.
    """
    return _lethal_events(track, impacts(impact_um), parameters)


def lem_response(track: AmorphousTrack, parameters: LemParameters, *, method: str = "low_dose") -> LemResponse:
    """Returns what LEM I says of cells irradiated with an ion at one or several energies.

    Args:
        track: The track, of :func:`~braggbook.radiobiology.rbe.tracks.amorphous_track`; LEM I has "scholz_kraft".
        parameters: Photon response and nucleus.
        method: "low_dose" or "kraemer_scholz_2006"; see above.

    Raises:
        UnknownName: There is no such method.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise unknown_name("method of the LEM", str(method), METHODS)
    total = GY_UM2_PER_KEV_UM * track.let_kev_um
    if method == "low_dose":
        rule = impact_rule(track, parameters.nucleus_radius_um)
        events = _lethal_events(track, rule.impact_um, parameters)
        alpha = rule.integrate(-np.expm1(-events)) / total
        alpha_z = rule.integrate(events) / total
    else:
        dose_of_one = total / (np.pi * parameters.nucleus_radius_um**2)
        central = _lethal_events(track, np.zeros(1), parameters)[:, 0]
        alpha, alpha_z = -np.expm1(-central) / dose_of_one, central / dose_of_one
    beta_z = (parameters.largest_slope_per_gy - alpha_z) / (2.0 * parameters.threshold_gy)
    return LemResponse(
        method=method,
        parameters=parameters,
        track=track,
        alpha_per_gy=alpha,
        beta_per_gy2=np.square(alpha / alpha_z) * beta_z,
        alpha_z_per_gy=alpha_z,
    )


def mixed_field_lq(
    alpha_per_gy: ArrayLike, beta_per_gy2: ArrayLike, *, dose_fractions: ArrayLike
) -> tuple[float, float]:
    """Returns alpha and beta of a mixed field: sum of f alpha, and (sum of f sqrt(beta))^2.

    Raises:
        ScienceError: A coefficient is negative or not a finite number, or the shares f of the dose are not one for each
            coefficient, not negative, with the sum 1.

    Source: M. Zaider and H. H. Rossi, Radiat Res 83 (1980) 732-739.
    """
    alpha, beta, share = checked_table(
        {
            "alpha_per_gy": (alpha_per_gy, NOT_NEGATIVE),
            "beta_per_gy2": (beta_per_gy2, NOT_NEGATIVE),
            "dose_fractions": (dose_fractions, NOT_NEGATIVE),
        }
    )
    if abs(total := float(np.sum(share)) - 1.0) > _ROUNDING:
        raise ScienceError("not a mixed field", where="dose_fractions", wanted="the sum 1", got=f"{total + 1.0:.9g}")
    return float(share @ alpha), float(np.square(share @ np.sqrt(beta)))


def _lethal_events(track: AmorphousTrack, impact_um: Floats, parameters: LemParameters) -> Floats:
    return disc_mean(
        track,
        impact_um,
        radius_um=parameters.nucleus_radius_um,
        function=parameters._effect,  # noqa: SLF001  # without the check of each of a million doses
        kink_gy=parameters.threshold_gy,
    )
