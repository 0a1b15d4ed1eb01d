"""Damaged RTDOSE and RTPLAN files: our own errors with file and tag, never a traceback."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from braggbook.errors import DicomError
from braggbook.imaging.dose import read_dose, read_planned_dvhs, read_prescriptions

DOSE, PLAN = (Path(str(get_testdata_file(name))) for name in ("rtdose.dcm", "rtplan.dcm"))
HEADER = 128  # the preamble may hold anything
PIXELS = 6016  # at the end of this RTDOSE
CHANGES = (1, 1, 2, 4, 16)
KINDS = ("byte", "byte", "byte", "run", "cut out", "cut off")


def damaged(data: bytes, *, seed: int) -> bytes:
    chance, left = random.Random(seed), bytearray(data)
    for _ in range(chance.choice(CHANGES)):
        at, kind = chance.randrange(HEADER, max(HEADER + 1, len(left))), chance.choice(KINDS)
        if kind == "byte":
            left[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == "run":
            size = chance.choice((1, 2, 4, 8))
            left[at : at + size] = chance.choice((b"\x00", b"\xff", b" ", b"9")) * size
        elif kind == "cut out":
            del left[at : at + chance.choice((1, 2, 8, 100))]
        else:
            del left[at:]
    return bytes(left)


def check_all(folder: Path, seeds: range) -> None:
    """Checks that each file is read, as some are, or refused by name."""
    path, good, refused = folder / "damaged.dcm", 0, []
    for seed in seeds:
        whole, readers = ((PLAN, [read_prescriptions]), (DOSE, [read_dose, read_planned_dvhs]))[seed % 3 > 0]
        data = whole.read_bytes()
        end = len(data) - PIXELS if whole == DOSE else len(data)
        path.write_bytes(damaged(data[:end], seed=seed) + data[end:])
        for reader in readers:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom's own, on values that no tag may have
                try:
                    reader(path)
                    good += 1
                except DicomError as error:
                    refused.append(str(error))
    assert good > 0
    assert refused
    assert [message for message in refused if str(path) not in message] == []


@pytest.mark.parametrize("first", range(0, 160, 40))
def test_a_damaged_file_is_read_or_named(tmp_path, first) -> None:
    check_all(tmp_path, range(first, first + 40))


@pytest.mark.full
def test_many_damaged_files(tmp_path) -> None:
    check_all(tmp_path, range(1000, 4000))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_numbers_that_are_none_are_named_by_their_tag(tmp_path) -> None:
    path = tmp_path / "rtdose.dcm"
    path.write_bytes(DOSE.read_bytes().replace(b"1.0000000e-6", b"1.0O00000e-6"))
    with pytest.raises(DicomError) as caught:
        read_dose(path)
    assert [issue.where for issue in caught.value.issues] == [f"{path}: (3004,000E) DoseGridScaling"]


def test_dose_references_that_cannot_be_read_are_all_named(tmp_path) -> None:
    plan = pydicom.dcmread(PLAN)
    first = plan.DoseReferenceSequence[0]
    del first.DoseReferenceNumber
    with pydicom.config.disable_value_validation():
        plan.DoseReferenceSequence[1].TargetPrescriptionDose = None
        plan.DoseReferenceSequence[1].DoseReferencePointCoordinates = [1.0, 2.0]
    path = tmp_path / "rtplan.dcm"
    plan.save_as(path)
    with pytest.raises(DicomError, match="dose references that are not usable") as caught:
        read_prescriptions(path)
    places = [issue.where for issue in caught.value.issues]
    assert places == [f"{path}: (300A,0010) DoseReferenceSequence, item {n}" for n in (1, 2)]
