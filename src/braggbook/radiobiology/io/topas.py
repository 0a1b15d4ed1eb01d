"""TOPAS: scorers written as CSV.

The header of such a file names the scorer, its quantity and unit, the filters, the bins and the columns; it does not
say the weighting of an averaged quantity, the medium, or where the bins of a curved component begin. Those are read
from the parameter file if it is given (``parameters=``), and asked for otherwise.

Format and defaults: TOPAS documentation, "Scoring" (https://topas.readthedocs.io, volume scorers, filters, output of
scorers). Boxes are centred on their component; ``ProtonLET`` is dose-averaged unless ``WeightBy`` says "Track".
``Standard_Deviation`` is that of one history, so the standard error of ``Mean`` is its n-th root, n histories.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.io.montecarlo import (
    NOT_APPLICABLE,
    Axis,
    Floats,
    PathText,
    Scoring,
    build_dataset,
    existing_file,
    scored,
    settle,
    text_of,
    uniform_axis,
)
from braggbook.radiobiology.io.topas_parameters import TopasParameters, read_topas_parameters

_AXIS = re.compile(r"(X|Y|Z|R|Phi|Theta) in (\d+) bins? +of +(\S+) (\S+)")
_QUANTITY = re.compile(r"([A-Za-z][\w-]*)\s*(?:\( (.+) \))?\s*: +(\w[\w ]*)")
_BINNED = re.compile(r"Binned by (.+) in (\d+) bins? of (\S+) (\S+) from (\S+) (\S+) to (\S+) (\S+)")
_CENTRED = ("x", "y", "z")
_DEFAULT_STARTS = {"r": "RMin", "phi": "SPhi", "theta": "STheta"}
_MEAN, _SUM, _SPREAD = "Mean", "Sum", "Standard_Deviation"
_QUANTITIES = {
    "DoseToMedium": "dose",
    "DoseToWater": "dose",
    "DoseToMaterial": "dose",
    "Fluence": "fluence",
    "EnergyFluence": "energy fluence",
    "EnergyDeposit": "energy",
    "ProtonLET": "LET",
}


@dataclass
class _Header:
    """What the lines that begin with a hash say."""

    version: str = "not stated"
    scorer: str = ""
    place: str = ""
    filters: list[str] = field(default_factory=list)
    axes: list[tuple[str, int, float, str]] = field(default_factory=list)
    quantity: str = ""
    units: str = "1"
    columns: list[str] = field(default_factory=list)
    binned: tuple[str, int, float, float, str] | None = None
    no_track_bin: bool = False


def read_topas(
    path: PathText,
    *,
    parameters: PathText | None = None,
    histories: int | None = None,
    origin: Mapping[str, float] | None = None,
    averaging: str | None = None,
    particles: str | None = None,
    medium: str | None = None,
    frame: str | None = None,
) -> xr.Dataset:
    """Reads a CSV scorer of TOPAS.

    Args:
        path: The CSV file.
        parameters: The parameter file of the run (it must hold the component and the scorer itself: included files
            are not followed). Gives weighting, material, histories and where curved bins begin.
        histories: Number of histories, for the standard error of the mean.
        origin: Where the bins of the axes "r", "phi" and "theta" begin, in the unit of the file, when ``parameters``
            is not given.
        averaging: For an average (``ProtonLET``), when ``parameters`` is not given.
        particles: Only where the file is silent; a file without a filter counts all particles.
        medium: When neither scorer nor parameters say it.
        frame: When the file does not say it (scorers without bins or component).

    Returns:
        A dataset as :mod:`braggbook.radiobiology.io.montecarlo` describes. The mean per history is the variable
        (``dose``, ``fluence``, ``let``, ...), other columns stand beside it (``fluence_sum``,
        ``fluence_standard_deviation``), ``_uncertainty`` is there when the histories are known. Bins of energy or time
        are one more dimension; what fell below, above or outside is in ``<variable>_underflow``, ``_overflow``,
        ``_no_incident_track``.

    Raises:
        ScienceError: The file is not such a CSV, is cut off, contradicts itself or the parameters, or does not say
            something that must be known.
    """
    name = existing_file(path).name
    header, rows = _split(text_of(path), name)
    known = read_topas_parameters(parameters) if parameters is not None else None
    axes = _axes(header, known, origin, where=name)
    extra = _extra_axis(header)
    columns = _columns(rows, header, axes, where=name)
    said = settle(
        _said_by_file(header, known, name),
        {"averaging": averaging, "particles": particles, "medium": medium, "frame": frame},
        where=name,
    )
    primaries = _histories(columns, histories, known, where=name)
    variables = _variables(header, columns, axes=[*axes, *extra], said=said, primaries=primaries)
    attrs: dict[str, Any] = {
        "frame": said["frame"],
        "code": "TOPAS",
        "code_version": header.version,
        "source": name,
        "scorer": header.scorer,
        "filters": "; ".join(header.filters) or "none",
    }
    if primaries is not None:
        attrs["primaries"] = primaries
    dataset = build_dataset([*axes, *extra], variables, attrs=attrs)
    return dataset.assign(_outside(header, columns, axes, dataset))


def _outside(header: _Header, columns: dict[str, Floats], axes: list[Axis], dataset: xr.Dataset) -> dict[str, Any]:
    """Returns what fell below, above or outside the bins of energy or time, by name."""
    if header.binned is None:
        return {}
    dims, bins, found = [axis.name for axis in axes], header.binned[1], {}
    places = {"underflow": 0, "overflow": bins + 1} | ({"no_incident_track": bins + 2} if header.no_track_bin else {})
    for column, cells in columns.items():
        name = _name(header, column, columns)
        for where, at in places.items():
            found[f"{name}_{where}"] = (dims, cells[..., at], dataset[name].attrs)
    return found


def _name(header: _Header, column: str, columns: dict[str, Floats]) -> str:
    base = _base(header)
    return base if column == _MEAN or len(columns) == 1 else f"{base}_{column.lower()}"


def _base(header: _Header) -> str:
    return _QUANTITIES.get(header.quantity, header.quantity).lower().replace(" ", "_")


def _split(text: str, where: str) -> tuple[_Header, list[list[str]]]:
    lines = text.splitlines()
    header = _Header()
    for line in lines:
        if line.startswith("#"):
            try:
                _take(line.lstrip("# ").rstrip(), header)
            except ValueError as error:
                raise ScienceError("a header line with a damaged number", where=where, got=line[:80]) from error
    if not header.columns:
        raise ScienceError(
            "not a CSV scorer of TOPAS", where=where, wanted="a header line such as '# DoseToMedium ( Gy ) : Mean'"
        )
    if not text.endswith("\n"):  # "2e-9" cut to "2" would still be a number
        raise ScienceError("the last line has no end: the file is cut off", where=where, got=lines[-1][-40:])
    body = (line for line in lines if line.strip() and not line.startswith("#"))
    rows = [[cell.strip() for cell in row] for row in csv.reader(body) if row]
    if not rows:
        raise ScienceError("a scorer without values", where=where, wanted="rows below the header")
    return header, rows


def _take(line: str, header: _Header) -> None:
    """Enters one line of the header into what is known."""
    words, _, rest = line.partition(": ")
    if words == "TOPAS Version":
        header.version = rest.strip()
    elif words == "Results for scorer":
        header.scorer = rest.strip()
    elif words == "Filtered by":
        header.filters.append(rest.strip())
    elif words in ("Scored in component", "Scored on surface"):
        header.place = rest.strip()
    elif match := _AXIS.fullmatch(line):
        header.axes.append((match[1].lower(), int(match[2]), float(match[3]), match[4]))
    elif match := _BINNED.fullmatch(line):
        header.binned = (match[1], int(match[2]), float(match[5]), float(match[7]), match[8])
    elif "no incident track" in line:
        header.no_track_bin = True
    elif not words.startswith(("Parameter File", "First bin")) and (match := _QUANTITY.fullmatch(line)):
        header.quantity, header.units = match[1], _unit(match[2] or "1")
        header.columns = match[3].split()


def _unit(text: str) -> str:
    """Returns a unit of TOPAS as Braggbook writes it: ``/mm2`` is ``1/mm2``, a bracket below a slash is divided out."""
    text = text.strip()
    if match := re.fullmatch(r"(.+)/\((\w+)/(\w+)\)", text):
        return f"{match[1]}/{match[2]} {match[3]}"
    return f"1{text}" if text.startswith("/") else text


def _axes(
    header: _Header, known: TopasParameters | None, origin: Mapping[str, float] | None, *, where: str
) -> list[Axis]:
    axes, issues = [], []
    component = header.place.partition("/")[0]
    for name, bins, width, units in header.axes:
        if name in _CENTRED:
            start: float | None = -bins * width / 2.0
        elif origin is not None and name in origin:
            start = float(origin[name])
        elif known is not None:
            start = known.length(f"Ge/{component}/{_DEFAULT_STARTS[name]}", units, default=0.0)
        else:
            start = None
            issues.append(
                Issue("the file does not say where its bins begin", where=name, wanted="parameters= or origin=")
            )
        if start is not None:
            axes.append(uniform_axis(name, start, start + bins * width, bins=bins, units=units))
            if known is not None:
                issues += known.width_issues(component, name, bins * width, units)
    if issues:
        raise ScienceError("the bins have no place", where=where, issues=issues)
    return axes


def _extra_axis(header: _Header) -> list[Axis]:
    if header.binned is None:
        return []
    what, bins, lower, upper, units = header.binned
    name = "time" if what == "time" else "energy" if "energy" in what else re.sub(r"\W+", "_", what)
    return [uniform_axis(name, lower, upper, bins=bins, units=units)]


def _columns(rows: list[list[str]], header: _Header, axes: list[Axis], *, where: str) -> dict[str, Floats]:
    """Returns each reported column, shape of the axes, with the bins of energy or time last, all of them."""
    shape = tuple(axis.size for axis in axes)
    bins = 1
    if header.binned is not None:
        bins = header.binned[1] + (3 if header.no_track_bin else 2)
    reported = bins * len(header.columns)
    wanted_rows = math.prod(shape)
    table, issues = _numbers(rows, widths={reported, reported + len(axes)})
    if len(rows) != wanted_rows:
        issues.append(
            Issue(
                "rows are missing" if len(rows) < wanted_rows else "too many rows",
                wanted=str(wanted_rows),
                got=str(len(rows)),
            )
        )
    if issues:
        raise ScienceError("the values do not fill the bins that the header names", where=where, issues=issues)
    indexed = bool(axes) and table.shape[1] == reported + len(axes)
    order = _order(table[:, : len(axes)], shape, where=where) if indexed else np.arange(len(table))
    values = np.empty((len(table), reported))
    values[order] = table[:, len(axes) :] if indexed else table
    cube = values.reshape(*shape, bins, len(header.columns))
    found = {name: cube[..., at] for at, name in enumerate(header.columns)}
    return found if header.binned is not None else {name: part[..., 0] for name, part in found.items()}


def _numbers(rows: list[list[str]], *, widths: set[int]) -> tuple[Floats, list[Issue]]:
    issues, found = [], []
    width = len(rows[0]) if len(rows[0]) in widths else max(widths)
    for at, row in enumerate(rows, 1):
        try:
            found.append([float(cell) for cell in row])
        except ValueError:
            issues.append(Issue("not numbers", where=f"row {at}", got=", ".join(row)[:60]))
            continue
        if not np.isfinite(found[-1]).all():
            issues.append(Issue("not finite numbers", where=f"row {at}", got=", ".join(row)[:60]))
        if len(row) != width:
            wanted = " or ".join(map(str, sorted(widths)))
            issues.append(
                Issue("not as many values as the header names", where=f"row {at}", wanted=wanted, got=str(len(row)))
            )
    return (np.empty((0, 0)) if issues else np.array(found, dtype=np.float64)), issues


def _order(indices: Floats, shape: tuple[int, ...], *, where: str) -> Any:
    """Returns the place of each row in the grid; TOPAS lets the last axis run fastest."""
    whole = indices.astype(np.int64)
    fine = (whole == indices).all() and (whole >= 0).all() and (whole < np.array(shape)).all()
    order = np.ravel_multi_index(tuple(whole.T), shape) if fine else np.empty(0, dtype=np.int64)
    if not fine or len(set(order.tolist())) < len(order):
        raise ScienceError("the bins are not each there once", where=where, wanted=f"every index below {shape}")
    return order


def _said_by_file(header: _Header, known: TopasParameters | None, name: str) -> dict[str, str | None]:
    average: str | None = NOT_APPLICABLE
    particles = "; ".join(header.filters) if header.filters else "all"
    if header.quantity == "ProtonLET":
        particles = "all protons" if not header.filters else f"protons with {particles}"
        average = None
        if known is not None:
            weight = known.text(f"Sc/{header.scorer}/WeightBy", default="Dose")
            average = "track-averaged" if weight.lower() == "track" else "dose-averaged"
    frame = f"component {header.place} of {name}, its own axes, origin at its centre" if header.axes else None
    return {"averaging": average, "particles": particles, "medium": _medium(header, known), "frame": frame}


def _medium(header: _Header, known: TopasParameters | None) -> str | None:
    if header.quantity == "DoseToWater":
        return "water"
    if known is None:
        return None
    if header.quantity == "DoseToMaterial":
        return known.text(f"Sc/{header.scorer}/Material", default="") or None
    component = header.place.partition("/")[0]
    if known.text(f"Ge/{component}/IsParallel", default="False").lower() in ("true", "t", "1"):
        return None  # a scoring grid of its own: the particles move in whatever lies below it
    return known.text(f"Ge/{component}/Material", default="") or None


def _histories(
    columns: dict[str, Floats], given: int | None, known: TopasParameters | None, *, where: str
) -> int | None:
    """Returns the number of histories from whoever says it, and refuses a contradiction."""
    said = {}
    if given is not None:
        said["histories="] = int(given)
    if known is not None and (stated := known.histories()) is not None:
        said["parameter file"] = stated
    if _MEAN in columns and _SUM in columns and np.any(columns[_MEAN] > 0):
        scored_bins = columns[_MEAN] > 0
        said["sum over mean"] = round(float(np.median(columns[_SUM][scored_bins] / columns[_MEAN][scored_bins])))
    if len(set(said.values())) > 1:
        got = ", ".join(f"{count} ({who})" for who, count in said.items())
        raise ScienceError("the number of histories is contradicted", where=where, wanted="one number", got=got)
    count = next(iter(said.values()), None)
    if count is not None and count < 1:
        raise ScienceError("not a number of histories", where=where, wanted="1 or more", got=str(count))
    return count


def _variables(
    header: _Header, columns: dict[str, Floats], *, axes: list[Axis], said: dict[str, str], primaries: int | None
) -> dict[str, tuple[Any, dict[str, Any]]]:
    base = _base(header)
    found: dict[str, tuple[Any, dict[str, Any]]] = {}
    for column, cells in columns.items():
        units = header.units if column in (_MEAN, _SUM, _SPREAD, "Min", "Max") else "1"
        normalisation = {_MEAN: "per primary", _SUM: "total", _SPREAD: "per primary"}.get(column, "not stated")
        if said["averaging"] != NOT_APPLICABLE:
            normalisation = NOT_APPLICABLE
        scoring = Scoring(
            quantity=_QUANTITIES.get(header.quantity, header.quantity),
            units=units,
            normalisation=normalisation,
            **said,
        )
        name = _name(header, column, columns)
        inner = cells[..., 1 : 1 + axes[-1].size] if header.binned is not None else cells
        for suffix, entry in scored(inner, axes, scoring, column=column).items():
            found[name + suffix] = entry
    if _MEAN in columns and _SPREAD in columns and primaries is not None:
        values, attrs = found[f"{base}_{_SPREAD.lower()}"]
        found[f"{base}_uncertainty"] = (
            values / np.sqrt(primaries),
            {"units": attrs["units"], "quantity": f"standard error of {attrs['quantity']}"},
        )
    return found
