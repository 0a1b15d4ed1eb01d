"""Our store of volumes: a Zarr group of format 3 that appears whole, is read lazily, and tells when it is damaged.

What lies where is told in docs/formats/volume.md; how arrays are cut, in :mod:`braggbook.imaging.store.layout`.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError, Issue
from braggbook.files import canonical_json, sha256_bytes, storage
from braggbook.formats.volume import VariableRecord, VolumeCard
from braggbook.imaging.store.attributes import decode_attributes, encode_attributes
from braggbook.imaging.store.cards import CARD, group_card, read_card
from braggbook.imaging.store.lazy import LazyArray
from braggbook.imaging.store.manifest import compare_files, make_manifest, tree_sha256
from braggbook.imaging.store.place import new_folder
from braggbook.imaging.store.shards import Array
from braggbook.imaging.store.writing import NewArray, VariableSource, write_arrays
from braggbook.imaging.volumes import DIMS, grid_of
from braggbook.progress import Progress

_SPACE = DIMS[2:]
_NUMBERS = "biufc"
_TIMES = "mM"
_TEXTS = "UTO"
_TEXT = "text"  # the type of texts in the card
_WIDEST = 16  # bytes of a value: Zarr has nothing wider


def write_volume(
    volume: xr.DataArray | xr.Dataset,
    path: Path | str,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes a volume, or volumes that share coordinates, as a Zarr store.

    The store appears under its name when it is whole and on the disk; a writer that is killed leaves nothing there, and
    what it left beside is taken away by the next. Lazy volumes are computed one shard at a time in each thread, so that
    memory holds one shard a worker, and what computing its pieces needs.

    Args:
        volume: A volume (see :mod:`braggbook.imaging.volumes`), or a Dataset with at least one: dims from
            ``t c z y x``, LPS, mm. Voxels are truth values, whole, floating-point or complex numbers.
        path: Of the new folder, usually ``<name>.zarr``.
        overwrite: Replace a Zarr store that is there; anything else is never replaced.
        workers: Threads; as many as the process has cores, if not given.
        progress: Told of each shard.

    Returns:
        ``path``.

    Raises:
        ImagingError: It is no volume, something cannot be stored, or something is there already.
        StorageError: The disk is full or refuses.
    """
    dataset = _as_dataset(volume)
    encoded = _encode_all(dataset)
    arrays = [_new_array(str(name), variable, encoded[str(name)]) for name, variable in dataset.variables.items()]
    target = Path(path)
    with new_folder(target, overwrite=overwrite, ours=is_zarr) as folder:
        files = write_arrays(folder, arrays, workers=workers, progress=progress)
        card = VolumeCard(
            written_by=f"braggbook {importlib.metadata.version('braggbook')}",
            variables={array.name: _record(dataset, array.name) for array in arrays},
            attributes_sha256=sha256_bytes(canonical_json(encoded[""])),
            tree_sha256=tree_sha256(files),
            files=dict(sorted(files.items())),
        )
        with storage(target):
            (folder / CARD).write_bytes(group_card({**encoded[""], "braggbook": card.model_dump(mode="json")}))
    return target


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store, of any format."""
    return any((path / name).is_file() for name in (CARD, ".zgroup", ".zarray", ".zattrs"))


def _as_dataset(volume: Any) -> xr.Dataset:
    if isinstance(volume, xr.DataArray):
        grid_of(volume)
        volume = volume.to_dataset(name=volume.name if volume.name is not None else "volume")
    if not isinstance(volume, xr.Dataset):
        wanted = "an xarray Dataset or DataArray, such as read_dicom returns"
        raise ImagingError("not a volume", wanted=wanted, got=type(volume).__name__)
    volumes = [name for name, array in volume.data_vars.items() if set(_SPACE) <= set(array.dims)]
    if not volumes:
        wanted = "a variable with z, y and x, such as read_dicom returns"
        raise ImagingError("not a volume", wanted=wanted, got=f"variables {', '.join(map(str, volume.data_vars))}")
    for name in volumes:
        grid_of(volume[name])
    if issues := [issue for name in volume.variables for issue in _misfits(name, volume.variables[name])]:
        raise ImagingError("a volume that cannot be stored", issues=issues)
    return volume


def _misfits(name: Any, variable: xr.Variable) -> Iterator[Issue]:
    if not isinstance(name, str) or not name or name.startswith((".", "__")) or "/" in name or "\\" in name:
        yield Issue("not the name of an array on disk", repr(name), wanted="a text without / that begins with no dot")
    kind = variable.dtype.kind
    if kind not in _NUMBERS + _TIMES + _TEXTS or (kind in _NUMBERS and variable.dtype.itemsize > _WIDEST):
        yield Issue("a type that cannot be stored", str(name), wanted="numbers, times, texts", got=str(variable.dtype))
    if 0 in variable.shape:
        yield Issue("an array without values", str(name), got=str(dict(variable.sizes)))
    if kind == "O" and not all(isinstance(item, str) for item in np.asarray(variable.values).ravel()):
        yield Issue("an array of objects", str(name), wanted="numbers, times, texts")


def _encode_all(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Returns attributes as JSON by variable, those of the dataset under ""."""
    if "braggbook" in dataset.attrs:
        raise ImagingError('the attribute "braggbook" is taken', wanted="another name for it")
    encoded = {str(n): encode_attributes(v.attrs, where=f"{n}.attrs") for n, v in dataset.variables.items()}
    return {**encoded, "": encode_attributes(dataset.attrs, where="attrs")}


def _record(dataset: xr.Dataset, name: str) -> VariableRecord:
    variable = dataset.variables[name]
    text = variable.dtype.kind in _TEXTS
    return VariableRecord(
        role="coordinate" if name in dataset.coords else "data",
        dims=[str(dim) for dim in variable.dims],
        dtype=_TEXT if text else variable.dtype.newbyteorder("<").str,
    )


def _new_array(name: str, variable: xr.Variable, attrs: dict[str, Any]) -> NewArray:
    text = variable.dtype.kind in _TEXTS
    dims = _dims_on_disk(name, [str(dim) for dim in variable.dims], text=text)
    if text:
        variable = xr.Variable(dims, _text_bytes(variable.values))
    return NewArray(name, VariableSource(variable), dims, attrs)


def _dims_on_disk(name: str, dims: list[str], *, text: bool) -> list[str]:
    """Returns a variable's dimensions and one for the bytes of its texts; a single number is an array of one."""
    return [*dims, f"{name}_bytes"] if text else dims or [f"{name}_value"]


def _text_bytes(values: Any) -> Array:
    """Returns texts as UTF-8 in rows of equal length, padded with zeros; (..., bytes)."""
    encoded = [str(item).encode() for item in np.asarray(values).ravel()]
    width = max(1, *map(len, encoded))
    rows = np.frombuffer(b"".join(item.ljust(width, b"\0") for item in encoded), dtype=np.uint8)
    return rows.reshape(*np.shape(values), width)


def read_volume(path: Path | str) -> xr.Dataset:
    """Opens a store that :func:`write_volume` wrote.

    Args:
        path: Of the store's folder.

    Returns:
        What was written: the volumes lazy through Dask, one shard a piece, of which only the chunks are read that are
        needed; coordinates and other small arrays in memory; all attributes as they were.

    Raises:
        ImagingError: It is no such store, of another version, or incomplete. Damage to voxels is found when they are
            read; the message then names the file and the chunk.
    """
    folder = Path(path)
    attrs, card = read_card(folder)
    _check_complete(folder, card)
    shards = Counter(file.partition("/c/")[0] for file in card.files if "/c/" in file)
    variables = {name: _open(folder, name, record, shards=shards[name]) for name, record in card.variables.items()}
    roles = {name: record.role for name, record in card.variables.items()}
    try:
        return xr.Dataset(
            {name: variable for name, variable in variables.items() if roles[name] == "data"},
            coords={name: variable for name, variable in variables.items() if roles[name] == "coordinate"},
            attrs=decode_attributes(attrs, where=str(folder)),
        )
    except ValueError as error:
        raise ImagingError("arrays that do not belong together", where=str(folder), got=str(error)[:300]) from error


def _check_complete(folder: Path, card: VolumeCard) -> None:
    issues = []
    for name, record in card.files.items():
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            issues.append(Issue("a file is missing", name, got=error.strerror or ""))
            continue
        if size != record.bytes:
            issues.append(Issue("a file has another size", name, wanted=f"{record.bytes} bytes", got=f"{size} bytes"))
    if issues:
        raise ImagingError(
            "a store that is not whole",
            where=str(folder),
            issues=issues,
            next_command="copy it again from where it is whole, or write it again from its source",
        )


def _open(folder: Path, name: str, record: VariableRecord, *, shards: int) -> xr.Variable:
    source = LazyArray(folder / name)
    attrs = decode_attributes(source.attrs, where=f"{folder}/{name}")
    if math.prod(source.layout.shard_counts) != shards:
        got = f"{source.layout.shard_counts} files by its shape, {shards} in the store"
        raise ImagingError("an array that is not what the store says", where=f"{folder}/{name}", got=got)
    if list(source.dims) != _dims_on_disk(name, record.dims, text=record.dtype == _TEXT):
        wanted = f"dims {', '.join(source.dims)}"
        raise ImagingError("an array that is not what the store says", where=f"{folder}/{name}", wanted=wanted)
    if set(_SPACE) <= set(record.dims):
        return xr.Variable(record.dims, source.as_dask(source.layout.shard), attrs)
    values = source[(slice(None),) * source.ndim]
    return xr.Variable(record.dims, _as_it_was(values, record, where=f"{folder}/{name}"), attrs)


def _as_it_was(values: Array, record: VariableRecord, *, where: str) -> Any:
    try:
        if record.dtype == _TEXT:
            rows = values.reshape(-1, values.shape[-1])
            texts = [bytes(row).rstrip(b"\0").decode() for row in rows]
            return np.array(texts, dtype=np.str_).reshape(values.shape[:-1])
        typed = values.view(record.dtype)
        return typed if record.dims else typed.reshape(())
    except (TypeError, ValueError) as error:
        raise ImagingError("an array that is not what the store says", where=where, got=str(error)) from error


def verify_volume(path: Path | str) -> tuple[Issue, ...]:
    """Compares every byte of a store with the hashes that were taken when it was written.

    Args:
        path: Of the store's folder.

    Returns:
        One issue for each file that differs, is missing or is extra, and one if its attributes were changed; none if
        the store is what it was.

    Raises:
        ImagingError: It is no such store, or cannot be read.
    """
    folder = Path(path)
    attrs, card = read_card(folder)
    found = {name: record for name, record in make_manifest(folder).files.items() if name != CARD}
    issues = list(compare_files(found, card.files, where=str(folder)))
    if sha256_bytes(canonical_json(attrs)) != card.attributes_sha256:
        issues.append(Issue("attributes of the store were changed", f"{folder}/{CARD}"))
    if tree_sha256(card.files) != card.tree_sha256:
        issues.append(Issue("the list of files was changed: tree_sha256 is not theirs", f"{folder}/{CARD}"))
    return tuple(issues)
