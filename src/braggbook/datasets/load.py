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
from braggbook.datasets.catalogue import Dataset, find_dataset, find_in
from braggbook.datasets.fetch import fetch_file
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
def load(
    reference: str, *, file: str | None = None, to: Literal["pandas", "xarray"] = "pandas"
) -> pd.DataFrame | xr.Dataset:
    """Opens a file of a dataset, its hash and every cell checked, with units in its attributes.

    Args:
        reference: ``slug@version`` (or ``slug`` for whatever version there is).
        file: Which file, for a dataset of several.
        to: ``"pandas"`` for a table, ``"xarray"`` for a table or a file of arrays.

    Raises:
        UnknownName: No such dataset, version or file.
        DatasetMissing: The file is nowhere.
        HashMismatch: The file is not the one that the card names.
        DatasetError: The card or the file cannot be used.
    """
    if to not in ("pandas", "xarray"):
        raise InputError("not something that a dataset is opened as", wanted="to='pandas' or 'xarray'", got=repr(to))
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
        return _prepared(reference, Path(folder), file=file)
    settings, _ = load_settings()
    dataset = find_dataset(reference, project=settings.project)
    entry = dataset.file(file)
    return dataset, entry, fetch_file(dataset, entry, cache=settings.cache, mirror=settings.data_mirror)


def _prepared(reference: str, folder: Path, *, file: str | None) -> tuple[Dataset, DatasetFile, Path]:
    dataset = find_in(reference, folder=folder)
    entry = dataset.file(file)
    path = dataset.folder / entry.path
    if not path.exists():
        what = f"{entry.path} of {dataset.reference} is not among the run's datasets"
        command = f"braggbook dataset fetch {dataset.slug}"
        raise DatasetMissing(what, where=entry.path, wanted=f"sha256 {entry.sha256}", next_command=command)
    if os.environ.get(CHANGED_VARIABLE) != "reported":
        check_file(path, entry, dataset=dataset.reference)
    return dataset, entry, path
