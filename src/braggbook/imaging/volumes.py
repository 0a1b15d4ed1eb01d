"""Volumes: arrays on a regular grid in patient space, as xarray has them.

A volume is a :class:`xarray.DataArray` with dimensions from ``t c z y x`` in that order, of which z, y and x are always
there; coordinates ``z y x`` in mm along the grid's axes (see :meth:`braggbook.imaging.geometry.Grid.coordinates_mm`);
and attributes ``affine`` (sixteen numbers, row by row), ``frame`` ("LPS") and ``units``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid

DIMS = ("t", "c", "z", "y", "x")
_SPACE = DIMS[2:]


def make_volume(
    data: Any,
    grid: Grid,
    *,
    name: str,
    units: str,
    attrs: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Builds a volume.

    Args:
        data: (t, c, z, y, x) or without the first or both of the first two: NumPy, Dask or Zarr. With four dimensions
            the first is ``t`` unless ``coords`` has ``c`` and not ``t``.
        grid: Where its voxels are.
        name: Of the array, such as ``"ct"`` or ``"dose"``.
        units: Of its values: ``"HU"``, ``"Gy"``, ``"g/ml"``, ``"Bq/ml"``, ``"1"``.
        attrs: More attributes.
        coords: Coordinates of ``t`` and ``c``, as xarray takes them.

    Raises:
        ImagingError: The array is not of the grid's shape.
    """
    given = dict(coords or {})
    if data.ndim not in (3, 4, 5) or tuple(data.shape[-3:]) != grid.shape:
        wanted = f"3 to 5 dimensions, the last three {grid.shape}"
        raise ImagingError("an array that does not fit its grid", where=name, wanted=wanted, got=str(data.shape))
    leading = {3: (), 4: ("c",) if "c" in given and "t" not in given else ("t",), 5: DIMS[:2]}[data.ndim]
    space = {axis: (axis, place, {"units": "mm"}) for axis, place in grid.coordinates_mm().items()}
    described = {"units": units, **(attrs or {}), **grid.as_attrs()}
    return xr.DataArray(data, dims=(*leading, *_SPACE), coords={**given, **space}, name=name, attrs=described)


def grid_of(volume: xr.DataArray) -> Grid:
    """Returns where a volume's voxels are, also of a part of one that was cut out with ``isel`` or ``sel``.

    Raises:
        ImagingError: It is no volume: dimensions, coordinates or the affine are missing, or do not belong together.
    """
    where = str(volume.name)
    if missing := [axis for axis in _SPACE if axis not in volume.dims or axis not in volume.coords]:
        wanted = "a volume with z, y and x, such as read_dicom returns"
        raise ImagingError("not a volume", where=where, wanted=wanted, got=f"no {', '.join(missing)}")
    if [axis for axis in volume.dims if axis in _SPACE] != list(_SPACE):
        wanted = "z, y, x in this order: transpose(..., 'z', 'y', 'x')"
        raise ImagingError("axes in another order", where=where, wanted=wanted, got=", ".join(map(str, volume.dims)))
    affine = volume.attrs.get("affine")
    if affine is None or np.size(affine) != 16:
        raise ImagingError("a volume without its affine", where=where, wanted='attrs["affine"] with 16 numbers')
    shape = tuple(volume.sizes[axis] for axis in _SPACE)
    whole = Grid((shape[0], shape[1], shape[2]), np.reshape(np.asarray(affine, dtype=np.float64), (4, 4)))
    return _as_cut(volume, whole, where)


def _as_cut(volume: xr.DataArray, whole: Grid, where: str) -> Grid:
    """Returns the grid of the voxels that are left, by their coordinates."""
    start, steps = [], []
    for axis, place in whole.coordinates_mm().items():
        spacing = whole.spacing_mm["zyx".index(axis)]
        index = (np.asarray(volume.coords[axis], dtype=np.float64) - place[0]) / spacing
        step = (index[-1] - index[0]) / (len(index) - 1) if len(index) > 1 else 1.0
        even = index[0] + step * np.arange(len(index))
        if np.abs(index - even).max() > 1e-4 or not step:  # of a voxel: coordinates are floating-point numbers
            got = f"{axis} = {np.asarray(volume.coords[axis])[:5]} ..."
            raise ImagingError("voxels at uneven distances", where=where, wanted="a regular grid", got=got)
        start.append(index[0])
        steps.append(step)
    affine = whole.affine.copy()
    affine[:3, :3] *= steps[::-1]
    affine[:3, 3] = whole.to_patient(start[::-1])
    return whole if np.allclose(affine, whole.affine, rtol=0, atol=1e-9) else Grid(whole.shape, affine)
