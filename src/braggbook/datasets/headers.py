"""What a column's header tells: its name as a slug, its unit, and what it probably means."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from braggbook.errors import UnitError
from braggbook.units import parse_unit, same_unit

# The house's spelling of a unit at the end of a name (docs/formats/dataset.md), first spelling preferred.
SUFFIXES = {
    "gy": "Gy", "cgy": "cGy", "mgy": "mGy", "per_gy": "1/Gy", "per_gy2": "1/Gy2", "gy2": "Gy2",
    "gy_min": "Gy/min", "gy_per_min": "Gy/min", "gy_h": "Gy/h", "gy_s": "Gy/s", "cgy_min": "cGy/min",
    "sv": "Sv", "msv": "mSv", "usv": "uSv", "bq": "Bq",
    "kev_um": "keV/um", "kev_per_um": "keV/um", "mev_mm": "MeV/mm", "mev_cm2_g": "MeV cm2/g",
    "ev": "eV", "kev": "keV", "mev": "MeV", "mev_u": "MeV/u", "mev_per_u": "MeV/u", "gev": "GeV",
    "nm": "nm", "um": "um", "mm": "mm", "cm": "cm", "um2": "um2", "mm2": "mm2", "cm2": "cm2",
    "per_cm2": "1/cm2", "per_um2": "1/um2", "g_cm3": "g/cm3", "g_cm2": "g/cm2", "deg": "deg", "hz": "Hz",
    "ms": "ms", "ml": "mL", "ul": "uL", "ng": "ng", "ug": "ug", "mg": "mg",
    "percent": "%", "pct": "%",
}  # fmt: skip
_TIMES = {"s": "s", "sec": "s", "min": "min", "h": "h", "hr": "h", "hours": "h", "d": "d", "days": "d"}
_TIME_STEMS = re.compile(r"(^|_)(time|duration|interval|delay|incubation|interfraction|half_life|after|repair)(_|$)")
_BRACKETS = re.compile(r"(.*?)[\s_,]*[\[(]([^\[\]()]+)[\])]\s*")
_DIVIDED = re.compile(r"(.*\S)\s*[/,]\s*(\S+)")
_TELLING = re.compile(r"Gy|[kM]eV|[uµμmc]m|Sv|Bq|%")  # symbols that nothing else is spelled like
_SIGNS = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u00b7": "*", "\u22c5": "*", "\u2212": "-", "\u00b2": "2", "\u00b3": "3"}
)
_GREEK = str.maketrans(
    {
        "\u03b1": "alpha",
        "\u03b2": "beta",
        "\u03c3": "sigma",
        "\u00b5": "u",
        "\u03bc": "u",
        "%": " percent ",
        "#": " n ",
    }
)


@dataclass(frozen=True)
class Known:
    """What is known of a quantity by its name alone; ``unit`` is None where the name does not tell it."""

    meaning: str
    unit: str | None = None


_QUANTITIES = (
    (r"(cell_?)?line|cline", Known("cell line")),
    (r"particle|ion|radiation|beam", Known("radiation")),
    (r"endpoint", Known("biological endpoint")),
    (r"treatment|drug|condition|group", Known("treatment or group")),
    (r"source|reference|ref|doi", Known("where the row comes from")),
    (r"comments?|remarks?|notes?", Known("remark")),
    (r"dose", Known("absorbed dose")),
    (r"dose_rate", Known("absorbed dose rate")),
    (r"(fraction_dose|dose_per_fraction)", Known("absorbed dose per fraction")),
    (r"let", Known("linear energy transfer")),
    (r"(let_?d|dose_averaged_let)", Known("linear energy transfer, dose-averaged")),
    (r"(let_?t|track_averaged_let)", Known("linear energy transfer, track-averaged")),
    (r"(n_?)?colon(y|ies)(_count(s|ed)?)?", Known("colonies counted", "1")),
    (r"(n_?)?(cells?_?)?(seeded|plated)|n_?cells|cells", Known("cells seeded", "1")),
    (r"sf|surv(ival)?(_fraction)?|surviving_fraction", Known("surviving fraction", "1")),
    (r"pe|plating_efficiency", Known("plating efficiency", "1")),
    (r"alpha", Known("linear coefficient of the linear-quadratic model")),
    (r"beta", Known("quadratic coefficient of the linear-quadratic model")),
    (r"alpha_(over_)?beta(_ratio)?", Known("ratio of the linear-quadratic coefficients")),
    (r"alpha_x", Known("linear coefficient for the reference radiation")),
    (r"beta_x", Known("quadratic coefficient for the reference radiation")),
    (r"rbe(_?max|_?\d+)?", Known("relative biological effectiveness", "1")),
    (r"oer", Known("oxygen enhancement ratio", "1")),
    (r"energy", Known("energy")),
    (r"depth", Known("depth")),
    (r"time", Known("time")),
    (r"(n_?)?(fractions?|cells_scored|dicentrics?|micronuclei|aberrations|foci|events|counts?|number|n)",
     Known("number", "1")),
    (r"(replicate|rep|repeat|experiment|exp|dish|flask|well|plate|passage|run|sample|index|id|no|year)",
     Known("label", "1")),
    (r"ratio|fraction|probability|weight|efficiency", Known("ratio", "1")),
)  # fmt: skip
_QUANTITY = tuple((re.compile(pattern), known) for pattern, known in _QUANTITIES)
_SPREAD = re.compile(r"(.+?)_(sd|std|se|sem|err|error|uncertainty)")
_SPREADS = {
    "sd": "standard deviation",
    "std": "standard deviation",
    "se": "standard error",
    "sem": "standard error",
}


@dataclass(frozen=True)
class Header:
    """A header taken apart: the quantity's slug without its unit, and the unit if it is stated."""

    text: str
    stem: str
    unit: str | None

    @property
    def known(self) -> Known | None:
        """What is known of the quantity by its name."""
        return next((known for pattern, known in _QUANTITY if pattern.fullmatch(self.stem)), None)

    @property
    def spread_of(self) -> tuple[str, str] | None:
        """For the standard deviation (or such) of another column: that column's stem, and the measure's name."""
        match = _SPREAD.fullmatch(self.stem)
        return (match[1], _SPREADS.get(match[2], "uncertainty")) if match else None


def take_apart(text: str) -> Header:
    """Finds the unit in a header: ``Dose (Gy)``, ``dose [cGy]``, ``Dose / Gy``, ``LET_keV_um``."""
    match = _BRACKETS.fullmatch(text)
    if match and (unit := _bracket_unit(match[2])):
        return _header(text, stem=match[1], unit=unit)
    tokens = re.split(r"[\s_]+", text.strip())
    for count in range(min(4, len(tokens) - 1), 0, -1):
        stem, tail = " ".join(tokens[:-count]), tokens[-count:]
        if unit := _suffix_unit(tail, stem):
            return _header(text, stem=re.sub(r"[\s,/]*(\sin)?$", "", stem), unit=unit)
    match = _DIVIDED.fullmatch(text)
    if match and (unit := _telling_unit(match[2])):
        return _header(text, stem=match[1], unit=unit)
    return _header(text, stem=text, unit=None)


def _header(text: str, *, stem: str, unit: str | None) -> Header:
    slug = slugify(stem)
    if unit and re.fullmatch(r"[0-9_]*", slug):
        return Header(text, slugify(text), None)  # "2 Gy" over counts
    return Header(text, slug, unit)


def _bracket_unit(text: str) -> str | None:
    """Returns the unit in brackets. Of lone letters only those that can hardly mean anything else there."""
    spelled = _ascii(text)
    if len(spelled) == 1 and spelled not in "hsdmg%":
        return None
    return _parsed(spelled) or _house_unit(slugify(text), text)


def _suffix_unit(tail: list[str], stem: str) -> str | None:
    joined = "_".join(tail).lower()
    if unit := _house_unit(joined, "_".join(tail)):
        return unit
    if joined in _TIMES and _TIME_STEMS.search(slugify(stem)):
        return _TIMES[joined]
    text = " ".join(tail)
    return _telling_unit(text) if len(tail) == 1 or ("/" in text and text[0] != "/") else None


def _house_unit(suffix: str, written: str) -> str | None:
    """Returns the unit of a suffix; capitals pass only where they cannot be another unit (uM is not um)."""
    unit = SUFFIXES.get(suffix)
    if unit is None or written in (suffix, unit) or re.search(r"Gy|eV|Sv|%", unit):
        return unit
    return None


def _telling_unit(text: str) -> str | None:
    spelled = _ascii(text)
    return _parsed(spelled) if _TELLING.search(spelled) else None


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(_SIGNS).strip()


def _parsed(spelled: str) -> str | None:
    try:
        parse_unit(spelled)
    except UnitError:
        return None
    return _spelling(spelled)


@lru_cache(maxsize=128)
def _spelling(unit: str) -> str:
    """Returns the house's spelling of a unit where there is one (``1/Gy`` for ``Gy^-1``)."""
    if unit in ("1", "HU", *SUFFIXES.values()):
        return unit
    return next((other for other in SUFFIXES.values() if same_unit(unit, other)), unit)


def suffix_of(unit: str | None) -> str:
    """Returns what a unit adds to a column's name."""
    if unit in (None, "1"):
        return ""
    for suffix, other in SUFFIXES.items():
        if other == unit:
            return suffix
    return slugify(str(unit).replace("1/", "per_"))


def slugify(text: str) -> str:
    """Returns the nearest slug, "" when nothing of the text can be kept. It may begin with a digit."""
    plain = unicodedata.normalize("NFKD", text.translate(_GREEK)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def column_name(stem: str, unit: str | None) -> str:
    """Returns the name of a column: its stem and its unit's suffix, beginning with a letter."""
    name = "_".join(part for part in (stem, suffix_of(unit)) if part) or "column"
    return name if name[0].isalpha() else f"value_{name}"
