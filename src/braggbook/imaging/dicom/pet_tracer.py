"""What an SUV is computed from, read with suspicion: patient, activity, half-life and times."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from braggbook.errors import Issue
from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.dicom.pet_header import NO_DATE, date_time, moment, private_name

# Half-lives in s, rounded; what scanners write differs by up to 0.5 %, so that the source does not matter here.
# Source: Decay Data Evaluation Project, BIPM Monographie 5; ENSDF for those that it lacks. 11C, 13N, 15O and 18F are
# within 0.2 % of the European Pharmacopoeia 5.7; 64Cu, 68Ga, 82Rb, 89Zr and 124I within the rounding of J. Nucl. Med.
# 63:649 (2022), table 3.
HALF_LIVES_S = {
    "11C": 1221.7, "13N": 598.0, "15O": 122.3, "18F": 6584.0, "38K": 458.2, "44Sc": 14551.0, "52Mn": 483062.0,
    "60Cu": 1422.0, "61Cu": 12020.0, "62Cu": 580.0, "64Cu": 45721.0, "68Ga": 4065.0, "76Br": 58320.0, "82Rb": 75.6,
    "86Y": 53064.0, "89Zr": 282300.0, "90Y": 230550.0, "94mTc": 3120.0, "124I": 360806.0,
}  # fmt: skip
_HALF_LIFE_TOLERANCE = 0.02  # other tables and rounding differ by 0.5 %; confused nuclides by far more
_OTHER_HALF_LIVES_S = (10.0, 1e6)  # of a nuclide that is not in the table
_ELEMENTS = {
    "carbon": "C", "nitrogen": "N", "oxygen": "O", "fluorine": "F", "potassium": "K", "scandium": "Sc",
    "manganese": "Mn", "copper": "Cu", "gallium": "Ga", "bromine": "Br", "rubidium": "Rb", "yttrium": "Y",
    "zirconium": "Zr", "technetium": "Tc", "iodine": "I",
}  # fmt: skip
# Plausible for a person; outside, a wrong unit is far likelier than the value. The lightest infants that survive weigh
# 0.3 kg; scanners' tables carry 300 kg. A dose covers 1 MBq for a newborn to some GBq of 82Rb or 90Y.
_WEIGHT_KG = (0.3, 400.0)
_HEIGHT_M = (0.25, 2.6)
_DOSE_BQ = (1e6, 2e10)
_MOST_HALF_LIVES = 10.0  # after which a thousandth is left: no image, so a wrong time
_DYNAMIC_LEAD = timedelta(minutes=10)  # a dynamic scan may begin before the injection
_SAME_CLOCK = timedelta(seconds=1)
_LONGEST_FRAME_MS = 86_400_000
_CLOCK_S = 60.0  # scanners' clocks, and how series times are rounded
_DAY = timedelta(days=1)
_HALF_DAY = timedelta(hours=12)
_ONE_DAY_HALF_LIFE_S = (
    6 * 3600.0
)  # nuclides that live longer are imaged days later, too: a time without a date says little


@dataclass(frozen=True)
class Times:
    """When the tracer was given, and what moment the values stand for.

    Attributes:
        administered: RadiopharmaceuticalStartDateTime, or the time on the day that fits; None where it does not matter.
        reference: One moment for all slices, or one for each (None for a missing slice).
        source: What the reference is.
    """

    administered: datetime | None
    reference: tuple[datetime | None, ...]
    source: str


class Checks:
    """Reads values one by one and remembers what is wrong with them.

    Attributes:
        issues: What keeps an SUV from being computed.
        warnings: What a reader of the SUV should know.
    """

    def __init__(self, tags: Mapping[str, Any]) -> None:
        self.tags = tags
        self.drug: Mapping[str, Any] = tags["RadiopharmaceuticalInformationSequence"][0]
        self.slices: Sequence[Mapping[str, Any] | None] = tags.get("slices") or [tags]
        self.complete = bool(tags.get("slices"))
        self.issues: list[Issue] = []
        self.warnings: list[str] = []

    def bad(self, what: str, keyword: str, *, wanted: str, got: Any = "") -> None:
        """Remembers an issue of a tag."""
        self.issues.append(Issue(what, tag_name(keyword), wanted, str(got)))

    def text(self, keyword: str) -> str:
        """Returns a text in capitals, or nothing."""
        value = self.tags.get(keyword)
        return "" if value is None else str(value).strip().upper()

    def number(self, keyword: str, *, limits: tuple[float, float], unit: str, hints: Mapping[float, str]) -> float:
        """Returns a plausible number, or NaN and an issue.

        Args:
            keyword: Of the series, or of the radiopharmaceutical.
            limits: Smallest and largest that is plausible.
            unit: That DICOM has for it.
            hints: Factors that would make it plausible, and the unit that it then seems to be in.
        """
        given = self.tags.get(keyword, self.drug.get(keyword))
        wanted = f"{limits[0]:g} to {limits[1]:g} {unit}"
        if given is None or (isinstance(given, str) and not given.strip()):
            self.bad("missing", keyword, wanted=wanted)
            return math.nan
        try:
            value = float(given)
        except (TypeError, ValueError):
            self.bad("not a number", keyword, wanted=wanted, got=given)
            return math.nan
        if limits[0] <= value <= limits[1]:
            return value
        seems = [
            f" (it seems to be in {name})" for factor, name in hints.items() if limits[0] <= value * factor <= limits[1]
        ]
        self.bad("not plausible", keyword, wanted=wanted, got=f"{value:g}{seems[0] if seems else ''}")
        return math.nan

    def weight_kg(self) -> float:
        """Returns the patient's weight."""
        return self.number("PatientWeight", limits=_WEIGHT_KG, unit="kg", hints={1e-3: "g", 1e3: "t"})

    def height_m(self) -> float:
        """Returns the patient's height."""
        return self.number("PatientSize", limits=_HEIGHT_M, unit="m", hints={1e-2: "cm", 1e-3: "mm"})

    def sex(self) -> str:
        """Returns M or F, or nothing and an issue."""
        found = self.text("PatientSex")
        if found in ("M", "F"):
            return found
        self.bad("a formula for men and women only", "PatientSex", wanted="M or F", got=found or "nothing")
        return ""

    def dose_bq(self) -> float:
        """Returns the administered activity."""
        hints = {1e6: "MBq", 1e3: "kBq", 1e9: "GBq"}
        return self.number("RadionuclideTotalDose", limits=_DOSE_BQ, unit="Bq", hints=hints)

    def half_life_s(self) -> float:
        """Returns the half-life that the file gives, if it is its nuclide's."""
        hints = {60.0: "min", 3600.0: "h"}
        nuclide = self.nuclide()
        if nuclide not in HALF_LIVES_S:
            value = self.number("RadionuclideHalfLife", limits=_OTHER_HALF_LIVES_S, unit="s", hints=hints)
            self.warnings.append(f"the half-life was not checked: {nuclide or 'the nuclide'} is not known")
            return value
        known = HALF_LIVES_S[nuclide]
        limits = (known * (1 - _HALF_LIFE_TOLERANCE), known * (1 + _HALF_LIFE_TOLERANCE))
        return self.number("RadionuclideHalfLife", limits=limits, unit=f"s, as {nuclide} has", hints=hints)

    def nuclide(self) -> str:
        """Returns the nuclide as ``18F``, or nothing when the file does not say it in a way that is understood."""
        names = [str(item.get("CodeMeaning", "")) for item in self.drug.get("RadionuclideCodeSequence") or []]
        for name in (*names, str(self.drug.get("Radiopharmaceutical") or "")):
            if found := parse_nuclide(name):
                return found
        return "18F" if str(self.drug.get("Radiopharmaceutical") or "").strip().upper() == "FDG" else ""


def parse_nuclide(text: str) -> str:
    """Returns ``18F`` for ``^18^Fluorine``, ``F-18``, ``18F``, ``Fluorine 18``; nothing for what is not known.

    Source: PS3.16 CID 4020 and what scanners write.
    """
    plain = text.replace("^", " ").replace("[", " ").replace("]", " ")
    for element, symbol in _ELEMENTS.items():
        plain = re.sub(element, symbol, plain, flags=re.IGNORECASE)
    for mass, name in re.findall(r"(?<![\w])(\d{2,3}m?)[\s-]*([A-Z][a-z]?)(?![a-z])", plain):
        if f"{mass}{name}" in HALF_LIVES_S:
            return f"{mass}{name}"
    for name, mass in re.findall(r"(?<![\w])([A-Z][a-z]?)[\s-]*(\d{2,3}m?)(?!\w)", plain):
        if f"{mass}{name}" in HALF_LIVES_S:
            return f"{mass}{name}"
    return ""


def read_times(checks: Checks, *, correction: str, half_life_s: float) -> Times:
    """Returns the moments that decay is counted between; what is wrong with them is in the checks.

    Args:
        checks: The tags.
        correction: DecayCorrection, ``START`` or ``NONE``.
        half_life_s: Of the nuclide; NaN when it is not known.

    Source: PS3.3 C.8.9.1.1.3 to 5; the vendor-neutral calculation of QIBA's SUV pages.
    """
    series = _series_start(checks)
    acquired = _acquisitions(checks, series)
    if correction == "NONE":
        reference, source = _middles(checks, acquired), "the middle of each frame"
    else:
        start, source = _scan_start(checks, series, acquired)
        reference = (start,)
        if start is not None:
            _compare_frames(checks, start, acquired)
    first = min((each for each in reference if each is not None), default=None)
    administered = _administered(checks, first, half_life_s)
    if administered is not None and first is not None:
        last = max(each for each in reference if each is not None)
        _check_delay(checks, administered, (first, last), half_life_s)
    return Times(administered, reference, source)


def _day(checks: Checks) -> str:
    for keyword in ("SeriesDate", "AcquisitionDate", "StudyDate"):
        if value := checks.tags.get(keyword) or (checks.slices[0] or {}).get(keyword):
            return str(value)
    checks.warnings.append("the series has no date: all times are taken to be of one day")
    return NO_DATE


def _moment(checks: Checks, keyword: str, date: Any, time: Any) -> datetime | None:
    try:
        return moment(date, time)
    except ValueError as error:
        checks.bad("not a date and time", keyword, wanted="YYYYMMDD and HHMMSS", got=error)
        return None


def _series_start(checks: Checks) -> datetime | None:
    time = checks.tags.get("SeriesTime")
    return None if time is None else _moment(checks, "SeriesTime", _day(checks), time)


def _acquisitions(checks: Checks, series: datetime | None) -> list[datetime | None]:
    """Returns when each slice's acquisition began; one without a date is on the day that is nearest to the series."""
    day = _day(checks)
    found: list[datetime | None] = []
    for each in checks.slices:
        time = None if each is None else each.get("AcquisitionTime")
        date = None if each is None else each.get("AcquisitionDate")
        began = None if time is None else _moment(checks, "AcquisitionTime", date or day, time)
        if began is not None and series is not None and date is None and abs(began - series) > _HALF_DAY:
            began += _DAY if began < series else -_DAY
        found.append(began)
    return found


def _scan_start(
    checks: Checks, series: datetime | None, acquired: Sequence[datetime | None]
) -> tuple[datetime | None, str]:
    """Returns the moment that values of a START series are corrected to."""
    first = min((each for each in acquired if each is not None), default=None)
    if not checks.complete:
        checks.warnings.append("acquisition times of all slices are not at hand: the first slice's stands for them")
    if series is not None and (first is None or series <= first):
        return series, "series time"
    private = next((each["GEScanDateTime"] for each in checks.slices if each and "GEScanDateTime" in each), None)
    if private is not None and series is not None:
        try:
            return date_time(private, zone=checks.tags.get("TimezoneOffsetFromUTC")), "scan start of GE"
        except ValueError:
            what = "not a date and time"
            checks.issues.append(Issue(what, private_name("GEScanDateTime"), "YYYYMMDDHHMMSS", str(private)))
            return None, ""
    if first is None:
        checks.bad("missing", "SeriesTime", wanted="the time of the series, or of its acquisitions")
        return None, ""
    if series is not None:
        checks.warnings.append(f"the series time, {series.time()}, is after the first acquisition, {first.time()}")
    return first, "earliest acquisition"


def _compare_frames(checks: Checks, start: datetime, acquired: Sequence[datetime | None]) -> None:
    """Warns where the frames' own reference times contradict the start of the scan (PS3.3 C.8.9.4.1.5)."""
    off = []
    for each, begin in zip(checks.slices, acquired, strict=True):
        reference, duration = ((each or {}).get(name) for name in ("FrameReferenceTime", "ActualFrameDuration"))
        if (
            begin is not None
            and isinstance(reference, (int, float))
            and isinstance(duration, (int, float))
            and reference
        ):
            off.append((begin - start).total_seconds() + (duration / 2 - reference) / 1000)
    if off and abs(statistics.median(off)) > _CLOCK_S:
        by = statistics.median(off)
        checks.warnings.append(f"the frames' reference times say that the scan began {by:+.0f} s from {start.time()}")


def _middles(checks: Checks, acquired: Sequence[datetime | None]) -> tuple[datetime | None, ...]:
    """Returns the middle of each frame: when its acquisition began, and half of its duration."""
    found: list[datetime | None] = []
    if not checks.complete:
        what = "times of every slice are needed where DecayCorrection is NONE"
        checks.bad(what, "AcquisitionTime", wanted="a series as read_dicom reads it, or headers=")
        return (None,)
    for number, (each, start) in enumerate(zip(checks.slices, acquired, strict=True)):
        if each is None:
            found.append(None)
            continue
        duration = each.get("ActualFrameDuration")
        if start is None and each.get("AcquisitionTime") is None:
            checks.bad(f"missing in slice {number}", "AcquisitionTime", wanted="when each frame began")
        if not isinstance(duration, (int, float)) or not 0 < duration < _LONGEST_FRAME_MS:
            wanted = "ms, above 0 and below a day: the values stand for the middle of the frame"
            checks.bad(f"not usable in slice {number}", "ActualFrameDuration", wanted=wanted, got=duration)
        elif start is not None:
            found.append(start + timedelta(milliseconds=float(duration)) / 2)
    return tuple(found)


def _administered(checks: Checks, reference: datetime | None, half_life_s: float) -> datetime | None:
    """Returns when the tracer was given: the date-time, or the time on the last day on which it was before the scan."""
    whole, clock = (checks.drug.get(f"RadiopharmaceuticalStart{kind}") for kind in ("DateTime", "Time"))
    if whole is not None:
        try:
            found = date_time(whole, zone=checks.tags.get("TimezoneOffsetFromUTC"))
        except ValueError:
            checks.bad("not a date and time", "RadiopharmaceuticalStartDateTime", wanted="YYYYMMDDHHMMSS", got=whole)
            return None
        if re.search(r"[+-]\d{4}$", str(whole).strip()) and checks.tags.get("TimezoneOffsetFromUTC") is None:
            checks.warnings.append("the administration's time zone was not used: the series does not say its own")
        _check_clocks(checks, found, clock)
        return found
    if clock is None:
        wanted = "when the tracer was given, there or in (0018,1072) RadiopharmaceuticalStartTime"
        checks.bad("missing", "RadiopharmaceuticalStartDateTime", wanted=wanted)
        return None
    if half_life_s > _ONE_DAY_HALF_LIFE_S:
        wanted = "a date: a nuclide that lives so long is imaged days later, too"
        checks.bad("missing", "RadiopharmaceuticalStartDateTime", wanted=wanted, got=f"only the time {clock}")
        return None
    day = f"{reference:%Y%m%d}" if reference else NO_DATE
    given = _moment(checks, "RadiopharmaceuticalStartTime", day, clock)
    if given is not None and reference is not None and given - reference > _HALF_DAY:
        checks.warnings.append("the tracer was given before midnight and the scan made after it")
        given -= _DAY
    return given


def _check_clocks(checks: Checks, found: datetime, clock: Any) -> None:
    """Compares the two tags that say when the tracer was given; a time zone may lie between them."""
    if clock is None or re.search(r"[+-]\d{4}$", str(checks.drug.get("RadiopharmaceuticalStartDateTime")).strip()):
        return
    time = _moment(checks, "RadiopharmaceuticalStartTime", f"{found:%Y%m%d}", clock)
    if time is not None and abs(time - found) > _SAME_CLOCK:
        wanted = f"{found:%H%M%S} as in {tag_name('RadiopharmaceuticalStartDateTime')}"
        checks.bad("two times of one administration", "RadiopharmaceuticalStartTime", wanted=wanted, got=clock)


def _check_delay(checks: Checks, given: datetime, scan: tuple[datetime, datetime], half_life_s: float) -> None:
    delay = scan[0] - given
    keyword = "RadiopharmaceuticalStartDateTime"
    if checks.drug.get(keyword) is None:
        keyword = "RadiopharmaceuticalStartTime"
    is_dynamic = "DYNAMIC" in str(checks.tags.get("SeriesType", "")).upper()
    if delay < timedelta(0) and not (is_dynamic and -delay <= _DYNAMIC_LEAD):
        wanted = f"before the scan, {scan[0]:%Y-%m-%d %H:%M:%S}"
        checks.bad("the tracer was given after the scan", keyword, wanted=wanted, got=f"{given:%Y-%m-%d %H:%M:%S}")
    elif delay < timedelta(0):
        checks.warnings.append(f"the scan began {-delay.total_seconds():g} s before the injection")
    elif (scan[1] - given).total_seconds() > _MOST_HALF_LIVES * half_life_s:
        wanted = f"within {_MOST_HALF_LIVES:g} half-lives before the scan, {scan[1]:%Y-%m-%d %H:%M:%S}"
        checks.bad(
            "the tracer was given too long before the scan", keyword, wanted=wanted, got=f"{given:%Y-%m-%d %H:%M:%S}"
        )
