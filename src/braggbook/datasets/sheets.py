"""Reads CSV, TSV and XLSX into rows of texts, with the row of the file that each came from.

Nothing is interpreted here. Blanks around a cell are dropped, a spreadsheet's cells become the text that a
person would type, and whatever disturbs the grid is returned as an issue: an empty or repeated header, a row
that is longer or shorter than the header, a quote that never ends, an empty row between others.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from braggbook.errors import DatasetError, Issue
from braggbook.formats.common import shown

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
WORKBOOKS = (".xlsx", ".xlsm")
TABLES = (*DELIMITERS, *WORKBOOKS)


@dataclass(frozen=True)
class Sheet:
    """A header and rows of as many texts; ``numbers`` are the rows' places in the file (header: row 1)."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    issues: tuple[Issue, ...]


Row = tuple[int, list[str]]  # the row of the file, and its cells


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
        # openpyxl takes 0.1 s to import, and most tables are text
        from braggbook.datasets.workbooks import workbook_rows  # noqa: PLC0415

        rows, issues = workbook_rows(data, name, sheet=sheet)
    elif delimiter or suffix in DELIMITERS:
        rows, issues = _text_rows(decoded(data, name), name, delimiter=delimiter or DELIMITERS[suffix])
    else:
        got = suffix or "no suffix"
        raise DatasetError("not a table that can be read", where=name, wanted=", ".join(TABLES), got=got)
    return _grid(name, rows, issues=issues)


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


def _text_rows(text: str, name: str, *, delimiter: str) -> tuple[list[Row], list[Issue]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        for number, cells in enumerate(reader, start=1):
            rows.append((number, [cell.strip() for cell in cells]))
    except csv.Error as error:
        return rows, [Issue("cannot divide the row into cells", f"{name}: row {len(rows) + 1}", got=str(error))]
    return rows, []


def _grid(name: str, rows: list[Row], *, issues: list[Issue]) -> Sheet:
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
