"""OME-Zarr images as volumes: ours as they were, other people's 0.4 and 0.5 as far as they say what we need.

Where the axes of other people's images say their anatomical orientation, it is honoured; those that do not are taken as
LPS; the attribute ``ome`` says which. An image without z becomes one slice of 1 mm. Chunks that are not there are the
fill value, as Zarr has it.

Source: OME-Zarr specification, versions 0.4 and 0.5, https://ngff.openmicroscopy.org/; its RFC-4, orientation of axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from pydantic import ValidationError

from braggbook.errors import ImagingError, Issue, UnitError, closest
from braggbook.formats.common import issues_from
from braggbook.formats.volume import OME_FORMAT, OmeCard
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.store.cards import CARD, read_json
from braggbook.imaging.store.coordinates import volume_from_card
from braggbook.imaging.store.layout import Region
from braggbook.imaging.store.lazy import PartReader
from braggbook.imaging.store.shards import Array
from braggbook.imaging.volumes import DIMS, make_volume
from braggbook.units import conversion_factor

_VERSIONS = ("0.4", "0.5")
_NAMES = {
    "millimeter": "mm",
    "micrometer": "um",
    "nanometer": "nm",
    "centimeter": "cm",
    "meter": "m",
    "picometer": "pm",
}
_LENGTHS = {name: conversion_factor(unit, "mm") for name, unit in _NAMES.items()} | {"angstrom": 1e-7, "inch": 25.4}
_SECONDS = {"second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_PIECE_BYTES = 32 << 20  # of a Dask piece: whole chunks or shards, as many as fit
_ORIENTATIONS = {
    "right-to-left": (1, 0, 0), "left-to-right": (-1, 0, 0), "anterior-to-posterior": (0, 1, 0),
    "posterior-to-anterior": (0, -1, 0), "inferior-to-superior": (0, 0, 1), "superior-to-inferior": (0, 0, -1),
}  # fmt: skip
_KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def read_ome(path: Path | str, *, level: int = 0, length_unit: str | None = None) -> xr.Dataset:
    """Opens an OME-Zarr image of version 0.4 (Zarr format 2) or 0.5 (Zarr format 3).

    Args:
        path: Of the image's folder; of a file with several images, that of one of them.
        level: Which of its copies: 0 is the largest.
        length_unit: Of z, y and x where the image does not say, as ``"um"``.

    Returns:
        A Dataset with one volume (dims from ``t c z y x``, LPS, mm), lazy through Dask. Of an image that
        :func:`braggbook.imaging.store.ome.write_ome` wrote, type, affine, units, attributes and coordinates are as they
        were.

    Raises:
        ImagingError: It is no such image, of another version, or says too little.
    """
    folder = Path(path)
    attrs = _attributes(folder)
    multiscale, omero = _multiscale(folder, attrs)
    dims, factors = _axes(folder, multiscale, length_unit)
    dataset = _dataset(folder, multiscale, level)
    scale, start = _placed(folder, multiscale, dataset, len(dims))
    array = _open_array(folder, str(dataset["path"]))
    if array.ndim != len(dims):
        got = f"{array.ndim} dimensions of the array, axes {', '.join(dims)}"
        raise ImagingError("axes that are not the array's", where=str(folder), got=got)
    data = _lazy(array, folder / str(dataset["path"]))
    if "z" not in dims:
        data = data[..., None, :, :]
    card = _our_card(folder, attrs)
    if card is not None and "z" in dims:
        return _ours(data, card, level=level, relative=_relative(folder, multiscale, level, dims), where=folder)
    directions = _directions(folder, multiscale, dims)
    steps = (scale, start, factors)
    return _foreign(data, dims, steps=steps, directions=directions, labels=_labels(omero), about=multiscale)


def _attributes(folder: Path) -> dict[str, Any]:
    if (folder / CARD).is_file():
        attrs = read_json(folder / CARD).get("attributes")
    elif (folder / ".zattrs").is_file():
        attrs = read_json(folder / ".zattrs")
    else:
        got = "no such folder" if not folder.is_dir() else f"neither {CARD} nor .zattrs in it"
        hint = f"ls -la {folder if folder.is_dir() else folder.parent}"
        raise ImagingError("not an OME-Zarr image", where=str(folder), got=got, next_command=hint)
    return attrs if isinstance(attrs, dict) else {}


def _multiscale(folder: Path, attrs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Returns the description of the image, whatever the version, and of its channels."""
    where = str(folder)
    ome = attrs.get("ome", attrs)
    found = ome.get("multiscales") if isinstance(ome, dict) else None
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        images = sorted(item.name for item in folder.iterdir() if item.is_dir() and (item / CARD).is_file())
        images += sorted(item.name for item in folder.iterdir() if (item / ".zattrs").is_file())
        hint = f"read_ome({str(folder / images[0])!r})" if images else ""
        if isinstance(attrs.get("braggbook"), dict):
            hint = "read_volume, for a store that write_volume wrote"
        wanted = 'the attribute "multiscales"; a plate or a collection is read one image at a time'
        raise ImagingError("not an OME-Zarr image", where=where, wanted=wanted, next_command=hint)
    version = str(ome.get("version") if "ome" in attrs else found[0].get("version"))
    if version not in _VERSIONS:
        raise ImagingError(
            "an OME-Zarr version that is not read", where=where, wanted=" or ".join(_VERSIONS), got=version
        )
    return found[0], ome.get("omero")


def _axes(
    folder: Path, multiscale: Mapping[str, Any], length_unit: str | None
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Returns the names of the axes, and for those of space and time what makes mm and s of their numbers."""
    where, issues, factors = str(folder), [], {}
    axes = multiscale.get("axes")
    axes = [axis if isinstance(axis, dict) else {} for axis in axes] if isinstance(axes, list) else []
    names = tuple(str(axis.get("name")).lower() for axis in axes)
    if list(names) != [dim for dim in DIMS if dim in names] or not {"y", "x"} <= set(names):
        wanted = "two to five of t, c, z, y, x, in that order"
        raise ImagingError("axes that are not an image's", where=where, wanted=wanted, got=", ".join(names) or "none")
    for name, axis in zip(names, axes, strict=True):
        if axis.get("type", _KINDS[name]) != _KINDS[name]:
            issues.append(Issue(f"axis {name} of another type", where, wanted=_KINDS[name], got=str(axis.get("type"))))
        elif _KINDS[name] == "space":
            factors[name] = _millimetres(axis.get("unit"), length_unit, name, where, issues)
        elif name == "t":
            factors[name] = _SECONDS.get(str(axis.get("unit")), math.nan)
    if issues:
        raise ImagingError("an OME-Zarr image that says too little", where=where, issues=issues)
    return names, factors


def _millimetres(unit: Any, given: str | None, name: str, where: str, issues: list[Issue]) -> float:
    if unit is None and given is not None:
        try:
            return conversion_factor(given, "mm")
        except UnitError as error:
            raise ImagingError("not a unit of length", where="length_unit", wanted="mm, um, ...", got=given) from error
    if unit not in _LENGTHS:
        wanted = 'read_ome(path, length_unit="um")' if unit is None else closest(str(unit), _LENGTHS)
        issues.append(Issue(f"axis {name} without a unit of length that is known", where, wanted=wanted, got=str(unit)))
    return _LENGTHS.get(str(unit), 1.0)


def _directions(folder: Path, multiscale: Mapping[str, Any], dims: tuple[str, ...]) -> Floats | None:
    """Returns the LPS directions in which x, y and z grow, (3, 3), or None if no axis says its own."""
    said = {dim: axis.get("orientation") for dim, axis in zip(dims, multiscale["axes"], strict=True) if dim in "zyx"}
    if not any(said.values()):
        return None
    values = {dim: item.get("value") if isinstance(item, dict) else item for dim, item in said.items()}
    known = {dim: np.array(_ORIENTATIONS[str(v)], float) for dim, v in values.items() if str(v) in _ORIENTATIONS}
    if len(known) == len(said) and "z" not in known:
        known["z"] = np.cross(known["x"], known["y"])
    found = np.array([known[axis] for axis in "xyz"]) if len(known) == 3 else np.zeros((3, 3))
    if abs(np.linalg.det(found)) != 1:
        wanted = "three directions of a patient at right angles, or none"
        got = ", ".join(f"{dim}: {value}" for dim, value in values.items())
        raise ImagingError("orientations of axes that are not usable", where=str(folder), wanted=wanted, got=got)
    return found


def _dataset(folder: Path, multiscale: Mapping[str, Any], level: int) -> dict[str, Any]:
    datasets = multiscale.get("datasets")
    found = [item for item in datasets if isinstance(item, dict)] if isinstance(datasets, list) else []
    if not 0 <= level < len(found):
        raise ImagingError("no such level", where=str(folder), wanted=f"0 to {len(found) - 1}", got=str(level))
    name = found[level].get("path")
    inside = folder.resolve()
    if not isinstance(name, str) or not name or not (folder / name).resolve().is_relative_to(inside):
        raise ImagingError("a level that is not in the image's folder", where=str(folder), got=repr(name))
    return found[level]


def _placed(
    folder: Path, multiscale: Mapping[str, Any], dataset: Mapping[str, Any], count: int
) -> tuple[Floats, Floats]:
    """Returns scale and translation, in the units of the axes: those of the level, then those of all levels."""
    scale, start = np.ones(count), np.zeros(count)
    for holder, needed in ((dataset, True), (multiscale, False)):
        steps = holder.get("coordinateTransformations")
        steps = steps if isinstance(steps, list) else []
        if needed and not any(isinstance(s, dict) and s.get("type") == "scale" for s in steps):
            raise ImagingError("a level without its scale", where=str(folder), wanted="coordinateTransformations")
        for step in steps:
            kind = step.get("type") if isinstance(step, dict) else None
            if kind == "identity":
                continue
            values = _numbers(folder, step, str(kind), count)
            scale, start = (scale * values, start * values) if kind == "scale" else (scale, start + values)
    return scale, start


def _numbers(folder: Path, step: Any, kind: str, count: int) -> Floats:
    values = step.get(kind) if isinstance(step, dict) and kind in ("scale", "translation") else None
    good = isinstance(values, list) and len(values) == count and all(isinstance(v, int | float) for v in values)
    numbers = np.array(values if good else [math.nan], dtype=np.float64)
    if not np.isfinite(numbers).all() or (kind == "scale" and (numbers <= 0).any()):
        wanted = f"a scale above 0 or a translation, {count} numbers"
        raise ImagingError("a transformation that is not usable", where=str(folder), wanted=wanted, got=str(step)[:200])
    return numbers


def _open_array(folder: Path, name: str) -> Any:
    try:
        return zarr.open_array(folder / name, mode="r")
    except Exception as error:  # the library raises whatever a damaged card makes of it
        got = f"{type(error).__name__}: {str(error)[:200]}"
        raise ImagingError("an array that cannot be opened", where=f"{folder}/{name}", got=got) from error


class _Guarded(PartReader):
    """An array of the library's, whose failures say which file."""

    def __init__(self, array: Any, where: Path) -> None:
        self._array = array
        self._where = where
        self.shape = array.shape
        self.dtype = array.dtype.newbyteorder("=")

    def part(self, region: Region) -> Array:
        """Returns a box."""
        try:
            return np.asarray(self._array[region], dtype=self.dtype)
        except Exception as error:  # as in _open_array
            got = f"{type(error).__name__}: {str(error)[:200]}"
            raise ImagingError("a damaged part of an image", where=f"{self._where}, {region}", got=got) from error


def _lazy(array: Any, where: Path) -> Any:
    source = _Guarded(array, where)
    if source.dtype.kind not in "biufc" or 0 in source.shape:
        got = f"{source.dtype}, shape {source.shape}"
        raise ImagingError("an array that is no image", where=str(where), wanted="numbers", got=got)
    chunk = list(array.shards or array.chunks)
    for axis in reversed(range(len(chunk))):
        room = _PIECE_BYTES // max(1, math.prod(chunk) * source.dtype.itemsize)
        whole = math.ceil(source.shape[axis] / chunk[axis])
        chunk[axis] *= max(1, min(room, whole)) if axis >= len(chunk) - 3 else 1
    return source.as_dask(tuple(chunk))


def _our_card(folder: Path, attrs: Mapping[str, Any]) -> OmeCard | None:
    found = attrs.get("braggbook")
    if not isinstance(found, dict):
        return None
    if found.get("format") != OME_FORMAT:
        hint = "pip install --upgrade braggbook"
        raise ImagingError(
            "another format", where=str(folder), wanted=OME_FORMAT, got=str(found.get("format")), next_command=hint
        )
    try:
        return OmeCard.model_validate(found)
    except ValidationError as error:
        issues = issues_from(error, where=f"{folder} braggbook", known=OmeCard)
        raise ImagingError("a card that is not what it should be", where=str(folder), issues=issues) from error


def _relative(folder: Path, multiscale: Mapping[str, Any], level: int, dims: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Returns how much larger a level's voxels are than the first's, and by how many of those it begins later; xyz."""
    levels = (_dataset(folder, multiscale, number) for number in (0, level))
    first, this = (_placed(folder, multiscale, dataset, len(dims)) for dataset in levels)
    space = [dims.index(axis) for axis in "xyz"]
    return (this[0] / first[0])[space], ((this[1] - first[1]) / first[0])[space]


def _ours(data: Any, card: OmeCard, *, level: int, relative: tuple[Floats, Floats], where: Path) -> xr.Dataset:
    whole = np.reshape(card.affine, (4, 4))
    affine = whole.copy()
    if level:
        affine[:3, :3] = whole[:3, :3] * relative[0]
        affine[:3, 3] = whole[:3, :3] @ relative[1] + whole[:3, 3]
    grid = Grid((data.shape[-3], data.shape[-2], data.shape[-1]), affine)
    if card.dtype != data.dtype.name:
        got = data.dtype.name
        raise ImagingError("an array of another type than the card says", where=str(where), wanted=card.dtype, got=got)
    return volume_from_card(data, grid, card=card, where=where).to_dataset()


def _labels(omero: Any) -> list[str]:
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        return []
    return [str(c.get("label", i)) if isinstance(c, dict) else str(i) for i, c in enumerate(channels)]


def _foreign(
    data: Any,
    dims: tuple[str, ...],
    *,
    steps: tuple[Floats, Floats, dict[str, float]],
    directions: Floats | None,
    labels: list[str],
    about: Any,
) -> xr.Dataset:
    scale, start, factors = steps
    at = {dim: (float(scale[i]), float(start[i])) for i, dim in enumerate(dims)}
    spacing = [at[a][0] * factors[a] if a in at else 1.0 for a in "zyx"]
    turned = np.eye(3) if directions is None else directions
    origin = np.array([at[a][1] * factors[a] if a in at else 0.0 for a in "xyz"]) @ turned
    shape = (data.shape[-3], data.shape[-2], data.shape[-1])
    grid = Grid.from_axes(
        shape,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        directions=turned,
    )
    coords: dict[str, Any] = {}
    if "t" in at:
        known = not math.isnan(factors["t"])
        times = (at["t"][1] + at["t"][0] * np.arange(data.shape[0])) * (factors["t"] if known else 1.0)
        coords["t"] = ("t", times, {"units": "s" if known else "1"})
    if "c" in at:
        count = data.shape[dims.index("c")]
        coords["c"] = ("c", labels if len(labels) == count else np.arange(count))
    name = str(about.get("name") or "image").replace("/", "_")
    told = "not given, taken as LPS" if directions is None else "as its axes say"
    attrs = {"ome": {"orientation": told, "axes": ", ".join(dims)}}
    return make_volume(data, grid, name=name, units="1", attrs=attrs, coords=coords).to_dataset()
