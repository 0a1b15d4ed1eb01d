"""``bb.load("slug@1")``: the one call with which a notebook opens a dataset.

This is the only module of the datasets that reads the environment:

``BRAGGBOOK_DATASETS``
    A folder laid out like ``datasets/`` (the runner sets it). Then nothing else is looked at or fetched.
``BRAGGBOOK_DATASETS_CHANGED``
    ``reported`` when ``verify`` has reported a file that differs from its card: it is opened as it is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, overload

import pandas as pd
import xarray as xr

from braggbook.datasets.arrays import is_arrays, open_arrays
from braggbook.datasets.catalogue import Dataset, find_beside, find_in
from braggbook.datasets.fetch import fetch, fetch_file
from braggbook.datasets.sources import check_file
from braggbook.datasets.tables import open_table, to_xarray
from braggbook.errors import DatasetMissing, InputError
from braggbook.formats.dataset import DatasetFile
from braggbook.settings import load_settings

DATASETS_VARIABLE = "BRAGGBOOK_DATASETS"
CHANGED_VARIABLE = "BRAGGBOOK_DATASETS_CHANGED"


@overload
def load(reference: str, *, file: str | None = None, to: Literal["pandas"] = "pandas") -> pd.DataFrame: ...
@overload
def load(reference: str, *, file: str | None = None, to: Literal["xarray"]) -> xr.Dataset: ...
@overload
def load(reference: str, *, file: str | None = None, to: Literal["paths"]) -> dict[str, Path]: ...
def load(
    reference: str, *, file: str | None = None, to: Literal["pandas", "xarray", "paths"] = "pandas"
) -> pd.DataFrame | xr.Dataset | dict[str, Path]:
    """Opens a file of a dataset, its hash and every cell checked, with units in its attributes.

    Args:
        reference: ``slug@version`` (or ``slug`` for whatever version there is).
        file: Which file, for a dataset of several.
        to: ``"pandas"`` for a table, ``"xarray"`` for a table or a file of arrays, ``"paths"`` for what other programs
            read, such as DICOM: where each file is, by its name in the card; all, or the one that ``file`` names.

    Raises:
        UnknownName: No such dataset, version or file.
        DatasetMissing: The file is nowhere.
        HashMismatch: The file is not the one that the card names.
        DatasetError: The card or the file cannot be used.
    """
    if to not in ("pandas", "xarray", "paths"):
        wanted = "to='pandas', 'xarray' or 'paths'"
        raise InputError("not something that a dataset is opened as", wanted=wanted, got=repr(to))
    if to == "paths":
        return {name: path.resolve() for name, path in _paths(reference, file).items()}
    dataset, entry, path = locate(reference, file=file)
    if is_arrays(entry):
        if to == "pandas":
            wanted = f'bb.load("{reference}", to="xarray")'
            raise InputError("a file of arrays is not a table", where=entry.path, wanted=wanted)
        return open_arrays(path, entry, dataset=dataset.reference)
    table = open_table(path, entry, dataset=dataset.reference)
    return table if to == "pandas" else to_xarray(table)


def locate(reference: str, *, file: str | None = None) -> tuple[Dataset, DatasetFile, Path]:
    """Finds a file of a dataset as :func:`load` does, checks its hash, and returns where it is."""
    if folder := os.environ.get(DATASETS_VARIABLE):
        dataset = find_in(reference, folder=Path(folder))
        return dataset, dataset.file(file), _prepared(dataset, dataset.file(file))
    settings, _ = load_settings()
    dataset = find_beside(reference, beside=Path.cwd(), project=settings.project)
    entry = dataset.file(file)
    return dataset, entry, fetch_file(dataset, entry, cache=settings.cache, mirror=settings.data_mirror)


def _paths(reference: str, file: str | None) -> dict[str, Path]:
    if file is not None:
        return {file: locate(reference, file=file)[2]}
    if folder := os.environ.get(DATASETS_VARIABLE):
        dataset = find_in(reference, folder=Path(folder))
        return {entry.path: _prepared(dataset, entry) for entry in dataset.card.files}
    settings, _ = load_settings()
    dataset = find_beside(reference, beside=Path.cwd(), project=settings.project)
    return fetch(dataset, cache=settings.cache, mirror=settings.data_mirror)


def _prepared(dataset: Dataset, entry: DatasetFile) -> Path:
    path = dataset.folder / entry.path
    if not path.exists():
        what = f"{entry.path} of {dataset.reference} is not among the run's datasets"
        command = f"braggbook dataset fetch {dataset.slug}"
        raise DatasetMissing(what, where=entry.path, wanted=f"sha256 {entry.sha256}", next_command=command)
    if os.environ.get(CHANGED_VARIABLE) != "reported":
        check_file(path, entry, dataset=dataset.reference)
    return path
