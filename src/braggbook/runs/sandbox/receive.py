"""Reading the stream that comes out of the walls: every byte of it is the stranger's, and every number is bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from braggbook.errors import Issue, StorageError
from braggbook.files import storage
from braggbook.runs.sandbox import frames
from braggbook.runs.sandbox.session import Refused
from braggbook.runs.sandbox.usage import MIB
from braggbook.runs.sandbox.walls import Limits

_NAME_BYTES = 200
_DEEPEST = 8  # parts of a name
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]*(?<![. ])")
_OUTCOME_BYTES = 4096
_LOG_BYTES = 64 * MIB
_CELLS = 100_000  # and other parts that are taken at most


@dataclass
class _Part:
    kind: bytes
    name: str
    left: int
    sink: IO[bytes] | None = None


@dataclass
class Receiver:
    """Takes the stream, keeps what it may hold, and refuses the rest.

    Attributes:
        collect: An empty folder that gets the files.
        limits: How much is taken.
        logs: A folder that gets the logs; without one, none is taken and no name of the stranger's is repeated.
        on_cell: Told how many code cells are behind when one begins.
        reading, starting, cells: How far the work inside has come: see :mod:`braggbook.runs.sandbox.frames`.
        outcome: What was said at the end, as it was said.
        files: Names of the files that came whole.
    """

    collect: Path
    limits: Limits
    logs: Path | None = None
    on_cell: Callable[[int], None] = lambda done: None
    reading: bool = False
    starting: bool = False
    cells: int | None = None
    outcome: dict[str, Any] | None = None
    files: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    _buffer: bytes = b""
    _part: _Part | None = None
    _bytes: int = 0
    _seen: set[str] = field(default_factory=set)
    _parts: int = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            Refused: They are not accepted; :attr:`issues` says why.
            StorageError: The disk refuses.
        """
        self._buffer += data
        while self._advance():
            pass

    def close(self) -> None:
        """Closes a file that did not come whole; it is not among :attr:`files`."""
        if self._part is not None and self._part.sink is not None:
            self._part.sink.close()

    def _advance(self) -> bool:
        """Returns whether something was taken from the buffer."""
        if self._part is None:
            return self._begin()
        part, count = self._part, min(self._part.left, len(self._buffer))
        if part.kind == frames.OUTCOME:
            if len(self._buffer) < part.left:
                return False
            self._end(self._buffer[: part.left])
        elif part.sink is not None:
            with storage(self.collect):
                part.sink.write(self._buffer[:count])
        self._buffer = self._buffer[count:]
        part.left -= count
        if part.left:
            return count > 0
        self._finish(part)
        return True

    def _begin(self) -> bool:
        size = frames.HEADING.size
        if len(self._buffer) < size:
            return False
        kind, name_bytes, data_bytes = frames.HEADING.unpack(self._buffer[:size])
        self._parts += 1
        if self._parts > _CELLS:
            self._refuse("too many parts of an outcome")
        if self.outcome is not None or kind not in frames.KINDS:
            self._refuse("more than the outcome" if self.outcome is not None else "not a part of an outcome")
        if name_bytes > _NAME_BYTES:
            self._refuse("the name of an output is too long", wanted=f"at most {_NAME_BYTES} bytes")
        if len(self._buffer) < size + name_bytes:
            return False
        name = self._buffer[size : size + name_bytes].decode("utf-8", "replace")
        self._buffer = self._buffer[size + name_bytes :]
        self._part = _Part(kind, name, data_bytes)
        self._open(self._part)
        return True

    def _open(self, part: _Part) -> None:
        if part.kind == frames.FILE:
            self._open_file(part)
        elif part.kind == frames.LOG:
            self._open_log(part)
        elif part.kind == frames.OUTCOME:
            if part.left > _OUTCOME_BYTES:
                self._refuse("an outcome that is too long", wanted=f"at most {_OUTCOME_BYTES} bytes")
        elif part.left:
            self._refuse("not a part of an outcome")
        elif part.kind == frames.LEFT_OUT:
            self._refuse("an output that is no regular file", name=part.name, wanted="files and folders")

    def _open_file(self, part: _Part) -> None:
        limits = self.limits
        self._bytes += part.left
        if len(self.files) >= limits.output_files:
            self._refuse("too many outputs", wanted=f"at most {limits.output_files} files")
        if part.left > limits.file_mb * MIB:
            self._refuse("an output is too large", name=part.name, wanted=f"at most {limits.file_mb} MiB")
        if self._bytes > limits.output_mb * MIB:
            self._refuse("the outputs are too large together", wanted=f"at most {limits.output_mb} MiB")
        parts = part.name.split("/")
        if len(parts) > _DEEPEST or not all(map(_PART.fullmatch, parts)):
            wanted = f"letters, digits, _ . + - in at most {_DEEPEST} parts, relative, without .."
            self._refuse("the name of an output is not accepted", name=part.name, wanted=wanted)
        if part.name.casefold() in self._seen:
            self._refuse("two outputs of one name", name=part.name)
        self._seen.add(part.name.casefold())
        path = self.collect.joinpath(*parts)
        try:
            with storage(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                part.sink = path.open("xb")
        except StorageError:
            if any(other.is_file() for other in path.parents if other.is_relative_to(self.collect)) or path.is_dir():
                self._refuse("two outputs of one name", name=part.name)
            raise

    def _open_log(self, part: _Part) -> None:
        if self.logs is None or part.name not in frames.LOG_NAMES or part.left > _LOG_BYTES:
            self._refuse("a log that was not asked for")
            return
        path = self.logs / part.name
        with storage(path):
            part.sink = path.open("wb")

    def _finish(self, part: _Part) -> None:
        self._part = None
        if part.sink is not None:
            with storage(self.collect):
                part.sink.close()
        if part.kind == frames.FILE:
            self.files.append(part.name)
        elif part.kind == frames.READING:
            self.reading = True
        elif part.kind == frames.STARTING:
            self.starting = True
        elif part.kind == frames.CELL:
            self.cells = _number(part.name)
            self.on_cell(self.cells)

    def _end(self, data: bytes) -> None:
        with suppress(ValueError, RecursionError):
            said = json.loads(data)
            self.outcome = said if isinstance(said, dict) else None
        if self.outcome is None:
            self._refuse("an outcome that cannot be read")

    def _refuse(self, what: str, *, name: str = "", wanted: str = "") -> None:
        # a name could carry hidden data: it is repeated only where the logs may be read anyway
        where = name[:_NAME_BYTES].encode("ascii", "backslashreplace").decode() if self.logs is not None else ""
        self.issues.append(Issue(what, where or "outputs", wanted))
        raise Refused(what)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
