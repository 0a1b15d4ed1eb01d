"""Aberration counts as they come from the microscope, checked before anything is computed from them.

Columns of a table (any others are ignored):

- ``dose_gy`` (calibration only): absorbed dose in Gy, from 0 to 50;
- ``case`` (cases only, may be missing): name of the case;
- ``c0``, ``c1``, ``c2`` ... (or ``C0`` ...): cells with 0, 1, 2 ... aberrations, without a gap; and/or
- ``cells`` and ``aberrations``: their totals, N and X.

With both, they must agree: N = c0 + c1 + ... and X = c1 + 2 c2 + ...; a row in which they do not is an error, not
a rounding. An empty cell of the distribution counts as zero only where ``cells`` confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError, closest
from braggbook.radiobiology.arguments import shortened

Floats = NDArray[np.float64]

# Lymphocytes irradiated with more than this give no metaphases, nor prematurely condensed chromosomes, to score:
# the widest calibration published (M. S. Sasaki, Int J Radiat Biol 79 (2003) 83-97) ends at 50 Gy. A larger
# number is a dose in cGy or mGy.
LARGEST_DOSE_GY = 50.0
_LARGEST_COUNT = 2.0**53  # beyond this a float does not hold every whole number
_CLASS = re.compile(r"[Cc](\d+)")
_TOTALS = ("cells", "aberrations")
_OTHER_UNITS = re.compile(r"dose_(cgy|mgy|rad|rads)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class AberrationCounts:
    """Counts of several samples, in the order of the table; arrays have shape (samples,).

    Attributes:
        labels: Dose ("0.5 Gy") or name of each sample.
        dose_gy: Absorbed dose in Gy; None for cases.
        cells: Cells scored, N.
        aberrations: Aberrations found in them, X.
        distribution: Cells with 0, 1, 2 ... aberrations, shape (samples, classes); None when only totals are known.
    """

    labels: tuple[str, ...]
    dose_gy: Floats | None
    cells: Floats
    aberrations: Floats
    distribution: Floats | None


@dataclass(frozen=True)
class CaseCounts:
    """The cells of one case.

    Attributes:
        cells: Cells scored, N.
        aberrations: Aberrations found in them, X.
        distribution: Cells with 0, 1, 2 ... aberrations; None when only totals are known.
        genome_factor: Share of the genome's exchanges that the stain shows (1 for dicentrics, micronuclei and
            banded cells); cells x genome_factor are the cell equivalents. See ``genome_factor()``.
        name: Name of the case.
    """

    cells: float
    aberrations: float
    distribution: tuple[float, ...] | None = None
    genome_factor: float = 1.0
    name: str = field(default="", compare=False)

    @property
    def cell_equivalents(self) -> float:
        """Cells times the genome factor, N g."""
        return self.cells * self.genome_factor

    @property
    def yield_per_cell(self) -> float:
        """Aberrations per cell equivalent, X / (N g)."""
        return self.aberrations / self.cell_equivalents


def case_counts(
    distribution: Sequence[float] | None = None,
    *,
    cells: float | None = None,
    aberrations: float | None = None,
    genome_factor: float = 1.0,
    name: str = "",
) -> CaseCounts:
    """Returns the checked counts of one case.

    Args:
        distribution: Cells with 0, 1, 2 ... aberrations, for example ``[302, 28, 22, 8, 1, 0]``.
        cells: Cells scored; may be left out when the distribution is given.
        aberrations: Aberrations found; likewise.
        genome_factor: Above 0 and at most 1; see ``genome_factor()``.
        name: Name of the case, for messages.

    Raises:
        ScienceError: The counts are not whole numbers, there are no cells, or totals and distribution disagree.
    """
    row: dict[str, object] = {"case": name or "case"}
    if distribution is not None:
        if isinstance(distribution, str) or np.ndim(distribution) != 1 or len(distribution) == 0:
            raise ScienceError(
                "not a distribution", wanted="the numbers of cells with 0, 1, 2 ... aberrations", got=repr(distribution)
            )
        row |= {f"c{k}": value for k, value in enumerate(distribution)}
    row |= {key: value for key, value in (("cells", cells), ("aberrations", aberrations)) if value is not None}
    if not is_fraction(genome_factor):
        raise ScienceError("not a genome factor", wanted="a number above 0, at most 1", got=repr(genome_factor))
    counts = read_cases(pd.DataFrame([row]))
    return case_of(counts, 0, genome_factor=float(genome_factor), name=name)


def check_case(case: object) -> None:
    """Raises ScienceError when this is not the counts of a case."""
    if not isinstance(case, CaseCounts):
        raise ScienceError("not the counts of a case", wanted="case_counts([...])", got=type(case).__name__)


def case_of(counts: AberrationCounts, index: int, *, genome_factor: float = 1.0, name: str | None = None) -> CaseCounts:
    """Returns one sample of a checked table as a case."""
    spread = counts.distribution
    return CaseCounts(
        cells=float(counts.cells[index]),
        aberrations=float(counts.aberrations[index]),
        distribution=None if spread is None else tuple(float(count) for count in spread[index]),
        genome_factor=genome_factor,
        name=counts.labels[index] if name is None else name,
    )


def read_calibration_counts(counts: pd.DataFrame) -> AberrationCounts:
    """Checks a table of calibration counts, one row per dose and culture.

    Raises:
        ScienceError: Something is wrong with the table; ``issues`` names all of it, with row numbers from 1.
    """
    _require_table(counts)
    issues = _column_issues(counts, needed=("dose_gy",))
    for column in counts.columns:
        if _OTHER_UNITS.fullmatch(str(column)):
            issues.append(Issue("a dose in another unit", where=f"column {column}", wanted="column dose_gy, in Gy"))
    _raise(issues)
    dose = _numbers(counts["dose_gy"])
    with np.errstate(invalid="ignore"):
        bad = ~(np.isfinite(dose) & (dose >= 0))
        over = dose > LARGEST_DOSE_GY
    issues = _bad_rows(bad, counts["dose_gy"], wanted="a number of Gy, 0 or more")
    wanted = f"at most {LARGEST_DOSE_GY:g} Gy; is the column in cGy or mGy?"
    issues += _bad_rows(over & ~bad, counts["dose_gy"], wanted=wanted)
    cells, aberrations, spread = _counts(counts, issues)
    labels = tuple(f"{value:g} Gy" for value in dose)
    return AberrationCounts(labels, dose, cells, aberrations, spread)


def read_cases(cases: pd.DataFrame) -> AberrationCounts:
    """Checks a table of cases, one row each.

    Raises:
        ScienceError: Something is wrong with the table; ``issues`` names all of it, with row numbers from 1.
    """
    _require_table(cases)
    _raise(_column_issues(cases, needed=()))
    cells, aberrations, spread = _counts(cases, [])
    names = cases["case"] if "case" in cases.columns else [f"row {row}" for row in range(1, len(cases) + 1)]
    return AberrationCounts(tuple(str(name) for name in names), None, cells, aberrations, spread)


def _counts(table: pd.DataFrame, issues: list[Issue]) -> tuple[Floats, Floats, Floats | None]:
    """Returns N, X and the distribution of every row, or raises with these issues and its own."""
    totals = {name: _numbers(table[name]) for name in _TOTALS if name in table.columns}
    for name, values in totals.items():
        with np.errstate(invalid="ignore"):
            bad = ~(_is_count(values) & ((values > 0) if name == "cells" else True))
        lowest = "1" if name == "cells" else "0"
        issues = issues + _bad_rows(bad, table[name], wanted=f"a whole number, {lowest} or more")
    spread = _distribution(table, issues, confirmed="cells" in totals)
    _raise(issues)
    if spread is None:
        return totals["cells"], totals["aberrations"], None
    classes = np.arange(spread.shape[1])
    sums = {"cells": spread.sum(axis=1), "aberrations": spread @ classes}
    formulas = {"cells": "c0 + c1 + ...", "aberrations": "c1 + 2 c2 + ..."}
    for name, values in totals.items():
        for index in np.flatnonzero(values != sums[name]):
            issues.append(
                Issue(
                    f"{name} and the distribution disagree",
                    where=f"row {index + 1}",
                    wanted=f"{sums[name][index]:g} = {formulas[name]}",
                    got=f"{values[index]:g}",
                )
            )
    issues += [Issue("no cells", where=f"row {index + 1}") for index in np.flatnonzero(sums["cells"] == 0)]
    _raise(issues)
    return sums["cells"], sums["aberrations"], spread


def _distribution(table: pd.DataFrame, issues: list[Issue], *, confirmed: bool) -> Floats | None:
    names = _class_columns(table)
    if not names:
        return None
    columns = []
    for name in names:
        values = _numbers(table[name])
        empty = np.array([pd.isna(value) for value in table[name]], dtype=np.bool_)
        wanted = "a whole number, 0 or more" + ("" if confirmed else " (empty means 0 only beside a column cells)")
        issues += _bad_rows(~_is_count(values) & ~(empty & confirmed), table[name], wanted=wanted)
        columns.append(np.where(empty, 0.0, values))
    return np.column_stack(columns)


def _class_columns(table: pd.DataFrame) -> list[str]:
    names = [str(name) for name in table.columns if _CLASS.fullmatch(str(name))]
    return sorted(names, key=lambda name: int(name[1:]))


def _column_issues(table: pd.DataFrame, *, needed: tuple[str, ...]) -> list[Issue]:
    names = [str(name) for name in table.columns]
    issues = [Issue(f"no column {name!r}", wanted=closest(name, names)) for name in needed if name not in names]
    issues += [Issue(f"column {name!r} is there twice") for name in dict.fromkeys(names) if names.count(name) > 1]
    classes = [int(name[1:]) for name in _class_columns(table)]
    if classes and sorted(classes) != list(range(max(classes) + 1)):
        issues.append(Issue("the distribution has a gap", wanted=f"columns c0 to c{max(classes)}, each once"))
    if not classes:
        wanted = "columns c0, c1, c2 ..., or cells and aberrations"
        missing = [name for name in _TOTALS if name not in names]
        issues += [Issue(f"no column {name!r}", wanted=wanted) for name in missing]
    if not issues and len(table) == 0:
        issues.append(Issue("the table has no rows"))
    return issues


def _require_table(table: object) -> None:
    if not isinstance(table, pd.DataFrame):
        raise ScienceError("not a table of counts", wanted="a pandas DataFrame", got=type(table).__name__)


def _raise(issues: list[Issue]) -> None:
    if issues:
        raise ScienceError("the table of counts is not usable", issues=issues)


def _bad_rows(bad: NDArray[np.bool_], values: pd.Series, *, wanted: str) -> list[Issue]:
    return [
        Issue(
            f"{values.name} is not usable", where=f"row {index + 1}", wanted=wanted, got=shortened(values.iloc[index])
        )
        for index in np.flatnonzero(bad)
    ]


def _numbers(values: pd.Series) -> Floats:
    return np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)


def _is_count(values: Floats) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray((values >= 0) & (values <= _LARGEST_COUNT) & (values == np.floor(values)))


def is_fraction(value: object) -> bool:
    """Tells whether a value is a number above 0 and at most 1."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and 0 < float(value) <= 1
