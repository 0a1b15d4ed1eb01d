"""Dose-volume histograms of structures, sampled as finely as they need, with how much the sampling matters.

Conventions:

- The body is what the contours bound (:mod:`braggbook.imaging.dose.slabs`), or the voxels of a mask, each with the part
  of it that belongs to the structure.
- The dose between its grid's voxels is trilinear. Beyond the outermost voxel centres there is no dose: that part of a
  structure is reported as ``outside_cc``, and is in no volume or mean unless the caller says that it counts as 0 Gy.
- Sampling begins at one sample a dose voxel (for large structures at half as many along each axis) and is refined by
  two until volume, mean, D98%, D50% and D2% stand still; the histograms at one sample a voxel and at the last sampling
  but one are kept beside the last, so that each number shows how much the sampling matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.imaging.dose.histogram import MM3_PER_CC, Histogram, unit_of
from braggbook.imaging.dose.sampling import Bins, Counts, count_layers, count_voxels
from braggbook.imaging.dose.slabs import Between, EndCaps, Layers, box_corners, layers_of
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.structures.contours import Structure
from braggbook.imaging.volumes import grid_of

Outside = Literal["report", "zero", "refuse"]
OUTSIDE: tuple[Outside, ...] = ("report", "zero", "refuse")

BIN_GY = 0.01  # as planning systems export
_BINS_AT_LEAST = 1000  # up to the largest dose around the structure, which for little dose makes finer bins
_MOST_BINS = 2_000_000  # 16 MB a task
_ENOUGH = 6_000  # samples, of which 120 have the largest 2 % of the doses
_HALF = 0.5
_ROUNDING = 0.01  # of a sample along an axis: voxels of one size need not be divided
_DIMS = ("z", "y", "x")
_SAMPLES_AT_MOST = 30_000_000  # about a second on two cores
_MOST_VOXELS = 1e9  # in the box around a structure: 30 s
_MOST_ALONG = 1e5
_CHANGE = 8e-3  # of volume and of the largest dose; halving the pitch leaves a third of it or less
_WATCHED = (98.0, 50.0, 2.0)  # % of the volume
_SUMMARY = ("volume", "mean", "minimum", "maximum", "sd", "D98%", "D95%", "D50%", "D5%", "D2%")


@dataclass(frozen=True)
class Level:
    """One refinement: samples per dose voxel along an axis, how many samples, and what came out."""

    factor: float
    samples: int
    volume_cc: float
    mean_gy: float


@dataclass(frozen=True, eq=False)
class DoseVolumeHistogram:
    """A structure's histogram.

    Attributes:
        name: Of the structure.
        histogram: At the finest sampling.
        native: At one sample a dose voxel.
        coarser: At the last sampling but one, half as fine along each axis or finer.
        levels: Every refinement, the coarsest first.
        outside_cc: Volume of the structure where there is no dose.
        converged: Whether the last refinement changed nothing that matters.
        notes: What a reader should know.
    """

    name: str
    histogram: Histogram
    native: Histogram
    coarser: Histogram
    levels: tuple[Level, ...]
    outside_cc: float
    converged: bool
    notes: tuple[str, ...]

    def metric(self, name: str) -> float:
        """Returns a metric at the finest sampling; see :meth:`braggbook.imaging.dose.histogram.Histogram.metric`."""
        return self.histogram.metric(name)

    def table(self, metrics: Iterable[str] = _SUMMARY) -> pd.DataFrame:
        """Returns metrics, one a row: ``metric``, ``unit``, ``value``, ``native``, ``coarser`` and ``change``.

        ``native`` is the value at one sample a dose voxel: where it is far from ``value``, the dose grid is coarse for
        the structure. ``coarser`` is the value at the last sampling but one; ``change``, which is ``value - coarser``,
        is what the last refinement did: the error of sampling is smaller.

        Raises:
            ImagingError: No such metric.
        """
        names = list(metrics)
        columns = {"value": self.histogram, "native": self.native, "coarser": self.coarser}
        rows = {key: [each.metric(name) for name in names] for key, each in columns.items()}
        table = pd.DataFrame({"metric": names, "unit": [unit_of(name) for name in names], **rows})
        return table.assign(change=table["value"] - table["coarser"])


def dose_volume_histogram(
    dose: xr.DataArray,
    structure: Structure | xr.DataArray,
    *,
    bin_gy: float | None = None,
    between: Between = "shape",
    end_caps: EndCaps = "auto",
    thickness_mm: float | None = None,
    outside: Outside = "report",
) -> DoseVolumeHistogram:
    """Returns a structure's dose-volume histogram.

    Args:
        dose: (z, y, x) Gy.
        structure: With contours; or a volume (z, y, x) of a mask (0 and 1) or of coverage (0 to 1), on any grid.
        bin_gy: Width of the bins; unless given 0.01 Gy, and less for a structure whose dose is below 10 Gy.
        between: What lies between contours: ``"shape"`` blends one into the next, ``"slabs"`` makes steps half way.
        end_caps: What lies beyond the outermost contours: ``"auto"``, ``"half_slice"``, ``"taper"`` or ``"none"``; see
            :mod:`braggbook.imaging.dose.slabs`.
        thickness_mm: Of a structure drawn on one plane; unless given, the distance of planes in its structure set, or
            the dose grid's.
        outside: What to do with the part of the structure that has no dose: leave it out and report it, count it as
            0 Gy, or refuse.

    Raises:
        ImagingError: A dose that is not in Gy, another frame of reference, a structure without a volume or without any
            dose, a mask that is none, too many bins.
    """
    if outside not in OUTSIDE:
        raise ImagingError("no such rule", where="outside", wanted=" or ".join(OUTSIDE), got=str(outside))
    whole = _grid_of_dose(dose)
    notes: tuple[str, ...] = ()
    _check_frame(dose, structure)
    if isinstance(structure, xr.DataArray):
        name, voxels = str(structure.name), _voxels(structure)
        around = _around(dose, whole, voxels.corners_mm, name=name)
        count = _of_voxels(around, voxels)
    else:
        given = thickness_mm if thickness_mm is not None else structure.plane_spacing_mm
        thick = given if given is not None else whole.spacing_mm[0]
        body = layers_of(structure, between=between, end_caps=end_caps, thickness_mm=thick)
        name, notes = structure.name, body.notes
        around = _around(dose, whole, body.corners_mm, name=name)
        count = _of_layers(around, body)
    runs = _refined(count, _bins(around, bin_gy), name=name, halved=isinstance(structure, Structure))
    return _result(runs, name=name, outside=outside, notes=notes)


def _check_frame(dose: xr.DataArray, structure: Structure | xr.DataArray) -> None:
    if isinstance(structure, xr.DataArray):
        found, place = structure.attrs.get("frame_of_reference_uid"), f"{structure.name}: frame_of_reference_uid"
    elif isinstance(structure, Structure):
        found = structure.frame_of_reference_uid
        place = f"{structure.name}: (3006,0024) ReferencedFrameOfReferenceUID"
    else:
        wanted = "a Structure, or a volume of a mask"
        raise ImagingError("not a structure", where="structure", wanted=wanted, got=type(structure).__name__)
    of_dose = dose.attrs.get("frame_of_reference_uid")
    if of_dose and found and of_dose != found:
        raise ImagingError("two frames of reference", where=place, wanted=str(of_dose), got=str(found))


@dataclass(frozen=True, eq=False)
class _Dose:
    """Some slices of a dose, (z, y, x) float64 Gy, and the smallest and the largest dose around a structure."""

    values: Floats
    grid: Grid
    low_gy: float
    high_gy: float


@dataclass(frozen=True, eq=False)
class _Run:
    """One sampling: samples per dose voxel along an axis, what was counted, and the histogram of it."""

    factor: float
    counts: Counts
    histogram: Histogram

    @property
    def level(self) -> Level:
        return Level(self.factor, self.counts.samples, self.histogram.volume_cc, self.histogram.mean_gy)


_Count = Callable[[Bins, float], Counts]


def _grid_of_dose(dose: xr.DataArray) -> Grid:
    if not isinstance(dose, xr.DataArray):
        wanted = "a volume, as read_dose returns"
        raise ImagingError("not a dose", where="dose", wanted=wanted, got=type(dose).__name__)
    if dose.dims != _DIMS:
        wanted = "dimensions z, y, x in this order"
        raise ImagingError("not one dose", where=str(dose.name), wanted=wanted, got=str(dose.dims))
    if dose.attrs.get("units") != "Gy":
        got = str(dose.attrs.get("units"))
        raise ImagingError("not a dose in Gy", where=f"{dose.name}.attrs['units']", wanted="Gy", got=got)
    return grid_of(dose)


def _around(dose: xr.DataArray, grid: Grid, corners_mm: Floats, *, name: str) -> _Dose:
    """Returns the part of a dose that a body's samples can need."""
    index = grid.to_index(corners_mm)[:, ::-1]
    wide = np.ptp(index, axis=0) + 1
    if wide.max() > _MOST_ALONG or wide.prod() > _MOST_VOXELS:
        got = " x ".join(f"{size:.3g}" for size in wide)
        wanted = f"a box of at most {_MOST_VOXELS:.0e} dose voxels, {_MOST_ALONG:.0e} along an axis"
        raise ImagingError("a structure too large for its dose", where=name, wanted=wanted, got=got)
    first = np.maximum(np.floor(index.min(axis=0)).astype(np.int64) - 1, 0)
    last = np.minimum(np.ceil(index.max(axis=0)).astype(np.int64) + 2, grid.shape)
    if (first >= last).any():
        raise _no_dose(name, "all of it beyond the dose grid")
    # Whole slices are one piece of memory, so that nothing is copied; doses are looked at in the box only.
    values = np.ascontiguousarray(dose.data[int(first[0]) : int(last[0])], dtype=np.float64)
    box = values[:, int(first[1]) : int(last[1]), int(first[2]) : int(last[2])]
    low, high = float(np.fmin.reduce(box, axis=None)), float(np.fmax.reduce(box, axis=None))
    if np.isnan(low):
        raise _no_dose(name, "NaN everywhere around it")
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImagingError("a dose without numbers", where=str(dose.name), wanted="finite Gy, NaN where unknown")
    return _Dose(values, grid.cropped((int(first[0]), 0, 0), (len(values), *grid.shape[1:])), low, high)


def _no_dose(name: str, got: str) -> ImagingError:
    return ImagingError("no dose in the structure", where=name, wanted="a structure inside the dose grid", got=got)


def _of_layers(dose: _Dose, body: Layers) -> _Count:
    return lambda bins, factor: count_layers(dose.values, dose.grid, body, bins=bins, factor=factor)


@dataclass(frozen=True, eq=False)
class _Voxels:
    """A mask's voxels: their grid, indices (n, 3) as (x, y, z), and how much of each is in, (n,)."""

    of: Grid
    index: npt.NDArray[np.int64]
    part: Floats

    @property
    def corners_mm(self) -> Floats:
        """(8, 3) LPS mm of the box around them."""
        return self.of.to_patient(box_corners(self.index.min(axis=0) - 0.5, self.index.max(axis=0) + 0.5))


def _voxels(mask: xr.DataArray) -> _Voxels:
    if mask.dims != _DIMS:
        wanted = "dimensions z, y, x in this order"
        raise ImagingError("not one mask", where=str(mask.name), wanted=wanted, got=str(mask.dims))
    part = np.asarray(mask.values)
    if part.dtype != np.bool_ and not ((part >= 0) & (part <= 1)).all():
        wanted = "0 and 1, or parts between them"
        got = f"{part.min():g} to {part.max():g}"
        raise ImagingError("not a mask", where=str(mask.name), wanted=wanted, got=got)
    index = np.argwhere(part)  # (z, y, x) of what is not 0
    if not len(index):
        raise ImagingError("a structure without a volume", where=str(mask.name), wanted="voxels above 0")
    inside = part[tuple(index.T)].astype(np.float64)
    return _Voxels(grid_of(mask), np.ascontiguousarray(index[:, ::-1]), inside)


def _of_voxels(dose: _Dose, voxels: _Voxels) -> _Count:
    # A mask finer than the dose is native at its own voxels.
    larger = max(1.0, (voxels.of.voxel_mm3 / dose.grid.voxel_mm3) ** (1 / 3))

    def count(bins: Bins, factor: float) -> Counts:
        divide = max(1, int(np.ceil(factor * larger - _ROUNDING)))
        where, parts = voxels.index, voxels.part
        return count_voxels(dose.values, dose.grid, index=where, part=parts, of=voxels.of, bins=bins, divide=divide)

    return count


def _bins(dose: _Dose, width: float | None) -> Bins:
    if width is not None and not (isinstance(width, Real) and 0 < width < np.inf):
        raise ImagingError("not a width of bins", where="bin_gy", wanted="Gy above 0", got=str(width))
    if width is None:
        width = min(BIN_GY, max(abs(dose.low_gy), abs(dose.high_gy)) / _BINS_AT_LEAST) or BIN_GY
    first = min(0.0, float(np.floor(dose.low_gy / width)) * width)
    count = (dose.high_gy - first) / width + 2
    if count > _MOST_BINS:
        wanted = f"at most {_MOST_BINS} bins; wider ones"
        raise ImagingError("too many bins", where="bin_gy", wanted=wanted, got=f"{count:.3g} of {width:g} Gy")
    return Bins(first, width, int(count))


def _refined(count: _Count, bins: Bins, *, name: str, halved: bool) -> list[_Run]:
    """Returns the runs at growing factors until nothing changes that matters, or there would be too many samples.

    Where the first has enough samples, and they can be ``halved`` along each axis, that is what it is compared with.
    """
    runs = [_run(count, bins, 1.0, name=name)]
    if halved and runs[0].counts.samples >= _ENOUGH:
        runs.insert(0, _run(count, bins, _HALF, name=name))
    factor = 1.0
    while len(runs) < 2 or runs[-1].counts.samples < _ENOUGH or not _still(runs[-2], runs[-1]):
        samples = runs[-1].counts.samples
        few = samples < _ENOUGH / 8  # then to so many at once that twice as many along each axis are enough
        factor *= (_ENOUGH / 3 / samples) ** (1 / 3) if few else 2.0
        if samples * (factor / runs[-1].factor) ** 3 > _SAMPLES_AT_MOST:
            break
        runs.append(_run(count, bins, factor, name=name))
    return runs


def _run(count: _Count, bins: Bins, factor: float, *, name: str) -> _Run:
    counts = count(bins, factor)
    if not counts.volume_mm3.any():
        if not counts.outside_mm3 > 0:
            raise ImagingError("a structure without a volume", where=name, wanted="contours around an area")
        raise _no_dose(name, f"{counts.outside_mm3 / MM3_PER_CC:.3g} cm3 of it without one")
    return _Run(factor, counts, _histogram(counts, bins))


def _still(before: _Run, after: _Run) -> bool:
    one, other = before.histogram, after.histogram
    volumes = [run.histogram.volume_cc + run.counts.outside_mm3 / MM3_PER_CC for run in (before, after)]
    doses = [np.append(each.dose_at_percent(_WATCHED), each.mean_gy) for each in (one, other)]
    largest = max(abs(other.maximum_gy), abs(other.minimum_gy))
    return bool(
        abs(volumes[1] - volumes[0]) <= _CHANGE * volumes[1] and np.abs(doses[1] - doses[0]).max() <= _CHANGE * largest
    )


def _histogram(counts: Counts, bins: Bins) -> Histogram:
    edges: Floats = bins.first_gy + bins.width_gy * np.arange(bins.count + 1, dtype=np.float64)
    middle: Floats = (edges[:-1] + edges[1:]) / 2
    mean = np.divide(counts.dose_volume, counts.volume_mm3, out=middle, where=counts.volume_mm3 > 0)
    return Histogram(edges, counts.volume_mm3 / MM3_PER_CC, mean, counts.minimum_gy, counts.maximum_gy)


def _result(runs: list[_Run], *, name: str, outside: Outside, notes: tuple[str, ...]) -> DoseVolumeHistogram:
    beyond = runs[-1].counts.outside_mm3 / MM3_PER_CC
    converged = len(runs) > 1 and _still(runs[-2], runs[-1])
    if beyond > 0:
        message = f"{beyond:.4g} cm3 of the structure have no dose"
        if outside == "refuse":
            raise ImagingError(message, where=name, wanted="a structure inside the dose grid")
        notes = (*notes, f"{message} and " + ("count as 0 Gy" if outside == "zero" else "are left out"))
    if not converged:
        notes = (*notes, f"not seen to stand still: no more than {runs[-1].counts.samples} samples")
    if outside == "zero":
        runs = [_with_zero(run) for run in runs]
    native = next(run for run in runs if run.factor >= 1)
    coarser = runs[-2] if len(runs) > 1 else runs[-1]
    levels = tuple(run.level for run in runs)
    return DoseVolumeHistogram(
        name, runs[-1].histogram, native.histogram, coarser.histogram, levels, beyond, converged, notes
    )


def _with_zero(run: _Run) -> _Run:
    """Returns the run with what is outside in the bin of 0 Gy."""
    beyond, old = run.counts.outside_mm3 / MM3_PER_CC, run.histogram
    if not beyond > 0:
        return run
    edges = old.edges_gy
    at = min(int(np.searchsorted(edges, 0.0, side="right")) - 1, len(old.differential_cc) - 1)
    cc, mean = old.differential_cc.copy(), old.bin_mean_gy.copy()
    mean[at] *= cc[at] / (cc[at] + beyond)
    cc[at] += beyond
    low, high = min(0.0, old.minimum_gy), max(0.0, old.maximum_gy)
    return _Run(run.factor, run.counts, Histogram(edges, cc, mean, low, high))


def conformity(target: Histogram, *, body: Histogram, prescription_gy: float) -> pd.Series:
    """Returns indices of how well a prescription isodose fits a target.

    With TV the target's volume, PIV the body's volume at or above the prescription and TV_PIV the target's:

    - ``rtog``: PIV / TV (E. Shaw et al., Int J Radiat Oncol Biol Phys 27 (1993) 1231-1239);
    - ``coverage``: TV_PIV / TV;
    - ``paddick``: TV_PIV^2 / (TV PIV) (I. Paddick, J Neurosurg 93 Suppl 3 (2000) 219-222), 1 is perfect.

    Args:
        target: The target's histogram.
        body: The histogram of all that the isodose may lie in, the body's contour.
        prescription_gy: The dose of the isodose.

    Raises:
        ImagingError: Nothing of the body gets the prescription, or it is not above 0.
    """
    if not prescription_gy > 0:
        got = f"{prescription_gy:g}"
        raise ImagingError("not a prescription", where="prescription_gy", wanted="Gy above 0", got=got)
    isodose = float(body.volume_cc_at(prescription_gy))
    if not isodose > 0:
        wanted, got = f"{prescription_gy:g} Gy somewhere in the body", f"{body.maximum_gy:g} Gy at most"
        raise ImagingError("an isodose without a volume", wanted=wanted, got=got)
    covered, volume = float(target.volume_cc_at(prescription_gy)), target.volume_cc
    indices = {
        "rtog": isodose / volume,
        "coverage": covered / volume,
        "paddick": covered**2 / (volume * isodose),
    }
    return pd.Series(indices, name=f"{prescription_gy:g} Gy")
