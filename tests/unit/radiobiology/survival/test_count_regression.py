"""The iteration against statsmodels, and the likelihoods that have no maximum."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from braggbook.errors import FitError
from braggbook.radiobiology.survival.count_regression import (
    has_finite_maximum,
    least_squares_regression,
    poisson_regression,
)

DOSES = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0])


def _problem(seed: int, cells: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns design, counts and offset of three replicates; few cells give many empty plates."""
    generator = np.random.default_rng(seed)
    dose = np.tile(DOSES, 3)
    replicate = np.repeat(np.arange(3), len(DOSES))
    design = np.column_stack([replicate[:, None] == np.arange(3), -dose, -(dose**2)]).astype(float)
    offset = np.full(len(dose), np.log(cells))
    mean = np.exp(offset + design @ [-1.0, -1.2, -0.8, 0.35, 0.04])
    return design, generator.poisson(mean).astype(float), offset


@pytest.mark.parametrize("cells", [20.0, 200.0, 20000.0])
@pytest.mark.parametrize("seed", range(8))
def test_poisson_regression_equals_statsmodels(seed: int, cells: float) -> None:
    design, counts, offset = _problem(seed, cells)
    if cells == 20.0:
        assert np.any(counts == 0)
    family = sm.families.Poisson()
    oracle = sm.GLM(counts, design, family=family, offset=offset).fit(scale="X2", tol=1e-14, maxiter=200)
    found = poisson_regression(design, counts, offset=offset)
    assert found.coefficients == pytest.approx(oracle.params, rel=1e-5, abs=1e-6)
    assert found.deviance == pytest.approx(oracle.deviance, rel=1e-7)
    # Dispersion and covariance carry the weights of the step before the last, as in R.
    assert found.dispersion == pytest.approx(oracle.scale, rel=1e-3)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(oracle.bse, rel=1e-3)
    assert found.df == oracle.df_resid
    assert found.residuals == pytest.approx(oracle.resid_pearson, abs=1e-3)


def test_least_squares_equals_statsmodels() -> None:
    design, counts, offset = _problem(1, 20000.0)
    response = np.log(counts)
    oracle = sm.OLS(response - offset, design).fit()
    found = least_squares_regression(design, response, offset=offset)
    assert found.coefficients == pytest.approx(oracle.params, rel=1e-9)
    assert found.dispersion == pytest.approx(oracle.scale, rel=1e-9)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(oracle.bse, rel=1e-9)


def test_no_covariates_leave_the_offset() -> None:
    found = poisson_regression(np.zeros((3, 0)), np.array([1.0, 2.0, 0.0]), offset=np.zeros(3))
    assert found.fitted == pytest.approx([1.0, 1.0, 1.0])
    assert found.deviance == pytest.approx(2 * (2 * np.log(2) - 1 + 1))


def test_counts_far_from_the_model_converge() -> None:
    # Sixteen orders of magnitude between the plates, and an empty one between two full ones.
    design = np.column_stack([np.ones(5), -np.arange(5.0), -(np.arange(5.0) ** 2)])
    counts = np.array([1e6, 0.0, 1e6, 1.0, 0.0])
    found = poisson_regression(design, counts, offset=np.zeros(5))
    assert design.T @ (counts - found.fitted) == pytest.approx(np.zeros(3), abs=1.0)


def test_dependent_columns_are_an_error() -> None:
    design = np.column_stack([np.ones(4), np.full(4, 2.0)])
    with pytest.raises(FitError, match="apart"):
        poisson_regression(design, np.array([1.0, 2.0, 3.0, 4.0]), offset=np.zeros(4))


@pytest.mark.parametrize(
    ("counts", "finite"),
    [
        ([9.0, 5.0, 2.0, 0.0], True),  # an empty plate at the top is no problem
        ([9.0, 0.0, 0.0, 0.0], False),  # alpha could be anything large
        ([9.0, 5.0, 0.0, 0.0], False),  # a steeper curve through the first two always fits better
        ([9.0, 0.0, 2.0, 0.0], True),  # through 0 and 2 Gy: what lowers 1 Gy raises 4 Gy, and the reverse
        ([0.0, 3.0, 0.0, 2.0], True),
    ],
)
def test_has_finite_maximum(counts: list[float], finite: bool) -> None:
    dose = np.array([0.0, 1.0, 2.0, 4.0])
    design = np.column_stack([np.ones(4), -dose, -(dose**2)])
    assert has_finite_maximum(design, np.array(counts)) is finite
