"""Reads the table of a two-way design: the plates, and the level of both factors on each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError, closest
from braggbook.radiobiology.survival.colony_counts import ColonyCounts, read_colony_counts


@dataclass(frozen=True, eq=False)
class Factor:
    """Level of each plate, shape (plates,), and the labels of the levels, the reference first."""

    name: str
    index: NDArray[np.int64]
    levels: tuple[str, ...]


def read_two_way(
    counts: pd.DataFrame, *, factor_a: str, factor_b: str, reference: tuple[object, object] | None
) -> tuple[ColonyCounts, Factor, Factor]:
    """Checks the table and returns the plates with the level of both factors.

    Args:
        counts: One row per plate.
        factor_a: Name of the first factor's column.
        factor_b: Name of the second factor's column.
        reference: The reference level of each; None for the smallest number or the first label.

    Raises:
        ScienceError: The table is not usable; all issues are named with their rows.
    """
    if not isinstance(counts, pd.DataFrame):
        raise ScienceError("not a table of counts", wanted="a pandas DataFrame", got=type(counts).__name__)
    if reference is not None and (not isinstance(reference, tuple | list) or len(reference) != 2):
        raise ScienceError("not a pair of reference levels", wanted="(level of A, level of B)", got=repr(reference))
    names = [str(name) for name in counts.columns]
    issues = [_column_issue(name, names) for name in (factor_a, factor_b) if names.count(str(name)) != 1]
    if factor_a == factor_b:
        issues.append(Issue("both factors are one column", wanted="two", got=str(factor_a)))
    if issues:
        raise ScienceError("the factors are not usable", issues=issues)
    issues = _mixture_issues(counts, names, factors=(factor_a, factor_b))
    if issues:
        raise ScienceError("the table of counts is not usable", issues=issues)
    told_apart = {"dose_gy", "cell_line", factor_a, factor_b} - {"cells_seeded", "colonies", "replicate"}
    table = counts.drop(columns=[name for name in counts.columns if name in told_apart])
    plates = read_colony_counts(table.assign(dose_gy=0.0))  # a dose here is a label like any other
    first = (None, None) if reference is None else tuple(reference)
    factors = []
    for name, wanted in zip((factor_a, factor_b), first, strict=True):
        factors.append(_factor(counts[name], plates, reference=wanted, issues=issues))
    if issues:
        raise ScienceError("the factors are not usable", issues=issues)
    return plates, factors[0], factors[1]


def _mixture_issues(counts: pd.DataFrame, names: list[str], *, factors: tuple[str, str]) -> list[Issue]:
    """Names what differs between the plates without being a factor."""
    issues = []
    for name in ("dose_gy", "cell_line"):
        if names.count(name) == 1 and name not in factors:
            values = list(dict.fromkeys(_label(value) for value in counts[name] if not _is_missing(value)))
            if len(values) > 1:
                wanted = "the rows of one, or this column as a factor"
                got = ", ".join(values)
                issues.append(Issue("plates that differ in more than the factors", f"column {name}", wanted, got))
    return issues


def _column_issue(name: str, names: list[str]) -> Issue:
    if str(name) in names:
        return Issue(f"column {name!r} is there twice")
    return Issue(f"no column {name!r}", wanted=closest(str(name), names))


def _factor(column: pd.Series, plates: ColonyCounts, *, reference: object, issues: list[Issue]) -> Factor:
    """Returns the levels of the plates that have a count; what is wrong with them is added to the issues."""
    values = [column.iloc[row - 1] for row in plates.row]
    name = str(column.name)
    unnamed = [
        Issue(f"{name} has no level", where=f"row {row}", wanted="a label or a number", got=repr(value))
        for row, value in zip(plates.row, values, strict=True)
        if _is_missing(value)
    ]
    if unnamed:
        issues += unnamed
        return Factor(name, np.zeros(len(values), dtype=np.int64), ("",))
    labels = [_label(value) for value in values]
    levels = list(dict.fromkeys(labels))
    numbers = [_number(level) for level in levels]
    if all(math.isfinite(number) for number in numbers):
        levels = [level for _, level in sorted(zip(numbers, levels, strict=True))]
    if reference is not None:
        wanted = _label(reference)
        if wanted not in levels:
            issues.append(Issue(f"{name} has no level {wanted!r}", wanted=closest(wanted, levels)))
            return Factor(name, np.zeros(len(values), dtype=np.int64), tuple(levels))
        levels = [wanted, *(level for level in levels if level != wanted)]
    if len(levels) < 2:
        issues.append(Issue(f"{name} has one level only", wanted="two or more", got=", ".join(levels)))
    place = {level: index for index, level in enumerate(levels)}
    return Factor(name, np.array([place[label] for label in labels], dtype=np.int64), tuple(levels))


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _label(value: object) -> str:
    """Returns a level as text; 0, 0.0 and "0" are one level."""
    text = str(value).strip()
    number = _number(text)
    return f"{number:g}" if math.isfinite(number) else text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
