"""Writing arrays of our layout: shard by shard, in threads, with one shard in memory for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import dask.array as da
import numpy as np
import xarray as xr

from braggbook.files import storage
from braggbook.formats.run import FileRecord
from braggbook.imaging.dicom.lazy import voxels_of
from braggbook.imaging.store.cards import CARD, array_card
from braggbook.imaging.store.layout import Index, Layout, Region, plan_layout
from braggbook.imaging.store.manifest import cores, record_of
from braggbook.imaging.store.shards import Array, write_shard
from braggbook.imaging.volumes import DIMS
from braggbook.progress import Progress, Silent


class Source(Protocol):
    """What gives an array's values part by part."""

    @property
    def shape(self) -> Index:
        """Lengths of the array, one or more."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type on disk, little-endian."""

    def block(self, region: Region) -> Array:
        """Returns a part, in C order and of the type on disk; called from several threads."""


class VariableSource:
    """A variable of xarray: in memory, lazy through Dask, lazy in xarray's own way, or a DICOM series as it was read.

    Dask takes longer to plan the reading of a shard than the reading takes, so a whole series is read without it.
    """

    def __init__(self, variable: xr.Variable) -> None:
        self._variable = variable
        self._voxels = voxels_of(variable.data) if variable.chunks is not None else None
        self._dtype = np.dtype("<i8") if variable.dtype.kind in "mM" else variable.dtype.newbyteorder("<")

    @property
    def shape(self) -> Index:
        """Lengths of the array; a single value is an array of one."""
        return self._variable.shape or (1,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type on disk: times are counts of their unit."""
        return self._dtype

    def block(self, region: Region) -> Array:
        """Returns a part; of a lazy one no more than a piece is in memory beside it."""
        lengths = tuple(s.stop - s.start for s in region)
        if self._voxels is not None:
            at = dict(zip(self._variable.dims, region, strict=True))
            values = self._voxels[tuple(at.get(axis, slice(0, 1)) for axis in DIMS)].reshape(lengths)
            return np.ascontiguousarray(values, dtype=self._dtype)
        part = self._variable[region] if self._variable.dims else self._variable
        if part.chunks is not None:
            out = np.empty(lengths, dtype=self._dtype)
            da.store(part.data.astype(self._dtype), out, lock=False, scheduler="synchronous")
            return out
        values = part.values.reshape(lengths)
        plain = values.view("i8") if values.dtype.kind in "mM" else values
        return np.ascontiguousarray(plain, dtype=self._dtype)


@dataclass(frozen=True)
class NewArray:
    """An array on its way to the disk.

    Attributes:
        name: Of its folder.
        source: Its values.
        dims: Names of its dimensions.
        attrs: Its attributes, as JSON.
    """

    name: str
    source: Source
    dims: Sequence[str]
    attrs: Mapping[str, Any]

    @property
    def layout(self) -> Layout:
        """How it is cut."""
        return plan_layout(self.source.shape, self.source.dtype.itemsize)


def write_arrays(
    folder: Path, arrays: Sequence[NewArray], *, workers: int | None = None, progress: Progress | None = None
) -> dict[str, FileRecord]:
    """Writes arrays below a folder; putting them on the disk is left to who renames it: one sync costs less than many.

    Returns:
        Digest and size of every file, by path.

    Raises:
        StorageError: The disk is full or refuses; what was written stays.
    """
    told = progress or Silent()
    files = {f"{array.name}/{CARD}": _write_card(folder, array) for array in arrays}
    tasks = [(array, shard) for array in arrays for shard in array.layout.shards]
    told.start("write the volume", len(tasks))
    pool = ThreadPoolExecutor(workers or cores(), thread_name_prefix="braggbook-store")
    gate = _Gate()
    try:
        running = [pool.submit(gate.pass_through, _write_shard, folder, array, shard) for array, shard in tasks]
        for done, future in enumerate(as_completed(running), 1):
            name, record = future.result()
            files[name] = record
            told.step(done)
    finally:
        pool.shutdown(cancel_futures=True)
        gate.close()
        told.stop()
    return files


class _Gate:
    """Lets no work begin once it is closed, and is closed when all that began has ended.

    A pool does not know a thread in whose start ctrl-C was pressed, and does not wait for it when it is shut down.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_closed = False

    def pass_through(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Does some work."""
        with self._changed:
            if self._is_closed:
                raise CancelledError
            self._inside += 1
        try:
            return work(*arguments)
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Waits for the work that began."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._inside)


def _write_card(folder: Path, array: NewArray) -> FileRecord:
    place = folder / array.name
    with storage(place):
        place.mkdir(parents=True)
        card = array_card(array.layout, dtype=array.source.dtype, dims=array.dims, attrs=array.attrs)
        (place / CARD).write_bytes(card)
    return record_of(place / CARD)


def _write_shard(folder: Path, array: NewArray, shard: Index) -> tuple[str, FileRecord]:
    name = "/".join([array.name, "c", *map(str, shard)])
    path = folder / name
    block = array.source.block(array.layout.region(shard))
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return name, write_shard(path, block, layout=array.layout)
