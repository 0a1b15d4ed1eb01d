"""Regular grids of voxels in patient space.

Conventions, everywhere in :mod:`braggbook.imaging`:

- Patient space is DICOM's: LPS (x grows to the patient's left, y to the back, z to the head), in mm.
- Arrays are in the order (z, y, x): slice, row, column. Points and voxel indices are in the order (x, y, z).
- An affine maps a voxel's index (x, y, z), that is column, row, slice, to the patient position of its centre.

Source: DICOM PS3.3 C.7.6.2.1.1 (image plane module).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.errors import ImagingError

Floats = npt.NDArray[np.float64]

SAME_MM = 1e-3  # two positions nearer than this are one: DICOM's decimal strings hold sixteen characters
_SKEW = 1e-4  # of directions; scanners write cosines with six digits


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels.

    Attributes:
        shape: Number of slices, rows and columns (z, y, x).
        affine: (4, 4) float64, maps (x, y, z, 1) of a voxel's index to LPS mm of its centre.
    """

    shape: tuple[int, int, int]
    affine: Floats

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)  # a copy, that nobody changes afterwards
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise ImagingError(
                "not an affine", wanted="a finite 4 x 4 matrix whose last row is 0 0 0 1", got=str(affine)
            )
        if abs(np.linalg.det(affine[:3, :3])) < np.finfo(np.float64).tiny:
            raise ImagingError("an affine that is flat", wanted="three directions that span space", got=str(affine))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ImagingError("not the shape of a grid", wanted="three lengths of 1 or more", got=str(self.shape))
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_axes(
        cls,
        shape: tuple[int, int, int],
        *,
        spacing_mm: tuple[float, float, float],
        origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
        directions: npt.ArrayLike = ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ) -> Grid:
        """Builds a grid from its parts.

        Args:
            shape: Number of slices, rows and columns (z, y, x).
            spacing_mm: Distance of neighbours along z, y and x.
            origin_mm: Patient position (x, y, z) of the first voxel's centre.
            directions: (3, 3) unit vectors in LPS: of growing column index, row index and slice index.
        """
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(directions, dtype=np.float64).T * np.asarray(spacing_mm[::-1])
        affine[:3, 3] = origin_mm
        return cls(shape, affine)

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbours along z, y and x, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @cached_property
    def directions(self) -> Floats:
        """(3, 3) unit vectors in LPS: of growing column index, row index and slice index."""
        axes = self.affine[:3, :3].T
        unit: Floats = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        return unit

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Patient position (x, y, z) of the first voxel's centre."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @cached_property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @cached_property
    def inverse(self) -> Floats:
        """(4, 4), maps LPS mm to voxel indices (x, y, z)."""
        return np.asarray(np.linalg.inv(self.affine), dtype=np.float64)

    @cached_property
    def is_skewed(self) -> bool:
        """Whether its axes are not at right angles, as under gantry tilt."""
        return bool(np.abs(self.directions @ self.directions.T - np.eye(3)).max() > _SKEW)

    @cached_property
    def is_axial(self) -> bool:
        """Whether rows run along x or -x, columns along y or -y, and slices along z or -z."""
        return bool(np.abs(np.abs(self.directions) - np.eye(3)).max() <= _SKEW)

    def to_patient(self, index: npt.ArrayLike) -> Floats:
        """Returns patient positions of voxel indices.

        Args:
            index: (..., 3) indices (x, y, z), also between voxels.

        Returns:
            (..., 3) LPS mm.
        """
        points: Floats = np.asarray(index, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return points

    def to_index(self, points_mm: npt.ArrayLike) -> Floats:
        """Returns voxel indices of patient positions.

        Args:
            points_mm: (..., 3) LPS mm.

        Returns:
            (..., 3) indices (x, y, z), also between voxels or outside the grid.
        """
        index: Floats = np.asarray(points_mm, dtype=np.float64) @ self.inverse[:3, :3].T + self.inverse[:3, 3]
        return index

    def coordinates_mm(self) -> dict[str, Floats]:
        """Returns where voxel centres are along the grid's own axes.

        A coordinate is the component of a voxel's patient position along the axis: for grids whose axes are the
        patient's, x, y and z themselves.
        """
        start = self.directions @ self.affine[:3, 3]
        steps = zip("zyx", self.shape, self.spacing_mm, start[::-1], strict=True)
        return {axis: first + step * np.arange(count) for axis, count, step, first in steps}

    def is_same(self, other: Grid, *, tolerance_mm: float = SAME_MM) -> bool:
        """Whether every voxel of two grids lies at the same place."""
        corners = self.corner_indices()
        return self.shape == other.shape and bool(
            np.abs(self.to_patient(corners) - other.to_patient(corners)).max() <= tolerance_mm
        )

    def corner_indices(self) -> Floats:
        """Returns (8, 3) indices (x, y, z) of the corner voxels."""
        z, y, x = (np.array([0.0, length - 1]) for length in self.shape)
        return np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)

    def cropped(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Grid:
        """Returns the part that begins at an index and has a shape, both (z, y, x)."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_patient(start[::-1])
        return Grid(shape, affine)

    def refined(self, factors: tuple[int, int, int]) -> Grid:
        """Returns the grid that fills the same space with voxels smaller by whole factors (z, y, x)."""
        by = np.array(factors[::-1], dtype=np.float64)
        affine = self.affine.copy()
        affine[:3, :3] /= by
        affine[:3, 3] = self.to_patient((1 / by - 1) / 2)
        z, y, x = (length * factor for length, factor in zip(self.shape, factors, strict=True))
        return Grid((z, y, x), affine)

    def letters(self) -> tuple[str, str, str]:
        """Returns towards which side of the patient slices, rows and columns grow (z, y, x): of L R P A H F."""
        names = (("L", "R"), ("P", "A"), ("H", "F"))
        found = []
        for direction in self.directions[::-1]:
            axis = int(np.argmax(np.abs(direction)))
            found.append(names[axis][0 if direction[axis] > 0 else 1])
        return found[0], found[1], found[2]

    def as_attrs(self) -> dict[str, Any]:
        """Returns what a volume's attributes hold of it."""
        return {"affine": self.affine.ravel().tolist(), "frame": "LPS"}
