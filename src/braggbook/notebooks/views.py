"""Volumes as a journal prints them: three planes through one point, with what tells a reader where that is.

Conventions: the patient's left is on the right of axial and coronal planes, the head is up, and the front is up in an
axial and left in a sagittal plane (radiological convention). Planes are those of the voxel grid, turned and flipped so
that they come as near to that as they can; letters at their edges say which side of the patient is there (DICOM PS3.3
C.7.6.1.1.1: L, R, A, P, H, F; a second letter where the grid is oblique).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.resample import resample
from braggbook.imaging.volumes import grid_of

Array = npt.NDArray[Any]
Limits = tuple[float, float]

_SIDES = (("L", "R"), ("P", "A"), ("H", "F"))
_OBLIQUE = 0.17  # a share of 10 degrees: less of a second direction is not worth a letter
_BARS_MM = (1, 2, 5, 10, 20, 50, 100, 200)
_SOFT_TISSUE_HU = (-160.0, 240.0)  # window 400, level 40
_PERCENTILES = (1.0, 99.0)
_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2")  # Okabe and Ito
_HALO: list[AbstractPathEffect] = [
    withStroke(linewidth=2.4, foreground="black")
]  # so that lines and letters are seen on bright ground too
_SEE_THROUGH = 0.55
_WIDTH_INCHES = 7.2  # two columns of most journals
_AROUND_INCHES = 1.0  # titles above, a colour bar below
_OVERLAY_INCHES = 1.0  # a colour bar on the right
_LEGEND_INCHES = 0.22  # one row of it
_NAMES_IN_ROW = 4


@dataclass(frozen=True)
class _Plane:
    title: str
    across: int  # the patient's axis (0 x, 1 y, 2 z) that the plane lies across
    right: int  # the patient's axis to the right, which grows to the right
    up: int
    grows_up: bool


_PLANES = (
    _Plane("axial", across=2, right=0, up=1, grows_up=False),
    _Plane("coronal", across=1, right=0, up=2, grows_up=True),
    _Plane("sagittal", across=0, right=1, up=2, grows_up=True),
)


def three_planes(
    image: xr.DataArray,
    *,
    at_mm: tuple[float, float, float] | None = None,
    limits: Limits | None = None,
    cmap: str | Colormap = "gray",
    overlay: xr.DataArray | None = None,
    overlay_limits: Limits | None = None,
    overlay_cmap: str | Colormap = "inferno",
    masks: Mapping[str, xr.DataArray] | None = None,
) -> Figure:
    """Draws axial, coronal and sagittal planes through one point.

    Args:
        image: (z, y, x) of any orientation. Colour bars say its ``long_name`` (else its name) and ``units``.
        at_mm: The point (x, y, z), LPS mm; else the centre of the masks together, or of the image.
        limits: Values that are black and white; else a soft-tissue window for HU, 0 to the maximum for Gy, and
            percentiles 1 and 99 for others. Where values lie beyond them, the colour bar has a pointed end.
        cmap: Colour map of the image.
        overlay: (z, y, x), such as dose, laid over in colour where it is above the lower of its limits. On another grid
            it is brought to the image's by trilinear interpolation.
        overlay_limits: Values at the ends of its colours; else from a tenth of its maximum to its maximum.
        overlay_cmap: Colour map of the overlay: by name it is laid over half transparent, an object is taken as it is.
        masks: (z, y, x) each, by name, on the image's grid; drawn as outlines.

    Returns:
        A figure of three planes with scale bar, letters of the patient's sides, position, and colour bars with units.

    Raises:
        ImagingError: Not a volume of three dimensions, a point outside it, a mask on another grid, or nothing but NaN.
    """
    grid = require_volume(image, "the image")
    marked = require_masks(image, masks)
    index = _index_of(at_mm, grid, marked)
    order = _nearest_axes(grid)
    laid = _laid_over(overlay, grid)
    shown = limits or limits_of(image)
    canvases = [_Canvas(plane, grid, index, order) for plane in _PLANES]
    size = _size(canvases, overlaid=laid is not None, named=len(marked))
    figure, places = plt.subplots(
        1, 3, figsize=size, layout="constrained", width_ratios=[canvas.width for canvas in canvases]
    )
    bar_mm = next((size for size in reversed(_BARS_MM) if size <= min(canvas.width for canvas in canvases) / 3), 1)
    drawn: dict[str, Any] = {}
    for canvas, axes in zip(canvases, places, strict=True):
        canvas.axes = axes
        drawn["image"] = canvas.draw(image, cmap=cmap, limits=shown)
        if laid is not None:
            span = overlay_limits or overlay_limits_of(laid)
            drawn["overlay"] = canvas.draw(laid, cmap=overlay_cmap, limits=span, above=span[0])
        for colour, mask in zip(_cycled(len(marked)), marked.values(), strict=True):
            canvas.outline(mask, colour)
        canvas.describe(bar_mm)
    _bars(figure, places, drawn, {"image": image, "overlay": laid})
    if marked:
        _legend(figure, list(marked))
    return figure


def require_volume(volume: xr.DataArray, what: str) -> Grid:
    """Returns the grid of a volume.

    Raises:
        ImagingError: It has not three dimensions.
    """
    if volume.dims != ("z", "y", "x"):
        got = ", ".join(map(str, volume.dims))
        raise ImagingError("not one volume", where=what, wanted="dims z, y, x; choose t or c with isel", got=got)
    return grid_of(volume)


def require_masks(image: xr.DataArray, masks: Mapping[str, xr.DataArray] | None) -> dict[str, xr.DataArray]:
    """Returns masks that lie on an image's grid.

    Raises:
        ImagingError: One does not.
    """
    grid = require_volume(image, "the image")
    return {name: _on_grid(mask, grid, name) for name, mask in (masks or {}).items()}


def _on_grid(mask: xr.DataArray, grid: Grid, name: str) -> xr.DataArray:
    if not require_volume(mask, name).is_same(grid):
        raise ImagingError("a mask on another grid", where=name, wanted="the image's grid: structure_mask(..., grid)")
    return mask


def _index_of(at_mm: tuple[float, float, float] | None, grid: Grid, masks: Mapping[str, xr.DataArray]) -> Array:
    """Returns the voxel (x, y, z) that the planes go through."""
    shape = np.array(grid.shape[::-1])
    if at_mm is None:
        filled = [mask for mask in masks.values() if bool((mask > 0).any())]
        if not filled:
            return shape // 2
        centres = [np.argwhere(np.asarray(mask) > 0).mean(axis=0)[::-1] for mask in filled]
        centre: Array = np.clip(np.rint(np.mean(centres, axis=0)), 0, shape - 1).astype(int)
        return centre
    index = np.rint(grid.to_index(at_mm)).astype(int)
    if (index < 0).any() or (index >= shape).any():
        low, high = np.sort(grid.to_patient(grid.corner_indices()), axis=0)[[0, -1]].round(1).tolist()
        raise ImagingError(
            "a point outside the image", where="at_mm", wanted=f"within {low} and {high}", got=str(at_mm)
        )
    return index


def _nearest_axes(grid: Grid) -> tuple[int, int, int]:
    """Returns for each of the patient's axes x, y, z the grid's axis (0 x, 1 y, 2 z) that runs nearest to it."""
    share = np.abs(grid.directions)  # rows: the grid's axes; columns: the patient's
    found = [-1, -1, -1]
    for _ in range(3):
        own, patient = np.unravel_index(int(np.argmax(share)), share.shape)
        found[int(patient)] = int(own)
        share[own, :] = -1
        share[:, patient] = -1
    return found[0], found[1], found[2]


def limits_of(image: xr.DataArray) -> Limits:
    """Returns values that are black and white where nobody chose them.

    Raises:
        ImagingError: There is no number in it.
    """
    if image.attrs.get("units") == "HU":
        return _SOFT_TISSUE_HU
    values = np.asarray(image)
    values = values[np.isfinite(values)]
    if not values.size:
        raise ImagingError("nothing to draw", where=str(image.name), wanted="finite values", got="NaN only")
    if image.attrs.get("units") == "Gy":
        return 0.0, float(values.max()) or 1.0
    low, high = np.percentile(values, _PERCENTILES)
    return float(low), float(high if high > low else low + 1)


def _laid_over(overlay: xr.DataArray | None, grid: Grid) -> xr.DataArray | None:
    if overlay is None:
        return None
    return overlay if require_volume(overlay, "the overlay").is_same(grid) else resample(overlay, grid)


def overlay_limits_of(overlay: xr.DataArray) -> Limits:
    """Returns values at the ends of an overlay's colours where nobody chose them."""
    highest = float(overlay.max())
    return (0.1 * highest, highest) if highest > 0 else (0.0, 1.0)


class _Canvas:
    """One plane of a grid, and the axes that it is drawn on."""

    axes: Axes

    def __init__(self, plane: _Plane, grid: Grid, index: Array, order: tuple[int, int, int]) -> None:
        self.plane, self.grid, self.index = plane, grid, index
        self.across, self.right, self.up = (order[axis] for axis in (plane.across, plane.right, plane.up))
        self.flips = [grid.directions[own, axis] < 0 for own, axis in ((self.right, plane.right), (self.up, plane.up))]
        size = np.array(grid.shape[::-1]) * np.array(grid.spacing_mm[::-1])
        self.width, self.height = float(size[self.right]), float(size[self.up])

    def values(self, volume: xr.DataArray) -> Array:
        """Returns (row, column): columns grow to the right of the page, rows along the plane's second axis."""
        plane = volume.isel({"xyz"[self.across]: int(self.index[self.across])})
        part: Array = np.asarray(plane.transpose("xyz"[self.up], "xyz"[self.right]))
        if self.flips[0]:
            part = part[:, ::-1]
        return part[::-1] if self.flips[1] else part

    def draw(self, volume: xr.DataArray, *, cmap: str | Colormap, limits: Limits, above: float | None = None) -> Any:
        """Draws values as colours, and returns what a colour bar describes."""
        values = self.values(volume)
        if above is not None:
            values = np.ma.masked_where(~(values >= above), values)
        origin: Literal["lower", "upper"] = "lower" if self.plane.grows_up else "upper"
        extent = (0.0, self.width, 0.0, self.height) if self.plane.grows_up else (0.0, self.width, self.height, 0.0)
        alpha = _SEE_THROUGH if above is not None and isinstance(cmap, str) else None
        low, high = limits
        return self.axes.imshow(
            values, cmap=cmap, vmin=low, vmax=high, extent=extent, origin=origin, alpha=alpha, interpolation="nearest"
        )

    def outline(self, mask: xr.DataArray, colour: str) -> None:
        """Draws the edge of a mask."""
        values = self.values(mask).astype(float)
        if not (values > 0.5).any():
            return
        padded = np.pad(values, 1)  # so that an outline closes at the image's edge
        rows, columns = values.shape
        x = (np.arange(columns + 2) - 0.5) * self.width / columns
        y = (np.arange(rows + 2) - 0.5) * self.height / rows
        line = self.axes.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=1.2)
        line.set_path_effects(_HALO)

    def describe(self, bar_mm: int) -> None:
        """Adds title, letters and scale bar."""
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(*((0, self.height) if self.plane.grows_up else (self.height, 0)))
        place = self.grid.to_patient(self.index)[self.plane.across]
        at = f"{place:.1f}".replace("-", "\N{MINUS SIGN}")  # as on the colour bars
        self.axes.set_title(f"{self.plane.title}, {'xyz'[self.plane.across]} = {at} mm", fontsize=8)
        self.axes.set_xticks([])
        self.axes.set_yticks([])
        self.axes.spines[:].set_visible(False)  # else a notebook's style frames two sides of four
        right = self.grid.directions[self.right] * (-1 if self.flips[0] else 1)
        grows = self.grid.directions[self.up] * (-1 if self.flips[1] else 1)
        up = grows if self.plane.grows_up else -grows
        for (x, y), direction in (((0.98, 0.5), right), ((0.02, 0.5), -right), ((0.5, 0.97), up), ((0.5, 0.03), -up)):
            self._letter(x, y, _side(direction))
        self._scale(bar_mm)

    def _scale(self, bar_mm: int) -> None:
        bar = AnchoredSizeBar(
            self.axes.transData, bar_mm, f"{bar_mm} mm", "lower left", color="white", frameon=False,
            size_vertical=0, fontproperties=mpl.font_manager.FontProperties(size=7), pad=0.4, sep=2,
        )  # fmt: skip
        bar.txt_label.get_children()[0].set_path_effects(_HALO)
        bar.size_bar.get_children()[0].set_path_effects([withStroke(linewidth=3.0, foreground="black")])
        self.axes.add_artist(bar)

    def _letter(self, x: float, y: float, text: str) -> None:
        across = {0.98: "right", 0.02: "left"}.get(x, "center")
        along = {0.97: "top", 0.03: "bottom"}.get(y, "center")
        box = {"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.45, "linewidth": 0}
        self.axes.text(
            x, y, text, transform=self.axes.transAxes, color="white", fontsize=8, fontweight="bold", ha=across,
            va=along, bbox=box,
        )  # fmt: skip


def _side(direction: Array) -> str:
    """Returns the side of the patient towards which a direction points, its largest part first."""
    order = np.argsort(-np.abs(direction))
    return "".join(_SIDES[axis][0 if direction[axis] > 0 else 1] for axis in order if abs(direction[axis]) > _OBLIQUE)


def _size(canvases: list[_Canvas], *, overlaid: bool, named: int) -> tuple[float, float]:
    """Returns inches of a figure in which all planes are to one scale."""
    width = 0.95 * (_WIDTH_INCHES - (_OVERLAY_INCHES if overlaid else 0.0))
    share = max(canvas.height for canvas in canvases) / sum(canvas.width for canvas in canvases)
    rows = _legend_rows(named)
    return _WIDTH_INCHES, width * min(share, 1.0) + _AROUND_INCHES + rows * _LEGEND_INCHES


def _legend_rows(named: int) -> int:
    return -(-named // _NAMES_IN_ROW)


def _cycled(count: int) -> list[str]:
    return [_COLOURS[number % len(_COLOURS)] for number in range(count)]


def _bars(figure: Figure, places: Any, drawn: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    for name, picture in drawn.items():
        units = said[name].attrs.get("units", "")
        text = str(said[name].attrs.get("long_name") or said[name].attrs.get("modality") or said[name].name or name)
        place: dict[str, Any] = {"location": "bottom", "shrink": 0.5, "aspect": 30}
        if name == "overlay":
            place = {"location": "right", "shrink": 0.8, "aspect": 20}
        beyond = _beyond(said[name], picture.get_clim(), below=name == "image")
        bar = figure.colorbar(picture, ax=places, extend=beyond, **place)
        bar.set_label(f"{text} ({units})" if units and units != "1" else text, fontsize=8)
        bar.ax.tick_params(labelsize=7)


def _beyond(volume: xr.DataArray, limits: Limits, *, below: bool) -> Literal["neither", "min", "max", "both"]:
    """Returns at which ends values lie beyond the limits; an overlay has none below, it is not drawn there."""
    low = below and float(volume.min()) < limits[0]
    high = float(volume.max()) > limits[1]
    return "both" if low and high else "min" if low else "max" if high else "neither"


def _legend(figure: Figure, names: list[str]) -> None:
    lines = [
        mpl.lines.Line2D([], [], color=colour, label=name)
        for colour, name in zip(_cycled(len(names)), names, strict=True)
    ]
    columns = -(-len(names) // _legend_rows(len(names)))  # rows as even as can be
    figure.legend(handles=lines, loc="outside upper center", ncols=columns, fontsize=8, frameon=False)
