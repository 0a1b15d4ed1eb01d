"""What a structure's name promises: a side, and a volume that an organ of that name can have.

Volumes: ICRP 89 (2002), table 2.8, reference masses of the newborn and the adult (1 g to 1 cm3; lungs with air, heart
and bladder with content), from a quarter of the first to four times the second, in ``data/organ_volumes.csv``.
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from importlib import resources

_SIDE = re.compile(r"(?i)^(.*?)[ _-]+(L|R|left|right|lt|rt)$|^(left|right|lt|rt|L|R)[ _-]+(.*)$")


def side_of(name: str) -> tuple[str, str] | None:
    """Returns what a name says without its side, and ``L`` or ``R``; None when it has none."""
    found = _SIDE.match(name.strip())
    if not found:
        return None
    word, rest = found[2] or found[3], found[1] if found[2] else found[4]
    return rest.strip(" _-").casefold(), "L" if word[0] in "lL" else "R"


@lru_cache(maxsize=1)
def _ranges() -> dict[str, tuple[float, float]]:
    text = resources.files("braggbook.imaging.quality").joinpath("data", "organ_volumes.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["name"].casefold(): (float(row["smallest_cc"]), float(row["largest_cc"])) for row in rows}


def volume_range_cc(name: str) -> tuple[float, float] | None:
    """Returns the smallest and largest volume in cm3 of an organ of that name, None when none is stated."""
    root = side[0] if (side := side_of(name)) else name.strip().casefold()
    return _ranges().get(root.replace(" ", ""))
