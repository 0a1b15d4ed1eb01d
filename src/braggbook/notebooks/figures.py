"""A matplotlib figure as a result: its drawing as SVG and PNG, and the numbers that are drawn in it."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.collections import Collection, LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.spines import Spine

from braggbook.errors import ResultError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PNG_DPI = 150
# Without these two, the same figure gets other identifiers and another date in its SVG each time.
_SVG: dict[Any, Any] = {"svg.hashsalt": "braggbook"}
_NO_DATE = {"Date": None}


def draw_figure(value: Any, *, name: str) -> dict[str, Any]:
    """Returns the JSON fields of a figure result, and closes the figure so that Jupyter does not show it twice.

    Raises:
        ResultError: ``value`` is neither a figure nor something drawn in one.
    """
    figure = value if isinstance(value, Figure) else getattr(value, "figure", None)
    if not isinstance(figure, Figure):
        raise ResultError(
            "not a figure",
            where=f"bb.result({name!r}, ...)",
            wanted="a matplotlib Figure",
            got=type(value).__name__,
        )
    svg, png = io.StringIO(), io.BytesIO()
    with mpl.rc_context(_SVG):
        figure.savefig(svg, format="svg", bbox_inches="tight", metadata=_NO_DATE)
        figure.savefig(png, format="png", bbox_inches="tight", dpi=_PNG_DPI, metadata={"Software": None})
    axes = [_axes(axis) for axis in figure.axes]
    plt.close(figure)
    return {
        "kind": "figure",
        "svg": svg.getvalue(),
        "png": base64.b64encode(png.getvalue()).decode(),
        "axes": axes,
    }


def _axes(axis: Axes) -> dict[str, Any]:
    shown = [artist for artist in axis.get_children() if artist.get_visible()]
    marks = [_mark(artist) for artist in shown if artist is not axis.patch]
    return {
        "title": axis.get_title(),
        "x": {"label": axis.get_xlabel(), "scale": axis.get_xscale()},
        "y": {"label": axis.get_ylabel(), "scale": axis.get_yscale()},
        "marks": [mark for mark in marks if mark],
    }


def _mark(artist: Artist) -> dict[str, Any] | None:
    if isinstance(artist, mpl.lines.Line2D):
        return {
            "type": "line",
            **_label(artist),
            "x": _numbers(artist.get_xdata(orig=False)),  # categories and dates as the numbers that place them
            "y": _numbers(artist.get_ydata(orig=False)),
        }
    if isinstance(artist, LineCollection):
        return {
            "type": "segments",
            **_label(artist),
            "points": [_numbers(part) for part in artist.get_segments()],
        }
    if isinstance(artist, Collection):
        return _collection(artist)
    if isinstance(artist, mpl.image.AxesImage):
        return {"type": "image", **_label(artist), "values": _numbers(artist.get_array())}
    if isinstance(artist, mpl.text.Annotation):
        return {"type": "note", "text": artist.get_text(), "at": [_number(part) for part in artist.xy]}
    if isinstance(artist, Patch) and not isinstance(artist, Spine) and _in_data(artist):
        vertices = artist.get_patch_transform().transform_path(artist.get_path()).vertices
        return {"type": "patch", **_label(artist), "points": _numbers(vertices)}
    return None


def _in_data(artist: Patch) -> bool:
    # one direction is enough: a shaded span has numbers in x, and the whole height in y
    return any(artist.get_transform().contains_branch_seperately(artist.axes.transData))  # type: ignore[union-attr]


def _collection(artist: Collection) -> dict[str, Any]:
    mark: dict[str, Any] = {"type": "points", **_label(artist), "points": _numbers(artist.get_offsets())}
    if not artist.get_offset_transform().contains_branch(artist.axes.transData):  # type: ignore[union-attr]
        mark = {
            "type": "areas",
            **_label(artist),
            "points": [_numbers(path.vertices) for path in artist.get_paths()],
        }
    values = artist.get_array()
    return mark if values is None else {**mark, "values": _numbers(values)}


def _label(artist: Artist) -> dict[str, str]:
    label = str(artist.get_label())
    return {} if label.startswith("_") else {"label": label}


def _numbers(values: Any) -> Any:
    array = np.ma.filled(np.ma.asarray(values).astype(float), np.nan)
    nested = array.astype(object)
    nested[~np.isfinite(array)] = None  # JSON has no NaN; a gap in a line is null
    return nested.tolist()


def _number(value: Any) -> Any:
    # a note on a category or date axis is placed by the category or date itself
    return float(value) if isinstance(value, int | float | np.number) and np.isfinite(value) else str(value)
