"""Names that a board, a terminal and a spreadsheet may show."""

from __future__ import annotations

import pytest

from braggbook.challenges.airlock import clean_label
from braggbook.errors import InputError


@pytest.mark.parametrize("text", ["Team A", "Łódź & Søn", "3rd try", "研究室", 'O\'Brien "quotes"', "a" * 60, "α/β"])
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert clean_label(text) == text


def test_a_name_has_one_spelling() -> None:
    assert clean_label("  Cafe\u0301 ") == clean_label("Caf\u00e9") == "Caf\u00e9"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a" * 61, "at most 60 characters, got 61"),
        ("a\nb", "control characters"),
        ("\x1b[31mred", "control characters"),
        ("a\x00", "control characters"),
        ("a\u202egnp.exe", "turn the direction of writing"),
        ("a\u200bb", "invisible"),
        ("a\u2028b", "control characters"),
        ("\ud800", "control characters"),
        ("=1+1", "formula"),
        ("+cmd", "formula"),
        ("-2", "formula"),
        ("@SUM(A1)", "formula"),
        ("\uff1d1+1", "formula"),
        ("  =1+1", "formula"),
        ("\t=1+1", "control characters"),
        ("<script>alert(1)</script>", "tag of a web page"),
        ("Z" + "\u0316" * 9, "too many accents"),
    ],
)
def test_signs_that_mean_something_else_are_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match="not a team that can be shown") as caught:
        clean_label(text, what="team")
    assert words in str(caught.value)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        clean_label("=<b>" + "a" * 70 + "\n")
    assert len(caught.value.issues) == 4
