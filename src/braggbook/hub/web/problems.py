"""Errors as answers: a page for people, JSON for programs, never a traceback."""

from __future__ import annotations

import logging
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from braggbook.errors import (
    BraggbookError,
    InputError,
    InternalError,
    NotAllowed,
    OutsideError,
    SignInNeeded,
    TooLarge,
    TooMany,
    UnknownName,
)
from braggbook.hub.web.middleware import guard
from braggbook.hub.web.rendering import page, url
from braggbook.hub.web.visitor import desk_of, visitor_of

_CODES: tuple[tuple[type[BraggbookError], int], ...] = (
    (SignInNeeded, 401),
    (NotAllowed, 403),
    (UnknownName, 404),
    (TooLarge, 413),
    (TooMany, 429),
    (InputError, 422),
    (OutsideError, 503),
)
log = logging.getLogger(__name__)


def code_of(error: BraggbookError) -> int:
    """Returns the status that an error is answered with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), 500)


def is_program(request: Request) -> bool:
    """Whether a program asks: it gets JSON."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return path.startswith("/api/")


def install(app: FastAPI) -> None:
    """Has an application answer errors so."""
    app.add_exception_handler(BraggbookError, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, BraggbookError)
    code = code_of(error)
    if code >= 500:
        log.error("a request went wrong", extra={"error": str(error)})
    by_token = "authorization" in request.headers  # who sends one is not helped by a page to sign in
    if isinstance(error, SignInNeeded) and not is_program(request) and request.method == "GET" and not by_token:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{url(request, 'sign_in')}?next={quote(back, safe='/')}", status_code=303)
    return answer(request, error, code)


def answer(request: Request, error: BraggbookError, code: int) -> Response:
    """Answers with an error."""
    headers = {"Retry-After": "60"} if code in (429, 503) else {"WWW-Authenticate": "Bearer"} if code == 401 else {}
    if isinstance(error, OutsideError | InternalError):
        error = _without_places(error)
    if is_program(request):
        said = {name: value for name, value in error.as_json().items() if name != "exit_code"}
        return JSONResponse({**said, "request_id": request.state.request_id}, code, headers=headers)
    with suppress(BraggbookError):  # whose token does not work, or is not looked up, is nobody on this page
        visitor_of(request)
    try:
        response = page(request, "message.html", status=code, error=error, code=code, phrase=HTTPStatus(code).phrase)
    except OutsideError:  # the page asks the database who is there, and that is what is down
        response = Response(f"{error}\n", code, media_type="text/plain; charset=utf-8")
    response.headers.update(headers)
    return response


def _without_places(error: BraggbookError) -> BraggbookError:
    """Returns a fault of ours as others may read it: where it happened on this machine is for the log alone."""
    return type(error)(error.what, wanted=error.wanted)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "there is no such page", 405: "this address is not asked so"}.get(error.status_code, str(error.detail))
    response = answer(request, InputError(said), error.status_code)
    response.headers.update(error.headers or {})
    return response


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
    return answer(request, InputError("the request is not as it has to be", got="; ".join(found)[:500]), 422)


def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("an unforeseen fault", exc_info=error)
    told = InternalError("a fault in the hub itself", wanted="the request's id, if you report it")
    response = answer(request, told, 500)  # it goes out around the frame, which gives all others their headers
    guard(response.headers, id=request.state.request_id, secure=desk_of(request).config.secure)
    return response
