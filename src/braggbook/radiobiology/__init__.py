"""Radiobiology: pure functions of numbers and tables.

The rooms, one per topic: ``survival`` (curves from colony counts), ``rbe`` (relative biological
effectiveness), ``fractionation`` and ``outcome`` (from dose schedules to control and complication), ``oxygen``,
``biodosimetry`` (from aberrations to dose), ``damage`` (from strand breaks to repair), ``beams`` (stopping
power, depth dose, LET), ``constants`` (every model constant with its sources) and ``io`` (what other programs
wrote). What nearly every experiment needs, all of survival and RBE, is also here at the door; the other topics
are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from braggbook.radiobiology import rbe, survival
from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.linear_quadratic import (
    LqParameters,
    alpha_beta_ratio,
    dose_at_effect,
    dose_at_survival,
    mean_inactivation_dose,
    surviving_fraction,
)
from braggbook.radiobiology.rbe import *  # noqa: F403
from braggbook.radiobiology.survival import *  # noqa: F403

if TYPE_CHECKING:
    from braggbook.radiobiology import beams, biodosimetry, constants, damage, fractionation, io, outcome, oxygen

_TOPICS = {"beams", "biodosimetry", "constants", "damage", "fractionation", "io", "outcome", "oxygen"}

__all__ = [
    "Interval",
    "LqParameters",
    "alpha_beta_ratio",
    "beams",
    "biodosimetry",
    "constants",
    "damage",
    "dose_at_effect",
    "dose_at_survival",
    "fractionation",
    "io",
    "mean_inactivation_dose",
    "outcome",
    "oxygen",
    "rbe",
    "survival",
    "surviving_fraction",
]
__all__ += rbe.__all__
__all__ += survival.__all__


def __getattr__(name: str) -> Any:
    if name in _TOPICS:
        return importlib.import_module(f"braggbook.radiobiology.{name}")
    raise AttributeError(f"module 'braggbook.radiobiology' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
