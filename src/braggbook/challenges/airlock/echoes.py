"""Finds what was only in the inputs in what came out: marks that were hidden there, and whole lines of text.

Plain echoes only: a mark as it is or backwards, in any case, as UTF-8, UTF-16 or UTF-32. Whoever encodes can always
carry something out in numbers; but the receipt is the only way out, and it repeats no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from braggbook.datasets.catalogue import Dataset
from braggbook.errors import DatasetError, DatasetMissing, InputError

ECHO = "echoes its inputs"
_SHORTEST_MARK = 8  # characters; a shorter one could stand there by chance
SHORTEST_LINE = 20  # characters; a shorter line of the inputs may be anybody's
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".md", ".json", ".toml", ".yaml", ".yml", ".xml", ".html")
_LARGEST_TEXT_BYTES = 64 << 20  # of one text of the inputs, which is kept in memory
_WORTH_A_LOOK_BYTES = 1 << 16  # from here on it pays to count which bytes there are before searching


class Marks:
    """The strings that were hidden in the inputs."""

    def __init__(self, canaries: Sequence[str]) -> None:
        """Prepares the search.

        Raises:
            InputError: A mark is so short that it could be there by chance.
        """
        if any(len(canary) < _SHORTEST_MARK for canary in canaries):
            raise InputError("a canary that is too short", wanted=f"at least {_SHORTEST_MARK} characters")
        spelled = {text for canary in canaries for text in (canary, canary[::-1])}
        needles = {text.encode(encoding).lower() for text in spelled for encoding in _ENCODINGS}
        self.needles = [(needle, frozenset(needle)) for needle in sorted(needles)]
        self.longest = max((len(needle) for needle in needles), default=0)

    def are_in(self, data: bytes) -> bool:
        """Tells whether bytes hold one of the marks."""
        lower = data.lower()
        there = _bytes_in(lower) if len(lower) > _WORTH_A_LOOK_BYTES else None
        return any((there is None or signs <= there) and needle in lower for needle, signs in self.needles)

    def are_in_name(self, name: str) -> bool:
        """Tells whether a file's name holds one of the marks."""
        return self.are_in(name.encode(errors="surrogateescape"))

    def watch(self) -> Watch:
        """Returns a watch over a stream of bytes."""
        return Watch(self)


class Watch:
    """Looks for marks in a stream, block by block, also where one lies across two blocks."""

    def __init__(self, marks: Marks) -> None:
        """Begins a stream."""
        self._marks = marks
        self._tail = b""
        self.found = False

    def feed(self, block: bytes) -> None:
        """Takes the next block."""
        if self.found or not self._marks.longest:
            return
        data = self._tail + block
        self.found = self._marks.are_in(data)
        self._tail = data[-(self._marks.longest - 1) :]


def _bytes_in(data: bytes) -> frozenset[int]:
    counts = np.bincount(np.frombuffer(data, dtype=np.uint8), minlength=256)
    return frozenset(np.flatnonzero(counts).tolist())


class Lines:
    """The longer lines of all texts among the inputs."""

    def __init__(self, inputs: Dataset, *, ordinary: Iterable[str] = ()) -> None:
        """Reads the texts.

        Args:
            inputs: The dataset.
            ordinary: Lines that anybody may write, such as the names of the cases.

        Raises:
            DatasetError: One is missing, or too large to be kept.
        """
        self._ordinary = {_bare(line) for line in ordinary}
        self._by_start: dict[str, list[str]] = {}
        for file in inputs.card.files:
            if file.path.lower().endswith(_TEXTS):
                for line in set(_text(inputs, file.path).splitlines()):
                    self._keep(_bare(line))

    def _keep(self, line: str) -> None:
        if len(line) >= SHORTEST_LINE and line not in self._ordinary:
            self._by_start.setdefault(line[:SHORTEST_LINE], []).append(line)

    def are_in(self, rows: Iterable[str], *, delimiter: str = ",") -> bool:
        """Tells whether rows of a table hold a whole line, beginning at any of their cells."""
        return bool(self._by_start) and any(self._is_in(_bare(row), delimiter) for row in rows)

    def _is_in(self, row: str, delimiter: str) -> bool:
        start = 0
        while len(row) - start >= SHORTEST_LINE:
            known = self._by_start.get(row[start : start + SHORTEST_LINE], ())
            if any(row.startswith(line, start) for line in known):
                return True
            start = row.find(delimiter, start) + 1
            if not start:
                break
        return False


def _bare(line: str) -> str:
    return line.replace('"', "").strip().casefold()


def _text(inputs: Dataset, path: str) -> str:
    place = inputs.folder / path
    try:
        if place.stat().st_size > _LARGEST_TEXT_BYTES:
            wanted = f"at most {_LARGEST_TEXT_BYTES >> 20} MB for one text of the inputs"
            raise DatasetError("a text that is too large", where=f"{inputs.reference}: {path}", wanted=wanted)
        return place.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        raise DatasetMissing("a file of the inputs is missing", where=f"{inputs.reference}: {path}") from None
