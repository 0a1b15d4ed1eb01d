"""Pixels: passed on byte for byte, but no byte more than there are pixels, and no text between compressed ones."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import pydicom

from braggbook.errors import DicomError
from braggbook.imaging.deidentify.elements import Element, Parsed, parse
from braggbook.imaging.deidentify.options import Region

_CHUNK = 1 << 22
# what encoders say of themselves in a comment; anything else there is blanked
_ENCODERS = re.compile(
    rb"[\0\x01 ]*(?:Created by (?:GDCM/)?OpenJPEG|Creator: JasPer|MITRA_DICOM_STANDARD|Kakadu|OpenJPEG"
    rb"|JasPer|LEAD|IJG|Aware)"
    rb"(?: ?-?v?(?:[Vv]ersion )?[\d.]{1,12})?\0?"
)


@dataclass(frozen=True)
class Size:
    """What the header says about the pixels of one object."""

    rows: int
    columns: int
    samples: int
    bits: int
    frames: int
    planar: int
    photometric: str

    @property
    def length(self) -> int:
        """Bytes of all uncompressed pixels (PS3.5, 8.1.1 and 8.2)."""
        values = self.rows * self.columns * self.samples * self.frames
        if self.photometric == "YBR_FULL_422":
            values = self.rows * self.columns * 2 * self.frames
        return (values * self.bits + 7) // 8


def size_of(parsed: Parsed) -> Size:
    """Reads the size of the pixels.

    Raises:
        DicomError: Rows or columns are missing.
    """

    def number(tag: int, default: int | None = None) -> int:
        element = next((e for e in parsed.elements if e.tag == tag and e.items is None), None)
        raw = parsed.value(element) if element else b""
        if element and len(raw) == 2 and element.vr != "IS":
            return int(struct.unpack(">H" if parsed.big else "<H", raw)[0])
        text = raw.strip(b" \0")
        if text.isdigit() and len(text) <= 10:
            return int(text)
        if default is None or text:
            raise DicomError("pixels without their size", where=f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        return default

    return Size(
        rows=number(0x00280010),
        columns=number(0x00280011),
        samples=number(0x00280002, 1),
        bits=number(0x00280100, 8),
        frames=number(0x00280008, 1) or 1,
        planar=number(0x00280006, 0),
        photometric=parsed.text(0x00280004),
    )


def decompressed(parsed: Parsed) -> Parsed:
    """Returns the object with uncompressed pixels, read again.

    Raises:
        DicomError: The pixels cannot be decoded.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(parsed.data), force=True)
        dataset.decompress(generate_instance_uid=False)
        buffer = BytesIO()
        dataset.save_as(buffer)
    except Exception as error:  # decoders raise many classes
        raise DicomError("the compressed pixels cannot be decoded", got=type(error).__name__) from error
    return parse(buffer.getbuffer())


def native_chunks(parsed: Parsed, element: Element, *, size: Size, regions: Sequence[Region]) -> Iterator[bytes]:
    """Yields uncompressed pixels, regions blanked, cut or refused at their declared length."""
    length = size.length if element.tag == 0x7FE00010 else element.length
    if element.length < length:
        raise DicomError(
            "truncated pixels", where="(7FE0,0010) PixelData", wanted=f"{length} bytes", got=str(element.length)
        )
    padding = bytes(parsed.data[element.start + length : element.start + length + length % 2]) or b"\0"
    if regions:
        yield _blanked(bytes(parsed.data[element.start : element.start + length]), size=size, regions=regions)
    else:
        for start in range(element.start, element.start + length, _CHUNK):
            yield bytes(parsed.data[start : min(start + _CHUNK, element.start + length)])
    if length % 2:
        yield padding


def native_length(element: Element, size: Size) -> int:
    """Returns how many bytes :func:`native_chunks` yields."""
    length = size.length if element.tag == 0x7FE00010 else element.length
    return length + length % 2


def _blanked(data: bytes, *, size: Size, regions: Sequence[Region]) -> bytes:
    if size.bits % 8 or size.photometric == "YBR_FULL_422":
        raise DicomError(
            "regions of such pixels cannot be blanked", wanted="whole bytes per sample", got=f"{size.bits} bits"
        )
    step = size.bits // 8
    planes = size.samples if size.planar and size.samples > 1 else 1
    pixel = step * (size.samples // planes)
    pixels, stride = bytearray(data), size.columns * pixel
    for plane in range(size.frames * planes):
        for region in regions:
            left, right = min(region.left, size.columns), min(region.left + region.width, size.columns)
            for row in range(min(region.top, size.rows), min(region.top + region.height, size.rows)):
                start = plane * size.rows * stride + row * stride
                pixels[start + left * pixel : start + right * pixel] = bytes((right - left) * pixel)
    return bytes(pixels)


def encapsulated_chunks(parsed: Parsed, element: Element) -> Iterator[bytes]:
    """Yields compressed pixels as items: lengths as they were, comments and what follows an image's end blanked."""
    order = ">" if parsed.big else "<"
    fragments = element.fragments or []
    for number, (start, length) in enumerate(fragments):
        content = bytes(parsed.data[start : start + length])
        if number == 0:
            content = content if _is_offset_table(content, fragments) else b""
        else:
            content = without_comments(content)
        yield struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(content)) + content
    yield struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0)


def _is_offset_table(content: bytes, fragments: Sequence[tuple[int, int]]) -> bool:
    starts, position = set(), 0
    for _, length in fragments[1:]:
        starts.add(position)
        position += 8 + length
    return len(content) % 4 == 0 and all(value in starts for value in struct.unpack(f"<{len(content) // 4}I", content))


def without_comments(fragment: bytes) -> bytes:
    """Returns a JPEG, JPEG-LS or JPEG 2000 stream with comments and application data blanked.

    Lengths stay, so that offsets stay. Markers: ITU-T T.81, annex B; T.800, annex A.
    """
    if fragment[:2] == b"\xff\xd8":
        cleaned = _blank_segments(bytearray(fragment), position=2, stop=0xDA, comments={0xFE, *range(0xE1, 0xEE), 0xEF})
    elif fragment[:2] == b"\xff\x4f":
        cleaned = _blank_segments(bytearray(fragment), position=2, stop=0x90, comments={0x64})
    else:
        return fragment
    end = cleaned.rfind(b"\xff\xd9")
    if 0 < end < len(cleaned) - 3:  # one byte more is the padding to an even length
        cleaned[end + 2 :] = bytes(len(cleaned) - end - 2)
    return bytes(cleaned)


def _blank_segments(stream: bytearray, *, position: int, stop: int, comments: set[int]) -> bytearray:
    while position + 4 <= len(stream) and stream[position] == 0xFF and stream[position + 1] != stop:
        (length,) = struct.unpack_from(">H", stream, position + 2)
        end = min(position + 2 + length, len(stream))
        start = position + 4
        content = bytes(stream[start:end])
        if stream[position + 1] in comments and not _ENCODERS.fullmatch(content) and not _is_spiff(content):
            stream[start:end] = bytes(max(0, end - start))
        position = max(end, position + 4)
    return stream


def _is_spiff(content: bytes) -> bool:
    """Whether application data is a header of JPEG-LS that says how pixels are decoded (T.84, annex F; T.870)."""
    return content[:6] == b"SPIFF\0" or content[:4] == b"mrfx" or len(content) <= 6
