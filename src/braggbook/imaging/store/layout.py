"""How an array is cut into chunks and shards.

A chunk is what is compressed and read as one: about 1 MiB, since a decoder then works inside a core's cache while the
few microseconds that each chunk costs do not count. Chunks are 128 voxels or more wide and as deep as fits, so that a
view along any of the three axes reads a small part of the volume. A shard is one file of many chunks: up to 32 MiB
before compression, whole planes first, since images arrive plane by plane; a 512 x 512 x 400 CT has seven files
instead of two hundred, and a worker holds one shard, not the volume. Time points and channels never share a shard.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CHUNK_BYTES = 1 << 20
SHARD_BYTES = 32 << 20
_EDGE = 128  # voxels of a chunk in the plane, where the volume is deep enough to fill it
_SPACE = 3

Region = tuple[slice, ...]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where the chunks and shards of an array are.

    Attributes:
        shape: Of the array, dimensions in its own order, the last three z, y and x if it has so many.
        chunk: Lengths of a chunk.
        shard: Lengths of a shard, multiples of a chunk's.
    """

    shape: Index
    chunk: Index
    shard: Index

    @property
    def shard_counts(self) -> Index:
        """How many shards there are along each dimension."""
        return tuple(-(-length // part) for length, part in zip(self.shape, self.shard, strict=True))

    @property
    def shards(self) -> list[Index]:
        """Indices of the shards, in C order."""
        return list(itertools.product(*map(range, self.shard_counts)))

    @property
    def chunks_per_shard(self) -> Index:
        """How many chunks a shard has along each dimension."""
        return tuple(whole // part for whole, part in zip(self.shard, self.chunk, strict=True))

    def region(self, shard: Index) -> Region:
        """Returns what part of the array a shard holds."""
        parts = zip(shard, self.shard, self.shape, strict=True)
        return tuple(slice(i * part, min((i + 1) * part, length)) for i, part, length in parts)

    def chunks_in(self, block: Index) -> Iterator[tuple[Index, Region]]:
        """Yields the chunks that a shard's part of the array, of lengths ``block``, touches: index and part of it."""
        counts = (math.ceil(length / part) for length, part in zip(block, self.chunk, strict=True))
        for index in itertools.product(*map(range, counts)):
            yield index, tuple(slice(i * part, (i + 1) * part) for i, part in zip(index, self.chunk, strict=True))


def plan_layout(shape: Sequence[int], itemsize: int) -> Layout:
    """Returns the layout of an array of one dimension or more and no length 0.

    Args:
        shape: Lengths, in the order of its dimensions.
        itemsize: Bytes of a value.
    """
    leading = (1,) * max(0, len(shape) - _SPACE)
    space = tuple(shape[-_SPACE:])
    chunk = _chunk(space, CHUNK_BYTES // itemsize)
    return Layout(tuple(shape), (*leading, *chunk), (*leading, *_shard(space, chunk, itemsize)))


def _chunk(space: Index, voxels: int) -> Index:
    plane = space[-2:]
    depth = math.prod(space[:-2])
    edge = max(_EDGE, math.isqrt(voxels // depth) if len(plane) == 2 else voxels)
    tiles = tuple(_even(length, edge) for length in plane)
    return (*(_even(length, max(1, voxels // math.prod(tiles))) for length in space[:-2]), *tiles)


def _shard(space: Index, chunk: Index, itemsize: int) -> Index:
    room = max(1, SHARD_BYTES // (math.prod(chunk) * itemsize))  # chunks that fit
    shard = []
    for length, part in zip(reversed(space), reversed(chunk), strict=True):
        needed = math.ceil(length / part)
        count = _even(needed, room)
        shard.append(count * part)
        room = max(1, room // count)
    return tuple(reversed(shard))


def _even(length: int, most: int) -> int:
    """Returns the length of equal parts, of at most ``most``, that cover ``length``."""
    return math.ceil(length / math.ceil(length / most))
