"""What the panel must know of the world around it: the session, challenges, and whether strangers' code can run."""

from __future__ import annotations

import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from braggbook.challenges.design import Challenge, challenge_folders, open_challenge
from braggbook.errors import BraggbookError
from braggbook.formats.challenge import Phase
from braggbook.lab.places import Places
from braggbook.runs.sandbox.selftest import require_walls
from braggbook.settings import Settings

BINDER_IDLE_MIN = 10  # after which mybinder.org ends a session (Binder's user guide: "about Binder")


def about(places: Places) -> dict[str, Any]:
    """Returns what this server is."""
    try:
        here = version("braggbook")
    except PackageNotFoundError:
        here = ""
    return {
        "version": here,
        "binder": places.on_binder,
        "idle_min": BINDER_IDLE_MIN,
        "hub": find_spec("jupyter_server_proxy") is not None,
    }


def challenges(settings: Settings) -> dict[str, Any]:
    """Returns the challenges of a project, and why notebooks of others cannot run here, if so."""
    now = datetime.datetime.now(datetime.UTC)
    found = []
    for slug, folder in challenge_folders(settings.project).items():
        try:
            found.append(_challenge(open_challenge(folder), now))
        except BraggbookError as error:
            found.append({"slug": slug, "title": slug, "error": str(error), "phases": []})
    return {"challenges": found, "no_sandbox": no_sandbox() if found else ""}


def _challenge(challenge: Challenge, now: datetime.datetime) -> dict[str, Any]:
    design = challenge.design
    sealed = challenge.sealed
    return {
        "slug": challenge.slug,
        "title": design.title,
        "abstract": design.abstract,
        "error": "",
        "opened": sealed is not None,
        "phases": [_phase(phase, now) for phase in design.phases],
    }


def _phase(phase: Phase, now: datetime.datetime) -> dict[str, Any]:
    state = "not open yet" if now < phase.opens else "closed" if now >= phase.closes else "open"
    return {
        "id": phase.id, "title": phase.title, "terms": phase.terms, "kinds": list(phase.kinds), "state": state,
        "opens": phase.opens.isoformat(), "closes": phase.closes.isoformat(),
    }  # fmt: skip


def no_sandbox() -> str:
    """Returns why a stranger's notebook cannot run on this machine; "" where it can."""
    try:
        require_walls()
    except BraggbookError as error:
        return str(error).partition("\nnext:")[0]
    return ""
