"""Signing in and out, by a password or by a provider, and the links that work once.

What a browser was told while it signs in is kept with its session: the state of a provider, the digest of a link. The
session gets a new id when somebody signs in, so nobody can have prepared it; only the link is carried over.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from braggbook.errors import InputError, Issue, SignInRefused, UnknownName, unknown_name
from braggbook.hub import accounts
from braggbook.hub.desk import Desk
from braggbook.hub.people import oidc
from braggbook.hub.people.providers import Provider
from braggbook.hub.store.tables import Person
from braggbook.hub.web.forms import Form, Posted
from braggbook.hub.web.rendering import go_back, go_to, own_path, page, url
from braggbook.hub.web.visitor import AtDesk, close_session, desk_of, open_session, remember, say_once, visitor_of

router = APIRouter()
BEGUN_FOR = datetime.timedelta(minutes=10)  # from leaving for a provider to coming back
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ANOTHER_BROWSER = "This sign-in was not begun in this browser, or more than 10 minutes ago. Please begin again."


@router.get("/sign-in", name="sign_in")
def ask(request: Request, next: str = "") -> Response:
    """Shows the ways to sign in; who is signed in goes on."""
    if visitor_of(request).person is not None:
        return go_back(request, next, default="home")
    return _sign_in_page(request, Form(values={"next": next}))


@router.post("/sign-in", name="sign_in_local")
def sign_in(request: Request, form: Posted, desk: AtDesk) -> Response:
    """Signs somebody in by a password."""
    request.app.state.rates.sign_in(request)
    login = form.text("login", longest=64)
    try:
        found = accounts.sign_in_local(desk, login, form.values.get("password", ""))
    except SignInRefused as error:
        return _sign_in_page(request, wrong(form, error), status=422)
    _enter(request, found.person)
    if found.failures:
        times = "one wrong password was" if found.failures == 1 else f"{found.failures} wrong passwords were"
        say_once(request, "note", f"Since you last signed in, {times} given for your account.")
    return go_back(request, form.text("next"), default="home")


@router.post("/sign-out", name="sign_out")
def sign_out(request: Request, form: Posted) -> Response:  # noqa: ARG001 - that it is ours is what counts
    """Ends the session."""
    close_session(request)
    say_once(request, "good", "You are signed out.")
    return go_to(request, "home")


@router.post("/sign-in/{provider}", name="oidc_begin")
def leave_for(request: Request, provider: str, form: Posted, desk: AtDesk) -> Response:
    """Sends a browser to a provider.

    It is a page that refreshes, not a redirect: browsers take a redirect after a form for the form's own target, which
    the page's policy (form-action) keeps on this host.
    """
    request.app.state.rates.sign_in(request)
    found = _provider(desk, provider)
    visitor, back = visitor_of(request), own_path(request, form.text("next"))
    try:
        started = oidc.begin(found, redirect_uri=_return_to(request, provider))
    except SignInRefused as error:
        return _sign_in_page(request, wrong(form, error), status=422)
    kept = asdict(replace(started, url="")) | {
        "provider": provider,
        "next": back,
        "until": (desk.clock() + BEGUN_FOR).isoformat(),
        "person": visitor.person.id if visitor.person else None,
    }
    remember(request, oidc=kept)
    answer = page(request, "sign_in.html", leaving=found, address=started.url)
    answer.headers["Refresh"] = f"0;url={started.url}"
    return answer


@router.get("/sign-in/{provider}/return", name="oidc_return")
def come_back(request: Request, provider: str, desk: AtDesk) -> Response:
    """Takes somebody in who comes back from a provider."""
    request.app.state.rates.sign_in(request)
    found, kept = _provider(desk, provider), _begun(request, desk, provider)
    if kept is None:
        return _sign_in_page(request, Form(errors={"": _ANOTHER_BROWSER}), status=422)
    started = oidc.Started(url="", **{name: kept[name] for name in ("state", "nonce", "verifier", "issuer")})
    query, now = dict(request.query_params), desk.clock().timestamp()
    try:
        identity = oidc.finish(found, started, query=query, redirect_uri=_return_to(request, provider), now=now)
        if kept["person"] is not None:
            return _link(request, desk, identity, kept["person"])
        pending = pending_link(request)
        person = accounts.sign_in_identity(desk, identity, invitation=pending)
    except SignInRefused as error:
        return _sign_in_page(
            request, Form(values={"next": kept["next"] or ""}, errors={"": sentence(error)}), status=422
        )
    _enter(request, person)
    used_up = pending is not None and pending_link(request) is None
    return go_to(request, "account") if used_up else go_back(request, kept["next"], default="home")


def _link(request: Request, desk: Desk, identity: oidc.Identity, person: int) -> Response:
    """Gives somebody who is signed in one more way to sign in."""
    visitor = visitor_of(request)
    if visitor.person is None or visitor.person.id != person:
        return _sign_in_page(request, Form(errors={"": _ANOTHER_BROWSER}), status=422)
    try:
        accounts.link_identity(desk, visitor.person, identity)
        done(request, "You can sign in so from now on.")
    except InputError as error:
        say_once(request, "bad", sentence(error))
    return go_to(request, "account")


@router.get("/invitation/{secret}", name="invitation")
def open_link(request: Request, secret: str, desk: AtDesk) -> Response:
    """Takes a link that works once out of the address, so that it stays in no history and goes along with nothing."""
    request.app.state.rates.sign_in(request)
    digest = accounts.digest_of_link(secret)
    accounts.look_at(desk, digest)
    remember(request, invitation=digest)
    answer = go_to(request, "invitation_open")
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.get("/invitation", name="invitation_open")
def show_link(request: Request, desk: AtDesk) -> Response:
    """Shows what a link is for; nothing happens yet."""
    digest = _require_pending(request)
    return _invitation_page(request, accounts.look_at(desk, digest), Form())


@router.post("/invitation", name="invitation_accept")
def accept(request: Request, form: Posted, desk: AtDesk) -> Response:
    """Uses a link that works once."""
    request.app.state.rates.sign_in(request)
    digest = _require_pending(request)
    link, visitor = accounts.look_at(desk, digest), visitor_of(request)
    if link.kind == "team":
        team = accounts.join(desk, digest, visitor.require_person())
        remember(request, invitation=None)
        return go_to(request, "team", id=team.id)
    if link.kind == "account" and visitor.person is not None:
        _enter(request, accounts.accept_as(desk, digest, visitor.person))  # who may more gets a new session
        done(request, "You are an organiser now.")
        return go_to(request, "home")
    try:
        person = _made_by(desk, digest, link, form)
    except InputError as error:
        if not error.issues:
            raise
        return _invitation_page(request, link, beside(form, error), status=422)
    _enter(request, person)
    welcome = "Your password is changed." if link.kind == "recovery" else f"Welcome, {person.name}."
    say_once(request, "good", welcome)
    return go_to(request, "home" if link.kind == "account" else "account")


def _made_by(desk: Desk, digest: str, link: accounts.Invited, form: Form) -> Person:
    """Returns the person of a new account, or of one that was recovered."""
    login, name, password = form.text("login"), form.text("name"), form.values.get("password", "")
    require_same(form, "password")
    if link.kind == "recovery":
        return accounts.accept_recovery(
            desk, digest, password=password, login=login, tokens=form.checked("tokens")
        )  # fmt: skip
    return accounts.accept_account(desk, digest, login=login, name=name, password=password)


def _sign_in_page(request: Request, form: Form, *, status: int = 200) -> Response:
    config = desk_of(request).config
    back = own_path(request, form.values.get("next")) or ""
    return page(
        request, "sign_in.html", status=status, form=True, fields=form, providers=config.providers, next=back,
        newcomers=config.newcomers, leaving=None,
    )  # fmt: skip


def _invitation_page(request: Request, link: accounts.Invited, form: Form, *, status: int = 200) -> Response:
    config = desk_of(request).config
    return page(
        request, "invitation.html", status=status, form=True, fields=form, link=link, providers=config.providers,
        now=desk_of(request).clock(),
    )  # fmt: skip


def _enter(request: Request, person: Person) -> None:
    """Begins the session of somebody who has shown who it is; a link that is still open comes along."""
    pending = pending_link(request)
    open_session(request, person)
    if pending is not None:
        remember(request, invitation=pending)


def pending_link(request: Request) -> str | None:
    """Returns the digest of the link that was opened in this browser, while it works."""
    session = visitor_of(request).session
    digest = session.data.get("invitation") if session else None
    if not digest:
        return None
    try:
        accounts.look_at(desk_of(request), digest)
    except UnknownName:
        return None
    return str(digest)


def _require_pending(request: Request) -> str:
    digest = pending_link(request)
    if digest is None:
        wanted = "the whole link, as it was given to you; it works once"
        raise UnknownName("no link that works was opened in this browser", wanted=wanted)
    return digest


def _provider(desk: Desk, name: str) -> Provider:
    known = {one.name: one for one in desk.config.providers}
    if name not in known:
        raise unknown_name("provider", name, known)
    return known[name]


def _begun(request: Request, desk: Desk, provider: str) -> dict[str, Any] | None:
    """Returns what was kept when this browser left for a provider; it is taken out, whatever comes of it."""
    session = visitor_of(request).session
    kept = session.data.get("oidc") if session else None
    if not kept:
        return None
    remember(request, oidc=None)
    late = datetime.datetime.fromisoformat(kept["until"]) < desk.clock()
    return None if late or kept["provider"] != provider else kept


def _return_to(request: Request, provider: str) -> str:
    """Returns the address that a provider sends people back to.

    It is made of what the hub's organiser has set. Without that, the Host header is believed only where it names this
    machine or the address that the hub listens on: whoever sends another one could have the code sent elsewhere, if the
    provider is careless. Headers that forward a host are never read.

    Raises:
        SignInRefused: The hub does not know its own address.
    """
    config, path = desk_of(request).config, url(request, "oidc_return", provider=provider)
    if config.public_url:
        return config.public_url.rstrip("/").removesuffix(request.scope.get("root_path", "")) + path
    host = request.url.hostname or ""
    if (f"[{host}]" if ":" in host else host) not in (*_LOOPBACK, config.host):
        what, told = (
            "this hub does not know by which address people reach it",
            "tell an organiser: public_url is not set",
        )
        raise SignInRefused(what, got=host[:100], next_command=told)
    return f"{request.url.scheme}://{request.url.netloc}{path}"


def done(request: Request, text: str) -> None:
    """Says on the next page what was done; whoever asks is looked up anew, for it may be what has changed."""
    if visitor_of(request).cookie is None:
        request.state.visitor = None
    say_once(request, "good", text)


def beside(form: Form, error: InputError) -> Form:
    """Puts what is wrong beside the fields that it is about, or on top of the form."""
    for issue in error.issues:
        before = form.errors.get(issue.where)
        form.errors[issue.where] = f"{before} {issue.what}" if before else issue.what
    return form if error.issues else wrong(form, error)


def wrong(form: Form, error: InputError) -> Form:
    """Puts what is wrong on top of a form."""
    form.errors[""] = sentence(error)
    return form


def sentence(error: InputError) -> str:
    """Returns an error as people read it on a page."""
    text = f"{error.where}: {error.what}" if error.where else error.what
    text = text[:1].upper() + text[1:].rstrip(".") + "."
    return f"{text} Next: {error.next_command}." if error.next_command else text


def require_same(form: Form, name: str) -> None:
    """Makes sure that a password was typed twice alike: there is no mail by which to get another one.

    Raises:
        InputError: It was not; the issue names the second field.
    """
    if form.values.get(name, "") != form.values.get("again", ""):
        raise InputError("the two passwords differ", issues=[Issue("It is not the same as above.", "again")])
