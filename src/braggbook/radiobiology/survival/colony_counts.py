"""Colony counts as they come from the bench: one row per plate, checked before anything is fitted.

Columns of the table (any others are ignored, but see ``cell_line``):

- ``dose_gy``: absorbed dose, 0 or more; a dose above 50 Gy is flagged, because it is usually one in cGy;
- ``cells_seeded``: cells put on the plate, above 0 (a dilution may make it fractional);
- ``colonies``: colonies counted, a whole number from 0 to ``cells_seeded``; empty or NaN when there is no
  count, "TNTC" when the plate was too numerous to count. Both kinds of row are left out, each with a warning
  of its own: TNTC is not missing by chance, and a plate of fewer cells at that dose is what it asks for;
- ``replicate``: label of the independent experiment that the plate belongs to;
- ``cell_line``, when it is there (also as "Cell line", "cline" and the like), must name one line only: one curve is
  fitted at a time. So is one radiation and one treatment: several values in a column of such a name are flagged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError, closest
from braggbook.radiobiology.arguments import shortened

Floats = NDArray[np.float64]

COLUMNS = ("dose_gy", "cells_seeded", "colonies", "replicate")
_NO_COUNT = {"", "-", "NA", "N/A", "NAN", "NONE"}
_TOO_MANY = {"TNTC", "TMTC"}  # too numerous, too many to count
# Single doses of clonogenic assays end near 30 Gy; 0.5 Gy written in cGy is 50.
SUSPICIOUS_DOSE_GY = 50.0
# What other programs and people call the columns, letters and digits only, so that a message can say which is meant.
_OTHER_NAMES = {
    "dose_gy": {"dose", "doses", "d", "gy", "dosegray", "gray", "radiationdose", "totaldose"},
    "cells_seeded": {"ncells", "cells", "seeded", "seededcells", "cellsplated", "nseeded", "cellnumber"},
    "colonies": {"ncolonies", "colony", "colonycount", "colonycounts", "count", "counts", "coloniescounted"},
    "replicate": {"exp", "experiment", "rep", "replicates", "repeat", "biologicalreplicate", "run"},
}
# What the columns are called (letters and digits only) whose values each have a curve of their own.
_CELL_LINE_NAMES = {"cellline", "celllines", "cline", "line", "celltype", "cells", "cell"}
_CONDITION_NAMES = {
    *("radiation", "radiationtype", "radiationquality", "beam", "ion", "particle", "let", "letkevum"),
    *("treatment", "drug", "condition", "arm", "curve", "oxygen"),
}
_LISTED = 6  # values in a message
_GY_FACTORS = {"cgy": "0.01", "rad": "0.01", "rads": "0.01", "mgy": "0.001", "kgy": "1000"}


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
        dropped: Rows without a count, which are left out; those of ``too_many`` are among them.
        too_many: Rows that were too numerous to count.
        conditions: Columns that name a radiation or a treatment, with their values where there are several.
    """

    row: NDArray[np.int64]
    dose_gy: Floats
    cells_seeded: Floats
    colonies: Floats
    replicate: NDArray[np.int64]
    replicates: tuple[str, ...]
    dropped: tuple[int, ...]
    too_many: tuple[int, ...] = ()
    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know of the table itself, one sentence each."""
        found = []
        missing = [row for row in self.dropped if row not in self.too_many]
        if missing:
            found.append(f"{len(missing)} row(s) without a count are left out (row {_listed(missing)})")
        if self.too_many:
            found.append(
                f"{len(self.too_many)} plate(s) too numerous to count are left out (row {_listed(self.too_many)}); "
                "they are not missing by chance: where no plate of fewer cells stands for them, survival is too low"
            )
        found += [
            f"column {name!r} has {len(values)} values ({', '.join(values[:_LISTED])}): one curve is fitted to them all"
            for name, values in self.conditions
        ]
        high = self.row[self.dose_gy > SUSPICIOUS_DOSE_GY]
        if len(high):
            found.append(
                f"dose above {SUSPICIOUS_DOSE_GY:g} Gy in row {_listed(high)} (largest {self.dose_gy.max():g}): "
                "is it in cGy? 1 Gy = 100 cGy"
            )
        return tuple(found)


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
    too_many = np.array([_text(value) in _TOO_MANY for value in counts["colonies"]], dtype=np.bool_)
    missing = too_many | np.array([_is_missing(value) for value in counts["colonies"]], dtype=np.bool_)
    labels = [None if _is_missing(value) else str(value).strip() for value in counts["replicate"]]
    unnamed = np.array([label is None for label in labels], dtype=np.bool_)
    over = ~missing & (cells > 0) & np.isfinite(colonies) & (colonies > cells)
    issues = [
        *_bad_rows(~(np.isfinite(dose) & (dose >= 0)), counts["dose_gy"], wanted="a number, 0 or more"),
        *_bad_rows(~(np.isfinite(cells) & (cells > 0)), counts["cells_seeded"], wanted="a number above 0"),
        *_bad_rows(
            ~missing & ~_is_count(colonies), counts["colonies"], wanted='a whole number, 0 or more, empty or "TNTC"'
        ),
        *_bad_rows(over, counts["colonies"], wanted="at most as many colonies as cells seeded"),
        *_bad_rows(unnamed, counts["replicate"], wanted="a label"),
    ]
    if not np.any(colonies[~missing] > 0):
        issues.append(Issue("no plate has a colony", where="column colonies", wanted="at least one"))
    if issues:
        raise ScienceError("the table of counts is not usable", issues=issues)
    plates = _plates(dose, cells, colonies=colonies, labels=labels, missing=missing, too_many=too_many)
    return replace(plates, conditions=_conditions(counts))


def _plates(
    dose: Floats,
    cells: Floats,
    *,
    colonies: Floats,
    labels: Iterable[str | None],
    missing: NDArray[np.bool_],
    too_many: NDArray[np.bool_],
) -> ColonyCounts:
    keep = ~missing
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
        dropped=tuple(int(row) for row in rows[missing]),
        too_many=tuple(int(row) for row in rows[too_many]),
    )


def _column_issues(counts: pd.DataFrame) -> list[Issue]:
    names = [str(name) for name in counts.columns]
    others = [name for name in names if name not in COLUMNS]
    issues = [Issue(f"no column {name!r}", wanted=_column_hint(name, others)) for name in COLUMNS if name not in names]
    issues += [Issue(f"column {name!r} is there twice") for name in COLUMNS if names.count(name) > 1]
    if not issues and counts.empty:
        issues.append(Issue("the table has no rows"))
    for place, name in enumerate(names):
        lines = _values(counts.iloc[:, place]) if _joined(name) in _CELL_LINE_NAMES else ()
        numbers = _joined(name) != "cellline" and pd.api.types.is_numeric_dtype(counts.iloc[:, place])
        if len(lines) > 1 and not numbers:  # a column "cells" of numbers is no list of cell lines
            issues.append(
                Issue(
                    "more than one curve in the table",
                    where=f"column {name}",
                    wanted=f"the rows of one line, for example counts[counts[{name!r}] == ...]",
                    got=", ".join(lines),
                )
            )
    return issues


def _conditions(counts: pd.DataFrame) -> tuple[tuple[str, tuple[str, ...]], ...]:
    names = [str(name) for name in counts.columns]
    found = [(name, _values(counts.iloc[:, i])) for i, name in enumerate(names) if _joined(name) in _CONDITION_NAMES]
    return tuple((name, values) for name, values in found if len(values) > 1)


def _values(column: pd.Series) -> tuple[str, ...]:
    return tuple(sorted({str(value).strip() for value in column if not _is_missing(value)}))


def _joined(name: str) -> str:
    return "".join(re.findall(r"[a-z0-9]+", name.lower()))


def _column_hint(wanted: str, names: list[str]) -> str:
    """Returns which of the table's columns may be meant; for doses also what its name says of the unit."""
    for name in names:
        words = re.findall(r"[a-z0-9]+", name.lower())
        unit = next((word for word in words if word in _GY_FACTORS), None)
        if wanted == "dose_gy" and unit is not None:
            return f"doses in Gy: multiply {name!r} by {_GY_FACTORS[unit]} and name it 'dose_gy'"
        joined = _joined(name)
        if joined == wanted.replace("_", "") or joined in _OTHER_NAMES[wanted]:
            if wanted == "dose_gy" and "gy" not in words:
                return f"doses with their unit: {name!r} does not state one; name it 'dose_gy' if it is in Gy"
            return f"did you mean {name}? name it {wanted!r}"
    return closest(wanted, names)


def _bad_rows(bad: NDArray[np.bool_], values: pd.Series, *, wanted: str) -> list[Issue]:
    return [
        Issue(
            f"{values.name} is not usable",
            where=f"row {index + 1}",
            wanted=wanted,
            got=shortened(values.iloc[index]),
        )
        for index in np.flatnonzero(bad)
    ]


def _numbers(values: pd.Series) -> Floats:
    """Returns a column as numbers, shape (rows,); NaN for whatever is not a real number, truth values included."""
    types = pd.api.types
    if types.is_numeric_dtype(values) and not (types.is_complex_dtype(values) or types.is_bool_dtype(values)):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: object) -> float:
    if isinstance(value, bool | np.bool_):
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _text(value: object) -> str:
    return value.strip().upper() if isinstance(value, str) else ""


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return _text(value) in _NO_COUNT
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
    )


def _is_count(values: Floats) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))


def _listed(rows: Iterable[int]) -> str:
    return ", ".join(str(row) for row in rows)
