"""Two curves: CFAssay's F tests and the isoeffective dose ratio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology import compare_survival, fit_survival, isoeffective_dose_ratio


# CFAssay (Braselmann et al. 2015) run in R, relative tolerance 1e-4.
@pytest.mark.parametrize(
    ("method", "plating", "f", "p"),
    [
        ("ml", "fitted", 7.3509, 0.0014629),
        ("ml", "pooled", 19.63752, 3.4502e-7),
        ("ls", "fitted", 8.56238, 5.6946e-4),
        ("ls", "pooled", 15.03774, 5.9243e-6),
    ],
)
def test_f_test_equals_cfassay(
    cal33: pd.DataFrame, okf6: pd.DataFrame, method: str, plating: str, f: float, p: float
) -> None:
    found = compare_survival(cal33, okf6, plating=plating, method=method)
    assert found.f == pytest.approx(f, rel=1e-6)
    assert found.p == pytest.approx(p, rel=2e-5)
    assert (found.df_numerator, found.df_denominator) == (2, 56)
    assert (found.plating, found.method) == (plating, method)
    if (method, plating) == ("ml", "fitted"):
        assert found.deviance_difference == pytest.approx(65.456375, rel=1e-7)
        assert found.dispersion == pytest.approx(4.45225, rel=1e-5)


def test_the_order_of_the_curves_is_irrelevant(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    one, other = compare_survival(cal33, okf6), compare_survival(okf6, cal33)
    assert one.p == pytest.approx(other.p, rel=1e-6)
    assert one.common_alpha_per_gy == pytest.approx(other.common_alpha_per_gy, rel=1e-8)


def test_a_curve_does_not_differ_from_itself(cal33: pd.DataFrame) -> None:
    found = compare_survival(cal33, cal33)
    assert found.f == pytest.approx(0.0, abs=1e-9)
    assert found.p == pytest.approx(1.0)


def test_a_bad_table_is_named(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="colonies"):
        compare_survival(cal33, cal33.drop(columns="colonies"))
    with pytest.raises(FitError, match="one dose only"):
        compare_survival(cal33, cal33[cal33["dose_gy"] == 0])


# From CFAssay's fits by independent code: limits within 2e-4 relative.
@pytest.mark.parametrize(
    ("survival", "value", "fieller", "chi2"),
    [
        (0.5, 1.508487, (1.156816, 1.941224), (1.168767, 1.932465)),
        (0.1, 1.210743, (1.096874, 1.338401), (1.097060, 1.337795)),
        (0.01, 1.059888, (0.985566, 1.140315), (0.983464, 1.139582)),
    ],
)
def test_isoeffective_dose_ratio(
    cal33: pd.DataFrame,
    okf6: pd.DataFrame,
    survival: float,
    value: float,
    fieller: tuple[float, float],
    chi2: tuple[float, float],
) -> None:
    ratio = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6), survival=survival)
    assert ratio.value == pytest.approx(value, rel=1e-6)
    found = ratio.interval_by("fieller", reference="chi2")
    assert tuple(found) == pytest.approx(fieller, rel=2e-6)
    found = ratio.interval_by("profile", reference="chi2")
    assert tuple(found) == pytest.approx(chi2, rel=2e-6)
    assert found.method == "profile, chi2(1)"
    assert ratio.df == 56


def test_isoeffective_dose_ratio_at_ten_percent(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    ratio = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6))
    assert ratio.standard_error == pytest.approx(0.061340, rel=1e-5)
    assert tuple(ratio.interval) == pytest.approx((1.094675, 1.340776), rel=1e-6)
    assert ratio.interval.method == "profile, F(1, 56)"
    assert (ratio.numerator_dose_gy, ratio.denominator_dose_gy) == pytest.approx((4.645922, 3.837249), rel=1e-6)
    delta = ratio.interval_by("delta", reference="chi2")
    assert delta.upper - delta.lower == pytest.approx(2 * 1.959964 * 0.061340, rel=1e-5)


def test_the_inverse_ratio_has_the_inverse_profile(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    one = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6))
    other = isoeffective_dose_ratio(fit_survival(okf6), fit_survival(cal33))
    assert other.value == pytest.approx(1 / one.value)
    assert (1 / other.interval.upper, 1 / other.interval.lower) == pytest.approx(tuple(one.interval), rel=1e-7)


def test_the_ratio_of_a_curve_to_itself_is_one(cal33: pd.DataFrame) -> None:
    fit = fit_survival(cal33)
    ratio = isoeffective_dose_ratio(fit, fit)
    assert ratio.value == 1.0
    assert 1.0 in ratio.interval


def test_fits_must_be_made_in_one_way(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="plating"):
        isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6, plating="pooled"))
    with pytest.raises(ScienceError, match="survival level"):
        isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6), survival=1.0)
    with pytest.raises(UnknownName):
        isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6)).interval_by("bootstrap")


def test_every_interval_of_the_ratio_stands_in_one_table(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    ratio = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6))
    table = ratio.intervals(reference="chi2").set_index("kind")
    assert list(table.index) == ["profile", "delta", "fieller", "bootstrap percentile", "bootstrap bca"]
    assert tuple(table.loc["fieller", ["lower", "upper"]]) == pytest.approx((1.096874, 1.338401), rel=2e-6)
    assert table["bounded"].all()
    assert table.loc["bootstrap bca", "method"] == "bootstrap bca, all 225225 draws of 4 and 8 replicates"


@pytest.mark.full
def test_bootstrap_of_the_ratio(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    ratio = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6))
    exact = ratio.bootstrap()
    assert (exact.exact, exact.seed, exact.distinct_draws, exact.failures) == (True, None, 35 * 6435, 0)
    assert exact.probability.sum() == pytest.approx(1.0)
    assert exact.estimate == pytest.approx(ratio.value)
    assert exact.warnings[0].startswith("numerator: 4 replicates allow only 35 distinct draws")
    drawn = ratio.bootstrap(draws=20000, seed=5)
    assert (drawn.exact, drawn.seed) == (False, 5)
    for method in ("percentile", "bca"):
        assert tuple(drawn.interval(method=method)) == pytest.approx(tuple(exact.interval(method=method)), rel=0.01)
    again = ratio.bootstrap(draws=20000, seed=5)
    assert tuple(again.interval()) == tuple(drawn.interval())
    assert ratio.value in exact.interval()


def test_a_level_that_a_curve_never_reaches_has_no_ratio(cal33: pd.DataFrame) -> None:
    dose, cells = cal33["dose_gy"], cal33["cells_seeded"]
    rising = cal33.assign(colonies=np.round(0.1 * cells * np.exp(0.05 * dose + 0.01 * dose**2)))
    with pytest.raises(ScienceError, match="never comes down"):
        isoeffective_dose_ratio(fit_survival(cal33), fit_survival(rising))


def test_influence_on_the_ratio(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    whole = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6))
    table = whole.influence()
    assert list(table["curve"]) == ["numerator"] * 4 + ["denominator"] * 8
    without = isoeffective_dose_ratio(fit_survival(cal33), fit_survival(okf6[okf6["replicate"] != "e5"])).value
    row = table[(table["curve"] == "denominator") & (table["replicate"] == "e5")].iloc[0]
    assert row["ratio"] == pytest.approx(without, rel=1e-8)
    assert row["shift"] == pytest.approx((without - whole.value) / whole.standard_error, rel=1e-6)
    assert not table["changes_the_answer"].any()


def test_one_replicate_has_no_bootstrap_and_no_influence(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    one = fit_survival(cal33[cal33["replicate"] == "e2"])
    ratio = isoeffective_dose_ratio(one, fit_survival(okf6))
    with pytest.raises(ScienceError, match="at least 2 replicates"):
        ratio.influence()
    table = ratio.intervals().set_index("kind")
    assert table.loc["bootstrap bca", "note"] == "one replicate cannot be resampled"
    assert bool(table.loc["profile", "bounded"])


def test_a_perfect_fit_cannot_be_tested() -> None:
    doses = np.array([0.0, 1.0, 2.0, 3.0])
    table = pd.DataFrame({"replicate": "a", "dose_gy": doses, "cells_seeded": 4.0**doses * 1000, "colonies": 64})
    with pytest.raises(FitError, match="plates that scatter"):
        compare_survival(table, table)


def test_only_fits_have_a_ratio(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="not a fit: denominator"):
        isoeffective_dose_ratio(fit_survival(cal33), cal33)  # type: ignore[arg-type]
