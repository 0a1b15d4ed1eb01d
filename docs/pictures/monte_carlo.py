"""Five codes at the end of range: in the frame that they declare, and aligned at their own R80."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import braggbook as bb
from braggbook.radiobiology.beams import depth_curves, distal_depth, reconcile

STYLES = {
    "FLUKA.cern": ("#56B4E9", "-"),
    "MCNP": ("#D55E00", "--"),
    "OpenShieldHIT": ("#E69F00", "-."),
    "SHIELD-HIT12A": ("#0072B2", (0, (5, 1))),
    "TOPAS": ("#CC79A7", (0, (3, 1, 1, 1))),
}


def draw() -> Figure:
    """Depth dose on the left and on the right, the same curves moved."""
    table = bb.load("proton_let_five_codes", file="dose.csv").rename(columns={"dose_mev_g": "value"})
    table = table.drop(columns="uncertainty_mev_g").assign(quantity="dose", averaging="not applicable")
    table = table.assign(medium="phantom", units="MeV/g", normalisation="per primary", frame="isocentre")
    curves = depth_curves(table, plan="160 MeV", particles="all particles")
    r80 = {curve.code: distal_depth(curve.depth_mm, curve.value) for curve in curves}
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.6), sharey=True)
    for axis, anchors, title in zip(axes, (None, r80), ("declared frame", "aligned at R80"), strict=True):
        found = reconcile(curves, anchors_mm=anchors)
        for code, (colour, dashes) in STYLES.items():
            axis.plot(found.depth_mm, found.curves[code], color=colour, linestyle=dashes, label=code)
        named = ", ".join(outlier.code for outlier in found.outliers) or "none"
        axis.set(title=f"{title}\noutlier: {named}", xlabel="depth from the isocentre (mm)")
        axis.set_xlim(np.median(list(r80.values())) + np.array([-25.0, 10.0]))
    axes[0].set(ylabel="dose (MeV/g per primary)", ylim=(0, None))
    axes[0].legend(loc="lower left", fontsize=9)
    return figure
