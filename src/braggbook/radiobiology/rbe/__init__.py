"""Relative biological effectiveness: what it is, from two curves, and from published models.

Where to look: ``definition`` (an RBE and the five things without which it means nothing; RBE from LQ pairs),
``uncertainty`` (its interval), ``proton`` (phenomenological proton models), ``let`` (what kind of LET).
"""

from braggbook.radiobiology.rbe.definition import Rbe, rbe_at_dose, rbe_at_survival, rbe_max, rbe_min
from braggbook.radiobiology.rbe.let import LetKind
from braggbook.radiobiology.rbe.proton import ProtonRbeModel, proton_model, proton_rbe, proton_rbe_models
from braggbook.radiobiology.rbe.uncertainty import (
    RbeEstimate,
    estimate_rbe_at_dose,
    estimate_rbe_at_survival,
    estimate_rbe_max,
    estimate_rbe_min,
)

__all__ = [
    "LetKind",
    "ProtonRbeModel",
    "Rbe",
    "RbeEstimate",
    "estimate_rbe_at_dose",
    "estimate_rbe_at_survival",
    "estimate_rbe_max",
    "estimate_rbe_min",
    "proton_model",
    "proton_rbe",
    "proton_rbe_models",
    "rbe_at_dose",
    "rbe_at_survival",
    "rbe_max",
    "rbe_min",
]
