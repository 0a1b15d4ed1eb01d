"""Averages of what a track does to a disc: over the disc at one impact parameter, and over impact parameters.

A sensitive volume (domain or nucleus) is a cylinder parallel to the track, seen from above a disc of radius R. At the
impact parameter b, a circle of radius r around the track has inside the disc an arc of half angle

    phi(r, b) = arccos[(b^2 + r^2 - R^2) / (2 b r)]   (pi or 0 where the circle is all inside or all outside),

so the mean over the disc of any function f of the local dose is

    <f>(b) = 1/(pi R^2) [f(D_core) A_lens(r_core, b) + integral of f(K/r^2) 2 phi(r, b) r dr over the penumbra].

The radial integral is cut where phi or the dose has a kink, and taken by Gauss-Legendre in ln r under a cosine map,
which takes away the square roots of phi at the cuts. The integral over b is cut where <f> has kinks (edges of core,
disc and penumbra), and taken by the tanh-sinh rule in arsinh(b/R), which resolves both the domain and a penumbra that
is ten thousand times wider. The tests hold both against closed forms, adaptive quadrature and twice the nodes.

Where f(D) = D the inner integral has a closed form (Gauss' mean value of 1/r^2 over a circle): for a disc inside the
penumbra, -pi ln(1 - R^2/b^2) outside (b > R) and pi ln[(R^2 - b^2)/r_core^2] inside; these are in the tests.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.radiobiology.arguments import NOT_NEGATIVE, checked, checked_table
from braggbook.radiobiology.rbe.tracks import AmorphousTrack

Floats = NDArray[np.float64]
OfDose = Callable[[Floats], Floats]

# Twice these change no dose-mean specific energy by more than 1e-5 of it; the tests say so.
RADIAL_NODES = 24
IMPACT_NODES = 65
_TANH_SINH_RANGE = 3.0  # beyond, a node's weight is below 1e-12 of the interval
_SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class ImpactRule:
    """Nodes and weights of the integral over impact parameters.

    Attributes:
        impact_um: Impact parameters b in um, shape (number of energies, m).
        weight_um2: Weights that hold 2 pi b db, um2, same shape.
    """

    impact_um: Floats
    weight_um2: Floats

    def integrate(self, values: Floats) -> Floats:
        """Returns the integral of values(b) 2 pi b db, shape (number of energies,)."""
        return np.asarray(np.sum(values * self.weight_um2, axis=-1))


def impacts(impact_um: ArrayLike) -> Floats:
    """Returns impact parameters in um, a number or shape (m,), as shape (m,), or raises ScienceError."""
    (found,) = checked({"impact_um": (impact_um, NOT_NEGATIVE)})
    return checked_table({"impact_um": (np.atleast_1d(found), NOT_NEGATIVE)})[0]


def impact_rule(track: AmorphousTrack, radius_um: float, *, nodes: int = IMPACT_NODES) -> ImpactRule:
    """Returns the rule for a disc of radius R: b from 0 to R + penumbra radius, beyond which nothing is deposited."""
    core, reach = track.core_radius_um, track.penumbra_radius_um
    disc = np.full_like(core, radius_um)
    cuts = np.stack([np.zeros_like(core), np.abs(disc - core), disc, disc + core, np.abs(disc - reach), disc + reach])
    edges = np.arcsinh(np.sort(cuts, axis=0).T / radius_um)
    t, w = _tanh_sinh(nodes)
    width = np.diff(edges, axis=1)[..., np.newaxis]
    x = edges[:, :-1, np.newaxis] + width * t
    impact = radius_um * np.sinh(x)
    weight = 2.0 * np.pi * impact * radius_um * np.cosh(x) * width * w
    count = len(track)
    return ImpactRule(impact.reshape(count, -1), weight.reshape(count, -1))


def disc_mean(
    track: AmorphousTrack,
    impact_um: Floats,
    *,
    radius_um: float,
    function: OfDose | None = None,
    kink_gy: float | None = None,
    nodes: int = RADIAL_NODES,
) -> Floats:
    """Returns the mean over a disc of a function of the local dose, shape (number of energies, m).

    Args:
        track: The track.
        impact_um: Impact parameters in um, shape (number of energies, m) or (m,).
        radius_um: Radius R of the disc in um.
        function: f(D), 0 at 0 Gy; the local dose itself (so that the mean is the specific energy) when left out.
        kink_gy: Dose at which f has a kink, if it has one.
        nodes: Gauss-Legendre nodes per piece of the radial integral.
    """
    of_dose = (lambda dose: dose) if function is None else function
    impact = np.atleast_2d(impact_um)
    core, reach, plateau, penumbra = (
        value[:, np.newaxis]
        for value in (track.core_radius_um, track.penumbra_radius_um, track.core_dose_gy, track.penumbra_gy_um2)
    )
    impact = np.broadcast_to(impact, np.broadcast_shapes(impact.shape, core.shape))
    inner = of_dose(plateau) * lens_area(core, radius_um, distance=impact)
    kink = core if kink_gy is None else np.sqrt(penumbra / kink_gy)
    cuts = [core, np.abs(impact - radius_um), impact + radius_um, reach, kink]
    edges = np.log(np.clip(np.stack(np.broadcast_arrays(*cuts)), core, reach))
    edges = np.sort(edges, axis=0)
    y, w = _cosine_legendre(nodes)
    outer = np.zeros_like(impact)
    for low, high in itertools.pairwise(edges):
        width = (high - low)[..., np.newaxis]
        r = np.exp(low[..., np.newaxis] + width * y)
        share = 2.0 * _half_angle(r, radius_um, distance=impact[..., np.newaxis])
        outer += np.sum(w * of_dose(penumbra[..., np.newaxis] / r**2) * share * r**2, axis=-1) * width[..., 0]
    return np.asarray((inner + outer) / (np.pi * radius_um**2))


def lens_area(first: Floats, second: float, *, distance: Floats) -> Floats:
    """Returns the area common to two circles, um2, for their radii and the distance of their centres in um."""
    r, big = np.broadcast_arrays(first, np.float64(second))
    r, d = np.broadcast_arrays(r, distance)
    big = np.broadcast_to(big, r.shape)
    chord = r**2 * _half_angle(r, second, distance=d) + big**2 * _half_angle(big, r, distance=d)
    product = (r + big - d) * (d + r - big) * (d - r + big) * (d + r + big)
    lens = chord - 0.5 * np.sqrt(np.maximum(product, 0.0))
    smaller = np.pi * np.minimum(r, big) ** 2
    return np.asarray(np.where(d >= r + big, 0.0, np.where(d <= np.abs(r - big), smaller, lens)))


def _half_angle(r: Floats, radius: Floats | float, *, distance: Floats) -> Floats:
    """Returns the half angle of the arc of a circle of radius r that lies within a disc at a distance."""
    cosine = (distance**2 + r**2 - np.square(radius)) / np.maximum(2.0 * distance * r, _SMALLEST)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


@lru_cache(maxsize=8)
def _cosine_legendre(nodes: int) -> tuple[Floats, Floats]:
    """Returns nodes and weights on (0, 1) that flatten square roots at both ends: y = (1 - cos pi v)/2."""
    v, w = np.polynomial.legendre.leggauss(nodes)
    v, w = 0.5 * (v + 1.0), 0.5 * w
    return 0.5 * (1.0 - np.cos(np.pi * v)), 0.5 * np.pi * np.sin(np.pi * v) * w


@lru_cache(maxsize=8)
def _tanh_sinh(nodes: int) -> tuple[Floats, Floats]:
    """Returns nodes and weights of the tanh-sinh (double exponential) rule on (0, 1)."""
    t = np.linspace(-_TANH_SINH_RANGE, _TANH_SINH_RANGE, nodes)
    u = 0.5 * np.pi * np.sinh(t)
    x = 1.0 / (1.0 + np.exp(-2.0 * u))
    w = (t[1] - t[0]) * 0.25 * np.pi * np.cosh(t) / np.cosh(u) ** 2
    return x, w / np.sum(w)
