"""The damped parabolic cylinder function against its integral, wherever it is computed in another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from braggbook.radiobiology.beams.parabolic_cylinder import damped_cylinder, power_moment


@pytest.mark.parametrize("order", [1 / 1.77, 1.0, 2 / 1.761, 1 / 1.77 + 1, 2.0])
@pytest.mark.parametrize("x", [-80.0, -20.01, -19.99, -3.0, -0.5, 0.0, 0.5, 3.0, 8.0, 15.0])
def test_it_is_the_integral(order: float, x: float) -> None:
    top = max(-x, 0.0)

    def integrand(u: float) -> float:  # u = r^order takes the singular end away
        return math.exp(-((u ** (1 / order) + x) ** 2) / 2) / order

    limits = max(top - 12, 0.0) ** order, (top + 12) ** order
    value, _ = integrate.quad(integrand, *limits, points=[max(top, 1e-3) ** order], epsabs=0, epsrel=1e-10, limit=400)
    assert damped_cylinder(order, np.array([x]))[0] == pytest.approx(value / math.gamma(order), rel=1e-8)


def test_the_moment_of_power_one_and_zero_are_those_of_a_cut_normal_distribution() -> None:
    mean = np.array([-1.0, 0.0, 2.0])
    density = np.exp(-(mean**2) / 2) / math.sqrt(2 * math.pi)
    above = np.array([0.15865525393145707, 0.5, 0.9772498680518208])
    assert power_moment(0.0, mean=mean, sigma=1.0) == pytest.approx(above, rel=1e-12)
    assert power_moment(1.0, mean=mean, sigma=1.0) == pytest.approx(mean * above + density, rel=1e-12)
