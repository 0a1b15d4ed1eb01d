"""Survival of cooperating cells against CFAcoop's output, and plates that say nothing of it."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology.survival import fit_cooperativity

LINES = ("T47D", "MDA-MB231", "A549", "HCC1806", "SKBR3", "SKLU1", "BT20")
DOSES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)


def _published(mirror: Path, line: str) -> pd.DataFrame:
    """Counts of Brix et al. 2020, as their package CFAcoop ships them, one row per plate."""
    wide = pd.read_csv(mirror / "clonogenic" / "cfacoop_CFAdata.csv")
    table = wide[wide["cell.line"] == line].melt(
        id_vars=["Cells seeded"], value_vars=[f"{dose:g} Gy" for dose in DOSES], var_name="dose", value_name="colonies"
    )
    table["dose_gy"] = table["dose"].str.removesuffix(" Gy").astype(float)
    return table.rename(columns={"Cells seeded": "cells_seeded"})[["dose_gy", "cells_seeded", "colonies"]].dropna()


def _made(slopes: dict[float, tuple[float, float]], *, seed: int | None = 1, plates: int = 4) -> pd.DataFrame:
    """Plates with ln C = a + b ln S at each dose; Poisson counts, or rounded means without a seed."""
    random = None if seed is None else np.random.default_rng(seed)
    rows = []
    for dose, (a, b) in slopes.items():
        # Seeded so that the least and the most colonies are about 10 and 200 at every dose.
        for cells in np.exp((np.log(np.geomspace(10, 200, 6)) - a) / b):
            mean = math.exp(a) * cells**b
            for _ in range(plates):
                rows.append((dose, cells, round(mean) if random is None else random.poisson(mean)))
    return pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"])


@pytest.mark.parametrize("line", LINES)
def test_cfacoops_survival(mirror: Path, line: str) -> None:
    """Every number of CFAcoop's output, to every digit that was written: half a unit of the last place."""
    written = pd.read_csv(mirror / "clonogenic" / "cfacoop_reference_sf.csv", dtype=str).set_index("cell_line")
    texts = written.loc[line, [f"SF_{dose:g}Gy" for dose in DOSES[1:]]]
    fit = fit_cooperativity(_published(mirror, line))
    for found, text in zip(fit.survival, texts, strict=True):
        digits = len(text.partition(".")[2])
        assert found.value == pytest.approx(float(text), abs=0.5000001 * 10.0**-digits)


def test_cfacoops_verdict_on_bt20(mirror: Path) -> None:
    # CFAcoop's vignette: "BT20 is highly cooperative (b = 1.76, sigma_b = 0.12, p < 0.001)", one-sided.
    law = fit_cooperativity(_published(mirror, "BT20")).laws[0]
    assert law.b == pytest.approx(1.76, abs=5e-3)
    assert law.b_se == pytest.approx(0.12, abs=5e-3)
    assert law.p_cooperative < 0.001


@pytest.mark.parametrize("line", LINES)
def test_first_order_errors_as_cfacoop_computes_them(mirror: Path, line: str) -> None:
    """The variance formula of CFAcoop 0.2, on regressions by statsmodels, with its normal quantile."""
    table = _published(mirror, line)
    fit = fit_cooperativity(table, reference="chi2")
    means = table.groupby(["dose_gy", "cells_seeded"])["colonies"].mean().reset_index()
    parts = {}
    for dose in DOSES:
        own = means[(means["dose_gy"] == dose) & (means["colonies"] > 0)]
        oracle = sm.OLS(np.log(own["colonies"]), sm.add_constant(np.log(own["cells_seeded"]))).fit()
        a, b = oracle.params
        z = np.array([1.0, (math.log(20) - a) / b])
        parts[dose] = float(z @ oracle.cov_params().to_numpy() @ z) / b**2
    for found, dose in zip(fit.survival, DOSES[1:], strict=True):
        error = math.sqrt(parts[0.0] + parts[dose])
        assert found.log_standard_error == pytest.approx(error, rel=1e-8)
        half = stats.norm.ppf(0.975) * error
        assert tuple(found.interval) == pytest.approx((found.value * math.exp(-half), found.value * math.exp(half)))
        assert found.interval.method == "delta on ln, z"


def test_t_quantiles_with_welchs_degrees_of_freedom(mirror: Path) -> None:
    fit = fit_cooperativity(_published(mirror, "T47D"))
    control, law = fit.laws[0], fit.laws[3]
    parts = control.log_cells_variance(20), law.log_cells_variance(20)
    df = sum(parts) ** 2 / (parts[0] ** 2 / control.df + parts[1] ** 2 / law.df)
    found = fit.survival[2]
    half = stats.t.ppf(0.975, df) * found.log_standard_error
    assert math.log(found.interval.upper / found.value) == pytest.approx(half, rel=1e-9)
    assert (
        found.interval.upper
        > fit_cooperativity(_published(mirror, "T47D"), reference="chi2").survival[2].interval.upper
    )


def test_zeros_count_in_the_means_and_an_empty_density_is_told() -> None:
    table = _made({0.0: (-1.0, 1.0), 2.0: (-1.5, 1.0)}, seed=None, plates=2)
    table.loc[0, "colonies"] = 0  # one of two plates of the thinnest density: its mean is halved
    fit = fit_cooperativity(table)
    assert fit.laws[0].colonies[0] == pytest.approx(table["colonies"][1] / 2)
    assert not any("left out" in text for text in fit.warnings)
    table.loc[1, "colonies"] = 0
    fit = fit_cooperativity(table)
    assert len(fit.laws[0].cells_seeded) == 5
    assert fit.warnings[0].startswith(
        "no plate of 27.1828 cells has a colony at 0 Gy: left out, which flattens the line"
    )
    counted = fit_cooperativity(table, method="ml")
    assert len(counted.laws[0].cells_seeded) == 6
    assert not any("left out" in text for text in counted.warnings)


def test_maximum_likelihood_equals_statsmodels(mirror: Path) -> None:
    table = _published(mirror, "SKBR3")
    fit = fit_cooperativity(table, method="ml")
    for law in fit.laws:
        own = table[table["dose_gy"] == law.dose_gy]
        design = sm.add_constant(np.log(own["cells_seeded"].to_numpy()))
        oracle = sm.GLM(own["colonies"], design, family=sm.families.Poisson()).fit(scale="X2", tol=1e-13)
        assert (law.a, law.b) == pytest.approx(tuple(oracle.params), rel=1e-6)
        assert law.covariance == pytest.approx(np.asarray(oracle.cov_params()), rel=1e-4)
        # The dispersion carries the weights of the step before the last, as in R.
        assert law.dispersion == pytest.approx(oracle.scale, rel=1e-4)


@pytest.mark.full
@given(alpha=st.floats(0.0, 0.5), b=st.floats(0.7, 2.5), colonies=st.floats(1e3, 1e6))
def test_what_was_put_in_comes_out(alpha: float, b: float, colonies: float) -> None:
    """Where exp(-alpha D) of the cells matter and C = (k S)^b, survival is exp(-alpha D), whatever C."""
    rows = [
        (dose, cells, round(1e6 * (math.exp(-alpha * dose) * cells / 1e7) ** b))
        for dose in (0.0, 3.0)
        for cells in np.geomspace(3e6, 1e7, 4)
    ]
    table = pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"])
    found = fit_cooperativity(table, reference_colonies=colonies).survival[0]
    # Whole colonies are off by 4e-4 at most; further from the plates the error grows with the distance in ln C.
    assert found.value == pytest.approx(math.exp(-3.0 * alpha), rel=1e-2)


def test_proportional_plates_give_the_ratio_of_efficiencies() -> None:
    fit = fit_cooperativity(_made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)}, plates=40), reference_colonies=50)
    found = fit.survival[0]
    assert found.value == pytest.approx(math.exp(-2.3), rel=0.05)
    assert found.pe_value in found.interval
    assert found.pe_ratio == pytest.approx(1.0, abs=0.05)
    assert found.pe_range[0] < found.pe_value < found.pe_range[1]
    assert fit.warnings == ()


def test_cooperating_cells_are_flagged_and_efficiencies_mislead() -> None:
    fit = fit_cooperativity(_made({0.0: (-6.0, 1.8), 4.0: (-12.0, 2.0)}), reference_colonies=50)
    assert fit.b0 == pytest.approx(1.8, abs=0.1)
    assert fit.warnings[0].startswith("not proportional at 0 Gy: b = 1.")
    assert "seeding twice the cells multiplies plating efficiency by 1.7" in fit.warnings[0]
    expected = math.exp((math.log(50) + 6.0) / 1.8 - (math.log(50) + 12.0) / 2.0)
    found = fit.survival[0]
    assert expected in found.interval
    assert found.pe_range[1] / found.pe_range[0] > 10
    # Another number of colonies is another survival where the slopes differ.
    other = fit.survival_at(100)[0]
    assert other.value == pytest.approx(math.exp((math.log(100) + 6.0) / 1.8 - (math.log(100) + 12.0) / 2.0), rel=0.2)
    assert other.value > found.value


def test_a_slope_far_from_one_without_proof() -> None:
    rows = [(dose, cells, count) for dose in (0.0, 2.0) for cells, count in ((100, 10), (200, 60), (400, 55))]
    fit = fit_cooperativity(pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"]))
    assert fit.laws[0].p > 0.05
    assert fit.warnings[0].startswith("perhaps not proportional at 0 Gy: b = 1.23 (")
    assert "is far from 1; seeding twice the cells multiplies plating efficiency by 1.17" in fit.warnings[0]


def test_extrapolation_is_flagged() -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})
    fit = fit_cooperativity(table, reference_colonies=1000)
    assert fit.survival[0].extrapolated
    assert [text.split(":")[0] for text in fit.warnings][-2:] == ["extrapolated at 0 Gy", "extrapolated at 4 Gy"]
    assert not fit_cooperativity(table).survival[0].extrapolated


def test_more_colonies_than_cells_are_kept_and_flagged() -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})
    table.loc[0, ["cells_seeded", "colonies"]] = (20, 23)
    fit = fit_cooperativity(table)
    assert fit.warnings[0] == "more colonies than cells seeded in row 1; kept, since the cells seeded are nominal"
    assert 20 in fit.laws[0].cells_seeded


def test_table() -> None:
    table = fit_cooperativity(_made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})).table()
    assert list(table["dose_gy"]) == [0.0, 4.0]
    assert table.loc[0, ["survival", "lower", "upper", "pe_survival"]].tolist() == [1.0] * 4
    assert table.loc[1, "lower"] < table.loc[1, "survival"] < table.loc[1, "upper"]


def _issues(table: pd.DataFrame, **options: object) -> list[str]:
    with pytest.raises(ScienceError) as caught:
        fit_cooperativity(table, **options)  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return [str(issue) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("colonies", -1, "row 2: colonies is not usable; wanted a whole number, 0 or more"),
        ("colonies", 1.5, "row 2: colonies is not usable; wanted a whole number, 0 or more"),
        ("colonies", "many", "row 2: colonies is not usable; wanted a whole number, 0 or more"),
        ("cells_seeded", 0, "row 2: cells_seeded is not usable; wanted a number above 0"),
        ("cells_seeded", math.nan, "row 2: cells_seeded is not usable; wanted a number above 0"),
        ("cells_seeded", "few", "row 2: cells_seeded is not usable; wanted a number above 0"),
        ("dose_gy", -2.0, "row 2: dose_gy is not usable; wanted a number, 0 or more"),
        ("dose_gy", math.inf, "row 2: dose_gy is not usable; wanted a number, 0 or more"),
    ],
)
def test_bad_cells_are_named(column: str, value: object, message: str) -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)}).astype(object)
    table.loc[1, column] = value
    (issue,) = _issues(table)
    assert issue.startswith(message)


def test_missing_columns() -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})
    assert "no column 'colonies'" in _issues(table.drop(columns="colonies"))[0]
    assert "no column 'dose_gy'" in _issues(table.rename(columns={"dose_gy": "dose_cgy"}))[0]
    with pytest.raises(ScienceError, match="wanted a pandas DataFrame, got dict"):
        fit_cooperativity({})  # type: ignore[arg-type]


def test_plates_that_do_not_determine_it() -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})
    few = table[(table["dose_gy"] == 0) | (table["cells_seeded"] > 2000)]
    assert _issues(few) == ["4 Gy: too few seeding densities with colonies; wanted 3 or more, got 2"]
    assert _issues(few, method="ml") == ["4 Gy: too few seeding densities; wanted 3 or more, got 2"]
    assert _issues(table[table["dose_gy"] > 0]) == [
        "no zero-dose plate; wanted controls at three or more seeding densities"
    ]
    assert _issues(table[table["dose_gy"] == 0])[0].startswith("no dose above 0 Gy; wanted one or more")
    empty = table.copy()
    empty.loc[(empty["dose_gy"] == 4) & (empty["cells_seeded"] < 4000), "colonies"] = 0
    assert _issues(empty, method="ml") == [
        "4 Gy: colonies at the densest plates only; wanted colonies at two densities"
    ]
    falling = table.copy()
    falling.loc[falling["dose_gy"] == 4, "colonies"] = falling.loc[falling["dose_gy"] == 4, "colonies"].to_numpy()[::-1]
    (issue,) = _issues(falling)
    assert issue.startswith("4 Gy: more cells give fewer colonies; wanted b above 0, got b = -0.9")


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "20", None, True])
def test_bad_reference_colonies(value: object) -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})
    with pytest.raises(ScienceError, match="not a number of colonies; wanted a number above 0, got"):
        fit_cooperativity(table, reference_colonies=value)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="not a number of colonies"):
        fit_cooperativity(table).survival_at(value)  # type: ignore[arg-type]


def test_unknown_options() -> None:
    table = _made({0.0: (-0.7, 1.0), 4.0: (-3.0, 1.0)})
    with pytest.raises(UnknownName, match="no fit method named 'lsq'"):
        fit_cooperativity(table, method="lsq")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no reference distribution named 'normal'"):
        fit_cooperativity(table, reference="normal")  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="not a confidence level"):
        fit_cooperativity(table, level=1.0)


def test_a_dose_in_cgy_is_flagged() -> None:
    table = _made({0.0: (-0.7, 1.0), 400.0: (-3.0, 1.0)})
    assert any("is it in cGy?" in text for text in fit_cooperativity(table).warnings)


@pytest.mark.full
@pytest.mark.parametrize("method", ["ls", "ml"])
def test_the_intervals_cover(method: str) -> None:
    """95 % intervals of survival hold the truth in 91 to 98 % of 600 made experiments."""
    a0, b0, a1, b1 = -2.0, 1.3, -4.5, 1.5
    truth = math.exp((math.log(40) - a0) / b0 - (math.log(40) - a1) / b1)
    held = 0
    for seed in range(600):
        table = _made({0.0: (a0, b0), 4.0: (a1, b1)}, seed=seed)
        fit = fit_cooperativity(table, method=method, reference_colonies=40)  # type: ignore[arg-type]
        held += truth in fit.survival[0].interval
    assert 0.91 <= held / 600 <= 0.98


def test_exact_power_laws_are_a_perfect_fit() -> None:
    rows = [
        (dose, cells, cells // 2 if dose == 0 else cells // 8) for dose in (0.0, 2.0) for cells in (80, 160, 320, 640)
    ]
    fit = fit_cooperativity(pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"]))
    assert fit.survival[0].value == pytest.approx(0.25, rel=1e-12)
    assert fit.survival[0].log_standard_error == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(FitError):
        fit_cooperativity(pd.DataFrame(rows[:4], columns=["dose_gy", "cells_seeded", "colonies"]))


def test_colonies_that_hardly_follow_the_cells_do_not_limit_survival() -> None:
    rows = [(0.0, 100, 10), (0.0, 1000, 100), (0.0, 10000, 1050), (0.0, 10000, 980)]
    rows += [(1.0, 10, 0), (1.0, 100, 0), (1.0, 100, 38), (1.0, 1000, 406), (1.0, 1000000, 0)]
    fit = fit_cooperativity(pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"]), method="ml")
    found = fit.survival[0].interval
    assert (found.lower, found.upper, found.bounded) == (0.0, math.inf, False)
    assert found.note == "the plates do not limit survival at matched colonies"


def test_no_number_holds_survival_without_a_slope() -> None:
    rows = [(0.0, 100, 10), (0.0, 1000, 100), (0.0, 10000, 1050), (0.0, 10000, 980)]
    rows += [(1.0, 100, 400), (1.0, 1000, 401), (1.0, 10000, 401), (1.0, 10000, 400)]
    with pytest.raises(FitError, match="survival at matched colonies is more than a number can hold, or less"):
        _ = fit_cooperativity(pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"])).survival
