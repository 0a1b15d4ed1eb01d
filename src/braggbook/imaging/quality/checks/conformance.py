"""Conformance: is each object what the standard says that an object of its class is?

Only unconditional attributes of mandatory modules are asked for (type 1 and 2): conditions are prose, in no table.
Sources: DICOM PS3.3 (modules), PS3.5 section 6.2 (values) and 9 (identifiers), PS3.6 A (transfer syntaxes).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

import pydicom
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.quality.evidence import Evidence, Head, SeriesEvidence, short
from braggbook.imaging.quality.modules import required
from braggbook.imaging.quality.registry import Finding, NotApplicable, NotAssessed, check
from braggbook.imaging.quality.validator import Validator

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_TAG = re.compile(r"\([0-9A-F]{4},[0-9A-F]{4}\)( \w+)?")
_LONGEST_UID = 64
# A readme beside the images is no damaged image; contradictions between objects are the business of consistency
_NOT_OURS = ("not a", "the same ", "one study", "one series", "one patient")
_TEXT_VRS = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "SH", "TM", "UI"))
_ENDINGS = (".dcm", ".dicom", ".ima")  # who names a file so says that it is DICOM
_PIXELS = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}  # not read with the header


@check(
    "conformance.class",
    "The SOP class is one of the standard's",
    dimension="conformance",
    scope="instance",
    source="DICOM PS3.4 B.5",
)
def _check_sop_class(head: Head) -> Iterable[Finding]:
    uid = head.instance.sop_class_uid
    if not uid or UID(uid).name == uid:
        yield Finding(head.where, "a storage SOP class", uid or "nothing", tag_name("SOPClassUID"))


def _types(head: Head) -> dict[str, str]:
    found = required(head.instance.sop_class_uid)
    if found is None:
        raise NotAssessed(f"no table of modules for SOP class {head.instance.sop_class_uid or 'nothing'}")
    return found


@check(
    "conformance.type1",
    "Attributes of type 1 are there and have a value",
    dimension="conformance",
    scope="instance",
    source="DICOM PS3.3, modules of the SOP class; PS3.5 7.4.1",
)
def _check_type1(head: Head) -> Iterable[Finding]:
    for keyword, kind in sorted(_types(head).items()):
        if kind == "1" and keyword not in _PIXELS:
            if keyword not in head.dataset:
                yield Finding(head.where, "a value (type 1)", "not there", tag_name(keyword))
            elif _is_empty(head.dataset, keyword):
                yield Finding(head.where, "a value (type 1)", "empty", tag_name(keyword))


@check(
    "conformance.type2",
    "Attributes of type 2 are there, be they empty",
    dimension="conformance",
    scope="instance",
    source="DICOM PS3.3, modules of the SOP class; PS3.5 7.4.3",
)
def _check_type2(head: Head) -> Iterable[Finding]:
    for keyword, kind in sorted(_types(head).items()):
        if kind == "2" and keyword not in head.dataset:
            yield Finding(head.where, "there, may be empty (type 2)", "not there", tag_name(keyword))


def _is_empty(dataset: pydicom.Dataset, keyword: str) -> bool:
    raw = dataset.get_item(keyword)
    value = raw.value if raw is not None else None
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


@check(
    "conformance.values",
    "Values have the form that their representation asks for",
    dimension="conformance",
    scope="instance",
    source="DICOM PS3.5 6.2",
)
def _check_values(head: Head) -> Iterable[Finding]:
    for tag in list(head.dataset.keys()):
        raw = head.dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and not tag.is_private and isinstance(raw.value, bytes):
            name, vr = _described(tag, raw)
            if vr in _TEXT_VRS and (problem := _problem(vr, raw.value)):
                yield Finding(head.where, f"a value of {vr}", problem, name)


def _described(tag: Any, raw: RawDataElement) -> tuple[str, str]:
    try:
        vr = raw.VR if raw.VR and raw.VR != "UN" else dictionary_VR(tag)
        return tag_name(pydicom.datadict.keyword_for_tag(tag)), str(vr)
    except KeyError:
        return str(tag), str(raw.VR or "")


def _problem(vr: str, value: bytes) -> str:
    """Returns what is wrong with a value, without repeating it: it may name somebody."""
    text = value.decode("latin-1").rstrip("\0 ")
    for number, part in enumerate(text.split("\\") if text else (), start=1):
        if vr == "UI":
            continue  # has a check of its own
        try:
            validate_value(vr, part.strip(" ") if vr in ("DS", "IS", "CS") else part, RAISE)
        except ValueError:
            return f"value {number} of {len(part)} characters is no {vr}"
        except Exception:  # its rules meet values that they were not made for
            return f"value {number} cannot be read as {vr}"
    return ""


@check(
    "conformance.uids",
    "Unique identifiers are legal",
    dimension="conformance",
    scope="instance",
    source="DICOM PS3.5 9.1",
)
def _check_uids(head: Head) -> Iterable[Finding]:
    for tag in list(head.dataset.keys()):
        raw = head.dataset.get_item(tag)
        value = raw.value if raw is not None and str(raw.VR) == "UI" else None
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
        for part in filter(None, text.rstrip("\0 ").split("\\")):
            if len(part) > _LONGEST_UID or not _UID.fullmatch(part):
                name = tag_name(pydicom.datadict.keyword_for_tag(tag) or str(tag))
                yield Finding(head.where, "digits and dots, 64 at most, no leading zero", repr(part[:70]), name)


@check(
    "conformance.meta",
    "The file meta header names the object that the file holds",
    dimension="conformance",
    scope="instance",
    source="DICOM PS3.10 7.1",
)
def _check_meta(head: Head) -> Iterable[Finding]:
    found = getattr(head.dataset, "file_meta", None)
    named = str(found.get("MediaStorageSOPInstanceUID", "")) if found else ""
    if not named:
        yield Finding(head.where, "a file meta header", "none", tag_name("MediaStorageSOPInstanceUID"))
    elif named != head.instance.sop_instance_uid:
        yield Finding(head.where, head.instance.sop_instance_uid, named, tag_name("MediaStorageSOPInstanceUID"))


@check(
    "conformance.transfer_syntax",
    "The transfer syntax is one of the standard's",
    dimension="conformance",
    scope="instance",
    blocking=True,
    source="DICOM PS3.6 A, PS3.5 10",
)
def _check_transfer_syntax(head: Head) -> Iterable[Finding]:
    uid = UID(head.instance.transfer_syntax_uid)
    if uid.name == uid or not uid.is_transfer_syntax:
        yield Finding(head.where, "a transfer syntax", str(uid) or "nothing", tag_name("TransferSyntaxUID"))


@check(
    "conformance.pixel_length",
    "Pixels are as many bytes as the header says",
    dimension="conformance",
    scope="instance",
    blocking=True,
    source="DICOM PS3.5 8.1.1, PS3.3 C.7.6.3.1.4",
)
def _check_pixel_length(head: Head) -> Iterable[Finding]:
    if not head.instance.frames:
        raise NotApplicable
    if (error := head.pixel_issue) is not None:
        yield Finding(head.where, error.wanted or error.what, error.got or error.what, tag_name("PixelData"))


@check(
    "conformance.readable",
    "Every object and every frame can be read",
    dimension="conformance",
    scope="series",
    blocking=True,
    source="DICOM PS3.5; the decoders that Braggbook has",
)
def _check_readable(series: SeriesEvidence) -> Iterable[Finding]:
    for where, error in series.unreadable:
        yield Finding(where, error.wanted or "readable", f"{error.what}{': ' if error.got else ''}{error.got}")


@check(
    "conformance.files",
    "Every file that is there can be read as DICOM",
    dimension="conformance",
    scope="all",
    source="DICOM PS3.10 7",
)
def _check_files(evidence: Evidence) -> Iterable[Finding]:
    for issue in evidence.index.issues:
        named = issue.where.lower().endswith(_ENDINGS)
        if issue.what.startswith(_NOT_OURS) and not (named and issue.what.startswith("not a")):
            continue
        where, _, tag = issue.where.partition(", ")
        name = found[0] if (found := _TAG.match(tag)) else ""  # what follows it may be the value
        yield Finding(short(where, evidence.root), "readable", issue.what, name)


@check(
    "conformance.validator",
    "An outside validator finds no error",
    dimension="conformance",
    scope="instance",
    source="dciodvfy of dicom3tools, where it was asked for",
)
def _check_validator(subject: Head | tuple[Head, Validator | None]) -> Iterable[Finding]:
    if isinstance(subject, Head):
        raise NotApplicable  # it is asked together with the validator
    head, ask = subject
    if ask is None:
        raise NotAssessed("no validator beyond our own checks was asked; conditional attributes were not looked at")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            lines = ask(head.instance)
        except ValueError as error:
            raise NotAssessed(f"{head.where}: {error}") from error
    for line in lines:
        yield Finding(head.where, "no error", line)
