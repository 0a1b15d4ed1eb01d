"""What a survival curve of any model says: survival at a dose, dose at a survival, mean inactivation dose."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate, optimize

from braggbook.errors import ScienceError
from braggbook.radiobiology.linear_quadratic import checked_doses
from braggbook.radiobiology.survival.intervals import check_survival
from braggbook.radiobiology.survival.models import SurvivalModel

Floats = NDArray[np.float64]

# A curve is looked at up to this many times the largest dose of the data.
_FURTHEST = 100.0
_POINTS = 400
# Survival below which the tail of a curve adds nothing to its integral.
_NOTHING = 1e-9
# Survival at a lower effect -ln S than this is more than a number can hold.
_LOWEST_EFFECT = -700.0


@dataclass(frozen=True, eq=False)
class CurveShape:
    """A survival curve with its numbers.

    Attributes:
        model: The survival model.
        values: Its parameters, shape (k,).
        largest_dose_gy: Largest dose of the data that it was fitted to; beyond it the curve is extrapolated.
    """

    model: SurvivalModel
    values: Floats
    largest_dose_gy: float

    def of(self, values: Floats) -> CurveShape:
        """Returns the curve of the same model with other parameters."""
        return replace(self, values=values)

    def effect_at(self, dose_gy: Floats) -> Floats:
        """Returns -ln S at doses in Gy, shape (n,)."""
        return self.model.curve(dose_gy, self.values)[0]

    def effect_of(self, dose_gy: float) -> float:
        """Returns -ln S at one dose in Gy."""
        return float(self.effect_at(np.array([dose_gy]))[0])

    def survival_at(self, dose_gy: ArrayLike) -> Floats:
        """Returns survival at doses in Gy, in their shape.

        Raises:
            ScienceError: A dose is negative or not a number, or survival there is more than a number can hold.
        """
        dose = checked_doses(dose_gy)
        effect = self.effect_at(dose.ravel())
        if not np.all(effect > _LOWEST_EFFECT):
            raise ScienceError(
                "survival is more than a number can hold",
                wanted="a dose at which the curve has not risen beyond all bounds",
                got=f"{dose.ravel()[np.argmin(effect)]:g} Gy",
            )
        return np.asarray(np.exp(-effect).reshape(dose.shape))[()]

    def dose_at(self, survival: float) -> float:
        """Returns the smallest dose in Gy at which survival has come down to a level.

        Raises:
            ScienceError: It has not, at 100 times the largest dose of the data; or the level is none.
        """
        effect = -float(np.log(check_survival(survival)))
        grid = self._grid()
        reached = np.flatnonzero(self.effect_at(grid) >= effect)
        if len(reached) == 0:
            raise ScienceError(
                "the curve never comes down to a survival level", wanted="a level that it reaches", got=f"{survival:g}"
            )
        place = int(reached[0])
        return float(
            optimize.brentq(
                lambda dose: self.effect_of(dose) - effect,
                grid[place - 1],
                grid[place],
                xtol=1e-13,
            )
        )

    def mean_inactivation_dose(self) -> float:
        """Returns the integral of survival over all doses, in Gy.

        Raises:
            ScienceError: It does not converge: the curve turns up again, or never comes down.
        """
        effect = self.effect_at(self._grid())
        survival = np.exp(-np.maximum(effect, _LOWEST_EFFECT))
        if survival[-1] > _NOTHING or np.any(np.diff(effect[effect > 0.5 * effect.max()]) < 0):
            raise ScienceError("the mean inactivation dose is infinite", wanted="a curve that comes down for good")
        end = float(self._grid()[np.flatnonzero(survival > _NOTHING).max() + 1])
        corners = np.unique(np.clip(np.concatenate([[0.0, end], self._corners()]), 0.0, end))
        parts = [
            integrate.quad(lambda d: math.exp(-self.effect_of(d)), low, high, epsabs=1e-13, epsrel=1e-11)
            for low, high in itertools.pairwise(corners)
        ]
        return float(sum(value for value, _ in parts))

    def _grid(self) -> Floats:
        near = np.linspace(0.0, self.largest_dose_gy, _POINTS)
        return np.concatenate([near, self.largest_dose_gy * np.geomspace(1.0, _FURTHEST, _POINTS)[1:]])

    def _corners(self) -> Floats:
        """Doses at which the integration is cut, so that it sees the shoulder and any kink."""
        kinks = [
            value
            for parameter, value in zip(self.model.parameters, self.values, strict=True)
            if parameter.kind in ("transition", "induction", "dose")
        ]
        kinks += [quantity.function(self.values) for quantity in self.model.derived if "transition" in quantity.name]
        return np.array(
            [kink for kink in kinks if np.isfinite(kink)] + [0.25 * self.largest_dose_gy, self.largest_dose_gy]
        )
