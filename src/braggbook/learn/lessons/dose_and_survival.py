"""Tutorial 1: dose, survival and the linear-quadratic model.

Formulas: A. M. Kellerer and H. H. Rossi, Curr Top Radiat Res Q 8 (1972) 85; J. F. Fowler, Br J Radiol 62 (1989) 679.
Counts and coefficients: H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Several, Slip

Curves = dict[str, tuple[list[float], list[float]]]

# The worked example: experiment e1 of CAL 33, cells seeded and colonies at 0 and 2 Gy.
_CONTROL_CELLS, _CONTROL_COLONIES = 900, 182
_CELLS, _COLONIES = 3000, 323
# 1/Gy and 1/Gy^2, as fitted by Braselmann et al. to all experiments of a line
_COEFFICIENTS = {"CAL 33": (0.268, 0.0489), "OKF6/TERT1": (0.519, 0.0210)}
_ALPHA, _BETA = _COEFFICIENTS["CAL 33"]
_LARGEST_DOSE_GY, _POINTS = 12.0, 61


def _survival(dose_gy: float, alpha_per_gy: float, beta_per_gy2: float) -> float:
    return math.exp(-alpha_per_gy * dose_gy - beta_per_gy2 * dose_gy**2)


def _root(effect: float) -> float:
    return (-_ALPHA + math.sqrt(_ALPHA**2 + 4 * _BETA * effect)) / (2 * _BETA)


def _curves(pairs: dict[str, tuple[float, float]], *, per_gy: float = 1.0, whole: float = 1.0) -> Curves:
    """Curves of all lines; ``per_gy`` and ``whole`` are what a gray and a survival of 1 are drawn as."""
    doses = [_LARGEST_DOSE_GY * step / (_POINTS - 1) for step in range(_POINTS)]
    return {
        line: ([per_gy * dose for dose in doses], [whole * _survival(dose, *pair) for dose in doses])
        for line, pair in pairs.items()
    }


def _cells(random: Random) -> dict[str, float]:
    return {
        "dose_gy": random.uniform(1.0, 8.0),
        "alpha_per_gy": random.uniform(0.1, 0.5),
        "beta_per_gy2": random.uniform(0.01, 0.06),
    }


def _all_survive_without_dose(function: Callable[..., Any], random: Random) -> bool:
    return math.isclose(function(**_cells(random) | {"dose_gy": 0.0}), 1.0, abs_tol=1e-9)


def _falls(function: Callable[..., Any], random: Random) -> bool:
    drawn = _cells(random)
    more = drawn | {"dose_gy": drawn["dose_gy"] + 1.0}
    return bool(function(**more) < function(**drawn))


_ENERGY = Choice(
    "q1",
    asks="A dose of 2 Gy leaves about half of the cells of this tutorial alive. By how much does it warm them?",
    options={
        "a": "by about 8 degrees",
        "b": "by about half a degree",
        "c": "by about half a thousandth of a degree",
        "d": "not at all",
    },
    right="c",
    slips={
        "a": "You multiplied dose and heat capacity. How much does water warm up if it needs 4.18 kJ per kg for one "
        "degree, and gets only a few joules? Less than a degree: divide.",
        "b": "This is a factor of 1000 off: the heat capacity of water is in kJ per kg and degree, the gray is J per "
        "kg. Watch the k.",
        "d": "Absorbed energy does not vanish: nearly all of it ends as heat. Calorimeters of standards laboratories "
        "measure dose by just that warming.",
    },
    because="2 J/kg over 4180 J/(kg K) are 0.48 mK. It is not heat that kills: the energy comes in packets large "
    "enough to break a DNA molecule, and some of the breaks are not repaired.",
    hints=(
        "A gray is a joule per kilogram. How many joules does it take to warm a kilogram of water by one degree?",
        "Warming = dose / specific heat capacity, with 4180 J/(kg K) for water.",
        "print(2 / 4180)  # in degrees",
    ),
    read="the cell on dose, at the start",
)

_FRACTION = Number(
    "q2",
    asks="Surviving fraction of CAL 33 at 2 Gy in experiment e1",
    expected=lambda: (_COLONIES / _CELLS) / (_CONTROL_COLONIES / _CONTROL_CELLS),
    unit="1",
    rtol=0.005,
    slips=(
        Slip(
            value=_COLONIES / _CELLS,
            says="The plating efficiency is not divided out: even of unirradiated cells only some found a colony. "
            "What you have is colonies over cells at 2 Gy; compare it with the same at 0 Gy.",
            name="plating efficiency not divided out",
        ),
        Slip(
            value=_COLONIES / _CONTROL_COLONIES,
            says="These are colonies over colonies. The irradiated dish got more cells than the control, so first "
            "divide each count by its own number of cells.",
            name="cells seeded ignored",
        ),
        Slip(
            value=_COLONIES / _CELLS * _CONTROL_COLONIES / _CONTROL_CELLS,
            says="The plating efficiency was multiplied in. It has to come out: the cells that would not have grown "
            "anyway must not count as killed.",
            name="multiplied by plating efficiency",
        ),
        Slip(
            value=_CONTROL_COLONIES / _CONTROL_CELLS,
            says="This is the plating efficiency, the share of unirradiated cells that found a colony. It is the step "
            "before.",
            name="plating efficiency itself",
        ),
        Slip(
            value=1 - (_COLONIES / _CELLS) / (_CONTROL_COLONIES / _CONTROL_CELLS),
            says="This is the fraction killed; the surviving fraction is what is left.",
            name="fraction killed",
        ),
    ),
    because="Of 3000 cells, 607 would have founded a colony without radiation (plating efficiency 0.202); 323 still "
    "did.",
    hints=(
        "How many colonies would the 3000 cells have founded if they had not been irradiated?",
        "Plating efficiency PE = colonies / cells at 0 Gy. Surviving fraction = colonies / (cells x PE).",
        "plating_efficiency = ... / ...\nanswer = ... / (... * plating_efficiency)",
    ),
    read="the cells on plating efficiency and surviving fraction",
)

_THREE_TIMES = Choice(
    "q3",
    asks="2 Gy leave one half of some cells, each killed by a single hit. Three times the dose, 6 Gy, leaves:",
    options={
        "a": "none",
        "b": "one sixth (1/2 divided by 3)",
        "c": "one eighth (1/2 three times over)",
        "d": "one half",
    },
    right="c",
    slips={
        "a": "You took off another half of the first cells with every 2 Gy. But each 2 Gy can only kill a half of "
        "those that are still alive.",
        "b": "Three times the dose is not a third of the survivors. Do it in steps: what is left after 2, after 4, "
        "after 6 Gy?",
        "d": "Every further 2 Gy does its damage too: radiation does not know what it did before.",
    },
    because="Each 2 Gy leaves a half of what the one before left. Equal steps of dose, equal factors: an exponential, "
    "and a straight line on a logarithmic axis.",
    hints=(
        "Give the dose in three steps of 2 Gy. Which cells does the second step act upon?",
        "Survival after equal steps is a product: S(3 x d) = S(d) x S(d) x S(d).",
        "print(0.5 ** 3)",
    ),
    read="the cell on single hits",
)

_EVENTS = Number(
    "q4",
    asks="Mean number of lethal events per cell where 10 % survive",
    expected=lambda: math.log(10),
    unit="1",
    rtol=0.005,
    slips=(
        Slip(
            value=1.0,
            says="You used the logarithm to base 10 (`log10`). Poisson's e^(-events) is undone by the natural "
            "logarithm.",
            name="log10 for ln",
        ),
        Slip(
            value=-math.log(10),
            says="A mean number of events cannot be negative: S = e^(-events), so the minus sign belongs on the other "
            "side.",
            name="sign",
        ),
        Slip(
            value=0.9,
            says="90 % are killed, but not each by one event: some cells get two or three. Counting killed cells "
            "misses these.",
            name="counted killed cells",
        ),
        Slip(
            value=-math.log(0.9),
            says="This takes 90 % as the survivors. 10 % survive, 90 % are killed.",
            name="killed and surviving exchanged",
        ),
        Slip(
            value=math.exp(-0.1),
            says="This is e^(-0.1), the survival after 0.1 events. You need the way back: which number of events "
            "gives a survival of 0.1?",
            name="exponential for logarithm",
        ),
    ),
    because="A cell has ln 10, about 2.3, lethal events on average, and e^-2.3 = 10 % have none. Most killed cells "
    "were killed more than once.",
    hints=(
        "A cell survives when it has no lethal event at all. What is Poisson's probability of none?",
        "S = e^(-m) for a mean number m of events. Solve for m.",
        "answer = -math.log(...)",
    ),
    read="the cell on counting events",
)

_FUNCTION = Function(
    "q5",
    asks="surviving_fraction(dose_gy, alpha_per_gy, beta_per_gy2), the linear-quadratic model",
    reference=_survival,
    draw=_cells,
    rtol=1e-6,
    slips=(
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(-alpha_per_gy * dose_gy),
            says="The quadratic term is missing: your function has alpha D, but not beta D^2.",
            name="beta D^2 forgotten",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(-beta_per_gy2 * dose_gy**2),
            says="The linear term is missing: your function has beta D^2, but not alpha D.",
            name="alpha D forgotten",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(
                -alpha_per_gy * dose_gy - beta_per_gy2 * dose_gy
            ),
            says="The dose beside beta is not squared. beta has the unit 1/Gy^2: only D^2 makes a pure number of it.",
            name="beta D, not squared",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(
                -alpha_per_gy * dose_gy + beta_per_gy2 * dose_gy**2
            ),
            says="beta D^2 has the wrong sign: both terms kill. Put the sum into brackets behind the minus.",
            name="plus beta D^2",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(
                alpha_per_gy * dose_gy + beta_per_gy2 * dose_gy**2
            ),
            says="The minus sign is missing: your survival grows with dose and is above 1.",
            name="minus forgotten",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: -alpha_per_gy * dose_gy - beta_per_gy2 * dose_gy**2,
            says="This is the logarithm of survival. The exponential function around it is missing.",
            name="ln S instead of S",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: (
                10 ** (-alpha_per_gy * dose_gy - beta_per_gy2 * dose_gy**2)
            ),
            says="The power of 10 stands where the power of e belongs: alpha and beta count events, and Poisson's "
            "formula has e.",
            name="10^ instead of e^",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(
                -alpha_per_gy * dose_gy - (beta_per_gy2 * dose_gy) ** 2
            ),
            says="beta is squared together with the dose. Only the dose is: `beta_per_gy2 * dose_gy**2`, without "
            "brackets.",
            name="(beta D)^2",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: math.exp(
                -beta_per_gy2 * dose_gy - alpha_per_gy * dose_gy**2
            ),
            says="alpha and beta are exchanged: alpha goes with the dose, beta with its square.",
            name="alpha and beta exchanged",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: 1 - _survival(dose_gy, alpha_per_gy, beta_per_gy2),
            says="This is the fraction killed; the function should return the fraction that survives.",
            name="fraction killed",
        ),
        Slip(
            value=lambda dose_gy, alpha_per_gy, beta_per_gy2: 100 * _survival(dose_gy, alpha_per_gy, beta_per_gy2),
            says="This is survival in percent; the function should return a fraction between 0 and 1.",
            name="percent",
        ),
    ),
    invariants=(
        Invariant(says="Without dose every cell survives: S(0) must be 1.", holds=_all_survive_without_dose),
        Invariant(says="More dose must leave fewer cells, but your function does not fall with dose.", holds=_falls),
    ),
    because="Your function was called with other doses and other cells than you see here, and was right each time.",
    hints=(
        "First write down the mean number of lethal events, which has two parts; then Poisson's probability of none.",
        "S = e^-(alpha D + beta D^2)",
        "events = alpha_per_gy * ... + beta_per_gy2 * ...\nreturn math.exp(...)",
    ),
    read="the cell on the linear-quadratic model",
)

_RATIO = Number(
    "q6",
    asks="Dose at which CAL 33 cells have as many linear as quadratic lethal events",
    expected=lambda: _ALPHA / _BETA,
    unit="Gy",
    rtol=0.005,
    slips=(
        Slip(
            value=_BETA / _ALPHA,
            says="This is upside down, beta/alpha, and in 1/Gy. Set alpha D equal to beta D^2 and solve for D.",
            name="alpha/beta upside down",
        ),
        Slip(
            value=math.sqrt(_ALPHA / _BETA),
            says="No root is needed: in alpha D = beta D^2 one D cancels. The unit tells, too: alpha/beta is in Gy "
            "already.",
            name="square root",
        ),
        Slip(
            value=_ALPHA * _BETA,
            says="This is the product of both; its unit would be 1/Gy^3. Set alpha D equal to beta D^2 and solve for "
            "D.",
            name="product",
        ),
        Slip(
            value=_ALPHA / _BETA / 2,
            says="A factor 2 has crept in: at this dose the slopes are equal (alpha = 2 beta D), not the numbers of "
            "events.",
            name="equal slopes",
        ),
    ),
    because="At alpha/beta both parts are equal: below it the curve is mostly straight, above it it bends. This one "
    "number decides how cells answer to fractionation, which is tutorial 4.",
    hints=(
        "Two kinds of events, alpha D and beta D^2. Which grows faster? Somewhere they meet.",
        "alpha D = beta D^2; divide both sides by D.",
        "answer = ... / ...",
    ),
    read="the cell on alpha/beta",
)

_TENTH = Number(
    "q7",
    asks="Dose that leaves 10 % of CAL 33 (D10)",
    expected=lambda: _root(math.log(10)),
    unit="Gy",
    rtol=0.003,
    slips=(
        Slip(
            value=math.log(10) / _ALPHA,
            says="The quadratic term is missing: this is the dose for alpha D = ln 10. The beta D^2 kills, too, so "
            "less dose is needed.",
            name="beta D^2 forgotten",
        ),
        Slip(
            value=math.sqrt(math.log(10) / _BETA),
            says="The linear term is missing: this solves beta D^2 = ln 10 alone.",
            name="alpha D forgotten",
        ),
        Slip(
            value=_root(1.0),
            says="You took log10: this is the dose for one lethal event per cell, which leaves e^-1 = 37 %. Use the "
            "natural logarithm.",
            name="log10 for ln",
        ),
        Slip(
            value=(-_ALPHA - math.sqrt(_ALPHA**2 + 4 * _BETA * math.log(10))) / (2 * _BETA),
            says="A quadratic equation has two solutions, and this is the other one: a dose is not negative. Take the "
            "plus before the root.",
            name="negative root",
        ),
        Slip(
            value=_root(-math.log(0.9)),
            says="This is the dose that kills 10 %. Asked is the one that leaves 10 %.",
            name="killed and surviving exchanged",
        ),
        Slip(
            value=_root(0.1),
            says="You set alpha D + beta D^2 equal to the survival 0.1. It equals the mean number of lethal events, "
            "from q4.",
            name="survival for its logarithm",
        ),
        Slip(
            value=(-_ALPHA + math.sqrt(_ALPHA**2 + 4 * _BETA * math.log(10))) / 2,
            says="The division by beta was lost: the formula ends in 2 beta, not in 2.",
            name="divided by 2 only",
        ),
        Slip(
            value=(-_ALPHA + math.sqrt(_ALPHA**2 + 4 * _BETA * math.log(10))) / 2 * _BETA,
            says="`/ 2 * beta` divides by 2 and then multiplies by beta. Put brackets: `/ (2 * beta)`.",
            name="brackets around 2 beta",
        ),
    ),
    because="D10 has the unit Gy and lies within the doses that were measured; two lines are compared at a level like "
    "this.",
    hints=(
        "How many lethal events per cell does 10 % survival take? You found it in q4.",
        "alpha D + beta D^2 = ln 10, so D = [-alpha + sqrt(alpha^2 + 4 beta ln 10)] / (2 beta).",
        "answer = (-alpha + math.sqrt(... + 4 * beta * ...)) / (2 * beta)",
    ),
    read="the cell on D10",
)

_CROSSING = Choice(
    "q8",
    asks="Up to 6 Gy, CAL 33 survives better than OKF6/TERT1. Carried on to 12 Gy, the two curves:",
    options={
        "a": "never meet again: the more resistant line stays so",
        "b": "meet at 12 Gy, where nothing survives",
        "c": "cross: CAL 33 bends more and is the more sensitive line in the end",
        "d": "run side by side at a constant distance",
    },
    right="c",
    slips={
        "a": "alpha decides at small doses and beta at large ones. Which line has the larger beta?",
        "b": "An exponential never reaches 0: at 12 Gy a few cells in 100 000 are still alive, and on a logarithmic "
        "axis that is a point like any other.",
        "d": "Parallel curves on a logarithmic axis would need the same beta. Compare 0.0489 and 0.0210.",
    },
    because="They cross near 9 Gy, where the difference of the alphas equals that of the betas times the dose. It lies "
    "beyond the doses measured, so it is an extrapolation: draw it now and keep that in mind.",
    hints=(
        "One line has the larger alpha, the other one the larger beta. Which of the two wins at a large dose?",
        "The curves meet where alpha1 D + beta1 D^2 = alpha2 D + beta2 D^2.",
        "print((0.519 - 0.268) / (0.0489 - 0.0210))  # in Gy",
    ),
    read="the cell before the figure",
)

_FIGURE = Figure(
    "q9",
    asks="Survival of both lines from 0 to 12 Gy on a logarithmic axis",
    curves=_curves(_COEFFICIENTS),
    x_unit="Gy",
    y_unit="1",
    y_scale="log",
    rtol=0.02,
    slips=(
        Slip(
            value=_curves({line: (alpha, 0.0) for line, (alpha, _) in _COEFFICIENTS.items()}),
            says="Both curves are straight: the beta D^2 is missing.",
            name="beta D^2 forgotten",
        ),
        Slip(
            value=_curves({line: (beta, alpha) for line, (alpha, beta) in _COEFFICIENTS.items()}),
            says="alpha and beta are exchanged: these curves fall far too steeply.",
            name="alpha and beta exchanged",
        ),
        Slip(
            value=_curves(_COEFFICIENTS, per_gy=100.0),
            says="Your horizontal axis runs to 1200: that looks like cGy. Draw the dose in Gy, as the coefficients "
            "are per Gy.",
            name="dose in cGy",
        ),
        Slip(
            value=_curves(_COEFFICIENTS, whole=100.0),
            says="Your curves begin at 100: that is percent. A surviving fraction begins at 1.",
            name="percent",
        ),
    ),
    because="Straight at first, bent later; and the line that looked resistant ends below the other.",
    hints=(
        "Two calls of axis.plot, each with a label, and one of axis.set_yscale.",
        "axis.plot(x, y, label=...) with x from 0 to 12 Gy and y = e^-(alpha D + beta D^2); axis.set_yscale('log').",
        "for line, pair in coefficients.items():\n    axis.plot(dose_gy, ..., label=line)\naxis.set_yscale(...)",
    ),
    read="the cell before the figure",
)

_STATEMENTS = Several(
    "q10",
    asks="Which of these statements are true?",
    options={
        "a": "S(0) = 1 follows from dividing by the plating efficiency, whatever the cells are like",
        "b": "a plating efficiency of 0.2 means that the radiation killed 80 % of the cells",
        "c": "seeding more cells at higher doses changes the surviving fraction",
        "d": "on a logarithmic axis a straight line means that beta is 0",
        "e": "at 37 % survival there is one lethal event per cell on average, yet 37 % of the cells have none",
    },
    right="ade",
    slips={
        "a": "Look at a again: at 0 Gy the surviving fraction divides the plating efficiency by itself.",
        "b": "Look at b again: the plating efficiency is measured without radiation.",
        "c": "Look at c again: cells seeded are divided out. They are chosen so that each dish has colonies enough to "
        "count.",
        "d": "Look at d again: ln S = -alpha D - beta D^2. When is that a straight line in D?",
        "e": "Look at e again: events fall upon cells at random, and move the slider of the dose until one event per "
        "cell is reached.",
    },
    because="That is the vocabulary of every survival curve you will meet.",
    hints=(
        "Two of the five confuse what the dish does with what the radiation does.",
        "SF = (colonies / cells) / PE; ln S = -alpha D - beta D^2; S = e^-m.",
        'answer = "..."  # the letters of all true statements, as in "bc"',
    ),
    read="all of part 1",
)

LESSON = Lesson(
    title="Dose, survival and the linear-quadratic model",
    minutes=45,
    goals=(
        "say what a gray is, and why so little energy does so much",
        "turn counts of colonies into a surviving fraction",
        "write the linear-quadratic model, and say what alpha, beta and alpha/beta mean",
        "find the dose for a given survival, draw survival curves and read them",
    ),
    questions=(
        _ENERGY, _FRACTION, _THREE_TIMES, _EVENTS, _FUNCTION, _RATIO, _TENTH, _CROSSING, _FIGURE, _STATEMENTS,
    ),
)  # fmt: skip
