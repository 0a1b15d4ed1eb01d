"""The gamma index: how near an estimated dose comes to a reference dose in dose and in place together.

Gamma at a reference point is the smallest, over all places of the estimate, of
sqrt((distance / distance criterion)^2 + (dose difference / dose criterion)^2)
(D. A. Low et al., Med Phys 25 (1998) 656-661). The search runs over the estimate's trilinear interpolation itself, not
over points of it (the idea of T. Ju et al., Med Phys 35 (2008) 879-887, who use simplices), so that there is no
interpolation step to choose.

Conventions:

- Reference first, estimate second; gamma lies on the reference's grid. The two grids need not be the same.
- Global: the dose criterion is a part of one dose, the reference's maximum unless given. Local: of the reference dose
  at each point.
- Gamma is NaN exactly where the reference is below the cut-off (or is NaN), and at most ``maximum`` elsewhere.
- The estimate ends at its outermost voxel centres. One voxel along an axis, as in a plane, has no extent there.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.dose.gamma_search import cell_bounds, gamma_slices, shells
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.resample import in_order
from braggbook.imaging.volumes import grid_of, make_volume

_POINTS = 1 << 17  # of one task, about
_WHOLE = 1e-12  # of a voxel: what two affine maps leave of a step
_SLACK = 1e-6  # of a voxel: what a step of that much is after a million voxels
_LARGEST = 100.0  # maximum gamma; the cells to look at grow with its cube
_MOST_CELLS = 4_000_000  # around a point: 300 MB


@dataclass(frozen=True)
class PassRate:
    """How many points pass.

    Attributes:
        passed: Points with gamma of 1 or less.
        evaluated: Points with a gamma.
        not_evaluated: Points without: below the cut-off, or without a reference dose.
    """

    passed: int
    evaluated: int
    not_evaluated: int

    @property
    def percent(self) -> float:
        """Points that pass, in % of those evaluated.

        Raises:
            ImagingError: No point was evaluated.
        """
        if not self.evaluated:
            raise ImagingError("no point has a gamma", wanted="a cut-off below the reference's maximum")
        return 100 * self.passed / self.evaluated


def pass_rate(gamma: xr.DataArray) -> PassRate:
    """Returns how many points of a gamma volume pass."""
    values = np.asarray(gamma.values)
    evaluated = int(np.isfinite(values).sum())
    return PassRate(int((values <= 1).sum()), evaluated, values.size - evaluated)


def gamma_index(
    reference: xr.DataArray,
    estimate: xr.DataArray,
    *,
    dose_percent: float = 3.0,
    distance_mm: float = 3.0,
    local: bool = False,
    cutoff_percent: float = 10.0,
    normalisation_gy: float | None = None,
    maximum: float = 2.0,
) -> xr.DataArray:
    """Returns the gamma index of an estimated dose.

    Args:
        reference: (z, y, x) in Gy, or in any unit that both have.
        estimate: (z, y, x), on its own grid in the same patient space.
        dose_percent: Dose criterion in %.
        distance_mm: Distance criterion.
        local: Percent of the reference dose at each point instead of the normalisation.
        cutoff_percent: Points whose reference dose is below this part of the normalisation have no gamma.
        normalisation_gy: What percents are of; the largest reference dose unless given.
        maximum: Gamma is not looked for above this; points with more have it.

    Returns:
        (z, y, x) float64 on the reference's grid, unit 1.

    Raises:
        ImagingError: Other units, dose types or frames of reference; criteria that are none; a skewed estimate; all
            findings together.
    """
    _check(reference, estimate, (dose_percent, distance_mm, maximum), cutoff_percent)
    doses = _finite(reference, "reference")
    values = _finite(estimate, "estimate")
    norm = float(np.fmax.reduce(doses, axis=None)) if normalisation_gy is None else normalisation_gy
    if not (isinstance(norm, Real) and 0 < norm < np.inf):
        raise ImagingError("nothing to normalise to", where="normalisation_gy", wanted="above 0", got=str(norm))
    grids = grid_of(reference), grid_of(estimate)
    rule = (cutoff_percent / 100 * norm, dose_percent / 100 * (1.0 if local else norm), local)
    gamma = _search(doses, values, grids, rule=rule, reach=(distance_mm, maximum))
    described = f"{dose_percent:g} % {'local' if local else 'global'}, {distance_mm:g} mm"
    attrs = {
        "criteria": described,
        "normalisation": norm,
        "cutoff_percent": cutoff_percent,
        "maximum": maximum,
        "interpolation": "trilinear, minimised in every cell",
    }
    return make_volume(gamma, grids[0], name="gamma", units="1", attrs=attrs)


def _search(
    doses: Floats,
    values: Floats,
    grids: tuple[Grid, Grid],
    *,
    rule: tuple[float, float, bool],
    reach: tuple[float, float],
) -> Floats:
    distance_mm, maximum = reach
    reference, estimate = grids
    steps = np.array(estimate.spacing_mm[::-1]) / distance_mm
    flat = np.array(estimate.shape[::-1]) == 1
    matrix = np.ascontiguousarray((estimate.inverse @ reference.affine)[:3])
    around = shells(np.where(flat, np.inf, steps), reach=maximum, fractions=_fractions(matrix))
    searched = (values, _bounds(values))
    out = np.empty(doses.shape)
    size = max(1, _POINTS // max(1, doses[0].size))
    in_order(
        gamma_slices,
        [
            (doses[n : n + size], n, matrix, searched, around, np.append(steps, maximum), rule, out[n : n + size])
            for n in range(0, len(doses), size)
        ],
    )
    return out


def _fractions(matrix: Floats) -> Floats:
    """Returns (3, 2) how far points are from the nearer end of their cells at least and at most, in voxels.

    The same for all points where one step of the reference's grid is a whole number of the estimate's.
    """
    steps = matrix[:, :3]
    whole = (np.abs(steps - np.round(steps)) < _WHOLE).all(axis=1)
    end = np.abs(matrix[:, 3] - np.round(matrix[:, 3]))
    low, high = np.maximum(end - _SLACK, 0.0), np.minimum(end + _SLACK, 0.5)
    return np.stack([np.where(whole, low, 0.0), np.where(whole, high, 0.5)], axis=1)


def _finite(volume: xr.DataArray, where: str) -> Floats:
    """Returns (z, y, x) float64; NaN is allowed, infinity is not."""
    values = np.ascontiguousarray(volume.values, dtype=np.float64)
    ends = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if np.isinf(ends).any():
        raise ImagingError("a dose without numbers", where=where, wanted="finite doses, NaN where unknown", got="inf")
    return values


def _bounds(values: Floats) -> Floats:
    """Returns smallest and largest value of each cell, one less than voxels along each axis and at least one."""
    bounds = np.empty([*(max(1, length - 1) for length in values.shape), 2])
    size = max(1, _POINTS // max(1, bounds[0].size))
    in_order(cell_bounds, [(values, bounds[n : n + size], n) for n in range(0, len(bounds), size)])
    return bounds


def _check(
    reference: xr.DataArray, estimate: xr.DataArray, criteria: tuple[float, float, float], cutoff_percent: float
) -> None:
    issues = _mixed(reference, estimate)
    names = ("dose_percent", "distance_mm", "maximum")
    for name, value in zip(names, criteria, strict=True):
        if not (isinstance(value, Real) and 0 < value <= _LARGEST):
            wanted = f"above 0, at most {_LARGEST:g}"
            issues.append(Issue("not a criterion", where=name, wanted=wanted, got=f"{value}"))
    if not (isinstance(cutoff_percent, Real) and 0 <= cutoff_percent <= 100):
        issues.append(Issue("not a cut-off", where="cutoff_percent", wanted="from 0 to 100", got=f"{cutoff_percent}"))
    if issues:
        raise ImagingError("these doses cannot be compared so", issues=issues)
    grid = grid_of(estimate)
    if grid.is_skewed:
        raise ImagingError("a skewed estimate", where="estimate", wanted="axes at right angles; resample it first")
    cells = np.prod([2 * criteria[2] * criteria[1] / step + 3 for step in grid.spacing_mm])
    if cells > _MOST_CELLS:
        wanted = "a smaller maximum or distance"
        raise ImagingError("too far to look", where="maximum", wanted=wanted, got=f"{cells:.2g} cells a point")


def _mixed(reference: xr.DataArray, estimate: xr.DataArray) -> list[Issue]:
    """Returns what keeps two doses from being compared at all."""
    issues = []
    for name, volume in (("reference", reference), ("estimate", estimate)):
        if volume.dims != ("z", "y", "x"):
            wanted = "dimensions z, y, x in this order; for one plane isel(z=[n])"
            issues.append(Issue("not one volume", where=name, wanted=wanted, got=str(volume.dims)))
    for key in ("units", "dose_type", "frame_of_reference_uid"):
        one, other = reference.attrs.get(key), estimate.attrs.get(key)
        if one != other and (key == "units" or (one and other)):
            issues.append(Issue(f"two {key}", where="reference and estimate", wanted=str(one), got=str(other)))
    return issues
