"""A dose-volume histogram in absolute volume, and what is read off it.

Conventions:

- The cumulative curve is the volume with at least a dose. It is linear between bin edges; it begins with the whole
  volume at the smallest dose and ends with nothing at the largest, both of which are kept exactly.
- D_x is where this curve has x % (or x cc) of the volume, by linear interpolation; V_d is its value at d Gy.
- The mean, the standard deviation and the gEUD use each bin's own mean dose, not its middle.

Sources: ICRU report 83 (2010) for D_x, V_d, D_2%, D_50%, D_98% and the homogeneity index; A. Niemierko, Med Phys 26
(1999) 1100 for the gEUD.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Floats
from braggbook.radiobiology import outcome

MM3_PER_CC = 1000.0
_ROUNDING = 1e-3  # of the whole volume: what printed decimals make of a curve
_METRIC = re.compile(
    r"(?P<kind>[DV])(?P<at>\d+(?:\.\d+)?)(?P<unit>%|cc|Gy)(?:\[(?P<of>%|cc)\])?|gEUD\(a=(?P<a>-?[\d.]+)\)"
)
_PLAIN = ("volume", "mean", "minimum", "maximum", "sd", "HI")
WANTED_METRIC = "D95%, D2cc, V20Gy, V20Gy[cc], gEUD(a=8), " + ", ".join(_PLAIN)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How much volume got which dose.

    Attributes:
        edges_gy: (bins + 1,) of the bins of dose, rising.
        differential_cc: (bins,) volume in each bin.
        bin_mean_gy: (bins,) mean dose of each bin; its middle where it is empty.
        minimum_gy: Smallest dose.
        maximum_gy: Largest dose.
    """

    edges_gy: Floats
    differential_cc: Floats
    bin_mean_gy: Floats
    minimum_gy: float
    maximum_gy: float

    @cached_property
    def volume_cc(self) -> float:
        """Volume that has a dose."""
        return float(self.differential_cc.sum())

    @cached_property
    def mean_gy(self) -> float:
        """Mean dose."""
        return float(np.sum(self.differential_cc * self.bin_mean_gy) / self.volume_cc)

    @cached_property
    def sd_gy(self) -> float:
        """Standard deviation of the dose over the volume."""
        off = self.bin_mean_gy - self.mean_gy
        return float(np.sqrt(np.sum(self.differential_cc * off**2) / self.volume_cc))

    @property
    def bin_gy(self) -> float:
        """Width of the bins."""
        return float(self.edges_gy[1] - self.edges_gy[0])

    @cached_property
    def cumulative(self) -> tuple[Floats, Floats]:
        """Doses in Gy, (n,) rising, and the volume in cm3 with at least each, (n,)."""
        above = np.append(np.cumsum(self.differential_cc[::-1])[::-1], 0.0)
        between = (self.edges_gy > self.minimum_gy) & (self.edges_gy < self.maximum_gy)
        doses = np.concatenate([[self.minimum_gy], self.edges_gy[between], [self.maximum_gy]])
        return doses, np.concatenate([[self.volume_cc], above[between], [0.0]])

    def volume_cc_at(self, dose_gy: npt.ArrayLike) -> Floats:
        """Returns the volume in cm3 with at least these doses: V_d."""
        dose = np.asarray(dose_gy, dtype=np.float64)
        found = np.interp(dose, *self.cumulative, left=self.volume_cc, right=0.0)
        return np.asarray(np.where(dose <= self.minimum_gy, self.volume_cc, found))[()]

    def percent_at(self, dose_gy: npt.ArrayLike) -> Floats:
        """Returns the volume with at least these doses in % of the whole."""
        return np.asarray(100 * self.volume_cc_at(dose_gy) / self.volume_cc)[()]

    def dose_at_cc(self, volume_cc: npt.ArrayLike) -> Floats:
        """Returns the dose in Gy that at least these volumes get: D_x.

        Raises:
            ImagingError: A volume is not between 0 and the structure's.
        """
        volume = np.asarray(volume_cc, dtype=np.float64)
        if not np.all((volume >= 0) & (volume <= self.volume_cc * (1 + 1e-9))):
            wanted = f"from 0 to the structure's {self.volume_cc:.4g} cm3"
            raise ImagingError("no such part of the structure", where="volume_cc", wanted=wanted, got=str(volume_cc))
        doses, above = self.cumulative
        return np.asarray(np.interp(volume, above[::-1], doses[::-1]))[()]

    def dose_at_percent(self, percent: npt.ArrayLike) -> Floats:
        """Returns the dose in Gy that at least these parts of the volume, in %, get.

        Raises:
            ImagingError: A part is not between 0 and 100 %.
        """
        part = np.asarray(percent, dtype=np.float64)
        if not np.all((part >= 0) & (part <= 100)):
            raise ImagingError("no such part of a volume", where="percent", wanted="from 0 to 100", got=str(percent))
        return self.dose_at_cc(part / 100 * self.volume_cc)

    def generalised_eud(self, a: float) -> float:
        """Returns gEUD = (sum v d^a)^(1/a) in Gy; see :func:`braggbook.radiobiology.outcome.generalised_eud`.

        Raises:
            ScienceError: ``a`` is not a number, or a dose is negative.
        """
        return outcome.generalised_eud(self.as_outcome(), a=a)

    def as_outcome(self) -> outcome.Dvh:
        """Returns the histogram as models of control and complication take it, in parts of the volume.

        Raises:
            ScienceError: A dose is negative.
        """
        filled = self.differential_cc > 0
        return outcome.differential_dvh(self.bin_mean_gy[filled], volume=self.differential_cc[filled], normalise=True)

    @property
    def homogeneity_index(self) -> float:
        """(D2% - D98%) / D50% (ICRU report 83): 0 is uniform."""
        d2, d50, d98 = self.dose_at_percent([2, 50, 98])
        if not d50 > 0:
            raise ImagingError("no homogeneity of a structure without dose", wanted="D50% above 0", got=f"{d50:g} Gy")
        return float((d2 - d98) / d50)

    def metric(self, name: str) -> float:
        """Returns what a name says: ``D95%`` and ``D2cc`` in Gy, ``V20Gy`` in %, ``V20Gy[cc]`` in cm3, ...

        Raises:
            ImagingError: No such metric, or one that the structure does not have.
        """
        plain = {"volume": "volume_cc", "HI": "homogeneity_index"}.get(name, f"{name}_gy")
        if name in _PLAIN:
            return float(getattr(self, plain))
        match = _METRIC.fullmatch(name)
        if match is None or (match["kind"] == "V") != (match["unit"] == "Gy" or match["kind"] == "V"):
            raise ImagingError("no such metric", where=name, wanted=f"for example {WANTED_METRIC}")
        if match["a"]:
            return self.generalised_eud(float(match["a"]))
        at = float(match["at"])
        if match["kind"] == "D" and match["unit"] != "Gy" and not match["of"]:
            return float(self.dose_at_percent(at) if match["unit"] == "%" else self.dose_at_cc(at))
        if match["kind"] == "V" and match["unit"] == "Gy":
            return float(self.volume_cc_at(at) if match["of"] == "cc" else self.percent_at(at))
        raise ImagingError("no such metric", where=name, wanted=f"for example {WANTED_METRIC}")


def unit_of(metric: str) -> str:
    """Returns the unit of a metric: Gy, cm3, % or 1."""
    if metric == "HI":
        return "1"
    if metric == "volume" or metric.endswith("[cc]"):
        return "cm3"
    return "%" if metric.startswith("V") else "Gy"


def from_cumulative(dose_gy: npt.ArrayLike, *, volume_cc: npt.ArrayLike) -> Histogram:
    """Returns the histogram of a cumulative curve, as planning systems write it.

    Args:
        dose_gy: (n,) rising, two or more.
        volume_cc: (n,) volume with at least each dose; what is below 0 or rises by up to 0.1 % of the whole is taken
            for rounding.

    Raises:
        ImagingError: No curve: other lengths, doses that do not rise, volumes that do, no volume.
    """
    dose, given = np.asarray(dose_gy, dtype=np.float64), np.asarray(volume_cc, dtype=np.float64)
    _check_curve(dose, given)
    volume = np.minimum.accumulate(np.maximum(given, 0.0))
    edges = np.append(dose, 2 * dose[-1] - dose[-2])
    part = volume - np.append(volume[1:], 0.0)
    filled = np.flatnonzero(part > 0)
    low, high = edges[filled[0]], edges[filled[-1] + 1]
    return Histogram(edges, part, (edges[:-1] + edges[1:]) / 2, float(low), float(high))


def _check_curve(dose: Floats, volume: Floats) -> None:
    got = ""
    if dose.ndim != 1 or dose.shape != volume.shape or len(dose) < 2:
        got = f"{dose.shape} doses, {volume.shape} volumes"
    elif not (np.isfinite(dose).all() and np.isfinite(volume).all()):
        got = "numbers that are not finite"
    elif not (np.diff(dose) > 0).all():
        got = "doses that do not rise"
    elif not volume.max() > 0:
        got = "no volume above 0"
    elif np.diff(volume).max() > _ROUNDING * volume.max():
        got = "volumes that rise: a differential histogram?"
    if got:
        wanted = "two doses or more that rise, and as many volumes that fall"
        raise ImagingError("not a cumulative curve", wanted=wanted, got=got)
