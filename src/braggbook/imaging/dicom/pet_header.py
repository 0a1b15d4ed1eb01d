"""What a PET series says that an SUV depends on: from headers to plain values, and from texts to moments."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from braggbook.errors import DicomError
from braggbook.imaging.dicom.images import plain

_DRUGS = "RadiopharmaceuticalInformationSequence"
SHARED = (
    "SOPClassUID", "Modality", "Units", "SUVType", "DecayCorrection", "CorrectedImage", "SeriesType", "StudyDate",
    "SeriesDate", "SeriesTime", "TimezoneOffsetFromUTC", "PatientWeight", "PatientSize", "PatientSex",
    _DRUGS,
)  # fmt: skip
PER_SLICE = ("AcquisitionDate", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration")

# Private elements by the name that they have here: group, creator, element.
PRIVATE = {
    "GEScanDateTime": (0x0009, "GEMS_PETD_01", 0x0D),
    "PhilipsSUVFactor": (0x7053, "Philips PET Private Group", 0x00),
    "PhilipsActivityFactor": (0x7053, "Philips PET Private Group", 0x09),
}
_TIME = re.compile(r"(\d\d):?(\d\d)?:?(\d\d)?(?:\.(\d{1,6}))?$")
_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)$")
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?$")
_YEARS = range(1900, 2200)  # of scans; others could not be counted from
NO_DATE = "19000101"  # stands for the unknown day of a series whose dates were removed


def pet_tags(headers: Sequence[Dataset | None]) -> dict[str, Any]:
    """Returns what an SUV depends on, as JSON has it.

    Args:
        headers: Of each slice, in the order of the volume, time outermost; None where a slice is missing.

    Returns:
        Keyword to value of :data:`SHARED`, as the first header has it; under ``slices`` a mapping of :data:`PER_SLICE`
        and :data:`PRIVATE` for each slice (None for a missing one); under ``differing`` the keywords that are not the
        same in all headers.

    Raises:
        DicomError: There is no header.
    """
    there = [header for header in headers if header is not None]
    if not there:
        raise DicomError("no header of a PET image", wanted="one for each slice")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, on values; what matters is checked when it is used
        everywhere = [_values(header, SHARED) for header in there]
        slices = [None if header is None else {**_values(header, PER_SLICE), **_private(header)} for header in headers]
    differing = [
        keyword for keyword in SHARED if any(each.get(keyword) != everywhere[0].get(keyword) for each in everywhere)
    ]
    return {**everywhere[0], "slices": slices, "differing": differing}


def _values(header: Dataset, keywords: Sequence[str]) -> dict[str, Any]:
    found = {}
    for keyword in keywords:
        if keyword == _DRUGS:
            value: Any = [_drug(item) for item in _items(header, keyword)]
        else:
            value = _value(header, keyword)
        if value is not None:
            found[keyword] = value
    return found


def _items(header: Dataset, keyword: str) -> Sequence[Dataset]:
    try:
        found = header.get(keyword)
    except Exception:  # pydicom converts on access, and raises whatever a wrong value leads to
        return ()
    return found if isinstance(found, Items) else ()


def _drug(item: Dataset) -> dict[str, Any]:
    codes = _items(item, "RadionuclideCodeSequence")
    nuclides = [_values(each, ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")) for each in codes]
    plainly = _values(item, [keyword for keyword in TRACER if not keyword.endswith("Sequence")])
    return {**plainly, **({"RadionuclideCodeSequence": nuclides} if nuclides else {})}


def _value(header: Dataset, keyword: str) -> Any:
    """Returns a plain value; one that is not of its kind as it is written, to be named when it is used."""
    try:
        value = plain(header.get(keyword))
    except Exception:  # as above
        written = header.get_item(keyword)
        raw = getattr(written, "value", None)
        return raw.decode("latin-1").strip(" \0") if isinstance(raw, bytes) else str(raw)
    several = value if isinstance(value, list) else [value]
    finite = all(math.isfinite(each) for each in several if isinstance(each, float))
    return value if finite else str(value)


def _private(header: Dataset) -> dict[str, Any]:
    found = {}
    for name, (group, creator, element) in PRIVATE.items():
        try:
            value = header.private_block(group, creator)[element].value
        except KeyError:
            continue
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        if text := text.strip(" \0"):
            found[name] = text
    return found


def private_name(name: str) -> str:
    """Returns a private element as messages show it."""
    group, creator, element = PRIVATE[name]
    return f"({group:04X},xx{element:02X}) of {creator!r}"


def moment(date: Any, time: Any) -> datetime:
    """Returns the moment of a date (DA) and a time (TM).

    Raises:
        ValueError: They are none (PS3.5 6.2).
    """
    day, clock = _DATE.match(str(date).strip()), _TIME.match(str(time).strip())
    if not day or not clock:
        message = f"{date} {time}"
        raise ValueError(message)
    hours, minutes, seconds, fraction = clock.groups(default="0")
    start = datetime(*(int(part) for part in day.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - the scanner's clock
    if start.year not in _YEARS:
        raise ValueError(str(date))
    second = min(int(seconds), 59) + (1 if int(seconds) == 60 else 0)  # a leap second is a second
    if int(hours) > 23 or int(minutes) > 59 or int(seconds) > 60:
        raise ValueError(str(time))
    parts = {"hours": int(hours), "minutes": int(minutes), "seconds": second}
    return start + timedelta(**parts, microseconds=int(fraction.ljust(6, "0")))


def date_time(text: Any, *, zone: Any = None) -> datetime:
    """Returns the moment of a date-time (DT), in the zone of the series when both are known.

    Args:
        text: ``YYYYMMDDHHMMSS.FFFFFF&ZZXX``, of which the day and the hour must be there.
        zone: TimezoneOffsetFromUTC of the series, as ``+0100``.

    Raises:
        ValueError: It is none (PS3.5 6.2).
    """
    found = _DATE_TIME.match(str(text).strip())
    if not found or not found[2]:
        raise ValueError(str(text))
    day, clock, own = found.groups()
    moved = _minutes(str(zone)) - _minutes(own) if own and zone else 0
    return moment(day, clock) + timedelta(minutes=moved)


def _minutes(offset: str) -> int:
    found = re.match(r"([+-])(\d\d)(\d\d)$", offset.strip())
    if not found:
        raise ValueError(offset)
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


def as_mapping(tags: Mapping[str, Any], replace: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns tags with some replaced, also within the radiopharmaceutical's item; None takes one away.

    Raises:
        DicomError: A keyword is not one that an SUV depends on.
    """
    found = dict(tags)
    if _DRUGS in (replace or {}):
        found[_DRUGS] = (replace or {})[_DRUGS]
    drugs = [dict(item) for item in found.get(_DRUGS) or [{}]]
    for keyword, value in (replace or {}).items():
        if keyword == _DRUGS:
            continue
        if keyword in TRACER:
            drugs[0][keyword] = value
        elif keyword in SHARED:
            found[keyword] = value
        else:
            known = ", ".join((*TRACER, *SHARED))
            raise DicomError("not a tag that an SUV depends on", wanted=f"one of {known}", got=keyword)
    return {**found, _DRUGS: drugs}


TRACER = (
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime",
    "RadionuclideCodeSequence", "Radiopharmaceutical",
)  # fmt: skip
