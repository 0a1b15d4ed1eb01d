"""The hash of a volume: of its voxels and where they are, however it is cut, compressed or stored.

Two volumes have the same digest exactly if dimensions, shape, type of number, affine and every voxel are the same to
the bit (NaN are those bits that they are). Name, units, other attributes and coordinates do not count.

It is the SHA-256 of a canonical JSON header followed by the SHA-256 of every plane, planes in C order; a plane is its
rows one after another, little-endian. By planes, so that threads share the work and no more than what they hash is in
memory.
"""

from __future__ import annotations

import hashlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.files import canonical_json
from braggbook.imaging.store.layout import SHARD_BYTES
from braggbook.imaging.store.manifest import cores
from braggbook.imaging.volumes import DIMS, grid_of

DIGEST_FORMAT = "braggbook.digest/1"


def digest(volume: xr.DataArray, *, workers: int | None = None) -> str:
    """Returns the hash of a volume's voxels and affine as 64 hexadecimal digits.

    Args:
        volume: Dims from ``t c z y x`` in that order; lazy ones are read a slab at a time in each thread.
        workers: Threads; as many as the process has cores, if not given.

    Raises:
        ImagingError: It is no volume.
    """
    affine = grid_of(volume).affine + 0.0  # -0.0 is the same place
    if list(volume.dims) != [dim for dim in DIMS if dim in volume.dims]:
        wanted = "dims from t, c, z, y, x, in that order"
        raise ImagingError("not a volume", where=str(volume.name), wanted=wanted, got=str(volume.dims))
    if volume.dtype.kind not in "biufc":
        raise ImagingError("voxels that are no numbers", where=str(volume.name), got=str(volume.dtype))
    dtype = volume.dtype.newbyteorder("<")
    header = {
        "format": DIGEST_FORMAT,
        "dims": [str(dim) for dim in volume.dims],
        "shape": list(volume.shape),
        "dtype": dtype.str,
        "affine": [float(value).hex() for value in affine.ravel()],
    }
    total = hashlib.sha256(canonical_json(header))
    with ThreadPoolExecutor(workers or cores(), thread_name_prefix="braggbook-digest") as pool:
        for planes in pool.map(lambda part: _planes(volume, part, dtype), _slabs(volume)):
            total.update(b"".join(planes))
    return total.hexdigest()


def _slabs(volume: xr.DataArray) -> list[tuple[Any, ...]]:
    """Returns the parts of whole planes that are read at once: as deep as the volume's own pieces, in C order."""
    leading = [[slice(i, i + 1) for i in range(length)] for length in volume.shape[:-3]]
    depth = volume.shape[-3]
    pieces = dict(zip(volume.dims, volume.chunks, strict=True))["z"] if volume.chunks else None
    step = (
        pieces[0] if pieces else max(1, SHARD_BYTES // max(1, volume.dtype.itemsize * int(np.prod(volume.shape[-2:]))))
    )
    slices = [slice(first, min(first + step, depth)) for first in range(0, depth, step)]
    return list(itertools.product(*leading, slices))


def _planes(volume: xr.DataArray, part: tuple[Any, ...], dtype: np.dtype[Any]) -> list[bytes]:
    """Returns the hashes of the planes of a part, read in bands of rows if it is large."""
    slab = volume.variable[part]
    depth, rows = slab.shape[-3], slab.shape[-2]
    row_bytes = max(1, depth * slab.shape[-1] * dtype.itemsize)
    hashes = [hashlib.sha256() for _ in range(depth)]
    step = max(1, SHARD_BYTES // row_bytes)
    for first in range(0, rows, step):
        band = slab[..., first : first + step, :]
        values = band.data
        if hasattr(values, "compute"):
            values = values.compute(scheduler="synchronous")
        block = np.ascontiguousarray(values, dtype=dtype).reshape(depth, -1)
        for plane, one in zip(block, hashes, strict=True):
            one.update(plane.view(np.uint8).data)
    return [one.digest() for one in hashes]
