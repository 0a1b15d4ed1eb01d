"""Tables of predictions: what is taken, how it is written anew, and what every refusal says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braggbook.datasets.catalogue import open_dataset
from braggbook.datasets.tables import open_table
from braggbook.errors import DuplicateName

from .airlock_helpers import CASES, GOOD, TABLE, Room

HEADER, *ROWS = GOOD.splitlines()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_a_good_table_is_written_anew_with_its_card(room: Room) -> None:
    checked = room.table(GOOD)
    assert (checked.issues, checked.missing) == ([], ())
    written = open_dataset(room.target)
    assert written.reference == "estimate@1"
    assert (room.target / "predictions.csv").read_text() == (
        "case,dose_gy,lower_gy,upper_gy\ncase_a,1.5,1.0,2.0\ncase_b,0.25,0.0,0.5\ncase_c,0.3,0.1,\n"
    )
    table = open_table(room.target / "predictions.csv", written.file())
    assert table.attrs["units"] == {"dose_gy": "Gy", "lower_gy": "Gy", "upper_gy": "Gy"}
    assert table["dose_gy"].tolist() == [1.5, 0.25, 0.3]
    column = written.file().columns["upper_gy"]
    assert (column.minimum, column.maximum, column.missing) == (0.0, 10.0, True)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.rstrip("\n"),
        GOOD + "\n\n\n",
        GOOD + ",,,\n , ,,\n",
        "\n".join([HEADER, *reversed(ROWS)]),
        GOOD.replace("1.5", '"1.50"').replace("case_a", '"case_a"'),
        GOOD.replace("1.5", "  +15e-1 "),
        GOOD.replace("1.5", "1.5" + "0" * 100),
        GOOD.replace(",0,", ",-0.0,"),
        "upper_gy,case,lower_gy,dose_gy\n2,case_a,1,1.5\n.5,case_b,0,.25\n,case_c,0.1,0.3\n",
    ],
)
def test_the_same_numbers_have_the_same_digest(room: Room, text: str) -> None:
    assert room.table(text).digest == room.table(GOOD).digest is not None


def test_other_numbers_have_another_digest(room: Room) -> None:
    digests = {room.table(text).digest for text in (GOOD, GOOD.replace("0.25", "0.2500000001"))}
    assert len(digests) == 2


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


REFUSED: list[tuple[str | bytes, str]] = [
    ("", "predictions.csv: the table is empty; wanted a header case,dose_gy,lower_gy,upper_gy, then a row a case"),
    ("\n\n", "the table is empty"),
    (HEADER, "3 cases are missing: case_a, case_b, case_c; wanted all 3 cases"),
    (changed("case_b,0.25,0,0.5\n", ""), "predictions.csv: a case is missing: case_b; wanted all 3 cases"),
    (GOOD + "case_a,1,1,1\n", "predictions.csv: row 5, column case: case case_a stands twice; wanted once, got also in row 2"),
    (changed("case_b,", "case_x,"), "row 3, column case: a case that is not known; wanted one of the inputs' cases"),
    (changed("case_b,", "case_b ,"), "row 3, column case: a case with blanks around it; wanted exactly case_b"),
    (changed("case_b,", "Case_B,"), "a case with other capitals or another Unicode form; wanted exactly case_b"),
    (changed("case_b,", "ｃase_b,"), "a case with other capitals or another Unicode form; wanted exactly case_b"),
    (changed("case_b,", ","), "row 3, column case: an empty cell; wanted the name of a case"),
    (changed("case_b,", "c" * 300 + ","), "row 3, column case: a cell that is too long; wanted at most 200 characters"),
    (changed("dose_gy", "dose"), "predictions.csv: row 1: no column dose_gy; wanted case,dose_gy,lower_gy,upper_gy"),
    (changed("dose_gy", "dose"), "row 1, column 2: a column that the design does not name"),
    (changed("dose_gy", "Dose_Gy"), "row 1, column 2: blanks, capitals or other signs in the name of column dose_gy"),
    (changed("dose_gy", "lower_gy"), "row 1: column lower_gy stands twice; wanted once"),
    (changed("dose_gy", ""), "row 1, column 2: a column without a name"),
    (GOOD.replace("\n", ",\n"), "row 1, column 5: a column without a name"),
    (changed("1.5,", ","), "row 2, column dose_gy: an empty cell; wanted a number from 0 to 10"),
    (changed("1.5,", "nan,"), "row 2, column dose_gy: NaN, infinity or a word for nothing instead of a number"),
    (changed("1.5,", "-Inf,"), "NaN, infinity or a word for nothing"),
    (changed("1.5,", "1e400,"), "row 2, column dose_gy: a number that is too large for a computer"),
    (changed("1.5,", "0x1p3,"), "row 2, column dose_gy: not a number in plain digits"),
    (changed("1.5,", "1_0,"), "not a number in plain digits"),
    (changed("1.5,", "٣,"), "not a number in plain digits"),
    (changed("1.5,", "1.5 Gy,"), "not a number in plain digits"),
    (changed("1.5,", "=1+1,"), "not a number in plain digits"),
    (changed("1.5,", '"1,5",'), "a comma in a number; write 1.5, with a point"),
    (changed("1.5,", "1,5,"), "row 2: a row of another length; wanted 4 cells as in row 1 (a decimal comma makes one more"),
    (changed("1.5,", "-0.1,"), "row 2, column dose_gy: a number below the minimum; wanted a number from 0 to 10"),
    (changed("1.5,", "10.01,"), "a number above the maximum"),
    (changed("1.5,1,2", "1.5,3,2"), "row 2, column lower_gy: lower_gy is above upper_gy; wanted lower_gy at most upper_gy"),
    (changed("1.5,", "0" * 201 + ","), "row 2, column dose_gy: a cell of more than 200 characters"),
    (changed("\ncase_b", "\n\ncase_b"), "row 3: an empty row; wanted rows without a gap"),
    (GOOD.replace(",", ";"), "predictions.csv: row 1: it looks like a semicolon-separated file; wanted commas"),
    (GOOD.replace(",", "\t"), "it looks like a tab-separated file"),
    (changed("1.5,", '"1.5,'), "rows that cannot be divided into cells"),
    (GOOD.encode("utf-16"), "predictions.csv: it is UTF-16 text; wanted UTF-8"),
    (GOOD.encode("utf-16-le"), "it has NUL bytes: binary data, or UTF-16 text"),
    (GOOD.encode() + b"\0", "it has NUL bytes"),
    (changed("case_b", "caf\u00e9").encode("latin-1"), "predictions.csv: row 3: it is not UTF-8 text"),
    (b"PK\x03\x04 rest", "it is a zip, or an Excel workbook, whatever its name says"),
    (GOOD + "case_d,1,1,1\n" * 200, "predictions.csv: too many rows; wanted one row for each of 3 cases"),
    (GOOD * 100_000, "predictions.csv: too large; wanted at most"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[f"{n}-{words}" for n, (_, words) in enumerate(REFUSED)])
def test_what_is_wrong_is_said_with_its_place(room: Room, text: str | bytes, words: str) -> None:
    assert words in "\n".join(room.table(text).issues)


def test_all_issues_come_at_once_and_none_repeats_a_value(room: Room) -> None:
    text = f"{HEADER}\ncase_a,secret1,0,1\ncase_b,77.125,5,nan\nsecret2,1,1,1\n"
    issues = room.table(text).issues
    assert len(issues) == 5
    assert not [issue for issue in issues if any(value in issue for value in ("secret", "77", "nan"))]


def test_long_lists_of_issues_are_cut(tmp_path: Path) -> None:
    cases = [f"case_{number:03}" for number in range(200)]
    room = Room(tmp_path, cases=cases)
    issues = room.table(HEADER + "\n" + "".join(f"{case},x,1,1\n" for case in cases)).issues
    assert len(issues) == 51
    assert issues[-1] == "and 150 more"


def test_left_out_cases_are_missing_where_the_rules_allow_it(tmp_path: Path) -> None:
    room = Room(tmp_path, rules=TABLE.model_copy(update={"incomplete": "missing"}))
    checked = room.table("\n".join([HEADER, ROWS[2]]))
    assert (checked.issues, checked.missing) == ([], ("case_a", "case_b"))
    assert "3 cases are missing" in room.table(HEADER).issues[0]


def test_other_files_beside_the_table_are_refused(room: Room) -> None:
    issues = room.check({"predictions.csv": GOOD, "more/secret_name.txt": "x", "b.pkl": b"x"}).issues
    assert "the files: a file that the design does not name; wanted only predictions.csv" in issues
    assert "the files: a pickle or NumPy file; wanted only predictions.csv" in issues
    assert "secret_name" not in "".join(issues)


@pytest.mark.parametrize("files", [{}, {"Predictions.csv": GOOD}, {"x/predictions.csv": GOOD}])
def test_the_table_has_the_name_that_the_design_gives_it(room: Room, files: dict[str, str]) -> None:
    assert "predictions.csv" in room.check(files).issues[0]


def test_a_folder_that_is_not_there_is_nothing(room: Room) -> None:
    assert room.check(room.folder / "nowhere").issues == ["nothing was handed in; wanted predictions.csv"]


def test_nothing_that_stands_there_is_overwritten(room: Room) -> None:
    room.table(GOOD)
    with pytest.raises(DuplicateName, match="something is there already"):
        room.check_again({"predictions.csv": GOOD})


# Any way of writing the same table.
NUMBERS = st.floats(0, 10, allow_nan=False) | st.sampled_from([-0.0, 5e-324, 0.1 + 0.2])
SPELLINGS: list[Callable[[float], str]] = [
    repr, "{:.17g}".format, "{:.20e}".format, lambda value: f" {value!r}  ", lambda value: f"{abs(value):+.25g}",
]  # fmt: skip


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_the_digest_does_not_depend_on_how_a_table_is_written(room: Room, data: st.DataObject) -> None:
    values = {case: sorted(data.draw(st.tuples(NUMBERS, NUMBERS, NUMBERS))) for case in CASES}
    digests = set()
    for _ in range(2):
        order = data.draw(st.permutations(CASES))
        columns = data.draw(st.permutations(["case", "dose_gy", "lower_gy", "upper_gy"]))
        quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        stream = io.StringIO(newline="")
        end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
        writer = csv.writer(stream, quoting=quoting, lineterminator=end)
        writer.writerow(columns)
        for case in order:
            spell = data.draw(st.sampled_from(SPELLINGS))
            lower, dose, upper = map(spell, values[case])
            cells = {"case": case, "dose_gy": dose, "lower_gy": lower, "upper_gy": upper}
            writer.writerow([cells[name] for name in columns])
        text = stream.getvalue()
        text = text.rstrip("\r\n") if data.draw(st.booleans()) else text + end * data.draw(st.integers(0, 3))
        checked = room.table(text)
        assert not checked.issues
        digests.add(checked.digest)
    assert len(digests) == 1


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
def test_damage_is_a_refusal_or_harmless_and_never_half_a_dataset(room: Room, data: st.DataObject) -> None:
    good = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(good)))
        end = data.draw(st.integers(start, min(len(good), start + 8)))
        good[start:end] = data.draw(st.binary(max_size=6))
    checked = room.table(bytes(good))  # which asserts that the target is complete or absent
    assert bool(checked.issues) != bool(checked.digest)
