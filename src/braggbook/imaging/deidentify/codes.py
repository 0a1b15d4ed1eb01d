"""Codes that may stay: those that the standard's own dictionaries have, with the dictionary's meaning.

A code's value, scheme and meaning are text, and text can be anything. So a triplet stays only when its scheme and
value are known, and its meaning is written anew.
"""

from __future__ import annotations

from functools import lru_cache

from pydicom.sr._snomed_dict import mapping as snomed
from pydicom.sr.codedict import codes

UNKNOWN = ("261665006", "SCT", "Unknown")
_SNOMED_RT = {"SRT", "SNM3", "99SDM"}
# context groups that the libraries' dictionary lacks in part: RT (9000 ff.) and the profile's own (7050)
_MORE = {
    ("DCM", "113100"): "Basic Application Confidentiality Profile",
    ("DCM", "121322"): "Source image for image processing operation",
    ("DCM", "121324"): "Source Image",
    ("SCT", "261665006"): "Unknown",
}


@lru_cache(maxsize=32)
def _scheme(name: str) -> dict[str, str]:
    try:
        concepts = getattr(codes, name).concepts
    except AttributeError:
        return {}
    return {code.value: code.meaning for code in concepts.values()}


def meaning_of(value: str, scheme: str) -> str | None:
    """Returns the dictionary's meaning of a code, None for one that is in no dictionary."""
    if (scheme, value) in _MORE:
        return _MORE[scheme, value]
    if scheme in _SNOMED_RT:
        modern = snomed["SRT"].get(value)
        return _ascii(_scheme("SCT").get(modern, "SNOMED concept")) if modern else None
    return _ascii(_scheme(scheme).get(value))


def _ascii(text: str | None) -> str | None:
    return None if text is None else text.encode("ascii", "replace").decode()[:64]
