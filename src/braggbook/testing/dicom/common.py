"""What every generated DICOM object shares: unique identifiers from a seed, patient, study, equipment, file meta."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

Tags = Mapping[str, Any]

# Any constant will do: it makes the identifiers ours and the same on every machine.
_SPACE = uuid.UUID("6f1f9f3e-2d0c-5a57-9d2b-6a1f0b6c7d11")
DATE, TIME = "20260102", "101112"
_NOT_OF_RT = ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime")


def make_uid(*parts: object) -> UID:
    """Returns a unique identifier below 2.25 that depends on nothing but ``parts``.

    Source: PS3.5 B.2 (identifiers derived from a UUID).
    """
    return UID(f"2.25.{uuid.uuid5(_SPACE, '/'.join(map(str, parts))).int}")


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Returns a coded concept (PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def item(**tags: Any) -> Dataset:
    """Returns a dataset with these elements; lists of datasets become sequences, ``None`` an empty element."""
    return set_tags(Dataset(), tags)


def set_tags(dataset: Dataset, tags: Tags) -> Dataset:
    """Sets elements by keyword: ``None`` empties one, ``...`` removes it; returns the dataset."""
    with config.disable_value_validation():  # a test may want what is wrong
        for keyword, value in tags.items():
            if value is ...:
                if keyword in dataset:
                    delattr(dataset, keyword)
            else:
                is_items = isinstance(value, list) and bool(value) and isinstance(value[0], Dataset)
                setattr(dataset, keyword, Items(value) if is_items else value)
    return dataset


def new_object(sop_class: str, modality: str, *, seed: int, instance: object = 1, series: object = None) -> Dataset:
    """Returns an object with patient, study, series and equipment, and the file meta that it needs.

    Args:
        sop_class: Its SOP class.
        modality: As DICOM names it: ``CT``, ``PT``, ``RTDOSE``.
        seed: Of the study and the frame of reference: objects with one seed belong together.
        instance: Tells the objects of a series apart.
        series: Tells the series of a study apart; the modality without it.
    """
    group = modality if series is None else series
    dataset = Dataset()
    set_tags(dataset, _study(seed))
    dataset.SOPClassUID = UID(sop_class)
    dataset.SOPInstanceUID = make_uid(seed, "instance", group, instance)
    dataset.SeriesInstanceUID = make_uid(seed, "series", group)
    dataset.Modality = modality
    dataset.SeriesDescription = f"Generated {modality}"
    dataset.SeriesNumber = "1"
    dataset.InstanceNumber = "1"
    if modality.startswith("RT"):
        set_tags(dataset, {**dict.fromkeys(_NOT_OF_RT, ...), "OperatorsName": "Operator^Olga"})
    else:
        dataset.BodyPartExamined = "CHEST"  # unpaired: Laterality is not asked for
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _study(seed: int) -> dict[str, Any]:
    dates = dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"), DATE)
    times = dict.fromkeys(("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"), TIME)
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        **dates,
        **times,
        "AccessionNumber": f"A{seed}",
        "Manufacturer": "Braggbook",
        "ManufacturerModelName": "Generator",
        "DeviceSerialNumber": "1",
        "SoftwareVersions": "1",
        "ReferringPhysicianName": "Referrer^Rita",
        "StudyDescription": "Generated",
        "PatientName": f"Generated^Patient{seed}",
        "PatientID": f"GEN{seed}",
        "PatientBirthDate": "19700203",
        "PatientSex": "F",
        "StudyInstanceUID": make_uid(seed, "study"),
        "StudyID": str(seed),
    }


def frame_of_reference(seed: int) -> dict[str, Any]:
    """Returns the elements of the frame of reference module."""
    return {"FrameOfReferenceUID": make_uid(seed, "frame of reference"), "PositionReferenceIndicator": ""}


def set_pixels(dataset: Dataset, stored: npt.NDArray[Any], *, transfer_syntax: str, bits_stored: int | None) -> Dataset:
    """Sets the pixel data and what describes it.

    Args:
        dataset: Gets them.
        stored: (y, x), (frames, y, x), or either with a last axis of 3 for RGB when the dataset already has
            ``SamplesPerPixel`` 3; 8, 16 or 32-bit integers, signed or not.
        transfer_syntax: Any that pydicom writes: native, big endian, deflated, RLE, JPEG-LS or JPEG 2000.
        bits_stored: Fewer than the array's own.
    """
    if stored.dtype.kind not in "iu":
        message = f"stored values are integers, not {stored.dtype}"
        raise TypeError(message)
    colour = int(dataset.get("SamplesPerPixel", 1)) == 3
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = dataset.get("PhotometricInterpretation", "RGB" if colour else "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = stored.shape[-3:-1] if colour else stored.shape[-2:]
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    uid = UID(transfer_syntax)
    raw = stored.astype(stored.dtype.newbyteorder("<" if uid.is_little_endian else ">")).tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated == 8 else "OW"
    if uid.is_encapsulated:
        dataset.compress(uid, arr=np.ascontiguousarray(stored), generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = uid
    return dataset


def write_dicom(dataset: Dataset, path: Path | str) -> Path:
    """Writes an object as a DICOM file (PS3.10), whatever its values are, and returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with config.disable_value_validation():
        dataset.save_as(path, enforce_file_format=True)
    return path


def decimal(value: float) -> str:
    """Returns a number as a decimal string of at most sixteen characters (PS3.5 6.2, DS)."""
    text = repr(float(value))
    digits = 16
    while len(text) > 16:
        digits -= 1
        text = f"{value:.{digits}g}"
    return text


def decimals(values: npt.ArrayLike) -> list[str]:
    """Returns numbers as decimal strings."""
    return [decimal(value) for value in np.ravel(np.asarray(values, dtype=np.float64))]
