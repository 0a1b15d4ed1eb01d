"""Doses and histograms by id."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.errors import InputError
from braggbook.imaging import Grid, make_volume
from braggbook.imaging.dose import from_cumulative
from braggbook.metrics import score
from braggbook.metrics.dose import dvh_point_error, dvh_score

DOSES = np.linspace(0, 60, 61)
CRITERIA = {"dose_percent": 3.0, "distance_mm": 2.0, "cutoff_percent": 10.0}


def histogram(middle_gy: float, cc: float = 50.0):
    return from_cumulative(DOSES, volume_cc=cc / (1 + np.exp((DOSES - middle_gy) / 2)))


def dose(values: np.ndarray):
    return make_volume(values, Grid.from_axes((6, 6, 6), spacing_mm=(2.0, 2.0, 2.0)), name="dose", units="Gy")


def test_points_of_a_histogram() -> None:
    """A histogram that is moved by 2 Gy has every dose point 2 Gy higher."""
    true, said = histogram(30), histogram(32)
    assert score("dvh_point_error@1", true, said, point="D50%") == pytest.approx(2, abs=0.02)
    assert score("dvh_point_error@1", said, true, point="D50%") == pytest.approx(-2, abs=0.02)
    assert score("dvh_point_absolute_error@1", said, true, point="D50%") == pytest.approx(2, abs=0.02)
    volume = score("dvh_point_error@1", true, said, point="V30Gy")
    assert volume == pytest.approx(100 / (1 + np.exp(-1)) - 50, abs=0.5)
    assert volume == dvh_point_error(true, said, point="V30Gy")
    assert dvh_score(true, said, metrics=["D50%", "mean"], norm="maximum") == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(
    ("reference", "estimate", "point", "message"),
    [
        (histogram(30), histogram(30), "D-5", "no such metric"),
        (histogram(30), histogram(30, cc=1.0), "D2cc", "c4"),
        (histogram(30), [1.0, 2.0], "D50%", "estimate: not a histogram"),
    ],
)
def test_points_that_are_not_there(reference, estimate, point, message) -> None:
    with pytest.raises(InputError, match=message):
        score("dvh_point_error@1", reference, estimate, point=point, case="c4")


def test_what_is_no_dose_is_refused() -> None:
    known = np.ones((6, 6, 6))
    unknown = known.copy()
    unknown[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="reference: not a dose; wanted a finite dose at every point"):
        score("gamma_pass_rate.global@1", dose(unknown), dose(known), **CRITERIA)
    with pytest.raises(InputError, match="estimate: not a dose; wanted a volume in Gy"):
        score("gamma_pass_rate.local@1", dose(known), known, **CRITERIA)


@pytest.mark.full
def test_gamma_of_a_dose_that_is_too_high() -> None:
    """Nowhere is there a gradient: 2.9 % too much passes everywhere by 3 % of either kind, 3.1 % nowhere."""
    flat = dose(np.full((6, 6, 6), 2.0))
    for id in ("gamma_pass_rate.global@1", "gamma_pass_rate.local@1"):
        assert [score(id, flat, flat * 1.0, **CRITERIA), score(id, flat, dose(flat.values * 1.029), **CRITERIA)] == [
            1,
            1,
        ]
        assert score(id, flat, dose(flat.values * 1.031), **CRITERIA) == 0


@pytest.mark.full
def test_the_local_criterion_is_narrower_where_the_dose_is_low() -> None:
    steps = np.full((6, 6, 6), 2.0)
    steps[:3] = 0.5
    more = dose(steps + 0.04)
    assert score("gamma_pass_rate.global@1", dose(steps), more, **{**CRITERIA, "distance_mm": 0.5}) == 1
    assert score("gamma_pass_rate.local@1", dose(steps), more, **{**CRITERIA, "distance_mm": 0.01}) == 0.5
