"""The stochastic microdosimetric kinetic model: formula, limits, doses, and what is refused."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.rbe import mixed_field, mkm_response, smk_parameter_sets, smk_parameters, smk_response

HSG = smk_parameters("hsg_inaniwa_2018")
CARBON = HSG.specific_energies("C", [100.0, 15.0, 2.0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hsg_inaniwa_2018", (0.174, 0.0568, 0.28, 8.1, 66.0)), ("v79_inaniwa_2018", (0.103, 0.0210, 0.23, 8.1, 122.0))],
)
def test_parameter_sets(name: str, expected: tuple[float, ...]) -> None:
    p = smk_parameters(name)
    assert (p.alpha0_per_gy, p.beta0_per_gy2, p.domain_radius_um, p.nucleus_radius_um, p.z0_gy) == expected
    assert name in smk_parameter_sets()


def test_survival_by_hand() -> None:
    response = smk_response(CARBON, HSG)
    row, dose = 1, 2.5
    star, plain, nucleus = (float(v[row]) for v in (CARBON.saturated_gy, CARBON.domain_gy, CARBON.nucleus_gy))
    alpha, beta = 0.174 + 0.0568 * star, 0.0568 * star / plain
    spread = 1.0 + dose * nucleus * (-beta + 0.5 * (alpha + 2.0 * beta * dose) ** 2)
    expected = math.exp(-alpha * dose - beta * dose**2) * spread
    assert response.surviving_fraction(dose)[row] == pytest.approx(expected, rel=1e-12)
    assert response.surviving_fraction(0.0) == pytest.approx([1.0, 1.0, 1.0])


@given(st.floats(0.001, 0.9))
def test_the_dose_at_a_level_has_that_survival(level: float) -> None:
    response = smk_response(CARBON, HSG)
    doses = response.dose_at_survival(level)
    found = [response.surviving_fraction(dose)[row] for row, dose in enumerate(doses)]
    assert found == pytest.approx([level] * 3, rel=1e-9)


def test_at_low_let_it_is_nearly_the_linear_quadratic_curve() -> None:
    field = HSG.specific_energies("H", 200.0)
    dose = [1.0, 4.0, 8.0]
    assert smk_response(field, HSG).surviving_fraction(dose) == pytest.approx(
        mkm_response(field, HSG).surviving_fraction(dose), rel=0.02
    )


def test_the_spread_among_nuclei_saves_cells_at_high_let() -> None:
    dose = [1.0, 4.0]
    stochastic = smk_response(CARBON, HSG)
    same = dataclasses.replace(stochastic, nucleus_gy=np.zeros(3))
    assert np.all(stochastic.surviving_fraction(dose) > same.surviving_fraction(dose))


def test_a_mixed_field_of_one_part_is_that_part() -> None:
    part = HSG.specific_energies("C", 50.0)
    field = mixed_field([part, part], dose_fractions=[0.4, 0.6])
    assert smk_response(field, HSG).dose_at_survival(0.1) == pytest.approx(
        smk_response(part, HSG).dose_at_survival(0.1)
    )


def test_a_mixed_field_lies_between_its_parts() -> None:
    parts = [HSG.specific_energies("C", 15.0), HSG.specific_energies("H", 100.0)]
    field = mixed_field(parts, dose_fractions=[0.5, 0.5])
    low, high = (smk_response(part, HSG).dose_at_survival(0.1)[0] for part in parts)
    assert low < smk_response(field, HSG).dose_at_survival(0.1)[0] < high


def test_more_survivors_than_cells_is_refused() -> None:
    response = smk_response(CARBON, HSG)
    wide = dataclasses.replace(response, nucleus_gy=np.array([0.0, 50.0, 0.0]))
    with pytest.raises(ScienceError, match="the factor for the spread among nuclei is outside its range") as caught:
        wide.surviving_fraction([1.0])
    assert "row 2, LET 118.419 keV/um" in str(caught.value)
    negative = dataclasses.replace(response, beta_per_gy2=np.full(3, 5.0), nucleus_gy=np.full(3, 50.0))
    with pytest.raises(ScienceError, match="wanted a factor above 0"):
        negative.surviving_fraction([0.01])


def test_an_unknown_set_names_the_closest() -> None:
    with pytest.raises(UnknownName, match="parameter set of the SMK named 'V79'"):
        smk_parameters("V79")


def test_specific_energies_of_other_cells() -> None:
    with pytest.raises(ScienceError, match="belong to another geometry"):
        smk_response(CARBON, smk_parameters("v79_inaniwa_2018"))
