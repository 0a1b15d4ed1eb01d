"""Opens a table as pandas or xarray, every cell checked against the card, units in the attributes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from braggbook.datasets.cells import CellError, parse_cell
from braggbook.datasets.sheets import Sheet, read_sheet
from braggbook.errors import DatasetError, Issue, closest
from braggbook.formats.common import shown
from braggbook.formats.dataset import Column, DatasetFile

ROW = "row"  # the dimension of a table as xarray
_TEXT = pd.StringDtype(na_value=np.nan)
_DTYPES: dict[tuple[str, bool], Any] = {  # by the column's type, and whether cells may be missing
    ("number", False): np.float64,
    ("number", True): np.float64,
    ("integer", False): np.int64,
    ("integer", True): pd.Int64Dtype(),
    ("text", False): _TEXT,
    ("text", True): _TEXT,
    ("boolean", False): np.bool_,
    ("boolean", True): pd.BooleanDtype(),
    ("date", False): np.dtype("datetime64[s]"),
    ("date", True): np.dtype("datetime64[s]"),
}


def open_table(path: Path, file: DatasetFile, *, dataset: str = "") -> pd.DataFrame:
    """Reads a table as its card describes it.

    Args:
        path: Where the file is; its name does not matter.
        file: What the card says of it.
        dataset: ``slug@version``, kept in the attributes.

    Returns:
        One row per row of the file and one column per column, in the file's order, typed as the card says.
        ``attrs["units"]`` and ``attrs["meanings"]`` give unit and meaning by column, ``attrs["dataset"]`` the
        dataset. Empty cells are NaN, NA or NaT.

    Raises:
        DatasetError: The file is no table, its columns are not the card's, or cells are not what the card
            allows; every such cell is listed with its row in the file (the header is row 1).
    """
    frame, issues = check_table(path, file)
    if issues:
        command = f"braggbook check datasets/{dataset.partition('@')[0]}" if dataset else ""
        what = "the table is not what its card says"
        raise DatasetError(what, where=dataset or file.path, issues=issues, next_command=command)
    frame.attrs["dataset"] = dataset
    return frame


def check_table(path: Path, file: DatasetFile) -> tuple[pd.DataFrame, list[Issue]]:
    """Reads a table, and returns whatever its card does not allow; without that the frame is good.

    Raises:
        DatasetError: The file is no table at all, or the card describes no columns.
    """
    if not file.columns:
        wanted = "[files.columns.<name>] with type, unit and meaning"
        raise DatasetError("the card does not describe the columns of this table", where=file.path, wanted=wanted)
    sheet = read_sheet(path, name=file.path, delimiter=file.delimiter, sheet=file.sheet)
    issues = [*sheet.issues, *_column_issues(sheet, file)]
    by_header = {column.header or name: (name, column) for name, column in file.columns.items()}
    series: dict[str, pd.Series[Any]] = {}
    found: list[tuple[int, Issue]] = []
    for position, header in enumerate(sheet.header):
        if header in by_header:
            name, column = by_header[header]
            cells = ["" if row[position] in file.missing_as else row[position] for row in sheet.rows]
            values = _values(cells, column, place=_Place(file.path, name, numbers=sheet.numbers, found=found))
            series[name] = pd.Series(values, dtype=_DTYPES[column.type, column.missing])
    issues += [issue for _, issue in sorted(found, key=lambda pair: pair[0])]
    return _with_attributes(pd.DataFrame(series), file), issues


class _Place:
    """Where a column's cells are, and the list that takes what is wrong with them."""

    def __init__(self, path: str, column: str, *, numbers: Sequence[int], found: list[tuple[int, Issue]]) -> None:
        self.path = path
        self.column = column
        self.numbers = numbers
        self.found = found

    def report(self, position: int, error: CellError, *, text: str) -> None:
        number = self.numbers[position]
        where = f"{self.path}: row {number}, column {self.column}"
        self.found.append((number, Issue(error.what, where, error.wanted, shown(text) if text else "")))


def _values(cells: Sequence[str], column: Column, *, place: _Place) -> list[Any]:
    values = []
    for position, text in enumerate(cells):
        try:
            values.append(parse_cell(text, column))
        except CellError as error:
            place.report(position, error, text=text)
    return values


def _column_issues(sheet: Sheet, file: DatasetFile) -> list[Issue]:
    wanted = [column.header or name for name, column in file.columns.items()]
    where = f"{file.path}: row 1"
    absent = [Issue(f"no column {header!r}", where) for header in wanted if header not in sheet.header]
    extra = [header for header in sheet.header if header and header not in wanted]
    unknown = [
        Issue(f"a column that the card does not have: {header!r}", where, closest(header, wanted)) for header in extra
    ]
    return absent + unknown


def _with_attributes(frame: pd.DataFrame, file: DatasetFile) -> pd.DataFrame:
    columns = {name: file.columns[str(name)] for name in frame.columns}
    frame.attrs["units"] = {name: column.unit for name, column in columns.items() if column.unit is not None}
    frame.attrs["meanings"] = {name: column.meaning for name, column in columns.items()}
    return frame


def to_xarray(frame: pd.DataFrame) -> xr.Dataset:
    """Returns a table as labelled arrays.

    Args:
        frame: As :func:`open_table` returns it.

    Returns:
        One variable per column over the dimension ``row``, with ``attrs["units"]`` and ``attrs["long_name"]``
        (the CF conventions' names). Missing whole numbers and truth values become NaN, missing texts ``""``.
    """
    units, meanings = frame.attrs.get("units", {}), frame.attrs.get("meanings", {})
    variables = {}
    for name in frame.columns:
        attributes = {"units": units.get(name), "long_name": meanings.get(name)}
        kept = {key: text for key, text in attributes.items() if text is not None}
        variables[name] = (ROW, _plain(frame[name]), kept)
    dataset = frame.attrs.get("dataset", "")
    return xr.Dataset(variables, {ROW: np.arange(len(frame))}, {"dataset": dataset} if dataset else {})


def _plain(column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Returns a column as a NumPy array of a type that Zarr and NetCDF can hold."""
    if isinstance(column.dtype, pd.StringDtype):
        return np.asarray(column.fillna("").to_list(), dtype=object)
    if isinstance(column.dtype, (pd.Int64Dtype, pd.BooleanDtype)):
        missing = bool(column.isna().any())
        whole = np.int64 if isinstance(column.dtype, pd.Int64Dtype) else np.bool_
        return column.to_numpy(dtype=np.float64, na_value=np.nan) if missing else column.to_numpy(dtype=whole)
    return column.to_numpy()
