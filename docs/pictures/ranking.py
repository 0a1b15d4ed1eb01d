"""One order with two kinds of evidence for it, and how the order depends on the method."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from braggbook.challenges.ranking import METHODS, RankedMetric, Rules, Scores, Standing, Task, standings

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#333333")  # told apart by any reader
MARKERS = ("o", "s", "^", "D", "v")
NAMES = ("A", "B", "C", "D", "E")
CASES = 50


def standing(steps: float) -> Standing:
    """Ranks five algorithms whose true means lie ``steps`` apart."""
    values = np.random.default_rng(22).beta(5, 1.4, size=(5, CASES)) - steps * np.arange(5)[:, None]
    order = np.argsort(-values.mean(axis=1))
    scores = Scores(NAMES, tuple(f"case {k}" for k in range(CASES)), values[order], "larger")
    metric = RankedMetric(scores, Rules("mean_then_rank"))
    return standings({"task": Task({"score": metric})}, rng=np.random.default_rng(1))


def intervals(axes: Axes, found: Standing, *, shift: float, colour: str, marker: str, label: str) -> None:
    """Draws ranks with their intervals."""
    certainty = found.certainty
    assert certainty is not None
    ranks = certainty.ranking.ranks
    reach = np.abs(certainty.intervals.T - ranks)
    places = np.arange(len(NAMES)) + shift
    axes.errorbar(places, ranks, yerr=reach, fmt=marker, color=colour, capsize=4, label=label)
    side, where = (-1, "right") if shift < 0 else (1, "left")
    for place, rank, chance in zip(places, ranks, certainty.first, strict=True):
        axes.annotate(
            f"{chance:.0%}", (place, rank), xytext=(4 * side, 4), ha=where, textcoords="offset points", fontsize=8
        )


def draw() -> Figure:
    """Draws both panels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.0), sharey=True, width_ratios=(1.0, 1.2))
    alike = standing(0.0)
    intervals(left, standing(0.06), shift=-0.2, colour=COLOURS[0], marker="o", label="0.06 apart")
    intervals(left, alike, shift=0.2, colour=COLOURS[1], marker="s", label="all alike")
    left.set(xlabel="algorithm", ylabel="rank", xticks=range(5), xticklabels=NAMES, yticks=range(1, 6))
    left.set(xlim=(-0.9, 4.9), ylim=(6.3, 0.6))
    left.legend(fontsize=9, title="true means", title_fontsize=9, loc="lower left", ncols=2)
    for number, (name, colour, marker) in enumerate(zip(NAMES, COLOURS, MARKERS, strict=True)):
        places = np.arange(len(METHODS)) + 0.06 * (number - 2)
        ranks = [alike.by_method[method].ranks[number] for method in METHODS]
        right.plot(places, ranks, marker=marker, color=colour, label=name)
    right.set(xticks=range(len(METHODS)), xticklabels=[method.replace("_then_", "\nthen ") for method in METHODS])
    right.legend(fontsize=9, title="all alike, by method", title_fontsize=9, loc="lower left", ncols=5)
    return figure
