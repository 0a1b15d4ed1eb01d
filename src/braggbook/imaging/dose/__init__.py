"""Dose: DICOM RTDOSE in and out, dose-volume histograms, gamma, biological dose.

Where to look: ``grids`` (files, sums, other grids), ``dvh`` and ``histogram`` (histograms and what is read off them),
``gamma`` (two doses compared), ``biological`` (BED, EQD2, RBE-weighted dose), ``planned`` (what a planning system says
itself), ``slabs`` (by which rules contours bound a body).
"""

from braggbook.imaging.dose.biological import alpha_beta_map, bed_map, eqd2_map, rbe_weighted_map
from braggbook.imaging.dose.dvh import DoseVolumeHistogram, conformity, dose_volume_histogram
from braggbook.imaging.dose.gamma import PassRate, gamma_index, pass_rate
from braggbook.imaging.dose.grids import (
    dose_to_grid,
    read_dose,
    read_planned_dvhs,
    read_prescriptions,
    sum_doses,
    write_dose,
)
from braggbook.imaging.dose.histogram import Histogram, from_cumulative
from braggbook.imaging.dose.planned import PlannedDvh, Prescription

__all__ = [
    "DoseVolumeHistogram",
    "Histogram",
    "PassRate",
    "PlannedDvh",
    "Prescription",
    "alpha_beta_map",
    "bed_map",
    "conformity",
    "dose_to_grid",
    "dose_volume_histogram",
    "eqd2_map",
    "from_cumulative",
    "gamma_index",
    "pass_rate",
    "rbe_weighted_map",
    "read_dose",
    "read_planned_dvhs",
    "read_prescriptions",
    "sum_doses",
    "write_dose",
]
