"""Arrays on disk that are read when they are needed, and no more of them than is."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from braggbook.imaging.store.cards import CARD, read_array_card
from braggbook.imaging.store.layout import Index, Region
from braggbook.imaging.store.shards import Array, read_shard


class PartReader:
    """An array of which any box can be read; an index of NumPy's reads the smallest box around what it selects."""

    shape: Index
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    def part(self, region: Region) -> Array:
        """Returns a box: slices with start and stop, of step 1; called from several threads."""
        raise NotImplementedError

    def __getitem__(self, key: Any) -> Any:
        region, rest = split_index(key, self.shape)
        return self.part(region)[rest]

    def as_dask(self, chunks: Index) -> Any:
        """Returns it as a Dask array of such pieces; with ``fancy``, an index is applied before a piece is read."""
        meta = np.empty((0,) * self.ndim, dtype=self.dtype)
        return da.from_array(self, chunks=chunks, name=False, asarray=False, fancy=True, meta=meta)


class LazyArray(PartReader):
    """An array in a store of ours.

    Args:
        folder: Of the array.

    Raises:
        ImagingError: It is no array of ours.
    """

    def __init__(self, folder: Path) -> None:
        card = read_array_card(folder / CARD)
        self.folder = folder
        self.layout = card.layout
        self.shape = card.layout.shape
        self.dtype = card.dtype
        self.dims = card.dims
        self.attrs = card.attrs

    def part(self, region: Region) -> Array:
        """Returns a box; reads the chunks that it touches."""
        out = np.empty(tuple(s.stop - s.start for s in region), dtype=self.dtype)
        if not out.size:
            return out
        spans = (range(s.start // n, -(-s.stop // n)) for s, n in zip(region, self.layout.shard, strict=True))
        for shard in product(*spans):
            wanted, target = [], []
            for i, n, s in zip(shard, self.layout.shard, region, strict=True):
                first, last = max(i * n, s.start), min((i + 1) * n, s.stop)
                wanted.append(slice(first - i * n, last - i * n))
                target.append(slice(first - s.start, last - s.start))
            file = self.folder.joinpath("c", *map(str, shard))
            read_shard(file, out[tuple(target)], wanted=tuple(wanted), layout=self.layout)
        return out


def split_index(key: Any, shape: Index) -> tuple[Region, tuple[Any, ...]]:
    """Returns the box around what an index of NumPy's selects, and the index of it in that box.

    Args:
        key: Whole numbers, slices, an ellipsis, and one-dimensional arrays of whole numbers or truth values.
        shape: Of the array.

    Raises:
        IndexError: It is outside.
    """
    keys = key if isinstance(key, tuple) else (key,)
    at = next((i for i, one in enumerate(keys) if one is Ellipsis), len(keys))
    missing = len(shape) - len(keys) + (at < len(keys))
    keys = (*keys[:at], *(slice(None),) * missing, *keys[at + 1 :])
    pairs = [_split_one(one, length) for one, length in zip(keys, shape, strict=True)]
    return tuple(box for box, _ in pairs), tuple(rest for _, rest in pairs)


def _split_one(key: Any, length: int) -> tuple[slice, Any]:
    if isinstance(key, slice):
        touched = range(length)[key]
        if not touched:
            return slice(0, 0), slice(None)
        low, high = min(touched[0], touched[-1]), max(touched[0], touched[-1]) + 1
        return slice(low, high), slice(None, None, touched.step)
    if np.ndim(key) == 0:
        place = range(length)[int(key)]
        return slice(place, place + 1), 0
    places = np.arange(length)[np.asarray(key) if len(key) else []]
    if not places.size:
        return slice(0, 0), places
    return slice(int(places.min()), int(places.max()) + 1), places - places.min()
