"""What must not leave: canaries in every kind of place, and ordinary files that hold none."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import zarr

from braggbook.records.traces import BLOCK_BYTES, find_traces
from braggbook.runs.scrub import Scrubber
from braggbook.testing.dicom.series import example_grid, write_series

from .plan_helpers import GITHUB, HOME, HOST, SCRUBBER, SECRET, USER

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0"
CANARIES = {
    "a GitHub token": GITHUB,
    "a GitHub token ": "github_pat_" + "11ABCDEFG0" * 6,
    "a GitLab token": "glpat-" + "abcDEF123_-xyzXYZ789",
    "an AWS key": "AKIA" + "IOSFODNN7EXAMPLE",
    "a Slack token": "xoxb-" + "123456789012-abcdefABCDEF",
    "a JSON web token": JWT,
    "a private key": "-----BEGIN OPENSSH PRIVATE " + "KEY-----",
    "a password in an address": "https://ada:hunter2@data.clinic.invalid/x",
    "a token in an address": "https://zenodo.org/api/records?access_token=" + "Ab1" * 20,
    "a token of a request": "Authorization: Bearer " + "Ab1" * 20,
    "something like a password": 'ZENODO_TOKEN = "' + "Ab1" * 20 + '"',
    "a secret of the environment": SECRET,
    "the user's name": f"saved by {USER} today",
    "the machine's name": f"on {HOST}, at night",
    "a path in somebody's home": f"{HOME}/plans/a.dcm",
    "a path in somebody's home ": "C:\\Users\\hansen\\plan.dcm",
    "an absolute path": "read from /mnt/nas/patients/12/ct.dcm",
    "an e-mail address": "ask q.hansen@clinic-of-aarhus.dk about it",
}


# Among numbers these cannot be told from chance.
AMBIGUOUS = ("something like", "a path in somebody's home ", "an absolute path", "an e-mail")


def found(files: dict[str, Path | bytes], scrubber: Scrubber = SCRUBBER, **more: str) -> list[str]:
    """Returns what is found where, without repeating it."""
    issues = find_traces(files, scrubber=scrubber, **more)
    for issue in issues:
        told = str(issue)
        assert not [secret for secret in (GITHUB, SECRET, JWT, "hunter2", "hansen", "Ab1Ab1") if secret in told], told
    return [f"{issue.where}: {issue.what}" for issue in issues]


@pytest.mark.parametrize("what", CANARIES)
def test_every_kind_is_found_in_a_text_by_its_line(what: str) -> None:
    text = f"one\ntwo\nthree {CANARIES[what]} four\n"
    assert f"log.txt:3: {what.strip()}" in found({"log.txt": text.encode()})
    escaped = json.dumps({"cells": [{"outputs": [{"text": text}]}]})
    assert [line for line in found({"executed.ipynb": escaped.encode()}) if what.strip() in line]


def test_an_author_may_have_the_users_name() -> None:
    """Many log in by their family's name; that they wrote the notebook is no trace of their machine."""
    text = f"by {USER.capitalize()}, A. and {USER}".encode()
    assert found({"report.html": text})
    assert not found({"report.html": text}, own_words=f"authors:\n  - name: {USER.capitalize()}, Ada\n")
    assert found({"report.html": f"{HOME}/x".encode()}, own_words=f"name: {USER}, Ada")


@pytest.mark.parametrize("what", [what for what in CANARIES if not what.startswith(AMBIGUOUS)])
@pytest.mark.parametrize("among", ["numbers", "wide characters"])
def test_what_can_be_told_from_chance_is_found_among_numbers(what: str, among: str) -> None:
    noise = random.Random(1).randbytes(5000)
    text = CANARIES[what].encode("utf-16-le" if among == "wide characters" else "utf-8")
    issues = found({"array.bin": noise + b"\x01\x02" + text + b"\x03\x04" + noise})
    assert [line for line in issues if what.strip() in line]


def packed(text: bytes) -> dict[str, bytes]:
    """Returns a text packed in every way that is opened."""
    inner, outer, tarred = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes/a.txt", text)
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", inner.getvalue())
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    arrays = io.BytesIO()
    np.savez_compressed(arrays, a=np.array([text.decode()]))
    return {
        "a.zip": inner.getvalue(), "b.zip": outer.getvalue(), "c.tar.gz": gzip.compress(tarred.getvalue()),
        "d.gz": gzip.compress(text), "e.bz2": bz2.compress(text), "f.xz": lzma.compress(text), "g.npz": arrays.getvalue(),
        "h.html": b'<img src="data:image/svg+xml;base64,' + base64.b64encode(b"<svg>" + b" " * 99 + text) + b'">',
        "i.json": json.dumps({"image/png": base64.encodebytes(picture(text, b"zTXt")).decode()}).encode(),
        "j.png": picture(text, b"tEXt"), "k.png": picture(text, b"zTXt"), "l.png": picture(text, b"iTXt"),
        "m.svg": b"<svg><metadata><dc:title>" + text + b"</dc:title></metadata></svg>",
        "n.pdf": b"%PDF-1.7\n1 0 obj\n<</Length 9>>\nstream\n" + zlib.compress(text) + b"\nendstream\nendobj\n",
        "o.json": text.replace(b"/", b"\\/"), "p.html": "".join(f"&#{byte};" for byte in text).encode(),
    }  # fmt: skip


def picture(text: bytes, kind: bytes) -> bytes:
    """Returns a PNG with a text in its metadata."""
    body = {
        b"tEXt": b"Comment\0" + text,
        b"zTXt": b"Comment\0\0" + zlib.compress(text),
        b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(text),
    }[kind]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (kind, body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize("name", packed(b""))
@pytest.mark.parametrize("text", [f"token {GITHUB} ", f"file {HOME}/x.csv "])
def test_what_is_packed_is_opened(name: str, text: str) -> None:
    assert found({name: packed(text.encode())[name]})
    assert found({name: packed(b"nothing of note here")[name]}) == []


def test_names_of_files_are_looked_at_and_not_repeated() -> None:
    assert found({f"files/{GITHUB}.txt": b"x"}) == ["files/gh***/ (its name): a GitHub token".replace("/ (", " (")]


def test_attributes_and_texts_of_zarr_arrays(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.attrs["history"] = f"read from {HOME}/ct"
    texts = group.create_array("names", shape=(3,), dtype="str", chunks=(2,))
    texts[:] = np.array(["a", "b", f"by {USER}"], dtype=object)
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    issues = found(dict(files))
    assert [line for line in issues if line.startswith("a.zarr/zarr.json") and "home" in line]
    assert [line for line in issues if line.startswith("a.zarr/names/zarr.json") and "user" in line]


@pytest.mark.parametrize(
    "text",
    [
        "https://www.thegreenjournal.com/home/authors/x", "contact jane@example.org, git@github.com:a/b.git",
        "sha256 " + "0123456789abcdef" * 8, "token: str = Field(min_length=8)", "the dose/volume/data/point of 2 Gy/min",
        "<p>a</p></td></div>", "password = getpass()", "1/Gy", "see ../data/counts.csv and data/a/b", r"\alpha \\ \beta",
        "@pytest.mark.full", "eyJ is how JSON begins", "xo-xo", "AKIAK", "task-management-of-the-year-of-the-rabbit-2",
    ],
)  # fmt: skip
def test_ordinary_text_is_no_finding(text: str) -> None:
    assert found({"a.md": text.encode()}) == []


def test_our_own_code_speaks_of_places_but_holds_no_secret() -> None:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("braggbook/scrub.py", "places = ['/tmp/x', '/home/ada/x', 'a.person@clinic-of-aarhus.dk']")
    assert found({"software/braggbook.whl": wheel.getvalue()}) == []
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("braggbook/own.py", f"key = '{GITHUB}'")
    assert "software/braggbook.whl!braggbook/own.py:1: a GitHub token" in found(
        {"software/braggbook.whl": wheel.getvalue()}
    )


def test_what_authors_wrote_for_all_to_read_may_stay() -> None:
    text = b"ask ada.lovelace@engine.co.uk"
    assert found({"report.html": text}) == ["report.html:1: an e-mail address"]
    assert found({"report.html": text}, own_words="authors: Ada, Ada.Lovelace@engine.co.uk") == []


@pytest.mark.full
def test_something_across_two_blocks_is_found_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    line = b"0.123456789,1,2\n"
    with path.open("wb") as stream:
        stream.write(line * ((BLOCK_BYTES - 20) // len(line)) + b"x" * ((BLOCK_BYTES - 20) % len(line)))
        stream.write(f" {GITHUB} ".encode() + line)
        stream.write(line * 1000)
    find_traces({"warm": b"\0" + GITHUB.encode()}, scrubber=SCRUBBER)
    tracemalloc.start()
    issues = found({"long.txt": path})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert issues == [f"long.txt:{(BLOCK_BYTES - 20) // len(line) + 1}: a GitHub token"]
    assert peak < 6 * BLOCK_BYTES


def test_what_cannot_be_looked_through_is_said() -> None:
    damaged = packed(b"some text")["a.zip"]
    assert "packed, and cannot be opened" in found({"a.zip": damaged.replace(b"notes", b"otesn", 1)})[0]
    deep = b"x"
    for _ in range(8):
        deep = gzip.compress(deep)
    assert "packed more than 5 times" in found({"a.gz": deep})[-1]


@pytest.mark.full
def test_a_bomb_is_not_blown_up() -> None:
    bomb = bz2.compress(b"\0" * (300 << 20))  # to 250 bytes
    assert found({"bomb.bz2": bomb}) == ["bomb.bz2: unpacks to more than can be looked through"]


@pytest.mark.full
def test_a_patient_in_a_dicom_file_is_found_also_in_a_zip(tmp_path: Path) -> None:
    path = write_series(
        tmp_path, np.zeros((1, 4, 4), dtype=np.int16), example_grid(shape=(1, 4, 4)), PatientName="Doe^Jane"
    )[0]
    with zipfile.ZipFile(tmp_path / "ct.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "one.dcm")
    (tmp_path / "bare.img").write_bytes(path.read_bytes()[132:])
    issues = found({"one.dcm": path, "ct.zip": tmp_path / "ct.zip", "bare.img": tmp_path / "bare.img"})
    assert [line for line in issues if line.startswith("bare.img") and "may identify a patient" in line]
    assert [line for line in issues if line.startswith("one.dcm") and "may identify a patient" in line]
    assert [line for line in issues if line.startswith("ct.zip!one.dcm") and "may identify a patient" in line]
