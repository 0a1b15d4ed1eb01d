"""What all routes answer when something goes wrong, as their description says it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Finding(BaseModel):
    """One of several things that are wrong."""

    what: str
    where: str = ""
    wanted: str = ""
    got: str = ""


class Problem(BaseModel):
    """What went wrong, and what to do next."""

    error: str = Field(description="Class of the error.")
    what: str
    where: str
    wanted: str
    got: str
    next: str = Field(description="What to try next.")
    issues: list[Finding]
    request_id: str


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Returns the errors of a route, for its description."""
    told = {
        400: "What was sent is not JSON.",
        401: "The token does not work, or somebody has to be signed in.",
        403: "Who asks may not.",
        404: "There is no such thing, or it is not shown to who asks.",
        413: "More was sent than the hub or the challenge takes.",
        422: "Something that was given is not usable.",
        429: "Asked too often.",
        503: "The hub's database does not answer.",
    }
    return {code: {"model": Problem, "description": told[code]} for code in codes}
