"""Whether a stream of JPEG, JPEG-LS or JPEG 2000 is put together as it should be, looked at before it is decoded.

GDCM ends the whole process over some damaged JPEG streams; what this lets through is at worst a wrong Huffman code.
CharLS takes many seconds over a stream without an end. Any decoder takes the memory that a stream asks for, whatever
size the image is.

Sources: ITU-T T.81 annex B (JPEG), T.87 annex C (JPEG-LS), T.800 annex A (JPEG 2000; also of T.814, high throughput).
"""

from __future__ import annotations

import re

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3))  # baseline, extended, progressive, lossless; Huffman
_SEGMENTS = _FRAMES | frozenset((0xC4, _SCAN, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)))
_LS_FRAME = 0xF7
_SIZE = bytes((0xFF, 0x4F, 0xFF, 0x51))  # start of codestream, and the image and tile size that must follow
_BOXES = 1 << 16  # bytes of a JP2 file, which should not be there, before its codestream
_IN_SCAN = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # a marker that ends entropy-coded data


def jpeg_problem(stream: bytes, *, rows: int, columns: int, samples: int, bits: int) -> str:
    """Returns what is wrong with a JPEG stream, or nothing.

    Args:
        stream: One frame.
        rows: That the image has.
        columns: That the image has.
        samples: Per pixel.
        bits: Most bits of a sample.
    """
    if stream[:2] != bytes((0xFF, _START)):
        return "no start of image"
    at = 2
    seen: set[int] = set()
    while True:
        marker, segment, end = _segment(stream, at)
        if marker == _END:
            return "" if _SCAN in seen else "no image in it"
        if segment is None:
            return f"no marker at byte {at}"
        if marker in _FRAMES:
            if seen & _FRAMES or _frame_differs(segment, rows=rows, columns=columns, samples=samples, bits=bits):
                return "a frame header of another image"
        elif marker == _SCAN:
            if not seen & _FRAMES or len(segment) < 6 or len(segment) != 4 + 2 * segment[0] or segment[0] > samples:
                return "a damaged scan header"
            found = _IN_SCAN.search(stream, end)
            end = found.start() if found else len(stream)
        seen.add(marker)
        at = end


def jpeg_ls_problem(stream: bytes, *, rows: int, columns: int, samples: int) -> str:
    """Returns what is wrong with a JPEG-LS stream, or nothing; see :func:`jpeg_problem`."""
    if not stream.rstrip(b"\0").endswith(bytes((0xFF, _END))):
        return "a stream without an end"
    at = 2
    while stream[:2] == bytes((0xFF, _START)):
        while stream[at : at + 2] == b"\xff\xff":
            at += 1
        marker, length = stream[at + 1 : at + 2], int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at : at + 1] != b"\xff" or length < 2:
            return f"no marker at byte {at}"
        if marker[0] == _LS_FRAME:
            frame = stream[at + 4 : at + 2 + length]
            size = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            same = size == (rows, columns) and frame[5:6] == bytes((samples,))
            return "" if same else f"{size[0]} x {size[1]} pixels"
        at += 2 + length
    return "no start of image"


def jpeg_2000_problem(stream: bytes, *, rows: int, columns: int, samples: int) -> str:
    """Returns what is wrong with a JPEG 2000 stream, or nothing; see :func:`jpeg_problem`."""
    start = stream.find(_SIZE, 0, _BOXES)
    sizes = stream[start + 8 : start + 42]  # behind the segment's length and its capabilities
    if start < 0 or len(sizes) < 34:
        return "no image size where the codestream begins"
    right, low, left, top = (int.from_bytes(sizes[4 * n : 4 * n + 4], "big") for n in range(4))
    found = low - top, right - left, int.from_bytes(sizes[32:34], "big")
    return "" if found == (rows, columns, samples) else f"{found[0]} x {found[1]} pixels of {found[2]}"


def _segment(stream: bytes, at: int) -> tuple[int, bytes | None, int]:
    """Returns the marker at a place, what belongs to it (None when that is not all there), and where it ends."""
    while stream[at : at + 2] == b"\xff\xff":
        at += 1
    if len(stream) < at + 2 or stream[at] != 0xFF:
        return 0, None, at
    marker = stream[at + 1]
    length = int.from_bytes(stream[at + 2 : at + 4], "big")
    if marker not in _SEGMENTS or length < 2 or at + 2 + length > len(stream):
        return marker, None, at
    return marker, stream[at + 4 : at + 2 + length], at + 2 + length


def _frame_differs(segment: bytes, *, rows: int, columns: int, samples: int, bits: int) -> bool:
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        return True
    size = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    return size != (rows, columns) or segment[5] != samples or not 2 <= segment[0] <= bits
