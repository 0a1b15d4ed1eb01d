"""Models of the survival of cells after an acute dose, in one registry: each is one decorated function.

A curve is its effect E(D) = -ln S(D) with E(0) = 0, and the gradient of E in the parameters. Doses are in Gy;
parameters carry their units in their names. ``survival_models()`` lists them; ``model_fit`` fits them.

============================  ================================================================================
``exponential``               alpha D
``lq``                        alpha D + beta D^2
``lq_cubic``                  alpha D + beta D^2 - gamma D^3
``lq_l``                      LQ up to D_T, its tangent beyond
``universal``                 the same curve, by the final slope 1/D0 and the quasi-threshold dose Dq
``multi_target``              -ln[1 - (1 - e^{-D/D0})^n]
``two_component``             D/D1 - ln[1 - (1 - e^{-D/D0})^n]
``induced_repair``            alpha_r (1 + (alpha_s/alpha_r - 1) e^{-D/Dc}) D + beta D^2
``repair_misrepair``          alpha D - epsilon ln(1 + alpha D / epsilon)
``lethal_potentially_lethal`` (eta_L + eta_PL) D - epsilon ln(1 + eta_PL D / epsilon)
============================  ================================================================================

The last two are written for an acute dose followed by time enough to repair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import DuplicateName, unknown_name

Floats = NDArray[np.float64]
Curve = Callable[[Floats, Floats], tuple[Floats, Floats]]
Kind = Literal["rate", "dose", "transition", "induction", "number", "coefficient"]
# alpha (1/Gy) and beta (1/Gy^2) of an LQ fit, largest dose in Gy -> starting values
Starts = Callable[[float, float, float], list[tuple[float, ...]]]

_MODELS: dict[str, SurvivalModel] = {}
# A starting rate is at least this share of one e-fold over the largest dose.
_SMALLEST_EFFECT = 0.05
# Above this logarithm a number is more than a double can hold.
_LARGEST_LOG = 700.0


@dataclass(frozen=True)
class Parameter:
    """A parameter of a survival model.

    Attributes:
        name: Name, with the unit at its end.
        unit: Unit, "1" for a pure number.
        kind: "rate" may have any sign; "dose" and "coefficient" are above 0, "number" is 1 or more; "transition"
            and "induction" are doses that must lie where the data can show them.
        meaning: What it is, in a few words.
    """

    name: str
    unit: str
    kind: Kind
    meaning: str

    @property
    def is_positive(self) -> bool:
        """Whether the parameter is searched for by its logarithm."""
        return self.kind in ("dose", "induction", "number", "coefficient")

    @property
    def limits(self) -> tuple[float, float]:
        """The values that the parameter can have at all."""
        if self.kind == "rate":
            return -math.inf, math.inf
        return (1.0, math.inf) if self.kind == "number" else (0.0, math.inf)


@dataclass(frozen=True)
class Derived:
    """A quantity that follows from a model's parameters.

    Attributes:
        name: Name, with the unit at its end.
        unit: Unit, "1" for a pure number.
        function: Takes the parameters, shape (k,); infinite or NaN where the quantity does not exist.
    """

    name: str
    unit: str
    function: Callable[[Floats], float]


@dataclass(frozen=True)
class SurvivalModel:
    """A survival model and what is known of it.

    Attributes:
        name: Name under which it is found.
        citation: Where it comes from.
        parameters: Its parameters, in the order of the curve's second argument.
        curve: Function of (dose_gy shape (n,), values shape (k,)) that returns the effect -ln S, shape (n,),
            and its gradient, shape (n, k).
        starts: Starting values for a fit, from an LQ fit of the same plates.
        derived: What else the parameters say.
        same_curve_as: Another model that has the same curves under other parameters; "" when there is none.
    """

    name: str
    citation: str
    parameters: tuple[Parameter, ...]
    curve: Curve
    starts: Starts
    derived: tuple[Derived, ...] = ()
    same_curve_as: str = ""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)


def survival_model(
    name: str,
    *,
    citation: str,
    parameters: tuple[Parameter, ...],
    starts: Starts,
    derived: tuple[Derived, ...] = (),
    same_curve_as: str = "",
) -> Callable[[Curve], Curve]:
    """Registers the decorated function as the curve of a survival model.

    Raises:
        DuplicateName: Another model has this name.
    """

    def register(curve: Curve) -> Curve:
        if name in _MODELS:
            raise DuplicateName(f"two survival models are named {name!r}", got=f"{_MODELS[name].citation}; {citation}")
        _MODELS[name] = SurvivalModel(
            name,
            citation,
            parameters=parameters,
            curve=curve,
            starts=starts,
            derived=derived,
            same_curve_as=same_curve_as,
        )
        return curve

    return register


def survival_models() -> Mapping[str, SurvivalModel]:
    """Returns every survival model by name (a read-only view)."""
    return MappingProxyType(_MODELS)


def find_survival_model(name: str) -> SurvivalModel:
    """Returns a survival model by its name.

    Raises:
        UnknownName: There is none; the closest names are given.
    """
    if not isinstance(name, str) or name not in _MODELS:
        raise unknown_name("survival model", str(name), _MODELS)
    return _MODELS[name]


def _positive(rate: float, largest_gy: float) -> float:
    return max(rate, _SMALLEST_EFFECT / largest_gy)


def _final_slope(alpha: float, beta: float, *, largest_gy: float) -> float:
    return _positive(alpha + 2.0 * max(beta, 0.0) * largest_gy, largest_gy)


_ALPHA = Parameter("alpha_per_gy", "1/Gy", "rate", "linear coefficient")
_BETA = Parameter("beta_per_gy2", "1/Gy^2", "rate", "quadratic coefficient")
_D0 = Parameter("d0_gy", "Gy", "dose", "dose that leaves 1/e on the straight part")
_N = Parameter("extrapolation_number", "1", "number", "where the straight part meets zero dose")
_ALPHA_BETA = Derived("alpha_beta_gy", "Gy", lambda p: _ratio(p[0], p[1]))


def _exponential_of(value: float) -> float:
    return math.exp(value) if value < _LARGEST_LOG else math.inf


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator != 0 else math.inf


@survival_model(
    "exponential",
    citation="single hit, single target; D. E. Lea, Actions of Radiations on Living Cells, 1946",
    parameters=(_ALPHA,),
    starts=lambda a, b, top: [(a + b * top,)],
    derived=(Derived("d0_gy", "Gy", lambda p: _ratio(1.0, p[0])),),
)
def _exponential(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    return p[0] * dose, dose[:, None]


@survival_model(
    "lq",
    citation="A. M. Kellerer and H. H. Rossi, Curr Top Radiat Res Q 8 (1972) 85-158",
    parameters=(_ALPHA, _BETA),
    starts=lambda a, b, top: [(a, b)],
    derived=(_ALPHA_BETA,),
)
def _lq(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    return (p[0] + p[1] * dose) * dose, np.column_stack([dose, dose**2])


@survival_model(
    "lq_cubic",
    citation="M. C. Joiner and A. J. van der Kogel (eds), Basic Clinical Radiobiology, 4th ed. 2009, chapter 4",
    parameters=(_ALPHA, _BETA, Parameter("gamma_per_gy3", "1/Gy^3", "rate", "how fast the bending fades")),
    starts=lambda a, b, top: [(a, b, 0.0)],
    derived=(_ALPHA_BETA, Derived("straight_at_gy", "Gy", lambda p: _ratio(p[1], 3.0 * p[2]))),
)
def _lq_cubic(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    return (p[0] + (p[1] - p[2] * dose) * dose) * dose, np.column_stack([dose, dose**2, -(dose**3)])


@survival_model(
    "lq_l",
    citation="M. Astrahan, Med Phys 35 (2008) 4161-4172, with the tangent as final slope",
    parameters=(
        _ALPHA,
        _BETA,
        Parameter("transition_dose_gy", "Gy", "transition", "where the tangent leaves the LQ curve"),
    ),
    starts=lambda a, b, top: [(a, b * f, share * top) for share in (0.15, 0.3, 0.5, 0.7, 0.9) for f in (1.0, 2.0)],
    derived=(
        _ALPHA_BETA,
        Derived("final_slope_per_gy", "1/Gy", lambda p: float(p[0] + 2.0 * p[1] * p[2])),
        Derived("d0_gy", "Gy", lambda p: _ratio(1.0, p[0] + 2.0 * p[1] * p[2])),
        Derived("dq_gy", "Gy", lambda p: _ratio(p[1] * p[2] ** 2, p[0] + 2.0 * p[1] * p[2])),
    ),
)
def _lq_l(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    alpha, beta, transition = p
    # alpha D + beta D^2 up to D_T, then alpha D + beta D_T (2 D - D_T): the square is cut at the tangent
    cut = np.minimum(dose, transition)
    square = cut * (2.0 * dose - cut)
    return alpha * dose + beta * square, np.column_stack([dose, square, 2.0 * beta * (dose - cut)])


@survival_model(
    "universal",
    citation="C. Park et al., Int J Radiat Oncol Biol Phys 70 (2008) 847-852, doi:10.1016/j.ijrobp.2007.10.059",
    parameters=(_ALPHA, _D0, Parameter("dq_gy", "Gy", "dose", "where the straight part meets full survival")),
    starts=lambda a, b, top: [
        _park_of_lq_l(a, max(b, 0.01 / top**2), transition=share * top) for share in (0.15, 0.3, 0.5, 0.7, 0.9)
    ],
    derived=(
        Derived("beta_per_gy2", "1/Gy^2", lambda p: float((1.0 - p[0] * p[1]) ** 2 / (4.0 * p[1] * p[2]))),
        Derived("transition_dose_gy", "Gy", lambda p: _ratio(2.0 * p[2], 1.0 - p[0] * p[1])),
        Derived("extrapolation_number", "1", lambda p: _exponential_of(p[2] / p[1])),
    ),
    same_curve_as="lq_l",
)
def _universal(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    alpha, d0, dq = p
    bend = 1.0 - alpha * d0
    if bend <= 0:  # the limit of a shoulder as steep as the straight part: no shoulder at all
        return alpha * dose, np.column_stack([dose, np.zeros((dose.size, 2))])
    cut = np.minimum(dose, 2.0 * dq / bend)
    square = cut * (2.0 * dose - cut)
    beta = bend**2 / (4.0 * d0 * dq)
    slope = 2.0 * beta * (dose - cut)  # dE/dD_T
    d_alpha = dose - bend / (2.0 * dq) * square + slope * 2.0 * dq * d0 / bend**2
    d_d0 = square * (-bend * alpha / (2.0 * d0 * dq) - beta / d0) + slope * 2.0 * dq * alpha / bend**2
    d_dq = -beta / dq * square + slope * 2.0 / bend
    return alpha * dose + beta * square, np.column_stack([d_alpha, d_d0, d_dq])


def _park_of_lq_l(alpha: float, beta: float, *, transition: float) -> tuple[float, float, float]:
    slope = alpha + 2.0 * beta * transition
    if slope <= 0:
        alpha, slope = 0.0, 2.0 * beta * transition
    return alpha, 1.0 / slope, beta * transition**2 / slope


def _targets(dose: Floats, d0: float, n: float) -> tuple[Floats, Floats]:
    """Returns -ln[1 - (1 - e^{-D/D0})^n] and its gradient in (D0, n), without loss of digits at high dose."""
    effect, gradient = np.zeros_like(dose), np.zeros((dose.size, 2))
    x = dose[dose > 0] / d0
    hit, miss = np.exp(-x), -np.expm1(-x)
    log_miss = np.where(x < math.log(2.0), np.log(miss), np.log1p(-hit))
    power = np.exp(n * log_miss)
    survival = -np.expm1(n * log_miss)
    far = survival <= 0  # e^{-D/D0} is below what a number can hold: S = n e^{-D/D0}
    held = np.where(far, 1.0, survival)
    near = np.where(power < 0.5, -np.log1p(-np.minimum(power, 0.5)), -np.log(held))
    effect[dose > 0] = np.where(far, x - math.log(n), near)
    d_d0 = np.where(far, -x / d0, -n * hit * power / (miss * held) * x / d0)
    d_n = np.where(far, -1.0 / n, power * log_miss / held)
    gradient[dose > 0] = np.column_stack([d_d0, d_n])
    return effect, gradient


@survival_model(
    "multi_target",
    citation="single hit, multi-target; T. T. Puck and P. I. Marcus, J Exp Med 103 (1956) 653-666",
    parameters=(_D0, _N),
    starts=lambda a, b, top: [
        (1.0 / (_final_slope(a, b, largest_gy=top) * f), n) for f in (0.7, 1.0, 1.4) for n in (1.5, 4.0, 30.0)
    ],
    derived=(Derived("dq_gy", "Gy", lambda p: float(p[0] * math.log(p[1]))),),
)
def _multi_target(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    return _targets(dose, p[0], p[1])


@survival_model(
    "two_component",
    citation="single hit times multi-target; M. A. Bender and P. C. Gooch, Int J Radiat Biol 5 (1962) 133-145",
    parameters=(Parameter("d1_gy", "Gy", "dose", "inverse of the initial slope"), _D0, _N),
    starts=lambda a, b, top: [
        (1.0 / _positive(a * share, top), 1.0 / _positive((_final_slope(a, b, largest_gy=top) - a * share) * f, top), n)
        for share in (0.3, 0.9)
        for f in (0.7, 1.2)
        for n in (2.0, 6.0, 40.0)
    ],
    derived=(
        Derived("final_d0_gy", "Gy", lambda p: float(1.0 / (1.0 / p[0] + 1.0 / p[1]))),
        Derived("dq_gy", "Gy", lambda p: float(math.log(p[2]) / (1.0 / p[0] + 1.0 / p[1]))),
    ),
)
def _two_component(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    effect, gradient = _targets(dose, p[1], p[2])
    return dose / p[0] + effect, np.column_stack([-dose / p[0] ** 2, gradient])


@survival_model(
    "induced_repair",
    citation="M. C. Joiner and H. Johns, Radiat Res 114 (1988) 385-398",
    parameters=(
        Parameter("alpha_r_per_gy", "1/Gy", "rate", "linear coefficient at high dose"),
        Parameter("alpha_s_per_gy", "1/Gy", "rate", "initial slope"),
        Parameter("dc_gy", "Gy", "induction", "dose over which repair is induced"),
        _BETA,
    ),
    starts=lambda a, b, top: [
        (a, _positive(a, top) * f, dc, b) for f in (0.3, 4.0) for dc in (0.2, 0.05 * top, 0.2 * top)
    ],
    derived=(Derived("alpha_s_over_alpha_r", "1", lambda p: _ratio(p[1], p[0])),),
)
def _induced_repair(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    resistant, sensitive, dc, beta = p
    fade = np.exp(-dose / dc)
    excess = sensitive - resistant
    effect = (resistant + excess * fade + beta * dose) * dose
    return effect, np.column_stack([(1.0 - fade) * dose, fade * dose, excess * fade * dose**2 / dc**2, dose**2])


@survival_model(
    "repair_misrepair",
    citation="C. A. Tobias, Radiat Res 104 (1985) S77-S95, all linear repair being correct",
    parameters=(
        Parameter("alpha_per_gy", "1/Gy", "coefficient", "lesions per Gy"),
        Parameter("epsilon", "1", "coefficient", "ratio of linear to quadratic repair"),
    ),
    starts=lambda a, b, top: [
        (_final_slope(a, b, largest_gy=top) * f, e) for f in (1.0, 2.0, 5.0) for e in (0.3, 2.0, 20.0)
    ],
)
def _repair_misrepair(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    effect, gradient = _lpl(dose, np.array([0.0, p[0], p[1]]))
    return effect, gradient[:, 1:]


@survival_model(
    "lethal_potentially_lethal",
    citation="S. B. Curtis, Radiat Res 106 (1986) 252-270, acute dose and full repair time",
    parameters=(
        Parameter("eta_l_per_gy", "1/Gy", "rate", "lethal lesions per Gy"),
        Parameter("eta_pl_per_gy", "1/Gy", "coefficient", "potentially lethal lesions per Gy"),
        Parameter("epsilon", "1", "coefficient", "ratio of repair to binary misrepair"),
    ),
    starts=lambda a, b, top: [
        (a * share, _final_slope(a, b, largest_gy=top) * f, e)
        for share in (0.3, 1.0)
        for f in (0.7, 2.0)
        for e in (0.5, 5.0, 50.0)
    ],
)
def _lpl(dose: Floats, p: Floats) -> tuple[Floats, Floats]:
    lethal, potential, epsilon = p
    x = potential * dose / epsilon
    log = np.log1p(x)
    effect = (lethal + potential) * dose - epsilon * log
    return effect, np.column_stack([dose, dose * x / (1.0 + x), x / (1.0 + x) - log])
