"""Distances between the surfaces of two masks, for two ideas of what a surface is.

- **voxel**: the voxels of the mask that have a neighbour outside across a face, at their centres, all counting the
  same (MetricsReloaded, MONAI, MedPy).
- **surfel**: corners between voxels around which there is inside and outside, each weighted by the area of the
  marching-cubes triangles there, or the length of the line in 2D (DeepMind's surface-distance; Nikolov et al.,
  J. Med. Internet Res. 23, e26151 (2021), doi:10.2196/26151).

The two give different numbers for the same masks, and so do different percentiles: "HD95" of one pair of masks is
11.31, 6.79 or 2.26 mm. Every name here says which it is. Conventions are those of :mod:`braggbook.metrics.masks`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from braggbook.errors import InputError, NoValue
from braggbook.metrics.masks import Floats, Mask, check_masks, cropped

Border = Literal["voxel", "surfel"]
Percentile = Literal["directed_max", "pooled"]
_EIGHTH = 0.125  # of a voxel's face: the unit of the table
_LEAF = 32  # points that a leaf of the tree holds: fastest for surfaces, on which points are dense
_LOOKS, _REACH = 100, 6  # places around an element that are looked at before a tree is made, and how many voxels away


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """From every element of either surface to the nearest of the other.

    Attributes:
        of_reference_mm: (n), rising: from the reference's surface to the estimate's.
        of_estimate_mm: (m), rising: from the estimate's surface to the reference's.
        reference_weights: (n): area in mm2 (length in mm in 2D) of each element; all 1 for voxels.
        estimate_weights: (m): the same.
        border: What an element is.
    """

    of_reference_mm: Floats
    of_estimate_mm: Floats
    reference_weights: Floats
    estimate_weights: Floats
    border: Border

    def hausdorff_mm(self) -> float:
        """Hausdorff's distance: the largest of all (Hausdorff, Grundzuege der Mengenlehre (1914), 293)."""
        return float(max(self.of_reference_mm[-1], self.of_estimate_mm[-1]))

    def quantile_mm(self, part: float, *, rule: Percentile = "directed_max") -> float:
        """A percentile of the distances in place of the largest.

        Args:
            part: From 0 to 1.
            rule: ``"directed_max"``: the larger of the percentiles of both directions, for voxels between two distances
                linearly (MetricsReloaded, MONAI), for surfels the first distance at which that part of the area is
                reached (surface-distance). ``"pooled"``: of both lists together, linearly, each element counting the
                same (MedPy); voxels only.

        Raises:
            InputError: No such rule, or not for surfels; no part.
        """
        if not 0 <= part <= 1:
            raise InputError("not a part", where="part", wanted="from 0 to 1", got=str(part))
        if rule == "pooled" and self.border == "voxel":
            return float(np.quantile(np.concatenate([self.of_reference_mm, self.of_estimate_mm]), part))
        if rule != "directed_max":
            raise InputError("no such rule for a percentile of surfels", where="rule", got=repr(rule))
        if self.border == "voxel":
            return float(max(np.quantile(self.of_reference_mm, part), np.quantile(self.of_estimate_mm, part)))
        return max(
            _weighted_quantile(self.of_reference_mm, self.reference_weights, part),
            _weighted_quantile(self.of_estimate_mm, self.estimate_weights, part),
        )

    def averages_mm(self) -> tuple[float, float]:
        """Mean distance from the reference's surface to the estimate's, and the other way."""
        return (
            float(self.of_reference_mm @ self.reference_weights / self.reference_weights.sum()),
            float(self.of_estimate_mm @ self.estimate_weights / self.estimate_weights.sum()),
        )

    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean over the elements of both surfaces."""
        total = self.of_reference_mm @ self.reference_weights + self.of_estimate_mm @ self.estimate_weights
        return float(total / (self.reference_weights.sum() + self.estimate_weights.sum()))

    def masd_mm(self) -> float:
        """Mean average surface distance: the mean of the two directed means."""
        return sum(self.averages_mm()) / 2

    def overlaps(self, tolerance_mm: float) -> tuple[float, float]:
        """Part of either surface that lies within a tolerance of the other."""
        _check_tolerance(tolerance_mm)
        near, far = self._near(tolerance_mm)
        return near / float(self.reference_weights.sum()), far / float(self.estimate_weights.sum())

    def nsd(self, tolerance_mm: float) -> float:
        """Normalised surface distance (surface Dice): part of both surfaces that lies within a tolerance of the other.

        Raises:
            InputError: Not a tolerance.
        """
        _check_tolerance(tolerance_mm)
        whole = float(self.reference_weights.sum() + self.estimate_weights.sum())
        return sum(self._near(tolerance_mm)) / whole

    def _near(self, tolerance_mm: float) -> tuple[float, float]:
        return (
            float(self.reference_weights[self.of_reference_mm <= tolerance_mm].sum()),
            float(self.estimate_weights[self.of_estimate_mm <= tolerance_mm].sum()),
        )


def surface_distances(
    reference: Any, estimate: Any, *, spacing_mm: Sequence[float] | Floats | None = None, border: Border = "voxel"
) -> SurfaceDistances:
    """Measures how far the surfaces of two masks are apart.

    Args:
        reference: As in :mod:`braggbook.metrics.masks`.
        estimate: The same.
        spacing_mm: Of the voxels; not needed where a mask is a volume of :mod:`braggbook.imaging`.
        border: What a surface is.

    Raises:
        InputError: They are not two masks on one grid; no such border.
        NoValue: One of them is empty, or both.
    """
    first, second, spacing = check_masks(reference, estimate, spacing_mm, needs_spacing=True)
    if border not in ("voxel", "surfel"):
        raise InputError("no such border", wanted="voxel or surfel", got=repr(border))
    empty = [name for name, mask in (("reference", first), ("estimate", second)) if not mask.any()]
    if empty:
        raise NoValue("there is no distance to nothing", where=" and ".join(empty), got="an empty mask")
    find = _voxels if border == "voxel" else _surfels
    with ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(lambda mask: find(mask, spacing), cropped(first, second))
        there, back = pool.map(lambda of, to: _nearest(of, to, spacing), (ours, theirs), (theirs, ours))
    return SurfaceDistances(*_rising(there, back, ours, theirs), border=border)


@dataclass(frozen=True, eq=False)
class _Surface:
    """Elements of a surface.

    Attributes:
        there: Which places of a grid are elements.
        places: (n, axes): where, as indices into it.
        weights: (n).
    """

    there: Mask
    places: npt.NDArray[np.int64]
    weights: Floats


def border_voxels(mask: Mask) -> Mask:
    """Returns the voxels of a mask that have a face to the outside, the image's edge included."""
    padded = np.pad(mask, 1)
    inner = (slice(1, -1),) * mask.ndim
    eroded = mask.copy()
    for axis in range(mask.ndim):
        for step in (slice(0, -2), slice(2, None)):
            eroded &= padded[(*inner[:axis], step, *inner[axis + 1 :])]
    border: Mask = mask & ~eroded
    return border


def _voxels(mask: Mask, spacing: Floats) -> _Surface:  # noqa: ARG001 - one signature for both
    there = border_voxels(mask)
    places = _places(there)
    return _Surface(there, places, np.ones(len(places)))


def _surfels(mask: Mask, spacing: Floats) -> _Surface:
    codes = np.pad(mask, 1).view(np.uint8)
    for axis in range(mask.ndim - 1, -1, -1):  # two neighbours along each axis become one code of twice the bits
        first, second = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        codes = codes[first] << 2 ** (mask.ndim - 1 - axis) | codes[second]
    there = (codes != 0) & (codes != (1 << 2**mask.ndim) - 1)
    return _Surface(there, _places(there), surfel_sizes(spacing)[codes[there]])


def _places(there: Mask) -> npt.NDArray[np.int64]:
    """Where a mask is true, (n, axes), as ``numpy.argwhere`` has it and some times faster."""
    return np.stack(np.unravel_index(np.flatnonzero(there), there.shape), axis=1)


def _nearest(of: _Surface, to: _Surface, spacing: Floats) -> Floats:
    """Distance of every element to the nearest of the other surface; what is in both has none.

    Most elements have theirs a few voxels away, and are found by looking there, the nearest steps first; a tree finds
    the others. A distance follows from the steps between two places alone, and so does not depend on where in the grid
    they are: what is exactly at a tolerance is within it everywhere.
    """
    distances = np.zeros(len(of.places))
    left = _look_around(of, to, spacing=spacing, distances=distances)
    if len(left):
        places = of.places[left]
        tree = cKDTree(to.places * spacing, leafsize=_LEAF, balanced_tree=False, compact_nodes=False)
        _, found = tree.query(places * spacing)
        steps = (to.places[found] - places) * spacing
        distances[left] = np.sqrt(np.einsum("ij,ij->i", steps, steps))
    return distances


def _look_around(of: _Surface, to: _Surface, *, spacing: Floats, distances: Floats) -> npt.NDArray[np.int64]:
    """Writes the distances of elements whose nearest is near; returns the numbers of the others."""
    steps, lengths = _steps(spacing)
    reach = np.abs(steps).max(axis=0)
    around = np.pad(to.there, [(int(width), int(width)) for width in reach])
    strides = np.array(around.strides)
    there = around.ravel()
    left = np.arange(len(of.places))
    at = (of.places + reach) @ strides
    for stride, length in zip((steps @ strides).tolist(), lengths.tolist(), strict=True):
        hit = there[at + stride]
        distances[left[hit]] = length
        missed = np.flatnonzero(~hit)
        left, at = left[missed], at[missed]
    return left


def _steps(spacing: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """All steps up to a length, (n, axes) in voxels with none first, and their lengths in mm, rising."""
    ball = np.pi if len(spacing) == 2 else 4 * np.pi / 3
    longest = min((_LOOKS * np.prod(spacing) / ball) ** (1 / len(spacing)), _REACH * spacing.min())
    axes = [np.arange(-width, width + 1) for width in np.floor(longest / spacing).astype(int)]
    steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(spacing))
    lengths = np.sqrt(np.square(steps * spacing).sum(axis=1))
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= longest]
    return steps[order], lengths[order]


def _rising(there: Floats, back: Floats, ours: _Surface, theirs: _Surface) -> tuple[Floats, Floats, Floats, Floats]:
    first, second = np.lexsort((ours.weights, there)), np.lexsort((theirs.weights, back))
    return there[first], back[second], ours.weights[first], theirs.weights[second]


def _weighted_quantile(distances: Floats, weights: Floats, part: float) -> float:
    reached = np.cumsum(weights) / weights.sum()
    return float(distances[min(int(np.searchsorted(reached, part)), len(distances) - 1)])


def _check_tolerance(tolerance_mm: float) -> None:
    if not (np.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise InputError("not a tolerance", where="tolerance_mm", wanted="0 mm or more", got=str(tolerance_mm))


def surfel_sizes(spacing_mm: Floats) -> Floats:
    """Returns the size of the surface in each neighbourhood of 2 x 2 (x 2) voxels.

    Args:
        spacing_mm: Of the voxels, for two or three axes.

    Returns:
        (16) lengths in mm, or (256) areas in mm2; the code's highest bit is the first voxel.
    """
    if len(spacing_mm) == 2:
        return _line_lengths(*spacing_mm)
    faces = np.array([spacing_mm[1] * spacing_mm[2], spacing_mm[0] * spacing_mm[2], spacing_mm[0] * spacing_mm[1]])
    return np.array([np.linalg.norm(vectors * faces, axis=1).sum() for vectors in _triangles()])


def _line_lengths(height: float, width: float) -> Floats:
    """Lengths of marching squares; two opposite corners inside make two diagonals."""
    lengths = np.full(16, np.hypot(height, width) / 2)
    lengths[[0b0000, 0b1111]] = 0
    lengths[[0b0011, 0b1100]] = width
    lengths[[0b0101, 0b1010]] = height
    lengths[[0b0110, 0b1001]] *= 2
    return lengths


@cache
def _triangles() -> list[Floats]:
    """Area vectors of the marching-cubes triangles of each neighbourhood, of voxels of 1 mm; (triangles, 3) each."""
    table = json.loads(files("braggbook.metrics").joinpath("surfels.json").read_text(encoding="utf-8"))
    return [np.array(vectors, float).reshape(-1, 3) * _EIGHTH for vectors in table["triangles"]]
