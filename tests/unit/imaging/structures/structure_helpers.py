"""Shapes, grids and data that the tests of structures share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from braggbook.imaging.geometry import Grid
from braggbook.imaging.structures.contours import Contour, Structure
from braggbook.imaging.volumes import make_volume


def realdata(*parts: str) -> Path:
    """Returns a file or folder of the data that BRAGGBOOK_DATA_MIRROR names; skips where it is not."""
    mirror = os.environ.get("BRAGGBOOK_DATA_MIRROR")
    if not mirror:
        pytest.skip("needs the folder named by BRAGGBOOK_DATA_MIRROR")
    path = Path(mirror).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} is not in the folder named by BRAGGBOOK_DATA_MIRROR")
    return path


def axial(shape: tuple[int, int, int] = (3, 20, 20), spacing: tuple[float, float, float] = (3.0, 1.0, 1.0)) -> Grid:
    return Grid.from_axes(shape, spacing_mm=spacing)


def ring(corners: Any, z: float = 0.0) -> Contour:
    """A closed contour at z through (x, y) corners in mm."""
    corners = np.asarray(corners, dtype=float)
    return Contour(np.c_[corners, np.full(len(corners), z)])


def box(x0: float, y0: float, x1: float, y1: float, z: float = 0.0) -> Contour:
    return ring([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], z)


def circle(radius: float, *, z: float = 0.0, centre: tuple[float, float] = (10.0, 10.0), corners: int = 200) -> Contour:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return ring(np.c_[centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], z)


def made_of(*contours: Contour, **more: Any) -> Structure:
    return Structure("target", 1, contours, **more)


def volume_of(data: Any, grid: Grid) -> Any:
    return make_volume(np.asarray(data), grid, name="mask", units="1")


def polygon_area(corners: Any) -> float:
    """Area of a simple polygon by the shoelace formula (Meister 1769)."""
    x, y = np.asarray(corners, dtype=float)[:, :2].T
    return abs(float(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))


def inside_even_odd(rings: list[Any], points: Any) -> Any:
    """Whether (n, 2) points are inside by counting crossings to their left, one polygon edge at a time."""
    found = np.zeros(len(points), bool)
    for corners in rings:
        for (x0, y0), (x1, y1) in zip(np.roll(corners, 1, axis=0), corners, strict=True):
            spans = (y0 <= points[:, 1]) != (y1 <= points[:, 1])
            with np.errstate(divide="ignore", invalid="ignore"):
                crossing = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0)
            found ^= spans & (points[:, 0] >= crossing)
    return found
