"""Closed forms of bodies in linear doses, against numbers from elsewhere and against counting points."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.phantoms import ClosedForm, Cone, Cylinder, Ellipsoid, LinearDose, sphere

CYLINDER = Cylinder(diameter_mm=24, length_mm=24)
CONE = Cone(diameter_mm=24, length_mm=24)
EGG = Ellipsoid(half_axes_mm=(12, 6, 9))
DIRECTIONS = [(0, 0, 1.0), (0, 0, -1.0), (1.0, 0, 0), (0.6, 0, 0.8), (0.48, 0.64, -0.6)]
COUNTED = 5e-3  # of the volume: 60,000 points in a body have a standard error of 0.002


def test_the_volumes_of_the_nelms_bodies() -> None:
    volumes = [body.volume_cc for body in (sphere(24), CYLINDER, CONE)]
    assert volumes == pytest.approx([7.238229, 10.857344, 3.619115], abs=1e-6)


def test_the_sphere_in_1_gy_per_mm() -> None:
    exact = ClosedForm(sphere(24), LinearDose(centre_gy=16, gradient_gy_mm=1))
    doses = [exact.dose_at_percent(percent) for percent in (95, 98, 50, 5, 2)]
    assert doses == pytest.approx([7.248409, 6.016905, 16, 24.751591, 25.983095], abs=1e-6)
    assert exact.percent_at_dose(20) == pytest.approx(25.9259, abs=1e-4)
    assert exact.percent_at_dose(22) == pytest.approx(15.625, abs=1e-9)
    moments = (exact.mean_gy, exact.sd_gy, exact.generalised_eud(2))
    assert moments == pytest.approx((16, 5.366563, 16.876018), abs=2e-6)


@pytest.mark.parametrize("body", [CYLINDER, CONE, EGG], ids=lambda body: type(body).__name__)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_part_beyond_a_plane_is_what_counting_points_says(body, direction) -> None:
    points = np.random.default_rng(3).uniform(-12, 12, size=(200_000, 3))
    along = points[body.is_inside(points)] @ np.array(direction)
    for distance in (-9, -4, 0, 3, 8):
        assert body.fraction_above(distance, direction) == pytest.approx((along > distance).mean(), abs=COUNTED)


@pytest.mark.parametrize("body", [CYLINDER, CONE], ids=lambda body: type(body).__name__)
def test_a_gradient_next_to_an_axis_is_as_one_along_it(body) -> None:
    for exact, near in (((0, 0, 1.0), (1e-7, 0, 1.0)), ((1.0, 0, 0), (1.0, 0, 1e-7))):
        parts = [[body.fraction_above(t, direction) for t in (-6, 1, 5)] for direction in (exact, near)]
        assert parts[0] == pytest.approx(parts[1], abs=1e-5)


def test_the_cones_mean_dose_is_that_of_its_centroid() -> None:
    exact = ClosedForm(CONE, LinearDose(direction=(0, 0, 1.0)))
    assert exact.mean_gy == pytest.approx(16 - 24 / 4, abs=1e-5)


def test_contours_are_on_the_surface_and_only_where_the_body_is() -> None:
    rings = sphere(24, centre_mm=(1, 2, 3)).contours(np.arange(-20, 20, 3.0))
    assert [ring[0, 2] for ring in rings] == [-8, -5, -2, 1, 4, 7, 10, 13]
    for ring in rings:
        np.testing.assert_allclose(np.linalg.norm(ring - (1, 2, 3), axis=1), 12)


def test_masks_and_coverage_have_the_bodys_volume() -> None:
    grid = Grid.from_axes((26, 26, 26), spacing_mm=(1, 1, 1), origin_mm=(-12.5, -12.5, -12.5))
    for body in (sphere(24), CYLINDER, CONE):
        assert float(body.mask(grid).sum()) / 1000 == pytest.approx(body.volume_cc, rel=0.02)
        assert float(body.mask(grid, coverage=True).sum()) / 1000 == pytest.approx(body.volume_cc, rel=0.003)


def test_what_is_no_body_or_gradient_is_refused() -> None:
    with pytest.raises(ImagingError, match="not a body"):
        Cone(diameter_mm=0, length_mm=float("nan"))
    with pytest.raises(ImagingError, match="not a gradient"):
        LinearDose(direction=(1, 1, 0))
