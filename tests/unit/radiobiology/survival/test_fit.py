"""Fits of colony counts against CFAssay (R), and what a fit must say beside its numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology import fit_survival

# CFAssay in R, see shared notes: relative tolerance 1e-6, dispersion 1e-4.
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


#
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


# relative tolerance 1e-5, standard errors 1e-3.
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
    z = 1.959963984540054
    assert fit.alpha_beta_gy == pytest.approx(alpha_beta, rel=1e-5)
    assert fit.survival_at(2.0) == pytest.approx(sf2, rel=1e-5)
    assert fit.dose_at([0.1, math.exp(-1)]) == pytest.approx([d10, d37], rel=1e-5)
    assert fit.mean_inactivation_dose_gy == pytest.approx(mean, rel=1e-5)
    ratio = fit.intervals.alpha_beta(method="delta", reference="chi2")
    assert (ratio.upper - ratio.lower) / (2 * z) == pytest.approx(alpha_beta_se, rel=1e-3)
    dose = fit.intervals.dose(0.1, method="delta", reference="chi2")
    assert (dose.upper - dose.lower) / (2 * z) == pytest.approx(d10_se, rel=1e-3)


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
    assert any("2 row(s) without a count" in text and "row 1, 8" in text for text in fit.warnings)
    assert any("extrapolated" in text and "e1" in text for text in fit.warnings)


@pytest.mark.parametrize(("option", "value"), [("plating", "fited"), ("method", "franken")])
def test_unknown_options_name_the_known_ones(cal33: pd.DataFrame, option: str, value: str) -> None:
    with pytest.raises(UnknownName):
        fit_survival(cal33, **{option: value})


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan])
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
