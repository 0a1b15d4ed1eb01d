"""Proton RBE models that need alpha, or alpha and beta, of the reference photons themselves, not only their ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from braggbook.radiobiology.constants import constant
from braggbook.radiobiology.rbe.proton import DOSE_AVERAGED, proton_model
from braggbook.radiobiology.rbe.sources import FRED, MATRAD, RBE_MODELS, REVIEW

Floats = NDArray[np.float64]

_CHEN_ALPHA = constant(
    "chen.alpha_zero_let",
    unit="1/Gy",
    readings={REVIEW: 0.1, FRED: 0.1},
    note="alpha of V79 cells as LET goes to 0; RBEModels rescales the model to any alpha_x and equals it at 0.1",
)
_CHEN_CURVE = constant("chen.curvature", unit="um2/keV2", readings=dict.fromkeys((REVIEW, RBE_MODELS, FRED), 0.0013))
_CHEN_SCALE = constant(
    "chen.scale",
    unit="Gy um/keV",
    readings={REVIEW: 0.045, FRED: 0.045},
    note="RBEModels has 0.0045 because it divides alpha_x out: 0.045 times 0.1",
)


@proton_model(
    "chen",
    citation="Y. Chen and S. Ahmad, Radiat Prot Dosim 149 (2012) 116-123",
    let_kind=DOSE_AVERAGED,
    validity="V79 cells (14 points); alpha has a maximum near 31 keV/um; no LET dependence of beta",
    needs=("alpha_reference_per_gy",),
    constants=(_CHEN_ALPHA, _CHEN_CURVE, _CHEN_SCALE),
)
def chen(let_kev_um: Floats, alpha_reference_per_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = [0.1 + (1 - exp(-0.0013 L^2)) / (0.045 L)] / alpha_x and RBEmin = 1."""
    rise = -np.expm1(-_CHEN_CURVE.value * let_kev_um**2) / (_CHEN_SCALE.value * let_kev_um)
    return (_CHEN_ALPHA.value + rise) / alpha_reference_per_gy, np.ones_like(let_kev_um)


_FRESE_SLOPE = constant("frese.alpha_slope", unit="um/keV/Gy", readings={RBE_MODELS: 0.008, MATRAD: 0.008})
_FRESE_LET = constant("frese.let_of_photons", unit="keV/um", readings={RBE_MODELS: 0.5, MATRAD: 0.5})


@proton_model(
    "frese",
    citation="M. C. Frese et al., Int J Radiat Oncol Biol Phys 79 (2011) 80-88, PubMed 20382482",
    let_kind=DOSE_AVERAGED,
    validity="head and neck patients; matRad (its linear scaling model) holds LET at 0.3 and 30 keV/um outside these, "
    "RBEModels does not, and neither does this; no LET dependence of beta",
    needs=("alpha_reference_per_gy",),
    let_range_kev_um=(0.3, 30.0),
    constants=(_FRESE_SLOPE, _FRESE_LET),
)
def frese(let_kev_um: Floats, alpha_reference_per_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + 0.008 (L - 0.5) / alpha_x and RBEmin = 1."""
    rise = _FRESE_SLOPE.value * (let_kev_um - _FRESE_LET.value)
    return 1.0 + rise / alpha_reference_per_gy, np.ones_like(let_kev_um)


_BOTH = (REVIEW, RBE_MODELS)
_JONES_LET = constant("jones.let_of_photons", unit="keV/um", readings=dict.fromkeys(_BOTH, 0.22))
_JONES_SPAN = constant("jones.let_span", unit="keV/um", readings=dict.fromkeys(_BOTH, 30.28))
_JONES_ALPHA = constant("jones.alpha_largest", unit="1/Gy", readings=dict.fromkeys(_BOTH, 2.696))
_JONES_ALPHA_RATE = constant("jones.alpha_rate", unit="Gy", readings=dict.fromkeys(_BOTH, 3.92))
_JONES_BETA = constant("jones.beta_largest", unit="1/Gy2", readings=dict.fromkeys(_BOTH, 0.06))
_JONES_BETA_RATE = constant("jones.beta_rate", unit="Gy2", readings=dict.fromkeys(_BOTH, 50.0))


@proton_model(
    "jones",
    citation="B. Jones, Cancers 7 (2015) 460-480, doi:10.3390/cancers7010460",
    let_kind=DOSE_AVERAGED,
    validity="many cell lines (28 points); alpha and beta are straight lines of LET up to a turnover at 30.5 keV/um, "
    "beyond which effectiveness falls and the model says nothing",
    needs=("alpha_reference_per_gy", "beta_reference_per_gy2"),
    let_range_kev_um=(0.22, 30.5),
    constants=(_JONES_LET, _JONES_SPAN, _JONES_ALPHA, _JONES_ALPHA_RATE, _JONES_BETA, _JONES_BETA_RATE),
)
def jones(let_kev_um: Floats, alpha_reference_per_gy: Floats, beta_reference_per_gy2: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + x (alpha_u/alpha_x - 1) and RBEmin^2 = 1 + x (beta_u/beta_x - 1), x = (L - 0.22)/30.28.

    alpha_u = 2.696 (1 - exp(-3.92 alpha_x)) and beta_u = 0.06 (1 - exp(-50 beta_x)) are reached at the turnover.
    It is beta, not its root, that is a straight line of LET, so that RBEmin is the root of that line.
    """
    x = (let_kev_um - _JONES_LET.value) / _JONES_SPAN.value
    alpha_u = -_JONES_ALPHA.value * np.expm1(-_JONES_ALPHA_RATE.value * alpha_reference_per_gy)
    beta_u = -_JONES_BETA.value * np.expm1(-_JONES_BETA_RATE.value * beta_reference_per_gy2)
    largest = 1.0 + x * (alpha_u / alpha_reference_per_gy - 1.0)
    squared = 1.0 + x * (beta_u / beta_reference_per_gy2 - 1.0)
    return largest, np.sqrt(np.maximum(squared, 0.0))  # at 0 the model has no RBE, which the caller reports


_WILKENS_ALPHA = constant(
    "wilkens.alpha_zero_let",
    unit="1/Gy",
    readings={REVIEW: 0.1, FRED: 0.1},
    note="alpha of V79 cells at LET 0; RBEModels has RBEmax = 0.892 + 0.179 L for every cell, this with alpha_x 0.112",
)
_WILKENS_SLOPE = constant("wilkens.alpha_slope", unit="um/keV/Gy", readings={REVIEW: 0.02, FRED: 0.02})


@proton_model(
    "wilkens",
    citation="J. J. Wilkens and U. Oelfke, Phys Med Biol 49 (2004) 2811-2825, doi:10.1088/0031-9155/49/13/004",
    let_kind=DOSE_AVERAGED,
    validity="V79 cells (19 points), an absolute alpha: for other cells only as far as they are like V79; no LET "
    "dependence of beta",
    needs=("alpha_reference_per_gy",),
    constants=(_WILKENS_ALPHA, _WILKENS_SLOPE),
)
def wilkens(let_kev_um: Floats, alpha_reference_per_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = (0.1 + 0.02 L) / alpha_x and RBEmin = 1."""
    alpha = _WILKENS_ALPHA.value + _WILKENS_SLOPE.value * let_kev_um
    return alpha / alpha_reference_per_gy, np.ones_like(let_kev_um)
