"""Figures: the numbers that are drawn are what is kept, and one figure is always the same bytes."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from braggbook.errors import ResultError
from braggbook.notebooks.figures import draw_figure

from .notebook_helpers import encode, through_json

mpl.use("agg")
DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
DAY_NUMBER = 19723.0  # days since 1970


def _drawn(draw: Callable[[Axes], Any]) -> list[dict[str, Any]]:
    """Returns the axes of a figure in which ``draw`` has drawn."""
    figure = Figure(figsize=(1, 1))
    axes = figure.subplots()
    draw(axes)
    axes.set_axis_off()  # the ticks are what takes time
    return draw_figure(figure, name="plot")["axes"]


def _marks(draw: Callable[[Axes], Any]) -> list[dict[str, Any]]:
    return _drawn(draw)[0]["marks"]


def test_a_line_is_its_points_and_a_gap_is_null() -> None:
    marks = _marks(lambda axes: axes.plot([1, 2, 3], [3, np.nan, np.inf], label="fit"))
    assert marks == [{"type": "line", "label": "fit", "x": [1.0, 2.0, 3.0], "y": [3.0, None, None]}]


def test_masked_points_are_gaps() -> None:
    (mark,) = _marks(lambda axes: axes.plot([1, 2], np.ma.masked_array([3, 4], mask=[False, True])))
    assert mark["y"] == [3.0, None]
    assert "label" not in mark, "a label that matplotlib made up is nobody's"


def test_error_bars_are_segments_beside_their_line() -> None:
    marks = _marks(lambda axes: axes.errorbar([1, 2], [3, 4], yerr=[[0.5, 0.25], [1, 2]], fmt="o"))
    assert {mark["type"]: mark for mark in marks}["line"]["y"] == [3.0, 4.0]
    assert {mark["type"]: mark for mark in marks}["segments"]["points"] == [
        [[1.0, 2.5], [1.0, 4.0]],
        [[2.0, 3.75], [2.0, 6.0]],
    ]


def test_a_scatter_keeps_places_and_the_numbers_of_its_colours() -> None:
    (mark,) = _marks(lambda axes: axes.scatter([1, 2], [3, 4], c=[5, 6], label="data"))
    assert mark == {"type": "points", "label": "data", "points": [[1.0, 3.0], [2.0, 4.0]], "values": [5.0, 6.0]}
    (plain,) = _marks(lambda axes: axes.scatter([1], [3]))
    assert "values" not in plain


def test_a_band_is_its_outline() -> None:
    (mark,) = _marks(lambda axes: axes.fill_between([1, 2], [0, 0.5], [1, 2]))
    assert mark["type"] == "areas"
    assert {tuple(point) for point in mark["points"][0]} == {(1.0, 0.0), (1.0, 1.0), (2.0, 0.5), (2.0, 2.0)}


def test_bars_are_outlines_in_numbers_even_of_categories() -> None:
    for places in ([0, 1], ["CAL 33", "OKF6"]):
        marks = _marks(lambda axes, places=places: axes.bar(places, [3, 4], width=1))
        assert [mark["type"] for mark in marks] == ["patch", "patch"]
        assert marks[1]["points"] == [[0.5, 0.0], [1.5, 0.0], [1.5, 4.0], [0.5, 4.0], [0.5, 0.0]]


def test_an_image_is_its_pixels() -> None:
    assert _marks(lambda axes: axes.imshow([[1, 2], [3, np.nan]])) == [
        {"type": "image", "values": [[1.0, 2.0], [3.0, None]]}
    ]
    (colours,) = _marks(lambda axes: axes.imshow(np.zeros((2, 3, 3))))
    assert np.shape(colours["values"]) == (2, 3, 3)


def test_a_mesh_is_its_cells_and_values() -> None:
    (mark,) = _marks(lambda axes: axes.pcolormesh([0, 1, 2], [0, 1], [[5, 6]]))
    assert mark["type"] == "areas"
    assert np.shape(mark["points"]) == (2, 5, 2)
    assert mark["values"] == [[5.0, 6.0]]


def test_a_note_is_its_text_and_place() -> None:
    assert _marks(lambda axes: axes.annotate("D10", (4.6, 0.1))) == [{"type": "note", "text": "D10", "at": [4.6, 0.1]}]


def test_lines_and_spans_across_the_axes_count() -> None:
    line, span = _marks(lambda axes: (axes.axvline(3), axes.axvspan(1, 2)))
    assert line == {"type": "line", "x": [3.0, 3.0], "y": [0.0, 1.0]}
    assert {point[0] for point in span["points"]} == {1.0, 2.0}


@pytest.mark.parametrize(
    ("places", "numbers"),
    [
        (["CAL 33", "OKF6", "CAL 33"], [0.0, 1.0, 0.0]),
        ([DAY, DAY + datetime.timedelta(1)], [DAY_NUMBER, DAY_NUMBER + 1]),
        (np.array(["2024-01-01", "2024-01-02"], dtype="M8[ns]"), [DAY_NUMBER, DAY_NUMBER + 1]),
        ([datetime.date(2024, 1, 1)], [DAY_NUMBER]),
    ],
    ids=["categories", "datetimes", "datetime64", "dates"],
)
def test_categories_and_dates_are_the_numbers_that_place_them(places: Any, numbers: list[float]) -> None:
    (line,) = _marks(lambda axes: axes.plot(places, np.arange(len(places))))
    assert line["x"] == numbers
    (points,) = _marks(lambda axes: axes.scatter(places, np.arange(len(places))))
    assert [x for x, _ in points["points"]] == numbers


def test_notes_on_categories_and_dates_can_be_drawn() -> None:
    for place in ("CAL 33", DAY):
        marks = _marks(lambda axes, place=place: (axes.plot([place], [1]), axes.annotate("here", (place, 1))))
        assert marks[1]["at"] == [str(place), 1.0]


def test_axes_say_what_they_show() -> None:
    def draw(axes: Axes) -> None:
        axes.set(xlabel="dose (Gy)", ylabel="survival", title="CAL 33", yscale="log")

    assert _drawn(draw) == [
        {
            "title": "CAL 33",
            "x": {"label": "dose (Gy)", "scale": "linear"},
            "y": {"label": "survival", "scale": "log"},
            "marks": [],
        }
    ]


def test_what_is_not_shown_or_carries_no_number_is_left_out() -> None:
    def draw(axes: Axes) -> None:
        axes.plot([1], [1], visible=False)
        axes.plot([2], [2], label="shown")
        axes.legend()
        axes.text(1, 1, "words")
        axes.grid()

    assert [mark.get("label") for mark in _marks(draw)] == ["shown"]


def test_every_axes_of_a_figure_counts() -> None:
    figure = Figure(figsize=(2, 2))
    first, second = figure.subplots(1, 2)
    first.plot([1], [1])
    second.twinx().plot([2], [2])
    axes = draw_figure(figure, name="plot")["axes"]
    assert [len(one["marks"]) for one in axes] == [1, 0, 1]


def _figure() -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.errorbar([1, 2], [0.5, 0.1], yerr=0.05, label="plates", capsize=2)
    axes.fill_between([1, 2], [0.4, 0.05], [0.6, 0.2], alpha=0.3, hatch="/")
    axes.imshow([[1, 2]], extent=(1, 2, 0, 1), clip_path=axes.patch)
    axes.set(xlabel="dose (Gy)", title=r"$\alpha/\beta$")
    axes.legend()
    return figure


def test_one_figure_is_the_same_bytes_twice() -> None:
    first, second = (draw_figure(_figure(), name="plot") for _ in range(2))
    assert first == second
    assert "<dc:date>" not in first["svg"]
    assert first["svg"].lstrip().startswith("<?xml")
    assert base64.b64decode(first["png"])[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_persons_own_hash_salt_does_not_matter() -> None:
    plain = draw_figure(_figure(), name="plot")
    with mpl.rc_context({"svg.hashsalt": "another"}):
        assert draw_figure(_figure(), name="plot") == plain


def test_what_is_drawn_is_json() -> None:
    declared = through_json(encode(_figure(), alt="a curve"))
    assert declared.alt == "a curve"
    json.dumps(declared.axes, allow_nan=False)


def test_the_figure_is_closed_so_that_jupyter_does_not_show_it_again() -> None:
    figure, axes = plt.subplots()
    axes.plot([1], [1])
    assert plt.fignum_exists(figure.number)
    draw_figure(axes, name="plot")  # anything that is drawn in a figure stands for it
    assert not plt.fignum_exists(figure.number)


def test_something_else_from_matplotlib_is_no_figure() -> None:
    with pytest.raises(ResultError, match=r"not a figure; wanted a matplotlib Figure, got \w*Colormap"):
        encode(mpl.colormaps["viridis"])
