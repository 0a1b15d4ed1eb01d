"""Searches what is about to be put in place for everything that was taken away: bytes, not elements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SHORTEST_IN_PIXELS = 8  # bytes: four given bytes are found in a megabyte of noise once in 4,000 tries, eight never
_READABLE = re.compile(rb"[\x20-\x7e]{%d,}" % SHORTEST_IN_PIXELS)
_FEW = 32  # values: as many searches take as long as finding all that is readable
_DATE = re.compile(rb"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def hunt(data: bytes, values: Mapping[bytes, str], *, produced: Iterable[bytes] = ()) -> set[str]:
    """Returns the attributes whose removed values are in ``data``, values that we made ourselves left out.

    Args:
        data: Bytes of the output, pixels left out.
        values: Removed values with the attribute that each comes from.
        produced: Values that the output holds by right: moved dates, known codes, kept terms.
    """
    own = b"\n".join(produced)
    return {name for value, name in values.items() if _is_in(value, data) and value not in own}


def hunt_pixels(chunk: bytes, values: Mapping[bytes, str]) -> set[str]:
    """Returns the attributes whose removed values, letters in them, are in a piece of the pixels.

    Readable values can only be where pixels are readable: so many values cost no more than a few.
    """
    readable = b"\n".join(_READABLE.findall(chunk)) if len(values) > _FEW else chunk
    return {name for value, name in values.items() if value in (readable if _READABLE.fullmatch(value) else chunk)}


def fit_for_pixels(values: Mapping[bytes, str]) -> dict[bytes, str]:
    """Returns the values that are long enough to mean something among pixels; UIDs never stand there."""
    return {
        value: name
        for value, name in values.items()
        if len(value) >= SHORTEST_IN_PIXELS and not re.fullmatch(rb"[\d.]+", value)
    }


def _is_in(value: bytes, data: bytes) -> bool:
    if value not in data:
        return False
    if value.strip(b"0123456789.+-"):
        return True
    # a number inside a longer number, a UID above all, is there by chance; a date may begin a date-time
    end = b"" if _DATE.fullmatch(value) else rb"(?![\d.])"
    return re.search(rb"(?<![\d.])" + re.escape(value) + end, data) is not None
