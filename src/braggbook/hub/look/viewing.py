"""The voxels of an image for the viewer on a page: as NIfTI, small enough to be sent, and with what a reader must know.

The viewer itself is ``static/viewer.js``, built from the folder ``viewer/`` at the top of the repository.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
import xarray as xr

from braggbook.errors import ImagingError
from braggbook.hub.look.shown import Kind
from braggbook.hub.look.volumes import LARGEST_LABEL, MOST_BYTES, one_of, opened
from braggbook.imaging.resample import coarsened
from braggbook.imaging.store.nifti import write_nifti

MOST_VOXELS = 12 << 20  # 24 MB of a CT, which a phone can hold as a texture: 256 x 256 x 190
_KEPT_BYTES = 64 << 20  # of all that are kept, so that a second look is answered at once
_FIT = ("int8", "uint8", "int16", "uint16", "float32")  # what every viewer reads without a loss
_one_at_a_time = threading.Lock()
_kept: dict[Hashable, Served] = {}  # the oldest first


@dataclass(frozen=True)
class Served:
    """An image for the viewer.

    Attributes:
        data: ``.nii.gz``, without a name, a person or a date.
        kind: Of grey values, or of labels.
        unit: Of its values.
        largest: Its largest value; of labels how many colours there must be.
        says: What was changed, in a sentence; "" if nothing was.
    """

    data: bytes
    kind: Literal["image", "labels"]
    unit: str
    largest: float
    says: str

    @property
    def headers(self) -> dict[str, str]:
        """What the viewer is told beside the data."""
        told = {"Kind": self.kind, "Unit": self.unit, "Largest": f"{self.largest:.6g}", "Says": self.says}
        return {f"X-Volume-{name}": quote(text) for name, text in told.items()}


def serve(path: Path, name: str, *, kind: Kind) -> Served:
    """Reads an image and makes it ready for the viewer.

    Args:
        path: Of the file, or of the folder of a Zarr store.
        name: As the card has it.
        kind: What the preview took it for: ``"labels"`` or ``"volume"``.

    Raises:
        ImagingError: It cannot be read, is in colour, or has too many voxels to be read at once.
    """
    whole = opened(path, name)
    if whole.nbytes > MOST_BYTES:
        raise ImagingError(
            "too many voxels for the viewer", where=name, wanted=f"up to {MOST_BYTES:,} bytes", got=f"{whole.nbytes:,}"
        )
    volume, note = one_of(whole)
    if "c" in volume.dims:
        raise ImagingError("the viewer shows grey values and labels, not colours", where=name)
    labels = kind == "labels"
    small, factors = coarsened(volume, most_voxels=MOST_VOXELS, method="nearest" if labels else "mean")
    small = _fitting(small, labels=labels)
    largest = float(np.nanmax(small.values)) if np.isfinite(small.values).any() else 0.0
    says = f"{_said(factors, labels=labels)}{note}".strip()
    return Served(_nifti(small), "labels" if labels else "image", str(volume.attrs.get("units", "")), largest, says)


def _said(factors: tuple[int, int, int], *, labels: bool) -> str:
    """Returns how the voxels were made fewer."""
    if factors == (1, 1, 1):
        return "Every voxel is shown."
    by = " x ".join(map(str, factors[::-1]))
    return f"Made coarser for the screen: each voxel is the {'middle one' if labels else 'mean'} of {by} of the file."


def _fitting(volume: xr.DataArray, *, labels: bool) -> xr.DataArray:
    values = np.asarray(volume.values)
    if labels:
        values = np.clip(values, 0, LARGEST_LABEL).astype(np.uint8)
    elif values.dtype.name not in _FIT:
        values = values.astype(np.float32)
    return volume.copy(data=values)


def _nifti(volume: xr.DataArray) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_nifti(volume, Path(folder) / "volume.nii.gz", sidecar=False, version=1).read_bytes()


def served_once(key: Hashable, make: Callable[[], Served]) -> Served:
    """Returns what is kept under a key, or makes it: one at a time, so that many readers need the memory of one."""
    if (known := _kept.get(key)) is not None:
        return known
    with _one_at_a_time:
        if (known := _kept.get(key)) is None:  # somebody may have asked meanwhile
            known = _kept[key] = make()
            while len(_kept) > 1 and sum(len(one.data) for one in _kept.values()) > _KEPT_BYTES:
                del _kept[next(iter(_kept))]
    return known
