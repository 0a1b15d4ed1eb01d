"""Parameter files of TOPAS, as far as a scorer's bins and weighting need them.

A line is ``type:Name = value  # comment``. Values that are calculated from other parameters are not evaluated, and
included files are not followed: a parameter that is needed and is neither plain nor there is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.io.montecarlo import PathText, existing_file, text_of
from braggbook.units import conversion_factor

_LINE = re.compile(r"\s*(?:[a-z]{1,2}[cv]?:)?([A-Za-z0-9_/]+)\s*=\s*(.*?)\s*")
_NUMBER = re.compile(r"([-+0-9.eE]+)\s*([A-Za-z][\w/]*)?")
_AGREE = 1e-6  # the CSV prints widths with six digits or more


@dataclass(frozen=True)
class TopasParameters:
    """Parameters by lower-case name, with the name of their file; names are case-insensitive in TOPAS."""

    file: str
    values: Mapping[str, str]
    includes: bool

    def text(self, name: str, *, default: str) -> str:
        """Returns a text without its quotes, or the default."""
        raw = self._raw(name)
        return default if raw is None else raw.strip('"')

    def length(self, name: str, units: str, *, default: float) -> float:
        """Returns a length or angle in a unit, or the default.

        Raises:
            ScienceError: It is there but not a plain number with a unit.
        """
        raw = self._raw(name)
        if raw is None:
            return default
        match = _NUMBER.fullmatch(raw)
        if match is None or match[2] is None:
            raise ScienceError(f"{name} is not a plain value", where=self.file, wanted=f"a number in {units}", got=raw)
        return float(match[1]) * conversion_factor(match[2], units)

    def histories(self) -> int | None:
        """Returns the histories of all sources together, None when no source states them or runs are sequential."""
        sequential = self._raw("Tf/NumberOfSequentialTimes")
        counts = [
            value for name, value in self.values.items() if re.fullmatch(r"so/[^/]+/numberofhistoriesinrun", name)
        ]
        if sequential not in (None, "1") or not counts or not all(value.isdigit() for value in counts):
            return None
        return sum(map(int, counts))

    def width_issues(self, component: str, axis: str, width: float, units: str) -> list[Issue]:
        """Returns how the width of all bins of an axis contradicts the size of their component."""
        half = {"x": "HLX", "y": "HLY", "z": "HLZ"}.get(axis)
        cylinder = f"Ge/{component}/HL"
        if axis == "z" and self._raw(cylinder) is not None:
            half = "HL"
        if half is not None and self._raw(f"Ge/{component}/{half}") is not None:
            stated = 2.0 * self.length(f"Ge/{component}/{half}", units, default=0.0)
        elif axis == "r" and self._raw(f"Ge/{component}/RMax") is not None:
            inner = self.length(f"Ge/{component}/RMin", units, default=0.0)
            stated = self.length(f"Ge/{component}/RMax", units, default=0.0) - inner
        else:
            return []
        if np.isclose(stated, width, rtol=_AGREE):
            return []
        return [
            Issue("not as wide as its component", where=axis, wanted=f"{stated:g} {units}", got=f"{width:g} {units}")
        ]

    def _raw(self, name: str) -> str | None:
        return self.values.get(name.lower())


def read_topas_parameters(path: PathText) -> TopasParameters:
    """Reads a parameter file of TOPAS.

    Raises:
        ScienceError: There is no such file, or no line of it is a parameter.
    """
    file = existing_file(path)
    values, includes = {}, False
    for line in text_of(path).splitlines():
        match = _LINE.fullmatch(line.partition("#")[0])
        if match is None or not match[2]:
            continue
        if match[1].lower() == "includefile":
            includes = True
        else:
            values[match[1].lower()] = match[2]
    if not values:
        raise ScienceError(
            "not a parameter file of TOPAS", where=file.name, wanted="lines such as 'd:Ge/World/HLX = 2 m'"
        )
    return TopasParameters(file.name, values, includes)
