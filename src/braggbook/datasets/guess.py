"""Guesses what the columns of a person's own table are, and says by row what cannot be right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from braggbook.datasets.cells import DATE, INTEGER, NUMBER, PARSERS
from braggbook.datasets.headers import Header, column_name, take_apart
from braggbook.datasets.sheets import WORKBOOKS, Sheet
from braggbook.errors import Issue, UnitError, closest
from braggbook.formats.common import shown
from braggbook.formats.dataset import NUMERIC, Column, ColumnType
from braggbook.units import parse_unit

Ask = Callable[[str, str], str]

_EMPTY = {
    "na",
    "n/a",
    "n.a.",
    "nan",
    "null",
    "none",
    "-",
    "--",
    "\u2013",
    "\u2014",
    ".",
    "?",
}  # as people write it
_COMMA = re.compile(r"[+-]?[0-9]{1,3}(?:[.,][0-9]{3})*,[0-9]+(?:[eE][+-]?[0-9]+)?|[+-]?[0-9]*,[0-9]+")
_OTHER_DATE = re.compile(
    r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}|[0-9]{1,2}[ .-]+[A-Za-z]{3,9}\.?([ -]+[0-9]{2,4})?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T].*"
)
_TRUTH = {"true": "true", "false": "false", "yes": "true", "no": "false"}
_ROWS_NAMED = 5  # that one line of a note names


@dataclass(frozen=True)
class Choices:
    """What a person said about a table; columns by their header or by the name they get."""

    units: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    decimal: str = "."


@dataclass(frozen=True)
class GuessedColumn:
    """A column as guessed: its header, name and card entry, its cells as they will be written."""

    header: str
    name: str
    column: Column
    cells: tuple[str, ...]
    empty_as: tuple[str, ...]  # texts that were taken as an empty cell


@dataclass(frozen=True)
class Guesses:
    """All columns, what cannot be used as it is, and what a person should look at."""

    columns: tuple[GuessedColumn, ...]
    issues: tuple[Issue, ...]
    notes: tuple[str, ...]


def guess_columns(sheet: Sheet, choices: Choices | None = None, *, ask: Ask | None = None) -> Guesses:
    """Guesses name, type, unit and meaning of every column.

    Args:
        sheet: The table.
        choices: What was said beforehand; it goes before every guess.
        ask: Called as ``ask(question, guess)`` for each unit and meaning; None takes the guesses.
    """
    choices = choices or Choices()
    issues = [*sheet.issues, *_choice_issues(sheet, choices)]
    notes: list[str] = []
    columns = []
    if not sheet.rows and not sheet.issues:
        issues.append(Issue("the table has no rows", sheet.name, "a header, then rows"))
    headers = [take_apart(text) for text in sheet.header]
    table = _Table(sheet, headers, choices, ask)
    for position, header in enumerate(headers):
        if not header.text:
            continue  # an issue of the sheet already
        work = _Column(table, position)
        columns.append(work.guess())
        issues += work.issues
        notes += work.notes
    issues += [*_name_issues(columns, sheet), *_row_issues(columns, sheet)]
    return Guesses(tuple(columns), tuple(issues), tuple(notes))


def _choice_issues(sheet: Sheet, choices: Choices) -> list[Issue]:
    known = {*sheet.header, *(_name(take_apart(text), None) for text in sheet.header)}
    issues = []
    for flag, given in (("--unit", choices.units), ("--type", choices.types)):
        for column in given:
            if column not in known:
                issues.append(Issue(f"no column {column!r}", flag, closest(column, sheet.header)))
    for column, unit in choices.units.items():
        try:
            parse_unit(unit)
        except UnitError as error:
            issues.append(Issue(error.what, f"--unit {column}={unit}", error.wanted))
    types = get_args(ColumnType)
    for column, kind in choices.types.items():
        if kind not in types:
            issues.append(Issue("unknown type", f"--type {column}={kind}", "one of " + ", ".join(types)))
    if choices.decimal not in (".", ","):
        issues.append(Issue("not a decimal sign", "--decimal", "'.' or ','", shown(choices.decimal)))
    return issues


def _name_issues(columns: Sequence[GuessedColumn], sheet: Sheet) -> list[Issue]:
    issues = []
    for name, times in Counter(column.name for column in columns).items():
        headers = [column.header for column in columns if column.name == name]
        if times > 1 and len(set(headers)) > 1:
            got = " and ".join(map(shown, headers))
            issues.append(Issue(f"two columns get one name, {name}", f"{sheet.name}: row 1", "other headers", got))
    return issues


def _row_issues(columns: Sequence[GuessedColumn], sheet: Sheet) -> list[Issue]:
    """Finds rows in which nothing is left once NA and such are taken as empty."""
    filled = {row for column in columns for row, cell in enumerate(column.cells) if cell}
    numbers = [number for row, number in enumerate(sheet.numbers) if row not in filled]
    return [Issue("a row without values", f"{sheet.name}: row {number}") for number in numbers]


def _name(header: Header, unit: str | None) -> str:
    return column_name(header.stem, unit or header.unit)


@dataclass(frozen=True)
class _Table:
    """What the guessing of each column needs of the whole."""

    sheet: Sheet
    headers: Sequence[Header]
    choices: Choices
    ask: Ask | None


class _Column:
    """Works on one column."""

    def __init__(self, table: _Table, position: int) -> None:
        self.header = table.headers[position]
        self.table, self.sheet, self.ask = table, table.sheet, table.ask
        self.issues: list[Issue] = []
        self.notes: list[str] = []
        self.cells = tuple(row[position] for row in table.sheet.rows)
        self.pointed = self.cells if table.choices.decimal == "." else tuple(map(_pointed, self.cells))

    def guess(self) -> GuessedColumn:
        kind = self._type()
        cells, empty_as = self._cleaned(kind)
        unit = self._unit(cells) if kind in NUMERIC else None
        if kind not in NUMERIC and self._given_unit() is not None:
            flag = f"--unit {self.header.text}={self._given_unit()}"
            self.issues.append(Issue(f"a column of type {kind} has no unit", flag, "no unit, or --type number"))
        meaning = self._meaning()
        missing = any(not cell for cell in cells)
        # A unit that is not known is an issue already; "1" only completes the entry, so that the work goes on.
        column = Column(type=kind, meaning=meaning, unit=unit or ("1" if kind in NUMERIC else None), missing=missing)
        name = column_name(self.header.stem, column.unit)
        return GuessedColumn(self.header.text, name, column, cells, empty_as)

    def _report(self, position: int, complaint: tuple[str, str]) -> None:
        what, wanted = complaint
        where = f"{self.sheet.name}: row {self.sheet.numbers[position]}, column {self.header.text}"
        self.issues.append(Issue(what, where, wanted, shown(self.cells[position])))

    def _type(self) -> ColumnType:
        given = _given(self.table.choices.types, self.header)
        for kind in get_args(ColumnType):
            if given == kind:
                return kind  # type: ignore[no-any-return]
        filled = [cell for cell in self.pointed if cell and cell.lower() not in _EMPTY]
        if not filled:
            where = f"{self.sheet.name}: column {self.header.text}"
            self.issues.append(Issue("a column without values", where, "values, or no such column"))
            return "text"
        numbers = sum(bool(NUMBER.fullmatch(cell) or _COMMA.fullmatch(cell)) for cell in filled)
        dates = sum(bool(DATE.fullmatch(cell) or _OTHER_DATE.fullmatch(cell)) for cell in filled)
        if 2 * dates > len(filled):
            return "date"
        if 2 * numbers > len(filled) or (numbers and (self.header.unit or self._given_unit())):
            fractions = any(map(_is_fraction, filled))
            return "number" if fractions else "integer"
        if numbers:
            some = f"{numbers} of its {len(filled)} cells are numbers"
            self.notes.append(f"column {self.header.text}: taken as text, although {some}")
        return "boolean" if all(cell.lower() in _TRUTH for cell in filled) else "text"

    def _cleaned(self, kind: ColumnType) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Returns the cells as they will be written; what cannot be of the type is reported by row."""
        if kind == "text":
            return self.cells, ()
        parse, wanted = PARSERS[kind]
        cleaned: list[str] = []
        emptied: dict[str, None] = {}
        pointed = self.pointed if kind in NUMERIC else self.cells
        for position, (cell, text) in enumerate(zip(self.cells, pointed, strict=True)):
            if cell.lower() in _EMPTY:
                emptied[cell] = None
            clean = "" if cell.lower() in _EMPTY else _TRUTH.get(text.lower(), text) if kind == "boolean" else text
            try:
                if clean:
                    parse(clean)
            except ValueError:
                self._report(position, _complaint(text, kind, wanted=wanted))
            else:
                if kind in NUMERIC and self._has_another_sign(cell):
                    self._report(position, ("a point in a number", "a comma for decimals, as --decimal , says"))
            cleaned.append(clean)
        if emptied:
            listed = ", ".join(map(shown, emptied))
            self.notes.append(f"column {self.header.text}: {listed} was taken as an empty cell")
        return tuple(cleaned), tuple(emptied)

    def _given_unit(self) -> str | None:
        return _given(self.table.choices.units, self.header)

    def _has_another_sign(self, cell: str) -> bool:
        """Returns whether a text table with decimal commas has a point in this number (a workbook has numbers)."""
        workbook = self.sheet.name.lower().endswith(WORKBOOKS)
        return self.table.choices.decimal == "," and "." in cell and not workbook

    def _unit(self, cells: Sequence[str]) -> str | None:
        given = self._given_unit()
        if given is not None:
            return given if _is_unit(given) else None  # which is an issue already
        guess = self._guessed_unit(cells)
        if self.ask is not None:
            return self._asked_unit(self.ask, guess or "")
        if guess is None:
            where = f"{self.sheet.name}: column {self.header.text}"
            flag = f'--unit "{self.header.text}=UNIT" (1 for a pure number)'
            self.issues.append(Issue("its unit cannot be guessed", where, flag))
        return guess

    def _asked_unit(self, ask: Ask, guess: str) -> str | None:
        answer = ask(f"unit of column {self.header.text!r} (1 for a pure number)", guess).strip()
        try:
            parse_unit(answer)
        except UnitError as error:
            where = f"{self.sheet.name}: column {self.header.text}"
            self.issues.append(Issue(error.what, where, error.wanted, shown(answer)))
            return None
        return answer

    def _guessed_unit(self, cells: Sequence[str]) -> str | None:
        if self.header.unit:
            return self.header.unit
        if self.header.spread_of:
            bases = [other for other in self.table.headers if other.stem == self.header.spread_of[0]]
            return _stated_unit(bases[0], self.table.choices) if bases else None
        known = self.header.known
        if known is None or known.unit is None:
            return None
        if known.meaning == "surviving fraction" and any(
            float(cell) > _HIGHEST_SURVIVAL for cell in cells if _is_number(cell)
        ):
            return None  # it may be percent
        return known.unit

    def _meaning(self) -> str:
        known, spread = self.header.known, self.header.spread_of
        guess = known.meaning if known else f"{spread[1]} of {spread[0]}" if spread else ""
        if self.ask is not None:
            return (
                self.ask(f"meaning of column {self.header.text!r}", guess or self.header.text).strip()
                or self.header.text
            )
        if not guess:
            self.notes.append(f"column {self.header.text}: its meaning is not known; the card repeats the header")
        return guess or self.header.text


_HIGHEST_SURVIVAL = 2.0  # a plating efficiency of the control that came out low gives a little above 1, never twice


def _given(given: Mapping[str, str], header: Header) -> str | None:
    return given.get(header.text, given.get(_name(header, None)))


def _stated_unit(header: Header, choices: Choices) -> str | None:
    known = header.known.unit if header.known else None
    return _given(choices.units, header) or header.unit or known


def _is_unit(text: str) -> bool:
    try:
        parse_unit(text)
    except UnitError:
        return False
    return True


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _is_fraction(cell: str) -> bool:
    """Returns whether a cell is a number that is not whole, a comma read as the decimal sign unless it groups."""
    grouped = re.fullmatch(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+", cell)
    number = NUMBER.fullmatch(cell) or (_COMMA.fullmatch(cell) and not grouped)
    return bool(number) and INTEGER.fullmatch(cell) is None


def _pointed(cell: str) -> str:
    """Turns a decimal comma into a point."""
    plain = re.fullmatch(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?", cell)
    return cell.replace(",", ".") if plain else cell


def _complaint(cell: str, kind: ColumnType, *, wanted: str) -> tuple[str, str]:
    """Returns what is wrong with a cell, and what is wanted."""
    if kind == "date" and DATE.fullmatch(cell):
        return "no such day", "YYYY-MM-DD"
    if kind == "date":
        return "a date that can be read in two ways", "YYYY-MM-DD"
    if kind not in NUMERIC:
        return "a cell of another type", wanted
    if _COMMA.fullmatch(cell):
        return "a comma in a number", "a point for decimals and no sign for thousands (or --decimal ,)"
    if DATE.fullmatch(cell) or _OTHER_DATE.fullmatch(cell):
        return "a date in a column of numbers", f"{wanted} (did a spreadsheet turn it into a date?)"
    return "text in a column of numbers", wanted
