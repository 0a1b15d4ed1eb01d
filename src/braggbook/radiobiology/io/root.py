"""ROOT files: histograms, trees and RNTuples, read by uproot (extra ``montecarlo``), which needs no ROOT.

A ROOT file does not say units, averaging, particles, medium or frame: all of them are asked for. Nested directories
are parts of the name, ``run1/water/dose``.

Source of the reading: uproot, https://github.com/scikit-hep/uproot5; errors of bins are those of TH1 (the root of the
sum of squared weights, or of the content where none are kept) and of TProfile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from braggbook.errors import BraggbookError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.io.montecarlo import (
    Axis,
    PathText,
    Scoring,
    build_dataset,
    existing_file,
    library,
    scored,
    settle,
)
from braggbook.units import parse_unit

Ragged = Literal["refuse", "flat"]

_HISTOGRAMS = ("TH1", "TH2", "TH3", "TProfile")
_TREES = ("TTree", "TNtuple", "TChain")


def root_contents(path: PathText) -> pd.DataFrame:
    """Returns what a ROOT file holds: a row per object with its name (nested ones with their folders) and class.

    Raises:
        ScienceError: uproot is missing, or the file is not a ROOT file or is damaged.
    """
    with _opened(path) as file:
        names = file.classnames(recursive=True, cycle=False)
        return pd.DataFrame({"name": list(names), "class": list(names.values())})


def read_root_histogram(path: PathText, name: str, *, axes: Sequence[tuple[str, str]], scoring: Scoring) -> xr.Dataset:
    """Reads a histogram or profile of one to three dimensions.

    Args:
        path: The file.
        name: Name of the object in the file, folders included.
        axes: Name and unit of each axis, for example ``[("z", "mm")]``.
        scoring: What the contents are; ROOT does not say.

    Returns:
        A dataset as :mod:`braggbook.radiobiology.io.montecarlo` describes. The uncertainty is that of the bins.
        Contents below and above the axis of a one-dimensional histogram are ``attrs["underflow"]`` and
        ``attrs["overflow"]`` of the variable; for more dimensions ``attrs["outside"]`` is their sum.

    Raises:
        ScienceError: uproot is missing; the file is damaged; the object is not a histogram; or ``axes`` does not have
            one pair per dimension.
        UnknownName: There is no such object.
        UnitError: A unit is not known.
    """
    with _opened(path) as file:
        found = _object(file, name)
        if not found.classname.startswith(_HISTOGRAMS):
            raise ScienceError("not a histogram", where=name, wanted=", ".join(_HISTOGRAMS), got=found.classname)
        grids = [found.axis(at) for at in range(len(found.axes))]
        if len(axes) != len(grids):
            raise ScienceError(
                "not one axis per dimension", where=name, wanted=f"{len(grids)} pairs", got=str(len(axes))
            )
        edges = [np.asarray(grid.edges(), dtype=np.float64) for grid in grids]
        values, errors = np.asarray(found.values()), np.asarray(found.errors())
        everything = np.asarray(found.values(flow=True))
        attrs = {
            "frame": scoring.frame,
            "code": "not stated",
            "code_version": "not stated",
            "source": existing_file(path).name,
        }
        attrs |= {"object": name, "class": found.classname, "title": str(found.title)}
    for _, unit in axes:
        parse_unit(unit)
    built = [Axis(axis, edge, unit) for (axis, unit), edge in zip(axes, edges, strict=True)]
    variable = scoring.quantity.lower().replace(" ", "_")
    more = _outside(everything, values, profile=attrs["class"].startswith("TProfile"))
    entries = scored(values, built, scoring, uncertainty=errors, **more)
    return build_dataset(built, {variable + end: entry for end, entry in entries.items()}, attrs=attrs)


def read_root_tree(
    path: PathText,
    name: str,
    *,
    units: Mapping[str, str],
    averaging: str | None = None,
    particles: str | None = None,
    medium: str | None = None,
    frame: str | None = None,
    ragged: Ragged = "refuse",
) -> xr.Dataset:
    """Reads columns of a tree or RNTuple, one entry per event.

    Args:
        path: The file.
        name: Name of the tree, folders included.
        units: Columns to read, each with its unit, for example ``{"Edep": "MeV", "z": "mm"}``; "1" for pure numbers
            and texts.
        averaging: "not applicable" for a list of events or particles.
        particles: Which particles the entries are.
        medium: What they move in.
        frame: Where the origin is and where the axes point.
        ragged: What to do with a column that has another number of values for each entry: "refuse", or "flat": all
            values one after the other along ``<column>_item``, and how many belong to each entry in
            ``<column>_count``.

    Returns:
        A dataset with the dimension ``entry``; a column with a fixed number of values per entry has a second one,
        ``<column>_index``.

    Raises:
        ScienceError: uproot is missing; the file is damaged; the object is not a tree; a column holds something that
            is neither numbers nor texts, or is ragged and ``ragged`` is "refuse"; or nobody says averaging,
            particles, medium or frame.
        UnknownName: There is no such object or column.
        UnitError: A unit is not known.
    """
    if ragged not in ("refuse", "flat"):
        raise unknown_name("way with ragged columns", str(ragged), ("refuse", "flat"))
    if not units:
        raise ScienceError("no column to read", where=name, wanted="units= with at least one column")
    for unit in units.values():
        parse_unit(unit)
    given = {"averaging": averaging, "particles": particles, "medium": medium, "frame": frame}
    said = settle({}, given, where=f"{existing_file(path).name}, {name}")
    with _opened(path) as file:
        tree = _object(file, name)
        kind = tree.classname
        if not kind.startswith(_TREES) and "RNTuple" not in kind:
            raise ScienceError("not a tree", where=name, wanted="a TTree or an RNTuple", got=kind)
        branches = _branches(tree)
        for column in units:
            if column not in branches:
                raise unknown_name("column", column, branches)
        arrays = {column: _column(tree, branches[column], column) for column in units}
    data = _tree_variables(arrays, units, ragged=ragged, where=name)
    attrs = {
        **said,
        "normalisation": "total",
        "quantity": "list of entries",
        "code": "not stated",
        "code_version": "not stated",
    }
    attrs |= {"source": existing_file(path).name, "object": name, "class": kind}
    return xr.Dataset(data, attrs=attrs)


@contextmanager
def _opened(path: PathText) -> Iterator[Any]:
    uproot = library("uproot")
    file = existing_file(path)
    with file.open("rb") as stream:
        if stream.read(4) != b"root":
            raise ScienceError("not a ROOT file", where=file.name, wanted="a file that begins with 'root'")
    try:
        with uproot.open(file) as found:
            _require_whole(found, file)
            yield found
    except BraggbookError:
        raise
    except Exception as error:  # whatever a parser of binary data meets in a damaged file
        raise ScienceError(
            "the ROOT file cannot be read",
            where=file.name,
            wanted="a whole file",
            got=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}",
        ) from error


def _require_whole(found: Any, file: Path) -> None:
    """Refuses a file that is shorter than its own header says: what is missing may be data that nobody reads now."""
    size, stated = file.stat().st_size, int(found.file.fEND)
    if stated > size:
        raise ScienceError(
            "the ROOT file is cut off", where=file.name, wanted=f"{stated} bytes, as it says", got=f"{size}"
        )


def _object(file: Any, name: str) -> Any:
    known = {key.partition(";")[0]: key for key in file.keys(recursive=True)}
    if name.partition(";")[0] not in known:
        raise unknown_name("object in the ROOT file", name, known)
    found = file[name]
    if not hasattr(found, "classname"):
        raise ScienceError("a folder, not an object", where=name, wanted="the name of a histogram or tree")
    return found


def _branches(tree: Any) -> dict[str, str]:
    """Returns full names of columns by themselves and by their last part where that is unique."""
    full = [str(key) for key in tree.keys()]  # noqa: SIM118 - a tree iterates over events, not names
    short: dict[str, list[str]] = {}
    for key in full:
        short.setdefault(key.rpartition("/")[2], []).append(key)
    return {**{last: keys[0] for last, keys in short.items() if len(keys) == 1}, **{key: key for key in full}}


def _column(tree: Any, key: str, column: str) -> Any:
    try:
        return tree.arrays([key], library="np")[key] if "RNTuple" in tree.classname else tree[key].array(library="np")
    except Exception as error:  # branches of classes that have no reader
        raise ScienceError("a column that cannot be read", where=column, got=f"{type(error).__name__}") from error


def _tree_variables(
    arrays: Mapping[str, Any], units: Mapping[str, str], *, ragged: Ragged, where: str
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    issues = []
    for column, raw in arrays.items():
        name = column.rpartition("/")[2]
        attrs = {"units": units[column]}
        values = np.asarray(raw)
        first = values[0] if len(values) else None
        if values.dtype.kind in "biufUS" or (values.dtype == object and isinstance(first, str)):
            more = [f"{name}_index_{at}" if at > 1 else f"{name}_index" for at in range(1, values.ndim)]
            data[name] = (["entry", *more], _native(values), attrs)
        elif (
            values.dtype == object and isinstance(first, np.ndarray) and first.ndim == 1 and first.dtype.kind in "biuf"
        ):
            if ragged == "refuse":
                issues.append(Issue("another number of values for each entry", where=column, wanted='ragged="flat"'))
                continue
            data[name] = (f"{name}_item", _native(np.concatenate(list(values))), attrs)
            data[f"{name}_count"] = ("entry", np.array([len(part) for part in values]), {"units": "1"})
        else:
            got = type(first).__name__ if first is not None else str(values.dtype)
            issues.append(Issue("neither numbers nor texts", where=column, got=got))
    if issues:
        raise ScienceError("columns that do not make a table", where=where, issues=issues)
    return data


def _native(values: Any) -> Any:
    """Returns values in the byte order of the machine; ROOT writes big-endian."""
    return values.astype(values.dtype.newbyteorder("=")) if values.dtype.kind in "iuf" else values


def _outside(everything: Any, values: Any, *, profile: bool) -> dict[str, float]:
    if profile:
        return {}  # means of what fell outside say nothing together
    if everything.ndim == 1:
        return {"underflow": float(everything[0]), "overflow": float(everything[-1])}
    return {"outside": float(everything.sum() - values.sum())}
