"""Maximum likelihood of a yes-or-no outcome against one linear predictor: what the dose-response fits rest on.

Probit and logit log-likelihoods are concave in the coefficients, so Newton steps, halved when they go too far, find
the one maximum if it exists. That it exists is checked before: it does not when a dose separates the outcomes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from braggbook.errors import FitError
from braggbook.radiobiology.arguments import Floats

Link = Literal["probit", "logit"]

_MAX_STEPS = 100
_MAX_HALVINGS = 40
# Newton's decrement is twice what the log-likelihood can still gain. Where it is 1e-12, the last step is 1e-6 standard
# errors long, and what remains after it, convergence being quadratic, is rounding.
_CONVERGED = 1e-12


@dataclass(frozen=True)
class BinaryData:
    """Outcomes and the covariate that they are regressed on.

    Attributes:
        x: Covariate, shape (patients,).
        events: True where the event happened, shape (patients,).
        link: The curve: "probit" or "logit".
    """

    x: Floats
    events: NDArray[np.bool_]
    link: Link

    def maximum(self) -> tuple[Floats, float]:
        """Returns intercept and slope, shape (2,), and the largest log-likelihood.

        Raises:
            FitError: The maximum does not exist: one dose, one kind of outcome, or a dose separates them.
        """
        self._require_maximum()
        centre, scale = float(np.mean(self.x)), float(np.std(self.x))
        standard = np.column_stack([np.ones_like(self.x), (self.x - centre) / scale])
        beta, log_likelihood = self._newton(standard, offset=np.zeros_like(self.x))
        slope = beta[1] / scale
        return np.array([beta[0] - slope * centre, slope]), log_likelihood

    def maximum_at(self, x: float, *, predictor: float) -> float:
        """Returns the largest log-likelihood of the curves whose linear predictor is ``predictor`` at ``x``."""
        distance = self.x - x
        scale = float(np.max(np.abs(distance))) or 1.0
        return self._newton((distance / scale)[:, None], offset=np.full_like(self.x, predictor))[1]

    def maximum_of_slope(self, slope: float) -> float:
        """Returns the largest log-likelihood of the curves with this slope."""
        return self._newton(np.ones_like(self.x)[:, None], offset=slope * (self.x - np.mean(self.x)))[1]

    def _require_maximum(self) -> None:
        happened, not_happened = self.x[self.events], self.x[~self.events]
        if happened.size == 0 or not_happened.size == 0:
            raise FitError(
                "no curve can be fitted",
                wanted="patients with and without the event",
                got=f"{happened.size} with and {not_happened.size} without",
            )
        if np.ptp(self.x) == 0:
            raise FitError("no curve can be fitted", wanted="two doses or more", got="one dose")
        if not_happened.max() <= happened.min() or happened.max() <= not_happened.min():
            raise FitError(
                "the doses separate the outcomes completely",
                wanted="patients with and without the event at overlapping doses, without which no slope is too steep",
                got=f"{happened.size} events and {not_happened.size} others without overlap",
            )

    def _newton(self, design: Floats, *, offset: Floats) -> tuple[Floats, float]:
        beta = np.zeros(design.shape[1])
        value, gradient, weights = self._derivatives(offset)
        for _ in range(_MAX_STEPS):
            score = design.T @ gradient
            step = np.linalg.lstsq(design.T @ (weights[:, None] * design), score, rcond=None)[0]
            decrement = float(score @ step)
            if decrement < _CONVERGED:
                return beta + step, value + decrement / 2.0
            for _ in range(_MAX_HALVINGS):
                trial = self._derivatives(offset + design @ (beta + step))
                if trial[0] >= value:
                    break
                step = step / 2.0
            else:
                return beta, value  # no digit left to gain
            beta = beta + step
            value, gradient, weights = trial
        raise FitError("the fit does not converge", got=f"{_MAX_STEPS} Newton steps")

    def _derivatives(self, eta: Floats) -> tuple[float, Floats, Floats]:
        """Returns log-likelihood, its slope and its negative curvature by the linear predictor of each patient."""
        sign = np.where(self.events, 1.0, -1.0)
        signed = sign * eta
        if self.link == "logit":
            other = special.expit(-signed)
            return float(np.sum(special.log_expit(signed))), sign * other, other * (1.0 - other)
        log = special.log_ndtr(signed)
        ratio = np.exp(-(signed**2) / 2.0 - math.log(math.sqrt(2.0 * math.pi)) - log)
        return float(np.sum(log)), sign * ratio, ratio * (ratio + signed)
