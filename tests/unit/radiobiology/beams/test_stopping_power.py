"""Protons in water: the facts of PSTAR, interpolation between them, and a table that guards itself."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from braggbook.errors import ScienceError
from braggbook.radiobiology.beams import (
    proton_csda_range,
    proton_energy_from_range,
    proton_let,
    proton_stopping_power,
    pstar_water,
)

# NIST PSTAR (2005), liquid water: MeV, MeV cm2/g, g/cm2.
FACTS = [
    (1, 260.8, 2.458e-3),
    (10, 45.67, 0.1230),
    (50, 12.45, 2.227),
    (100, 7.289, 7.718),
    (150, 5.445, 15.77),
    (200, 4.492, 25.96),
    (250, 3.911, 37.94),
]


@pytest.mark.parametrize(("energy", "stopping", "reach"), FACTS)
def test_nodes_give_the_facts(energy: float, stopping: float, reach: float) -> None:
    assert proton_stopping_power(energy) == pytest.approx(stopping, rel=1e-9)
    assert proton_csda_range(energy) == pytest.approx(reach, rel=1e-9)


def test_between_nodes_logarithms_are_linear() -> None:
    assert proton_stopping_power(62.0) == pytest.approx(10.508, rel=1e-4)


def test_every_row_is_that_of_the_source(mirror: Path) -> None:
    with (mirror / "pstar_water" / "pstar_water_liquid.csv").open(encoding="utf-8") as stream:
        rows = [[float(cell) for cell in row[:3]] for row in list(csv.reader(stream))[1:]]
    assert pstar_water().to_numpy().tolist() == rows


def test_ranges_are_the_integral_of_the_stopping_powers() -> None:
    """One public copy of this table has the stopping power of 70 MeV at 80 MeV; such a row breaks this by 10 %."""
    table = pstar_water()
    table = table[table["energy_mev"].between(4, 300)]
    energy, reach = table["energy_mev"].to_numpy(), table["csda_range_g_cm2"].to_numpy()
    steps = [
        integrate.quad(lambda e: 1.0 / float(proton_stopping_power(e)), low, high)[0]
        for low, high in itertools.pairwise(energy)
    ]
    # four printed digits of two ranges near each other, and the straight line between their logarithms
    assert np.array(steps) == pytest.approx(np.diff(reach), rel=0.006)
    assert sum(steps) == pytest.approx(reach[-1] - reach[0], rel=0.002)


@given(st.floats(0.001, 1000.0))
def test_energy_from_range_undoes_range_from_energy(energy: float) -> None:
    assert proton_energy_from_range(proton_csda_range(energy)) == pytest.approx(energy, rel=1e-9)


@given(st.floats(0.1, 900.0), st.floats(1.001, 1.1))
def test_faster_protons_lose_less_and_go_further(energy: float, factor: float) -> None:
    assert proton_stopping_power(energy * factor) < proton_stopping_power(energy)
    assert proton_csda_range(energy * factor) > proton_csda_range(energy)


def test_let_is_a_tenth_of_the_stopping_power_at_unit_density() -> None:
    assert proton_let([1.0, 100.0]) == pytest.approx([26.08, 0.7289])
    assert proton_let(100.0, density_g_cm3=1.19) == pytest.approx(0.7289 * 1.19)


def test_shapes_are_kept() -> None:
    assert proton_stopping_power(np.full((2, 3), 100.0)).shape == (2, 3)
    assert np.ndim(proton_csda_range(100.0)) == 0


def test_the_table_is_a_copy() -> None:
    table = pstar_water()
    table.loc[0, "energy_mev"] = 5.0
    assert pstar_water().loc[0, "energy_mev"] == 0.001


@pytest.mark.parametrize(
    ("energy", "got"),
    [
        (0.0, "0"),
        (-5.0, "-5"),
        (1001.0, "1001"),
        (np.nan, "nan"),
        (np.inf, "inf"),
        ("150", "'150'"),
        (None, "None"),
    ],
)
def test_energies_outside_the_table_are_refused(energy: object, got: str) -> None:
    with pytest.raises(ScienceError) as refused:
        proton_stopping_power([100.0, energy])
    assert refused.value.issues[0].where == "energy_mev, row 2"
    assert refused.value.issues[0].got == got
    assert refused.value.issues[0].wanted == "a number from 0.001 to 1000 (the table's)"


def test_a_range_outside_the_table_is_refused() -> None:
    with pytest.raises(ScienceError, match="range_g_cm2: not usable"):
        proton_energy_from_range(400.0)


def test_a_density_of_zero_is_refused() -> None:
    with pytest.raises(ScienceError, match="density_g_cm3: not usable; wanted a finite number above 0, got 0"):
        proton_let(100.0, density_g_cm3=0.0)
