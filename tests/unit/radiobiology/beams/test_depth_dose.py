"""Reading peak and distal depths off curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.beams import bortfeld_dose, distal_depth, proton_beam, summarize_depth_dose

DEPTH = np.arange(0.0, 200.0, 1.0)


def test_a_triangle_has_exact_depths() -> None:
    dose = np.interp(DEPTH, [0, 100, 110], [2.0, 10.0, 0.0])
    found = summarize_depth_dose(DEPTH, dose)
    # the parabola through 99, 100 and 101 mm tops the sharp corner by a little
    assert found.peak_dose == pytest.approx(10.0, rel=0.02)
    assert found.entrance_to_peak == pytest.approx(0.2, rel=0.02)
    assert found.r50_mm == pytest.approx(110 - 5 * found.peak_dose / 10, abs=1e-9)
    depths = [found.r90_mm, found.r80_mm, found.r50_mm, found.r20_mm, found.r10_mm]
    assert np.diff(np.array(depths, dtype=float)) == pytest.approx(np.array([1, 3, 3, 1]) * found.peak_dose / 10)
    assert found.falloff_mm == pytest.approx(6 * found.peak_dose / 10)
    assert found.warnings == ()


@pytest.mark.full
@settings(max_examples=20)
@given(st.floats(60.0, 220.0), st.floats(0.2, 2.0))
def test_r80_of_a_bragg_curve_is_its_mean_range(energy: float, spread: float) -> None:
    """Bortfeld 1997: the distal 80 % lies at the mean range whatever the energy spread."""
    depth = np.arange(0.0, 400.0, 0.5)
    dose = bortfeld_dose(depth, energy_mev=energy, energy_spread_mev=spread)
    beam = proton_beam(energy_mev=energy, energy_spread_mev=spread)
    assert distal_depth(depth, dose) == pytest.approx(beam.range_mm, abs=0.06 * beam.sigma_mm + 0.1)


def test_a_coarse_grid_moves_r80_by_less_than_a_fifth_of_its_step() -> None:
    fine = np.arange(0.0, 250.0, 0.05)
    true = distal_depth(fine, bortfeld_dose(fine, energy_mev=150.0, energy_spread_mev=1.5))
    for start in (0.0, 0.7, 1.3):
        coarse = np.arange(start, 250.0, 2.0)
        assert distal_depth(coarse, bortfeld_dose(coarse, energy_mev=150.0, energy_spread_mev=1.5)) == pytest.approx(
            true, abs=0.4
        )


def test_a_spread_out_peak_has_its_last_r80() -> None:
    dose = np.interp(DEPTH, [0, 50, 60, 70, 80, 130, 140], [7, 10, 7.5, 10, 9.9, 10, 0])  # dips below 80 % at 60
    assert distal_depth(DEPTH, dose) == pytest.approx(132, abs=0.1)


def test_scale_does_not_matter() -> None:
    dose = bortfeld_dose(DEPTH, energy_mev=120.0, energy_spread_mev=1.2)
    assert distal_depth(DEPTH, dose) == pytest.approx(distal_depth(DEPTH, 1e12 * dose), rel=1e-12)


def test_a_plateau_of_equal_samples_has_a_peak() -> None:
    dose = np.where(DEPTH < 100, 5.0, 0.0)
    found = summarize_depth_dose(DEPTH, dose)
    assert found.peak_dose == 5.0
    assert "too coarse for the falloff" in found.warnings[0]


def test_an_empty_first_bin_is_flagged() -> None:
    dose = bortfeld_dose(DEPTH, energy_mev=120.0, energy_spread_mev=1.2)
    dose[0] = 0.0
    (warning,) = summarize_depth_dose(DEPTH, dose).warnings
    assert "first sample is far below the second" in warning


def test_a_tail_of_fragments_has_no_lower_depths() -> None:
    dose = np.interp(DEPTH, [0, 100, 110], [2.0, 10.0, 1.2])
    found = summarize_depth_dose(DEPTH, dose)
    assert found.r20_mm is not None
    assert found.r10_mm is None
    assert found.warnings == ("no R10: the curve ends at 12% of its peak",)
    high = summarize_depth_dose(DEPTH, np.maximum(dose, 3.0))
    assert (high.r20_mm, high.falloff_mm) == (None, None)
    assert len(high.warnings) == 2


def test_a_curve_that_ends_before_the_edge_has_no_r80() -> None:
    depth = np.arange(0.0, 150.0, 1.0)
    dose = bortfeld_dose(depth, energy_mev=150.0, energy_spread_mev=1.5)
    with pytest.raises(FitError) as refused:
        distal_depth(depth, dose)
    assert str(refused.value) == (
        "the curve does not come down to 80% of its peak; wanted depths beyond the distal edge, "
        "got 100% at 149 mm, the last depth"
    )


@pytest.mark.parametrize(
    ("depth", "dose", "message"),
    [
        ([0.0, 1.0], [1.0, 0.0], "depth_mm, dose: too few rows; wanted 3 or more, got 2"),
        ([], [], "dose: empty"),
        (
            [0.0, 1.0, 2.0],
            [1.0, 2.0],
            "the columns do not go together; wanted one-dimensional, of one length, got depth_mm (3,), dose (2,)",
        ),
        ([0.0, 2.0, 1.0], [1.0, 2.0, 0.0], "depth_mm, row 3: not above the row before; got 1 after 2"),
        ([0.0, 1.0, 1.0], [1.0, 2.0, 0.0], "depth_mm, row 3: not above the row before; got 1 after 1"),
        ([0.0, 1.0, 2.0], [1.0, -2.0, 0.0], "dose, row 2: not usable; wanted a finite number, 0 or more, got -2"),
        (
            [0.0, 1.0, 2.0],
            [1.0, float("nan"), 0.0],
            "dose, row 2: not usable; wanted a finite number, 0 or more, got nan",
        ),
        ([0.0, 1.0, 2.0], [1.0, "2", 0.0], "dose, row 2: not a number; wanted a finite number, 0 or more, got '2'"),
        ([0.0, 1.0, None], [1.0, 2.0, 0.0], "depth_mm, row 3: not a number; wanted a finite number, got None"),
        ([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], "no dose anywhere"),
        (
            [0.0, 1.0, 2.0],
            [0.0, [1.0, 2.0], 0.0],
            "dose, row 2: not a number; wanted a finite number, 0 or more, got [1.0, 2.0]",
        ),
        (
            [[0.0, 1.0, 2.0]],
            [[1.0, 2.0, 0.0]],
            "the columns do not go together; wanted one-dimensional, of one length, got depth_mm (1, 3)",
        ),
    ],
)
def test_what_is_no_curve_is_refused(depth: list[object], dose: list[object], message: str) -> None:
    with pytest.raises(ScienceError) as refused:
        summarize_depth_dose(depth, dose)
    assert message in str(refused.value)


@pytest.mark.parametrize(("level", "message"), [(80.0, "(not a percentage), got 80"), (0.0, "got 0"), (1.0, "got 1")])
def test_a_level_is_a_fraction(level: float, message: str) -> None:
    with pytest.raises(ScienceError) as refused:
        distal_depth(DEPTH, np.ones_like(DEPTH), level=level)
    assert message in str(refused.value)
