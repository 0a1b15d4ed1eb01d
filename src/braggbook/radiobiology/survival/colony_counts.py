"""Colony counts as they come from the bench: one row per plate, checked before anything is fitted.

Columns of the table (any others are ignored, but see ``cell_line``):

- ``dose_gy``: absorbed dose, 0 or more;
- ``cells_seeded``: cells put on the plate, above 0 (a dilution may make it fractional);
- ``colonies``: colonies counted, a whole number from 0 to ``cells_seeded``; empty, NaN or "TNTC" (too
  numerous to count) when there is no count;
- ``replicate``: label of the independent experiment that the plate belongs to;
- ``cell_line``, when it is there, must name one line only: one curve is fitted at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError, closest

Floats = NDArray[np.float64]

COLUMNS = ("dose_gy", "cells_seeded", "colonies", "replicate")
_NO_COUNT = {"", "TNTC", "NA", "N/A", "NAN"}


@dataclass(frozen=True, eq=False)
class ColonyCounts:
    """Plates with a count, in the order of the table; all arrays have shape (plates,).

    Attributes:
        row: Number of the plate's row in the table, the first being 1.
        dose_gy: Absorbed dose in Gy.
        cells_seeded: Cells seeded.
        colonies: Colonies counted (whole numbers).
        replicate: Index of the plate's replicate in ``replicates``.
        replicates: Labels, in the order in which they first appear.
        dropped: Rows without a count, which are left out.
    """

    row: NDArray[np.int64]
    dose_gy: Floats
    cells_seeded: Floats
    colonies: Floats
    replicate: NDArray[np.int64]
    replicates: tuple[str, ...]
    dropped: tuple[int, ...]


def read_colony_counts(counts: pd.DataFrame) -> ColonyCounts:
    """Checks a table of counts and returns its plates.

    Raises:
        ScienceError: Something is wrong with the table; ``issues`` names all of it, with row numbers.
    """
    if not isinstance(counts, pd.DataFrame):
        raise ScienceError("not a table of counts", wanted="a pandas DataFrame", got=type(counts).__name__)
    issues = _column_issues(counts)
    if issues:
        raise ScienceError("the table of counts is not usable", issues=issues)
    dose = _numbers(counts["dose_gy"])
    cells = _numbers(counts["cells_seeded"])
    colonies = _numbers(counts["colonies"])
    missing = np.array([_is_missing(value) for value in counts["colonies"]], dtype=np.bool_)
    labels = [None if _is_missing(value) else str(value) for value in counts["replicate"]]
    unnamed = np.array([label is None for label in labels], dtype=np.bool_)
    over = ~missing & (cells > 0) & np.isfinite(colonies) & (colonies > cells)
    issues = [
        *_bad_rows(~(np.isfinite(dose) & (dose >= 0)), counts["dose_gy"], wanted="a number, 0 or more"),
        *_bad_rows(~(np.isfinite(cells) & (cells > 0)), counts["cells_seeded"], wanted="a number above 0"),
        *_bad_rows(~missing & ~_is_count(colonies), counts["colonies"], wanted="a whole number, 0 or more"),
        *_bad_rows(over, counts["colonies"], wanted="at most as many colonies as cells seeded"),
        *_bad_rows(unnamed, counts["replicate"], wanted="a label"),
    ]
    if not np.any(colonies[~missing] > 0):
        issues.append(Issue("no plate has a colony", where="column colonies"))
    if issues:
        raise ScienceError("the table of counts is not usable", issues=issues)
    return _plates(dose, cells, colonies=colonies, labels=labels, keep=~missing)


def _plates(
    dose: Floats, cells: Floats, *, colonies: Floats, labels: Iterable[str | None], keep: NDArray[np.bool_]
) -> ColonyCounts:
    kept = [label for label, used in zip(labels, keep, strict=True) if used and label is not None]
    replicates = tuple(dict.fromkeys(kept))
    place = {label: index for index, label in enumerate(replicates)}
    rows = np.arange(1, len(dose) + 1)
    return ColonyCounts(
        row=rows[keep],
        dose_gy=dose[keep],
        cells_seeded=cells[keep],
        colonies=colonies[keep],
        replicate=np.array([place[label] for label in kept], dtype=np.int64),
        replicates=replicates,
        dropped=tuple(int(row) for row in rows[~keep]),
    )


def _column_issues(counts: pd.DataFrame) -> list[Issue]:
    names = [str(name) for name in counts.columns]
    issues = [
        Issue(f"no column {name!r}", wanted=closest(name, set(names) - set(COLUMNS)))
        for name in COLUMNS
        if name not in names
    ]
    issues += [Issue(f"column {name!r} is there twice") for name in COLUMNS if names.count(name) > 1]
    if not issues and counts.empty:
        issues.append(Issue("the table has no rows"))
    if names.count("cell_line") == 1:
        lines = sorted({str(value) for value in counts["cell_line"] if not _is_missing(value)})
        if len(lines) > 1:
            issues.append(
                Issue(
                    "more than one curve in the table",
                    where="column cell_line",
                    wanted="the rows of one line, for example counts[counts['cell_line'] == ...]",
                    got=", ".join(lines),
                )
            )
    return issues


def _bad_rows(bad: NDArray[np.bool_], values: pd.Series, *, wanted: str) -> list[Issue]:
    return [
        Issue(
            f"{values.name} is not usable",
            where=f"row {index + 1}",
            wanted=wanted,
            got=repr(values.iloc[index]),
        )
        for index in np.flatnonzero(bad)
    ]


def _numbers(values: pd.Series) -> Floats:
    return np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().upper() in _NO_COUNT
    return bool(pd.isna(value))  # type: ignore[call-overload]


def _is_count(values: Floats) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
