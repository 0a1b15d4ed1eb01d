"""Observed survival, plate by plate, for plotting beside a fitted curve."""

from __future__ import annotations

import numpy as np
import pandas as pd

from braggbook.errors import ScienceError
from braggbook.radiobiology.intervals import poisson_count_intervals
from braggbook.radiobiology.survival.fit import SurvivalFit


def survival_points(fit: SurvivalFit, *, level: float = 0.95) -> pd.DataFrame:
    """Returns each plate's colonies / (cells * plating efficiency of its replicate), with an interval.

    The plating efficiency is the fit's own (fitted or pooled) and is taken as known. The interval is that of
    a Poisson count (Garwood); overdispersion is not in it. A plate without colonies has survival 0, lower
    limit 0 and a finite upper limit.

    Args:
        fit: The fit whose plates are shown; plates that it did not use (zero dose, pooled) are there too.
        level: Confidence level of the intervals.

    Returns:
        Table with a row per plate: row, replicate, dose_gy, cells_seeded, colonies, survival, lower, upper.

    Raises:
        ScienceError: What is given is no fit (a table of plates is fitted first), or the level is none.
    """
    if not isinstance(fit, SurvivalFit):
        raise ScienceError(
            "not a survival fit", where="fit", wanted="what fit_survival returns", got=type(fit).__name__
        )
    counts = fit.counts
    efficiency = np.exp(fit.replicates["log_plating_efficiency"].to_numpy(dtype=np.float64))
    expected = counts.cells_seeded * efficiency[counts.replicate]
    lower, upper = poisson_count_intervals(counts.colonies, level=level)
    return pd.DataFrame(
        {
            "row": counts.row,
            "replicate": np.array(counts.replicates, dtype=object)[counts.replicate],
            "dose_gy": counts.dose_gy,
            "cells_seeded": counts.cells_seeded,
            "colonies": counts.colonies,
            "survival": counts.colonies / expected,
            "lower": lower / expected,
            "upper": upper / expected,
        }
    )
