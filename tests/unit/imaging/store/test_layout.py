"""How arrays are cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.imaging.store.layout import CHUNK_BYTES, SHARD_BYTES, plan_layout


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=3),
    st.lists(st.integers(1, 5), max_size=2),
    st.sampled_from([1, 2, 4, 8, 16]),
)
def test_parts_have_the_sizes_that_are_stated(space: list[int], leading: list[int], itemsize: int) -> None:
    layout = plan_layout([*leading, *space] if len(space) == 3 else space, itemsize)
    assert all(s % c == 0 for s, c in zip(layout.shard, layout.chunk, strict=True))
    assert math.prod(layout.chunk) * itemsize <= CHUNK_BYTES
    assert math.prod(layout.shard) * itemsize <= SHARD_BYTES
    assert all(n == 1 for n in layout.shard[:-3])


@settings(max_examples=30)
@given(st.lists(st.integers(1, 300), min_size=3, max_size=3))
def test_shards_and_chunks_cover_every_voxel_once(shape: list[int]) -> None:
    layout = plan_layout(shape, 8)
    seen = np.zeros(shape, dtype=np.uint8)
    for shard in layout.shards:
        part = seen[layout.region(shard)]
        for index, chunk in layout.chunks_in(part.shape):
            assert all(i < n for i, n in zip(index, layout.chunks_per_shard, strict=True))
            part[chunk] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize(
    ("shape", "itemsize", "chunk", "files"),
    [
        ((400, 512, 512), 2, (31, 128, 128), 7),  # a CT
        ((400, 512, 512), 1, (58, 128, 128), 4),  # its mask
        ((98, 129, 194), 4, (33, 65, 97), 1),  # a dose grid
        ((1, 40000, 30000), 2, (1, 715, 715), 112),  # a slide
        ((48, 30, 27), 4, (48, 30, 27), 1),
    ],
)
def test_what_it_means_for_usual_volumes(shape: tuple[int, ...], itemsize: int, chunk: object, files: int) -> None:
    layout = plan_layout(shape, itemsize)
    assert layout.chunk == chunk
    assert len(layout.shards) == files
