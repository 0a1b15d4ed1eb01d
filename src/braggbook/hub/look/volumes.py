"""The middle slices of an image, as pictures that say where the patient's sides are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from braggbook.errors import BraggbookError, ImagingError
from braggbook.hub.look.png import png_of
from braggbook.hub.look.shown import LabelShown, Picture, Preview, nothing
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.store.ome_read import read_ome
from braggbook.imaging.store.zarr_store import read_volume
from braggbook.imaging.volumes import grid_of

MOST_BYTES = (
    160 << 20
)  # of voxels: one slice across the file's order reads all of it; a CT of 512 x 512 x 300 has fewer
_MASK_BYTES = 64 << 20  # of a mask that is read whole, so that its slices can go through what is marked
_SIDE, _LEAST_SIDE = 384, 96  # pixels of a picture's longer side, and when it is made smaller for its size
_PICTURE_BYTES = 256 << 10
_WINDOW = (1.0, 99.0)  # percentiles of the shown voxels that become black and white
_MOST_LABELS, LARGEST_LABEL = 24, 255  # more or larger whole numbers are an image
_LEVEL_SIDE = 512  # of a pyramid's levels the first that is not longer is shown
_LEVELS = 12
_OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}
_ALONG = {"L": "x", "R": "x", "P": "y", "A": "y", "H": "z", "F": "z"}
_PLANES = {"z": ("axial", "y", "x"), "y": ("coronal", "z", "x"), "x": ("sagittal", "z", "y")}  # name, down, across
_TOWARDS = {"x": "L", "y": "P", "z": "F"}  # what lies at the right (x, y of sagittal) or at the bottom
_COLOURS = (  # of Okabe and Ito, which people with any colour vision tell apart: https://jfly.uni-koeln.de/color/
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Plane:
    """A slice: its axis, the number of it, and its voxels turned as radiologists look at them."""

    name: str
    number: int
    count: int
    values: _Array
    spacing_mm: tuple[float, float]
    edges: tuple[str, str, str, str]


def volume_preview(path: Path, name: str) -> Preview:
    """Returns the middle slices of a NIfTI or DICOM file, or of the folder of a Zarr store.

    Args:
        path: Of the file or folder.
        name: As the card has it.

    Raises:
        ImagingError: It cannot be read as an image.
    """
    volume = opened(path, name)
    size = volume.nbytes
    if size > MOST_BYTES:
        return nothing(name, f"An image of {size:,} bytes of voxels; those up to {MOST_BYTES:,} are shown here.")
    volume, note = one_of(volume)
    grid = grid_of(volume)
    planes = _planes(volume, grid, [n // 2 for n in grid.shape])
    if "c" in volume.dims:
        return _shown_image(planes, name, grid=grid, note=note, units="")
    if (volume.name == "mask" or not name.lower().endswith(".dcm")) and _are_labels(planes):
        return _shown_labels(volume, planes, name, grid=grid, note=note)
    return _shown_image(planes, name, grid=grid, note=note, units=str(volume.attrs.get("units") or ""))


def opened(path: Path, name: str) -> xr.DataArray:
    """Opens an image lazily: a volume's header is read, its voxels are not."""
    if path.is_dir():
        return _stored(path)
    if name.lower().endswith(".dcm"):
        # compiled loops of dose and contours come with it, half a hub's time to start, and few datasets are DICOM
        from braggbook.imaging.reading import read_dicom  # noqa: PLC0415

        return _spatial(read_dicom(path), name)
    return _spatial(read_nifti(path, sidecar=False), name)  # a side-car is another file, which nobody has checked


def _stored(folder: Path) -> xr.DataArray:
    try:
        volume = _spatial(read_ome(folder), folder.name)
    except ImagingError as error:
        try:
            return _spatial(read_volume(folder), folder.name)
        except BraggbookError:
            raise error from None
    for level in range(1, _LEVELS):
        if max(volume.shape[-3:]) <= _LEVEL_SIDE:
            break
        try:
            volume = _spatial(read_ome(folder, level=level), folder.name)
        except ImagingError:
            break  # that was the last
    return volume


def _spatial(found: xr.Dataset, name: str) -> xr.DataArray:
    for variable in found.data_vars.values():
        if {"z", "y", "x"} <= set(map(str, variable.dims)):
            return variable
    raise ImagingError("no image in it", where=name, wanted="an array with z, y and x")


def one_of(volume: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Takes one volume of several: the first time, and colours if it has them, else the first channel."""
    note = ""
    if "t" in volume.dims:
        note = f" The first of {volume.sizes['t']} times."
        volume = volume.isel(t=0)
    if "c" in volume.dims:
        names = [str(one) for one in np.atleast_1d(volume["c"].values)] if "c" in volume.coords else []
        if names[:3] == ["red", "green", "blue"] and volume.dtype == np.uint8:
            return volume.isel(c=slice(3)), note
        note += f" The first of {volume.sizes['c']} channels."
        volume = volume.isel(c=0)
    return volume, note


def _planes(volume: xr.DataArray, grid: Grid, at: Sequence[int]) -> list[_Plane]:
    """Cuts a volume along its three axes; of one with a single slice only that."""
    letters = grid.letters()
    axes = ("z", "y", "x")
    if len({_ALONG[letter] for letter in letters}) < 3:
        letters = ("", "", "")  # so oblique that two axes lie nearest to one direction of the patient
    thin = [axis for axis, length in zip(axes, grid.shape, strict=True) if length == 1]
    chosen = thin[:1] or [
        axis
        for _, axis in sorted(zip(("zyx".index(_ALONG.get(s, a)) for s, a in zip(letters, axes)), axes))  # noqa: B905
    ]
    return [_plane(volume, grid, axis=axis, at=at[axes.index(axis)], letters=letters) for axis in chosen]


def _plane(volume: xr.DataArray, grid: Grid, *, axis: str, at: int, letters: tuple[str, str, str]) -> _Plane:
    axes = ("z", "y", "x")
    letter = dict(zip(axes, letters, strict=True))
    spacing = dict(zip(axes, grid.spacing_mm, strict=True))
    name, down, across = f"slices along {axis}", *(other for other in axes if other != axis)
    if letter[axis]:
        home = {_ALONG[found]: array for array, found in letter.items()}
        name, patient_down, patient_across = _PLANES[_ALONG[letter[axis]]]
        down, across = home[patient_down], home[patient_across]
    order = (down, across, "c") if "c" in volume.dims else (down, across)
    values = np.asarray(volume.isel({axis: at}).transpose(*order).values)
    edges = []
    for number, array in enumerate((down, across)):
        towards = letter[array]
        if towards and towards != _TOWARDS[_ALONG[towards]]:
            values, towards = np.flip(values, axis=number), _OPPOSITE[towards]
        edges.append(towards)
    bottom, right = edges
    sides = (_OPPOSITE.get(bottom, ""), right, bottom, _OPPOSITE.get(right, ""))
    return _Plane(name, at + 1, volume.sizes[axis], values, (spacing[down], spacing[across]), sides)


def _are_labels(planes: Sequence[_Plane]) -> bool:
    if any(plane.values.dtype.kind not in "bui" for plane in planes):
        return False
    found = np.unique(np.concatenate([np.unique(plane.values) for plane in planes]))
    return bool(found.size <= _MOST_LABELS and int(found[0]) >= 0 and int(found[-1]) <= LARGEST_LABEL)


def _shown_labels(volume: xr.DataArray, planes: list[_Plane], name: str, *, grid: Grid, note: str) -> Preview:
    if volume.nbytes <= _MASK_BYTES:
        whole = np.asarray(volume.values)
        numbers, counts = np.unique(whole, return_counts=True)
        if numbers.size > _MOST_LABELS or int(numbers[-1]) > LARGEST_LABEL or int(numbers[0]) < 0:
            return _shown_image(planes, name, grid=grid, note=note, units="")
        at, where = _through(whole), "through the middle of what is marked"
        planes = _planes(volume.copy(data=whole), grid, at)
    else:
        numbers, counts = np.unique(np.concatenate([one.values.ravel() for one in planes]), return_counts=True)
        where = "in the middle; voxels are counted in them"
    pairs = [(int(number), int(count)) for number, count in zip(numbers, counts, strict=True) if number]
    labels = tuple(LabelShown(n, _COLOURS[(n - 1) % len(_COLOURS)], count) for n, count in pairs)
    pictures = tuple(_picture(one, name, lambda plane: _painted(plane.values)) for one in planes)
    marked = ", ".join(str(label.value) for label in labels)
    says = f"{_size(grid)}. Labels {marked}, slices {where}." if labels else f"{_size(grid)}. Nothing is marked."
    return Preview(name, "labels", says + note, pictures=pictures, labels=labels, viewable=min(grid.shape) > 1)


def _through(mask: _Array) -> list[int]:
    """Returns the slice of each axis with the middle voxel of what is marked, the middle one where nothing is."""
    at = []
    for axis, length in enumerate(mask.shape):
        marked = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis)).cumsum()
        at.append(int(np.searchsorted(marked, marked[-1] / 2)) if marked[-1] else length // 2)
    return at


def _painted(values: _Array) -> npt.NDArray[np.uint8]:
    colours = np.array([[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in _COLOURS], dtype=np.uint8)
    painted = colours[(values.astype(np.int64) - 1) % len(_COLOURS)]
    painted[values == 0] = 0
    return painted


def _shown_image(planes: list[_Plane], name: str, *, grid: Grid, note: str, units: str) -> Preview:
    if planes[0].values.ndim == 3:
        pictures = tuple(_picture(one, name, lambda plane: plane.values.astype(np.uint8)) for one in planes)
        return Preview(name, "volume", f"{_size(grid)}, in colour.{note}", pictures=pictures)
    low, high = _window(planes)
    unit = "" if units in ("", "1") else f" {units}"
    shown = f"Black is {low:.4g}{unit}, white {high:.4g}{unit}." if low < high else f"Every voxel is {low:.4g}{unit}."
    pictures = tuple(_picture(one, name, lambda plane: _grey(plane.values, low, high)) for one in planes)
    viewable = min(grid.shape) > 1 and planes[0].values.dtype.kind in "biuf"
    return Preview(name, "volume", f"{_size(grid)}. {shown}{note}", pictures=pictures, viewable=viewable)


def _real(values: _Array) -> npt.NDArray[np.float64]:
    return (np.abs(values) if values.dtype.kind == "c" else values).astype(np.float64)


def _window(planes: Sequence[_Plane]) -> tuple[float, float]:
    shown = np.concatenate([_real(plane.values).ravel() for plane in planes])
    shown = shown[np.isfinite(shown)]
    if not shown.size:
        raise ImagingError("no voxel of the middle slices has a number")
    low, high = (float(end) for end in np.percentile(shown, _WINDOW))
    return (low, high) if low < high else (float(shown.min()), float(shown.max()))


def _grey(values: _Array, low: float, high: float) -> npt.NDArray[np.uint8]:
    real = _real(values)
    clipped = np.clip(np.where(np.isfinite(real), real, low), low, high)
    part = (clipped / 2 - low / 2) / (high / 2 - low / 2) if low < high else np.full(real.shape, 0.5)  # no overflow
    return np.round(part * 255).astype(np.uint8)


def _size(grid: Grid) -> str:
    voxels = " x ".join(str(length) for length in grid.shape[::-1])
    return f"{voxels} voxels of {' x '.join(f'{mm:.3g}' for mm in grid.spacing_mm[::-1])} mm"


def _picture(plane: _Plane, name: str, paint: Callable[[_Plane], npt.NDArray[np.uint8]]) -> Picture:
    """Draws a slice with pixels that are as high as wide, small enough to be sent within a page."""
    painted, side = paint(plane), _SIDE
    pixels = _squared(painted, plane.spacing_mm, side)
    data = png_of(pixels)
    while len(data) > _PICTURE_BYTES and side > _LEAST_SIDE:
        side = side * 3 // 4
        pixels = _squared(painted, plane.spacing_mm, side)
        data = png_of(pixels)
    title = f"{plane.name}, {plane.number} of {plane.count}"
    top, right, bottom, left = plane.edges
    sides = f"; {top} is at the top, {right} at the right, {bottom} at the bottom, {left} at the left" if top else ""
    alt = f"Slice of {name}: {title}{sides}"
    return Picture(data, "image/png", pixels.shape[1], pixels.shape[0], title, alt, plane.edges)


def _squared(values: npt.NDArray[np.uint8], spacing_mm: tuple[float, float], side: int) -> npt.NDArray[np.uint8]:
    """Takes the nearest voxel for each pixel of a picture whose longer side has so many."""
    lengths = [count * mm for count, mm in zip(values.shape[:2], spacing_mm, strict=True)]
    index = []
    for count, length in zip(values.shape[:2], lengths, strict=True):
        pixels = max(1, round(side * length / max(lengths)))
        index.append(((np.arange(pixels) + 0.5) * count / pixels).astype(np.intp))
    return values[np.ix_(*index)]
