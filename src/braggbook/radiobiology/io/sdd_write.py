"""Writes SDD 1.0 files: reading one back gives the same header texts and the same tables, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from braggbook.errors import Issue, ScienceError, StorageError
from braggbook.radiobiology.io.sdd import SddFile
from braggbook.radiobiology.io.sdd_body import BREAKS, FIXED, LESION_COLUMNS, LESION_TIME, PARTICLE_PARTS, SEQUENCE
from braggbook.radiobiology.io.sdd_header import FLAGS, HeaderField, SddHeader, type_header

_ROWS = 50_000  # records whose text is held at once


def write_sdd(file: SddFile, target: str | PathLike[str] | TextIO) -> None:
    """Writes an SDD file. Header lines keep their texts; Data entries follow from the columns that are there.

    Damage and primary counts are written as the header has them: see :func:`with_counts`.

    Raises:
        ScienceError: The tables do not make records: a column without its part's others, a lesion of no damage, a
            value that is not finite, a text that holds a separator.
        StorageError: The file cannot be written.
    """
    entries = entries_of(file)
    _check(file, entries)
    header = set_field(file.header, "Data entries", ", ".join("1" if there else "0" for there in entries))
    if not isinstance(target, str | PathLike):
        target.writelines(_lines(file, header, entries=entries))
        return
    try:
        with Path(target).open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            stream.writelines(_lines(file, header, entries=entries))
    except OSError as error:
        raise StorageError("the SDD file cannot be written", where=str(target), got=str(error)) from error


def set_field(header: SddHeader, name: str, text: str) -> SddHeader:
    """Returns a header with another text in a field; the field is added where the header has none."""
    fields = [replace(field, text=text) if field.name == name else field for field in header.fields]
    if all(field.name != name for field in fields):
        fields.append(HeaderField(name, text))
    return type_header(fields)


def with_counts(file: SddFile, *, primaries: int | None = None) -> SddFile:
    """Returns the file with "Damage and primary count" set to what the body holds.

    Args:
        file: The file.
        primaries: Primaries simulated, where some left no damage; at least as many as the body has.

    Raises:
        ScienceError: There are more primaries in the body.
    """
    count = file.primaries if primaries is None else primaries
    if count < file.primaries:
        raise ScienceError("fewer primaries than the body has", wanted=f"at least {file.primaries}", got=str(count))
    text = f"{len(file.damages)}, {count}"
    return replace(file, header=set_field(file.header, "Damage and primary count", text))


def entries_of(file: SddFile) -> tuple[bool, ...]:
    """Returns which of the 14 body fields the tables hold."""
    names = set(file.damages.columns)
    there = {number: part.columns[0] in names for number, part in FIXED.items()}
    there |= {BREAKS: len(file.lesions) > 0, SEQUENCE: "sequence" in names, LESION_TIME: len(file.lesion_times) > 0}
    there |= {number: columns[0] in file.particles for number, (_, columns, _) in PARTICLE_PARTS.items()}
    announced = file.header.data_entries or (False,) * FLAGS
    # A table of varying length may be empty although the file has the field, in every record without an entry.
    return tuple(there[n] or (announced[n - 1] and n not in FIXED and n != SEQUENCE) for n in range(1, FLAGS + 1))


def _check(file: SddFile, entries: tuple[bool, ...]) -> None:
    issues = [
        Issue("part of a field is missing", where=f"field {number}", wanted=", ".join(part.columns))
        for number, part in FIXED.items()
        if entries[number - 1] and _length(file, number) not in part.lengths
    ]
    if not entries[0]:
        issues.append(Issue("no column 'classification'"))
    if not file.damages.index.equals(pd.RangeIndex(len(file.damages))):
        issues.append(Issue("damages are not numbered from 0", wanted="the index 0, 1, 2, ..."))
    for name in ("damages", "lesions", "lesion_times", "particles"):
        table = getattr(file, name)
        numbers = table.select_dtypes("number")
        if numbers.size and not np.isfinite(numbers.to_numpy(dtype=np.float64)).all():
            issues.append(Issue("a number is not finite", where=name))
        if name != "damages" and len(table):
            owners = table["damage"].to_numpy()
            if owners.min() < 0 or owners.max() >= len(file.damages) or np.any(np.diff(owners) < 0):
                issues.append(Issue("rows do not belong to damages in order", where=name))
    if "sequence" in file.damages and file.damages["sequence"].astype(str).str.contains(r"[;#\r\n]").any():
        issues.append(Issue("a text holds a separator", where="sequence"))
    if issues:
        raise ScienceError("these tables cannot be written as SDD", issues=issues)


def _length(file: SddFile, number: int) -> int:
    return sum(1 for column in FIXED[number].columns if column in file.damages)


def _lines(file: SddFile, header: SddHeader, *, entries: tuple[bool, ...]) -> Iterator[str]:
    for field in header.fields:
        yield f"{field.name}, {field.text};\n"
    yield "***EndOfHeader***;\n\n"
    for first in range(0, len(file.damages), _ROWS):
        rows = range(first, min(first + _ROWS, len(file.damages)))
        parts = [_part(file, number, rows) for number in range(1, FLAGS + 1) if entries[number - 1]]
        yield from (f"{'; '.join(record)};\n" for record in zip(*parts, strict=True))


def _part(file: SddFile, number: int, rows: range) -> Iterable[str]:
    """Returns the text of a part for each damage of a range."""
    if number in FIXED:
        table = file.damages.iloc[rows.start : rows.stop]
        columns = [table[name].tolist() for name in FIXED[number].columns if name in table]
        texts = [", ".join(map(repr, values)) for values in zip(*columns, strict=True)]
        return [_slashed(text) for text in texts] if len(columns) == 9 else texts
    if number == SEQUENCE:
        return file.damages["sequence"].iloc[rows.start : rows.stop].astype(str)
    if number == BREAKS:
        return _grouped(file.lesions, LESION_COLUMNS, rows)
    if number == LESION_TIME:
        return _grouped(file.lesion_times, ("time_ns",), rows)
    return _grouped(file.particles, PARTICLE_PARTS[number][1], rows)


def _slashed(text: str) -> str:
    values = text.split(", ")
    return " / ".join(", ".join(values[n : n + 3]) for n in (0, 3, 6))


def _grouped(table: pd.DataFrame, columns: tuple[str, ...], rows: range) -> list[str]:
    """Returns for each damage its rows of a long table, values parted by commas and rows by slashes."""
    texts: list[list[str]] = [[] for _ in rows]
    chosen = table[(table["damage"] >= rows.start) & (table["damage"] < rows.stop)] if len(table) else table
    if len(chosen):
        values = zip(*(chosen[name].tolist() for name in columns), strict=True)
        for damage, row in zip(chosen["damage"].tolist(), values, strict=True):
            texts[damage - rows.start].append(", ".join(map(repr, row)))
    return [" / ".join(groups) for groups in texts]
