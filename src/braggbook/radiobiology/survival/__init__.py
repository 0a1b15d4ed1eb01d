"""Survival curves from colony counts.

Where to look: ``fit`` (fit a curve), ``points`` (plot it), ``comparison`` (two curves), ``intervals`` (every
interval). Behind them: ``colony_counts`` (checks the table), ``curve_model`` (the likelihood),
``count_regression`` (the iteration), ``profile``, ``poisson_slope``.
"""

from braggbook.radiobiology.survival.comparison import (
    IsoeffectiveDoseRatio,
    SurvivalComparison,
    compare_survival,
    isoeffective_dose_ratio,
)
from braggbook.radiobiology.survival.fit import SurvivalFit, fit_survival
from braggbook.radiobiology.survival.points import survival_points

__all__ = [
    "IsoeffectiveDoseRatio",
    "SurvivalComparison",
    "SurvivalFit",
    "compare_survival",
    "fit_survival",
    "isoeffective_dose_ratio",
    "survival_points",
]
