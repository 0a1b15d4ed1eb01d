"""The body of an SDD file: damages as columns, parsed a block of lines at a time.

A record has one part per flag that is set, parted by semicolons. Parts that have a fixed number of values become
columns of ``damages``; those of varying length become long tables that name their damage. Values inside a part may
be parted by commas, slashes or blanks, because writers differ in that: SDD's own examples write ``1 1 1/2 1 1/``
where TOPAS-nBio writes ``2, 3, 2 / 2, 4, 2``.

Source: J. Schuemann et al., Radiat Res 191 (2019) 76-92, doi:10.1667/RR15209.1, table 2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BETWEEN = re.compile(r"\s*[,/]\s*|\s+")
_POSITION = ("x_um", "y_um", "z_um")
_EXTENT = ("x_max_um", "y_max_um", "z_max_um", "x_min_um", "y_min_um", "z_min_um")


@dataclass(frozen=True)
class FixedPart:
    """A part of a record with a fixed number of values.

    Attributes:
        number: Its number in SDD 1.0, from 1.
        title: What it is called in errors.
        columns: Column names, one per value.
        lengths: How many values there may be; the first record settles which.
        whole: Whether the values are whole numbers.
    """

    number: int
    title: str
    columns: tuple[str, ...]
    lengths: tuple[int, ...]
    whole: bool


FIXED = {
    part.number: part
    for part in (
        FixedPart(1, "classification", ("classification", "event_id"), (1, 2), whole=True),
        FixedPart(2, "position", _POSITION + _EXTENT, (3, 9), whole=False),
        FixedPart(3, "chromosome ID", ("dna_structure", "chromosome", "chromatid", "arm"), (4,), whole=True),
        FixedPart(4, "chromosome position", ("chromosome_position",), (1,), whole=False),
        FixedPart(5, "cause", ("cause", "direct", "indirect"), (1, 3), whole=True),
        FixedPart(6, "damage types", ("base_damages", "strand_breaks", "dsb"), (3,), whole=True),
    )
}
BREAKS, SEQUENCE, LESION_TIME = 7, 8, 9
# Number in SDD 1.0: title, columns of the table of particles, whether the values are whole.
PARTICLE_PARTS: dict[int, tuple[str, tuple[str, ...], bool]] = {
    10: ("particle types", ("particle_type",), True),
    11: ("particle energies", ("energy_mev",), False),
    12: ("particle translations", ("x_um", "y_um", "z_um"), False),
    13: ("particle directions", ("direction_x", "direction_y", "direction_z"), False),
    14: ("particle times", ("time_ns",), False),
}
# A record that is written over more lines than this is none: it bounds what one broken line can hold up.
_MOST_LINES_OF_A_RECORD = 100

LESION_COLUMNS = ("strand", "base_pair", "kind")

TITLES = {
    **{number: part.title for number, part in FIXED.items()},
    BREAKS: "break specification",
    SEQUENCE: "DNA sequence",
    LESION_TIME: "lesion times",
    **{number: part[0] for number, part in PARTICLE_PARTS.items()},
}


@dataclass(frozen=True, eq=False)
class BodyPart:
    """The damages of some records, and what varies in length among them; ``damage`` counts from 0 in the file.

    Attributes:
        damages: A row per damage, indexed by its number in the file: ``line`` and the columns that are there.
        lesions: A row per lesion of the break specification: damage, strand, base_pair, kind.
        lesion_times: A row per time: damage, time_ns.
        particles: A row per particle: damage, and the columns that are there.
    """

    damages: pd.DataFrame
    lesions: pd.DataFrame
    lesion_times: pd.DataFrame
    particles: pd.DataFrame


@dataclass
class BodyParser:
    """Parses blocks of numbered lines and remembers where in the file it is.

    Attributes:
        entries: The 14 flags of the header.
        issues: What could not be parsed, with line numbers.
    """

    entries: tuple[bool, ...]
    issues: list[Issue] = field(default_factory=list)
    _lengths: dict[int, int] = field(default_factory=dict)
    _damages: int = 0
    _exposure: int = -1
    _primary: int = -1
    _held: list[tuple[int, str]] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        """The parts that are there, by their numbers in SDD 1.0."""
        return [number for number, there in enumerate(self.entries, start=1) if there]

    def parse(self, lines: Sequence[tuple[int, str]], *, last: bool = False) -> BodyPart:
        """Parses a block of lines without blank ones; records that are not readable are issues and left out.

        The last record of a block may go on in the next one and is kept for it, unless the block is the last.
        """
        lines = [*self._held, *lines]
        whole = len(lines) if last else self._last_record(lines)
        self._held = lines[whole:]
        at, records = self._records(lines[:whole])
        texts = map(list, zip(*records, strict=True)) if records else ([] for _ in self.numbers)
        columns = dict(zip(self.numbers, texts, strict=True))
        bad = np.zeros(len(records), dtype=np.bool_)
        fixed = {n: self._fixed(n, columns[n], at=at, bad=bad) for n in columns if n in FIXED}
        flat = {n: self._flat(n, columns[n], at=at, bad=bad) for n in columns if n not in FIXED and n != SEQUENCE}
        self._check_particles(flat, at=at, bad=bad)
        return self._assemble(at, columns=columns, fixed=fixed, flat=flat, good=~bad)

    def _last_record(self, lines: Sequence[tuple[int, str]]) -> int:
        """Returns the place of the last line that looks like a whole record; all lines if there is none for long."""
        wanted = len(self.numbers)
        places = range(len(lines) - 1, max(len(lines) - _MOST_LINES_OF_A_RECORD, -1), -1)
        return next((n for n in places if len(_parts(lines[n][1], wanted)) == wanted), len(lines))

    def _records(self, lines: Sequence[tuple[int, str]]) -> tuple[Ints, list[list[str]]]:
        """Cuts lines into records; a record that goes on over the next lines is put together."""
        wanted = len(self.numbers)
        at: list[int] = []
        records: list[list[str]] = []
        waiting: list[tuple[int, str]] = []
        ended = True  # whether the last record's semicolon has come
        for number, line in lines:
            parts = _parts(line, wanted)
            if len(parts) == wanted:
                self._refuse_records(waiting, wanted=wanted)
                waiting, ended = [], line.endswith(";")
                at.append(number)
                records.append(parts)
            elif not ended and not waiting and len(parts) == 1:
                records[-1][-1] += f" {parts[0]}"
                ended = line.endswith(";")
            else:
                waiting.append((number, line))
                parts = _parts(" ".join(text for _, text in waiting), wanted)
                if len(parts) == wanted:
                    at.append(waiting[0][0])
                    records.append(parts)
                    waiting, ended = [], line.endswith(";")
                elif len(parts) > wanted or len(waiting) >= _MOST_LINES_OF_A_RECORD:
                    self._refuse_records(waiting, wanted=wanted)
                    waiting, ended = [], True
        self._refuse_records(waiting, wanted=wanted)
        return np.asarray(at, dtype=np.int64), records

    def _refuse_records(self, lines: list[tuple[int, str]], *, wanted: int) -> None:
        for number, line in lines:
            got = len(_parts(line, wanted))
            self.issues.append(
                Issue(
                    "not a damage record",
                    where=f"line {number}",
                    wanted=f"{wanted} fields, as Data entries says",
                    got=f"{got}: {_short(line)}",
                )
            )

    def _fixed(self, number: int, texts: list[str], *, at: Ints, bad: NDArray[np.bool_]) -> Floats:
        """Returns the values of a part, shape (records, values); marks records that are not readable."""
        part = FIXED[number]
        rows = [text.replace("/", ",").split(",") for text in texts]
        if number not in self._lengths and texts:
            first = _values(texts[0])
            self._lengths[number] = len(first) if len(first) in part.lengths else max(part.lengths)
        length = self._lengths.get(number, max(part.lengths))
        for index, row in enumerate(rows):
            if len(row) != length or len(row[0].split()) > 1:
                rows[index] = _values(texts[index])
            if len(rows[index]) != length:
                self._refuse(number, f"{length} numbers", texts[index], line=at[index])
                bad[index] = True
                rows[index] = ["0"] * length
        values = self._numbers([text for row in rows for text in row], length, at=at, number=number, bad=bad)
        return values.reshape(len(texts), length)

    def _flat(self, number: int, texts: list[str], *, at: Ints, bad: NDArray[np.bool_]) -> tuple[Ints, Floats]:
        """Returns how many entries each record has in a part of varying length, and all values in order."""
        width = 3 if number in (BREAKS, 12, 13) else 1
        if number == BREAKS:  # each group must be a three: 1, 2 / 3, 4, 5, 6 has six numbers and is none
            groups = [[group.split() for group in text.replace(",", " ").split("/")] for text in texts]
            wrong = np.array([any(len(group) not in (0, width) for group in row) for row in groups], dtype=np.bool_)
            rows = [[value for group in row for value in group] for row in groups]
        else:  # SDD's examples part the coordinates of one particle by slashes, others part particles so
            rows = [text.replace(",", " ").replace("/", " ").split() for text in texts]
            wrong = np.array([len(row) % width != 0 for row in rows], dtype=np.bool_)
        counts = np.array([len(row) for row in rows], dtype=np.int64)
        for index in np.flatnonzero(wrong):
            self._refuse(number, f"numbers in groups of {width}", texts[index], line=at[index])
            bad[index] = True
            rows[index] = []
        counts[wrong] = 0
        owners = np.repeat(np.arange(len(texts)), counts)
        values = self._numbers([v for row in rows for v in row], 1, at=at, number=number, bad=bad, owners=owners)
        return counts // width, values.reshape(-1, width)

    def _numbers(
        self,
        texts: list[str],
        length: int,
        *,
        at: Ints,
        number: int,
        bad: NDArray[np.bool_],
        owners: Ints | None = None,
    ) -> Floats:
        """Returns texts as numbers; those that are none mark their record, by ``owners`` or by place."""
        try:
            values = np.array(texts, dtype=np.float64)
        except (ValueError, OverflowError):
            values = np.array([_number(text) for text in texts], dtype=np.float64)
        wrong = ~np.isfinite(values)
        if number in (BREAKS, 10) or (number in FIXED and FIXED[number].whole):
            wrong |= np.abs(values) > 2.0**53  # beyond this a float does not hold every whole number
            with np.errstate(invalid="ignore"):
                wrong |= values != np.floor(values)
        for index in np.flatnonzero(wrong):
            record = int(index) // length if owners is None else int(owners[index])
            self._refuse(number, "numbers", texts[index], line=at[record])
            bad[record] = True
        values[wrong] = 0.0
        return values

    def _check_particles(self, flat: dict[int, tuple[Ints, Floats]], *, at: Ints, bad: NDArray[np.bool_]) -> None:
        """Marks records whose particle fields do not name the same number of particles."""
        numbers = [number for number in flat if number in PARTICLE_PARTS]
        for number in numbers[1:]:
            differs = (flat[number][0] != flat[numbers[0]][0]) & ~bad
            for index in np.flatnonzero(differs):
                wanted = f"{flat[numbers[0]][0][index]}, as in {TITLES[numbers[0]]}"
                self._refuse(number, wanted, str(flat[number][0][index]), line=at[index])
            bad |= differs

    def _refuse(self, number: int, wanted: str, got: str, *, line: int) -> None:
        what = f"field {number} ({TITLES[number]}) is not readable"
        self.issues.append(Issue(what, where=f"line {line}", wanted=wanted, got=repr(_short(got.strip()))))

    def _assemble(
        self,
        at: Ints,
        *,
        columns: dict[int, list[str]],
        fixed: dict[int, Floats],
        flat: dict[int, tuple[Ints, Floats]],
        good: NDArray[np.bool_],
    ) -> BodyPart:
        kept = int(good.sum())
        ids = np.arange(self._damages, self._damages + kept)
        self._damages += kept
        table: dict[str, object] = {"line": at[good]}
        for number, values in fixed.items():
            part = FIXED[number]
            for place in range(values.shape[1]):
                column = values[good, place]
                table[part.columns[place]] = column.astype(np.int64) if part.whole else column
        if "classification" in table:
            table |= self._counters(np.asarray(table["classification"]))
        if SEQUENCE in columns:
            table["sequence"] = [t.strip() for t, g in zip(columns[SEQUENCE], good, strict=True) if g]
        position = np.full(len(good), -1)
        position[good] = ids
        lesions = _long(flat.get(BREAKS), LESION_COLUMNS, position=position, whole=True)
        times = _long(flat.get(LESION_TIME), ("time_ns",), position=position, whole=False)
        return BodyPart(pd.DataFrame(table, index=ids), lesions, times, _particles(flat, position=position))

    def _counters(self, classification: NDArray[np.int64]) -> dict[str, object]:
        """Returns the exposure and the primary of each damage, both counted from 0 through the file."""
        if len(classification) == 0:
            return {"exposure": classification, "primary": classification}
        starts_exposure, starts_primary = classification == 2, classification >= 1
        if self._exposure < 0:  # whatever the first record says, it begins an exposure and a primary
            starts_exposure[0] = starts_primary[0] = True
        exposure = self._exposure + np.cumsum(starts_exposure)
        primary = self._primary + np.cumsum(starts_primary)
        self._exposure, self._primary = int(exposure[-1]), int(primary[-1])
        return {"exposure": exposure, "primary": primary}


def _long(found: tuple[Ints, Floats] | None, columns: tuple[str, ...], *, position: Ints, whole: bool) -> pd.DataFrame:
    """Returns a long table of a part, without the records that were left out (position -1)."""
    counts, values = found if found is not None else (np.zeros(len(position), np.int64), np.empty((0, len(columns))))
    damage = np.repeat(position, counts)
    kept = values[damage >= 0]
    kept = kept.astype(np.int64) if whole else kept
    return pd.DataFrame({"damage": damage[damage >= 0], **{name: kept[:, i] for i, name in enumerate(columns)}})


def _particles(flat: dict[int, tuple[Ints, Floats]], *, position: Ints) -> pd.DataFrame:
    tables = [
        _long(flat[number], names, position=position, whole=whole)
        for number, (_, names, whole) in PARTICLE_PARTS.items()
        if number in flat
    ]
    if not tables:
        return pd.DataFrame({"damage": np.empty(0, dtype=np.int64)})
    return pd.concat([tables[0], *(table.drop(columns="damage") for table in tables[1:])], axis=1)


def _parts(line: str, wanted: int) -> list[str]:
    """Returns the parts of a record. The last ones may be empty, and there may be a semicolon too many."""
    parts = line.strip().removesuffix(";").split(";")
    while len(parts) > max(wanted, 1) and not parts[-1].strip():
        parts.pop()
    return parts


def _values(text: str) -> list[str]:
    """Returns the values of a part: parted by commas, slashes or blanks, the last one perhaps followed by one."""
    return _BETWEEN.split(text.strip().rstrip(",/").strip())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _short(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
