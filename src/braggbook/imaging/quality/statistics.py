"""What the pixels of one frame say, in a few numbers, so that a series is judged without holding it.

Sources: Immerkaer 1996, Comput. Vis. Image Underst. 64 300 (noise from a difference of two Laplacians);
Atkinson et al. 1997, IEEE Trans. Med. Imaging 16 903 (entropy focus criterion);
Esteban et al. 2017, PLoS One 12 e0184661 (MRIQC, whose definitions of EFC and FBER these are).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]

SAMPLED = 400_000  # voxels of a series that medians are taken of: their error is below 0.2 % of a standard deviation
_MASK_NORM = 6.0  # root of the sum of its squares: what white noise is multiplied with
_MAD = 1.4826  # standard deviation of a normal distribution over its median absolute value
_SMOOTH = 5  # pixels
_FEWEST = 64  # pixels of the object that noise is measured in
_BODY_HU = -500.0  # between air and tissue
_BINS = 256
_BLOCKS = 24  # along each side of a small image: anatomy shows, noise does not


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Of one frame, in the unit of its values.

    Attributes:
        digest: Of its stored values and their scale.
        count: Pixels with a value.
        low: Smallest.
        high: Largest.
        at_low: Pixels that have the smallest.
        at_high: Pixels that have the largest.
        at_limit: Pixels at the largest number that the stored bits can hold.
        noise: Standard deviation of noise inside the object; None where there is too little of it.
        squares: Sum of squares of values above zero; of CT 0, as the next two.
        logarithms: Sum of x ln x of these.
        total: Sum of these.
        sample: (n,) some of its pixels, evenly taken.
        small: (y, x) means of blocks, about 24 a side, by which slices are compared.
    """

    digest: bytes
    count: int
    low: float
    high: float
    at_low: int
    at_high: int
    at_limit: int
    noise: float | None
    squares: float
    logarithms: float
    total: float
    sample: Floats
    small: Floats


def measure(
    values: Floats, *, stored: npt.NDArray[np.generic], limit: float, key: str, quota: int, is_ct: bool
) -> Statistics:
    """Returns the statistics of one frame.

    Args:
        values: (y, x); NaN where there is no value.
        stored: (y, x) as stored.
        limit: Largest number that can be stored.
        key: Of the scale, so that equal numbers with another slope are another image.
        quota: Pixels to sample.
        is_ct: Whether values are HU.
    """
    known = values[np.isfinite(values)]
    digest = hashlib.blake2b(np.ascontiguousarray(stored).tobytes() + key.encode(), digest_size=16).digest()
    if not known.size:
        return Statistics(digest, 0, math.nan, math.nan, 0, 0, 0, None, 0.0, 0.0, 0.0, known, known)
    low, high = float(known.min()), float(known.max())
    above = known[:0] if is_ct else known[known > 0].astype(np.float64)
    return Statistics(
        digest=digest,
        count=int(known.size),
        low=low,
        high=high,
        at_low=int((known == low).sum()),
        at_high=int((known == high).sum()),
        at_limit=int((stored.astype(np.float64) >= limit).sum()),
        noise=_noise(values, _BODY_HU if is_ct else float(known.mean())),
        squares=float(above @ above),
        logarithms=float(above @ np.log(above)),
        total=float(above.sum()),
        sample=known[:: max(1, math.ceil(known.size / max(1, quota)))].astype(np.float32),
        small=_small(np.where(np.isfinite(values), values, low)),
    )


def _small(values: Floats) -> Floats:
    """Returns means of blocks; what is left at the ends belongs to none."""
    rows, columns = (max(1, length // _BLOCKS) for length in values.shape)
    cut = values[: values.shape[0] // rows * rows, : values.shape[1] // columns * columns]
    blocks = cut.reshape(cut.shape[0] // rows, rows, cut.shape[1] // columns, columns)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def unlike(one: Floats, other: Floats) -> float | None:
    """Returns 1 less the correlation of two small images: 0 for the same, whatever their gain; None if one is flat."""
    if one.shape != other.shape:
        return None
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return 1.0 - float((first * second).sum()) / scale if scale > 0 else None


def _noise(values: Floats, threshold: float) -> float | None:
    """Returns the noise inside an object, robust against its edges: 1.4826 median(abs(image * mask)) / 6.

    The mask is 1 -2 1 along rows and along columns: the product of the two.
    """
    if min(values.shape) < 3:
        return None
    filled = np.where(np.isfinite(values), values, np.float32(threshold)).astype(np.float32)
    smooth = ndimage.uniform_filter(filled, _SMOOTH)  # else heavy noise would leave nothing to measure it in
    solid = smooth > threshold
    rows = solid[:-2] & solid[1:-1] & solid[2:]
    inside = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    if int(inside.sum()) < _FEWEST:
        return None
    bent = filled[:-2] - 2 * filled[1:-1] + filled[2:]
    response = (bent[:, :-2] - 2 * bent[:, 1:-1] + bent[:, 2:])[inside]
    return float(_MAD * np.median(np.abs(response)) / _MASK_NORM)


def sample_of(frames: Sequence[Statistics]) -> Floats:
    """Returns the sampled voxels of all frames: (n,)."""
    parts = [each.sample for each in frames if each.sample.size]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def entropy_focus(frames: Sequence[Statistics]) -> float | None:
    """Returns the entropy focus criterion, 0 (energy in one voxel) to 1 (the same everywhere).

    EFC = E / E_max with E = -sum(x/b ln(x/b)), b = sqrt(sum x^2), E_max = sqrt(n) ln sqrt(n) (Atkinson 1997).
    """
    squares, count = sum(f.squares for f in frames), sum(f.count for f in frames)
    if squares <= 0 or count < 2:
        return None
    scale = math.sqrt(squares)
    entropy = -(sum(f.logarithms for f in frames) - math.log(scale) * sum(f.total for f in frames)) / scale
    return entropy / (math.sqrt(count) * math.log(math.sqrt(count)))


def threshold_of(sample: Floats) -> float | None:
    """Returns Otsu's threshold between background and foreground; None when all values are one.

    Source: Otsu 1979, IEEE Trans. Syst. Man Cybern. 9 62.
    """
    if not sample.size or float(sample.min()) == float(sample.max()):
        return None
    low, high = np.percentile(sample, (0.0, 99.5))  # a few bright voxels would leave one bin for all others
    if low == high:
        return None
    counts, edges = np.histogram(np.clip(sample, low, high), bins=_BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    weighted = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (weighted / below - (weighted[-1] - weighted) / above) ** 2
    return float(edges[int(np.nanargmax(between[:-1])) + 1])


def energy_ratio(sample: Floats, threshold: float) -> float | None:
    """Returns the foreground-background energy ratio: median(f)^2 / median(b)^2; None for an empty background."""
    back, front = sample[sample <= threshold], sample[sample > threshold]
    if not back.size or not front.size:
        return None
    energy = float(np.median(np.abs(back))) ** 2
    return float(np.median(np.abs(front))) ** 2 / energy if energy > 1e-3 else None
