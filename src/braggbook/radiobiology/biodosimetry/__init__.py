"""Biological dosimetry: from aberrations in lymphocytes to dose, as the manual of the IAEA (2011) has it.

Where to look: ``calibration`` (fit a curve), ``curve`` (a published one), ``whole_body``, ``partial_body`` and
``heterogeneous`` (doses of a case), ``limits`` (what can be found at all), ``translocations`` (painted chromosomes),
``exposure`` (protraction), ``dispersion`` (the u test), ``counts`` (what a table must look like). Behind them:
``identity_poisson`` (the likelihood), ``projection`` (a yield on a curve's band). Micronuclei take the same road as
dicentrics.
"""

from braggbook.radiobiology.biodosimetry.calibration import CalibrationFit, fit_calibration
from braggbook.radiobiology.biodosimetry.counts import (
    AberrationCounts,
    CaseCounts,
    case_counts,
    read_calibration_counts,
    read_cases,
)
from braggbook.radiobiology.biodosimetry.curve import CalibrationCurve, CurveRecord, calibration_curve
from braggbook.radiobiology.biodosimetry.dispersion import Dispersion, dispersion, dispersion_table
from braggbook.radiobiology.biodosimetry.exposure import protraction_factor
from braggbook.radiobiology.biodosimetry.heterogeneous import HeterogeneousEstimate, Part, estimate_heterogeneous
from braggbook.radiobiology.biodosimetry.limits import (
    CharacteristicLimits,
    cells_needed,
    characteristic_limits,
    compare_with_control,
)
from braggbook.radiobiology.biodosimetry.partial_body import PartialBodyEstimate, estimate_partial_body, estimate_qdr
from braggbook.radiobiology.biodosimetry.translocations import DNA_CONTENT_MB, genome_factor, genome_share
from braggbook.radiobiology.biodosimetry.whole_body import (
    DoseEstimate,
    estimate_whole_body,
    estimate_whole_body_many,
)

__all__ = [
    "DNA_CONTENT_MB",
    "AberrationCounts",
    "CalibrationCurve",
    "CalibrationFit",
    "CaseCounts",
    "CharacteristicLimits",
    "CurveRecord",
    "Dispersion",
    "DoseEstimate",
    "HeterogeneousEstimate",
    "Part",
    "PartialBodyEstimate",
    "calibration_curve",
    "case_counts",
    "cells_needed",
    "characteristic_limits",
    "compare_with_control",
    "dispersion",
    "dispersion_table",
    "estimate_heterogeneous",
    "estimate_partial_body",
    "estimate_qdr",
    "estimate_whole_body",
    "estimate_whole_body_many",
    "fit_calibration",
    "genome_factor",
    "genome_share",
    "protraction_factor",
    "read_calibration_counts",
    "read_cases",
]
