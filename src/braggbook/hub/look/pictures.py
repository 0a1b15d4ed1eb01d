"""Pictures that a dataset holds, handed on as they are once their own header says that they are what they claim."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from braggbook.errors import DatasetError
from braggbook.hub.look.kinds import PICTURES
from braggbook.hub.look.png import SIGNATURE
from braggbook.hub.look.shown import Picture, Preview, nothing

MOST_BYTES = 3 << 20  # of a picture within a page
_MOST_PIXELS = 40_000_000  # that a browser is asked to unpack: 160 MB there
_END_OF_PNG = b"IEND\xaeB`\x82"
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}  # markers of JPEG without a segment (ITU-T T.81, table B.1)
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # those that begin a frame and give its size


def picture_preview(path: Path, name: str) -> Preview:
    """Returns a picture itself.

    Raises:
        DatasetError: It is not what its name says, or cut off.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        return nothing(name, f"A picture of {size:,} bytes; those up to {MOST_BYTES:,} are shown here.")
    data = path.read_bytes()
    type = next(type for ending, type in PICTURES.items() if name.lower().endswith(ending))
    try:
        width, height = _SIZES[type](data)
    except (struct.error, IndexError, ValueError):
        raise DatasetError("not a whole picture of this kind", where=name, wanted=type) from None
    if width * height > _MOST_PIXELS:
        return nothing(
            name, f"A picture of {width:,} x {height:,} pixels; those up to {_MOST_PIXELS:,} are shown here."
        )
    picture = Picture(data, type, width, height, name, f"The picture {name}")
    return Preview(name, "picture", f"{width:,} x {height:,} pixels.", pictures=(picture,))


def _png(data: bytes) -> tuple[int, int]:
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR" or not data.endswith(_END_OF_PNG):
        raise ValueError("no PNG")
    at = len(SIGNATURE)
    while at < len(data):
        end = at + 8 + int(struct.unpack(">I", data[at : at + 4])[0])
        if zlib.crc32(data[at + 4 : end]) != struct.unpack(">I", data[end : end + 4])[0]:
            raise ValueError("a chunk is damaged")
        at = end + 4
    width, height = struct.unpack(">II", data[16:24])
    return _sides(width, height)


def _gif(data: bytes) -> tuple[int, int]:
    if data[:6] not in (b"GIF87a", b"GIF89a") or not data.endswith(b";"):
        raise ValueError("no GIF")
    width, height = struct.unpack("<HH", data[6:10])
    return _sides(width, height)


def _jpeg(data: bytes) -> tuple[int, int]:
    if not data.startswith(b"\xff\xd8\xff") or not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise ValueError("no JPEG")
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        kind = data[at + 1]
        if kind == 0xFF or kind in _NO_LENGTH:
            at += 1 if kind == 0xFF else 2
        elif kind in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return _sides(width, height)
        else:
            at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])


def _sides(width: int, height: int) -> tuple[int, int]:
    if width < 1 or height < 1:
        raise ValueError("no pixels")
    return width, height


_SIZES = {"image/png": _png, "image/gif": _gif, "image/jpeg": _jpeg}
