"""Formatted USRBIN files: the listing of usbrea, or of FLUKA itself when the logical unit was positive."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from braggbook.errors import ScienceError
from braggbook.radiobiology.io.fluka_usrbin import Binning, Floats, UsrbinFile, count_of
from braggbook.radiobiology.io.montecarlo import PathText, existing_file, text_of

_NUMBER = r"([-+]?\d*\.?\d+(?:[ED][-+]?\d+)?)"
_HEAD = re.compile(
    r"(Cartesian|R - Z|R-Phi-Z|Region|Reg/Lat/U)\s+binning n\.\s*(\d+)\s+\"(.*?)\"\s*,"
    r"\s*generalized particle n\.\s*(-?\d+)"
)
_LIMITS = re.compile(rf"([XYZRP]) coordinate: from\s+{_NUMBER}\s+to\s+{_NUMBER}\s+(?:cm|rad),\s*(\d+) bins")
_TITLE = re.compile(r"\*{5}\s{1,2}(.*?)\s*\*{5}")
_COUNT = re.compile(
    rf"Total number of particles followed\s+(\d+)\.?\s*,\s*for a\s+total weight of\s+{_NUMBER}", re.IGNORECASE
)
_KINDS = {"Cartesian": 0, "R - Z": 1, "R-Phi-Z": 1, "Region": 2, "Reg/Lat/U": 8}
_AXES = {"Cartesian": "XYZ", "R - Z": "RZ", "R-Phi-Z": "RPZ"}
_TRACKED = "accurate deposition along the tracks requested"
_SYMMETRIES = {"X": 3, "Y": 4, "Z": 5}
_ALL_AROUND = (-np.pi, np.pi, 1)
_VALUES = re.compile(rf"\s*{_NUMBER}(\s+{_NUMBER})*\s*", re.IGNORECASE)


@dataclass
class _Part:
    """The lines of one binning."""

    head: re.Match[str]
    lines: list[tuple[int, str]]


def read_listing(path: PathText) -> UsrbinFile:
    """Reads a formatted USRBIN file.

    Raises:
        ScienceError: It has no binning, or a binning has too few or too many values, with the line.
    """
    name = existing_file(path).name
    text = text_of(path)
    parts = _parts(text)
    if not parts:
        raise ScienceError(
            "not a USRBIN file of FLUKA", where=name, wanted="Fortran records, or a line 'Cartesian binning n. 1 ...'"
        )
    if not text.endswith("\n"):  # "1.2345E-05" cut to "1.2345E-0" would still be a number
        raise ScienceError("the last line has no end: the listing is cut off", where=name)
    title, count = _TITLE.search(text), _COUNT.search(text)
    return UsrbinFile(
        title=title[1].strip() if title else "not stated",
        date="not stated",
        primaries=int(count[1]) if count else 0,
        weight=_float(count[2]) if count else 0.0,
        binnings=tuple(_binning(part, where=name) for part in parts),
    )


def _parts(text: str) -> list[_Part]:
    parts: list[_Part] = []
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.search(line):
            parts.append(_Part(head, []))
        elif parts:
            parts[-1].lines.append((number, line))
    return parts


def _binning(part: _Part, *, where: str) -> Binning:
    kind, number, name, particle = part.head.groups()
    label = f"{where}, {name.strip()}"
    if kind not in _AXES:
        raise ScienceError("a binning by region has no grid", where=label, wanted="a Cartesian or R-Phi-Z binning")
    limits = {match[1]: match for _, line in part.lines if (match := _LIMITS.search(line))}
    missing = [axis for axis in _AXES[kind] if axis not in limits]
    if missing:
        raise ScienceError(
            "a binning without its limits", where=label, wanted=f"lines '{missing[0]} coordinate: from ...'"
        )
    found = tuple(
        (_float(limits[axis][2]), _float(limits[axis][3]), int(limits[axis][4])) if axis in limits else _ALL_AROUND
        for axis in ("RPZ" if "R" in _AXES[kind] else "XYZ")
    )
    count = count_of(tuple(bins for _, _, bins in found), where=label)
    values, errors = _blocks(part)
    _check(values, count, f"{label}, values")
    if errors is not None:
        _check(errors, count, f"{label}, errors")
    said = "\n".join(line for _, line in part.lines)
    code = _KINDS[kind] + _symmetry(said, kind) + (10 if _TRACKED in said else 0)
    return Binning(
        int(number), name.strip(), code, int(particle), found, values, None if errors is None else errors / 100.0
    )


def _blocks(part: _Part) -> tuple[Floats, Floats | None]:
    """Returns the numbers below "Data follow" and below "Percentage errors follow"."""
    blocks: list[list[str]] = []
    for _, line in part.lines:
        if "Data follow" in line or "errors follow" in line:
            blocks.append([])
        elif blocks and _VALUES.fullmatch(line) and line[:5].strip() == "":
            blocks[-1] += line.split()
    numbers = [np.array([_float(word) for word in block], dtype=np.float64) for block in blocks]
    return (numbers[0] if numbers else np.empty(0)), (numbers[1] if len(numbers) > 1 else None)


def _check(values: Floats, count: int, where: str) -> None:
    if len(values) != count:
        what = "the listing is cut off" if len(values) < count else "more values than bins"
        raise ScienceError(what, where=where, wanted=f"{count} numbers", got=str(len(values)))


def _symmetry(said: str, kind: str) -> int:
    axes = [axis for axis in "XYZ" if f"+/- {axis} symmetry requested" in said]
    if not axes:
        return 0
    if kind != "Cartesian":
        return 6  # R-Phi-Z is kind 1, with symmetry in Z kind 7
    return 6 if len(axes) > 1 else _SYMMETRIES[axes[0]]


def _float(word: str) -> float:
    return float(word.upper().replace("D", "E"))
