"""What one reads off a depth dose curve: peak, R90, R80, R50, falloff, entrance to peak.

Depths between samples are found by straight lines. The peak is the vertex of the parabola through the highest sample
and its neighbours where that lies between them, so that a coarse grid does not hide a part of it; noise of a Monte
Carlo curve can still raise it. A distal depth R80 is where the curve comes down to 80 % of its peak for the last
time, so that a spread-out Bragg peak with a rippled plateau has one.

The distal 80 % of a proton Bragg peak lies at the mean range whatever the energy spread (T. Bortfeld, Med Phys 24
(1997) 2024-2033; A. M. Koehler, D. M. Schneider and J. M. Sisterson, Nucl Instrum Methods 131 (1975) 437-440), which
is why curves are aligned there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.arguments import (
    BETWEEN_ZERO_AND_ONE,
    FINITE,
    NOT_NEGATIVE,
    Floats,
    Rule,
    checked_scalars,
    checked_table,
    increasing,
)

_FEWEST = 3  # a parabola
_LEVEL = Rule("a fraction above 0 and below 1 (not a percentage)", BETWEEN_ZERO_AND_ONE.holds)
_PARTLY = 0.5  # dose does not double from one bin to the next at an entrance
_COARSE = 2.0  # samples between the distal 80 % and 20 %; fewer, and straight lines lose the depth


@dataclass(frozen=True)
class DepthDoseSummary:
    """What was read off a depth dose curve; depths in mm, dose in the unit of the curve.

    Attributes:
        peak_depth_mm: Depth of the maximum.
        peak_dose: Dose there.
        entrance_to_peak: Dose of the first sample over the peak.
        r90_mm: Distal depth at 90 % of the peak.
        r80_mm: Distal depth at 80 %.
        r50_mm: Distal depth at 50 %; None where the curve does not come down so far (fragments of ions, short depths).
        r20_mm: Distal depth at 20 %; likewise.
        r10_mm: Distal depth at 10 %, the practical range of protons; likewise.
        falloff_mm: Distance from 80 % to 20 % (distal penumbra); None without an R20.
        warnings: What a reader must know, one sentence each.
    """

    peak_depth_mm: float
    peak_dose: float
    entrance_to_peak: float
    r90_mm: float
    r80_mm: float
    r50_mm: float | None
    r20_mm: float | None
    r10_mm: float | None
    falloff_mm: float | None
    warnings: tuple[str, ...]


def summarize_depth_dose(depth_mm: Any, dose: Any) -> DepthDoseSummary:
    """Reads peak, distal depths and entrance off a depth dose curve.

    Args:
        depth_mm: Depths in mm, shape (n,), increasing.
        dose: Dose at each, shape (n,), any unit, none negative.

    Raises:
        ScienceError: The columns are not a curve, with the rows at fault.
        FitError: The curve does not come down to 80 % of its peak within its depths.
    """
    depth, values = _curve(depth_mm, dose)
    peak_depth, peak = _peak(depth, values)
    r90, r80 = (_last_crossing(depth, values, height=level * peak, level=level) for level in (0.9, 0.8))
    reached = values[-1] / peak
    lower = {
        level: _last_crossing(depth, values, height=level * peak, level=level) if reached < level else None
        for level in _LOWER_LEVELS
    }
    r20 = lower[0.2]
    warnings = [
        f"no R{level * 100:.0f}: the curve ends at {reached:.0%} of its peak" for level in lower if lower[level] is None
    ]
    inside = None if r20 is None else np.count_nonzero((depth > r80) & (depth < r20))
    if inside is not None and inside < _COARSE:
        warnings.append(f"{inside} sample(s) between the distal 80 % and 20 %: the grid is too coarse for the falloff")
    if values[0] < _PARTLY * values[1]:
        warnings.append("the first sample is far below the second: a bin partly outside? entrance_to_peak is of it")
    return DepthDoseSummary(
        peak_depth_mm=peak_depth,
        peak_dose=peak,
        entrance_to_peak=float(values[0] / peak),
        r90_mm=r90,
        r80_mm=r80,
        r50_mm=lower[0.5],
        r20_mm=r20,
        r10_mm=lower[0.1],
        falloff_mm=None if r20 is None else r20 - r80,
        warnings=tuple(warnings),
    )


def distal_depth(depth_mm: Any, dose: Any, *, level: float = 0.8) -> float:
    """Returns the depth in mm at which a curve comes down to a fraction of its peak for the last time.

    Args:
        depth_mm: Depths in mm, shape (n,), increasing.
        dose: Dose at each, shape (n,), any unit, none negative.
        level: Fraction of the peak, between 0 and 1 (0.8 for R80).

    Raises:
        ScienceError: The columns are not a curve, or the level is not a fraction.
        FitError: The curve does not come down that far within its depths.
    """
    (fraction,) = checked_scalars({"level": (level, _LEVEL)})
    depth, values = _curve(depth_mm, dose)
    return _last_crossing(depth, values, height=fraction * _peak(depth, values)[1], level=fraction)


_LOWER_LEVELS = (0.5, 0.2, 0.1)


def _curve(depth_mm: Any, dose: Any) -> tuple[Floats, Floats]:
    depth, values = checked_table({"depth_mm": (depth_mm, FINITE), "dose": (dose, NOT_NEGATIVE)}, at_least=_FEWEST)
    increasing(depth, name="depth_mm")
    if not np.any(values > 0):
        raise ScienceError("no dose anywhere", wanted="a curve with a peak")
    return depth, values


def _peak(depth: Floats, values: Floats) -> tuple[float, float]:
    top = int(np.argmax(values))
    if top in (0, len(values) - 1):
        return float(depth[top]), float(values[top])
    x, y = depth[top - 1 : top + 2] - depth[top], values[top - 1 : top + 2]
    bend, slope, height = np.polyfit(x, y, 2)
    if bend >= 0:  # a plateau of equal samples
        return float(depth[top]), float(values[top])
    shift = -slope / (2.0 * bend)
    return float(depth[top] + shift), float(height + slope * shift / 2.0)


def _last_crossing(depth: Floats, values: Floats, *, height: float, level: float) -> float:
    last = int(np.flatnonzero(values >= height)[-1])
    if last == len(values) - 1:
        raise FitError(
            f"the curve does not come down to {level:.0%} of its peak",
            wanted="depths beyond the distal edge",
            got=f"{values[-1] / values.max():.0%} at {depth[-1]:g} mm, the last depth",
        )
    part = (values[last] - height) / (values[last] - values[last + 1])
    return float(depth[last] + part * (depth[last + 1] - depth[last]))
