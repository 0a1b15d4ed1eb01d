"""What docs/how-to/submit.md says of refusals is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import braggbook.challenges.airlock
from braggbook.challenges.airlock import labels, notebooks, receive, tables
from braggbook.records import unpack

PAGE = (Path(__file__).parents[4] / "docs/how-to/submit.md").read_text(encoding="utf-8")
SOURCES = [*Path(braggbook.challenges.airlock.__file__).parent.glob("*.py"), Path(unpack.__file__)]
CODE = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
ROWS = [line for line in PAGE.partition("| it says |")[2].splitlines() if line.startswith("| `")]
PHRASES = [phrase for row in ROWS for phrase in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_refusal_that_is_documented_is_one(phrase: str) -> None:
    assert phrase in CODE


def test_numbers_that_are_documented_are_those_of_the_code() -> None:
    assert len(PHRASES) > 40
    assert f"at most {tables.LONGEST_CELL} characters" in PAGE
    assert f"at most {labels.LONGEST_LABEL} characters" in PAGE
    assert f"at most {receive._LARGEST_NOTEBOOK_BYTES >> 20} MB" in PAGE
    assert all(f"`{reference}`" in PAGE for reference in notebooks._RESERVED)
