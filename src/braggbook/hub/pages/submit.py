"""Handing in: what is wanted, what is left, the terms, and the file."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from braggbook.challenges.airlock.labels import LONGEST_LABEL, clean_label
from braggbook.challenges.airlock.names import wanted_names
from braggbook.challenges.design import Challenge
from braggbook.challenges.submissions import left, quota_text
from braggbook.errors import InputError, TooLarge
from braggbook.formats.challenge import Phase
from braggbook.hub.desk import Desk
from braggbook.hub.entries import Wanted
from braggbook.hub.pages.challenges import hub_address
from braggbook.hub.store.tables import Entry, Team
from braggbook.hub.uploads import Attempt, accepted_suffixes, copy_in, most_bytes, prepare, safe_name, why_not
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import go_to, page
from braggbook.hub.web.visitor import Asking, AtDesk, Visitor, visitor_of

router = APIRouter()
LABELS = {"phase": "Phase", "team": "Team", "title": "Title", "file": "File", "terms": "Terms"}
_LONGEST_KEY = 64


@dataclass(frozen=True)
class Choice:
    """A phase, as it stands for whoever wants to hand in.

    Attributes:
        phase: Which.
        why_not: Why it takes nothing; "" where it does.
        quota: What it allows, in words.
        left: Team -> submissions left; None where there is no limit.
    """

    phase: Phase
    why_not: str
    quota: str
    left: dict[str, int | None]


def _may_send(request: Request) -> Visitor:
    """Refuses whoever may not hand in before the file is read.

    Raises:
        SignInNeeded: Nobody is signed in.
        TooMany: It is one upload too many.
    """
    visitor = visitor_of(request)
    person = visitor.require_person("submit")
    request.app.state.rates.upload(person.id)
    return visitor


@router.get("/challenges/{slug}/submit", name="submit")
def show(request: Request, slug: str, visitor: Asking, desk: AtDesk, phase: str = "") -> Response:
    """Shows the form."""
    visitor.require_person("submit")
    challenge = desk.challenge(slug)
    choices = _choices(desk, challenge, visitor.teams)
    open_ones = [one.phase.id for one in choices if not one.why_not]
    form = Form({
        "phase": phase if phase in open_ones else (open_ones[0] if open_ones else ""),
        "team": str(visitor.teams[0].id) if visitor.teams else "",
        "key": secrets.token_hex(16),
    })  # fmt: skip
    return _page(request, challenge, choices, form)


@router.post("/challenges/{slug}/submit", name="submit_file")
def send(
    request: Request, slug: str, visitor: Annotated[Visitor, Depends(_may_send)], desk: AtDesk, form: Posted
) -> Response:
    """Takes the form; the file is complete on the disk by now."""
    challenge = desk.challenge(slug)
    choices = _choices(desk, challenge, visitor.teams)
    file = form.files.get("file")
    wanted = _checked(form, file, challenge, choices, visitor)
    if wanted is not None and file is not None:
        try:
            return go_to(request, "submission", id=_take(desk, wanted, file).id)
        except (InputError, TooLarge) as error:
            form.errors["file" if isinstance(error, TooLarge) else ""] = _sentence(error)
    return _page(request, challenge, choices, form, status=422)


def _take(desk: Desk, wanted: Wanted, file: UploadFile) -> Entry:
    entry, empty = prepare(desk, wanted, accepted=True)
    if not empty:
        return entry
    most = most_bytes(desk.config, wanted.challenge.design.submission)
    file.file.seek(0)
    return copy_in(Attempt(desk, entry, name=wanted.upload, most=most), file.file)


def _checked(
    form: Form, file: UploadFile | None, challenge: Challenge, choices: Sequence[Choice], visitor: Visitor
) -> Wanted | None:
    """Returns what is handed in; None where a field is not usable, and then the form says which and why."""
    choice = next((one for one in choices if one.phase.id == form.text("phase")), None)
    team = next((one for one in visitor.teams if str(one.id) == form.text("team")), None)
    title, name = form.text("title"), (file.filename or "") if file else ""
    if choice is None:
        form.errors["phase"] = "choose one that is open"
    elif choice.why_not:
        form.errors["phase"] = f"this phase takes nothing now: {choice.why_not}"
    if team is None:
        form.errors["team"] = "choose one of your teams"
    elif choice is not None and choice.left.get(team.name) == 0:
        form.errors["team"] = f"it has no submission left in this phase: {choice.quota}"
    if title:
        _try(form, "title", lambda: clean_label(title, what="title"))
    if file is None or not name:
        form.errors["file"] = "choose a file"
    else:
        _try(form, "file", lambda: safe_name(name))
    if not form.checked("terms"):
        form.errors["terms"] = "the team has to accept the terms"
    person = visitor.person
    if form.errors or choice is None or team is None or person is None:
        return None
    return Wanted(challenge, choice.phase.id, team, person, title, form.text("key")[:_LONGEST_KEY], name)


def _try(form: Form, name: str, check: Callable[[], object]) -> None:
    try:
        check()
    except InputError as error:
        form.errors[name] = _sentence(error)


def _sentence(error: InputError) -> str:
    """Returns an error in one line for a person who fills in a form."""
    said = [error.what, *map(str, error.issues)]
    said += [f"wanted: {error.wanted}"] if error.wanted and len(error.wanted) < 200 else []
    said += [f"got: {error.got}"] if error.got else []
    return "; ".join(said)


def _choices(desk: Desk, challenge: Challenge, teams: Sequence[Team]) -> list[Choice]:
    vault, now = desk.vault(challenge.slug), desk.clock()
    found = []
    for phase in challenge.design.phases:
        why = why_not(challenge, vault, phase, now=now)
        rest = {} if why else {one.name: left(vault, phase=phase, team=one.name, now=now) for one in teams}
        found.append(Choice(phase, why, quota_text(phase), rest))
    return found


def _page(
    request: Request, challenge: Challenge, choices: Sequence[Choice], form: Form, *, status: int = 200
) -> Response:
    desk, visitor = request.app.state.desk, visitor_of(request)
    open_ones = [one for one in choices if not one.why_not]
    rules = challenge.design.submission
    suffixes = dict.fromkeys(end for one in open_ones for end in accepted_suffixes(rules, one.phase))
    return page(
        request, "submit.html", form=True, status=status, challenge=challenge, design=challenge.design, rules=rules,
        choices=choices, open_ones=open_ones, fields=form, teams=visitor.teams, labels=LABELS,
        suffixes=tuple(suffixes), most_mb=most_bytes(desk.config, rules) >> 20, now=desk.clock(),
        names=wanted_names(rules),
        notebooks=any("notebook" in one.phase.kinds for one in open_ones), longest=LONGEST_LABEL,
        command=_command(request, challenge, form, visitor.teams),
    )  # fmt: skip


def _command(request: Request, challenge: Challenge, form: Form, teams: Sequence[Team]) -> str:
    """Returns how the same is handed in from a terminal."""
    chosen = next((one.name for one in teams if str(one.id) == form.values.get("team")), "")
    phase = form.values.get("phase", "")
    options = [f"--to {shlex.quote(hub_address(request))}"]
    options += [challenge.option(phase).strip()] if challenge.design.phase(phase) and challenge.option(phase) else []
    options += [f"--team {shlex.quote(chosen)}"] if len(teams) > 1 and chosen else []
    parts = [f"braggbook challenge submit {challenge.slug}", "FILE", *options, "--accept-terms --wait"]
    return " \\\n  ".join(parts)
