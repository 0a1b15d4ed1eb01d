"""The options of the confidentiality profile (PS3.15, annex E.3) that can be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from braggbook.errors import ImagingError, Issue, closest

BASIC = "113100"
Dates = Literal["shift", "keep", "remove"]

# name on the command line -> code and meaning of context group 7050
OPTIONS = {
    "clean-pixel-data": ("113101", "Clean Pixel Data Option"),
    "clean-recognizable-visual-features": ("113102", "Clean Recognizable Visual Features Option"),
    "clean-graphics": ("113103", "Clean Graphics Option"),
    "clean-structured-content": ("113104", "Clean Structured Content Option"),
    "clean-descriptors": ("113105", "Clean Descriptors Option"),
    "retain-full-dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "retain-modified-dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "retain-patient-characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain-device-identity": ("113109", "Retain Device Identity Option"),
    "retain-uids": ("113110", "Retain UIDs Option"),
    "retain-safe-private": ("113111", "Retain Safe Private Option"),
    "retain-institution-identity": ("113112", "Retain Institution Identity Option"),
}
_NAMES = {code: name for name, (code, _) in OPTIONS.items()}
BASIC_MEANING = "Basic Application Confidentiality Profile"


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels to be blanked in every frame: left, top, width and height in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Options:
    """What is done beyond the basic profile."""

    codes: frozenset[str]  # of the options, basic profile left out
    dates: Dates = "shift"
    regions: tuple[Region, ...] = ()  # to be blanked
    pixels_reviewed: bool = False  # a person has seen that no text is burnt in
    faces_removed: bool = False  # a defacer has been at work, or there is no head

    def has(self, code: str) -> bool:
        """Whether an option is in force."""
        return code in self.codes

    def methods(self) -> list[tuple[str, str]]:
        """Returns code and meaning of everything in force, for DeidentificationMethodCodeSequence."""
        return [(BASIC, BASIC_MEANING), *((code, OPTIONS[_NAMES[code]][1]) for code in sorted(self.codes))]


def make_options(
    names: Iterable[str] = (),
    *,
    remove_dates: bool = False,
    regions: Iterable[Region] = (),
    pixels_reviewed: bool = False,
    faces_removed: bool = False,
) -> Options:
    """Returns options from their names or codes; dates are shifted unless something else is asked for.

    Raises:
        ImagingError: An option is unknown, contradicts another or cannot be done; ``issues`` lists all.
    """
    issues: list[Issue] = []
    codes = {_code(name, issues) for name in names} - {"", BASIC}
    places = tuple(regions)
    dates: Dates = "keep" if "113106" in codes else "remove" if remove_dates else "shift"
    if "113102" in codes:
        wanted = "a defacer's output, and faces_removed (--faces-removed)"
        issues.append(Issue("Braggbook has no defacer: recognizable features cannot be cleaned", wanted=wanted))
    if ("113101" in codes) != bool(places):
        issues.append(
            Issue("clean-pixel-data and regions to blank belong together", wanted="--blank LEFT,TOP,WIDTH,HEIGHT")
        )
    if ("113106" in codes and ("113107" in codes or remove_dates)) or ("113107" in codes and remove_dates):
        issues.append(Issue("dates cannot be kept, moved and removed at once", wanted="one of these"))
    issues += [
        Issue("a region without pixels", got=str(r))
        for r in places
        if min(r.width, r.height) < 1 or min(r.left, r.top) < 0
    ]
    if issues:
        raise ImagingError(
            "the options cannot be used", issues=issues, next_command="braggbook dicom deidentify --help"
        )
    if dates == "shift":
        codes.add("113107")
    return Options(frozenset(codes), dates, places, pixels_reviewed, faces_removed)


def _code(name: str, issues: list[Issue]) -> str:
    if name in _NAMES or name == BASIC:
        return name
    if name in OPTIONS:
        return OPTIONS[name][0]
    issues.append(Issue(f"no option named {name!r}", wanted=closest(name, OPTIONS)))
    return ""
