"""RBE from linear-quadratic parameters, and the record that an RBE must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError
from braggbook.radiobiology import (
    Interval,
    LetKind,
    Rbe,
    dose_at_survival,
    rbe_at_dose,
    rbe_at_survival,
    rbe_max,
    rbe_min,
    surviving_fraction,
)

COMPLETE = {
    "value": 1.2,
    "endpoint": "clonogenic survival of V79 cells",
    "effect_level": 0.1,
    "reference_radiation": "60Co gamma rays",
    "dose_gy": 4.0,
    "let_kind": LetKind("dose-averaged", "primary protons", "water"),
}


# R-11, relative tolerance 1e-6.
@pytest.mark.parametrize(
    ("reference", "test", "expected"),
    [
        ((0.184, 0.02), (0.8, 0.02), (3.383986, 2.623551, 2.204954)),
        ((0.313, 0.0615), (1.0, 0.0), (2.406294, 1.772876, 1.406042)),
    ],
)
def test_rbe_at_survival(
    reference: tuple[float, float], test: tuple[float, float], expected: tuple[float, ...]
) -> None:
    found = rbe_at_survival(
        [0.5, 0.1, 0.01],
        alpha_per_gy=test[0],
        beta_per_gy2=test[1],
        alpha_reference_per_gy=reference[0],
        beta_reference_per_gy2=reference[1],
    )
    assert found == pytest.approx(expected, rel=3e-7)


@given(st.floats(0.5, 30.0), st.floats(0.5, 5.0), st.floats(0.5, 2.0))
def test_rbe_has_its_two_limits(alpha_beta: float, largest: float, smallest: float) -> None:
    doses = [0.0, 1e-9, 1e9]
    found = rbe_at_dose(doses, alpha_beta_gy=alpha_beta, rbe_max=largest, rbe_min=smallest)
    assert found == pytest.approx([largest, largest, smallest], rel=1e-6)


@given(
    st.floats(0.05, 1.0),
    st.floats(0.005, 0.1),
    st.floats(0.05, 1.0),
    st.floats(0.005, 0.1),
    st.floats(0.1, 10),
)
def test_rbe_at_dose_and_at_survival_agree(
    alpha: float, beta: float, alpha_x: float, beta_x: float, dose: float
) -> None:
    survival = surviving_fraction(dose, alpha_per_gy=alpha, beta_per_gy2=beta)
    by_survival = rbe_at_survival(
        survival,
        alpha_per_gy=alpha,
        beta_per_gy2=beta,
        alpha_reference_per_gy=alpha_x,
        beta_reference_per_gy2=beta_x,
    )
    by_dose = rbe_at_dose(
        dose,
        alpha_beta_gy=alpha_x / beta_x,
        rbe_max=rbe_max(alpha_per_gy=alpha, alpha_reference_per_gy=alpha_x),
        rbe_min=rbe_min(beta_per_gy2=beta, beta_reference_per_gy2=beta_x),
    )
    assert by_dose == pytest.approx(by_survival, rel=1e-6)
    assert by_dose * dose == pytest.approx(
        dose_at_survival(survival, alpha_per_gy=alpha_x, beta_per_gy2=beta_x), rel=1e-6
    )


def test_arrays_broadcast() -> None:
    found = rbe_at_dose(np.ones((3, 1)), alpha_beta_gy=[2.0, 10.0], rbe_max=1.2, rbe_min=1.0)
    assert found.shape == (3, 2)


def test_all_bad_arguments_are_named() -> None:
    with pytest.raises(ScienceError) as caught:
        rbe_at_dose([-1.0, 2.0, math.nan], alpha_beta_gy=0.0, rbe_max=math.inf, rbe_min=1.0)
    text = str(caught.value)
    assert "dose_gy, row 1: not usable; wanted a finite number, 0 or more, got -1" in text
    assert "dose_gy, row 3: not usable; wanted a finite number, 0 or more, got nan" in text
    assert "rbe_max" in text
    assert "alpha_beta_gy" in text
    assert "rbe_min" not in text


@pytest.mark.parametrize("survival", [0.0, 1.0, math.nan])
def test_rbe_needs_a_survival_between_zero_and_one(survival: float) -> None:
    with pytest.raises(ScienceError, match="between 0 and 1"):
        rbe_at_survival(
            survival,
            alpha_per_gy=0.3,
            beta_per_gy2=0.03,
            alpha_reference_per_gy=0.2,
            beta_reference_per_gy2=0.03,
        )


def test_limits_need_usable_coefficients() -> None:
    with pytest.raises(ScienceError, match="alpha_reference_per_gy"):
        rbe_max(alpha_per_gy=0.3, alpha_reference_per_gy=0.0)
    with pytest.raises(ScienceError, match="beta_per_gy2"):
        rbe_min(beta_per_gy2=-0.01, beta_reference_per_gy2=0.02)


def test_an_rbe_says_what_it_is_of() -> None:
    rbe = Rbe(**COMPLETE, let_kev_um=2.5, interval=Interval(1.1, 1.3, 0.95, "profile, F(1, 56)"))
    assert rbe.value == 1.2
    assert Rbe(**{**COMPLETE, "dose_gy": "not stated", "let_kind": LetKind("not stated")}).dose_gy == "not stated"


def test_a_bare_rbe_cannot_be_made() -> None:
    with pytest.raises(ScienceError) as caught:
        Rbe(value=1.1)
    assert [issue.where for issue in caught.value.issues] == [
        "endpoint",
        "effect_level",
        "reference_radiation",
        "dose_gy",
        "let_kind",
    ]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("value", math.nan),
        ("value", 0.0),
        ("endpoint", "  "),
        ("effect_level", math.nan),
        ("reference_radiation", ""),
        ("dose_gy", -1.0),
        ("dose_gy", "two"),
        ("let_kind", None),
        ("let_kind", "dose-averaged"),
        ("particle", ""),
        ("endpoint", 3),
        ("let_kev_um", 0.0),
    ],
)
def test_each_part_of_an_rbe_is_checked(part: str, value: object) -> None:
    with pytest.raises(ScienceError) as caught:
        Rbe(**{**COMPLETE, part: value})
    assert [issue.where for issue in caught.value.issues] == [part]


@pytest.mark.parametrize("bad", [None, True, "1.2", math.inf, [1.2], 1j])
def test_a_value_is_a_number(bad: object) -> None:
    with pytest.raises(ScienceError, match="value: not an RBE"):
        Rbe(**{**COMPLETE, "value": bad})


def test_the_limit_of_low_dose_is_a_dose() -> None:
    assert Rbe(**{**COMPLETE, "dose_gy": 0.0}).dose_gy == 0


def test_what_is_not_stated_is_named() -> None:
    assert Rbe(**COMPLETE).unstated == ()
    vague = Rbe(**{**COMPLETE, "dose_gy": "not stated", "let_kind": LetKind("dose-averaged", "not stated", "water")})
    assert vague.unstated == ("dose_gy", "let_kind.particles")


def test_implausible_numbers_are_warnings() -> None:
    found = Rbe(**{**COMPLETE, "dose_gy": 400.0}, let_kev_um=120.0, particle="1H").warnings
    assert len(found) == 2
    assert found[0].startswith("LET 120 keV/um is above 100 keV/um")
    assert found[1] == "dose 400 Gy is above 50 Gy, where no survival is measured: is it in cGy?"
    assert Rbe(**COMPLETE, let_kev_um=5.0, particle="1H").warnings == ()


def test_an_rbe_below_one_is_a_result() -> None:
    assert Rbe(**{**COMPLETE, "value": 0.93}).value == 0.93


def test_shapes_that_do_not_go_together_and_odd_parts_are_named() -> None:
    with pytest.raises(ScienceError, match="do not go together"):
        rbe_at_survival(
            0.1,
            alpha_per_gy=[0.3, 0.4],
            beta_per_gy2=0.03,
            alpha_reference_per_gy=[0.1, 0.2, 0.3],
            beta_reference_per_gy2=0.03,
        )
    with pytest.raises(ScienceError, match="dose_gy: not a dose"):
        Rbe(
            value=2.0,
            endpoint="survival",
            effect_level=0.1,
            reference_radiation="x rays",
            dose_gy=np.array([1.0, 2.0]),  # type: ignore[arg-type]
            let_kind=LetKind("not stated"),
        )
    with pytest.raises(ScienceError, match="not a kind of average"):
        LetKind(np.array([1.0, 2.0]), "all", "water")  # type: ignore[arg-type]
