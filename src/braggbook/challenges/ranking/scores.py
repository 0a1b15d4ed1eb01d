"""What a ranking is made of: scores of one metric, each algorithm on each case, or one number each for all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from braggbook.errors import InputError, Issue

Floats = npt.NDArray[np.float64]
Better = Literal["larger", "smaller", "target"]
BETTER: tuple[Better, ...] = ("larger", "smaller", "target")
_ALL_CASES = ("all cases",)


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one metric.

    Attributes:
        algorithms: Names, in the order of the rows.
        cases: Names, in the order of the columns.
        values: (algorithms, cases), in the metric's unit; NaN where there is none, and nowhere else.
        better: Which of two values is the better one; "target" is the one nearer to ``target``.
        target: The best value, in the metric's unit; for "target" only.
    """

    algorithms: tuple[str, ...]
    cases: tuple[str, ...]
    values: Floats
    better: Better
    target: float | None = None

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
        elif (self.better == "target") != (self.target is not None and bool(np.isfinite(self.target))):
            wanted = 'a finite number for better = "target", and none for the others'
            issues.append(Issue("not a target", "target", wanted, repr(self.target)))
        if issues:
            raise InputError("not a table of scores", issues=issues)

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """(algorithms, cases): where there is no score."""
        return np.isnan(self.values)

    @property
    def losses(self) -> Floats:
        """(algorithms, cases): the values, turned so that smaller is better."""
        return self.loss(self.values)

    def loss(self, values: Floats) -> Floats:
        """Turns values so that smaller is better: their negative, themselves, or the distance from the target.

        What is brought together first and then turned is another thing than the reverse: the mean of 0 and 1 is at a
        target of 0.5, though neither is.

        Args:
            values: Of any shape, in the metric's unit: scores, or means or medians of them.
        """
        if self.target is not None:
            return np.abs(values - self.target)
        return -values if self.better == "larger" else values

    def filled(self, value: float) -> Scores:
        """Returns scores with ``value`` wherever there is none."""
        return replace(self, values=np.where(self.missing, value, self.values))

    def only(self, algorithms: Sequence[str]) -> Scores:
        """Returns the scores of some of the algorithms, in the order in which they are named."""
        rows = [self.algorithms.index(name) for name in algorithms]
        return replace(self, algorithms=tuple(algorithms), values=self.values[rows])


@dataclass(frozen=True, eq=False)
class Absolute:
    """One number for each algorithm, which the scorer states for all cases together.

    Attributes:
        algorithms: Names.
        values: (algorithms), in the metric's unit; NaN where there is none.
        better: As in :class:`Scores`.
        target: As there.
    """

    algorithms: tuple[str, ...]
    values: Floats
    better: Better
    target: float | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise InputError("not a number for each algorithm", got=f"an array of shape {self.values.shape}")
        _ = self.table  # which checks the rest

    @property
    def table(self) -> Scores:
        """The same as scores of a single case."""
        return Scores(self.algorithms, _ALL_CASES, self.values[:, None], self.better, self.target)

    def only(self, algorithms: Sequence[str]) -> Absolute:
        """Returns the numbers of some of the algorithms, in the order in which they are named."""
        rows = [self.algorithms.index(name) for name in algorithms]
        return replace(self, algorithms=tuple(algorithms), values=self.values[rows])


def scores_from(
    rows: Mapping[str, Mapping[str, float | None]], *, better: Better, target: float | None = None
) -> Scores:
    """Returns scores from each algorithm's values by case; a case that an algorithm lacks, or None, is a missing score.

    Args:
        rows: algorithm -> case -> value.
        better: As in :class:`Scores`.
        target: As there.

    Raises:
        InputError: A value is no finite number (NaN is none either: what is missing is left out), or there is nothing.
    """
    _check({f"{name}, {case}": value for name, row in rows.items() for case, value in row.items()})
    cases = tuple(dict.fromkeys(case for row in rows.values() for case in row))
    values = np.array([[_number(row.get(case)) for case in cases] for row in rows.values()], float)
    return Scores(tuple(rows), cases, values.reshape(len(rows), len(cases)), better, target)


def absolute_from(values: Mapping[str, float | None], *, better: Better, target: float | None = None) -> Absolute:
    """Returns one number for each algorithm; None is a missing one.

    Args:
        values: By algorithm.
        better: As in :class:`Scores`.
        target: As there.

    Raises:
        InputError: A value is no finite number, or there is nothing.
    """
    _check(values)
    return Absolute(tuple(values), np.array([_number(value) for value in values.values()], float), better, target)


def _check(values: Mapping[str, float | None]) -> None:
    issues = [
        Issue("not a score", where, "a finite number, or nothing", repr(value))
        for where, value in values.items()
        if value is not None and not np.isfinite(value)
    ]
    if issues:
        raise InputError("not a table of scores", issues=issues)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _twice(names: Sequence[str], what: str) -> list[Issue]:
    seen: set[str] = set()
    return [Issue("a name twice", what, got=name) for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
