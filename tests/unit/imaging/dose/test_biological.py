"""Biological dose maps against the models of radiobiology, voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.errors import ImagingError, ScienceError
from braggbook.imaging.dose import alpha_beta_map, bed_map, eqd2_map, rbe_weighted_map
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume
from braggbook.radiobiology import proton_rbe

GRID = Grid.from_axes((3, 4, 5), spacing_mm=(3, 2, 2))
RANDOM = np.random.default_rng(6)


def volume(values, *, name: str = "dose", units: str = "Gy", grid: Grid = GRID, **attrs):
    whole = np.broadcast_to(np.asarray(values, dtype=float), grid.shape).copy()
    return make_volume(whole, grid, name=name, units=units, attrs=attrs)


def test_bed_and_eqd2_of_thirty_fractions() -> None:
    dose = volume(60.0, dose_type="PHYSICAL")
    bed, eqd2 = (f(dose, fractions=30, alpha_beta_gy=10) for f in (bed_map, eqd2_map))
    np.testing.assert_allclose(bed.values, 72)
    np.testing.assert_allclose(eqd2.values, 60)
    assert bed.attrs["quantity"] == "BED"
    assert eqd2.attrs["method"] == "EQD2 = D (D / 30 + alpha/beta) / (2 Gy + alpha/beta), alpha/beta 10 Gy"
    assert (bed.attrs["units"], bed.attrs["dose_type"]) == ("Gy", "EFFECTIVE")


def test_alpha_beta_by_structure() -> None:
    target = volume(0, name="target", units="1")
    target[1] = 1
    ratios = alpha_beta_map({"target": target}, alpha_beta_gy={"target": 10}, elsewhere_gy=2)
    found = bed_map(volume(50.0), fractions=25, alpha_beta_gy=ratios).values
    np.testing.assert_allclose(found[1], 50 * 1.2)
    np.testing.assert_allclose(found[[0, 2]], 100)
    with pytest.raises(ImagingError, match="do not match"):
        alpha_beta_map({"target": target}, alpha_beta_gy={"gland": 10}, elsewhere_gy=2)
    with pytest.raises(ImagingError, match="alpha_beta_gy: other dimensions; wanted the dose's"):
        bed_map(volume(50.0), fractions=25, alpha_beta_gy=ratios.transpose("x", "y", "z"))


def test_rbe_weighted_dose_is_the_models() -> None:
    dose, let = volume(RANDOM.uniform(0.5, 60, GRID.shape)), RANDOM.uniform(1, 10, GRID.shape)
    kev = volume(let, name="let", units="keV/um")
    found = rbe_weighted_map(dose, let=kev, model="mcnamara", fractions=30, alpha_beta_gy=3)
    wanted = dose.values * proton_rbe("mcnamara", dose_gy=dose.values / 30, let_kev_um=let, alpha_beta_gy=3)
    np.testing.assert_allclose(found.values, wanted)
    assert "mcnamara" in found.attrs["method"]


def test_no_dose_is_none_and_no_number_stays_none() -> None:
    values = np.full(GRID.shape, 2.0)
    values[0, 0, 0], values[0, 0, 1] = 0, np.nan
    let = np.full(GRID.shape, 3.0)
    let[0, 0, 0] = let[0, 0, 2] = 0
    kev = volume(let, name="let", units="keV/um")
    found = rbe_weighted_map(volume(values), let=kev, model="mcnamara", fractions=1, alpha_beta_gy=3).values
    assert found[0, 0, 0] == 0
    assert np.isnan(found[0, 0, 1:3]).all()
    assert (found[0, 0, 3:] > 2).all()


def test_a_lazy_dose_gives_a_lazy_map_with_the_same_numbers() -> None:
    dose = volume(RANDOM.uniform(0, 60, GRID.shape))
    ratios = volume(RANDOM.uniform(2, 10, GRID.shape), name="alpha_beta")
    lazy = eqd2_map(dose.chunk({"z": 1, "y": 3}), fractions=20, alpha_beta_gy=ratios)
    assert lazy.chunks is not None
    np.testing.assert_array_equal(lazy.values, eqd2_map(dose, fractions=20, alpha_beta_gy=ratios).values)


def test_what_is_no_absorbed_dose_is_refused() -> None:
    with pytest.raises(ImagingError) as caught:
        bed_map(volume(1.0, units="1", dose_type="EFFECTIVE"), fractions=2, alpha_beta_gy=3)
    assert [issue.what for issue in caught.value.issues] == ["not a dose in Gy", "not an absorbed dose"]
    ratios = volume(3.0, grid=Grid.from_axes((3, 4, 5), spacing_mm=(1, 1, 1)))
    with pytest.raises(ImagingError, match="no biological dose") as caught:
        bed_map(volume(1.0), fractions=2, alpha_beta_gy=ratios)
    assert caught.value.issues[0].where == "alpha_beta_gy"
    with pytest.raises(ImagingError, match="not an LET"):
        rbe_weighted_map(volume(1.0), let=volume(1.0), model="mcnamara", fractions=1, alpha_beta_gy=3)
    with pytest.raises(ScienceError):
        bed_map(volume(-1.0), fractions=2, alpha_beta_gy=3)
