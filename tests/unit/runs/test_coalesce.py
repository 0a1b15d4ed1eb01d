"""Joining a cell's printed texts gives what nbclient gives, in time that grows with the text and not with its square."""

from __future__ import annotations

import re

import papermill  # noqa: F401 - it loads our engine when it is imported, and our engine needs it
from hypothesis import given
from hypothesis import strategies as st

from braggbook.runs.client import coalesce

NBCLIENTS = re.compile(r".*\r(?=[^\n])")


def _stream(name: str, text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": name, "text": text}


@given(st.lists(st.text("ab\r\n\x0b\x0c\x85\u2028"), max_size=5))
def test_carriage_returns_do_what_they_do_in_nbclient(parts: list[str]) -> None:
    joined = coalesce([_stream("stdout", part) for part in parts])
    assert [output["text"] for output in joined] == ([NBCLIENTS.sub("", "".join(parts))] if parts else [])


def test_a_long_line_is_no_matter() -> None:
    line = "x" * 20_000_000  # nbclient's expression would look at half of its square of letters: for days
    assert coalesce([_stream("stdout", f"gone\r{line}\r\n{line}")])[0]["text"] == f"{line}\r\n{line}"


def test_one_text_for_each_stream_in_the_place_of_its_first() -> None:
    shown = {"output_type": "display_data", "data": {}}
    outputs = [_stream("stderr", "e"), _stream("stdout", "a"), shown, _stream("stderr", "f"), _stream("stdout", "b")]
    assert coalesce(outputs) == [_stream("stdout", "ab"), _stream("stderr", "ef"), shown]
    assert coalesce([]) == []
