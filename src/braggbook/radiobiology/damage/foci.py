"""Fits the kinetics of gamma-H2AX foci: how many per Gy, how fast they go, how sure that is.

>>> fit = fit_foci(table)                                                   # doctest: +SKIP
>>> fit.value("foci_per_gy"), fit.interval("rate_fast_per_h"), fit.warnings   # doctest: +SKIP

The mean of a nucleus after a dose D and a time t is background + Y D [f e^(-k1 t) + (1 - f) e^(-k2 t)], and counts
are negative binomial about it (Poisson is tested). Y is the yield carried back to t = 0: foci take about half an hour
to form, which the model leaves out. Foci are not breaks: see :mod:`braggbook.radiobiology.damage.foci_overlap`.

Cells of one slide are taken as independent. Where slides or experiments differ, intervals are too narrow; the
goodness of fit shows it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from braggbook.errors import FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.arguments import NOT_NEGATIVE, checked
from braggbook.radiobiology.damage.foci_counts import read_foci_counts
from braggbook.radiobiology.damage.foci_likelihood import (
    LIMIT,
    FociModel,
    Optimum,
    count_log_likelihood,
    minimise,
    search_scale,
)
from braggbook.radiobiology.intervals import Interval, check_level, delta_interval, profile_end

Floats = NDArray[np.float64]
IntervalMethod = Literal["profile", "wald"]

# Foci are fewer than breaks until about this time after irradiation (gamma-H2AX is at its maximum at 30 minutes:
# C. E. Redon et al., Adv Space Res 43 (2009) 1171-1178, PMC2735274); used for a warning only.
_FORMATION_H = 0.5
# Two exponentials whose rates differ less than threefold can hardly be told from one in any real data.
_RATE_RATIO = 3.0
_NEAR_LIMIT = 0.02
_STARTS = 4  # of those that span the times, the best


@dataclass(frozen=True)
class FociTest:
    """A likelihood-ratio test.

    Attributes:
        statistic: Twice the gain of log-likelihood.
        df: Degrees of freedom.
        p: Probability of such a gain or a larger one if the simpler model were true.
        reference: The distribution behind p.
    """

    statistic: float
    df: int
    p: float
    reference: str


@dataclass(frozen=True, eq=False)
class FociFit:
    """Fitted kinetics of foci.

    Attributes:
        model: The model, with the frequencies.
        optimum: The best point.
        components: 1 or 2.
        cells: Nuclei counted.
        level: Confidence level of intervals.
        log_likelihood: At the best point.
        poisson: Test of Poisson against negative binomial: half of chi-squared(1), as the overdispersion cannot be
            negative (S. G. Self and K.-Y. Liang, J Am Stat Assoc 82 (1987) 605-610).
        goodness: Test of the curve against a mean of its own for every time and dose; None without spare groups.
        dose_linearity: Test of one yield per Gy against one for each dose; None with one dose.
        one_component: The same data with one component; None when that is this fit.
        groups: Table: time_h, dose_gy, cells, mean, fitted, pearson_residual (of the group's mean).
        warnings: What a reader must know, one sentence each.
    """

    model: FociModel
    optimum: Optimum
    components: int
    cells: int
    level: float
    log_likelihood: float
    poisson: FociTest | None
    goodness: FociTest | None
    dose_linearity: FociTest | None
    one_component: FociFit | None
    groups: pd.DataFrame
    warnings: tuple[str, ...]

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Estimates by name: background, foci_per_gy, fraction_fast, rate_fast_per_h, ... , overdispersion."""
        return self.model.natural(self.optimum.x)

    def value(self, name: str) -> float:
        """Returns an estimate by name; also ``half_time_fast_h``, ``half_time_slow_h`` or ``half_time_h``."""
        if name.startswith("half_time"):
            return math.log(2.0) / self._known(_rate_of(name))
        return self._known(name)

    def _known(self, name: str) -> float:
        if name not in self.parameters:
            raise unknown_name("parameter of this fit", name, [*self.parameters, *self._half_times])
        return self.parameters[name]

    @property
    def _half_times(self) -> list[str]:
        return [_half_time_of(name) for name in self.parameters if name.startswith("rate")]

    @property
    def aicc(self) -> float:
        """Akaike's criterion with its correction for small samples (Hurvich and Tsai 1989), in nuclei."""
        k = len(self.model.names)
        spare = self.cells - k - 1
        return 2.0 * k - 2.0 * self.log_likelihood + (2.0 * k * (k + 1) / spare if spare > 0 else math.inf)

    @cached_property
    def standard_errors(self) -> dict[str, float]:
        """Wald standard errors by name from the expected information; empty when it cannot be inverted."""
        information = self.model.information(self.optimum.x)
        scale = np.sqrt(np.diag(information))
        if not np.all(scale > 0):
            return {}
        correlation = information / np.outer(scale, scale)
        if np.linalg.cond(correlation) > 1e10:
            return {}
        variance = np.diag(np.linalg.inv(correlation)) / scale**2
        errors = dict(zip(self.model.names, np.sqrt(variance).tolist(), strict=False))
        if not self.model.poisson:
            errors |= self._overdispersion_error()
        return errors

    def _overdispersion_error(self) -> dict[str, float]:
        """The overdispersion is orthogonal to the means: its own second derivative suffices."""
        a = self.parameters["overdispersion"]
        mean, _ = self.model.means(self.optimum.x)
        if a < 1e-6:
            return {}
        step = 1e-4 * a
        slopes = [count_log_likelihood(self.model.counts, mean, a + side * step)[2] for side in (-1.0, 1.0)]
        curvature = (slopes[0] - slopes[1]) / (2.0 * step)
        return {"overdispersion": 1.0 / math.sqrt(curvature)} if curvature > 0 else {}

    def interval(self, name: str, *, method: IntervalMethod = "profile") -> Interval:
        """Returns the interval of a parameter or half-time.

        Args:
            name: A name of :attr:`parameters`, or a half-time.
            method: "profile" (likelihood ratio, chi2(1)) or "wald" (estimate -+ z standard error).

        Raises:
            UnknownName: There is no such parameter, or method.
            FitError: "wald", and the information cannot be inverted.
        """
        if method not in ("profile", "wald"):
            raise unknown_name("method", method, ("profile", "wald"))
        if name.startswith("half_time"):
            self._known(_rate_of(name))
            return _inverted(self.interval(_rate_of(name), method=method))
        value = self._known(name)
        if method == "wald":
            if name not in self.standard_errors:
                raise FitError(f"no standard error of {name}", wanted="parameters that the data tell apart")
            return delta_interval(value, self.standard_errors[name], level=self.level)
        if name not in self._profiles:
            self._profiles[name] = self._profile(name)
        return self._profiles[name]

    @cached_property
    def _profiles(self) -> dict[str, Interval]:
        """The profile intervals that were asked for: each takes dozens of fits."""
        return {}

    def _profile(self, name: str) -> Interval:
        best = self.optimum.x[self.model.names.index(name)]
        limit = float(stats.chi2.ppf(self.level, 1)) / 2.0
        latest = [self.optimum.x, self.optimum.x]
        known = {float(best): -limit}  # a point has one value, whichever way the search came to it

        def excess(place: float) -> float:
            if place not in known:
                found = minimise(self.model, latest, fixed={name: place}, near=True)
                latest[0] = found.x
                known[place] = found.loss - self.optimum.loss - limit
            return known[place]

        ends, notes = [], []
        for side in (-1.0, 1.0):
            latest[0] = self.optimum.x
            room = LIMIT - side * best
            end = profile_end(excess, start=float(best), step=side * self._first_step(name), furthest=max(room, 0.0))
            if math.isinf(end):
                notes.append("lower" if side < 0 else "upper")
                ends.append(0.0 if side < 0 else (1.0 if name == "fraction_fast" else math.inf))
            else:
                ends.append(self.model.natural(_with(self.optimum.x, self.model.names.index(name), end))[name])
        note = f"the data set no {' or '.join(notes)} limit" if notes else ""
        return Interval(ends[0], ends[1], self.level, "profile, chi2(1)", bounded=not notes, note=note)

    def _first_step(self, name: str) -> float:
        """Returns two standard errors on the search scale, so that the search begins about where it ends."""
        value, error = self.parameters[name], self.standard_errors.get(name, 0.0)
        relative = error / (value * (1.0 - value) if name == "fraction_fast" else value)
        return float(np.clip(2.0 * relative, 0.02, 2.0)) if math.isfinite(relative) else 0.1

    def fraction_left(self, time_h: ArrayLike) -> Floats:
        """Returns the share of the initial foci that is left at times in h."""
        (time,) = checked({"time_h": (time_h, NOT_NEGATIVE)})
        p = self.parameters
        if self.components == 1:
            return np.asarray(np.exp(-p["rate_per_h"] * time))[()]
        f = p["fraction_fast"]
        slow = (1.0 - f) * np.exp(-p["rate_slow_per_h"] * time)
        return np.asarray(f * np.exp(-p["rate_fast_per_h"] * time) + slow)[()]

    def mean(self, time_h: ArrayLike, *, dose_gy: ArrayLike) -> Floats:
        """Returns the fitted mean foci per nucleus at times in h after doses in Gy."""
        if "foci_per_gy" not in self.parameters:
            raise ScienceError("each dose has a yield of its own", wanted='a fit with dose_response="linear"')
        time, dose = checked({"time_h": (time_h, NOT_NEGATIVE), "dose_gy": (dose_gy, NOT_NEGATIVE)})
        base = self.parameters.get("background", self.model.background or 0.0)
        return np.asarray(base + self.parameters["foci_per_gy"] * dose * self.fraction_left(time))[()]

    def table(self) -> pd.DataFrame:
        """Returns a table of all parameters and half-times: name, estimate, standard_error, lower, upper, note."""
        rows = []
        for name in [*self.parameters, *self._half_times]:
            interval = self.interval(name)
            rows.append(
                {
                    "name": name,
                    "estimate": self.value(name),
                    "standard_error": self.standard_errors.get(name, np.nan),
                    "lower": interval.lower,
                    "upper": interval.upper,
                    "note": interval.note,
                }
            )
        return pd.DataFrame(rows)


def fit_foci(
    counts: pd.DataFrame,
    *,
    components: Literal[1, 2] = 2,
    dose_response: Literal["linear", "free"] = "linear",
    background: float | None = None,
    distribution: Literal["negative binomial", "poisson"] = "negative binomial",
    level: float = 0.95,
) -> FociFit:
    """Fits foci against time and dose by maximum likelihood.

    Args:
        counts: Table with columns time_h, dose_gy, foci, and cells where rows are frequencies: see
            :mod:`braggbook.radiobiology.damage.foci_counts`.
        components: Exponentials, 1 or 2.
        dose_response: "linear" for one yield per Gy, "free" for one at every dose.
        background: Foci of unirradiated nuclei, when it is known; None to fit it.
        distribution: Of the counts.
        level: Confidence level of intervals.

    Raises:
        ScienceError: Something is wrong with the table or an argument; ``issues`` names all of it.
        FitError: There are fewer times or groups than the curve has parameters, or the search does not end.
    """
    check_level(level)
    _check_options(components, dose_response=dose_response, background=background, distribution=distribution)
    data = read_foci_counts(counts)
    doses = tuple(np.unique(data.dose_gy[data.dose_gy > 0]).tolist())
    model = FociModel(
        data,
        components,
        doses=doses if dose_response == "free" else (),
        background=background,
        poisson=distribution == "poisson",
    )
    _check_groups(model)
    simpler = None
    if components == 2:
        simpler = _fit(FociModel(data, 1, model.doses, background, model.poisson), level=level, simpler=None)
    return _fit(model, level=level, simpler=simpler)


def _fit(model: FociModel, *, level: float, simpler: FociFit | None) -> FociFit:
    optimum = _ordered(model, minimise(model, _starts(model)))
    if not math.isfinite(optimum.loss) or optimum.gradient > 1e-3 * max(1.0, abs(optimum.loss)):
        raise FitError("the fit of the foci does not settle", got=f"slope {optimum.gradient:.3g}")
    data = model.counts
    poisson = None
    if not model.poisson:
        plain = FociModel(data, model.components, model.doses, model.background, poisson=True)
        gain = 2.0 * (minimise(plain, [optimum.x[:-1], *_starts(plain)[:1]]).loss - optimum.loss)
        gain = max(gain, 0.0)
        p = 0.5 * float(stats.chi2.sf(gain, 1)) if gain > 0 else 1.0
        poisson = FociTest(gain, 1, p, "half of chi2(1)")
    mean, _ = model.means(optimum.x)
    a = 0.0 if model.poisson else model.natural(optimum.x)["overdispersion"]
    groups = pd.DataFrame(
        {
            "time_h": data.time_h,
            "dose_gy": data.dose_gy,
            "cells": data.group_cells.astype(np.int64),
            "mean": data.group_means,
            "fitted": mean,
            "pearson_residual": (data.group_means - mean) / np.sqrt((mean + a * mean**2) / data.group_cells),
        }
    )
    parts = {
        "poisson": poisson,
        "goodness": _goodness(model, optimum),
        "dose_linearity": _dose_linearity(model, optimum),
    }
    bare = FociFit(
        model=model, optimum=optimum, components=model.components, cells=int(data.cells.sum()), level=level,
        log_likelihood=-optimum.loss, one_component=simpler, groups=groups, warnings=(), **parts,
    )  # fmt: skip
    return FociFit(**{**bare.__dict__, "warnings": tuple(_warnings(bare))})


def _starts(model: FociModel) -> list[Floats]:
    """Starts of the search, from the data: rates that span the times, and the means at zero dose and early."""
    data = model.counts
    means, hit = data.group_means, data.dose_gy > 0
    control = float(means[~hit].mean()) if (~hit).any() else 0.3 * float(means[hit].min())
    control = max(control, 1e-2)
    times = np.unique(data.time_h[hit])
    first, last = max(float(times[times > 0].min(initial=1.0)), 1e-3), max(float(times.max()), 1e-2)
    guess = {"background": control, "overdispersion": 0.1}
    starts = []
    shapes = (
        itertools.product((0.3, 1.0, 3.0), (0.2, 1.0)) if model.components == 2 else [(1.0, k) for k in (0.3, 1, 3)]
    )
    for fast, slow in shapes:
        k1, k2 = fast / first if model.components == 2 else slow / last, slow / last
        for f in (0.5, 0.8) if model.components == 2 else (1.0,):
            left = f * np.exp(-k1 * data.time_h) + (1.0 - f) * np.exp(-k2 * data.time_h)
            size = np.maximum(means - control, 0.1)[hit] / (data.dose_gy * np.maximum(left, 1e-3))[hit]
            values = {**guess, "fraction_fast": f, "rate_fast_per_h": max(k1, 1.5 * k2), "rate_slow_per_h": k2}
            values["rate_per_h"] = k2
            yields = float(np.median(size))
            starts.append(np.array([search_scale(name, values.get(name, yields)) for name in model.names]))
    return sorted(starts, key=lambda x: model.loss(x)[0])[:_STARTS]


def _ordered(model: FociModel, optimum: Optimum) -> Optimum:
    """Names the faster rate fast: the two components are alike but for their names."""
    if model.components == 1:
        return optimum
    f, k1, k2 = (model.names.index(n) for n in ("fraction_fast", "rate_fast_per_h", "rate_slow_per_h"))
    if optimum.x[k1] >= optimum.x[k2]:
        return optimum
    x = optimum.x.copy()
    x[f], x[k1], x[k2] = -x[f], optimum.x[k2], optimum.x[k1]
    return Optimum(x, optimum.loss, optimum.gradient)


def _goodness(model: FociModel, optimum: Optimum) -> FociTest | None:
    """Compares the curve with a mean of its own in every group, the overdispersion being fitted in both."""
    data = model.counts
    df = len(data.time_h) - (len(model.names) - (0 if model.poisson else 1))
    if df < 1:
        return None
    means = np.maximum(data.group_means, 1e-12)  # a group without foci has the mean 0, at which y ln(mean) is 0
    if model.poisson:
        best = count_log_likelihood(data, means, 0.0)[0]
    else:
        found = optimize.minimize_scalar(
            lambda place: -count_log_likelihood(data, means, math.exp(place))[0], bounds=(-LIMIT, 5.0), method="bounded"
        )
        best = max(-float(found.fun), count_log_likelihood(data, means, 0.0)[0])
    gain = max(2.0 * (best + optimum.loss), 0.0)
    return FociTest(gain, df, float(stats.chi2.sf(gain, df)), f"chi2({df})")


def _dose_linearity(model: FociModel, optimum: Optimum) -> FociTest | None:
    data = model.counts
    doses = tuple(np.unique(data.dose_gy[data.dose_gy > 0]).tolist())
    if model.doses or len(doses) < 2:
        return None
    free = FociModel(data, model.components, doses, model.background, model.poisson)
    values = dict(zip(model.names, optimum.x, strict=True))
    start = np.array([values.get(name, values["foci_per_gy"]) for name in free.names])
    gain = max(2.0 * (optimum.loss - minimise(free, [start]).loss), 0.0)
    df = len(doses) - 1
    return FociTest(gain, df, float(stats.chi2.sf(gain, df)), f"chi2({df})")


def _warnings(fit: FociFit) -> list[str]:
    data, p = fit.model.counts, fit.parameters
    hit = data.dose_gy > 0
    times = np.unique(data.time_h[hit])
    found = []
    if fit.model.background is None and hit.all():
        found.append("no unirradiated cells: the background rests on the latest times alone")
    if times.min() < _FORMATION_H:
        found.append(f"times before {_FORMATION_H:g} h: foci are still forming, which the model leaves out")
    if fit.poisson is not None and fit.poisson.p < 0.05:
        found.append(f"counts scatter more than Poisson (p = {fit.poisson.p:.2g})")
    if fit.goodness is not None and fit.goodness.p < 0.01:
        found.append(f"the curve does not fit the means (p = {fit.goodness.p:.2g}): intervals are too narrow")
    if fit.dose_linearity is not None and fit.dose_linearity.p < 0.01:
        found.append(f"foci are not proportional to dose (p = {fit.dose_linearity.p:.2g})")
    if fit.components == 2:
        found += _component_warnings(fit, times)
    slowest = p["rate_slow_per_h"] if fit.components == 2 else p["rate_per_h"]
    if math.log(2.0) / slowest > 2.0 * float(times.max()):
        found.append("the slow half-time is longer than twice the last time: it is extrapolated")
    if not fit.standard_errors:
        found.append("the data do not tell the parameters apart: no standard errors")
    return found


def _component_warnings(fit: FociFit, times: Floats) -> list[str]:
    p, simpler, found = fit.parameters, fit.one_component, []
    f = p["fraction_fast"]
    if not _NEAR_LIMIT < f < 1.0 - _NEAR_LIMIT:
        found.append(f"the fast fraction is at its limit ({f:.3g}): one component suffices")
    if p["rate_fast_per_h"] < _RATE_RATIO * p["rate_slow_per_h"]:
        found.append("the two rates differ less than threefold: the components are not identifiable")
    if simpler is not None and simpler.aicc <= fit.aicc:
        found.append(f"one component is as good (AICc {simpler.aicc:.1f} against {fit.aicc:.1f})")
    first = float(times[times > 0].min(initial=math.inf))
    if math.log(2.0) / p["rate_fast_per_h"] < 0.5 * first and times.min() > 0:
        found.append("the fast half-time is shorter than half the first time: it is extrapolated")
    return found


def _check_options(components: object, *, dose_response: str, background: float | None, distribution: str) -> None:
    issues = []
    if components not in (1, 2) or isinstance(components, bool):
        issues.append(Issue("not a number of components", wanted="1 or 2", got=repr(components)))
    if dose_response not in ("linear", "free"):
        issues.append(Issue("not a dose response", wanted="linear or free", got=repr(dose_response)))
    if distribution not in ("negative binomial", "poisson"):
        issues.append(Issue("not a distribution", wanted="negative binomial or poisson", got=repr(distribution)))
    good = isinstance(background, int | float | np.number) and math.isfinite(background) and background >= 0
    if background is not None and not good:
        issues.append(Issue("not a background", wanted="foci per nucleus, 0 or more", got=repr(background)))
    if issues:
        raise ScienceError("foci cannot be fitted so", issues=issues)


def _check_groups(model: FociModel) -> None:
    """Refuses data that cannot tell the parameters apart, however many cells there are."""
    data = model.counts
    hit = data.dose_gy > 0
    times = len(np.unique(data.time_h[hit]))
    parameters = len(model.names) - (0 if model.poisson else 1)
    issues = []
    wanted = 4 if model.components == 2 else 2
    if times < wanted:
        what = f"too few times for {model.components} component{'s' if model.components == 2 else ''}"
        issues.append(Issue(what, wanted=f"{wanted} or more after irradiation", got=str(times)))
    if len(data.time_h) < parameters:
        what = "fewer groups of time and dose than parameters"
        issues.append(Issue(what, wanted=f"{parameters} or more", got=str(len(data.time_h))))
    if issues:
        hint = "; components=1 needs two times" if model.components == 2 else ""
        raise FitError(f"the foci do not identify the curve{hint}", issues=issues)


def _rate_of(name: str) -> str:
    return name.replace("half_time", "rate").replace("_h", "_per_h")


def _half_time_of(name: str) -> str:
    return name.replace("rate", "half_time").replace("_per_h", "_h")


def _with(x: Floats, index: int, value: float) -> Floats:
    changed = x.copy()
    changed[index] = value
    return changed


def _inverted(rate: Interval) -> Interval:
    """Returns the interval of a half-time from that of its rate."""
    lower = math.log(2.0) / rate.upper if rate.upper > 0 else math.inf
    upper = math.log(2.0) / rate.lower if rate.lower > 0 else math.inf
    bounded = rate.bounded and math.isfinite(upper)
    note = rate.note or ("" if bounded else "the rate may be zero at this level")
    return Interval(lower, upper, rate.level, f"{rate.method}, ln 2 / rate", bounded=bounded, note=note)
