"""How the hub asks OpenID providers: with an end in bytes and in time, and never anybody but the one it asks.

A redirect is refused wherever it leads, cookies are not kept, nothing is looked up in a ``.netrc``, and a name and a
password of a proxy come from the environment as for other programs, except on this machine.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from braggbook.records.transport import user_agent

PATIENCE_S = 10.0  # from the question to the end of the answer; a person waits for it
CONNECT_S = 5.0
LARGEST_ANSWER = 1_000_000  # bytes; metadata, keys and tokens have a few thousand
KEPT_S = 3600.0  # that metadata and keys are believed before they are fetched again
_BLOCK_BYTES = 1 << 16
_LOCAL = ("127.0.0.1", "localhost", "::1")
_LATE = (requests.Timeout, urllib3.exceptions.TimeoutError)
_BROKEN = (  # what requests, Authlib and JSON make of answers that are none
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class Unheard(Exception):
    """A provider gave no answer that can be used; the message says why and holds nothing that it sent."""


class _Bounded(HTTPAdapter):
    """Reads every answer to its end at once, or not at all."""

    def __init__(self, line: Line) -> None:
        self._line = line
        super().__init__()

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        until = self._line.clock() + self._line.patience_s
        silence_s = self._line.patience_s
        options |= {"stream": True, "timeout": (min(CONNECT_S, silence_s), silence_s)}
        answer = super().send(request, *arguments, **options)
        with contextlib.closing(answer):
            if 300 <= answer.status_code < 400:
                raise Unheard("it points elsewhere")
            content = self._read(answer, until)
        answer.raw = io.BytesIO(content)
        return answer

    def _read(self, answer: requests.Response, until: float) -> bytes:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Unheard("it packs what it was asked not to pack")
        parts: list[bytes] = []
        size = 0
        while block := answer.raw.read1(_BLOCK_BYTES, decode_content=False):
            parts.append(block)
            size += len(block)
            if size > LARGEST_ANSWER:
                raise Unheard(f"its answer has more than {LARGEST_ANSWER} bytes")
            if self._line.clock() > until:
                raise Unheard(f"its answer takes longer than {self._line.patience_s:g} s")
        return b"".join(parts)


@dataclass
class Line:
    """What the hub asks providers by, and what they said before.

    Attributes:
        patience_s: How long one answer may take.
        clock: Gives seconds that only grow.
    """

    patience_s: float = PATIENCE_S
    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def prepare(self, session: requests.Session, *, url: str) -> None:
        """Makes a session of requests, or one that extends it, keep to these rules when it asks an address."""
        session.headers.update(
            {"User-Agent": user_agent(), "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        session.trust_env = not is_local(url)  # no proxy for this machine
        session.mount("https://", _Bounded(self))
        session.mount("http://", _Bounded(self))

    def get(self, url: str, *, anew: bool = False) -> Mapping[str, Any]:
        """Returns the JSON object at an address, also one that came within the last hour unless ``anew``.

        Raises:
            Unheard: There is none, or nobody answers.
        """
        with self._lock:
            since, known = self._kept.get(url, (0.0, {}))
        if known and not anew and self.clock() - since < KEPT_S:
            return known
        found = self._fetch(url)
        with self._lock:
            self._kept[url] = (self.clock(), found)
        return found

    def forget(self, url: str) -> None:
        """Asks again next time, for what an address gave was of no use."""
        with self._lock:
            self._kept.pop(url, None)

    def _fetch(self, url: str) -> dict[str, Any]:
        with requests.Session() as session, unheard():
            self.prepare(session, url=url)
            answer = session.get(url, auth=_as_nobody, allow_redirects=False)
            if answer.status_code != 200:
                raise Unheard(f"it answers with status {answer.status_code}")
            found = json.loads(answer.content)
        if not isinstance(found, dict):
            raise Unheard("its answer is not a JSON object")
        return found


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Turns whatever breaks while a provider is asked into :class:`Unheard`."""
    try:
        yield
    except Unheard:
        raise
    except _LATE:
        raise Unheard("it does not answer in time") from None
    except requests.ConnectionError as error:
        raise Unheard("its certificate is not valid" if "SSLError" in repr(error) else "it cannot be reached") from None
    except _BROKEN as error:
        raise Unheard(f"its answer cannot be read ({type(error).__name__})") from None


def is_local(url: str) -> bool:
    """Returns whether an address is one of this machine."""
    try:
        return urlsplit(url).hostname in _LOCAL
    except ValueError:
        return False


def _as_nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from looking for a password in a .netrc."""
    return request
