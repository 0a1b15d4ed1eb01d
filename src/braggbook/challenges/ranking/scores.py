"""The scores that a ranking is made of: one metric, each algorithm on each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from braggbook.errors import InputError, Issue

Floats = npt.NDArray[np.float64]
Better = Literal["larger", "smaller"]
BETTER: tuple[Better, ...] = ("larger", "smaller")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one metric.

    Attributes:
        algorithms: Names, in the order of the rows.
        cases: Names, in the order of the columns.
        values: (algorithms, cases), in the metric's unit; NaN where there is none, and nowhere else.
        better: Which of two values is the better one.
    """

    algorithms: tuple[str, ...]
    cases: tuple[str, ...]
    values: Floats
    better: Better

    def __post_init__(self) -> None:
        issues = [*_twice(self.algorithms, "algorithms"), *_twice(self.cases, "cases")]
        shape = (len(self.algorithms), len(self.cases))
        if self.values.shape != shape:
            issues.append(Issue("a table of another shape", "values", f"{shape}", f"{self.values.shape}"))
        elif 0 in shape:
            issues.append(Issue("nothing to rank", "values", "an algorithm and a case at least"))
        elif np.isinf(self.values).any():
            row, column = map(int, np.argwhere(np.isinf(self.values))[0])
            where = f"{self.algorithms[row]}, {self.cases[column]}"
            issues.append(Issue("an infinite score", where, "a finite number, or none"))
        if self.better not in BETTER:
            issues.append(Issue("which is better?", "better", " or ".join(BETTER), repr(self.better)))
        if issues:
            raise InputError("not a table of scores", issues=issues)

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """(algorithms, cases): where there is no score."""
        return np.isnan(self.values)

    @property
    def losses(self) -> Floats:
        """(algorithms, cases): the values, turned so that smaller is better."""
        return -self.values if self.better == "larger" else self.values

    def filled(self, value: float) -> Scores:
        """Returns scores with ``value`` wherever there is none."""
        return Scores(self.algorithms, self.cases, np.where(self.missing, value, self.values), self.better)

    def only(self, algorithms: Sequence[str]) -> Scores:
        """Returns the scores of some of the algorithms."""
        rows = [self.algorithms.index(name) for name in algorithms]
        return Scores(tuple(algorithms), self.cases, self.values[rows], self.better)


def scores_from(rows: Mapping[str, Mapping[str, float | None]], *, better: Better) -> Scores:
    """Returns scores from each algorithm's values by case; a case that an algorithm lacks, or None, is a missing score.

    Args:
        rows: algorithm -> case -> value.
        better: As in :class:`Scores`.

    Raises:
        InputError: A value is no finite number (NaN is none either: what is missing is left out), or there is nothing.
    """
    cases = tuple(dict.fromkeys(case for row in rows.values() for case in row))
    issues = [
        Issue("not a score", f"{name}, {case}", "a finite number, or nothing", repr(value))
        for name, row in rows.items()
        for case, value in row.items()
        if value is not None and not np.isfinite(value)
    ]
    if issues:
        raise InputError("not a table of scores", issues=issues)
    values = np.array([[_number(row.get(case)) for case in cases] for row in rows.values()], float)
    return Scores(tuple(rows), cases, values.reshape(len(rows), len(cases)), better)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _twice(names: Sequence[str], what: str) -> list[Issue]:
    seen: set[str] = set()
    return [Issue("a name twice", what, got=name) for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
