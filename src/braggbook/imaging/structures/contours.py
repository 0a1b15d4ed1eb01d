"""What a structure is made of: contours in patient space, and what was wrong with them where they were read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.errors import ImagingError, Issue, unknown_name

Floats = npt.NDArray[np.float64]

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
OPEN = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")


@dataclass(frozen=True, eq=False)
class Contour:
    """A point, a line or a closed ring in patient space.

    Attributes:
        points_mm: (n, 3) float64, LPS mm. The last point of a closed contour joins its first.
        kind: As DICOM names it: CLOSED_PLANAR, CLOSEDPLANAR_XOR, OPEN_PLANAR, OPEN_NONPLANAR or POINT
            (PS3.3 C.8.8.6.1).
        image_uids: SOP instances of the images that it was drawn on.
        slab_thickness_mm: How thick a slab it stands for, where the file says so: (3006,0044).
    """

    points_mm: Floats
    kind: str = "CLOSED_PLANAR"
    image_uids: tuple[str, ...] = ()
    slab_thickness_mm: float | None = None

    def __post_init__(self) -> None:
        points = np.array(self.points_mm, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ImagingError("not the points of a contour", wanted="(n, 3) numbers, LPS mm", got=str(points.shape))
        if not np.isfinite(points).all():
            where = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
            wanted = "finite numbers"
            raise ImagingError("a contour with a point nowhere", wanted=wanted, got=f"point {where}: {points[where]}")
        if self.kind not in CLOSED + OPEN:
            wanted = "one of " + ", ".join(CLOSED + OPEN)
            raise ImagingError("not a kind of contour", where="(3006,0042)", wanted=wanted, got=self.kind)
        points.setflags(write=False)
        object.__setattr__(self, "points_mm", points)

    @property
    def is_closed(self) -> bool:
        """Whether it encloses an area."""
        return self.kind in CLOSED


@dataclass(frozen=True, eq=False)
class Structure:
    """One region of interest.

    Attributes:
        name: As it was given, never changed.
        number: Of the region in its structure set.
        contours: In the file's order.
        color: Red, green and blue, 0 to 255.
        interpreted_type: Such as ORGAN, GTV, PTV, EXTERNAL (PS3.3 C.8.8.8.1); empty where the file does not say.
        frame_of_reference_uid: Of the space that its points are in.
        description: Free text.
        algorithm: AUTOMATIC, SEMIAUTOMATIC, MANUAL, or empty.
        plane_spacing_mm: Distance of contour planes in the whole structure set, for a structure with a single plane.
        issues: What is odd but has an answer: empty, points that repeat, no referenced image, ...
        blocking: What has none: contours that cannot be read or are not flat. A mask of the structure is refused.
    """

    name: str
    number: int
    contours: tuple[Contour, ...] = ()
    color: tuple[int, int, int] | None = None
    interpreted_type: str = ""
    frame_of_reference_uid: str | None = None
    description: str = ""
    algorithm: str = ""
    plane_spacing_mm: float | None = None
    issues: tuple[Issue, ...] = ()
    blocking: tuple[Issue, ...] = ()

    @property
    def closed(self) -> tuple[Contour, ...]:
        """Contours that can enclose an area: closed, of three points or more."""
        return tuple(contour for contour in self.contours if contour.is_closed and len(contour.points_mm) > 2)

    @property
    def is_empty(self) -> bool:
        """Whether no contour encloses an area."""
        return not self.closed


@dataclass(frozen=True, eq=False)
class Structures:
    """A structure set: its structures in the file's order, found by name or number.

    Attributes:
        structures: All of them, empty ones too.
        label: Of the set.
        sop_instance_uid: Of the file.
        frame_of_reference_uids: Of the spaces that the set refers to.
        image_uids: SOP instances of the images that it refers to.
        issues: Of the set as a whole.
    """

    structures: tuple[Structure, ...]
    label: str = ""
    sop_instance_uid: str = ""
    frame_of_reference_uids: tuple[str, ...] = ()
    image_uids: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()

    def __iter__(self) -> Iterator[Structure]:
        return iter(self.structures)

    def __len__(self) -> int:
        return len(self.structures)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the file's order; a name may come twice."""
        return tuple(structure.name for structure in self.structures)

    def __getitem__(self, name: str | int) -> Structure:
        """Returns the structure of a name or number.

        Raises:
            UnknownName: There is none.
            ImagingError: Several have that name; ask by number.
        """
        found = [each for each in self.structures if name in (each.name, each.number)]
        if not found:
            raise unknown_name("structure", str(name), self.names)
        if len(found) > 1:
            numbers = ", ".join(str(each.number) for each in found)
            raise ImagingError(f"several structures are named {name!r}", wanted="one of the numbers", got=numbers)
        return found[0]

    def all_issues(self) -> tuple[Issue, ...]:
        """Returns what is odd about the set and about each structure."""
        own = (issue for each in self.structures for issue in (*each.blocking, *each.issues))
        return (*self.issues, *own)

    def as_table(self) -> Any:
        """Returns a :class:`pandas.DataFrame` with one row a structure."""
        import pandas as pd  # noqa: PLC0415 - heavy, and only tables need it

        rows = [
            {
                "number": each.number,
                "name": each.name,
                "type": each.interpreted_type,
                "contours": len(each.contours),
                "points": sum(len(contour.points_mm) for contour in each.contours),
                "issues": "; ".join(str(issue) for issue in (*each.blocking, *each.issues)),
            }
            for each in self.structures
        ]
        return pd.DataFrame(rows, columns=["number", "name", "type", "contours", "points", "issues"])
