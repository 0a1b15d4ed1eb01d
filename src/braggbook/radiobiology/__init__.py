"""Radiobiology: pure functions of numbers and tables.

The rooms, one per topic: ``survival`` (curves from colony counts), ``rbe`` (relative biological
effectiveness), ``fractionation`` and ``outcome`` (from dose schedules to control and complication),
``biodosimetry`` (from aberrations to dose), ``damage`` (from strand breaks to repair), ``beams`` (stopping
power, depth dose, LET), ``constants`` (every model constant with its sources) and ``io`` (what other programs
wrote). What nearly every experiment needs, survival and RBE, is also here at the door.
"""

from __future__ import annotations

import importlib
from typing import Any

from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.linear_quadratic import (
    LqParameters,
    alpha_beta_ratio,
    dose_at_effect,
    dose_at_survival,
    mean_inactivation_dose,
    surviving_fraction,
)
from braggbook.radiobiology.rbe import (
    LetKind,
    ProtonRbeModel,
    Rbe,
    RbeEstimate,
    estimate_rbe_at_dose,
    estimate_rbe_at_survival,
    estimate_rbe_max,
    estimate_rbe_min,
    proton_model,
    proton_rbe,
    proton_rbe_models,
    rbe_at_dose,
    rbe_at_survival,
    rbe_max,
    rbe_min,
)
from braggbook.radiobiology.survival import (
    IsoeffectiveDoseRatio,
    SurvivalComparison,
    SurvivalFit,
    compare_survival,
    fit_survival,
    isoeffective_dose_ratio,
    survival_points,
)

_TOPICS = {"beams", "biodosimetry", "constants", "damage", "fractionation", "io", "outcome"}

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


def __getattr__(name: str) -> Any:
    if name in _TOPICS:
        return importlib.import_module(f"braggbook.radiobiology.{name}")
    raise AttributeError(f"module 'braggbook.radiobiology' has no attribute {name!r}")
