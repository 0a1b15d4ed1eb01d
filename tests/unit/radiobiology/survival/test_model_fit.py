"""Fits of the survival models against independent fits, exact data, and what has no answer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import integrate, optimize, special, stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology import fit_survival
from braggbook.radiobiology.survival import fit_survival_model, survival_models
from braggbook.radiobiology.survival.nonlinear import deviance_of, minimise

DOSES = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0])
TRUTH = {
    "exponential": (0.6,),
    "lq": (0.3, 0.03),
    "lq_cubic": (0.2, 0.06, 0.0015),
    "lq_l": (0.2, 0.05, 5.0),
    "universal": (0.2, 1.4, 2.0),
    "multi_target": (1.3, 3.7),
    "two_component": (5.0, 1.9, 5.0),
    "induced_repair": (0.15, 1.2, 0.3, 0.03),
    "repair_misrepair": (0.9, 1.5),
    "lethal_potentially_lethal": (0.15, 0.9, 1.5),
}


def _plates(
    name: str, *, cells: float = 1e8, seed: int | None = None, doses: np.ndarray = DOSES, dispersion: float = 1.0
) -> pd.DataFrame:
    """Returns counts of four replicates whose mean the model gives; without a seed they are the rounded means."""
    generator = np.random.default_rng(seed)
    survival = np.exp(-survival_models()[name].curve(doses, np.array(TRUTH[name]))[0])
    tables = []
    for label, efficiency in zip("abcd", (0.5, 0.35, 0.6, 0.45), strict=True):
        seeded = np.round(cells / survival)
        mean = seeded * efficiency * survival
        if seed is None:
            colonies = np.round(mean)
        elif dispersion > 1:
            colonies = generator.negative_binomial(mean / (dispersion - 1), 1 / dispersion)
        else:
            colonies = generator.poisson(mean)
        columns = {"dose_gy": doses, "cells_seeded": seeded, "colonies": np.minimum(colonies, seeded)}
        tables.append(pd.DataFrame({"replicate": label, **columns}))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("name", TRUTH)
def test_exact_counts_give_back_the_truth(name: str) -> None:
    fit = fit_survival_model(_plates(name), model=name)
    assert list(fit.estimates.values()) == pytest.approx(TRUTH[name], rel=2e-4)
    assert fit.at_limit == ()
    assert fit.deviance < 0.1
    assert np.exp(list(fit.log_plating_efficiencies.values())) == pytest.approx([0.5, 0.35, 0.6, 0.45], rel=1e-5)


def test_lq_is_the_fit_that_cfassay_makes(okf6: pd.DataFrame) -> None:
    """Numbers of CFAssay (Braselmann et al. 2015) in R; its dispersion belongs to one step before the last."""
    fit = fit_survival_model(okf6, model="lq")
    assert list(fit.estimates.values()) == pytest.approx((0.5193789753, 0.0210261381), rel=1e-7)
    assert list(fit.standard_errors.values()) == pytest.approx((0.0588925961, 0.0097898501), rel=1e-4)
    assert (fit.df, fit.deviance) == (38, pytest.approx(167.8964208, rel=1e-9))
    assert fit.dispersion == pytest.approx(4.337128191, rel=1e-4)
    pooled = fit_survival_model(okf6, model="lq", plating="pooled")
    assert list(pooled.estimates.values()) == pytest.approx((0.5107908005, 0.0227466125), rel=1e-7)
    assert pooled.log_plating_efficiencies == pytest.approx(
        fit_survival(okf6, plating="pooled").log_plating_efficiencies
    )


@pytest.mark.parametrize("plating", ["fitted", "pooled"])
@pytest.mark.parametrize("name", ["exponential", "lq_cubic", "lq_l"])
def test_linear_models_equal_statsmodels(cal33: pd.DataFrame, name: str, plating: str) -> None:
    """LQ-L with a given transition dose is linear in alpha and beta."""
    held = {"transition_dose_gy": 2.5} if name == "lq_l" else {}
    fit = fit_survival_model(cal33, model=name, fixed=held, plating=plating)
    dose = cal33["dose_gy"].to_numpy(dtype=float)
    cut = np.minimum(dose, 2.5)
    columns = {
        "exponential": [-dose],
        "lq_cubic": [-dose, -(dose**2), dose**3],
        "lq_l": [-dose, -cut * (2 * dose - cut)],
    }
    offset = np.log(cal33["cells_seeded"].to_numpy(dtype=float))
    if plating == "fitted":
        used = np.full(len(dose), fill_value=True)
        intercepts = pd.get_dummies(cal33["replicate"]).to_numpy(dtype=float)
    else:
        used = dose > 0
        intercepts = np.zeros((len(dose), 0))
        efficiency = cal33.assign(pe=cal33["colonies"] / cal33["cells_seeded"])[dose == 0].set_index("replicate")["pe"]
        offset = offset + np.log(cal33["replicate"].map(efficiency).to_numpy(dtype=float))
    design = np.column_stack([intercepts, *columns[name]])[used]
    oracle = sm.GLM(
        cal33["colonies"].to_numpy(dtype=float)[used], design, family=sm.families.Poisson(), offset=offset[used]
    ).fit(scale="X2", tol=1e-15, maxiter=100)
    free = [key for key in fit.estimates if key not in held]
    assert [fit.estimates[key] for key in free] == pytest.approx(oracle.params[-len(free) :], rel=1e-6)
    assert [fit.standard_errors[key] for key in free] == pytest.approx(oracle.bse[-len(free) :], rel=1e-6)
    assert (fit.deviance, fit.df) == (pytest.approx(oracle.deviance, rel=1e-9), oracle.df_resid)
    assert fit.dispersion == pytest.approx(oracle.scale, rel=1e-7)


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    [
        "multi_target",
        "lq_l",
        pytest.param("two_component", marks=pytest.mark.full),
        pytest.param("repair_misrepair", marks=pytest.mark.full),
    ],
)
def test_curved_models_equal_a_plain_maximisation(cal33: pd.DataFrame, name: str) -> None:
    """The whole likelihood, plating efficiencies as parameters, by a simplex search, and its numeric information."""
    fit = fit_survival_model(cal33, model=name)
    curve = survival_models()[name].curve
    dose, cells, colonies = (cal33[key].to_numpy(float) for key in ("dose_gy", "cells_seeded", "colonies"))
    replicate = pd.factorize(cal33["replicate"])[0]

    def log_mean(values: np.ndarray) -> np.ndarray:
        return np.log(cells) + values[replicate] - curve(dose, values[4:])[0]

    def loss(values: np.ndarray) -> float:
        if np.any(values[4:] <= 0):
            return math.inf
        return float(np.sum(np.exp(log_mean(values)) - colonies * log_mean(values)))

    start = np.concatenate([list(fit.log_plating_efficiencies.values()), list(fit.estimates.values())])
    for _ in range(3):
        moved = optimize.minimize(
            loss,
            start * 1.02,
            method="Nelder-Mead",
            options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-9, "fatol": 1e-10},
        )
    assert loss(start) <= moved.fun + 1e-6
    step = 1e-6 * np.abs(start)
    slopes = np.array([(log_mean(start + h) - log_mean(start - h)) / (2 * h.sum()) for h in np.diag(step)]).T
    mean = np.exp(log_mean(start))
    covariance = fit.dispersion * np.linalg.inv(slopes.T @ (mean[:, None] * slopes))
    assert list(fit.standard_errors.values()) == pytest.approx(np.sqrt(np.diag(covariance))[4:], rel=1e-4)
    assert fit.dispersion == pytest.approx(np.sum((colonies - mean) ** 2 / mean) / fit.df, rel=1e-7)
    assert fit.deviance == pytest.approx(
        2 * np.sum(special.xlogy(colonies, colonies / mean) - colonies + mean), rel=1e-9
    )


def test_the_universal_curve_fits_as_lq_l_does(cal33: pd.DataFrame) -> None:
    one, other = (fit_survival_model(cal33, model=name) for name in ("lq_l", "universal"))
    assert one.deviance == pytest.approx(other.deviance, rel=1e-9)
    table = one.derived().set_index("quantity")
    assert table.loc["d0_gy", "estimate"] == pytest.approx(other.estimates["d0_gy"], rel=1e-5)
    assert table.loc["d0_gy", "standard_error"] == pytest.approx(other.standard_errors["d0_gy"], rel=1e-4)
    assert table.loc["dq_gy", "estimate"] == pytest.approx(other.estimates["dq_gy"], rel=1e-5)


def test_derived_quantities_are_those_of_the_curve(cal33: pd.DataFrame) -> None:
    fit = fit_survival_model(cal33, model="multi_target")
    d0, n = fit.estimates.values()
    table = fit.derived().set_index("quantity")
    assert table.loc["sf2", "estimate"] == pytest.approx(1 - (1 - math.exp(-2 / d0)) ** n)
    assert fit.survival_at(fit.dose_at(0.1)) == pytest.approx(0.1)
    area, _ = integrate.quad(lambda dose: 1 - (1 - math.exp(-dose / d0)) ** n, 0, 60)
    assert fit.mean_inactivation_dose_gy == pytest.approx(area, rel=1e-9)
    assert table.loc["dq_gy", "estimate"] == pytest.approx(d0 * math.log(n))
    gradient = np.array([math.log(n), d0 / n])
    assert table.loc["dq_gy", "standard_error"] == pytest.approx(
        math.sqrt(gradient @ fit.covariance @ gradient), rel=1e-5
    )
    assert list(table.index) == ["dq_gy", "sf2", "d10_gy", "d37_gy", "mean_inactivation_dose_gy"]


def test_lq_derived_equals_the_closed_forms(okf6: pd.DataFrame) -> None:
    """alpha/beta, SF2, D10, D37 and mean inactivation dose from CFAssay's coefficients and covariance."""
    table = fit_survival_model(okf6, model="lq").derived().set_index("quantity")
    assert table["estimate"].to_list() == pytest.approx([24.70159, 0.3253472, 3.837249, 1.794946, 1.709488], rel=1e-5)
    assert table.loc["alpha_beta_gy", "standard_error"] == pytest.approx(14.1854, rel=1e-3)
    assert table.loc["d10_gy", "standard_error"] == pytest.approx(0.147318, rel=1e-3)


def test_a_curve_that_turns_up_has_no_mean_inactivation_dose(cal33: pd.DataFrame) -> None:
    fit = fit_survival_model(cal33, model="lq_cubic")  # gamma > 0
    with pytest.raises(ScienceError, match="infinite"):
        _ = fit.mean_inactivation_dose_gy
    row = fit.derived().set_index("quantity").loc["mean_inactivation_dose_gy"]
    assert math.isnan(row["estimate"])
    assert "infinite" in row["note"]
    with pytest.raises(ScienceError, match="never comes down"):
        fit.dose_at(1e-12)


@pytest.mark.full
def test_profile_ends_lie_on_the_cutoff(cal33: pd.DataFrame) -> None:
    fit = fit_survival_model(cal33, model="multi_target")
    limit = fit.deviance + fit.dispersion * stats.f.ppf(0.95, 1, fit.df)
    for end in fit.interval("d0_gy"):
        numbers = np.linspace(1.5, 8.5, 701)
        problem = fit.problem.holding(d0_gy=end)
        best = min(deviance_of(problem, np.array([end, n])) for n in numbers)
        assert best == pytest.approx(limit, abs=1e-3)
    assert fit.interval("d0_gy").method == "profile, F(1, 18)"
    wald = fit.interval("d0_gy", method="delta")
    half = stats.t.ppf(0.975, 18) * fit.standard_errors["d0_gy"]
    assert tuple(wald) == pytest.approx((fit.estimates["d0_gy"] - half, fit.estimates["d0_gy"] + half))


def test_profiles_of_lq_are_those_of_fit_survival(cal33: pd.DataFrame) -> None:
    fit, lq = fit_survival_model(cal33, model="lq"), fit_survival(cal33)
    assert tuple(fit.interval("alpha_per_gy")) == pytest.approx(tuple(lq.alpha_interval), rel=1e-4)
    assert tuple(fit.interval("beta_per_gy2")) == pytest.approx(tuple(lq.beta_interval), rel=1e-4)


@pytest.mark.full
def test_a_parameter_that_the_data_do_not_limit_says_so(okf6: pd.DataFrame) -> None:
    found = fit_survival_model(okf6, model="two_component").interval("extrapolation_number")
    assert not found.bounded
    assert found.upper == math.inf
    assert found.note == "the data do not limit it above"


def test_a_limit_is_marked() -> None:
    """Exponential survival has no second target: the best extrapolation number is its limit, 1."""
    fit = fit_survival_model(_plates("exponential", cells=3000, seed=1), model="multi_target")
    assert fit.at_limit == ("extrapolation_number",)
    assert fit.estimates["extrapolation_number"] == 1.0
    assert fit.standard_errors["extrapolation_number"] is None
    assert any("extrapolation_number is at its limit (1)" in text for text in fit.warnings)
    table = fit.parameters().set_index("parameter")
    assert table.loc["extrapolation_number", "state"] == "at its limit"
    assert math.isnan(table.loc["extrapolation_number", "standard_error"])
    alone = fit_survival_model(_plates("exponential", cells=3000, seed=1), model="exponential")
    assert 1 / fit.estimates["d0_gy"] == pytest.approx(alone.estimates["alpha_per_gy"], rel=1e-6)
    with pytest.raises(ScienceError, match="at its limit"):
        fit.interval("extrapolation_number", method="delta")
    profiled = fit.interval("extrapolation_number")
    assert profiled.lower == 1.0
    assert 1.0 < profiled.upper < 2.0


def test_parameters_can_be_held(cal33: pd.DataFrame) -> None:
    free = fit_survival_model(cal33, model="lq_l")
    held = fit_survival_model(cal33, model="lq_l", fixed={"transition_dose_gy": 4.0})
    assert held.estimates["transition_dose_gy"] == 4.0
    assert (held.df, free.df) == (18, 17)
    assert held.deviance > free.deviance
    assert held.parameters()["state"].to_list() == ["fitted", "fitted", "held"]
    with pytest.raises(ScienceError, match="was held"):
        held.interval("transition_dose_gy")


@pytest.mark.parametrize(
    ("fixed", "what"),
    [
        ({"transition_dose_gy": -1.0}, "a finite number above 0"),
        ({"transition_dose_gy": math.nan}, "a finite number above 0"),
        ({"transition_dose_gy": "4 Gy"}, "a finite number above 0"),
        ({"alpha_per_gy": math.inf}, "a finite number"),
    ],
)
def test_values_to_hold_are_checked(cal33: pd.DataFrame, fixed: dict[str, object], what: str) -> None:
    with pytest.raises(ScienceError, match=what):
        fit_survival_model(cal33, model="lq_l", fixed=fixed)  # type: ignore[arg-type]


def test_unknown_names_are_refused(cal33: pd.DataFrame) -> None:
    with pytest.raises(UnknownName):
        fit_survival_model(cal33, model="lql")
    with pytest.raises(UnknownName, match="parameter of lq_l"):
        fit_survival_model(cal33, model="lq_l", fixed={"transition": 4.0})
    with pytest.raises(UnknownName):
        fit_survival_model(cal33, plating="fixed")  # type: ignore[arg-type]
    fit = fit_survival_model(cal33)
    with pytest.raises(UnknownName):
        fit.interval("gamma")
    with pytest.raises(UnknownName):
        fit.interval("alpha_per_gy", method="wald")
    with pytest.raises(FitError, match="nothing is left to fit"):
        fit_survival_model(cal33, fixed={"alpha_per_gy": 0.3, "beta_per_gy2": 0.03})


def test_too_few_doses_are_named_with_the_parameters(cal33: pd.DataFrame) -> None:
    few = cal33[cal33["dose_gy"].isin([0, 2, 6])]
    with pytest.raises(FitError) as caught:
        fit_survival_model(few, model="two_component")
    assert caught.value.what == "these plates do not determine a two_component curve"
    assert str(caught.value.issues[0]) == (
        "too few doses for d1_gy, d0_gy and extrapolation_number; wanted at least 4 different doses, got 0, 2, 6 Gy"
    )
    two = cal33[cal33["dose_gy"].isin([0, 2])]
    assert fit_survival_model(two, model="exponential").df == 3
    with pytest.raises(FitError, match="one dose only"):
        fit_survival_model(cal33[cal33["dose_gy"] == 2], model="exponential")


def test_a_bad_table_is_named(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="row 2"):
        fit_survival_model(cal33.assign(colonies=np.where(np.arange(24) == 1, -1, 5)), model="multi_target")
    with pytest.raises(ScienceError, match="no plate has a colony"):
        fit_survival_model(cal33.assign(colonies=0), model="multi_target")


def test_parameters_that_the_plates_do_not_tell_apart(cal33: pd.DataFrame) -> None:
    """A transition beyond every dose leaves LQ, and with beta held at 0 no transition has any effect."""
    with pytest.raises(FitError, match="do not tell the parameters of lq_l apart"):
        fit_survival_model(cal33, model="lq_l", fixed={"beta_per_gy2": 0.0})


def test_empty_plates_are_legal(cal33: pd.DataFrame) -> None:
    cal33.loc[cal33["dose_gy"] == 6, "colonies"] = [0, 3, 0, 0]
    fit = fit_survival_model(cal33, model="multi_target")
    assert math.isfinite(fit.dispersion)
    with pytest.raises(FitError, match="too many plates are empty"):
        fit_survival_model(
            cal33.assign(colonies=cal33["colonies"].where(cal33["dose_gy"] < 2, 0)), model="multi_target"
        )


@pytest.mark.full
@pytest.mark.parametrize(("name", "parameter"), [("multi_target", "d0_gy"), ("lq_l", "alpha_per_gy")])
def test_coverage_of_profile_intervals(name: str, parameter: str) -> None:
    """60 overdispersed data sets: the share of 90% profiles that hold the truth, within 3 binomial errors."""
    doses = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])
    truth = dict(zip(survival_models()[name].parameter_names, TRUTH[name], strict=True))
    trials, hits = 60, 0
    for seed in range(trials):
        fit = fit_survival_model(_plates(name, cells=600, seed=seed, doses=doses, dispersion=3.0), model=name)
        held = minimise(fit.problem.holding(**{parameter: truth[parameter]}), [np.array(list(truth.values()))])
        hits += (held.deviance - fit.deviance) / fit.dispersion < stats.f.ppf(0.9, 1, fit.df)
    assert hits / trials == pytest.approx(0.9, abs=3 * math.sqrt(0.9 * 0.1 / trials))


@pytest.mark.full
def test_a_curve_that_is_wholly_open_has_no_quantities(cal33: pd.DataFrame) -> None:
    """Without any bend in the data Dq of the universal curve runs off; what follows from it is named, not NaN alone."""
    table = fit_survival_model(cal33, model="induced_repair").derived().set_index("quantity")
    row = table.loc["mean_inactivation_dose_gy"]
    assert math.isnan(row["estimate"]) == bool(row["note"])


def test_one_parameter_needs_two_doses_only(cal33: pd.DataFrame) -> None:
    """Replicates that share two doses determine a slope, not a shoulder."""
    table = cal33[cal33["dose_gy"].isin([0, 4])]
    fit = fit_survival_model(table, model="exponential")
    shares = table.pivot_table(index="replicate", columns="dose_gy", values=["colonies", "cells_seeded"])
    rates = shares["colonies"] / shares["cells_seeded"]
    assert fit.estimates["alpha_per_gy"] == pytest.approx(-np.log((rates[4] / rates[0]).mean()) / 4, rel=0.15)
