"""The likelihood of foci counts: means that decay in one or two components, counts that are negative binomial.

    mean(t, D) = background + Y D [f e^(-k1 t) + (1 - f) e^(-k2 t)],      variance = mean + a mean^2.

a is the overdispersion; a = 0 is Poisson. With a = 1/r this is the negative binomial with r failures (NB2 in
J. M. Hilbe, Negative Binomial Regression, 2nd ed., Cambridge 2011). One component is f = 1.

Parameters are sought on scales without limits: logarithms of background, Y, k1, k2 and a; logit of f.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from braggbook.radiobiology.damage.foci_counts import FociCounts

Floats = NDArray[np.float64]
Partial = Callable[[Floats], tuple[float, Floats]]

# On the search scale: a logarithm of -23 is 1e-10 of an unit, a logit of 23 within 1e-10 of 1: the parameter's limit.
LIMIT = 23.0
_NEWTON_STEPS = 25
_OPTIONS = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 20}
_SETTLED = 1e-5  # slope of a log-likelihood on a scale of order 1: far less than a profile's cut-off of 1.92
_STEP = 1e-4  # of a central difference of the exact gradient, on scales of order 1


@dataclass(frozen=True)
class FociModel:
    """Which parameters there are.

    Attributes:
        counts: The frequencies.
        components: 1 or 2.
        doses: Doses with a yield of their own; empty when one yield per Gy holds for all.
        background: None when it is fitted, else its fixed value.
        poisson: Whether the overdispersion is fixed at 0.
    """

    counts: FociCounts
    components: int
    doses: tuple[float, ...] = ()
    background: float | None = None
    poisson: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters that are sought, in order."""
        yields = tuple(f"foci_per_gy_at_{dose:g}_gy" for dose in self.doses) or ("foci_per_gy",)
        background = ("background",) if self.background is None else ()
        rates = ("fraction_fast", "rate_fast_per_h", "rate_slow_per_h") if self.components == 2 else ("rate_per_h",)
        return (*background, *yields, *rates, *(() if self.poisson else ("overdispersion",)))

    def natural(self, x: Floats) -> dict[str, float]:
        """Returns the parameters of a point of the search scale."""
        return {name: _natural(name, value) for name, value in zip(self.names, x, strict=True)}

    def means(self, x: Floats) -> tuple[Floats, Floats]:
        """Returns the mean of each group and its derivatives by the search scale, shape (parameters, groups)."""
        p = self.natural(x)
        time, dose = self.counts.time_h, self.counts.dose_gy
        shape, slopes = self._shape(p)
        gradient = np.zeros((len(self.names), len(time)))
        index = {name: i for i, name in enumerate(self.names)}
        per_gy = np.zeros_like(time)
        for name in self.names:
            if name.startswith("foci_per_gy"):
                mine = np.isclose(dose, float(name.split("_")[4])) if self.doses else dose > 0
                per_gy[mine] = p[name]
                gradient[index[name], mine] = (p[name] * dose * shape)[mine]
        size = per_gy * dose
        for name, slope in slopes.items():
            gradient[index[name]] = size * slope
        base = p.get("background", 0.0 if self.background is None else self.background)
        if "background" in index:
            gradient[index["background"]] = base
        return base + size * shape, gradient

    def _shape(self, p: Mapping[str, float]) -> tuple[Floats, dict[str, Floats]]:
        """Returns the share of foci left at each time, and its derivatives by the search scale."""
        time = self.counts.time_h
        if self.components == 1:
            k = p["rate_per_h"]
            left = np.exp(-k * time)
            return left, {"rate_per_h": -k * time * left}
        f, k1, k2 = (p[name] for name in ("fraction_fast", "rate_fast_per_h", "rate_slow_per_h"))
        fast, slow = np.exp(-k1 * time), np.exp(-k2 * time)
        slopes = {
            "fraction_fast": f * (1.0 - f) * (fast - slow),
            "rate_fast_per_h": -f * k1 * time * fast,
            "rate_slow_per_h": -(1.0 - f) * k2 * time * slow,
        }
        return f * fast + (1.0 - f) * slow, slopes

    def loss(self, x: Floats) -> tuple[float, Floats]:
        """Returns the negative log-likelihood and its gradient by the search scale."""
        mean, slopes = self.means(x)
        mean = np.maximum(mean, 1e-300)
        a = 0.0 if self.poisson else _natural("overdispersion", float(x[-1]))
        value, by_mean, by_a = count_log_likelihood(self.counts, mean, a)
        gradient = slopes @ by_mean
        if not self.poisson:
            gradient[-1] = by_a * a
        return -value, -gradient

    def information(self, x: Floats) -> Floats:
        """Returns the expected information of the parameters of the means in their natural units."""
        mean, slopes = self.means(x)
        a = 0.0 if self.poisson else _natural("overdispersion", float(x[-1]))
        number = len(self.names) - (0 if self.poisson else 1)
        scale = np.array([_scale(name, value) for name, value in zip(self.names[:number], x[:number], strict=True)])
        jacobian = slopes[:number] / scale[:, None]
        weight = self.counts.group_cells / np.maximum(mean + a * mean**2, 1e-300)
        return np.asarray((jacobian * weight) @ jacobian.T)


def count_log_likelihood(counts: FociCounts, mean: Floats, a: float) -> tuple[float, Floats, float]:
    """Returns the log-likelihood of all counts, its derivative by each group's mean, and by the overdispersion."""
    y, w = counts.foci, counts.cells
    mu = mean[counts.group]
    if a < 1e-9:  # the negative binomial's logarithms of gamma functions cancel; Poisson is within 1e-9 of it
        value = float(w @ (special.xlogy(y, mu) - mu - special.gammaln(y + 1.0)))
        return value, counts.group_sums(y / mu - 1.0), float(w @ ((y - mu) ** 2 - y) / 2.0)
    r = 1.0 / a
    log_zero = -np.log1p(a * mu)  # ln(r / (r + mu))
    rising = special.gammaln(y + r) - special.gammaln(r) - special.gammaln(y + 1.0)
    value = float(w @ (rising + r * log_zero + special.xlogy(y, a * mu) + y * log_zero))
    by_mean = counts.group_sums((y - mu) / (mu * (1.0 + a * mu)))
    by_r = special.digamma(y + r) - special.digamma(r) + log_zero + (mu - y) / (r + mu)
    return value, by_mean, float(-(w @ by_r) * r * r)


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best point of a search.

    Attributes:
        x: On the search scale, in the order of the model's names.
        loss: Negative log-likelihood.
        gradient: Largest slope that is left, away from the limits of the scale.
    """

    x: Floats
    loss: float
    gradient: float


def minimise(
    model: FociModel, starts: Sequence[Floats], *, fixed: Mapping[str, float] | None = None, near: bool = False
) -> Optimum:
    """Returns the best point from several starts, parameters in ``fixed`` (search scale) being held.

    With one rate held the other stays on its side, so that fast remains faster than slow. Starts that are ``near``
    the best point are tried with Newton steps first, and the first that settles is taken.
    """
    held = dict(fixed or {})
    free = np.array([i for i, name in enumerate(model.names) if name not in held], dtype=np.int64)
    bounds = [_bound(model.names[i], held) for i in free]
    found: list[Optimum] = []
    for start in starts:
        x = np.clip(start, -LIMIT, LIMIT)
        for name, value in held.items():
            x[model.names.index(name)] = value

        def partial(part: Floats, x: Floats = x) -> tuple[float, Floats]:
            y = x.copy()
            y[free] = part
            value, gradient = model.loss(y)
            return value, gradient[free]

        begin = np.clip(x[free], [low for low, _ in bounds], [high for _, high in bounds])
        part = _newton(partial, begin, bounds) if near else begin
        if not near or _slope(partial, part, bounds) > _SETTLED:
            best = optimize.minimize(partial, part, jac=True, method="L-BFGS-B", bounds=bounds, options=_OPTIONS)
            part = _newton(partial, np.asarray(best.x), bounds)
        value, _ = partial(part)
        x = x.copy()
        x[free] = part
        found.append(Optimum(x, value, _slope(partial, part, bounds)))
        if near and found[-1].gradient <= _SETTLED:
            break
    return min(found, key=lambda optimum: optimum.loss)


def _slope(partial: Partial, x: Floats, bounds: Sequence[tuple[float, float]]) -> float:
    """Returns the largest slope that is left, away from the limits of the scale."""
    gradient = partial(x)[1]
    inside = np.array([low + 0.1 < v < high - 0.1 for v, (low, high) in zip(x, bounds, strict=True)], dtype=np.bool_)
    return float(np.max(np.abs(gradient[inside]), initial=0.0))


def _newton(partial: Partial, x: Floats, bounds: Sequence[tuple[float, float]]) -> Floats:
    """Polishes a minimum by Newton steps on the exact gradient, as far as they improve it."""
    if not len(x):
        return x
    low, high = np.array(bounds).T
    value, gradient = partial(x)
    for _ in range(_NEWTON_STEPS):
        inner = (x > low + 0.1) & (x < high - 0.1)  # at a limit a parameter does not move any more
        if not inner.any() or np.max(np.abs(gradient[inner])) < 1e-10 * (1.0 + abs(value)):
            break
        where = np.flatnonzero(inner)
        hessian = np.empty((len(where), len(where)))
        for row, place in enumerate(where):
            step = np.zeros_like(x)
            step[place] = _STEP
            hessian[row] = (partial(x + step)[1] - partial(x - step)[1])[where] / (2.0 * _STEP)
        try:
            factor = np.linalg.cholesky((hessian + hessian.T) / 2.0)
        except np.linalg.LinAlgError:
            break
        move = np.zeros_like(x)
        move[where] = -np.linalg.solve(factor.T, np.linalg.solve(factor, gradient[where]))
        new = np.clip(x + move, low, high)
        new_value, new_gradient = partial(new)
        if not new_value < value + 1e-12 * abs(value):
            break
        settled = np.max(np.abs(new - x)) < 1e-11
        x, value, gradient = new, new_value, new_gradient
        if settled:
            break
    return x


def _bound(name: str, held: Mapping[str, float]) -> tuple[float, float]:
    if name == "rate_slow_per_h" and "rate_fast_per_h" in held:
        return -LIMIT, max(held["rate_fast_per_h"], -LIMIT)
    if name == "rate_fast_per_h" and "rate_slow_per_h" in held:
        return min(held["rate_slow_per_h"], LIMIT), LIMIT
    return -LIMIT, LIMIT


def _natural(name: str, value: float) -> float:
    return float(special.expit(value)) if name == "fraction_fast" else math.exp(value)


def search_scale(name: str, value: float) -> float:
    """Returns a parameter on the search scale, its limits at +-LIMIT."""
    with np.errstate(divide="ignore"):
        place = special.logit(value) if name == "fraction_fast" else np.log(value)
    return float(np.clip(place, -LIMIT, LIMIT))


def _scale(name: str, value: float) -> float:
    """Returns d natural / d search scale."""
    natural = _natural(name, value)
    return natural * (1.0 - natural) if name == "fraction_fast" else natural
