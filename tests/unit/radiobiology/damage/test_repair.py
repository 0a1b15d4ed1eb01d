"""Repair models against their differential equations, their limits, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from braggbook.errors import ScienceError
from braggbook.radiobiology.damage import (
    FixationParameters,
    LplParameters,
    RmrParameters,
    fixation_from_survival,
    fixation_lq,
    lpl_lq,
    lpl_survival,
    mean_specific_energy_gy,
    rmr_survival,
)

LPL = LplParameters(0.1, 0.9, 0.5, 0.05, 6.0)
DOSES = np.array([0.0, 0.5, 2.0, 8.0])


def _integrated(dose: float, p: LplParameters) -> float:
    """Survival by LPL's own equations, integrated: correct repair, pairwise misrepair, the rest fixed at t_r."""

    def rates(_: float, y: list[float]) -> list[float]:
        misrepair = p.misrepair_rate_per_h * y[0] ** 2
        return [-p.repair_rate_per_h * y[0] - misrepair, misrepair]

    start = [p.potentially_lethal_per_gy * dose, p.lethal_per_gy * dose]
    done = integrate.solve_ivp(rates, (0.0, p.repair_time_h), start, rtol=1e-11, atol=1e-13)
    return math.exp(-done.y[0, -1] - done.y[1, -1])


@pytest.mark.parametrize("dose", DOSES)
def test_lpl_solves_its_equations(dose: float) -> None:
    assert lpl_survival(dose, LPL) == pytest.approx(_integrated(dose, LPL), rel=1e-8)


def test_rmr_is_lpl_without_lesions_lethal_at_once() -> None:
    rmr = RmrParameters(0.9, 0.5, 0.05)
    lpl = LplParameters(0.0, 0.9, 0.5, 0.05, 6.0)
    assert rmr_survival(DOSES, rmr, repair_time_h=6.0) == pytest.approx(lpl_survival(DOSES, lpl), rel=1e-13)


def test_without_repair_every_lesion_is_lethal() -> None:
    lpl = LplParameters(0.1, 0.9, 1e-12, 1e-12, 1.0)
    assert lpl_survival(DOSES, lpl) == pytest.approx(np.exp(-1.0 * DOSES), rel=1e-9)


def test_infinite_repair_without_misrepair_leaves_what_is_lethal_at_once() -> None:
    lpl = LplParameters(0.1, 0.9, 0.5, 1e-14, 1e6)
    assert lpl_survival(DOSES, lpl) == pytest.approx(np.exp(-0.1 * DOSES), rel=1e-9)


def test_fidelity_multiplies_what_is_repaired() -> None:
    done, wrong = RmrParameters(0.9, 0.5, 0.05), RmrParameters(0.9, 0.5, 0.05, fidelity=0.0)
    assert rmr_survival(DOSES, wrong) == pytest.approx(np.exp(-0.9 * DOSES), rel=1e-13)
    half = rmr_survival(DOSES, RmrParameters(0.9, 0.5, 0.05, fidelity=0.5))
    assert half == pytest.approx(np.sqrt(rmr_survival(DOSES, done) * rmr_survival(DOSES, wrong)), rel=1e-12)


def test_lq_is_the_series_of_lpl() -> None:
    alpha, beta = lpl_lq(LPL)
    dose = 1e-3
    third = (0.9 * dose * -math.expm1(-3.0)) ** 3 / (3.0 * 10.0**2)
    assert -math.log(lpl_survival(dose, LPL)) == pytest.approx(alpha * dose + beta * dose**2 - third, rel=1e-12)


@pytest.mark.full
def test_lq_of_fixation_is_what_its_equations_give_at_small_dose() -> None:
    """One-break steps lethal with probability f, two-break steps always: theta = f, kappa Y^2 / 2 = beta."""
    f, lam, eta, dsb = 0.03, 0.4, 2e-4, 30.0
    for dose in (0.2, 0.4):
        done = integrate.solve_ivp(
            lambda _, y: [-lam * y[0] - eta * y[0] ** 2, f * lam * y[0] + eta * y[0] ** 2],
            (0.0, 200.0), [dsb * dose, 0.0], rtol=1e-11, atol=1e-14,
        )  # fmt: skip
        # Of the pairs, eta (1 - f) / lam ... : lethal = f U0 + (1 - f) (eta / lam) U0^2 / 2 to second order.
        alpha, beta = fixation_lq(dsb, FixationParameters(f, (1.0 - f) * eta / lam))
        third = (1.0 - f) * (eta / lam) ** 2 * (dsb * dose) ** 3 / 3.0
        assert done.y[1, -1] == pytest.approx(alpha * dose + beta * dose**2 - third, rel=2e-5)


def test_specific_energy_of_a_sphere() -> None:
    """0.204 L / d^2 at unit density (Kellerer)."""
    assert mean_specific_energy_gy(100.0, diameter_um=10.0) == pytest.approx(0.2040, rel=2e-4)
    assert mean_specific_energy_gy([1.0, 2.0], diameter_um=5.0, density_g_cm3=2.0) == pytest.approx(
        [0.00408, 0.00816], rel=2e-4
    )


@given(
    st.floats(0.01, 2.0), st.floats(1e-3, 0.2), st.floats(5.0, 60.0), st.floats(0.0, 0.5)
)  # alpha, beta, DSBs per Gy, z_F
def test_fixation_gives_the_photons_back(alpha: float, beta: float, dsb: float, energy: float) -> None:
    cell = fixation_from_survival(alpha_per_gy=alpha, beta_per_gy2=beta, dsb_per_gy=dsb, specific_energy_gy=energy)
    back = fixation_lq(dsb, cell, specific_energy_gy=energy)
    assert back == pytest.approx((alpha, beta), rel=1e-9, abs=1e-12)


def test_fixation_has_the_published_limits_of_rbe() -> None:
    """RBEmax = R (1 + 2 z_F R / (alpha/beta)), RBEmin = R, with R the ratio of DSB yields (Frese 2012)."""
    alpha, beta, ratio, energy = 0.3, 0.05, 1.6, 0.2
    cell = fixation_from_survival(alpha_per_gy=alpha, beta_per_gy2=beta, dsb_per_gy=25.0)
    ion = fixation_lq(25.0 * ratio, cell, specific_energy_gy=energy)
    assert ion[0] / alpha == pytest.approx(ratio * (1.0 + 2.0 * energy * ratio / (alpha / beta)), rel=1e-12)
    assert math.sqrt(ion[1] / beta) == pytest.approx(ratio, rel=1e-12)


def test_negative_coefficients_are_not_clipped() -> None:
    cell = fixation_from_survival(alpha_per_gy=0.3, beta_per_gy2=-0.01, dsb_per_gy=20.0)
    assert cell.kappa == pytest.approx(-5e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LplParameters(-1, 0.9, 0.5, 0.05, 6), "lethal_per_gy: not usable; wanted a finite number, 0 or more, got -1"),
        (lambda: LplParameters(0, 0, 0.5, 0.05, 6), "potentially_lethal_per_gy: not usable; wanted a finite number above 0, got 0"),
        (lambda: LplParameters(0, 1, math.nan, 0.05, 6), "repair_rate_per_h: not usable; wanted a finite number above 0, got nan"),
        (lambda: LplParameters(0, 1, "a", 0.05, 6), "repair_rate_per_h: not numbers; wanted a finite number above 0, got 'a'"),  # type: ignore[arg-type]
        (lambda: RmrParameters(1, 1, 1, fidelity=1.5), "fidelity: not usable; wanted a number from 0 to 1, got 1.5"),
        (lambda: FixationParameters(math.inf, 1), "theta: not usable; wanted a finite number, got inf"),
    ],
)  # fmt: skip
def test_parameters_are_checked(make: object, message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        make()  # type: ignore[operator]
    assert [str(issue) for issue in caught.value.issues] == [message]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lpl_survival(-1.0, LPL), "dose_gy: not usable; wanted a finite number, 0 or more, got -1"),
        (lambda: lpl_survival("two", LPL), "dose_gy: not numbers; wanted a finite number, 0 or more, got 'two'"),
        (
            lambda: lpl_survival([1.0, math.nan], LPL),
            "dose_gy, row 2: not usable; wanted a finite number, 0 or more, got nan",
        ),
        (
            lambda: rmr_survival(1.0, RmrParameters(1, 1, 1), repair_time_h=0),
            "repair_time_h: not usable; wanted a number above 0, which may be infinite, got 0",
        ),
        (
            lambda: fixation_lq(-1, FixationParameters(0.1, 0.1)),
            "dsb_per_gy: not usable; wanted a finite number, 0 or more, got -1",
        ),
        (
            lambda: fixation_from_survival(alpha_per_gy=1, beta_per_gy2=1, dsb_per_gy=0),
            "dsb_per_gy: not usable; wanted a finite number above 0, got 0",
        ),
        (
            lambda: mean_specific_energy_gy(0, diameter_um=5),
            "let_kev_um: not usable; wanted a finite number above 0, got 0",
        ),
        (
            lambda: mean_specific_energy_gy(1, diameter_um=None),
            "diameter_um: not numbers; wanted a finite number above 0, got None",
        ),
    ],
)
def test_arguments_are_checked(call: object, message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        call()  # type: ignore[operator]
    assert [str(issue) for issue in caught.value.issues] == [message]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rmr_survival(1.0, None), "wanted RmrParameters(...), got NoneType"),
        (lambda: lpl_survival(1.0, RmrParameters(1, 1, 1)), "wanted LplParameters(...), got RmrParameters"),
        (lambda: lpl_lq(3), "wanted LplParameters(...), got int"),
        (lambda: fixation_lq(1, 0.1), "wanted FixationParameters(...), got float"),
        (lambda: RmrParameters(True, 1, 1), "lesions_per_gy"),
        (lambda: fixation_from_survival(alpha_per_gy="x", beta_per_gy2=1, dsb_per_gy=1), "alpha_per_gy: not numbers"),
        (lambda: fixation_from_survival(alpha_per_gy=1, beta_per_gy2=1, dsb_per_gy=[1, 2]), "dsb_per_gy: not one number"),
        (lambda: fixation_from_survival(alpha_per_gy=1, beta_per_gy2=1, dsb_per_gy=1e-300), "dsb_per_gy: not usable"),
    ],
)  # fmt: skip
def test_parameters_of_another_kind_are_refused(call: object, message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)
