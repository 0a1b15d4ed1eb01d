"""Pixels: passed on byte for byte, but no byte more than there are pixels, and no text between compressed ones."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain

import pydicom

from braggbook.errors import DicomError
from braggbook.imaging.deidentify import streams
from braggbook.imaging.deidentify.elements import Element, Parsed, parse
from braggbook.imaging.deidentify.options import Region

_CHUNK = 1 << 22
_BITS = {0x7FE00008: 32, 0x7FE00009: 64}  # of float pixels, whatever BitsAllocated says


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

    def length_of(self, tag: int) -> int:
        """Returns the bytes of all uncompressed pixels of an element (PS3.5, 8.1.1 and 8.2)."""
        values = self.rows * self.columns * self.samples * self.frames
        if self.photometric == "YBR_FULL_422":
            values = self.rows * self.columns * 2 * self.frames
        return (values * _BITS.get(tag, self.bits) + 7) // 8


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
    length = size.length_of(element.tag)
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
            _let_go(parsed.data, start, start + _CHUNK)
    if length % 2:
        yield padding


def native_length(element: Element, size: Size) -> int:
    """Returns how many bytes :func:`native_chunks` yields."""
    length = size.length_of(element.tag)
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


def encapsulated_chunks(parsed: Parsed, element: Element, *, size: Size) -> Iterator[bytes]:
    """Yields compressed pixels as items: lengths as they were, and nothing in them but images.

    Raises:
        DicomError: They are not what the transfer syntax says.
    """
    order = ">" if parsed.big else "<"
    fragments = element.fragments or [(0, 0)]
    start, length = fragments[0]
    table = bytes(parsed.data[start : start + length])
    images = (_taken(parsed.data, start, start + length) for start, length in fragments[1:])
    contents = streams.cleaned(images, transfer_syntax=parsed.transfer_syntax, pixels=size.rows * size.columns)
    for content in chain([table if _is_offset_table(table, fragments) else b""], contents):
        yield struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(content)) + content
    yield struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0)


def _taken(data: memoryview, start: int, end: int) -> bytes:
    taken = bytes(data[start:end])
    _let_go(data, start, end)
    return taken


def _let_go(data: memoryview, start: int, end: int) -> None:
    """Tells the system that bytes of a mapped file have been read, so that a large file does not fill the memory."""
    if isinstance(data.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        first = start // mmap.PAGESIZE * mmap.PAGESIZE
        data.obj.madvise(mmap.MADV_DONTNEED, first, min(end, len(data)) - first)


def _is_offset_table(content: bytes, fragments: Sequence[tuple[int, int]]) -> bool:
    starts, position = set(), 0
    for _, length in fragments[1:]:
        starts.add(position)
        position += 8 + length
    return len(content) % 4 == 0 and all(value in starts for value in struct.unpack(f"<{len(content) // 4}I", content))
