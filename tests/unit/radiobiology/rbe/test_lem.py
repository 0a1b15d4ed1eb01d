"""LEM I: photon curve, lethal events by brute force, limits, overkill, the rapid approach, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.beams import ion_energies_mev_u
from braggbook.radiobiology.rbe import (
    AmorphousTrack,
    LemParameters,
    amorphous_track,
    lem_parameter_sets,
    lem_parameters,
    lem_response,
    lethal_events,
    mixed_field_lq,
)

V79 = lem_parameters("v79", nucleus_radius_um=4.0)
HSG = lem_parameters("hsg", nucleus_radius_um=4.6)
GY_UM2 = 0.1602176634
METHODS = ("low_dose", "kraemer_scholz_2006")
GIVEN = {
    "cell_line": "V79",
    "alpha_per_gy": 0.184,
    "beta_per_gy2": 0.02,
    "threshold_gy": 17.0,
    "nucleus_radius_um": 4.0,
}


def track(ion: str = "C", energy: object = 11.0) -> AmorphousTrack:
    return amorphous_track("scholz_kraft", ion=ion, energy_mev_u=energy)  # type: ignore[arg-type]


# Friedrich et al. 2013, doi:10.1093/jrr/rrs114, caption of figure 8.
def test_published_photon_inputs() -> None:
    assert (V79.alpha_per_gy, V79.beta_per_gy2, V79.threshold_gy) == (0.184, 0.02, 17.0)
    assert (HSG.alpha_per_gy, HSG.beta_per_gy2, HSG.threshold_gy) == (0.313, 0.0615, 7.5)
    assert V79.largest_slope_per_gy == pytest.approx(0.864)
    assert HSG.largest_slope_per_gy == pytest.approx(1.2355)
    assert lem_parameter_sets() == ("hsg", "v79")


def test_photon_curve_is_straight_beyond_the_threshold() -> None:
    edge = 0.184 * 17.0 + 0.02 * 17.0**2
    found = V79.photon_effect([0.0, 2.0, 17.0, 20.0, 1000.0])
    assert found == pytest.approx([0.0, 0.448, edge, edge + 3.0 * 0.864, edge + 983.0 * 0.864])
    below, above = V79.photon_effect([17.0 - 1e-6, 17.0 + 1e-6])
    assert (above - below) / 2e-6 == pytest.approx(0.864, rel=1e-5)


@pytest.mark.parametrize("impact", [0.0, 2.0, 3.995, 4.0, 4.3, 15.0])
def test_lethal_events_by_brute_force(impact: float) -> None:
    one = track(energy=50.0)
    # Rings around the track, fine in ln r; the arc of each within the nucleus by its half angle.
    u = np.linspace(math.log(1e-5), math.log(float(one.penumbra_radius_um[0])), 400_001)
    r = np.exp(0.5 * (u[1:] + u[:-1]))
    cosine = (impact**2 + r**2 - 16.0) / np.maximum(2.0 * impact * r, 1e-300)
    effect = V79.photon_effect(one.local_dose(r)[0])
    expected = np.sum(effect * 2.0 * np.arccos(np.clip(cosine, -1.0, 1.0)) * r**2 * np.diff(u)) / (math.pi * 16.0)
    assert lethal_events(one, impact, parameters=V79)[0, 0] == pytest.approx(expected, rel=1e-4)


def test_without_a_quadratic_term_the_dose_alone_counts() -> None:
    # E = alpha D: lethal events per dose are alpha_x whatever the track, so only saturation in a cell lowers alpha.
    linear = LemParameters(**{**GIVEN, "beta_per_gy2": 1e-12})  # type: ignore[arg-type]
    found = lem_response(track(energy=ion_energies_mev_u()), linear)
    assert found.alpha_z_per_gy == pytest.approx(np.full(89, 0.184), rel=1e-5)
    assert np.all(found.alpha_per_gy < 0.184)


@pytest.mark.parametrize("parameters", [V79, HSG])
def test_at_low_let_alpha_comes_down_to_that_of_photons(parameters: LemParameters) -> None:
    found = lem_response(track("H", [50.0, 100.0, 250.0, 500.0, 1000.0]), parameters)
    assert np.all(np.diff(found.alpha_per_gy) < 0)
    assert np.all(found.alpha_per_gy > parameters.alpha_per_gy)
    assert found.alpha_per_gy[-1] == pytest.approx(parameters.alpha_per_gy, rel=0.1)
    assert found.beta_per_gy2[-1] == pytest.approx(parameters.beta_per_gy2, rel=0.1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ion", ["He", "C", "Ne"])
def test_rbe_rises_and_falls_again(method: str, ion: str) -> None:
    energy = ion_energies_mev_u()
    energy = energy[energy >= 0.5]
    found = lem_response(track(ion, energy), V79, method=method)
    peak = int(np.argmax(found.alpha_per_gy))
    assert 0 < peak < len(energy) - 1
    assert np.all(np.diff(found.alpha_per_gy[peak:]) < 0)
    assert np.all(found.alpha_per_gy < V79.largest_slope_per_gy)
    assert np.all(found.beta_per_gy2 >= 0)


def test_overkill_is_one_death_per_hit() -> None:
    # When every hit kills, alpha is the area of the nucleus over LET: 1/d1.
    slow = track("Ne", 2.0)
    d1 = GY_UM2 * float(slow.let_kev_um[0]) / (math.pi * 16.0)
    assert lem_response(slow, V79).alpha_per_gy[0] == pytest.approx(1.0 / d1, rel=0.05)
    assert lethal_events(slow, 0.0, parameters=V79)[0, 0] > 2.0


def test_the_rapid_approach_by_hand() -> None:
    one = track()
    events = float(lethal_events(one, 0.0, parameters=V79)[0, 0])
    d1 = GY_UM2 * float(one.let_kev_um[0]) / (math.pi * 16.0)
    found = lem_response(one, V79, method="kraemer_scholz_2006")
    alpha, alpha_z = (1.0 - math.exp(-events)) / d1, events / d1
    assert found.alpha_per_gy == pytest.approx([alpha], rel=1e-12)
    assert found.beta_per_gy2 == pytest.approx([(alpha / alpha_z) ** 2 * (0.864 - alpha_z) / 34.0], rel=1e-12)


def test_both_ways_agree_where_the_track_is_narrow() -> None:
    fast, slow = (lem_response(track("C", [300.0, 5.0]), V79, method=method) for method in METHODS)
    assert fast.alpha_per_gy[1] == pytest.approx(slow.alpha_per_gy[1], rel=0.02)
    # The penumbra of a fast ion is wider than a nucleus: the central traversal alone falls below photons.
    assert slow.alpha_per_gy[0] < 0.8 * fast.alpha_per_gy[0]


def test_the_initial_slope_by_simulation() -> None:
    # Ions thrown at random around nuclei; the share that one ion kills, per dose, is alpha.
    one = track("C", 20.0)
    reach = 4.0 + float(one.penumbra_radius_um[0])
    impact = reach * np.sqrt(np.random.default_rng(3).random(20_000))
    killed = -np.expm1(-lethal_events(one, impact, parameters=V79)[0])
    alpha = killed.mean() * math.pi * reach**2 / (GY_UM2 * float(one.let_kev_um[0]))
    error = killed.std() / math.sqrt(len(killed)) / killed.mean() * alpha
    assert abs(alpha - lem_response(one, V79).alpha_per_gy[0]) < 4.0 * error
    assert error < 0.03 * alpha


@given(st.floats(1e-6, 0.99))
def test_the_dose_at_a_level_has_that_survival(level: float) -> None:
    found = lem_response(track("C", [200.0, 11.0]), V79)
    doses = found.dose_at_survival(level)
    assert found.surviving_fraction(doses).diagonal() == pytest.approx([level, level], rel=1e-9)


def test_survival_is_straight_beyond_the_threshold() -> None:
    found = lem_response(track("C", 200.0), V79)
    log = -np.log(found.surviving_fraction([17.0, 18.0, 30.0])[0])
    slope = found.alpha_per_gy[0] + 34.0 * found.beta_per_gy2[0]
    assert np.diff(log) == pytest.approx([slope, 12.0 * slope], rel=1e-9)
    assert slope <= V79.largest_slope_per_gy


def test_rbe_says_what_it_is_of() -> None:
    first, second = lem_response(track("C", [200.0, 11.0]), V79).rbe_at_survival(
        0.1, reference_radiation="250 kV x rays"
    )
    assert 1.0 < first.value < second.value
    assert second.endpoint == "clonogenic survival of V79 cells, LEM I (low_dose)"
    assert second.let_kev_um == pytest.approx(151.98, rel=1e-3)
    assert first.dose_gy == pytest.approx(lem_response(track("C", 200.0), V79).dose_at_survival(0.1)[0])


def test_mixed_fields() -> None:
    assert mixed_field_lq([0.2, 0.8], [0.04, 0.01], dose_fractions=[0.5, 0.5]) == pytest.approx((0.5, 0.0225))
    assert mixed_field_lq([0.3], [0.05], dose_fractions=[1.0]) == pytest.approx((0.3, 0.05))


@pytest.mark.parametrize(
    ("alpha", "beta", "share", "message"),
    [
        ([0.2, 0.8], [0.04], [0.5, 0.5], "dose_fractions"),
        ([0.2, 0.8], [0.04, 0.01], [0.5, 0.6], "wanted the sum 1, got 1.1"),
        ([0.2, -0.8], [0.04, 0.01], [0.5, 0.5], "alpha_per_gy"),
        ([0.2, 0.8], [0.04, math.nan], [0.5, 0.5], "beta_per_gy2"),
    ],
)
def test_mixed_fields_that_are_none(alpha: list[float], beta: list[float], share: list[float], message: str) -> None:
    with pytest.raises(ScienceError, match=message):
        mixed_field_lq(alpha, beta, dose_fractions=share)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, "4", None])
@pytest.mark.parametrize("name", ["alpha_per_gy", "beta_per_gy2", "threshold_gy", "nucleus_radius_um"])
def test_parameters_that_are_none(name: str, bad: object) -> None:
    with pytest.raises(ScienceError, match=name):
        LemParameters(**{**GIVEN, name: bad})  # type: ignore[arg-type]


def test_unknown_names() -> None:
    with pytest.raises(UnknownName, match="one of hsg, v79"):
        lem_parameters("cho", nucleus_radius_um=5.0)
    with pytest.raises(UnknownName, match="did you mean low_dose"):
        lem_response(track(), V79, method="lowdose")


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_arguments_that_are_none(bad: float) -> None:
    with pytest.raises(ScienceError, match="dose_gy"):
        V79.photon_effect([1.0, bad])
    with pytest.raises(ScienceError, match="dose_gy"):
        lem_response(track(), V79).surviving_fraction(bad)
    with pytest.raises(ScienceError, match="impact_um"):
        lethal_events(track(), bad, parameters=V79)
    with pytest.raises(ScienceError, match=r"level: not (usable|numbers); wanted a number between 0 and 1"):
        lem_response(track(), V79).dose_at_survival(bad)
