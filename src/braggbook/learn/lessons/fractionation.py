"""Tutorial 4: fractionation, BED and EQD2.

Formulas: G. W. Barendsen, Int J Radiat Oncol Biol Phys 8 (1982) 1981; J. F. Fowler, Br J Radiol 62 (1989) 679;
H. R. Withers, H. D. Thames and L. J. Peters, Radiother Oncol 1 (1983) 187.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Several, Slip

Curves = dict[str, tuple[list[float], list[float]]]

_SCHEDULES = {"78 Gy in 39": (39, 2.0), "60 Gy in 20": (20, 3.0), "42.7 Gy in 7": (7, 6.1)}
_RATIOS = [1.0 + 0.1 * step for step in range(91)]  # alpha/beta in Gy, 1 to 10


def _bed(fractions: float, dose_per_fraction_gy: float, alpha_beta_gy: float) -> float:
    return fractions * dose_per_fraction_gy * (1 + dose_per_fraction_gy / alpha_beta_gy)


def _eqd2(fractions: float, dose_per_fraction_gy: float, alpha_beta_gy: float) -> float:
    return _bed(fractions, dose_per_fraction_gy, alpha_beta_gy) / (1 + 2 / alpha_beta_gy)


def _schedule(random: Random) -> dict[str, float]:
    return {
        "fractions": random.randint(3, 40),
        "dose_per_fraction_gy": random.uniform(2.5, 8.0),
        "alpha_beta_gy": random.uniform(1.3, 9.0),
    }


def _not_below_dose(function: Callable[..., Any], random: Random) -> bool:
    drawn = _schedule(random)
    return bool(function(**drawn) >= drawn["fractions"] * drawn["dose_per_fraction_gy"])


def _splitting_spares(function: Callable[..., Any], random: Random) -> bool:
    drawn = _schedule(random)
    split = drawn | {"fractions": 2 * drawn["fractions"], "dose_per_fraction_gy": drawn["dose_per_fraction_gy"] / 2}
    return bool(function(**split) < function(**drawn))


def _two_gray_stay(function: Callable[..., Any], random: Random) -> bool:
    drawn = _schedule(random) | {"dose_per_fraction_gy": 2.0}
    return math.isclose(function(**drawn), 2.0 * drawn["fractions"], rel_tol=1e-6)


def _more_than_two_gray_count_more(function: Callable[..., Any], random: Random) -> bool:
    drawn = _schedule(random)
    return bool(function(**drawn) > drawn["fractions"] * drawn["dose_per_fraction_gy"])


def _curves(effect: Callable[[float, float, float], float], *, per_gy: float = 1.0) -> Curves:
    return {
        name: (_RATIOS, [per_gy * effect(*schedule, ratio) for ratio in _RATIOS])
        for name, schedule in _SCHEDULES.items()
    }


_SPLIT = Choice(
    "q1",
    asks="6 Gy at once, or 2 Gy on each of three days: which leaves fewer of the same cells alive?",
    options={
        "a": "6 Gy at once",
        "b": "three times 2 Gy",
        "c": "the same: 6 Gy are 6 Gy",
        "d": "that depends on the plating efficiency",
    },
    right="a",
    slips={
        "b": "More visits are not more damage. Between fractions cells repair what one track alone did not kill; that "
        "spares them.",
        "c": "The linear events are the same, yes. But the quadratic ones need two tracks that meet, and damage that "
        "was repaired overnight meets nothing: compare 6^2 with 2^2 + 2^2 + 2^2.",
        "d": "Plating efficiency is divided out of every survival; it is the same in both dishes.",
    },
    because="beta x 36 Gy^2 at once, beta x 12 Gy^2 in three. Fractionation spares, and it spares those most whose "
    "beta is large beside alpha.",
    hints=(
        "Write down the mean number of lethal events for 6 Gy, and for 2 Gy three times.",
        "Once: alpha D + beta D^2. In n fractions: n (alpha d + beta d^2).",
        "print(0.0489 * 6**2, 3 * 0.0489 * 2**2)  # the quadratic events of CAL 33",
    ),
    read="the cell on splitting a dose",
)

_FIRST_BED = Number(
    "q2",
    asks="BED of 20 fractions of 2.75 Gy for alpha/beta = 10 Gy",
    expected=_bed(20, 2.75, 10),
    unit="Gy",
    rtol=0.002,
    slips=(
        Slip(value=55.0, says="This is the total dose. The factor 1 + d/(alpha/beta) is missing.", name="total dose"),
        Slip(
            value=55 * (1 + 10 / 2.75),
            says="alpha/beta is upside down in the bracket: it has to be d over alpha/beta. Check: small fractions "
            "must come out weaker.",
            name="alpha/beta upside down",
        ),
        Slip(
            value=55 * (1 + 55 / 10),
            says="You put the total dose into the bracket. The quadratic part belongs to a single visit: the dose per "
            "fraction goes there.",
            name="total dose for dose per fraction",
        ),
        Slip(
            value=_bed(1, 2.75, 10),
            says="This is the BED of one fraction. The patient comes twenty times.",
            name="one fraction only",
        ),
        Slip(
            value=55 * 0.275,
            says="The 1 in the bracket is missing: this is the quadratic part alone.",
            name="1 + forgotten",
        ),
        Slip(
            value=55 * (1 + 2.75**2 / 10),
            says="The dose per fraction is squared twice: n d (1 + d/(alpha/beta)) has its square already, once "
            "outside and once inside of the bracket.",
            name="d^2 in the bracket",
        ),
        Slip(
            value=55 + 2.75**2 / 10,
            says="The quadratic part was counted for one fraction only: it is n d^2/(alpha/beta), not "
            "d^2/(alpha/beta).",
            name="d^2 instead of n d^2",
        ),
        Slip(
            value=_eqd2(20, 2.75, 10),
            says="This is the EQD2, which comes later. BED is the step before.",
            name="EQD2 instead of BED",
        ),
    ),
    because="55 Gy in 20 fractions act on such a tumour as 70 Gy would in infinitely many tiny ones. (BED is not a "
    "dose that anybody gives.)",
    hints=(
        "Total dose times a factor above 1. What is the factor for fractions of 2.75 Gy?",
        "BED = n d (1 + d / (alpha/beta)).",
        "answer = 20 * 2.75 * (1 + ... / ...)",
    ),
    read="the cell on BED",
)

_BED = Function(
    "q3",
    asks="bed(fractions, dose_per_fraction_gy, alpha_beta_gy) in Gy",
    reference=_bed,
    draw=_schedule,
    unit="Gy",
    slips=(
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: fractions * dose_per_fraction_gy,
            says="Your function gives the total dose; the factor 1 + d/(alpha/beta) is missing.",
            name="total dose",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                fractions * dose_per_fraction_gy * (1 + alpha_beta_gy / dose_per_fraction_gy)
            ),
            says="alpha/beta is upside down: the bracket has the dose per fraction over alpha/beta.",
            name="alpha/beta upside down",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                fractions * dose_per_fraction_gy * (1 + fractions * dose_per_fraction_gy / alpha_beta_gy)
            ),
            says="The total dose stands in the bracket, where the dose per fraction belongs.",
            name="total dose for dose per fraction",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: _bed(1, dose_per_fraction_gy, alpha_beta_gy),
            says="The number of fractions is not used: this is the BED of one fraction.",
            name="one fraction only",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                fractions * dose_per_fraction_gy + dose_per_fraction_gy**2 / alpha_beta_gy
            ),
            says="Only one fraction has its quadratic part: n d + d^2/(alpha/beta) lacks an n.",
            name="d^2 instead of n d^2",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                fractions * dose_per_fraction_gy * (1 + dose_per_fraction_gy * alpha_beta_gy)
            ),
            says="The dose per fraction is multiplied by alpha/beta. Divide: the bracket must be a pure number.",
            name="multiplied by alpha/beta",
        ),
        Slip(
            value=_eqd2,
            says="This is the EQD2. BED has no division by 1 + 2/(alpha/beta).",
            name="EQD2 instead of BED",
        ),
    ),
    invariants=(
        Invariant(says="A BED is never below the physical dose, but yours was.", holds=_not_below_dose),
        Invariant(
            says="The same total dose in twice as many fractions must have a lower BED; yours has not.",
            holds=_splitting_spares,
        ),
    ),
    because="It was tried on schedules that you do not see here. And it does what BED must: it is never below the "
    "dose, and splitting lowers it.",
    hints=(
        "You did it with numbers in q2; now with names.",
        "BED = n d (1 + d / (alpha/beta)).",
        "return fractions * dose_per_fraction_gy * (1 + ...)",
    ),
    read="the cell on BED",
)

_EQD2 = Function(
    "q4",
    asks="eqd2(fractions, dose_per_fraction_gy, alpha_beta_gy) in Gy",
    reference=_eqd2,
    draw=_schedule,
    unit="Gy",
    slips=(
        Slip(
            value=_bed,
            says="This is the BED. It still has to be divided by the factor of 2 Gy fractions, 1 + 2/(alpha/beta).",
            name="BED instead of EQD2",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: fractions * dose_per_fraction_gy,
            says="This is the physical dose: BED was divided by its own factor, with d. EQD2 divides by that of 2 Gy.",
            name="total dose",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                fractions * dose_per_fraction_gy * (2 + alpha_beta_gy) / (dose_per_fraction_gy + alpha_beta_gy)
            ),
            says="The fraction is upside down: with large fractions EQD2 must be above the physical dose, and yours is "
            "below.",
            name="upside down",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                _bed(fractions, dose_per_fraction_gy, alpha_beta_gy) / (1 + alpha_beta_gy / 2)
            ),
            says="alpha/beta is upside down in the divisor: it is 1 + 2/(alpha/beta).",
            name="alpha/beta upside down",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                _bed(fractions, dose_per_fraction_gy, alpha_beta_gy) / 2
            ),
            says="BED over 2 would be a number of fractions of BED 2, which are not fractions of 2 Gy. Divide by "
            "1 + 2/(alpha/beta).",
            name="divided by 2",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: _eqd2(fractions, dose_per_fraction_gy, 10.0),
            says="You used 10 Gy, whatever alpha/beta was given. It is an argument because it differs from tissue to "
            "tissue.",
            name="alpha/beta fixed at 10",
        ),
        Slip(
            value=lambda fractions, dose_per_fraction_gy, alpha_beta_gy: (
                _bed(fractions, dose_per_fraction_gy, alpha_beta_gy) * (1 + 2 / alpha_beta_gy)
            ),
            says="You multiplied by the factor of 2 Gy fractions; it has to be divided out.",
            name="multiplied instead of divided",
        ),
    ),
    invariants=(
        Invariant(says="Fractions of 2 Gy are their own EQD2; with your function they are not.", holds=_two_gray_stay),
        Invariant(
            says="Above 2 Gy per fraction EQD2 must exceed the physical dose; yours does not.",
            holds=_more_than_two_gray_count_more,
        ),
    ),
    because="2 Gy fractions stay what they are, larger ones count for more. That is why the clinic talks in EQD2: "
    "everybody has a feeling for 2 Gy.",
    hints=(
        "Which total dose in 2 Gy fractions has the same BED?",
        "EQD2 = BED / (1 + 2 / (alpha/beta)) = D (d + alpha/beta) / (2 + alpha/beta).",
        "return bed(fractions, dose_per_fraction_gy, alpha_beta_gy) / (...)",
    ),
    read="the cell on EQD2",
)

_LATE = Number(
    "q5",
    asks="EQD2 of 60 Gy in 20 fractions for late damage of the rectum (alpha/beta = 3 Gy)",
    expected=_eqd2(20, 3.0, 3.0),
    unit="Gy",
    rtol=0.003,
    slips=(
        Slip(
            value=_eqd2(20, 3.0, 1.4),
            says="This is the EQD2 for the tumour: you took the alpha/beta of prostate cancer for the rectum. Each "
            "tissue has its own.",
            name="tumour's alpha/beta for late tissue",
        ),
        Slip(
            value=_eqd2(20, 3.0, 10.0),
            says="10 Gy is the usual value for tissues that react early, and for many tumours. Late damage of the "
            "rectum has a lower one.",
            name="early alpha/beta for late tissue",
        ),
        Slip(
            value=_bed(20, 3.0, 3.0), says="This is the BED; divide by 1 + 2/(alpha/beta).", name="BED instead of EQD2"
        ),
        Slip(
            value=60 * 5 / 6,
            says="The fraction is upside down: fractions of 3 Gy hurt a late tissue more than 60 Gy in 2 Gy fractions "
            "would, not less.",
            name="upside down",
        ),
        Slip(
            value=60.0, says="This is the physical dose, as if 3 Gy fractions were 2 Gy fractions.", name="total dose"
        ),
        Slip(
            value=_bed(20, 3.0, 3.0) / (1 + 3.0 / 2),
            says="alpha/beta is upside down in the divisor: it is 1 + 2/(alpha/beta).",
            name="alpha/beta upside down",
        ),
    ),
    because="For the rectum, 60 Gy in 20 fractions are like 72 Gy in 36, which is less than the 78 Gy in 39 of the "
    "other arm; for the tumour they are like 77.6 Gy. That difference is the whole idea.",
    hints=(
        "The same function, another tissue: which alpha/beta belongs to the organ that you ask about?",
        "EQD2 = D (d + alpha/beta) / (2 + alpha/beta), with the alpha/beta of the rectum.",
        "answer = eqd2(20, 3.0, ...)",
    ),
    read="the cell on early and late tissues",
)

_WHAT_IT_SAYS = Choice(
    "q6",
    asks="78 Gy in 39 and 60 Gy in 20 fractions controlled prostate cancer about equally. What does this say of its "
    "alpha/beta?",
    options={
        "a": "it is high, about 10 Gy, as in most tumours",
        "b": "it is low: 18 Gy less, in larger fractions, did the same",
        "c": "nothing without knowing alpha and beta one by one",
        "d": "it must be 0",
    },
    right="b",
    slips={
        "a": "With 10 Gy, 60 Gy in 20 fractions would be worth 65 Gy in 2 Gy fractions, 13 Gy less than the other "
        "arm. That would have been seen.",
        "c": "Equal effect means equal BED, and in the BED only the ratio is left: one equation, one unknown.",
        "d": "With alpha/beta = 0 only n d^2 counts, and 20 x 3^2 = 180 is not 39 x 2^2 = 156.",
    },
    because="Large fractions make up for much less dose only where beta is large beside alpha. Now put a number to it.",
    hints=(
        "If alpha/beta were very high, only the total dose would count. Did it?",
        "Equal effect means 60 (1 + 3/(alpha/beta)) = 78 (1 + 2/(alpha/beta)).",
        "print(eqd2(20, 3.0, 10), eqd2(39, 2.0, 10))",
    ),
    read="the cell on the PROFIT trial",
)

_ISOEFFECT = Number(
    "q7",
    asks="alpha/beta at which 78 Gy in 39 and 60 Gy in 20 fractions have the same BED",
    expected=(60 * 3 - 78 * 2) / (78 - 60),
    unit="Gy",
    rtol=0.005,
    slips=(
        Slip(
            value=(78 - 60) / (60 * 3 - 78 * 2),
            says="This is upside down, beta/alpha in 1/Gy. Solve the equation for alpha/beta.",
            name="alpha/beta upside down",
        ),
        Slip(
            value=-(60 * 3 - 78 * 2) / (78 - 60),
            says="An alpha/beta below 0 has no meaning here. A sign was lost when the terms changed sides.",
            name="sign",
        ),
        Slip(
            value=(78 * 3 - 60 * 2) / (78 - 60),
            says="The doses per fraction are exchanged: 78 Gy were given in fractions of 2 Gy, 60 Gy in fractions of "
            "3 Gy.",
            name="doses per fraction exchanged",
        ),
        Slip(
            value=(3**2 - 2**2) / (78 - 60),
            says="The numbers of fractions are missing: each schedule has n d^2 in its quadratic part.",
            name="d^2 instead of n d^2",
        ),
        Slip(
            value=(60 * 3 - 78 * 2) / (78 + 60),
            says="The total doses belong on one side of the equation, with a minus between them.",
            name="sum instead of difference",
        ),
    ),
    because="About 1.3 Gy, in line with 1.4 Gy (0.9 to 2.2) of a large comparison of series (Miralbell et al. 2012). "
    "One trial alone gives it no useful interval; seven comparisons together are in the notebook "
    "`fractionation_and_outcome`.",
    hints=(
        "Write both BEDs with an unknown alpha/beta, set them equal, multiply by alpha/beta.",
        "60 + 60 x 3/(alpha/beta) = 78 + 78 x 2/(alpha/beta).",
        "answer = (60 * 3 - ...) / (78 - ...)",
    ),
    read="the cell on the PROFIT trial",
)

_FIGURE = Figure(
    "q8",
    asks="EQD2 of three schedules against alpha/beta from 1 to 10 Gy",
    curves=_curves(_eqd2),
    x_unit="Gy",
    y_unit="Gy",
    rtol=0.01,
    slips=(
        Slip(
            value=_curves(_bed),
            says="These are BEDs: 78 Gy in 39 fractions should be a level line at 78 Gy, whatever alpha/beta is.",
            name="BED instead of EQD2",
        ),
        Slip(
            value=_curves(_eqd2, per_gy=100.0),
            says="The vertical axis is in the thousands: that looks like cGy. Draw Gy.",
            name="EQD2 in cGy",
        ),
        Slip(
            value=_curves(lambda n, d, ratio: _eqd2(n, d, 1 / ratio)),
            says="alpha/beta is upside down: 1 over the horizontal axis was used.",
            name="alpha/beta upside down",
        ),
    ),
    because="At 1.4 Gy the short schedules are worth as much as the long one, or more; at 10 Gy far less. The same "
    "schedules: what they are worth depends on a number that nobody knows well.",
    hints=(
        "Three calls of axis.plot; eqd2 also takes a whole array of alpha/beta.",
        "x: alpha/beta from 1 to 10 Gy. y: D (d + x) / (2 + x), one line for each schedule.",
        "axis.plot(ratios, eqd2(39, 2.0, ratios), label=...)",
    ),
    read="the cell before the figure",
)

_LOSS = math.log(2) * (46 - 28) / (0.3 * 3)
_TIME = Number(
    "q9",
    asks="BED of 70 Gy in 35 fractions over 46 days, repopulation from day 28 on",
    expected=_bed(35, 2.0, 10.0) - _LOSS,
    unit="Gy",
    rtol=0.003,
    slips=(
        Slip(
            value=_bed(35, 2.0, 10.0) - math.log(2) * 46 / (0.3 * 3),
            says="You let the tumour repopulate from the first day on. It begins at day 28: only the days after count.",
            name="kick-off forgotten",
        ),
        Slip(
            value=_bed(35, 2.0, 10.0) - (46 - 28) / (0.3 * 3),
            says="The ln 2 is missing: a doubling time is not the time of growing by a factor e.",
            name="ln 2 forgotten",
        ),
        Slip(
            value=_bed(35, 2.0, 10.0) - math.log10(2) * (46 - 28) / (0.3 * 3),
            says="You took log10(2); doubling in an exponential law goes with the natural logarithm.",
            name="log10 for ln",
        ),
        Slip(
            value=_bed(35, 2.0, 10.0) - math.log(2) * (46 - 28) / 3,
            says="alpha is missing: ln 2 x days / doubling time counts cells that were born; dividing by alpha turns "
            "them into the dose that kills them.",
            name="alpha forgotten",
        ),
        Slip(
            value=_bed(35, 2.0, 10.0) + _LOSS,
            says="Repopulation takes effect away from the treatment: the term is subtracted.",
            name="sign",
        ),
        Slip(
            value=_LOSS,
            says="This is what is lost. Asked is what is left: subtract it from the BED without time.",
            name="loss only",
        ),
        Slip(
            value=70 - _LOSS,
            says="You subtracted the loss from the physical dose. It is a loss of BED.",
            name="dose instead of BED",
        ),
        Slip(
            value=_bed(35, 2.0, 10.0),
            says="This is the BED without time: repopulation is missing.",
            name="repopulation forgotten",
        ),
    ),
    because="Eighteen days cost 13.9 Gy of BED, 0.77 Gy for each day. That is why gaps in the treatment of fast "
    "tumours are made up for.",
    hints=(
        "First the BED without time; then: for how many days did the tumour grow back?",
        "BED = n d (1 + d/(alpha/beta)) - ln 2 (T - Tk) / (alpha Td).",
        "answer = bed(35, 2.0, 10.0) - math.log(2) * (... - ...) / (... * ...)",
    ),
    read="the cell on overall time",
)

_LEFT_OUT = Several(
    "q10",
    asks="Which of these does BED = n d (1 + d/(alpha/beta)) leave out?",
    options={
        "a": "damage that is not yet repaired when the next fraction comes",
        "b": "tumour cells that are born during the treatment",
        "c": "how much of an organ gets the dose",
        "d": "that large fractions hurt some tissues more than their total dose says",
        "e": "that tissues differ in how fractionation spares them",
    },
    right="abc",
    slips={
        "a": "Look at a again: the formula takes each fraction as if it met rested cells.",
        "b": "Look at b again: is there a time anywhere in the formula?",
        "c": "Look at c again: one dose, one number. A histogram has many.",
        "d": "Look at d again: what is the d in the bracket for?",
        "e": "Look at e again: which quantity in the formula belongs to the tissue?",
    },
    because="BED knows dose, fractions and one number of the tissue. Time, repair and volume need more, and each has "
    "been seen to matter.",
    hints=(
        "Go through the letters of the formula: n, d, alpha/beta. What is none of them?",
        "In it: number and size of fractions, and the tissue by its alpha/beta.",
        'answer = "..."  # letters, as in "bd"',
    ),
    read="the cells on time and repair",
)

LESSON = Lesson(
    title="Fractionation, BED and EQD2",
    minutes=50,
    goals=(
        "say why splitting a dose spares cells, and which cells it spares most",
        "compute BED and EQD2, and choose the alpha/beta of the tissue that you ask about",
        "read an alpha/beta out of a randomised trial, and say how little one trial tells",
        "name what BED leaves out: time, incomplete repair, volume, and the uncertainty of alpha/beta",
    ),
    questions=(
        _SPLIT, _FIRST_BED, _BED, _EQD2, _LATE, _WHAT_IT_SAYS, _ISOEFFECT, _FIGURE, _TIME, _LEFT_OUT,
    ),
)  # fmt: skip
