"""Image numbers that nobody has stated a limit for: shown, and in no score.

Definitions: MRIQC (Esteban et al. 2017, PLoS One 12 e0184661) for EFC and FBER, with the whole foreground by Otsu's
threshold in the place of its head mask; Immerkaer 1996 for noise.
"""

from __future__ import annotations

import numpy as np

from braggbook.formats.quality import MeasurementRecord
from braggbook.imaging.dicom.rescale import pet_unit
from braggbook.imaging.quality.evidence import SeriesEvidence
from braggbook.imaging.quality.statistics import energy_ratio, entropy_focus, sample_of, threshold_of

_UNITS = {"CT": "HU", "MR": "1"}
AIR_HU = -1000.0


def noise_of(series: SeriesEvidence) -> float | None:
    """Returns the median over slices of the noise inside the object."""
    found = [each.noise for _, each in series.measured if each.noise is not None]
    return float(np.median(found)) if found else None


def signal_of(series: SeriesEvidence) -> float | None:
    """Returns the median of the foreground; of CT above air, so that no signal is zero everywhere."""
    sample = sample_of([each for _, each in series.measured])
    threshold = threshold_of(sample)
    if threshold is None:
        return None
    return float(np.median(sample[sample > threshold])) - (AIR_HU if series.modality == "CT" else 0.0)


def snr_of(series: SeriesEvidence) -> float | None:
    """Returns the median of the foreground over its noise; infinite without noise."""
    noise, signal = noise_of(series), signal_of(series)
    if noise is None or signal is None:
        return None
    return signal / noise if noise > 0 else float("inf")


def measurements(found: list[SeriesEvidence]) -> list[MeasurementRecord]:
    """Returns the measurements of all series that have pixels."""
    return [record for series in found for record in _of(series)]


def _unit_of(series: SeriesEvidence) -> str:
    """Returns the unit of a series' values; of PET where all slices name the same."""
    if series.modality != "PT":
        return _UNITS[series.modality]
    units = {pet_unit(each.tags.get("Units")) for each, _ in series.measured}
    return (units.pop() if len(units) == 1 else None) or "unit of the values"


def _of(series: SeriesEvidence) -> list[MeasurementRecord]:
    frames = [each for _, each in series.measured]
    if not frames or series.modality not in ("CT", "MR", "PT"):
        return []
    sample = sample_of(frames)
    threshold = threshold_of(sample)
    unit = _unit_of(series)
    values = {
        "noise": (noise_of(series), unit, "Immerkaer 1996"),
        "SNR": (snr_of(series), "1", "median of the foreground over noise"),
        "low": (min(each.low for each in frames), unit, "smallest value"),
        "high": (max(each.high for each in frames), unit, "largest value"),
    }
    if series.modality != "CT":  # both are defined for magnitudes, which HU are not
        values["EFC"] = (entropy_focus(frames), "1", "Atkinson 1997, as MRIQC")
        ratio = None if threshold is None else energy_ratio(sample, threshold)
        values["FBER"] = (ratio, "1", "MRIQC; absent for a background of zeros")
    return [
        MeasurementRecord(series=series.series.uid, name=name, value=float(value), unit=unit, source=source)
        for name, (value, unit, source) in values.items()
        if value is not None and np.isfinite(value)
    ]
