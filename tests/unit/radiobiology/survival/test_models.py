"""The curves of the survival models: gradients, limits, and identities between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import DuplicateName, UnknownName
from braggbook.radiobiology.survival.models import (
    Parameter,
    find_survival_model,
    survival_model,
    survival_models,
)

VALUES = {
    "exponential": (0.5,),
    "lq": (0.3, 0.03),
    "lq_cubic": (0.3, 0.05, 0.002),
    "lq_l": (0.2, 0.05, 3.3),
    "universal": (0.2, 1.8, 1.2),
    "multi_target": (1.3, 3.7),
    "two_component": (6.0, 1.6, 4.2),
    "induced_repair": (0.2, 0.9, 0.4, 0.03),
    "repair_misrepair": (0.8, 1.7),
    "lethal_potentially_lethal": (0.1, 0.7, 2.3),
}
DOSES = np.array([0.0, 1e-6, 0.05, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0])


def _effect(name: str, values: tuple[float, ...], dose: np.ndarray = DOSES) -> np.ndarray:
    return find_survival_model(name).curve(dose, np.array(values))[0]


def test_every_model_is_tested_here() -> None:
    assert set(survival_models()) == set(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_gradients_are_those_of_the_curve(name: str) -> None:
    values = np.array(VALUES[name])
    curve = find_survival_model(name).curve
    gradient = curve(DOSES, values)[1]
    assert gradient.shape == (len(DOSES), len(values))
    for index in range(len(values)):
        step = np.zeros(len(values))
        step[index] = 1e-6 * values[index]
        numeric = (curve(DOSES, values + step)[0] - curve(DOSES, values - step)[0]) / (2 * step[index])
        assert gradient[:, index] == pytest.approx(numeric, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", VALUES)
def test_no_dose_has_no_effect(name: str) -> None:
    assert _effect(name, VALUES[name])[0] == 0.0
    assert np.all(np.diff(_effect(name, VALUES[name])) > 0)  # survival falls all the way


@given(st.floats(-0.1, 1.0), st.floats(0.001, 0.2), st.floats(0.5, 10.0))
def test_lq_l_is_lq_then_its_tangent(alpha: float, beta: float, transition: float) -> None:
    below, above = np.linspace(0, transition, 5), np.linspace(transition, 3 * transition, 5)
    values = (alpha, beta, transition)
    assert _effect("lq_l", values, below) == pytest.approx(alpha * below + beta * below**2)
    tangent = alpha * transition + beta * transition**2 + (alpha + 2 * beta * transition) * (above - transition)
    assert _effect("lq_l", values, above) == pytest.approx(tangent, rel=1e-9, abs=1e-12)


@pytest.mark.full
@given(st.floats(0.01, 1.0), st.floats(0.005, 0.2), st.floats(0.5, 10.0))
def test_the_universal_curve_is_lq_l(alpha: float, beta: float, transition: float) -> None:
    """Park et al. 2008: beta = (1 - alpha D0)^2 / (4 D0 Dq) and D_T = 2 Dq / (1 - alpha D0)."""
    slope = alpha + 2 * beta * transition
    park = (alpha, 1 / slope, beta * transition**2 / slope)
    assert _effect("universal", park) == pytest.approx(_effect("lq_l", (alpha, beta, transition)), rel=1e-9)
    derived = {each.name: each.function(np.array(park)) for each in find_survival_model("universal").derived}
    assert (derived["beta_per_gy2"], derived["transition_dose_gy"]) == pytest.approx((beta, transition))
    back = {
        each.name: each.function(np.array([alpha, beta, transition])) for each in find_survival_model("lq_l").derived
    }
    assert (back["d0_gy"], back["dq_gy"]) == pytest.approx(park[1:])
    assert find_survival_model("universal").same_curve_as == "lq_l"


def test_the_universal_curve_without_a_shoulder_is_exponential() -> None:
    assert _effect("universal", (0.5, 2.5, 1.0)) == pytest.approx(0.5 * DOSES)


def test_one_target_is_exponential() -> None:
    assert _effect("multi_target", (1.5, 1.0)) == pytest.approx(DOSES / 1.5, rel=1e-12)
    assert _effect("two_component", (3.0, 1.5, 1.0)) == pytest.approx(DOSES / 1.5 + DOSES / 3.0, rel=1e-12)


def test_multi_target_is_what_its_formula_says() -> None:
    d0, n = VALUES["multi_target"]
    survival = 1 - (1 - np.exp(-DOSES[1:] / d0)) ** n
    assert np.exp(-_effect("multi_target", (d0, n))[1:]) == pytest.approx(survival, rel=1e-9)


def test_multi_target_keeps_its_digits_far_out() -> None:
    """S -> n e^{-D/D0}: a straight line through the extrapolation number, also where e^{-D/D0} underflows."""
    far = np.array([50.0, 500.0, 2000.0])
    effect, gradient = find_survival_model("multi_target").curve(far, np.array([1.3, 3.7]))
    assert effect == pytest.approx(far / 1.3 - math.log(3.7), rel=1e-12)
    assert gradient[:, 1] == pytest.approx(-1 / 3.7)
    assert gradient[:, 0] == pytest.approx(-far / 1.3**2)


def test_derived_quantities_of_the_target_models() -> None:
    multi = {each.name: each.function(np.array([1.3, 3.7])) for each in find_survival_model("multi_target").derived}
    assert multi["dq_gy"] == pytest.approx(1.3 * math.log(3.7))
    two = {each.name: each.function(np.array([6.0, 1.6, 4.2])) for each in find_survival_model("two_component").derived}
    assert two["final_d0_gy"] == pytest.approx(6.0 * 1.6 / 7.6)
    far = np.array([200.0, 201.0])
    assert np.diff(_effect("two_component", (6.0, 1.6, 4.2), far))[0] == pytest.approx(1 / two["final_d0_gy"])
    # the quasi-threshold dose: where the straight part meets full survival
    assert _effect("two_component", (6.0, 1.6, 4.2), far)[0] == pytest.approx((200 - two["dq_gy"]) / two["final_d0_gy"])


def test_induced_repair_begins_sensitive_and_ends_lq() -> None:
    small, large = np.array([1e-6]), np.array([40.0])
    assert _effect("induced_repair", (0.2, 0.9, 0.4, 0.03), small)[0] / 1e-6 == pytest.approx(0.9, rel=1e-4)
    assert _effect("induced_repair", (0.2, 0.9, 0.4, 0.03), large)[0] == pytest.approx(0.2 * 40 + 0.03 * 1600)
    assert _effect("induced_repair", (0.3, 0.3, 0.4, 0.03)) == pytest.approx(_effect("lq", (0.3, 0.03)))


def test_lethal_potentially_lethal_goes_over_into_lq_and_into_repair_misrepair() -> None:
    """With much repair eta_PL^2 / (2 epsilon) is beta (Curtis 1986); without lethal lesions it is Tobias's model."""
    epsilon, beta = 1e7, 0.04
    values = (0.2, math.sqrt(2 * epsilon * beta), epsilon)
    assert _effect("lethal_potentially_lethal", values)[3:] == pytest.approx(_effect("lq", (0.2, beta))[3:], rel=1e-2)
    assert _effect("lethal_potentially_lethal", (0.0, 0.8, 1.7)) == pytest.approx(
        _effect("repair_misrepair", (0.8, 1.7))
    )


def test_the_lq_cubic_is_straight_where_it_says() -> None:
    straight = next(each for each in find_survival_model("lq_cubic").derived if each.name == "straight_at_gy")
    dose = straight.function(np.array([0.3, 0.05, 0.002]))
    assert dose == pytest.approx(0.05 / 0.006)
    around = _effect("lq_cubic", (0.3, 0.05, 0.002), dose + np.array([-1e-3, 0, 1e-3]))
    assert np.diff(around, n=2)[0] == pytest.approx(0.0, abs=1e-9)


def test_names_are_looked_up() -> None:
    with pytest.raises(UnknownName, match="did you mean lq_l"):
        find_survival_model("lql")
    with pytest.raises(UnknownName):
        find_survival_model(None)  # type: ignore[arg-type]
    alpha = Parameter("alpha_per_gy", "1/Gy", "rate", "slope")
    with pytest.raises(DuplicateName, match="two survival models are named 'lq'"):
        survival_model("lq", citation="", parameters=(alpha,), starts=lambda a, b, top: [(a,)])(lambda d, p: (d, d))
