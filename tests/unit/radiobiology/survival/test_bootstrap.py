"""The cluster bootstrap: exact against random draws, its limits against SciPy's, and what it says of few replicates."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology import fit_survival
from braggbook.radiobiology.survival.bootstrap import bootstrap_limits
from braggbook.radiobiology.survival.quantities import quantity, survival_quantity


def test_all_draws_of_four_replicates(cal33: pd.DataFrame) -> None:
    """Every one of the 4^4 ordered draws, copied and fitted, against the 35 distinct ones with their probabilities."""
    found = fit_survival(cal33).bootstrap()
    assert (found.replicates, found.distinct_draws, found.draws) == (4, 35, 35)
    assert (found.exact, found.seed, found.failures) == (True, None, 0)
    assert found.probability.sum() == pytest.approx(1.0)
    parts = [cal33[cal33["replicate"] == label] for label in ("e1", "e2", "e3", "e4")]
    fits: dict[tuple[int, ...], float] = {}
    for drawn in itertools.product(range(4), repeat=4):
        key = tuple(sorted(drawn))
        if key not in fits:
            table = pd.concat([parts[index].assign(replicate=place) for place, index in enumerate(key)])
            fits[key] = fit_survival(table).alpha_per_gy
    ordered = np.sort([fits[tuple(sorted(drawn))] for drawn in itertools.product(range(4), repeat=4)])
    order = np.argsort(found.alpha_per_gy)
    repeated = np.repeat(found.alpha_per_gy[order], np.round(found.probability[order] * 256).astype(int))
    assert repeated == pytest.approx(ordered, rel=1e-6)
    assert found.standard_error("alpha_per_gy") == pytest.approx(np.std(ordered), rel=1e-6)
    percentile = found.interval("alpha_per_gy", method="percentile")
    assert tuple(percentile) == pytest.approx((ordered[6], ordered[249]), rel=1e-6)  # 2.5% of 256 is 6.4 draws
    assert percentile.method == "bootstrap percentile, all 35 draws of 4 replicates"


def test_few_replicates_are_warned_of(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    few = fit_survival(cal33).bootstrap().warnings
    text = "4 replicates allow only 35 distinct draws: bootstrap limits are coarse and too narrow; "
    assert few == (text + "prefer the profile interval",)
    many = fit_survival(okf6).bootstrap()
    assert (many.distinct_draws, many.warnings) == (6435, ())


@pytest.mark.full
def test_random_draws_have_a_seed_and_agree_with_all_draws(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6)
    exact, drawn = fit.bootstrap(), fit.bootstrap(draws=20000, seed=17)
    assert (drawn.exact, drawn.seed, drawn.draws) == (False, 17, 20000)
    assert drawn.label == "20000 draws of 8 replicates, seed 17"
    for name in ("alpha_per_gy", "d10_gy", "sf2", "mean_inactivation_dose_gy"):
        for method in ("percentile", "bca"):
            assert tuple(drawn.interval(name, method=method)) == pytest.approx(
                tuple(exact.interval(name, method=method)), rel=0.02
            )
    assert (
        fit.bootstrap(draws=50, seed=3).alpha_per_gy.tolist() == fit.bootstrap(draws=50, seed=3).alpha_per_gy.tolist()
    )
    assert (
        fit.bootstrap(draws=50, seed=3).alpha_per_gy.tolist() != fit.bootstrap(draws=50, seed=4).alpha_per_gy.tolist()
    )


@pytest.mark.full
def test_many_replicates_are_drawn_at_random() -> None:
    generator = np.random.default_rng(2)
    found = fit_survival(_counts(generator, replicates=10)).bootstrap()
    assert found.distinct_draws == math.comb(19, 10)
    assert (found.exact, found.seed, found.draws) == (False, 0, 10000)


@pytest.mark.full
def test_limits_agree_with_scipy() -> None:
    """The mean of a skewed sample, whose bootstrap SciPy does as well."""
    generator = np.random.default_rng(8)
    sample = generator.gamma(1.5, size=20)
    weights = generator.multinomial(20, np.full(20, 0.05), size=40000)
    without = np.array([np.delete(sample, index).mean() for index in range(20)])
    for method, theirs in (("percentile", "percentile"), ("bca", "BCa")):
        found = bootstrap_limits(
            weights @ sample / 20,
            np.full(40000, 1 / 40000),
            estimate=sample.mean(),
            left_out=[without],
            method=method,  # type: ignore[arg-type]
            level=0.9,
        )
        oracle = stats.bootstrap(
            (sample,), np.mean, n_resamples=40000, confidence_level=0.9, method=theirs, rng=np.random.default_rng(1)
        ).confidence_interval
        assert found == pytest.approx(tuple(oracle), rel=0.01)


@pytest.mark.full
def test_acceleration_of_two_samples_agrees_with_scipy() -> None:
    generator = np.random.default_rng(9)
    a, b = generator.gamma(1.0, size=14), generator.gamma(2.0, size=9)
    draws = [generator.multinomial(len(x), np.full(len(x), 1 / len(x)), size=60000) @ x / len(x) for x in (a, b)]
    left_out = [
        np.array([np.delete(a, index).mean() for index in range(14)]) / b.mean(),
        a.mean() / np.array([np.delete(b, index).mean() for index in range(9)]),
    ]
    found = bootstrap_limits(
        draws[0] / draws[1],
        np.full(60000, 1 / 60000),
        estimate=a.mean() / b.mean(),
        left_out=left_out,
        method="bca",
        level=0.9,
    )
    oracle = stats.bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis=axis) / y.mean(axis=axis),
        n_resamples=60000,
        confidence_level=0.9,
        method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found == pytest.approx(tuple(oracle), rel=0.02)


def test_alpha_beta_is_unbounded_when_draws_cross_beta_zero(okf6: pd.DataFrame) -> None:
    """Two of the replicates bend the other way."""
    table = okf6.copy()
    rows = table["replicate"].isin(["e1", "e2", "e3"]) & (table["dose_gy"] == 6)
    table.loc[rows, "colonies"] *= 3
    found = fit_survival(table).bootstrap().interval("alpha_beta_gy")
    assert not found.bounded
    assert "except those between" in found.note
    assert tuple(found) == (-math.inf, math.inf)


def test_alpha_beta_limits_are_percentiles_of_the_ratio_when_beta_stays_positive(cal33: pd.DataFrame) -> None:
    found = fit_survival(cal33).bootstrap()
    ratios = found.alpha_per_gy / found.beta_per_gy2
    order = np.argsort(ratios)
    share = np.cumsum(found.probability[order])
    expected = (ratios[order][np.searchsorted(share, 0.025)], ratios[order][np.searchsorted(share, 0.975)])
    assert tuple(found.interval("alpha_beta_gy", method="percentile")) == pytest.approx(expected, rel=1e-9)


@pytest.mark.full
def test_doses_that_some_draws_never_reach_are_infinite(okf6: pd.DataFrame) -> None:
    table = okf6.copy()
    table.loc[(table["replicate"] == "e1") & (table["dose_gy"] == 6), "colonies"] *= 3
    fit = fit_survival(table)
    found = fit.bootstrap().dose(1e-4)
    assert found.upper == math.inf
    assert not found.bounded
    assert found.note == "curves of some draws do not have this quantity"
    assert fit.bootstrap().standard_error("mean_inactivation_dose_gy") == math.inf


def test_draws_without_an_answer_are_counted(cal33: pd.DataFrame) -> None:
    """Replicates with two doses each: draws of one of them alone determine nothing."""
    table = pd.concat(
        [
            cal33[(cal33["replicate"] == "e1") & cal33["dose_gy"].isin([0, 2])],
            cal33[(cal33["replicate"] == "e2") & cal33["dose_gy"].isin([0, 4])],
            cal33[(cal33["replicate"] == "e3") & cal33["dose_gy"].isin([0, 6])],
        ]
    )
    found = fit_survival(table).bootstrap()
    assert (found.draws, found.failures) == (10, 3)
    assert found.failed_probability == pytest.approx(3 / 27)
    assert np.isnan(found.alpha_per_gy).sum() == 3
    assert any("3 draw(s) have no answer" in text and "cannot be trusted" in text for text in found.warnings)
    assert found.interval("alpha_per_gy").bounded


def test_a_bootstrap_in_which_every_draw_fails(cal33: pd.DataFrame) -> None:
    table = pd.concat(
        [
            cal33[(cal33["replicate"] == "e1") & cal33["dose_gy"].isin([0, 2])],
            cal33[(cal33["replicate"] == "e2") & cal33["dose_gy"].isin([0, 4])],
        ]
    ).sort_values("dose_gy")
    with pytest.raises(FitError):
        fit_survival(table).bootstrap()


def test_other_quantities(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    found = fit.bootstrap().interval(survival_quantity(3.0))
    assert float(fit.survival_at(3.0)) in found
    assert quantity("d10_gy").function(np.array([0.3]), np.array([0.03]))[0] == pytest.approx(
        (-0.3 + math.sqrt(0.09 + 0.12 * math.log(10))) / 0.06
    )


@pytest.mark.parametrize(
    "options", [{"draws": 0}, {"draws": 2.5}, {"draws": "many"}, {"draws": True}, {"seed": -1}, {"seed": None}]
)
def test_draws_and_seed_are_checked(cal33: pd.DataFrame, options: dict[str, object]) -> None:
    with pytest.raises(ScienceError, match="not a"):
        fit_survival(cal33).bootstrap(**options)  # type: ignore[arg-type]


def test_what_cannot_be_resampled_is_named(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="at least 2 replicates"):
        fit_survival(cal33[cal33["replicate"] == "e2"]).bootstrap()
    found = fit_survival(cal33).bootstrap()
    with pytest.raises(UnknownName):
        found.interval("sf3")
    with pytest.raises(UnknownName):
        found.interval("sf2", method="basic")  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="confidence level"):
        found.interval("sf2", level=95)
    with pytest.raises(ScienceError, match="survival level"):
        found.dose(1.5)


@pytest.mark.full
def test_coverage_grows_with_the_replicates() -> None:
    """90% limits of D10 with experiments that differ: too narrow with 4 of them, near the level with 12."""
    alpha, beta = 0.25, 0.03
    d10 = (-alpha + math.sqrt(alpha**2 - 4 * beta * math.log(0.1))) / (2 * beta)
    generator = np.random.default_rng(31)
    shares = {}
    for replicates in (4, 12):
        hits = 0
        for _ in range(100):
            fit = fit_survival(_counts(generator, replicates=replicates, spread=0.15), level=0.9)
            hits += d10 in fit.bootstrap(draws=1000).dose(0.1)
        shares[replicates] = hits / 100
    assert 0.6 < shares[4] < 0.88
    assert shares[12] == pytest.approx(0.9, abs=0.09)
    assert shares[4] < shares[12]


def _counts(generator: np.random.Generator, *, replicates: int, spread: float = 0.0) -> pd.DataFrame:
    """Returns counts of experiments whose alpha differs with this relative standard deviation."""
    doses = np.array([0.0, 1, 2, 3, 4, 6])
    tables = []
    for index in range(replicates):
        alpha = 0.25 * (1 + spread * generator.standard_normal())
        survival = np.exp(-alpha * doses - 0.03 * doses**2)
        cells = np.round(400 / survival)
        columns = {"dose_gy": doses, "cells_seeded": cells, "colonies": generator.poisson(0.5 * cells * survival)}
        tables.append(pd.DataFrame({"replicate": index, **columns}))
    return pd.concat(tables, ignore_index=True)
