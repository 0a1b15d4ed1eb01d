"""What can be entered here, what a challenge asks, its public files, and what this hub is."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from braggbook.challenges.design import BASELINE, EXAMPLE, FOLDER, INPUTS, Challenge
from braggbook.challenges.pages import render_bias, words
from braggbook.challenges.pages.template import text_of
from braggbook.challenges.submissions import quota_text
from braggbook.datasets.catalogue import TWIN
from braggbook.errors import BraggbookError, InputError, UnknownName
from braggbook.formats.challenge import Phase, Viewer
from braggbook.formats.common import CHALLENGE_NAME, SLUG
from braggbook.formats.submission import SEALED_NAME
from braggbook.hub.desk import Desk
from braggbook.hub.store import jobs
from braggbook.hub.web import rendering
from braggbook.hub.web.visitor import Asking, AtDesk, Visitor
from braggbook.metrics.definitions import definition

router = APIRouter()
PhaseState = Literal["upcoming", "open", "closed"]
WHO_SEES: dict[Viewer, str] = {
    "everyone": "everybody",
    "team": "the team itself, and the organisers",
    "organiser": "the organisers",
}
_KINDS = {"predictions": "predictions", "notebook": "a notebook"}
_INCOMPLETE = {"refuse": "is refused", "missing": "counts with its worst score in the cases that it leaves out"}
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)
_LONGEST = 280  # characters of an abstract on a card
_LONGEST_SLUG = 100  # as long as the database takes
_BLOCK = 1 << 20  # bytes of a file that are read at once
_DATE = (1980, 1, 1, 0, 0, 0)  # of files in a zip, so that the same files make the same zip
_PACKED = (".gz", ".zip", ".png", ".jpg")  # files that are small already


class PhaseShown(NamedTuple):
    """A phase in words."""

    phase: Phase
    state: PhaseState
    kinds: str
    quota: str
    sees: list[tuple[str, str]]
    teams: int | None  # on its board, as far as everybody may know

    @property
    def takes(self) -> bool:
        """Whether it takes submissions now."""
        return self.state == "open"


@dataclass(frozen=True)
class Card:
    """A challenge in a list."""

    challenge: Challenge
    says: str
    phases: list[PhaseShown]
    opened: bool
    ended: str | None

    @property
    def state(self) -> PhaseState:
        """Whether anything can be handed in."""
        if any(one.takes for one in self.phases):
            return "open"
        return "upcoming" if not self.ended and any(one.state == "upcoming" for one in self.phases) else "closed"


def challenge_for(visitor: Visitor, desk: Desk, slug: str) -> Challenge:
    """Returns a challenge that a visitor may see.

    Raises:
        UnknownName: There is none; of one that is broken only an organiser hears.
        InputError: Its design is not usable, and an organiser asks.
    """
    gone = UnknownName(
        "no such challenge", got=slug[:100], next_command="the challenges of this hub are on its first page"
    )
    if len(slug) > _LONGEST_SLUG or SLUG.fullmatch(slug) is None:
        raise gone
    if not (desk.settings.project / FOLDER / slug / CHALLENGE_NAME).is_file():  # a folder elsewhere is none of this hub
        raise gone
    try:
        return desk.challenge(slug)
    except UnknownName:
        raise gone from None
    except BraggbookError:
        if visitor.organiser:
            raise
        raise gone from None


def state_of(phase: Phase, *, now: datetime.datetime, ended: str | None) -> PhaseState:
    """Returns whether a phase takes submissions."""
    if ended is not None or now >= phase.closes:
        return "closed"
    return "upcoming" if now < phase.opens else "open"


def shown_phase(phase: Phase, *, now: datetime.datetime, ended: str | None, teams: int | None = None) -> PhaseShown:
    """Returns a phase in words."""
    shows = phase.shows
    sees = [("ranks", shows.rank), ("scores", shows.score), ("scores by case", shows.cases), ("logs", shows.logs)]
    return PhaseShown(
        phase=phase,
        state=state_of(phase, now=now, ended=ended),
        kinds=" or ".join(_KINDS[kind] for kind in phase.kinds),
        quota=quota_text(phase),
        sees=[(what, WHO_SEES[who]) for what, who in sees],
        teams=teams,
    )


def card_of(request: Request, challenge: Challenge) -> Card:
    """Returns a challenge as it stands in a list."""
    desk: Desk = request.app.state.desk
    now, ended = desk.clock(), desk.vault(challenge.slug).ended
    phases = [
        shown_phase(phase, now=now, ended=ended, teams=_teams(request, challenge, phase, ended=ended))
        for phase in challenge.design.phases
    ]
    return Card(challenge, _first_sentence(challenge.design.abstract), phases, challenge.sealed is not None, ended)


def cards_of(request: Request) -> tuple[list[Card], list[BraggbookError]]:
    """Returns all challenges, and what is wrong with those that cannot be shown; that is for organisers alone."""
    desk: Desk = request.app.state.desk
    cards: list[Card] = []
    broken: list[BraggbookError] = []
    for one in desk.challenges():
        try:
            if isinstance(one, Challenge):
                cards.append(card_of(request, one))
            else:
                broken.append(one)
        except InputError as error:
            broken.append(error)
    return cards, broken


def _teams(request: Request, challenge: Challenge, phase: Phase, *, ended: str | None) -> int | None:
    """Returns how many teams are on the board of a phase; None where everybody may not know."""
    if ended is None and phase.shows.rank != "everyone":
        return None
    current = request.app.state.boards.current(challenge.slug, phase.id)
    return len(current.board.rows) if current else 0


def _first_sentence(text: str) -> str:
    text = " ".join(text.split())
    found = _SENTENCE.match(text)
    said = found.group() if found else text
    return said if len(said) <= _LONGEST else said[:_LONGEST].rsplit(" ", 1)[0] + " …"


@router.get("/", name="home")
@router.get("/challenges", name="challenges")
def home(request: Request, visitor: Asking, desk: AtDesk) -> Response:
    """What can be entered."""
    cards, broken = cards_of(request)
    cards.sort(key=lambda card: ("open", "upcoming", "closed").index(card.state))
    shown = broken if visitor.organiser else []
    return rendering.page(request, "home.html", cards=cards, now=desk.clock(), broken=shown)


@router.get("/challenges/{slug}", name="challenge")
def challenge(request: Request, slug: str, visitor: Asking, desk: AtDesk) -> Response:
    """What a challenge asks, and how to take part."""
    found = challenge_for(visitor, desk, slug)
    card, design = card_of(request, found), found.design
    metrics = [(one, words.better_text(one.better, one.target), _says(one.definition)) for one in design.metrics]
    released = [phase.split for phase in design.phases if (found.folder / INPUTS / phase.split).is_dir()]
    return rendering.page(
        request, "challenge.html", card=card, design=design, slug=slug, now=desk.clock(),
        metrics=metrics, method=words.METHOD_NAMES[design.ranking.method],
        method_says=words.METHOD_SAYS[design.ranking.method],
        ties_say=words.TIES_SAY[design.ranking.ties], incomplete=_INCOMPLETE[design.submission.incomplete],
        unit=words.unit_text, sealed=found.sealed, released=sorted(set(released)),
        example=f"challenges/{slug}/{EXAMPLE}", baseline=(found.folder / BASELINE).is_file(),
        option=found.option(next((one.phase.id for one in card.phases if one.takes), design.phases[0].id)),
        hub=hub_address(request),
    )  # fmt: skip


def hub_address(request: Request) -> str:
    """Returns the address that a program calls this hub by."""
    desk: Desk = request.app.state.desk
    site = desk.config.public_url.rstrip("/")
    return f"{site}{request.scope.get('root_path', '')}" if site else str(request.base_url).rstrip("/")


def _says(id: str) -> str:
    try:
        return definition(id).says
    except UnknownName:  # of a plug-in that is not here
        return ""


@router.get("/challenges/{slug}/design", name="bias")
def bias(request: Request, slug: str, visitor: Asking, desk: AtDesk) -> Response:
    """The design, block by block: a whole page of its own, with its own style."""
    found = challenge_for(visitor, desk, slug)
    ended, last = desk.vault(slug).ended, found.design.phases[-1].id
    current = request.app.state.boards.current(slug, last) if ended else None
    board = current.board if current is not None and current.board.closed else None
    back = (f"Back to {found.design.title}", rendering.url(request, "challenge", slug=slug))
    text = render_bias(found.design, sealed=found.sealed, board=board, back=back)
    digest = base64.b64encode(hashlib.sha256(text_of("style.css").encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": policy, "Cache-Control": "private, no-cache"})


@router.get("/challenges/{slug}/baseline.ipynb", name="baseline")
def baseline(slug: str, visitor: Asking, desk: AtDesk) -> Response:
    """The baseline notebook.

    Raises:
        UnknownName: The challenge has none.
    """
    path = challenge_for(visitor, desk, slug).folder / BASELINE
    if not path.is_file():
        raise UnknownName("this challenge has no baseline notebook", got=slug)
    return FileResponse(path, media_type="application/x-ipynb+json", filename=f"{slug}_{BASELINE}")


@router.get("/challenges/{slug}/files.zip", name="challenge_files")
def files(slug: str, visitor: Asking, desk: AtDesk) -> Response:
    """All that is public of a challenge: design, notebooks, twin, released inputs, example submission."""
    found = challenge_for(visitor, desk, slug)
    headers = {"Content-Disposition": f'attachment; filename="{slug}.zip"', "Cache-Control": "private, no-cache"}
    return StreamingResponse(_zipped(found), media_type="application/zip", headers=headers)


def public_files(challenge: Challenge) -> list[Path]:
    """Returns the files of a challenge that everybody may have; a link, which could lead anywhere, is none."""
    folder = challenge.folder
    found = [folder / CHALLENGE_NAME, folder / SEALED_NAME, *sorted(folder.glob("*.ipynb"))]
    for name in (TWIN, INPUTS, EXAMPLE):
        found += sorted((folder / name).rglob("*"))
    return [path for path in found if path.is_file() and not _is_odd(path.relative_to(folder), folder)]


def _is_odd(path: Path, folder: Path) -> bool:
    steps = [folder / parent for parent in [path, *path.parents[:-1]]]
    return any(part.startswith(".") for part in path.parts) or any(step.is_symlink() for step in steps)


class _Pipe(io.RawIOBase):
    """Takes what is written, until somebody fetches it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """It takes bytes, and never gives a place in them."""
        return True

    def write(self, data: Any) -> int:
        """Takes bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def fetch(self) -> bytes:
        """Returns what was written since the last time."""
        found, self._parts = b"".join(self._parts), []
        return found


def _zipped(challenge: Challenge) -> Iterator[bytes]:
    """Makes the zip while it is sent; nothing of it lies on the disk, and little in memory."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as made:
        for path in public_files(challenge):
            name = f"challenges/{challenge.slug}/{path.relative_to(challenge.folder).as_posix()}"
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in _PACKED else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with path.open("rb") as source, made.open(entry, "w", force_zip64=True) as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    yield pipe.fetch()
    yield pipe.fetch()


@router.get("/about", name="about")
@router.get("/about/you", name="about_you")
def about(request: Request, visitor: Asking, desk: AtDesk) -> Response:
    """What this hub is, how it does, and what it keeps of whoever looks."""
    now = desk.clock()
    with desk.database.read() as session:
        alive, depth, oldest = jobs.alive(session, now=now), jobs.depth(session), jobs.oldest(session)
    free = shutil.disk_usage(desk.config.data).free if desk.config.data.is_dir() else None
    return rendering.page(
        request, "about.html", now=now, workers=len(alive), waiting=depth.get("queued", 0),
        running=depth.get("leased", 0), dead=depth.get("dead", 0), oldest=oldest, hub=hub_address(request),
        free_gb=None if free is None or not visitor.organiser else f"{free / 1e9:.1f} GB", config=desk.config,
    )  # fmt: skip


@router.get("/about/api", name="api_docs")
def api_docs(request: Request) -> Response:
    """What programs may ask."""
    told = [
        (method, path, about.get("summary", ""), about.get("description", "").partition("\n")[0])
        for path, methods in request.app.openapi().get("paths", {}).items()
        for method, about in methods.items()
    ]
    openapi = request.scope.get("root_path", "") + str(request.app.openapi_url)
    return rendering.page(request, "about_api.html", operations=told, openapi=openapi, hub=hub_address(request))
