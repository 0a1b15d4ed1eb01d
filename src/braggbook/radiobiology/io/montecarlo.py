"""What every reader of a Monte Carlo output returns: one kind of ``xarray.Dataset``, which says what it holds.

Variables are what was scored, ``<name>_uncertainty`` one standard error where the file has one. Dimensions are the
axes of the scoring grid, each with its bin centres as coordinate and its edges as ``<axis>_edges``. Every variable has
in its ``attrs``

- ``units``, ``quantity`` ("dose", "LET", "fluence", ...);
- ``averaging``: "dose-averaged", "track-averaged", "not applicable" (a quantity that is no average), "not stated";
- ``particles`` that were counted, ``medium`` that the number refers to;
- ``normalisation``: "per primary", "total", "relative", "not applicable", "not stated";

and the dataset has ``frame`` (where the origin is and where the axes point), ``code``, ``code_version``, ``source``
(file name), ``primaries`` where known, and the same five where all its variables agree.

A reader takes what the file and its format say, and asks for the rest by argument: what neither says is an error
that names the argument. ``"not stated"`` is an answer, and is recorded as one.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError, closest, unknown_name
from braggbook.radiobiology.beams.depth_curve import AVERAGES, NORMALISATIONS, DepthCurve
from braggbook.units import conversion_factor, parse_unit

Floats = NDArray[np.float64]
PathText = str | PathLike[str]

KIND = ("quantity", "averaging", "particles", "medium", "normalisation")
ASKED = ("averaging", "particles", "medium", "frame")
NOT_APPLICABLE = "not applicable"
_LARGEST_FILE = 2_000_000_000  # bytes; a wrong file should not fill the memory before it is refused
_MOST_BINS = 10_000_000  # of one axis; a damaged header may ask for more memory than there is


@dataclass(frozen=True)
class Scoring:
    """What a scored number is: all that its comparison with another depends on.

    Attributes:
        quantity: "dose", "LET", "fluence", ...
        units: Its unit, "1" for a pure number.
        averaging: "dose-averaged", "track-averaged", "not applicable" or "not stated".
        particles: Which particles were counted.
        medium: The medium that it refers to.
        frame: Where the origin of the coordinates is and where the axes point.
        normalisation: "per primary", "total", "relative", "not applicable" or "not stated".
    """

    quantity: str
    units: str
    averaging: str
    particles: str
    medium: str
    frame: str
    normalisation: str

    def __post_init__(self) -> None:
        """Raises ScienceError or UnitError, with every issue, when a part is empty or not known."""
        issues = [
            Issue("empty", where=name, wanted="a text, or 'not stated'")
            for name in (*KIND, "units", "frame")
            if not str(getattr(self, name)).strip()
        ]
        for name, known in (("averaging", AVERAGES), ("normalisation", NORMALISATIONS)):
            got = getattr(self, name)
            if got not in known:
                issues.append(Issue("not known", where=name, wanted=closest(str(got), known), got=repr(got)))
        if issues:
            raise ScienceError("not a scored quantity", issues=issues)
        parse_unit(self.units)

    def attrs(self) -> dict[str, str]:
        """Returns the attributes of a variable."""
        return {"units": self.units, **{name: getattr(self, name) for name in KIND}}


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of a scoring grid: its name, the edges of its n bins, shape (n + 1,), and their unit."""

    name: str
    edges: Floats
    units: str
    logarithmic: bool = False

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def centres(self) -> Floats:
        """Centres of the bins, shape (n,): geometric for logarithmic bins."""
        lower, upper = self.edges[:-1], self.edges[1:]
        return np.sqrt(lower * upper) if self.logarithmic else (lower + upper) / 2.0


def uniform_axis(name: str, lower: float, upper: float, *, bins: int, units: str, logarithmic: bool = False) -> Axis:
    """Returns an axis of equal bins (equal in the logarithm, if that is asked for).

    Raises:
        ScienceError: The limits are not an increasing pair, or there is no bin, or more than ten million.
    """
    fine = (
        1 <= bins <= _MOST_BINS
        and np.isfinite([lower, upper]).all()
        and lower < upper
        and (lower > 0 or not logarithmic)
    )
    if not fine:
        raise ScienceError(
            "not an axis of a scoring grid",
            where=name,
            wanted=f"1 to {_MOST_BINS} bins between increasing limits"
            + (", above 0 for a logarithmic one" if logarithmic else ""),
            got=f"{bins} bins from {lower:g} to {upper:g} {units}",
        )
    edges = np.geomspace(lower, upper, bins + 1) if logarithmic else np.linspace(lower, upper, bins + 1)
    return Axis(name, edges, units, logarithmic)


def scored(
    values: Any, axes: Sequence[Axis], scoring: Scoring, *, uncertainty: Any = None, **more: Any
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Returns the variables of one scored quantity: values and uncertainty with their attributes, by suffix.

    Args:
        values: Shape of the axes.
        axes: Axes of the grid.
        scoring: What the values are.
        uncertainty: One standard error, shape of the axes; None when there is none.
        more: Further attributes of the values.

    Raises:
        ScienceError: A shape is not that of the axes, a value is not finite, or an uncertainty is negative.
    """
    shape = tuple(axis.size for axis in axes)
    found = {"": (_finite(values, shape, what="values"), {**scoring.attrs(), **more})}
    if uncertainty is not None:
        errors = _finite(uncertainty, shape, what="uncertainties")
        if np.any(errors < 0):
            raise ScienceError("uncertainties are not usable", wanted="0 or more", got=f"{errors.min():g}")
        attrs = {"units": scoring.units, "quantity": f"standard error of {scoring.quantity}"}
        found["_uncertainty"] = (errors, attrs)
    return found


def build_dataset(
    axes: Sequence[Axis], variables: Mapping[str, tuple[Any, Mapping[str, Any]]], *, attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Returns the dataset of a scoring grid.

    Args:
        axes: Axes of the grid, in the order of the values' dimensions.
        variables: Values, shape of the axes, with attributes, by name.
        attrs: Attributes of the dataset; what all variables agree in is added.
    """
    dims = [axis.name for axis in axes]
    coords: dict[Hashable, Any] = {}
    for axis in axes:
        unit = {"units": axis.units}
        coords[axis.name] = (axis.name, axis.centres, unit)
        coords[f"{axis.name}_edges"] = (f"{axis.name}_edge", axis.edges, unit)
    kinds = [found for _, found in variables.values() if "averaging" in found]
    common = {name: kinds[0][name] for name in KIND if kinds and len({kind[name] for kind in kinds}) == 1}
    data = {name: (dims, values, dict(found)) for name, (values, found) in variables.items()}
    return xr.Dataset(data, coords=coords, attrs={**common, **attrs})


def settle(by_file: Mapping[str, str | None], by_caller: Mapping[str, str | None], *, where: str) -> dict[str, str]:
    """Returns averaging, particles, medium and frame, each from the file or else from the caller.

    Raises:
        ScienceError: Neither says one of them, or they contradict each other: every such thing is named.
    """
    issues, said = [], {}
    for name in ASKED:
        own, given = by_file.get(name), by_caller.get(name)
        if own is None and given is None:
            issues.append(Issue("the file does not say", where=name, wanted=f"{name}= (it may be 'not stated')"))
        elif own is not None and given is not None and own.casefold() != str(given).casefold():
            issues.append(Issue("the file says otherwise", where=name, wanted=repr(own), got=repr(given)))
        else:
            said[name] = own if own is not None else str(given)
    if issues:
        raise ScienceError("a scored quantity must say what it is", where=where, issues=issues)
    return said


def depth_curve(
    dataset: xr.Dataset, variable: str, *, code: str, axis: str = "z", frame: str | None = None
) -> DepthCurve:
    """Takes one variable of a dataset as a curve against depth, ready to be reconciled with others.

    Args:
        dataset: As a reader returned it, with one bin on every axis but the depth (take ``isel`` or ``mean`` first).
        variable: Name of the variable.
        code: Name of the code, as it will be shown.
        axis: The axis that is depth.
        frame: Frame of the depths, where the coordinate was changed since the file was read; None: the dataset's.

    Raises:
        UnknownName: There is no such variable or axis.
        ScienceError: Another axis has more than one bin, or the values are no curve.
    """
    if variable not in dataset:
        raise unknown_name("variable", variable, map(str, dataset.data_vars))
    values = dataset[variable]
    if axis not in values.dims:
        raise unknown_name("axis", axis, map(str, values.dims))
    wide = [f"{name} has {size} bins" for name, size in values.sizes.items() if name != axis and size > 1]
    if wide:
        raise ScienceError(
            "not a curve against depth", where=variable, wanted=f"bins along {axis} only", got=", ".join(wide)
        )
    depth = dataset[axis].to_numpy() * conversion_factor(str(dataset[axis].attrs.get("units", "")), "mm")
    spread = dataset.get(f"{variable}_uncertainty")
    kind = {name: str(values.attrs.get(name, "not stated")) for name in KIND}
    return DepthCurve(
        code=code,
        depth_mm=depth,
        value=values.to_numpy().reshape(-1),
        units=str(values.attrs.get("units", "")),
        frame=frame or str(dataset.attrs.get("frame", "not stated")),
        uncertainty=None if spread is None else spread.to_numpy().reshape(-1),
        **kind,
    )


def library(name: str) -> ModuleType:
    """Imports a library of the ``montecarlo`` extra.

    Raises:
        ScienceError: It is not installed; the next command installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ScienceError(
            f"the library {name.partition('.')[0]} is not installed",
            wanted="the extra montecarlo",
            next_command="python3 -m pip install 'braggbook[montecarlo]'",
        ) from error


def existing_file(path: PathText) -> Path:
    """Returns the path of a file that is there, can be read, is not empty and not absurdly large.

    Raises:
        ScienceError: It is not.
    """
    if not isinstance(path, str | PathLike):
        raise ScienceError("not a path", wanted="a text or a path", got=type(path).__name__)
    file = Path(path)
    try:
        if file.is_dir():
            raise ScienceError("a folder, not a file", where=str(path))
        if not file.is_file():
            raise ScienceError("no such file", where=str(path))
        with file.open("rb"):
            size = file.stat().st_size
    except (OSError, ValueError) as error:  # no right to read it, a name too long or with a null
        raise ScienceError("the file cannot be opened", where=str(path), got=str(error)) from error
    if size == 0:
        raise ScienceError("the file is empty", where=file.name)
    if size > _LARGEST_FILE:
        raise ScienceError(
            "the file is too large", where=file.name, wanted=f"{_LARGEST_FILE} bytes or less", got=str(size)
        )
    return file


def text_of(path: PathText) -> str:
    """Returns the text of a file in UTF-8 (without its byte order mark) or Latin-1 (the micro sign of older programs).

    Raises:
        ScienceError: There is no such file, it is empty, or it is binary.
    """
    file = existing_file(path)
    data = file.read_bytes()
    if b"\x00" in data:
        raise ScienceError("the file is binary", where=file.name, wanted="text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _finite(values: Any, shape: tuple[int, ...], *, what: str) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != shape:
        raise ScienceError(f"{what} do not fill the grid", wanted=f"shape {shape}", got=f"shape {numbers.shape}")
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        issues = [
            Issue("not finite", where="bin " + ", ".join(str(at + 1) for at in place), got=f"{numbers[tuple(place)]}")
            for place in bad
        ]
        raise ScienceError(f"{what} are not usable", wanted="finite numbers", issues=issues)
    return numbers
