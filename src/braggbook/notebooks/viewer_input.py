"""What a viewer of volumes is given: refused with a reason before anything is drawn, or ready to be drawn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError, InputError
from braggbook.imaging.volumes import grid_of
from braggbook.notebooks.views import Limits, require_masks, require_volume

_FLOAT32 = np.finfo(np.float32)  # what the browser draws
_LARGEST, _FINEST = float(_FLOAT32.max), float(_FLOAT32.tiny)
_HEIGHTS_PX = (50, 4000)


def require_image(image: xr.DataArray) -> xr.DataArray:
    """Returns the volume, True and False as 1 and 0.

    Raises:
        ImagingError: Not a volume of three dimensions, not real numbers, or nothing but NaN.
    """
    _require_numbers(image, "the image")
    return image.astype(np.uint8).assign_attrs(image.attrs) if image.dtype == bool else image


def require_flat_masks(image: xr.DataArray, masks: Mapping[str, xr.DataArray] | None) -> dict[str, xr.DataArray]:
    """Returns masks that lie on an image's grid and hold whole numbers, 0 outside.

    Raises:
        InputError: Not masks by name.
        ImagingError: One is on another grid, or no mask.
    """
    if masks is not None and not (isinstance(masks, Mapping) and all(isinstance(name, str) for name in masks)):
        got = ", ".join(map(repr, masks)) if isinstance(masks, Mapping) else type(masks).__name__
        raise InputError("not masks by name", where="masks", wanted="{'tumour': mask}", got=got)
    for name, mask in (masks or {}).items():
        _require_array(mask, name)
    marked = require_masks(image, masks)
    for name, mask in marked.items():
        _require_whole(mask, name)
    return marked


def require_dose(image: xr.DataArray, dose: xr.DataArray | None) -> xr.DataArray | None:
    """Returns the dose, if there is one.

    Raises:
        ImagingError: Not a volume, not real numbers, nothing but NaN, or wholly beside the image.
    """
    if dose is None:
        return None
    _require_numbers(dose, "the dose")
    grid, other = grid_of(image), grid_of(dose)
    for here, there in ((grid, other), (other, grid)):
        index = np.array([here.to_index(point) for point in there.to_patient(there.corner_indices())])
        far = (index.max(axis=0) < -0.5) | (index.min(axis=0) > np.array(here.shape[::-1]) - 0.5)
        if far.any():
            raise ImagingError("wholly beside the image", where="the dose", wanted="a dose in the image's coordinates")
    return dose


def require_window(window: tuple[float, float]) -> Limits:
    """Returns the values that are black and white.

    Raises:
        InputError: Not a level and a width above 0.
    """
    numbers = _numbers(window, 2)
    if numbers is None or numbers[1] <= 0:
        raise InputError("not a window", where="window", wanted="(level, width), the width above 0", got=str(window))
    level, width = numbers
    return level - width / 2, level + width / 2


def require_place(at_mm: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    """Returns the point, if there is one.

    Raises:
        InputError: Not three numbers.
    """
    if at_mm is None:
        return None
    numbers = _numbers(at_mm, 3)
    if numbers is None:
        raise InputError("not a point", where="at_mm", wanted="(x, y, z) in mm of the patient", got=str(at_mm))
    return numbers[0], numbers[1], numbers[2]


def require_height(height_px: float) -> int:
    """Returns whole pixels.

    Raises:
        InputError: Not a height that a page could have.
    """
    numbers = _numbers((height_px,), 1)
    low, high = _HEIGHTS_PX
    if numbers is None or not low <= numbers[0] <= high:
        raise InputError("not a height", where="height_px", wanted=f"{low} to {high} pixels", got=repr(height_px))
    return round(numbers[0])


def require_drawable(limits: Limits) -> Limits:
    """Returns limits that a screen's single precision can tell apart.

    Raises:
        ImagingError: It cannot.
    """
    if limits[1] - limits[0] < _FINEST:
        raise ImagingError("values too close to 0 to be drawn", where="the image", wanted="another unit")
    return limits


def about_mask(mask: xr.DataArray) -> str:
    """Returns what is not seen in one colour: that there is nothing, or that there is more than one label."""
    highest = mask.max()
    if not bool(highest > 0):
        return " (empty)"
    return " (all its labels)" if mask.dtype != bool and bool(((mask > 0) & (mask < highest)).any()) else ""


def _numbers(given: Any, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(one) for one in given)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def _require_array(volume: Any, what: str) -> None:
    if not isinstance(volume, xr.DataArray):
        wanted = "an xarray.DataArray with its place: bb.imaging.make_volume(values, grid, name=..., units=...)"
        raise ImagingError("not a volume", where=what, wanted=wanted, got=type(volume).__name__)
    if volume.dtype.kind not in "buif":
        raise ImagingError("not real numbers", where=what, wanted="integers or floats", got=str(volume.dtype))


def _require_numbers(volume: Any, what: str) -> None:
    _require_array(volume, what)
    require_volume(volume, what)
    if volume.dtype.kind != "f":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, where all is NaN: that is told below
        low, high = float(volume.min()), float(volume.max())
    if math.isnan(high) or low == math.inf or high == -math.inf:
        raise ImagingError("nothing to draw", where=what, wanted="finite values", got="none")
    largest = max((abs(one) for one in (low, high) if math.isfinite(one)), default=0.0)
    if largest > _LARGEST:
        raise ImagingError("values too large to be drawn", where=what, wanted="another unit", got=f"{largest:.3g}")


def _require_whole(mask: xr.DataArray, name: str) -> None:
    if mask.dtype.kind in "bu":
        return
    low = float(mask.min(skipna=False))
    if not low >= 0 or (mask.dtype.kind == "f" and not bool((mask == np.rint(mask)).all())):
        raise ImagingError("not a mask", where=name, wanted="whole numbers, 0 outside", got=f"{mask.dtype}")
