"""From double-strand breaks to lethal lesions: three models of repair and misrepair, each with its linear-quadratic
coefficients.

All begin with one differential equation per cell, repair of first order against misrepair of second order, which
follows an acute dose:

- repair-misrepair (RMR): dU/dt = -lambda U - kappa U^2. Every second-order step is lethal; of the first-order
  repairs a share phi is correct. C. A. Tobias, Radiat Res 104 (1985) S77-S95.
- lethal-potentially lethal (LPL): also lesions that are lethal at once. S. B. Curtis, Radiat Res 106 (1986) 252-270.
- repair-misrepair-fixation (RMF): the yield of DSBs itself is the input, with two constants of the cell line:
  alpha = theta Y + kappa z_F Y^2, beta = kappa Y^2 / 2. D. J. Carlson et al., Radiat Res 169 (2008) 447-459;
  M. C. Frese et al., Int J Radiat Oncol Biol Phys 83 (2012) 442-450.

RMF is what leads from a file of DNA damage to RBE: theta and kappa are found from a measured photon survival curve
and its DSB yield, and the ion's DSB yield then gives its alpha and beta.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    ABOVE_ZERO_OR_INFINITE,
    FINITE,
    FRACTION,
    NOT_NEGATIVE,
    Rule,
    checked,
    checked_scalars,
)
from braggbook.radiobiology.damage.foci_overlap import GY_PER_KEV_UM3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RmrParameters:
    """Parameters of the repair-misrepair model.

    Attributes:
        lesions_per_gy: Repairable lesions per Gy and cell ("uncommitted" lesions), 1/Gy.
        repair_rate_per_h: First-order repair, lambda, 1/h.
        misrepair_rate_per_h: Second-order misrepair per pair of lesions, kappa, 1/h.
        fidelity: Share of first-order repairs that are correct, phi; 1 in the simplest form.
    """

    lesions_per_gy: float
    repair_rate_per_h: float
    misrepair_rate_per_h: float
    fidelity: float = 1.0

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when the numbers cannot be such a model."""
        _check(self, {"fidelity": FRACTION})

    @property
    def repair_ratio(self) -> float:
        """Repair over misrepair, lambda / kappa: the number of lesions at which both go equally fast."""
        return self.repair_rate_per_h / self.misrepair_rate_per_h


@dataclass(frozen=True)
class LplParameters:
    """Parameters of the lethal-potentially lethal model.

    Attributes:
        lethal_per_gy: Lesions that are lethal at once, eta_L, 1/Gy; may be 0.
        potentially_lethal_per_gy: Lesions that can be repaired, eta_PL, 1/Gy.
        repair_rate_per_h: First-order correct repair, epsilon_PL, 1/h.
        misrepair_rate_per_h: Second-order misrepair, epsilon_2PL, 1/h.
        repair_time_h: Time until what is left becomes lethal, t_r, h.
    """

    lethal_per_gy: float
    potentially_lethal_per_gy: float
    repair_rate_per_h: float
    misrepair_rate_per_h: float
    repair_time_h: float

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when the numbers cannot be such a model."""
        _check(self, {"lethal_per_gy": NOT_NEGATIVE})

    @property
    def repair_ratio(self) -> float:
        """Repair over misrepair, epsilon = epsilon_PL / epsilon_2PL."""
        return self.repair_rate_per_h / self.misrepair_rate_per_h


@dataclass(frozen=True)
class FixationParameters:
    """The two constants of a cell line in the repair-misrepair-fixation model.

    Attributes:
        theta: Lethal lesions per DSB that come of one break: fixed, unrepaired or misrepaired.
        kappa: Lethal lesions per pair of DSBs that come of wrongly joined breaks.
    """

    theta: float
    kappa: float

    def __post_init__(self) -> None:
        """Raises ScienceError when the constants are not finite; they may be negative, as a fit may give them."""
        _check(self, {"theta": FINITE, "kappa": FINITE})


def rmr_survival(dose_gy: ArrayLike, parameters: RmrParameters, *, repair_time_h: float = math.inf) -> Floats:
    """Returns survival after an acute dose: S = e^-U0 [1 + U0 (1 - e^(-lambda t)) / epsilon]^(epsilon phi).

    U0 is the number of lesions, epsilon = lambda / kappa; what is not repaired at ``repair_time_h`` is lethal.

    Raises:
        ScienceError: A dose is negative or not a number, or the repair time is not above 0.
    """
    _require(parameters, RmrParameters)
    (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
    (time,) = checked_scalars({"repair_time_h": (repair_time_h, ABOVE_ZERO_OR_INFINITE)})
    lesions = parameters.lesions_per_gy * dose
    done = -math.expm1(-parameters.repair_rate_per_h * time)
    ratio = parameters.repair_ratio
    return np.asarray(np.exp(-lesions + ratio * parameters.fidelity * np.log1p(lesions * done / ratio)))[()]


def lpl_survival(dose_gy: ArrayLike, parameters: LplParameters) -> Floats:
    """Returns survival after an acute dose by the lethal-potentially lethal model.

    S = e^(-(eta_L + eta_PL) D) [1 + eta_PL D (1 - e^(-epsilon_PL t_r)) / epsilon]^epsilon (Curtis 1986).

    Raises:
        ScienceError: A dose is negative or not a number.
    """
    _require(parameters, LplParameters)
    (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
    done = -math.expm1(-parameters.repair_rate_per_h * parameters.repair_time_h)
    ratio = parameters.repair_ratio
    gain = ratio * np.log1p(parameters.potentially_lethal_per_gy * dose * done / ratio)
    return np.asarray(np.exp(gain - (parameters.lethal_per_gy + parameters.potentially_lethal_per_gy) * dose))[()]


def lpl_lq(parameters: LplParameters) -> tuple[float, float]:
    """Returns alpha (1/Gy) and beta (1/Gy^2) that LPL has at small dose, from the series of the logarithm.

    alpha = eta_L + eta_PL e^(-epsilon_PL t_r); beta = [eta_PL (1 - e^(-epsilon_PL t_r))]^2 / (2 epsilon). The next
    term is -(eta_PL D)^3 / (3 epsilon^2): LQ falls below LPL at doses where eta_PL D is not small against epsilon.
    """
    _require(parameters, LplParameters)
    done = -math.expm1(-parameters.repair_rate_per_h * parameters.repair_time_h)
    alpha = parameters.lethal_per_gy + parameters.potentially_lethal_per_gy * (1.0 - done)
    beta = (parameters.potentially_lethal_per_gy * done) ** 2 / (2.0 * parameters.repair_ratio)
    return alpha, beta


def mean_specific_energy_gy(let_kev_um: ArrayLike, *, diameter_um: float, density_g_cm3: float = 1.0) -> Floats:
    """Returns the frequency-mean specific energy per track in a sphere: z_F = 0.2040 L / d^2 (at 1 g/cm^3).

    The mean chord of a sphere is 2d/3 and its mass rho pi d^3 / 6, so that z_F = 4 * 0.1602 L / (pi rho d^2). It
    takes L as constant along the chord: not so for tracks that end in the sphere.

    Raises:
        ScienceError: LET, diameter or density is not above 0.
    """
    let, diameter, density = checked(
        {
            "let_kev_um": (let_kev_um, ABOVE_ZERO),
            "diameter_um": (diameter_um, ABOVE_ZERO),
            "density_g_cm3": (density_g_cm3, ABOVE_ZERO),
        }
    )
    return np.asarray(4.0 * GY_PER_KEV_UM3 * let / (math.pi * density * diameter**2))[()]


def fixation_lq(
    dsb_per_gy: ArrayLike, parameters: FixationParameters, *, specific_energy_gy: ArrayLike = 0.0
) -> tuple[Floats, Floats]:
    """Returns alpha (1/Gy) and beta (1/Gy^2) of a DSB yield: theta Y + kappa z_F Y^2 and kappa Y^2 / 2.

    Args:
        dsb_per_gy: DSBs per Gy and cell, 0 or more.
        parameters: Constants of the cell line.
        specific_energy_gy: Frequency-mean specific energy per track in the nucleus, Gy; 0 leaves out that breaks
            of one track join wrongly.

    Raises:
        ScienceError: A yield or specific energy is negative or not a number.
    """
    _require(parameters, FixationParameters)
    dsb, energy = checked(
        {"dsb_per_gy": (dsb_per_gy, NOT_NEGATIVE), "specific_energy_gy": (specific_energy_gy, NOT_NEGATIVE)}
    )
    alpha = parameters.theta * dsb + parameters.kappa * energy * dsb**2
    beta = 0.5 * parameters.kappa * dsb**2
    return np.asarray(alpha)[()], np.asarray(beta)[()]


def fixation_from_survival(
    *, alpha_per_gy: float, beta_per_gy2: float, dsb_per_gy: float, specific_energy_gy: float = 0.0
) -> FixationParameters:
    """Returns the constants of a cell line from its photon survival curve and photon DSB yield.

    kappa = 2 beta / Y^2, theta = (alpha - 2 beta z_F) / Y: :func:`fixation_lq` gives alpha and beta back. Negative
    coefficients give negative constants, never clipped.

    Raises:
        ScienceError: A number is not finite, the yield not above 0, or the specific energy negative.
    """
    alpha, beta, dsb, energy = checked_scalars(
        {
            "alpha_per_gy": (alpha_per_gy, FINITE),
            "beta_per_gy2": (beta_per_gy2, FINITE),
            "dsb_per_gy": (dsb_per_gy, ABOVE_ZERO),
            "specific_energy_gy": (specific_energy_gy, NOT_NEGATIVE),
        }
    )
    return FixationParameters((alpha - 2.0 * beta * energy) / dsb, 2.0 * beta / dsb**2)


def _require(parameters: object, kind: type) -> None:
    """Raises ScienceError when parameters are those of another model, or none."""
    if not isinstance(parameters, kind):
        raise ScienceError(
            "not the parameters of this model", wanted=f"{kind.__name__}(...)", got=type(parameters).__name__
        )


def _check(model: Any, rules: Mapping[str, Rule]) -> None:
    """Raises ScienceError with every field that breaks its rule; without one it must be above 0."""
    checked_scalars({f.name: (getattr(model, f.name), rules.get(f.name, ABOVE_ZERO)) for f in fields(model)})
