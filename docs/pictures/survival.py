"""Draws two cell lines with their fits, and the same plates under four survival models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import braggbook as bb
from braggbook.radiobiology import survival

COLOURS = {"CAL 33": "#0072B2", "OKF6/TERT1": "#D55E00"}  # Okabe and Ito: told apart by any reader
MARKERS = {"CAL 33": "o", "OKF6/TERT1": "s"}
MODELS = {
    "lq": ("linear-quadratic", "-", "#0072B2"),
    "lq_l": ("LQ with a straight tail", "--", "#D55E00"),
    "multi_target": ("multi-target", "-.", "#009E73"),
    "exponential": ("exponential", ":", "#333333"),
}
LARGEST_GY = 9.0


def draw() -> Figure:
    """Returns the figure."""
    counts = bb.load("colony_counts_cal33_okf6@1")
    lines = {line: counts[counts["cell_line"] == line] for line in COLOURS}
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.2), sharey=True)
    for line, table in lines.items():
        _draw_line(left, line, table)
    _draw_models(right, lines["CAL 33"])
    for axis in (left, right):
        axis.set(yscale="log", xlabel="dose (Gy)", ylim=(5e-4, 2.0))
        axis.legend(loc="lower left", fontsize=9)
    left.set_ylabel("surviving fraction")
    left.set_title("Two lines, each with its replicates", fontsize=10)
    right.set_title("CAL 33 under four models, continued beyond 6 Gy", fontsize=10)
    return figure


def _draw_line(axis: Axes, line: str, table: pd.DataFrame) -> None:
    fit = survival.fit_survival(table)
    points = survival.survival_points(fit)
    shift = -0.06 if line == "CAL 33" else 0.06
    axis.vlines(points["dose_gy"] + shift, points["lower"], points["upper"], color=COLOURS[line], linewidth=0.7)
    axis.plot(
        points["dose_gy"] + shift,
        points["survival"],
        MARKERS[line],
        color=COLOURS[line],
        markerfacecolor="none",
        markersize=4,
    )
    dose = np.linspace(0.0, 6.0, 61)
    band = np.array([(1.0, 1.0)] + [tuple(fit.survival_interval(float(d))) for d in dose[1:]]).T
    axis.fill_between(dose, band[0], band[1], color=COLOURS[line], alpha=0.2, linewidth=0)
    axis.plot(dose, fit.survival_at(dose), color=COLOURS[line], label=line)


def _draw_models(axis: Axes, table: pd.DataFrame) -> None:
    choice = survival.choose_survival_model(table, models=list(MODELS))
    points = survival.survival_points(survival.fit_survival(table))
    axis.plot(points["dose_gy"], points["survival"], "o", color="0.45", markerfacecolor="none", markersize=4)
    axis.axvspan(6.0, LARGEST_GY, color="0.93", zorder=0)
    axis.text(7.5, 0.9, "no plates here", ha="center", fontsize=9, color="0.3")
    dose = np.linspace(0.0, LARGEST_GY, 181)
    for row in choice.table.itertuples(index=False):
        label, dashes, colour = MODELS[row.model]
        text = f"{label}, weight {row.weight:.2f}"
        axis.plot(dose, choice.fits[row.model].survival_at(dose), dashes, color=colour, label=text)
