"""The first rows of a table, as its card describes them."""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

from braggbook.datasets.sheets import WORKBOOKS, read_sheet
from braggbook.datasets.tables import check_table
from braggbook.errors import DatasetError
from braggbook.formats.dataset import NUMERIC, DatasetFile
from braggbook.hub.look.plots import plot_of
from braggbook.hub.look.shown import ColumnShown, Preview, TableShown, nothing
from braggbook.notebooks.show import column_title

ROWS = 20  # that are shown
_MOST_COLUMNS = 40
_LONGEST_CELL = 120  # characters
_TEXT_BYTES = 256 << 10  # of a text table that are read: a quarter of a second for the slowest kinds of cells
_WORKBOOK_BYTES = 2 << 20
_UNPACKED_BYTES = 2 << 20  # of a workbook's parts together
_GRID_CELLS = 30_000  # of a sheet, empty ones up to its last column too: reading one takes 50 microseconds


def table_preview(path: Path, file: DatasetFile) -> Preview:
    """Returns the first rows of a table and a drawing of two of its columns.

    Raises:
        DatasetError: It is no table.
    """
    if file.path.lower().endswith(WORKBOOKS):
        if why := _too_much(path, file):
            return nothing(file.path, why)
        return _preview(path, file, whole=True)
    if path.stat().st_size <= _TEXT_BYTES:
        return _preview(path, file, whole=True)
    with path.open("rb") as stream:
        head, cut, _ = stream.read(_TEXT_BYTES).rpartition(b"\n")
    if not cut:
        return nothing(file.path, f"Its first row is longer than {_TEXT_BYTES:,} bytes.")
    with tempfile.NamedTemporaryFile(prefix="braggbook-head-") as part:
        part.write(head + cut)
        part.flush()
        return _preview(Path(part.name), file, whole=False)


def _too_much(path: Path, file: DatasetFile) -> str:
    """Returns why a workbook is not opened: a small file may unpack to any size, and its grid may be nearly empty."""
    if path.stat().st_size > _WORKBOOK_BYTES:
        return f"A workbook of {file.bytes:,} bytes; those up to {_WORKBOOK_BYTES:,} are shown here."
    try:
        with zipfile.ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DatasetError(
            "not a workbook", where=file.path, wanted=".xlsx without a password", got=str(error)
        ) from None
    if size > _UNPACKED_BYTES:
        return f"A workbook of {size:,} bytes unpacked; those up to {_UNPACKED_BYTES:,} are shown here."
    return f"A sheet of more than {_GRID_CELLS:,} cells, empty ones among them." if _is_wide(path) else ""


def _is_wide(path: Path) -> bool:
    """Whether a sheet's grid has too many cells; one that cannot be read is left to the reader, which says why."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of decorations that are dropped
        for sheet in openpyxl.load_workbook(path, read_only=True).worksheets:
            sheet.reset_dimensions()  # other programs write a wrong one
            width = 1
            for rows, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                width = max(width, len(cells))
                if rows * width > _GRID_CELLS:
                    return True
    return False


def _preview(path: Path, file: DatasetFile, *, whole: bool) -> Preview:
    if not file.columns:
        return _plain(path, file, whole=whole)
    frame, issues = check_table(path, file)
    table = TableShown(_columns(frame, file), _cells(frame), len(frame), whole)
    rows = f"{'' if whole else 'the first '}{len(frame):,} rows"
    says = f"{_beginning(len(frame))} of {rows}; columns and units as the card describes them."
    if issues:
        says += f" {len(issues)} places are not what the card says, the first: {issues[0]}."
        return Preview(file.path, "table", says, table)
    return Preview(file.path, "table", says, table, plot_of(frame, file.columns, name=file.path, rows=rows))


def _plain(path: Path, file: DatasetFile, *, whole: bool) -> Preview:
    """Shows a table whose columns the card does not describe, as texts."""
    sheet = read_sheet(path, name=file.path, delimiter=file.delimiter, sheet=file.sheet)
    columns = tuple(
        ColumnShown(text, _cut(text), "text", "", "", numeric=False) for text in sheet.header[:_MOST_COLUMNS]
    )
    cells = tuple(tuple(_cut(text) for text in row[:_MOST_COLUMNS]) for row in sheet.rows[:ROWS])
    says = f"{_beginning(len(sheet.rows))} of {len(sheet.rows):,} rows; the card does not describe the columns."
    return Preview(file.path, "table", says, TableShown(columns, cells, len(sheet.rows), whole))


def _beginning(rows: int) -> str:
    return f"The first {ROWS}" if rows > ROWS else "All"


def _columns(frame: pd.DataFrame, file: DatasetFile) -> tuple[ColumnShown, ...]:
    shown = []
    for name in list(map(str, frame.columns))[:_MOST_COLUMNS]:
        column = file.columns[name]
        title = column_title(column.header or name, column.unit)
        shown.append(ColumnShown(name, title, column.type, column.unit or "", column.meaning, column.type in NUMERIC))
    return tuple(shown)


def _cells(frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    head = frame.iloc[:ROWS, :_MOST_COLUMNS]
    columns = [[_cell(value) for value in head[name].tolist()] for name in head.columns]
    return tuple(zip(*columns, strict=True))


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return _cut(repr(value).removesuffix(".0") if isinstance(value, float) else str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
