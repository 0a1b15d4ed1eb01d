"""Published proton RBE models against an evaluation by hand, their registry, their needs and their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import DuplicateName, ScienceError, UnknownName
from braggbook.radiobiology import LetKind, proton_model, proton_rbe, proton_rbe_models
from braggbook.radiobiology.constants import find_constant, supposing, taking
from braggbook.radiobiology.rbe import predict_proton_rbe

REVIEW = {"peeler.rbe_min_slope": "review"}
RBE_MODELS = {"peeler.rbe_min_slope": "RBEModels"}
ALPHA, BETA = 0.15, 0.05  # alpha/beta 3 Gy
PHOTONS = {"alpha_reference_per_gy": ALPHA, "beta_reference_per_gy2": BETA}


def slope_of_tilly(ratio: float) -> float:
    return 0.309 + (min(max(ratio, 2.0), 10.0) - 2.0) / 8.0 * (0.550964 - 0.309)


def rise_of_weighted(let: float) -> float:
    if let > 37:
        return 10.5
    return let * (0.578 + let * (-0.0808 + let * (0.00564 + let * -9.92e-5)))


# alpha and beta of the protons from those of the photons (a, b) and LET, as the papers' programs have them
PROTONS: dict[str, Callable[[float, float, float], tuple[float, float]]] = {
    "carabe": lambda a, b, let: (
        a * (0.843 + 0.413644 * let * b / a),
        b * (1.09 + 0.016116 * let * b / a) ** 2,
    ),
    "chen": lambda a, b, let: (0.1 + (1 - math.exp(-0.0013 * let**2)) / (0.045 * let), b),
    "constant": lambda a, b, let: (1.1 * a, 1.21 * b),
    "frese": lambda a, b, let: (a + 0.008 * (let - 0.5), b),
    "jones": lambda a, b, let: (
        a + (let - 0.22) / 30.28 * (2.696 * (1 - math.exp(-3.92 * a)) - a),
        b + (let - 0.22) / 30.28 * (0.06 * (1 - math.exp(-50 * b)) - b),
    ),
    "mairani": lambda a, b, let: (a + 0.377 * let * b, b),
    "mcnamara": lambda a, b, let: (
        0.99064 * a + 0.35605 * let * b,
        b * (1.1012 - 0.0038703 * math.sqrt(a / b) * let) ** 2,
    ),
    "peeler": lambda a, b, let: (0.75 * a + 0.00143 * let**3 * b, b * (1.24 + 0.00074 * let**3 * a / b) ** 2),
    "rorvik_linear": lambda a, b, let: (a + 0.645 * let * b, b),
    "rorvik_weighted": lambda a, b, let: (a + rise_of_weighted(let) * b, b),
    "tilly": lambda a, b, let: (a + slope_of_tilly(a / b) * let * b, b),
    "unkelbach": lambda a, b, let: (a * (1 + 0.055 * let), b * (1 + 0.055 * let) ** 2),
    "wedenberg": lambda a, b, let: (a + 0.434 * let * b, b),
    "wilkens": lambda a, b, let: (0.1 + 0.02 * let, b),
}
OF_RATIO = ("carabe", "mairani", "mcnamara", "peeler", "rorvik_linear", "rorvik_weighted", "tilly", "wedenberg")


def by_hand(model: str, dose: float, let: float, *, alpha: float = ALPHA, beta: float = BETA) -> float:
    """Returns the photon dose of the same effect over the proton dose."""
    a, b = PROTONS[model](alpha, beta, let)
    effect = a * dose + b * dose**2
    return (-alpha + math.sqrt(alpha**2 + 4 * beta * effect)) / (2 * beta) / dose


def test_all_models_of_the_literature_are_there() -> None:
    assert set(PROTONS) <= set(proton_rbe_models())
    assert list(proton_rbe_models()) == sorted(proton_rbe_models())


@pytest.mark.parametrize("model", PROTONS)
@pytest.mark.parametrize(("dose", "let"), [(2.0, 5.0), (0.5, 1.2), (8.0, 12.0), (2.0, 29.0)])
@pytest.mark.parametrize(("alpha", "beta"), [(0.15, 0.05), (0.35, 0.035), (0.05, 0.04)])
def test_a_model_equals_its_hand_evaluation(model: str, dose: float, let: float, alpha: float, beta: float) -> None:
    found = proton_rbe(
        model,
        dose_gy=dose,
        let_kev_um=let,
        alpha_reference_per_gy=alpha,
        beta_reference_per_gy2=beta,
        sources=REVIEW,
    )
    assert found == pytest.approx(by_hand(model, dose, let, alpha=alpha, beta=beta), rel=1e-9)


@pytest.mark.parametrize(
    ("model", "expected"),
    [("wedenberg", 1.286541), ("mcnamara", 1.269537), ("carabe", 1.276940), ("rorvik_linear", 1.412175)],
)
def test_rbe_at_two_gray(model: str, expected: float) -> None:
    found = proton_rbe(model, dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)
    assert found == pytest.approx(expected, abs=6e-7)


@pytest.mark.full
@pytest.mark.parametrize("model", OF_RATIO)
@given(let=st.floats(0.2, 20.0), alpha_beta=st.floats(1.0, 20.0))
def test_limits_of_dose(model: str, let: float, alpha_beta: float) -> None:
    record = proton_rbe_models()[model]
    with taking(RBE_MODELS):
        found = proton_rbe(model, dose_gy=[1e-9, 1e9], let_kev_um=let, alpha_beta_gy=alpha_beta)
        limits = [record.rbe_max(let, alpha_beta), record.rbe_min(let, alpha_beta)]
    assert found == pytest.approx(limits, rel=1e-6)


@pytest.mark.parametrize("model", ["constant", "unkelbach"])
def test_a_model_without_photons_is_the_same_at_every_dose(model: str) -> None:
    alone = proton_rbe(model, dose_gy=[0.1, 2.0, 30.0], let_kev_um=5.0)
    assert alone == pytest.approx([1.1 if model == "constant" else 1.275] * 3, rel=1e-12)
    assert proton_rbe(model, dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0) == pytest.approx(alone[0], rel=1e-12)


def test_rbe_below_one_is_not_clipped() -> None:
    assert proton_rbe("carabe", dose_gy=2.0, let_kev_um=2.5, alpha_beta_gy=10.0) == pytest.approx(
        by_hand("carabe", 2.0, 2.5, alpha=0.5, beta=0.05), rel=1e-12
    )
    assert proton_rbe("carabe", dose_gy=2.0, let_kev_um=2.5, alpha_beta_gy=10.0) < 1
    assert proton_rbe("frese", dose_gy=2.0, let_kev_um=0.3, **PHOTONS) < 1
    assert proton_rbe("wilkens", dose_gy=2.0, let_kev_um=1.0, alpha_reference_per_gy=0.3, alpha_beta_gy=3.0) < 1


def test_the_weighted_model_is_constant_beyond_its_polynomial() -> None:
    found = predict_proton_rbe("rorvik_weighted", dose_gy=2.0, let_kev_um=[37.0, 37.01, 60.0], alpha_beta_gy=3.0)
    assert found.rbe_max == pytest.approx([1 + rise_of_weighted(37.0) / 3, 4.5, 4.5], rel=1e-12)
    assert found.outside.tolist() == [False, True, True]
    assert found.warnings[-1] == (
        "LET 37.01 keV/um (row 2) and 1 more is outside the 0 to 37 keV/um of the rorvik_weighted model"
    )


def test_tilly_goes_by_alpha_beta_and_not_by_dose() -> None:
    record = proton_rbe_models()["tilly"]
    found = (record.rbe_max(4.0, [1.0, 2.0, 6.0, 10.0, 20.0]) - 1) * np.array([1.0, 2.0, 6.0, 10.0, 20.0]) / 4.0
    assert found == pytest.approx([0.309, 0.309, 0.429982, 0.550964, 0.550964], rel=1e-12)


# Constants


def test_peeler_does_not_run_until_told_which_source_to_take() -> None:
    arguments: dict[str, Any] = {"dose_gy": 2.0, "let_kev_um": 5.0, "alpha_beta_gy": 3.0}
    with pytest.raises(ScienceError) as caught:
        proton_rbe("peeler", **arguments)
    assert str(caught.value) == (
        "the sources of peeler.rbe_min_slope disagree and nobody has ruled; wanted "
        'sources={"peeler.rbe_min_slope": "review"} or sources={"peeler.rbe_min_slope": "RBEModels"}, '
        "got 0.00074 (review); 7.4e-05 (RBEModels)\nnext: braggbook show constants peeler.rbe_min_slope"
    )
    record = proton_rbe_models()["peeler"]
    for limit in (record.rbe_max, record.rbe_min):
        with pytest.raises(ScienceError, match=r"peeler\.rbe_min_slope disagree"):
            limit(5.0, 3.0)
    assert record.rbe_min(5.0, 3.0, sources=REVIEW) == pytest.approx(1.24 + 0.00074 * 375, rel=1e-12)
    assert record.rbe_min(5.0, 3.0, sources=RBE_MODELS) == pytest.approx(1.24 + 0.000074 * 375, rel=1e-12)
    with taking(REVIEW):
        assert proton_rbe("peeler", **arguments) == pytest.approx(by_hand("peeler", 2.0, 5.0), rel=1e-9)
    with pytest.raises(UnknownName, match="did you mean review"):
        proton_rbe("peeler", **arguments, sources={"peeler.rbe_min_slope": "reviews"})


def test_the_slip_in_matrad_is_shown_and_ruled() -> None:
    constant = find_constant("mcnamara.rbe_max_constant")
    readings = {source.key: value for source, value in constant.readings.items()}
    assert constant.status == "ruled"
    assert (constant.value, readings["paper"], readings["matRad"]) == (0.99064, 0.99064, 0.999064)
    with supposing({"mcnamara.rbe_max_constant": 0.999064}):
        theirs = proton_rbe("mcnamara", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)
    effect = 2 * (0.999064 * ALPHA + 0.35605 * 5 * BETA) + 4 * BETA * (1.1012 - 0.0038703 * math.sqrt(3) * 5) ** 2
    assert theirs == pytest.approx((-ALPHA + math.sqrt(ALPHA**2 + 4 * BETA * effect)) / (4 * BETA), rel=1e-9)
    assert theirs == pytest.approx(1.272663, abs=1e-6)


# LET at which a constant matters that does nothing at 5 keV/um and alpha/beta 3 Gy
ELSEWHERE = {"rorvik_weighted.largest_let": (37.5, 3.0), "rorvik_weighted.rbe_max_above": (38.0, 3.0)}


@pytest.mark.parametrize("model", PROTONS)
def test_every_model_reads_its_constants_from_the_court(model: str) -> None:
    record = proton_rbe_models()[model]
    assert record.constants
    for name in record.constants:
        assert name.startswith(f"{model}.")
        let, ratio = ELSEWHERE.get(name, (5.0, 3.0))
        photons = {"alpha_beta_gy": ratio, "alpha_reference_per_gy": BETA * ratio}
        value = 0.00074 if name in REVIEW else find_constant(name).value
        before = record.evaluate(let, photons, sources=REVIEW)
        with supposing({name: value * 1.2}):
            assert record.evaluate(let, photons, sources=REVIEW) != before, f"{name} does nothing"


# Records and needs


def test_every_model_says_what_it_is() -> None:
    for name, record in proton_rbe_models().items():
        assert (record.name, record.particle) == (name, "1H")
        assert record.citation
        assert record.let_kind.average == ("not stated" if name == "constant" else "dose-averaged")
        assert record.validity


@pytest.mark.parametrize("model", ["chen", "frese", "wilkens"])
def test_what_a_model_needs_is_named_when_it_is_missing(model: str) -> None:
    with pytest.raises(ScienceError) as caught:
        proton_rbe(model, dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)
    assert str(caught.value) == (
        f"the {model} model needs alpha_reference_per_gy of the reference photons\n"
        "  - alpha_reference_per_gy: missing; wanted alpha_reference_per_gy, above 0"
    )
    assert proton_rbe_models()[model].needs == ("alpha_reference_per_gy",)
    with pytest.raises(ScienceError, match="the RBE at a dose needs alpha/beta of the reference photons"):
        proton_rbe(model, dose_gy=2.0, let_kev_um=5.0, alpha_reference_per_gy=0.15)


def test_two_of_the_three_make_the_third() -> None:
    expected = by_hand("jones", 2.0, 5.0)
    for photons in (
        PHOTONS,
        {"alpha_beta_gy": 3.0, "alpha_reference_per_gy": ALPHA},
        {"alpha_beta_gy": 3.0, "beta_reference_per_gy2": BETA},
        {"alpha_beta_gy": 3.0, **PHOTONS},
    ):
        assert proton_rbe("jones", dose_gy=2.0, let_kev_um=5.0, **photons) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ScienceError, match=r"alpha/beta is not alpha over beta; wanted alpha_beta_gy 3, .*, got 2"):
        proton_rbe("jones", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=2.0, **PHOTONS)
    with pytest.raises(ScienceError, match="row 2"):
        proton_rbe("jones", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=[3.0, 2.0], **PHOTONS)


def test_a_model_of_another_particle_says_so() -> None:
    with pytest.raises(ScienceError, match="mairani_helium model is for helium ions, not for protons"):
        proton_rbe("mairani_helium", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)


def test_an_unknown_model_names_the_closest() -> None:
    with pytest.raises(UnknownName, match="did you mean wedenberg"):
        proton_rbe("wedenburg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0)


def test_two_models_cannot_share_a_name() -> None:
    with pytest.raises(DuplicateName, match="wedenberg"):
        proton_model("wedenberg", citation="another", let_kind=LetKind("not stated"), validity="")(
            lambda let, alpha_beta: (let, alpha_beta)
        )


def test_a_model_cannot_need_what_nobody_gives() -> None:
    with pytest.raises(UnknownName, match="did you mean alpha_beta_gy"):
        proton_model("mine", citation="me", let_kind=LetKind("not stated"), validity="", needs=("alpha_beta",))


def test_the_registry_is_read_only() -> None:
    with pytest.raises(TypeError):
        proton_rbe_models()["mine"] = None  # type: ignore[index]


# Arguments


def test_arrays_broadcast() -> None:
    found = proton_rbe("mcnamara", dose_gy=np.ones((4, 1)), let_kev_um=[1.0, 2.0, 3.0], alpha_beta_gy=3.0)
    assert found.shape == (4, 3)
    assert np.all(np.diff(found, axis=1) > 0)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["dose_gy", "let_kev_um", "alpha_beta_gy"])
def test_arguments_are_above_zero(name: str, bad: float) -> None:
    with pytest.raises(ScienceError, match=f"{name}: not usable; wanted a finite number above 0"):
        proton_rbe("wedenberg", **{"dose_gy": 2.0, "let_kev_um": 5.0, "alpha_beta_gy": 3.0, name: bad})


@pytest.mark.parametrize("bad", ["2", None, [1.0, "2"], [1.0, None], {}, True, 1j])
def test_what_is_no_number_is_a_named_error(bad: Any) -> None:
    with pytest.raises(
        ScienceError, match=r"let_kev_um(, row 2)?: not (numbers|a number); wanted a finite number above 0"
    ):
        proton_rbe("wedenberg", dose_gy=2.0, let_kev_um=bad, alpha_beta_gy=3.0)


def test_the_row_of_a_bad_number_is_named() -> None:
    with pytest.raises(ScienceError) as caught:
        proton_rbe("wedenberg", dose_gy=[2.0, 2.0], let_kev_um=[5.0, math.nan], alpha_beta_gy=[])
    assert [str(issue) for issue in caught.value.issues] == [
        "let_kev_um, row 2: not usable; wanted a finite number above 0, got nan",
        "alpha_beta_gy: empty; wanted at least one number",
    ]
    with pytest.raises(ScienceError, match=r"got dose_gy \(2,\), let_kev_um \(3,\), alpha_beta_gy \(\)"):
        proton_rbe("wedenberg", dose_gy=[2.0, 2.0], let_kev_um=[5.0, 5.0, 5.0], alpha_beta_gy=3.0)


def test_a_model_has_no_rbe_where_its_limits_are_negative() -> None:
    with pytest.raises(ScienceError) as caught:
        proton_rbe("mcnamara", dose_gy=2.0, let_kev_um=[5.0, 100.0], alpha_beta_gy=10.0)
    assert "row 2: outside the model; got LET 100 keV/um with alpha/beta 10 Gy" in str(caught.value)
    assert len(caught.value.issues) == 1
    with pytest.raises(ScienceError, match="the jones model has no RBE here"):
        proton_rbe("jones", dose_gy=2.0, let_kev_um=80.0, alpha_reference_per_gy=5.0, beta_reference_per_gy2=0.5)


def test_many_bad_points_do_not_make_many_issues() -> None:
    with pytest.raises(ScienceError) as caught:
        proton_rbe("mcnamara", dose_gy=2.0, let_kev_um=np.full(1000, 100.0), alpha_beta_gy=10.0)
    assert (len(caught.value.issues), caught.value.got) == (20, "1000 outside")


# LET of another kind, and implausible numbers


def test_an_let_of_another_kind_is_an_error() -> None:
    kind = LetKind("track-averaged", "all protons", "water")
    with pytest.raises(ScienceError) as caught:
        proton_rbe("wedenberg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0, let_kind=kind)
    assert str(caught.value) == (
        "this is not the LET that the wedenberg model was fitted to\n"
        "  - average: another kind; wanted dose-averaged, got track-averaged"
    )
    with pytest.raises(ScienceError, match="not a LetKind"):
        proton_rbe("wedenberg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0, let_kind="dose-averaged")  # type: ignore[arg-type]


def test_an_let_of_no_stated_kind_is_a_warning() -> None:
    found = predict_proton_rbe(
        "wedenberg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0, let_kind=LetKind("not stated")
    )
    assert found.warnings == ("the averaging of LET is not stated; the wedenberg model takes dose-averaged LET",)
    assert found.value == pytest.approx(1.286541, abs=6e-7)
    same = LetKind("dose-averaged", "primary protons", "water")
    quiet = predict_proton_rbe("wedenberg", dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0, let_kind=same)
    assert (quiet.warnings, quiet.let_kind) == ((), same)


TENFOLD = "is it in MeV/cm? 1 keV/um = 10 MeV/cm"


def test_implausible_numbers_are_warnings() -> None:
    found = predict_proton_rbe("wedenberg", dose_gy=[2.0, 200.0], let_kev_um=[120.0, 0.1], alpha_beta_gy=3.0)
    assert found.warnings == (
        f"LET 0.1 keV/um (row 2) is below 0.2 keV/um, the least that 1H has at any energy: {TENFOLD}",
        f"LET 120 keV/um (row 1) is above 100 keV/um, more than 1H has at any energy: {TENFOLD}",
        "dose 200 Gy (row 2) is above 50 Gy, where no survival is measured: is it in cGy?",
    )
