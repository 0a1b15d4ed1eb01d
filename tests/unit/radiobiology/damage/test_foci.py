"""Kinetics of foci against independent likelihoods, made data with known parameters, and tables that are none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology.damage import FociFit, fit_foci

TRUE = {
    "background": 0.8,
    "foci_per_gy": 22.0,
    "fraction_fast": 0.7,
    "rate_fast_per_h": 1.2,
    "rate_slow_per_h": 0.08,
    "overdispersion": 0.15,
}
TIMES = (0.5, 1.0, 2.0, 4.0, 8.0, 24.0)


def mean_of(time: float, dose: float, p: dict[str, float]) -> float:
    f = p.get("fraction_fast", 1.0)
    slow = (1.0 - f) * math.exp(-p.get("rate_slow_per_h", 1.0) * time)
    return p["background"] + p["foci_per_gy"] * dose * (f * math.exp(-p["rate_fast_per_h"] * time) + slow)


def made(
    seed: int,
    *,
    cells: int = 60,
    times: tuple[float, ...] = TIMES,
    doses: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0),
    **changed: float,
) -> pd.DataFrame:
    """Cells with negative binomial counts (Poisson when the overdispersion is 0)."""
    p, rng, rows = TRUE | changed, np.random.default_rng(seed), []
    for dose in doses:
        for time in times:
            mu, a = mean_of(time, dose, p), p["overdispersion"]
            rate = rng.gamma(1.0 / a, a * mu, size=cells) if a else np.full(cells, mu)
            rows += [(time, dose, count) for count in rng.poisson(rate)]
    return pd.DataFrame(rows, columns=["time_h", "dose_gy", "foci"])


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return made(1)


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> FociFit:
    return fit_foci(data)


def test_one_component_is_a_negative_binomial_regression() -> None:
    """Without background ln mean = ln Y + ln D - k t, which statsmodels fits."""
    table = made(3, background=0.0, fraction_fast=1.0, doses=(0.5, 1.0, 2.0), times=(0.5, 1.0, 2.0))
    fit = fit_foci(table, components=1, background=0.0)
    design = np.column_stack([np.ones(len(table)), -table["time_h"]])
    model = sm.NegativeBinomial(table["foci"], design, loglike_method="nb2", offset=np.log(table["dose_gy"]))
    reference = model.fit(disp=False, method="newton", maxiter=500)
    assert math.log(fit.value("foci_per_gy")) == pytest.approx(reference.params.iloc[0], rel=1e-6)
    assert fit.value("rate_per_h") == pytest.approx(reference.params.iloc[1], rel=1e-6)
    assert fit.value("overdispersion") == pytest.approx(reference.params.iloc[2], rel=1e-5)
    assert fit.log_likelihood == pytest.approx(reference.llf, abs=1e-7)
    # statsmodels has the observed information, here it is the expected one.
    assert fit.standard_errors["rate_per_h"] == pytest.approx(reference.bse.iloc[1], rel=0.03)
    assert fit.standard_errors["overdispersion"] == pytest.approx(reference.bse.iloc[2], rel=0.03)


def test_the_likelihood_is_that_of_scipy_and_has_no_higher_point(data: pd.DataFrame, fit: FociFit) -> None:
    def loss(x: np.ndarray) -> float:
        p = dict(zip(TRUE, np.exp(x), strict=True))
        p["fraction_fast"] = p["fraction_fast"] / (1.0 + p["fraction_fast"])
        mu = data.apply(lambda row: mean_of(row["time_h"], row["dose_gy"], p), axis=1).to_numpy()
        r = 1.0 / p["overdispersion"]
        return -float(stats.nbinom.logpmf(data["foci"], r, r / (r + mu)).sum())

    found = fit.parameters
    odds = found["fraction_fast"] / (1.0 - found["fraction_fast"])
    x = np.log([*(odds if name == "fraction_fast" else found[name] for name in TRUE)])
    assert -loss(x) == pytest.approx(fit.log_likelihood, abs=1e-8)
    rng = np.random.default_rng(0)
    assert all(loss(x + 0.01 * rng.normal(size=6)) > -fit.log_likelihood for _ in range(5))


def test_a_second_optimiser_ends_there(data: pd.DataFrame, fit: FociFit) -> None:
    model = fit.model
    start = fit.optimum.x + 0.2
    other = optimize.minimize(
        lambda x: model.loss(x)[0], start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 20_000}
    )  # fmt: skip
    assert other.x == pytest.approx(fit.optimum.x, abs=1e-5)


def test_the_gradient_is_that_of_the_loss(fit: FociFit) -> None:
    x = fit.optimum.x + 0.1
    numeric = optimize.approx_fprime(x, lambda y: fit.model.loss(y)[0], 1e-7)
    assert fit.model.loss(x)[1] == pytest.approx(numeric, rel=1e-4, abs=1e-3)


def test_made_parameters_lie_within_their_intervals(fit: FociFit) -> None:
    for name, true in TRUE.items():
        interval = fit.interval(name)
        assert interval.bounded
        assert true in interval
        assert interval.lower < fit.value(name) < interval.upper
    assert math.log(2) / TRUE["rate_slow_per_h"] in fit.interval("half_time_slow_h")
    assert fit.value("half_time_fast_h") == pytest.approx(math.log(2) / fit.value("rate_fast_per_h"))


def test_profile_ends_are_where_the_likelihood_has_fallen(fit: FociFit) -> None:
    end = fit.interval("rate_slow_per_h").upper
    model, place = fit.model, fit.model.names.index("rate_slow_per_h")
    free = [i for i in range(6) if i != place]

    def loss(part: np.ndarray) -> float:
        x = fit.optimum.x.copy()
        x[place], x[free] = math.log(end), part
        return model.loss(x)[0]

    best = optimize.minimize(loss, fit.optimum.x[free], method="BFGS", options={"gtol": 1e-6})
    assert 2.0 * (best.fun - fit.optimum.loss) == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-4)


@pytest.mark.full
def test_wald_and_profile_agree_where_the_data_are_many() -> None:
    fit = fit_foci(made(2, cells=800))
    for name in ("foci_per_gy", "overdispersion"):
        wald, profile = fit.interval(name, method="wald"), fit.interval(name)
        assert tuple(wald) == pytest.approx(tuple(profile), rel=0.03)


@pytest.mark.full
def test_frequencies_say_the_same_as_cells(data: pd.DataFrame, fit: FociFit) -> None:
    counted = data.value_counts().rename("cells").reset_index()
    counted = pd.concat([counted, pd.DataFrame({"time_h": [1.0], "dose_gy": [1.0], "foci": [99], "cells": [0]})])
    again = fit_foci(counted)
    assert again.parameters == pytest.approx(fit.parameters, rel=1e-7)
    assert again.cells == fit.cells == len(data)


@pytest.mark.full
def test_overdispersion_is_tested(fit: FociFit) -> None:
    assert fit.poisson is not None
    assert fit.poisson.p < 1e-20
    assert any("counts scatter more than Poisson" in warning for warning in fit.warnings)
    plain = fit_foci(made(4, overdispersion=0.0))
    assert plain.poisson is not None
    assert plain.poisson.p > 0.05
    assert plain.value("overdispersion") < 0.02
    assert plain.interval("overdispersion").lower == 0.0
    assert not plain.interval("overdispersion").bounded
    poisson = fit_foci(made(4, overdispersion=0.0), distribution="poisson")
    assert "overdispersion" not in poisson.parameters
    assert poisson.log_likelihood <= plain.log_likelihood + 1e-9


@pytest.mark.full
def test_goodness_and_proportionality(fit: FociFit, data: pd.DataFrame) -> None:
    assert fit.goodness is not None
    assert fit.dose_linearity is not None
    assert (fit.goodness.df, fit.dose_linearity.df) == (19 - 5, 2)
    assert fit.goodness.p > 0.01
    assert fit.dose_linearity.p > 0.01
    saturated = data.assign(foci=np.minimum(data["foci"], 14))
    worse = fit_foci(saturated)
    assert worse.dose_linearity is not None
    assert worse.dose_linearity.p < 1e-6
    assert any("not proportional to dose" in warning for warning in worse.warnings)
    free = fit_foci(saturated, dose_response="free")
    assert free.value("foci_per_gy_at_2_gy") < free.value("foci_per_gy_at_0.5_gy")
    assert free.dose_linearity is None
    assert 2 * (free.log_likelihood - worse.log_likelihood) == pytest.approx(worse.dose_linearity.statistic, abs=1e-5)
    with pytest.raises(ScienceError, match="each dose has a yield of its own"):
        free.mean(1.0, dose_gy=1.0)


@pytest.mark.full
def test_one_component_data_say_so() -> None:
    fit = fit_foci(made(5, fraction_fast=1.0, rate_fast_per_h=0.3))
    assert any("one component" in warning for warning in fit.warnings)
    assert fit.one_component is not None
    assert fit.one_component.value("half_time_h") == pytest.approx(math.log(2) / 0.3, rel=0.1)


@pytest.mark.full
def test_extrapolations_are_flagged() -> None:
    fit = fit_foci(made(6, times=(2.0, 3.0, 4.0, 6.0), doses=(1.0,), rate_slow_per_h=0.01, cells=400), background=0.8)
    assert any("longer than twice the last time" in warning for warning in fit.warnings)
    early = fit_foci(made(6, times=(0.1, 0.5, 2.0, 6.0, 24.0), doses=(1.0,), cells=100), components=1)
    assert "no unirradiated cells: the background rests on the latest times alone" in early.warnings
    assert "times before 0.5 h: foci are still forming, which the model leaves out" in early.warnings


def test_curves_and_tables(fit: FociFit) -> None:
    assert fit.fraction_left(0.0) == pytest.approx(1.0)
    assert fit.mean([1.0, 2.0], dose_gy=0.0) == pytest.approx([fit.value("background")] * 2)
    group = fit.groups[(fit.groups["dose_gy"] == 2.0) & (fit.groups["time_h"] == 4.0)].iloc[0]
    assert fit.mean(4.0, dose_gy=2.0) == pytest.approx(group["fitted"])
    table = fit.table()
    assert list(table["name"])[-2:] == ["half_time_fast_h", "half_time_slow_h"]
    assert (table["lower"] < table["estimate"]).all()
    with pytest.raises(UnknownName, match="no parameter of this fit named 'rate_fast'; did you mean rate_fast_per_h"):
        fit.value("rate_fast")
    with pytest.raises(UnknownName, match="no method named 'walt'"):
        fit.interval("background", method="walt")  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="time_h: not usable; wanted a finite number, 0 or more, got -1"):
        fit.fraction_left(-1.0)


@pytest.mark.parametrize(
    ("column", "value", "issue"),
    [
        ("foci", -1, "row 2: foci is not usable; wanted a whole number, 0 or more, got -1"),
        ("foci", 1.5, "row 2: foci is not usable; wanted a whole number, 0 or more, got 1.5"),
        ("foci", "many", "row 2: foci is not usable; wanted a whole number, 0 or more, got 'many'"),
        ("foci", None, "row 2: foci is not usable; wanted a whole number, 0 or more, got None"),
        ("time_h", math.nan, "row 2: time_h is not usable; wanted h, 0 or more, got nan"),
        ("time_h", -1.0, "row 2: time_h is not usable; wanted h, 0 or more, got -1.0"),
        ("dose_gy", math.inf, "row 2: dose_gy is not usable; wanted Gy, 0 or more, got inf"),
        ("dose_gy", 200.0, "row 2: dose_gy is not usable; wanted at most 100 Gy; is this cGy or mGy?, got 200.0"),
        ("cells", 0.5, "row 2: cells is not usable; wanted a whole number, 0 or more, got 0.5"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(data: pd.DataFrame, column: str, value: object, issue: str) -> None:
    table = data.assign(cells=1).astype(object)
    table.loc[1, column] = value
    with pytest.raises(ScienceError) as caught:
        fit_foci(table)
    assert [str(found) for found in caught.value.issues] == [issue]


def test_tables_and_options_that_are_none(data: pd.DataFrame) -> None:
    def issues(table: object, **options: object) -> list[str]:
        with pytest.raises(ScienceError) as caught:
            fit_foci(table, **options)  # type: ignore[arg-type]
        return [str(found) for found in caught.value.issues] or [str(caught.value)]

    assert issues([]) == ["not a table of foci; wanted a pandas DataFrame, got list"]
    assert issues(data.iloc[:0]) == ["the table has no rows"]
    assert issues(data.rename(columns={"foci": "focus"})) == ["no column 'foci'; did you mean focus?"]
    assert issues(data.assign(foci=0)) == ["column foci: no irradiated nucleus has a focus"]
    assert issues(data.assign(cells=0)) == ["column cells: no nucleus was counted"]
    assert issues(data, components=3, dose_response="log", distribution="normal", background=-1) == [
        "not a number of components; wanted 1 or 2, got 3",
        "not a dose response; wanted linear or free, got 'log'",
        "not a distribution; wanted negative binomial or poisson, got 'normal'",
        "not a background; wanted foci per nucleus, 0 or more, got -1",
    ]
    assert issues(data, level=95) == ["not a confidence level; wanted a number between 0 and 1, got 95"]


def test_too_few_times_are_refused(data: pd.DataFrame) -> None:
    three = data[data["time_h"].isin([0.5, 2.0, 8.0])]
    with pytest.raises(FitError) as caught:
        fit_foci(three)
    assert [str(issue) for issue in caught.value.issues] == [
        "too few times for 2 components; wanted 4 or more after irradiation, got 3"
    ]
    assert fit_foci(three, components=1).value("rate_per_h") > 0
    with pytest.raises(FitError, match="too few times for 1 component; wanted 2 or more after irradiation, got 1"):
        fit_foci(data[data["time_h"] == 1.0], components=1)


@pytest.mark.full
def test_intervals_cover_what_made_the_data() -> None:
    inside = {name: [0, 0] for name in ("foci_per_gy", "rate_slow_per_h", "overdispersion")}
    runs = 60
    for seed in range(runs):
        fit = fit_foci(made(100 + seed, cells=40))
        for name, found in inside.items():
            found[0] += TRUE[name] in fit.interval(name)
            found[1] += TRUE[name] in fit.interval(name, method="wald")
    for profile, wald in inside.values():
        assert 0.86 <= profile / runs <= 1.0  # 0.95 - 3 binomial standard errors
        assert 0.83 <= wald / runs <= 1.0


@pytest.mark.full
def test_the_poisson_test_keeps_its_level() -> None:
    """Half of chi2(1): 5 % of Poisson data are called overdispersed."""
    tables = [made(500 + seed, cells=15, overdispersion=0.0, fraction_fast=1.0) for seed in range(80)]
    tests = [fit_foci(table, components=1).poisson for table in tables]
    called = sum(test is not None and test.p < 0.05 for test in tests) / 80
    assert called <= 0.13
