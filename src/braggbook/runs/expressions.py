"""The texts of a sweep, ``1:100:log20`` or ``1,2,5 Gy``: the values that each stands for, or where it is wrong.

Whether a text is one value or several is decided by the parameter's type, as ``braggbook run`` reads it. No value is
made before it is asked for, so that a range of 10^9 points can be counted and refused.
"""

from __future__ import annotations

import datetime
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

from braggbook.errors import Issue, UnitError, closest
from braggbook.formats.common import shown
from braggbook.notebooks.parameters import Parameter, check_value
from braggbook.runs.spacing import NUMBER, Interval, linear, logarithmic, read_decimal, step_count, stepped
from braggbook.units import conversion_factor

POINT_LIMIT = 1_000_000  # points of one sweep; each is a run with a folder of its own
_QUANTITY = re.compile(rf"(?P<number>{NUMBER}|\[.*\])\s*(?P<unit>[^\d\s,\]].*)", re.DOTALL)
_SPACING = re.compile(rf"\s*(?P<kind>[A-Za-z]*)\s*(?P<number>{NUMBER})?\s*(?P<unit>.*?)\s*", re.DOTALL)
_RANGE_LIKE = re.compile(rf"\s*{NUMBER}\s*:\s*{NUMBER}\s*:\s*(lin|log|step)\s*{NUMBER}\b.*", re.DOTALL)
_LONGEST_PLACE = 60  # characters of a text that a message repeats
_SHOWN_ISSUES = 10  # of one parameter's values; the rest is counted

Made = Iterable[tuple[str, Any]]


@dataclass(frozen=True)
class Place:
    """Where a text stands: ``where`` in words, after ``before`` characters that its own do not count."""

    where: str
    before: int = 0

    @classmethod
    def in_expression(cls, name: str, text: str) -> Place:
        """Returns the place of ``text`` in ``name=text``."""
        whole = "".join(character if character.isprintable() else "?" for character in f"{name}={text}")
        short = whole if len(whole) <= _LONGEST_PLACE else whole[: _LONGEST_PLACE - 4] + " ..."
        return cls(short, len(name) + 1)

    def at(self, index: int) -> str:
        """Returns the place of one character, counted from 0 here and from 1 for people."""
        return f"{self.where}, character {self.before + index + 1}"


@dataclass(frozen=True)
class Values:
    """The values that one parameter is to take, not yet checked; ``make`` gives each with its place."""

    where: str
    count: int
    make: Callable[[], Made]
    fixed: bool = False  # one value of the parameter's type, and no list of them


class _Refused(Exception):
    def __init__(self, *issues: Issue) -> None:
        super().__init__()
        self.issues = list(issues)


def check_values(parameter: Parameter, values: Values) -> tuple[tuple[Any, ...], list[Issue]]:
    """Returns the values as plain JSON in the parameter's unit, and what is wrong with them."""
    found: list[Any] = []
    issues: list[Issue] = []
    for where, raw in values.make():
        value, wrong = check_value(parameter, raw)
        found.append(value)
        issues += [_in_words(issue, where, parameter=parameter, raw=raw) for issue in wrong]
    if len(issues) > _SHOWN_ISSUES:
        more = f"refused too: {len(issues) - _SHOWN_ISSUES:,} more of the values of {parameter.name}"
        issues = [*issues[:_SHOWN_ISSUES], Issue(more, values.where)]
    return tuple(found), issues


def _in_words(issue: Issue, where: str, *, parameter: Parameter, raw: Any) -> Issue:
    got = issue.got
    if isinstance(raw, dict) and set(raw) == {"value", "unit"} and got == repr(raw):
        got = f"{raw['value']} {raw['unit']}"
    broken = isinstance(raw, float) and not raw.is_integer()
    if broken and issue.what == "wrong type" and takes_whole_numbers(parameter):
        return Issue("not a whole number", where, parameter.declaration.type_text, got)
    return Issue(issue.what, where, issue.wanted, got)


def one_value(value: Any, *, where: str) -> Values:
    """Returns one value as what fixes a parameter."""
    return Values(where, 1, lambda: [(where, value)], fixed=True)


def listed_values(parameter: Parameter, items: Sequence[Any], *, where: str) -> tuple[Values | None, list[Issue]]:
    """Returns the values of a list, of which either all or none carry a unit."""
    if not items:
        return None, [Issue("an empty list", where, "at least one value")]
    units = [_unit_of(parameter, item) for item in items]
    if any(units) and not all(units):
        return None, [_mixed(items, units, at=lambda index: f"{where}[{index}]")]
    made = [(f"{where}[{index}]", item) for index, item in enumerate(items)]
    return Values(where, len(made), lambda: made), []


def read_text(
    parameter: Parameter, text: str, *, place: Place, separate: bool = True
) -> tuple[Values | None, list[Issue]]:
    """Reads what stands after ``name=``: one value, several between commas, or a range.

    Args:
        parameter: Whose values they are; its type decides what a text means.
        text: As a person typed it.
        place: Where the text stands, for messages.
        separate: Does a comma separate values of a parameter that takes text, which itself may hold a comma?

    Returns:
        The values, or nothing and every reason why the text cannot be read.
    """
    try:
        return _read_text(parameter, text, place=place, separate=separate), []
    except _Refused as refused:
        return None, refused.issues


def _read_text(parameter: Parameter, text: str, *, place: Place, separate: bool) -> Values:
    value, issues = check_value(parameter, text)
    whole = not issues or value is not None  # a value out of bounds is one value too
    if whole and not takes_text(parameter):
        return one_value(text, where=place.at(0))
    if takes_text(parameter) and takes_numbers(parameter) and _RANGE_LIKE.fullmatch(text):
        wanted = f"a list of numbers between commas, or the text in quotes, '\"{text.strip()}\"'"
        raise _Refused(Issue("a range or a text? The parameter takes both", place.at(0), wanted))
    items = _items(text, place=place) if "," in text and (separate or not whole) else []
    if len(items) > 1:
        return _several(parameter, items, place=place)
    if not whole and ":" in text and takes_numbers(parameter):
        return _range(parameter, text, place=place)
    return one_value(text, where=place.at(0))


def takes_numbers(parameter: Parameter) -> bool:
    """Returns whether a number is a value of the parameter; a list of numbers is not one."""
    return not {int, float, Decimal, Any}.isdisjoint(_members(parameter.declaration.type))


def takes_whole_numbers(parameter: Parameter) -> bool:
    """Returns whether the parameter's numbers are whole ones only."""
    members = set(_members(parameter.declaration.type))
    return int in members and members.isdisjoint({float, Decimal, Any})


def takes_text(parameter: Parameter) -> bool:
    """Returns whether any text is a value of the parameter, so that a text alone does not tell what it means."""
    return not {str, pathlib.Path, Any}.isdisjoint(_members(parameter.declaration.type))


def _members(kind: Any) -> Iterator[Any]:
    """Gives the types that a union is of, or the one type."""
    if get_origin(kind) in _UNIONS:
        for member in get_args(kind):
            yield from _members(member)
    else:
        yield kind


_UNIONS = {get_origin(int | str), get_origin(Literal[0] | None)}  # Python has two kinds


def _unit_of(parameter: Parameter, item: Any) -> str:
    """Returns the unit that a value carries, empty where it carries none."""
    if isinstance(item, dict) and set(item) == {"value", "unit"}:
        return str(item["unit"])
    if not isinstance(item, str) or not _takes_units(parameter) or re.fullmatch(NUMBER, item.strip()):
        return ""
    match = _QUANTITY.fullmatch(item.strip())
    return match["unit"] if match else ""


def _takes_units(parameter: Parameter) -> bool:
    # as `braggbook run` has it: "2024-05-01" is a date, and the choice "5 mm" of a Literal is no number
    parts = set(_parts(parameter.declaration.type))
    others = {str, pathlib.Path, Any, Literal, datetime.date, datetime.datetime}
    return parts.isdisjoint(others) and not parts.isdisjoint({int, float, Decimal})


def _parts(kind: Any) -> Iterator[Any]:
    """Gives every type inside a type."""
    if get_origin(kind) is Literal:
        yield Literal
    elif inner := get_args(kind):
        for part in inner:
            yield from _parts(part)
    else:
        yield kind


def _unit_issues(parameter: Parameter, unit: str, *, where: str) -> list[Issue]:
    target = parameter.spec.unit
    if target is None:
        return [Issue("wrong unit", where, "no unit", repr(unit))]
    try:
        conversion_factor(unit, target)
    except UnitError as error:
        return [Issue(error.what if error.where else "wrong unit", where, target, repr(unit))]
    return []


# Several values between commas


_CLOSERS = {"[": "]", "{": "}", "(": ")"}


def _items(text: str, *, place: Place) -> list[tuple[int, str]]:
    """Returns what stands between the commas outside brackets and quotes, each with where it begins."""
    found: list[tuple[int, str]] = []
    open_: list[int] = []
    start = index = 0
    fresh = True  # nothing but blanks since the item began; only there or in brackets a quote is more than a character
    while index < len(text):
        character = text[index]
        if character == '"' and (fresh or open_):
            index = _end_of_quote(text, index, place=place)
        elif character in _CLOSERS:
            open_.append(index)
        elif open_ and character in _CLOSERS.values():
            _close(text, open_.pop(), index=index, place=place)
        elif character == "," and not open_:
            found.append(_stripped(start, text[start:index]))
            start = index + 1
        fresh = start == index + 1 or (fresh and character.isspace())
        index += 1
    if open_:
        raise _Refused(_unclosed(text, open_[-1], place=place))
    return [*found, _stripped(start, text[start:])]


def _end_of_quote(text: str, start: int, *, place: Place) -> int:
    index = start + 1
    while index < len(text) and text[index] != '"':
        index += 2 if text[index] == "\\" else 1
    if index >= len(text):
        raise _Refused(_unclosed(text, start, place=place))
    return index


def _close(text: str, opened: int, *, index: int, place: Place) -> None:
    closer = _CLOSERS[text[opened]]
    if text[index] != closer:
        raise _Refused(Issue("another bracket than the one that was opened", place.at(index), closer, text[index]))


def _unclosed(text: str, start: int, *, place: Place) -> Issue:
    kind = "a quote" if text[start] == '"' else "a bracket"
    wanted = f"{_CLOSERS.get(text[start], text[start])} after it, or the whole value in double quotes"
    return Issue(f"{kind} that is never closed", place.at(start), wanted, text[start])


def _stripped(start: int, item: str) -> tuple[int, str]:
    return start + len(item) - len(item.lstrip()), item.strip()


def _several(parameter: Parameter, items: list[tuple[int, str]], *, place: Place) -> Values:
    issues = [Issue("an empty value", place.at(start), "a value between commas") for start, item in items if not item]
    if takes_numbers(parameter) and not takes_text(parameter):
        wanted = "one range, or values between commas"
        ranges = [(i, item) for i, item in items if ":" in item and check_value(parameter, item)[0] is None]
        issues += [Issue("a range among values", place.at(i), wanted, shown(item)) for i, item in ranges]
    if issues:
        raise _Refused(*issues)
    texts = _with_units(parameter, items, place=place)
    made = [(place.at(start), text) for (start, _), text in zip(items, texts, strict=True)]
    return Values(place.where, len(made), lambda: made)


def _with_units(parameter: Parameter, items: list[tuple[int, str]], *, place: Place) -> list[str]:
    """Returns the texts with their units; a unit after the last alone is that of all."""
    texts = [text for _, text in items]
    units = [_unit_of(parameter, text) for text in texts]
    if not any(units) or all(units):
        return texts
    if any(units[:-1]):
        raise _Refused(_mixed(texts, units, at=lambda index: place.at(items[index][0])))
    if issues := _unit_issues(parameter, units[-1], where=place.at(items[-1][0])):
        raise _Refused(*issues)
    return [*(f"{text} {units[-1]}" for text in texts[:-1]), texts[-1]]


def _mixed(items: Sequence[Any], units: list[str], *, at: Callable[[int], str]) -> Issue:
    bare = units.index("")
    what, wanted = "a value without a unit among values with one", "a unit at each or at none"
    return Issue(what, at(bare), wanted, shown(items[bare]))


# Ranges


def _range(parameter: Parameter, text: str, *, place: Place) -> Values:
    pieces = _pieces(text)
    if len(pieces) != 3:
        wanted = "start:stop:lin20, start:stop:log20 or start:stop:step0.5"
        index = pieces[3][0] if len(pieces) > 3 else len(text)
        raise _Refused(Issue("not a range", place.at(index), wanted, shown(text)))
    issues: list[Issue] = []
    start, stop = (_end(piece, place=place, issues=issues) for piece in pieces[:2])
    kind, amount, unit = _spacing(pieces[2], place=place, issues=issues)
    if unit:
        issues += _unit_issues(parameter, unit, where=place.at(pieces[2][0] + pieces[2][1].rindex(unit)))
    if start is None or stop is None or amount is None or issues:
        raise _Refused(*issues)
    count, numbers = _KINDS[kind](_Range(place, pieces, start, stop, amount))
    where = place.at(0)
    if unit:
        return Values(where, count, lambda: ((where, {"value": number, "unit": unit}) for number in numbers()))
    return Values(where, count, lambda: ((where, number) for number in numbers()))


def read_interval(parameter: Parameter, text: str, *, place: Place) -> tuple[Interval | None, list[Issue]]:
    """Reads ``low:high:lin`` or ``low:high:log``, with a unit at the end or without.

    Returns:
        The interval in the parameter's unit, or nothing and every reason why there is none.
    """
    pieces = _pieces(text)
    wanted = 'low:high:log or low:high:lin, as "1:100:log"'
    if len(pieces) != 3:
        return None, [Issue("not an interval", place.where, wanted, shown(text))]
    spacing = re.fullmatch(r"(?P<kind>lin|log)\b\s*(?P<unit>.*)", pieces[2][1], re.DOTALL)
    if spacing is None:
        return None, [Issue("not a spacing", place.at(pieces[2][0]), "lin or log", shown(pieces[2][1]))]
    ends = [(place.at(index), f"{end} {spacing['unit']}".strip()) for index, end in pieces[:2]]
    return checked_interval(parameter, ends, where=place.where, log=spacing["kind"] == "log")


def checked_interval(
    parameter: Parameter, ends: Made, *, where: str, log: bool = False
) -> tuple[Interval | None, list[Issue]]:
    """Returns the interval between two values of a parameter, or what is wrong with it."""
    if not takes_numbers(parameter):
        kind = parameter.declaration.type_text
        return None, [Issue(f"{parameter.name} is not a number", where, "a parameter of type float or int", kind)]
    values, issues = check_values(parameter, Values(where, 2, lambda: ends))
    if issues:
        return None, issues
    low, high = values
    whole = takes_whole_numbers(parameter)
    if not all(isinstance(value, int | float) for value in values) or low >= high:
        return None, [Issue("not a low and a high end", where, "two numbers, the lower one first", shown(list(values)))]
    if whole and max(abs(low), abs(high)) > _LARGEST:
        return None, [Issue("whole numbers beyond 2^53", where, "ends that a float can hold")]
    if log and low <= 0 <= high:
        return None, [Issue(_THROUGH_ZERO, where, _ONE_SIGN, f"{low:g} to {high:g}")]
    return Interval(low, high, log=log, whole=whole), []


def _pieces(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    start = 0
    for piece in text.split(":"):
        found.append(_stripped(start, piece))
        start += len(piece) + 1
    return found


def _end(piece: tuple[int, str], *, place: Place, issues: list[Issue]) -> Decimal | None:
    number = read_decimal(piece[1])
    if number is None:
        wanted = "a number; a unit stands at the end, as in 100:400:lin4 cGy"
        issues.append(Issue("not a number", place.at(piece[0]), wanted, shown(piece[1])))
    return number


def _spacing(piece: tuple[int, str], *, place: Place, issues: list[Issue]) -> tuple[str, Decimal | None, str]:
    """Returns the kind of spacing, its number and the unit of the range."""
    index, text = piece
    match = _SPACING.fullmatch(text)
    assert match is not None  # every part of the pattern may be empty
    kind, number, unit = match["kind"], match["number"], match["unit"]
    if number and not kind:
        wanted = f"lin{number} or log{number} for so many points, step{number} for steps of that size"
        issues.append(Issue("points or steps?", place.at(index), wanted, shown(text)))
    elif kind not in _KINDS:
        near = closest(kind, _KINDS)
        wanted = near if kind and near.startswith("did") else "lin20, log20 or step0.5"
        issues.append(Issue("not a spacing", place.at(index), wanted, shown(text)))
    elif number is None:
        wanted = "a size of the steps, as step0.5" if kind == "step" else f"a number of points, as {kind}20"
        issues.append(Issue(f"{kind} without its number", place.at(index), wanted, shown(text)))
    else:
        return kind, _end((index + match.start("number"), number), place=place, issues=issues), unit
    return kind, None, ""


_LARGEST = 2**53  # up to here a float tells each whole number from the next
_THROUGH_ZERO = "a logarithmic range through zero"
_ONE_SIGN = "two ends of one sign, neither of them 0"
Numbers = Callable[[], Iterator[int | float]]


@dataclass(frozen=True)
class _Range:
    """The three pieces of a range, as they were typed and as numbers."""

    place: Place
    pieces: list[tuple[int, str]]
    start: Decimal
    stop: Decimal
    amount: Decimal

    def lin(self) -> tuple[int, Numbers]:
        count = self._points()
        return count, lambda: linear(self.start, self.stop, count=count)

    def log(self) -> tuple[int, Numbers]:
        if self.start == 0 or self.stop == 0 or (self.start > 0) != (self.stop > 0):
            raise self._refuse(_THROUGH_ZERO, piece=0, wanted=_ONE_SIGN)
        count = self._points()
        return count, lambda: logarithmic(self.start, self.stop, count=count)

    def step(self) -> tuple[int, Numbers]:
        count = step_count(self.start, self.stop, step=self.amount) if self.amount else 0
        if count < 1:
            wanted = "a step below 0, for the range falls" if self.stop < self.start else "a step above 0"
            raise self._refuse("a step that does not lead to the end", piece=2, wanted=wanted)
        return count, lambda: stepped(self.start, self.stop, step=self.amount)

    def _points(self) -> int:
        if self.start == self.stop:
            raise self._refuse("a range from a number to itself", piece=1, wanted="two different ends")
        if self.amount != self.amount.to_integral_value() or self.amount < 2:
            wanted = "a whole number from 2, for both ends are points"
            raise self._refuse("not a number of points", piece=2, wanted=wanted)
        return int(self.amount)

    def _refuse(self, what: str, *, piece: int, wanted: str) -> _Refused:
        index, text = self.pieces[piece]
        return _Refused(Issue(what, self.place.at(index), wanted, shown(text)))


_KINDS = {"lin": _Range.lin, "log": _Range.log, "step": _Range.step}
