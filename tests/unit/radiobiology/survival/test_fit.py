"""Fits of colony counts against CFAssay (R), and what a fit must say beside its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology import fit_survival
from braggbook.radiobiology import linear_quadratic as lq

# CFAssay (Braselmann et al. 2015) run in R: relative tolerance 1e-6, dispersion 1e-4.
CFASSAY_FITTED = {
    "okf6": {
        "alpha": 0.5193789753,
        "beta": 0.0210261381,
        "errors": (0.0588925961, 0.0097898501),
        "covariance": -5.468137694e-4,
        "dispersion": 4.337128191,
        "df": 38,
        "deviance": 167.8964208,
        "log_pe": [
            -1.6066860211, -1.6933462448, -2.0103765059, -1.8692279212,
            -2.0524046466, -2.2196538726, -2.4346341133, -2.1090799087,
        ],
    },
    "cal33": {
        "alpha": 0.2683191794,
        "beta": 0.0489235474,
        "errors": (0.0642744703, 0.0103298727),
        "covariance": -6.310150506e-4,
        "dispersion": 4.695344078,
        "df": 18,
        "deviance": 83.90757971,
        "log_pe": [-1.6596129204, -1.8057023337, -2.3410021058, -2.4605557920],
    },
}  # fmt: skip


@pytest.fixture(params=["okf6", "cal33"])
def line(request: pytest.FixtureRequest) -> tuple[str, pd.DataFrame]:
    return request.param, request.getfixturevalue(request.param)


def test_fitted_plating_equals_cfassay(line: tuple[str, pd.DataFrame]) -> None:
    name, counts = line
    expected = CFASSAY_FITTED[name]
    fit = fit_survival(counts)
    assert fit.alpha_per_gy == pytest.approx(expected["alpha"], rel=1e-9)
    assert fit.beta_per_gy2 == pytest.approx(expected["beta"], rel=1e-8)
    assert (fit.alpha_se_per_gy, fit.beta_se_per_gy2) == pytest.approx(expected["errors"], rel=1e-8)
    assert fit.covariance[0, 1] == pytest.approx(expected["covariance"], rel=1e-9)
    assert fit.dispersion == pytest.approx(expected["dispersion"], rel=1e-9)
    assert fit.df == expected["df"]
    assert fit.deviance == pytest.approx(expected["deviance"], rel=1e-9)
    assert list(fit.log_plating_efficiencies.values()) == pytest.approx(expected["log_pe"], rel=1e-9)
    assert fit.plating == "fitted"
    assert fit.dispersion_limit == 9
    assert fit.warnings == ()


# CFAssay with PEmethod "fix".
@pytest.mark.parametrize(
    ("name", "alpha", "beta", "dispersion"),
    [
        ("okf6", 0.5107908005, 0.0227466125, 9.73012888),
        ("cal33", 0.2280204649, 0.0542314276, 7.938938045),
    ],
)
def test_pooled_plating_equals_cfassay(
    request: pytest.FixtureRequest, name: str, alpha: float, beta: float, dispersion: float
) -> None:
    fit = fit_survival(request.getfixturevalue(name), plating="pooled")
    assert fit.alpha_per_gy == pytest.approx(alpha, rel=1e-9)
    assert fit.beta_per_gy2 == pytest.approx(beta, rel=3e-9)
    assert fit.dispersion == pytest.approx(dispersion, rel=1e-9)
    assert fit.plating == "pooled"
    assert fit.dispersion_limit == 12
    assert fit.replicates["standard_error"].isna().all()
    assert not (fit.plates["dose_gy"] == 0).any()


def test_pooling_sums_a_replicates_zero_dose_plates(cal33: pd.DataFrame) -> None:
    extra = pd.DataFrame({"replicate": ["e1"], "dose_gy": [0.0], "cells_seeded": [600], "colonies": [90]})
    fit = fit_survival(pd.concat([cal33, extra]), plating="pooled")
    assert fit.log_plating_efficiencies["e1"] == pytest.approx(math.log((182 + 90) / (900 + 600)))


# Derived from CFAssay's coefficients and covariance: relative tolerance 1e-5, standard errors 1e-3.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("okf6", (24.70159, 14.1854, 0.3253472, 3.837249, 0.147318, 1.794946, 1.709488)),
        ("cal33", (5.48446, 2.44106, 0.4807862, 4.645922, 0.153587, 2.545481, 2.263348)),
    ],
)
def test_derived_quantities(request: pytest.FixtureRequest, name: str, expected: tuple[float, ...]) -> None:
    alpha_beta, alpha_beta_se, sf2, d10, d10_se, d37, mean = expected
    fit = fit_survival(request.getfixturevalue(name))
    assert fit.alpha_beta_gy == pytest.approx(alpha_beta, rel=1e-5)
    assert fit.survival_at(2.0) == pytest.approx(sf2, rel=1e-5)
    assert fit.dose_at([0.1, math.exp(-1)]) == pytest.approx([d10, d37], rel=1e-5)
    assert fit.mean_inactivation_dose_gy == pytest.approx(mean, rel=1e-5)
    assert fit.alpha_beta_se_gy == pytest.approx(alpha_beta_se, rel=1e-5)
    assert fit.dose_se_gy(0.1) == pytest.approx(d10_se, rel=1e-5)
    z = 1.959963984540054
    for found, error in (
        (fit.intervals.alpha_beta(method="delta", reference="chi2"), alpha_beta_se),
        (fit.intervals.dose(0.1, method="delta", reference="chi2"), d10_se),
    ):
        assert (found.upper - found.lower) / (2 * z) == pytest.approx(error, rel=1e-5)


def test_standard_errors_are_the_delta_method(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    step = 1e-6

    def numeric(function: Callable[[float, float], float]) -> float:
        a, b = fit.alpha_per_gy, fit.beta_per_gy2
        gradient = np.array(
            [
                (function(a + step, b) - function(a - step, b)) / (2 * step),
                (function(a, b + step) - function(a, b - step)) / (2 * step),
            ]
        )
        return math.sqrt(gradient @ fit.covariance @ gradient)

    def dose(a: float, b: float) -> float:
        return float(lq.dose_at_survival(0.37, alpha_per_gy=a, beta_per_gy2=b))

    def mean(a: float, b: float) -> float:
        return float(lq.mean_inactivation_dose(alpha_per_gy=a, beta_per_gy2=b))

    assert fit.survival_se(2.0) == pytest.approx(numeric(lambda a, b: math.exp(-2 * a - 4 * b)), rel=1e-6)
    assert fit.survival_se(0.0) == 0.0
    assert fit.dose_se_gy(0.37) == pytest.approx(numeric(dose), rel=1e-6)
    assert fit.mean_inactivation_dose_se_gy == pytest.approx(numeric(mean), rel=1e-6)
    assert fit.alpha_beta_se_gy == pytest.approx(numeric(lambda a, b: a / b), rel=1e-6)


def test_tables(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6)
    assert list(fit.plates["row"]) == list(range(1, 49))
    assert np.sum(fit.plates["pearson_residual"] ** 2) / fit.df == pytest.approx(fit.dispersion, rel=1e-4)
    assert fit.replicates["pearson_chi2"].sum() == pytest.approx(np.sum(fit.plates["pearson_residual"] ** 2))
    assert fit.replicates["observed_plating_efficiency"][0] == pytest.approx(114 / 600)
    assert list(fit.replicates["plates"]) == [6] * 8
    # The score equations of the intercepts: fitted and counted colonies of a replicate agree.
    sums = fit.plates.groupby("replicate")[["colonies", "fitted_colonies"]].sum()
    assert sums["fitted_colonies"].to_numpy() == pytest.approx(sums["colonies"].to_numpy(), rel=1e-6)
    table = fit.coefficients().set_index("parameter")
    assert table.loc["alpha", "t"] == pytest.approx(0.5193789753 / 0.0588925961)
    assert table.loc["beta", "p"] == pytest.approx(0.0381, abs=2e-4)


def test_least_squares_is_a_named_comparison(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33, method="ls")
    # numpy's own least squares on ln(colonies / cells) with an intercept per replicate
    design = pd.get_dummies(cal33["replicate"]).to_numpy(dtype=float)
    dose = cal33["dose_gy"].to_numpy()
    design = np.column_stack([design, -dose, -(dose**2)])
    response = np.log(cal33["colonies"] / cal33["cells_seeded"]).to_numpy()
    expected, rss, _, _ = np.linalg.lstsq(design, response, rcond=None)
    assert (fit.alpha_per_gy, fit.beta_per_gy2) == pytest.approx(expected[-2:], rel=1e-9)
    assert fit.deviance == pytest.approx(rss[0], rel=1e-9)
    assert (fit.method, fit.dispersion_limit) == ("ls", None)


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_order_of_plates_is_irrelevant(random: object) -> None:
    table = _simulated(seed=3)
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = fit_survival(table), fit_survival(table.iloc[order])
    assert other.alpha_per_gy == pytest.approx(one.alpha_per_gy, rel=1e-8)
    assert other.dispersion == pytest.approx(one.dispersion, rel=1e-8)
    assert set(other.log_plating_efficiencies) == set(one.log_plating_efficiencies)


def test_labels_and_other_columns_are_free(cal33: pd.DataFrame) -> None:
    one = fit_survival(cal33)
    numbered = cal33.assign(replicate=cal33["replicate"].str[1:].astype(int), counter="AB", flask=7)
    other = fit_survival(numbered.set_index(np.arange(100, 124)))
    assert other.alpha_per_gy == one.alpha_per_gy
    assert list(other.log_plating_efficiencies) == ["1", "2", "3", "4"]


def test_empty_plates_are_legal(cal33: pd.DataFrame) -> None:
    cal33.loc[cal33["dose_gy"] == 6, "colonies"] = [0, 3, 0, 0]
    fit = fit_survival(cal33)
    assert fit.alpha_interval.lower < fit.alpha_per_gy < fit.alpha_interval.upper


def test_negative_coefficients_are_reported_with_a_warning() -> None:
    fit = fit_survival(_simulated(seed=1, alpha=0.6, beta=-0.03))
    assert fit.beta_per_gy2 < 0
    assert any("beta is negative" in text and "not clipped" in text for text in fit.warnings)
    with pytest.raises(ScienceError, match="infinite"):
        _ = fit.mean_inactivation_dose_gy
    with pytest.raises(ScienceError, match="never comes down"):
        fit.dose_at(1e-9)


def test_dispersion_is_judged(cal33: pd.DataFrame) -> None:
    wild = cal33.assign(colonies=cal33["colonies"] * np.tile([1, 3], 12))
    assert any("suspiciously" in text for text in fit_survival(wild).warnings)
    fit = fit_survival(_simulated(seed=2, exact=True))
    assert fit.dispersion < 1
    assert any("below 1" in text for text in fit.warnings)


def test_a_single_replicate_is_legal_with_a_warning(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33[cal33["replicate"] == "e2"])
    assert any("one replicate only" in text for text in fit.warnings)


def test_rows_without_a_count_are_dropped_with_a_warning(cal33: pd.DataFrame) -> None:
    table = cal33.astype({"colonies": object})
    table.loc[[0, 7], "colonies"] = [math.nan, "TNTC"]
    fit = fit_survival(table)
    assert fit.df == 16
    assert fit.warnings[0] == "1 row(s) without a count are left out (row 1)"
    assert fit.warnings[1].startswith("1 plate(s) too numerous to count are left out (row 8); they are not missing by")
    assert (fit.counts.dropped, fit.counts.too_many) == ((1, 8), (8,))
    assert any("extrapolated" in text and "e1" in text for text in fit.warnings)


def test_a_plate_of_fewer_cells_stands_for_one_that_was_too_numerous(cal33: pd.DataFrame) -> None:
    """Several seeding densities at one dose are legal: the count that can be had is used."""
    table = cal33.astype({"colonies": object})
    table.loc[0, "colonies"] = "tntc"
    extra = pd.DataFrame({"replicate": ["e1"], "dose_gy": [0.0], "cells_seeded": [90], "colonies": [18]})
    fit = fit_survival(pd.concat([table, extra]))
    assert fit.df == 18
    assert not any("extrapolated" in text for text in fit.warnings)
    assert fit.log_plating_efficiencies["e1"] == pytest.approx(-1.66, abs=0.1)


def test_doses_that_look_like_cgy_are_flagged(cal33: pd.DataFrame) -> None:
    in_cgy = fit_survival(cal33.assign(dose_gy=cal33["dose_gy"] * 100))
    assert any("is it in cGy?" in text and "row 2, 3, 4, 5, 6, 8" in text for text in in_cgy.warnings)
    one = cal33.copy()
    one.loc[2, "dose_gy"] = 200
    assert any("dose above 50 Gy in row 3 (largest 200)" in text for text in fit_survival(one).warnings)


def test_missing_doses_and_unbalanced_replicates_are_legal(cal33: pd.DataFrame) -> None:
    """The weights of the likelihood follow the plates that are there; statsmodels is the oracle."""
    table = cal33.drop(index=[1, 2, 8, 15, 16, 17, 23])
    fit = fit_survival(table)
    dose = table["dose_gy"].to_numpy(dtype=float)
    design = np.column_stack([pd.get_dummies(table["replicate"]).to_numpy(dtype=float), -dose, -(dose**2)])
    oracle = sm.GLM(
        table["colonies"].to_numpy(dtype=float),
        design,
        family=sm.families.Poisson(),
        offset=np.log(table["cells_seeded"].to_numpy(dtype=float)),
    ).fit(scale="X2", tol=1e-14)
    assert (fit.alpha_per_gy, fit.beta_per_gy2) == pytest.approx(tuple(oracle.params[-2:]), rel=1e-7)
    assert fit.alpha_se_per_gy == pytest.approx(oracle.bse[-2], rel=1e-4)
    assert fit.df == oracle.df_resid


@pytest.mark.parametrize("option", ["plating", "method"])
@pytest.mark.parametrize("value", [None, 3, ["ml"]])
def test_options_of_another_kind_are_named(cal33: pd.DataFrame, option: str, value: object) -> None:
    with pytest.raises(UnknownName):
        fit_survival(cal33, **{option: value})


@pytest.mark.parametrize(("option", "value"), [("plating", "fited"), ("method", "frankn")])
def test_unknown_options_name_the_known_ones(cal33: pd.DataFrame, option: str, value: str) -> None:
    with pytest.raises(UnknownName):
        fit_survival(cal33, **{option: value})


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan, "0.95", None, True])
def test_a_level_is_a_fraction(cal33: pd.DataFrame, level: float) -> None:
    with pytest.raises(ScienceError, match="confidence level"):
        fit_survival(cal33, level=level)


def _simulated(*, seed: int, alpha: float = 0.3, beta: float = 0.03, exact: bool = False) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    doses = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
    survival = np.exp(-alpha * doses - beta * doses**2)
    cells = np.round(200 / survival)
    rows = [
        pd.DataFrame(
            {
                "replicate": label,
                "dose_gy": doses,
                "cells_seeded": cells,
                "colonies": np.round(cells * survival * pe) if exact else generator.poisson(cells * survival * pe),
            }
        )
        for label, pe in (("a", 0.5), ("b", 0.4), ("c", 0.6))
    ]
    return pd.concat(rows, ignore_index=True)


def test_franken_weights_match_weighted_least_squares(cal33: pd.DataFrame) -> None:
    """ln S of the irradiated plates, with an offset of the pooled plating efficiency; statsmodels is the oracle."""
    fit = fit_survival(cal33, plating="pooled", method="franken")
    zero = cal33[cal33["dose_gy"] == 0].groupby("replicate")[["colonies", "cells_seeded"]].sum()
    plates = cal33[cal33["dose_gy"] > 0]
    efficiency = (zero["colonies"] / zero["cells_seeded"]).loc[plates["replicate"]].to_numpy()
    colonies, cells = (plates[name].to_numpy(dtype=float) for name in ("colonies", "cells_seeded"))
    dose = plates["dose_gy"].to_numpy(dtype=float)
    weights, design = colonies * cells / (cells - colonies), -np.column_stack([dose, dose**2])
    oracle = sm.WLS(np.log(colonies / cells / efficiency), design, weights=weights).fit()
    assert [fit.alpha_per_gy, fit.beta_per_gy2] == pytest.approx(oracle.params, rel=1e-9)
    assert fit.covariance == pytest.approx(oracle.cov_params(), rel=1e-9)
    assert fit.dispersion == pytest.approx(oracle.scale, rel=1e-9)
    assert (fit.method, fit.dispersion_limit) == ("franken", None)
    root = np.sqrt(weights)[:, None] * design
    leverage = np.diag(root @ np.linalg.inv(root.T @ root) @ root.T)
    assert fit.residuals()["leverage"].to_numpy() == pytest.approx(leverage, rel=1e-9)
    without = cal33[cal33["replicate"] != cal33["replicate"].iloc[0]]
    left_out = fit_survival(without, plating="pooled", method="franken")
    assert fit.influence().table["alpha_per_gy"].iloc[0] == pytest.approx(left_out.alpha_per_gy, rel=1e-9)


def test_franken_weights_need_a_given_plating_efficiency_and_failures(cal33: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="Franken's weights are for a given plating efficiency"):
        fit_survival(cal33, method="franken")
    full = cal33.astype({"colonies": float})
    row = full.index[full["dose_gy"] > 0][0]
    full.loc[row, "colonies"] = full.loc[row, "cells_seeded"]
    with pytest.raises(FitError, match=f"row {row + 1}: every cell made a colony, which has no finite weight"):
        fit_survival(full, plating="pooled", method="franken")


def test_plating_that_is_not_proportional_is_flagged() -> None:
    """Cooperating cells: colonies rise with the 1.8th power of the cells seeded, at every dose."""
    cells = np.array([200.0, 400.0, 800.0, 1600.0])
    rows = [
        {"dose_gy": dose, "cells_seeded": n * grow, "colonies": c, "replicate": label}
        for label in ("e1", "e2", "e3")
        for dose, grow in ((0.0, 1.0), (2.0, 2.0), (4.0, 4.0))
        for n, c in zip(cells, np.round(10 * (cells / 200.0) ** 1.8), strict=True)
    ]
    warnings = fit_survival(pd.DataFrame(rows)).warnings
    assert any("not proportional" in text and "b = 1.8" in text for text in warnings), warnings
