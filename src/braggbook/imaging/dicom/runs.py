"""What many headers have in common: runs of whole elements that were met before, with what their bytes mean.

The slices of a series differ in some ten elements. Where a file has the bytes of a run at the beginning of an element,
it has the run's elements there, with the run's values, and neither need be walked or converted again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

_MOST_RUNS = 4096
_LONGEST = 2048  # bytes of an element in a run; longer ones are rarely the same, and take memory


class Run(NamedTuple):
    """Elements that follow each other.

    Attributes:
        data: Their bytes.
        ends: Where each ends in ``data``.
        tags: Of each, as they were given.
        values: Keyword to value of those that are kept.
        first: The smallest tag that is kept; 0 without any.
        last: The largest one.
    """

    data: bytes
    ends: tuple[int, ...]
    tags: tuple[int, ...]
    values: dict[str, Any]
    first: int
    last: int


@dataclass(slots=True)
class Memory:
    """Runs of explicit and of implicit files, by the tag that they begin with; all of one character set.

    Attributes:
        explicit: Of files whose elements have a VR.
        implicit: Of files whose elements have none.
        varying: Tags that differ from file to file, and end every run.
        charset: Bytes of the character set that the values were decoded with.
    """

    explicit: dict[int, Run] = field(default_factory=dict)
    implicit: dict[int, Run] = field(default_factory=dict)
    varying: set[int] = field(default_factory=set)
    charset: bytes = b""

    def of(self, charset: bytes, *, implicit: bool) -> dict[int, Run]:
        """Returns the runs that hold in a file; those of another character set are forgotten."""
        if charset != self.charset:
            self.explicit.clear()
            self.implicit.clear()
            self.charset = charset
        return self.implicit if implicit else self.explicit


@dataclass(slots=True)
class Builder:
    """Gathers elements of one file into runs.

    Attributes:
        known: Gets the runs.
        start: Position of the run that is being gathered.
    """

    known: dict[int, Run]
    start: int = 0
    ends: list[int] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    first: int = 0
    last: int = 0

    def add(self, tag: int, at: int, length: int) -> None:
        """Appends an element that begins at a position and is so many bytes long."""
        if not self.ends:
            self.start = at
        self.ends.append(at + length - self.start)
        self.tags.append(tag)

    def keep(self, tag: int, keyword: str, value: Any) -> None:
        """Notes the value of the element that was added last."""
        if value is not None:
            self.values[keyword] = value
        self.first, self.last = self.first or tag, tag

    def close(self, data: bytes, offset: int) -> None:
        """Ends the run; ``data`` are the bytes of the file from ``offset`` on."""
        if not self.ends:
            return
        if len(self.known) >= _MOST_RUNS:
            self.known.clear()
        begin = self.start - offset
        held = data[begin : begin + self.ends[-1]]
        run = Run(held, tuple(self.ends), tuple(self.tags), self.values, self.first, self.last)
        self.known[self.tags[0]] = run
        self.ends, self.tags, self.values, self.first, self.last = [], [], {}, 0, 0


def fits(length: int) -> bool:
    """Whether an element of a length may be in a run."""
    return length <= _LONGEST


def first_differing(run: Run, data: bytes, place: int) -> int:
    """Returns the tag of the first element of a run that is other bytes at a place."""
    begin = 0
    for end, tag in zip(run.ends, run.tags, strict=True):
        if data[place + begin : place + end] != run.data[begin:end]:
            return tag
        begin = end
    return run.tags[-1]
