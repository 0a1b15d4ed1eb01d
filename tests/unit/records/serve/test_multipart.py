"""Forms that arrive in pieces of every size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from braggbook.records.serve.multipart import read_form
from braggbook.records.serve.problems import ApiError

KIND = "multipart/form-data; boundary=XX"
CONTENT = b"one\r\n--X\r\n--\r\n\r\ntwo\n--XX\r\n-"  # almost a boundary, several times over
BODY = (
    b"a preamble\r\n"
    b'--XX\r\nContent-Disposition: form-data; name="name"\r\n\r\nchosen.txt\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="\xc2\xb5.txt"\r\nContent-Type: text/plain\r\n\r\n'
    + CONTENT
    + b'\r\n--XX\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n--XX--\r\nan epilogue'
)


def pieces(body: bytes, size: int) -> Iterator[memoryview]:
    return (memoryview(body[start : start + size]) for start in range(0, len(body), size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64, 1000])
def test_a_form_in_pieces(size: int) -> None:
    got = bytearray()
    form = read_form(pieces(BODY, size), KIND, write=got.extend)
    assert bytes(got) == CONTENT
    assert form.fields == {"name": "chosen.txt", "empty": ""}
    assert form.filename == "µ.txt"


def test_a_second_file_is_only_a_field() -> None:
    got = bytearray()
    part = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="%d"\r\n\r\n%d\r\n'
    form = read_form(pieces(part % (1, 1) + part % (2, 2) + b"--XX--", 10), KIND, write=got.extend)
    assert (bytes(got), form.filename, form.fields) == (b"1", "1", {"file": "2"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--XX",
        b"--XX\r\n",
        b"no boundary at all",
        b"--XX\r\n" + b"a" * 20_000,
        b'--XX\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + b"a" * 70_000 + b"\r\n--XX--",
        BODY[:-30],
    ],
)
@pytest.mark.parametrize("size", [1000, 100_000])
def test_forms_that_are_none(body: bytes, size: int) -> None:
    with pytest.raises(ApiError, match="Bad multipart request body"):
        read_form(pieces(body, size), KIND, write=bytearray().extend)
