"""Consistency: do objects that belong together agree with each other?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.dicom.instances import Instance
from braggbook.imaging.quality.evidence import Evidence, SeriesEvidence, short
from braggbook.imaging.quality.registry import Finding, NotApplicable, check

_ACQUISITION = ("CT", "MR", "PT")
_SECRET = {"PatientName", "PatientID", "PatientBirthDate"}  # whose values a report may not repeat


def _differing(series: SeriesEvidence, keywords: tuple[str, ...]) -> Iterable[Finding]:
    """Yields frames whose value is not the one that most have."""
    for keyword in keywords:
        values = [(each, _text(each.tags.get(keyword))) for each in series.slices]
        if not values:
            raise NotApplicable
        usual = Counter(value for _, value in values).most_common(1)[0][0]
        for each, value in values:
            if value != usual:
                yield Finding(each.where, usual, value, tag_name(keyword))


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return "\\".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


@check(
    "consistency.device",
    "One device made the whole series",
    dimension="consistency",
    scope="series",
    modalities=_ACQUISITION,
    source="DICOM PS3.3 A.1.2.3: a series is made by one piece of equipment",
)
def _check_device(series: SeriesEvidence) -> Iterable[Finding]:
    return _differing(series, ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber"))


@check(
    "consistency.settings",
    "Tube voltage, kernel, field strength and reconstruction stay the same in a series",
    dimension="consistency",
    scope="series",
    modalities=_ACQUISITION,
    source="values of one volume are comparable only when they were made alike",
)
def _check_settings(series: SeriesEvidence) -> Iterable[Finding]:
    keywords = ("KVP", "ConvolutionKernel", "MagneticFieldStrength", "ReconstructionMethod", "Units")
    return _differing(series, keywords)


@check(
    "consistency.series_modality",
    "All objects of a series are of one modality and one frame of reference",
    dimension="consistency",
    scope="series",
    blocking=True,
    source="DICOM PS3.3 C.7.3.1, C.7.4.1",
)
def _check_series_modality(series: SeriesEvidence) -> Iterable[Finding]:
    pairs = (("Modality", "modality"), ("FrameOfReferenceUID", "frame_of_reference_uid"))
    for keyword, attribute in pairs:
        values = [(each, str(getattr(each, attribute) or "none")) for each in series.series]
        usual = Counter(value for _, value in values).most_common(1)[0][0]
        for each, value in values:
            if value != usual:
                yield Finding(str(each.source).rsplit("/", 1)[-1], usual, value, tag_name(keyword))


@check(
    "consistency.patient",
    "All objects of a study are of one patient",
    dimension="consistency",
    scope="all",
    blocking=True,
    source="DICOM PS3.3 A.1.2.2: a study has one patient",
)
def _check_patient(evidence: Evidence) -> Iterable[Finding]:
    keywords = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
    for study in _studies(evidence).values():
        for keyword in keywords:
            yield from _against_usual(study, keyword, evidence.root)


def _studies(evidence: Evidence) -> Mapping[str, list[Instance]]:
    found: dict[str, list[Instance]] = defaultdict(list)
    for series in evidence.series:
        for instance in series.series:
            found[instance.study_uid].append(instance)
    return found


def _against_usual(instances: list[Instance], keyword: str, root: str) -> Iterable[Finding]:
    read = [(each, each.patient_id if keyword == "PatientID" else _text(each.tags.get(keyword))) for each in instances]
    if keyword in ("PatientBirthDate", "PatientSex"):  # may be left out of some objects (type 2)
        read = [(each, value) for each, value in read if value != "none"]
    usual = Counter(value for _, value in read).most_common(1)[0][0] if read else ""
    for each, value in read:
        if value != usual:
            where = short(str(each.source), root)
            hidden = keyword in _SECRET
            found = f"another, of {len(value)} characters" if hidden else value
            yield Finding(
                where, "what the other objects of the study say" if hidden else usual, found, tag_name(keyword)
            )


@check(
    "consistency.uids",
    "No two objects have one SOP instance UID",
    dimension="consistency",
    scope="all",
    blocking=True,
    source="DICOM PS3.5 9: identifiers are unique",
)
def _check_uids(evidence: Evidence) -> Iterable[Finding]:
    seen: dict[str, str] = {}
    for series in evidence.series:
        for instance in series.series:
            where = short(str(instance.source), evidence.root)
            if (other := seen.get(instance.sop_instance_uid)) is not None:
                found = f"the UID of {other}"
                yield Finding(where, "a UID of its own", found, tag_name("SOPInstanceUID"))
            seen.setdefault(instance.sop_instance_uid, where)


@check(
    "consistency.series_once",
    "No series is there twice under two UIDs",
    dimension="consistency",
    scope="all",
    source="digests of the pixels: a copy counts one patient twice in a statistic",
)
def _check_series_once(evidence: Evidence) -> Iterable[Finding]:
    seen: dict[tuple[str, tuple[bytes, ...]], str] = {}
    any_pixels = False
    for series in evidence.series:
        digests = tuple(sorted(each.digest for _, each in series.measured))
        if not digests:
            continue
        any_pixels = True
        key = (series.modality, digests)
        if (other := seen.get(key)) is not None:
            yield Finding(f"series {series.series.uid}", "pixels of its own", f"those of series {other}")
        seen.setdefault(key, series.series.uid)
    if not any_pixels:
        raise NotApplicable


@check(
    "consistency.references",
    "What radiotherapy objects refer to is here",
    dimension="consistency",
    scope="all",
    source="DICOM PS3.3 C.8.8.5.1, C.8.8.3, C.8.8.14: references between structures, plan, dose and images",
)
def _check_references(evidence: Evidence) -> Iterable[Finding]:
    if not evidence.references:
        raise NotApplicable
    here = {instance.sop_instance_uid for instance in evidence.index.instances}
    missing: dict[str, set[str]] = defaultdict(set)
    named: dict[str, set[str]] = defaultdict(set)
    for each in evidence.references:
        named[each.where].add(each.uid)
        if each.uid not in here:
            missing[each.where].add(each.uid)
    for where, uids_missing in missing.items():
        found = f"{len(uids_missing)} are not here, such as {min(uids_missing)}"
        wanted = f"the {len(named[where])} objects that it names"
        yield Finding(where, wanted, found, tag_name("ReferencedSOPInstanceUID"))


@check(
    "consistency.frame_of_reference",
    "Structures and dose share a frame of reference with images",
    dimension="consistency",
    scope="all",
    blocking=True,
    source="DICOM PS3.3 C.7.4.1: positions in two frames of reference cannot be compared",
)
def _check_frame_of_reference(evidence: Evidence) -> Iterable[Finding]:
    images = {each.series.instances[0].frame_of_reference_uid for each in evidence.of(*_ACQUISITION)} - {None}
    if not images or not evidence.of("RTSTRUCT", "RTDOSE"):
        raise NotApplicable
    for series in evidence.of("RTDOSE"):
        for instance in series.series:
            uid = instance.frame_of_reference_uid
            if uid and uid not in images:
                where = short(str(instance.source), evidence.root)
                yield Finding(where, "one of the images' frames", uid, tag_name("FrameOfReferenceUID"))
    for where, structures in evidence.structures.items():
        for structure in structures:
            uid = structure.frame_of_reference_uid
            if uid and uid not in images:
                name = tag_name("ReferencedFrameOfReferenceUID")
                yield Finding(f"{where}, structure {structure.number}", "one of the images' frames", uid, name)


@check(
    "consistency.dates",
    "Dates are in order: birth, study, series, acquisition",
    dimension="consistency",
    scope="instance",
    source="DICOM PS3.3 C.7.1.1, C.7.2.1, C.7.3.1; nothing is made before it is begun",
)
def _check_dates(head: Any) -> Iterable[Finding]:
    tags = head.instance.tags
    names = ("PatientBirthDate", "StudyDate", "SeriesDate")
    known = [(name, str(tags[name])) for name in names if len(str(tags.get(name, ""))) == 8]
    if len(known) < 2:
        raise NotApplicable
    for (earlier, first), (later, second) in pairwise(known):
        if second < first:
            yield Finding(head.where, f"{later} not before {earlier}", "it is before", tag_name(later))


@check(
    "consistency.dose_units",
    "Dose is in Gy",
    dimension="consistency",
    scope="instance",
    modalities=("RTDOSE",),
    blocking=True,
    uses=("dvh",),
    source="DICOM PS3.3 C.8.8.3: RELATIVE dose has no scale",
)
def _check_dose_units(head: Any) -> Iterable[Finding]:
    units = str(head.dataset.get("DoseUnits") or "none")
    if units != "GY":
        yield Finding(head.where, "GY", units, tag_name("DoseUnits"))
