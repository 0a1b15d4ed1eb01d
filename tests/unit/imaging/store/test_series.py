"""A DICOM series on its way to a store: whole, it is read without a task graph; changed in any way, with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from braggbook.imaging.dicom.lazy import voxels_of
from braggbook.imaging.reading import read_dicom
from braggbook.imaging.store.zarr_store import read_volume, write_volume
from braggbook.testing.dicom import example_grid, write_series


@pytest.fixture
def series(tmp_path: Path) -> xr.Dataset:
    grid = example_grid()
    array = np.random.default_rng(1).integers(0, 2000, grid.shape).astype(np.int16)
    write_series(tmp_path / "in", array, grid)
    return read_dicom(tmp_path / "in")


CHANGES: dict[str, Any] = {
    "whole": lambda d: d,
    "some slices": lambda d: d.isel(z=slice(1, 4)),
    "backwards": lambda d: d.isel(z=slice(None, None, -1)),
    "some columns": lambda d: d.isel(x=slice(2, 5)),
    "other values": lambda d: d.assign(image=(d.image * 2).assign_attrs(d.image.attrs)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_voxel_arrives(series: xr.Dataset, tmp_path: Path, name: str) -> None:
    changed = CHANGES[name](series)
    assert (voxels_of(changed.image.data) is not None) == (name == "whole")
    write_volume(changed, tmp_path / "out.zarr")
    back = read_volume(tmp_path / "out.zarr").image
    assert back.dtype == changed.image.dtype
    np.testing.assert_array_equal(back.values, changed.image.values)
