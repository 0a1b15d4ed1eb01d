"""Centre lines: that no part vanishes, and clDice by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from braggbook.metrics import score
from braggbook.metrics.skeletons import centreline_dice, skeleton

SOLID = [(1, 1), (2, 2), (4, 4), (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4), (1, 4, 4)]


@pytest.mark.parametrize("shape", SOLID)
def test_a_solid_body_has_a_skeleton(shape) -> None:
    """scikit-image alone thins cubes of two and of four voxels a side to nothing."""
    assert skeleton(np.ones(shape, bool)).any()


def test_what_has_no_skeleton_of_its_own_stays_whole() -> None:
    mask = np.zeros((12, 12, 30), bool)
    mask[4:8, 4:8, 2:6] = True
    mask[5, 5, 10:28] = True
    found = skeleton(mask)
    assert found[4:8, 4:8, 2:6].all()
    assert (found[5, 5, 10:28] == mask[5, 5, 10:28]).all()


def test_a_thick_line_becomes_a_thin_one() -> None:
    mask = np.zeros((9, 40), bool)
    mask[3:6, 2:38] = True
    found = skeleton(mask)
    assert found.sum(axis=0).max() == 1
    assert found[4].sum() >= 32


def test_by_hand() -> None:
    """Half of the line is found, and a piece of the same length where there is none."""
    reference, estimate = np.zeros((3, 40), bool), np.zeros((3, 40), bool)
    reference[1, 0:20] = True
    estimate[1, 10:30] = True
    assert centreline_dice(reference, estimate) == pytest.approx(0.5)
    estimate[1, 20:] = False  # all that is found is right: precision 1, sensitivity 1/2
    assert centreline_dice(reference, estimate) == pytest.approx(2 * 0.5 / 1.5)


def test_a_thicker_vessel_costs_nothing_and_a_gap_does() -> None:
    thin, thick = np.zeros((9, 9, 40), bool), np.zeros((9, 9, 40), bool)
    thin[4, 4], thick[3:6, 3:6] = True, True
    broken = thick.copy()
    broken[:, :, 15:25] = False
    assert score("cldice.voxel@1", thin, thick) == 1
    assert score("dice@1", thin, thick) == pytest.approx(0.2)
    assert score("cldice.voxel@1", thin, broken) == pytest.approx(2 * 0.75 / 1.75)


def test_apart_is_nothing() -> None:
    reference, estimate = np.eye(6, dtype=bool), np.zeros((6, 6), bool)
    estimate[0, 5] = True
    assert centreline_dice(reference, estimate) == 0


@settings(max_examples=60)
@given(st.sampled_from([(6, 7), (4, 5, 5)]).flatmap(lambda shape: arrays(np.bool_, shape)))
def test_every_part_keeps_something(mask) -> None:
    found = skeleton(mask)
    assert not (found & ~mask).any()
    parts, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    assert set(np.unique(parts[found])) == set(range(1, count + 1))
