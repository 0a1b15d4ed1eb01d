"""Objects with something planted in every place that a file has, made by code."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.data import get_testdata_file
from pydicom.datadict import DicomDictionary

from braggbook.imaging.deidentify.elements import PIXEL_TAGS, Element, Parsed, parse, vr_of
from braggbook.imaging.deidentify.writing import Written, encode

CT = "CT_small.dcm"
SECRET = b"k" * 32


def shipped(name: str) -> Path:
    path = get_testdata_file(name)
    assert path is not None
    return Path(str(path))


@dataclass
class Garden:
    """Makes values that occur nowhere else, and remembers them as bytes."""

    planted: dict[bytes, str] = field(default_factory=dict)
    number: int = 0

    def value(self, vr: str, where: str) -> bytes:
        self.number += 1
        made = _MAKERS.get(vr, _text)(self.number)
        self.planted[made.strip(b" \0")] = where
        return made

    def found(self, data: bytes) -> dict[bytes, str]:
        return {value: where for value, where in self.planted.items() if value in data}


def _text(number: int) -> bytes:
    return b"CAN%05dX " % number


def _date(number: int) -> bytes:
    # all within 300 days, so that no moved date is another planted one
    return (datetime.date(1977, 1, 1) + datetime.timedelta(number % 300)).strftime("%Y%m%d").encode()


def _bytes(count: int) -> Callable[[int], bytes]:
    return lambda number: (b"CN%06d" % number * 8)[: max(count, 8)]


_MAKERS: dict[str, Callable[[int], bytes]] = {
    "DA": _date,
    "DT": lambda n: _date(n) + b"%06d.%06d" % (n % 60, n),
    "TM": lambda n: b"77%04d.%06d" % (n % 10000, n),
    "DS": lambda n: b"7%07d.5 " % n,
    "IS": lambda n: b"77%06d" % n,
    "AS": lambda n: b"%03dY" % (90 + n % 9),
    "UI": lambda n: b"1.2.826.0.77.%d.987654\0"[: 64] % n,
    "UL": lambda n: struct.pack("<I", 0x77665500 + n),
    "SL": lambda n: struct.pack("<i", 0x66776600 + n),
    "US": lambda n: b"UC%06d" % n,
    "SS": lambda n: b"SC%06d" % n,
    "AT": lambda n: b"AC%06d" % n,
    "FL": lambda n: b"FC%06d" % n,
    "FD": lambda n: b"DC%06d" % n,
    "CS": lambda n: b"CAN%05dX" % n,
    "PN": lambda n: b"CAN%05dX^PLANT " % n,
    "OB": _bytes(8), "OW": _bytes(8), "UN": _bytes(8), "OF": _bytes(8), "OD": _bytes(8), "OL": _bytes(8), "OV": _bytes(8),
    "UV": _bytes(8), "SV": _bytes(8),
}  # fmt: skip


def as_written(parsed: Parsed, elements: list[Element]) -> list[Written]:
    """The elements of a file as they were."""
    return [
        Written(e.tag, e.vr, items=[as_written(parsed, item) for item in e.items])
        if e.items is not None
        else Written(e.tag, e.vr, parsed.value(e))
        for e in elements
    ]


def dictionary() -> Iterator[tuple[int, str]]:
    """Every element of the dictionary with its (first) representation."""
    for tag in sorted(DicomDictionary):
        vr = vr_of(tag).split(" or ")[0]
        if vr and vr not in ("NONE", "OB/OW") and 0x0006 < tag >> 16 < 0xFFF0 and tag & 0xFFFF:
            yield tag, vr


def nest(inner: list[Written], depth: int, tag: int = 0x00081140) -> Written:
    """A sequence inside a sequence, ``depth`` times."""
    item = inner
    for _ in range(depth):
        item = [Written(tag, "SQ", items=[item])]
    return item[0]


def dress(
    parsed: Parsed,
    elements: list[Written],
    *,
    preamble: bytes = bytes(128),
    meta: tuple[Written, ...] = (),
    end: bytes = b"",
) -> bytes:
    """Returns a whole file around a data set, in the encoding of the file that it comes from."""
    implicit, big = parsed.transfer_syntax == "1.2.840.10008.1.2", parsed.big
    header = [
        Written(0x00020001, "OB", b"\0\1"),
        Written(0x00020002, "UI", parsed.text(0x00080016).encode()),
        Written(0x00020003, "UI", parsed.text(0x00080018).encode()),
        Written(0x00020010, "UI", parsed.transfer_syntax.encode()),
        *meta,
    ]
    body = encode(header, implicit=False, big=False)
    length = encode([Written(0x00020000, "UL", struct.pack("<I", len(body)))], implicit=False, big=False)
    return preamble + b"DICM" + length + body + encode(elements, implicit=implicit, big=big) + end


def read(path: Path) -> Parsed:
    return parse(memoryview(path.read_bytes()))


def everything(parsed: Parsed, garden: Garden) -> list[Written]:
    """The elements of a real object and a planted value in every element of the dictionary that it lacks, at depth 0 to 4."""
    base = as_written(parsed, parsed.elements)
    have = {e.tag for e in base}
    essential = {0x00080016, 0x00080018, *PIXEL_TAGS}
    plain = [
        Written(tag, vr, garden.value(vr, f"{tag:08x} {vr}"))
        for tag, vr in dictionary()
        if vr != "SQ" and tag not in have and tag not in essential and tag >> 16 not in (0x7FE0, 0x0028)
    ]
    private = [
        Written(0x00090010, "LO", garden.value("LO", "private creator")),
        Written(0x00091001, "UN", garden.value("UN", "private")),
        Written(0x00091002, "LO", garden.value("LO", "private")),
        Written(0x00091003, "SQ", items=[[Written(0x00091004, "LO", garden.value("LO", "private, nested"))]]),
    ]
    graphics = [
        Written(0x60000022, "LO", garden.value("LO", "overlay description")),
        Written(0x60003000, "OW", garden.value("OW", "overlay")),
        Written(0x60004000, "LT", garden.value("LT", "overlay comments")),
        Written(0x50000030, "SH", garden.value("SH", "curve")),
        Written(0x50003000, "OW", garden.value("OW", "curve")),
        Written(0xFFFCFFFC, "OB", garden.value("OB", "padding")),
    ]
    nested = []
    sequences = [tag for tag, vr in dictionary() if vr == "SQ" and tag not in have]
    for place, tag in enumerate(sequences):
        depth = 1 + place % 4
        samples = [_SAMPLES[(place * 5 + step) % len(_SAMPLES)] for step in range(5)]
        inner = [Written(t, v, garden.value(v, f"{t:08x} {v} in {tag:08x}")) for t, v in samples]
        nested.append(nest(inner, depth, tag))
    return base + plain + private + graphics + nested


# one element of each representation, some of which may stay and some not
_SAMPLES = [
    (0x00080060, "CS"), (0x00080080, "LO"), (0x00080081, "ST"), (0x00081155, "UI"), (0x00100010, "PN"), (0x00101010, "AS"),
    (0x00180050, "DS"), (0x00200013, "IS"), (0x00280009, "AT"), (0x0040A121, "DA"), (0x0040A122, "TM"), (0x0040A120, "DT"),
    (0x0040A160, "UT"), (0x00189087, "FD"), (0x00700022, "FL"), (0x00089459, "FL"), (0x00280010, "US"), (0x00286010, "US"),
    (0x00080100, "SH"), (0x00080102, "SH"), (0x00080104, "LO"), (0x00091001, "LO"), (0x00200200, "UI"), (0x00189219, "SS"),
    (0x00420011, "OB"), (0x00620006, "ST"), (0x00081190, "UR"), (0x00080119, "UC"), (0x00080054, "AE"), (0x00104000, "LT"),
]  # fmt: skip
