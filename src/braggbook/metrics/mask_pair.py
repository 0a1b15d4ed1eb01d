"""Two masks on one grid, with what several metrics need of them found once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from braggbook.metrics.definitions import Situation
from braggbook.metrics.masks import Floats, Mask, check_masks
from braggbook.metrics.surfaces import Border, SurfaceDistances, surface_distances


@dataclass(frozen=True, eq=False)
class MaskPair:
    """A reference and an estimate, checked; what metrics of masks are functions of.

    Attributes:
        reference: (y, x) or (z, y, x), true inside.
        estimate: The same.
        spacing_mm: One number for each axis; ones where no metric needs it.
    """

    reference: Mask
    estimate: Mask
    spacing_mm: Floats
    _found: dict[Border, SurfaceDistances] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        reference: Any,
        estimate: Any,
        spacing_mm: Sequence[float] | Floats | None = None,
        *,
        needs_spacing: bool = True,
    ) -> MaskPair:
        """Checks two masks, as :func:`braggbook.metrics.masks.check_masks` does, which also says what is raised."""
        return cls(*check_masks(reference, estimate, spacing_mm, needs_spacing=needs_spacing))

    def situation(self) -> Situation | None:
        """Which of the two is empty; None if neither is."""
        there, found = bool(self.reference.any()), bool(self.estimate.any())
        if there and found:
            return None
        return "only_estimate" if there else "only_reference" if found else "both"

    def distances(self, border: Border) -> SurfaceDistances:
        """Distances between the surfaces, found when they are first asked for.

        Raises:
            NoValue: One of the masks is empty, or both.
        """
        if border not in self._found:
            self._found[border] = surface_distances(
                self.reference, self.estimate, spacing_mm=self.spacing_mm, border=border
            )
        return self._found[border]
