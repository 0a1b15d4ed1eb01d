"""One frame of an instance as the numbers that were stored, read when asked for and not before.

Uncompressed pixels are read straight from their place in the file, without the rest of it. Everything else goes through
pydicom with pylibjpeg, pyjpegls and GDCM.

Sources: DICOM PS3.5 section 8 (encoding of pixels), annex A (transfer syntaxes); PS3.3 C.7.6.3 (image pixel module).
"""

from __future__ import annotations

import importlib
import os
import struct
import threading
import warnings
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)

from braggbook.errors import DicomError
from braggbook.imaging.dicom.archives import BOMB_RATIO
from braggbook.imaging.dicom.bounded import is_bomb, read_dataset
from braggbook.imaging.dicom.images import ImageHeader, PixelPlace, local_path, native_length, tag_name
from braggbook.imaging.dicom.jpeg import jpeg_2000_problem, jpeg_ls_problem, jpeg_problem

Array = npt.NDArray[Any]

_DIRECT = (str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian))
_FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_HTJ2K = (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)
_ITEM = struct.Struct("<LL")  # tag and length of a fragment; encapsulated is always little endian
_ITEM_START, _SEQUENCE_END = 0xE000FFFE, 0xE0DDFFFE
_INFLATED = threading.Lock()
_MOST_DEFLATED_HEADER = 1 << 26  # bytes of it that are taken into memory beside the pixels


def check_pixels(header: ImageHeader) -> None:
    """Looks whether an instance has all the pixels that it says it has, without reading them.

    Raises:
        DicomError: The sizes are missing or impossible, or the file ends too early.
    """
    _check_layout(header)
    _check_sizes(header)
    if header.place.offset >= 0 and header.syntax.is_encapsulated:
        _check_fragments(header)


def check_frames(header: ImageHeader) -> None:
    """Looks whether an instance can have as many frames as it says, before anything is made for each of them.

    Raises:
        DicomError: The file is too short for them.
    """
    if header.frames > 1:
        _check_layout(header)
        _check_sizes(header)


def _check_sizes(header: ImageHeader) -> None:
    """Compares what the image takes in memory with what the file holds."""
    place, frame = header.place, _frame_bytes(header)
    packed = place.offset < 0 or header.syntax.is_encapsulated
    there = place.available
    if not packed:
        there = min(there, place.length if place.length is not None else there)
        if there < int(frame * header.frames):
            raise _short(header, place, int(frame * header.frames), there)
    elif header.frames * _ITEM.size > there and place.offset >= 0:
        raise _short(header, place, header.frames * _ITEM.size, there)
    elif is_bomb(unpacked=frame if place.offset >= 0 else frame * header.frames, packed=there):
        where, got = str(header.source), f"{int(frame):,} bytes a frame from {there:,} bytes"
        wanted = f"frames of at most {BOMB_RATIO} times their file"
        raise DicomError("pixels that unpack to far more than they are: a bomb?", where=where, wanted=wanted, got=got)


def _check_fragments(header: ImageHeader) -> None:
    """Walks the fragments of encapsulated pixels by their lengths (PS3.5 A.4); the last one must end in the file.

    Decoders make an image of half a frame without a word.
    """
    place = header.place
    end = place.offset + place.available
    with header.source.open() as file:
        at = place.offset
        while at + _ITEM.size <= end:
            file.seek(at)
            tag, length = _ITEM.unpack(file.read(_ITEM.size))
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM_START:
                wanted = "an item (FFFE,E000) at every fragment"
                got = f"{tag & 0xFFFF:04X},{tag >> 16:04X} at byte {at}"
                raise DicomError("damaged encapsulated pixels", where=str(header.source), wanted=wanted, got=got)
            at += _ITEM.size + length
    if at != end:  # without a delimiter is not as it should be, but whole
        raise _short(header, place, at - place.offset, place.available)


def read_stored(header: ImageHeader, number: int) -> Array:
    """Reads one frame as it is stored: :func:`read_raw` :func:`without_unused_bits`."""
    return without_unused_bits(read_raw(header, number), header)


def read_raw(header: ImageHeader, number: int) -> Array:
    """Reads one frame as it is written.

    Args:
        header: The instance.
        number: Which frame, from 0.

    Returns:
        (rows, columns), or (rows, columns, 3) in RGB for colour: numbers of BitsAllocated bits.

    Raises:
        DicomError: The pixels are not all there, or cannot be decoded.
    """
    if header.transfer_syntax_uid in _DIRECT and _is_plain(header):
        return _read_direct(header, number)
    return _decode(header, number)


def stored_dtype(header: ImageHeader) -> np.dtype[Any]:
    """Returns of which type stored values are."""
    if bits := _FLOATS.get(header.place.keyword):
        return np.dtype(f"f{bits // 8}")
    _check_layout(header)
    bits = max(8, int(header.need("BitsAllocated")))
    return np.dtype(f"{'i' if header.get('PixelRepresentation', 0) == 1 else 'u'}{bits // 8}")


def stored_range(header: ImageHeader) -> tuple[int, int]:
    """Returns the smallest and the largest value that the bits in use can hold."""
    bits = int(header.get("BitsStored", header.need("BitsAllocated")))
    if header.get("PixelRepresentation", 0) == 1:
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def without_unused_bits(array: Array, header: ImageHeader) -> Array:
    """Returns values of which only the bits in use count (PS3.5 8.1.1): the others hold overlays, or anything.

    Args:
        array: Integers of BitsAllocated bits.
        header: Says BitsStored and HighBit.
    """
    if array.dtype.kind not in "iu" or array.ndim > 2 or header.syntax.is_encapsulated:
        return array  # decoders return what was encoded, and pydicom has corrected the sign
    allocated = array.dtype.itemsize * 8
    stored = int(header.get("BitsStored", allocated))
    high = int(header.get("HighBit", stored - 1))
    if stored >= allocated or stored < 1:
        return array
    up, down = allocated - 1 - high, allocated - stored
    cleaned = np.left_shift(array, up)
    return np.right_shift(cleaned, down, out=cleaned)  # arithmetic for signed numbers: the sign goes along


def _check_layout(header: ImageHeader) -> None:
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        value = header.need(keyword)
        if not isinstance(value, int) or value < 1:
            where = str(header.source)
            raise DicomError(
                f"{tag_name(keyword)} is not usable", where=where, wanted="a whole number above 0", got=str(value)
            )
    allocated = int(header.need("BitsAllocated"))
    stored, high = int(header.get("BitsStored", allocated)), int(header.get("HighBit", 0))
    if allocated not in (1, 8, 16, 32, 64) or not 1 <= stored <= allocated or high >= allocated:
        wanted = f"{tag_name('BitsAllocated')} of 1, 8, 16, 32 or 64, and (0028,0101) BitsStored not above it"
        got = f"{allocated} and {stored}, high bit {high}"
        raise DicomError("bits that do not fit each other", where=str(header.source), wanted=wanted, got=got)


def _is_plain(header: ImageHeader) -> bool:
    samples = int(header.get("SamplesPerPixel", 1))
    return samples == 1 and header.place.offset >= 0 and int(header.need("BitsAllocated")) >= 8


def _frame_bytes(header: ImageHeader) -> float:
    """Returns how long an uncompressed frame is; a fraction for single bits."""
    if bits := _FLOATS.get(header.place.keyword):
        return int(header.need("Rows")) * int(header.need("Columns")) * bits / 8
    bits = int(header.need("Rows")) * int(header.need("Columns")) * int(header.need("BitsAllocated"))
    bits *= int(header.get("SamplesPerPixel", 1))
    return bits / 12 if header.get("PhotometricInterpretation") == "YBR_FULL_422" else bits / 8


def _short(header: ImageHeader, place: PixelPlace, wanted: int, there: int) -> DicomError:
    return DicomError(
        f"{tag_name(place.keyword)} ends too early",
        where=str(header.source),
        wanted=f"{wanted} bytes",
        got=f"{there} bytes",
    )


def _read_direct(header: ImageHeader, number: int) -> Array:
    place, dtype = header.place, stored_dtype(header).newbyteorder("<")
    length = int(_frame_bytes(header))
    data = _read_bytes(header, place.offset + number * length, length)
    if len(data) < length:
        raise _short(header, place, length, len(data))
    return np.frombuffer(data, dtype).reshape(int(header.need("Rows")), int(header.need("Columns")))


def _read_bytes(header: ImageHeader, offset: int, length: int) -> bytes:
    path = local_path(header.source)
    try:
        if path is None:
            with header.source.open() as file:
                file.seek(offset)
                return file.read(length)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, length)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DicomError("a file that cannot be read any more", where=str(header.source), got=str(error)) from error


def _decode(header: ImageHeader, number: int) -> Array:
    """Decodes a frame with pydicom; whatever the libraries raise becomes our error."""
    where = f"{header.source} frame {number + 1}" if header.frames > 1 else str(header.source)
    try:
        if header.place.offset < 0:
            return _decode_inflated(header, number)
        with header.source.open() as file:
            file.seek(header.place.offset)
            return _decode_at(file, header, number)
    except (DicomError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # each decoder has errors of its own; that of RLE, in Rust, is no Exception
        name = header.syntax.name
        got = f"{type(error).__name__}: {error}"
        raise DicomError(
            "pixels that cannot be decoded", where=where, wanted=f"{tag_name('PixelData')} in {name}", got=got
        ) from error


def _decode_at(file: BinaryIO, header: ImageHeader, number: int) -> Array:
    if header.syntax.is_encapsulated and header.syntax not in RLETransferSyntaxes:
        _check_stream(file, header, number)
    if header.transfer_syntax_uid == JPEGExtended12Bit and int(header.get("BitsStored", 8)) > 8:
        return _decode_extended(file, header, number)
    decoder = get_decoder(header.transfer_syntax_uid)
    options = _options(header)
    if not header.syntax.is_encapsulated:
        options["correct_unused_bits"] = False  # done here, also for a high bit that is elsewhere
    array, _ = decoder.as_array(file, index=number, decoding_plugin=_plugin(header), **options)
    return np.asarray(array, dtype=array.dtype.newbyteorder("="))


def _check_stream(file: BinaryIO, header: ImageHeader, number: int) -> None:
    """Refuses what is of another size, what CharLS would take many seconds over, and what GDCM would end over."""
    encoded = get_frame(file, number, number_of_frames=header.frames, extended_offsets=_offsets(header))
    rows, columns, bits = (int(header.need(keyword)) for keyword in ("Rows", "Columns", "BitsAllocated"))
    samples = int(header.get("SamplesPerPixel", 1))
    size = {"rows": rows, "columns": columns, "samples": samples}
    if header.syntax in JPEGLSTransferSyntaxes:
        got = jpeg_ls_problem(encoded, **size)
    elif header.syntax in JPEGTransferSyntaxes:
        got = jpeg_problem(encoded, **size, bits=bits)
    else:
        got = jpeg_2000_problem(encoded, **size)
    if got:
        where = f"{header.source} frame {number + 1}"
        wanted = f"{tag_name('PixelData')} in {header.syntax.name}"
        raise DicomError("pixels that cannot be decoded", where=where, wanted=wanted, got=got)


def _plugin(header: ImageHeader) -> str:
    """Returns which decoder reads a syntax; only one, for GDCM takes many seconds over a damaged JPEG-LS stream."""
    if header.syntax in JPEGLSTransferSyntaxes:
        return "pyjpegls"
    if header.syntax in (*JPEG2000TransferSyntaxes, *_HTJ2K, *RLETransferSyntaxes):
        return "pylibjpeg"
    return "gdcm" if header.syntax.is_encapsulated else ""


def _decode_extended(file: BinaryIO, header: ImageHeader, number: int) -> Array:
    """Decodes 12-bit JPEG with GDCM, which pydicom does not let it do."""
    gdcm = importlib.import_module("gdcm")  # slow to load and rarely needed
    encoded = get_frame(file, number, number_of_frames=header.frames, extended_offsets=_offsets(header))
    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(encoded)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    rows, columns, stored = (int(header.need(keyword)) for keyword in ("Rows", "Columns", "BitsStored"))
    photometric = gdcm.PhotometricInterpretation.GetPIType(header.get("PhotometricInterpretation", "MONOCHROME2"))
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(photometric))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(header.transfer_syntax_uid)))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, stored, stored - 1, int(header.get("PixelRepresentation", 0))))
    decoded = image.GetBuffer().encode("utf-8", "surrogateescape")  # bytes that GDCM hands over as text
    return np.frombuffer(decoded, "<i2" if header.get("PixelRepresentation", 0) == 1 else "<u2").reshape(rows, columns)


def _options(header: ImageHeader) -> dict[str, Any]:
    """Returns what pydicom must know about the pixels."""
    allocated = int(header.need("BitsAllocated"))
    samples = int(header.get("SamplesPerPixel", 1))
    options: dict[str, Any] = {
        "rows": int(header.need("Rows")),
        "columns": int(header.need("Columns")),
        "samples_per_pixel": samples,
        "bits_allocated": allocated,
        "bits_stored": int(header.get("BitsStored", allocated)),
        "number_of_frames": header.frames,
        "photometric_interpretation": header.get("PhotometricInterpretation", "MONOCHROME2"),
        "pixel_keyword": header.place.keyword,
        "pixel_vr": header.place.vr or "OW",
        "transfer_syntax_uid": header.syntax,
        "correct_unused_bits": True,
        "apply_j2k_sign_correction": True,
        "apply_jls_sign_correction": True,
    }
    if header.place.keyword == "PixelData":
        options["pixel_representation"] = int(header.get("PixelRepresentation", 0))
    if samples > 1:
        options["planar_configuration"] = int(header.get("PlanarConfiguration", 0))
    if offsets := _offsets(header):
        options["extended_offsets"] = offsets
    return options


def _offsets(header: ImageHeader) -> tuple[bytes, bytes] | None:
    """Returns the extended offset table: where frames begin, and how long they are."""
    if not header.syntax.is_encapsulated or header.frames == 1 or "ExtendedOffsetTable" not in header.dataset:
        return None
    return header.dataset.ExtendedOffsetTable, header.dataset.ExtendedOffsetTableLengths


def _decode_inflated(header: ImageHeader, number: int) -> Array:
    """Reads a frame of a file that is deflated as a whole."""
    with _INFLATED:
        array = _inflated(header)
    several = header.frames > 1
    return array[number] if several else array


@lru_cache(maxsize=2)
def _inflated(header: ImageHeader) -> Array:
    wanted = native_length(header) or 0
    with header.source.open() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_dataset(file, pixels=True, most=_MOST_DEFLATED_HEADER + wanted)
    if "PixelData" not in dataset:
        raise DicomError("an instance without pixels", where=str(header.source), wanted=tag_name("PixelData"))
    length = len(dataset.PixelData)
    if length < wanted:
        raise _short(header, PixelPlace("PixelData", -1, length, "", length), wanted, length)
    return np.asarray(dataset.pixel_array)
