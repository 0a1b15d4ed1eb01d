"""Radiation dose structured reports as a table: one row an irradiation event, one unit a column.

Sources: PS3.16 TID 10011 to 10015 (CT), TID 10001 to 10007 (projection X-ray, mammography), TID 10021 and 10022
(radiopharmaceuticals). What is read are the events themselves; the accumulated values of a report are only compared
with their sum.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.dataset import Dataset

from braggbook.errors import DicomError, ImagingError, Issue, StorageError
from braggbook.imaging.dicom.bounded import read_dataset
from braggbook.imaging.dicom.index import Index, index_dicom
from braggbook.imaging.dicom.instances import Series
from braggbook.imaging.dicom.report_items import (
    below,
    code_of,
    coded,
    concept,
    every,
    first,
    number,
    shown,
    text,
    uid,
    when,
)

if TYPE_CHECKING:
    import pandas as pd

_SR_ROOT = "1.2.840.10008.5.1.4.1.1.88."  # of all structured reports
_REPORTS = {f"{_SR_ROOT}67": "X-Ray Radiation Dose SR", f"{_SR_ROOT}68": "Radiopharmaceutical Radiation Dose SR"}
_NOT_YET = {f"{_SR_ROOT}73": "Patient Radiation Dose SR", f"{_SR_ROOT}76": "Enhanced X-Ray Radiation Dose SR"}
_ROOTS = ("113701", "113500")  # what the root of a dose report is, when its class is a general one
_MOST_BYTES = 1 << 28  # reports have some megabytes at most
_TOTAL_TOLERANCE = 0.01  # totals are sums of numbers that were rounded to two or three digits
_K_LIMITS = (1e-5, 0.5)  # mSv/(mGy cm); published ones for CT lie between 0.002 (head) and 0.1 (newborn's abdomen)


class Quantity(NamedTuple):
    """A number of an event: its concepts, the unit that its column has, and what to do with several of them."""

    codes: tuple[str, ...]
    unit: str
    of: str = "first"  # first | second | mean | sum


CT = {
    "ctdi_vol_mgy": Quantity(("113830",), "mGy"),
    "dlp_mgy_cm": Quantity(("113838",), "mGy cm"),
    "ssde_mgy": Quantity(("113930",), "mGy"),
    "scan_length_mm": Quantity(("113825",), "mm"),
    "kvp_kv": Quantity(("113733",), "kV"),
    "tube_current_ma": Quantity(("113734",), "mA"),
    "second_kvp_kv": Quantity(("113733",), "kV", "second"),
    "second_tube_current_ma": Quantity(("113734",), "mA", "second"),
    "exposure_time_s": Quantity(("113824",), "s"),
    "rotation_time_s": Quantity(("113834",), "s"),
    "pitch": Quantity(("113828",), "1"),
    "collimation_mm": Quantity(("113827",), "mm"),
    "effective_dose_msv": Quantity(("113839",), "mSv"),
}
PROJECTION = {
    "dap_gy_cm2": Quantity(("122130",), "Gy cm2"),
    "dose_rp_mgy": Quantity(("113738",), "mGy"),
    "average_glandular_dose_mgy": Quantity(("111631",), "mGy"),
    "kvp_kv": Quantity(("113733",), "kV", "mean"),
    "tube_current_ma": Quantity(("113734",), "mA", "mean"),
    "exposure_time_s": Quantity(("113824", "113735"), "s", "sum"),
    "tube_load_mas": Quantity(("113736",), "mA s", "sum"),
    "duration_s": Quantity(("113742",), "s"),
    "pulses": Quantity(("113768",), "1"),
    "primary_angle_deg": Quantity(("112011",), "deg"),
    "secondary_angle_deg": Quantity(("112012",), "deg"),
    "compression_mm": Quantity(("111633",), "mm"),
}
ADMINISTRATION = {
    "activity_mbq": Quantity(("113507",), "MBq"),
    "half_life_s": Quantity(("304283002", "R-42806"), "s"),
    "volume_ml": Quantity(("123005",), "cm3"),
    "effective_dose_msv": Quantity(("113839",), "mSv"),
}
# Column of a sum -> code of its total and its unit.
_CT_TOTALS = {"dlp_mgy_cm": Quantity(("113813",), "mGy cm")}
_PROJECTION_TOTALS = {
    "dap_gy_cm2": Quantity(("113722",), "Gy cm2"),
    "dose_rp_mgy": Quantity(("113725",), "mGy"),
    "average_glandular_dose_mgy": Quantity(("111637",), "mGy"),
}
_EVENTS, _WHOLE = ("113812",), ("113890", "113622")  # all planes, a single plane
_CODES = {
    "acquisition": ("113820",), "phantom": ("113835",), "plane": ("113764",), "event": ("113721",),
    "region": ("123014",), "agent": ("349358000", "F-61FDB"), "nuclide": ("89457008", "C-10072"),
    "route": ("410675002", "G-C340"),
}  # fmt: skip
_TEXTS = {"protocol": ("125203",)}
_WHO = ("report", "report_uid", "study_uid", "patient_id", "device", "kind", "event_uid", "started")
COLUMNS = (
    *_WHO, *_TEXTS, "region", "acquisition", "event", "plane", "phantom", "agent", "nuclide", "route",
    *dict.fromkeys((*CT, *PROJECTION, *ADMINISTRATION)),
)  # fmt: skip
TOTAL_COLUMNS = ("report", "report_uid", "kind", "plane", "quantity", "reported", "sum_of_events", "events")


@dataclass(frozen=True, eq=False)
class Exposure:
    """What radiation dose reports say.

    Attributes:
        events: One row an irradiation event or administration, :data:`COLUMNS`; NaN or an empty text where the report
            says nothing. ``tube_load_mas`` of CT is current x exposure time, of both tubes.
        totals: One row an accumulated value of a report, beside the sum of its events.
        issues: What could not be read, is in two reports, or does not add up.
    """

    events: pd.DataFrame
    totals: pd.DataFrame
    issues: tuple[Issue, ...]


def exposure_table(where: Any) -> pd.DataFrame:
    """Returns one row an irradiation event of all dose reports in a place.

    Args:
        where: As :func:`read_exposure` takes it.

    Returns:
        :data:`COLUMNS`; ``attrs["issues"]`` has the findings as texts.

    Raises:
        DicomError: There is no dose report.
    """
    found = read_exposure(where)
    found.events.attrs["issues"] = [str(issue) for issue in found.issues]
    return found.events


def read_exposure(where: Any) -> Exposure:
    """Reads all radiation dose structured reports in a place.

    Args:
        where: A file, folder, zip or DICOMDIR, several of them (also as a mapping of names to paths), or an index; or
            the datasets themselves.

    Raises:
        DicomError: There is no dose report; ``issues`` says what there is instead.
    """
    issues: list[Issue] = []
    rows: list[dict[str, Any]] = []
    totals: list[dict[str, Any]] = []
    reports = 0
    for name, dataset in _reports(where, issues):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pydicom, on values; what matters becomes an issue
                events, sums, found = _read_report(dataset, name)
        except MemoryError:
            raise
        except Exception as error:  # pydicom converts when it is asked, and raises whatever a wrong byte leads to
            issues.append(Issue("a dose report that cannot be read", name, got=f"{type(error).__name__}: {error}"))
            continue
        reports += 1
        rows += events
        totals += sums
        issues += found
    if not reports:
        wanted = " or ".join(_REPORTS.values())
        raise DicomError("no radiation dose report", where=_named(where), wanted=wanted, issues=issues)
    rows, twice = _once(rows)
    return Exposure(_events(rows), _totals(totals), (*issues, *twice))


def effective_dose(events: pd.DataFrame, *, k_msv_per_mgy_cm: float | Mapping[str, float], source: str) -> pd.DataFrame:
    """Returns CT events with an estimate of the effective dose, E = k DLP.

    Args:
        events: As :func:`exposure_table` returns them; rows that are not CT are left out.
        k_msv_per_mgy_cm: The conversion coefficient of all events, or of each ``region``. There is none by default: it
            depends on region, age, phantom, tube voltage and the weighting factors of its year.
        source: Where it is from, such as ``"AAPM Report 96, table 3"``.

    Returns:
        The rows with ``k_msv_per_mgy_cm`` and ``e_k_dlp_msv``, and ``attrs["k_source"]``.

    Raises:
        ImagingError: No source, a coefficient that is not plausible, or a region without one.

    Source: AAPM Report 96 (2008), section 4.
    """
    if not source.strip():
        raise ImagingError("a conversion coefficient without its source", wanted='source="AAPM Report 96, table 3"')
    chosen = events[events["kind"] == "CT"].copy()
    regions = list(dict.fromkeys(chosen["region"]))
    by_region = (
        dict(k_msv_per_mgy_cm) if isinstance(k_msv_per_mgy_cm, Mapping) else dict.fromkeys(regions, k_msv_per_mgy_cm)
    )
    wanted = f"{_K_LIMITS[0]:g} to {_K_LIMITS[1]:g} mSv/(mGy cm)"
    issues = [
        Issue("a coefficient that is not plausible", name, wanted, str(value))
        for name, value in by_region.items()
        if not (isinstance(value, (int, float)) and _K_LIMITS[0] <= value <= _K_LIMITS[1])
    ]
    issues += [
        Issue("no coefficient for this region", name or "(none)", wanted) for name in regions if name not in by_region
    ]
    if issues:
        raise ImagingError("effective dose cannot be estimated", wanted="a coefficient for each region", issues=issues)
    chosen["k_msv_per_mgy_cm"] = chosen["region"].map(by_region).astype(float)
    chosen["e_k_dlp_msv"] = chosen["k_msv_per_mgy_cm"] * chosen["dlp_mgy_cm"]
    chosen.attrs["k_source"] = source
    return chosen


def _named(where: Any) -> str:
    return str(where) if isinstance(where, (str, os.PathLike)) else getattr(where, "where", "what was given")


def _reports(where: Any, issues: list[Issue]) -> Iterable[tuple[str, Dataset]]:
    """Returns each dose report with its name; what is none, or cannot be read, is an issue."""
    given: Any = where.values() if isinstance(where, Mapping) and not isinstance(where, Dataset) else where
    several = isinstance(given, Iterable) and not isinstance(given, (str, os.PathLike, Dataset, Index, Series))
    places: list[Any] = list(given) if several else [given]
    if len(places) > 1 and all(isinstance(each, (str, os.PathLike)) for each in places):
        places = [index_dicom(places)]
    for position, each in enumerate(places):
        if isinstance(each, Dataset):
            if _is_report(each, name := f"dataset {position}", issues):
                yield name, each
        elif isinstance(each, (Index, Series)):
            yield from _of_index(each, issues)
        elif isinstance(each, (str, os.PathLike)):
            yield from _of_index(index_dicom(each), issues)
        else:
            wanted = "a path, an index or a series of one, a dataset, or several of them"
            raise DicomError("not a place with reports", wanted=wanted, got=repr(each)[:60])


def _of_index(index: Index | Series, issues: list[Issue]) -> Iterable[tuple[str, Dataset]]:
    issues += index.issues if isinstance(index, Index) else ()
    for instance in index.instances:
        name = str(instance.source)
        if instance.sop_class_uid in _NOT_YET:
            issues.append(_unsupported(instance.sop_class_uid, name))
        if not instance.sop_class_uid.startswith(_SR_ROOT) or instance.sop_class_uid in _NOT_YET:
            continue
        dataset = _load(instance.source, name, issues)
        if dataset is not None and _is_report(dataset, name, issues):
            yield name, dataset


def _load(source: Any, name: str, issues: list[Issue]) -> Dataset | None:
    """Reads a whole report, whose size is bounded."""
    try:
        with source.open() as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom; what matters is found below
            if (size := file.seek(0, os.SEEK_END)) > _MOST_BYTES:
                issues.append(Issue("too large for a report", name, f"at most {_MOST_BYTES:,} bytes", f"{size:,}"))
                return None
            return read_dataset(file, pixels=True, most=_MOST_BYTES)
    except (DicomError, StorageError) as error:
        issues.append(Issue(error.what, error.where, error.wanted, error.got))
    except Exception as error:  # pydicom raises whatever a wrong byte leads to
        issues.append(Issue("a report that cannot be read", name, got=f"{type(error).__name__}: {error}"))
    return None


def _unsupported(sop_class: str, name: str) -> Issue:
    return Issue("a dose report of a kind that is not read", name, " or ".join(_REPORTS.values()), _NOT_YET[sop_class])


def _is_report(dataset: Dataset, name: str, issues: list[Issue]) -> bool:
    try:
        sop_class, root = str(dataset.get("SOPClassUID", "")), concept(dataset)
    except Exception as error:  # as above: a value is converted when it is read
        issues.append(Issue("a report that cannot be read", name, got=f"{type(error).__name__}: {error}"))
        return False
    if sop_class in _NOT_YET:
        issues.append(_unsupported(sop_class, name))
        return False
    return sop_class in _REPORTS or root in _ROOTS


Rows = list[dict[str, Any]]


def _read_report(dataset: Dataset, name: str) -> tuple[Rows, Rows, list[Issue]]:
    """Reads one report: its events, its totals, and what is odd in it."""
    issues: list[Issue] = []
    rows: Rows = []
    totals: list[tuple[str, Dataset]] = []
    who = _who(dataset, name)
    for node in below(dataset):
        kind = _KINDS.get(concept(node))
        if kind is not None and node.get("ValueType", "CONTAINER") == "CONTAINER":
            rows.append({**who, **kind.read(node, name, issues)})
        elif concept(node) in _ACCUMULATED:
            totals.append((_ACCUMULATED[concept(node)], node))
    if not rows:
        issues.append(Issue("a dose report without an event", name, "at least one irradiation event or administration"))
    if str(dataset.get("CompletionFlag", "COMPLETE")).strip() != "COMPLETE":
        got = str(dataset.get("CompletionFlag"))
        issues.append(Issue("a report that is not complete", name, "(0040,A491) CompletionFlag COMPLETE", got))
    sums = [_compare(kind, node, rows, issues) for kind, node in totals]
    return rows, [{**who, **each} for found in sums for each in found], issues


def _who(dataset: Dataset, name: str) -> dict[str, Any]:
    def said(keyword: str) -> str:
        return str(dataset.get(keyword) or "").strip()

    device = " ".join(filter(None, (said("Manufacturer"), said("ManufacturerModelName"))))
    found = {"report": name, "report_uid": said("SOPInstanceUID"), "study_uid": said("StudyInstanceUID")}
    return {**found, "patient_id": said("PatientID"), "device": device}


def _numbers(node: Dataset, table: Mapping[str, Quantity], where: str, issues: list[Issue]) -> dict[str, float]:
    """Returns the numbers of an event by column; NaN for what is not there, or not usable."""
    given: dict[str, list[Dataset]] = {}
    for item in below(node):
        if item.get("ValueType") == "NUM":
            given.setdefault(concept(item), []).append(item)
    found, told = {}, set()
    for column, quantity in table.items():
        values = []
        for item in (each for value in quantity.codes for each in given.get(value, ())):
            value = number(item, quantity.unit)
            if isinstance(value, Issue):
                if (column.removeprefix("second_"), str(value)) not in told:
                    issues.append(Issue(value.what, f"{where}: {value.where}", value.wanted, value.got))
                told.add((column.removeprefix("second_"), str(value)))
            else:
                values.append(value)
        found[column] = _TAKE[quantity.of](values)
        if found[column] < 0 and not column.endswith("_deg"):
            issues.append(Issue("below 0", f"{where}: {column}", "0 or more", f"{found[column]:g}"))
            found[column] = math.nan
    return found


_TAKE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "first": lambda values: values[0] if values else math.nan,
    "second": lambda values: values[1] if len(values) > 1 else math.nan,
    "mean": lambda values: math.fsum(values) / len(values) if values else math.nan,
    "sum": lambda values: math.fsum(values) if values else math.nan,
}


def _words(node: Dataset, where: str, issues: list[Issue]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, codes in _CODES.items():
        item = first(node, *codes)
        found[column] = "" if item is None else coded(item)
    for column, codes in _TEXTS.items():
        item = first(node, *codes)
        found[column] = "" if item is None else text(item)
    item = first(node, "113769", "113503")
    found["event_uid"] = "" if item is None else uid(item)
    item = first(node, "111526", "123003")
    try:
        found["started"] = None if item is None else when(item)
    except ValueError as error:
        issues.append(Issue("not a date and time", f"{where}: {shown(item)}", "YYYYMMDDHHMMSS", str(error)))
        found["started"] = None
    return found


def _read_ct(node: Dataset, where: str, issues: list[Issue]) -> dict[str, Any]:
    found = {"kind": "CT", **_words(node, where, issues), **_numbers(node, CT, where, issues)}
    second_ma = found["second_tube_current_ma"]
    current_ma = found["tube_current_ma"] + (0.0 if math.isnan(second_ma) else second_ma)
    found["tube_load_mas"] = current_ma * found["exposure_time_s"]
    return found


def _read_projection(node: Dataset, where: str, issues: list[Issue]) -> dict[str, Any]:
    return {"kind": "projection", **_words(node, where, issues), **_numbers(node, PROJECTION, where, issues)}


def _read_administration(node: Dataset, where: str, issues: list[Issue]) -> dict[str, Any]:
    words, numbers = _words(node, where, issues), _numbers(node, ADMINISTRATION, where, issues)
    return {"kind": "radiopharmaceutical", **words, **numbers}


class _Kind(NamedTuple):
    name: str
    read: Callable[[Dataset, str, list[Issue]], dict[str, Any]]


_KINDS = {
    "113819": _Kind("CT", _read_ct),
    "113706": _Kind("projection", _read_projection),
    "113502": _Kind("radiopharmaceutical", _read_administration),
}
_ACCUMULATED = {"113811": "CT", "113702": "projection"}


def _compare(kind: str, node: Dataset, rows: Rows, issues: list[Issue]) -> Rows:
    """Compares accumulated values with the sums of the report's events."""
    where = str(rows[0]["report"]) if rows else ""
    planes = every(node, *_CODES["plane"])
    plane = coded(planes[0]) if planes else ""
    whole = not planes or code_of(planes[0], "ConceptCodeSequence")[0] in _WHOLE
    whole = whole or not any(row["plane"] for row in rows)
    mine = [row for row in rows if row["kind"] == kind and (whole or row["plane"] == plane)]
    table = _CT_TOTALS if kind == "CT" else _PROJECTION_TOTALS
    reported = _numbers(node, table, where, issues)
    found = []
    for column, total in reported.items():
        if math.isnan(total):
            continue
        values = [row[column] for row in mine if not math.isnan(row[column])]
        summed = math.fsum(values)
        found.append(
            {
                "kind": kind,
                "plane": plane,
                "quantity": column,
                "reported": total,
                "sum_of_events": summed,
                "events": len(values),
            }
        )
        if abs(summed - total) > _TOTAL_TOLERANCE * max(abs(total), abs(summed)):
            name = f"{where}: {column}{f' of {plane}' if plane else ''}"
            wanted = f"the sum of {len(values)} events, {summed:g}"
            issues.append(Issue("an accumulated value that is not the sum of its events", name, wanted, f"{total:g}"))
    found += _compare_count(node, mine, kind, issues)
    return found


def _compare_count(node: Dataset, mine: Rows, kind: str, issues: list[Issue]) -> Rows:
    counts = every(node, *_EVENTS)
    counted = number(counts[0], "1") if counts else math.nan
    if isinstance(counted, Issue) or math.isnan(counted):
        return []
    if counted != len(mine):
        where = f"{mine[0]['report']}: " if mine else ""
        what = "a number of events that is not theirs"
        issues.append(Issue(what, f"{where}Total Number of Irradiation Events", f"{len(mine)}", f"{counted:g}"))
    return [
        {
            "kind": kind,
            "plane": "",
            "quantity": "events",
            "reported": counted,
            "sum_of_events": float(len(mine)),
            "events": len(mine),
        }
    ]


def _once(rows: Rows) -> tuple[Rows, list[Issue]]:
    """Leaves out events that an earlier report has: reports are sent again, and cumulative ones repeat what was."""
    seen: dict[str, dict[str, Any]] = {}
    kept, issues = [], []
    for row in rows:
        before = seen.get(row["event_uid"]) if row["event_uid"] else None
        if before is None:
            kept.append(row)
            seen[row["event_uid"]] = row
            continue
        differing = [name for name in COLUMNS if name not in _WHO and not _alike(row.get(name), before.get(name))]
        what = "an event of two reports, counted once"
        if differing:
            what = f"an event of two reports that differ in {', '.join(differing)}; the first was kept"
        issues.append(Issue(what, f"{row['report']}: {row['event_uid']}", got=f"also in {before['report']}"))
    return kept, issues


def _alike(one: Any, other: Any) -> bool:
    both = [math.nan if each is None else each for each in (one, other)]
    return all(isinstance(each, float) and math.isnan(each) for each in both) or both[0] == both[1]


def _events(rows: Rows) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import, and reading DICOM does not need it

    table = pd.DataFrame(rows, columns=list(COLUMNS))
    words = [name for name in COLUMNS if name in (*_WHO, *_TEXTS, *_CODES) and name != "started"]
    table[words] = table[words].fillna("").astype(str)
    table["started"] = pd.to_datetime(table["started"]).astype("datetime64[us]")
    numbers = [name for name in COLUMNS if name not in words and name != "started"]
    table[numbers] = table[numbers].astype(float)
    return table


def _totals(rows: Rows) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - as above

    return pd.DataFrame(rows, columns=list(TOTAL_COLUMNS))
