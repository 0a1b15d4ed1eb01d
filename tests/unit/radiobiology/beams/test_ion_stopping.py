"""Stopping powers of ions in water: the table, its interpolation, its inverse, and the tenfold unit."""

from __future__ import annotations

import csv
import math
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.beams import (
    check_let,
    effective_charge,
    energies_at_let,
    ion_energies_mev_u,
    ion_stopping_power,
    let_kev_um_from_mev_cm,
    relative_velocity,
)
from braggbook.radiobiology.beams.ion_stopping import ION_SYMBOLS, atomic_number

# The proton of the table moves as fast as 1 u of 931.494 MeV at this energy per u: 938.272 / 931.494.
PROTON_MASS_U = 1.00728


# MSTAR 3.12 as pymkm 1.0.0 distributes it: MeV/cm, divided by ten.
@pytest.mark.parametrize(
    ("ion", "energy", "let"),
    [
        ("H", 50.0, 1.237),
        ("He", 0.175, 226.231),
        ("C", 50.0, 44.8228),
        ("C", 175.0, 17.6768),
        ("C", 15.0, 118.419),
        ("C", 0.3125, 880.502),
        ("Ne", 1000.0, 22.2239),
        ("Ne", 0.1, 972.735),
    ],
)
def test_nodes_of_the_table(ion: str, energy: float, let: float) -> None:
    assert ion_stopping_power(ion, energy) == pytest.approx(let, rel=1e-12)


def test_every_number_is_that_of_the_package_it_was_read_through() -> None:
    pymkm = pytest.importorskip("pymkm")
    folder = Path(pymkm.__file__).parent / "data" / "defaults" / "mstar_3_12"
    files = sorted(folder.glob("Z*.txt"))
    assert len(files) == 10
    for z, file in enumerate(files, start=1):
        lines = file.read_text(encoding="utf-8").splitlines()
        start = next(row for row, line in enumerate(lines) if line.startswith("E [MeV/u]"))
        energy, let = np.array([line.split() for line in lines[start + 1 :]], dtype=float).T
        assert np.array_equal(energy, ion_energies_mev_u())
        assert ion_stopping_power(z, energy) == pytest.approx(let_kev_um_from_mev_cm(let), rel=1e-9)


def test_protons_are_those_of_pstar(mirror: Path) -> None:
    with (mirror / "pstar_water" / "pstar_water_liquid.csv").open(encoding="utf-8") as file:
        rows = [
            (float(row["energy_MeV"]), float(row["total_mass_stopping_power_MeV_cm2_per_g"]))
            for row in csv.DictReader(file)
        ]
    checked = 0
    for energy, let_mev_cm in rows:
        if 0.5 <= energy / PROTON_MASS_U <= 1000.0:
            expected = let_kev_um_from_mev_cm(let_mev_cm)
            # PSTAR's total holds the nuclear part, 0.1 % at 0.5 MeV; its numbers have four digits.
            assert ion_stopping_power("H", energy / PROTON_MASS_U) == pytest.approx(expected, rel=2e-3)
            checked += 1
    assert checked > 20


def test_between_nodes_a_coarser_table_misses_little() -> None:
    # Every second node left out and interpolated back: an upper limit of what interpolation can do wrong.
    nodes = ion_energies_mev_u()
    for ion in ION_SYMBOLS:
        let = np.log(ion_stopping_power(ion, nodes))
        middle = 0.5 * (np.log(nodes[:-2:2]) + np.log(nodes[2::2]))
        straight = np.interp(middle, np.log(nodes[::2]), let[::2])
        fine = np.log(ion_stopping_power(ion, np.exp(middle)))
        assert np.max(np.abs(fine - straight)) < 0.02


@given(st.sampled_from(ION_SYMBOLS), st.floats(0.1, 1000.0))
def test_the_inverse_finds_the_energy_again(ion: str, energy: float) -> None:
    let = float(ion_stopping_power(ion, energy))
    found = energies_at_let(ion, let)
    assert found.size in (1, 2)
    assert np.all(np.diff(found) > 0)
    assert ion_stopping_power(ion, found) == pytest.approx(np.full(found.size, let), rel=1e-9)
    assert np.min(np.abs(found / energy - 1.0)) < 1e-3  # at the peak LET says little of energy


def test_a_let_below_the_peak_has_two_energies() -> None:
    # The table: 787.6 at 0.15, 807.9 at 0.1625, peak 880.5 at 0.3125, 815.3 at 0.5, 790.3 at 0.5625 MeV/u.
    slow, fast = energies_at_let("C", 800.0)
    assert 0.15 < slow < 0.1625
    assert 0.5 < fast < 0.5625
    assert energies_at_let("C", 44.8228) == pytest.approx([50.0], rel=1e-9)


def test_one_ion_has_several_names() -> None:
    assert {atomic_number(name) for name in ("C", "c", "12C", "carbon", 6, np.int64(6))} == {6}
    assert {atomic_number(name) for name in ("p", "proton", "1H", "H", 1)} == {1}
    assert atomic_number("alpha") == atomic_number("4He") == 2


def test_velocity_and_effective_charge() -> None:
    # 931.494 MeV/u is gamma = 2: beta = sqrt(3)/2; a fast ion has lost all its electrons.
    assert relative_velocity(931.494) == pytest.approx(math.sqrt(3.0) / 2.0, rel=1e-12)
    assert relative_velocity(1e-6) == pytest.approx(math.sqrt(2e-6 / 931.494), rel=1e-6)
    beta = math.sqrt(3.0) / 2.0
    assert effective_charge("C", 931.494) == pytest.approx(6.0 * (1.0 - math.exp(-125.0 * beta * 6.0 ** (-2 / 3))))
    assert effective_charge("Ne", 0.1) < 5.0


def test_scaling_by_effective_charge_is_close_where_ions_are_bare() -> None:
    energy = np.array([10.0, 50.0, 200.0, 1000.0])
    for ion in ION_SYMBOLS:
        scaled = ion_stopping_power(ion, energy, source="barkas")
        assert scaled == pytest.approx(ion_stopping_power(ion, energy), rel=0.015)
    assert ion_stopping_power("H", energy, source="barkas") == pytest.approx(ion_stopping_power("H", energy), rel=1e-12)


def test_the_file_says_where_it_comes_from() -> None:
    text = resources.files("braggbook.radiobiology.beams").joinpath("ion_stopping_mstar.csv").read_text("utf-8")
    assert len(text) < 10_000
    for said in ("MSTAR 3.12", "MIT", "keV/um", "MeV/u"):
        assert said in text


def test_shapes() -> None:
    assert np.ndim(ion_stopping_power("C", 50.0)) == 0
    assert ion_stopping_power("C", np.full((2, 3), 50.0)).shape == (2, 3)


@pytest.mark.parametrize("name", ["Cx", "argon", "", "13C", 0, 11, True, None, 6.0])
def test_an_unknown_ion(name: object) -> None:
    with pytest.raises(UnknownName, match="no ion named"):
        ion_stopping_power(name, 50.0)  # type: ignore[arg-type]


def test_the_closest_ion_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean carbon"):
        ion_stopping_power("carbone", 50.0)
    with pytest.raises(UnknownName, match="did you mean mstar"):
        ion_stopping_power("C", 50.0, source="MSTAR")


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, None, "fifty", "50", [], [[1.0], [1.0, 2.0]]])
def test_energies_that_are_none(bad: object) -> None:
    with pytest.raises(ScienceError, match="energy_mev_u"):
        ion_stopping_power("C", bad)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="energy_mev_u"):
        relative_velocity(bad)  # type: ignore[arg-type]


def test_nothing_is_extrapolated() -> None:
    with pytest.raises(ScienceError) as caught:
        ion_stopping_power("C", [50.0, 0.05, 2000.0])
    assert [str(issue) for issue in caught.value.issues] == [
        "energy_mev_u, row 2: not usable; wanted a number from 0.1 to 1000 MeV/u, the range of the table, got 0.05",
        "energy_mev_u, row 3: not usable; wanted a number from 0.1 to 1000 MeV/u, the range of the table, got 2000",
    ]


def test_a_let_in_mev_cm_is_caught() -> None:
    with pytest.raises(ScienceError) as caught:
        check_let("C", 50.0, let_kev_um=448.2)
    assert str(caught.value.issues[0]) == (
        "let_kev_um: not the LET of C at 50 MeV/u; wanted about 44.82 keV/um, got 448.2 keV/um (is it in MeV/cm?)"
    )
    with pytest.raises(ScienceError, match="element 2"):
        check_let("C", [50.0, 175.0], let_kev_um=[44.0, 176.8])
    with pytest.raises(ScienceError, match=r"5000 keV/um \(is it in MeV/cm\?\)"):
        energies_at_let("C", 5000.0)
    assert check_let("C", 50.0, let_kev_um=let_kev_um_from_mev_cm(446.5)) == pytest.approx(44.65)
    assert check_let("C", 0.01, let_kev_um=300.0) == 300.0  # no yardstick outside the table


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, "ten"])
def test_lets_that_are_none(bad: object) -> None:
    with pytest.raises(ScienceError, match="let_kev_um"):
        energies_at_let("C", bad)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="let_mev_cm"):
        let_kev_um_from_mev_cm(bad)  # type: ignore[arg-type]


def test_one_let_at_a_time() -> None:
    with pytest.raises(ScienceError, match="let_kev_um: not one number"):
        energies_at_let("C", [100.0, 200.0])  # type: ignore[arg-type]
