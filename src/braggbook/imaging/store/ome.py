"""Volumes and microscopy images as OME-Zarr 0.5, for viewers and archives of the microscopy world.

The standard has axes with units, a scale and a translation. It has no directions: what it says is right for a grid
whose axes are the patient's, and along the grid's own axes for any other. The whole affine, LPS, stands in our own
attribute ``braggbook`` beside the standard's ``ome``, with units of values, attributes and coordinates; see
docs/formats/volume.md.

Source: OME-Zarr specification, version 0.5, https://ngff.openmicroscopy.org/0.5/.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError, UnitError
from braggbook.files import storage
from braggbook.formats.volume import OmeCard
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.attributes import encode_attributes
from braggbook.imaging.store.cards import CARD, group_card
from braggbook.imaging.store.coordinates import encode_coords, one_volume
from braggbook.imaging.store.lazy import LazyArray
from braggbook.imaging.store.place import new_folder
from braggbook.imaging.store.pyramid import HalvedSource, Level, Method, plan_levels
from braggbook.imaging.store.writing import NewArray, VariableSource, write_arrays
from braggbook.imaging.store.zarr_store import is_zarr
from braggbook.imaging.volumes import DIMS, grid_of
from braggbook.progress import Progress
from braggbook.units import conversion_factor

OME_VERSION = "0.5"
_EVEN = 1e-6  # of a step: a scale is one number for all time points
_ABOUT = {
    "mean": "mean of the voxels covered, whole numbers rounded half to even",
    "majority": "true if at least half of the voxels covered are",
    "stride": "the first of the voxels covered",
}


def write_ome(
    volume: xr.DataArray | xr.Dataset,
    path: Path | str,
    *,
    overwrite: bool = False,
    downsampling: Method | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes a volume as an OME-Zarr 0.5 image with smaller copies of it; see :mod:`braggbook.imaging.store.pyramid`.

    Args:
        volume: Dims from ``t c z y x``, LPS, mm; or a Dataset with one such. An image of one plane has a z of length 1.
        path: Of the new folder, usually ``<name>.ome.zarr``.
        overwrite: Replace a Zarr store that is there; anything else is never replaced.
        downsampling: How voxels of the copies are found; ``majority`` for truth values and ``mean`` for numbers, if not
            given. Use ``stride`` for labels.
        workers: Threads; as many as the process has cores, if not given.
        progress: Told of each shard.

    Returns:
        ``path``.

    Raises:
        ImagingError: It is no volume, something cannot be stored, or something is there already.
        StorageError: The disk is full or refuses.
    """
    array = one_volume(volume)
    grid = grid_of(array)
    if list(array.dims) != [dim for dim in DIMS if dim in array.dims] or array.dtype.kind not in "biuf":
        wanted = "numbers over t, c, z, y, x, in that order"
        raise ImagingError("not an image", where=str(array.name), wanted=wanted, got=f"{array.dtype}, {array.dims}")
    method = downsampling or ("majority" if array.dtype.kind == "b" else "mean")
    card = _card(array, grid, method)
    levels = plan_levels(grid.shape, grid.spacing_mm)
    target = Path(path)
    with new_folder(target, overwrite=overwrite, ours=is_zarr) as folder:
        _write_levels(folder, array, levels=levels, method=method, workers=workers, progress=progress)
        ome = _ome(array, grid, levels=levels, method=method, smallest=folder / str(len(levels) - 1))
        with storage(target):
            (folder / CARD).write_bytes(group_card({"ome": ome, "braggbook": card.model_dump(mode="json")}))
    return target


def _card(array: xr.DataArray, grid: Grid, method: Method) -> OmeCard:
    name = str(array.name) if array.name is not None else "image"
    return OmeCard(
        written_by=f"braggbook {importlib.metadata.version('braggbook')}",
        name=name,
        affine=grid.affine.ravel().tolist(),
        units=str(array.attrs.get("units", "1")),
        dtype=array.dtype.name,
        downsampling=method,
        attrs=encode_attributes(array.attrs, where=f"{name}.attrs"),
        coords=encode_coords(array),
    )


def _write_levels(folder: Path, array: xr.DataArray, *, levels: list[Level], method: Method, **how: Any) -> None:
    dims = [str(dim) for dim in array.dims]
    write_arrays(folder, [NewArray("0", VariableSource(array.variable), dims, {})], **how)
    for number in range(1, len(levels)):
        before = LazyArray(folder / str(number - 1))
        steps = zip(levels[number].factors, levels[number - 1].factors, strict=True)
        by = (*(1,) * (array.ndim - 3), *(new // old for new, old in steps))
        source = HalvedSource(before, by=by, method=method)
        write_arrays(folder, [NewArray(str(number), source, dims, {})], **how)


def _ome(array: xr.DataArray, grid: Grid, *, levels: list[Level], method: Method, smallest: Path) -> dict[str, Any]:
    start, step, unit = _time(array)
    places = grid.coordinates_mm()
    first = {"t": start, "c": 0.0, **{axis: float(place[0]) for axis, place in places.items()}}
    scale = {"t": step, "c": 1.0, **dict(zip("zyx", grid.spacing_mm, strict=True))}
    kinds: dict[str, dict[str, str]] = {
        "t": {"name": "t", "type": "time", **({"unit": unit} if unit else {})},
        "c": {"name": "c", "type": "channel"},
        **{axis: {"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"},
    }
    dims = [str(dim) for dim in array.dims]
    multiscale = {
        "name": str(array.name) if array.name is not None else "image",
        "axes": [kinds[dim] for dim in dims],
        "datasets": [
            {"path": str(number), "coordinateTransformations": _transform(level, dims, scale, first, method)}
            for number, level in enumerate(levels)
        ],
        "type": method,
        "metadata": {"description": _ABOUT[method], "method": "braggbook.imaging.store.pyramid"},
    }
    ome: dict[str, Any] = {"version": OME_VERSION, "multiscales": [multiscale]}
    if "c" in dims and "c" in array.coords:
        ome["omero"] = {"channels": _channels(array, smallest)}
    return ome


def _transform(
    level: Level, dims: list[str], scale: dict[str, float], first: dict[str, float], method: Method
) -> list[dict[str, Any]]:
    """Returns the scale, and the place of the first voxel's centre: of a mean, the centre of what it covers."""
    factors = dict(zip("zyx", level.factors, strict=True))
    shift = 0.0 if method == "stride" else 0.5
    return [
        {"type": "scale", "scale": [scale[dim] * factors.get(dim, 1) for dim in dims]},
        {
            "type": "translation",
            "translation": [first[dim] + shift * (factors.get(dim, 1) - 1) * scale[dim] for dim in dims],
        },
    ]


def _time(array: xr.DataArray) -> tuple[float, float, str]:
    """Returns the first time, the step and the unit; a step of 1 without a unit where times are uneven or unknown."""
    if "t" not in array.coords or array.coords["t"].dtype.kind not in "iuf":
        return 0.0, 1.0, ""
    times = np.asarray(array.coords["t"].values, dtype=np.float64)
    try:
        factor = conversion_factor(str(array.coords["t"].attrs.get("units")), "s")
    except UnitError:
        return 0.0, 1.0, ""
    steps = np.diff(times)
    if len(times) < 2 or steps[0] <= 0 or np.abs(steps - steps[0]).max() > _EVEN * steps[0]:
        return 0.0, 1.0, ""
    return float(times[0]) * factor, float(steps[0]) * factor, "second"


def _channels(array: xr.DataArray, smallest: Path) -> list[dict[str, Any]]:
    """Returns what viewers want to know of channels; the range is that of the smallest copy."""
    lazy = LazyArray(smallest)
    axis = array.dims.index("c")
    channels = []
    for number, label in enumerate(np.atleast_1d(array.coords["c"].values)):
        values = lazy[(*(slice(None),) * axis, number)]
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        window = {"min": low, "max": high, "start": low, "end": high}
        channels.append({"label": str(label), "color": "FFFFFF", "active": True, "window": window})
    return channels
