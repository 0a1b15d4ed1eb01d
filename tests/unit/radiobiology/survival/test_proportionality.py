"""The test of proportional plating against statsmodels and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.survival import plating_proportionality
from braggbook.radiobiology.survival.colony_counts import read_colony_counts
from braggbook.radiobiology.survival.proportionality import proportionality_warnings


def _controls(
    seed: int, *, b: float = 1.0, dispersion: float = 1.0, replicates: int = 3, plates: int = 2
) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for r in range(replicates):
        for cells in (100, 200, 400, 800):
            mean = 60 * (cells / 200) ** b * np.exp(0.1 * r)
            for _ in range(plates):
                scaled = mean if dispersion == 1 else random.gamma(mean / (dispersion - 1), dispersion - 1)
                rows.append((f"e{r}", 0.0, cells, min(random.poisson(scaled), cells)))
    return pd.DataFrame(rows, columns=["replicate", "dose_gy", "cells_seeded", "colonies"])


def test_slope_and_test_equal_statsmodels() -> None:
    table = _controls(1, b=1.2, dispersion=3.0)
    found = plating_proportionality(table)
    design = np.column_stack([pd.get_dummies(table["replicate"]).to_numpy(float), np.log(table["cells_seeded"])])
    family = sm.families.Poisson()
    full = sm.GLM(table["colonies"], design, family=family).fit(scale="X2", tol=1e-13)
    null = sm.GLM(table["colonies"], design[:, :-1], offset=design[:, -1], family=family).fit(scale="X2", tol=1e-13)
    assert found.b == pytest.approx(full.params.iloc[-1], rel=1e-8)
    assert found.standard_error == pytest.approx(full.bse.iloc[-1], rel=1e-5)
    assert found.f == pytest.approx((null.deviance - full.deviance) / full.scale, rel=1e-5)
    assert (found.df, found.plates, found.replicates) == (20, 24, ("e0", "e1", "e2"))
    # The interval ends where the profile deviance is at its cut-off, which is what the test says of 1.
    assert (1.0 in found.interval) == found.proportional


def test_cooperation_is_flagged_with_its_size() -> None:
    found = plating_proportionality(_controls(2, b=1.3))
    assert not found.proportional
    assert found.doubling_factor == pytest.approx(2 ** (found.b - 1))
    (text,) = found.warnings
    assert text.startswith("colonies are not proportional to the cells seeded at 0 Gy (cells help each other): b = 1.")
    assert text.endswith("so that survival depends on the seeding; see fit_cooperativity")
    assert "dense plates yield too little" in plating_proportionality(_controls(2, b=0.7)).warnings[0]


def test_proportional_plates_say_nothing() -> None:
    found = plating_proportionality(_controls(3))
    assert found.proportional
    assert found.warnings == ()
    assert 1.0 in found.interval


def test_plates_without_colonies_count() -> None:
    table = _controls(4)
    table.loc[table["cells_seeded"] == 100, "colonies"] = 0
    assert plating_proportionality(table).b > 1.2


def test_other_doses_and_lone_replicates_are_not_looked_at() -> None:
    table = _controls(5)
    more = pd.DataFrame(
        [("e9", 0.0, 500, 100), ("e0", 4.0, 900, 30)], columns=["replicate", "dose_gy", "cells_seeded", "colonies"]
    )
    assert plating_proportionality(pd.concat([table, more])) == plating_proportionality(table)
    irradiated = table.assign(dose_gy=4.0)
    assert plating_proportionality(irradiated, dose_gy=4.0).b == plating_proportionality(table).b


def test_perfect_proportionality() -> None:
    rows = [("e0", 0.0, cells, cells // 4) for cells in (40, 80, 160, 320)]
    table = pd.DataFrame(rows, columns=["replicate", "dose_gy", "cells_seeded", "colonies"])
    found = plating_proportionality(table)
    assert (found.proportional, found.p) == (True, 1.0)
    bent = table.assign(colonies=[1, 4, 16, 64])
    assert (plating_proportionality(bent).proportional, plating_proportionality(bent).p) == (False, 0.0)


def test_what_cannot_be_tested_is_named() -> None:
    table = _controls(6)
    with pytest.raises(
        FitError, match=r"0 Gy: proportionality cannot be tested\n  - no replicate has colonies at several"
    ):
        plating_proportionality(table[table["cells_seeded"] == 200])
    with pytest.raises(FitError, match="too few plates; wanted 3 or more, got 2"):
        plating_proportionality(table.iloc[[0, 2]])
    with pytest.raises(ScienceError, match="no plate has this dose; wanted one of 0 Gy, got 2"):
        plating_proportionality(table, dose_gy=2)
    with pytest.raises(FitError, match="only the densest plates have colonies"):
        plating_proportionality(table.assign(colonies=np.where(table["cells_seeded"] == 800, 50, 0)))
    with pytest.raises(ScienceError, match="not a confidence level"):
        plating_proportionality(table, level=5)


def test_the_flag_for_other_fits_never_raises() -> None:
    bent, straight = (read_colony_counts(_controls(7, b=b)) for b in (1.4, 1.0))
    assert len(proportionality_warnings(bent)) == 1
    assert proportionality_warnings(straight) == ()
    one = _controls(7)[lambda t: t["cells_seeded"] == 200]
    assert proportionality_warnings(read_colony_counts(one)) == ()
    assert proportionality_warnings(read_colony_counts(one.assign(dose_gy=1.0))) == ()


@pytest.mark.full
@pytest.mark.parametrize("dispersion", [1.0, 4.0])
def test_the_test_keeps_its_level(dispersion: float) -> None:
    rejected = sum(
        not plating_proportionality(_controls(seed, dispersion=dispersion)).proportional for seed in range(1000)
    )
    # 99.9 % of binomial(1000, 0.05) lies between 28 and 74.
    assert 28 <= rejected <= 74
