"""What a reader of a survival fit must be told: about its plates, its coefficients, its dispersion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from braggbook.radiobiology.survival.colony_counts import ColonyCounts
from braggbook.radiobiology.survival.curve_model import Plating, pooled_plating_efficiency
from braggbook.radiobiology.survival.proportionality import proportionality_warnings

# The vignette of CFAssay calls a dispersion above these suspicious: 9 is three Poisson standard deviations,
# squared; a fixed plating efficiency passes its own error on to every plate of the replicate, hence 12.
DISPERSION_LIMITS: Mapping[Plating, float] = {"fitted": 9.0, "pooled": 12.0}


def dispersion_rule(plating: Plating) -> str:
    """Returns what the dispersion of a likelihood fit is held against, in words."""
    return (
        f"suspicious above {DISPERSION_LIMITS[plating]:g} (CFAssay, plating efficiency {plating}); 1 is "
        "pure counting error; standard errors scale with its square root, also below 1"
    )


def plate_warnings(counts: ColonyCounts) -> tuple[str, ...]:
    """Returns what the plates themselves give cause to say."""
    found = list(counts.warnings)
    if len(counts.replicates) == 1:
        found.append("one replicate only: the intervals do not hold the variation between experiments")
    efficiency = pooled_plating_efficiency(counts)
    without = [label for label, value in zip(counts.replicates, efficiency, strict=True) if np.isnan(value)]
    if without:
        found.append(f"no zero-dose plate in replicate {', '.join(without)}: plating efficiency is extrapolated")
    return (*found, *proportionality_warnings(counts))


def sign_warnings(coefficients: Mapping[str, float]) -> tuple[str, ...]:
    """Returns a sentence per coefficient that is negative."""
    return tuple(
        f"{name} is negative ({value:.4g}); it is reported as estimated, not clipped"
        for name, value in coefficients.items()
        if value < 0
    )


def dispersion_warnings(dispersion: float, *, plating: Plating) -> tuple[str, ...]:
    """Returns what is to be said of a dispersion above its limit or below 1."""
    limit = DISPERSION_LIMITS[plating]
    if dispersion > limit:
        return (f"dispersion {dispersion:.4g} is above {limit:g}: the plates scatter suspiciously",)
    if dispersion < 1:
        text = (
            f"dispersion {dispersion:.4g} is below 1: the plates scatter less than counting error allows, "
            "and the standard errors are scaled down with it, as R's quasi-Poisson does"
        )
        return (text,)
    return ()
