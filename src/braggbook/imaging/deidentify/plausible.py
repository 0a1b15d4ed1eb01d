"""Whether a value is what its attribute should hold: the second half of the allow-list.

A tag that may stay does not make its value harmless: numbers can be record numbers, codes can be names. So what stays
must be of the right form, of the right number of values, and within bounds.
"""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache

from braggbook.imaging.deidentify.elements import vm_of, vr_of
from braggbook.imaging.deidentify.tables import bounds, terms, words

_DECIMAL = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_INTEGER = re.compile(rb"[+-]?\d{1,10}")
_AGE = re.compile(rb"(\d{3})([DWMY])")
OLDEST_YEARS = 90  # ages above are one group: HIPAA 45 CFR 164.514(b)(2)(i)(C)
_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "OF": "f", "OD": "d", "OL": "I", "OV": "Q"}  # fmt: skip  # noqa: E501
_SHORT_BYTES = 256
_MOST_VALUES_READ = 1 << 16  # of arrays only the beginning is unpacked at once

LARGEST_DECIMAL = 1e5  # positions in mm, angles, factors, energies in keV, times in s
LARGEST_INTEGER = 99_999  # a record number has six digits and more: what may be larger is named in bounds.csv
SMALLEST_DECIMAL = 1e-30  # letters read as a binary number can be tiny, quantities are not
_KERNEL = re.compile(
    r"(?:[A-Z][a-z]?\d{2}[a-z]{0,2}|FC\d\d|STANDARD|SOFT|BONE|BONEPLUS|LUNG|DETAIL|EDGE|CHEST|ULTRA|HD|[A-DU][AB]?|[1-5])"
)
_SMALL = re.compile(r"\d{1,5}")
_DIRECTION = re.compile(r"[APLRHF]{1,3}")
_MAKERS = {
    "siemens", "siemens healthineers", "siemens healthcare", "ge", "ge medical systems", "ge healthcare", "philips",
    "philips healthcare",
    "philips medical systems", "toshiba", "toshiba_mec", "canon", "canon medical systems", "canon_mec", "hitachi",
    "varian",
    "varian medical systems", "elekta", "raysearch laboratories", "raysearch", "accuray", "brainlab", "hologic",
    "fujifilm", "agfa",
    "cms, inc.", "cms", "adac", "picker", "picker international, inc.", "elscint", "shimadzu", "konica minolta",
    "samsung", "bruker",
    "mim software", "nucletron", "tomotherapy", "tomotherapy incorporated", "braggbook", "highdicom", "pydicom",
    "offis", "qiicr",
    "mevion", "iba", "hitachi medical corporation", "united imaging healthcare", "uih", "mediso", "carestream",
    "plastimatch", "agfa-gevaert ag", "g.e. medical systems", "philips medical systems, inc.", "sonosite, inc.",
    "fuji photo film co. ltd.", "fujifilm corporation", "aloka co., ltd.", "mim software inc.", "kuratorium offis e.v.",
    "varian medical system particle therapy", "siemens healthcare gmbh", "philips medical systems / mim software",
    "hologic, inc.", "esaote", "lumenis", "vision rt", "c-rad", "p-cure", "mirada medical", "spectronic medical",
}  # fmt: skip
_LUT_UNITS = {"HU", "US", "OD", "HU_MOD", "MGML", "Z_EFF", "ED", "EDW", "PCT"}  # PS3.3, C.11.1.1.2
_NUCLEI = {"1H", "3HE", "7LI", "13C", "19F", "23NA", "31P", "129XE", "H"}
_FILTERS = {"STRIP", "WEDGE", "BUTTERFLY", "MULTIPLE", "NONE", "FLAT", "BODY", "HEAD", "BOWTIE", "LARGE BOWTIE"}
_CLOSED = {  # text of a few known forms
    "RescaleType": _LUT_UNITS | {"BQML", "NORMALIZED", "DVPX", "SUV", "GML"},
    "ModalityLUTType": _LUT_UNITS,
    "ImagedNucleus": _NUCLEI,
    "ResonantNucleus": _NUCLEI,
    "FilterType": _FILTERS | {"0", "1", "2"},
    "SourceIsotopeName": {"IR-192", "CO-60", "CS-137", "I-125", "PD-103"},
    "CodingSchemeDesignator": {"DCM", "SCT", "SRT", "UCUM", "LN", "FMA", "MDC", "NCIT", "RADLEX", "IBSI"},
    "MappingResourceName": {"DICOM CONTENT MAPPING RESOURCE"},
    "PatientSpeciesDescription": {"HOMO SAPIENS"},
    "PositionReferenceIndicator": {"OM", "SN", "XY", "SC", "RF"},
}
WORDS_ONLY = {
    "AttenuationCorrectionMethod", "ScatterCorrectionMethod", "ReconstructionMethod", "Radiopharmaceutical",
    "ContrastBolusRoute",
    "RadiopharmaceuticalRoute", "PositionReferenceIndicator", "BeamName", "WindowCenterWidthExplanation",
    "DimensionDescriptionLabel",
    "DetectorLinesOfResponseUsed", "ViewName", "EnergyWindowName", "CardiacFramingType", "SegmentLabel", "DoseModeName",
}  # fmt: skip
NUMBERED = {"StackID", "BeamCurrentModulationID", "TemplateIdentifier", "OpticalPathIdentifier", "FiducialIdentifier"}
_METHODS = """
osem tof psf iterations iteration subsets fbp dim measured scatter model ac acq correction attenuation segmented map
fluorodeoxyglucose fdg solution f18 f ga68 dotatate psma intravenous oral iv line random decay iter i s bp vpfx vpfxs
vuepoint fx blob ocm sss
"""
METHODS = frozenset(_METHODS.split())


def count_fits(tag: int, count: int) -> bool:
    """Whether a number of values is one that the dictionary has for an attribute."""
    found = re.fullmatch(r"(\d+)(?:-(\d*)n?)?", vm_of(tag))
    if found is None:
        return True
    most = int(found[1]) if "-" not in vm_of(tag) else int(found[2] or 0) if not vm_of(tag).endswith("n") else None
    return count >= 1 and (most is None or count <= most)


def text_fits(keyword: str, value: str) -> bool:
    """Whether a text outside the profile is one of the few that may stay."""
    if keyword == "Manufacturer":
        return value.lower() in _MAKERS
    if keyword == "ConvolutionKernel":
        return _KERNEL.fullmatch(value) is not None
    if keyword in NUMBERED:
        return _SMALL.fullmatch(value) is not None
    if keyword in _CLOSED:
        return value.upper() in _CLOSED[keyword] or (keyword in WORDS_ONLY and only_words(value, METHODS))
    return keyword in WORDS_ONLY and only_words(value, METHODS)


def only_words(value: str, more: frozenset[str] = frozenset()) -> bool:
    """Whether a text is made of words of the closed vocabulary and numbers of at most four digits."""
    parts = re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d_^.,+/&():-]", value)
    known = words()
    return bool(parts) and len(value) <= 64 and all(
        len(part) <= 4 if part.isdigit() else part.lower() in known or part.lower() in more for part in parts
    ) and any(part.isalpha() for part in parts)  # fmt: skip


def cleaned_words(value: str) -> str:
    """Returns what is left of a text when only words of the closed vocabulary may stay, in the order they had."""
    if only_words(value):
        return value
    return " ".join(part for part in re.findall(r"[A-Za-z]+", value) if part.lower() in words() and len(part) > 1)[:64]


def term_fits(keyword: str, value: str) -> bool:
    """Whether a code string is one of the standard's terms."""
    if keyword in NUMBERED:
        return _SMALL.fullmatch(value) is not None or value in terms()
    if keyword == "LossyImageCompression":
        return value in ("00", "01")
    if keyword == "PatientOrientation":  # PS3.3, C.7.6.1.1.1: directions, not terms
        return _DIRECTION.fullmatch(value) is not None
    return value in terms()


def numbers_fit(keyword: str, tag: int, value: bytes, vr: str, *, big: bool) -> bool:
    """Whether the numbers of a value are as many as they should be and within bounds."""
    if vr in ("DS", "IS"):
        parts = [part.strip(b" \0") for part in value.rstrip(b"\0 ").split(b"\\")]
        form = _DECIMAL if vr == "DS" else _INTEGER
        if not all(len(part) <= 16 and form.fullmatch(part) for part in parts):
            return False
        return count_fits(tag, len(parts)) and all(_within(keyword, float(part), whole=vr == "IS") for part in parts)
    code = _FORMATS[vr]
    size = struct.calcsize(code)
    if len(value) % size or not value or not count_fits(tag, len(value) // size):
        return False
    whole = code not in "fd"
    for start in range(0, len(value), size * _MOST_VALUES_READ):
        part = value[start : start + size * _MOST_VALUES_READ]
        if not all(
            _within(keyword, x, whole=whole)
            for x in struct.unpack(f"{'>' if big else '<'}{len(part) // size}{code}", part)
        ):
            return False
    return not spells_text(value)


@lru_cache(maxsize=4096)
def bounds_of(keyword: str, *, whole: bool) -> tuple[float, float]:
    """Returns the least and the most that an attribute may hold: what the first fitting row of ``bounds.csv`` says."""
    lowest, highest = next((low, high) for pattern, low, high in bounds() if pattern.fullmatch(keyword))
    return lowest, min(highest, LARGEST_INTEGER) if whole and highest == LARGEST_DECIMAL else highest


def _within(keyword: str, number: float, *, whole: bool) -> bool:
    if not math.isfinite(number):
        return False
    lowest, highest = bounds_of(keyword, whole=whole)
    return lowest <= number <= highest and (number == 0 or abs(number) >= SMALLEST_DECIMAL)


def spells_text(value: bytes) -> bool:
    """Whether binary numbers, seen as bytes, hold letters, digits or blanks in a row: words can hide in them.

    A byte of noise is one of those in a quarter of cases: eight in a row are chance once in 60,000 short values,
    sixteen once in a gigabyte.
    """
    run = rb"[A-Za-z0-9_^ -]{8}" if len(value) <= _SHORT_BYTES else rb"[A-Za-z0-9_^ -]{16}"
    return re.search(run, value) is not None


def table_spells_text(value: bytes) -> bool:
    """Whether a lookup table holds text: letters, digits or blanks in a row that do not climb or fall as tables do.

    Bytes in a row that are equal in pairs are 8-bit colours made 16 bits wide, not text.
    """
    for found in re.finditer(rb"[A-Za-z0-9_^ -]{8,}", value):
        run = found[0]
        if not any(_is_ramp(run[start::step]) for step in (1, 2) for start in range(step)) and not _is_paired(run):
            return True
    return False


def _is_ramp(run: bytes) -> bool:
    ordered = sorted(run)
    return list(run) in (ordered, ordered[::-1])


def _is_paired(run: bytes) -> bool:
    return any(run[start:-1:2] == run[start + 1 :: 2][: len(run[start:-1:2])] for start in (0, 1))


def tags_fit(value: bytes, *, big: bool) -> bool:
    """Whether a value of attribute tags names attributes of the dictionary only."""
    if len(value) % 4 or not value:
        return False
    pairs = struct.unpack(f"{'>' if big else '<'}{len(value) // 2}H", value)
    return all(vr_of(pairs[i] << 16 | pairs[i + 1]) for i in range(0, len(pairs), 2))


def capped_age(value: bytes) -> bytes | None:
    """Returns an age, ages over 89 years as ``090Y``; None when it is no age."""
    found = _AGE.fullmatch(value.strip(b" \0"))
    if not found:
        return None
    years = int(found[1]) / {b"D": 365.25, b"W": 52.18, b"M": 12, b"Y": 1}[found[2]]
    return b"%03dY" % OLDEST_YEARS if years >= OLDEST_YEARS else found[0]
