"""The rule by which a structure becomes a mask, on shapes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.contours import Contour, Structure
from braggbook.imaging.structures.rasterise import structure_mask, structure_volume_cc

from .structure_helpers import axial, box, circle, inside_even_odd, made_of, polygon_area, ring

ONE_SLICE = axial((1, 20, 20))
CENTRES = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), axis=-1).reshape(-1, 2)
CIRCLE_AREA = 1e-3  # of the area of a circle, lost by 200 corners: 1 - sin(a)/a with a = 2 pi/200
EXACT = 1e-6  # of an area in float32 voxels


def mask(structure: Structure, grid: Grid = ONE_SLICE, **more: object) -> np.ndarray:
    return structure_mask(structure, grid, **more).values


def test_a_centre_on_an_edge_is_in_towards_growing_indices() -> None:
    found = mask(made_of(box(2, 3, 6, 5)))
    expected = np.zeros((1, 20, 20), bool)
    expected[0, 3:5, 2:6] = True
    assert (found == expected).all()


def test_the_rule_holds_on_edges_through_centres_at_an_angle() -> None:
    """A diamond whose corners and edges all pass through centres, and its complement in a box, share no pixel."""
    diamond = [(10, 4), (16, 10), (10, 16), (4, 10)]
    inside = mask(made_of(ring(diamond)))
    around = mask(made_of(box(2, 2, 18, 18), ring(diamond)))
    assert not (inside & around).any()
    assert ((inside | around) == mask(made_of(box(2, 2, 18, 18)))).all()
    assert inside.sum() == 72  # its area: of 2 * 12 boundary centres half are in


def test_planes_fill_their_own_slices_only() -> None:
    structure = made_of(box(2, 2, 6, 6, 3.0), box(2, 2, 6, 6, 6.0))
    assert mask(structure, axial((5, 20, 20))).sum(axis=(1, 2)).tolist() == [0, 16, 16, 0, 0]


def test_a_contour_a_little_beside_a_slice_belongs_to_it() -> None:
    structure = made_of(box(2, 2, 6, 6, 3.04), box(2, 2, 6, 6, 5.97))
    assert mask(structure, axial((5, 20, 20))).sum(axis=(1, 2)).tolist() == [0, 16, 16, 0, 0]


def test_a_gap_stays_empty() -> None:
    structure = made_of(*(box(2, 2, 6, 6, 3.0 * k) for k in (0, 1, 4, 5)))
    assert mask(structure, axial((7, 20, 20))).any(axis=(1, 2)).tolist() == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]


def test_finer_slices_share_the_slabs_with_half_at_the_ends() -> None:
    structure = made_of(*(box(2, 2, 6, 6, 3.0 * k) for k in (1, 2)))
    fine = Grid.from_axes((12, 20, 20), spacing_mm=(1.0, 1.0, 1.0))
    assert np.flatnonzero(mask(structure, fine).any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6, 7]


def test_coarser_slices_take_the_slab_their_centre_is_in() -> None:
    structure = made_of(*(box(2, 2, 6 + k, 6, 1.0 * k) for k in range(8)))
    coarse = Grid.from_axes((3, 20, 20), spacing_mm=(2.5, 1.0, 1.0), origin_mm=(0, 0, 1.0))
    # Slices at 1, 3.5 and 6 mm; 3.5 is the border of two slabs, which belongs to the upper one.
    assert mask(structure, coarse).sum(axis=(1, 2)).tolist() == [20, 32, 40]


def test_a_single_plane_takes_the_thickness_of_set_then_grid() -> None:
    fine = Grid.from_axes((9, 20, 20), spacing_mm=(1.0, 1.0, 1.0))
    known = made_of(box(2, 2, 6, 6, 4.0), plane_spacing_mm=3.0)
    assert mask(known, fine).any(axis=(1, 2)).sum() == 3
    assert mask(made_of(box(2, 2, 6, 6, 4.0)), fine).any(axis=(1, 2)).sum() == 1
    assert mask(known, fine, plane_thickness_mm=5.0).any(axis=(1, 2)).sum() == 5


def test_holes_and_islands_alternate() -> None:
    nested = made_of(*(box(k, k, 19 - k, 19 - k) for k in (1, 3, 5, 7)))
    expected = sum((1 if i % 2 == 0 else -1) * (19 - 2 * k) ** 2 for i, k in enumerate((1, 3, 5, 7)))
    assert mask(nested).sum() == expected
    assert structure_volume_cc(nested, plane_thickness_mm=3.0) == pytest.approx(expected * 3e-3, rel=EXACT)


def test_a_keyhole_is_a_hole() -> None:
    channel = [
        (2, 2),
        (16, 2),
        (16, 16),
        (2, 16),
        (2, 9.25),
        (6, 9.25),
        (6, 12),
        (12, 12),
        (12, 6),
        (6, 6),
        (6, 9.25),
        (2, 9.25),
    ]
    two = made_of(box(2, 2, 16, 16), box(6, 6, 12, 12))
    one = made_of(ring(channel))
    assert (mask(one) == mask(two)).all()
    assert np.allclose(mask(one, coverage=True), mask(two, coverage=True), atol=EXACT)


def test_a_self_touching_contour() -> None:
    eight = ring([(2, 2), (8, 8), (14, 2), (14, 14), (8, 8), (2, 14)])
    assert structure_volume_cc(made_of(eight), plane_thickness_mm=1.0) == pytest.approx(72e-3)
    assert mask(made_of(eight)).sum() == 72


def test_a_bow_tie_counts_both_wings() -> None:
    tie = ring([(2, 2), (14, 14), (14, 2), (2, 14)])
    assert structure_volume_cc(made_of(tie), plane_thickness_mm=1.0) == pytest.approx(72e-3)
    assert mask(made_of(tie), coverage=True).sum() == pytest.approx(72, rel=EXACT)


def test_contours_that_overlap_exclude_one_another() -> None:
    both = mask(made_of(box(2, 2, 10, 10), box(6, 6, 14, 14)), coverage=True)
    assert both.sum() == pytest.approx(64 + 64 - 2 * 16, rel=EXACT)
    assert not both[0, 7:10, 7:10].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_contours_across_any_axis_of_the_grid(axis: int) -> None:
    """A stack of discs across x, y or z on one isotropic grid is the same stack turned."""
    grid = Grid.from_axes((20, 20, 20), spacing_mm=(1.0, 1.0, 1.0))
    discs = [circle(6.3 - 0.4 * k, z=8.0 + k, corners=60).points_mm for k in range(4)]
    order = {2: [0, 1, 2], 1: [0, 2, 1], 0: [2, 0, 1]}[axis]
    turned = made_of(*(Contour(disc[:, order]) for disc in discs))
    upright = mask(made_of(*map(Contour, discs)), grid)
    assert (mask(turned, grid) == upright.transpose({2: (0, 1, 2), 1: (1, 0, 2), 0: (1, 2, 0)}[axis])).all()


def _tilted(angle_deg: float) -> np.ndarray:
    a = math.radians(angle_deg)
    about_x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    about_z = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    return about_x @ about_z


@pytest.mark.parametrize("angle", [7.0, 30.0, 52.0, 83.0])
def test_oblique_planes_agree_with_each_voxel_asked_alone(angle: float) -> None:
    turn = _tilted(angle)
    star = circle(7.0, corners=11).points_mm - (10, 10, 0)
    star[::2] *= 0.6
    stack = [np.add(star, (0, 0, 2.0 * k)) for k in range(-3, 4)]
    grid = Grid.from_axes((19, 20, 21), spacing_mm=(1.1, 0.9, 1.0), origin_mm=(-10.03, -9.07, -10.01))
    found = mask(made_of(*(Contour(layer @ turn.T) for layer in stack)), grid)
    z, y, x = np.indices(grid.shape)
    local = grid.to_patient(np.stack([x, y, z], axis=-1).reshape(-1, 3)) @ turn
    layer = np.floor(local[:, 2] / 2 + 0.5)
    expected = inside_even_odd([star[:, :2]], local[:, :2]) & (np.abs(layer) <= 3)
    assert found.sum() > 200
    assert (found.ravel() == expected).all()


def test_oblique_planes_on_a_grid_turned_with_them_are_exact() -> None:
    turn = _tilted(40.0)
    discs = [circle(6.3, z=3.0 * k).points_mm for k in range(3)]
    straight = mask(made_of(*map(Contour, discs)), axial())
    grid = Grid.from_axes((3, 20, 20), spacing_mm=(3.0, 1.0, 1.0), directions=turn.T)
    assert (mask(made_of(*(Contour(disc @ turn.T) for disc in discs)), grid) == straight).all()


def test_a_skewed_grid_as_under_gantry_tilt() -> None:
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    affine[1, 2] = 0.8  # each slice lies farther back
    grid = Grid((3, 20, 20), affine)
    structure = made_of(*(Contour(np.add(box(4, 4, 9, 9, 3.0 * k).points_mm, (0, 0.8 * k, 0))) for k in range(3)))
    assert mask(structure, grid).sum(axis=(1, 2)).tolist() == [25, 25, 25]


def test_descending_and_mirrored_grids() -> None:
    structure = made_of(*(box(2.2, 3.1, 6.3 + k, 9.2, 3.0 * k) for k in range(3)))
    upright = mask(structure, axial())
    mirrored = Grid.from_axes((3, 20, 20), spacing_mm=(3.0, 1.0, 1.0), origin_mm=(19, 19, 6), directions=-np.eye(3))
    assert (mask(structure, mirrored) == upright[::-1, ::-1, ::-1]).all()


def test_coverage_of_a_circle_is_its_area() -> None:
    found = mask(made_of(circle(7.3)), coverage=True)
    assert found.sum() == pytest.approx(math.pi * 7.3**2, rel=CIRCLE_AREA)
    assert found.max() == 1.0
    assert found.min() == 0.0


def test_coverage_along_the_slices_is_their_share_of_the_slab() -> None:
    structure = made_of(*(box(2, 2, 6, 6, 3.0 * k) for k in (1, 2)))
    shifted = Grid.from_axes((5, 20, 20), spacing_mm=(2.0, 1.0, 1.0))
    # The slabs fill 1.5 to 7.5 mm; slices are centred at 0, 2, 4, 6, 8 mm.
    shares = mask(structure, shifted, coverage=True)[:, 4, 4]
    assert shares == pytest.approx([0, 0.75, 1.0, 1.0, 0.25], abs=EXACT)


def test_coverage_at_an_angle_is_sampled_and_says_so() -> None:
    turn = _tilted(30.0)
    stack = [circle(5.0, z=float(k)).points_mm - (10, 10, 0) for k in range(-3, 4)]
    structure = made_of(*(Contour(layer @ turn.T) for layer in stack))
    grid = Grid.from_axes((16, 16, 16), spacing_mm=(1.0,) * 3, origin_mm=(-7.5, -7.5, -7.5))
    found = structure_mask(structure, grid, coverage=True)
    assert "8 x 8 x 8" in found.attrs["method"]
    assert float(found.sum()) == pytest.approx(7 * math.pi * 25, rel=2e-3)  # 8 samples a millimetre


def test_interpolation_is_off_unless_asked_for() -> None:
    structure = made_of(circle(4.0, z=0.0), circle(8.0, z=12.0))
    grid = axial((5, 20, 20))
    assert mask(structure, grid, plane_thickness_mm=3.0).any(axis=(1, 2)).tolist() == [True, False, False, False, True]
    between = mask(structure, grid, plane_thickness_mm=3.0, interpolate=True)
    areas = between.sum(axis=(1, 2))
    assert areas[2] == pytest.approx(math.pi * 36, rel=0.1)  # the circle half way, on a grid of 1 mm
    assert (np.diff(areas) > 0).all()


def test_a_24_mm_sphere() -> None:
    """Closed form: 7.238229 cc; and its exact slabs at 1 mm lose 1/288 of it."""
    grid = Grid.from_axes((30, 30, 30), spacing_mm=(1.0,) * 3, origin_mm=(-15 + 0.5,) * 3)
    places = np.arange(-11.5, 12.0)
    slices = [circle(math.sqrt(144 - z * z), z=z, centre=(0, 0), corners=720) for z in places]
    structure = made_of(*slices)
    exact = sum(math.pi * (144 - z * z) for z in places) / 1000
    assert structure_volume_cc(structure) == pytest.approx(exact, rel=1e-4)
    assert mask(structure, grid).sum() / 1000 == pytest.approx(7.238229, rel=0.01)
    assert mask(structure, grid, coverage=True).sum() / 1000 == pytest.approx(exact, rel=1e-4)


def test_an_empty_structure_gives_an_empty_mask_that_says_so() -> None:
    found = structure_mask(made_of(), ONE_SLICE)
    assert found.dtype == bool
    assert not found.any()
    assert found.attrs["issues"] == ["no closed contour: the mask is empty"]
    assert structure_volume_cc(made_of()) == 0.0


@pytest.mark.parametrize(
    "contour",
    [
        Contour(np.array([[1.0, 2, 3]]), "POINT"),
        Contour(np.array([[1.0, 2, 3], [4, 5, 3]])),
        Contour(np.array([[1.0, 2, 3], [1, 2, 3], [1, 2, 3]])),
        Contour(np.array([[1.0, 2, 0], [2, 3, 0], [3, 4, 0]])),
        Contour(np.array([[1.0, 2, 0], [2, 9, 0], [7, 4, 0]]), "OPEN_PLANAR"),
        Contour(np.empty((0, 3))),
    ],
)
def test_what_encloses_nothing_gives_nothing(contour: Contour) -> None:
    assert not mask(made_of(contour)).any()
    assert not mask(made_of(contour), coverage=True).any()


def test_degenerate_contours_beside_a_good_one_change_nothing() -> None:
    good = box(2, 2, 6, 6)
    line = ring([(1, 1), (5, 9), (1, 1)])
    repeated = ring(np.repeat(box(10, 10, 14, 14).points_mm[:, :2], 3, axis=0))
    assert mask(made_of(good, line, Contour(np.array([[1.0, 2, 3]]), "POINT"))).sum() == 16
    assert mask(made_of(good, repeated)).sum() == 32


def test_contours_outside_the_grid_and_across_its_border() -> None:
    assert not mask(made_of(box(-50, -50, -40, -40))).any()
    assert not mask(made_of(box(2, 2, 6, 6, 300.0))).any()
    assert mask(made_of(box(-50, -50, 50, 50))).all()
    assert mask(made_of(box(-5, 12, 3, 90))).sum() == 3 * 8
    assert (mask(made_of(box(-50, -50, 50, 50)), coverage=True) == 1).all()


@pytest.mark.parametrize(
    ("contour", "issues"),
    [
        (box(2, 2, 6, 6), []),
        (box(-0.5, -0.5, 19.5, 19.5), []),
        (box(-5, 12, 3, 90), ["the structure reaches beyond the grid: that part is not in the mask"]),
        (box(2, 2, 6, 6, 300.0), ["the structure reaches beyond the grid: the mask is empty"]),
        (box(-50, 2, -40, 6), ["the structure reaches beyond the grid: the mask is empty"]),
    ],
)
@pytest.mark.parametrize("coverage", [False, True])
def test_what_the_grid_does_not_hold_is_said(contour, issues, coverage) -> None:
    assert structure_mask(made_of(contour), ONE_SLICE, coverage=coverage).attrs["issues"] == issues


def test_other_things_than_a_structure_and_a_grid_are_refused() -> None:
    structure = made_of(box(2, 2, 6, 6))
    with pytest.raises(ImagingError, match=r"not a grid.*grid_of\(volume\), got DataArray"):
        structure_mask(structure, structure_mask(structure, ONE_SLICE))
    with pytest.raises(ImagingError, match=r"not a structure.*read_structures returns, got str"):
        structure_mask("PTV", ONE_SLICE)
    with pytest.raises(ImagingError, match="a mask too large for memory"):
        structure_mask(structure, axial((1 << 20, 1 << 20, 1 << 20)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_that_are_nowhere_are_refused(bad: float) -> None:
    with pytest.raises(ImagingError, match="point nowhere"):
        ring([(1, 1), (5, bad), (3, 3)])


def test_what_cannot_be_answered_is_refused_and_named() -> None:
    bent = Contour(np.array([[0.0, 0, 0], [9, 0, 0], [9, 9, 4], [0, 9, 0]]))
    with pytest.raises(ImagingError, match="not flat") as caught:
        mask(made_of(bent))
    assert "ROI 1 'target'" in str(caught.value)
    sagittal = Contour(box(2, 2, 6, 6).points_mm[:, [2, 0, 1]])
    with pytest.raises(ImagingError, match="several directions"):
        mask(made_of(box(2, 2, 8, 8), sagittal))
    with pytest.raises(ImagingError, match="not usable"):
        mask(made_of(box(2, 2, 8, 8), blocking=(Issue("cannot be read as numbers"),)))
    with pytest.raises(ImagingError, match="far from the grid"):
        mask(made_of(ring([(1, 1), (1e7, 1), (1e7, 5)])))
    with pytest.raises(ImagingError, match="not a thickness"):
        mask(made_of(box(2, 2, 8, 8)), plane_thickness_mm=0.0)
    with pytest.raises(ImagingError, match="interpolate"):
        mask(made_of(box(2, 2, 8, 8)), coverage=True, interpolate=True)


@pytest.mark.full
def test_a_million_points() -> None:
    rng = np.random.default_rng(5)
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    radius = 8.0 + 1e-3 * rng.standard_normal(len(angle))
    contour = ring(np.c_[10 + radius * np.cos(angle), 10 + radius * np.sin(angle)])
    assert mask(made_of(contour)).sum() == pytest.approx(math.pi * 64, rel=0.05)


@pytest.mark.full
def test_contours_that_cross_too_often_are_sampled_and_say_so() -> None:
    tangle = made_of(ring(np.random.default_rng(8).random((20_000, 2)) * 18 + 1))
    found = structure_mask(tangle, ONE_SLICE, coverage=True)
    assert "1 planes by 8 x 8 points" in found.attrs["method"]
    assert float(found.sum()) == pytest.approx(18 * 18 / 2, rel=0.05)  # half of the points have an odd number of turns
    assert structure_volume_cc(tangle, plane_thickness_mm=1.0) == pytest.approx(0.162, rel=0.05)


def test_threads_change_nothing() -> None:
    structure = made_of(*(circle(6.0 + 0.05 * k, z=3.0 * k) for k in range(60)))
    grid = axial((60, 120, 120), (3.0, 0.2, 0.2))
    assert (mask(structure, grid, workers=1) == mask(structure, grid, workers=4)).all()
    assert (mask(structure, grid, workers=1, coverage=True) == mask(structure, grid, workers=4, coverage=True)).all()


FEW = settings(max_examples=25)
corners = st.lists(st.tuples(*[st.integers(-80, 400).map(lambda n: n / 16)] * 2), min_size=3, max_size=12)


@FEW
@given(corners, corners)
def test_any_two_contours_agree_with_counting_crossings(one: list, two: list) -> None:
    found = mask(made_of(ring(one), ring(two)))
    assert (found.ravel() == inside_even_odd([np.array(one), np.array(two)], CENTRES)).all()


@FEW
@given(corners, st.integers(0, 11))
def test_winding_and_starting_point_do_not_matter(points: list, turn: int) -> None:
    plain = made_of(ring(points))
    other = made_of(ring(np.roll(points[::-1], turn, axis=0)))
    assert (mask(plain) == mask(other)).all()
    assert np.allclose(mask(plain, coverage=True), mask(other, coverage=True), atol=EXACT)


@FEW
@given(corners, st.tuples(*[st.integers(-500, 500).map(lambda n: n / 8)] * 3))
def test_moving_contour_and_grid_together_changes_nothing(points: list, shift: tuple) -> None:
    moved = Grid.from_axes((1, 20, 20), spacing_mm=(3.0, 1.0, 1.0), origin_mm=shift)
    there = made_of(Contour(ring(points).points_mm + shift))
    assert (mask(there, moved) == mask(made_of(ring(points)))).all()


@FEW
@given(st.lists(st.integers(0, 19 * 4).map(lambda n: n / 4), min_size=2, max_size=12))
def test_two_halves_with_a_common_edge_share_every_pixel_once(path: list) -> None:
    """A zigzag from top to bottom splits a box; quarter-pixel corners fall on centres often."""
    rows = np.linspace(0, 20, len(path))
    zigzag = list(zip(path, rows, strict=True))
    left, right = [*zigzag, (-1, 20), (-1, 0)], [*zigzag, (21, 20), (21, 0)]
    one, two = mask(made_of(ring(left))), mask(made_of(ring(right)))
    assert not (one & two).any()
    assert (one | two).all()


@FEW
@given(st.lists(st.floats(0.5, 9.0), min_size=3, max_size=40))
def test_coverage_sums_to_the_polygon(radii: list) -> None:
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    points = np.c_[10 + radii * np.cos(angle), 9.7 + radii * np.sin(angle)]
    found = mask(made_of(ring(points)), coverage=True)
    assert found.sum(dtype=float) == pytest.approx(polygon_area(points), rel=EXACT)


@FEW
@given(corners)
def test_coverage_agrees_with_a_finer_mask(points: list) -> None:
    structure = made_of(ring(points))
    fine = mask(structure, ONE_SLICE.refined((1, 8, 8))).reshape(1, 20, 8, 20, 8).mean(axis=(2, 4))
    share = mask(structure, coverage=True)
    # An edge moves at most as many of 64 points as it passes; twelve edges may meet in one pixel.
    assert np.abs(fine - share).max() <= 12 * 8 / 64
    assert abs(fine.sum() - share.sum()) <= 0.02 * max(share.sum(), 50)
