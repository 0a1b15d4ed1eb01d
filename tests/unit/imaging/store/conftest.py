"""Small volumes, made by code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume

Made = Callable[..., xr.DataArray]
# Turned by 30 degrees about z, then 20 about x: no cosine is short in binary
_TURNED = ((0.8660254037844387, 0.5, 0.0), (-0.4698463103929542, 0.8137976813493737, 0.3420201433256687))


@pytest.fixture
def oblique() -> Grid:
    directions = np.array([*_TURNED, np.cross(*_TURNED)])
    return Grid.from_axes(
        (5, 6, 7), spacing_mm=(3.27, 0.976563, 0.8), origin_mm=(1.953, 59.57, -629.04), directions=directions
    )


@pytest.fixture
def made() -> Made:
    """Makes a volume of random voxels: ``made(shape, dtype, **what make_volume takes)``."""

    def make(shape: tuple[int, ...] = (5, 6, 7), dtype: Any = "int16", *, grid: Grid | None = None, **more: Any) -> Any:
        rng = np.random.default_rng(7)
        kind = np.dtype(dtype).kind
        whole = rng.integers(-1000, 3000, shape)
        data = whole.astype(dtype) if kind in "iu" else whole > 1000 if kind == "b" else rng.normal(size=shape)
        space = grid or Grid.from_axes(
            shape[-3:],  # type: ignore[arg-type]
            spacing_mm=(3.0, 0.9, 0.7),
            origin_mm=(-250.1, -249.7, -600.3),
        )
        return make_volume(data.astype(dtype), space, **{"name": "ct", "units": "HU", **more})

    return make
