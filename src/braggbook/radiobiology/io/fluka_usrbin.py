"""What a USRBIN file of FLUKA holds, in whichever form it was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from braggbook.errors import ScienceError

Floats = NDArray[np.float64]

MOST_BINS = 100_000_000  # a damaged header may ask for more memory than there is


@dataclass(frozen=True, eq=False)
class Binning:
    """One binning.

    Attributes:
        number: Its number in the file.
        name: Its name, 10 letters at most.
        kind: As in the card: 0 Cartesian, 1 R-Phi-Z, 2 region, 3 to 7 with symmetry, 8 special; 10 more when the
            energy is apportioned along the track.
        particle: Generalized particle number.
        limits: Lower end, upper end, bins of the three axes, cm and rad.
        values: Shape (n,), the first axis running fastest.
        relative_errors: Relative standard errors, shape (n,), as fractions; None when there are none.
    """

    number: int
    name: str
    kind: int
    particle: int
    limits: tuple[tuple[float, float, int], ...]
    values: Floats
    relative_errors: Floats | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins of the three axes."""
        return tuple(bins for _, _, bins in self.limits)


@dataclass(frozen=True, eq=False)
class UsrbinFile:
    """A USRBIN file: title of the run, its date as printed, primaries, their weight, and the binnings."""

    title: str
    date: str
    primaries: int
    weight: float
    binnings: tuple[Binning, ...]


def count_of(shape: tuple[int, ...], *, where: str) -> int:
    """Returns the number of bins, or raises ScienceError when it cannot be one."""
    count = 1
    for bins in shape:
        count *= bins
    if min(shape) < 1 or count > MOST_BINS:
        raise ScienceError(
            "not a binning", where=where, wanted=f"1 to {MOST_BINS} bins", got=" x ".join(map(str, shape))
        )
    return count
