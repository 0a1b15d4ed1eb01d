"""Boards: who stands where, how sure that is, and what it takes to repeat a row.

A board is drawn once for each version and each class of visitors, and then sent as it is. The frame of a page, which
says who is signed in, is drawn anew for people who are; for everybody else the whole page is kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from braggbook.challenges.design import Challenge
from braggbook.challenges.pages import words
from braggbook.errors import UnknownName
from braggbook.formats.board import Board, Row
from braggbook.formats.challenge import Phase
from braggbook.hub.boards import Current
from braggbook.hub.desk import Desk
from braggbook.hub.pages import board_view as views
from braggbook.hub.pages.challenges import PhaseShown, challenge_for, shown_phase
from braggbook.hub.store.phases import Standing, standing_of
from braggbook.hub.web import rendering
from braggbook.hub.web.kept import Kept, kept, send, shelves_of
from braggbook.hub.web.visitor import Asking, AtDesk, Visitor, set_cookie
from braggbook.records.run_plan import RECORDS

router = APIRouter()
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_BINS = 40  # bars of the drawing of a team's ranks


@dataclass(frozen=True)
class Asked:
    """A board that somebody asks for.

    Attributes:
        challenge, phase: Which.
        shown: The phase in words.
        ended: When the challenge was closed.
        standing: Where its board is.
        current: All of it; None if it was never made.
        viewing: As whom it is looked at.
        stamp: Changes with what lies in archives.
    """

    challenge: Challenge
    phase: Phase
    shown: PhaseShown
    ended: str | None
    standing: Standing
    current: Current | None
    viewing: views.Viewing
    stamp: Hashable

    @property
    def key(self) -> Hashable:
        """Changes with everything that the page shows."""
        now = self.standing
        made = self.current.version if self.current else 0
        return (
            self.challenge.slug, self.challenge.digest, self.phase.id, made, self.shown.state, self.ended,
            now.being_made, now.failed, now.scoring, self.viewing, self.stamp,
        )  # fmt: skip

    def board(self) -> Board:
        """Returns what is to be seen of it.

        Raises:
            UnknownName: It was never made.
        """
        if self.current is None:
            raise UnknownName("there is no board of this phase yet", where=f"{self.challenge.slug}, {self.phase.id}")
        return views.seen_by(self.current.board, self.phase, self.viewing)


def ask(request: Request, visitor: Visitor, *, slug: str, phase: str) -> Asked:
    """Returns a board as a visitor asks for it.

    Raises:
        UnknownName: There is no such challenge, or no such phase.
    """
    desk: Desk = request.app.state.desk
    challenge = challenge_for(visitor, desk, slug)
    found = next((one for one in challenge.design.phases if one.id == phase), None)
    if found is None:
        wanted = ", ".join(one.id for one in challenge.design.phases)
        raise UnknownName("no such phase", where=slug, wanted=wanted, got=phase[:100])
    with desk.database.read() as session:
        standing = standing_of(session, slug, phase)
    version, shelf = standing.version, request.app.state.boards
    current = None if version is None else shelf.current(slug, phase, version=version)
    ended, now = desk.vault(slug).ended, desk.clock()
    return Asked(
        challenge=challenge,
        phase=found,
        shown=shown_phase(found, now=now, ended=ended),
        ended=ended,
        standing=standing,
        current=current,
        viewing=views.viewing_of(visitor, current.board) if current else views.Viewing("everyone"),
        stamp=_stamp(desk, slug) if ended else None,
    )


def _stamp(desk: Desk, slug: str) -> Hashable:
    """Returns what changes when something of a challenge was published, or a run has come."""
    place = desk.settings.runs / RECORDS / slug
    paths = [desk.settings.runs, place, *sorted(place.glob("*/*.json"))]
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


@router.get("/challenges/{slug}/board/{phase}", name="board")
def board(
    request: Request, slug: str, phase: str, visitor: Asking, sort: str = "", order: str = "", page: str = "",
    find: str = "",
) -> Response:  # fmt: skip
    """Who stands where."""
    asked = ask(request, visitor, slug=slug, phase=phase)
    sorting = views.Sorting("rank", "ascending", 1)
    if asked.current is not None:
        sorting = views.sorting_of(asked.current.board, sort=sort, order=order, page=page)
        if find.strip():
            if (to := _found(request, asked, find)) is not None:
                return to
            sorting = replace(sorting, missed=True)
    key = (request.scope.get("root_path", ""), asked.key, sorting)
    main = shelves_of(request).get(("main", key), lambda: kept(_main(request, asked, sorting), pack=False))
    return _framed(request, visitor, asked, key, main)


def _framed(request: Request, visitor: Visitor, asked: Asked, key: Hashable, main: Kept) -> Response:
    """Puts the frame around a board."""
    parts: dict[str, Any] = {
        "asked": asked,
        "challenge": asked.challenge,
        "tabs": tabs_of(request, asked.challenge, asked.phase.id),
    }
    session = visitor.session
    if visitor.person is None and not (session and session.data.get("flash")):
        return send(
            request, shelves_of(request).get(("page", key), lambda: _whole(request, main, parts)), media_type=_HTML
        )
    drawn = rendering.page(request, "board.html", main=Markup(main.body.decode()), **parts)  # noqa: S704 - drawn by us
    # the page has the session's secret against forged forms, so it is not compressed: its length would tell of it
    return set_cookie(request, send(request, kept(bytes(drawn.body).decode(), pack=False), media_type=_HTML))


def _whole(request: Request, main: Kept, parts: dict[str, Any]) -> Kept:
    template = rendering.environment().get_template("board.html")
    inner = Markup(main.body.decode())  # noqa: S704 - drawn by us
    return kept(template.render(**rendering.context(request), main=inner, **parts))


def tabs_of(request: Request, challenge: Challenge, here: str) -> list[tuple[str, str, bool]]:
    """Returns the pages of a challenge; ``here`` is "" for what it asks, or a phase for its board."""
    slug, phases = challenge.slug, challenge.design.phases
    boards = [
        (
            "Board" if len(phases) == 1 else f"Board: {phase.title}",
            rendering.url(request, "board", slug=slug, phase=phase.id),
            phase.id == here,
        )
        for phase in phases
    ]
    return [("What it asks", rendering.url(request, "challenge", slug=slug), not here), *boards]


def _found(request: Request, asked: Asked, find: str) -> Response | None:
    """Sends the browser to the row of a team that is called so, or nearly so."""
    seen, wanted = asked.board(), find.strip().casefold()
    names = [row.team.casefold() for row in seen.rows]
    exact = [at for at, name in enumerate(names) if name == wanted]
    near = exact or [at for at, name in enumerate(names) if wanted in name]
    if not near:
        return None
    row, number = seen.rows[near[0]], near[0] // views.PAGE_ROWS + 1
    query = f"page={number}" if number > 1 else ""
    to = rendering.url(request, "board", query=query, slug=asked.challenge.slug, phase=asked.phase.id)
    return RedirectResponse(f"{to}#r-{row.submission}", status_code=303)


def _main(request: Request, asked: Asked, sorting: views.Sorting) -> str:
    """Draws what a board shows, whoever is signed in."""

    def address(name: str, **params: Any) -> str:
        return rendering.url(request, name, **params)

    parts: dict[str, Any] = {"asked": asked, "phase": asked.phase, "shown": asked.shown, "url": address}
    parts |= {"design": asked.challenge.design, "slug": asked.challenge.slug, "opened": _is_opened(asked)}
    if asked.current is None:
        return rendering.environment().get_template("board_none.html").render(**parts)
    seen = asked.board()
    records = views.find_records(request.app.state.desk, seen)
    parts |= views.view_of(
        asked.challenge, seen, viewing=asked.viewing, sorting=sorting, records=records, address=address
    )
    moved, more_moved = views.moved_of(asked.current.moved, seen)
    template = rendering.environment().get_template("board_main.html")
    return template.render(
        **parts, **_words(), current=asked.current, moved=moved, more_moved=more_moved, charts=_charts(),
        tau=words.tau_text(seen.tau), level=words.level_text(seen.level),
    )  # fmt: skip


def _is_opened(asked: Asked) -> bool:
    sealed = asked.challenge.sealed
    return sealed is not None and sealed.latest(asked.phase.split) is not None


def _words() -> dict[str, Any]:
    return {
        "methods": words.METHOD_NAMES, "method_says": words.METHOD_SAYS, "ties_say": words.TIES_SAY,
        "truth_says": words.TRUTH_SAYS, "number": words.number_text, "percent": words.percent_text,
        "rank_text": words.rank_text, "count": words.counted,
    }  # fmt: skip


@cache
def _charts() -> Any:
    """Returns the drawings of a board's own page, which the hub shows too."""
    loader = jinja2.PackageLoader("braggbook.challenges.pages", "templates")
    made = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return made.get_template("charts.html").module


@router.get("/challenges/{slug}/board/{phase}/board.json", name="board_json")
def board_json(request: Request, slug: str, phase: str, visitor: Asking) -> Response:
    """The board as a file, as far as the visitor may see it.

    Raises:
        UnknownName: It was never made.
    """
    asked = ask(request, visitor, slug=slug, phase=phase)
    found = shelves_of(request).get(("json", asked.key), lambda: kept(asked.board().model_dump_json(indent=1) + "\n"))
    return send(request, found, media_type=_JSON)


@dataclass(frozen=True)
class Bin:
    """How often a team had these ranks, as a bar of a drawing."""

    text: str
    part: str
    x: float
    width: float
    height: float


def bins_of(row: Row) -> list[Bin]:
    """Returns how often a team had each rank: from the best to the worst that it had, in a few bars."""
    there = [at for at, times in enumerate(row.rank_counts) if times]
    if not there:
        return []
    first, last = there[0], there[-1]
    step = -(-(last - first + 1) // _BINS)
    begins = range(first, last + 1, step)
    sums = [sum(row.rank_counts[begin : begin + step]) for begin in begins]
    whole, wide = sum(row.rank_counts), 100 / len(sums)
    return [
        Bin(
            f"{begin + 1}" if step == 1 else f"{begin + 1}–{begin + step}", words.percent_text(times / whole),
            round(at * wide, 2), round(wide * 0.8, 2), round(80 * times / max(sums), 1),
        )
        for at, (begin, times) in enumerate(zip(begins, sums, strict=True))
    ]  # fmt: skip


@router.get("/challenges/{slug}/board/{phase}/{submission}", name="board_row")
def board_row(request: Request, slug: str, phase: str, submission: str, visitor: Asking, desk: AtDesk) -> Response:
    """One row: how sure it is, and what it takes to repeat it.

    Raises:
        UnknownName: There is no such row, or the visitor may not see it.
    """
    asked = ask(request, visitor, slug=slug, phase=phase)
    seen = asked.board()
    at = next((at for at, row in enumerate(seen.rows) if row.submission == submission), None)
    if at is None:
        raise UnknownName("no such row on this board", where=f"{slug}, {phase}", got=submission[:100])
    records, row = views.find_records(desk, seen), seen.rows[at]

    def address(name: str, **params: Any) -> str:
        return rendering.url(request, name, **params)

    view = views.row_of(seen, at, address=address, viewing=asked.viewing, records=records)
    return rendering.page(
        request, "board_row.html", asked=asked, challenge=asked.challenge, phase=asked.phase, board=seen, row=row,
        bins=bins_of(row), command=words.shell_word(row.team), doi=records.doi, level=words.level_text(seen.level),
        current=asked.current, **view, **_words(),
    )  # fmt: skip
