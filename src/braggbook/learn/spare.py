"""A new Python that is started ahead: it has imported the lesson and waits, so that a check need not wait for that.

It serves one order, of one function, and ends; the next one is started then. One that is never asked ends with the
kernel, because nobody holds the other end of its standard input any more.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from braggbook.learn.new_python import answer; answer()"
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would show one for each Python
_LOOK_S = 0.003
_OFTEN = ("numpy",)  # imported ahead where the notebook has it

Version = tuple[str, int, int]


@dataclass(frozen=True)
class NewPython:
    """A Python that waits for an order.

    Attributes:
        process: The Python, with its standard input open.
        answers: Where it writes outcomes: a file, since what the function starts may hold a pipe open for ever.
        lesson: The file that it has imported, as it was then.
        owner: The process that started it; a copy of that one (a fork) leaves it alone.
    """

    process: subprocess.Popen[bytes]
    answers: IO[bytes]
    lesson: Version
    owner: int

    def order(self, order: dict[str, Any], *, seconds: float) -> int | None:
        """Returns how it ended, minus the number of a signal, or None if it had not after so many seconds."""
        until = time.monotonic() + seconds
        assert self.process.stdin is not None
        with suppress(OSError):  # it has ended already
            self.process.stdin.write(json.dumps(order).encode())
        with suppress(OSError):
            self.process.stdin.close()
        while (code := self.process.poll()) is None and time.monotonic() < until:
            time.sleep(_LOOK_S)
        return code

    def said(self) -> list[bytes]:
        """Returns the whole lines that it wrote."""
        self.answers.seek(0)
        return self.answers.read().split(b"\n")[:-1]

    def end(self) -> None:
        """Ends it, and what it has started."""
        if self.owner != os.getpid():
            return
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        self.answers.close()


_waiting: list[NewPython] = []


def start_ahead(lesson: str, modules: Iterable[str] = ()) -> None:
    """Starts a Python that will have imported a lesson and modules when the next function is checked."""
    end_waiting()
    with suppress(OSError):  # then the next check starts its own, and says what is wrong
        _waiting.append(_started(lesson, modules))
        _end_with_the_kernel()


def waiting() -> tuple[NewPython, ...]:
    """Returns the Python that waits, if there is one."""
    return tuple(_waiting)


def taken(lesson: str) -> NewPython:
    """Returns the Python that waits with this lesson as it is now, or a new one.

    Raises:
        OSError: The system starts no process.
    """
    while _waiting:
        found = _waiting.pop()
        if found.owner == os.getpid() and found.lesson == _version(lesson) and found.process.poll() is None:
            return found
        found.end()
    return _started(lesson, ())


def end_waiting() -> None:
    """Ends the Python that waits, if there is one."""
    while _waiting:
        _waiting.pop().end()


def _started(lesson: str, modules: Iterable[str]) -> NewPython:
    answers = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the process lives
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *(entry for entry in sys.path if isinstance(entry, str))],
            stdin=subprocess.PIPE,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=_NO_WINDOW,
        )
    except OSError:
        answers.close()
        raise
    started = NewPython(process, answers, _version(lesson), os.getpid())
    ahead = {"lesson": lesson, "modules": sorted({*modules, *(name for name in _OFTEN if name in sys.modules)})}
    with suppress(OSError):
        process.stdin.write(json.dumps(ahead).encode() + b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    return started


def _version(lesson: str) -> Version:
    try:
        known = Path(lesson).stat()
    except OSError:
        return (lesson, 0, 0)
    return (lesson, known.st_mtime_ns, known.st_size)


@cache
def _end_with_the_kernel() -> None:
    atexit.register(end_waiting)
