"""Radiation dose structured reports: CT (TID 10011), projection X-ray (TID 10001), radiopharmaceutical (TID 10021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import RadiopharmaceuticalRadiationDoseSRStorage, XRayRadiationDoseSRStorage

from braggbook.testing.dicom.common import DATE, TIME, code, decimal, item, make_uid, new_object, set_tags

Event = Mapping[str, Any]
_Code = tuple[str, str, str]

# Keyword of an event or a total -> code of its concept in DCM, its meaning, the unit that its template asks for.
_CT_PARAMETERS = {
    "exposure_time_s": ("113824", "Exposure Time", "s"),
    "scan_length_mm": ("113825", "Scanning Length", "mm"),
    "single_collimation_mm": ("113826", "Nominal Single Collimation Width", "mm"),
    "total_collimation_mm": ("113827", "Nominal Total Collimation Width", "mm"),
    "pitch": ("113828", "Pitch Factor", "{ratio}"),
}
_CT_SOURCE = {
    "kvp_kv": ("113733", "KVP", "kV"),
    "maximum_tube_current_ma": ("113833", "Maximum X-Ray Tube Current", "mA"),
    "tube_current_ma": ("113734", "X-Ray Tube Current", "mA"),
    "rotation_time_s": ("113834", "Exposure Time per Rotation", "s"),
}
_CT_DOSE = {
    "ctdi_vol_mgy": ("113830", "Mean CTDIvol", "mGy"),
    "dlp_mgy_cm": ("113838", "DLP", "mGy.cm"),
    "ssde_mgy": ("113930", "Size Specific Dose Estimation", "mGy"),
}
_CT_TOTALS = {
    "events": ("113812", "Total Number of Irradiation Events", "{events}"),
    "dlp_mgy_cm": ("113813", "CT Dose Length Product Total", "mGy.cm"),
}
_PROJECTION = {
    "dap_gy_m2": ("122130", "Dose Area Product", "Gy.m2"),
    "dose_rp_gy": ("113738", "Dose (RP)", "Gy"),
    "average_glandular_dose_mgy": ("111631", "Average Glandular Dose", "mGy"),
    "compression_mm": ("111633", "Compression Thickness", "mm"),
    "kvp_kv": ("113733", "KVP", "kV"),
    "tube_current_ma": ("113734", "X-Ray Tube Current", "mA"),
    "exposure_time_ms": ("113824", "Exposure Time", "ms"),
    "exposure_uas": ("113736", "Exposure", "uA.s"),
    "duration_s": ("113742", "Irradiation Duration", "s"),
    "pulses": ("113768", "Number of Pulses", "1"),
    "primary_angle_deg": ("112011", "Positioner Primary Angle", "deg"),
    "secondary_angle_deg": ("112012", "Positioner Secondary Angle", "deg"),
}
_PROJECTION_TOTALS = {
    "dap_gy_m2": ("113722", "Dose Area Product Total", "Gy.m2"),
    "dose_rp_gy": ("113725", "Dose (RP) Total", "Gy"),
    "fluoro_time_s": ("113730", "Total Fluoro Time", "s"),
}
_ADMINISTRATION = {
    "activity_mbq": ("113507", "Administered activity", "MBq"),
    "volume_cm3": ("123005", "Radiopharmaceutical Volume", "cm3"),
    "before_mbq": ("113508", "Pre-Administration Measured Activity", "MBq"),
    "after_mbq": ("113509", "Post-Administration Measured Activity", "MBq"),
    "effective_dose_msv": ("113839", "Effective Dose", "mSv"),
}
PHANTOMS: dict[str, _Code] = {
    "head": ("113690", "DCM", "IEC Head Dosimetry Phantom"),
    "body": ("113691", "DCM", "IEC Body Dosimetry Phantom"),
}
_STARTED = f"{DATE}{TIME}"
_DEFAULT_EVENTS: dict[str, list[Event]] = {
    "ct": [
        {"acquisition": "constant", "scan_length_mm": 400, "ctdi_vol_mgy": 0.125, "dlp_mgy_cm": 5.0, "pitch": None},
        {"acquisition": "spiral", "scan_length_mm": 300, "ctdi_vol_mgy": 8.0, "dlp_mgy_cm": 240.0},
    ],
    "projection": [
        {"event": "fluoroscopy", "dap_gy_m2": 2e-5, "dose_rp_gy": 0.002, "duration_s": 4.0},
        {"event": "stationary", "dap_gy_m2": 5e-5, "dose_rp_gy": 0.005},
    ],
    "radiopharmaceutical": [{}],
}
_ACQUISITIONS: dict[str, _Code] = {
    "constant": ("113805", "DCM", "Constant Angle Acquisition"),
    "spiral": ("116152004", "SCT", "Spiral Acquisition"),
    "sequenced": ("113804", "DCM", "Sequenced Acquisition"),
}
_EVENTS: dict[str, _Code] = {
    "fluoroscopy": ("44491008", "SCT", "Fluoroscopy"),
    "stationary": ("113611", "DCM", "Stationary Acquisition"),
    "rotational": ("113613", "DCM", "Rotational Acquisition"),
}


def make_rdsr(
    kind: str = "ct",
    *,
    events: Sequence[Event] | None = None,
    totals: Event | None = None,
    seed: int = 1,
    **tags: Any,
) -> Dataset:
    """Returns a radiation dose structured report.

    Args:
        kind: ``ct``, ``projection`` or ``radiopharmaceutical``.
        events: What each irradiation, or administration, was. A number is in the unit of its keyword, or a pair with
            another UCUM unit; ``None`` leaves it out. Besides the numbers: ``protocol``; ``region`` (a code's value,
            scheme and meaning); ``uid``; for CT ``acquisition`` (constant, spiral, sequenced) and ``phantom`` (head,
            body); for projections ``event`` (fluoroscopy, stationary, rotational), ``started`` and ``plane`` (single, A
            or B); for administrations ``started``.
        totals: The accumulated values, or for a projection by plane a mapping of planes to them; the events' sums
            without it, none if empty.
        seed: Of the study.
        **tags: Elements by keyword; ``None`` empties one, ``...`` removes it.
    """
    sop_class = (
        RadiopharmaceuticalRadiationDoseSRStorage if kind == "radiopharmaceutical" else XRayRadiationDoseSRStorage
    )
    dataset = new_object(sop_class, "SR", seed=seed, series=f"{kind} dose")
    build = {"ct": _ct, "projection": _projection, "radiopharmaceutical": _radiopharmaceutical}[kind]
    chosen = _DEFAULT_EVENTS[kind] if events is None else events
    named = [{"uid": make_uid(seed, kind, "event", number), **event} for number, event in enumerate(chosen)]
    template, concept, content = build(named, totals)
    header = {
        "AcquisitionDate": ...,
        "AcquisitionTime": ...,
        "BodyPartExamined": ...,
        "ReferencedPerformedProcedureStepSequence": [],
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "PerformedProcedureCodeSequence": [],
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [code(*concept)],
        "ContinuityOfContent": "SEPARATE",
        "ContentTemplateSequence": [item(MappingResource="DCMR", TemplateIdentifier=template)],
        "ContentSequence": content,
    }
    return set_tags(set_tags(dataset, header), tags)


def content(relationship: str, value_type: str, name: _Code, *children: Dataset, **value: Any) -> Dataset:
    """Returns a content item of a structured report (PS3.3 C.17.3)."""
    found = item(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=[code(*name)], **value)
    if value_type == "CONTAINER":
        found.ContinuityOfContent = "SEPARATE"
    return set_tags(found, {"ContentSequence": list(children)} if children else {})


def number(name: _Code, value: float, unit: str, *children: Dataset, relationship: str = "CONTAINS") -> Dataset:
    """Returns a content item with a number and its UCUM unit."""
    measured = item(MeasurementUnitsCodeSequence=[code(unit, "UCUM", unit)], NumericValue=decimal(value))
    return content(relationship, "NUM", name, *children, MeasuredValueSequence=[measured])


def coded(name: _Code, value: _Code, *children: Dataset, relationship: str = "CONTAINS") -> Dataset:
    """Returns a content item with a coded value."""
    return content(relationship, "CODE", name, *children, ConceptCodeSequence=[code(*value)])


def container(name: _Code, *children: Dataset) -> Dataset:
    """Returns a container of content items."""
    return content("CONTAINS", "CONTAINER", name, *children)


def _numbers(event: Event, table: Mapping[str, _Code], defaults: Event | None = None) -> list[Dataset]:
    found = []
    for key, (value, meaning, unit) in table.items():
        given = event.get(key, (defaults or {}).get(key))
        if given is not None:
            amount, written = given if isinstance(given, tuple) else (given, unit)
            found.append(number((value, "DCM", meaning), amount, written))
    return found


def _sums(events: Sequence[Event], table: Mapping[str, _Code]) -> dict[str, float]:
    keys = [key for key in table if any(key in event for event in events)]
    return {key: float(sum(event.get(key) or 0 for event in events)) for key in keys}


def _text(name: _Code, text: str) -> Dataset:
    return content("CONTAINS", "TEXT", name, TextValue=text)


def _uid(name: _Code, uid: str) -> Dataset:
    return content("CONTAINS", "UIDREF", name, UID=uid)


def _head(procedure: _Code) -> list[Dataset]:
    intent = coded(
        ("363703001", "SCT", "Has Intent"),
        ("261004008", "SCT", "Diagnostic Intent"),
        relationship="HAS CONCEPT MOD",
    )
    observer = coded(("121005", "DCM", "Observer Type"), ("121007", "DCM", "Device"), relationship="HAS OBS CONTEXT")
    scope = coded(
        ("113705", "DCM", "Scope of Accumulation"), ("113014", "DCM", "Study"), relationship="HAS OBS CONTEXT"
    )
    return [
        coded(("121058", "DCM", "Procedure reported"), procedure, intent, relationship="HAS CONCEPT MOD"),
        observer,
        scope,
    ]


_REPORT: _Code = ("113701", "DCM", "X-Ray Radiation Dose Report")
_EVENT_UID: _Code = ("113769", "DCM", "Irradiation Event UID")
_PROTOCOL: _Code = ("125203", "DCM", "Acquisition Protocol")
_REGION: _Code = ("123014", "DCM", "Target Region")
_CHEST: _Code = ("51185008", "SCT", "Chest")


def _ct(events: Sequence[Event], totals: Event | None) -> tuple[str, _Code, list[Dataset]]:
    sums = {"events": len(events), **_sums(events, _CT_TOTALS)} if totals is None else totals
    parts = _head(("77477000", "SCT", "Computed Tomography X-Ray"))
    if sums:
        parts.append(container(("113811", "DCM", "CT Accumulated Dose Data"), *_numbers(sums, _CT_TOTALS)))
    return "10011", _REPORT, [*parts, *(_ct_event(event) for event in events)]


def _ct_event(event: Event) -> Dataset:
    defaults = {"exposure_time_s": 5.0, "pitch": 1.0, "kvp_kv": 120, "tube_current_ma": 100, "rotation_time_s": 0.5}
    chosen = {**defaults, **event}
    source = container(
        ("113831", "DCM", "CT X-Ray Source Parameters"),
        _text(("113832", "DCM", "Identification of the X-Ray Source"), "1"),
        *_numbers(chosen, _CT_SOURCE),
    )
    parts = [
        _text(_PROTOCOL, chosen.get("protocol", "Chest")),
        coded(_REGION, chosen.get("region", _CHEST)),
        coded(("113820", "DCM", "CT Acquisition Type"), _ACQUISITIONS[chosen.get("acquisition", "spiral")]),
        _uid(_EVENT_UID, chosen["uid"]),
        container(("113822", "DCM", "CT Acquisition Parameters"), *_numbers(chosen, _CT_PARAMETERS), source),
    ]
    if dose := _numbers(chosen, _CT_DOSE):
        if phantom := chosen.get("phantom", "body"):
            dose.insert(1, coded(("113835", "DCM", "CTDIw Phantom Type"), PHANTOMS[phantom]))
        parts.append(container(("113829", "DCM", "CT Dose"), *dose))
    return container(("113819", "DCM", "CT Acquisition"), *parts)


_PLANES: dict[str, _Code] = {
    "single": ("113622", "DCM", "Single Plane"),
    "A": ("113620", "DCM", "Plane A"),
    "B": ("113621", "DCM", "Plane B"),
}
_PLANE: _Code = ("113764", "DCM", "Acquisition Plane")


def _projection(events: Sequence[Event], totals: Event | None) -> tuple[str, _Code, list[Dataset]]:
    by_plane: dict[str, Event] = {}
    if totals is None:
        for plane in dict.fromkeys(event.get("plane", "single") for event in events):
            by_plane[plane] = _plane_sums([event for event in events if event.get("plane", "single") == plane])
    elif totals:
        by_plane = dict(totals) if set(totals) <= set(_PLANES) else {"single": totals}
    parts = _head(("113704", "DCM", "Projection X-Ray"))
    for plane, values in by_plane.items():
        accumulated = [coded(_PLANE, _PLANES[plane]), *_numbers(values, _PROJECTION_TOTALS)]
        parts.append(container(("113702", "DCM", "Accumulated X-Ray Dose Data"), *accumulated))
    return "10001", _REPORT, [*parts, *(_projection_event(event) for event in events)]


def _plane_sums(events: Sequence[Event]) -> dict[str, float]:
    fluoro = sum(event.get("duration_s") or 0 for event in events if event.get("event") == "fluoroscopy")
    return {**_sums(events, _PROJECTION_TOTALS), "fluoro_time_s": float(fluoro)}


def _projection_event(event: Event) -> Dataset:
    chosen = {"kvp_kv": 80, "tube_current_ma": 50, "exposure_time_ms": 10.0, **event}
    parts = [
        coded(_PLANE, _PLANES[chosen.get("plane", "single")]),
        _uid(_EVENT_UID, chosen["uid"]),
        content(
            "CONTAINS", "DATETIME", ("111526", "DCM", "DateTime Started"), DateTime=chosen.get("started", _STARTED)
        ),
        coded(("113721", "DCM", "Irradiation Event Type"), _EVENTS[chosen.get("event", "stationary")]),
        _text(_PROTOCOL, chosen.get("protocol", "Coronary")),
        coded(_REGION, chosen.get("region", _CHEST)),
        *_numbers(chosen, _PROJECTION),
    ]
    return container(("113706", "DCM", "Irradiation Event X-Ray Data"), *parts)


def _radiopharmaceutical(events: Sequence[Event], _totals: Event | None) -> tuple[str, _Code, list[Dataset]]:
    concept = ("113500", "DCM", "Radiopharmaceutical Radiation Dose Report")
    intent = coded(
        ("363703001", "SCT", "Has Intent"),
        ("261004008", "SCT", "Diagnostic Intent"),
        relationship="HAS CONCEPT MOD",
    )
    procedure = coded(
        ("363589002", "SCT", "Associated Procedure"),
        ("44139004", "SCT", "PET of whole body"),
        intent,
        relationship="HAS CONCEPT MOD",
    )
    return "10021", concept, [procedure, *(_administration(event) for event in events)]


def _administration(event: Event) -> Dataset:
    chosen = {"activity_mbq": 370.0, "volume_cm3": 5.0, "half_life_s": 6586.2, **event}
    nuclide = coded(
        ("89457008", "SCT", "Radionuclide"),
        chosen.get("nuclide", ("77004003", "SCT", "^18^Fluorine")),
        relationship="HAS PROPERTIES",
    )
    half_life = number(
        ("304283002", "SCT", "Radionuclide Half Life"), chosen["half_life_s"], "s", relationship="HAS PROPERTIES"
    )
    agent = coded(
        ("349358000", "SCT", "Radiopharmaceutical agent"),
        chosen.get("agent", ("35321007", "SCT", "Fluorodeoxyglucose F^18^")),
        nuclide,
        half_life,
    )
    parts = [
        agent,
        _uid(("113503", "DCM", "Radiopharmaceutical Administration Event UID"), chosen["uid"]),
        content(
            "CONTAINS",
            "DATETIME",
            ("123003", "DCM", "Radiopharmaceutical Start DateTime"),
            DateTime=chosen.get("started", f"{DATE}091112"),
        ),
        *_numbers(chosen, _ADMINISTRATION),
        coded(("410675002", "SCT", "Route of administration"), ("47625008", "SCT", "Intravenous route")),
    ]
    return container(("113502", "DCM", "Radiopharmaceutical Administration"), *parts)
