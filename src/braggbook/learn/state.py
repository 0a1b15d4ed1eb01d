"""A student's progress: one JSON file a lesson, kept on the student's own machine; see docs/formats/progress.md."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from braggbook.errors import BraggbookError
from braggbook.files import storage, write_json
from braggbook.learn.base import HINT_LEVELS

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt
except ImportError:  # everywhere else
    msvcrt = None  # type: ignore[assignment]

PROGRESS_FORMAT = "braggbook.progress/1"
LOG_LENGTH = 200  # attempts of one question that are kept one by one; their number is kept in any case
LARGEST_BYTES = 5_000_000  # a lesson of a hundred questions, each with a full log, has a tenth of that
_PATIENCE_S = 3.0  # a notebook that was stopped while it wrote keeps its lock; writing takes milliseconds
_LOOK_S = 0.01
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def learn_folder() -> Path:
    """Returns where progress is kept: ``BRAGGBOOK_LEARN``, else the user's data folder, in the browser here."""
    if given := os.environ.get("BRAGGBOOK_LEARN"):
        return Path(given).expanduser()
    if sys.platform == "emscripten":
        return Path.cwd() / "braggbook_progress"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "braggbook" / "learn"


def now() -> str:
    """Returns the time as progress files have it: UTC, to the second."""
    return datetime.now(UTC).strftime(_TIME)


class Record:
    """Progress in one lesson; ``said`` collects what the student should know about its file."""

    def __init__(self, path: Path, *, slug: str, sha256: str) -> None:
        self.path = path
        self.said: list[str] = []
        self._slug, self._sha256 = slug, sha256
        self._held: dict[str, Any] | None = None  # what is known when the disk refuses

    def read(self) -> dict[str, Any]:
        """Returns what is known; a file that cannot be used is moved aside, never overwritten."""
        if self._held is not None:
            return self._held
        try:
            data = read_json(self.path)
            problem = fault_of(data) or self._foreign(data)
        except OSError:
            return self._new()
        except ValueError as error:
            problem = str(error)
        if not problem:
            return data  # type: ignore[no-any-return]
        self._move_aside(problem)
        return self._new()

    def change(self, how: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Applies a change to what is on the disk, and writes it; what cannot be written is held in memory."""
        with locked(self.path):
            data = self.read()
            data["lesson_sha256"] = self._sha256
            how(data)
            try:
                with storage(self.path):
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                write_json(self.path, data)
                self._held = None
            except BraggbookError as error:
                if self._held is None:
                    self.said.append(f"Progress is not saved, and is lost when the kernel ends: {error}")
                self._held = data
        return data

    def _new(self) -> dict[str, Any]:
        return {
            "format": PROGRESS_FORMAT,
            "lesson": self._slug,
            "lesson_sha256": self._sha256,
            "started": now(),
            "questions": {},
        }

    def _foreign(self, data: dict[str, Any]) -> str:
        return "" if data["lesson"] == self._slug else "it belongs to another lesson"

    def _move_aside(self, problem: str) -> None:
        aside = self.path.with_name(f"{self.path.stem}.broken-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')}.json")
        with suppress(OSError):
            os.replace(self.path, aside)
            self.said.append(
                f"The progress file could not be used ({problem}). It is now {aside}, and progress begins anew."
            )


def read_json(path: Path) -> Any:
    """Returns what a file holds.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no file, no JSON, or far too large.
    """
    known = path.stat()
    if not stat.S_ISREG(known.st_mode):
        raise ValueError("it is no file")  # a pipe would be waited for
    if known.st_size > LARGEST_BYTES:
        raise ValueError("it is far too large")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None


def fault_of(data: Any) -> str:
    """Returns what is wrong with a progress document, "" if nothing is."""
    if not isinstance(data, dict) or data.get("format") != PROGRESS_FORMAT:
        return f"it is not in the format {PROGRESS_FORMAT}"
    if not all(isinstance(data.get(key), str) for key in ("lesson", "lesson_sha256")) or not is_time(
        data.get("started")
    ):
        return "its lesson or its time is missing"
    questions = data.get("questions")
    if not isinstance(questions, dict) or set(data) != {"format", "lesson", "lesson_sha256", "started", "questions"}:
        return "its questions are missing, or it has keys that are not known"
    return next((f"question {name!r}" for name, entry in questions.items() if not _is_entry(entry)), "")


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not {"attempts", "hints", "log"} <= set(entry) <= {
        "attempts",
        "hints",
        "log",
        "right_at",
    }:
        return False
    counts = (entry["attempts"], entry["hints"])
    return (
        all(type(count) is int and count >= 0 for count in counts)
        and entry["hints"] <= len(HINT_LEVELS)
        and isinstance(entry["log"], list)
        and len(entry["log"]) <= min(entry["attempts"], LOG_LENGTH)
        and all(_is_attempt(attempt) for attempt in entry["log"])
        and ("right_at" not in entry or is_time(entry["right_at"]))
    )


def _is_attempt(attempt: Any) -> bool:
    return (
        isinstance(attempt, dict)
        and set(attempt) == {"at", "right", "slip"}
        and is_time(attempt["at"])
        and isinstance(attempt["right"], bool)
        and isinstance(attempt["slip"], str)
    )


def is_time(text: Any) -> bool:
    """Returns whether a text is a time as progress files have it."""
    try:
        datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return False
    return True


def entry_of(data: dict[str, Any], question: str) -> dict[str, Any]:
    """Returns what is known of a question; makes its entry when there is none."""
    return data["questions"].setdefault(question, {"attempts": 0, "hints": 0, "log": []})  # type: ignore[no-any-return]


def merge(data: dict[str, Any], other: dict[str, Any]) -> None:
    """Puts what another file knows of the same lesson into ``data``; done twice it is the same."""
    data["started"] = min(data["started"], other["started"])
    for name, there in other["questions"].items():
        here = entry_of(data, name)
        attempts = {(a["at"], a["right"], a["slip"]): a for a in (*here["log"], *there["log"])}
        log = [attempts[key] for key in sorted(attempts)]
        here["attempts"] = max(here["attempts"], there["attempts"], len(log))
        here["log"] = log[-LOG_LENGTH:]
        here["hints"] = max(here["hints"], there["hints"])
        times = [entry["right_at"] for entry in (here, there) if "right_at" in entry]
        if times:
            here["right_at"] = min(times)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other notebooks of the same person from writing meanwhile, where the system can do that."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.with_suffix(".lock").open("a+b")
    except OSError:  # the folder cannot be written; whoever writes says so
        yield
        return
    with stream:
        _lock(stream)
        yield  # closing the file ends the lock


def _lock(stream: IO[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            if fcntl is not None:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            elif msvcrt is not None:
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            return
        except (BlockingIOError, PermissionError):  # as Linux and Windows say that another notebook is writing
            time.sleep(_LOOK_S)
        except (OSError, AttributeError):  # a network drive without locks; Pyodide has a fcntl without flock
            return
