"""Pages that were drawn once and are sent often: kept by what they show, as many as fit, each made by one thread."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from fastapi import Request
from starlette.responses import Response

_MOST_BYTES = 64 << 20  # of all that is kept; a board of 1,000 rows has about 0.3 MB
_LEVEL = 6  # of gzip: a page is compressed once and sent often
_SMALL = 1000  # bytes that are not worth compressing
_VARY = "Cookie, Authorization, Accept-Encoding"


@dataclass(frozen=True)
class Kept:
    """An answer's body.

    Attributes:
        body: As it is.
        packed: The same by gzip; empty where that was not asked for.
        tag: Changes with the body.
    """

    body: bytes
    packed: bytes
    tag: str

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.body) + len(self.packed)


def kept(text: str, *, pack: bool = True) -> Kept:
    """Returns a text as it is kept."""
    body = text.encode()
    packed = gzip.compress(body, _LEVEL, mtime=0) if pack and len(body) > _SMALL else b""
    return Kept(body, packed, hashlib.blake2b(body, digest_size=12).hexdigest())


@dataclass
class Shelves:
    """What was drawn; what was not asked for the longest goes first."""

    most_bytes: int = _MOST_BYTES
    made: int = 0  # how often something was drawn
    _held: OrderedDict[Hashable, Kept] = field(default_factory=OrderedDict, repr=False)
    _making: dict[Hashable, threading.Lock] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _bytes: int = 0

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Returns what is kept under a key; who asks for it at the same time waits until one has made it."""
        with self._lock:
            if (found := self._held.get(key)) is not None:
                self._held.move_to_end(key)
                return found
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                found = self._held.get(key)
            try:
                if found is None:
                    found = make()
                    self._keep(key, found)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return found

    def _keep(self, key: Hashable, found: Kept) -> None:
        with self._lock:
            self.made += 1
            self._bytes += found.size
            self._held[key] = found
            while self._bytes > self.most_bytes and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1].size


def shelves_of(request: Request) -> Shelves:
    """Returns what the application has drawn."""
    return request.app.state.drawn  # type: ignore[no-any-return]


def send(request: Request, found: Kept, *, media_type: str) -> Response:
    """Answers with what is kept, or says that the browser has it already."""
    packs = bool(found.packed) and _takes_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{found.tag}{"-gz" if packs else ""}"'
    headers = {"ETag": tag, "Vary": _VARY, "Cache-Control": "private, no-cache"}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(found.packed if packs else found.body, media_type=media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether gzip is among the codings that are taken (RFC 9110, section 12.5.3)."""
    for one in accepted.split(","):
        name, _, rest = one.partition(";")
        if name.strip().lower() == "gzip":
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has(given: str, tag: str) -> bool:
    """Whether one of the tags that a browser has is this one; weak or not is the same for reading."""
    return any(one.strip().removeprefix("W/") == tag for one in given.split(","))
