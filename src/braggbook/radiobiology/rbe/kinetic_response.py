"""What a microdosimetric kinetic model says of cells in a field: alpha, beta, survival, doses and RBE.

The survival is the linear-quadratic curve, for the stochastic models times a factor for the spread of specific energy
among nuclei (Inaniwa and Kanematsu 2018, doi:10.1088/1361-6560/aabede):

    S(D) = exp(-alpha D - beta D^2) {1 + D [-beta + (alpha + 2 beta D)^2 / 2] z_n},

with z_n the dose-mean specific energy per event in the nucleus; z_n = 0 is the MKM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from braggbook.errors import ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.arguments import ABOVE_ZERO, BETWEEN_ZERO_AND_ONE, NOT_NEGATIVE, checked, checked_scalars
from braggbook.radiobiology.rbe.definition import Rbe
from braggbook.radiobiology.rbe.let import LetKind
from braggbook.radiobiology.rbe.specific_energy import SpecificEnergies

Floats = NDArray[np.float64]

_MAX_DOUBLINGS = 60  # of the dose that brackets a survival level; beyond, the level is below what numbers can hold


@dataclass(frozen=True, eq=False)
class KineticResponse:
    """Response of a cell line to an ion at one or several energies, or to one mixed field.

    Attributes:
        model: "MKM", "SMK", "OSMK 2021" or "OSMK 2023".
        cell_line: The cells.
        citation: Where the model and its parameters come from.
        field: The specific energies that it follows from.
        alpha_per_gy: Linear coefficient, 1/Gy, shape (n,).
        beta_per_gy2: Quadratic coefficient, 1/Gy^2, shape (n,).
        nucleus_gy: Dose-mean specific energy in the nucleus, Gy, shape (n,); 0 in the MKM.
        oxygen_mmhg: Oxygen pressure in mmHg; None where the model knows none.
    """

    model: str
    cell_line: str
    citation: str
    field: SpecificEnergies
    alpha_per_gy: Floats
    beta_per_gy2: Floats
    nucleus_gy: Floats
    oxygen_mmhg: float | None = None

    def surviving_fraction(self, dose_gy: ArrayLike) -> Floats:
        """Returns the surviving fraction, shape (n, shape of the doses).

        Raises:
            ScienceError: A dose is negative or not a finite number, or the second-order factor of the stochastic models
                gives more survivors than cells, which happens where alpha z_n is far above what it was derived for.
        """
        (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
        survival = np.exp(self._log_survival(dose))
        if np.any(survival > 1.0):
            row = int(np.argwhere(survival > 1.0)[0][0])
            raise ScienceError(
                "the factor for the spread among nuclei is outside its range",
                where=f"row {row + 1}, LET {self.field.let_kev_um[row]:g} keV/um",
                wanted="a survival of at most 1",
                got=f"{float(np.max(survival)):g}",
            )
        return np.asarray(survival)

    def dose_at_survival(self, level: float) -> Floats:
        """Returns the smallest dose in Gy with this surviving fraction, shape (n,).

        Raises:
            ScienceError: The level is not above 0 and below 1, or the curve never comes down to it.
        """
        (level,) = checked_scalars({"level": (level, BETWEEN_ZERO_AND_ONE)})
        if not np.any(self.nucleus_gy):
            alpha, beta = self.alpha_per_gy, self.beta_per_gy2
            return np.atleast_1d(lq.dose_at_survival(level, alpha_per_gy=alpha, beta_per_gy2=beta))
        target = float(np.log(level))
        return np.array([self._solve(row, target) for row in range(len(self.field))])

    def rbe_at_survival(
        self,
        level: float,
        *,
        alpha_reference_per_gy: float,
        beta_reference_per_gy2: float,
        reference_radiation: str,
    ) -> tuple[Rbe, ...]:
        """Returns the RBE at a surviving fraction, one record per energy, with all that defines it.

        Args:
            level: Surviving fraction, above 0 and below 1.
            alpha_reference_per_gy: Linear coefficient of the reference radiation, 1/Gy.
            beta_reference_per_gy2: Quadratic coefficient of the reference radiation, 1/Gy^2.
            reference_radiation: What it is, for example "200 kV x rays".

        Raises:
            ScienceError: The level or a coefficient is not usable, or a curve never comes down to the level.
        """
        doses = self.dose_at_survival(level)
        checked_scalars(
            {
                "alpha_reference_per_gy": (alpha_reference_per_gy, ABOVE_ZERO),
                "beta_reference_per_gy2": (beta_reference_per_gy2, ABOVE_ZERO),
            }
        )
        reference = float(
            lq.dose_at_survival(level, alpha_per_gy=alpha_reference_per_gy, beta_per_gy2=beta_reference_per_gy2)
        )
        pressure = "" if self.oxygen_mmhg is None else f" at {self.oxygen_mmhg:g} mmHg of oxygen"
        kind = LetKind("dose-averaged", self.field.radiation, "liquid water, unit density")
        return tuple(
            Rbe(
                value=reference / float(dose),
                endpoint=f"clonogenic survival of {self.cell_line} cells{pressure}, {self.model}",
                effect_level=float(level),
                reference_radiation=reference_radiation,
                dose_gy=float(dose),
                let_kind=kind,
                let_kev_um=float(let),
                particle=self.field.radiation,
            )
            for dose, let in zip(doses, self.field.let_kev_um, strict=True)
        )

    def _log_survival(self, dose: Floats) -> Floats:
        """Returns ln S, shape (n, shape of the doses)."""
        alpha, beta, nucleus = (
            value.reshape((-1,) + (1,) * dose.ndim) for value in (self.alpha_per_gy, self.beta_per_gy2, self.nucleus_gy)
        )
        spread = dose * nucleus * (0.5 * np.square(alpha + 2.0 * beta * dose) - beta)
        if np.any(spread <= -1.0):
            raise ScienceError(
                "the factor for the spread among nuclei is outside its range",
                where=f"{self.model}, {self.cell_line}",
                wanted="a factor above 0",
                got=f"{float(1.0 + np.min(spread)):g}",
            )
        return np.asarray(np.log1p(spread) - (alpha + beta * dose) * dose)

    def _solve(self, row: int, target: float) -> float:
        """Returns the dose at which ln S of a row first is ``target``."""

        def excess(dose: float) -> float:
            return float(self._log_survival(np.asarray(dose))[row]) - target

        high = 0.1
        for _ in range(_MAX_DOUBLINGS):
            if excess(high) < 0.0:
                return float(optimize.brentq(excess, 0.0, high, xtol=1e-12, rtol=1e-12))
            high *= 2.0
        raise ScienceError(
            "the curve never comes down to a survival level", where=f"row {row + 1}", got=f"{np.exp(target):g}"
        )


def oxygen_enhancement_ratio(hypoxic: KineticResponse, aerobic: KineticResponse, *, level: float) -> Floats:
    """Returns the OER at a surviving fraction: dose at low over dose at full oxygen pressure, shape (n,).

    Raises:
        ScienceError: One response knows no oxygen pressure, they are not of one model, cell line and radiation, or the
            level is not usable.
    """
    if hypoxic.oxygen_mmhg is None or aerobic.oxygen_mmhg is None:
        raise ScienceError("an OER needs two oxygen pressures", wanted="responses of an OSMK", got=hypoxic.model)
    for name in ("model", "cell_line"):
        if getattr(hypoxic, name) != getattr(aerobic, name):
            got = f"{getattr(hypoxic, name)} and {getattr(aerobic, name)}"
            raise ScienceError("an OER compares one thing at two oxygen pressures", where=name, got=got)
    one, other = hypoxic.field, aerobic.field
    if one.radiation != other.radiation or not np.array_equal(one.let_kev_um, other.let_kev_um):
        raise ScienceError("an OER compares one radiation at two oxygen pressures", where="field")
    return np.asarray(hypoxic.dose_at_survival(level) / aerobic.dose_at_survival(level))


def require_geometry(
    field: SpecificEnergies, *, domain_radius_um: float, nucleus_radius_um: float, z0_gy: float
) -> None:
    """Raises ScienceError when specific energies belong to another geometry than that of the parameters."""
    wanted = checked_scalars(
        {
            "domain_radius_um": (domain_radius_um, ABOVE_ZERO),
            "nucleus_radius_um": (nucleus_radius_um, ABOVE_ZERO),
            "z0_gy": (z0_gy, ABOVE_ZERO),
        }
    )
    if not np.allclose(field.geometry[:3], wanted, rtol=1e-9, atol=0.0):
        raise ScienceError(
            "the specific energies belong to another geometry",
            wanted="domain {:g} um, nucleus {:g} um, z0 {:g} Gy".format(*wanted),
            got="domain {:g} um, nucleus {:g} um, z0 {:g} Gy".format(*field.geometry[:3]),
        )
