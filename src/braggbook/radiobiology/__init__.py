"""Cell survival and relative biological effectiveness: pure functions of numbers and tables.

Where to look: ``survival`` (fit a curve to colony counts), ``survival_points`` (plot it),
``survival_comparison`` (two curves), ``survival_intervals`` (every interval), ``linear_quadratic`` (the model
itself), ``rbe`` and ``rbe_uncertainty`` (RBE from LQ pairs), ``proton_rbe`` (published proton models),
``let`` (what kind of LET), ``intervals`` (the interval type and its methods). Behind them: ``colony_counts``
(checks the table), ``curve_model`` (the likelihood), ``count_regression`` (the iteration),
``survival_profile``.
"""

from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.let import LetKind
from braggbook.radiobiology.linear_quadratic import (
    LqParameters,
    alpha_beta_ratio,
    dose_at_effect,
    dose_at_survival,
    mean_inactivation_dose,
    surviving_fraction,
)
from braggbook.radiobiology.proton_rbe import ProtonRbeModel, proton_model, proton_rbe, proton_rbe_models
from braggbook.radiobiology.rbe import Rbe, rbe_at_dose, rbe_at_survival, rbe_max, rbe_min
from braggbook.radiobiology.rbe_uncertainty import (
    RbeEstimate,
    estimate_rbe_at_dose,
    estimate_rbe_at_survival,
    estimate_rbe_max,
    estimate_rbe_min,
)
from braggbook.radiobiology.survival import SurvivalFit, fit_survival
from braggbook.radiobiology.survival_comparison import (
    IsoeffectiveDoseRatio,
    SurvivalComparison,
    compare_survival,
    isoeffective_dose_ratio,
)
from braggbook.radiobiology.survival_points import survival_points

__all__ = [
    "Interval",
    "IsoeffectiveDoseRatio",
    "LetKind",
    "LqParameters",
    "ProtonRbeModel",
    "Rbe",
    "RbeEstimate",
    "SurvivalComparison",
    "SurvivalFit",
    "alpha_beta_ratio",
    "compare_survival",
    "dose_at_effect",
    "dose_at_survival",
    "estimate_rbe_at_dose",
    "estimate_rbe_at_survival",
    "estimate_rbe_max",
    "estimate_rbe_min",
    "fit_survival",
    "isoeffective_dose_ratio",
    "mean_inactivation_dose",
    "proton_model",
    "proton_rbe",
    "proton_rbe_models",
    "rbe_at_dose",
    "rbe_at_survival",
    "rbe_max",
    "rbe_min",
    "survival_points",
    "surviving_fraction",
]
