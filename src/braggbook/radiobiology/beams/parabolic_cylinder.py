"""The integral behind the analytical Bragg curve: a power of the residual range under a Gaussian.

Protons that have straggled have residual ranges r spread by a Gaussian about R0 - z. The mean of r^s over those that
still move (r > 0) is a parabolic cylinder function D (T. Bortfeld, Med Phys 24 (1997) 2024-2033, appendix)::

    integral over r > 0 of r^(n-1) exp(-(r + x)^2 / 2) dr  =  Gamma(n) exp(-x^2/4) D_-n(x)

SciPy's own D (``pbdv``) overflows upstream of the peak, where x is -50, so the product is computed as a whole.
Identities: NIST Digital Library of Mathematical Functions, 12.5 (integral), 12.7 (hypergeometric), 12.9 (asymptotic).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from braggbook.radiobiology.arguments import Floats

# From here upstream eight terms of the asymptotic series are exact to the last digit.
_FAR = -20.0
_TERMS = 8


def damped_cylinder(order: float, x: Floats) -> Floats:
    """Returns exp(-x^2/4) D_-order(x) for order above 0 and any real x, in the shape of x."""
    x = np.asarray(x, dtype=np.float64)
    found = np.empty_like(x)
    behind, far = x >= 0, x < _FAR
    near = ~behind & ~far
    found[behind] = _behind(order, x[behind])
    found[near] = _near(order, -x[near])
    found[far] = _far(order, -x[far])
    return found


def power_moment(power: float, *, mean: Floats, sigma: float) -> Floats:
    """Returns the mean of max(r, 0)^power for r normal about ``mean`` with ``sigma``; power above -1.

    Values that are not above 0 count as 0 (for power 0 this is the fraction above 0).
    """
    order = power + 1.0
    return np.asarray(
        sigma**power * math.gamma(order) / math.sqrt(2.0 * math.pi) * damped_cylinder(order, -mean / sigma)
    )


def _behind(order: float, x: Floats) -> Floats:
    y = np.maximum(x * x / 2.0, np.finfo(np.float64).tiny)  # U has a branch point at 0, and a limit there
    return np.asarray(2.0 ** (-order / 2.0) * np.exp(-y) * special.hyperu(order / 2.0, 0.5, y))


def _near(order: float, t: Floats) -> Floats:
    y = t * t / 2.0
    even = special.hyp1f1((1.0 - order) / 2.0, 0.5, -y) / math.gamma((1.0 + order) / 2.0)
    odd = math.sqrt(2.0) * t * special.hyp1f1(1.0 - order / 2.0, 1.5, -y) / math.gamma(order / 2.0)
    return np.asarray(2.0 ** (-order / 2.0) * math.sqrt(math.pi) * (even + odd))


def _far(order: float, t: Floats) -> Floats:
    term = total = np.ones_like(t)
    for k in range(1, _TERMS + 1):
        term = term * (order - 2 * k + 1) * (order - 2 * k) / (2 * k * t * t)
        total = total + term
    return np.asarray(math.sqrt(2.0 * math.pi) / math.gamma(order) * t ** (order - 1.0) * total)
