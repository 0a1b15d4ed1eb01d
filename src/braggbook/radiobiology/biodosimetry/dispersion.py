"""Is a distribution of aberrations over cells a Poisson distribution? Dispersion index and u test.

Uniform exposure to low-LET radiation gives Poisson counts per cell, variance = mean. Overdispersion (u > 1.96) is
the mark of partial-body exposure or of high LET; underdispersion (u < -1.96) of missed cells or of selective
scoring.

Sources: C. R. Rao and I. M. Chakravarti, Biometrics 12 (1956) 264-282 (the test); IAEA, Cytogenetic Dosimetry:
Applications in Preparedness for and Response to Radiation Emergencies, EPR-Biodosimetry 2011, Vienna 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import ScienceError
from braggbook.radiobiology.biodosimetry.counts import (
    AberrationCounts,
    CaseCounts,
    check_case,
    read_calibration_counts,
    read_cases,
)

Floats = NDArray[np.float64]
Verdict = Literal["Poisson", "overdispersed", "underdispersed"]

# Two-sided 5 % of the standard normal distribution, to the digits that the manual prints.
U_LIMIT = 1.96
_NOT_TESTABLE = "not testable: fewer than two aberrations"


@dataclass(frozen=True)
class Dispersion:
    """How the aberrations of one sample are spread over its cells.

    Attributes:
        mean: Aberrations per scored cell, X / N.
        variance: Sample variance, with N - 1.
        index: Dispersion index, variance / mean; 1 for a Poisson distribution.
        u: Standardised index, about normal for a Poisson distribution.
        verdict: "overdispersed" for u > 1.96, "underdispersed" for u < -1.96, else "Poisson".
    """

    mean: float
    variance: float
    index: float
    u: float
    verdict: Verdict


def dispersion(case: CaseCounts) -> Dispersion:
    """Returns the dispersion index and u of one sample.

    u = (variance / mean - 1) sqrt((N - 1) / (2 (1 - 1 / X))).

    Raises:
        ScienceError: There is no distribution, or fewer than two aberrations (or cells), so that there is no test.
    """
    check_case(case)
    if case.distribution is None:
        raise ScienceError("no dispersion without a distribution", where=case.name, wanted="c0, c1, c2 ...")
    if case.aberrations < 2 or case.cells < 2:
        got = f"{case.aberrations:g} in {case.cells:g} cells"
        raise ScienceError(
            "the dispersion cannot be tested", where=case.name, wanted="two aberrations and two cells or more", got=got
        )
    spread = np.asarray([case.distribution])
    mean, variance, index, u = (float(values[0]) for values in _moments(spread))
    return Dispersion(mean, variance, index, u, _verdict(u))


def dispersion_table(counts: AberrationCounts | pd.DataFrame) -> pd.DataFrame:
    """Returns a row per sample of a table of calibration counts or cases.

    Columns: label, cells, aberrations, mean, variance, dispersion_index, u, verdict.

    Where there is no distribution or fewer than two aberrations, the index and u are NaN and the verdict says why.

    Raises:
        ScienceError: The table is not usable; every row at fault is named.
    """
    if not isinstance(counts, AberrationCounts):
        calibration = isinstance(counts, pd.DataFrame) and "dose_gy" in counts.columns
        counts = read_calibration_counts(counts) if calibration else read_cases(counts)
    table = pd.DataFrame(
        {"label": list(counts.labels), "cells": counts.cells, "aberrations": counts.aberrations},
    )
    table["mean"] = counts.aberrations / counts.cells
    if counts.distribution is None:
        return table.assign(variance=np.nan, dispersion_index=np.nan, u=np.nan, verdict="not testable: totals only")
    testable = (counts.aberrations >= 2) & (counts.cells >= 2)
    values = np.full((3, len(table)), np.nan)
    values[:, testable] = _moments(counts.distribution[testable])[1:]
    verdicts = [_verdict(u) if known else _NOT_TESTABLE for u, known in zip(values[2], testable, strict=True)]
    return table.assign(variance=values[0], dispersion_index=values[1], u=values[2], verdict=verdicts)


def dispersion_indices(counts: AberrationCounts) -> Floats:
    """Returns variance / mean of each sample, shape (samples,); NaN where it cannot be told."""
    return np.asarray(dispersion_table(counts)["dispersion_index"], dtype=np.float64)


def _moments(spread: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    classes = np.arange(spread.shape[1])
    cells, total, squares = spread.sum(axis=1), spread @ classes, spread @ classes**2
    mean = total / cells
    variance = (squares - total**2 / cells) / (cells - 1)
    index = variance / mean
    return mean, variance, index, (index - 1.0) * np.sqrt((cells - 1) / (2.0 * (1.0 - 1.0 / total)))


def _verdict(u: float) -> Verdict:
    if u > U_LIMIT:
        return "overdispersed"
    return "underdispersed" if u < -U_LIMIT else "Poisson"
