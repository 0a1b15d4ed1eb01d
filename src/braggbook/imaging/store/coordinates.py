"""What formats with room for one image share: which volume of a Dataset is meant, and coordinates beside the grid's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.formats.volume import OmeCard, Sidecar
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.attributes import decode_attributes, encode_attributes
from braggbook.imaging.volumes import DIMS, make_volume


def one_volume(volume: Any) -> xr.DataArray:
    """Returns the one volume of a Dataset, or the volume itself.

    Raises:
        ImagingError: It is none, or has several.
    """
    if isinstance(volume, xr.DataArray):
        return volume
    if not isinstance(volume, xr.Dataset):
        raise ImagingError("not a volume", wanted="an xarray DataArray or Dataset", got=type(volume).__name__)
    names = [str(name) for name, array in volume.data_vars.items() if set(DIMS[2:]) <= set(array.dims)]
    if len(names) != 1:
        hint = f'volume["{names[0]}"]' if names else ""
        raise ImagingError("not one volume", wanted="one", got=", ".join(names) or "none", next_command=hint)
    return volume[names[0]]


def encode_coords(array: xr.DataArray) -> dict[str, Any]:
    """Returns the coordinates that the grid does not give (of t, c, and any others) with their dims and attributes."""
    coords = {name: coord for name, coord in array.coords.items() if name not in DIMS[2:]}
    spec = {}
    for name, coord in coords.items():
        values = np.asarray(coord.values)
        plain = values.astype(np.str_) if values.dtype.kind in "OT" else values
        spec[str(name)] = {"dims": list(coord.dims), "values": plain, "attrs": dict(coord.attrs)}
    return encode_attributes(spec, where=f"{array.name}.coords")


def volume_from_card(
    data: Any, grid: Grid, *, card: OmeCard | Sidecar, where: Path, more: dict[str, Any] | None = None
) -> xr.DataArray:
    """Returns the volume that a card beside its voxels describes.

    Args:
        data: Dims of the card, z, y and x last.
        grid: Where its voxels are.
        card: Name, units, attributes and coordinates.
        where: For messages.
        more: More attributes.

    Raises:
        ImagingError: What the card says does not fit, or cannot be read.
    """
    attrs = {**decode_attributes(card.attrs, where=str(where)), **(more or {})}
    spec = decode_attributes(card.coords, where=str(where))
    try:
        coords = {name: (entry["dims"], entry["values"], entry["attrs"]) for name, entry in spec.items()}
        return make_volume(data, grid, name=card.name, units=card.units, attrs=attrs, coords=coords)
    except (KeyError, TypeError, ValueError) as error:
        got = f"{type(error).__name__}: {str(error)[:200]}"
        raise ImagingError("a card whose coordinates do not fit its voxels", where=str(where), got=got) from error
