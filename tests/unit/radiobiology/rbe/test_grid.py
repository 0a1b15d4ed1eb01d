"""Every model over a grid: the same numbers as one by one, and a reason for whatever is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology import proton_rbe, proton_rbe_models
from braggbook.radiobiology.constants import taking
from braggbook.radiobiology.rbe import helium_rbe, rbe_grid

AXES: dict[str, Any] = {"let_kev_um": [1.0, 5.0, 40.0], "dose_gy": [1.0, 2.0], "alpha_beta_gy": [2.0, 3.0, 10.0]}
REVIEW = {"peeler.rbe_min_slope": "review"}


def test_a_grid_equals_the_models_one_by_one() -> None:
    found = rbe_grid(**AXES, alpha_reference_per_gy=0.2, sources=REVIEW)
    assert found["model"].values.tolist() == list(proton_rbe_models())
    assert found["rbe"].dims == ("model", "let_kev_um", "dose_gy", "alpha_beta_gy")
    assert found.attrs["left_out"] == ""
    for name in proton_rbe_models():
        one = proton_rbe(
            name,
            dose_gy=np.array(AXES["dose_gy"])[:, None],
            let_kev_um=np.array(AXES["let_kev_um"])[:, None, None],
            alpha_beta_gy=AXES["alpha_beta_gy"],
            alpha_reference_per_gy=0.2,
            sources=REVIEW,
        )
        assert found["rbe"].sel(model=name).values == pytest.approx(one, rel=1e-12)


def test_units_and_ranges_are_told() -> None:
    found = rbe_grid(["rorvik_weighted", "wedenberg"], **AXES)
    assert [found[name].attrs["units"] for name in ("let_kev_um", "dose_gy", "alpha_beta_gy")] == ["keV/um", "Gy", "Gy"]
    assert found["outside"].values.tolist() == [[False, False, True], [False, False, False]]
    assert found["let_kind"].values[0].startswith("dose-averaged LET")
    assert found["rbe_max"].sel(model="rorvik_weighted", let_kev_um=40.0, alpha_beta_gy=3.0) == 4.5


def test_what_is_left_out_has_a_reason() -> None:
    found = rbe_grid(**AXES)
    assert set(proton_rbe_models()) - set(found["model"].values) == {"chen", "frese", "jones", "peeler", "wilkens"}
    assert found.attrs["left_out"] == (
        "chen: needs alpha_reference_per_gy; frese: needs alpha_reference_per_gy; "
        "jones: needs alpha_reference_per_gy, beta_reference_per_gy2; "
        "peeler: the sources of peeler.rbe_min_slope disagree and nobody has ruled; "
        "wilkens: needs alpha_reference_per_gy"
    )
    with taking(REVIEW):
        assert "peeler" in rbe_grid(**AXES)["model"].values


def test_a_named_model_is_never_left_out_quietly() -> None:
    with pytest.raises(ScienceError, match="the wilkens model needs alpha_reference_per_gy"):
        rbe_grid(["wedenberg", "wilkens"], **AXES)
    with pytest.raises(ScienceError, match="disagree"):
        rbe_grid(["peeler"], **AXES)
    with pytest.raises(ScienceError, match="for helium ions"):
        rbe_grid(["mairani_helium"], **AXES)
    with pytest.raises(UnknownName):
        rbe_grid(["wedenburg"], **AXES)
    with pytest.raises(ScienceError, match="the mcnamara model has no RBE here"):
        rbe_grid("mcnamara", let_kev_um=[100.0], dose_gy=[2.0], alpha_beta_gy=[10.0])


def test_a_grid_of_helium() -> None:
    found = rbe_grid(let_kev_um=20.0, dose_gy=2.0, alpha_beta_gy=3.0, particle="4He")
    assert found["rbe"].values.ravel() == pytest.approx(
        [helium_rbe("mairani_helium", dose_gy=2.0, let_kev_um=20.0, alpha_beta_gy=3.0)]
    )


def test_all_bad_axes_are_named() -> None:
    with pytest.raises(ScienceError) as caught:
        rbe_grid(let_kev_um=[1.0, -1.0], dose_gy=[2.0, 2.0], alpha_beta_gy=[[3.0]])
    assert [str(issue) for issue in caught.value.issues] == [
        "let_kev_um, row 2: not usable; wanted a finite number above 0, got -1",
        "dose_gy: a value stands twice; wanted different values",
        "alpha_beta_gy: not an axis; wanted shape (n,), got (1, 1)",
    ]
    with pytest.raises(ScienceError, match="named twice"):
        rbe_grid(["carabe", "carabe"], **AXES)
    with pytest.raises(ScienceError, match="no model to evaluate"):
        rbe_grid([], **AXES)


def test_what_is_no_model_particle_or_source_is_named() -> None:
    with pytest.raises(ScienceError, match="models: not the name of a model"):
        rbe_grid(3, **AXES)  # type: ignore[arg-type]
    for models in (None, ["wedenberg"]):
        with pytest.raises(UnknownName, match="particle"):
            rbe_grid(models, **AXES, particle="12C")
    with pytest.raises(ScienceError, match="not a choice of sources"):
        rbe_grid(**AXES, sources="review")  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="alpha_reference_per_gy: not one number"):
        rbe_grid(**AXES, alpha_reference_per_gy=[0.1, 0.2])  # type: ignore[arg-type]
