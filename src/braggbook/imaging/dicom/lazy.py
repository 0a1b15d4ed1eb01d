"""The voxels of a volume, read slice by slice when they are asked for, and the removal of gantry tilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import dask.array
import numpy as np
import numpy.typing as npt
from pydicom.pixels.processing import apply_color_lut
from scipy import ndimage

from braggbook.errors import BraggbookError, DicomError
from braggbook.imaging.dicom.frames import Frame
from braggbook.imaging.dicom.pixels import read_raw, without_unused_bits
from braggbook.imaging.dicom.rescale import Scale
from braggbook.imaging.geometry import Grid

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class SliceArray:
    """Looks like a NumPy array of (t, c, z, y, x) and reads only the frames that a slice of it touches.

    Attributes:
        frames: (t, z) frames; None where a slice is missing.
        scales: (t, z) of how their values are found.
        shape: (t, c, z, y, x).
        dtype: Of the values.
        palette: Whether values are numbers of colours.
    """

    frames: tuple[tuple[Frame | None, ...], ...]
    scales: tuple[tuple[Scale | None, ...], ...]
    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    palette: bool = False

    @property
    def ndim(self) -> int:
        """Five."""
        return 5

    def __getitem__(self, key: Any) -> Array:
        given = [*key] if isinstance(key, tuple) else [key]
        given += [slice(None)] * (5 - len(given))
        single = tuple(axis for axis, each in enumerate(given) if not isinstance(each, slice))
        t, c, z, y, x = (each if isinstance(each, slice) else slice(each, each + 1) for each in given)
        times, places = range(*t.indices(self.shape[0])), range(*z.indices(self.shape[2]))
        if len(times) == len(places) == 1:
            found = self.read(times[0], places[0])[None, c, None, y, x]
        else:
            sizes = [
                len(range(*each.indices(size)))
                for each, size in zip((c, y, x), (self.shape[1], *self.shape[3:]), strict=True)
            ]
            found = np.empty((len(times), sizes[0], len(places), *sizes[1:]), self.dtype)
            for row, time in enumerate(times):
                for number, place in enumerate(places):
                    found[row, :, number] = self.read(time, place)[c, y, x]
        return found.squeeze(single) if single else found

    def read(self, time: int, place: int) -> Array:
        """Reads one frame: (c, y, x)."""
        frame, scale = self.frames[time][place], self.scales[time][place]
        if frame is None or scale is None:
            return np.full((self.shape[1], *self.shape[3:]), np.nan, self.dtype)
        try:
            return self._values(read_raw(frame.header, frame.number), frame, scale)
        except (BraggbookError, MemoryError):
            raise
        except Exception as error:  # a palette or a layout that contradicts the pixels
            got = f"{type(error).__name__}: {error}"
            raise DicomError("pixels that do not fit their description", where=str(frame), got=got) from error

    def _values(self, raw: Array, frame: Frame, scale: Scale) -> Array:
        if self.palette:
            raw = np.asarray(apply_color_lut(raw, frame.header.dataset))
        if raw.ndim == 3:
            return np.moveaxis(raw, -1, 0).astype(self.dtype, copy=False)
        return scale.apply(raw, without_unused_bits(raw, frame.header), dtype=self.dtype)[None]


def as_dask(voxels: SliceArray) -> Any:
    """Returns a lazy array (t, c, z, y, x) of which one chunk is one frame."""
    chunks = (1, voxels.shape[1], 1, *voxels.shape[3:])
    return dask.array.from_array(
        voxels, chunks=chunks, name=False, asarray=False, meta=np.empty((0,) * 5, voxels.dtype)
    )


_WHOLE: WeakValueDictionary[str, SliceArray] = WeakValueDictionary()


def remember(data: Any, voxels: SliceArray) -> None:
    """Notes that a lazy array is these voxels and nothing else, so that a writer may read them without a graph."""
    _WHOLE[data.name] = voxels


def voxels_of(data: Any) -> SliceArray | None:
    """Returns the voxels that a lazy array is; None after any operation on it, and in another process."""
    return _WHOLE.get(getattr(data, "name", ""))


def deskew(data: Any, grid: Grid) -> tuple[Any, Grid, dict[str, Any]]:
    """Shifts every slice in its plane so that slices stand at right angles to their step, as under no gantry tilt.

    Linear interpolation in the plane; what no slice covers is NaN.

    Args:
        data: (t, c, z, y, x), lazy, one chunk a frame.
        grid: Where the voxels are; skewed.

    Returns:
        The shifted volume, larger by what the shift needs; its grid; and the record of what was done.
    """
    column, row = grid.directions[0], grid.directions[1]
    normal = np.cross(column, row)
    step = grid.affine[:3, 2]
    _, dy, dx = grid.spacing_mm
    moved = np.array([step @ row / dy, step @ column / dx])  # pixels (y, x) from one slice to the next
    last = moved * (grid.shape[0] - 1)
    low = np.floor(np.minimum(0, last)).astype(int)
    size = np.array(grid.shape[1:]) + np.ceil(np.maximum(0, last)).astype(int) - low
    dtype = np.result_type(data.dtype, np.float32)

    def shift(block: Array, block_info: Sequence[Any] | None = None) -> Array:
        number = block_info[0]["chunk-location"][2] if block_info else 0
        planes = [_shifted(plane, low - number * moved, size) for plane in block.reshape(-1, *block.shape[-2:])]
        return np.stack(planes).reshape(*block.shape[:3], *size).astype(dtype)

    chunks = (*data.chunks[:3], (int(size[0]),), (int(size[1]),))
    affine = grid.affine.copy()
    affine[:3, 2] = normal * (step @ normal)
    affine[:3, 3] = grid.to_patient((low[1], low[0], 0))
    shape = (grid.shape[0], int(size[0]), int(size[1]))
    record = {
        "interpolation": "linear, in the plane",
        "shift_mm_per_slice": [float(moved[0] * dy), float(moved[1] * dx)],
        "affine_before": grid.affine.ravel().tolist(),
    }
    shifted = dask.array.map_blocks(shift, data, dtype=dtype, chunks=chunks, meta=np.empty((0,) * 5, dtype))
    return shifted, Grid(shape, affine), record


def _shifted(plane: Array, offset: npt.NDArray[np.float64], size: npt.NDArray[np.int_]) -> Array:
    values = plane.astype(np.float64)
    return np.asarray(
        ndimage.affine_transform(
            values, np.ones(2), offset, tuple(size.tolist()), order=1, cval=np.nan, prefilter=False
        )
    )
