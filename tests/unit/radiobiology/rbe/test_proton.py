"""Published proton RBE models, their registry and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import DuplicateName, ScienceError, UnknownName
from braggbook.radiobiology import LetKind, proton_model, proton_rbe, proton_rbe_models

MODELS = ("carabe", "mcnamara", "rorvik_linear", "wedenberg")


@pytest.mark.parametrize(
    ("model", "expected"),
    [("wedenberg", 1.286541), ("mcnamara", 1.269537), ("carabe", 1.276940), ("rorvik_linear", 1.412175)],
)
def test_rbe_at_two_gray(model: str, expected: float) -> None:
    found = proton_rbe(model, dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)
    assert found == pytest.approx(expected, abs=6e-7)


@pytest.mark.parametrize("model", MODELS)
@given(let=st.floats(0.2, 20.0), alpha_beta=st.floats(1.0, 20.0))
def test_limits_of_dose(model: str, let: float, alpha_beta: float) -> None:
    record = proton_rbe_models()[model]
    found = proton_rbe(model, dose_gy=[1e-9, 1e9], let_kev_um=let, alpha_beta_gy=alpha_beta)
    assert found == pytest.approx([record.rbe_max(let, alpha_beta), record.rbe_min(let, alpha_beta)], rel=1e-6)


def test_rbe_below_one_is_not_clipped() -> None:
    assert proton_rbe("carabe", dose_gy=2.0, let_kev_um=2.5, alpha_beta_gy=10.0) < 1
    assert proton_rbe("carabe", dose_gy=2.0, let_kev_um=0.5, alpha_beta_gy=10.0) < 1


def test_arrays_broadcast() -> None:
    found = proton_rbe("mcnamara", dose_gy=np.ones((4, 1)), let_kev_um=[1.0, 2.0, 3.0], alpha_beta_gy=3.0)
    assert found.shape == (4, 3)
    assert np.all(np.diff(found, axis=1) > 0)


def test_every_model_says_what_it_is() -> None:
    assert set(MODELS) <= set(proton_rbe_models())
    for name in MODELS:
        record = proton_rbe_models()[name]
        assert record.name == name
        assert "doi:10." in record.citation
        assert record.let_kind.average == "dose-averaged"
        assert record.validity


def test_an_unknown_model_names_the_closest() -> None:
    with pytest.raises(UnknownName, match="did you mean wedenberg"):
        proton_rbe("wedenburg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["dose_gy", "let_kev_um", "alpha_beta_gy"])
def test_arguments_are_above_zero(name: str, bad: float) -> None:
    with pytest.raises(ScienceError, match=name):
        proton_rbe("wedenberg", **{"dose_gy": 2.0, "let_kev_um": 5.0, "alpha_beta_gy": 3.0, name: bad})


def test_a_model_has_no_rbe_where_its_limits_are_negative() -> None:
    with pytest.raises(ScienceError) as caught:
        proton_rbe("mcnamara", dose_gy=2.0, let_kev_um=[5.0, 100.0], alpha_beta_gy=10.0)
    assert "LET 100 keV/um with alpha/beta 10 Gy" in str(caught.value)
    assert len(caught.value.issues) == 1


def test_two_models_cannot_share_a_name() -> None:
    with pytest.raises(DuplicateName, match="wedenberg"):
        proton_model("wedenberg", citation="another", let_kind=LetKind("not stated"), validity="")(
            lambda let, alpha_beta: (let, alpha_beta)
        )


def test_the_registry_is_read_only() -> None:
    with pytest.raises(TypeError):
        proton_rbe_models()["mine"] = None  # type: ignore[index]
