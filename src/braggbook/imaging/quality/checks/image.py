"""Image: can something be seen? Without a reference image, from the pixels alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from braggbook.imaging.quality.evidence import SeriesEvidence, Slice
from braggbook.imaging.quality.measurements import noise_of, snr_of
from braggbook.imaging.quality.registry import PLACED, Finding, NotApplicable, NotAssessed, check
from braggbook.imaging.quality.statistics import Statistics, energy_ratio, sample_of, threshold_of, unlike

ROSE = 5.0  # contrast over noise below which an object of any size is not seen with certainty
_CLIPPED = 1e-3  # share of voxels; metal and vessels fill less of a body
_NOISIER = 3.0  # times the median over slices; between neighbours noise changes by tens of per cent
_FEWEST_SLICES = 5  # for a median over slices
_STRANGER = 5.0  # times as unlike both neighbours as these are unlike each other; in a body that changes, at most 1
_UNLIKE = 0.1  # 1 less the correlation: slices that show one body are more alike, and noise changes it less
_SATURATED = 0.01  # share of pixels at the largest number that can be stored


def _pixels(series: SeriesEvidence) -> list[tuple[Slice, Statistics]]:
    if not series.slices:
        raise NotApplicable
    if not series.pixels_read:
        raise NotAssessed("pixels were not read")
    if not series.measured:
        raise NotAssessed(f"no pixels of {series.modality} series {series.series.uid} can be read")
    return series.measured


@check(
    "image.constant",
    "No slice is empty or constant",
    dimension="image",
    scope="series",
    modalities=PLACED,
    source="a slice with one value shows nothing",
)
def _check_constant(series: SeriesEvidence) -> Iterable[Finding]:
    for one, found in _pixels(series):
        if found.low == found.high:
            yield Finding(one.where, "more than one value", f"{found.low:.6g} everywhere")


@check(
    "image.repeated",
    "No slice has the pixels of another",
    dimension="image",
    scope="series",
    modalities=PLACED,
    source="digests of the pixels: noise never repeats",
)
def _check_repeated(series: SeriesEvidence) -> Iterable[Finding]:
    seen: dict[bytes, str] = {}
    for one, found in _pixels(series):
        if found.low == found.high:
            continue  # named by image.constant
        if (other := seen.get(found.digest)) is not None:
            yield Finding(one.where, "pixels of its own", f"those of {other}")
        seen.setdefault(found.digest, one.where)


@check(
    "image.clipped",
    "Values are not cut off at the top",
    dimension="image",
    scope="series",
    modalities=PLACED,
    source=f"more than {_CLIPPED:.1%} of voxels at the largest value of the series: a plateau, not a peak",
)
def _check_clipped(series: SeriesEvidence) -> Iterable[Finding]:
    frames = _pixels(series)
    if series.modality == "PT":
        raise NotApplicable  # every slice has a slope of its own, chosen so that its maximum is the largest number
    top = max(found.high for _, found in frames)
    if top == min(found.low for _, found in frames):
        return
    share = sum(found.at_high for _, found in frames if found.high == top) / sum(found.count for _, found in frames)
    if share > _CLIPPED:
        where = max((pair for pair in frames if pair[1].high == top), key=lambda pair: pair[1].at_high)[0].where
        yield Finding(f"worst in {where}", f"at most {_CLIPPED:.1%} of voxels at the top", f"{share:.2%} at {top:.6g}")


@check(
    "image.saturated",
    "Stored numbers do not reach the end of their range",
    dimension="image",
    scope="series",
    modalities=PLACED,
    source=f"DICOM PS3.3 C.7.6.3.1: BitsStored; more than {_SATURATED:.0%} of a slice at the largest number",
)
def _check_saturated(series: SeriesEvidence) -> Iterable[Finding]:
    for one, found in _pixels(series):
        if found.low < found.high and found.at_limit > _SATURATED * found.count:
            yield Finding(one.where, f"at most {_SATURATED:.0%}", f"{found.at_limit / found.count:.1%} of its pixels")


@check(
    "image.snr",
    "The signal stands out from the noise",
    dimension="image",
    scope="series",
    modalities=PLACED,
    source=f"Rose 1948, J. Opt. Soc. Am. 38 196: {ROSE:.0f}; noise by Immerkaer 1996; CT above air",
)
def _check_snr(series: SeriesEvidence) -> Iterable[Finding]:
    _pixels(series)
    found = snr_of(series)
    if found is None:
        raise NotAssessed("too little foreground to measure noise in")
    if found < ROSE:
        where = f"{series.modality} series {series.series.uid}"
        yield Finding(where, f"at least {ROSE:.0f}", f"{found:.2f} (noise {noise_of(series):.4g})")


@check(
    "image.noisy_slice",
    "No slice is far noisier than the others",
    dimension="image",
    scope="series",
    modalities=("CT", "MR"),
    source=f"Immerkaer 1996; {_NOISIER:.0f} times the median over slices is beyond any body; in PET it follows uptake",
)
def _check_noisy_slice(series: SeriesEvidence) -> Iterable[Finding]:
    found = [(one, each.noise) for one, each in _pixels(series) if each.noise is not None]
    if len(found) < _FEWEST_SLICES:
        raise NotApplicable
    usual = float(np.median([noise for _, noise in found]))
    for one, noise in found:
        if usual > 0 and noise > _NOISIER * usual:
            yield Finding(one.where, f"at most {_NOISIER * usual:.4g}", f"{noise:.4g}")


@check(
    "image.stranger",
    "No slice is unlike both its neighbours while these are like each other",
    dimension="image",
    scope="series",
    modalities=("CT", "MR"),
    source=f"correlation of block means below {1 - _UNLIKE}, and {_STRANGER:.0f} times as unlike: a slice of another "
    "body, or out of order; in PET one hot slice would be it",
)
def _check_stranger(series: SeriesEvidence) -> Iterable[Finding]:
    small = {id(one): found.small for one, found in _pixels(series)}
    placed = [one for one in series.placed if id(one) in small]
    places = [series.along(one) for one in placed]
    if len(placed) < 3 or min(np.diff(places)) <= 0:
        raise NotApplicable  # several images at one place: times, echoes; or copies, which geometry names
    for before, one, after in zip(placed, placed[1:], placed[2:], strict=False):
        apart = unlike(small[id(before)], small[id(after)])
        sides = [unlike(small[id(one)], small[id(each)]) for each in (before, after)]
        nearer = min((each for each in sides if each is not None), default=0.0)
        if apart is not None and None not in sides and nearer > max(_UNLIKE, _STRANGER * apart):
            wanted = f"as alike as {before.where} and {after.where}, of correlation {1 - apart:.3f}"
            yield Finding(one.where, wanted, f"{1 - nearer:.3f} with the nearer of them")


@check(
    "image.energy",
    "There is more energy in the foreground than in the background",
    dimension="image",
    scope="series",
    modalities=("MR", "PT"),
    source="FBER of MRIQC (Esteban et al. 2017, PLoS One 12 e0184661); at 1 there is no object",
)
def _check_energy(series: SeriesEvidence) -> Iterable[Finding]:
    sample = sample_of([found for _, found in _pixels(series)])
    threshold = threshold_of(sample)
    ratio = None if threshold is None else energy_ratio(sample, threshold)
    if ratio is not None and ratio <= 1:
        yield Finding(f"{series.modality} series {series.series.uid}", "above 1", f"{ratio:.3f}")
