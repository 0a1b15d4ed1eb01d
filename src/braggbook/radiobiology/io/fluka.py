"""FLUKA: USRBIN results, formatted (ASCII) and unformatted (Fortran records).

Both forms are told apart by the first bytes. An unformatted file holds a record with title, date, weight and number
of primaries, then for each binning a record of 86 bytes (number, name, kind, particle, limits and bins) and one of the
values, the first axis running fastest; after usbsuw, a record ``STATISTICS`` and the relative errors. A formatted one
is the listing of the same by usbrea, with errors in per cent.

FLUKA scores per unit weight of the primaries, on grids per unit volume: GeV/cm3 of energy, GeV/g of dose, 1/cm2 of
fluence. The file does not name the medium; the material at each place is the geometry's.

Sources: FLUKA manual (https://fluka.cern/documentation), card USRBIN, and the programs usbsuw and usbrea that come
with it, whose record layout public readers share. No output of FLUKA itself was at hand: these readers were checked
on files made by :mod:`braggbook.testing.montecarlo` from the description of the format.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from braggbook.errors import ScienceError, unknown_name
from braggbook.radiobiology.io.fluka_listing import read_listing
from braggbook.radiobiology.io.fluka_records import read_records
from braggbook.radiobiology.io.fluka_usrbin import Binning, UsrbinFile
from braggbook.radiobiology.io.montecarlo import (
    NOT_APPLICABLE,
    Axis,
    PathText,
    Scoring,
    build_dataset,
    existing_file,
    scored,
    settle,
    uniform_axis,
)

_RECORD_SIZES = (116, 120, 124, 128)  # of the first record, in the versions of FLUKA
_TRACK_LENGTH = 10  # kinds from here on apportion along the track


@dataclass(frozen=True)
class _Generalized:
    """What a generalized particle number scores."""

    quantity: str
    units: str
    particles: str


# FLUKA manual, "Particles and their codes" and "generalized particles".
_SCORES = {
    208: _Generalized("energy density", "GeV/cm3", "all"),
    211: _Generalized("energy density", "GeV/cm3", "electrons, positrons and photons"),
    228: _Generalized("dose", "GeV/g", "all"),
}
_PARTICLES = {
    -6: "4He", -5: "3He", -4: "tritons", -3: "deuterons", 1: "protons", 3: "electrons", 4: "positrons", 7: "photons",
    8: "neutrons", 201: "all", 202: "all charged particles", 203: "all neutral particles",
}  # fmt: skip
_SYMMETRIES = {3: "+/-x", 4: "+/-y", 5: "+/-z", 6: "+/-x, y and z", 7: "+/-z"}


def fluka_binnings(path: PathText) -> pd.DataFrame:
    """Returns what binnings a USRBIN file holds: number, name, kind, particle (number), shape of each.

    Raises:
        ScienceError: The file is not such a file, or is cut off.
    """
    rows = [
        {"number": b.number, "name": b.name, "kind": b.kind, "particle": b.particle, "shape": b.shape}
        for b in _read(path).binnings
    ]
    return pd.DataFrame(rows)


def read_fluka_usrbin(
    path: PathText,
    *,
    binning: int | str | None = None,
    quantity: tuple[str, str] | None = None,
    averaging: str | None = None,
    particles: str | None = None,
    medium: str | None = None,
    frame: str | None = None,
) -> xr.Dataset:
    """Reads one binning of a USRBIN file, formatted or unformatted.

    Args:
        path: The file (``_fort.NN``, or the ``.bnn`` of usbsuw, or the listing of usbrea).
        binning: Number or name of the binning; None when the file has one only.
        quantity: Quantity and unit, for example ``("LET", "keV/um")``, for a generalized particle that is not known
            here, or whose meaning a user routine (comscw, fluscw) has changed.
        averaging: Likewise; energy, dose and fluence are no averages.
        particles: Likewise.
        medium: The medium that was scored in: the file never names it.
        frame: Where the origin is and where the beam goes, when "geometry of the simulation" is not enough.

    Returns:
        A dataset as :mod:`braggbook.radiobiology.io.montecarlo` describes: x, y, z, or r, phi, z, or r, z, in cm, and
        the uncertainty when the file holds statistics.

    Raises:
        ScienceError: The file is not such a file, is cut off, has several binnings and none was chosen, bins by region
            rather than by a grid, or does not say something that must be known.
        UnknownName: There is no such binning.
    """
    name = existing_file(path).name
    file = _read(path)
    chosen = _chosen(file, binning, where=name)
    axes = _axes(chosen, where=name)
    score = _score(chosen, quantity)
    by_file: dict[str, str | None] = {
        "averaging": None if quantity is not None else NOT_APPLICABLE,
        "particles": None if quantity is not None or score is None else score.particles,
        "medium": None,
        "frame": frame or "geometry of the simulation (FLUKA), direction of the beam not stated",
    }
    by_caller = {"averaging": averaging, "particles": particles, "medium": medium, "frame": frame}
    if score is None:
        raise ScienceError(
            "the file does not say what was scored",
            where=f"{name}, {chosen.name}",
            wanted='quantity=("...", "unit")',
            got=f"generalized particle {chosen.particle}",
        )
    said = settle(by_file, by_caller, where=f"{name}, {chosen.name}")
    scoring = Scoring(score.quantity, score.units, normalisation=_normalisation(said), **said)
    variables = {
        score.quantity.lower().replace(" ", "_") + end: entry
        for end, entry in scored(
            _on_grid(chosen.values, axes), axes, scoring, uncertainty=_uncertainty(chosen, axes), binning=chosen.name
        ).items()
    }
    return build_dataset(axes, variables, attrs=_attrs(file, chosen, said["frame"], name))


def _read(path: PathText) -> UsrbinFile:
    file = existing_file(path)
    with file.open("rb") as stream:
        start = stream.read(4)
    sizes = [struct.unpack(order + "i", start)[0] for order in "<>"] if len(start) == 4 else []
    if any(size in _RECORD_SIZES for size in sizes):
        return read_records(path)
    return read_listing(path)


def _chosen(file: UsrbinFile, wanted: int | str | None, *, where: str) -> Binning:
    known = {str(key): found for found in file.binnings for key in (found.number, found.name)}
    if wanted is None and len(file.binnings) == 1:
        return file.binnings[0]
    names = ", ".join(f"{found.number} ({found.name})" for found in file.binnings)
    if wanted is None:
        raise ScienceError("several binnings in one file", where=where, wanted="binning=", got=names)
    if str(wanted) not in known:
        raise unknown_name("binning", str(wanted), known)
    return known[str(wanted)]


def _score(found: Binning, quantity: tuple[str, str] | None) -> _Generalized | None:
    if quantity is not None:
        return _Generalized(quantity[0], quantity[1], "")
    if found.particle in _SCORES:
        return _SCORES[found.particle]
    if found.particle in _PARTICLES and found.kind >= _TRACK_LENGTH:
        return _Generalized("fluence", "1/cm2", _PARTICLES[found.particle])
    return None


def _normalisation(said: Mapping[str, str]) -> str:
    return "per primary" if said["averaging"] == NOT_APPLICABLE else NOT_APPLICABLE


def _axes(found: Binning, *, where: str) -> list[Axis]:
    kind = found.kind % _TRACK_LENGTH
    if kind in (2, 8):
        raise ScienceError(
            "a binning by region has no grid", where=f"{where}, {found.name}", wanted="a Cartesian or R-Phi-Z binning"
        )
    names = ("r", "phi", "z") if kind in (1, 7) else ("x", "y", "z")
    axes = []
    for name, (lower, upper, bins) in zip(names, found.limits, strict=True):
        if name == "phi" and bins <= 1:
            continue  # one bin all around: these two limits are then the place of the axis, not angles
        axes.append(uniform_axis(name, lower, upper, bins=bins, units="rad" if name == "phi" else "cm"))
    return axes


def _on_grid(values: Any, axes: list[Axis]) -> Any:
    return np.asarray(values, dtype=np.float64).reshape(tuple(axis.size for axis in axes), order="F")


def _uncertainty(found: Binning, axes: list[Axis]) -> Any:
    if found.relative_errors is None:
        return None
    return _on_grid(np.abs(found.values) * found.relative_errors, axes)


def _attrs(file: UsrbinFile, found: Binning, frame: str, name: str) -> dict[str, Any]:
    attrs: dict[str, Any] = {
        "frame": frame,
        "code": "FLUKA",
        "code_version": "not stated",
        "source": name,
        "title": file.title,
        "binning": found.name,
        "generalized_particle": found.particle,
        "primaries": file.primaries,
        "weight_of_primaries": file.weight,
    }
    if symmetry := _SYMMETRIES.get(found.kind % _TRACK_LENGTH):
        attrs["symmetry"] = symmetry
    return attrs
