"""Reads a DICOM file as what it is made of, trusting nothing: no recursion, bounded lengths, bounded counts.

A general reader repairs and interprets. De-identification must instead see every byte once and account for it, so that
nothing can hide between elements: preamble, padding, duplicates, wrong value representations and what follows the
data set. Encodings: PS3.5, section 7 (elements, sequences) and annex A (transfer syntaxes); file meta: PS3.10,
section 7.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import dictionary_keyword, dictionary_VM, dictionary_VR

from braggbook.errors import DicomError

Buffer = memoryview
UNDEFINED = 0xFFFFFFFF
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
PIXEL_TAGS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
MAX_DEPTH = 64  # levels of sequences that are kept; the deepest of the standard's own objects, reports, stay near 20
MAX_ELEMENTS = 3_000_000  # a structure set of 100,000 contours has 400,000
MAX_INFLATED = 1 << 30  # bytes
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}  # fmt: skip  # noqa: E501
_SHORTEST_HEADER = 8  # bytes of an element without a value
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


_SOMETHING_ELSE = "not DICOM"


def something_else(why: str) -> DicomError:
    """Returns the error of a file that is no damaged DICOM but something else, such as a note beside the images."""
    return DicomError(f"{_SOMETHING_ELSE}: {why}", wanted="a DICOM file")


def is_something_else(error: DicomError) -> bool:
    """Whether an error came from :func:`something_else`."""
    return error.what.startswith(_SOMETHING_ELSE)


@dataclass(slots=True)
class Element:
    """One data element: where its value is, or its items, or the fragments of encapsulated pixels."""

    tag: int
    vr: str  # of the file; the dictionary's where the file has none
    start: int
    length: int
    items: list[list[Element]] | None = None
    fragments: list[tuple[int, int]] | None = None  # start and length; the first is the offset table
    implicit: bool = False


@dataclass
class Parsed:
    """A file as its elements, and what lay outside of them."""

    data: Buffer
    transfer_syntax: str
    meta: list[tuple[int, bytes]]  # tag and value of the file meta header
    elements: list[Element]
    trailing: int = 0  # bytes after the data set
    too_deep: int = 0  # items left out below MAX_DEPTH
    preamble: bool = False  # it held something
    notes: list[str] = field(default_factory=list)

    @property
    def big(self) -> bool:
        """Whether numbers are big endian."""
        return self.transfer_syntax == EXPLICIT_BIG

    def value(self, element: Element) -> bytes:
        """Returns the bytes of an element's value."""
        return bytes(self.data[element.start : element.start + element.length])

    def text(self, tag: int, elements: list[Element] | None = None) -> str:
        """Returns an element's value as ASCII without padding; empty when it is not there."""
        for element in self.elements if elements is None else elements:
            if element.tag == tag and element.items is None and element.fragments is None:
                return self.value(element).decode("ascii", "replace").strip(" \0")
        return ""


@lru_cache(maxsize=8192)
def vr_of(tag: int) -> str:
    """Returns the dictionary's value representation, perhaps ``US or SS``; empty for what it does not have."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


@lru_cache(maxsize=8192)
def keyword_of(tag: int) -> str:
    """Returns the dictionary's keyword; empty for what it does not have."""
    try:
        return dictionary_keyword(tag)
    except KeyError:
        return ""


@lru_cache(maxsize=8192)
def vm_of(tag: int) -> str:
    """Returns the dictionary's multiplicity, such as ``1``, ``2-n`` or ``1-3``; ``1-n`` for what it does not have."""
    try:
        return dictionary_VM(tag)
    except KeyError:
        return "1-n"


def tag_text(tag: int) -> str:
    """Returns ``(0010,0010) PatientName``; nothing of a number that nobody knows, since numbers can be letters."""
    if (tag >> 16) % 2:
        return f"({tag >> 16:04X},xxxx) private"
    keyword = keyword_of(tag)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}" if keyword else "unknown element"


def parse(data: Buffer) -> Parsed:
    """Reads a whole file.

    Raises:
        DicomError: It is not DICOM, is truncated or has too many elements.
    """
    start = 132 if bytes(data[128:132]) == b"DICM" else 0
    meta, position = _meta(data, start)
    parsed = Parsed(data, "", meta, [], preamble=start > 0 and any(data[:128]))
    syntax = dict(meta).get(0x00020010, b"").decode("ascii", "replace").strip(" \0") or _guess(data, position)
    if syntax == DEFLATED:
        position, parsed.data = 0, _inflate(data[position:])
    parsed.transfer_syntax = syntax
    reader = _Reader(parsed, implicit=syntax == IMPLICIT_LITTLE)
    parsed.elements = reader.read(position)
    if not parsed.elements:
        raise something_else("no data element")
    return parsed


def _guess(data: Buffer, position: int) -> str:
    """Returns the transfer syntax of a data set without file meta: what its first element looks like."""
    head = bytes(data[position : position + 8])
    if len(head) < 8 or head[:2] not in (b"\x08\0", b"\0\x08"):
        raise something_else("neither a file meta header nor a first element of group 0008")
    if head[:2] == b"\0\x08":
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE if head[4:6] in _LONG | _SHORT else IMPLICIT_LITTLE


def _inflate(data: Buffer) -> Buffer:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = machine.decompress(data, MAX_INFLATED)
    except zlib.error as error:
        raise DicomError("the deflated data set cannot be inflated", got=str(error)) from error
    if machine.unconsumed_tail or not machine.eof:
        raise DicomError(
            "the deflated data set is truncated or too large", wanted=f"at most {MAX_INFLATED} bytes inflated"
        )
    return memoryview(inflated)


def _meta(data: Buffer, position: int) -> tuple[list[tuple[int, bytes]], int]:
    values = []
    while bytes(data[position : position + 2]) == b"\x02\0":
        element, position = _header(data, position, implicit=False, order="<")
        if element.length == UNDEFINED or position + element.length > len(data):
            raise DicomError("the file meta header is truncated", where=tag_text(element.tag))
        values.append((element.tag, bytes(data[position : position + element.length])))
        position += element.length
    return values, position


def _header(data: Buffer, position: int, *, implicit: bool, order: str) -> tuple[Element, int]:
    """Returns an element without its value, and where the value begins."""
    if position + 8 > len(data):
        raise DicomError("the file ends inside an element")
    group, number = struct.unpack_from(f"{order}HH", data, position)
    tag = group << 16 | number
    if implicit or group == 0xFFFE:
        (length,) = struct.unpack_from(f"{order}I", data, position + 4)
        return Element(tag, vr_of(tag).split(" or ")[0] or "UN", position + 8, length, implicit=True), position + 8
    vr = bytes(data[position + 4 : position + 6])
    if vr in _SHORT:
        (length,) = struct.unpack_from(f"{order}H", data, position + 6)
        return Element(tag, vr.decode(), position + 8, length), position + 8
    if vr in _LONG:
        if position + 12 > len(data):
            raise DicomError("the file ends inside an element", where=tag_text(tag))
        (length,) = struct.unpack_from(f"{order}I", data, position + 8)
        known = _known_vr(tag, vr.decode(), length, order)
        return Element(tag, known, position + 12, length, implicit=known != vr.decode()), position + 12
    raise DicomError("a value representation that does not exist", where=tag_text(tag))


def _known_vr(tag: int, vr: str, length: int, order: str) -> str:
    """Returns the dictionary's representation for a known element that is written as unknown (PS3.5, 6.2.2, note 2)."""
    known = vr_of(tag).split(" or ")[0]
    plain = vr == "UN" and known and order == "<" and (known == "SQ" or length != UNDEFINED)
    return known if plain else vr


@dataclass(slots=True)
class _Frame:
    """A data set or a sequence that is being read."""

    end: int | None  # None: until its delimiter
    elements: list[Element] | None = None  # of a data set
    items: list[list[Element]] | None = None  # of a sequence
    implicit: bool = False


class _Reader:
    """Walks a data set with a stack of its own, so that depth costs no recursion."""

    def __init__(self, parsed: Parsed, *, implicit: bool) -> None:
        self.parsed, self.data = parsed, parsed.data
        self.implicit, self.order = implicit, ">" if parsed.big else "<"
        self.count = 0
        self.stack: list[_Frame] = []

    def read(self, position: int) -> list[Element]:
        top: list[Element] = []
        self.stack = [_Frame(None, elements=top, implicit=self.implicit)]
        while self.stack:
            frame = self.stack[-1]
            if frame.end is not None and position >= frame.end:
                if position > frame.end:
                    raise DicomError(
                        "an item is longer than its sequence", got=f"{position - frame.end} bytes too many"
                    )
                self.stack.pop()
            elif len(self.stack) == 1 and self._ends(position):
                self.parsed.trailing = len(self.data) - position
                break
            elif frame.items is not None:
                position = self._item(frame, position)
            else:
                position = self._element(frame, position)
        return top

    def _ends(self, position: int) -> bool:
        """Whether the data set is over: nothing left, or what is left is no element of it."""
        elements = self.stack[0].elements or []
        if position + _SHORTEST_HEADER > len(self.data):
            pixels = bool(elements) and elements[-1].tag in PIXEL_TAGS
            if any(self.data[position:]) and not pixels:
                raise DicomError("truncated: the file ends inside an element")
            return True
        try:
            element, start = _header(self.data, position, implicit=self.implicit, order=self.order)
        except DicomError:
            return bool(elements)
        after = (
            bool(elements) and element.tag < elements[-1].tag and not vr_of(element.tag) and not (element.tag >> 16) % 2
        )
        behind = bool(elements) and elements[-1].tag >= min(PIXEL_TAGS)
        pixels = behind and element.tag not in (0xFFFAFFFA, 0xFFFCFFFC)
        too_long = element.length != UNDEFINED and start + element.length > len(self.data)
        return after or (pixels and (too_long or not vr_of(element.tag)))

    def _item(self, frame: _Frame, position: int) -> int:
        element, start = _header(self.data, position, implicit=True, order=self.order)
        if element.tag == _SEQUENCE_END:
            if frame.end is None:
                self.stack.pop()
            return start
        if element.tag != _ITEM:
            raise DicomError("a sequence holds what is no item", got=tag_text(element.tag))
        self._tally()
        elements: list[Element] = []
        end = None if element.length == UNDEFINED else self._bounded(start, element.length)
        if len(self.stack) < 2 * MAX_DEPTH:
            assert frame.items is not None
            frame.items.append(elements)
        else:
            self.parsed.too_deep += 1
        self.stack.append(_Frame(end, elements=elements, implicit=frame.implicit))
        return start

    def _element(self, frame: _Frame, position: int) -> int:
        element, start = _header(self.data, position, implicit=frame.implicit, order=self.order)
        assert frame.elements is not None
        if element.tag in (_ITEM_END, _SEQUENCE_END):
            if element.tag == _ITEM_END and frame.end is None and len(self.stack) > 1:
                self.stack.pop()
            return start
        self._tally()
        frame.elements.append(element)
        if element.length == UNDEFINED and element.tag in PIXEL_TAGS:
            return self._fragments(element, start)
        if element.vr == "SQ" or element.length == UNDEFINED:
            return self._sequence(frame, element, start)
        self._bounded(start, element.length, tag=element.tag)
        return start + element.length

    def _sequence(self, frame: _Frame, element: Element, start: int) -> int:
        element.items = []
        end = None if element.length == UNDEFINED else self._bounded(start, element.length, tag=element.tag)
        # PS3.5, 6.2.2, note 4: a sequence of unknown representation is written as implicit little endian
        implicit = frame.implicit or element.vr == "UN" or element.implicit
        self.stack.append(_Frame(end, items=element.items, implicit=implicit))
        return start

    def _fragments(self, element: Element, position: int) -> int:
        element.fragments = []
        while True:
            item, start = _header(self.data, position, implicit=True, order=self.order)
            if item.tag == _SEQUENCE_END:
                return start
            if item.tag != _ITEM or item.length == UNDEFINED:
                raise DicomError("encapsulated pixels hold what is no fragment", where=tag_text(element.tag))
            self._bounded(start, item.length, tag=element.tag)
            self._tally()
            element.fragments.append((start, item.length))
            position = start + item.length

    def _bounded(self, start: int, length: int, *, tag: int = 0) -> int:
        if start + length > len(self.data):
            raise DicomError(
                "truncated: a value is longer than the rest of the file",
                where=tag_text(tag) if tag else "an item",
                wanted=f"{length} bytes",
                got=f"{len(self.data) - start}",
            )
        return start + length

    def _tally(self) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise DicomError("too many elements", wanted=f"at most {MAX_ELEMENTS}")


def walk(elements: list[Element]) -> Iterator[Element]:
    """Yields every element at any depth, without recursion."""
    stack = [iter(elements)]
    while stack:
        for element in stack[-1]:
            yield element
            if element.items:
                stack.extend(iter(item) for item in element.items)
                break
        else:
            stack.pop()
