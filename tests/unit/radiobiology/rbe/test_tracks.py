"""Radial dose of tracks: its shape, its integral, its constants, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.beams import ion_energies_mev_u, ion_stopping_power
from braggbook.radiobiology.constants import supposing, taking
from braggbook.radiobiology.rbe import (
    amorphous_track,
    lem_parameters,
    lem_response,
    mkm_parameters,
    osmk_parameters,
    smk_parameters,
    track_models,
)

MODELS = ("kiefer_chatterjee", "scholz_kraft")
ions = st.sampled_from(["H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne"])


def test_the_models_have_names() -> None:
    assert set(MODELS) == set(track_models())


# The formulas of Kase et al. (2008) by hand, carbon of 50 MeV/u: beta = 0.31448.
def test_kiefer_chatterjee_by_hand() -> None:
    track = amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=50.0, let_kev_um=44.65)
    beta = math.sqrt(1.0 - 1.0 / (1.0 + 50.0 / 931.494) ** 2)
    charge = 6.0 * (1.0 - math.exp(-125.0 * beta * 6.0 ** (-2.0 / 3.0)))
    penumbra = 1.25e-4 * (charge / beta) ** 2
    core, reach = 0.0116 * beta, 0.0616 * 50.0**1.7
    assert track.core_radius_um == pytest.approx([core], rel=1e-12)
    assert track.penumbra_radius_um == pytest.approx([reach], rel=1e-12)
    dose = track.local_dose([0.5 * core, 0.1, 10.0, reach * 1.001])
    plateau = (44.65 * 0.1602176634 / math.pi - 2.0 * penumbra * math.log(reach / core)) / core**2
    assert dose == pytest.approx(np.array([[plateau, penumbra / 0.01, penumbra / 100.0, 0.0]]), rel=1e-10)


def test_scholz_kraft_by_hand() -> None:
    track = amorphous_track("scholz_kraft", ion="C", energy_mev_u=43.0, let_kev_um=50.0)
    reach = 0.05 * 43.0**1.7
    plateau = 50.0 * 0.1602176634 / (math.pi * 0.01**2 * (1.0 + 2.0 * math.log(reach / 0.01)))
    dose = track.local_dose([0.0, 0.00999, 0.01001, 0.1])[0]
    assert dose == pytest.approx(
        [plateau, plateau, plateau, plateau / 100.0], rel=3e-3
    )  # continuous at the core's edge
    assert track.penumbra_radius_um == pytest.approx([29.91], rel=1e-3)


@pytest.mark.parametrize("model", MODELS)
@given(ion=ions, energy=st.floats(0.1, 1000.0))
def test_the_dose_over_the_plane_is_the_let(model: str, ion: str, energy: float) -> None:
    track = amorphous_track(model, ion=ion, energy_mev_u=energy)
    total = 0.1602176634 * float(ion_stopping_power(ion, energy))
    assert track.integral_gy_um2 == pytest.approx([total], rel=1e-12)

    def ring(u: float) -> float:  # D(r) 2 pi r dr in u = ln r
        r = math.exp(u)
        return float(track.local_dose(r)[0]) * 2.0 * math.pi * r * r

    core, reach = float(track.core_radius_um[0]), float(track.penumbra_radius_um[0])
    inner = float(track.local_dose(0.0)[0]) * math.pi * core**2
    outer = 0.0
    if reach > core:  # slow ions have no penumbra
        margin = 1e-12 * (math.log(reach) - math.log(core))
        outer, _ = integrate.quad(ring, math.log(core) + margin, math.log(reach) - margin, epsrel=1e-10)
    assert inner + outer == pytest.approx(total, rel=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_dose_falls_with_distance(model: str) -> None:
    track = amorphous_track(model, ion="Ne", energy_mev_u=ion_energies_mev_u())
    dose = track.local_dose(np.logspace(-4, 4, 300))
    assert dose.shape == (len(track), 300)
    assert np.all(np.diff(dose, axis=1) <= 1e-9 * dose[:, :1])
    assert np.all(dose[:, 0] > 0)


def test_shapes_and_the_source_of_the_let() -> None:
    track = amorphous_track("kiefer_chatterjee", ion="12C", energy_mev_u=[50.0, 100.0])
    assert len(track) == 2
    assert track.ion == "C"
    assert track.let_source == "MSTAR 3.12"
    assert track.local_dose(np.ones((3, 4))).shape == (2, 3, 4)
    assert amorphous_track("scholz_kraft", ion=6, energy_mev_u=50, let_kev_um=44.0).let_source == "given"


def test_the_constants_are_in_the_court() -> None:
    arguments = {"ion": "C", "energy_mev_u": 43.0}
    usual = amorphous_track("scholz_kraft", **arguments)
    with taking({"scholz_kraft.penumbra_radius": "Survival"}):
        wide = amorphous_track("scholz_kraft", **arguments)
    assert wide.penumbra_radius_um / usual.penumbra_radius_um == pytest.approx([1.24])
    with supposing({"kiefer_chatterjee.core_radius": 0.0232}):
        thick = amorphous_track("kiefer_chatterjee", **arguments)
    assert thick.core_radius_um == pytest.approx(2.0 * amorphous_track("kiefer_chatterjee", **arguments).core_radius_um)
    assert thick.integral_gy_um2 == pytest.approx(usual.integral_gy_um2)


@pytest.mark.parametrize("bad", ["50", ["50"], True, [50.0, None], np.array([50.0 + 1j])])
def test_energies_that_are_no_numbers(bad: object) -> None:
    with pytest.raises(ScienceError, match="energy_mev_u"):
        amorphous_track("scholz_kraft", ion="C", energy_mev_u=bad)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="energy_mev_u"):
        amorphous_track("scholz_kraft", ion="C", energy_mev_u=bad, let_kev_um=44.65)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [None, 1, ["scholz_kraft"], np.array(["scholz_kraft"] * 2)])
def test_names_that_are_no_text(bad: object) -> None:
    with pytest.raises(UnknownName, match="no track model named"):
        amorphous_track(bad, ion="C", energy_mev_u=50.0)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no source of ion stopping powers named"):
        ion_stopping_power("C", 50.0, source=bad)  # type: ignore[arg-type]
    for parameters in (mkm_parameters, smk_parameters, osmk_parameters):
        with pytest.raises(UnknownName, match="no parameter set of the"):
            parameters(bad)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no parameter set of the LEM"):
        lem_parameters(bad, nucleus_radius_um=5.0)  # type: ignore[arg-type]
    track = amorphous_track("scholz_kraft", ion="C", energy_mev_u=50.0)
    with pytest.raises(UnknownName, match="no method of the LEM"):
        lem_response(track, lem_parameters("v79", nucleus_radius_um=5.0), method=bad)  # type: ignore[arg-type]


def test_an_unknown_model() -> None:
    with pytest.raises(UnknownName, match="did you mean scholz_kraft"):
        amorphous_track("scholz_craft", ion="C", energy_mev_u=50.0)


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, None, "x", [], 0.01, 5000.0])
def test_energies_that_are_none(bad: object) -> None:
    with pytest.raises(ScienceError, match="energy_mev_u"):
        amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=bad)  # type: ignore[arg-type]


def test_energies_in_a_grid_are_refused() -> None:
    with pytest.raises(ScienceError, match="not one energy per track"):
        amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=[[50.0, 60.0]])
    with pytest.raises(ScienceError, match="not one energy per track"):
        amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=50.0, let_kev_um=[44.0, 45.0])


def test_a_let_in_mev_cm() -> None:
    with pytest.raises(ScienceError, match=r"is it in MeV/cm\?"):
        amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=50.0, let_kev_um=446.5)


def test_a_let_that_the_penumbra_alone_exceeds() -> None:
    with pytest.raises(ScienceError, match="the penumbra alone has more than the LET"):
        amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=2000.0, let_kev_um=0.1)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_distances_that_are_none(bad: float) -> None:
    with pytest.raises(ScienceError, match="radius_um"):
        amorphous_track("kiefer_chatterjee", ion="C", energy_mev_u=50.0).local_dose([1.0, bad])
