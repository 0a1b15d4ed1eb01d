"""Values between voxels, against SimpleITK and against functions that trilinear interpolation keeps exactly."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.resample import resample, sample_at
from braggbook.imaging.volumes import make_volume

TURN = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
SOURCE = Grid.from_axes((9, 11, 13), spacing_mm=(3, 2.5, 2), origin_mm=(-10, 5, 7), directions=TURN)
ROUNDING = 1e-12  # of values of about 1, after two affine maps


def random_volume(grid: Grid = SOURCE, **attrs):
    values = np.random.default_rng(5).normal(size=grid.shape)
    return make_volume(values, grid, name="dose", units="Gy", attrs=attrs)


def as_itk(values: np.ndarray, grid: Grid) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.directions.T.ravel())
    return image


@pytest.mark.parametrize(("method", "peer"), [("linear", sitk.sitkLinear), ("nearest", sitk.sitkNearestNeighbor)])
def test_another_grid_has_what_simpleitk_finds_there(method, peer) -> None:
    target = Grid.from_axes((17, 10, 23), spacing_mm=(1.3, 2.1, 1.7), origin_mm=(-3, 2, 6.1))
    volume = random_volume()
    ours = resample(volume, target, method=method)
    empty = as_itk(np.zeros(target.shape), target)
    theirs = sitk.Resample(as_itk(volume.values, SOURCE), empty, sitk.Transform(), peer, -99.0, sitk.sitkFloat64)
    inside = ~np.isnan(ours.values)
    assert inside.sum() > 400
    np.testing.assert_allclose(ours.values[inside], sitk.GetArrayFromImage(theirs)[inside], atol=ROUNDING)


def test_a_linear_function_is_kept_exactly_also_on_the_outermost_centres() -> None:
    index = np.moveaxis(np.indices(SOURCE.shape), 0, -1)[..., ::-1]
    slope = np.array([0.3, -0.2, 0.7])
    volume = make_volume(SOURCE.to_patient(index) @ slope, SOURCE, name="dose", units="Gy")
    points = SOURCE.to_patient(np.random.default_rng(1).uniform(0, np.array(SOURCE.shape[::-1]) - 1, size=(500, 3)))
    np.testing.assert_allclose(sample_at(volume, points), points @ slope, atol=1e-11)
    corners = SOURCE.to_patient(SOURCE.corner_indices())
    np.testing.assert_allclose(sample_at(volume, corners), corners @ slope, atol=1e-11)


def test_nothing_is_extrapolated() -> None:
    volume = random_volume()
    beyond = SOURCE.to_patient([[-0.01, 4, 4], [4, 10.01, 4], [4, 4, 8.3]])
    assert np.isnan(sample_at(volume, beyond)).all()
    assert (sample_at(volume, beyond, outside=0) == 0).all()
    assert np.isfinite(sample_at(volume, beyond, method="nearest")).all(), "half a voxel out is still the voxel"


def test_one_slice_fills_its_own_thickness_and_no_more() -> None:
    grid = Grid.from_axes((1, 4, 4), spacing_mm=(3, 1, 1))
    volume = make_volume(np.full(grid.shape, 2.0), grid, name="dose", units="Gy")
    np.testing.assert_equal(sample_at(volume, [[1, 1, -1.5], [1, 1, 1.5], [1, 1, 1.6]]), [2, 2, np.nan])


def test_a_voxel_without_a_number_takes_only_the_points_that_it_has_a_part_in() -> None:
    grid = Grid.from_axes((1, 1, 4), spacing_mm=(1, 1, 1))
    volume = make_volume(np.array([[[1.0, 2.0, np.nan, 4.0]]]), grid, name="dose", units="Gy")
    np.testing.assert_equal(sample_at(volume, [[0.5, 0, 0], [1, 0, 0], [1.2, 0, 0], [3, 0, 0]]), [1.5, 2, np.nan, 4])


def test_a_lazy_volume_stays_lazy_and_gives_the_same_numbers() -> None:
    volume, target = random_volume(), SOURCE.refined((3, 2, 2))
    lazy = resample(volume.chunk({"z": 2, "y": 5}), target)
    assert lazy.chunks is not None
    np.testing.assert_array_equal(lazy.values, resample(volume, target).values)


def test_the_number_of_threads_changes_nothing() -> None:
    volume, target = random_volume(), SOURCE.refined((20, 10, 8))
    one, four = (resample(volume, target, workers=count).values for count in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_what_was_done_and_what_the_volume_was_stay_in_its_attributes() -> None:
    out = resample(random_volume(dose_type="PHYSICAL"), SOURCE.refined((1, 2, 2)), outside=0)
    assert out.attrs["dose_type"] == "PHYSICAL"
    assert out.attrs["units"] == "Gy"
    assert out.attrs["resampled"] == "linear from (9, 11, 13) voxels of 3 x 2.5 x 2 mm, 0 outside"


def test_what_is_no_volume_or_no_method_is_refused() -> None:
    with pytest.raises(ImagingError, match=r"no such interpolation.*nearest or linear, got cubic"):
        resample(random_volume(), SOURCE, method="cubic")
    with pytest.raises(ImagingError, match="not one volume"):
        sample_at(random_volume().expand_dims("t"), [[0, 0, 0]])
