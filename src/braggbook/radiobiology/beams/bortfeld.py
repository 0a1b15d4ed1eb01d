"""The Bragg curve of protons in water in closed form.

Range by the Bragg-Kleeman rule R0 = alpha E^p; range straggling and the beam's own energy spread as one Gaussian of
width sigma; a fluence that falls by nuclear interactions, of whose energy a part stays; a tail of low energies. With
zeta = (R0 - z) / sigma::

    D(z) = fluence sigma^(1/p) Gamma(1/p) exp(-zeta^2/4) / (sqrt(2 pi) rho p alpha^(1/p) (1 + beta R0))
           * [D_-1/p(-zeta) / sigma + (beta/p + gamma beta + epsilon/R0) D_-1/p-1(-zeta)]

It was made for 10 to 200 MeV. One model, one direction: no lateral scattering, so it is the dose of a broad beam.

Source: T. Bortfeld, Med Phys 24 (1997) 2024-2033, doi:10.1118/1.598116.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.radiobiology.arguments import ABOVE_ZERO, FRACTION, Floats, Rule, checked, checked_scalars, within
from braggbook.radiobiology.beams.parabolic_cylinder import damped_cylinder
from braggbook.radiobiology.constants import Source, constant, taking

_GY_PER_MEV_G = 1.602176634e-10  # exact: the electron volt in joule, per gram
_MM_PER_CM = 10.0
_DEEPEST = 10_000.0  # mm; three times the range of 1 GeV
# far beyond what the model was made for, and a wrong unit is still caught
_ENERGY = Rule("a number of MeV above 0, at most 1000", lambda x: (x > 0) & (x <= 1000.0))

BORTFELD = Source("bortfeld", "T. Bortfeld, Med Phys 24 (1997) 2024-2033, doi:10.1118/1.598116")
LIBAMTRACK = Source(
    "libamtrack",
    "libamtrack, include/AT_DataMaterial.h, liquid water, at commit 03d7aee683834da525aa861d7bed30e553db65f4, "
    "https://github.com/libamtrack/library; the source of its fit is not stated there",
)
_RULING = (
    "fitted together with the other of the pair; from 70 to 200 MeV this pair is within 0.5 % of the CSDA range of "
    "PSTAR, the paper's within 1.2 %; never mix the two"
)

RANGE_COEFFICIENT = constant(
    "bortfeld.range_coefficient",
    unit="cm",
    readings={LIBAMTRACK: 0.00231, BORTFELD: 0.0022},
    ruling=_RULING,
    note="alpha of R0 = alpha E^p with R0 in cm of water and E in MeV, so its unit is cm/MeV^p",
)
RANGE_EXPONENT = constant(
    "bortfeld.range_exponent", unit="1", readings={LIBAMTRACK: 1.761, BORTFELD: 1.77}, ruling=_RULING
)
FLUENCE_REDUCTION = constant(
    "bortfeld.fluence_reduction",
    unit="1/cm",
    readings={BORTFELD: 0.012},
    note="beta; fluence falls as (1 + beta (R0 - z)) / (1 + beta R0)",
)
LOCAL_FRACTION = constant(
    "bortfeld.local_fraction",
    unit="1",
    readings={BORTFELD: 0.6},
    note="gamma; part of the energy released in nuclear interactions that is absorbed where it is released",
)
STRAGGLING_COEFFICIENT = constant(
    "bortfeld.straggling_coefficient",
    unit="1",
    readings={BORTFELD: 0.012},
    note="sigma_mono = 0.012 R0^0.935 with both in cm, so its unit is cm^0.065",
)
STRAGGLING_EXPONENT = constant("bortfeld.straggling_exponent", unit="1", readings={BORTFELD: 0.935})


@dataclass(frozen=True)
class ProtonBeam:
    """A broad proton beam in water, as the analytical models see it.

    Attributes:
        energy_mev: Mean energy at the surface, MeV.
        energy_spread_mev: Standard deviation of the energy at the surface, MeV.
        range_mm: Mean range R0, mm of water.
        sigma_mm: Standard deviation of the residual range: straggling and energy spread, mm.
        range_coefficient: alpha of R0 = alpha E^p, cm/MeV^p.
        range_exponent: p.
    """

    energy_mev: float
    energy_spread_mev: float
    range_mm: float
    sigma_mm: float
    range_coefficient: float
    range_exponent: float


def proton_beam(*, energy_mev: float, energy_spread_mev: float, sources: Mapping[str, str] | None = None) -> ProtonBeam:
    """Returns the range and its spread for a beam in water, by the Bragg-Kleeman rule.

    Args:
        energy_mev: Mean energy at the surface, MeV.
        energy_spread_mev: Standard deviation of the energy in MeV (not in per cent); 0 for a beam of one energy.
        sources: Which reading of which constant to take, as in :func:`braggbook.radiobiology.constants.taking`.

    Raises:
        ScienceError: The energy is not above 0, or the spread is negative or not below the energy.
    """
    (energy,) = checked_scalars({"energy_mev": (energy_mev, _ENERGY)})
    half = within(0, energy / 2.0, of="MeV, half the energy")
    (spread,) = checked_scalars({"energy_spread_mev": (energy_spread_mev, half)})
    with taking(sources):
        alpha, p = RANGE_COEFFICIENT.value, RANGE_EXPONENT.value
        range_cm = alpha * energy**p
        straggling_cm = STRAGGLING_COEFFICIENT.value * range_cm**STRAGGLING_EXPONENT.value
    from_spread_cm = spread * alpha * p * energy ** (p - 1.0)
    sigma_cm = math.hypot(straggling_cm, from_spread_cm)
    return ProtonBeam(energy, spread, range_cm * _MM_PER_CM, sigma_cm * _MM_PER_CM, alpha, p)


def bortfeld_dose(
    depth_mm: Any,
    *,
    energy_mev: float,
    energy_spread_mev: float,
    fluence_per_cm2: float = 1.0,
    tail_fraction: float = 0.0,
    sources: Mapping[str, str] | None = None,
) -> Floats:
    """Returns the dose of a broad proton beam in water, in Gy.

    Args:
        depth_mm: Depth in water below the surface, mm, any shape, 0 or more.
        energy_mev: Mean energy at the surface, MeV; the model was made for 10 to 200.
        energy_spread_mev: Standard deviation of the energy at the surface, MeV (not per cent).
        fluence_per_cm2: Primary fluence at the surface, 1/cm2.
        tail_fraction: epsilon, the part of the fluence in the low-energy tail, 0 to 0.2 in the paper.
        sources: Which reading of which constant to take, for example
            ``{"bortfeld.range_coefficient": "bortfeld", "bortfeld.range_exponent": "bortfeld"}``.

    Returns:
        Dose in the shape of ``depth_mm``.

    Raises:
        ScienceError: A depth is negative or not a number, or another argument is out of its range.
    """
    (depth,) = checked({"depth_mm": (depth_mm, within(0, _DEEPEST, of="mm"))})
    fluence, tail = checked_scalars(
        {"fluence_per_cm2": (fluence_per_cm2, ABOVE_ZERO), "tail_fraction": (tail_fraction, FRACTION)}
    )
    beam = proton_beam(energy_mev=energy_mev, energy_spread_mev=energy_spread_mev, sources=sources)
    with taking(sources):
        beta, gamma = FLUENCE_REDUCTION.value, LOCAL_FRACTION.value
    alpha, p = beam.range_coefficient, beam.range_exponent
    range_cm, sigma_cm = beam.range_mm / _MM_PER_CM, beam.sigma_mm / _MM_PER_CM
    x = (depth / _MM_PER_CM - range_cm) / sigma_cm
    peak = damped_cylinder(1.0 / p, x) / sigma_cm
    plateau = (beta / p + gamma * beta + tail / range_cm) * damped_cylinder(1.0 / p + 1.0, x)
    scale = sigma_cm ** (1.0 / p) * math.gamma(1.0 / p) / math.sqrt(2.0 * math.pi)
    scale /= p * alpha ** (1.0 / p) * (1.0 + beta * range_cm)
    return np.asarray(fluence * scale * (peak + plateau) * _GY_PER_MEV_G)[()]
