"""The OSMK: radioresistance, both versions, OER, disputed constants, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.constants import find_constant, taking
from braggbook.radiobiology.rbe import (
    KineticResponse,
    OsmkParameters,
    mkm_parameters,
    mkm_response,
    osmk_parameter_sets,
    osmk_parameters,
    osmk_response,
    oxygen_enhancement_ratio,
    relative_radioresistance,
)

SETS = ("cho_inaniwa_2021", "cho_inaniwa_2023", "hsg_inaniwa_2021", "v79_inaniwa_2021")
GIVEN = {
    "cell_line": "CHO",
    "alpha_lethal_per_gy": 0.01,
    "alpha_sublethal_per_gy": 0.17,
    "beta0_per_gy2": 0.045,
    "domain_radius_um": 0.35,
    "nucleus_radius_um": 8.1,
    "z0_gy": 46.0,
    "half_effect_mmhg": 3.0,
    "resistance_without_oxygen": 3.1,
    "resistance_scale_gy": 9.7,
    "resistance_exponent": 1.31,
}


def response(name: str, oxygen: float, energy: object = (200.0, 50.0, 15.0, 5.0)) -> KineticResponse:
    p = osmk_parameters(name)
    field = p.specific_energies("C", energy, oxygen_mmhg=oxygen)  # type: ignore[arg-type]
    return osmk_response(field, p, oxygen_mmhg=oxygen)


def test_the_sets_have_names() -> None:
    assert osmk_parameter_sets() == SETS
    assert {name: osmk_parameters(name).version for name in SETS} == {name: name[-4:] for name in SETS}


# Alper and Howard-Flanders, m = 3, K = 3 mmHg: (m p + K)/(p + K) is 1.5, 2.0, 2.5385, 2.9632 at 1, 3, 10, 160 mmHg.
def test_radioresistance_is_alper_and_howard_flanders() -> None:
    for pressure, expected in ((1.0, 1.5), (3.0, 2.0), (10.0, 2.5385), (160.0, 2.9632)):
        assert 3.0 / relative_radioresistance(pressure, maximum=3.0, half_effect_mmhg=3.0) == pytest.approx(
            expected, abs=5e-5
        )


@given(st.floats(0.0, 1000.0), st.floats(1.1, 5.0), st.floats(0.5, 10.0))
def test_radioresistance_lies_between_one_and_its_maximum(pressure: float, most: float, half: float) -> None:
    found = float(relative_radioresistance(pressure, maximum=most, half_effect_mmhg=half))
    assert 1.0 <= found <= most * (1.0 + 1e-12)
    assert float(relative_radioresistance(0.0, maximum=most, half_effect_mmhg=half)) == pytest.approx(most)
    assert float(relative_radioresistance(half / most, maximum=most, half_effect_mmhg=half)) == pytest.approx(
        (1 + most) / 2
    )


def test_alpha_and_beta_by_hand() -> None:
    p = osmk_parameters("cho_inaniwa_2021")
    field = p.specific_energies("C", 50.0, oxygen_mmhg=1.14)
    power = (float(field.domain_gy[0]) / 9.7) ** 1.31
    most = (power + 3.1) / (power + 1.0)
    r = (1.14 + 3.0) / (1.14 + 3.0 / most)
    found = osmk_response(field, p, oxygen_mmhg=1.14)
    star = float(field.saturated_gy[0])
    assert found.alpha_per_gy == pytest.approx([0.01 + 0.17 / r + 0.045 * star / r**2], rel=1e-12)
    assert found.beta_per_gy2 == pytest.approx([0.045 * star / float(field.domain_gy[0]) / r**2], rel=1e-12)


def test_the_version_of_2023_changes_the_geometry() -> None:
    p = osmk_parameters("cho_inaniwa_2023")
    radius, z0 = p.geometry(0.0)
    assert radius == pytest.approx(0.41 / 2.69, rel=1e-12)
    assert z0 == pytest.approx(37.0 * 3.23**2, rel=1e-12)
    radius, z0 = p.geometry(1e9)
    assert (radius, z0) == pytest.approx((0.41, 37.0), rel=1e-6)
    assert osmk_parameters("cho_inaniwa_2021").geometry(0.0) == (0.35, 46.0)


@pytest.mark.parametrize("name", SETS)
def test_oxygen_enhancement(name: str) -> None:
    hypoxic, aerobic = response(name, 0.0), response(name, 160.0)
    oer = oxygen_enhancement_ratio(hypoxic, aerobic, level=0.1)
    assert np.all(oer[1:] < oer[0] * 1.01)  # falls with LET (V79 and HSG are flat at first)
    assert 2.5 < oer[0] < 3.5
    assert 1.0 < oer[-1] < 1.3  # oxygen hardly matters at 278 keV/um
    between = oxygen_enhancement_ratio(response(name, 3.8), aerobic, level=0.1)
    assert np.all((between > 1.0) & (between < oer))


def test_an_oer_needs_one_thing_at_two_pressures() -> None:
    aerobic = response("cho_inaniwa_2021", 160.0)
    p = mkm_parameters("hsg_inaniwa_2010")
    mkm = mkm_response(p.specific_energies("C", [200.0, 50.0, 15.0, 5.0]), p)
    with pytest.raises(ScienceError, match="an OER needs two oxygen pressures"):
        oxygen_enhancement_ratio(mkm, aerobic, level=0.1)
    with pytest.raises(ScienceError, match="cell_line"):
        oxygen_enhancement_ratio(response("hsg_inaniwa_2021", 0.0), aerobic, level=0.1)
    with pytest.raises(ScienceError, match="model"):
        oxygen_enhancement_ratio(response("cho_inaniwa_2023", 0.0), aerobic, level=0.1)
    with pytest.raises(ScienceError, match="one radiation"):
        oxygen_enhancement_ratio(response("cho_inaniwa_2021", 0.0, [50.0]), aerobic, level=0.1)


def test_what_the_curves_say_against_the_table() -> None:
    domain = find_constant("osmk.v79_inaniwa_2021.domain_radius")
    assert domain.status == "ruled"
    assert osmk_parameters("v79_inaniwa_2021").domain_radius_um == 0.25
    with taking({"osmk.v79_inaniwa_2021.domain_radius": "Inaniwa 2021"}):
        assert osmk_parameters("v79_inaniwa_2021").domain_radius_um == 0.29
    assert osmk_parameters("v79_inaniwa_2021").z0_gy == 98.0
    with taking({"osmk.hsg_inaniwa_2021.resistance_without_oxygen": "figures"}):
        assert osmk_parameters("hsg_inaniwa_2021").resistance_without_oxygen == 2.8


def test_the_pressure_is_in_the_rbe() -> None:
    (rbe,) = response("cho_inaniwa_2021", 1.14, 50.0).rbe_at_survival(
        0.1, alpha_reference_per_gy=0.2, beta_reference_per_gy2=0.045, reference_radiation="200 kV x rays"
    )
    assert rbe.endpoint == "clonogenic survival of CHO cells at 1.14 mmHg of oxygen, OSMK 2021"


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, "0", None, True])
def test_pressures_that_are_none(bad: object) -> None:
    p = osmk_parameters("cho_inaniwa_2021")
    with pytest.raises(ScienceError, match="oxygen_mmhg: not "):
        p.specific_energies("C", 50.0, oxygen_mmhg=bad)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="oxygen_mmhg"):
        relative_radioresistance(bad, maximum=3.0, half_effect_mmhg=3.0)  # type: ignore[arg-type]


def test_specific_energies_at_another_pressure() -> None:
    p = osmk_parameters("cho_inaniwa_2023")
    field = p.specific_energies("C", 50.0, oxygen_mmhg=0.0)
    with pytest.raises(ScienceError, match="belong to another geometry"):
        osmk_response(field, p, oxygen_mmhg=160.0)


def test_versions_are_not_mixed() -> None:
    with pytest.raises(
        ScienceError, match="got resistance_scale_gy, resistance_exponent, domain_factor, saturation_factor"
    ):
        OsmkParameters(**GIVEN, domain_factor=2.69, saturation_factor=3.23)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="neither the version of 2021 nor that of 2023"):
        OsmkParameters(**{**GIVEN, "resistance_scale_gy": None})  # type: ignore[arg-type]
    neither = {**GIVEN, "resistance_scale_gy": None, "resistance_exponent": None}
    with pytest.raises(ScienceError, match="got none of them"):
        OsmkParameters(**neither)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("alpha_lethal_per_gy", -0.1),
        ("alpha_sublethal_per_gy", math.nan),
        ("resistance_without_oxygen", 1.0),
        ("z0_gy", 0.0),
        ("half_effect_mmhg", -3.0),
        ("resistance_exponent", math.inf),
        ("domain_radius_um", "0.35"),
    ],
)
def test_parameters_that_are_none(name: str, bad: object) -> None:
    with pytest.raises(ScienceError, match=name):
        OsmkParameters(**{**GIVEN, name: bad})  # type: ignore[arg-type]


def test_an_unknown_set_names_the_closest() -> None:
    with pytest.raises(UnknownName, match="did you mean cho_inaniwa_2023 or cho_inaniwa_2021"):
        osmk_parameters("cho_inaniwa_2022")
