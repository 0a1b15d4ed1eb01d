"""Beams: stopping power, range, depth dose and LET.

Where to look: ``stopping_power`` (protons in water: PSTAR), ``ion_stopping`` (LET of ions from hydrogen to neon in
water, and the energies that have a LET), ``bortfeld`` (Bragg curve in closed form), ``wilkens`` (LET in closed form),
``depth_dose`` (R80, peak and the like), ``let_units`` (LET in one unit), ``depth_curve`` and ``reconcile`` (several
codes at the same depth).
"""

from braggbook.radiobiology.beams.bortfeld import ProtonBeam, bortfeld_dose, proton_beam
from braggbook.radiobiology.beams.depth_curve import DepthCurve, depth_curves
from braggbook.radiobiology.beams.depth_dose import DepthDoseSummary, distal_depth, summarize_depth_dose
from braggbook.radiobiology.beams.ion_stopping import (
    check_let,
    effective_charge,
    energies_at_let,
    ion_energies_mev_u,
    ion_stopping_power,
    let_kev_um_from_mev_cm,
    relative_velocity,
)
from braggbook.radiobiology.beams.let_units import let_in_kev_um
from braggbook.radiobiology.beams.reconcile import Outlier, Reconciliation, reconcile
from braggbook.radiobiology.beams.stopping_power import (
    proton_csda_range,
    proton_energy_from_range,
    proton_let,
    proton_stopping_power,
    pstar_water,
)
from braggbook.radiobiology.beams.wilkens import wilkens_let

__all__ = [
    "DepthCurve",
    "DepthDoseSummary",
    "Outlier",
    "ProtonBeam",
    "Reconciliation",
    "bortfeld_dose",
    "check_let",
    "depth_curves",
    "distal_depth",
    "effective_charge",
    "energies_at_let",
    "ion_energies_mev_u",
    "ion_stopping_power",
    "let_in_kev_um",
    "let_kev_um_from_mev_cm",
    "proton_beam",
    "proton_csda_range",
    "proton_energy_from_range",
    "proton_let",
    "proton_stopping_power",
    "pstar_water",
    "reconcile",
    "relative_velocity",
    "summarize_depth_dose",
    "wilkens_let",
]
