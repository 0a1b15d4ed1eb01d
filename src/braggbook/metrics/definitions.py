"""Metrics by definition: an id that fixes everything a number depends on, and what counts where there is no number.

``hd95.voxel.directed_max.linear@1`` says which surface, which percentile and how it is read off; another rule is
another id, and a changed one another number behind the ``@``. A definition has a direction, bounds, a perfect and a
worst value, and a policy for empty masks, so that a score is a finite number or, where the policy says so, none: never
NaN.

A definition is made where its function is, by :func:`define`; :func:`definition` finds it by its id, in whichever
module of this package it is. What is done with one is in :mod:`braggbook.metrics.scoring`.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal

import braggbook.metrics
from braggbook.errors import DuplicateName, InputError, Issue, UnknownName, closest

Kind = Literal["masks", "numbers", "intervals", "labels", "probabilities", "doses", "histograms", "curves"]
Scope = Literal["case", "all"]
Better = Literal["larger", "smaller", "target"]
Verdict = Literal["perfect", "worst", "value", "not_applicable"]
Situation = Literal["both", "only_reference", "only_estimate"]
Worst = float | Literal["diagonal", "image", "farthest"] | None
"""A number; ``diagonal``: in mm, from the outer corner of the image's first voxel to that of its last; ``image``: the
whole image's volume in cm3; ``farthest``: the bound that is farther from the perfect value; None: there is no end, and
whoever needs a worst value (for a case that nobody answered) declares one."""
VERDICTS: tuple[Verdict, ...] = ("perfect", "worst", "value", "not_applicable")
OF_DATA, OF_DATA_SQUARED = "of the data", "of the data, squared"
_MM3_PER_CC = 1000.0


def _is_finite(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


@dataclass(frozen=True)
class EmptyPolicy:
    """What counts where a mask is empty: ``perfect``, ``worst``, the metric's own ``value``, ``not_applicable`` (no
    score for this case) or a number.

    Attributes:
        both: Reference and estimate are empty.
        only_reference: Nothing is there, and something was found.
        only_estimate: Something is there, and nothing was found.
    """

    both: Verdict | float = "perfect"
    only_reference: Verdict | float = "worst"
    only_estimate: Verdict | float = "worst"

    def __post_init__(self) -> None:
        """Raises InputError, with every issue, for what is neither a verdict nor a number."""
        issues = [
            Issue("not a policy", f"empty.{part.name}", f"{', '.join(VERDICTS)} or a number", repr(said))
            for part in fields(self)
            if not _is_finite(said := getattr(self, part.name)) and said not in VERDICTS
        ]
        if issues:
            raise InputError("not a policy for empty masks", issues=issues)


@dataclass(frozen=True)
class Option:
    """What a challenge has to choose for a metric.

    Attributes:
        name: As an argument.
        says: What it means, with its unit.
        example: A usual choice; its type is the option's.
        above: It is larger than this.
        least: It is not less than this.
        below: It is smaller than this.
        most: It is not more than this.
    """

    name: str
    says: str
    example: float | str
    above: float = -math.inf
    least: float = -math.inf
    below: float = math.inf
    most: float = math.inf

    def issue(self, given: Any) -> Issue | None:
        """Returns what is wrong with a choice."""
        if isinstance(self.example, str):
            return None if isinstance(given, str) and given else Issue("not a name", self.name, self.says, repr(given))
        if not _is_finite(given):
            return Issue("not a number", self.name, self.says, repr(given))
        inside = self.above < given < self.below and self.least <= given <= self.most
        return None if inside else Issue("out of its range", self.name, self.range_text(), repr(given))

    def range_text(self) -> str:
        """Returns which values it takes, in words."""
        if isinstance(self.example, str):
            return "a name"
        ends = ("above", self.above), ("at least", self.least), ("below", self.below), ("at most", self.most)
        return " and ".join(f"{word} {end:g}" for word, end in ends if math.isfinite(end)) or "any number"


@dataclass(frozen=True)
class Definition:
    """One metric, completely.

    Attributes:
        id: ``name.rules@version``.
        says: What is calculated, in a sentence.
        kind: What reference and estimate are.
        scope: ``case``: one score for each case; ``all``: one score of all cases together.
        unit: Of the score; :data:`OF_DATA` and :data:`OF_DATA_SQUARED` follow the data (:meth:`unit_for`).
        better: Which of two scores is the better one; ``target``: the one that is nearer to the perfect one.
        bounds: The smallest and largest score that there is; None without one.
        perfect: Score of a perfect answer, or the name of the option that is it.
        worst: The worst score that there is, as :data:`Worst` says.
        source: Whom it is taken from.
        options: What a challenge has to choose, such as a tolerance in mm.
        symmetric: Whether reference and estimate may change places.
        needs_spacing: Whether the size of a voxel matters; masks only.
        empty: The policy where a challenge names none; masks only.
        value_where_empty: In which situations the formula has a value of its own, so that a policy may say ``value``.
        no_value: What counts where a metric of something else than masks has no value, such as R^2 of equal numbers;
            ``value`` where it always has one.
        function: Of what :mod:`braggbook.metrics.scoring` makes of a kind, and the options.
    """

    id: str
    says: str
    kind: Kind
    scope: Scope
    unit: str
    better: Better
    bounds: tuple[float | None, float | None]
    perfect: float | str
    worst: Worst
    source: str
    options: tuple[Option, ...]
    symmetric: bool
    needs_spacing: bool
    empty: EmptyPolicy
    value_where_empty: tuple[Situation, ...]
    no_value: Verdict
    function: Callable[..., float] = field(repr=False)

    @property
    def family(self) -> str:
        """The module of this package where it is."""
        return self.function.__module__.rpartition(".")[2]

    def perfect_for(self, options: Mapping[str, Any]) -> float:
        """Returns the score of a perfect answer under these options."""
        return float(options[self.perfect]) if isinstance(self.perfect, str) else self.perfect

    def worst_for(
        self,
        options: Mapping[str, Any],
        *,
        shape: Sequence[int] | None = None,
        spacing_mm: Sequence[float] | None = None,
    ) -> float | None:
        """Returns the worst score that there is, on a grid where it depends on one; None without an end.

        Raises:
            InputError: It depends on a grid, and there is none.
        """
        if self.worst == "farthest":
            perfect = self.perfect_for(options)
            return max((end for end in self.bounds if end is not None), key=lambda end: abs(end - perfect))
        if not isinstance(self.worst, str):
            return self.worst
        if shape is None or spacing_mm is None:
            raise InputError("the worst score depends on the grid", where=self.id, wanted="its shape and spacing_mm")
        edges = [float(size * step) for size, step in zip(shape, spacing_mm, strict=True)]
        return math.hypot(*edges) if self.worst == "diagonal" else math.prod(edges) / _MM3_PER_CC

    def unit_for(self, data_unit: str) -> str:
        """Returns the unit of the score of data in a unit."""
        if self.unit == OF_DATA_SQUARED:
            return f"{data_unit}2" if data_unit.isalpha() else f"{data_unit}*{data_unit}"
        return data_unit if self.unit == OF_DATA else self.unit

    def loss(self, value: float, options: Mapping[str, Any]) -> float:
        """Returns a score turned so that smaller is better."""
        if self.better == "target":
            return abs(value - self.perfect_for(options))
        return -value if self.better == "larger" else value

    def issues(self, options: Mapping[str, Any], *, empty: EmptyPolicy | None = None) -> list[Issue]:
        """Returns all that is wrong with what was chosen for this metric."""
        known = {option.name: option for option in self.options}
        found = [Issue("missing", name, option.says) for name, option in known.items() if name not in options]
        found += [Issue("no such option", name, ", ".join(known) or "none") for name in options if name not in known]
        found += [issue for name in known.keys() & options.keys() if (issue := known[name].issue(options[name]))]
        if empty is None:
            return found
        if self.kind != "masks":
            return [*found, Issue("only masks can be empty", "empty", "no policy", str(empty))]
        for situation in ("both", "only_reference", "only_estimate"):
            said = getattr(empty, situation)
            if said == "value" and situation not in self.value_where_empty:
                found.append(Issue("the metric has no value there", f"empty.{situation}", "another policy", said))
            if said == "worst" and self.worst is None:
                found.append(Issue("the metric has no worst value", f"empty.{situation}", "a number", said))
        return found

    def as_json(self) -> dict[str, Any]:
        """Returns the definition as ``braggbook show metric --json`` prints it."""
        plain = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "function"}
        options = [
            {"name": o.name, "says": o.says, "takes": o.range_text(), "example": o.example} for o in self.options
        ]
        empty = {part.name: getattr(self.empty, part.name) for part in fields(self.empty)}
        own = {
            "bounds": list(self.bounds), "options": options, "value_where_empty": list(self.value_where_empty),
            "empty": empty if self.kind == "masks" else None, "family": self.family,
        }  # fmt: skip
        return {**plain, **own}


_KNOWN: dict[str, Definition] = {}


def define(  # noqa: PLR0913 - a definition has that many parts
    id: str,
    *,
    says: str,
    kind: Kind,
    unit: str,
    better: Better,
    bounds: tuple[float | None, float | None],
    source: str,
    scope: Scope = "case",
    perfect: float | str = 0.0,
    worst: Worst = None,
    options: tuple[Option, ...] = (),
    symmetric: bool = False,
    needs_spacing: bool = False,
    empty: EmptyPolicy = EmptyPolicy(),
    value_where_empty: tuple[Situation, ...] = (),
    no_value: Verdict = "value",
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Makes a function known as a metric, under an id; the arguments are those of :class:`Definition`.

    Raises:
        DuplicateName: Another one has this id.
    """

    def add(function: Callable[..., float]) -> Callable[..., float]:
        if (known := _KNOWN.get(id)) is not None:
            got = f"{known.function.__module__} and {function.__module__}"
            raise DuplicateName("two metrics of one id", where=id, got=got)
        _KNOWN[id] = Definition(
            id, says, kind, scope, unit, better, bounds, perfect, worst, source, options, symmetric, needs_spacing,
            empty, value_where_empty, no_value, function,
        )  # fmt: skip
        return function

    return add


def definitions() -> dict[str, Definition]:
    """Returns every metric by its id, in the order of the ids."""
    _find()
    return dict(sorted(_KNOWN.items()))


def definition(id: str) -> Definition:
    """Returns a metric.

    Raises:
        UnknownName: None has this id.
    """
    _find()
    if id not in _KNOWN:
        next_command = "braggbook list metric"
        raise UnknownName(f"no metric {id!r}", wanted=closest(id, _KNOWN), next_command=next_command)
    return _KNOWN[id]


def ids(kind: Kind | None = None) -> list[str]:
    """Returns the ids of all metrics, or of those of a kind."""
    return [id for id, found in definitions().items() if kind in (None, found.kind)]


@cache
def _find() -> None:
    """Imports every module of this package, which is where definitions are made."""
    for module in pkgutil.iter_modules(braggbook.metrics.__path__):
        importlib.import_module(f"braggbook.metrics.{module.name}")
