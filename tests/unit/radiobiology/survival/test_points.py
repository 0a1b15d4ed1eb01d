"""Observed survival for the plot: counts with honest limits, zero colonies included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology import fit_survival, survival_points


def test_points_are_normalised_by_the_replicates_plating_efficiency(cal33: pd.DataFrame) -> None:
    points = survival_points(fit_survival(cal33, plating="pooled"))
    assert len(points) == len(cal33)
    zero = points[points["dose_gy"] == 0]
    assert zero["survival"].to_numpy() == pytest.approx(np.ones(4))
    assert points["survival"][1] == pytest.approx((284 / 1800) / (182 / 900))
    fitted = survival_points(fit_survival(cal33))
    assert fitted["survival"][0] == pytest.approx((182 / 900) / np.exp(-1.6596129204))


def test_an_empty_plate_has_an_upper_limit(cal33: pd.DataFrame) -> None:
    cal33.loc[5, "colonies"] = 0
    point = survival_points(fit_survival(cal33)).loc[5]
    assert (point["survival"], point["lower"]) == (0.0, 0.0)
    efficiency = fit_survival(cal33).log_plating_efficiencies["e1"]
    assert point["upper"] == pytest.approx(3.688879 / (30000 * np.exp(efficiency)), rel=1e-6)


def test_limits_enclose_the_points_and_follow_the_level(okf6: pd.DataFrame) -> None:
    fit = fit_survival(okf6)
    wide, narrow = survival_points(fit, level=0.99), survival_points(fit, level=0.5)
    assert (wide["lower"] < narrow["lower"]).all()
    assert (narrow["lower"] < narrow["survival"]).all()
    assert (narrow["survival"] < narrow["upper"]).all()
    assert (narrow["upper"] < wide["upper"]).all()


def test_points_are_those_of_a_fit(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="not a survival fit; wanted what fit_survival returns, got DataFrame"):
        survival_points(cal33)  # type: ignore[arg-type]
