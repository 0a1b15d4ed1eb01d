"""Tutorial 2: fitting, and why intervals matter.

The numbers of CAL 33 are the fit by maximum quasi-likelihood with a plating efficiency for each experiment, as the R
package CFAssay gives it: H. Braselmann et al., Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from braggbook.learn import Choice, Figure, Function, Invariant, Lesson, Number, Several, Slip

Curves = dict[str, tuple[list[float], list[float]]]

_PLATES, _EFFICIENCIES, _DF = 24, 4, 18
_DISPERSION, _DEVIANCE = 4.695344078, 83.90757971
_ALPHA_SE, _BETA_SE, _COVARIANCE = 0.0642744703, 0.0103298727, -6.310150506e-4
_NAIVE_SE = _ALPHA_SE / math.sqrt(_DISPERSION)  # as if the counts were Poisson
_COUNT = 4  # colonies on the plate of the figure
_MEANS = [1.0 + 0.1 * step for step in range(131)]  # expected colonies, 1 to 14


def _deviance(observed: Sequence[float], expected: Sequence[float]) -> float:
    return 2 * sum(
        (y * math.log(y / mean) if y > 0 else 0.0) - (y - mean) for y, mean in zip(observed, expected, strict=True)
    )


def _squares(observed: Sequence[float], expected: Sequence[float]) -> float:
    return sum((y - mean) ** 2 for y, mean in zip(observed, expected, strict=True))


def _pearson(observed: Sequence[float], expected: Sequence[float]) -> float:
    return sum((y - mean) ** 2 / mean for y, mean in zip(observed, expected, strict=True))


def _logarithms_only(observed: Sequence[float], expected: Sequence[float]) -> float:
    return 2 * sum(y * math.log(y / mean) if y > 0 else 0.0 for y, mean in zip(observed, expected, strict=True))


def _without_empty(observed: Sequence[float], expected: Sequence[float]) -> float:
    pairs = [(y, mean) for y, mean in zip(observed, expected, strict=True) if y > 0]
    return _deviance([y for y, _ in pairs], [mean for _, mean in pairs])


def _upside_down(observed: Sequence[float], expected: Sequence[float]) -> float:
    return 2 * sum(
        (y * math.log(mean / y) if y > 0 else 0.0) - (y - mean) for y, mean in zip(observed, expected, strict=True)
    )


def _plates(random: Random) -> dict[str, list[float]]:
    expected = [random.uniform(3.0, 200.0) for _ in range(5)]
    observed = [float(max(1, round(random.gauss(mean, math.sqrt(mean))))) for mean in expected]
    return {"observed": [*observed, 0.0], "expected": [*expected, random.uniform(1.0, 5.0)]}


def _perfect_is_zero(function: Callable[..., Any], random: Random) -> bool:
    expected = _plates(random)["expected"]
    return math.isclose(function(observed=list(expected), expected=expected), 0.0, abs_tol=1e-9)


def _never_negative(function: Callable[..., Any], random: Random) -> bool:
    return all(function(**_plates(random)) >= 0 for _ in range(5))


def _drop(mean: float) -> float:
    return 2 * (_COUNT * math.log(_COUNT / mean) - (_COUNT - mean))


def _parabola(mean: float) -> float:
    return (mean - _COUNT) ** 2 / _COUNT


def _curves(exact: Callable[[float], float], parabola: Callable[[float], float]) -> Curves:
    return {
        "deviance": (_MEANS, [exact(mean) for mean in _MEANS]),
        "parabola": (_MEANS, [parabola(mean) for mean in _MEANS]),
    }


_COLONIES = Number(
    "q1",
    asks="Colonies to count for a relative standard error of 5 %",
    expected=400.0,
    unit="1",
    rtol=0.005,
    slips=(
        Slip(
            value=20.0,
            says="The square is missing: sqrt(N)/N is 1/sqrt(N), not 1/N. Solve for N.",
            name="square forgotten",
        ),
        Slip(
            value=math.sqrt(20.0),
            says="You took the root where the square is needed: from 1/sqrt(N) = 0.05 follows sqrt(N) = 20.",
            name="root for square",
        ),
        Slip(
            value=1 / 25,
            says="5 % is 0.05, not 5: put the fraction into the formula.",
            name="percent for fraction",
        ),
        Slip(
            value=(1.96 / 0.05) ** 2,
            says="You asked for 5 % as half the width of a 95 % interval. The question is about one standard error.",
            name="interval for standard error",
        ),
        Slip(
            value=100.0,
            says="100 colonies have a standard error of 10, and that is 10 %.",
            name="ten per cent",
        ),
    ),
    because="sqrt(400) = 20 is 5 % of 400. Half the error takes four times the colonies: that is the price of every "
    "digit.",
    hints=(
        "The standard error of a count N is sqrt(N). What is it relative to N?",
        "Relative error = sqrt(N)/N = 1/sqrt(N). Set it to 0.05.",
        "answer = (1 / ...) ** 2",
    ),
    read="the cell on counting",
)

_NONE_SEEN = Number(
    "q2",
    asks="Largest expected number of colonies under which an empty plate still has a probability of 5 %",
    expected=-math.log(0.05),
    unit="1",
    rtol=0.005,
    slips=(
        Slip(
            value=0.0,
            says="That no colony was seen does not mean that none was expected: with a mean of 1, every third plate "
            "is empty.",
            name="zero",
        ),
        Slip(
            value=-math.log10(0.05),
            says="You took log10; Poisson's e^-m is undone by the natural logarithm.",
            name="log10 for ln",
        ),
        Slip(
            value=-math.log(0.95),
            says="You set the probability of an empty plate to 95 %. It is to be 5 %.",
            name="5 and 95 % exchanged",
        ),
        Slip(
            value=-math.log(0.025),
            says="2.5 % is for a two-sided limit. Here only one side is asked: 5 %.",
            name="two-sided",
        ),
        Slip(
            value=math.log(0.05),
            says="A mean number of colonies cannot be negative: e^-m has a minus of its own.",
            name="sign",
        ),
    ),
    because="About 3, the 'rule of three': nothing seen is an upper limit, and estimate plus or minus standard error "
    "(0 plus or minus 0) would have called it certainty.",
    hints=(
        "What is Poisson's probability of counting 0 where m are expected?",
        "e^-m = 0.05; solve for m.",
        "answer = -math.log(...)",
    ),
    read="the cell on the empty plate",
)

_DEVIANCE_FUNCTION = Function(
    "q3",
    asks="poisson_deviance(observed, expected), two lists of numbers",
    reference=_deviance,
    draw=_plates,
    slips=(
        Slip(
            value=_squares,
            says="This is the sum of squares: it lets a plate of 400 outweigh all others.",
            name="squares",
        ),
        Slip(
            value=_pearson,
            says="This is Pearson's chi-squared. It is near the deviance, but the deviance has logarithms.",
            name="Pearson's chi-squared",
        ),
        Slip(
            value=lambda observed, expected: _deviance(observed, expected) / 2,
            says="The factor 2 in front is missing.",
            name="factor 2 forgotten",
        ),
        Slip(
            value=_logarithms_only,
            says="The second part, -(y - m), is missing. It makes a perfect plate the best one.",
            name="y - m forgotten",
        ),
        Slip(
            value=_without_empty,
            says="Empty plates were left out altogether. Only their logarithm is 0; the part -(0 - m) stays, since an "
            "empty plate where many colonies are expected is bad news.",
            name="empty plates left out",
        ),
        Slip(
            value=_upside_down,
            says="The ratio in the logarithm is upside down: observed over expected.",
            name="ratio upside down",
        ),
    ),
    invariants=(
        Invariant(
            says="Where every plate shows what was expected, the deviance must be 0; yours is not.",
            holds=_perfect_is_zero,
        ),
        Invariant(says="A deviance is never negative; yours was.", holds=_never_negative),
    ),
    because="This is what a fit makes as small as it can. Your function even takes an empty plate, as a good fit must.",
    hints=(
        "A loop over both lists; and think of the plate without colonies before you take its logarithm.",
        "2 x sum of [y ln(y/m) - (y - m)], with y ln(y/m) = 0 for y = 0.",
        "total += (y * math.log(y / m) if y > 0 else 0) - (...)",
    ),
    read="the cell on the deviance",
)

_FIGURE = Figure(
    "q4",
    asks="Deviance of a plate with 4 colonies against the expected number, with the parabola of standard errors",
    curves=_curves(_drop, _parabola),
    rtol=0.02,
    atol=0.01,
    slips=(
        Slip(
            value=_curves(lambda mean: _drop(mean) / 2, _parabola),
            says="The factor 2 of the deviance is missing: near 4 both curves should touch.",
            name="factor 2 forgotten",
        ),
        Slip(
            value=_curves(_drop, lambda mean: (mean - _COUNT) ** 2 / mean),
            says="The parabola divides by the expected number. The usual standard error takes the variance from the "
            "count itself: divide by 4.",
            name="variance of the mean",
        ),
        Slip(
            value=_curves(_drop, lambda mean: (mean - _COUNT) ** 2 / _COUNT**2),
            says="The parabola divides by 4 squared. The variance of a count of 4 is 4, and its standard error 2.",
            name="variance squared",
        ),
    ),
    because="The true curve is steeper to the left and flatter to the right: few colonies speak more strongly against "
    "small means than against large ones. The parabola does not know that.",
    hints=(
        "Two curves over one array of expected numbers, 1 to 14.",
        "2 [4 ln(4/m) - (4 - m)] and (m - 4)^2 / 4.",
        "axis.plot(m, 2 * (4 * np.log(4 / m) - ...))\naxis.plot(m, (m - 4) ** 2 / ...)",
    ),
    read="the cell on the shape of the likelihood",
)

_SCATTER = Number(
    "q5",
    asks="Dispersion of the CAL 33 plates",
    expected=_DISPERSION,
    unit="1",
    rtol=0.002,
    slips=(
        Slip(
            value=_DISPERSION * _DF,
            says="This is Pearson's chi-squared itself. Divide by the degrees of freedom.",
            name="not divided",
        ),
        Slip(
            value=_DISPERSION * _DF / _PLATES,
            says="You divided by the number of plates. Each fitted number uses up one: alpha, beta, and a plating "
            "efficiency for each experiment.",
            name="divided by plates",
        ),
        Slip(
            value=_DISPERSION * _DF / (_PLATES - 2),
            says="You took off alpha and beta, but each of the four experiments has a plating efficiency that was "
            "fitted, too.",
            name="plating efficiencies not counted",
        ),
        Slip(
            value=_DEVIANCE / _DF,
            says="This is the deviance over the degrees of freedom: close, but asked is Pearson's chi-squared.",
            name="deviance for Pearson",
        ),
        Slip(
            value=math.sqrt(_DISPERSION),
            says="This is its square root, by which standard errors grow. The dispersion is a ratio of variances.",
            name="square root",
        ),
    ),
    because="Plates scatter with nearly five times the variance of counting alone: pipetting, feeding and counting "
    "add their part.",
    hints=(
        "How many numbers were fitted to the 24 plates?",
        "Sum of squared Pearson residuals / (plates - 2 - experiments).",
        "answer = (residuals**2).sum() / (24 - ...)",
    ),
    read="the cell on dispersion",
)

_HONEST = Number(
    "q6",
    asks="Standard error of alpha when the scatter of the plates is taken into account",
    expected=_ALPHA_SE,
    unit="1/Gy",
    rtol=0.005,
    slips=(
        Slip(
            value=_NAIVE_SE,
            says="This is the error of counting alone. The plates scatter more than that.",
            name="scatter ignored",
        ),
        Slip(
            value=_NAIVE_SE * _DISPERSION,
            says="You multiplied by the dispersion. That is a ratio of variances; a standard error grows with its "
            "root.",
            name="root forgotten",
        ),
        Slip(
            value=_NAIVE_SE / math.sqrt(_DISPERSION),
            says="You divided: more scatter cannot make alpha more certain.",
            name="divided",
        ),
        Slip(
            value=_NAIVE_SE * math.sqrt(_DF),
            says="You multiplied by the root of the degrees of freedom; it is the root of the dispersion.",
            name="root of df",
        ),
    ),
    because="Twice as wide as counting would have it. Leaving it out is the most common way to be sure of what is not "
    "so.",
    hints=(
        "Variances grow by the dispersion. And standard errors?",
        "SE = SE(counting) x sqrt(dispersion).",
        "answer = naive_se * math.sqrt(...)",
    ),
    read="the cell on dispersion",
)

_CORRELATION = Number(
    "q7",
    asks="Correlation of the estimates of alpha and beta",
    expected=_COVARIANCE / (_ALPHA_SE * _BETA_SE),
    unit="1",
    rtol=0.003,
    slips=(
        Slip(
            value=-_COVARIANCE / (_ALPHA_SE * _BETA_SE),
            says="The sign was lost. If alpha comes out too large, beta has to make up for it: which way?",
            name="sign",
        ),
        Slip(
            value=_COVARIANCE,
            says="This is the covariance, which has a unit. Divide it by both standard errors.",
            name="covariance",
        ),
        Slip(
            value=_COVARIANCE / (_ALPHA_SE * _BETA_SE) ** 2,
            says="You divided by the variances. A correlation is divided by the standard errors, and lies between -1 "
            "and 1.",
            name="divided by variances",
        ),
        Slip(
            value=(_COVARIANCE / (_ALPHA_SE * _BETA_SE)) ** 2,
            says="This is the square of the correlation; asked is the correlation itself.",
            name="squared",
        ),
    ),
    because="Nearly -1: the plates know the sum of both effects well, and their share badly. So D10 is known far "
    "better than alpha/beta, and an alpha without its beta says little.",
    hints=(
        "Covariance has the unit of alpha times beta. What makes a pure number of it?",
        "r = cov(alpha, beta) / (SE(alpha) x SE(beta)).",
        "answer = fit.covariance[0, 1] / (fit.alpha_se_per_gy * ...)",
    ),
    read="the cell on correlation",
)

_HOW_MANY = Choice(
    "q8",
    asks="200 laboratories do the same experiment and each gives a 95 % interval for alpha. If all is done well, how "
    "many of the 200 intervals contain the true alpha?",
    options={"a": "all 200", "b": "about 190", "c": "about 95", "d": "nobody can say: each has another interval"},
    right="b",
    slips={
        "a": "An interval that always contains the truth would have to be endless. 95 % means that one in twenty "
        "misses.",
        "c": "95 is the percentage, not the number: 95 % of 200.",
        "d": "Each interval is another one, yes. But 95 % is a promise about the method that makes them: how often "
        "does it hit?",
    },
    because="That is what 95 % promises: the method hits in 95 of 100 repeats. Whether yours did, nobody tells you.",
    hints=(
        "95 % is a property of the method, seen over many repeats.",
        "Expected hits = 0.95 x 200.",
        "print(0.95 * 200)",
    ),
    read="the cell on coverage",
)

_TOO_SURE = Choice(
    "q9",
    asks="Plates scatter with 4.7 times the variance of counting, but the intervals are made for counting alone. How "
    "many of 100 '95 %' intervals contain the truth?",
    options={"a": "still about 95", "b": "about 63", "c": "about 20, which is 95 divided by 4.7", "d": "more than 95"},
    right="b",
    slips={
        "a": "The intervals are too narrow by sqrt(4.7) = 2.2. They cannot hit as often as before.",
        "c": "Coverage does not shrink in proportion. Ask how often a normal number lies within 1.96/2.2 standard "
        "deviations.",
        "d": "Ignoring scatter makes intervals narrower, and narrow intervals hit less often.",
    },
    because="1.96 standard errors become 1.96/2.17 = 0.90 true ones, and a normal number lies within 0.90 standard "
    "deviations 63 times of 100. A third of such papers would be wrong about their alpha.",
    hints=(
        "By which factor is the assumed standard error too small?",
        "The share within z standard deviations of a normal distribution is erf(z / sqrt(2)); z = 1.96 / sqrt(4.7).",
        "print(math.erf(1.96 / math.sqrt(4.7) / math.sqrt(2)))",
    ),
    read="the cells on dispersion and coverage",
)

_READING = Several(
    "q10",
    asks="Which of these statements are true?",
    options={
        "a": "an interval of alpha/beta without an upper limit says that the plates allow beta = 0",
        "b": "the true alpha/beta lies in the middle of a good interval",
        "c": "a strong correlation of alpha and beta means that one can rise and the other fall with nearly the same "
        "curve",
        "d": "95 % of the plates lie inside the 95 % confidence band of a fitted curve",
        "e": "if experiments differ, eight of them tell more than four times the colonies in two",
    },
    right="ace",
    slips={
        "a": "Look at a again: what does alpha/beta become when beta goes to 0?",
        "b": "Look at b again: the interval of CAL 33 reaches more than twice as far up as down.",
        "c": "Look at c again: look at the long, thin cloud in the simulation.",
        "d": "Look at d again: the band is about the curve, not about single plates, which scatter far outside.",
        "e": "Look at e again: more colonies on the same plates do not average out what differs between days.",
    },
    because="Give the interval, say how it was made, and say what it counts: that is half of a good paper.",
    hints=(
        "Two of them mix up the curve with what scatters around it, or the truth with the middle.",
        "alpha/beta has no end as beta goes to 0; bands belong to curves; experiments are what is repeated.",
        'answer = "..."  # letters, as in "bd"',
    ),
    read="parts 2 and 3",
)

LESSON = Lesson(
    title="Fitting, and why intervals matter",
    minutes=60,
    goals=(
        "say how sure a count is, also a count of zero",
        "fit counts by making the deviance small, and tell why not by least squares",
        "find out whether plates scatter more than counting allows, and widen errors for it",
        "test by simulation whether a 95 % interval keeps its promise, and read intervals that have no end",
    ),
    questions=(
        _COLONIES, _NONE_SEEN, _DEVIANCE_FUNCTION, _FIGURE, _SCATTER, _HONEST, _CORRELATION, _HOW_MANY, _TOO_SURE,
        _READING,
    ),
)  # fmt: skip
