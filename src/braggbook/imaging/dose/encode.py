"""A dose as a DICOM RTDOSE dataset.

Sources: DICOM PS3.3 A.18.3 (RT Dose IOD), C.8.8.3 (RT Dose module); PS3.5 6.2 (a decimal string has 16 characters).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydicom
import xarray as xr
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, RTPlanStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.volumes import grid_of

Bits = Literal[16, 32]
_DS_DIGITS = 1e-9  # relative; a decimal string of 16 characters keeps more digits than this
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")
_FRAME = ("FrameOfReferenceUID", "PositionReferenceIndicator")
_TYPES = ("PHYSICAL", "EFFECTIVE", "ERROR")
_PLAN_NEEDED = ("PLAN", "MULTI_PLAN", "FRACTION", "BEAM", "BRACHY")


def encode_dose(
    dose: xr.DataArray, *, like: pydicom.Dataset | None, bits: Bits, series_description: str = ""
) -> FileDataset:
    """Returns a dose as an RTDOSE dataset; see :func:`braggbook.imaging.dose.grids.write_dose`.

    Raises:
        ImagingError: A dose that RTDOSE cannot hold.
    """
    values, grid = _checked(dose, bits)
    stored, scaling = _stored(values, bits, signed=dose.attrs.get("dose_type") == "ERROR")
    dataset = _header(dose, like)
    dataset.SeriesDescription = series_description
    _geometry(dataset, grid)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.DoseUnits = "GY" if dose.attrs["units"] == "Gy" else "RELATIVE"
    dataset.DoseType = dose.attrs.get("dose_type") or "PHYSICAL"
    dataset.DoseSummationType = dose.attrs.get("summation_type") or "PLAN"
    if corrected := dose.attrs.get("tissue_heterogeneity"):
        dataset.TissueHeterogeneityCorrection = list(corrected)
    dataset.DoseGridScaling = scaling
    dataset.PixelData = stored.tobytes()
    return dataset


def _checked(dose: xr.DataArray, bits: int) -> tuple[Floats, Grid]:
    where = str(dose.name)
    if dose.dims != ("z", "y", "x") or dose.attrs.get("units") not in ("Gy", "1") or bits not in (16, 32):
        wanted = "dimensions z, y, x; units Gy, or 1 if relative; 16 or 32 bits"
        got = f"{dose.dims}, {dose.attrs.get('units')!r}, {bits} bits"
        raise ImagingError("not a dose that RTDOSE holds", where=where, wanted=wanted, got=got)
    kind = dose.attrs.get("dose_type") or "PHYSICAL"
    if kind not in _TYPES:
        raise ImagingError(
            "not a type of dose", where=f"{where}.attrs['dose_type']", wanted=", ".join(_TYPES), got=kind
        )
    values = np.asarray(dose.values, dtype=np.float64)
    if not np.isfinite(values).all():
        got = f"{np.size(values) - np.isfinite(values).sum()} of {values.size}"
        wanted = "finite numbers; resample with outside=0, or crop"
        raise ImagingError("voxels without a dose", where=where, wanted=wanted, got=got)
    if kind != "ERROR" and values.min() < 0:
        wanted = "0 or more, or attrs['dose_type'] = 'ERROR' for differences"
        raise ImagingError("a dose below 0", where=where, wanted=wanted, got=f"{values.min():g}")
    grid = grid_of(dose)
    if grid.is_skewed:
        raise ImagingError("a skewed grid", where=where, wanted="axes at right angles; resample it first")
    if np.linalg.det(grid.directions) < 0:  # frames follow the normal row x column
        grid = _flipped(grid)
        values = values[::-1]
    return values, grid


def _flipped(grid: Grid) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_patient((0, 0, grid.shape[0] - 1))
    affine[:3, 2] *= -1
    return Grid(grid.shape, affine)


def _stored(values: Floats, bits: int, *, signed: bool) -> tuple[npt.NDArray[Any], str]:
    """Returns integers and the scaling that they are multiples of, as it will be read back."""
    largest = float(np.abs(values).max())
    top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    # Rounded up, so that the largest dose does not overflow the integers by the string's last digit.
    scaling = format_number_as_ds(largest / top * (1 + _DS_DIGITS)) if largest > 0 else "1.0"
    stored = np.rint(values / float(scaling))
    return stored.astype(f"<{'i' if signed else 'u'}{bits // 8}"), scaling


def _header(dose: xr.DataArray, like: pydicom.Dataset | None) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTDoseStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    source = like if like is not None else pydicom.Dataset()
    if character_set := source.get("SpecificCharacterSet"):
        dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTDoseStorage, meta.MediaStorageSOPInstanceUID
    for keyword in (*_PATIENT, *_STUDY, *_FRAME):
        setattr(dataset, keyword, source.get(keyword, ""))
    dataset.StudyInstanceUID = dataset.StudyInstanceUID or generate_uid()
    dataset.FrameOfReferenceUID = _frame(dose, source)
    dataset.SeriesInstanceUID = generate_uid()
    dataset.Modality = "RTDOSE"
    dataset.SeriesNumber = 1
    dataset.OperatorsName = ""
    dataset.InstanceNumber = 1
    dataset.Manufacturer = "Braggbook"
    dataset.ManufacturerModelName = "braggbook.imaging.dose"
    dataset.SoftwareVersions = ""
    _references(dataset, dose, source)
    return dataset


def _frame(dose: xr.DataArray, source: pydicom.Dataset) -> str:
    """Returns the dose's frame of reference, which ``like`` must share."""
    own, other = str(dose.attrs.get("frame_of_reference_uid") or ""), str(source.get("FrameOfReferenceUID") or "")
    if own and other and own != other:
        place = "(0020,0052) FrameOfReferenceUID"
        raise ImagingError("two frames of reference", where=f"dose and like: {place}", wanted=own, got=other)
    return own or other or str(generate_uid())


def _references(dataset: pydicom.Dataset, dose: xr.DataArray, source: pydicom.Dataset) -> None:
    """Names the plans that the dose belongs to, which most summation types must (type 1C)."""
    uids = [uid for uid in dose.attrs.get("referenced_plan_uids") or [] if uid]
    if not uids and source.get("SOPClassUID") == RTPlanStorage:
        uids = [str(source.SOPInstanceUID)]
    if not uids and source.get("ReferencedRTPlanSequence"):
        uids = [str(item.ReferencedSOPInstanceUID) for item in source.ReferencedRTPlanSequence]
    if not uids and (dose.attrs.get("summation_type") or "PLAN") in _PLAN_NEEDED:
        wanted = "attrs['referenced_plan_uids'], or like= an RTPLAN or an RTDOSE that names one"
        raise ImagingError("a dose of no plan", where="(300C,0002) ReferencedRTPlanSequence", wanted=wanted)
    items = []
    for uid in uids:
        item = pydicom.Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = RTPlanStorage, uid
        items.append(item)
    if items:
        dataset.ReferencedRTPlanSequence = items


def _geometry(dataset: pydicom.Dataset, grid: Grid) -> None:
    right, down, _ = grid.directions
    depth, height, width = grid.spacing_mm
    dataset.Rows, dataset.Columns = grid.shape[1:]
    dataset.NumberOfFrames = grid.shape[0]
    dataset.FrameIncrementPointer = 0x3004000C
    dataset.ImagePositionPatient = _decimals(grid.origin_mm)
    dataset.ImageOrientationPatient = _decimals((*right, *down))
    dataset.PixelSpacing = _decimals((height, width))
    dataset.SliceThickness = _decimals((depth,))[0]
    dataset.GridFrameOffsetVector = _decimals(depth * np.arange(grid.shape[0]))


def _decimals(numbers: Any) -> list[str]:
    return [format_number_as_ds(float(number) + 0.0) for number in numbers]
