"""Random orientations, spacings, slopes and bits, written without this package's generator, against two other readers."""

import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from braggbook.imaging.reading import read_dicom

CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128"}
PLACE_MM = 2e-3  # decimal strings of 16 characters, and NIfTI's float32
VALUE = 1e-4  # relative: float32, here and there
OFF_GRID = 0.02  # of a voxel
pytestmark = pytest.mark.full


@dataclass
class Case:
    """One series, by its seed."""

    seed: int

    def __post_init__(self) -> None:
        dice = np.random.default_rng(self.seed)
        self.axes = self._axes(dice, aligned=self.seed % 3 > 0)
        self.shape = tuple(int(dice.integers(low, high)) for low, high in ((2, 9), (3, 20), (3, 20)))
        self.spacing = dice.uniform(0.3, 6, 3).round(4)
        self.origin = dice.uniform(-300, 300, 3).round(3)
        self.signed, self.bits = bool(dice.integers(2)), int(dice.choice([12, 16]))
        low, high = (-(1 << (self.bits - 1)), 1 << (self.bits - 1)) if self.signed else (0, 1 << self.bits)
        self.stored = dice.integers(low, high, self.shape)
        self.slope, self.intercept = float(dice.choice([1, 2, 0.5, 0.0123])), float(dice.choice([0, -1024, 3.5]))
        self.modality = str(dice.choice(list(CLASSES)))
        self.order = dice.permutation(self.shape[0])
        self.lies = str(dice.choice(["HFS", "FFS", "HFP", "FFDR", "HFDL"]))

    @staticmethod
    def _axes(dice: np.random.Generator, *, aligned: bool) -> np.ndarray:
        if aligned:
            axes = np.eye(3)[dice.permutation(3)] * dice.choice([-1, 1], 3)[:, None]
        else:
            axes, _ = np.linalg.qr(dice.normal(size=(3, 3)))
        axes[2] = np.cross(axes[0], axes[1])
        return axes

    @property
    def affine(self) -> np.ndarray:
        """Index (x, y, z) to LPS."""
        affine = np.eye(4)
        affine[:3, :3] = (self.axes * self.spacing[::-1, None]).T
        affine[:3, 3] = self.origin
        return affine

    def write(self, folder: Path) -> None:
        """Writes the slices in any order."""
        for number, place in enumerate(self.order):
            dataset = self._slice(int(place), number)
            dataset.save_as(folder / f"f{number:03d}", enforce_file_format=True)

    def _slice(self, place: int, number: int) -> Dataset:
        dataset, uid = Dataset(), f"1.2.826.0.1.{self.seed}"
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)[self.seed % 2]
        position = self.origin + self.axes[2] * self.spacing[0] * place
        tags = {
            "SOPClassUID": CLASSES[self.modality], "SOPInstanceUID": f"{uid}.9.{number}",
            "StudyInstanceUID": f"{uid}.1", "SeriesInstanceUID": f"{uid}.2", "FrameOfReferenceUID": f"{uid}.3",
            "Modality": self.modality, "InstanceNumber": number + 1, "SeriesNumber": 1, "PatientPosition": self.lies,
            "PatientName": "A^B", "PatientID": "1", "StudyDate": "20200101", "StudyTime": "101010",
            "ImagePositionPatient": [f"{value:.6f}" for value in position],
            "ImageOrientationPatient": [f"{value:.10f}"[:16] for value in self.axes[:2].ravel()],
            "PixelSpacing": [float(value) for value in self.spacing[1:]], "SliceThickness": float(self.spacing[0]),
            "Rows": self.shape[1], "Columns": self.shape[2], "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": self.bits,
            "HighBit": self.bits - 1, "PixelRepresentation": int(self.signed), "RescaleSlope": self.slope,
            "RescaleIntercept": self.intercept, **({"Units": "BQML"} if self.modality == "PT" else {}),
            "PixelData": (self.stored[place].astype(np.int64) & ((1 << self.bits) - 1)).astype("<u2").tobytes(),
        }  # fmt: skip
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        dataset["PixelData"].VR = "OW"
        return dataset


@pytest.mark.parametrize("seed", range(40))
def test_every_voxel_is_where_it_was_written_and_where_others_read_it(tmp_path: Path, seed: int) -> None:
    case = Case(seed)
    (tmp_path / "in").mkdir()
    case.write(tmp_path / "in")
    image = read_dicom(tmp_path / "in").image
    affine = np.array(image.attrs["affine"]).reshape(4, 4)
    np.testing.assert_allclose(affine, case.affine, atol=PLACE_MM)
    np.testing.assert_allclose(image, case.stored * case.slope + case.intercept, rtol=VALUE, atol=1e-3)
    _compare_simpleitk(tmp_path / "in", image.to_numpy(), affine)
    _compare_dcm2niix(tmp_path, image.to_numpy(), affine)


def _compare_simpleitk(folder: Path, values: np.ndarray, affine: np.ndarray) -> None:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    found = reader.Execute()
    steps = np.array(found.GetDirection()).reshape(3, 3) * np.array(found.GetSpacing())
    np.testing.assert_allclose(steps, affine[:3, :3], atol=PLACE_MM)
    np.testing.assert_allclose(found.GetOrigin(), affine[:3, 3], atol=PLACE_MM)
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(found), values, rtol=VALUE, atol=1e-3)


def _compare_dcm2niix(folder: Path, values: np.ndarray, affine: np.ndarray) -> None:
    (folder / "out").mkdir()
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "x", "-m", "y", "-o", folder / "out", folder / "in"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    [path] = (folder / "out").glob("*.nii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nibabel, about headers
        found = nibabel.load(path)
    theirs = found.get_fdata()
    index = np.stack(np.meshgrid(*map(np.arange, theirs.shape), indexing="ij"), -1).reshape(-1, 3)
    placed = (index @ found.affine[:3, :3].T + found.affine[:3, 3]) * (-1, -1, 1)
    ours = np.c_[placed, np.ones(len(placed))] @ np.linalg.inv(affine).T
    x, y, z = np.rint(ours[:, :3]).astype(int).T
    assert np.abs(ours[:, :3] - np.c_[x, y, z]).max() < OFF_GRID
    assert sorted(zip(x, y, z, strict=True)) == sorted(map(tuple, np.ndindex(values.shape[::-1])))
    np.testing.assert_allclose(values[z, y, x], theirs[tuple(index.T)], rtol=VALUE, atol=1e-2)
