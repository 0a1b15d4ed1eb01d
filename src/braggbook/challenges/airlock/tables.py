"""A table of predictions from a stranger, read cell by cell; no message repeats what stands in a cell."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from braggbook.challenges.airlock.names import disguised, folded
from braggbook.datasets.cells import NUMBER
from braggbook.errors import Issue
from braggbook.formats.challenge import PredictedColumn, SubmissionRules

LONGEST_CELL = 200  # characters; Python writes a number in at most 24
_SPARE_BYTES = 1 << 16  # a header, a byte order mark, quotes, empty lines at the end
_QUOTES_BYTES = 4  # around a cell, and behind it
_UTF8_BYTES = 4  # of one character, at most
Value = float | None


@dataclass
class Table:
    """Rows by case, as far as they could be read, and all that is wrong."""

    rows: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)  # cases that have a row, right or wrong
    issues: list[Issue] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # of the text, to be searched for lines of the inputs


def largest_table(rules: SubmissionRules, cases: int) -> int:
    """Returns how many bytes a table may have: every cell as long as it may be."""
    cells = (cases + 1) * (len(rules.columns) + 1)
    return cells * (LONGEST_CELL * _UTF8_BYTES + _QUOTES_BYTES) + _SPARE_BYTES


def read_table(data: bytes, *, rules: SubmissionRules, cases: Sequence[str]) -> Table:
    """Reads a table whose length is known to be bounded.

    Args:
        data: The file.
        rules: Which columns it has.
        cases: Which cases there are.
    """
    text, issue = _text(data, rules.file)
    if issue is not None:
        return Table(issues=[issue])
    table = Table(lines=text.splitlines())
    try:
        listed = _rows(text, most=len(cases) + 2)
    except csv.Error:
        what = "rows that cannot be divided into cells: a quote that never ends, or stands inside of a cell"
        table.issues.append(Issue(what, rules.file))
        return table
    if not listed or not any(listed[0]):
        table.issues.append(Issue("the table is empty", rules.file, f"a header {_header(rules)}, then a row a case"))
        return table
    _read(table, listed, rules=rules, cases=cases)
    return table


def _text(data: bytes, name: str) -> tuple[str, Issue | None]:
    wanted = "a CSV table as UTF-8 text"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", Issue("it is UTF-16 text", name, 'UTF-8; in Excel "CSV UTF-8"')
    if what := disguised(data):
        return "", Issue(f"it is {what}, whatever its name says", name, wanted)
    if b"\0" in data:
        return "", Issue("it has NUL bytes: binary data, or UTF-16 text", name, wanted)
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        return "", Issue("it is not UTF-8 text", f"{name}: row {row}", wanted)


def _rows(text: str, *, most: int) -> list[list[str]]:
    """Returns the rows, of too many only one too much; empty ones at the end are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    blank = 0
    for row in reader:
        if not any(cell.strip() for cell in row):
            blank += 1
            continue
        rows.extend([[]] * min(blank, most))
        rows.append(row)
        blank = 0
        if len(rows) > most:
            break
    return rows[: most + 1]


def _header(rules: SubmissionRules) -> str:
    return ",".join((rules.case, *rules.columns))


def _read(table: Table, listed: list[list[str]], *, rules: SubmissionRules, cases: Sequence[str]) -> None:
    header = listed[0]
    table.issues += _header_issues(header, rules)
    if _is_header(header, rules):
        table.lines = table.lines[1:]  # it is ours, whatever the inputs hold
    if table.issues:
        return
    if len(listed) > len(cases) + 1:
        wanted = f"one row for each of {len(cases)} cases"
        table.issues.append(Issue("too many rows", rules.file, wanted))
    reader = _Reader(rules, header, cases)
    for number, row in enumerate(islice(listed[1:], len(cases) + 1), start=2):
        table.issues += reader.read(number, row)
    table.rows, table.seen = reader.rows, set(reader.first)


def _is_header(header: list[str], rules: SubmissionRules) -> bool:
    return set(header) <= {rules.case, *rules.columns}


def _header_issues(header: list[str], rules: SubmissionRules) -> list[Issue]:
    where, wanted = f"{rules.file}: row 1", (rules.case, *rules.columns)
    joined = "".join(header)
    for sign, name in ((";", "semicolon"), ("\t", "tab"), ("|", "bar")):
        if len(header) <= joined.count(sign):
            hint = "commas between the cells, and a point in numbers"
            return [Issue(f"it looks like a {name}-separated file", where, hint)]
    found = [Issue(f"no column {name}", where, _header(rules)) for name in wanted if name not in header]
    found += [Issue(f"column {name} stands twice", where, "once") for name in wanted if header.count(name) > 1]
    for position, name in enumerate(header, start=1):
        if name not in wanted:
            found.append(Issue(_unknown_column(name, wanted), f"{where}, column {position}", _header(rules)))
    return found


def _unknown_column(name: str, wanted: Sequence[str]) -> str:
    near = [known for known in wanted if folded(known) == folded(name[:LONGEST_CELL])]
    if near:
        return f"blanks, capitals or other signs in the name of column {near[0]}"
    return "a column without a name" if not name.strip() else "a column that the design does not name"


class _Reader:
    """Reads the rows of a table whose header is right."""

    def __init__(self, rules: SubmissionRules, header: list[str], cases: Sequence[str]) -> None:
        self.rules = rules
        self.width = len(header)
        self.place = {name: position for position, name in enumerate(header)}
        self.known = set(cases)
        self.near = {folded(case): case for case in cases}
        self.rows: dict[str, tuple[Value, ...]] = {}
        self.first: dict[str, int] = {}

    def read(self, number: int, row: list[str]) -> Iterator[Issue]:
        """Reads one row, and yields what is wrong with it."""
        where = f"{self.rules.file}: row {number}"
        if not row:
            yield Issue("an empty row", where, "rows without a gap")
            return
        if len(row) != self.width:
            wanted = f"{self.width} cells as in row 1 (a decimal comma makes one more: write 1.5)"
            yield Issue("a row of another length", where, wanted)
            return
        issues = [*self._case_issues(number, row), *self._cell_issues(where, row)]
        yield from issues
        if not issues:
            self.rows[row[self.place[self.rules.case]]] = self._values(row)

    def _case_issues(self, number: int, row: list[str]) -> Iterator[Issue]:
        where, case = f"{self.rules.file}: row {number}, column {self.rules.case}", row[self.place[self.rules.case]]
        if case in self.known:
            if first := self.first.get(case):
                yield Issue(f"case {case} stands twice", where, "once", f"also in row {first}")
            self.first.setdefault(case, number)
        elif len(case) > LONGEST_CELL:
            yield Issue("a cell that is too long", where, f"at most {LONGEST_CELL} characters")
        elif not case.strip():
            yield Issue("an empty cell", where, "the name of a case")
        elif near := self.near.get(folded(case)):
            how = "blanks around it" if case.strip() == near else "other capitals or another Unicode form"
            yield Issue(f"a case with {how}", where, f"exactly {near}")
        else:
            yield Issue("a case that is not known", where, "one of the inputs' cases, exactly as it is written there")

    def _cell_issues(self, where: str, row: list[str]) -> Iterator[Issue]:
        wrong = False
        for name, column in self.rules.columns.items():
            if what := _cell_problem(row[self.place[name]], column):
                wrong = True
                yield Issue(what, f"{where}, column {name}", _wanted(column))
        for pair in () if wrong else self.rules.ordered:
            lower, upper = (_number(row[self.place[name]]) for name in (pair.lower, pair.upper))
            if lower is not None and upper is not None and lower > upper:
                wanted = f"{pair.lower} at most {pair.upper}"
                yield Issue(f"{pair.lower} is above {pair.upper}", f"{where}, column {pair.lower}", wanted)

    def _values(self, row: list[str]) -> tuple[Value, ...]:
        return tuple(_number(row[self.place[name]]) for name in self.rules.columns)


def _wanted(column: PredictedColumn) -> str:
    return f"a number from {column.minimum:g} to {column.maximum:g}" + (", or nothing" if column.missing else "")


def _cell_problem(text: str, column: PredictedColumn) -> str:
    """Returns what is wrong with a cell, without repeating it."""
    if len(text) > LONGEST_CELL:
        return f"a cell of more than {LONGEST_CELL} characters"
    bare = text.strip(" ")
    if not bare:
        return "" if column.missing else "an empty cell"
    if bare.lower().lstrip("+-") in ("nan", "na", "n/a", "null", "none", "inf", "infinity"):
        return "NaN, infinity or a word for nothing instead of a number"
    if NUMBER.fullmatch(bare.replace(",", ".", 1)) and "," in bare:
        return "a comma in a number; write 1.5, with a point"
    if NUMBER.fullmatch(bare) is None:
        return "not a number in plain digits"
    value = float(bare)
    if math.isinf(value):
        return "a number that is too large for a computer"
    if value < column.minimum:
        return "a number below the minimum"
    return "a number above the maximum" if value > column.maximum else ""


def _number(text: str) -> Value:
    bare = text.strip(" ")
    return float(bare) + 0.0 if bare else None  # + 0.0 makes zero of minus zero, which is the same number


def table_bytes(rows: dict[str, tuple[Value, ...]], *, rules: SubmissionRules, cases: Sequence[str]) -> bytes:
    """Returns the one spelling of a table: cases in their order, numbers as Python writes them (shortest that reads
    back the same), LF, no quotes but where a case's name needs them.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([rules.case, *rules.columns])
    for case in cases:
        if case in rows:
            writer.writerow([case, *("" if value is None else repr(value) for value in rows[case])])
    return stream.getvalue().encode()
