"""One request and its reply: who asks, what goes wrong on order, what is answered."""

from __future__ import annotations

import re
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

from .archive import Archive
from .calls import Call, Calls
from .faults import Action, Answer, CorruptStored, Do, DropReply, DropRequest, Faults, Rewrite, Slow, WrongChecksum
from .limits import RateLimit
from .problems import ApiError, HtmlError, proxy_page, server_error
from .routing import Request, Route, find_route
from .settings import Account
from .wire import Body, BodyTruncated, Cut, Flow, Reply, SizedBody, body_of, send

_TOKEN = "access_token"  # noqa: S105 - the name of a parameter
_LARGEST_JSON = 16_000_000
_WORTH_DRAINING = 1 << 20  # bytes of a refused body that are read so that the connection lives on
_LINGER_S = 10.0  # how long a refused body may go on arriving before the connection is closed
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"https?://[^/]*", re.IGNORECASE)  # before the path, as a client of a proxy has it
_Kind = TypeVar("_Kind", bound=Action)


@dataclass
class Site:
    """What all requests to a server share."""

    archive: Archive
    routes: list[Route]
    tokens: Mapping[str, Account]
    limits: RateLimit
    faults: Faults = field(default_factory=Faults)
    calls: Calls = field(default_factory=Calls)
    failures: list[str] = field(default_factory=list)  # tracebacks of errors of its own
    url: str = ""
    is_stopped: bool = False


class Exchange:
    """One request and its reply on a connection."""

    def __init__(self, connection: BaseHTTPRequestHandler, site: Site) -> None:
        self._connection, self._site = connection, site
        target, _, parameters = connection.path.partition("#")[0].partition("?")
        query = dict(parse_qsl(parameters, keep_blank_values=True))
        token, token_in = self._token(query)
        path = unquote(_ORIGIN.sub("", target)) or "/"
        headers = {name.lower(): value for name, value in connection.headers.items() if name.lower() != "authorization"}
        self._call = Call(connection.command, path, query, headers, token_in)
        site.calls.add(self._call)
        self._account = site.tokens.get(token)
        self._bad_token = bool(token_in) and self._account is None
        self._actions = site.faults.of(self._call)
        self._body: Body = SizedBody(connection.rfile, 0)
        self._request: Request | None = None
        self._headers: dict[str, str] = {}

    def _token(self, query: dict[str, str]) -> tuple[str, str]:
        kind, _, value = self._connection.headers.get("Authorization", "").partition(" ")
        in_query = query.pop(_TOKEN, None)
        if kind.lower() == "bearer":
            return value.strip(), "header"
        return (in_query, "query") if in_query is not None else ("", "")

    def run(self) -> None:
        """Answers, or drops the connection where a fault says so."""
        try:
            reply = self._reply()
        except (Cut, BodyTruncated):
            self._call.received = self._body.received
            raise
        self._call.received = self._body.received
        try:
            self._act_after(reply)
            shown = self._other_reply(after=True) or reply
            for rewrite in self._of_kind(Rewrite):
                shown = rewrite.change(shown)
            self._send(shown)
        finally:
            if reply.part:
                reply.part.stream.close()

    def _reply(self) -> Reply:
        try:
            self._body.is_broken = True  # until the headers have said where it ends
            self._body = body_of(self._connection.headers, self._connection.rfile)
            self._body.flow = self._request_flow()
            self._act_before()
            if other := self._other_reply(after=False):
                return other
            self._headers = self._site.limits.count(self._account, str(self._connection.client_address[0]))
            return self._answer()
        except ApiError as error:
            return Reply(error.status, json=error.as_json(), headers=error.headers)
        except HtmlError as error:
            return Reply(error.status, content=proxy_page(error.status), content_type="text/html")
        except (Cut, BodyTruncated):
            raise
        except Exception:  # whatever it is, the client gets an answer, as from the real server
            self._site.failures.append(traceback.format_exc())
            return Reply(500, json=server_error().as_json())

    def _answer(self) -> Reply:
        route, parameters = find_route(self._site.routes, self._call.method, self._call.path)
        request = self._request = Request(
            self._call.method,
            self._call.path,
            self._call.query,
            self._connection.headers,
            self._base(),
            self._account,
            bad_token=self._bad_token,
            body=self._body,
            parameters=parameters,
        )
        if not route.streams:
            if (self._body.length or 0) > _LARGEST_JSON:
                raise HtmlError(413)
            request.content = self._body.bytes(_LARGEST_JSON)
        return route.handler(request)

    def _base(self) -> str:
        host = self._connection.headers.get("Host", "")
        return f"http://{host}" if _HOST.fullmatch(host) else self._site.url

    def _of_kind(self, kind: type[_Kind]) -> list[_Kind]:
        return [action for action in self._actions if isinstance(action, kind)]

    def _request_flow(self) -> Flow:
        drops = self._of_kind(DropRequest)
        return Flow(cut_at=drops[0].at_byte if drops else None, bytes_per_second=self._rate())

    def _rate(self) -> float | None:
        rates = [slow.bytes_per_second for slow in self._of_kind(Slow) if slow.bytes_per_second is not None]
        return min(rates, default=None)

    def _act_before(self) -> None:
        latency_s = self._site.archive.settings.latency_s + sum(slow.latency_s for slow in self._of_kind(Slow))
        if latency_s:
            time.sleep(latency_s)
        if self._site.is_stopped:
            raise Cut  # another server may have the folder by now
        for do in self._of_kind(Do):
            if not do.after:
                do.act(self._call)
        if self._body.flow.cut_at is not None and self._body.length == 0:
            raise Cut

    def _act_after(self, reply: Reply) -> None:
        if self._request and self._of_kind(CorruptStored):
            for blob in self._request.stored:
                self._site.archive.store.damage(blob)
        if self._of_kind(WrongChecksum):
            reply.json = _with_wrong_checksums(reply.json)
        self._call.status = reply.status
        for do in self._of_kind(Do):
            if do.after:
                do.act(self._call)
        if any(drop.at_byte is None for drop in self._of_kind(DropReply)):
            raise Cut

    def _other_reply(self, *, after: bool) -> Reply | None:
        answers = [answer for answer in self._of_kind(Answer) if answer.after == after]
        return answers[0].reply() if answers else None

    def _send(self, reply: Reply) -> None:
        self._call.status = reply.status
        keep = self._body.drain(_WORTH_DRAINING if self._body.flow.cut_at is None else sys.maxsize)
        drops = self._of_kind(DropReply)
        flow = Flow(cut_at=drops[0].at_byte if drops else None, bytes_per_second=self._rate())
        more = {"Server": "nginx", "Date": self._connection.date_time_string(self._site.limits.now()), **self._headers}
        if not keep or drops or reply.headers.get("Connection") == "close":
            more["Connection"] = "close"
            self._connection.close_connection = True
        elif self._connection.close_connection:
            more["Connection"] = "close"
        bare = self._call.method == "HEAD"
        try:
            self._call.sent = send(self._connection.connection, reply, more=more, bare=bare, flow=flow)
        except Cut:
            self._call.sent = flow.cut_at or 0
            raise
        if not keep:
            self._linger()

    def _linger(self) -> None:
        """Reads on for a while, for a client that is still sending would not see the reply through a reset."""
        connection, until = self._connection.connection, time.monotonic() + _LINGER_S
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.0)
        while time.monotonic() < until and self._connection.rfile.read1(_WORTH_DRAINING):
            continue


def _with_wrong_checksums(value: object) -> object:
    if isinstance(value, list):
        return [_with_wrong_checksums(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _wrong(item) if name == "checksum" and isinstance(item, str) else _with_wrong_checksums(item)
        for name, item in value.items()
    }


def _wrong(checksum: str) -> str:
    return checksum[:-1] + ("0" if checksum[-1:] != "0" else "1")
