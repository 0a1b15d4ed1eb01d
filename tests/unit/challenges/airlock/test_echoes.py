"""Marks and lines of the inputs are found wherever they stand as they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.challenges.airlock.echoes import Lines, Marks
from braggbook.errors import DatasetError, DatasetMissing, InputError

from .airlock_helpers import CANARY, CASES, GOOD, MASKS, Room, dataset, labels, nifti


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [CANARY, CANARY.upper(), CANARY.swapcase(), CANARY[::-1]])
def test_a_mark_is_found_in_every_plain_spelling(encoding: str, text: str) -> None:
    marks = Marks([CANARY])
    assert marks.are_in(b"\x01\x02\x03" + text.encode(encoding) + b"\xff")
    assert marks.are_in(bytes(1 << 17) + text.encode(encoding))
    assert not marks.are_in(text[:-1].encode(encoding) + bytes(1 << 17))


@given(st.integers(1, 60), st.integers(0, 120))
def test_a_mark_is_found_across_blocks(size: int, before: int) -> None:
    data = b"x" * before + CANARY.encode() + b"y" * 50
    watch = Marks(["another-canary", CANARY]).watch()
    for start in range(0, len(data), size):
        watch.feed(data[start : start + size])
    assert watch.found


def test_without_marks_nothing_is_found() -> None:
    watch = Marks([]).watch()
    watch.feed(CANARY.encode())
    assert not watch.found


def test_a_mark_that_could_stand_anywhere_is_refused() -> None:
    with pytest.raises(InputError, match="a canary that is too short"):
        Marks(["case"])


@pytest.mark.parametrize(
    "row",
    [
        "case_a,500,12,scored by two readers",
        "1,2,case_a,500,12,Scored By Two Readers,7",
        '"case_a","500",12,"scored by two readers"',
    ],
)
def test_a_whole_line_of_a_text_is_found(tmp_path: Path, row: str) -> None:
    lines = Lines(Room(tmp_path).inputs)
    assert lines.are_in(["case,dose", row])


def test_short_lines_and_names_of_cases_are_anybodys(tmp_path: Path) -> None:
    long = "case_with_a_very_long_name"
    inputs = dataset(tmp_path / "inputs", {"list.txt": f"{long}\nshort line\n".encode()})
    assert not Lines(inputs, ordinary=[long]).are_in([f"{long},1,2", "short line"])
    assert Lines(inputs).are_in([f"{long},1,2"])


def test_a_text_of_the_inputs_that_is_not_there_is_said(tmp_path: Path) -> None:
    inputs = dataset(tmp_path / "inputs", {"list.txt": b"x"})
    (inputs.folder / "list.txt").unlink()
    with pytest.raises(DatasetMissing, match=r"inputs@1: list.txt"):
        Lines(inputs)
    with (inputs.folder / "list.txt").open("wb") as stream:
        stream.truncate(65 << 20)
    with pytest.raises(DatasetError, match="too large"):
        Lines(inputs)


def test_a_header_like_that_of_the_inputs_is_no_echo(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.inputs = dataset(tmp_path / "others", {"template.csv": GOOD.splitlines()[0].encode()})
    assert not room.table(GOOD).issues


def test_predictions_with_equal_numbers_are_no_echo(tmp_path: Path) -> None:
    assert not Room(tmp_path, cases=CASES).table(GOOD).issues


@pytest.mark.parametrize("place", ["descrip", "between", "voxels", "name", "comment"])
def test_marks_in_every_corner_of_a_mask(tmp_path: Path, place: str) -> None:
    room = Room(tmp_path, rules=MASKS, canaries=("canary-0123456",))
    canary = room.canaries[0].encode()
    if place == "descrip":
        data = nifti(labels(0), descrip=canary)
    elif place == "voxels":
        data = gzip.compress(gzip.decompress(nifti(labels(0)))[:360] + canary + bytes(210 - 8 - len(canary)))
    elif place == "between":
        plain = bytearray(gzip.decompress(nifti(labels(0), vox_offset=0)))
        plain[108:112] = np.float32(352 + 1024).tobytes()
        data = gzip.compress(bytes(plain[:352]) + canary.ljust(1024) + bytes(plain[352:]))
    else:
        packed = nifti(labels(0))
        flag = {"name": 0x08, "comment": 0x10}[place]
        data = packed[:3] + bytes([flag]) + packed[4:10] + canary + b"\0" + packed[10:]
    assert room.mask(data).issues == ["masks/case_a.nii.gz: echoes its inputs; wanted labels, and nothing else"]
