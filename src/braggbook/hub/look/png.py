"""PNG files of arrays, with NumPy and zlib alone.

Source: Portable Network Graphics (PNG) Specification, W3C, sections 5 (chunks), 9 (filters) and 11 (IHDR).
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from braggbook.errors import InputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _BITS = 0, 2, 8
_UP = 2  # the filter that stores differences to the row above: images of patients are smooth


def png_of(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Returns a PNG file.

    Args:
        pixels: (rows, columns) grey or (rows, columns, 3) red, green, blue.

    Raises:
        InputError: It is no such array.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        got = f"{pixels.dtype} {pixels.shape}"
        raise InputError("not a picture", wanted="uint8 of (rows, columns) or (rows, columns, 3)", got=got)
    rows, columns = pixels.shape[:2]
    flat = np.ascontiguousarray(pixels).reshape(rows, -1)
    filtered = np.full((rows, flat.shape[1] + 1), _UP, dtype=np.uint8)
    filtered[0, 1:] = flat[0]
    filtered[1:, 1:] = flat[1:] - flat[:-1]  # modulo 256, as uint8 does
    kind = _GREY if pixels.ndim == 2 else _COLOUR
    header = struct.pack(">IIBBBBB", columns, rows, _BITS, kind, 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), 6)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
