"""Fits any survival curve to counts by quasi-Poisson maximum likelihood.

With a log link the plating efficiencies have a closed form for every curve (see ``poisson_slope``), so that only
the curve's own parameters, one to four, are searched for: the signed roots of the deviance are residuals of a
least-squares problem whose sum of squares is the deviance. It is solved from several starts within a box, the
best answer is kept, and an answer at a wall of the box is moved onto it and marked.

Sources: P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. 1989, chapters 2 and 9 (deviance,
information); G. H. Golub and V. Pereyra, SIAM J Numer Anal 10 (1973) 413-432 (parameters projected out);
M. A. Branch, T. F. Coleman and Y. Li, SIAM J Sci Comput 21 (1999) 1-23 (the search, in SciPy).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from braggbook.errors import FitError
from braggbook.radiobiology.survival.curve_model import CurveModel
from braggbook.radiobiology.survival.models import Parameter, SurvivalModel
from braggbook.radiobiology.survival.poisson_slope import log_means

Floats = NDArray[np.float64]

# SciPy's smallest sensible tolerances: the deviance then settles in all digits that it has.
_TOLERANCE = 1e-14
_MAX_EVALUATIONS = 150
# The largest cosine between the residuals and any direction of the curve that counts as a minimum.
_FLAT = 1e-5
# Residuals below this (a deviance of 0.01 in all) are no measure of flatness any more: a perfect fit has only rounding.
_SMALL_RESIDUALS = 0.1
# Deviances that differ by less than this are one: a millionth of what one parameter costs.
_SAME_DEVIANCE = 1e-6
# How near a wall, as a share of the box, an answer is moved onto the wall to see whether it belongs there.
_NEAR_WALL = 0.02
# The search begins this far inside, as a share of the box: SciPy's method scales with the distance to a wall.
_OFF_WALL = 1e-6
# Below this relative difference of count and mean a series keeps the digits of the deviance residual.
_SERIES = 1e-2
# Correlation matrix of the parameters: smaller eigenvalues mean that the plates do not tell them apart.
_SMALLEST_EIGENVALUE = 1e-9
# Walls of the box for parameters that have none of their own, as multiples of the doses at hand.
_DOSE_WALLS = (1e-2, 1e4)
# Repair induced over less than this share of the lowest dose, or over more than the highest, leaves no trace.
_INDUCTION_WALL = 0.2
_LARGEST_NUMBER = 1e6
_COEFFICIENT_WALLS = (1e-4, 1e4)


@dataclass(frozen=True, eq=False)
class Problem:
    """A curve model, plates, and the parameters that are held.

    Attributes:
        model: The survival model.
        plates: The plates as a regression problem.
        fixed: Parameters that are held, by name.
    """

    model: SurvivalModel
    plates: CurveModel
    fixed: Mapping[str, float] = field(default_factory=dict)

    @property
    def free(self) -> tuple[int, ...]:
        """Places of the parameters that are searched for."""
        return tuple(i for i, name in enumerate(self.model.parameter_names) if name not in self.fixed)

    def holding(self, **values: float) -> Problem:
        """Returns the problem with more parameters held."""
        return Problem(self.model, self.plates, {**self.fixed, **values})

    def values(self, inner: Floats) -> Floats:
        """Returns all parameters, shape (k,), from the searched ones on their inner scale."""
        found = np.empty(len(self.model.parameters))
        for index, parameter in enumerate(self.model.parameters):
            if parameter.name in self.fixed:
                found[index] = self.fixed[parameter.name]
        for place, index in enumerate(self.free):
            found[index] = math.exp(inner[place]) if _is_log(self.model.parameters[index]) else inner[place]
        return found

    def inner(self, values: Sequence[float] | Floats) -> Floats:
        """Returns the searched parameters on their inner scale, inside the box."""
        low, high = self.box
        scaled = [
            math.log(max(values[index], 1e-300)) if _is_log(self.model.parameters[index]) else values[index]
            for index in self.free
        ]
        return np.clip(np.array(scaled, dtype=np.float64), low, high)

    @property
    def box(self) -> tuple[Floats, Floats]:
        """Lower and upper walls of the searched parameters on their inner scale."""
        walls = [self.walls(self.model.parameters[index]) for index in self.free]
        logs = [_is_log(self.model.parameters[index]) for index in self.free]
        return tuple(  # type: ignore[return-value]
            np.array([math.log(wall[side]) if log else wall[side] for wall, log in zip(walls, logs, strict=True)])
            for side in (0, 1)
        )

    def walls(self, parameter: Parameter) -> tuple[float, float]:
        """Returns the values between which a parameter is searched for."""
        dose = self.plates.dose_gy[self.plates.dose_gy > 0]
        if parameter.kind == "transition":
            return float(dose.min()), float(dose.max())
        if parameter.kind == "dose":
            return _DOSE_WALLS[0] * float(dose.min()), _DOSE_WALLS[1] * float(dose.max())
        if parameter.kind == "induction":
            return _INDUCTION_WALL * float(dose.min()), float(dose.max())
        if parameter.kind == "number":
            return 1.0, _LARGEST_NUMBER
        return _COEFFICIENT_WALLS if parameter.kind == "coefficient" else (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where the deviance is lowest.

    Attributes:
        estimates: All parameters of the model, shape (k,).
        deviance: Deviance there.
        at_wall: Searched parameters that lie on a wall of their box, by name.
        starts: How many starts were tried.
        agreeing: How many of them came to this deviance.
    """

    estimates: Floats
    deviance: float
    at_wall: tuple[str, ...]
    starts: int
    agreeing: int


def minimise(problem: Problem, starts: Sequence[Sequence[float] | Floats]) -> Minimum:
    """Returns the lowest minimum of the deviance that is reached from the starts.

    Raises:
        FitError: From no start does the search come to a minimum.
    """
    if not problem.free:
        values = problem.values(np.zeros(0))
        return Minimum(values, deviance_of(problem, values), at_wall=(), starts=0, agreeing=0)
    found = [answer for start in starts if (answer := _search(problem, problem.inner(start))) is not None]
    if not found:
        raise FitError(
            f"the {problem.model.name} fit does not converge",
            wanted=f"a minimum of the deviance from one of {len(starts)} starts",
        )
    inner, deviance = min(found, key=lambda answer: answer[1])
    agreeing = sum(other <= deviance + _SAME_DEVIANCE for _, other in found)
    walls = _walls_reached(problem, inner, deviance=deviance)
    if walls:
        held = problem.holding(**walls)
        best = minimise(held, [problem.values(inner)])
        names = tuple(dict.fromkeys([*walls, *best.at_wall]))
        return Minimum(best.estimates, best.deviance, at_wall=names, starts=len(starts), agreeing=agreeing)
    return Minimum(problem.values(inner), deviance, at_wall=(), starts=len(starts), agreeing=agreeing)


def starting_values(problem: Problem) -> list[Floats]:
    """Returns starting values from a straight line and a parabola through ln of the counts, all parameters each."""
    plates = problem.plates
    dose, top = plates.dose_gy, float(plates.dose_gy.max())
    slope = float(plates.regress(-dose).coefficients[-1])
    try:
        alpha, beta = map(float, plates.regress(-dose, -(dose**2)).coefficients[-2:])
    except FitError:  # enough doses for one parameter, too few for two
        alpha, beta = slope, 0.0
    starts = problem.model.starts(alpha, beta, top) + problem.model.starts(slope, 0.0, top)
    return [np.array(start, dtype=np.float64) for start in dict.fromkeys(starts)]


def deviance_of(problem: Problem, values: Floats) -> float:
    """Returns the deviance of the curve with these parameters, at the best plating efficiencies."""
    residuals, _ = _deviance_residuals(problem, values)
    return float(residuals @ residuals)


def means(problem: Problem, values: Floats) -> Floats:
    """Returns the expected colonies of each plate, shape (n,), at the best plating efficiencies."""
    return np.asarray(np.exp(_log_means(problem, values)))


def information(problem: Problem, values: Floats, *, free: Sequence[int]) -> Floats:
    """Returns the expected (Fisher) information of some parameters, the plating efficiencies projected out.

    Returns:
        Shape (len(free), len(free)), for dispersion 1; its inverse times the dispersion is their covariance.

    Raises:
        FitError: The plates do not tell these parameters apart.
    """
    mean = means(problem, values)
    slopes = _centred(problem, problem.model.curve(problem.plates.dose_gy, values)[1][:, list(free)], mean=mean)
    found = slopes.T @ (mean[:, None] * slopes)
    size = np.sqrt(np.diag(found))
    if len(free):
        scaled = found / np.outer(size, size) if np.all(size > 0) else np.zeros_like(found)
        if not np.all(np.isfinite(scaled)) or np.linalg.eigvalsh(scaled).min() < _SMALLEST_EIGENVALUE:
            names = [problem.model.parameter_names[index] for index in free]
            raise FitError(
                f"these plates do not tell the parameters of {problem.model.name} apart",
                wanted="a model with fewer parameters, or one of them held (fixed=)",
                got=", ".join(f"{name} near {values[i]:.4g}" for name, i in zip(names, free, strict=True)),
            )
    return np.asarray(found)


def _is_log(parameter: Parameter) -> bool:
    return parameter.is_positive


def _search(problem: Problem, start: Floats) -> tuple[Floats, float] | None:
    low, high = problem.box
    free = problem.free

    def residuals(inner: Floats) -> Floats:
        return _deviance_residuals(problem, problem.values(inner))[0]

    def jacobian(inner: Floats) -> Floats:
        values = problem.values(inner)
        _, slope = _deviance_residuals(problem, values)
        gradient = problem.model.curve(problem.plates.dose_gy, values)[1][:, list(free)]
        scale = np.array([values[i] if _is_log(problem.model.parameters[i]) else 1.0 for i in free])
        centred = _centred(problem, gradient * scale, mean=means(problem, values))
        return np.asarray(-slope[:, None] * centred)

    width = np.where(np.isfinite(high - low), high - low, 0.0)
    inside = np.clip(start, low + _OFF_WALL * width, high - _OFF_WALL * width)
    if not np.all(np.isfinite(residuals(inside))):
        return None
    with np.errstate(all="ignore"):  # far from the data a step may overflow; the search then takes it back
        answer = optimize.least_squares(
            residuals,
            inside,
            jac=jacobian,
            bounds=(low, high),
            x_scale="jac",
            ftol=_TOLERANCE,
            xtol=_TOLERANCE,
            gtol=_TOLERANCE,
            max_nfev=_MAX_EVALUATIONS,
        )
        slopes = jacobian(answer.x)
    if not _is_flat(answer.x, slopes, residuals=answer.fun, box=(low, high)):
        return None
    return answer.x, float(answer.fun @ answer.fun)


def _is_flat(inner: Floats, slopes: Floats, *, residuals: Floats, box: tuple[Floats, Floats]) -> bool:
    """Tells whether no direction inside the box lowers the deviance."""
    low, high = box
    sizes = np.linalg.norm(slopes, axis=0) * max(float(np.linalg.norm(residuals)), _SMALL_RESIDUALS)
    gradient = slopes.T @ residuals
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(sizes > 0, gradient / sizes, 0.0)
    # Where the plates hardly depend on a parameter the cosine is rounding, and a whole unit of it gains nothing.
    cosine = np.where(np.abs(gradient) * np.maximum(np.abs(inner), 1.0) < _SAME_DEVIANCE, 0.0, cosine)
    width = np.where(np.isfinite(high - low), high - low, np.inf)
    downhill = np.where(inner - low < _NEAR_WALL * width, cosine < -_FLAT, np.abs(cosine) > _FLAT)
    downhill = np.where(high - inner < _NEAR_WALL * width, cosine > _FLAT, downhill)
    return bool(np.all(np.isfinite(inner)) and not np.any(downhill))


def _walls_reached(problem: Problem, inner: Floats, *, deviance: float) -> dict[str, float]:
    """Returns searched parameters that fit as well on the wall that they are near to, with the wall's value."""
    low, high = problem.box
    found: dict[str, float] = {}
    for place, index in enumerate(problem.free):
        parameter = problem.model.parameters[index]
        width = high[place] - low[place]
        if not math.isfinite(width):
            continue
        for wall, distance in ((low, inner[place] - low[place]), (high, high[place] - inner[place])):
            if distance > _NEAR_WALL * width:
                continue
            value = math.exp(wall[place]) if _is_log(parameter) else float(wall[place])
            held = problem.holding(**{parameter.name: value})
            answer = _search(held, held.inner(problem.values(inner))) if held.free else None
            reached = answer[1] if answer is not None else deviance_of(held, held.values(np.zeros(len(held.free))))
            if reached <= deviance + _SAME_DEVIANCE:
                found[parameter.name] = value
    return found


def _log_means(problem: Problem, values: Floats) -> Floats:
    effect = problem.model.curve(problem.plates.dose_gy, values)[0]
    return log_means(problem.plates.offset - effect, problem.plates.response, groups=problem.plates.intercepts)


def _deviance_residuals(problem: Problem, values: Floats) -> tuple[Floats, Floats]:
    """Returns the signed root of each plate's deviance, and its derivative in the log mean (mean held apart).

    With x = (mean - count) / count, the deviance is 2 count (x - ln(1 + x)) = count x^2 h(x) with h(0) = 1.
    """
    counts = problem.plates.response
    with np.errstate(all="ignore"):
        mean = np.exp(_log_means(problem, values))
        some = np.where(counts > 0, counts, 1.0)
        x = np.where(counts > 0, (mean - counts) / some, 1.0)
        series = 1.0 + x * (-2.0 / 3.0 + x * (0.5 + x * (-0.4 + x * (1.0 / 3.0 - x * 2.0 / 7.0))))
        h = np.where(np.abs(x) < _SERIES, series, 2.0 * (x - np.log1p(x)) / np.where(x == 0, 1.0, x) ** 2)
        root = np.sqrt(some * h)
        residuals = np.where(counts > 0, -x * root, -np.sqrt(2.0 * mean))
        slopes = np.where(counts > 0, -np.sqrt(some / h), -np.sqrt(0.5 * mean))
    return residuals, slopes


def _centred(problem: Problem, gradient: Floats, *, mean: Floats) -> Floats:
    """Returns the gradient of the effect less its weighted mean in each replicate, whose intercept takes that up."""
    groups = problem.plates.intercepts
    if groups.shape[1] == 0:
        return gradient
    centre = (groups.T @ (mean[:, None] * gradient)) / (groups.T @ mean)[:, None]
    return np.asarray(gradient - groups @ centre)
