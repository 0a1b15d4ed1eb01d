"""An LET must say what kind it is, and be in the unit that is meant."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.errors import ScienceError, UnitError
from braggbook.radiobiology import LetKind
from braggbook.radiobiology.rbe import let_in_kev_um, let_warnings


def test_a_kind_reads_as_one_line() -> None:
    kind = LetKind("dose-averaged", "primary protons", "water")
    assert str(kind) == "dose-averaged LET, particles: primary protons, medium: water"
    assert kind.unstated == ()


def test_nothing_known_is_an_answer() -> None:
    kind = LetKind("not stated")
    assert (kind.particles, kind.medium) == ("not stated", "not stated")
    assert kind.unstated == ("average", "particles", "medium")


def test_an_average_alone_is_half_an_answer() -> None:
    with pytest.raises(ScienceError) as caught:
        LetKind("dose-averaged")
    assert str(caught.value) == (
        "not a kind of LET\n"
        "  - particles: missing; wanted a text, or 'not stated'\n"
        "  - medium: missing; wanted a text, or 'not stated'"
    )
    assert LetKind("dose-averaged", "not stated", "not stated").unstated == ("particles", "medium")


def test_an_unknown_average_names_the_closest() -> None:
    with pytest.raises(ScienceError) as caught:
        LetKind("dose averaged", particles="", medium="water")
    text = str(caught.value)
    assert "did you mean dose-averaged" in text
    assert "particles: missing" in text


@pytest.mark.parametrize("bad", [None, 1.0])
def test_a_part_is_a_text(bad: object) -> None:
    with pytest.raises(ScienceError, match="medium: missing"):
        LetKind("dose-averaged", "all protons", bad)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="average: not a kind of average"):
        LetKind(bad, "all protons", "water")  # type: ignore[arg-type]


def test_kinds_conflict_where_both_speak() -> None:
    one = LetKind("dose-averaged", "primary protons", "not stated")
    assert one.conflicts(LetKind("track-averaged", "all protons", "water")) == ("average", "particles")
    assert one.conflicts(LetKind("not stated")) == ()


@pytest.mark.parametrize(
    ("value", "unit", "density", "expected"),
    [
        (25.0, "MeV/cm", None, 2.5),
        (2.5, "keV/um", None, 2.5),
        (1.0, "MeV/mm", None, 1.0),
        (7.289, "MeV cm2/g", 1.0, 0.7289),  # 100 MeV protons in water
        (10.0, "MeV cm2/g", 1.9, 1.9),
    ],
)
def test_let_is_converted(value: float, unit: str, density: float | None, expected: float) -> None:
    assert let_in_kev_um(value, unit=unit, density_g_cm3=density) == pytest.approx(expected, rel=1e-12)


def test_what_cannot_be_converted_is_an_error() -> None:
    with pytest.raises(ScienceError, match="density of its medium"):
        let_in_kev_um(7.0, unit="MeV cm2/g")
    with pytest.raises(ScienceError, match="no place"):
        let_in_kev_um(7.0, unit="MeV/cm", density_g_cm3=1.0)
    with pytest.raises(UnitError, match="not a unit of LET"):
        let_in_kev_um(7.0, unit="Gy")
    with pytest.raises(UnitError):
        let_in_kev_um(7.0, unit="keV per um")
    with pytest.raises(ScienceError, match="let, row 2: not usable"):
        let_in_kev_um([7.0, -1.0], unit="MeV/cm")


def test_a_tenfold_error_is_told() -> None:
    assert let_warnings([0.4, 5.0, 25.0], particle="1H") == ()
    assert let_warnings(50.0, particle="1H") == (
        "LET 50 keV/um is above 30 keV/um, more than a treatment beam of 1H has: is it in MeV/cm? 1 keV/um = 10 MeV/cm",
    )
    assert len(let_warnings([0.1, 50.0, 150.0], particle="1H")) == 3
    assert let_warnings(np.array([[150.0, 150.0]]), particle="1H")[0].startswith("LET 150 keV/um (row 1) and 1 more")
    assert let_warnings(150.0, particle="12C") == ()
