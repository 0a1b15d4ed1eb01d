"""What can be ordered to go wrong, on which call.

::

    server.faults.add(Fault(Answer(429, headers={"Retry-After": "1"}), method="PUT", nth=3))
    server.faults.add(Fault(gateway_timeout(after=True), path="*/actions/publish"))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .calls import Call
from .problems import ApiError, forbidden, proxy_page, server_error
from .wire import Reply


@dataclass(frozen=True)
class DropRequest:
    """The connection goes while the request's body arrives, and nothing is done.

    Args:
        at_byte: Of the body; at latest at its end.
    """

    at_byte: int = 0


@dataclass(frozen=True)
class DropReply:
    """What was asked for is done, and the connection goes while the reply is sent.

    Args:
        at_byte: Of the reply's body; None is before its first header.
    """

    at_byte: int | None = None


@dataclass(frozen=True)
class Answer:
    """The reply is another than the right one.

    Args:
        status: Its status.
        content: Its body, and of which type that is.
        content_type: Of the body.
        headers: More headers.
        after: Whether what was asked for is done before that.
    """

    status: int
    content: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False

    def reply(self) -> Reply:
        """Returns the reply."""
        return Reply(self.status, content=self.content, content_type=self.content_type, headers=dict(self.headers))


@dataclass(frozen=True)
class WrongChecksum:
    """Every checksum in the reply is one that the bytes do not have; the stored bytes are right."""


@dataclass(frozen=True)
class CorruptStored:
    """A bit of the bytes that the call brought is flipped where they are kept; the reply is right."""


@dataclass(frozen=True)
class Slow:
    """The call takes its time.

    Args:
        bytes_per_second: Of bodies, both ways; None is as fast as it goes.
        latency_s: Before anything is done.
    """

    bytes_per_second: float | None = None
    latency_s: float = 0.0


@dataclass(frozen=True)
class Do:
    """The test itself is called, to kill a client at a point that it knows, or to look.

    Args:
        act: Called with the call.
        after: Whether what was asked for is done before that, and only the reply is missing.
    """

    act: Callable[[Call], None]
    after: bool = False


@dataclass(frozen=True)
class Rewrite:
    """What was asked for is done, and the test changes the reply.

    Args:
        change: Gets the reply and returns another, or the same one changed.
    """

    change: Callable[[Reply], Reply]


Action = DropRequest | DropReply | Answer | WrongChecksum | CorruptStored | Slow | Do | Rewrite


@dataclass
class Fault:
    """Something that goes wrong on some calls.

    Args:
        action: What.
        method: Of the calls, as a pattern: ``PUT``, ``*``.
        path: Of the calls without the query, unquoted, as a pattern whose ``*`` matches slashes too.
        nth: Which of the matching calls is the first to suffer, from 1.
        times: How many in a row do; None is all from then on.
    """

    action: Action
    method: str = "*"
    path: str = "*"
    nth: int = 1
    times: int | None = 1
    seen: int = field(default=0, init=False)  # matching calls
    fired: int = field(default=0, init=False)  # those that suffered

    def strikes(self, call: Call) -> bool:
        """Counts a call and says whether it suffers."""
        if not (fnmatchcase(call.method, self.method) and fnmatchcase(call.path, self.path)):
            return False
        self.seen += 1
        struck = self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)
        self.fired += struck
        return struck


class Faults:
    """The faults that were ordered."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Orders a fault, and returns it so that its counts can be read later."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Takes all orders back."""
        with self._lock:
            self._faults.clear()

    def of(self, call: Call) -> list[Action]:
        """Returns what a call suffers."""
        with self._lock:
            return [fault.action for fault in self._faults if fault.strikes(call)]


def too_many_requests(*, retry_after: int | str | None = None) -> Answer:
    """Returns a 429, with or without the time to wait."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _answer(ApiError(429, "Too Many Requests"), headers=headers)


def internal_error(*, after: bool = False) -> Answer:
    """Returns a 500 as the application gives it, with an ``error_id``."""
    return _answer(server_error(), after=after)


def gateway_timeout(*, after: bool = False) -> Answer:
    """Returns a 504 as the proxy gives it: a page, not JSON; ``after`` what was asked for is done."""
    return Answer(504, proxy_page(504), "text/html", after=after)


def too_large() -> Answer:
    """Returns a 413 as the proxy gives it."""
    return Answer(413, proxy_page(413), "text/html")


def denied() -> Answer:
    """Returns a 403 as the application gives it."""
    return _answer(forbidden())


def _answer(error: ApiError, *, headers: Mapping[str, str] | None = None, after: bool = False) -> Answer:
    content = Reply(error.status, json=error.as_json()).body()
    return Answer(error.status, content, headers=headers or {}, after=after)
