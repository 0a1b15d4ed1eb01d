"""RBE at 2 Gy of every proton model that needs no more than alpha/beta, against LET, at two alpha/beta."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from braggbook.radiobiology.rbe import rbe_grid

COLOURS = {  # Okabe and Ito
    "carabe": ("#009E73", "-."),
    "mcnamara": ("#D55E00", "--"),
    "rorvik_linear": ("#CC79A7", (0, (3, 1, 1, 1, 1, 1))),
    "wedenberg": ("#0072B2", "-"),
}


def draw() -> Figure:
    """Returns the figure."""
    grid = rbe_grid(let_kev_um=np.linspace(0.5, 20.0, 100), dose_gy=[2.0], alpha_beta_gy=[3.0, 10.0])
    figure, axes = plt.subplots(1, 2, sharey=True)
    for axis, ratio in zip(axes, grid["alpha_beta_gy"].values, strict=True):
        others = "other models"
        for name in grid["model"].values:
            curve = grid["rbe"].sel(model=name, dose_gy=2.0, alpha_beta_gy=ratio)
            colour, dash = COLOURS.get(name, ("0.65", "-"))
            if name in COLOURS:
                axis.plot(grid["let_kev_um"], curve, color=colour, linestyle=dash, linewidth=2, label=name)
            elif name != "constant":
                axis.plot(grid["let_kev_um"], curve, color=colour, linewidth=1, label=others, zorder=1)
                others = "_"
        axis.axhline(1.1, color="black", linewidth=0.8, label="constant")
        axis.set(title=f"α/β = {ratio:g} Gy", xlabel="dose-averaged LET (keV/µm)", xlim=(0, 20))
    axes[0].set_ylabel("RBE at 2 Gy")
    axes[0].legend()
    return figure
