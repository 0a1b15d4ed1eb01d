"""Dose from and to DICOM RTDOSE, sums of doses, and dose on other grids.

Conventions:

- A dose is a volume named ``dose`` with ``units`` ``"Gy"``, or ``"1"`` where DoseUnits is RELATIVE: the two never mix.
- What else may not mix stays in its attributes: ``dose_type`` (PHYSICAL, EFFECTIVE, ERROR), ``summation_type`` (PLAN,
  BEAM, FRACTION, ...), ``frame_of_reference_uid``.
- Numbers are float64: the 32 bits that a planning system writes do not fit into a float32.
- Dose is brought to the grid of an image, never an image to that of a dose; nothing does so unasked.

Source: DICOM PS3.3 C.8.8.3 (RT Dose module) and C.8.8.3.2 (Grid Frame Offset Vector).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pydicom
import xarray as xr

from braggbook.errors import BraggbookError, DicomError, ImagingError, Issue
from braggbook.files import write_bytes
from braggbook.imaging.dicom.bounded import read_dataset
from braggbook.imaging.dose.encode import encode_dose
from braggbook.imaging.dose.planned import PlannedDvh, Prescription, planned_dvhs, prescriptions_of
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.resample import resample
from braggbook.imaging.volumes import grid_of, make_volume

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
UNITS = {"GY": "Gy", "RELATIVE": "1"}
DOSE_TYPES = ("PHYSICAL", "EFFECTIVE", "ERROR")
_SAME_MM = 1e-3  # offsets and positions are decimal strings
_EVEN = 0.01  # mm; planning systems write offsets with two digits
_PREFIX_END = 132  # bytes of the preamble and DICM
_MOST_BYTES = 1 << 32  # of an object; a plain element cannot be longer
_MOST_VOXELS = 500_000_000  # 4 GB as float64
Irregular = Literal["refuse", "resample"]
Decoded = TypeVar("Decoded")


def read_dose(path: Path | str, *, irregular: Irregular = "refuse") -> xr.DataArray:
    """Reads an RTDOSE file.

    Args:
        path: The file.
        irregular: What to do when its planes are at uneven distances: refuse, or bring it by linear interpolation to
            the smallest distance, which ``attrs["resampled"]`` then tells.

    Returns:
        (z, y, x) float64 in Gy, or of unit 1 where the file is RELATIVE; slices in the order of the normal
        row x column, whatever order the file has.

    Raises:
        DicomError: Not a DICOM file or not an RTDOSE; tags that are missing or contradict each other (all are named);
            truncated pixels; planes at uneven distances.
    """
    dataset = _read(path, wanted=RT_DOSE, kind="an RTDOSE file")
    return decode_dose(dataset, where=str(path), irregular=irregular)


def decode_dose(dataset: pydicom.Dataset, *, where: str = "RTDOSE", irregular: Irregular = "refuse") -> xr.DataArray:
    """Returns the dose of an RTDOSE dataset; see :func:`read_dose`."""
    return _undamaged(lambda: _decoded(dataset, where, irregular), where)


def _undamaged(decode: Callable[[], Decoded], where: str) -> Decoded:
    """Returns what is decoded; pydicom converts values when they are first used, and raises whatever comes of it."""
    try:
        return decode()
    except (ImagingError, MemoryError):
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {error}"[:200]
        raise DicomError("a damaged DICOM file", where=where, wanted="values as PS3.5 has them", got=got) from error


def _decoded(dataset: pydicom.Dataset, where: str, irregular: Irregular) -> xr.DataArray:
    _require(dataset, where)
    offsets = _offsets(dataset, where)
    values = _pixels(dataset, where)
    order = np.argsort(offsets, kind="stable")
    offsets, values = offsets[order], values[order] * float(dataset.DoseGridScaling)
    steps = np.diff(offsets)
    usual = float(np.median(steps)) if len(steps) else float(dataset.get("SliceThickness") or 1.0)
    attrs = _attrs(dataset)
    if len(steps) and np.abs(steps - usual).max() > _EVEN:
        if irregular != "resample":
            got = f"{steps.min():g} to {steps.max():g} mm"
            wanted = 'planes at even distances, or irregular="resample"'
            raise DicomError("planes at uneven distances", where=f"{where}: {_OFFSETS}", wanted=wanted, got=got)
        values, offsets, attrs["resampled"] = _evened(values, offsets)
    grid = _grid(dataset, offsets, usual, values.shape)
    units = UNITS[dataset.DoseUnits]
    return make_volume(values, grid, name="dose", units=units, attrs=attrs)


def write_dose(
    dose: xr.DataArray,
    path: Path | str,
    *,
    like: Path | str | None = None,
    bits: Literal[16, 32] = 32,
    series_description: str = "",
) -> Path:
    """Writes a dose as an RTDOSE file, whole or not at all.

    The scaling is the largest dose over the largest integer, rounded up to what a decimal string of 16 characters
    holds, so that a value comes back within half a step: with 32 bits 14.68 Gy have steps of 3.4e-9 Gy.

    Args:
        dose: (z, y, x) in Gy or of unit 1 (RELATIVE), finite, 0 or more unless its type is ERROR; axes at right angles.
        path: The file to write.
        like: An RTDOSE, RTPLAN or image file of the same patient and frame of reference, from which patient, study,
            frame of reference and plan references are taken; without it they are empty or new.
        bits: Of each stored value.
        series_description: What a reader sees in a list.

    Returns:
        The file.

    Raises:
        ImagingError: A dose that RTDOSE cannot hold.
        DicomError: ``like`` is not a DICOM file.
        StorageError: The file could not be written.
    """
    template = _read(like, wanted="", kind="a DICOM file") if like is not None else None
    dataset = encode_dose(dose, like=template, bits=bits, series_description=series_description)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    write_bytes(Path(path), stream.getvalue())
    return Path(path)


def read_planned_dvhs(path: Path | str) -> tuple[PlannedDvh, ...]:
    """Reads the histograms that a planning system put into an RTDOSE file; none if it put none there.

    Raises:
        DicomError: Not an RTDOSE file, or a histogram that is not usable.
    """
    dataset = _read(path, wanted=RT_DOSE, kind="an RTDOSE file")
    return _undamaged(lambda: planned_dvhs(dataset, where=str(path)), str(path))


def read_prescriptions(path: Path | str) -> tuple[Prescription, ...]:
    """Reads the dose references (targets, points, organs at risk) of an RTPLAN file.

    Raises:
        DicomError: Not an RTPLAN file.
    """
    dataset = _read(path, wanted=RT_PLAN, kind="an RTPLAN file")
    return _undamaged(lambda: prescriptions_of(dataset, where=str(path)), str(path))


def dose_to_grid(dose: xr.DataArray, grid: Grid, *, outside: float = np.nan) -> xr.DataArray:
    """Returns a dose on another grid, usually an image's, by trilinear interpolation.

    Args:
        dose: (z, y, x).
        grid: The grid to have; ``grid_of(ct)`` for an image.
        outside: Of voxels beyond the outermost dose voxel centres: NaN says "not calculated", 0 "none".

    Returns:
        (z, y, x) with the dose's attributes and ``resampled``: how.

    Raises:
        ImagingError: Not a dose.
    """
    _check_units(dose, "dose")
    return resample(dose, grid, outside=outside)


def sum_doses(doses: Sequence[xr.DataArray], *, grid: Grid | None = None, outside: float = np.nan) -> xr.DataArray:
    """Returns the sum of doses.

    Args:
        doses: (z, y, x) each, of one unit, dose type, summation type and frame of reference.
        grid: Where to sum; without it all must be on one grid already.
        outside: What a dose counts as where it has no voxels, when ``grid`` is given.

    Returns:
        (z, y, x) float64. Sums of PLAN are MULTI_PLAN (several plans); other summation types stay.

    Raises:
        ImagingError: Doses that may not be added, all reasons together; on different grids with no ``grid``.
    """
    if not doses:
        raise ImagingError("nothing to sum", where="doses", wanted="one dose or more")
    for number, dose in enumerate(doses, start=1):
        _check_units(dose, f"dose {number}")
    _check_alike(doses)
    target = grid or grid_of(doses[0])
    parts = [dose if grid is None else dose_to_grid(dose, target, outside=outside) for dose in doses]
    other = [n for n, part in enumerate(parts, start=1) if not grid_of(part).is_same(target)]
    if other:
        wanted = "one grid for all, or grid= to bring them to"
        raise ImagingError("doses on different grids", where="doses", wanted=wanted, got=f"dose {other[0]} differs")
    total = parts[0].data.astype(np.float64)
    for part in parts[1:]:
        total = total + part.data
    summation = doses[0].attrs.get("summation_type", "")
    attrs = {key: doses[0].attrs[key] for key in _ALIKE if key in doses[0].attrs and key != "units"}
    attrs["summation_type"] = "MULTI_PLAN" if summation == "PLAN" and len(doses) > 1 else summation
    attrs["sum_of"] = len(doses)
    return make_volume(total, target, name="dose", units=doses[0].attrs["units"], attrs=attrs)


_ALIKE = ("units", "dose_type", "summation_type", "frame_of_reference_uid")
_OFFSETS = "(3004,000C) GridFrameOffsetVector"


def _check_units(dose: xr.DataArray, where: str) -> None:
    units = dose.attrs.get("units")
    if units not in UNITS.values() or dose.dims != ("z", "y", "x"):
        got = f"{units!r}, {dose.dims}"
        raise ImagingError("not a dose", where=where, wanted="dimensions z, y, x; units Gy, or 1 if relative", got=got)


def _check_alike(doses: Sequence[xr.DataArray]) -> None:
    issues = []
    for key in _ALIKE:
        found = list(dict.fromkeys(str(dose.attrs.get(key, "not stated")) for dose in doses))
        if len(found) > 1:
            issues.append(Issue(f"different {key}", where="doses", wanted="one", got=" and ".join(found)))
    if issues:
        raise ImagingError("doses that may not be added", where="doses", issues=issues)


def _read(path: Path | str, *, wanted: str, kind: str) -> pydicom.Dataset:
    where = str(path)
    try:
        with Path(path).open("rb") as file:
            if not file.read(_PREFIX_END).endswith(b"DICM"):
                raise DicomError("not a DICOM file", where=where, wanted=kind)
            dataset = read_dataset(file, pixels=True, most=_MOST_BYTES)
        found = str(dataset.get("SOPClassUID", ""))
    except BraggbookError:
        raise
    except OSError as error:
        raise DicomError("cannot be read", where=where, wanted=kind, got=error.strerror or str(error)) from error
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        raise DicomError("a damaged DICOM file", where=where, wanted=kind, got=f"{error}"[:200]) from error
    if wanted and found != wanted:
        got = f"{dataset.get('Modality', '')} {found}".strip()
        raise DicomError(
            "another kind of DICOM object", where=f"{where}: (0008,0016) SOPClassUID", wanted=kind, got=got
        )
    return dataset


_NEEDED = {
    "DoseUnits": "(3004,0002)",
    "DoseType": "(3004,0004)",
    "DoseGridScaling": "(3004,000E)",
    "ImagePositionPatient": "(0020,0032)",
    "ImageOrientationPatient": "(0020,0037)",
    "PixelSpacing": "(0028,0030)",
    "Rows": "(0028,0010)",
    "Columns": "(0028,0011)",
    "PixelData": "(7FE0,0010)",
}
_LENGTHS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}


def _require(dataset: pydicom.Dataset, where: str) -> None:
    """Raises DicomError with every tag that is missing or is no value that an RTDOSE may have."""
    issues = []
    for keyword, tag in _NEEDED.items():
        place = f"{where}: {tag} {keyword}"
        try:
            value = dataset.get(keyword)
        except Exception as error:  # whatever a damaged value leads pydicom to
            issues.append(Issue("not usable", where=place, wanted="a value", got=f"{error}"[:100]))
            continue
        if value is None or (isinstance(value, str) and not value.strip()):
            issues.append(Issue("missing", where=place, wanted="a value"))
        elif keyword in _LENGTHS and not _are_numbers(value, _LENGTHS[keyword]):
            issues.append(
                Issue("not usable", where=place, wanted=f"{_LENGTHS[keyword]} finite numbers", got=str(value))
            )
        elif keyword == "DoseUnits" and value not in UNITS:
            issues.append(Issue("not a unit of dose", where=place, wanted="GY or RELATIVE", got=str(value)))
        elif keyword == "DoseType" and value not in DOSE_TYPES:
            issues.append(Issue("not a type of dose", where=place, wanted=" or ".join(DOSE_TYPES), got=str(value)))
        elif keyword == "DoseGridScaling" and not (_are_numbers([value], 1) and float(value) > 0):
            issues.append(Issue("not a scaling", where=place, wanted="a number above 0", got=str(value)))
    if not issues:
        issues += _size_issues(dataset, where)
    if issues:
        raise DicomError("not a usable RTDOSE", where=where, issues=issues)


def _size_issues(dataset: pydicom.Dataset, where: str) -> list[Issue]:
    row, column = np.reshape(np.asarray(dataset.ImageOrientationPatient, dtype=np.float64), (2, 3))
    issues = []
    if abs(row @ column) > 1e-3 or abs(np.linalg.norm(row) - 1) > 1e-3 or abs(np.linalg.norm(column) - 1) > 1e-3:
        place = f"{where}: (0020,0037) ImageOrientationPatient"
        wanted = "two unit vectors at a right angle"
        issues.append(Issue("not an orientation", where=place, wanted=wanted, got=str(dataset.ImageOrientationPatient)))
    if min(map(float, dataset.PixelSpacing)) <= 0:
        place = f"{where}: (0028,0030) PixelSpacing"
        issues.append(Issue("not a spacing", where=place, wanted="mm above 0", got=str(dataset.PixelSpacing)))
    voxels = int(dataset.Rows) * int(dataset.Columns) * max(1, int(dataset.get("NumberOfFrames") or 1))
    if not 0 < voxels <= _MOST_VOXELS:
        wanted = f"1 to {_MOST_VOXELS} voxels"
        issues.append(Issue("not a size", where=f"{where}: (0028,0008) NumberOfFrames", wanted=wanted, got=str(voxels)))
    return issues


def _are_numbers(value: Any, count: int) -> bool:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return numbers.shape == (count,) and bool(np.isfinite(numbers).all())


def _offsets(dataset: pydicom.Dataset, where: str) -> Floats:
    """Returns where planes lie along the normal, from the first (PS3.3 C.8.8.3.2)."""
    frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    value = dataset.get("GridFrameOffsetVector")
    place = f"{where}: {_OFFSETS}"
    if value is None or frames == 1:
        if frames > 1:
            raise DicomError("missing", where=place, wanted=f"{frames} numbers")
        return np.zeros(1)
    if not _are_numbers(value, frames):
        raise DicomError("not usable", where=place, wanted=f"{frames} finite numbers", got=f"{value}"[:80])
    offsets = np.asarray(value, dtype=np.float64)
    steps = np.diff(offsets)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise DicomError("planes that are not in order", where=place, wanted="rising or falling", got=f"{value}"[:80])
    if abs(offsets[0]) <= _SAME_MM:
        return offsets
    orientation = np.asarray(dataset.ImageOrientationPatient, dtype=np.float64)
    first = float(dataset.ImagePositionPatient[2])
    if abs(offsets[0] - first) > _SAME_MM or np.abs(orientation - (1, 0, 0, 0, 1, 0)).max() > _SAME_MM:
        wanted = f"0 first; or, for axial planes, the z of ImagePositionPatient, {first:g}"
        raise DicomError("neither relative nor absolute", where=place, wanted=wanted, got=f"{offsets[0]:g}")
    relative: Floats = offsets - offsets[0]
    return relative


def _pixels(dataset: pydicom.Dataset, where: str) -> Floats:
    frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    shape = (frames, int(dataset.Rows), int(dataset.Columns))
    try:
        stored = dataset.pixel_array
    except (MemoryError, KeyboardInterrupt):
        raise
    except (
        BaseException
    ) as error:  # decoders raise whatever a damaged stream leads them to; that of RLE is no Exception
        place = f"{where}: (7FE0,0010) PixelData"
        raise DicomError("cannot be decoded", where=place, wanted=f"{shape}", got=f"{error}"[:200]) from error
    if stored.size != np.prod(shape):
        place = f"{where}: (7FE0,0010) PixelData"
        raise DicomError("not as many voxels as stated", where=place, wanted=f"{shape}", got=str(stored.shape))
    return np.asarray(stored.reshape(shape), dtype=np.float64)


def _grid(dataset: pydicom.Dataset, offsets: Floats, usual: float, shape: tuple[int, ...]) -> Grid:
    row, column = np.reshape(np.asarray(dataset.ImageOrientationPatient, dtype=np.float64), (2, 3))
    normal = np.cross(row, column)
    step = float(offsets[-1] - offsets[0]) / (len(offsets) - 1) if len(offsets) > 1 else usual
    down, right = (float(size) for size in dataset.PixelSpacing)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([row * right, column * down, normal * step])
    affine[:3, 3] = np.asarray(dataset.ImagePositionPatient, dtype=np.float64) + normal * offsets[0]
    return Grid((shape[0], shape[1], shape[2]), affine)


def _evened(values: Floats, offsets: Floats) -> tuple[Floats, Floats, str]:
    """Returns planes at the smallest of their distances, by linear interpolation, and a note that says so."""
    step = float(np.diff(offsets).min())
    count = int(np.floor((offsets[-1] - offsets[0]) / step + 1e-6)) + 1
    even = offsets[0] + step * np.arange(count)
    place = np.clip(np.interp(even, offsets, np.arange(len(offsets))), 0, len(offsets) - 1)
    low = np.minimum(place.astype(int), len(offsets) - 2)
    part = (place - low)[:, None, None]
    told = f"linear along the normal, from {len(offsets)} planes at uneven distances to {count} every {step:g} mm"
    return values[low] * (1 - part) + values[low + 1] * part, even, told


def _attrs(dataset: pydicom.Dataset) -> dict[str, Any]:
    plans = [str(item.get("ReferencedSOPInstanceUID", "")) for item in dataset.get("ReferencedRTPlanSequence") or []]
    corrected = dataset.get("TissueHeterogeneityCorrection") or []
    return {
        "dose_type": str(dataset.DoseType),
        "summation_type": str(dataset.get("DoseSummationType") or ""),
        "tissue_heterogeneity": [corrected] if isinstance(corrected, str) else [str(each) for each in corrected],
        "frame_of_reference_uid": str(dataset.get("FrameOfReferenceUID") or ""),
        "sop_instance_uid": str(dataset.get("SOPInstanceUID") or ""),
        "referenced_plan_uids": plans,
        "dose_grid_scaling": float(dataset.DoseGridScaling),
    }
