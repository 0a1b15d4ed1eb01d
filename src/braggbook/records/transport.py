"""HTTP as archives need it: a token that is never shown, a name, patience, and streams.

- The token is a header (``Authorization: Bearer``), never part of an address, and is taken out of every message. It
  goes to no other server: a redirect of a write is refused, one of a download elsewhere is followed without it. A proxy
  sees it only inside TLS, and http.client's debugging, which prints headers, is off for these connections.
- The user agent says who asks: Zenodo throttles the default names of libraries (pooch issue 502).
- What can be asked again without harm is asked again: reading, replacing, deleting, and anything that was refused with
  429 or before it reached the server. A POST whose outcome is unknown is not.
- The server's limit is obeyed by all threads together (:mod:`braggbook.records.pace`).
- An answer that is read whole has an end: in bytes and in time.
"""

from __future__ import annotations

import http.client
import importlib.metadata
import io
import json as json_module
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from braggbook.errors import ArchiveError, BraggbookError, InputError, Issue, NetworkError
from braggbook.records.pace import LONGEST_WAIT_S, Clock, Pace

__all__ = ["Clock", "Transport", "user_agent"]

TIMEOUT_S = (30.0, 120.0)  # to be connected, and for each block that goes; of silence
LARGEST_ANSWER = 32_000_000  # bytes; a page of a hundred records with a hundred files each is 5 MB
LONGEST_ANSWER_S = 600.0
_TRIES = 5
_HASTY_TRIES = 50  # refusals that say when to come back: every thread may be refused once per window
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be others next time
_REDIRECTS = {301, 302, 303, 307, 308}
_HOPS = 5
_MOST_HEADS = 10
_BLOCK_BYTES = 1 << 20
_LONGEST_MESSAGE = 500  # characters of a server's text that a message repeats
_MOST_ISSUES = 100
_LOCAL = ("127.0.0.1", "localhost", "::1")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, ConnectionError)


class _Response(http.client.HTTPResponse):
    """An answer that comes at last: http.client reads interim ones (status 100) for as long as they come."""

    _heads = 0

    def _read_status(self) -> tuple[str, int, str]:
        self._heads += 1
        if self._heads > _MOST_HEADS:
            raise http.client.HTTPException("interim answers without end")
        return super()._read_status()  # type: ignore[misc,no-any-return]


class _QuietHttp(HTTPConnection):
    debuglevel = 0  # whatever http.client's own is: it prints headers
    response_class = _Response


class _QuietHttps(HTTPSConnection):
    debuglevel = 0
    response_class = _Response


class _QuietHttpPool(HTTPConnectionPool):
    ConnectionCls = _QuietHttp


class _QuietHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _QuietHttps


class _Adapter(HTTPAdapter):
    """Makes quiet connections, also through a proxy."""

    _pools = {"http": _QuietHttpPool, "https": _QuietHttpsPool}

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Session(requests.Session):
    """Leaves redirects to us: requests would read an address that is none even where it does not follow it."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - its signature
        return None


class _Bearer(AuthBase):
    """Adds the token, and keeps requests from looking for another one in a .netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "_Bearer(<token>)"

    def __reduce__(self) -> Any:
        return _Bearer, (None,)


@dataclass(frozen=True)
class _Asked:
    """One thing that is asked for, perhaps several times."""

    method: str
    url: str
    said: Mapping[str, Any]  # json, params, headers
    body: Callable[[], Any] | None
    stream: bool

    def send(self, session: requests.Session, url: str) -> requests.Response:
        said: dict[str, Any] = {**self.said, "timeout": TIMEOUT_S, "stream": True, "allow_redirects": False}
        if url != self.url:
            said["params"] = None  # an address that the server gave is whole
        if self.body is None:
            return session.request(self.method, url, **said)
        with self.body() as data:
            return session.request(self.method, url, data=data, **said)


@dataclass
class Transport:
    """Asks one server, from several threads if need be.

    Attributes:
        base: Its address, without a slash at the end.
        simultaneous: Connections that are kept open; most of a small file's time is the way there and back.
    """

    base: str
    token: str | None = field(default=None, repr=False)
    simultaneous: int = 8
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.base = self.base.rstrip("/")
        self.token = self.token or None
        self._origin, self._is_local = _checked(self.base)
        if self.token and not _TOKEN.fullmatch(self.token):
            raise InputError(
                "not a token", where=self.base, wanted="letters, digits and -._~+/=", got="other characters"
            )
        self._session = self._new_session(self.token)
        self._elsewhere = self._new_session(None)
        self._pace = Pace(self.clock)

    def _new_session(self, token: str | None) -> requests.Session:
        session = _Session()
        session.auth = _Bearer(token)
        session.headers.update({"User-Agent": user_agent(), "Accept-Encoding": "identity"})
        session.trust_env = not self._is_local  # no proxy for this machine
        adapter = _Adapter(pool_maxsize=self.simultaneous)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def ask(
        self,
        method: str,
        address: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Any] | None = None,
        expect: tuple[int, ...] = (),
        stream: bool = False,
    ) -> requests.Response:
        """Asks, again and again where that does no harm, and returns an answer below 300 or one of ``expect``.

        Args:
            method: Of HTTP.
            address: Absolute, on this server; or a path below its base.
            json: What to send as JSON.
            params: Of the query.
            headers: More headers.
            body: Makes what to send, anew for every try.
            expect: Statuses of 300 and above that the caller deals with.
            stream: Leave the answer's body unread.

        Raises:
            ArchiveError: The server understood and refuses; its findings are listed. Or it answers what is no answer.
            NetworkError: It cannot be reached, or says nothing that decides.
        """
        said = {"json": json, "params": params, "headers": headers}
        asked = _Asked(method, self._within(address), said, body, stream)
        failed = hasty = 0
        while True:
            self._pace.wait()
            outcome, again = self._try(asked, expect)
            if isinstance(outcome, requests.Response):
                return outcome
            if again == "later" and hasty < _HASTY_TRIES:
                hasty += 1
                continue
            failed += 1
            if not again or failed >= _TRIES:
                raise outcome
            self.clock.sleep(0.5 * 2 ** (failed - 1))

    def _try(self, asked: _Asked, expect: tuple[int, ...]) -> tuple[requests.Response | BraggbookError, str]:
        """Asks once; returns the answer, or what is wrong and whether to ask again: no, ``soon``, or ``later``."""
        may_repeat = asked.method in _REPEATABLE
        try:
            answer = self._once(asked)
        except _BROKEN as error:
            return self._broken(asked, error), "soon" if may_repeat or _never_arrived(error) else ""
        wait_s = self._pace.heed(answer.status_code, answer.headers)
        if answer.status_code < 300 or answer.status_code in expect:
            return answer, ""
        refusal = self._refusal(asked, answer)
        if answer.status_code == 429 and wait_s is not None:
            if wait_s > LONGEST_WAIT_S:
                refusal.wanted = f"to be asked again in {wait_s:.0f} s"
                return refusal, ""
            return refusal, "later"
        again = answer.status_code in _PASSING and (may_repeat or answer.status_code == 429)
        return refusal, "soon" if again else ""

    def _once(self, asked: _Asked) -> requests.Response:
        """Sends a request, follows where it may, and reads the answer unless that is the caller's."""
        session, url = self._session, asked.url
        for _ in range(_HOPS):
            answer = asked.send(session, url)
            target = answer.headers.get("Location")
            if answer.status_code not in _REDIRECTS or not target:
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    answer.close()
                    raise ArchiveError("the archive packs what it was asked not to pack", where=self.clean(url))
                if not asked.stream or answer.status_code >= 300:
                    self._read(answer, url)
                return answer
            answer.close()
            session, url = self._follow(asked, url, target)
        raise ArchiveError("the archive sends from one address to the next", where=self.clean(asked.url))

    def _follow(self, asked: _Asked, url: str, target: str) -> tuple[requests.Session, str]:
        """Returns where a redirect leads, and who asks there: without the token on any other server."""
        there = target
        try:
            there = urljoin(url, target)
            origin, is_local = _checked(there, query=True)
        except (InputError, ValueError):
            origin, is_local = ("", ""), False
        if asked.method in ("GET", "HEAD") and origin == self._origin:
            return self._session, there
        if asked.method == "GET" and asked.stream and origin != ("", "") and (self._is_local or not is_local):
            return self._elsewhere, there
        where, got = f"{asked.method} {self.clean(asked.url)}", self.clean(there)
        raise ArchiveError("the archive points to another server", where=where, wanted=self.base, got=got)

    def _read(self, answer: requests.Response, url: str) -> None:
        """Reads an answer into it."""
        parts: list[bytes] = []
        size, until = 0, self.clock.now() + LONGEST_ANSWER_S
        with answer:
            while block := answer.raw.read1(_BLOCK_BYTES, decode_content=False):
                parts.append(block)
                size += len(block)
                if size > LARGEST_ANSWER or self.clock.now() > until:
                    raise ArchiveError("an answer without an end", where=self.clean(url), got=f"{size} bytes so far")
            announced = answer.headers.get("Content-Length", "")
            if announced.isdecimal() and answer.request.method != "HEAD" and size < int(announced):
                raise requests.ConnectionError(f"{size} of {announced} bytes came")
        content = b"".join(parts)
        if self.token:  # an echo of it goes no further
            content = content.replace(self.token.encode(), b"<token>")
        answer.raw = io.BytesIO(content)

    def _within(self, address: str) -> str:
        """Returns an absolute address on this server: the token goes nowhere else."""
        url = address if "://" in address else f"{self.base}{address}"
        try:
            origin, _ = _checked(url, query=True)
        except InputError:
            origin = ("", "")
        if origin != self._origin:
            raise ArchiveError(
                "the archive points to another server", where=self.base, wanted=self.base, got=self.clean(url)
            )
        return url

    def _broken(self, asked: _Asked, error: Exception) -> NetworkError:
        got, where = self.clean(f"{type(error).__name__}: {error}"), f"{asked.method} {self.clean(asked.url)}"
        return NetworkError("the archive did not answer", where=where, got=got)

    def _refusal(self, asked: _Asked, answer: requests.Response) -> BraggbookError:
        """Returns what a status of 300 or more means."""
        where, status = f"{asked.method} {self.clean(asked.url)}", answer.status_code
        if status in _PASSING:
            return NetworkError("the archive cannot answer now", where=where, got=f"status {status}")
        if status in (401, 403) and not self.token:
            wanted = "a token, in the environment variable BRAGGBOOK_ARCHIVE_TOKEN"
            return ArchiveError("the archive asks who you are", where=where, wanted=wanted, got=f"status {status}")
        message, issues = self._said(answer)
        return ArchiveError("the archive refuses", where=where, got=f"status {status}: {message}", issues=issues)

    def _said(self, answer: requests.Response) -> tuple[str, tuple[Issue, ...]]:
        """Returns the message and the findings of an error's body, of both APIs."""
        try:
            told = json_module.loads(answer.content)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            return self.clean(answer.reason or "no message"), ()
        errors = told.get("errors")
        found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
        issues = [
            Issue(self.clean(_messages(one)), self.clean(str(one.get("field", "")))) for one in found[:_MOST_ISSUES]
        ]
        return self.clean(str(told.get("message", ""))), tuple(issues)

    def clean(self, text: str) -> str:
        """Returns a text in which the token cannot be read, nor anything endless or what moves a terminal's cursor."""
        text = re.sub(r"//[^/@\s]+@", "//", text)
        if self.token:
            text = text.replace(self.token, "<token>").replace(quote(self.token, safe=""), "<token>")
        cut = text[:_LONGEST_MESSAGE] + (" ..." if len(text) > _LONGEST_MESSAGE else "")
        return "".join(letter if letter.isprintable() else " " for letter in cut)

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()
        self._elsewhere.close()


def _checked(url: str, *, query: bool = False) -> tuple[tuple[str, str], bool]:
    """Returns scheme and host of an address that a token may be sent to, and whether that is this machine.

    Raises:
        InputError: A token could be read on the way, or the address hides something.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    local = host in _LOCAL
    safe = parts.scheme == "https" or (parts.scheme == "http" and local)
    odd = "@" in parts.netloc or parts.fragment or "\\" in url or not url.isprintable() or " " in url
    dots = any(part in (".", "..") for part in parts.path.split("/"))
    if not host or not safe or odd or dots or (parts.query and not query):
        wanted = "https://..., for a token must not be read on the way; without a name, a query or .. in it"
        raise InputError("not an archive's address", where=re.sub(r"//[^/@\s]+@", "//", url)[:200], wanted=wanted)
    return (parts.scheme, parts.netloc.lower()), local


def _messages(error: Mapping[str, Any]) -> str:
    told = error.get("messages")
    return (
        "; ".join(map(str, told[:_MOST_ISSUES])) if isinstance(told, list) and told else str(error.get("message", ""))
    )


def user_agent() -> str:
    """Returns the name that we ask by."""
    return f"braggbook/{importlib.metadata.version('braggbook')} (Python; research data)"


def _never_arrived(error: Exception) -> bool:
    """Whether a request cannot have reached the server: no connection was made."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
