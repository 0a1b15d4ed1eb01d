"""What metrics of segmentations take: two masks on one grid.

Conventions: masks are boolean arrays, (y, x) or (z, y, x), true inside; the spacing has one positive number of mm for
each axis, in the same order. Outside of the array is background: a structure that touches the edge has a surface there.
A mask that is a volume of :mod:`braggbook.imaging` (or a plane of one) knows its spacing, and nobody types it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from braggbook.errors import ImagingError, InputError, Issue

if TYPE_CHECKING:
    from braggbook.imaging.geometry import Grid

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_DIMENSIONS = (2, 3)
_SAME_MM = 1e-3  # as in braggbook.imaging: positions have so many digits
_SAME_SPACING = 1e-3  # of a voxel: headers round a spacing to a few digits


def check_masks(
    reference: Any, estimate: Any, spacing_mm: Sequence[float] | Floats | None = None, *, needs_spacing: bool = False
) -> tuple[Mask, Mask, Floats]:
    """Returns both masks and the spacing, checked.

    Args:
        reference: Boolean, or of numbers that are all 0 or 1; an array, or a volume of :mod:`braggbook.imaging` or a
            plane of one, whose spacing is then taken.
        estimate: The same, of the same shape; if both are volumes, on the same grid.
        spacing_mm: One number for each axis; not needed where one of the masks is a volume, and never other than its.
        needs_spacing: Whether to refuse plain arrays without a spacing, in place of taking 1 mm.

    Raises:
        InputError: With everything that is wrong.
    """
    issues: list[Issue] = []
    first, second = _mask(reference, "reference", issues), _mask(estimate, "estimate", issues)
    if first.shape != second.shape:
        issues.append(Issue("of another shape", "estimate", str(first.shape), str(second.shape)))
    places = [_place(given, what, issues) for given, what in ((reference, "reference"), (estimate, "estimate"))]
    if not issues and hasattr(reference, "dims") and hasattr(estimate, "dims"):
        if places[0] and places[1] and not places[0][0].is_same(places[1][0]):
            issues.append(Issue("voxels at other places", "estimate", "the reference's grid", "another one"))
        elif not _same_coordinates(reference, estimate):
            issues.append(Issue("voxels at other places", "estimate", "the reference's coordinates", "others"))
    spacing = None if spacing_mm is None else np.asarray(spacing_mm, float)
    if spacing is not None and (spacing.shape != (first.ndim,) or not (np.isfinite(spacing) & (spacing > 0)).all()):
        issues.append(Issue("not a spacing", "spacing_mm", f"{first.ndim} positive numbers", str(spacing_mm)))
    if not issues and (place := places[0] or places[1]):
        own = place[1]
        if spacing is not None and not np.allclose(spacing, own, rtol=_SAME_SPACING, atol=0):
            issues.append(Issue("not the masks' own", "spacing_mm", str(own.tolist()), str(spacing.tolist())))
        spacing = own
    if spacing is None and needs_spacing and not issues:
        issues.append(Issue("no spacing", "spacing_mm", f"{first.ndim} numbers in mm, or masks that are volumes"))
    if issues:
        raise InputError("not two masks on one grid", issues=issues)
    return first, second, np.ones(first.ndim) if spacing is None else spacing


def _mask(given: Any, what: str, issues: list[Issue]) -> Mask:
    array = np.asarray(given)
    if array.ndim not in _DIMENSIONS:
        issues.append(Issue("not a mask", what, "(y, x) or (z, y, x)", f"{array.ndim} axes"))
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "uif" or not ((array == 0) | (array == 1)).all():
        issues.append(Issue("not a mask", what, "true and false, or 0 and 1", str(array.dtype)))
        return np.zeros(array.shape, np.bool_)
    return array.astype(np.bool_)


def _place(given: Any, what: str, issues: list[Issue]) -> tuple[Grid, Floats] | None:
    """Returns the grid and the spacing of a volume, or of a plane as the volume of one slice.

    None for an array, and for what xarray took the attributes from, as calculations with volumes may do.
    """
    if not hasattr(given, "dims") or "affine" not in given.attrs:
        return None
    from braggbook.imaging.volumes import grid_of  # noqa: PLC0415 - xarray, which arrays alone do not need

    missing = [axis for axis in "zyx" if axis not in given.dims and axis in given.coords]
    try:
        grid = grid_of(given.expand_dims(missing).transpose(..., "z", "y", "x") if missing else given)
    except ImagingError as error:
        issues.append(Issue(error.what, what, error.wanted, error.got))
        return None
    if grid.is_skewed:
        issues.append(Issue("axes that are not at right angles", what, "a resampled mask", "a skewed grid"))
    if unknown := [axis for axis in given.dims if axis not in "zyx"]:
        issues.append(Issue("not a mask", what, "(z, y, x) or a plane of it", f"also {', '.join(unknown)}"))
        return None
    return grid, np.array([grid.spacing_mm["zyx".index(axis)] for axis in given.dims])


def _same_coordinates(reference: Any, estimate: Any) -> bool:
    """Whether axes of the same names are in the same order, with voxels at the same places where that is known."""
    known = [axis for axis in reference.dims if axis in reference.coords and axis in estimate.coords]
    return reference.dims == estimate.dims and all(
        np.allclose(reference[axis], estimate[axis], rtol=0, atol=_SAME_MM) for axis in known
    )


def cropped(reference: Mask, estimate: Mask) -> tuple[Mask, Mask]:
    """Returns both masks in the box around what is in either; empty ones have no voxel."""
    box = []
    for axis in range(reference.ndim):
        others = tuple(other for other in range(reference.ndim) if other != axis)
        there = np.flatnonzero(reference.any(axis=others) | estimate.any(axis=others))
        if not len(there):
            return reference[(slice(0, 0),) * reference.ndim], estimate[(slice(0, 0),) * estimate.ndim]
        box.append(slice(there[0], there[-1] + 1))
    return reference[tuple(box)], estimate[tuple(box)]
