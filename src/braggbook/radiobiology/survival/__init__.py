"""Survival curves from colony counts.

Where to look: ``fit`` (fit an LQ curve), ``models`` and ``model_fit`` (other curves), ``model_choice`` (which one),
``points`` (plot it), ``comparison`` (two curves), ``intervals``, ``bootstrap``, ``derived`` (every interval),
``influence`` (residuals, replicates left out), ``bounded`` (no negative coefficient), ``two_way`` (two
treatments), ``cooperativity`` and ``proportionality`` (cells that help each other),
``batch``, ``batch_profile`` and ``batch_bootstrap`` (many curves at once). Behind them: ``colony_counts``
(checks the table), ``curve_model`` (the likelihood), ``count_regression`` (the iteration), ``profile``,
``poisson_slope``.
"""

from braggbook.radiobiology.survival.batch import SurvivalBatch, fit_survival_batch
from braggbook.radiobiology.survival.batch_bootstrap import BatchBootstrap, bootstrap_batch
from braggbook.radiobiology.survival.batch_profile import BatchProfileIntervals, profile_intervals_batch
from braggbook.radiobiology.survival.bootstrap import SurvivalBootstrap
from braggbook.radiobiology.survival.bounded import BoundedSurvivalFit
from braggbook.radiobiology.survival.comparison import (
    IsoeffectiveDoseRatio,
    SurvivalComparison,
    compare_survival,
    isoeffective_dose_ratio,
)
from braggbook.radiobiology.survival.cooperativity import CooperativityFit, fit_cooperativity
from braggbook.radiobiology.survival.fit import SurvivalFit, fit_survival
from braggbook.radiobiology.survival.influence import SurvivalInfluence
from braggbook.radiobiology.survival.model_choice import SurvivalModelChoice, choose_survival_model
from braggbook.radiobiology.survival.model_fit import SurvivalModelFit, fit_survival_model
from braggbook.radiobiology.survival.models import SurvivalModel, survival_model, survival_models
from braggbook.radiobiology.survival.points import survival_points
from braggbook.radiobiology.survival.proportionality import PlatingProportionality, plating_proportionality
from braggbook.radiobiology.survival.ratio_resampling import RatioBootstrap
from braggbook.radiobiology.survival.two_way import TwoWayFit, fit_two_way

__all__ = [
    "BatchBootstrap",
    "BatchProfileIntervals",
    "BoundedSurvivalFit",
    "CooperativityFit",
    "IsoeffectiveDoseRatio",
    "PlatingProportionality",
    "RatioBootstrap",
    "SurvivalBatch",
    "SurvivalBootstrap",
    "SurvivalComparison",
    "SurvivalFit",
    "SurvivalInfluence",
    "SurvivalModel",
    "SurvivalModelChoice",
    "SurvivalModelFit",
    "TwoWayFit",
    "bootstrap_batch",
    "choose_survival_model",
    "compare_survival",
    "fit_cooperativity",
    "fit_survival",
    "fit_survival_batch",
    "fit_survival_model",
    "fit_two_way",
    "isoeffective_dose_ratio",
    "plating_proportionality",
    "profile_intervals_batch",
    "survival_model",
    "survival_models",
    "survival_points",
]
