"""EQD2 of schedules against alpha/beta, and the protraction factor of a constant rate for fast and slow repair."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from braggbook.radiobiology.fractionation import Repair, eqd2, protraction_factor

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def draw() -> Figure:
    """Draws both panels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.8))
    ratios = np.linspace(1.0, 12.0, 200)
    schedules = ((36.25, 5), (55.0, 20), (60.0, 30), (81.6, 68))
    for (dose, count), colour, dash in zip(schedules, COLOURS, ("-", "--", "-.", ":"), strict=True):
        each = f"{dose:g} Gy in {count}"
        left.plot(ratios, eqd2(dose, fractions=count, alpha_beta_gy=ratios), dash, color=colour, label=each)
    left.set(xlabel="alpha/beta (Gy)", ylabel="EQD2 (Gy)", ylim=(40, 110))
    left.legend(fontsize=9)
    hours = np.geomspace(0.02, 200.0, 200)
    pools = {
        "0.5 h": Repair(0.5),
        "1.5 h": Repair(1.5),
        "4 h": Repair(4.0),
        "0.5 h and 4 h, half each": Repair((0.5, 4.0), (0.5, 0.5)),
    }
    for (name, repair), colour, dash in zip(pools.items(), COLOURS, ("-", "--", "-.", ":"), strict=True):
        right.plot(hours, protraction_factor(hours, repair=repair), dash, color=colour, label=name)
    right.set(xscale="log", xlabel="duration (h)", ylabel="Lea-Catcheside G", ylim=(0, 1.05))
    right.legend(fontsize=9, title="half-time of repair", title_fontsize=9)
    return figure
