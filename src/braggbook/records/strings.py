"""What can be read among numbers: runs of letters and signs in bytes of any kind, and where they are."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any

import numpy as np

SHORTEST = 6  # bytes; shorter ones are there by chance, one in three hundred places


@dataclass(frozen=True)
class Strings:
    """Readable runs, one in a line.

    Attributes:
        text: All of them.
        starts: Where in ``text`` each begins.
        places: Where in the data each begins.
    """

    text: bytes
    starts: list[int]
    places: list[int]

    def place(self, at: int) -> int:
        """Returns where in the data a place of the text is, about."""
        number = bisect.bisect_right(self.starts, at) - 1
        return self.places[number] + at - self.starts[number] if number >= 0 else 0


def strings_in(data: bytes) -> Strings:
    """Returns the readable runs of ``data``; texts of wide characters (UTF-16, NumPy's) among them."""
    array = np.frombuffer(data, dtype=np.uint8)
    seen = (array >= 32) & (array < 127)
    found = [(start, data[start:end]) for start, end in _runs(seen)]
    for step in (2, 4):
        wide = seen[: len(seen) - step + 1].copy()
        for more in range(1, step):
            wide &= array[more : more + len(wide)] == 0
        for shift in range(step):
            pairs = [(step * start + shift, step * end + shift) for start, end in _runs(wide[shift::step])]
            found += [(start, data[start:end:step]) for start, end in pairs]
    starts, at = [], 0
    for _, text in found:
        starts.append(at)
        at += len(text) + 1
    return Strings(b"\n".join(text for _, text in found), starts, [place for place, _ in found])


def _runs(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Returns begin and end of every run of True that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    begin, end = edges[::2], edges[1::2]
    long = end - begin >= SHORTEST
    return list(zip(begin[long].tolist(), end[long].tolist(), strict=True))
