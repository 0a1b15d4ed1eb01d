"""Making a dataset of a person's own table: what is guessed, what is asked, what is refused by row."""

from __future__ import annotations

import csv
import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.datasets.build import Proposal, add_dataset, new_dataset, propose_card
from braggbook.datasets.catalogue import find_dataset, list_datasets
from braggbook.datasets.headers import column_name, take_apart
from braggbook.datasets.tables import open_table
from braggbook.errors import DatasetError, DuplicateName, InputError, StorageError
from braggbook.formats.common import Author

TABLE = "Cell line,Dose (Gy),Cells seeded,Colonies\nCAL 33,0,200,124\nCAL 33,2.50,400,131\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "My counts.csv"
    path.write_text(TABLE)
    return path


def refused(path: Path, **choices: Any) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        propose_card(path, **choices)
    assert str(caught.value).startswith(f"{path.name}: the table cannot be used as it is\n")
    return [str(issue).removeprefix(f"{path.name}: ") for issue in caught.value.issues]


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("dose_gy", "dose_gy", "Gy"), ("Dose (Gy)", "dose_gy", "Gy"), ("dose [cGy]", "dose_cgy", "cGy"),
        ("Dose / Gy", "dose_gy", "Gy"), ("Dose, Gy", "dose_gy", "Gy"), ("Dose in Gy", "dose_gy", "Gy"),
        ("LET_keV_um", "let_kev_um", "keV/um"), ("LET (keV/\u00b5m)", "let_kev_um", "keV/um"),
        ("LET keV/\u03bcm", "let_kev_um", "keV/um"), ("LET [keV um^-1]", "let_kev_um", "keV/um"),
        ("alpha (1/Gy)", "alpha_per_gy", "1/Gy"), ("alpha_Gy-1", "alpha_per_gy", "1/Gy"),
        ("\u03b2 (Gy\u207b\u00b2)", "beta_per_gy2", "1/Gy2"), ("\u03b1/\u03b2 (Gy)", "alpha_beta_gy", "Gy"),
        ("dose rate (Gy/min)", "dose_rate_gy_min", "Gy/min"), ("energy_mev_u", "energy_mev_u", "MeV/u"),
        ("Time (h)", "time_h", "h"), ("time_min", "time_min", "min"), ("Survival (%)", "survival_percent", "%"),
        ("depth_mm", "depth_mm", "mm"), ("colonies", "colonies", None), ("cells_seeded", "cells_seeded", None),
        # what must not be taken for a unit
        ("dose_min", "dose_min", None), ("Temp (C)", "temp_c", None), ("conc_uM", "conc_um", None),
        ("voltage_mV", "voltage_mv", None), ("Group (A)", "group_a", None), ("2 Gy", "value_2_gy", None),
        ("colonies/dish", "colonies_dish", None), ("alpha/beta", "alpha_beta", None), ("%", "percent", None),
    ],
)  # fmt: skip
def test_a_header_tells_name_and_unit(header: str, name: str, unit: str | None) -> None:
    apart = take_apart(header)
    assert (column_name(apart.stem, apart.unit), apart.unit) == (name, unit)


def test_a_table_becomes_a_dataset_that_loads(table: Path, project: Path) -> None:
    proposal = propose_card(table, authors=[Author(name="Doe, Jane")], license="CC-BY-4.0", title="Counts")
    assert list_datasets(project) == {}  # a proposal writes nothing
    dataset = add_dataset(proposal, project=project)
    assert sorted(path.name for path in dataset.folder.iterdir()) == ["dataset.toml", "my_counts.csv"]
    assert sorted(path.name for path in dataset.folder.parent.iterdir()) == ["my_counts"]
    data = (dataset.folder / "my_counts.csv").read_text()
    assert data == "cell_line,dose_gy,cells_seeded,colonies\nCAL 33,0,200,124\nCAL 33,2.50,400,131\n"
    columns = find_dataset("my_counts@1", project=project).card.files[0].columns
    assert {name: (column.type, column.unit, column.meaning) for name, column in columns.items()} == {
        "cell_line": ("text", None, "cell line"),
        "dose_gy": ("number", "Gy", "absorbed dose"),
        "cells_seeded": ("integer", "1", "cells seeded"),
        "colonies": ("integer", "1", "colonies counted"),
    }
    assert open_table(dataset.folder / "my_counts.csv", dataset.card.files[0])["dose_gy"].tolist() == [0.0, 2.5]


def test_what_was_not_said_is_listed(table: Path) -> None:
    proposal = propose_card(table)
    assert (proposal.slug, proposal.card.title) == ("my_counts", "My counts")
    assert proposal.card.license == "LicenseRef-not-stated"
    assert proposal.notes == (
        "the card has no abstract",
        "the card's provenance says only which file the table came from",
        "the card names no author (--author NAME)",
        "the card states no licence (--license SPDX), so nobody else may use the table",
    )


def test_a_person_is_asked_and_may_take_the_guesses(table: Path) -> None:
    asked: list[tuple[str, str]] = []
    answers = {"unit of column 'Cells seeded' (1 for a pure number)": "1", "authors, divided by ;": "Doe, J; Roe, R"}

    def ask(question: str, guess: str) -> str:
        asked.append((question, guess))
        return answers.get(question, guess)

    proposal = propose_card(table, ask=ask)
    assert asked[:3] == [
        ("meaning of column 'Cell line'", "cell line"),
        ("unit of column 'Dose (Gy)' (1 for a pure number)", "Gy"),
        ("meaning of column 'Dose (Gy)'", "absorbed dose"),
    ]
    assert [author.name for author in proposal.card.authors] == ["Doe, J", "Roe, R"]
    with pytest.raises(DatasetError, match=r"column Dose .Gy.: unknown unit 'Grey'; got 'Grey'; did you mean"):
        propose_card(table, ask=lambda question, guess: "Grey" if "Dose" in question else guess)


def test_a_unit_that_cannot_be_guessed_is_refused_naming_the_option(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "dose,x,colonies\n1,2,3\n")
    assert refused(path) == [
        'column dose: its unit cannot be guessed; wanted --unit "dose=UNIT" (1 for a pure number)',
        'column x: its unit cannot be guessed; wanted --unit "x=UNIT" (1 for a pure number)',
    ]
    proposal = propose_card(path, units={"dose": "cGy", "x": "keV/um"})
    assert list(proposal.card.files[0].columns) == ["dose_cgy", "x_kev_um", "colonies"]
    assert "column x: its meaning is not known; the card repeats the header" in proposal.notes


def test_a_unit_makes_a_column_one_of_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "n_seen,line\n12,A\nx,B\n")
    assert refused(path, units={"n_seen": "1", "line": "Gy"}) == [
        "row 3, column n_seen: text in a column of numbers; wanted a whole number, got 'x'",
        "--unit line=Gy: a column of type text has no unit; wanted no unit, or --type number",
    ]
    assert "column n_seen: taken as text, although 1 of its 2 cells are numbers" in propose_card(path).notes


def test_a_survival_above_two_may_be_percent(tmp_path: Path) -> None:
    assert refused(written(tmp_path / "t.csv", "survival\n100\n31\n"))[0].startswith("column survival: its unit cannot")
    file = propose_card(written(tmp_path / "t.csv", "survival\n1\n0.31\n")).card.files[0]
    assert file.columns["survival"].unit == "1"


def test_a_standard_deviation_takes_its_columns_unit(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "alpha (1/Gy),alpha_sd,rbe,rbe_se\n0.2,0.02,1.1,0.1\n")
    columns = propose_card(path).card.files[0].columns
    assert {name: column.unit for name, column in columns.items()} == {
        "alpha_per_gy": "1/Gy", "alpha_sd_per_gy": "1/Gy", "rbe": "1", "rbe_se": "1",
    }  # fmt: skip
    assert columns["alpha_sd_per_gy"].meaning == "standard deviation of alpha"


def test_wrong_choices_are_refused_all_at_once(table: Path) -> None:
    issues = refused(table, units={"dos": "Gy", "colonies": "Grey"}, types={"Colonies": "whole"}, decimal=";")
    assert issues == [
        "--unit: no column 'dos'; wanted one of Cell line, Cells seeded, Colonies, Dose (Gy)",
        "--unit colonies=Grey: unknown unit 'Grey'; did you mean Gy?",
        "--type Colonies=whole: unknown type; wanted one of number, integer, text, boolean, date",
        "--decimal: not a decimal sign; wanted '.' or ',', got ';'",
    ]
    with pytest.raises(InputError, match=r"not a name for a dataset; wanted .* \(--slug NAME\), got 'My Data'"):
        propose_card(table, slug="My Data")
    with pytest.raises(InputError, match=r"unknown licence; wanted an SPDX identifier, .* got 'free'"):
        propose_card(table, license="free")


def test_bad_cells_are_reported_by_row(tmp_path: Path) -> None:
    text = (
        "dose_gy,colonies,day,flag\n"
        "1,10,2024-05-01,yes\n"
        "2,many,2024-05-02,no\n"
        '"2,5",12,03.05.2024,yes\n'
        "3,2024-05-01,2024-05-04,no\n"
        '4,"1,234",5/6/2024,yes\n'
        "inf,13,2024-02-30,no\n"
        "5,3-Mar,2024-05-07,yes\n"
        "6,14,2024-05-08,yes\n"
        "7,15,2024-05-09,yes\n"
    )
    point = "a point for decimals and no sign for thousands (or --decimal ,)"
    date = "a whole number (did a spreadsheet turn it into a date?)"
    assert refused(written(tmp_path / "t.csv", text)) == [
        f"row 4, column dose_gy: a comma in a number; wanted {point}, got '2,5'",
        "row 7, column dose_gy: text in a column of numbers; wanted a number, got 'inf'",
        "row 3, column colonies: text in a column of numbers; wanted a whole number, got 'many'",
        f"row 5, column colonies: a date in a column of numbers; wanted {date}, got '2024-05-01'",
        f"row 6, column colonies: a comma in a number; wanted {point}, got '1,234'",
        f"row 8, column colonies: a date in a column of numbers; wanted {date}, got '3-Mar'",
        "row 4, column day: a date that can be read in two ways; wanted YYYY-MM-DD, got '03.05.2024'",
        "row 6, column day: a date that can be read in two ways; wanted YYYY-MM-DD, got '5/6/2024'",
        "row 7, column day: no such day; wanted YYYY-MM-DD, got '2024-02-30'",
    ]


def test_german_tables_are_read_when_the_decimal_sign_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "Dosis (Gy);colonies\n0,5;12\n-1,25e1;\n.5;13\n")
    assert refused(path)[0].startswith("row 2, column Dosis (Gy): a comma in a number")
    assert refused(path, decimal=",") == [
        "row 4, column Dosis (Gy): a point in a number; wanted a comma for decimals, as --decimal , says, got '.5'"
    ]
    path = written(tmp_path / "t.csv", "Dosis (Gy);colonies\n0,5;12\n-1,25e1;\n")
    proposal = propose_card(path, decimal=",")
    assert proposal.data == b"dosis_gy,colonies\n0.5,12\n-1.25e1,\n"
    assert proposal.card.files[0].columns["colonies"].missing


def test_the_ways_to_write_nothing_become_empty_cells(tmp_path: Path) -> None:
    proposal = propose_card(written(tmp_path / "t.csv", "dose_gy,line\n1,none\nNA,-\n-,x\n2,y\n"))
    assert proposal.data == b"dose_gy,line\n1,none\n,-\n,x\n2,y\n"
    assert "column dose_gy: 'NA', '-' was taken as an empty cell" in proposal.notes


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        ("a,a\n1,2\n", "row 1: 2 columns have one header; wanted different names, got 'a'"),
        ("dose_gy,\n1,2\n", "row 1: column 2 has no header; wanted a name in every cell of row 1"),
        ("dose_gy,n\n1,2\n3\n", "row 3: a row of another length; wanted 2 cells as in the header, got 1"),
        ("dose_gy,n\n1,2\n\n3,4\n", "row 3: an empty row"),
        ("Dose (Gy),dose_gy\n1,2\n", "row 1: two columns get one name, dose_gy; wanted other headers, got 'Dose (Gy)'"),
        ("dose_gy,n\n,1\n,2\n", "column dose_gy: a column without values; wanted values, or no such column"),
        ("dose_gy,n\n", "the table has no rows; wanted a header, then rows"),
    ],
)
def test_a_disturbed_table_is_refused(tmp_path: Path, text: str, issue: str) -> None:
    assert any(found.startswith(issue) for found in refused(written(tmp_path / "t.csv", text)))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "t.csv: the table is empty; wanted a header, then rows"),
        ("t.csv", b"dose_gy\n\xb5\n", "t.csv: row 2: not UTF-8 text; wanted UTF-8, got byte 0xb5"),
        ("t.csv", "dose_gy\n1\n".encode("utf-16"), "t.csv: not UTF-8 text; wanted UTF-8, got UTF-16"),
        ("t.csv", b"\x89PNG\x00\x01", "t.csv: not a text table; wanted text as UTF-8, got binary data"),
        ("t.xlsx", b"no", "t.xlsx: not a workbook; wanted .xlsx without a password, got File is not a zip file"),
        (
            "t.xls",
            b"no",
            "t.xls: not a table that can be read; wanted .csv, .tsv, .tab, .xlsx, .xlsm, .txt, got '.xls'",
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        propose_card(written(tmp_path / name, data))
    assert str(caught.value).splitlines()[0] == message


def test_a_missing_table_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: no such table; wanted a file"):
        propose_card(tmp_path / "none.csv")
    with pytest.raises(DatasetError, match=r"no such table; wanted a file: .* got a folder"):
        propose_card(tmp_path, slug="x")


def test_a_workbook_is_taken_sheet_by_sheet(tmp_path: Path, project: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Counts"
    for row in (["Dose (Gy)", "Colonies", "Day"], [0.1, 12.0, datetime.date(2024, 5, 1)], [2, None, None]):
        book.active.append(row)
    book.create_sheet("Notes")
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(
        DatasetError, match=r"the workbook has several sheets; wanted the name of one .* got 'Counts', 'N"
    ):
        propose_card(tmp_path / "t.xlsx")
    proposal = propose_card(tmp_path / "t.xlsx", sheet="Counts", slug="counts")
    assert proposal.data == b"dose_gy,colonies,day\n0.1,12,2024-05-01\n2,,\n"
    assert add_dataset(proposal, project=project).card.files[0].path == "t.csv"


def test_an_existing_dataset_is_not_touched(table: Path, project: Path) -> None:
    add_dataset(propose_card(table), project=project)
    before = (project / "datasets" / "my_counts" / "dataset.toml").read_bytes()
    with pytest.raises(DuplicateName) as caught:
        add_dataset(propose_card(table, title="Another"), project=project)
    assert str(caught.value) == (
        f"{project}/datasets/my_counts: there is a dataset named 'my_counts'; wanted another name (--slug NAME)\n"
        "next: braggbook show dataset my_counts"
    )
    assert (project / "datasets" / "my_counts" / "dataset.toml").read_bytes() == before
    assert [path.name for path in (project / "datasets").iterdir()] == ["my_counts"]


CHILD = """
import resource, sys
from pathlib import Path
from braggbook.datasets.build import add_dataset, propose_card
from braggbook.errors import BraggbookError
proposal = propose_card(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    add_dataset(proposal, project=Path(sys.argv[2]))
except BraggbookError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_full_disk_leaves_nothing(tmp_path: Path, project: Path) -> None:
    path = written(tmp_path / "t.csv", "dose_gy,n\n" + "1.25,2\n" * 1000)
    result = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(project)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, "the disk is full" in result.stdout) == (StorageError.exit_code, True), result.stderr
    assert list((project / "datasets").iterdir()) == []


def test_a_project_that_cannot_be_written_says_so(table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot write; got Not a directory"):
        add_dataset(propose_card(table), project=tmp_path / "file")


def test_a_new_dataset_loads_at_once(project: Path) -> None:
    dataset = new_dataset("my_assay", project=project)
    assert dataset.card.title == "My assay"
    assert len(open_table(dataset.folder / "counts.csv", dataset.card.files[0])) == 4
    with pytest.raises(DuplicateName):
        new_dataset("my_assay", project=project)
    with pytest.raises(InputError, match="not a name for a dataset"):
        new_dataset("../x", project=project)


def test_a_proposal_that_does_not_read_back_is_not_added(table: Path, project: Path) -> None:
    proposal = propose_card(table)
    broken = Proposal(proposal.slug, proposal.card, proposal.data + b"x\n", proposal.columns, ())
    with pytest.raises(DatasetError):
        add_dataset(broken, project=project)
    assert list((project / "datasets").iterdir()) == []


cells = st.sampled_from(
    ["", "1", "2.5", "1,5", "NA", "yes", "2024-05-01", "3-Mar", " x ", '"', "1e999", "-", "\u00b5", "a;b"]
)
headers = st.sampled_from(
    ["dose_gy", "Dose (Gy)", "n", "x", "", "alpha_sd", "line", "\u03b1", "2 Gy", "a,b", "Survival"]
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_proposed_can_be_added_and_opened(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = data.draw(st.lists(headers, min_size=1, max_size=4))
    rows = data.draw(st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), max_size=4))
    folder = tmp_path_factory.mktemp("any")
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([names, *rows])
    try:
        proposal = propose_card(
            folder / "t.csv",
            units=dict.fromkeys(data.draw(st.sets(st.sampled_from(names))) - {""}, "1"),
            decimal=data.draw(st.sampled_from(".,")),
        )
    except DatasetError:
        return
    assert add_dataset(proposal, project=folder).reference == "t@1"
