"""Pages from templates, with what every page shows."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from braggbook import __version__
from braggbook.hub.web.visitor import desk_of, remember, set_cookie, visitor_of, with_session

STATIC = files("braggbook.hub") / "static"


def page(request: Request, template: str, *, status: int = 200, form: bool = False, **parts: Any) -> Response:
    """Draws a page.

    Args:
        request: That it answers.
        template: File in templates/.
        status: Of the answer.
        form: Whether it has a form that changes something; then there is a session to protect it.
        parts: What the template shows.
    """
    text = environment().get_template(template).render(**context(request, form=form), **parts)
    response = HTMLResponse(text, status_code=status, headers={"Cache-Control": "private, no-store"})
    return set_cookie(request, response)


def fragment(request: Request, template: str, **parts: Any) -> Response:
    """Draws a part of a page, for one that is open."""
    text = environment().get_template(template).render(**context(request), **parts)
    return set_cookie(request, HTMLResponse(text, headers={"Cache-Control": "no-store"}))


def context(request: Request, *, form: bool = False) -> dict[str, Any]:
    """Returns what every template may use."""
    visitor = visitor_of(request)
    needed = (form or visitor.person) and not visitor.by_token  # a program has no session, and sends no forms
    session = with_session(request) if needed else visitor.session
    said = session.data.get("flash", []) if session else []
    if said:
        remember(request, flash=None)
    return {
        "hub_title": desk_of(request).config.title,
        "person": visitor.person,
        "organiser": visitor.organiser,
        "csrf": session.csrf if session else "",
        "flash": said,
        "version": __version__,
        "request_id": request.state.request_id,
        "path": request.url.path.removeprefix(request.scope.get("root_path", "")),
        "url": lambda name, **params: url(request, name, **params),
        "static": lambda name: f"{url(request, 'static', path=name)}?{_version(name)}",
    }


def url(request: Request, name: str, *, query: str = "", **params: Any) -> str:
    """Returns the address of a route, below the prefix, without the host."""
    quoted = {key: quote(str(value), safe="/") for key, value in params.items()}
    path = request.scope.get("root_path", "") + str(request.app.url_path_for(name, **quoted))
    return f"{path}?{query}" if query else path


def go_to(request: Request, name: str, **params: Any) -> Response:
    """Sends the browser to a route of ours, to be asked by GET."""
    return set_cookie(request, RedirectResponse(url(request, name, **params), status_code=303))


def go_back(request: Request, path: str | None, *, default: str) -> Response:
    """Sends the browser to a path of ours that it came with, if it is one; never to another host."""
    return set_cookie(request, RedirectResponse(own_path(request, path) or url(request, default), status_code=303))


def own_path(request: Request, path: str | None) -> str | None:
    """Returns a path of ours; None if it leads elsewhere."""
    prefix = request.scope.get("root_path", "")
    if not path or not path.startswith(f"{prefix}/") or path.startswith("//"):
        return None
    if (
        any(sign == "\\" or not sign.isprintable() or sign.isspace() for sign in path)
        or "://" in path.partition("?")[0]
    ):
        return None
    return None if path.removeprefix(prefix).startswith("//") else path


@cache
def _version(name: str) -> str:
    """Returns a short hash of a static file, so that browsers keep it until there is another one."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


@cache
def environment() -> jinja2.Environment:
    """Returns the templates."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.hub", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.do"],
    )
