"""What a preview consists of."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

Kind = Literal["table", "volume", "labels", "picture", "text", "nothing"]


@dataclass(frozen=True)
class ColumnShown:
    """A column of a table: its title with the unit, and what it means."""

    name: str
    title: str
    type: str
    unit: str
    meaning: str
    numeric: bool


@dataclass(frozen=True)
class TableShown:
    """The first rows of a table; ``whole`` says whether those are counted in ``rows`` that the file has in all."""

    columns: tuple[ColumnShown, ...]
    cells: tuple[tuple[str, ...], ...]
    rows: int
    whole: bool


@dataclass(frozen=True)
class PlotShown:
    """Two columns against each other: SVG of ours, its every text escaped, that takes its colours from the page.

    Classes: ``plot`` (the drawing), ``plot-grid``, ``plot-axis``, ``plot-tick``, ``plot-title``, ``plot-dots``.
    """

    svg: Markup
    x: str
    y: str
    points: int


@dataclass(frozen=True)
class Picture:
    """A picture in pixels, and what a reader who does not see it is told."""

    data: bytes
    type: str
    width: int
    height: int
    title: str
    alt: str
    edges: tuple[str, str, str, str] = ("", "", "", "")  # letters of the patient's sides: top, right, bottom, left

    @property
    def address(self) -> str:
        """The picture as a ``data:`` address, so that it needs no route."""
        return f"data:{self.type};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class LabelShown:
    """A label of a mask: its number, its colour in the pictures (for an SVG's ``fill``), and its size."""

    value: int
    colour: str
    voxels: int


@dataclass(frozen=True)
class Preview:
    """A glance at a file.

    Attributes:
        path: As the card names the file, or the folder of a Zarr store.
        kind: What is shown.
        says: One sentence: what one sees, or why there is nothing to see.
        viewable: Whether its voxels can be looked through with the viewer, see :mod:`braggbook.hub.look.viewing`.
    """

    path: str
    kind: Kind
    says: str
    table: TableShown | None = None
    plot: PlotShown | None = None
    pictures: tuple[Picture, ...] = ()
    labels: tuple[LabelShown, ...] = ()
    text: str = ""
    viewable: bool = False


def nothing(path: str, why: str) -> Preview:
    """Returns a preview that says why there is none."""
    return Preview(path, "nothing", why)
