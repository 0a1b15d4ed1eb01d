"""What a file says about its image, without the pixels, and where in the file the pixels are.

The values are plain Python (float, int, str, list) whatever was written, so that a rule about geometry never meets a
decimal string; a value that cannot be converted is an error that names the file and the tag.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import DSdecimal, DSfloat, PersonName

from braggbook.errors import BraggbookError, DicomError
from braggbook.imaging.dicom.bounded import read_dataset
from braggbook.imaging.dicom.instances import Instance, Series
from braggbook.imaging.dicom.sources import FileSource, Source

GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID")
PIXEL_MODULE = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip
VALUES = ("RescaleSlope", "RescaleIntercept", "RescaleType", "Units")
IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesDescription")
LABELS = (
    "ImageType", "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "TriggerTime", "EchoTime",
    "EchoNumbers", "InversionTime", "FlipAngle", "DiffusionBValue", "DiffusionGradientOrientation",
    "FrameReferenceTime", "AcquisitionDateTime", "AcquisitionTime", "NominalPercentageOfCardiacPhase",
    "ConvolutionKernel", "ComplexImageComponent", "GantryDetectorTilt",
)  # fmt: skip
KEYWORDS = (*IDENTITY, *GEOMETRY, *PIXEL_MODULE, *VALUES, *LABELS)

_PIXELS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_PIXEL_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN")
_UNDEFINED = 0xFFFFFFFF
_WHOLE, _NUMBERS = ("IS", "US", "SS", "UL", "SL"), ("DS", "FL", "FD")
_MOST_SEARCHED = 1 << 20  # bytes before the pixels; a slice has some thousands
_MARKS = {
    keyword: struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    for keyword in (*KEYWORDS, "ModalityLUTSequence")
    if (tag := tag_for_keyword(keyword)) is not None
}
_QUIET = threading.Lock()


@dataclass(frozen=True)
class PixelPlace:
    """Where the pixels of an instance are in its bytes.

    Attributes:
        keyword: ``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``.
        offset: Of the first byte of the value; -1 in a deflated file, whose bytes have no place of their own.
        length: In bytes; None when encapsulated, whose length is not written.
        vr: ``OB``, ``OW``, ``OF``, ``OD`` or empty.
        available: Bytes of the value that the file really holds.
    """

    keyword: str
    offset: int
    length: int | None
    vr: str
    available: int


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """One instance without its pixels.

    Attributes:
        source: Where its bytes are.
        transfer_syntax_uid: How its bytes are written.
        tags: Keyword to plain value, of the :data:`KEYWORDS` that the instance has.
    """

    source: Source
    transfer_syntax_uid: str
    tags: Mapping[str, Any]
    found: PixelPlace | None = field(default=None, repr=False)

    def get(self, keyword: str, default: Any = None) -> Any:
        """Returns a value, or ``default`` when the tag is not there or is empty."""
        value = self.tags.get(keyword)
        return default if value is None else value

    def need(self, keyword: str) -> Any:
        """Returns a value.

        Raises:
            DicomError: The tag is not there or is empty.
        """
        value = self.get(keyword)
        if value is None:
            raise DicomError("a tag that the image needs is missing", where=str(self.source), wanted=tag_name(keyword))
        return value

    @property
    def syntax(self) -> UID:
        """Its transfer syntax."""
        return UID(self.transfer_syntax_uid)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return max(1, int(self.get("NumberOfFrames", 1)))

    @cached_property
    def dataset(self) -> pydicom.Dataset:
        """Everything but the pixels, sequences too; read when first asked for."""
        return _parse(self.source)[0]

    @cached_property
    def place(self) -> PixelPlace:
        """Where the pixels are.

        Raises:
            DicomError: The instance has none.
        """
        found = self.found or _parse(self.source)[1]
        if found is None:
            wanted = tag_name("PixelData")
            raise DicomError("an instance without pixels", where=str(self.source), wanted=wanted)
        return found


def tag_name(keyword: str) -> str:
    """Returns ``(gggg,eeee) Keyword``."""
    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}"


def read_header(source: Source) -> ImageHeader:
    """Reads an instance without its pixels.

    Raises:
        DicomError: It is not DICOM, ends in the middle, or has a value that is not of its kind.
    """
    dataset, place = _parse(source)
    header = ImageHeader(source, str(dataset.file_meta.TransferSyntaxUID), plain_tags(dataset, KEYWORDS, source), place)
    if "NumberOfFrames" in header.tags:  # its functional groups are wanted soon, and long to read
        header.__dict__["dataset"] = dataset
    return header


def header_of(instance: Instance) -> ImageHeader:
    """Returns the header of an indexed instance, mostly from what the index knows.

    The file's own header is only searched for the tags that the index does not have; where it has one of them (which
    the index does not keep, or could not read), it is read as a whole.

    Raises:
        DicomError: It has a value that is not of its kind.
    """
    path, offset = local_path(instance.source), instance.pixel_offset
    if path is None or offset is None or offset > _MOST_SEARCHED or "NumberOfFrames" in instance.tags:
        return read_header(instance.source)
    tags = {key: list(value) if isinstance(value, tuple) else value for key, value in instance.tags.items()}
    try:
        with path.open("rb", buffering=0) as file:
            head, size = file.read(offset), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DicomError("a file that cannot be read any more", where=str(path), got=str(error)) from error
    place = _place_after(head, size, instance.pixel_bytes)
    if place is None or any(mark in head for keyword, mark in _MARKS.items() if keyword not in tags):
        return read_header(instance.source)
    tags["SOPInstanceUID"], tags["SeriesInstanceUID"] = instance.sop_instance_uid, instance.series_uid
    return ImageHeader(instance.source, instance.transfer_syntax_uid, tags, place)


def _place_after(head: bytes, size: int, length: int | None) -> PixelPlace | None:
    """Returns where the pixels are whose tag ends a header in little endian."""
    explicit = head[-8:-6] in _PIXEL_VRS and head[-6:-4] == b"\0\0"
    group, element = struct.unpack("<HH", head[-12:-8] if explicit else head[-8:-4])
    keyword = _PIXELS.get((group << 16) + element)
    vr = head[-8:-6].decode("ascii") if explicit else ""
    return PixelPlace(keyword, len(head), length, vr, size - len(head)) if keyword else None


@contextmanager
def guarded(series: Series) -> Iterator[None]:
    """Silences pydicom's warnings about values that our own checks name, and makes its errors ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (BraggbookError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a value deep in a sequence is of a wrong kind; or a decoder, in Rust, panics
            issues = [issue for instance in series for issue in instance.issues]
            where = f"series {series.uid} of {series.instances[0].source}"
            what, got = "a DICOM series with a value that cannot be read", f"{type(error).__name__}: {error}"
            raise DicomError(what, where=where, got=got, issues=issues) from error


def plain_tags(dataset: pydicom.Dataset, keywords: Iterable[str], source: Source) -> dict[str, Any]:
    """Returns the values that a data set has of some keywords, plain.

    Raises:
        DicomError: A value is not of its kind.
    """
    found = {}
    for keyword in keywords:
        value = _quietly(dataset, keyword, source)
        if value is not None:
            _check_kind(keyword, value, source)
            found[keyword] = value
    return found


def _check_kind(keyword: str, value: Any, source: Source) -> None:
    """Refuses text where the standard has a number: pydicom passes on what it cannot convert."""
    kind = dictionary_VR(keyword)
    wanted = int if any(each in _WHOLE for each in kind.split(" or ")) else (int, float) if kind in _NUMBERS else object
    if not all(isinstance(each, wanted) for each in (value if isinstance(value, list) else [value])):
        name = f"{tag_name(keyword)} as {kind}"
        raise DicomError("a value that cannot be read", where=str(source), wanted=name, got=repr(value))


def plain(value: Any) -> Any:
    """Returns a value of pydicom as JSON has it: None for empty, lists for many, dicts for the items of sequences."""
    if value is None or (isinstance(value, str) and not value):
        return None
    if isinstance(value, Sequence):
        return [{each.keyword: plain(each.value) for each in item if each.keyword} for item in value]
    if isinstance(value, (MultiValue, list, tuple)):
        return [plain(each) for each in value] or None
    if isinstance(value, (DSfloat, DSdecimal, float)):
        return float(value)
    if isinstance(value, bytes):
        return None
    if isinstance(value, int):
        return int(value)
    return str(value).strip() if isinstance(value, (str, PersonName)) else str(value)


def native_length(header: ImageHeader) -> int | None:
    """Returns how many bytes uncompressed pixels take, without the byte that makes it even; None if it is not said."""
    sizes = [header.get(keyword) for keyword in ("Rows", "Columns", "BitsAllocated")]
    if not all(isinstance(size, int) for size in sizes):
        return None
    bits = sizes[0] * sizes[1] * sizes[2] * int(header.get("SamplesPerPixel", 1)) * header.frames
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    return int((bits + 7) // 8)


def local_path(source: Source) -> Path | None:
    """Returns the file that holds an instance and nothing else, if there is one."""
    return source.path if isinstance(source, FileSource) else None


def _quietly(dataset: pydicom.Dataset, keyword: str, source: Source) -> Any:
    """Returns a value without pydicom's warnings; what cannot be converted becomes our error."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(dataset.get(keyword))
        except Exception as error:
            wanted = f"a value of the kind that {tag_name(keyword)} has"
            got = f"{type(error).__name__}: {error}"
            raise DicomError("a value that cannot be read", where=str(source), wanted=wanted, got=got) from error


def _parse(source: Source) -> tuple[pydicom.Dataset, PixelPlace | None]:
    """Reads everything but the pixels, and finds them."""
    try:
        with source.open() as file, _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = read_dataset(file)
            _complete(dataset, source)
            return dataset, _find_pixels(file, dataset, source)
    except MemoryError:
        raise
    except DicomError as error:
        if error.where:
            raise
        raise DicomError(error.what, where=str(source), wanted=error.wanted, got=error.got) from None
    except Exception as error:  # pydicom raises whatever a wrong byte leads to
        got = f"{type(error).__name__}: {error}"
        raise DicomError("not a readable DICOM file", where=str(source), wanted="DICOM", got=got) from error


def _complete(dataset: pydicom.Dataset, source: Source) -> None:
    """Checks that it is DICOM at all, and says how it is written when the file does not."""
    if "SOPClassUID" not in dataset and "Rows" not in dataset:
        got = "no (0008,0016) SOPClassUID" if len(dataset) else "no DICOM tag"
        raise DicomError("not DICOM", where=str(source), wanted="a DICOM image", got=got)
    if not getattr(dataset, "file_meta", None):
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _find_pixels(file: BinaryIO, dataset: pydicom.Dataset, source: Source) -> PixelPlace | None:
    """Reads the element that the file stands at: the pixels, or the end of the file."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_deflated:
        return PixelPlace("PixelData", -1, None, "", 0)
    head = file.read(12)
    order = "<" if syntax.is_little_endian else ">"
    if len(head) < 8:
        return None
    group, element = struct.unpack(order + "HH", head[:4])
    keyword = _PIXELS.get((group << 16) + element)
    if keyword is None:
        got = f"{Tag(group, element)} where the pixels should be"
        raise DicomError("pixels that cannot be found", where=str(source), wanted=tag_name("PixelData"), got=got)
    explicit = head[4:6] in _PIXEL_VRS  # as it is, not as the file says: an implicit length is even and never reads so
    vr = head[4:6].decode("ascii") if explicit else ""
    length = struct.unpack(order + "L", head[8:12] if explicit else head[4:8])[0]
    offset = file.tell() - len(head) + (12 if explicit else 8)
    available = file.seek(0, 2) - offset
    return PixelPlace(keyword, offset, None if length == _UNDEFINED else length, vr, available)
