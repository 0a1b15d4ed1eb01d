"""Proton RBE models of LET and alpha/beta: their constants, their formulas, and the functions that call them.

All take dose-averaged LET in keV/um and alpha/beta of the reference photons in Gy. Those that need alpha or beta
of the photons themselves are in :mod:`braggbook.radiobiology.rbe.proton_tissue`. The parameters were read in
Table 1 of the review doi:10.1259/bjr.20190334 and in open implementations; where these differ, the constants
court has both, and a ruling or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.radiobiology.constants import Constant, Source, constant
from braggbook.radiobiology.rbe.let import NOT_STATED, LetKind
from braggbook.radiobiology.rbe.models import (
    RbeLimits,
    RbeModel,
    RbePrediction,
    find_model,
    predict_rbe,
    rbe_model,
    rbe_models,
)
from braggbook.radiobiology.rbe.sources import FRED, LIBAMTRACK, MATRAD, RBE_MODELS, REVIEW

Floats = NDArray[np.float64]

PROTON = "1H"
DOSE_AVERAGED = LetKind("dose-averaged", NOT_STATED, NOT_STATED)


def proton_model(
    name: str,
    *,
    citation: str,
    let_kind: LetKind,
    validity: str,
    needs: tuple[str, ...] = ("alpha_beta_gy",),
    let_range_kev_um: tuple[float, float] | None = None,
    constants: tuple[Constant, ...] = (),
) -> Callable[[RbeLimits], RbeLimits]:
    """Registers the decorated function as a proton RBE model, see :func:`~braggbook.radiobiology.rbe.models.rbe_model`.

    Raises:
        DuplicateName: Another model has this name.
        UnknownName: There is no such photon parameter.
    """
    return rbe_model(
        name,
        particle=PROTON,
        citation=citation,
        let_kind=let_kind,
        validity=validity,
        needs=needs,
        let_range_kev_um=let_range_kev_um,
        constants=constants,
    )


def proton_rbe_models() -> Mapping[str, RbeModel]:
    """Returns every proton RBE model by name, sorted (a read-only view)."""
    return rbe_models(PROTON)


def proton_rbe(
    model: str,
    *,
    dose_gy: ArrayLike,
    let_kev_um: ArrayLike,
    let_kind: LetKind | None = None,
    alpha_beta_gy: ArrayLike | None = None,
    alpha_reference_per_gy: ArrayLike | None = None,
    beta_reference_per_gy2: ArrayLike | None = None,
    sources: Mapping[str, str] | None = None,
) -> Floats:
    """Returns the proton RBE that a model predicts; arguments as in ``models.predict_rbe``.

    :func:`predict_proton_rbe` gives the same with RBEmax, RBEmin and what is to be known of it: LET outside the
    model's range, of unknown kind, or implausible.

    Raises:
        UnknownName: There is no such model.
        ScienceError: The model is for another particle, something that it needs is missing, an argument is not
            above 0 or not a number, LET is of another kind, the model has no RBE there, or one of its constants is
            disputed and no source was chosen.
    """
    return predict_proton_rbe(
        model,
        dose_gy=dose_gy,
        let_kev_um=let_kev_um,
        let_kind=let_kind,
        alpha_beta_gy=alpha_beta_gy,
        alpha_reference_per_gy=alpha_reference_per_gy,
        beta_reference_per_gy2=beta_reference_per_gy2,
        sources=sources,
    ).value


def predict_proton_rbe(
    model: str,
    *,
    dose_gy: ArrayLike,
    let_kev_um: ArrayLike,
    let_kind: LetKind | None = None,
    alpha_beta_gy: ArrayLike | None = None,
    alpha_reference_per_gy: ArrayLike | None = None,
    beta_reference_per_gy2: ArrayLike | None = None,
    sources: Mapping[str, str] | None = None,
) -> RbePrediction:
    """Returns what a proton model predicts, with limits and warnings; arguments and errors as :func:`proton_rbe`."""
    return predict_rbe(
        find_model(model, particle=PROTON),
        dose_gy=dose_gy,
        let_kev_um=let_kev_um,
        let_kind=let_kind,
        alpha_beta_gy=alpha_beta_gy,
        alpha_reference_per_gy=alpha_reference_per_gy,
        beta_reference_per_gy2=beta_reference_per_gy2,
        sources=sources,
    )


# Carabe 2012. The review prints the two products with 2.686 Gy, 0.413644 and 0.01612 (0.016116 rounded).

_CARABE_OTHERS = (RBE_MODELS, MATRAD, LIBAMTRACK, FRED)
_CARABE_A = constant("carabe.rbe_max_constant", unit="1", readings=dict.fromkeys((REVIEW, *_CARABE_OTHERS), 0.843))
_CARABE_B = constant(
    "carabe.rbe_max_slope",
    unit="um/keV",
    readings=dict.fromkeys(_CARABE_OTHERS, 0.154),
    note="the review prints the product with carabe.alpha_beta: 0.413644",
)
_CARABE_C = constant("carabe.rbe_min_constant", unit="1", readings=dict.fromkeys((REVIEW, *_CARABE_OTHERS), 1.09))
_CARABE_D = constant(
    "carabe.rbe_min_slope",
    unit="um/keV",
    readings=dict.fromkeys(_CARABE_OTHERS, 0.006),
    note="the review prints the product with carabe.alpha_beta, rounded: 0.01612",
)
_CARABE_RATIO = constant(
    "carabe.alpha_beta",
    unit="Gy",
    readings=dict.fromkeys(_CARABE_OTHERS, 2.686),
    note="alpha/beta of the V79 cells that the model was fitted to",
)


@proton_model(
    "carabe",
    citation="A. Carabe et al., Phys Med Biol 57 (2012) 1159-1172, doi:10.1088/0031-9155/57/5/1159",
    let_kind=DOSE_AVERAGED,
    validity="V79 cells (44 points); the factor 2.686 Gy is their alpha/beta; below 1 at low LET",
    constants=(_CARABE_A, _CARABE_B, _CARABE_C, _CARABE_D, _CARABE_RATIO),
)
def carabe(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 0.843 + 0.154 x and RBEmin = 1.09 + 0.006 x with x = 2.686 LET / (alpha/beta)."""
    x = _CARABE_RATIO.value * let_kev_um / alpha_beta_gy
    return _CARABE_A.value + _CARABE_B.value * x, _CARABE_C.value + _CARABE_D.value * x


_CONSTANT = constant(
    "constant.rbe",
    unit="1",
    readings={Source("ICRU 78", "ICRU Report 78, J ICRU 7 (2007) no. 2"): 1.1, MATRAD: 1.1, LIBAMTRACK: 1.1, FRED: 1.1},
    note="a convention of the clinics, not a measurement",
)


@proton_model(
    "constant",
    citation="ICRU Report 78, Prescribing, recording, and reporting proton-beam therapy, J ICRU 7 (2007) no. 2",
    let_kind=LetKind(NOT_STATED),
    validity="the clinical convention: the same at every dose, LET and alpha/beta",
    needs=(),
    constants=(_CONSTANT,),
)
def constant_rbe(let_kev_um: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = RBEmin = 1.1."""
    same = np.full_like(let_kev_um, _CONSTANT.value)
    return same, same


_MAIRANI = constant("mairani.rbe_max_slope", unit="Gy um/keV", readings={RBE_MODELS: 0.377})


@proton_model(
    "mairani",
    citation="A. Mairani et al., Phys Med Biol 62 (2017) 1378-1395",
    let_kind=DOSE_AVERAGED,
    validity="protons; the helium fit of the same group (2016) is the model mairani_helium; no LET dependence of beta",
    constants=(_MAIRANI,),
)
def mairani(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + 0.377 L/(a/b) and RBEmin = 1."""
    return 1.0 + _MAIRANI.value * let_kev_um / alpha_beta_gy, np.ones_like(let_kev_um)


_MCNAMARA_PAPER = Source(
    "paper",
    "A. L. McNamara, J. Schuemann and H. Paganetti, Phys Med Biol 60 (2015) 8399-8416, "
    "doi:10.1088/0031-9155/60/21/8399",
)
_MCNAMARA_A = constant(
    "mcnamara.rbe_max_constant",
    unit="1",
    readings={
        _MCNAMARA_PAPER: 0.99064,
        REVIEW: 0.99064,
        RBE_MODELS: 0.99064,
        LIBAMTRACK: 0.99064,
        FRED: 0.99064,
        MATRAD: 0.999064,
    },
    ruling="matRad's 0.999064 is a slip of the pen with one 9 too many: the paper, the review and three other programs "
    "have 0.99064",
)
_MCNAMARA_ALL = (_MCNAMARA_PAPER, REVIEW, RBE_MODELS, LIBAMTRACK, FRED, MATRAD)
_MCNAMARA_B = constant("mcnamara.rbe_max_slope", unit="Gy um/keV", readings=dict.fromkeys(_MCNAMARA_ALL, 0.35605))
_MCNAMARA_C = constant("mcnamara.rbe_min_constant", unit="1", readings=dict.fromkeys(_MCNAMARA_ALL, 1.1012))
_MCNAMARA_D = constant(
    "mcnamara.rbe_min_slope",
    unit="um/keV",
    readings={
        _MCNAMARA_PAPER: -0.0038703,
        LIBAMTRACK: -0.0038703,
        FRED: -0.0038703,
        MATRAD: -0.0038703,
        RBE_MODELS: -0.00387,
        REVIEW: -0.0039,
    },
    ruling="RBEModels and the review print the paper's value rounded to three and two digits",
    note="per square root of Gy besides: it multiplies LET and the square root of alpha/beta in Gy",
)


@proton_model(
    "mcnamara",
    citation=_MCNAMARA_PAPER.citation,
    let_kind=DOSE_AVERAGED,
    validity="many cell lines (285 points); RBEmin falls with LET, to 0 near 285 / sqrt(alpha/beta)",
    constants=(_MCNAMARA_A, _MCNAMARA_B, _MCNAMARA_C, _MCNAMARA_D),
)
def mcnamara(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 0.99064 + 0.35605 L/(a/b) and RBEmin = 1.1012 - 0.0038703 sqrt(a/b) L."""
    return (
        _MCNAMARA_A.value + _MCNAMARA_B.value * let_kev_um / alpha_beta_gy,
        _MCNAMARA_C.value + _MCNAMARA_D.value * np.sqrt(alpha_beta_gy) * let_kev_um,
    )


_PEELER_A = constant("peeler.rbe_max_constant", unit="1", readings={REVIEW: 0.75, RBE_MODELS: 0.75})
_PEELER_B = constant("peeler.rbe_max_slope", unit="Gy um3/keV3", readings={REVIEW: 0.00143, RBE_MODELS: 0.00143})
_PEELER_C = constant("peeler.rbe_min_constant", unit="1", readings={REVIEW: 1.24, RBE_MODELS: 1.24})
_PEELER_D = constant(
    "peeler.rbe_min_slope",
    unit="um3/keV3/Gy",
    readings={REVIEW: 0.00074, RBE_MODELS: 0.000074},
    note="tenfold apart: RBEModels calls the larger a misprint in the body of the thesis and took its own from a "
    "figure; at 20 keV/um and 3 Gy the larger makes RBEmin 19, the smaller 3.0",
)


@proton_model(
    "peeler",
    citation="C. R. Peeler, PhD thesis, The University of Texas, 2016, as given by the review doi:10.1259/bjr.20190334",
    let_kind=DOSE_AVERAGED,
    validity="many cell lines (48 points); grows with the cube of LET; its RBEmin is disputed between sources",
    constants=(_PEELER_A, _PEELER_B, _PEELER_C, _PEELER_D),
)
def peeler(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 0.75 + 0.00143 L^3/(a/b) and RBEmin = 1.24 + p (a/b) L^3, p 0.00074 or 0.000074."""
    cube = let_kev_um**3
    return (
        _PEELER_A.value + _PEELER_B.value * cube / alpha_beta_gy,
        _PEELER_C.value + _PEELER_D.value * alpha_beta_gy * cube,
    )


_RORVIK = "E. Rørvik et al., Phys Med Biol 63 (2018) 185013, doi:10.1088/1361-6560/aad9db"
_RORVIK_LINEAR = constant("rorvik_linear.rbe_max_slope", unit="Gy um/keV", readings={REVIEW: 0.645, RBE_MODELS: 0.645})


@proton_model(
    "rorvik_linear",
    citation=f"{_RORVIK}, unweighted",
    let_kind=DOSE_AVERAGED,
    validity="many cell lines (85 points); no LET dependence of beta",
    constants=(_RORVIK_LINEAR,),
)
def rorvik_linear(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + 0.645 L/(a/b) and RBEmin = 1."""
    return 1.0 + _RORVIK_LINEAR.value * let_kev_um / alpha_beta_gy, np.ones_like(let_kev_um)


_RORVIK_PAPER = Source("paper", _RORVIK)
_RORVIK_WEIGHTED = tuple(
    constant(f"rorvik_weighted.rbe_max_power_{power}", unit=unit, readings={RBE_MODELS: value})
    for power, unit, value in (
        (1, "Gy um/keV", 0.578),
        (2, "Gy um2/keV2", -0.0808),
        (3, "Gy um3/keV3", 0.00564),
        (4, "Gy um4/keV4", -9.92e-5),
    )
)
_RORVIK_LIMIT = constant("rorvik_weighted.largest_let", unit="keV/um", readings={_RORVIK_PAPER: 37.0})
_RORVIK_ABOVE = constant(
    "rorvik_weighted.rbe_max_above",
    unit="Gy",
    readings={_RORVIK_PAPER: 10.5},
    note="RBEmax - 1 is this over alpha/beta above rorvik_weighted.largest_let; the polynomial has 10.537 there, so "
    "that RBEmax steps down by 0.037 Gy over alpha/beta",
)


@proton_model(
    "rorvik_weighted",
    citation=f"{_RORVIK}, weighted",
    let_kind=DOSE_AVERAGED,
    validity="many cell lines (85 points, weighted); above 37 keV/um RBEmax stays at 1 + 10.5 Gy / (alpha/beta); no "
    "LET dependence of beta",
    let_range_kev_um=(0.0, 37.0),
    constants=(*_RORVIK_WEIGHTED, _RORVIK_LIMIT, _RORVIK_ABOVE),
)
def rorvik_weighted(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + (0.578 L - 0.0808 L^2 + 0.00564 L^3 - 9.92e-5 L^4)/(a/b) and RBEmin = 1.

    Above 37 keV/um, where a polynomial of fourth degree means nothing, RBEmax = 1 + 10.5 / (a/b).
    """
    polynomial = sum(p.value * let_kev_um**power for power, p in enumerate(_RORVIK_WEIGHTED, start=1))
    rise = np.where(let_kev_um > _RORVIK_LIMIT.value, _RORVIK_ABOVE.value, polynomial)
    return 1.0 + rise / alpha_beta_gy, np.ones_like(let_kev_um)


_TILLY_LOW = constant("tilly.slope_low", unit="Gy um/keV", readings={REVIEW: 0.309, RBE_MODELS: 0.309})
_TILLY_HIGH = constant("tilly.slope_high", unit="Gy um/keV", readings={REVIEW: 0.550964, RBE_MODELS: 0.550964})
_TILLY_LOW_AT = constant("tilly.alpha_beta_low", unit="Gy", readings={RBE_MODELS: 2.0})
_TILLY_HIGH_AT = constant("tilly.alpha_beta_high", unit="Gy", readings={RBE_MODELS: 10.0})


@proton_model(
    "tilly",
    citation="N. Tilly et al., Phys Med Biol 50 (2005) 2765-2777",
    let_kind=DOSE_AVERAGED,
    validity="11 points; one slope for alpha/beta of 2 Gy and one for 10 Gy; the straight line between them, and "
    "constant slopes outside, are of RBEModels; no LET dependence of beta",
    constants=(_TILLY_LOW, _TILLY_HIGH, _TILLY_LOW_AT, _TILLY_HIGH_AT),
)
def tilly(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + s L/(a/b) and RBEmin = 1, with s 0.309 at a/b 2 Gy and 0.550964 at 10 Gy."""
    slope = np.interp(alpha_beta_gy, [_TILLY_LOW_AT.value, _TILLY_HIGH_AT.value], [_TILLY_LOW.value, _TILLY_HIGH.value])
    return 1.0 + slope * let_kev_um / alpha_beta_gy, np.ones_like(let_kev_um)


_UNKELBACH = constant("unkelbach.slope", unit="um/keV", readings={RBE_MODELS: 0.055})


@proton_model(
    "unkelbach",
    citation="J. Unkelbach et al., Int J Radiat Oncol Biol Phys 96 (2016) 1097-1106",
    let_kind=DOSE_AVERAGED,
    validity="LET times dose as a stand-in for effect: the same at every dose and alpha/beta",
    needs=(),
    constants=(_UNKELBACH,),
)
def unkelbach(let_kev_um: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = RBEmin = 1 + 0.055 L."""
    same = 1.0 + _UNKELBACH.value * let_kev_um
    return same, same


_WEDENBERG = constant(
    "wedenberg.rbe_max_slope",
    unit="Gy um/keV",
    readings=dict.fromkeys((REVIEW, RBE_MODELS, MATRAD, LIBAMTRACK, FRED), 0.434),
)


@proton_model(
    "wedenberg",
    citation="M. Wedenberg, B. K. Lind and B. Hårdemark, Acta Oncol 52 (2013) 580-588, "
    "doi:10.3109/0284186X.2012.705892",
    let_kind=DOSE_AVERAGED,
    validity="19 points; no LET dependence of beta",
    constants=(_WEDENBERG,),
)
def wedenberg(let_kev_um: Floats, alpha_beta_gy: Floats) -> tuple[Floats, Floats]:
    """Returns RBEmax = 1 + 0.434 L/(a/b) and RBEmin = 1."""
    return 1.0 + _WEDENBERG.value * let_kev_um / alpha_beta_gy, np.ones_like(let_kev_um)
