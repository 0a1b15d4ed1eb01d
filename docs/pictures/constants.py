"""RBE over LET with the constants of each source: one slip that hardly matters, one that does."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from braggbook.radiobiology import proton_rbe
from braggbook.radiobiology.constants import taking

LET = np.linspace(1.0, 15.0, 200)
CASES = [
    ("mcnamara", "mcnamara.rbe_max_constant", {"paper": "0.99064 (paper)", "matRad": "0.999064 (matRad)"}, "#0072B2"),
    ("peeler", "peeler.rbe_min_slope", {"review": "0.00074 (review)", "RBEModels": "0.000074 (RBEModels)"}, "#D55E00"),
]


def draw() -> Figure:
    """Draws each model with both readings, at 2 Gy and alpha/beta 3 Gy."""
    figure, axes = plt.subplots()
    for model, constant, sources, colour in CASES:
        for (source, label), style in zip(sources.items(), ("-", "--"), strict=True):
            with taking({constant: source}):
                rbe = proton_rbe(model, dose_gy=2.0, let_kev_um=LET, alpha_beta_gy=3.0)
            axes.plot(LET, rbe, style, color=colour, label=f"{constant} = {label}")
    axes.set(xlabel="dose-averaged LET (keV/µm)", ylabel="RBE at 2 Gy, α/β = 3 Gy")
    axes.legend()
    return figure
