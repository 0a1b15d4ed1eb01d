"""What is written is read back to the last digit; what cannot be a file is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ScienceError, StorageError
from braggbook.radiobiology.io.sdd import SddFile, read_sdd
from braggbook.radiobiology.io.sdd_header import FIELDS, make_header
from braggbook.radiobiology.io.sdd_write import entries_of, with_counts, write_sdd
from braggbook.testing.damage import MadeDamage, make_sdd

TABLES = ("damages", "lesions", "lesion_times", "particles")


def written(file: SddFile) -> str:
    out = io.StringIO()
    write_sdd(file, out)
    return out.getvalue()


def assert_same(one: SddFile, other: SddFile) -> None:
    assert [(f.name, f.text) for f in one.header.fields] == [(f.name, f.text) for f in other.header.fields]
    for name in TABLES:
        left, right = getattr(one, name), getattr(other, name)
        pd.testing.assert_frame_equal(
            left.drop(columns="line", errors="ignore"), right.drop(columns="line", errors="ignore"), check_like=True
        )


@pytest.fixture
def made() -> SddFile:
    return make_sdd(MadeDamage(dsb_per_gy=40, let_kev_um=60, exposures=5, ssb_per_dsb=0.5), seed=11)


def test_reading_back_is_exact(made: SddFile) -> None:
    read = read_sdd(io.StringIO(written(made)))
    assert_same(read, made)
    assert written(read) == written(made)


def test_a_file_on_disk_is_the_same(made: SddFile, tmp_path: Path) -> None:
    write_sdd(made, tmp_path / "made.sdd")
    assert_same(read_sdd(tmp_path / "made.sdd"), made)
    with pytest.raises(StorageError, match="the SDD file cannot be written"):
        write_sdd(made, tmp_path / "no" / "folder.sdd")


numbers = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(0, 2**53)


@settings(max_examples=30)
@given(st.lists(st.tuples(numbers, numbers, numbers, whole, whole), min_size=1, max_size=5))
def test_every_number_comes_back(rows: list[tuple[float, float, float, int, int]]) -> None:
    first = np.zeros(len(rows), dtype=np.int64)
    first[0] = 2
    damages = pd.DataFrame(
        {
            "line": np.zeros(len(rows), dtype=np.int64),
            "classification": first,
            "event_id": [row[3] for row in rows],
            **{name: [row[n] for row in rows] for n, name in enumerate(("x_um", "y_um", "z_um"))},
            "base_damages": [row[4] for row in rows],
            "strand_breaks": [row[3] for row in rows],
            "dsb": [1] * len(rows),
            "exposure": [0] * len(rows),
            "primary": [0] * len(rows),
        }
    )
    file = _file(damages)
    assert_same(read_sdd(io.StringIO(written(file))), file)


def _file(damages: pd.DataFrame) -> SddFile:
    header = make_header({"SDD version": "SDDv1.0", "Data entries": "1,1,0,0,0,1,0,0,0,0,0,0,0,0"})
    lesions = pd.DataFrame({name: np.empty(0, dtype=np.int64) for name in ("damage", "strand", "base_pair", "kind")})
    times = pd.DataFrame({"damage": np.empty(0, dtype=np.int64), "time_ns": np.empty(0)})
    file = SddFile(header, damages, lesions, times, pd.DataFrame({"damage": np.empty(0, dtype=np.int64)}))
    text = "1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0"
    fields = tuple(replace(f, text=text) if f.name == "Data entries" else f for f in header.fields)
    return replace(file, header=replace(header, fields=fields))


def test_flags_follow_the_columns(made: SddFile) -> None:
    assert entries_of(made) == (True,) * 7 + (False,) * 7
    fewer = replace(made, damages=made.damages.drop(columns=["cause", "direct", "indirect"]))
    assert entries_of(fewer)[4] is False
    assert "Data entries, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0;" in written(fewer)


def test_counts_are_set_from_the_body(made: SddFile) -> None:
    counted = with_counts(made, primaries=1000)
    assert counted.header.text("Damage and primary count") == f"{len(made.damages)}, 1000"
    with pytest.raises(
        ScienceError, match=f"fewer primaries than the body has; wanted at least {made.primaries}, got 1"
    ):
        with_counts(made, primaries=1)


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        (lambda d: d.drop(columns="classification"), "no column 'classification'"),
        (lambda d: d.drop(columns="arm"), "field 3: part of a field is missing; wanted dna_structure, chromosome"),
        (lambda d: d.assign(x_um=np.nan), "damages: a number is not finite"),
        (lambda d: d.iloc[::-1], "damages are not numbered from 0"),
        (lambda d: d.assign(sequence="AC;GT"), "sequence: a text holds a separator"),
    ],
)
def test_tables_that_are_no_records_are_refused(made: SddFile, change: object, issue: str) -> None:
    broken = replace(made, damages=change(made.damages))  # type: ignore[operator]
    with pytest.raises(ScienceError) as caught:
        written(broken)
    assert any(str(found).startswith(issue) for found in caught.value.issues)


def test_lesions_of_no_damage_are_refused(made: SddFile) -> None:
    broken = replace(made, lesions=made.lesions.assign(damage=10**6))
    with pytest.raises(ScienceError) as caught:
        written(broken)
    assert [str(issue) for issue in caught.value.issues] == ["lesions: rows do not belong to damages in order"]


def test_a_header_is_made_from_texts() -> None:
    header = make_header({"sdd version": "SDDv1.0", "Data entries": "1,1,0,0,0,1,0,0,0,0,0,0,0,0"})
    assert [field.name for field in header.fields] == list(FIELDS)
    with pytest.raises(ScienceError) as caught:
        make_header({"Softwear": "x", "Author": "a; b", "Source": "one\ntwo"})
    assert [str(issue) for issue in caught.value.issues] == [
        "Softwear: no header field of this name; did you mean Software?",
        "Author: not a text that a header field can hold; wanted one line without ; or #, got 'a; b'",
        "Source: not a text that a header field can hold; wanted one line without ; or #, got 'one\\ntwo'",
    ]
    with pytest.raises(ScienceError, match="Dose rate: Dose rate is not readable; wanted a number, got 'fast'"):
        make_header({"Dose rate": "fast", "Data entries": "1,1,0,0,0,1,0,0,0,0,0,0,0,0"})


def test_a_file_without_damages_is_written_and_read_back(made: SddFile) -> None:
    header = written(made).split("***EndOfHeader***;")[0] + "***EndOfHeader***;\n"
    empty = read_sdd(io.StringIO(header))
    assert (len(empty.damages), "classification" in empty.damages) == (0, True)
    again = read_sdd(io.StringIO(written(empty)))
    assert again.header.data_entries == empty.header.data_entries
    assert_same(empty, again)


def test_a_last_field_that_is_empty_in_some_records_is_read_back(made: SddFile) -> None:
    flags = (True,) * 7 + (False,) * 7
    kept = made.lesions[made.lesions["damage"] % 2 == 0].reset_index(drop=True)
    header = replace(made.header, data_entries=flags)
    columns = [name for name in made.damages.columns if name != "sequence"]
    file = SddFile(header, made.damages[columns], kept, made.lesion_times.iloc[:0], made.particles[["damage"]].iloc[:0])
    again = read_sdd(io.StringIO(written(file)))
    assert again.header.data_entries == flags
    pd.testing.assert_frame_equal(again.lesions, kept)
