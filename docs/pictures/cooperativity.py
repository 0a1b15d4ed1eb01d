"""Cooperating cells: colonies against cells seeded, and what survival follows from matched colonies or efficiencies."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from braggbook.radiobiology.survival import fit_cooperativity

_DOSES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)
_ALPHA, _BETA, _SLOPE, _EFFICIENCY = 0.2, 0.03, 1.7, 0.03
_BLUE, _RED, _GREY = "#0072B2", "#D55E00", "0.5"


def _counts() -> pd.DataFrame:
    """Makes counts of cells of which (0.03 S cells)^1.7 form colonies: cooperation, and a survival that is known."""
    random = np.random.default_rng(1)
    rows = []
    for dose in _DOSES:
        survival = math.exp(-_ALPHA * dose - _BETA * dose**2)
        for cells in np.geomspace(4.0, 200.0, 7) ** (1 / _SLOPE) / (_EFFICIENCY * survival):
            mean = (_EFFICIENCY * survival * cells) ** _SLOPE
            rows += [(dose, cells, random.poisson(mean)) for _ in range(4)]
    return pd.DataFrame(rows, columns=["dose_gy", "cells_seeded", "colonies"])


def draw() -> Figure:
    """Draws the picture."""
    fit = fit_cooperativity(_counts())
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.9))
    for law, colour in ((fit.laws[0], _BLUE), (fit.laws[3], _RED)):
        cells = np.array([law.cells_seeded.min(), law.cells_seeded.max()])
        left.plot(law.cells_seeded, law.colonies, "o", color=colour, ms=4, label=f"{law.dose_gy:g} Gy, b = {law.b:.2f}")
        left.plot(cells, np.exp(law.a) * cells**law.b, color=colour, lw=1.3)
    ends = [math.exp(law.log_cells(fit.reference_colonies)) for law in (fit.laws[0], fit.laws[3])]
    left.annotate("", (ends[0], 20), (ends[1], 20), arrowprops={"arrowstyle": "<->", "color": "black", "lw": 1.2})
    left.text(math.sqrt(ends[0] * ends[1]), 23, "survival", ha="center", va="bottom")
    left.axhline(20, color=_GREY, lw=0.8, ls=":")
    left.set(xscale="log", yscale="log", xlabel="cells seeded", ylabel="mean colonies of a density")
    left.legend(loc="upper left")
    dose = np.linspace(0, 8.2, 100)
    right.plot(
        dose, np.exp(-_ALPHA * dose - _BETA * dose**2), color="black", lw=1, label="true survival of the made cells"
    )
    found = fit.survival
    doses = [each.dose_gy for each in found]
    right.vlines(
        doses, *zip(*(each.pe_range for each in found), strict=True), color=_GREY, lw=5, alpha=0.4,
        label="plating efficiencies, any two densities",
    )  # fmt: skip
    values = np.array([each.value for each in found])
    errors = np.abs(np.array([tuple(each.interval) for each in found]).T - values)
    right.errorbar(doses, values, errors, fmt="o", color=_BLUE, ms=4, capsize=2, label="matched at 20 colonies, 95%")
    right.set(yscale="log", xlabel="dose (Gy)", ylabel="surviving fraction", ylim=(0.002, 8))
    right.legend(loc="lower left", fontsize=8)
    return figure
