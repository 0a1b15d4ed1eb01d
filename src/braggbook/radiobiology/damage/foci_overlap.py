"""Foci that lie on one another: what is counted, and how many there were.

Breaks that come to lie on one resolvable place are one focus. If breaks fall on ``places`` at random, with m on
average on each, a place shows a focus with probability 1 - e^-m (Poisson), so that

    observed = places (1 - e^-m),        breaks = places m = -places ln(1 - observed / places).

This is classical occupancy (W. Feller, An Introduction to Probability Theory and Its Applications, vol. 1). It is
used in two ways. A beam along the microscope's axis: the places are the tracks through the nucleus, and all breaks of
a track are one focus in projection. Any radiation: the places are resolution elements of the nucleus, its projected
area over that of a focus.

It cannot tell apart tracks that cross the same element, knows no tracks in the plane of the image (there foci of one
track are strung out and the second use applies), nothing of delta electrons beyond the track, and nothing of foci
that split or merge with time. Close to saturation its error grows without limit, which the standard error shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import ABOVE_ZERO, NOT_NEGATIVE, checked, checked_scalars

Floats = NDArray[np.float64]

# One keV per um along each um^2 of water of 1 g/cm^3 is this many Gy: e * 1e3 J / (1e-18 m^3 * 1000 kg/m^3), exact.
GY_PER_KEV_UM3 = 1.602176634e-19 * 1e3 / (1e-18 * 1000.0)


@dataclass(frozen=True)
class OverlapCorrected:
    """Breaks behind counted foci.

    Attributes:
        breaks: Breaks per cell.
        standard_error: By the delta method; None when no error of the foci was given.
        occupied: Share of the places that show a focus.
        warnings: What a reader must know.
    """

    breaks: float
    standard_error: float | None
    occupied: float
    warnings: tuple[str, ...]


def mean_tracks(
    *, dose_gy: ArrayLike, let_kev_um: ArrayLike, nucleus_area_um2: ArrayLike, density_g_cm3: float = 1.0
) -> Floats:
    """Returns the mean number of tracks through a nucleus: n = D rho A / (0.1602 L).

    Args:
        dose_gy: Absorbed dose in Gy, above 0.
        let_kev_um: LET of the tracks in keV/um, above 0 (track average, where they differ).
        nucleus_area_um2: Area of the nucleus across the beam in um^2.
        density_g_cm3: Density, 1 for water.

    Raises:
        ScienceError: A number is not above 0.
    """
    dose, let, area, density = checked(
        {
            "dose_gy": (dose_gy, ABOVE_ZERO),
            "let_kev_um": (let_kev_um, ABOVE_ZERO),
            "nucleus_area_um2": (nucleus_area_um2, ABOVE_ZERO),
            "density_g_cm3": (density_g_cm3, ABOVE_ZERO),
        }
    )
    return np.asarray(dose * density * area / (GY_PER_KEV_UM3 * let))[()]


def resolvable_foci(breaks: ArrayLike, *, places: ArrayLike) -> Floats:
    """Returns the mean number of foci that breaks on so many places show: places (1 - e^(-breaks/places)).

    Raises:
        ScienceError: A number of breaks is negative or a number of places not above 0.
    """
    hidden, there = checked({"breaks": (breaks, NOT_NEGATIVE), "places": (places, ABOVE_ZERO)})
    return np.asarray(-there * np.expm1(-hidden / there))[()]


def overlap_corrected(foci: float, *, places: float, standard_error: float | None = None) -> OverlapCorrected:
    """Returns the breaks behind counted foci: -places ln(1 - foci / places).

    Args:
        foci: Mean foci per cell, background taken off.
        places: Tracks through the nucleus (:func:`mean_tracks`) or resolution elements.
        standard_error: Of ``foci``.

    Raises:
        ScienceError: There are at least as many foci as places: then the breaks cannot be told; or a number is
            not usable.
    """
    foci, places, spread = checked_scalars(
        {
            "foci": (foci, NOT_NEGATIVE),
            "places": (places, ABOVE_ZERO),
            "standard_error": (0.0 if standard_error is None else standard_error, NOT_NEGATIVE),
        }
    )
    share = foci / places
    if share >= 1.0:
        what = "as many foci as places, so that the breaks behind them cannot be told"
        raise ScienceError(what, wanted=f"fewer than {places:g} foci", got=f"{foci:g}")
    breaks = -places * math.log1p(-share)
    error = None if standard_error is None else spread / (1.0 - share)
    warnings = []
    if share > 0.8:
        warnings.append(f"{share:.0%} of the places show a focus: the correction hangs on their number")
    return OverlapCorrected(breaks, error, share, tuple(warnings))
