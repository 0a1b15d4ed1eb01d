"""From DNA damage through repair to survival.

Where to look: ``breaks`` (yields per Gy and cell, complexity, chromosomes), ``foci`` (counts of gamma-H2AX foci
against time and dose, fitted), ``foci_overlap`` (foci that hide each other), ``repair`` (repair-misrepair,
lethal-potentially lethal and repair-misrepair-fixation models), ``propagation`` (their uncertainty). Files of damage
are read by :mod:`braggbook.radiobiology.io.sdd`. Behind them: ``foci_counts`` (checks the table of counts),
``foci_likelihood`` (the negative binomial likelihood).
"""

from braggbook.radiobiology.damage.breaks import (
    DamageYield,
    DamageYields,
    chromosome_counts,
    classify_breaks,
    damage_yields,
)
from braggbook.radiobiology.damage.foci import FociFit, fit_foci
from braggbook.radiobiology.damage.foci_overlap import mean_tracks, overlap_corrected, resolvable_foci
from braggbook.radiobiology.damage.propagation import LethalityEstimate, RepairUncertainty, propagate_yields
from braggbook.radiobiology.damage.repair import (
    FixationParameters,
    LplParameters,
    RmrParameters,
    fixation_from_survival,
    fixation_lq,
    lpl_lq,
    lpl_survival,
    mean_specific_energy_gy,
    rmr_survival,
)

__all__ = [
    "DamageYield",
    "DamageYields",
    "FixationParameters",
    "FociFit",
    "LethalityEstimate",
    "LplParameters",
    "RepairUncertainty",
    "RmrParameters",
    "chromosome_counts",
    "classify_breaks",
    "damage_yields",
    "fit_foci",
    "fixation_from_survival",
    "fixation_lq",
    "lpl_lq",
    "lpl_survival",
    "mean_specific_energy_gy",
    "mean_tracks",
    "overlap_corrected",
    "propagate_yields",
    "resolvable_foci",
    "rmr_survival",
]
