"""Calibration fits: published output, statsmodels, simulation, edges of the parameter space, bad arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from braggbook.errors import BraggbookError, FitError, ScienceError, UnknownName
from braggbook.radiobiology.biodosimetry import CurveRecord, fit_calibration, genome_factor

# statsmodels does not know that our means are positive
pytestmark = pytest.mark.filterwarnings("ignore:The Identity link function does not respect the domain")


def _statsmodels(counts: pd.DataFrame) -> Any:
    dose = counts["dose_gy"].to_numpy(float)
    design = counts["cells"].to_numpy(float)[:, None] * np.column_stack([np.ones_like(dose), dose, dose**2])
    family = sm.families.Poisson(sm.families.links.Identity())
    start = [0.002, 0.03, 0.05]
    return sm.GLM(counts["aberrations"].to_numpy(float), design, family=family).fit(
        start_params=start, tol=1e-14, maxiter=200
    )


class TestManualExample:
    """IAEA 2011, 60Co dicentrics: the converged maximum, which agrees with the manual's and biodosetools' digits."""

    def test_coefficients_and_errors(self, co60: pd.DataFrame) -> None:
        fit = fit_calibration(co60)  # half a unit of the last printed digit is up to 4e-6 of the value
        np.testing.assert_allclose(fit.coefficients, [0.00128033, 0.02103867, 0.06303256], rtol=4e-6)
        np.testing.assert_allclose(fit.standard_errors, [0.00047140, 0.00515761, 0.00400738], rtol=1e-5)

    def test_covariance(self, co60: pd.DataFrame) -> None:
        covariance = fit_calibration(co60).covariance
        np.testing.assert_allclose(np.diag(covariance), [2.22216505e-7, 2.66008944e-5, 1.60591059e-5], rtol=1e-8)
        published = [-9.94876423e-7, 4.37982099e-7, -1.51048766e-5]
        np.testing.assert_allclose(covariance[[0, 0, 1], [1, 2, 2]], published, rtol=1e-8)

    def test_goodness_of_fit(self, co60: pd.DataFrame) -> None:
        fit = fit_calibration(co60)
        assert fit.log_likelihood == pytest.approx(-35.711957, abs=5e-7)
        assert fit.deviance == pytest.approx(6.809756, abs=5e-7)
        assert fit.dispersion == pytest.approx(0.822122, abs=5e-7)
        assert (fit.df, fit.family, fit.scale) == (8, "poisson", 1.0)
        assert fit.aic == pytest.approx(6 + 2 * 35.711957, abs=1e-5)
        assert fit.bic == pytest.approx(3 * math.log(11) + 2 * 35.711957, abs=1e-5)

    def test_biodosetools_digits(self, co60: pd.DataFrame) -> None:
        # biodosetools prints 0.001280319, 0.021038724, 0.063032534: R's glm stops a few 1e-6 before the maximum
        fit = fit_calibration(co60)
        np.testing.assert_allclose(fit.coefficients, [0.001280319, 0.021038724, 0.063032534], rtol=7e-6)

    def test_linear_below_1_gy(self, co60: pd.DataFrame) -> None:
        fit = fit_calibration(co60[co60["dose_gy"] < 1], model="linear", family="quasi-poisson")
        np.testing.assert_allclose(fit.coefficients, [0.0010, 0.0541, 0], atol=5e-5)
        np.testing.assert_allclose(fit.standard_errors, [0.0011, 0.0115, 0], atol=5e-5)

    def test_quasi_poisson_errors(self, co60: pd.DataFrame) -> None:
        fit = fit_calibration(co60, family="quasi-poisson")
        np.testing.assert_allclose(np.diag(fit.covariance), [1.8e-7, 2.187e-5, 1.32e-5], atol=5e-9)
        assert any("scaled down" in warning for warning in fit.warnings)

    def test_totals_give_the_same_curve(self, co60: pd.DataFrame) -> None:
        totals = fit_calibration(co60[["dose_gy", "cells", "aberrations"]])
        np.testing.assert_array_equal(totals.coefficients, fit_calibration(co60).coefficients)

    def test_dose_table_and_warning_of_row_3(self, co60: pd.DataFrame) -> None:
        fit = fit_calibration(co60)
        assert fit.warnings == ("overdispersed in row 3 (u above 1.96: high LET, or doses that were not uniform)",)
        assert np.sum(fit.doses["pearson_residual"] ** 2) == pytest.approx(fit.pearson_chi2)
        assert np.all(fit.doses["lower"] < fit.doses["yield_per_cell"])

    def test_coefficient_table(self, co60: pd.DataFrame) -> None:
        table = fit_calibration(co60).table()
        np.testing.assert_allclose(table["statistic"], [2.715961, 4.079156, 15.729091], rtol=3e-5)
        np.testing.assert_allclose(table["p"], [6.608367e-3, 4.519949e-5, 9.557291e-56], rtol=5e-4)


def test_helium(helium: pd.DataFrame) -> None:
    fit = fit_calibration(helium, family="poisson")
    np.testing.assert_allclose(fit.coefficients[1:], [0.32798, 0.0292966], rtol=5e-6)
    np.testing.assert_allclose(fit.standard_errors[1:], [0.023775, 0.0135132], rtol=1e-5)
    straight = fit_calibration(helium, model="linear", family="poisson")
    np.testing.assert_allclose([straight.alpha_per_gy, straight.standard_errors[1]], [0.372989, 0.013129], rtol=5e-5)


def test_micronuclei_are_overdispersed(micronuclei: pd.DataFrame) -> None:
    fit = fit_calibration(micronuclei)
    assert fit.family == "quasi-poisson"
    assert fit.dispersion == pytest.approx(1.347, abs=5e-4)
    poisson = fit_calibration(micronuclei, family="poisson")
    np.testing.assert_allclose(poisson.coefficients, [0.022305, 0.0277914, 0.00333278], rtol=2e-5)
    np.testing.assert_allclose(poisson.standard_errors, [0.001414, 0.00379226, 0.00080811], rtol=1e-4)
    np.testing.assert_allclose(fit.standard_errors, poisson.standard_errors * math.sqrt(fit.dispersion), rtol=1e-12)


def test_translocations_per_genome(painted: pd.DataFrame) -> None:
    factor = genome_factor({"red": [1, 4, 11]}, sex="female")
    fit = fit_calibration(painted, genome_factor=factor)
    np.testing.assert_allclose(fit.coefficients, [0.006560406, 0.027197296, 0.057982322], rtol=2e-5)  # biodosetools
    np.testing.assert_allclose(fit.standard_errors, [0.002052834, 0.009922177, 0.004630926], rtol=3e-5)
    np.testing.assert_allclose(fit.coefficients * factor, fit_calibration(painted).coefficients, rtol=1e-10)


@pytest.mark.parametrize("name", ["co60", "helium", "painted", "micronuclei"])
def test_statsmodels_finds_the_same_maximum(name: str, request: pytest.FixtureRequest) -> None:
    counts = request.getfixturevalue(name)
    fit = fit_calibration(counts, family="poisson")
    oracle = _statsmodels(counts)
    np.testing.assert_allclose(fit.coefficients, oracle.params, rtol=1e-7)
    np.testing.assert_allclose(fit.standard_errors, oracle.bse, rtol=1e-7)
    assert fit.log_likelihood == pytest.approx(oracle.llf, rel=1e-11)
    assert fit.deviance == pytest.approx(oracle.deviance, rel=1e-9)
    assert fit.pearson_chi2 == pytest.approx(oracle.pearson_chi2, rel=1e-9)


@pytest.mark.parametrize("model", ["linear-quadratic", "linear", "quadratic"])
@pytest.mark.parametrize("name", ["co60", "helium", "painted", "micronuclei"])
def test_the_score_is_zero_at_the_maximum(name: str, model: str, request: pytest.FixtureRequest) -> None:
    counts = request.getfixturevalue(name)  # statsmodels leaves the positive region with some of these
    fit = fit_calibration(counts, model=model)  # type: ignore[arg-type]
    dose, cells = fit.doses["dose_gy"].to_numpy(), fit.doses["cells"].to_numpy()
    free = fit.standard_errors > 0
    design = (cells[:, None] * np.column_stack([np.ones_like(dose), dose, dose**2]))[:, free]
    means = cells * fit.doses["fitted_yield"].to_numpy()
    score = design.T @ (fit.doses["aberrations"].to_numpy() / means - 1.0)
    np.testing.assert_allclose(score / design.sum(axis=0), 0.0, atol=1e-10)


def test_weights_are_variance_weights(co60: pd.DataFrame) -> None:
    weights = np.linspace(0.5, 1.0, len(co60))
    fit = fit_calibration(co60, weights=weights, family="poisson")
    dose, cells = co60["dose_gy"].to_numpy(), co60["cells"].to_numpy(float)
    design = cells[:, None] * np.column_stack([np.ones_like(dose), dose, dose**2])
    family = sm.families.Poisson(sm.families.links.Identity())
    oracle = sm.GLM(co60["aberrations"].to_numpy(float), design, family=family, var_weights=weights).fit(
        start_params=fit.coefficients * 1.01, tol=1e-14
    )
    np.testing.assert_allclose(fit.coefficients, oracle.params, rtol=1e-7)
    np.testing.assert_allclose(fit.standard_errors, oracle.bse, rtol=1e-7)


def test_weights_by_dispersion(helium: pd.DataFrame) -> None:
    fit = fit_calibration(helium, weights="dispersion")
    index = fit.doses["dispersion_index"].to_numpy()
    np.testing.assert_allclose(fit.doses["weight"], 1 / np.maximum(index, 1.0))
    assert fit.dispersion < fit_calibration(helium).dispersion


def test_protraction_of_the_calibration(co60: pd.DataFrame) -> None:
    half = fit_calibration(co60, protraction=0.5)
    acute = fit_calibration(co60)
    np.testing.assert_allclose(half.coefficients * [1, 1, 0.5], acute.coefficients, rtol=1e-10)
    per_row = fit_calibration(co60, protraction=[0.5] * len(co60))
    np.testing.assert_array_equal(per_row.coefficients, half.coefficients)


class TestEdges:
    def test_no_aberration_at_dose_0(self) -> None:
        counts = pd.DataFrame({"dose_gy": [0, 1, 2, 3.0], "cells": [500] * 4, "aberrations": [0, 40, 130, 290]})
        fit = fit_calibration(counts)
        assert fit.background_per_cell == 0.0
        assert "C is held at 0, its lower bound, and has no standard error" in fit.warnings
        assert fit.df == 1  # the row at dose 0 has mean 0 and count 0: it tells nothing
        design = 500 * np.array([[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]])
        score = design.T @ (np.array([40, 130, 290]) / (design @ fit.coefficients[1:]) - 1.0)
        np.testing.assert_allclose(score, 0.0, atol=1e-8)
        with pytest.raises(ScienceError, match="C is not estimated"):
            fit.interval("C")

    def test_empty_doses_in_the_middle(self) -> None:
        counts = pd.DataFrame(
            {"dose_gy": [0, 0.1, 0.5, 1, 2, 3.0], "cells": [500] * 6, "aberrations": [0, 0, 0, 3, 90, 290]}
        )
        fit = fit_calibration(counts)
        assert fit.warnings[0].startswith("without bounds the yield would be negative at a dose")
        assert np.all(fit.coefficients >= 0)

    def test_negative_alpha_is_reported_and_can_be_bounded(self) -> None:
        counts = pd.DataFrame(
            {"dose_gy": [0, 0.5, 1, 2, 3.0], "cells": [500] * 5, "aberrations": [5, 10, 30, 150, 400]}
        )
        fit = fit_calibration(counts)
        assert fit.alpha_per_gy < 0
        assert any("alpha is negative" in warning and "not clipped" in warning for warning in fit.warnings)
        with pytest.raises(ScienceError, match="not a calibration curve"):
            fit.curve  # noqa: B018
        bounded = fit_calibration(counts, bounds="all")
        assert bounded.alpha_per_gy == 0
        assert bounded.curve.estimated == 2
        assert bounded.log_likelihood < fit.log_likelihood

    def test_as_many_doses_as_coefficients(self) -> None:
        counts = pd.DataFrame({"dose_gy": [0, 1, 2.0], "cells": [1000] * 3, "aberrations": [1, 80, 250]})
        fit = fit_calibration(counts)
        np.testing.assert_allclose(fit.doses["fitted_yield"], counts["aberrations"] / 1000, rtol=1e-9)
        assert "as many coefficients as doses: nothing is left to test the fit with" in fit.warnings
        with pytest.raises(FitError, match="no dispersion"):
            fit.dispersion  # noqa: B018
        with pytest.raises(FitError, match="no dispersion"):
            fit_calibration(counts, family="quasi-poisson")

    @pytest.mark.full
    @settings(max_examples=10)
    @given(
        aberrations=st.lists(st.integers(0, 60), min_size=5, max_size=5),
        cells=st.lists(st.integers(20, 3000), min_size=5, max_size=5),
    )
    def test_no_counts_beat_the_bounded_maximum(self, aberrations: list[int], cells: list[int]) -> None:
        dose = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
        counts = pd.DataFrame({"dose_gy": dose, "cells": cells, "aberrations": aberrations})
        if not any(aberrations) or not any(aberrations[1:]):
            return
        fit = fit_calibration(counts, bounds="all")
        design = np.array(cells, float)[:, None] * np.column_stack([np.ones(5), dose, dose**2])

        def loss(logs: np.ndarray) -> float:
            means = design @ np.exp(logs)
            return float(np.sum(means - special.xlogy(aberrations, means) + special.gammaln(np.array(aberrations) + 1)))

        found = optimize.minimize(loss, np.log([0.01, 0.01, 0.01]), method="L-BFGS-B", bounds=[(-30, 5)] * 3)
        assert fit.log_likelihood >= -found.fun - 1e-6


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "cubic"}, UnknownName, "no model named 'cubic'"),
        ({"family": "binomial"}, UnknownName, "no family named 'binomial'"),
        ({"bounds": "none"}, UnknownName, "no bounds named 'none'"),
        ({"weights": "high"}, UnknownName, "no weights named 'high'"),
        ({"weights": [1, 2]}, ScienceError, "wanted 11 numbers above 0"),
        ({"weights": [0.0] * 11}, ScienceError, "not weights"),
        ({"protraction": 1.2}, ScienceError, "not protraction factors"),
        ({"protraction": "acute"}, ScienceError, "not numbers"),
        ({"protraction": 0.0}, FitError, "the rows cannot tell the coefficients apart"),
        ({"genome_factor": 0.0}, ScienceError, "not a genome factor"),
        ({"genome_factor": math.nan}, ScienceError, "not a genome factor"),
    ],
)
def test_bad_arguments(
    co60: pd.DataFrame, arguments: dict[str, object], error: type[BraggbookError], message: str
) -> None:
    with pytest.raises(error) as caught:
        fit_calibration(co60, **arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_too_little_to_fit(co60: pd.DataFrame) -> None:
    with pytest.raises(
        FitError, match="too few doses for a linear-quadratic curve; wanted 3 different doses or more, got 1"
    ):
        fit_calibration(co60.iloc[[5]])
    with pytest.raises(FitError, match="got 2"):
        fit_calibration(co60.iloc[[0, 5, 5]])
    with pytest.raises(FitError, match="no aberration in any row"):
        fit_calibration(co60[["dose_gy", "cells"]].assign(aberrations=0))
    with pytest.raises(ScienceError, match="no dispersion without distributions"):
        fit_calibration(co60[["dose_gy", "cells", "aberrations"]], weights="dispersion")


def test_unknown_coefficient(co60: pd.DataFrame) -> None:
    with pytest.raises(UnknownName, match="no coefficient named 'gamma'"):
        fit_calibration(co60).interval("gamma")  # type: ignore[arg-type]


def test_the_record_goes_with_the_curve(co60: pd.DataFrame) -> None:
    record = CurveRecord(aberration="dicentrics", radiation="60Co gamma rays")
    assert fit_calibration(co60, record=record).curve.record is record


def test_the_mirror_gives_the_same_curves(co60: pd.DataFrame, mirror: object) -> None:
    original = pd.read_csv(mirror / "biodosimetry" / "count-data-barquinero-1995.csv")  # type: ignore[operator]
    original.columns = [name.strip() for name in original.columns]
    fit = fit_calibration(original.rename(columns={"D": "dose_gy"}))
    np.testing.assert_array_equal(fit.coefficients, fit_calibration(co60).coefficients)


def test_the_copies_with_slips_are_refused(mirror: object) -> None:
    names = {"doses": "dose_gy", "cell": "cells", "aberr": "aberrations", "Dose": "dose_gy", "Cells": "cells"}
    names |= {"Dice": "aberrations", **{f"X{k}": f"c{k}" for k in range(8)}}
    for file, rows in (("radica_Cobalt60.csv", ["row 8"]), ("radica_PNRI.csv", ["row 5", "row 7"])):
        table = pd.read_csv(mirror / "biodosimetry" / file).rename(columns=names)  # type: ignore[operator]
        with pytest.raises(ScienceError, match="cells and the distribution disagree") as caught:
            fit_calibration(table)
        assert [issue.where for issue in caught.value.issues] == rows


@pytest.mark.full
def test_intervals_cover() -> None:
    rng = np.random.default_rng(20260302)
    dose = np.array([0, 0.25, 0.5, 1, 2, 3, 4.0])
    cells = np.array([3000, 2000, 2000, 1000, 400, 200, 150])
    truth = np.array([0.002, 0.03, 0.06])
    means = cells * (np.column_stack([np.ones_like(dose), dose, dose**2]) @ truth)
    hits = np.zeros(3)
    for _ in range(400):
        counts = pd.DataFrame({"dose_gy": dose, "cells": cells, "aberrations": rng.poisson(means)})
        fit = fit_calibration(counts, family="poisson")
        for place, name in enumerate(("C", "alpha", "beta")):
            hits[place] += truth[place] in fit.interval(name)  # type: ignore[arg-type]
    np.testing.assert_allclose(hits / 400, 0.95, atol=0.035)
