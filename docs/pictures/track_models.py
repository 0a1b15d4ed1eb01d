"""RBE against LET by MKM and SMK, and the oxygen enhancement against LET by both versions of the OSMK."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import braggbook as bb

COLOURS = {"H": "#0072B2", "He": "#E69F00", "C": "#009E73", "Ne": "#CC79A7"}
PHOTONS = {"alpha_per_gy": 0.313, "beta_per_gy2": 0.0615}
ENERGIES = np.geomspace(0.35, 900.0, 60)


def draw() -> Figure:
    """Draws the picture."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.6))
    _rbe(left)
    _oxygen(right)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("LET in water (keV/µm)")
    return figure


def _rbe(axes: Axes) -> None:
    rbe = bb.radiobiology.rbe
    mkm, smk = rbe.mkm_parameters("hsg_inaniwa_2010"), rbe.smk_parameters("hsg_inaniwa_2018")
    photons = bb.radiobiology.dose_at_survival(0.1, **PHOTONS)
    for ion, colour in COLOURS.items():
        field = mkm.specific_energies(ion, ENERGIES)
        axes.plot(
            field.let_kev_um, photons / rbe.mkm_response(field, mkm).dose_at_survival(0.1), color=colour, label=ion
        )
        field = smk.specific_energies(ion, ENERGIES)
        axes.plot(field.let_kev_um, photons / rbe.smk_response(field, smk).dose_at_survival(0.1), "--", color=colour)
    axes.plot([], [], "-", color="0.4", label="MKM")
    axes.plot([], [], "--", color="0.4", label="SMK")
    axes.set_ylabel("RBE at 10 % survival, HSG cells")
    axes.set_ylim(0.0, 4.6)
    axes.legend(fontsize=8, ncol=2)


def _oxygen(axes: Axes) -> None:
    rbe = bb.radiobiology.rbe
    for style, name in (("-", "cho_inaniwa_2021"), ("--", "cho_inaniwa_2023")):
        parameters = rbe.osmk_parameters(name)

        def response(pressure: float, cells: rbe.OsmkParameters = parameters) -> rbe.KineticResponse:
            field = cells.specific_energies("C", ENERGIES, oxygen_mmhg=pressure)
            return rbe.osmk_response(field, cells, oxygen_mmhg=pressure)

        aerobic = response(160.0)
        for colour, pressure in (("#000000", 0.0), ("#0072B2", 1.14), ("#E69F00", 3.8)):
            oer = rbe.oxygen_enhancement_ratio(response(pressure), aerobic, level=0.1)
            label = f"{pressure:g} mmHg" if style == "-" else None
            axes.plot(aerobic.field.let_kev_um, oer, style, color=colour, label=label)
    axes.plot([], [], "-", color="0.4", label="OSMK 2021")
    axes.plot([], [], "--", color="0.4", label="OSMK 2023")
    axes.set_ylabel("OER at 10 % survival, CHO cells, carbon")
    axes.set_ylim(0.9, 3.3)
    axes.legend(fontsize=8)
