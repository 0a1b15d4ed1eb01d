"""A quick reader of the part of a DICOM object that an index needs: some elements before the pixels, and no more.

It walks explicit and implicit little endian itself, in a window of bounded size, by the rules of DICOM PS3.5 chapter 7
and PS3.10 chapter 7, and believes no length that leads out of the file. Whatever is not exactly as the standard
has it (big endian, a VR that does not exist, items that do not nest) is given to pydicom, with at most the first
16 MB. Values of one element come out the same either way: :mod:`braggbook.imaging.dicom.elements` converts them.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.elements import CHARACTER_SET, KEPT, Raw, convert, label, value_of
from braggbook.imaging.dicom.runs import Builder, Memory, Run, first_differing, fits

ReadAt = Callable[[int, int], bytes]  # (position, most bytes) -> bytes, fewer at the end only

_WINDOW = 1 << 14  # holds the header of nearly every slice
_MOST_VALUE = 1 << 16  # bytes of one kept element; a frame offset of 16 characters for each of 4,000 planes
_MOST_ODD = 1 << 24  # bytes that pydicom sees of an object which is not as the standard has it
_MOST_INFLATED = 1 << 25  # bytes of a deflated header
_MOST_WINDOWS = 1 << 13  # 128 MB of elements; an enhanced object has some kB for each of its frames
_PADDING = b"\0" * 12  # the longest beginning of an element (PS3.5 section 7.1.2)
_DEEPEST = 10_000  # sequences within sequences
_PREAMBLE = 132
_META = 0x0002
_PIXEL_GROUP = 0x7FE0
_BIG_GROUP_8 = 0x0800  # group 0008 of big endian, read as little
_LONGEST_FIRST = 64  # bytes of the first element of an object without preamble or VRs, else it is something else
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE  # as one little-endian number, as all tags here

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_TAG_VR_LENGTH = struct.Struct("<I2sH").unpack_from
_TAG_LENGTH = struct.Struct("<II").unpack_from
_LENGTH = struct.Struct("<I").unpack_from


def _swapped(tag: int) -> int:
    return (tag & 0xFFFF) << 16 | tag >> 16


_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXELS = frozenset(map(_swapped, _PIXEL_TAGS))
_TRANSFER_SYNTAX = 0x00020010
_KEPT = {_swapped(tag): tag for tag in KEPT}
_WANTED = {**_KEPT, _swapped(_TRANSFER_SYNTAX): _TRANSFER_SYNTAX}  # of the file meta


class _OddError(Exception):
    """Not as the standard has it; pydicom may know better."""


class _EndedError(Exception):
    """The object ends within an element."""

    def __init__(self, tag: int) -> None:
        super().__init__(tag)
        self.tag = tag


@dataclass(frozen=True, slots=True)
class Header:
    """What was read of one object.

    Attributes:
        values: Keyword to value: float, int, str, or a tuple of these; elements that are absent or empty are not there.
        transfer_syntax_uid: As the file says, or as it is written where it says nothing.
        pixel_offset: Where the value of the pixel element begins in the object; None without one, or when deflated.
        pixel_bytes: Its length; None when it is encapsulated.
        issues: Values that cannot be read, and pixel data that end too early.
    """

    values: dict[str, Any]
    transfer_syntax_uid: str
    pixel_offset: int | None = None
    pixel_bytes: int | None = None
    issues: tuple[Issue, ...] = ()


def new_memory() -> Memory:
    """Returns what makes reading many files of a kind quicker: pass it to each :func:`read_header`."""
    return Memory()


class _Scan(NamedTuple):
    values: dict[str, Any]
    issues: list[Issue]
    syntax: str
    pixel_offset: int | None
    pixel_bytes: int | None
    whole: bool = False  # all of the object was seen


@dataclass(slots=True)
class _Window:
    """The part of the object that is in memory; it moves forward, and back for pydicom only."""

    read_at: ReadAt
    size: int
    memory: Memory
    start: int = 0
    data: bytes = b""
    safe: int = -1  # the last place in it where the longest beginning of an element is whole
    moved: int = 0

    def reach(self, at: int) -> int:
        """Moves the window, unless an element that begins at a position is in it; returns the place in ``data``."""
        place = at - self.start
        return place if place <= self.safe else self.move(at)

    def move(self, at: int) -> int:
        """Moves the window to a position; returns the place in ``data``, which is 0."""
        self.moved += 1
        if self.moved > _MOST_WINDOWS:
            raise DicomError(
                "a header without end", wanted=f"at most {_MOST_WINDOWS * _WINDOW:,} bytes before the pixels"
            )
        self.start = at
        found = self.read_at(at, _WINDOW)
        self.data = found + _PADDING
        self.safe = len(found) - (0 if at + len(found) >= self.size else len(_PADDING))
        return 0

    def value(self, tag: int, at: int, length: int) -> bytes | None:
        """Returns the bytes of one value; None for one that is absurdly long."""
        if at + length > self.size:
            raise _EndedError(_swapped(tag))
        if length > _MOST_VALUE:
            return None
        first = at - self.start
        inside = first + length <= len(self.data) - len(_PADDING)
        return self.data[first : first + length] if inside else self.read_at(at, length)


def read_header(read_at: ReadAt, size: int, *, where: str, memory: Memory | None = None) -> Header:
    """Reads the header of a DICOM object.

    Args:
        read_at: Gives bytes: position, most bytes wanted; fewer come at the end only. Positions only grow.
        size: Bytes of the whole object.
        where: Its name in messages.
        memory: Of earlier files, from :func:`new_memory`; changed.

    Raises:
        DicomError: It is no DICOM object, or ends before its pixels begin.
    """
    window = _Window(read_at, size, memory or new_memory())
    try:
        scan = _scan(window, where)
    except _EndedError as end:
        raise DicomError(
            "the file ends inside its header", where=where, got=f"{size:,} bytes, in {label(end.tag)}"
        ) from None
    except _OddError as odd:
        scan = _ask_pydicom(window, where, str(odd))
    except DicomError as error:
        raise DicomError(error.what, where=where, wanted=error.wanted, got=error.got) from None
    issues = (*scan.issues, *_lost_pixels(scan, scan.values, size=size, where=where))
    return Header(scan.values, scan.syntax, scan.pixel_offset, scan.pixel_bytes, issues)


def data_begins(read_at: ReadAt, size: int) -> tuple[int, str]:
    """Returns where the data set of an object begins, and the transfer syntax that its file meta names, if any."""
    window = _Window(read_at, size, new_memory())
    try:
        window.reach(0)
        return _meta(window, _PREAMBLE if window.data[128:_PREAMBLE] == b"DICM" else 0, {})
    except (_EndedError, _OddError, DicomError):
        return 0, ""


def _lost_pixels(scan: _Scan, values: dict[str, Any], *, size: int, where: str) -> list[Issue]:
    place = f"{where}, {label(0x7FE00010)}"
    if scan.pixel_offset is None:
        lost = scan.whole and "Rows" in values and "Columns" in values
        return [Issue("an image without pixel data", place)] if lost else []
    if scan.pixel_bytes is None or scan.pixel_offset + scan.pixel_bytes <= size:
        return []
    there = f"{size - scan.pixel_offset:,} bytes"
    return [Issue("the pixel data end too early", place, f"{scan.pixel_bytes:,} bytes", there)]


def _scan(window: _Window, where: str) -> _Scan:
    window.reach(0)
    data = window.data
    at = _PREAMBLE if data[128:_PREAMBLE] == b"DICM" else 0
    if not at and not _may_begin(data):
        raise DicomError("not a DICOM file", where=where)
    if not at and _TAG_VR_LENGTH(data, 0)[0] & 0xFFFF == _BIG_GROUP_8:
        raise _OddError("big endian")
    found: dict[int, Raw] = {}
    at, syntax = _meta(window, at, found)
    values, issues = convert(found, where)
    if syntax == DEFLATED:
        return _scan_deflated(window, at, values, issues, where)
    if syntax == BIG_ENDIAN:
        raise _OddError("big endian")
    offset, length, implicit = _elements(window, at, syntax, values, issues, where)
    return _Scan(
        values, issues, syntax or (IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE), offset, length, whole=True
    )


def _may_begin(data: bytes) -> bool:
    """Whether an object without preamble may begin so: an early group, and a VR or a length that make sense."""
    if len(data) < 12:
        return False
    tag, vr, _ = _TAG_VR_LENGTH(data, 0)
    group = tag & 0xFFFF
    if vr in _SHORT_VRS:
        return group in (0x0002, 0x0008, _BIG_GROUP_8)
    return bool(group == 0x0008 and _LENGTH(data, 4)[0] <= _LONGEST_FIRST)


def _element(data: bytes, place: int, *, implicit: bool) -> tuple[int, bytes, int, int]:
    """Returns what begins at a place: tag, VR (empty when implicit), length of the value, and bytes before it."""
    if implicit:
        tag, length = _TAG_LENGTH(data, place)
        return tag, b"", length, 8
    tag, vr, length = _TAG_VR_LENGTH(data, place)
    if vr in _SHORT_VRS:
        return tag, vr, length, 8
    if vr not in _LONG_VRS:
        raise _OddError(f"no VR in {label(_swapped(tag))}")
    return tag, vr, _LENGTH(data, place + 8)[0], 12


def _meta(window: _Window, at: int, found: dict[int, Raw]) -> tuple[int, str]:
    """Returns where the data set begins, and the transfer syntax; file meta is always explicit little endian."""
    while at + 8 <= window.size:
        place = window.reach(at)
        if _TAG_LENGTH(window.data, place)[0] & 0xFFFF != _META:
            break
        tag, vr, length, before = _element(window.data, place, implicit=False)
        if tag in _WANTED and (value := window.value(tag, at + before, length)) is not None:
            found[_WANTED[tag]] = vr, value, True
        at += before + length
        if at > window.size:
            raise _EndedError(_swapped(tag))
    syntax = found.pop(_TRANSFER_SYNTAX, (b"", b"", True))
    return at, syntax[1].rstrip(b"\0 ").decode("ascii", "replace")


def _elements(
    window: _Window, at: int, syntax: str, values: dict[str, Any], issues: list[Issue], where: str
) -> tuple[int | None, int | None, bool]:
    """Walks the data set up to its pixels; returns where they are, their bytes, and whether VRs are implicit."""
    implicit = _is_implicit(window, at, syntax)
    charset = _charset(window, at, implicit=implicit)
    known = window.memory.of(charset, implicit=implicit)
    walk = _Walk(window, at, implicit, charset.strip(b"\0 "), Builder(known), values, issues, where)
    while walk.at + 8 <= window.size:
        place = walk.at - window.start
        if place > window.safe:
            place = walk.move()
        tag = _TAG_LENGTH(window.data, place)[0]
        if tag in known and walk.pass_run(known[tag], place):
            continue
        if tag in _PIXELS:
            _, _, length, before = _element(window.data, walk.at - window.start, implicit=implicit)
            walk.close()
            return walk.at + before, None if length == _UNDEFINED else length, implicit
        walk.pass_element()
    walk.close()
    return None, None, implicit


@dataclass(slots=True)
class _Walk:
    """Where a walk through the elements of one file is, and what it has found."""

    window: _Window
    at: int
    implicit: bool
    charset: bytes
    gathered: Builder
    values: dict[str, Any]
    issues: list[Issue]
    where: str
    last: int = 0  # the last tag that was kept

    def close(self) -> None:
        self.gathered.close(self.window.data, self.window.start)

    def move(self) -> int:
        self.close()
        return self.window.move(self.at)

    def pass_run(self, run: Run, place: int) -> bool:
        """Passes a run of elements, if the file has it here; if it has not, the run is forgotten."""
        window, end = self.window, len(self.window.data) - len(_PADDING)
        self.close()
        if place and place + len(run.data) > end:
            place, end = self.move(), len(window.data) - len(_PADDING)
        if not window.data.startswith(run.data, place, end):
            window.memory.varying.add(first_differing(run, window.data, place))
            self.gathered.known.pop(run.tags[0])
            return False
        if run.first:
            self.in_order(run.first)
            self.last = run.last
            self.values.update(run.values)
        self.at += len(run.data)
        return True

    def in_order(self, tag: int) -> None:
        if tag <= self.last:
            raise _OddError("elements that are not in order")

    def pass_element(self) -> None:
        """Passes one element, and notes its value if it is kept."""
        window, place = self.window, self.at - self.window.start
        tag, vr, length, before = _element(window.data, place, implicit=self.implicit)
        wanted = _KEPT.get(tag)
        if length == _UNDEFINED and wanted is None:
            self.close()
            self.at = _after_items(window, self.at + before, implicit=self.implicit or vr == b"UN")
            return
        whole = place + before + length <= len(window.data) - len(_PADDING)
        alike = whole and fits(length) and tag not in window.memory.varying
        if alike:
            self.gathered.add(tag, self.at, before + length)
        else:
            self.close()
        if wanted is not None:
            self.keep(tag, wanted, (vr, length, before), alike=alike)
        self.at += before + length
        if self.at > window.size:
            raise _EndedError(_swapped(tag))

    def keep(self, tag: int, wanted: int, element: tuple[bytes, int, int], *, alike: bool) -> None:
        """Notes the value of the element that the walk is at."""
        self.in_order(wanted)
        self.last = wanted
        vr, length, before = element
        data = self.window.value(tag, self.at + before, length)
        value = None if data is None else value_of(wanted, (vr, data, True), self.charset, self.where)
        keyword = KEPT[wanted].keyword
        if isinstance(value, Issue):
            self.issues.append(value)
            self.window.memory.varying.add(tag)
            self.gathered = Builder(self.gathered.known)
            return
        if value is not None:
            self.values[keyword] = value
        if alike:
            self.gathered.keep(wanted, keyword, value)


def _charset(window: _Window, at: int, *, implicit: bool) -> bytes:
    """Returns the bytes of the character set, which is among the first elements if it is there (PS3.5 7.1)."""
    place = at - window.start
    while place <= window.safe and place + 8 <= len(window.data):
        tag, _, length, before = _element(window.data, place, implicit=implicit)
        if _swapped(tag) >= CHARACTER_SET or length == _UNDEFINED:
            end = place + before + length
            return window.data[place + before : end] if _swapped(tag) == CHARACTER_SET else b""
        place += before + length
    return b""


def _is_implicit(window: _Window, at: int, syntax: str) -> bool:
    """Whether the data set is written without VRs; what its first element shows must be what the file says."""
    place = window.reach(at)
    tag, vr, _ = _TAG_VR_LENGTH(window.data, place)
    shown = vr not in _SHORT_VRS and vr not in _LONG_VRS
    if at < window.size and ((syntax and shown != (syntax == IMPLICIT_LITTLE)) or tag & 0xFFFF > _PIXEL_GROUP):
        raise _OddError("the first element is not of the transfer syntax")
    return shown


def _after_items(window: _Window, at: int, *, implicit: bool) -> int:
    """Returns where a value of undefined length ends: items, in items, each with its delimiter (PS3.5 section 7.5)."""
    ends, modes = (
        [_SEQUENCE_END],
        [implicit],
    )  # of all that is open: the delimiter awaited, and whether VRs are implicit
    while at + 8 <= window.size:
        place = at - window.start
        if place > window.safe:
            place = window.reach(at)
        tag, length = _TAG_LENGTH(window.data, place)
        if tag in (_ITEM_END, _SEQUENCE_END):
            at += 8
            modes.pop()
            if tag != ends.pop() or length:
                raise _OddError("items that do not nest")
            if not ends:
                return at
            continue
        if (tag == _ITEM) != (ends[-1] == _SEQUENCE_END):
            raise _OddError("items that do not nest")
        tag, vr, length, before = _element(window.data, place, implicit=modes[-1] or tag == _ITEM)
        at += before
        if length != _UNDEFINED:
            at += length
            continue
        if len(ends) >= _DEEPEST:
            raise DicomError("sequences are nested too deep", wanted=f"at most {_DEEPEST:,} levels")
        ends.append(_ITEM_END if tag == _ITEM else _SEQUENCE_END)
        modes.append(modes[-1] or vr == b"UN")
    raise _OddError("a sequence without an end")


def _scan_deflated(window: _Window, at: int, values: dict[str, Any], issues: list[Issue], where: str) -> _Scan:
    """Walks a data set that is compressed as a whole (PS3.5 section A.5), inflating a bounded part.

    pydicom, which would inflate all of it, never sees one.
    """
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = bytearray()
    try:
        while at < window.size and not inflate.eof and len(plain) < _MOST_INFLATED:
            block = window.read_at(at, 1 << 16)
            if not block:
                break
            at += len(block)
            plain += inflate.decompress(block, _MOST_INFLATED - len(plain))
        inner = _Window(lambda start, most: bytes(plain[start : start + most]), len(plain), window.memory)
        _elements(inner, 0, EXPLICIT_LITTLE, values, issues, where)
    except (_OddError, zlib.error) as error:
        raise DicomError("a damaged deflated data set", got=str(error)) from error
    return _Scan(values, issues, DEFLATED, None, None)


def _ask_pydicom(window: _Window, where: str, why: str) -> _Scan:
    """Lets pydicom find the elements in the first part of the object; their values are converted as all others."""
    from braggbook.imaging.dicom.odd import read_odd  # noqa: PLC0415 - pydicom is slow to import and rarely needed

    found, syntax = read_odd(io.BytesIO(window.read_at(0, _MOST_ODD)), where=where, why=why)
    found.pop(_TRANSFER_SYNTAX, None)
    return _Scan(*convert(found, where), syntax, None, None)
