"""Two columns of a table as a drawing that needs no script and no style of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from braggbook.challenges.pages.charts import Scale, Tick, ticks_of
from braggbook.formats.dataset import NUMERIC, Column
from braggbook.hub.look.shown import PlotShown
from braggbook.notebooks.show import column_title

WIDTH, HEIGHT = 640, 360  # of the drawing's own units; the page scales it
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 14, 14, 52
_MOST_POINTS = 2_000  # in the drawing, at even distances of the table's rows
_LONGEST_TICK = 7  # characters
_LARGEST = 1e290  # beyond it the sums that place a point overflow
Floats = npt.NDArray[np.float64]


def plot_of(frame: pd.DataFrame, columns: dict[str, Column], *, name: str, rows: str) -> PlotShown | None:
    """Draws the first column with a physical unit (else the first of numbers) against the next that varies.

    Args:
        frame: As :func:`braggbook.datasets.tables.check_table` returns it.
        columns: What the card says of them.
        name: Of the file.
        rows: Which rows these are, as ``"72 rows"``.

    Returns:
        The drawing, or None where there are no two columns of numbers that vary.
    """
    pair = _pair(frame, columns)
    if pair is None:
        return None
    x, y = (_numbers(frame[one]) for one in pair)
    known = np.isfinite(x) & np.isfinite(y) & (np.abs(x) < _LARGEST) & (np.abs(y) < _LARGEST)
    x, y = x[known], y[known]
    titles = [column_title(columns[one].header or one, columns[one].unit) for one in pair]
    try:
        along, up = _axis(x, titles[0]), _axis(y, titles[1])
    except (ArithmeticError, ValueError):  # numbers so near to each other, or so far apart, that no axis holds them
        return None
    spans = [
        f"{title} runs from {_short(v.min())} to {_short(v.max())}" for title, v in zip(titles, (x, y), strict=True)
    ]
    about = f"{len(x)} points: {rows} of {name}. {'; '.join(spans)}."
    return PlotShown(_drawing(along, up, dots=_dots(along, up, x, y), about=about), titles[0], titles[1], len(x))


def _numbers(column: pd.Series) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _pair(frame: pd.DataFrame, columns: dict[str, Column]) -> tuple[str, str] | None:
    numeric = [str(one) for one in frame.columns if columns[str(one)].type in NUMERIC and _varies(_numbers(frame[one]))]
    physical = [one for one in numeric if columns[one].unit != "1"]
    if len(numeric) < 2:
        return None
    x = (physical or numeric)[0]
    both = [one for one in numeric if one != x and _varies(_numbers(frame[one])[np.isfinite(_numbers(frame[x]))])]
    return (x, both[0]) if both else None


def _varies(values: Floats) -> bool:
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() < finite.max())


@dataclass(frozen=True)
class _Axis:
    title: str
    scale: Scale
    ticks: list[Tick]


def _axis(values: Floats, title: str) -> _Axis:
    """Returns an axis for the values, its labels short.

    Raises:
        ArithmeticError, ValueError: No axis holds them.
    """
    scale, ticks = ticks_of(float(values.min()), float(values.max()))
    if not scale.low < scale.high < np.inf:
        raise ValueError(title)
    texts = [tick.text for tick in ticks]
    if max(map(len, texts)) > _LONGEST_TICK:
        texts = [_short(value) for value in np.linspace(scale.low, scale.high, len(ticks))]
    if len(set(texts)) < len(texts):
        raise ValueError(title)
    return _Axis(title, scale, [Tick(tick.at, text) for tick, text in zip(ticks, texts, strict=True)])


def _short(value: float) -> str:
    return f"{float(value):.4g}".replace("-", "−")


def _dots(along: _Axis, up: _Axis, x: Floats, y: Floats) -> str:
    """Returns the points as a path of strokes without length, which round caps make dots; equal ones once."""
    step = -(-len(x) // _MOST_POINTS)
    places = {
        (_across(along.scale.at(a)), _down(up.scale.at(b)))
        for a, b in zip(x[::step].tolist(), y[::step].tolist(), strict=True)
    }
    return "".join(f"M{a:g} {b:g}h0" for a, b in sorted(places))


def _across(percent: float) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * percent / 100, 1)


def _down(percent: float) -> float:
    return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - percent / 100), 1)


def _drawing(along: _Axis, up: _Axis, *, dots: str, about: str) -> Markup:
    low, right, middle = HEIGHT - _BOTTOM, WIDTH - _RIGHT, (_LEFT + WIDTH - _RIGHT) / 2
    id = f"plot-{hashlib.sha256(about.encode()).hexdigest()[:12]}"  # the page may have several
    size = {"font_size": 14, "text_anchor": "middle", "fill": "currentColor"}
    pen = {"fill": "none", "stroke": "currentColor"}
    turned = f"translate(18 {(_TOP + low) / 2:g}) rotate(-90)"
    parts = [
        _tag("title", f"{up.title} against {along.title}", id=f"{id}-t"),
        _tag("desc", about, id=f"{id}-d"),
        *(_level_tick(tick, low) for tick in along.ticks),
        *(_upward_tick(tick, right) for tick in up.ticks),
        _tag("path", class_="plot-axis", d=f"M{_LEFT} {_TOP}V{low}H{right}", **pen),
        _tag("path", class_="plot-dots", d=dots, stroke_width=6, stroke_linecap="round", stroke_opacity=0.65, **pen),
        _tag("text", along.title, class_="plot-title", x=f"{middle:g}", y=HEIGHT - 10, **size),
        _tag("text", up.title, class_="plot-title", transform=turned, **size),
    ]
    box = {"class_": "plot", "viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img"}
    return _tag("svg", *parts, aria_labelledby=f"{id}-t {id}-d", **box)


def _level_tick(tick: Tick, low: int) -> Markup:
    x = _across(tick.at)
    return _tick(f"M{x:g} {_TOP}V{low}", tick.text, x=x, y=low + 18, anchor="middle")


def _upward_tick(tick: Tick, right: int) -> Markup:
    y = _down(tick.at)
    return _tick(f"M{_LEFT} {y:g}H{right}", tick.text, x=_LEFT - 7, y=y + 4, anchor="end")


def _tick(line: str, text: str, *, x: float, y: float, anchor: str) -> Markup:
    grid = _tag("path", class_="plot-grid", d=line, fill="none", stroke="currentColor", stroke_opacity=0.15)
    size = {"font_size": 12, "text_anchor": anchor, "fill": "currentColor"}
    return grid + _tag("text", text, class_="plot-tick", x=f"{x:g}", y=f"{y:g}", **size)


def _tag(name: str, *inside: str, **attributes: Any) -> Markup:
    """Returns an element; texts and attributes are escaped, what is markup already is kept."""
    told = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items()
    )
    return Markup("<{}{}>{}</{}>").format(name, told, Markup("").join(inside), name)
