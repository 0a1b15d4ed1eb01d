"""Uploads by a form (RFC 7578), read in pieces, and the file names that survive them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser

from .problems import bad_request

_LARGEST_HEAD = 16_384
_LARGEST_FIELD = 65_536
_BAD = "Bad multipart request body."


@dataclass
class Form:
    """What a form held besides the bytes of its file."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None  # None where no file came


def read_form(blocks: Iterator[memoryview], content_type: str, *, write: Callable[[memoryview | bytes], None]) -> Form:
    """Reads a form with one file.

    Args:
        blocks: The body.
        content_type: The request's, which names the boundary.
        write: Takes the bytes of the part named ``file``.

    Raises:
        ApiError: It is not a form (400).
    """
    head = Message()
    head["Content-Type"] = content_type
    boundary = head.get_boundary()
    if not boundary:
        raise bad_request(_BAD)
    parts = _Parts(blocks, boundary.encode("latin-1"))
    form = Form()
    while (part := parts.next_head()) is not None:
        name = str(part.get_param("name", "", header="content-disposition"))
        if name == "file" and form.filename is None:
            form.filename = part.get_filename() or ""
            for block in parts.content():
                write(block)
        else:
            form.fields[name] = _text(parts.content())
    return form


def _text(blocks: Iterator[bytes]) -> str:
    text = b""
    for block in blocks:
        text += block
        if len(text) > _LARGEST_FIELD:
            raise bad_request(_BAD)
    return text.decode("utf-8", "replace")


class _Parts:
    """Cuts a stream at its boundaries, holding back only what might be the start of one."""

    def __init__(self, blocks: Iterator[memoryview], boundary: bytes) -> None:
        self._blocks = blocks
        self._mark = b"\r\n--" + boundary
        self._held = b"\r\n"  # so that the first boundary looks like the others
        for _ in self.content():  # what comes before the first part
            pass

    def content(self) -> Iterator[bytes]:
        """Gives the bytes up to the next boundary, and takes the boundary away."""
        while (at := self._held.find(self._mark)) < 0:
            keep = len(self._mark) - 1
            ready, self._held = self._held[:-keep], self._held[-keep:]
            if ready:
                yield ready
            self._more()
        ready, self._held = self._held[:at], self._held[at + len(self._mark) :]
        if ready:
            yield ready

    def next_head(self) -> Message | None:
        """Returns the headers of the next part, or None after the last."""
        while len(self._held) < 2:
            self._more()
        if self._held.startswith(b"--"):
            for _ in self._blocks:  # what comes after the last part
                pass
            return None
        while (at := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > _LARGEST_HEAD:
                raise bad_request(_BAD)
            self._more()
        head, self._held = self._held[:at].lstrip(b"\r\n"), self._held[at + 4 :]
        return HeaderParser().parsestr(head.decode("utf-8", "replace"))

    def _more(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            raise bad_request(_BAD)
        self._held += bytes(block)


def secure_filename(name: str) -> str:
    """Returns a name as werkzeug's function of this name gives it: no folders, ASCII, no blanks.

    Two names may become one, and a name without a Latin letter or digit becomes empty.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    plain = "_".join(plain.replace("/", " ").split())
    return re.sub(r"[^A-Za-z0-9_.-]", "", plain).strip("._")
