"""Gamma against closed forms, against looking at very many places, and against pymedphys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from braggbook.errors import ImagingError
from braggbook.imaging.dose.gamma import gamma_index, pass_rate
from braggbook.imaging.geometry import Grid
from braggbook.imaging.resample import sample_at
from braggbook.imaging.volumes import make_volume

CLOSED_FORM = 1e-3  # what is promised; trilinear interpolation keeps these doses exactly, so that rounding is all
NEAR_PEER = 5e-3  # of gamma: what pymedphys' own steps leave at the interpolation fraction it was run with
CUBE = Grid.from_axes((9, 11, 13), spacing_mm=(2, 2, 2))


def dose(values, grid: Grid = CUBE, **attrs):
    whole = np.broadcast_to(np.asarray(values, dtype=float), grid.shape).copy()
    return make_volume(whole, grid, name="dose", units=attrs.pop("units", "Gy"), attrs=attrs)


def smooth_pair(grid: Grid, *, seed: int = 0):
    """A dose from 0 to 2 Gy, and another that differs by a few per cent and by shape."""
    random = np.random.default_rng(seed)
    first = gaussian_filter(random.normal(size=grid.shape), 3, mode="wrap")
    first = 2 * (first - first.min()) / np.ptp(first)
    return first, 1.02 * first + 0.3 * gaussian_filter(random.normal(size=grid.shape), 2, mode="wrap")


@pytest.mark.parametrize(("percent", "wanted"), [(1, 1 / 3), (2, 2 / 3), (3, 1.0), (4, 4 / 3)])
@pytest.mark.parametrize("local", [False, True])
def test_a_uniform_difference(percent, wanted, local) -> None:
    gamma = gamma_index(dose(2.0), dose(2.0 * (1 + percent / 100)), dose_percent=3, distance_mm=3, local=local)
    np.testing.assert_allclose(gamma.values, wanted, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shift_mm", [0.5, 1, 2])
def test_a_shifted_ramp(axis, shift_mm) -> None:
    shape = [5, 5, 5]
    shape[axis] = 101
    grid = Grid.from_axes(tuple(shape), spacing_mm=(1, 1, 1))
    along = np.moveaxis(np.arange(101.0).reshape(-1, 1, 1), 0, axis)
    gamma = gamma_index(dose(0.02 * along, grid), dose(0.02 * (along - shift_mm), grid), cutoff_percent=0)
    inner = np.take(gamma.values, np.arange(10, 90), axis=axis)
    wanted = (0.02 * shift_mm / 0.06) / np.sqrt(1 + (0.02 * 3 / 0.06) ** 2)
    assert wanted == pytest.approx({0.5: 0.117851, 1: 0.235702, 2: 0.471405}[shift_mm], abs=1e-6)
    np.testing.assert_allclose(inner, wanted, atol=CLOSED_FORM)


def test_a_steep_ramp_in_a_direction_of_no_axis() -> None:
    grid = Grid.from_axes((41, 41, 41), spacing_mm=(1, 1, 1))
    z, y, x = np.indices(grid.shape)
    along = 0.48 * x + 0.64 * y + 0.6 * z
    gamma = gamma_index(dose(0.5 * along, grid), dose(0.5 * (along - 1.5), grid), normalisation_gy=2, cutoff_percent=0)
    wanted = (0.5 * 1.5 / 0.06) / np.sqrt(1 + (0.5 * 3 / 0.06) ** 2)
    np.testing.assert_allclose(gamma.values[12:28, 12:28, 12:28], wanted, atol=CLOSED_FORM)


def test_no_place_is_better_than_the_one_found() -> None:
    grid = Grid.from_axes((14, 14, 14), spacing_mm=(2, 2, 2))
    first, second = smooth_pair(grid)
    reference, estimate = dose(first, grid), dose(second, grid)
    gamma = gamma_index(reference, estimate, cutoff_percent=20).values
    fine = np.linspace(-4, 4, 65)
    offsets = np.stack(np.meshgrid(fine, fine, fine, indexing="ij"), axis=-1).reshape(-1, 3)
    for z, y, x in np.argwhere(np.isfinite(gamma))[::400]:
        point = grid.to_patient((x, y, z))
        other = sample_at(estimate, point + offsets)
        square = (offsets**2).sum(axis=1) / 9 + ((other - first[z, y, x]) / (0.03 * first.max())) ** 2
        seen = np.sqrt(np.nanmin(square))
        assert gamma[z, y, x] <= seen + 1e-9
        if seen < 1.2:  # beyond, the best place may be farther than was looked
            assert gamma[z, y, x] == pytest.approx(seen, abs=0.03), "steps of 1/8 mm"


def test_tripling_both_criteria_divides_gamma_by_three() -> None:
    first, second = smooth_pair(CUBE, seed=2)
    tight, wide = (
        gamma_index(dose(first), dose(second), dose_percent=3 * k, distance_mm=3 * k, maximum=8 / k).values
        for k in (1, 3)
    )
    known = np.isfinite(tight) & (tight < 8)
    assert known.sum() > 500
    np.testing.assert_allclose(wide[known], tight[known] / 3, atol=1e-4)


def test_below_the_cut_off_gamma_is_nan_and_nowhere_else() -> None:
    first, second = smooth_pair(CUBE)
    gamma = gamma_index(dose(first), dose(second), cutoff_percent=20)
    np.testing.assert_array_equal(np.isnan(gamma.values), first < 0.2 * first.max())
    rate = pass_rate(gamma)
    assert rate.evaluated == (first >= 0.2 * first.max()).sum()
    assert rate.evaluated + rate.not_evaluated == first.size
    assert rate.percent == 100 * rate.passed / rate.evaluated


def test_reference_and_estimate_are_not_the_same_question() -> None:
    first, second = smooth_pair(CUBE)
    one, other = (gamma_index(dose(a), dose(b)).values for a, b in ((first, second), (second, first)))
    assert np.nanmax(np.abs(one - other)) > 0.01


def test_the_estimate_may_be_finer_coarser_shifted_or_turned() -> None:
    grid = Grid.from_axes((11, 11, 11), spacing_mm=(2, 2, 2))
    slope = np.array([0.03, -0.02, 0.05])

    def ramp(on: Grid, more: float = 0.0):
        index = np.moveaxis(np.indices(on.shape), 0, -1)[..., ::-1]
        return dose(5 + on.to_patient(index) @ slope + more, on)

    turn = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    others = [
        grid.refined((2, 3, 1)),
        Grid.from_axes((6, 7, 8), spacing_mm=(5, 4, 3.5), origin_mm=(-1.3, -1.7, -2.1)),
        Grid.from_axes((12, 13, 14), spacing_mm=(2, 2.2, 1.9), origin_mm=(-2, -1, -3), directions=turn),
    ]
    wanted = gamma_index(ramp(grid), ramp(grid, 0.1)).values[3:8, 3:8, 3:8]
    for other in others:
        found = gamma_index(ramp(grid), ramp(other, 0.1)).values[3:8, 3:8, 3:8]
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_planes() -> None:
    grid = Grid.from_axes((1, 31, 31), spacing_mm=(3, 1, 1))
    ramp = 1 + 0.02 * np.arange(31.0)
    gamma = gamma_index(dose(ramp, grid), dose(ramp - 0.02, grid), normalisation_gy=2).values
    np.testing.assert_allclose(gamma[0, 10:20, 10:20], 0.235702, atol=CLOSED_FORM)


@pytest.mark.parametrize("beside_mm", [-2, -1e-3, 0, 1e-3, 2, 5])
def test_a_plane_is_as_far_from_another_as_it_is(beside_mm) -> None:
    """One plane has no extent across itself: the same dose on a plane beside it is that far away."""
    one, other = (
        dose(2.0, Grid.from_axes((1, 9, 9), spacing_mm=(3, 1, 1), origin_mm=(0, 0, place))) for place in (0, beside_mm)
    )
    np.testing.assert_allclose(gamma_index(one, other).values, abs(beside_mm) / 3, atol=1e-9)


def test_a_plane_of_a_volume_and_a_volume_around_a_plane() -> None:
    plane = dose(2.0, Grid.from_axes((1, 9, 9), spacing_mm=(3, 1, 1), origin_mm=(2, 2, 4)))
    assert (gamma_index(plane, dose(2.0)).values == 0).all()
    gamma = gamma_index(dose(2.0), plane).values
    assert gamma[2, 2, 2] == 0
    assert gamma[3, 2, 2] == pytest.approx(2 / 3)


def test_what_lies_beyond_the_estimate_has_the_largest_gamma() -> None:
    far = Grid.from_axes(CUBE.shape, spacing_mm=(2, 2, 2), origin_mm=(0, 0, 30))
    assert (gamma_index(dose(2.0), dose(2.0, far), maximum=1.5).values == 1.5).all()


def test_voxels_without_a_number() -> None:
    reference, estimate = np.full(CUBE.shape, 2.0), np.full(CUBE.shape, 2.0)
    reference[0, 0, 0] = np.nan
    estimate[4, 5, 6] = np.nan
    gamma = gamma_index(dose(reference), dose(estimate)).values
    assert np.isnan(gamma[0, 0, 0])
    assert np.isnan(gamma).sum() == 1
    assert gamma[4, 5, 6] == pytest.approx(2 / 3), "the nearest cell that has numbers begins one voxel away"
    assert gamma[4, 5, 7] == 0


def test_the_criteria_are_in_the_attributes() -> None:
    attrs = gamma_index(dose(2.0), dose(2.0), dose_percent=2, distance_mm=1, local=True).attrs
    assert attrs["criteria"] == "2 % local, 1 mm"
    assert attrs["normalisation"] == 2
    assert attrs["units"] == "1"


def test_what_cannot_be_compared_is_refused_all_at_once() -> None:
    with pytest.raises(ImagingError) as caught:
        gamma_index(
            dose(1.0, frame_of_reference_uid="1.2"),
            dose(1.0, units="1", frame_of_reference_uid="1.3"),
            dose_percent=0,
            cutoff_percent=120,
            maximum=float("nan"),
        )
    found = [issue.what for issue in caught.value.issues]
    assert found == ["two units", "two frame_of_reference_uid", "not a criterion", "not a criterion", "not a cut-off"]
    with pytest.raises(ImagingError, match="nothing to normalise to"):
        gamma_index(dose(0.0), dose(0.0))
    with pytest.raises(ImagingError, match="too far to look"):
        gamma_index(dose(1.0), dose(1.0), distance_mm=100, maximum=100)
    with pytest.raises(ImagingError, match=r"reference: not one volume.*isel\(z=\[n\]\)"):
        gamma_index(dose(1.0)[0], dose(1.0))
    with pytest.raises(ImagingError, match="estimate: not one volume"):
        gamma_index(dose(1.0), dose(1.0).transpose("x", "y", "z"))
    for wrong in (np.inf, -np.inf):
        with pytest.raises(ImagingError, match="estimate: a dose without numbers"):
            gamma_index(dose(1.0), dose(wrong))
    with pytest.raises(ImagingError, match=r"nothing to normalise to.*got nan"):
        gamma_index(dose(np.nan), dose(1.0))
    with pytest.raises(ImagingError, match="no point has a gamma"):
        pass_rate(make_volume(np.full(CUBE.shape, np.nan), CUBE, name="gamma", units="1")).percent  # noqa: B018


@pytest.mark.parametrize(("percent", "distance", "wanted"), [(100, 100, 0.05), (3, 1e-6, 2), (1e-9, 3, 2)])
def test_criteria_from_tiny_to_huge(percent, distance, wanted) -> None:
    """2 and 2.1 Gy, far from any gradient: 5 % of the dose criterion, and the largest gamma where that is too much."""
    grid = Grid.from_axes((4, 4, 4), spacing_mm=(20, 20, 20))
    criteria = {"dose_percent": percent, "distance_mm": distance, "maximum": min(2, 150 / distance)}
    gamma = gamma_index(dose(2.0, grid), dose(2.1, grid), **criteria).values
    np.testing.assert_allclose(gamma, min(wanted if percent != 3 else 5 / 3, criteria["maximum"]))


@pytest.mark.parametrize("case", ["global", "local"])
def test_pymedphys_finds_the_same(case) -> None:
    peer = json.loads((Path(__file__).parent / "peers.json").read_text())["pymedphys"]
    grid = Grid.from_axes((12, 12, 12), spacing_mm=(2, 2, 2))
    first, second = smooth_pair(grid, seed=peer["seed"])
    gamma = gamma_index(dose(first, grid), dose(second, grid), local=case == "local", maximum=peer["maximum"]).values
    ours = np.array([gamma[tuple(index)] for index in peer["points"]])
    theirs = np.array(peer[case])
    assert len(theirs) == 40
    # Theirs looks at places 1/250 of the distance apart: never better than the best place, and near it.
    assert (ours <= theirs + 1e-4).all()
    np.testing.assert_allclose(ours, theirs, atol=NEAR_PEER)
