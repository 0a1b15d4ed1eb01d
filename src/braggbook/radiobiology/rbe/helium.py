"""RBE models of helium ions. They are no proton models: asking one for protons is an error that says so."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.radiobiology.constants import constant
from braggbook.radiobiology.rbe.let import NOT_STATED, LetKind
from braggbook.radiobiology.rbe.models import RbeModel, RbePrediction, find_model, predict_rbe, rbe_model, rbe_models
from braggbook.radiobiology.rbe.sources import MATRAD

Floats = NDArray[np.float64]

HELIUM = "4He"


def helium_rbe_models() -> Mapping[str, RbeModel]:
    """Returns every helium RBE model by name, sorted (a read-only view)."""
    return rbe_models(HELIUM)


def helium_rbe(
    model: str,
    *,
    dose_gy: ArrayLike,
    let_kev_um: ArrayLike,
    let_kind: LetKind | None = None,
    alpha_beta_gy: ArrayLike,
    sources: Mapping[str, str] | None = None,
) -> Floats:
    """Returns the helium RBE that a model predicts; arguments as in ``models.predict_rbe``.

    Raises:
        UnknownName: There is no such model.
        ScienceError: The model is for another particle, an argument is not above 0 or not a number, LET is of
            another kind, or the model has no RBE there.
    """
    return predict_helium_rbe(
        model,
        dose_gy=dose_gy,
        let_kev_um=let_kev_um,
        let_kind=let_kind,
        alpha_beta_gy=alpha_beta_gy,
        sources=sources,
    ).value


def predict_helium_rbe(
    model: str,
    *,
    dose_gy: ArrayLike,
    let_kev_um: ArrayLike,
    let_kind: LetKind | None = None,
    alpha_beta_gy: ArrayLike,
    sources: Mapping[str, str] | None = None,
) -> RbePrediction:
    """Returns what a helium model predicts, with limits and warnings; arguments and errors as :func:`helium_rbe`."""
    return predict_rbe(
        find_model(model, particle=HELIUM),
        dose_gy=dose_gy,
        let_kev_um=let_kev_um,
        let_kind=let_kind,
        alpha_beta_gy=alpha_beta_gy,
        sources=sources,
    )


_OFFSET = constant("mairani_helium.offset", unit="1/Gy", readings={MATRAD: 1.36938e-1})
_SCALE = constant("mairani_helium.scale", unit="Gy um2/keV2", readings={MATRAD: 9.73154e-3})
_RATE = constant("mairani_helium.rate", unit="um/keV", readings={MATRAD: 1.51998e-2})


@rbe_model(
    "mairani_helium",
    particle=HELIUM,
    citation="A. Mairani et al., Phys Med Biol 61 (2016) 888-905, doi:10.1088/0031-9155/61/2/888",
    let_kind=LetKind(NOT_STATED),
    validity="helium ions; the quadratic-exponential fit with RBEmin 1, as matRad has it; the paper's abstract has a "
    "ratio of betas that depends on LET",
    constants=(_OFFSET, _SCALE, _RATE),
)
def mairani_helium(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + (0.136938 + 1/(a/b)) 9.73154e-3 L^2 exp(-1.51998e-2 L) and RBEmin = 1."""
    rise = _SCALE.value * let_kev_um**2 * np.exp(-_RATE.value * let_kev_um)
    return 1.0 + (_OFFSET.value + 1.0 / alpha_beta_gy) * rise, np.ones_like(let_kev_um)
