"""Tutorial 6: dose-volume histograms and gamma.

The ball of the tutorial, 24 mm wide in a dose of 16 Gy + 1 Gy/mm, has closed forms: above a plane at s times its radius
from its middle lies (2 + s)(1 - s)^2 / 4 of it.

Sources: ICRU report 83 (2010); D. A. Low et al., Med Phys 25 (1998) 656.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Slip

_MIDDLE_GY, _REACH_GY = 16.0, 12.0  # of the ball: dose in its middle, and from there to its ends
_VOXELS = ((24.0, 1.0), (22.0, 1.0), (20.0, 0.6), (18.0, 1.0), (21.0, 0.25), (12.0, 0.75))  # Gy, coverage
_AT_GY = 20.0
_STORED, _SCALING, _FRACTIONS = 1_021_000, 1.4e-5, 7  # DoseGridScaling of the breast boost, in Gy
_BED, _JUDGED, _ALL = 697, 72_105, 98 * 129 * 194  # voxels of the breast boost: tumour bed, 10 % of the maximum or more


# --- q3, q4: the ball


def _ball_percent(dose_gy: float) -> float:
    """Returns the part of the ball with at least a dose, in %."""
    s = min(max((dose_gy - _MIDDLE_GY) / _REACH_GY, -1.0), 1.0)
    return 100 * (2 + s) * (1 - s) ** 2 / 4


def _ball_dose(percent: float) -> float:
    """Returns the dose in Gy that this part of the ball gets at least, by bisection."""
    low, high = _MIDDLE_GY - _REACH_GY, _MIDDLE_GY + _REACH_GY
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _ball_percent(middle) > percent else (low, middle)
    return (low + high) / 2


def _curve(value: Callable[[float], float], *, per_gy: float = 1.0) -> Callable[[], dict[str, tuple[Any, Any]]]:
    doses = [0.25 * number for number in range(121)]
    return lambda: {"ball": ([per_gy * dose for dose in doses], [value(dose) for dose in doses])}


def _number(answer: Any) -> float:
    """Returns what a student's function gave as a plain number, NaN where it gave anything else."""
    try:
        return float(answer)
    except (TypeError, ValueError):
        return math.nan


# --- q2: the cumulative histogram


def _percent(doses_gy: Sequence[float], at_gy: float) -> float:
    return 100 * sum(dose >= at_gy for dose in doses_gy) / len(doses_gy)


def _above(doses_gy: Sequence[float], at_gy: float) -> float:
    return 100 * sum(dose > at_gy for dose in doses_gy) / len(doses_gy)


def _below(doses_gy: Sequence[float], at_gy: float) -> float:
    return 100 * sum(dose < at_gy for dose in doses_gy) / len(doses_gy)


def _up_to(doses_gy: Sequence[float], at_gy: float) -> float:
    return 100 * sum(dose <= at_gy for dose in doses_gy) / len(doses_gy)


def _within_bin(doses_gy: Sequence[float], at_gy: float) -> float:
    return 100 * sum(at_gy <= dose < at_gy + 1 for dose in doses_gy) / len(doses_gy)


def _counted(doses_gy: Sequence[float], at_gy: float) -> float:
    return float(sum(dose >= at_gy for dose in doses_gy))


def _of_the_dose(doses_gy: Sequence[float], at_gy: float) -> float:
    return 100 * sum(dose for dose in doses_gy if dose >= at_gy) / sum(doses_gy)


def _some_doses(rng: random.Random) -> list[float]:
    return [rng.randint(2, 60) / 2 for _ in range(rng.randint(23, 41))]


def _draw_doses(rng: random.Random) -> dict[str, Any]:
    """Returns doses and one of them, neither the lowest nor the highest, so that "at least" and "more than" differ."""
    doses = _some_doses(rng)
    order = sorted(doses)
    return {"doses_gy": doses, "at_gy": order[len(order) // 2]}


def _begins_whole(function: Callable[..., Any], rng: random.Random) -> bool:
    return math.isclose(_number(function(doses_gy=_some_doses(rng), at_gy=0.0)), 100.0)


def _never_rises(function: Callable[..., Any], rng: random.Random) -> bool:
    doses = _some_doses(rng)
    found = [_number(function(doses_gy=doses, at_gy=at / 2)) for at in range(64)]
    return all(after <= before + 1e-9 for before, after in pairwise(found))


# --- q5: partial voxels


def _share(inside: Callable[[float, float], float], of: Callable[[float, float], float]) -> float:
    """Returns in % what voxels with at least the dose have, of what all have."""
    part = sum(inside(dose, cover) for dose, cover in _VOXELS if dose >= _AT_GY)
    return 100 * part / sum(of(dose, cover) for dose, cover in _VOXELS)


def _covered(_dose: float, cover: float) -> float:
    return cover


def _one(_dose: float, _cover: float) -> float:
    return 1.0


def _half_or_more(_dose: float, cover: float) -> float:
    return float(cover >= 0.5)


def _dose_times_cover(dose: float, cover: float) -> float:
    return dose * cover


def _strictly_above() -> float:
    part = sum(cover for dose, cover in _VOXELS if dose > _AT_GY)
    return 100 * part / sum(cover for _, cover in _VOXELS)


# --- q8: gamma at one point


def _terms(
    dose_gy: float,
    distances_mm: Sequence[float],
    doses_gy: Sequence[float],
    criteria: tuple[float, float],
) -> list[tuple[float, float]]:
    """Returns distance and dose difference of each place, in units of the criteria (Gy, mm)."""
    gray, millimetres = criteria
    return [(far / millimetres, (dose - dose_gy) / gray) for far, dose in zip(distances_mm, doses_gy, strict=True)]


def _gamma(
    dose_gy: float,
    distances_mm: Sequence[float],
    doses_gy: Sequence[float],
    dose_percent: float,
    distance_mm: float,
    maximum_gy: float,
) -> float:
    criteria = (dose_percent / 100 * maximum_gy, distance_mm)
    return min(math.hypot(*pair) for pair in _terms(dose_gy, distances_mm, doses_gy, criteria))


def _local(**given: Any) -> float:
    return _gamma(**given | {"maximum_gy": given["dose_gy"]})


def _percent_as_gray(**given: Any) -> float:
    return _gamma(**given | {"maximum_gy": 100.0})


def _percent_as_part(**given: Any) -> float:
    return _gamma(**given | {"dose_percent": 100 * given["dose_percent"]})


def _wrong(
    combine: Callable[[list[tuple[float, float]]], float],
) -> Callable[..., float]:
    """Returns a function with the right criteria that puts the terms together in another way."""

    def found(
        dose_gy: float,
        distances_mm: Sequence[float],
        doses_gy: Sequence[float],
        dose_percent: float,
        distance_mm: float,
        maximum_gy: float,
    ) -> float:
        criteria = (dose_percent / 100 * maximum_gy, distance_mm)
        return combine(_terms(dose_gy, distances_mm, doses_gy, criteria))

    return found


def _draw_point(rng: random.Random) -> dict[str, Any]:
    """Returns a point in a steep dose, so that the best place is neither the nearest one nor that of the same dose."""
    maximum, dose = rng.uniform(8.0, 16.0), rng.uniform(3.0, 6.0)
    slope = rng.uniform(0.15, 0.3)
    distances = [abs(-4 + 0.5 * number) for number in range(17)]
    off = rng.uniform(0.5, 0.9)
    doses = [dose + off + slope * (-4 + 0.5 * number) + rng.uniform(-0.02, 0.02) for number in range(17)]
    return {
        "dose_gy": dose,
        "distances_mm": distances,
        "doses_gy": doses,
        "dose_percent": rng.choice((2.0, 3.0)),
        "distance_mm": rng.choice((2.0, 2.5)),
        "maximum_gy": maximum,
    }


def _same_is_zero(function: Callable[..., Any], rng: random.Random) -> bool:
    given = _draw_point(rng)
    doses = [
        given["dose_gy"] if far == 0 else dose
        for far, dose in zip(given["distances_mm"], given["doses_gy"], strict=True)
    ]
    return abs(_number(function(**given | {"doses_gy": doses}))) < 1e-9


def _scales(function: Callable[..., Any], rng: random.Random) -> bool:
    given = _draw_point(rng)
    tripled = given | {"dose_percent": 3 * given["dose_percent"], "distance_mm": 3 * given["distance_mm"]}
    return math.isclose(3 * _number(function(**tripled)), _number(function(**given)), rel_tol=1e-6)


_STEEPEST = Choice(
    "q1",
    asks="At which dose does the cumulative histogram of the ball fall most steeply?",
    options={
        "a": "at 4 Gy, where the ball begins",
        "b": "at 16 Gy, in its middle",
        "c": "at 28 Gy, where it ends",
        "d": "equally everywhere, for the dose rises evenly",
    },
    right="b",
    slips={
        "a": "At its lowest point the ball is only a point wide: hardly any volume gets 4 Gy, and leaving it behind "
        "costs hardly anything.",
        "c": "At its top the ball is only a point wide again: what gets 28 Gy is next to nothing.",
        "d": "That would be so for a body with the same cross-section everywhere, such as a cylinder along the ramp. "
        "A ball is widest in its middle.",
    },
    because="The curve falls by what lies within a dose, and a ball has most of its volume about the middle.",
    hints=(
        "Cut the ball into slices of equal dose. Which slice is largest?",
        "The slope of the cumulative histogram is minus the differential one.",
        "Slices of 1 Gy are 1 mm thick here, and have the area pi (12^2 - z^2) mm² at z mm from the middle.",
    ),
    read="the cell on the sphere in a ramp",
)

_CUMULATIVE = Function(
    "q2",
    asks="Volume with at least a dose, in per cent",
    reference=_percent,
    draw=_draw_doses,
    unit="%",
    rtol=1e-6,
    atol=1e-6,
    slips=(
        Slip(
            value=_above,
            says='This counts the voxels with more than the dose. "At least" includes those that get exactly it.',
            name="more than instead of at least",
        ),
        Slip(
            value=_below,
            says="This counts what gets less than the dose: the curve would rise from 0 to 100 %.",
            name="less than",
        ),
        Slip(
            value=_up_to,
            says="This counts what gets up to the dose, as a distribution function in statistics does. A dose-volume "
            "histogram counts from the other end.",
            name="up to",
        ),
        Slip(
            value=_within_bin,
            says="This is the differential histogram: what lies within a bin above the dose. The cumulative one "
            "counts all that is higher as well.",
            name="differential",
        ),
        Slip(
            value=_counted,
            says="This is the number of voxels; the question asks for percent of all of them.",
            name="number of voxels",
        ),
        Slip(
            value=_of_the_dose,
            says="This is the share of the dose, not of the volume: each voxel counts as one, whatever its dose.",
            name="share of the dose",
        ),
    ),
    invariants=(
        Invariant(says="Everything gets at least 0 Gy: V(0) has to be 100 %.", holds=_begins_whole, name="V(0)"),
        Invariant(
            says="More dose can never be reached by more volume: the curve must not rise anywhere.",
            holds=_never_rises,
            name="rises",
        ),
    ),
    because="100 % at no dose, and never rising: every cumulative histogram is like that.",
    hints=(
        "Compare every dose with the one that is asked for, and count.",
        "V(D) = 100 % x (number of voxels with dose >= D) / (number of voxels).",
        "import numpy as np; np.mean(np.asarray(doses_gy) >= at_gy) is a fraction.",
    ),
    read="the cell on the two kinds of histogram",
)

_DRAWN = Figure(
    "q3",
    asks="The cumulative histogram of the ball",
    curves=_curve(_ball_percent),
    x_unit="Gy",
    y_unit="%",
    y_scale="linear",
    rtol=0.02,
    atol=1.5,
    slips=(
        Slip(
            value=_curve(lambda dose: _ball_percent(dose) / 100),
            says="The curve runs from 1 to 0: that is a fraction, and the axis says percent.",
            name="fraction",
        ),
        Slip(
            value=_curve(lambda dose: 100 - _ball_percent(dose)),
            says="The curve rises: it shows what gets less than the dose. A dose-volume histogram shows what gets at "
            "least it.",
            name="rising",
        ),
        Slip(
            value=_curve(lambda dose: _ball_percent(dose) - _ball_percent(dose + 1)),
            says="This is the differential histogram, a hump about the middle. The cumulative one begins at 100 %.",
            name="differential",
        ),
        Slip(
            value=_curve(_ball_percent, per_gy=100.0),
            says="The doses are in cGy: the axis goes to 3000 instead of 30, and its label says Gy.",
            name="cGy",
        ),
    ),
    because="It stays near 100 % at first, is steepest at 16 Gy, and ends at 28 Gy.",
    hints=(
        "One value of your function for each dose on the axis.",
        "y_i = V(D_i) in %, for D_i from 0 to 30 Gy.",
        "axis.plot(doses_gy, [volume_percent(sphere_gy, at) for at in doses_gy])",
    ),
    read="the cell on the cumulative histogram",
)

_D95 = Number(
    "q4",
    asks="D95% of the ball",
    expected=lambda: _ball_dose(95.0),
    unit="Gy",
    rtol=0.02,
    slips=(
        Slip(
            value=lambda: _ball_dose(5.0),
            says="This is D5%, the hot end: what 5 % of the volume get at least. D95% is what nearly all of the "
            "volume reaches.",
            name="D5%",
        ),
        Slip(
            value=0.95 * _MIDDLE_GY,
            says="This is 95 % of the mean dose. The 95 % in D95% is of the volume, not of a dose.",
            name="95 % of the mean",
        ),
        Slip(
            value=0.95 * (_MIDDLE_GY + _REACH_GY),
            says="This is 95 % of the largest dose. The 95 % in D95% is of the volume, not of a dose.",
            name="95 % of the maximum",
        ),
        Slip(
            value=_MIDDLE_GY - _REACH_GY,
            says="This is the smallest dose, D100%: what all of the volume gets at least.",
            name="minimum",
        ),
        Slip(
            value=_MIDDLE_GY,
            says="This is the mean and the median, D50%.",
            name="median",
        ),
        Slip(
            value=lambda: _ball_percent(_AT_GY),
            says="This is V20Gy, a volume in per cent. D95% is a dose: go from 95 % on the volume axis to the curve, "
            "and down.",
            name="V20Gy",
        ),
    ),
    because="Five per cent of the volume get less than that.",
    hints=(
        "95 % of the voxels get at least D95%, so 5 % get less.",
        "Sort the doses: D95% has 5 % of them below it, the fifth percentile.",
        "np.percentile(sphere_gy, ...) takes the part that lies below.",
    ),
    read="the cell on reading in two directions",
)

_PARTIAL = Number(
    "q5",
    asks="V20Gy of six voxels, some of them only partly in the organ",
    expected=lambda: _share(_covered, _covered),
    unit="%",
    rtol=0.005,
    slips=(
        Slip(
            value=lambda: _share(_one, _one),
            says="This counts every voxel as whole, however little of it is in the organ.",
            name="whole voxels",
        ),
        Slip(
            value=lambda: _share(_covered, _one),
            says="Above the line are parts of voxels, below it whole ones. The organ is the sum of its parts, too.",
            name="divided by the number of voxels",
        ),
        Slip(
            value=lambda: _share(_half_or_more, _half_or_more),
            says="This takes a voxel as inside when half of it is. Each counts by its own part instead.",
            name="inside from half on",
        ),
        Slip(
            value=_strictly_above,
            says="The voxel with exactly 20 Gy is missing: V20Gy is the volume with at least 20 Gy.",
            name="more than instead of at least",
        ),
        Slip(
            value=lambda: 100 - _share(_covered, _covered),
            says="This is the part that gets less than 20 Gy.",
            name="the other part",
        ),
        Slip(
            value=lambda: _share(_dose_times_cover, _dose_times_cover),
            says="This weights the voxels with their dose. A volume is asked for: weight with the coverage alone.",
            name="weighted with the dose",
        ),
    ),
    because="Parts of voxels over the sum of all parts.",
    hints=(
        "Every voxel counts by the part of it that is in the organ, above the line and below it.",
        "V20Gy = 100 % x (sum of coverages with dose >= 20 Gy) / (sum of all coverages).",
        "cover[dose >= 20].sum() / cover.sum(), for NumPy arrays of the two rows of the table",
    ),
    read="the cell on voxels that are only partly inside",
)

_RTDOSE = Number(
    "q6",
    asks="Dose of a voxel stored as 1021000, in cGy",
    expected=_STORED * _SCALING * 100,
    unit="cGy",
    rtol=0.002,
    slips=(
        Slip(
            value=_STORED,
            says="This is the stored number; DoseGridScaling makes a dose of it.",
            name="stored number",
        ),
        Slip(
            value=_STORED / _SCALING,
            says="This divides by DoseGridScaling: stored number times scaling is the dose.",
            name="divided by the scaling",
        ),
        Slip(
            value=_STORED * _SCALING * 100 / _FRACTIONS,
            says="This is the dose of one fraction. The file holds the dose of the whole plan.",
            name="one fraction",
        ),
        Slip(
            value=_STORED * _SCALING * 100 * _FRACTIONS,
            says="This multiplies by the number of fractions. The file holds the dose of the whole plan already.",
            name="fractions counted twice",
        ),
        Slip(
            value=_STORED * _SCALING / 100,
            says="From Gy to cGy the number becomes larger, not smaller: 1 Gy is 100 cGy.",
            name="cGy the wrong way",
        ),
    ),
    because="A hundred times too much or too little is the commonest error of units in a clinic.",
    hints=(
        "First gray, then centigray.",
        "dose = stored number x DoseGridScaling, in Gy; 1 Gy = 100 cGy.",
        "1021000 * 1.4e-5 is in Gy",
    ),
    read="the cell on RTDOSE files",
)

_SMALL = Choice(
    "q7",
    asks="How much does the counted volume of a sphere of 6 mm change when the grid is moved?",
    options={
        "a": "less than 1 %",
        "b": "a few per cent",
        "c": "tens of per cent",
        "d": "nothing: moving the grid does not change the sphere",
    },
    right="c",
    slips={
        "a": "So it is for a sphere of 40 mm and more. How many voxels of 19 mm³ does a sphere of 113 mm³ have?",
        "b": "So it is for a sphere of 20 mm. This one has about six voxels: one more or less is 17 %.",
        "d": "The sphere stays the same, but which centres are inside changes, and these are what is counted.",
    },
    because="A handful of voxels: between four and eight of them, as chance will have it.",
    hints=(
        "How many voxels does the sphere have?",
        "Number of voxels = (pi d^3 / 6) / (2.5 x 2.5 x 3 mm³); what is one of them in per cent?",
        "np.pi * 6**3 / 6 / (2.5 * 2.5 * 3)",
    ),
    read="the cell on small structures",
)

_GAMMA = Function(
    "q8",
    asks="Gamma at one point of the reference, global",
    reference=_gamma,
    draw=_draw_point,
    rtol=1e-4,
    atol=1e-9,
    slips=(
        Slip(
            value=_local,
            says="The dose criterion is taken from the dose at the point: this is local gamma. Global means percent "
            "of the largest dose of the reference.",
            name="local instead of global",
        ),
        Slip(
            value=_wrong(lambda terms: min(a * a + b * b for a, b in terms)),
            says="The square root is missing: this is gamma squared. It passes the same points, but 2 means 1.4.",
            name="square root forgotten",
        ),
        Slip(
            value=_wrong(lambda terms: min(abs(a) + abs(b) for a, b in terms)),
            says="This adds the two terms. Gamma is a length with two parts at right angles: add squares, and take "
            "the root.",
            name="sum of the terms",
        ),
        Slip(
            value=_wrong(lambda terms: math.hypot(*min(terms, key=lambda pair: abs(pair[0])))),
            says="This looks at the nearest place only, and is just a difference in dose. Gamma is the smallest over "
            "all places.",
            name="nearest place only",
        ),
        Slip(
            value=_wrong(lambda terms: math.hypot(*min(terms, key=lambda pair: abs(pair[1])))),
            says="This looks at the place with the most similar dose only: distance to agreement. A nearer place with "
            "a slightly worse dose may be better.",
            name="most similar dose only",
        ),
        Slip(
            value=_wrong(lambda terms: max(math.hypot(a, b) for a, b in terms)),
            says="This takes the largest over all places; gamma is the smallest: one good place is enough.",
            name="maximum",
        ),
        Slip(
            value=_wrong(lambda terms: math.hypot(min(abs(a) for a, _ in terms), min(abs(b) for _, b in terms))),
            says="This takes the smallest distance and the smallest dose difference from two different places. Both "
            "have to be of the same one.",
            name="two places mixed",
        ),
        Slip(
            value=_percent_as_gray,
            says="The percentage is used as if it were in Gy: the criterion is that part of the largest dose.",
            name="percent as gray",
        ),
        Slip(
            value=_percent_as_part,
            says="The percentage is not divided by 100: 3 % of the maximum became three times the maximum.",
            name="percent as a factor",
        ),
    ),
    invariants=(
        Invariant(says="Where the estimate has the same dose at the same place, gamma is 0.", holds=_same_is_zero),
        Invariant(
            says="With three times both criteria, gamma has to be a third: it is a length in units of them.",
            holds=_scales,
        ),
    ),
    because="The smallest length in a space of distance and dose, each in units of its criterion.",
    hints=(
        "For every place two numbers: its distance and its dose difference, each divided by its criterion.",
        "criterion = dose_percent / 100 x maximum_gy; gamma = min sqrt((r / distance_mm)² + (dD / criterion)²).",
        "import numpy as np; np.hypot(np.asarray(distances_mm) / distance_mm, np.subtract(doses_gy, dose_gy) / ...)",
    ),
    read="the cell on gamma",
)

_ORDER = Choice(
    "q9",
    asks="Noise in the reference or in the estimate: what does the pass rate do?",
    options={
        "a": "the same, whichever is called the reference",
        "b": "higher when the noisy dose is the estimate",
        "c": "higher when the noisy dose is the reference",
    },
    right="b",
    slips={
        "a": "The formula looks symmetrical, but the minimum is searched in one of the two doses only.",
        "c": "A noisy point of the reference is judged as it is, and has to find its dose in a smooth estimate, where "
        "neighbours do not help.",
    },
    because="Noise offers many doses near by, and the minimum picks the one that fits: noise in the estimate flatters.",
    hints=(
        "In which of the two doses is the best place looked for?",
        "gamma(point of the reference) = min over the estimate: more different doses near by make a minimum smaller.",
        "Compare rate(reference, noisy) with rate(noisy, reference) in the next cell.",
    ),
    read="the cell on which one is the reference",
)

_HIDDEN = Number(
    "q10",
    asks="Pass rate when the whole tumour bed fails and nothing else",
    expected=100 * (1 - _BED / _JUDGED),
    unit="%",
    rtol=1e-4,
    slips=(
        Slip(
            value=100 * _BED / _JUDGED,
            says="This is the part that fails; the pass rate is the rest.",
            name="failing part",
        ),
        Slip(
            value=100 * (1 - _BED / _ALL),
            says="This divides by all voxels of the dose grid. Points below the cut-off are not judged, and do not "
            "count.",
            name="all voxels",
        ),
        Slip(
            value=0.0,
            says="The target gets nothing that it should, but that is not what the rate counts: all points have the "
            "same weight.",
            name="zero",
        ),
    ),
    because="The whole target may fail, and the rate is far above the 95 % that are asked for.",
    hints=(
        "How many points are judged, and how many of them pass?",
        "pass rate = 100 % x (judged - failing) / judged.",
        "100 * (1 - bed.sum() / judged.sum())",
    ),
    read="the cell on what a pass rate cannot see",
)

LESSON = Lesson(
    title="Dose-volume histograms and gamma, and what they hide",
    minutes=50,
    goals=(
        "tell a cumulative histogram from a differential one, and read D95% and V20Gy from it",
        "count voxels that are only partly inside, and see when a dose grid is too coarse",
        "turn what an RTDOSE file stores into gray and centigray",
        "calculate gamma, and say what global, local, reference and estimate mean for it",
        "tell what a pass rate hides, and what to look at instead",
    ),
    questions=(_STEEPEST, _CUMULATIVE, _DRAWN, _D95, _PARTIAL, _RTDOSE, _SMALL, _GAMMA, _ORDER, _HIDDEN),
)
