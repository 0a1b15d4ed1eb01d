"""HTTP as archives need it: a token that is never shown, a name, patience, and streams.

- The token is a header (``Authorization: Bearer``), never part of an address, and is taken out of every message.
- The user agent says who asks: Zenodo throttles the default names of libraries (pooch issue 502).
- What can be asked again without harm is asked again: reading, replacing, deleting, and anything that was refused with
  429 or before it reached the server. A POST whose outcome is unknown is not.
- ``X-RateLimit-Remaining`` and ``Retry-After`` are obeyed, so that several threads together stay within the limit.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from braggbook.errors import ArchiveError, BraggbookError, HashMismatch, InputError, Issue, NetworkError, UnknownName

TIMEOUT_S = (10.0, 120.0)  # to be connected; of silence
_TRIES = 5
_LONGEST_WAIT_S = 90.0  # a rate limit's window is a minute
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be others next time
_BLOCK_BYTES = 1 << 20
_LONGEST_MESSAGE = 500  # characters of a server's text that a message repeats


@dataclass(frozen=True)
class Clock:
    """Time as an argument, so that a test need not wait."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


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


@dataclass
class Transport:
    """Asks one server, from several threads if need be.

    Attributes:
        base: Its address, without a slash at the end.
        simultaneous: Connections that are kept open.
    """

    base: str
    token: str | None = field(default=None, repr=False)
    simultaneous: int = 4
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.base = self.base.rstrip("/")
        parts = urlsplit(self.base)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            wanted = "https://..., for a token must not be read on the way"
            raise InputError("not an archive's address", where=self.base, wanted=wanted)
        self._session = requests.Session()
        self._session.auth = _Bearer(self.token)
        self._session.headers["User-Agent"] = user_agent()
        self._session.mount(f"{parts.scheme}://", HTTPAdapter(pool_maxsize=self.simultaneous))
        self._pause = threading.Lock()
        self._not_before = 0.0

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
        """Asks, again and again where that does no harm, and returns an answer below 400 or one of ``expect``.

        Args:
            method: Of HTTP.
            address: Absolute, on this server; or a path below its base.
            json: What to send as JSON.
            params: Of the query.
            headers: More headers.
            body: Makes what to send, anew for every try.
            expect: Statuses of 400 and above that the caller deals with.
            stream: Leave the answer's body unread.

        Raises:
            ArchiveError: The server understood and refuses; its findings are listed.
            NetworkError: It cannot be reached, or says nothing that decides.
        """
        url = self._within(address)
        failure: BraggbookError | None = None
        for number in range(_TRIES):
            self._wait(number, failure)
            try:
                answer = self._once(method, url, json=json, params=params, headers=headers, body=body, stream=stream)
            except requests.RequestException as error:
                failure = self._broken(method, url, error)
                if method not in _REPEATABLE and not _never_arrived(error):
                    break
                continue
            self._heed(answer)
            if answer.status_code < 400 or answer.status_code in expect:
                return answer
            failure = self._refusal(method, url, answer)
            passing = answer.status_code in _PASSING and (method in _REPEATABLE or answer.status_code == 429)
            if not passing:
                break
        raise failure or NetworkError("no answer", where=url)

    def _within(self, address: str) -> str:
        """Returns an absolute address on this server: the token goes nowhere else."""
        url = address if "://" in address else f"{self.base}{address}"
        ours, theirs = urlsplit(self.base), urlsplit(url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            got = f"{theirs.scheme}://{theirs.netloc}"
            raise ArchiveError("the archive points to another server", where=self.base, wanted=ours.netloc, got=got)
        return url

    def _once(
        self,
        method: str,
        url: str,
        *,
        body: Callable[[], Any] | None,
        headers: Mapping[str, str] | None,
        stream: bool,
        **asked: Any,
    ) -> requests.Response:
        if body is None:
            return self._session.request(method, url, headers=headers, timeout=TIMEOUT_S, stream=stream, **asked)
        with body() as data:
            return self._session.request(method, url, data=data, headers=headers, timeout=TIMEOUT_S, **asked)

    def _wait(self, number: int, failure: BraggbookError | None) -> None:
        """Waits for the rate limit, and before each repetition longer than before the last."""
        with self._pause:
            pause = self._not_before - self.clock.now()
        if number and failure is not None and pause <= 0:
            pause = 0.5 * 2 ** (number - 1)
        if pause > 0:
            self.clock.sleep(min(pause, _LONGEST_WAIT_S))

    def _heed(self, answer: requests.Response) -> None:
        """Notes until when the server wants to be left alone."""
        until = 0.0
        if answer.status_code == 429:
            until = self.clock.now() + _seconds(answer.headers.get("Retry-After"), default=0.0)
        if answer.status_code == 429 or answer.headers.get("X-RateLimit-Remaining") == "0":
            until = max(until, _seconds(answer.headers.get("X-RateLimit-Reset"), default=0.0))
        with self._pause:
            self._not_before = max(self._not_before, until)

    def _broken(self, method: str, url: str, error: Exception) -> NetworkError:
        got = self.clean(f"{type(error).__name__}: {error}")
        return NetworkError("the archive did not answer", where=f"{method} {self.clean(url)}", got=got)

    def _refusal(self, method: str, url: str, answer: requests.Response) -> BraggbookError:
        """Returns what a status of 400 or more means."""
        where, status = f"{method} {self.clean(url)}", answer.status_code
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
            told = answer.json()
        except ValueError:
            return self.clean(answer.reason or "no message"), ()
        errors = told.get("errors") or [] if isinstance(told, dict) else []
        issues = tuple(
            Issue(
                self.clean("; ".join(map(str, one.get("messages") or [one.get("message", "")]))), str(one.get("field"))
            )
            for one in errors
            if isinstance(one, dict)
        )
        return self.clean(str(told.get("message", "")) if isinstance(told, dict) else ""), issues

    def clean(self, text: str) -> str:
        """Returns a text in which the token cannot be read, nor anything endless."""
        hidden = text.replace(self.token, "<token>") if self.token else text
        return hidden if len(hidden) <= _LONGEST_MESSAGE else hidden[:_LONGEST_MESSAGE] + " ..."

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()


class Sending:
    """A file on its way: opened anew for every try, its checksum computed from the very bytes that were sent."""

    def __init__(self, path: Path, step: Callable[[int], None]) -> None:
        if not path.is_file():
            raise UnknownName("no such file here", where=str(path))
        self._path, self._step = path, step
        self._md5 = hashlib.md5(usedforsecurity=False)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Gives what requests sends, with its length known beforehand: an empty file is not sent in chunks."""
        self._md5 = hashlib.md5(usedforsecurity=False)
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            yield _Blocks(file, size, self._took) if size else b""

    def _took(self, block: bytes, sent: int) -> None:
        self._md5.update(block)
        self._step(sent)

    def check(self, md5: str, *, where: str) -> None:
        """Compares with what the archive says has arrived.

        Raises:
            HashMismatch: It is something else.
        """
        if md5 != self._md5.hexdigest():
            wanted = f"md5 {self._md5.hexdigest()}"
            raise HashMismatch("the archive has not what was sent", where=where, wanted=wanted, got=f"md5 {md5}")


class _Blocks:
    """What http.client reads from, in blocks of our size: its own are 16 kB."""

    def __init__(self, file: Any, size: int, took: Callable[[bytes, int], None]) -> None:
        self._file, self._left, self._sent, self._took = file, size, 0, took

    def __len__(self) -> int:
        return self._left

    def read(self, _count: int = -1) -> bytes:
        """Returns the next block, and none beyond the length that was announced."""
        block: bytes = self._file.read(min(_BLOCK_BYTES, self._left))
        self._left -= len(block)
        self._sent += len(block)
        self._took(block, self._sent)
        return block


def user_agent() -> str:
    """Returns the name that we ask by."""
    return f"braggbook/{importlib.metadata.version('braggbook')} (Python; research data)"


def _never_arrived(error: requests.RequestException) -> bool:
    """Whether a request cannot have reached the server: no connection was made."""
    return isinstance(error, requests.exceptions.ConnectTimeout) or "NewConnectionError" in repr(error)


def _seconds(text: str | None, *, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
