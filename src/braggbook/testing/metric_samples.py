"""What the checks of metrics score: for each kind a truth, perfect answers, answers that get worse, and broken ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.imaging.dose import Histogram, from_cumulative
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume
from braggbook.metrics.definitions import Definition
from braggbook.radiobiology.linear_quadratic import LqParameters

SPACING_MM = (3.0, 1.0, 0.75)
_SHAPE = (8, 14, 16)
_COUNT = 20  # cases of a metric of all: 19 of 20 intervals that hold the truth are exactly 95 %
_BROKEN = (math.nan, math.inf, None, "a lot")


@dataclass(frozen=True)
class Sample:
    """What a metric is tried on.

    Attributes:
        reference: The truth.
        perfect: Answers of which one gets the perfect score.
        worsening: Answers that are worse and worse.
        odd: Others that are legal.
    """

    reference: Any
    perfect: tuple[Any, ...]
    worsening: tuple[Any, ...]
    odd: tuple[Any, ...] = ()


def sample_of(metric: Definition) -> Sample:
    """Returns a sample of a metric's kind and scope."""
    return _SAMPLES[metric.kind, metric.scope]()


def ball(centre: tuple[float, float, float], radius_mm: float) -> Any:
    """Returns a ball on a grid of (8, 14, 16) voxels of 3 x 1 x 0.75 mm; its centre in voxels."""
    squares = (((np.arange(n) - c) * s) ** 2 for n, c, s in zip(_SHAPE, centre, SPACING_MM, strict=True))
    z, y, x = np.meshgrid(*squares, indexing="ij")
    return z + y + x <= radius_mm**2


def _masks() -> Sample:
    truth = ball((3.6, 6.5, 7.0), 5.2)
    near, far = ball((3.6, 7.4, 7.0), 5.6), ball((4.2, 11.0, 13.0), 2.9)
    corner = np.zeros_like(truth)
    corner[-1, -1, -1] = True
    return Sample(truth, (truth,), (near, far), (corner, ~truth, np.ones_like(truth)))


def _case_numbers() -> Sample:
    return Sample(2.0, (2.0,), (2.25, 5.0), (-1e6, 0.0, np.float32(2.5)))


def _numbers() -> Sample:
    truth = np.linspace(0.5, 4.0, _COUNT)
    wiggle = np.where(np.arange(_COUNT) % 2, 1.0, -1.0)
    near, far = truth + 0.1 + 0.05 * wiggle, 5 - truth + 2 * wiggle
    return Sample(truth, (truth,), (near, far), (-truth, truth.tolist(), np.zeros(_COUNT)))


def _case_intervals() -> Sample:
    return Sample(2.0, ((2.0, 2.0),), ((1.5, 2.25), (5.0, 9.0)), ((0.0, 2.0), (-1e6, 1e6)))


def _intervals() -> Sample:
    truth = np.linspace(0.5, 4.0, _COUNT)
    off = np.zeros(_COUNT)
    off[7] = 1.0
    honest = (truth + off - 0.25, truth + off + 0.25)
    near, far = (truth - 0.25 + 4 * off, truth + 0.5 + 4 * off), (truth + 2, truth + 4)
    return Sample(truth, ((truth, truth), honest), (near, far), ((truth - 1e3, truth + 1e3),))


def _case_labels() -> Sample:
    return Sample("1", ("1", 1), ("0",))


def _labels() -> Sample:
    truth = list("11100120101100110210")
    near, far = ["1", "0", *truth[2:]], [{"1": "0", "0": "2", "2": "1"}[label] for label in truth]
    return Sample(truth, (truth,), (near, far), (["1"] * _COUNT, ["x"] * _COUNT))


def _probabilities() -> Sample:
    truth = np.array(list("11100100101100110110"))
    sure = (truth == "1").astype(float)
    near = np.clip(sure, 0.25, 0.75)
    near[:1] = 0.25
    return Sample(truth, (sure,), (near, 1 - sure), (np.full(_COUNT, 0.5),))


def _doses() -> Sample:
    def dose(centre: float, *, scale: float) -> Any:
        along = np.exp(-(((np.arange(12) - centre) / 4) ** 2))
        grid = Grid.from_axes((12, 12, 12), spacing_mm=(2.0, 2.0, 2.0))
        data = scale * along[:, None, None] * along[:, None] * along
        return make_volume(data, grid, name="dose", units="Gy")

    truth = dose(5.5, scale=2.0)
    return Sample(truth, (truth,), (dose(5.8, scale=2.1), dose(9.0, scale=1.0)), (dose(5.5, scale=0.0),))


def _histograms() -> Sample:
    def histogram(middle: float) -> Histogram:
        doses = np.linspace(0, 60, 121)
        return from_cumulative(doses, volume_cc=50 / (1 + np.exp((doses - middle) / 2)))

    return Sample(histogram(40), (histogram(40),), (histogram(41), histogram(30)), (histogram(55),))


def _curves() -> Sample:
    def curve(alpha: float, beta: float) -> LqParameters:
        return LqParameters(alpha_per_gy=alpha, beta_per_gy2=beta)

    truth = curve(0.3, 0.03)
    return Sample(truth, (truth,), (curve(0.28, 0.033), curve(0.1, 0.09)), (curve(-0.2, -0.01), curve(2.0, 0.0)))


_SAMPLES: dict[tuple[str, str], Callable[[], Sample]] = {
    ("masks", "case"): _masks,
    ("numbers", "case"): _case_numbers,
    ("numbers", "all"): _numbers,
    ("intervals", "case"): _case_intervals,
    ("intervals", "all"): _intervals,
    ("labels", "case"): _case_labels,
    ("labels", "all"): _labels,
    ("probabilities", "all"): _probabilities,
    ("doses", "case"): _doses,
    ("histograms", "case"): _histograms,
    ("curves", "case"): _curves,
}


def broken_samples(metric: Definition) -> Iterator[tuple[Any, Any]]:
    """Yields pairs of which one side cannot be scored."""
    sample = sample_of(metric)
    reference, estimate = sample.reference, sample.perfect[0]
    for bad in _BROKEN:
        if metric.kind == "labels" and bad in ("a lot", math.inf):
            continue  # these are labels
        if metric.kind != "probabilities" or bad in (None, math.nan):
            yield _spoiled(reference, bad), estimate
        if metric.kind == "intervals":
            yield reference, (_spoiled(estimate[0], bad), estimate[1])
            yield reference, (estimate[0], _spoiled(estimate[1], bad))
        else:
            yield reference, _spoiled(estimate, bad)
    yield from _misfits(metric, sample)


def _spoiled(given: Any, bad: Any) -> Any:
    """Puts something in the place of a value, of the first of a list or of the first voxel."""
    if hasattr(given, "dims"):
        if not isinstance(bad, float):
            return bad
        spoiled = given.copy(deep=True)
        spoiled[0, 0, 0] = bad
        return spoiled
    if isinstance(given, np.ndarray):
        spoiled = given.astype(object)
        spoiled.flat[0] = bad
        return spoiled.astype(float) if isinstance(bad, float) and given.dtype.kind in "bf" else spoiled
    return [bad, *given[1:]] if isinstance(given, list) else bad


def _misfits(metric: Definition, sample: Sample) -> Iterator[tuple[Any, Any]]:
    """Yields what is well alone and does not belong together."""
    reference, estimate = sample.reference, sample.perfect[0]
    if metric.kind == "masks":
        yield reference, estimate[1:]
        yield reference, estimate.astype(int) * 2
        yield reference[0, 0], estimate[0, 0]
    elif metric.kind == "intervals":
        yield reference, reference
        yield reference, (reference + 2.0, reference + 1.0)
    elif metric.scope == "all":
        yield reference, estimate[1:]
        yield [], []
