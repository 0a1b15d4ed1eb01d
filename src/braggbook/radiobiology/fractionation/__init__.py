"""Fractionation and dose rate: schedules of equal effect.

Where to look: ``isoeffect`` (BED, EQD2, LQ-L, RBE-weighted), ``repair`` (several fractions a day), ``dose_rate``
(Lea-Catcheside, any times and rates, implants), ``repopulation``, ``estimate`` (with the interval of alpha/beta carried
through), ``kinetic`` (LPL and RMR survival).
"""

from braggbook.radiobiology.fractionation.dose_rate import (
    bed_continuous,
    bed_of_implant,
    bed_of_schedule,
    protraction_factor,
    protraction_factor_of_decay,
    protraction_factor_of_profile,
)
from braggbook.radiobiology.fractionation.estimate import IsoeffectEstimate, estimate_isoeffect
from braggbook.radiobiology.fractionation.isoeffect import (
    alpha_beta_of_isoeffect,
    bed,
    bed_linear_quadratic_linear,
    bed_rbe_weighted,
    dose_per_fraction_at_bed,
    eqd2,
    eqdx,
    eqdx_of_bed,
    fractions_at_bed,
)
from braggbook.radiobiology.fractionation.kinetic import lpl_survival_at_rate, rmr_survival_at_rate
from braggbook.radiobiology.fractionation.repair import (
    Repair,
    bed_with_incomplete_repair,
    incomplete_repair_factor,
)
from braggbook.radiobiology.fractionation.repopulation import (
    bed_with_repopulation,
    implant_effective_time,
    repopulation_loss,
)

__all__ = [
    "IsoeffectEstimate",
    "Repair",
    "alpha_beta_of_isoeffect",
    "bed",
    "bed_continuous",
    "bed_linear_quadratic_linear",
    "bed_of_implant",
    "bed_of_schedule",
    "bed_rbe_weighted",
    "bed_with_incomplete_repair",
    "bed_with_repopulation",
    "dose_per_fraction_at_bed",
    "eqd2",
    "eqdx",
    "eqdx_of_bed",
    "estimate_isoeffect",
    "fractions_at_bed",
    "implant_effective_time",
    "incomplete_repair_factor",
    "lpl_survival_at_rate",
    "protraction_factor",
    "protraction_factor_of_decay",
    "protraction_factor_of_profile",
    "repopulation_loss",
    "rmr_survival_at_rate",
]
