"""Where things lie in the drawings of a board. Along the page in percent of its width, down it in pixels.

So a drawing fills a narrow screen and a wide one, and its letters keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from braggbook.challenges.pages.words import METHOD_NAMES, number_text, rank_text, tau_text
from braggbook.formats.board import Board, MetricShown, Row
from braggbook.formats.challenge import Method

EDGE = 3.0  # percent that stay free at either side, so that no mark is cut
LINE = 26  # pixels from one team to the next
COLOURS = 6  # of the lines, as many as style.css has
CELL, SMALL_CELL, FEW = 20, 16, 24  # pixels of a cell of the map; how many teams have large ones
_TICKS = 5  # about
_DISTINCT = 0.2  # percent: points that are nearer to each other are drawn once


@dataclass(frozen=True)
class Scale:
    """From values to percent of the width."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Returns where a value lies."""
        part = (value - self.low) / (self.high - self.low)
        return round(EDGE + (100 - 2 * EDGE) * min(max(part, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Tick:
    """A line of the axis with its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Box:
    """A box plot: its places in percent, and down in pixels."""

    row: Row
    y: float
    low: float
    q1: float
    median: float
    q3: float
    high: float
    value: float
    beyond: list[float]


@dataclass(frozen=True)
class BoxPlots:
    """Box plots of one metric on a common axis."""

    metric: MetricShown
    boxes: list[Box]
    ticks: list[Tick]
    height: int


@dataclass(frozen=True)
class Bar:
    """The interval of a rank on the axis of all ranks, in percent."""

    low: float
    high: float
    rank: float


@dataclass(frozen=True)
class Dot:
    """A rank by one method."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Course:
    """The ranks of one team by every method."""

    row: Row
    colour: int
    begin: float  # y of its name, in pixels
    dots: list[Dot]


@dataclass(frozen=True)
class Head:
    """The head of a method's column."""

    method: Method
    name: str
    tau: str
    own: bool


@dataclass(frozen=True)
class Strip:
    """How the order depends on the method."""

    heads: list[Head]
    courses: list[Course]
    height: int


@dataclass(frozen=True)
class Map:
    """Who is significantly better than whom, by one metric."""

    metric: MetricShown
    names: list[str]
    cell: int
    better: list[tuple[int, int]]  # row, column
    worse: list[tuple[int, int]]


def bar(row: Row, count: int) -> Bar:
    """Returns where a row's rank and interval lie among ``count`` ranks."""
    scale = Scale(1, count) if count > 1 else Scale(0, 2)
    return Bar(scale.at(row.interval[0]), scale.at(row.interval[1]), scale.at(row.rank))


def ticks_of(low: float, high: float) -> tuple[Scale, list[Tick]]:
    """Returns a scale that holds two values, and round numbers on it."""
    if low == high:
        reach = abs(low) / 10 or 0.5
        low, high = low - reach, high + reach
    rough = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(times * size for times in (1, 2, 2.5, 5, 10) if times * size >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    scale = Scale(first * step, last * step)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if step / size == 2.5 else 0)
    return scale, [Tick(scale.at(at * step), number_text(at * step, digits)) for at in range(first, last + 1)]


def box_plots(metric: MetricShown, rows: Sequence[Row]) -> BoxPlots | None:
    """Draws the scores by case of one metric; None where nobody has any, or the reader may not see them."""
    shown = [(row, row.scores[metric.id], row.scores[metric.id].spread) for row in rows if metric.id in row.scores]
    ends = [end for _, _, spread in shown if spread for end in (spread.low, spread.high, *spread.beyond)]
    if not ends:
        return None
    scale, ticks = ticks_of(min(ends), max(ends))
    boxes = [
        Box(
            row, LINE * (at + 0.5), scale.at(spread.low), scale.at(spread.q1), scale.at(spread.median),
            scale.at(spread.q3), scale.at(spread.high), scale.at(standing.value),
            _apart([scale.at(value) for value in spread.beyond]),
        )
        for at, (row, standing, spread) in enumerate((row, one, spread) for row, one, spread in shown if spread)
    ]  # fmt: skip
    return BoxPlots(metric, boxes, ticks, LINE * len(boxes))


def _apart(places: list[float]) -> list[float]:
    """Returns places without those that one would not see apart."""
    return sorted({round(round(place / _DISTINCT) * _DISTINCT, 1) for place in places})


def strip(board: Board, rows: Sequence[Row]) -> Strip | None:
    """Draws the ranks by every method; None where there is nothing to compare."""
    methods = [method for method in METHOD_NAMES if method in board.methods_agree]
    if len(methods) < 2 or len(rows) < 2 or any(method not in row.by_method for row in rows for method in methods):
        return None
    below = any(row.by_method[method] > len(rows) for row in rows for method in methods)
    courses = []
    for at, row in enumerate(rows):
        dots = [
            Dot((number + 0.5) * 100 / len(methods), LINE * (min(row.by_method[method], len(rows) + 1) - 0.5),
                rank_text(row.by_method[method]))
            for number, method in enumerate(methods)
        ]  # fmt: skip
        courses.append(Course(row, at % COLOURS, LINE * (at + 0.5), dots))
    heads = [
        Head(method, METHOD_NAMES[method], tau_text(board.methods_agree[method]), method == board.method)
        for method in methods
    ]
    return Strip(heads, courses, LINE * (len(rows) + below))


def significance_map(metric: MetricShown, better: Mapping[str, Sequence[str]], rows: Sequence[Row]) -> Map | None:
    """Draws who is significantly better than whom; None where there are no two."""
    names = [row.team for row in rows]
    place = {name: at for at, name in enumerate(names)}
    if len(names) < 2:
        return None
    pairs = [(place[name], place[other]) for name in names for other in better.get(name, ()) if other in place]
    cell = CELL if len(names) <= FEW else SMALL_CELL
    return Map(metric, names, cell, pairs, [(column, row) for row, column in pairs])
