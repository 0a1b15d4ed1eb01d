"""The own account: name, ways to sign in, sessions, tokens, what the hub knows, and how to leave it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from braggbook.errors import InputError, NotAllowed
from braggbook.hub import accounts
from braggbook.hub.pages.sign_in import beside, done, require_same, sentence
from braggbook.hub.people.providers import ORCID_ISSUERS
from braggbook.hub.store import people
from braggbook.hub.store.tables import Person
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import go_to, page
from braggbook.hub.web.visitor import AtDesk, close_session, desk_of, open_session, say_once, visitor_of

router = APIRouter(prefix="/account")
_FOR_EVER = "0"  # what the form says for a token without an end


def _in_browser(request: Request) -> Person:
    """Returns who is signed in; a token is for programs, which change no account.

    Raises:
        SignInNeeded: Nobody is.
        NotAllowed: A program asks.
    """
    visitor = visitor_of(request)
    person = visitor.require_person()
    if visitor.by_token:
        raise NotAllowed("an account is not changed with a token", wanted="somebody who is signed in with a browser")
    return person


Myself = Annotated[Person, Depends(_in_browser)]


@router.get("", name="account")
def show(request: Request, person: Myself) -> Response:
    """Shows the account."""
    return _page(request, person, Form(values={"name": person.name}))


@router.post("/name", name="account_name")
def rename(request: Request, person: Myself, form: Posted, desk: AtDesk) -> Response:
    """Changes what the person is called."""
    try:
        accounts.rename(desk, person, form.text("name"))
    except InputError as error:
        form.errors["name"] = accounts.said(error)
        return _page(request, person, form, status=422)
    done(request, "Your name is changed.")
    return go_to(request, "account")


@router.post("/password", name="account_password")
def change_password(request: Request, person: Myself, form: Posted, desk: AtDesk) -> Response:
    """Changes the password; all other sessions end."""
    request.app.state.rates.sign_in(request)
    current, new = form.values.get("current", ""), form.values.get("password", "")
    try:
        require_same(form, "password")
        accounts.change_password(desk, person, current=current, new=new)
    except InputError as error:
        return _page(request, person, beside(form, error), status=422)
    open_session(request, person)
    done(request, "Your password is changed, and you are signed out everywhere else.")
    return go_to(request, "account")


@router.post("/sessions", name="account_sessions")
def end_sessions(request: Request, person: Myself, form: Posted, desk: AtDesk) -> Response:  # noqa: ARG001 - it is ours
    """Signs the person out everywhere, here too."""
    accounts.end_all_sessions(desk, person)
    close_session(request)
    done(request, "You are signed out everywhere.")
    return go_to(request, "sign_in")


@router.post("/identities/{id}/remove", name="account_unlink")
def unlink(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:  # noqa: ARG001 - the same
    """Ends that the person can sign in by a provider."""
    try:
        accounts.unlink_identity(desk, person, id)
        done(request, "You cannot sign in so any more.")
    except InputError as error:
        say_once(request, "bad", sentence(error))
    return go_to(request, "account")


@router.get("/data.json", name="account_data")
def download(person: Myself, desk: AtDesk) -> Response:
    """Gives all that the hub knows about the person."""
    headers = {"Content-Disposition": 'attachment; filename="about_me.json"', "Cache-Control": "private, no-store"}
    return JSONResponse(accounts.known_about(desk, person), headers=headers)


@router.post("/delete", name="account_delete")
def delete(request: Request, person: Myself, form: Posted, desk: AtDesk) -> Response:
    """Deletes the account; what was handed in stays the teams'."""
    request.app.state.rates.sign_in(request)
    try:
        if not form.checked("sure"):
            form.errors["sure"] = "Tick it, if you are."
            return _page(request, person, form, status=422)
        if person.password:
            accounts.confirm_password(desk, person, form.values.get("confirm", ""), field="confirm")
        accounts.delete_account(desk, person)
    except InputError as error:
        return _page(request, person, _whole(form, error), status=422)
    close_session(request)
    done(request, "Your account is deleted.")
    return go_to(request, "home")


def _whole(form: Form, error: InputError) -> Form:
    """Says what keeps an account from being deleted; the issues name teams, and one field."""
    fields = [issue for issue in error.issues if issue.where == "confirm"]
    if fields:
        return beside(form, error)
    form.errors["sure"] = accounts.said(error)
    return form


def _page(request: Request, person: Person, form: Form, *, status: int = 200) -> Response:
    desk = desk_of(request)
    with desk.database.read() as session:
        known = people.identities(session, person.id)
    titles = {one.issuer: one.title for one in desk.config.providers}
    form.values.setdefault("name", person.name)
    return page(
        request, "account.html", status=status, form=True, fields=form, teams=visitor_of(request).teams,
        identities=[(one, titles.get(one.issuer, one.issuer), one.issuer in ORCID_ISSUERS) for one in known],
        providers=[one for one in desk.config.providers if one.issuer not in {other.issuer for other in known}],
        has_password=bool(person.password), session_days=desk.config.session_days,
    )  # fmt: skip


@router.get("/tokens", name="tokens")
def show_tokens(request: Request, person: Myself) -> Response:
    """Shows the tokens, and a form for a new one."""
    return _tokens_page(request, person, Form(values={"scopes": "read", "days": str(accounts.TOKEN_DAYS[1])}))


@router.post("/tokens", name="token_make")
def make_token(request: Request, person: Myself, form: Posted, desk: AtDesk) -> Response:
    """Makes a token, and shows it in the answer: it is kept nowhere, not even for one redirect."""
    days, scopes = form.text("days", longest=4), form.lists.get("scopes", [])
    try:
        if not (days.isascii() and days.isdigit()):
            days = "-1"
        lasts = None if days == _FOR_EVER else int(days)
        _, secret = accounts.make_token(desk, person, name=form.text("name"), scopes=scopes, days=lasts)
    except InputError as error:
        return _tokens_page(request, person, beside(form, error), status=422)
    return _tokens_page(request, person, Form(values={"scopes": "read", "days": days}), secret=secret)


@router.post("/tokens/{id}/revoke", name="token_revoke")
def revoke_token(request: Request, person: Myself, id: int, form: Posted, desk: AtDesk) -> Response:  # noqa: ARG001 - the same
    """Ends a token."""
    accounts.revoke_token(desk, person, id)
    done(request, "The token does not work any more.")
    return go_to(request, "tokens")


def _tokens_page(
    request: Request, person: Person, form: Form, *, secret: str | None = None, status: int = 200
) -> Response:  # fmt: skip
    desk = desk_of(request)
    with desk.database.read() as session:
        known = people.tokens(session, person.id)
    chosen = form.lists.get("scopes") or form.values.get("scopes", "").split()
    shown = {"values": {**form.values, "scopes": chosen}, "errors": form.errors}
    return page(
        request, "tokens.html", status=status, form=True, fields=shown, tokens=known, secret=secret, now=desk.clock(),
        days=accounts.TOKEN_DAYS,
    )  # fmt: skip
