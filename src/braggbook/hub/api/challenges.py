"""Challenges and boards, for programs."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from braggbook.errors import UnknownName
from braggbook.formats.board import Board
from braggbook.formats.challenge import Method, Quota, Split, SubmissionKind, Visibility
from braggbook.hub.api.answers import problems
from braggbook.hub.pages.board import Asked, ask
from braggbook.hub.pages.challenges import Card, card_of, cards_of, challenge_for
from braggbook.hub.web.kept import kept, send, shelves_of
from braggbook.hub.web.rendering import url
from braggbook.hub.web.visitor import Asking, AtDesk

router = APIRouter(tags=["challenges"])
Slug = Annotated[str, Path(max_length=100, description="The challenge's name, as in its address.")]
PhaseId = Annotated[str, Path(max_length=100, description="The phase's id.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class PhaseAnswer(_Answer):
    """A phase."""

    id: str
    title: str
    state: Literal["upcoming", "open", "closed"]
    opens: datetime.datetime
    closes: datetime.datetime
    split: Split
    kinds: list[SubmissionKind]
    inputs: Literal["released", "hidden"]
    quota: Quota
    terms: str
    shows: Visibility
    teams: int | None = Field(description="On the board; null while ranks are hidden.")
    board: str = Field(description="Address of its board.")


class ChallengeShort(_Answer):
    """A challenge in a list."""

    slug: str
    title: str
    abstract: str
    state: Literal["upcoming", "open", "closed"]
    opened: bool = Field(description="Whether the hidden cases are there.")
    closed: str | None = Field(description="When the challenge was closed.")
    phases: list[PhaseAnswer]
    page: str


class ChallengeAnswer(ChallengeShort):
    """A challenge."""

    design: dict[str, Any] = Field(description="As challenge.toml has it.")
    design_sha256: str
    method: Method
    files: str = Field(description="Address of all public files, a zip.")


class Challenges(_Answer):
    """All challenges of a hub."""

    challenges: list[ChallengeShort]


class Moved(_Answer):
    """A team that moved; null stands for not on the board."""

    team: str
    before: float | None
    after: float | None


class BoardAnswer(_Answer):
    """A board, as far as who asks may see it."""

    version: int
    made: datetime.datetime
    being_made: bool = Field(description="Whether a newer one is about to be made.")
    viewer: Literal["organiser", "team", "everyone"] = Field(description="As whom the board is seen.")
    moved: list[Moved] = Field(description="Against the version before.")
    board: Board = Field(description="As board.json.")


@router.get("/challenges", name="api_challenges", responses=problems(401, 429, 503))
def challenges(request: Request, visitor: Asking) -> Challenges:  # noqa: ARG001 - a token that does not work is said
    """Lists the challenges of this hub."""
    cards, _ = cards_of(request)
    return Challenges(challenges=[ChallengeShort(**_short(request, card)) for card in cards])


@router.get("/challenges/{slug}", name="api_challenge", responses=problems(401, 404, 422, 429, 503))
def challenge(request: Request, slug: Slug, visitor: Asking, desk: AtDesk) -> ChallengeAnswer:
    """Says all that is public of a challenge."""
    found = challenge_for(visitor, desk, slug)
    return ChallengeAnswer(
        **_short(request, card_of(request, found)),
        design=found.design.model_dump(mode="json"),
        design_sha256=found.digest,
        method=found.design.ranking.method,
        files=url(request, "challenge_files", slug=slug),
    )


@router.get(
    "/challenges/{slug}/boards/{phase}",
    name="api_board",
    response_model=BoardAnswer,
    responses=problems(401, 404, 422, 429, 503),
)
def board(request: Request, slug: Slug, phase: PhaseId, visitor: Asking) -> Response:
    """Gives the board of a phase, as far as who asks may see it.

    Raises:
        UnknownName: There is no such phase, or its board was never made.
    """
    asked = ask(request, visitor, slug=slug, phase=phase)
    found = shelves_of(request).get(("api", asked.key), lambda: kept(_board(asked).model_dump_json()))
    return send(request, found, media_type="application/json")


def _board(asked: Asked) -> BoardAnswer:
    seen, current = asked.board(), asked.current
    if current is None:
        raise UnknownName("there is no board of this phase yet", where=asked.phase.id)
    names = {row.team for row in seen.rows}
    moved = [Moved.model_validate(one) for one in current.moved if one["team"] in names]
    return BoardAnswer(
        version=current.version,
        made=current.made,
        being_made=asked.standing.being_made,
        viewer=asked.viewing.viewer,
        moved=moved,
        board=seen,
    )


def _short(request: Request, card: Card) -> dict[str, Any]:
    design, slug = card.challenge.design, card.challenge.slug
    phases = [
        PhaseAnswer(
            **shown.phase.model_dump(exclude={"board"}),
            state=shown.state,
            teams=shown.teams,
            board=url(request, "api_board", slug=slug, phase=shown.phase.id),
        )
        for shown in card.phases
    ]
    return {
        "slug": slug, "title": design.title, "abstract": design.abstract, "state": card.state, "opened": card.opened,
        "closed": card.ended, "phases": phases, "page": url(request, "challenge", slug=slug),
    }  # fmt: skip
