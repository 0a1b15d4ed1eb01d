"""Uncertainty of RBE: against simulation, Fieller's theorem and the fits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology import (
    LqParameters,
    RbeEstimate,
    estimate_rbe_at_dose,
    estimate_rbe_at_survival,
    estimate_rbe_max,
    estimate_rbe_min,
    fit_survival,
    isoeffective_dose_ratio,
)

TEST = LqParameters(0.8, 0.03, 0.004, 0.0006, -1.5e-6)
REFERENCE = LqParameters(0.3, 0.04, 0.003, 0.0005, -1.0e-6)

ESTIMATES: dict[str, Callable[[LqParameters, LqParameters], RbeEstimate]] = {
    "max": estimate_rbe_max,
    "min": estimate_rbe_min,
    "survival": lambda test, reference: estimate_rbe_at_survival(test, reference, survival=0.1),
    "dose": lambda test, reference: estimate_rbe_at_dose(test, reference, dose_gy=2.0),
}


@pytest.mark.full
@pytest.mark.parametrize("name", ESTIMATES)
def test_standard_errors_match_a_simulation(name: str) -> None:
    generator = np.random.default_rng(7)
    draws = []
    for _ in range(2000):
        pairs = [
            LqParameters(*generator.multivariate_normal([p.alpha_per_gy, p.beta_per_gy2], p.covariance))
            for p in (TEST, REFERENCE)
        ]
        draws.append(ESTIMATES[name](*pairs).value)
    found = ESTIMATES[name](TEST, REFERENCE)
    assert found.standard_error == pytest.approx(np.std(draws), rel=0.06)  # 1 / sqrt(2 * 2000) is 0.016
    assert found.value == pytest.approx(np.mean(draws), rel=1e-3)
    assert found.delta is not None
    assert found.value in found.delta


@pytest.mark.parametrize("name", ESTIMATES)
def test_no_errors_in_no_errors_out(name: str) -> None:
    bare = LqParameters(0.8, 0.03)
    found = ESTIMATES[name](bare, REFERENCE)
    assert found.value == ESTIMATES[name](TEST, REFERENCE).value
    assert (found.standard_error, found.delta, found.fieller) == (None, None, None)


def test_fieller_is_there_where_it_applies() -> None:
    for name in ("max", "min", "survival"):
        found = ESTIMATES[name](TEST, REFERENCE).fieller
        assert found is not None
        assert found.bounded
    assert ESTIMATES["dose"](TEST, REFERENCE).fieller is None


def test_rbe_min_may_have_no_upper_limit() -> None:
    found = estimate_rbe_min(TEST, LqParameters(0.3, 0.01, 0.03, 0.01)).fieller
    assert found is not None
    assert (found.lower, found.upper, found.bounded) == (0.0, math.inf, False)
    assert found.note


def test_estimates_from_two_fits_equal_the_dose_ratio(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    reference, test = fit_survival(cal33), fit_survival(okf6)
    ratio = isoeffective_dose_ratio(reference, test)
    found = estimate_rbe_at_survival(test.parameters, reference.parameters, survival=0.1)
    assert found.value == pytest.approx(ratio.value)
    assert found.standard_error == pytest.approx(ratio.standard_error)
    assert found.fieller is not None
    assert tuple(found.fieller) == pytest.approx(tuple(ratio.interval_by("fieller", reference="chi2")))


def test_what_has_no_answer_is_an_error() -> None:
    with pytest.raises(ScienceError, match="dose"):
        estimate_rbe_at_dose(TEST, REFERENCE, dose_gy=0.0)
    with pytest.raises(ScienceError, match="RBEmin"):
        estimate_rbe_min(LqParameters(0.8, 0.0, 0.01, 0.01), REFERENCE)
    with pytest.raises(ScienceError, match="never comes down"):
        estimate_rbe_at_dose(TEST, LqParameters(0.3, -0.02), dose_gy=4.0)


def test_what_is_no_pair_is_named() -> None:
    for estimate in (estimate_rbe_max, estimate_rbe_min):
        with pytest.raises(ScienceError, match="reference: not a linear-quadratic pair; wanted LqParameters"):
            estimate(TEST, 0.3)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="test: not a linear-quadratic pair"):
        estimate_rbe_at_dose((0.3, 0.03), REFERENCE, dose_gy=2.0)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="dose is not usable"):
        estimate_rbe_at_dose(TEST, REFERENCE, dose_gy="2")  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="not a survival level"):
        estimate_rbe_at_survival(TEST, REFERENCE, survival=[0.1, 0.2])  # type: ignore[arg-type]
