"""How far two curves are apart, and what would bring them together: a factor, a shift in depth, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize

from braggbook.radiobiology.arguments import Floats

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_EXPLAINED = 0.5  # a factor or shift explains a difference when it takes away half of it or more
_SEARCH_STEP = 0.5  # mm; half a usual bin
_LARGE = 0.7  # logarithm; from a factor of two on, per cent mislead
_FURTHEST_SHIFT = 30.0  # mm; codes that disagree by more do not calculate the same beam
# Slips of the unit, by quantity: what a constant factor between two codes is most often.
_FAMILIAR = {
    "LET": {10.0: "MeV/cm read as keV/um?", 0.1: "keV/um read as MeV/cm, or MeV/mm as MeV/cm?"},
    "dose": {
        100.0: "cGy read as Gy, or per cent as a fraction?",
        0.01: "Gy read as cGy, or a fraction as per cent?",
        1000.0: "mGy read as Gy, or MeV as GeV?",
        0.001: "Gy read as mGy, or GeV as MeV?",
        1.602176634e-10: "Gy beside MeV/g?",
        6.241509074e9: "MeV/g beside Gy?",
    },
    "fluence": {100.0: "1/mm2 beside 1/cm2?", 0.01: "1/cm2 beside 1/mm2?"},
}
_FAMILIAR_WITHIN = 0.25  # logarithm; a factor of ten stays one beside real differences of a quarter


@dataclass(frozen=True)
class Difference:
    """How a curve differs from the consensus of the others.

    Attributes:
        factor: Median of value / consensus.
        left_by_factor: Distance that is left when the curve is divided by the factor.
        shift_mm: How much deeper the curve lies, by the shift that brings it nearest; NaN when none does.
        left_by_shift: Distance that is left when the curve is moved back by it; NaN when there is none.
        distance: Distance as it is.
        smallest_ratio: Smallest value / consensus, and the depth in mm where it is.
        largest_ratio: Largest value / consensus, and the depth in mm where it is.
        reason: All this in one sentence.
    """

    factor: float
    left_by_factor: float
    shift_mm: float
    left_by_shift: float
    distance: float
    smallest_ratio: tuple[float, float]
    largest_ratio: tuple[float, float]
    reason: str


def distance(one: Floats, other: Floats) -> float:
    """Returns the root mean square of ln(one / other) where both are above 0; infinite where they never are."""
    both = (one > 0) & (other > 0)
    if not np.any(both):
        return float("inf")
    return float(np.sqrt(np.mean(np.log(one[both] / other[both]) ** 2)))


def explain(
    depth: Floats, value: Floats, consensus: Floats, *, compared: Mask, tolerance: float, quantity: str
) -> Difference:
    """Tells in what a curve differs from the consensus of the others.

    Args:
        depth: Depths in mm, shape (n,).
        value: The curve, shape (n,).
        consensus: Consensus of the others, shape (n,).
        compared: Which depths count, shape (n,).
        tolerance: Distance below which two curves agree.
        quantity: "LET", "dose", "fluence" or another: which slips of the unit are familiar.
    """
    counted = compared & (value > 0) & (consensus > 0)
    if not np.any(counted):
        nowhere = (float("nan"), float("nan"))
        return Difference(0.0, np.inf, np.nan, np.nan, np.inf, nowhere, nowhere, "it has no value above 0 to compare")
    ratio = value[counted] / consensus[counted]
    factor, apart = float(np.median(ratio)), distance(value[counted], consensus[counted])
    shift, left_by_shift = _best_shift(depth, value, consensus, counted=counted)
    low, high = int(np.argmin(ratio)), int(np.argmax(ratio))
    found = Difference(
        factor=factor,
        left_by_factor=distance(value[counted] / factor, consensus[counted]),
        shift_mm=shift,
        left_by_shift=left_by_shift,
        distance=apart,
        smallest_ratio=(float(ratio[low]), float(depth[counted][low])),
        largest_ratio=(float(ratio[high]), float(depth[counted][high])),
        reason="",
    )
    return replace(found, reason=_reason(found, tolerance=tolerance, hints=_FAMILIAR.get(quantity, {})))


def _best_shift(depth: Floats, value: Floats, consensus: Floats, *, counted: Mask) -> tuple[float, float]:
    """Returns the shift of ``value`` against ``consensus`` that is nearest, and the distance that it leaves."""
    positive = value > 0
    # a distal edge falls like an exponential: straight lines in the logarithm follow it between samples
    logarithm, known = np.log(value[positive]), depth[positive]
    aim, places = np.log(consensus[counted]), depth[counted]

    def left(shift: float) -> float:
        return float(np.sqrt(np.mean((np.interp(places + shift, known, logarithm) - aim) ** 2)))

    reach = min(_FURTHEST_SHIFT, (depth[-1] - depth[0]) / 4.0)
    tried = np.arange(-reach, reach + _SEARCH_STEP, _SEARCH_STEP)
    start = float(tried[int(np.argmin([left(shift) for shift in tried]))])
    if abs(start) >= reach - _SEARCH_STEP:  # the end of the search is no minimum
        return float("nan"), float("nan")
    found = optimize.minimize_scalar(left, bounds=(start - _SEARCH_STEP, start + _SEARCH_STEP), method="bounded")
    return float(found.x), float(found.fun)


def _reason(found: Difference, *, tolerance: float, hints: Mapping[float, str]) -> str:
    enough = _EXPLAINED * found.distance
    by_factor = found.left_by_factor <= enough and abs(np.log(found.factor)) > tolerance
    by_shift = np.isfinite(found.shift_mm) and found.left_by_shift <= enough
    if by_shift and not (by_factor and found.left_by_factor < found.left_by_shift):
        side = "deeper" if found.shift_mm > 0 else "shallower"
        left = _percent(found.left_by_shift)
        return (
            f"it lies {abs(found.shift_mm):.1f} mm {side} than the others; moved back, {_percent(found.distance)} "
            f"of difference become {left}"
        )
    if by_factor:
        near = [text for known, text in hints.items() if abs(np.log(found.factor / known)) < _FAMILIAR_WITHIN]
        hint = f" ({near[0]})" if near else ""
        return (
            f"it is {found.factor:.4g} times the others{hint}; divided by that, {_percent(found.distance)} of "
            f"difference become {_percent(found.left_by_factor)}"
        )
    (small, small_at), (large, large_at) = found.smallest_ratio, found.largest_ratio
    return (
        f"it has another shape, which neither a factor nor a shift in depth explains: {small:.3g} times the others at "
        f"{small_at:.1f} mm, {large:.3g} times at {large_at:.1f} mm"
    )


def _percent(apart: float) -> str:
    """Returns a distance as people say it: per cent while it is small, a factor when it is not."""
    return f"{100.0 * apart:.2g} %" if apart < _LARGE else f"a factor of {np.exp(apart):.3g}"
