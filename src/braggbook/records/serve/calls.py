"""What was asked of the server, for tests that hold a client to its list of calls."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NUMBER = re.compile(r"(?<=/)[0-9]+(?=/|$)")


@dataclass
class Call:
    """One request and what came of it."""

    method: str
    path: str  # unquoted, without the query
    query: dict[str, str] = field(default_factory=dict)  # without a token
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case, without a token
    token_in: str = ""  # "header", "query" or empty: where the token was, never its value
    status: int = 0  # of the reply; 0 while there is none
    received: int = 0  # bytes of the request's body
    sent: int = 0  # bytes of the reply's body

    @property
    def user_agent(self) -> str:
        """What the client calls itself."""
        return self.headers.get("user-agent", "")

    def outline(self) -> str:
        """Returns ``PUT /api/files/{uuid}/a.txt 201``: what does not change from one test to the next."""
        path = _NUMBER.sub("{id}", _UUID.sub("{uuid}", self.path))
        return f"{self.method} {path} {self.status}"


class Calls:
    """The calls in the order in which they arrived."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        """Notes a call that arrives."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forgets all calls."""
        with self._lock:
            self._calls.clear()

    def outline(self) -> list[str]:
        """Returns each call in a line, identifiers replaced; see :meth:`Call.outline`."""
        return [call.outline() for call in self]

    def __iter__(self) -> Iterator[Call]:
        with self._lock:
            return iter(list(self._calls))

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    def __getitem__(self, index: int) -> Call:
        with self._lock:
            return self._calls[index]
