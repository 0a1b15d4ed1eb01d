"""What every request goes through: an id, the prefix, limits of size, headers, a line in the log, a count."""

from __future__ import annotations

import contextvars
import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from braggbook.hub.config import HubConfig

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_SMALL = 4 << 20  # bytes of a request that uploads nothing
_LONGEST_LENGTH = 20  # digits of a number of bytes
# nothing else takes a large body: who may not send one here is told so before it is read
_UPLOADS = re.compile(r"/challenges/[^/]+/submit|/organise/[^/]+/open|/api/v1/challenges/[^/]+/submissions")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~%@:+-]+)+")
_PREFIX_HEADERS = ("x-forwarded-prefix", "x-forwarded-context", "x-proxycontextpath")  # the last two are Jupyter's
_LARGE = "more was sent than the hub takes\n"
log = logging.getLogger("braggbook.hub.request")
Observer = Callable[[str, str, int, float], None]


class Frame:
    """The outermost layer; it never reads a body, and counts what others read of it."""

    def __init__(self, app: ASGIApp, *, config: HubConfig, observe: Observer) -> None:
        self._app, self._config, self._observe = app, config, observe
        self._trusted = _networks(config.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # what checks links asks so: the answer to GET, without its body
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        headers = Headers(scope=scope)
        id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = id
        reset = request_id.set(id)
        scope["root_path"] = prefix = self._prefix(scope, headers)
        if prefix and not f"{scope['path']}/".startswith(f"{prefix}/"):  # ASGI wants the prefix in the path too
            scope["path"] = prefix + scope["path"]
            scope["raw_path"] = prefix.encode() + scope.get("raw_path", b"")
        told = bool(prefix and not self._config.prefix)
        answer = _Answer(_relative(send, scope) if told else send, id=id, secure=self._config.secure)
        began = time.perf_counter()
        try:
            await self._within(scope, receive, answer, headers)
        finally:
            self._note(scope, answer.status or 500, time.perf_counter() - began)
            request_id.reset(reset)

    async def _within(self, scope: Scope, receive: Receive, answer: _Answer, headers: Headers) -> None:
        """Answers a request unless it is too large."""
        said, limit = headers.get("content-length", "0"), self._limit(scope["path"].removeprefix(scope["root_path"]))
        if not (said.isascii() and said.isdigit() and len(said) < _LONGEST_LENGTH):
            await PlainTextResponse("not a length\n", 400)(scope, receive, answer)
            return
        if int(said) > limit:
            await PlainTextResponse(_LARGE, 413)(scope, receive, answer)
            return
        try:
            await self._app(scope, _counted(receive, limit), answer)
        except _TooMuch:
            if not answer.status:
                await PlainTextResponse(_LARGE, 413)(scope, receive, answer)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "none"
        self._observe(scope["method"], route, status, seconds)
        extra = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        log.info("request", extra=extra)

    def _limit(self, path: str) -> int:
        return (self._config.upload_mb << 20) + _SMALL if _UPLOADS.fullmatch(path) else _SMALL

    def _prefix(self, scope: Scope, headers: Headers) -> str:
        """Returns the path before every address: as it was set, or as a proxy says that may be believed."""
        if self._config.prefix:
            return self._config.prefix.rstrip("/")
        client = scope.get("client")
        if client and not _is_in(client[0], self._trusted):
            return ""
        said = next((headers[name] for name in _PREFIX_HEADERS if headers.get(name)), "").rstrip("/")
        return said if _PREFIX.fullmatch(said) and ".." not in said else ""


def guard(headers: MutableHeaders, *, id: str, secure: bool) -> None:
    """Gives an answer the headers that every one has."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers["X-Request-ID"] = id
    if secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"


class _Answer:
    """An answer on its way out, which gets its headers here."""

    def __init__(self, send: Send, *, id: str, secure: bool) -> None:
        self._send, self._id, self._secure, self.status = send, id, secure, 0

    async def __call__(self, message: Message) -> None:
        """Passes a part of it on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            guard(MutableHeaders(scope=message), id=self._id, secure=self._secure)
        await self._send(message)


def _without_body(send: Send) -> Send:
    async def head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return head


class _TooMuch(Exception):
    """More came than may come; raised where the body is read."""


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooMuch
        return message

    return counted


def _networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for one in text.replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            continue
    return found


def _is_in(address: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address == ""  # a Unix socket has no address; who reaches it is on this machine
    return any(found in network for network in networks)


def _relative(send: Send, scope: Scope) -> Send:
    """Makes redirects relative, where a proxy said the prefix.

    jupyter-server-proxy puts the prefix before every redirect that begins with a slash, also where it is there already;
    what is relative it leaves as it is.
    """
    prefix = scope["root_path"]
    up = "../" * (scope["path"].removeprefix(prefix).count("/") - 1)

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            to = headers.get("location", "")
            if to.startswith(f"{prefix}/"):
                headers["location"] = f"./{up}{to.removeprefix(prefix + '/')}"
        await send(message)

    return answer
