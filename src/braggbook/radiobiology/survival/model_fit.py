"""Fits any of the registered survival models to colony counts.

>>> fit = fit_survival_model(counts, model="lq_l")                   # doctest: +SKIP
>>> fit.estimates["transition_dose_gy"], fit.parameters(), fit.derived() # doctest: +SKIP

The likelihood is that of :func:`~braggbook.radiobiology.survival.fit.fit_survival`: quasi-Poisson, log link, a
plating efficiency per replicate, fitted or pooled. For ``model="lq"`` both give one curve; here the iteration goes
on to the end, where R's stops a step earlier, so that the dispersion may differ in its fifth digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.intervals import (
    Interval,
    Reference,
    check_level,
    cutoff,
    delta_interval,
    profile_end,
    profile_label,
)
from braggbook.radiobiology.survival.colony_counts import ColonyCounts, read_colony_counts
from braggbook.radiobiology.survival.curve_model import (
    CurveModel,
    Plating,
    curve_model,
    pooled_plating_efficiency,
)
from braggbook.radiobiology.survival.curve_shape import CurveShape
from braggbook.radiobiology.survival.judgement import dispersion_warnings, plate_warnings
from braggbook.radiobiology.survival.models import Parameter, SurvivalModel, find_survival_model
from braggbook.radiobiology.survival.nonlinear import Minimum, Problem, information, means, minimise, starting_values

Floats = NDArray[np.float64]

# Step of a difference quotient in standard errors: its error is of the order of this squared.
_STEP = 1e-3
# First step of a profile of a parameter that is searched for by its logarithm.
_LOG_STEP = 0.5
# A profile that ends this near a wall (relative) has not ended before it.
_AT_WALL = 1e-9
# A parameter whose standard error is larger than itself is called not determined.
_UNDETERMINED = 1.0
# Above this logarithm a number is more than a double can hold.
_LARGEST_LOG = 700.0


@dataclass(frozen=True, eq=False)
class SurvivalModelFit:
    """A fitted curve of any survival model. Coefficients are reported as estimated, never clipped.

    Attributes:
        model: The survival model.
        estimates: Its parameters by name, those that were held included.
        standard_errors: By name; None for a parameter that was held or lies at its limit. From the expected
            information, times sqrt(dispersion).
        covariance: Covariance of the parameters that have a standard error, in their order, shape (m, m).
        fixed: Names of parameters that were held by the caller.
        at_limit: Names of parameters whose best value is a limit of what they, or the doses, allow. The
            other standard errors are then those with these parameters held.
        plating: "fitted" or "pooled".
        dispersion: Pearson chi-squared / df.
        df: Residual degrees of freedom: plates less plating efficiencies less parameters that were not held.
        deviance: Deviance of the fit.
        level: Confidence level of the intervals.
        log_plating_efficiencies: Natural logarithm of each replicate's plating efficiency, fitted or pooled.
        starts: How many starting points were tried, and how many ended at this deviance.
        warnings: What a reader must know, one sentence each.
        counts: All plates that have a count.
        problem: What was minimised.
    """

    model: SurvivalModel
    estimates: Mapping[str, float]
    standard_errors: Mapping[str, float | None]
    covariance: Floats
    fixed: tuple[str, ...]
    at_limit: tuple[str, ...]
    plating: Plating
    dispersion: float
    df: int
    deviance: float
    level: float
    log_plating_efficiencies: Mapping[str, float]
    starts: tuple[int, int]
    warnings: tuple[str, ...]
    counts: ColonyCounts
    problem: Problem

    @cached_property
    def shape(self) -> CurveShape:
        """The fitted curve: its survival, doses and mean inactivation dose."""
        return CurveShape(self.model, self._array, largest_dose_gy=float(self.problem.plates.dose_gy.max()))

    @property
    def parameter_count(self) -> int:
        """Fitted numbers: parameters that were not held, and plating efficiencies when these were fitted."""
        return len(self.problem.free) + int(self.problem.plates.intercepts.shape[1])

    def survival_at(self, dose_gy: ArrayLike) -> Floats:
        """Returns the fitted surviving fraction at doses in Gy, in their shape."""
        return self.shape.survival_at(dose_gy)

    def dose_at(self, survival: float) -> float:
        """Returns the smallest dose in Gy at which the curve comes down to a survival level.

        Raises:
            ScienceError: It never does.
        """
        return self.shape.dose_at(survival)

    @property
    def mean_inactivation_dose_gy(self) -> float:
        """Integral of S over all doses, in Gy; ScienceError when it does not converge."""
        return self.shape.mean_inactivation_dose()

    def parameters(self) -> pd.DataFrame:
        """Returns a row per parameter: parameter, unit, estimate, standard_error, state.

        ``state`` is "fitted", "held" or "at its limit"; the last two have no standard error (NaN).
        """
        names = self.model.parameter_names
        states = [
            "held" if name in self.fixed else "at its limit" if name in self.at_limit else "fitted" for name in names
        ]
        errors = [self.standard_errors[name] for name in names]
        return pd.DataFrame(
            {
                "parameter": names,
                "unit": [parameter.unit for parameter in self.model.parameters],
                "estimate": [self.estimates[name] for name in names],
                "standard_error": [math.nan if error is None else error for error in errors],
                "state": states,
            }
        )

    def interval(
        self, parameter: str, *, method: str = "profile", reference: Reference = "f", level: float | None = None
    ) -> Interval:
        """Returns the "profile" or "delta" interval of a parameter.

        A profile that the data never close ends at the parameter's limit, or, where it has none, is unbounded.

        Raises:
            UnknownName: No such parameter, method or reference.
            ScienceError: The parameter was held, or lies at its limit and the delta interval was asked for.
        """
        if parameter not in self.estimates:
            raise unknown_name("parameter of this model", str(parameter), self.estimates)
        if method not in ("profile", "delta"):
            raise unknown_name("interval method for this quantity", str(method), ("profile", "delta"))
        if parameter in self.fixed:
            raise ScienceError(f"{parameter} was held, it has no interval", wanted="a parameter that was fitted")
        level = check_level(self.level if level is None else level)
        if method == "profile":
            return self._profile(parameter, reference, level=level)
        error = self.standard_errors[parameter]
        if error is None:
            raise ScienceError(f"{parameter} is at its limit, it has no standard error", wanted='method="profile"')
        return delta_interval(self.estimates[parameter], error, level=level, df=self.df, reference=reference)

    def derived(self, *, level: float | None = None) -> pd.DataFrame:
        """Returns what the curve says, by the delta method with t(df).

        Rows: what the model's parameters say (alpha_beta_gy, dq_gy, ...), then sf2, d10_gy, d37_gy and
        mean_inactivation_dose_gy. Columns: quantity, unit, estimate, standard_error, lower, upper, note. A
        quantity that the curve does not have is NaN, and the note says why.
        """
        level = check_level(self.level if level is None else level)
        shape, rows = self.shape, []
        for quantity in self.model.derived:
            rows.append(self._row(quantity.name, quantity.unit, quantity.function, level=level))
        rows.append(_as_survival(self._row("sf2", "1", lambda p: shape.of(p).effect_of(2.0), level=level)))
        for name, survival in (("d10_gy", 0.1), ("d37_gy", math.exp(-1.0))):
            rows.append(self._row(name, "Gy", partial(_dose_of, shape, survival), level=level))
        rows.append(
            self._row("mean_inactivation_dose_gy", "Gy", lambda p: shape.of(p).mean_inactivation_dose(), level=level)
        )
        return pd.DataFrame(rows)

    @property
    def _array(self) -> Floats:
        return np.array([self.estimates[name] for name in self.model.parameter_names])

    @property
    def _with_error(self) -> list[int]:
        return [i for i, name in enumerate(self.model.parameter_names) if self.standard_errors[name] is not None]

    def _row(
        self, name: str, unit: str, function: Callable[[Floats], float], *, level: float
    ) -> dict[str, float | str]:
        row: dict[str, float | str] = {"quantity": name, "unit": unit}
        missing = dict.fromkeys(("estimate", "standard_error", "lower", "upper"), math.nan)
        try:
            estimate = function(self._array)
            if not math.isfinite(estimate):
                return {**row, **missing, "note": "the curve has none"}
            error = self._standard_error(function)
        except ScienceError as problem:
            return {**row, **missing, "note": problem.what}
        found = delta_interval(estimate, error, level=level, df=self.df, reference="f")
        beyond = unit == "Gy" and name.startswith("d") and estimate > self.shape.largest_dose_gy
        note = "beyond the largest dose" if beyond else ""
        return {
            **row,
            "estimate": estimate,
            "standard_error": error,
            "lower": found.lower,
            "upper": found.upper,
            "note": note,
        }

    def _standard_error(self, function: Callable[[Floats], float]) -> float:
        """Returns the delta-method standard error, the gradient by central differences."""
        gradient = []
        for place, index in enumerate(self._with_error):
            step = np.zeros(len(self._array))
            step[index] = _STEP * min(math.sqrt(self.covariance[place, place]), max(abs(self._array[index]), _STEP))
            change = function(self._array + step) - function(self._array - step)
            gradient.append(change / (2.0 * step[index]))
        vector = np.array(gradient)
        with np.errstate(over="ignore", invalid="ignore"):
            variance = float(vector @ self.covariance @ vector)
        if not math.isfinite(variance):
            raise FitError("the plates leave it wholly open", wanted="plates that determine the parameters")
        return math.sqrt(max(variance, 0.0))

    def _profile(self, name: str, reference: Reference, *, level: float) -> Interval:
        label = profile_label(self.df, reference)
        parameter = self.model.parameters[self.model.parameter_names.index(name)]
        walls = self.problem.walls(parameter)
        limit = self.deviance + self.dispersion * cutoff(level, df=self.df, reference=reference)
        if limit - self.deviance <= 0:  # a perfect fit leaves no width
            return Interval(self.estimates[name], self.estimates[name], level, label)
        ends = [
            _profile_side(self, parameter, limit=limit, wall=wall, side=side)
            for wall, side in zip(walls, (-1, 1), strict=True)
        ]
        lower, upper = (natural if end is None else end for end, natural in zip(ends, parameter.limits, strict=True))
        bounded = math.isfinite(lower) and math.isfinite(upper)
        note = ""
        if None in ends:
            open_sides = [side for side, end in zip(("below", "above"), ends, strict=True) if end is None]
            note = f"the data do not limit it {' or '.join(open_sides)}"
        return Interval(lower, upper, level, label, bounded=bounded, note=note)


def fit_survival_model(
    counts: pd.DataFrame,
    *,
    model: str = "lq",
    plating: Plating = "fitted",
    fixed: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> SurvivalModelFit:
    """Fits a survival model to the plates of one curve by quasi-Poisson maximum likelihood.

    Args:
        counts: One row per plate, see :mod:`braggbook.radiobiology.survival.colony_counts`.
        model: Name of the model, one of :func:`~braggbook.radiobiology.survival.models.survival_models`.
        plating: "fitted" or "pooled", as for :func:`~braggbook.radiobiology.survival.fit.fit_survival`.
        fixed: Parameters to hold, by name, for example ``{"transition_dose_gy": 5.0}``.
        level: Confidence level of the intervals.

    Raises:
        ScienceError: The table, or a value to hold, is not usable; all issues are named.
        FitError: The plates cannot determine the parameters, or the search finds no minimum.
        UnknownName: ``model``, ``plating`` or a name in ``fixed`` is not known.
    """
    check_level(level)
    chosen = find_survival_model(model)
    held = _checked(chosen, fixed or {})
    names = [name for name in chosen.parameter_names if name not in held]
    table = read_colony_counts(counts)
    if not names:
        raise FitError("nothing is left to fit", wanted="a parameter that is not held", got=", ".join(held))
    plates = curve_model(table, plating=plating, curve=f"a {model} curve", parameters=names)
    problem = Problem(chosen, plates, held)
    found = minimise(problem, starting_values(problem))
    return _fit(table, problem, found=found, level=level)


def _fit(table: ColonyCounts, problem: Problem, *, found: Minimum, level: float) -> SurvivalModelFit:
    plates, model = problem.plates, problem.model
    names = model.parameter_names
    mean = means(problem, found.estimates)
    df = len(mean) - plates.intercepts.shape[1] - len(problem.free)
    # Where a mean is too small for a number the plate is empty, and fitted.
    dispersion = float(np.sum((plates.response - mean) ** 2 / np.where(mean > 0, mean, 1.0))) / df
    free = [index for index in problem.free if names[index] not in found.at_wall]
    covariance = dispersion * np.linalg.inv(information(problem, found.estimates, free=free))
    errors: dict[str, float | None] = dict.fromkeys(names, None)
    errors.update({names[index]: math.sqrt(covariance[i, i]) for i, index in enumerate(free)})
    values = dict(zip(names, map(float, found.estimates), strict=True))
    return SurvivalModelFit(
        model=model,
        estimates=MappingProxyType(values),
        standard_errors=MappingProxyType(errors),
        covariance=covariance,
        fixed=tuple(problem.fixed),
        at_limit=found.at_wall,
        plating=plates.plating,
        dispersion=dispersion,
        df=df,
        deviance=found.deviance,
        level=level,
        log_plating_efficiencies=_efficiencies(table, problem, values=found.estimates),
        starts=(found.starts, found.agreeing),
        warnings=(
            *plate_warnings(table),
            *_value_warnings(values, errors, at_limit=found.at_wall),
            *dispersion_warnings(dispersion, plating=plates.plating),
        ),
        counts=table,
        problem=problem,
    )


def _checked(model: SurvivalModel, fixed: Mapping[str, float]) -> dict[str, float]:
    issues = []
    for name, value in fixed.items():
        if name not in model.parameter_names:
            raise unknown_name(f"parameter of {model.name}", str(name), model.parameter_names)
        low, high = model.parameters[model.parameter_names.index(name)].limits
        good = lq.is_number(value) and math.isfinite(value) and low <= value <= high
        if not good or (low == 0 and value == 0):
            wanted = "a finite number" if low == -math.inf else "1 or more" if low == 1 else "a finite number above 0"
            issues.append(Issue("not a value to hold", where=name, wanted=wanted, got=repr(value)))
    if issues:
        raise ScienceError(f"these parameters of {model.name} cannot be held", issues=issues)
    return {name: float(value) for name, value in fixed.items()}


def _efficiencies(table: ColonyCounts, problem: Problem, *, values: Floats) -> Mapping[str, float]:
    plates: CurveModel = problem.plates
    if plates.plating == "pooled":
        logs = np.log(pooled_plating_efficiency(table))
    else:
        effect = problem.model.curve(plates.dose_gy, values)[0]
        expected = plates.intercepts.T @ np.exp(plates.offset - effect)
        logs = np.log(plates.intercepts.T @ plates.response) - np.log(expected)
    return MappingProxyType(dict(zip(table.replicates, map(float, logs), strict=True)))


def _value_warnings(
    values: Mapping[str, float], errors: Mapping[str, float | None], *, at_limit: tuple[str, ...]
) -> list[str]:
    found = [
        f"{name} is negative ({value:.4g}); it is reported as estimated, not clipped"
        for name, value in values.items()
        if value < 0 and errors[name] is not None
    ]
    found += [
        f"{name} is at its limit ({values[name]:.4g}): the other standard errors hold it there" for name in at_limit
    ]
    found += [
        f"{name} is not determined by these plates: {values[name]:.4g} with a standard error of {error:.4g}"
        for name, error in errors.items()
        if error is not None and error > _UNDETERMINED * abs(values[name])
    ]
    return found


def _dose_of(shape: CurveShape, survival: float, values: Floats) -> float:
    return shape.of(values).dose_at(survival)


def _as_survival(row: dict[str, float | str]) -> dict[str, float | str]:
    """Turns the row of an effect -ln S into that of S, so that the limits are between 0 and infinity."""
    effects = [float(row[name]) for name in ("estimate", "upper", "lower")]
    survival, lower, upper = (math.inf if effect < -_LARGEST_LOG else math.exp(-effect) for effect in effects)
    error = survival * float(row["standard_error"])
    return {**row, "estimate": survival, "standard_error": error, "lower": lower, "upper": upper}


def _profile_side(fit: SurvivalModelFit, parameter: Parameter, *, limit: float, wall: float, side: int) -> float | None:
    """Returns where the profile leaves its limit on one side; None when it reaches the wall first."""
    name, log = parameter.name, parameter.is_positive
    estimate = fit.estimates[name]
    best = [np.array(list(fit.estimates.values()))]

    start, end = (math.log(value) if log and value > 0 else value for value in (estimate, wall))

    def excess(scaled: float) -> float:
        if side * (scaled - end) > 0:
            return 1.0  # behind the wall: the search then ends at the wall
        problem = fit.problem.holding(**{name: math.exp(scaled) if log else scaled})
        try:
            found = minimise(problem, best)
        except FitError:
            found = minimise(problem, starting_values(fit.problem))
        best[1:] = [found.estimates]
        return found.deviance - limit

    error = fit.standard_errors[name]
    step = (error / estimate if log else error) if error is not None else 0.1 * (abs(start) or 1.0)
    step = min(step, _LOG_STEP) if log else step
    if math.isfinite(end):
        step = min(step, 0.25 * abs(end - start))
    if step <= 0:
        return None
    found = profile_end(excess, start=start, step=side * step)
    if math.isinf(found) or (math.isfinite(end) and abs(found - end) <= _AT_WALL * max(abs(end), 1.0)):
        return None
    return math.exp(found) if log else found
