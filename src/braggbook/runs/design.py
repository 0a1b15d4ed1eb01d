"""Which points a sweep of a notebook has: expressions, a design file or a program's arrays, checked before any run.

The values are those that ``braggbook run`` would give the notebook for the same text, so that a point of a sweep and
a single run with its parameters are one run.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from braggbook.errors import InputError, Issue, ParameterError, closest
from braggbook.formats.common import SLUG, dotted, issues_from, read_toml, shown
from braggbook.formats.sweep import DESIGN_FORMAT, LatinHypercube, SweepDesign
from braggbook.notebooks.parameters import Parameter, Parameters
from braggbook.runs.arrays import read_value
from braggbook.runs.expressions import (
    POINT_LIMIT,
    Made,
    Place,
    Values,
    check_values,
    checked_interval,
    listed_values,
    one_value,
    read_interval,
    read_text,
)
from braggbook.runs.spacing import Interval, latin_hypercube

_CHEAP = 10_000  # values that are checked, in a fraction of a second, even where there are too many points
_REPEATED = 5  # repeated values that a message names
_LONGEST_LIST = 60  # characters of values that a description names one by one


@dataclass(frozen=True)
class Axis:
    """One dimension of a sweep: one parameter, or several whose values go together."""

    dim: str
    values: dict[str, tuple[Any, ...]]  # plain JSON values in the parameter's unit, all of one length

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its place along each axis, and the values of what the design fixes or sweeps."""

    index: tuple[int, ...]
    values: dict[str, Any]

    @property
    def given(self) -> dict[str, Any]:
        """The values in a spelling that ``Parameters.resolve`` reads as these very values: a text ``5`` stays one."""
        return {name: json.dumps(v) if isinstance(v, str | dict) else v for name, v in self.values.items()}


@dataclass(frozen=True)
class Design:
    """The points of a sweep: every combination of the places along its axes."""

    fixed: dict[str, Any]
    axes: tuple[Axis, ...]
    units: dict[str, str] = field(default_factory=dict)  # of the parameters that have one

    @property
    def shape(self) -> dict[str, int]:
        """The length of each dimension."""
        return {axis.dim: len(axis) for axis in self.axes}

    @property
    def swept(self) -> set[str]:
        """The names of all parameters that have more than one value, or might."""
        return {name for axis in self.axes for name in axis.values}

    def __len__(self) -> int:
        return math.prod(self.shape.values())

    def points(self) -> Iterator[Point]:
        """Gives every point; the last axis turns fastest."""
        for index in itertools.product(*(range(len(axis)) for axis in self.axes)):
            values = dict(self.fixed)
            for position, axis in zip(index, self.axes, strict=True):
                values |= {name: column[position] for name, column in axis.values.items()}
            yield Point(index, values)

    def describe(self) -> list[str]:
        """Returns a line for each axis and each fixed parameter, for people."""
        rows = [row for axis in self.axes for row in self._rows(axis)]
        rows += [(name, f"{_text(value)}{self._unit(name)}, fixed") for name, value in self.fixed.items()]
        width = max((len(name) for name, _ in rows), default=0)
        return [f"{name:<{width}}  {text}" for name, text in rows]

    def _rows(self, axis: Axis) -> Iterator[tuple[str, str]]:
        along = "" if list(axis.values) == [axis.dim] else f", along {axis.dim}"
        for name, values in axis.values.items():
            number = f"{len(values):,} value{'s' if len(values) != 1 else ''}"
            yield name, f"{number}{_span(values)}{self._unit(name)}{along}"

    def _unit(self, name: str) -> str:
        unit = self.units.get(name, "1")
        return "" if unit == "1" else f" {unit}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    fits = isinstance(value, str) and len(value) <= _LONGEST_LIST and value.isprintable()
    return value if fits else shown(value)


def _span(values: Sequence[Any]) -> str:
    """Returns the ends of numbers that rise or fall, the least and the largest of others, and few texts one by one."""
    if len(values) > 1 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        rises = [one < other for one, other in itertools.pairwise(values)]
        ends = (values[0], values[-1]) if len(set(rises)) == 1 else (min(values), max(values))
        return f", {_text(ends[0])} to {_text(ends[1])}"
    text = ", ".join(map(_text, values[:_LONGEST_LIST]))
    return f": {text}" if len(text) <= _LONGEST_LIST else f", {_text(values[0])} to {_text(values[-1])}"


def build_design(
    parameters: Parameters,
    expressions: Sequence[str],
    *,
    file: Path | None = None,
    together: Sequence[str] = (),
    where: str = "",
) -> Design:
    """Reads the design of a sweep as the command line gives it.

    Args:
        parameters: Of the notebook.
        expressions: ``name=value``, ``name=a,b,c``, ``name=1:100:log20``, ``name=0:1:lin11``, ``name=0:1:step0.1``.
        file: A design file; its axes come before those of the expressions, which may replace its ``[fixed]`` values.
        together: Names of swept parameters that go along one dimension, ``a,b`` or ``dimension=a,b``.
        where: The notebook's name, for messages.

    Returns:
        The design; its values are checked, in the parameters' units, and no two of one axis are the same.

    Raises:
        ParameterError: Something in it cannot be used; all that is wrong is listed, with the file's line or the
            expression's character.
    """
    draft = _Draft(parameters)
    if file is not None:
        _take_file(draft, file)
    for expression in expressions:
        _take_expression(draft, expression)
    for group in together:
        draft.join(group)
    return draft.finish(where)


def design_from_values(
    parameters: Parameters, given: Mapping[str, Any], *, together: Sequence[str] = (), where: str = ""
) -> Design:
    """Reads the design of a sweep as a program gives it.

    A value of the parameter's own type fixes the parameter; otherwise a list, tuple, range, NumPy array or 1-D object
    of pandas or xarray is swept, and a text is read as :func:`build_design` reads it. ``attrs["units"]`` of what has
    them is the unit of its numbers.

    Args:
        parameters: Of the notebook.
        given: What each parameter is to be.
        together: As for :func:`build_design`.
        where: The notebook's name, for messages.

    Raises:
        ParameterError: Something in it cannot be used; all that is wrong is listed.
    """
    draft = _Draft(parameters)
    for name, value in given.items():
        parameter = draft.accept(name, name)
        if parameter is not None:
            draft.give(parameter, *read_value(parameter, value))
    for group in together:
        draft.join(group)
    return draft.finish(where)


def _take_expression(draft: _Draft, expression: str) -> None:
    name, equals, text = expression.partition("=")
    if not equals or not name.strip():
        wanted = "name=value, name=a,b,c or name=1:100:log20"
        draft.issues.append(Issue("not a parameter and its values", "", wanted, shown(expression)))
        return
    place = Place.in_expression(name, text)
    parameter = draft.accept(name.strip(), place.where)
    if parameter is not None:
        draft.give(parameter, *read_text(parameter, text, place=place))


# What a design is made of before its values are checked


@dataclass(frozen=True)
class _AxisDraft:
    dim: str
    where: str
    members: dict[str, Values]
    free: bool = False  # may be joined with others

    @property
    def count(self) -> int:
        return max(values.count for values in self.members.values())


class _Draft:
    """Gathers what is fixed and swept, and everything that is wrong with it."""

    def __init__(self, parameters: Parameters) -> None:
        self.known = {parameter.name: parameter for parameter in parameters.items}
        self.issues: list[Issue] = []
        self.fixed: dict[str, Values] = {}
        self.axes: list[_AxisDraft] = []
        self.places: dict[str, str] = {}  # of each name that was given, whether it could be read or not
        self.unread: set[str] = set()
        self.replaceable: set[str] = set()

    def accept(self, name: str, where: str) -> Parameter | None:
        """Returns the parameter that is given at a place, if it exists and was given nowhere else."""
        if name not in self.known:
            self.issues.append(Issue(f"unknown parameter {name!r}", where, closest(name, self.known)))
            return None
        if name in self.replaceable:
            self.replaceable.discard(name)
            self.fixed.pop(name, None)
        elif name in self.places:
            self.issues.append(Issue(f"{name} is given twice, first at {self.places[name]}", where))
            return None
        self.places[name] = where
        return self.known[name]

    def give(self, parameter: Parameter, values: Values | None, issues: list[Issue]) -> None:
        """Takes what a person gave for one parameter."""
        self.issues += issues
        if values is None:
            self.unread.add(parameter.name)
        elif values.fixed:
            self.fixed[parameter.name] = values
        else:
            self.axes.append(_AxisDraft(parameter.name, values.where, {parameter.name: values}, free=True))

    def add(self, dim: str, members: dict[str, Values], *, where: str) -> None:
        """Takes a dimension along which several parameters go."""
        self.axes.append(_AxisDraft(dim, where, members))
        self._check_group(self.axes[-1])

    def join(self, group: str) -> None:
        """Puts parameters that were given one by one along one dimension."""
        where = f"--together {group}"
        dim, equals, rest = group.rpartition("=")
        names = [name.strip() for name in rest.split(",")]
        if len(names) < 2 or not all(names) or len(set(names)) < len(names) or (equals and not dim.strip()):
            wanted = "two or more different names, as a,b or dimension=a,b"
            self.issues.append(Issue("not a group of parameters", where, wanted))
            return
        free = {axis.dim: axis for axis in self.axes if axis.free}
        self.issues += [self._not_free(name, where) for name in names if name not in {*free, *self.unread}]
        if members := {name: free[name].members[name] for name in names if name in free}:
            joined = _AxisDraft(dim.strip() or "_".join(names), where, members)
            self.axes[min(self.axes.index(free[name]) for name in members)] = joined
            self.axes = [axis for axis in self.axes if not (axis.free and axis.dim in members)]
            self._check_group(joined)

    def _not_free(self, name: str, where: str) -> Issue:
        if name not in self.known:
            return Issue(f"unknown parameter {name!r}", where, closest(name, self.known))
        if name in self.fixed:
            return Issue(f"{name} has one value", where, "a list or a range", self.places[name])
        if name in self.places:
            return Issue(f"{name} goes along another dimension already", where, "no other group", self.places[name])
        return Issue(f"{name} is not swept", where, f"also -p {name}=...")

    def _check_group(self, axis: _AxisDraft) -> None:
        counts = {name: values.count for name, values in axis.members.items()}
        if len(set(counts.values())) > 1:
            got = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            self.issues.append(Issue("lists of different lengths", axis.where, "equal lengths", got))
        if axis.dim not in axis.members and SLUG.fullmatch(axis.dim) is None:
            wanted = "small letters, digits and _, beginning with a letter; name it as in dimension=a,b"
            self.issues.append(Issue("a dimension whose name is no slug", axis.where, wanted, shown(axis.dim)))
        if axis.dim in self.known and axis.dim not in axis.members:
            what = f"the dimension {axis.dim} has the name of a parameter that does not go along it"
            self.issues.append(Issue(what, axis.where))
        elif sum(other.dim == axis.dim for other in self.axes) > 1:
            self.issues.append(Issue(f"two dimensions named {axis.dim}", axis.where, "another name for one"))

    def finish(self, where: str) -> Design:
        """Checks every value and returns the design.

        Raises:
            ParameterError: Something is wrong; all of it is listed.
        """
        limit = POINT_LIMIT
        if math.prod(axis.count for axis in self.axes) > limit:
            limit = _CHEAP
            self.issues.append(_too_many(self.axes))
        axes = tuple(self._checked(axis) for axis in self.axes if axis.count <= limit)
        fixed = {name: self._values(name, values)[0] for name, values in self.fixed.items()}
        if self.issues:
            raise ParameterError("a sweep that the notebook cannot make", where=where, issues=self.issues)
        units = {name: unit for name in self.places if (unit := self.known[name].spec.unit)}
        return Design(fixed, axes, units)

    def _checked(self, axis: _AxisDraft) -> Axis:
        before = len(self.issues)
        columns = {name: self._values(name, values) for name, values in axis.members.items()}
        if len(self.issues) == before and (repeated := _repeated(columns)):
            what = "the same values twice: the two points would be one run"
            self.issues.append(Issue(what, axis.where, "different values", repeated))
        return Axis(axis.dim, columns)

    def _values(self, name: str, values: Values) -> tuple[Any, ...]:
        checked, issues = check_values(self.known[name], values)
        self.issues += issues
        return checked


def _too_many(axes: Sequence[_AxisDraft]) -> Issue:
    counts = [axis.count for axis in axes]
    shape = " × ".join(f"{axis.dim} {_counted(axis.count)}" for axis in axes)
    return Issue("too many points", "", f"at most {POINT_LIMIT:,}", f"{_counted(math.prod(counts))} ({shape})")


def _counted(count: int) -> str:
    return f"{count:,}" if count < 10**15 else "more than 10^15"


def _repeated(columns: Mapping[str, Sequence[Any]]) -> str:
    """Returns the values that two points of an axis share, each with its first two places counted from 1."""
    seen: dict[Any, int] = {}
    found: list[str] = []
    for number, values in enumerate(zip(*columns.values(), strict=False), start=1):
        first = seen.setdefault(_key(values), number)
        if first != number:
            found.append(f"{', '.join(map(_text, values))} (values {first} and {number})")
    more = f" and {len(found) - _REPEATED:,} more" if len(found) > _REPEATED else ""
    return "; ".join(found[:_REPEATED]) + more


def _key(value: Any) -> Any:
    """Returns what two values share exactly when they are the same to a notebook; ``True`` and 1 are not."""
    if isinstance(value, list | tuple):
        return tuple(map(_key, value))
    if isinstance(value, dict):
        return frozenset((name, _key(item)) for name, item in value.items())
    return isinstance(value, bool), value


# The design file


def _take_file(draft: _Draft, path: Path) -> None:
    try:
        keys, lines = read_toml(path, what="sweep design", error=InputError)
    except InputError as error:
        draft.issues.append(Issue(error.what, error.where, error.wanted, error.got))
        return
    file = _File(path, lines)
    try:
        design = SweepDesign.model_validate(keys)
    except ValidationError as error:
        draft.issues += issues_from(error, where=str(path), known=SweepDesign, lines=lines)
        design = _readable(keys, error)
    for name, value in design.fixed.items():
        where = file.where("fixed", name)
        if draft.accept(name, where):
            draft.fixed[name] = one_value(value, where=where)
    for name, value in design.grid.items():
        at = functools.partial(file.where, "grid")
        _take_members(draft, name, {name: value}, where=at(name), at=at)
    for dim, members in design.zip.items():
        at = functools.partial(file.where, "zip", dim)
        _take_members(draft, dim, members, where=at(), at=at)
    for dim, hypercube in design.latin_hypercube.items():
        _take_hypercube(draft, dim, hypercube, at=functools.partial(file.where, "latin_hypercube", dim))
    draft.replaceable = set(draft.fixed)


@dataclass(frozen=True)
class _File:
    path: Path
    lines: Mapping[str, int]

    def where(self, *location: str) -> str:
        """Returns a key's place: the file, the line of the key or of the table it stands in, and the key's path."""
        paths = (dotted(location[:depth]) for depth in range(len(location), 0, -1))
        line = next((f":{self.lines[path]}" for path in paths if path in self.lines), "")
        return f"{self.path}{line} {dotted(location)}"


def _readable(keys: dict[str, Any], error: ValidationError) -> SweepDesign:
    """Returns the design without the keys that are wrong, so that the values of all others are checked too."""
    rest = copy.deepcopy(keys)
    for details in error.errors(include_url=False):
        location = [part for part in details["loc"] if part != "[key]"]  # pydantic's mark of a key itself
        _drop(rest, location[:-1] if details["type"] == "missing" else location)
    rest["format"] = DESIGN_FORMAT
    try:
        return SweepDesign.model_validate(rest)
    except ValidationError as left:  # a table that is empty now
        return _readable(rest, left)


def _drop(table: Any, location: Sequence[int | str]) -> None:
    for part in location[:-1]:
        table = table[part]
    if location:
        table.pop(location[-1], None)


def _take_members(draft: _Draft, dim: str, members: Mapping[str, Any], *, where: str, at: Callable[..., str]) -> None:
    """Takes lists that go along one dimension; ``at`` says where the list of a name stands."""
    read: dict[str, Values] = {}
    for name, value in members.items():
        parameter = draft.accept(name, at(name))
        if parameter is None:
            continue
        values, issues = _read_listed(parameter, value, where=at(name))
        draft.issues += issues
        if values is not None:
            read[name] = dataclasses.replace(values, fixed=False)
    if read:
        draft.add(dim, read, where=where)


def _read_listed(parameter: Parameter, value: str | list[Any], *, where: str) -> tuple[Values | None, list[Issue]]:
    if isinstance(value, str):
        return read_text(parameter, value, place=Place(where))
    return listed_values(parameter, value, where=where)


def _take_hypercube(draft: _Draft, dim: str, hypercube: LatinHypercube, *, at: Callable[..., str]) -> None:
    intervals: dict[str, Interval] = {}
    for name, ends in hypercube.ranges.items():
        where = at("ranges", name)
        parameter = draft.accept(name, where)
        if parameter is None:
            continue
        interval, issues = _read_ends(parameter, ends, where=where)
        draft.issues += issues
        if interval is not None:
            intervals[name] = interval

    @functools.cache
    def drawn() -> list[list[int | float]]:
        return latin_hypercube(list(intervals.values()), points=hypercube.points, seed=hypercube.seed)

    columns = {name: functools.partial(_column, drawn, index, at()) for index, name in enumerate(intervals)}
    if columns:
        draft.add(dim, {name: Values(at(), hypercube.points, make) for name, make in columns.items()}, where=at())


def _column(drawn: Callable[[], list[list[int | float]]], index: int, where: str) -> Made:
    return ((where, value) for value in drawn()[index])


def _read_ends(parameter: Parameter, ends: str | list[Any], *, where: str) -> tuple[Interval | None, list[Issue]]:
    if isinstance(ends, str):
        return read_interval(parameter, ends, place=Place(where))
    values, issues = listed_values(parameter, ends, where=where)
    return (None, issues) if values is None else checked_interval(parameter, values.make(), where=where)
