"""Two-way designs against CFAssay's printed output and statsmodels, and designs that cannot be fitted."""

from __future__ import annotations

import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology.survival import fit_two_way


def _table(seed: int, *, levels: tuple[int, int] = (2, 2), replicates: int = 3, plates: int = 1) -> pd.DataFrame:
    """Counts of a made design with known effects; half of the pairs sensitise."""
    random = np.random.default_rng(seed)
    rows = []
    for r, i, j, _ in itertools.product(range(replicates), range(levels[0]), range(levels[1]), range(plates)):
        log_mean = math.log(1000) - 1.0 + 0.2 * r - 0.3 * i - 0.8 * j - 0.25 * i * j
        cells = 1000 * (1 + j)
        rows.append((f"e{r}", f"a{i}", j, cells, random.poisson(math.exp(log_mean) * (1 + j))))
    return pd.DataFrame(rows, columns=["replicate", "drug", "sirna", "cells_seeded", "colonies"])


def _oracle(table: pd.DataFrame, *, interaction: bool) -> sm.GLM:
    replicate, drug, sirna = (
        pd.get_dummies(table[name]).to_numpy(dtype=float) for name in ("replicate", "drug", "sirna")
    )
    drug, sirna = drug[:, 1:], sirna[:, 1:]
    columns = [replicate, drug, sirna]
    if interaction:
        columns.append((drug[:, :, None] * sirna[:, None, :]).reshape(len(table), -1))
    offset = np.log(table["cells_seeded"].to_numpy(dtype=float))
    model = sm.GLM(table["colonies"], np.column_stack(columns), family=sm.families.Poisson(), offset=offset)
    return model.fit(scale="X2", tol=1e-13, maxiter=100)


def _cfassay(mirror: Path) -> pd.DataFrame:
    table = pd.read_csv(mirror / "clonogenic" / "cfassay_exp2_2waycfa.txt", sep="\t")
    return table.rename(columns={"Exp": "replicate", "ncells": "cells_seeded", "ncolonies": "colonies"})


def test_cfassays_example(mirror: Path) -> None:
    # Printed by CFAssay's own example, cfa2way(datatab, A="siRNA", B="x5fuCis", param="A/B"): F 9.831, p 0.01202.
    fit = fit_two_way(_cfassay(mirror), factor_a="siRNA", factor_b="x5fuCis")
    assert fit.f == pytest.approx(9.831, abs=5e-4)
    assert fit.p == pytest.approx(0.01202, abs=5e-6)
    assert (fit.df_numerator, fit.df) == (1, 9)
    # statsmodels, quasi-Poisson
    table = _cfassay(mirror).rename(columns={"siRNA": "drug", "x5fuCis": "sirna"})
    full, main = _oracle(table, interaction=True), _oracle(table, interaction=False)
    assert fit.effects["estimate"].to_numpy() == pytest.approx(full.params[4:], rel=1e-7)
    assert fit.effects["standard_error"].to_numpy() == pytest.approx(full.bse[4:], rel=1e-6)
    assert (fit.dispersion, fit.main_dispersion) == pytest.approx((full.scale, main.scale), rel=1e-5)
    assert (fit.deviance, fit.main_deviance) == pytest.approx((full.deviance, main.deviance), rel=1e-8)
    assert fit.main_effects["estimate"].to_numpy() == pytest.approx(main.params[4:], rel=1e-7)
    assert fit.warnings == ()


def test_the_nested_table_is_cfassays(mirror: Path) -> None:
    # CFAssay's "A/B" is another set of coefficients of the same model; statsmodels fits it directly.
    table = _cfassay(mirror)
    fit = fit_two_way(table, factor_a="siRNA", factor_b="x5fuCis")
    a, b = table["siRNA"].to_numpy(), table["x5fuCis"].to_numpy()
    design = np.column_stack([pd.get_dummies(table["replicate"]).to_numpy(dtype=float), a, (1 - a) * b, a * b])
    offset = np.log(table["cells_seeded"].to_numpy(dtype=float))
    oracle = sm.GLM(table["colonies"], design, family=sm.families.Poisson(), offset=offset).fit(scale="X2", tol=1e-13)
    assert fit.nested["estimate"].to_numpy() == pytest.approx(oracle.params[-2:], rel=1e-7)
    assert fit.nested["standard_error"].to_numpy() == pytest.approx(oracle.bse[-2:], rel=1e-6)
    assert list(fit.nested["effect"]) == ["siRNA=0 : x5fuCis=1", "siRNA=1 : x5fuCis=1"]


@pytest.mark.parametrize("levels", [(2, 2), (3, 2), (2, 4)])
@pytest.mark.parametrize("plates", [1, 2])
def test_more_levels_equal_statsmodels(levels: tuple[int, int], plates: int) -> None:
    table = _table(3, levels=levels, plates=plates)
    fit = fit_two_way(table, factor_a="drug", factor_b="sirna")
    full, main = _oracle(table, interaction=True), _oracle(table, interaction=False)
    assert fit.effects["estimate"].to_numpy() == pytest.approx(full.params[3:], rel=1e-6)
    assert fit.effects["standard_error"].to_numpy() == pytest.approx(full.bse[3:], rel=1e-4)
    f = (main.deviance - full.deviance) / (main.df_resid - full.df_resid) / full.scale
    assert fit.f == pytest.approx(f, rel=1e-4)
    assert fit.p == pytest.approx(stats.f.sf(f, main.df_resid - full.df_resid, full.df_resid), rel=1e-3)
    quantile = stats.t.ppf(0.975, full.df_resid)
    assert fit.effects["upper"].to_numpy() == pytest.approx(
        full.params[3:] + quantile * full.bse[3:], rel=1e-4, abs=1e-4
    )
    log_pe = fit.replicates["log_plating_efficiency"].to_numpy()
    assert log_pe == pytest.approx(full.params[:3], rel=1e-6)
    # What is fitted for a pair of levels is what its plates show, summed: the score equations.
    sums = fit.plates.groupby(["level_a", "level_b"])[["colonies", "fitted_colonies"]].sum()
    assert sums["fitted_colonies"].to_numpy() == pytest.approx(sums["colonies"].to_numpy(), rel=1e-6)


def test_least_squares_is_a_named_comparison() -> None:
    table = _table(5)
    fit = fit_two_way(table, factor_a="drug", factor_b="sirna", method="ls")
    replicate = pd.get_dummies(table["replicate"]).to_numpy(dtype=float)
    a, b = (table["drug"] == "a1").to_numpy(dtype=float), table["sirna"].to_numpy(dtype=float)
    log_survival = np.log(table["colonies"] / table["cells_seeded"])
    full = sm.OLS(log_survival, np.column_stack([replicate, a, b, a * b])).fit()
    main = sm.OLS(log_survival, np.column_stack([replicate, a, b])).fit()
    assert fit.effects["estimate"].to_numpy() == pytest.approx(full.params.to_numpy()[3:], rel=1e-9)
    assert fit.f == pytest.approx(float(full.compare_f_test(main)[0]), rel=1e-9)
    assert fit.dispersion_limit is None


def test_dose_may_be_a_factor() -> None:
    table = _table(7).rename(columns={"sirna": "dose_gy"})
    table["dose_gy"] = table["dose_gy"].map({0: 0.0, 1: 2.0})
    fit = fit_two_way(table, factor_a="drug", factor_b="dose_gy")
    assert fit.levels_b == ("0", "2")
    assert fit.effects["effect"].iloc[2] == "drug=a1 : dose_gy=2"


def test_the_reference_levels_can_be_chosen() -> None:
    table = _table(9)
    fit = fit_two_way(table, factor_a="drug", factor_b="sirna")
    turned = fit_two_way(table, factor_a="drug", factor_b="sirna", reference=("a1", 1))
    assert turned.levels_a == ("a1", "a0")
    assert turned.levels_b == ("1", "0")
    assert turned.f == pytest.approx(fit.f, rel=1e-6)
    # Of two levels each, the interaction is the same contrast whichever way it is looked at.
    assert turned.effects["estimate"].iloc[2] == pytest.approx(fit.effects["estimate"].iloc[2], rel=1e-6)


def test_numbers_sort_as_numbers_and_texts_stay() -> None:
    table = _table(11, levels=(2, 3))
    table["sirna"] = table["sirna"].map({0: "10", 1: "2", 2: "0.0"})
    fit = fit_two_way(table, factor_a="drug", factor_b="sirna")
    assert fit.levels_b == ("0", "2", "10")
    table["drug"] = table["drug"].map({"a0": "vehicle", "a1": "drug"})
    assert fit_two_way(table, factor_a="drug", factor_b="sirna").levels_a == ("vehicle", "drug")


def test_survival_of_the_pairs() -> None:
    fit = fit_two_way(_table(13), factor_a="drug", factor_b="sirna")
    a, b, both = fit.effects["estimate"]
    expected = [1.0, math.exp(b), math.exp(a), math.exp(a + b + both)]
    assert fit.cells["fitted_survival"].to_numpy() == pytest.approx(expected)
    interval = fit.interaction()
    row = fit.effects.iloc[2]
    assert tuple(interval) == pytest.approx((row["ratio_lower"], row["ratio_upper"]))
    assert row["ratio"] == pytest.approx(math.exp(both))
    assert fit.interaction("a1", "1") == interval


def test_an_interaction_must_be_named_when_there_are_several() -> None:
    fit = fit_two_way(_table(15, levels=(2, 3)), factor_a="drug", factor_b="sirna")
    with pytest.raises(
        ScienceError, match=r"not one interaction; wanted one of \(a1, 1\), \(a1, 2\), got \(None, None\)"
    ):
        fit.interaction()
    assert fit.interaction(level_b="2").lower > 0


def test_unbalanced_designs_and_rows_without_a_count() -> None:
    table = _table(17, plates=2).astype(object)
    table.loc[0, "colonies"] = None
    table = table.drop(index=[1, 6, 7])  # e0 loses its second plate, and another pair both
    fit = fit_two_way(table, factor_a="drug", factor_b="sirna")
    assert "1 row(s) without a count are left out (row 1)" in fit.warnings[0]
    assert any("unbalanced: 2 pair(s)" in text for text in fit.warnings)
    full = _oracle(table.iloc[1:].astype({"colonies": int, "cells_seeded": float}), interaction=True)
    assert fit.effects["estimate"].to_numpy() == pytest.approx(full.params[3:], rel=1e-6)
    assert list(fit.plates["row"])[:2] == [2, 3]  # rows of the table that was given


def test_one_replicate_is_a_warning() -> None:
    fit = fit_two_way(_table(19, replicates=1, plates=3), factor_a="drug", factor_b="sirna")
    assert any(text.startswith("one replicate only") for text in fit.warnings)


def test_the_dispersion_is_judged() -> None:
    table = _table(21, replicates=4)
    table["colonies"] = (table["colonies"] * np.tile([1.0, 1.6, 1.5, 0.6, 0.7, 1.7, 0.5, 1.2], 2)).astype(int)
    fit = fit_two_way(table, factor_a="drug", factor_b="sirna")
    assert fit.dispersion > fit.dispersion_limit == 9
    assert any("above 9: the plates scatter suspiciously" in text for text in fit.warnings)
    calm = _table(21, plates=2)
    calm["colonies"] = calm.groupby(["replicate", "drug", "sirna"])["colonies"].transform("first") + [0, 1] * 12
    assert any("is below 1" in text for text in fit_two_way(calm, factor_a="drug", factor_b="sirna").warnings)


def _fit_issues(table: pd.DataFrame, **options: object) -> list[str]:
    with pytest.raises(ScienceError) as caught:
        fit_two_way(table, **{"factor_a": "drug", "factor_b": "sirna", **options})  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return [str(issue) for issue in caught.value.issues]


def test_empty_cells_are_named() -> None:
    table = _table(1, levels=(3, 2))
    gone = table[~((table["drug"] == "a2") & (table["sirna"] == 1))]
    assert _fit_issues(gone) == ["drug a2, sirna 1: no plate of this pair of levels"]
    empty = table.copy()
    empty.loc[(empty["drug"] == "a1") & (empty["sirna"] == 0), "colonies"] = 0
    assert _fit_issues(empty) == ["drug a1, sirna 0: no colony on any plate of this pair of levels"]


def test_a_replicate_without_colonies_is_named() -> None:
    table = _table(1)
    table.loc[table["replicate"] == "e1", "colonies"] = 0
    assert _fit_issues(table) == ["replicate e1: no colony on any plate"]


def test_aliasing_is_named() -> None:
    table = _table(1, replicates=4)
    # The drug is given in its own experiments only: its effect and theirs are one.
    table = table[(table["drug"] == "a1") == table["replicate"].isin(["e2", "e3"])]
    assert _fit_issues(table)[0].startswith("the effects are aliased with the replicates; wanted replicates that share")


def test_too_few_plates_are_named() -> None:
    table = _table(1, replicates=1)
    assert _fit_issues(table) == ["too few plates; wanted more than 4, the parameters, got 4 in the likelihood"]


def test_empty_plates_may_leave_no_answer() -> None:
    # The pair (a1, 1) has colonies in an experiment of its own only; elsewhere its plates are empty, so that its
    # effect runs away from the other experiments for ever.
    table = _table(1, replicates=2)
    only = (table["drug"] == "a1") & (table["sirna"] == 1)
    table = table[~((table["replicate"] == "e1") & ~only)]
    table.loc[only & (table["replicate"] == "e0"), "colonies"] = 0
    issues = _fit_issues(pd.concat([table, table]))
    assert issues == ["too many plates are empty: some effect is without bound"]


def test_least_squares_cannot_take_empty_plates() -> None:
    table = _table(1)
    table.loc[[2, 5], "colonies"] = 0
    assert [issue.split(":")[0] for issue in _fit_issues(table, method="ls")] == ["row 3", "row 6"]


def test_bad_factors_are_named() -> None:
    table = _table(1)
    assert _fit_issues(table, factor_a="drugs") == ["no column 'drugs'; did you mean drug?"]
    assert _fit_issues(table, factor_b="drug") == ["both factors are one column; wanted two, got drug"]
    assert _fit_issues(table.assign(drug="a0")) == ["drug has one level only; wanted two or more, got a0"]
    assert _fit_issues(table, reference=("b", 0)) == ["drug has no level 'b'; wanted one of a0, a1"]
    holes = table.astype(object)
    holes.loc[3, "drug"] = None
    holes.loc[5, "sirna"] = math.nan
    assert _fit_issues(holes) == [
        "row 4: drug has no level; wanted a label or a number, got None",
        "row 6: sirna has no level; wanted a label or a number, got nan",
    ]
    double = pd.concat([table, table[["drug"]]], axis=1)
    assert _fit_issues(double) == ["column 'drug' is there twice"]


def test_plates_that_differ_in_more_than_the_factors() -> None:
    table = _table(1)
    mixed = table.assign(dose_gy=np.arange(len(table)) % 2 * 2.0, cell_line=["V79", "HSG"] * 6)
    what = "plates that differ in more than the factors; wanted the rows of one, or this column as a factor"
    assert _fit_issues(mixed) == [f"column dose_gy: {what}, got 0, 2", f"column cell_line: {what}, got V79, HSG"]
    assert fit_two_way(table.assign(dose_gy=2.0, cell_line="V79"), factor_a="drug", factor_b="sirna").df > 0


def test_bad_counts_are_named_with_their_row() -> None:
    table = _table(1).astype(object)
    table.loc[0, "colonies"] = -3
    table.loc[2, "cells_seeded"] = 0
    assert [issue.split(";")[0] for issue in _fit_issues(table)] == [
        "row 3: cells_seeded is not usable",
        "row 1: colonies is not usable",
    ]


def test_other_bad_arguments() -> None:
    table = _table(1)
    with pytest.raises(ScienceError, match="wanted a pandas DataFrame, got list"):
        fit_two_way([1, 2], factor_a="drug", factor_b="sirna")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no fit method named 'mle'"):
        fit_two_way(table, factor_a="drug", factor_b="sirna", method="mle")  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="not a confidence level"):
        fit_two_way(table, factor_a="drug", factor_b="sirna", level=95)
    with pytest.raises(ScienceError, match="not a pair of reference levels"):
        fit_two_way(table, factor_a="drug", factor_b="sirna", reference="a0")  # type: ignore[arg-type]


def test_a_perfect_fit_cannot_be_tested() -> None:
    rows = [(f"e{r}", a, b, 100, 64 >> (a + 2 * b)) for r in range(2) for a in (0, 1) for b in (0, 1)]
    table = pd.DataFrame(rows, columns=["replicate", "drug", "sirna", "cells_seeded", "colonies"])
    with pytest.raises(FitError, match="the interaction cannot be tested"):
        fit_two_way(table, factor_a="drug", factor_b="sirna", method="ls")


@pytest.mark.full
def test_the_test_keeps_its_level() -> None:
    """Without interaction, p is uniform: of 1000 overdispersed experiments about 5 % are below 0.05."""
    random = np.random.default_rng(20)
    rejected = 0
    for _ in range(1000):
        table = _table(1, replicates=5)
        i, j = (table["drug"] == "a1").to_numpy(), table["sirna"].to_numpy()
        mean = table["cells_seeded"] * np.exp(-1.0 - 0.3 * i - 0.8 * j)
        table["colonies"] = random.poisson(random.gamma(mean / 3.0, 3.0))  # variance 4 times the mean
        rejected += fit_two_way(table, factor_a="drug", factor_b="sirna").p < 0.05
    # 99.9 % of binomial(1000, 0.05) lies between 28 and 74.
    assert 28 <= rejected <= 74


def test_a_ratio_that_nothing_limits_is_infinite_and_factors_are_no_mixture() -> None:
    plates = {"drug": [0, 0, 1, 1, 1], "arm": [0, 1, 0, 1, 1], "colonies": [9000, 40, 8000, 1, 900]}
    table = pd.DataFrame({"replicate": "e1", "cells_seeded": 10000, **plates})
    found = fit_two_way(table, factor_a="drug", factor_b="arm", level=0.999)
    assert np.isinf(found.effects["ratio_upper"]).to_list() == [False, True, True]
    assert (found.effects["ratio_lower"] <= found.effects["ratio"]).all()
    assert not any("one curve is fitted" in text for text in found.warnings)
