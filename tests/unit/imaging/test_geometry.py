"""Grids: where voxels are, in patient coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid

AXIAL = Grid.from_axes((4, 5, 6), spacing_mm=(3.0, 2.0, 1.5), origin_mm=(-10.0, 20.0, 30.0))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    lengths, places = st.integers(1, 9), st.floats(-500, 500)
    rotation = Rotation.from_rotvec([draw(st.floats(-3, 3)) for _ in range(3)]).as_matrix()
    return Grid.from_axes(
        (draw(lengths), draw(lengths), draw(lengths)),
        spacing_mm=(draw(st.floats(0.1, 9)), draw(st.floats(0.1, 9)), draw(st.floats(0.1, 9))),
        origin_mm=(draw(places), draw(places), draw(places)),
        directions=rotation,
    )


def test_an_axial_grid() -> None:
    assert AXIAL.to_patient((1, 2, 3)).tolist() == [-8.5, 24.0, 39.0]
    assert AXIAL.to_index((-8.5, 24.0, 39.0)).tolist() == pytest.approx([1, 2, 3], abs=1e-12)
    assert (AXIAL.spacing_mm, AXIAL.origin_mm) == ((3.0, 2.0, 1.5), (-10.0, 20.0, 30.0))
    assert AXIAL.voxel_mm3 == pytest.approx(9.0, rel=1e-15)
    assert AXIAL.is_axial
    assert not AXIAL.is_skewed
    assert AXIAL.letters() == ("H", "P", "L")
    places = AXIAL.coordinates_mm()
    assert places["z"].tolist() == [30, 33, 36, 39]
    assert places["y"].tolist() == [20, 22, 24, 26, 28]
    assert places["x"].tolist() == [-10, -8.5, -7, -5.5, -4, -2.5]


def test_a_sagittal_grid() -> None:
    """Rows run towards the feet, columns to the back, slices to the left."""
    grid = Grid.from_axes((2, 3, 4), spacing_mm=(5, 1, 1), directions=((0, 1, 0), (0, 0, -1), (1, 0, 0)))
    assert grid.to_patient((1, 0, 0)).tolist() == [0, 1, 0]
    assert grid.to_patient((0, 1, 0)).tolist() == [0, 0, -1]
    assert grid.to_patient((0, 0, 1)).tolist() == [5, 0, 0]
    assert grid.letters() == ("L", "F", "P")
    assert not grid.is_axial


def test_a_tilted_gantry_skews_the_grid() -> None:
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    affine[1, 2] = 3 * np.tan(np.radians(10))
    grid = Grid((2, 2, 2), affine)
    assert grid.is_skewed
    assert grid.voxel_mm3 == pytest.approx(3.0)
    assert grid.spacing_mm[0] == pytest.approx(3 / np.cos(np.radians(10)))


@given(grids())
def test_places_and_indices_are_each_others_inverse(grid: Grid) -> None:
    index = np.random.default_rng(1).uniform(-5, 15, (7, 3))
    np.testing.assert_allclose(grid.to_index(grid.to_patient(index)), index, atol=1e-7)
    assert not grid.is_skewed


@given(grids())
def test_coordinates_are_components_along_the_axes(grid: Grid) -> None:
    last = tuple(length - 1 for length in grid.shape[::-1])
    along = grid.directions @ grid.to_patient(last)
    ends = [grid.coordinates_mm()[axis][-1] for axis in "xyz"]
    np.testing.assert_allclose(along, ends, atol=1e-7)


@given(grids(), st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)))
def test_a_refined_grid_fills_the_same_space(grid: Grid, factors: tuple[int, int, int]) -> None:
    fine = grid.refined(factors)
    assert fine.voxel_mm3 * np.prod(factors) == pytest.approx(grid.voxel_mm3, rel=1e-9)
    low, high = (-0.5, -0.5, -0.5), np.array(grid.shape[::-1]) - 0.5
    np.testing.assert_allclose(fine.to_patient(low), grid.to_patient(low), atol=1e-6)
    np.testing.assert_allclose(fine.to_patient(np.array(fine.shape[::-1]) - 0.5), grid.to_patient(high), atol=1e-6)


def test_a_cropped_grid_keeps_its_places() -> None:
    part = AXIAL.cropped((1, 2, 3), (2, 2, 2))
    assert part.shape == (2, 2, 2)
    np.testing.assert_array_equal(part.to_patient((0, 0, 0)), AXIAL.to_patient((3, 2, 1)))


def test_grids_are_the_same_when_their_voxels_are() -> None:
    moved = AXIAL.affine.copy()
    moved[0, 3] += 5e-4
    assert AXIAL.is_same(Grid(AXIAL.shape, moved))
    moved[0, 3] += 1e-2
    assert not AXIAL.is_same(Grid(AXIAL.shape, moved))
    assert not AXIAL.is_same(Grid((4, 5, 7), AXIAL.affine))
    turned = AXIAL.affine.copy()
    turned[0, 1] += 1e-3  # nothing at the origin, 4 micrometres at the far corner
    assert not AXIAL.is_same(Grid(AXIAL.shape, turned))


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((1, 1, 1), np.zeros((4, 4)), "not an affine"),
        ((1, 1, 1), np.eye(3), "not an affine"),
        ((1, 1, 1), np.diag([1.0, np.nan, 1.0, 1.0]), "not an affine"),
        ((1, 1, 1), np.diag([1.0, 1.0, 0.0, 1.0]), "an affine that is flat"),
        ((0, 1, 1), np.eye(4), "not the shape of a grid"),
        ((1, 1), np.eye(4), "not the shape of a grid"),
    ],
)
def test_what_is_no_grid(shape: tuple[int, int, int], affine: np.ndarray, words: str) -> None:
    with pytest.raises(ImagingError, match=words):
        Grid(shape, affine)


def test_an_affine_cannot_be_changed_under_a_grid() -> None:
    affine = np.eye(4)
    grid = Grid((1, 1, 1), affine)
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 3] = 1
    affine[0, 3] = 7
    assert grid.origin_mm == (0, 0, 0)
