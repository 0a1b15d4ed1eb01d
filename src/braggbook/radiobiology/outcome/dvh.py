"""A dose-volume histogram: how much of an organ got which dose.

Kept differential: the part of the volume at each dose. Volumes sum to 1; a histogram that does not is an error until
the caller says that it shall be scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import NOT_NEGATIVE, Floats, checked, checked_table, shortened

# Exported relative volumes carry four digits or more; bins by the hundred add up to this.
_SUM_TOLERANCE = 1e-3
# No prescription reaches this; brachytherapy has single hot bins above it, so it is a warning and not an error.
_DOUBTFUL_DOSE_GY = 150.0
_CUMULATIVE = "the volumes never rise with dose: is it a cumulative histogram?"
_BEGINS_LATE = "it begins at {:g} Gy: the volume there is taken for the whole, none of it below"


@dataclass(frozen=True, eq=False)
class Dvh:
    """A differential dose-volume histogram.

    Attributes:
        dose_gy: Dose of each bin in Gy, shape (bins,), in any order.
        volume: Part of the volume in each bin, shape (bins,), summing to 1.
        warnings: What a reader should know, in sentences.
    """

    dose_gy: Floats
    volume: Floats
    warnings: tuple[str, ...] = ()

    @property
    def mean_gy(self) -> float:
        """Mean dose in Gy."""
        return float(np.sum(self.volume * self.dose_gy))

    @property
    def minimum_gy(self) -> float:
        """Smallest dose of a bin that is not empty, in Gy."""
        return float(np.min(self.dose_gy[self.volume > 0]))

    @property
    def maximum_gy(self) -> float:
        """Largest dose of a bin that is not empty, in Gy."""
        return float(np.max(self.dose_gy[self.volume > 0]))

    def with_dose(self, dose_gy: ArrayLike) -> Dvh:
        """Returns the histogram with other doses in the same bins, for example their EQD2.

        Raises:
            ScienceError: Not one dose for each bin, or a dose is negative or not a number.
        """
        return differential_dvh(dose_gy, volume=self.volume)


def check_dvh(dvh: Dvh) -> None:
    """Raises ScienceError when a histogram is something else, bare doses for example."""
    if not isinstance(dvh, Dvh):
        raise ScienceError(
            "not a histogram", wanted="a Dvh, from differential_dvh, cumulative_dvh or voxel_dvh", got=shortened(dvh)
        )


def differential_dvh(dose_gy: ArrayLike, *, volume: ArrayLike, normalise: bool = False) -> Dvh:
    """Returns the histogram of bins that are given as dose and volume.

    Args:
        dose_gy: Dose of each bin in Gy, 0 or more, shape (bins,).
        volume: Volume of each bin, 0 or more, shape (bins,): parts that sum to 1, or any unit with ``normalise``.
        normalise: Divide the volumes by their sum; volumes that never rise with dose are then a warning.

    Raises:
        ScienceError: A dose or volume is negative or not a number, with its row; the columns differ in length; the
            volumes are all 0, or do not sum to 1 and ``normalise`` is not set.
    """
    dose, part = checked_table({"dose_gy": (dose_gy, NOT_NEGATIVE), "volume": (volume, NOT_NEGATIVE)})
    total = float(part.sum())
    if total <= 0:
        raise ScienceError("no volume", where="volume", wanted="a bin that is not empty", got="0 in all")
    if not normalise and abs(total - 1.0) > _SUM_TOLERANCE:
        raise ScienceError(
            "the volumes do not sum to 1",
            where="volume",
            wanted="relative volumes of a differential histogram, or normalise=True",
            got=f"{total:g}" + (" (a cumulative histogram?)" if _looks_cumulative(dose, part) else ""),
        )
    notes = (_CUMULATIVE,) if normalise and _looks_cumulative(dose, part) else ()
    return Dvh(dose, part / total, notes + _warnings(dose))


def voxel_dvh(dose_gy: ArrayLike) -> Dvh:
    """Returns the histogram of voxels of equal volume, one bin each.

    Args:
        dose_gy: Dose of each voxel in Gy, 0 or more, any shape.

    Raises:
        ScienceError: A dose is negative or not a number, with its place.
    """
    (dose,) = checked({"dose_gy": (dose_gy, NOT_NEGATIVE)})
    flat = np.ravel(dose)
    return Dvh(flat, np.full(flat.size, 1.0 / flat.size), _warnings(flat))


def cumulative_dvh(dose_gy: ArrayLike, *, volume: ArrayLike, normalise: bool = False) -> Dvh:
    """Returns the histogram of a cumulative one: the part of the volume that got at least each dose.

    A bin lies between two doses, at their middle. What lies above the last dose is put at it.

    Args:
        dose_gy: Doses in Gy, increasing from 0, shape (points,).
        volume: Part of the volume with at least this dose, 1 at the first dose and never rising, shape (points,).
        normalise: Divide the volumes by the first, which must be the whole; a first dose above 0 is a warning.

    Raises:
        ScienceError: A number is negative or not one, the doses do not increase, the volume rises, or it does not begin
            at 1 and ``normalise`` is not set; each with its row.
    """
    dose, part = checked_table({"dose_gy": (dose_gy, NOT_NEGATIVE), "volume": (volume, NOT_NEGATIVE)})
    issues = [
        Issue("not above the dose before", where=f"dose_gy, row {i + 2}", got=f"{dose[i + 1]:g}")
        for i in np.flatnonzero(np.diff(dose) <= 0)
    ]
    issues += [
        Issue("more volume than at the dose before", where=f"volume, row {i + 2}", got=f"{part[i + 1]:g}")
        for i in np.flatnonzero(np.diff(part) > 0)
    ]
    if not part[0] > 0 or (not normalise and abs(part[0] - 1.0) > _SUM_TOLERANCE):
        wanted = "1, or normalise=True"
        issues.append(
            Issue("does not begin with the whole volume", where="volume, row 1", wanted=wanted, got=f"{part[0]:g}")
        )
    if issues:
        raise ScienceError("not a cumulative histogram", issues=issues)
    notes = (_BEGINS_LATE.format(dose[0]),) if normalise and dose[0] > 0 else ()
    middles = np.append((dose[:-1] + dose[1:]) / 2.0, dose[-1])
    volumes = np.append(part[:-1] - part[1:], part[-1])
    return Dvh(middles, volumes / part[0], notes + _warnings(dose))


def _looks_cumulative(dose: Floats, volume: Floats) -> bool:
    in_order = volume[np.argsort(dose)]
    return bool(volume.size > 2 and np.all(np.diff(in_order) <= 0) and abs(in_order[0] / volume.max() - 1.0) == 0)


def _warnings(dose: Floats) -> tuple[str, ...]:
    largest = float(np.max(dose))
    return (f"doses up to {largest:g} Gy: are they in cGy?",) if largest > _DOUBTFUL_DOSE_GY else ()
