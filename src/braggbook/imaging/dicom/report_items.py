"""Walking a structured report: containers, numbers in the unit that is wanted, codes, texts and times.

Source: PS3.3 C.17.3 (content items), PS3.5 6.2 (date-times); units are UCUM's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset

from braggbook.errors import Issue, UnitError
from braggbook.imaging.dicom.pet_header import date_time
from braggbook.units import conversion_factor

_MOST_ITEMS = 1_000_000  # a report of thousands of events has some hundred thousand; more is malice
_UCUM = {"[degF]": "", "{events}": "1", "{ratio}": "1", "{frames}": "1", "1": "1", "no units": "1", "ratio": "1"}
_BARE = {  # spellings without the point that UCUM puts between factors
    "mGycm": "mGy.cm", "Gycm2": "Gy.cm2", "Gym2": "Gy.m2", "dGycm2": "dGy.cm2", "cGycm2": "cGy.cm2",
    "mGycm2": "mGy.cm2", "uGym2": "uGy.m2", "mGym2": "mGy.m2", "uAs": "uA.s", "mAs": "mA.s", "degrees": "deg",
}  # fmt: skip


class OddReport(ValueError):
    """A report that cannot be walked."""


def children(node: Dataset) -> list[Dataset]:
    """Returns the content items directly below one."""
    found = node.get("ContentSequence")
    return list(found) if found else []


def below(node: Dataset) -> Iterator[Dataset]:
    """Returns all content items below one, in the order of the report.

    Raises:
        OddReport: They are too many.
    """
    waiting = children(node)[::-1]
    count = 0
    while waiting:
        count += 1
        if count > _MOST_ITEMS:
            message = f"more than {_MOST_ITEMS:,} content items"
            raise OddReport(message)
        item = waiting.pop()
        yield item
        waiting += children(item)[::-1]


def concept(node: Dataset) -> str:
    """Returns the code value of what a content item is, or nothing."""
    return code_of(node, "ConceptNameCodeSequence")[0]


def code_of(node: Dataset, keyword: str) -> tuple[str, str]:
    """Returns value and meaning of a code; empty texts when it is not there."""
    found = node.get(keyword)
    if not found:
        return "", ""
    value = next(
        (found[0].get(f"{kind}Value") for kind in ("Code", "LongCode", "URNCode") if found[0].get(f"{kind}Value")), ""
    )
    return str(value).strip(), str(found[0].get("CodeMeaning", "")).strip()


def coded(node: Dataset) -> str:
    """Returns the meaning of a coded value, its code value when it has none, or its text when it is one."""
    value, meaning = code_of(node, "ConceptCodeSequence")
    return meaning or value or text(node)


def text(node: Dataset) -> str:
    """Returns a text, or nothing."""
    return str(node.get("TextValue") or "").strip()


def uid(node: Dataset) -> str:
    """Returns a unique identifier, or nothing."""
    return str(node.get("UID") or "").strip()


def when(node: Dataset) -> datetime | None:
    """Returns a moment, without its time zone.

    Raises:
        ValueError: It is not a date and time.
    """
    given = str(node.get("DateTime") or "").strip()
    return date_time(given) if given else None


def number(node: Dataset, unit: str) -> float | Issue:
    """Returns a number in a unit: NaN where the report leaves it empty, an issue where it cannot be had."""
    measured = node.get("MeasuredValueSequence")
    where = code_of(node, "ConceptNameCodeSequence")[1]
    try:
        given = measured[0].get("NumericValue") if measured else None
    except (TypeError, ValueError, OverflowError) as error:  # pydicom converts on access
        return Issue("not a number", where, f"a number in {unit}", str(error))
    if given is None or given == "":
        return math.nan
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        return Issue("not a number", where, f"a number in {unit}", str(given))
    if not math.isfinite(value):
        return Issue("not a finite number", where, f"a number in {unit}", str(given))
    written, meaning = code_of(measured[0], "MeasurementUnitsCodeSequence")
    factor = _factor(written, unit) or _factor(meaning, unit)
    if factor is None:
        return Issue("a unit that is not understood", where, unit, written or meaning or "none")
    return value * factor


def _factor(written: str, unit: str) -> float | None:
    spelled = _UCUM.get(written, _BARE.get(written, written))
    if not spelled:
        return None
    if unit == "deg" or spelled == "deg":
        return 1.0 if spelled == unit else None
    try:
        return conversion_factor(spelled, unit)
    except UnitError:
        return None


def first(node: Dataset, *values: str) -> Dataset | None:
    """Returns the first content item below one that is one of some concepts."""
    return next((item for item in below(node) if concept(item) in values), None)


def every(node: Dataset, *values: str) -> list[Dataset]:
    """Returns all content items below one that are one of some concepts."""
    return [item for item in below(node) if concept(item) in values]


def shown(node: Any) -> str:
    """Returns what a content item is, as messages have it."""
    value, meaning = code_of(node, "ConceptNameCodeSequence")
    return f"({value}) {meaning}"
