"""The page of a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from braggbook.challenges.pages import charts, words
from braggbook.challenges.pages.template import drawn
from braggbook.errors import UnknownName
from braggbook.formats.board import Board, MetricShown, Row
from braggbook.formats.challenge import Design
from braggbook.metrics.definitions import definition

MOST_DRAWN = 50
"""Teams in a drawing. More lines than that are read by nobody; the table and board.json have all."""
_MOST_LEFT = 200  # submissions that are listed as not on the board
_MOST_NAMES = 12  # of teams in one line of text
LINKS = (("run", "run"), ("record", "record"), ("binder", "open in Binder"))


@dataclass(frozen=True)
class Cell:
    """A score in the table."""

    exact: float | None
    text: str
    letters: str  # of the groups that the team is in


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    row: Row
    shared: bool
    cells: list[Cell]
    bar: charts.Bar
    interval: str
    first: str | None  # None where nothing was drawn
    alone: str
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class Column:
    """A metric of the table."""

    metric: MetricShown
    unit: str
    better: str
    says: str  # the metric's definition
    decimals: int


@dataclass(frozen=True)
class Names:
    """Names in one line of text."""

    shown: list[str]
    more: int


@dataclass(frozen=True)
class Group:
    """Teams that cannot be told apart."""

    letter: str
    names: Names


@dataclass(frozen=True)
class Compared:
    """What the paired tests say by one metric."""

    column: Column
    map: charts.Map | None
    groups: list[Group]
    better: list[tuple[str, Names]]  # team, whom it is better than


def render_board(
    board: Board,
    *,
    links: Mapping[str, Mapping[str, str]] | None = None,
    design: Design | None = None,
    doi: str | None = None,
    files: Mapping[str, str] | None = None,
) -> str:
    """Returns the page of a board, one HTML file that asks nobody anything.

    Only what is in the board is shown: reduce it first for whoever is to read it
    (:func:`braggbook.challenges.board.visible`).

    Args:
        board: What is shown.
        links: Of submissions, by their id: addresses of their ``run``, ``record`` and ``binder``, as far as there are
            any; of the web, or relative to the page. Others are left out.
        design: Says what the challenge asks and why it is ranked so.
        doi: Of the closed challenge's record.
        files: What lies beside the page: words of the link -> address.
    """
    rows, columns = board.rows, columns_of(board)
    lines = lines_of(board, columns, links or {})
    drawn_rows = rows[:MOST_DRAWN]
    plots = [(column, charts.box_plots(column.metric, drawn_rows)) for column in columns]
    compared = [compared_of(board, column, drawn_rows) for column in columns if column.metric.id in board.groups]
    beside = {name: words.safe_address(address) for name, address in (files or {}).items()}
    return drawn(
        "board.html",
        script="sort.js",
        board=board,
        design=design,
        mission=design.mission if design else None,
        columns=columns,
        scored=[column for column in columns if any(column.metric.id in row.scores for row in rows)],
        lines=lines,
        linked=any(line.links for line in lines),
        plots=[(column, plot) for column, plot in plots if plot],
        strip=charts.strip(board, drawn_rows),
        compared=[one for one in compared if one.groups and len(rows) > 1],
        drawn=len(drawn_rows),
        more=max(len(rows) - MOST_DRAWN, 0),
        left=board.left[:_MOST_LEFT],
        more_left=max(len(board.left) - _MOST_LEFT, 0),
        row_command=words.shell_word(rows[0].team) if rows else "TEAM",
        doi=doi,
        files={name: address for name, address in beside.items() if address},
        methods=words.METHOD_NAMES,
        method_says=words.METHOD_SAYS[board.method],
        ties_say=words.TIES_SAY[design.ranking.ties] if design else "",
        truth_says=words.TRUTH_SAYS[board.truth],
        tau=words.tau_text(board.tau),
        level=words.level_text(board.level),
        number=words.number_text,
        percent=words.percent_text,
    )


def columns_of(board: Board) -> list[Column]:
    """Returns the metrics of a board as columns of its table."""
    found = []
    for metric in board.metrics:
        values = [row.scores[metric.id].value for row in board.rows if metric.id in row.scores]
        unit, better = words.unit_text(metric.unit), words.better_text(metric.better, metric.target)
        found.append(Column(metric, unit, better, _says(metric.definition), words.decimals_for(values)))
    return found


def _says(id: str) -> str:
    try:
        return definition(id).says
    except UnknownName:  # of a plug-in that is not here, or of a later version
        return ""


def lines_of(board: Board, columns: Sequence[Column], links: Mapping[str, Mapping[str, str]]) -> list[Line]:
    """Returns the rows of a board as lines of its table, with the links of each submission."""
    ranks = [row.rank for row in board.rows]
    shared = {rank for rank, after in pairwise(ranks) if rank == after}
    belongs = {name: _memberships(groups) for name, groups in board.groups.items()}
    return [
        Line(
            row=row,
            shared=row.rank in shared,
            cells=[_cell(row, column, belongs) for column in columns],
            bar=charts.bar(row, len(ranks)),
            interval=_interval(row),
            first=words.percent_text(row.first) if row.rank_counts else None,
            alone=words.percent_text(row.first_alone),
            links=_links(links.get(row.submission, {})),
        )
        for row in board.rows
    ]


def _memberships(groups: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Returns the groups that each team is in."""
    found: dict[str, list[int]] = {}
    for at, names in enumerate(groups):
        for name in names:
            found.setdefault(name, []).append(at)
    return found


def _cell(row: Row, column: Column, belongs: Mapping[str, Mapping[str, list[int]]]) -> Cell:
    standing = row.scores.get(column.metric.id)
    if standing is None:
        return Cell(None, "", "")
    places = belongs.get(column.metric.id, {}).get(row.team, [])
    return Cell(standing.value, words.number_text(standing.value, column.decimals), words.letters(places))


def _interval(row: Row) -> str:
    low, high = (words.rank_text(end) for end in row.interval)
    return low if low == high else f"{low}–{high}"


def _links(given: Mapping[str, str]) -> list[tuple[str, str]]:
    safe = [(text, words.safe_address(given.get(name))) for name, text in LINKS]
    return [(text, address) for text, address in safe if address]


def compared_of(board: Board, column: Column, rows: Sequence[Row]) -> Compared:
    """Returns what the paired tests say of some rows by one metric."""
    name, names = column.metric.id, {row.team for row in rows}
    better = board.better_than.get(name, {})
    return Compared(
        column,
        charts.significance_map(column.metric, better, rows),
        [
            Group(words.letter(at), _listed(group))
            for at, group in enumerate(board.groups[name])
            if not names.isdisjoint(group)
        ],
        [(row.team, _listed(better.get(row.team, []))) for row in rows],
    )


def _listed(names: Sequence[str]) -> Names:
    return Names(list(names[:_MOST_NAMES]), max(len(names) - _MOST_NAMES, 0))
