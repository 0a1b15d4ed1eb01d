"""The random numbers of a notebook: one seed, which the run records."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SEED_VARIABLE = "BRAGGBOOK_SEED"


@cache
def rng(stream: str = "") -> np.random.Generator:
    """Returns the notebook's random generator, seeded from the run's record (with 0 outside a run).

    Args:
        stream: A name; every name has a generator of its own, independent of the others and of the order of calls.

    Calls with one name return one generator, which goes on where it was.
    """
    import numpy as np  # noqa: PLC0415 - importing braggbook must not import NumPy

    seed = int(os.environ.get(SEED_VARIABLE, "0"))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(stream.encode())))
