"""Identity leakage: do files that claim to be de-identified still say whose they are?

Assessed when the files claim it, (0012,0062) PatientIdentityRemoved YES, or when sharing is the stated use. What must
be gone is read from the table of PS3.15 E.1-1, with the options that the files name in their method sequence.
A finding never repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pydicom

from braggbook.imaging.deidentify.tables import profile
from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.quality.evidence import Evidence, Head, claims, label, value_of
from braggbook.imaging.quality.registry import Finding, NotApplicable, NotAssessed, check

_DUMMY = re.compile(
    r"(?i)\W*(anon\w*|removed|none|unknown|deidentified|de-identified|xxx*|dummy|no\s*name|physician|operator|reviewer"
    r"|institution|station|manufacturer|model|pseudonym\w*|not\s*stated|n/?a|0+)?\W*"
)
_NAME = re.compile(r"[^\W\d_]{2,}\^[^\W\d_]{2,}")  # Family^Given, as DICOM writes names
# among bytes, which hold anything by chance, a name is longer and stands between what is no letter
_NAME_IN_BYTES = re.compile(rb"(?<![A-Za-z0-9])[A-Z][A-Za-z]{2,}\^[A-Z][A-Za-z]{2,}(?![A-Za-z0-9])")
_MOST_BYTES = 100_000  # of an element that is searched
_TITLED = re.compile(r"\b(?:Dr|Prof|Mr|Mrs|Ms|Frau|Herr|Mme)\.?\s+[A-Z][a-z]{2,}")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w{2,}")
_FREE_VRS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "UN"))
_IDENTIFIERS = frozenset((
    "OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "PatientTelecomInformation", "MedicalRecordLocator",
    "MilitaryRank", "CountryOfResidence", "RegionOfResidence", "PatientInsurancePlanCodeSequence",
    "IssuerOfPatientID", "PatientReligiousPreference", "InstitutionAddress", "RequestingPhysician",
))  # fmt: skip
_TEXT_MODALITIES = frozenset(("US", "SC", "XA", "RF", "MG", "OT", "ES", "XC", "GM", "SM", "OP", "IVUS", "CR", "DX"))
_OLDEST = 89
_OPTION = {
    "pixels": "113101", "descriptors": "113105", "full dates": "113106", "modified dates": "113107",
    "patient": "113108", "device": "113109", "uids": "113110", "private": "113111", "institution": "113112",
}  # fmt: skip
_SOURCE = "DICOM PS3.15 E.1-1"


def _claimed(head: Head) -> frozenset[str]:
    """Returns the codes of the method that the file claims.

    Raises:
        NotAssessed: It claims nothing, and nobody wants to share it.
    """
    if not claims(head) and "sharing" not in head.uses:
        raise NotAssessed("the files do not claim to be de-identified, and sharing is not the stated use")
    items = head.dataset.get("DeidentificationMethodCodeSequence") or []
    return frozenset(str(item.get("CodeValue", "")) for item in items)


def _retained(actions: dict[str, str], options: frozenset[str]) -> bool:
    return any(actions.get(code, "") in ("K", "C") for code in options)


def _text(element: pydicom.DataElement) -> str:
    value = element.value
    if value is None or element.VR == "SQ":
        return ""
    if isinstance(value, bytes):
        value = value.decode("latin-1", "replace")
    parts = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    return "\\".join(str(part) for part in parts).strip()


def _shape(text: str) -> str:
    return f"a value of {len(text)} characters"


@check(
    "identity.claim",
    "The files say that identity was removed, and how",
    dimension="identity leakage",
    scope="instance",
    source="DICOM PS3.15 E.1.1: PatientIdentityRemoved, DeidentificationMethod or its code sequence",
)
def _check_claim(head: Head) -> Iterable[Finding]:
    codes = _claimed(head)
    if not claims(head):
        yield Finding(head.where, "YES", "no claim", tag_name("PatientIdentityRemoved"))
    elif not codes and value_of(head.dataset, "DeidentificationMethod") is None:
        yield Finding(head.where, "a method", "none", tag_name("DeidentificationMethod"))


@check(
    "identity.claim_of_all",
    "All files say that identity was removed, if one does",
    dimension="identity leakage",
    scope="all",
    blocking=True,
    source="files without the claim are not looked at, and would be shared with those that have it",
)
def _check_claim_of_all(evidence: Evidence) -> Iterable[Finding]:
    if not any(evidence.claims.values()):
        raise NotApplicable
    for where, claimed in evidence.claims.items():
        if not claimed:
            yield Finding(where, "YES, as in other files here", "no claim", tag_name("PatientIdentityRemoved"))


@check(
    "identity.patient",
    "Name and identifiers of the patient are pseudonyms",
    dimension="identity leakage",
    scope="instance",
    blocking=True,
    source=f"{_SOURCE}; a pseudonym has no Family^Given",
)
def _check_patient(head: Head) -> Iterable[Finding]:
    _claimed(head)
    name = str(value_of(head.dataset, "PatientName") or "")
    if _NAME.search(name):
        yield Finding(head.where, "a pseudonym", "a value of the form Family^Given", tag_name("PatientName"))
    for element, inside in head.elements:
        if element.keyword in _IDENTIFIERS and _is_there(element):
            yield Finding(head.where, "nothing", _shape(_text(element)), label(element, inside))


def _is_there(element: pydicom.DataElement) -> bool:
    return bool(element.value) if element.VR == "SQ" else not _DUMMY.fullmatch(_text(element))


@check(
    "identity.persons",
    "No other person is named",
    dimension="identity leakage",
    scope="instance",
    source=f"{_SOURCE}: attributes of VR PN",
)
def _check_persons(head: Head) -> Iterable[Finding]:
    _claimed(head)
    for element, inside in head.elements:
        if element.VR == "PN" and element.keyword != "PatientName" and not _DUMMY.fullmatch(_text(element)):
            yield Finding(head.where, "nothing", _shape(_text(element)), label(element, inside))


@check(
    "identity.name_like",
    "No text looks like a name, a title with a name, or an address",
    dimension="identity leakage",
    scope="instance",
    blocking=True,
    source="values like Family^Given, Dr. Name or name@place, in attributes that hold text and in private ones that "
    "hold bytes; a surname alone is not found",
)
def _check_name_like(head: Head) -> Iterable[Finding]:
    _claimed(head)
    for element, inside in head.elements:
        if element.tag.is_private and isinstance(element.value, bytes) and element.VR != "UN":
            if _NAME_IN_BYTES.search(element.value[:_MOST_BYTES]):
                found = f"{len(element.value)} bytes with something that looks like one"
                yield Finding(head.where, "no name", found, label(element, inside))
        elif element.VR in _FREE_VRS and element.keyword not in _IDENTIFIERS and element.keyword != "PatientID":
            text = _text(element)[:_MOST_BYTES]
            if _NAME.search(text) or _TITLED.search(text) or _ADDRESS.search(text):
                yield Finding(head.where, "no name", f"{_shape(text)} that looks like one", label(element, inside))


@check(
    "identity.dates",
    "Dates were moved or removed, and the birth date is gone",
    dimension="identity leakage",
    scope="instance",
    source=f"{_SOURCE}, options 113106 and 113107; (0028,0303)",
)
def _check_dates(head: Head) -> Iterable[Finding]:
    options = _claimed(head)
    birth = str(value_of(head.dataset, "PatientBirthDate") or "")
    if birth and not birth.endswith("0101"):
        yield Finding(head.where, "nothing, or a year", _shape(birth), tag_name("PatientBirthDate"))
    said = str(value_of(head.dataset, "LongitudinalTemporalInformationModified") or "")
    known = options & {_OPTION["full dates"], _OPTION["modified dates"]} or said in ("MODIFIED", "REMOVED")
    if not known and value_of(head.dataset, "StudyDate") is not None:
        found = said or "not said"
        yield Finding(head.where, "MODIFIED or REMOVED", found, tag_name("LongitudinalTemporalInformationModified"))


@check(
    "identity.age",
    "No age is above 89 years",
    dimension="identity leakage",
    scope="instance",
    source="45 CFR 164.514(b)(2)(i)(C): ages over 89 are identifiers",
)
def _check_age(head: Head) -> Iterable[Finding]:
    _claimed(head)
    text = str(head.instance.tags.get("PatientAge", ""))
    if not re.fullmatch(r"\d{3}Y", text):
        raise NotApplicable
    if int(text[:3]) > _OLDEST + 1:  # 090Y stands for all of them
        yield Finding(head.where, "at most 090Y", "more", tag_name("PatientAge"))


@check(
    "identity.removed",
    "What the basic profile removes is gone, unless a claimed option retains it",
    dimension="identity leakage",
    scope="instance",
    source=f"{_SOURCE}: action X of the basic profile and of the options in the method sequence",
)
def _check_removed(head: Head) -> Iterable[Finding]:
    options = _claimed(head)
    for element, inside in head.elements:
        actions = profile().get(int(element.tag))
        if actions and actions.get("113100") == "X" and not _retained(actions, options) and _counts(element):
            yield Finding(head.where, "nothing", _shape(_text(element)), label(element, inside))


def _counts(element: pydicom.DataElement) -> bool:
    """Whether an element is not the business of another check of this dimension."""
    return element.VR not in ("PN", "DA", "TM", "DT", "SQ", "UI") and _is_there(element)


@check(
    "identity.private",
    "There are no private elements, unless safe ones were retained",
    dimension="identity leakage",
    scope="instance",
    source=f"{_SOURCE}, option 113111",
)
def _check_private(head: Head) -> Iterable[Finding]:
    if _OPTION["private"] in _claimed(head):
        raise NotApplicable
    for element, inside in head.elements:
        if element.tag.is_private and not element.tag.is_private_creator and _text(element):
            yield Finding(head.where, "nothing", _shape(_text(element)), label(element, inside))


@check(
    "identity.burnt_in",
    "No text is burnt into the pixels, as far as the header and the kind of image tell",
    dimension="identity leakage",
    scope="instance",
    source="DICOM PS3.15 E.3.1, option 113101; PS3.3 C.7.6.1: BurnedInAnnotation; no pixel is read for this",
)
def _check_burnt_in(head: Head) -> Iterable[Finding]:
    options = _claimed(head)
    if not head.instance.frames:
        raise NotApplicable
    said = str(value_of(head.dataset, "BurnedInAnnotation") or "").upper()
    if said == "YES":
        yield Finding(head.where, "NO", "YES", tag_name("BurnedInAnnotation"))
    elif head.instance.modality in _TEXT_MODALITIES and _OPTION["pixels"] not in options:
        wanted = "option 113101, or a person who looked"
        found = f"{head.instance.modality}, which often has text in its pixels"
        yield Finding(head.where, wanted, found, tag_name("BurnedInAnnotation"))
