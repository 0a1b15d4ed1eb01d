"""Reads a sheet of an Excel workbook as texts; apart from :mod:`braggbook.datasets.sheets` for its slow import."""

from __future__ import annotations

import datetime
import io
import warnings
import zipfile
import zlib
from typing import Any

import openpyxl

from braggbook.errors import DatasetError, Issue, closest
from braggbook.formats.common import shown

# What openpyxl lets through when a file is damaged: of the ZIP, of the XML (a SyntaxError), of what is in it.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, SyntaxError, LookupError, ValueError, TypeError, AttributeError, OSError,
    RuntimeError, EOFError, ArithmeticError,
)  # fmt: skip
_LARGEST_WHOLE = 2**53  # above it a spreadsheet's number is no longer exact


def workbook_rows(data: bytes, name: str, *, sheet: str | None) -> tuple[list[tuple[int, list[str]]], list[Issue]]:
    """Returns the rows of a sheet with their numbers, and formulas whose values the file does not have.

    Raises:
        DatasetError: It is no workbook, or it is not clear which sheet is meant.
    """
    rows: list[tuple[int, list[str]]] = []
    issues: list[Issue] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of decorations that it drops
        try:
            pairs = zip(*(_rows(data, name, sheet=sheet, values=values) for values in (True, False)), strict=False)
            for number, (cells, written) in enumerate(pairs, start=1):
                rows.append((number, [_cell_text(cell) for cell in cells]))
                if _has_unknown_value(cells, written):
                    wanted = "a number (open and save it in a spreadsheet program)"
                    issues.append(Issue("a formula without its value", f"{name}: row {number}", wanted))
        except _DAMAGE as error:
            wanted = ".xlsx without a password"
            raise DatasetError("not a workbook", where=name, wanted=wanted, got=str(error)) from None
    width = max((len(cells) for _, cells in rows if any(cells)), default=0)
    while width and not any(len(cells) >= width and cells[width - 1] for _, cells in rows):
        width -= 1  # columns that are only formatted
    return [(number, (cells + [""] * width)[:width]) for number, cells in rows], issues


def _has_unknown_value(cells: tuple[Any, ...], written: tuple[Any, ...]) -> bool:
    pairs = zip(cells, written, strict=False)
    return any(cell is None and str(formula).startswith("=") for cell, formula in pairs)


def _rows(data: bytes, name: str, *, sheet: str | None, values: bool) -> Any:
    """Returns the rows of the one sheet that is meant: the cells' values, or what was written in them."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=values)
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
    return worksheet.iter_rows(values_only=True)


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
