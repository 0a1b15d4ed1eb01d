"""The microdosimetric kinetic model: its limits, its parameter sets, survival, RBE, lineal energy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.beams import ion_energies_mev_u
from braggbook.radiobiology.constants import constants_read, find_constant, supposing
from braggbook.radiobiology.rbe import (
    MkmParameters,
    mkm_alpha,
    mkm_parameter_sets,
    mkm_parameters,
    mkm_response,
    saturated_lineal_energy,
    specific_energy_from_lineal_energy,
)

GIVEN = {
    "cell_line": "HSG",
    "alpha0_per_gy": 0.172,
    "beta0_per_gy2": 0.0615,
    "domain_radius_um": 0.32,
    "nucleus_radius_um": 3.9,
}
PHOTONS = {"alpha_reference_per_gy": 0.313, "beta_reference_per_gy2": 0.0615, "reference_radiation": "200 kV x rays"}


# Inaniwa et al. 2010 and 2018, as the reference curves of pymkm state them.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hsg_inaniwa_2010", ("HSG", 0.172, 0.0615, 0.32, 3.9, 48.98)),
        ("hsg_inaniwa_2018", ("HSG", 0.150, 0.0593, 0.29, 3.9, 55.0)),
        ("v79_inaniwa_2018", ("V79", 0.136, 0.0200, 0.24, 3.6, 105.8)),
    ],
)
def test_parameter_sets(name: str, expected: tuple[object, ...]) -> None:
    p = mkm_parameters(name)
    found = (p.cell_line, p.alpha0_per_gy, p.beta0_per_gy2, p.domain_radius_um, p.nucleus_radius_um, round(p.z0_gy, 2))
    assert found == expected
    assert "doi:10.1088" in p.citation
    assert name in mkm_parameter_sets()


def test_a_set_is_in_the_constants_court() -> None:
    assert find_constant("mkm.hsg_inaniwa_2010.alpha0").unit == "1/Gy"
    with supposing({"mkm.hsg_inaniwa_2010.alpha0": 0.2}):
        assert mkm_parameters("hsg_inaniwa_2010").alpha0_per_gy == 0.2
    mkm_parameters("hsg_inaniwa_2018")
    assert constants_read()["mkm.hsg_inaniwa_2018.z0"] == 55.0
    assert "do not follow from this set" in find_constant("mkm.v79_inaniwa_2018.domain_radius").note


def test_alpha_and_beta() -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    field = p.specific_energies("C", [50.0, 15.0])
    response = mkm_response(field, p)
    assert response.alpha_per_gy == pytest.approx(0.172 + 0.0615 * field.saturated_gy, rel=1e-12)
    assert response.alpha_per_gy == pytest.approx([0.172 + 0.0615 * 12.868204, 0.172 + 0.0615 * 26.019828], rel=0.01)
    assert list(response.beta_per_gy2) == [0.0615, 0.0615]
    assert response.model == "MKM"
    dose = np.array([0.0, 1.0, 4.0])
    expected = np.exp(-np.outer(response.alpha_per_gy, dose) - 0.0615 * dose**2)
    assert response.surviving_fraction(dose) == pytest.approx(expected, rel=1e-12)
    assert response.surviving_fraction(response.dose_at_survival(0.1)).diagonal() == pytest.approx(
        [0.1, 0.1], rel=1e-12
    )


def test_limits_of_let() -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    light = mkm_response(p.specific_energies("H", [1000.0]), p)
    assert light.alpha_per_gy == pytest.approx([0.172], rel=0.03)  # alpha0
    table = mkm_response(p.specific_energies("C", ion_energies_mev_u()), p)
    peak = int(np.argmax(table.alpha_per_gy))
    assert 0 < peak < len(table.alpha_per_gy) - 1
    assert np.all(np.diff(table.alpha_per_gy[peak:]) < 0)
    assert 100.0 < table.field.let_kev_um[peak] < 200.0  # where carbon is most effective


def test_rbe_says_what_it_is_of() -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    response = mkm_response(p.specific_energies("C", [175.0, 15.0]), p)
    first, second = response.rbe_at_survival(0.1, **PHOTONS)
    photon = (-0.313 + math.sqrt(0.313**2 + 4 * 0.0615 * math.log(10))) / (2 * 0.0615)
    assert first.value == pytest.approx(photon / response.dose_at_survival(0.1)[0], rel=1e-12)
    assert first.value < second.value
    assert first.effect_level == 0.1
    assert first.reference_radiation == "200 kV x rays"
    assert first.let_kev_um == pytest.approx(17.6768)
    assert first.let_kind is not None
    assert first.let_kind.particles == "C"
    assert "HSG" in first.endpoint
    assert "MKM" in first.endpoint


def test_alpha_from_a_measured_specific_energy() -> None:
    assert mkm_alpha(10.0, alpha0_per_gy=0.13, beta0_per_gy2=0.05) == pytest.approx(0.63)
    assert mkm_alpha([1.0, 2.0], alpha0_per_gy=0.0, beta0_per_gy2=0.05) == pytest.approx([0.05, 0.1])


# Kase 2006: z = 0.204 y / d^2 for a sphere of diameter d um; r_d 0.42 um gives z = 0.289 y.
def test_specific_energy_from_lineal_energy() -> None:
    assert specific_energy_from_lineal_energy(100.0, domain_radius_um=0.42) == pytest.approx(28.9, rel=1e-3)
    assert specific_energy_from_lineal_energy(1.0, domain_radius_um=0.5) == pytest.approx(0.204, rel=1e-3)


@given(st.floats(1.0, 20.0), st.floats(0.5, 20.0))
def test_lineal_energy_below_saturation_is_the_dose_mean(mean: float, width: float) -> None:
    y = np.linspace(0.01, 60.0, 4001)
    f = np.exp(-0.5 * ((y - mean) / width) ** 2)
    dose_mean = float(np.trapezoid(y**2 * f, y) / np.trapezoid(y * f, y))
    assert saturated_lineal_energy(y, f, y0_kev_um=1e5) == pytest.approx(dose_mean, rel=1e-5)
    assert saturated_lineal_energy(y, f, y0_kev_um=30.0) < dose_mean


@pytest.mark.parametrize(
    ("y", "f", "message"),
    [
        ([1.0, 2.0], [1.0], "the columns do not go together"),
        ([2.0, 1.0], [1.0, 1.0], "lineal_energy_kev_um, row 2: not above the row before; got 1 after 2"),
        ([1.0], [1.0], "too few rows; wanted 2 or more, got 1"),
        ([1.0, 2.0], [1.0, -1.0], "frequency"),
        ([1.0, 2.0], [0.0, 0.0], "frequency"),
        ([1.0, math.nan], [1.0, 1.0], "lineal_energy_kev_um"),
    ],
)
def test_spectra_that_are_none(y: list[float], f: list[float], message: str) -> None:
    with pytest.raises(ScienceError, match=message):
        saturated_lineal_energy(y, f)


def test_an_unknown_set_names_the_closest() -> None:
    with pytest.raises(UnknownName, match="did you mean hsg_inaniwa_2018 or hsg_inaniwa_2010"):
        mkm_parameters("hsg_inaniwa_2017")


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, "0.3", None])
@pytest.mark.parametrize("name", ["beta0_per_gy2", "domain_radius_um", "nucleus_radius_um"])
def test_parameters_that_are_none(name: str, bad: object) -> None:
    with pytest.raises(ScienceError, match=name):
        MkmParameters(**{**GIVEN, name: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "0.1", None])
def test_alpha0_is_not_negative(bad: object) -> None:
    with pytest.raises(ScienceError, match="alpha0_per_gy"):
        MkmParameters(**{**GIVEN, "alpha0_per_gy": bad})  # type: ignore[arg-type]


def test_radii_the_wrong_way_round() -> None:
    with pytest.raises(ScienceError, match=r"a domain is a small part of the nucleus; got 3.9 um in 0.32 um"):
        MkmParameters(**{**GIVEN, "domain_radius_um": 3.9, "nucleus_radius_um": 0.32})  # type: ignore[arg-type]


def test_specific_energies_of_other_cells() -> None:
    field = mkm_parameters("v79_inaniwa_2018").specific_energies("C", 50.0)
    with pytest.raises(ScienceError) as caught:
        mkm_response(field, mkm_parameters("hsg_inaniwa_2018"))
    assert str(caught.value) == (
        "the specific energies belong to another geometry; wanted domain 0.29 um, nucleus 3.9 um, z0 55 Gy, "
        "got domain 0.24 um, nucleus 3.6 um, z0 105.8 Gy"
    )


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, None, "two", [], [1.0, "2"]])
def test_doses_that_are_none(bad: object) -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    with pytest.raises(ScienceError, match=r"dose_gy(, row [12])?: (not usable|not numbers|not a number|empty)"):
        mkm_response(p.specific_energies("C", 50.0), p).surviving_fraction(bad)  # type: ignore[arg-type]


def test_every_dose_that_is_none_is_named() -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    with pytest.raises(ScienceError) as caught:
        mkm_response(p.specific_energies("C", 50.0), p).surviving_fraction([1.0, -2.0, math.nan])
    assert [str(issue) for issue in caught.value.issues] == [
        "dose_gy, row 2: not usable; wanted a finite number, 0 or more, got -2",
        "dose_gy, row 3: not usable; wanted a finite number, 0 or more, got nan",
    ]


@pytest.mark.parametrize("bad", [0.0, -0.3, math.nan, None, "0.3"])
@pytest.mark.parametrize("name", ["alpha_reference_per_gy", "beta_reference_per_gy2"])
def test_references_that_are_none(name: str, bad: object) -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    with pytest.raises(ScienceError, match=name):
        mkm_response(p.specific_energies("C", 50.0), p).rbe_at_survival(0.1, **{**PHOTONS, name: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, 1.0, 10.0, math.nan, "0.1", None])
def test_levels_that_are_none(bad: object) -> None:
    p = mkm_parameters("hsg_inaniwa_2010")
    with pytest.raises(ScienceError, match=r"level: not (usable|numbers); wanted a number between 0 and 1"):
        mkm_response(p.specific_energies("C", 50.0), p).dose_at_survival(bad)  # type: ignore[arg-type]
