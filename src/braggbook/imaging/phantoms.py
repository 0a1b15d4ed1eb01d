"""Bodies with known volumes and dose-volume histograms: sphere, ellipsoid, cylinder, cone.

A body gives its contours on axial planes, its mask on a grid, and in a dose that rises linearly in any direction its
exact cumulative histogram. The idea of testing so is B. Nelms et al., Med Phys 42 (2015) 4435-4448; the formulas are
derived here, in the docstrings, with t the distance from the body's centre along the gradient.

Cylinder and cone stand on their base with their axis along z; the centre of every body is the middle of its height.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.integrate import quad
from scipy.optimize import brentq

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.geometry import Floats, Grid
from braggbook.imaging.volumes import make_volume

_CORNERS = 720  # of a contour: an inscribed polygon of so many has 1.3e-5 less area than its circle
_ROOT = 1e-12  # relative, of a dose that is looked for
_QUADRATURE = 1e-6  # of an integral over dose, absolute and relative
_QUADRATURE_NODES = 100  # of Gauss-Legendre over each smooth part of a cone's height
_ALONG = 1e-9  # cosine or sine below which a gradient is along an axis or at a right angle to it
_SUBVOXELS = 4  # along each axis, for the coverage of a voxel

Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Body(ABC):
    """A convex body.

    Attributes:
        centre_mm: LPS mm (x, y, z) of the middle of its height.
    """

    centre_mm: Point = (0.0, 0.0, 0.0)

    @property
    @abstractmethod
    def volume_cc(self) -> float:
        """Volume in cm3."""

    @property
    @abstractmethod
    def height_mm(self) -> float:
        """Extent along z."""

    @abstractmethod
    def half_axes_at(self, z_mm: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Returns half axes (x, y) in mm of the ellipse that an axial plane cuts, z from the centre; 0 if none."""

    @abstractmethod
    def fraction_above(self, t_mm: float, direction: Point) -> float:
        """Returns the part of the volume farther than t along a unit direction, as seen from the centre."""

    @abstractmethod
    def reach_mm(self, direction: Point) -> float:
        """Returns a distance from the centre along a unit direction beyond which there is none of the body."""

    def is_inside(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Returns which points, (..., 3) LPS mm, are in the body, its surface included."""
        x, y, z = np.moveaxis(np.asarray(points_mm, dtype=np.float64) - self.centre_mm, -1, 0)
        across, along = self.half_axes_at(z)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside: npt.NDArray[np.bool_] = (x / across) ** 2 + (y / along) ** 2 <= 1
        return inside

    def contours(self, planes_mm: npt.ArrayLike, *, corners: int = _CORNERS) -> list[Floats]:
        """Returns inscribed polygons, each (corners, 3) LPS mm, on those axial planes that cut the body.

        Args:
            planes_mm: z of planes in patient space.
            corners: Of each polygon.
        """
        angle = 2 * np.pi * np.arange(corners) / corners
        found = []
        for z in np.atleast_1d(np.asarray(planes_mm, dtype=np.float64)):
            across, along = self.half_axes_at(z - self.centre_mm[2])
            if across > 0 and along > 0:
                x, y = self.centre_mm[0] + across * np.cos(angle), self.centre_mm[1] + along * np.sin(angle)
                found.append(np.stack([x, y, np.full(corners, z)], axis=1))
        return found

    def mask(self, grid: Grid, *, coverage: bool = False) -> xr.DataArray:
        """Returns where the body is: 1 where a voxel's centre is inside, or the part of each voxel that is.

        Args:
            grid: Voxels, axial.
            coverage: Parts of voxels, by counting 4 x 4 x 4 points in each.
        """
        fine = grid.refined((_SUBVOXELS,) * 3) if coverage else grid
        where = np.stack(np.meshgrid(*(np.arange(n) for n in fine.shape), indexing="ij"), axis=-1)[..., ::-1]
        inside = self._inside_grid(fine.to_patient(where))
        if not coverage:
            return make_volume(inside.astype(np.uint8), grid, name="mask", units="1")
        z, y, x = grid.shape
        parts = inside.reshape(z, _SUBVOXELS, y, _SUBVOXELS, x, _SUBVOXELS).mean(axis=(1, 3, 5))
        return make_volume(parts, grid, name="coverage", units="1")

    def _inside_grid(self, points_mm: Floats) -> npt.NDArray[np.bool_]:
        return np.stack([self.is_inside(plane) for plane in points_mm])


@dataclass(frozen=True, kw_only=True)
class Ellipsoid(Body):
    """An ellipsoid whose axes are the patient's.

    Attributes:
        half_axes_mm: Half axes (x, y, z).
    """

    half_axes_mm: Point

    def __post_init__(self) -> None:
        _check_lengths(dict(zip(("x", "y", "z"), self.half_axes_mm, strict=True)))

    @property
    def volume_cc(self) -> float:
        """Volume 4/3 pi a b c in cm3."""
        return float(4 / 3 * np.pi * np.prod(self.half_axes_mm) / 1000)

    @property
    def height_mm(self) -> float:
        """Extent along z."""
        return 2 * self.half_axes_mm[2]

    def half_axes_at(self, z_mm: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Returns half axes (x, y) of the ellipse at a height z from the centre, in mm; 0 if there is none."""
        a, b, c = self.half_axes_mm
        part = np.sqrt(np.maximum(0.0, 1 - (np.asarray(z_mm) / c) ** 2))
        return a * part, b * part

    def reach_mm(self, direction: Point) -> float:
        """Returns the half width, the length of A n, along a unit direction n."""
        return float(np.linalg.norm(np.multiply(self.half_axes_mm, direction)))

    def fraction_above(self, t_mm: float, direction: Point) -> float:
        """Returns (2 + s)(1 - s)^2 / 4 with s = t / w: a sphere's cap, of which an ellipsoid's is an affine image."""
        s = min(max(t_mm / self.reach_mm(direction), -1.0), 1.0)
        return (2 + s) * (1 - s) ** 2 / 4


def sphere(diameter_mm: float, *, centre_mm: Point = (0.0, 0.0, 0.0)) -> Ellipsoid:
    """Returns a sphere."""
    radius = diameter_mm / 2
    return Ellipsoid(half_axes_mm=(radius, radius, radius), centre_mm=centre_mm)


@dataclass(frozen=True, kw_only=True)
class _Upright(Body):
    """A body of revolution about an axis along z.

    Attributes:
        diameter_mm: Of the base.
        length_mm: Along z.
    """

    diameter_mm: float
    length_mm: float

    def __post_init__(self) -> None:
        _check_lengths({"diameter": self.diameter_mm, "length": self.length_mm})

    @property
    def height_mm(self) -> float:
        """Extent along z."""
        return self.length_mm

    @property
    def radius_mm(self) -> float:
        """Of the base."""
        return self.diameter_mm / 2

    def reach_mm(self, direction: Point) -> float:
        """Returns the half width along a unit direction of the cylinder around the body."""
        cosine, sine = _angles(direction)
        return abs(cosine) * self.length_mm / 2 + sine * self.radius_mm


@dataclass(frozen=True, kw_only=True)
class Cylinder(_Upright):
    """A cylinder."""

    @property
    def volume_cc(self) -> float:
        """Volume pi R^2 H in cm3."""
        return float(np.pi * self.radius_mm**2 * self.length_mm / 1000)

    def half_axes_at(self, z_mm: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Returns the radius twice, in mm; 0 above and below the cylinder."""
        radius = np.where(np.abs(z_mm) <= self.length_mm / 2, self.radius_mm, 0.0)
        return radius, radius

    def fraction_above(self, t_mm: float, direction: Point) -> float:
        """Returns the part of the cylinder farther than t along a unit direction (c along the axis, s across).

        Each disc has the part F(u) = (acos u - u sqrt(1 - u^2)) / pi beyond u = (t - c z) / (s R). Its mean over z is
        (G(u0) - G(u1)) / (u0 - u1) between the ends, with
        G(u) = (u acos u - sqrt(1 - u^2) + (1 - u^2)^(3/2) / 3) / pi, which goes on as a straight line beyond +-1.
        """
        cosine, sine = _angles(direction)
        if sine < _ALONG:
            return min(max(0.5 - t_mm / (abs(cosine) * self.length_mm), 0.0), 1.0)
        reach = sine * self.radius_mm
        slope = abs(cosine) * self.length_mm / reach
        middle = t_mm / reach
        if slope < _ALONG:
            return float(_beyond(middle))
        return (_beyond_summed(middle + slope / 2) - _beyond_summed(middle - slope / 2)) / slope


@dataclass(frozen=True, kw_only=True)
class Cone(_Upright):
    """A cone with its base at the feet's end (low z) and its tip at the head's end."""

    @property
    def volume_cc(self) -> float:
        """Volume pi R^2 H / 3 in cm3."""
        return float(np.pi * self.radius_mm**2 * self.length_mm / 3 / 1000)

    def half_axes_at(self, z_mm: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Returns the radius R (1/2 - z/H) twice, in mm; 0 above and below the cone."""
        part = 0.5 - np.asarray(z_mm) / self.length_mm
        radius = self.radius_mm * np.where((part >= 0) & (part <= 1), part, 0.0)
        return radius, radius

    def fraction_above(self, t_mm: float, direction: Point) -> float:
        """Returns the part of the cone farther than t along a unit direction (c along the axis, s across).

        Along the axis: (1/2 - t/H)^3 towards the tip. At a right angle, with u = t/R >= 0:
        (acos u - 2 u sqrt(1 - u^2) + u^3 ln((1 + sqrt(1 - u^2)) / u)) / pi. Between them the discs' parts F, as in
        :meth:`Cylinder.fraction_above`, are summed over the height by Gauss-Legendre quadrature.
        """
        cosine, sine = _angles(direction)
        if sine < _ALONG:
            return _cone_along(t_mm / self.length_mm * np.sign(cosine), towards_tip=cosine > 0)
        if abs(cosine) < _ALONG:
            return _cone_across(t_mm / self.radius_mm)
        # Parts of the height from the tip where the cut enters and leaves the discs, where the integrand has its kinks.
        ahead, aside = cosine * self.length_mm, sine * self.radius_mm
        with np.errstate(divide="ignore"):
            kinks = np.divide(ahead / 2 - t_mm, np.array([ahead - aside, ahead + aside]))
        ends = np.unique(np.clip(np.nan_to_num([0.0, *kinks, 1.0]), 0.0, 1.0))
        nodes, weights = _gauss_legendre()
        total = 0.0
        for low, high in pairwise(ends):
            part = low + (high - low) * (1 + nodes) / 2
            discs = _beyond((t_mm - ahead * (0.5 - part)) / (aside * part))
            total += (high - low) / 2 * float(np.sum(weights * 3 * part**2 * discs))
        return total


@dataclass(frozen=True)
class LinearDose:
    """A dose that rises linearly.

    Attributes:
        centre_gy: Dose at the body's centre.
        gradient_gy_mm: Its rise along the direction.
        direction: (x, y, z) in LPS, of length 1.
    """

    centre_gy: float = 16.0
    gradient_gy_mm: float = 1.0
    direction: Point = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.direction))
        if abs(length - 1) > 1e-9 or not self.gradient_gy_mm > 0:
            got = f"length {length:g}, {self.gradient_gy_mm:g} Gy/mm"
            raise ImagingError("not a gradient", wanted="a direction of length 1 and a rise above 0", got=got)

    def at(self, points_mm: npt.ArrayLike, *, centre_mm: Point = (0.0, 0.0, 0.0)) -> Floats:
        """Returns the dose in Gy, (...), at points, (..., 3) LPS mm."""
        along: Floats = (np.asarray(points_mm, dtype=np.float64) - centre_mm) @ np.asarray(self.direction)
        return self.centre_gy + self.gradient_gy_mm * along

    def volume(self, grid: Grid, *, centre_mm: Point = (0.0, 0.0, 0.0)) -> xr.DataArray:
        """Returns the dose on a grid, in Gy."""
        where = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)[..., ::-1]
        dose = self.at(grid.to_patient(where), centre_mm=centre_mm)
        return make_volume(dose, grid, name="dose", units="Gy", attrs={"dose_type": "PHYSICAL"})


@dataclass(frozen=True)
class ClosedForm:
    """The exact histogram of a body in a linear dose.

    Attributes:
        body: The body.
        dose: The dose, given at the body's centre.
    """

    body: Body
    dose: LinearDose

    def percent_at_dose(self, dose_gy: float) -> float:
        """Returns the volume with at least a dose, in %."""
        distance = (dose_gy - self.dose.centre_gy) / self.dose.gradient_gy_mm
        return 100 * self.body.fraction_above(distance, self.dose.direction)

    def dose_at_percent(self, percent: float) -> float:
        """Returns the dose in Gy that at least this part of the volume gets, above 0 and below 100 %."""
        reach = self.body.reach_mm(self.dose.direction) * self.dose.gradient_gy_mm
        low, high = self.dose.centre_gy - reach, self.dose.centre_gy + reach
        return float(brentq(lambda dose: self.percent_at_dose(dose) - percent, low, high, rtol=_ROOT))

    def mean_of(self, function: Callable[[float], float], *, slope: Callable[[float], float]) -> float:
        """Returns the mean over the volume of a function of dose, by parts: f(low) + integral of f' V."""
        reach = self.body.reach_mm(self.dose.direction) * self.dose.gradient_gy_mm
        low, high = self.dose.centre_gy - reach, self.dose.centre_gy + reach
        near = {"epsabs": _QUADRATURE, "epsrel": _QUADRATURE, "limit": 200}
        rest = quad(lambda dose: slope(dose) * self.percent_at_dose(dose) / 100, low, high, **near)[0]
        return function(low) + float(rest)

    @property
    def mean_gy(self) -> float:
        """Mean dose."""
        return self.mean_of(lambda dose: dose, slope=lambda _: 1.0)

    @property
    def sd_gy(self) -> float:
        """Standard deviation of the dose over the volume."""
        square = self.mean_of(lambda dose: dose**2, slope=lambda dose: 2 * dose)
        return float(np.sqrt(square - self.mean_gy**2))

    def generalised_eud(self, a: float) -> float:
        """Returns gEUD = (mean of d^a)^(1/a) in Gy, where no dose is negative."""
        return float(self.mean_of(partial(_power, a=a), slope=lambda dose: a * _power(dose, a=a - 1)) ** (1 / a))


def _power(dose: float, *, a: float) -> float:
    return float(max(dose, 0.0) ** a)


def _check_lengths(lengths: dict[str, float]) -> None:
    wrong = {name: length for name, length in lengths.items() if not 0 < length < np.inf}
    if wrong:
        issues = [Issue("not a length", where=name, wanted="mm above 0", got=f"{got}") for name, got in wrong.items()]
        raise ImagingError("not a body", issues=issues)


def _angles(direction: Sequence[float]) -> tuple[float, float]:
    """Returns cosine and sine of a direction against z."""
    return float(direction[2]), float(np.hypot(direction[0], direction[1]))


@cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_QUADRATURE_NODES)
    return nodes, weights


def _beyond(u: npt.ArrayLike) -> Floats:
    """Returns the part of a unit disc beyond a chord at u."""
    u = np.clip(np.asarray(u, dtype=np.float64), -1.0, 1.0)
    return np.asarray((np.arccos(u) - u * np.sqrt(1 - u * u)) / np.pi)


def _beyond_summed(u: float) -> float:
    """Returns the integral of :func:`_beyond` up to u, plus a constant."""
    if u < -1:
        return u
    if u > 1:
        return 0.0
    rest = 1 - u * u
    return float((u * np.arccos(u) - np.sqrt(rest) + rest**1.5 / 3) / np.pi)


def _cone_along(part: float, *, towards_tip: bool) -> float:
    """Returns the part of a cone on the far side of a cut at a part of the height from the middle towards the tip."""
    tip = min(max(0.5 - part, 0.0), 1.0) ** 3
    return float(tip if towards_tip else 1 - tip)


def _cone_across(u: float) -> float:
    if u < 0:
        return 1 - _cone_across(-u)
    if u >= 1:
        return 0.0
    root = np.sqrt(1 - u * u)
    tail = u**3 * np.log((1 + root) / u) if u > 0 else 0.0
    return float((np.arccos(u) - 2 * u * root + tail) / np.pi)
