"""Foci of gamma-H2AX with their fitted kinetics, and survival by the lethal-potentially lethal model with its LQ."""

from __future__ import annotations

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from braggbook.radiobiology.damage import LplParameters, fit_foci, lpl_lq, lpl_survival

BLUE, RED = "#0072B2", "#D55E00"


def made_foci() -> pd.DataFrame:
    """Counts of 60 nuclei per time and dose, made with known parameters."""
    rng, rows = np.random.default_rng(20261121), []
    for dose in (0.0, 1.0, 2.0):
        for time in (0.5, 1.0, 2.0, 4.0, 8.0, 24.0):
            mean = 0.8 + 22.0 * dose * (0.7 * np.exp(-1.2 * time) + 0.3 * np.exp(-0.08 * time))
            counts = rng.poisson(rng.gamma(1 / 0.15, 0.15 * mean, size=60))
            rows += [(time, dose, count) for count in counts]
    return pd.DataFrame(rows, columns=["time_h", "dose_gy", "foci"])


def draw() -> matplotlib.figure.Figure:
    """Draws both panels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
    fit = fit_foci(made_foci())
    times = np.linspace(0.5, 24.0, 200)
    for dose, colour, marker in ((2.0, RED, "s"), (1.0, BLUE, "o")):
        group = fit.groups[fit.groups["dose_gy"] == dose]
        error = np.sqrt((group["fitted"] + fit.value("overdispersion") * group["fitted"] ** 2) / group["cells"])
        left.errorbar(
            group["time_h"], group["mean"], 1.96 * error, fmt=marker, ms=4, color=colour, label=f"{dose:g} Gy"
        )
        left.plot(times, fit.mean(times, dose_gy=dose), color=colour)
    left.axhline(fit.value("background"), color="#666666", ls=":", label="background")
    left.set(xlabel="time after irradiation (h)", ylabel="foci per nucleus", title="gamma-H2AX kinetics (made counts)")
    left.legend()
    model = LplParameters(0.15, 0.9, 0.5, 0.05, 6.0)
    alpha, beta = lpl_lq(model)
    doses = np.linspace(0.0, 12.0, 121)
    right.plot(doses, lpl_survival(doses, model), color=BLUE, label="lethal-potentially lethal")
    right.plot(doses, np.exp(-alpha * doses - beta * doses**2), color=RED, ls="--", label="its LQ at small dose")
    right.set(
        yscale="log", ylim=(1e-4, 1.2), xlabel="dose (Gy)", ylabel="surviving fraction", title="repair and misrepair"
    )
    right.legend()
    return figure
