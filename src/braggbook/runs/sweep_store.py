"""The Zarr store of a sweep: each change is one rename, so that a killed process leaves a store that opens."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
import zarr

from braggbook.files import sync_tree
from braggbook.runs.labels import TEXT

Index = tuple[int, ...]
Array = np.ndarray[Any, Any]
_CARD = "zarr.json"
_CHUNK_BYTES = 1 << 20
_TEXT_BYTES = 32  # of a run id in a chunk; other texts are shorter or rare
_HELD_BYTES = 4 << 20  # a larger array of all points is written point by point, and not kept in memory


class Flushable(Protocol):
    """What writes itself into a store."""

    def flush(self, store: SweepStore) -> None:
        """Writes what is new."""


class SweepStore:
    """A Zarr group of format 3 in a folder, with nothing below it but arrays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays: dict[str, zarr.Array[Any]] = {}
        for left in path.parent.glob(f".{path.name}.*.part"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)

    @property
    def exists(self) -> bool:
        """Is there anything at the store's path but an empty folder?"""
        return self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))

    def create(
        self,
        coordinates: Mapping[str, xr.Variable],
        *,
        attrs: Mapping[str, Any],
        arrays: Iterable[Flushable],
    ) -> None:
        """Makes the store with its coordinates and first arrays; it appears whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._aside() as folder:
            draft = SweepStore(folder / "store")
            self._write_variables(coordinates, draft.path)
            _write_card(draft.path / _CARD, attrs)
            for array in arrays:
                array.flush(draft)
            os.rename(draft.path, self.path)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the whole store, as they lie on the disk."""
        card = json.loads((self.path / _CARD).read_text(encoding="utf-8"))
        found: dict[str, Any] = card["attributes"]
        return found

    def set_attrs(self, attrs: Mapping[str, Any]) -> None:
        """Replaces the attributes of the whole store."""
        with self._aside() as folder:  # beside the store, where no reader lists what is not finished
            _write_card(folder / _CARD, attrs)
            os.replace(folder / _CARD, self.path / _CARD)

    @property
    def names(self) -> set[str]:
        """The names of the arrays."""
        return {item.name for item in self.path.iterdir() if (item / _CARD).is_file()}

    def array(self, name: str) -> zarr.Array[Any]:
        """Returns an array to read from and write to; a write of whole chunks is one rename for each."""
        if name not in self._arrays:
            self._arrays[name] = zarr.open_array(self.path / name, mode="r+", zarr_format=3)
        return self._arrays[name]

    def add_array(self, name: str, **spec: Any) -> None:
        """Makes an empty array; it appears whole. See :func:`zarr.create_array` for ``spec``."""
        with self._aside() as folder:
            zarr.create_array(store=folder / name, zarr_format=3, **spec)
            self._place(folder / name)

    def add_variables(self, variables: Mapping[str, xr.Variable]) -> None:
        """Makes arrays of what is known whole; each appears whole."""
        with self._aside() as folder:
            self._write_variables(variables, folder / "store")
            for name in variables:
                self._place(folder / "store" / name)

    def remove(self, name: str) -> None:
        """Takes an array out, if it is there."""
        self._arrays.pop(name, None)
        if (self.path / name).exists():
            with self._aside() as folder:
                os.rename(self.path / name, folder / name)

    def sync(self) -> None:
        """Asks the system to put all of it on the disk."""
        sync_tree(self.path)

    def open(self) -> xr.Dataset:
        """Opens the store lazily."""
        dataset: xr.Dataset = xr.open_zarr(self.path, consolidated=False)
        return dataset

    def _place(self, folder: Path) -> None:
        self.remove(folder.name)
        os.rename(folder, self.path / folder.name)

    @staticmethod
    def _write_variables(variables: Mapping[str, xr.Variable], folder: Path) -> None:
        xr.Dataset(dict(variables)).drop_encoding().to_zarr(folder, mode="w", consolidated=False, zarr_format=3)

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        folder = tempfile.mkdtemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write_card(path: Path, attrs: Mapping[str, Any]) -> None:
    card = {"attributes": dict(attrs), "zarr_format": 3, "node_type": "group"}
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


class StoredArray:
    """One variable of the store, over the sweep's dimensions and its own: what both ways of keeping it share.

    Args:
        name: Of the variable.
        dims: The sweep's dimensions, then its own.
        shape: The length of each.
        points: How many of the dimensions are the sweep's.
        fill: What stands where no point has written; its type is the array's.
        attrs: Its attributes; who changes them calls for the next :meth:`flush`.
    """

    def __init__(
        self, name: str, *, dims: Sequence[str], shape: Sequence[int], points: int, fill: Array, attrs: dict[str, Any]
    ) -> None:
        self.name = name
        self.attrs = attrs
        self._dims = tuple(dims)
        self._shape = tuple(shape)
        self._points = points
        self._fill = fill
        self._nothing = np.broadcast_to(fill, self._shape[points:])  # what a point has that has not written
        self._stored_attrs: dict[str, Any] | None = None  # None until the array is in the store
        self._chunk = _chunk_shape(self._shape[:points], size=_own_bytes(self._shape[points:], fill))

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be written and is kept only for that."""
        return 0

    def put(self, index: Index, value: Any) -> bool:
        """Takes what a point has, ``None`` for nothing; returns whether it had something else before."""
        raise NotImplementedError

    def load(self, store: SweepStore) -> None:
        """Takes over what an earlier process stored."""
        self._stored_attrs = dict(store.array(self.name).attrs)
        self.attrs.update(self._stored_attrs)

    def flush(self, store: SweepStore) -> None:
        """Writes what is new; what was written before an error is not written again."""
        if self._stored_attrs is None:
            store.add_array(
                self.name,
                shape=self._shape,
                chunks=(*self._chunk, *(max(1, length) for length in self._shape[self._points :])),
                dtype=self._fill.dtype,
                fill_value=self._fill.item(),
                dimension_names=self._dims,
                attributes=self.attrs,
            )
        elif self._stored_attrs != self.attrs:
            store.array(self.name).attrs.put(self.attrs)
        self._stored_attrs = dict(self.attrs)


class Grid(StoredArray):
    """A variable whose values of all points are kept in memory, and written by chunks of many points."""

    def __init__(self, name: str, **spec: Any) -> None:
        super().__init__(name, **spec)
        self.values = np.full(self._shape, self._fill, dtype=self._fill.dtype)
        self._dirty: set[Index] = set()

    def put(self, index: Index, value: Any) -> bool:
        """Takes what a point has."""
        new = self._nothing if value is None else value
        if _equal(self.values[index], new):
            return False
        self.values[index] = new
        self._dirty.add(self.chunk_of(index))
        return True

    def load(self, store: SweepStore) -> None:
        """Takes over what an earlier process stored."""
        super().load(store)
        self.values[...] = store.array(self.name)[...]

    def flush(self, store: SweepStore) -> None:
        """Writes what is new."""
        super().flush(store)
        for chunk in sorted(self._dirty):
            self.write_chunk(store, chunk, values=self.values[self.region(chunk)])
            self._dirty.discard(chunk)

    def chunk_of(self, index: Index) -> Index:
        """Returns which chunk a point lies in."""
        return tuple(i // length for i, length in zip(index, self._chunk, strict=True))

    def region(self, chunk: Index) -> tuple[Any, ...]:
        """Returns where a chunk lies in the array; what it selects is an array, be it of no dimensions."""
        slices = (slice(i * length, (i + 1) * length) for i, length in zip(chunk, self._chunk, strict=True))
        return (*slices, ...)

    def write_chunk(self, store: SweepStore, chunk: Index, *, values: Array) -> None:
        """Writes one chunk, whatever is in memory."""
        if values.size:
            store.array(self.name)[self.region(chunk)] = values


class Stream(StoredArray):
    """A variable too large to be kept: each point is a chunk of its own, and waits only until it is written."""

    def __init__(self, name: str, **spec: Any) -> None:
        super().__init__(name, **spec)
        self._chunk = (1,) * self._points
        self._waiting: dict[Index, Array] = {}
        self._store: SweepStore | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be written."""
        return sum(value.nbytes for value in self._waiting.values())

    def put(self, index: Index, value: Any) -> bool:
        """Takes what a point has."""
        new = self._nothing if value is None else value
        if _equal(self._known(index), new):
            return False
        self._waiting[index] = new
        return True

    def _known(self, index: Index) -> Any:
        if index in self._waiting:
            return self._waiting[index]
        return self._nothing if self._store is None else self._store.array(self.name)[index]

    def load(self, store: SweepStore) -> None:
        """Takes over what an earlier process stored."""
        super().load(store)
        self._store = store

    def flush(self, store: SweepStore) -> None:
        """Writes what is new."""
        super().flush(store)
        self._store = store
        for index in list(self._waiting):
            store.array(self.name)[index] = self._waiting[index]
            del self._waiting[index]


def make_array(name: str, *, dims: Sequence[str], shape: Sequence[int], **spec: Any) -> StoredArray:
    """Returns a variable that is kept in memory if it is small and written point by point if it is not."""
    size = math.prod(shape) * _item_bytes(spec["fill"])
    return (Grid if size <= _HELD_BYTES else Stream)(name, dims=dims, shape=shape, **spec)


def _own_bytes(shape: Sequence[int], fill: Array) -> int:
    return max(1, math.prod(shape)) * _item_bytes(fill)


def _item_bytes(fill: Array) -> int:
    return _TEXT_BYTES if fill.dtype == TEXT else fill.dtype.itemsize


def _chunk_shape(shape: Sequence[int], *, size: int) -> Index:
    """Returns how many points lie in a chunk along each dimension, when one point has ``size`` bytes."""
    chunk = [max(1, length) for length in shape]
    for i, length in enumerate(chunk):
        inner = math.prod(chunk[i + 1 :]) * size
        chunk[i] = min(length, max(1, _CHUNK_BYTES // inner))
        if inner <= _CHUNK_BYTES:
            break
    return tuple(chunk)


def _equal(first: Any, second: Any) -> bool:
    """Returns whether two numbers, texts or arrays of one type are the same, gaps included."""
    if np.ndim(first) == np.ndim(second) == 0:
        return bool(first == second or (first != first and second != second))  # noqa: PLR0124 - NaN is not itself
    numbers = np.asarray(first).dtype.kind in "fc"
    return bool(np.array_equal(first, second, equal_nan=numbers))
