"""An LET must say what kind it is."""

from __future__ import annotations

import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology import LetKind


def test_a_kind_reads_as_one_line() -> None:
    kind = LetKind("dose-averaged", "primary protons", "water")
    assert str(kind) == "dose-averaged LET, particles: primary protons, medium: water"
    assert LetKind("not stated").medium == "not stated"


def test_an_unknown_average_names_the_closest() -> None:
    with pytest.raises(ScienceError) as caught:
        LetKind("dose averaged", particles="")
    text = str(caught.value)
    assert "did you mean dose-averaged" in text
    assert "particles: empty" in text
