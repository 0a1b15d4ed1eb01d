"""Compressed pixels: what a decoder needs stays, byte for byte; comments, application data and gaps are blanked.

Lengths never change, so that offset tables stay right. What is not understood is refused: a stream that cannot be
walked from its first to its last marker may hold anything. Markers: ITU-T T.81, annex B (JPEG); T.87, annex C
(JPEG-LS); T.800, annex A, and T.814 (JPEG 2000); PS3.5, annex G (RLE).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

from braggbook.errors import DicomError

_JPEG = {f"1.2.840.10008.1.2.4.{end}" for end in ("50", "51", "57", "70", "80", "81")}
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{end}" for end in ("90", "91", "92", "93", "201", "202", "203")}
_RLE = "1.2.840.10008.1.2.5"
_PLACE = "(7FE0,0010) PixelData"
_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # in coded data: neither stuffed bytes nor restarts
_SOI, _EOI, _SOS, _APP0, _APP8, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE8, 0xEE
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"
_SOC, _SOT, _SOD = 0x4F, 0x90, 0x93
_OF_JPEG_2000 = {0x50, 0x51, 0x52, 0x53, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63}
_RLE_HEADER, _MOST_SEGMENTS = 64, 15


def is_understood(transfer_syntax: str) -> bool:
    """Whether pixels of a transfer syntax are compressed in a way that can be looked through."""
    return transfer_syntax in _JPEG | _JPEG_2000 | {_RLE}


def cleaned(fragments: Iterable[bytes], *, transfer_syntax: str, pixels: int) -> Iterator[bytes]:
    """Yields fragments of the same lengths in which nothing is left but images.

    Args:
        fragments: Of all frames, in order; a frame of JPEG or JPEG 2000 may be in several.
        transfer_syntax: One that :func:`is_understood`.
        pixels: Rows times columns.

    Raises:
        DicomError: A stream is not what the transfer syntax says.
    """
    if transfer_syntax == _RLE:
        yield from (_clean_rle(bytearray(fragment), pixels) for fragment in fragments)
        return
    walk = _walk_jpeg if transfer_syntax in _JPEG else _walk_jpeg_2000
    for group in _frames(fragments):
        stream, ends = bytearray(b"".join(group)), _ends(group)
        position = 0
        while position < len(stream):
            after = walk(stream, position)
            end = next(end for end in ends if end >= after)
            stream[after:end] = bytes(end - after)
            position = end
        yield from (bytes(stream[end - len(part) : end]) for part, end in zip(group, ends, strict=True))


def _frames(fragments: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yields fragments together until one ends as an image ends."""
    group: list[bytes] = []
    for fragment in fragments:
        group.append(fragment)
        if fragment.rstrip(b"\0").endswith(b"\xff\xd9"):
            yield group
            group = []
    if group:
        yield group


def _ends(group: list[bytes]) -> list[int]:
    ends, position = [], 0
    for fragment in group:
        position += len(fragment)
        ends.append(position)
    return ends


def _strange(what: str) -> DicomError:
    return DicomError("the compressed pixels hold something else than images", where=_PLACE, got=what)


def _length(stream: bytearray, position: int) -> int:
    """Returns the length of a marker segment from its length field on."""
    if position + 4 > len(stream):
        raise _strange("a stream that ends inside a marker")
    (length,) = struct.unpack_from(">H", stream, position + 2)
    if length < 2 or position + 2 + length > len(stream):
        raise _strange("a marker segment longer than its stream")
    return int(length)


# -- JPEG and JPEG-LS --------------------------------------------------------------------------------------------


def _walk_jpeg(stream: bytearray, position: int) -> int:
    """Blanks what is no part of one image and returns where the image ends."""
    if stream[position : position + 2] != b"\xff\xd8":
        raise _strange("what does not begin as a JPEG image")
    position += 2
    while position + 2 <= len(stream):
        if stream[position] != 0xFF:
            raise _strange("bytes between two markers of a JPEG image")
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker == _EOI:
            return position + 2
        elif marker in _STANDALONE:
            position += 2
        else:
            position = _jpeg_segment(stream, position, marker)
    return len(stream)


def _jpeg_segment(stream: bytearray, position: int, marker: int) -> int:
    """Keeps or blanks one segment and returns where the next marker is."""
    start, end = position + 4, position + 2 + _length(stream, position)
    content = bytes(stream[start:end])
    if marker >= 0xC0 and _is_of_jpeg(marker, content):
        if marker != _SOS:
            return end
        found = _MARKER.search(stream, end)
        return found.start() if found else len(stream)
    if marker == _SOI or marker in _FRAME_HEADERS | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, _SOS, 0xF8}:
        raise _strange("a table of JPEG with more in it than a table")
    stream[start:end] = _application_data(marker, content).ljust(end - start, b"\0")
    return end


def _is_of_jpeg(marker: int, content: bytes) -> bool:
    """Whether a segment is one that a decoder needs, and holds what such a segment holds and not a byte more."""
    count = content[0] if content else 0
    if marker in _FRAME_HEADERS:
        return len(content) > 5 and len(content) == 6 + 3 * content[5]
    if marker == _SOS:
        return len(content) == 4 + 2 * count
    if marker == 0xC4:
        return _are_huffman_tables(content)
    if marker == 0xDB:
        return _are_quantization_tables(content)
    if marker == 0xF8:  # preset parameters of JPEG-LS
        return count == 1 and len(content) == 11
    return (marker in (0xDC, 0xDD) and len(content) == 2) or (marker == 0xCC and len(content) % 2 == 0)


def _are_huffman_tables(content: bytes) -> bool:
    position = 0
    while position + 17 <= len(content):
        position += 17 + sum(content[position + 1 : position + 17])
    return position == len(content)


def _are_quantization_tables(content: bytes) -> bool:
    position = 0
    while position < len(content):
        position += 1 + 64 * (2 if content[position] >> 4 else 1)
    return position == len(content)


def _application_data(marker: int, content: bytes) -> bytes:
    """Returns what decoders read of application data, written anew: colour transforms, and that it is JFIF."""
    if marker == _APP0 and content[:5] == b"JFIF\0" and len(content) >= len(_JFIF):
        return _JFIF
    if marker == _APP14 and content[:5] == b"Adobe" and len(content) >= 12 and content[11] <= 2:
        return b"Adobe\0\x64\0\0\0\0" + content[11:12]
    if marker == _APP8 and content[:4] == b"mrfx" and len(content) == 5 and content[4] <= 5:
        return content
    return b""


# -- JPEG 2000 ---------------------------------------------------------------------------------------------------


def _walk_jpeg_2000(stream: bytearray, position: int) -> int:
    """Blanks comments, also those between tiles, and returns where the image ends."""
    if stream[position : position + 2] != b"\xff\x4f":
        raise _strange("what does not begin as a JPEG 2000 image")
    position += 2
    tile = position
    while position + 2 <= len(stream):
        marker = stream[position + 1]
        if stream[position] != 0xFF:
            raise _strange("bytes between two markers of a JPEG 2000 image")
        if marker == _EOI:
            return position + 2
        if marker == _SOD:
            position = _after_tile(stream, tile, position)
            continue
        end = position + 2 + _length(stream, position)
        if marker == _SOT:
            tile = position
        elif marker not in _OF_JPEG_2000:
            stream[position + 4 : end] = bytes(end - position - 4)
        position = end
    return len(stream)


def _after_tile(stream: bytearray, tile: int, position: int) -> int:
    """Returns where a tile's part ends, from the length in its first marker; 0 there means with the image."""
    (length,) = struct.unpack_from(">I", stream, tile + 6)
    if length == 0:
        end = stream.rfind(b"\xff\xd9", position)
        return end if end >= 0 else len(stream)
    if tile + length < position + 2:
        raise _strange("a tile that ends before it begins")
    return min(tile + int(length), len(stream))


# -- RLE ---------------------------------------------------------------------------------------------------------


def _clean_rle(frame: bytearray, pixels: int) -> bytes:
    """Blanks unused places of the header and what follows the last run of each segment."""
    if len(frame) < _RLE_HEADER:
        raise _strange("a frame of RLE without its header")
    count, *offsets = struct.unpack_from("<16I", frame)
    starts = offsets[:count]
    if not 1 <= count <= _MOST_SEGMENTS or starts[0] != _RLE_HEADER or sorted(set(starts)) != starts:
        raise _strange("a header of RLE with wrong offsets")
    if starts[-1] > len(frame):
        raise _strange("a segment of RLE behind its frame")
    frame[4 + 4 * count : _RLE_HEADER] = bytes(_RLE_HEADER - 4 - 4 * count)
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        after = _after_runs(frame, start, end, pixels)
        frame[after:end] = bytes(end - after)
    return bytes(frame)


def _after_runs(frame: bytearray, position: int, end: int, pixels: int) -> int:
    """Returns where the runs of a segment have made all its pixels (PS3.5, G.3.2)."""
    made = 0
    while made < pixels and position < end:
        control = frame[position]
        if control < 128:
            position, made = position + 2 + control, made + 1 + control
        elif control == 128:
            position += 1
        else:
            position, made = position + 2, made + 257 - control
    return min(position, end)
