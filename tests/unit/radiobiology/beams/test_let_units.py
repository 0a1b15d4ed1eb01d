"""LET in one unit: the tenfold trap, the density trap, and dose beside energy per mass."""

from __future__ import annotations

import pytest

from braggbook.errors import ScienceError, UnitError
from braggbook.radiobiology.beams import let_in_kev_um
from braggbook.radiobiology.beams.let_units import dose_factor, proton_let_warnings


@pytest.mark.parametrize(
    ("unit", "density", "factor"),
    [
        ("keV/um", None, 1.0),
        ("MeV/cm", None, 0.1),
        ("MeV/mm", None, 1.0),
        ("eV/nm", None, 1.0),
        ("MeV cm2/g", 1.0, 0.1),
        ("MeV cm2/g", 1.19, 0.119),
        ("MeV/mm/g cm3", 1.0, 1.0),  # the ProtonLET of TOPAS
        ("J m2/kg", 1.0, 1.0 / 1.602176634e-13),  # 1 J m2/kg at 1000 kg/m3 is 1000 J/m
    ],
)
def test_units(unit: str, density: float | None, factor: float) -> None:
    assert let_in_kev_um([2.0, 0.0], unit=unit, density_g_cm3=density) == pytest.approx([2.0 * factor, 0.0], rel=1e-9)


def test_a_mass_stopping_power_needs_a_density() -> None:
    with pytest.raises(ScienceError) as refused:
        let_in_kev_um(5.0, unit="MeV cm2/g")
    assert str(refused.value) == (
        "MeV cm2/g: a mass stopping power has no LET without a density; wanted density_g_cm3= of the medium"
    )


def test_a_let_per_length_takes_no_density() -> None:
    with pytest.raises(ScienceError, match="a density for a LET per length"):
        let_in_kev_um(5.0, unit="MeV/cm", density_g_cm3=1.19)


@pytest.mark.parametrize("unit", ["Gy", "keV", "um", "1"])
def test_other_units_are_refused(unit: str) -> None:
    with pytest.raises(UnitError, match="not a unit of LET; wanted keV/um, MeV/cm or MeV cm2/g"):
        let_in_kev_um(5.0, unit=unit)


@pytest.mark.parametrize("value", [-1.0, float("nan"), "5", None])
def test_values_that_are_no_let_are_refused(value: object) -> None:
    with pytest.raises(ScienceError, match=r"LET in keV/um, row 2: not (usable|a number)"):
        let_in_kev_um([1.0, value], unit="keV/um")


def test_let_that_no_proton_has_is_flagged() -> None:
    assert proton_let_warnings([0.0, 0.5, 80.0], what="a") == ()
    (high,) = proton_let_warnings([5.0, 120.0], what="a")
    assert high.startswith("a: up to 120 keV/um, where no proton in water has more than 82;")
    (low,) = proton_let_warnings([0.05], what="a")
    assert "MeV/mm read as keV/um" in low


def test_dose_and_energy_per_mass() -> None:
    assert dose_factor("MeV/g", "Gy") == pytest.approx(1.602176634e-10)
    assert dose_factor("cGy", "MeV/g") == pytest.approx(0.01 / 1.602176634e-10)
    assert dose_factor("GeV/g", "MeV/g") == 1000.0
    with pytest.raises(UnitError, match="cannot convert between different quantities; wanted Gy, got keV/um"):
        dose_factor("keV/um", "Gy")
