"""What `benchmarks/imaging.py` measures with: generated series, doses and structures, kept in its cache folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from scipy.ndimage import gaussian_filter

from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures import read_structures, write_structures
from braggbook.testing.dicom import write_series

Floats = NDArray[np.float64]

PER_SERIES, SERIES_A_PATIENT = 100, 4
SLICE_MM, PIXEL_MM = 1.25, 0.9765625
STRUCTURE_SLICE_MM, STRUCTURE_PIXEL_MM, MARGIN_MM = 3.0, 1.3671875, 20.0
DOSE_MM = (2.0, 2.0, 2.0)
_AIR, _WATER, _LUNG, _BONE = 24, 1024, 274, 1724  # stored: HU + 1024, 12 bits
_NOISE_HU = 18.0


def made(folder: Path, make: Callable[[Path], object]) -> Path:
    """Returns a folder of data, which is made when it is not there; half of one is never left under its name."""
    if not folder.is_dir():
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def small_files(folder: Path, *, count: int) -> None:
    """Writes CT instances with a scanner's header (pydicom's `CT_small.dcm`, GE) and 8 x 8 pixels, 100 a series.

    What changes in a clinic changes here: with the patient name, number and study; with the series its time,
    description and frame of reference; with the slice its place, times and tube current.
    """
    read = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    read.Rows = read.Columns = 8
    read.PixelData = bytes(128)
    if "DataSetTrailingPadding" in read:
        del read.DataSetTrailingPadding
    for series in range(-(-count // PER_SERIES)):
        place = folder / f"s{series:03d}"
        place.mkdir()
        set_series(read, series)
        for index in range(min(PER_SERIES, count - series * PER_SERIES)):
            set_slice(read, index)
            read.save_as(place / f"IM{index:04d}")


def set_series(read: pydicom.Dataset, series: int) -> None:
    """Sets what differs between series, and between their patients."""
    patient = series // SERIES_A_PATIENT
    random = np.random.default_rng(series)
    read.PatientName, read.PatientID = f"Generated^Number {patient}", f"G{patient:05d}"
    read.PatientBirthDate = f"19{random.integers(30, 99)}0{random.integers(1, 9)}1{random.integers(0, 9)}"
    read.StudyInstanceUID, read.StudyID = f"1.2.826.0.2.{patient + 1}", str(patient + 1)
    read.StudyDate = read.SeriesDate = f"2026010{patient % 9 + 1}"
    read.SeriesInstanceUID, read.FrameOfReferenceUID = f"1.2.826.0.1.{series + 1}", f"1.2.826.0.3.{patient + 1}"
    read.SeriesNumber, read.SeriesDescription = series + 1, f"AXIAL {series % 7} MM"
    read.SeriesTime = f"10{series % 60:02d}00"
    read.ReconstructionDiameter, read.TableHeight = 400 + series % 50, f"{100 + random.uniform():.4f}"


def set_slice(read: pydicom.Dataset, index: int) -> None:
    """Sets what differs between the slices of a series."""
    read.SOPInstanceUID = f"{read.SeriesInstanceUID}.{index + 1}"
    read.file_meta.MediaStorageSOPInstanceUID = read.SOPInstanceUID
    read.InstanceNumber, read.AcquisitionNumber = index + 1, 1
    read.ImagePositionPatient, read.SliceLocation = [-100.5, -100.5, index * 2.5], index * 2.5
    read.AcquisitionTime = read.ContentTime = f"1010{index % 60:02d}.{1000 + 7 * index}"
    read.XRayTubeCurrent, read.Exposure = 200 + 3 * index % 91, 1600 + index % 13


def chest(folder: Path, *, slices: int) -> None:
    """Writes a CT of 512 x 512 pixels: a body with lungs and a spine, noise as a scanner's, air outside its circle."""
    grid = Grid.from_axes(
        (slices, 512, 512), spacing_mm=(SLICE_MM, PIXEL_MM, PIXEL_MM), origin_mm=(-250.0, -250.0, -600.0)
    )
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = (x / 0.8) ** 2 + (y / 0.55) ** 2 < 1
    spine = x**2 + (y - 0.35) ** 2 < 0.07**2
    circle = x**2 + y**2 < 1
    random = np.random.default_rng(1)
    stored = np.empty(grid.shape, np.uint16)
    for number in range(slices):
        wide = 0.3 * np.sin(np.pi * (number + 1) / (slices + 1))
        lungs = ((np.abs(x) - 0.38) / max(wide, 0.01)) ** 2 + (y / (1.2 * max(wide, 0.01))) ** 2 < 1
        values = np.where(body, _WATER + 40 * np.sin(8 * x + number / 40) * np.cos(9 * y), _AIR)
        values[lungs], values[spine] = _LUNG, _BONE
        values += noise(random, values.shape)
        stored[number] = np.where(circle, np.rint(values).clip(0, 4095), 0)
    write_series(folder, stored, grid, RescaleIntercept="-1024", RescaleSlope="1", BitsStored=12)


def noise(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Returns noise with the grain of a soft-tissue kernel: neighbouring pixels belong together."""
    smooth: Any = gaussian_filter(random.normal(size=shape), 0.7)
    return np.asarray(smooth * (_NOISE_HU / smooth.std()), dtype=np.float64)


def structures_on_ct(folder: Path, *, structures: Path) -> None:
    """Writes a real plan's structures on a generated CT of 512 x 512 pixels whose slices are at their planes."""
    found = [one for one in read_structures(structures) if one.contours]
    points = np.concatenate([contour.points_mm for one in found for contour in one.contours])
    low, high = points.min(axis=0), points.max(axis=0)
    slices = round((high[2] - low[2]) / STRUCTURE_SLICE_MM) + 1
    grid = Grid.from_axes(
        (slices, 512, 512),
        spacing_mm=(STRUCTURE_SLICE_MM, STRUCTURE_PIXEL_MM, STRUCTURE_PIXEL_MM),
        origin_mm=(float(low[0]) - MARGIN_MM, float(low[1]) - MARGIN_MM, float(low[2])),
    )
    images = write_series(folder / "ct", np.zeros(grid.shape, np.int16), grid)
    write_structures([replace(one, frame_of_reference_uid=None) for one in found], folder / "rs.dcm", images=images)
    np.savez(folder / "grid.npz", affine=grid.affine, shape=grid.shape)


def dose_pair(folder: Path, *, size: int) -> None:
    """Writes two doses in Gy: a modulated field in a low bath; the same 1.5 mm aside, 2 % higher, with other noise."""
    axes = [step * (np.arange(size) - (size - 1) / 2) for step in DOSE_MM]
    random = np.random.default_rng(2)
    pattern, other = (smooth_noise(random, size) for _ in range(2))
    reference = field(axes, shift_mm=(0.0, 0.0, 0.0)) * (1 + 0.05 * pattern)
    estimate = 1.02 * field(axes, shift_mm=(1.0, -0.9, 0.6)) * (1 + 0.05 * pattern + 0.02 * other)
    doses = {"reference": reference.astype(np.float32), "estimate": estimate.astype(np.float32)}
    np.savez(folder / "pair.npz", spacing_mm=DOSE_MM, **doses)
    for name, dose in doses.items():
        write_image(folder / f"{name}.mhd", dose)


def smooth_noise(random: np.random.Generator, size: int) -> Floats:
    """Returns noise of standard deviation 1 that changes over some 10 mm, (z, y, x)."""
    smooth: Any = gaussian_filter(random.normal(size=(size, size, size)), 3, mode="wrap")
    return np.asarray(smooth / smooth.std(), dtype=np.float64)


def field(axes: list[Floats], *, shift_mm: tuple[float, float, float]) -> Floats:
    """Returns 50 Gy in a box of 0.6 of the cube's sides with a penumbra of 5 mm, in a bath of up to 10 Gy."""
    profiles, baths = [], []
    for axis, shift in zip(axes, shift_mm, strict=True):
        place, half = axis - shift, 0.6 * axis[-1]
        profiles.append(1 / (1 + np.exp((np.abs(place) - half) / 2.5)))
        baths.append(np.exp(-((place / axis[-1]) ** 2)))
    box, bath = (z[:, None, None] * y[:, None] * x for z, y, x in (profiles, baths))
    return np.asarray(50 * box + 10 * bath, dtype=np.float64)


def write_image(path: Path, dose: NDArray[np.float32]) -> None:
    """Writes a MetaImage: a header, and a file of raw numbers beside it."""
    raw = path.with_suffix(".raw")
    dose.astype("<f4").tofile(raw)
    lines = {
        "ObjectType": "Image", "NDims": 3, "BinaryData": True, "BinaryDataByteOrderMSB": False,
        "Offset": "0 0 0", "ElementSpacing": " ".join(map(str, DOSE_MM)), "DimSize": " ".join(map(str, dose.shape)),
        "ElementType": "MET_FLOAT", "ElementDataFile": raw.name,
    }  # fmt: skip
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))


def read_image(path: Path) -> NDArray[Any]:
    """Reads a MetaImage with its raw numbers after the header, uncompressed, (z, y, x)."""
    whole = path.read_bytes()
    end = whole.index(b"\n", whole.index(b"ElementDataFile")) + 1
    lines = (line.partition(" = ") for line in whole[:end].decode().splitlines())
    header = {name: value for name, _, value in lines}
    if header.get("CompressedData") == "True":
        raise ValueError(f"{path} is compressed")
    dtype = {"MET_FLOAT": "<f4", "MET_UCHAR": "u1"}[header["ElementType"]]
    return np.frombuffer(whole[end:], dtype).reshape([int(n) for n in header["DimSize"].split()][::-1])
