"""The refit without negative coefficients, against a bounded search."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from braggbook.radiobiology import SurvivalFit, fit_survival
from braggbook.radiobiology.survival.poisson_slope import group_deviance


def _fit(alpha: float, beta: float, *, seed: int = 1, cells: float = 400) -> SurvivalFit:
    generator = np.random.default_rng(seed)
    doses = np.array([0.0, 1, 2, 3, 4, 6])
    survival = np.exp(-alpha * doses - beta * doses**2)
    tables = []
    for label in "abc":
        seeded = np.round(cells / survival)
        colonies = np.minimum(generator.poisson(0.5 * seeded * survival), seeded)
        tables.append(
            pd.DataFrame({"replicate": label, "dose_gy": doses, "cells_seeded": seeded, "colonies": colonies})
        )
    return fit_survival(pd.concat(tables, ignore_index=True))


def _oracle(fit: SurvivalFit) -> optimize.OptimizeResult:
    model = fit.model

    def deviance(pair: np.ndarray) -> float:
        offset = model.offset - pair[0] * model.dose_gy - pair[1] * model.dose_gy**2
        return group_deviance(model.response, groups=model.intercepts, offset=offset)

    return optimize.minimize(
        deviance, [0.1, 0.01], bounds=[(0, None), (0, None)], options={"ftol": 1e-14, "gtol": 1e-9}
    )


@pytest.mark.parametrize(
    ("alpha", "beta", "held"),
    [(0.6, -0.03, ("beta",)), (-0.1, 0.08, ("alpha",)), (-0.05, -0.005, ("alpha", "beta"))],
)
def test_the_refit_is_the_best_within_the_bounds(alpha: float, beta: float, held: tuple[str, ...]) -> None:
    fit = _fit(alpha, beta)
    found, oracle = fit.bounded(), _oracle(fit)
    assert found.held == held
    assert (found.alpha_per_gy, found.beta_per_gy2) == pytest.approx(tuple(oracle.x), rel=1e-4, abs=1e-6)
    assert found.deviance == pytest.approx(oracle.fun, rel=1e-8)
    assert found.deviance_rise == pytest.approx(found.deviance - fit.deviance)
    assert (found.alpha_se_per_gy is None, found.beta_se_per_gy2 is None) == ("alpha" in held, "beta" in held)
    assert found.as_estimated is fit.parameters
    assert [f"{name} is held at 0" in text for name, text in zip(held, found.warnings, strict=False)] == [True] * len(
        held
    )
    assert 0 <= found.p < 0.05
    assert any("contradict the bound" in text for text in found.warnings)


def test_the_fit_itself_is_never_touched() -> None:
    fit = _fit(0.6, -0.03)
    before = fit.parameters
    fit.bounded()
    assert fit.parameters is before
    assert fit.beta_per_gy2 < 0
    assert any("not clipped" in text for text in fit.warnings)


def test_a_bound_that_the_plates_allow_is_said_to_narrow_the_error() -> None:
    fit = next(fit for fit in (_fit(0.5, 0.0, seed=seed) for seed in range(20)) if fit.beta_per_gy2 < 0)
    found = fit.bounded()
    assert found.held == ("beta",)
    assert found.p > 0.05
    assert found.alpha_se_per_gy < fit.alpha_se_per_gy
    assert "too small" in found.warnings[-1]


def test_nothing_is_held_where_nothing_is_negative(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    found = fit.bounded()
    assert (found.held, found.warnings, found.deviance_rise, found.p) == ((), (), 0.0, 1.0)
    assert (found.alpha_per_gy, found.beta_per_gy2) == (fit.alpha_per_gy, fit.beta_per_gy2)
    assert found.alpha_se_per_gy == fit.parameters.alpha_se_per_gy
