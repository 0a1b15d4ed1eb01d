"""Depth dose and LET of a 150 MeV proton beam in water, in closed form."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from braggbook.radiobiology.beams import bortfeld_dose, distal_depth, wilkens_let

BEAM = {"energy_mev": 150.0, "energy_spread_mev": 1.5}


def draw() -> Figure:
    """Dose above, LET below, on one axis of depth, with R80 marked."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.0, 5.2), sharex=True, height_ratios=[1, 1.2])
    depth = np.linspace(0.0, 163.0, 600)
    dose = bortfeld_dose(depth, **BEAM)
    top.plot(depth, dose / dose.max(), color="#0072B2")
    top.set(ylabel="dose / peak", ylim=(0, 1.08))
    for axis in (top, bottom):
        axis.axvline(distal_depth(depth, dose), color="0.5", linewidth=0.8, linestyle=":")
    top.annotate("R80", (distal_depth(depth, dose), 0.1), xytext=(-30, 0), textcoords="offset points", color="0.35")
    inside = depth >= 1.0
    both = wilkens_let(depth[inside], average="dose-averaged", **BEAM)
    track = wilkens_let(depth[inside], average="track-averaged", **BEAM)
    other = wilkens_let(
        depth[inside], average="dose-averaged", **BEAM, sources={"wilkens_let.square_correction": "libamtrack"}
    )
    bottom.plot(depth[inside], both, color="#D55E00", label="dose-averaged, as published")
    bottom.plot(
        depth[inside], other, color="#D55E00", linestyle=":", label="dose-averaged, as in the numbers of pyamtrack"
    )
    bottom.plot(depth[inside], track, color="#009E73", linestyle="--", label="track-averaged")
    bottom.set(xlabel="depth in water (mm)", ylabel="LET (keV/µm)", ylim=(0, 18), xlim=(90, 163))
    bottom.legend(loc="upper left")
    return figure
