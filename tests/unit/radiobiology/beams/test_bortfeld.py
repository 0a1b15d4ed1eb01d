"""The analytical Bragg curve: published positions, exact limits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.beams import bortfeld_dose, proton_beam, proton_csda_range, summarize_depth_dose

# R80 and depth of the peak in cm by pyamtrack (libamtrack) for an energy spread of 1 %.
PYAMTRACK = [
    (70, 4.1010, 4.0236),
    (100, 7.6855, 7.5420),
    (150, 15.6948, 15.4047),
    (160, 17.5837, 17.2591),
    (200, 26.0462, 25.5671),
    (230, 33.3124, 32.7001),
]
PAPER = {"bortfeld.range_coefficient": "bortfeld", "bortfeld.range_exponent": "bortfeld"}


@pytest.mark.parametrize(("energy", "r80_cm", "peak_cm"), PYAMTRACK)
def test_r80_and_peak_are_those_of_pyamtrack(energy: float, r80_cm: float, peak_cm: float) -> None:
    depth = np.arange(0.0, 400.0, 0.25)
    found = summarize_depth_dose(depth, bortfeld_dose(depth, energy_mev=energy, energy_spread_mev=energy / 100))
    assert found.r80_mm == pytest.approx(10 * r80_cm, rel=1e-3)
    assert found.peak_depth_mm == pytest.approx(10 * peak_cm, rel=1e-3)


def test_the_ruling_on_the_range_is_what_the_table_says() -> None:
    """The default pair is within 0.5 % of PSTAR from 70 to 200 MeV, the paper's within 1.2 %."""
    energies = [70.0, 100.0, 150.0, 200.0]

    def worst(sources: dict[str, str] | None) -> float:
        ranges = [proton_beam(energy_mev=e, energy_spread_mev=0.0, sources=sources).range_mm for e in energies]
        return float(np.max(np.abs(np.array(ranges) / 10 / proton_csda_range(energies) - 1)))

    assert worst(None) < 0.0051
    assert 0.011 < worst(PAPER) < 0.012


def test_the_papers_reading_is_its_own_formula() -> None:
    beam = proton_beam(energy_mev=150.0, energy_spread_mev=1.5, sources=PAPER)
    assert beam.range_mm == pytest.approx(10 * 0.0022 * 150**1.77)
    mono, spread = 0.012 * (beam.range_mm / 10) ** 0.935, 1.5 * 0.0022 * 1.77 * 150**0.77
    assert beam.sigma_mm == pytest.approx(10 * np.hypot(mono, spread))


def test_dose_is_the_straggled_loss_of_energy() -> None:
    """Against a direct integral of the paper's depth dose without straggling over the Gaussian of ranges."""
    beam = proton_beam(energy_mev=100.0, energy_spread_mev=1.0)
    alpha, p, reach, sigma = beam.range_coefficient, beam.range_exponent, beam.range_mm / 10, beam.sigma_mm / 10
    tail, beta, gamma = 0.1, 0.012, 0.6

    def loss(residual: float) -> float:
        first = residual ** (1 / p - 1)
        second = (beta + gamma * beta * p + tail * p / reach) * residual ** (1 / p)
        return (first + second) / (p * alpha ** (1 / p) * (1 + beta * reach))

    for depth in (3.0, 7.0, 7.6, 8.0):

        def integrand(u: float, depth: float = depth) -> float:  # u = r^(1/p) takes the singular end away
            r = u**p
            weight = np.exp(-(((r - (reach - depth)) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
            return float(loss(r) * weight * p * u ** (p - 1)) if r > 0 else 0.0

        mean = max(reach - depth, 0.0)
        low, high = max(mean - 10 * sigma, 0.0) ** (1 / p), (mean + 10 * sigma) ** (1 / p)
        value, _ = integrate.quad(integrand, low, high, limit=400)
        dose = bortfeld_dose(10 * depth, energy_mev=100.0, energy_spread_mev=1.0, tail_fraction=tail)
        assert dose == pytest.approx(value * 1.602176634e-10, rel=1e-6)


@pytest.mark.full
@settings(max_examples=30)
@given(st.floats(20.0, 240.0), st.floats(0.0, 3.0), st.floats(0.0, 0.2))
def test_dose_is_finite_and_never_negative(energy: float, spread: float, tail: float) -> None:
    depth = np.linspace(0.0, 500.0, 400)
    dose = bortfeld_dose(depth, energy_mev=energy, energy_spread_mev=spread, tail_fraction=tail)
    assert np.isfinite(dose).all()
    assert (dose >= 0).all()
    beam = proton_beam(energy_mev=energy, energy_spread_mev=spread)
    assert (dose[depth > beam.range_mm + 10 * beam.sigma_mm] < 1e-20).all()


def test_dose_grows_with_fluence_and_keeps_the_shape() -> None:
    one = bortfeld_dose([[10.0, 50.0]], energy_mev=100.0, energy_spread_mev=1.0)
    many = bortfeld_dose([[10.0, 50.0]], energy_mev=100.0, energy_spread_mev=1.0, fluence_per_cm2=1e9)
    assert many.shape == (1, 2)
    assert many == pytest.approx(1e9 * one)
    # 1e9 protons of 100 MeV per cm2 give about 1 Gy at the entrance
    assert many[0, 0] == pytest.approx(1.2, rel=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy_mev": 0.0}, "energy_mev: not usable; wanted a number of MeV above 0, at most 1000, got 0"),
        ({"energy_mev": 150e6}, "energy_mev: not usable"),  # eV
        ({"energy_mev": "150"}, "energy_mev: not numbers"),
        (
            {"energy_mev": [100.0, 150.0]},
            "energy_mev: not one number; wanted a number of MeV above 0, at most 1000, got [100.0, 150.0]",
        ),
        (
            {"energy_spread_mev": -1.0},
            "energy_spread_mev: not usable; wanted a number from 0 to 75 MeV, half the energy",
        ),
        (
            {"energy_spread_mev": 90.0},
            "energy_spread_mev: not usable; wanted a number from 0 to 75 MeV, half the energy",
        ),
        ({"tail_fraction": 20.0}, "tail_fraction: not usable; wanted a number from 0 to 1"),
        ({"fluence_per_cm2": 0.0}, "fluence_per_cm2: not usable"),
        ({"depth_mm": [1.0, -1.0]}, "depth_mm, row 2: not usable"),
        ({"depth_mm": [1.0, None]}, "depth_mm, row 2: not a number"),
    ],
)
def test_what_is_no_beam_is_refused(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"depth_mm": [10.0], "energy_mev": 150.0, "energy_spread_mev": 1.5} | change
    with pytest.raises(ScienceError) as refused:
        bortfeld_dose(arguments.pop("depth_mm"), **arguments)  # type: ignore[arg-type]
    assert message in str(refused.value)


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"no source of bortfeld\.range_exponent named 'zhang'"):
        bortfeld_dose(10.0, energy_mev=100.0, energy_spread_mev=1.0, sources={"bortfeld.range_exponent": "zhang"})
