"""Tutorial 3: LET, RBE and the Bragg curve.

Range and energy: T. Bortfeld, Med Phys 24 (1997) 2024, doi:10.1118/1.598116, with the constants of libamtrack, as in
``braggbook.radiobiology.beams``. RBE: M. Wedenberg et al., Acta Oncol 52 (2013) 580, doi:10.3109/0284186X.2012.705892.
Numbers read off the data: N. Bassler et al., doi:10.5281/zenodo.10641085; S. Shiba et al., doi:10.21873/invivo.13175.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Slip

_MM_PER_MEV_P, _EXPONENT = 0.0231, 1.761  # range in mm of water = 0.0231 E^1.761, E in MeV
_SLOPE_GY_UM_KEV = 0.434  # of RBEmax over LET / (alpha/beta), Wedenberg et al. 2013
_INTEGRATION_STEPS = 400
_HALVING = 1e-3  # relative, by which an integral of so many steps may be off
_FIGURE_LET, _FIGURE_RATIOS = 5.0, (3.0, 10.0)  # keV/um, Gy

# SHIELD-HIT12A, 160 MeV field: LET at R80 (150.97 mm), of all protons in the phantom unless said, in keV/um
_DOSE_AVERAGED, _TRACK_AVERAGED, _AT_PEAK, _PRIMARIES_ONLY = 9.585, 5.345, 6.724, 9.476
# RBE at 10 % survival, centre and distal side of one spread-out Bragg peak (rows B035 to B043)
_CENTRE, _DISTAL = (1.11, 1.11, 1.12), (1.16, 1.12, 1.18)
# SHIELD-HIT12A, spread-out Bragg peak at 2 Gy: depth in mm where 1.1 Gy (RBE) is reached, or where the slips end
_FALLS_CONSTANT, _FALLS_WEDENBERG, _FALLS_PHYSICAL, _FALLS_TUMOUR = 52.947, 54.200, 52.732, 53.506


def _range_mm(energy_mev: float) -> float:
    return float(_MM_PER_MEV_P * energy_mev**_EXPONENT)


def _let(depth_mm: float, energy_mev: float) -> float:
    left_mm = _range_mm(energy_mev) - depth_mm
    if left_mm <= 0:
        return 0.0
    return float(left_mm ** (1 / _EXPONENT - 1) / (_EXPONENT * _MM_PER_MEV_P ** (1 / _EXPONENT)))


def _energy_left(depth_mm: float, energy_mev: float) -> float:
    return float((max(_range_mm(energy_mev) - depth_mm, 0.0) / _MM_PER_MEV_P) ** (1 / _EXPONENT))


def _proton(random: Random) -> dict[str, float]:
    energy_mev = random.uniform(70.0, 220.0)
    return {"depth_mm": random.uniform(0.02, 0.98) * _range_mm(energy_mev), "energy_mev": energy_mev}


def _integral_is_energy(function: Callable[..., Any], random: Random) -> bool:
    """Sums LET over depth with r = R u^3, in which the infinite value at the end of the track is smooth."""
    energy_mev = random.uniform(70.0, 220.0)
    reach, total = _range_mm(energy_mev), 0.0
    for step in range(_INTEGRATION_STEPS):
        u = (step + 0.5) / _INTEGRATION_STEPS
        weight = 3 * reach * u**2 / _INTEGRATION_STEPS
        total += weight * float(function(depth_mm=reach * (1 - u**3), energy_mev=energy_mev))
    return math.isclose(total, energy_mev, rel_tol=_HALVING)


def _nothing_behind(function: Callable[..., Any], random: Random) -> bool:
    energy_mev = random.uniform(70.0, 220.0)
    behind = function(depth_mm=_range_mm(energy_mev) + 5.0, energy_mev=energy_mev)
    return not isinstance(behind, complex) and float(behind) == 0.0


def _spectrum(random: Random) -> dict[str, list[float]]:
    parts = random.randint(3, 7)
    lets = [random.uniform(0.5, 30.0) for _ in range(parts)]
    return {"let_kev_um": lets, "fluence": [random.uniform(0.1, 5.0) for _ in range(parts)]}


def _dose_averaged(let_kev_um: Sequence[float], fluence: Sequence[float]) -> float:
    dose = [f * let for f, let in zip(fluence, let_kev_um, strict=True)]
    return sum(d * let for d, let in zip(dose, let_kev_um, strict=True)) / sum(dose)


def _track_averaged(let_kev_um: Sequence[float], fluence: Sequence[float]) -> float:
    return sum(f * let for f, let in zip(fluence, let_kev_um, strict=True)) / sum(fluence)


def _not_below_the_track_average(function: Callable[..., Any], random: Random) -> bool:
    drawn = _spectrum(random)
    return bool(function(**drawn) >= _track_averaged(**drawn) - 1e-9)


def _only_shares_count(function: Callable[..., Any], random: Random) -> bool:
    drawn = _spectrum(random)
    doubled = drawn | {"fluence": [2 * f for f in drawn["fluence"]]}
    return math.isclose(function(**drawn), function(**doubled), rel_tol=1e-6)


def _rbe(dose_gy: float, let_kev_um: float, alpha_beta_gy: float) -> float:
    largest = 1 + _SLOPE_GY_UM_KEV * let_kev_um / alpha_beta_gy
    root = math.sqrt(alpha_beta_gy**2 + 4 * dose_gy * alpha_beta_gy * largest + 4 * dose_gy**2)
    return (root - alpha_beta_gy) / (2 * dose_gy)


def _largest_rbe(dose_gy: float, let_kev_um: float, alpha_beta_gy: float) -> float:  # noqa: ARG001 - that is the slip
    return 1 + _SLOPE_GY_UM_KEV * let_kev_um / alpha_beta_gy


def _multiplied(dose_gy: float, let_kev_um: float, alpha_beta_gy: float) -> float:
    return _rbe(dose_gy, let_kev_um * alpha_beta_gy**2, alpha_beta_gy)


def _photon_dose(dose_gy: float, let_kev_um: float, alpha_beta_gy: float) -> float:
    return dose_gy * _rbe(dose_gy, let_kev_um, alpha_beta_gy)


def _divided_by_dose(dose_gy: float, let_kev_um: float, alpha_beta_gy: float) -> float:
    return 2 * _rbe(dose_gy, let_kev_um, alpha_beta_gy)


def _fraction(random: Random) -> dict[str, float]:
    return {
        "dose_gy": random.uniform(1.0, 10.0),
        "let_kev_um": random.uniform(1.0, 12.0),
        "alpha_beta_gy": random.uniform(1.5, 15.0),
    }


def _same_effect(function: Callable[..., Any], random: Random) -> bool:
    drawn = _fraction(random)
    ratio, dose_gy = drawn["alpha_beta_gy"], drawn["dose_gy"]
    photon_gy = float(function(**drawn)) * dose_gy
    return math.isclose(
        photon_gy * (1 + photon_gy / ratio), dose_gy * (_largest_rbe(**drawn) + dose_gy / ratio), rel_tol=1e-6
    )


def _falls_with_dose(function: Callable[..., Any], random: Random) -> bool:
    drawn = _fraction(random)
    return bool(function(**drawn | {"dose_gy": drawn["dose_gy"] + 2}) < function(**drawn))


def _curves(of: Callable[[float, float, float], float]) -> Callable[[], dict[str, tuple[list[float], list[float]]]]:
    doses = [0.5 + 0.1 * step for step in range(96)]

    def drawn() -> dict[str, tuple[list[float], list[float]]]:
        return {f"{ratio:g} Gy": (doses, [of(dose, _FIGURE_LET, ratio) for dose in doses]) for ratio in _FIGURE_RATIOS}

    return drawn


_RISE = Choice(
    "q1",
    asks="Why does the depth dose of a proton beam rise to a peak shortly before it ends?",
    options={
        "a": "most protons stop there, and a proton gives off its energy when it stops",
        "b": "protons get slower, and a slow proton loses more energy per millimetre",
        "c": "there are more protons at the end than at the entrance, because of secondary ones",
        "d": "the beam is focused there by scattering",
    },
    right="b",
    slips={
        "a": "A proton gives off energy all along its way, not when it stops: at the stop there is nothing left to "
        "give. What changes along the way is how much it gives per millimetre.",
        "c": "It is the other way round: nuclear reactions take some protons out of the beam all along its way. What "
        "rises must be what each of them gives off.",
        "d": "Scattering widens a beam and never focuses it. Think of one proton alone: its energy per millimetre "
        "rises too.",
    },
    because="A slow proton stays longer beside each electron that it passes, so it gives it more: stopping power rises "
    "as energy falls, about as 1 / E^0.76.",
    hints=(
        "Follow a single proton. What changes along its way: their number, or something about each?",
        "Stopping power S = -dE/dx. Does it rise or fall when E falls? The table of PSTAR is in the next cell.",
        "print(bb.radiobiology.beams.proton_stopping_power([150.0, 50.0, 10.0, 2.0]))  # MeV cm2/g",
    ),
    read="the cell on stopping power, at the start",
)

_STOPPING = Function(
    "q2",
    asks="let(depth_mm, energy_mev): LET in keV/um of a proton of that energy at a depth of water; 0 behind its range",
    reference=_let,
    draw=_proton,
    unit="keV/um",
    rtol=1e-4,
    slips=(
        Slip(
            value=lambda depth_mm, energy_mev: _let(0.0 * depth_mm, energy_mev),
            says="This is the LET at the surface, at every depth: the depth never enters. What counts is the range "
            "that is left, r = R - z.",
            name="LET at the surface",
        ),
        Slip(
            value=_energy_left,
            says="This is the energy that is left, in MeV. LET is how fast it goes: its derivative by the range left.",
            name="energy instead of its derivative",
        ),
        Slip(
            value=lambda depth_mm, energy_mev: 0.0 * depth_mm + energy_mev / _range_mm(energy_mev),
            says="This is the mean over the whole track, energy over range. The Bragg peak is just what the mean "
            "hides.",
            name="mean LET",
        ),
        Slip(
            value=lambda depth_mm, energy_mev: 10 * _let(depth_mm, energy_mev),
            says="This is in MeV/cm, the unit of many tables and Monte Carlo codes. 1 MeV/mm is 1 keV/um, and 10 "
            "MeV/cm.",
            name="MeV/cm",
        ),
        Slip(
            value=lambda depth_mm, energy_mev: _EXPONENT * _let(depth_mm, energy_mev),
            says="The inner factor of the derivative is missing: d(r^(1/p))/dr has a factor 1/p in front.",
            name="factor 1/p missing",
        ),
    ),
    invariants=(
        Invariant(
            says="LET summed over the whole track is not the energy that the proton began with. Whatever it gives off "
            "it had, and all that it had it gives off: the area under the curve is the energy.",
            holds=_integral_is_energy,
            name="integral is not the energy",
        ),
        Invariant(
            says="Behind its range the proton still has an LET (or the function gives a complex number): where R - z "
            "is negative there is no proton, so return 0.0.",
            holds=_nothing_behind,
            name="LET behind the range",
        ),
    ),
    because="And the check summed your function over depth: the area is the proton's energy, at every energy tried.",
    hints=(
        "How much range is left at depth z? Which energy belongs to that range? LET is how fast that energy falls.",
        (
            "R = a E^p and r = R - z give E(r) = (r/a)^(1/p), and LET = dE/dr = r^(1/p - 1) / (p a^(1/p)), a = 0.0231, "
            "p = 1.761. MeV/mm and keV/um are the same."
        ),
        (
            "left_mm = 0.0231 * energy_mev**1.761 - depth_mm\nif left_mm <= 0:\n    return 0.0\nreturn left_mm ** "
            "(...) / (...)"
        ),
    ),
    read="the cells on range and energy",
)

_MIXTURE = Choice(
    "q3",
    asks="Of ten protons that pass, nine have an LET of 1 keV/um and one has 10 keV/um. Their dose-averaged LET is "
    "about:",
    options={"a": "1.9 keV/um", "b": "5.5 keV/um", "c": "5.7 keV/um", "d": "10 keV/um"},
    right="c",
    slips={
        "a": "This is the track average: each proton counts alike. In the dose average each counts by the dose that it "
        "gives, and the one gives more than the nine together.",
        "b": "This is the plain mean of the two numbers, as if there were as many of one kind as of the other. Weight "
        "them.",
        "d": "The one dominates, but it is not alone: the nine give 9 of 19 parts of the dose.",
    },
    because="(9 x 1 x 1 + 1 x 10 x 10) / (9 x 1 + 1 x 10) = 109/19 = 5.7. One proton in ten makes three times the "
    "track average.",
    hints=(
        "How much of the dose do the nine give, and how much the one?",
        "Weights are fluence x LET: nine protons have 9 x 1, the one has 1 x 10.",
        "print((9 * 1 * 1 + 1 * 10 * 10) / (9 * 1 + 1 * 10))",
    ),
    read="the cell on averages",
)

_AVERAGE = Function(
    "q4",
    asks="dose_averaged(let_kev_um, fluence): dose-averaged LET in keV/um of a mixture of protons",
    reference=_dose_averaged,
    draw=_spectrum,
    unit="keV/um",
    slips=(
        Slip(
            value=_track_averaged,
            says="This is the track-averaged LET: weighted by how many protons there are. For the dose average each "
            "counts by the dose it gives, fluence times LET.",
            name="track-averaged LET",
        ),
        Slip(
            value=lambda let_kev_um, fluence: sum(let_kev_um) / len(fluence),
            says="This is the plain mean of the LET values: the fluence never enters.",
            name="plain mean",
        ),
        Slip(
            value=lambda let_kev_um, fluence: (
                _dose_averaged(let_kev_um, fluence) * _track_averaged(let_kev_um, fluence)
            ),
            says="The sum above is right, but it is divided by the fluence. A mean is divided by the sum of its "
            "weights, and the weights are fluence times LET.",
            name="divided by the fluence",
        ),
    ),
    invariants=(
        Invariant(
            says="Your dose average is smaller than the track average of the same protons. That cannot be: it gives "
            "the high LET more weight.",
            holds=_not_below_the_track_average,
            name="below the track average",
        ),
        Invariant(
            says="Twice as many protons of every kind change your average. A mean depends on shares alone.",
            holds=_only_shares_count,
            name="depends on the total fluence",
        ),
    ),
    because="The two are equal only where all protons have one LET: in front of the peak nearly, at the end not at "
    "all.",
    hints=(
        "A mean is a sum of weight x value over the sum of the weights. Which weight is a proton's share of the dose?",
        "LET_d = sum(f L L) / sum(f L); track-averaged it is sum(f L) / sum(f).",
        "weights = fluence * let_kev_um\nreturn (weights * let_kev_um).sum() / ...",
    ),
    read="the cell on averages",
)

_AT_R80 = Number(
    "q5",
    asks="SHIELD-HIT12A, 160 MeV: dose-averaged LET of all protons at R80, in keV/um",
    expected=_DOSE_AVERAGED,
    unit="keV/um",
    rtol=0.003,
    slips=(
        Slip(
            value=_TRACK_AVERAGED,
            says="This is the track-averaged LET at R80. RBE models take the dose-averaged one; mixing them up here is "
            "an error of nearly a factor of two.",
            name="track-averaged LET",
        ),
        Slip(
            value=_AT_PEAK,
            says="This is the LET at the peak of the dose. R80 lies some two millimetres behind it, and LET rises fast "
            "there.",
            name="LET at the peak",
        ),
        Slip(
            value=_PRIMARIES_ONLY,
            says="This is the LET of primary protons alone. The question asks for all protons, secondary ones "
            "included.",
            name="primary protons only",
        ),
    ),
    because="At R80 the dose is already falling, and the LET is ten times that of the entrance. RBE is highest "
    "where the dose ends, not where it peaks.",
    hints=(
        "The LET is given every millimetre; R80 lies between two of them. Which rows of the table are asked for?",
        "Choose averaging == 'dose-averaged' and particles == 'all protons', then interpolate at r80_mm.",
        "rows = let_curve('dose-averaged', 'all protons')\nanswer = np.interp(r80_mm, rows['depth_mm'], ...)",
    ),
    read="the cells on the five codes",
)

_WEDENBERG = Function(
    "q6",
    asks="rbe(dose_gy, let_kev_um, alpha_beta_gy): RBE by Wedenberg's model",
    reference=_rbe,
    draw=_fraction,
    rtol=1e-5,
    slips=(
        Slip(
            value=_largest_rbe,
            says="This is RBEmax, the limit of low dose: your function does not depend on dose. At a dose the photons' "
            "quadratic term catches up.",
            name="RBEmax",
        ),
        Slip(
            value=_multiplied,
            says="LET was multiplied by alpha/beta. It is divided: late-reacting tissue with its small alpha/beta has "
            "the larger RBE.",
            name="multiplied by alpha/beta",
        ),
        Slip(
            value=_photon_dose,
            says="This is the photon dose of the same effect, in Gy. RBE is that dose over the proton dose.",
            name="photon dose",
        ),
        Slip(
            value=_divided_by_dose,
            says="A factor of 2 is lost: the root of a quadratic equation is divided by 2 D, not by D.",
            name="divided by D",
        ),
    ),
    invariants=(
        Invariant(
            says="Photons of the dose RBE x D do not have the effect of protons of the dose D in your function. That "
            "is what RBE means: equal effect.",
            holds=_same_effect,
            name="not the same effect",
        ),
        Invariant(
            says="RBE does not fall with dose in your function; in this model it does, from RBEmax towards 1.",
            holds=_falls_with_dose,
            name="does not fall with dose",
        ),
    ),
    because="The check gave photons RBE x D and protons D to the same cells: the same effect, in every case drawn.",
    hints=(
        (
            "Write down the effect of D Gy of protons and of X Gy of photons, put them equal, and solve for X. RBE is "
            "X / D."
        ),
        "RBE = (sqrt(r^2 + 4 D r RBEmax + 4 D^2) - r) / (2 D), with r = alpha/beta and RBEmax = 1 + 0.434 L / r.",
        (
            "rbe_max = 1 + 0.434 * let_kev_um / alpha_beta_gy\nroot = np.sqrt(alpha_beta_gy**2 + ... + 4 * "
            "dose_gy**2)\nreturn ..."
        ),
    ),
    read="the cell on equal effect",
)

_WHERE = Choice(
    "q7",
    asks="A dose-averaged LET of 5 keV/um. Where is the RBE largest?",
    options={
        "a": "2 Gy in late-reacting tissue (alpha/beta 3 Gy)",
        "b": "2 Gy in a tumour (alpha/beta 10 Gy)",
        "c": "8 Gy in late-reacting tissue (alpha/beta 3 Gy)",
        "d": "8 Gy in a tumour (alpha/beta 10 Gy)",
    },
    right="a",
    slips={
        "b": "The dose is right, the tissue is not. LET is divided by alpha/beta: where that ratio is small, the "
        "linear term that LET adds to weighs more.",
        "c": "The tissue is right, the dose is not. At high dose the quadratic term decides, which is the same for "
        "photons.",
        "d": "Both go the other way: RBE rises where dose and alpha/beta are small.",
    },
    because="Small dose and small alpha/beta: so the healthy tissue around the target, which gets little dose at high "
    "LET, has the highest RBE of the whole plan.",
    hints=(
        "LET adds to the linear term alone. When does the linear term matter most?",
        "RBE falls with dose, from RBEmax = 1 + 0.434 L / (alpha/beta) towards 1.",
        (
            "for dose_gy, ratio in [(2, 3), (2, 10), (8, 3), (8, 10)]:\n    print(dose_gy, ratio, rbe(dose_gy, 5.0, "
            "ratio))"
        ),
    ),
    read="the cell on equal effect",
)

_DRAWING = Figure(
    "q8",
    asks="RBE against proton dose, 0.5 to 10 Gy, at 5 keV/um: a curve for alpha/beta 3 Gy and one for 10 Gy; units on "
    "the axes",
    curves=_curves(_rbe),
    x_unit="Gy",
    y_unit="1",
    rtol=0.005,
    slips=(
        Slip(
            value=_curves(_largest_rbe),
            says="Both curves are flat: this is RBEmax, which holds in the limit of low dose alone.",
            name="RBEmax at all doses",
        ),
        Slip(
            value=_curves(_photon_dose),
            says="This is the photon dose of the same effect against the proton dose. Divide by the proton dose.",
            name="photon dose",
        ),
    ),
    because="At low dose the curves begin apart and both go down to 1: a constant RBE of 1.1 crosses them and follows "
    "neither.",
    hints=(
        "One curve per alpha/beta, over the doses of the question; then name both axes, with units.",
        "x: doses from 0.5 to 10 Gy; y: rbe(dose, 5.0, 3.0) and rbe(dose, 5.0, 10.0).",
        (
            "doses_gy = np.linspace(0.5, 10, 100)\nfor ratio in (3.0, 10.0):\n    axes.plot(doses_gy, [rbe(d, 5.0, "
            "ratio) for d in doses_gy], label=...)\naxes.set(xlabel=..., ylabel=...)"
        ),
    ),
    read="the cell on equal effect",
)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_MEASURED = Number(
    "q9",
    asks="By how many per cent is the measured RBE larger at the distal side than in the centre, on average over the "
    "three lines?",
    expected=100 * (_mean([d / c for d, c in zip(_DISTAL, _CENTRE, strict=True)]) - 1),
    unit="%",
    rtol=0.02,
    slips=(
        Slip(
            value=100 * (_mean(_DISTAL) - 1),
            says="This is how far the distal RBE lies above 1, that is above photons. The question compares with the "
            "centre of the same peak.",
            name="compared with photons",
        ),
        Slip(
            value=100 * (_mean(_DISTAL) / 1.1 - 1),
            says="This is how far the distal RBE lies above the clinical 1.1. The question compares with the measured "
            "centre.",
            name="compared with 1.1",
        ),
        Slip(
            value=100 * _mean([d / c for d, c in zip(_DISTAL, _CENTRE, strict=True)]),
            says="This is the ratio in per cent. How much larger it is, is the ratio minus 1.",
            name="ratio, not the excess",
        ),
        Slip(
            value=100 * (_mean([c / d for d, c in zip(_DISTAL, _CENTRE, strict=True)]) - 1),
            says="This is the centre compared with the distal side. What the change is relative to stands below the "
            "fraction.",
            name="other way round",
        ),
    ),
    because="Some per cent, in each of the three lines in the same direction, and published without intervals: enough "
    "to doubt that 1.1 holds everywhere, and far too little to choose a model.",
    hints=(
        "Make one ratio for each line, distal over centre. Then the mean.",
        "100 x (mean of distal/centre - 1), in per cent.",
        "ratios = table['distal'] / table['center']\nanswer = 100 * (ratios.mean() - 1)",
    ),
    read="the cell on measurements",
)

_SHIFT = Number(
    "q10",
    asks="How many mm deeper does 1.1 Gy (RBE) reach with Wedenberg's RBE (alpha/beta 3 Gy) than with a constant 1.1?",
    expected=_FALLS_WEDENBERG - _FALLS_CONSTANT,
    unit="mm",
    rtol=0.02,
    slips=(
        Slip(
            value=_FALLS_WEDENBERG - _FALLS_PHYSICAL,
            says="You compared with the physical dose. The plan was made with a constant RBE of 1.1: compare with 1.1 "
            "times the dose.",
            name="compared with physical dose",
        ),
        Slip(
            value=_FALLS_TUMOUR - _FALLS_CONSTANT,
            says="This is the shift for alpha/beta 10 Gy. What lies behind a tumour is healthy tissue, with about 3 "
            "Gy.",
            name="alpha/beta of the tumour",
        ),
        Slip(
            value=_FALLS_WEDENBERG,
            says="This is the depth itself, in the frame of the data. The question asks for the difference of two "
            "depths.",
            name="depth, not the difference",
        ),
        Slip(
            value=_FALLS_CONSTANT - _FALLS_WEDENBERG,
            says="The size is right, the order is not: deeper minus shallower. A negative shift would be a shorter "
            "range.",
            name="other order",
        ),
    ),
    because="More than a millimetre, for every beam, and on the side of the healthy tissue: no measurement of the "
    "physical range can see it.",
    hints=(
        "Make both curves in Gy (RBE) first. At which depth does each come down to 1.1?",
        (
            "falls_to(depth, RBE x dose, 1.1) - falls_to(depth, 1.1 x dose, 1.1), with RBE at each depth's own dose "
            "and LET."
        ),
        (
            "variable = [d * rbe(d, l, 3.0) for d, l in zip(dose_gy, let_sobp)]\nanswer = falls_to(depth_mm, variable, "
            "1.1) - ..."
        ),
    ),
    read="the cells on the distal edge",
)

LESSON = Lesson(
    title="LET, RBE and the Bragg curve",
    minutes=75,
    goals=(
        "explain why a proton's dose peaks at the end of its range, and check a Bragg curve by its integral",
        "tell track-averaged from dose-averaged LET, and say which of them an RBE model takes",
        "compute an RBE, and say how it depends on dose, LET and tissue",
        "say what a constant RBE of 1.1 hides at the distal edge, and how that compares with range uncertainty",
    ),
    questions=(
        _RISE,
        _STOPPING,
        _MIXTURE,
        _AVERAGE,
        _AT_R80,
        _WEDENBERG,
        _WHERE,
        _DRAWING,
        _MEASURED,
        _SHIFT,
    ),
)
