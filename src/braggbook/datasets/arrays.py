"""Opens files of labelled arrays (NetCDF, zipped Zarr) with xarray, units checked against the card."""

from __future__ import annotations

import zipfile
from pathlib import Path

import xarray as xr

from braggbook.errors import DatasetError, Issue, UnitError, closest
from braggbook.formats.dataset import DatasetFile
from braggbook.units import same_unit

_NETCDF = (".nc", ".nc3", ".nc4", ".cdf")
ARRAYS = (*_NETCDF, ".zarr.zip")


def open_arrays(path: Path, file: DatasetFile, *, dataset: str = "") -> xr.Dataset:
    """Reads a file of arrays into memory.

    A variable that the card describes as a column must be there; where the file states its unit it must be
    the card's, where it does not the card's is set.

    Raises:
        DatasetError: xarray cannot read it, or it is not what the card says.
    """
    arrays = _opened(path, file)
    issues = []
    for name, column in file.columns.items():
        variable = column.header or name
        if variable not in arrays.variables:
            issues.append(Issue(f"no variable {variable!r}", file.path, closest(variable, map(str, arrays.variables))))
            continue
        if column.unit is None:
            continue
        stated = arrays[variable].attrs.setdefault("units", column.unit)
        if not _same(str(stated), column.unit):
            issues.append(Issue("another unit", f"{file.path}: {variable}", column.unit, str(stated)))
    if issues:
        raise DatasetError("the arrays are not what their card says", where=dataset or file.path, issues=issues)
    arrays.attrs["dataset"] = dataset
    return arrays


def _opened(path: Path, file: DatasetFile) -> xr.Dataset:
    try:
        if file.path.lower().endswith(_NETCDF):
            with xr.open_dataset(path) as lazy:
                arrays: xr.Dataset = lazy.load()
        elif not zipfile.is_zipfile(path):
            raise ValueError("not a ZIP file")
        else:
            from zarr.storage import ZipStore  # noqa: PLC0415 - takes 0.1 s to import, and few datasets need it

            with ZipStore(path, mode="r") as store, xr.open_zarr(store, consolidated=False) as lazy:
                arrays = lazy.load()
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DatasetError("xarray cannot read the file", where=file.path, got=reason) from None
    return arrays


def _same(stated: str, wanted: str) -> bool:
    try:
        return same_unit(stated, wanted)
    except UnitError:
        return False


def is_arrays(file: DatasetFile) -> bool:
    """Returns whether a file's name says that it holds arrays."""
    return file.path.lower().endswith(ARRAYS)
