"""Reads CSV, TSV and XLSX into rows of texts, with the row of the file that each came from.

Nothing is interpreted here. Blanks around a cell are dropped, a spreadsheet's cells become the text that a
person would type, and whatever disturbs the grid is returned as an issue: an empty or repeated header, a row
that is longer or shorter than the header, a quote that never ends, an empty row between others.
"""

from __future__ import annotations

import csv
import datetime
import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from braggbook.errors import DatasetError, Issue, closest
from braggbook.formats.common import shown

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
WORKBOOKS = (".xlsx", ".xlsm")
TABLES = (*DELIMITERS, *WORKBOOKS)
_LARGEST_WHOLE = 2**53  # above it a spreadsheet's number is no longer exact


@dataclass(frozen=True)
class Sheet:
    """A header and rows of as many texts; ``numbers`` are the rows' places in the file (header: row 1)."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    issues: tuple[Issue, ...]


Row = tuple[int, list[str]]


def read_sheet(path: Path, *, name: str = "", delimiter: str | None = None, sheet: str | None = None) -> Sheet:
    """Reads a table.

    Args:
        path: The file.
        name: Its name for messages, and for its suffix; by default the path's own.
        delimiter: What divides the cells of a text file; by default its suffix tells.
        sheet: The sheet of a workbook, needed when it has several.

    Raises:
        DatasetError: The file is no table: another kind of file, not UTF-8, not a workbook, no such sheet.
    """
    name = name or path.name
    suffix = Path(name).suffix.lower()
    data = _read(path, name)
    if suffix in WORKBOOKS:
        rows, issues = _workbook_rows(data, name, sheet)
    elif delimiter or suffix in DELIMITERS:
        rows, issues = _text_rows(decoded(data, name), name, delimiter or DELIMITERS[suffix])
    else:
        got = suffix or "no suffix"
        raise DatasetError("not a table that can be read", where=name, wanted=", ".join(TABLES), got=got)
    return _grid(name, rows, issues)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError("cannot read the table", where=name, got=error.strerror or str(error)) from None


def decoded(data: bytes, name: str) -> str:
    """Returns the text of a UTF-8 file (with or without a byte order mark).

    Raises:
        DatasetError: It is in another encoding; the message names the row and the command that converts it.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        command = f"iconv -f UTF-16 -t UTF-8 {name}"
        raise DatasetError("not UTF-8 text", where=name, wanted="UTF-8", got="UTF-16", next_command=command)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            "not UTF-8 text", where=f"{name}: row {row}", wanted="UTF-8",
            got=f"byte 0x{error.object[error.start]:02x}",
            next_command=f"iconv -f WINDOWS-1252 -t UTF-8 {name}",
        ) from None  # fmt: skip


def _text_rows(text: str, name: str, delimiter: str) -> tuple[list[Row], list[Issue]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        for number, cells in enumerate(reader, start=1):
            rows.append((number, [cell.strip() for cell in cells]))
    except csv.Error as error:
        return rows, [Issue("cannot divide the row into cells", f"{name}: row {len(rows) + 1}", got=str(error))]
    return rows, []


def _workbook_rows(data: bytes, name: str, sheet: str | None) -> tuple[list[Row], list[Issue]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of decorations that it drops
        values = _worksheet(data, name, sheet, values=True)
        formulas = _worksheet(data, name, sheet, values=False)
        rows: list[Row] = []
        issues: list[Issue] = []
        pairs = zip(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=False)
        for number, (cells, written) in enumerate(pairs, start=1):
            rows.append((number, [_cell_text(cell) for cell in cells]))
            if _has_unknown_value(cells, written):
                wanted = "a number (open and save it in a spreadsheet program)"
                issues.append(Issue("a formula without its value", f"{name}: row {number}", wanted))
    width = max((len(cells) for _, cells in rows if any(cells)), default=0)
    while width and not any(len(cells) >= width and cells[width - 1] for _, cells in rows):
        width -= 1  # columns that are only formatted
    return [(number, (cells + [""] * width)[:width]) for number, cells in rows], issues


def _has_unknown_value(cells: tuple[Any, ...], written: tuple[Any, ...]) -> bool:
    pairs = zip(cells, written, strict=False)
    return any(cell is None and str(formula).startswith("=") for cell, formula in pairs)


def _worksheet(data: bytes, name: str, sheet: str | None, *, values: bool) -> Any:
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=values)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError, SyntaxError) as error:
        raise DatasetError("not a workbook", where=name, wanted=".xlsx without a password", got=str(error)) from None
    names = book.sheetnames
    if sheet is None and len(names) > 1:
        listed = ", ".join(shown(title) for title in names)
        wanted = "the name of one (--sheet NAME, or sheet in the card)"
        raise DatasetError("the workbook has several sheets", where=name, wanted=wanted, got=listed)
    if sheet is not None and sheet not in names:
        raise DatasetError(f"no sheet named {sheet!r}", where=name, wanted=closest(sheet, names))
    worksheet = book[sheet or names[0]]
    if not hasattr(worksheet, "reset_dimensions"):
        raise DatasetError("the sheet is a chart", where=name, wanted="a sheet of cells", got=shown(worksheet.title))
    worksheet.reset_dimensions()  # other programs write a wrong one
    return worksheet


def _cell_text(cell: Any) -> str:
    """Returns what a person would type for a spreadsheet's cell."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _LARGEST_WHOLE else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ")
    return str(cell).strip()


def _grid(name: str, rows: list[Row], issues: list[Issue]) -> Sheet:
    while rows and not any(rows[-1][1]):
        rows.pop()
    if not rows:
        raise DatasetError("the table is empty", where=name, wanted="a header, then rows")
    header = rows[0][1]
    issues = [*_header_issues(header, name), *issues]
    kept: list[Row] = []
    for number, cells in rows[1:]:
        if not any(cells):
            issues.append(Issue("an empty row", f"{name}: row {number}"))
        elif len(cells) != len(header):
            wanted = f"{len(header)} cells as in the header"
            issues.append(Issue("a row of another length", f"{name}: row {number}", wanted, str(len(cells))))
        else:
            kept.append((number, cells))
    texts = tuple(tuple(cells) for _, cells in kept)
    return Sheet(name, tuple(header), texts, tuple(number for number, _ in kept), tuple(issues))


def _header_issues(header: list[str], name: str) -> Iterator[Issue]:
    where = f"{name}: row 1"
    for position, text in enumerate(header, start=1):
        if not text:
            yield Issue(f"column {position} has no header", where, "a name in every cell of row 1")
    for text, times in Counter(header).items():
        if text and times > 1:
            yield Issue(f"{times} columns have one header", where, "different names", shown(text))
