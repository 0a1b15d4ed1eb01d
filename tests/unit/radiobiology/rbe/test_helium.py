"""The helium model: against a hand evaluation, and not for protons."""

from __future__ import annotations

import math

import pytest

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.rbe import helium_rbe, helium_rbe_models, predict_helium_rbe, proton_rbe_models


@pytest.mark.parametrize(("dose", "let", "ratio"), [(2.0, 20.0, 3.0), (1.0, 4.0, 10.0), (5.0, 100.0, 5.4)])
def test_it_equals_its_hand_evaluation(dose: float, let: float, ratio: float) -> None:
    largest = 1 + (1.36938e-1 + 1 / ratio) * (9.73154e-3 * let**2 * math.exp(-1.51998e-2 * let))
    # photon dose x with x + x^2 / ratio = largest dose + dose^2 / ratio
    photon_dose = ratio / 2 * (math.sqrt(1 + 4 / ratio * (largest * dose + dose**2 / ratio)) - 1)
    found = predict_helium_rbe("mairani_helium", dose_gy=dose, let_kev_um=let, alpha_beta_gy=ratio)
    assert found.rbe_max == pytest.approx(largest, rel=1e-12)
    assert found.rbe_min == 1
    assert found.value == pytest.approx(photon_dose / dose, rel=1e-12)
    assert helium_rbe("mairani_helium", dose_gy=dose, let_kev_um=let, alpha_beta_gy=ratio) == found.value


def test_overkill_has_its_maximum_where_the_curve_says() -> None:
    record = helium_rbe_models()["mairani_helium"]
    peak = 2 / 1.51998e-2  # of L^2 exp(-c L)
    assert record.rbe_max(peak, 3.0) > max(record.rbe_max([peak * 0.99, peak * 1.01], 3.0))


def test_helium_and_protons_keep_apart() -> None:
    assert set(helium_rbe_models()) == {"mairani_helium"}
    assert not set(helium_rbe_models()) & set(proton_rbe_models())
    with pytest.raises(ScienceError) as caught:
        helium_rbe("wedenberg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)
    assert str(caught.value) == (
        "the wedenberg model is for protons, not for helium ions; wanted one of mairani_helium, got wedenberg"
    )
    with pytest.raises(UnknownName, match="helium ion RBE model"):
        helium_rbe("mairanni", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)


def test_an_let_that_no_helium_ion_has_is_a_warning() -> None:
    found = predict_helium_rbe("mairani_helium", dose_gy=2.0, let_kev_um=300.0, alpha_beta_gy=3.0)
    assert "above 250 keV/um, more than 4He has at any energy" in found.warnings[0]
