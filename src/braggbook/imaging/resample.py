"""Values of a volume between its voxels: at points, and on another grid.

Conventions:

- Linear means trilinear between the eight voxel centres around a point.
- A point is inside when it lies in the box of voxel centres (for ``"nearest"``: of whole voxels). Along an axis with
  one voxel, that voxel's whole width is inside. Nothing is extrapolated: outside, the value is NaN or the number given.
- A voxel that is NaN makes NaN of every point that it has a part in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from numba import njit

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.volumes import grid_of, make_volume

Method = Literal["linear", "nearest"]
METHODS: tuple[Method, ...] = ("nearest", "linear")  # by the order of the polynomial

EDGE = 1e-6  # of a voxel: a point on the outermost centres stays inside after two affine maps in floating point
_SLAB_VOXELS = 1 << 20  # of the target, one task: 8 MB of doubles
_UNIT = np.eye(4)


def sample_at(
    volume: xr.DataArray, points_mm: npt.ArrayLike, *, method: Method = "linear", outside: float = np.nan
) -> Floats:
    """Returns a volume's values at patient positions.

    Args:
        volume: (z, y, x).
        points_mm: (..., 3) LPS mm.
        method: ``"linear"`` or ``"nearest"``.
        outside: The value of points outside.

    Returns:
        (...) float64 in the volume's units.

    Raises:
        ImagingError: Not a volume with three dimensions, or no such method.
    """
    _check(volume, method)
    index = grid_of(volume).to_index(points_mm)
    flat = np.ascontiguousarray(index.reshape(-1, 3))
    found = np.empty(len(flat))
    _at_points(_values(volume.data), flat, METHODS.index(method), float(outside), found)
    return found.reshape(index.shape[:-1])


def resample(
    volume: xr.DataArray, grid: Grid, *, method: Method = "linear", outside: float = np.nan, workers: int | None = None
) -> xr.DataArray:
    """Returns a volume on another grid.

    A lazy volume gives a lazy result that reads, for each part of the target, only the part of the source below it.

    Args:
        volume: (z, y, x).
        grid: The grid to have.
        method: ``"linear"`` (trilinear), or ``"nearest"`` for labels and masks.
        outside: The value of voxels whose centres are outside the source.
        workers: Threads; as many as the machine has cores unless given.

    Returns:
        (z, y, x) float64 (float32 of a float32 volume), with the attributes of the source and ``resampled``: how.

    Raises:
        ImagingError: Not a volume with three dimensions, or no such method.
    """
    _check(volume, method)
    source = grid_of(volume)
    to_source = source.inverse @ grid.affine
    fill = partial(_filled, order=METHODS.index(method), outside=float(outside))
    if volume.chunks is None:
        data = _in_threads(_values(volume.data), to_source, grid.shape, fill=fill, workers=workers)
    else:
        data = _lazily(volume.data, to_source, grid.shape, fill=fill)
    kept = {key: value for key, value in volume.attrs.items() if key not in ("affine", "frame", "units")}
    kept["resampled"] = f"{method} from {source.shape} voxels of {_sizes(source)} mm, {outside:g} outside"
    return make_volume(data, grid, name=str(volume.name), units=volume.attrs.get("units", "1"), attrs=kept)


def coarsened(
    volume: xr.DataArray, *, most_voxels: int, method: Literal["mean", "nearest"] = "mean"
) -> tuple[xr.DataArray, tuple[int, int, int]]:
    """Returns a volume with fewer voxels for a screen, and how many became one.

    The axis with the finest voxels is made coarser first, so that voxels come nearer to cubes. What is left over at
    the far ends, less than one new voxel, is cut off.

    Args:
        volume: (z, y, x).
        most_voxels: The result has at most so many.
        method: ``"mean"`` of the voxels that become one (whole numbers stay whole), or for labels the ``"nearest"`` to
            their middle.

    Returns:
        (z, y, x) of the same dtype, and the factors (z, y, x): ``(1, 1, 1)`` where nothing was changed.

    Raises:
        ImagingError: Not a volume with three dimensions.
    """
    _check(volume, "linear")
    grid = grid_of(volume)
    factors = _factors(grid, max(1, most_voxels))
    if factors == (1, 1, 1):
        return volume, factors
    z, y, x = (length // factor for length, factor in zip(grid.shape, factors, strict=True))
    data = np.empty((z, y, x), dtype=volume.dtype)
    for number in range(z):
        block = np.asarray(volume[number * factors[0] : (number + 1) * factors[0], : y * factors[1], : x * factors[2]])
        data[number] = _one_plane(block, factors, method)
    wide = Grid((z, y, x), _widened(grid, factors))
    extra = {name: value for name, value in volume.attrs.items() if name not in ("affine", "frame", "units")}
    units = str(volume.attrs.get("units", "1"))
    return make_volume(data, wide, name=str(volume.name), units=units, attrs=extra), factors


def _factors(grid: Grid, most_voxels: int) -> tuple[int, int, int]:
    """Returns by how much each axis (z, y, x) is made coarser."""
    factors = [1, 1, 1]
    while np.prod([length // factor for length, factor in zip(grid.shape, factors, strict=True)]) > most_voxels:
        able = [axis for axis in range(3) if grid.shape[axis] // (factors[axis] + 1)]
        finest = min(able, key=lambda axis: factors[axis] * grid.spacing_mm[axis])
        factors[finest] += 1
    return factors[0], factors[1], factors[2]


def _widened(grid: Grid, factors: tuple[int, int, int]) -> Floats:
    """Returns the affine of voxels that so many (z, y, x) of a grid fill."""
    by = np.array(factors[::-1], dtype=np.float64)
    affine = grid.affine.copy()
    affine[:3, :3] *= by
    affine[:3, 3] = grid.to_patient((by - 1) / 2)
    return affine


def _one_plane(
    block: npt.NDArray[Any], factors: tuple[int, int, int], method: Literal["mean", "nearest"]
) -> npt.NDArray[Any]:
    """Makes the planes that become one coarser."""
    deep, high, wide = factors
    if method == "nearest":
        return block[deep // 2, high // 2 :: high, wide // 2 :: wide]
    rows, columns = block.shape[1] // high, block.shape[2] // wide
    means: npt.NDArray[Any] = block.reshape(deep, rows, high, columns, wide).mean(axis=(0, 2, 4), dtype=np.float64)
    return np.rint(means) if block.dtype.kind in "iub" else means


def slabs(shape: tuple[int, int, int]) -> Iterator[tuple[int, int]]:
    """Yields first and end slice of parts of a grid, which depend on its shape alone."""
    step = max(1, _SLAB_VOXELS // (shape[1] * shape[2]))
    for first in range(0, shape[0], step):
        yield first, min(first + step, shape[0])


def in_order(task: Callable[..., Any], arguments: list[tuple[Any, ...]], *, workers: int | None = None) -> list[Any]:
    """Calls a compiled function that frees the interpreter with each tuple of arguments, in threads.

    Returns:
        Results in the order of the arguments, so that sums over them do not depend on the number of threads.
    """
    count = min(workers or os.cpu_count() or 1, len(arguments))
    if count <= 1:
        return [task(*each) for each in arguments]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda each: task(*each), arguments))


def _check(volume: xr.DataArray, method: str) -> None:
    if volume.dims != ("z", "y", "x"):
        raise ImagingError("not one volume", where=str(volume.name), wanted="dimensions z, y, x", got=str(volume.dims))
    if method not in METHODS:
        raise ImagingError("no such interpolation", where="method", wanted=" or ".join(METHODS), got=str(method))


def _values(data: Any) -> npt.NDArray[Any]:
    values = np.asarray(data)
    return np.ascontiguousarray(values, dtype=np.float32 if values.dtype == np.float32 else np.float64)


def _sizes(grid: Grid) -> str:
    return " x ".join(f"{size:g}" for size in grid.spacing_mm)


def _in_threads(
    values: npt.NDArray[Any],
    to_source: Floats,
    shape: tuple[int, int, int],
    *,
    fill: Callable[..., npt.NDArray[Any]],
    workers: int | None,
) -> npt.NDArray[Any]:
    parts = [(values, _from_slice(to_source, first), (end - first, *shape[1:])) for first, end in slabs(shape)]
    return np.concatenate(in_order(fill, parts, workers=workers))


def _lazily(data: Any, to_source: Floats, shape: tuple[int, int, int], *, fill: Callable[..., Any]) -> Any:
    import dask  # noqa: PLC0415 - heavy, and only lazy volumes need it
    import dask.array  # noqa: PLC0415

    parts = []
    dtype = np.float32 if data.dtype == np.float32 else np.float64
    for first, end in slabs(shape):
        part = (end - first, *shape[1:])
        matrix = _from_slice(to_source, first)
        low, high = _below(matrix, part, data.shape)
        shifted = _UNIT.copy()
        shifted[:3, 3] = -low[::-1]
        source = data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        block = dask.delayed(fill)(source, shifted @ matrix, part)
        parts.append(dask.array.from_delayed(block, shape=part, dtype=dtype))
    return dask.array.concatenate(parts)


def _from_slice(to_source: Floats, first: int) -> Floats:
    """Returns the map from the indices of a part that begins at a slice."""
    matrix = to_source.copy()
    matrix[:3, 3] += first * to_source[:3, 2]
    return matrix


def _below(matrix: Floats, part: tuple[int, int, int], shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Returns first and end index (z, y, x) of the source voxels that a part of the target needs, at least one."""
    corners = Grid(part, _UNIT).corner_indices() @ matrix[:3, :3].T + matrix[:3, 3]
    low = np.floor(corners.min(axis=0) - 1)[::-1]
    high = np.ceil(corners.max(axis=0) + 2)[::-1]
    low = np.clip(low, 0, np.subtract(shape, 1)).astype(int)
    return low, np.clip(high, low + 1, shape).astype(int)


def _filled(
    values: Any, matrix: Floats, shape: tuple[int, int, int], *, order: int, outside: float
) -> npt.NDArray[Any]:
    source = _values(values)
    out = np.empty(shape, dtype=source.dtype)
    _on_grid(source, matrix, order, outside, out)
    return out


@njit(cache=True, nogil=True)
def cell_of(place: float, count: int) -> tuple[int, float]:
    """Returns the lower voxel around an index along one axis and how far it lies beyond it; -1 if outside."""
    if count == 1:
        return (0, 0.0) if abs(place) <= 0.5 + EDGE else (-1, 0.0)
    if not -EDGE <= place <= count - 1 + EDGE:
        return -1, 0.0
    low = min(max(int(np.floor(place)), 0), count - 1)
    return (low, 0.0) if low == count - 1 else (low, max(place - low, 0.0))


@njit(cache=True, nogil=True)
def trilinear(values: npt.NDArray[Any], z: float, y: float, x: float, outside: float) -> float:
    """Returns the value of an array (z, y, x) between its voxels, or ``outside``."""
    depth, height, width = values.shape
    if 0 <= z < depth - 1 and 0 <= y < height - 1 and 0 <= x < width - 1:
        k, j, i = int(z), int(y), int(x)
        w, v, u = z - k, y - j, x - i
    else:
        k, w = cell_of(z, depth)
        j, v = cell_of(y, height)
        i, u = cell_of(x, width)
        if k < 0 or j < 0 or i < 0:
            return outside
    # A weight of 0 must not fetch a voxel: 0 x NaN is NaN, and beyond the last voxel there is none.
    far_k, far_j, far_i = k + (w > 0), j + (v > 0), i + (u > 0)
    a = values[k, j, i] * (1 - u) + values[k, j, far_i] * u
    b = values[k, far_j, i] * (1 - u) + values[k, far_j, far_i] * u
    c = values[far_k, j, i] * (1 - u) + values[far_k, j, far_i] * u
    d = values[far_k, far_j, i] * (1 - u) + values[far_k, far_j, far_i] * u
    return float((a * (1 - v) + b * v) * (1 - w) + (c * (1 - v) + d * v) * w)


@njit(cache=True, nogil=True)
def _nearest(values: npt.NDArray[Any], z: float, y: float, x: float, outside: float) -> float:
    k, j, i = int(np.floor(z + 0.5)), int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    depth, height, width = values.shape
    if not (0 <= k < depth and 0 <= j < height and 0 <= i < width):
        return outside
    return float(values[k, j, i])


@njit(cache=True, nogil=True)
def _at_points(values: Any, index: Any, order: int, outside: float, out: Any) -> None:
    for n in range(len(index)):
        x, y, z = index[n]
        out[n] = _nearest(values, z, y, x, outside) if order == 0 else trilinear(values, z, y, x, outside)


@njit(cache=True, nogil=True)
def _on_grid(values: Any, matrix: Any, order: int, outside: float, out: Any) -> None:
    depth, height, width = out.shape
    for k in range(depth):
        for j in range(height):
            x0 = matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3]
            y0 = matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3]
            z0 = matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3]
            for i in range(width):
                x, y, z = x0 + matrix[0, 0] * i, y0 + matrix[1, 0] * i, z0 + matrix[2, 0] * i
                if order == 0:
                    out[k, j, i] = _nearest(values, z, y, x, outside)
                else:
                    out[k, j, i] = trilinear(values, z, y, x, outside)
