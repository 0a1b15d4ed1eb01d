"""Oxygen enhancement after Alper and Howard-Flanders."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.constants import constants_read, supposing
from braggbook.radiobiology.oxygen import oxygen_dose_factor, oxygen_enhancement


def test_published_form_at_four_pressures() -> None:
    expected = [1.5, 2.0, 33 / 13, 483 / 163]
    assert oxygen_enhancement([1.0, 3.0, 10.0, 160.0]) == pytest.approx(expected, rel=1e-14)


@given(st.floats(0.0, 1e4), st.floats(1.0, 4.0), st.floats(0.1, 10.0))
def test_it_is_the_quotient_of_the_paper(p: float, m: float, k: float) -> None:
    found = oxygen_enhancement(p, maximum=m, half_pressure_mmhg=k)
    assert found == pytest.approx((m * p + k) / (p + k), rel=1e-12)


def test_limits() -> None:
    assert oxygen_enhancement([0.0, math.inf]).tolist() == [1.0, 3.0]
    assert oxygen_dose_factor([0.0, math.inf]).tolist() == [1 / 3, 1.0]


def test_the_dose_factor_makes_effects_equal() -> None:
    # Equal effect with and without oxygen: the ratio of doses is the OER.
    factor = float(oxygen_dose_factor(0.0))
    dose = float(lq.dose_at_survival(0.1, alpha_per_gy=0.3 * factor, beta_per_gy2=0.03 * factor**2))
    with_oxygen = float(lq.dose_at_survival(0.1, alpha_per_gy=0.3, beta_per_gy2=0.03))
    assert dose / with_oxygen == pytest.approx(3.0, rel=1e-12)


def test_constants_come_from_the_court() -> None:
    with supposing({"alper.oer_maximum": 2.5}):
        assert oxygen_enhancement(3.0) == pytest.approx(1.75)
    assert constants_read()["alper.half_pressure"] == 3.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pressure_mmhg": -1.0}, "pressure_mmhg: not usable; wanted a finite number, 0 or more, got -1"),
        ({"pressure_mmhg": [3.0, math.nan]}, "pressure_mmhg, row 2"),
        ({"pressure_mmhg": 3.0, "maximum": 0.9}, "maximum: not usable; wanted a number from 1 to 1000"),
        ({"pressure_mmhg": 3.0, "half_pressure_mmhg": 0.0}, "half_pressure_mmhg"),
        ({"pressure_mmhg": "3 mmHg"}, "not numbers"),
    ],
)
def test_bad_input(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        oxygen_enhancement(**arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)
