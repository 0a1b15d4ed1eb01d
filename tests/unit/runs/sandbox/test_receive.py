"""What comes out of the walls is refused where it is not plain, and nothing of it lands outside its folder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from braggbook.runs.sandbox import frames
from braggbook.runs.sandbox.receive import Receiver
from braggbook.runs.sandbox.session import Refused
from braggbook.runs.sandbox.walls import Limits

LIMITS = Limits(file_mb=1, output_mb=2, output_files=5)
DONE = json.dumps({"verdict": "complete", "kind": None}).encode()


def _part(kind: bytes, name: str = "", data: bytes = b"") -> bytes:
    stream = io.BytesIO()
    frames.write_frame(stream, kind, name=name, data=data)
    return stream.getvalue()


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    (tmp_path / "in").mkdir()
    return Receiver(tmp_path / "in", LIMITS)


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_a_plain_stream(receiver: Receiver, step: int) -> None:
    told: list[int] = []
    receiver.on_cell = told.append
    stream = _part(frames.READING) + _part(frames.STARTING) + _part(frames.CELL, "0") + _part(frames.CELL, "1")
    stream += _part(frames.FILE, "masks/A.bin", bytes(range(256))) + _part(frames.FILE, "empty.csv")
    stream += _part(frames.OUTCOME, data=DONE)
    for start in range(0, len(stream), step):
        receiver.feed(stream[start : start + step])
    receiver.close()
    assert (receiver.reading, receiver.starting, receiver.cells, told) == (True, True, 1, [0, 1])
    assert receiver.files == ["masks/A.bin", "empty.csv"]
    assert (receiver.collect / "masks" / "A.bin").read_bytes() == bytes(range(256))
    assert receiver.outcome == {"verdict": "complete", "kind": None}


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../up.csv", "a/../../up.csv", "a//b", "a/", "", ".", "..", ".hidden", "a/.hidden", "a\\b", "a\nb",
        "a\0b", "C:x", "=cmd", "-rf", "x.", "x ", "\u202efdp.exe", "a" * 201, "/".join("abcdefghi"), "<b>", "CON|x", "é.csv",
    ],
)  # fmt: skip
def test_names_that_are_refused(receiver: Receiver, tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused):
        receiver.feed(_part(frames.FILE, name, b"x"))
    receiver.close()
    assert receiver.files == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert receiver.issues[0].where == "outputs", "a name is not repeated where nobody may see it"


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([(b"F", "a.csv", b""), (b"F", "a.csv", b"")], "two outputs of one name"),
        ([(b"F", "a.csv", b""), (b"F", "A.CSV", b"")], "two outputs of one name"),
        ([(b"F", "a", b""), (b"F", "a/b", b"")], "two outputs of one name"),
        ([(b"F", "a/b", b""), (b"F", "a", b"")], "two outputs of one name"),
        ([(b"F", str(n), b"") for n in range(6)], "too many outputs"),
        ([(b"F", "a", bytes((1 << 20) + 1))], "an output is too large"),
        ([(b"F", str(n), bytes(1 << 20)) for n in range(3)], "the outputs are too large together"),
        ([(b"X", "link", b"")], "an output that is no regular file"),
        ([(b"L", "kernel.log", b"secret")], "a log that was not asked for"),
        ([(b"Z", "", b"")], "not a part of an outcome"),
        ([(b"N", "", b"data")], "not a part of an outcome"),
        ([(b"O", "", b"not json")], "an outcome that cannot be read"),
        ([(b"O", "", b"[1]")], "an outcome that cannot be read"),
        ([(b"O", "", b"[" * 4000)], "an outcome that cannot be read"),
        ([(b"O", "", b'"' + b"x" * 5000 + b'"')], "an outcome that is too long"),
        ([(b"O", "", DONE), (b"F", "late.csv", b"")], "more than the outcome"),
    ],
)
def test_streams_that_are_refused(receiver: Receiver, parts: list[tuple[bytes, str, bytes]], what: str) -> None:
    stream = b"".join(_part(kind, name, data) for kind, name, data in parts)
    with pytest.raises(Refused, match=what):
        receiver.feed(stream)
    receiver.close()
    assert [issue.what for issue in receiver.issues] == [what]


def test_a_size_that_is_a_lie_takes_no_memory(receiver: Receiver) -> None:
    with pytest.raises(Refused, match="too large"):
        receiver.feed(frames.heading(b"F", name="a.csv", size=(1 << 64) - 1))
    receiver.feed(b"")
    assert receiver.files == []


def test_a_file_that_is_cut_short_is_none(receiver: Receiver) -> None:
    receiver.feed(frames.heading(b"F", name="a.csv", size=100) + b"half")
    receiver.close()
    assert receiver.files == []
    assert receiver.outcome is None


def test_a_link_in_the_folder_is_not_followed(receiver: Receiver, tmp_path: Path) -> None:
    (receiver.collect / "a.csv").symlink_to(tmp_path / "target")
    with pytest.raises(Exception):  # noqa: B017 - whichever; the point is what is left
        receiver.feed(_part(frames.FILE, "a.csv", b"x"))
    assert not (tmp_path / "target").exists()


def test_logs_come_where_they_are_wanted(tmp_path: Path) -> None:
    for name in ("in", "logs"):
        (tmp_path / name).mkdir()
    receiver = Receiver(tmp_path / "in", LIMITS, logs=tmp_path / "logs")
    receiver.feed(_part(frames.LOG, "kernel.log", b"words"))
    assert (tmp_path / "logs" / "kernel.log").read_bytes() == b"words"
    with pytest.raises(Refused, match="not asked for"):
        receiver.feed(_part(frames.LOG, "../escape", b"words"))
    with pytest.raises(Refused):
        receiver.feed(_part(frames.FILE, "../up\n", b"words"))


def test_a_cells_number_is_a_small_number(receiver: Receiver) -> None:
    told: list[Any] = []
    receiver.on_cell = told.append
    for name in ("7", "-1", "1" * 50, "٣", "1e3"):
        receiver.feed(_part(frames.CELL, name))
    assert told == [7, 0, 0, 0, 0]
