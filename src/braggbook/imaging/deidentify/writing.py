"""Writes data elements: the inverse of :mod:`.elements`, for trees that de-identification built."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from braggbook.imaging.deidentify.elements import PIXEL_TAGS

_LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
IMPLEMENTATION_UID = "2.25.187241265410271340117405286921372648127"  # ours; it names the program, not an installation
IMPLEMENTATION_VERSION = "BRAGGBOOK_1"


@dataclass(slots=True)
class Written:
    """One element to be written: bytes of even length, or items; pixels are only announced here, see ``bulk``."""

    tag: int
    vr: str
    value: bytes = b""
    items: list[list[Written]] | None = None
    bulk: int | None = None  # length of pixels that follow from elsewhere; -1 for encapsulated ones


def padded(value: bytes, vr: str) -> bytes:
    """Returns a value of even length: UIDs and bytes end in a zero, text in a blank (PS3.5, 6.2)."""
    if len(value) % 2 == 0:
        return value
    return value + (b"\0" if vr in {"UI", "OB", "UN"} else b" ")


def encode(elements: Iterable[Written], *, implicit: bool, big: bool) -> bytes:
    """Returns the bytes of a data set, in ascending order of tags; pixels end after their header."""
    parts: list[bytes] = []
    for element in sorted(elements, key=lambda item: item.tag):
        _encode(element, parts, implicit=implicit, order=">" if big else "<")
    return b"".join(parts)


def _encode(element: Written, parts: list[bytes], *, implicit: bool, order: str) -> None:
    if element.items is None:
        value = padded(element.value, element.vr)
        length = len(value) if element.bulk is None else (0xFFFFFFFF if element.bulk < 0 else element.bulk)
        parts += [_header(element.tag, element.vr, length, implicit=implicit, order=order), value]
        return
    inner: list[bytes] = []
    for item in element.items:
        body: list[bytes] = []
        for child in sorted(item, key=lambda one: one.tag):
            _encode(child, body, implicit=implicit, order=order)
        content = b"".join(body)
        inner += [struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(content)), content]
    content = b"".join(inner)
    parts += [_header(element.tag, "SQ", len(content), implicit=implicit, order=order), content]


def _header(tag: int, vr: str, length: int, *, implicit: bool, order: str) -> bytes:
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return struct.pack(f"{order}HHI", group, number, length)
    if vr in _LONG:
        return struct.pack(f"{order}HH2sHI", group, number, vr.encode(), 0, length)
    return struct.pack(f"{order}HH2sH", group, number, vr.encode(), length)


def file_meta(*, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Returns preamble, prefix and a file meta header that says nothing of where the file has been (PS3.10, 7.1)."""
    fields = [
        Written(0x00020001, "OB", b"\0\x01"),
        Written(0x00020002, "UI", sop_class_uid.encode()),
        Written(0x00020003, "UI", sop_instance_uid.encode()),
        Written(0x00020010, "UI", transfer_syntax_uid.encode()),
        Written(0x00020012, "UI", IMPLEMENTATION_UID.encode()),
        Written(0x00020013, "SH", IMPLEMENTATION_VERSION.encode()),
    ]
    body = encode(fields, implicit=False, big=False)
    length = encode([Written(0x00020000, "UL", struct.pack("<I", len(body)))], implicit=False, big=False)
    return bytes(128) + b"DICM" + length + body


def has_pixels(elements: Iterable[Written]) -> bool:
    """Whether one of the elements announces pixels."""
    return any(element.tag in PIXEL_TAGS and element.bulk is not None for element in elements)
