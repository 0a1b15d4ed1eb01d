"""What a planning system says itself: its histograms (in RTDOSE) and its prescriptions (in RTPLAN).

Sources: DICOM PS3.3 C.8.8.4 (RT DVH module) and C.8.8.10 (RT Prescription module).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pydicom

from braggbook.errors import DicomError, ImagingError, Issue
from braggbook.imaging.dose.histogram import Histogram, from_cumulative

Item = TypeVar("Item")

_STATISTICS = ("DVHMinimumDose", "DVHMaximumDose", "DVHMeanDose")
_FAR = 0.05  # of the curve's own mean: a stated mean farther from it is in another unit
_NOISE = 1e-6  # of the volume: a curve that ends below 0 by less is rounding


@dataclass(frozen=True, eq=False)
class PlannedDvh:
    """A histogram as the planning system wrote it.

    Attributes:
        roi_number: Number of the structure in the structure set.
        dose_units: ``"Gy"`` or ``"1"`` (RELATIVE).
        dose_type: PHYSICAL, EFFECTIVE or ERROR.
        histogram: The curve; volumes in cm3, or in % where ``volume_units`` says so.
        volume_units: ``"cm3"`` or ``"%"``.
        stated: What the file states beside the curve (minimum, maximum, mean), unchanged: some systems write % of the
            prescription there though the unit says Gy.
        notes: Where file and curve disagree.
    """

    roi_number: int
    dose_units: str
    dose_type: str
    histogram: Histogram
    volume_units: str
    stated: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prescription:
    """A dose reference of a plan.

    Attributes:
        number: Of the dose reference.
        kind: TARGET or ORGAN_AT_RISK.
        structure_type: SITE, VOLUME, POINT or COORDINATES.
        description: As the planner wrote it.
        roi_number: Of the structure, for a volume.
        point_mm: LPS mm, for a point.
        target_gy: Prescribed dose of a target.
        maximum_gy: Largest dose that the target or organ may get.
        fractions: Of the plan's fraction groups together.
    """

    number: int
    kind: str
    structure_type: str
    description: str
    roi_number: int | None
    point_mm: tuple[float, float, float] | None
    target_gy: float | None
    maximum_gy: float | None
    fractions: int | None


def planned_dvhs(dataset: pydicom.Dataset, *, where: str = "RTDOSE") -> tuple[PlannedDvh, ...]:
    """Returns the histograms of an RTDOSE dataset, one for each structure that one item names.

    Raises:
        DicomError: Histograms that are not usable, all of them named.
    """
    items, place = dataset.get("DVHSequence") or [], f"{where}: (3004,0050) DVHSequence"
    return _each(items, _planned, where=place, what="histograms that are not usable")


def _each(items: Iterable[pydicom.Dataset], read: Callable[..., Item], *, where: str, what: str) -> tuple[Item, ...]:
    """Returns what is read of each item, or names all that cannot be."""
    found: list[Item] = []
    issues: list[Issue] = []
    for number, item in enumerate(items, start=1):
        place = f"{where}, item {number}"
        try:
            found.append(read(item, place))
        except ImagingError as error:
            issues += error.issues or [Issue(error.what, error.where, error.wanted, error.got)]
        except Exception as error:  # pydicom converts values when they are first used, and raises whatever comes of it
            issues.append(Issue("not usable", where=place, got=f"{type(error).__name__}: {error}"[:100]))
    if issues:
        raise DicomError(what, where=where, issues=issues)
    return tuple(found)


def _planned(item: pydicom.Dataset, where: str) -> PlannedDvh:
    if item.DVHType not in ("CUMULATIVE", "DIFFERENTIAL"):
        wanted = "CUMULATIVE or DIFFERENTIAL"
        raise DicomError("a kind of histogram that is not read", where=where, wanted=wanted, got=str(item.DVHType))
    pairs = np.asarray(item.DVHData, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(pairs).all() or np.any(pairs[:, 0] <= 0) or len(pairs) < 2:
        raise DicomError(
            "not a curve", where=f"{where}: (3004,0058) DVHData", wanted="two bins or more above 0 Gy wide"
        )
    scale = float(item.get("DVHDoseScaling") or 1.0)
    widths, volume = pairs[:, 0] * scale, pairs[:, 1]
    # The first pair of a cumulative curve is the volume at 0, and each pair's width leads to the next.
    doses = np.concatenate([[0.0], np.cumsum(widths)[:-1]])
    above = volume if item.DVHType == "CUMULATIVE" else np.cumsum(volume[::-1])[::-1]
    if not above.max() > 0:
        raise DicomError("a histogram without a volume", where=where, wanted="a volume above 0")
    histogram = from_cumulative(doses, volume_cc=above)
    stated = {key: float(item[key].value) for key in _STATISTICS if item.get(key) is not None}
    referenced = item.DVHReferencedROISequence
    return PlannedDvh(
        roi_number=int(referenced[0].ReferencedROINumber),
        dose_units="Gy" if item.DoseUnits == "GY" else "1",
        dose_type=str(item.get("DoseType", "")),
        histogram=histogram,
        volume_units="%" if item.DVHVolumeUnits == "PERCENT" else "cm3",
        stated=stated,
        notes=_notes(histogram, stated, above),
    )


def _notes(histogram: Histogram, stated: dict[str, float], above: Any) -> tuple[str, ...]:
    notes = []
    mean = stated.get("DVHMeanDose")
    if mean is not None and abs(mean - histogram.mean_gy) > _FAR * max(histogram.mean_gy, histogram.bin_gy):
        notes.append(f"the stated mean, {mean:g}, is not the curve's, {histogram.mean_gy:g}: another unit?")
    if above.min() < -_NOISE * above.max():
        notes.append(f"volumes below 0, down to {above.min():g}, taken for 0")
    return tuple(notes)


def prescriptions_of(dataset: pydicom.Dataset, *, where: str = "RTPLAN") -> tuple[Prescription, ...]:
    """Returns the dose references of an RTPLAN dataset, in the file's order.

    Raises:
        DicomError: Dose references that are not usable, all of them named.
    """
    groups = dataset.get("FractionGroupSequence") or []
    planned = [int(group.NumberOfFractionsPlanned) for group in groups if group.get("NumberOfFractionsPlanned")]
    fractions = sum(planned) if planned else None
    items, place = dataset.get("DoseReferenceSequence") or [], f"{where}: (300A,0010) DoseReferenceSequence"
    what = "dose references that are not usable"
    return _each(items, lambda item, _: _prescription(item, fractions), where=place, what=what)


def _prescription(item: pydicom.Dataset, fractions: int | None) -> Prescription:
    point = item.get("DoseReferencePointCoordinates")
    target = item.get("TargetPrescriptionDose")
    largest = item.get("TargetMaximumDose") or item.get("OrganAtRiskMaximumDose")
    roi = item.get("ReferencedROINumber")
    return Prescription(
        number=int(item.DoseReferenceNumber),
        kind=str(item.get("DoseReferenceType", "")),
        structure_type=str(item.get("DoseReferenceStructureType", "")),
        description=str(item.get("DoseReferenceDescription", "")),
        roi_number=None if roi is None else int(roi),
        point_mm=None if point is None else (float(point[0]), float(point[1]), float(point[2])),
        target_gy=None if target is None else float(target),
        maximum_gy=None if largest is None else float(largest),
        fractions=fractions,
    )
