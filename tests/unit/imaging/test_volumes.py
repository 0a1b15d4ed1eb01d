"""Volumes: arrays that know where their voxels are."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import grid_of, make_volume

GRID = Grid.from_axes((4, 5, 6), spacing_mm=(3.0, 2.0, 1.5), origin_mm=(-10.0, 20.0, 30.0))
TURNED = Grid.from_axes((4, 5, 6), spacing_mm=(3.0, 2.0, 1.5), directions=((0, 1, 0), (0, 0, -1), (1, 0, 0)))


@pytest.mark.parametrize("grid", [GRID, TURNED])
def test_a_volume_knows_its_grid(grid: Grid) -> None:
    volume = make_volume(np.zeros(grid.shape), grid, name="ct", units="HU", attrs={"modality": "CT"})
    assert volume.dims == ("z", "y", "x")
    assert volume.attrs["units"] == "HU"
    assert volume.attrs["modality"] == "CT"
    assert volume.z.attrs == {"units": "mm"}
    assert grid_of(volume).is_same(grid)
    assert grid_of(volume).affine.tolist() == grid.affine.tolist()


@pytest.mark.parametrize("grid", [GRID, TURNED])
def test_a_part_of_a_volume_knows_its_place(grid: Grid) -> None:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"))[::-1]
    places = np.moveaxis(grid.to_patient(np.moveaxis(index, 0, -1)), -1, 0)
    volume = make_volume(places, grid, name="place", units="mm", coords={"c": ["x", "y", "z"]})
    for part in (
        volume.isel(z=slice(1, 3), y=slice(2, None), x=slice(0, 4)),
        volume.isel(y=slice(None, None, -1)),
        volume.isel(x=slice(1, None, 2), z=[2]),
    ):
        found = grid_of(part)
        assert found.shape == part.shape[1:]
        corner = found.to_patient((part.sizes["x"] - 1, part.sizes["y"] - 1, part.sizes["z"] - 1))
        np.testing.assert_allclose(corner, part.values[:, -1, -1, -1], atol=1e-9)
        np.testing.assert_allclose(found.to_patient((0, 0, 0)), part.values[:, 0, 0, 0], atol=1e-9)


def test_leading_dimensions() -> None:
    assert make_volume(np.zeros((2, *GRID.shape)), GRID, name="a", units="1").dims == ("t", "z", "y", "x")
    channels = make_volume(np.zeros((2, *GRID.shape)), GRID, name="a", units="1", coords={"c": ["red", "green"]})
    assert channels.dims == ("c", "z", "y", "x")
    both = make_volume(np.zeros((3, 2, *GRID.shape)), GRID, name="a", units="1", coords={"t": [0.0, 1.0, 2.5]})
    assert both.dims == ("t", "c", "z", "y", "x")


def test_it_stays_lazy() -> None:
    asked = []

    def block(where: tuple[slice, ...]) -> np.ndarray:
        asked.append(where)
        return np.zeros((1, 5, 6))

    data = da.map_blocks(
        lambda block_info: block(block_info[None]["array-location"]), chunks=((1,) * 4, 5, 6), dtype=float
    )
    volume = make_volume(data, GRID, name="ct", units="HU")
    grid_of(volume.isel(z=slice(1, 2)))
    assert asked == []
    volume.isel(z=1).compute()
    assert len(asked) == 1


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 7), (5, 4, 6), (1, 1, 1, 4, 5, 6)])
def test_an_array_that_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImagingError, match="an array that does not fit its grid") as caught:
        make_volume(np.zeros(shape), GRID, name="ct", units="HU")
    assert caught.value.where == "ct"


def test_what_is_no_volume() -> None:
    volume = make_volume(np.zeros(GRID.shape), GRID, name="ct", units="HU")
    with pytest.raises(ImagingError, match="not a volume"):
        grid_of(volume.isel(z=0))
    with pytest.raises(ImagingError, match="not a volume"):
        grid_of(xr.DataArray(np.zeros(3), dims="x"))
    with pytest.raises(ImagingError, match="a volume without its affine"):
        grid_of(volume.assign_attrs(affine=None))
    with pytest.raises(ImagingError, match="voxels at uneven distances"):
        grid_of(volume.isel(z=[0, 1, 3]))
