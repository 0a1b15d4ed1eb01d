"""Draws how a dose and its interval are read from a calibration curve (docs/radiobiology/biodosimetry.md)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import braggbook as bb


def draw() -> Figure:
    """Returns the figure: counts, curve with its 83 % band, and Merkle's construction for one case."""
    bio = bb.radiobiology.biodosimetry
    counts = bb.load("aberration_counts@1", file="calibration.csv")
    fit = bio.fit_calibration(counts[counts["series"] == "dicentrics_co60"])
    case = bio.case_counts([302, 28, 22, 8, 1, 0])
    whole = bio.estimate_whole_body(case, fit.curve)
    figure, axes = plt.subplots()
    dose = np.linspace(0, 3, 200)
    low, high = fit.curve.band(dose, level=0.83)
    axes.fill_between(dose, low, high, color="#0072B2", alpha=0.25, linewidth=0, label="83 % band of the curve")
    axes.plot(dose, fit.curve.yield_at(dose), color="#0072B2", label="fitted curve")
    seen = fit.doses[fit.doses["dose_gy"] <= 3]
    errors = [seen["yield_per_cell"] - seen["lower"], seen["upper"] - seen["yield_per_cell"]]
    axes.errorbar(
        seen["dose_gy"], seen["yield_per_cell"], yerr=errors, fmt="o", color="0.25", ms=4, lw=1, label="counts, 95 %"
    )
    ends = zip(
        (*whole.yield_interval, whole.yield_per_cell), (*whole.interval, whole.dose_gy), (":", ":", "-"), strict=True
    )
    for yielded, at, style in ends:
        axes.plot([0, at, at], [yielded, yielded, 0], style, color="#D55E00", linewidth=1.5)
    low_gy, high_gy = whole.interval
    axes.plot([], [], "-", color="#D55E00", label=f"case: {whole.dose_gy:.2f} Gy ({low_gy:.2f} to {high_gy:.2f})")
    axes.set(xlabel="dose (Gy)", ylabel="dicentrics per cell", xlim=(-0.03, 3.05), ylim=(0, 0.72))
    axes.legend(loc="upper left")
    return figure
