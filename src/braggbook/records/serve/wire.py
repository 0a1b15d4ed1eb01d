"""Bodies on their way in and replies on their way out, in pieces, so that size costs no memory."""

from __future__ import annotations

import json
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any, BinaryIO

from .problems import ApiError, bad_request

BLOCK_BYTES = 1 << 20
_LONGEST_LINE = 4096  # of a chunk's head or trailer
_LONGEST_TRAILERS = 64
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_TICKS_PER_S = 20  # how evenly a slow connection gives its bytes


class Cut(Exception):
    """The connection is to be dropped here, because a fault was ordered."""


class BodyTruncated(Exception):
    """The client went away in the middle of its request."""


@dataclass
class Flow:
    """How bytes pass: at most so fast, and not beyond a cut.

    Args:
        cut_at: The byte after which the connection is dropped, or None.
        bytes_per_second: How fast, or None.
    """

    cut_at: int | None = None
    bytes_per_second: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing is asked of it."""
        return self.cut_at is None and self.bytes_per_second is None

    def allow(self, done: int, wanted: int) -> int:
        """Returns how many of the wanted bytes may pass next.

        Raises:
            Cut: None may any more.
        """
        if self.cut_at is not None:
            wanted = min(wanted, self.cut_at - done)
            if wanted <= 0:
                raise Cut
        if self.bytes_per_second is not None:
            wanted = min(wanted, max(1, int(self.bytes_per_second / _TICKS_PER_S)))
        return wanted

    def passed(self, count: int) -> None:
        """Waits as long as that many bytes take."""
        if self.bytes_per_second is not None:
            time.sleep(count / self.bytes_per_second)

    def ended(self) -> None:
        """Cuts a body that ended before its cut."""
        if self.cut_at is not None:
            raise Cut


class Body(ABC):
    """The body of a request, read once from its start to its end."""

    length: int | None  # None where the client does not say

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self.flow = Flow()
        self.received = 0
        self.is_read = False
        self.is_broken = False  # nobody knows where it ends

    def blocks(self) -> Iterator[memoryview]:
        """Gives the body piece by piece; each piece is valid until the next.

        Raises:
            BodyTruncated: The client went away.
            Cut: A fault was ordered.
        """
        buffer = memoryview(bytearray(BLOCK_BYTES if self.length is None else min(BLOCK_BYTES, self.length) or 1))
        while not self.is_read:
            count = self._fill(buffer[: self.flow.allow(self.received, len(buffer))])
            if not count:
                break
            self.received += count
            self.flow.passed(count)
            yield buffer[:count]
        self.is_read = True
        self.flow.ended()

    def bytes(self, limit: int) -> bytes:
        """Returns the whole body, or the first bytes of one that is longer than ``limit``."""
        parts: list[bytes] = []
        size = 0
        for block in self.blocks():
            parts.append(block.tobytes())
            size += len(block)
            if size > limit:
                break
        return b"".join(parts)

    def drain(self, limit: int) -> bool:
        """Reads what is left if that is at most ``limit`` bytes; says whether the body is now read."""
        if self.is_broken or (self.length is not None and self.length - self.received > limit):
            return False
        left = limit
        for block in self.blocks():
            left -= len(block)
            if left < 0:
                return False
        return True

    @abstractmethod
    def _fill(self, buffer: memoryview) -> int:
        """Reads up to a buffer full; 0 at the end of the body."""

    def _read(self, buffer: memoryview) -> int:
        try:
            count = self._stream.readinto1(buffer)
        except OSError:  # reset, or silent for too long
            count = 0
        if not count:
            raise BodyTruncated
        return count


class SizedBody(Body):
    """A body whose length the request tells."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        super().__init__(stream)
        self.length = length

    def _fill(self, buffer: memoryview) -> int:
        left = self.length - self.received if self.length is not None else 0
        return self._read(buffer[:left]) if left else 0


class ChunkedBody(Body):
    """A body in chunks (RFC 9112, section 7.1)."""

    length = None

    def __init__(self, stream: BufferedIOBase) -> None:
        super().__init__(stream)
        self._left = 0
        self._first = True

    def _fill(self, buffer: memoryview) -> int:
        if not self._left:
            self._left = self._next_chunk()
        if not self._left:
            self._skip_trailers()
            return 0
        count = self._read(buffer[: self._left])
        self._left -= count
        return count

    def _next_chunk(self) -> int:
        if not self._first and self._line():
            raise self._bad()
        self._first = False
        size = self._line().partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise self._bad()
        return int(size, 16)

    def _skip_trailers(self) -> None:
        for _ in range(_LONGEST_TRAILERS):
            if not self._line():
                return
        raise self._bad()

    def _bad(self) -> ApiError:
        self.is_broken = True
        return bad_request("Bad chunk in request body.")

    def _line(self) -> bytes:
        line = self._stream.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BodyTruncated
        return line.rstrip(b"\r\n")


def body_of(headers: Message, stream: BufferedIOBase) -> Body:
    """Returns the body that the headers announce.

    Raises:
        ApiError: They contradict themselves (400).
    """
    length, coding = headers.get("Content-Length"), headers.get("Transfer-Encoding")
    if coding is not None:
        if coding.strip().lower() != "chunked" or length is not None:
            raise bad_request("Bad request syntax: Transfer-Encoding.")
        return ChunkedBody(stream)
    if length is not None and not (length.isascii() and length.isdigit()):
        raise bad_request("Bad request syntax: Content-Length.")
    return SizedBody(stream, int(length or 0))


@dataclass
class Part:
    """A stretch of a file that is sent as it lies on the disk."""

    stream: BinaryIO
    start: int
    length: int


@dataclass
class Reply:
    """What is answered: JSON, bytes or a part of a file."""

    status: int
    json: Any = None
    content: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    part: Part | None = None

    def body(self) -> bytes:
        """Returns the bytes to send, where it is not a file."""
        if self.json is None:
            return self.content
        return json.dumps(self.json, ensure_ascii=False).encode()

    def head(self, length: int, more: Mapping[str, str]) -> bytes:
        """Returns the status line and the headers."""
        status = HTTPStatus(self.status)
        headers = {**more, **self.headers}
        if self.status not in (204, 304):
            headers = {"Content-Type": self.content_type, "Content-Length": str(length), **headers}
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def send(connection: socket.socket, reply: Reply, *, more: Mapping[str, str], bare: bool, flow: Flow) -> int:
    """Sends a reply and returns how many bytes of a body went out.

    Args:
        connection: Where to.
        reply: What.
        more: Headers that every reply has.
        bare: Whether the body is left out (HEAD).
        flow: How its body passes.
    """
    body = b"" if reply.part else reply.body()
    length = reply.part.length if reply.part else len(body)
    head = reply.head(length, more)
    if bare or not length:
        connection.sendall(head)
        return 0
    if not flow.is_free:
        connection.sendall(head)
        return _send_slowly(connection, reply.part or body, flow)
    if reply.part is None:
        connection.sendall(head + body)  # in one packet where it fits
        return length
    connection.sendall(head)
    return connection.sendfile(reply.part.stream, reply.part.start, reply.part.length)


def _send_slowly(connection: socket.socket, what: Part | bytes, flow: Flow) -> int:
    length, done = (what.length if isinstance(what, Part) else len(what)), 0
    if isinstance(what, Part):
        what.stream.seek(what.start)
    while done < length:
        count = flow.allow(done, min(BLOCK_BYTES, length - done))
        block = what.stream.read(count) if isinstance(what, Part) else what[done : done + count]
        flow.passed(len(block))  # before they go, so that the last of them are as late as the first
        connection.sendall(block)
        done += len(block)
    return done
