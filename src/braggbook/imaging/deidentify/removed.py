"""What was taken away from a file, kept in memory for the hunt: the values that must not be found in the output."""

from __future__ import annotations

import re

from braggbook.imaging.deidentify.elements import Element, Parsed, walk
from braggbook.imaging.deidentify.plausible import METHODS
from braggbook.imaging.deidentify.tables import terms, words
from braggbook.imaging.deidentify.uids import is_standard, is_uid

SHORTEST = 4  # bytes; shorter values are everywhere by chance
SHORTEST_NUMBER = 6  # digits: shorter numbers are everywhere by right
LONGEST = 64  # bytes of a value that are looked for
MOST = 20_000  # values of one file
_READ = 1 << 16  # bytes of one value that are looked through
_NAMES, _STRINGS = (
    "PN",
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"},
)
_OF_THE_PATIENT, _DATES = "(0010,", {"DA", "DT"}
_RUNS = re.compile(rb"[\x20-\x7e]{6,}")
_NUMBER = re.compile(rb"[+-]?[\d.,: ]+(?:[eE][+-]?\d+)?")


class Removed:
    """Collects values as the bytes that they were."""

    def __init__(self, *, uids_stay: bool = False) -> None:
        self.uids_stay = uids_stay
        self.values: dict[bytes, str] = {}  # with the attribute that it came from
        self.personal: set[bytes] = set()  # of the patient or a person's name: no option keeps them anywhere

    def element(self, parsed: Parsed, element: Element, name: str) -> None:
        """Adds an element's value, or all values inside a sequence."""
        for one in walk([element]) if element.items is not None else [element]:
            if one.items is None and one.fragments is None:
                raw = bytes(parsed.data[one.start : one.start + min(one.length, _READ)])
                self.value(raw, vr=one.vr, name=name)

    def value(self, raw: bytes, *, vr: str, name: str) -> None:
        """Adds a value: each of several, the parts of a name, and the readable parts of bytes."""
        if vr in _STRINGS:
            parts = raw.split(b"\\")
            if vr == _NAMES:
                parts += re.split(rb"[\\^=]", raw)
            if vr == "DT":
                parts += [part[:8] for part in parts]
        else:
            parts = _RUNS.findall(raw)
        for part in parts:
            telling = part.strip(b" \0\r\n\t")[:LONGEST]
            if self.uids_stay and is_uid(telling.decode("ascii", "replace")):
                continue
            if not is_telling(telling, vr=vr):
                continue
            if vr == _NAMES or (name.startswith(_OF_THE_PATIENT) and vr not in _DATES):
                self.personal.add(telling)
                self.values[telling] = name
            elif len(self.values) < MOST:
                self.values.setdefault(telling, name)


def is_telling(value: bytes, *, vr: str = "LO") -> bool:
    """Whether finding a value again would tell something: long enough, no word of the standard, no short number."""
    if len(value) < SHORTEST:
        return False
    if _NUMBER.fullmatch(value):
        return sum(48 <= byte <= 57 for byte in value) >= SHORTEST_NUMBER and vr not in ("TM", "DS", "IS")
    text = value.decode("ascii", "replace")
    if text in terms() or text.upper() in terms() or is_standard(text):
        return False
    parts = [part.lower() for part in re.split(r"[^A-Za-z]+", text) if part]
    return not (parts and all(part in words() or part in METHODS or part.upper() in terms() for part in parts))
