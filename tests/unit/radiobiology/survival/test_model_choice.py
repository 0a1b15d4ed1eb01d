"""Ranking of survival models by QAICc."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology.survival import choose_survival_model, fit_survival_model


def test_the_table_is_what_its_formula_says(cal33: pd.DataFrame) -> None:
    names = ["exponential", "lq", "lq_cubic", "multi_target"]
    choice = choose_survival_model(cal33, models=names)
    fits = {name: fit_survival_model(cal33, model=name) for name in names}
    phi = fits["lq_cubic"].dispersion
    assert (choice.richest, choice.dispersion) == ("lq_cubic", pytest.approx(phi))
    expected = {}
    for name, parameters in zip(names, (1, 2, 3, 2), strict=True):
        k = parameters + 4 + 1  # the curve, four plating efficiencies, the dispersion
        expected[name] = fits[name].deviance / phi + 2 * k + 2 * k * (k + 1) / (24 - k - 1)
    table = choice.table.set_index("model")
    assert table["qaicc"].to_dict() == pytest.approx(expected)
    assert table["fitted_numbers"].to_dict() == {"exponential": 6, "lq": 7, "lq_cubic": 8, "multi_target": 7}
    assert list(choice.fits) == sorted(names, key=expected.__getitem__)
    assert choice.table["delta"].iloc[0] == 0.0
    weights = np.exp(-0.5 * table["delta"])
    assert table["weight"].to_numpy() == pytest.approx((weights / weights.sum()).to_numpy())
    assert choice.best.model.name == choice.table["model"].iloc[0] == "multi_target"


def test_pooled_plating_efficiencies_are_not_counted(cal33: pd.DataFrame) -> None:
    choice = choose_survival_model(cal33, models=["lq", "multi_target"], plating="pooled")
    assert choice.table["fitted_numbers"].to_list() == [3, 3]
    assert choice.plating == "pooled"


@pytest.mark.full
def test_all_models_without_the_same_curve_twice(cal33: pd.DataFrame) -> None:
    choice = choose_survival_model(cal33)
    assert "universal" not in choice.fits
    assert "lq_l" in choice.fits
    assert not choice.fits[choice.richest].at_limit
    with pytest.raises(ScienceError, match="more than one with the curves of lq_l"):
        choose_survival_model(cal33, models=["lq_l", "universal"])


def test_models_that_the_plates_cannot_support_are_named(cal33: pd.DataFrame) -> None:
    few = cal33[cal33["dose_gy"].isin([0, 1, 2, 4])]
    choice = choose_survival_model(few, models=["lq", "induced_repair"])
    assert list(choice.fits) == ["lq"]
    reason = choice.left_out["induced_repair"]
    assert "too few doses for alpha_r_per_gy, alpha_s_per_gy, dc_gy and beta_per_gy2" in reason
    assert "wanted at least 5 different doses, got 0, 1, 2, 4 Gy" in reason
    assert choice.warnings[0].startswith("induced_repair is not judged: these plates do not determine")
    with pytest.raises(FitError, match="no survival model can be judged") as caught:
        choose_survival_model(cal33[cal33["dose_gy"] == 1], models=["lq"])
    assert "lq: these plates do not determine" in str(caught.value)


def test_too_few_plates_for_the_correction_are_named(cal33: pd.DataFrame) -> None:
    one = cal33[(cal33["replicate"] == "e2") & (cal33["dose_gy"] < 6)]
    choice = choose_survival_model(one, models=["exponential", "lq"])
    assert list(choice.fits) == ["exponential"]
    assert choice.left_out == {"lq": "too few plates for QAICc: 5 with 4 fitted numbers, wanted at least 6"}


def test_a_dispersion_below_one_is_taken_as_one() -> None:
    doses = np.arange(7.0)
    survival = np.exp(-0.3 * doses - 0.03 * doses**2)
    table = pd.DataFrame({"dose_gy": doses, "cells_seeded": np.round(400 / survival)})
    table = pd.concat([table.assign(replicate=label, colonies=200) for label in "abc"])
    choice = choose_survival_model(table, models=["lq", "lq_cubic"])
    assert choice.dispersion == 1.0
    assert "taken with 1" in choice.warnings[-1]
    assert choice.best.model.name == "lq"


@pytest.mark.parametrize("models", [[], "lq", ["lq", "lq"]])
def test_candidates_are_checked(cal33: pd.DataFrame, models: list[str]) -> None:
    with pytest.raises(ScienceError):
        choose_survival_model(cal33, models=models)


def test_unknown_candidates_are_refused(cal33: pd.DataFrame) -> None:
    with pytest.raises(UnknownName):
        choose_survival_model(cal33, models=["lq", "lqq"])


@pytest.mark.full
def test_the_true_model_wins_most_often() -> None:
    """Multi-target survival over five decades is told from LQ; LQ is not replaced by richer curves."""
    doses = np.array([0.0, 1, 2, 3, 4, 6, 8, 10])
    generator = np.random.default_rng(11)
    won = {"multi_target": 0, "lq": 0}
    for truth in won:
        effect = 0.25 * doses + 0.03 * doses**2
        survival = 1 - (1 - np.exp(-doses / 1.2)) ** 6 if truth == "multi_target" else np.exp(-effect)
        for _ in range(8):
            cells = np.round(300 / survival)
            tables = [
                pd.DataFrame(
                    {
                        "replicate": label,
                        "dose_gy": doses,
                        "cells_seeded": cells,
                        "colonies": generator.poisson(0.5 * cells * survival),
                    }
                )
                for label in "abcd"
            ]
            choice = choose_survival_model(pd.concat(tables), models=["exponential", "lq", "lq_cubic", "multi_target"])
            won[truth] += choice.best.model.name == truth
    assert min(won.values()) >= 6
