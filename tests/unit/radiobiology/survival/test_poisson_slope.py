"""The one-slope regression behind the profiles: against the full one, and far from the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.radiobiology.survival.count_regression import poisson_regression
from braggbook.radiobiology.survival.poisson_slope import best_slope, group_deviance

DOSE = np.tile([0.0, 1.0, 2.0, 4.0, 6.0], 3)
GROUPS = (np.repeat(np.arange(3), 5)[:, None] == np.arange(3)).astype(float)


@pytest.mark.parametrize("groups", [GROUPS, np.zeros((15, 0))], ids=["intercepts", "none"])
@given(seed=st.integers(0, 10**6), alpha=st.floats(-0.2, 0.8))
def test_it_equals_the_full_regression(groups: np.ndarray, seed: int, alpha: float) -> None:
    counts = np.random.default_rng(seed).poisson(60 * np.exp(-0.4 * DOSE)).astype(float)
    offset = 4.0 - alpha * DOSE
    full = poisson_regression(np.column_stack([groups, -(DOSE**2)]), counts, offset=offset)
    slope, deviance = best_slope(-(DOSE**2), counts, groups=groups, offset=offset)
    assert slope == pytest.approx(full.coefficients[-1], rel=1e-5, abs=1e-6)
    assert deviance == pytest.approx(full.deviance, rel=1e-7)
    at = group_deviance(counts, groups=groups, offset=offset - slope * DOSE**2)
    assert at == pytest.approx(deviance, rel=1e-9)


@pytest.mark.parametrize("groups", [GROUPS, np.zeros((15, 0))], ids=["intercepts", "none"])
@pytest.mark.parametrize("alpha", [-300.0, -20.0, 20.0, 300.0])
def test_it_converges_far_from_the_data(groups: np.ndarray, alpha: float) -> None:
    counts = np.round(60 * np.exp(-0.4 * DOSE))
    offset = 4.0 - alpha * DOSE
    slope, deviance = best_slope(-(DOSE**2), counts, groups=groups, offset=offset)
    for other in (slope - 1e-3, slope + 1e-3):
        assert deviance < group_deviance(counts, groups=groups, offset=offset - other * DOSE**2)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_without_a_maximum_the_deviance_reaches_its_limit(sign: float) -> None:
    covariate = np.array([0.0, sign])
    slope, deviance = best_slope(covariate, np.array([3.0, 0.0]), groups=np.ones((2, 1)), offset=np.zeros(2))
    assert slope * sign < -20
    assert deviance == pytest.approx(0.0, abs=1e-7)
