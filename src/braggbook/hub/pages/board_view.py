"""What a visitor sees of a board: reduced to what is his to see, sorted, one page of it, with addresses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from braggbook.challenges.design import Challenge
from braggbook.challenges.pages import MOST_DRAWN, charts, words
from braggbook.challenges.pages.board import Line, columns_of, compared_of, lines_of
from braggbook.challenges.seen import visible
from braggbook.formats.board import Board, Row
from braggbook.formats.challenge import Phase, Viewer
from braggbook.hub.desk import Desk
from braggbook.hub.look.published import Published, records_of
from braggbook.hub.look.run_index import folder_of
from braggbook.hub.web.visitor import Visitor
from braggbook.runs.links import binder_link, doi_link

PAGE_ROWS = 100
"""Rows on one page. A browser draws so many in a moment; the JSON has all, and a search finds a team on any page."""
_MOST_LEFT = 200
_MOST_MOVED = 12
_BUILT_IN = ("rank", "team", "interval", "first")
Order = Literal["ascending", "descending"]
Address = Callable[..., str]


@dataclass(frozen=True)
class Viewing:
    """As whom a board is looked at.

    Attributes:
        viewer: The class.
        teams: The visitor's own, as far as they have to do with this board.
    """

    viewer: Viewer
    teams: tuple[str, ...] = ()


def viewing_of(visitor: Visitor, board: Board) -> Viewing:
    """Returns as whom a visitor looks; a token that was not made for reading is nobody's."""
    readable = "read" in visitor.scopes or visitor.organiser
    mine = set(visitor.team_names()) if readable else set()
    own = mine.intersection([*(row.team for row in board.rows), *(one.team for one in board.left)]) if mine else mine
    return Viewing("organiser" if visitor.organiser else "team" if own else "everyone", tuple(sorted(own)))


def seen_by(board: Board, phase: Phase, viewing: Viewing) -> Board:
    """Returns what is to be seen of a board; who is in several teams sees what each of them may."""
    if viewing.viewer == "organiser" or board.closed or not viewing.teams:
        return visible(board, phase, viewer="organiser" if viewing.viewer == "organiser" else "everyone")
    merged = visible(board, phase, viewer="everyone")
    rows, left = {row.team: row for row in merged.rows}, []
    for team in viewing.teams:
        part = visible(board, phase, viewer="team", team=team)
        rows |= {row.team: row for row in part.rows if row.team == team}
        left += part.left
    order = [rows[row.team] for row in board.rows if row.team in rows]
    return merged.model_copy(update={"rows": order, "left": left})


@dataclass(frozen=True)
class Sorting:
    """By which column, in which order, which page; of what cannot be the usual."""

    by: str
    order: Order
    page: int
    missed: bool = False  # a team was looked for, and there is none that is called so

    @property
    def usual(self) -> bool:
        """Whether the rows stand as they are ranked."""
        return (self.by, self.order) == ("rank", "ascending")


def sorting_of(board: Board, *, sort: str, order: str, page: str) -> Sorting:
    """Returns how the rows are to be sorted, for what a visitor gave; so there are only so many ways."""
    known = (*_BUILT_IN, *(metric.id for metric in board.metrics))
    by = sort if sort in known else "rank"
    way: Order = {"asc": "ascending", "desc": "descending"}.get(order, first_order(board, by))  # type: ignore[assignment]
    pages = max(1, -(-len(board.rows) // PAGE_ROWS))
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    return Sorting(by, way, min(max(number, 1), pages))


def first_order(board: Board, by: str) -> Order:
    """Returns in which order a column is sorted at first: so that the best stand on top."""
    metric = next((one for one in board.metrics if one.id == by and by not in _BUILT_IN), None)
    better_is_more = by == "first" or (metric is not None and metric.better == "larger")
    return "descending" if better_is_more else "ascending"


def sorted_rows(board: Board, sorting: Sorting) -> list[int]:
    """Returns the places of the rows in their new order; what has no value comes last in any order."""
    if sorting.usual:
        return list(range(len(board.rows)))
    values = [_value(board, row, sorting.by) for row in board.rows]
    there = [at for at, value in enumerate(values) if value is not None]
    there.sort(key=lambda at: values[at], reverse=sorting.order == "descending")
    return [*there, *(at for at, value in enumerate(values) if value is None)]


def _value(board: Board, row: Row, by: str) -> Any:
    if by == "rank":
        return row.rank
    if by == "team":
        return (row.team.casefold(), row.team)
    if by == "interval":
        return row.interval
    if by == "first":
        return row.first if row.rank_counts else None
    standing = row.scores.get(by)
    target = next(metric.target for metric in board.metrics if metric.id == by)
    return None if standing is None else standing.value if target is None else abs(standing.value - target)


@dataclass(frozen=True)
class Shown:
    """A row as the page shows it."""

    line: Line
    mine: bool
    address: str
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class Head:
    """The head of a column that can be sorted."""

    by: str
    text: str
    subs: tuple[str, ...]
    look: str
    address: str
    order: Order | None


@dataclass(frozen=True)
class Records:
    """What of a challenge lies in an archive."""

    challenge: Published | None
    runs: frozenset[str] = frozenset()  # scoring runs that this hub shows

    @property
    def doi(self) -> str | None:
        """The closed challenge's DOI."""
        return self.challenge.doi if self.challenge else None


def find_records(desk: Desk, board: Board) -> Records:
    """Returns the record of a closed challenge, and which of its scoring runs the hub shows."""
    if not board.closed:
        return Records(None)
    found = records_of(board.challenge, runs=desk.settings.runs)
    runs = {row.scorer.run for row in board.rows if folder_of(row.scorer.run, runs=desk.settings.runs)}
    return Records(found[0] if found else None, frozenset(runs))


def view_of(
    challenge: Challenge, board: Board, *, viewing: Viewing, sorting: Sorting, records: Records, address: Address
) -> dict[str, Any]:
    """Returns what the template of a board shows.

    Args:
        challenge: Whose board it is.
        board: What the visitor may see of it.
        viewing: As whom he looks.
        sorting: Which rows, in which order.
        records: What lies in archives.
        address: Gives the address of a route.
    """
    columns = columns_of(board)
    lines = _with_axis(lines_of(board, columns, {}), board)
    order = sorted_rows(board, sorting)
    begin = (sorting.page - 1) * PAGE_ROWS
    at_page = [lines[at] for at in order[begin : begin + PAGE_ROWS]]
    scored = [column for column in columns if any(column.metric.id in row.scores for row in board.rows)]
    drawn = board.rows[:MOST_DRAWN]
    here = {"slug": board.challenge, "phase": board.phase}
    plots = [(column, charts.box_plots(column.metric, drawn)) for column in columns]

    def to(query: str) -> str:
        return address("board", query=query, **here)

    compared = [compared_of(board, column, drawn) for column in columns if column.metric.id in board.groups]
    return {
        "board": board,
        "design": challenge.design,
        "columns": columns,
        "scored": scored,
        "spots": [at for at, column in enumerate(columns) if column in scored],
        "rows": [
            Shown(
                line,
                line.row.team in viewing.teams,
                address("board_row", submission=line.row.submission, **here),
                links_of(line.row, viewing=viewing, records=records, address=address),
            )
            for line in at_page
        ],
        "own": [
            (line, to(_query(sorting.by, sorting.order, _page_of(at, order))))
            for at, line in enumerate(lines)
            if line.row.team in viewing.teams
        ],
        "heads": _heads(board, scored, sorting, to),
        "sorting": sorting,
        "pager": _pager(len(lines), sorting, to),
        "axis": _axis(board),
        "plots": [(column, plot) for column, plot in plots if plot],
        "strip": charts.strip(board, drawn),
        "compared": [one for one in compared if one.groups and len(board.rows) > 1],
        "drawn": len(drawn),
        "more": max(len(lines) - MOST_DRAWN, 0),
        "left": [(one, _link_to_submission(one, viewing, address)) for one in board.left[:_MOST_LEFT]],
        "more_left": max(len(board.left) - _MOST_LEFT, 0),
        "example": words.shell_word(board.rows[0].team) if board.rows else "TEAM",
        "doi": records.doi,
        "records": records,
    }


def _with_axis(lines: list[Line], board: Board) -> list[Line]:
    """Returns lines whose bars lie on the axis of all ranks, also where the visitor sees only some of the rows."""
    count = _axis(board)
    if count == len(lines):
        return lines
    return [dataclasses.replace(line, bar=charts.bar(line.row, count)) for line in lines]


def _axis(board: Board) -> int:
    """Returns the last rank of the axis."""
    return max([len(board.rows), *(round(max(row.interval[1], row.rank)) for row in board.rows)])


def _page_of(at: int, order: Sequence[int]) -> int:
    return order.index(at) // PAGE_ROWS + 1


def links_of(row: Row, *, viewing: Viewing, records: Records, address: Address) -> list[tuple[str, str]]:
    """Returns where a row leads, as far as the visitor may go there."""
    links: list[tuple[str, str]] = []
    if viewing.viewer == "organiser" or row.team in viewing.teams:
        links.append(("submission", address("submission", id=row.submission)))
    if row.scorer.run in records.runs:
        links.append(("run", address("run", id=row.scorer.run)))
    for doi in filter(None, (row.doi, records.doi)):
        if found := doi_link(doi):
            links.append(("DOI", found))
            break
    opened = f"lab/tree/runs/{row.scorer.run}/executed.ipynb"
    if records.doi and (found := binder_link(records.doi, opened=opened)):
        links.append(("open in Binder", found))
    return links


def row_of(board: Board, at: int, *, address: Address, viewing: Viewing, records: Records) -> dict[str, Any]:
    """Returns what the page of one row shows."""
    columns = columns_of(board)
    line, row = _with_axis(lines_of(board, columns, {}), board)[at], board.rows[at]
    told = [(column, cell) for column, cell in zip(columns, line.cells, strict=True) if cell.exact is not None]
    plots = [(column, charts.box_plots(column.metric, [row])) for column, _ in told]
    return {
        "line": line,
        "told": told,
        "links": links_of(row, viewing=viewing, records=records, address=address),
        "plots": [(column, plot) for column, plot in plots if plot],
        "mine": row.team in viewing.teams,
        "page_number": at // PAGE_ROWS + 1,
    }


def _link_to_submission(one: Any, viewing: Viewing, address: Address) -> str:
    may = viewing.viewer == "organiser" or one.team in viewing.teams
    return address("submission", id=one.submission) if may else ""


def _heads(board: Board, scored: Sequence[Any], sorting: Sorting, to: Callable[[str], str]) -> list[Head]:
    told: list[tuple[str, str, tuple[str, ...], str]] = [("rank", "rank", (), "place"), ("team", "team", (), "team")]
    for column in scored:
        subs = (column.unit, column.better, "" if column.metric.ranked else "not ranked")
        told.append((column.metric.id, column.metric.id, tuple(filter(None, subs)), "number"))
    told += [("interval", "rank interval", (), ""), ("first", "first", ("of the draws",), "number")]
    return [
        Head(
            by, text, subs, look, to(_query(by, _next_order(board, by, sorting))),
            sorting.order if by == sorting.by else None,
        )
        for by, text, subs, look in told
    ]  # fmt: skip


def _next_order(board: Board, by: str, sorting: Sorting) -> Order:
    if by != sorting.by:
        return first_order(board, by)
    return "ascending" if sorting.order == "descending" else "descending"


def _query(by: str, order: Order, page: int = 1) -> str:
    parts = [] if (by, order) == ("rank", "ascending") else [f"sort={by}", f"order={order.removesuffix('ending')}"]
    return "&".join([*parts, *([f"page={page}"] if page > 1 else [])])


def _pager(total: int, sorting: Sorting, to: Callable[[str], str]) -> dict[str, Any]:
    pages = max(1, -(-total // PAGE_ROWS))

    def at(page: int) -> str | None:
        return to(_query(sorting.by, sorting.order, page)) if 1 <= page <= pages else None

    number = sorting.page
    return {"number": number, "pages": pages, "total": f"{total:,}", "previous": at(number - 1), "next": at(number + 1)}


def moved_of(moved: Sequence[Mapping[str, Any]], board: Board) -> tuple[list[dict[str, str]], int]:
    """Returns what changed against the version before, of those rows that the visitor sees, and how many more did."""
    names = {row.team for row in board.rows}
    told = [one for one in moved if one["team"] in names]
    found = [
        {"team": one["team"], "before": _rank(one.get("before")), "after": _rank(one.get("after"))}
        for one in told[:_MOST_MOVED]
    ]
    return found, len(told) - len(found)


def _rank(rank: Any) -> str:
    return "" if rank is None else words.rank_text(float(rank))
