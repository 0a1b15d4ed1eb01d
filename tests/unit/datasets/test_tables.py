"""Opening a table: types, units, and every cell that the card does not allow."""

from __future__ import annotations

import csv
import datetime
import io
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.datasets.arrays import open_arrays
from braggbook.datasets.tables import check_table, open_table, to_xarray
from braggbook.errors import DatasetError
from braggbook.formats.dataset import Column, DatasetFile

from .dataset_helpers import COLUMNS, COUNTS, entry

ALL_TYPES = {
    "dose_gy": Column(type="number", unit="Gy", meaning="dose", minimum=0.0, maximum=10.0),
    "colonies": Column(type="integer", unit="1", meaning="colonies", missing=True),
    "line": Column(type="text", meaning="cell line", values=("A", "B"), missing=True),
    "hypoxic": Column(type="boolean", meaning="under nitrogen", missing=True),
    "day": Column(type="date", meaning="day", missing=True),
}
TABLE = "dose_gy,colonies,line,hypoxic,day\n0,124,A,true,2024-05-01\n2.5e-1, +7 ,B,FALSE,2024-02-29\n1e1,,,,\n"


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(path: Path, file: DatasetFile) -> list[str]:
    return [str(issue) for issue in check_table(path, file)[1]]


def test_columns_are_typed_as_the_card_says(tmp_path: Path) -> None:
    file = entry(TABLE.encode(), columns=ALL_TYPES)
    table = open_table(write(tmp_path / "any name", TABLE), file, dataset="counts@1")
    assert list(table["dose_gy"]) == [0.0, 0.25, 10.0]
    assert table["colonies"].dtype == pd.Int64Dtype()
    assert table["colonies"].tolist() == [124, 7, pd.NA]
    assert table["line"].isna().tolist() == [False, False, True]
    assert table["hypoxic"].tolist() == [True, False, pd.NA]
    assert table["day"].dt.date.tolist()[:2] == [datetime.date(2024, 5, 1), datetime.date(2024, 2, 29)]
    assert table.attrs["units"] == {"dose_gy": "Gy", "colonies": "1"}
    assert table.attrs["meanings"]["line"] == "cell line"
    assert table.attrs["dataset"] == "counts@1"


def test_without_missing_cells_the_types_are_numpys(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "x", COUNTS), entry(COUNTS))
    assert [str(dtype) for dtype in table.dtypes] == ["float64", "int64", "int64"]


def test_every_bad_cell_is_reported_with_its_row(tmp_path: Path) -> None:
    text = (
        "dose_gy,colonies,line,hypoxic,day\n"
        "abc,1.5,C,yes,01.05.2024\n"
        ",,A,true,2024-02-30\n"
        "-1,99999999999999999999,B,false,\n"
        "11,NA,A,1,20240501\n"
        "nan,1_000,A,,2024-5-1\n"
        '"1,5",\u0663,A,,\n'
    )
    file = entry(b"", columns=ALL_TYPES, path="t.csv")
    assert problems(write(tmp_path / "t.csv", text), file) == [
        "t.csv: row 2, column dose_gy: a cell of another type; wanted a number, got 'abc'",
        "t.csv: row 2, column colonies: a cell of another type; wanted a whole number, got '1.5'",
        "t.csv: row 2, column line: a value that is not listed; wanted one of A, B, got 'C'",
        "t.csv: row 2, column hypoxic: a cell of another type; wanted true or false, got 'yes'",
        "t.csv: row 2, column day: a cell of another type; wanted a date as YYYY-MM-DD, got '01.05.2024'",
        "t.csv: row 3, column dose_gy: an empty cell; wanted a number",
        "t.csv: row 3, column day: a cell of another type; wanted a date as YYYY-MM-DD, got '2024-02-30'",
        "t.csv: row 4, column dose_gy: a number below the minimum; wanted at least 0, got '-1'",
        "t.csv: row 4, column colonies: a cell of another type; wanted a whole number, got '99999999999999999999'",
        "t.csv: row 5, column dose_gy: a number above the maximum; wanted at most 10, got '11'",
        "t.csv: row 5, column colonies: a cell of another type; wanted a whole number, got 'NA'",
        "t.csv: row 5, column hypoxic: a cell of another type; wanted true or false, got '1'",
        "t.csv: row 5, column day: a cell of another type; wanted a date as YYYY-MM-DD, got '20240501'",
        "t.csv: row 6, column dose_gy: a cell of another type; wanted a number, got 'nan'",
        "t.csv: row 6, column colonies: a cell of another type; wanted a whole number, got '1_000'",
        "t.csv: row 6, column day: a cell of another type; wanted a date as YYYY-MM-DD, got '2024-5-1'",
        "t.csv: row 7, column dose_gy: a cell of another type; wanted a number, got '1,5'",
        "t.csv: row 7, column colonies: a cell of another type; wanted a whole number, got '\u0663'",
    ]


def test_the_text_of_many_issues_is_cut_but_the_list_is_not(tmp_path: Path) -> None:
    text = "dose_gy,cells,colonies\n" + "x,1,1\n" * 30
    with pytest.raises(DatasetError) as caught:
        open_table(write(tmp_path / "x", text), entry(b""), dataset="counts@1")
    lines = str(caught.value).splitlines()
    assert lines[0] == "counts@1: the table is not what its card says"
    assert lines[-2:] == ["  and 10 more", "next: braggbook check datasets/counts"]
    assert len(lines) == 23
    assert len(caught.value.issues) == 30


def test_columns_that_differ_from_the_card_are_named_with_the_closest(tmp_path: Path) -> None:
    assert problems(write(tmp_path / "x", "dose_gy,cels,colonies,\n1,2,3,4\n"), entry(b"")) == [
        "counts.csv: row 1: column 4 has no header; wanted a name in every cell of row 1",
        "counts.csv: row 1: no column 'cells'",
        "counts.csv: row 1: a column that the card does not have: 'cels'; did you mean cells?",
    ]


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        (
            "dose_gy,cells,cells,colonies\n1,2,3,4\n",
            "row 1: 2 columns have one header; wanted different names, got 'cells'",
        ),
        ("dose_gy,cells,colonies\n1,2\n", "row 2: a row of another length; wanted 3 cells as in the header, got 2"),
        ("dose_gy,cells,colonies\n1,2,3,4\n", "row 2: a row of another length; wanted 3 cells as in the header, got 4"),
        ("dose_gy,cells,colonies\n1,2,3\n\n1,2,3\n", "row 3: an empty row"),
        ('dose_gy,cells,colonies\n1,2,"3\n', "row 2: cannot divide the row into cells; got unexpected end of data"),
        ("dose_gy,cells,colonies\n1,2,3\x00\n", "column colonies: a cell of another type; wanted a whole number"),
    ],
)
def test_a_disturbed_grid_is_reported_by_row(tmp_path: Path, text: str, issue: str) -> None:
    assert any(issue in line for line in problems(write(tmp_path / "x", text), entry(b"")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "counts.csv: the table is empty; wanted a header, then rows"),
        (b"\n\n", "counts.csv: the table is empty; wanted a header, then rows"),
        (
            b"dose_gy,cells,colonies\n1,2,\xb5\n",
            """counts.csv: row 2: not UTF-8 text; wanted UTF-8, got byte 0xb5
next: iconv -f WINDOWS-1252 -t UTF-8 counts.csv""",
        ),
        (
            "dose".encode("utf-16"),
            "counts.csv: not UTF-8 text; wanted UTF-8, got UTF-16\nnext: iconv -f UTF-16 -t UTF-8 counts.csv",
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        open_table(write(tmp_path / "x", data), entry(b""))
    assert str(caught.value) == message


def test_a_missing_table_and_an_undescribed_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read the table; got No such file or directory"):
        open_table(tmp_path / "none", entry(b""))
    with pytest.raises(DatasetError, match="the card does not describe the columns of this table"):
        open_table(write(tmp_path / "x", COUNTS), entry(COUNTS, columns={}))
    with pytest.raises(DatasetError, match=r"x\.docx: not a table that can be read; wanted .csv, .* got .docx"):
        open_table(write(tmp_path / "x", COUNTS), entry(COUNTS, path="x.docx"))


def test_a_foreign_table_is_read_as_its_card_says(tmp_path: Path) -> None:
    columns = {"dose_gy": ALL_TYPES["dose_gy"].model_copy(update={"header": "Dose (Gy)", "missing": True})}
    text = "\ufeffDose (Gy)\n1\nNA\n".replace("\n", ";x\n", 1).replace("NA", "NA;1").replace("1\n", "1;2\n", 1)
    columns["x"] = Column(type="integer", unit="1", meaning="x")
    file = entry(b"", path="x.txt", delimiter=";", missing_as=("NA",), columns=columns)
    table = open_table(write(tmp_path / "x", text), file)
    assert list(table.columns) == ["dose_gy", "x"]
    assert table["dose_gy"].isna().tolist() == [False, True]


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_reads_like_a_text_table(tmp_path: Path) -> None:
    rows = [
        ["dose_gy", "colonies", "line", "hypoxic", "day"],
        [0, 124, "A", True, datetime.date(2024, 5, 1)],
        [0.25, 7.0, " B ", False, datetime.datetime(2024, 2, 29)],  # noqa: DTZ001 - as Excel has it
        [10, None, None, None, None],
    ]
    path = workbook(tmp_path / "t.xlsx", Sheet1=rows)
    table = open_table(path, entry(b"", path="t.xlsx", columns=ALL_TYPES))
    same = open_table(write(tmp_path / "x", TABLE), entry(b"", columns=ALL_TYPES))
    pd.testing.assert_frame_equal(table, same)


def test_a_workbook_of_several_sheets_needs_one_to_be_named(tmp_path: Path) -> None:
    rows = [["dose_gy", "cells", "colonies"], [1, 2, 3]]
    path = workbook(tmp_path / "t.xlsx", Counts=rows, Notes=[["hello"]])
    with pytest.raises(DatasetError) as caught:
        open_table(path, entry(b"", path="t.xlsx"))
    assert str(caught.value) == (
        "t.xlsx: the workbook has several sheets; wanted the name of one (--sheet NAME, or sheet in the card), "
        "got 'Counts', 'Notes'"
    )
    with pytest.raises(DatasetError, match=r"no sheet named 'Count'; did you mean Counts\?"):
        open_table(path, entry(b"", path="t.xlsx", sheet="Count"))
    assert len(open_table(path, entry(b"", path="t.xlsx", sheet="Counts"))) == 1


def test_a_formula_without_a_value_and_a_file_that_is_no_workbook_are_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", S=[["dose_gy", "cells", "colonies"], [1, 2, "=1+1"]])
    wanted = "a number (open and save it in a spreadsheet program)"
    file = entry(b"", path="t.xlsx")
    assert problems(path, file)[0] == f"t.xlsx: row 2: a formula without its value; wanted {wanted}"
    with pytest.raises(DatasetError, match=r"t.xlsx: not a workbook; wanted .xlsx without a password"):
        open_table(write(tmp_path / "u.xlsx", b"PK\x03\x04 not one"), file)


def test_xarray_has_units_and_plain_types(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "x", TABLE), entry(b"", columns=ALL_TYPES), dataset="counts@1")
    arrays = to_xarray(table)
    assert arrays["dose_gy"].attrs == {"units": "Gy", "long_name": "dose"}
    assert arrays["dose_gy"].dims == ("row",)
    assert arrays.attrs == {"dataset": "counts@1"}
    assert np.isnan(arrays["colonies"].values[2])
    assert arrays["line"].values.tolist() == ["A", "B", ""]
    assert np.isnan(arrays["hypoxic"].values[2])
    counts = to_xarray(open_table(write(tmp_path / "y", COUNTS), entry(COUNTS)))
    assert counts["cells"].dtype == np.int64
    arrays.to_zarr(tmp_path / "z.zarr", consolidated=False)  # every type can be kept
    assert xr.open_zarr(tmp_path / "z.zarr", consolidated=False)["line"].values.tolist() == ["A", "B", ""]


def test_arrays_are_opened_and_their_units_compared(tmp_path: Path) -> None:
    arrays = xr.Dataset({"dose": ("x", [1.0, 2.0], {"units": "Gy"}), "depth": ("x", [0.0, 1.0])})
    path = tmp_path / "a.nc"
    arrays.to_netcdf(path, engine="scipy")
    columns = {
        "dose": Column(type="number", unit="Gy", meaning="dose"),
        "depth_mm": Column(type="number", unit="mm", meaning="depth", header="depth"),
    }
    opened = open_arrays(path, entry(b"", path="a.nc", columns=columns), dataset="a@1")
    assert opened["depth"].attrs["units"] == "mm"
    assert opened.attrs["dataset"] == "a@1"
    wrong = {
        "dose": Column(type="number", unit="cGy", meaning="dose"),
        "deth": Column(type="number", unit="mm", meaning="depth"),
    }
    with pytest.raises(DatasetError) as caught:
        open_arrays(path, entry(b"", path="a.nc", columns=wrong))
    assert [str(issue) for issue in caught.value.issues] == [
        "a.nc: dose: another unit; wanted cGy, got Gy",
        "a.nc: no variable 'deth'; did you mean depth?",
    ]
    with pytest.raises(DatasetError, match=r"a\.nc: xarray cannot read the file"):
        open_arrays(write(tmp_path / "b.nc", b"not one"), entry(b"", path="a.nc"))


def test_zipped_zarr_is_opened(tmp_path: Path) -> None:
    xr.Dataset({"dose": ("x", [1.0, 2.0], {"units": "Gy"})}).to_zarr(tmp_path / "a", consolidated=False)
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "a")
    opened = open_arrays(tmp_path / "a.zip", entry(b"", path="a.zarr.zip", columns={}))
    assert opened["dose"].values.tolist() == [1.0, 2.0]
    with pytest.raises(DatasetError, match=r"a\.zarr\.zip: xarray cannot read the file"):
        open_arrays(write(tmp_path / "b.zip", b"not one"), entry(b"", path="a.zarr.zip"))


def test_no_damage_of_a_workbook_brings_anything_but_our_errors(tmp_path: Path) -> None:
    data = workbook(tmp_path / "t.xlsx", S=[["dose_gy", "cells", "colonies"], [1, 2, 3]]).read_bytes()
    chance = random.Random(1)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 5, 100])):
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(DatasetError):
            check_table(write(tmp_path / "u.xlsx", bytes(damaged)), entry(b"", path="t.xlsx"))


finite = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63) + 1, 2**63 - 1)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12).map(str.strip)
rows = st.lists(st.tuples(finite, st.none() | whole, words, st.none() | st.booleans(), st.dates()), min_size=1)


@settings(max_examples=80, deadline=None)
@given(rows=rows)
def test_what_is_written_as_csv_is_read_to_the_digit(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    columns = {
        "a": Column(type="number", unit="Gy", meaning="a"),
        "b": Column(type="integer", unit="1", meaning="b", missing=True),
        "c": Column(type="text", meaning="c", missing=True),
        "d": Column(type="boolean", meaning="d", missing=True),
        "e": Column(type="date", meaning="e"),
    }
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(stream.getvalue().encode())
    table = open_table(path, entry(b"", columns=columns))
    assert table["a"].tolist() == [row[0] for row in rows]
    assert [None if cell is pd.NA else cell for cell in table["b"]] == [row[1] for row in rows]
    assert [cell if isinstance(cell, str) else "" for cell in table["c"]] == [row[2] for row in rows]
    assert [None if cell is pd.NA else cell for cell in table["d"]] == [row[3] for row in rows]
    assert table["e"].dt.date.tolist() == [row[4] for row in rows]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=100).map(str.encode), seed=st.integers(0, 3))
def test_no_bytes_bring_anything_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, seed: int
) -> None:
    suffix = [".csv", ".tsv", ".xlsx", ".csv"][seed]
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(random.Random(seed).choice([b"", b"dose_gy,cells,colonies\n"]) + data)
    with suppress(DatasetError):
        check_table(path, entry(b"", path=f"t{suffix}", columns=COLUMNS))
