"""Profile, delta and Fieller intervals of one curve."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology import SurvivalFit, fit_survival
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.survival import profile
from braggbook.radiobiology.survival.poisson_slope import group_deviance

DOSES = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])


def test_profile_ends_lie_on_the_cutoff(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    limit = fit.deviance + fit.dispersion * stats.f.ppf(0.95, 1, fit.df)
    for end in fit.alpha_interval:
        assert profile.deviance_with_alpha(fit.model, end) == pytest.approx(limit, rel=1e-8)
    for end in fit.beta_interval:
        assert profile.deviance_with_beta(fit.model, end) == pytest.approx(limit, rel=1e-8)
    for end in fit.dose_interval(0.1):
        assert profile.deviance_with_dose(fit.model, end, survival=0.1) == pytest.approx(limit, rel=1e-8)
    for end in fit.survival_interval(2.0):
        effect = -math.log(end)
        assert profile.deviance_with_effect(fit.model, effect, dose_gy=2.0) == pytest.approx(limit, rel=1e-8)
    scale = 6.0
    for end in fit.alpha_beta_interval:
        angle = math.atan2(scale, end)
        assert profile.deviance_with_angle(fit.model, angle, scale_gy=scale) == pytest.approx(limit, rel=1e-8)
    assert fit.alpha_interval.method == "profile, F(1, 18)"


def test_profiles_agree_with_a_brute_force_search(cal33: pd.DataFrame) -> None:
    """The intercepts have a closed form, so that the deviance of an (alpha, beta) is a sum."""
    fit = fit_survival(cal33)
    dose, cells, colonies = (cal33[name].to_numpy(float) for name in ("dose_gy", "cells_seeded", "colonies"))
    replicate = pd.factorize(cal33["replicate"])[0]
    alpha = fit.alpha_interval.upper

    def deviance(beta: float) -> float:
        survivors = cells * np.exp(-alpha * dose - beta * dose**2)
        efficiency = np.bincount(replicate, colonies) / np.bincount(replicate, survivors)
        mean = survivors * efficiency[replicate]
        return float(2 * np.sum(colonies * np.log(colonies / mean) - colonies + mean))

    best = min(deviance(beta) for beta in np.linspace(0.0, 0.08, 4001))
    assert profile.deviance_with_alpha(fit.model, alpha) == pytest.approx(best, abs=1e-4)


def test_chi2_intervals_are_inside_f_intervals(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6)
    wide, narrow = fit.intervals.alpha(), fit.intervals.alpha(reference="chi2")
    assert wide.lower < narrow.lower < fit.alpha_per_gy < narrow.upper < wide.upper
    assert narrow.method == "profile, chi2(1)"
    assert fit.intervals.alpha(level=0.5).upper < narrow.upper


def test_delta_interval_of_alpha_is_t(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6)
    found = fit.intervals.alpha(method="delta")
    half = stats.t.ppf(0.975, 38) * fit.alpha_se_per_gy
    assert tuple(found) == pytest.approx((fit.alpha_per_gy - half, fit.alpha_per_gy + half))
    assert found.method == "delta, t(38)"


def test_least_squares_profiles_are_exact_t_intervals(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33, method="ls")
    for profiled, wald in (
        (fit.alpha_interval, fit.intervals.alpha(method="delta")),
        (fit.beta_interval, fit.intervals.beta(method="delta")),
        (fit.alpha_beta_interval, fit.intervals.alpha_beta(method="fieller")),
    ):
        assert tuple(profiled) == pytest.approx(tuple(wald), rel=1e-6)


def test_alpha_beta_is_unbounded_when_beta_may_be_zero(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6, plating="pooled")  # beta / its error is 1.9
    for found in (fit.alpha_beta_interval, fit.intervals.alpha_beta(method="fieller")):
        assert not found.bounded
        assert tuple(found) == (-math.inf, math.inf)
        assert "except those between" in found.note
    # at a lower level beta differs from 0 and both are bounded
    for method in ("profile", "fieller"):
        found = fit.intervals.alpha_beta(method=method, level=0.8)
        assert found.bounded
        assert found.lower < fit.alpha_beta_gy < found.upper


def test_alpha_beta_profile_of_a_negative_beta() -> None:
    fit = fit_survival(_counts(np.random.default_rng(4), alpha=0.7, beta=-0.04, cells=2e6))
    assert fit.beta_per_gy2 < 0
    found = fit.alpha_beta_interval
    assert found.bounded
    assert found.lower < fit.alpha_beta_gy < found.upper < 0


def test_no_effect_leaves_dose_and_ratio_unbounded() -> None:
    table = _counts(np.random.default_rng(6), alpha=0.0, beta=0.0, cells=300)
    fit = fit_survival(table)
    ratio = fit.intervals.alpha_beta(level=0.999)
    assert not ratio.bounded
    assert ratio.note.endswith("at this level")  # no ratio at all is excluded
    dose = fit.intervals.dose(0.9, level=0.999)
    assert not dose.bounded
    assert dose.upper == math.inf
    assert "never comes down" in dose.note


def test_survival_far_from_every_dose_is_unbounded() -> None:
    doses = [0.0, 9.199, 9.1995, 9.2]
    colonies = [40, 12, 3, 9]
    table = pd.DataFrame({"replicate": "a", "dose_gy": doses, "cells_seeded": 100, "colonies": colonies})
    found = fit_survival(pd.concat([table, table.assign(replicate="b")])).survival_interval(4.5)
    assert found.upper == math.inf
    assert not found.bounded
    assert found.note


def test_mean_inactivation_dose_by_delta_and_profile(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    assert fit.mean_inactivation_dose_gy in fit.mean_inactivation_dose_interval
    found = fit.intervals.mean_inactivation_dose(method="profile")
    limit = fit.deviance + fit.dispersion * stats.f.ppf(0.95, 1, fit.df)
    for end in found:
        assert profile.deviance_with_mean_inactivation_dose(fit.model, end) == pytest.approx(limit, rel=1e-7)
    # The profile of a mean is the range of the means of all curves that fit well enough: look at a ring of them.
    alpha, beta = _region(fit, limit)
    means = lq.mean_inactivation_dose(alpha_per_gy=alpha, beta_per_gy2=beta)
    assert (means.min(), means.max()) == pytest.approx(tuple(found), rel=1e-3)
    with pytest.raises(UnknownName):
        fit.intervals.mean_inactivation_dose(method="fieller")


def _region(fit: SurvivalFit, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns points on the edge of the region {deviance <= limit} in every direction."""
    root = np.linalg.cholesky(fit.covariance)
    edge = []
    for angle in np.linspace(0, 2 * math.pi, 240, endpoint=False):
        direction = root @ [math.cos(angle), math.sin(angle)]

        def excess(length: float, direction: np.ndarray = direction) -> float:
            alpha, beta = np.array([fit.alpha_per_gy, fit.beta_per_gy2]) + length * direction
            offset = fit.model.offset - alpha * fit.model.dose_gy - beta * fit.model.dose_gy**2
            return group_deviance(fit.model.response, groups=fit.model.intercepts, offset=offset) - limit

        length = optimize.brentq(excess, 0, 10)
        edge.append([fit.alpha_per_gy, fit.beta_per_gy2] + length * direction)
    return np.array(edge)[:, 0], np.array(edge)[:, 1]


def test_a_possible_negative_beta_leaves_the_mean_dose_without_upper_limit(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6, plating="pooled")  # beta / its error is 1.9
    found = fit.intervals.mean_inactivation_dose(method="profile")
    assert not found.bounded
    assert found.upper == math.inf
    assert "beta below 0" in found.note
    assert 0 < found.lower < fit.mean_inactivation_dose_gy
    bent_up = fit_survival(_counts(np.random.default_rng(4), alpha=0.7, beta=-0.04, cells=2e6))
    with pytest.raises(ScienceError, match="infinite"):
        bent_up.intervals.mean_inactivation_dose(method="profile")


def test_a_perfect_fit_has_no_width() -> None:
    doses = np.array([0.0, 1.0, 2.0, 3.0])
    table = pd.DataFrame(
        {"replicate": "a", "dose_gy": doses, "cells_seeded": 4.0**doses * 1000, "colonies": [64, 64, 64, 64]}
    )
    fit = fit_survival(table)
    assert fit.dispersion == pytest.approx(0.0, abs=1e-12)
    assert fit.alpha_interval.upper - fit.alpha_interval.lower == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("method", ["fieller", "wald"])
def test_methods_that_do_not_apply_are_named(cal33: pd.DataFrame, method: str) -> None:
    with pytest.raises(UnknownName, match="interval method"):
        fit_survival(cal33).intervals.alpha(method=method)


@pytest.mark.parametrize("survival", [0.0, 1.0, -1.0, math.nan, "0.1", None])
def test_survival_levels_are_between_zero_and_one(cal33: pd.DataFrame, survival: float) -> None:
    with pytest.raises(ScienceError, match="survival level"):
        fit_survival(cal33).dose_interval(survival)


def test_survival_has_no_interval_without_dose(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="above 0 Gy"):
        fit_survival(cal33).survival_interval(0.0)


@pytest.mark.full
def test_coverage_of_profile_intervals() -> None:
    """100 overdispersed data sets: the share of 90% intervals with the truth is within 3 binomial errors."""
    generator = np.random.default_rng(20260101)
    alpha, beta = 0.25, 0.03
    d10 = (-alpha + math.sqrt(alpha**2 - 4 * beta * math.log(0.1))) / (2 * beta)
    hits = np.zeros(4)
    trials = 100
    for _ in range(trials):
        fit = fit_survival(_counts(generator, alpha=alpha, beta=beta, cells=400, dispersion=3.0), level=0.9)
        hits += [
            alpha in fit.alpha_interval,
            beta in fit.beta_interval,
            alpha / beta in fit.alpha_beta_interval,
            d10 in fit.dose_interval(0.1),
        ]
    assert np.abs(hits / trials - 0.9) == pytest.approx(np.zeros(4), abs=3 * math.sqrt(0.9 * 0.1 / trials))


def _counts(
    generator: np.random.Generator, *, alpha: float, beta: float, cells: float, dispersion: float = 1.0
) -> pd.DataFrame:
    """Returns counts of four replicates; negative binomial with variance = dispersion * mean above 1."""
    survival = np.exp(-alpha * DOSES - beta * DOSES**2)
    seeded = np.round(cells / survival)
    tables = []
    for label, efficiency in zip("abcd", (0.5, 0.35, 0.6, 0.45), strict=True):
        mean = seeded * survival * efficiency
        if dispersion > 1:
            colonies = generator.negative_binomial(mean / (dispersion - 1), 1 / dispersion)
        else:
            colonies = generator.poisson(mean)
        tables.append(
            pd.DataFrame(
                {
                    "replicate": label,
                    "dose_gy": DOSES,
                    "cells_seeded": seeded,
                    "colonies": np.minimum(colonies, seeded),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def test_survival_that_no_number_can_hold_is_an_error(cal33: pd.DataFrame) -> None:
    plates = {"colonies": [100, 120, 160, 250, 400, 900] * 4, "dose_gy": [0.0, 1.0, 2.0, 3.0, 4.0, 6.0] * 4}
    rising = fit_survival(cal33.assign(**plates, cells_seeded=1000))
    assert rising.beta_per_gy2 < 0
    far = 1e6
    with pytest.raises(ScienceError, match="more than a number can hold"):
        rising.survival_at([1.0, far])
    with pytest.raises(ScienceError, match="more than a number can hold"):
        rising.survival_se(far)
    for method in ("profile", "delta"):
        with pytest.raises(ScienceError, match="more than a number can hold"):
            rising.intervals.survival(far, method=method)  # type: ignore[arg-type]


def test_a_quantity_that_no_number_can_hold_leaves_the_others(cal33: pd.DataFrame) -> None:
    plates = {"colonies": [100, 120, 160, 250, 400, 900] * 4, "dose_gy": [0.0, 1e-5, 2e-5, 3e-5, 4e-5, 6e-5] * 4}
    tiny = fit_survival(cal33.assign(**plates, cells_seeded=1000))
    row = tiny.derived(draws=10).set_index("quantity").loc["sf2"]
    assert row["note"] == "survival is more than a number can hold"
    assert math.isnan(row["estimate"])
    assert len(tiny.influence().table) == 4
