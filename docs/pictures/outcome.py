"""Published curves of pneumonitis against mean lung dose, and TCP of one tumour and of a population."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from braggbook.radiobiology.outcome import ntcp_parameters, poisson_tcp, population_tcp, voxel_dvh

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def draw() -> Figure:
    """Draws both panels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.8))
    doses = np.linspace(0.0, 40.0, 161)
    names = ("burman.lung", "seppenwoolde.lung", "marks.lung", "marks.lung_probit")
    for name, colour, dash in zip(names, COLOURS, ("-.", "--", "-", ":"), strict=True):
        risk = [ntcp_parameters(name).ntcp(voxel_dvh([dose])) for dose in doses]
        left.plot(doses, risk, dash, color=colour, label=name)
    left.set(xlabel="uniform lung dose (Gy)", ylabel="probability of pneumonitis", ylim=(0, 1), xlim=(0, 40))
    left.legend(fontsize=9)
    counts = np.arange(15, 46)
    tumour = {"clonogens": 1e7, "alpha_per_gy": 0.3, "alpha_beta_gy": 10.0}
    alone = poisson_tcp(2.0 * counts, fractions=counts, **tumour)
    right.plot(2.0 * counts, alone, color=COLOURS[0], label="one tumour, alpha 0.3 per Gy")
    for sd, dash in ((0.04, "--"), (0.08, ":")):
        mixed = [population_tcp(2.0 * n, fractions=int(n), alpha_sd_per_gy=sd, **tumour) for n in counts]
        right.plot(2.0 * counts, mixed, dash, color=COLOURS[1], label=f"population, SD {sd:g} per Gy")
    right.set(xlabel="dose in 2 Gy fractions (Gy)", ylabel="tumour control probability", ylim=(0, 1.02))
    right.legend(fontsize=9)
    return figure
