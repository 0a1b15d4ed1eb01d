"""Biological dose maps: BED, EQD2 and RBE-weighted dose of every voxel.

The formulas are :mod:`braggbook.radiobiology`'s own; here they are applied to volumes, lazily where the dose is lazy.

Conventions:

- What goes in is absorbed dose: units Gy, dose type PHYSICAL (or none stated). An EFFECTIVE dose is refused.
- A voxel without a number (NaN) stays without; a voxel without dose has a biological dose of 0.
- alpha/beta is one number or a volume on the dose's grid. A map by structures is made by :func:`alpha_beta_map`.
- What comes out has ``units`` Gy, ``dose_type`` EFFECTIVE, ``quantity`` and ``method``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.geometry import Floats
from braggbook.imaging.volumes import grid_of, make_volume
from braggbook.radiobiology import fractionation, proton_rbe

AlphaBeta = float | xr.DataArray


def bed_map(dose: xr.DataArray, *, fractions: int, alpha_beta_gy: AlphaBeta) -> xr.DataArray:
    """Returns the biologically effective dose D (1 + (D/n) / (a/b)).

    Args:
        dose: (z, y, x) total absorbed dose in Gy.
        fractions: Number of equal fractions.
        alpha_beta_gy: One a/b, or a volume of them on the dose's grid.

    Raises:
        ImagingError: Not an absorbed dose in Gy, or volumes on different grids.
        ScienceError: A number that the model cannot take; of a lazy dose when it is computed.
    """

    def model(total: Floats, ratio: Floats) -> Floats:
        return fractionation.bed(total, fractions=fractions, alpha_beta_gy=ratio)

    method = f"BED = D (1 + (D / {fractions}) / (alpha/beta)), {_told(alpha_beta_gy)}"
    return _map(model, dose, {"alpha_beta_gy": alpha_beta_gy}, quantity="BED", method=method)


def eqd2_map(dose: xr.DataArray, *, fractions: int, alpha_beta_gy: AlphaBeta) -> xr.DataArray:
    """Returns the total dose in 2 Gy fractions with the same BED, as :func:`bed_map`."""

    def model(total: Floats, ratio: Floats) -> Floats:
        return fractionation.eqd2(total, fractions=fractions, alpha_beta_gy=ratio)

    method = f"EQD2 = D (D / {fractions} + alpha/beta) / (2 Gy + alpha/beta), {_told(alpha_beta_gy)}"
    return _map(model, dose, {"alpha_beta_gy": alpha_beta_gy}, quantity="EQD2", method=method)


def rbe_weighted_map(
    dose: xr.DataArray, *, let: xr.DataArray, model: str, fractions: int, alpha_beta_gy: AlphaBeta
) -> xr.DataArray:
    """Returns the RBE-weighted dose of protons: dose x RBE(dose per fraction, LET, a/b).

    Args:
        dose: (z, y, x) total absorbed dose in Gy.
        let: (z, y, x) LET in keV/um on the dose's grid, of the kind of average that the model takes.
        model: Name of a proton RBE model; see :func:`braggbook.radiobiology.proton_rbe_models`.
        fractions: Number of equal fractions.
        alpha_beta_gy: One a/b of the photons, or a volume of them on the dose's grid.

    Returns:
        (z, y, x) Gy; NaN where there is dose but no LET above 0.

    Raises:
        ImagingError: As :func:`bed_map`; LET in another unit.
        ScienceError: A number that the model cannot take, or an unknown model.
    """
    if let.attrs.get("units") != "keV/um":
        got = str(let.attrs.get("units"))
        raise ImagingError("not an LET", where=f"{let.name}.attrs['units']", wanted="keV/um", got=got)

    def weighted(total: Floats, ratio: Floats, kev_um: Floats) -> Floats:
        out = np.full(total.shape, np.nan)
        known = kev_um > 0
        if known.any():
            found = proton_rbe(
                model, dose_gy=total[known] / fractions, let_kev_um=kev_um[known], alpha_beta_gy=ratio[known]
            )
            out[known] = total[known] * found
        return out

    method = f"dose x RBE by {model} at D / {fractions}, {_told(alpha_beta_gy)}"
    volumes = {"alpha_beta_gy": alpha_beta_gy, "let": let}
    return _map(weighted, dose, volumes, quantity="RBE-weighted dose", method=method)


def alpha_beta_map(
    masks: Mapping[str, xr.DataArray], *, alpha_beta_gy: Mapping[str, float], elsewhere_gy: float
) -> xr.DataArray:
    """Returns a volume of alpha/beta by structures.

    Args:
        masks: Masks (z, y, x) by the name of the structure, on one grid; a later one goes over an earlier one.
        alpha_beta_gy: a/b of each.
        elsewhere_gy: a/b outside all of them.

    Raises:
        ImagingError: No mask, different grids, or names that do not match.
    """
    if not masks or set(masks) != set(alpha_beta_gy):
        wanted, got = ", ".join(masks) or "a mask", ", ".join(alpha_beta_gy) or "none"
        raise ImagingError("masks and alpha/beta that do not match", wanted=wanted, got=got)
    grid = grid_of(next(iter(masks.values())))
    values = np.full(grid.shape, float(elsewhere_gy))
    for name, mask in masks.items():
        if mask.dims != ("z", "y", "x") or not grid_of(mask).is_same(grid):
            raise ImagingError("masks on different grids", where=name, wanted="one grid for all")
        values[np.asarray(mask.values) > 0] = alpha_beta_gy[name]
    return make_volume(values, grid, name="alpha_beta", units="Gy", attrs={"elsewhere_gy": float(elsewhere_gy)})


def _told(alpha_beta_gy: AlphaBeta) -> str:
    return "alpha/beta by a map" if isinstance(alpha_beta_gy, xr.DataArray) else f"alpha/beta {alpha_beta_gy:g} Gy"


def _map(
    model: Callable[..., Floats],
    dose: xr.DataArray,
    others: Mapping[str, float | xr.DataArray],
    *,
    quantity: str,
    method: str,
) -> xr.DataArray:
    _check(dose, others)
    lazy = dose.chunks is not None
    arrays = [np.broadcast_to(x, dose.shape) if not isinstance(x, xr.DataArray) else x.data for x in others.values()]
    if lazy:
        import dask.array as da  # noqa: PLC0415 - heavy, and only lazy volumes need it

        chunked = [da.asarray(each).rechunk(dose.data.chunks) for each in arrays]
        data: Any = da.map_blocks(
            _applied, dose.data, *chunked, model=model, dtype=np.float64, meta=np.empty((0, 0, 0))
        )
    else:
        data = _applied(np.asarray(dose.values), *(np.asarray(each) for each in arrays), model=model)
    kept = {key: value for key, value in dose.attrs.items() if key not in ("affine", "frame", "units")}
    kept |= {"dose_type": "EFFECTIVE", "quantity": quantity, "method": method}
    return make_volume(data, grid_of(dose), name="dose", units="Gy", attrs=kept)


def _applied(total: Any, *others: Any, model: Callable[..., Floats]) -> Floats:
    """Returns the model's values where there is dose, 0 where there is none and NaN where there is no number."""
    doses = np.asarray(total, dtype=np.float64)
    out = np.where(np.isnan(doses), np.nan, 0.0)
    there = ~np.isnan(doses) & (doses != 0)
    if there.any():
        out[there] = model(doses[there], *(np.asarray(each, dtype=np.float64)[there] for each in others))
    return out


def _check(dose: xr.DataArray, others: Mapping[str, float | xr.DataArray]) -> None:
    issues = []
    kind = dose.attrs.get("dose_type") or "PHYSICAL"
    if dose.dims != ("z", "y", "x") or dose.attrs.get("units") != "Gy":
        got = f"{dose.dims}, {dose.attrs.get('units')!r}"
        issues.append(Issue("not a dose in Gy", where=str(dose.name), wanted="dimensions z, y, x; units Gy", got=got))
    if kind != "PHYSICAL":
        wanted = "PHYSICAL: the models weight absorbed dose"
        issues.append(Issue("not an absorbed dose", where=f"{dose.name}.attrs['dose_type']", wanted=wanted, got=kind))
    for name, other in others.items():
        if not isinstance(other, xr.DataArray):
            continue
        if other.dims != dose.dims:
            issues.append(Issue("other dimensions", where=name, wanted="the dose's", got=str(other.dims)))
        elif not grid_of(other).is_same(grid_of(dose)):
            issues.append(Issue("another grid", where=name, wanted="the dose's; resample it first"))
    if issues:
        raise ImagingError("no biological dose of these", issues=issues)
