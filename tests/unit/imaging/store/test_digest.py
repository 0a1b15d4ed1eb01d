"""The hash of a volume: the same for the same voxels at the same place, and only then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.files import canonical_json
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.digest import digest
from braggbook.imaging.store.zarr_store import read_volume, write_volume
from braggbook.imaging.volumes import grid_of

Made = Callable[..., xr.DataArray]


def by_hand(volume: xr.DataArray) -> str:
    """The definition in docs/formats/volume.md, word by word."""
    header = {
        "format": "braggbook.digest/1",
        "dims": list(volume.dims),
        "shape": list(volume.shape),
        "dtype": volume.dtype.newbyteorder("<").str,
        "affine": [float(value).hex() for value in grid_of(volume).affine.ravel()],
    }
    total = hashlib.sha256(canonical_json(header))
    little = volume.values.astype(volume.dtype.newbyteorder("<"))
    for plane in little.reshape(-1, *volume.shape[-2:]):
        total.update(hashlib.sha256(plane.tobytes()).digest())
    return total.hexdigest()


@pytest.mark.parametrize("shape", [(5, 6, 7), (2, 3, 5, 6, 7)])
@pytest.mark.parametrize("dtype", ["int16", ">f4", "bool"])
def test_it_is_what_the_page_says(made: Made, shape: tuple[int, ...], dtype: str) -> None:
    volume = made(shape, dtype)
    assert digest(volume) == by_hand(volume)


def test_it_does_not_depend_on_how_voxels_are_kept(made: Made, tmp_path: Path) -> None:
    volume = made((2, 5, 6, 7), "float32")
    wanted = digest(volume)
    assert digest(volume.chunk(z=2, y=4, x=3), workers=3) == wanted
    assert digest(volume.astype(">f4")) == wanted
    assert digest(volume.copy(data=np.asfortranarray(volume.values))) == wanted
    assert digest(read_volume(write_volume(volume, tmp_path / "v.zarr"))["ct"]) == wanted
    assert digest(volume.rename("other").assign_attrs(units="Gy", more=1)) == wanted


def test_it_changes_with_every_voxel_the_place_the_shape_and_the_type(made: Made, oblique: Grid) -> None:
    volume = made()
    changed = volume.copy(deep=True)
    changed[4, 5, 6] += 1
    moved = volume.assign_attrs(
        affine=[*volume.attrs["affine"][:3], np.nextafter(volume.attrs["affine"][3], 0), *volume.attrs["affine"][4:]]
    )
    others = [
        changed,
        moved,
        made(grid=oblique),
        volume.isel(z=slice(None, None, -1)),
        volume.astype("int32"),
        volume[1:],
    ]
    others.append(volume.expand_dims("t"))
    assert len({digest(volume), *map(digest, others)}) == len(others) + 1


def test_minus_zero_in_the_affine_is_the_same_place(made: Made) -> None:
    volume = made()
    affine = [value or -0.0 for value in volume.attrs["affine"]]
    assert digest(volume.assign_attrs(affine=affine)) == digest(volume)


def test_what_is_no_volume_is_refused(made: Made) -> None:
    with pytest.raises(ImagingError, match="axes in another order"):
        digest(made().transpose("x", "y", "z"))
    with pytest.raises(ImagingError, match="affine"):
        digest(made().drop_attrs())
    with pytest.raises(ImagingError, match="no numbers"):
        digest(made().astype(str))
