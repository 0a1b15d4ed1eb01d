"""The elements that an index keeps, and what their bytes mean as plain Python values."""

from __future__ import annotations

import functools
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from braggbook.errors import Issue


class Kept(NamedTuple):
    """One element that an index keeps: its keyword and VR in DICOM PS3.6, and whether it may have several values."""

    keyword: str
    vr: str
    many: bool = False


# One element as it is in the file: its VR, empty where there is none; its bytes; whether they are little endian.
# A plain tuple, for fifty are made for each of many thousand files
Raw = tuple[bytes, bytes, bool]

KEPT: Mapping[int, Kept] = {
    0x00020002: Kept("MediaStorageSOPClassUID", "UI"),
    0x00020003: Kept("MediaStorageSOPInstanceUID", "UI"),
    0x00080005: Kept("SpecificCharacterSet", "CS", many=True),
    0x00080008: Kept("ImageType", "CS", many=True),
    0x00080016: Kept("SOPClassUID", "UI"),
    0x00080018: Kept("SOPInstanceUID", "UI"),
    0x00080020: Kept("StudyDate", "DA"),
    0x00080021: Kept("SeriesDate", "DA"),
    0x00080022: Kept("AcquisitionDate", "DA"),
    0x00080023: Kept("ContentDate", "DA"),
    0x0008002A: Kept("AcquisitionDateTime", "DT"),
    0x00080030: Kept("StudyTime", "TM"),
    0x00080031: Kept("SeriesTime", "TM"),
    0x00080032: Kept("AcquisitionTime", "TM"),
    0x00080033: Kept("ContentTime", "TM"),
    0x00080060: Kept("Modality", "CS"),
    0x00080070: Kept("Manufacturer", "LO"),
    0x00081030: Kept("StudyDescription", "LO"),
    0x0008103E: Kept("SeriesDescription", "LO"),
    0x00081090: Kept("ManufacturerModelName", "LO"),
    0x00089208: Kept("ComplexImageComponent", "CS"),
    0x00100010: Kept("PatientName", "PN"),
    0x00100020: Kept("PatientID", "LO"),
    0x00100030: Kept("PatientBirthDate", "DA"),
    0x00100040: Kept("PatientSex", "CS"),
    0x00101010: Kept("PatientAge", "AS"),
    0x00101020: Kept("PatientSize", "DS"),
    0x00101030: Kept("PatientWeight", "DS"),
    0x00180015: Kept("BodyPartExamined", "CS"),
    0x00180050: Kept("SliceThickness", "DS"),
    0x00180080: Kept("RepetitionTime", "DS"),
    0x00180081: Kept("EchoTime", "DS"),
    0x00180082: Kept("InversionTime", "DS"),
    0x00180086: Kept("EchoNumbers", "IS", many=True),
    0x00180088: Kept("SpacingBetweenSlices", "DS"),
    0x00181030: Kept("ProtocolName", "LO"),
    0x00181060: Kept("TriggerTime", "DS"),
    0x00181120: Kept("GantryDetectorTilt", "DS"),
    0x00181164: Kept("ImagerPixelSpacing", "DS", many=True),
    0x00181210: Kept("ConvolutionKernel", "SH", many=True),
    0x00181242: Kept("ActualFrameDuration", "IS"),
    0x00181314: Kept("FlipAngle", "DS"),
    0x00185100: Kept("PatientPosition", "CS"),
    0x00189087: Kept("DiffusionBValue", "FD"),
    0x00189089: Kept("DiffusionGradientOrientation", "FD", many=True),
    0x0020000D: Kept("StudyInstanceUID", "UI"),
    0x0020000E: Kept("SeriesInstanceUID", "UI"),
    0x00200011: Kept("SeriesNumber", "IS"),
    0x00200012: Kept("AcquisitionNumber", "IS"),
    0x00200013: Kept("InstanceNumber", "IS"),
    0x00200032: Kept("ImagePositionPatient", "DS", many=True),
    0x00200037: Kept("ImageOrientationPatient", "DS", many=True),
    0x00200052: Kept("FrameOfReferenceUID", "UI"),
    0x00200100: Kept("TemporalPositionIdentifier", "IS"),
    0x00200105: Kept("NumberOfTemporalPositions", "IS"),
    0x00201041: Kept("SliceLocation", "DS"),
    0x00209128: Kept("TemporalPositionIndex", "UL"),
    0x00209161: Kept("ConcatenationUID", "UI"),
    0x00209162: Kept("InConcatenationNumber", "US"),
    0x00209163: Kept("InConcatenationTotalNumber", "US"),
    0x00209228: Kept("ConcatenationFrameOffsetNumber", "UL"),
    0x00209241: Kept("NominalPercentageOfCardiacPhase", "FL"),
    0x00280002: Kept("SamplesPerPixel", "US"),
    0x00280004: Kept("PhotometricInterpretation", "CS"),
    0x00280006: Kept("PlanarConfiguration", "US"),
    0x00280008: Kept("NumberOfFrames", "IS"),
    0x00280010: Kept("Rows", "US"),
    0x00280011: Kept("Columns", "US"),
    0x00280030: Kept("PixelSpacing", "DS", many=True),
    0x00280100: Kept("BitsAllocated", "US"),
    0x00280101: Kept("BitsStored", "US"),
    0x00280102: Kept("HighBit", "US"),
    0x00280103: Kept("PixelRepresentation", "US"),
    0x00280120: Kept("PixelPaddingValue", "US"),
    0x00280121: Kept("PixelPaddingRangeLimit", "US"),
    0x00280301: Kept("BurnedInAnnotation", "CS"),
    0x00281052: Kept("RescaleIntercept", "DS"),
    0x00281053: Kept("RescaleSlope", "DS"),
    0x00281054: Kept("RescaleType", "LO"),
    0x00282110: Kept("LossyImageCompression", "CS"),
    0x00541001: Kept("Units", "CS"),
    0x00541102: Kept("DecayCorrection", "CS"),
    0x00541300: Kept("FrameReferenceTime", "DS"),
    0x30040002: Kept("DoseUnits", "CS"),
    0x30040004: Kept("DoseType", "CS"),
    0x3004000A: Kept("DoseSummationType", "CS"),
    0x3004000C: Kept("GridFrameOffsetVector", "DS", many=True),
    0x3004000E: Kept("DoseGridScaling", "DS"),
    0x30060002: Kept("StructureSetLabel", "SH"),
    0x300A0002: Kept("RTPlanLabel", "SH"),
}

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_MOST_EXACT = 2.0**53  # larger whole numbers are not all floats
_LONGEST_SHOWN = 60  # characters of a value in a message
_BINARY = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FD": "d", b"FL": "f", b"UV": "Q", b"SV": "q"}
_TEXT = frozenset({"LO", "SH", "PN", "LT", "ST", "UT", "UC"})
_WHOLE = frozenset({"LT", "ST", "UT"})  # one value each, whatever is in it
_MOST_SHARED = 64  # bytes of a value that is remembered
_PADDING = "\0 "
_PLAIN_SETS = {b"": "latin-1", b"ISO_IR 6": "latin-1", b"ISO_IR 100": "latin-1", b"ISO_IR 192": "utf-8"}
CHARACTER_SET = 0x00080005


def label(tag: int) -> str:
    """Returns a tag as messages show it: ``(0028,0030) PixelSpacing``."""
    kept = KEPT.get(tag)
    name = f" {kept.keyword}" if kept else " PixelData" if tag == 0x7FE00010 else ""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}){name}"


def convert(found: Mapping[int, Raw], where: str) -> tuple[dict[str, Any], list[Issue]]:
    """Converts the elements of one object.

    Args:
        found: Tag to element.
        where: The object's name in messages.

    Returns:
        Keyword to value (float, int or str, a tuple of these where the standard allows several), without empty ones;
        and what could not be converted.
    """
    values: dict[str, Any] = {}
    issues: list[Issue] = []
    charset = found[CHARACTER_SET][1].strip(b"\0 ") if CHARACTER_SET in found else b""
    for tag, raw in found.items():
        value = value_of(tag, raw, charset, where)
        if isinstance(value, Issue):
            issues.append(value)
        elif value is not None:
            values[KEPT[tag].keyword] = value
    return values, issues


def value_of(tag: int, raw: Raw, charset: bytes, where: str) -> Any:
    """Converts one element: its value, None for an empty one, or an issue."""
    try:
        return (_shared if len(raw[1]) <= _MOST_SHARED else _converted)(tag, raw, charset)
    except (ValueError, struct.error) as error:
        got = str(error)[:_LONGEST_SHOWN]
        return Issue("the value cannot be read", f"{where}, {label(tag)}", f"VR {KEPT[tag].vr}", got)


def _converted(tag: int, raw: Raw, charset: bytes) -> Any:
    kept = KEPT[tag]
    several = _values(kept, raw, charset)
    if not several:
        return None
    return tuple(several) if kept.many or len(several) > 1 else several[0]


# The slices of a series have most of their values in common: read once, and once in memory
_shared = functools.lru_cache(maxsize=1 << 14)(_converted)


def _values(kept: Kept, raw: Raw, charset: bytes) -> Sequence[Any]:
    vr, value, little_endian = raw
    if not value:
        return ()
    binary = _BINARY.get(vr) or (_BINARY.get(kept.vr.encode()) if vr in (b"", b"UN") else None)
    if binary:
        return _unpacked(kept, value, binary, little_endian=little_endian)
    text = decode(value, charset, name=kept.vr == "PN") if kept.vr in _TEXT else value.decode("latin-1")
    if kept.vr in _WHOLE:
        return _without_empty([text.strip(_PADDING)])
    parts = text.split("\\")
    if kept.vr == "UI":
        parts = [part.strip() for part in parts]  # white space of any kind, before the padding, as pydicom does it
    parts = [part.strip(_PADDING) for part in parts]
    if kept.vr == "PN":
        parts = [part.rstrip("=") for part in parts]  # a name's empty component groups need not be written
    return _CONVERTERS.get(kept.vr, _without_empty)(parts)


def _without_empty(parts: list[str]) -> Sequence[str]:
    return parts if any(parts) else ()


def _unpacked(kept: Kept, value: bytes, code: str, *, little_endian: bool) -> Sequence[Any]:
    count, left = divmod(len(value), struct.calcsize("=" + code))
    if left:
        raise ValueError(f"{len(value)} bytes")
    numbers = struct.unpack(f"{'<' if little_endian else '>'}{count}{code}", value)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("not a finite number")
    if kept.vr in ("DS", "IS") or kept.vr.encode() in _BINARY:
        return numbers
    raise ValueError(f"numbers of the type {code!r}")


def _decimals(parts: list[str]) -> Sequence[float]:
    if not any(parts):
        return ()
    numbers = [float(part) for part in parts]
    if not all(map(math.isfinite, numbers)) or "_" in "".join(parts):  # Python reads "nan" and "1_000"; PS3.5 does not
        raise ValueError(repr("\\".join(parts)))
    return numbers


def _integers(parts: list[str]) -> Sequence[int]:
    if not any(parts):
        return ()
    if all(map(_WHOLE_NUMBER, parts)):
        return [int(part) for part in parts]
    numbers = _decimals(parts)  # "2.0" and "1e3" are written too, and are whole
    if not all(number.is_integer() and abs(number) < _MOST_EXACT for number in numbers):
        raise ValueError(repr("\\".join(parts)))
    return [int(number) for number in numbers]


_CONVERTERS: Mapping[str, Callable[[list[str]], Sequence[Any]]] = {
    "DS": _decimals,
    "FD": _decimals,
    "FL": _decimals,
    "IS": _integers,
    "US": _integers,
    "UL": _integers,
}


def decode(value: bytes, charset: bytes = b"", *, name: bool = False) -> str:
    """Decodes text of a VR that the specific character set concerns (PS3.5 chapter 6; names: section 6.2.1).

    What is not of the character set becomes a replacement character.
    """
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    if charset in _PLAIN_SETS and b"\x1b" not in value:
        return value.decode(_PLAIN_SETS[charset], "replace")
    from braggbook.imaging.dicom.odd import decode_odd  # noqa: PLC0415 - pydicom is slow to import and rarely needed

    return decode_odd(value, charset, name=name)
