"""What the search for gamma leaves out: nothing that could be better."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.imaging.dose import gamma_search as search
from braggbook.imaging.dose.gamma import gamma_index
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume

ROUNDING = 1e-9
SIZES = np.array([0.7, 0.4, 1.1])  # of voxels along x, y and z, in distance criteria
TURN = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])

ESTIMATES = {
    "the same grid": Grid.from_axes((5, 6, 7), spacing_mm=(2, 2, 2)),
    "shifted": Grid.from_axes((5, 6, 7), spacing_mm=(2, 2, 2), origin_mm=(0.7, -0.3, 1.1)),
    "shifted by half a voxel": Grid.from_axes((5, 6, 7), spacing_mm=(2, 2, 2), origin_mm=(1, -1, 1)),
    "finer": Grid.from_axes((6, 7, 9), spacing_mm=(1, 1, 1), origin_mm=(2, 2, 2)),
    "other voxels": Grid.from_axes((4, 5, 4), spacing_mm=(3.1, 2.3, 2.9), origin_mm=(-0.2, 0.4, 0.3)),
    "turned": Grid.from_axes((5, 6, 7), spacing_mm=(2, 2, 2), origin_mm=(0, 1, 2), directions=TURN),
    "mirrored": Grid.from_axes((5, 6, 7), spacing_mm=(2, 2, 2), origin_mm=(12, 10, 8), directions=-np.eye(3)),
    "a plane": Grid.from_axes((1, 6, 7), spacing_mm=(2, 2, 2), origin_mm=(0.1, 0.2, 3)),
    "a line": Grid.from_axes((1, 6, 1), spacing_mm=(2, 2, 2), origin_mm=(6, 0, 4)),
}


def in_every_cell(reference, values, grids, *, voxels, rule, reach) -> np.ndarray:
    """Returns gamma of some reference voxels (z, y, x), each cell of the estimate searched for each."""
    on, of = grids
    (dose_percent, local), (distance_mm, maximum) = rule, reach
    size = search._size(values.shape, np.array(of.spacing_mm[::-1]) / distance_mm)
    found = []
    cells = [(i, j, k) for k, j, i in np.ndindex(*(max(1, length - 1) for length in values.shape))]
    for k, j, i in voxels:
        dose = reference[k, j, i]
        point = tuple(map(float, np.round(of.to_index(on.to_patient((i, j, k))), 9)))
        wanted = (dose, 100 / dose_percent / (dose if local else reference.max()))
        best = maximum**2
        for cell in cells:
            corners = search._corners(values.reshape(-1), cell, size)
            if not np.isnan(corners).any():
                best = min(best, search._in_cell(corners, cell, point, wanted, size))
        found.append(np.sqrt(best))
    return np.array(found)


@pytest.mark.parametrize("where", ESTIMATES)
@pytest.mark.parametrize(("noise", "local", "seed"), [(0.02, False, 1), (0.1, True, 2), (1.0, False, 3)])
def test_nothing_is_left_out_that_every_cell_has(where, noise, local, seed) -> None:
    """From doses that nearly agree everywhere to doses that hardly do anywhere; two voxels are not known."""
    random = np.random.default_rng(seed)
    on, of = ESTIMATES["the same grid"], ESTIMATES[where]
    index = np.moveaxis(np.indices(of.shape), 0, -1)[..., ::-1]
    reference, estimate = (
        5 + (grid.to_patient(at) @ np.array([0.11, -0.07, 0.13])) * random.normal(1, noise, grid.shape)
        for grid, at in ((on, np.moveaxis(np.indices(on.shape), 0, -1)[..., ::-1]), (of, index))
    )
    estimate.reshape(-1)[random.choice(estimate.size, 2)] = np.nan
    volumes = [make_volume(v, g, name="dose", units="Gy") for v, g in ((reference, on), (estimate, of))]
    gamma = gamma_index(*volumes, dose_percent=2, distance_mm=2.5, local=local, cutoff_percent=0, maximum=1.7).values
    voxels = random.permutation(list(np.ndindex(*on.shape)))[:25]
    wanted = in_every_cell(reference, estimate, (on, of), voxels=voxels, rule=(2, local), reach=(2.5, 1.7))
    np.testing.assert_allclose(gamma[tuple(voxels.T)], wanted, atol=ROUNDING)


@pytest.mark.parametrize("seed", range(4))
def test_a_cell_keeps_what_it_promises(seed) -> None:
    """No place in a cell has less than its lower bound."""
    random = np.random.default_rng(seed)
    size = search._size((3, 3, 3), SIZES)
    fine = np.linspace(0, 1, 9)
    places = np.stack(np.meshgrid(fine, fine, fine, indexing="ij"), axis=-1).reshape(-1, 3)
    told = 0
    for _ in range(150):
        corners = tuple(random.normal(random.normal(0, 3), random.choice([0.1, 1.0, 4.0]), 8))
        point = tuple(
            np.round(random.uniform(-1.5, 2.5, 3) * 2) / 2 if random.random() < 0.5 else random.normal(0, 2, 3)
        )
        wanted = (random.normal(0, 2), random.uniform(0.2, 3))
        values = np.array([search._dose_and_slopes(corners, tuple(place))[0] for place in places])
        square = (((places - point) * SIZES) ** 2).sum(axis=1) + ((values - wanted[0]) * wanted[1]) ** 2
        promise, found = search._promise(corners, (0, 0, 0), point, wanted, size)
        least = search._least(search._apart((0, 0, 0), point, size), min(corners), max(corners), wanted)
        lowest = search._in_cell(corners, (0, 0, 0), point, wanted, size)
        assert max(promise, least) <= min(square.min(), lowest) * (1 + ROUNDING) + ROUNDING
        assert lowest <= found * (1 + ROUNDING)
        told += promise > least * (1 + ROUNDING)
    assert told > 30, "the slopes say more than the doses, often enough to be worth asking"


def test_the_promise_of_a_linear_dose_is_its_minimum() -> None:
    """From a corner, uphill along x and downhill along y and z, as long as the best place is in the cell."""
    size = search._size((3, 3, 3), np.ones(3))
    corners = tuple(1 + 0.3 * x - 0.2 * y - 0.1 * z for z in (0, 1) for y in (0, 1) for x in (0, 1))
    promise, found = search._promise(corners, (0, 0, 0), (0.0, 0.0, 0.0), (0.5, 1.0), size)
    assert found == pytest.approx(0.25)
    assert promise == pytest.approx(0.25 / (1 + 0.2**2 + 0.1**2), abs=1e-12)
    assert search._in_cell(corners, (0, 0, 0), (0.0, 0.0, 0.0), (0.5, 1.0), size) == pytest.approx(promise, abs=1e-9)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5])
def test_shells_are_in_order_and_their_distances_are_those_of_the_nearest_point(fraction) -> None:
    offsets, distances = search.shells(SIZES, reach=2.0, fractions=[(fraction, fraction)] * 3)
    near = np.maximum(np.maximum(offsets - fraction, fraction - offsets - 1), 0) * SIZES
    np.testing.assert_allclose(distances, (near**2).sum(axis=1))
    assert (np.diff(distances) >= 0).all()
    anywhere = search.shells(SIZES, reach=2.0)
    farthest = {tuple(offset): distance for offset, distance in zip(*anywhere, strict=True)}
    assert all(farthest[tuple(offset)] <= distance + 1e-12 for offset, distance in zip(offsets, distances, strict=True))
