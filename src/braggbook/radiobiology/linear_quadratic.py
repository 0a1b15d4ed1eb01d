"""The linear-quadratic model of cell survival, ln S = -(alpha D + beta D^2).

Doses are in Gy, alpha in 1/Gy, beta in 1/Gy^2, survival is a fraction between 0 and 1. Every function takes
numbers or arrays, broadcasts them and returns an array of the common shape (a NumPy number for numbers).
A negative beta is legal: a fit may return one. What then has no answer raises ScienceError.

Source: A. M. Kellerer and H. H. Rossi, Curr Top Radiat Res Q 8 (1972) 85-158; J. F. Fowler, Br J Radiol 62
(1989) 679-694.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.arguments import FINITE, as_numbers

Floats = NDArray[np.float64]

# Below this beta/alpha^2 the second moment of S loses more digits by cancellation (1e-16 / ratio^2) than its
# series in beta/alpha^2 leaves out (of the order of 100 ratio^2).
_SMALL_CURVATURE = 1e-5
# Below this x the closed form of G loses digits by cancellation; these terms of its series leave out less than 1e-19.
_SERIES_BELOW, _SERIES_TERMS = 0.5, 16
# A covariance may exceed the product of its standard errors by what rounding leaves of a correlation of 1.
_ROUNDING = 1e-9
_SHOWN = 40  # characters of an argument in a message
# Survival at a lower effect -ln S than this is more than a number can hold.
_LOWEST_EFFECT = -700.0


@dataclass(frozen=True)
class LqParameters:
    """An alpha and a beta with what is known of their uncertainty.

    Attributes:
        alpha_per_gy: Linear coefficient, 1/Gy.
        beta_per_gy2: Quadratic coefficient, 1/Gy^2.
        alpha_se_per_gy: Standard error of alpha, 1/Gy; None when not known.
        beta_se_per_gy2: Standard error of beta, 1/Gy^2; None when not known.
        alpha_beta_covariance: Their covariance, 1/Gy^3; 0 (independent) unless given.
    """

    alpha_per_gy: float
    beta_per_gy2: float
    alpha_se_per_gy: float | None = None
    beta_se_per_gy2: float | None = None
    alpha_beta_covariance: float = 0.0

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when the numbers cannot be an LQ pair."""
        issues = [
            Issue("not a finite number", where=name, got=repr(value))
            for name, value in (("alpha_per_gy", self.alpha_per_gy), ("beta_per_gy2", self.beta_per_gy2))
            if not (is_number(value) and math.isfinite(value))
        ]
        errors = {"alpha_se_per_gy": self.alpha_se_per_gy, "beta_se_per_gy2": self.beta_se_per_gy2}
        issues += [
            Issue("not a standard error", where=name, wanted="a finite number, not negative", got=repr(value))
            for name, value in errors.items()
            if value is not None and not (is_number(value) and math.isfinite(value) and value >= 0)
        ]
        if len({value is None for value in errors.values()}) > 1:
            issues.append(Issue("one standard error without the other", wanted="both or none"))
        covariance = self.alpha_beta_covariance
        if not (is_number(covariance) and math.isfinite(covariance)):
            issues.append(Issue("not a finite number", where="alpha_beta_covariance", got=repr(covariance)))
        elif not issues and None not in errors.values():
            largest = math.prod(value or 0.0 for value in errors.values())
            if abs(covariance) > largest * (1.0 + _ROUNDING):
                issues.append(
                    Issue(
                        "more covariance than the standard errors allow",
                        where="alpha_beta_covariance",
                        wanted=f"at most {largest:g} in size",
                        got=repr(covariance),
                    )
                )
        if issues:
            raise ScienceError("not a linear-quadratic pair", issues=issues)

    @property
    def covariance(self) -> Floats | None:
        """Covariance of (alpha, beta), shape (2, 2); None when no standard error is known."""
        if self.alpha_se_per_gy is None or self.beta_se_per_gy2 is None:
            return None
        c = self.alpha_beta_covariance
        return np.array([[self.alpha_se_per_gy**2, c], [c, self.beta_se_per_gy2**2]])


def surviving_fraction(dose_gy: ArrayLike, *, alpha_per_gy: ArrayLike, beta_per_gy2: ArrayLike) -> Floats:
    """Returns the surviving fraction S = exp(-alpha D - beta D^2).

    Raises:
        ScienceError: A dose is negative or not finite, alpha or beta is not a finite number, or survival is more
            than a number can hold (a curve that rises, far beyond its doses).
    """
    dose, alpha, beta = _arrays(dose_gy, alpha_per_gy, beta_per_gy2)
    checked_doses(dose)
    _require_coefficients(alpha, beta)
    with np.errstate(over="ignore", invalid="ignore"):
        effect = np.asarray((alpha + beta * dose) * dose)
    wanted = "a dose at which the curve has not risen beyond all bounds"
    _require(effect > _LOWEST_EFFECT, "survival is more than a number can hold", wanted=wanted, values=dose)
    return np.asarray(np.exp(-effect))[()]


def dose_at_survival(level: ArrayLike, *, alpha_per_gy: ArrayLike, beta_per_gy2: ArrayLike) -> Floats:
    """Returns the smallest dose in Gy at which survival is ``level``.

    Raises:
        ScienceError: A level is not above 0 and at most 1, or the curve never comes down to it.
    """
    (s,) = _arrays(level)
    _require((s > 0) & (s <= 1), "a survival level is not usable", wanted="above 0 and at most 1", values=s)
    return dose_at_effect(-np.log(s), alpha_per_gy=alpha_per_gy, beta_per_gy2=beta_per_gy2)


def dose_at_effect(effect: ArrayLike, *, alpha_per_gy: ArrayLike, beta_per_gy2: ArrayLike) -> Floats:
    """Returns the smallest dose in Gy with the effect E = alpha D + beta D^2 = -ln S.

    It is the root [-alpha + sqrt(alpha^2 + 4 beta E)] / (2 beta), computed for alpha > 0 as
    2 E / [alpha + sqrt(alpha^2 + 4 beta E)], which keeps its digits as beta goes to 0 (D = E / alpha) and is
    the smaller of the two roots when beta is negative.

    Raises:
        ScienceError: An effect is negative or not a number, alpha or beta is not a finite number, or no dose has the
            effect.
    """
    effect, alpha, beta = _arrays(effect, alpha_per_gy, beta_per_gy2)
    _require(np.isfinite(effect) & (effect >= 0), "an effect is not usable", wanted="0 or more", values=effect)
    _require_coefficients(alpha, beta)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        discriminant = alpha**2 + 4.0 * beta * effect
        root = np.sqrt(np.maximum(discriminant, 0.0))
        dose = np.where(alpha > 0, 2.0 * effect / (alpha + root), (root - alpha) / (2.0 * beta))
    falls = (discriminant >= 0) & ((alpha > 0) | (beta > 0))
    _require(
        (effect == 0) | (falls & np.isfinite(dose)),
        "the curve never comes down to a survival level",
        wanted="a level that it reaches",
        values=np.asarray(np.exp(-effect)),
    )
    return np.asarray(np.where(effect == 0, 0.0, dose))[()]


def alpha_beta_ratio(alpha_per_gy: ArrayLike, beta_per_gy2: ArrayLike) -> Floats:
    """Returns alpha / beta in Gy: infinite for beta = 0, negative (as estimated) when one of them is.

    Raises:
        ScienceError: Both are zero, or one is not a number.
    """
    alpha, beta = _arrays(alpha_per_gy, beta_per_gy2)
    known = np.isfinite(alpha) & np.isfinite(beta) & ~((alpha == 0) & (beta == 0))
    _require(known, "alpha/beta has no value", wanted="finite, not both zero", values=alpha)
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(alpha / beta)[()]


def mean_inactivation_dose(*, alpha_per_gy: ArrayLike, beta_per_gy2: ArrayLike) -> Floats:
    """Returns the mean inactivation dose, the integral of S(D) over all doses, in Gy.

    For beta > 0 it is sqrt(pi / beta) / 2 * erfcx(alpha / (2 sqrt(beta))), for beta = 0 it is 1 / alpha.

    Raises:
        ScienceError: The integral does not converge (beta < 0, or beta = 0 and alpha <= 0) or overflows.

    Source: B. Fertil et al., Radiat Res 99 (1984) 73-84 (the concept: Kellerer and Hug 1972).
    """
    alpha, beta = _arrays(alpha_per_gy, beta_per_gy2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.sqrt(beta)
        quadratic = 0.5 * math.sqrt(math.pi) / root * special.erfcx(alpha / (2.0 * root))
        dose = np.asarray(np.where(beta > 0, quadratic, 1.0 / alpha))
    converges = np.isfinite(dose) & ((beta > 0) | ((beta == 0) & (alpha > 0)))
    wanted = "beta > 0, or 0 with alpha > 0"
    _require(converges, "the mean inactivation dose is infinite", wanted=wanted, values=beta)
    return dose[()]


def dose_gradient(dose_gy: float, parameters: LqParameters) -> Floats:
    """Returns d D_S / d(alpha, beta) at fixed survival, shape (2,): -(D, D^2) / (alpha + 2 beta D)."""
    slope = parameters.alpha_per_gy + 2.0 * parameters.beta_per_gy2 * dose_gy
    return np.array([-dose_gy, -(dose_gy**2)]) / slope


def mean_inactivation_dose_gradient(parameters: LqParameters) -> Floats:
    """Returns d MID / d(alpha, beta) = -(integral of D S, integral of D^2 S), shape (2,), in Gy^2 and Gy^3.

    Both integrals follow from the mean M by parts: 2 beta I1 = 1 - alpha M and 2 beta I2 = M - alpha I1.
    For small beta/alpha^2, where these cancel, their series is used.
    """
    alpha, beta = parameters.alpha_per_gy, parameters.beta_per_gy2
    mean = float(mean_inactivation_dose(alpha_per_gy=alpha, beta_per_gy2=beta))
    if alpha > 0 and beta < _SMALL_CURVATURE * alpha**2:
        ratio = beta / alpha**2
        return -np.array([(1.0 - 6.0 * ratio) / alpha**2, (2.0 - 24.0 * ratio) / alpha**3])
    first = (1.0 - alpha * mean) / (2.0 * beta)
    return -np.array([first, (mean - alpha * first) / (2.0 * beta)])


def checked_doses(dose_gy: ArrayLike) -> Floats:
    """Returns doses in Gy as an array of their shape, or raises ScienceError when one is negative or not finite."""
    (dose,) = _arrays(dose_gy)
    good = np.isfinite(dose) & (dose >= 0)
    _require(good, "a dose is not usable", wanted="finite doses of 0 Gy or more", values=dose)
    return dose


def is_number(value: object) -> bool:
    """Tells whether a value is one real number (NaN and infinity included), and no truth value."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.complexfloating)


def protraction_at_constant_rate(x: Floats) -> Floats:
    """Returns G = 2 (e^-x - 1 + x) / x^2, which lowers beta: duration over mean lifetime x, 0 to infinity; 1 at 0.

    Source: D. E. Lea and D. G. Catcheside, J Genet 44 (1942) 216-245.
    """
    small, large = np.minimum(x, _SERIES_BELOW), np.maximum(x, _SERIES_BELOW)
    series, term = np.zeros_like(small), np.ones_like(small)
    for k in range(_SERIES_TERMS):  # sum of 2 (-x)^k / (k + 2)!
        series = series + 2.0 * term / math.factorial(k + 2)
        term = -term * small
    closed = 2.0 * (1.0 + np.expm1(-large) / large) / large
    return np.asarray(np.where(x < _SERIES_BELOW, series, closed))


def _require_coefficients(alpha: Floats, beta: Floats) -> None:
    for name, values in (("alpha", alpha), ("beta", beta)):
        _require(FINITE.holds(values), f"{name} is not usable", wanted=FINITE.wanted, values=values)


def _arrays(*values: ArrayLike) -> tuple[Floats, ...]:
    arrays = [as_numbers(value) for value in values]
    numbers = [array for array in arrays if array is not None]
    try:
        found = np.broadcast_arrays(*numbers)
    except ValueError:
        found = ()
    if len(numbers) < len(arrays) or not found:
        raise ScienceError(
            "not numbers that go together",
            wanted="numbers, or arrays of numbers whose shapes broadcast",
            got="; ".join(repr(value)[:_SHOWN] for value in values),
        )
    return tuple(found)


def _require(good: NDArray[np.bool_], what: str, *, wanted: str, values: Floats) -> None:
    """Raises ScienceError that names every element which is not good."""
    if np.all(good):
        return
    bad = np.argwhere(~np.atleast_1d(good))
    flat = np.atleast_1d(values)
    places = [(", ".join(map(str, index)), f"{flat[tuple(index)]:g}") for index in bad]
    issues = [Issue(what, where=f"element {place}", wanted=wanted, got=got) for place, got in places]
    raise ScienceError(what, wanted=wanted, got=issues[0].got, issues=issues if np.ndim(values) else ())
