"""Decides about every element of a data set and builds the new one: nothing is copied that was not looked at.

The order of questions: is it an element that may exist here at all (private, unknown, repeated, of another
representation, group lengths, overlays, curves)? What do the profile and the options say? If nothing: is it on the
allow-list? Then: is its value plausible? What must be there (PS3.3 type 1) and may not stay is replaced, what must be
there perhaps empty (type 2) is emptied, everything else is removed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from braggbook.imaging.deidentify import dates, plausible, private, uids
from braggbook.imaging.deidentify.codes import UNKNOWN, meaning_of
from braggbook.imaging.deidentify.elements import (
    MAX_DEPTH,
    PIXEL_TAGS,
    Element,
    Parsed,
    keyword_of,
    tag_text,
    vr_of,
)
from braggbook.imaging.deidentify.options import Options
from braggbook.imaging.deidentify.removed import Removed
from braggbook.imaging.deidentify.tables import Types, allowed, profile
from braggbook.imaging.deidentify.writing import Written

Step = tuple[str, str, str, str]  # element, the sequence that it is in, what was done, why

_TEMPORAL = {"DA", "DT", "TM"}
_TEXT = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
_NUMBERS = {"DS", "IS", "FL", "FD", "US", "SS", "UL", "SL", "UV", "SV", "OF", "OD", "OL", "OV"}
_BYTES = {"OB", "OW"}
_CODE_VALUES = (0x00080100, 0x00080119, 0x00080120)
_CODE_PARTS = range(0x00080100, 0x00080124)
_LUT_DATA = {
    0x00283006: 0x00283002,
    0x00281201: 0x00281101,
    0x00281202: 0x00281102,
    0x00281203: 0x00281103,
    0x00281204: 0x00281104,
}
_NO_ELEMENT, _GRAPHICS = "group length or an element of a message, not of an object", "curve or overlay"
_LARGEST_VALUE = 1 << 28  # bytes of one value that is not pixels
_LARGEST_LABEL = 1 << 16  # bytes of a text
_LONGEST_KEPT = 1024  # bytes of a text that an option keeps
_CHARACTER_SET = 0x00080005
_NAME, _ID = 0x00100010, 0x00100020
_ROI_NAME, _ROI_NUMBER, _SEGMENT_LABEL, _SEGMENT_NUMBER = 0x30060026, 0x30060022, 0x00620005, 0x00620004
_REFERENCE = re.compile(
    "(?:Referenced)?(?:ROI|Observation|Beam|Dose|DoseReference|FractionGroup|PatientSetup|ToleranceTable|Wedge|Block|Compensator|Source"
    "|BrachyApplicationSetup|ApplicationSetup|RangeShifter|RangeModulator|LateralSpreadingDevice|Channel|ReferenceImage)Number"
)
_NUMERIC_VALUE, _CONCEPT, _AGE_CODES = 0x0040A30A, 0x0040A043, {"121033", "30525-0", "397669002"}
_DUMMIES = {
    "DA": b"19000101", "DT": b"19000101000000", "TM": b"000000", "AS": b"000Y", "DS": b"0", "IS": b"0", "CS": b"OTHER",
    "PN": b"REMOVED", "UR": b"urn:removed", "AT": bytes(4),
}  # fmt: skip
_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8, "OW": 2, "OB": 2, "OF": 4, "OD": 8, "OL": 4, "OV": 8, "UN": 2}  # fmt: skip  # noqa: E501


class Cleaner:
    """Cleans the data set of one file."""

    def __init__(self, parsed: Parsed, *, options: Options, secret: bytes, types: Types) -> None:
        self.parsed, self.options, self.secret, self.types = parsed, options, secret, types
        self.steps: Counter[Step] = Counter()
        self.removed = Removed(uids_stay=options.has("113110"))
        self.produced: set[bytes] = set()  # values that we made and that may look like removed ones
        self.by_option: set[bytes] = set()  # whole values that an option keeps as they are
        self.patient = _patient(parsed)
        self.days = dates.shift_days(secret, self.patient)
        self.name = uids.pseudonym(secret, self.patient).encode()

    def clean(self) -> list[Written]:
        """Returns the new data set; pixels are announced as they were found, for the writer to fill in."""
        for tag, value in self.parsed.meta:
            if tag not in (0x00020000, 0x00020001, 0x00020002, 0x00020010):
                self.removed.value(value, vr=vr_of(tag) or "UN", name=tag_text(tag))
        written = self._dataset(self.parsed.elements, sequence="", depth=0)
        kept = b"\n".join(self.by_option)
        for value in set(self.removed.values) - self.removed.personal:  # a device's name stands in private elements too
            if value in kept:
                del self.removed.values[value]
        return written

    # -- data sets ---------------------------------------------------------------------------------------------

    def _dataset(self, elements: list[Element], *, sequence: str, depth: int) -> list[Written]:
        seen: set[int] = set()
        creators = _creators(self.parsed, elements) if self.options.has("113111") else {}
        values = {element.tag: element for element in reversed(elements)}  # of repeated ones the first counts
        written: list[Written] = []
        for element in elements:
            if element.tag in seen:
                self._gone(element, sequence, "the same element again")
                continue
            seen.add(element.tag)
            written += self._element(element, sequence=sequence, depth=depth, siblings=values, creators=creators)
        return written

    def _element(
        self, element: Element, *, sequence: str, depth: int, siblings: dict[int, Element], creators: dict[int, str]
    ) -> list[Written]:
        tag, group = element.tag, element.tag >> 16
        if group % 2:
            return self._private(element, sequence, creators)
        if tag in _CODE_PARTS and sequence.endswith("Sequence") and any(part in siblings for part in _CODE_VALUES):
            return self._code(element, sequence, siblings)
        if reason := self._misplaced(element, sequence, depth):
            return self._refuse(element, sequence, reason, siblings)
        if tag in PIXEL_TAGS and tag != max(PIXEL_TAGS & siblings.keys()):
            self._gone(element, sequence, "pixels beside pixels: an object has one kind")
            return []
        if tag in PIXEL_TAGS:
            self._log(element, sequence, "kept", "pixels, byte for byte")
            return [Written(tag, element.vr, bulk=0)]
        if tag in (_NAME, _ID):
            return self._replace(element, sequence, self.name, "pseudonym of the patient")
        return self._by_rule(element, sequence=sequence, depth=depth, siblings=siblings)

    def _misplaced(self, element: Element, sequence: str, depth: int) -> str:
        """Returns why an element cannot be what it says it is."""
        tag, group, vr = element.tag, element.tag >> 16, vr_of(element.tag)
        if tag & 0xFFFF == 0 or group in (0, 2, 4, 6):
            return _NO_ELEMENT
        if group & 0xFF00 in (0x5000, 0x6000) and group < 0x6100:
            return _GRAPHICS
        if not vr or group == 0xFFFE:
            return "not in the dictionary"
        if tag in PIXEL_TAGS and sequence:
            return "pixels inside a sequence"
        if element.fragments is not None and tag not in PIXEL_TAGS:
            return "fragments where no pixels are"
        if element.vr != vr and element.vr not in vr.split(" or "):
            return "of another value representation than the dictionary's"
        if (element.items is not None) != (vr == "SQ"):
            return "a sequence where none should be, or none where one should be"
        if depth >= MAX_DEPTH and element.items is not None:
            return "nested deeper than any object needs"
        if element.items is None and tag not in PIXEL_TAGS and element.length > _LARGEST_VALUE:
            return "a value that is too long to be looked through"
        return ""

    # -- rules -------------------------------------------------------------------------------------------------

    def _rule(self, tag: int, vr: str) -> tuple[str, str]:
        """Returns the action code for an element and where it comes from."""
        row = profile().get(tag, {})
        if vr in _TEMPORAL and (not row or "113107" in row) and (row or tag in allowed()):
            if self.options.dates == "shift":
                return "shift", "113107 modified dates"
            if self.options.dates == "keep":
                return "K", "113106 full dates"
            return row.get("113100", "X"), "113100 basic profile"
        if row:
            found = [
                (row[code], code)
                for code in sorted(self.options.codes)
                if code in row and code not in ("113106", "113107")
            ]
            action, code = min(found, key=lambda pair: pair[0] != "K", default=(row.get("113100", "X"), "113100"))
            return action, f"{code} {'basic profile' if code == '113100' else 'option'}"
        if tag in allowed() or (vr in _TEXT and keyword_of(tag)):
            return "check", "allow-list"
        return "X", "not on the allow-list"

    def _by_rule(self, element: Element, *, sequence: str, depth: int, siblings: dict[int, Element]) -> list[Written]:
        action, why = self._rule(element.tag, element.vr)
        need = self.types.of(keyword_of(element.tag), sequence)[0]
        if action not in ("K", "C", "U", "check", "shift"):
            action = _resolve(action, need, is_sequence=element.items is not None)
        if element.items is not None and action not in ("X", "Z"):
            return self._sequence(element, sequence=sequence, depth=depth, need=need, why=why)
        if action == "X":
            self._gone(element, sequence, why)
            return []
        if action == "Z":
            return self._empty(element, sequence, why)
        if action == "D":
            return self._dummy(element, sequence, why, siblings)
        kept = self._kept(element, action, siblings)
        if kept is None:
            return self._refuse(element, sequence, f"{why}: the value is not plausible or not known", siblings)
        return self._keep(element, sequence, kept, why, trusted=action != "K")

    def _kept(self, element: Element, action: str, siblings: dict[int, Element]) -> bytes | None:
        """Returns the value that stays, as it is or changed; None when none may."""
        raw = self.parsed.value(element)
        if not (raw if element.vr in _WIDTHS else raw.strip(b" \0")):
            return b"" if element.vr not in _BYTES else None
        if action == "shift":
            return self._shifted(raw, element.vr)
        if element.vr in _TEMPORAL:
            return raw if self._shifted(raw, element.vr) is not None else None
        if element.vr == "UI":
            return self._uid(raw, keep=action == "K")
        if element.vr in _TEXT:
            return self._text(raw, element.tag, action)
        return self._form(raw, element, siblings)

    def _form(self, raw: bytes, element: Element, siblings: dict[int, Element]) -> bytes | None:
        """Returns a value of numbers, terms, ages, tags or bytes when it has the form that it should have."""
        tag, keyword, big = element.tag, keyword_of(element.tag), self.parsed.big
        vr = element.vr
        if vr == "CS":
            return self._terms(raw, keyword, tag)
        if vr == "AS":
            return plausible.capped_age(raw)
        if vr == "AT":
            return raw if plausible.tags_fit(raw, big=big) else None
        if tag in _LUT_DATA or vr in _BYTES:
            return raw if self._is_table(raw, tag, siblings) else None
        if vr not in _NUMBERS:
            return None
        if not plausible.numbers_fit(keyword, tag, raw, vr, big=big):
            return self._number(raw, keyword) if vr == "IS" else None
        return self._age_in_report(raw, siblings) if tag == _NUMERIC_VALUE else raw

    def _number(self, raw: bytes, keyword: str) -> bytes | None:
        """Returns another number for one that is too long to be harmless but that a reference may need."""
        text = raw.strip(b" \0")
        if not _REFERENCE.fullmatch(keyword) or not re.fullmatch(rb"\d{1,10}", text):
            return None
        new = b"%d" % uids.new_number(self.secret, int(text))
        self.produced.add(new)
        return new

    def _terms(self, raw: bytes, keyword: str, tag: int) -> bytes | None:
        """Returns code strings that are the standard's terms; a vendor's own parts of an image's type become OTHER."""
        parts = [part.strip(" \0") for part in raw.decode("ascii", "replace").split("\\")]
        fits = [not part or plausible.term_fits(keyword, part) for part in parts]
        if not plausible.count_fits(tag, len(parts)):
            return None
        if all(fits):
            return "\\".join(parts).encode()
        if keyword in ("ImageType", "FrameType") and all(fits[:2]):
            return "\\".join(part if fine else "OTHER" for part, fine in zip(parts, fits, strict=True)).encode()
        return None

    def _age_in_report(self, raw: bytes, siblings: dict[int, Element]) -> bytes:
        """Returns a measured value; an age above 89 in a report is 90."""
        concept = siblings.get(_CONCEPT)
        items = concept.items if concept and concept.items else [[]]
        if (
            self.parsed.text(0x00080100, items[0]) in _AGE_CODES
            and float(raw.strip(b" \0").split(b"\\")[0]) >= plausible.OLDEST_YEARS
        ):
            return b"%d" % plausible.OLDEST_YEARS
        return raw

    def _is_table(self, raw: bytes, tag: int, siblings: dict[int, Element]) -> bool:
        """Whether a lookup table has as many entries as its descriptor says (PS3.3, C.11.1.1)."""
        descriptor = siblings.get(_LUT_DATA.get(tag, 0))
        if descriptor is None or descriptor.items is not None or descriptor.length != 6:
            return False
        first = self.parsed.value(descriptor)[:2]
        entries = int.from_bytes(first, "big" if self.parsed.big else "little") or 65536
        return len(raw) in {entries, entries + entries % 2, 2 * entries} and not plausible.table_spells_text(raw)

    def _shifted(self, raw: bytes, vr: str) -> bytes | None:
        parts = [part.strip(b" \0") for part in raw.split(b"\\")]
        moved: list[bytes] = []
        for part in parts:
            if vr == "TM":
                new = part if dates.is_time(part) else None
            else:
                new = (dates.moved_date if vr == "DA" else dates.moved_datetime)(part, self.days)
            if new is None:
                return None
            moved.append(new)
        self.produced |= {part[:8] for part in moved} | set(moved)
        return b"\\".join(moved)

    def _uid(self, raw: bytes, *, keep: bool) -> bytes | None:
        new = []
        for part in raw.split(b"\\"):
            uid = part.strip(b" \0").decode("ascii", "surrogateescape")
            if uids.is_standard(uid) or not uid or (keep and uids.is_uid(uid)):
                new.append(uid)
            else:
                new.append(uids.new_uid(self.secret, uid))
        return "\\".join(new).encode()

    def _text(self, raw: bytes, tag: int, action: str) -> bytes | None:
        """Returns text that an option keeps, that is of a known form, or what the closed vocabulary leaves of it."""
        if action == "K":
            fine = len(raw) <= _LONGEST_KEPT and not any(byte < 32 and byte != 27 for byte in raw.rstrip(b"\0"))
            return raw if fine else None
        text = raw[:_LARGEST_LABEL].decode("ascii", "replace").strip(" \0")
        if action == "check":
            parts = [part.strip() for part in text.split("\\")]
            fine = all(plausible.text_fits(keyword_of(tag), part) for part in parts)
            return "\\".join(parts).encode() if fine else None
        return plausible.cleaned_words(text).encode() or None

    # -- sequences and codes -----------------------------------------------------------------------------------

    def _sequence(self, element: Element, *, sequence: str, depth: int, need: str, why: str) -> list[Written]:
        keyword, items = keyword_of(element.tag), []
        for item in element.items or []:
            cleaned = self._dataset(item, sequence=keyword, depth=depth + 1)
            unknown_code = any(e.tag in _CODE_VALUES for e in item) and not any(e.tag in _CODE_VALUES for e in cleaned)
            if unknown_code and need != "1":
                continue
            items.append([*cleaned, *self._unknown_code()] if unknown_code else cleaned)
        if element.items and need == "3" and not any(items):
            self._log(element, sequence, "removed", "nothing of it may stay")
            return []
        self._log(element, sequence, "cleaned", why)
        return [Written(element.tag, "SQ", items=items)]

    def _unknown_code(self) -> list[Written]:
        value, scheme, meaning = UNKNOWN
        return _code_item(value, scheme, meaning)

    def _code(self, element: Element, sequence: str, siblings: dict[int, Element]) -> list[Written]:
        """Handles the elements of a coded entry together: the triplet is written anew when its value comes by."""
        first = next(tag for tag in _CODE_VALUES if tag in siblings)
        self.removed.element(self.parsed, element, tag_text(element.tag))
        if element.tag != first:
            return []
        value, scheme = (self.parsed.text(tag, list(siblings.values())) for tag in (first, 0x00080102))
        meaning = meaning_of(value, scheme)
        if meaning is None or not scheme:
            self._log(element, sequence, "removed", "a code of no known dictionary")
            return []
        self._log(element, sequence, "kept", "a known code, with the dictionary's meaning")
        self.produced |= {value.encode(), meaning.encode(), scheme.encode()}
        return _code_item(value, scheme, meaning)

    # -- private elements --------------------------------------------------------------------------------------

    def _private(self, element: Element, sequence: str, creators: dict[int, str]) -> list[Written]:
        group, number = element.tag >> 16, element.tag & 0xFFFF
        own = creators.get(element.tag, "") if 0x10 <= number <= 0xFF else ""
        if own and any(g == group and c == own for c, g, _ in private.SAFE):
            self.produced.add(own.encode())
            return [Written(element.tag, "LO", own.encode())]
        creator = creators.get(group << 16 | number >> 8, "") if number > 0xFF else ""
        vr = private.SAFE.get((creator, group, number & 0xFF))
        value = self._safe_value(element, vr) if vr and element.items is None and element.fragments is None else None
        if value is None or vr is None:
            self._gone(
                element, sequence, "private" if not vr else "private, safe by its name, but its value is not plausible"
            )
            return []
        if value != self.parsed.value(element):
            self.removed.element(self.parsed, element, "private")
        self._log(element, sequence, "kept", "113111 safe private")
        return [Written(element.tag, vr, value)]

    def _safe_value(self, element: Element, vr: str) -> bytes | None:
        if element.vr not in (vr, "UN") or element.length > _LARGEST_LABEL:
            return None
        raw = self.parsed.value(element)
        if vr == "DT":
            shift = self.options.dates == "shift"
            moved = self._shifted(raw, vr)
            return moved if shift or moved is None else raw if self.options.dates == "keep" else None
        fits = plausible.numbers_fit("NumericValue", element.tag, raw, vr, big=self.parsed.big)
        return raw if fits else None

    # -- what is done ------------------------------------------------------------------------------------------

    def _refuse(self, element: Element, sequence: str, why: str, siblings: dict[int, Element]) -> list[Written]:
        """Removes an element that may not stay, or writes in its place what the object needs."""
        known = vr_of(element.tag) and why not in (_NO_ELEMENT, _GRAPHICS)
        need = self.types.of(keyword_of(element.tag), sequence)[0] if known else "3"
        if need == "1":
            return self._dummy(element, sequence, why, siblings)
        if need == "2":
            return self._empty(element, sequence, why)
        self._gone(element, sequence, why)
        return []

    def _gone(self, element: Element, sequence: str, why: str) -> None:
        self.removed.element(self.parsed, element, tag_text(element.tag))
        self._log(element, sequence, "removed", why)

    def _empty(self, element: Element, sequence: str, why: str) -> list[Written]:
        self.removed.element(self.parsed, element, tag_text(element.tag))
        self._log(element, sequence, "emptied", why)
        vr = _one_vr(element)
        return [Written(element.tag, vr, items=[] if vr == "SQ" else None)]

    def _dummy(self, element: Element, sequence: str, why: str, siblings: dict[int, Element]) -> list[Written]:
        vr = _one_vr(element)
        if vr == "SQ":
            self.removed.element(self.parsed, element, tag_text(element.tag))
            self._log(element, sequence, "replaced", why)
            return [Written(element.tag, vr, items=[[]])]
        if vr == "UI":
            return self._replace(
                element, sequence, uids.new_uid(self.secret, str(self.parsed.value(element))).encode(), why
            )
        if vr in _WIDTHS:
            return self._replace(element, sequence, bytes(_WIDTHS[vr]), why)
        return self._replace(element, sequence, self._label(element.tag, siblings) or _DUMMIES.get(vr, b"REMOVED"), why)

    def _label(self, tag: int, siblings: dict[int, Element]) -> bytes:
        """Returns a label with the number that tells structures or segments apart."""
        if tag == _CHARACTER_SET:
            return b"ISO_IR 192"
        source = {_ROI_NAME: (_ROI_NUMBER, b"ROI "), _SEGMENT_LABEL: (_SEGMENT_NUMBER, b"Segment ")}.get(tag)
        element = siblings.get(source[0]) if source else None
        if source is None or element is None or element.items is not None:
            return b""
        raw = self.parsed.value(element)
        if element.vr == "US" and len(raw) == 2:
            return source[1] + b"%d" % int.from_bytes(raw, "big" if self.parsed.big else "little")
        number = raw.strip(b" \0")
        return source[1] + number if re.fullmatch(rb"\d{1,5}", number) else b""

    def _replace(self, element: Element, sequence: str, value: bytes, why: str) -> list[Written]:
        self.removed.element(self.parsed, element, tag_text(element.tag))
        self._log(element, sequence, "replaced", why)
        return [Written(element.tag, _one_vr(element), value)]

    def _keep(self, element: Element, sequence: str, value: bytes, why: str, *, trusted: bool) -> list[Written]:
        done, why = "kept", why if value or element.vr in _BYTES else "it was empty"
        if element.vr == "TM" and self.options.dates == "shift" and value:
            why = "a time of day: its date moves by whole days"
        if value.strip(b" \0") != self.parsed.value(element).strip(b" \0"):
            self.removed.element(self.parsed, element, tag_text(element.tag))
            done = {"UI": "UID replaced", "DA": "date moved", "DT": "date moved"}.get(element.vr, "cleaned")
        if not trusted:
            self.by_option |= {part.strip(b" \0") for part in value.split(b"\\")}
        if trusted and element.vr in _TEXT | {"CS", "UI"}:
            self.produced |= {part.strip(b" \0") for part in value.split(b"\\")}
        self._log(element, sequence, done, why)
        return [Written(element.tag, element.vr, value)]

    def _log(self, element: Element, sequence: str, done: str, why: str) -> None:
        self.steps[tag_text(element.tag), sequence, done, why] += 1


def _resolve(action: str, need: str, *, is_sequence: bool) -> str:
    """Returns one of X, Z, D and U for a compound code, by the attribute's type in the object."""
    parts = action.split("/")
    if "U" in parts and is_sequence:
        return "U"
    if need == "1":
        return "D"
    if need == "2":
        return "D" if parts == ["D"] else "Z"
    return "X" if "X" in parts else "Z" if "Z" in parts else parts[0]


def _one_vr(element: Element) -> str:
    """Returns the representation to write: the dictionary's, and of two of them the file's or the first."""
    choices = vr_of(element.tag).split(" or ")
    return element.vr if element.vr in choices else choices[0]


def _code_item(value: str, scheme: str, meaning: str) -> list[Written]:
    tag, vr = (0x00080100, "SH") if len(value) <= 16 else (0x00080119, "UC")
    texts = ((tag, vr, value), (0x00080102, "SH", scheme), (0x00080104, "LO", meaning))
    return [Written(tag, vr, text.encode("ascii", "replace")) for tag, vr, text in texts]


def _patient(parsed: Parsed) -> bytes:
    """Returns what tells one patient from another: the id, else name and birth date, else the study."""
    values = {
        e.tag: parsed.value(e).strip(b" \0")
        for e in parsed.elements
        if e.tag in (_NAME, _ID, 0x00100030, 0x0020000D) and e.items is None
    }
    if values.get(_ID):
        return values[_ID]
    if values.get(_NAME):
        return values[_NAME] + b"\\" + values.get(0x00100030, b"")
    return b"study\\" + values.get(0x0020000D, b"")


def _creators(parsed: Parsed, elements: Iterable[Element]) -> dict[int, str]:
    """Returns the creators of safe private elements, by the tag that reserves their block."""
    known = {creator for creator, _, _ in private.SAFE}
    found: dict[int, str] = {}
    for element in elements:
        if (
            (element.tag >> 16) % 2
            and 0x10 <= element.tag & 0xFFFF <= 0xFF
            and element.items is None
            and element.length <= 64
        ):
            creator = parsed.value(element).decode("ascii", "replace").strip(" \0")
            if creator in known and element.vr in ("LO", "UN"):
                found[element.tag] = creator
    return found
