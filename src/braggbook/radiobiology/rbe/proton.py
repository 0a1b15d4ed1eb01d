"""Phenomenological proton RBE models: RBE from dose, LET and the photon alpha/beta.

A model is one decorated function that returns (RBEmax, RBEmin); adding one is adding one function. All take
LET in keV/um and alpha/beta of the reference photons in Gy, arrays that broadcast. RBE is never clipped: the
Carabe model, for one, falls below 1 at low LET, and that is what it says.

The table that the parameters were checked against is Table 1 of doi:10.1259/bjr.20190334, and of the open
implementations those that agree with it; where they do not, a comment says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import DuplicateName, Issue, ScienceError, unknown_name
from braggbook.radiobiology.rbe.definition import check_arguments, rbe_at_dose
from braggbook.radiobiology.rbe.let import LetKind

Floats = NDArray[np.float64]
RbeLimits = Callable[[Floats, Floats], tuple[Floats, Floats]]

_MODELS: dict[str, ProtonRbeModel] = {}


@dataclass(frozen=True)
class ProtonRbeModel:
    """A proton RBE model and what is known of it.

    Attributes:
        name: Name under which it is found.
        citation: The paper, with its DOI.
        let_kind: The LET that the model was fitted to.
        validity: What it was fitted to, and where not to trust it.
        limits: Function of (let_kev_um, alpha_beta_gy) that returns (RBEmax, RBEmin).
    """

    name: str
    citation: str
    let_kind: LetKind
    validity: str
    limits: RbeLimits

    def rbe_max(self, let_kev_um: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
        """Returns RBEmax, the RBE as dose goes to 0, at LET in keV/um and alpha/beta in Gy."""
        return self._evaluate(let_kev_um, alpha_beta_gy)[0][()]

    def rbe_min(self, let_kev_um: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
        """Returns RBEmin, the RBE as dose grows without limit, at LET in keV/um and alpha/beta in Gy."""
        return self._evaluate(let_kev_um, alpha_beta_gy)[1][()]

    def _evaluate(self, let_kev_um: ArrayLike, alpha_beta_gy: ArrayLike) -> tuple[Floats, Floats]:
        check_arguments(above_zero={"let_kev_um": let_kev_um, "alpha_beta_gy": alpha_beta_gy})
        let, ratio = np.broadcast_arrays(
            np.asarray(let_kev_um, dtype=np.float64), np.asarray(alpha_beta_gy, dtype=np.float64)
        )
        largest, smallest = self.limits(let, ratio)
        outside = (largest <= 0) | (smallest <= 0)
        if np.any(outside):
            raise ScienceError(
                f"the {self.name} model has no RBE here",
                wanted="LET and alpha/beta at which RBEmax and RBEmin are above 0",
                issues=[
                    Issue("outside the model", got=f"LET {x:g} keV/um with alpha/beta {y:g} Gy")
                    for x, y in zip(let[outside], ratio[outside], strict=True)
                ],
            )
        return np.asarray(largest), np.asarray(smallest)


def proton_model(name: str, *, citation: str, let_kind: LetKind, validity: str) -> Callable[[RbeLimits], RbeLimits]:
    """Registers the decorated function as a proton RBE model.

    Raises:
        DuplicateName: Another model has this name.
    """

    def register(limits: RbeLimits) -> RbeLimits:
        if name in _MODELS:
            raise DuplicateName(
                f"two proton RBE models are named {name!r}", got=f"{_MODELS[name].citation}; {citation}"
            )
        _MODELS[name] = ProtonRbeModel(name, citation, let_kind=let_kind, validity=validity, limits=limits)
        return limits

    return register


def proton_rbe_models() -> Mapping[str, ProtonRbeModel]:
    """Returns every proton RBE model by name (a read-only view)."""
    return MappingProxyType(_MODELS)


def proton_rbe(model: str, *, dose_gy: ArrayLike, let_kev_um: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
    """Returns the proton RBE that a model predicts.

    Args:
        model: Name of the model, one of :func:`proton_rbe_models`.
        dose_gy: Proton dose in Gy, above 0 (per fraction).
        let_kev_um: LET in keV/um, above 0, of the kind that the model states.
        alpha_beta_gy: alpha/beta of the reference photons in Gy, above 0.

    Returns:
        RBE in the common shape of the arguments.

    Raises:
        UnknownName: There is no such model.
        ScienceError: An argument is not above 0 or not a number, or the model has no RBE there.
    """
    if model not in _MODELS:
        raise unknown_name("proton RBE model", model, _MODELS)
    check_arguments(above_zero={"dose_gy": dose_gy, "let_kev_um": let_kev_um, "alpha_beta_gy": alpha_beta_gy})
    chosen = _MODELS[model]
    return rbe_at_dose(
        dose_gy,
        alpha_beta_gy=alpha_beta_gy,
        rbe_max=chosen.rbe_max(let_kev_um, alpha_beta_gy),
        rbe_min=chosen.rbe_min(let_kev_um, alpha_beta_gy),
    )


_DOSE_AVERAGED = LetKind("dose-averaged")


@proton_model(
    "carabe",
    citation="A. Carabe et al., Phys Med Biol 57 (2012) 1159-1172, doi:10.1088/0031-9155/57/5/1159",
    let_kind=_DOSE_AVERAGED,
    validity="V79 cells (44 points); the factor 2.686 Gy is their alpha/beta; below 1 at low LET",
)
def carabe(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 0.843 + 0.154 x and RBEmin = 1.09 + 0.006 x with x = 2.686 LET / (alpha/beta)."""
    x = 2.686 * let_kev_um / alpha_beta_gy
    return 0.843 + 0.154 * x, 1.09 + 0.006 * x


@proton_model(
    "mcnamara",
    citation="A. L. McNamara, J. Schuemann and H. Paganetti, Phys Med Biol 60 (2015) 8399-8416, "
    "doi:10.1088/0031-9155/60/21/8399",
    let_kind=_DOSE_AVERAGED,
    validity="many cell lines (285 points); RBEmin falls with LET, to 0 near 285 / sqrt(alpha/beta)",
)
def mcnamara(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 0.99064 + 0.35605 L/(a/b) and RBEmin = 1.1012 - 0.0038703 sqrt(a/b) L."""
    # matRad has 0.999064 for the first constant: a transcription error, the paper has 0.99064.
    return (
        0.99064 + 0.35605 * let_kev_um / alpha_beta_gy,
        1.1012 - 0.0038703 * np.sqrt(alpha_beta_gy) * let_kev_um,
    )


@proton_model(
    "rorvik_linear",
    citation="E. Rørvik et al., Phys Med Biol 63 (2018) 185013, doi:10.1088/1361-6560/aad9db, unweighted",
    let_kind=_DOSE_AVERAGED,
    validity="many cell lines (85 points); no LET dependence of beta",
)
def rorvik_linear(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + 0.645 L/(a/b) and RBEmin = 1."""
    return 1.0 + 0.645 * let_kev_um / alpha_beta_gy, np.ones_like(let_kev_um)


@proton_model(
    "wedenberg",
    citation="M. Wedenberg, B. K. Lind and B. Hårdemark, Acta Oncol 52 (2013) 580-588, "
    "doi:10.3109/0284186X.2012.705892",
    let_kind=_DOSE_AVERAGED,
    validity="19 points; no LET dependence of beta",
)
def wedenberg(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + 0.434 L/(a/b) and RBEmin = 1."""
    return 1.0 + 0.434 * let_kev_um / alpha_beta_gy, np.ones_like(let_kev_um)
