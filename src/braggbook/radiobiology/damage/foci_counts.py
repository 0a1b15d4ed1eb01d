"""Counts of foci as they come from the microscope, checked before anything is fitted.

Columns of the table (any others are ignored):

- ``time_h``: time from irradiation to fixation in h, 0 or more;
- ``dose_gy``: absorbed dose in Gy, 0 or more (0: unirradiated cells, which give the background);
- ``foci``: foci in a nucleus, a whole number, 0 or more;
- ``cells``, when it is there: how many nuclei had that count, a whole number, 0 or more. Without it a row is a nucleus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError, closest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = ("time_h", "dose_gy", "foci")
# A nucleus has about 35 foci per Gy at most; a dose in cGy is noticed by its size.
_LARGEST_DOSE_GY = 100.0


@dataclass(frozen=True, eq=False)
class FociCounts:
    """Frequencies of counts in groups of one time and one dose; unirradiated cells of all times are one group.

    Attributes:
        time_h: Time of each group, shape (groups,); 0 for the unirradiated.
        dose_gy: Dose of each group, shape (groups,).
        group: Group of each frequency, shape (frequencies,).
        foci: Count of each frequency.
        cells: Nuclei with that count.
    """

    time_h: Floats
    dose_gy: Floats
    group: Ints
    foci: Floats
    cells: Floats

    def group_sums(self, values: Floats) -> Floats:
        """Returns the sum over the cells of each group of a value per frequency."""
        return np.bincount(self.group, weights=self.cells * values, minlength=len(self.time_h)).astype(np.float64)

    @property
    def group_cells(self) -> Floats:
        """Nuclei in each group."""
        return self.group_sums(np.ones_like(self.foci))

    @property
    def group_means(self) -> Floats:
        """Mean foci in each group."""
        return self.group_sums(self.foci) / self.group_cells


def read_foci_counts(table: pd.DataFrame) -> FociCounts:
    """Checks a table of counts and returns its frequencies.

    Raises:
        ScienceError: Something is wrong with the table; ``issues`` names all of it, with row numbers.
    """
    if not isinstance(table, pd.DataFrame):
        raise ScienceError("not a table of foci", wanted="a pandas DataFrame", got=type(table).__name__)
    names = [str(name) for name in table.columns]
    issues = [
        Issue(f"no column {n!r}", wanted=closest(n, set(names) - set(COLUMNS))) for n in COLUMNS if n not in names
    ]
    issues += [Issue(f"column {name!r} is there twice") for name in (*COLUMNS, "cells") if names.count(name) > 1]
    if not issues and table.empty:
        issues.append(Issue("the table has no rows"))
    if issues:
        raise ScienceError("the table of foci is not usable", issues=issues)
    wanted = {"time_h": "h, 0 or more", "dose_gy": "Gy, 0 or more", "foci": "a whole number, 0 or more"}
    columns = {name: _numbers(table[name]) for name in COLUMNS}
    columns["cells"] = _numbers(table["cells"]) if "cells" in names else np.ones(len(table))
    wanted["cells"] = "a whole number, 0 or more"
    for name, values in columns.items():
        bad = ~(np.isfinite(values) & (values >= 0))
        if name in ("foci", "cells"):
            with np.errstate(invalid="ignore"):
                bad |= values != np.floor(values)
        issues += [_bad(name, table[name].iloc[i], row=i, wanted=wanted[name]) for i in np.flatnonzero(bad).tolist()]
    huge = np.isfinite(columns["dose_gy"]) & (columns["dose_gy"] > _LARGEST_DOSE_GY)
    hint = f"at most {_LARGEST_DOSE_GY:g} Gy; is this cGy or mGy?"
    issues += [_bad("dose_gy", table["dose_gy"].iloc[i], row=i, wanted=hint) for i in np.flatnonzero(huge).tolist()]
    if not issues and not columns["cells"].sum():
        issues.append(Issue("no nucleus was counted", where="column cells"))
    if not issues and not np.any((columns["foci"] * columns["cells"])[columns["dose_gy"] > 0]):
        issues.append(Issue("no irradiated nucleus has a focus", where="column foci"))
    if issues:
        raise ScienceError("the table of foci is not usable", issues=issues)
    return _frequencies(columns)


def _frequencies(columns: dict[str, Floats]) -> FociCounts:
    used = columns["cells"] > 0
    time = np.where(columns["dose_gy"] > 0, columns["time_h"], 0.0)[used]
    dose, foci, cells = (columns[name][used] for name in ("dose_gy", "foci", "cells"))
    groups, group = np.unique(np.column_stack([dose, time]), axis=0, return_inverse=True)
    keys, place = np.unique(np.column_stack([group.ravel(), foci]), axis=0, return_inverse=True)
    return FociCounts(
        time_h=groups[:, 1].copy(),
        dose_gy=groups[:, 0].copy(),
        group=keys[:, 0].astype(np.int64),
        foci=keys[:, 1].copy(),
        cells=np.bincount(place.ravel(), weights=cells).astype(np.float64),
    )


def _bad(name: str, value: object, *, row: int, wanted: str) -> Issue:
    return Issue(f"{name} is not usable", where=f"row {row + 1}", wanted=wanted, got=repr(value))


def _numbers(values: pd.Series) -> Floats:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: object) -> float:
    """Returns a number, NaN for everything that is none; a text that reads as one is one."""
    if isinstance(value, bool | np.bool_):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
